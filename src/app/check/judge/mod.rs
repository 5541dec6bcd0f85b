//! From what was found to what is said of it. No room here looks at the world: each judgement is a
//! table.

pub(super) mod callbacks;
pub(super) mod certificates;
pub(super) mod credential;
pub(super) mod files;
pub(super) mod live;
pub(super) mod machine;
pub(super) mod settings;
pub(super) mod way;
pub(super) mod wsdl;

/// So many days before its end, something is worth a word: as `/readyz` has it.
const DAYS_AHEAD: i64 = 21;

/// What a table of judgements compares: status, and one word of what is said.
#[cfg(test)]
fn assert_says(what: &str, line: &super::line::Line, status: super::line::Status, words: &str) {
    assert_eq!(line.status, status, "{what}: {line:?}");
    let advice = line.advice.as_deref().unwrap_or_default();
    let said = format!("{} {advice}", line.seen);
    assert!(said.contains(words), "{what}: no \"{words}\" in {line:?}");
    let is_mended = matches!(status, super::line::Status::Ok | super::line::Status::Skipped);
    assert_eq!(advice.is_empty(), is_mended, "{what}: what is wrong says what to do: {line:?}");
}
