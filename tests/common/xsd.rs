//! Reads the schemas in `wsdl/` and compares them with the tables in `soap::schema`.

use std::collections::BTreeMap;

use mlango::soap::schema::{self, Content, Shape, Space};
use mlango::soap::xml::{self, Element};

/// The schemas by file name, as trees that can be changed.
pub type Files = BTreeMap<&'static str, Element<'static>>;

/// Which tables stand for which global elements of which file.
pub const TABLES: [(&str, &Shape); 14] = [
    ("header-a.xsd", &schema::HEADER),
    ("header-b.xsd", &schema::HEADER),
    ("request.xsd", &schema::REQUEST_MSG),
    ("request.xsd", &schema::RESPONSE_MSG),
    ("request.xsd", &schema::REQUEST_DOCUMENT),
    ("response.xsd", &schema::RESPONSE_DOCUMENT),
    ("result.xsd", &schema::RESULT_MSG),
    ("result.xsd", &schema::RESULT_DOCUMENT),
    ("timeout.xsd", &schema::QUEUE_TIMEOUT),
    ("timeout.xsd", &schema::QUEUE_TIMEOUT_RESPONSE),
    ("c2b.xsd", &schema::C2B_VALIDATION),
    ("c2b.xsd", &schema::C2B_CONFIRMATION),
    ("c2b.xsd", &schema::C2B_VALIDATION_RESULT),
    ("c2b.xsd", &schema::C2B_CONFIRMATION_RESULT),
];

/// The files of `wsdl/` that the tables stand for.
pub fn read_files() -> Files {
    TABLES
        .iter()
        .map(|(file, _)| {
            let path = format!("{}/wsdl/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).expect("a schema");
            (*file, xml::parse(&text).expect("well-formed").into_owned())
        })
        .collect()
}

/// Every difference between the schemas and the tables, in words.
pub fn differences(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (file, shape) in TABLES {
        let root = &files[file];
        match global(root, "element", shape.name) {
            Some(element) => {
                let place = Place {
                    files,
                    file,
                    path: shape.name.to_owned(),
                    space: root.attribute("targetNamespace").map(ToOwned::to_owned),
                };
                compare(&place, element, shape, &mut found);
            }
            None => found.push(format!("{file}: {} is not declared", shape.name)),
        }
    }
    for (file, root) in files {
        for element in root.children_named("element") {
            let name = element.attribute("name").unwrap_or_default();
            if !TABLES.iter().any(|(f, shape)| f == file && shape.name == name) {
                found.push(format!("{file}: {name} is in no table"));
            }
        }
    }
    found
}

fn global<'e>(
    root: &'e Element<'static>,
    kind: &'e str,
    name: &'e str,
) -> Option<&'e Element<'static>> {
    root.children_named(kind).find(|child| child.attribute("name") == Some(name))
}

/// Where a comparison stands.
struct Place<'f> {
    files: &'f Files,
    file: &'static str,
    path: String,
    /// The namespace that the schema gives the element.
    space: Option<String>,
}

fn compare(place: &Place<'_>, element: &Element<'static>, shape: &Shape, found: &mut Vec<String>) {
    let path = &place.path;
    let space = place.space.as_deref();
    let agrees = match shape.space {
        Space::Inherit => true,
        Space::In(one) => space == Some(one),
        Space::Either(two) => space.is_some_and(|space| two.contains(&space)),
        Space::Without => space.is_none(),
    };
    if !agrees {
        found.push(format!("{path}: namespace {space:?}, not {:?}", shape.space));
    }
    let (file, content) = content(place, element);
    match (shape.content, content) {
        (Content::Text(max), Xsd::Text(xsd_max)) if max == xsd_max => {}
        (Content::Integer, Xsd::Integer) => {}
        (Content::Group(shapes), Xsd::Group(elements))
        | (Content::All(shapes), Xsd::All(elements)) => {
            compare_children(place, file, &elements, shapes, found);
        }
        (_, Xsd::Other(why)) => found.push(format!("{path}: {why}")),
        (table, xsd) => {
            found.push(format!("{path}: {table:?} in the table, {xsd:?} in the schema"))
        }
    }
}

fn compare_children(
    place: &Place<'_>,
    file: &'static str,
    elements: &[Element<'static>],
    shapes: &[Shape],
    found: &mut Vec<String>,
) {
    let path = &place.path;
    let name =
        |element: &Element<'static>| element.attribute("name").unwrap_or_default().to_owned();
    let in_schema: Vec<String> = elements.iter().map(name).collect();
    let in_table: Vec<&str> = shapes.iter().map(|shape| shape.name).collect();
    if in_schema != in_table {
        found.push(format!("{path}: {in_table:?} in the table, {in_schema:?} in the schema"));
        return;
    }
    let root = &place.files[file];
    let is_qualified = root.attribute("elementFormDefault") == Some("qualified");
    let space = root.attribute("targetNamespace").filter(|_| is_qualified).map(ToOwned::to_owned);
    for (element, shape) in elements.iter().zip(shapes) {
        let min = element.attribute("minOccurs").unwrap_or("1").to_owned();
        let max = element.attribute("maxOccurs").unwrap_or("1").to_owned();
        let wanted = (
            shape.min.to_string(),
            shape.max.map_or_else(|| "unbounded".to_owned(), |max| max.to_string()),
        );
        let below = format!("{path}/{}", shape.name);
        if (&min, &max) != (&wanted.0, &wanted.1) {
            found.push(format!("{below}: {wanted:?} in the table, {min}..{max} in the schema"));
        }
        if shape.space == Space::Inherit && space != place.space {
            found.push(format!("{below}: namespace {space:?}, its parent's is {:?}", place.space));
        }
        let place = Place { files: place.files, file, path: below, space: space.clone() };
        compare(&place, element, shape, found);
    }
}

/// What a schema says that an element holds.
#[derive(Debug)]
enum Xsd {
    Text(Option<usize>),
    Integer,
    Group(Vec<Element<'static>>),
    All(Vec<Element<'static>>),
    Other(String),
}

/// The content of an element and the file that declares it.
fn content(place: &Place<'_>, element: &Element<'static>) -> (&'static str, Xsd) {
    match element.attribute("type") {
        Some("xs:string") => (place.file, Xsd::Text(None)),
        Some("xs:integer") => (place.file, Xsd::Integer),
        Some(name) => {
            let (prefix, local) = name.split_once(':').unwrap_or(("", name));
            let file = match prefix {
                "req" => "request.xsd",
                "res" => "result.xsd",
                "c2b" => "c2b.xsd",
                _ => place.file,
            };
            match global(&place.files[file], "complexType", local) {
                Some(kind) => (file, complex(kind)),
                None => (file, Xsd::Other(format!("the unknown type {name}"))),
            }
        }
        None => match (element.child("complexType"), element.child("simpleType")) {
            (Some(kind), None) => (place.file, complex(kind)),
            (None, Some(kind)) => (place.file, simple(kind)),
            _ => (place.file, Xsd::Other("no type".to_owned())),
        },
    }
}

fn complex(kind: &Element<'static>) -> Xsd {
    match kind.children.as_slice() {
        [only] if only.name == "sequence" => Xsd::Group(only.children.clone()),
        [only] if only.name == "all" => Xsd::All(only.children.clone()),
        other => Xsd::Other(format!("{other:?}")),
    }
}

fn simple(kind: &Element<'static>) -> Xsd {
    let max = kind
        .descend(&["restriction", "maxLength"])
        .and_then(|facet| facet.attribute("value"))
        .and_then(|value| value.parse().ok());
    Xsd::Text(max)
}
