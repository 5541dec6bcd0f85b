//! Where a payment stands. One variant per state, with only what is true there.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::notice::{NoticeKind, PayerPhone};
use super::word::{Kind, Status};
use crate::domain::account::Balance;
use crate::domain::id::{AppId, CheckoutRequestId, MerchantRequestId, PaymentId, Receipt};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, PersonName};
use crate::domain::payout::{Lease, Stage};
use crate::domain::time::Timestamp;

/// What was asked for, or what came. It never changes once the payment is in the book.
///
/// `Debug` hides what the payer typed: people type their phones and names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Ours, `pay_…`.
    pub id: PaymentId,
    /// Whose it is; `None` for a C2B payment that no route gives to an application.
    pub app: Option<AppId>,
    /// How it came about, and what only payments of that kind have.
    pub origin: Origin,
    /// How much, in Kenyan shillings.
    pub amount: Amount,
    /// Our number that it is paid to, as it stands on the wire: of a prompt its `PartyB`, which is
    /// what a confirmation names (spec/daraja.md §1.2, §2.2).
    pub shortcode: String,
    /// What it is for: `AccountReference` of a prompt; of a C2B payment the expected reference
    /// that it fits, or else the account. May be empty.
    pub reference: String,
    /// The account: of a prompt its reference, of a C2B payment what the payer typed. May be
    /// empty.
    pub account: String,
    /// When it came into the book.
    pub created_at: Timestamp,
}

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("id", &self.id)
            .field("app", &self.app)
            .field("amount", &self.amount)
            .field("shortcode", &self.shortcode)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// How a payment came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// We had the payer's phone show a prompt (spec/daraja.md §1.2).
    Stk {
        /// The phone that is prompted.
        phone: Msisdn,
        /// `TransactionDesc`; may be empty.
        description: String,
    },
    /// The payer paid without being asked, and M-Pesa confirmed it (spec/daraja.md §2.2).
    C2b {
        /// Which kind of C2B payment it is.
        kind: NoticeKind,
        /// The payer's phone, as far as it is shown.
        phone: PayerPhone,
        /// `InvoiceNumber`.
        invoice: Option<String>,
        /// The id that was given to M-Pesa when it asked whether to take the payment.
        third_party_id: Option<String>,
    },
}

/// A payment as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// What was asked for, or what came.
    pub details: Details,
    /// Where it stands.
    pub state: State,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// Where a payment stands (contract, part 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Pending: on disk, no prompt sent. Left when a send starts, or when it is too late for one.
    Waiting {
        /// When the prompt may go.
        not_before: Timestamp,
        /// The sends so far; each is known to have taken nothing.
        tries: Tries,
    },
    /// Pending: a send has begun, on disk before the first byte leaves. Left by its answer, its
    /// failure or its lapse, or by the callback where that is faster.
    Sending {
        /// The sends so far, this one included.
        tries: Tries,
        /// Who owns this one and how long.
        lease: Lease,
    },
    /// Pending: M-Pesa took the request. Left by the callback or by a query's word.
    Prompted {
        /// The sends so far; the last was taken.
        tries: Tries,
        /// M-Pesa's names for it.
        prompt: Prompt,
        /// What M-Pesa was asked, and when it is to be asked next.
        asking: Asking,
    },
    /// The payer may or may not have been prompted, may or may not have paid. Left by the
    /// callback, by a query's word, or by a named person's ruling; never by another prompt.
    Unknown {
        /// The sends so far; the last may have been taken.
        tries: Tries,
        /// What made it doubtful.
        why: Doubt,
        /// Since when.
        since: Timestamp,
        /// M-Pesa's names for it, if they are known: without them it cannot be asked.
        prompt: Option<Prompt>,
        /// What M-Pesa was asked, and when it is to be asked next.
        asking: Asking,
    },
    /// Paid. Final; only what is still missing is filled in.
    Succeeded {
        /// What is known of the payment.
        paid: Paid,
        /// How it ended.
        settled: Settled,
        /// Who delivered for it.
        claim: Option<Claim>,
    },
    /// Not paid. Final, unless a later word with a receipt says otherwise (spec/daraja.md §3.1).
    Failed {
        /// Why.
        failure: Failure,
        /// How it ended.
        settled: Settled,
    },
    /// A C2B payment that turned out to be the same money as an STK payment, which has taken over
    /// its receipt and its claim. It is in no list and in no sum.
    Joined {
        /// The payment that counts.
        to: PaymentId,
        /// Since when.
        at: Timestamp,
        /// What was known of it.
        paid: Paid,
    },
}

/// What became of the sends so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tries {
    /// How many sends have begun. The last one's number, too: 1 is the first.
    pub attempts: u32,
    /// How often in a row a send was put back because nothing was taken.
    pub put_back: u32,
    /// When the last send began.
    pub sent_at: Option<Timestamp>,
}

impl Tries {
    /// Before the first send.
    pub const NONE: Self = Self { attempts: 0, put_back: 0, sent_at: None };
}

/// M-Pesa's names for a prompt (spec/daraja.md §1.2). They hold the phone: `Debug` masks them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prompt {
    /// `MerchantRequestID`.
    pub merchant: Option<MerchantRequestId>,
    /// `CheckoutRequestID`: what the callback and a query name it by.
    pub checkout: CheckoutRequestId,
}

/// What M-Pesa was asked about a prompt, and when it is to be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asking {
    /// When to ask next, or to call a person where it cannot be asked; `None` once that is over.
    pub ask_at: Option<Timestamp>,
    /// How many questions reached M-Pesa, or may have.
    pub asked: u32,
    /// The number of the last question: no two about one payment share one.
    pub nth: u32,
    /// When the last was put.
    pub last_at: Option<Timestamp>,
    /// Whether a person was called.
    pub called: bool,
}

impl Asking {
    /// Nothing asked yet.
    pub const fn first_at(ask_at: Timestamp) -> Self {
        Self { ask_at: Some(ask_at), asked: 0, nth: 0, last_at: None, called: false }
    }
}

/// What is known of money that came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Paid {
    /// The receipt; `None` when M-Pesa said only that it is paid, as a query does.
    pub receipt: Option<Receipt>,
    /// When it was paid as M-Pesa says, or else when we learned of it.
    pub paid_at: Timestamp,
    /// Who says so.
    pub by: Source,
    /// The payer's name, as far as it is shown.
    pub payer_name: Option<PersonName>,
    /// What the organisation's account held afterwards.
    pub balance: Option<Balance>,
}

/// Who said that a payment is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The callback of a prompt.
    Callback,
    /// M-Pesa, asked about a prompt.
    Query,
    /// The confirmation of a C2B payment.
    Confirmation,
    /// The list of payments that M-Pesa was asked for (spec/daraja.md §1.13).
    Pull,
    /// A named person.
    Person,
}

impl Source {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Query => "query",
            Self::Confirmation => "confirmation",
            Self::Pull => "pull",
            Self::Person => "person",
        }
    }
}

/// How a payment ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settled {
    /// When it became final here.
    pub at: Timestamp,
    /// M-Pesa's names for the prompt, if there was one and they are known.
    pub prompt: Option<Prompt>,
    /// The sends that had begun.
    pub tries: Tries,
}

/// Who delivered for a payment, so that nobody delivers twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Which application.
    pub app: AppId,
    /// What for, in its own words.
    pub purpose: String,
    /// When.
    pub at: Timestamp,
}

/// Why a payment failed (contract, part 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// Which message settled it.
    pub stage: Stage,
    /// M-Pesa's code, verbatim, or `not_sent`, or `ruled`.
    pub code: String,
    /// In words: M-Pesa's own, or the table's.
    pub description: String,
    /// Whether a new prompt with the same details makes sense.
    pub retryable: bool,
    /// Before when it makes no sense: the phone's lock, the two-minute rule (spec/daraja.md §3.1).
    pub retry_at: Option<Timestamp>,
}

/// What made a payment doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Doubt {
    /// Bytes left and no answer came.
    NoAnswer,
    /// The answer does not say whether the request was taken.
    Answer {
        /// Its code, if there was one.
        code: String,
    },
    /// The program stopped while it was sending.
    LeaseLapsed,
    /// The callback does not say whether it is paid.
    Result {
        /// Its code.
        code: String,
    },
    /// No callback came, and M-Pesa, asked again and again, did not say how it ended.
    Silence,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("bytes left and no answer came"),
            Self::Answer { code } if code.is_empty() => {
                f.write_str("the answer does not say whether M-Pesa took the request")
            }
            Self::Answer { code } => {
                write!(f, "the answer's code {code} does not say whether M-Pesa took the request")
            }
            Self::LeaseLapsed => f.write_str("the program stopped while it was sending"),
            Self::Result { code } => {
                write!(f, "the callback's code {code} does not say whether it is paid")
            }
            Self::Silence => {
                f.write_str("no callback came, and M-Pesa, asked, did not say how it ended")
            }
        }
    }
}

impl State {
    /// The contract's word for it.
    pub const fn status(&self) -> Status {
        match self {
            Self::Waiting { .. } | Self::Sending { .. } | Self::Prompted { .. } => Status::Pending,
            Self::Unknown { .. } => Status::Unknown,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
            Self::Joined { .. } => Status::Joined,
        }
    }

    /// Who sends it, while it is being sent.
    pub const fn lease(&self) -> Option<Lease> {
        match self {
            Self::Sending { lease, .. } => Some(*lease),
            Self::Waiting { .. }
            | Self::Prompted { .. }
            | Self::Unknown { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Joined { .. } => None,
        }
    }

    /// The sends so far.
    pub const fn tries(&self) -> Tries {
        match self {
            Self::Waiting { tries, .. }
            | Self::Sending { tries, .. }
            | Self::Prompted { tries, .. }
            | Self::Unknown { tries, .. } => *tries,
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => settled.tries,
            Self::Joined { .. } => Tries::NONE,
        }
    }

    /// M-Pesa's names for the prompt, once they are known.
    pub const fn prompt(&self) -> Option<&Prompt> {
        match self {
            Self::Prompted { prompt, .. } => Some(prompt),
            Self::Unknown { prompt, .. } => prompt.as_ref(),
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => {
                settled.prompt.as_ref()
            }
            Self::Waiting { .. } | Self::Sending { .. } | Self::Joined { .. } => None,
        }
    }

    /// What M-Pesa was asked, while it may be asked.
    pub const fn asking(&self) -> Option<&Asking> {
        match self {
            Self::Prompted { asking, .. } | Self::Unknown { asking, .. } => Some(asking),
            Self::Waiting { .. }
            | Self::Sending { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Joined { .. } => None,
        }
    }

    /// What is known of the money, once it is paid; not of a joined payment, whose receipt and
    /// money are another's.
    pub const fn paid(&self) -> Option<&Paid> {
        match self {
            Self::Succeeded { paid, .. } => Some(paid),
            Self::Waiting { .. }
            | Self::Sending { .. }
            | Self::Prompted { .. }
            | Self::Unknown { .. }
            | Self::Failed { .. }
            | Self::Joined { .. } => None,
        }
    }

    /// Why it failed.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::Waiting { .. }
            | Self::Sending { .. }
            | Self::Prompted { .. }
            | Self::Unknown { .. }
            | Self::Succeeded { .. }
            | Self::Joined { .. } => None,
        }
    }

    /// Who delivered for it.
    pub const fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Succeeded { claim, .. } => claim.as_ref(),
            Self::Waiting { .. }
            | Self::Sending { .. }
            | Self::Prompted { .. }
            | Self::Unknown { .. }
            | Self::Failed { .. }
            | Self::Joined { .. } => None,
        }
    }

    /// When the clock, and nothing else, moves it next.
    pub const fn wakes_at(&self) -> Option<Timestamp> {
        match self {
            Self::Waiting { not_before, .. } => Some(*not_before),
            Self::Sending { lease, .. } => Some(lease.until),
            Self::Prompted { asking, .. } | Self::Unknown { asking, .. } => asking.ask_at,
            Self::Succeeded { .. } | Self::Failed { .. } | Self::Joined { .. } => None,
        }
    }
}

impl Payment {
    /// A payment that is asked for by a prompt: on disk, nothing sent.
    pub const fn waiting(details: Details) -> Self {
        let created_at = details.created_at;
        // At once, and not "from then on": a clock that is set back must not hold it up.
        let state = State::Waiting { not_before: Timestamp::EPOCH, tries: Tries::NONE };
        Self { details, state, updated_at: created_at }
    }

    /// The contract's word for where it stands.
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// The contract's word for how it came about.
    pub const fn kind(&self) -> Kind {
        match self.details.origin {
            Origin::Stk { .. } => Kind::Stk,
            Origin::C2b { .. } => Kind::C2b,
        }
    }

    /// The payer's phone, where all of it is known.
    pub const fn phone(&self) -> Option<Msisdn> {
        match &self.details.origin {
            Origin::Stk { phone, .. } | Origin::C2b { phone: PayerPhone::Whole(phone), .. } => {
                Some(*phone)
            }
            Origin::C2b { .. } => None,
        }
    }

    /// The receipt, once it is known.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.state.paid().and_then(|paid| paid.receipt.as_ref())
    }

    /// M-Pesa's id of the prompt, once it is known.
    pub fn checkout(&self) -> Option<&CheckoutRequestId> {
        self.state.prompt().map(|prompt| &prompt.checkout)
    }

    /// When it was paid.
    pub fn paid_at(&self) -> Option<Timestamp> {
        self.state.paid().map(|paid| paid.paid_at)
    }

    /// The payment that counts in its place, if it was joined to one.
    pub const fn joined_to(&self) -> Option<PaymentId> {
        match &self.state {
            State::Joined { to, .. } => Some(*to),
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => None,
        }
    }

    /// Whether somebody delivered for it.
    pub const fn is_claimed(&self) -> bool {
        self.state.claim().is_some()
    }
}
