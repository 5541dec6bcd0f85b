//! The simulator's money: who had how much, and each time that money moved. Pure.
//!
//! The book is the judge of the promise: it knows nothing of the gateway, and what it says was
//! paid was paid. An OriginatorConversationID moves money at most once, whatever the command
//! (spec/soap.md §10, 3).

mod entry;
mod look;
mod number;
#[cfg(test)]
mod tests;

pub use entry::{
    Business, By, Channel, Deposit, Entry, Fate, Moved, Movement, NotTaken, Payment, Received,
    Record, Reserved, Reversal, Taken, Till, Wish,
};
pub(super) use number::{daraja_id, mix, no_receipt};

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::script::{Code, NO_FUNDS};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;
use number::{count, receipt_place};

/// The most requests that one book takes: a good gigabyte. A full book refuses, it forgets
/// nothing, because what it forgot it would pay twice.
pub const REQUESTS_MAX: usize = 5_000_000;

/// The least that may be paid out; less fails with 2 (spec/soap.md §5.2).
pub const LEAST: Amount = Amount::from_shillings(10);
/// The most that may be moved at once; more fails with 3 (spec/soap.md §5.2).
pub const MOST: Amount = Amount::from_shillings(250_000);

/// A reversal of what was reversed before (spec/daraja.md §3.3).
pub const REVERSED_BEFORE: &str = "R000001";
/// A reversal of what cannot be reversed (spec/daraja.md §3.3).
pub const NOT_REVERSIBLE: &str = "R000002";

/// A [`Moved`] as it is kept: what can be computed is not stored.
struct Line {
    /// The request that moved it, among [`Book::requests`].
    request: usize,
    /// The counting part of its receipt.
    receipt: u64,
    what: What,
    balance: Amount,
    /// The line that gave it back.
    reversed_by: Option<usize>,
}

/// A [`Movement`] as it is kept: most are payouts, and stay small.
enum What {
    Payout(Payment),
    Other(Box<Movement>),
}

/// A request that was taken, as it is kept.
struct Kept {
    at: Timestamp,
    originator_conversation_id: Arc<str>,
    /// A ConversationID that was told before the request was taken.
    told: Option<Box<str>>,
    end: End,
}

/// What was made for a request before it was taken.
#[derive(Default)]
struct Made {
    receipt: Option<u64>,
    conversation_id: Option<Box<str>>,
}

/// How a request ended.
enum End {
    /// Paid by this line.
    Paid(usize),
    /// Not paid.
    Failed(Box<(Code, Option<Movement>)>),
    /// A question.
    Asked,
}

/// The organisation's accounts, its recipients, and the ledger of what moved.
///
/// One book serves both interfaces: an OriginatorConversationID that is spent on one of them is
/// spent on the other.
pub struct Book {
    seed: u64,
    opening: Amount,
    /// The utility account, from which payouts are made.
    balance: Amount,
    /// The working account of each short code, into which customers pay.
    working: BTreeMap<ShortCode, Amount>,
    paid: Amount,
    payouts: u64,
    received: Amount,
    given_back: Amount,
    capacity: usize,
    lines: Vec<Line>,
    /// Every request that was taken, in order.
    requests: Vec<Kept>,
    /// Every OriginatorConversationID ever taken, with its place in `requests`.
    taken: HashMap<Arc<str>, usize>,
    /// The counting part of each ConversationID, with its place in `requests`.
    conversations: HashMap<u64, usize>,
    /// How many receipts were given out or set aside.
    receipts_made: u64,
    /// How many names of M-Pesa's were told before their requests were taken.
    told_early: u64,
    /// The counting part of each receipt, with its place in `lines`.
    receipts: HashMap<u64, usize>,
    /// Where in `lines` the payments to each short code stand.
    deposits: BTreeMap<ShortCode, Vec<usize>>,
    recipients: BTreeMap<Msisdn, Received>,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("balance", &self.balance)
            .field("taken", &self.taken.len())
            .field("moved", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl Book {
    /// An empty ledger and a utility account that holds `opening`. Receipts and conversation ids
    /// follow from `seed` and the order of requests alone.
    pub fn new(seed: u64, opening: Amount) -> Self {
        Self::with_capacity(seed, opening, REQUESTS_MAX)
    }

    fn with_capacity(seed: u64, opening: Amount, capacity: usize) -> Self {
        Self {
            seed,
            opening,
            balance: opening,
            working: BTreeMap::new(),
            paid: Amount::ZERO,
            payouts: 0,
            received: Amount::ZERO,
            given_back: Amount::ZERO,
            capacity,
            lines: Vec::new(),
            requests: Vec::new(),
            taken: HashMap::new(),
            conversations: HashMap::new(),
            receipts_made: 0,
            told_early: 0,
            receipts: HashMap::new(),
            deposits: BTreeMap::new(),
            recipients: BTreeMap::new(),
        }
    }

    /// Opens a working account.
    #[must_use]
    pub fn with_working(mut self, shortcode: ShortCode, opening: Amount) -> Self {
        self.working.insert(shortcode, opening);
        self
    }

    /// Whether this OriginatorConversationID is spent.
    pub fn knows(&self, originator_conversation_id: &str) -> bool {
        self.taken.contains_key(originator_conversation_id)
    }

    /// Takes a request: spends its id, and moves money if `wish` says so and it can.
    ///
    /// # Errors
    /// [`NotTaken`] when the id is spent already or the book is full.
    pub fn take(
        &mut self,
        at: Timestamp,
        originator_conversation_id: &str,
        wish: Wish,
    ) -> Result<Taken, NotTaken> {
        self.take_with(at, originator_conversation_id, wish, Made::default())
    }

    /// [`Self::take`], of a request whose ConversationID was told when it was put into the queue.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_told(
        &mut self,
        at: Timestamp,
        originator_conversation_id: &str,
        wish: Wish,
        conversation_id: &str,
    ) -> Result<Taken, NotTaken> {
        let made = Made { conversation_id: Some(conversation_id.into()), receipt: None };
        self.take_with(at, originator_conversation_id, wish, made)
    }

    fn take_with(
        &mut self,
        at: Timestamp,
        originator_conversation_id: &str,
        wish: Wish,
        made: Made,
    ) -> Result<Taken, NotTaken> {
        if self.knows(originator_conversation_id) {
            return Err(NotTaken::Duplicate);
        }
        if self.taken.len() >= self.capacity {
            return Err(NotTaken::Full);
        }
        let place = self.requests.len();
        let number = count(place);
        let id: Arc<str> = Arc::from(originator_conversation_id);
        let end = match wish {
            Wish::Ask => End::Asked,
            Wish::Fail(code, movement) => End::Failed(Box::new((code, movement))),
            Wish::Pay(payment) => {
                self.carry_out((place, at), Movement::Payout(payment), made.receipt)
            }
            Wish::Move(movement) => self.carry_out((place, at), movement, made.receipt),
        };
        let spread = match &made.conversation_id {
            Some(told) => counting_part(told).unwrap_or_default(),
            None => self.spread(number),
        };
        self.conversations.insert(spread, place);
        let originator_conversation_id = Arc::clone(&id);
        let told = made.conversation_id;
        self.requests.push(Kept { at, originator_conversation_id, told, end });
        self.taken.insert(id, place);
        let conversation_id = self.name_of(place).unwrap_or_default();
        let fate = self.requests.get(place).map_or(Fate::Asked, |kept| self.fate(kept));
        Ok(Taken { number, conversation_id, fate })
    }

    /// A ConversationID for a request that waits in a queue; [`Self::take_told`] takes it later.
    pub fn early_conversation_id(&mut self, at: Timestamp) -> String {
        self.told_early = self.told_early.saturating_add(1);
        self.conversation_id(at, u64::MAX.saturating_sub(self.told_early))
    }

    /// M-Pesa's name for the request that stands at `place`.
    fn name_of(&self, place: usize) -> Option<String> {
        let kept = self.requests.get(place)?;
        let told = kept.told.as_ref().map(ToString::to_string);
        Some(told.unwrap_or_else(|| self.conversation_id(kept.at, count(place))))
    }

    /// Sets a receipt aside: M-Pesa names a customer's payment before it moves
    /// (spec/daraja.md §2.2).
    pub fn reserve(&mut self, at: Timestamp) -> Reserved {
        let number = self.next_receipt(at);
        Reserved { number, receipt: self.receipt(number) }
    }

    fn next_receipt(&mut self, at: Timestamp) -> u64 {
        let index = self.receipts_made;
        self.receipts_made = index.saturating_add(1);
        number::receipt_number(at, index)
    }

    /// Moves a customer's payment. Nobody outside names it, so it gets a name of its own.
    ///
    /// # Errors
    /// [`NotTaken::Full`], or the `ResultCode` that it fails with.
    pub fn deposit(
        &mut self,
        at: Timestamp,
        deposit: Deposit,
        reserved: &Reserved,
    ) -> Result<Moved, Code> {
        let id = self.fresh_id();
        let wish = Wish::Move(Movement::Deposit(deposit));
        let taken = self
            .take_with(at, &id, wish, Made { receipt: Some(reserved.number), ..Made::default() })
            .map_err(|_full| Code::Borrowed("26"))?;
        match taken.fate {
            Fate::Moved(moved) => Ok(*moved),
            Fate::NotPaid(code) => Err(code),
            Fate::Paid(_) | Fate::Asked => Err(Code::Borrowed("26")),
        }
    }

    /// A name for a request whose caller gave it none (spec/daraja.md §9).
    pub fn fresh_id(&self) -> String {
        let mut number = count(self.requests.len());
        loop {
            let id = daraja_id(self.seed, number);
            if !self.knows(&id) {
                return id;
            }
            number = number.wrapping_add(1);
        }
    }

    /// Moves money at a time, for the request that is about to stand at `request`.
    fn carry_out(
        &mut self,
        (request, at): (usize, Timestamp),
        movement: Movement,
        reserved: Option<u64>,
    ) -> End {
        let reverses = match &movement {
            Movement::Reversal(reversal) => self.by_receipt_line(&reversal.receipt),
            Movement::Payout(_) | Movement::Deposit(_) | Movement::Business(_) => None,
        };
        let balance = match self.movement(&movement, reverses) {
            Ok(balance) => balance,
            Err(code) => return End::Failed(Box::new((code, Some(movement)))),
        };
        let line = self.lines.len();
        if let Some(reversed) = reverses.and_then(|place| self.lines.get_mut(place)) {
            reversed.reversed_by = Some(line);
        }
        self.settle(&movement, balance, line);
        let receipt = reserved.unwrap_or_else(|| self.next_receipt(at));
        self.receipts.insert(self.receipt_place(receipt), line);
        let what = match movement {
            Movement::Payout(payment) => What::Payout(payment),
            other @ (Movement::Deposit(_) | Movement::Business(_) | Movement::Reversal(_)) => {
                What::Other(Box::new(other))
            }
        };
        self.lines.push(Line { request, receipt, what, balance, reversed_by: None });
        End::Paid(line)
    }

    fn fate(&self, kept: &Kept) -> Fate {
        match &kept.end {
            End::Asked => Fate::Asked,
            End::Failed(failed) => Fate::NotPaid(failed.0.clone()),
            // A line that a request names is there.
            End::Paid(line) => self.entry(*line).map_or_else(
                || self.moved(*line).map_or(Fate::Asked, |moved| Fate::Moved(Box::new(moved))),
                Fate::Paid,
            ),
        }
    }

    /// What the organisation's account would hold after it, or the code it fails with.
    /// `reverses` is the line that a reversal gives back.
    fn movement(&self, movement: &Movement, reverses: Option<usize>) -> Result<Amount, Code> {
        let amount = movement.amount();
        if amount > MOST && !matches!(movement, Movement::Business(_)) {
            return Err(Code::Borrowed("3"));
        }
        let least = if matches!(movement, Movement::Payout(_)) { LEAST } else { Amount::ZERO };
        if amount < least || amount == Amount::ZERO {
            return Err(Code::Borrowed("2"));
        }
        let no_funds = Code::Borrowed(NO_FUNDS);
        let nobody = Code::Borrowed("SFC_IC0003");
        match movement {
            Movement::Payout(_) => self.balance.checked_sub(amount).ok_or(no_funds),
            Movement::Deposit(deposit) => {
                let held = self.working.get(&deposit.shortcode).ok_or(nobody)?;
                held.checked_add(amount).ok_or(Code::Borrowed("8"))
            }
            Movement::Business(business) => {
                let held = self.working.get(&business.from).ok_or(nobody)?;
                held.checked_sub(amount).ok_or(no_funds)
            }
            Movement::Reversal(reversal) => {
                self.reversible(reversal, reverses)?;
                let held = self.working.get(&reversal.shortcode).ok_or(nobody)?;
                held.checked_sub(amount).ok_or(no_funds)
            }
        }
    }

    /// Only a customer's payment to the one who asks is given back, whole and once.
    fn reversible(&self, reversal: &Reversal, reverses: Option<usize>) -> Result<(), Code> {
        let line = reverses.and_then(|place| self.lines.get(place));
        let Some((line, deposit)) = line.and_then(|line| Some((line, line.deposit()?))) else {
            return Err(Code::Borrowed(NOT_REVERSIBLE));
        };
        if deposit.shortcode != reversal.shortcode {
            return Err(Code::Borrowed(NOT_REVERSIBLE));
        }
        if line.reversed_by.is_some() {
            return Err(Code::Borrowed(REVERSED_BEFORE));
        }
        if deposit.amount != reversal.amount {
            return Err(Code::Borrowed("25"));
        }
        Ok(())
    }

    /// Writes the accounts: `balance` is what [`Self::movement`] found.
    fn settle(&mut self, movement: &Movement, balance: Amount, line: usize) {
        let more = |sum: Amount| sum.checked_add(movement.amount()).unwrap_or(sum);
        match movement {
            Movement::Payout(payment) => {
                self.balance = balance;
                self.paid = more(self.paid);
                self.payouts = self.payouts.saturating_add(1);
                let received = self.recipients.entry(payment.phone).or_default();
                received.total = more(received.total);
                received.payments = received.payments.saturating_add(1);
            }
            Movement::Deposit(deposit) => {
                self.working.insert(deposit.shortcode.clone(), balance);
                self.received = more(self.received);
                self.deposits.entry(deposit.shortcode.clone()).or_default().push(line);
            }
            Movement::Business(business) => {
                self.working.insert(business.from.clone(), balance);
                if business.is_to_utility() {
                    self.balance = more(self.balance);
                } else if let Some(held) = self.working.get_mut(&business.to) {
                    *held = more(*held);
                }
            }
            Movement::Reversal(reversal) => {
                self.working.insert(reversal.shortcode.clone(), balance);
                self.given_back = more(self.given_back);
            }
        }
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        let line = self.lines.get(index)?;
        let What::Payout(payment) = line.what else {
            return None;
        };
        let request = self.requests.get(line.request)?;
        Some(Entry {
            seq: count(index).saturating_add(1),
            at: request.at,
            originator_conversation_id: Arc::clone(&request.originator_conversation_id),
            conversation_id: self.name_of(line.request)?,
            receipt: self.receipt(line.receipt),
            phone: payment.phone,
            amount: payment.amount,
            command: payment.command,
            balance: line.balance,
        })
    }

    fn moved(&self, index: usize) -> Option<Moved> {
        let line = self.lines.get(index)?;
        let request = self.requests.get(line.request)?;
        let movement = line.movement();
        let phone = match &movement {
            Movement::Payout(payment) => Some(payment.phone),
            Movement::Deposit(deposit) => Some(deposit.phone),
            Movement::Business(_) => None,
            Movement::Reversal(reversal) => self
                .by_receipt_line(&reversal.receipt)
                .and_then(|place| Some(self.lines.get(place)?.deposit()?.phone)),
        };
        let reversed_by = line.reversed_by.and_then(|place| self.lines.get(place));
        Some(Moved {
            seq: count(index).saturating_add(1),
            at: request.at,
            originator_conversation_id: Arc::clone(&request.originator_conversation_id),
            conversation_id: self.name_of(line.request)?,
            receipt: self.receipt(line.receipt),
            movement,
            phone,
            balance: line.balance,
            reversed_by: reversed_by.map(|line| self.receipt(line.receipt)),
        })
    }

    /// `AG_<yyyyMMdd>_<20 hex>` (spec/soap.md §4.1), different for each request.
    fn conversation_id(&self, at: Timestamp, number: u64) -> String {
        let low = self.spread(number);
        let high = mix(low) & 0xffff;
        format!("AG_{}_{high:04x}{low:016x}", at.east_africa_date())
    }

    /// The part of a ConversationID that no two requests share.
    const fn spread(&self, number: u64) -> u64 {
        mix(mix(self.seed).wrapping_add(number))
    }

    fn receipt_place(&self, number: u64) -> u64 {
        receipt_place(self.seed, number)
    }

    fn receipt(&self, number: u64) -> String {
        number::receipt(self.seed, number)
    }
}

/// The part of a ConversationID that no two requests share.
fn counting_part(id: &str) -> Option<u64> {
    u64::from_str_radix(id.get(id.len().checked_sub(16)?..)?, 16).ok()
}

impl Line {
    fn movement(&self) -> Movement {
        match &self.what {
            What::Payout(payment) => Movement::Payout(*payment),
            What::Other(movement) => Movement::clone(movement),
        }
    }

    fn deposit(&self) -> Option<&Deposit> {
        match &self.what {
            What::Other(movement) => match &**movement {
                Movement::Deposit(deposit) => Some(deposit),
                Movement::Payout(_) | Movement::Business(_) | Movement::Reversal(_) => None,
            },
            What::Payout(_) => None,
        }
    }
}
