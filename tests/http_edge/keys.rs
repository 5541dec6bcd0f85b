//! API keys: what their scopes open, and how long they are good (contract, part 2).

use std::time::Duration;

use mlango::http::router::routes;
use mlango::store::Scope;

use crate::help::gateway;
use crate::support::{Call, GOOD, Gateway, NOW};

#[tokio::test]
async fn keys_open_what_their_scopes_say_and_nothing_else() {
    let gateway = Gateway::new();
    let mut keys = vec![];
    for scope in Scope::ALL {
        keys.push((scope, gateway.key(scope.as_str(), &[scope]).await));
    }
    for route in routes() {
        let path = route.path.replace("{id}", "po_00000000000000000000000000");
        let path = path.replace("{rail}", "soap");
        let call = || Call::new(route.method.as_str(), path.clone()).once("k").json(GOOD);
        let needed = route.scopes();
        if needed.is_empty() {
            let open = gateway.ask(call()).await;
            assert!(open.status.is_success(), "{route:?} needs no key");
            continue;
        }
        let bare = gateway.ask(call()).await;
        assert_eq!(bare.problem(), (401, "key_missing".to_owned()), "{route:?}");
        assert!(bare.header("www-authenticate").starts_with("Bearer "));
        for (scope, key) in &keys {
            let told = gateway.ask(call().key(key)).await;
            let read = [Scope::PayoutsRead, Scope::PaymentsRead];
            let reads = *scope == Scope::ReadAll && needed.iter().any(|it| read.contains(it));
            if needed.contains(scope) || reads {
                assert!(![401, 403].contains(&told.status.as_u16()), "{route:?} {scope:?}");
            } else {
                assert_eq!(told.problem(), (403, "scope_missing".to_owned()), "{route:?}");
                let detail = told.json()["detail"].to_string();
                for needed in needed {
                    assert!(detail.contains(needed.as_str()), "{detail}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_good_until_it_is_rotated_out_or_revoked() {
    let (gateway, key) = gateway().await;
    let status = async |key: &str| {
        let call = Call::get("/v1/payouts").header("Authorization", &format!("Bearer {key}"));
        gateway.ask(call).await.status.as_u16()
    };
    assert_eq!(status(&key).await, 200);
    for wrong in ["", "mk_", &key[1..], &key.to_uppercase(), &format!("{key}0"), &"k".repeat(9_999)]
    {
        assert_eq!(status(wrong).await, 401, "{wrong}");
    }
    let basic = Call::get("/v1/payouts").header("Authorization", "Basic bWs6");
    assert_eq!(gateway.ask(basic).await.problem(), (401, "key_missing".to_owned()));

    let id = gateway.desk().list().await.expect("apps")[0].id;
    let grace = Duration::from_secs(60);
    let (app, second) = gateway.desk().rotate(id, grace).await.expect("a new key");
    gateway.apps.put(&app);
    assert_eq!((status(&key).await, status(second.reveal()).await), (200, 200));
    gateway.clock.advance(grace);
    assert_eq!((status(&key).await, status(second.reveal()).await), (401, 200));

    let (app, third) = gateway.desk().rotate(id, Duration::ZERO).await.expect("a new key");
    gateway.apps.put(&app);
    assert_eq!((status(second.reveal()).await, status(third.reveal()).await), (401, 200));
    let reread = mlango::http::auth::Apps::load(gateway.store.as_ref()).await.expect("apps");
    assert!(reread.caller(third.reveal(), NOW).is_some(), "as after a restart");
    assert!(reread.caller(key.as_str(), NOW).is_none());

    let app = gateway.desk().revoke(id).await.expect("revoked");
    gateway.apps.put(&app);
    assert_eq!(status(third.reveal()).await, 401);
    assert!(gateway.desk().revoke(id).await.is_err(), "for ever");
    let kept = format!("{:?}", gateway.desk().list().await.expect("apps"));
    assert!(!kept.contains(&key), "only hashes are kept");
}
