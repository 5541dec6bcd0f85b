//! Prompts on payers' phones, and questions how they ended.

use tokio_util::sync::CancellationToken;

use super::{Engine, Errand, NotApplied, admitted, moved};
use crate::domain::id::PaymentId;
use crate::domain::payment::{Event, Payment, State};
use crate::domain::payout::{Rail, WhyNothingSent};
use crate::domain::retry;
use crate::domain::subject::Subject;
use crate::engine::port::{Api, Call, Reply};
use crate::store::Channel;

impl Engine {
    /// Looks at a payment whose time may have come.
    pub(in crate::engine) async fn wake_payment(&self, id: PaymentId) -> Result<(), NotApplied> {
        let Some(kept) = self.parts.store.payment(id).await? else {
            return Ok(());
        };
        let (subject, now) = (Subject::Payment(id), self.parts.clock.now());
        match &kept.value.state {
            State::Waiting { not_before, .. } if retry::is_due(*not_before, now) => {
                self.offer_to(Errand::Prompts, subject);
            }
            State::Sending { lease, .. } if lease.until <= now => {
                // A call of this run that is still under way ends by its own deadlines.
                if lease.owner == self.run && self.errands.work_on(subject) {
                    self.timers.add(now.after(super::STORE_PAUSE), subject);
                } else {
                    let lapsed = Event::LeaseLapsed { lease: *lease };
                    self.apply_life::<Payment>(id, &lapsed, &[]).await?;
                }
            }
            State::Prompted { asking, .. } | State::Unknown { asking, .. }
                if asking.ask_at.is_some_and(|at| retry::is_ask_due(at, now)) =>
            {
                self.offer_to(Errand::Queries, subject);
            }
            // Not due, as when the clock was set back: its time stays on the list.
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. } => {
                if let Some(at) = kept.value.state.wakes_at() {
                    self.timers.add(at, subject);
                }
            }
            State::Succeeded { .. } | State::Failed { .. } | State::Joined { .. } => {}
        }
        Ok(())
    }

    /// Prompts a payer, if he is still to be prompted: the intent is on the disk before the first
    /// byte leaves, and the outcome is written down whatever it is.
    pub(super) async fn prompt(
        &self,
        id: PaymentId,
        stop: &CancellationToken,
    ) -> Result<(), NotApplied> {
        let Some(counter) = self.counter_of(Rail::Daraja) else {
            return Ok(());
        };
        let Some(place) = admitted(counter.as_ref(), Api::Prompt, stop).await else {
            return Ok(());
        };
        let Some(kept) = self.parts.store.payment(id).await? else {
            return Ok(());
        };
        let State::Waiting { not_before, .. } = &kept.value.state else {
            return Ok(());
        };
        if !retry::is_due(*not_before, self.parts.clock.now()) {
            self.timers.add(*not_before, id);
            return Ok(());
        }
        let subject = Subject::Payment(id);
        let call = self.build(counter.as_ref(), Call::Prompt(&kept.value), subject);
        let out = call
            .as_ref()
            .ok()
            .map(|call| self.message_out(subject, Channel::StkRequest, call.kept.clone()));
        let out: Vec<_> = out.into_iter().collect();
        let (lease, until) = self.lease_for(counter.longest_call());
        let came = self.apply_life::<Payment>(id, &Event::SendStarted { lease }, &out).await;
        if came.is_err() {
            // It may be on the disk all the same: then it is in doubt when its lease has lapsed.
            self.timers.add(until, id);
        }
        let Some((payment, proof)) = moved(came?) else {
            return Ok(());
        };
        let State::Sending { tries, .. } = &payment.state else {
            return Ok(());
        };
        let attempt = tries.attempts;
        let not_ready = Event::NothingSent { attempt, why: WhyNothingSent::NotReady };
        let Ok(call) = call else {
            return self.write_reply::<Payment>(id, &not_ready, None).await;
        };
        let replied = self.call_within(counter.as_ref(), call, place, (proof, until)).await;
        let Some(replied) = replied else {
            return self.write_reply::<Payment>(id, &not_ready, None).await;
        };
        let answer = replied.answer.map(|raw| self.message_in(subject, Channel::StkAnswer, raw));
        let event = match replied.reply {
            Reply::Prompted(answer) => Event::Answered { attempt, answer },
            Reply::NothingSent(why) => Event::NothingSent { attempt, why },
            Reply::NoAnswer(why) => Event::NoAnswer { attempt, why },
            Reply::Queried(_) | Reply::Inquired(_) | Reply::Pulled(_) => {
                tracing::error!(payment = %id, "the counter answered another call");
                return Ok(());
            }
        };
        self.write_reply::<Payment>(id, &event, answer).await
    }

    /// Asks M-Pesa how a prompt ended, if it is still to be asked.
    pub(super) async fn query(
        &self,
        id: PaymentId,
        stop: &CancellationToken,
    ) -> Result<(), NotApplied> {
        let Some(counter) = self.counter_of(Rail::Daraja) else {
            return Ok(());
        };
        let Some(place) = admitted(counter.as_ref(), Api::PromptQuery, stop).await else {
            return Ok(());
        };
        let Some(kept) = self.parts.store.payment(id).await? else {
            return Ok(());
        };
        let (State::Prompted { asking, .. } | State::Unknown { asking, .. }) = &kept.value.state
        else {
            return Ok(());
        };
        let now = self.parts.clock.now();
        let Some(ask_at) = asking.ask_at.filter(|at| retry::is_ask_due(*at, now)) else {
            if let Some(at) = asking.ask_at {
                self.timers.add(at, id);
            }
            return Ok(());
        };
        let subject = Subject::Payment(id);
        // Without a name to ask by, the step calls a person.
        let call = match kept.value.checkout() {
            Some(_) => Some(self.build(counter.as_ref(), Call::PromptQuery(&kept.value), subject)),
            None => None,
        };
        let call = match call {
            Some(Err(_)) => {
                self.timers.add(retry::ask_anew_at(now.max(ask_at)), id);
                return Ok(());
            }
            Some(Ok(call)) => Some(call),
            None => None,
        };
        let out = call
            .as_ref()
            .map(|call| self.message_out(subject, Channel::StkQuery, call.kept.clone()));
        let out: Vec<_> = out.into_iter().collect();
        let came = self.apply_life::<Payment>(id, &Event::QuerySent, &out).await?;
        let (Some((payment, proof)), Some(call)) = (moved(came), call) else {
            return Ok(());
        };
        let Some(nth) = payment.state.asking().map(|asking| asking.nth) else {
            return Ok(());
        };
        let replied = self.on_the_wire(counter.call(call, place, Some(proof))).await;
        let answer =
            replied.answer.map(|raw| self.message_in(subject, Channel::StkQueryAnswer, raw));
        let event = match replied.reply {
            Reply::Queried(facts) => {
                Event::QueryAnswered { nth, facts, holder: Default::default() }
            }
            Reply::NothingSent(_) => Event::QueryNotSent { nth },
            Reply::NoAnswer(why) => {
                tracing::info!(payment = %id, why = why.says(), "a question was not answered; it \
                    is asked again by the schedule");
                return Ok(());
            }
            Reply::Prompted(_) | Reply::Inquired(_) | Reply::Pulled(_) => {
                tracing::error!(payment = %id, "the counter answered another call");
                return Ok(());
            }
        };
        self.write_reply::<Payment>(id, &event, answer).await?;
        // A query names no receipt: its confirmation may have come in the same moment.
        self.join_if_it_crossed(id).await;
        Ok(())
    }
}
