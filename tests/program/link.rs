//! The link as partners have it: a broker that nobody here wrote (`openssl s_server`), results that
//! `curl` posts, certificates on both sides; and secrets that are exchanged while it runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use mlango::soap::response::{self, Answer};
use mlango::soap::result::Report;

use crate::api::{get, id_of, name_of, payout};
use crate::certificates::file;
use crate::house::House;
use crate::process::eventually;
use crate::s_server;
use crate::wire::ask;

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// An installation that speaks TLS both ways with a broker on `port`.
fn encrypted(port: u16, library: &str) -> House {
    let files = |name: &str| shown(&file(name));
    House::new()
        .with("BROKER__URL", &format!("https://127.0.0.1:{port}"))
        .with("BROKER__CA", &files("ca.p7b"))
        .with("BROKER__CLIENT_CERTIFICATE", &files("client.pem"))
        .with("BROKER__CLIENT_KEY", &files("client-key.pem"))
        .with("BROKER__SERVER_NAME", "broker.example.test")
        .with("BROKER__TLS", library)
        // Nothing but payouts is said to it: it takes one connection at a time.
        .with("BROKER__PROBE_EVERY", "0s")
        .with("CALLBACKS__TLS_CERTIFICATE", &files("server.pem"))
        .with("CALLBACKS__TLS_KEY", &files("server-key.pem"))
        .with("CALLBACKS__CLIENT_CA", &files("ca.pem"))
        .with("CALLBACKS__CLIENT_NAMES", "broker.example.test")
}

/// `curl`, which posts a file to an address of the callbacks.
fn curl(house: &House, result: &Path, address: &str, certificate: Option<&str>) -> (i32, String) {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "--cacert"]).arg(file("ca.pem"));
    if let Some(name) = certificate {
        command.arg("--cert").arg(file(&format!("{name}.pem")));
        command.arg("--key").arg(file(&format!("{name}-key.pem")));
    }
    command.args(["-H", "Content-Type: text/xml", "-w", "%{http_code}", "--data-binary"]);
    command.arg(format!("@{}", result.display())).arg(address);
    let done = house.finish(command, "");
    (done.code, done.out + &done.err)
}

fn taken() -> String {
    let answer = Answer {
        code: "0",
        description: "Accept the service request successfully.",
        conversation_id: Some("AG_20240102_00000000000000000001"),
        service_status: Some("0"),
        ..Answer::default()
    };
    String::from_utf8(response::render(&answer)).expect("UTF-8")
}

fn paid(name: &str) -> Vec<u8> {
    let report = Report {
        code: "0",
        description: "Process service request successfully.",
        originator_conversation_id: name,
        conversation_id: "AG_20240102_00000000000000000001",
        receipt: Some("QAB0000001"),
        parameters: vec![
            ("TransactionAmount", "1500.00"),
            ("TransactionReceipt", "QAB0000001"),
            ("ReceiverPartyPublicName", "254722000111 - A PERSON"),
        ],
        references: vec![],
    };
    report.render()
}

#[test]
fn a_broker_of_openssl_and_a_result_of_curl_are_served() {
    let weak = "DEFAULT:@SECLEVEL=0";
    for (what, library, more) in [
        ("TLS 1.2", "rustls", &["-tls1_2"][..]),
        ("TLS 1.1", "openssl", &["-tls1_1", "-cipher", weak]),
    ] {
        let broker = s_server::broker("broker", more, &taken());
        let house = encrypted(broker.port, library);
        let gateway = house.serve();
        let client = house.client("payroll", &["payouts:write", "payouts:read", "admin"]);
        let sent = client.submit("one", &payout("254722000111", "1500.00"));
        let request = broker.request();
        assert!(request.contains(name_of(&sent)), "{what}: {request}");
        client.until(id_of(&sent), "accepted");
        let rails = client.get("/v1/rails").expect("an answer").json();
        let link = &rails["data"][0]["link"];
        assert_eq!(link["up"], true, "{what}: {link}");
        assert!(link["protocol"].as_str().expect("a protocol").starts_with("TLSv1."), "{link}");
        assert_eq!(link["weak"].as_array().expect("a list").is_empty(), library == "rustls");

        let result = house.path("result.xml");
        fs::write(&result, paid(name_of(&sent))).expect("written");
        let path = format!("/cb/{}/b2c/result", house.written("token"));
        let address = format!("https://localhost:{}{path}", house.callbacks);
        // Without a certificate, with a stranger's, and with one that is not the broker's.
        for certificate in [None, Some("stranger")] {
            let (code, said) = curl(&house, &result, &address, certificate);
            assert_ne!(code, 0, "{what}, {certificate:?}: {said}");
        }
        let (_code, said) = curl(&house, &result, &address, Some("client"));
        assert!(said.ends_with("403"), "{what}: another partner's certificate: {said}");
        let plain = format!("http://localhost:{}{path}", house.callbacks);
        let (_code, said) = curl(&house, &result, &plain, None);
        assert!(said.contains("speaks HTTPS") && said.ends_with("400"), "{what}: {said}");
        assert_eq!(client.payout(id_of(&sent))["status"], "accepted", "{what}: nothing counted");

        let (code, said) = curl(&house, &result, &address, Some("broker"));
        assert_eq!(code, 0, "{what}: {said}");
        assert!(said.ends_with("200"), "{what}: {said}");
        let done = client.until(id_of(&sent), "succeeded");
        assert_eq!(done["receipt"], "QAB0000001", "{what}");
        let events = client.events(id_of(&sent));
        let came = events.iter().flat_map(|it| it["data"]["messages"].as_array().expect("a list"));
        let shown: Vec<_> = came
            .map(|it| client.get(it["href"].as_str().expect("a path")).expect("a message").json())
            .filter(|message| message["direction"] == "in" && !message["peer"].is_null())
            .collect();
        assert!(!shown.is_empty(), "{what}: {events:?}");
        for message in shown {
            assert_eq!(message["certificate"], "CN=broker.example.test, O=Mlango examples");
        }
        let log = gateway.err();
        assert!(log.contains("it showed no certificate"), "{what}: why is in the log");
        drop(gateway);
    }
}

/// A wrong password is put right in its file, and a callback token is exchanged: no restart.
#[test]
fn secrets_are_exchanged_while_it_runs() {
    let house = House::new();
    let mut simulator = house.simulate();
    let config = house.path("mlango.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let right = house.written("initiator_password");
    let line = format!("initiator_password = \"{right}\"");
    assert!(text.contains(&line));
    house.write("password.txt", "Wrong-Password-1\n");
    let text = text.replace(&line, "initiator_password_file = \"password.txt\"");
    fs::write(&config, &text).expect("written");

    let mut gateway = house.serve();
    let client = house.client("payroll", &["payouts:write", "payouts:read", "admin"]);
    let first = client.submit("one", &payout("254722000111", "100.00"));
    client.until(id_of(&first), "failed");
    let rails = || client.get("/v1/rails").expect("an answer").json()["data"].clone();
    let soap = |rails: &serde_json::Value| {
        let all = rails.as_array().expect("a list").iter();
        all.clone().find(|rail| rail["rail"] == "soap").expect("soap").clone()
    };
    assert!(!soap(&rails())["refused"].is_null(), "M-Pesa refused the password");
    let second = client.submit("two", &payout("254722000112", "200.00"));

    // Half a configuration changes nothing.
    let before = gateway.err().matches("will not do").count();
    fs::write(&config, format!("{text}\n[broker]\n")).expect("written");
    gateway.until("the fault is told", |it| {
        (it.err().matches("will not do").count() > before).then_some(())
    });
    fs::write(&config, &text).expect("written");
    house.write("password.txt", &format!("{right}\n"));
    gateway.until("it is read again", |it| it.err().contains("were read again").then_some(()));
    assert_eq!(client.payout(id_of(&second))["status"], "queued", "a person resumes, nobody else");
    let done = house.run(&["rails", "resume", "soap"]);
    assert_eq!(done.code, 0, "{}", done.err);
    client.until(id_of(&second), "succeeded");

    // The token: addresses with the old one are taken as well as those with the new.
    let old = house.written("token");
    let new = "0123456789abcdef0123456789abcdef0123456789abcdef";
    let reads = gateway.err().matches("were read again").count();
    fs::write(&config, text.replace(&old, new)).expect("written");
    gateway.until("it is read again", |it| {
        (it.err().matches("were read again").count() > reads).then_some(())
    });
    for (token, status) in [(new, 200), (&*old, 200), ("00ff00ff00ff00ff00ff00ff00ff00ff", 404)] {
        let path = format!("/cb/{token}/b2c/result?wsdl");
        let answer = get(house.callbacks, &path, &[]).expect("an answer");
        assert_eq!(answer.status, status, "{token}");
    }
    let third = client.submit("three", &payout("254722000113", "300.00"));
    client.until(id_of(&third), "succeeded");
    let metrics = get(house.api, "/metrics", &[]).expect("an answer").body;
    assert!(metrics.contains("mlango_reloads_total{outcome=\"refused\"} 1"), "{metrics}");
    assert_eq!(house.ledger().len(), 2, "each was paid once");
    simulator.until("it still runs", |_| Some(()));
}

/// A broker that cannot be reached, and is there again: payouts wait, and go by themselves.
#[test]
fn payouts_wait_for_a_link_that_is_down() {
    let house = House::new().with("BROKER__PROBE_EVERY", "200ms");
    let mut gateway = house.serve();
    let client = house.client("payroll", &["payouts:write", "payouts:read"]);
    let sent = client.submit("one", &payout("254722000111", "100.00"));
    let link = eventually("the link is known to be down", || {
        let rails = client.get("/v1/rails").expect("an answer").json();
        let all = rails["data"].as_array().expect("a list").clone();
        let soap = all.into_iter().find(|rail| rail["rail"] == "soap")?;
        (soap["link"]["up"] == false).then(|| soap["link"].clone())
    });
    assert_eq!(link["failure"]["stage"], "connect", "{link}");
    let ready = get(house.api, "/readyz", &[]).expect("an answer");
    assert_eq!(ready.status, 200, "payouts are taken all the same");
    assert!(ready.body.contains("cannot be reached by the rail soap"), "{}", ready.body);
    let metrics = get(house.api, "/metrics", &[]).expect("an answer").body;
    assert!(metrics.contains("mlango_link_up{rail=\"soap\"} 0"), "{metrics}");
    // One try now and then is made of it.
    client.until(id_of(&sent), "queued");
    let _simulator = house.simulate();
    client.until(id_of(&sent), "succeeded");
    gateway.until("the log says that it is up", |it| {
        it.err().contains("the link is up").then_some(())
    });
    assert_eq!(house.ledger().len(), 1);
    let answer = ask(house.api, "GET", "/healthz", &[], "").expect("an answer");
    assert_eq!(answer.status, 200);
}

/// What ends soon, or has ended, is said before it stands in the way.
#[test]
fn what_ends_is_told_before_it_does() {
    let now = Command::new("date").args(["-u", "-d", "-85 days", "+%Y-%m-%d"]).output();
    let day = String::from_utf8(now.expect("date").stdout).expect("a day");
    let house = House::new()
        .with("ORGANISATION__CREDENTIAL_CERTIFICATE", &shown(&file("credential-expired.pem")))
        .with("ORGANISATION__INITIATOR_PASSWORD_SET_ON", day.trim())
        .with("CALLBACKS__TLS_CERTIFICATE", &shown(&file("server.pem")))
        .with("CALLBACKS__TLS_KEY", &shown(&file("server-key.pem")));
    let _gateway = house.serve();
    let ready = get(house.api, "/readyz", &[]).expect("an answer");
    assert_eq!(ready.status, 200, "{}", ready.body);
    for note in [
        "the certificate of organisation.credential_certificate has expired",
        "the initiator's password expires in 5 days",
    ] {
        assert!(ready.body.contains(note), "{note}: {}", ready.body);
    }
    let metrics = get(house.api, "/metrics", &[]).expect("an answer").body;
    let has = |line: &str| assert!(metrics.contains(line), "{line}: {metrics}");
    has("mlango_initiator_password_days_left 5");
    has("mlango_certificate_days_left{certificate=\"organisation.credential_certificate\"} 0");
    has("mlango_certificate_days_left{certificate=\"callbacks.tls_certificate\"} ");
}
