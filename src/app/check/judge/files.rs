//! Files, and who may read and change them.

use crate::app::check::line::Line;
use crate::config::{Holds, NamedPath};

/// The bits of a mode that let the group or everybody change a file.
const OTHERS_WRITE: u32 = 0o022;
/// The bits that let everybody do anything.
const EVERYBODY: u32 = 0o007;
/// The bits that let the group do anything.
const GROUP: u32 = 0o070;
/// The administrator, who may do everything anyway.
const ROOT: u32 = 0;

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Found {
    /// Its mode.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
}

/// A file of the configuration's; `me` is who runs this.
pub(in crate::app::check) fn file(
    named: &NamedPath,
    found: &Result<Found, String>,
    me: u32,
) -> Line {
    let check = format!("files.{}", named.name);
    let path = named.path.display();
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            let advice = "put it there, or correct the path; whoever runs the gateway must be able \
                          to read it (run the check as the same user)";
            return Line::fails(check, format!("{path} cannot be read: {why}"), advice);
        }
    };
    let mode = found.mode & 0o777;
    if found.owner != me && found.owner != ROOT && me != ROOT {
        let seen = format!("{path} belongs to the user {}, who can change it", found.owner);
        return Line::fails(check, seen, format!("`chown {me} {path}`"));
    }
    if mode & OTHERS_WRITE != 0 {
        let seen = format!("{path} can be changed by others than its owner (mode {mode:04o})");
        return Line::fails(check, seen, format!("`chmod go-w {path}`"));
    }
    if named.holds == Holds::Secrets && mode & EVERYBODY != 0 {
        let seen = format!(
            "{path} holds secrets, and every user of this machine can read it (mode {mode:04o})"
        );
        return Line::fails(check, seen, format!("`chmod 600 {path}`"));
    }
    if named.holds == Holds::Secrets && mode & GROUP != 0 {
        let seen = format!("{path} holds secrets, and its group can read it (mode {mode:04o})");
        return Line::warning(check, seen, format!("`chmod 600 {path}`"));
    }
    let who = if named.holds == Holds::Secrets { ", for its owner only" } else { "" };
    Line::ok(check, format!("{path}: readable{who}"))
}

/// The store's directory, where there is one.
pub(in crate::app::check) fn store(path: &str, found: Option<Found>, me: u32) -> Line {
    const CHECK: &str = "store.permissions";
    let Some(found) = found else {
        return Line::skipped(CHECK, format!("{path} is not there yet; the gateway makes it"));
    };
    let mode = found.mode & 0o777;
    if found.owner != me && me != ROOT {
        let seen = format!("{path} belongs to the user {}, and not to who runs this", found.owner);
        let advice = "run the gateway and this as the user whose store it is, or chown it";
        return Line::fails(CHECK, seen, advice);
    }
    if mode & (GROUP | EVERYBODY) != 0 {
        let seen =
            format!("{path} holds names and phones, and others may look inside (mode {mode:04o})");
        return Line::fails(CHECK, seen, format!("`chmod 700 {path}`"));
    }
    Line::ok(CHECK, format!("{path}: for its owner only"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;

    #[test]
    fn who_may_read_and_change_a_file_is_judged_by_what_is_in_it() {
        let (secrets, none) = (Holds::Secrets, Holds::NoSecrets);
        let table = [
            (secrets, 0o100_600, 7, Status::Ok, "owner only"),
            (secrets, 0o100_400, 0, Status::Ok, "owner only"),
            (secrets, 0o100_640, 7, Status::Warning, "group"),
            (secrets, 0o100_644, 7, Status::Fails, "every user"),
            (secrets, 0o100_602, 7, Status::Fails, "changed by others"),
            (secrets, 0o100_600, 8, Status::Fails, "belongs to the user 8"),
            (none, 0o100_644, 7, Status::Ok, "readable"),
            (none, 0o100_664, 7, Status::Fails, "changed by others"),
            (none, 0o100_644, 8, Status::Fails, "belongs to the user 8"),
        ];
        for (holds, mode, owner, status, words) in table {
            let named = NamedPath { name: "broker.ca".to_owned(), path: "f".into(), holds };
            let line = file(&named, &Ok(Found { mode, owner }), 7);
            assert_says(&format!("{holds:?} {mode:o} {owner}"), &line, status, words);
            assert_eq!(line.check, "files.broker.ca");
        }
        let named = NamedPath { name: "broker.ca".to_owned(), path: "f".into(), holds: none };
        let line = file(&named, &Err("No such file".to_owned()), 7);
        assert_says("missing", &line, Status::Fails, "No such file");
    }

    #[test]
    fn the_stores_directory_is_for_its_owner_only() {
        let table = [
            (Some((0o040_700, 7)), Status::Ok, "owner only"),
            (Some((0o040_750, 7)), Status::Fails, "look inside"),
            (Some((0o040_705, 7)), Status::Fails, "look inside"),
            (Some((0o040_700, 8)), Status::Fails, "belongs to the user 8"),
            (None, Status::Skipped, "not there yet"),
        ];
        for (found, status, words) in table {
            let found = found.map(|(mode, owner)| Found { mode, owner });
            assert_says(&format!("{found:?}"), &store("data", found, 7), status, words);
        }
    }
}
