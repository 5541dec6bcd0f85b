//! What M-Pesa says of the money, or a person: callbacks, confirmations, rulings; and what is to
//! become of a C2B payment that is the same money.

use super::{Forbidden, Moment, Verdict, contradiction, described};
use crate::domain::account::Balance;
use crate::domain::id::{CheckoutRequestId, PaymentId, Receipt};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, StkClass};
use crate::domain::party::PersonName;
use crate::domain::payment::effect::{Effect, Notice};
use crate::domain::payment::event::{Confirmation, Holder, StkFacts};
use crate::domain::payment::join;
use crate::domain::payment::notice::PayerPhone;
use crate::domain::payment::state::{
    Doubt, Failure, Origin, Paid, Payment, Prompt, Settled, Source, State,
};
use crate::domain::payout::{CaseKind, Ruling, Stage};
use crate::domain::text::Occasion;
use crate::domain::time::Timestamp;

/// A word that money came in, wherever it came from.
pub(super) struct Evidence<'a> {
    receipt: Option<&'a Receipt>,
    amount: Option<Amount>,
    shortcode: Option<&'a str>,
    checkout: Option<&'a CheckoutRequestId>,
    prompt: Option<Prompt>,
    paid_at: Option<Timestamp>,
    payer_name: Option<&'a PersonName>,
    balance: Option<Balance>,
    by: Source,
    odd: Option<&'a str>,
    holder: &'a Holder,
}

impl<'a> Evidence<'a> {
    /// A word that says only that it is paid.
    const fn bare(by: Source, holder: &'a Holder) -> Self {
        Self {
            receipt: None,
            amount: None,
            shortcode: None,
            checkout: None,
            prompt: None,
            paid_at: None,
            payer_name: None,
            balance: None,
            by,
            odd: None,
            holder,
        }
    }

    /// A callback may lack the item that holds the receipt (spec/daraja.md §2.1): then, as with a
    /// query, a C2B payment may have it.
    fn from_callback(facts: &'a StkFacts, holder: &'a Holder) -> Self {
        let of_the_holder = match holder {
            Holder::C2b(joining) => Some(&joining.told.receipt),
            Holder::Nobody | Holder::Another => None,
        };
        Self {
            receipt: facts.receipt.as_ref().or(of_the_holder),
            amount: facts.amount,
            checkout: facts.checkout.as_ref(),
            prompt: prompt_of(facts),
            paid_at: facts.paid_at,
            balance: facts.balance,
            odd: facts.odd.as_deref(),
            ..Self::bare(Source::Callback, holder)
        }
        .with_what_the_holder_knows()
    }

    /// A query names no receipt (spec/daraja.md §1.3): if there is one, a C2B payment has it.
    pub(super) fn from_query(holder: &'a Holder) -> Self {
        let mut evidence = Self::bare(Source::Query, holder);
        if let Holder::C2b(joining) = holder {
            evidence.receipt = Some(&joining.told.receipt);
        }
        evidence.with_what_the_holder_knows()
    }

    fn from_confirmation(told: &'a Confirmation, holder: &'a Holder) -> Self {
        Self {
            receipt: Some(&told.receipt),
            amount: Some(told.amount),
            shortcode: Some(&told.shortcode),
            paid_at: told.paid_at,
            payer_name: told.payer_name.as_ref(),
            balance: told.balance,
            ..Self::bare(told.by, holder)
        }
    }

    fn from_ruling(receipt: &'a Receipt, holder: &'a Holder) -> Self {
        let receipt = Some(receipt);
        Self { receipt, ..Self::bare(Source::Person, holder) }.with_what_the_holder_knows()
    }

    fn with_what_the_holder_knows(mut self) -> Self {
        if let Holder::C2b(joining) = self.holder {
            self.paid_at = self.paid_at.or(joining.told.paid_at);
            self.payer_name = self.payer_name.or(joining.told.payer_name.as_ref());
            self.balance = self.balance.or(joining.told.balance);
        }
        self
    }

    /// What of it contradicts itself or speaks of other money than `payment`; no personal data in
    /// the words. The phone is not looked at: M-Pesa shows it as it likes (spec/daraja.md §0.7).
    fn mismatch(&self, payment: &Payment) -> Option<String> {
        if let Some(odd) = self.odd {
            return Some(odd.to_owned());
        }
        let asked = payment.details.amount;
        if let Some(amount) = self.amount.filter(|amount| *amount != asked) {
            return Some(format!("{amount} was paid where {asked} was asked for"));
        }
        if self.shortcode.is_some_and(|told| told != payment.details.shortcode) {
            return Some("it was paid to another short code".to_owned());
        }
        if is_another_prompt(payment, self.checkout) {
            return Some("the word is about another prompt".to_owned());
        }
        match self.holder {
            Holder::Nobody => None,
            Holder::Another => Some("its receipt is another payment's".to_owned()),
            Holder::C2b(joining) => {
                let fits = Some(&joining.told.receipt) == self.receipt
                    && joining.told.amount == asked
                    && joining.told.shortcode == payment.details.shortcode;
                (!fits).then(|| "a payment with its receipt is known, and differs".to_owned())
            }
        }
    }

    fn paid(&self, now: Timestamp) -> Paid {
        Paid {
            receipt: self.receipt.cloned(),
            paid_at: self.paid_at.unwrap_or(now),
            by: self.by,
            payer_name: self.payer_name.cloned(),
            balance: self.balance,
        }
    }
}

impl Moment<'_> {
    pub(super) fn callback_arrived(&self, facts: &StkFacts, holder: &Holder) -> Verdict {
        if matches!(self.payment.details.origin, Origin::C2b { .. }) {
            return contradiction(CaseKind::Mismatch, "the payment was never prompted for");
        }
        match facts.class() {
            StkClass::Paid => self.paid(&Evidence::from_callback(facts, holder)),
            _ if is_another_prompt(self.payment, facts.checkout.as_ref()) => {
                contradiction(CaseKind::Mismatch, "the callback is about another prompt")
            }
            StkClass::Failed => {
                let failure = self.turned_down(Stage::Result, &facts.code, &facts.description);
                self.not_paid(failure, prompt_of(facts))
            }
            StkClass::StillOpen | StkClass::Unknown => self.callback_open(facts),
        }
    }

    /// A callback that does not settle it.
    fn callback_open(&self, facts: &StkFacts) -> Verdict {
        let why = Doubt::Result { code: facts.code.clone() };
        match &self.payment.state {
            // Not sent, as far as is known, as after a restored back-up: it must not be sent now.
            State::Waiting { .. } => {
                let case = Effect::OpenCase(CaseKind::Contradiction);
                self.doubt(why, prompt_of(facts), vec![case])
            }
            State::Sending { .. } | State::Prompted { .. }
                if facts.class() == StkClass::Unknown =>
            {
                self.doubt(why, prompt_of(facts), vec![])
            }
            State::Unknown { .. } => self
                .learn(prompt_of(facts))
                .unwrap_or(Verdict::Noted("another word that settles nothing")),
            State::Sending { .. } | State::Prompted { .. } => {
                Verdict::Noted("M-Pesa says that the prompt is still open")
            }
            State::Succeeded { .. } | State::Failed { .. } => {
                Verdict::Noted("a word that settles nothing came after the end")
            }
            State::Joined { .. } => Verdict::Noted("it was joined to another payment"),
        }
    }

    /// What a code of M-Pesa's that says "not paid" makes of the payment.
    pub(super) fn turned_down(&self, stage: Stage, code: &str, description: &str) -> Failure {
        let meaning = outcome::stk(code);
        Failure {
            stage,
            code: code.to_owned(),
            description: described(description, meaning.says),
            retryable: meaning.is_retryable(),
            retry_at: meaning.retry_after.map(|pause| self.now.after(pause)),
        }
    }

    /// M-Pesa says that it is not paid: the payer, who saw the prompt, may be told.
    pub(super) fn not_paid(&self, failure: Failure, prompt: Option<Prompt>) -> Verdict {
        let text = Effect::Text(Occasion::PaymentFailed);
        match &self.payment.state {
            // Not sent, as far as is known: a person should know how that could be.
            State::Waiting { .. } => {
                let case = Effect::OpenCase(CaseKind::Contradiction);
                self.fail(failure, prompt, vec![case, text])
            }
            State::Sending { .. } | State::Prompted { .. } | State::Unknown { .. } => {
                self.fail(failure, prompt, vec![text])
            }
            State::Succeeded { .. } => {
                let says =
                    format!("it is paid, and a word with code {} says otherwise", failure.code);
                contradiction(CaseKind::Contradiction, says)
            }
            State::Failed { .. } => Verdict::Noted("M-Pesa says again that it is not paid"),
            State::Joined { .. } => Verdict::Noted("it was joined to another payment"),
        }
    }

    /// M-Pesa says that it is paid.
    pub(super) fn paid(&self, evidence: &Evidence<'_>) -> Verdict {
        if matches!(self.payment.state, State::Joined { .. }) {
            return Verdict::Noted("it was joined to another payment");
        }
        if let Some(what) = evidence.mismatch(self.payment) {
            return contradiction(CaseKind::Mismatch, what);
        }
        let case = vec![Effect::OpenCase(CaseKind::Contradiction)];
        match &self.payment.state {
            // Not sent, as far as is known: it must not be sent now, and a person should know how
            // that could be.
            State::Waiting { .. } => self.succeed(evidence, case),
            State::Sending { .. } | State::Prompted { .. } | State::Unknown { .. } => {
                self.succeed(evidence, vec![])
            }
            // A receipt is stronger than a failure (spec/daraja.md §3.1, the note below the table).
            State::Failed { .. } if evidence.receipt.is_some() => self.succeed(evidence, case),
            State::Failed { .. } => contradiction(
                CaseKind::Contradiction,
                "it had failed, and M-Pesa says that it is paid, without a receipt",
            ),
            State::Succeeded { paid, .. } => match (&paid.receipt, evidence.receipt) {
                (Some(known), Some(told)) if known != told => contradiction(
                    CaseKind::Contradiction,
                    "it is paid, and M-Pesa names another receipt for it",
                ),
                (_, None) => Verdict::Noted("M-Pesa says again that it is paid"),
                (_, Some(_)) => self.complete(evidence),
            },
            State::Joined { .. } => Verdict::Noted("it was joined to another payment"),
        }
    }

    fn succeed(&self, evidence: &Evidence<'_>, mut effects: Vec<Effect>) -> Verdict {
        let mut claim = None;
        let mut has_text = false;
        if let Holder::C2b(joining) = evidence.holder {
            effects.push(Effect::Join { from: joining.from });
            claim.clone_from(&joining.claim);
            // The payer was thanked when that payment came, if his phone could be read then.
            has_text = matches!(joining.told.phone, PayerPhone::Whole(_));
        }
        if !has_text {
            effects.push(Effect::Text(Occasion::PaymentReceived));
        }
        let settled = self.settled(evidence.prompt.clone());
        Verdict::Moved {
            state: State::Succeeded { paid: evidence.paid(self.now), settled, claim },
            notice: Notice::Received,
            effects,
        }
    }

    /// It is paid, and this word may fill in what is still missing.
    fn complete(&self, evidence: &Evidence<'_>) -> Verdict {
        let State::Succeeded { paid, settled, claim } = &self.payment.state else {
            return Verdict::Noted("it is not paid");
        };
        let told = evidence.paid(self.now);
        let is_new = paid.receipt.is_none();
        let mut next = Paid {
            receipt: paid.receipt.clone().or(told.receipt),
            payer_name: paid.payer_name.clone().or(told.payer_name),
            balance: paid.balance.or(told.balance),
            ..paid.clone()
        };
        let mut effects = vec![];
        let mut claim = claim.clone();
        if is_new {
            // Until now it was only known that it is paid; this word says when.
            next.paid_at = evidence.paid_at.unwrap_or(paid.paid_at);
            if let Holder::C2b(joining) = evidence.holder {
                if claim.is_some() && joining.claim.is_some() {
                    // Two have delivered, each for its half of the same money.
                    effects.push(Effect::OpenCase(CaseKind::Contradiction));
                }
                claim = claim.or_else(|| joining.claim.clone());
                effects.push(Effect::Join { from: joining.from });
            }
        }
        let prompt = settled.prompt.clone().or_else(|| evidence.prompt.clone());
        let state =
            State::Succeeded { paid: next, settled: Settled { prompt, ..settled.clone() }, claim };
        if state == self.payment.state {
            return Verdict::Noted("M-Pesa says again that it is paid");
        }
        Verdict::Moved { state, notice: Notice::Completed, effects }
    }

    /// The confirmation of a C2B payment with this receipt, or one that it adopts.
    pub(super) fn confirmed(&self, told: &Confirmation, holder: &Holder) -> Verdict {
        let State::Succeeded { paid, .. } = &self.payment.state else {
            return Verdict::Forbidden(Forbidden::NotItsConfirmation);
        };
        let is_its = match &paid.receipt {
            Some(receipt) => *receipt == told.receipt,
            None => join::adopts(self.payment, told),
        };
        if !is_its {
            return Verdict::Forbidden(Forbidden::NotItsConfirmation);
        }
        self.paid(&Evidence::from_confirmation(told, holder))
    }

    /// It turned out to be the money of an STK payment.
    pub(super) fn joined(&self, to: PaymentId) -> Verdict {
        match (&self.payment.state, &self.payment.details.origin) {
            (State::Succeeded { paid, .. }, Origin::C2b { .. })
                if to != self.payment.details.id =>
            {
                Verdict::Moved {
                    state: State::Joined { to, at: self.now, paid: paid.clone() },
                    notice: Notice::Joined,
                    effects: vec![],
                }
            }
            (
                State::Waiting { .. }
                | State::Sending { .. }
                | State::Prompted { .. }
                | State::Unknown { .. }
                | State::Succeeded { .. }
                | State::Failed { .. }
                | State::Joined { .. },
                Origin::Stk { .. } | Origin::C2b { .. },
            ) => Verdict::Forbidden(Forbidden::NotToBeJoined),
        }
    }

    /// A named person ruled on what no rule could settle.
    pub(super) fn ruled(&self, ruling: &Ruling, holder: &Holder) -> Verdict {
        let State::Unknown { .. } = &self.payment.state else {
            return Verdict::Forbidden(Forbidden::NotInDoubt);
        };
        match &ruling.receipt {
            Some(receipt) => {
                let evidence = Evidence::from_ruling(receipt, holder);
                if evidence.mismatch(self.payment).is_some() {
                    return Verdict::Forbidden(Forbidden::ReceiptOfAnother);
                }
                self.succeed(&evidence, vec![])
            }
            None => {
                let failure = Failure {
                    stage: Stage::Inquiry,
                    code: "ruled".to_owned(),
                    description: described(&ruling.reason, "ruled not to be paid"),
                    retryable: true,
                    retry_at: None,
                };
                self.fail(failure, None, vec![])
            }
        }
    }
}

fn prompt_of(facts: &StkFacts) -> Option<Prompt> {
    let merchant = facts.merchant.clone();
    facts.checkout.clone().map(|checkout| Prompt { merchant, checkout })
}

/// Whether `told` is the id of another prompt than the payment's.
fn is_another_prompt(payment: &Payment, told: Option<&CheckoutRequestId>) -> bool {
    match (payment.state.prompt(), told) {
        (Some(known), Some(told)) => known.checkout != *told,
        (None, _) | (_, None) => false,
    }
}
