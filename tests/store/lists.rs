//! Lists: every filter, pages, counts.

use mlango::domain::money::Amount;
use mlango::domain::payout::Status;
use mlango::store::{Commit, PayoutPage, PayoutQuery};

use crate::bench::Bench;
use crate::make::{
    app_id, batch_id, moved, payout, payout_id, receipt, reference, taken, time, write,
};

crate::on_every_store!(
    every_filter_gives_what_it_says,
    pages_hold_still_while_payouts_arrive,
    lists_are_whole_while_payouts_arrive_and_move,
    counts_follow_the_payouts,
);

/// How many payouts the filters are tried on.
const FILTERED: u64 = 96;

/// Payouts of three applications at every status.
async fn fill(bench: &Bench) {
    for n in 0..FILTERED {
        bench.commit(taken(n, n % 3)).await;
        let status = Status::ALL[(n / 3) as usize % Status::ALL.len()];
        if status != Status::Queued {
            bench.commit(moved(n, n % 3, 1, status)).await;
        }
    }
}

/// Every filter alone, and a good part of their combinations.
fn queries() -> Vec<PayoutQuery> {
    let mut queries = Vec::new();
    let apps = [None, Some(app_id(0)), Some(app_id(2)), Some(app_id(9))];
    let statuses = [None, Some(Status::Queued), Some(Status::Succeeded), Some(Status::Unknown)];
    for app in apps {
        for status in statuses {
            let base = PayoutQuery { app, status, ..PayoutQuery::all(7) };
            queries.push(base.clone());
            for n in 0..5 {
                queries.push(PayoutQuery { reference: Some(reference(n)), ..base.clone() });
            }
            queries.extend(narrowed(&base));
        }
    }
    queries
}

/// A query narrowed by each of the other filters, and by some together.
fn narrowed(base: &PayoutQuery) -> Vec<PayoutQuery> {
    let phone = Some(payout(4, 0).details.phone);
    let batch = Some(batch_id(1));
    let (from, to) = (Some(time(20)), Some(time(70)));
    let mut queries = vec![base.clone(); 11];
    queries[0].phone = phone;
    queries[1].phone = phone;
    queries[1].reference = Some(reference(1));
    queries[2].phone = phone;
    queries[2].created_from = from;
    queries[3].batch = batch;
    queries[4].batch = batch;
    queries[4].phone = phone;
    queries[5].receipt = Some(receipt(15));
    queries[6].receipt = Some(receipt(1));
    queries[7].created_from = from;
    queries[8].created_to = to;
    queries[9].created_from = from;
    queries[9].created_to = to;
    queries[10].created_from = to;
    queries[10].created_to = from;
    queries
}

/// Pages through a query to its end.
async fn all_pages(bench: &Bench, query: &PayoutQuery) -> Vec<mlango::store::Stored> {
    let mut query = query.clone();
    let mut rows = Vec::new();
    loop {
        let page = bench.page(&query).await;
        assert!(page.rows.len() <= query.limit);
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return rows,
        }
    }
}

async fn every_filter_gives_what_it_says(mut bench: Bench) {
    fill(&bench).await;
    bench.reopen().await;
    let everything = all_pages(&bench, &PayoutQuery::all(50)).await;
    assert_eq!(everything.len() as u64, FILTERED);
    let mut found = 0;
    for query in queries() {
        for descending in [false, true] {
            let query = PayoutQuery { descending, ..query.clone() };
            let mut due: Vec<_> =
                everything.iter().filter(|row| query.admits(&row.payout)).cloned().collect();
            if descending {
                due.reverse();
            }
            let rows = all_pages(&bench, &query).await;
            assert_eq!(rows, due, "{query:?}");
            found += rows.len();
        }
    }
    assert!(found > 1_000, "the filters found only {found}");
    // The ends of what a page may be.
    assert_eq!(bench.page(&PayoutQuery::all(0)).await, PayoutPage::default());
    let whole = bench.page(&PayoutQuery::all(FILTERED as usize)).await;
    assert_eq!((whole.rows.len() as u64, whole.next), (FILTERED, None));
    bench.is_sound().await;
}

async fn pages_hold_still_while_payouts_arrive(bench: Bench) {
    for n in 0..40 {
        bench.commit(taken(n, n % 2)).await;
    }
    for (descending, app) in [(false, None), (true, None), (false, Some(1)), (true, Some(1))] {
        let mut query =
            PayoutQuery { descending, app: app.map(app_id), limit: 4, ..PayoutQuery::all(4) };
        let before: Vec<_> = all_pages(&bench, &query).await;
        let mut rows = Vec::new();
        let mut fresh = 1_000 * (u64::from(descending) + 2 * app.unwrap_or(0) + 1);
        loop {
            let page = bench.page(&query).await;
            rows.extend(page.rows);
            bench.commit(taken(fresh, fresh % 2)).await;
            fresh += 1;
            if fresh % 100 > 60 {
                break;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        // What was there is there once, in order; what arrived comes after, if it comes.
        let seen: Vec<_> = rows.iter().filter(|row| before.contains(row)).cloned().collect();
        assert_eq!(seen, before);
        assert!(
            rows.is_sorted_by(|a, b| { (a.payout.details.id < b.payout.details.id) != descending })
        );
    }
}

async fn lists_are_whole_while_payouts_arrive_and_move(bench: Bench) {
    // Every second one is there; the rest arrive between them, and all of them move.
    let there: Vec<u64> = (0..400).map(|n| n * 2).collect();
    for n in &there {
        bench.commit(taken(*n, 0)).await;
    }
    let store = std::sync::Arc::clone(&bench.store);
    let writer = tokio::spawn(async move {
        let backwards = [Status::Succeeded, Status::Sending, Status::Queued];
        for n in (0..400).rev().map(|n| n * 2) {
            let _durable = store.commit(taken(n + 1, 0)).await.expect("a commit");
            for (version, status) in (1..).zip(backwards) {
                let moved = moved(n, 0, version, status);
                let _durable = store.commit(moved).await.expect("a commit");
            }
        }
    });
    let mut rounds = 0;
    while !writer.is_finished() || rounds < 2 {
        for descending in [false, true] {
            let query = PayoutQuery {
                app: (rounds % 2 == 0).then(|| app_id(0)),
                descending,
                ..PayoutQuery::all(450)
            };
            let rows = all_pages(&bench, &query).await;
            let mut ids: Vec<_> = rows.iter().map(|row| row.payout.details.id).collect();
            if descending {
                ids.reverse();
            }
            assert!(ids.is_sorted_by(|a, b| a < b), "one came twice, or out of order");
            for n in &there {
                assert!(ids.binary_search(&payout_id(*n)).is_ok(), "payout {n} is missed");
            }
        }
        rounds += 1;
    }
    writer.await.expect("the writer");
    bench.is_sound().await;
}

async fn counts_follow_the_payouts(mut bench: Bench) {
    fill(&bench).await;
    for _round in 0..2 {
        let counts = bench.store.counts();
        let each = FILTERED / Status::ALL.len() as u64;
        for status in Status::ALL {
            assert_eq!(counts.of(status), each, "{status}");
        }
        let query = PayoutQuery { status: Some(Status::Unknown), ..PayoutQuery::all(100) };
        let doubtful = bench.page(&query).await.rows;
        let cents = doubtful.iter().map(|row| row.payout.details.amount.cents());
        assert_eq!(counts.in_doubt(), Amount::from_cents(cents.sum()));
        bench.reopen().await;
    }
    // A move and its way back leave no trace in the counts.
    let before = bench.store.counts();
    bench.commit(moved(3, 0, 1, Status::Unknown)).await;
    assert_ne!(bench.store.counts(), before);
    let back = Commit { payouts: vec![write(payout(3, 0), 2)], ..Commit::default() };
    bench.commit(back).await;
    assert_eq!(bench.store.counts(), before);
}
