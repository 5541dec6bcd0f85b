//! What M-Pesa called with, played against a real gateway router: each is acknowledged as recorded,
//! element by element, and kept.

use mlango::fixture::compare::compare;
use mlango::fixture::{Direction, Fixture, tail_of};
use mlango::store::{CaseQuery, Channel, Store as _};

use crate::shipped;
use crate::support::{Call, Gateway, TOKEN};

fn calls() -> Vec<Fixture> {
    let all = shipped().into_iter();
    all.filter(|one| one.exchange.direction == Direction::FromMpesa).collect()
}

async fn play(gateway: &Gateway, fixture: &Fixture) -> (u16, Vec<u8>) {
    let path = format!("/cb/{TOKEN}{}", tail_of(&fixture.exchange.path));
    let mut call = Call::post(path).body(fixture.request_bytes());
    for (name, value) in &fixture.exchange.request_headers {
        call = call.header(name, value);
    }
    let told = call.put(&gateway.callbacks(&[])).await;
    (told.status.as_u16(), told.body)
}

#[tokio::test]
async fn each_call_is_acknowledged_as_recorded_and_what_moves_money_is_kept_raw() {
    let calls = calls();
    assert!(calls.len() > 100, "{} calls", calls.len());
    for fixture in calls {
        let gateway = Gateway::with_daraja();
        let name = &fixture.name;
        let (status, body) = play(&gateway, &fixture).await;
        assert_eq!(Some(status), fixture.exchange.status, "{name}");
        let differences = compare(fixture.response_bytes(), &body);
        assert!(differences.is_empty(), "{name}: {differences:?}");
        kept(&gateway, &fixture).await;
    }
}

/// Nothing that M-Pesa said is lost: it is on the record, as it came. (A queue timeout brings our
/// own request back, and a validation moves nothing.)
async fn kept(gateway: &Gateway, fixture: &Fixture) {
    let name = &fixture.name;
    let events = gateway.feed().await;
    let cases = gateway.store.cases(&CaseQuery::all(100)).await.expect("cases").rows;
    let told = events.iter().flat_map(|event| &event.event.messages);
    let mut bodies = Vec::new();
    for id in told.chain(cases.iter().flat_map(|case| &case.messages)) {
        let message = gateway.store.message(*id).await.expect("a read").expect("a message");
        bodies.push((message.channel, message.body));
    }
    let is_validation = fixture.exchange.path.contains("/validation")
        && !fixture.exchange.shows.contains("taken for what it is");
    assert!(is_validation || !bodies.is_empty(), "{name}: nothing was kept");
    let is_masked =
        |channel: &Channel| matches!(channel, Channel::QueueTimeout | Channel::InquiryTimeout);
    for (channel, body) in bodies.iter().filter(|(channel, _)| !is_masked(channel)) {
        assert_eq!(body, fixture.request_bytes(), "{name}: {channel:?}, as it came");
    }
}

#[tokio::test]
async fn twice_is_acknowledged_as_once() {
    let gateway = Gateway::with_daraja();
    for fixture in calls() {
        for _ in 0..2 {
            let (status, body) = play(&gateway, &fixture).await;
            assert_eq!(Some(status), fixture.exchange.status, "{}", fixture.name);
            let differences = compare(fixture.response_bytes(), &body);
            assert!(differences.is_empty(), "{}: {differences:?}", fixture.name);
        }
    }
}

#[tokio::test]
async fn a_gateway_that_cannot_keep_is_found_to_differ() {
    let gateway = Gateway::with_daraja();
    gateway.store.fail("the disk is full");
    for fixture in calls().iter().filter(|one| !one.exchange.path.contains("/c2b/")) {
        let (status, body) = play(&gateway, fixture).await;
        assert_eq!(status, 500, "{}", fixture.name);
        assert!(!compare(fixture.response_bytes(), &body).is_empty(), "{}", fixture.name);
    }
}
