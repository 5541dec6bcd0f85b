//! Which recorded request a live one is like, and what it is answered.

use mlango::fixture::Fixture;
use mlango::fixture::matching::{Played, Player, Unlike};

use crate::shipped;

const PATH: &str = "/mminterface/request";
const LIVE: &str = "600999_ExampleOrg_01live";

fn named(name: &str) -> Fixture {
    shipped().into_iter().find(|one| one.name == name).expect("it ships")
}

fn player(names: &[&str]) -> Player {
    Player::new(names.iter().map(|name| named(name)).collect())
}

/// A recorded request as a live client sends it: other ids, credentials, times and addresses.
fn live(name: &str) -> String {
    let text = String::from_utf8_lossy(named(name).request_bytes()).into_owned();
    let own = named(name).exchange.ids.originator_conversation_id.unwrap_or_default();
    let text = if own.is_empty() { text } else { text.replace(&own, LIVE) };
    text.replace("stand-in-securitycredential-1", "Q1JFREVOVElBTA==")
        .replace("stand-in-operator-1", "apiop")
        .replace("20260105060000", "20270101000000")
        .replace("2026-01-05T", "2027-01-01T")
        .replace("https://gw.example.org/cb/***", "http://127.0.0.1:8081/cb/00ff")
}

fn text(played: &Played) -> String {
    String::from_utf8_lossy(&played.body).into_owned()
}

#[test]
fn what_differs_by_nature_does_not_matter_and_live_ids_come_back() {
    let names = ["soap-b2c-business-payment", "soap-result-0-paid-business-payment"];
    let mut player = player(&names);
    let played = player.play("POST", PATH, live(names[0]).as_bytes()).expect("alike");
    assert_eq!((played.name.as_str(), played.status), (names[0], Some(200)));
    assert!(
        text(&played).contains(&format!("<OriginatorConversationID>{LIVE}<")),
        "{}",
        text(&played)
    );
    let call = played.calls.first().expect("the result follows");
    assert_eq!(call.url, "http://127.0.0.1:8081/cb/00ff/b2c/result");
    let result = String::from_utf8_lossy(&call.body);
    assert!(result.contains(LIVE) && result.contains("<ResultCode>0<"), "{result}");
    assert_eq!(call.after.as_secs(), 20, "as long after it as it was");
}

#[test]
fn played_again_it_gives_no_receipt_and_no_conversation_twice() {
    let names = ["soap-b2c-business-payment", "soap-result-0-paid-business-payment"];
    let mut player = player(&names);
    let ids = |played: &Played| {
        let call = String::from_utf8_lossy(&played.calls[0].body).into_owned();
        let at = |name: &str| {
            let open = format!("<{name}>");
            call.split(&open).nth(1).and_then(|rest| rest.split('<').next()).map(str::to_owned)
        };
        (at("TransactionID"), at("ConversationID"))
    };
    let first = player.play("POST", PATH, live(names[0]).as_bytes()).expect("alike");
    let second = player.play("POST", PATH, live(names[0]).as_bytes()).expect("alike");
    let (first, second) = (ids(&first), ids(&second));
    assert!(
        first.0.is_some() && first.0 != second.0 && first.1 != second.1,
        "{first:?} {second:?}"
    );
}

#[test]
fn another_amount_phone_command_or_path_is_something_else() {
    let name = "soap-b2c-business-payment";
    let mut player = player(&[name]);
    let mut unlike = |body: String, path: &str| {
        player
            .play("POST", path, body.as_bytes())
            .map(|played| played.name)
            .expect_err("unlike")
            .says
    };
    assert_eq!(
        unlike(live(name).replace("150.00", "151"), PATH),
        format!("the nearest, {name}, differs: Amount is 150 there and 151 here")
    );
    let command = unlike(live(name).replace("BusinessPayment", "SalaryPayment"), PATH);
    assert!(
        command.contains("CommandID is BusinessPayment there and SalaryPayment here"),
        "{command}"
    );
    let phone = unlike(live(name).replace("254700020001", "254700020009"), PATH);
    assert!(phone.contains("Identifier is"), "{phone}");
    let nothing = format!("nothing is recorded for POST {PATH}x");
    assert_eq!(unlike(live(name), &format!("{PATH}x")), nothing);
}

#[test]
fn of_several_that_are_alike_each_has_its_turn() {
    let names = ["soap-answer-26-busy", "soap-b2c-business-payment"];
    let mut all: Vec<Fixture> = names.iter().map(|name| named(name)).collect();
    // The same payout: busy first, and then taken.
    let body = live(names[1]);
    all[0].request = Some(mlango::fixture::Body::new(body.clone().into_bytes()));
    let mut player = Player::new(all);
    let mut next = || player.play("POST", PATH, body.as_bytes()).expect("alike").name;
    assert_eq!([next(), next(), next()], [names[0], names[1], names[0]]);
}

#[test]
fn a_prompt_its_query_and_its_callback_keep_together() {
    let names = ["daraja-stk-push-taken", "daraja-stk-callback-0-paid"];
    let mut player = player(&names);
    let body = live(names[0]).replace("stand-in-password-1", "cGFzcw==");
    let path = "/mpesa/stkpush/v1/processrequest";
    for nth in 0..2 {
        let played = player.play("POST", path, body.as_bytes()).expect("alike");
        let answer: serde_json::Value = serde_json::from_slice(&played.body).expect("JSON");
        let call: serde_json::Value = serde_json::from_slice(&played.calls[0].body).expect("JSON");
        let told = &call["Body"]["stkCallback"];
        assert_eq!(told["CheckoutRequestID"], answer["CheckoutRequestID"], "{nth}");
        assert_eq!(told["MerchantRequestID"], answer["MerchantRequestID"], "{nth}");
        assert_eq!(played.calls[0].url, "http://127.0.0.1:8081/cb/00ff/stk");
        assert!(played.calls[0].is_json);
    }
}

#[test]
fn every_recorded_request_is_like_itself() {
    let mut player = Player::new(shipped());
    assert!(player.len() > 60, "{}", player.len());
    for fixture in shipped().iter().filter(|one| one.exchange.path.starts_with("/m")) {
        let played =
            player.play(&fixture.exchange.method, &fixture.exchange.path, fixture.request_bytes());
        if let Err(Unlike { says: why, .. }) = played {
            panic!("{}: {why}", fixture.name);
        }
    }
}
