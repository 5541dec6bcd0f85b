//! Secrets that stand in no element of their own: in addresses, and in pages that repeat our
//! request. A letter may stand there plain, percent-encoded, as an XML reference or a JSON escape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::request::MASK;

/// The slash in the forms in which it is seen.
const SLASHES: [&[u8]; 8] =
    [b"/", b"\\/", b"%2F", b"%252F", b"&#47;", b"&#x2F;", b"\\u002f", b"&amp;#47;"];
/// Digits from which a token is masked though no slash ends it: the shortest that the
/// configuration takes.
const TOKEN_DIGITS_MIN: usize = 16;
/// Letters of an spPassword before its two `=`: 64 digits in base64 (spec/soap.md §2.1).
const SP_PASSWORD_LETTERS: usize = 86;
/// Letters of a secret from which on it is masked though the rest is cut off.
const PART_MIN: usize = 16;
/// A shorter secret is not looked for: it could be any word.
const SECRET_MIN: usize = 8;
/// How long one encoded letter may be: `%25` and its like, taken twice.
const LETTER_MAX: usize = 12;

/// `text` with the token of each `/cb/<token>/` masked.
pub fn without_tokens(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from: usize = 0;
    let mut at: usize = 0;
    while let Some(here) = text.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with(b"cb")
            && ends_with_slash(text.get(..at).unwrap_or_default())
            && let Some((begins, ends)) = token_in(here)
        {
            let begins = at.saturating_add(begins);
            out.extend_from_slice(text.get(from..begins).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
            from = at.saturating_add(ends);
            at = from;
        } else {
            at = at.saturating_add(1);
        }
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out
}

/// Where the token stands in a text that begins with `cb`.
fn token_in(text: &[u8]) -> Option<(usize, usize)> {
    let begins = slash_len(text.get(2..)?)?.saturating_add(2);
    let ahead = text.get(begins..)?;
    let digits = ahead.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let ends = begins.saturating_add(digits);
    let is_ended = slash_len(text.get(ends..)?).is_some();
    ((digits > 0 && is_ended) || digits >= TOKEN_DIGITS_MIN).then_some((begins, ends))
}

fn slash_len(text: &[u8]) -> Option<usize> {
    let is_head = |slash: &&&[u8]| {
        text.get(..slash.len()).is_some_and(|head| head.eq_ignore_ascii_case(slash))
    };
    SLASHES.iter().find(is_head).map(|slash| slash.len())
}

fn ends_with_slash(text: &[u8]) -> bool {
    SLASHES.iter().any(|slash| {
        let from = text.len().checked_sub(slash.len());
        from.and_then(|from| text.get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(slash))
    })
}

/// `text` with everything masked that looks like an spPassword: 64 hexadecimal digits in base64.
pub fn without_passwords(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for run in text.chunk_by(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric()) {
        // What stands before it in the same run may be the end of an escape, as in `%3D`.
        let begins = run.len().checked_sub(SP_PASSWORD_LETTERS);
        match begins.and_then(|begins| run.split_at_checked(begins)) {
            Some((before, word)) if is_sp_password(word) => {
                out.extend_from_slice(before);
                out.extend_from_slice(MASK.as_bytes());
            }
            Some(_) | None => out.extend_from_slice(run),
        }
    }
    out
}

fn is_sp_password(word: &[u8]) -> bool {
    let padded = [word, b"=="].concat();
    STANDARD.decode(padded).is_ok_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// `text` with `secret` masked in every form.
pub fn without(text: &[u8], secret: &[u8]) -> Vec<u8> {
    if secret.len() < SECRET_MIN {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        if let Some(len) = secret_len(rest, secret) {
            out.extend_from_slice(MASK.as_bytes());
            rest = rest.get(len..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    out
}

/// How many bytes of `text` are the secret, or so much of its beginning that it must not be seen.
fn secret_len(text: &[u8], secret: &[u8]) -> Option<usize> {
    let mut len: usize = 0;
    let mut known: usize = 0;
    for wanted in secret {
        let mut at = len;
        // Base64 is folded over lines.
        while known > 0
            && let Some(blank) = fold_len(text.get(at..)?)
        {
            at = at.saturating_add(blank);
        }
        match letter(text.get(at..)?) {
            Some((found, taken)) if found == *wanted => {
                len = at.saturating_add(taken);
                known = known.saturating_add(1);
            }
            Some(_) | None => break,
        }
    }
    (known == secret.len() || known >= PART_MIN).then_some(len)
}

fn fold_len(text: &[u8]) -> Option<usize> {
    let folds: [&[u8]; 8] = [b"\r", b"\n", b"\\r", b"\\n", b"%0D", b"%0A", b"&#13;", b"&#10;"];
    folds
        .iter()
        .find(|fold| text.get(..fold.len()).is_some_and(|head| head.eq_ignore_ascii_case(fold)))
        .map(|fold| fold.len())
}

/// The letter with which `text` begins, however it is written, and how many bytes that takes.
fn letter(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    let encoded = match first {
        b'%' => percent(text),
        b'&' => reference(text),
        b'\\' => escape(text),
        _ => None,
    };
    Some(encoded.unwrap_or((first, 1)))
}

fn percent(text: &[u8]) -> Option<(u8, usize)> {
    // Encoded once more: %25 is the percent sign itself.
    match text.strip_prefix(b"%25") {
        Some(twice) => Some((number(twice.get(..2)?, 16)?, 5)),
        None => Some((number(text.get(1..3)?, 16)?, 3)),
    }
}

fn reference(text: &[u8]) -> Option<(u8, usize)> {
    let head = text.get(..text.len().min(LETTER_MAX))?;
    let end = head.iter().skip(1).position(|byte| *byte == b';')?.saturating_add(1);
    let body = head.get(1..end)?;
    let body = body.strip_prefix(b"#").or_else(|| body.strip_prefix(b"amp;#"))?;
    let found = match body.strip_prefix(b"x").or_else(|| body.strip_prefix(b"X")) {
        Some(hex) => number(hex, 16)?,
        None => number(body, 10)?,
    };
    Some((found, end.saturating_add(1)))
}

fn escape(text: &[u8]) -> Option<(u8, usize)> {
    match text.get(1)? {
        b'/' => Some((b'/', 2)),
        b'u' => Some((number(text.get(2..6)?, 16)?, 6)),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::super::redact::{mask_tokens, redact, redact_with};
    use crate::soap::header::{HexCase, sp_password};

    #[test]
    fn a_callback_token_is_masked_however_its_slashes_are_written() {
        let table = [
            (
                "https://gw.example.org/cb/00ff/b2c/result",
                "https://gw.example.org/cb/***/b2c/result",
            ),
            ("a/cb/0aF9/x /cb/1/y", "a/cb/***/x /cb/***/y"),
            ("http%3A%2F%2Fgw%2Fcb%2F00ff%2fb2c", "http%3A%2F%2Fgw%2Fcb%2F***%2fb2c"),
            ("%252Fcb%252F00ff%252Fb2c", "%252Fcb%252F***%252Fb2c"),
            (r"http:\/\/gw\/cb\/00ff\/b2c", r"http:\/\/gw\/cb\/***\/b2c"),
            (r"\u002Fcb\u002F00ff\u002Fb2c", r"\u002Fcb\u002F***\u002Fb2c"),
            ("gw&#47;cb&#x2F;00ff&#47;b2c", "gw&#47;cb&#x2F;***&#47;b2c"),
            ("ends in /cb/00112233445566778899", "ends in /cb/***"),
            ("cut /cb/00112233445566778899<", "cut /cb/***<"),
            ("/cb/result", "/cb/result"),
            ("/cb/*** and /cb/ and cb/00ff/x", "/cb/*** and /cb/ and cb/00ff/x"),
            ("Zoë/cb/00ff/é", "Zoë/cb/***/é"),
        ];
        for (before, after) in table {
            assert_eq!(mask_tokens(before), after);
            assert_eq!(redact(before.as_bytes()), after.as_bytes(), "{before}");
        }
    }

    #[test]
    fn what_looks_like_an_sp_password_is_masked_without_its_tag() {
        for case in [HexCase::Upper, HexCase::Lower] {
            let password = sp_password("100001", "Example-Secret-1", "20240102030405", case);
            let encoded = password.replace('=', "%3D");
            for before in [
                format!("{{\"spPassword\":\"{password}\"}}"),
                format!("spPassword%3D{encoded}%26serviceId"),
                format!("\\n{password}"),
            ] {
                let after = String::from_utf8(redact(before.as_bytes())).expect("UTF-8");
                assert!(after.contains("***"), "{after}");
                assert!(!after.contains(password.trim_end_matches('=')), "{after}");
            }
        }
        let id = "999001_ExampleOrg_01hm0example";
        assert_eq!(redact(id.as_bytes()), id.as_bytes());
    }

    #[test]
    fn a_known_secret_is_masked_in_every_form_that_a_page_may_give_it() {
        let secret = "Ab3+cD/9Ef==Ab3+cD/9Ef==";
        let (head, tail) = secret.split_at(16);
        let forms = [
            secret.to_owned(),
            secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
            secret.replace('+', "%2b").replace('/', "%2f").replace('=', "%3d"),
            secret.replace('+', "%252B").replace('/', "%252F").replace('=', "%253D"),
            secret.replace('+', "&#43;").replace('/', "&#x2F;").replace('=', "&#61;"),
            secret.replace('/', "\\/").replace('=', "\\u003d"),
            format!("{head}\r\n{tail}"),
            head.to_owned(),
        ];
        for form in forms {
            let page = format!("<p>your request: {form}</p>");
            let found = String::from_utf8(redact_with(page.as_bytes(), secret)).expect("UTF-8");
            assert_eq!(found, "<p>your request: ***</p>", "{form}");
        }
        for kept in ["Ab3 is no secret", "", "%", "&#", "\\u00", "%25"] {
            assert_eq!(redact_with(kept.as_bytes(), secret), kept.as_bytes());
        }
        assert_eq!(redact_with(b"an empty secret", ""), b"an empty secret");
    }
}
