//! `GenericAPIRequest`: a payout as it leaves, and any request as the simulator reads it
//! (spec/soap.md §3).

use std::fmt;

use super::envelope::{self, Envelope, REQUEST, Unreadable};
use super::header::{HexCase, Namespace, SpHeader, sp_password};
use super::redact;
use super::schema::{self, Value};
use super::xml::{self, Element};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::Command;
use crate::domain::time::Timestamp;

pub use crate::domain::mask::MASK;

/// The organisation as it is known to the broker and to M-Pesa: the same for every request.
///
/// `Debug` shows neither the SP password nor the credential.
#[derive(Clone)]
pub struct Caller {
    /// Which namespace the SOAP header has.
    pub namespace: Namespace,
    /// The case of spPassword's digits.
    pub hex_case: HexCase,
    /// `spId`.
    pub sp_id: String,
    /// The SP's password, from which spPassword is made.
    pub sp_password: String,
    /// `serviceId`.
    pub service_id: String,
    /// The organisation's short code.
    pub shortcode: String,
    /// The API operator's user name.
    pub initiator: String,
    /// The operator's password, encrypted (spec/soap.md §6).
    pub security_credential: String,
    /// Where results go.
    pub result_url: String,
    /// Where queue timeouts go.
    pub queue_timeout_url: String,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("namespace", &self.namespace)
            .field("sp_id", &self.sp_id)
            .field("service_id", &self.service_id)
            .field("shortcode", &self.shortcode)
            .field("initiator", &self.initiator)
            .finish_non_exhaustive()
    }
}

/// A request, ready for the wire and ready for the book.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What is sent.
    pub wire: Vec<u8>,
    /// The same with spPassword, SecurityCredential and the callback addresses' token masked: the
    /// form that is kept. An answer may repeat the request, so it is masked as well before it is
    /// kept (`rail::soap`).
    pub redacted: Vec<u8>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({} bytes)", self.wire.len())
    }
}

/// One payout as a B2C request (spec/soap.md §3.3).
#[derive(Clone, Copy, Debug)]
pub struct PayoutRequest<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Which of the six B2C commands.
    pub command: Command,
    /// The payout's one id towards M-Pesa.
    pub originator_conversation_id: &'a str,
    /// How much, in shillings and cents.
    pub amount: Amount,
    /// To whom.
    pub phone: Msisdn,
    /// `Remark`; may be empty. At most 255 characters.
    pub remarks: &'a str,
    /// The reference item `Occasion`; left out when empty.
    pub occasion: &'a str,
    /// When the request is made.
    pub at: Timestamp,
}

impl PayoutRequest<'_> {
    /// The one canonical form: schema order, no blanks between elements.
    ///
    /// Control characters that XML cannot carry are left out of every value.
    pub fn render(&self) -> Rendered {
        let amount = self.amount.to_string();
        let phone = self.phone.reveal();
        let mut references =
            vec![key_value("ReferenceItem", "QueueTimeoutURL", &self.caller.queue_timeout_url)];
        if !self.occasion.is_empty() {
            references.push(key_value("ReferenceItem", "Occasion", self.occasion));
        }
        let parts = Parts {
            command: self.command.as_str(),
            originator_conversation_id: self.originator_conversation_id,
            remarks: self.remarks,
            parameters: vec![key_value("Parameter", "Amount", &amount)],
            references,
            receiver: Value::Group(vec![
                ("IdentifierType", Value::Text("1")),
                ("Identifier", Value::Text(&phone)),
            ]),
        };
        parts.render(self.caller, self.at)
    }
}

/// What differs from request to request.
pub(super) struct Parts<'a> {
    pub(super) command: &'a str,
    pub(super) originator_conversation_id: &'a str,
    pub(super) remarks: &'a str,
    pub(super) parameters: Vec<(&'static str, Value<'a>)>,
    pub(super) references: Vec<(&'static str, Value<'a>)>,
    pub(super) receiver: Value<'a>,
}

/// A `Key` and a `Value` in an element of the name.
pub(super) fn key_value<'a>(
    name: &'static str,
    key: &'a str,
    value: &'a str,
) -> (&'static str, Value<'a>) {
    let pair = vec![("Key", Value::Text(key)), ("Value", Value::Text(value))];
    (name, Value::Group(pair))
}

/// The organisation as a party (spec/soap.md §3.1, third note).
pub(super) fn organisation(shortcode: &str) -> Value<'_> {
    Value::Group(vec![
        ("IdentifierType", Value::Text("4")),
        ("Identifier", Value::Text(shortcode)),
        ("ShortCode", Value::Text(shortcode)),
    ])
}

/// A document in its envelope, behind the SP's header; `document` gets the credential, or what
/// stands in its place in the form that is kept.
pub(super) fn render(
    caller: &Caller,
    at: Timestamp,
    document: impl Fn(&str) -> String,
) -> Rendered {
    let time_stamp = at.header_stamp();
    let password = sp_password(&caller.sp_id, &caller.sp_password, &time_stamp, caller.hex_case);
    let write = |password: &str, credential: &str| {
        let header = SpHeader {
            sp_id: caller.sp_id.clone(),
            sp_password: Some(password.to_owned()),
            service_id: Some(caller.service_id.clone()),
            time_stamp: Some(time_stamp.clone()),
        };
        let header = header.render(caller.namespace);
        envelope::render(envelope::REQUEST_MSG, &header, &document(credential))
    };
    Rendered {
        wire: write(&password, &caller.security_credential).into_bytes(),
        redacted: redact::mask_tokens(&write(MASK, MASK)).into_owned().into_bytes(),
    }
}

impl Parts<'_> {
    pub(super) fn render(&self, caller: &Caller, at: Timestamp) -> Rendered {
        render(caller, at, |credential| self.document(caller, at, credential))
    }

    fn document(&self, caller: &Caller, at: Timestamp, credential: &str) -> String {
        let stamp = at.request_stamp();
        let transaction = Value::Group(vec![
            ("CommandID", Value::Text(self.command)),
            ("LanguageCode", Value::Text("")),
            ("OriginatorConversationID", Value::Text(self.originator_conversation_id)),
            ("ConversationID", Value::Text("")),
            ("Remark", Value::Text(self.remarks)),
            ("Parameters", Value::Group(self.parameters.clone())),
            ("ReferenceData", Value::Group(self.references.clone())),
            ("Timestamp", Value::Text(&stamp)),
        ]);
        // The broker puts its own identity into Caller; ThirdPartyID is mandatory and empty
        // (spec/soap.md §3.2).
        let sender = Value::Group(vec![
            ("CallerType", Value::Text("2")),
            ("ThirdPartyID", Value::Text("")),
            ("Password", Value::Text("")),
            ("CheckSum", Value::Text("")),
            ("ResultURL", Value::Text(&caller.result_url)),
        ]);
        let initiator = Value::Group(vec![
            ("IdentifierType", Value::Text("11")),
            ("Identifier", Value::Text(&caller.initiator)),
            ("SecurityCredential", Value::Text(credential)),
            ("ShortCode", Value::Text(&caller.shortcode)),
        ]);
        let identity = Value::Group(vec![
            ("Caller", sender),
            ("Initiator", initiator),
            ("PrimaryParty", organisation(&caller.shortcode)),
            ("ReceiverParty", self.receiver.clone()),
        ]);
        let request = Value::Group(vec![
            ("Transaction", transaction),
            ("Identity", identity),
            ("KeyOwner", Value::Text("1")),
        ]);
        let mut out = String::with_capacity(2048);
        schema::write_root(&mut out, (None, REQUEST), &schema::REQUEST_DOCUMENT, &request);
        out
    }
}

/// A request as it came, read tolerantly; whether it is right is for [`Incoming::faults`].
///
/// `Debug` hides the values.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// `RequestSOAPHeader`, if there is one.
    pub header: Option<SpHeader>,
    /// The inner document.
    pub document: Element<'static>,
    /// `CommandID`.
    pub command: Option<String>,
    /// `OriginatorConversationID`.
    pub originator_conversation_id: Option<String>,
    /// `Remark`.
    pub remark: Option<String>,
    /// `Parameters`, by key.
    pub parameters: Vec<(String, String)>,
    /// `ReferenceData`, by key.
    pub references: Vec<(String, String)>,
    /// `Timestamp`.
    pub timestamp: Option<String>,
    /// `Caller/ResultURL`.
    pub result_url: Option<String>,
    /// `Initiator/Identifier`.
    pub initiator: Option<String>,
    /// `Initiator/SecurityCredential`.
    pub security_credential: Option<String>,
    /// `Initiator/ShortCode`.
    pub initiator_shortcode: Option<String>,
    /// `PrimaryParty`: type and identifier.
    pub primary_party: Option<Party>,
    /// `ReceiverParty`: type and identifier.
    pub receiver_party: Option<Party>,
    /// `KeyOwner`.
    pub key_owner: Option<String>,
}

/// A party of a request (spec/soap.md §3.2). `Debug` hides the identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Party {
    /// `IdentifierType`.
    pub kind: String,
    /// `Identifier`: an MSISDN, a short code.
    pub identifier: String,
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Party({}, ***)", self.kind)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("header", &self.header)
            .field("command", &self.command)
            .field("originator_conversation_id", &self.originator_conversation_id)
            .finish_non_exhaustive()
    }
}

impl Incoming {
    /// The value of a parameter.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        envelope::value_at(&self.parameters, &[key])
    }

    /// The value of a reference item.
    pub fn reference(&self, key: &str) -> Option<&str> {
        envelope::value_at(&self.references, &[key])
    }

    /// What is wrong with the document's structure, strictly by the schema.
    pub fn faults(&self) -> Vec<schema::Fault> {
        schema::check(&self.document, &schema::REQUEST_DOCUMENT)
    }
}

/// Reads a request, taking all that spec/soap.md §9 lists.
///
/// # Errors
/// It is no envelope with a `RequestMsg` that holds a `request`.
pub fn parse(bytes: &[u8]) -> Result<Incoming, Unreadable> {
    let text = xml::decode(bytes)?;
    let envelope = Envelope::open(&text)?;
    let message = envelope.message("RequestMsg")?;
    let document = envelope::document(message, "request")?;
    let at = |path: &[&str]| -> Option<String> {
        document
            .descend(path)
            .map(Element::value)
            .filter(|value| !value.is_empty())
            .map(ToOwned::to_owned)
    };
    let pairs = |group: &str| {
        document.descend(&["Transaction", group]).map(envelope::pairs).unwrap_or_default()
    };
    let party = |name: &str| {
        Some(Party {
            kind: at(&["Identity", name, "IdentifierType"]).unwrap_or_default(),
            identifier: at(&["Identity", name, "Identifier"])?,
        })
    };
    Ok(Incoming {
        header: envelope.header.as_ref().and_then(SpHeader::find),
        command: at(&["Transaction", "CommandID"]),
        originator_conversation_id: at(&["Transaction", "OriginatorConversationID"]),
        remark: at(&["Transaction", "Remark"]),
        parameters: pairs("Parameters"),
        references: pairs("ReferenceData"),
        timestamp: at(&["Transaction", "Timestamp"]),
        result_url: at(&["Identity", "Caller", "ResultURL"]),
        initiator: at(&["Identity", "Initiator", "Identifier"]),
        security_credential: at(&["Identity", "Initiator", "SecurityCredential"]),
        initiator_shortcode: at(&["Identity", "Initiator", "ShortCode"]),
        primary_party: party("PrimaryParty"),
        receiver_party: party("ReceiverParty"),
        key_owner: at(&["KeyOwner"]),
        document: document.into_owned().into_owned(),
    })
}
