//! Back-ups that are damaged, cut off, or find no room: each is found out, and the store goes on.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use mlango::domain::payout::Status;
use mlango::store::Store;
use mlango::store::backup::{Backup, BackupError};
use sha2::{Digest as _, Sha256};

use crate::backup::{back_up, fill, order, restore};
use crate::disk::{commit, faults, open};
use crate::make::{moved, taken};
use crate::seed::{Chance, rounds, seed};

const CHILD_DIR: &str = "MLANGO_TEST_COPIES_DIR";
const CHILD_ROOM: &str = "MLANGO_TEST_COPIES_ROOM";
const FILES: [&str; 4] = ["base", "changes", "manifest.json", "SHA256SUMS"];

/// A small back-up with something in each of its files.
async fn small(place: &Path) -> std::path::PathBuf {
    let store = Arc::new(open(&place.join("store")));
    for n in 0..3 {
        commit(&*store, taken(n, 0)).await;
    }
    let dir = place.join("b");
    // Until something was written while it was made.
    for n in 3.. {
        let copied = Arc::clone(&store);
        let asked = order(&dir);
        let making = tokio::spawn(async move { copied.backup(asked, Arc::default()).await });
        let mut at = 0;
        while !making.is_finished() {
            commit(&*store, taken(1_000 * n + at, 0)).await;
            at += 1;
        }
        let manifest = making.await.expect("an end").expect("a back-up");
        if manifest.files.iter().all(|file| file.entries > 0) {
            break;
        }
        fs::remove_dir_all(&dir).expect("removed");
    }
    store.close().await;
    dir
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_that_is_turned_over_or_missing_is_found() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = small(place.path()).await;
    Backup::open(&dir).expect("it is whole");
    let mut tried = 0;
    for name in FILES {
        let path = dir.join(name);
        let whole = fs::read(&path).expect("a file");
        // Every byte, but of a long file a good share of them.
        let step = whole.len() / 3_000 + 1;
        for place in (0..whole.len()).step_by(step) {
            let mut broken = whole.clone();
            broken[place] ^= 1 << (place % 8);
            fs::write(&path, &broken).expect("a file");
            let found = Backup::open(&dir).expect_err("it is damaged");
            assert!(matches!(found, BackupError::Damaged(_)), "{name}, byte {place}: {found:?}");
            tried += 1;
        }
        for len in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).expect("a file");
            Backup::open(&dir).expect_err("it is cut short");
        }
        fs::write(&path, [&whole[..], b"x"].concat()).expect("a file");
        Backup::open(&dir).expect_err("it is longer");
        fs::remove_file(&path).expect("removed");
        let missing = Backup::open(&dir).expect_err("a file is missing");
        assert!(missing.to_string().contains(name), "{missing}");
        fs::write(&path, &whole).expect("a file");
    }
    Backup::open(&dir).expect("it is whole again");
    println!("{tried} bytes turned over");
    let fresh = place.path().join("fresh");
    fs::write(dir.join("base"), b"nonsense").expect("a file");
    let refused = restore(&dir, &fresh).await.expect_err("it is damaged");
    assert!(refused.to_string().contains("Nothing was restored"), "{refused}");
    assert!(!fresh.exists() && !place.path().join("fresh.restoring").exists());
}

/// Writes the checksums anew, as whoever changes a back-up with care would.
fn forge(dir: &Path, name: &str, bytes: &[u8]) {
    fs::write(dir.join(name), bytes).expect("a file");
    let mut sums = String::new();
    for name in ["base", "changes", "manifest.json"] {
        let digest = Sha256::digest(fs::read(dir.join(name)).expect("a file"));
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        sums.push_str(&format!("{digits}  {name}\n"));
    }
    fs::write(dir.join("SHA256SUMS"), sums).expect("a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_its_checksums_and_is_no_book_is_refused_as_well() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = small(place.path()).await;
    let told = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&dir).output();
    assert!(told.expect("sha256sum").status.success(), "an ordinary tool checks it, too");
    let fresh = place.path().join("fresh");
    let manifest = fs::read_to_string(dir.join("manifest.json")).expect("a manifest");
    let base = fs::read(dir.join("base")).expect("a file");
    let records = manifest.replace("\"records\": 4", "\"records\": 5");
    let format = manifest.replace("\"format\": 1", "\"format\": 2");
    let group = manifest.replace("\"group\": ", "\"group\": 1");
    let odd = manifest.replace("\"format\"", "\"fromat\"");
    let mut frame = base.clone();
    frame[5] ^= 1;
    let mut long = base.clone();
    long[0] = 0xff;
    let table: [(&str, &[u8], &str); 7] = [
        ("manifest.json", records.as_bytes(), "records of version 5, and this version of mlango"),
        ("manifest.json", format.as_bytes(), "has the format 2, and this version of mlango"),
        ("manifest.json", group.as_bytes(), "says that it goes to group 1"),
        ("manifest.json", odd.as_bytes(), "manifest.json of the back-up"),
        ("base", &frame, "a frame's checksum is wrong"),
        ("base", &long, "longer than any"),
        ("base", &base[..base.len() - 3], "a frame is cut short"),
    ];
    for (name, bytes, says) in table {
        forge(&dir, name, bytes);
        let refused = restore(&dir, &fresh).await.expect_err(says).to_string();
        assert!(refused.contains(says), "{refused}");
        assert!(!fresh.exists() && !place.path().join("fresh.restoring").exists(), "{says}");
        forge(&dir, "manifest.json", manifest.as_bytes());
        forge(&dir, "base", &base);
    }
    let none = restore(place.path(), &fresh).await.expect_err("there is no back-up");
    assert!(none.to_string().contains("holds no back-up"), "{none}");
    restore(&dir, &fresh).await.expect("as it was made, it is good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_has_no_back_up() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("store");
    let store = open(&path);
    commit(&store, taken(1, 0)).await;
    store.close().await;
    let db = sled::Config::new().path(&path).open().expect("sled");
    let (key, value) = db.scan_prefix(b"p").next().expect("a block").expect("readable");
    let mut broken = value.to_vec();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    db.insert(key, broken).expect("written");
    db.flush().expect("a flush");
    drop(db);
    let store = open(&path);
    let refused = back_up(&store, &place.path().join("b")).await.expect_err("it is damaged");
    assert!(refused.to_string().contains("a block of the kind 'p'"), "{refused}");
    assert!(!place.path().join("b").exists() && !place.path().join("b.part").exists());
    assert_eq!(store.last_backup(), None);
}

/// Not a test of its own: makes a back-up where there is no room for it, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below"]
async fn finds_no_room() {
    let (Ok(dir), Ok(room)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_ROOM)) else {
        return;
    };
    let (dir, room) = (Path::new(&dir), Path::new(&room));
    let store = Arc::new(open(&dir.join("store")));
    fill(&*store, 1_000).await;
    let writing = Arc::clone(&store);
    let writer = tokio::spawn(async move {
        for n in 0..300 {
            commit(&*writing, taken(n, 0)).await;
        }
    });
    let refused = back_up(&*store, &room.join("b")).await.expect_err("there is no room");
    assert!(refused.to_string().contains("no room left"), "{refused}");
    assert_eq!(fs::read_dir(room).expect("a directory").count(), 0, "what it wrote is gone");
    writer.await.expect("the store goes on");
    assert_eq!(faults(&*store).await, Vec::<String>::new());
    back_up(&*store, &dir.join("b")).await.expect("elsewhere there is");
    println!("\nwent on");
}

#[test]
fn without_room_there_is_no_back_up_and_the_store_goes_on() {
    let place = tempfile::tempdir().expect("a directory");
    let room = place.path().join("room");
    fs::create_dir(&room).expect("a directory");
    // A small file system of its own, in a name space of its own: nobody need be root for it.
    let script = "mount -t tmpfs -o size=1500k tmpfs \"$MLANGO_TEST_COPIES_ROOM\" && exec \"$@\"";
    let spaces = Command::new("unshare").args(["-rm", "true"]).output();
    if !spaces.is_ok_and(|done| done.status.success()) {
        println!("not tried: this machine gives no name spaces");
        return;
    }
    let done = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "copies::finds_no_room", "--ignored", "--nocapture"])
        .env(CHILD_DIR, place.path())
        .env(CHILD_ROOM, &room)
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("went on"), "{done:?}");
}

/// Not a test of its own: writes, and makes one back-up after the other, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "the child of the test below"]
async fn backs_up_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let store = Arc::new(open(&dir.join("store")));
    let first: u64 = std::env::var(CHILD_ROOM).expect("a number").parse().expect("a number");
    if first == 0 {
        fill(&*store, 1_000).await;
    }
    let writing = Arc::clone(&store);
    tokio::spawn(async move {
        for n in first.. {
            commit(&*writing, taken(n, 0)).await;
            commit(&*writing, moved(n, 0, 1, Status::Accepted)).await;
        }
    });
    for n in first.. {
        println!("\nbegins {n}");
        back_up(&*store, &dir.join(format!("b-{n}"))).await.expect("a back-up");
        println!("\nhas {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_what_has_the_name_is_whole() {
    let place = tempfile::tempdir().expect("a directory");
    let mut chance = Chance::of(seed());
    let mut halves = 0;
    for round in 0.. {
        // Until it was killed in the middle of one.
        if round >= rounds(6) && (halves > 0 || round >= 60) {
            break;
        }
        let first = round * 1_000_000;
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "copies::backs_up_until_it_is_killed", "--ignored", "--nocapture"])
            .env(CHILD_DIR, place.path())
            .env(CHILD_ROOM, first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let begins = |line: &String| line.starts_with("begins");
        let mut begun = lines.map_while(Result::ok).filter(begins);
        begun.nth(chance.below(3) as usize).expect("it begins");
        // Somewhere within it.
        std::thread::sleep(std::time::Duration::from_micros(chance.below(60_000)));
        child.kill().expect("a kill");
        child.wait().expect("its end");
        for entry in fs::read_dir(place.path()).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.ends_with(".part") {
                // Whole up to its name, or refused.
                if let Err(error) = Backup::open(&path) {
                    halves += 1;
                    println!("{name}: {error}");
                }
                let again = path.with_extension("");
                let store = open(&place.path().join("store"));
                assert_eq!(faults(&store).await, Vec::<String>::new(), "round {round}");
                back_up(&store, &again).await.expect("what was left behind is in nobody's way");
                assert!(!path.exists());
                store.close().await;
            } else if name.starts_with("b-") {
                Backup::open(&path).expect("what has the name is whole");
                fs::remove_dir_all(&path).expect("removed");
            }
        }
    }
    assert!(halves > 0, "it was never killed in the middle of one");
}
