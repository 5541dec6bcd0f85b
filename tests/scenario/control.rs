//! `/sim/scenarios`, as a tester uses it.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::Stage;
use crate::world::{Over, pay, told};

const PATH: &str = "/sim/scenarios";

async fn send(stage: &Stage, kind: &str, body: &str) -> (u16, Value) {
    let came = stage.send(Method::POST, PATH, &[("content-type", kind)], body).await;
    let came = came.expect("an answer");
    (came.status, came.json())
}

#[tokio::test(start_paused = true)]
async fn a_scenario_is_played_watched_and_taken_away() {
    let stage = Stage::new().await;
    let before = stage.get(PATH).await;
    assert_eq!(before["active"], Value::Null);
    assert_eq!(before["rules"], json!([]));
    let names: Vec<&str> = before["ready_made"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "happy",
            "bad-friday",
            "vpn-flaps",
            "late-results",
            "operator-locked",
            "float-runs-dry",
            "daraja-brownout"
        ]
    );
    let text = "name = \"mine\"\nsays = \"Nobody is paid.\"\n[[rules]]\nname = \"no money\"\n\
                when = { api = \"b2c\" }\nthen = { fail = \"1\" }\n";
    let (status, active) = send(&stage, "application/toml", text).await;
    assert_eq!(status, 200, "{active}");
    assert_eq!(active["active"]["name"], "mine");
    assert_eq!(active["active"]["since"], "2024-01-02T03:04:05.000Z");
    pay(&stage, Over::Soap, "a", "0111").await;
    assert_eq!(told(&stage).await, ["1"]);
    let watched = stage.get(PATH).await;
    let expected = json!([{"rule": 1, "name": "no money", "when": {"api": "b2c"},
                           "then": {"fail": "1"}, "met": 1, "hits": 1}]);
    assert_eq!(watched["rules"], expected);
    let gone = stage.send(Method::DELETE, PATH, &[], "").await.expect("an answer");
    assert_eq!((gone.status, gone.json()["active"].clone()), (200, Value::Null));
    pay(&stage, Over::Soap, "b", "0111").await;
    assert_eq!(told(&stage).await, ["0"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_ships_is_named_and_json_says_the_same_as_toml() {
    let stage = Stage::new().await;
    let (status, active) =
        send(&stage, "application/json", "{\"scenario\":\"operator-locked\"}").await;
    assert_eq!((status, &active["active"]["name"]), (200, &json!("operator-locked")));
    let (status, wrong) =
        send(&stage, "application/json", "{\"scenario\":\"operator-loked\"}").await;
    assert_eq!(status, 404);
    let says = wrong["error"].as_str().unwrap();
    assert!(says.contains("did you mean \"operator-locked\"?"), "{says}");
    let document = json!({"name": "mine", "says": "x", "rules": [
        {"when": {"api": "b2c", "amount": {"to": "200"}}, "then": {"fail": "2040"}}]});
    // Also where the caller says nothing of its form.
    for kind in ["application/json", "text/plain"] {
        let (status, active) = send(&stage, kind, &document.to_string()).await;
        assert_eq!((status, &active["rules"][0]["name"]), (200, &json!("rules[1]")), "{active}");
    }
    pay(&stage, Over::Daraja, "a", "0111").await;
    assert_eq!(told(&stage).await, ["2040"]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_one_changes_nothing_and_all_its_faults_are_named() {
    let stage = Stage::new().await;
    send(&stage, "application/json", "{\"scenario\":\"happy\"}").await;
    let text = "name = \"mine\"\nsays = \"x\"\n[[rules]]\nwhen = { phone = \"12\" }\n\
                then = { fial = \"1\" }\n";
    let (status, wrong) = send(&stage, "application/toml", text).await;
    assert_eq!(status, 400);
    let faults = wrong["errors"].as_array().unwrap();
    let keys: Vec<String> =
        faults.iter().map(|fault| format!("{} {}", fault["line"], fault["key"])).collect();
    assert_eq!(keys, ["4 \"rules[1].when.phone\"", "5 \"rules[1].then.fial\""]);
    let large = format!("# {}", "x".repeat(300 * 1024));
    assert_eq!(send(&stage, "application/toml", &large).await.0, 413);
    for body in ["", "{", "[]", "name = ", "{\"scenario\":7}", "null"] {
        assert_eq!(send(&stage, "application/json", body).await.0, 400, "{body}");
    }
    let not_utf8 = stage.send(Method::POST, PATH, &[], "").await.expect("an answer");
    assert_eq!(not_utf8.status, 400);
    assert_eq!(stage.get(PATH).await["active"]["name"], "happy");
}
