//! The laws as a table: steps that no code takes, each refused by the law that it would break.

use mlango::domain::inquiry::law::{self, Broken};
use mlango::domain::inquiry::{Effect, Inquiry, Kind, State, Tries};
use mlango::domain::money::Amount;

use crate::words::{event, inquiry, reversal};

/// What was asked, where it stood, what happened, where it is to stand then, and what the laws say.
/// `again` is queued after attempt 2, `lost` the same with one answer lost.
const TABLE: &str = "
reversal queued   send              first      ok
reversal queued   send              sending    send
reversal accepted send              sending    send
reversal unknown  send              sending    send
reversal sending  nothing-sent      again      ok
reversal sending  nothing-sent-earlier again   requeue
reversal sending  answer-busy       again      ok
reversal sending  answer-busy-earlier again    requeue
reversal sending  answer-0          again      requeue
reversal sending  answer-internal   again      requeue
reversal sending  no-answer         again      requeue
reversal sending  no-answer         lost       requeue
reversal sending  lapsed            lost       requeue
reversal accepted overdue           lost       requeue
reversal accepted queue-timeout     lost       requeue
reversal unknown  not-found         again      requeue
reversal unknown  status-declined   again      requeue
balance  sending  no-answer         lost       ok
balance  accepted overdue           lost       ok
balance  sending  no-answer         again      requeue
balance  sending  no-answer         unknown    doubt
reversal sending  no-answer         unknown    ok
reversal sending  no-answer         queued     requeue
reversal unknown  result-done       accepted-1 count
reversal done     result-funds      notdone    final
reversal notdone  result-done       done       final
balance  notdone  result-done       done       final
reversal done     result-done       done       ok
reversal accepted result-done       done       ok
reversal accepted result-other-receipt done    evidence
reversal accepted result-no-receipt done       evidence
reversal accepted result-other-amount done     evidence
reversal accepted result-odd        done       evidence
reversal accepted result-waiting    done       evidence
reversal accepted result-internal   done       evidence
reversal sending  answer-0          done       evidence
reversal unknown  status-completed  done       ok
reversal unknown  status-unnamed    done       ok
reversal unheard  status-completed  done       evidence
reversal unknown  status-other-name done       evidence
reversal unknown  status-other-amount done     evidence
reversal unknown  status-other-receipt done    evidence
reversal unknown  status-declined   done       evidence
reversal unknown  not-found         done       evidence
reversal unknown  ruled-done        done       ok
reversal unknown  ruled-not-done    done       evidence
reversal accepted ruled-done        done       evidence
reversal sending  answer-invalid    refused    ok
reversal sending  answer-busy-earlier refused  failed
reversal accepted answer-invalid    refused    failed
reversal sending  nothing-sent      refused    ok
reversal sending  nothing-sent-earlier refused failed
reversal accepted nothing-sent      refused    failed
reversal sending  answer-internal   refused    failed
reversal sending  no-answer         refused    failed
reversal accepted overdue           notdone    failed
reversal accepted result-funds      notdone    ok
reversal accepted result-R000001    notdone    ok
reversal accepted result-internal   notdone    failed
reversal unknown  not-found         notdone    failed
reversal unknown  status-declined   notdone    ok
reversal unknown  status-progress   notdone    failed
reversal unknown  ruled-not-done    notdone    ok
reversal unknown  ruled-done        notdone    failed
balance  sending  no-answer         refused    ok
reversal sending  answer-credential refused    credential
reversal sending  answer-credential refused+stop ok
reversal accepted result-credential notdone    credential
reversal accepted result-credential notdone+stop ok
reversal unknown  question-credential early    credential
reversal unknown  status-refused    early+stop ok
";

#[test]
fn every_law_forbids_what_it_must_and_allows_what_it_must() {
    let mut seen = Vec::new();
    for line in TABLE.trim().lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [kind, before, happens, after, expected] = cells.as_slice() else { panic!("{line}") };
        let kind = if *kind == "reversal" { reversal() } else { Kind::Balance };
        let (after, stops) =
            after.strip_suffix("+stop").map_or((*after, false), |after| (after, true));
        let effects: &[Effect] =
            if stops { &[Effect::StopRail { code: "2001".to_owned() }] } else { &[] };
        let (before, after) = (inquiry(kind.clone(), before), stands(kind, after));
        let held = law::check(&before, &event(happens), &after, effects);
        assert_eq!(in_a_word(held), *expected, "{line}");
        seen.push(*expected);
    }
    for law in LAWS {
        assert!(seen.contains(&law), "no row breaks {law}");
    }
}

#[test]
fn what_was_asked_for_never_changes() {
    let before = inquiry(reversal(), "accepted");
    let mut after = inquiry(reversal(), "done");
    let Kind::Reversal(reversal) = &mut after.details.kind else { panic!("a reversal") };
    reversal.amount = Amount::from_shillings(15);
    assert_eq!(law::check(&before, &event("result-done"), &after, &[]), Err(Broken::DetailsStay));
}

/// Every word that the table uses for a law.
const LAWS: [&str; 9] =
    ["ok", "send", "requeue", "count", "doubt", "final", "evidence", "failed", "credential"];

fn in_a_word(held: Result<(), Broken>) -> &'static str {
    match held {
        Ok(()) => "ok",
        Err(Broken::DetailsStay) => "details",
        Err(Broken::FinalIsFinal) => "final",
        Err(Broken::SendFromQueuedOnly) => "send",
        Err(Broken::RequeueOnProofOnly) => "requeue",
        Err(Broken::AttemptsNeverShrink) => "count",
        Err(Broken::DoubtIsAboutMoney) => "doubt",
        Err(Broken::SucceededOnEvidenceOnly) => "evidence",
        Err(Broken::FailedOnEvidenceOnly) => "failed",
        Err(Broken::CredentialStopsTheRail) => "credential",
    }
}

/// The states of the table, and some that no row of it begins with.
fn stands(kind: Kind, name: &str) -> Inquiry {
    let known = |name| inquiry(kind.clone(), name);
    let mut found = known(match name {
        "first" => "sending",
        "again" | "lost" => "requeued",
        "accepted-1" => "accepted",
        "early" => "unknown",
        other => other,
    });
    match (&mut found.state, name) {
        (State::Sending { tries, .. }, "first") | (State::Accepted { tries, .. }, "accepted-1") => {
            tries.attempts = 1;
        }
        (State::Queued { tries, .. }, "again") => {
            *tries = Tries { attempts: 2, ..Tries::NONE };
        }
        (State::Queued { tries, .. }, "lost") => {
            *tries = Tries { attempts: 2, lost: 1, ..Tries::NONE };
        }
        (State::Unknown { asking, .. }, "early") => asking.ask_at = None,
        _ => {}
    }
    found
}
