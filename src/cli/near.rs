//! What somebody may have meant by a name that there is not.

/// The nearest of the names that there are; none where a guess would help nobody.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // About a third of the letters may be wrong.
    let limit = name.len().checked_div(3).unwrap_or_default();
    names
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// That as half a sentence, or nothing.
pub(super) fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(name, names).map_or_else(String::new, |known| format!("; did you mean {known}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_no_wild_guess() {
        let names = || ["payout.succeeded", "payout.failed", "stk.timeout"].into_iter();
        assert_eq!(did_you_mean("payout.suceeded", names()), "; did you mean payout.succeeded?");
        assert_eq!(nearest("payout.fialed", names()), Some("payout.failed"));
        for stranger in ["", "x", "receipt.printed"] {
            assert_eq!(did_you_mean(stranger, names()), "", "{stranger}");
        }
    }
}
