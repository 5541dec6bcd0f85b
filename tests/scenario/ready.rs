//! Those that ship do what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use mlango::sim::scenario::ready;
use tokio::time::{Instant, sleep};

use crate::support::Stage;
use crate::world::{BOTH, Over, pay, question, soap, stage, told};

async fn under(name: &str) -> Stage {
    let stage = stage("").await;
    stage.sim.play(Some(ready::scenario(name).expect(name).expect(name)));
    stage
}

/// How often each of the answers to so many payouts came, a second apart.
async fn answers(stage: &Stage, over: Over, many: u32) -> BTreeMap<String, u32> {
    let mut answers = BTreeMap::new();
    for number in 0..many {
        let answer = pay(stage, over, &format!("{over:?}-{number}"), "0111").await;
        let word = answer.split(' ').next().unwrap_or_default().to_owned();
        *answers.entry(word).or_default() += 1;
    }
    answers
}

/// How often each rule was met.
fn hits(stage: &Stage) -> Vec<u32> {
    stage.sim.scenario_lines().iter().map(|line| line.hits).collect()
}

#[tokio::test(start_paused = true)]
async fn happy_pays_everybody_whatever_his_phone_ends_in() {
    for over in BOTH {
        let stage = under("happy").await;
        for ending in ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"] {
            let answer = pay(&stage, over, &format!("pay-{ending}"), ending).await;
            assert!(["0", "200 0"].contains(&answer.as_str()), "{over:?} {ending}: {answer}");
            assert_eq!(told(&stage).await, ["0"], "{over:?} {ending}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn late_results_come_ten_minutes_late_and_some_before_the_answer() {
    for over in BOTH {
        let stage = under("late-results").await;
        let begun = Instant::now();
        for number in 0..40 {
            pay(&stage, over, &format!("pay-{number}"), "0111").await;
        }
        let early = hits(&stage)[0];
        assert!((1..=10).contains(&early), "{over:?}: {early} of 40 before their answers");
        assert_eq!(told(&stage).await, vec!["0"; 40]);
        assert!(begun.elapsed() >= Duration::from_secs(600));
        assert_eq!(stage.sim.payments(), 40, "all were paid at once");
    }
}

#[tokio::test(start_paused = true)]
async fn the_operator_is_wrong_three_times_and_then_locked() {
    for over in BOTH {
        let stage = under("operator-locked").await;
        let mut codes = Vec::new();
        for number in 0..6 {
            pay(&stage, over, &format!("pay-{number}"), "0111").await;
            codes.extend(told(&stage).await);
        }
        assert_eq!(codes, ["2001", "2001", "2001", "8006", "8006", "8006"], "{over:?}");
        assert_eq!(stage.sim.payments(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_float_runs_dry_and_is_filled_up() {
    for over in BOTH {
        let stage = under("float-runs-dry").await;
        let mut codes = Vec::new();
        for number in 0..40 {
            pay(&stage, over, &format!("pay-{number}"), "0003").await;
            codes.extend(told(&stage).await);
        }
        let (paid, refused) = codes.split_at(33);
        assert!(paid.iter().all(|code| code == "0") && refused.iter().all(|code| code == "1"));
        sleep(Duration::from_secs(30 * 60)).await;
        pay(&stage, over, "after", "0111").await;
        assert_eq!(told(&stage).await, ["0"], "{over:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_line_goes_down_and_comes_up_in_each_minute() {
    for over in BOTH {
        let stage = under("vpn-flaps").await;
        let begun = Instant::now();
        // At which second; whether an answer comes; whether it is paid.
        let minute = [(2, false, true), (7, false, false), (16, false, false), (30, true, true)];
        for round in 0..3 {
            for (second, is_answered, is_paid) in minute {
                let at = Duration::from_secs(round * 60 + second);
                sleep(at.saturating_sub(begun.elapsed())).await;
                let id = format!("pay-{round}-{second}");
                let answer = pay(&stage, over, &id, "0111").await;
                assert_eq!(answer != "nothing", is_answered, "{over:?} {id}: {answer}");
                assert_eq!(stage.sim.paid(&id).is_some(), is_paid, "{over:?} {id}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn daraja_browns_out_mends_and_soap_is_not_touched() {
    let stage = under("daraja-brownout").await;
    let mut words = BTreeMap::new();
    for number in 0..300 {
        let answer = pay(&stage, Over::Daraja, &format!("pay-{number}"), "0111").await;
        let word = answer.split(' ').next().unwrap_or_default().to_owned();
        if word == "401" {
            stage.renew().await;
        }
        *words.entry(word).or_insert(0) += 1;
    }
    for word in ["200", "401", "429", "503", "504"] {
        assert!(words.contains_key(word), "{word} is not among {words:?}");
    }
    let lost = words["504"];
    assert_eq!(stage.sim.payments(), words["200"] + lost, "a 504 was paid, and nothing else was");
    assert_eq!(answers(&stage, Over::Soap, 50).await, BTreeMap::from([("0".to_owned(), 50)]));
    sleep(Duration::from_secs(15 * 60)).await;
    for _ in 0..3 {
        stage.renew().await;
    }
    for number in 0..30 {
        let answer = pay(&stage, Over::Daraja, &format!("after-{number}"), "0111").await;
        assert_eq!(answer, "200 0", "it has mended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_friday_meets_every_one_of_its_rules_and_pays_nobody_twice() {
    for over in BOTH {
        let stage = under("bad-friday").await;
        let answers = answers(&stage, over, 600).await;
        for word in if over == Over::Soap { ["0", "nothing"] } else { ["200", "nothing"] } {
            assert!(answers.contains_key(word), "{over:?}: {word} is not among {answers:?}");
        }
        for number in 0..60 {
            soap(&stage, &question(&format!("q-{number}"), &format!("{over:?}-{number}"))).await;
        }
        told(&stage).await;
        let soap_alone = 4;
        for (nth, hits) in hits(&stage).into_iter().enumerate() {
            let is_met = hits > 0 || (over == Over::Daraja && nth == soap_alone);
            assert!(is_met, "{over:?}: rule {} was never met", nth + 1);
        }
        let entries = stage.sim.ledger().entries;
        let mut names: Vec<_> =
            entries.iter().map(|entry| entry.originator_conversation_id.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), entries.len());
        assert!((400..590).contains(&names.len()), "{} of 600 paid", names.len());
    }
}

#[test]
fn each_is_in_order_and_called_what_its_file_is_called() {
    for name in ready::names() {
        let scenario =
            ready::scenario(name).expect(name).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        assert_eq!(scenario.name, name);
        assert!(scenario.says.ends_with('.'), "{name}");
    }
    assert!(ready::scenario("nothing").is_none());
}
