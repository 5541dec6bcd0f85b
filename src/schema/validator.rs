//! The validator: the only file that names `xsd_schema`.
//!
//! It reads texts strictly ([`read`]), makes sets of schemas ([`Set`]), and holds elements against
//! them. What is wrong is said in words of our own: the validator's quote values, and values are
//! secrets, phones and names of people.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use xsd_schema::namespace::context::NamespaceContextSnapshot;
use xsd_schema::validation::{
    AttributeView, DoctypeView, DriveWithError, ElementStartView, EndElementInfo, SchemaInfo,
    SchemaValidator, TextKind, ValidationError, ValidationEventHandler, ValidationFlags,
    ValidationRoot, ValidationRuntime, ValidationSink, ValidationWarning, drive_quick_xml_with,
};
use xsd_schema::xml::ParseLimits;
use xsd_schema::{
    EmbeddedLoader, ResolverConfig, SchemaError, SchemaLoader, SchemaResolver, SchemaResult,
    SchemaSet, SchemaSetBuilder, XsdVersion,
};

use super::node::{Attribute, Binding, Node};
use super::text::Text;
use super::words;
use crate::soap::xml::{ATTRIBUTES_MAX, BINDINGS_MAX, DEPTH_MAX, ELEMENTS_MAX};

/// The longest name of an element, attribute or prefix, in bytes.
const NAME_MAX: usize = 256;
/// The most faults of one element and what is in it: the first few say it.
const FAULTS_MAX: usize = 50;
/// How deep includes and imports may lead from a file to the next.
const IMPORTS_DEEP_MAX: usize = 16;
/// What the standard calls it that children do not stand as their parent's type wants.
const ORDER: &str = "cvc-complex-type.2.4";
/// What it calls it that nothing says what an element is.
const UNDECLARED: &str = "cvc-elt.1";
/// What stands before the path of a file, so that the validator never takes it for a place on the
/// disk or the network.
const PLACE: &str = "schemas:///";

/// Why a text is no XML that a validator takes, without words of its own.
#[derive(Debug)]
pub(super) struct NotXml {
    /// The line of the file.
    pub line: usize,
    pub why: String,
}

/// Reads a document strictly, as any partner's reader may; the prolog counts.
///
/// # Errors
/// It is not well-formed, has a DOCTYPE, or is larger than any message.
pub(super) fn read(text: &Text) -> Result<Node, NotXml> {
    let none = SchemaSet::new();
    let validator = SchemaValidator::new(&none, ValidationFlags::empty());
    let mut runtime = validator.start_run(Deaf);
    runtime.set_validation_root(ValidationRoot::Lax);
    let limits = ParseLimits::none()
        .with_max_depth(DEPTH_MAX)
        .with_max_nodes(ELEMENTS_MAX.saturating_mul(4))
        .with_max_name_bytes(NAME_MAX)
        .with_max_attributes(ATTRIBUTES_MAX);
    runtime.set_parse_limits(limits);
    let mut reading = Reading { text, open: Vec::new(), root: None, at: 0 };
    let bytes = text.as_str().as_bytes();
    let driven = drive_quick_xml_with(bytes, &mut runtime, &none, &mut reading);
    let not_xml = |at: usize, why: String| NotXml { line: text.line_at(at), why };
    match driven {
        Ok(_) => reading.root.take().ok_or_else(|| not_xml(0, "there is no element".to_owned())),
        Err(DriveWithError::NotWellFormed(error)) => Err(not_xml(
            place_of(&error, bytes.len()),
            words::not_well_formed(text.as_str(), error.rule().citation()),
        )),
        Err(DriveWithError::Hook(why)) => Err(not_xml(reading.at, why.to_owned())),
        Err(_) => Err(not_xml(reading.at, "larger or deeper than any message".to_owned())),
    }
}

fn place_of(error: &xsd_schema::xml::NotWellFormed, len: usize) -> usize {
    usize::try_from(error.position()).unwrap_or(len).min(len)
}

/// Hears nothing.
struct Deaf;

impl ValidationSink for Deaf {
    fn on_error(&mut self, _error: ValidationError) {}
    fn on_warning(&mut self, _warning: ValidationWarning) {}
}

/// The tree while it grows.
struct Reading<'a> {
    text: &'a Text,
    open: Vec<Node>,
    root: Option<Node>,
    /// Where the last element began.
    at: usize,
}

impl ValidationEventHandler for Reading<'_> {
    type Error = &'static str;

    fn on_doctype(&mut self, _doctype: DoctypeView<'_>) -> Result<(), Self::Error> {
        Err(words::DOCTYPE)
    }

    fn on_element_start_offset(&mut self, at: usize) -> Result<(), Self::Error> {
        self.at = at;
        Ok(())
    }

    fn before_element(&mut self, view: ElementStartView<'_>) -> Result<(), Self::Error> {
        let outer = self.open.last().map(|parent| Rc::clone(&parent.bindings));
        let bindings = within(outer.unwrap_or_default(), view.namespace_decls)?;
        self.open.push(Node {
            name: view.local_name.to_owned(),
            space: view.namespace_uri.to_owned(),
            line: self.text.line_at(self.at),
            span: (self.at, self.at),
            bindings,
            own_bindings: view.namespace_decls.len(),
            ..Node::default()
        });
        Ok(())
    }

    fn before_attribute(&mut self, view: AttributeView<'_>) -> Result<(), Self::Error> {
        if let Some(open) = self.open.last_mut() {
            open.attributes.push(Attribute {
                name: view.local_name.to_owned(),
                space: view.namespace_uri.to_owned(),
                value: view.value.to_owned(),
            });
        }
        Ok(())
    }

    fn on_text(&mut self, _kind: TextKind, text: &str) -> Result<(), Self::Error> {
        if let Some(open) = self.open.last_mut() {
            open.text.push_str(text);
        }
        Ok(())
    }

    fn after_end_element(&mut self, _: &EndElementInfo, _: usize) -> Result<(), Self::Error> {
        if let Some(closed) = self.open.pop() {
            match self.open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None => self.root = Some(closed),
            }
        }
        Ok(())
    }

    fn on_element_end_offset(&mut self, end: usize) -> Result<(), Self::Error> {
        let closed = match self.open.last_mut() {
            Some(parent) => parent.children.last_mut(),
            None => self.root.as_mut(),
        };
        if let Some(closed) = closed {
            closed.span.1 = end;
        }
        Ok(())
    }
}

/// The declarations in force inside an element that has these of its own.
fn within(outer: Rc<Vec<Binding>>, own: &[(&str, &str)]) -> Result<Rc<Vec<Binding>>, &'static str> {
    if own.is_empty() {
        return Ok(outer);
    }
    if outer.len().saturating_add(own.len()) > BINDINGS_MAX {
        return Err("more namespaces than any message has");
    }
    let own = own.iter().map(|(prefix, space)| (Rc::from(*prefix), Rc::from(*space)));
    Ok(Rc::new(outer.iter().cloned().chain(own).collect()))
}

/// Something that is wrong with schemas.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct BrokenSchema {
    /// The file.
    pub file: String,
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

/// Schemas by their path.
pub(super) type Sources = BTreeMap<String, String>;

/// Gives the validator what it imports: files that were read before, and nothing else.
#[derive(Debug)]
struct Library(Sources);

impl SchemaLoader for Library {
    fn load(&self, location: &str) -> SchemaResult<String> {
        if location.starts_with("embedded:") {
            return EmbeddedLoader::new().load(location);
        }
        let path = path_of(location);
        self.0.get(path).cloned().ok_or_else(|| SchemaError::ResolutionError {
            message: format!("{path} is not among the schemas that were given"),
        })
    }

    fn can_load(&self, _location: &str) -> bool {
        true
    }
}

/// The file's own path; the marks that tell two schemas in one file apart are left out.
fn path_of(location: &str) -> &str {
    let path = location.strip_prefix(PLACE).unwrap_or(location);
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// Schemas that refer to each other.
pub(super) struct Set {
    set: SchemaSet,
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Set")
    }
}

impl Set {
    /// Compiles `roots`, each a path and a text, with what they import from `library`.
    ///
    /// # Errors
    /// One of them is no schema, or imports what is not there.
    pub fn compile(roots: &[(String, String)], library: &Sources) -> Result<Self, BrokenSchema> {
        let config = ResolverConfig { max_depth: IMPORTS_DEEP_MAX, ..ResolverConfig::default() };
        let loader = Box::new(Library(library.clone()));
        let mut resolver = SchemaResolver::with_config_and_loader(config, loader);
        resolver.catalog_mut().add_xml_catalog();
        let mut builder = SchemaSetBuilder::with_resolver(resolver, XsdVersion::V1_0);
        let first = roots.first().map(|(path, _)| path_of(path)).unwrap_or_default();
        let broken = |path: &str, error: &SchemaError| broken(path, error);
        for (path, text) in roots {
            let place = format!("{PLACE}{path}");
            builder = builder.add_source(text, &place).map_err(|error| broken(path, &error))?;
        }
        let compiled = builder.compile().map_err(|error| broken(first, &error))?;
        let missing = compiled.directive_failures().iter().find(|one| !one.namespace_supplied());
        if let Some(missing) = missing {
            let place = missing.location();
            return Err(BrokenSchema {
                file: place.map_or(first, |place| path_of(&place.base_uri)).to_owned(),
                line: place.map(|place| place.line),
                what: format!(
                    "it imports {}, which is not there; a schema is taken only from the same \
                     directory or below it, never from the network",
                    missing
                        .schema_location()
                        .or_else(|| missing.namespace())
                        .unwrap_or("something")
                ),
            });
        }
        let set = Self { set: compiled.into_schema_set() };
        set.dangling(first).map_or(Ok(set), Err)
    }

    /// An element or a list whose type is not there: the standard lets it be until it is used.
    fn dangling(&self, first: &str) -> Option<BrokenSchema> {
        let arenas = &self.set.arenas;
        let elements = arenas.elements.values().filter_map(|one| one.deferred_type_error.as_ref());
        let lists =
            arenas.simple_types.values().filter_map(|one| one.deferred_item_type_error.as_ref());
        let error = elements.chain(lists).next()?;
        let place = error.source.as_ref().and_then(|source| self.set.source_maps.locate(source));
        Some(BrokenSchema {
            file: place.as_ref().map_or(first, |place| path_of(&place.base_uri)).to_owned(),
            line: place.as_ref().map(|place| place.line),
            what: error.message.replace(PLACE, ""),
        })
    }

    /// Whether it says what an element of that name is.
    pub fn declares(&self, node: &Node) -> bool {
        let names = &self.set.name_table;
        let space = (!node.space.is_empty()).then(|| names.add(&node.space));
        self.set.lookup_element(space, names.add(&node.name)).is_some()
    }

    /// Everything that is wrong with an element, in the order in which it is read.
    pub fn faults(&self, node: &Node) -> Vec<Wrong> {
        let validator = SchemaValidator::new(&self.set, ValidationFlags::empty());
        let heard = Rc::new(RefCell::new(Vec::new()));
        let runtime = validator.start_run(Ear(Rc::clone(&heard)));
        let mut walk = Walk { set: &self.set, runtime, heard, wrong: Vec::new() };
        let context = walk.context(&NamespaceContextSnapshot::default(), &node.bindings);
        walk.element(node, &node.name, &context, &mut false);
        walk.wrong.truncate(FAULTS_MAX);
        walk.wrong
    }
}

/// Where the validator says that something is wrong.
fn broken(path: &str, error: &SchemaError) -> BrokenSchema {
    let (place, what) = match error {
        SchemaError::XmlError { message, location }
        | SchemaError::NamespaceError { message, location }
        | SchemaError::FeatureError { message, location }
        | SchemaError::LimitExceeded { message, location, .. } => (location, message.clone()),
        SchemaError::StructuralError { message, constraint, location } => {
            (location, format!("{message} ({constraint})"))
        }
        SchemaError::ResolutionError { .. }
        | SchemaError::IoError(_)
        | SchemaError::Internal(_) => (&None, error.to_string()),
        _ => (&None, error.to_string()),
    };
    let place = place.as_ref();
    BrokenSchema {
        file: place.map_or_else(|| path_of(path), |place| path_of(&place.base_uri)).to_owned(),
        line: place.map(|place| place.line),
        what: what.replace(PLACE, ""),
    }
}

/// Something that is wrong with an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The line of the file.
    pub line: usize,
    /// The element, as a path of names.
    pub element: String,
    /// What was found; of a value only its kind and length.
    pub found: String,
    /// What the schema expects.
    pub expected: String,
}

struct Ear(Rc<RefCell<Vec<ValidationError>>>);

impl ValidationSink for Ear {
    fn on_error(&mut self, error: ValidationError) {
        self.0.borrow_mut().push(error);
    }
    fn on_warning(&mut self, _warning: ValidationWarning) {}
}

/// A walk through an element and what is in it.
struct Walk<'s> {
    set: &'s SchemaSet,
    runtime: ValidationRuntime<'s, Ear>,
    heard: Rc<RefCell<Vec<ValidationError>>>,
    wrong: Vec<Wrong>,
}

impl Walk<'_> {
    /// Bounded by [`DEPTH_MAX`], which [`read`] keeps to.
    ///
    /// `context` is the namespaces in force in it, and `lost` whether the order of the element
    /// round it is broken already: what else does not fit there follows from that.
    fn element(
        &mut self,
        node: &Node,
        path: &str,
        context: &NamespaceContextSnapshot,
        lost: &mut bool,
    ) {
        let expected = self.expected();
        self.runtime.validate_element_novalue(
            &node.name,
            &node.space,
            node.instance_attribute("type"),
            node.instance_attribute("nil"),
            context,
        );
        self.in_order(lost);
        self.note(node, path, |error| begun(error, node, &expected));
        for one in &node.attributes {
            let _info: SchemaInfo =
                self.runtime.validate_attribute(&one.name, &one.space, &one.value);
            self.note(node, path, |_| {
                (format!("the attribute {}", one.name), "no such attribute or value".to_owned())
            });
        }
        self.runtime.validate_end_of_attributes_novalue();
        self.note(node, path, |_| ("no such attribute".into(), "an attribute it must have".into()));
        self.text(node, path);
        let mut lost = false;
        for (nth, child) in node.children.iter().enumerate() {
            let step = child.step(node.children.get(..nth).unwrap_or_default());
            let path = format!("{path}/{step}");
            match own(child) {
                [] => self.element(child, &path, context, &mut lost),
                own => self.element(child, &path, &self.context(context, own), &mut lost),
            }
        }
        let expected = self.expected();
        let _validity = self.runtime.validate_end_element_novalue();
        self.in_order(&mut lost);
        self.note(node, path, |error| ended(error, node, &expected));
    }

    /// Lets the first break of an order stand, and no other.
    fn in_order(&self, lost: &mut bool) {
        self.heard.borrow_mut().retain(|error| {
            let breaks = error.constraint.starts_with(ORDER);
            let follows = *lost && (breaks || error.constraint == UNDECLARED);
            *lost |= breaks;
            !follows
        });
    }

    fn text(&mut self, node: &Node, path: &str) {
        if node.text.trim().is_empty() {
            self.runtime.validate_whitespace(&node.text);
        } else {
            self.runtime.validate_text(&node.text);
        }
        self.note(node, path, |_| ("text".to_owned(), "elements only, or nothing".to_owned()));
    }

    /// Puts what the validator has just said into words, once per element: what follows from one
    /// fault is no second.
    fn note(
        &mut self,
        node: &Node,
        path: &str,
        words: impl FnOnce(&ValidationError) -> (String, String),
    ) {
        let errors: Vec<ValidationError> = self.heard.borrow_mut().drain(..).collect();
        let Some(error) = errors.first() else { return };
        let (found, expected) = words(error);
        let element = path.to_owned();
        self.wrong.push(Wrong { line: node.line, element, found, expected });
    }

    /// What may come next, by name.
    fn expected(&self) -> Vec<String> {
        let names = &self.set.name_table;
        let expected = self.runtime.get_expected_elements();
        expected.iter().map(|one| names.resolve(one.local_name)).collect()
    }

    /// The namespaces inside an element: those round it, and its own.
    fn context(
        &self,
        outer: &NamespaceContextSnapshot,
        bindings: &[Binding],
    ) -> NamespaceContextSnapshot {
        let names = &self.set.name_table;
        let mut context = outer.clone();
        for (prefix, space) in bindings {
            if prefix.is_empty() {
                context.default_ns = (!space.is_empty()).then(|| names.add(space));
            } else {
                let prefix = names.add(prefix);
                context.bindings.retain(|(bound, _)| *bound != prefix);
                context.bindings.push((prefix, names.add(space)));
            }
        }
        context
    }
}

/// The namespace declarations that stand on an element itself.
fn own(node: &Node) -> &[Binding] {
    let outer = node.bindings.len().saturating_sub(node.own_bindings);
    node.bindings.get(outer..).unwrap_or_default()
}

/// What is wrong where an element begins.
fn begun(error: &ValidationError, node: &Node, expected: &[String]) -> (String, String) {
    let name = format!("{} in {}", node.name, space(&node.space));
    match error.constraint {
        UNDECLARED => (name, "an element that the schema declares".to_owned()),
        "cvc-elt.3.1" | "cvc-elt.3.2.1" | "cvc-elt.3.2.2" => {
            ("nil".to_owned(), "a value: it may not be nil".to_owned())
        }
        _ if expected.is_empty() => (name, "no element here".to_owned()),
        _ => (name, one_of(expected)),
    }
}

/// What is wrong where an element ends.
fn ended(error: &ValidationError, node: &Node, expected: &[String]) -> (String, String) {
    if error.constraint.starts_with(ORDER) {
        return ("its end".to_owned(), one_of(expected));
    }
    let length = node.text.chars().count();
    let found = match length {
        0 => "nothing".to_owned(),
        1 => "a text of 1 character".to_owned(),
        length => format!("a text of {length} characters"),
    };
    (found, wanted(&error.message, &node.text))
}

/// What a value should be, from the validator's own words.
fn wanted(message: &str, value: &str) -> String {
    let between = |from: &str, to: &str| {
        let rest = message.split_once(from)?.1;
        Some(rest.split_once(to).map_or(rest, |(word, _)| word).to_owned())
    };
    if let Some(kind) = between("Invalid ", " value '") {
        let kind = if kind == "integer" { "whole number".to_owned() } else { kind };
        return format!("a value of the kind: {kind}");
    }
    if let Some(most) = between("exceeds maximum ", " ") {
        return format!("at most {most} characters");
    }
    if let Some(least) =
        between("is less than minimum ", " ").filter(|_| message.contains("Length"))
    {
        return format!("at least {least} characters");
    }
    if let Some(pattern) = between("does not match pattern '", "'") {
        return format!("a text of the form {pattern}");
    }
    if message.contains("is not in the allowed set") {
        return "one of the words that the schema lists".to_owned();
    }
    without_value(message, value)
}

/// The validator's own words about a value, without the value.
fn without_value(message: &str, value: &str) -> String {
    let value = value.trim();
    // Two letters are no secret, and stand in any word.
    let is_short = value.chars().count() <= 2;
    let shown = if is_short { message.to_owned() } else { message.replace(value, "…") };
    shown.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

fn space(space: &str) -> String {
    if space.is_empty() {
        return "no namespace".to_owned();
    }
    space.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
}

fn one_of(names: &[String]) -> String {
    match names {
        [] => "no element here".to_owned(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} or {}", rest.join(" or ")),
    }
}
