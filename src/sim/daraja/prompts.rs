//! The STK prompts on customers' phones: those that are open, and what became of the others. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;
use crate::sim::book::Till;
use crate::sim::deliver::Target;
use crate::sim::script::{Behaviour, CANCELLED, NO_ANSWER, NO_FUNDS, WRONG_PIN};

/// How many prompts may be open at once.
pub const OPEN_MAX: usize = 50_000;
/// How many prompts are remembered after they ended; an older one is no longer known to a query.
pub const ENDED_MAX: usize = 200_000;
/// How long an open prompt waits for a person.
pub const LIFE: Duration = Duration::from_secs(60);
/// The same customer, amount and short code again within so long is refused with 17
/// (spec/daraja.md §3.1).
pub const TWICE: Duration = Duration::from_secs(120);
/// How many queries within [`QUERY_SPAN`] the sandbox takes (spec/daraja.md §1.3).
pub const QUERIES_MAX: usize = 5;
/// Over how long they are counted.
pub const QUERY_SPAN: Duration = Duration::from_secs(60);
/// How many successes are remembered for the two-minute rule before old ones are forgotten.
const PAID_MAX: usize = 10_000;

/// What a customer does with a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// He enters his PIN.
    Pin,
    /// He enters another.
    WrongPin,
    /// He cancels.
    Cancel,
    /// He does nothing.
    Timeout,
    /// He enters his PIN and has not got the money.
    Insufficient,
}

impl Said {
    /// As `POST /sim/prompts/{checkout}` has it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pin" => Some(Self::Pin),
            "wrong_pin" => Some(Self::WrongPin),
            "cancel" => Some(Self::Cancel),
            "timeout" => Some(Self::Timeout),
            "insufficient" => Some(Self::Insufficient),
            _other => None,
        }
    }

    /// The `ResultCode` that it leads to (spec/daraja.md §3.1).
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pin => "0",
            Self::WrongPin => WRONG_PIN,
            Self::Cancel => CANCELLED,
            Self::Timeout => NO_ANSWER,
            Self::Insufficient => NO_FUNDS,
        }
    }
}

/// How a callback is written (spec/daraja.md §2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Items in another order.
    pub shuffled: bool,
    /// Numbers as texts.
    pub texts: bool,
    /// `Balance` without a value.
    pub bare_balance: bool,
    /// No items at all.
    pub no_items: bool,
    /// The phone.
    pub phone: PhoneShape,
    /// Another amount than the one that moved.
    pub wrong_amount: bool,
    /// Another id than the one that was given.
    pub wrong_id: bool,
}

/// How the phone stands in a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneShape {
    /// Whole, as a number.
    #[default]
    Whole,
    /// Masked, as a text.
    Masked,
    /// Not at all.
    Absent,
}

/// A prompt.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// `CheckoutRequestID`.
    pub checkout: String,
    /// `MerchantRequestID`.
    pub merchant: String,
    /// Who asks for the money.
    pub shortcode: ShortCode,
    /// Who gets it.
    pub payee: ShortCode,
    /// Who is asked.
    pub phone: Msisdn,
    /// For how much.
    pub amount: Amount,
    /// For what.
    pub account: String,
    /// Pay bill or till.
    pub till: Till,
    /// Since when.
    pub at: Timestamp,
    /// Where its end is told.
    pub callback: Target,
    /// How it goes on.
    pub behaviour: Behaviour,
    /// How its end is written.
    pub shape: Shape,
}

/// How a prompt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `MerchantRequestID`.
    pub merchant: String,
    /// The `ResultCode`.
    pub code: String,
    /// Where that was to be told.
    pub callback: String,
}

/// What a query finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is open; its `MerchantRequestID`.
    Open(String),
    /// It has ended.
    Ended(Ended),
    /// There is none.
    Unknown,
}

/// All prompts.
#[derive(Debug, Default)]
pub struct Prompts {
    /// Whether a person answers them, and not the simulator.
    pub by_hand: bool,
    /// How long a customer takes, where that was changed.
    pub delay: Option<Duration>,
    open: BTreeMap<String, Prompt>,
    by_phone: HashMap<Msisdn, String>,
    ended: HashMap<String, Ended>,
    order: VecDeque<String>,
    paid: HashMap<(Msisdn, Amount, ShortCode), Timestamp>,
    queries: VecDeque<Timestamp>,
}

impl Prompts {
    /// Whether this phone has an open prompt: a second one is refused (spec/daraja.md §3.2).
    pub fn is_locked(&self, phone: Msisdn) -> bool {
        self.by_phone.contains_key(&phone)
    }

    /// Whether no further prompt may be opened.
    pub fn is_full(&self) -> bool {
        self.open.len() >= OPEN_MAX
    }

    /// A `CheckoutRequestID`: when, and to which phone (spec/daraja.md §9). Different for each.
    pub fn fresh_id(&self, at: Timestamp, phone: Msisdn) -> String {
        let mut at = at;
        loop {
            let id = checkout_id(at, phone);
            if !self.open.contains_key(&id) && !self.ended.contains_key(&id) {
                return id;
            }
            at = at.after(Duration::from_millis(1));
        }
    }

    /// One that is open.
    pub fn get(&self, checkout: &str) -> Option<&Prompt> {
        self.open.get(checkout)
    }

    /// Opens one.
    pub fn begin(&mut self, prompt: Prompt) {
        self.by_phone.insert(prompt.phone, prompt.checkout.clone());
        self.open.insert(prompt.checkout.clone(), prompt);
    }

    /// Takes an open one away to end it.
    pub fn take(&mut self, checkout: &str) -> Option<Prompt> {
        let prompt = self.open.remove(checkout)?;
        self.by_phone.remove(&prompt.phone);
        Some(prompt)
    }

    /// Whether the two-minute rule stands against it.
    pub fn is_twice(&self, prompt: &Prompt, now: Timestamp) -> bool {
        let key = (prompt.phone, prompt.amount, prompt.payee.clone());
        self.paid.get(&key).is_some_and(|at| now.since(*at) < TWICE)
    }

    /// Remembers how one ended.
    pub fn end(&mut self, prompt: &Prompt, code: &str, now: Timestamp) {
        if code == "0" {
            if self.paid.len() >= PAID_MAX {
                self.paid.retain(|_, at| now.since(*at) < TWICE);
            }
            self.paid.insert((prompt.phone, prompt.amount, prompt.payee.clone()), now);
        }
        let ended = Ended {
            merchant: prompt.merchant.clone(),
            code: code.to_owned(),
            callback: prompt.callback.path().to_owned(),
        };
        self.ended.insert(prompt.checkout.clone(), ended);
        self.order.push_back(prompt.checkout.clone());
        while self.order.len() > ENDED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.ended.remove(&oldest);
            }
        }
    }

    /// What became of one.
    pub fn state(&self, checkout: &str) -> State {
        let open = self.open.get(checkout).map(|prompt| State::Open(prompt.merchant.clone()));
        let ended = || self.ended.get(checkout).cloned().map(State::Ended);
        open.or_else(ended).unwrap_or(State::Unknown)
    }

    /// Those that are open, in order of their ids.
    pub fn open(&self) -> impl Iterator<Item = &Prompt> {
        self.open.values()
    }

    /// Where the end of each is told, of those that are open and of those that are remembered.
    pub fn callbacks(&self) -> impl Iterator<Item = &str> {
        let ended = self.ended.values().map(|ended| ended.callback.as_str());
        self.open.values().map(|prompt| prompt.callback.path()).chain(ended)
    }

    /// Counts a query; whether it is one too many.
    pub fn is_query_too_many(&mut self, now: Timestamp) -> bool {
        self.queries.retain(|at| now.since(*at) < QUERY_SPAN);
        let too_many = self.queries.len() >= QUERIES_MAX;
        if !too_many {
            self.queries.push_back(now);
        }
        too_many
    }
}

/// `ws_CO_`, `ddMMyyyyHHmmss` in East Africa Time, one to three digits of milliseconds, nine of
/// the phone (spec/daraja.md §9).
fn checkout_id(at: Timestamp, phone: Msisdn) -> String {
    let digits: String = at.east_africa_stamp().chars().filter(char::is_ascii_digit).collect();
    let millis = at.millis().checked_rem_euclid(1_000).unwrap_or_default();
    let subscriber: String = phone.reveal().chars().skip(3).collect();
    format!("ws_CO_{digits}{millis}{subscriber}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_007);

    fn prompt(prompts: &Prompts, last: u64, at: Timestamp) -> Prompt {
        let phone = Msisdn::from_number(254_722_000_000_u64.saturating_add(last)).expect("a phone");
        Prompt {
            checkout: prompts.fresh_id(at, phone),
            merchant: "m".to_owned(),
            shortcode: "174379".parse().expect("a short code"),
            payee: "174379".parse().expect("a short code"),
            phone,
            amount: Amount::from_shillings(10),
            account: "INV-77".to_owned(),
            till: Till::PayBill,
            at,
            callback: Target::parse("http://gw/cb").expect("an address"),
            behaviour: Behaviour::ORDINARY,
            shape: Shape::default(),
        }
    }

    #[test]
    fn an_open_prompt_locks_its_phone_until_it_ends() {
        let mut prompts = Prompts::default();
        let first = prompt(&prompts, 1, NOW);
        assert_eq!(first.checkout, "ws_CO_020120240604057722000001");
        prompts.begin(first.clone());
        assert!(prompts.is_locked(first.phone));
        assert_eq!(prompts.state(&first.checkout), State::Open("m".to_owned()));
        let taken = prompts.take(&first.checkout).expect("open");
        assert!(prompts.take(&first.checkout).is_none(), "it ends once");
        assert!(!prompts.is_locked(first.phone));
        prompts.end(&taken, "1032", NOW);
        let (merchant, code) = ("m".to_owned(), "1032".to_owned());
        let ended = Ended { merchant, code, callback: "/cb".to_owned() };
        assert_eq!(prompts.state(&first.checkout), State::Ended(ended));
        assert_eq!(prompts.state("ws_CO_1"), State::Unknown);
        let again = prompt(&prompts, 1, NOW);
        assert_ne!(again.checkout, first.checkout, "no id comes twice");
    }

    #[test]
    fn the_same_again_within_two_minutes_is_twice() {
        let mut prompts = Prompts::default();
        let first = prompt(&prompts, 1, NOW);
        prompts.end(&first, "1032", NOW);
        assert!(!prompts.is_twice(&first, NOW), "a failure counts for nothing");
        prompts.end(&first, "0", NOW);
        assert!(prompts.is_twice(&first, NOW.after(Duration::from_secs(119))));
        assert!(!prompts.is_twice(&first, NOW.after(TWICE)));
        let more = Prompt { amount: Amount::from_shillings(11), ..first.clone() };
        assert!(!prompts.is_twice(&more, NOW));
    }

    #[test]
    fn five_queries_a_minute_are_taken() {
        let mut prompts = Prompts::default();
        let too_many: Vec<bool> = (0..7).map(|_| prompts.is_query_too_many(NOW)).collect();
        assert_eq!(too_many, [false, false, false, false, false, true, true]);
        assert!(!prompts.is_query_too_many(NOW.after(QUERY_SPAN)));
    }
}
