//! `RegisterURL`: where validations and confirmations of customers' payments go over SOAP. Its
//! answer is all that comes (spec/soap.md §3.4).

use super::envelope::REQUEST;
use super::request::{self, Caller, Rendered, key_value};
use super::schema::{self, Value};
use crate::domain::inquiry::ResponseType;
use crate::domain::time::Timestamp;

/// The path of registrations (spec/soap.md §1.4, §3.4).
pub const PATH: &str = "/mminterface/registerURL";

/// Where notices of the organisation's payments go.
#[derive(Clone, Copy, Debug)]
pub struct RegisterUrl<'a> {
    /// Who asks, and for which short code.
    pub caller: &'a Caller,
    /// The request's own id.
    pub originator_conversation_id: &'a str,
    /// What M-Pesa does when the validation address cannot be reached.
    pub response_type: ResponseType,
    /// Where validations go.
    pub validation_url: &'a str,
    /// Where confirmations go.
    pub confirmation_url: &'a str,
    /// When the request is made.
    pub at: Timestamp,
}

impl RegisterUrl<'_> {
    /// The `CommandID`.
    pub const COMMAND: &'static str = "RegisterURL";

    /// The one canonical form. No operator's credential is in it: caller and initiator are empty,
    /// as in every sample. The schema wants a `Timestamp`, which the samples leave out.
    pub fn render(&self) -> Rendered {
        request::render(self.caller, self.at, |_credential| self.document())
    }

    fn document(&self) -> String {
        let stamp = self.at.request_stamp();
        let transaction = Value::Group(vec![
            ("CommandID", Value::Text(Self::COMMAND)),
            ("OriginatorConversationID", Value::Text(self.originator_conversation_id)),
            (
                "Parameters",
                Value::Group(vec![key_value(
                    "Parameter",
                    "ResponseType",
                    self.response_type.as_str(),
                )]),
            ),
            (
                "ReferenceData",
                Value::Group(vec![
                    key_value("ReferenceItem", "ValidationURL", self.validation_url),
                    key_value("ReferenceItem", "ConfirmationURL", self.confirmation_url),
                ]),
            ),
            ("Timestamp", Value::Text(&stamp)),
        ]);
        let empty = |name: &'static str| (name, Value::Text(""));
        let sender = Value::Group(vec![
            ("CallerType", Value::Text("0")),
            empty("ThirdPartyID"),
            empty("Password"),
            empty("CheckSum"),
            empty("ResultURL"),
        ]);
        let initiator = Value::Group(vec![
            ("IdentifierType", Value::Text("1")),
            empty("Identifier"),
            empty("SecurityCredential"),
            empty("ShortCode"),
        ]);
        let organisation = Value::Group(vec![
            ("IdentifierType", Value::Text("1")),
            empty("Identifier"),
            ("ShortCode", Value::Text(&self.caller.shortcode)),
        ]);
        let identity = Value::Group(vec![
            ("Caller", sender),
            ("Initiator", initiator),
            ("PrimaryParty", organisation),
        ]);
        let request = Value::Group(vec![
            ("Transaction", transaction),
            ("Identity", identity),
            ("KeyOwner", Value::Text("1")),
        ]);
        let mut out = String::with_capacity(1024);
        schema::write_root(&mut out, (None, REQUEST), &schema::REQUEST_DOCUMENT, &request);
        out
    }
}
