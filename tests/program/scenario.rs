//! Scenarios as a tester meets them: named, from files, in the demo; and a payout with a strange
//! life, exported and played again.

use serde_json::{Value, json};

use crate::api::{Api, id_of};
use crate::demo;
use crate::house::House;
use crate::process::{Process, eventually};
use crate::wire::ask;

/// Waits short enough to see a life to its end.
fn house() -> House {
    let waits = [
        ("BROKER__TIMEOUT", "1s"),
        ("DARAJA__TIMEOUT", "1s"),
        ("PAYOUTS__RESULT_OVERDUE", "3s"),
        ("PAYOUTS__ARRIVAL_WINDOW", "2s"),
        ("PAYOUTS__CACHED_WINDOW", "2s"),
        ("PAYOUTS__INQUIRY_INTERVALS", "1s,2s,2s,5s"),
    ];
    let mut house =
        waits.into_iter().fold(House::new(), |house, (key, value)| house.with(key, value));
    house.set("DARAJA__URL", &format!("http://127.0.0.1:{}", house.broker));
    house
}

fn simulate(house: &House, scenario: &str) -> Process {
    let mut simulator = house.start(&["simulate", "--scenario", scenario, "--seed", "7"]);
    simulator.until("the simulator answers", |_| house.answers(house.broker));
    simulator
}

#[test]
fn those_that_ship_are_named_shown_and_checked_and_bad_ones_are_told() {
    let house = House::new();
    let listed = house.run(&["scenarios", "list"]).done();
    for name in ["happy", "bad-friday", "vpn-flaps", "late-results", "operator-locked"] {
        assert!(listed.contains(name), "{listed}");
    }
    assert_eq!(house.run(&["simulate", "--scenario", "?"]).done(), listed);
    assert_eq!(house.run(&["demo", "--scenario", "?"]).done(), listed);
    let json = house.run(&["--json", "scenarios", "list"]).json();
    assert_eq!(json["data"].as_array().map(Vec::len), Some(7));
    let shown = house.run(&["scenarios", "show", "vpn-flaps"]).done();
    house.write("mine.toml", &shown);
    let checked = house.run(&["scenarios", "check", "mine.toml"]).done();
    assert!(checked.starts_with("vpn-flaps, 4 rules: Of each minute"), "{checked}");
    house.write("bad.toml", &shown.replace("cycle", "cicle").replace("share", "shar"));
    let faults = ["bad.toml, line 8: rules[1].when.cicle: is unknown; did you mean \"cycle\"?"];
    house.run(&["scenarios", "check", "bad.toml"]).failed(2, &faults);
    let said = house.run(&["simulate", "--scenario", "bad.toml"]);
    said.failed(2, &[faults[0], "line 23: rules[4].when.shar: is unknown"]);
    house.run(&["scenarios", "show", "hapy"]).failed(2, &["did you mean \"happy\"?"]);
    let schema: Value = house.run(&["scenarios", "schema"]).json();
    assert_eq!(schema["title"], "A scenario of the Mlango simulator");
}

/// Lost answers and lost requests, which a few questions settle.
const LOSSES: &str = "name = \"losses\"\nsays = \"Answers and requests are lost.\"\n\
    [[rules]]\nname = \"paid, and nothing comes\"\nwhen = { api = \"b2c\", attempt = 1, every = 3 }\n\
    then = { answer = \"drop\", result = \"never\" }\n\
    [[rules]]\nname = \"forgotten\"\nwhen = { api = \"b2c\", attempt = 1, every = 4 }\n\
    then = { act = \"forget\" }\n\
    [[rules]]\nname = \"told twice\"\nwhen = { api = \"b2c\" }\nthen = { result = \"twice\" }\n";

#[test]
fn the_demo_under_a_scenario_shows_that_the_two_books_agree() {
    let _stage = demo::stage();
    let house = House::new();
    house.write("losses.toml", LOSSES);
    let done = house.run(&["demo", "--once", "--scenario", "losses.toml"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let agree = "The two books agree: 13 of 13 payouts are settled";
    assert!(done.out.contains(agree), "{}", done.out);
    for rule in ["paid, and nothing comes", "forgotten", "told twice"] {
        let line = done.out.lines().find(|line| line.ends_with(rule)).expect(rule);
        let hits: Option<u32> = line.split_whitespace().next().and_then(|hits| hits.parse().ok());
        assert!(hits > Some(0), "{}", done.out);
    }
    // Each phone is paid, whatever it ends in: a rule is about every payout.
    let paid =
        done.out.lines().filter(|line| line.contains("succeeded") && line.ends_with("  paid"));
    assert_eq!(paid.count(), 13, "{}", done.out);
}

/// What a payout went through: the type of each event, where it then stood, and the code.
fn life(api: &Api, id: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    api.events(id)
        .iter()
        .map(|event| {
            let data = &event["data"];
            (text(&event["type"]), text(&data["status"]), text(&data["code"]))
        })
        .collect()
}

/// Submits a payout and waits until so many events have come, and it is settled.
fn live(api: &Api, body: &Value, key: &str, events: usize) -> String {
    let id = id_of(&api.submit(key, body)).to_owned();
    eventually("its life is over", || {
        let status = api.payout(&id)["status"].clone();
        let settled = status == "succeeded" || status == "failed";
        (settled && life(api, &id).len() >= events).then_some(())
    });
    id
}

/// Lives, each over a rail, by the rules that make it, and how many events it has.
const STRANGE: [(&str, &str, &str, usize); 7] = [
    (
        "throttled, then its answer is lost, and the result comes twice",
        "soap",
        "[[rules]]\nwhen = { api = \"b2c\", attempt = 1 }\nthen = { act = \"throttle\" }\n\
         [[rules]]\nwhen = { api = \"b2c\", attempt = 2 }\n\
         then = { answer = \"drop\", result = \"twice\", result_after = \"700ms\", again_after = \"900ms\" }\n",
        7,
    ),
    (
        "paid, and a second result says that it was not",
        "soap",
        "[[rules]]\nwhen = { api = \"b2c\" }\n\
         then = { contradict = \"2040\", result_after = \"500ms\", again_after = \"800ms\" }\n",
        5,
    ),
    (
        "paid, and M-Pesa tells only when it is asked for the second time",
        "soap",
        "[[rules]]\nwhen = { api = \"b2c\" }\nthen = { answer = \"never\", result = \"never\" }\n\
         [[rules]]\nwhen = { api = \"status\", times = 1 }\nthen = { result = \"never\" }\n",
        5,
    ),
    (
        "accepted, and failed",
        "soap",
        "[[rules]]\nwhen = { api = \"b2c\" }\nthen = { fail = \"2040\", result_after = \"600ms\" }\n",
        4,
    ),
    ("refused", "soap", "[[rules]]\nwhen = { api = \"b2c\" }\nthen = { refuse = \"1005\" }\n", 3),
    (
        "throttled, then its answer is lost, and the result comes twice, over Daraja",
        "daraja",
        "[[rules]]\nwhen = { api = \"b2c\", attempt = 1 }\nthen = { act = \"throttle\" }\n\
         [[rules]]\nwhen = { api = \"b2c\", attempt = 2 }\n\
         then = { answer = \"drop\", result = \"twice\", result_after = \"700ms\", again_after = \"900ms\" }\n",
        7,
    ),
    (
        "paid, and only the second question is answered, over Daraja",
        "daraja",
        "[[rules]]\nwhen = { api = \"b2c\" }\nthen = { answer = \"drop\", result = \"never\" }\n\
         [[rules]]\nwhen = { api = \"status\", times = 1 }\nthen = { result = \"never\" }\n",
        5,
    ),
];

#[test]
fn a_payout_with_a_strange_life_has_the_same_life_when_it_is_played_again() {
    let first = house();
    let mut simulator = simulate(&first, "happy");
    let mut gateway = first.serve();
    let api = first.client("finance", &["payouts:write", "payouts:read"]);
    let (mut exported, mut cases) = (Vec::new(), 0);
    for (nth, (story, rail, rules, events)) in STRANGE.iter().enumerate() {
        let scenario = format!("name = \"strange\"\nsays = \"x\"\n{rules}");
        play(&first, &scenario);
        let amount = format!("{}.00", 150 + nth);
        let body = json!({"amount": amount, "phone": "0722 000 777", "rail": rail});
        let id = live(&api, &body, &format!("k{nth}"), *events);
        let file = first.path(&format!("{nth}.toml"));
        let args = ["payouts", "export-scenario", &id, "--out", file.to_str().expect("UTF-8")];
        first.run_with(&args, &[("MLANGO_API_KEY", &api.key)], "").done();
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(!text.contains("722000777"), "{story}: whose phone it was: {text}");
        for case in api.get("/v1/cases").expect("an answer").json()["data"].as_array().unwrap() {
            if case["payout_id"] == id.as_str() {
                let args = ["payouts", "export-scenario", case["id"].as_str().unwrap()];
                let of_case = first.run_with(&args, &[("MLANGO_API_KEY", &api.key)], "").done();
                assert_eq!(of_case.trim(), text.trim(), "{story}: by the case about it");
                cases += 1;
            }
        }
        exported.push((story, *rail, text, life(&api, &id)));
    }
    assert_eq!(cases, 1, "a contradiction is a case");
    gateway.stop();
    simulator.stop();

    let second = house();
    let mut simulator = simulate(&second, "happy");
    let mut gateway = second.serve();
    let api = second.client("finance", &["payouts:write", "payouts:read"]);
    for (nth, (story, rail, text, lived)) in exported.iter().enumerate() {
        play(&second, text);
        let amount = format!("{}.00", 150 + nth);
        let body = json!({"amount": amount, "phone": "254700000111", "rail": rail});
        let id = live(&api, &body, &format!("k{nth}"), lived.len());
        assert_eq!(life(&api, &id), *lived, "{story}:\n{text}");
    }
    gateway.stop();
    simulator.stop();
}

fn play(house: &House, scenario: &str) {
    let kind = [("Content-Type", "application/toml")];
    let played = ask(house.broker, "POST", "/sim/scenarios", &kind, scenario);
    let played = played.expect("the simulator answers");
    assert_eq!(played.status, 200, "{}", played.body);
}
