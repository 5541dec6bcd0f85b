//! What an operator and his machines ask, and the API's own description (contract, part 2).

use std::collections::BTreeSet;

use mlango::http::openapi;
use mlango::http::problem::Code;
use mlango::http::router::routes;
use mlango::store::Scope;
use serde_json::{Value, json};

use crate::help::{gateway, settled, submit, taken};
use crate::notices::PROMPT;
use crate::support::{Call, GOOD, Gateway};

#[tokio::test]
async fn readiness_says_why_not() {
    let (gateway, key) = gateway().await;
    let ready = gateway.ask(Call::get("/readyz")).await;
    let well = json!({"ready": true, "reasons": [], "notes": []});
    assert_eq!((ready.status.as_u16(), ready.json()), (200, well));
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "2001", None).await;
    gateway.shutdown.cancel();
    let ready = gateway.ask(Call::get("/readyz")).await;
    assert_eq!(ready.status, 503);
    let reasons = ready.json()["reasons"].clone();
    assert!(reasons[0].as_str().is_some_and(|why| why.contains("2001")), "{reasons}");
    assert!(reasons[1].as_str().is_some_and(|why| why.contains("shutting down")), "{reasons}");
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_status() {
    let (gateway, key) = gateway().await;
    taken(&gateway, &key, "k", GOOD).await;
    let told = gateway.ask(Call::get("/metrics")).await;
    assert!(told.header("content-type").starts_with("text/plain"));
    for line in [
        "mlango_http_requests_total{listener=\"api\",route=\"/v1/payouts\",status=\"202\"}",
        "mlango_http_request_seconds_count{listener=\"api\",route=\"/v1/payouts\"}",
        "mlango_payouts{status=\"queued\"}",
        "mlango_shillings_in_doubt 0",
        "mlango_rail_stopped{rail=\"soap\"}",
    ] {
        assert!(told.text().contains(line), "{line} in {}", told.text());
    }
}

#[tokio::test]
async fn a_request_keeps_the_name_that_its_caller_gave_it() {
    let (gateway, _key) = gateway().await;
    let call = Call::get("/healthz").header("X-Request-Id", "trace-7.a_b");
    assert_eq!(gateway.ask(call).await.header("x-request-id"), "trace-7.a_b");
    for odd in ["", "a b", "<x>", &"x".repeat(65)] {
        let told = gateway.ask(Call::get("/healthz").header("X-Request-Id", odd)).await;
        assert!(told.header("x-request-id").starts_with("req_"), "{odd}");
    }
}

#[test]
fn the_description_and_the_routes_agree() {
    let served: BTreeSet<(String, String)> = routes()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase()))
        .collect();
    assert_eq!(served.len(), routes().count(), "no route stands twice");
    let document = serde_json::to_value(openapi::document()).expect("a description");
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            described.insert((path.clone(), method.clone()));
            let route = routes().find(|route| {
                route.path == path && route.method.as_str().eq_ignore_ascii_case(method)
            });
            let route = route.expect("a route");
            assert_eq!(operation["operationId"], route.name);
            assert_eq!(operation["security"].is_array(), !route.scopes().is_empty(), "{path}");
            for (status, codes) in openapi::problems(route) {
                let says = operation["responses"][status.to_string()]["description"].as_str();
                for code in codes {
                    assert!(says.is_some_and(|says| says.contains(code.as_str())), "{path}");
                }
            }
        }
    }
    assert_eq!(served, described);
    // What is named in it is in it.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a pointer");
        assert!(document.pointer(pointer).is_some(), "{pointer} is missing");
    }
    assert_eq!(
        document["components"]["schemas"]["Code"]["enum"].as_array().map(Vec::len),
        Some(Code::ALL.len())
    );
}

#[tokio::test]
async fn answers_hold_what_the_description_says() {
    let (gateway, key) = gateway().await;
    let document = gateway.ask(Call::get("/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    let fields = |schema: &Value| -> BTreeSet<String> {
        schema["properties"].as_object().expect("properties").keys().cloned().collect()
    };
    let held = |value: &Value| -> BTreeSet<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let payout = taken(&gateway, &key, "k", GOOD).await;
    assert_eq!(held(&payout), fields(&schemas["Payout"]));
    assert_eq!(schemas["Payout"]["required"].as_array().map(Vec::len), Some(22));
    settled(&gateway, &payout, "1", None).await;
    let id = payout["id"].as_str().expect("an id");
    let page = gateway.ask(Call::get("/v1/payouts").key(&key)).await.json();
    assert_eq!(held(&page), fields(&schemas["PayoutPage"]));
    assert_eq!(held(&page["data"][0]["failure"]), fields(&schemas["Failure"]));
    let path = format!("/v1/payouts/{id}/events");
    let events = gateway.ask(Call::get(path).key(&key)).await.json();
    assert_eq!(held(&events["data"][1]), fields(&schemas["PayoutEvent"]));
    assert_eq!(held(&events["data"][1]["data"]), fields(&schemas["EventData"]));
    let link = &events["data"][1]["data"]["messages"][0];
    assert_eq!(held(link), fields(&schemas["MessageLink"]));
    let href = link["href"].as_str().expect("a link");
    let message = gateway.ask(Call::get(href).key(&key)).await.json();
    assert_eq!(held(&message), fields(&schemas["Message"]));
    let problem = submit(&gateway, &key, "k3", "{}").await.json();
    // Only some kinds have these.
    let mut usual = fields(&schemas["Problem"]);
    for some in ["retry_at", "claimed_by", "claimed_at", "purpose"] {
        assert!(usual.remove(some), "{some}");
    }
    assert_eq!(held(&problem), usual);
    assert_eq!(held(&problem["errors"][0]), fields(&schemas["FieldFault"]));
    let new: BTreeSet<String> = fields(&schemas["NewPayout"]);
    let told = submit(&gateway, &key, "k4", r#"{"x":1}"#).await.text().to_owned();
    assert!(new.iter().all(|field| told.contains(field)), "{told}");
}

#[tokio::test]
async fn answers_about_money_in_hold_what_the_description_says() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("shop", &[Scope::PaymentsWrite, Scope::PaymentsRead]).await;
    let document = gateway.ask(Call::get("/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    let agree = |value: &Value, schema: &str| {
        let held: BTreeSet<&String> = value.as_object().expect("an object").keys().collect();
        let properties = schemas[schema]["properties"].as_object().expect("properties");
        assert_eq!(held, properties.keys().collect(), "{schema}");
    };
    let push = Call::post("/v1/stk-pushes").key(&key).once("k").json(PROMPT);
    let payment = gateway.ask(push).await.json();
    agree(&payment, "Payment");
    assert_eq!(schemas["Payment"]["required"].as_array().map(Vec::len), Some(22));
    for (path, schema) in [
        ("/v1/payments", "PaymentPage"),
        ("/v1/payments/verify?reference=x", "Verification"),
        ("/v1/inquiries", "InquiryPage"),
        ("/v1/events", "FeedPage"),
    ] {
        agree(&gateway.ask(Call::get(path).key(&key)).await.json(), schema);
    }
    let inquiry = gateway.ask(Call::post("/v1/balance-inquiries").key(&key)).await.json();
    agree(&inquiry, "Inquiry");
    let again = Call::post("/v1/stk-pushes").key(&key).once("k2").json(PROMPT);
    assert!(gateway.ask(again).await.json()["retry_at"].is_string());
}
