//! `mlango payouts`: from the shell, by way of the REST API.

mod scenario;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::client::{Client, Reply};
use super::rails::word;
use super::show::{array, expect, show, text};
use super::{Context, Failure, out};
use crate::clock::{Clock as _, SystemClock};
use crate::domain::limit::AmountLimits;
use crate::domain::money::Amount;
use crate::domain::payout::Rail;
use crate::domain::time::Timestamp;
use crate::http::api::read_payout;

/// The most rows of one file.
const ROWS_MAX: usize = 100_000;
/// The most faults of a file that are shown.
const FAULTS_SHOWN_MAX: usize = 50;
/// The most new lines of a file that are named at the end.
const LINES_SHOWN_MAX: usize = 50;
/// Within this time, rows that were taken before are those of a run that was cut off.
const AGAIN_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
const COLUMNS: [&str; 6] = ["phone", "amount", "reference", "remarks", "occasion", "command"];

#[derive(Debug, Args)]
pub(super) struct Payouts {
    /// The gateway; without it, the one that the configuration describes.
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// A file whose first line is the API key; without it, the variable `MLANGO_API_KEY`.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Submit every row of a CSV file with the columns phone, amount, reference, remarks
    /// (and, if you like, occasion and command). A row that was taken before in the same run is
    /// not paid again, whatever its file is called.
    Submit {
        /// The file.
        file: PathBuf,
        /// The pay run's name, such as 2026-03: the same rows are paid once in each run. Rows
        /// without it are one run, for ever.
        #[arg(long, value_name = "NAME", default_value = "")]
        run: String,
        /// Check the file and send nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// List payouts, newest first.
    List(List),
    /// Show one payout and its history.
    Show {
        /// Its id, `po_…`.
        id: String,
    },
    /// Have M-Pesa asked now what became of a payout that is accepted or unknown.
    Inquire {
        /// Its id, `po_…`.
        id: String,
    },
    /// Rule on a payout in status unknown, for ever. The key needs the scope admin.
    Resolve(Resolve),
    /// Write a scenario that plays the life of a payout again on the simulator: what was answered
    /// and told, and when. Whom it paid stands in it by a stand-in.
    ExportScenario {
        /// Its id, `po_…`; or that of a case about it, `case_…`.
        id: String,
        /// Where to write it; without it, to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Resolve {
    /// Its id, `po_…`.
    id: String,
    #[command(flatten)]
    outcome: Outcome,
    /// Why.
    #[arg(long)]
    reason: String,
    /// What was looked at, and where it can be found again.
    #[arg(long)]
    evidence: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Outcome {
    /// It was paid, with this M-Pesa receipt.
    #[arg(long, value_name = "RECEIPT")]
    paid: Option<String>,
    /// It was not paid, and never will be.
    #[arg(long)]
    not_paid: bool,
}

#[derive(Debug, Args)]
struct List {
    /// Only those that stand here, such as unknown.
    #[arg(long)]
    status: Option<String>,
    /// Only those with this reference.
    #[arg(long)]
    reference: Option<String>,
    /// Only those to this phone.
    #[arg(long)]
    phone: Option<String>,
    /// Only the one with this receipt.
    #[arg(long)]
    receipt: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: u16,
    /// Go on where the last page ended.
    #[arg(long)]
    cursor: Option<String>,
}

impl Payouts {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if let Command::Submit { file, run, dry_run: true } = &self.command {
            let rows = read(file, run, limits(context)?)?;
            let sum = total(&rows);
            out::say(&format!("{} rows are good: {sum} in all. Nothing was sent", rows.len()));
            return Ok(());
        }
        let client = Client::open(context, self.url.as_deref(), self.key_file.as_deref())?;
        match self.command {
            Command::Submit { file, run, .. } => {
                let rows = read(&file, &run, limits(context)?)?;
                submit(&client, &rows, context.json).await
            }
            Command::List(list) => list.run(&client, context.json).await,
            Command::Show { id } => {
                let path = format!("/v1/payouts/{}", word(&id)?);
                show(&client, "payout", &path, context.json).await
            }
            Command::Inquire { id } => {
                let path = format!("/v1/payouts/{}/inquire", word(&id)?);
                let reply = expect(client.act(&path, &Value::Null).await?, 202)?;
                report(&reply.body, "M-Pesa is asked now; look again in a few seconds", context);
                Ok(())
            }
            Command::Resolve(resolve) => resolve.run(&client, context).await,
            Command::ExportScenario { id, out } => {
                scenario::export(&client, &id, out.as_deref()).await
            }
        }
    }
}

impl Resolve {
    async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let mut body = json!({"reason": self.reason, "evidence": self.evidence});
        let outcome = if self.outcome.not_paid { "not_paid" } else { "paid" };
        if let Some(fields) = body.as_object_mut() {
            fields.insert("outcome".to_owned(), outcome.into());
            let receipt = self.outcome.paid.map(|receipt| ("receipt".to_owned(), receipt.into()));
            fields.extend(receipt);
        }
        let path = format!("/v1/payouts/{}/resolve", word(&self.id)?);
        let reply = expect(client.act(&path, &body).await?, 200)?;
        report(&reply.body, "as was ruled; nothing changes it any more", context);
        Ok(())
    }
}

/// Where a payout stands after something was done to it.
fn report(payout: &Value, note: &str, context: &Context) {
    if context.json {
        out::data(&payout.to_string());
        return;
    }
    let part = |name| text(payout, name);
    out::data(&format!("{} {} {}", part("id"), part("amount"), part("status")));
    out::say(note);
}

impl List {
    async fn run(self, client: &Client, as_json: bool) -> Result<(), Failure> {
        let mut query = vec![("limit", self.limit.to_string()), ("order", "desc".to_owned())];
        let filters = [
            ("status", self.status),
            ("reference", self.reference),
            ("phone", self.phone),
            ("receipt", self.receipt),
            ("cursor", self.cursor),
        ];
        for (name, value) in filters {
            query.extend(value.map(|value| (name, value)));
        }
        let reply = expect(client.get("/v1/payouts", &query).await?, 200)?;
        if as_json {
            out::data(&reply.body.to_string());
            return Ok(());
        }
        let rows: Vec<Vec<String>> = array(&reply.body, "data")
            .map(|payout| {
                ["id", "status", "amount", "phone", "reference", "receipt", "created_at"]
                    .map(|name| text(payout, name))
                    .to_vec()
            })
            .collect();
        let head = ["id", "status", "amount", "phone", "reference", "receipt", "taken at (UTC)"];
        out::data(&out::table(&head, &rows));
        if let Some(next) = reply.body.get("next_cursor").and_then(Value::as_str) {
            out::say(&format!("more: --cursor {next}"));
        }
        Ok(())
    }
}

/// A row of a file, checked.
#[derive(Debug)]
struct Row {
    line: u64,
    amount: Amount,
    body: Value,
    key: String,
}

/// What the configuration says that one payout may carry, as the gateway reads it.
fn limits(context: &Context) -> Result<AmountLimits, Failure> {
    Ok(context.source()?.config()?.config.payouts.amounts)
}

/// What became of the rows of a file.
#[derive(Debug, Default)]
struct Tally {
    /// Lines that are new.
    taken: Vec<u64>,
    /// How many were taken before.
    known: usize,
    /// How many of these so long ago that the file is hardly being submitted again because a run
    /// of it was cut off.
    old: usize,
    /// When the first of these was taken.
    first_at: Option<String>,
    refused: usize,
}

async fn submit(client: &Client, rows: &[Row], as_json: bool) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let now = SystemClock.now();
    for row in rows {
        let reply = client.post("/v1/payouts", &row.key, &row.body).await.map_err(|failure| {
            let (Failure::Failed(why) | Failure::Usage(why)) = failure;
            Failure::Failed(format!(
                "{why}\nstopped at line {}: {} rows are taken, {} were taken before. \
                 Run the same file again: what is taken is not paid twice",
                row.line,
                tally.taken.len(),
                tally.known
            ))
        })?;
        if reply.status != 202 {
            tally.refused = tally.refused.saturating_add(1);
            out::say(&format!("line {}: not taken: {}", row.line, reply.problem()));
            continue;
        }
        tally.count(row, &reply, now);
        if as_json {
            out::data(&reply.body.to_string());
        } else {
            let note = if reply.replayed { "taken before, at" } else { "taken at" };
            let (id, at) = (text(&reply.body, "id"), text(&reply.body, "created_at"));
            out::data(&format!("line {}: {id} {} {note} {at}", row.line, row.amount));
        }
    }
    let Tally { taken, known, refused, .. } = &tally;
    out::say(&format!("{} taken, {known} taken before, {refused} not taken", taken.len()));
    tally.verdict()
}

impl Tally {
    fn count(&mut self, row: &Row, reply: &Reply, now: Timestamp) {
        if !reply.replayed {
            self.taken.push(row.line);
            return;
        }
        self.known = self.known.saturating_add(1);
        let at = text(&reply.body, "created_at");
        let recent = |at| now.since(at) <= AGAIN_WITHIN;
        let old = !Timestamp::parse_rfc3339(&at).is_ok_and(recent);
        self.old = self.old.saturating_add(usize::from(old));
        // All times have one form, so that their order is that of their letters.
        if self.first_at.as_ref().is_none_or(|first| at < *first) {
            self.first_at = Some(at);
        }
    }

    /// Whether the file was paid as whoever submitted it may think that it was.
    fn verdict(&self) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        if self.refused > 0 {
            wrong.push(format!("{} rows were not taken", self.refused));
        }
        let first = self.first_at.as_deref().unwrap_or_default();
        let (known, old) = (self.known, self.old);
        let none_new = self.taken.is_empty() && self.refused == 0;
        let said = match (known, old) {
            (0, _) => None,
            _ if none_new => Some(format!(
                "nothing was paid: all {known} rows were taken before, the first at {first}"
            )),
            (_, 0) => None,
            _ => Some(format!(
                "{known} rows were not paid now: they were taken before, {old} of them more than \
                 24 hours ago, the first at {first}; new are {}",
                lines(&self.taken)
            )),
        };
        if let Some(said) = said {
            wrong.push(format!(
                "{said}. If this is another pay run, submit it with --run NAME, and a name that no \
                 run had before"
            ));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Failed(wrong.join("\n"))) }
    }
}

/// Lines, for people.
fn lines(lines: &[u64]) -> String {
    if lines.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<String> = lines.iter().take(LINES_SHOWN_MAX).map(u64::to_string).collect();
    let more = lines.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("the lines {}{more}", shown.join(", "))
}

/// Reads and checks every row before anything is sent: either all are good, or all that is wrong
/// is said.
fn read(file: &Path, run: &str, limits: AmountLimits) -> Result<Vec<Row>, Failure> {
    let cannot =
        |error: csv::Error| Failure::Failed(format!("{} cannot be read: {error}", file.display()));
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader
        .trim(csv::Trim::All)
        // A row that is too long or too short is one fault among others.
        .flexible(true)
        .from_path(file)
        .map_err(cannot)?;
    let head = reader.headers().map_err(cannot)?.clone();
    let faults = faults_of_head(&head);
    if !faults.is_empty() {
        return Err(nothing_sent(file, faults));
    }
    let mut faults = Vec::new();
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut rows = Vec::new();
    for (nth, record) in reader.records().enumerate() {
        if nth >= ROWS_MAX {
            faults.push(format!("there are more than {ROWS_MAX} rows; split the file"));
            break;
        }
        match record {
            Ok(record) => match check(&head, &record, limits) {
                Ok(mut row) => {
                    let nth = seen.entry(row.body.to_string()).or_default();
                    *nth = nth.saturating_add(1);
                    row.key = key(run, &row.body, *nth);
                    rows.push(row);
                }
                Err(wrong) => faults.extend(wrong),
            },
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.push(format!("line {line}: is no UTF-8 text; save the file as UTF-8"));
            }
            Err(error) => return Err(cannot(error)),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(nothing_sent(file, faults)) }
}

/// What is wrong with the names of the columns.
fn faults_of_head(head: &csv::StringRecord) -> Vec<String> {
    let mut faults = Vec::new();
    for (nth, name) in head.iter().enumerate() {
        if !COLUMNS.contains(&name) {
            faults.push(format!(
                "the column \"{name}\" is not known; known are {}",
                COLUMNS.join(", ")
            ));
        } else if head.iter().take(nth).any(|before| before == name) {
            faults.push(format!("the column \"{name}\" is there twice"));
        }
    }
    for needed in ["phone", "amount"] {
        if !head.iter().any(|name| name == needed) {
            faults.push(format!("the column \"{needed}\" is missing"));
        }
    }
    faults
}

fn nothing_sent(file: &Path, mut faults: Vec<String>) -> Failure {
    let more = faults.len().saturating_sub(FAULTS_SHOWN_MAX);
    faults.truncate(FAULTS_SHOWN_MAX);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    Failure::Failed(format!("{}: nothing was sent\n{}{more}", file.display(), faults.join("\n")))
}

/// The key of the `nth` row with this content in a run: renaming the file, sorting it, or editing
/// its other rows does not make it another payout.
fn key(run: &str, body: &Value, nth: u32) -> String {
    let named = json!([run.trim(), body, nth]).to_string();
    let digest = Sha256::digest(named.as_bytes());
    digest.iter().fold("csv-".to_owned(), |key, byte| format!("{key}{byte:02x}"))
}

/// Checks a row as the gateway itself will.
fn check(
    head: &csv::StringRecord,
    record: &csv::StringRecord,
    limits: AmountLimits,
) -> Result<Row, Vec<String>> {
    let line = record.position().map_or(0, csv::Position::line);
    if record.len() != head.len() {
        let (has, needs) = (record.len(), head.len());
        return Err(vec![format!(
            "line {line}: has {has} cells, and the head has {needs} columns"
        )]);
    }
    // An empty cell of a column that may be missing is as if it were.
    let needed = |name: &str| matches!(name, "phone" | "amount");
    let cells = head.iter().zip(record.iter());
    let cells = cells.filter(|(name, cell)| needed(name) || !cell.is_empty());
    let cells: Value = cells.map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect();
    let draft = read_payout(cells.to_string().as_bytes(), limits, Rail::Soap);
    let draft = draft.map_err(|problem| match problem.errors.as_slice() {
        [] => vec![format!("line {line}: {}", problem.detail)],
        faults => faults
            .iter()
            .map(|fault| format!("line {line}: {} {}", fault.field, fault.message))
            .collect(),
    })?;
    // However it was written, the same payout has the same body, and so the same key.
    let body = json!({
        "amount": draft.amount.to_string(),
        "phone": draft.phone.reveal(),
        "command": draft.command.as_str(),
        "reference": draft.reference,
        "remarks": draft.remarks,
        "occasion": draft.occasion,
    });
    Ok(Row { line, amount: draft.amount, body, key: String::new() })
}

fn total(rows: &[Row]) -> Amount {
    rows.iter().fold(Amount::ZERO, |sum, row| sum.checked_add(row.amount).unwrap_or(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
    const DAY: i64 = 24 * 60 * 60 * 1_000;

    /// What is said at the end of a file of which each line is new (`None`) or was taken so long
    /// ago.
    fn verdict(rows: &[Option<i64>]) -> String {
        let mut tally = Tally::default();
        for (line, ago) in (2..).zip(rows) {
            let row = Row { line, amount: Amount::ZERO, body: Value::Null, key: String::new() };
            let at = Timestamp::from_millis(NOW.millis().saturating_sub(ago.unwrap_or_default()));
            let body = json!({"created_at": at.rfc3339()});
            tally.count(&row, &Reply { status: 202, replayed: ago.is_some(), body }, NOW);
        }
        match tally.verdict() {
            Ok(()) => "done".to_owned(),
            Err(Failure::Failed(why) | Failure::Usage(why)) => why,
        }
    }

    #[test]
    fn a_file_that_is_paid_again_by_mistake_or_not_at_all_is_said() {
        assert_eq!(verdict(&[]), "done");
        assert_eq!(verdict(&[None, None]), "done");
        assert_eq!(verdict(&[Some(DAY), None]), "done", "a run that was cut off");
        let none = verdict(&[Some(1_000), Some(2_000)]);
        let words = "nothing was paid: all 2 rows were taken before, the first at \
                     2024-01-02T03:04:03.000Z. If this is another pay run, submit it with --run";
        assert!(none.starts_with(words), "{none}");
        let some = verdict(&[Some(DAY + 1), None, Some(0), None]);
        let words = "2 rows were not paid now: they were taken before, 1 of them more than 24 \
                     hours ago, the first at 2024-01-01T03:04:04.999Z; new are the lines 3, 5.";
        assert!(some.starts_with(words), "{some}");
    }

    #[test]
    fn a_rows_key_is_its_run_its_content_and_its_place_among_its_like() {
        let body = json!({"amount": "10.00"});
        let keys = [
            key("", &body, 1),
            key("", &body, 2),
            key("march", &body, 1),
            key("", &json!({"amount": "11.00"}), 1),
        ];
        let different: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(key(" march ", &body, 1), key("march", &body, 1));
        assert_eq!(keys[0].len(), 4 + 64);
    }
}
