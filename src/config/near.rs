//! What someone who mistyped a name may have meant.

use super::key;

/// The known key nearest to `section.name`, quoted, if any is near.
pub(super) fn key(section: &str, name: &str) -> Option<String> {
    // The right name in the wrong section comes first: no spelling is nearer.
    let moved = key::all().find(|known| known.name == name);
    if let Some(known) = moved {
        return Some(quoted(&known.full_name()));
    }
    let full = format!("{section}.{name}");
    let names = key::all().map(key::Key::full_name);
    nearest(&full, names)
}

/// The known section (or, for a name outside any section, key) nearest to `name`, quoted.
pub(super) fn section(name: &str, is_table: bool) -> Option<String> {
    if !is_table {
        return key("", name);
    }
    let names = key::SECTIONS.iter().map(|known| known.name.to_owned());
    nearest(name, names)
}

fn nearest(name: &str, names: impl Iterator<Item = String>) -> Option<String> {
    // About a third of the letters may be wrong: beyond that, a guess helps nobody.
    let limit = name.len().checked_div(3).unwrap_or_default().max(2);
    names
        .map(|known| (strsim::damerau_levenshtein(name, &known), known))
        .filter(|(distance, _)| *distance <= limit)
        .filter(|(distance, known)| name.starts_with(known) || *distance < last_part(known).len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| quoted(&known))
}

/// A name of which nothing was written is not what somebody meant.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
