//! `mlango rails`, `mlango cases`, and rulings on payouts in doubt: with and without a running
//! gateway.

use serde_json::{Value, json};

use crate::api::{Api, get, id_of, name_of, payout};
use crate::broker::{Broker, Reply};
use crate::house::{Done, House};
use crate::process::eventually;
use crate::wire::ask;

const XML: [(&str, &str); 1] = [("Content-Type", "text/xml")];

/// The rail, as the shell shows it.
fn rail(house: &House) -> Value {
    house.run(&["--json", "rails"]).json()["data"][0].clone()
}

/// Runs `mlango payouts …` with a key.
fn payouts(house: &House, api: &Api, args: &[&str]) -> Done {
    house.run_with(&[&["payouts"], args].concat(), &[("MLANGO_API_KEY", &api.key)], "")
}

#[test]
fn a_wrong_password_stops_the_rail_after_one_try_until_a_person_resumes_it() {
    let mut house = House::new();
    let _simulator = house.simulate();
    // M-Pesa says so in the answer to the request, or only in its result.
    for (nth, (variable, right, code)) in [
        ("BROKER__SP_PASSWORD", "sp_password", "100000007"),
        ("ORGANISATION__INITIATOR_PASSWORD", "initiator_password", "2001"),
    ]
    .into_iter()
    .enumerate()
    {
        house.set(variable, "Example-Wrong-1");
        let before = house.exchanges().len();
        let requests = |house: &House| {
            let all = house.exchanges();
            let sent = |it: &&Value| it["direction"] == "in" || it["kind"] == "request";
            (all.len() - before, all.iter().skip(before).filter(sent).count())
        };
        let mut gateway = house.serve();
        let api = house.client(&format!("erp{nth}"), &[]);
        let taken: Vec<Value> = (0..5)
            .map(|row| {
                let phone = format!("25472212345{row}");
                api.submit(&format!("k{row}"), &payout(&phone, "100"))
            })
            .collect();
        let stopped = eventually("the rail is stopped", || {
            let rail = rail(&house);
            (rail["refused"]["code"] == code).then_some(rail)
        });
        assert_eq!((&stopped["sends"], &stopped["queued"]), (&json!(false), &json!(4)));
        let why = stopped["why"].as_str().expect("why");
        assert!(why.contains(code) && why.contains("resume the rail"), "{why}");
        let ready = get(house.api, "/readyz", &[]).expect("an answer");
        assert!(ready.status == 503 && ready.body.contains(code), "{}", ready.body);
        let failed = api.payout(id_of(&taken[0]));
        assert_eq!(failed["failure"]["code"], code, "{failed}");
        assert_eq!(failed["failure"]["retryable"], true, "{failed}");
        let tried = requests(&house);

        // Neither a restart lifts it, nor the right password alone; without a gateway it is shown.
        gateway.stop();
        assert_eq!(rail(&house)["refused"]["code"], code);
        house.set(variable, &house.written(right));
        let mut gateway = house.serve();
        let shown = house.run(&["rails"]);
        assert!(shown.out.starts_with("soap: does not send\n"), "{}", shown.out);
        assert!(shown.out.contains(code), "{}", shown.out);
        let events = taken.iter().flat_map(|payout| api.events(id_of(payout)));
        let sends = events.filter(|event| event["type"] == "payout.sending").count();
        assert_eq!(sends, 1, "not one more try, before M-Pesa locks the operator");
        assert_eq!(requests(&house), tried, "nothing went over the wire since");

        let resumed = house.run(&["--json", "rails", "resume", "soap"]).json();
        assert_eq!((&resumed["sends"], &resumed["refused"]), (&json!(true), &Value::Null));
        for waited in &taken[1..] {
            api.until(id_of(waited), "succeeded");
        }
        eventually("it sends at full pace", || (rail(&house)["trial"] == false).then_some(()));
        gateway.stop();
    }
    assert_eq!(house.ledger().len(), 8);
}

#[test]
fn a_pause_holds_payouts_back_over_a_restart_and_can_be_set_and_lifted_without_a_gateway() {
    let house = House::new();
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let paused = house.run(&["--json", "rails", "pause", "soap", "--reason", "audit"]).json();
    assert_eq!((&paused["sends"], &paused["paused"]["reason"]), (&json!(false), &json!("audit")));
    let by = paused["paused"]["by"].as_str().expect("who");
    assert!(by == "shell" || by.ends_with(" (shell)"), "{by}");
    let taken = api.submit("k", &payout("254722123456", "100"));
    gateway.stop();
    // Without a gateway: what the record says, and no more.
    let shown = house.run(&["rails"]);
    assert!(shown.out.contains("No gateway runs on this store"), "{}", shown.out);
    assert!(shown.out.contains("audit") && shown.out.contains("queued      1"), "{}", shown.out);
    let again = house.run(&["rails", "pause", "soap", "--reason", "the audit goes on"]);
    assert_eq!(again.code, 0, "{}", again.err);

    let mut gateway = house.serve();
    let rail = rail(&house);
    assert_eq!(rail["paused"]["reason"], "the audit goes on");
    let ready = get(house.api, "/readyz", &[]).expect("an answer");
    assert!(ready.status == 200 && ready.body.contains("paused by hand"), "{}", ready.body);
    let metrics = get(house.api, "/metrics", &[]).expect("metrics").body;
    assert!(metrics.contains("mlango_rail_stopped{rail=\"soap\"} 1"), "{metrics}");
    assert_eq!(api.payout(id_of(&taken))["status"], "queued");
    assert!(house.exchanges().is_empty(), "nothing was sent");
    gateway.stop();
    let resumed = house.run(&["rails", "resume", "soap"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    let _gateway = house.serve();
    api.until(id_of(&taken), "succeeded");

    for args in [["rails", "resume", "pigeon"], ["rails", "resume", "a/b"]] {
        let done = house.run(&args);
        assert!(done.code != 0 && !done.err.is_empty(), "{done:?}");
    }
    house.run(&["rails", "pause", "soap", "--reason", " "]).failed(1, &["reason: is missing"]);
    house.run(&["rails", "pause", "soap"]).failed(2, &["--reason"]);
}

/// Everything that is done to a case; it must be the same with and without a gateway.
fn close_the_only_open_case(house: &House) {
    let open = house.run(&["--json", "cases"]).json();
    let case = &open["data"][0];
    assert_eq!(open["data"].as_array().map(Vec::len), Some(1), "{open}");
    let id = id_of(case).to_owned();
    let table = house.run(&["cases"]);
    assert!(table.out.contains(&id) && table.out.contains("malformed"), "{}", table.out);
    let shown = house.run(&["cases", "show", &id]);
    for words in [&*id, "what is this", "from M-Pesa at"] {
        assert!(shown.out.contains(words), "no {words} in {}", shown.out);
    }
    let file = house.run(&["--json", "cases", "show", &id]).json();
    assert_eq!(file["evidence"][0]["body"], "what is this");

    house.run(&["cases", "close", &id, "--ruling", "a scan"]).failed(2, &["--reason"]);
    let close = ["cases", "close", &id, "--ruling", "a scan", "--reason", "not from M-Pesa"];
    let closed = house.run(&close);
    assert_eq!(closed.code, 0, "{}", closed.err);
    assert!(closed.out.contains("closed ruling a scan"), "{}", closed.out);
    house.run(&close).failed(1, &["closed before"]);
    assert_eq!(house.run(&["--json", "cases"]).json()["data"], json!([]));
    let all = house.run(&["--json", "cases", "--all"]).json();
    assert!(all["data"].as_array().expect("a list").iter().any(|it| it["id"] == *id), "{all}");
    house.run(&["cases", "show", "case_1"]).failed(1, &["No case"]);
}

#[test]
fn cases_are_shown_with_their_evidence_and_closed_with_and_without_a_gateway() {
    let house = House::new();
    let mut gateway = house.serve();
    let result = format!("/cb/{}/b2c/result", house.written("token"));
    let post = || {
        let answer = ask(house.callbacks, "POST", &result, &XML, "what is this");
        assert_eq!(answer.expect("an answer").status, 200);
    };
    post();
    close_the_only_open_case(&house);
    post();
    gateway.stop();
    close_the_only_open_case(&house);
    let _gateway = house.serve();
    let all = house.run(&["--json", "cases", "--all", "--limit", "1"]).json();
    let next = all["next_cursor"].as_str().expect("another page");
    let rest = house.run(&["--json", "cases", "--all", "--cursor", next]).json();
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(1));
    let metrics = get(house.api, "/metrics", &[]).expect("metrics").body;
    assert!(metrics.contains("mlango_open_cases 0"), "{metrics}");
}

#[test]
fn a_payout_in_doubt_is_asked_about_and_ruled_on_from_the_shell() {
    let house = House::new()
        .with("PAYOUTS__INQUIRY_INTERVALS", "1h")
        .with("PAYOUTS__FIRST_RESULT_WAIT", "0s");
    let broker = Broker::start(house.broker, Box::new(|_, _| Reply::Close));
    let _gateway = house.serve();
    let api = house.client("erp", &[]);
    let admin = house.client("treasury", &["admin", "payouts:read"]);
    let [first, second] = ["254722123456", "254722123457"]
        .map(|phone| api.submit(phone, &payout(phone, "100")))
        .map(|taken| api.until(id_of(&taken), "unknown"));
    assert!(first["doubt"]["why"].is_string(), "{first}");
    eventually("metrics say how much is in doubt, and how long", || {
        let metrics = get(house.api, "/metrics", &[]).expect("metrics").body;
        let since =
            metrics.lines().find_map(|it| it.strip_prefix("mlango_oldest_unknown_seconds "));
        let is_said = metrics.contains("mlango_shillings_in_doubt 200\n")
            && since.is_some_and(|seconds| seconds != "0");
        is_said.then_some(())
    });
    let asked = payouts(&house, &api, &["inquire", id_of(&first)]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    assert!(asked.out.contains("unknown") && asked.err.contains("asked now"), "{asked:?}");
    eventually("M-Pesa is asked", || {
        let kinds = api.events(id_of(&first));
        kinds.iter().any(|event| event["type"] == "payout.inquired").then_some(())
    });
    payouts(&house, &api, &["inquire", id_of(&first)]).failed(1, &["asked_just_now"]);
    assert_eq!(broker.seen(name_of(&first)), 1, "a question is not the payout");

    let why = ["--reason", "on the statement", "--evidence", "row 17"];
    let resolve = |api: &Api, id: &str, outcome: &[&str]| {
        payouts(&house, api, &[&["resolve", id], outcome, &why].concat())
    };
    let paid = ["--paid", "QK12ABCD34"];
    resolve(&api, id_of(&first), &paid).failed(1, &["scope_missing"]);
    resolve(&admin, id_of(&first), &["--paid", "qk 1"]).failed(1, &["receipt: must be as M-Pesa"]);
    resolve(&admin, id_of(&first), &[]).failed(2, &["--paid"]);
    resolve(&admin, id_of(&first), &[&paid[..], &["--not-paid"]].concat())
        .failed(2, &["--not-paid"]);
    let ruled = resolve(&admin, id_of(&first), &paid);
    assert_eq!(ruled.code, 0, "{}", ruled.err);
    assert!(ruled.out.contains("succeeded"), "{}", ruled.out);
    assert_eq!(api.payout(id_of(&first))["receipt"], "QK12ABCD34");
    resolve(&admin, id_of(&second), &paid).failed(1, &["receipt_taken"]);
    let ruled = resolve(&admin, id_of(&second), &["--not-paid"]);
    assert!(ruled.out.contains("failed"), "{ruled:?}");
    payouts(&house, &api, &["inquire", id_of(&second)]).failed(1, &["not_in_doubt", "failed"]);
    let events = api.events(id_of(&second));
    let last = events.last().expect("an event")["data"]["says"].to_string();
    assert!(last.contains("treasury") && last.contains("row 17"), "{last}");
}

#[test]
fn a_store_in_memory_is_only_its_gateways() {
    let house = House::new().with("STORE__URL", "memory:");
    for command in ["rails", "cases"] {
        house.run(&[command]).failed(1, &["memory:"]);
    }
}
