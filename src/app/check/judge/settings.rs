//! The configuration itself.

use crate::app::check::line::Line;
use crate::config::{Examined, Fault, filtered_word};

/// Keys about which there are lines of their own.
const ELSEWHERE: &[&str] = &["callbacks.token", "callbacks.public_url", ""];

/// A line for each fault and each warning, or one that says that there is none.
pub(in crate::app::check) fn lines(examined: &Examined) -> Vec<Line> {
    const CHECK: &str = "config";
    let mut lines: Vec<Line> = Vec::new();
    for fault in examined.faults.iter().filter(|fault| !is_about_words(examined, fault)) {
        let advice = if fault.what.contains("is not set") {
            "set it; mlango.example.toml documents every key"
        } else {
            "correct it; mlango.example.toml documents every key"
        };
        lines.push(Line::fails(CHECK, fault.to_string(), advice));
    }
    if lines.is_empty() {
        let from = examined.path.as_ref().map(|path| path.display().to_string());
        let from = from.unwrap_or_else(|| "no file, only variables and defaults".to_owned());
        lines.push(Line::ok(CHECK, format!("{from}: readable and complete")));
    }
    let warnings = examined.warnings.iter();
    let warnings = warnings.filter(|warning| !ELSEWHERE.contains(&warning.key.as_str()));
    lines.extend(warnings.map(|warning| {
        Line::warning(CHECK, warning.to_string(), "change it, unless it is meant to be so")
    }));
    lines
}

/// Whether a fault is about a filtered word in the callback address: that has a line of its own.
fn is_about_words(examined: &Examined, fault: &Fault) -> bool {
    let callbacks = examined.parts.callbacks.as_ref();
    let word = callbacks.and_then(|callbacks| filtered_word(&callbacks.public_url));
    fault.key == "callbacks.public_url" && word.is_some_and(|word| fault.what.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;
    use crate::config::Place;

    #[test]
    fn every_fault_and_every_warning_has_its_line() {
        let fault = |key: &str, what: &str| Fault {
            place: Place::Nowhere,
            key: key.to_owned(),
            what: what.to_owned(),
        };
        let mut examined = Examined::default();
        assert_says("nothing", &lines(&examined)[0], Status::Ok, "readable and complete");
        examined.warnings = vec![
            fault("callbacks.allow", "is empty"),
            fault("callbacks.token", "is short"),
            fault("", "holds secrets"),
        ];
        let shown = lines(&examined);
        assert_eq!(shown.len(), 2, "what has a line of its own has none here: {shown:?}");
        assert_says("a warning", &shown[1], Status::Warning, "is empty");
        examined.faults = vec![
            fault("broker.ulr", "is unknown; did you mean url?"),
            fault("broker.url", "is not set, and `mlango serve` needs it"),
        ];
        let shown = lines(&examined);
        assert_says("a fault", &shown[0], Status::Fails, "did you mean url?");
        assert_says("another", &shown[1], Status::Fails, "set it;");
        assert_eq!(shown.len(), 3);
    }
}
