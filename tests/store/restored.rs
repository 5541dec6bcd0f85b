//! What a store is before it takes the place of the one that it is a back-up of: nothing that was
//! not final can go out as if nothing had happened since.

use std::time::Duration;

use mlango::domain::id::RunId;
use mlango::domain::payout::{
    Event, InquiryAnswer, Payout, Policy, Rail, State, Status, Tries, Verdict, law, step,
};
use mlango::domain::restored::Restoration;
use mlango::domain::time::Timestamp;
use mlango::domain::{inquiry, payment, text};
use mlango::engine::settle_restored;
use mlango::ids::RandomIds;
use mlango::store::{Commit, Life};

use crate::bench::Bench;
use crate::lives;
use crate::make::{at, id_bytes, payout, payout_id, rail, time, write};

const WINDOW: Duration = Duration::from_secs(900);

crate::on_every_store!(everything_open_is_put_in_doubt_and_every_rail_is_paused);

/// When it was taken, and when it is restored.
const TAKEN: u64 = 50_000;
const NOW: u64 = 9_000_000;

async fn everything_open_is_put_in_doubt_and_every_rail_is_paused(bench: Bench) {
    let all = Status::ALL.into_iter().zip(0..);
    let payouts = all.clone().map(|(status, n)| write(at(payout(n, 0), n, status), 0));
    let open = [
        Life::Payment(lives::stk(40)),
        Life::Payment(lives::prompted(41, 1)),
        Life::Payment(lives::paid(42, 2, None)),
        Life::Inquiry(lives::inquiry(43, inquiry::Status::Queued)),
        Life::Inquiry(lives::inquiry(44, inquiry::Status::Failed)),
        Life::Text(lives::text(45, 0, false)),
        Life::Text(lives::text(46, 1, true)),
    ];
    bench
        .commit(Commit {
            payouts: payouts.collect(),
            lives: open.into_iter().map(|life| lives::write(life, 0)).collect(),
            rails: vec![rail(6)],
            ..Commit::default()
        })
        .await;
    let store = bench.store.as_ref();
    let ids = RandomIds::default();
    let times = (time(TAKEN), time(NOW));
    let settled = settle_restored(store, &ids, times, WINDOW, "amina").await.expect("settled");
    assert_eq!((settled.queued, settled.payouts, settled.others), (1, 3, 3));

    for (status, n) in all {
        let now = store.payout(payout_id(n)).await.expect("a read").expect("it is there");
        let due = if status == Status::Queued { Status::Sending } else { status };
        assert_eq!(now.payout.status(), due);
        let is_open = !status.is_final() && status != Status::AwaitingApproval;
        assert_eq!(now.version, if is_open { 2 } else { 1 }, "{status:?}");
        let told = store.events_of(payout_id(n).into()).await.expect("its events");
        assert_eq!(told.len(), usize::from(is_open), "{status:?}");
        for event in told {
            assert!(event.event.says.contains("restored from a back-up of 2026"), "{event:?}");
        }
    }
    let payment = |n| store.payment(lives::payment_id(n));
    let now = payment(40).await.expect("a read").expect("it is there").value;
    assert!(matches!(now.state, payment::State::Sending { .. }), "it may have been prompted for");
    for n in [41, 42] {
        assert_eq!(payment(n).await.expect("a read").expect("it is there").version, 1);
    }
    let asked = store.inquiry(lives::inquiry_id(43)).await.expect("a read").expect("it is there");
    assert_eq!(asked.value.status(), inquiry::Status::Sending);
    let sent = store.text(lives::text_id(45)).await.expect("a read").expect("it is there");
    assert_eq!(sent.value.status(), text::Status::Sending);

    let rails = store.rails().await.expect("rails");
    assert_eq!(rails.len(), Rail::ALL.len());
    for record in rails {
        let paused = record.paused.expect("it is paused");
        assert!(paused.reason.contains("restored from a back-up of 2026"), "{paused:?}");
        assert_eq!(paused.by, "amina");
        if record.rail == Rail::Soap {
            // What stood in the way before stands, and is named.
            assert_eq!(record.credential, rail(6).credential);
            assert!(paused.reason.contains("maintenance"), "{paused:?}");
        }
    }
    bench.is_sound().await;
}

/// M-Pesa's word, to a question, that it knows no such transaction.
fn not_found(nth: u32) -> Event {
    Event::InquiryAnswered(InquiryAnswer {
        nth: Some(nth),
        code: "49".to_owned(),
        description: "no such transaction".to_owned(),
        waiting: false,
        payment: None,
    })
}

fn moved(payout: &Payout, event: &Event, policy: &Policy, now: Timestamp) -> Payout {
    match step(payout, event, policy, now) {
        Verdict::Moved { state, .. } => Payout { state, ..payout.clone() },
        other => panic!("{event:?} moves it: {other:?}"),
    }
}

/// As the start of a gateway leaves it: in doubt.
fn started(payout: &Payout, policy: &Policy, now: Timestamp) -> Payout {
    match &payout.state {
        State::Sending { lease, .. } => {
            moved(payout, &Event::LeaseLapsed { lease: *lease }, policy, now)
        }
        State::Accepted { .. } => moved(payout, &Event::ResultOverdue, policy, now),
        _ => payout.clone(),
    }
}

/// Whatever stood open, M-Pesa's "no such transaction" counts only for a question of our own, and
/// only once nothing that the original sent can arrive any more.
#[test]
fn nothing_open_goes_out_again_before_what_the_original_sent_must_have_arrived() {
    let policy = Policy::default();
    let now = time(NOW);
    let how = Restoration {
        taken_at: time(TAKEN),
        at: now,
        nobody: RunId::from_bytes(id_bytes(77)),
        arrival_window: WINDOW,
    };
    for status in [Status::Queued, Status::Sending, Status::Accepted, Status::Unknown] {
        let before = at(payout(1, 0), 1, status);
        let state = how.payout(&before).expect("it is open");
        let after = Payout { state, ..before.clone() };
        if let State::Sending { lease, tries } = &after.state {
            let begun = Event::SendStarted { lease: *lease };
            if status == Status::Queued {
                assert_eq!(law::check(&before, &begun, &after, &[]), Ok(()));
                assert_eq!(tries.sent_at, Some(how.taken_at), "the first moment that it may be");
            }
        }
        let mut doubted = started(&after, &policy, now);
        let mut minutes = 0;
        loop {
            minutes += 1;
            let asked_at = now.after(Duration::from_secs(60 * minutes));
            if !matches!(doubted.state, State::Unknown { .. }) {
                break;
            }
            if let Verdict::Moved { state, .. } =
                step(&doubted, &Event::InquirySent, &policy, asked_at)
            {
                doubted = Payout { state, ..doubted };
                let State::Unknown { tries, .. } = &doubted.state else { panic!("it is asked") };
                assert!(tries.questions > 1_000, "no number of the original's");
                let nth = tries.questions;
                for of_the_original in 1..=40 {
                    let told = step(&doubted, &not_found(of_the_original), &policy, asked_at);
                    let is_still = match told {
                        Verdict::Moved { state, .. } => matches!(state, State::Unknown { .. }),
                        _ => true,
                    };
                    assert!(is_still, "{status:?}: an answer to the original's question counted");
                }
                if let Verdict::Moved { state, .. } =
                    step(&doubted, &not_found(nth), &policy, asked_at)
                {
                    doubted = Payout { state, ..doubted };
                }
                let is_over = asked_at >= now.after(WINDOW);
                let is_unknown = matches!(doubted.state, State::Unknown { .. });
                assert_eq!(is_unknown, !is_over, "{status:?}, {minutes} minutes after the start");
            }
            assert!(minutes < 10_000, "{status:?}: it never ends");
        }
        assert_eq!(doubted.status(), Status::Queued, "{status:?}: and then it may go");
        assert_eq!(doubted.details, before.details, "under its one name");
    }
}

/// What is final, or is held for a person, is as it was; whatever moves keeps what it was taken
/// with.
#[test]
fn what_is_final_or_held_stays() {
    let how = Restoration {
        taken_at: time(TAKEN),
        at: time(NOW),
        nobody: RunId::from_bytes(id_bytes(77)),
        arrival_window: WINDOW,
    };
    for status in Status::ALL {
        let stays = status.is_final() || status == Status::AwaitingApproval;
        assert_eq!(how.payout(&at(payout(1, 0), 1, status)).is_none(), stays, "{status:?}");
    }
    // What was to wait longer than the back-up can have been sent only after that; and never later
    // than now.
    for (not_before, due) in [(TAKEN - 1, TAKEN), (TAKEN + 5, TAKEN + 5), (NOW + 5, NOW)] {
        let state = State::Queued { not_before: time(not_before), tries: Tries::NONE };
        let moved = how.payout(&Payout { state, ..payout(1, 0) });
        let Some(State::Sending { tries, .. }) = moved else { panic!("it may have been sent") };
        assert_eq!((tries.sent_at, tries.attempts), (Some(time(due)), 1));
    }
}
