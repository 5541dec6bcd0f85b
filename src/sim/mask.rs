//! Secrets out of JSON, whatever state it is in: what is shown of an exchange.

/// Fields whose value is never shown.
const SECRETS: [&str; 4] = ["SecurityCredential", "Password", "access_token", "apiKey"];
/// What stands before a token that an answer repeats (spec/daraja.md §3.2).
const ECHO: &str = "Invalid Access Token - ";
/// What stands for a secret.
const MASK: &str = "***";

/// `text` without the values of [`SECRETS`], and without tokens that are repeated.
pub(super) fn json(text: &str) -> String {
    let masked = SECRETS.iter().fold(text.to_owned(), |text, name| field(&text, name));
    after(&masked, ECHO)
}

/// Without what each field of this name holds.
fn field(text: &str, name: &str) -> String {
    let key = format!("\"{name}\"");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(&key) {
        out.push_str(before);
        out.push_str(&key);
        let value = behind.trim_start().strip_prefix(':').map(str::trim_start);
        let Some(value) = value.and_then(|value| value.strip_prefix('"')) else {
            rest = behind;
            continue;
        };
        out.push_str(":\"");
        out.push_str(MASK);
        // A value that was cut off has no end.
        rest = value.find('"').and_then(|end| value.get(end..)).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Without what stands behind `mark` until the text ends.
fn after(text: &str, mark: &str) -> String {
    let Some((before, behind)) = text.split_once(mark) else {
        return text.to_owned();
    };
    let rest = behind.find('"').and_then(|end| behind.get(end..)).unwrap_or_default();
    [before, mark, MASK, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_and_nothing_else_is_lost() {
        let table = [
            (r#"{"Password":"abc","PartyA":1}"#, r#"{"Password":"***","PartyA":1}"#),
            (r#"{"a":1,"SecurityCredential" : "x=="}"#, r#"{"a":1,"SecurityCredential":"***"}"#),
            (
                r#"{"access_token":"t","expires_in":"3599"}"#,
                r#"{"access_token":"***","expires_in":"3599"}"#,
            ),
            (r#"{"SecurityCredential":"cut off"#, r#"{"SecurityCredential":"***"#),
            (r#"{"Password":5}"#, r#"{"Password":5}"#),
            (
                r#"{"errorMessage":"Error Occurred - Invalid Access Token - abc"}"#,
                r#"{"errorMessage":"Error Occurred - Invalid Access Token - ***"}"#,
            ),
            ("plain", "plain"),
        ];
        for (text, expected) in table {
            assert_eq!(json(text), expected);
        }
    }
}
