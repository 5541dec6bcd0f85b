//! `mlango certify`: a customer's own system, put through cases by the simulator, and its books
//! compared with what was really paid.

mod connection;
mod front;
mod house;
mod ledger;
mod stage;
mod target;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use self::ledger::Books;
use self::stage::Stage;
use self::target::Target;
use super::{Asked, Context, Failure, out};
use crate::certify::case::{Case, Pace, Task, tasks};
use crate::certify::json as as_json;
use crate::certify::report::Report;
use crate::certify::{Interface, html, junit, text};
use crate::config::time_of;

/// The most payments that may be asked for side by side.
const PARALLEL_MAX: usize = 64;
/// The longest that any wait may be set to.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Puts a customer's own system through cases, and compares its books with what was really paid.
///
/// It starts a simulated M-Pesa, asks the system for one payment per case, lets M-Pesa lose,
/// repeat, contradict and delay what it says, and then reads the system's books. Exit code 1 if a
/// case failed.
///
/// Its configuration is thrown away at the end; a mlango.toml that lies here is used only if it is
/// named with --config.
#[derive(Debug, Args)]
pub(super) struct Certify {
    /// How the system talks to M-Pesa: soap, daraja, or gateway for this gateway's REST API, which
    /// is started, too. Each has a matrix of its own.
    #[arg(long, value_name = "INTERFACE", default_value = "soap")]
    interface: Interface,
    /// How the system is asked for a payment: http://HOST:PORT/PATH (one JSON object is posted per
    /// payment), 'exec:PROGRAM ARGS' (the same on its standard input), or manual:FILE.csv (they are
    /// written there, and a person sends them).
    #[arg(long, value_name = "TARGET", required_unless_present = "list")]
    target: Option<Target>,
    /// The system's books: a file, or an http(s) address; CSV or JSON with reference and status.
    #[arg(long, value_name = "FILE|URL", required_unless_present = "list")]
    books: Option<Books>,
    /// Where the simulated M-Pesa listens; without it, `[simulator] listen`.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where the gateway's API is for the system, with --interface gateway: in front of the
    /// gateway, where requests and answers are lost.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    front: SocketAddr,
    /// With --interface gateway, one that runs already, by its address; --config
    /// FILE must be its configuration, and no simulator may run yet.
    #[arg(long, value_name = "URL", requires = "config")]
    gateway: Option<String>,
    /// Write there, as JSON, what the system needs to know: addresses and credentials.
    #[arg(long, value_name = "FILE")]
    connection: Option<PathBuf>,
    /// Only this case; may be given several times.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Say which cases there are, and do nothing else.
    #[arg(long)]
    list: bool,
    /// Write the report there as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report there as a page of HTML, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How late what is late is.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    late: Duration,
    /// How long a connection is held whose answer never comes.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    hold: Duration,
    /// All is settled when nothing went over the wire for so long: longer than the system waits
    /// before it asks what became of a payment.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    quiet: Duration,
    /// The longest to wait for that.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    patience: Duration,
    /// How long to wait for the system to be there.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    wait: Duration,
    /// How many payments are asked for side by side.
    #[arg(long, value_name = "N", default_value = "8")]
    parallel: usize,
    /// What receipts and references follow from; without it, each run has its own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// A length of time: `500ms`, `30s`, `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a length of time up to a day, such as 500ms, 30s or 2m".to_owned();
    time_of(text).filter(|time| *time <= WAIT_MAX).ok_or_else(wrong)
}

impl Certify {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let cases = self.chosen()?;
        if self.list {
            list(&cases, context.json);
            return Ok(());
        }
        let (Some(target), Some(books)) = (&self.target, &self.books) else {
            return Err(Failure::Usage("--target and --books are needed".to_owned()));
        };
        if !(1..=PARALLEL_MAX).contains(&self.parallel) {
            let why = format!("--parallel must be from 1 to {PARALLEL_MAX}");
            return Err(Failure::Usage(why));
        }
        if self.listen.is_some() && self.interface == Interface::Gateway {
            let why = "--listen is where M-Pesa listens; with --interface gateway the system talks \
                       to --front ADDR";
            return Err(Failure::Usage(why.to_owned()));
        }
        self.are_writable()?;
        let mut stop = Asked::listen()?;
        let stage = Stage::set_up(context, &self).await?;
        let report = tokio::select! {
            report = self.certify(&stage, cases, target, books) => report,
            () = stop.wait() => {
                Err(Failure::Failed("stopped before the end: there is no verdict".to_owned()))
            }
        };
        stage.end().await;
        self.tell(&report?, context.json)
    }

    /// Refuses what could not be written at the end, before anything runs.
    fn are_writable(&self) -> Result<(), Failure> {
        self.connection.as_deref().map_or(Ok(()), connection::is_free)?;
        for (option, path) in [("--junit", &self.junit), ("--html", &self.html)] {
            if let Some(path) = path {
                try_path(path).map_err(|error| {
                    let path = path.display();
                    let why =
                        format!("{option} {path}: cannot be written: {error}. Nothing was run");
                    Failure::Usage(why)
                })?;
            }
        }
        Ok(())
    }

    /// The cases that are to be run.
    fn chosen(&self) -> Result<Vec<Case>, Failure> {
        let all = self.interface.cases(Pace { late: self.late });
        let unknown = self.cases.iter().find(|name| !all.iter().any(|case| case.name == **name));
        if let Some(name) = unknown {
            let why = format!(
                "there is no case \"{name}\" over {0}; `mlango certify --interface {0} --list` \
                 names them",
                self.interface
            );
            return Err(Failure::Usage(why));
        }
        let is_chosen =
            |case: &Case| self.cases.is_empty() || self.cases.iter().any(|name| name == case.name);
        Ok(all.into_iter().filter(is_chosen).collect())
    }

    async fn certify(
        &self,
        stage: &Stage,
        cases: Vec<Case>,
        target: &Target,
        books: &Books,
    ) -> Result<Report, Failure> {
        let tasks = tasks(cases, &stage.run);
        stage.plan(self.interface, &tasks)?;
        target.wait_for(self.wait).await?;
        out::say(&format!("asking for {}, each a case …", out::count(tasks.len(), "payment")));
        let trials = stage.play(self, target, &tasks).await?;
        let rows = books.read(target).await?;
        let trials: Vec<(Task, _)> = tasks.into_iter().zip(trials).collect();
        Ok(Report::new(self.interface, &stage.run, &trials, &rows))
    }

    /// Shows the report, and then writes it where it is wanted: a full disk takes no verdict away.
    fn tell(&self, report: &Report, is_json: bool) -> Result<(), Failure> {
        self.show(report, is_json);
        let junit = self.junit.as_ref().map(|path| write(path, &junit::render(report)));
        let html = self.html.as_ref().map(|path| write(path, &html::render(report)));
        if !report.is_passed() {
            for failure in [junit, html].into_iter().flatten().filter_map(Result::err) {
                out::say(failure.why());
            }
            return Err(Failure::Failed(report.summary()));
        }
        out::say(&report.summary());
        [junit, html].into_iter().flatten().collect()
    }

    fn show(&self, report: &Report, is_json: bool) {
        if is_json {
            out::data(&as_json::render(report).to_string());
        } else {
            let rows: Vec<Vec<String>> = report.verdicts.iter().map(text::row).collect();
            out::data(&out::table(&text::HEAD, &rows));
            out::data("");
            out::data(text::details(report).trim_end());
        }
        if report.strangers > 0 {
            let rows = report.strangers;
            out::say(&format!("rows of the books about none of these payments: {rows}"));
        }
    }
}

/// Whether a file can be written; what is in it stays, and one that is not there is not left there.
fn try_path(path: &Path) -> std::io::Result<()> {
    let is_new = !path.exists();
    std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    if is_new { std::fs::remove_file(path) } else { Ok(()) }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::Failed(format!("{} cannot be written: {error}", path.display())))
}

fn list(cases: &[Case], is_json: bool) {
    if is_json {
        let line = |case: &Case| {
            json!({
                "case": case.name,
                "group": case.group.as_str(),
                "mpesa": case.story,
                "expected": case.expected(),
                "why": case.why,
                "source": case.source,
            })
        };
        let all: Vec<Value> = cases.iter().map(line).collect();
        out::data(&json!({ "data": all }).to_string());
        return;
    }
    let row = |case: &Case| {
        vec![case.name.to_owned(), case.group.as_str().to_owned(), case.story.to_owned()]
    };
    let rows: Vec<Vec<String>> = cases.iter().map(row).collect();
    out::data(&out::table(&["case", "group", "what M-Pesa does"], &rows));
    out::say(&out::count(cases.len(), "case"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_tried_and_nothing_is_left_there_or_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        let (new, old) = (dir.path().join("new.html"), dir.path().join("old.html"));
        std::fs::write(&old, "old").expect("written");
        try_path(&new).expect("writable");
        try_path(&old).expect("writable");
        assert!(!new.exists());
        assert_eq!(std::fs::read_to_string(&old).expect("text"), "old");
        assert!(try_path(&dir.path().join("none/report.html")).is_err());
        assert!(try_path(dir.path()).is_err());
    }
}
