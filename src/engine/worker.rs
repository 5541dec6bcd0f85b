//! Sending: one payout at a time is picked, many are under way at once.
//!
//! The queue is the store's own index of queued payouts; `outbox` holds the head of it in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::port::{Admission, Outcome, Prepared, RawAnswer};
use super::{Applied, Engine, NotApplied};
use crate::domain::id::{MessageId, PayoutId};
use crate::domain::outcome::{self, AnswerClass};
use crate::domain::payout::{Event, Lease, State, Status, WhyNothingSent};
use crate::domain::retry;
use crate::domain::time::Timestamp;
use crate::store::{
    Channel, Direction, Durable, Health, Message, PAGE_LEN_MAX, PayoutQuery, StoreError,
};

/// How much longer than the longest send a lease lasts: time to write down how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// When a payout is looked at again whose send ended in a panic.
const AFTER_A_PANIC: Duration = Duration::from_secs(60);
/// How long the worker waits after the store failed or was too busy.
const STORE_PAUSE: Duration = Duration::from_millis(250);
/// How often the outcome of a send is offered to a store that is too busy to take it. After that
/// the lease lapses and the payout is in doubt, which is true.
const OUTCOME_TRIES_MAX: u32 = 40;

/// Sends until `stop`; each send is a task of its own on `tasks`, and is finished.
pub(super) async fn run(engine: Arc<Engine>, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = engine.next_to_send() => next,
        };
        let (id, place) = next;
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            let _work = Work { engine: &engine, id };
            if let Err(error) = engine.send(id, place).await {
                tracing::warn!(payout = %id, %error, "a send could not be begun or written down");
                tokio::time::sleep(STORE_PAUSE).await;
                // It may still be queued: it is looked at again as soon as it is put back.
                engine.outbox.offer(id);
            }
        });
    }
}

/// One payout is being worked on; dropped, it no longer is, however the work ended.
struct Work<'a> {
    engine: &'a Engine,
    id: PayoutId,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A fault of ours. It is looked at again later, not at once: it may be there still.
            let later = self.engine.parts.clock.now().after(AFTER_A_PANIC);
            self.engine.timers.add(later, self.id);
        }
        self.engine.outbox.put_back(self.id);
    }
}

impl Engine {
    /// Waits for a payout that may be sent, for a place on the rail, and for the gate: that last,
    /// because it may close while a place is waited for.
    async fn next_to_send(&self) -> (PayoutId, Admission) {
        let id = self.next_ready().await;
        let place = self.parts.rail.admit().await;
        self.gate_opens().await;
        (id, place)
    }

    async fn gate_opens(&self) {
        loop {
            let changed = self.gate.changed();
            match self.gate.wait(self.parts.clock.now()) {
                None => changed.await,
                Some(pause) if !pause.is_zero() => {
                    // Not all of it at once: the clock may be set, and the pause be ended.
                    tokio::time::sleep(pause.min(STORE_PAUSE)).await;
                }
                Some(_) => return,
            }
        }
    }

    async fn next_ready(&self) -> PayoutId {
        loop {
            match self.pick().await {
                Ok(Some(id)) => return id,
                Ok(None) => self.outbox.offered().await,
                Err(error) => {
                    tracing::error!(%error, "queued payouts cannot be read; none is lost");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// A payout that may be ready, from what was offered or from the store.
    async fn pick(&self) -> Result<Option<PayoutId>, StoreError> {
        loop {
            if let Some(id) = self.outbox.take() {
                return Ok(Some(id));
            }
            let Some(after) = self.outbox.look_on() else {
                return Ok(None);
            };
            let query = PayoutQuery {
                status: Some(Status::Queued),
                after,
                ..PayoutQuery::all(PAGE_LEN_MAX)
            };
            let page = self.parts.store.payouts(&query).await?;
            let now = self.parts.clock.now();
            let due = page.rows.iter().filter_map(|stored| {
                let id = stored.payout.details.id;
                match stored.payout.state.wakes_at() {
                    Some(at) if !retry::is_due(at, now) => {
                        self.timers.add(at, id);
                        None
                    }
                    Some(_) | None => Some(id),
                }
            });
            self.outbox.found(due, page.next);
        }
    }

    /// Sends one payout, if it is still to be sent: the intent is on the disk before the first
    /// byte leaves, and the outcome is written down whatever it is.
    async fn send(&self, id: PayoutId, place: Admission) -> Result<(), NotApplied> {
        let Some(stored) = self.parts.store.payout(id).await? else {
            return Ok(());
        };
        if self.gate.is_stopped() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        match &stored.payout.state {
            State::Queued { not_before, .. } if retry::is_due(*not_before, now) => {}
            State::Queued { not_before, .. } => {
                self.timers.add(*not_before, id);
                return Ok(());
            }
            State::AwaitingApproval { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => return Ok(()),
        }
        let request = self.parts.rail.prepare(&stored.payout, now);
        let kept = request.as_ref().ok().map(|request| self.request_message(id, request, now));
        let until = now.after(self.parts.rail.longest_send()).after(LEASE_MARGIN);
        let started = Event::SendStarted { lease: Lease { owner: self.run, until } };
        let messages = kept.into_iter().collect();
        let applied = self.apply_to(stored, &started, messages).await;
        if applied.is_err() {
            // It may be on the disk all the same: then it is in doubt when its lease has lapsed.
            self.timers.add(until, id);
        }
        let applied = applied?;
        let Applied::Moved { payout, proof } = applied else {
            return Ok(());
        };
        let attempt = payout.state.attempts();
        let (outcome, answer) = match request {
            // It was stopped while the beginning was written down.
            Ok(_request) if self.gate.is_stopped() => {
                (Outcome::NothingSent(WhyNothingSent::NotReady), None)
            }
            // That took so long that the lease could lapse under the send.
            Ok(_request) if self.ends_too_late(until) => {
                (Outcome::NothingSent(WhyNothingSent::NotReady), None)
            }
            Ok(request) => self.transmit(id, request, place, proof).await,
            Err(why) => {
                tracing::error!(payout = %id, why, "the request cannot be built; nothing was sent");
                (Outcome::NothingSent(WhyNothingSent::NotReady), None)
            }
        };
        self.write_down(id, attempt, outcome, answer).await
    }

    /// Whether a send that begins now could last beyond its lease (law 2: the owner sends).
    fn ends_too_late(&self, until: Timestamp) -> bool {
        self.parts.clock.now().after(self.parts.rail.longest_send()) > until
    }

    async fn transmit(
        &self,
        id: PayoutId,
        request: Prepared,
        place: Admission,
        proof: Durable,
    ) -> (Outcome, Option<Message>) {
        self.tally.in_flight.add(1);
        let sent = self.parts.rail.send(request, place, proof).await;
        self.tally.in_flight.subtract(1);
        self.count_send(&sent.outcome);
        let now = self.parts.clock.now();
        self.heed(&sent.outcome, now);
        let answer = sent.answer.map(|answer| self.answer_message(id, answer, now));
        (sent.outcome, answer)
    }

    /// What an outcome says about the rail, heeded before it is written down, which may take long
    /// or fail.
    fn heed(&self, outcome: &Outcome, now: Timestamp) {
        match outcome {
            // What is sent meanwhile would bring M-Pesa nearer to locking the operator (law 7).
            Outcome::Answered(answer) if outcome::answer(&answer.code).blame.stops_the_rail() => {
                self.gate.stop(&answer.code);
            }
            Outcome::Answered(answer) => match answer.class() {
                AnswerClass::Taken | AnswerClass::Refused => self.gate.ease(),
                // What answers without a code is not M-Pesa as it should be: a page, a Fault. Each
                // such answer leaves a payout in doubt, so few are asked for.
                AnswerClass::Doubt if answer.code.is_empty() => self.gate.slow(now),
                // `TryLater` slows the rail as an effect of the step.
                AnswerClass::TryLater | AnswerClass::Cached | AnswerClass::Doubt => {}
            },
            // A dead link is tried now and then, not by every payout that waits: each try is
            // written down, and silence after a request leaves a payout in doubt.
            Outcome::NoAnswer(_)
            | Outcome::NothingSent(
                WhyNothingSent::Resolve | WhyNothingSent::Connect | WhyNothingSent::ConnectTimeout,
            ) => self.gate.slow(now),
            Outcome::NothingSent(
                WhyNothingSent::NotReady | WhyNothingSent::ClosedBeforeFirstByte,
            ) => {}
        }
    }

    async fn write_down(
        &self,
        id: PayoutId,
        attempt: u32,
        outcome: Outcome,
        answer: Option<Message>,
    ) -> Result<(), NotApplied> {
        let event = match outcome {
            Outcome::Answered(answer) => Event::Answered { attempt, answer },
            Outcome::NothingSent(why) => Event::NothingSent { attempt, why },
            Outcome::NoAnswer(why) => Event::NoAnswer { attempt, why },
        };
        let messages: Vec<Message> = answer.into_iter().collect();
        for _ in 0..OUTCOME_TRIES_MAX {
            match self.apply(id, &event, messages.clone()).await {
                Ok(_applied) => return Ok(()),
                // Also when the store cannot say whether it was written: applied again, it then
                // agrees with what is known. What has ended for good is not waited for.
                Err(NotApplied::Busy | NotApplied::Store(_))
                    if self.parts.store.health() == Health::Ready =>
                {
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(NotApplied::Busy)
    }

    fn request_message(&self, id: PayoutId, request: &Prepared, at: Timestamp) -> Message {
        Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(at)),
            at,
            direction: Direction::Out,
            channel: Channel::Request,
            peer: None,
            http_status: None,
            payout: Some(id),
            body: request.kept.clone(),
        }
    }

    fn answer_message(&self, id: PayoutId, answer: RawAnswer, at: Timestamp) -> Message {
        Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(at)),
            at,
            direction: Direction::In,
            channel: Channel::Answer,
            peer: None,
            http_status: Some(answer.http_status),
            payout: Some(id),
            body: answer.body,
        }
    }
}
