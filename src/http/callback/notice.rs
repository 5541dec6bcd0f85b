//! A queue timeout that comes as JSON (contract, part 3).
//!
//! What its body is, nobody wrote down for certain: a thin `Result`, or our own request sent back
//! with our credential in it (spec/daraja.md §2.4). Either names the payment, and that is all that
//! is asked of it.

use std::borrow::Cow;

use serde_json::Value;

/// What such a notice is answered.
pub(super) const KEPT: &str = r#"{"ResultCode":0,"ResultDesc":"success"}"#;
/// The media type of the answer.
pub(super) const MEDIA_TYPE: &str = "application/json";
/// How deep in the document the names are looked for: in `Result`, they stand at 2.
const DEPTH_MAX: usize = 4;
/// Members whose values are ours to keep to ourselves.
const SECRETS: [&str; 3] = ["SecurityCredential", "InitiatorPassword", "Password"];
/// What stands in their place.
const MASK: &[u8] = b"***";

/// What a notice names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) originator: Option<String>,
    pub(super) conversation: Option<String>,
}

/// Whether a body is meant as JSON: its first character says so.
pub(super) fn is_json(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

/// Reads a notice.
///
/// # Errors
/// Why it cannot be read, without quoting it.
pub(super) fn parse(body: &[u8]) -> Result<Notice, String> {
    // serde_json itself goes no deeper than 128.
    let document: Value =
        serde_json::from_slice(body).map_err(|error| format!("it is no JSON: {error}"))?;
    let named = |name| find(&document, name, DEPTH_MAX).map(str::to_owned);
    let notice = Notice {
        originator: named("OriginatorConversationID"),
        conversation: named("ConversationID"),
    };
    if notice.originator.is_none() && notice.conversation.is_none() {
        return Err("the JSON names no OriginatorConversationID".to_owned());
    }
    Ok(notice)
}

/// The first text of this name, at most so deep; names are the same in any case.
fn find<'a>(value: &'a Value, name: &str, depth: usize) -> Option<&'a str> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => {
            let mut own = members.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            let own = own.find_map(|(_, value)| value.as_str().filter(|text| !text.is_empty()));
            own.or_else(|| members.values().find_map(|value| find(value, name, depth)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, name, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The body without our secrets, else byte for byte; it need not be whole.
pub(super) fn redact(body: &[u8]) -> Vec<u8> {
    SECRETS.iter().fold(body.to_vec(), |body, name| match mask(&body, name) {
        Cow::Borrowed(_) => body,
        Cow::Owned(masked) => masked,
    })
}

/// Masks every text that is the value of the member `name`.
fn mask<'a>(body: &'a [u8], name: &str) -> Cow<'a, [u8]> {
    let mut masked = Vec::new();
    let mut rest = body;
    while let Some((before, value)) = value_of(rest, name.as_bytes()) {
        masked.extend_from_slice(before);
        masked.extend_from_slice(MASK);
        rest = after_text(value);
    }
    if masked.is_empty() {
        return Cow::Borrowed(body);
    }
    masked.extend_from_slice(rest);
    Cow::Owned(masked)
}

/// What stands before the first text of the member `name`, its quotation mark included, and what
/// stands after that mark.
fn value_of<'a>(body: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0_usize;
    loop {
        let rest = body.get(from..)?;
        let place = rest.windows(name.len()).position(|part| part.eq_ignore_ascii_case(name))?;
        from = from.saturating_add(place).saturating_add(name.len());
        let after = body.get(from..)?;
        let text = after
            .strip_prefix(b"\"")
            .and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"))
            .and_then(|rest| rest.trim_ascii_start().strip_prefix(b"\""));
        if let Some(text) = text {
            let before = body.len().saturating_sub(text.len());
            return Some((body.get(..before)?, text));
        }
    }
}

/// What stands from the quotation mark on that ends a text; nothing, if it has no end.
fn after_text(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| text.get(end..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_found_in_whatever_form_it_comes() {
        let table = [
            (
                r#"{"Result":{"ResultCode":1,"OriginatorConversationID":"O","ConversationID":"C"}}"#,
                Ok((Some("O"), Some("C"))),
            ),
            (r#" {"OriginatorConversationID":"O","Amount":"10"}"#, Ok((Some("O"), None))),
            (r#"{"originatorConversationId":"O"}"#, Ok((Some("O"), None))),
            (r#"{"Result":{"ConversationID":"C"}}"#, Ok((None, Some("C")))),
            (r#"{"a":{"b":[{"OriginatorConversationID":"O"}]}}"#, Ok((Some("O"), None))),
            (r#"{"a":{"b":{"c":{"d":{"OriginatorConversationID":"O"}}}}}"#, Err(())),
            (r#"{"OriginatorConversationID":""}"#, Err(())),
            (r#"{"OriginatorConversationID":7}"#, Err(())),
            (r#"{"Result":{}}"#, Err(())),
            (r#"{"Result":"#, Err(())),
        ];
        for (body, expected) in table {
            let told = parse(body.as_bytes());
            let told = told.as_ref().map_err(|_why| ());
            let told = told.map(|n| (n.originator.as_deref(), n.conversation.as_deref()));
            assert_eq!(told, expected, "{body}");
        }
        let deep = format!("{}{}", "{\"a\":".repeat(500), "}".repeat(500));
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn our_secrets_are_masked_and_nothing_else() {
        let table = [
            (r#"{"SecurityCredential":"S","A":"b"}"#, r#"{"SecurityCredential":"***","A":"b"}"#),
            (r#"{"securitycredential" : "S\"S\\"}"#, r#"{"securitycredential" : "***"}"#),
            (
                r#"{"Password":"S","x":[{"InitiatorPassword":"S"}]}"#,
                r#"{"Password":"***","x":[{"InitiatorPassword":"***"}]}"#,
            ),
            (r#"{"SecurityCredential":"SSS"#, r#"{"SecurityCredential":"***"#),
            (r#"{"Remarks":"SecurityCredential"}"#, r#"{"Remarks":"SecurityCredential"}"#),
            (r#"{"SecurityCredential":7, "a": "b"}"#, r#"{"SecurityCredential":7, "a": "b"}"#),
            ("", ""),
        ];
        for (body, expected) in table {
            let kept = String::from_utf8(redact(body.as_bytes())).expect("text");
            assert_eq!(kept, expected, "{body}");
        }
    }
}
