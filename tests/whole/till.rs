//! Money in, as those outside know it: applications that push prompts and claim what is paid, and
//! customers who pay by themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use mlango::domain::id::PaymentId;
use mlango::domain::payment::Status;
use mlango::engine::Engine;
use mlango::sim::Offline;
use mlango::sim::customer::{Otherwise, Urls, Version};
use mlango::sim::deliver::Target;
use mlango::store::{PaymentQuery, Store};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::dice::Dice;
use crate::fate::Fate;
use crate::life::Life;
use crate::world::{TOKEN, World};

/// Our number that prompts and customers pay to.
pub const TILL: &str = "174379";
/// How often payments are pulled, and how far back: all of a world.
const PULL_EVERY: Duration = Duration::from_secs(120);
const PULL_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// A prompt as its submitter knows it.
#[derive(Clone, Debug)]
pub struct Push {
    pub phone: String,
    pub shillings: u64,
    pub account: String,
    pub id: PaymentId,
}

/// A claim that was answered with success.
#[derive(Clone, Debug)]
pub struct Won {
    pub payment: PaymentId,
    /// Which application, and what for.
    pub by: (usize, &'static str),
}

/// What those outside know of money in.
#[derive(Debug, Default)]
pub struct Till {
    /// Whether M-Pesa is asked for payments whose confirmations may be missing.
    pub pulls: bool,
    /// By idempotency key.
    pub pushes: Mutex<BTreeMap<String, Push>>,
    pub won: Mutex<Vec<Won>>,
}

/// How money comes in to a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Income {
    /// None does.
    None,
    /// As the seed says.
    Seeded,
    /// Every payment is confirmed, and can be pulled.
    Sure,
}

impl Till {
    /// One of a world.
    pub fn open(income: Income, seed: u64, mpesa: &Offline) -> Self {
        let mut dice = Dice::new(seed, "the till");
        let (is_told, pulls) = match income {
            Income::None => (false, false),
            // In some worlds a prompt that is paid is told by its callback alone.
            Income::Seeded => (dice.per_mille(850), dice.per_mille(600)),
            Income::Sure => (true, true),
        };
        if is_told {
            mpesa.register(TILL.parse().expect("a short code"), urls(&mut dice));
        }
        Self { pulls, ..Self::default() }
    }
}

/// Where notices go, written in one of the ways.
fn urls(dice: &mut Dice) -> Urls {
    let to = |kind: &str| {
        let url = format!("http://gw.example.org/cb/{TOKEN}/c2b/{kind}");
        Target::parse(&url).expect("an address")
    };
    let version = match dice.below(3) {
        0 => Version::V1,
        1 => Version::V2,
        _ => Version::Soap,
    };
    let otherwise = if dice.per_mille(500) { Otherwise::Completed } else { Otherwise::Cancelled };
    let validation = dice.per_mille(800).then(|| to("validation"));
    Urls { validation, confirmation: to("confirmation"), otherwise, version }
}

/// Has payments pulled in a life, where they are.
pub fn pulls(world: &World, life: (&Arc<Engine>, &CancellationToken, &Fate)) {
    let (engine, stop, fate) = life;
    if world.till.pulls {
        tokio::spawn(pull(Arc::clone(engine), stop.clone(), fate.clone()));
    }
}

/// Pulls payments, as the program does by the clock.
async fn pull(engine: Arc<Engine>, stop: CancellationToken, fate: Fate) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = fate.ended() => return,
            // What cannot be pulled now is pulled next time.
            _recovered = engine.recover(PULL_WINDOW) => {}
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = fate.ended() => return,
            () = sleep(PULL_EVERY) => {}
        }
    }
}

/// Pulls once more, when all is calm.
pub async fn pull_at_last(engine: &Engine) {
    while engine.recover(PULL_WINDOW).await.is_err() {
        sleep(Duration::from_secs(5)).await;
    }
}

impl World {
    /// Has a payer prompted, as a careful shop does: the same key until it is answered. Answers
    /// whether it was.
    pub async fn push(&self, life: &Life, key: &str, push: (&str, u64, &str)) -> bool {
        let (phone, shillings, account) = push;
        let body = json!({"amount": format!("{shillings}.00"), "phone": phone,
            "reference": account});
        let asked = self.ask(life, 0, ("/v1/stk-pushes", Some(key)), body.to_string()).await;
        let Some((status, answer)) = asked else {
            return false;
        };
        if status != StatusCode::ACCEPTED {
            let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::CONFLICT];
            assert!(status.is_server_error() || later.contains(&status), "{status} {answer}");
            return false;
        }
        let id = answer["id"].as_str().expect("an id").parse().expect("an id");
        let (phone, account) = (phone.to_owned(), account.to_owned());
        let mut pushes = self.till.pushes.lock().expect("pushes");
        let push = Push { phone, shillings, account, id };
        let first = pushes.entry(key.to_owned()).or_insert(push);
        assert_eq!(first.id, id, "one key makes one prompt");
        drop(pushes);
        self.net.note(|| format!("{key} is taken: {id}"));
        true
    }

    /// A customer pays by himself, in the background; nobody tells us what came of it.
    pub fn customer_pays(&self, (phone, shillings, account): (&str, u64, &str), by_soap: bool) {
        self.net.note(|| format!("a customer pays {shillings} for {account}"));
        let body = json!({"shortcode": TILL, "phone": phone, "amount": shillings,
            "account": account, "confirm": if by_soap { "soap" } else { "rest" }});
        let request = Request::post("/sim/c2b").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let router = self.mpesa.router.clone();
        tokio::spawn(async move {
            let response = router.oneshot(request).await.expect("a response");
            assert_eq!(response.status(), StatusCode::OK);
        });
    }

    /// Two applications claim a payment, for two purposes, at once: what each was answered.
    pub async fn race(&self, life: &Life, dice: &mut Dice) -> Vec<StatusCode> {
        let query = PaymentQuery { status: Some(Status::Succeeded), ..PaymentQuery::all(1_000) };
        let paid = self.store.payments(&query).await.expect("memory is readable").rows;
        let count = u64::try_from(paid.len()).expect("it fits");
        let which = usize::try_from(dice.below(count)).expect("it fits");
        let Some(kept) = paid.get(which) else {
            return vec![];
        };
        let id = kept.value.details.id;
        let claim = |by: (usize, &'static str)| self.claim(life, id, by);
        let (one, other, third) =
            tokio::join!(claim((0, "order 1")), claim((1, "order 1")), claim((0, "order 2")));
        [one, other, third].into_iter().flatten().collect()
    }

    /// The same when nothing is in the way: each is answered, and that it is his, or another's.
    pub async fn race_in_calm(&self, life: &Life, dice: &mut Dice) {
        for status in self.race(life, dice).await {
            assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&status), "{status}");
        }
    }

    async fn claim(
        &self,
        life: &Life,
        payment: PaymentId,
        by: (usize, &'static str),
    ) -> Option<StatusCode> {
        let body = json!({"purpose": by.1}).to_string();
        let path = format!("/v1/payments/{payment}/claim");
        let (status, _answer) = self.ask(life, by.0, (&path, None), body).await?;
        if status == StatusCode::OK {
            self.net.note(|| format!("{payment} is claimed by {by:?}"));
            self.till.won.lock().expect("won").push(Won { payment, by });
        }
        Some(status)
    }
}
