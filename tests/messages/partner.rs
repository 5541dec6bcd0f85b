//! A directory of the partner's own WSDL and XSD files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mlango::domain::id::{OriginatorConversationId, PayoutId};
use mlango::engine::port::{Prepared, Rail as _};
use mlango::rail::renewable::Renewable;
use mlango::rail::soap::{Limits, SoapRail};
use mlango::rail::transport::{Deadlines, Origin};
use mlango::schema::{Gatekeeper, Schemas, Verdict};
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::Caller;

use super::corpus::{enveloped, place};

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(path, text).expect("writes");
    }
    dir
}

#[test]
fn our_own_directory_says_what_is_built_in() {
    let schemas = Schemas::from_dir(&place("wsdl")).expect("our own files");
    for (name, text) in enveloped() {
        let checked = schemas.check(text.as_bytes());
        assert_eq!(checked.verdict, Verdict::ToSchema, "{name}: {checked:?}");
    }
}

/// A WSDL with two schemas of its own; the second imports the first without a place, and a file.
const WSDL: &str = r#"<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:x="http://www.w3.org/2001/XMLSchema"
    xmlns:m="http://api-v1.gen.mm.vodafone.com/mminterface/result" xmlns:t="urn:partner:types">
  <w:types>
    <x:schema targetNamespace="urn:partner:types">
      <x:simpleType name="Code"><x:restriction base="x:string">
        <x:pattern value="[0-9]{1,3}"/></x:restriction></x:simpleType>
    </x:schema>
    <x:schema targetNamespace="http://api-v1.gen.mm.vodafone.com/mminterface/result"
        elementFormDefault="qualified">
      <x:import namespace="urn:partner:types"/>
      <x:import namespace="urn:partner:pairs" schemaLocation="sub/pairs.xsd"/>
      <x:element name="ResultMsg" type="x:string"/>
      <x:element name="result"><x:complexType><x:sequence>
        <x:element name="ResultCode" type="t:Code"/>
        <x:any namespace="urn:partner:pairs" processContents="strict" minOccurs="0"/>
      </x:sequence></x:complexType></x:element>
    </x:schema>
  </w:types>
</w:definitions>
"#;
const PAIRS: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:partner:pairs">
  <xs:element name="Amount" type="xs:decimal"/>
</xs:schema>
"#;

fn result(inside: &str) -> String {
    let space = "http://api-v1.gen.mm.vodafone.com/mminterface/result";
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>
<r:ResultMsg xmlns:r=\"{space}\"><![CDATA[<result xmlns=\"{space}\">
{inside}</result>]]></r:ResultMsg></s:Body></s:Envelope>"
    )
}

#[test]
fn schemas_inside_a_wsdl_and_beside_it_count() {
    let dir = written(&[("broker.wsdl", WSDL), ("sub/pairs.xsd", PAIRS)]);
    let schemas = Schemas::from_dir(dir.path()).expect("schemas");
    let amount = "<p:Amount xmlns:p=\"urn:partner:pairs\">1.5</p:Amount>";
    let table = [
        ("<ResultCode>0</ResultCode>".to_owned(), Verdict::ToSchema),
        (format!("<ResultCode>17</ResultCode>{amount}"), Verdict::ToSchema),
        ("<ResultCode>2001</ResultCode>".to_owned(), Verdict::NotToSchema),
        (
            format!("<ResultCode>17</ResultCode>{}", amount.replace("1.5", "much")),
            Verdict::NotToSchema,
        ),
        ("<ResultCode>0</ResultCode><ResultDesc/>".to_owned(), Verdict::NotToSchema),
    ];
    for (inside, verdict) in table {
        let checked = schemas.check(result(&inside).as_bytes());
        assert_eq!(checked.verdict, verdict, "{inside}: {checked:?}");
    }
    let bundled = Schemas::bundled().expect("our own schemas");
    let code = result("<ResultCode>2001</ResultCode>");
    assert_eq!(bundled.check(code.as_bytes()).verdict, Verdict::ToSchema);
}

fn refused(files: &[(&str, &str)]) -> String {
    let dir = written(files);
    Schemas::from_dir(dir.path()).expect_err("broken schemas").to_string()
}

#[test]
fn a_broken_schema_is_named_with_its_line() {
    let begin = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\n";
    let said = refused(&[(
        "a.xsd",
        &format!("{begin}<xs:element name=\"a\" type=\"Gone\"/></xs:schema>"),
    )]);
    assert!(said.starts_with("a.xsd:2: ") && said.contains("Gone"), "{said}");
    let said = refused(&[("a.xsd", &format!("{begin}<xs:elephant/></xs:schema>"))]);
    assert!(said.starts_with("a.xsd:2: ") && said.contains("elephant"), "{said}");
    let said = refused(&[("b.xsd", &format!("{begin}<xs:element"))]);
    assert!(said.starts_with("b.xsd:"), "{said}");
    let broken = WSDL.replace("t:Code", "t:Gone");
    let said = refused(&[("broker.wsdl", &broken), ("sub/pairs.xsd", PAIRS)]);
    assert!(said.starts_with("broker.wsdl:15: "), "{said}");
    let said = refused(&[("broker.wsdl", "<definitions/>")]);
    assert!(said.contains("broker.wsdl:1: it is no WSDL 1.1"), "{said}");
}

#[test]
fn nothing_is_taken_from_the_network_or_from_outside() {
    let outside = written(&[("pairs.xsd", PAIRS), ("in/none", "")]);
    let places =
        ["http://127.0.0.1:9/pairs.xsd", "../pairs.xsd", "/etc/hostname", "file:///etc/hostname"];
    for schema_location in places {
        let wsdl = WSDL.replace("sub/pairs.xsd", schema_location);
        fs::write(outside.path().join("in/broker.wsdl"), wsdl).expect("writes");
        let said =
            Schemas::from_dir(&outside.path().join("in")).expect_err("not there").to_string();
        assert!(said.starts_with("broker.wsdl:12: it imports "), "{said}");
        assert!(said.contains("never from the network"), "{said}");
    }
    let empty = tempfile::tempdir().expect("a directory");
    let said = Schemas::from_dir(empty.path()).expect_err("empty").to_string();
    assert!(said.contains("it holds no .xsd"), "{said}");
    let said = Schemas::from_dir(Path::new("no/such/place")).expect_err("none").to_string();
    assert!(said.starts_with("no/such/place: "), "{said}");
}

#[test]
fn the_way_to_the_broker_objects_to_what_is_not_to_the_schema() {
    let schemas = Schemas::from_dir(&place("wsdl")).expect("our own files");
    let keeper = Arc::new(Gatekeeper::new(schemas));
    let second = Duration::from_secs(1);
    let limits = Limits {
        deadlines: Deadlines { connect: second, send: second, answer: second },
        max_per_second: 1,
        max_in_flight: 1,
    };
    let caller = Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "600999".to_owned(),
        initiator: "example-operator".to_owned(),
        security_credential: "Q1JFREVOVElBTA==".to_owned(),
        result_url: "https://gw.example.org/cb/00ff/b2c/result".to_owned(),
        queue_timeout_url: "https://gw.example.org/cb/00ff/b2c/timeout".to_owned(),
    };
    let origin = Origin::plain("127.0.0.1".to_owned(), 9);
    let rail = SoapRail::new(origin, caller.clone(), limits);
    let prepared = |wire: String| Prepared {
        name: OriginatorConversationId::of(PayoutId::from_bytes([1; 16]), "600999", "ExampleOrg"),
        wire: wire.into_bytes(),
        kept: Vec::new(),
    };
    let good = fs::read_to_string(place("tests/golden/request-a.xml")).expect("a message");
    let bad = good.replace("<KeyOwner>1</KeyOwner>", "");
    assert_ne!(good, bad);
    // Without schemas nothing is looked at; behind what renews it, it objects as itself.
    let unchecked = Renewable::new(rail.clone());
    assert_eq!(unchecked.objection(&prepared(bad.clone())), None);
    let renewed = rail.checked_by(Some(keeper)).renewed(caller);
    let checked = Renewable::new(renewed);
    assert_eq!(checked.objection(&prepared(good)), None);
    let objection = checked.objection(&prepared(bad)).expect("an objection");
    assert_eq!(objection, "request: found its end; expected KeyOwner");
}
