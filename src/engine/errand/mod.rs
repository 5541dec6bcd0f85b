//! Everything that is sent besides payouts: prompts, questions about them, inquiries, text
//! messages. Each kind has a line and places of its own, so that a slow one holds no other up.
//!
//! A line is held in memory only: what is due stands in the store, and the timer brings it again.

mod inquiry;
mod prompt;
mod text;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lives::{Came, Lived};
use super::outbox::Outbox;
use super::port::{Admission, Api, Call, Counter, Notifier, PreparedCall, RawAnswer, Replied};
use super::{Engine, NotApplied};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::domain::id::MessageId;
use crate::domain::payout::{Lease, Rail};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::{Channel, Direction, Durable, Health, Message};

/// The most subjects that one line holds; the rest is looked at again in a moment.
const LINE_LEN_MAX: usize = 4_096;
/// When what did not fit is looked at again.
const FULL_PAUSE: Duration = Duration::from_secs(2);
/// When something is looked at again after a failure of ours.
const AFTER_A_FAULT: Duration = Duration::from_secs(60);
/// How much longer than the longest call a lease lasts: time to write down how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// How long is waited after the store failed or was too busy.
const STORE_PAUSE: Duration = Duration::from_millis(250);
/// How often an outcome is offered to a store that is too busy to take it. After that the lease
/// lapses, and it is in doubt, which is true.
const OUTCOME_TRIES_MAX: u32 = 40;

/// A kind of errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// Prompts to payers.
    Prompts,
    /// Questions how prompts ended.
    Queries,
    /// Inquiries, and questions about them.
    Inquiries,
    /// Text messages.
    Texts,
}

impl Errand {
    const ALL: [Self; 4] = [Self::Prompts, Self::Queries, Self::Inquiries, Self::Texts];

    /// How many go on at once.
    const fn places(self) -> usize {
        match self {
            Self::Prompts => 64,
            Self::Queries | Self::Inquiries | Self::Texts => 16,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Prompts => "the prompter",
            Self::Queries => "the asker of prompts",
            Self::Inquiries => "the inquiries' worker",
            Self::Texts => "the texts' worker",
        }
    }
}

/// A line of errands.
#[derive(Debug)]
struct Line {
    errand: Errand,
    outbox: Outbox<Subject>,
    places: Arc<Semaphore>,
}

/// All lines.
#[derive(Debug)]
pub(super) struct Errands([Line; Errand::ALL.len()]);

impl Default for Errands {
    fn default() -> Self {
        Self(Errand::ALL.map(|errand| Line {
            errand,
            outbox: Outbox::default(),
            places: Arc::new(Semaphore::new(errand.places())),
        }))
    }
}

impl Errands {
    fn line(&self, errand: Errand) -> Option<&Line> {
        self.0.iter().find(|line| line.errand == errand)
    }

    /// Whether anything is about to be worked on.
    pub(super) fn have_ready(&self) -> bool {
        self.0.iter().any(|line| line.outbox.is_about_to_go())
    }

    /// Whether this is being worked on.
    pub(super) fn work_on(&self, subject: Subject) -> bool {
        self.0.iter().any(|line| line.outbox.works_on(subject))
    }
}

impl Engine {
    /// Every errand's worker: its name, and what it does until `stop`.
    pub(super) fn errand_workers(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Vec<(&'static str, impl Future<Output = ()> + Send + 'static + use<>)> {
        Errand::ALL
            .into_iter()
            .map(|errand| {
                let work = run(Arc::clone(self), errand, tasks.clone(), stop.clone());
                (errand.name(), work)
            })
            .collect()
    }

    /// Something that may be ready to go, on the line where it stands in.
    pub(super) fn offer_to(&self, errand: Errand, subject: Subject) {
        let Some(line) = self.errands.line(errand) else { return };
        if !line.outbox.offer_within(subject, LINE_LEN_MAX) {
            self.timers.add(self.parts.clock.now().after(FULL_PAUSE), subject);
        }
    }

    /// Something new that may be ready to go.
    pub(super) fn offer(&self, subject: Subject) {
        match subject {
            Subject::Payment(_) => self.offer_to(Errand::Prompts, subject),
            Subject::Inquiry(_) => self.offer_to(Errand::Inquiries, subject),
            Subject::Text(_) => self.offer_to(Errand::Texts, subject),
            Subject::Payout(_) => {}
        }
    }

    async fn run_errand(
        &self,
        errand: Errand,
        subject: Subject,
        stop: &CancellationToken,
    ) -> Result<(), NotApplied> {
        match (errand, subject) {
            (Errand::Prompts, Subject::Payment(id)) => self.prompt(id, stop).await,
            (Errand::Queries, Subject::Payment(id)) => self.query(id, stop).await,
            (Errand::Inquiries, Subject::Inquiry(id)) => self.inquire_errand(id, stop).await,
            (Errand::Texts, Subject::Text(id)) => self.send_text(id).await,
            (Errand::Prompts | Errand::Queries | Errand::Inquiries | Errand::Texts, _) => Ok(()),
        }
    }

    /// The lease of a call that begins now.
    fn lease_for(&self, longest: Duration) -> (Lease, Timestamp) {
        let until = self.parts.clock.now().after(longest).after(LEASE_MARGIN);
        (Lease { owner: self.run, until }, until)
    }

    /// Calls once, if the lease cannot lapse under it.
    async fn call_within(
        &self,
        counter: &dyn Counter,
        call: PreparedCall,
        place: Admission,
        (proof, until): (Durable, Timestamp),
    ) -> Option<Replied> {
        if self.parts.clock.now().after(counter.longest_call()) > until {
            return None;
        }
        Some(self.on_the_wire(counter.call(call, place, Some(proof))).await)
    }

    /// Applies what became of a call, also when the store is too busy at first.
    async fn write_reply<L: Lived>(
        &self,
        id: L::Id,
        event: &L::Event,
        answer: Option<Message>,
    ) -> Result<(), NotApplied> {
        let messages: Vec<Message> = answer.into_iter().collect();
        for _ in 0..OUTCOME_TRIES_MAX {
            match self.apply_life::<L>(id, event, &messages).await {
                Ok(_came) => return Ok(()),
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

    /// Our request, as it is kept.
    fn message_out(&self, about: Subject, channel: Channel, kept: Vec<u8>) -> Message {
        self.message((about, channel), (Direction::Out, None), kept)
    }

    /// M-Pesa's answer, as it is kept.
    fn message_in(&self, about: Subject, channel: Channel, answer: RawAnswer) -> Message {
        let status = Some(answer.http_status);
        self.message((about, channel), (Direction::In, status), answer.body)
    }

    fn message(
        &self,
        (about, channel): (Subject, Channel),
        (direction, http_status): (Direction, Option<u16>),
        body: Vec<u8>,
    ) -> Message {
        let at = self.parts.clock.now();
        Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(at)),
            at,
            direction,
            channel,
            peer: None,
            certificate: None,
            http_status,
            about: Some(about),
            body,
        }
    }

    /// The counter, if one is set up.
    pub(super) fn counter(&self) -> Option<&Arc<dyn Counter>> {
        self.parts.counter.as_ref()
    }

    /// The counter, if it can ask this way.
    pub(super) fn counter_of(&self, rail: Rail) -> Option<&Arc<dyn Counter>> {
        self.counter().filter(|counter| counter.has(rail))
    }

    /// The way to phones, if one is set up.
    pub(super) fn notifier(&self) -> Option<&Arc<dyn Notifier>> {
        self.parts.notifier.as_ref()
    }

    /// Builds a call; what cannot be built is looked at again later, and said.
    fn build(
        &self,
        counter: &dyn Counter,
        call: Call<'_>,
        subject: Subject,
    ) -> Result<PreparedCall, String> {
        let built = counter.prepare(call, self.parts.clock.now());
        if let Err(why) = &built {
            tracing::error!(%subject, why, "the request cannot be built; nothing was sent");
        }
        built
    }
}

/// Runs errands of one kind until `stop`; each is a task of its own on `tasks`, and is finished.
async fn run(engine: Arc<Engine>, errand: Errand, tasks: TaskTracker, stop: CancellationToken) {
    let Some(line) = engine.errands.line(errand) else { return };
    let places = Arc::clone(&line.places);
    loop {
        let next = async {
            loop {
                match line.outbox.take() {
                    Some(subject) => return subject,
                    None => engine.rest(line.outbox.offered()).await,
                }
            }
        };
        let both = async {
            // Never closed, so there is always a place in the end.
            let _work = engine.parts.clock.mark(Doing::Work);
            let place = engine.rest(Arc::clone(&places).acquire_owned());
            let place = line.outbox.leave(place).await;
            (next.await, place)
        };
        let (subject, place) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            both = both => both,
        };
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        let mark = engine.parts.clock.mark(Doing::Work);
        tasks.spawn(async move {
            let _marks = (place, mark);
            let _work = Work { engine: &engine, errand, subject };
            if let Err(error) = engine.run_errand(errand, subject, &stop).await {
                tracing::warn!(%subject, %error, "a call could not be begun or written down");
                engine.timers.add(engine.parts.clock.now().after(FULL_PAUSE), subject);
            }
        });
    }
}

/// Something is being worked on; dropped, it no longer is, however the work ended.
struct Work<'a> {
    engine: &'a Engine,
    errand: Errand,
    subject: Subject,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A fault of ours. It is looked at again later, not at once: it may be there still.
            let later = self.engine.parts.clock.now().after(AFTER_A_FAULT);
            self.engine.timers.add(later, self.subject);
        }
        if let Some(line) = self.engine.errands.line(self.errand) {
            line.outbox.put_back(self.subject);
        }
    }
}

/// A place at the counter, or nothing once the engine is to stop: an interface may rest for a
/// minute, and what waits for it has not begun. It is due again after the next start.
async fn admitted(counter: &dyn Counter, api: Api, stop: &CancellationToken) -> Option<Admission> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        place = counter.admit(api) => Some(place),
    }
}

/// Whether it moved, and the proof.
fn moved<L: Lived>(came: Came<L>) -> Option<(L, Durable)> {
    match came {
        Came::Moved { life, proof } => Some((*life, proof)),
        Came::Noted | Came::Contradicted | Came::Stale | Came::Forbidden(_) => None,
    }
}
