//! How the simulator misbehaves: by what is laid down for one request, and by the seed.

use std::time::Duration;

use mlango::sim::Settings;
use mlango::sim::chaos::Chaos;
use mlango::sim::script::{Act, Answer, Behaviour, Garbage, Malformed, Place, Results};
use mlango::soap::result;
use tokio::time::{Instant, sleep};

use crate::offline::{Came, Carried, Stage, minutes};
use crate::support::{parameter, settings};

/// A page, a Fault, a code: what an answer is.
fn kind(came: Option<&Came>) -> String {
    let Some(came) = came else {
        return "nothing".to_owned();
    };
    if came.content_type == "text/html" {
        assert!(came.body.starts_with(b"<!DOCTYPE html>"));
        return format!("page {}", came.status);
    }
    assert_eq!(came.content_type, "text/xml; charset=utf-8");
    if came.status == 500 {
        assert!(came.body.windows(11).any(|part| part == b"<faultcode>"));
        return "fault 500".to_owned();
    }
    assert_eq!(came.status, 200);
    came.code()
}

/// The code of a result, with the seconds since the start; `+` if more is to follow, `?` if it
/// can't be read.
fn told((at, path, body): &Carried) -> (u128, String) {
    assert_eq!(path, "/result");
    let code = match result::parse(body) {
        Err(_unreadable) => "?".to_owned(),
        Ok(read) if read.facts.waiting => format!("{}+", read.facts.code),
        Ok(read) => read.facts.code,
    };
    (at / 1000, code)
}

#[tokio::test(start_paused = true)]
async fn each_behaviour_of_a_payment_does_what_it_says() {
    let with = |change: &dyn Fn(&mut Behaviour)| {
        let mut behaviour =
            Behaviour { again_after: Duration::from_secs(20), ..Behaviour::ORDINARY };
        change(&mut behaviour);
        behaviour
    };
    let act = |act: &Act| with(&|b| b.act = act.clone());
    let answer = |answer: &Answer| with(&|b| b.answer = answer.clone());
    let results = |results: &Results| with(&|b| b.result = results.clone());
    let seconds = Duration::from_secs;
    // Behaviour; what is answered, after how many seconds; the results, each with its time;
    // whether it was paid.
    type Row<'a> = (Behaviour, &'a str, u64, &'a [(u128, &'a str)], bool);
    let table: &[Row<'_>] = &[
        (with(&|_| {}), "0", 0, &[(0, "0")], true),
        (act(&Act::Refuse("100000002".into())), "100000002", 0, &[], false),
        (act(&Act::Refuse("100000011".into())), "100000011", 0, &[], false),
        (act(&Act::Fail("17".into())), "0", 0, &[(0, "17")], false),
        (answer(&Answer::After(seconds(7))), "0", 7, &[(0, "0")], true),
        (answer(&Answer::Never), "nothing", 60, &[(0, "0")], true),
        (answer(&Answer::Drop), "nothing", 0, &[(0, "0")], true),
        (answer(&Answer::Garbage(Garbage::Page)), "page 200", 0, &[(0, "0")], true),
        (answer(&Answer::Garbage(Garbage::Unavailable)), "page 503", 0, &[(0, "0")], true),
        (answer(&Answer::Garbage(Garbage::Fault)), "fault 500", 0, &[(0, "0")], true),
        (answer(&Answer::Instead("100000004".into())), "100000004", 0, &[(0, "0")], true),
        (
            with(&|b| {
                b.act = Act::Forget;
                b.answer = Answer::Garbage(Garbage::Unavailable);
            }),
            "page 503",
            0,
            &[],
            false,
        ),
        (
            with(&|b| {
                b.act = Act::Refuse("1005".into());
                b.answer = Answer::Drop;
            }),
            "nothing",
            0,
            &[],
            false,
        ),
        (results(&Results::Never), "0", 0, &[], true),
        (results(&Results::Twice), "0", 0, &[(0, "0"), (20, "0")], true),
        (results(&Results::Late(minutes(5))), "0", 0, &[(300, "0")], true),
        (results(&Results::Malformed(Malformed::Cut, Place::Instead)), "0", 0, &[(0, "?")], true),
        (
            results(&Results::Malformed(Malformed::NotXml, Place::Before)),
            "0",
            0,
            &[(0, "?"), (20, "0")],
            true,
        ),
        (
            results(&Results::Malformed(Malformed::NoCode, Place::Before)),
            "0",
            0,
            &[(0, "?"), (20, "0")],
            true,
        ),
        (results(&Results::Contradicting("2040".into())), "0", 0, &[(0, "0"), (20, "2040")], true),
        (results(&Results::WaitingFirst), "0", 0, &[(0, "0+"), (20, "0")], true),
    ];
    for (behaviour, answered, after, expected, is_paid) in table {
        let stage = Stage::new(settings(), &[]);
        stage.sim.script_payment("600999_Org_1", behaviour.clone());
        let begun = Instant::now();
        let came = stage.pay("600999_Org_1", "0111").await;
        assert_eq!(kind(came.as_ref()), *answered, "{behaviour:?}");
        assert_eq!(begun.elapsed().as_secs(), *after, "{behaviour:?}");
        let heard: Vec<_> = stage.heard().await.iter().map(told).collect();
        let heard: Vec<_> = heard.iter().map(|(at, code)| (*at, code.as_str())).collect();
        assert_eq!(heard, *expected, "{behaviour:?}");
        assert_eq!(stage.sim.paid("600999_Org_1").is_some(), *is_paid, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_behaviour_of_a_question_does_what_it_says_and_moves_nothing() {
    let ordinary = Behaviour::ORDINARY;
    let drop = Behaviour { act: Act::Forget, answer: Answer::Drop, ..ordinary.clone() };
    let lost = Behaviour { answer: Answer::Drop, ..ordinary.clone() };
    let silent = Behaviour { result: Results::Never, ..ordinary.clone() };
    let late = Behaviour { result: Results::Late(minutes(5)), ..ordinary.clone() };
    let fails = Behaviour { act: Act::Fail("17".into()), ..ordinary.clone() };
    let busy = Behaviour { act: Act::Refuse("100000002".into()), ..ordinary.clone() };
    // Behaviour; what is answered; the results, each with its time and what it says.
    type Row<'a> = (Behaviour, &'a str, &'a [(u128, &'a str, Option<&'a str>)]);
    let table: &[Row<'_>] = &[
        (ordinary, "0", &[(0, "0", Some("Completed"))]),
        (drop, "nothing", &[]),
        (lost, "nothing", &[(0, "0", Some("Completed"))]),
        (silent, "0", &[]),
        (late, "0", &[(300, "0", Some("Completed"))]),
        (fails, "0", &[(0, "17", None)]),
        (busy, "100000002", &[]),
    ];
    // Phones choose what becomes of payments and not of questions about them.
    for ending in ["0111", "0005", "0008"] {
        for (behaviour, answered, expected) in table {
            let stage = Stage::new(settings(), &[]);
            stage.pay("600999_Org_1", ending).await;
            stage.heard().await;
            stage.sim.script_question("600999_Org_1", behaviour.clone());
            let came = stage.ask("600999_Org_q1", "600999_Org_1").await;
            assert_eq!(kind(came.as_ref()), *answered, "{ending} {behaviour:?}");
            let heard = stage.heard().await;
            let heard: Vec<_> = heard
                .iter()
                .map(|(at, _, body)| {
                    let read = result::parse(body).expect("a result");
                    (at / 1000, read.facts.code.clone(), parameter(&read, "TransactionStatus"))
                })
                .collect();
            let heard: Vec<_> = heard
                .iter()
                .map(|(at, code, status)| (*at, code.as_str(), status.as_deref()))
                .collect();
            assert_eq!(heard, *expected, "{ending} {behaviour:?}");
            assert_eq!(stage.sim.payments(), 1);
        }
    }
}

/// Everything that was heard of 200 payments, 100 of them sent again and all of them asked about.
async fn wild_run(seed: u64) -> (Vec<String>, Stage) {
    let chaos = Some(Chaos::wild(seed));
    let hold = Duration::from_secs(30);
    let stage = Stage::new(Settings { chaos, hold, ..settings() }, &[]);
    let mut log = Vec::new();
    let id = |number: usize| format!("600999_Org_{number}");
    for number in (0..200).chain(0..100) {
        log.push(kind(stage.pay(&id(number), "0111").await.as_ref()));
    }
    for number in 0..200 {
        let question = format!("600999_Org_q{number}");
        log.push(kind(stage.ask(&question, &id(number)).await.as_ref()));
    }
    let heard = stage.heard().await;
    log.extend(
        heard
            .iter()
            .map(|(at, path, body)| format!("{at} {path} {}", String::from_utf8_lossy(body))),
    );
    (log, stage)
}

/// A payment's credential differs from run to run, and comes back in queue timeouts.
fn without_timeouts(log: Vec<String>) -> Vec<String> {
    log.into_iter()
        .map(|line| line.split("originRequest").next().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn one_seed_behaves_alike_twice_and_another_does_not() {
    let (first, stage) = wild_run(11).await;
    let (second, again) = wild_run(11).await;
    let (other, _) = wild_run(12).await;
    let entries = |stage: &Stage| {
        let entries = stage.sim.ledger().entries.into_iter();
        entries.map(|e| (e.at, e.originator_conversation_id, e.receipt)).collect::<Vec<_>>()
    };
    assert_eq!(entries(&stage), entries(&again));
    let (first, second) = (without_timeouts(first), without_timeouts(second));
    for (number, (one, two)) in first.iter().zip(&second).enumerate() {
        assert_eq!(one, two, "line {number}");
    }
    assert_eq!(first.len(), second.len());
    assert_ne!(first, without_timeouts(other));
    // Every kind of answer and of message comes.
    let answers = ["nothing", "page 200", "page 503", "fault 500", "0", "100000000", "15", "1005"];
    for answer in answers {
        assert!(first.iter().any(|line| line == answer), "no answer {answer}");
    }
    for part in [" /timeout ", "<ResultCode>2040<", "<ResultCode>15<", "<ResultType>1<", "attach"] {
        assert!(first.iter().any(|line| line.contains(part)), "no message {part}");
    }
}

#[tokio::test(start_paused = true)]
async fn once_calm_it_serves_everyone() {
    let (_, stage) = wild_run(5).await;
    stage.sim.calm();
    for number in 0..100 {
        let id = format!("600999_Org_calm{number}");
        assert_eq!(kind(stage.pay(&id, "0111").await.as_ref()), "0");
        sleep(Duration::from_secs(1)).await;
        let status = stage.status(&format!("600999_Org_calmq{number}"), &id).await;
        assert_eq!(status, ("0".to_owned(), Some("Completed".to_owned())));
    }
    // What went before can be settled now: each payment is paid, declined or unknown.
    for number in 0..200 {
        let id = format!("600999_Org_{number}");
        let (code, status) = stage.status(&format!("600999_Org_after{number}"), &id).await;
        let is_paid = stage.sim.paid(&id).is_some();
        assert_eq!(status.as_deref() == Some("Completed"), is_paid, "{id}");
        assert_eq!(status.is_none(), code == "49", "{id}");
    }
}
