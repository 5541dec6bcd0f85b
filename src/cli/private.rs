//! What the program gives up before it does anything: memory that others might read, files that
//! others might open.

use std::path::Path;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit, umask,
};

/// Where containers say that they are one.
const CONTAINER_MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// No core dump holds our secrets, no other process of this user reads our memory, and whatever
/// file is made is its owner's alone. Says what could not be had.
pub(super) fn retreat() -> Vec<String> {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let core = setrlimit(Resource::Core, none);
    let memory = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let said = [("core dumps cannot be switched off", core), ("memory cannot be shut", memory)];
    said.into_iter().filter_map(|(what, done)| Some(format!("{what}: {}", done.err()?))).collect()
}

/// What there is to say about the user that the gateway runs as.
pub(super) fn root_warning() -> Option<&'static str> {
    let contained = CONTAINER_MARKS.iter().any(|mark| Path::new(mark).exists());
    (geteuid().is_root() && !contained).then_some(
        "the gateway runs as root, which it never needs: run it as a user of its own \
         (packaging/mlango.service does)",
    )
}
