//! Cases and rails: opened, closed once, listed by every filter.

use mlango::store::{Case, CasePage, CaseQuery, Commit, CommitError, PAGE_SCAN_MAX, Store};

use crate::bench::Bench;
use crate::disk::{commit, open};
use crate::make::{
    app_id, case, case_id, cases, closed, closing, message, message_id, payout_id, rail, taken,
};

crate::on_every_store!(
    a_case_is_closed_once,
    a_case_is_opened_once,
    what_cannot_be_closed_refuses_the_whole_commit,
    every_filter_of_cases_gives_what_it_says,
    a_long_case_is_kept_whole,
    the_last_word_on_a_rail_stands,
);

/// How many cases the filters are tried on.
const FILTERED: u64 = 60;

fn opening(numbers: impl IntoIterator<Item = u64>) -> Commit {
    Commit { cases: numbers.into_iter().map(case).collect(), ..Commit::default() }
}

fn closes(numbers: impl IntoIterator<Item = u64>) -> Commit {
    Commit { closings: numbers.into_iter().map(closing).collect(), ..Commit::default() }
}

/// Every filter alone and with each other, in both directions.
pub fn queries(limit: usize) -> Vec<CaseQuery> {
    let mut queries = vec![];
    for open in [None, Some(true), Some(false)] {
        for kind in [None, Some(case(0).kind), Some(case(1).kind)] {
            for about in [None, Some(payout_id(1).into()), Some(payout_id(77).into())] {
                for app in [None, Some(app_id(0)), Some(app_id(2)), Some(app_id(77))] {
                    for descending in [false, true] {
                        let all = CaseQuery::all(limit);
                        queries.push(CaseQuery { open, kind, about, app, descending, ..all });
                    }
                }
            }
        }
    }
    queries
}

/// Pages through a query to its end.
async fn all_pages(store: &dyn Store, query: &CaseQuery) -> Vec<Case> {
    let mut query = query.clone();
    let mut rows = Vec::new();
    loop {
        let page = store.cases(&query).await.expect("a page");
        assert!(page.rows.len() <= query.limit);
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return rows,
        }
    }
}

async fn a_case_is_closed_once(mut bench: Bench) {
    bench.commit(opening(1..=3)).await;
    assert_eq!(bench.store.counts().open_cases(), 3);
    bench.commit(closes([2])).await;
    for _round in 0..2 {
        assert_eq!(cases(&*bench.store).await, [case(1), closed(2), case(3)]);
        assert_eq!(bench.store.case(case_id(2)).await.expect("a read"), Some(closed(2)));
        assert_eq!(bench.store.case(case_id(3)).await.expect("a read"), Some(case(3)));
        assert_eq!(bench.store.case(case_id(4)).await.expect("a read"), None);
        assert_eq!(bench.store.counts().open_cases(), 2);
        let error = bench.store.commit(closes([2])).await.expect_err("a refusal");
        assert!(matches!(error, CommitError::CaseClosed(id) if id == case_id(2)), "{error}");
        bench.is_sound().await;
        bench.reopen().await;
    }
    // One that is opened and closed at once, and one that came closed from elsewhere.
    let mut both = opening([5]);
    both.cases.push(closed(6));
    both.closings = vec![closing(5)];
    bench.commit(both).await;
    assert_eq!(cases(&*bench.store).await, [case(1), closed(2), case(3), closed(5), closed(6)]);
    assert_eq!(bench.store.counts().open_cases(), 2);
    bench.is_sound().await;
}

async fn a_case_is_opened_once(bench: Bench) {
    bench.commit(opening([1])).await;
    bench.commit(closes([1])).await;
    for commit in [opening([1]), opening([2, 2])] {
        let error = bench.store.commit(commit).await.expect_err("a refusal");
        assert!(matches!(error, CommitError::Unfit(_)), "{error}");
    }
    assert_eq!(cases(&*bench.store).await, [closed(1)]);
    assert_eq!(bench.store.counts().open_cases(), 0);
}

async fn what_cannot_be_closed_refuses_the_whole_commit(mut bench: Bench) {
    bench.commit(opening(1..=2)).await;
    bench.commit(closes([2])).await;
    for wrong in [2, 3] {
        let refused = Commit {
            cases: vec![case(9)],
            messages: vec![message(9, b"<a/>".to_vec())],
            rails: vec![rail(0)],
            closings: vec![closing(1), closing(wrong)],
            ..taken(9, 0)
        };
        let error = bench.store.commit(refused).await.expect_err("a refusal");
        match error {
            CommitError::CaseClosed(id) => assert_eq!((wrong, id), (2, case_id(2))),
            CommitError::NoSuchCase(id) => assert_eq!((wrong, id), (3, case_id(3))),
            other => panic!("refused for another reason: {other}"),
        }
    }
    let error = bench.store.commit(closes([1, 1])).await.expect_err("a refusal");
    assert!(matches!(error, CommitError::CaseClosed(id) if id == case_id(1)), "{error}");
    for _round in 0..2 {
        assert_eq!(cases(&*bench.store).await, [case(1), closed(2)]);
        assert_eq!(bench.store.counts().open_cases(), 1);
        assert_eq!(bench.store.payout(payout_id(9)).await.expect("a read"), None);
        assert_eq!(bench.store.message(message_id(9)).await.expect("a read"), None);
        assert_eq!(bench.store.rails().await.expect("a read"), []);
        bench.is_sound().await;
        bench.reopen().await;
    }
    bench.commit(taken(9, 0)).await;
}

async fn every_filter_of_cases_gives_what_it_says(mut bench: Bench) {
    for n in 0..FILTERED {
        bench.commit(opening([n])).await;
        if n % 4 != 1 {
            bench.commit(closes([n])).await;
        }
    }
    bench.reopen().await;
    let everything = cases(&*bench.store).await;
    assert_eq!(everything.len() as u64, FILTERED);
    let mut found = 0;
    for query in queries(4) {
        let mut due: Vec<_> = everything.iter().filter(|it| query.admits(it)).cloned().collect();
        if query.descending {
            due.reverse();
        }
        let rows = all_pages(&*bench.store, &query).await;
        assert_eq!(rows, due, "{query:?}");
        found += rows.len();
    }
    assert!(found > 500, "the filters found only {found}");
    let none = bench.store.cases(&CaseQuery::all(0)).await.expect("a page");
    assert_eq!(none, CasePage::default());
    let whole = CaseQuery::all(FILTERED as usize);
    let whole = bench.store.cases(&whole).await.expect("a page");
    assert_eq!((whole.rows.len() as u64, whole.next), (FILTERED, None));
    bench.is_sound().await;
}

async fn a_long_case_is_kept_whole(mut bench: Bench) {
    let long = Case { says: "what is known ".repeat(1_500), ..case(1) };
    bench.commit(Commit { cases: vec![long.clone()], ..Commit::default() }).await;
    bench.commit(closes([1])).await;
    bench.reopen().await;
    let due = Case { says: long.says, ..closed(1) };
    assert_eq!(cases(&*bench.store).await, [due]);
    bench.is_sound().await;
}

async fn the_last_word_on_a_rail_stands(mut bench: Bench) {
    assert_eq!(bench.store.rails().await.expect("rails"), []);
    for n in 0..4 {
        bench.commit(Commit { rails: vec![rail(n + 1), rail(n)], ..Commit::default() }).await;
        for _round in 0..2 {
            assert_eq!(bench.store.rails().await.expect("rails"), [rail(n)]);
            bench.is_sound().await;
            bench.reopen().await;
        }
    }
}

/// Behind more closed cases than a page looks at, and behind another application's open ones, the
/// open ones of one's own are on the first page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_cases_are_found_behind_any_number_of_closed_ones() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let total = PAGE_SCAN_MAX as u64 + 50;
    let of = |n| {
        let app = Some(app_id(u64::from(n >= total)));
        let closed = (n < total).then(|| closing(n).closing);
        Case { app, about: None, closed, ..case(n) }
    };
    for from in (0..total).step_by(2_000) {
        let some = (from..total.min(from + 2_000)).map(of).collect();
        commit(&store, Commit { cases: some, ..Commit::default() }).await;
    }
    let (mine, others) = (total + 1, total + 2);
    let others = Case { app: Some(app_id(5)), ..of(others) };
    let both = Commit { cases: vec![of(mine), others.clone()], ..Commit::default() };
    commit(&store, both).await;
    let first = |query: CaseQuery| {
        let store = &store;
        async move { store.cases(&query).await.expect("a page") }
    };
    let open_ones = CaseQuery { open: Some(true), ..CaseQuery::all(10) };
    let page = first(open_ones.clone()).await;
    assert_eq!((page.rows, page.next), (vec![of(mine), others], None));
    let of_mine = CaseQuery { app: Some(app_id(1)), ..open_ones };
    let page = first(of_mine.clone()).await;
    assert_eq!((page.rows, page.next), (vec![of(mine)], None));
    let page = first(CaseQuery { open: None, ..of_mine }).await;
    assert_eq!((page.rows, page.next), (vec![of(mine)], None));
    // Without an index to help, a page looks at so many and no more, and says where to go on.
    let kind = Some(of(mine).kind);
    let scanned = CaseQuery { kind, open: Some(true), app: Some(app_id(0)), ..CaseQuery::all(10) };
    assert_eq!(first(scanned.clone()).await, CasePage::default());
    let scanned = CaseQuery {
        open: None,
        kind: Some(mlango::domain::payout::CaseKind::LawBroken),
        ..scanned
    };
    let page = first(scanned.clone()).await;
    assert_eq!(page.rows, []);
    assert!(page.next.is_some(), "the page ended as if there were no more");
    assert_eq!(all_pages(&store, &scanned).await, []);
}
