//! What is answered at once: QR codes, and what customers paid (spec/daraja.md §1.12, §1.13).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::form::Form;
use super::refusal::Refusal;
use super::result::text;
use super::{Done, good};
use crate::domain::time::Timestamp;
use crate::sim::Sim;
use crate::sim::book::{Moved, Movement, Till};

/// How many rows one page holds.
const PAGE: usize = 100;
/// How far back it is looked.
const BACK: Duration = Duration::from_secs(48 * 60 * 60);
/// The most rows that may be passed over.
const SKIP_MAX: usize = 1_000_000;
/// A picture of one grey point: what it says is not looked at.
const POINT: [u8; 67] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b,
    0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00,
    0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae,
    0x42, 0x60, 0x82,
];

/// `POST /mpesa/qrcode/v1/generate`.
pub(super) fn qr(sim: &Sim, form: &Form) -> Result<Done, Refusal> {
    form.text_of("MerchantName", 1, 100)?;
    form.text_of("RefNo", 1, 100)?;
    form.amount()?;
    form.one_of("TrxCode", &["BG", "WA", "PB", "SM", "SB"])?;
    form.text_of("CPI", 1, 20)?;
    let size: Option<u32> = form.text("Size")?.parse().ok();
    if !size.is_some_and(|size| (1..=2_000).contains(&size)) {
        return Err(Refusal::field("Size"));
    }
    let at = sim.now();
    let id = sim.book().early_conversation_id(at);
    Ok(Done::of(good(&json!({
        "ResponseCode": id,
        "RequestID": sim.daraja.fresh_id(),
        "ResponseDescription": "QR Code Successfully Generated.",
        "QRCode": STANDARD.encode(POINT),
    }))))
}

fn unknown() -> Refusal {
    Refusal::new(400, "400.001", "Bad Request - Invalid ShortCode")
}

/// `POST /pulltransactions/v1/register`.
pub(super) fn pull_register(sim: &Sim, form: &Form) -> Result<Done, Refusal> {
    let shortcode = form.shortcode("ShortCode").map_err(|_field| unknown())?;
    form.one_of("RequestType", &["Pull"])?;
    form.text_of("NominatedNumber", 9, 13)?;
    form.url("CallBackURL")?;
    if !sim.settings().is_ours(&shortcode) {
        return Err(unknown());
    }
    let text = shortcode.to_string();
    let is_new = sim.daraja.pulled().insert(shortcode);
    let (status, says) = if is_new {
        ("1000", "Short Code Registered Successfully")
    } else {
        ("1001", "Short Code already Registered")
    };
    Ok(Done::of(good(&json!({
        "ResponseRefID": sim.daraja.fresh_id(),
        "ResponseStatus": status,
        "ShortCode": text,
        "ResponseDescription": says,
    }))))
}

/// `POST /pulltransactions/v1/query`.
pub(super) fn pull(sim: &Sim, form: &Form) -> Result<Done, Refusal> {
    let shortcode = form.shortcode("ShortCode").map_err(|_field| unknown())?;
    let from = date(form, "StartDate")?;
    let until = date(form, "EndDate")?;
    let skip = form.text("OffSetValue")?.parse::<usize>().ok();
    let skip = skip
        .filter(|skip| *skip <= SKIP_MAX)
        .ok_or_else(|| Refusal::new(400, "400.001", "Bad Request - Invalid OffSetValue"))?;
    if !sim.settings().is_ours(&shortcode) {
        return Err(unknown());
    }
    let now = sim.now();
    let oldest = i64::try_from(BACK.as_millis()).unwrap_or(i64::MAX);
    let from = from.max(Timestamp::from_millis(now.millis().saturating_sub(oldest)));
    let rows = sim.book().deposits(&shortcode, (from, until), (skip, PAGE));
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let (code, says) = if rows.is_empty() { ("1001", "No records") } else { ("1000", "Success") };
    let mut reply = good(&Value::Null);
    reply.message = text(&json!({
        "ResponseRefID": sim.daraja.fresh_id(),
        "ResponseCode": code,
        "ResponseMessage": says,
        "Response": [rows],
    }));
    Ok(Done::of(reply))
}

/// `YYYY-MM-DD HH:mm:ss` in East Africa Time.
fn date(form: &Form, name: &str) -> Result<Timestamp, Refusal> {
    let text = form.text(name).unwrap_or_default();
    let digits = super::result::digits(&text);
    let is_date = text.len() == 19 && digits.len() == 14;
    let parsed = Timestamp::parse_east_africa(&digits).ok().filter(|_| is_date);
    parsed.ok_or_else(|| Refusal::new(400, "400.001", format!("Bad Request - Invalid {name}")))
}

fn row(moved: &Moved) -> Value {
    let (account, kind) = match &moved.movement {
        Movement::Deposit(deposit) => {
            let kind = match deposit.till {
                Till::PayBill => "c2b-pay-bill-debit",
                Till::BuyGoods => "c2b-buy-goods-debit",
            };
            (deposit.account.as_str(), kind)
        }
        Movement::Payout(_) | Movement::Business(_) | Movement::Reversal(_) => ("", ""),
    };
    json!({
        "transactionId": moved.receipt,
        "trxDate": moved.at.rfc3339(),
        "msisdn": moved.phone.map_or(Value::Null, |phone| json!(phone.number())),
        "sender": "MPESA",
        "transactiontype": kind,
        "billreference": account,
        "amount": moved.movement.amount().to_string(),
        "organizationname": "Example Organisation",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Amount;
    use crate::sim::daraja::result::decimal;

    #[test]
    fn the_picture_is_one() {
        assert!(POINT.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(POINT.ends_with(b"IEND\xae\x42\x60\x82"));
        assert_eq!(text(&decimal(Amount::from_shillings(5))), b"5.00");
    }
}
