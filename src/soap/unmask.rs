//! spPasswords that stand in no element of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::mask::MASK;

/// Letters of an spPassword before its two `=`: 64 digits in base64 (spec/soap.md §2.1).
const SP_PASSWORD_LETTERS: usize = 86;

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
