//! No caller makes the gateway reach an address of his choosing: whatever stands in the texts of
//! his requests, in their heads and in M-Pesa's own messages, nobody is called there.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Map, Value, json};

use crate::api::{get, id_of, payout};
use crate::house::House;
use crate::wire::ask;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// The paths that take a body, and the fields of it, as the gateway describes them.
fn bodies(document: &Value) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let schema = &methods["post"]["requestBody"]["content"]["application/json"]["schema"];
        let Some(name) = schema["$ref"].as_str() else { continue };
        let name = name.rsplit('/').next().expect("a name");
        let fields = document["components"]["schemas"][name]["properties"].as_object();
        all.push((path.clone(), fields.into_iter().flatten().map(|it| it.0.clone()).collect()));
    }
    all
}

#[test]
fn no_text_of_a_callers_leads_to_a_connection() {
    let house = House::new();
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    let house = house.with("DARAJA__URL", &daraja);
    let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
    trap.set_nonblocking(true).expect("it does not wait");
    let host = trap.local_addr().expect("an address").to_string();
    let url = format!("http://{host}/x");
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let scopes = ["payouts:write", "payouts:read", "payments:write", "payments:read", "admin"];
    let api = house.client("caller", &scopes);
    let document = get(house.api, "/openapi.json", &[]).expect("an answer").json();
    let bodies = bodies(&document);
    assert!(bodies.len() > 10, "{bodies:?}");
    let extra =
        ["url", "callback_url", "result_url", "webhook", "host", "endpoint", "redirect_uri"];
    for (nth, (path, fields)) in bodies.iter().enumerate() {
        let path = path.replace("{id}", "po_00000000000000000000000000").replace("{rail}", "soap");
        let set = |fields: &mut dyn Iterator<Item = &str>| -> Value {
            fields
                .map(|field| (field.to_owned(), Value::from(url.as_str())))
                .collect::<Map<_, _>>()
                .into()
        };
        let all = set(&mut fields.iter().map(String::as_str));
        let more = set(&mut extra.into_iter());
        for (which, body) in [all, more].iter().enumerate() {
            let told = api.post(&path, &format!("k{nth}-{which}"), body).expect("an answer");
            // A pause for a reason, and who is paused for it, are words.
            assert!(told.status < 500, "{path}: {}", told.body);
        }
    }
    // Where words are free, they are taken; and what is sent leads nowhere else.
    let resumed = api.post("/v1/rails/soap/resume", "resume", &Value::Null).expect("an answer");
    assert!(resumed.status < 300, "{}", resumed.body);
    let mut body = payout("254722123456", "1500");
    body["reference"] = Value::from(host.as_str());
    body["remarks"] = Value::from(host.as_str());
    body["metadata"] = json!({"callback_url": url});
    let headers = [
        ("X-API-Key", api.key.as_str()),
        ("Idempotency-Key", "free"),
        JSON,
        ("X-Forwarded-Host", host.as_str()),
        ("Forwarded", &format!("host={host}")),
        ("Referer", url.as_str()),
        ("Origin", url.as_str()),
    ];
    let taken = ask(house.api, "POST", "/v1/payouts", &headers, &body.to_string());
    let taken = taken.expect("an answer");
    assert_eq!(taken.status, 202, "{}", taken.body);
    api.until(id_of(&taken.json()), "succeeded");
    // What somebody says in M-Pesa's name is read, and not followed.
    let token = house.written("token");
    let said = json!({"Result": {"ResultURL": url, "QueueTimeOutURL": url, "ReferenceData": url}});
    let path = format!("/cb/{token}/result");
    let told = ask(house.callbacks, "POST", &path, &[JSON], &said.to_string()).expect("an answer");
    assert_eq!(told.status, 200, "{}", told.body);
    let xml = format!(
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"{url}\">]><a xmlns:x=\"{url}\" \
         x:schemaLocation=\"{url} {url}\">&b;</a>"
    );
    let path = format!("/cb/{token}/b2c/result");
    let told = ask(house.callbacks, "POST", &path, &[], &xml).expect("an answer");
    assert_eq!(told.status, 200, "{}", told.body);
    let last = api.submit("last", &payout("254722123457", "20"));
    api.until(id_of(&last), "succeeded");
    gateway.stop();
    let came = trap.accept().map(|(_stream, peer)| peer);
    assert_eq!(came.map_err(|error| error.kind()), Err(ErrorKind::WouldBlock), "nobody came");
}
