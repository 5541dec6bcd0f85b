//! Payments that come by themselves: whether they are to be taken, and that they were made.

use std::time::Duration;

use super::life::LOOKED_AT_MAX;
use crate::domain::id::{AppId, PaymentId};
use crate::domain::payment::validation::{self, Answer, Expected, Refusal};
use crate::domain::payment::{
    self, Birth, Born, C2bNotice, Confirmation, Effect, Event, Payment, Source, adopts, from_notice,
};
use crate::domain::payout::CaseKind;
use crate::domain::time::Timestamp;
use crate::engine::audit::{Act, Actor};
use crate::engine::lives::{Also, Came};
use crate::engine::{Engine, Hearing, Incoming, NotApplied, NotKept};
use crate::store::{Commit, CommitError, Life, LifeWrite, Message, PaymentQuery, StoreError};

/// How often a confirmation is decided on anew because another one came meanwhile.
const TRIES_MAX: u32 = 16;
/// The least time that is left for the rules, when nobody answers.
const RULES_WITHIN: Duration = Duration::from_millis(200);

/// What a validation is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The answer.
    pub answer: Answer,
    /// Who decided: `rules`, `application`, or `default` when nobody answered in time.
    pub by: &'static str,
}

impl Engine {
    /// Whether a C2B payment is to be taken, answered well within M-Pesa's eight seconds whatever
    /// else happens: the rules first, then the application that asked to be asked.
    ///
    /// It is kept as evidence when there is time for it; it moves no money.
    pub async fn validate(
        &self,
        incoming: Incoming,
        notice: Result<C2bNotice, String>,
    ) -> Validated {
        let limit = self.settings.till.validation_timeout;
        let mut ruled = None;
        let decided =
            tokio::time::timeout(limit, self.decide_validation(&notice, &mut ruled)).await;
        let validated = decided.unwrap_or_else(|_late| {
            tracing::warn!("a validation took too long and is answered by the rules alone");
            let answer = ruled.unwrap_or_else(|| self.by_rules(&notice, None));
            Validated { answer, by: "default" }
        });
        let mut message = self.came_in(incoming);
        message.about = None;
        let commit = Commit { messages: vec![message], ..Commit::default() };
        // Never waited for long: the payer stands at the counter.
        if tokio::time::timeout(RULES_WITHIN, self.commit(commit)).await.is_err() {
            tracing::warn!("a validation was answered before it was kept");
        }
        validated
    }

    /// What is answered; `ruled` is what the rules say, once that is known.
    async fn decide_validation(
        &self,
        notice: &Result<C2bNotice, String>,
        ruled: &mut Option<Answer>,
    ) -> Validated {
        let expected = match notice {
            Ok(notice) => match self.parts.store.expected(&notice.account).await {
                Ok(expected) => expected,
                Err(error) => {
                    tracing::error!(%error, "expected references cannot be read");
                    None
                }
            },
            Err(_) => None,
        };
        let by_rules = self.by_rules(notice, expected.as_ref());
        *ruled = Some(by_rules.clone());
        let (Answer::Accept { .. }, Ok(notice)) = (&by_rules, notice) else {
            return Validated { answer: by_rules, by: "rules" };
        };
        let Some(validators) = &self.parts.validators else {
            return Validated { answer: by_rules, by: "rules" };
        };
        match validators.ask(notice).await {
            // An id that is expected with the reference comes back with a plain yes, too.
            Some(Answer::Accept { third_party_id: None }) => {
                Validated { answer: by_rules, by: "application" }
            }
            Some(answer) => Validated { answer, by: "application" },
            None => Validated { answer: by_rules, by: "rules" },
        }
    }

    fn by_rules(&self, notice: &Result<C2bNotice, String>, expected: Option<&Expected>) -> Answer {
        match notice {
            Ok(notice) => {
                let now = self.parts.clock.now();
                validation::validate(&self.settings.till.rules, notice, expected, now)
            }
            Err(why) => {
                tracing::warn!(why, "a validation cannot be read and is refused");
                Answer::Reject(Refusal::Other)
            }
        }
    }

    /// Keeps a confirmation and applies it: once per receipt, however often it comes. When this
    /// returns, it is on the disk.
    ///
    /// # Errors
    /// [`NotKept`]: nothing was stored, or nobody knows; do not acknowledge.
    pub async fn hear_c2b(
        &self,
        incoming: Incoming,
        notice: Result<C2bNotice, String>,
        by: Source,
    ) -> Result<Hearing, NotKept> {
        let mut message = self.came_in(incoming);
        let notice = match notice {
            Ok(notice) => notice,
            Err(why) => {
                return self.keep(message, CaseKind::Malformed, why, Hearing::Malformed).await;
            }
        };
        let told = Confirmation::of(&notice, by);
        for _ in 0..TRIES_MAX {
            // From here until it is on the disk no prompt turns out to be its money.
            let crossing = self.crossing.read().await;
            let known = self.confirmed_payment(&told).await.map_err(not_kept)?;
            if let Some(id) = known {
                message.about = Some(id.into());
                if let Some(hearing) = self.confirm(id, &told, &message).await? {
                    return Ok(hearing);
                }
            } else if self.is_foreign(&notice, by) {
                let why = "a payment to a number that is not among c2b.shortcodes".to_owned();
                return self.keep(message, CaseKind::Mismatch, why, Hearing::Contradicted).await;
            } else if let Some(hearing) = self.give_birth(&notice, by, &mut message).await? {
                drop(crossing);
                self.join_to_a_prompt(&told).await;
                return Ok(hearing);
            }
            // Another one came first: with its receipt, or to the prompt that was to adopt it.
        }
        Err(NotKept("too many writes about one receipt".to_owned()))
    }

    /// Whether somebody tells of a payment that was not made to us: it pays nothing. What was
    /// pulled is ours, for we asked M-Pesa for it.
    fn is_foreign(&self, notice: &C2bNotice, by: Source) -> bool {
        by != Source::Pull && !self.settings.till.rules.is_ours(&notice.shortcode)
    }

    /// The payment that a confirmation is of: the one with its receipt, or the prompt that adopts
    /// it.
    async fn confirmed_payment(
        &self,
        told: &Confirmation,
    ) -> Result<Option<PaymentId>, StoreError> {
        if let Some(id) = self.parts.store.payment_by_receipt(&told.receipt).await? {
            return Ok(Some(id));
        }
        self.adopter_of(told).await
    }

    /// The prompt that is paid without a receipt, and whose money this is.
    async fn adopter_of(&self, told: &Confirmation) -> Result<Option<PaymentId>, StoreError> {
        if told.account.is_empty() {
            return Ok(None);
        }
        let query = PaymentQuery {
            account: Some(told.account.clone()),
            kind: Some(payment::Kind::Stk),
            status: Some(payment::Status::Succeeded),
            descending: true,
            ..PaymentQuery::all(LOOKED_AT_MAX)
        };
        let page = self.parts.store.payments(&query).await?;
        let adopter = page.rows.iter().rfind(|kept| adopts(&kept.value, told));
        Ok(adopter.map(|kept| kept.value.details.id))
    }

    /// Where M-Pesa hung up while a word of its was on its way to the disk, the next was not kept
    /// from crossing it: a prompt may have turned out to be paid while its confirmation was made a
    /// payment of its own. That one is on the disk: what fails here fails nobody.
    async fn join_to_a_prompt(&self, told: &Confirmation) {
        match self.adopter_of(told).await {
            Ok(Some(id)) => self.join_if_it_crossed(id).await,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "it could not be looked for whether a prompt is the same \
                    money");
            }
        }
    }

    /// `None`, and nothing was written, when it is not that payment's confirmation any more.
    async fn confirm(
        &self,
        id: PaymentId,
        told: &Confirmation,
        message: &Message,
    ) -> Result<Option<Hearing>, NotKept> {
        let event = Event::Confirmed { told: told.clone(), holder: Default::default() };
        match self.apply_life::<Payment>(id, &event, std::slice::from_ref(message)).await {
            Ok(Came::Moved { .. }) => Ok(Some(Hearing::Applied)),
            Ok(Came::Noted | Came::Stale) => Ok(Some(Hearing::Noted)),
            Ok(Came::Contradicted) => Ok(Some(Hearing::Contradicted)),
            Ok(Came::Forbidden(_)) => Ok(None),
            Err(error) => Err(NotKept(error.to_string())),
        }
    }

    /// A new payment. `None` when its receipt was taken meanwhile.
    async fn give_birth(
        &self,
        notice: &C2bNotice,
        by: Source,
        message: &mut Message,
    ) -> Result<Option<Hearing>, NotKept> {
        let expected = self.parts.store.expected(&notice.account).await.map_err(not_kept)?;
        let now = self.parts.clock.now();
        let id = PaymentId::from_bytes(self.parts.ids.fresh(now));
        let birth = Birth {
            id,
            app: self.owner_of(notice, expected.as_ref()),
            reference: expected.as_ref().map(|it| it.reference.clone()),
            by,
        };
        let mut born = from_notice(notice, birth, id.made_at());
        born.payment.updated_at = now.max(born.payment.updated_at);
        message.about = Some(id.into());
        let mut texts = true;
        loop {
            let account = expected.as_ref().map(|it| it.reference.clone());
            let (commit, also) = self.birth_of(&born, account, message, (texts, now));
            match self.commit(commit).await {
                Ok(_durable) => {
                    tracing::info!(payment = %id, "money came in");
                    for text in also.texts {
                        self.offer(text.into());
                    }
                    return Ok(Some(Hearing::Applied));
                }
                Err(CommitError::Taken(_, crate::domain::subject::Subject::Text(_))) if texts => {
                    texts = false;
                }
                Err(CommitError::Taken(..)) => return Ok(None),
                Err(error) => return Err(NotKept(error.to_string())),
            }
        }
    }

    fn birth_of(
        &self,
        born: &Born,
        expected: Option<String>,
        message: &Message,
        (texts, now): (bool, Timestamp),
    ) -> (Commit, Also) {
        let mut also = Also::default();
        let mut cases = Vec::new();
        let messages = std::slice::from_ref(message);
        let about = (message.about, born.payment.details.app);
        for effect in &born.effects {
            match effect {
                Effect::Text(occasion) if texts => {
                    self.tell_payer(&born.payment, *occasion, &mut also, now);
                }
                Effect::OpenCase(kind) => {
                    let says = "the confirmation does not fit together".to_owned();
                    cases.push(self.case_of(about, *kind, says, (messages, now)));
                }
                Effect::Text(_)
                | Effect::Transmit { .. }
                | Effect::WakeAt(_)
                | Effect::Ask { .. }
                | Effect::Join { .. }
                | Effect::StopRail { .. }
                | Effect::SlowRail { .. } => {}
            }
        }
        let life = Life::Payment(born.payment.clone());
        let said = ("money came in".to_owned(), None);
        let mut events = vec![self.event_of(&life, born.notice.as_str(), said, (messages, now))];
        events.append(&mut also.events);
        let mut lives = vec![LifeWrite { life, expected_version: 0 }];
        lives.append(&mut also.lives);
        let commit = Commit {
            lives,
            events,
            cases,
            messages: vec![message.clone()],
            paid_accounts: expected.into_iter().collect(),
            ..Commit::default()
        };
        (commit, also)
    }

    /// Whose a C2B payment is: his who expects it, or as the routes say.
    fn owner_of(&self, notice: &C2bNotice, expected: Option<&Expected>) -> Option<AppId> {
        expected.and_then(|it| it.app).or_else(|| {
            let routes = &self.settings.till.routes;
            let route = routes.iter().find(|route| route.accounts.fits(&notice.account));
            route.map(|route| route.app)
        })
    }

    /// References that somebody is expected to pay: new, or changed. All are on the disk when this
    /// returns, with the record of whose act it was.
    ///
    /// # Errors
    /// The store took none of them.
    pub async fn expect(
        &self,
        expected: Vec<Expected>,
        by: Option<(&Actor, &Act)>,
    ) -> Result<(), NotApplied> {
        let at = self.parts.clock.now();
        let events = by.map(|(actor, act)| self.audited(actor, act, at)).into_iter().collect();
        let commit = Commit { expected, events, ..Commit::default() };
        match self.commit(commit).await {
            Ok(_durable) => {
                by.iter().for_each(|(actor, act)| act.done(actor));
                Ok(())
            }
            Err(CommitError::Full) => Err(NotApplied::Busy),
            Err(error) => Err(NotApplied::Store(error.to_string())),
        }
    }
}

fn not_kept(error: StoreError) -> NotKept {
    NotKept(error.to_string())
}
