//! After a start: everything that was in flight is put in its right state before anything is sent.
//!
//! A send that was under way when the program stopped may or may not have reached M-Pesa. It
//! becomes `unknown` and is never sent again on a guess (law 2).

use super::{Applied, Engine, NotApplied};
use crate::domain::inquiry::{self, Inquiry};
use crate::domain::payment::{self, Payment};
use crate::domain::payout::{Event, Lease, State, Status};
use crate::domain::subject::Subject;
use crate::domain::text::{self, Text};
use crate::domain::time::Timestamp;
use crate::store::{
    InquiryQuery, PAGE_LEN_MAX, PaymentQuery, PayoutQuery, StoreError, Stored, TextQuery,
};

/// What was found at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Sends that were under way and are in doubt now.
    pub lapsed: u64,
    /// Accepted payouts whose results are awaited.
    pub awaited: u64,
    /// Payouts that wait to be sent.
    pub queued: u64,
    /// Payouts that M-Pesa is asked about.
    pub unknown: u64,
}

impl Engine {
    pub(super) async fn rescue(&self) -> Result<Rescued, StoreError> {
        let mut rescued = Rescued::default();
        let sending = self.each(Status::Sending, |engine, stored| {
            let State::Sending { lease, .. } = &stored.payout.state else {
                return None;
            };
            // A lease of this run is being worked on by this run.
            (lease.owner != engine.run).then_some((stored.payout.details.id, *lease))
        });
        for (id, lease) in sending.await? {
            match self.apply(id, &Event::LeaseLapsed { lease }, vec![]).await {
                Ok(Applied::Moved { .. }) => rescued.lapsed = rescued.lapsed.saturating_add(1),
                Ok(_) => {}
                Err(error @ (NotApplied::NoSuchPayout | NotApplied::Busy)) => {
                    return Err(StoreError::Failed(error.to_string()));
                }
                Err(NotApplied::Store(why)) => return Err(StoreError::Failed(why)),
            }
        }
        self.rescue_lives().await?;
        self.sweep().await?;
        rescued.awaited = self.parts.store.counts().of(Status::Accepted);
        rescued.queued = self.parts.store.counts().of(Status::Queued);
        rescued.unknown = self.parts.store.counts().of(Status::Unknown);
        Ok(rescued)
    }

    /// Sets the timers of all payouts that time moves: what is being sent, what waits for its
    /// result, and, by way of their lines, what is queued or in doubt.
    pub(super) async fn sweep(&self) -> Result<(), StoreError> {
        self.tracks.look_through_store();
        for status in [Status::Sending, Status::Accepted] {
            let timed = self.each(status, |engine, stored| -> Option<()> {
                let at = stored.payout.state.wakes_at()?;
                engine.timers.add(at, stored.payout.details.id);
                None
            });
            timed.await?;
        }
        self.each_life(|subject, _lease, wakes| {
            if let Some(at) = wakes {
                self.timers.add(at, subject);
            }
        })
        .await
    }

    /// Puts prompts, inquiries and text messages that were being sent in doubt: who sent them is
    /// gone.
    async fn rescue_lives(&self) -> Result<(), StoreError> {
        let mut lapsed: Vec<(Subject, Lease)> = Vec::new();
        self.each_life(|subject, lease, _wakes| {
            lapsed.extend(lease.filter(|lease| lease.owner != self.run).map(|it| (subject, it)));
        })
        .await?;
        for (subject, lease) in lapsed {
            let done = match subject {
                Subject::Payment(id) => {
                    let event = payment::Event::LeaseLapsed { lease };
                    self.apply_life::<Payment>(id, &event, &[]).await.map(|_came| ())
                }
                Subject::Inquiry(id) => {
                    let event = inquiry::Event::LeaseLapsed { lease };
                    self.apply_life::<Inquiry>(id, &event, &[]).await.map(|_came| ())
                }
                Subject::Text(id) => {
                    let event = text::Event::LeaseLapsed { lease };
                    self.apply_life::<Text>(id, &event, &[]).await.map(|_came| ())
                }
                Subject::Payout(_) => Ok(()),
            };
            done.map_err(|error| StoreError::Failed(error.to_string()))?;
        }
        Ok(())
    }

    /// Everything besides payouts that the clock moves: what it is, who sends it, when it wakes.
    async fn each_life(
        &self,
        mut look: impl FnMut(Subject, Option<Lease>, Option<Timestamp>),
    ) -> Result<(), StoreError> {
        let store = &self.parts.store;
        for status in [payment::Status::Pending, payment::Status::Unknown] {
            let mut query =
                PaymentQuery { status: Some(status), ..PaymentQuery::all(PAGE_LEN_MAX) };
            loop {
                let page = store.payments(&query).await?;
                for payment in page.rows.iter().map(|kept| &kept.value) {
                    let lease = payment.state.lease();
                    look(payment.details.id.into(), lease, payment.state.wakes_at());
                }
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
        }
        for status in inquiry::Status::ALL.into_iter().filter(|status| !status.is_final()) {
            let mut query =
                InquiryQuery { status: Some(status), ..InquiryQuery::all(PAGE_LEN_MAX) };
            loop {
                let page = store.inquiries(&query).await?;
                for inquiry in page.rows.iter().map(|kept| &kept.value) {
                    let lease = inquiry.state.lease();
                    look(inquiry.details.id.into(), lease, inquiry.state.wakes_at());
                }
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
        }
        for status in text::Status::ALL.into_iter().filter(|status| !status.is_final()) {
            let mut query = TextQuery { status: Some(status), ..TextQuery::all(PAGE_LEN_MAX) };
            loop {
                let page = store.texts(&query).await?;
                for text in page.rows.iter().map(|kept| &kept.value) {
                    let lease = text.state.lease();
                    look(text.details.id.into(), lease, text.state.wakes_at());
                }
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads all payouts of one status, a page at a time.
    async fn each<T>(
        &self,
        status: Status,
        take: impl Fn(&Self, &Stored) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut query = PayoutQuery { status: Some(status), ..PayoutQuery::all(PAGE_LEN_MAX) };
        let mut taken = Vec::new();
        loop {
            let page = self.parts.store.payouts(&query).await?;
            taken.extend(page.rows.iter().filter_map(|stored| take(self, stored)));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(taken),
            }
        }
    }
}
