//! The link, spoilt in every way in the middle of traffic: the real gateway and the simulator in
//! network namespaces, joined by a VPN that is cut, slow, lossy and closed in one direction.
//!
//! `make vpn` runs it. It needs root; where it cannot be run, it says so in one line and is left
//! out, unless `MLANGO_VPN=require`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that panics has failed, as it should; this one has no harness that prints"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests stand outside of the program: they wait for processes in threads"
)]

mod ground;
mod phases;
mod relay;
mod traffic;

#[path = "../program/api.rs"]
#[expect(dead_code, reason = "the other tests of the program use the rest")]
mod api;
#[path = "../program/house.rs"]
#[expect(dead_code, reason = "the other tests of the program use the rest")]
mod house;
#[path = "../program/process.rs"]
#[expect(dead_code, reason = "the other tests of the program use the rest")]
mod process;
#[path = "../program/wire.rs"]
#[expect(dead_code, reason = "the other tests of the program use the rest")]
mod wire;

use std::env;
use std::process::{Command, ExitCode};

use ground::Ground;

/// What this process plays, and in which run: set for those that this test starts.
const PART: &str = "MLANGO_VPN_PART";

fn main() -> ExitCode {
    if let Some((part, run)) = env::var(PART).ok().as_deref().and_then(|it| it.split_once(' ')) {
        let ground = Ground::of(run.parse().expect("a number"));
        if part == "net" {
            relay::play()
        } else {
            phases::all(&ground)
        }
        return ExitCode::SUCCESS;
    }
    // `cargo test SOMETHING` runs this, too.
    let wanted: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if wanted.iter().any(|word| !"vpn".contains(word.as_str()))
        || env::args().any(|it| it == "--list")
    {
        return ExitCode::SUCCESS;
    }
    let made = ground::missing().map_or_else(|| Ground::make(std::process::id()), Err);
    match made {
        Ok(fenced) => play(&fenced.0),
        Err(why) if env::var("MLANGO_VPN").is_ok_and(|word| word == "require") => {
            eprintln!("vpn: cannot be run: {why}");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("vpn: left out: {why} (MLANGO_VPN=require makes that a failure)");
            ExitCode::SUCCESS
        }
    }
}

/// This program, as another part of the run.
pub fn part(ground: &Ground, name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.env(PART, format!("{name} {}", ground.name("").split('-').nth(2).expect("its number")));
    ground.within(name, &command)
}

/// The test itself runs where the gateway runs.
fn play(ground: &Ground) -> ExitCode {
    let status = part(ground, "gateway").status().expect("the test starts");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
