//! SOAP 1.1 Faults: none is documented for these interfaces, so one that comes is doubt
//! (spec/soap.md §4.2), and one that we send says that a message was not kept.

use super::envelope::Unreadable;
use super::xml::{self, Element};

/// The longest `faultstring` that is kept, in characters.
const STRING_MAX: usize = 200;

/// The fault code for a message that cannot be understood: sending it again will not help.
pub const CLIENT: &str = "soapenv:Client";
/// The fault code for a message that could not be kept: sending it again may help.
pub const SERVER: &str = "soapenv:Server";

/// What a `Fault` element says.
pub fn read(fault: &Element<'_>) -> Unreadable {
    // SOAP 1.2 has Code/Value and Reason/Text instead.
    let value = |old: &str, new: &[&str]| -> String {
        let text = fault
            .value_of(old)
            .or_else(|| fault.descend(new).map(Element::value))
            .unwrap_or_default();
        text.chars().filter(|c| !c.is_control()).take(STRING_MAX).collect()
    };
    Unreadable::Fault {
        code: value("faultcode", &["Code", "Value"]),
        string: value("faultstring", &["Reason", "Text"]),
    }
}

/// A Fault to answer with. `code` is [`CLIENT`] or [`SERVER`].
pub fn fault(code: &str, string: &str) -> Vec<u8> {
    let mut out = String::from(concat!(
        r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">"#,
        "<soapenv:Header/><soapenv:Body><soapenv:Fault><faultcode>",
    ));
    xml::push_text(&mut out, code);
    out.push_str("</faultcode><faultstring>");
    xml::push_text(&mut out, string);
    out.push_str("</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>");
    out.into_bytes()
}
