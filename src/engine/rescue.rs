//! After a start: everything that was in flight is put in its right state before anything is sent.
//!
//! A send that was under way when the program stopped may or may not have reached M-Pesa. It
//! becomes `unknown` and is never sent again on a guess (law 2).

use super::{Applied, Engine, NotApplied};
use crate::domain::payout::{Event, State, Status};
use crate::store::{PAGE_LEN_MAX, PayoutQuery, StoreError, Stored};

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
