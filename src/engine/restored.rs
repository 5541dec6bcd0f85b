//! A store that was made of a back-up: before anybody sends from it, what may have been sent since
//! is put in doubt, and every rail is paused until a person resumes it.
//!
//! It is done on the store itself, before it has its name: no gateway ever starts on one that does
//! not know that it was restored.

use std::time::Duration;

use super::port::Ids;
use crate::domain::id::{EventId, RunId};
use crate::domain::payout::Rail;
use crate::domain::restored::Restoration;
use crate::domain::time::Timestamp;
use crate::domain::{inquiry, payment, payout, text};
use crate::store::{
    Commit, CommitError, InquiryQuery, Kept, Life, LifeWrite, NewEvent, PAGE_LEN_MAX, Pause,
    PaymentQuery, PayoutQuery, PayoutWrite, RailRecord, Store, TextQuery,
};

/// How many moves are written together: well below what a group may hold.
const TOGETHER: usize = 100;

/// What a restored back-up held that may have gone on since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// Payouts that were not sent, and may have been since: they are in doubt from the next start
    /// on.
    pub queued: u64,
    /// Other payouts that are not final: M-Pesa is asked about them.
    pub payouts: u64,
    /// Prompts, inquiries and text messages that are not final.
    pub others: u64,
}

/// Puts in doubt what may have been sent since the back-up was taken, and pauses every rail; `by`
/// is who restores it.
///
/// # Errors
/// In words, when the store failed. It must not be used then.
pub async fn settle_restored(
    store: &dyn Store,
    ids: &dyn Ids,
    (taken_at, now): (Timestamp, Timestamp),
    arrival_window: Duration,
    by: &str,
) -> Result<Unsettled, String> {
    let nobody = RunId::from_bytes(ids.fresh(now));
    let how = Restoration { taken_at, at: now, nobody, arrival_window };
    let mut settling = Settling { store, ids, how, waiting: Commit::default() };
    settling.pause(by).await?;
    let mut unsettled = Unsettled::default();
    settling.payouts(&mut unsettled).await?;
    unsettled.others = settling.payments().await?;
    unsettled.others = unsettled.others.saturating_add(settling.inquiries().await?);
    unsettled.others = unsettled.others.saturating_add(settling.texts().await?);
    settling.write().await?;
    Ok(unsettled)
}

struct Settling<'a> {
    store: &'a dyn Store,
    ids: &'a dyn Ids,
    how: Restoration,
    /// What is to be written next.
    waiting: Commit,
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Settling<'_> {
    /// Every rail, also those that are not set up: it may be set up later.
    async fn pause(&mut self, by: &str) -> Result<(), String> {
        let known = self.store.rails().await.map_err(told)?;
        let (at, taken_at) = (self.how.at, self.how.taken_at);
        for rail in Rail::ALL {
            let record = known.iter().find(|record| record.rail == rail);
            let before = record.and_then(|record| record.paused.as_ref());
            let before = before.map_or_else(String::new, |pause| {
                format!(" (it was paused before, by {}: {})", pause.by, pause.reason)
            });
            let reason = format!(
                "restored from a back-up of {taken_at}: what was sent after that is not known \
                 here. Resume it once the original is stopped for good and what is unknown has \
                 been asked about{before}"
            );
            let says = format!("paused by {by}: {reason}");
            let credential = record.and_then(|record| record.credential.clone());
            let paused = Some(Pause { at, by: by.to_owned(), reason });
            self.waiting.rails.push(RailRecord { rail, credential, paused });
            let event = NewEvent { says, ..self.event(None, "rail.paused") };
            self.waiting.events.push(event);
        }
        self.write().await
    }

    async fn payouts(&mut self, unsettled: &mut Unsettled) -> Result<(), String> {
        let open = payout::Status::ALL.into_iter().filter(|status| !status.is_final());
        // Those in `sending` first: what was queued joins them.
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|status| *status == payout::Status::Queued);
        for status in open {
            let mut query = PayoutQuery { status: Some(status), ..PayoutQuery::all(PAGE_LEN_MAX) };
            loop {
                let page = self.store.payouts(&query).await.map_err(told)?;
                for stored in page.rows {
                    let Some(state) = self.how.payout(&stored.payout) else {
                        continue;
                    };
                    let is_queued = status == payout::Status::Queued;
                    let count =
                        if is_queued { &mut unsettled.queued } else { &mut unsettled.payouts };
                    *count = count.saturating_add(1);
                    let payout = payout::Payout { state, updated_at: self.how.at, ..stored.payout };
                    let kind =
                        if is_queued { payout::Notice::Sending } else { payout::Notice::Noted };
                    self.tell(&Life::Payout(payout.clone()), kind.as_str());
                    let write = PayoutWrite { payout, expected_version: stored.version };
                    self.waiting.payouts.push(write);
                    self.write_if_many().await?;
                }
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
        }
        self.write().await
    }

    async fn payments(&mut self) -> Result<u64, String> {
        let status = Some(payment::Status::Pending);
        let mut query = PaymentQuery { status, ..PaymentQuery::all(PAGE_LEN_MAX) };
        let mut count = 0_u64;
        loop {
            let page = self.store.payments(&query).await.map_err(told)?;
            for Kept { value, version, .. } in page.rows {
                if let Some(state) = self.how.payment(&value) {
                    let value = payment::Payment { state, updated_at: self.how.at, ..value };
                    self.move_life(Life::Payment(value), version, "payment.sending").await?;
                    count = count.saturating_add(1);
                }
            }
            query.after = page.next;
            if page.next.is_none() {
                return Ok(count);
            }
        }
    }

    async fn inquiries(&mut self) -> Result<u64, String> {
        let mut count = 0_u64;
        let mut query = InquiryQuery::all(PAGE_LEN_MAX);
        loop {
            let page = self.store.inquiries(&query).await.map_err(told)?;
            for Kept { value, version, .. } in page.rows {
                if let Some(state) = self.how.inquiry(&value) {
                    let value = inquiry::Inquiry { state, updated_at: self.how.at, ..value };
                    self.move_life(Life::Inquiry(value), version, "inquiry.noted").await?;
                    count = count.saturating_add(1);
                }
            }
            query.after = page.next;
            if page.next.is_none() {
                return Ok(count);
            }
        }
    }

    async fn texts(&mut self) -> Result<u64, String> {
        let status = Some(text::Status::Queued);
        let mut query = TextQuery { status, ..TextQuery::all(PAGE_LEN_MAX) };
        let mut count = 0_u64;
        loop {
            let page = self.store.texts(&query).await.map_err(told)?;
            for Kept { value, version, .. } in page.rows {
                if let Some(state) = self.how.text(&value) {
                    let value = text::Text { state, updated_at: self.how.at, ..value };
                    self.move_life(Life::Text(value), version, "text.sending").await?;
                    count = count.saturating_add(1);
                }
            }
            query.after = page.next;
            if page.next.is_none() {
                return Ok(count);
            }
        }
    }

    async fn move_life(&mut self, life: Life, version: u64, kind: &str) -> Result<(), String> {
        self.tell(&life, kind);
        self.waiting.lives.push(LifeWrite { life, expected_version: version });
        self.write_if_many().await
    }

    /// Its history says what happened to it.
    fn tell(&mut self, life: &Life, kind: &str) {
        let event = self.event(Some(life), kind);
        self.waiting.events.push(event);
    }

    fn event(&self, life: Option<&Life>, kind: &str) -> NewEvent {
        NewEvent {
            id: EventId::from_bytes(self.ids.fresh(self.how.at)),
            at: self.how.at,
            kind: kind.to_owned(),
            app: life.and_then(Life::app),
            about: life.map(Life::subject),
            status: life.map(Life::standing),
            says: format!(
                "restored from a back-up of {}; what happened to it since is not known here, and \
                 nothing is sent again on a guess",
                self.how.taken_at
            ),
            code: None,
            messages: vec![],
        }
    }

    async fn write_if_many(&mut self) -> Result<(), String> {
        if self.waiting.events.len() >= TOGETHER { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), String> {
        let commit = std::mem::take(&mut self.waiting);
        if commit.events.is_empty() {
            return Ok(());
        }
        let written: Result<_, CommitError> = self.store.commit(commit).await;
        written.map(drop).map_err(told)
    }
}
