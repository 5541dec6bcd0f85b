//! Books of tests stay apart from others.
//!
//! What was written on a clock that testers steer is of days that have not come, and of money that
//! never moved. A gateway on the machine's clock would wait for those days; one on a test clock
//! would take real payouts for long overdue. So a book that a gateway in test mode opens first is
//! marked, in its own chain of events: the mark is in every back-up, and no restored book is
//! without it.

use super::NotStarted;
use super::audit;
use crate::clock::Clock;
use crate::domain::id::EventId;
use crate::engine::audit::{ADMIN, Act, Deed};
use crate::engine::port::Ids;
use crate::store::{Commit, FeedEvent, PAGE_LEN_MAX, Store};

/// So many of a book's first events are looked at: a book that holds more of them is not new.
const FIRST: usize = PAGE_LEN_MAX;
const ITS_TESTS: &str = "this book is of tests, on a clock that testers steered: its payouts were \
    never real. It is opened only with [test] set. Set another store. Nothing was changed and \
    nothing was sent";
const IN_USE: &str = "[test] is set, and this book was used without it: its payouts may be real, \
    and on a clock that testers steer each would look long overdue. Set store.url to a new \
    directory for tests. Nothing was changed and nothing was sent";

/// What a mark is made with.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub clock: &'a dyn Clock,
    pub ids: &'a dyn Ids,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Book {
    /// No gateway has opened it yet; there may be applications in it.
    New,
    /// A gateway in test mode did so first.
    OfTests,
    /// Another did.
    InUse,
}

impl Book {
    /// Which it is, by its first events.
    fn of(first: &[FeedEvent]) -> Self {
        let is = |event: &FeedEvent, deed: Deed| {
            event.event.kind.strip_prefix(ADMIN) == Some(deed.as_str())
        };
        let is_before_any_start =
            |event: &FeedEvent| event.event.kind.starts_with(ADMIN) && !is(event, Deed::Started);
        if first.iter().any(|event| is(event, Deed::TestsBegun)) {
            Self::OfTests
        } else if first.len() < FIRST && first.iter().all(is_before_any_start) {
            Self::New
        } else {
            Self::InUse
        }
    }
}

/// Refuses a book of tests to a gateway that is not in test mode, and one in use to a gateway that
/// is. A new one is marked first of all, if it is for tests.
///
/// # Errors
/// [`NotStarted`]; nothing was written then.
pub(super) async fn keep_apart(
    in_test_mode: bool,
    store: &dyn Store,
    now: Now<'_>,
) -> Result<(), NotStarted> {
    match (Book::of(&store.events(0, FIRST).await?), in_test_mode) {
        (Book::New | Book::InUse, false) | (Book::OfTests, true) => Ok(()),
        (Book::New, true) => mark(store, now).await,
        (Book::OfTests, false) => Err(NotStarted::OtherBook(ITS_TESTS)),
        (Book::InUse, true) => Err(NotStarted::OtherBook(IN_USE)),
    }
}

async fn mark(store: &dyn Store, Now { clock, ids }: Now<'_>) -> Result<(), NotStarted> {
    let act = Act {
        deed: Deed::TestsBegun,
        what: "this book is of tests, on a clock that testers steer".to_owned(),
        before: "it was new".to_owned(),
        after: "only a gateway in test mode opens it".to_owned(),
    };
    let (actor, at) = (audit::host(), clock.now());
    let event = act.event(&actor, EventId::from_bytes(ids.fresh(at)), at);
    let commit = Commit { events: vec![event], ..Commit::default() };
    let _durable = store.commit(commit).await.map_err(NotStarted::Unmarked)?;
    act.done(&actor);
    Ok(())
}
