//! The demo's money in: prompts on customers' phones, and customers who pay by themselves.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{LOOK_EVERY, PATIENCE, Stage, field};
use crate::cli::Failure;
use crate::cli::out;

/// Our number that customers pay.
const SHORTCODE: &str = "174379";

/// A prompt of the demo, and where it should come to stand.
struct Prompt {
    /// What the phone ends in (contract, part 4).
    ends_in: &'static str,
    story: &'static str,
    ends: &'static str,
}

const PROMPTS: [Prompt; 3] = [
    Prompt { ends_in: "3456", story: "a prompt, answered with the PIN", ends: "succeeded" },
    Prompt { ends_in: "0010", story: "a prompt that is cancelled", ends: "failed" },
    Prompt { ends_in: "0011", story: "a prompt that nobody answers", ends: "failed" },
];

/// What came in.
pub(super) struct MoneyIn {
    /// Each payment, as the gateway tells it.
    pub(super) payments: Vec<Value>,
    /// The same for a table, with what happened.
    pub(super) rows: Vec<Vec<String>>,
    /// What is not as it should be.
    pub(super) faults: Vec<String>,
}

/// A phone of its own in each run: M-Pesa takes the same amount of a phone once in two minutes.
fn phone(stage: &Stage, prompt: &Prompt) -> String {
    let seconds = stage.gateway.started_at().millis().checked_div(1_000).unwrap_or_default();
    format!("25472{:03}{}", seconds.rem_euclid(1_000), prompt.ends_in)
}

/// Prompts and payments, and what became of each.
pub(super) async fn play(stage: &Stage) -> Result<MoneyIn, Failure> {
    out::say("prompting customers, and letting one pay by himself \u{2026}");
    register(stage).await?;
    let mut ids = Vec::new();
    for (nth, prompt) in PROMPTS.iter().enumerate() {
        let body = json!({
            "amount": "10.00",
            "phone": phone(stage, prompt),
            "reference": format!("ORDER{nth:02}"),
            "description": "Subscription",
        });
        let reply = stage.client.post("/v1/stk-pushes", &format!("prompt-{nth}"), &body).await?;
        let id = reply.body.get("id").and_then(Value::as_str).map(str::to_owned);
        let refused =
            || Failure::Failed(format!("{} was not prompted: {}", prompt.ends_in, reply.problem()));
        ids.push(id.ok_or_else(refused)?);
    }
    let bill = json!({
        "shortcode": SHORTCODE,
        "phone": "254733123458",
        "amount": "2500.00",
        "account": "INV-77",
        "kind": "paybill",
        "names": ["AMINA", "", "OTIENO"],
    });
    let paid = stage.mpesa.post("/sim/c2b", "bill", &bill).await?.body;
    let receipt = field(&paid, "receipt").to_owned();
    let (prompts, c2b) = settle(stage, &ids, &receipt).await?;
    let mut faults = Vec::new();
    let mut rows = Vec::new();
    for (prompt, payment) in PROMPTS.iter().zip(&prompts) {
        check(prompt.story, payment, prompt.ends, &mut faults);
        rows.push(row(prompt.story, payment));
    }
    check("a customer pays", &c2b, "succeeded", &mut faults);
    rows.push(row("a customer pays by himself", &c2b));
    compare(stage, prompts.iter().chain([&c2b]), &mut faults).await?;
    let payments = prompts.into_iter().chain([c2b]).collect();
    Ok(MoneyIn { payments, rows, faults })
}

/// M-Pesa is told where its notices go, and the answer is waited for.
async fn register(stage: &Stage) -> Result<(), Failure> {
    let body = json!({ "shortcode": SHORTCODE, "response_type": "Completed", "rail": "daraja" });
    let taken = stage.client.post("/v1/c2b/register-urls", "register", &body).await?;
    let id = field(&taken.body, "id").to_owned();
    if id.is_empty() {
        return Err(Failure::Failed(format!("addresses were not taken: {}", taken.problem())));
    }
    let patient_until = Instant::now().checked_add(PATIENCE);
    loop {
        let inquiry = stage.client.get(&format!("/v1/inquiries/{id}"), &[]).await?.body;
        match field(&inquiry, "status") {
            "succeeded" => return Ok(()),
            "failed" | "unknown" => {
                return Err(Failure::Failed(format!("addresses were not registered: {inquiry}")));
            }
            _ if patient_until.is_none_or(|until| Instant::now() >= until) => {
                return Err(Failure::Failed("addresses are not registered yet".to_owned()));
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Waits until every payment stands where it should, or patience ends.
async fn settle(
    stage: &Stage,
    ids: &[String],
    receipt: &str,
) -> Result<(Vec<Value>, Value), Failure> {
    let patient_until = Instant::now().checked_add(PATIENCE);
    loop {
        let mut prompts = Vec::new();
        for id in ids {
            prompts.push(stage.client.get(&format!("/v1/payments/{id}"), &[]).await?.body);
        }
        let asked = [("receipt", receipt.to_owned())];
        let verified = stage.client.get("/v1/payments/verify", &asked).await?.body;
        let c2b = verified.get("payment").cloned().unwrap_or_default();
        let settled = PROMPTS.iter().zip(&prompts).all(|(it, now)| field(now, "status") == it.ends)
            && field(&c2b, "status") == "succeeded";
        if settled || patient_until.is_none_or(|until| Instant::now() >= until) {
            return Ok((prompts, c2b));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn check(story: &str, payment: &Value, ends: &str, faults: &mut Vec<String>) {
    let status = field(payment, "status");
    if status != ends {
        faults.push(format!("{story}: stands at \"{status}\", and should stand at {ends}"));
    }
}

/// M-Pesa's book holds each payment that we say came in, once, and no other that came in.
async fn compare(
    stage: &Stage,
    payments: impl Iterator<Item = &Value>,
    faults: &mut Vec<String>,
) -> Result<(), Failure> {
    let ours: Vec<(String, String)> = payments
        .filter(|payment| field(payment, "status") == "succeeded")
        .map(|payment| (field(payment, "receipt").to_owned(), field(payment, "amount").to_owned()))
        .collect();
    let limit = [("limit", super::LEDGER_ROWS.to_string())];
    let ledger = stage.mpesa.get("/sim/ledger", &limit).await?.body;
    let entries = ledger.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let theirs: Vec<(String, String)> = entries
        .iter()
        .filter(|entry| matches!(field(entry, "kind"), "stk" | "c2b"))
        .map(|entry| (field(entry, "receipt").to_owned(), field(entry, "amount").to_owned()))
        .collect();
    for payment in &ours {
        if !theirs.contains(payment) {
            faults.push(format!("{}: in the gateway's book, and not in M-Pesa's", payment.0));
        }
    }
    for payment in &theirs {
        if !ours.contains(payment) {
            faults.push(format!("{}: in M-Pesa's book, and not in the gateway's", payment.0));
        }
    }
    Ok(())
}

fn row(story: &str, payment: &Value) -> Vec<String> {
    let why = payment.get("failure").filter(|failure| failure.is_object());
    let detail = why.map_or_else(
        || field(payment, "receipt").to_owned(),
        |failure| format!("code {}", field(failure, "code")),
    );
    let amount = format!("{:>10}", field(payment, "amount"));
    let (kind, status) = (field(payment, "type").to_owned(), field(payment, "status").to_owned());
    vec![kind, amount, story.to_owned(), status, detail]
}
