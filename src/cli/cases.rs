//! `mlango cases`: what no rule may decide, with its evidence, until a person closes it.
//!
//! Beside a running gateway it goes through the socket next to the store; without one, it works on
//! the store itself.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::rails::word;
use super::reach::{Reach, myself};
use super::{Context, Failure, out};
use crate::http::admin::NewClosing;

#[derive(Debug, Args)]
pub(super) struct Cases {
    /// Also those that are closed.
    #[arg(long)]
    all: bool,
    /// At most so many, newest first.
    #[arg(long, default_value_t = 50)]
    limit: u16,
    /// Go on where the last page ended.
    #[arg(long)]
    cursor: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one case and the messages that it rests on, our secrets in them masked.
    Show {
        /// Its id, `case_…`.
        id: String,
    },
    /// Close a case. It changes no payout: for one in doubt, `mlango payouts resolve`.
    Close {
        /// Its id, `case_…`.
        id: String,
        /// What was decided, in a few words.
        #[arg(long)]
        ruling: String,
        /// Why, and what it rests on.
        #[arg(long)]
        reason: String,
    },
}

impl Cases {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let reach = Reach::open(context).await?;
        let done = self.act(&reach).await;
        reach.close().await;
        let shown = done?;
        if context.json {
            out::data(&shown.to_string());
        } else if let Some(rows) = shown.get("data").and_then(Value::as_array) {
            list(rows, shown.get("next_cursor").and_then(Value::as_str));
        } else if let Some(case) = shown.get("case") {
            show(case);
            for message in shown.get("evidence").and_then(Value::as_array).into_iter().flatten() {
                out::data("");
                out::data(&head_of(message));
                out::data(&text(message, "body"));
            }
        } else {
            show(&shown);
        }
        Ok(())
    }

    async fn act(self, reach: &Reach) -> Result<Value, Failure> {
        let done = match (&self.command, reach) {
            (None, reach) => {
                let query = self.query()?;
                match reach {
                    Reach::Gateway(socket) => return socket.get(&format!("/cases?{query}")).await,
                    Reach::Store(book) => book.alone().cases(&query).await,
                }
            }
            (Some(Command::Show { id }), Reach::Gateway(socket)) => {
                return socket.get(&format!("/cases/{}", word(id)?)).await;
            }
            (Some(Command::Show { id }), Reach::Store(book)) => book.alone().case(id).await,
            (Some(Command::Close { id, ruling, reason }), reach) => {
                let (ruling, reason) = (ruling.clone(), reason.clone());
                let new = NewClosing { by: myself(), ruling, reason };
                match reach {
                    Reach::Gateway(socket) => {
                        return socket.post(&format!("/cases/{}/close", word(id)?), &new).await;
                    }
                    Reach::Store(book) => book.alone().close(id, &new).await,
                }
            }
        };
        done.map_err(Failure::Failed)
    }

    fn query(&self) -> Result<String, Failure> {
        let mut query = format!("limit={}", self.limit);
        if !self.all {
            query.push_str("&status=open");
        }
        if let Some(cursor) = &self.cursor {
            query.push_str("&cursor=");
            query.push_str(word(cursor)?);
        }
        Ok(query)
    }
}

fn list(rows: &[Value], next: Option<&str>) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|case| ["id", "kind", "payout_id", "created_at", "says"].map(|it| text(case, it)))
        .zip(rows.iter().map(|case| text(case, "status")))
        .map(|([id, kind, payout, at, says], status)| vec![id, status, kind, payout, at, says])
        .collect();
    let head = ["id", "status", "kind", "payout", "opened at (UTC)", "what is known"];
    out::data(&out::table(&head, &rows));
    if let Some(next) = next {
        out::say(&format!("more: --cursor {next}"));
    }
}

fn show(case: &Value) {
    for name in ["id", "status", "kind", "payout_id", "created_at", "says"] {
        let value = text(case, name);
        if !value.is_empty() {
            out::data(&format!("{name:<12} {value}"));
        }
    }
    for message in case.get("messages").and_then(Value::as_array).into_iter().flatten() {
        out::data(&format!("{:<12} {}", "message", text(message, "id")));
    }
    if let Some(closed) = case.get("closed").filter(|closed| closed.is_object()) {
        for name in ["at", "by", "ruling", "reason"] {
            out::data(&format!("{:<12} {}", format!("closed {name}"), text(closed, name)));
        }
    }
}

/// What a message is, before its body.
fn head_of(message: &Value) -> String {
    let part = |name: &str| text(message, name);
    let way = if part("direction") == "out" { "to M-Pesa" } else { "from M-Pesa" };
    format!("{} {} {way} at {}:", part("id"), part("channel"), part("at"))
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
