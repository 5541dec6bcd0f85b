//! What must be so when everything has come to rest: the book equals the ledger, exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mlango::daraja::{self, Api};
use mlango::domain::outcome;
use mlango::domain::payout::{CaseKind, Payout, State, Status};
use mlango::soap::redact::redact;
use mlango::store::{CaseQuery, Channel, Direction, FeedEvent, PAGE_LEN_MAX, Store};

use crate::income;
use crate::net::{Again, by_name};
use crate::world::{Order, World, policy};

/// How many payouts ended where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    pub succeeded: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// In doubt, and a person was called.
    pub unknown: u64,
    /// Sent again after M-Pesa knew of none.
    pub sent_again: u64,
    pub posts: u64,
    pub questions: u64,
    pub cases: u64,
    /// Payments by prompt or by customers, and prompts that were not paid.
    pub paid_in: u64,
    pub not_paid: u64,
    pub in_doubt: u64,
    /// Claims that were answered with success.
    pub claims: u64,
}

impl Ends {
    pub fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.unknown += other.unknown;
        self.sent_again += other.sent_again;
        self.posts += other.posts;
        self.questions += other.questions;
        self.cases += other.cases;
        self.paid_in += other.paid_in;
        self.not_paid += other.not_paid;
        self.in_doubt += other.in_doubt;
        self.claims += other.claims;
    }

    pub const fn payouts(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled + self.unknown
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} payouts: {} succeeded, {} failed, {} cancelled, {} unknown with a person called; {} \
             requests posted ({} re-sent after M-Pesa knew none), {} questions; {} payments in, {} \
             prompts not paid, {} in doubt with a person called, {} claims won; {} cases",
            self.payouts(),
            self.succeeded,
            self.failed,
            self.cancelled,
            self.unknown,
            self.posts,
            self.sent_again,
            self.questions,
            self.paid_in,
            self.not_paid,
            self.in_doubt,
            self.claims,
            self.cases
        )
    }
}

/// Every payout as it stands.
pub async fn payouts(world: &World) -> BTreeMap<String, (Order, Payout)> {
    let orders = world.orders.lock().expect("orders").clone();
    let mut found = BTreeMap::new();
    for (key, order) in orders {
        let stored = world.store.payout(order.id).await.expect("memory is readable");
        let payout = stored.unwrap_or_else(|| panic!("{key} was taken, and is lost")).payout;
        found.insert(key, (order, payout));
    }
    found
}

/// Whether nothing more will happen: every payout is final, or a person was called.
pub async fn is_at_rest(world: &World) -> bool {
    let payouts = payouts(world).await;
    payouts.values().all(|(_order, payout)| match &payout.state {
        State::Unknown { inquiry, .. } => inquiry.called.is_some(),
        state => state.status().is_final(),
    }) && income::is_at_rest(world).await
}

/// Checks everything. It panics to say what is wrong.
pub async fn everything(world: &World, again: Again) -> Ends {
    let verified = world.store.verify().await.expect("memory is readable");
    assert_eq!(verified.faults, Vec::<String>::new());
    let events = all_events(world).await;
    let mut ends = Ends::default();
    let mut names = BTreeSet::new();
    for (key, (order, payout)) in payouts(world).await {
        names.insert(payout.details.originator_conversation_id.as_str().to_owned());
        end(world, &key, &order, &payout, &mut ends);
    }
    book_holds_nothing_else(world, &names, &ends);
    nothing_final_moved(&events);
    if again == Again::No {
        nothing_went_twice(world, &mut ends);
    }
    every_acknowledged_message_is_kept(world, &events).await;
    let query = CaseQuery::all(PAGE_LEN_MAX);
    let cases = world.store.cases(&query).await.expect("memory is readable").rows;
    let broken = cases.iter().find(|case| case.kind == CaseKind::LawBroken);
    assert_eq!(broken, None, "no step may even try to break a law");
    income::everything(world, again, &mut ends).await;
    ends.cases = world.store.counts().open_cases();
    ends
}

/// Where one payout ended, and what M-Pesa's book says of it.
fn end(world: &World, key: &str, order: &Order, payout: &Payout, ends: &mut Ends) {
    let name = payout.details.originator_conversation_id.as_str();
    let paid = world.mpesa.paid(name);
    match &payout.state {
        State::Succeeded { receipt, .. } => {
            ends.succeeded += 1;
            let entry = paid.unwrap_or_else(|| panic!("{key} succeeded, and nothing was paid"));
            assert_eq!(entry.receipt, receipt.as_str(), "{key}: the receipt");
            assert_eq!(entry.amount, payout.details.amount, "{key}: the amount");
            assert_eq!(entry.amount.cents(), order.shillings * 100, "{key}: the amount");
            assert_eq!(entry.phone.reveal(), order.phone, "{key}: the phone");
            assert!(!order.cancelled, "{key} was cancelled, and is paid");
        }
        State::Failed { failure, .. } => {
            ends.failed += 1;
            assert_eq!(paid, None, "{key} failed with {failure:?}, and was paid");
        }
        State::Cancelled { .. } => {
            ends.cancelled += 1;
            assert_eq!(paid, None, "{key} was cancelled, and was paid");
        }
        State::Unknown { inquiry, .. } => {
            ends.unknown += 1;
            assert!(inquiry.called.is_some(), "{key} is unknown, and nobody was called");
        }
        state => panic!("{key} hangs at {state:?}"),
    }
    assert!(!order.cancelled || payout.status() == Status::Cancelled, "{key} was cancelled");
}

fn book_holds_nothing_else(world: &World, names: &BTreeSet<String>, ends: &Ends) {
    let ledger = world.mpesa.ledger();
    let mut paid = BTreeSet::new();
    for entry in &ledger.entries {
        let name = entry.originator_conversation_id.to_string();
        assert!(names.contains(&name), "{name} was paid, and nobody submitted it");
        assert!(paid.insert(name.clone()), "{name} was paid twice");
    }
    let count = u64::try_from(paid.len()).expect("it fits");
    assert!(count >= ends.succeeded && count <= ends.succeeded + ends.unknown);
}

async fn all_events(world: &World) -> Vec<FeedEvent> {
    let mut events = Vec::new();
    let mut after = 0;
    loop {
        let page = world.store.events(after, PAGE_LEN_MAX).await.expect("memory is readable");
        let Some(last) = page.last() else {
            return events;
        };
        after = last.seq;
        events.extend(page);
    }
}

/// Law 3, as listeners see it.
fn nothing_final_moved(events: &[FeedEvent]) {
    let mut settled = BTreeMap::new();
    for FeedEvent { event, .. } in events {
        let (Some(payout), Some(status)) = (event.about, event.status) else {
            continue;
        };
        if let Some(before) = settled.get(&payout) {
            if income::may_still_move(*before, status) {
                settled.insert(payout, status);
                continue;
            }
            assert_eq!(*before, status, "{payout} was final");
        } else if status.is_final() {
            settled.insert(payout, status);
        }
    }
}

/// Law 2, as M-Pesa sees it, and, where the window is as long as it must be, without leaning on
/// its memory for names: no request of a payout is sent that M-Pesa has got already. What the
/// network repeats by itself is no request of ours.
fn nothing_went_twice(world: &World, ends: &mut Ends) {
    let leans = world.policy.arrival_window < policy().arrival_window;
    let posts = world.net.posts();
    for (name, posts) in by_name(&posts) {
        let is_question = name.split('_').nth_back(1).is_some_and(|word| {
            word.strip_prefix('q').is_some_and(|nth| nth.parse::<u32>().is_ok())
        });
        let count = u64::try_from(posts.len()).expect("it fits");
        // Over Daraja questions have no name of ours on the wire, and tokens none at all.
        if name.starts_with('/') {
            let is_question = name == Api::TransactionStatus.path();
            ends.questions += if is_question { count } else { 0 };
            continue;
        }
        if is_question {
            ends.questions += count;
            assert_eq!(count, 1, "each question has a name of its own: {name}");
            continue;
        }
        ends.posts += count;
        ends.sent_again += count - 1;
        for post in posts {
            let known = post.codes.iter().filter(|code| outcome::is_duplicate(code)).count();
            let is_second = known > 0 && known == post.codes.len();
            assert!(leans || !is_second, "{name} was sent though M-Pesa had it: {post:?}");
        }
    }
}

/// No result is silently lost: each that was acknowledged is kept, as often as it was.
async fn every_acknowledged_message_is_kept(world: &World, events: &[FeedEvent]) {
    let query = CaseQuery::all(PAGE_LEN_MAX);
    let cases = world.store.cases(&query).await.expect("memory is readable").rows;
    let ids: BTreeSet<_> = events
        .iter()
        .flat_map(|event| event.event.messages.iter())
        .chain(cases.iter().flat_map(|case| case.messages.iter()))
        .copied()
        .collect();
    let mut kept: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut timeouts = 0_u64;
    for id in ids {
        let message = world.store.message(id).await.expect("memory is readable");
        let message = message.expect("a message that an event names is there");
        if message.direction == Direction::In && message.channel == Channel::QueueTimeout {
            timeouts += 1;
        } else if message.direction == Direction::In {
            *kept.entry(message.body).or_default() += 1;
        }
    }
    for (path, body) in world.net.acknowledged() {
        // A timeout brings our own request back, and what cannot be read may hold anything: such
        // messages are kept with our secrets masked.
        let text = String::from_utf8_lossy(&body);
        let masked =
            if body.starts_with(b"{") { daraja::redact::redact(&body) } else { redact(&body) };
        let is_json = body.starts_with(b"{");
        let is_result = text.contains("\"Result\"");
        let is_payout = !path.contains("/stk/") && !path.contains("/c2b/");
        let left = if text.contains("notifyQueueTimeout") || (is_payout && is_json && !is_result) {
            &mut timeouts
        } else if kept.contains_key(body.as_ref()) {
            kept.entry(body.to_vec()).or_default()
        } else {
            kept.entry(masked).or_default()
        };
        assert!(*left > 0, "it was acknowledged and is not kept: {text}");
        *left -= 1;
    }
}
