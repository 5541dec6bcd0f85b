//! Where schemas come from: those built into the program, or a directory of the partner's own.

use std::fs;
use std::path::{Path, PathBuf};

use super::node::Node;
use super::text::Text;
use super::validator::{self, BrokenSchema, Set, Sources};
use crate::soap::{wsdl, xml};

/// The most files of a directory that are read.
const FILES_MAX: usize = 200;
/// The most that they may hold together, in bytes; one alone is bounded as a message is.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How deep directories may lie in each other.
const DIRECTORIES_DEEP_MAX: usize = 4;
/// The namespace of WSDL 1.1.
const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
/// The namespace of XML Schema.
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// How the envelope's schema looks at what stands in it, and how the frame alone does.
const LOOKS: (&str, &str) = ("processContents=\"strict\"", "processContents=\"skip\"");

/// The envelope alone: what stands in header and body is looked at by itself.
///
/// # Errors
/// The schema that is built in is broken.
pub(super) fn frame() -> Result<Set, BrokenSchema> {
    let envelope = wsdl::SCHEMAS.iter().find(|(name, _)| *name == "soap-envelope.xsd");
    let text = envelope.map(|(_, text)| text.replace(LOOKS.0, LOOKS.1)).unwrap_or_default();
    Set::compile(&[("soap-envelope.xsd".to_owned(), text)], &Sources::new())
}

/// The schemas in `wsdl/`, which are built in.
///
/// # Errors
/// They are broken.
pub(super) fn bundled() -> Result<Vec<Set>, BrokenSchema> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let sources: Sources = wsdl::SCHEMAS.iter().map(owned).collect();
    let roots: Vec<_> = wsdl::SCHEMAS.iter().take(1).map(owned).collect();
    Ok(vec![Set::compile(&roots, &sources)?])
}

/// Every `.wsdl` and `.xsd` of a directory and those in it: each WSDL with what it imports is a set
/// of its own, and all XSDs together are one.
///
/// # Errors
/// One cannot be read, is no schema, or imports what is not in the directory.
pub(super) fn directory(dir: &Path) -> Result<Vec<Set>, BrokenSchema> {
    let files = read_all(dir)?;
    let is = |path: &str, end: &str| path.to_ascii_lowercase().ends_with(end);
    let xsds: Sources = files.iter().filter(|(path, _)| is(path, ".xsd")).cloned().collect();
    let mut sets = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| is(path, ".wsdl")) {
        let inline = inline(path, text)?;
        if !inline.is_empty() {
            sets.push(Set::compile(&inline, &xsds)?);
        }
    }
    if !xsds.is_empty() {
        let roots: Vec<_> = xsds.clone().into_iter().collect();
        sets.push(Set::compile(&roots, &xsds)?);
    }
    if sets.is_empty() {
        return Err(about(dir, "it holds no .xsd, and no .wsdl with a schema in it".to_owned()));
    }
    Ok(sets)
}

fn about(path: &Path, what: String) -> BrokenSchema {
    BrokenSchema { file: path.display().to_string(), line: None, what }
}

/// The files of a directory, by their path in it.
fn read_all(dir: &Path) -> Result<Vec<(String, String)>, BrokenSchema> {
    let root = dir.canonicalize().map_err(|error| about(dir, error.to_string()))?;
    let mut paths = Vec::new();
    find(&root, &root, DIRECTORIES_DEEP_MAX, &mut paths)?;
    paths.sort();
    let mut files = Vec::new();
    let mut bytes: usize = 0;
    for path in paths {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        let text = text_of(&path, &name)?;
        bytes = bytes.saturating_add(text.len());
        if bytes > BYTES_MAX {
            return Err(about(dir, format!("its schemas hold more than {BYTES_MAX} bytes")));
        }
        files.push((name, text));
    }
    Ok(files)
}

fn find(
    root: &Path,
    dir: &Path,
    deeper: usize,
    into: &mut Vec<PathBuf>,
) -> Result<(), BrokenSchema> {
    let failed = |error: std::io::Error| about(dir, error.to_string());
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Where a link leads counts: what lies outside is not ours to read.
        let real = path.canonicalize().map_err(|error| about(&path, error.to_string()))?;
        if !real.starts_with(root) {
            continue;
        }
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        let is_schema = ["xsd", "wsdl"].iter().any(|one| end.eq_ignore_ascii_case(one));
        match deeper.checked_sub(1) {
            Some(deeper) if path.is_dir() && !path.is_symlink() => {
                find(root, &path, deeper, into)?;
            }
            _ if is_schema && path.is_file() => into.push(path),
            _ => {}
        }
        if into.len() > FILES_MAX {
            return Err(about(root, format!("it holds more than {FILES_MAX} schemas")));
        }
    }
    Ok(())
}

/// A file's text; its lines stay where they are.
fn text_of(path: &Path, name: &str) -> Result<String, BrokenSchema> {
    let broken = |what: String| BrokenSchema { file: name.to_owned(), line: None, what };
    let limit = u64::try_from(xml::BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| {
        use std::io::Read as _;
        file.take(limit).read_to_end(&mut bytes)
    });
    read.map_err(|error| broken(error.to_string()))?;
    let decoded = xml::decode_at(&bytes).map_err(|error| broken(error.to_string()))?;
    let begins = decoded.line.saturating_sub(1);
    // What was decoded is no longer in the encoding that its prolog names.
    let text = Text::of_file(&decoded.text, 1).without_prolog();
    let prolog = text.line_at(0).saturating_sub(1);
    Ok(format!("{}{}", "\n".repeat(begins.saturating_add(prolog)), text.as_str()))
}

/// The schemas inside a WSDL, each as a document of its own whose lines are those of the file.
fn inline(path: &str, text: &str) -> Result<Vec<(String, String)>, BrokenSchema> {
    let broken = |line: usize, what: &str| BrokenSchema {
        file: path.to_owned(),
        line: Some(line),
        what: what.to_owned(),
    };
    let file = Text::of_file(text, 1);
    let root = validator::read(&file).map_err(|error| broken(error.line, &error.why))?;
    if root.name != "definitions" || root.space != WSDL {
        let what = "it is no WSDL 1.1: its root must be definitions in the namespace of WSDL";
        return Err(broken(root.line, what));
    }
    let types = root.children.iter().filter(|child| child.name == "types");
    let mut schemas = Vec::new();
    for types in types {
        let inside = types.children.iter();
        for schema in inside.filter(|one| one.name == "schema" && one.space == XSD) {
            let place = format!("{path}?{}", schemas.len());
            schemas.push((place, standing_alone(&file, schema)));
        }
    }
    Ok(schemas)
}

/// An element as a document: what it takes from round it is declared on it.
fn standing_alone(file: &Text, node: &Node) -> String {
    let (from, to) = node.span;
    let element = file.as_str().get(from..to).unwrap_or_default();
    let name_len = element.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
    let (name, rest) = element.split_at(name_len.unwrap_or(element.len()));
    let mut out = "\n".repeat(node.line.saturating_sub(1));
    out.push_str(name);
    let mut declared: Vec<&str> = Vec::new();
    for (nth, (prefix, space)) in node.bindings.iter().rev().enumerate() {
        let is_own = nth < node.own_bindings;
        if !is_own && !declared.contains(&prefix.as_ref()) {
            out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            out.push_str(prefix);
            out.push_str("=\"");
            xml::push_attribute(&mut out, space);
            out.push('"');
        }
        declared.push(prefix);
    }
    out.push_str(rest);
    out
}
