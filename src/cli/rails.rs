//! `mlango rails`: whether each way to M-Pesa sends, and if not why; stopped and started by hand.
//!
//! Beside a running gateway it goes through the socket next to the store; without one, it shows
//! and changes what the record says.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::reach::{Reach, myself};
use super::{Context, Failure, out};
use crate::http::admin::{NewPause, Resume};

#[derive(Debug, Args)]
pub(super) struct Rails {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stop sending payouts until the rail is resumed. Nothing accepted is lost meanwhile, and
    /// M-Pesa is still asked about payouts in doubt.
    Pause {
        /// Which: soap.
        rail: String,
        /// Why, for those who find it paused.
        #[arg(long)]
        reason: String,
    },
    /// Let a rail send again, whatever had stopped it: a pause by hand, and also M-Pesa's refusal
    /// of our credentials. One payout goes first.
    Resume {
        /// Which: soap.
        rail: String,
    },
}

impl Rails {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let reach = Reach::open(context).await?;
        let done = self.act(&reach).await;
        let is_alone = matches!(reach, Reach::Store(_));
        reach.close().await;
        let shown = done?;
        if context.json {
            out::data(&shown.to_string());
            return Ok(());
        }
        let one = [shown.clone()];
        let listed = shown.get("data").and_then(Value::as_array).map(Vec::as_slice);
        for rail in listed.unwrap_or(&one) {
            out::data(&lines(rail, is_alone).join("\n"));
        }
        Ok(())
    }

    async fn act(self, reach: &Reach) -> Result<Value, Failure> {
        let done = match (self.command, reach) {
            (None, Reach::Gateway(socket)) => return socket.get("/rails").await,
            (None, Reach::Store(book)) => book.alone().rails().await,
            (Some(Command::Pause { rail, reason }), reach) => {
                let new = NewPause { by: myself(), reason };
                match reach {
                    Reach::Gateway(socket) => {
                        let path = format!("/rails/{}/pause", word(&rail)?);
                        return socket.post(&path, &new).await;
                    }
                    Reach::Store(book) => book.alone().pause(&rail, &new).await,
                }
            }
            (Some(Command::Resume { rail }), reach) => {
                let new = Resume { by: myself() };
                match reach {
                    Reach::Gateway(socket) => {
                        let path = format!("/rails/{}/resume", word(&rail)?);
                        return socket.post(&path, &new).await;
                    }
                    Reach::Store(book) => book.alone().resume(&rail, &new).await,
                }
            }
        };
        done.map_err(Failure::Failed)
    }
}

/// A word that fits into a path.
pub(super) fn word(text: &str) -> Result<&str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text)
    } else {
        Err(Failure::Usage(format!("\"{text}\" is no name here: letters, digits, - and _")))
    }
}

/// A rail, for people: what matters first.
fn lines(rail: &Value, is_alone: bool) -> Vec<String> {
    let text = |name: &str| match rail.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    let sends = rail.get("sends").and_then(Value::as_bool).unwrap_or_default();
    let state = if sends { "sends" } else { "does not send" };
    let mut rows = vec![("why", text("why"))];
    if sends && rail.get("trial").and_then(Value::as_bool).unwrap_or_default() {
        let trial = "one message at a time, until a result shows that M-Pesa takes it";
        rows.push(("on trial", trial.to_owned()));
    }
    if let Some(link) = rail.get("link").filter(|link| link.is_object()) {
        rows.extend(way(link));
    }
    if !is_alone {
        rows.push(("in flight", text("in_flight")));
    }
    rows.extend([
        ("queued", text("queued")),
        ("accepted", text("accepted")),
        ("unknown", text("unknown")),
        ("in doubt", format!("{} shillings", text("in_doubt"))),
    ]);
    if let Some(oldest) = rail.get("oldest_unknown").filter(|oldest| oldest.is_object()) {
        let part = |name: &str| oldest.get(name).and_then(Value::as_str).unwrap_or_default();
        rows.push(("oldest", format!("{}, unknown since {}", part("id"), part("since"))));
    }
    let half = text("conclusive_p50_s");
    if !half.is_empty() {
        let most = text("conclusive_p99_s");
        rows.push(("conclusive", format!("half within {half} s, 99 of 100 within {most} s")));
    }
    rows.push(("open cases", text("open_cases")));
    let mut lines = vec![format!("{}: {state}", text("rail"))];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    lines.extend(rows.map(|(name, value)| format!("  {name:<11} {value}")));
    lines
}

/// How far the way to M-Pesa goes, and what last went wrong while it is closed.
fn way(link: &Value) -> Vec<(&'static str, String)> {
    let part = |name: &str| link.get(name).and_then(Value::as_str).unwrap_or_default();
    let since = part("since");
    let state = match link.get("up").and_then(Value::as_bool) {
        Some(true) => {
            let protocol = Some(part("protocol")).filter(|text| !text.is_empty());
            format!("up since {since}, {}", protocol.unwrap_or("plain HTTP"))
        }
        Some(false) => format!("down since {since}; payouts wait, and go by themselves"),
        None => "not tried yet".to_owned(),
    };
    let mut rows = vec![("link", state)];
    let failure = link.get("failure").filter(|failure| failure.is_object());
    if let Some(failure) = failure.filter(|_last| link.get("up") == Some(&Value::Bool(false))) {
        let said = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or_default();
        rows.push(("link failed", format!("at {}: {}", said("stage"), said("what"))));
    }
    let weak = link.get("weak").and_then(Value::as_array).into_iter().flatten();
    rows.extend(weak.filter_map(Value::as_str).map(|weak| ("weak", weak.to_owned())));
    rows.push(("answered", part("answered_at").to_owned()));
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rail_is_shown_with_what_matters_first() {
        let rail = json!({
            "rail": "soap", "sends": false, "why": "Paused by erp.", "trial": true,
            "in_flight": 0, "queued": 3, "accepted": 0, "unknown": 1, "in_doubt": "800.00",
            "oldest_unknown": {"id": "po_1", "since": "2024-01-02T03:04:05.000Z"},
            "conclusive_p50_s": null, "conclusive_p99_s": null, "open_cases": 2,
        });
        let shown = lines(&rail, false);
        assert_eq!(shown[0], "soap: does not send");
        assert_eq!(shown[1], "  why         Paused by erp.");
        let all = shown.join("\n");
        for words in ["800.00 shillings", "po_1, unknown since 2024", "open cases  2"] {
            assert!(all.contains(words), "{all}");
        }
        assert!(!all.contains("conclusive") && !all.contains("trial"), "{all}");
        assert!(!lines(&rail, true).join("\n").contains("in flight"));
    }

    #[test]
    fn the_link_of_a_rail_is_shown() {
        let shown = |link: Value| lines(&json!({"rail": "soap", "link": link}), false).join("\n");
        let up = shown(json!({
            "up": true, "since": "2024-01-02T03:04:05.000Z", "protocol": "TLSv1.1 AES128-SHA",
            "answered_at": "2024-01-02T03:05:05.000Z", "weak": ["TLS 1.1 is old."],
            "failure": {"at": "2024-01-01T03:05:05.000Z", "stage": "tls", "what": "long ago"},
        }));
        let words = "  link        up since 2024-01-02T03:04:05.000Z, TLSv1.1 AES128-SHA\n";
        assert!(up.contains(words) && up.contains("  weak        TLS 1.1 is old."), "{up}");
        assert!(up.contains("  answered    2024-01-02T03:05:05.000Z"), "{up}");
        assert!(!up.contains("long ago"), "what is over is over: {up}");
        let down = shown(json!({
            "up": false, "since": "2024-01-02T03:04:05.000Z", "protocol": null,
            "answered_at": null, "weak": [],
            "failure": {"stage": "connect", "what": "10.0.0.9:18423: Connection refused"},
        }));
        assert!(down.contains("  link        down since 2024-01-02T03:04:05.000Z; "), "{down}");
        let failed = "  link failed at connect: 10.0.0.9:18423: Connection refused";
        assert!(down.contains(failed), "{down}");
        assert!(!down.contains("answered"), "{down}");
        assert!(shown(json!({"up": null})).contains("  link        not tried yet"));
        assert!(!shown(Value::Null).contains("link"), "not measured");
    }
}
