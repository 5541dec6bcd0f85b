//! Fifteen days of doubt: the broker never answers, and is asked by the schedule.

use std::time::Duration;

use mlango::domain::payout::FOUND_BY_NAME;
use mlango::domain::time::Timestamp;
use mlango::sim::script::{Act, Answer, Behaviour, Results};
use serde_json::{Value, json};

use crate::bench::{Bench, NOON, at, text};

/// A question that the broker swallows.
fn swallowed(answer: Answer) -> Behaviour {
    Behaviour { act: Act::Forget, answer, result: Results::Never, ..Behaviour::ORDINARY }
}

/// When the simulator was asked about a payout.
async fn asked_at(bench: &Bench) -> Vec<Timestamp> {
    let exchanges = bench.look("/sim/exchanges?limit=1000").await;
    let all = exchanges["data"].as_array().expect("a list").clone();
    let is_question = |line: &&Value| text(line, "request").contains("TransactionStatusQuery");
    all.iter().filter(is_question).map(|line| at(text(line, "at"))).collect()
}

#[tokio::test]
async fn fifteen_days_of_questions_go_by_the_schedule() {
    let bench = Bench::open(NOON, &[]).await;
    let id = bench.pay("254722000008", "INV-8", "soap").await;
    let payout = bench.get(&format!("/v1/payouts/{id}")).await;
    let name = text(&payout, "originator_conversation_id").to_owned();
    // The first few are hung up on. From then on the broker keeps silent until it hangs up after a
    // minute, which is no longer than the pauses are.
    for nth in 0..40 {
        let answer = if nth < 3 { Answer::Drop } else { Answer::Never };
        bench.sim.script_question(&name, swallowed(answer));
    }
    bench.steer(json!({"advance": "20d"})).await;
    // The default schedule: each pause, the last one once more, then daily, for as long as M-Pesa
    // finds a payment by its name.
    let mut expected = Vec::new();
    let mut due = at(NOON);
    for pause in [5, 30, 120, 600, 3_600, 3_600].map(Duration::from_secs) {
        due = due.after(pause);
        expected.push(due);
    }
    let daily = Duration::from_secs(86_400);
    while due.after(daily) < at(NOON).after(FOUND_BY_NAME) {
        due = due.after(daily);
        expected.push(due);
    }
    assert_eq!(asked_at(&bench).await, expected);
    let payout = bench.get(&format!("/v1/payouts/{id}")).await;
    assert_eq!(payout["status"], "unknown");
    let cases = bench.get("/v1/cases").await;
    assert_eq!(cases["data"].as_array().map(Vec::len), Some(1), "a person was called: {cases}");
    assert_eq!(bench.sim.payments(), 1, "paid once, and never again");
    bench.close().await;
}

#[tokio::test]
async fn the_first_answer_ends_the_doubt_at_its_time() {
    let bench = Bench::open(NOON, &[]).await;
    let id = bench.pay("254722000008", "INV-8", "soap").await;
    bench.steer(json!({"advance": "4999ms"})).await;
    assert_eq!(bench.get(&format!("/v1/payouts/{id}")).await["status"], "unknown");
    bench.steer(json!({"advance": "1s"})).await;
    let payout = bench.get(&format!("/v1/payouts/{id}")).await;
    assert_eq!(payout["status"], "succeeded");
    let completed = at(text(&payout, "completed_at"));
    let took = completed.since(at(NOON).after(Duration::from_secs(5)));
    assert!(took <= Duration::from_millis(50), "asked after 5s, and told at once: {completed}");
    bench.close().await;
}
