//! What the API answers, for people.

use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::{Failure, out};

/// Shows something that has a history, and its history; `name` is what it is called in JSON.
pub(super) async fn show(
    client: &Client,
    name: &str,
    path: &str,
    as_json: bool,
) -> Result<(), Failure> {
    let shown = expect(client.get(path, &[]).await?, 200)?.body;
    let events = expect(client.get(&format!("{path}/events"), &[]).await?, 200)?.body;
    if as_json {
        let events = events.get("data").cloned().unwrap_or_default();
        out::data(&json!({name: shown, "events": events}).to_string());
        return Ok(());
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        if !value.is_null() && value.as_str() != Some("") {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            out::data(&format!("{name:<28} {shown}"));
        }
    }
    let rows: Vec<Vec<String>> = array(&events, "data")
        .map(|event| {
            let data = event.get("data").cloned().unwrap_or_default();
            let messages: Vec<String> =
                array(&data, "messages").map(|message| text(message, "id")).collect();
            vec![
                text(event, "created_at"),
                text(event, "type"),
                text(&data, "code"),
                text(&data, "says"),
                messages.join(" "),
            ]
        })
        .collect();
    out::data("");
    out::data(&out::table(&["at (UTC)", "event", "code", "what happened", "messages"], &rows));
    Ok(())
}

/// What came back, if it came with this status.
pub(super) fn expect(reply: Reply, status: u16) -> Result<Reply, Failure> {
    if reply.status == status { Ok(reply) } else { Err(Failure::Failed(reply.problem())) }
}

/// The items of a list.
pub(super) fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A value as text; nothing where there is none.
pub(super) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
