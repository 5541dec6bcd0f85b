//! What a text message says: a template of the configuration, with what is known filled in.

use std::str::FromStr;

use crate::domain::money::Amount;
use crate::domain::party::PersonName;
use crate::domain::time::Timestamp;

/// The longest message, in characters: what three text messages hold.
pub const BODY_LEN_MAX: usize = 480;
/// What somebody is called whose name is not known.
const NO_NAME: &str = "Customer";

/// A template: words, and what is filled in between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Value(Placeholder),
}

/// What a template may name in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The first of the names, or `Customer`.
    FirstName,
    /// All the names, or `Customer`.
    Name,
    /// `KES 1,500.00`.
    Amount,
    /// The account; where there is none, the short code.
    Account,
    /// The receipt; nothing while it is not known.
    Receipt,
    /// Our number.
    ShortCode,
    /// The day in East Africa, `2026-10-03`.
    Date,
    /// The time of day in East Africa, `14:15`.
    Time,
}

impl Placeholder {
    /// Every placeholder.
    pub const ALL: [Self; 8] = [
        Self::FirstName,
        Self::Name,
        Self::Amount,
        Self::Account,
        Self::Receipt,
        Self::ShortCode,
        Self::Date,
        Self::Time,
    ];

    /// Its name between the braces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::Name => "name",
            Self::Amount => "amount",
            Self::Account => "account",
            Self::Receipt => "receipt",
            Self::ShortCode => "shortcode",
            Self::Date => "date",
            Self::Time => "time",
        }
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATemplate {
    /// It says nothing.
    #[error("must not be empty")]
    Empty,
    /// Longer than a message, with nothing filled in.
    #[error("must be at most {BODY_LEN_MAX} characters: three text messages")]
    TooLong,
    /// A brace that nothing closes.
    #[error("has a \"{{\" that no \"}}\" closes")]
    Unclosed,
    /// A name that stands for nothing.
    #[error("names {{{0}}}, which is not known; known are {known}", known = known())]
    Unknown(String),
}

fn known() -> String {
    Placeholder::ALL.map(|known| format!("{{{}}}", known.as_str())).join(", ")
}

impl FromStr for Template {
    type Err = NotATemplate;

    fn from_str(text: &str) -> Result<Self, NotATemplate> {
        if text.trim().is_empty() {
            return Err(NotATemplate::Empty);
        }
        if text.chars().count() > BODY_LEN_MAX {
            return Err(NotATemplate::TooLong);
        }
        let mut parts = vec![];
        let mut rest = text.trim();
        while let Some((words, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or(NotATemplate::Unclosed)?;
            let value = Placeholder::ALL.into_iter().find(|known| known.as_str() == name.trim());
            let value =
                value.ok_or_else(|| NotATemplate::Unknown(name.chars().take(40).collect()))?;
            parts.push(Part::Words(words.to_owned()));
            parts.push(Part::Value(value));
            rest = after;
        }
        parts.push(Part::Words(rest.to_owned()));
        Ok(Self(parts))
    }
}

/// What is known of a payment or a payout when its message is made.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// Who gets the message.
    pub name: Option<&'a PersonName>,
    /// How much.
    pub amount: Amount,
    /// What for; may be empty.
    pub account: &'a str,
    /// The receipt, where it is known.
    pub receipt: Option<&'a str>,
    /// Our number.
    pub shortcode: &'a str,
    /// When it was paid.
    pub at: Timestamp,
}

impl Template {
    /// The message: what is not known is left out or said otherwise, blanks that this leaves are
    /// closed, and what is longer than three text messages is cut.
    pub fn render(&self, values: &Values<'_>) -> String {
        let whole: String = self.0.iter().map(|part| part.text(values)).collect();
        let mut body = String::with_capacity(whole.len());
        for c in whole.trim().chars().filter(|c| *c == '\n' || !c.is_control()) {
            let doubles = c == ' ' && body.ends_with([' ', '\n']);
            if !doubles {
                body.push(c);
            }
        }
        body.chars().take(BODY_LEN_MAX).collect()
    }
}

impl Part {
    fn text(&self, values: &Values<'_>) -> String {
        match self {
            Self::Words(words) => words.clone(),
            // What was typed or told elsewhere starts no line of its own.
            Self::Value(placeholder) => placeholder.text(values).replace(['\n', '\r', '\t'], " "),
        }
    }
}

impl Placeholder {
    fn text(self, values: &Values<'_>) -> String {
        let name = values.name.map(PersonName::reveal);
        let (date, time) = day_and_time(values.at);
        match self {
            Self::FirstName => {
                let first = name.and_then(|name| name.split_whitespace().next());
                first.map_or_else(|| NO_NAME.to_owned(), in_small_letters)
            }
            Self::Name => name.unwrap_or(NO_NAME).to_owned(),
            Self::Amount => format!("KES {}", with_commas(values.amount)),
            Self::Account if values.account.trim().is_empty() => values.shortcode.to_owned(),
            Self::Account => values.account.trim().to_owned(),
            Self::Receipt => values.receipt.unwrap_or_default().to_owned(),
            Self::ShortCode => values.shortcode.to_owned(),
            Self::Date => date,
            Self::Time => time,
        }
    }
}

/// `AMINA`, as M-Pesa shouts, as `Amina`; what is written otherwise stays as it is.
fn in_small_letters(name: &str) -> String {
    if !name.chars().all(|c| c.is_ascii_uppercase()) {
        return name.to_owned();
    }
    let first: String = name.chars().take(1).collect();
    let rest: String = name.chars().skip(1).collect();
    format!("{first}{}", rest.to_ascii_lowercase())
}

/// `2026-10-03` and `14:15` in East Africa.
fn day_and_time(at: Timestamp) -> (String, String) {
    let screen = at.east_africa_screen();
    let (date, time) = screen.split_once(' ').unwrap_or((&screen, ""));
    (date.to_owned(), time.chars().take(5).collect())
}

/// `1,500.00`.
fn with_commas(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, places) = text.split_once('.').unwrap_or((&text, "00"));
    let digits = whole.chars().count();
    let mut grouped = String::with_capacity(whole.len().saturating_mul(2));
    for (place, digit) in whole.chars().enumerate() {
        let behind = digits.saturating_sub(place);
        if place > 0 && behind.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{places}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    fn values(name: Option<&PersonName>) -> Values<'_> {
        Values {
            name,
            amount: Amount::from_shillings(1_500),
            account: "INV-77",
            receipt: Some("UJ34AA00ZZ"),
            shortcode: "600111",
            at: AT,
        }
    }

    fn render(template: &str, values: &Values<'_>) -> String {
        template.parse::<Template>().expect(template).render(values)
    }

    #[test]
    fn what_is_known_is_filled_in() {
        let name = PersonName::new("AMINA Otieno");
        let table = [
            ("Hello {first_name}", "Hello Amina"),
            ("Dear {name}", "Dear AMINA Otieno"),
            ("{amount} for {account}. {receipt}", "KES 1,500.00 for INV-77. UJ34AA00ZZ"),
            ("to {shortcode} on {date} at {time}", "to 600111 on 2024-01-02 at 06:04"),
            ("{ amount }", "KES 1,500.00"),
            ("No placeholders } at all", "No placeholders } at all"),
        ];
        for (template, expected) in table {
            assert_eq!(render(template, &values(name.as_ref())), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_otherwise() {
        let bare = Values { receipt: None, account: " ", ..values(None) };
        let table = [
            ("Hello {first_name}, {name}", "Hello Customer, Customer"),
            ("for {account}", "for 600111"),
            ("Receipt {receipt} of {date}", "Receipt of 2024-01-02"),
            ("Paid. {receipt}", "Paid."),
        ];
        for (template, expected) in table {
            assert_eq!(render(template, &bare), expected, "{template}");
        }
    }

    #[test]
    fn amounts_are_grouped_by_thousands() {
        let table = [
            (5, "0.05"),
            (99_900, "999.00"),
            (100_000, "1,000.00"),
            (25_000_000, "250,000.00"),
            (123_456_789_012, "1,234,567,890.12"),
        ];
        for (cents, expected) in table {
            assert_eq!(with_commas(Amount::from_cents(cents)), expected);
        }
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused_with_what_is_known() {
        let refused = |text: &str| text.parse::<Template>().expect_err(text).to_string();
        let says = refused("Hello {firstname}");
        assert!(says.contains("{firstname}") && says.contains("{first_name}, {name}"), "{says}");
        assert_eq!("Hello {name".parse::<Template>(), Err(NotATemplate::Unclosed));
        assert_eq!(" ".parse::<Template>(), Err(NotATemplate::Empty));
        assert_eq!("x".repeat(481).parse::<Template>(), Err(NotATemplate::TooLong));
        assert!("x".repeat(480).parse::<Template>().is_ok());
    }

    #[test]
    fn what_a_payer_typed_makes_no_lines_and_no_length() {
        let typed = format!("A\nB\u{7}{}", "x".repeat(1_000));
        let long = Values { account: &typed, ..values(None) };
        let body = render("Thanks for {account} {account}", &long);
        assert!(body.starts_with("Thanks for A Bxx"), "{body}");
        assert_eq!(body.chars().count(), BODY_LEN_MAX);
        assert!(!body.contains('\n'));
    }
}
