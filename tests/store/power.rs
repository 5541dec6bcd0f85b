//! Power cuts, modelled strictly: of sled's file only those bytes survive that fdatasync made
//! durable, and, in the torn variant, any 30 % of the sectors that were written after them.
//!
//! The store is opened with a sync of the test's own, which looks at the file before it calls the
//! real one: what stands in it then is durable once the call returns. A cut is an image of the
//! directory as the disk might hold it; the next life of the store begins from that image, and must
//! hold everything that was acknowledged in any life before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mlango::domain::payout::Status;
use mlango::store::sled::{Options, SledStore, SyncData};
use mlango::store::{CaseQuery, Commit, CommitError, Store};

use crate::make::{case, claim, closing, message, message_id, moved, payout_id, taken};
use crate::seed::{Chance, rounds, seed};

/// How many power cuts there are, unless `MLANGO_ROUNDS` says so.
const CUTS: u64 = 16;
/// How many of them one store lives through before a new one takes its place: it grows.
const CUTS_OF_A_STORE: u64 = 8;
/// How many write at once.
const WRITERS: u64 = 12;
/// Up to how many syncs there are before the cut.
const SYNCS_MAX: u64 = 40;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// How many in a hundred of the other sectors survive a torn cut.
const TORN: u64 = 30;
/// sled's file.
const DATA: &str = "db";

/// When the model takes bytes for durable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// When fdatasync has returned, as it is.
    Honest,
    /// Never: as if the store did not call it.
    Forgotten,
    /// With the next one: as if the store answered before it called it.
    Late,
}

/// The files of a store as the disk holds them.
type Image = BTreeMap<PathBuf, Vec<u8>>;

fn image_of(dir: &Path) -> Image {
    let mut image = Image::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            let inside = fs::read_dir(&path).expect("a directory").count();
            assert_eq!(inside, 0, "{} holds what no sync reaches", path.display());
        } else {
            let name = PathBuf::from(path.file_name().expect("a name"));
            image.insert(name, fs::read(&path).expect("a file"));
        }
    }
    image
}

/// What was acknowledged: the version that each payout had reached.
type Acknowledged = BTreeMap<u64, u64>;

/// What the disk and the test know between them.
struct World {
    /// The durable bytes of sled's file.
    durable: Vec<u8>,
    /// The bytes that a late sync will make durable.
    pending: Vec<u8>,
    acknowledged: Acknowledged,
    /// What the power cut left, once there was one.
    cut: Option<(Image, Acknowledged)>,
    syncs_left: u64,
    chance: Chance,
}

/// The image that a cut leaves now: what is durable, and if it is torn, some of the rest.
fn cut_now(dir: &Path, world: &mut World, is_torn: bool) -> Image {
    let mut image = image_of(dir);
    let now = image.remove(Path::new(DATA)).unwrap_or_default();
    let mut left = world.durable.clone();
    if is_torn {
        for (place, sector) in now.chunks(SECTOR).enumerate() {
            let from = place * SECTOR;
            let old = left.get(from..(from + sector.len()).min(left.len())).unwrap_or_default();
            if old != sector && world.chance.percent(TORN) {
                let end = from + sector.len();
                left.resize(left.len().max(end), 0);
                left[from..end].copy_from_slice(sector);
            }
        }
    }
    image.insert(DATA.into(), left);
    image
}

/// A sync that keeps account, and at the last one, before it is called, cuts the power.
fn watched(dir: PathBuf, world: Arc<Mutex<World>>, sync: Sync, is_torn: bool) -> SyncData {
    Box::new(move |file: &File| {
        let written = fs::read(dir.join(DATA))?;
        {
            let world = &mut *world.lock().expect("the world");
            world.syncs_left = world.syncs_left.saturating_sub(1);
            if world.syncs_left == 0 && world.cut.is_none() {
                // First what was acknowledged: all of that must be in the image.
                let acknowledged = world.acknowledged.clone();
                let image = cut_now(&dir, world, is_torn);
                world.cut = Some((image, acknowledged));
            }
        }
        file.sync_data()?;
        let world = &mut *world.lock().expect("the world");
        match sync {
            Sync::Honest => world.durable = written,
            Sync::Forgotten => {}
            Sync::Late => world.durable = std::mem::replace(&mut world.pending, written),
        }
        Ok(())
    })
}

/// More payouts than any life takes until its power is cut.
const UNSYNCED_MAX: u64 = 10_000;

/// The `n`th payout with something of every kind in its first commit.
fn first(n: u64) -> Commit {
    Commit {
        messages: vec![message(n, b"<Result/>".repeat(1 + n as usize % 700))],
        cases: vec![case(n)],
        ..taken(n, n % 3)
    }
}

/// Writes until the power is cut, and gives what is left and what was acknowledged.
async fn live(dir: &Path, sync: Sync, is_torn: bool, (from, chance): (u64, Chance)) -> World {
    let durable = fs::read(dir.join(DATA)).unwrap_or_default();
    let world = Arc::new(Mutex::new(World {
        pending: durable.clone(),
        durable,
        acknowledged: Acknowledged::new(),
        cut: None,
        syncs_left: 0,
        chance,
    }));
    {
        let world = &mut *world.lock().expect("the world");
        world.syncs_left = 2 + world.chance.below(SYNCS_MAX);
    }
    let watched = watched(dir.to_owned(), Arc::clone(&world), sync, is_torn);
    let store = SledStore::open_syncing_by(dir, Options::default(), watched).expect("a store");
    let (store, next) = (Arc::new(store), Arc::new(AtomicU64::new(from)));
    let mut writers = Vec::new();
    for _writer in 0..WRITERS {
        let (store, next, world) = (Arc::clone(&store), Arc::clone(&next), Arc::clone(&world));
        writers.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                assert!(n - from < UNSYNCED_MAX, "commits are acknowledged, and nothing is synced");
                let last = Commit { closings: vec![closing(n)], ..at_last(n) };
                let life = [first(n), moved(n, n % 3, 1, Status::Accepted), last];
                for (commit, version) in life.into_iter().zip(1..) {
                    let _durable = store.commit(commit).await.expect("a commit");
                    let world = &mut *world.lock().expect("the world");
                    if world.cut.is_some() {
                        return;
                    }
                    world.acknowledged.insert(n, version);
                }
            }
        }));
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    store.close().await;
    drop(store);
    Arc::into_inner(world).expect("nobody else").into_inner().expect("the world")
}

fn at_last(n: u64) -> Commit {
    moved(n, n % 3, 2, Status::Succeeded)
}

/// What is wrong with a store after a power cut; its last life began with payout `from`.
async fn wrong_with(dir: &Path, acknowledged: &Acknowledged, from: u64) -> Vec<String> {
    let store = match SledStore::open(dir, Options::default()) {
        Ok(store) => store,
        Err(error) => return vec![format!("it does not open: {error}")],
    };
    let mut wrong = store.verify().await.expect("a verification").faults;
    for (n, version) in acknowledged {
        match store.payout(payout_id(*n)).await {
            Ok(Some(stored)) if stored.version >= *version => {}
            Ok(Some(stored)) => {
                wrong.push(format!("payout {n} is at {} and not at {version}", stored.version));
            }
            other => wrong.push(format!("payout {n} at {version} is lost: {other:?}")),
        }
    }
    let last = acknowledged.last_key_value().map_or(from, |(n, _version)| *n);
    for n in from..=last + 2 * WRITERS {
        wrong.extend(halves_of(&store, n).await);
    }
    store.close().await;
    wrong
}

/// A commit is there whole or not at all: what is there of a payout's commits without the rest.
async fn halves_of(store: &SledStore, n: u64) -> Option<String> {
    let stored = store.payout(payout_id(n)).await.ok()?;
    let version = stored.map_or(0, |stored| stored.version);
    let case = store.case(mlango::domain::id::CaseId::from_bytes(payout_id(n).bytes())).await;
    let is_closed = case.ok()?.map(|case| case.closed.is_some());
    let claimed = claim(n % 3, &format!("key {n}"), n);
    let claimed = store.claim(claimed.app, &claimed.key).await.ok()?.is_some();
    let mut messages = BTreeSet::new();
    for nth in 0..3 {
        if store.message(message_id(n + 1_000_000 * nth)).await.ok()?.is_some() {
            messages.insert(nth);
        }
    }
    let due: BTreeSet<u64> = (0..version).collect();
    let is_whole = is_closed == (version > 0).then_some(version == 3)
        && claimed == (version > 0)
        && messages == due;
    (!is_whole).then(|| {
        format!("payout {n} at {version}: case {is_closed:?}, key {claimed}, {messages:?}")
    })
}

/// What many power cuts did.
#[derive(Default)]
struct Cuts {
    acknowledged: usize,
    /// What was wrong after each that did harm.
    harm: Vec<Vec<String>>,
}

/// Cuts the power again and again, each time going on with what the last cut left.
async fn cut_again_and_again(cuts: u64, sync: Sync, is_torn: bool) -> Cuts {
    let mut chance = Chance::of(seed() ^ u64::from(is_torn));
    let mut done = Cuts::default();
    let mut dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Acknowledged::new();
    for cut in 0..cuts {
        if cut % CUTS_OF_A_STORE == 0 {
            dir = tempfile::tempdir().expect("a directory");
            acknowledged.clear();
        }
        let from = cut % CUTS_OF_A_STORE * 10_000;
        let world = live(dir.path(), sync, is_torn, (from, Chance::of(chance.next()))).await;
        let (image, fresh) = world.cut.expect("a cut");
        done.acknowledged += fresh.len();
        acknowledged.extend(fresh.clone());
        dir = tempfile::tempdir().expect("a directory");
        for (name, bytes) in &image {
            fs::write(dir.path().join(name), bytes).expect("a file");
        }
        // Looked at in a copy, so that the next life begins with what the cut left and no more.
        let copy = tempfile::tempdir().expect("a directory");
        for (name, bytes) in &image {
            fs::write(copy.path().join(name), bytes).expect("a file");
        }
        let mut wrong = wrong_with(copy.path(), &fresh, from).await;
        wrong.extend(older_ones(copy.path(), &acknowledged).await);
        if !wrong.is_empty() {
            done.harm.push(wrong);
            if sync != Sync::Honest {
                // Nothing to go on from.
                dir = tempfile::tempdir().expect("a directory");
                acknowledged.clear();
            }
        }
    }
    done
}

/// What is lost of the lives before.
async fn older_ones(dir: &Path, acknowledged: &Acknowledged) -> Vec<String> {
    let Ok(store) = SledStore::open(dir, Options::default()) else {
        return Vec::new();
    };
    let mut lost = Vec::new();
    for (n, version) in acknowledged {
        let stored = store.payout(payout_id(*n)).await.expect("a read");
        if stored.is_none_or(|stored| stored.version < *version) {
            lost.push(format!("payout {n} at {version} is lost of an earlier life"));
        }
    }
    let open = store.cases(&CaseQuery { open: Some(true), ..CaseQuery::all(1) }).await;
    lost.extend(open.err().map(|error| error.to_string()));
    // It goes on as any store does.
    match store.commit(first(999_999)).await {
        Ok(_durable) => {}
        Err(CommitError::Claimed(_)) => lost.push("it holds what was never written".to_owned()),
        Err(error) => lost.push(format!("it takes nothing more: {error}")),
    }
    store.close().await;
    lost
}

async fn nothing_is_lost(is_torn: bool) {
    let cuts = rounds(CUTS);
    let done = cut_again_and_again(cuts, Sync::Honest, is_torn).await;
    println!("seed {}: {cuts} power cuts, {} payouts acknowledged", seed(), done.acknowledged);
    assert!(done.harm.is_empty(), "seed {}: {:#?}", seed(), done.harm);
    assert!(done.acknowledged as u64 > cuts, "hardly anything was acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fdatasync_made_durable_is_enough() {
    nothing_is_lost(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_of_the_other_sectors_do_no_harm() {
    nothing_is_lost(true).await;
}

/// The model can tell: without the sync, or with the answer before it, it finds losses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_or_late_sync_loses_what_was_acknowledged() {
    for (sync, is_torn) in
        [(Sync::Forgotten, false), (Sync::Forgotten, true), (Sync::Late, false), (Sync::Late, true)]
    {
        let cuts = 4;
        let done = cut_again_and_again(cuts, sync, is_torn).await;
        println!("{} of {cuts} cuts did harm", done.harm.len());
        assert!(done.harm.len() as u64 > cuts / 2, "only {} did harm", done.harm.len());
    }
}
