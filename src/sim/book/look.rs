//! What is read from the book: balances, sums, and what moved by whatever name.

use std::ops::Bound;
use std::sync::Arc;

use super::number::count;
use super::{Book, By, End, Entry, Moved, Movement, Received, Record, counting_part};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;

/// How many movements are looked through for what a person seeks.
pub const LOOKED_MAX: usize = 20_000;

/// Whether a text names a movement: its receipt, one of its names, its account, what it gives
/// back.
fn is_called(moved: &Moved, text: &str) -> bool {
    let names = [&*moved.originator_conversation_id, &moved.conversation_id, &moved.receipt];
    let more = match &moved.movement {
        Movement::Payout(_) => "",
        Movement::Deposit(deposit) => &deposit.account,
        Movement::Business(business) => &business.account,
        Movement::Reversal(reversal) => &reversal.receipt,
    };
    names.into_iter().any(|name| name.contains(text)) || more.contains(text)
}

impl Book {
    /// What the utility account holds.
    pub const fn balance(&self) -> Amount {
        self.balance
    }

    /// What it held at the start, and what was put into it or taken out by hand since.
    pub const fn opening(&self) -> Amount {
        self.opening
    }

    /// Has an account hold this: the utility account, or the working account of a short code. No
    /// payment is behind it; somebody in the organisation moved money by hand.
    pub fn set_balance(&mut self, shortcode: Option<&ShortCode>, balance: Amount) {
        match shortcode {
            Some(shortcode) => {
                if let Some(held) = self.working.get_mut(shortcode) {
                    *held = balance;
                }
            }
            None => {
                let without = self.opening.checked_add(balance);
                let opening = without.and_then(|sum| sum.checked_sub(self.balance));
                self.opening = opening.unwrap_or_default();
                self.balance = balance;
            }
        }
    }

    /// What the working account of a short code holds, if it is the organisation's.
    pub fn working(&self, shortcode: &ShortCode) -> Option<Amount> {
        self.working.get(shortcode).copied()
    }

    /// Every working account.
    pub fn all_working(&self) -> Vec<(ShortCode, Amount)> {
        self.working.iter().map(|(code, held)| (code.clone(), *held)).collect()
    }

    /// The place of the last movement; 0 before there is any.
    pub fn last_seq(&self) -> u64 {
        count(self.lines.len())
    }

    /// What was paid out in all.
    pub const fn total_paid(&self) -> Amount {
        self.paid
    }

    /// What customers paid in all.
    pub const fn total_received(&self) -> Amount {
        self.received
    }

    /// How much of that was given back.
    pub const fn total_reversed(&self) -> Amount {
        self.given_back
    }

    /// How many payouts there were.
    pub const fn payments(&self) -> u64 {
        self.payouts
    }

    /// The payout of this OriginatorConversationID, if it moved money.
    pub fn find(&self, originator_conversation_id: &str) -> Option<Entry> {
        self.entry(self.line_of(originator_conversation_id)?)
    }

    /// The movement of this OriginatorConversationID, if it moved money.
    pub fn find_moved(&self, originator_conversation_id: &str) -> Option<Moved> {
        self.moved(self.line_of(originator_conversation_id)?)
    }

    /// The movement with this receipt.
    pub fn by_receipt(&self, receipt: &str) -> Option<Moved> {
        self.moved(self.by_receipt_line(receipt)?)
    }

    fn line_of(&self, originator_conversation_id: &str) -> Option<usize> {
        match self.requests.get(*self.taken.get(originator_conversation_id)?)?.end {
            End::Paid(line) => Some(line),
            End::Failed(_) | End::Asked => None,
        }
    }

    /// The payment that is asked for, paid or failed; a question is none.
    pub fn look_up(&self, by: &By) -> Option<Record> {
        let place = match by {
            By::OriginatorConversationId(id) => *self.taken.get(id.as_str())?,
            By::ConversationId(id) => self.by_conversation(id)?,
            By::Receipt(receipt) => self.lines.get(self.by_receipt_line(receipt)?)?.request,
        };
        let kept = self.requests.get(place)?;
        let movement = match &kept.end {
            End::Asked => return None,
            End::Failed(failed) => failed.1.clone(),
            End::Paid(line) => Some(self.lines.get(*line)?.movement()),
        };
        Some(Record {
            at: kept.at,
            originator_conversation_id: Arc::clone(&kept.originator_conversation_id),
            conversation_id: self.name_of(place)?,
            movement,
            fate: self.fate(kept),
        })
    }

    fn by_conversation(&self, id: &str) -> Option<usize> {
        let place = *self.conversations.get(&counting_part(id)?)?;
        (self.name_of(place)? == id).then_some(place)
    }

    pub(super) fn by_receipt_line(&self, receipt: &str) -> Option<usize> {
        let counting = receipt.get(receipt.len().checked_sub(7)?..)?;
        let place = *self.receipts.get(&u64::from_str_radix(counting, 36).ok()?)?;
        let line = self.lines.get(place)?;
        self.receipt(line.receipt).eq_ignore_ascii_case(receipt).then_some(place)
    }

    /// Up to `limit` payouts whose `seq` is greater than `after`, in order.
    pub fn entries(&self, after: u64, limit: usize) -> Vec<Entry> {
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        (start..self.lines.len()).filter_map(|index| self.entry(index)).take(limit).collect()
    }

    /// Up to `limit` movements of whatever kind whose `seq` is greater than `after`, in order.
    pub fn movements(&self, after: u64, limit: usize) -> Vec<Moved> {
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        (start..self.lines.len()).take(limit).filter_map(|index| self.moved(index)).collect()
    }

    /// The last `limit` movements of whatever kind, in order.
    pub fn latest(&self, limit: usize) -> Vec<Moved> {
        let start = self.lines.len().saturating_sub(limit);
        (start..self.lines.len()).filter_map(|index| self.moved(index)).collect()
    }

    /// Up to `limit` movements that a person looks for: of this phone, or with this text as a
    /// receipt, an account or a name; the last of the last `LOOKED_MAX`, in order.
    pub fn sought(&self, text: &str, limit: usize) -> Vec<Moved> {
        let phone: Option<Msisdn> = text.parse().ok();
        let start = self.lines.len().saturating_sub(LOOKED_MAX);
        let all = (start..self.lines.len()).rev().filter_map(|index| self.moved(index));
        let is_it = |moved: &Moved| match phone {
            Some(phone) => moved.phone == Some(phone),
            None => is_called(moved, text),
        };
        let mut found: Vec<Moved> = all.filter(is_it).take(limit).collect();
        found.reverse();
        found
    }

    /// Up to `limit` payments to a short code that came from `from` until `until`, in order,
    /// without the first `skip`.
    pub fn deposits(
        &self,
        shortcode: &ShortCode,
        (from, until): (Timestamp, Timestamp),
        (skip, limit): (usize, usize),
    ) -> Vec<Moved> {
        let places = self.deposits.get(shortcode).map(Vec::as_slice).unwrap_or_default();
        let at = |place: &usize| self.lines.get(*place).and_then(|l| self.requests.get(l.request));
        let begin = places.partition_point(|place| at(place).is_some_and(|kept| kept.at < from));
        let rest = places.get(begin..).unwrap_or_default().iter();
        rest.take_while(|place| at(place).is_some_and(|kept| kept.at <= until))
            .skip(skip)
            .take(limit)
            .filter_map(|place| self.moved(*place))
            .collect()
    }

    /// Up to `limit` recipients whose phone is greater than `after`, in order.
    pub fn recipients(&self, after: Option<Msisdn>, limit: usize) -> Vec<(Msisdn, Received)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.recipients
            .range((start, Bound::Unbounded))
            .take(limit)
            .map(|(phone, received)| (*phone, *received))
            .collect()
    }
}
