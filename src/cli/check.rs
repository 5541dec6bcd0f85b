//! `mlango check`: whether this configuration can work, line by line.

use clap::Args;

use super::socket::Socket;
use super::{Context, Failure, out};
use crate::app::check::{self, Ask, Gateway, Line, Report, Status};
use crate::app::{self};
use crate::clock::SystemClock;
use crate::config::{Environment, Examined, Source};

/// Says, line by line, whether this configuration can work.
///
/// It moves no money, and works beside a running gateway and without one. Run it as the user that
/// runs the gateway. Exit code 1 if a line fails; warnings do not fail.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Show credentials to M-Pesa, once each: the SP's and the initiator's with a question for the
    /// balance to the broker, the consumer key and secret for a token to Daraja (a new token may
    /// end the one of a running gateway), and the callback token to its own public address. Without
    /// it no secret leaves this machine.
    #[arg(long)]
    live: bool,
}

impl Check {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let source = Source::open(context.config.as_deref(), Environment::process());
        let examined = source.map_or_else(Examined::from, Source::examine);
        let gateway = gateway(&examined).await;
        let ask = Ask { is_live: self.live, gateway };
        let report = check::run(&examined, &ask, &SystemClock).await;
        if context.json {
            let shown = serde_json::to_string(&report).map_err(Failure::failed)?;
            out::data(&shown);
        } else {
            for line in table(&report) {
                out::data(&line);
            }
        }
        let count = |status| report.count(status);
        let all = format!(
            "{} ok, {} warnings, {} fail, {} skipped",
            count(Status::Ok),
            count(Status::Warning),
            count(Status::Fails),
            count(Status::Skipped)
        );
        if report.ok {
            out::say(&all);
            return Ok(());
        }
        Err(Failure::Failed(all))
    }
}

/// The gateway that runs on the configured store, and what it says of itself.
async fn gateway(examined: &Examined) -> Gateway {
    let store = examined.parts.store.as_ref();
    let Some(path) = store.and_then(|store| app::socket(&store.url)) else {
        return Gateway::None;
    };
    let socket = Socket::at(path);
    if !socket.answers().await {
        return Gateway::None;
    }
    match socket.get("/health").await {
        Ok(health) => Gateway::Says(health),
        Err(Failure::Failed(why) | Failure::Usage(why)) => Gateway::Mute(why),
    }
}

/// One line for each, with the names below each other.
fn table(report: &Report) -> Vec<String> {
    let width = report.lines.iter().map(|line| line.check.len()).max().unwrap_or(0);
    report.lines.iter().map(|line| shown(line, width)).collect()
}

fn shown(line: &Line, width: usize) -> String {
    let Line { check, status, seen, advice } = line;
    let seen = one_line(seen);
    let advice = advice.as_deref().map(|advice| format!(" -- do: {}", one_line(advice)));
    let advice = advice.unwrap_or_default();
    format!("{:<7}  {check:<width$}  {seen}{advice}", status.as_str())
}

/// What a peer said may have line ends and other signs in it.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_one_line() {
        let lines = vec![
            Line::ok("config", "mlango.toml: readable"),
            Line::fails("broker.tcp", "refused\n\u{1b}[31m", "look"),
        ];
        let shown = table(&Report::of(lines));
        assert_eq!(shown[0], "ok       config      mlango.toml: readable");
        assert_eq!(shown[1], "fails    broker.tcp  refused  [31m -- do: look");
    }
}
