//! The socket file: who can open it, and what is done to applications there.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use http_body_util::BodyExt;
use mlango::engine::SubmitError;
use mlango::http::admin::{self, Admin, AppList, AppWithKey};
use mlango::http::problem::Problem;
use mlango::http::server::{Limits, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Call, Gateway, Told, counted};

fn router(gateway: &Gateway) -> axum::Router {
    admin::router(Admin::new(Arc::clone(&gateway.engine), Arc::clone(&gateway.apps), counted))
}

async fn ask(gateway: &Gateway, call: Call) -> Told {
    call.put(&router(gateway)).await
}

fn read<T: serde::de::DeserializeOwned>(told: &Told) -> T {
    serde_json::from_value(told.json()).expect("another shape")
}

async fn opens(gateway: &Gateway, key: &str) -> bool {
    gateway.ask(Call::get("/v1/payouts").key(key)).await.status == 200
}

#[tokio::test]
async fn applications_are_made_given_new_keys_and_revoked_and_it_counts_at_once() {
    let gateway = Gateway::new();
    let new = json!({"name": "finance", "scopes": ["payouts:read"]}).to_string();
    let made = ask(&gateway, Call::post("/apps").json(new)).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("cache-control"), "no-store");
    let made: AppWithKey = read(&made);
    assert!(made.key.starts_with("mk_") && made.key.len() == 55);
    assert!(!format!("{made:?}").contains(&made.key));
    assert_eq!(made.app.scopes, ["payouts:read"]);
    assert!(opens(&gateway, &made.key).await);

    let rotate = format!("/apps/{}/rotate", made.app.id);
    let second: AppWithKey = read(&ask(&gateway, Call::post(&rotate)).await);
    assert!(opens(&gateway, &made.key).await, "a day's grace");
    assert!(opens(&gateway, &second.key).await);
    assert_eq!(second.app.keys[0].ends_at.as_deref(), Some("2024-01-03T03:04:05.000Z"));
    let now = json!({"old_key_ends_in_s": 0}).to_string();
    let third: AppWithKey = read(&ask(&gateway, Call::post(&rotate).json(now)).await);
    assert!(!opens(&gateway, &made.key).await);
    assert!(!opens(&gateway, &second.key).await);
    assert!(opens(&gateway, &third.key).await);

    let list = ask(&gateway, Call::get("/apps")).await;
    assert!(!list.text().contains(&third.key), "a key is shown once");
    let list: AppList = read(&list);
    assert_eq!(list.data, [third.app]);
    let revoke = format!("/apps/{}/revoke", made.app.id);
    assert_eq!(ask(&gateway, Call::post(&revoke)).await.status, 200);
    assert!(!opens(&gateway, &third.key).await);
    let again = ask(&gateway, Call::post(&revoke)).await;
    assert_eq!(again.problem(), (409, "app_conflict".to_owned()));
    let again = ask(&gateway, Call::post(&rotate)).await;
    assert_eq!(again.problem(), (409, "app_conflict".to_owned()));
}

#[tokio::test]
async fn what_is_wrong_with_an_act_is_said() {
    let gateway = Gateway::new();
    let post = |body: Value| ask(&gateway, Call::post("/apps").json(body.to_string()));
    assert_eq!(post(json!({"name": "finance"})).await.status, 201);
    let table = [
        (json!({"name": "finance"}), 409, "app_conflict"),
        (json!({"name": ""}), 422, "invalid_fields"),
        (json!({"name": "a\nb"}), 422, "invalid_fields"),
        (json!({"name": "x".repeat(65)}), 422, "invalid_fields"),
        (json!({"name": "a", "scopes": ["payouts"]}), 422, "invalid_fields"),
        (json!({"name": "a", "colour": "red"}), 422, "invalid_fields"),
        (json!({}), 422, "invalid_fields"),
        (json!({"name": "x".repeat(20_000)}), 413, "body_too_large"),
    ];
    for (body, status, code) in table {
        assert_eq!(post(body.clone()).await.problem(), (status, code.to_owned()), "{body}");
    }
    for id in ["app_00000000000000000000000000", "x"] {
        for act in ["rotate", "revoke"] {
            let told = ask(&gateway, Call::post(format!("/apps/{id}/{act}"))).await;
            assert_eq!(told.problem(), (404, "no_such_app".to_owned()));
        }
    }
    let app: AppList = read(&ask(&gateway, Call::get("/apps")).await);
    let rotate = format!("/apps/{}/rotate", app.data[0].id);
    let long = json!({"old_key_ends_in_s": 31 * 86_400}).to_string();
    let told = ask(&gateway, Call::post(&rotate).json(long)).await;
    assert_eq!(told.problem(), (422, "invalid_fields".to_owned()));
    for _ in 0..4 {
        assert_eq!(ask(&gateway, Call::post(&rotate)).await.status, 200);
    }
    let told = ask(&gateway, Call::post(&rotate)).await;
    assert_eq!(told.problem(), (409, "app_conflict".to_owned()), "five keys are enough");
    gateway.store.fail("the disk is full");
    let told = ask(&gateway, Call::post("/apps").json(r#"{"name":"b"}"#)).await;
    assert_eq!(told.problem(), (503, "store_unavailable".to_owned()));
}

#[tokio::test]
async fn only_its_owner_can_open_the_socket_file_and_it_goes_with_the_gateway() {
    let gateway = Gateway::new();
    let place = tempfile::tempdir().expect("a directory");
    let path = admin::socket_beside(&place.path().join("data"));
    assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("data.sock"));
    // One that a dead process left is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let server = Server::bind_file(&path).expect("a socket");
    let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(names(place.path()), ["data.sock"], "nothing else is left lying");

    let stop = CancellationToken::new();
    let serving = server.serve(router(&gateway), Limits::default(), stop.clone());
    let serving = tokio::spawn(serving);
    let mut stream = UnixStream::connect(&path).await.expect("a connection");
    let request = b"GET /apps HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("a write");
    let mut told = String::new();
    stream.read_to_string(&mut told).await.expect("an answer");
    assert!(told.ends_with("{\"data\":[]}"), "{told}");

    let error = Server::bind_file(&path).expect_err("a living one is not replaced");
    assert!(error.to_string().contains("a running mlango answers there"), "{error}");
    stop.cancel();
    assert_eq!(serving.await.expect("no panic"), 0);
    assert!(names(place.path()).is_empty(), "the file is gone");
}

fn names(place: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(place).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    let response = Problem::from(SubmitError::Busy).into_response();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "1");
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(problem["code"], "busy");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("Nothing was done"), "{detail}");
}
