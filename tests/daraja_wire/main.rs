//! Daraja's wire, message by message: what M-Pesa gets to see of us, and what is made of whatever
//! it sends (spec/daraja.md §1–§3).

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, as it should"
)]

mod answers;
mod any;
mod codes;
mod messages;
mod notices;
mod requests;

use std::fs;
use std::path::Path;

/// A sample of our own making, of the shapes of spec/daraja.md §1 and §2.
fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/daraja").join(name);
    fs::read_to_string(path.with_extension("json")).expect(name)
}
