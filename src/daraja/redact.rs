//! Secrets out of JSON and of whatever comes in its place, whatever state it is in.
//!
//! Messages are kept raw, also those that cannot be read, so this works on the text itself. A
//! queue timeout may post our own request back (spec/daraja.md §2.4), an error may repeat our
//! token (§3.2). Where the end of a secret cannot be found, everything behind it goes.

use std::borrow::Cow;

use crate::domain::mask::{self, MASK};
use crate::domain::told;

/// Members whose values are never stored or shown.
pub const SECRETS: [&str; 7] = [
    "SecurityCredential",
    "InitiatorPassword",
    "Password",
    "Passkey",
    "access_token",
    "ConsumerSecret",
    "apiKey",
];
/// Words behind which a token stands in the open.
const BEFORE_TOKENS: [&[u8]; 3] = [b"Invalid Access Token", b"Bearer", b"Basic"];
/// A shorter word behind them is no token: the shortest known has 28 letters (spec/daraja.md §1.1).
const TOKEN_LEN_MIN: usize = 12;
/// The longest description of an answer that is kept in words; the answer itself is kept whole.
const DESCRIPTION_MAX: usize = 300;

/// `bytes` without our secrets, each replaced by `***`.
///
/// These are the values of the members in [`SECRETS`], in any case and also in JSON within JSON;
/// callback tokens; and access tokens that a message repeats.
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    without_echoes(&mask::without_tokens(&without_members(bytes)))
}

/// [`redact`], and each of `secrets` masked wherever and however it stands.
pub fn redact_with(bytes: &[u8], secrets: &[&str]) -> Vec<u8> {
    secrets.iter().fold(redact(bytes), |bytes, secret| mask::without(&bytes, secret.as_bytes()))
}

/// [`redact`] for words that are shown: cut, and without control characters.
pub fn description(text: &str) -> String {
    let cut: String = text.chars().take(told::DESCRIPTION_MAX).collect();
    let clean = redact(cut.as_bytes());
    let clean = String::from_utf8_lossy(&clean);
    let plain = clean.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(DESCRIPTION_MAX).collect()
}

fn without_members(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from: usize = 0;
    let mut at: usize = 0;
    while let Some(here) = text.get(at..).filter(|here| !here.is_empty()) {
        let is_begin = at
            .checked_sub(1)
            .and_then(|before| text.get(before))
            .is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        match name_in(here).filter(|_| is_begin).and_then(|len| value_in(here, len)) {
            Some((begins, ends)) => {
                let begins = at.saturating_add(begins);
                out.extend_from_slice(text.get(from..begins).unwrap_or_default());
                out.extend_from_slice(MASK.as_bytes());
                from = at.saturating_add(ends);
                at = from;
            }
            None => at = at.saturating_add(1),
        }
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out
}

/// How long the name of a secret is with which `text` begins: blanks in it do not count.
fn name_in(text: &[u8]) -> Option<usize> {
    SECRETS.iter().find_map(|name| {
        let mut len: usize = 0;
        for wanted in name.bytes() {
            let rest = text.get(len..)?;
            let blank = usize::from(len > 0 && rest.first() == Some(&b' '));
            if !rest.get(blank)?.eq_ignore_ascii_case(&wanted) {
                return None;
            }
            len = len.saturating_add(blank).saturating_add(1);
        }
        Some(len)
    })
}

/// Where the value stands behind a name of this length, if one does. An empty one stays.
fn value_in(text: &[u8], name_len: usize) -> Option<(usize, usize)> {
    let after_name = text.get(name_len..)?;
    let mut at = name_len;
    let quote = quote_at(after_name);
    if let Some(level) = quote {
        at = at.saturating_add(level).saturating_add(1);
    }
    at = at.saturating_add(blanks(text.get(at..)?));
    if !matches!(text.get(at)?, b':' | b'=') {
        return None;
    }
    at = at.saturating_add(1);
    at = at.saturating_add(blanks(text.get(at..)?));
    let value = text.get(at..)?;
    // Only a quoted name has a quoted value: else the mark behind it is the end of its text.
    match (quote, quote_at(value)) {
        (Some(_), Some(level)) => {
            let begins = at.saturating_add(level).saturating_add(1);
            let len = quoted_len(text.get(begins..)?, level);
            (len > 0).then_some((begins, begins.saturating_add(len)))
        }
        _ => {
            let is_end = |byte: &u8| {
                byte.is_ascii_whitespace()
                    || matches!(byte, b'"' | b'\\' | b',' | b'}' | b']' | b'&' | b'<')
            };
            let len = value.iter().position(is_end).unwrap_or(value.len());
            (len > 0 && !value.starts_with(b"null")).then_some((at, at.saturating_add(len)))
        }
    }
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// How many backslashes stand before the quotation mark with which `text` begins.
fn quote_at(text: &[u8]) -> Option<usize> {
    let level = text.iter().take_while(|byte| **byte == b'\\').count();
    (text.get(level) == Some(&b'"')).then_some(level)
}

/// How long a text is that a mark of this level began: up to a mark of the same level that is not
/// escaped; everything, if there is none.
fn quoted_len(text: &[u8], level: usize) -> usize {
    let mut backslashes: usize = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\\' => backslashes = backslashes.saturating_add(1),
            b'"' if ends(level, backslashes) => return at.saturating_sub(level.min(backslashes)),
            _ => backslashes = 0,
        }
    }
    text.len()
}

/// Whether a mark behind so many backslashes ends a text of this level: escaping a text once
/// doubles its backslashes and puts one before each mark.
const fn ends(level: usize, backslashes: usize) -> bool {
    match level {
        0 => backslashes.is_multiple_of(2),
        1 => matches!(backslashes.checked_sub(1), Some(inner) if inner.is_multiple_of(4)),
        _ => true,
    }
}

fn without_echoes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        if let Some((begins, ends)) = echo_in(rest) {
            out.extend_from_slice(rest.get(..begins).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
            rest = rest.get(ends..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    out
}

/// Where a token stands in a text that begins with one of the words before it.
fn echo_in(text: &[u8]) -> Option<(usize, usize)> {
    let is_head =
        |word: &&&[u8]| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let word = BEFORE_TOKENS.iter().find(is_head)?;
    let after = text.get(word.len()..)?;
    let gap = after.iter().take_while(|byte| matches!(byte, b' ' | b'-' | b':' | b'\t')).count();
    let is_token = |byte: &&u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'-')
    };
    let len = after.get(gap..)?.iter().take_while(is_token).count();
    let begins = word.len().saturating_add(gap);
    (gap > 0 && len >= TOKEN_LEN_MIN).then_some((begins, begins.saturating_add(len)))
}

/// A text without callback tokens, for addresses that are shown.
pub fn mask_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains("cb") {
        return Cow::Borrowed(text);
    }
    let masked = mask::without_tokens(text.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&masked).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_secrets_are_masked_and_nothing_else() {
        let table = [
            (r#"{"SecurityCredential":"S","A":"b"}"#, r#"{"SecurityCredential":"***","A":"b"}"#),
            (r#"{"securitycredential" : "S\"S\\"}"#, r#"{"securitycredential" : "***"}"#),
            (r#"{"Security Credential":"S/="}"#, r#"{"Security Credential":"***"}"#),
            (
                r#"{"Password":"S","x":[{"InitiatorPassword":"S, T"}]}"#,
                r#"{"Password":"***","x":[{"InitiatorPassword":"***"}]}"#,
            ),
            (r#"{"SecurityCredential":"SSS"#, r#"{"SecurityCredential":"***"#),
            (r#"{"SecurityCredential":7, "a": "b"}"#, r#"{"SecurityCredential":***, "a": "b"}"#),
            (
                r#"{"SecurityCredential":null,"Password":""}"#,
                r#"{"SecurityCredential":null,"Password":""}"#,
            ),
            (r#"{"Remarks":"SecurityCredential"}"#, r#"{"Remarks":"SecurityCredential"}"#),
            (r#"{"Remarks":"the Password:","a":"b"}"#, r#"{"Remarks":"the Password:","a":"b"}"#),
            (r#"{"PasswordHint":"x"}"#, r#"{"PasswordHint":"x"}"#),
            (
                r#""{\"Password\":\"S\\\"S\",\"a\":\"b\"}""#,
                r#""{\"Password\":\"***\",\"a\":\"b\"}""#,
            ),
            (
                r#""{\"Password\":\"S\\\\\",\"a\":\"b\"}""#,
                r#""{\"Password\":\"***\",\"a\":\"b\"}""#,
            ),
            ("Password=abc&x=1", "Password=***&x=1"),
            (
                r#"{"access_token":"T","expires_in":"3599"}"#,
                r#"{"access_token":"***","expires_in":"3599"}"#,
            ),
            (
                "Error Occurred - Invalid Access Token - Zq8vPlaceholderToken0000Abcd\"}",
                "Error Occurred - Invalid Access Token - ***\"}",
            ),
            ("invalid access token", "invalid access token"),
            ("Authorization: Bearer Zq8vPlaceholderToken0000Abcd", "Authorization: Bearer ***"),
            ("Bearer of news", "Bearer of news"),
            (
                r#"{"ResultURL":"https:\/\/gw\/cb\/00ff\/result\/0a"}"#,
                r#"{"ResultURL":"https:\/\/gw\/cb\/***\/result\/0a"}"#,
            ),
            ("", ""),
        ];
        for (body, expected) in table {
            let kept = String::from_utf8(redact(body.as_bytes())).expect("text");
            assert_eq!(kept, expected, "{body}");
        }
    }

    #[test]
    fn a_known_secret_is_masked_wherever_it_stands() {
        let page = b"<p>Zq8v+Placeholder%2FToken and Zq8v+Placeholder/Token</p>";
        let kept = redact_with(page, &["Zq8v+Placeholder/Token", "unseen-secret"]);
        assert_eq!(kept, b"<p>*** and ***</p>");
    }
}
