//! Secrets out of bytes, wherever they stand: in addresses, and in pages that repeat our request.
//!
//! A letter may stand there plain, percent-encoded, as an XML reference or a JSON escape. What
//! names a secret on the wire is for `soap` and `daraja` to know.

/// What stands in place of a secret in everything that is stored or shown.
pub const MASK: &str = "***";

/// The slash in the forms in which it is seen.
const SLASHES: [&[u8]; 8] =
    [b"/", b"\\/", b"%2F", b"%252F", b"&#47;", b"&#x2F;", b"\\u002f", b"&amp;#47;"];
/// Digits from which a token is masked though no slash ends it: the shortest that the
/// configuration takes.
const TOKEN_DIGITS_MIN: usize = 16;
/// Letters of a secret from which on it is masked though the rest is cut off.
const PART_MIN: usize = 16;
/// A shorter secret is not looked for: it could be any word.
const SECRET_MIN: usize = 8;
/// How long one encoded letter may be: `%25` and its like, taken twice.
const LETTER_MAX: usize = 12;

/// `text` with the token of each `/cb/<token>/` masked: whoever knows it may report results.
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
    use super::*;

    #[test]
    fn tokens_and_secrets_are_masked_in_plain_sight_and_in_escapes() {
        let page = br"https:\/\/gw\/cb\/00ff\/stk?x=Ab3%2BcD%2F9Ef";
        let page = without(&without_tokens(page), b"Ab3+cD/9Ef");
        assert_eq!(page, br"https:\/\/gw\/cb\/***\/stk?x=***");
        assert_eq!(without(b"a word", b"word"), b"a word", "too short to be looked for");
    }
}
