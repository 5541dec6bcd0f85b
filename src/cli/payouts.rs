//! `mlango payouts`: from the shell, by way of the REST API.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::client::{Client, Reply};
use super::{Context, Failure, out};
use crate::domain::limit::{OCCASION_LEN_MAX, REFERENCE_LEN_MAX, REMARKS_LEN_MAX};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::Command as Kind;

/// The most rows of one file.
const ROWS_MAX: usize = 100_000;
/// The most faults of a file that are shown.
const FAULTS_SHOWN_MAX: usize = 50;
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
    /// (and, if you like, occasion and command). A row that was taken before is not paid again.
    Submit {
        /// The file.
        file: PathBuf,
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
        if let Command::Submit { file, dry_run: true } = &self.command {
            let rows = read(file)?;
            let sum = total(&rows);
            out::say(&format!("{} rows are good: {sum} in all. Nothing was sent", rows.len()));
            return Ok(());
        }
        let client = Client::open(context, self.url.as_deref(), self.key_file.as_deref())?;
        match self.command {
            Command::Submit { file, .. } => submit(&client, &file, context.json).await,
            Command::List(list) => list.run(&client, context.json).await,
            Command::Show { id } => show(&client, &id, context.json).await,
        }
    }
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

async fn show(client: &Client, id: &str, as_json: bool) -> Result<(), Failure> {
    let path = format!("/v1/payouts/{id}");
    let payout = expect(client.get(&path, &[]).await?, 200)?.body;
    let events = expect(client.get(&format!("{path}/events"), &[]).await?, 200)?.body;
    if as_json {
        let events = events.get("data").cloned().unwrap_or_default();
        out::data(&json!({"payout": payout, "events": events}).to_string());
        return Ok(());
    }
    for (name, value) in payout.as_object().into_iter().flatten() {
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

/// A row of a file, checked.
#[derive(Debug)]
struct Row {
    line: u64,
    amount: Amount,
    body: Value,
    key: String,
}

async fn submit(client: &Client, file: &Path, as_json: bool) -> Result<(), Failure> {
    let rows = read(file)?;
    let (mut taken, mut known, mut refused) = (0_usize, 0_usize, 0_usize);
    for row in &rows {
        let reply = client.post("/v1/payouts", &row.key, &row.body).await.map_err(|failure| {
            let (Failure::Failed(why) | Failure::Usage(why)) = failure;
            Failure::Failed(format!(
                "{why}\nstopped at line {}: {taken} rows are taken, {known} were taken before. \
                 Run the same file again: what is taken is not paid twice",
                row.line
            ))
        })?;
        if reply.status != 202 {
            refused = refused.saturating_add(1);
            out::say(&format!("line {}: not taken: {}", row.line, reply.problem()));
            continue;
        }
        let count = if reply.replayed { &mut known } else { &mut taken };
        *count = count.saturating_add(1);
        if as_json {
            out::data(&reply.body.to_string());
        } else {
            let note = if reply.replayed { "taken before, at" } else { "taken at" };
            let (id, at) = (text(&reply.body, "id"), text(&reply.body, "created_at"));
            out::data(&format!("line {}: {id} {} {note} {at}", row.line, row.amount));
        }
    }
    out::say(&format!("{taken} taken, {known} taken before, {refused} not taken"));
    if refused == 0 {
        Ok(())
    } else {
        Err(Failure::Failed(format!("{refused} rows were not taken")))
    }
}

/// Reads and checks every row before anything is sent: either all are good, or all that is wrong
/// is said.
fn read(file: &Path) -> Result<Vec<Row>, Failure> {
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
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut faults = Vec::new();
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut rows = Vec::new();
    for (nth, record) in reader.records().enumerate() {
        if nth >= ROWS_MAX {
            faults.push(format!("there are more than {ROWS_MAX} rows; split the file"));
            break;
        }
        match record {
            Ok(record) => match check(&head, &record) {
                Ok(mut row) => {
                    // The n-th row of this file with just this content: editing other rows, or
                    // sorting them, does not make it another payout.
                    let content = format!("{name}\n{}", row.body);
                    let nth = seen.entry(content.clone()).or_default();
                    *nth = nth.saturating_add(1);
                    let digest = Sha256::digest(format!("{content}\n{nth}").as_bytes());
                    let key: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                    row.key = format!("csv-{key}");
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

fn check(head: &csv::StringRecord, record: &csv::StringRecord) -> Result<Row, Vec<String>> {
    let line = record.position().map_or(0, csv::Position::line);
    if record.len() != head.len() {
        let (has, needs) = (record.len(), head.len());
        return Err(vec![format!(
            "line {line}: has {has} cells, and the head has {needs} columns"
        )]);
    }
    let cells: HashMap<&str, &str> = head.iter().zip(record.iter()).collect();
    let cell = |name: &str| cells.get(name).copied().unwrap_or_default();
    let mut faults = Vec::new();
    let mut fault = |name: &str, what: String| faults.push(format!("line {line}: {name} {what}"));
    let amount = cell("amount").parse::<Amount>();
    if let Err(error) = &amount {
        fault("amount", error.to_string());
    }
    if let Err(error) = cell("phone").parse::<Msisdn>() {
        fault("phone", error.to_string());
    }
    if !cell("command").is_empty()
        && let Err(error) = cell("command").parse::<Kind>()
    {
        fault("command", error.to_string());
    }
    let lengths = [
        ("reference", REFERENCE_LEN_MAX),
        ("remarks", REMARKS_LEN_MAX),
        ("occasion", OCCASION_LEN_MAX),
    ];
    for (name, most) in lengths {
        if cell(name).chars().count() > most {
            fault(name, format!("has more than {most} characters"));
        }
    }
    let Ok(amount) = amount else {
        return Err(faults);
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut body = json!({"amount": cell("amount"), "phone": cell("phone")});
    if let Some(body) = body.as_object_mut() {
        for name in ["reference", "remarks", "occasion", "command"] {
            if !cell(name).is_empty() {
                body.insert(name.to_owned(), Value::from(cell(name)));
            }
        }
    }
    Ok(Row { line, amount, body, key: String::new() })
}

fn total(rows: &[Row]) -> Amount {
    rows.iter().fold(Amount::ZERO, |sum, row| sum.checked_add(row.amount).unwrap_or(sum))
}

fn expect(reply: Reply, status: u16) -> Result<Reply, Failure> {
    if reply.status == status { Ok(reply) } else { Err(Failure::Failed(reply.problem())) }
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
