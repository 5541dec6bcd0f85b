//! `mlango verify`: every record readable, every index right, the events unbroken.

use std::sync::Arc;

use serde_json::json;

use super::backup::{shown, through};
use super::reach::Reach;
use super::socket::Socket;
use super::{Context, Failure, out};
use crate::app::{Progress, Scratch};

/// Reads the whole store and says what it found. It changes nothing.
///
/// Beside a running gateway, what is written while it reads would look like a fault. So the gateway
/// makes a back-up, for which it reads every block of its store and checks it; a store is made of
/// that, and all of it is read; both are removed again.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let reach = Reach::open_known(context).await?;
    let read = match &reach {
        Reach::Gateway(socket) => beside(context, socket).await,
        Reach::Store(book) => book.verify().await.map_err(Failure::failed),
    };
    let is_copy = matches!(reach, Reach::Gateway(_));
    reach.close().await;
    let found = read?;
    if context.json {
        let shown = json!({
            "payouts": found.payouts, "others": found.others, "events": found.events,
            "messages": found.messages, "indexes": found.indexes, "faults": found.faults,
            "of_a_copy": is_copy,
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
        let how = if is_copy {
            "the store is sound: a gateway runs on it, so every block of it was read, and all \
             records of a copy of it, which is removed again"
        } else {
            "the store is sound"
        };
        out::say(how);
        return Ok(());
    }
    let what_now = if is_copy { "Stop the gateway" } else { "Do not start the gateway" };
    let why = format!(
        "{} (a hundred are named at most). Nothing was changed. {what_now} on this store: \
         keep a copy of it as it is, and restore a back-up",
        out::count(found.faults.len(), "fault")
    );
    Err(Failure::Failed(why))
}

/// On a copy that the gateway makes.
async fn beside(context: &Context, socket: &Socket) -> Result<crate::app::Verified, Failure> {
    let config = context.source()?.config()?.config;
    let scratch = Scratch::beside(&config.store).map_err(Failure::Failed)?;
    through(socket, &scratch.backup(), false).await.map_err(not_checked)?;
    let progress = Arc::<Progress>::default();
    let checking = scratch.verify(&config.store, Arc::clone(&progress));
    let found = shown("checked", checking, || progress.bytes()).await;
    found.map_err(|why| not_checked(Failure::Failed(why)))
}

fn not_checked(failure: Failure) -> Failure {
    match failure {
        Failure::Failed(why) => Failure::Failed(format!(
            "the store could not be checked beside its gateway: {why}. The copy for it needs as \
             much room as the store itself, twice; with the gateway stopped it needs none"
        )),
        Failure::Usage(why) => Failure::Usage(why),
    }
}
