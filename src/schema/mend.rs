//! Turns what is known to deviate into what the schema wants, and says what it turned.
//!
//! What is still wrong after that is no known deviation. Only a copy is mended, to be held against
//! the schema once more; nothing that is mended here is ever sent or believed.

use super::Finding;
use super::deviation::{self as known, Deviation};
use super::node::{Node, XSI};
use crate::soap::envelope::{REQUEST, RESPONSE, RESULT};
use crate::soap::schema::{Content, Shape, Space};

/// The outer `ResultMsg` of a core that is not behind the broker (spec/soap.md §1.1).
const CORE_RESULT: &str = "http://cps.huawei.com/cpsinterface/result";
/// Roots that some write with a capital letter.
const ROOTS: [&str; 3] = ["request", "response", "result"];
/// Messages whose text is a document.
const WRAPPERS: [&str; 3] = ["RequestMsg", "ResponseMsg", "ResultMsg"];

/// How to mend.
pub(super) struct Mending {
    /// Whether answers keep an order: in our schema they don't, since the core's don't
    /// (spec/soap.md §4.1).
    pub ordered: bool,
    /// What was mended.
    pub log: Vec<Finding>,
    /// The namespace that the whole document is in, in place of its own.
    shifted: Option<String>,
}

impl Mending {
    pub const fn new(ordered: bool) -> Self {
        Self { ordered, log: Vec::new(), shifted: None }
    }

    fn log(&mut self, node: &Node, path: &str, deviation: Deviation, words: (&str, &str)) {
        self.log.push(Finding {
            line: node.line,
            element: path.to_owned(),
            found: words.0.to_owned(),
            expected: words.1.to_owned(),
            deviation: Some(deviation),
        });
    }

    /// Mends an element that is to be of this shape.
    pub fn root(&mut self, node: &mut Node, shape: &Shape) {
        let path = node.name.clone();
        self.element(node, shape, "", &path);
    }

    fn element(&mut self, node: &mut Node, shape: &Shape, inherited: &str, path: &str) {
        self.name(node, shape, path);
        let space = wanted(shape, inherited, &node.space);
        self.space(node, &space, path);
        self.attributes(node, path);
        match shape.content {
            Content::Group(shapes) => self.group(node, (shapes, true), &space, path),
            Content::All(shapes) => self.group(node, (shapes, self.ordered), &space, path),
            Content::Text(_) => self.text(node, path),
            Content::Integer => self.integer(node, path),
        }
    }

    fn name(&mut self, node: &mut Node, shape: &Shape, path: &str) {
        let Some(deviation) = renamed(&node.name, shape.name) else { return };
        let found = node.name.clone();
        self.log(node, path, deviation, (&found, shape.name));
        shape.name.clone_into(&mut node.name);
    }

    fn space(&mut self, node: &mut Node, wanted: &str, path: &str) {
        if node.space == wanted {
            return;
        }
        let found = if node.space.is_empty() { "no namespace" } else { node.space.as_str() };
        let deviation = match node.name.as_str() {
            "ResponseMsg" if node.space == RESULT => known::ANSWER_NAMESPACE,
            "ResultMsg" if node.space == CORE_RESULT => known::RESULT_NAMESPACE,
            name if ROOTS.contains(&name) && [REQUEST, RESPONSE, RESULT].contains(&wanted) => {
                self.shifted = Some(node.space.clone());
                known::INNER_NAMESPACE
            }
            // The document was said to be in that namespace.
            _ if self.shifted.as_ref() == Some(&node.space) => {
                wanted.clone_into(&mut node.space);
                return;
            }
            "Key" | "Value" if node.space == REQUEST && wanted == RESULT => known::PAIR_NAMESPACE,
            _ => return,
        };
        let found = found.to_owned();
        self.log(node, path, deviation, (&found, wanted));
        wanted.clone_into(&mut node.space);
    }

    fn attributes(&mut self, node: &mut Node, path: &str) {
        let is_nil = |one: &super::node::Attribute| one.space == XSI && one.name == "nil";
        if node.text.trim().is_empty() && node.attributes.iter().any(is_nil) {
            self.log(node, path, known::NIL_VALUE, ("nil", "an empty element"));
            node.attributes.retain(|one| !is_nil(one));
        }
    }

    fn text(&mut self, node: &mut Node, path: &str) {
        if node.children.is_empty() {
            return;
        }
        if WRAPPERS.contains(&node.name.as_str()) {
            self.log(node, path, known::INNER_NESTED, ("elements", "text: CDATA, or escaped"));
            node.children.clear();
        } else if node.name == "Value" {
            self.log(node, path, known::VALUE_ELEMENTS, ("elements", "text"));
            node.children.clear();
        }
    }

    fn integer(&mut self, node: &mut Node, path: &str) {
        if node.name == "ResultType" && node.text.trim() == "Completed" {
            self.log(node, path, known::RESULT_TYPE_WORD, ("Completed", "a whole number"));
            "0".clone_into(&mut node.text);
        }
    }

    fn group(
        &mut self,
        node: &mut Node,
        (shapes, ordered): (&[Shape], bool),
        space: &str,
        path: &str,
    ) {
        self.without_extras(node, path);
        self.flattened(node, path);
        if ordered {
            self.order(node, shapes, path);
        }
        for nth in 0..node.children.len() {
            let (before, rest) = node.children.split_at_mut(nth);
            let Some(child) = rest.first_mut() else { break };
            let Some(shape) = shapes.iter().find(|shape| fits(shape, child)) else { continue };
            let below = format!("{path}/{}", child.step(before));
            self.element(child, shape, space, &below);
        }
        self.completed(node, shapes, space, path);
    }

    /// Elements that are known to be added.
    fn without_extras(&mut self, node: &mut Node, path: &str) {
        let extras: (&[&str], Deviation) = match node.name.as_str() {
            "RequestSOAPHeader" => (&["OA", "FA"], known::HEADER_PHONES),
            "Identity" => (&["Requester"], known::REQUESTER),
            _ => return,
        };
        let is_extra = |child: &Node| extras.0.contains(&child.name.as_str());
        for child in node.children.iter().filter(|child| is_extra(child)) {
            let below = format!("{path}/{}", child.name);
            self.log(child, &below, extras.1, (&child.name, "no such element"));
        }
        node.children.retain(|child| !is_extra(child));
    }

    /// `ResultParameter`s that stand in one of their own name.
    fn flattened(&mut self, node: &mut Node, path: &str) {
        if node.name != "ResultParameters" {
            return;
        }
        let is_nest =
            |child: &Node| child.children.first().is_some_and(|inside| inside.name == child.name);
        let mut flat = Vec::new();
        for child in std::mem::take(&mut node.children) {
            if is_nest(&child) {
                let below = format!("{path}/{}", child.name);
                let words = ("elements of its own name", "Key and Value");
                self.log(&child, &below, known::PARAMETER_NESTED, words);
                flat.extend(child.children);
            } else {
                flat.push(child);
            }
        }
        node.children = flat;
    }

    fn order(&mut self, node: &mut Node, shapes: &[Shape], path: &str) {
        let place = |child: &Node| shapes.iter().position(|shape| fits(shape, child));
        let places: Option<Vec<usize>> = node.children.iter().map(place).collect();
        // What is not known has no place.
        let Some(places) = places else { return };
        let late = places.windows(2).position(|two| two.first() > two.last());
        let Some(late) = late.and_then(|nth| node.children.get(nth.saturating_add(1))) else {
            return;
        };
        let below = format!("{path}/{}", late.name);
        let words = (late.name.as_str(), "it before what stands before it");
        self.log.push(Finding {
            line: late.line,
            element: below,
            found: words.0.to_owned(),
            expected: words.1.to_owned(),
            deviation: Some(known::ORDER),
        });
        node.children.sort_by_key(|child| place(child).unwrap_or(usize::MAX));
    }

    /// What is known to be left out.
    fn completed(&mut self, node: &mut Node, shapes: &[Shape], space: &str, path: &str) {
        let has = |name: &str| node.child(name).is_some();
        let is_pair = shapes.iter().map(|shape| shape.name).eq(["Key", "Value"]);
        let registers = node.name == "Transaction"
            && node.child("CommandID").is_some_and(|id| id.text.trim() == "RegisterURL");
        let (name, deviation) = if is_pair && has("Key") && !has("Value") {
            ("Value", known::VALUE_MISSING)
        } else if registers && !has("Timestamp") {
            ("Timestamp", known::REGISTER_WITHOUT_TIME)
        } else {
            return;
        };
        self.log(node, path, deviation, ("its end", name));
        node.children.push(Node {
            name: name.to_owned(),
            space: space.to_owned(),
            line: node.line,
            ..Node::default()
        });
    }
}

/// Which deviation it is that something of this shape is called `name`; `None`: it is not, or is
/// no known one.
fn renamed(name: &str, wanted: &str) -> Option<Deviation> {
    match (name, wanted) {
        _ if name == wanted => None,
        _ if ROOTS.contains(&wanted) && name.eq_ignore_ascii_case(wanted) => {
            Some(known::INNER_ROOT)
        }
        ("Parameter", "ResultParameter") => Some(known::PARAMETER_NAME),
        ("TransactionType", "TransType") => Some(known::TRANSACTION_TYPE),
        _ if wanted.ends_with("ID") && name.replace("Id", "ID") == wanted => {
            Some(known::ID_SPELLING)
        }
        _ => None,
    }
}

fn fits(shape: &Shape, node: &Node) -> bool {
    node.name == shape.name || renamed(&node.name, shape.name).is_some()
}

/// The namespace that an element of this shape is in.
fn wanted(shape: &Shape, inherited: &str, found: &str) -> String {
    match shape.space {
        Space::Inherit => inherited.to_owned(),
        Space::In(one) => one.to_owned(),
        Space::Either(two) if two.contains(&found) => found.to_owned(),
        Space::Either([first, _]) => first.to_owned(),
        Space::Without => String::new(),
    }
}
