//! Where notices about customers' payments go, and payments made by request
//! (spec/daraja.md §1.4, §1.5).

use std::sync::Arc;

use serde_json::json;

use super::faults::Fault;
use super::form::Form;
use super::refusal::Refusal;
use super::{Done, good};
use crate::sim::Sim;
use crate::sim::book::Till;
use crate::sim::customer::{self, Bill, Otherwise, Urls, Version};

/// The longest account that a customer may type (spec/daraja.md §1.5).
const ACCOUNT_MAX: usize = 20;

/// `POST /mpesa/c2b/v1/registerurl` and `/v2/`. Registering again puts new addresses in the place
/// of the old ones, as in the sandbox.
pub(super) fn register(
    sim: &Sim,
    form: &Form,
    version: u8,
    faults: &[Fault],
) -> Result<Done, Refusal> {
    let shortcode = form.shortcode("ShortCode")?;
    let otherwise = form.one_of("ResponseType", &["Completed", "Cancelled"])?;
    let confirmation = form.url("ConfirmationURL")?;
    let validation = form.url("ValidationURL")?;
    if !sim.settings().is_ours(&shortcode) {
        return Err(Refusal::field("ShortCode"));
    }
    if faults.contains(&Fault::AlreadyRegistered) {
        return Err(Refusal::new(500, "500.003.1001", "Urls are already registered."));
    }
    if faults.contains(&Fault::DuplicateNotification) {
        let says = "Duplicate notification info, SP ID is 100001, correlator is 1001000011";
        return Err(Refusal::new(500, "500.003.1001", says));
    }
    let urls = Urls {
        validation: Some(validation),
        confirmation,
        otherwise: if otherwise == "Completed" {
            Otherwise::Completed
        } else {
            Otherwise::Cancelled
        },
        version: if version == 1 { Version::V1 } else { Version::V2 },
    };
    sim.urls().insert(shortcode, urls);
    let id = sim.daraja.fresh_id();
    let says = if version == 1 { "success" } else { "Success" };
    // The wire has the first spelling. A published client reads the second.
    Ok(Done::of(good(&json!({
        "OriginatorCoversationID": id,
        "OriginatorConverstionID": id,
        "ConversationID": "",
        "ResponseCode": "0",
        "ResponseDescription": says,
    }))))
}

/// `POST /mpesa/c2b/v1/simulate` and `/v2/`: a customer pays.
pub(super) fn simulate(sim: &Arc<Sim>, form: &Form) -> Result<Done, Refusal> {
    let shortcode = form.shortcode("ShortCode")?;
    let commands = ["CustomerPayBillOnline", "CustomerBuyGoodsOnline"];
    let command = form.one_of("CommandID", &commands)?;
    let amount = form.amount()?;
    let phone = form.phone("Msisdn")?;
    let account = form.optional("BillRefNumber", ACCOUNT_MAX)?;
    let till = if command == "CustomerPayBillOnline" { Till::PayBill } else { Till::BuyGoods };
    if till == Till::PayBill && account.is_none() {
        return Err(Refusal::field("BillRefNumber"));
    }
    if !sim.settings().is_ours(&shortcode) {
        return Err(Refusal::field("ShortCode"));
    }
    let account = if till == Till::PayBill { account.unwrap_or_default() } else { String::new() };
    let bill = Bill { shortcode, phone, amount, account, till, names: Vec::new(), form: None };
    let later = Arc::clone(sim);
    sim.outbox.run(async move {
        drop(customer::pays(&later, bill).await);
    });
    let id = sim.daraja.fresh_id();
    // The wire has the first spelling. A published client reads the second.
    Ok(Done::of(good(&json!({
        "OriginatorCoversationID": id,
        "OriginatorConversationID": id,
        "ConversationID": "",
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }))))
}
