//! The interface definitions in `wsdl/`, built into the program.

use super::xml;

/// The address that stands in `wsdl/result.wsdl` where ours belongs.
const PLACEHOLDER: &str = "http://127.0.0.1/b2c/result";

/// `wsdl/result.wsdl`: it declares its two elements itself, so that a client needs no other file.
pub const RESULT: &str = include_str!("../../wsdl/result.wsdl");

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
    let mut escaped = String::with_capacity(address.len());
    xml::push_attribute(&mut escaped, address);
    RESULT.replace(PLACEHOLDER, &escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_served_wsdl_holds_our_address_and_needs_no_other_file() {
        let address = "http://10.0.0.5:8090/cb/00ff/b2c/result?a=\"1\"&b=<2>";
        let text = result_wsdl(address);
        let root = xml::parse(&text).expect("well-formed");
        let at = root
            .descend(&["service", "port", "address"])
            .and_then(|element| element.attribute("location"));
        assert_eq!(at, Some(address));
        assert!(!text.contains("schemaLocation"));
        assert!(!text.contains(PLACEHOLDER));
    }
}
