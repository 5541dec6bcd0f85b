//! Administrative acts: each leaves one record in the event chain, which says who did it, from
//! where, and what was before and after; one that failed leaves none; strangers see none.

use std::sync::Arc;

use mlango::domain::payment::{Asking, Doubt, State, Tries};

use mlango::engine::audit::Deed;
use mlango::http::admin::{self, Admin, Alone, NewPause, Resume};
use mlango::http::server::Peer;
use mlango::store::{FeedEvent, Scope, Store};
use serde_json::json;

use crate::help::taken;
use crate::person::unknown;
use crate::support::{Call, GOOD, Gateway, NOW, TOKEN, Told, counted};

/// The records of administrative acts, and how much of the feed there is.
async fn records(gateway: &Gateway) -> Vec<FeedEvent> {
    let all = gateway.store.events(0, 500).await.expect("events");
    all.into_iter().filter(|event| event.event.kind.starts_with("admin.")).collect()
}

/// What the one record says that an act left.
struct Watch {
    seen: usize,
}

impl Watch {
    async fn at(gateway: &Gateway) -> Self {
        Self { seen: records(gateway).await.len() }
    }

    /// One more record than before, of this kind, with these words.
    #[track_caller]
    fn one(&mut self, now: &[FeedEvent], deed: Deed, words: &[&str]) {
        assert_eq!(now[self.seen..].len(), 1, "{deed:?} leaves one record: {now:#?}");
        let event = &now[self.seen].event;
        assert_eq!(event.kind, format!("admin.{}", deed.as_str()));
        assert_eq!((event.app, event.about), (None, None));
        for word in words {
            assert!(event.says.contains(word), "no {word} in: {}", event.says);
        }
        self.seen = now.len();
    }

    #[track_caller]
    fn none(&self, now: &[FeedEvent], what: &str) {
        assert_eq!(now.len(), self.seen, "{what} leaves no record: {now:#?}");
    }
}

async fn shell(gateway: &Gateway, call: Call) -> Told {
    let admin = Admin::new(Arc::clone(&gateway.engine), Arc::clone(&gateway.apps), counted);
    call.put_as(&admin::router(admin), Peer::File(Some(1000))).await
}

#[tokio::test]
async fn what_the_shell_does_is_recorded_with_the_user_who_did_it() {
    let gateway = Gateway::new();
    let mut watch = Watch::at(&gateway).await;
    let new = json!({"name": "finance", "scopes": ["payouts:read"]}).to_string();
    let made = shell(&gateway, Call::post("/apps").json(new.clone())).await.json();
    let id = made["app"]["id"].as_str().expect("an id").to_owned();
    let from = ["by \"the operator\", from the shell, uid 1000", &id];
    let after = "Before: none. After: may payouts:read, with 1 keys.";
    watch.one(&records(&gateway).await, Deed::AppCreated, &[from[0], from[1], after]);
    assert_eq!(shell(&gateway, Call::post("/apps").json(new)).await.status, 409);
    watch.none(&records(&gateway).await, "a name that is taken");

    let rotated = shell(&gateway, Call::post(format!("/apps/{id}/rotate"))).await;
    let key = rotated.json()["key"].as_str().expect("a key").to_owned();
    let after = "with 1 keys. After: may payouts:read, with 2 keys, an older one until 2024-";
    watch.one(&records(&gateway).await, Deed::AppRotated, &[from[0], after]);
    assert_eq!(shell(&gateway, Call::post(format!("/apps/{id}/revoke"))).await.status, 200);
    watch.one(&records(&gateway).await, Deed::AppRevoked, &[from[0], "After: revoked."]);
    assert_eq!(shell(&gateway, Call::post(format!("/apps/{id}/revoke"))).await.status, 409);
    watch.none(&records(&gateway).await, "an application that is revoked");

    let pause = json!({"by": "wanjiru", "reason": "audit"}).to_string();
    assert_eq!(shell(&gateway, Call::post("/rails/soap/pause").json(pause)).await.status, 200);
    let words = ["by \"wanjiru\", from the shell, uid 1000", "because \"audit\"", "Before: open."];
    watch.one(&records(&gateway).await, Deed::RailPaused, &words);
    let resume = json!({"by": "otieno"}).to_string();
    assert_eq!(shell(&gateway, Call::post("/rails/soap/resume").json(resume)).await.status, 200);
    let words = ["by \"otieno\"", "Before: paused by \"wanjiru\". After: open."];
    watch.one(&records(&gateway).await, Deed::RailResumed, &words);

    let said = format!("{:?}", records(&gateway).await);
    assert!(!said.contains(&key), "a record holds no key");
    assert!(gateway.store.verify().await.expect("read").faults.is_empty());
}

#[tokio::test]
async fn what_an_administrators_key_does_is_recorded_with_its_address() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("finance", &[Scope::PayoutsWrite, Scope::PaymentsWrite]).await;
    let admin = gateway.key("control", &[Scope::Admin]).await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    let id = payout["id"].as_str().expect("an id");
    let mut watch = Watch::at(&gateway).await;
    let resolve = async |path: String| {
        let ruling =
            json!({"outcome": "not_paid", "reason": "the statement", "evidence": "page 3"});
        let ruling = Call::post(path).key(&admin).json(ruling.to_string());
        gateway.ask(ruling).await.status.as_u16()
    };
    assert_eq!(resolve(format!("/v1/payouts/{id}/resolve")).await, 409);
    watch.none(&records(&gateway).await, "a ruling that is refused");
    unknown(&gateway, &payout, None).await;
    assert_eq!(resolve(format!("/v1/payouts/{id}/resolve")).await, 200);
    let from = "by \"control\", from 196.201.212.9 with a key of app_";
    let words = [from, id, "Before: unknown. After: not paid."];
    watch.one(&records(&gateway).await, Deed::PayoutResolved, &words);
    assert_eq!(resolve(format!("/v1/payouts/{id}/resolve")).await, 409);
    watch.none(&records(&gateway).await, "a second ruling");

    let push = json!({"amount": "10", "phone": "0722000111", "reference": "A", "description": "b"});
    let push = Call::post("/v1/stk-pushes").key(&key).once("p").json(push.to_string());
    let prompt = gateway.ask(push).await.json();
    let state = State::Unknown {
        tries: Tries { attempts: 1, sent_at: Some(NOW), ..Tries::NONE },
        why: Doubt::NoAnswer,
        since: NOW,
        prompt: None,
        asking: Asking::first_at(NOW),
    };
    gateway.stands(&prompt, state).await;
    let id = prompt["id"].as_str().expect("an id");
    assert_eq!(resolve(format!("/v1/payments/{id}/resolve")).await, 200);
    watch.one(&records(&gateway).await, Deed::PaymentResolved, &[from, id, "After: not paid."]);

    let body = "no message".to_owned();
    let call = Call::post(format!("/cb/{TOKEN}/b2c/result")).body(body);
    assert_eq!(call.put(&gateway.callbacks(&[])).await.status, 200);
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    watch.seen = records(&gateway).await.len();
    let cases = gateway.ask(Call::get("/v1/cases?status=open").key(&auditor)).await;
    let case = cases.json()["data"][0]["id"].as_str().expect("a case").to_owned();
    let close = || {
        let ruling = json!({"ruling": "a scan", "reason": "not from M-Pesa"}).to_string();
        gateway.ask(Call::post(format!("/v1/cases/{case}/close")).key(&admin).json(ruling))
    };
    assert_eq!(close().await.status, 200);
    let words = [from, &case, "Before: open, malformed. After: closed, ruled \"a scan\"."];
    watch.one(&records(&gateway).await, Deed::CaseClosed, &words);
    assert_eq!(close().await.status, 409);
    watch.none(&records(&gateway).await, "a case that is closed");

    for (method, deed) in [("pause", Deed::RailPaused), ("resume", Deed::RailResumed)] {
        let call = Call::post(format!("/v1/rails/soap/{method}")).key(&admin);
        let done = gateway.ask(call.json(json!({"reason": "audit"}).to_string())).await;
        assert_eq!(done.status, 200, "{}", done.text());
        watch.one(&records(&gateway).await, deed, &[from, "rail soap"]);
    }
    let rows = json!([{"reference": "INV-1"}, {"reference": "INV-2"}]).to_string();
    let expect =
        |body: String| gateway.ask(Call::post("/v1/c2b/expected-references").key(&key).json(body));
    assert_eq!(expect("[{}]".to_owned()).await.status, 422);
    watch.none(&records(&gateway).await, "references that will not do");
    assert_eq!(expect(rows).await.status, 200);
    let words = ["by \"finance\"", "2 references", "Before: 0 of them expected. After: 2 of them"];
    watch.one(&records(&gateway).await, Deed::ReferencesExpected, &words);
    assert!(gateway.store.verify().await.expect("read").faults.is_empty());
}

#[tokio::test]
async fn only_who_oversees_the_gateway_sees_the_records() {
    let gateway = Gateway::new();
    let own = gateway.key("finance", &[Scope::PayoutsRead, Scope::PaymentsRead]).await;
    let kinds = async |key: &str| {
        let page = gateway.ask(Call::get("/v1/events?limit=500").key(key)).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        let kinds = page["data"].as_array().expect("a list").iter();
        kinds.map(|event| event["type"].as_str().expect("a type").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&own).await, Vec::<String>::new());
    for scope in [Scope::Admin, Scope::ReadAll] {
        let key = gateway.key(scope.as_str(), &[scope]).await;
        let seen = kinds(&key).await;
        assert!(seen.iter().all(|kind| kind == "admin.app_created") && seen.len() > 1, "{seen:?}");
    }
    let writes = gateway.key("writes", &[Scope::PayoutsWrite]).await;
    assert_eq!(gateway.ask(Call::get("/v1/events").key(&writes)).await.status, 403);
}

#[tokio::test]
async fn without_a_gateway_the_record_is_the_same() {
    let gateway = Gateway::new();
    let mut watch = Watch::at(&gateway).await;
    let alone = Alone {
        store: gateway.store.as_ref(),
        clock: gateway.clock.as_ref(),
        ids: gateway.engine.ids().as_ref(),
        from: "the shell, uid 7, without a gateway",
    };
    let new = NewPause { by: "wanjiru".to_owned(), reason: "audit".to_owned() };
    alone.pause("soap", &new).await.expect("paused");
    let from = "by \"wanjiru\", from the shell, uid 7, without a gateway";
    let words = [from, "Before: open. After: paused by \"wanjiru\"."];
    watch.one(&records(&gateway).await, Deed::RailPaused, &words);
    let by = Resume { by: "wanjiru".to_owned() };
    alone.resume("soap", &by).await.expect("resumed");
    let words = [from, "Before: paused by \"wanjiru\". After: open."];
    watch.one(&records(&gateway).await, Deed::RailResumed, &words);
    alone.resume("pigeon", &by).await.expect_err("no such rail");
    watch.none(&records(&gateway).await, "a rail that is not there");
    let verified = gateway.store.verify().await.expect("read");
    assert_eq!(verified.faults, Vec::<String>::new());
}
