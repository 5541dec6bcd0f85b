//! Claims: of any number at once exactly one is answered with 200, on every store.

use std::sync::Arc;

use mlango::clock::ManualClock;
use mlango::domain::limit::AmountLimits;
use mlango::http::apps::Desk;
use mlango::http::auth::Apps;
use mlango::http::callback::{self, Callbacks, Tokens};
use mlango::store::memory::MemoryStore;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{Scope, Store};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::notices::confirmation;
use crate::support::{self, Call, Money, NOW, TOKEN, api, counted, engine};

/// How many ask at once.
const CLAIMS: usize = 1_000;

async fn race(store: Arc<dyn Store>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let engine = engine(Arc::clone(&store), clock, AmountLimits::default(), Money::default());
    let apps = Arc::new(Apps::default());
    let api = api(&engine, &apps, &CancellationToken::new());
    let callbacks = callback::router(Callbacks {
        engine: Arc::clone(&engine),
        tokens: Arc::new(Tokens::new(TOKEN, None)),
        client_names: Vec::new(),
        allow: vec![],
        public_url: "https://gw.example.org".to_owned(),
        limits: mlango::http::api::BodyLimits {
            bytes: support::BODY_BYTES_MAX,
            timeout: std::time::Duration::from_secs(5),
        },
    });
    let desk = Desk {
        store: store.as_ref(),
        clock: engine.clock().as_ref(),
        ids: engine.ids().as_ref(),
        random: counted,
        actor: &mlango::engine::audit::PROGRAM,
    };
    let mut keys = vec![];
    for name in ["shop", "billing"] {
        let scopes = [Scope::PaymentsWrite, Scope::PaymentsRead];
        let (app, key) = desk.create(name, &scopes).await.expect("an app");
        apps.put(&app);
        keys.push(key.reveal().to_owned());
    }
    let path = format!("/cb/{TOKEN}/c2b/confirmation");
    let told = Call::post(path).body(confirmation("UA24AA00ZZ", "INV-77")).put(&callbacks).await;
    assert_eq!(told.status, 200);
    let verify = Call::get("/v1/payments/verify?receipt=UA24AA00ZZ").key(&keys[0]);
    let payment = verify.put(&api).await.json()["payment"].clone();
    let path = format!("/v1/payments/{}/claim", payment["id"].as_str().expect("an id"));
    let mut tasks = JoinSet::new();
    for (number, key) in (0..CLAIMS).zip(keys.iter().cycle()) {
        let body = json!({"purpose": format!("order {number}")}).to_string();
        let call = Call::post(path.clone()).key(key).json(body);
        let api = api.clone();
        tasks.spawn(async move { call.put(&api).await });
    }
    let told = tasks.join_all().await;
    let won = told.iter().filter(|told| told.status == 200).count();
    assert_eq!(won, 1);
    for lost in told.iter().filter(|told| told.status != 200) {
        assert_eq!(lost.problem(), (409, "payment_claimed".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_claims_wins_in_memory() {
    race(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_claims_wins_on_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SledStore::open(dir.path(), Options::default()).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    race(Arc::clone(&store)).await;
    store.close().await;
}
