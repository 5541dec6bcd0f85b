//! A recorded message made readable: inner documents unwrapped, codes explained, secrets and
//! people's data masked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::envelope::{self, Envelope, Unreadable};
use super::redact;
use super::request::MASK;
use super::result::split_party;
use super::xml::{self, Element};
use crate::domain::outcome;
use crate::domain::party::Msisdn;

/// Messages inside messages that are shown: a queue timeout carries a request.
const NESTING_MAX: usize = 2;
/// Messages whose text is a document, and that document's root.
const WRAPPERS: [(&str, &str); 3] =
    [("RequestMsg", "request"), ("ResponseMsg", "response"), ("ResultMsg", "result")];
/// Elements that hold a raw HTTP message in base64 (spec/soap.md §5.7).
const HTTP_PARTS: [&str; 4] =
    ["submitApiRequest", "submitApiResponse", "submitApiResult", "queueTimeOut"];
/// The most lines of such a message's head that are shown.
const HEAD_LINES_MAX: usize = 30;
/// Elements that name a person, or hold what a payer typed: often a name, too.
const PERSONAL: [&str; 3] = ["KYCValue", "OA", "BillRefNumber"];
/// Elements whose numbers are no phones, however they look (spec/soap.md §2).
const NUMBERS: [&str; 2] = ["spId", "serviceId"];
/// Keys whose values name a person, possibly after his phone (spec/soap.md §5.4).
const PERSONAL_KEYS: [&str; 3] = ["PublicName", "PartyName", "CustomerName"];

/// A message as text for a person's eyes.
///
/// # Errors
/// It is no SOAP envelope. A document inside that cannot be read is said so in the text.
pub fn show(bytes: &[u8]) -> Result<String, Unreadable> {
    let mut out = String::new();
    show_into(&mut out, bytes, 0, NESTING_MAX)?;
    Ok(out)
}

fn show_into(
    out: &mut String,
    bytes: &[u8],
    indent: usize,
    nesting: usize,
) -> Result<(), Unreadable> {
    let text = xml::decode(bytes)?;
    let envelope = match Envelope::open(&text) {
        Ok(envelope) => envelope,
        Err(Unreadable::NotAnEnvelope(name)) => {
            let root = xml::parse_repairing(&text)?;
            if !stands_alone(&root) {
                return Err(Unreadable::NotAnEnvelope(name));
            }
            push_element(out, &root, None, indent, nesting);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let parts = [envelope.header.as_ref(), Some(&envelope.body)];
    for part in parts.into_iter().flatten() {
        push_element(out, part, None, indent, nesting);
    }
    Ok(())
}

/// Whether an element is shown without an envelope: what stands in one, or in what stands in one.
fn stands_alone(root: &Element<'_>) -> bool {
    let inner = WRAPPERS.iter().any(|(_, inner)| root.is(inner));
    inner || root.is("RequestSOAPHeader") || envelope::known_name(&root.name).starts_with('<')
}

fn push_line(out: &mut String, indent: usize, line: &str) {
    out.extend(std::iter::repeat_n("  ", indent));
    out.push_str(line);
    out.push('\n');
}

fn push_element(
    out: &mut String,
    element: &Element<'_>,
    key: Option<&str>,
    indent: usize,
    nesting: usize,
) {
    let name = plain(&element.name);
    let inside = indent.saturating_add(1);
    let wrapped = WRAPPERS.iter().find(|(message, _)| element.is(message));
    if let Some((_, root)) = wrapped {
        push_line(out, indent, &format!("<{name}>"));
        match envelope::document(element, root) {
            Ok(document) => push_element(out, &document, None, inside, nesting),
            Err(error) => push_line(out, inside, &format!("({error})")),
        }
        push_line(out, indent, &format!("</{name}>"));
    } else if element.is("originRequest") {
        push_line(out, indent, &format!("<{name}>"));
        push_origin(out, element.value(), inside, nesting);
        push_line(out, indent, &format!("</{name}>"));
    } else if HTTP_PARTS.iter().any(|part| element.is(part)) {
        push_line(out, indent, &format!("<{name}>"));
        push_http(out, element.value(), inside, nesting);
        push_line(out, indent, &format!("</{name}>"));
    } else if element.children.is_empty() {
        let value = masked(element, key);
        let line = format!("<{name}>{value}</{name}>{}", meaning(element));
        push_line(out, indent, &line);
    } else {
        push_line(out, indent, &format!("<{name}>"));
        let key = element.value_of("Key");
        for child in &element.children {
            push_element(out, child, key, inside, nesting);
        }
        push_line(out, indent, &format!("</{name}>"));
    }
}

fn push_origin(out: &mut String, base64: &str, indent: usize, nesting: usize) {
    let bare: String = base64.split_whitespace().collect();
    let Ok(bytes) = STANDARD.decode(bare) else {
        return push_line(out, indent, "(not base64; not shown)");
    };
    let Some(nesting) = nesting.checked_sub(1) else {
        return push_line(out, indent, "(a message inside a message; not shown)");
    };
    let begin = out.len();
    if let Err(error) = show_into(out, &redact::redact(&bytes), indent, nesting) {
        out.truncate(begin);
        push_line(out, indent, &format!("({error})"));
    }
}

/// A raw HTTP message, head and body (spec/soap.md §5.7).
fn push_http(out: &mut String, base64: &str, indent: usize, nesting: usize) {
    let bare: String = base64.split_whitespace().collect();
    let Ok(bytes) = STANDARD.decode(bare) else {
        return push_line(out, indent, "(not base64; not shown)");
    };
    let Some(nesting) = nesting.checked_sub(1) else {
        return push_line(out, indent, "(a message inside a message; not shown)");
    };
    let text = redact::redact_text(&String::from_utf8_lossy(&bytes));
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    for line in head.lines().take(HEAD_LINES_MAX) {
        let is_secret = line.to_ascii_lowercase().starts_with("authorization:");
        push_line(out, indent, if is_secret { "(Authorization; not shown)" } else { line });
    }
    let begin = out.len();
    if let Err(error) = show_into(out, body.as_bytes(), indent, nesting) {
        out.truncate(begin);
        push_line(out, indent, &format!("({error})"));
    }
}

/// Text that a terminal takes as text.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn masked(element: &Element<'_>, key: Option<&str>) -> String {
    let value = element.value();
    let is_secret = redact::SECRETS.iter().any(|secret| element.is(secret));
    let is_personal = PERSONAL.iter().any(|name| element.is(name));
    if value.is_empty() {
        return String::new();
    }
    if is_secret || is_personal {
        return MASK.to_owned();
    }
    let names_person = key.is_some_and(|key| PERSONAL_KEYS.iter().any(|word| key.contains(word)));
    if names_person && element.is("Value") {
        return match split_party(value) {
            (Some(phone), _) => format!("{phone} - {MASK}"),
            (None, _) => MASK.to_owned(),
        };
    }
    let is_number = NUMBERS.iter().any(|name| element.is(name));
    match value.parse::<Msisdn>() {
        Ok(phone) if !is_number => phone.to_string(),
        Ok(_) | Err(_) => plain(&redact::mask_tokens(value)),
    }
}

/// What a code means, to stand beside it.
fn meaning(element: &Element<'_>) -> String {
    let code = element.value();
    let says = if element.is("ResponseCode") {
        outcome::answer(code).says
    } else if element.is("ResultCode") {
        outcome::result(code).says
    } else {
        return String::new();
    };
    format!("  ({says})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::{ack, response, result, timeout};

    #[test]
    fn a_result_is_shown_with_its_meaning_and_without_the_person() {
        let bytes = result::Report {
            code: "2040",
            description: "not\u{85}supported",
            originator_conversation_id: "999001_A_1",
            conversation_id: "AG_1",
            receipt: None,
            parameters: vec![
                ("ReceiverPartyPublicName", "254722000111 - Jane Doe"),
                ("Phone", "0722000111"),
                ("DebitPartyName", "Jane Doe"),
            ],
            references: vec![("QueueTimeoutURL", "https://gw.example.org/cb/00ff/b2c/timeout")],
        }
        .render();
        let text = show(&bytes).expect("shows");
        assert!(
            text.contains("<ResultCode>2040</ResultCode>  (the recipient cannot take this kind"),
            "{text}"
        );
        assert!(text.contains("2547*****111 - ***"), "{text}");
        assert!(text.contains("<Value>2547*****111</Value>"), "{text}");
        for hidden in ["Jane", "722000", "\u{85}", "00ff"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }

    #[test]
    fn what_a_payer_typed_and_his_card_are_not_shown() {
        let envelope = "http://schemas.xmlsoap.org/soap/envelope/";
        let text = format!(
            "<E:Envelope xmlns:E=\"{envelope}\"><E:Body><BillRefNumber>House of Jane\
             </BillRefNumber><MSISDN>722000111</MSISDN><KYCValue>31415926</KYCValue></E:Body>\
             </E:Envelope>"
        );
        let text = show(text.as_bytes()).expect("shows");
        for hidden in ["Jane", "722000111", "31415926"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }

    #[test]
    fn a_queue_timeout_shows_the_request_inside_without_its_secrets() {
        let origin =
            response::render(&response::Answer { code: "15", ..response::Answer::default() });
        let mut origin = String::from_utf8(origin).expect("UTF-8");
        origin = origin.replace(
            "<ResponseDesc></ResponseDesc>",
            "<ResponseDesc><SecurityCredential>Q1JFRA==</SecurityCredential></ResponseDesc>",
        );
        let text = show(&timeout::render("999001_A_1", origin.as_bytes())).expect("shows");
        assert!(text.contains("was sent before"), "{text}");
        assert!(text.contains("<SecurityCredential>***<"), "{text}");
        assert!(!text.contains("Q1JFRA"), "{text}");
        let text = show(&timeout::render("999001_A_1", b"\xff\xff")).expect("shows");
        assert!(text.contains("this is not XML"), "{text}");
    }

    #[test]
    fn an_acknowledgement_is_shown_whole() {
        let expected = "\
<Header></Header>
<Body>
  <ResponseMsg>
    <response>
      <ResponseCode>00000000</ResponseCode>  (accepted for processing; no result yet)
      <ResponseDesc>success</ResponseDesc>
    </response>
  </ResponseMsg>
</Body>
";
        assert_eq!(show(ack::RESULT_KEPT.as_bytes()).as_deref(), Ok(expected));
    }

    #[test]
    fn what_the_broker_did_is_shown_with_the_messages_inside() {
        let raw = format!(
            "POST /b2c/result HTTP/1.1\r\nContent-Type: text/xml\r\nAuthorization: Basic c2VjcmV0\r\n\r\n{}",
            ack::RESULT_KEPT.replace("version=\"1.0\"", "version=''1.0''")
        );
        let item = STANDARD.encode(raw);
        let message = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
             <q:queryTransactionResponse xmlns:q=\"http://www.csapi.org/schema/transaction/data/v1_0/local\">\
             <q:submitApiResultList><q:submitApiResult>{item}</q:submitApiResult>\
             <q:submitApiResult>%</q:submitApiResult></q:submitApiResultList>\
             </q:queryTransactionResponse></s:Body></s:Envelope>"
        );
        let text = show(message.as_bytes()).expect("shows");
        for part in ["POST /b2c/result HTTP/1.1", "<ResponseCode>00000000<", "not base64"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("c2VjcmV0"), "{text}");
    }

    #[test]
    fn a_document_alone_is_shown_too() {
        let text = show(b"<result><ResultCode>1</ResultCode></result>").expect("shows");
        assert!(text.contains("<ResultCode>1</ResultCode>  ("), "{text}");
    }

    #[test]
    fn what_is_no_envelope_is_said_to_be_none() {
        assert!(show(b"<html/>").is_err());
        assert!(show(b"").is_err());
    }
}
