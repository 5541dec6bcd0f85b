//! Any sequence of commits leaves the store on sled where it leaves the one in memory.

use mlango::domain::inquiry;
use mlango::domain::payment::{Claim, Payment, State};
use mlango::domain::payout::Status;
use mlango::store::memory::MemoryStore;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{Commit, CommitError, Life, PayoutQuery, Store};
use proptest::prelude::*;

use crate::lives;
use crate::make::{
    app, app_id, at, batch_id, case, case_id, claim, closing, conversation, event, message,
    message_id, payout, payout_id, rail, receipt, reference, time, write,
};

/// So many payouts, keys and conversations: few, so that commits meet.
const PAYOUTS: u64 = 24;

/// One thing to write; the version is what the writer believes.
#[derive(Clone, Debug)]
pub enum Op {
    New(u64),
    Move(u64, u64, usize),
    Claim(u64, u64),
    Event(Option<u64>),
    Message(u64, usize),
    Case(u64),
    Close(u64),
    Rail(u64),
    App(u64),
    /// A prompt, where it shall stand, and with whose receipt or checkout id.
    Payment(u64, u64, u8, u64),
    Inquiry(u64, u64, bool),
    Text(u64, u64, bool),
}

pub fn op() -> impl Strategy<Value = Op> {
    let n = 0..PAYOUTS;
    prop_oneof![
        4 => n.clone().prop_map(Op::New),
        8 => (n.clone(), 1_u64..5, 0..Status::ALL.len())
            .prop_map(|(n, version, status)| Op::Move(n, version, status)),
        2 => (n.clone(), 0_u64..40).prop_map(|(n, key)| Op::Claim(n, key)),
        2 => proptest::option::of(n.clone()).prop_map(Op::Event),
        1 => (n.clone(), 0_usize..9_000).prop_map(|(n, len)| Op::Message(n, len)),
        2 => n.clone().prop_map(Op::Case),
        2 => n.clone().prop_map(Op::Close),
        1 => n.clone().prop_map(Op::Rail),
        1 => n.clone().prop_map(Op::App),
        8 => (n.clone(), 0_u64..4, 0_u8..5, 0_u64..8)
            .prop_map(|(n, version, state, of)| Op::Payment(n, version, state, of)),
        2 => (n.clone(), 0_u64..3, any::<bool>()).prop_map(|(n, v, done)| Op::Inquiry(n, v, done)),
        2 => (n, 0_u64..3, any::<bool>()).prop_map(|(n, v, done)| Op::Text(n, v, done)),
    ]
}

pub fn commit(ops: &[Op]) -> Commit {
    let mut commit = Commit::default();
    for op in ops {
        match *op {
            Op::New(n) => commit.payouts.push(write(payout(n, n % 3), 0)),
            Op::Move(n, version, status) => {
                let moved = at(payout(n, n % 3), n, Status::ALL[status]);
                commit.payouts.push(write(moved, version));
                commit.events.push(event(n, Some(payout_id(n))));
            }
            Op::Claim(n, key) => commit.claims.push(claim(n % 2, &format!("key {key}"), n)),
            Op::Event(about) => commit.events.push(event(7, about.map(payout_id))),
            Op::Message(n, len) => {
                let body = (0..len).map(|place| (place * place % 251) as u8).collect();
                commit.messages.push(message(n, body));
            }
            Op::Case(n) => commit.cases.push(case(n)),
            Op::Close(n) => commit.closings.push(closing(n)),
            Op::Rail(n) => commit.rails.push(rail(n)),
            Op::App(n) => commit.apps.push(app(n)),
            Op::Payment(n, version, state, of) => {
                let payment = match state {
                    0 => lives::stk(n),
                    1 => lives::prompted(n, of),
                    2 => lives::paid(n, of, None),
                    3 => {
                        let (app, purpose, at) = (app_id(of), "order".to_owned(), time(of));
                        lives::paid(n, of, Some(Claim { app, purpose, at }))
                    }
                    _ => {
                        let State::Succeeded { paid, .. } = lives::paid(n, of, None).state else {
                            panic!("it is paid")
                        };
                        let (to, at) = (lives::payment_id(of), time(of));
                        Payment { state: State::Joined { to, at, paid }, ..lives::stk(n) }
                    }
                };
                live(&mut commit, n, Life::Payment(payment), version);
            }
            Op::Inquiry(n, version, is_done) => {
                let status =
                    if is_done { inquiry::Status::Failed } else { inquiry::Status::Queued };
                live(&mut commit, n, Life::Inquiry(lives::inquiry(n, status)), version);
            }
            Op::Text(n, version, is_done) => {
                live(&mut commit, n, Life::Text(lives::text(n, n % 3, is_done)), version);
            }
        }
    }
    commit
}

fn live(commit: &mut Commit, n: u64, life: Life, version: u64) {
    commit.events.push(lives::event_about(n, &life));
    commit.lives.push(lives::write(life, version));
}

/// What a commit came to, in words that two stores can be compared by.
fn said(verdict: Result<mlango::store::Durable, CommitError>) -> String {
    match verdict {
        Ok(_durable) => "taken".to_owned(),
        Err(CommitError::Claimed(known)) => format!("claimed {known:?}"),
        Err(other) => other.to_string(),
    }
}

fn queries() -> Vec<PayoutQuery> {
    let all = PayoutQuery::all(5);
    let mut queries = vec![all.clone()];
    for app in [None, Some(app_id(0)), Some(app_id(1))] {
        let base = PayoutQuery { app, ..all.clone() };
        queries.push(base.clone());
        for status in Status::ALL {
            let status = Some(status);
            queries.push(PayoutQuery { status, ..base.clone() });
        }
        for n in 0..5 {
            queries.extend([
                PayoutQuery { reference: Some(reference(n)), ..base.clone() },
                PayoutQuery { phone: Some(payout(n, 0).details.phone), ..base.clone() },
                PayoutQuery { receipt: Some(receipt(n)), ..base.clone() },
                PayoutQuery { batch: Some(batch_id(n)), ..base.clone() },
            ]);
        }
    }
    let backwards =
        queries.clone().into_iter().map(|query| PayoutQuery { descending: true, ..query });
    queries.extend(backwards);
    queries
}

/// Everything that can be read from both is the same in both.
pub async fn compare(one: &dyn Store, other: &dyn Store) -> Result<(), TestCaseError> {
    macro_rules! same {
        ($($read:tt)*) => {
            prop_assert_eq!(one$($read)*.await.expect("a read"), other$($read)*.await.expect("a read"));
        };
    }
    for n in 0..PAYOUTS {
        same!(.payout(payout_id(n)));
        same!(.payout_by_conversation(&conversation(n)));
        same!(.payout_by_receipt(&receipt(n)));
        same!(.events_of(payout_id(n).into()));
        same!(.message(message_id(n)));
        same!(.case(case_id(n)));
    }
    for mut query in queries() {
        // Page by page, to the end.
        loop {
            let page = one.payouts(&query).await.expect("a page");
            prop_assert_eq!(&page, &other.payouts(&query).await.expect("a page"));
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
    }
    compare_feeds(one, other).await?;
    for mut query in crate::cases::queries(4) {
        loop {
            let page = one.cases(&query).await.expect("a page");
            prop_assert_eq!(&page, &other.cases(&query).await.expect("a page"));
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
    }
    for n in 0..PAYOUTS {
        same!(.payment(lives::payment_id(n)));
        same!(.payment_by_receipt(&lives::receipt(n)));
        same!(.payment_by_checkout(&lives::checkout(n)));
        same!(.inquiry(lives::inquiry_id(n)));
        same!(.text(lives::text_id(n)));
        same!(.events_of(lives::payment_id(n).into()));
        same!(.events_of(lives::text_id(n).into()));
    }
    macro_rules! same_pages {
        ($queries:expr, $read:ident) => {
            for mut query in $queries {
                loop {
                    let page = one.$read(&query).await.expect("a page");
                    prop_assert_eq!(&page, &other.$read(&query).await.expect("a page"));
                    let Some(next) = page.next else { break };
                    query.after = Some(next);
                }
            }
        };
    }
    same_pages!(lives::payment_queries(4), payments);
    same_pages!(lives::inquiry_queries(4), inquiries);
    same_pages!(lives::text_queries(4), texts);
    same!(.rails());
    same!(.apps());
    prop_assert_eq!(one.counts(), other.counts());
    for store in [one, other] {
        let faults = store.verify().await.expect("a verification").faults;
        let faults: Vec<_> = faults
            .into_iter()
            // The events made here have few ids.
            .filter(|fault| !fault.contains("stands twice"))
            .collect();
        prop_assert_eq!(faults, Vec::<String>::new());
    }
    Ok(())
}

async fn compare_feeds(one: &dyn Store, other: &dyn Store) -> Result<(), TestCaseError> {
    let mut after = 0;
    loop {
        let page = one.events(after, 500).await.expect("a page");
        prop_assert_eq!(&page, &other.events(after, 500).await.expect("a page"));
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sled_ends_where_memory_ends(
        commits in proptest::collection::vec(proptest::collection::vec(op(), 1..5), 1..80),
        reopen_at in 0_usize..80,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let open = || SledStore::open(dir.path(), Options::default()).expect("a store");
            let memory = MemoryStore::new();
            let mut sled = open();
            for (place, ops) in commits.iter().enumerate() {
                if place == reopen_at {
                    sled.close().await;
                    sled = open();
                }
                let due = said(memory.commit(commit(ops)).await);
                prop_assert_eq!(said(sled.commit(commit(ops)).await), due);
            }
            compare(&memory, &sled).await?;
            sled.close().await;
            compare(&memory, &open()).await
        })?;
    }
}
