//! `mlango demo`: simulator and gateway together, and what became of each kind of payout.
//!
//! Everything goes over real sockets and the real wire formats. What stands in the table is read
//! from the gateway's API and from the simulator's ledger, and compared.

mod encrypted;
mod money_in;
mod scenario;

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::money_in::MoneyIn;
use super::client::{Client, base_of};
use super::{Asked, Context, Failure, init, out, scenarios, simulate};
use crate::app::Gateway;
use crate::config::section::Log;
use crate::config::{Environment, Source};
use crate::domain::money::Amount;
use crate::sim::{Delivery, Running, SmsSettings};
use crate::store::Scope;
use crate::telemetry;

/// What payers are told; set in the demo's configuration.
const THANKS: &str = "\"Hello {first_name}, we have received your payment of {amount} for \
    {account}. {receipt}\"";
/// How long every payout may take to come to where it should stand.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// More than the demo ever pays.
const LEDGER_ROWS: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End when every payout is where it should be: exit code 0 then, and 1 if one is not.
    #[arg(long)]
    once: bool,
    /// Run everything over TLS, with certificates on both sides between gateway and M-Pesa. Needs
    /// the openssl program, which makes them.
    #[arg(long)]
    tls: bool,
    /// Send the payouts while M-Pesa plays a scenario that ships, or one in a file, and show
    /// whether the two books agree.
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// Keep configuration and data there; without it they are thrown away at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A payout of the demo, and where it should come to stand.
struct Sample {
    phone: &'static str,
    amount: &'static str,
    story: &'static str,
    ends: &'static str,
    /// Whether M-Pesa's ledger should show it.
    paid: bool,
    /// Which way it goes.
    rail: &'static str,
}

const fn sample(
    phone: &'static str,
    amount: &'static str,
    story: &'static str,
    ends: &'static str,
    paid: bool,
) -> Sample {
    Sample { phone, amount, story, ends, paid, rail: "soap" }
}

/// The contract's phones (part 4), and ordinary ones.
const SAMPLES: [Sample; 13] = [
    sample("254722123456", "1500.00", "an ordinary payout", "succeeded", true),
    sample("254110123457", "25000.00", "an ordinary payout", "succeeded", true),
    sample("254733123458", "10.00", "an ordinary payout, the smallest", "succeeded", true),
    Sample {
        rail: "daraja",
        ..sample("254722123459", "1200.00", "an ordinary payout, over Daraja", "succeeded", true)
    },
    sample("254722000001", "100.00", "M-Pesa refuses it at once", "failed", false),
    sample("254722000002", "200.00", "taken, then: recipient can't take it", "failed", false),
    sample("254722000003", "300.00", "taken, then: insufficient funds", "failed", false),
    sample(
        "254722000004",
        "400.00",
        "paid; the answer is lost, the result comes",
        "succeeded",
        true,
    ),
    sample("254722000005", "500.00", "paid; no result comes: M-Pesa is asked", "succeeded", true),
    sample("254722000006", "600.00", "the result comes before the answer", "succeeded", true),
    sample("254722000007", "700.00", "the result comes twice", "succeeded", true),
    sample(
        "254722000008",
        "800.00",
        "paid; nothing comes at all: M-Pesa is asked",
        "succeeded",
        true,
    ),
    sample("254722000009", "900.00", "the line drops: M-Pesa, asked, has none", "failed", false),
];

/// A demo that runs.
struct Stage {
    gateway: Gateway,
    simulator: Running,
    client: Client,
    mpesa: Client,
    key: String,
    file: PathBuf,
    /// Where the API is.
    base: String,
}

/// What became of a sample.
struct Outcome {
    sample: &'static Sample,
    payout: Value,
    /// M-Pesa's own entry for it.
    entry: Option<Value>,
}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if context.config.is_some() {
            let why = "demo makes its own configuration; --dir DIR keeps it";
            return Err(Failure::Usage(why.to_owned()));
        }
        if self.scenario.as_deref() == Some("?") {
            scenarios::list(context.json);
            return Ok(());
        }
        let scenario = self.scenario.as_deref().map(scenarios::find).transpose()?;
        let scratch = match &self.dir {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(Failure::failed)?),
        };
        let dir = match (&self.dir, &scratch) {
            (Some(dir), _) => dir.clone(),
            (None, Some(scratch)) => scratch.path().to_owned(),
            (None, None) => PathBuf::from("."),
        };
        let stage = set_up(&dir, self.tls, scenario.is_some()).await?;
        let verdict = match scenario {
            Some(scenario) => scenario::play(&stage, scenario, context.json).await,
            None => play(&stage, context.json).await,
        };
        if !self.once && verdict.is_ok() {
            stay(&stage, Asked::listen()?).await;
        }
        let Stage { gateway, simulator, .. } = stage;
        gateway.drain().await;
        simulator.shutdown().await;
        verdict
    }
}

async fn set_up(dir: &Path, tls: bool, under_scenario: bool) -> Result<Stage, Failure> {
    let file = dir.join("mlango.toml");
    if !file.exists() {
        let mut values = overrides()?;
        if under_scenario {
            scenario::prepare(&mut values);
        }
        if tls {
            values = encrypted::overrides(dir, values)?;
        }
        init::write(dir, &values)?;
    }
    let open = || Source::open(Some(&file), Environment::default());
    let simulate = open()?.simulate()?.config;
    let serve = open()?.serve()?.config;
    // What goes wrong in a demo is to be seen.
    let log = Log { file: None, ..serve.log.clone() };
    let _log = telemetry::log::init(&log).map_err(|error| Failure::Usage(error.to_string()))?;
    let settings = simulate::settings(&simulate, simulate::fresh_seed(), Delivery::default())?;
    let simulator = simulate::start(settings, simulate::encryption(&simulate)).await?;
    let gateway = Gateway::start(&serve).await.map_err(Failure::failed)?;
    // A name of its own for each run: with --dir, the store remembers those before.
    let name = format!("demo {}", gateway.started_at());
    let scopes = [
        Scope::PayoutsWrite,
        Scope::PayoutsRead,
        Scope::PaymentsWrite,
        Scope::PaymentsRead,
        Scope::Admin,
    ];
    let key = gateway.create_app(&name, &scopes).await.map_err(Failure::failed)?;
    let base = base_of(gateway.api, serve.api.tls.is_some());
    let client = Client::to(base.clone(), key.clone(), serve.api.tls_ca.as_deref())?;
    let mpesa = Client::to(base_of(simulator.addr, false), String::new(), None)?;
    Ok(Stage { gateway, simulator, client, mpesa, key, file, base })
}

/// What differs from a fresh configuration: free ports, and waits short enough to watch.
fn overrides() -> Result<Vec<(&'static str, String)>, Failure> {
    let (api, callbacks, broker) = (free_port(8080)?, free_port(8081)?, free_port(8310)?);
    let address = |port: u16| format!("\"127.0.0.1:{port}\"");
    let texts = SmsSettings::default();
    Ok(vec![
        ("api.listen", address(api)),
        ("callbacks.listen", address(callbacks)),
        ("callbacks.public_url", format!("\"http://127.0.0.1:{callbacks}\"")),
        ("callbacks.allow", "[\"127.0.0.0/8\"]".to_owned()),
        ("broker.url", format!("\"http://127.0.0.1:{broker}\"")),
        ("broker.timeout", "\"2s\"".to_owned()),
        ("payouts.result_overdue", "\"3s\"".to_owned()),
        ("payouts.arrival_window", "\"2s\"".to_owned()),
        ("payouts.cached_window", "\"2s\"".to_owned()),
        ("payouts.inquiry_intervals", "[\"1s\", \"2s\", \"2s\", \"5s\"]".to_owned()),
        // Sent again under its id it would be lost again, three times: too long to watch.
        ("payouts.on_not_found", "\"fail\"".to_owned()),
        ("simulator.listen", address(broker)),
        ("daraja.url", format!("\"http://127.0.0.1:{broker}\"")),
        ("daraja.timeout", "\"2s\"".to_owned()),
        ("sms.url", format!("\"http://127.0.0.1:{broker}/version1/messaging\"")),
        ("sms.username", format!("\"{}\"", texts.username)),
        ("sms.api_key", format!("\"{}\"", texts.api_key)),
        ("sms.templates.payment_received", THANKS.to_owned()),
        ("log.level", "\"error\"".to_owned()),
    ])
}

/// The port that the README speaks of, or any free one where another program has it.
pub(super) fn free_port(wanted: u16) -> Result<u16, Failure> {
    let bound = TcpListener::bind(("127.0.0.1", wanted));
    bound
        .or_else(|_taken| TcpListener::bind(("127.0.0.1", 0)))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::Failed(format!("no free port on 127.0.0.1: {error}")))
}

/// How the ways between the two are encrypted.
async fn say_links(stage: &Stage) -> Result<(), Failure> {
    let reply = stage.client.get("/v1/rails", &[]).await?;
    let rails = reply.body.get("data").and_then(Value::as_array);
    for rail in rails.into_iter().flatten() {
        let link = rail.get("link").filter(|link| link.is_object());
        let protocol = link.map_or("", |link| field(link, "protocol"));
        let protocol = if protocol.is_empty() { "plain HTTP" } else { protocol };
        out::say(&format!("the rail {} went over {protocol}", field(rail, "rail")));
    }
    Ok(())
}

async fn play(stage: &Stage, as_json: bool) -> Result<(), Failure> {
    out::say(&format!(
        "gateway on {}, simulated M-Pesa on {}",
        stage.base,
        base_of(stage.simulator.addr, false)
    ));
    let ids = send(stage, |_nth, sample| sample.rail).await?;
    let outcomes = settle(stage, &ids).await?;
    let money_in = money_in::play(stage).await?;
    report(&outcomes, &money_in, as_json);
    say_links(stage).await?;
    let mut faults = faults(stage, &outcomes).await?;
    faults.extend(money_in.faults);
    verdict(&faults)
}

/// Submits every sample over its rail; which payout is which.
async fn send(
    stage: &Stage,
    rail: impl Fn(usize, &Sample) -> &'static str,
) -> Result<Vec<(&'static Sample, String)>, Failure> {
    out::say(&format!("sending {} payouts through the real wire formats …", SAMPLES.len()));
    let mut ids = Vec::new();
    for (nth, sample) in SAMPLES.iter().enumerate() {
        let body = json!({
            "amount": sample.amount,
            "phone": sample.phone,
            "reference": format!("DEMO-{nth:02}"),
            "remarks": "demo",
            "rail": rail(nth, sample),
        });
        let key = format!("demo-{nth}");
        let reply = stage.client.post("/v1/payouts", &key, &body).await?;
        let id = reply.body.get("id").and_then(Value::as_str).map(str::to_owned);
        let refused =
            || Failure::Failed(format!("{} was not taken: {}", sample.phone, reply.problem()));
        ids.push((sample, id.ok_or_else(refused)?));
    }
    Ok(ids)
}

fn verdict(faults: &[String]) -> Result<(), Failure> {
    for fault in faults {
        out::say(fault);
    }
    match faults.len() {
        0 => Ok(()),
        many => Err(Failure::Failed(format!("{many} things are not as they should be"))),
    }
}

/// Waits until every payout stands where it should, or patience ends.
async fn settle(stage: &Stage, ids: &[(&'static Sample, String)]) -> Result<Vec<Outcome>, Failure> {
    let patient_until = Instant::now().checked_add(PATIENCE);
    loop {
        let mut payouts = Vec::new();
        for (sample, id) in ids {
            let reply = stage.client.get(&format!("/v1/payouts/{id}"), &[]).await?;
            payouts.push((*sample, reply.body));
        }
        let settled = payouts.iter().all(|(sample, payout)| {
            payout.get("status").and_then(Value::as_str) == Some(sample.ends)
        });
        if settled || patient_until.is_none_or(|until| Instant::now() >= until) {
            let ledger = ledger(stage).await?;
            let found =
                |payout: &Value| ledger.get(field(payout, "originator_conversation_id")).cloned();
            return Ok(payouts
                .into_iter()
                .map(|(sample, payout)| Outcome { sample, entry: found(&payout), payout })
                .collect());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// M-Pesa's own book, by OriginatorConversationID.
async fn ledger(stage: &Stage) -> Result<HashMap<String, Value>, Failure> {
    let limit = [("limit", LEDGER_ROWS.to_string())];
    let reply = stage.mpesa.get("/sim/ledger", &limit).await?;
    let entries = reply.body.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let named = entries
        .into_iter()
        .map(|entry| (field(&entry, "originator_conversation_id").to_owned(), entry));
    Ok(named.collect())
}

/// What is not as it should be: a payout that stands elsewhere, or books that disagree.
async fn faults(stage: &Stage, outcomes: &[Outcome]) -> Result<Vec<String>, Failure> {
    let mut faults = Vec::new();
    for outcome in outcomes {
        let Outcome { sample, payout, entry } = outcome;
        let status = field(payout, "status");
        let mut fault = |what: String| faults.push(format!("{}: {what}", sample.phone));
        if status != sample.ends {
            fault(format!("stands at {status}, and should stand at {}", sample.ends));
        }
        if entry.is_some() != sample.paid {
            let (is, should) = (paid_word(entry.is_some()), paid_word(sample.paid));
            fault(format!("M-Pesa's ledger says {is}, and should say {should}"));
        }
        match (status, entry) {
            ("succeeded", None) => fault("succeeded here, and not in M-Pesa's ledger".to_owned()),
            ("succeeded", Some(entry)) => {
                for name in ["receipt", "amount", "phone"] {
                    if field(entry, name) != field(payout, name) {
                        fault(format!("the {name} differs from M-Pesa's ledger"));
                    }
                }
            }
            ("failed" | "cancelled", Some(_)) => {
                fault(format!("{status} here, and paid in M-Pesa's ledger"));
            }
            _ => {}
        }
    }
    let names: Vec<&str> = outcomes
        .iter()
        .map(|outcome| field(&outcome.payout, "originator_conversation_id"))
        .collect();
    let ours = stage.simulator.ledger().entries;
    let paid = ours.iter().filter(|entry| names.contains(&&*entry.originator_conversation_id));
    let expected = outcomes.iter().filter(|outcome| outcome.entry.is_some()).count();
    if paid.count() != expected {
        faults.push("M-Pesa's ledger shows a payout more than once".to_owned());
    }
    Ok(faults)
}

fn report(outcomes: &[Outcome], money_in: &MoneyIn, as_json: bool) {
    if as_json {
        let rows: Vec<Value> = outcomes
            .iter()
            .map(|Outcome { sample, payout, entry }| {
                json!({"story": sample.story, "expected": sample.ends, "payout": payout,
                       "ledger": entry})
            })
            .collect();
        let payments = &money_in.payments;
        out::data(&json!({ "data": rows, "payments": payments }).to_string());
        return;
    }
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|Outcome { sample, payout, entry }| {
            let ledger = match entry {
                Some(entry) => format!("paid {}", field(entry, "amount")),
                None => "not paid".to_owned(),
            };
            let why = payout.get("failure").filter(|failure| failure.is_object());
            let detail = why.map_or_else(
                || field(payout, "receipt").to_owned(),
                |failure| format!("code {}", field(failure, "code")),
            );
            let amount = format!("{:>10}", sample.amount);
            let status = field(payout, "status").to_owned();
            vec![sample.phone.to_owned(), amount, sample.story.to_owned(), status, detail, ledger]
        })
        .collect();
    let head =
        ["phone", "    amount", "what happens", "the gateway says", "receipt", "M-Pesa's ledger"];
    out::data(&out::table(&head, &rows));
    out::data("");
    out::data(&summary(outcomes));
    out::data("");
    let head = ["type", "    amount", "what happens", "the gateway says", "receipt"];
    out::data(&out::table(&head, &money_in.rows));
}

fn summary(outcomes: &[Outcome]) -> String {
    let sum = |picked: &dyn Fn(&Outcome) -> bool| {
        let picked = outcomes.iter().filter(|outcome| picked(outcome));
        picked.fold((0_usize, Amount::ZERO), |(count, sum), outcome| {
            let amount = outcome.sample.amount.parse().unwrap_or_default();
            (count.saturating_add(1), sum.checked_add(amount).unwrap_or(sum))
        })
    };
    let stands =
        |status: &'static str| move |outcome: &Outcome| field(&outcome.payout, "status") == status;
    let (paid, paid_sum) = sum(&stands("succeeded"));
    let (failed, failed_sum) = sum(&stands("failed"));
    let (unknown, unknown_sum) = sum(&stands("unknown"));
    let (moved, moved_sum) = sum(&|outcome| outcome.entry.is_some());
    format!(
        "The gateway's book:  {paid} succeeded ({paid_sum}), {failed} failed ({failed_sum}), \
         {unknown} unknown ({unknown_sum}).\n\
         M-Pesa's ledger:     {moved} paid ({moved_sum}).\n\
         Unknown means that money may or may not have moved. It is never sent again on a guess: \
         M-Pesa is asked,\nand what it says settles it. Here it has none of the last one, which \
         the demo then calls failed\n(payouts.on_not_found = \"fail\"); by default it is sent again \
         under the same id, so that it can't be paid twice."
    )
}

async fn stay(stage: &Stage, mut asked: Asked) {
    let base = &stage.base;
    out::say("");
    out::say("It stays up until Ctrl-C. Try, in another terminal:");
    out::data(&format!("export MLANGO_API_KEY={}", stage.key));
    out::data(&format!(
        "curl -s {base}/v1/payouts -H \"X-API-Key: $MLANGO_API_KEY\" -H 'Content-Type: \
         application/json' -H 'Idempotency-Key: my-first' -d '{{\"amount\":\"1500.00\",\
         \"phone\":\"0722 000 111\",\"reference\":\"INV-2041\"}}'"
    ));
    out::data(&format!("mlango --config {} payouts list", stage.file.display()));
    out::say(&format!("API description: {base}/openapi.json · metrics: {base}/metrics"));
    out::say(&format!("M-Pesa's ledger: {}/sim/ledger", base_of(stage.simulator.addr, false)));
    asked.wait().await;
}

const fn paid_word(paid: bool) -> &'static str {
    if paid { "paid" } else { "not paid" }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
