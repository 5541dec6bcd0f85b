//! What may be ready to be sent or asked about, held in memory so that it need not be looked up.
//!
//! The queue is the store's own index of queued payouts, or of those in doubt. What was just taken
//! is offered here directly; what does not fit is found in the store. No id is here twice, and one
//! that is offered while it is being worked on is ready again afterwards.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::hash::Hash;

use tokio::sync::Notify;

/// The most ids that are held in memory; the rest waits in the store.
const OFFERED_MAX: usize = 4_096;

/// What may be ready to go, by its id.
#[derive(Debug)]
pub(super) struct Outbox<I> {
    ids: Mutex<Ids<I>>,
    offered: Notify,
    /// Whether whoever takes from it waits for leave to send, and not for something to be offered.
    awaits_leave: AtomicBool,
}

#[derive(Debug)]
struct Ids<I> {
    /// Those that wait, in order.
    ready: VecDeque<I>,
    /// Each of them, and each that is being worked on.
    known: HashMap<I, Known>,
    /// Whether the store is to be looked through, from its beginning, once `ready` is empty.
    again: bool,
    /// Where looking through it goes on.
    look: Look<I>,
}

/// Where an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It waits in `ready`.
    Ready,
    /// It is being worked on.
    Taken,
    /// It is being worked on, and was offered meanwhile: whoever works on it may have looked
    /// before that, so it must be looked at again.
    Offered,
}

/// How far a look through the store has come.
#[derive(Clone, Copy, Debug, Default)]
enum Look<I> {
    /// None is under way.
    #[default]
    Over,
    /// The next page is the one after this one, or the first.
    After(Option<I>),
}

impl<I> Default for Outbox<I> {
    fn default() -> Self {
        let (ready, known) = (VecDeque::new(), HashMap::new());
        let ids = Ids { ready, known, again: false, look: Look::Over };
        Self { ids: Mutex::new(ids), offered: Notify::new(), awaits_leave: AtomicBool::new(false) }
    }
}

impl<I: Copy + Eq + Hash> Outbox<I> {
    /// One that may be ready.
    pub(super) fn offer(&self, id: I) {
        let mut ids = self.lock();
        if ids.ready.len() < OFFERED_MAX || ids.known.contains_key(&id) {
            ids.add(id);
        } else {
            ids.again = true;
        }
        drop(ids);
        self.offered.notify_one();
    }

    /// As [`Outbox::offer`], unless `most` wait already: whether it is here now.
    pub(super) fn offer_within(&self, id: I, most: usize) -> bool {
        let mut ids = self.lock();
        if ids.ready.len() >= most && !ids.known.contains_key(&id) {
            return false;
        }
        ids.add(id);
        drop(ids);
        self.offered.notify_one();
        true
    }

    /// The store may hold what nobody offered.
    pub(super) fn look_through_store(&self) {
        self.lock().again = true;
        self.offered.notify_one();
    }

    /// The next one, to be worked on; [`Outbox::put_back`] ends that.
    pub(super) fn take(&self) -> Option<I> {
        let mut ids = self.lock();
        let id = ids.ready.pop_front()?;
        ids.known.insert(id, Known::Taken);
        Some(id)
    }

    /// Whether anything waits.
    pub(super) fn has_ready(&self) -> bool {
        !self.lock().ready.is_empty()
    }

    /// Nobody works on it any more.
    pub(super) fn put_back(&self, id: I) {
        let mut ids = self.lock();
        if ids.known.remove(&id) == Some(Known::Offered) {
            ids.add(id);
            drop(ids);
            self.offered.notify_one();
        }
    }

    /// Whether this one is being worked on.
    pub(super) fn works_on(&self, id: I) -> bool {
        matches!(self.lock().known.get(&id), Some(Known::Taken | Known::Offered))
    }

    /// After which one the store is to be read next; `None` when there is no need to.
    pub(super) fn look_on(&self) -> Option<Option<I>> {
        let mut ids = self.lock();
        match ids.look {
            Look::After(after) => Some(after),
            Look::Over if ids.again => {
                ids.again = false;
                ids.look = Look::After(None);
                Some(None)
            }
            Look::Over => None,
        }
    }

    /// A page was found in the store; `next` is where the next one begins. At most one page more
    /// than what may be offered is held.
    pub(super) fn found(&self, page: impl IntoIterator<Item = I>, next: Option<I>) {
        let mut ids = self.lock();
        for id in page {
            ids.add(id);
        }
        ids.look = next.map_or(Look::Over, |next| Look::After(Some(next)));
    }

    /// Waits for leave to send what was taken.
    pub(super) async fn leave<T>(&self, leave: impl Future<Output = T>) -> T {
        self.awaits_leave.store(true, Ordering::SeqCst);
        let given = leave.await;
        self.awaits_leave.store(false, Ordering::SeqCst);
        given
    }

    /// Whether something is about to be taken.
    pub(super) fn is_about_to_go(&self) -> bool {
        self.has_ready() && !self.awaits_leave.load(Ordering::SeqCst)
    }

    /// Waits until something is offered, or was since the last wait.
    pub(super) async fn offered(&self) {
        self.offered.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Ids<I>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Copy + Eq + Hash> Ids<I> {
    fn add(&mut self, id: I) {
        match self.known.get_mut(&id) {
            None => {
                self.known.insert(id, Known::Ready);
                self.ready.push_back(id);
            }
            Some(known @ Known::Taken) => *known = Known::Offered,
            Some(Known::Ready | Known::Offered) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PayoutId;

    fn id(number: u64) -> PayoutId {
        PayoutId::from_bytes(u128::from(number).to_be_bytes())
    }

    #[test]
    fn what_is_offered_twice_waits_once() {
        let outbox = Outbox::default();
        outbox.offer(id(1));
        outbox.offer(id(2));
        outbox.offer(id(1));
        outbox.found([id(2), id(3)], None);
        let taken: Vec<_> = std::iter::from_fn(|| outbox.take()).collect();
        assert_eq!(taken, [id(1), id(2), id(3)]);
    }

    #[test]
    fn what_is_offered_or_found_while_it_is_worked_on_is_ready_again_afterwards() {
        let outbox = Outbox::default();
        outbox.offer(id(1));
        assert_eq!(outbox.take(), Some(id(1)));
        outbox.offer(id(1));
        outbox.found([id(1)], None);
        assert_eq!(outbox.take(), None, "it is being worked on");
        outbox.put_back(id(1));
        assert_eq!(outbox.take(), Some(id(1)));
        outbox.put_back(id(1));
        assert_eq!(outbox.take(), None, "once is enough");
        outbox.offer(id(1));
        assert_eq!(outbox.take(), Some(id(1)));
    }

    #[test]
    fn what_does_not_fit_is_looked_for_in_the_store() {
        let outbox = Outbox::default();
        for number in 0..4_096 {
            outbox.offer(id(number));
        }
        assert_eq!(outbox.look_on(), None);
        outbox.offer(id(9_999));
        assert_eq!(outbox.look_on(), Some(None), "from the beginning");
        outbox.found([id(9_998)], Some(id(9_998)));
        assert_eq!(outbox.look_on(), Some(Some(id(9_998))), "and on");
        outbox.found([id(9_999)], None);
        assert_eq!(outbox.look_on(), None);
        outbox.look_through_store();
        assert_eq!(outbox.look_on(), Some(None));
    }
}
