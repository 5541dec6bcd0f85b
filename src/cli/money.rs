//! `mlango payments`, `stk`, `inquiries`, `c2b`: money in from the shell, by way of the REST API.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::rails::word;
use super::show::{array, expect, show, text};
use super::{Context, Failure, out};
use crate::ids::random;

/// Where the gateway is, and with which key.
#[derive(Debug, Args)]
pub(super) struct Door {
    /// The gateway; without it, the one that the configuration describes.
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// A file whose first line is the API key; without it, the variable `MLANGO_API_KEY`.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Door {
    pub(super) fn open(&self, context: &Context) -> Result<Client, Failure> {
        Client::open(context, self.url.as_deref(), self.key_file.as_deref())
    }
}

#[derive(Debug, Args)]
pub(super) struct Payments {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    command: PaymentsCommand,
}

#[derive(Debug, Subcommand)]
enum PaymentsCommand {
    /// List payments, newest first.
    List(List),
    /// Show one payment and its history.
    Show {
        /// Its id, `pay_…`.
        id: String,
    },
    /// Whether something was paid. Exit code 1 when it was not.
    Verify(Verify),
    /// Claim a payment, so that it is delivered for once. Exit code 1 when somebody has it.
    Claim {
        /// Its id, `pay_…`.
        id: String,
        /// What is delivered for it.
        #[arg(long)]
        purpose: String,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only those that came about like this: stk or c2b.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only those that stand here, such as unknown.
    #[arg(long)]
    status: Option<String>,
    /// Only those with this reference.
    #[arg(long)]
    reference: Option<String>,
    /// Only those to this account.
    #[arg(long)]
    account: Option<String>,
    /// Only those from this phone.
    #[arg(long)]
    phone: Option<String>,
    /// Only the one with this receipt.
    #[arg(long)]
    receipt: Option<String>,
    /// Only those that are claimed, or only those that are not.
    #[arg(long)]
    claimed: Option<bool>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: u16,
    /// Go on where the last page ended.
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Verify {
    /// By M-Pesa's receipt.
    #[arg(long)]
    receipt: Option<String>,
    /// By reference.
    #[arg(long)]
    reference: Option<String>,
    /// By M-Pesa's id of the prompt.
    #[arg(long, value_name = "ID")]
    checkout_request_id: Option<String>,
}

/// What a list shows of a payment.
const PAYMENT_COLUMNS: [&str; 8] =
    ["id", "type", "status", "amount", "phone", "account", "receipt", "created_at"];

impl Payments {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.door.open(context)?;
        match self.command {
            PaymentsCommand::List(list) => list.run(&client, context.json).await,
            PaymentsCommand::Show { id } => {
                let path = format!("/v1/payments/{}", word(&id)?);
                show(&client, "payment", &path, context.json).await
            }
            PaymentsCommand::Verify(verify) => verify.run(&client, context.json).await,
            PaymentsCommand::Claim { id, purpose } => {
                let path = format!("/v1/payments/{}/claim", word(&id)?);
                let reply = client.act(&path, &json!({"purpose": purpose})).await?;
                report(&expect(reply, 200)?.body, "it is yours to deliver for", context.json);
                Ok(())
            }
        }
    }
}

impl List {
    async fn run(self, client: &Client, as_json: bool) -> Result<(), Failure> {
        let mut query = vec![("limit", self.limit.to_string()), ("order", "desc".to_owned())];
        let filters = [
            ("type", self.kind),
            ("status", self.status),
            ("reference", self.reference),
            ("account", self.account),
            ("phone", self.phone),
            ("receipt", self.receipt),
            ("claimed", self.claimed.map(|claimed| claimed.to_string())),
            ("cursor", self.cursor),
        ];
        query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let reply = expect(client.get("/v1/payments", &query).await?, 200)?;
        listed(&reply.body, &PAYMENT_COLUMNS, as_json);
        Ok(())
    }
}

impl Verify {
    async fn run(self, client: &Client, as_json: bool) -> Result<(), Failure> {
        let by = [
            ("receipt", self.receipt),
            ("reference", self.reference),
            ("checkout_request_id", self.checkout_request_id),
        ];
        let query: Vec<(&str, String)> =
            by.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let found = expect(client.get("/v1/payments/verify", &query).await?, 200)?.body;
        let paid = found.get("paid").and_then(Value::as_bool).unwrap_or_default();
        if as_json {
            out::data(&found.to_string());
        } else if let Some(payment) = found.get("payment").filter(|payment| payment.is_object()) {
            report(payment, if paid { "it is paid" } else { "it is not paid" }, false);
        }
        if paid { Ok(()) } else { Err(Failure::Failed("no such payment is paid".to_owned())) }
    }
}

#[derive(Debug, Args)]
pub(super) struct Stk {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    command: StkCommand,
}

#[derive(Debug, Subcommand)]
enum StkCommand {
    /// Have a payer's phone show a prompt.
    Push(Push),
    /// Have M-Pesa asked now how a prompt ended.
    Query {
        /// The payment's id, `pay_…`.
        id: String,
    },
}

#[derive(Debug, Args)]
struct Push {
    /// How much, in whole shillings.
    #[arg(long)]
    amount: String,
    /// Whose phone.
    #[arg(long)]
    phone: String,
    /// What it is for, shown on the prompt: at most 12 characters.
    #[arg(long)]
    reference: String,
    /// More words, for M-Pesa: at most 13 characters.
    #[arg(long, default_value = "")]
    description: String,
    /// The Idempotency-Key: with the same key and the same words there is one prompt, however often
    /// this is run. Without it, each run prompts.
    #[arg(long)]
    key: Option<String>,
}

impl Stk {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.door.open(context)?;
        match self.command {
            StkCommand::Push(push) => {
                let key = push.key.map_or_else(fresh_key, Ok)?;
                let body = json!({
                    "amount": push.amount, "phone": push.phone, "reference": push.reference,
                    "description": push.description,
                });
                let reply = expect(client.post("/v1/stk-pushes", &key, &body).await?, 202)?;
                let note = "on the disk; look with `mlango payments show`";
                report(&reply.body, note, context.json);
            }
            StkCommand::Query { id } => {
                let path = format!("/v1/stk-pushes/{}/query", word(&id)?);
                let reply = expect(client.act(&path, &Value::Null).await?, 202)?;
                let note = "M-Pesa is asked now; look again in a few seconds";
                report(&reply.body, note, context.json);
            }
        }
        Ok(())
    }
}

/// A key that was never used.
pub(super) fn fresh_key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    random(&mut bytes).map_err(Failure::Failed)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[derive(Debug, Args)]
pub(super) struct Inquiries {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    command: InquiriesCommand,
}

#[derive(Debug, Subcommand)]
enum InquiriesCommand {
    /// List inquiries, newest first.
    List {
        /// Only those that stand here, such as unknown.
        #[arg(long)]
        status: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// Go on where the last page ended.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one inquiry and its history.
    Show {
        /// Its id, `inq_…`.
        id: String,
    },
}

impl Inquiries {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.door.open(context)?;
        match self.command {
            InquiriesCommand::List { status, limit, cursor } => {
                let mut query = vec![("limit", limit.to_string()), ("order", "desc".to_owned())];
                query.extend(status.map(|status| ("status", status)));
                query.extend(cursor.map(|cursor| ("cursor", cursor)));
                let reply = expect(client.get("/v1/inquiries", &query).await?, 200)?;
                let columns = ["id", "type", "status", "rail", "shortcode", "created_at"];
                listed(&reply.body, &columns, context.json);
                Ok(())
            }
            InquiriesCommand::Show { id } => {
                let path = format!("/v1/inquiries/{}", word(&id)?);
                show(&client, "inquiry", &path, context.json).await
            }
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct C2b {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    command: C2bCommand,
}

#[derive(Debug, Subcommand)]
enum C2bCommand {
    /// Take in references that somebody is expected to pay, from a CSV file. Its columns are
    /// `reference`, `amount`, `phone`, `expires_at` and `times`. All rows are taken, or none and
    /// every bad one is named.
    Expect {
        /// The file.
        file: PathBuf,
    },
}

impl C2b {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.door.open(context)?;
        let C2bCommand::Expect { file } = self.command;
        let rows = std::fs::read(&file).map_err(|error| {
            Failure::Failed(format!("{} cannot be read: {error}", file.display()))
        })?;
        let reply = client.post_csv("/v1/c2b/expected-references", rows).await?;
        let taken = expect(reply, 200)?.body;
        if context.json {
            out::data(&taken.to_string());
        } else {
            out::say(&format!("{} references are expected", text(&taken, "taken")));
        }
        Ok(())
    }
}

/// Where something stands after something was done to it.
fn report(payment: &Value, note: &str, as_json: bool) {
    if as_json {
        out::data(&payment.to_string());
        return;
    }
    let part = |name| text(payment, name);
    let line = [part("id"), part("amount"), part("status"), part("receipt")].join(" ");
    out::data(line.trim_end());
    out::say(note);
}

/// A page of a list.
fn listed(page: &Value, columns: &[&str], as_json: bool) {
    if as_json {
        out::data(&page.to_string());
        return;
    }
    let row = |item: &Value| columns.iter().map(|name| text(item, name)).collect();
    let rows: Vec<Vec<String>> = array(page, "data").map(row).collect();
    out::data(&out::table(columns, &rows));
    if let Some(next) = page.get("next_cursor").and_then(Value::as_str) {
        out::say(&format!("more: --cursor {next}"));
    }
}
