//! Inquiries, and questions what became of those that move money.

use tokio_util::sync::CancellationToken;

use super::{Engine, Errand, NotApplied, admitted, moved};
use crate::domain::id::InquiryId;
use crate::domain::inquiry::{Event, Inquiry, Kind, State, ask_by};
use crate::domain::payout::WhyNothingSent;
use crate::domain::retry;
use crate::domain::subject::Subject;
use crate::engine::port::{Api, Call, Counter, Reply};
use crate::store::{Channel, Kept};

/// Which of M-Pesa's interfaces an inquiry goes to.
const fn api_of(kind: &Kind) -> Api {
    match kind {
        Kind::Balance => Api::Balance,
        Kind::TransactionStatus(_) => Api::Status,
        Kind::Reversal(_) => Api::Reversal,
        Kind::RegisterUrls(_) => Api::RegisterUrls,
        Kind::SimulateC2b(_) => Api::SimulateC2b,
        Kind::BusinessPayment(_) => Api::BusinessPayment,
        Kind::Tax(_) => Api::Tax,
        Kind::QrCode(_) => Api::QrCode,
        Kind::RegisterPull(_) => Api::RegisterPull,
    }
}

impl Engine {
    /// Looks at an inquiry whose time may have come.
    pub(in crate::engine) async fn wake_inquiry(&self, id: InquiryId) -> Result<(), NotApplied> {
        let Some(kept) = self.parts.store.inquiry(id).await? else {
            return Ok(());
        };
        let (subject, now) = (Subject::Inquiry(id), self.parts.clock.now());
        match &kept.value.state {
            State::Queued { not_before, .. } if retry::is_due(*not_before, now) => {
                self.offer_to(Errand::Inquiries, subject);
            }
            State::Sending { lease, .. } if lease.until <= now => {
                if lease.owner == self.run && self.errands.work_on(subject) {
                    self.timers.add(now.after(super::STORE_PAUSE), subject);
                } else {
                    let lapsed = Event::LeaseLapsed { lease: *lease };
                    self.apply_life::<Inquiry>(id, &lapsed, &[]).await?;
                }
            }
            State::Accepted { overdue_at, .. } if *overdue_at <= now => {
                self.apply_life::<Inquiry>(id, &Event::ResultOverdue, &[]).await?;
            }
            State::Unknown { asking, .. }
                if asking.ask_at.is_some_and(|at| retry::is_ask_due(at, now)) =>
            {
                self.offer_to(Errand::Inquiries, subject);
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. } => {
                if let Some(at) = kept.value.state.wakes_at() {
                    self.timers.add(at, subject);
                }
            }
            State::Succeeded { .. } | State::Failed { .. } => {}
        }
        Ok(())
    }

    /// Sends an inquiry, or the question what became of it, whichever is due.
    pub(super) async fn inquire_errand(
        &self,
        id: InquiryId,
        stop: &CancellationToken,
    ) -> Result<(), NotApplied> {
        let Some(kept) = self.parts.store.inquiry(id).await? else {
            return Ok(());
        };
        // One whose way is not set up any more waits.
        let Some(counter) = self.counter_of(kept.value.details.rail) else {
            return Ok(());
        };
        // What carries the initiator's credential goes through the rail's gate (law 7).
        let track = self.tracks.get(kept.value.details.rail);
        if let Some(track) = track
            && !kept.value.details.kind.is_synchronous()
        {
            let line = if kept.value.details.kind.moves_money() {
                crate::engine::gate::Line::Payouts
            } else {
                crate::engine::gate::Line::Questions
            };
            if track.gate.is_shut(line) {
                self.timers.add(self.parts.clock.now().after(super::FULL_PAUSE), id);
                return Ok(());
            }
        }
        match &kept.value.state {
            State::Queued { .. } => self.send_inquiry(counter.as_ref(), kept, stop).await,
            State::Unknown { .. } => self.ask_of_inquiry(counter.as_ref(), kept, stop).await,
            State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => Ok(()),
        }
    }

    async fn send_inquiry(
        &self,
        counter: &dyn Counter,
        kept: Kept<Inquiry>,
        stop: &CancellationToken,
    ) -> Result<(), NotApplied> {
        let id = kept.value.details.id;
        let api = api_of(&kept.value.details.kind);
        let Some(place) = admitted(counter, api, stop).await else {
            return Ok(());
        };
        let subject = Subject::Inquiry(id);
        let call = self.build(counter, Call::Inquiry(&kept.value), subject);
        let out = call
            .as_ref()
            .ok()
            .map(|call| self.message_out(subject, Channel::InquiryRequest, call.kept.clone()));
        let out: Vec<_> = out.into_iter().collect();
        let (lease, until) = self.lease_for(counter.longest_call());
        let came = self.apply_life::<Inquiry>(id, &Event::SendStarted { lease }, &out).await;
        if came.is_err() {
            self.timers.add(until, id);
        }
        let Some((inquiry, proof)) = moved(came?) else {
            return Ok(());
        };
        let attempt = inquiry.state.tries().attempts;
        let not_ready = Event::NothingSent { attempt, why: WhyNothingSent::NotReady };
        let Ok(call) = call else {
            return self.write_reply::<Inquiry>(id, &not_ready, None).await;
        };
        let replied = self.call_within(counter, call, place, (proof, until)).await;
        let Some(replied) = replied else {
            return self.write_reply::<Inquiry>(id, &not_ready, None).await;
        };
        let answer =
            replied.answer.map(|raw| self.message_in(subject, Channel::InquiryAnswer, raw));
        let event = match replied.reply {
            Reply::Inquired(answer) => Event::Answered { attempt, answer },
            Reply::NothingSent(why) => Event::NothingSent { attempt, why },
            Reply::NoAnswer(why) => Event::NoAnswer { attempt, why },
            Reply::Prompted(_) | Reply::Queried(_) | Reply::Pulled(_) => {
                tracing::error!(inquiry = %id, "the counter answered another call");
                return Ok(());
            }
        };
        self.write_reply::<Inquiry>(id, &event, answer).await
    }

    async fn ask_of_inquiry(
        &self,
        counter: &dyn Counter,
        kept: Kept<Inquiry>,
        stop: &CancellationToken,
    ) -> Result<(), NotApplied> {
        let id = kept.value.details.id;
        let subject = Subject::Inquiry(id);
        let Some(place) = admitted(counter, Api::Status, stop).await else {
            return Ok(());
        };
        let nth = kept.value.state.tries().questions.saturating_add(1);
        let call = ask_by(&kept.value)
            .map(|_name| self.build(counter, Call::InquiryQuestion(&kept.value, nth), subject));
        let call = match call {
            Some(Err(_)) => {
                self.timers.add(retry::ask_anew_at(self.parts.clock.now()), id);
                return Ok(());
            }
            Some(Ok(call)) => Some(call),
            None => None,
        };
        let out = call
            .as_ref()
            .map(|call| self.message_out(subject, Channel::InquiryRequest, call.kept.clone()));
        let out: Vec<_> = out.into_iter().collect();
        let came = self.apply_life::<Inquiry>(id, &Event::QuestionSent, &out).await?;
        let (Some((inquiry, proof)), Some(call)) = (moved(came), call) else {
            return Ok(());
        };
        if inquiry.state.tries().questions != nth {
            // Another question was put meanwhile, under another number.
            return self.write_reply::<Inquiry>(id, &Event::QuestionNotSent { nth }, None).await;
        }
        let replied = self.on_the_wire(counter.call(call, place, Some(proof))).await;
        let answer =
            replied.answer.map(|raw| self.message_in(subject, Channel::InquiryAnswer, raw));
        let event = match replied.reply {
            Reply::Inquired(answer) => Event::QuestionReplied { nth, answer },
            Reply::NothingSent(_) => Event::QuestionNotSent { nth },
            Reply::NoAnswer(why) => {
                tracing::info!(inquiry = %id, why = why.says(), "a question was not answered");
                return Ok(());
            }
            Reply::Prompted(_) | Reply::Queried(_) | Reply::Pulled(_) => return Ok(()),
        };
        self.write_reply::<Inquiry>(id, &event, answer).await
    }
}
