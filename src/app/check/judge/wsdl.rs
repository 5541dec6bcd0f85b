//! The partner's own schema.

use std::path::Path;

use crate::app::check::line::Line;

/// Whether requests can be held against it; `None`: it is not set.
pub(in crate::app::check) fn line(looked: Option<(&Path, Result<(), String>)>) -> Line {
    const CHECK: &str = "broker.wsdl_dir";
    match looked {
        None => {
            Line::skipped(CHECK, "not set: requests are held against no schema of M-Pesa's own")
        }
        Some((dir, Ok(()))) => Line::ok(
            CHECK,
            format!("{}: a payout's request and a question about one are to it", dir.display()),
        ),
        Some((_, Err(why))) => Line::fails(
            CHECK,
            why,
            "correct the files or take broker.wsdl_dir out; `mlango xml validate --wsdl DIR FILE` \
             says of any message what is not to them",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::line::Status;

    #[test]
    fn each_state_has_its_word() {
        let dir = Path::new("wsdl");
        let table = [
            (None, Status::Skipped, "not set"),
            (Some((dir, Ok(()))), Status::Ok, "wsdl: a payout's request"),
            (Some((dir, Err("wsdl: a.xsd:2: broken".to_owned()))), Status::Fails, "a.xsd:2"),
        ];
        for (looked, status, says) in table {
            let line = line(looked);
            assert_eq!(line.status, status);
            assert!(line.seen.contains(says), "{}", line.seen);
        }
    }
}
