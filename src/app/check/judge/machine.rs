//! The store, the disk below it, and what this machine allows.

use crate::app::check::line::Line;
use crate::domain::time::Timestamp;

const MIB: u64 = 1 << 20;
/// Less free space than this is too little.
const FREE_MIN: u64 = 100 * MIB;
/// Less than this is worth a word, and so is less than a tenth.
const FREE_WARNED: u64 = 1_024 * MIB;
/// File descriptors for the store, the log and the program itself.
const OWN_FILES: u64 = 64;
/// A back-up that is older than this is worth a word: two days, so that one a day is in time.
const BACKUP_AGE_S: u64 = 2 * 24 * 60 * 60;

/// How the store was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum StoreState {
    /// It is in memory.
    Memory,
    /// A gateway has it open, and says this of itself.
    Running(Running),
    /// A gateway listens beside it and does not say how it is.
    Mute(String),
    /// It was opened, read and closed.
    Opened,
    /// There is none yet.
    New,
    /// It cannot be opened.
    Unopened(String),
}

/// What a running gateway says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::app::check) struct Running {
    /// Why it cannot do its work; empty when it can.
    pub reasons: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// The store: whether it can be opened, or who has it open.
pub(in crate::app::check) fn store(state: &StoreState) -> Line {
    const CHECK: &str = "store";
    match state {
        StoreState::Memory => Line::warning(
            CHECK,
            "store.url is memory: all is forgotten when the gateway ends",
            "use \"sled:DIRECTORY\" for anything but trying out",
        ),
        StoreState::Running(Running { reasons, notes }) => {
            if !reasons.is_empty() {
                let seen = format!("a gateway runs and cannot work: {}", reasons.join("; "));
                return Line::fails(CHECK, seen, "as it says; `mlango rails` shows more");
            }
            if !notes.is_empty() {
                let seen = format!("a gateway runs and is ready; it says: {}", notes.join("; "));
                return Line::warning(CHECK, seen, "as it says; `mlango rails` shows more");
            }
            Line::ok(CHECK, "a gateway has it open, and is ready")
        }
        StoreState::Mute(why) => Line::fails(
            CHECK,
            format!("a gateway listens beside it and does not say how it is: {why}"),
            "see its log; restart it if it is of another version than this program",
        ),
        StoreState::Opened => Line::ok(CHECK, "it opens, and no gateway runs on it"),
        StoreState::New => Line::ok(CHECK, "there is none yet; the gateway makes it"),
        StoreState::Unopened(why) => Line::fails(
            CHECK,
            format!("it cannot be opened: {why}"),
            "if it is damaged, keep a copy as it is and restore a back-up; if it is in use, see who \
             has it (`fuser DIRECTORY/db`)",
        ),
    }
}

/// Whether a file can be made in the store's directory, or where that is to be.
pub(in crate::app::check) fn writable(dir: &str, wrote: &Result<(), String>) -> Line {
    const CHECK: &str = "store.writable";
    match wrote {
        Ok(()) => Line::ok(CHECK, format!("files can be made in {dir}")),
        Err(why) => Line::fails(
            CHECK,
            format!("no file can be made in {dir}: {why}"),
            "give the directory to the user that runs the gateway, correct store.url, or mount its \
             file system for writing",
        ),
    }
}

/// The applications that routes of C2B payments name; `known` are those in the book.
pub(in crate::app::check) fn routes(wanted: &[String], known: Option<&[String]>) -> Option<Line> {
    const CHECK: &str = "c2b.routes";
    if wanted.is_empty() {
        return None;
    }
    let Some(known) = known else {
        return Some(Line::skipped(CHECK, "the book could not be read"));
    };
    let missing: Vec<&str> =
        wanted.iter().filter(|name| !known.contains(name)).map(String::as_str).collect();
    if missing.is_empty() {
        return Some(Line::ok(CHECK, "every application that a route names is there"));
    }
    let seen = format!("c2b.routes name applications that there are not: {}", missing.join(", "));
    let advice = "`mlango apps create NAME` makes one; without it the gateway does not start";
    Some(Line::fails(CHECK, seen, advice))
}

/// Free space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Space {
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// Bytes that it has in all.
    pub total: u64,
}

/// The file system of the store or of the log.
pub(in crate::app::check) fn disk(check: &str, dir: &str, space: &Result<Space, String>) -> Line {
    let space = match space {
        Ok(space) => space,
        Err(why) => return Line::skipped(check, format!("{dir}: {why}")),
    };
    let percent = space.free.saturating_mul(100).checked_div(space.total).unwrap_or(0);
    let seen = format!("{} MiB free ({percent} %) where {dir} is", space.free.div_euclid(MIB));
    let advice = "make room before it is full: a store that cannot write takes and sends nothing";
    if space.free < FREE_MIN {
        Line::fails(check, seen, advice)
    } else if space.free < FREE_WARNED || percent < 10 {
        Line::warning(check, seen, advice)
    } else {
        Line::ok(check, seen)
    }
}

/// How many files may be needed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Needs {
    /// Connections that both listeners take.
    pub connections: u64,
    /// Requests under way to M-Pesa.
    pub in_flight: u64,
}

/// The limit of open files; `None` is no limit.
pub(in crate::app::check) fn descriptors(limit: Option<u64>, needs: Needs) -> Line {
    const CHECK: &str = "limits.files";
    let least = needs.in_flight.saturating_add(OWN_FILES);
    let wanted = least.saturating_add(needs.connections);
    let Some(limit) = limit else {
        return Line::ok(CHECK, "no limit of open files");
    };
    let seen = format!(
        "this process may open {limit} files; {wanted} may be needed: {} connections to both \
         listeners, {} requests to M-Pesa, {OWN_FILES} of its own",
        needs.connections, needs.in_flight
    );
    let advice = "raise it (`LimitNOFILE=` in the systemd unit, `ulimit -n` in a shell), or lower \
                  max_connections; a service has a limit of its own, which may be another than here";
    if limit < least {
        Line::fails(CHECK, seen, advice)
    } else if limit < wanted {
        Line::warning(CHECK, seen, advice)
    } else {
        Line::ok(CHECK, seen)
    }
}

/// What is known of the last back-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum Backup {
    /// There is no store of which one could be made.
    NoStore,
    /// When it was made; `None`: never, as far as is known.
    At(Option<Timestamp>),
}

/// The age of the last back-up.
pub(in crate::app::check) fn backup(known: Backup, now: Timestamp) -> Line {
    const CHECK: &str = "backup";
    let advice = "make one each day and keep it on another machine";
    match known {
        Backup::NoStore => Line::skipped(CHECK, "there is no store on a disk yet"),
        Backup::At(None) => Line::warning(CHECK, "no back-up of this store is known of", advice),
        Backup::At(Some(at)) => {
            let age = now.since(at).as_secs();
            let seen = format!("the last back-up is {} hours old", age.div_euclid(3_600));
            if age > BACKUP_AGE_S {
                Line::warning(CHECK, seen, advice)
            } else {
                Line::ok(CHECK, seen)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;

    #[test]
    fn a_store_is_judged_by_how_it_was_found() {
        let said = |reason: &str, note: &str| {
            let list = |it: &str| if it.is_empty() { vec![] } else { vec![it.to_owned()] };
            StoreState::Running(Running { reasons: list(reason), notes: list(note) })
        };
        let table = [
            (StoreState::Memory, Status::Warning, "forgotten"),
            (said("", ""), Status::Ok, "is ready"),
            (said("", "paused by hand"), Status::Warning, "paused by hand"),
            (said("the store failed", ""), Status::Fails, "the store failed"),
            (StoreState::Mute("no answer".to_owned()), Status::Fails, "no answer"),
            (StoreState::Opened, Status::Ok, "opens"),
            (StoreState::New, Status::Ok, "none yet"),
            (StoreState::Unopened("damaged".to_owned()), Status::Fails, "damaged"),
        ];
        for (state, status, words) in table {
            assert_says(&format!("{state:?}"), &store(&state), status, words);
        }
        assert_says("written", &writable("d", &Ok(())), Status::Ok, "can be made");
        let why = Err("Read-only file system".to_owned());
        assert_says("read-only", &writable("d", &why), Status::Fails, "Read-only");
    }

    #[test]
    fn routes_name_applications_that_there_are() {
        let names = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(routes(&[], None), None);
        let said = |known: Option<&[String]>| routes(&names(&["shop"]), known).expect("a line");
        assert_says("known", &said(Some(&names(&["shop"]))), Status::Ok, "is there");
        assert_says("unknown", &said(Some(&names(&["erp"]))), Status::Fails, "are not: shop");
        assert_says("no book", &said(None), Status::Skipped, "could not be read");
    }

    #[test]
    fn free_space_is_judged() {
        let table = [
            (5_000, 10_000, Status::Ok, "50 %"),
            (1_023, 2_000, Status::Warning, "1023 MiB"),
            (2_000, 100_000, Status::Warning, "2 %"),
            (100, 100, Status::Warning, "100 MiB"),
            (99, 100, Status::Fails, "99 MiB"),
            (0, 0, Status::Fails, "0 MiB"),
        ];
        for (free, total, status, words) in table {
            let space = Ok(Space { free: free * MIB, total: total * MIB });
            assert_says(&format!("{free}/{total}"), &disk("d", "data", &space), status, words);
        }
        let none = disk("d", "data", &Err("no such device".to_owned()));
        assert_says("unknown", &none, Status::Skipped, "no such device");
    }

    #[test]
    fn the_limit_of_open_files_is_judged() {
        let needs = Needs { connections: 1_000, in_flight: 64 };
        let table = [
            (None, Status::Ok, "no limit"),
            (Some(1_128), Status::Ok, "1128 may be needed"),
            (Some(1_127), Status::Warning, "1127"),
            (Some(128), Status::Warning, "128"),
            (Some(127), Status::Fails, "127"),
        ];
        for (limit, status, words) in table {
            assert_says(&format!("{limit:?}"), &descriptors(limit, needs), status, words);
        }
    }

    #[test]
    fn the_age_of_the_last_back_up_is_judged() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let ago =
            |seconds: i64| Backup::At(Some(Timestamp::from_millis(now.millis() - seconds * 1_000)));
        let table = [
            (Backup::NoStore, Status::Skipped, "no store"),
            (Backup::At(None), Status::Warning, "no back-up"),
            (ago(48 * 3_600), Status::Ok, "48 hours"),
            (ago(48 * 3_600 + 1), Status::Warning, "48 hours"),
        ];
        for (known, status, words) in table {
            assert_says(&format!("{known:?}"), &backup(known, now), status, words);
        }
    }
}
