//! A back-up of a store that goes on writing.
//!
//! sled has no snapshots. But one thread writes all groups, so a copy is consistent that holds
//! every key as it was read at some moment, and after that every group that reached the disk
//! between the first moment and the last, in order: what was read too early or too late for the
//! last moment is set right by the groups.
//!
//! The writer hands a copy of each group over once it is on the disk, and never waits: the groups
//! go through a queue of bounded size to a thread of the back-up's own, and when that cannot keep
//! up, or its disk fails, the back-up is given up and the store goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::codec::{self, Meta};
use super::disk::{Disk, Writes};
use super::keys::{self, PIECE};
use super::{Shared, block};
use crate::domain::payout::Status;
use crate::domain::time::Timestamp;
use crate::store::backup::{
    BackupError, LastBackup, Manifest, Order, Progress, Stream, Writing, Written,
};
use crate::store::{Health, Pending, StoreError};

/// How much is read of the store at once; between two reads, others have their turn.
const CHUNK_LEN: usize = 1 << 20;
/// How much of the groups may wait to be written, in bytes.
const WAITING_MAX: usize = 64 << 20;

/// What the writer knows of back-ups.
#[derive(Debug)]
pub(super) enum Slot {
    /// None is being made.
    Idle,
    /// One is being made that need not be told of groups: not yet, or no longer.
    Taken,
    /// One is to be told of every group.
    Told(Tee),
    /// One missed a group, and cannot be finished. The words say why.
    Missed(&'static str),
}

/// The writer's end of the queue.
#[derive(Debug)]
pub(super) struct Tee {
    to: Sender<Writes>,
    /// How many bytes wait in it.
    waiting: Arc<AtomicUsize>,
}

impl Slot {
    /// A copy of a group that is about to be written, if anybody wants it.
    pub(super) fn copy_of(&self, writes: &Writes) -> Option<Writes> {
        matches!(self, Self::Told(_)).then(|| writes.clone())
    }

    /// Hands it over, now that the group is on the disk or nobody knows whether it is.
    pub(super) fn follow(&mut self, copy: Option<Writes>, is_written: bool) {
        let (Self::Told(tee), Some(copy)) = (&*self, copy) else {
            return;
        };
        let len = length(&copy);
        let missed = if !is_written {
            Some("the store failed")
        } else if tee.waiting.load(Ordering::Relaxed).saturating_add(len) > WAITING_MAX {
            Some("the disk that it is written to is too slow for what the gateway writes meanwhile")
        } else {
            tee.waiting.fetch_add(len, Ordering::Relaxed);
            // Its reader has ended: what it says about that is the reason.
            tee.to.send(copy).err().map(|_gone| "what was written meanwhile could not be kept")
        };
        if let Some(why) = missed {
            *self = Self::Missed(why);
        }
    }
}

fn length(writes: &Writes) -> usize {
    let lengths = writes.iter().map(|(key, value)| {
        key.len().saturating_add(value.as_ref().map_or(0, Vec::len)).saturating_add(16)
    });
    lengths.fold(0, usize::saturating_add)
}

/// Makes a back-up on a blocking thread. Dropped before it is done, it is given up.
pub(super) fn make<'a>(
    shared: Arc<Shared>,
    order: Order,
    progress: Arc<Progress>,
) -> Pending<'a, Result<Manifest, BackupError>> {
    Box::pin(async move {
        let guard = StopGuard(Arc::clone(&progress));
        let work = move || told(one(&shared, &order, &progress), &order);
        let made = tokio::task::spawn_blocking(work).await;
        drop(guard);
        made.map_err(|error| BackupError::Failed(format!("it ended early: {error}")))?
    })
}

/// Stops a back-up that nobody waits for any more.
struct StopGuard(Arc<Progress>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Makes one, if none is being made.
fn one(shared: &Shared, order: &Order, progress: &Progress) -> Result<Manifest, BackupError> {
    {
        let mut slot = shared.tee();
        if !matches!(*slot, Slot::Idle) {
            return Err(BackupError::Running);
        }
        *slot = Slot::Taken;
    }
    let _place = PlaceGuard(shared);
    let manifest = Copying { shared, progress }.make(&order.dir, order.at)?;
    if order.is_kept {
        remember(shared, order);
    }
    Ok(manifest)
}

/// Writes down that it was made. It is made all the same when that fails.
fn remember(shared: &Shared, order: &Order) {
    let dir = std::path::absolute(&order.dir).unwrap_or_else(|_error| order.dir.clone());
    let last = LastBackup { at: order.at.rfc3339(), dir };
    let failed = |error: std::io::Error| StoreError::Failed(error.to_string());
    let kept = shared.with_disk(|disk| last.keep(disk.dir()).map_err(failed));
    if let Err(error) = kept {
        tracing::warn!(%error, "the back-up is made, but not when it was made: its age is unknown");
    }
}

/// Puts into the log what became of it.
fn told(made: Result<Manifest, BackupError>, order: &Order) -> Result<Manifest, BackupError> {
    let dir = order.dir.display();
    match &made {
        Ok(manifest) => {
            let bytes = manifest.bytes();
            tracing::info!(%dir, bytes, group = manifest.group, "a back-up is made");
        }
        Err(error) => {
            tracing::warn!(%dir, %error, "no back-up was made; the gateway goes on as before");
        }
    }
    made
}

/// Frees the place, and with it the writer, however the back-up ends.
struct PlaceGuard<'a>(&'a Shared);

impl Drop for PlaceGuard<'_> {
    fn drop(&mut self) {
        *self.0.tee() = Slot::Idle;
    }
}

/// The thread that writes what the writer hands over.
type Following = JoinHandle<Result<Written, BackupError>>;

struct Copying<'a> {
    shared: &'a Shared,
    progress: &'a Progress,
}

impl Copying<'_> {
    fn make(&self, dir: &Path, at: Timestamp) -> Result<Manifest, BackupError> {
        let writing = Writing::begin(dir)?;
        let base = writing.base()?;
        let following = self.follow(writing.changes()?)?;
        let read = self.read(base);
        let ended = self.end();
        // It ends with the writer's end of the queue, which is gone now in any case.
        let changes = following.join();
        let changes = changes.map_err(|_panic| self.failed("a thread of it ended".to_owned()))?;
        // Why the groups could not be kept says more than that one was missed.
        let (changes, base, meta) = (changes?, read?, ended?);
        writing.finish(manifest(&meta, at), [base, changes])
    }

    /// From now on every group is written down.
    fn follow(&self, changes: Stream) -> Result<Following, BackupError> {
        let (to, groups) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let known = Arc::clone(&waiting);
        let following = std::thread::Builder::new()
            .name("mlango-backup".to_owned())
            .spawn(move || write_down(&groups, &known, changes))
            .map_err(|error| self.failed(error.to_string()))?;
        *self.shared.tee() = Slot::Told(Tee { to, waiting });
        Ok(following)
    }

    /// Reads every key, checking every block.
    fn read(&self, mut base: Stream) -> Result<Written, BackupError> {
        let mut last = Vec::new();
        loop {
            if self.progress.is_stopped() {
                return Err(self.failed("it was stopped".to_owned()));
            }
            if let Slot::Missed(why) = &*self.shared.tee() {
                return Err(self.failed((*why).to_owned()));
            }
            let chunk = self.shared.with_disk(|disk| sound_chunk(disk, &last));
            let chunk = chunk.map_err(|error| self.failed(error.to_string()))?;
            let Some((key, _value)) = chunk.last() else {
                return base.finish();
            };
            last = key.to_vec();
            for (key, value) in &chunk {
                base.put(key, Some(value))?;
                self.progress.add(key.len().saturating_add(value.len()));
            }
        }
    }

    /// The last moment: no group after it is in the back-up. Gives the store's numbers then.
    fn end(&self) -> Result<Meta, BackupError> {
        let mut slot = self.shared.tee();
        let told = std::mem::replace(&mut *slot, Slot::Taken);
        let view = self.shared.view();
        match (told, &view.health) {
            // A writer that panicked while it wrote leaves the lock poisoned.
            _ if self.shared.tee.is_poisoned() => Err(self.failed("the store failed".to_owned())),
            (Slot::Missed(why), _) => Err(self.failed(why.to_owned())),
            (_, Health::Failed(why)) => Err(self.failed(format!("the store failed: {why}"))),
            (Slot::Told(_) | Slot::Taken | Slot::Idle, Health::Ready | Health::Closed) => {
                Ok(view.meta)
            }
        }
    }

    fn failed(&self, why: String) -> BackupError {
        let bytes = self.progress.bytes();
        BackupError::Failed(format!("the back-up was given up after {bytes} bytes: {why}"))
    }
}

/// Writes groups down as they come, until no more can.
fn write_down(
    groups: &Receiver<Writes>,
    waiting: &AtomicUsize,
    mut changes: Stream,
) -> Result<Written, BackupError> {
    while let Ok(group) = groups.recv() {
        for (key, value) in &group {
            changes.put(key, value.as_deref())?;
        }
        waiting.fetch_sub(length(&group), Ordering::Relaxed);
    }
    changes.finish()
}

/// The next keys and values, each found to be as it was written.
fn sound_chunk(disk: &Disk, after: &[u8]) -> Result<Vec<super::disk::Raw>, StoreError> {
    let chunk = disk.above(after, CHUNK_LEN)?;
    for (key, value) in &chunk {
        if key == keys::META {
            codec::read_meta(value)?;
        } else if key.first() != Some(&PIECE) {
            // A piece has no checksum of its own; the record that it belongs to has one over all.
            block::unpack(value).map_err(|flaw| damaged_block(key, flaw))?;
        }
    }
    Ok(chunk)
}

fn damaged_block(key: &[u8], flaw: &str) -> StoreError {
    let kind = key.first().copied().map_or('?', char::from);
    StoreError::Damaged(format!("a block of the kind '{kind}': {flaw}"))
}

fn manifest(meta: &Meta, at: Timestamp) -> Manifest {
    let payouts = Status::ALL.iter().map(|status| meta.counts.of(*status));
    Manifest {
        format: Manifest::FORMAT,
        records: codec::VERSION.into(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: at.rfc3339(),
        group: meta.groups,
        payouts: payouts.fold(0, u64::saturating_add),
        last_event: meta.head.seq,
        files: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> (Slot, Receiver<Writes>, Arc<AtomicUsize>) {
        let (to, groups) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        (Slot::Told(Tee { to, waiting: Arc::clone(&waiting) }), groups, waiting)
    }

    fn hand_over(slot: &mut Slot, value_len: usize, is_written: bool) {
        let copy = slot.copy_of(&vec![(b"k".to_vec(), Some(vec![7; value_len]))]);
        slot.follow(copy, is_written);
    }

    /// Why it cannot be finished.
    const fn missed(slot: &Slot) -> Option<&'static str> {
        match slot {
            Slot::Missed(why) => Some(why),
            Slot::Idle | Slot::Taken | Slot::Told(_) => None,
        }
    }

    #[test]
    fn every_group_is_handed_over_and_counted_until_it_is_written_down() {
        let (mut slot, groups, waiting) = told();
        for len in [1, 10, 0] {
            hand_over(&mut slot, len, true);
        }
        assert_eq!((missed(&slot), waiting.load(Ordering::Relaxed)), (None, 3 * 17 + 11));
        drop(slot);
        assert_eq!(groups.iter().count(), 3);
    }

    #[test]
    fn a_writer_never_waits_for_a_back_up_that_cannot_keep_up() {
        let (mut slot, groups, waiting) = told();
        let many = WAITING_MAX / (1 << 20) + 1;
        for _ in 0..many {
            hand_over(&mut slot, 1 << 20, true);
        }
        assert!(missed(&slot).is_some_and(|why| why.contains("too slow")));
        assert!(waiting.load(Ordering::Relaxed) <= WAITING_MAX, "memory is bounded");
        // It is not told of any more, so that nothing gathers.
        assert!(slot.copy_of(&Writes::new()).is_none());
        let handed_over = groups.iter().count();
        assert!((many / 2..many).contains(&handed_over), "its reader comes to an end");
    }

    #[test]
    fn a_group_that_nobody_could_keep_or_that_may_not_be_on_the_disk_ends_it() {
        let (mut slot, groups, _waiting) = told();
        drop(groups);
        hand_over(&mut slot, 1, true);
        assert!(missed(&slot).is_some_and(|why| why.contains("could not be kept")));
        let (mut slot, groups, _waiting) = told();
        hand_over(&mut slot, 1, false);
        assert!(missed(&slot).is_some_and(|why| why.contains("the store failed")));
        assert_eq!(groups.iter().count(), 0);
        // Where none is made, nothing is copied.
        let mut idle = Slot::Idle;
        hand_over(&mut idle, 1, true);
        assert!(matches!(idle, Slot::Idle));
    }
}
