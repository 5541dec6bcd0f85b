//! The scenarios that ship, as files under `scenarios/` and in the program.

use super::{Faults, Scenario};

/// Each by its name, as it is written.
const SHIPPED: [(&str, &str); 7] = [
    ("happy", include_str!("../../../scenarios/happy.toml")),
    ("bad-friday", include_str!("../../../scenarios/bad-friday.toml")),
    ("vpn-flaps", include_str!("../../../scenarios/vpn-flaps.toml")),
    ("late-results", include_str!("../../../scenarios/late-results.toml")),
    ("operator-locked", include_str!("../../../scenarios/operator-locked.toml")),
    ("float-runs-dry", include_str!("../../../scenarios/float-runs-dry.toml")),
    ("daraja-brownout", include_str!("../../../scenarios/daraja-brownout.toml")),
];

/// The JSON schema of a scenario.
pub const SCHEMA: &str = include_str!("../../../docs/scenario.schema.json");

/// Their names, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// One of them as it is written, if there is one of this name.
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// One of them, if there is one of this name.
///
/// # Errors
/// What is wrong with it; the tests see to it that nothing is.
pub fn scenario(name: &str) -> Option<Result<Scenario, Faults>> {
    text(name).map(Scenario::parse)
}

/// Name and line of each.
pub fn all() -> impl Iterator<Item = (&'static str, String)> {
    let says = |text| Scenario::parse(text).map(|scenario| scenario.says).unwrap_or_default();
    SHIPPED.iter().map(move |(name, text)| (*name, says(text)))
}

/// What somebody who asked for an unknown one is told.
pub fn unknown(name: &str) -> String {
    let names: Vec<&str> = names().collect();
    let near = super::fault::meant(name, names.iter().copied());
    let near = near.strip_prefix("; ").map(|near| format!(" {near}")).unwrap_or_default();
    format!("there is no scenario \"{name}\";{near} there are {}", names.join(", "))
}
