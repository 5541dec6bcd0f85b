//! Payments whose confirmations never came: pulled, and taken as if they had (spec/daraja.md §1.13,
//! §2.2).

use std::time::Duration;

use serde_json::json;

use crate::domain::payment::{C2bNotice, Source};
use crate::domain::payout::Rail;
use crate::domain::time::Timestamp;
use crate::engine::port::{Api, Call, Counter, Pulled, Reply};
use crate::engine::{Engine, Incoming};
use crate::store::Channel;

/// The most pages of one pull: a hundred thousand payments, far more than a window holds. What is
/// beyond them is found by the next pull, whose window has moved on.
const PAGES_MAX: u32 = 1_000;
/// How many rows a full page has, about: a page with fewer is the last (spec/daraja.md §1.13).
const ROWS_PER_PAGE: u32 = 100;

/// What a pull found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many payments M-Pesa told of.
    pub rows: u32,
    /// How many of them were not in the book, and are now.
    pub missed: u32,
}

impl Engine {
    /// Pulls the payments of the last `window`, and takes those that are not in the book. Those
    /// that are say nothing new: they leave no trace.
    ///
    /// # Errors
    /// Why M-Pesa did not tell them, or they could not be written down; those before it were.
    pub async fn recover(&self, window: Duration) -> Result<Recovered, String> {
        let Some(counter) = self.counter_of(Rail::Daraja) else {
            return Err("there is no counter to pull payments at".to_owned());
        };
        let to = self.parts.clock.now();
        let back = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let from = Timestamp::from_millis(to.millis().saturating_sub(back));
        let mut recovered = Recovered::default();
        for _page in 0..PAGES_MAX {
            let page = self.pull(counter.as_ref(), (from, to), recovered.rows).await?;
            for notice in &page.notices {
                if self.take_pulled(notice).await? {
                    recovered.missed = recovered.missed.saturating_add(1);
                }
            }
            recovered.rows = recovered.rows.saturating_add(page.rows);
            if page.rows < ROWS_PER_PAGE {
                break;
            }
        }
        Ok(recovered)
    }

    async fn pull(
        &self,
        counter: &dyn Counter,
        (from, to): (Timestamp, Timestamp),
        offset: u32,
    ) -> Result<Pulled, String> {
        let call = counter.prepare(Call::Pull { from, to, offset }, self.parts.clock.now())?;
        let place = counter.admit(Api::Pull).await;
        match self.on_the_wire(counter.call(call, place, None)).await.reply {
            Reply::Pulled(pulled) => pulled,
            Reply::NothingSent(why) => Err(why.says().to_owned()),
            Reply::NoAnswer(why) => Err(why.says().to_owned()),
            Reply::Prompted(_) | Reply::Queried(_) | Reply::Inquired(_) => {
                Err("the counter answered another call".to_owned())
            }
        }
    }

    /// Whether it was new.
    async fn take_pulled(&self, notice: &C2bNotice) -> Result<bool, String> {
        let known = self.parts.store.payment_by_receipt(&notice.receipt).await;
        if known.map_err(|error| error.to_string())?.is_some() {
            return Ok(false);
        }
        // A page tells of many; each payment keeps its own part of it.
        let row = json!({
            "transactionId": notice.receipt.as_str(),
            "trxDate": notice.time.map(Timestamp::rfc3339),
            "billreference": notice.account,
            "amount": notice.amount.to_string(),
            "shortcode": notice.shortcode,
        });
        let body = row.to_string().into_bytes();
        let incoming =
            Incoming { channel: Channel::C2bPulled, peer: None, certificate: None, body };
        let heard = self.hear_c2b(incoming, Ok(notice.clone()), Source::Pull).await;
        heard.map_err(|error| error.to_string())?;
        Ok(true)
    }
}
