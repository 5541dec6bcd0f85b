//! The files of a closed store cut short, or with a bit turned over: what is read is right, or the
//! damage is named. Nothing is read that was never written, and nothing hangs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mlango::domain::payout::Status;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{
    App, Case, CaseQuery, Commit, Counts, FeedEvent, Message, PayoutQuery, RailRecord, Store,
    StoreError, Stored,
};

use crate::disk::{commit, faults, open};
use crate::make::{app, case, closing, message, message_id, moved, rail, taken};
use crate::seed::{Chance, rounds, seed};

/// How many payouts there are.
const PAYOUTS: u64 = 40;
/// How many bits are turned over, one after the other, in the file that holds the records.
const FLIPS: u64 = 200;
/// How many in each of the others, which are small.
const FLIPS_ELSEWHERE: u64 = 40;
/// At how many places each file is cut, besides its ends.
const CUTS: u64 = 20;
/// How long opening and reading a small store may take, however damaged it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that can be read of a store.
#[derive(Debug, PartialEq, Eq)]
struct Everything {
    payouts: Vec<Stored>,
    events: Vec<FeedEvent>,
    messages: Vec<Option<Message>>,
    cases: Vec<Case>,
    rails: Vec<RailRecord>,
    apps: Vec<App>,
    counts: Counts,
}

async fn everything(store: &SledStore) -> Result<Everything, StoreError> {
    let mut messages = Vec::new();
    for n in (0..PAYOUTS).flat_map(|n| [n, n + 1_000_000, n + 2_000_000]) {
        messages.push(store.message(message_id(n)).await?);
    }
    Ok(Everything {
        payouts: store.payouts(&PayoutQuery::all(500)).await?.rows,
        events: store.events(0, 500).await?,
        messages,
        cases: store.cases(&CaseQuery::all(500)).await?.rows,
        rails: store.rails().await?,
        apps: store.apps().await?,
        counts: store.counts(),
    })
}

/// A closed store with something of every kind in it; part of it was there when it was last opened.
async fn filled(dir: &Path) -> Everything {
    let mut store = open(dir);
    for n in 0..PAYOUTS {
        if n == PAYOUTS / 2 {
            store.close().await;
            store = open(dir);
        }
        let first = Commit {
            messages: vec![message(n, b"<Result/>".repeat(700))],
            cases: vec![case(n)],
            rails: vec![rail(n)],
            apps: vec![app(n)],
            ..taken(n, n % 2)
        };
        commit(&store, first).await;
        commit(&store, moved(n, n % 2, 1, Status::Accepted)).await;
        let last = Commit { closings: vec![closing(n)], ..moved(n, n % 2, 2, Status::Succeeded) };
        commit(&store, last).await;
    }
    assert_eq!(faults(&store).await, Vec::<String>::new());
    let everything = everything(&store).await.expect("a read");
    store.close().await;
    everything
}

/// Every file of a store, by its name.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = PathBuf::from(path.file_name().expect("a name"));
        if path.is_dir() {
            assert!(files_in(&path).is_empty(), "{name:?} holds what no sync reaches");
        } else {
            files.push((name, fs::read(&path).expect("a file")));
        }
    }
    files.sort();
    files
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).expect("a directory").map(|it| it.expect("an entry").path()).collect()
}

/// What became of a damaged store.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Every record is there, as it was.
    Whole,
    /// It was not opened, and this is why.
    Refused(String),
    /// It was opened, and the damage was named by a read or the verification.
    Named(String),
}

impl Fate {
    const fn name(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Refused(_) => "refused",
            Self::Named(_) => "named",
        }
    }
}

/// Opens what is left, reads it all, and says what became of it; `Err` is what must never be.
async fn fate(dir: &Path, due: &Everything) -> Result<Fate, String> {
    let store = match SledStore::open(dir, Options::default()) {
        Ok(store) => store,
        Err(error) => return Ok(Fate::Refused(error.to_string())),
    };
    let found = match (store.verify().await, everything(&store).await) {
        (Err(error), _) | (Ok(_), Err(error)) => Ok(Fate::Named(error.to_string())),
        (Ok(verified), Ok(read)) => match verified.faults.first() {
            Some(fault) => Ok(Fate::Named(format!("damaged: {fault}"))),
            None if read == *due => Ok(Fate::Whole),
            None => Err(format!("read in silence, and wrong: {:?}", read.counts)),
        },
    };
    store.close().await;
    found
}

/// One file of a store, damaged.
struct Damage {
    what: String,
    name: PathBuf,
    bytes: Vec<u8>,
}

fn damages(files: &[(PathBuf, Vec<u8>)], chance: &mut Chance) -> Vec<Damage> {
    let mut damages = Vec::new();
    let many = rounds(1);
    for (name, bytes) in files.iter().filter(|(_name, bytes)| !bytes.is_empty()) {
        let len = bytes.len() as u64;
        let mut cuts = vec![0, 1, len / 2, len - 1];
        cuts.extend((0..CUTS * many).map(|_| chance.below(len)));
        for cut in cuts {
            let what = format!("{} cut to {cut} of {len}", name.display());
            let bytes = bytes[..cut as usize].to_vec();
            damages.push(Damage { what, name: name.clone(), bytes });
        }
        // Most of a file may be empty; half of the bits are turned over where something stands.
        let full: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place] != 0).collect();
        let flips = if name.as_os_str() == "db" { FLIPS } else { FLIPS_ELSEWHERE };
        for flip in 0..flips * many {
            let place = if flip % 2 == 0 {
                full[chance.below(full.len() as u64) as usize]
            } else {
                chance.below(len) as usize
            };
            let bit = chance.below(8);
            let what = format!("{} with bit {bit} of byte {place} turned over", name.display());
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << bit;
            damages.push(Damage { what, name: name.clone(), bytes });
        }
    }
    damages
}

/// A copy of the store with one file damaged.
fn wreck(place: &Path, files: &[(PathBuf, Vec<u8>)], damage: &Damage) {
    fs::create_dir(place).expect("a directory");
    for (name, bytes) in files {
        let bytes = if *name == damage.name { &damage.bytes } else { bytes };
        fs::write(place.join(name), bytes).expect("a file");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_cut_short_or_with_a_flipped_bit_is_never_read_in_silence() {
    // sled panics over some of it, which the store turns into a refusal: without the backtraces,
    // which take longer than all the rest.
    std::panic::set_hook(Box::new(|panic| println!("{panic}")));
    let dir = tempfile::tempdir().expect("a directory");
    let due = Arc::new(filled(dir.path()).await);
    let files = files(dir.path());
    let mut fates: BTreeMap<(String, &str), u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    let place = tempfile::tempdir().expect("a directory");
    let place = place.path().join("wreck");
    for damage in damages(&files, &mut Chance::of(seed())) {
        wreck(&place, &files, &damage);
        let reading = {
            let (place, due) = (place.clone(), Arc::clone(&due));
            tokio::spawn(async move { fate(&place, &due).await })
        };
        let says = match tokio::time::timeout(PATIENCE, reading).await {
            Err(_) => panic!("seed {}: {}: it hangs", seed(), damage.what),
            Ok(Err(panic)) => Err(panic.to_string()),
            Ok(Ok(fate)) => fate,
        };
        match says {
            Err(says) => wrong.push(format!("{}: {says}", damage.what)),
            Ok(fate) => {
                if let Fate::Refused(says) | Fate::Named(says) = &fate {
                    assert!(says.contains("damaged"), "{}: {says}", damage.what);
                }
                let name = damage.name.display().to_string();
                *fates.entry((name, fate.name())).or_default() += 1;
            }
        }
        fs::remove_dir_all(&place).expect("it can go");
    }
    println!("seed {}: {fates:?}", seed());
    assert!(wrong.is_empty(), "seed {}: {} of them: {wrong:#?}", seed(), wrong.len());
    for fate in ["refused", "whole"] {
        assert!(fates.keys().any(|(_name, known)| *known == fate), "nothing came out {fate}");
    }
}
