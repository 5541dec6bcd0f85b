//! How often somebody may come, what strangers are told, and what every answer has in its head.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use mlango::http::api::{Api, BodyLimits};
use mlango::http::callback::{self, Callbacks, Tokens};
use mlango::http::guard::Rules;
use mlango::http::router;
use mlango::http::throttle::Pace;
use mlango::store::Scope;
use mlango::telemetry::metric;
use tokio::io::AsyncWriteExt as _;

use crate::help::gateway;
use crate::server::{LIMITS, Running, rest};
use crate::support::{Call, GOOD, Gateway, TOKEN, Told};

const BODY: BodyLimits = BodyLimits { bytes: 64 * 1024, timeout: Duration::from_millis(300) };
const THERE: &str = "192.0.2.7:4000";
const ELSEWHERE: &str = "192.0.2.8:4000";

fn guarded(gateway: &Gateway, rules: Rules) -> Router {
    let api = Api {
        engine: Arc::clone(&gateway.engine),
        apps: Arc::clone(&gateway.apps),
        limits: BODY,
        shutdown: gateway.shutdown.clone(),
        notes: Arc::default(),
    };
    router::guarded(api, rules)
}

fn callbacks(gateway: &Gateway, allow: &str, wrong_calls: Pace) -> Router {
    let parts = Callbacks {
        engine: Arc::clone(&gateway.engine),
        tokens: Arc::new(Tokens::new(TOKEN, None)),
        client_names: Vec::new(),
        allow: vec![allow.parse().expect("a network")],
        public_url: "https://gw.example.org".to_owned(),
        limits: BODY,
    };
    callback::guarded(parts, wrong_calls)
}

#[track_caller]
fn too_many(told: &Told, seconds: &str) {
    assert_eq!(told.problem(), (429, "too_many_requests".to_owned()));
    assert_eq!(told.header("retry-after"), seconds);
    assert!(told.text().contains("Nothing was done"), "{}", told.text());
}

#[tokio::test]
async fn each_application_has_its_pace() {
    let (gateway, key) = gateway().await;
    let other = gateway.key("other", &[Scope::PayoutsWrite]).await;
    let api = guarded(&gateway, Rules { keys: Pace::per_second(1, 2), ..Rules::NONE });
    let submit = |key: &str, once: &str, from: &'static str| {
        let call = Call::post("/v1/payouts").key(key).once(once).json(GOOD);
        let api = api.clone();
        async move { call.put_from(&api, from).await }
    };
    assert_eq!(submit(&key, "a", THERE).await.status, 202);
    assert_eq!(submit(&key, "b", ELSEWHERE).await.status, 202);
    too_many(&submit(&key, "c", THERE).await, "1");
    assert_eq!(submit(&other, "c", THERE).await.status, 202, "another application has its own");
    gateway.clock.advance(Duration::from_secs(1));
    let again = submit(&key, "c", THERE).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, ""));
}

#[tokio::test]
async fn each_peer_has_its_pace_also_without_a_key() {
    let (gateway, key) = gateway().await;
    let api = guarded(&gateway, Rules { peers: Pace::per_second(1, 3), ..Rules::NONE });
    for path in ["/healthz", "/nothing", "/v1/payouts"] {
        let told = Call::get(path).put_from(&api, THERE).await;
        assert_ne!(told.status.as_u16(), 429, "{path}");
    }
    for path in ["/healthz", "/nothing", "/v1/payouts", "/metrics"] {
        too_many(&Call::get(path).key(&key).put_from(&api, THERE).await, "1");
    }
    assert_eq!(Call::get("/healthz").put_from(&api, ELSEWHERE).await.status, 200);
}

#[tokio::test]
async fn whoever_guesses_keys_is_slowed_and_whoever_has_one_is_not() {
    let (gateway, key) = gateway().await;
    let api = guarded(&gateway, Rules { wrong_keys: Pace::per_minute(3), ..Rules::NONE });
    let ask = async |key: &str, from| Call::get("/v1/payouts").key(key).put_from(&api, from).await;
    let before = counted("mlango_wrong_keys_total");
    for nth in 0..3 {
        assert_eq!(ask(&format!("mk_{nth}"), THERE).await.status, 401);
    }
    too_many(&ask("mk_4", THERE).await, "20");
    assert_eq!(ask(&key, THERE).await.status, 200, "a good key is served beside a bad one");
    assert_eq!(ask("mk_5", ELSEWHERE).await.status, 401, "and another peer is not meant");
    assert!(counted("mlango_wrong_keys_total") >= before + 5);
    gateway.clock.advance(Duration::from_secs(20));
    assert_eq!(ask("mk_6", THERE).await.status, 401);
}

fn counted(name: &str) -> u64 {
    let text = metric::render();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0, |count| count.parse().expect("a count"))
}

#[tokio::test]
async fn whoever_guesses_tokens_is_cut_off_and_the_right_token_is_always_heard() {
    let gateway = Gateway::new();
    let door = callbacks(&gateway, "192.0.2.0/29", Pace::per_minute(2));
    let call = async |token: &str, from| {
        Call::post(format!("/cb/{token}/b2c/result")).body("x").put_from(&door, from).await
    };
    for nth in 0..2 {
        assert_eq!(call(&format!("{nth:032x}"), THERE).await.status, 404);
    }
    let told = call("00", THERE).await;
    assert_eq!((told.status.as_u16(), told.header("connection")), (429, "close"));
    assert_eq!(told.text(), "", "a stranger is told nothing");
    for path in ["/", "/cb", "/metrics"] {
        assert_eq!(Call::get(path).put_from(&door, THERE).await.status, 429, "{path}");
    }
    // The same peer, with the right token: M-Pesa may not come a second time.
    for _ in 0..10 {
        assert_eq!(call(TOKEN, THERE).await.status, 200);
    }
    // From outside the network not even the right token counts, and then it is the same.
    for status in [403, 403, 429] {
        assert_eq!(call(TOKEN, ELSEWHERE).await.status.as_u16(), status);
    }
    gateway.clock.advance(Duration::from_secs(30));
    assert_eq!(call("00", THERE).await.status, 404);
}

#[tokio::test]
async fn metrics_and_reasons_can_be_kept_from_strangers() {
    let gateway = Gateway::new();
    let admin = gateway.key("control", &[Scope::Admin]).await;
    let reads = gateway.key("finance", &[Scope::PayoutsRead]).await;
    let api = guarded(&gateway, Rules { open_metrics: false, ..Rules::NONE });
    let told = Call::get("/metrics").put(&api).await;
    assert_eq!(told.problem(), (401, "key_missing".to_owned()));
    assert_eq!(Call::get("/metrics").key(&reads).put(&api).await.status, 403);
    assert!(Call::get("/metrics").key(&admin).put(&api).await.text().contains("mlango_"));
    gateway.shutdown.cancel();
    let told = Call::get("/readyz").put(&api).await;
    assert_eq!(told.status, 503);
    assert!(!told.text().contains("shutting down"), "{}", told.text());
    let told = Call::get("/readyz").key(&admin).put(&api).await;
    assert!(told.text().contains("shutting down"), "{}", told.text());
    let open = guarded(&gateway, Rules::NONE);
    assert!(Call::get("/readyz").put(&open).await.text().contains("shutting down"));
}

#[tokio::test]
async fn a_stranger_is_told_nothing_of_what_is_inside() {
    let (gateway, key) = gateway().await;
    let payout = crate::help::taken(&gateway, &key, "k", GOOD).await;
    let id = payout["id"].as_str().expect("an id");
    gateway.store.fail("/var/lib/mlango/data: no space left");
    let inside = [
        TOKEN,
        &key,
        "254722000111",
        "0722",
        "INV-2041",
        "/var/",
        "/src/",
        ".rs:",
        "panicked",
        "hyper",
        "axum",
        "sled",
        "rustc",
        id,
        "600999",
        "ExampleOrg",
        "1.0.",
        "0.1.0",
    ];
    let doors =
        [gateway.api.clone(), gateway.callbacks(&[]), gateway.callbacks(&["198.51.100.0/24"])];
    let large = "x".repeat(100_000);
    let calls = [
        Call::get("/"),
        Call::get("/healthz"),
        Call::get("/readyz"),
        Call::get(format!("/v1/payouts/{id}")),
        Call::get(format!("/v1/payouts/{id}")).key("mk_wrong"),
        Call::get("/v1/messages/x"),
        Call::new("DELETE", "/v1/payouts"),
        Call::new("TRACE", "/v1/payouts").header("x-secret", "254722000111"),
        Call::new("OPTIONS", "*"),
        Call::post("/v1/payouts").body(large.clone()),
        Call::post("/cb/wrong/b2c/result").body(large),
        Call::get("/cb/wrong/b2c/result?wsdl"),
        Call::get("/nothing?phone=254722000111"),
    ];
    for call in calls {
        for door in &doors {
            let told = call.clone().put(door).await;
            let mut text = format!("{:?} {}", told.headers, told.text());
            // The description says how numbers may look; nothing else does.
            text.make_ascii_lowercase();
            for word in inside {
                let word = word.to_ascii_lowercase();
                assert!(!text.contains(&word), "{word} in the answer to {call:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn every_answer_of_every_listener_says_what_a_browser_may_do_with_it() {
    let (gateway, key) = gateway().await;
    let api = Running::with(gateway.api.clone(), LIMITS);
    let door = Running::with(gateway.callbacks(&[]), LIMITS);
    let ask = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n")
    };
    let wsdl = format!("/cb/{TOKEN}/b2c/result?wsdl");
    let asked = [
        (&api, "/healthz"),
        (&api, "/v1/payouts"),
        (&api, "/v1/payouts/x"),
        (&api, "/nothing"),
        (&api, "/openapi.json"),
        (&door, "/nothing"),
        (&door, wsdl.as_str()),
    ];
    for (door, path) in asked {
        let mut stream = door.connect().await;
        stream.write_all(ask(path).as_bytes()).await.expect("sent");
        let told = rest(&mut stream).await;
        let head = told.split("\r\n\r\n").next().expect("a head").to_ascii_lowercase();
        for line in [
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
            "referrer-policy: no-referrer",
            "x-frame-options: deny",
        ] {
            assert_eq!(head.matches(line).count(), 1, "{path}: {line} in {head}");
        }
        for no in ["\nserver:", "x-powered-by", "strict-transport-security"] {
            assert!(!head.contains(no), "{path}: {head}");
        }
    }
    assert_eq!((api.end().await, door.end().await), (0, 0));
}
