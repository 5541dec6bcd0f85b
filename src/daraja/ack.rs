//! What M-Pesa's calls are answered with, byte for byte, all with HTTP 200 (spec/daraja.md §2).
//!
//! A message is on disk before its acknowledgement is sent; duplicates are acknowledged too.

use super::json;
use crate::domain::payment::validation::Refusal;

/// The content type of every reply.
pub const CONTENT_TYPE: &str = "application/json";
/// A callback of a prompt was kept (spec/daraja.md §2.1).
pub const STK_KEPT: &str = r#"{"ResultCode":0,"ResultDesc":"Accepted"}"#;
/// A confirmation was kept; it cannot be refused (spec/daraja.md §2.2).
pub const CONFIRMED: &str = r#"{"ResultCode":0,"ResultDesc":"Success"}"#;
/// A result or a queue timeout was kept: what the reply says is not acted upon.
pub const RESULT_KEPT: &str = r#"{"ResultCode":0,"ResultDesc":"success"}"#;

/// A payment is wanted (spec/daraja.md §2.2). `third_party_id` comes back in the confirmation.
pub fn accepted(third_party_id: Option<&str>) -> String {
    let mut out = String::from(r#"{"ResultCode":"0","ResultDesc":"Accepted""#);
    if let Some(id) = third_party_id {
        out.push_str(r#","ThirdPartyTransID":"#);
        json::push_text(&mut out, id);
    }
    out.push('}');
    out
}

/// A payment is not wanted.
pub fn rejected(why: Refusal) -> String {
    let code = why.code();
    format!(r#"{{"ResultCode":"{code}","ResultDesc":"Rejected"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_the_documented_bytes() {
        assert_eq!(accepted(None), r#"{"ResultCode":"0","ResultDesc":"Accepted"}"#);
        assert_eq!(
            accepted(Some("a\"1")),
            r#"{"ResultCode":"0","ResultDesc":"Accepted","ThirdPartyTransID":"a\"1"}"#
        );
        let codes = ["C2B00011", "C2B00012", "C2B00013", "C2B00014", "C2B00015", "C2B00016"];
        for (why, code) in Refusal::ALL.into_iter().zip(codes) {
            let expected = format!(r#"{{"ResultCode":"{code}","ResultDesc":"Rejected"}}"#);
            assert_eq!(rejected(why), expected);
        }
    }
}
