//! Writes a commented configuration from the table of keys.

use super::key::{self, Given, Key, Kind, Section, Shape};
use super::value::{size_words, time_words};

/// What stands at the top.
const HEAD: &str = "\
# Configuration of Mlango. Every key is here.
#
# - What is commented out has the default that is shown; what is not must be set.
# - Where \"#\" stands without a blank behind it, nothing is set and the value is an example: of keys
#   and lists that may be left out, and of sections that as a whole may be.
# - Each key is also an environment variable, which wins: [broker] url is MLANGO__BROKER__URL.
#   Lists there are texts with commas between.
# - A secret `name` can be given as `name_file` instead: the first line of that file.
# - Relative paths are looked for beside this file (those in variables: from where the program
#   was started).
";

/// `mlango.example.toml`: every key with its meaning, its default or a placeholder.
pub fn example() -> String {
    with(&[])
}

/// The same with these keys set, each as its full name and its value in TOML: what `mlango init`
/// writes.
pub fn with(values: &[(&str, &str)]) -> String {
    let mut text = HEAD.to_owned();
    for section in key::SECTIONS.iter().filter(|known| !known.doc.is_empty()) {
        text.push_str(&head_of(section));
        let keys = key::all().filter(|key| key.section == section.name);
        for key in keys {
            let full_name = key.full_name();
            let value = values.iter().find(|(name, _)| *name == full_name);
            write_key(&mut text, (section, key), value.map(|(_, value)| *value));
        }
    }
    text
}

fn head_of(section: &Section) -> String {
    let Section { name, doc, shape } = section;
    match shape {
        Shape::Always => format!("\n[{name}] # {doc}\n"),
        Shape::Optional => format!("\n[{name}] # {doc} Optional.\n"),
        Shape::Rows => format!("\n#[[{name}]] # {doc} Optional; as many as you like.\n"),
    }
}

fn write_key(text: &mut String, (section, key): (&Section, &Key), value: Option<&str>) {
    for line in key.doc.lines() {
        text.push_str(&format!("# {line}\n"));
    }
    if let Some(bounds) = bounds(key.kind) {
        text.push_str(&format!("# {bounds}\n"));
    }
    let name = key.name;
    let line = match (value, key.given) {
        (Some(value), _) => format!("{name} = {value}\n"),
        (None, Given::Default(toml) | Given::Needed(_, toml)) if section.shape != Shape::Always => {
            format!("#{name} = {toml}\n")
        }
        (None, Given::Optional(toml)) => format!("#{name} = {toml}\n"),
        (None, Given::Default(toml)) => format!("# {name} = {toml}\n"),
        (None, Given::Needed(_, toml)) => format!("{name} = {toml}\n"),
    };
    text.push_str(&line);
}

fn bounds(kind: Kind) -> Option<String> {
    match kind {
        Kind::Count(least, most) => Some(format!("From {least} to {most}.")),
        Kind::Size(least, most) => Some(format!(
            "From {} to {}; a number of bytes, or such as \"64 KiB\".",
            size_words(least),
            size_words(most)
        )),
        Kind::Time(least, most) | Kind::Times(least, most) => {
            let (least, most) = (time_words(least), time_words(most));
            Some(format!("From {least} to {most}."))
        }
        Kind::Text
        | Kind::Secret
        | Kind::Token
        | Kind::Listen
        | Kind::PublicUrl
        | Kind::WebOrigin
        | Kind::Url
        | Kind::Patterns
        | Kind::Texts
        | Kind::Fingerprints
        | Kind::Address
        | Kind::Day
        | Kind::ShortCodes
        | Kind::Template
        | Kind::StoreUrl
        | Kind::File
        | Kind::Output
        | Kind::Networks
        | Kind::ShortCode
        | Kind::Money
        | Kind::Word(_)
        | Kind::LogLevel => None,
    }
}
