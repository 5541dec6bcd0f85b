//! Tokens: who gets one, how long it is good, and how each API refuses one that is not.

use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlango::sim::DarajaSettings;
use mlango::sim::daraja::Api;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    B2B, B2C, BALANCE, PULL, REGISTER, REVERSAL, SIMULATE, STATUS, STK, STK_QUERY, Stage, TAX, b2c,
    stk,
};

#[tokio::test(start_paused = true)]
async fn a_token_is_given_to_whoever_has_the_keys() {
    let stage = Stage::new().await;
    let came = stage.oauth().await.expect("an answer");
    assert_eq!(came.status, 200);
    let read = came.json();
    assert_eq!(read["access_token"].as_str().map(str::len), Some(28));
    assert_eq!(read["expires_in"], "3599");
    stage.fault(Api::OAuth, "expires_in_number");
    assert_eq!(stage.oauth().await.expect("an answer").json()["expires_in"], 3599);

    let settings = DarajaSettings::default();
    let basic = |keys: String| format!("Basic {}", STANDARD.encode(keys));
    let right = basic(format!("{}:{}", settings.consumer_key, settings.consumer_secret));
    let wrong = basic(format!("{}:no", settings.consumer_key));
    let good = "/oauth/v1/generate?grant_type=client_credentials";
    // Method, path, authorization; status and errorCode.
    let table = [
        (
            Method::GET,
            "/oauth/v1/generate",
            right.as_str(),
            "400 400.008.02 Invalid grant type passed",
        ),
        (
            Method::GET,
            "/oauth/v1/generate?grant_type=password",
            &right,
            "400 400.008.02 Invalid grant type passed",
        ),
        (Method::GET, good, "Bearer x", "400 400.008.01 Invalid Authentication passed"),
        (Method::GET, good, "", "400 400.008.01 Invalid Authentication passed"),
        (Method::POST, good, &right, "405 405.001 Method Not Allowed"),
        // Wrong keys: an empty body.
        (Method::GET, good, &wrong, "400"),
    ];
    for (method, path, authorization, expected) in table {
        let came = stage.send(method, path, &[("authorization", authorization)], "").await;
        let came = came.expect("an answer");
        assert_eq!(came.word(), expected, "{path} {authorization}");
        assert_eq!(came.body.is_empty(), authorization == wrong);
    }
}

#[tokio::test(start_paused = true)]
async fn each_api_has_its_own_spelling_for_a_token_that_is_no_good() {
    let stage = Stage::new().await;
    let not_found = "404 404.001.03 Invalid Access Token";
    let bad = "400 400.003.01 Invalid Access Token";
    let table = [
        (STK, not_found),
        (STK_QUERY, not_found),
        (REVERSAL, not_found),
        (B2B, not_found),
        (TAX, not_found),
        (B2C, "401 401.002.01 Error Occurred - Invalid Access Token - stale"),
        (BALANCE, "401 401.002.01 Error Occurred - Invalid Access Token - stale"),
        (STATUS, bad),
        (REGISTER, bad),
        (SIMULATE, bad),
        (PULL, "401 401.001 Invalid Access Token"),
    ];
    for (path, expected) in table {
        let headers = [("authorization", "Bearer stale"), ("content-type", "application/json")];
        let came = stage.send(Method::POST, path, &headers, "{}").await.expect("an answer");
        assert_eq!(came.word(), expected, "{path}");
        let came = stage.send(Method::POST, path, &headers[1..], "{}").await.expect("an answer");
        assert_eq!(came.word(), "404 404.001.04 Invalid Authentication Header", "{path}");
        let came = stage.send(Method::GET, path, &headers, "").await.expect("an answer");
        assert_eq!(came.word(), "405 405.001 Method Not Allowed", "{path}");
    }
    assert_eq!(
        stage.word("/mpesa/nothing/v1", &json!({})).await,
        "404 404.001.01 Resource not found"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_with_its_hour_or_when_a_fault_says_so() {
    let stage = Stage::new().await;
    sleep(Duration::from_secs(3_598)).await;
    assert_eq!(stage.word(B2C, &b2c("a", "0111")).await, "200 0");
    sleep(Duration::from_secs(2)).await;
    let refused = stage.word(B2C, &b2c("b", "0111")).await;
    assert!(refused.starts_with("401 401.002.01"), "{refused}");
    stage.renew().await;
    assert_eq!(stage.word(B2C, &b2c("b", "0111")).await, "200 0");

    stage.fault(Api::OAuth, "token_life:5");
    stage.renew().await;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(stage.word(STK, &stk("0111")).await, "404 404.001.03 Invalid Access Token");

    // In the middle of a run, in each spelling: the next token is good.
    let table = [
        ("token_400_003_01", "400 400.003.01 Invalid Access Token"),
        ("token_401_001", "401 401.001 Invalid Access Token"),
        ("token_401_003_01", "401 401.003.01 Invalid Access Token"),
        ("token_404_001_03", "404 404.001.03 Invalid Access Token"),
    ];
    for (number, (fault, expected)) in table.into_iter().enumerate() {
        stage.renew().await;
        stage.fault(Api::B2c, fault);
        let body = b2c(&format!("t{number}"), "0111");
        assert_eq!(stage.word(B2C, &body).await, expected);
        let again = stage.word(B2C, &body).await;
        assert!(again.starts_with("401 401.002.01"), "the same token stays refused: {again}");
        stage.renew().await;
        assert_eq!(stage.word(B2C, &body).await, "200 0", "nothing was done before");
    }
    stage.renew().await;
    stage.fault(Api::B2c, "token_401_002_01");
    let refused = stage.post(B2C, &b2c("last", "0111")).await.expect("an answer");
    assert!(refused.text().contains(&stage.token()), "it repeats the token");
    let shown: Value = stage.get("/sim/exchanges").await;
    assert!(!shown.to_string().contains(&stage.token()), "and nobody else sees it");
}
