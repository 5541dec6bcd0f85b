//! A book of payments kept as the engine keeps it, over the pure functions alone; and the words
//! that come from M-Pesa.

use std::collections::BTreeMap;
use std::time::Duration;

use mlango::domain::account::Balance;
use mlango::domain::id::{AppId, CheckoutRequestId, MerchantRequestId, PaymentId, Receipt, RunId};
use mlango::domain::money::Amount;
use mlango::domain::party::PersonName;
use mlango::domain::payment::{
    AnswerFacts, Birth, C2bNotice, Claim, Claiming, Confirmation, Details, Effect, Event, Holder,
    NoticeKind, Origin, Payer, PayerPhone, Payment, Policy, QueryFacts, Source, State, Status,
    StkFacts, Verdict, adopts, claim, from_notice, holder, joining, law, step, would_adopt,
};
use mlango::domain::payout::{CaseKind, Lease, Ruling, WhyNoAnswer, WhyNothingSent};
use mlango::domain::time::Timestamp;

/// When each of these books begins.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_704_164_645_000);
pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const DAY: Duration = Duration::from_secs(86_400);
/// The payer of prompts.
pub const PHONE: &str = "254700000001";
/// The receipt of the prompt's payment.
pub const RECEIPT: &str = "UJ34AA00ZZ";

/// Every payment, the time, and what was to be done about the steps.
#[derive(Clone, Debug)]
pub struct Book {
    pub payments: BTreeMap<PaymentId, Payment>,
    pub policy: Policy,
    pub now: Timestamp,
    pub effects: Vec<Effect>,
    made: u8,
}

impl Book {
    /// A book with one prompt that waits to be sent.
    pub fn with_a_prompt() -> (Self, PaymentId) {
        let mut book = Self {
            payments: BTreeMap::new(),
            policy: Policy::default(),
            now: BEGIN,
            effects: vec![],
            made: 0,
        };
        let id = book.prompt(1_500);
        (book, id)
    }

    /// Another one, for this much.
    pub fn prompt(&mut self, shillings: u64) -> PaymentId {
        let id = self.next_id();
        let payment = Payment::waiting(Details {
            id,
            app: Some(app(1)),
            origin: Origin::Stk {
                phone: PHONE.parse().expect("a phone"),
                description: String::new(),
            },
            amount: Amount::from_shillings(shillings),
            shortcode: "174379".to_owned(),
            reference: "ORDER001".to_owned(),
            account: "ORDER001".to_owned(),
            created_at: self.now,
        });
        self.payments.insert(id, payment);
        id
    }

    fn next_id(&mut self) -> PaymentId {
        self.made += 1;
        PaymentId::from_bytes([self.made; 16])
    }

    pub fn get(&self, id: PaymentId) -> &Payment {
        self.payments.get(&id).expect("a payment")
    }

    pub fn status(&self, id: PaymentId) -> Status {
        self.get(id).status()
    }

    pub fn waits(&mut self, pause: Duration) {
        self.now = self.now.after(pause);
    }

    /// One step, checked against the laws and committed with the join that it asks for.
    pub fn happens(&mut self, id: PaymentId, event: &Event) -> Verdict {
        let before = self.get(id).clone();
        let verdict = step(&before, event, &self.policy, self.now);
        if let Verdict::Moved { state, effects, .. } = &verdict {
            let after = Payment { state: state.clone(), updated_at: self.now, ..before.clone() };
            let held = law::check(&before, event, &after, effects);
            assert_eq!(held, Ok(()), "{event:?} when {:?}", before.state);
            self.payments.insert(id, after);
            for effect in effects {
                if let Effect::Join { from } = effect {
                    let verdict = self.happens(*from, &Event::Joined { to: id });
                    assert!(matches!(verdict, Verdict::Moved { .. }), "{verdict:?}");
                }
            }
            self.effects.extend(effects.iter().cloned());
        }
        verdict
    }

    // ------------------------------------------------------------------------------- of a prompt

    pub fn sends(&mut self, id: PaymentId) -> Verdict {
        let until = self.now.after(Duration::from_secs(40));
        let lease = Lease { owner: RunId::from_bytes([7; 16]), until };
        self.happens(id, &Event::SendStarted { lease })
    }

    pub fn is_answered(&mut self, id: PaymentId, code: &str) -> Verdict {
        let attempt = self.get(id).state.tries().attempts;
        let answer = AnswerFacts {
            code: code.to_owned(),
            description: String::new(),
            merchant: MerchantRequestId::new("91ab-1"),
            checkout: (code == "0").then(|| checkout(id)),
        };
        self.happens(id, &Event::Answered { attempt, answer })
    }

    pub fn loses_the_answer(&mut self, id: PaymentId) -> Verdict {
        let attempt = self.get(id).state.tries().attempts;
        self.happens(id, &Event::NoAnswer { attempt, why: WhyNoAnswer::Timeout })
    }

    pub fn sends_nothing(&mut self, id: PaymentId) -> Verdict {
        let attempt = self.get(id).state.tries().attempts;
        self.happens(id, &Event::NothingSent { attempt, why: WhyNothingSent::Connect })
    }

    pub fn prompts(&mut self, id: PaymentId) {
        self.sends(id);
        self.is_answered(id, "0");
    }

    pub fn hears(&mut self, id: PaymentId, facts: StkFacts) -> Verdict {
        let holder = self.holder_of(id, facts.receipt.as_ref());
        self.happens(id, &Event::CallbackArrived { facts, holder })
    }

    pub fn asks(&mut self, id: PaymentId) -> Verdict {
        self.happens(id, &Event::QuerySent)
    }

    pub fn is_told(&mut self, id: PaymentId, code: &str, result: Option<&str>) -> Verdict {
        let nth = self.get(id).state.asking().map_or(0, |asking| asking.nth);
        let facts = QueryFacts {
            code: code.to_owned(),
            result: result.map(str::to_owned),
            description: String::new(),
            checkout: Some(checkout(id)),
        };
        // The answer names no receipt: a C2B payment that fits may be this money.
        let holder = self
            .payments
            .values()
            .filter(|_| result == Some("0"))
            .find_map(|found| {
                let joining = joining(self.get(id), found)?;
                would_adopt(self.get(id), &joining.told, self.now).then_some(joining)
            })
            .map_or(Holder::Nobody, |joining| Holder::C2b(Box::new(joining)));
        self.happens(id, &Event::QueryAnswered { nth, facts, holder })
    }

    pub fn rules(&mut self, id: PaymentId, receipt: Option<&str>) -> Verdict {
        let receipt = receipt.and_then(Receipt::new);
        let holder = self.holder_of(id, receipt.as_ref());
        let ruling = Ruling { by: "Wanjiru".to_owned(), receipt, reason: "seen".to_owned() };
        self.happens(id, &Event::Ruled { ruling, holder })
    }

    // --------------------------------------------------------------------------------- of a C2B

    /// A confirmation, stored as the engine does: on the payment that has its receipt, or that
    /// adopts it, or as a new one.
    pub fn is_confirmed(&mut self, notice: &C2bNotice) -> PaymentId {
        let told = Confirmation::of(notice, Source::Confirmation);
        let known = self.by_receipt(&notice.receipt);
        let adopting = || self.payments.values().find(|stk| adopts(stk, &told));
        if let Some(id) = known.or_else(adopting).map(|found| found.details.id) {
            self.happens(id, &Event::Confirmed { told, holder: Holder::Nobody });
            return id;
        }
        let id = self.next_id();
        let birth = Birth { id, app: None, reference: None, by: Source::Confirmation };
        let born = from_notice(notice, birth, self.now);
        self.effects.extend(born.effects);
        self.payments.insert(id, born.payment);
        id
    }

    pub fn claims(&mut self, id: PaymentId, by: u8, purpose: &str) -> Claiming {
        let wanted = Claim { app: app(by), purpose: purpose.to_owned(), at: self.now };
        let before = self.get(id).clone();
        let claiming = claim(&before, wanted.clone());
        if let Claiming::Now(state) = &claiming {
            let after = Payment { state: state.clone(), ..before.clone() };
            assert_eq!(law::check_claim(&before, &wanted, &after), Ok(()));
            self.payments.insert(id, after);
        }
        claiming
    }

    // --------------------------------------------------------------------------------- looking

    pub fn by_receipt(&self, receipt: &Receipt) -> Option<&Payment> {
        self.payments.values().find(|payment| payment.receipt() == Some(receipt))
    }

    fn holder_of(&self, id: PaymentId, receipt: Option<&Receipt>) -> Holder {
        receipt.map_or(Holder::Nobody, |receipt| {
            holder(self.get(id), receipt, self.by_receipt(receipt))
        })
    }

    /// The payments that count as money.
    pub fn paid(&self) -> Vec<&Payment> {
        self.payments.values().filter(|it| it.status() == Status::Succeeded).collect()
    }

    pub fn texts(&self) -> usize {
        self.effects.iter().filter(|effect| matches!(effect, Effect::Text(_))).count()
    }

    pub fn cases(&self) -> Vec<CaseKind> {
        let case = |effect: &Effect| match effect {
            Effect::OpenCase(kind) => Some(*kind),
            _ => None,
        };
        self.effects.iter().filter_map(case).collect()
    }

    pub fn wakes_in(&self, id: PaymentId) -> Option<Duration> {
        self.get(id).state.wakes_at().map(|at| at.since(self.now))
    }
}

pub fn app(nth: u8) -> AppId {
    AppId::from_bytes([nth; 16])
}

/// M-Pesa's id of the prompt for this payment.
pub fn checkout(id: PaymentId) -> CheckoutRequestId {
    CheckoutRequestId::new(&format!("ws_CO_{}", id.bytes()[0])).expect("an id")
}

/// The callback that says that it is paid.
pub fn paid(id: PaymentId, shillings: u64, at: Timestamp) -> StkFacts {
    StkFacts {
        code: "0".to_owned(),
        description: String::new(),
        merchant: None,
        checkout: Some(checkout(id)),
        receipt: Receipt::new(RECEIPT),
        amount: Some(Amount::from_shillings(shillings)),
        paid_at: Some(at),
        balance: None,
        odd: None,
    }
}

/// The callback with this code, and nothing else.
pub fn called_back(id: PaymentId, code: &str) -> StkFacts {
    StkFacts {
        code: code.to_owned(),
        receipt: None,
        amount: None,
        paid_at: None,
        ..paid(id, 0, BEGIN)
    }
}

/// The confirmation of a C2B payment.
pub fn notice(receipt: &str, shillings: u64, at: Timestamp) -> C2bNotice {
    C2bNotice {
        kind: NoticeKind::PayBill,
        receipt: Receipt::new(receipt).expect("a receipt"),
        time: Some(at),
        amount: Amount::from_shillings(shillings),
        shortcode: "174379".to_owned(),
        account: "ORDER001".to_owned(),
        invoice: None,
        balance: Some(Balance::from_cents(500_000)),
        third_party_id: None,
        payer: Payer {
            phone: PayerPhone::read("2547*****001"),
            first_name: PersonName::new("AMINA"),
            ..Payer::default()
        },
        odd: None,
    }
}

/// The state that a verdict moves to.
pub fn moved(verdict: Verdict) -> State {
    match verdict {
        Verdict::Moved { state, .. } => state,
        other => panic!("it should move: {other:?}"),
    }
}
