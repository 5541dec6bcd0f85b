//! `mlango verify`: every record readable, every index right, the events unbroken.

use serde_json::json;

use super::reach::Reach;
use super::{Context, Failure, out};

/// Reads the whole store and says what it found. It changes nothing.
///
/// Beside a running gateway it is refused: what is written while it reads would look like a fault.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let reach = Reach::open(context).await?;
    let Reach::Store(book) = &reach else {
        let why = "a gateway has the store open, and what it writes meanwhile would look like a \
                   fault; nothing was checked. Stop the gateway first, or check a copy of the \
                   store made while it was stopped";
        return Err(Failure::Failed(why.to_owned()));
    };
    let read = book.verify().await;
    reach.close().await;
    let found = read.map_err(Failure::failed)?;
    if context.json {
        let shown = json!({
            "payouts": found.payouts, "others": found.others, "events": found.events,
            "messages": found.messages, "indexes": found.indexes, "faults": found.faults,
        });
        out::data(&shown.to_string());
    } else {
        out::data(&format!(
            "read: {} payouts; {} payments, inquiries and texts; {} events; {} messages; \
             {} index entries",
            found.payouts, found.others, found.events, found.messages, found.indexes
        ));
        for fault in &found.faults {
            out::data(&format!("fault: {fault}"));
        }
    }
    if found.faults.is_empty() {
        out::say("the store is sound");
        return Ok(());
    }
    let why = format!(
        "{} faults (a hundred are named at most). Nothing was changed. Do not start the gateway on \
         this store: keep a copy of it as it is, and restore a back-up",
        found.faults.len()
    );
    Err(Failure::Failed(why))
}
