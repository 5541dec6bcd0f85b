//! What may stand in a field of a body, beyond its type: closed lists of words and forms of texts,
//! for people who read the description and for programs that try what it says.
//!
//! The words are those that are read ([`crate::domain`] holds them), so that the two cannot differ.
//! What only a configuration knows, such as the largest amount, is said in words alone.

use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::daraja::rules;
use crate::domain::inquiry::{BusinessCommand, C2bVersion, PaidTo, QrKind, ResponseType};
use crate::domain::limit::{METADATA_ENTRIES_MAX, METADATA_KEY_LEN_MAX, METADATA_VALUE_LEN_MAX};
use crate::domain::payout::Rail;

/// An Idempotency-Key: visible ASCII characters, with the quotation marks of the IETF draft around
/// them or not. Two quotation marks with nothing between them are none.
pub(super) const IDEMPOTENCY_KEY: &str =
    r#"^("[!-~]{1,255}"|[!#-~][!-~]{0,254}|"[!-~]{0,253}[!#-~]|")$"#;
/// A Kenyan mobile number; [`crate::domain::party::Msisdn`] reads more blanks, too.
pub(super) const PHONE: &str = r"^(\+?254|0)?[ -]?[17]([ -]?[0-9]){8}$";
/// A receipt, as M-Pesa writes it; where people look for one, it may be longer.
const RECEIPT: &str = r"^\s*[0-9A-Z]{10}\s*$";
const RECEIPT_OR_NONE: &str = r"^\s*([0-9A-Z]{10})?\s*$";
const RULED_RECEIPT: &str = r"^\s*[0-9A-Z]{1,64}\s*$";
const SHORTCODE: &str = r"^\s*[0-9]{5,7}\s*$";
const SHORTCODE_OR_NONE: &str = r"^\s*([0-9]{5,7})?\s*$";
const PRN: &str = r"^\s*[0-9A-Za-z]{1,20}\s*$";
/// One line without control characters; the second is not blanks alone.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
const FILLED_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// An id that begins with one of these, as [`crate::domain::id`] writes it.
pub(super) fn id(prefixes: &[&str]) -> String {
    format!("^({})[0-7][0-9a-hjkmnp-tv-z]{{25}}$", prefixes.join("|"))
}

/// Lines of text.
const LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

/// What stands in a field.
enum Form {
    /// One of these.
    Words(Vec<&'static str>),
    /// A text of this pattern.
    Text(&'static str),
    /// Letters, digits, blanks, points and hyphens, at most so many; and whether it may be empty.
    /// Blanks around it do not count, so that its length is part of its pattern.
    Plain(usize, Empty),
    /// Texts by names of the caller's choice.
    Notes,
}

/// Whether a text may be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    May,
    MayNot,
}

/// Says of the schema of a body that it has no further fields, and what each of its fields holds.
pub(super) fn sharpen(body: &str, schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else {
        return;
    };
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    for (field, schema) in &mut object.properties {
        if let (Some(form), RefOr::T(Schema::Object(field))) = (form(body, field), schema) {
            put(form, field);
        }
    }
}

fn put(form: Form, field: &mut Object) {
    match form {
        Form::Words(words) => {
            let mut words: Vec<Value> = words.into_iter().map(Value::from).collect();
            if may_be_null(&field.schema_type) {
                words.push(Value::Null);
            }
            field.enum_values = Some(words);
        }
        Form::Text(pattern) => field.pattern = Some(pattern.to_owned()),
        Form::Plain(most, empty) => {
            field.pattern = Some(plain(most, empty));
            (field.min_length, field.max_length) = (None, None);
        }
        Form::Notes => put_notes(field),
    }
}

fn put_notes(field: &mut Object) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let name = text().min_length(Some(1)).max_length(Some(METADATA_KEY_LEN_MAX));
    let name = name.pattern(Some(LINE)).build();
    let value = text().max_length(Some(METADATA_VALUE_LEN_MAX)).pattern(Some(LINES));
    field.max_properties = Some(METADATA_ENTRIES_MAX);
    field.property_names = Some(Box::new(name.into()));
    field.additional_properties = Some(Box::new(AdditionalProperties::RefOr(value.into())));
}

fn plain(most: usize, empty: Empty) -> String {
    let between = most.saturating_sub(2);
    let may = if empty == Empty::May { "?" } else { "" };
    format!(r"^\s*([0-9A-Za-z.-]([0-9A-Za-z .-]{{0,{between}}}[0-9A-Za-z.-])?){may}\s*$")
}

fn may_be_null(kind: &SchemaType) -> bool {
    matches!(kind, SchemaType::Array(kinds) if kinds.contains(&Type::Null))
}

/// The form of a field: by its name, which means the same in every body, or nearly.
fn form(body: &str, field: &str) -> Option<Form> {
    Some(match (body, field) {
        (_, "rail") => Form::Words(Rail::ALL.map(Rail::as_str).into()),
        (_, "version") => Form::Words(C2bVersion::ALL.map(C2bVersion::as_str).into()),
        (_, "response_type") => Form::Words(ResponseType::ALL.map(ResponseType::as_str).into()),
        (_, "outcome") => Form::Words(vec!["paid", "not_paid"]),
        (_, "times") => Form::Words(vec!["once", "many"]),
        ("NewQrCode", "kind") => Form::Words(QrKind::ALL.map(QrKind::as_str).into()),
        ("NewSimulation", "command") => {
            Form::Words([PaidTo::PayBill, PaidTo::Till].map(PaidTo::command).into())
        }
        ("NewBusinessPayment", "command") => {
            Form::Words(BusinessCommand::ALL.map(BusinessCommand::as_str).into())
        }
        ("NewPayout", "metadata") => Form::Notes,
        (_, "phone" | "nominated_number" | "requester") => Form::Text(PHONE),
        (_, "to") => Form::Text(SHORTCODE),
        (_, "shortcode") => Form::Text(SHORTCODE_OR_NONE),
        ("NewReversal", "receipt") => Form::Text(RECEIPT),
        ("NewStatusInquiry", "receipt") => Form::Text(RECEIPT_OR_NONE),
        ("NewResolution", "receipt") => Form::Text(RULED_RECEIPT),
        (_, "prn") => Form::Text(PRN),
        ("NewPush" | "NewQrCode", "reference") => {
            Form::Plain(rules::REFERENCE_LEN_MAX, Empty::MayNot)
        }
        ("NewExpectedReference", "reference") => {
            Form::Plain(rules::BILL_REF_LEN_MAX, Empty::MayNot)
        }
        ("NewPush", "description") => Form::Plain(rules::DESC_LEN_MAX, Empty::May),
        ("NewSimulation", "account") => Form::Plain(rules::BILL_REF_LEN_MAX, Empty::May),
        ("NewBusinessPayment", "account") => Form::Plain(rules::B2B_ACCOUNT_LEN_MAX, Empty::May),
        ("NewPayout", "reference" | "remarks") | (_, "occasion" | "merchant_name") => {
            Form::Text(LINE)
        }
        (_, "remarks" | "reason" | "ruling" | "evidence" | "purpose") => Form::Text(FILLED_LINE),
        _ => return None,
    })
}
