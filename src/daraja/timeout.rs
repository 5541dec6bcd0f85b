//! The queue timeout: M-Pesa gave up on a request before it acted (spec/daraja.md §2.4). What it
//! posts is our own request, credential and all, or a thin `Result`.

use super::json::{Json, Unreadable};

/// How deep in the message its names are looked for: in a `Result` they stand at 2.
const DEPTH_MAX: usize = 4;

/// What a queue timeout names; the address of its call says more, where it has a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTimeout {
    /// Our name for the request, where it had one.
    pub originator: Option<String>,
    /// M-Pesa's name for it.
    pub conversation: Option<String>,
}

/// Reads a queue timeout. One that names nothing is one all the same.
///
/// # Errors
/// It is no JSON.
pub fn parse(bytes: &[u8]) -> Result<QueueTimeout, Unreadable> {
    let json = Json::read(bytes)?;
    Ok(QueueTimeout {
        originator: find(
            &json,
            &["OriginatorConversationID", "OriginatorCoversationID"],
            DEPTH_MAX,
        ),
        conversation: find(&json, &["ConversationID"], DEPTH_MAX),
    })
}

fn find(json: &Json, names: &[&str], depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    json.id_of(names).or_else(|| {
        let inner = json.members().iter().map(|(_, value)| value);
        let items = matches!(json, Json::List(_)).then(|| json.items()).unwrap_or_default();
        inner.chain(items).find_map(|value| find(value, names, depth))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_found_in_whatever_form_it_comes() {
        let table = [
            (
                r#"{"Result":{"ResultCode":1,"OriginatorConversationID":"O","ConversationID":"C"}}"#,
                Ok((Some("O"), Some("C"))),
            ),
            (r#" {"OriginatorConversationID":"O","Amount":"10"}"#, Ok((Some("O"), None))),
            (r#"{"originatorConversationId":"O"}"#, Ok((Some("O"), None))),
            (r#"{"Result":{"ConversationID":"C"}}"#, Ok((None, Some("C")))),
            (r#"{"a":{"b":[{"OriginatorConversationID":"O"}]}}"#, Ok((Some("O"), None))),
            (r#"{"a":{"b":{"c":{"d":{"OriginatorConversationID":"O"}}}}}"#, Ok((None, None))),
            (r#"{"Initiator":"api","CommandID":"AccountBalance"}"#, Ok((None, None))),
            (r#"{"Result":"#, Err(())),
            ("", Err(())),
        ];
        for (body, expected) in table {
            let told = parse(body.as_bytes());
            let told = told.as_ref().map_err(|_why| ());
            let told = told.map(|n| (n.originator.as_deref(), n.conversation.as_deref()));
            assert_eq!(told, expected, "{body}");
        }
    }
}
