//! The `Result` envelope, with everything that is irregular about it (spec/daraja.md §2.3). Pure.

use serde_json::{Value, json};

use super::prompts::PhoneShape;
use crate::domain::money::Amount;
use crate::domain::outcome;
use crate::sim::report::{NO_RECEIPT, Telling, without};

/// Stands around a number that has decimal places until the text is written: amounts are never
/// floating-point numbers here, and the wire has them as JSON numbers.
const MARK: char = '\u{e000}';

/// An amount as a JSON number with two places.
pub(super) fn decimal(amount: Amount) -> Value {
    Value::String(format!("{MARK}{amount}{MARK}"))
}

/// Digits as a JSON number, or as a text.
pub(super) fn number(digits: &str, as_text: bool) -> Value {
    match digits.parse::<u64>() {
        Ok(number) if !as_text => json!(number),
        Ok(_) | Err(_) => json!(digits),
    }
}

/// A result's code: a number where it is one, unless it is to be a text.
pub(super) fn code(code: &str, as_text: bool) -> Value {
    number(code, as_text)
}

/// The digits of a text.
pub(in crate::sim) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A message as it is sent.
pub(super) fn text(value: &Value) -> Vec<u8> {
    let text = value.to_string();
    text.replace(&format!("\"{MARK}"), "").replace(&format!("{MARK}\""), "").into_bytes()
}

/// `{Amount={CurrencyCode=KES, MinimumAmount=<cents>, BasicAmount=<shillings>}}`.
pub(super) fn braced(amount: Amount) -> Value {
    let cents = amount.cents();
    json!(format!("{{Amount={{CurrencyCode=KES, MinimumAmount={cents}, BasicAmount={amount}}}}}"))
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Parameters in another order.
    pub(super) shuffled: bool,
    /// One object where a list should be, and a list where an object should be.
    pub(super) objects: bool,
    /// Codes of the other type.
    pub(super) texts: bool,
    /// Parameters without a value.
    pub(super) bare: bool,
    /// No parameters at all.
    pub(super) none: bool,
    /// How a payout's receiver stands in it.
    pub(super) phone: PhoneShape,
    /// Another id than the one that was given.
    pub(super) wrong_id: bool,
    /// Another amount than the one that moved.
    pub(super) wrong_amount: bool,
}

/// A result.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) id: &'a str,
    pub(super) conversation_id: &'a str,
    pub(super) code: &'a str,
    /// The receipt, or what stands for one.
    pub(super) transaction_id: &'a str,
    /// What there is where the code is 0. The first is the one that is left when there may be
    /// only one.
    pub(super) parameters: Vec<(&'static str, Option<Value>)>,
    /// Under which name the occasion comes back.
    pub(super) occasion: &'static str,
    /// Whether this product writes codes as texts.
    pub(super) texts: bool,
    pub(super) shape: Shape,
}

impl Document<'_> {
    /// As it is sent.
    pub(super) fn render(&self) -> Vec<u8> {
        self.write(self.code, 0, self.code == "0")
    }

    fn write(&self, result: &str, kind: u64, whole: bool) -> Vec<u8> {
        let as_text = self.texts != self.shape.texts;
        let mut conversation_id = self.conversation_id.to_owned();
        if self.shape.wrong_id {
            conversation_id.push('9');
        }
        let mut fields = json!({
            "ResultType": number(&kind.to_string(), as_text),
            "ResultCode": code(result, as_text),
            "ResultDesc": says(result),
            "OriginatorConversationID": self.id,
            "ConversationID": conversation_id,
            "TransactionID": self.transaction_id,
        });
        if let Some(object) = fields.as_object_mut() {
            if whole && !self.parameters.is_empty() && !self.shape.none {
                let parameters = json!({"ResultParameter": self.parameters()});
                object.insert("ResultParameters".to_owned(), parameters);
            }
            let items = json!({"ReferenceItem": self.references()});
            object.insert("ReferenceData".to_owned(), items);
        }
        text(&json!({ "Result": fields }))
    }

    fn parameters(&self) -> Value {
        let pair = |(key, value): &(&'static str, Option<Value>)| match value {
            Some(value) => json!({"Key": key, "Value": value}),
            None => json!({"Key": key}),
        };
        let mut all: Vec<Value> = self.parameters.iter().map(pair).collect();
        if self.shape.bare {
            all.push(json!({"Key": "Occasion"}));
        }
        if self.shape.objects {
            return all.into_iter().next().unwrap_or_default();
        }
        if self.shape.shuffled {
            all.reverse();
        }
        Value::Array(all)
    }

    fn references(&self) -> Value {
        let internal = "http://internal.api.example.test/timeout";
        let first = json!({"Key": "QueueTimeoutURL", "Value": internal});
        if self.shape.objects { json!([first, {"Key": self.occasion}]) } else { first }
    }
}

impl Telling for Document<'_> {
    fn waiting(&self) -> Option<Vec<u8>> {
        Some(self.write("0", 1, false))
    }

    fn other(&self, code: &str) -> Vec<u8> {
        let transaction_id = if code == "0" { NO_RECEIPT } else { self.transaction_id };
        let other = Document {
            id: self.id,
            conversation_id: self.conversation_id,
            code,
            transaction_id,
            parameters: Vec::new(),
            occasion: self.occasion,
            texts: self.texts,
            shape: self.shape,
        };
        other.render()
    }

    fn without_code(&self, good: &[u8]) -> Vec<u8> {
        without(&String::from_utf8_lossy(good), "\"ResultCode\":", ",").into_bytes()
    }
}

/// The words of a code.
fn says(code: &str) -> &'static str {
    match code {
        "0" => "The service request is processed successfully.",
        "25" => "The format of parameter null is invalid.",
        "2001" => "The initiator information is invalid.",
        "8006" => "The security credential is locked.",
        "R000001" => "The transaction has already been reversed.",
        "R000002" => "The OriginalTransactionID is invalid.",
        other => outcome::result(other).says,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(code: &'static str) -> Document<'static> {
        Document {
            id: "pay-1",
            conversation_id: "AG_1",
            code,
            transaction_id: "UJ35BB11YY",
            parameters: vec![
                ("TransactionReceipt", Some(json!("UJ35BB11YY"))),
                ("TransactionAmount", Some(decimal(Amount::from_cents(150_050)))),
                ("TransactionReason", None),
            ],
            occasion: "Occassion",
            texts: false,
            shape: Shape::default(),
        }
    }

    fn written(document: &Document<'_>) -> String {
        String::from_utf8(document.render()).expect("text")
    }

    #[test]
    fn a_result_has_numbers_where_the_wire_has_numbers() {
        let text = written(&document("0"));
        assert!(text.contains(r#""ResultCode":0,"#), "{text}");
        assert!(text.contains(r#"{"Key":"TransactionAmount","Value":1500.50}"#), "{text}");
        assert!(text.contains(r#"{"Key":"TransactionReason"}"#), "{text}");
        let read: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read["Result"]["ReferenceData"]["ReferenceItem"]["Key"], "QueueTimeoutURL");
    }

    #[test]
    fn a_failure_has_no_parameters_and_may_have_letters_in_its_code() {
        let read: Value = serde_json::from_str(&written(&document("R000002"))).expect("JSON");
        assert_eq!(read["Result"]["ResultCode"], "R000002");
        assert_eq!(read["Result"]["ResultParameters"], Value::Null);
    }

    #[test]
    fn each_shape_shows() {
        let shaped = |change: &dyn Fn(&mut Shape)| -> Value {
            let mut document = document("0");
            change(&mut document.shape);
            serde_json::from_slice(&document.render()).expect("JSON")
        };
        let read = shaped(&|shape| shape.texts = true);
        assert_eq!(read["Result"]["ResultCode"], "0");
        let read = shaped(&|shape| shape.objects = true);
        let parameter = &read["Result"]["ResultParameters"]["ResultParameter"];
        assert_eq!(parameter["Key"], "TransactionReceipt");
        assert!(read["Result"]["ReferenceData"]["ReferenceItem"].is_array());
        let read = shaped(&|shape| shape.shuffled = true);
        let parameter = &read["Result"]["ResultParameters"]["ResultParameter"];
        assert_eq!(parameter[2]["Key"], "TransactionReceipt");
        let read = shaped(&|shape| shape.none = true);
        assert_eq!(read["Result"]["ResultParameters"], Value::Null);
        let read = shaped(&|shape| shape.wrong_id = true);
        assert_eq!(read["Result"]["ConversationID"], "AG_19");
    }
}
