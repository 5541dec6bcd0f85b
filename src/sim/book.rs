//! The simulator's money: who had how much, and each time that money moved. Pure.
//!
//! The book is the judge of the promise: it knows nothing of the gateway, and what it says was
//! paid was paid. An OriginatorConversationID moves money at most once, whatever the command
//! (spec/soap.md §10, 3).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::script::Code;
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::Command;
use crate::domain::time::Timestamp;

/// The most requests that one book takes: a good gigabyte. A full book refuses, it forgets
/// nothing, because what it forgot it would pay twice.
pub const REQUESTS_MAX: usize = 5_000_000;

/// The least that may be paid; less fails with 2 (spec/soap.md §5.2).
pub const LEAST: Amount = Amount::from_shillings(10);
/// The most that may be paid at once; more fails with 3 (spec/soap.md §5.2).
pub const MOST: Amount = Amount::from_shillings(250_000);

/// Receipts have seven counting places of base 36 behind three that the seed fixes.
const RECEIPT_SPACE: u64 = 78_364_164_096;
/// A factor that shares no divisor with 36, so that counting up visits every place once, and
/// small enough that its product with a count fits in 64 bits.
const RECEIPT_STRIDE: u64 = 64_638_581;
const RECEIPT_LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const RECEIPT_FIRST_LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// What a request that is in order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Who is paid.
    pub phone: Msisdn,
    /// How much.
    pub amount: Amount,
    /// By which command.
    pub command: Command,
}

/// What the book is asked to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Pay, if limits and balance allow it.
    Pay(Payment),
    /// Take the request and let it fail with this `ResultCode`; the payment that it asked for, as
    /// far as that was one, is remembered for whoever asks about it.
    Fail(Code, Option<Payment>),
    /// Take a question: it spends its id and moves nothing.
    Ask,
}

/// By what a payment is asked for: exactly one of three (spec/soap.md §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// By receipt: the only one that works after 15 days.
    Receipt(String),
    /// By the caller's name for the request.
    OriginatorConversationId(String),
    /// By M-Pesa's name for the request.
    ConversationId(String),
}

impl By {
    /// The receipt or id itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Receipt(text)
            | Self::OriginatorConversationId(text)
            | Self::ConversationId(text) => text,
        }
    }
}

/// What the book knows of a payment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the request was taken.
    pub at: Timestamp,
    /// The caller's name for the request.
    pub originator_conversation_id: Arc<str>,
    /// M-Pesa's name for the request.
    pub conversation_id: String,
    /// What was to be paid, as far as that could be read.
    pub payment: Option<Payment>,
    /// What became of it.
    pub fate: Fate,
}

/// A request that was taken: its OriginatorConversationID is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The how-many-th request this is, from 0.
    pub number: u64,
    /// M-Pesa's name for it (spec/soap.md §4.1).
    pub conversation_id: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a request that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Money moved, as this entry says.
    Paid(Entry),
    /// No money moved, for the reason that this `ResultCode` gives.
    NotPaid(Code),
    /// It was a question. No money was to move.
    Asked,
}

/// Why a request was not taken. Nothing was spent and nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The OriginatorConversationID was taken before.
    #[error("duplicate OriginatorConversationID")]
    Duplicate,
    /// The book is full.
    #[error("the simulator's book is full; restart it")]
    Full,
}

/// One movement of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the ledger, from 1.
    pub seq: u64,
    /// When it moved.
    pub at: Timestamp,
    /// The caller's name for the request.
    pub originator_conversation_id: Arc<str>,
    /// M-Pesa's name for the request.
    pub conversation_id: String,
    /// The receipt.
    pub receipt: String,
    /// Who was paid.
    pub phone: Msisdn,
    /// How much.
    pub amount: Amount,
    /// By which command.
    pub command: Command,
    /// What the payer has left.
    pub balance: Amount,
}

/// What one phone has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// In all.
    pub total: Amount,
    /// In so many payments.
    pub payments: u64,
}

/// An [`Entry`] as it is kept: what can be computed is not stored.
struct Line {
    /// The request that moved it, among [`Book::requests`].
    request: usize,
    payment: Payment,
    balance: Amount,
}

/// A request that was taken, as it is kept.
struct Kept {
    at: Timestamp,
    originator_conversation_id: Arc<str>,
    end: End,
}

/// How a request ended.
enum End {
    /// Paid by this line.
    Paid(usize),
    /// Not paid.
    Failed(Box<(Code, Option<Payment>)>),
    /// A question.
    Asked,
}

/// The organisation's utility account, its recipients, and the ledger of what moved.
pub struct Book {
    seed: u64,
    opening: Amount,
    balance: Amount,
    capacity: usize,
    lines: Vec<Line>,
    /// Every request that was taken, in order.
    requests: Vec<Kept>,
    /// Every OriginatorConversationID ever taken, with its place in `requests`.
    taken: HashMap<Arc<str>, usize>,
    /// The counting part of each ConversationID, with its place in `requests`.
    conversations: HashMap<u64, usize>,
    /// The counting part of each receipt, with its place in `lines`.
    receipts: HashMap<u64, usize>,
    recipients: BTreeMap<Msisdn, Received>,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("balance", &self.balance)
            .field("taken", &self.taken.len())
            .field("paid", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl Book {
    /// An empty ledger and an account that holds `opening`. Receipts and conversation ids follow
    /// from `seed` and the order of requests alone.
    pub fn new(seed: u64, opening: Amount) -> Self {
        Self::with_capacity(seed, opening, REQUESTS_MAX)
    }

    fn with_capacity(seed: u64, opening: Amount, capacity: usize) -> Self {
        Self {
            seed,
            opening,
            balance: opening,
            capacity,
            lines: Vec::new(),
            requests: Vec::new(),
            taken: HashMap::new(),
            conversations: HashMap::new(),
            receipts: HashMap::new(),
            recipients: BTreeMap::new(),
        }
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
            Wish::Fail(code, payment) => End::Failed(Box::new((code, payment))),
            Wish::Pay(payment) => match self.movement(payment) {
                Err(code) => End::Failed(Box::new((code, Some(payment)))),
                Ok(balance) => End::Paid(self.pay(place, payment, balance)),
            },
        };
        self.requests.push(Kept { at, originator_conversation_id: Arc::clone(&id), end });
        self.taken.insert(id, place);
        self.conversations.insert(self.spread(number), place);
        let fate = self.requests.get(place).map_or(Fate::Asked, |kept| self.fate(kept));
        Ok(Taken { number, conversation_id: self.conversation_id(at, number), fate })
    }

    /// Moves the money, for the request that is about to stand at `request`; the line it did so by.
    fn pay(&mut self, request: usize, payment: Payment, balance: Amount) -> usize {
        let line = self.lines.len();
        self.balance = balance;
        self.credit(payment);
        self.receipts.insert(self.receipt_place(count(line)), line);
        self.lines.push(Line { request, payment, balance });
        line
    }

    fn fate(&self, kept: &Kept) -> Fate {
        match &kept.end {
            End::Asked => Fate::Asked,
            End::Failed(failed) => Fate::NotPaid(failed.0.clone()),
            // A line that a request names is there.
            End::Paid(line) => self.entry(*line).map_or(Fate::Asked, Fate::Paid),
        }
    }

    /// What the payer would have left after `payment`, or the code it fails with.
    fn movement(&self, payment: Payment) -> Result<Amount, Code> {
        if payment.amount < LEAST {
            return Err(Code::Borrowed("2"));
        }
        if payment.amount > MOST {
            return Err(Code::Borrowed("3"));
        }
        self.balance.checked_sub(payment.amount).ok_or(Code::Borrowed(super::script::NO_FUNDS))
    }

    fn credit(&mut self, payment: Payment) {
        let received = self.recipients.entry(payment.phone).or_default();
        // It cannot overflow: it is never more than the payer had.
        received.total =
            Amount::from_cents(received.total.cents().saturating_add(payment.amount.cents()));
        received.payments = received.payments.saturating_add(1);
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        let line = self.lines.get(index)?;
        let request = self.requests.get(line.request)?;
        Some(Entry {
            seq: count(index).saturating_add(1),
            at: request.at,
            originator_conversation_id: Arc::clone(&request.originator_conversation_id),
            conversation_id: self.conversation_id(request.at, count(line.request)),
            receipt: self.receipt(count(index)),
            phone: line.payment.phone,
            amount: line.payment.amount,
            command: line.payment.command,
            balance: line.balance,
        })
    }

    /// `AG_<yyyyMMdd>_<20 hex>` (spec/soap.md §4.1), different for each request.
    fn conversation_id(&self, at: Timestamp, number: u64) -> String {
        let low = self.spread(number);
        let high = mix(low) & 0xffff;
        format!("AG_{}_{high:04x}{low:016x}", at.date_stamp())
    }

    /// The part of a ConversationID that no two requests share.
    const fn spread(&self, number: u64) -> u64 {
        mix(mix(self.seed).wrapping_add(number))
    }

    /// The part of a receipt that no two payments share.
    fn receipt_place(&self, index: u64) -> u64 {
        index
            .wrapping_mul(RECEIPT_STRIDE)
            .wrapping_add(mix(self.seed).checked_rem(RECEIPT_SPACE).unwrap_or_default())
            .checked_rem(RECEIPT_SPACE)
            .unwrap_or_default()
    }

    /// Ten characters, as M-Pesa's receipts have, different for each payment.
    fn receipt(&self, index: u64) -> String {
        let base = mix(self.seed);
        let place = self.receipt_place(index);
        let first = letter(RECEIPT_FIRST_LETTERS, base >> 40);
        let second = letter(RECEIPT_FIRST_LETTERS, base >> 48);
        let third = letter(RECEIPT_LETTERS, base >> 56);
        let mut text = String::with_capacity(10);
        text.extend([first, second, third]);
        let mut divisor = RECEIPT_SPACE / 36;
        for _ in 0..7 {
            text.push(letter(RECEIPT_LETTERS, place.checked_div(divisor).unwrap_or_default()));
            divisor = divisor.checked_div(36).unwrap_or_default().max(1);
        }
        text
    }

    /// What the payer has.
    pub const fn balance(&self) -> Amount {
        self.balance
    }

    /// What the payer had at the start.
    pub const fn opening(&self) -> Amount {
        self.opening
    }

    /// What was paid in all.
    pub fn total_paid(&self) -> Amount {
        self.opening.checked_sub(self.balance).unwrap_or_default()
    }

    /// How many payments there were.
    pub fn payments(&self) -> u64 {
        count(self.lines.len())
    }

    /// The movement of this OriginatorConversationID, if it moved money.
    pub fn find(&self, originator_conversation_id: &str) -> Option<Entry> {
        match self.requests.get(*self.taken.get(originator_conversation_id)?)?.end {
            End::Paid(line) => self.entry(line),
            End::Failed(_) | End::Asked => None,
        }
    }

    /// The payment that is asked for, paid or failed; a question is none.
    pub fn look_up(&self, by: &By) -> Option<Record> {
        let place = match by {
            By::OriginatorConversationId(id) => *self.taken.get(id.as_str())?,
            By::ConversationId(id) => self.by_conversation(id)?,
            By::Receipt(receipt) => self.by_receipt(receipt)?,
        };
        let kept = self.requests.get(place)?;
        let payment = match &kept.end {
            End::Asked => return None,
            End::Failed(failed) => failed.1,
            End::Paid(line) => Some(self.lines.get(*line)?.payment),
        };
        Some(Record {
            at: kept.at,
            originator_conversation_id: Arc::clone(&kept.originator_conversation_id),
            conversation_id: self.conversation_id(kept.at, count(place)),
            payment,
            fate: self.fate(kept),
        })
    }

    fn by_conversation(&self, id: &str) -> Option<usize> {
        let counting = id.get(id.len().checked_sub(16)?..)?;
        let place = *self.conversations.get(&u64::from_str_radix(counting, 16).ok()?)?;
        let kept = self.requests.get(place)?;
        (self.conversation_id(kept.at, count(place)) == id).then_some(place)
    }

    fn by_receipt(&self, receipt: &str) -> Option<usize> {
        let counting = receipt.get(receipt.len().checked_sub(7)?..)?;
        let line = *self.receipts.get(&u64::from_str_radix(counting, 36).ok()?)?;
        let is_it = self.receipt(count(line)).eq_ignore_ascii_case(receipt);
        self.lines.get(line).filter(|_| is_it).map(|line| line.request)
    }

    /// Up to `limit` entries whose `seq` is greater than `after`, in order.
    pub fn entries(&self, after: u64, limit: usize) -> Vec<Entry> {
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        (start..self.lines.len()).take(limit).filter_map(|index| self.entry(index)).collect()
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

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn letter(letters: &[u8], number: u64) -> char {
    let place =
        number.checked_rem(count(letters.len())).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| letters.get(place)).map_or('0', |byte| char::from(*byte))
}

/// Spreads a number over 64 bits, one to one: what the simulator has in place of chance, so that
/// two runs with one seed behave alike.
pub(super) const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    fn phone(last: u64) -> Msisdn {
        Msisdn::from_number(254_722_000_000_u64.saturating_add(last)).expect("a phone")
    }

    fn pay(last: u64, shillings: u64) -> Wish {
        Wish::Pay(Payment {
            phone: phone(last),
            amount: Amount::from_shillings(shillings),
            command: Command::BusinessPayment,
        })
    }

    fn book() -> Book {
        Book::new(7, Amount::from_shillings(1_000))
    }

    fn code(taken: &Taken) -> &str {
        match &taken.fate {
            Fate::Paid(_) => "0",
            Fate::NotPaid(code) => code,
            Fate::Asked => "asked",
        }
    }

    #[test]
    fn a_payment_moves_money_once_and_says_so() {
        let mut book = book();
        let taken = book.take(NOW, "600999_Org_1", pay(111, 150)).expect("new");
        let Fate::Paid(entry) = &taken.fate else {
            panic!("not paid: {taken:?}");
        };
        assert_eq!(entry.seq, 1);
        assert_eq!(entry.amount, Amount::from_shillings(150));
        assert_eq!(entry.balance, Amount::from_shillings(850));
        assert_eq!(entry.conversation_id, taken.conversation_id);
        assert_eq!(book.find("600999_Org_1").as_ref(), Some(entry));
        assert_eq!(book.entries(0, 10), std::slice::from_ref(entry));
        assert_eq!(
            book.recipients(None, 10),
            [(phone(111), Received { total: Amount::from_shillings(150), payments: 1 })]
        );
    }

    #[test]
    fn what_comes_of_a_request_in_order() {
        let fail = |code: &'static str| Wish::Fail(Code::Borrowed(code), None);
        // Id, wish, the ResultCode that follows ("dup": refused), the balance after it.
        let table = [
            ("a", pay(1, 400), "0", 600),
            ("a", pay(1, 400), "dup", 600),
            ("a", pay(2, 10), "dup", 600),
            ("b", fail("2040"), "2040", 600),
            ("b", pay(1, 400), "dup", 600),
            ("c", pay(1, 601), "1", 600),
            ("c", pay(1, 10), "dup", 600),
            ("d", pay(1, 9), "2", 600),
            ("e", pay(1, 250_001), "3", 600),
            ("f", pay(1, 600), "0", 0),
            ("g", pay(1, 10), "1", 0),
            ("h", Wish::Ask, "asked", 0),
            ("h", Wish::Ask, "dup", 0),
        ];
        let mut book = book();
        for (row, (id, wish, expected, balance)) in table.into_iter().enumerate() {
            let outcome = book.take(NOW, id, wish);
            let found = match &outcome {
                Ok(taken) => code(taken),
                Err(NotTaken::Duplicate) => "dup",
                Err(NotTaken::Full) => "full",
            };
            assert_eq!(found, expected, "row {row}");
            assert_eq!(book.balance(), Amount::from_shillings(balance), "row {row}");
        }
        assert_eq!(book.payments(), 2);
        assert_eq!(book.total_paid(), Amount::from_shillings(1_000));
    }

    #[test]
    fn a_full_book_refuses_and_forgets_nothing() {
        let mut book = Book::with_capacity(0, Amount::from_shillings(1_000), 2);
        assert!(book.take(NOW, "a", pay(1, 10)).is_ok());
        assert!(book.take(NOW, "b", Wish::Fail("2040".into(), None)).is_ok());
        assert_eq!(book.take(NOW, "c", pay(1, 10)), Err(NotTaken::Full));
        assert_eq!(book.take(NOW, "a", pay(1, 10)), Err(NotTaken::Duplicate));
        assert!(!book.knows("c"));
        assert_eq!(book.payments(), 1);
    }

    #[test]
    fn ids_have_mpesas_form_and_no_two_are_alike() {
        let mut book = Book::new(42, Amount::from_shillings(1_000_000));
        let mut receipts = HashSet::new();
        let mut conversations = HashSet::new();
        for request in 0..20_000 {
            let taken = book.take(NOW, &format!("id-{request}"), pay(request, 10)).expect("new");
            let Fate::Paid(entry) = taken.fate else {
                panic!("not paid");
            };
            assert_eq!(entry.receipt.len(), 10, "{}", entry.receipt);
            assert!(entry.receipt.starts_with(|c: char| c.is_ascii_uppercase()));
            assert!(receipts.insert(entry.receipt));
            let hex = entry.conversation_id.strip_prefix("AG_20240102_");
            assert_eq!(hex.map(str::len), Some(20), "{}", entry.conversation_id);
            assert!(conversations.insert(entry.conversation_id));
        }
    }

    #[test]
    fn the_receipt_factor_shares_no_divisor_with_the_space() {
        let (mut a, mut b) = (RECEIPT_SPACE, RECEIPT_STRIDE);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        assert_eq!(a, 1);
        let largest = u64::try_from(REQUESTS_MAX).expect("fits");
        assert!(largest.checked_mul(RECEIPT_STRIDE).is_some());
    }

    #[test]
    fn one_seed_one_run_another_seed_another() {
        let run = |seed| {
            let mut book = Book::new(seed, Amount::from_shillings(1_000));
            book.take(NOW, "a", pay(1, 10)).expect("new");
            book.take(NOW, "b", pay(1, 10)).expect("new");
            book.entries(0, 10)
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn a_payment_is_found_by_each_of_its_names_and_by_no_others() {
        let mut book = Book::new(42, Amount::from_shillings(1_000));
        let mut taken = Vec::new();
        for (id, wish) in [
            ("a", pay(1, 400)),
            ("b", Wish::Fail("2040".into(), None)),
            ("c", Wish::Ask),
            ("d", pay(2, 700)),
            ("e", pay(3, 10)),
        ] {
            taken.push(book.take(NOW, id, wish).expect("new"));
        }
        let own = |id: &str| By::OriginatorConversationId(id.to_owned());
        let theirs = |nth: usize| By::ConversationId(taken[nth].conversation_id.clone());
        // By what, whose record it is, how that one ended, how much was to be paid.
        let table = [
            (own("a"), Some(("a", "0", Some(400)))),
            (own("b"), Some(("b", "2040", None))),
            (own("c"), None),
            (own("d"), Some(("d", "1", Some(700)))),
            (own("A"), None),
            (theirs(0), Some(("a", "0", Some(400)))),
            (theirs(1), Some(("b", "2040", None))),
            (theirs(2), None),
            (theirs(4), Some(("e", "0", Some(10)))),
            (By::ConversationId(taken[0].conversation_id.replace("2024", "2025")), None),
            (By::ConversationId("AG".to_owned()), None),
            (By::ConversationId("AG_20240102_0000é000000000000000".to_owned()), None),
            (By::Receipt(book.receipt(0)), Some(("a", "0", Some(400)))),
            (By::Receipt(book.receipt(1).to_lowercase()), Some(("e", "0", Some(10)))),
            (By::Receipt(book.receipt(2)), None),
            (By::Receipt(format!("X{}", book.receipt(0))), None),
            (By::Receipt(String::new()), None),
        ];
        for (by, expected) in table {
            let record = book.look_up(&by);
            let found = record.as_ref().map(|record| {
                let ended = match &record.fate {
                    Fate::Paid(entry) => {
                        assert_eq!(
                            book.find(&record.originator_conversation_id).as_ref(),
                            Some(entry)
                        );
                        "0"
                    }
                    Fate::NotPaid(code) => code,
                    Fate::Asked => "asked",
                };
                let amount = record.payment.map(|payment| payment.amount.cents() / 100);
                (&*record.originator_conversation_id, ended, amount)
            });
            assert_eq!(found, expected, "{by:?}");
        }
    }

    #[test]
    fn lists_are_read_in_pages() {
        let mut book = book();
        for last in 1..=5 {
            book.take(NOW, &format!("id-{last}"), pay(last, 10)).expect("new");
        }
        let seqs = |after, limit| {
            book.entries(after, limit).into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(0, 2), [1, 2]);
        assert_eq!(seqs(2, 2), [3, 4]);
        assert_eq!(seqs(4, 2), [5]);
        assert!(seqs(5, 2).is_empty());
        assert!(seqs(u64::MAX, 2).is_empty());
        let phones: Vec<_> =
            book.recipients(Some(phone(2)), 2).into_iter().map(|(phone, _)| phone).collect();
        assert_eq!(phones, [phone(3), phone(4)]);
    }

    proptest! {
        /// Whatever is asked, in whatever order and however often, the money adds up and no id
        /// moves it twice.
        #[test]
        fn money_is_neither_made_nor_lost(
            requests in proptest::collection::vec(
                (0_u64..20, 0_u64..6, 0_u64..400, any::<bool>()),
                0..80,
            )
        ) {
            let mut book = book();
            for (id, last, shillings, fails) in requests {
                let wish = if fails { Wish::Fail("2040".into(), None) } else { pay(last, shillings) };
                let id = format!("id-{id}");
                let known = book.knows(&id);
                prop_assert_eq!(book.take(NOW, &id, wish).is_err(), known);
            }
            let entries = book.entries(0, usize::MAX);
            let ids: HashSet<_> = entries.iter().map(|e| &e.originator_conversation_id).collect();
            prop_assert_eq!(ids.len(), entries.len());
            let paid: u64 = entries.iter().map(|entry| entry.amount.cents()).sum();
            let recipients = book.recipients(None, usize::MAX);
            let received: u64 = recipients.iter().map(|(_, r)| r.total.cents()).sum();
            prop_assert_eq!(paid, received);
            prop_assert_eq!(paid, book.total_paid().cents());
            prop_assert_eq!(paid.saturating_add(book.balance().cents()), book.opening().cents());
        }
    }
}
