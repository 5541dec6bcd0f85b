//! `RequestSOAPHeader`: who we are to the broker (spec/soap.md §2).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::schema::{self, Value};
use super::xml::Element;

/// The header's namespace: two are in use, and the broker takes both (spec/soap.md §1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namespace {
    /// The later documents' and most production code's.
    #[default]
    A,
    /// The WSDL's.
    B,
}

impl Namespace {
    /// The URI.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::A => "http://www.huawei.com/schema/osg/common/v2_1",
            Self::B => "http://www.huawei.com.cn/schema/common/v2_1",
        }
    }
}

impl FromStr for Namespace {
    type Err = NotALetter;

    fn from_str(text: &str) -> Result<Self, NotALetter> {
        match text {
            "a" | "A" => Ok(Self::A),
            "b" | "B" => Ok(Self::B),
            _ => Err(NotALetter),
        }
    }
}

/// A text that names no header namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a or b (spec/soap.md §1.1)")]
pub struct NotALetter;

/// The case of the hexadecimal digits inside spPassword (spec/soap.md §2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HexCase {
    /// As in the official samples.
    #[default]
    Upper,
    /// As in much production code.
    Lower,
}

impl FromStr for HexCase {
    type Err = NotACase;

    fn from_str(text: &str) -> Result<Self, NotACase> {
        match text {
            "upper" => Ok(Self::Upper),
            "lower" => Ok(Self::Lower),
            _ => Err(NotACase),
        }
    }
}

/// A text that names no case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be upper or lower (spec/soap.md §2.1)")]
pub struct NotACase;

/// BASE64(HEX(SHA-256(spId ‖ password ‖ timeStamp))) (spec/soap.md §2.1).
///
/// `time_stamp` must be the very string that goes into the header: the broker hashes what it is
/// sent (§2.2).
pub fn sp_password(sp_id: &str, password: &str, time_stamp: &str, case: HexCase) -> String {
    let mut hash = Sha256::new();
    hash.update(sp_id);
    hash.update(password);
    hash.update(time_stamp);
    let digits = match case {
        HexCase::Upper => b"0123456789ABCDEF",
        HexCase::Lower => b"0123456789abcdef",
    };
    let mut hex = Vec::with_capacity(64);
    for byte in hash.finalize() {
        for half in [byte >> 4, byte & 15] {
            hex.push(digits.get(usize::from(half)).copied().unwrap_or(b'0'));
        }
    }
    STANDARD.encode(hex)
}

/// The header's values. `Debug` hides spPassword: it can be replayed (spec/soap.md §10, 16).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SpHeader {
    /// `spId`.
    pub sp_id: String,
    /// `spPassword`; absent where the address alone authenticates (§2).
    pub sp_password: Option<String>,
    /// `serviceId`.
    pub service_id: Option<String>,
    /// `timeStamp`, `yyyyMMddHHmmss`.
    pub time_stamp: Option<String>,
}

impl fmt::Debug for SpHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpHeader")
            .field("sp_id", &self.sp_id)
            .field("service_id", &self.service_id)
            .field("time_stamp", &self.time_stamp)
            .finish_non_exhaustive()
    }
}

impl SpHeader {
    /// The header's XML, in schema order (spec/soap.md §2).
    pub fn render(&self, namespace: Namespace) -> String {
        let mut values = vec![("spId", Value::Text(&self.sp_id))];
        let optional = [
            ("spPassword", &self.sp_password),
            ("serviceId", &self.service_id),
            ("timeStamp", &self.time_stamp),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                values.push((name, Value::Text(value)));
            }
        }
        let mut out = String::with_capacity(512);
        let open = (Some("tns"), namespace.uri());
        schema::write_root(&mut out, open, &schema::HEADER, &Value::Group(values));
        out
    }

    /// Reads a SOAP `Header` that holds one, in any order and any namespace.
    pub fn find(header: &Element<'_>) -> Option<Self> {
        let element = header.child("RequestSOAPHeader")?;
        let value = |name: &str| element.value_of(name).map(ToOwned::to_owned);
        Some(Self {
            sp_id: value("spId").unwrap_or_default(),
            sp_password: value("spPassword"),
            service_id: value("serviceId"),
            time_stamp: value("timeStamp"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::xml;

    #[test]
    fn sp_password_reproduces_the_known_vectors() {
        let table = [
            (
                ("601399", "spPassword", "20130702212854"),
                "Qzc1QkQyQjFGNkEyRDcwQ0RFRkNFMEMxQUZGRkFDRjA5\
                 MzE4MTMxQzlCRjI2Nzc5NUJBNzRDNEQ4NEJBRjRBMA==",
                "Yzc1YmQyYjFmNmEyZDcwY2RlZmNlMGMxYWZmZmFjZjA5\
                 MzE4MTMxYzliZjI2Nzc5NWJhNzRjNGQ4NGJhZjRhMA==",
            ),
            (
                ("100001", "Example-Secret-1", "20240102030405"),
                "NUI5NDE5QTc3RUM4MTBCQkZERDZCQzIzOTIzRTIwM0VE\
                 QUM2Rjc0Mzc3RkE2MjRCN0UyMUU1NTNDQzAwNzhENg==",
                "NWI5NDE5YTc3ZWM4MTBiYmZkZDZiYzIzOTIzZTIwM2Vk\
                 YWM2Zjc0Mzc3ZmE2MjRiN2UyMWU1NTNjYzAwNzhkNg==",
            ),
        ];
        for ((sp_id, password, time), upper, lower) in table {
            assert_eq!(sp_password(sp_id, password, time, HexCase::Upper), upper);
            assert_eq!(sp_password(sp_id, password, time, HexCase::Lower), lower);
        }
    }

    fn header() -> SpHeader {
        SpHeader {
            sp_id: "100001".to_owned(),
            sp_password: Some("c2VjcmV0".to_owned()),
            service_id: Some("100001000".to_owned()),
            time_stamp: Some("20240102030405".to_owned()),
        }
    }

    #[test]
    fn a_header_reads_back_in_both_namespaces() {
        for namespace in [Namespace::A, Namespace::B] {
            let text = header().render(namespace);
            let wrapped = format!("<Header>{text}</Header>");
            let element = xml::parse(&wrapped).expect("well-formed");
            assert_eq!(SpHeader::find(&element), Some(header()));
            let inner = element.child("RequestSOAPHeader").expect("a header");
            assert_eq!(inner.namespace.as_deref(), Some(namespace.uri()));
        }
    }

    #[test]
    fn a_header_is_found_in_any_order_and_not_found_where_none_is() {
        let text = "<h><x:RequestSOAPHeader xmlns:x='u'><x:timeStamp>1</x:timeStamp><OA>2547</OA>\
                    <x:spId>7</x:spId></x:RequestSOAPHeader></h>";
        let element = xml::parse(text).expect("well-formed");
        let found = SpHeader::find(&element).expect("a header");
        assert_eq!(found.sp_id, "7");
        assert_eq!(found.time_stamp.as_deref(), Some("1"));
        assert_eq!(found.sp_password, None);
        assert_eq!(SpHeader::find(&xml::parse("<h/>").expect("xml")), None);
    }

    #[test]
    fn a_header_does_not_show_its_password() {
        assert!(!format!("{:?}", header()).contains("c2VjcmV0"));
    }
}
