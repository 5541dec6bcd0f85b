//! Asking M-Pesa about a payout in doubt: one question at a time, each with a number of its own,
//! committed before it leaves.

use super::gate::Line;
use super::port::{Admission, Outcome, Prepared};
use super::track::Track;
use super::{Applied, Engine, NotApplied};
use crate::domain::id::PayoutId;
use crate::domain::payout::{Event, Payout, Question, State, WhyNothingSent, ask_by};
use crate::domain::retry;
use crate::store::Channel;
use crate::telemetry::metric;

impl Engine {
    /// Asks M-Pesa about one payout, if it is still to be asked about.
    pub(super) async fn ask(
        &self,
        track: &Track,
        id: PayoutId,
        place: Admission,
    ) -> Result<(), NotApplied> {
        let Some(stored) = self.parts.store.payout(id).await? else {
            return Ok(());
        };
        if track.gate.is_shut(Line::Questions) {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let State::Unknown { tries, inquiry, .. } = &stored.payout.state else {
            return Ok(());
        };
        if !retry::is_ask_due(inquiry.ask_at, now) {
            self.timers.add(inquiry.ask_at, id);
            return Ok(());
        }
        let Some(by) = ask_by(&stored.payout, &self.settings.policy, now) else {
            // Not asked, but written down: a person is called, once.
            return match self.apply_to(stored, &Event::InquirySent, vec![]).await? {
                Applied::Moved { .. } => {
                    tracing::warn!(payout = %id, "M-Pesa finds a payment this old by its receipt \
                        only, and none is known: it stays unknown until a person rules on it");
                    Ok(())
                }
                Applied::Noted
                | Applied::Contradicted
                | Applied::Stale
                | Applied::Forbidden(_)
                | Applied::Parked => Ok(()),
            };
        };
        let question = Question { nth: tries.questions.saturating_add(1), at: now, by };
        let Some(request) = self.built(track, &stored.payout, question) else {
            return Ok(());
        };
        let kept = self.request_message(id, Channel::StatusRequest, &request);
        let Applied::Moved { payout, proof } =
            self.apply_to(stored, &Event::InquirySent, vec![kept]).await?
        else {
            return Ok(());
        };
        let Some(nth) = last_of(&payout) else {
            return Ok(());
        };
        // Another number than was prepared for, or the gate closed while it was written down.
        let (outcome, answer) = if nth != question.nth || track.gate.is_shut(Line::Questions) {
            (Outcome::NothingSent(WhyNothingSent::NotReady), None)
        } else {
            let sent = self.transmit(track, request, place, proof).await;
            (sent.outcome, sent.answer)
        };
        let answer = answer.map(|raw| self.answer_message(id, Channel::StatusAnswer, raw));
        let (word, event) = match outcome {
            Outcome::Answered(answer) => ("answered", Event::InquiryReplied { nth, answer }),
            Outcome::NothingSent(why) => {
                ("nothing_sent", Event::InquiryNotSent { nth, why: Some(why) })
            }
            Outcome::NoAnswer(why) => {
                tracing::info!(payout = %id, why = why.says(), "a question was not answered; it is \
                    asked again by the schedule");
                metric::INQUIRIES.with(["no_answer"]).increment();
                return Ok(());
            }
        };
        metric::INQUIRIES.with([word]).increment();
        self.write_outcome(id, &event, answer).await
    }

    /// A question that may be sent. One that cannot be built, or is not to the partner's schema,
    /// is tried again in a while; nothing more is known of its payout.
    fn built(&self, track: &Track, payout: &Payout, question: Question) -> Option<Prepared> {
        let (id, now) = (payout.details.id, question.at);
        match track.rail.prepare_question(payout, question, now) {
            Ok(request) => match track.rail.objection(&request) {
                None => return Some(request),
                Some(why) => {
                    tracing::error!(payout = %id, why, "a question is not to the schema in \
                        broker.wsdl_dir; it was not sent, and the payout stays unknown");
                    metric::NOT_TO_SCHEMA.with(["question"]).increment();
                }
            },
            Err(why) => tracing::error!(payout = %id, why, "the question cannot be built"),
        }
        self.timers.add(retry::ask_anew_at(now), id);
        None
    }
}

/// The number of the last question about a payout in doubt.
fn last_of(payout: &Payout) -> Option<u32> {
    match &payout.state {
        State::Unknown { inquiry, .. } => inquiry.last.map(|question| question.nth),
        State::AwaitingApproval { .. }
        | State::Queued { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => None,
    }
}
