//! The fuzz targets on stable Rust: every file of the corpus, and a fixed number of changes of
//! each, the same in every run.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at the first surprise"
)]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Changes of each corpus file.
const CHANGES: usize = 400;

/// A small generator of numbers that look random (xorshift): the same seed, the same changes.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let number = usize::try_from(self.0 >> 16).expect("48 bits");
        number.checked_rem(limit).unwrap_or(0)
    }
}

const SCRAPS: [&[u8]; 28] = [
    b"<",
    b">",
    b"&",
    b"]]>",
    b"<![CDATA[",
    b"<!DOCTYPE",
    b"<?xml",
    b"</",
    b"/>",
    b"\"",
    b"&#0;",
    b"&lt;",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"originRequest",
    b"xmlns:a=''",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"null",
    b"\"Value\":",
];

fn change(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(changed.len() + 1);
        let to = (at + numbers.below(40)).min(changed.len());
        match numbers.below(5) {
            0 => {
                changed.drain(at..to);
            }
            1 => {
                let scrap = SCRAPS[numbers.below(SCRAPS.len())];
                changed.splice(at..at, scrap.iter().copied());
            }
            2 => {
                let copy = changed[at..to].to_vec();
                let elsewhere = numbers.below(changed.len() + 1);
                changed.splice(elsewhere..elsewhere, copy);
            }
            3 => changed.truncate(at.max(1)),
            _ => {
                if let Some(byte) = changed.get_mut(at) {
                    *byte = u8::try_from(numbers.below(256)).expect("a byte");
                }
            }
        }
    }
    changed
}

#[test]
fn the_corpus_and_its_changes_break_nothing() {
    for (name, target) in targets::TARGETS {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&dir)
            .expect("a corpus")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        assert!(files.len() >= 5, "{name} has a corpus of {} files", files.len());
        for (index, file) in files.iter().enumerate() {
            let bytes = fs::read(file).expect("reads");
            target(&bytes);
            let seed =
                u64::try_from(index).expect("small") * 2_654_435_761 + 88_172_645_463_325_252;
            let mut numbers = Numbers(seed);
            for _ in 0..CHANGES {
                target(&change(&bytes, &mut numbers));
            }
        }
    }
}
