//! What may stand in a request, checked before anything is sent (spec/daraja.md §1.2–§1.13, §6,
//! §7): what M-Pesa would refuse later, or fail at in silence.

use crate::domain::limit::{AmountLimits, OutOfLimits};
use crate::domain::money::Amount;
use crate::domain::party::ShortCode;
use crate::domain::payout::Command;
use crate::domain::told;

/// The longest `AccountReference` of a prompt, in characters: a longer one makes the prompt's text
/// too long, and the prompt fails later (spec/daraja.md §1.2).
pub const REFERENCE_LEN_MAX: usize = 12;
/// The longest `TransactionDesc`, in characters.
pub const DESC_LEN_MAX: usize = 13;
/// The longest `BillRefNumber`, in characters.
pub const BILL_REF_LEN_MAX: usize = 20;
/// The longest `AccountReference` of a payment to a business, in characters.
pub const B2B_ACCOUNT_LEN_MAX: usize = 13;
/// The shortest `Remarks`, in characters.
pub const REMARKS_LEN_MIN: usize = 2;
/// The longest `Remarks`, in characters.
pub const REMARKS_LEN_MAX: usize = 100;
/// The longest `Occasion`, in characters.
pub const OCCASION_LEN_MAX: usize = 100;
/// The longest payment registration number that is taken, in characters; no source bounds it.
pub const PRN_LEN_MAX: usize = 20;
/// The longest name of a merchant on a QR code that is taken, in characters; no source bounds it.
pub const MERCHANT_LEN_MAX: usize = 100;
/// The longest callback address that is taken, in bytes; no source bounds it.
pub const URL_LEN_MAX: usize = 512;
/// Letters of a receipt (spec/daraja.md §9).
pub const RECEIPT_LEN: usize = 10;
/// How wide a QR code may be, in pixels: a smaller one cannot be read.
const QR_SIZES: std::ops::RangeInclusive<u16> = 100..=1_000;
/// Words that no callback address may contain, in any case and also inside another word
/// (spec/daraja.md §7). `exec` is in `exe` already.
pub const FORBIDDEN_IN_URLS: [&str; 8] =
    ["m-pesa", "mpesa", "safaricom", "exec", "exe", "cmd", "sql", "query"];

/// Limits of amounts. They have changed before, so they are settings (spec/daraja.md §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of prompts and customers' payments: 1 to 250,000 shillings.
    pub payments: AmountLimits,
    /// Of payouts: 10 to 250,000 shillings.
    pub payouts: AmountLimits,
    /// Of payments to businesses and of taxes. No source names any but that they are whole.
    pub business: AmountLimits,
}

impl Default for Limits {
    fn default() -> Self {
        let one = Amount::from_shillings(1);
        Self {
            payments: AmountLimits { least: one, most: Amount::from_shillings(250_000) },
            payouts: AmountLimits::default(),
            business: AmountLimits { least: one, most: Amount::from_shillings(50_000_000) },
        }
    }
}

/// Against what M-Pesa a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The sandbox, or the simulator: callbacks may go without TLS.
    Sandbox,
    /// Production: callbacks go to `https` only.
    Production,
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, as the API or the configuration calls it.
    pub field: &'static str,
    /// Which rule.
    pub broken: Broken,
}

/// A rule that is broken. Each says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The amount is out of its limits, or has cents.
    #[error(transparent)]
    Amount(#[from] OutOfLimits),
    /// No short code.
    #[error("must be a short code of five to seven digits")]
    ShortCode,
    /// Nothing is there.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// Too short.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// A character at which requests fail in silence.
    #[error("may contain only letters, digits, blanks, points and hyphens")]
    Characters,
    /// A control character.
    #[error("must not contain control characters")]
    Control,
    /// No receipt.
    #[error("must be an M-Pesa receipt of ten capital letters and digits, such as QK12ABCD34")]
    Receipt,
    /// No payment registration number.
    #[error("must be a payment registration number of the KRA, of letters and digits")]
    Prn,
    /// No name of a request.
    #[error("is no OriginatorConversationID that M-Pesa could have")]
    Name,
    /// A command that the rail has not got.
    #[error(
        "is not paid over Daraja, only BusinessPayment, SalaryPayment and PromotionPayment are"
    )]
    Command,
    /// No address.
    #[error("must be an http or https address without blanks")]
    Url,
    /// An address without TLS.
    #[error("must be an https address: M-Pesa calls no other in production")]
    UrlNotHttps,
    /// A word that M-Pesa filters out.
    #[error("must not contain \"{0}\", which M-Pesa filters out of callback addresses")]
    UrlWord(&'static str),
    /// No width of a QR code.
    #[error("must be 100 to 1000 pixels")]
    QrSize,
}

/// A check's verdict.
pub type Verdict = Result<(), Fault>;

/// The faults among verdicts, each once.
pub fn gather(verdicts: impl IntoIterator<Item = Verdict>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for fault in verdicts.into_iter().filter_map(Result::err) {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

fn rule(field: &'static str, holds: bool, broken: Broken) -> Verdict {
    if holds { Ok(()) } else { Err(Fault { field, broken }) }
}

/// An amount within its limits.
///
/// # Errors
/// [`Broken::Amount`].
pub fn amount(field: &'static str, amount: Amount, limits: &AmountLimits) -> Verdict {
    limits.check(amount).map_err(|out| Fault { field, broken: Broken::Amount(out) })
}

/// An amount of whole shillings, and not nothing.
///
/// # Errors
/// [`Broken::Amount`].
pub fn whole(field: &'static str, sum: Amount) -> Verdict {
    let any = AmountLimits { least: Amount::from_shillings(1), most: Amount::from_cents(u64::MAX) };
    amount(field, sum, &any)
}

/// A short code of five to seven digits.
///
/// # Errors
/// [`Broken::ShortCode`].
pub fn shortcode(field: &'static str, text: &str) -> Verdict {
    rule(field, text.parse::<ShortCode>().is_ok(), Broken::ShortCode)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-')
}

/// A text of characters at which no request fails, of a length.
fn plain(field: &'static str, text: &str, most: usize) -> Verdict {
    rule(field, text.chars().count() <= most, Broken::TooLong(most))?;
    rule(field, text.chars().all(is_plain), Broken::Characters)
}

fn filled(field: &'static str, text: &str) -> Verdict {
    rule(field, !text.trim().is_empty(), Broken::Empty)
}

/// `AccountReference` of a prompt, or `RefNo` of a QR code.
///
/// # Errors
/// [`Broken::Empty`], [`Broken::TooLong`], [`Broken::Characters`].
pub fn account_reference(field: &'static str, text: &str) -> Verdict {
    filled(field, text)?;
    plain(field, text, REFERENCE_LEN_MAX)
}

/// `TransactionDesc`: the one text that may be empty.
///
/// # Errors
/// [`Broken::TooLong`], [`Broken::Characters`].
pub fn transaction_desc(field: &'static str, text: &str) -> Verdict {
    plain(field, text, DESC_LEN_MAX)
}

/// `BillRefNumber`.
///
/// # Errors
/// [`Broken::Empty`], [`Broken::TooLong`], [`Broken::Characters`].
pub fn bill_ref(field: &'static str, text: &str) -> Verdict {
    filled(field, text)?;
    plain(field, text, BILL_REF_LEN_MAX)
}

/// `AccountReference` of a payment to a business.
///
/// # Errors
/// [`Broken::Empty`], [`Broken::TooLong`], [`Broken::Characters`].
pub fn b2b_account(field: &'static str, text: &str) -> Verdict {
    filled(field, text)?;
    plain(field, text, B2B_ACCOUNT_LEN_MAX)
}

/// `Remarks`.
///
/// # Errors
/// [`Broken::TooShort`], [`Broken::TooLong`], [`Broken::Control`].
pub fn remarks(field: &'static str, text: &str) -> Verdict {
    let is_long = text.trim().chars().count() >= REMARKS_LEN_MIN;
    rule(field, is_long, Broken::TooShort(REMARKS_LEN_MIN))?;
    free(field, text, REMARKS_LEN_MAX)
}

/// `Occasion`, which may be empty.
///
/// # Errors
/// [`Broken::TooLong`], [`Broken::Control`].
pub fn occasion(field: &'static str, text: &str) -> Verdict {
    free(field, text, OCCASION_LEN_MAX)
}

fn free(field: &'static str, text: &str, most: usize) -> Verdict {
    rule(field, text.chars().count() <= most, Broken::TooLong(most))?;
    rule(field, !text.contains(char::is_control), Broken::Control)
}

/// `Remarks` that M-Pesa takes, made of what somebody wrote for another rail: other characters than
/// plain ones become blanks, what is too long is cut, and what is too short is `instead`.
pub fn fit_remarks(text: &str, instead: &str) -> String {
    let fitted = fit(text, REMARKS_LEN_MAX);
    if fitted.chars().count() < REMARKS_LEN_MIN { instead.to_owned() } else { fitted }
}

/// An `Occasion` that M-Pesa takes, made as [`fit_remarks`] does; it may be empty.
pub fn fit_occasion(text: &str) -> String {
    fit(text, OCCASION_LEN_MAX)
}

fn fit(text: &str, most: usize) -> String {
    let plain: String = text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(most).collect::<String>().trim_end().to_owned()
}

/// A receipt: ten capital letters and digits. A generic one, which M-Pesa gives to what is no
/// transaction, is none (spec/daraja.md §2.3, §9).
///
/// # Errors
/// [`Broken::Receipt`].
pub fn receipt(field: &'static str, text: &str) -> Verdict {
    let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_receipt = text.len() == RECEIPT_LEN && text.bytes().all(is_letter);
    rule(field, is_receipt && !super::result::is_generic(text), Broken::Receipt)
}

/// The name of a request.
///
/// # Errors
/// [`Broken::Name`].
pub fn name(field: &'static str, text: &str) -> Verdict {
    rule(field, !text.trim().is_empty() && told::is_id(text), Broken::Name)
}

/// A payment registration number of the revenue authority.
///
/// # Errors
/// [`Broken::Prn`].
pub fn prn(field: &'static str, text: &str) -> Verdict {
    let fits = !text.is_empty() && text.len() <= PRN_LEN_MAX;
    rule(field, fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), Broken::Prn)
}

/// A merchant's name on a QR code.
///
/// # Errors
/// [`Broken::Empty`], [`Broken::TooLong`], [`Broken::Control`].
pub fn merchant(field: &'static str, text: &str) -> Verdict {
    filled(field, text)?;
    free(field, text, MERCHANT_LEN_MAX)
}

/// To what number a QR code pays.
///
/// # Errors
/// [`Broken::Empty`], [`Broken::TooLong`], [`Broken::Characters`].
pub fn qr_receiver(field: &'static str, text: &str) -> Verdict {
    filled(field, text)?;
    plain(field, text, REFERENCE_LEN_MAX)
}

/// How wide a QR code is.
///
/// # Errors
/// [`Broken::QrSize`].
pub fn qr_size(field: &'static str, size: u16) -> Verdict {
    rule(field, QR_SIZES.contains(&size), Broken::QrSize)
}

/// A B2C command that Daraja has (spec/daraja.md §1.6).
///
/// # Errors
/// [`Broken::Command`].
pub fn b2c_command(field: &'static str, command: Command) -> Verdict {
    let is_known = match command {
        Command::BusinessPayment | Command::SalaryPayment | Command::PromotionPayment => true,
        Command::SalaryPaymentWithWithdrawalChargePaid
        | Command::BusinessPaymentWithWithdrawalChargePaid
        | Command::TransferFromBankToCustomer => false,
    };
    rule(field, is_known, Broken::Command)
}

/// An address that M-Pesa will call (spec/daraja.md §7).
///
/// # Errors
/// [`Broken::Url`], [`Broken::TooLong`], [`Broken::UrlNotHttps`], [`Broken::UrlWord`].
pub fn callback_url(field: &'static str, url: &str, place: Place) -> Verdict {
    rule(field, url.len() <= URL_LEN_MAX, Broken::TooLong(URL_LEN_MAX))?;
    let lower = url.to_ascii_lowercase();
    let is_https = lower.starts_with("https://");
    let has_host = lower.split_once("://").is_some_and(|(_, rest)| !rest.is_empty());
    let is_url = (is_https || lower.starts_with("http://")) && has_host;
    rule(field, is_url && url.bytes().all(|byte| byte.is_ascii_graphic()), Broken::Url)?;
    rule(field, is_https || place == Place::Sandbox, Broken::UrlNotHttps)?;
    match FORBIDDEN_IN_URLS.iter().find(|word| lower.contains(**word)) {
        Some(word) => Err(Fault { field, broken: Broken::UrlWord(word) }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(verdict: Verdict) -> Option<Broken> {
        verdict.err().map(|fault| fault.broken)
    }

    #[test]
    fn texts_keep_to_their_lengths_and_characters() {
        let table = [
            (account_reference("f", "ORDER001"), None),
            (account_reference("f", "INV-77 A.1"), None),
            (account_reference("f", "ORDER00100012"), Some(Broken::TooLong(12))),
            (account_reference("f", " "), Some(Broken::Empty)),
            (account_reference("f", "A&B"), Some(Broken::Characters)),
            (account_reference("f", "Zoë"), Some(Broken::Characters)),
            (transaction_desc("f", ""), None),
            (transaction_desc("f", "Subscription1"), None),
            (transaction_desc("f", "Subscription 1"), Some(Broken::TooLong(13))),
            (bill_ref("f", "12345678901234567890"), None),
            (bill_ref("f", "123456789012345678901"), Some(Broken::TooLong(20))),
            (b2b_account("f", "1234567890123"), None),
            (b2b_account("f", "12345678901234"), Some(Broken::TooLong(13))),
            (remarks("f", "OK"), None),
            (remarks("f", "x"), Some(Broken::TooShort(2))),
            (remarks("f", ""), Some(Broken::TooShort(2))),
            (remarks("f", &"x".repeat(101)), Some(Broken::TooLong(100))),
            (remarks("f", "a\nb"), Some(Broken::Control)),
            (occasion("f", ""), None),
            (occasion("f", &"x".repeat(101)), Some(Broken::TooLong(100))),
            (receipt("f", "UJ34AA00ZZ"), None),
            (receipt("f", "UJ30000000"), Some(Broken::Receipt)),
            (receipt("f", "uj34aa00zz"), Some(Broken::Receipt)),
            (receipt("f", "UJ34AA00Z"), Some(Broken::Receipt)),
            (prn("f", "2020000000012345"), None),
            (prn("f", ""), Some(Broken::Prn)),
            (prn("f", "20-1"), Some(Broken::Prn)),
            (shortcode("f", "174379"), None),
            (shortcode("f", "1743"), Some(Broken::ShortCode)),
            (name("f", "600999_ExampleOrg_1"), None),
            (name("f", ""), Some(Broken::Name)),
            (qr_size("f", 300), None),
            (qr_size("f", 5), Some(Broken::QrSize)),
            (merchant("f", "Duka & Sons"), None),
            (qr_receiver("f", ""), Some(Broken::Empty)),
        ];
        for (nth, (verdict, expected)) in table.into_iter().enumerate() {
            assert_eq!(broken(verdict), expected, "row {nth}");
        }
    }

    #[test]
    fn amounts_keep_to_the_limits_of_their_kind() {
        let limits = Limits::default();
        let check = |text: &str, of: &AmountLimits| {
            broken(amount("f", text.parse().expect(text), of)).is_none()
        };
        for (text, payment, payout) in [
            ("1", true, false),
            ("10", true, true),
            ("250000", true, true),
            ("250001", false, false),
            ("0", false, false),
            ("10.50", false, false),
        ] {
            assert_eq!(check(text, &limits.payments), payment, "{text}");
            assert_eq!(check(text, &limits.payouts), payout, "{text}");
        }
        assert!(whole("f", Amount::from_shillings(3)).is_ok());
        assert!(whole("f", Amount::ZERO).is_err() && whole("f", Amount::from_cents(150)).is_err());
    }

    #[test]
    fn callback_addresses_have_no_word_that_is_filtered_out() {
        use Place::{Production, Sandbox};
        let long = format!("https://gw.example.org/{}", "a".repeat(URL_LEN_MAX));
        let table = [
            ("https://gw.example.org/cb/00ff/stk/2a", Production, None),
            ("http://127.0.0.1:8081/cb/00ff/stk/2a", Sandbox, None),
            ("http://gw.example.org/cb/00ff", Production, Some(Broken::UrlNotHttps)),
            ("https://gw.example.org/MPesa/cb", Production, Some(Broken::UrlWord("mpesa"))),
            ("https://m-pesa.example.org/cb", Production, Some(Broken::UrlWord("m-pesa"))),
            ("https://gw.example.org/execute", Sandbox, Some(Broken::UrlWord("exec"))),
            ("https://texel.example.org/cb", Sandbox, Some(Broken::UrlWord("exe"))),
            ("https://gw.example.org/?query=1", Sandbox, Some(Broken::UrlWord("query"))),
            ("https://mysql.example.org/", Sandbox, Some(Broken::UrlWord("sql"))),
            ("https://SAFARICOM.example.org/", Sandbox, Some(Broken::UrlWord("safaricom"))),
            ("https://gw.example.org/cmd", Sandbox, Some(Broken::UrlWord("cmd"))),
            ("https://gw.example.org/a b", Sandbox, Some(Broken::Url)),
            ("https://", Sandbox, Some(Broken::Url)),
            ("ftp://gw.example.org/", Sandbox, Some(Broken::Url)),
            ("", Sandbox, Some(Broken::Url)),
            (&long, Sandbox, Some(Broken::TooLong(URL_LEN_MAX))),
        ];
        for (url, place, expected) in table {
            assert_eq!(broken(callback_url("f", url, place)), expected, "{url}");
        }
    }

    #[test]
    fn texts_of_another_rail_are_made_to_fit() {
        assert_eq!(fit_remarks("March commission", "Payout"), "March commission");
        assert_eq!(fit_remarks("  a <&> b\n", "Payout"), "a b");
        for short in ["", "x", "#", "é"] {
            assert_eq!(fit_remarks(short, "Payout"), "Payout", "{short}");
        }
        let fitted = fit_remarks(&"word ".repeat(60), "Payout");
        assert_eq!(remarks("f", &fitted), Ok(()));
        assert_eq!(fit_occasion(""), "");
        assert_eq!(occasion("f", &fit_occasion(&"é-".repeat(200))), Ok(()));
    }

    #[test]
    fn only_three_commands_are_paid_over_daraja() {
        let paid: Vec<Command> =
            Command::ALL.into_iter().filter(|it| b2c_command("f", *it).is_ok()).collect();
        let known = [Command::SalaryPayment, Command::BusinessPayment, Command::PromotionPayment];
        assert_eq!(paid, known);
    }

    #[test]
    fn each_broken_rule_says_what_to_write() {
        let fault = |field, broken| Err(Fault { field, broken });
        let faults = gather([
            Ok(()),
            fault("a", Broken::Empty),
            fault("a", Broken::Empty),
            fault("b", Broken::ShortCode),
        ]);
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[1].broken.to_string(), "must be a short code of five to seven digits");
        assert_eq!(
            Broken::UrlWord("sql").to_string(),
            "must not contain \"sql\", which M-Pesa filters out of callback addresses"
        );
    }
}
