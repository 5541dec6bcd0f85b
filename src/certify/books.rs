//! The customer's books: what his system thinks became of each payment, as CSV or JSON.
//!
//! CSV begins with a line that names its columns, in any order: `reference` and `status`, and if
//! there are, `amount`, `receipt` and `phone`. Others are passed over. JSON is a list of objects
//! with the same names, or an object that holds it as `data`.

use std::fmt;

use serde_json::Value;

use crate::domain::money::Amount;
use crate::domain::party::Msisdn;

/// The largest books that are read.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most rows.
pub const ROWS_MAX: usize = 100_000;
/// How many faults are told at once; of more, only their number.
const FAULTS_TOLD_MAX: usize = 20;
/// How much of what was found is repeated.
const FOUND_MAX: usize = 40;

/// What the books say of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Paid, for good.
    Paid,
    /// Not paid, for good.
    NotPaid,
    /// Open.
    Pending,
}

/// Every word that a status may be written as, in small letters with `_` between words.
const WORDS: [(&str, Status); 30] = [
    ("paid", Status::Paid),
    ("success", Status::Paid),
    ("successful", Status::Paid),
    ("succeeded", Status::Paid),
    ("complete", Status::Paid),
    ("completed", Status::Paid),
    ("settled", Status::Paid),
    ("not_paid", Status::NotPaid),
    ("unpaid", Status::NotPaid),
    ("fail", Status::NotPaid),
    ("failed", Status::NotPaid),
    ("failure", Status::NotPaid),
    ("error", Status::NotPaid),
    ("refused", Status::NotPaid),
    ("rejected", Status::NotPaid),
    ("declined", Status::NotPaid),
    ("cancelled", Status::NotPaid),
    ("canceled", Status::NotPaid),
    ("expired", Status::NotPaid),
    ("pending", Status::Pending),
    ("open", Status::Pending),
    ("unknown", Status::Pending),
    ("in_doubt", Status::Pending),
    ("in_progress", Status::Pending),
    ("processing", Status::Pending),
    ("queued", Status::Pending),
    ("sending", Status::Pending),
    ("sent", Status::Pending),
    ("accepted", Status::Pending),
    ("awaiting_approval", Status::Pending),
];

impl Status {
    /// As reports name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::NotPaid => "not_paid",
            Self::Pending => "pending",
        }
    }

    /// In a sentence.
    pub const fn says(self) -> &'static str {
        match self {
            Self::NotPaid => "not paid",
            Self::Paid | Self::Pending => self.as_str(),
        }
    }

    /// From one of the words that it is written as, in large or small letters, with blanks or
    /// dashes.
    pub fn read(text: &str) -> Option<Self> {
        let plain = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        WORDS.iter().find(|(word, _)| *word == plain).map(|(_, status)| *status)
    }
}

/// A row of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The payment.
    pub reference: String,
    /// What they say became of it.
    pub status: Status,
    /// How much, if they say that.
    pub amount: Option<Amount>,
    /// M-Pesa's receipt, if they say that.
    pub receipt: Option<String>,
    /// To whom, if they say that.
    pub phone: Option<Msisdn>,
}

/// Why books cannot be read: everything that is wrong, each with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unreadable(Vec<String>);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.iter().take(FAULTS_TOLD_MAX);
        f.write_str(&told.map(String::as_str).collect::<Vec<_>>().join("\n"))?;
        match self.0.len().checked_sub(FAULTS_TOLD_MAX) {
            Some(more) if more > 0 => write!(f, "\nand {more} more"),
            Some(_) | None => Ok(()),
        }
    }
}

/// A row as it is written, each field where it was given.
#[derive(Debug, Default)]
struct Fields {
    reference: Option<String>,
    status: Option<String>,
    amount: Option<String>,
    receipt: Option<String>,
    phone: Option<String>,
}

impl Fields {
    fn set(&mut self, name: &str, value: &str) {
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match name {
            "reference" => self.reference = value,
            "status" => self.status = value,
            "amount" => self.amount = value,
            "receipt" => self.receipt = value,
            "phone" => self.phone = value,
            _ => {}
        }
    }
}

/// Reads books; `name` is what they are called in errors.
///
/// # Errors
/// Everything that is wrong, with line or entry and field; what was found and what was expected.
pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    let one = |what: String| Unreadable(vec![what]);
    if bytes.len() > BYTES_MAX {
        return Err(one(format!("{name}: has more than {BYTES_MAX} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        one(format!("{name}: is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let entries = match text.trim_start().chars().next() {
        None => return Err(one(format!("{name}: is empty; expected were columns and rows"))),
        Some('[' | '{') => json(name, text).map_err(one)?,
        Some(_) => csv(name, text).map_err(one)?,
    };
    if entries.len() > ROWS_MAX {
        return Err(one(format!("{name}: has more than {ROWS_MAX} rows")));
    }
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (place, fields) in entries {
        match row(&fields) {
            Ok(row) => rows.push(row),
            Err(wrong) => faults.extend(wrong.into_iter().map(|what| format!("{place}: {what}"))),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(Unreadable(faults)) }
}

fn row(fields: &Fields) -> Result<Row, Vec<String>> {
    let mut faults = Vec::new();
    let reference = fields.reference.clone().unwrap_or_else(|| {
        faults.push("reference: is missing; expected was the payment's reference".to_owned());
        String::new()
    });
    let status = status(fields.status.as_deref()).unwrap_or_else(|what| {
        faults.push(what);
        Status::Pending
    });
    let amount = optional("amount", fields.amount.as_deref(), &mut faults);
    let phone = optional("phone", fields.phone.as_deref(), &mut faults);
    let receipt = fields.receipt.clone();
    if faults.is_empty() {
        Ok(Row { reference, status, amount, receipt, phone })
    } else {
        Err(faults)
    }
}

fn status(text: Option<&str>) -> Result<Status, String> {
    const WANTED: &str = "expected was paid, not_paid or pending";
    let text = text.ok_or_else(|| format!("status: is missing; {WANTED}"))?;
    Status::read(text).ok_or_else(|| format!("status: found was \"{}\"; {WANTED}", cut(text)))
}

fn optional<T: std::str::FromStr<Err: fmt::Display>>(
    name: &str,
    text: Option<&str>,
    faults: &mut Vec<String>,
) -> Option<T> {
    match text?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let found = if name == "phone" { "a number" } else { text.unwrap_or_default() };
            faults.push(format!("{name}: found was \"{}\"; it {error}", cut(found)));
            None
        }
    }
}

fn cut(text: &str) -> String {
    let short: String = text.chars().take(FOUND_MAX).filter(|c| !c.is_control()).collect();
    if text.chars().nth(FOUND_MAX).is_some() { format!("{short}…") } else { short }
}

type Entries = Vec<(String, Fields)>;

fn csv(name: &str, text: &str) -> Result<Entries, String> {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
    let columns: Vec<String> = head.iter().map(str::to_ascii_lowercase).collect();
    for needed in ["reference", "status"] {
        if !columns.iter().any(|column| column == needed) {
            let found = cut(&columns.join(","));
            return Err(format!(
                "{name}:1: there is no column \"{needed}\"; found were {found}; expected are \
                 reference,status and if there are amount,receipt,phone"
            ));
        }
    }
    let mut entries = Vec::new();
    for record in reader.records().take(ROWS_MAX.saturating_add(1)) {
        let record = record.map_err(|error| format!("{name}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() > columns.len() {
            let (has, most) = (record.len(), columns.len());
            return Err(format!("{name}:{line}: has {has} fields, and there are {most} columns"));
        }
        let mut fields = Fields::default();
        for (column, value) in columns.iter().zip(record.iter()) {
            fields.set(column, value);
        }
        entries.push((format!("{name}:{line}"), fields));
    }
    Ok(entries)
}

fn json(name: &str, text: &str) -> Result<Entries, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!("{name}:{}: is no JSON at column {}: {error}", error.line(), error.column())
    })?;
    let list = value.as_array().or_else(|| value.get("data").and_then(Value::as_array));
    let Some(list) = list else {
        return Err(format!(
            "{name}: expected was a list of payments, or an object with a list as \"data\""
        ));
    };
    let entry = |(nth, value): (usize, &Value)| {
        let place = format!("{name}: entry {}", nth.saturating_add(1));
        let Some(object) = value.as_object() else {
            return Err(format!("{place}: expected was an object"));
        };
        let mut fields = Fields::default();
        for (key, value) in object {
            let text = scalar(value).ok_or_else(|| {
                format!("{place}: {}: expected was a text or a whole number", cut(key))
            });
            // Of a field that is none of ours it does not matter what it is.
            match text {
                Ok(text) => fields.set(&key.to_ascii_lowercase(), &text),
                Err(wrong) if is_ours(key) => return Err(wrong),
                Err(_) => {}
            }
        }
        Ok((place, fields))
    };
    list.iter().take(ROWS_MAX.saturating_add(1)).enumerate().map(entry).collect()
}

fn is_ours(key: &str) -> bool {
    let known = ["reference", "status", "amount", "receipt", "phone"];
    known.iter().any(|name| name.eq_ignore_ascii_case(key))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|whole| whole.to_string()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(reference: &str, status: Status) -> Row {
        Row { reference: reference.to_owned(), status, amount: None, receipt: None, phone: None }
    }

    #[test]
    fn the_same_books_are_read_from_csv_and_json() {
        let full = Row {
            amount: Some(Amount::from_shillings(101)),
            receipt: Some("UJ30000001".to_owned()),
            phone: "254709001001".parse().ok(),
            ..row("A-1", Status::Paid)
        };
        let expected = Ok(vec![full, row("A-2", Status::NotPaid), row("A-3", Status::Pending)]);
        let table = [
            "reference,status,amount,receipt,phone\nA-1,paid,101,UJ30000001,0709001001\n\
             A-2,Failed,,,\nA-3,in doubt\n",
            "\u{feff}Status, Reference ,note,Receipt,Phone,Amount\r\n\
             PAID,A-1,x,UJ30000001,254709001001,101.00\r\nnot paid,A-2,,,,\r\nopen,A-3,,,,\r\n",
            r#"[{"reference":"A-1","status":"paid","amount":101,"receipt":"UJ30000001",
                 "phone":"0709 001 001"},
                {"reference":"A-2","status":"failed","receipt":null,"metadata":{"x":[1]}},
                {"reference":"A-3","status":"unknown"}]"#,
            r#"{"data":[{"reference":"A-1","status":"succeeded","amount":"101.00",
                 "receipt":"UJ30000001","phone":"254709001001"},
                {"reference":"A-2","status":"cancelled"},{"reference":"A-3","status":"queued"}]}"#,
        ];
        for text in table {
            assert_eq!(read("books", text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_all_at_once() {
        let table = [
            ("", "books: is empty; expected were columns and rows"),
            (" \n ", "books: is empty; expected were columns and rows"),
            (
                "id,state\n1,paid\n",
                "books:1: there is no column \"reference\"; found were id,state; expected are \
                 reference,status and if there are amount,receipt,phone",
            ),
            (
                "reference,status,amount\n,paid,\nA-2,maybe,1\nA-3,,1.234\n",
                "books:2: reference: is missing; expected was the payment's reference\n\
                 books:3: status: found was \"maybe\"; expected was paid, not_paid or pending\n\
                 books:4: status: is missing; expected was paid, not_paid or pending\n\
                 books:4: amount: found was \"1.234\"; it has more than two decimal places; a \
                 shilling has 100 cents",
            ),
            ("reference,status\nA-1,paid,7\n", "books:2: has 3 fields, and there are 2 columns"),
            ("[1]", "books: entry 1: expected was an object"),
            (
                "{\"books\":[]}",
                "books: expected was a list of payments, or an object with a list as \"data\"",
            ),
            (
                "[{\"reference\":\"A-1\",\"status\":\"paid\",\"amount\":1.5}]",
                "books: entry 1: amount: expected was a text or a whole number",
            ),
            (
                "reference,status,phone\nA-1,paid,12345\n",
                "books:2: phone: found was \"a number\"; it must be a Kenyan mobile number, such \
                 as 0722 000 111, 0110 000 111 or 254722000111",
            ),
        ];
        for (text, expected) in table {
            let says = read("books", text.as_bytes()).expect_err(text).to_string();
            assert_eq!(says, expected, "{text}");
        }
        let says = read("books", b"[{\"reference\":").expect_err("cut").to_string();
        assert!(says.starts_with("books:1: is no JSON at column "), "{says}");
        let says = read("books", b"reference,status\n\xff,paid\n").expect_err("bytes").to_string();
        assert_eq!(says, "books: is not UTF-8 from byte 17 on");
        let many = "reference,status\n".to_owned() + &"A,maybe\n".repeat(23);
        let says = read("books", many.as_bytes()).expect_err("many").to_string();
        assert_eq!(says.lines().count(), 21);
        assert!(says.ends_with("and 3 more"), "{says}");
    }

    #[test]
    fn books_too_long_are_refused_and_not_read_halfway() {
        let rows = "reference,status\n".to_owned() + &"A,paid\n".repeat(ROWS_MAX + 1);
        let says = read("books", rows.as_bytes()).expect_err("rows").to_string();
        assert_eq!(says, "books: has more than 100000 rows");
        let says = read("books", &vec![b' '; BYTES_MAX + 1]).expect_err("bytes").to_string();
        assert_eq!(says, "books: has more than 16777216 bytes");
    }
}
