//! A request as the rules of a scenario see it, from whichever interface it came. Pure.
//!
//! It is read tolerantly: what a request does not say, no rule is met by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Interface;
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::sim::book::Till;
use crate::sim::customer::Bill;
use crate::sim::daraja::Api;
use crate::sim::deliver::Target;
use crate::soap::request;
use crate::soap::status_query::StatusQuery;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Traffic {
    pub(super) interface: Interface,
    /// What is asked for, where that could be read.
    pub(super) api: Option<Api>,
    /// The caller's name for it: an OriginatorConversationID, or where its result is to go.
    pub(in crate::sim) name: Option<String>,
    /// By what a question names the payment that it asks about.
    pub(in crate::sim) about: Option<String>,
    pub(super) phone: Option<Msisdn>,
    pub(super) amount: Option<Amount>,
    pub(super) command: Option<String>,
    /// By what the caller is known.
    pub(super) apps: Vec<String>,
}

impl Traffic {
    const fn over(interface: Interface) -> Self {
        Self {
            interface,
            api: None,
            name: None,
            about: None,
            phone: None,
            amount: None,
            command: None,
            apps: Vec::new(),
        }
    }
}

/// A request to the broker (spec/soap.md §3).
pub(in crate::sim) fn by_soap(body: &[u8]) -> Traffic {
    let traffic = Traffic::over(Interface::Soap);
    let Ok(incoming) = request::parse(body) else {
        return traffic;
    };
    let text = |key: &str| incoming.parameter(key).map(str::to_owned);
    let about = text("OriginatorConversationID")
        .or_else(|| text("ReceiptNumber"))
        .or_else(|| text("ConversationID"));
    let receiver = incoming.receiver_party.as_ref().filter(|party| party.kind == "1");
    let header = incoming.header.as_ref();
    let provider = header.map(|header| header.sp_id.clone());
    let service = header.and_then(|header| header.service_id.clone());
    let payer = incoming.primary_party.as_ref().map(|party| party.identifier.clone());
    let names = [provider, service, incoming.initiator.clone(), payer];
    Traffic {
        api: incoming.command.as_deref().map(api_of),
        name: incoming.originator_conversation_id.clone(),
        about: about.filter(|text| !text.is_empty()),
        phone: receiver.and_then(|party| party.identifier.parse().ok()),
        amount: incoming.parameter("Amount").and_then(|text| text.parse().ok()),
        command: incoming.command.clone(),
        apps: names.into_iter().flatten().collect(),
        ..traffic
    }
}

/// What a command of the broker's asks for (spec/soap.md §3.3).
fn api_of(command: &str) -> Api {
    match command {
        StatusQuery::COMMAND => Api::Status,
        "AccountBalance" => Api::Balance,
        "TransactionReversal" => Api::Reversal,
        "RegisterURL" => Api::C2bRegister,
        "BusinessPayBill" | "BusinessBuyGoods" | "BusinessToBusinessTransfer" => Api::B2b,
        _payout => Api::B2c,
    }
}

/// A request to Daraja (spec/daraja.md §1). `app` is the consumer key that its token is for.
pub(in crate::sim) fn by_daraja(
    api: Api,
    authorization: Option<&str>,
    body: &[u8],
    app: &str,
) -> Traffic {
    let fields = Fields(serde_json::from_slice(body).unwrap_or_default());
    let key = if api == Api::OAuth { authorization.and_then(consumer_key) } else { None };
    let mut apps = vec![key.unwrap_or_else(|| app.to_owned())];
    let known = ["Initiator", "InitiatorName", "BusinessShortCode", "PartyA", "ShortCode"];
    apps.extend(known.into_iter().filter_map(|name| fields.text(name)));
    let about = ["CheckoutRequestID", "OriginalConversationID", "TransactionID"];
    let is_question = matches!(api, Api::Status | Api::StkQuery);
    let about = about.into_iter().chain(["OriginatorConversationID"]);
    Traffic {
        api: Some(api),
        name: fields.name(api),
        about: about.filter(|_| is_question).find_map(|name| fields.text(name)),
        phone: fields.phone(api),
        amount: fields.text("Amount").and_then(|text| text.parse().ok()),
        command: fields.text("CommandID").or_else(|| fields.text("TransactionType")),
        apps,
        ..Traffic::over(Interface::Daraja)
    }
}

fn consumer_key(authorization: &str) -> Option<String> {
    let encoded = authorization.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    text.split_once(':').map(|(key, _secret)| key.to_owned())
}

struct Fields(Value);

impl Fields {
    fn text(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// What its faults are drawn by: of a question, the one that it asks about does not do.
    fn name(&self, api: Api) -> Option<String> {
        let own = || self.text("OriginatorConversationID").filter(|_| api == Api::B2c);
        let address = || {
            let url = self.text("CallBackURL").or_else(|| self.text("ResultURL"))?;
            Target::parse(&url).ok().map(|target| target.path().to_owned())
        };
        let asked = || self.text("CheckoutRequestID").map(|checkout| format!("stk:{checkout}"));
        own().or_else(address).or_else(asked)
    }

    fn phone(&self, api: Api) -> Option<Msisdn> {
        let name = match api {
            Api::B2c => "PartyB",
            Api::Stk => "PhoneNumber",
            Api::C2bSimulate => "Msisdn",
            Api::OAuth
            | Api::StkQuery
            | Api::C2bRegister
            | Api::B2b
            | Api::Tax
            | Api::Status
            | Api::Balance
            | Api::Reversal
            | Api::Qr
            | Api::PullRegister
            | Api::Pull
            | Api::C2b
            | Api::Sms => return None,
        };
        self.text(name)?.parse().ok()
    }
}

/// A customer's payment, which is told over `interface`.
pub(in crate::sim) fn of_customer(bill: &Bill, receipt: &str, interface: Interface) -> Traffic {
    let command = match bill.till {
        Till::PayBill => "CustomerPayBillOnline",
        Till::BuyGoods => "CustomerBuyGoodsOnline",
    };
    Traffic {
        api: Some(Api::C2b),
        name: Some(receipt.to_owned()),
        phone: Some(bill.phone),
        amount: Some(bill.amount),
        command: Some(command.to_owned()),
        apps: vec![bill.shortcode.to_string()],
        ..Traffic::over(interface)
    }
}

/// A text message to this number.
pub(in crate::sim) fn of_text(to: Option<Msisdn>, username: &str) -> Traffic {
    Traffic {
        api: Some(Api::Sms),
        phone: to,
        apps: vec![username.to_owned()],
        ..Traffic::over(Interface::Daraja)
    }
}
