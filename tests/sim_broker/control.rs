//! What testers ask, limits, and how it starts and stops.

use std::sync::Arc;

use mlango::clock::ManualClock;
use mlango::sim::{Settings, Simulator};
use mlango::soap::ack;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{
    NOW, PASSWORD, PATIENCE, Receiver, caller, code, exchange, get_json, http_post, message,
    settings, split, start, submit, wait_until,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_and_the_accounts_are_read_in_pages() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    for (number, ending) in ["0111", "0222", "0111", "0002"].into_iter().enumerate() {
        let id = format!("600999_Org_{number}");
        assert_eq!(code(&sim, &message(&caller, &id, ending, 100)).await, "0");
    }
    let (status, ledger) = get_json(&sim, "/sim/ledger?limit=2").await;
    assert_eq!(status, 200);
    assert_eq!(ledger["total_paid"], "300.00");
    assert_eq!(ledger["balance"], "99700.00");
    assert_eq!(ledger["payments"], 3);
    let first = &ledger["data"][0];
    assert_eq!(first["originator_conversation_id"], "600999_Org_0");
    assert_eq!(first["phone"], "254722000111");
    assert_eq!(first["amount"], "100.00");
    assert_eq!(first["command"], "BusinessPayment");
    assert_eq!(first["at"], "2024-01-02T03:04:05.000Z");
    assert_eq!(first["balance"], "99900.00");
    assert_eq!(first["receipt"].as_str().map(str::len), Some(10));
    assert_eq!(ledger["next_cursor"], "2");
    let (_, rest) = get_json(&sim, "/sim/ledger?limit=2&after=2").await;
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["next_cursor"], Value::Null);
    for (id, count) in [("600999_Org_1", 1), ("600999_Org_3", 0), ("unknown", 0)] {
        let path = format!("/sim/ledger?originator_conversation_id={id}");
        let (_, one) = get_json(&sim, &path).await;
        assert_eq!(one["data"].as_array().map(Vec::len), Some(count), "{id}");
    }
    let (_, accounts) = get_json(&sim, "/sim/accounts").await;
    assert_eq!(accounts["utility"]["opening"], "100000.00");
    assert_eq!(accounts["utility"]["balance"], "99700.00");
    assert_eq!(accounts["recipients"][0]["phone"], "254722000111");
    assert_eq!(accounts["recipients"][0]["received"], "200.00");
    assert_eq!(accounts["recipients"][0]["payments"], 2);
    for wrong in ["/sim/ledger?limit=many", "/sim/ledger?id=1", "/sim/accounts?after=x"] {
        let (status, answer) = get_json(&sim, wrong).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(answer["error"].is_string(), "{wrong}");
    }
    assert_eq!(get_json(&sim, "/healthz").await.0, 200);
    assert_eq!(get_json(&sim, "/elsewhere").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_show_both_directions_and_no_secret() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let paid = message(&caller, "600999_Org_1", "0111", 10);
    assert_eq!(code(&sim, &paid).await, "0");
    assert!(submit(&sim, &message(&caller, "600999_Org_8", "0008", 10)).await.is_none());
    receiver.settled(&sim).await;
    let (_, of_one) =
        get_json(&sim, "/sim/exchanges?originator_conversation_id=600999_Org_1").await;
    let data = of_one["data"].as_array().unwrap();
    assert_eq!(data.len(), 2);
    assert_eq!((&data[0]["direction"], &data[0]["status"]), (&"in".into(), &200.into()));
    assert_eq!(data[0]["path"], "/mminterface/request");
    assert!(data[0]["request"].as_str().unwrap().contains("600999_Org_1"));
    assert_eq!(data[1]["direction"], "out");
    assert_eq!(data[1]["path"], receiver.url.as_str());
    assert_eq!(data[1]["response"], ack::RESULT_KEPT);
    let (_, all) = get_json(&sim, "/sim/exchanges").await;
    let shown = all.to_string();
    assert!(!shown.contains(&caller.security_credential));
    let password = paid.split("spPassword>").nth(1).unwrap().trim_end_matches("</tns:");
    assert!(!shown.contains(password));
    let dropped = all["data"].as_array().unwrap().iter();
    let dropped: Vec<_> = dropped.filter(|e| e["status"].is_null()).collect();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0]["originator_conversation_id"], "600999_Org_8");
    let debug = format!("{:?}", settings());
    assert!(!debug.contains("Example-Secret-1") && !debug.contains(PASSWORD), "{debug}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_one_payment_is_found_by_phone_receipt_and_id() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    for (id, ending) in [("600999_Org_1", "0111"), ("600999_Org_2", "0222")] {
        assert_eq!(code(&sim, &message(&caller, id, ending, 10)).await, "0");
    }
    receiver.settled(&sim).await;
    let receipt = sim.paid("600999_Org_2").expect("paid").receipt;
    for sought in ["0722000222", "%2B254%20722-000-222", "600999_Org_2", &receipt] {
        let (_, found) = get_json(&sim, &format!("/sim/exchanges?find={sought}")).await;
        let data = found["data"].as_array().expect("a list");
        assert_eq!(data.len(), 2, "{sought}: the request and its result");
        assert!(data.iter().all(|it| it["originator_conversation_id"] == "600999_Org_2"));
        let (_, found) = get_json(&sim, &format!("/sim/ledger?find={sought}")).await;
        assert_eq!(found["data"][0]["receipt"], receipt.as_str(), "{sought}");
        assert_eq!(found["data"].as_array().map(Vec::len), Some(1), "{sought}");
    }
    // Whoever guesses at a secret is not told that he is right.
    for secret in [&caller.security_credential[..40], "nobody-at-all"] {
        let sought = secret.replace('+', "%2B").replace('/', "%2F");
        let (_, found) = get_json(&sim, &format!("/sim/exchanges?find={sought}")).await;
        assert_eq!(found["data"].as_array().map(Vec::len), Some(0), "{secret}");
    }
    let (_, last) = get_json(&sim, "/sim/exchanges?last=1").await;
    assert_eq!((&last["data"][0]["seq"], &last["last_seq"]), (&4.into(), &4.into()));
    let (_, last) = get_json(&sim, "/sim/ledger?last=1").await;
    assert_eq!(last["data"][0]["originator_conversation_id"], "600999_Org_2");
    let (_, all) = get_json(&sim, "/sim/exchanges?limit=1").await;
    let first = &all["data"][0];
    assert_eq!(
        first["moved"]["says"].as_str().map(|it| it.starts_with("paid 10.00 to ")),
        Some(true)
    );
    assert_eq!(first["story"]["what"], "soap BusinessPayment");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_comes_with_a_policy_and_nothing_else_is_there() {
    let sim = start(settings()).await;
    let request = "GET /sim HTTP/1.1\r\nHost: sim\r\n\r\n";
    let answer = exchange(sim.addr, request.as_bytes()).await;
    let (head, body) = split(&answer).expect("a whole answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
        "{head}"
    );
    assert!(String::from_utf8_lossy(&body).contains("<title>M-Pesa simulator</title>"));
    for path in ["/sim/page.css", "/sim/page.js", "/sim/unfold.js", "/sim/icon.svg"] {
        assert_eq!(get_json(&sim, path).await.0, 200, "{path}");
    }
    for path in ["/sim/", "/sim/page.html", "/sim/../Cargo.toml"] {
        assert_eq!(get_json(&sim, path).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_capped_and_the_address_in_use_is_named() {
    let sim = start(settings()).await;
    let large = "x".repeat(2 * 1024 * 1024);
    let head = format!(
        "POST /mminterface/request HTTP/1.1\r\nHost: sim\r\nContent-Length: {}\r\n\r\n",
        large.len()
    );
    let mut stream = TcpStream::connect(sim.addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        // The other side may well stop reading in the middle.
        writer.write_all(large.as_bytes()).await.ok();
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 12];
    tokio::select! {
        read = reader.read_exact(&mut answer) => { read.unwrap(); }
        () = sending => {}
    }
    assert_eq!(&answer, b"HTTP/1.1 413");
    let taken = Simulator::start(
        Settings { listen: sim.addr, ..settings() },
        Arc::new(ManualClock::new(NOW)),
    )
    .await;
    let said = taken.expect_err("the address is taken").to_string();
    assert!(said.contains(&sim.addr.to_string()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_when_told_although_a_connection_is_held() {
    let sim = start(settings()).await;
    let addr = sim.addr;
    let held = message(&caller("http://127.0.0.1:1/cb"), "600999_Org_4", "0004", 10);
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = http_post("/mminterface/request", &held);
    stream.write_all(&request).await.unwrap();
    wait_until("the payment", || sim.payments() == 1).await;
    timeout(PATIENCE, sim.shutdown()).await.expect("it stops");
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_definition_names_the_address_that_was_asked() {
    let sim = start(settings()).await;
    let ask = async |line: &str, host: &str| {
        let request = format!("{line} HTTP/1.1\r\n{host}\r\n");
        let (head, body) = split(&exchange(sim.addr, request.as_bytes()).await).expect("an answer");
        (head, String::from_utf8(body).expect("text"))
    };
    for path in ["/mminterface/request", "/mminterface/registerURL"] {
        let line = format!("GET {path}?wsdl");
        let (head, body) = ask(&line, "Host: broker.example.org:8310\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let location = format!("location=\"http://broker.example.org:8310{path}\"");
        assert!(body.contains(&location), "{body}");
    }
    for (line, host, status) in [
        ("GET /mminterface/request", "Host: sim\r\n", "405"),
        ("GET /mminterface/request?xsd", "Host: sim\r\n", "405"),
        ("GET /mminterface/request?wsdl", "", "400"),
        ("GET /mminterface/request?wsdl", "Host: a\"b<c\r\n", "400"),
    ] {
        let (head, _body) = ask(line, host).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{line} {host}: {head}");
        assert_eq!(head.to_lowercase().contains("allow: post"), status == "405", "{head}");
    }
}
