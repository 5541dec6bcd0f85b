//! Sending: one payout at a time is picked, many are under way at once.
//!
//! The queue is the store's own index of queued payouts; `outbox` holds the head of it in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::{Entry, Line, Pass};
use super::port::{Admission, Outcome, Prepared, RawAnswer, Sent};
use super::track::Track;
use super::{Applied, Engine, NotApplied};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::domain::id::{MessageId, PayoutId};
use crate::domain::outcome::{self, AnswerClass};
use crate::domain::payout::{Event, Lease, State, Status, WhyNothingSent};
use crate::domain::retry;
use crate::domain::time::Timestamp;
use crate::store::{
    Channel, Direction, Durable, Health, Message, PAGE_LEN_MAX, PayoutQuery, StoreError, Stored,
};
use crate::telemetry::metric;

/// How much longer than the longest send a lease lasts: time to write down how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// When a payout is looked at again whose send ended in a panic.
const AFTER_A_PANIC: Duration = Duration::from_secs(60);
/// How often payouts look whether questions still go first.
const TURN_PAUSE: Duration = Duration::from_millis(5);
/// How long the worker waits after the store failed or was too busy.
const STORE_PAUSE: Duration = Duration::from_millis(250);
/// How often the outcome of a send is offered to a store that is too busy to take it. After that
/// the lease lapses and the payout is in doubt, which is true.
const OUTCOME_TRIES_MAX: u32 = 40;

/// Sends payouts, or asks about them, until `stop`; each is a task of its own on `tasks`, and is
/// finished.
pub(super) async fn run(
    engine: Arc<Engine>,
    track: Arc<Track>,
    line: Line,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = engine.next_to_go(&track, line) => next,
        };
        let (id, place, pass) = next;
        let (engine, track) = (Arc::clone(&engine), Arc::clone(&track));
        let mark = engine.parts.clock.mark(Doing::Work);
        tasks.spawn(async move {
            let _mark = mark;
            let _work = Work { engine: &engine, track: &track, line, id };
            let done = match line {
                Line::Payouts => engine.send(&track, id, place).await,
                Line::Questions => engine.ask(&track, id, place).await,
            };
            if let Err(error) = done {
                tracing::warn!(payout = %id, %error, "a send could not be begun or written down");
                tokio::time::sleep(STORE_PAUSE).await;
                // It may still be due: it is looked at again as soon as it is put back.
                track.line(line).offer(id);
            }
            engine.await_proof(&track, pass).await;
        });
    }
}

/// One payout is being worked on; dropped, it no longer is, however the work ended.
struct Work<'a> {
    engine: &'a Engine,
    track: &'a Track,
    line: Line,
    id: PayoutId,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A fault of ours. It is looked at again later, not at once: it may be there still.
            let later = self.engine.parts.clock.now().after(AFTER_A_PANIC);
            self.engine.timers.add(later, self.id);
        }
        self.track.line(self.line).put_back(self.id);
    }
}

impl Engine {
    /// Waits for a payout that may be sent or asked about, for a place on the rail, and for the
    /// gate: that last, because it may close while a place is waited for.
    async fn next_to_go(&self, track: &Track, line: Line) -> (PayoutId, Admission, Pass) {
        let _work = self.parts.clock.mark(Doing::Work);
        let id = self.next_ready(track, line).await;
        loop {
            if line == Line::Payouts {
                self.questions_first(track).await;
            }
            self.gate_is_not_shut(track, line).await;
            let place = track.line(line).leave(track.rail.admit()).await;
            if let Some(pass) = self.gate_opens(track, line).await {
                return (id, place, pass);
            }
            // Shut meanwhile, until a person acts: the place is for what may still go.
            drop(place);
        }
    }

    async fn gate_is_not_shut(&self, track: &Track, line: Line) {
        loop {
            let changed = track.gate.changed();
            if !track.gate.is_shut(line) {
                return;
            }
            self.rest(changed).await;
        }
    }

    /// Questions go before payouts: what is in doubt is settled first.
    async fn questions_first(&self, track: &Track) {
        while track.questions.has_ready() {
            // Looked at again from time to time, as nothing says when the last one has gone.
            self.rest(tokio::time::sleep(TURN_PAUSE)).await;
        }
    }

    /// `None` when it is shut until a person acts.
    async fn gate_opens(&self, track: &Track, line: Line) -> Option<Pass> {
        loop {
            let changed = track.gate.changed();
            match track.gate.enter(line, self.parts.clock.now()) {
                Entry::Go(pass) => return Some(pass),
                Entry::Shut if track.gate.is_shut(line) => return None,
                Entry::Shut => self.rest(changed).await,
                // Not all of it at once: the clock may be set.
                Entry::Wait(pause) => tokio::select! {
                    () = self.parts.clock.nap(Some(pause), STORE_PAUSE, "a pause of a rail") => {}
                    () = changed => {}
                },
            }
        }
    }

    /// After the one message that is sent while nothing is proven, the others wait for what comes
    /// of it: a wrong password shows in the result only (law 7).
    async fn await_proof(&self, track: &Track, pass: Pass) {
        if !pass.is_trial() {
            return;
        }
        let decided = async {
            loop {
                let changed = track.gate.changed();
                if track.gate.is_decided() {
                    return;
                }
                changed.await;
            }
        };
        let wait = self.settings.first_result_wait;
        tokio::select! {
            biased;
            () = decided => {}
            // No result is no refusal: to wait for ever would stop what may well work.
            () = self.parts.clock.sleep(wait, "the first result") => track.gate.prove(),
        }
        drop(pass);
    }

    async fn next_ready(&self, track: &Track, line: Line) -> PayoutId {
        loop {
            match self.pick(track, line).await {
                Ok(Some(id)) => return id,
                Ok(None) => self.rest(track.line(line).offered()).await,
                Err(error) => {
                    tracing::error!(%error, "payouts cannot be read; none is lost");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// A payout that may be ready, from what was offered or from the store.
    async fn pick(&self, track: &Track, line: Line) -> Result<Option<PayoutId>, StoreError> {
        loop {
            if let Some(id) = track.line(line).take() {
                return Ok(Some(id));
            }
            let Some(after) = track.line(line).look_on() else {
                return Ok(None);
            };
            let status = match line {
                Line::Payouts => Status::Queued,
                Line::Questions => Status::Unknown,
            };
            let query = PayoutQuery {
                status: Some(status),
                rail: Some(track.name),
                after,
                ..PayoutQuery::all(PAGE_LEN_MAX)
            };
            let page = self.parts.store.payouts(&query).await?;
            let now = self.parts.clock.now();
            let due = page.rows.iter().filter_map(|stored| {
                let id = stored.payout.details.id;
                match stored.payout.state.wakes_at() {
                    Some(at) if !is_due(line, at, now) => {
                        self.timers.add(at, id);
                        None
                    }
                    Some(_) | None => Some(id),
                }
            });
            track.line(line).found(due, page.next);
        }
    }

    /// Sends one payout, if it is still to be sent: the intent is on the disk before the first
    /// byte leaves, and the outcome is written down whatever it is.
    async fn send(&self, track: &Track, id: PayoutId, place: Admission) -> Result<(), NotApplied> {
        let Some(stored) = self.parts.store.payout(id).await? else {
            return Ok(());
        };
        if track.gate.is_shut(Line::Payouts) {
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
        let request = track.rail.prepare(&stored.payout, now);
        let objection = request.as_ref().ok().and_then(|request| track.rail.objection(request));
        if let Some(why) = objection {
            return self.refuse_to_send(stored, why).await;
        }
        let kept = request
            .as_ref()
            .ok()
            .map(|request| self.request_message(id, Channel::Request, request));
        let until = now.after(track.rail.longest_send()).after(LEASE_MARGIN);
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
            Ok(_request) if track.gate.is_shut(Line::Payouts) => {
                (Outcome::NothingSent(WhyNothingSent::NotReady), None)
            }
            // That took so long that the lease could lapse under the send.
            Ok(_request) if ends_too_late(track, self.parts.clock.now(), until) => {
                (Outcome::NothingSent(WhyNothingSent::NotReady), None)
            }
            Ok(request) => {
                let sent = self.transmit(track, request, place, proof).await;
                self.count_send(&sent.outcome);
                let answer = sent.answer.map(|raw| self.answer_message(id, Channel::Answer, raw));
                (sent.outcome, answer)
            }
            Err(why) => {
                tracing::error!(payout = %id, why, "the request cannot be built; nothing was sent");
                (Outcome::NothingSent(WhyNothingSent::NotReady), None)
            }
        };
        self.write_down(id, attempt, outcome, answer).await
    }

    /// Ends a payout whose request must not be sent, before any send begins: a stop of the program
    /// here leaves it queued, and never in doubt.
    async fn refuse_to_send(&self, stored: Stored, why: String) -> Result<(), NotApplied> {
        let payout = stored.payout.details.id;
        tracing::error!(%payout, why, "a request is not to the schema in broker.wsdl_dir; it was \
            not sent, and no money moved");
        metric::NOT_TO_SCHEMA.with(["payout"]).increment();
        self.apply_to(stored, &Event::Unfit { why }, vec![]).await.map(drop)
    }

    /// Sends a request, once.
    pub(super) async fn transmit(
        &self,
        track: &Track,
        request: Prepared,
        place: Admission,
        proof: Durable,
    ) -> Sent {
        track.in_flight.add(1);
        let sent = self.on_the_wire(track.rail.send(request, place, proof)).await;
        track.in_flight.subtract(1);
        if is_taken(&sent.outcome) {
            track.gate.expect_result();
        }
        heed(track, &sent.outcome, self.parts.clock.now());
        sent
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
        self.write_outcome(id, &event, answer).await
    }

    /// Applies what became of a message, also when the store is too busy at first.
    pub(super) async fn write_outcome(
        &self,
        id: PayoutId,
        event: &Event,
        answer: Option<Message>,
    ) -> Result<(), NotApplied> {
        let messages: Vec<Message> = answer.into_iter().collect();
        for _ in 0..OUTCOME_TRIES_MAX {
            match self.apply(id, event, messages.clone()).await {
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

    pub(super) fn request_message(
        &self,
        id: PayoutId,
        channel: Channel,
        request: &Prepared,
    ) -> Message {
        let at = self.parts.clock.now();
        Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(at)),
            at,
            direction: Direction::Out,
            channel,
            peer: None,
            certificate: None,
            http_status: None,
            about: Some(id.into()),
            body: request.kept.clone(),
        }
    }

    pub(super) fn answer_message(
        &self,
        id: PayoutId,
        channel: Channel,
        answer: RawAnswer,
    ) -> Message {
        let at = self.parts.clock.now();
        Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(at)),
            at,
            direction: Direction::In,
            channel,
            peer: None,
            certificate: None,
            http_status: Some(answer.http_status),
            about: Some(id.into()),
            body: answer.body,
        }
    }
}

/// Whether a send that begins now could last beyond its lease (law 2: the owner sends).
fn ends_too_late(track: &Track, now: Timestamp, until: Timestamp) -> bool {
    now.after(track.rail.longest_send()) > until
}

/// What an outcome says about the rail, heeded before it is written down, which may take long
/// or fail.
fn heed(track: &Track, outcome: &Outcome, now: Timestamp) {
    match outcome {
        // What is sent meanwhile would bring M-Pesa nearer to locking the operator (law 7).
        Outcome::Answered(answer) if outcome::answer(&answer.code).blame.stops_the_rail() => {
            track.gate.refuse(&answer.code, now);
        }
        Outcome::Answered(answer) => match answer.class() {
            AnswerClass::Taken | AnswerClass::Refused => track.gate.ease(),
            // What answers without a code is not M-Pesa as it should be: a page, a Fault. Each
            // such answer leaves a payout in doubt, so few are asked for.
            AnswerClass::Doubt if answer.code.is_empty() => track.gate.slow(now),
            // `TryLater` slows the rail as an effect of the step.
            AnswerClass::TryLater | AnswerClass::Cached | AnswerClass::Doubt => {}
        },
        // A dead link is tried now and then, not by every payout that waits: each try is
        // written down, and silence after a request leaves a payout in doubt.
        Outcome::NoAnswer(_)
        | Outcome::NothingSent(
            WhyNothingSent::Resolve
            | WhyNothingSent::Connect
            | WhyNothingSent::ConnectTimeout
            | WhyNothingSent::NoToken,
        ) => track.gate.slow(now),
        Outcome::NothingSent(WhyNothingSent::NotReady | WhyNothingSent::ClosedBeforeFirstByte) => {}
    }
}

/// Whether a result is to be awaited after a message with this outcome: M-Pesa took it. After
/// silence or a doubtful answer one may come or not, and the next message may find out as well.
fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered(answer) if answer.class() == AnswerClass::Taken)
}

/// Whether a payout that waits in a line until `at` may go at `now`.
fn is_due(line: Line, at: Timestamp, now: Timestamp) -> bool {
    match line {
        Line::Payouts => retry::is_due(at, now),
        Line::Questions => retry::is_ask_due(at, now),
    }
}
