//! The interface definitions in `wsdl/`, built into the program.

use super::xml;

/// `wsdl/result.wsdl`: it declares its two elements itself, so that a client needs no other file.
pub const RESULT: &str = include_str!("../../wsdl/result.wsdl");
/// `wsdl/request.wsdl`, which names the schemas of what it says by their files.
pub const REQUEST: &str = include_str!("../../wsdl/request.wsdl");
/// `wsdl/c2b.wsdl`, which names the schema of what it says by its file.
pub const C2B: &str = include_str!("../../wsdl/c2b.wsdl");

/// Every schema by its file name; they import each other by these names, `messages.xsd` all of
/// them.
pub const SCHEMAS: [(&str, &str); 9] = [
    ("messages.xsd", include_str!("../../wsdl/messages.xsd")),
    ("soap-envelope.xsd", include_str!("../../wsdl/soap-envelope.xsd")),
    ("header-a.xsd", include_str!("../../wsdl/header-a.xsd")),
    ("header-b.xsd", include_str!("../../wsdl/header-b.xsd")),
    ("request.xsd", include_str!("../../wsdl/request.xsd")),
    ("response.xsd", include_str!("../../wsdl/response.xsd")),
    ("result.xsd", include_str!("../../wsdl/result.xsd")),
    ("timeout.xsd", include_str!("../../wsdl/timeout.xsd")),
    ("c2b.xsd", include_str!("../../wsdl/c2b.xsd")),
];

/// The WSDL of our result interface, with the address at which it is reached.
pub fn result_wsdl(address: &str) -> String {
    addressed(RESULT.to_owned(), address)
}

/// The WSDL of our interface for money in, with the address at which it is reached. It needs no
/// other file.
pub fn c2b_wsdl(address: &str) -> String {
    addressed(with_schemas(C2B, &["c2b.xsd"]), address)
}

/// The WSDL of the broker's interface, with the address at which it is reached. Its header is in
/// namespace variant B, as in the interface's own definition (spec/soap.md §1.2). It needs no other
/// file.
pub fn request_wsdl(address: &str) -> String {
    addressed(with_schemas(REQUEST, &["request.xsd", "header-b.xsd"]), address)
}

/// Whether the query of a URI asks for the interface's definition: `?wsdl`, in any case.
pub fn is_asked_for(query: Option<&str>) -> bool {
    let mut words = query.unwrap_or_default().split('&');
    words.any(|word| word.trim_end_matches('=').eq_ignore_ascii_case("wsdl"))
}

/// The definition with these schemas themselves in place of their files' names: a program that
/// loads it from one address has no other address to find them at.
fn with_schemas(definition: &str, names: &[&str]) -> String {
    const OPENS: &str = "<wsdl:types>";
    const CLOSES: &str = "</wsdl:types>";
    let parts = definition.split_once(OPENS).and_then(|(before, rest)| {
        let (_named, after) = rest.split_once(CLOSES)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        return definition.to_owned();
    };
    let schemas: String = names.iter().filter_map(|name| schema(name)).collect();
    [before, OPENS, &schemas, CLOSES, after].concat()
}

/// A schema without its prolog, so that it can stand inside another document.
fn schema(name: &str) -> Option<&'static str> {
    let (_name, text) = SCHEMAS.iter().find(|(known, _text)| *known == name)?;
    text.split_once("?>").map(|(_prolog, schema)| schema)
}

/// The definition with this address in place of the one that stands in its file.
fn addressed(definition: String, address: &str) -> String {
    const OPENS: &str = "<soap:address location=\"";
    let Some((before, rest)) = definition.split_once(OPENS) else {
        return definition;
    };
    let Some((_placeholder, after)) = rest.split_once('"') else {
        return definition;
    };
    let mut out = String::with_capacity(definition.len().saturating_add(address.len()));
    out.push_str(before);
    out.push_str(OPENS);
    xml::push_attribute(&mut out, address);
    out.push('"');
    out.push_str(after);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_served_wsdl_holds_its_address_and_needs_no_other_file() {
        let address = "http://10.0.0.5:8090/cb/00ff/b2c/result?a=\"1\"&b=<2>";
        for (text, schemas) in
            [(result_wsdl(address), 2), (c2b_wsdl(address), 1), (request_wsdl(address), 2)]
        {
            let root = xml::parse(&text).expect("well-formed");
            let at = root
                .descend(&["service", "port", "address"])
                .and_then(|element| element.attribute("location"));
            assert_eq!(at, Some(address));
            assert!(!text.contains("schemaLocation"), "{text}");
            let types = root.child("types").expect("types");
            assert_eq!(types.children_named("schema").count(), schemas, "{text}");
        }
    }

    #[test]
    fn it_is_asked_for_in_any_case() {
        for query in ["wsdl", "WSDL", "wsdl=", "a=b&wsdl"] {
            assert!(is_asked_for(Some(query)), "{query}");
        }
        for query in [None, Some(""), Some("xsd"), Some("wsdl2")] {
            assert!(!is_asked_for(query), "{query:?}");
        }
    }
}
