//! What a case is: what M-Pesa does with one payment, and what follows for whoever asked for it.

use std::time::Duration;

use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::sim::plan::Plan;
use crate::sim::script::{Act, Answer, Behaviour};

/// How slow what is slow is: by what a case's late answers, late results and queues are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How late what is late is.
    pub late: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { late: Duration::from_secs(3) }
    }
}

/// What cases have in common; a report shows them by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// As it should go.
    Ordinary,
    /// Refused, or taken and failed.
    Failure,
    /// Nobody says whether the request was taken.
    LostAnswer,
    /// The same is said twice, or in another order.
    Duplicate,
    /// What is said comes late.
    Late,
    /// One message says another thing than the next, or cannot be read.
    Contradiction,
    /// M-Pesa holds the request for a while.
    Queue,
    /// M-Pesa is too busy for now.
    Throttle,
    /// The question what became of a payment goes wrong too.
    Question,
}

impl Group {
    /// As a report names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Failure => "failures",
            Self::LostAnswer => "lost answers",
            Self::Duplicate => "duplicates and order",
            Self::Late => "late",
            Self::Contradiction => "contradictions",
            Self::Queue => "queues",
            Self::Throttle => "throttling",
            Self::Question => "questions",
        }
    }
}

/// What M-Pesa's ledger should show at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// Paid, once.
    Paid,
    /// Not paid.
    NotPaid,
    /// Paid once by whoever tries again as one should, else not at all.
    Either,
}

impl Money {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid once",
            Self::NotPaid => "not paid",
            Self::Either => "paid once or not at all",
        }
    }
}

/// How the fate of the payment can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// M-Pesa says it unasked.
    Told,
    /// M-Pesa says it when it is asked.
    Asked,
    /// Nobody says it while the case lasts.
    Open,
}

impl Evidence {
    /// What the books should say; `None`: whichever is true.
    const fn books(self, money: Money) -> Option<&'static str> {
        match (self, money) {
            (Self::Open, _) => Some("pending"),
            (Self::Told | Self::Asked, Money::Paid) => Some("paid"),
            (Self::Told | Self::Asked, Money::NotPaid) => Some("not_paid"),
            (Self::Told | Self::Asked, Money::Either) => None,
        }
    }
}

/// A fault of Daraja's that the case lays down: what, and for how many requests
/// ([`crate::sim::daraja::faults`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// For how many requests.
    pub times: u32,
    /// Whether it leaves open what was done.
    pub doubt: bool,
}

/// What becomes of a request to the gateway's API on its way there or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// It arrives, and so does the answer.
    Good,
    /// It arrives, and the answer comes late.
    Late(Duration),
    /// It arrives, and no answer comes.
    NoAnswer,
    /// It arrives, and the connection drops.
    Dropped,
    /// It arrives, and half of the answer comes.
    Cut,
    /// It arrives, and this status comes in place of the answer, with a page.
    Page(u16),
    /// It does not arrive, and the connection drops.
    Lost,
    /// It does not arrive, and this status comes, with a problem of this code.
    Refused(u16, &'static str),
}

impl Trip {
    /// Whether it leaves open whether the request arrived.
    pub const fn leaves_doubt(self) -> bool {
        match self {
            Self::NoAnswer | Self::Dropped | Self::Cut | Self::Page(_) | Self::Lost => true,
            Self::Good | Self::Late(_) | Self::Refused(..) => false,
        }
    }
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it has in common with others.
    pub group: Group,
    /// What M-Pesa does.
    pub story: &'static str,
    /// What a right system does, and why it matters.
    pub why: &'static str,
    /// Which section of the interface's description it rests on.
    pub source: &'static str,
    /// What becomes of what is done about its phone.
    pub plan: Plan,
    /// Faults of Daraja's, for payouts to its phone.
    pub faults: Vec<Fault>,
    /// What becomes of the first, the second … request to the gateway to pay; further ones arrive.
    pub trips: Vec<Trip>,
    /// The same of requests that look at the payout.
    pub looks: Vec<Trip>,
    /// What the ledger should show.
    pub money: Money,
    /// How that can be known.
    pub evidence: Evidence,
}

impl Case {
    /// A case that goes as it should.
    pub fn new(name: &'static str, group: Group, story: &'static str) -> Self {
        Self {
            name,
            group,
            story,
            why: "",
            source: "",
            plan: Plan::default(),
            faults: Vec::new(),
            trips: Vec::new(),
            looks: Vec::new(),
            money: Money::Paid,
            evidence: Evidence::Told,
        }
    }

    /// What a right system does, and the section that it rests on.
    #[must_use]
    pub fn because(mut self, why: &'static str, source: &'static str) -> Self {
        (self.why, self.source) = (why, source);
        self
    }

    /// What becomes of the first payment; further ones go as they should.
    #[must_use]
    pub fn first(self, behaviour: Behaviour) -> Self {
        self.each(1, &behaviour)
    }

    /// What becomes of each of the first `times` payments.
    #[must_use]
    pub fn each(mut self, times: usize, behaviour: &Behaviour) -> Self {
        self.plan.payments = std::iter::repeat_n(behaviour.clone(), times).collect();
        self
    }

    /// What becomes of each of the first `times` questions about the first payment.
    #[must_use]
    pub fn questions(mut self, times: usize, behaviour: &Behaviour) -> Self {
        self.plan.questions = vec![behaviour.clone(); times];
        self
    }

    /// A fault of Daraja's, for so many payouts.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// What becomes of the first requests to the gateway to pay.
    #[must_use]
    pub fn on_the_way(mut self, trips: &[Trip]) -> Self {
        self.trips = trips.to_vec();
        self
    }

    /// What becomes of the first requests that look at the payout.
    #[must_use]
    pub fn looking(mut self, trips: &[Trip]) -> Self {
        self.looks = trips.to_vec();
        self
    }

    /// What the ledger should show, and how that can be known.
    #[must_use]
    pub const fn ends(mut self, money: Money, evidence: Evidence) -> Self {
        (self.money, self.evidence) = (money, evidence);
        self
    }

    /// Whether nobody who only has the answer to the first request knows if it was taken, so that
    /// it may not be sent again under another id.
    pub fn leaves_doubt(&self) -> bool {
        let by_fault = self.faults.iter().any(|fault| fault.doubt)
            || self.trips.iter().any(|trip| trip.leaves_doubt());
        by_fault || self.plan.payments.front().is_some_and(is_doubtful)
    }

    /// What is expected, in one line.
    pub fn expected(&self) -> String {
        let money = self.money.as_str();
        match self.evidence.books(self.money) {
            Some(books) => format!("{money} in M-Pesa's ledger, {books} in the books"),
            None => format!("{money} in M-Pesa's ledger, and the books say which"),
        }
    }
}

fn is_doubtful(behaviour: &Behaviour) -> bool {
    let unanswered = !matches!(behaviour.answer, Answer::Now | Answer::After(_));
    let held = matches!(behaviour.act, Act::Cache { .. });
    let refused = matches!(behaviour.act, Act::Refuse(_));
    held || (unanswered && !refused)
}

/// A case as it is put to the customer's system: a payment of its own.
#[derive(Clone, Debug)]
pub struct Task {
    /// The case.
    pub case: Case,
    /// The customer's name for the payment.
    pub reference: String,
    /// Who is to be paid: nobody else's phone in this run.
    pub phone: Msisdn,
    /// How much: nobody else's amount in this run.
    pub amount: Amount,
}

/// The first phone of a run, and the first amount in shillings. None of the phones ends in one of
/// the numbers that choose an outcome by themselves (contract, part 4).
const PHONES_FROM: u64 = 254_709_001_000;
const SHILLINGS_FROM: u64 = 100;

/// Each case with a payment of its own; `run` begins every reference, so that two runs against one
/// system have nothing in common.
pub fn tasks(cases: Vec<Case>, run: &str) -> Vec<Task> {
    let task = |(case, number): (Case, u64)| {
        Some(Task {
            reference: format!("CERT-{run}-{number:02}"),
            phone: Msisdn::from_number(PHONES_FROM.saturating_add(number))?,
            amount: Amount::from_shillings(SHILLINGS_FROM.saturating_add(number)),
            case,
        })
    };
    cases.into_iter().zip(1..).filter_map(task).collect()
}
