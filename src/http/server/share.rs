//! How many of the connections one peer may hold.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One peer's address holds at most this part of all connections: whoever opens them without end
/// must not shut out everybody else. Half, because M-Pesa itself may be one address.
const SHARE_DIVISOR: usize = 2;

/// The shares of all peers that are connected or wait: as many as connections and waiting ones,
/// and no more.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    peers: Arc<Mutex<HashMap<IpAddr, Peer>>>,
    /// How many connections one peer may have.
    most: usize,
    /// Places for connections that wait for their peer's share.
    waiting: Arc<Semaphore>,
}

#[derive(Debug)]
struct Peer {
    free: Arc<Semaphore>,
    /// Seats and waits; at 0 the peer is forgotten.
    users: usize,
}

/// One use of a peer's share; dropping the last one forgets the peer.
#[derive(Debug)]
struct Use {
    shares: Shares,
    peer: IpAddr,
    free: Arc<Semaphore>,
}

/// A part of a peer's share.
#[derive(Debug)]
pub(super) struct Seat {
    _permit: OwnedSemaphorePermit,
    _used: Use,
}

/// A wait for a part of a peer's share.
#[derive(Debug)]
pub(super) struct Wait {
    _waiting: OwnedSemaphorePermit,
    used: Use,
}

impl Shares {
    /// Shares of so many connections. As many may wait.
    pub(super) fn of(connections: usize) -> Self {
        let most = connections.checked_div(SHARE_DIVISOR).unwrap_or_default().max(1);
        let waiting = Arc::new(Semaphore::new(connections));
        Self { peers: Arc::default(), most, waiting }
    }

    /// A part of the peer's share, if one is free.
    pub(super) fn seat(&self, peer: IpAddr) -> Option<Seat> {
        let used = self.used(peer);
        let permit = Arc::clone(&used.free).try_acquire_owned().ok()?;
        Some(Seat { _permit: permit, _used: used })
    }

    /// A wait for one, if more may wait.
    pub(super) fn wait(&self, peer: IpAddr) -> Option<Wait> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().ok()?;
        Some(Wait { _waiting: waiting, used: self.used(peer) })
    }

    fn used(&self, peer: IpAddr) -> Use {
        let mut peers = self.lock();
        let fresh = || Peer { free: Arc::new(Semaphore::new(self.most)), users: 0 };
        let known = peers.entry(peer).or_insert_with(fresh);
        known.users = known.users.saturating_add(1);
        Use { shares: self.clone(), peer, free: Arc::clone(&known.free) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// The peer's turn: a part of its share, then a place among all. `None` never comes in
    /// practice: it would be a place that is no more.
    pub(super) async fn turn(self, places: Arc<Semaphore>) -> Option<(Seat, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.used.free).acquire_owned().await.ok()?;
        let place = places.acquire_owned().await.ok()?;
        Some((Seat { _permit: permit, _used: self.used }, place))
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut peers = self.shares.lock();
        if let Some(known) = peers.get_mut(&self.peer) {
            known.users = known.users.saturating_sub(1);
            if known.users == 0 {
                peers.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[tokio::test]
    async fn a_peer_has_half_and_is_forgotten_when_it_leaves() {
        let shares = Shares::of(5);
        let seats = [shares.seat(ONE), shares.seat(ONE)];
        assert!(seats.iter().all(Option::is_some));
        assert!(shares.seat(ONE).is_none(), "half of five is two");
        let theirs = shares.seat(OTHER);
        assert!(theirs.is_some(), "another peer has its own");
        let waits: Vec<Wait> = std::iter::from_fn(|| shares.wait(ONE)).take(9).collect();
        assert_eq!(waits.len(), 5, "as many as connections may wait");
        drop((seats, waits));
        assert_eq!(shares.lock().len(), 1, "who left is forgotten");
        drop(theirs);
        assert!(shares.lock().is_empty());
    }
}
