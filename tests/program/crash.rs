//! `kill -9` at any moment, under load: nothing accepted is lost, nothing is sent twice on a
//! guess, and no result that was acknowledged is forgotten.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::api::{Api, id_of, name_of, payout};
use crate::house::House;
use crate::process::eventually;

/// How often the gateway is killed, unless `MLANGO_ROUNDS` says so.
const ROUNDS: usize = 7;
/// How many submit at once.
const CLIENTS: usize = 4;
/// How many payouts are taken in a round, about.
const A_ROUND: usize = 86;

/// How often the gateway is killed.
fn rounds() -> usize {
    let told = std::env::var("MLANGO_ROUNDS").ok();
    told.map_or(ROUNDS, |told| told.parse().expect("MLANGO_ROUNDS is a number"))
}

/// How many payouts each client submits: enough for every round.
fn each() -> usize {
    (A_ROUND * rounds()).div_ceil(CLIENTS)
}

/// A number that nobody foresees.
fn random(below: usize) -> usize {
    let bits = RandomState::new().hash_one(0);
    usize::try_from(bits % u64::try_from(below).unwrap()).unwrap()
}

/// Ordinary payouts, and some that M-Pesa refuses, fails, or reports twice or too early.
fn body(key: &str, nth: usize) -> Value {
    let ending = match nth % 10 {
        3 => 1,
        5 => 2,
        7 => 6,
        9 => 7,
        _ => 1_000 + nth % 9_000,
    };
    let mut body = payout(&format!("25472210{ending:04}"), &format!("{}", 10 + nth));
    body["reference"] = key.into();
    body
}

/// Submits until it is answered, with the same key, whatever happens to the gateway.
fn submit(api: &Api, key: &str, body: &Value) -> String {
    eventually("a payout is taken", || {
        // A dead gateway, or one that dies before it answers.
        let answer = api.post("/v1/payouts", key, body).ok()?;
        match answer.status {
            202 => Some(id_of(&answer.json()).to_owned()),
            // The first try is still in progress, or there is no room just now.
            409 | 429 | 503 => None,
            status => panic!("{status}: {}", answer.body),
        }
    })
}

/// What several clients submit, and what was answered.
#[derive(Default)]
struct Load {
    /// The payout's id by its Idempotency-Key.
    taken: Mutex<HashMap<String, String>>,
    ended: AtomicUsize,
}

impl Load {
    fn submit_all(&self, api: &Api, client: usize) {
        for nth in 0..each() {
            let key = format!("key-{client}-{nth}");
            let id = submit(api, &key, &body(&key, nth));
            self.taken.lock().unwrap().insert(key, id);
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::SeqCst) == CLIENTS
    }

    /// Starts a gateway, and kills it a random number of payouts later, at a random moment within
    /// whatever goes on then.
    fn start_and_kill(&self, house: &House) {
        let mut gateway = house.serve();
        let goal = self.count() + random(A_ROUND);
        eventually("payouts are taken", || (self.is_over() || self.count() >= goal).then_some(()));
        thread::sleep(Duration::from_millis(random(60).try_into().unwrap()));
        gateway.kill();
        assert!(!gateway.err().contains("a bug"), "{}", gateway.err());
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_paid_twice() {
    let house =
        House::new().with("PAYOUTS__RESULT_OVERDUE", "5s").with("BROKER__MAX_PER_SECOND", "400");
    let _simulator = house.simulate();
    let api = house.client("erp", &[]);
    let load = Load::default();
    let mut gateway = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (api, load) = (&api, &load);
            scope.spawn(move || load.submit_all(api, client));
        }
        for _ in 0..rounds() {
            load.start_and_kill(&house);
        }
        house.serve()
    });
    let last = submit(&api, "after-all", &payout("254722100000", "11"));
    let books = settled(&house, &api);
    assert_eq!(api.payout(&last)["status"], "succeeded", "no crash touched it");
    let taken = load.taken.into_inner().unwrap();
    assert_eq!(taken.len(), CLIENTS * each());
    check_nothing_is_lost(&api, &taken, &books);
    check_the_books_agree(&books);
    check_the_wire(&books);
    gateway.stop();
}

/// What each side holds.
struct Books {
    payouts: Vec<Value>,
    ledger: HashMap<String, Value>,
    exchanges: Vec<Value>,
}

/// Waits until every payout rests and no result is on its way.
fn settled(house: &House, api: &Api) -> Books {
    let rests = ["succeeded", "failed", "unknown"];
    eventually("everything rests", || {
        let rest = |payout: &Value| rests.iter().any(|status| payout["status"] == *status);
        api.payouts().iter().all(rest).then_some(())
    });
    let exchanges = eventually("no result is on its way", || {
        let exchanges = house.exchanges();
        // Longer than the simulator's pause between two tries.
        thread::sleep(Duration::from_millis(1_500));
        (house.exchanges().len() == exchanges.len()).then_some(exchanges)
    });
    let entries = house.ledger();
    let paid = entries.len();
    let ledger: HashMap<_, _> =
        entries.into_iter().map(|entry| (name_of(&entry).to_owned(), entry)).collect();
    assert_eq!(ledger.len(), paid, "M-Pesa paid one payout twice");
    Books { payouts: api.payouts(), ledger, exchanges }
}

/// What was answered 202 is there, once, and its key still gives it.
fn check_nothing_is_lost(api: &Api, taken: &HashMap<String, String>, books: &Books) {
    let by_id: HashMap<&str, &Value> =
        books.payouts.iter().map(|payout| (id_of(payout), payout)).collect();
    assert_eq!(by_id.len(), taken.len() + 1, "as many payouts as were asked for");
    for (key, id) in taken {
        let payout = by_id.get(id.as_str()).unwrap_or_else(|| panic!("{key}, {id} is lost"));
        assert_eq!(payout["reference"].as_str(), Some(key.as_str()));
    }
    for nth in 0..each() {
        let key = format!("key-0-{nth}");
        let again = api.post("/v1/payouts", &key, &body(&key, nth)).expect("an answer");
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{key}");
        assert_eq!(again.json()["id"].as_str(), Some(taken[&key].as_str()));
    }
}

/// The gateway's book against M-Pesa's ledger.
fn check_the_books_agree(books: &Books) {
    let names: HashSet<&str> = books.payouts.iter().map(name_of).collect();
    for name in books.ledger.keys() {
        assert!(names.contains(name.as_str()), "M-Pesa paid what nobody ordered: {name}");
    }
    for payout in &books.payouts {
        let name = name_of(payout);
        let entry = books.ledger.get(name);
        match payout["status"].as_str().unwrap() {
            "succeeded" => {
                let entry = entry.unwrap_or_else(|| panic!("not in the ledger: {payout}"));
                for field in ["receipt", "amount", "phone"] {
                    assert_eq!(entry[field], payout[field], "{payout}");
                }
            }
            "failed" => assert!(entry.is_none(), "failed, and paid: {payout}"),
            "unknown" => {}
            status => panic!("{status}: {payout}"),
        }
    }
}

/// What went over the wire, as the simulator saw it.
fn check_the_wire(books: &Books) {
    let mut requests: HashMap<&str, usize> = HashMap::new();
    let mut acknowledged = HashSet::new();
    for exchange in &books.exchanges {
        let name = exchange["originator_conversation_id"].as_str().unwrap_or_default();
        if exchange["direction"] == "in" {
            *requests.entry(name).or_default() += 1;
            let answer = exchange["response"].as_str().unwrap();
            assert!(!answer.contains("<ResponseCode>15<"), "sent twice: {name}");
        } else if exchange["status"] == 200 {
            acknowledged.insert(name);
        }
    }
    for (name, times) in requests {
        assert_eq!(times, 1, "sent twice on a guess: {name}");
    }
    // Unknown is only what was under way at a kill: its result was never acknowledged.
    let unknown = books.payouts.iter().filter(|payout| payout["status"] == "unknown");
    for payout in unknown {
        let name = name_of(payout);
        assert!(
            !acknowledged.contains(name),
            "its result was acknowledged and forgotten: {payout}"
        );
    }
}
