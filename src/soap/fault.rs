//! SOAP 1.1 Faults: none is documented for these interfaces, so one that comes is doubt
//! (spec/soap.md §4.2), and one that we send says that a message was not kept.

use super::envelope::Unreadable;
use super::xml::{self, Element};

/// The fault code for a message that cannot be understood: sending it again will not help.
pub const CLIENT: &str = "soapenv:Client";
/// The fault code for a message that could not be kept: sending it again may help.
pub const SERVER: &str = "soapenv:Server";

/// The fault codes that an error may name, of SOAP 1.1 and 1.2.
const CODES: [&str; 6] =
    ["Client", "Server", "VersionMismatch", "MustUnderstand", "Sender", "Receiver"];

/// What a `Fault` element says: its code, if that is one of SOAP's own. Its words stay in the
/// message, which is kept.
pub fn read(fault: &Element<'_>) -> Unreadable {
    // SOAP 1.2 has Code/Value instead.
    let code = fault
        .value_of("faultcode")
        .or_else(|| fault.descend(&["Code", "Value"]).map(Element::value))
        .unwrap_or_default();
    let local = code.rsplit(':').next().unwrap_or_default();
    let known = CODES.iter().find(|known| known.eq_ignore_ascii_case(local));
    Unreadable::Fault(known.copied().unwrap_or("another code"))
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
