//! What is said on the wire and in the configuration of the model: few codes and times, each of
//! which stands for all that `step` cannot tell from it.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Duration;

use mlango::domain::id::{AppId, OriginatorConversationId, PayoutId, Receipt, RunId};
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payout::{
    AnswerFacts, Command, Details, InquiryAnswer, InquiryFacts, NotFoundRule, Payout, Policy, Rail,
    ResultFacts, State, TransactionStatus,
};
use mlango::domain::time::Timestamp;

/// The present, always: after each step of the clock all times are moved back by as much.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// One step of the clock. Longer than every pause of `domain::retry` but the daily one, which is
/// two; short enough that fourteen and fifteen days can be told apart.
pub(crate) const TICK: Duration = Duration::from_secs(12 * 60 * 60);
/// How many ticks after it left a request may still arrive.
pub(crate) const ON_THE_WAY: u8 = 1;
/// How many ticks the broker may hold a request when it has said so.
pub(crate) const HELD: u8 = 2;

/// The policy in ticks: windows are one tick longer than what they are to outlast.
pub(crate) fn policy(on_not_found: NotFoundRule) -> Policy {
    Policy {
        result_overdue: TICK,
        inquiry_intervals: vec![TICK],
        arrival_window: TICK.saturating_mul(u32::from(ON_THE_WAY) + 1),
        cached_window: TICK.saturating_mul(u32::from(HELD) + 1),
        on_not_found,
        unnamed: Vec::new(),
    }
}

/// This run of the gateway.
pub(crate) fn this_run() -> RunId {
    RunId::from_bytes([1; 16])
}

/// Any run before it.
pub(crate) fn earlier_run() -> RunId {
    RunId::from_bytes([0; 16])
}

static DETAILS: LazyLock<Details> = LazyLock::new(|| {
    let id = PayoutId::from_bytes([7; 16]);
    Details {
        id,
        app: AppId::from_bytes([2; 16]),
        amount: Amount::from_shillings(1_500),
        phone: Msisdn::from_number(254_722_000_111).expect("a phone"),
        command: Command::BusinessPayment,
        reference: String::new(),
        remarks: String::new(),
        occasion: String::new(),
        metadata: [].into(),
        rail: Rail::Soap,
        batch: None,
        originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
        created_at: NOW,
    }
});

/// The payout in this state.
fn payout(state: State) -> Payout {
    Payout { details: DETAILS.clone(), state, updated_at: NOW }
}

thread_local! {
    /// Two copies of the payout, so that none is made for each question about one.
    static COPIES: RefCell<[Payout; 2]> = RefCell::new([payout(taken()), payout(taken())]);
}

/// What `ask` says of the payout in this state; it gets a second copy to move.
pub(crate) fn with<T>(state: State, ask: impl FnOnce(&Payout, &mut Payout) -> T) -> T {
    COPIES.with_borrow_mut(|[before, after]| {
        before.state = state;
        ask(before, after)
    })
}

/// The payout as it is taken.
pub(crate) fn taken() -> State {
    Payout::queued(DETAILS.clone()).state
}

/// An answer to a request or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    /// `0`.
    Taken,
    /// `100000000`.
    Cached,
    /// `100000001`: for certain not taken, and it may be sent again.
    Busy,
    /// `100000005`: for certain not taken.
    Refused,
    /// `100000007`: for certain not taken, and the rail stops.
    Credential,
    /// `2001`: doubtful, and the rail stops.
    Operator,
    /// `100000004`, a Fault, a page, a code that no table knows: doubtful.
    Doubtful,
    /// `15`.
    Duplicate,
}

impl Answer {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Taken => "0",
            Self::Cached => "100000000",
            Self::Busy => "100000001",
            Self::Refused => "100000005",
            Self::Credential => "100000007",
            Self::Operator => "2001",
            Self::Doubtful => "100000004",
            Self::Duplicate => "15",
        }
    }

    pub(crate) fn facts(self) -> AnswerFacts {
        AnswerFacts { code: self.code().to_owned(), description: String::new(), conversation: None }
    }
}

/// A message about the payment that M-Pesa may send at any time, once or often, while it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Word {
    /// Result 0: paid.
    Paid,
    /// Result 1: not paid.
    NotPaid,
    /// Result 2001: not paid, and the rail stops.
    NotPaidCredential,
    /// Result 0 with another amount.
    PaidOddly,
    /// Result 17: M-Pesa does not know itself.
    Internal,
    /// Result 15: a copy of the request, or a later one, was turned away.
    Again,
    /// A result of type 1: more will follow.
    Waiting,
    /// The broker gave up on what it held.
    QueueTimeout,
}

/// The result that says it; `None` for what is no result.
pub(crate) fn result(word: Word) -> Option<ResultFacts> {
    let (code, shillings, waiting) = match word {
        Word::Paid => ("0", 1_500, false),
        Word::NotPaid => ("1", 1_500, false),
        Word::NotPaidCredential => ("2001", 1_500, false),
        Word::PaidOddly => ("0", 1_400, false),
        Word::Internal => ("17", 1_500, false),
        Word::Again => ("15", 1_500, false),
        Word::Waiting => ("0", 1_500, true),
        Word::QueueTimeout => return None,
    };
    let pays = matches!(word, Word::Paid | Word::PaidOddly);
    Some(ResultFacts {
        code: code.to_owned(),
        description: String::new(),
        waiting,
        conversation: None,
        receipt: pays.then(receipt),
        amount: pays.then(|| Amount::from_shillings(shillings)),
        payee: None,
        recipient_name: None,
        charge: None,
        completed_at: None,
        odd: None,
    })
}

fn receipt() -> Receipt {
    Receipt::new("QK12ABCD34").expect("a receipt")
}

/// What M-Pesa says when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Told {
    /// `Completed`, naming the payment.
    Completed,
    /// `Completed`, naming none.
    CompletedUnnamed,
    /// `Declined`, naming the payment.
    Declined,
    /// `Declined`, naming none.
    DeclinedUnnamed,
    /// `Completed`, and it is another payment that it names.
    OtherCompleted,
    /// `Declined`, and it is another payment that it names.
    OtherDeclined,
    /// No such transaction.
    NotFound,
    /// The question failed with a code that a payment could have failed with, too (law 6).
    QueryFailed,
    /// The question failed: a wrong credential.
    QueryRefused,
}

/// The answer to question `nth`.
pub(crate) fn status(told: Told, nth: u32) -> InquiryAnswer {
    let ours = DETAILS.originator_conversation_id.as_str();
    let other = "600999_ExampleOrg_another";
    let of = |status, originator: Option<&str>| {
        Some(InquiryFacts {
            receipt: (status == TransactionStatus::Completed).then(receipt),
            status,
            amount: Some(Amount::from_shillings(1_500)),
            payee: None,
            recipient_name: None,
            originator: originator.map(str::to_owned),
            conversation: None,
            completed_at: None,
            odd: None,
        })
    };
    let (code, payment) = match told {
        Told::Completed => ("0", of(TransactionStatus::Completed, Some(ours))),
        Told::CompletedUnnamed => ("0", of(TransactionStatus::Completed, None)),
        Told::Declined => ("0", of(TransactionStatus::Declined, Some(ours))),
        Told::DeclinedUnnamed => ("0", of(TransactionStatus::Declined, None)),
        Told::OtherCompleted => ("0", of(TransactionStatus::Completed, Some(other))),
        Told::OtherDeclined => ("0", of(TransactionStatus::Declined, Some(other))),
        Told::NotFound => ("49", None),
        Told::QueryFailed => ("1", None),
        Told::QueryRefused => ("2001", None),
    };
    InquiryAnswer {
        nth: Some(nth),
        code: code.to_owned(),
        description: String::new(),
        waiting: false,
        payment,
    }
}
