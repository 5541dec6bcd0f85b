//! What each phone selects, and that money moves once.

use std::sync::Arc;
use std::time::Duration;

use mlango::domain::money::Amount;
use mlango::domain::outcome::AnswerClass;
use mlango::sim::load::{LoadPlan, Until};
use mlango::sim::{Settings, load};
use mlango::soap::response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{
    PATIENCE, Receiver, caller, code, exchange, http_post, message, settings, split, start, submit,
    wait_until,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_phone_ends_as_the_contract_says() {
    // Ending; the answer's code, if one comes; the results' codes; whether it was paid.
    let table: &[(&str, Option<&str>, &[&str], bool)] = &[
        ("0111", Some("0"), &["0"], true),
        ("0001", Some("1005"), &[], false),
        ("0002", Some("0"), &["2040"], false),
        ("0003", Some("0"), &["1"], false),
        ("0004", None, &["0"], true),
        ("0005", Some("0"), &[], true),
        ("0006", Some("0"), &["0"], true),
        ("0007", Some("0"), &["0", "0"], true),
        ("0008", None, &[], true),
        ("0009", None, &[], false),
    ];
    let sim = start(Settings { hold: Duration::from_millis(30), ..settings() }).await;
    let mut paid = 0;
    for (ending, answer, results, is_paid) in table {
        let receiver = Receiver::start(&[]).await;
        let id = format!("600999_Org_{ending}");
        let message = message(&caller(&receiver.url), &id, ending, 150);
        let answered = submit(&sim, &message).await;
        let answered_code = answered.as_ref().map(|response| response.facts.code.as_str());
        assert_eq!(answered_code, *answer, "{ending}");
        let came = receiver.settled(&sim).await;
        let codes: Vec<&str> = came.iter().map(|r| r.facts.code.as_str()).collect();
        assert_eq!(codes, *results, "{ending}");
        let entry = sim.paid(&id);
        assert_eq!(entry.is_some(), *is_paid, "{ending}");
        paid += u64::from(*is_paid);
        for result in &came {
            assert_eq!(result.originator_conversation_id.as_deref(), Some(id.as_str()));
            if let (Some(answered), Some(named)) = (&answered, &result.facts.conversation) {
                assert_eq!(answered.facts.conversation.as_ref(), Some(named), "{ending}");
            }
            let receipt = result.facts.receipt.as_ref().map(ToString::to_string);
            assert_eq!(receipt, entry.as_ref().map(|e| e.receipt.clone()), "{ending}");
        }
    }
    assert_eq!(sim.payments(), paid);
    assert_eq!(sim.ledger().total_paid, Amount::from_shillings(150 * paid));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_moves_money_once_whatever_is_sent_under_it() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let first = message(&caller, "600999_Org_1", "0111", 150);
    assert_eq!(code(&sim, &first).await, "0");
    let again = [
        first.clone(),
        message(&caller, "600999_Org_1", "0222", 10),
        first.replacen("BusinessPayment", "SalaryPayment", 1),
    ];
    for message in &again {
        let answer = submit(&sim, message).await.expect("an answer");
        assert_eq!(answer.facts.code, "15");
        assert_eq!(answer.facts.class(), AnswerClass::Doubt);
        assert_eq!(answer.originator_conversation_id.as_deref(), Some("600999_Org_1"));
    }
    // Paid, and the caller never knew: sending again still moves nothing.
    let lost = message(&caller, "600999_Org_2", "0008", 10);
    assert!(submit(&sim, &lost).await.is_none());
    assert_eq!(code(&sim, &lost).await, "15");
    // Many at once: one is taken.
    let race = Arc::new(message(&caller, "600999_Org_3", "0111", 10));
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (addr, race) = (sim.addr, Arc::clone(&race));
        racers.spawn(async move {
            let bytes = exchange(addr, &http_post("/mminterface/request", &race)).await;
            response::parse(&split(&bytes).unwrap().1).unwrap().facts.code
        });
    }
    let codes = racers.join_all().await;
    assert_eq!(codes.iter().filter(|code| *code == "0").count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "15").count(), 19, "{codes:?}");
    assert_eq!(sim.payments(), 3);
    assert_eq!(sim.ledger().total_paid, Amount::from_shillings(170));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_ends_without_one_byte_and_the_next_one_works() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    for (ending, is_paid) in [("0008", true), ("0009", false)] {
        let id = format!("600999_Org_{ending}");
        let request = http_post("/mminterface/request", &message(&caller, &id, ending, 10));
        let mut stream = TcpStream::connect(sim.addr).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("an end")
            .expect("an orderly end");
        assert!(rest.is_empty(), "{ending}: {rest:?}");
        assert_eq!(sim.paid(&id).is_some(), is_paid, "{ending}");
    }
    // What was forgotten was never taken, so its id is not spent.
    let again = message(&caller, "600999_Org_0009", "0111", 10);
    assert_eq!(code(&sim, &again).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_connection_stays_open_while_its_result_comes_then_ends() {
    let sim = start(Settings { hold: Duration::from_secs(1), ..settings() }).await;
    let receiver = Receiver::start(&[]).await;
    let held = message(&caller(&receiver.url), "600999_Org_4", "0004", 10);
    let mut stream = TcpStream::connect(sim.addr).await.unwrap();
    let request = http_post("/mminterface/request", &held);
    stream.write_all(&request).await.unwrap();
    let mut rest = Vec::new();
    let mut ended = false;
    tokio::select! {
        _ = stream.read_to_end(&mut rest) => ended = true,
        () = wait_until("the result", || receiver.count() == 1) => {}
    }
    assert!(!ended, "the connection ended before its result came");
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("an end")
        .expect("an orderly end");
    assert!(rest.is_empty());
    assert!(sim.paid("600999_Org_4").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_everything_is_paid_once_and_reported_once() {
    let mut settings = settings();
    settings.delivery.keep_alive = true;
    settings.balance = Amount::from_shillings(10_000_000);
    let sim = start(settings).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let report = load::run(LoadPlan {
        addr: sim.addr,
        connections: 16,
        until: Until::Requests(500),
        rate: None,
        make: move |number| {
            let message = message(&caller, &format!("600999_Org_{number}"), "0111", 10);
            http_post("/mminterface/request", &message)
        },
    })
    .await;
    assert_eq!((report.done, report.errors), (500, 0), "{report:?}");
    let results = receiver.settled(&sim).await;
    assert_eq!(sim.payments(), 500);
    let mut ids: Vec<_> =
        results.iter().map(|result| result.originator_conversation_id.clone().unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((results.len(), ids.len()), (500, 500));
}
