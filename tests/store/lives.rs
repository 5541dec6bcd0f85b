//! Payments, inquiries and text messages: what every store must do with what lives beside payouts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use mlango::domain::id::{AppId, CheckoutRequestId, InquiryId, PaymentId, Receipt, TextId};
use mlango::domain::inquiry::{self, Inquiry};
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payment::validation::{Expected, Times};
use mlango::domain::payment::{
    self, Asking, Claim, NoticeKind, Origin, Paid, PayerPhone, Payment, Prompt, Source, State,
    Tries,
};
use mlango::domain::payout::{self, Rail};
use mlango::domain::subject::Subject;
use mlango::domain::text::{self, Occasion, Text};
use mlango::store::{
    Commit, CommitError, InquiryQuery, Kept, Life, LifeWrite, NewEvent, PaymentQuery, Standing,
    TextQuery,
};

use crate::bench::Bench;
use crate::make::{app_id, event, id_bytes, payout_id, time};

pub fn payment_id(n: u64) -> PaymentId {
    PaymentId::from_bytes(id_bytes(n))
}

pub fn inquiry_id(n: u64) -> InquiryId {
    InquiryId::from_bytes(id_bytes(n))
}

pub fn text_id(n: u64) -> TextId {
    TextId::from_bytes(id_bytes(n))
}

pub fn receipt(n: u64) -> Receipt {
    Receipt::new(&format!("UJ3A{n:06}")).expect("a receipt")
}

pub fn checkout(n: u64) -> CheckoutRequestId {
    CheckoutRequestId::new(&format!("ws_CO_{n:024}")).expect("a checkout id")
}

pub fn phone(n: u64) -> Msisdn {
    format!("2547000000{:02}", n % 3).parse().expect("a phone")
}

/// Whose the `n`th payment is: one of two applications', or nobody's.
pub fn owner(n: u64) -> Option<AppId> {
    (!n.is_multiple_of(3)).then(|| app_id(n % 3))
}

/// The `n`th prompt, as it is taken.
pub fn stk(n: u64) -> Payment {
    let origin = Origin::Stk { phone: phone(n), description: "Subscription".to_owned() };
    Payment::waiting(payment::Details {
        id: payment_id(n),
        app: owner(n),
        origin,
        amount: Amount::from_shillings(10 + n),
        shortcode: "174379".parse().expect("a short code"),
        reference: format!("ORDER{}", n % 4),
        account: format!("ORDER{}", n % 4),
        created_at: time(n),
    })
}

/// The `n`th payment that came by itself, with this receipt.
pub fn c2b(n: u64, receipt_of: u64) -> Payment {
    let payment = stk(n);
    let phone = PayerPhone::Masked("2547 ***** 001".to_owned());
    let (invoice, third_party_id) = (None, None);
    let origin = Origin::C2b { kind: NoticeKind::PayBill, phone, invoice, third_party_id };
    let details = payment::Details { origin, ..payment.details };
    Payment { details, ..paid(n, receipt_of, None) }
}

fn settled(n: u64, prompt: Option<Prompt>) -> payment::Settled {
    payment::Settled { at: time(n), prompt, tries: Tries::NONE }
}

/// The `n`th prompt, paid with this receipt.
pub fn paid(n: u64, receipt_of: u64, claim: Option<Claim>) -> Payment {
    let paid = Paid {
        receipt: Some(receipt(receipt_of)),
        paid_at: time(n + 7),
        by: Source::Callback,
        payer_name: None,
        balance: None,
    };
    let state = State::Succeeded { paid, settled: settled(n, None), claim };
    Payment { state, updated_at: time(n + 7), ..stk(n) }
}

/// The `n`th prompt, with this checkout id.
pub fn prompted(n: u64, checkout_of: u64) -> Payment {
    let prompt = Prompt { merchant: None, checkout: checkout(checkout_of) };
    let asking = Asking::first_at(time(n + 20));
    let state = State::Prompted { tries: Tries::NONE, prompt, asking };
    Payment { state, updated_at: time(n + 1), ..stk(n) }
}

/// The `n`th payment, joined to another.
pub fn joined(n: u64, receipt_of: u64, to: u64) -> Payment {
    let before = c2b(n, receipt_of);
    let State::Succeeded { paid, .. } = before.state.clone() else { panic!("it is paid") };
    let state = State::Joined { to: payment_id(to), at: time(n + 9), paid };
    Payment { state, ..before }
}

/// The `n`th inquiry: of one of two applications, or the gateway's own.
pub fn inquiry(n: u64, status: inquiry::Status) -> Inquiry {
    let new = Inquiry::queued(inquiry::Details {
        id: inquiry_id(n),
        app: owner(n),
        kind: inquiry::Kind::Balance,
        rail: Rail::Daraja,
        shortcode: "600999".parse().expect("a short code"),
        created_at: time(n),
    });
    if status == inquiry::Status::Queued {
        return new;
    }
    let failure = inquiry::Failure {
        stage: payout::Stage::Result,
        code: "2001".to_owned(),
        description: "no".to_owned(),
        retryable: false,
    };
    let names = inquiry::Names::default();
    let settled = inquiry::Settled { at: time(n + 3), names, tries: inquiry::Tries::NONE };
    Inquiry { state: inquiry::State::Failed { failure, settled }, ..new }
}

/// The `n`th text message, about a payment.
pub fn text(n: u64, about: u64, is_sent: bool) -> Text {
    let new = Text::queued(text::Details {
        id: text_id(n),
        subject: payment_id(about).into(),
        occasion: Occasion::PaymentReceived,
        app: None,
        phone: phone(n),
        body: "Hello".to_owned(),
        created_at: time(n),
    });
    let at = time(n + 1);
    let tries = text::Tries::NONE;
    let sent = text::State::Sent { message_id: None, cost: None, at, tries };
    if is_sent { Text { state: sent, ..new } } else { new }
}

pub fn write(life: Life, expected_version: u64) -> LifeWrite {
    LifeWrite { life, expected_version }
}

pub fn event_about(n: u64, life: &Life) -> NewEvent {
    let status = Some(life.standing());
    NewEvent { about: Some(life.subject()), status, ..event(n, None) }
}

fn one(life: Life, expected_version: u64) -> Commit {
    static EVENTS: AtomicU64 = AtomicU64::new(1);
    let events = vec![event_about(EVENTS.fetch_add(1, Ordering::Relaxed), &life)];
    Commit { lives: vec![write(life, expected_version)], events, ..Commit::default() }
}

/// Every filter alone and with each owner, in both directions.
pub fn payment_queries(limit: usize) -> Vec<PaymentQuery> {
    let mut queries = vec![];
    for app in [None, Some(app_id(1)), Some(app_id(2)), Some(app_id(77))] {
        for descending in [false, true] {
            let all = || PaymentQuery { app, descending, ..PaymentQuery::all(limit) };
            queries.push(all());
            for status in payment::Status::ALL {
                queries.push(PaymentQuery { status: Some(status), ..all() });
            }
            for kind in payment::Kind::ALL {
                queries.push(PaymentQuery { kind: Some(kind), ..all() });
            }
            for n in 0..3 {
                let words = Some(format!("ORDER{n}"));
                queries.extend([
                    PaymentQuery { reference: words.clone(), ..all() },
                    PaymentQuery { account: words, ..all() },
                    PaymentQuery { phone: Some(phone(n)), ..all() },
                    PaymentQuery { receipt: Some(receipt(n)), ..all() },
                    PaymentQuery { checkout: Some(checkout(n)), ..all() },
                    PaymentQuery { claimed: Some(n == 0), ..all() },
                    PaymentQuery { paid_from: Some(time(n + 9)), ..all() },
                    PaymentQuery { paid_to: Some(time(n + 9)), ..all() },
                ]);
            }
        }
    }
    queries
}

pub fn inquiry_queries(limit: usize) -> Vec<InquiryQuery> {
    let mut queries = vec![];
    for app in [None, Some(app_id(1)), Some(app_id(77))] {
        for status in [None, Some(inquiry::Status::Queued), Some(inquiry::Status::Failed)] {
            for descending in [false, true] {
                queries.push(InquiryQuery { app, status, descending, ..InquiryQuery::all(limit) });
            }
        }
    }
    queries
}

pub fn text_queries(limit: usize) -> Vec<TextQuery> {
    let mut queries = vec![];
    for status in [None, Some(text::Status::Queued), Some(text::Status::Sent)] {
        for descending in [false, true] {
            queries.push(TextQuery { status, descending, ..TextQuery::all(limit) });
        }
    }
    queries
}

crate::on_every_store!(
    what_lives_is_read_back,
    it_moves_only_from_where_it_stands,
    a_receipt_is_one_payment,
    a_joined_payment_gives_its_receipt_up,
    one_message_per_occasion,
    of_a_thousand_claims_one_wins,
    what_is_paid_of_a_reference_no_import_writes_over,
    nobodys_payments_are_everybodys,
);

async fn what_lives_is_read_back(mut bench: Bench) {
    let lives = [
        Life::Payment(prompted(1, 1)),
        Life::Payment(c2b(2, 2)),
        Life::Inquiry(inquiry(3, inquiry::Status::Queued)),
        Life::Text(text(4, 2, false)),
    ];
    for life in lives.clone() {
        bench.commit(one(life, 0)).await;
    }
    for _round in 0..2 {
        let store = &bench.store;
        let read = store.payment(payment_id(1)).await.expect("a read").expect("the payment");
        assert_eq!(read, Kept { value: prompted(1, 1), version: 1, last_event: Some(1) });
        let by_checkout = store.payment_by_checkout(&checkout(1)).await.expect("a read");
        assert_eq!(by_checkout, Some(payment_id(1)));
        let by_receipt = store.payment_by_receipt(&receipt(2)).await.expect("a read");
        assert_eq!(by_receipt, Some(payment_id(2)));
        assert_eq!(store.payment_by_receipt(&receipt(1)).await.expect("a read"), None);
        let read = store.inquiry(inquiry_id(3)).await.expect("a read").expect("the inquiry");
        assert_eq!(read.value, inquiry(3, inquiry::Status::Queued));
        let read = store.text(text_id(4)).await.expect("a read").expect("the message");
        assert_eq!(read.value, text(4, 2, false));
        assert_eq!(store.payment(payment_id(3)).await.expect("a read"), None);
        for life in &lives {
            let events = store.events_of(life.subject()).await.expect("events");
            let seen: Vec<_> = events.iter().map(|it| (it.event.about, it.event.status)).collect();
            assert_eq!(seen, [(Some(life.subject()), Some(life.standing()))]);
        }
        let counts = store.counts();
        assert_eq!(counts.payments(payment::Status::Pending), 1);
        assert_eq!(counts.payments(payment::Status::Succeeded), 1);
        assert_eq!(counts.inquiries(inquiry::Status::Queued), 1);
        assert_eq!(counts.texts(text::Status::Queued), 1);
        bench.is_sound().await;
        bench.reopen().await;
    }
}

async fn it_moves_only_from_where_it_stands(bench: Bench) {
    bench.commit(one(Life::Payment(stk(1)), 0)).await;
    bench.commit(one(Life::Payment(prompted(1, 1)), 1)).await;
    for (life, version) in [(prompted(1, 2), 1), (prompted(1, 2), 3), (prompted(2, 2), 1)] {
        let subject = Subject::Payment(life.details.id);
        let refused = bench.store.commit(one(Life::Payment(life), version)).await;
        let is_conflict = |error| matches!(error, CommitError::Conflict(id) if id == subject);
        assert!(refused.is_err_and(is_conflict));
    }
    let mut other = prompted(1, 1);
    other.details.amount = Amount::from_shillings(99);
    let refused = bench.store.commit(one(Life::Payment(other), 2)).await;
    assert!(matches!(refused, Err(CommitError::Conflict(_))), "its details never change");
    let payout = crate::make::payout(1, 0);
    let refused = bench.store.commit(one(Life::Payout(payout), 0)).await;
    assert!(matches!(refused, Err(CommitError::Unfit(_))), "payouts have a place of their own");
    bench.is_sound().await;
}

async fn a_receipt_is_one_payment(bench: Bench) {
    bench.commit(one(Life::Payment(c2b(1, 5)), 0)).await;
    let refused = bench.store.commit(one(Life::Payment(c2b(2, 5)), 0)).await;
    let first = Subject::Payment(payment_id(1));
    assert!(matches!(refused, Err(CommitError::Taken("receipt", id)) if id == first));
    assert_eq!(bench.store.payment(payment_id(2)).await.expect("a read"), None);
    // Two in one commit, and two at once.
    let both = vec![write(Life::Payment(c2b(3, 6)), 0), write(Life::Payment(c2b(4, 6)), 0)];
    let refused = bench.store.commit(Commit { lives: both, ..Commit::default() }).await;
    assert!(matches!(refused, Err(CommitError::Taken("receipt", _))));
    let at_once: Vec<_> =
        (10..40).map(|n| bench.store.commit(one(Life::Payment(c2b(n, 7)), 0))).collect();
    let mut taken = 0;
    for commit in at_once {
        match commit.await {
            Ok(_durable) => taken += 1,
            Err(CommitError::Taken("receipt", _)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(taken, 1);
    let refused = bench.store.commit(one(Life::Payment(prompted(50, 1)), 0)).await;
    assert!(refused.is_ok());
    let refused = bench.store.commit(one(Life::Payment(prompted(51, 1)), 0)).await;
    assert!(matches!(refused, Err(CommitError::Taken("checkout id", _))));
    bench.is_sound().await;
}

async fn a_joined_payment_gives_its_receipt_up(mut bench: Bench) {
    bench.commit(one(Life::Payment(prompted(1, 1)), 0)).await;
    bench.commit(one(Life::Payment(c2b(2, 5)), 0)).await;
    let join =
        |first: LifeWrite, second| Commit { lives: vec![first, second], ..Commit::default() };
    let gives = || write(Life::Payment(joined(2, 5, 1)), 1);
    let takes = || write(Life::Payment(paid(1, 5, None)), 1);
    let refused = bench.store.commit(join(takes(), gives())).await;
    assert!(matches!(refused, Err(CommitError::Taken("receipt", _))), "not before it is free");
    bench.commit(join(gives(), takes())).await;
    for _round in 0..2 {
        let by_receipt = bench.store.payment_by_receipt(&receipt(5)).await.expect("a read");
        assert_eq!(by_receipt, Some(payment_id(1)));
        let listed = bench.store.payments(&PaymentQuery::all(9)).await.expect("a page");
        let ids: Vec<_> = listed.rows.iter().map(|row| row.value.details.id).collect();
        assert_eq!(ids, [payment_id(1)], "the joined one is in no list");
        assert_eq!(bench.store.counts().payments(payment::Status::Succeeded), 1);
        assert_eq!(bench.store.counts().payments(payment::Status::Joined), 1);
        bench.is_sound().await;
        bench.reopen().await;
    }
}

async fn one_message_per_occasion(bench: Bench) {
    bench.commit(one(Life::Text(text(1, 9, false)), 0)).await;
    // 4 has the same phone as 1, and 2 another.
    let refused = bench.store.commit(one(Life::Text(text(4, 9, false)), 0)).await;
    let first = Subject::Text(text_id(1));
    assert!(matches!(refused, Err(CommitError::Taken("text message", id)) if id == first));
    bench.commit(one(Life::Text(text(2, 9, false)), 0)).await;
    bench.commit(one(Life::Text(text(4, 8, false)), 0)).await;
    bench.commit(one(Life::Text(text(1, 9, true)), 1)).await;
    bench.is_sound().await;
}

async fn of_a_thousand_claims_one_wins(bench: Bench) {
    bench.commit(one(Life::Payment(c2b(1, 5)), 0)).await;
    let claimed = |n: u64| {
        let claim = Claim { app: app_id(n), purpose: format!("order {n}"), at: time(n) };
        let mut payment = c2b(1, 5);
        if let State::Succeeded { claim: place, .. } = &mut payment.state {
            *place = Some(claim);
        }
        Life::Payment(payment)
    };
    let commits: Vec<_> = (0..1_000).map(|n| bench.store.commit(one(claimed(n), 1))).collect();
    let mut winners = vec![];
    for (n, commit) in (0_u64..).zip(commits) {
        match commit.await {
            Ok(_durable) => winners.push(n),
            Err(CommitError::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let kept = bench.store.payment(payment_id(1)).await.expect("a read").expect("the payment");
    let claim = kept.value.state.claim().expect("a claim").app;
    assert_eq!(winners.into_iter().map(app_id).collect::<Vec<_>>(), [claim]);
}

/// What an import says of a reference, and what the book knows of it.
async fn what_is_paid_of_a_reference_no_import_writes_over(mut bench: Bench) {
    let reference = |text: &str, times: Times| Expected {
        reference: text.to_owned(),
        amount: None,
        phone: None,
        expires_at: None,
        times,
        paid: 0,
        app: Some(app_id(1)),
        third_party_id: (times == Times::Once).then(|| "INV77".to_owned()),
    };
    let expected = vec![reference("ORDER1", Times::Once)];
    bench.commit(Commit { expected, ..Commit::default() }).await;
    // Paid three times, twice of them at once; whoever types it otherwise pays it all the same.
    let paid = |accounts: &[&str]| Commit {
        paid_accounts: accounts.iter().map(|&account| account.to_owned()).collect(),
        ..Commit::default()
    };
    tokio::join!(
        bench.commit(paid(&["ORDER1"])),
        bench.commit(paid(&[" order1 ", "NOBODYS"])),
        bench.commit(paid(&["Order1"])),
    );
    let expected = vec![reference("order1", Times::Many), reference("ORDER2", Times::Many)];
    let both = Commit { expected, paid_accounts: vec!["ORDER2".to_owned()], ..Commit::default() };
    bench.commit(both).await;
    for _ in 0..2 {
        let known =
            async |account: &str| bench.store.expected(account).await.expect("it can be read");
        let first = known("ORDER1").await.expect("it is expected");
        assert_eq!((first.paid, first.times, first.reference.as_str()), (3, Times::Many, "order1"));
        assert_eq!(first.third_party_id.as_deref(), Some("INV77"));
        assert_eq!(known("ORDER2").await.map(|it| it.paid), Some(1));
        assert_eq!(known("NOBODYS").await, None, "nobody expects it");
        bench.reopen().await;
    }
    bench.is_sound().await;
}

async fn nobodys_payments_are_everybodys(bench: Bench) {
    for n in 0..6 {
        bench.commit(one(Life::Payment(c2b(n, n)), 0)).await;
    }
    let mut seen = BTreeMap::new();
    for app in [1, 2, 77] {
        let query = PaymentQuery { app: Some(app_id(app)), ..PaymentQuery::all(9) };
        let page = bench.store.payments(&query).await.expect("a page");
        let ids: Vec<u64> = (0..6)
            .filter(|n| page.rows.iter().any(|row| row.value.details.id == payment_id(*n)))
            .collect();
        seen.insert(app, ids);
    }
    assert_eq!(seen[&1], [0, 1, 3, 4]);
    assert_eq!(seen[&2], [0, 2, 3, 5]);
    assert_eq!(seen[&77], [0, 3]);
    let standing = Standing::Payment(payment::Status::Succeeded);
    assert!(standing.is_final() && payout_id(1).bytes() == payment_id(1).bytes());
}
