//! Whether the rail sends: stopped by a wrong credential (law 7), paused by a person, held back
//! when M-Pesa is too busy or cannot be reached, and one message at a time until it is proven that
//! the credentials are right and the link works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::domain::payout::Rail;
use crate::domain::retry;
use crate::domain::time::Timestamp;
use crate::store::{CredentialStop, Pause, RailRecord};

/// What stands in the way of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RailState {
    /// M-Pesa refused our credentials: nothing is sent until a person resumes the rail.
    pub refused: Option<CredentialStop>,
    /// A person paused it: no payout is sent until a person resumes it. M-Pesa is still asked
    /// about payouts in doubt.
    pub paused: Option<Pause>,
    /// Nothing is sent before then, because M-Pesa said that it is too busy, or could not be
    /// reached.
    pub slowed_until: Option<Timestamp>,
    /// How often in a row that was so.
    pub busy: u32,
    /// Whether a result has shown, since the start or since it was resumed, that M-Pesa takes our
    /// credentials. Until then one message at a time is sent.
    pub proven: bool,
    /// A part of the engine that ended when it should not have: nothing works until the program is
    /// started again.
    pub ended: Option<&'static str>,
}

/// What wants to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Payouts, which move money.
    Payouts,
    /// Questions about payouts in doubt, which move none.
    Questions,
}

/// The gate before the rail.
#[derive(Debug, Default)]
pub(super) struct Gate {
    inner: Mutex<Inner>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    state: RailState,
    /// When sending began: at the start, or when the rail was resumed.
    since: Timestamp,
    /// The one message that is sent while nothing is proven.
    trial: Option<Arc<()>>,
    /// Whether M-Pesa took that message, so that its result is awaited.
    is_taken: bool,
}

/// Leave to send one message; dropped, the next may follow a trial.
#[derive(Debug)]
pub(super) struct Pass {
    trial: Option<Arc<()>>,
    changed: Arc<Notify>,
}

impl Pass {
    /// Whether everything else waits for what this one finds out.
    pub(super) const fn is_trial(&self) -> bool {
        self.trial.is_some()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.trial.take().is_some() {
            self.changed.notify_waiters();
        }
    }
}

/// What the gate says to whoever wants to pass.
#[derive(Debug)]
pub(super) enum Entry {
    Go(Pass),
    /// Not before so long, unless something changes.
    Wait(Duration),
    /// Not before something changes.
    Shut,
}

impl Gate {
    pub(super) fn state(&self) -> RailState {
        self.lock().state.clone()
    }

    /// What of it outlives the program.
    pub(super) fn record(&self, rail: Rail) -> RailRecord {
        let RailState { refused, paused, .. } = self.state();
        RailRecord { rail, credential: refused, paused }
    }

    /// Sending begins.
    pub(super) fn begin(&self, now: Timestamp) {
        self.lock().since = now;
    }

    /// As it was when the program ended.
    pub(super) fn restore(&self, record: RailRecord) {
        let mut inner = self.lock();
        inner.state.refused = record.credential;
        inner.state.paused = record.paused;
    }

    /// What was shown of the credentials holds no more: one message first.
    pub(super) fn prove_again(&self, now: Timestamp) {
        let mut inner = self.lock();
        inner.since = now;
        inner.state.proven = false;
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Stops all sending (law 7). The first refusal stands.
    pub(super) fn refuse(&self, code: &str, at: Timestamp) {
        let mut inner = self.lock();
        let first = || CredentialStop { at, code: code.to_owned() };
        inner.state.refused.get_or_insert_with(first);
        inner.state.proven = false;
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Stops sending payouts by hand.
    pub(super) fn pause(&self, pause: Pause) {
        self.lock().state.paused = Some(pause);
        self.changed.notify_waiters();
    }

    /// A person who has `seen` what stopped it lets it send again, one message first. What he has
    /// not seen stands.
    pub(super) fn resume(&self, now: Timestamp, seen: &RailRecord) {
        let mut inner = self.lock();
        inner.since = now;
        let RailState { refused, paused, ended, .. } = std::mem::take(&mut inner.state);
        inner.state = RailState {
            refused: refused.filter(|stop| seen.credential.as_ref() != Some(stop)),
            paused: paused.filter(|pause| seen.paused.as_ref() != Some(pause)),
            ended,
            ..RailState::default()
        };
        drop(inner);
        self.changed.notify_waiters();
    }

    /// M-Pesa has carried out what was sent at `sent_at`, or said why not: it takes the credentials
    /// that were used then. What was sent before the start, or before the rail was resumed, proves
    /// nothing of those in use now.
    pub(super) fn prove_by(&self, sent_at: Timestamp) {
        if sent_at >= self.lock().since {
            self.prove();
        }
    }

    /// Credentials are taken to be right.
    pub(super) fn prove(&self) {
        let mut inner = self.lock();
        if !inner.state.proven && inner.state.refused.is_none() {
            inner.state.proven = true;
            drop(inner);
            self.changed.notify_waiters();
        }
    }

    /// M-Pesa took what was sent last.
    pub(super) fn expect_result(&self) {
        self.lock().is_taken = true;
    }

    /// Whether a trial need not be waited for: credentials are proven or refused, or M-Pesa has
    /// not taken the message, as far as is known. Then the next is the trial.
    pub(super) fn is_decided(&self) -> bool {
        let inner = self.lock();
        inner.state.proven || inner.state.refused.is_some() || !inner.is_taken
    }

    /// A part of the engine has ended.
    pub(super) fn end(&self, part: &'static str) {
        self.lock().state.ended = Some(part);
    }

    /// Whether nothing of this line may be sent until a person has acted.
    pub(super) fn is_shut(&self, line: Line) -> bool {
        self.lock().state.is_shut(line)
    }

    /// Holds sending back for a pause that doubles each time in a row. What was under way when the
    /// pause began says nothing new: a burst is one pause.
    pub(super) fn slow(&self, now: Timestamp) {
        let mut inner = self.lock();
        let state = &mut inner.state;
        if state.slowed_until.is_some_and(|until| until > now) {
            return;
        }
        state.busy = state.busy.saturating_add(1);
        state.slowed_until = Some(retry::resend_at(now, state.busy));
    }

    /// M-Pesa took something, or refused it for what it says: full pace again.
    pub(super) fn ease(&self) {
        let mut inner = self.lock();
        if inner.state.busy != 0 {
            inner.state.busy = 0;
            inner.state.slowed_until = None;
            drop(inner);
            self.changed.notify_waiters();
        }
    }

    /// The way to M-Pesa is open again: what a dead link had held back need not wait for its pause
    /// to end. One tries first; if M-Pesa is still too busy, the next pause is longer.
    pub(super) fn reached(&self) {
        let ended = self.lock().state.slowed_until.take();
        if ended.is_some() {
            self.changed.notify_waiters();
        }
    }

    /// Whether one more may be sent now. While credentials are unproven, or after a pause for a
    /// busy M-Pesa or a dead link, it is one at a time.
    pub(super) fn enter(&self, line: Line, now: Timestamp) -> Entry {
        let mut inner = self.lock();
        if inner.state.is_shut(line) {
            return Entry::Shut;
        }
        if let Some(until) = inner.state.slowed_until
            && !retry::is_due(until, now)
        {
            return Entry::Wait(until.since(now));
        }
        let changed = Arc::clone(&self.changed);
        if inner.state.proven && inner.state.busy == 0 {
            return Entry::Go(Pass { trial: None, changed });
        }
        // Counted by its holders: this room, and the pass.
        if inner.trial.as_ref().is_some_and(|trial| Arc::strong_count(trial) > 1) {
            return Entry::Shut;
        }
        let trial = Arc::new(());
        inner.trial = Some(Arc::clone(&trial));
        inner.is_taken = false;
        Entry::Go(Pass { trial: Some(trial), changed })
    }

    /// When a message of this line may go: now, later, or (`None`) not before something changes.
    pub(super) fn opens_at(&self, line: Line, now: Timestamp) -> Option<Timestamp> {
        let inner = self.lock();
        let is_tried = inner.trial.as_ref().is_some_and(|trial| Arc::strong_count(trial) > 1);
        let is_proven = inner.state.proven && inner.state.busy == 0;
        if inner.state.is_shut(line) || (is_tried && !is_proven) {
            return None;
        }
        let until = inner.state.slowed_until.filter(|until| !retry::is_due(*until, now));
        Some(until.unwrap_or(now))
    }

    /// Ends when something changes after this call, also before it is first waited for.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RailState {
    /// Whether nothing of this line may be sent until a person has acted.
    const fn is_shut(&self, line: Line) -> bool {
        match line {
            Line::Payouts => self.refused.is_some() || self.paused.is_some(),
            Line::Questions => self.refused.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    /// A gate of a rail whose credentials are proven.
    fn proven() -> Gate {
        let gate = Gate::default();
        gate.prove();
        gate
    }

    fn wait(gate: &Gate, now: Timestamp) -> Option<Duration> {
        match gate.enter(Line::Payouts, now) {
            Entry::Go(_pass) => Some(Duration::ZERO),
            Entry::Wait(pause) => Some(pause),
            Entry::Shut => None,
        }
    }

    #[test]
    fn a_busy_mpesa_is_given_longer_and_longer_pauses_until_it_takes_something() {
        let gate = proven();
        assert_eq!(wait(&gate, NOW), Some(Duration::ZERO));
        gate.slow(NOW);
        assert_eq!(wait(&gate, NOW), Some(Duration::from_secs(1)));
        gate.slow(NOW);
        assert_eq!(gate.state().busy, 1, "the same burst");
        let later = NOW.after(Duration::from_secs(1));
        gate.slow(later);
        assert_eq!(wait(&gate, later), Some(Duration::from_secs(2)));
        gate.ease();
        assert_eq!(wait(&gate, later), Some(Duration::ZERO));
    }

    #[test]
    fn a_link_that_is_back_ends_the_pause_and_one_tries_first() {
        let gate = proven();
        for nth in [1, 2, 4, 8, 16, 32, 60] {
            gate.slow(NOW.after(Duration::from_secs(nth * 60)));
        }
        let now = NOW.after(Duration::from_secs(60 * 60));
        assert_eq!(wait(&gate, now), Some(Duration::from_secs(60)));
        gate.reached();
        let Entry::Go(first) = gate.enter(Line::Payouts, now) else { panic!("one may try") };
        assert!(first.is_trial());
        assert!(matches!(gate.enter(Line::Payouts, now), Entry::Shut), "the others wait for it");
        gate.slow(now);
        assert_eq!(wait(&gate, now), Some(Duration::from_secs(60)), "it was not forgotten");
    }

    #[test]
    fn a_link_that_is_back_lifts_no_refusal() {
        let gate = proven();
        gate.slow(NOW);
        gate.refuse("2001", NOW);
        gate.reached();
        assert!(matches!(gate.enter(Line::Payouts, NOW), Entry::Shut));
    }

    #[test]
    fn after_a_pause_one_tries_and_the_others_wait_for_it() {
        let gate = proven();
        gate.slow(NOW);
        let later = NOW.after(Duration::from_secs(1));
        let Entry::Go(first) = gate.enter(Line::Payouts, later) else { panic!("one may try") };
        assert!(first.is_trial());
        assert!(matches!(gate.enter(Line::Payouts, later), Entry::Shut));
        assert!(matches!(gate.enter(Line::Questions, later), Entry::Shut));
        drop(first);
        let Entry::Go(_second) = gate.enter(Line::Payouts, later) else { panic!("the next") };
        gate.ease();
        let Entry::Go(third) = gate.enter(Line::Payouts, later) else { panic!("all may go") };
        assert!(!third.is_trial());
    }

    #[test]
    fn until_credentials_are_proven_one_goes_at_a_time() {
        let gate = Gate::default();
        let Entry::Go(first) = gate.enter(Line::Questions, NOW) else { panic!("one may try") };
        assert!(matches!(gate.enter(Line::Payouts, NOW), Entry::Shut));
        assert!(gate.is_decided(), "nothing has left");
        gate.expect_result();
        assert!(!gate.is_decided());
        gate.prove();
        assert!(gate.is_decided());
        let Entry::Go(second) = gate.enter(Line::Payouts, NOW) else { panic!("all may go") };
        assert!(first.is_trial() && !second.is_trial());
    }

    #[test]
    fn a_wrong_credential_stops_everything_and_only_a_person_lifts_it() {
        let gate = proven();
        gate.refuse("2001", NOW);
        gate.refuse("8006", NOW.after(Duration::from_secs(1)));
        gate.ease();
        gate.prove();
        assert!(!gate.state().proven);
        assert_eq!(gate.state().refused, Some(CredentialStop { at: NOW, code: "2001".into() }));
        assert!(gate.is_shut(Line::Payouts) && gate.is_shut(Line::Questions));
        assert_eq!(wait(&gate, NOW), None);
        let again = Gate::default();
        again.restore(gate.record(Rail::Soap));
        assert!(again.is_shut(Line::Questions), "a restart does not lift it");
        again.resume(NOW, &gate.record(Rail::Soap));
        again.expect_result();
        assert!(!again.is_shut(Line::Payouts) && !again.is_decided());
        assert_eq!(again.record(Rail::Soap).credential, None);
    }

    #[test]
    fn who_resumes_lifts_what_he_has_seen_and_nothing_else() {
        let pause = |by: &str| Pause { at: NOW, by: by.into(), reason: "month end".into() };
        let gate = proven();
        gate.pause(pause("Wanjiru"));
        let seen = gate.record(Rail::Soap);
        gate.refuse("2001", NOW);
        gate.resume(NOW, &seen);
        assert!(gate.state().paused.is_none() && gate.state().refused.is_some());
        let seen = gate.record(Rail::Soap);
        gate.pause(pause("Otieno"));
        gate.resume(NOW, &seen);
        assert!(gate.state().paused.is_some() && gate.state().refused.is_none());
        gate.end("the worker");
        gate.resume(NOW, &gate.record(Rail::Soap));
        assert_eq!(gate.state().ended, Some("the worker"), "no person can lift that");
    }

    #[test]
    fn what_was_sent_before_the_start_proves_nothing() {
        let gate = Gate::default();
        gate.begin(NOW.after(Duration::from_secs(1)));
        gate.expect_result();
        gate.prove_by(NOW);
        assert!(!gate.is_decided());
        gate.prove_by(NOW.after(Duration::from_secs(1)));
        assert!(gate.is_decided());
    }

    #[test]
    fn a_paused_rail_sends_no_payouts_and_still_asks() {
        let gate = proven();
        gate.pause(Pause { at: NOW, by: "Wanjiru".into(), reason: "month end".into() });
        assert!(gate.is_shut(Line::Payouts) && !gate.is_shut(Line::Questions));
        assert_eq!(wait(&gate, NOW), None);
        assert!(matches!(gate.enter(Line::Questions, NOW), Entry::Go(_)));
    }
}
