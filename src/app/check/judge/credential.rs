//! The initiator's password, and the certificate that it is encrypted with (spec/soap.md §6;
//! spec/daraja.md §5).

use super::DAYS_AHEAD;
use super::certificates::Bad;
use crate::app::check::line::Line;
use crate::domain::time::Timestamp;

/// How long M-Pesa's credentials are: base64 of the 256 bytes that a key of 2,048 bits makes.
const LENGTH: usize = 344;
/// Characters that M-Pesa advises against in the password.
pub(in crate::app::check) const AVOIDED: [char; 3] = ['@', '.', '('];

/// What was tried with the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Sealed {
    /// Whose it is.
    pub subject: String,
    /// Until when it is good.
    pub until: Option<Timestamp>,
    /// How long the encrypted password is; the error says why there is none.
    pub length: Result<usize, String>,
    /// Whether the simulator's key, where there is one, opens it again.
    pub comes_back: Option<Result<bool, String>>,
}

/// What was found, without a secret in it.
#[derive(Clone, Debug)]
pub(in crate::app::check) struct Facts {
    /// The certificate, tried.
    pub sealed: Result<Sealed, Bad>,
    /// The avoided characters that the password has.
    pub avoided: Vec<char>,
    /// Whole days that M-Pesa still takes it; `None` if nobody said when it was set.
    pub days: Option<i64>,
}

/// A line for each thing that can be wrong.
pub(in crate::app::check) fn lines(facts: &Facts, now: Timestamp) -> Vec<Line> {
    let mut lines = match &facts.sealed {
        Ok(sealed) => {
            let mut lines = vec![encrypts(sealed), expires(sealed.until, now)];
            lines.extend(sealed.comes_back.as_ref().map(round_trip));
            lines
        }
        Err(Bad::Unreadable) => {
            let why = "not tried: the certificate's file cannot be read (see files)";
            vec![Line::skipped("credential.encrypts", why)]
        }
        Err(Bad::Content(why)) => {
            let advice = "fetch M-Pesa's certificate for passwords again (PEM or DER), and save the \
                          file itself, not the page that it is on";
            vec![Line::fails("credential.encrypts", why, advice)]
        }
    };
    lines.push(password(facts.days));
    lines.push(characters(&facts.avoided));
    lines
}

fn encrypts(sealed: &Sealed) -> Line {
    const CHECK: &str = "credential.encrypts";
    let subject = &sealed.subject;
    match &sealed.length {
        Ok(LENGTH) => Line::ok(
            CHECK,
            format!("{subject} encrypts the initiator's password: {LENGTH} characters"),
        ),
        Ok(length) => Line::warning(
            CHECK,
            format!("{subject} makes {length} characters, and M-Pesa's certificates make {LENGTH}"),
            "check that it is M-Pesa's certificate: theirs have RSA keys of 2048 bits",
        ),
        Err(why) => {
            Line::fails(CHECK, why, "correct organisation.initiator_password or the certificate")
        }
    }
}

/// M-Pesa does not mind the dates of this certificate: only its key is used (spec/soap.md §6).
fn expires(until: Option<Timestamp>, now: Timestamp) -> Line {
    const CHECK: &str = "credential.dates";
    let day = |at: Timestamp| at.rfc3339().chars().take(10).collect::<String>();
    match until {
        Some(until) if until < now => Line::warning(
            CHECK,
            format!("the credential certificate has expired on {}", day(until)),
            "nothing in a hurry: M-Pesa takes passwords encrypted with it; ask for a newer one",
        ),
        Some(until) => Line::ok(CHECK, format!("good until {}", day(until))),
        None => Line::skipped(CHECK, "it says no dates"),
    }
}

fn round_trip(came_back: &Result<bool, String>) -> Line {
    const CHECK: &str = "credential.round_trip";
    match came_back {
        Ok(true) => Line::ok(CHECK, "simulator.credential_key opens what the certificate encrypts"),
        Ok(false) => Line::warning(
            CHECK,
            "simulator.credential_key does not open what the certificate encrypts",
            "for the simulator name the certificate and the key of one pair; for M-Pesa, take \
             simulator.credential_key out",
        ),
        Err(why) => Line::warning(
            CHECK,
            format!("simulator.credential_key will not do: {why}"),
            "correct it, or take it out where no simulator runs",
        ),
    }
}

fn password(days: Option<i64>) -> Line {
    const CHECK: &str = "credential.password_age";
    let advice = "set a new one on M-Pesa's portal, write it into the configuration, and the day \
                  into organisation.initiator_password_set_on; the gateway reads it by itself";
    match days {
        None => Line::skipped(
            CHECK,
            "nobody said when the initiator's password was set: M-Pesa takes it for ninety days; \
             set organisation.initiator_password_set_on",
        ),
        Some(days @ ..=0) => Line::fails(
            CHECK,
            format!(
                "the ninety days of the initiator's password ended {} days ago",
                days.saturating_neg()
            ),
            advice,
        ),
        Some(days @ 1..=DAYS_AHEAD) => Line::warning(
            CHECK,
            format!("M-Pesa takes the initiator's password for {days} more days"),
            advice,
        ),
        Some(days) => {
            Line::ok(CHECK, format!("M-Pesa takes the initiator's password for {days} more days"))
        }
    }
}

fn characters(avoided: &[char]) -> Line {
    const CHECK: &str = "credential.characters";
    if avoided.is_empty() {
        return Line::ok(CHECK, "the initiator's password has none of the characters to avoid");
    }
    let list: Vec<String> = avoided.iter().map(|c| format!("\"{c}\"")).collect();
    let seen = format!("the initiator's password has {} in it", list.join(" and "));
    let advice = "M-Pesa advises against them; choose another password if results say 2001";
    Line::warning(CHECK, seen, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;

    const NOW: i64 = 1_700_000_000_000;

    fn good() -> Sealed {
        Sealed {
            subject: "apicrypt".to_owned(),
            until: Some(Timestamp::from_millis(NOW + 1)),
            length: Ok(344),
            comes_back: Some(Ok(true)),
        }
    }

    fn said(sealed: Result<Sealed, Bad>, days: Option<i64>, avoided: &[char], check: &str) -> Line {
        let facts = Facts { sealed, avoided: avoided.to_vec(), days };
        let lines = lines(&facts, Timestamp::from_millis(NOW));
        lines.into_iter().find(|line| line.check == format!("credential.{check}")).expect(check)
    }

    #[test]
    fn the_credential_is_judged() {
        let until = |millis| Sealed { until: Some(Timestamp::from_millis(millis)), ..good() };
        let length = |length| Sealed { length, ..good() };
        let back = |back| Sealed { comes_back: Some(back), ..good() };
        let table = [
            (Ok(good()), "encrypts", Status::Ok, "344"),
            (Ok(length(Ok(172))), "encrypts", Status::Warning, "172"),
            (Ok(length(Err("too long".to_owned()))), "encrypts", Status::Fails, "too long"),
            (Err(Bad::Unreadable), "encrypts", Status::Skipped, "see files"),
            (Err(Bad::Content("an HTML page".into())), "encrypts", Status::Fails, "HTML page"),
            (Ok(good()), "dates", Status::Ok, "good until"),
            (Ok(until(NOW - 1)), "dates", Status::Warning, "nothing in a hurry"),
            (Ok(good()), "round_trip", Status::Ok, "opens"),
            (Ok(back(Ok(false))), "round_trip", Status::Warning, "does not open"),
            (Ok(back(Err("no key".to_owned()))), "round_trip", Status::Warning, "no key"),
        ];
        for (sealed, check, status, words) in table {
            assert_says(check, &said(sealed, None, &[], check), status, words);
        }
    }

    #[test]
    fn the_password_is_judged() {
        let table = [
            (None, Status::Skipped, "set_on"),
            (Some(22), Status::Ok, "22 more days"),
            (Some(21), Status::Warning, "21 more days"),
            (Some(0), Status::Fails, "ended 0 days ago"),
            (Some(-10), Status::Fails, "ended 10 days ago"),
        ];
        for (days, status, words) in table {
            assert_says("age", &said(Ok(good()), days, &[], "password_age"), status, words);
        }
        let found = said(Ok(good()), None, &['@', '('], "characters");
        assert_says("characters", &found, Status::Warning, "\"@\" and \"(\"");
        assert_says("none", &said(Ok(good()), None, &[], "characters"), Status::Ok, "none");
    }
}
