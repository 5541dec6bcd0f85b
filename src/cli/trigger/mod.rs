//! `mlango trigger`: something happens, for a test of what follows.
//!
//! Nothing is made up: a payout is submitted, a customer pays, the messages go over the wire, and
//! the gateway tells its events as ever. Money moves, so that it is first proven, for the way it
//! will take, that the gateway's M-Pesa is the simulator: a question that moves nothing is asked
//! through the gateway, and must arrive there.

mod plan;

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::plan::{PLANS, Plan, Way, come};
use super::client::{Client, Reply, base_of};
use super::money::{Door, fresh_key};
use super::near::did_you_mean;
use super::show::{array, expect, text};
use super::{Context, Failure, out};
use crate::ids::random;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the question that proves the way may take.
const PROOF_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(super) struct Trigger {
    #[command(flatten)]
    door: Door,
    /// What is to happen, such as payout.succeeded; --list shows all.
    #[arg(required_unless_present = "list")]
    event: Option<String>,
    /// Show what can be made to happen.
    #[arg(long)]
    list: bool,
    /// The simulator; without it, the one that the configuration describes.
    #[arg(long, value_name = "URL")]
    simulator: Option<String>,
    /// The rail of a payout, soap or daraja; without it, the gateway's.
    #[arg(long, value_name = "RAIL")]
    rail: Option<String>,
    /// How much, in whole shillings.
    #[arg(long, default_value = "100")]
    amount: String,
    /// How many seconds it may take.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    within: u64,
}

impl Trigger {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.list {
            list(context.json);
            return Ok(());
        }
        let name = self.event.as_deref().unwrap_or_default();
        let plan = plan::find(name).ok_or_else(|| unknown(name))?;
        let rail = rail_of(&plan, self.rail.as_deref())?;
        let gateway = self.door.open(context)?;
        let stage = Stage { gateway, mpesa: self.mpesa(context)?, plan, amount: self.amount };
        stage.prove(rail).await?;
        let begun = stage.begin(rail).await?;
        let told = stage.follow(&begun, Duration::from_secs(self.within), context.json).await?;
        stage.report(&begun, &told, context.json).await
    }

    fn mpesa(&self, context: &Context) -> Result<Client, Failure> {
        let base = match &self.simulator {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => base_of(context.source()?.simulate()?.config.simulator.listen, false),
        };
        Ok(Client::to(base, String::new(), None)?.called("no simulator answers at"))
    }
}

fn list(as_json: bool) {
    if as_json {
        let all = PLANS.map(|plan| json!({"event": plan.name, "says": plan.says}));
        out::data(&json!({ "data": all }).to_string());
        return;
    }
    let rows = PLANS.map(|plan| vec![plan.name.to_owned(), plan.says.to_owned()]);
    out::data(&out::table(&["event", "what happens"], &rows));
}

fn unknown(name: &str) -> Failure {
    let meant = did_you_mean(name, PLANS.iter().map(|plan| plan.name));
    let name = out::plain(name);
    Failure::Usage(format!("\"{name}\" is nothing that can happen{meant} (--list shows what can)"))
}

/// The rail that money will take; `None`: the gateway's own choice.
fn rail_of<'a>(plan: &Plan, asked: Option<&'a str>) -> Result<Option<&'a str>, Failure> {
    match (plan.way, asked) {
        (_, Some(other)) if !matches!(other, "soap" | "daraja") => {
            Err(Failure::Usage("--rail must be soap or daraja".to_owned()))
        }
        (Way::Payout, asked) => Ok(asked),
        (Way::DarajaPayout | Way::Prompt | Way::Bill, Some("soap")) => {
            Err(Failure::Usage(format!("{} happens over daraja only", plan.name)))
        }
        (Way::DarajaPayout | Way::Prompt | Way::Bill, _) => Ok(Some("daraja")),
    }
}

/// Where it happens.
struct Stage {
    gateway: Client,
    mpesa: Client,
    plan: Plan,
    amount: String,
}

/// What was begun.
struct Begun {
    /// Where the gateway shows it.
    path: String,
    id: String,
    phone: String,
    /// The receipt of a customer's payment, which M-Pesa knows at once.
    receipt: Option<String>,
}

/// The gateway's events about it, so far.
struct Told {
    kinds: Vec<String>,
    all_came: bool,
}

impl Stage {
    /// Proves that the gateway's M-Pesa is this simulator, before any money moves.
    async fn prove(&self, rail: Option<&str>) -> Result<(), Failure> {
        self.is_there().await?;
        out::progress("asking M-Pesa a question, to see that it is the simulator");
        let body = rail.map_or_else(|| json!({}), |rail| json!({ "rail": rail }));
        let asked = self.gateway.post("/v1/balance-inquiries", &fresh_key()?, &body).await?;
        let id = text(&expect(asked, 202)?.body, "id");
        let inquiry = self.settled(&id).await?;
        let name = text(&inquiry, "conversation_id");
        let found = if name.is_empty() {
            false
        } else {
            let sought = self.simulator("/sim/exchanges", &[("find", name)]).await?;
            array(&sought, "data").next().is_some()
        };
        out::progress("");
        if found {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "nothing was triggered and no money moved: a question to M-Pesa through the gateway \
             ({id}, {}) did not arrive at this simulator. Is it the gateway's M-Pesa (broker.url, \
             daraja.url)?",
            text(&inquiry, "status")
        )))
    }

    /// That there is a simulator.
    async fn is_there(&self) -> Result<(), Failure> {
        let asked = self.simulator("/sim/accounts", &[("limit", "1".to_owned())]).await;
        asked.map(drop).map_err(|failure| match failure {
            Failure::Failed(why) => Failure::Failed(format!(
                "{why}; nothing was triggered. `mlango simulate` starts one"
            )),
            usage @ Failure::Usage(_) => usage,
        })
    }

    /// An inquiry, once M-Pesa has named it or it is over.
    async fn settled(&self, id: &str) -> Result<Value, Failure> {
        let until = Instant::now().checked_add(PROOF_PATIENCE);
        loop {
            let path = format!("/v1/inquiries/{id}");
            let inquiry = expect(self.gateway.get(&path, &[]).await?, 200)?.body;
            let named = !text(&inquiry, "conversation_id").is_empty();
            let over = matches!(text(&inquiry, "status").as_str(), "failed" | "unknown");
            if named || over || until.is_none_or(|until| Instant::now() >= until) {
                return Ok(inquiry);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the simulator.
    async fn simulator(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        simulated(self.mpesa.get(path, query).await?)
    }

    async fn begin(&self, rail: Option<&str>) -> Result<Begun, Failure> {
        let phone = phone(self.plan.ending)?;
        if let Some(fault) = self.plan.fault {
            let api = self.plan.way.api();
            let rule = json!({"api": api, "fault": fault, "contains": phone});
            simulated(self.mpesa.act("/sim/faults", &rule).await?)?;
        }
        match self.plan.way {
            Way::Payout | Way::DarajaPayout => self.pay(phone, rail).await,
            Way::Prompt => self.prompt(phone).await,
            Way::Bill => self.bill(phone).await,
        }
    }

    async fn pay(&self, phone: String, rail: Option<&str>) -> Result<Begun, Failure> {
        let mut body = json!({"amount": self.amount, "phone": phone, "reference": "trigger",
            "remarks": self.plan.name});
        if let (Some(rail), Some(fields)) = (rail, body.as_object_mut()) {
            fields.insert("rail".to_owned(), rail.into());
        }
        self.submit("/v1/payouts", phone, &body).await
    }

    async fn prompt(&self, phone: String) -> Result<Begun, Failure> {
        let body = json!({"amount": self.amount, "phone": phone, "reference": "TRIGGER",
            "description": "trigger"});
        let begun = self.submit("/v1/stk-pushes", phone, &body).await?;
        Ok(Begun { path: format!("/v1/payments/{}", begun.id), ..begun })
    }

    async fn submit(&self, path: &str, phone: String, body: &Value) -> Result<Begun, Failure> {
        let taken = self.gateway.post(path, &fresh_key()?, body).await?;
        let id = text(&expect(taken, 202)?.body, "id");
        Ok(Begun { path: format!("{path}/{id}"), id, phone, receipt: None })
    }

    /// A customer pays one of the numbers for which the gateway is told; if there is none, it is
    /// registered first.
    async fn bill(&self, phone: String) -> Result<Begun, Failure> {
        let shortcode = match self.registered().await? {
            Some(shortcode) => shortcode,
            None => self.register().await?,
        };
        let bill = json!({"shortcode": shortcode, "phone": phone, "amount": self.amount,
            "account": "TRIGGER"});
        let paid = simulated(self.mpesa.act("/sim/c2b", &bill).await?)?;
        let receipt = text(&paid, "receipt");
        if text(&paid, "outcome") != "completed" {
            let code = text(&paid, "code");
            return Err(Failure::Failed(format!(
                "the payment was cancelled with {code}, and no money moved: what validates \
                 payments did not want it"
            )));
        }
        let payment = self.known(&receipt).await?;
        let id = text(&payment, "id");
        Ok(Begun { path: format!("/v1/payments/{id}"), id, phone, receipt: Some(receipt) })
    }

    async fn registered(&self) -> Result<Option<String>, Failure> {
        let urls = self.simulator("/sim/urls", &[]).await?;
        Ok(array(&urls, "data").next().map(|line| text(line, "shortcode")))
    }

    async fn register(&self) -> Result<String, Failure> {
        let body = json!({"response_type": "Completed", "rail": "daraja"});
        let path = "/v1/c2b/register-urls";
        let asked = expect(self.gateway.post(path, &fresh_key()?, &body).await?, 202)?;
        let id = text(&asked.body, "id");
        let until = Instant::now().checked_add(PROOF_PATIENCE);
        while until.is_some_and(|until| Instant::now() < until) {
            if let Some(shortcode) = self.registered().await? {
                out::say(&format!("the addresses for {shortcode} are registered now ({id})"));
                return Ok(shortcode);
            }
            sleep(LOOK_EVERY).await;
        }
        Err(Failure::Failed(format!("the addresses were not registered ({id}); nobody paid")))
    }

    /// The payment with this receipt, once the gateway knows it.
    async fn known(&self, receipt: &str) -> Result<Value, Failure> {
        let until = Instant::now().checked_add(PROOF_PATIENCE);
        loop {
            let query = [("receipt", receipt.to_owned())];
            let found = expect(self.gateway.get("/v1/payments/verify", &query).await?, 200)?.body;
            match found.get("payment") {
                Some(payment) if payment.is_object() => return Ok(payment.clone()),
                _ if until.is_none_or(|until| Instant::now() >= until) => {
                    return Err(Failure::Failed(format!(
                        "the customer paid (receipt {receipt}), and the gateway does not know it \
                         yet"
                    )));
                }
                _ => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Shows the gateway's events until all came that must, or time is up.
    async fn follow(
        &self,
        begun: &Begun,
        within: Duration,
        as_json: bool,
    ) -> Result<Told, Failure> {
        let until = Instant::now().checked_add(within);
        let mut told = Told { kinds: Vec::new(), all_came: false };
        loop {
            let path = format!("{}/events", begun.path);
            let limit = [("limit", "500".to_owned())];
            let events = expect(self.gateway.get(&path, &limit).await?, 200)?.body;
            for event in array(&events, "data").skip(told.kinds.len()) {
                told.kinds.push(text(event, "type"));
                if !as_json {
                    show(event, &begun.id);
                }
            }
            told.all_came = come(self.plan.ends, &told.kinds) == self.plan.ends.len();
            if told.all_came || until.is_none_or(|until| Instant::now() >= until) {
                return Ok(told);
            }
            self.answer_the_prompt(begun).await?;
            sleep(LOOK_EVERY).await;
        }
    }

    /// Where prompts wait for a person, this one is answered as the plan has it.
    async fn answer_the_prompt(&self, begun: &Begun) -> Result<(), Failure> {
        if self.plan.way != Way::Prompt {
            return Ok(());
        }
        let prompts = self.simulator("/sim/prompts", &[]).await?;
        let by_hand = text(&prompts, "mode") == "manual";
        let is_ours = |prompt: &&Value| by_hand && text(prompt, "phone") == begun.phone;
        let open = array(&prompts, "data").find(is_ours);
        if let Some(checkout) = open.map(|prompt| text(prompt, "checkout_request_id")) {
            let path = format!("/sim/prompts/{checkout}");
            // It may have ended meanwhile.
            drop(self.mpesa.act(&path, &json!({"answer": self.plan.answer})).await?);
        }
        Ok(())
    }

    async fn report(&self, begun: &Begun, told: &Told, as_json: bool) -> Result<(), Failure> {
        let now = expect(self.gateway.get(&begun.path, &[]).await?, 200)?.body;
        let ledger = self.ledger(begun, &now).await?;
        if as_json {
            let shown = json!({"event": self.plan.name, "came_about": told.all_came,
                "events": told.kinds, "now": now, "ledger": ledger});
            out::data(&shown.to_string());
        } else {
            let moved = ledger.as_ref().map_or_else(
                || "no money moved".to_owned(),
                |line| format!("{} moved, receipt {}", text(line, "amount"), text(line, "receipt")),
            );
            let (id, status) = (&begun.id, text(&now, "status"));
            out::data(&format!("{id} is {status}; M-Pesa's ledger: {moved}"));
        }
        if told.all_came {
            return Ok(());
        }
        let missing = self.plan.ends.get(come(self.plan.ends, &told.kinds)).copied();
        Err(Failure::Failed(format!(
            "{} did not come about in time: {} has not told {} yet. --within SECONDS waits longer",
            self.plan.name,
            begun.id,
            missing.unwrap_or_default()
        )))
    }

    /// M-Pesa's own line about it, if money moved.
    async fn ledger(&self, begun: &Begun, now: &Value) -> Result<Option<Value>, Failure> {
        let receipt = begun.receipt.clone().unwrap_or_else(|| text(now, "receipt"));
        let name = text(now, "originator_conversation_id");
        let query = match (receipt.is_empty(), name.is_empty()) {
            (false, _) => ("receipt", receipt),
            (true, false) => ("originator_conversation_id", name),
            (true, true) => ("find", begun.phone.clone()),
        };
        let found = self.simulator("/sim/ledger", &[query]).await?;
        Ok(array(&found, "data").next().cloned())
    }
}

fn show(event: &Value, id: &str) {
    let data = event.get("data").cloned().unwrap_or_default();
    let (at, kind, says) = (text(event, "created_at"), text(event, "type"), text(&data, "says"));
    out::data(&out::plain(&format!("{at} {kind:<22} {id} {says}")));
}

/// What the simulator answered, if it did what it was asked.
fn simulated(reply: Reply) -> Result<Value, Failure> {
    if matches!(reply.status, 200..=299) {
        return Ok(reply.body);
    }
    let (status, why) = (reply.status, text(&reply.body, "error"));
    Err(Failure::Failed(format!("the simulator says {status}: {}", out::plain(&why))))
}

/// A phone that no run had before, as far as chance goes.
fn phone(ending: Option<&str>) -> Result<String, Failure> {
    let mut bytes = [0_u8; 8];
    random(&mut bytes).map_err(Failure::Failed)?;
    let number = u64::from_le_bytes(bytes);
    let part = |number: u64| number.checked_rem(9_000).unwrap_or_default().saturating_add(1_000);
    let last = ending.map_or_else(|| part(number >> 32).to_string(), str::to_owned);
    Ok(format!("2547{}{last}", part(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::party::Msisdn;

    #[test]
    fn a_phone_is_one_and_ends_as_it_must() {
        for ending in [None, Some("0007"), Some("0011")] {
            for _ in 0..50 {
                let phone = phone(ending).expect("a phone");
                assert_eq!(phone.parse::<Msisdn>().map(Msisdn::reveal), Ok(phone.clone()));
                assert!(ending.is_none_or(|ending| phone.ends_with(ending)), "{phone}");
                // Endings with a meaning begin with 0.
                assert_eq!(ending.is_some(), phone.get(8..9) == Some("0"), "{phone}");
            }
        }
    }

    #[test]
    fn the_rail_follows_from_what_happens() {
        let plan = |name| plan::find(name).expect("a plan");
        assert_eq!(rail_of(&plan("payout.failed"), None).ok(), Some(None));
        assert_eq!(rail_of(&plan("payout.failed"), Some("soap")).ok(), Some(Some("soap")));
        assert_eq!(rail_of(&plan("stk.cancelled"), None).ok(), Some(Some("daraja")));
        assert!(rail_of(&plan("payout.late_result"), Some("soap")).is_err());
        assert!(rail_of(&plan("payout.failed"), Some("sms")).is_err());
    }
}
