//! The demo under a scenario: whatever M-Pesa does, the two books agree, or the gateway says that
//! it does not know yet.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{LOOK_EVERY, Outcome, Stage, field, ledger, paid_word, say_links, send, verdict};
use crate::cli::{Failure, out};
use crate::sim::scenario::Scenario;

/// How long it goes on at most.
const PATIENCE: Duration = Duration::from_secs(150);
/// So long without a change means that nothing more comes of it for now.
const STILL: Duration = Duration::from_secs(45);
/// How long a payout may take while all is well.
const WELL: Duration = Duration::from_secs(30);

/// Waits that hold also where a request is held for minutes, as scenarios have it.
pub(super) fn prepare(values: &mut [(&'static str, String)]) {
    for (name, value) in values {
        if *name == "payouts.on_not_found" {
            // What M-Pesa has not got yet it may still get: only the same id again is safe.
            *value = "\"resend\"".to_owned();
        }
    }
}

/// Sends the samples under a scenario, and shows where both books stand.
pub(super) async fn play(stage: &Stage, scenario: Scenario, as_json: bool) -> Result<(), Failure> {
    out::say(&format!(
        "gateway on {}; M-Pesa plays {}: {}",
        stage.base, scenario.name, scenario.says
    ));
    warm_up(stage).await?;
    stage.simulator.play(Some(scenario));
    // Every other one over Daraja: a scenario may be about one interface alone.
    let rail = |nth: usize, _sample: &_| if nth.is_multiple_of(2) { "soap" } else { "daraja" };
    let ids = send(stage, rail).await?;
    out::say("asking until nothing more changes …");
    let mut seen = (Vec::new(), Instant::now());
    let until = Instant::now().checked_add(PATIENCE);
    loop {
        let mut payouts = Vec::new();
        for (sample, id) in &ids {
            let reply = stage.client.get(&format!("/v1/payouts/{id}"), &[]).await?;
            payouts.push((*sample, reply.body));
        }
        let now: Vec<String> =
            payouts.iter().map(|(_, payout)| field(payout, "status").to_owned()).collect();
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        let settled = seen.0.iter().all(|status| is_final(status));
        let is_over = until.is_none_or(|until| Instant::now() >= until);
        if settled || is_over || seen.1.elapsed() >= STILL {
            // The ledger is read after the payouts: what is final by then stays so.
            let ledger = ledger(stage).await?;
            let entry =
                |payout: &Value| ledger.get(field(payout, "originator_conversation_id")).cloned();
            let outcomes: Vec<Outcome> = payouts
                .into_iter()
                .map(|(sample, payout)| Outcome { sample, entry: entry(&payout), payout })
                .collect();
            return tell(stage, &outcomes, as_json).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A payout over each rail while all is well: until M-Pesa has shown that it takes our credentials,
/// a gateway sends one message at a time, and the scenario would meet no more than that.
async fn warm_up(stage: &Stage) -> Result<(), Failure> {
    for rail in ["soap", "daraja"] {
        let body = json!({"amount": "10.00", "phone": "254722123450", "rail": rail,
                          "reference": "DEMO-WARM-UP", "remarks": "demo"});
        let reply = stage.client.post("/v1/payouts", &format!("warm-up-{rail}"), &body).await?;
        let path = format!("/v1/payouts/{}", field(&reply.body, "id"));
        let until = Instant::now().checked_add(WELL);
        while field(&stage.client.get(&path, &[]).await?.body, "status") != "succeeded" {
            if until.is_none_or(|until| Instant::now() >= until) {
                let why = format!("the rail {rail} pays nobody, before the scenario begins");
                return Err(Failure::Failed(why));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

fn is_final(status: &str) -> bool {
    matches!(status, "succeeded" | "failed" | "cancelled")
}

async fn tell(stage: &Stage, outcomes: &[Outcome], as_json: bool) -> Result<(), Failure> {
    let mut faults: Vec<String> = outcomes.iter().filter_map(disagreement).collect();
    faults.extend(twice(stage, outcomes));
    report(outcomes, as_json);
    if !as_json {
        met(stage);
        say_links(stage).await?;
        let known = outcomes.iter().filter(|outcome| is_final(field(&outcome.payout, "status")));
        let (known, all) = (known.count(), outcomes.len());
        let open = all.saturating_sub(known);
        if faults.is_empty() {
            out::data(&format!(
                "The two books agree: {known} of {all} payouts are settled, and M-Pesa's ledger says \
                 the same of each.\n{open} are not settled yet, and are called neither paid nor \
                 failed."
            ));
        }
    }
    verdict(&faults)
}

/// Where the gateway says something for ever that M-Pesa's ledger does not say.
fn disagreement(outcome: &Outcome) -> Option<String> {
    let Outcome { sample, payout, entry } = outcome;
    let status = field(payout, "status");
    let what = match (status, entry) {
        ("succeeded", None) => "succeeded here, and not in M-Pesa's ledger".to_owned(),
        ("succeeded", Some(entry)) => {
            let differs = |name: &&str| field(entry, name) != field(payout, name);
            let name = ["receipt", "amount", "phone"].into_iter().find(|name| differs(name))?;
            format!("the {name} differs from M-Pesa's ledger")
        }
        ("failed" | "cancelled" | "queued" | "awaiting_approval", Some(_)) => {
            format!("{status} here, and paid in M-Pesa's ledger")
        }
        _in_doubt => return None,
    };
    Some(format!("{}: {what}", sample.phone))
}

/// What M-Pesa paid more than once.
fn twice(stage: &Stage, outcomes: &[Outcome]) -> Vec<String> {
    let entries = stage.simulator.ledger().entries;
    let times = |name: &str| {
        entries.iter().filter(|entry| &*entry.originator_conversation_id == name).count()
    };
    let name = |outcome: &Outcome| field(&outcome.payout, "originator_conversation_id").to_owned();
    let paid = outcomes.iter().filter(|outcome| times(&name(outcome)) > 1);
    paid.map(|outcome| format!("{}: paid twice", outcome.sample.phone)).collect()
}

fn report(outcomes: &[Outcome], as_json: bool) {
    if as_json {
        let rows: Vec<Value> = outcomes
            .iter()
            .map(|Outcome { payout, entry, .. }| json!({"payout": payout, "ledger": entry}))
            .collect();
        out::data(&json!({ "data": rows }).to_string());
        return;
    }
    let row = |Outcome { sample, payout, entry }: &Outcome| {
        let why = payout.get("failure").filter(|failure| failure.is_object());
        let receipt = || field(payout, "receipt").to_owned();
        let detail = why.map_or_else(receipt, |why| format!("code {}", field(why, "code")));
        vec![
            sample.phone.to_owned(),
            format!("{:>10}", sample.amount),
            field(payout, "rail").to_owned(),
            field(payout, "status").to_owned(),
            detail,
            paid_word(entry.is_some()).to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = outcomes.iter().map(row).collect();
    let head = ["phone", "    amount", "rail", "the gateway says", "receipt", "M-Pesa's ledger"];
    out::data(&out::table(&head, &rows));
    out::data("");
}

/// Which rules met how many requests.
fn met(stage: &Stage) {
    let rows: Vec<Vec<String>> = stage
        .simulator
        .scenario_lines()
        .iter()
        .map(|line| vec![format!("{:>4}", line.hits), line.rule.name.clone()])
        .collect();
    out::data(&out::table(&["hits", "rule"], &rows));
    out::data("");
}
