//! A payout's life over `step` alone, and the words that come from M-Pesa.

use std::time::Duration;

use mlango::domain::id::{
    AppId, ConversationId, OriginatorConversationId, PayoutId, Receipt, RunId,
};
use mlango::domain::money::Amount;
use mlango::domain::payout::{
    AnswerFacts, CaseKind, Command, Details, Doubt, Effect, Event, Inquiry, InquiryAnswer,
    InquiryFacts, Lease, Payout, Policy, Question, Rail, ResultFacts, State, TransactionStatus,
    Tries, Verdict, WhyNoAnswer, law, step,
};
use mlango::domain::time::Timestamp;

/// When each of these lives begins.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_704_164_645_000);
pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);
/// "No such transaction", said to a question.
pub const NOT_FOUND: &str = "49";

/// A payout's life, one event after the other, and the cases that it opened.
#[derive(Clone, Debug)]
pub struct Life {
    pub payout: Payout,
    pub policy: Policy,
    pub now: Timestamp,
    pub cases: Vec<CaseKind>,
}

impl Life {
    /// Taken, and not sent yet.
    pub fn queued() -> Self {
        let id = PayoutId::from_bytes([1; 16]);
        let payout = Payout::queued(Details {
            id,
            app: AppId::from_bytes([2; 16]),
            amount: Amount::from_shillings(1_500),
            phone: "254722000111".parse().expect("a phone"),
            command: Command::BusinessPayment,
            reference: "INV-2041".to_owned(),
            remarks: "March commission".to_owned(),
            occasion: String::new(),
            metadata: [].into(),
            rail: Rail::Soap,
            batch: None,
            originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
            created_at: BEGIN,
        });
        Self { payout, policy: Policy::default(), now: BEGIN, cases: vec![] }
    }

    /// The request is on its way.
    pub fn sending() -> Self {
        let mut life = Self::queued();
        life.sends();
        life
    }

    /// The request went, and no answer came.
    pub fn in_doubt() -> Self {
        let mut life = Self::sending();
        life.loses_the_answer();
        life
    }

    /// In doubt for this reason, and the last question was put when the request could no longer
    /// arrive, also if the broker had held it.
    pub fn in_doubt_for(why: Doubt) -> Self {
        let mut life = Self::in_doubt();
        life.waits(DAY);
        life.asks();
        if let State::Unknown { why: kept, .. } = &mut life.payout.state {
            *kept = why;
        }
        life
    }

    pub fn happens(&mut self, event: &Event) -> Verdict {
        let verdict = step(&self.payout, event, &self.policy, self.now);
        if let Verdict::Moved { state, effects, .. } = &verdict {
            let after = Payout { state: state.clone(), ..self.payout.clone() };
            let kept = law::check(&self.payout, event, &after, effects);
            assert_eq!(kept, Ok(()), "{event:?} when {:?}", self.payout.state);
            self.payout = Payout { updated_at: self.now, ..after };
            self.cases.extend(effects.iter().filter_map(|effect| match effect {
                Effect::OpenCase(kind) => Some(*kind),
                _ => None,
            }));
        }
        verdict
    }

    /// It happens, and what it comes to, in a word.
    pub fn sees(&mut self, event: &Event) -> String {
        match self.happens(event) {
            Verdict::Moved { .. } => self.payout.status().to_string(),
            Verdict::Noted(_) => "noted".to_owned(),
            Verdict::Contradicted(_) => "case".to_owned(),
            Verdict::Stale => "stale".to_owned(),
            Verdict::Forbidden(why) => format!("{why:?}"),
        }
    }

    pub fn waits(&mut self, pause: Duration) {
        self.now = self.now.after(pause);
    }

    pub fn sends(&mut self) {
        let lease = Lease { owner: RunId::from_bytes([7; 16]), until: self.now.after(MINUTE) };
        assert_eq!(self.sees(&Event::SendStarted { lease }), "sending");
    }

    pub fn loses_the_answer(&mut self) {
        let attempt = self.payout.state.attempts();
        let lost = Event::NoAnswer { attempt, why: WhyNoAnswer::Timeout };
        assert_eq!(self.sees(&lost), "unknown");
    }

    /// Waits until the next question is due, and puts it.
    pub fn asks(&mut self) -> u32 {
        self.now = self.now.max(self.inquiry().ask_at);
        assert_eq!(self.sees(&Event::InquirySent), "unknown");
        self.last().nth
    }

    pub fn answered(&mut self, code: &str) -> String {
        let attempt = self.payout.state.attempts();
        self.sees(&Event::Answered { attempt, answer: answer(code) })
    }

    pub fn inquiry(&self) -> &Inquiry {
        match &self.payout.state {
            State::Unknown { inquiry, .. } => inquiry,
            other => panic!("it is not in doubt: {other:?}"),
        }
    }

    pub fn last(&self) -> Question {
        self.inquiry().last.expect("a question")
    }

    pub fn why(&self) -> &Doubt {
        match &self.payout.state {
            State::Unknown { why, .. } => why,
            other => panic!("it is not in doubt: {other:?}"),
        }
    }

    pub fn since(&self) -> Timestamp {
        match &self.payout.state {
            State::Unknown { since, .. } => *since,
            state => panic!("it is not in doubt: {state:?}"),
        }
    }

    pub fn arrives_until(&self) -> Timestamp {
        match &self.payout.state {
            State::Unknown { arrives_until, .. } => *arrives_until,
            other => panic!("it is not in doubt: {other:?}"),
        }
    }

    /// The number of the last question; 0 before the first, and when it is over.
    pub fn questions(&self) -> u32 {
        if self.payout.status().is_final() { 0 } else { self.tries().questions }
    }

    pub fn tries(&self) -> Tries {
        match &self.payout.state {
            State::Queued { tries, .. }
            | State::Sending { tries, .. }
            | State::Accepted { tries, .. }
            | State::Unknown { tries, .. } => *tries,
            other => panic!("it is over: {other:?}"),
        }
    }
}

pub fn answer(code: &str) -> AnswerFacts {
    AnswerFacts {
        code: code.to_owned(),
        description: "so it is".to_owned(),
        conversation: ConversationId::new("AG_20240102_1"),
    }
}

pub fn result(code: &str) -> Event {
    Event::ResultArrived(ResultFacts {
        code: code.to_owned(),
        description: "so it is".to_owned(),
        waiting: false,
        conversation: None,
        receipt: (code == "0").then(|| receipt("QK1")),
        amount: None,
        payee: None,
        recipient_name: None,
        charge: None,
        completed_at: None,
        odd: None,
    })
}

/// A result that says paid, but this amount.
pub fn paid(shillings: u64) -> Event {
    match result("0") {
        Event::ResultArrived(facts) => Event::ResultArrived(ResultFacts {
            amount: Some(Amount::from_shillings(shillings)),
            ..facts
        }),
        other => other,
    }
}

/// The result of question `nth` with the query's own code.
pub fn told(nth: impl Into<Option<u32>>, code: &str) -> Event {
    Event::InquiryAnswered(InquiryAnswer {
        nth: nth.into(),
        code: code.to_owned(),
        description: "so it is".to_owned(),
        waiting: false,
        payment: None,
    })
}

/// The result of question `nth`: the payment was looked up, and this is where it stands.
pub fn stands(
    nth: u32,
    status: TransactionStatus,
    shillings: u64,
    originator: Option<&str>,
) -> Event {
    Event::InquiryAnswered(InquiryAnswer {
        nth: Some(nth),
        code: "0".to_owned(),
        description: "so it is".to_owned(),
        waiting: false,
        payment: Some(InquiryFacts {
            status,
            receipt: Some(receipt("QK1")),
            amount: Some(Amount::from_shillings(shillings)),
            payee: None,
            recipient_name: None,
            originator: originator.map(str::to_owned),
            conversation: None,
            completed_at: None,
            odd: None,
        }),
    })
}

pub fn receipt(text: &str) -> Receipt {
    Receipt::new(text).expect("a receipt")
}
