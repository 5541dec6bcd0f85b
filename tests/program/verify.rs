//! `mlango verify`: a sound store is called sound; damage is named, and nothing wrong is ever read.

use std::fs;

use serde_json::{Value, json};

use crate::api::payout;
use crate::house::House;
use crate::process::eventually;

/// How many payouts the store holds.
const PAYOUTS: u64 = 12;
/// In how many places the store's file is damaged, one after the other.
const PLACES: usize = 24;
/// How many bytes are turned over in each.
const BYTES: usize = 64;

/// A house with a store that a gateway wrote and let go of.
fn written() -> House {
    let house = House::new();
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    for nth in 0..PAYOUTS {
        api.submit(&format!("k{nth}"), &payout(&format!("2547221234{nth:02}"), "100"));
    }
    eventually("all are paid", || {
        api.payouts().iter().all(|payout| payout["status"] == "succeeded").then_some(())
    });
    gateway.stop();
    house
}

#[test]
fn a_sound_store_is_called_sound_and_damage_is_never_read_as_truth() {
    let house = written();
    let sound = house.run(&["--json", "verify"]).json();
    assert_eq!((&sound["payouts"], &sound["faults"]), (&json!(PAYOUTS), &json!([])), "{sound}");
    let told = house.run(&["verify"]);
    assert!(told.code == 0 && told.err.contains("sound"), "{told:?}");
    assert!(told.out.contains(&format!("read: {PAYOUTS} payouts;")), "{told:?}");

    let data = house.path("data");
    let kept: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    let db = data.join("db");
    let (_, whole) = kept.iter().find(|(path, _)| *path == db).expect("sled's file");
    let mut found = 0_usize;
    for place in 0..PLACES {
        for (path, bytes) in &kept {
            fs::write(path, bytes).unwrap();
        }
        let mut broken = whole.clone();
        let from = (whole.len() - BYTES) * place / PLACES;
        broken[from..from + BYTES].iter_mut().for_each(|byte| *byte ^= 0xff);
        fs::write(&db, &broken).unwrap();
        let done = house.run(&["--json", "verify"]);
        if done.code == 0 {
            // Those bytes held nothing that counts.
            let read: Value = serde_json::from_str(&done.out).unwrap();
            assert_eq!(read, sound, "bytes {from}…: damage was read as truth");
        } else {
            found += 1;
            assert!(done.code == 1 && !done.err.contains("panicked"), "{done:?}");
            assert!(done.err.contains("store"), "bytes {from}…: {done:?}");
        }
    }
    assert!(found > 0, "no damage was found in {PLACES} places");
}

#[test]
fn an_index_that_lost_entries_is_named_payout_by_payout() {
    let house = written();
    let db = sled::Config::new().path(house.path("data")).open().expect("sled");
    // The entries by which payouts are found by their receipts: mostly one block, and more when
    // results came out of order.
    let blocks: Vec<_> = db.scan_prefix(b"R").keys().collect::<Result<_, _>>().expect("readable");
    assert!(!blocks.is_empty());
    for key in blocks {
        db.remove(key).expect("removed");
    }
    db.flush().expect("a flush");
    drop(db);

    let named = house.run(&["verify"]);
    named.failed(1, &[" faults", "Nothing was changed", "Do not start the gateway"]);
    let missing = |line: &&str| line.starts_with("fault: po_") && line.contains("by receipt");
    assert_eq!(named.out.lines().filter(missing).count(), 12, "{named:?}");
    let shown = house.run(&["--json", "verify"]);
    shown.failed(1, &[" faults"]);
    let shown: Value = serde_json::from_str(&shown.out).expect("JSON");
    // Each of the payouts, and that the index as a whole is off.
    assert_eq!(shown["faults"].as_array().map(Vec::len), Some(13), "{shown}");
}
