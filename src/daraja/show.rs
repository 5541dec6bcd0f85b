//! A recorded message made readable: one member a line, codes explained, secrets and people's data
//! masked.

use super::json::{Json, Unreadable};
use super::{people, redact};
use crate::domain::mask::MASK;
use crate::domain::outcome;
use crate::domain::party::Msisdn;
use crate::domain::told::{is_key, split_party};

/// Members that are somebody's where no phone is read; a payer's phone may be a digest
/// (spec/daraja.md §2.3).
const PERSONAL: [&[&str]; 3] = [&people::NAMES, &people::IDENTITY, &people::TYPED];
const DIGEST: &str = "MSISDN";
/// Keys whose values name a person, possibly after his phone.
const PERSONAL_KEYS: [&str; 3] = ["PublicName", "PartyName", "CustomerName"];
/// The longest text that is shown whole: a picture of a code is far longer.
const TEXT_MAX: usize = 500;

/// A message as text for a person's eyes.
///
/// # Errors
/// It is no JSON that is read here.
pub fn show(bytes: &[u8]) -> Result<String, Unreadable> {
    let json = Json::read(bytes)?;
    let mut showing = Showing { out: String::new() };
    showing.value(&json, Place::default());
    showing.out.push('\n');
    Ok(showing.out)
}

/// Where a value stands.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    indent: usize,
    /// The member that it is the value of.
    name: &'a str,
    /// The Key or Name that stands beside a Value.
    key: &'a str,
    /// Whether a prompt is spoken of: its codes are others.
    of_prompt: bool,
}

struct Showing {
    out: String,
}

impl Showing {
    fn value(&mut self, json: &Json, place: Place<'_>) {
        match json {
            Json::Map(members) => self.map(members, json, place),
            Json::List(items) => self.list(items, place),
            Json::Null => self.out.push_str("null"),
            Json::Bool(word) => self.out.push_str(if *word { "true" } else { "false" }),
            Json::Number(word) => self.word(word, false, place),
            Json::Text(word) => self.word(word, true, place),
        }
    }

    fn map(&mut self, members: &[(String, Json)], json: &Json, place: Place<'_>) {
        let key = json.word_of(&["Key", "Name"]).unwrap_or_default();
        let of_prompt = place.of_prompt || json.member("CheckoutRequestID").is_some();
        self.out.push('{');
        let mut comma = "";
        for (name, value) in members {
            self.out.push_str(comma);
            self.line(place.indent.saturating_add(1));
            self.out.push('"');
            self.out.push_str(&plain(name));
            self.out.push_str("\": ");
            let indent = place.indent.saturating_add(1);
            self.value(value, Place { indent, name, key, of_prompt });
            comma = ",";
        }
        self.line(place.indent);
        self.out.push('}');
    }

    fn list(&mut self, items: &[Json], place: Place<'_>) {
        self.out.push('[');
        let mut comma = "";
        for item in items {
            self.out.push_str(comma);
            let indent = place.indent.saturating_add(1);
            self.line(indent);
            self.value(item, Place { indent, ..place });
            comma = ",";
        }
        self.line(place.indent);
        self.out.push(']');
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", indent));
    }

    fn word(&mut self, word: &str, is_text: bool, place: Place<'_>) {
        let shown = masked(word, place);
        let quote = if is_text || shown != word { "\"" } else { "" };
        self.out.push_str(&format!("{quote}{shown}{quote}{}", meaning(word, place)));
    }
}

/// Text that a terminal takes as text.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn masked(word: &str, place: Place<'_>) -> String {
    let is_one_of = |names: &[&str], name| names.iter().any(|one| is_key(name, one));
    // A Value is what its Key says; else a member is what its name says.
    let name = if is_key(place.name, "Value") { place.key } else { place.name };
    if word.is_empty() {
        return String::new();
    }
    if is_one_of(&redact::SECRETS, name) {
        return MASK.to_owned();
    }
    if PERSONAL_KEYS.iter().any(|one| name.contains(one)) {
        return match split_party(word) {
            (Some(phone), _) => format!("{phone} - {MASK}"),
            (None, _) => MASK.to_owned(),
        };
    }
    match word.parse::<Msisdn>() {
        Ok(phone) => phone.to_string(),
        Err(_) if is_key(name, DIGEST) || PERSONAL.iter().any(|all| is_one_of(all, name)) => {
            MASK.to_owned()
        }
        Err(_) => cut(&plain(&redact::mask_tokens(word))),
    }
}

fn cut(text: &str) -> String {
    let length = text.chars().count();
    if length <= TEXT_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(40).collect();
    format!("{head}… ({length} characters)")
}

/// What a code means, to stand beside it.
fn meaning(word: &str, place: Place<'_>) -> String {
    let says = match place.name {
        name if is_key(name, "ResultCode") && place.of_prompt => outcome::stk(word).says,
        name if is_key(name, "ResultCode") => outcome::result(word).says,
        name if is_key(name, "ResponseCode") || is_key(name, "errorCode") => {
            outcome::answer(word).says
        }
        _ => return String::new(),
    };
    format!("  ({says})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_shown_with_its_meaning_and_without_the_person() {
        let text = show(
            br#"{"Result":{"ResultType":0,"ResultCode":2040,"ResultDesc":"not\u0085supported",
            "ResultParameters":{"ResultParameter":[
            {"Key":"ReceiverPartyPublicName","Value":"254722000111 - Jane Doe"},
            {"Key":"Phone","Value":254722000111},{"Key":"DebitPartyName","Value":"Jane Doe"}]},
            "ReferenceData":{"ReferenceItem":{"Key":"QueueTimeoutURL",
            "Value":"https://gw.example.org/cb/00ff00ff00ff00ff/timeout"}}}}"#,
        )
        .expect("shows");
        assert!(
            text.contains("\"ResultCode\": 2040  (the recipient cannot take this kind"),
            "{text}"
        );
        assert!(text.contains("\"Value\": \"2547*****111 - ***\""), "{text}");
        assert!(text.contains("\"Value\": \"2547*****111\""), "{text}");
        for hidden in ["Jane", "722000", "\u{85}", "00ff"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }

    #[test]
    fn a_prompt_has_codes_of_its_own() {
        let text = show(
            br#"{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_1","ResultCode":1032,
            "CallbackMetadata":{"Item":[{"Name":"PhoneNumber","Value":254722000111}]}}}}"#,
        )
        .expect("shows");
        assert!(text.contains("1032  (the payer cancelled)"), "{text}");
        assert!(!text.contains("722000111"), "{text}");
    }

    #[test]
    fn what_is_somebodys_is_not_shown() {
        let text = show(
            br#"{"fullName":"Jane Doe","IDNumber":31415926,"billedFullName":"Jane Doe",
            "BillRefNumber":"House of Jane","billreference":"Jane 7","Full Name":"Jane",
            "billedPhoneNumber":"0722-000-111","amount":25}"#,
        )
        .expect("shows");
        for hidden in ["Jane", "31415926", "000-111"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        assert!(text.contains("\"amount\": 25"), "{text}");
    }

    #[test]
    fn secrets_and_pictures_are_not_shown() {
        let body = format!(
            "{{\"SecurityCredential\":\"Q1JFRA==\",\"Password\":\"cGFzcw==\",\"FirstName\":\"Jane\",\
             \"MSISDN\":\"172509f6416f41d1\",\"QRCode\":\"{}\",\"errorCode\":\"404.001.03\"}}",
            "A".repeat(4000)
        );
        let text = show(body.as_bytes()).expect("shows");
        for hidden in ["Q1JFRA", "cGFzcw", "Jane", "172509f6"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        assert!(text.contains("(4000 characters)") && text.len() < 600, "{text}");
        assert!(show(b"<html/>").is_err() && show(b"{").is_err());
    }
}
