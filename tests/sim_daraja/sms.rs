//! Text messages: who may send them, what is said of each recipient, and what goes wrong.

use axum::http::Method;
use mlango::sim::daraja::Api;
use mlango::sim::daraja::faults::Rule;
use serde_json::json;

use crate::support::{Came, Stage};

const PATH: &str = "/version1/messaging";

async fn send(stage: &Stage, key: &str, body: &str) -> Option<Came> {
    let headers = [
        ("apiKey", key),
        ("accept", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    stage.send(Method::POST, PATH, &headers, body).await
}

const KEY: &str = "simulated-sms-key";

#[tokio::test(start_paused = true)]
async fn each_recipient_has_his_own_code_under_one_201() {
    let stage = Stage::new().await;
    let to = "%2B254722000111%2C%2B254722000406,%2B254722000500,12";
    let body =
        format!("username=sandbox&to={to}&message=Hello+J%C3%A1ne&from=MLANGO&bulkSMSMode=1");
    let came = send(&stage, KEY, &body).await.expect("an answer");
    assert_eq!(came.status, 201);
    let read = came.json();
    let data = &read["SMSMessageData"];
    assert_eq!(data["Message"], "Sent to 1/4 Total Cost: KES 0.8000");
    let said: Vec<_> = data["Recipients"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            (one["statusCode"].as_u64().expect("a code"), one["status"].as_str().expect("a word"))
        })
        .collect();
    let expected = [
        (101, "Success"),
        (406, "UserInBlacklist"),
        (500, "InternalServerError"),
        (403, "InvalidPhoneNumber"),
    ];
    assert_eq!(said, expected);
    assert!(data["Recipients"][0]["messageId"].as_str().expect("an id").starts_with("ATXid_"));
    assert_eq!(data["Recipients"][1]["messageId"], "None");
    let kept = stage.get("/sim/sms").await;
    assert_eq!(kept["data"].as_array().map(Vec::len), Some(4));
    assert_eq!(kept["data"][0]["message"], "Hello Jáne");
    assert_eq!(kept["data"][0]["from"], "MLANGO");
    let of_one = stage.get("/sim/sms?to=254722000406").await;
    assert_eq!(of_one["data"][0]["status_code"], 406);
    assert_eq!(stage.sim.texts().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_send_is_told_in_plain_text() {
    let stage = Stage::new().await;
    let good = "username=sandbox&to=%2B254722000111&message=Hello";
    // Key, body; status, content type, text.
    let no = "The supplied authentication is invalid";
    let table = [
        ("wrong", good, 401, no),
        (KEY, "username=other&to=%2B254722000111&message=Hello", 401, no),
        (KEY, "username=sandbox&message=Hello", 400, "Must have to"),
        (KEY, "username=sandbox&to=%2B254722000111", 400, "Must have message"),
    ];
    for (key, body, status, text) in table {
        let came = send(&stage, key, body).await.expect("an answer");
        assert_eq!((came.status, came.text().as_str()), (status, text), "{body}");
        assert!(came.content_type.starts_with("text/plain"));
    }
    let came = send(&stage, KEY, &format!("{good}&from=OTHER")).await.expect("an answer");
    assert_eq!(came.status, 201);
    assert_eq!(
        came.json()["SMSMessageData"],
        json!({"Message": "InvalidSenderId", "Recipients": []})
    );
    assert!(stage.sim.texts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn faults_reach_text_messages_too() {
    let stage = Stage::new().await;
    let good = "username=sandbox&to=%2B254722000111&message=Hello";
    // The fault; the status, if an answer comes; whether the text was sent.
    let table = [
        ("http_503_before", Some(503), false),
        ("http_500_after", Some(500), true),
        ("drop_before", None, false),
        ("drop_after", None, true),
        ("hang_after", None, true),
        ("not_json_after", Some(200), true),
    ];
    let mut sent = 0;
    for (fault, status, is_sent) in table {
        let rule =
            Rule { contains: Some("+254722000111".to_owned()), ..Rule::next(Api::Sms, fault) };
        stage.sim.script_fault(rule).expect("a fault");
        let came = send(&stage, KEY, good).await;
        assert_eq!(came.map(|came| came.status), status, "{fault}");
        sent += usize::from(is_sent);
        assert_eq!(stage.sim.texts().len(), sent, "{fault}");
    }
}
