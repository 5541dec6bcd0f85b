//! Money in, when everything has come to rest: M-Pesa's ledger says what must be in the book.

use std::collections::{BTreeMap, BTreeSet};

use mlango::daraja::{self, Api};
use mlango::domain::id::{PaymentId, Receipt};
use mlango::domain::payment::{Kind, Payment, State, Status};
use mlango::domain::tag::{Tag, Tagged};
use mlango::sim::book::{Channel, Deposit, Movement};
use mlango::store::{CaseQuery, PAGE_LEN_MAX, PaymentQuery, Standing, Store};

use crate::check::Ends;
use crate::net::{Again, Post, by_name};
use crate::till::Push;
use crate::world::World;

/// What customers paid, by receipt.
type Ledger = BTreeMap<String, Deposit>;

/// Every payment that counts or may come to count.
pub async fn payments(world: &World) -> Vec<Payment> {
    let mut query = PaymentQuery::all(PAGE_LEN_MAX);
    let mut found = Vec::new();
    loop {
        let page = world.store.payments(&query).await.expect("memory is readable");
        found.extend(page.rows.into_iter().map(|kept| kept.value));
        query.after = page.next;
        if query.after.is_none() {
            return found;
        }
    }
}

/// Whether nothing more will happen: every payment is final, or a person was called.
pub async fn is_at_rest(world: &World) -> bool {
    payments(world).await.iter().all(|payment| match &payment.state {
        State::Unknown { asking, .. } => asking.called,
        state => state.status().is_final(),
    })
}

/// What may move of a payment that is final: a receipt is stronger than a failure, and a C2B
/// payment may turn out to be a prompt's own money.
pub fn may_still_move(before: Standing, after: Standing) -> bool {
    matches!(
        (before, after),
        (Standing::Payment(Status::Failed), Standing::Payment(Status::Succeeded))
            | (Standing::Payment(Status::Succeeded), Standing::Payment(Status::Joined))
    )
}

/// Checks everything. It panics to say what is wrong.
pub async fn everything(world: &World, again: Again, ends: &mut Ends) {
    let ledger = ledger(world);
    let payments = payments(world).await;
    let pushes = world.till.pushes.lock().expect("pushes").clone();
    for (key, push) in &pushes {
        let is_there = payments.iter().any(|payment| payment.details.id == push.id);
        assert!(is_there, "{key} was taken, and is lost");
    }
    let booked = receipts_are_the_ledgers(&ledger, &payments, ends);
    what_has_no_receipt_is_paid_all_the_same(&ledger, &booked, &payments);
    let told = told(world);
    what_mpesa_told_is_in_the_book(world, (&told, &ledger), (&booked, &payments)).await;
    if world.till.pulls {
        let missing: Vec<_> = ledger.keys().filter(|it| !booked.contains(*it)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "M-Pesa lists them, and they are not here");
        let paid = payments.iter().filter(|payment| payment.state.paid().is_some()).count();
        assert_eq!(paid, ledger.len(), "each payment once");
    }
    for push in pushes.values() {
        let payment = payments.iter().find(|payment| payment.details.id == push.id);
        nothing_failed_that_is_told_paid(payment.expect("it is there"), &told, &ledger);
    }
    if again == Again::No {
        no_payer_was_prompted_twice(world, &pushes);
    }
    ends.claims = one_claim_won(world, &payments).await;
}

fn ledger(world: &World) -> Ledger {
    let movements = world.mpesa.ledger().movements.into_iter();
    let deposits = movements.filter_map(|moved| match moved.movement {
        Movement::Deposit(deposit) => Some((moved.receipt, deposit)),
        _ => None,
    });
    deposits.collect()
}

/// Every receipt in the book is one of M-Pesa's, once, for what was paid.
fn receipts_are_the_ledgers(
    ledger: &Ledger,
    payments: &[Payment],
    ends: &mut Ends,
) -> BTreeSet<String> {
    let mut booked = BTreeSet::new();
    for payment in payments {
        let id = payment.details.id;
        match &payment.state {
            State::Succeeded { .. } => ends.paid_in += 1,
            State::Failed { .. } => ends.not_paid += 1,
            State::Unknown { asking, .. } => {
                ends.in_doubt += 1;
                assert!(asking.called, "{id} is unknown, and nobody was called");
            }
            state => panic!("{id} hangs at {state:?}"),
        }
        let Some(receipt) = payment.receipt().map(Receipt::as_str) else {
            continue;
        };
        let paid = ledger.get(receipt);
        let paid = paid.unwrap_or_else(|| panic!("{id} is paid by {receipt}, and nobody paid"));
        assert!(booked.insert(receipt.to_owned()), "{receipt} is two payments");
        assert_eq!(payment.details.amount, paid.amount, "{id}: the amount");
        assert_eq!(payment.details.account, paid.account, "{id}: the account");
        if payment.kind() == Kind::Stk {
            assert_eq!(payment.phone(), Some(paid.phone), "{id}: the payer");
        }
    }
    booked
}

/// M-Pesa may say that a prompt is paid and name no receipt: somebody paid it all the same, and
/// that money is no other payment's.
fn what_has_no_receipt_is_paid_all_the_same(
    ledger: &Ledger,
    booked: &BTreeSet<String>,
    payments: &[Payment],
) {
    let key = |account: &str, phone: Option<u64>, cents: u64| (account.to_owned(), phone, cents);
    let mut free: BTreeMap<_, u64> = BTreeMap::new();
    for (_, paid) in ledger.iter().filter(|(receipt, _)| !booked.contains(*receipt)) {
        let key = key(&paid.account, Some(paid.phone.number()), paid.amount.cents());
        *free.entry(key).or_default() += 1;
    }
    let paid = payments.iter().filter(|payment| payment.state.paid().is_some());
    for payment in paid.filter(|payment| payment.receipt().is_none()) {
        let phone = payment.phone().map(|phone| phone.number());
        let key = key(&payment.details.account, phone, payment.details.amount.cents());
        let left = free.entry(key).or_default();
        assert!(*left > 0, "{} is said to be paid, and nobody paid", payment.details.id);
        *left -= 1;
    }
}

/// A word of M-Pesa's that money came in, and that we acknowledged.
struct Told {
    receipt: String,
    /// The prompt's payment, as the end of the address has it; none of a confirmation.
    of: Option<String>,
    /// The prompt's id.
    checkout: String,
}

/// Everything that M-Pesa told us is paid, by what is readable in its words.
fn told(world: &World) -> Vec<Told> {
    let messages = world.net.acknowledged().into_iter();
    messages.filter_map(|(path, body)| read(&path, &body)).collect()
}

fn read(path: &str, body: &[u8]) -> Option<Told> {
    let text = String::from_utf8_lossy(body);
    if path.ends_with("/c2b/confirmation") {
        let receipt = if text.contains("TransID\"") {
            daraja::c2b::parse(body).ok()?.receipt
        } else {
            mlango::soap::c2b::parse(body).ok()?.notice.receipt
        };
        let receipt = receipt.as_str().to_owned();
        return Some(Told { receipt, of: None, checkout: String::new() });
    }
    let (_, of) = path.split_once("/stk/")?;
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let callback = &value["Body"]["stkCallback"];
    let items = callback["CallbackMetadata"]["Item"].as_array()?;
    callback.get("ResultCode")?;
    let receipt = items.iter().find(|item| item["Name"] == "MpesaReceiptNumber")?;
    let word = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Some(Told {
        receipt: word(&receipt["Value"])?,
        of: Some(of.to_owned()),
        checkout: word(&callback["CheckoutRequestID"]).unwrap_or_default(),
    })
}

/// What was told and acknowledged is in the book. There are two callbacks that are a case instead:
/// that of a second prompt, which the network made of one request; and a late one of a payer who
/// paid by hand, too, when that payment was taken for the prompt's.
async fn what_mpesa_told_is_in_the_book(
    world: &World,
    (told, ledger): (&[Told], &Ledger),
    (booked, payments): (&BTreeSet<String>, &[Payment]),
) {
    let by_hand = |of: &str| {
        let payment = payments.iter().find(|payment| tag(payment.details.id) == of);
        let receipt = payment.and_then(|payment| payment.receipt());
        let paid = receipt.and_then(|receipt| ledger.get(receipt.as_str()));
        paid.is_some_and(|paid| paid.channel == Channel::C2b)
    };
    let mut in_cases = String::new();
    let cases = world.store.cases(&CaseQuery::all(PAGE_LEN_MAX)).await;
    for id in cases.expect("memory is readable").rows.iter().flat_map(|case| &case.messages) {
        let message = world.store.message(*id).await.expect("memory is readable");
        let body = message.expect("a case's message is there").body;
        in_cases.push_str(&String::from_utf8_lossy(&body));
    }
    for word in told.iter().filter(|word| !booked.contains(&word.receipt)) {
        let may_be = |of: &String| copies(world, of) > 1 || by_hand(of);
        assert!(
            word.of.as_ref().is_some_and(may_be) && in_cases.contains(&word.receipt),
            "M-Pesa told of {} at {:?}, and it is nowhere",
            word.receipt,
            word.of
        );
    }
}

/// How often a prompt's request arrived.
fn copies(world: &World, tag: &str) -> usize {
    let posts = world.net.posts();
    let of_it = posts.iter().filter(|post| post.name == prompt_name(tag));
    of_it.map(|post| post.codes.len()).sum()
}

fn prompt_name(tag: &str) -> String {
    format!("{}/{tag}", Api::StkPush.path())
}

/// What the end of a prompt's address says.
fn tag(id: PaymentId) -> String {
    Tag { of: Tagged::Payment, id: id.bytes() }.to_string()
}

/// A receipt is stronger than a failure: what M-Pesa told with one, of this very prompt, is paid.
fn nothing_failed_that_is_told_paid(payment: &Payment, told: &[Told], ledger: &Ledger) {
    let State::Failed { failure, .. } = &payment.state else {
        return;
    };
    let id = payment.details.id;
    let tag = tag(id);
    let own = payment.checkout().map(|checkout| checkout.as_str().to_owned());
    for word in told.iter().filter(|word| word.of.as_ref() == Some(&tag)) {
        let is_own = own.as_ref().is_none_or(|own| *own == word.checkout);
        let paid = ledger.contains_key(&word.receipt);
        assert!(!(is_own && paid), "{id} failed with {failure:?}, and {} paid it", word.receipt);
    }
}

/// Law 2, of prompts: after one that may have been taken there is no other. What the network
/// repeats by itself is no request of ours.
fn no_payer_was_prompted_twice(world: &World, pushes: &BTreeMap<String, Push>) {
    let posts = world.net.posts();
    let named = by_name(&posts);
    let callbacks = world.mpesa.prompt_callbacks();
    for (key, push) in pushes {
        let tag = tag(push.id);
        let nothing = vec![];
        let posts = named.get(prompt_name(&tag).as_str()).unwrap_or(&nothing);
        let earlier = posts.split_last().map(|(_last, earlier)| earlier).unwrap_or_default();
        for post in earlier {
            assert!(turned_away(post), "{key} was sent again after {post:?}");
        }
        let prompts = callbacks.iter().filter(|path| path.ends_with(&tag)).count();
        let copies = posts.last().map_or(0, |last| last.codes.len());
        assert!(prompts <= copies.max(1), "{key} made {prompts} prompts");
    }
}

/// M-Pesa said that it took nothing, and we heard it.
fn turned_away(post: &Post) -> bool {
    post.is_heard && post.codes.iter().all(|code| !code.is_empty() && code != "0")
}

/// Of all who claimed a payment at most one was told that it is his, and it still is.
async fn one_claim_won(world: &World, payments: &[Payment]) -> u64 {
    let mut winners: BTreeMap<_, (usize, &str)> = BTreeMap::new();
    let all = world.till.won.lock().expect("won").clone();
    for won in all {
        let mut id = won.payment;
        let kept = world.store.payment(id).await.expect("memory is readable");
        if let Some(to) = kept.expect("a claimed payment is there").value.joined_to() {
            id = to;
        }
        let first = winners.entry(id).or_insert(won.by);
        assert_eq!(*first, won.by, "{id} was claimed twice");
        let payment = payments.iter().find(|payment| payment.details.id == id);
        let claim = payment.and_then(|payment| payment.state.claim());
        let claim = claim.unwrap_or_else(|| panic!("{id} was claimed, and is not"));
        assert_eq!(claim.purpose, won.by.1, "{id}: the purpose");
        assert_eq!(Some(&claim.app), world.apps.get(won.by.0), "{id}: the claimant");
    }
    u64::try_from(winners.len()).expect("it fits")
}
