//! Payouts, events and messages to fill stores with.

use mlango::domain::id::{
    AppId, BatchId, CaseId, ConversationId, EventId, MessageId, OriginatorConversationId, PayoutId,
    Receipt, RunId,
};
use mlango::domain::money::Amount;
use mlango::domain::payout::{
    CaseKind, Command, Details, Doubt, Failure, Inquiry, Lease, Metadata, Payout, Rail, Settled,
    Stage, State, Status, Tries,
};
use mlango::domain::subject::Subject;
use mlango::domain::time::Timestamp;
use mlango::store::{
    App, AppKey, Case, CaseClosing, CaseQuery, Channel, Claim, Closing, Commit, CredentialStop,
    Direction, Message, NewEvent, Pause, PayoutWrite, RailRecord, Scope, Standing, Store,
};

/// When the first payout was taken.
pub const START: i64 = 1_767_225_600_000;

/// 16 bytes that begin with a millisecond: the `n`th id, a millisecond after the one before it.
pub fn id_bytes(n: u64) -> [u8; 16] {
    let millis = START as u64 + n;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..14].copy_from_slice(&(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_be_bytes());
    bytes
}

pub fn payout_id(n: u64) -> PayoutId {
    PayoutId::from_bytes(id_bytes(n))
}

pub fn message_id(n: u64) -> MessageId {
    MessageId::from_bytes(id_bytes(n))
}

pub fn case_id(n: u64) -> CaseId {
    CaseId::from_bytes(id_bytes(n))
}

pub fn app_id(n: u64) -> AppId {
    AppId::from_bytes(id_bytes(n))
}

pub fn batch_id(n: u64) -> BatchId {
    BatchId::from_bytes(id_bytes(n))
}

pub fn time(n: u64) -> Timestamp {
    Timestamp::from_millis(START + n as i64)
}

/// The `n`th payout, as it is taken.
pub fn payout(n: u64, app: u64) -> Payout {
    let id = payout_id(n);
    Payout::queued(Details {
        id,
        app: app_id(app),
        amount: Amount::from_shillings(10 + n % 1_000),
        phone: format!("2547{:08}", n % 7).parse().expect("a phone"),
        command: Command::BusinessPayment,
        reference: reference(n),
        remarks: "March commission".to_owned(),
        occasion: String::new(),
        metadata: Metadata::from([("branch".to_owned(), "Nakuru".to_owned())]),
        rail: Rail::Soap,
        batch: n.is_multiple_of(3).then(|| batch_id(n % 2)),
        originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
        created_at: time(n),
    })
}

/// A few references, one of them none, one with a tail that another has as its whole.
pub fn reference(n: u64) -> String {
    match n % 5 {
        0 => String::new(),
        1 => "INV-1".to_owned(),
        2 => "INV-11".to_owned(),
        3 => "Ankara \u{0} invoice".to_owned(),
        _ => "long ".repeat(30),
    }
}

pub fn conversation(n: u64) -> ConversationId {
    ConversationId::new(&format!("AG_20260101_{n:020x}")).expect("a conversation")
}

pub fn receipt(n: u64) -> Receipt {
    Receipt::new(&format!("TA1{n:07}")).expect("a receipt")
}

const TRIED_ONCE: Tries = Tries { attempts: 1, ..Tries::NONE };

/// The payout moved to `status` (whether the domain would allow that or not is not the store's).
pub fn at(mut payout: Payout, n: u64, status: Status) -> Payout {
    let settled = Settled {
        conversation: Some(conversation(n)),
        completed_at: time(n + 10),
        mpesa_completed_at: Some(time(n + 9)),
        attempts: 1,
    };
    payout.state = match status {
        Status::AwaitingApproval => State::AwaitingApproval { rule: "above 1000".to_owned() },
        Status::Queued => State::Queued { not_before: time(n), tries: Tries::NONE },
        Status::Sending => State::Sending {
            tries: TRIED_ONCE,
            lease: Lease { owner: RunId::from_bytes(id_bytes(0)), until: time(n + 30_000) },
        },
        Status::Accepted => State::Accepted {
            tries: TRIED_ONCE,
            conversation: Some(conversation(n)),
            overdue_at: time(n + 120_000),
        },
        Status::Unknown => State::Unknown {
            tries: TRIED_ONCE,
            why: Doubt::NoAnswer,
            conversation: None,
            since: time(n),
            arrives_until: time(n + 900_000),
            inquiry: Inquiry::first_at(time(n + 5_000)),
        },
        Status::Succeeded => State::Succeeded {
            receipt: receipt(n),
            settled,
            recipient_name: None,
            charge: Some(Amount::from_shillings(5)),
        },
        Status::Failed => State::Failed {
            failure: Failure {
                stage: Stage::Result,
                code: "2040".to_owned(),
                description: "the receiver cannot take it".to_owned(),
                retryable: false,
            },
            settled,
        },
        Status::Cancelled => State::Cancelled {
            reason: "its submitter stopped it".to_owned(),
            completed_at: time(n + 1),
        },
    };
    payout.updated_at = time(n + 10);
    payout
}

pub fn write(payout: Payout, expected_version: u64) -> PayoutWrite {
    PayoutWrite { payout, expected_version }
}

pub fn claim(app: u64, key: &str, n: u64) -> Claim {
    Claim {
        app: app_id(app),
        key: key.to_owned(),
        fingerprint: [n as u8; 32],
        made: payout_id(n).into(),
    }
}

pub fn event(n: u64, about: Option<PayoutId>) -> NewEvent {
    NewEvent {
        id: EventId::from_bytes(id_bytes(n)),
        at: time(n),
        kind: "payout.queued".to_owned(),
        app: about.map(|_| app_id(0)),
        about: about.map(Subject::Payout),
        status: about.map(|_| Standing::Payout(Status::Queued)),
        says: format!("event {n}"),
        code: None,
        messages: vec![message_id(n)],
    }
}

pub fn message(n: u64, body: Vec<u8>) -> Message {
    Message {
        id: message_id(n),
        at: time(n),
        direction: Direction::In,
        channel: Channel::Result,
        peer: Some("192.0.2.49".to_owned()),
        certificate: Some("CN=broker.example.test, O=Example".to_owned()),
        http_status: None,
        about: Some(payout_id(n).into()),
        body,
    }
}

/// The `n`th case: of three kinds, about four payouts of three applications, or about none.
pub fn case(n: u64) -> Case {
    let kinds = [CaseKind::Unmatched, CaseKind::Contradiction, CaseKind::Mismatch];
    let is_about = !n.is_multiple_of(5);
    Case {
        id: case_id(n),
        at: time(n),
        kind: kinds[n as usize % kinds.len()],
        about: is_about.then(|| payout_id(n % 4).into()),
        app: is_about.then(|| app_id(n % 3)),
        says: format!("case {n}"),
        messages: vec![message_id(n)],
        closed: None,
    }
}

pub fn closing(n: u64) -> CaseClosing {
    let closing = Closing {
        at: time(n + 100),
        by: "amina".to_owned(),
        ruling: "paid".to_owned(),
        reason: format!("line {n} of the statement"),
    };
    CaseClosing { case: case_id(n), closing }
}

/// The `n`th case as it stands once it is closed.
pub fn closed(n: u64) -> Case {
    Case { closed: Some(closing(n).closing), ..case(n) }
}

/// Every case that a store has, at most a page of them.
pub async fn cases(store: &dyn Store) -> Vec<Case> {
    store.cases(&CaseQuery::all(500)).await.expect("cases").rows
}

/// The rail stopped by M-Pesa's code, by a person, by both or by neither.
pub fn rail(n: u64) -> RailRecord {
    let code = format!("200{n}");
    let (by, reason) = ("amina".to_owned(), "maintenance".to_owned());
    RailRecord {
        rail: Rail::Soap,
        credential: n.is_multiple_of(2).then(|| CredentialStop { at: time(n), code }),
        paused: n.is_multiple_of(3).then(|| Pause { at: time(n), by, reason }),
    }
}

pub fn app(n: u64) -> App {
    App {
        id: app_id(n),
        name: format!("app {n}"),
        scopes: vec![Scope::PayoutsWrite, Scope::PayoutsRead],
        keys: vec![AppKey { hash: [n as u8; 32], created_at: time(n), ends_at: None }],
        created_at: time(n),
        revoked_at: None,
    }
}

/// A payout taken: it, its claim, its event.
pub fn taken(n: u64, app: u64) -> Commit {
    Commit {
        payouts: vec![write(payout(n, app), 0)],
        claims: vec![claim(app, &format!("key {n}"), n)],
        events: vec![event(n, Some(payout_id(n)))],
        ..Commit::default()
    }
}

/// The `n`th payout moved to `status` from `version`, with an event and a message.
pub fn moved(n: u64, app: u64, version: u64, status: Status) -> Commit {
    Commit {
        payouts: vec![write(at(payout(n, app), n, status), version)],
        events: vec![event(n + 1_000_000 * version, Some(payout_id(n)))],
        messages: vec![message(n + 1_000_000 * version, b"<Result/>".repeat(50))],
        ..Commit::default()
    }
}
