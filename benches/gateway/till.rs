//! Money in: C2B confirmations and callbacks of prompts taken in per second.
//!
//! Over HTTP, through the real router in the real program; and straight through engine and store,
//! as the limit of that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mlango::clock::{Clock, SystemClock};
use mlango::domain::id::{AppId, CheckoutRequestId, EventId, MerchantRequestId, PaymentId};
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payment::{
    Asking, Details, Notice, Origin, Payment, Prompt, Source, State, Status, Tries,
};
use mlango::domain::tag::{Tag, Tagged};
use mlango::domain::time::Timestamp;
use mlango::engine::port::Ids;
use mlango::engine::{Engine, Hearing, Incoming, StkHeard};
use mlango::ids::RandomIds;
use mlango::sim::load::{LoadPlan, Report, Until};
use mlango::store::{Channel, Commit, Life, LifeWrite, NewEvent, Standing, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Size;
use super::engine::at_rest;
use super::home::{Gateway, Home, time_of};
use super::paths::{home_with_apps, watched};
use super::show::{self, RUNS, RUNS_WORDS, Table};

/// How many prompts one commit puts into the book.
const PER_COMMIT: usize = 128;
/// Nobody asks about a prompt before the bench is over.
const ASKED_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// A prompt that stands on a phone.
#[derive(Clone, Debug)]
struct Prompted {
    id: PaymentId,
    checkout: String,
    nth: u64,
}

/// What M-Pesa posts, and where to.
#[derive(Clone, Debug)]
struct Notified {
    path: String,
    body: Vec<u8>,
}

/// C2B confirmations and callbacks of prompts ingested per second.
pub async fn all(size: Size) {
    let title = "Money in: C2B confirmations and callbacks of prompts, acknowledged when on disk";
    let words = format!(
        "M-Pesa's JSON: kept raw, read, matched by receipt or by the end of the path, applied.\n\
         A confirmation makes a new payment, a callback settles a prompt that is in the book.\n\
         {RUNS_WORDS}"
    );
    let table = Table::new(title, &words, &RUNS);
    let (home, apps) = home_with_apps().await;
    let store: Arc<dyn Store> = Arc::new(home.open());
    let prompts = fill(&store, apps[0].app.id, size.results * 2).await;
    let (for_http, for_engine) = prompts.split_at(prompts.len() / 2);
    let alone = straight(&table, &store, size, for_engine).await;
    store.close().await;
    drop(store);
    let served = over_http(&table, &home, size, for_http).await;
    let store = home.open();
    let paid = store.counts().payments(Status::Succeeded);
    assert_eq!(paid, alone + served, "what was acknowledged is in the book, once");
    store.close().await;
}

/// Through the router; answers how many payments were paid.
async fn over_http(table: &Table, home: &Home, size: Size, prompts: &[Prompted]) -> u64 {
    let gateway = Gateway::at_rest(home).await;
    let token = home.token();
    let confirmed: Vec<Notified> = (0..size.results).map(|nth| confirmation(token, nth)).collect();
    let called: Vec<Notified> = prompts.iter().map(|it| callback(token, it)).collect();
    let mut done = 0;
    for (what, all) in [("confirmations", &confirmed), ("callbacks", &called)] {
        let halves = all.split_at(all.len() / 2);
        for (connections, part) in [(64, halves.0), (512, halves.1)] {
            let plan = post(gateway.callbacks, part, connections);
            let (report, times) = watched(&gateway, plan).await;
            show::run(table, &format!("{what}, {connections} connections"), &report, times);
            done += report.done;
        }
    }
    gateway.stop().await;
    done
}

fn post(
    to: SocketAddr,
    all: &[Notified],
    connections: usize,
) -> LoadPlan<impl Fn(u64) -> Vec<u8> + Send + Sync + use<>> {
    let requests: Vec<Vec<u8>> = all.iter().map(|it| request(to, it)).collect();
    LoadPlan {
        addr: to,
        connections,
        until: Until::Requests(requests.len() as u64),
        rate: None,
        make: move |number| requests[number as usize].clone(),
    }
}

fn request(to: SocketAddr, Notified { path, body }: &Notified) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: \
         application/json;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Straight through engine and store; answers how many payments were paid.
async fn straight(table: &Table, store: &Arc<dyn Store>, size: Size, prompts: &[Prompted]) -> u64 {
    let engine = at_rest(Arc::clone(store));
    let own = |before: u64| (0, time_of("self") - before);
    let first = size.results;
    let confirmed: Vec<Notified> =
        (first..first + size.results).map(|nth| confirmation("", nth)).collect();
    let called: Vec<Notified> = prompts.iter().map(|it| callback("", it)).collect();
    let mut done = 0;
    for (what, all) in [("confirmations", &confirmed), ("callbacks", &called)] {
        let halves = all.split_at(all.len() / 2);
        for (waiting, part) in [(64, halves.0), (512, halves.1)] {
            let before = time_of("self");
            let report = hear(&engine, part, waiting).await;
            let what = format!("engine and store, {what}, {waiting} waiting");
            show::run(table, &what, &report, own(before));
            done += report.done;
        }
    }
    done
}

/// Takes notices in, `waiting` of them at any time; they are read, too.
async fn hear(engine: &Arc<Engine>, all: &[Notified], waiting: usize) -> Report {
    let all: Arc<Vec<Notified>> = Arc::new(all.to_vec());
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..waiting {
        let (engine, all, next) = (Arc::clone(engine), Arc::clone(&all), Arc::clone(&next));
        tasks.spawn(async move {
            let mut took = Vec::new();
            while let Some(notified) = all.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                let since = Instant::now();
                let heard = hear_one(&engine, notified).await;
                assert_eq!(heard, Hearing::Applied);
                took.push(since.elapsed().as_micros() as u64);
            }
            took
        });
    }
    super::engine::report(begun, tasks).await
}

async fn hear_one(engine: &Engine, Notified { path, body }: &Notified) -> Hearing {
    let peer = Some("192.0.2.49".to_owned());
    let incoming = |channel| Incoming { channel, peer, certificate: None, body: body.clone() };
    let heard = match path.rsplit_once("/stk/") {
        Some((_before, tag)) => {
            let facts = mlango::daraja::stk::parse(body).expect("a callback").facts;
            let tag: Tag = tag.parse().expect("a tag");
            let payment = Some(PaymentId::from_bytes(tag.id));
            let facts = StkHeard::Facts { payment, facts };
            engine.hear_stk(incoming(Channel::StkCallback), facts).await
        }
        None => {
            let notice = mlango::daraja::c2b::parse(body).expect("a notice");
            let incoming = incoming(Channel::C2bConfirmation);
            engine.hear_c2b(incoming, Ok(notice), Source::Confirmation).await
        }
    };
    heard.expect("it is kept")
}

/// A confirmation (spec/daraja.md §2.2).
fn confirmation(token: &str, nth: u64) -> Notified {
    let body = format!(
        "{{\"TransactionType\":\"Pay Bill\",\"TransID\":\"UC{nth:08}\",\"TransTime\":\
         \"20261003141555\",\"TransAmount\":\"{}.00\",\"BusinessShortCode\":\"600999\",\
         \"BillRefNumber\":\"INV-{}\",\"InvoiceNumber\":\"\",\"OrgAccountBalance\":\"1025.00\",\
         \"ThirdPartyTransID\":\"\",\"MSISDN\":\"2547 ***** {:03}\",\"FirstName\":\"AMINA\",\
         \"MiddleName\":\"\",\"LastName\":\"\"}}",
        100 + nth % 5_000,
        nth / 4,
        nth % 1_000,
    );
    Notified { path: format!("/cb/{token}/c2b/confirmation"), body: body.into_bytes() }
}

/// A callback (spec/daraja.md §2.1).
fn callback(token: &str, Prompted { id, checkout, nth }: &Prompted) -> Notified {
    let body = format!(
        "{{\"Body\":{{\"stkCallback\":{{\"MerchantRequestID\":\"91ab-4c1d-8e55-{nth:012}\",\
         \"CheckoutRequestID\":\"{checkout}\",\"ResultCode\":0,\"ResultDesc\":\"The service request \
         is processed successfully.\",\"CallbackMetadata\":{{\"Item\":[{{\"Name\":\"Amount\",\
         \"Value\":{}.00}},{{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"US{nth:08}\"}},\
         {{\"Name\":\"Balance\"}},{{\"Name\":\"TransactionDate\",\"Value\":20261003141555}},\
         {{\"Name\":\"PhoneNumber\",\"Value\":{}}}]}}}}}}}}",
        shillings(*nth),
        phone(*nth),
    );
    let tag = Tag::new(Tagged::Payment, id.bytes());
    Notified { path: format!("/cb/{token}/stk/{tag}"), body: body.into_bytes() }
}

const fn shillings(nth: u64) -> u64 {
    10 + nth % 5_000
}

const fn phone(nth: u64) -> u64 {
    254_720_000_000 + nth % 1_000_000
}

/// Puts prompts that stand on phones into a store.
async fn fill(store: &Arc<dyn Store>, app: AppId, count: u64) -> Vec<Prompted> {
    let ids = RandomIds::default();
    let prompts: Vec<Prompted> = (0..count)
        .map(|nth| Prompted {
            id: PaymentId::from_bytes(ids.fresh(SystemClock.now())),
            checkout: format!("ws_CO_03102026141530{nth:012}"),
            nth,
        })
        .collect();
    for some in prompts.chunks(PER_COMMIT) {
        let mut commit = Commit::default();
        for prompt in some {
            add(&mut commit, prompt, app, &ids);
        }
        let _durable = store.commit(commit).await.expect("prompts are kept");
    }
    prompts
}

fn add(
    commit: &mut Commit,
    Prompted { id, checkout, nth }: &Prompted,
    app: AppId,
    ids: &RandomIds,
) {
    let now: Timestamp = SystemClock.now();
    let details = Details {
        id: *id,
        app: Some(app),
        origin: Origin::Stk {
            phone: Msisdn::from_number(phone(*nth)).expect("a phone"),
            description: String::new(),
        },
        amount: Amount::from_shillings(shillings(*nth)),
        shortcode: "174379".to_owned(),
        reference: format!("ORDER{nth:07}"),
        account: format!("ORDER{nth:07}"),
        created_at: id.made_at(),
    };
    let prompt = Prompt {
        merchant: MerchantRequestId::new(&format!("91ab-4c1d-8e55-{nth:012}")),
        checkout: CheckoutRequestId::new(checkout).expect("an id"),
    };
    let tries = Tries { attempts: 1, put_back: 0, sent_at: Some(now) };
    let asking = Asking::first_at(now.after(ASKED_AFTER));
    let payment =
        Payment { details, state: State::Prompted { tries, prompt, asking }, updated_at: now };
    commit.events.push(NewEvent {
        id: EventId::from_bytes(ids.fresh(now)),
        at: now,
        kind: Notice::Prompted.as_str().to_owned(),
        app: Some(app),
        about: Some((*id).into()),
        status: Some(Standing::Payment(Status::Pending)),
        says: "M-Pesa answered: Success. Request accepted for processing".to_owned(),
        code: Some("0".to_owned()),
        messages: vec![],
    });
    commit.lives.push(LifeWrite { life: Life::Payment(payment), expected_version: 0 });
}
