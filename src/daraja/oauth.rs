//! Access tokens (spec/daraja.md §1.1, §4). Asking for one moves nothing and is always safe.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroize as _;

use super::error::{self, Problem, is_good};
use super::json::Json;
use super::{Api, redact};

/// Where a token is asked for, with `GET`.
pub const PATH: &str = "/oauth/v1/generate?grant_type=client_credentials";
/// How long a token lasts when the answer does not say, and at most: an hour, less a second.
const LIFETIME: Duration = Duration::from_secs(3599);
/// The longest token that is taken; those that are known have 28 letters.
const TOKEN_LEN_MAX: usize = 4096;

/// The value of `Authorization` when a token is asked for.
pub fn basic(consumer_key: &str, consumer_secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{consumer_key}:{consumer_secret}")))
}

/// A token. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: String,
    /// How long it lasts from when it was asked for.
    pub lifetime: Duration,
}

impl Token {
    /// The token itself.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The value of `Authorization` in every other request.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.secret)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(***, {:?})", self.lifetime)
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Consumer key and secret were refused: asking again as often as one likes will not help.
    #[error("M-Pesa refused consumer_key and consumer_secret ({code}): {description}")]
    Refused {
        /// The code, as in `outcome::ANSWERS`.
        code: String,
        /// M-Pesa's words, or ours.
        description: String,
    },
    /// No token came, and one may come later.
    #[error("M-Pesa gave no access token ({code}): {description}")]
    Later {
        /// The code, as in `outcome::ANSWERS`.
        code: String,
        /// M-Pesa's words, or ours.
        description: String,
    },
}

/// Reads the answer to the request for a token.
///
/// # Errors
/// Why it holds none. Wrong keys are answered with an empty body and HTTP 400 (spec/daraja.md §1).
pub fn read(status: u16, body: &[u8]) -> Result<Token, NoToken> {
    let json = Json::read(body);
    if let Some(json) = json.as_ref().ok().filter(|_| is_good(status))
        && let Some(secret) = json.word_of(&["access_token"]).filter(|secret| is_token(secret))
    {
        let told = json.word_of(&["expires_in"]).and_then(|text| text.parse().ok());
        let lifetime = told.map_or(LIFETIME, Duration::from_secs).min(LIFETIME);
        return Ok(Token { secret: secret.to_owned(), lifetime });
    }
    // The error has no word of its own for this interface.
    let Problem { code, description } = error::of(Api::StkQuery, status, body, json.as_ref());
    let description = redact::description(&description);
    let is_refused = matches!(status, 400 | 401) || code.starts_with("400.008.");
    Err(if is_refused {
        NoToken::Refused { code, description }
    } else {
        NoToken::Later { code, description }
    })
}

/// Whether it can stand in a header.
fn is_token(text: &str) -> bool {
    text.len() <= TOKEN_LEN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_whatever_the_form_of_its_lifetime() {
        let table = [
            (r#"{"access_token":"Zq8vPlaceholder","expires_in":"3599"}"#, 3599),
            (r#"{"access_token":"Zq8vPlaceholder","expires_in":1800}"#, 1800),
            (r#"{"access_token":"Zq8vPlaceholder","expires_in":3599.0}"#, 3599),
            (r#"{"access_token":"Zq8vPlaceholder"}"#, 3599),
            (r#"{"access_token":"Zq8vPlaceholder","expires_in":99999999}"#, 3599),
            (r#"{"access_token":"Zq8vPlaceholder","expires_in":"soon"}"#, 3599),
        ];
        for (body, seconds) in table {
            let token = read(200, body.as_bytes()).expect(body);
            assert_eq!(token.bearer(), "Bearer Zq8vPlaceholder");
            assert_eq!(token.lifetime, Duration::from_secs(seconds), "{body}");
            assert!(!format!("{token:?}").contains("Zq8v"));
        }
    }

    #[test]
    fn without_a_token_it_says_whether_asking_again_can_help() {
        let refused = [
            (400, ""),
            (401, ""),
            (400, r#"{"requestId":"1","errorCode":"400.008.01","errorMessage":"Invalid Auth"}"#),
            (400, r#"{"requestId":"1","errorCode":"400.008.02","errorMessage":"Invalid grant"}"#),
        ];
        for (status, body) in refused {
            let error = read(status, body.as_bytes()).expect_err(body);
            assert!(matches!(error, NoToken::Refused { .. }), "{body}: {error}");
        }
        let later = [
            (503, "Request unsuccessful. Incapsula incident ID: 0-0"),
            (403, "Request unsuccessful. Incapsula incident ID: 0-0"),
            (429, ""),
            (500, "{}"),
            (200, ""),
            (200, r#"{"access_token":"","expires_in":"3599"}"#),
            (200, "{\"access_token\":\"a\\nb\"}"),
            (500, r#"{"access_token":"Zq8vPlaceholder"}"#),
        ];
        for (status, body) in later {
            let error = read(status, body.as_bytes()).expect_err(body);
            assert!(matches!(error, NoToken::Later { .. }), "{body}: {error}");
        }
    }

    #[test]
    fn keys_are_sent_as_basic_credentials() {
        assert_eq!(basic("key", "secret"), "Basic a2V5OnNlY3JldA==");
    }
}
