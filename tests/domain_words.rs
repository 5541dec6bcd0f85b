//! Words, letters and forms that others rely on: the API, the feed, the store's keys, people.
//!
//! A word here is a promise. Changing one breaks somebody's program or somebody's store.

use std::collections::BTreeSet;
use std::str::FromStr;

use mlango::domain::id::{ConversationId, OCID_LEN_MAX, OriginatorConversationId, PayoutId};
use mlango::domain::money::Amount;
use mlango::domain::outcome::{self, Blame};
use mlango::domain::party::{Msisdn, PersonName, ShortCode};
use mlango::domain::payout::{
    CaseKind, Command, Doubt, Failure, Notice, Rail, Settled, Stage, State, Status,
    TransactionStatus, Tries, WhyNoAnswer, WhyNothingSent,
};
use mlango::domain::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

#[test]
fn a_payouts_statuses_have_the_contracts_words_and_letters_that_never_change() {
    let table = [
        (Status::AwaitingApproval, "awaiting_approval", b'a', false),
        (Status::Queued, "queued", b'q', false),
        (Status::Sending, "sending", b's', false),
        (Status::Accepted, "accepted", b't', false),
        (Status::Unknown, "unknown", b'u', false),
        (Status::Succeeded, "succeeded", b'p', true),
        (Status::Failed, "failed", b'f', true),
        (Status::Cancelled, "cancelled", b'c', true),
    ];
    assert_eq!(table.map(|row| row.0), Status::ALL);
    for (status, word, letter, is_final) in table {
        assert_eq!((status.as_str(), status.to_string().as_str()), (word, word));
        assert_eq!((status.letter(), status.is_final()), (letter, is_final), "{word}");
        assert_eq!(word.parse(), Ok(status));
    }
    let wrong = Status::from_str("paid").expect_err("no status");
    assert!(wrong.to_string().starts_with("must be one of awaiting_approval, queued, "));
}

#[test]
fn commands_rails_stages_and_cases_have_the_contracts_words() {
    for command in Command::ALL {
        assert_eq!(command.as_str(), format!("{command:?}"), "as it is called on the wire");
        assert_eq!(command.as_str().parse(), Ok(command));
    }
    assert!("businesspayment".parse::<Command>().is_err() && "".parse::<Command>().is_err());
    assert_eq!(Rail::Soap.as_str(), "soap");
    for rail in Rail::ALL {
        assert_eq!(rail.as_str().parse(), Ok(rail));
    }
    assert!("pigeon".parse::<Rail>().is_err() && "".parse::<Rail>().is_err());
    let stages = [Stage::Request, Stage::Result, Stage::Inquiry].map(Stage::as_str);
    assert_eq!(stages, ["request", "result", "inquiry"]);
    let cases = [
        (CaseKind::Contradiction, "contradiction"),
        (CaseKind::Mismatch, "mismatch"),
        (CaseKind::Unmatched, "unmatched"),
        (CaseKind::Malformed, "malformed"),
        (CaseKind::NotFound, "not_found"),
        (CaseKind::StillUnknown, "still_unknown"),
        (CaseKind::LawBroken, "law_broken"),
    ];
    assert_eq!(cases.map(|row| row.0), CaseKind::ALL);
    for (kind, word) in cases {
        assert_eq!(kind.as_str(), word);
    }
}

#[test]
fn the_feeds_events_have_the_contracts_words() {
    let table = [
        (Notice::Queued, "payout.queued"),
        (Notice::AwaitingApproval, "payout.awaiting_approval"),
        (Notice::Approved, "payout.approved"),
        (Notice::Sending, "payout.sending"),
        (Notice::Requeued, "payout.requeued"),
        (Notice::Accepted, "payout.accepted"),
        (Notice::Unknown, "payout.unknown"),
        (Notice::Inquired, "payout.inquired"),
        (Notice::Succeeded, "payout.succeeded"),
        (Notice::Failed, "payout.failed"),
        (Notice::Cancelled, "payout.cancelled"),
        (Notice::Noted, "payout.noted"),
        (Notice::Contradicted, "payout.contradicted"),
    ];
    for (notice, word) in table {
        assert_eq!(notice.as_str(), word);
    }
}

#[test]
fn what_people_read_says_something_of_its_own() {
    let code = || "17".to_owned();
    let mut said: Vec<String> = [
        WhyNothingSent::NotReady,
        WhyNothingSent::Resolve,
        WhyNothingSent::Connect,
        WhyNothingSent::ConnectTimeout,
        WhyNothingSent::ClosedBeforeFirstByte,
        WhyNothingSent::NoToken,
    ]
    .map(|why| why.says().to_owned())
    .to_vec();
    said.extend([WhyNoAnswer::Timeout, WhyNoAnswer::Closed, WhyNoAnswer::TooLong].map(|why| {
        assert!(why.says().contains("answer"), "{}", why.says());
        why.says().to_owned()
    }));
    let doubts = [
        Doubt::NoAnswer,
        Doubt::Answer { code: code() },
        Doubt::Answer { code: String::new() },
        Doubt::Cached,
        Doubt::QueueTimeout,
        Doubt::Duplicate,
        Doubt::ResultOverdue,
        Doubt::AskedEarly,
        Doubt::Result { code: code() },
        Doubt::LeaseLapsed,
        Doubt::RefusedLater { code: code(), description: String::new() },
        Doubt::Mismatch { what: "another phone was paid".to_owned() },
    ];
    for doubt in doubts {
        let words = doubt.to_string();
        let has_code = matches!(&doubt, Doubt::Answer { code } if !code.is_empty())
            || matches!(&doubt, Doubt::Result { .. } | Doubt::RefusedLater { .. });
        assert_eq!(words.contains("17"), has_code, "{words}");
        assert!(!words.contains("  ") && !words.contains("''"), "{words}");
        said.push(words);
    }
    assert!(said.iter().all(|words| words.len() > 20), "{said:?}");
    assert_eq!(said.iter().collect::<BTreeSet<_>>().len(), said.len(), "{said:?}");

    use TransactionStatus::{Cancelled, Completed, Declined, Expired, InProgress, Other};
    let words = [
        (Completed, "Completed"),
        (Cancelled, "Cancelled"),
        (Declined, "Declined"),
        (Expired, "Expired"),
        (InProgress, "in progress"),
        (Other("Parked".to_owned()), "Parked"),
    ];
    for (status, word) in words {
        assert_eq!(status.word(), word);
    }
}

#[test]
fn what_can_be_mended_may_be_tried_again() {
    let table = [
        (Blame::Nobody, false),
        (Blame::Funds, true),
        (Blame::Limit, true),
        (Blame::Recipient, false),
        (Blame::Request, false),
        (Blame::Credential, true),
        (Blame::Configuration, true),
        (Blame::Capacity, true),
        (Blame::Platform, true),
        (Blame::Unknown, false),
    ];
    for (blame, retryable) in table {
        assert_eq!(blame.is_retryable(), retryable, "{blame:?}");
        assert_eq!(blame.stops_the_rail(), blame == Blame::Credential, "{blame:?}");
    }
    assert!(outcome::result("1").blame.is_retryable(), "for want of funds");
}

#[test]
fn money_is_counted_in_cents_and_never_wraps() {
    let amount = Amount::from_cents(150_050);
    assert_eq!(amount.cents(), 150_050);
    let (one, most) = (Amount::from_cents(1), Amount::from_cents(u64::MAX));
    assert_eq!(amount.checked_add(one), Some(Amount::from_cents(150_051)));
    assert_eq!(amount.checked_sub(one), Some(Amount::from_cents(150_049)));
    assert_eq!(most.checked_add(one), None);
    assert_eq!(Amount::ZERO.checked_sub(one), None);
    assert_eq!(one.checked_sub(one), Some(Amount::ZERO));
    // Twelve digits are the most, however many zeros come before them.
    let twelve = "999999999999".parse::<Amount>().expect("an amount");
    assert_eq!(twelve, Amount::from_shillings(999_999_999_999));
    assert_eq!("00999999999999".parse(), Ok(twelve));
    assert!("1000000000000".parse::<Amount>().is_err());
}

#[test]
fn phones_names_and_short_codes_show_what_they_hold_to_those_who_ask() {
    let phone: Msisdn = "0722000111".parse().expect("a phone");
    assert_eq!((phone.number(), phone.reveal().as_str()), (254_722_000_111, "254722000111"));
    assert_eq!(Msisdn::from_number(phone.number()), Some(phone));
    // As long as anybody writes one, and a character more.
    let blanks = |length: usize| format!("0722000111{}", " ".repeat(length - 10));
    assert_eq!(blanks(32).parse(), Ok(phone));
    assert!(blanks(33).parse::<Msisdn>().is_err());
    assert_eq!(PersonName::new(" Jane Doe ").expect("a name").reveal(), "Jane Doe");
    let shortcode: ShortCode = "600999".parse().expect("a short code");
    assert_eq!((shortcode.as_str(), shortcode.to_string().as_str()), ("600999", "600999"));
}

#[test]
fn times_are_written_for_machines_in_utc_and_for_people_in_nairobi() {
    assert_eq!(NOW.to_string(), "2024-01-02T03:04:05.000Z");
    assert_eq!(NOW.east_africa_screen(), "2024-01-02 06:04:05");
    for text in ["2024-01-02T03:04:05Z", "2024-01-02T06:04:05+03:00", "2024-01-02T03:04:05.000Z"] {
        assert_eq!(Timestamp::parse_rfc3339(text), Ok(NOW), "{text}");
    }
    let wrong = Timestamp::parse_rfc3339("2024-01-02").expect_err("no time");
    assert!(wrong.to_string().contains("2024-01-02"));
}

#[test]
fn a_name_towards_mpesa_is_read_back_up_to_its_greatest_length_and_no_further() {
    let id = PayoutId::from_bytes([1; 16]);
    let name = OriginatorConversationId::of(id, "600999", "ExampleOrg");
    assert_eq!(name.to_string(), name.as_str());
    let padded = |length: usize| {
        let filler = "x".repeat(length - name.as_str().len());
        format!("{filler}{}", name.as_str())
    };
    assert_eq!(OriginatorConversationId::payout_in(&padded(OCID_LEN_MAX)), Some(id));
    assert_eq!(OriginatorConversationId::payout_in(&padded(OCID_LEN_MAX + 1)), None);
}

#[test]
fn a_state_tells_what_is_known_of_it_and_nothing_else() {
    let conversation = ConversationId::new("AG_1");
    let settled = Settled {
        conversation: conversation.clone(),
        completed_at: NOW,
        mpesa_completed_at: None,
        attempts: 2,
    };
    let failed = State::Failed {
        failure: Failure {
            stage: Stage::Result,
            code: "1".to_owned(),
            description: "no".to_owned(),
            retryable: true,
        },
        settled,
    };
    let tries = Tries { attempts: 2, ..Tries::NONE };
    let accepted = State::Accepted { tries, conversation: conversation.clone(), overdue_at: NOW };
    let queued = State::Queued { not_before: NOW, tries };
    let cancelled = State::Cancelled { reason: "stopped".to_owned(), completed_at: NOW };
    // M-Pesa's name for it; when it became final; how many sends; when the clock moves it.
    let table = [
        (failed, true, Some(NOW), 2, None),
        (accepted, true, None, 2, Some(NOW)),
        (queued, false, None, 2, Some(NOW)),
        (cancelled, false, Some(NOW), 0, None),
    ];
    for (state, is_named, completed_at, attempts, wakes_at) in table {
        let name = conversation.as_ref().filter(|_| is_named);
        assert_eq!(state.conversation(), name, "{state:?}");
        assert_eq!(state.completed_at(), completed_at, "{state:?}");
        assert_eq!((state.attempts(), state.wakes_at()), (attempts, wakes_at), "{state:?}");
        assert_eq!(state.receipt(), None);
    }
}
