//! The same verdict as libxml2's, over golden messages and over what is made of them.

use std::fs;
use std::process::Command;

use mlango::schema::Schemas;
use mlango::soap::envelope::SOAP;
use mlango::soap::xml::{self, Element};

use super::corpus::{enveloped, inner, place};

/// Whether libxml2 takes each, by `wsdl/messages.xsd`.
fn by_xmllint(messages: &[(String, String)]) -> Vec<bool> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut taken = Vec::new();
    for (chunk, some) in messages.chunks(500).enumerate() {
        let files: Vec<_> =
            (0..some.len()).map(|n| dir.path().join(format!("{chunk}-{n}"))).collect();
        for (file, (_, text)) in files.iter().zip(some) {
            fs::write(file, text).expect("writes");
        }
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(place("wsdl/messages.xsd"))
            .args(&files)
            .output()
            .expect("xmllint runs: apt-get install libxml2-utils");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: std::collections::HashSet<&str> = said.lines().collect();
        let says = |file: &std::path::PathBuf| {
            lines.contains(format!("{} validates", file.display()).as_str())
        };
        taken.extend(files.iter().map(says));
    }
    taken
}

/// Compares, and says how many each took.
fn compare(messages: &[(String, String)]) -> (usize, usize) {
    let schemas = Schemas::bundled().expect("our own schemas");
    let mut differ = Vec::new();
    let mut ours_taken = 0;
    for ((name, text), theirs) in messages.iter().zip(by_xmllint(messages)) {
        let checked = schemas.check(text.as_bytes());
        let ours = checked.findings.is_empty();
        ours_taken += usize::from(ours);
        if ours != theirs {
            differ.push(format!("{name}: xmllint {theirs}, here {:?}\n{text}\n", checked.findings));
        }
    }
    let shown = differ.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(differ.is_empty(), "{} of {} differ:\n{shown}", differ.len(), messages.len());
    (ours_taken, messages.len() - ours_taken)
}

#[test]
fn what_is_golden_is_to_the_schema_for_both() {
    let messages = [enveloped(), inner()].concat();
    assert_eq!(compare(&messages), (messages.len(), 0));
}

/// How an element is spoilt.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Removed,
    Renamed,
    Repeated,
    LastFirst,
    OtherNamespace,
    NoNamespace,
    Attribute,
    Nil,
    Text,
    Child,
    Emptied,
    TooLong,
    Word,
    Blanks,
}

const SPOILS: [Spoil; 14] = [
    Spoil::Removed,
    Spoil::Renamed,
    Spoil::Repeated,
    Spoil::LastFirst,
    Spoil::OtherNamespace,
    Spoil::NoNamespace,
    Spoil::Attribute,
    Spoil::Nil,
    Spoil::Text,
    Spoil::Child,
    Spoil::Emptied,
    Spoil::TooLong,
    Spoil::Word,
    Spoil::Blanks,
];

/// Writes an element; that with this number is spoilt.
fn write(out: &mut String, element: &Element<'_>, at: &mut usize, spoilt: (usize, Spoil)) {
    let spoil = (*at == spoilt.0).then_some(spoilt.1);
    *at += 1;
    let mut one = String::new();
    let name = if matches!(spoil, Some(Spoil::Renamed)) { "Stranger" } else { &element.name };
    let space = match spoil {
        Some(Spoil::OtherNamespace) => "urn:other",
        Some(Spoil::NoNamespace) => "",
        _ => element.namespace.as_deref().unwrap_or_default(),
    };
    one.push_str(&format!("<{name} xmlns=\"{space}\" xmlns:soapenv=\"{SOAP}\""));
    match spoil {
        Some(Spoil::Attribute) => one.push_str(" more=\"1\""),
        Some(Spoil::Nil) => {
            one.push_str(" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"")
        }
        _ => {}
    }
    one.push('>');
    match spoil {
        Some(Spoil::Emptied) => {}
        Some(Spoil::TooLong) => one.push_str(&"x".repeat(2000)),
        Some(Spoil::Word) => one.push_str("Completed"),
        Some(Spoil::Blanks) => one.push_str(&format!("\n {} \t", element.text)),
        _ => xml::push_text(&mut one, &element.text),
    }
    if matches!(spoil, Some(Spoil::Text)) {
        one.push_str("words");
    }
    if matches!(spoil, Some(Spoil::Child)) {
        one.push_str("<Stranger/>");
    }
    let mut children: Vec<&Element<'_>> = element.children.iter().collect();
    if matches!(spoil, Some(Spoil::LastFirst)) {
        let by = children.len().min(1);
        children.rotate_right(by);
    }
    for child in children {
        write(&mut one, child, at, spoilt);
    }
    one.push_str(&format!("</{name}>"));
    match spoil {
        Some(Spoil::Removed) => {}
        Some(Spoil::Repeated) => {
            out.push_str(&one);
            out.push_str(&one);
        }
        _ => out.push_str(&one),
    }
}

/// The names of all elements, in the order in which they are numbered.
fn names(element: &Element<'_>, into: &mut Vec<String>) {
    into.push(element.name.to_string());
    element.children.iter().for_each(|child| names(child, into));
}

/// Whether libxml2 is known to be wrong: it takes no blanks round a name with a prefix, which the
/// standard collapses before it looks (XML Schema part 2, §4.3.6). It takes no whole number of more
/// than 24 digits either, so that what is too long here is no number.
fn is_a_fault_of_theirs(name: &str, spoil: Spoil) -> bool {
    name == "faultcode" && matches!(spoil, Spoil::Blanks)
}

/// Whether only we look at what is spoilt: the text of these is a document.
fn is_ours_alone(name: &str, spoil: Spoil) -> bool {
    ["RequestMsg", "ResponseMsg", "ResultMsg"].contains(&name)
        && matches!(
            spoil,
            Spoil::Emptied | Spoil::TooLong | Spoil::Word | Spoil::Text | Spoil::Blanks
        )
}

fn spoilt() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, text) in [enveloped(), inner()].concat() {
        let root = xml::parse(&text).expect("well-formed");
        let mut all_names = Vec::new();
        names(&root, &mut all_names);
        for (nth, element) in all_names.iter().enumerate() {
            for spoil in SPOILS {
                // A document needs one root.
                let is_none = nth == 0 && matches!(spoil, Spoil::Removed | Spoil::Repeated);
                if is_none || is_ours_alone(element, spoil) || is_a_fault_of_theirs(element, spoil)
                {
                    continue;
                }
                let mut out = String::new();
                write(&mut out, &root, &mut 0, (nth, spoil));
                all.push((format!("{name}: element {nth} {spoil:?}"), out));
            }
        }
    }
    all
}

#[test]
fn what_is_spoilt_is_judged_alike() {
    let messages = spoilt();
    let (taken, refused) = compare(&messages);
    assert!(refused > 2000, "{refused} refused");
    assert!(taken > 200, "{taken} taken");
}
