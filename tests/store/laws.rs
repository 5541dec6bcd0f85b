//! What every store does alike: the meaning of the `Store` trait.
//!
//! What only a store on a disk can do (closing and opening again) is done where the bench can.

use std::sync::Arc;

use mlango::domain::money::Amount;
use mlango::domain::payout::Status;
use mlango::store::{Commit, CommitError, Health, PAGE_LEN_MAX, PayoutQuery, Remembered};

use crate::bench::Bench;
use crate::make::{
    self, app, at, case, cases, claim, conversation, event, message, message_id, moved, payout,
    payout_id, rail, taken, time, write,
};

crate::on_every_store!(
    what_is_committed_is_read_back,
    a_refused_commit_leaves_nothing,
    a_payout_moves_only_from_where_it_stands,
    what_was_asked_for_never_changes,
    an_idempotency_key_is_used_once,
    of_many_at_once_one_wins,
    events_are_numbered_chained_and_linked,
    the_feed_is_read_in_pages,
    a_conversation_leads_to_its_payout_for_ever,
    long_records_are_kept_whole,
    a_closed_store_takes_nothing,
);

async fn what_is_committed_is_read_back(mut bench: Bench) {
    let mut first = taken(1, 0);
    first.messages = vec![message(7, b"<a/>".to_vec()), message(8, Vec::new())];
    first.cases = vec![case(1), case(2)];
    first.rails = vec![rail(6)];
    first.apps = vec![app(0), app(5)];
    bench.commit(first).await;
    for _round in 0..2 {
        let stored = bench.store.payout(payout_id(1)).await.expect("a read");
        let stored = stored.expect("the payout");
        assert_eq!(stored.payout, payout(1, 0));
        assert_eq!((stored.version, stored.last_event), (1, Some(1)));
        assert_eq!(bench.store.payout(payout_id(2)).await.expect("a read"), None);
        let read = |n| bench.store.message(message_id(n));
        assert_eq!(read(7).await.expect("a read"), Some(message(7, b"<a/>".to_vec())));
        assert_eq!(read(8).await.expect("a read"), Some(message(8, Vec::new())));
        assert_eq!(read(9).await.expect("a read"), None);
        assert_eq!(bench.store.apps().await.expect("apps"), [app(0), app(5)]);
        assert_eq!(cases(&*bench.store).await, [case(1), case(2)]);
        assert_eq!(bench.store.rails().await.expect("rails"), [rail(6)]);
        bench.is_sound().await;
        bench.reopen().await;
    }
}

async fn a_refused_commit_leaves_nothing(mut bench: Bench) {
    bench.commit(taken(1, 0)).await;
    let refused = Commit {
        payouts: vec![write(payout(2, 0), 0), write(payout(1, 0), 7)],
        claims: vec![claim(0, "fresh", 2)],
        events: vec![event(5, Some(payout_id(2)))],
        messages: vec![message(5, b"<a/>".to_vec())],
        cases: vec![case(5)],
        rails: vec![rail(0)],
        apps: vec![app(5)],
        ..Commit::default()
    };
    let error = bench.store.commit(refused).await.expect_err("a refusal");
    assert!(matches!(error, CommitError::Conflict(id) if id == payout_id(1).into()), "{error}");
    for _round in 0..2 {
        assert_eq!(bench.store.payout(payout_id(2)).await.expect("a read"), None);
        assert_eq!(bench.store.message(message_id(5)).await.expect("a read"), None);
        assert_eq!(bench.store.events(1, 10).await.expect("a read"), []);
        assert_eq!(cases(&*bench.store).await, []);
        assert_eq!(bench.store.counts().open_cases(), 0);
        assert_eq!(bench.store.rails().await.expect("a read"), []);
        assert_eq!(bench.store.apps().await.expect("a read"), []);
        assert_eq!(bench.page(&PayoutQuery::all(10)).await.rows.len(), 1);
        assert_eq!(bench.store.counts().of(Status::Queued), 1);
        bench.is_sound().await;
        bench.reopen().await;
    }
    // The key of the refused commit is still free.
    let again = Commit { claims: vec![claim(0, "fresh", 2)], ..Commit::default() };
    bench.commit(again).await;
}

async fn a_payout_moves_only_from_where_it_stands(bench: Bench) {
    let conflict = |commit: Commit| {
        let store = Arc::clone(&bench.store);
        async move {
            let error = store.commit(commit).await.expect_err("a conflict");
            assert!(matches!(error, CommitError::Conflict(_)), "{error}");
        }
    };
    conflict(moved(1, 0, 1, Status::Sending)).await;
    bench.commit(taken(1, 0)).await;
    conflict(Commit { payouts: vec![write(payout(1, 0), 0)], ..Commit::default() }).await;
    conflict(moved(1, 0, 2, Status::Sending)).await;
    bench.commit(moved(1, 0, 1, Status::Sending)).await;
    conflict(moved(1, 0, 1, Status::Accepted)).await;
    // Within one commit, writes take effect in order.
    let twice = Commit {
        payouts: vec![
            write(at(payout(1, 0), 1, Status::Accepted), 2),
            write(at(payout(1, 0), 1, Status::Succeeded), 3),
            write(payout(2, 0), 0),
            write(at(payout(2, 0), 2, Status::Cancelled), 1),
        ],
        ..Commit::default()
    };
    bench.commit(twice).await;
    for (n, version, status) in [(1, 4, Status::Succeeded), (2, 2, Status::Cancelled)] {
        let stored = bench.store.payout(payout_id(n)).await.expect("a read");
        let stored = stored.expect("the payout");
        assert_eq!((stored.version, stored.payout.status()), (version, status));
    }
    bench.is_sound().await;
}

async fn what_was_asked_for_never_changes(bench: Bench) {
    bench.commit(taken(1, 0)).await;
    let mut other = payout(1, 0);
    other.details.amount = Amount::from_shillings(250_000);
    let commit = Commit { payouts: vec![write(other.clone(), 1)], ..Commit::default() };
    let error = bench.store.commit(commit).await.expect_err("a refusal");
    assert!(matches!(error, CommitError::Conflict(_)), "{error}");
    let mut changed = payout(2, 0);
    changed.details.remarks = "another".to_owned();
    let commit =
        Commit { payouts: vec![write(payout(2, 0), 0), write(changed, 1)], ..Commit::default() };
    let error = bench.store.commit(commit).await.expect_err("a refusal");
    assert!(matches!(error, CommitError::Conflict(_)), "{error}");
    bench.is_sound().await;
}

async fn an_idempotency_key_is_used_once(mut bench: Bench) {
    let claims = |claims| Commit { claims, ..Commit::default() };
    let first = Remembered { fingerprint: [1; 32], made: payout_id(1).into() };
    let refused = |error: CommitError| match error {
        CommitError::Claimed(remembered) => remembered,
        other => panic!("not a claim's refusal: {other}"),
    };
    // Twice in one commit: refused whole.
    let twice = claims(vec![claim(0, "key", 1), claim(0, "key", 2)]);
    let error = bench.store.commit(twice).await.expect_err("a refusal");
    assert_eq!(refused(error), first);
    bench.commit(claims(vec![claim(0, "key", 1)])).await;
    for _round in 0..2 {
        let again = claims(vec![claim(0, "other", 3), claim(0, "key", 2)]);
        let error = bench.store.commit(again).await.expect_err("a refusal");
        assert_eq!(refused(error), first);
        bench.reopen().await;
    }
    // Another application's key, a key that begins alike, and one of the greatest length.
    let long = "k".repeat(255);
    let free = [claim(1, "key", 4), claim(0, "ke", 5), claim(0, "keys", 6), claim(0, &long, 7)];
    bench.commit(claims(free.to_vec())).await;
    let stands = async |app, key| bench.store.claim(make::app_id(app), key).await.expect("a read");
    assert_eq!(stands(0, "key").await, Some(first));
    assert_eq!(stands(1, "key").await.map(|used| used.made), Some(payout_id(4).into()));
    assert_eq!(stands(0, "other").await, None);
}

async fn of_many_at_once_one_wins(bench: Bench) {
    bench.commit(taken(0, 0)).await;
    let mut tasks = Vec::new();
    for n in 1..=64 {
        let store = Arc::clone(&bench.store);
        tasks.push(tokio::spawn(async move {
            let claimed = Commit {
                payouts: vec![write(payout(n, 0), 0)],
                claims: vec![claim(0, "the one key", n)],
                ..Commit::default()
            };
            let claimed = store.commit(claimed).await;
            let mut sending = moved(0, 0, 1, Status::Sending);
            sending.messages = vec![message(n, Vec::new())];
            (claimed, store.commit(sending).await)
        }));
    }
    let (mut claims, mut moves, mut remembered) = (Vec::new(), 0, Vec::new());
    for (task, n) in tasks.into_iter().zip(1..) {
        let (claimed, sent) = task.await.expect("a task");
        match claimed {
            Ok(_durable) => claims.push(payout_id(n)),
            Err(CommitError::Claimed(known)) => remembered.push(known.made),
            Err(other) => panic!("{other}"),
        }
        match sent {
            Ok(_durable) => moves += 1,
            Err(CommitError::Conflict(id)) => assert_eq!(id, payout_id(0).into()),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((claims.len(), moves), (1, 1));
    assert!(remembered.iter().all(|known| *known == claims[0].into()));
    assert_eq!(bench.page(&PayoutQuery::all(100)).await.rows.len(), 2);
    bench.is_sound().await;
}

async fn events_are_numbered_chained_and_linked(mut bench: Bench) {
    let mut both = taken(1, 0);
    both.payouts.push(write(payout(2, 0), 0));
    both.events = vec![
        event(1, Some(payout_id(1))),
        event(2, None),
        event(3, Some(payout_id(2))),
        event(4, Some(payout_id(1))),
    ];
    bench.commit(both).await;
    // An event about a payout that the commit does not move, and about one that nobody knows.
    let loose = Commit {
        events: vec![event(5, Some(payout_id(1))), event(6, Some(payout_id(99)))],
        ..Commit::default()
    };
    bench.commit(loose).await;
    bench.reopen().await;
    bench.commit(moved(1, 0, 1, Status::Sending)).await;

    let feed = bench.store.events(0, 100).await.expect("the feed");
    let links: Vec<_> = feed.iter().map(|it| (it.seq, it.previous)).collect();
    let due =
        [(1, None), (2, None), (3, None), (4, Some(1)), (5, Some(4)), (6, None), (7, Some(5))];
    assert_eq!(links, due);
    let hashes: std::collections::BTreeSet<_> = feed.iter().map(|it| it.hash).collect();
    assert_eq!(hashes.len(), feed.len());
    let of = |id: mlango::domain::id::PayoutId| bench.store.events_of(id.into());
    let seqs = |events: Vec<mlango::store::FeedEvent>| -> Vec<u64> {
        events.iter().map(|it| it.seq).collect()
    };
    assert_eq!(seqs(of(payout_id(1)).await.expect("events")), [1, 4, 5, 7]);
    assert_eq!(seqs(of(payout_id(2)).await.expect("events")), [3]);
    assert!(seqs(of(payout_id(99)).await.expect("events")).is_empty());
    let stored = bench.store.payout(payout_id(1)).await.expect("a read");
    let stored = stored.expect("the payout");
    // An event alone is no move.
    assert_eq!((stored.version, stored.last_event), (2, Some(7)));
    bench.is_sound().await;
}

async fn the_feed_is_read_in_pages(bench: Bench) {
    let total = PAGE_LEN_MAX as u64 + 20;
    let events = (1..=total).map(|n| event(n, None)).collect();
    bench.commit(Commit { events, ..Commit::default() }).await;
    for (after, limit, first, count) in [
        (0, 10, 1, 10),
        (10, 10, 11, 10),
        (0, usize::MAX, 1, PAGE_LEN_MAX),
        (total - 5, 100, total - 4, 5),
        (total, 100, 0, 0),
        (u64::MAX, 100, 0, 0),
        (0, 0, 0, 0),
    ] {
        let page = bench.store.events(after, limit).await.expect("a page");
        assert_eq!(page.len(), count, "after {after}");
        assert_eq!(page.first().map_or(0, |it| it.seq), first, "after {after}");
        assert!(page.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    }
}

async fn a_conversation_leads_to_its_payout_for_ever(mut bench: Bench) {
    let find = |bench: &Bench, n| {
        let store = Arc::clone(&bench.store);
        async move { store.payout_by_conversation(&conversation(n)).await.expect("a read") }
    };
    bench.commit(taken(1, 0)).await;
    assert_eq!(find(&bench, 1).await, None);
    bench.commit(moved(1, 0, 1, Status::Accepted)).await;
    assert_eq!(find(&bench, 1).await, Some(payout_id(1)));
    // Put back in the queue, it no longer holds the name; a late result under it still finds it.
    let back = Commit { payouts: vec![write(payout(1, 0), 2)], ..Commit::default() };
    bench.commit(back).await;
    bench.reopen().await;
    assert_eq!(find(&bench, 1).await, Some(payout_id(1)));
    assert_eq!(find(&bench, 2).await, None);
    bench.is_sound().await;
}

async fn long_records_are_kept_whole(mut bench: Bench) {
    // As much metadata as the API takes, in letters of four bytes.
    let mut long = payout(1, 0);
    long.details.metadata =
        (0..20).map(|n| (format!("{n:040}"), "\u{1F600}".repeat(500))).collect();
    let noise: Vec<u8> = (0..200_000_u64).map(|n| ((n * n * 31) >> 7) as u8).collect();
    let mut commit = taken(1, 0);
    commit.payouts = vec![write(long.clone(), 0)];
    commit.messages = vec![message(1, noise.clone()), message(2, b"<a/>".repeat(40_000))];
    bench.commit(commit).await;
    let mut shorter = at(long.clone(), 1, Status::Cancelled);
    shorter.updated_at = time(5);
    for round in 0..2 {
        bench
            .commit(Commit {
                payouts: vec![write(shorter.clone(), 1 + round)],
                events: vec![event(10 + round, Some(payout_id(1)))],
                ..Commit::default()
            })
            .await;
        bench.reopen().await;
        let stored = bench.store.payout(payout_id(1)).await.expect("a read");
        assert_eq!(stored.expect("the payout").payout, shorter);
        let page = bench.page(&PayoutQuery::all(10)).await;
        assert_eq!(page.rows[0].payout, shorter);
        let read = bench.store.message(message_id(1)).await.expect("a read");
        assert_eq!(read.expect("the message").body, noise);
        let read = bench.store.message(message_id(2)).await.expect("a read");
        assert_eq!(read.expect("the message").body, b"<a/>".repeat(40_000));
        bench.is_sound().await;
    }
}

async fn a_closed_store_takes_nothing(bench: Bench) {
    bench.commit(taken(1, 0)).await;
    assert_eq!(bench.store.health(), Health::Ready);
    bench.store.close().await;
    bench.store.close().await;
    assert_eq!(bench.store.health(), Health::Closed);
    let error = bench.store.commit(taken(2, 0)).await.expect_err("a refusal");
    assert!(matches!(error, CommitError::Broken(_)), "{error}");
}
