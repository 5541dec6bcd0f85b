//! Every event in every state of a text message, and every code of the provider: nobody is told the
//! same thing twice.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test: its tables are long, and it panics to fail"
)]

use std::time::Duration;

use mlango::domain::id::{AppId, PaymentId, RunId, TextId};
use mlango::domain::payout::{Lease, WhyNoAnswer, WhyNothingSent};
use mlango::domain::text::law::{self, Broken};
use mlango::domain::text::{
    AnswerFacts, CODES, Class, Details, Effect, Event, LATE_AFTER, Occasion, State, Status, Text,
    Tries, Verdict, outcome, step,
};
use mlango::domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

const STATES: [&str; 6] = ["queued", "late", "sending", "sent", "failed", "unknown"];

/// Rows are events, columns are states; a cell says where the message stands afterwards, or:
/// `noted`, `stale` (overtaken), `no` (may not be done). `+alarm`: a person must mend something.
const TABLE: &str = "
event            queued  late    sending      sent  failed unknown
send             sending failed  no           no    no     no
answer-101       noted   noted   sent         noted noted  noted
answer-102       noted   noted   sent         noted noted  noted
answer-406       noted   noted   failed       noted noted  noted
answer-405       noted   noted   failed+alarm noted noted  noted
answer-http.401  noted   noted   failed+alarm noted noted  noted
answer-500       noted   noted   queued       noted noted  noted
answer-407       noted   noted   queued       noted noted  noted
answer-http.502  noted   noted   unknown      noted noted  noted
answer-999       noted   noted   unknown      noted noted  noted
answer-101-other noted   noted   noted        noted noted  noted
nothing-sent     noted   noted   queued       noted noted  noted
no-answer        noted   noted   unknown      noted noted  noted
lapsed           stale   stale   unknown      stale stale  stale
lapsed-other     stale   stale   stale        stale stale  stale
";

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let mut lines = TABLE.trim().lines();
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().skip(1).collect();
    assert_eq!(head, STATES, "the columns");
    let mut rows = Vec::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().expect("a name");
        let event = event(name);
        for (column, expected) in STATES.iter().zip(cells) {
            let text = text(column);
            let verdict = step(&text, &event, NOW);
            assert_eq!(in_a_word(&verdict), expected, "{name} when {column}: {verdict:?}");
            keeps_the_laws(&text, &event, &verdict);
        }
        rows.push(event.name());
    }
    for name in ["send_started", "answered", "nothing_sent", "no_answer", "lease_lapsed"] {
        assert!(rows.contains(&name), "no row for {name}");
    }
}

/// The provider's codes (spec/daraja.md §11), each with what becomes of the message.
#[test]
fn every_code_of_the_provider_does_what_the_spec_says() {
    let table = [
        ("100 101 102", "sent"),
        ("403 404 406 409 502 http.400", "failed"),
        ("401 402 405 InvalidSenderId http.401 http.403 http.404", "failed+alarm"),
        ("407 500 501 http.429", "queued"),
        ("0 103 none 200 http.500 http.502 http.503 http.504 unreadable", "unknown"),
    ];
    let mut seen = 0;
    for (codes, expected) in table {
        for code in codes.split_whitespace() {
            let verdict = step(&text("sending"), &answered(2, code), NOW);
            assert_eq!(in_a_word(&verdict), expected, "{code}");
            seen += usize::from(outcome(code).class != Class::Doubt);
        }
    }
    assert_eq!(seen, CODES.len(), "a code without a row");
    for (index, row) in CODES.iter().enumerate() {
        assert!(CODES.iter().skip(index + 1).all(|other| other.code != row.code), "{}", row.code);
    }
}

#[test]
fn what_the_provider_could_not_send_is_tried_again_with_growing_pauses_and_given_up() {
    let mut refused = text("queued");
    let mut now = NOW;
    let mut pauses = vec![];
    loop {
        refused.state = moved(step(&refused, &event("send"), now));
        let attempt = refused.state.tries().attempts;
        refused.state = moved(step(&refused, &answered(attempt, "500"), now));
        let Some(at) = refused.state.wakes_at() else { break };
        pauses.push(at.since(now).as_secs());
        now = at;
    }
    assert_eq!(
        (pauses.as_slice(), refused.status()),
        ([30, 120, 600, 3_600].as_slice(), Status::Failed)
    );
}

#[test]
fn a_message_waits_its_pause_and_is_not_held_up_by_a_clock_that_was_set_back() {
    let mut waiting = text("sending");
    waiting.state = moved(step(&waiting, &event("answer-500"), NOW));
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    assert_eq!(in_a_word(&step(&waiting, &event("send"), at(29))), "no");
    assert_eq!(in_a_word(&step(&waiting, &event("send"), at(30))), "sending");
    let two_days_ago = Timestamp::from_millis(NOW.millis() - 172_800_000);
    assert_eq!(in_a_word(&step(&waiting, &event("send"), two_days_ago)), "sending");
}

#[test]
fn a_provider_that_stays_out_of_reach_is_given_up_after_a_day() {
    let mut waiting = text("queued");
    let mut now = NOW;
    while waiting.status() == Status::Queued {
        now = waiting.state.wakes_at().unwrap_or(now).max(now);
        waiting.state = moved(step(&waiting, &event("send"), now));
        let attempt = waiting.state.tries().attempts;
        let event = Event::NothingSent { attempt, why: WhyNothingSent::Connect };
        if let Verdict::Moved { state, .. } = step(&waiting, &event, now) {
            waiting.state = state;
        }
    }
    assert_eq!(waiting.status(), Status::Failed);
    assert!(now.since(NOW) >= LATE_AFTER);
}

#[test]
fn the_providers_words_are_kept_and_bounded() {
    let long = "x".repeat(1_000);
    for (id, kept) in [("ATXid_0001", Some(10)), ("None", None), (" ", None), (&long, Some(128))] {
        let answer = AnswerFacts {
            code: "101".to_owned(),
            description: "Success".to_owned(),
            message_id: Some(id.to_owned()),
            cost: Some("KES 0.8000".to_owned()),
        };
        let state = moved(step(&text("sending"), &Event::Answered { attempt: 2, answer }, NOW));
        let State::Sent { message_id, cost, .. } = state else { panic!("{state:?}") };
        assert_eq!(message_id.map(|id| id.len()), kept);
        assert_eq!(cost.as_deref(), Some("KES 0.8000"));
    }
}

#[test]
fn a_message_does_not_show_what_it_says() {
    let shown = format!("{:?}", text("queued"));
    assert!(!shown.contains("Amina") && !shown.contains("254700000001"), "{shown}");
}

/// Where it stood, what happened, where it is to stand then; and what the laws say.
const LAWS: &str = "
queued  send           sending-1  ok
queued  send           sending    send
sent    send           sending    final
sending nothing-sent   queued-2   ok
sending answer-500     queued-2   ok
sending answer-101     queued-2   requeue
sending answer-http.502 queued-2  requeue
sending no-answer      queued-2   requeue
sending lapsed         queued-2   requeue
unknown no-answer      queued-2   final
sending answer-101     sent       ok
sending answer-101-other sent     sent
sending answer-500     sent       sent
sending no-answer      sent       sent
sending answer-406     failed     ok
sending answer-405     failed     ok
sending answer-101     failed     failed
sending answer-999     failed     failed
sending no-answer      failed     failed
queued  send           failed     ok
sending no-answer      unknown    ok
";

#[test]
fn every_law_forbids_what_it_must_and_allows_what_it_must() {
    for line in LAWS.trim().lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [before, happens, after, expected] = cells.as_slice() else { panic!("{line}") };
        let held = law::check(&text(before), &event(happens), &text(after));
        let word = match held {
            Ok(()) => "ok",
            Err(Broken::DetailsStay) => "details",
            Err(Broken::FinalIsFinal) => "final",
            Err(Broken::SendFromQueuedOnly) => "send",
            Err(Broken::RequeueOnProofOnly) => "requeue",
            Err(Broken::SentOnEvidenceOnly) => "sent",
            Err(Broken::FailedOnEvidenceOnly) => "failed",
        };
        assert_eq!(word, *expected, "{line}");
    }
    let mut other = text("sent");
    other.details.body.clear();
    let held = law::check(&text("sending"), &event("answer-101"), &other);
    assert_eq!(held, Err(Broken::DetailsStay));
}

proptest! {
    /// Whatever happens in whatever order: once a send may have gone out, there is no other.
    #[test]
    fn what_may_have_been_sent_is_never_sent_again(
        picks in proptest::collection::vec((0_usize..600, 0_u64..4_000), 1..40)
    ) {
        let names: Vec<&str> =
            TABLE.trim().lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
        let mut text = text("queued");
        let (mut now, mut over) = (NOW, false);
        for (pick, pause) in picks {
            now = now.after(Duration::from_secs(pause));
            let attempt = text.state.tries().attempts;
            let event = match event(names[pick % names.len()]) {
                Event::Answered { answer, .. } if pick % 3 != 0 => {
                    Event::Answered { attempt, answer }
                }
                Event::NothingSent { why, .. } if pick % 3 != 0 => {
                    Event::NothingSent { attempt, why }
                }
                other => other,
            };
            let verdict = step(&text, &event, now);
            keeps_the_laws(&text, &event, &verdict);
            if let Verdict::Moved { state, .. } = verdict {
                prop_assert!(!(over && state.status() == Status::Sending));
                over = over || matches!(state, State::Sent { .. } | State::Unknown { .. });
                text.state = state;
            }
        }
    }
}

fn keeps_the_laws(before: &Text, event: &Event, verdict: &Verdict) {
    if let Verdict::Moved { state, .. } = verdict {
        let after = Text { state: state.clone(), ..before.clone() };
        assert_eq!(law::check(before, event, &after), Ok(()), "{event:?} when {:?}", before.state);
    }
}

fn moved(verdict: Verdict) -> State {
    match verdict {
        Verdict::Moved { state, .. } => state,
        other => panic!("it should move: {other:?}"),
    }
}

fn in_a_word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Moved { state, effects, .. } => {
            let alarm = effects.iter().any(|effect| matches!(effect, Effect::Alarm { .. }));
            format!("{}{}", state.status(), if alarm { "+alarm" } else { "" })
        }
        Verdict::Noted(_) => "noted".to_owned(),
        Verdict::Stale => "stale".to_owned(),
        Verdict::Forbidden(_) => "no".to_owned(),
    }
}

fn text(column: &str) -> Text {
    let tries = |attempts| Tries { attempts, ..Tries::NONE };
    let at = NOW;
    let (code, description) = ("406".to_owned(), "no".to_owned());
    let created_at = match column {
        "late" => Timestamp::from_millis(NOW.millis() - 86_400_000),
        _ => NOW,
    };
    let state = match column {
        "queued" | "late" => State::Queued { not_before: at, tries: tries(0) },
        "queued-2" => State::Queued { not_before: at, tries: tries(2) },
        "sending" => State::Sending { tries: tries(2), lease: lease(7) },
        "sending-1" => State::Sending { tries: tries(1), lease: lease(7) },
        "sent" => State::Sent { message_id: None, cost: None, at, tries: tries(2) },
        "failed" => State::Failed { code, description, at, tries: tries(2) },
        "unknown" => State::Unknown { why: "no answer".to_owned(), at, tries: tries(2) },
        other => panic!("no such column: {other}"),
    };
    let details = Details {
        id: TextId::from_bytes([1; 16]),
        subject: PaymentId::from_bytes([2; 16]).into(),
        occasion: Occasion::PaymentReceived,
        app: Some(AppId::from_bytes([3; 16])),
        phone: "254700000001".parse().expect("a phone"),
        body: "Hello Amina".to_owned(),
        created_at,
    };
    Text { details, state, updated_at: NOW }
}

fn lease(run: u8) -> Lease {
    Lease { owner: RunId::from_bytes([run; 16]), until: NOW.after(Duration::from_secs(40)) }
}

fn answered(attempt: u32, code: &str) -> Event {
    let answer = AnswerFacts {
        code: code.to_owned(),
        description: String::new(),
        message_id: None,
        cost: None,
    };
    Event::Answered { attempt, answer }
}

fn event(row: &str) -> Event {
    if let Some(rest) = row.strip_prefix("answer-") {
        return match rest.strip_suffix("-other") {
            Some(code) => answered(1, code),
            None => answered(2, rest),
        };
    }
    match row {
        "send" => Event::SendStarted { lease: lease(7) },
        "nothing-sent" => Event::NothingSent { attempt: 2, why: WhyNothingSent::Connect },
        "no-answer" => Event::NoAnswer { attempt: 2, why: WhyNoAnswer::Timeout },
        "lapsed" => Event::LeaseLapsed { lease: lease(7) },
        "lapsed-other" => Event::LeaseLapsed { lease: lease(8) },
        other => panic!("no such row: {other}"),
    }
}
