//! Lengths of time as people write them: `90s`, `1h30m`, `3d`, `250ms`.

use std::time::Duration;

/// The units, and how many milliseconds each is.
const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Reads a length of time.
///
/// # Errors
/// What was found, and what is expected.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("found {text:?}; expected a length of time such as \"90s\", \"1h30m\" or \"3d\"")
    };
    let mut rest = text.trim();
    let mut millis: Option<u64> = None;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        let number: u64 = number.parse().map_err(|_no_number| wrong())?;
        let (_, each) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = number.checked_mul(*each).ok_or_else(wrong)?;
        millis = Some(millis.unwrap_or(0).checked_add(part).ok_or_else(wrong)?);
        rest = after;
    }
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

/// The beginning that `is_part` holds for, and the rest.
fn split(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    let at = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        let table = [("250ms", 250), ("90s", 90_000), ("1h30m", 5_400_000), ("3d", 259_200_000)];
        for (text, millis) in table {
            assert_eq!(length(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "3", "d", "-3d", "3 d", "3y", "1.5h", "99999999999999999999d", "3d4"] {
            let wrong = length(text).expect_err(text);
            assert!(wrong.contains("expected a length of time"), "{wrong}");
        }
    }
}
