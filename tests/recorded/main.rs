//! Recorded exchanges: the ones that ship in `tests/fixtures`, every one of them read and played;
//! and what stands in for secrets and people.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that panics has failed, as it should"
)]

mod any;
mod collection;
mod gateway;
mod played;
mod stand_ins;
#[path = "../http_edge/support.rs"]
#[expect(dead_code, reason = "the tests of the HTTP edge use all of it")]
mod support;

use std::path::Path;

use mlango::fixture::{Fixture, folder};

/// The collection that ships.
fn shipped() -> Vec<Fixture> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    folder::read(&dir).unwrap_or_else(|faults| {
        let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", words.join("\n"))
    })
}
