//! The shape of every message as tables: names, order, cardinality, lengths, namespaces.
//!
//! They mirror `wsdl/*.xsd`, which is the source of truth; a test compares the two element by
//! element. Writing follows the tables ([`write_root`]), so that an order that changes here
//! changes on the wire; the simulator checks what it is sent against them ([`check`]).

use super::envelope::{REQUEST, RESPONSE, RESULT};
use super::xml::{self, Element};

/// The namespace of C2B messages (spec/soap.md §1.1).
pub const C2B: &str = "http://cps.huawei.com/cpsinterface/c2bpayment";
/// The namespace of queue timeouts (spec/soap.md §1.1).
pub const TIMEOUT: &str = "http://www.csapi.org/schema/timeoutnotification/data/v1_0/local";
/// The namespaces of the SOAP header, variants A and B (spec/soap.md §1.1).
pub const HEADERS: [&str; 2] =
    ["http://www.huawei.com/schema/osg/common/v2_1", "http://www.huawei.com.cn/schema/common/v2_1"];
/// The most faults that one check reports: the first few say it.
const FAULTS_MAX: usize = 20;

/// The namespace that an element must be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Its parent's.
    Inherit,
    /// This one.
    In(&'static str),
    /// One of these.
    Either([&'static str; 2]),
    /// None.
    Without,
}

/// What an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, of at most so many characters where the spec says so.
    Text(Option<usize>),
    /// A whole number.
    Integer,
    /// Elements in this order.
    Group(&'static [Shape]),
    /// Elements in any order.
    All(&'static [Shape]),
}

/// An element as the schema wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Local name.
    pub name: &'static str,
    /// How often at least.
    pub min: u32,
    /// How often at most; `None` is any number.
    pub max: Option<u32>,
    /// Its namespace.
    pub space: Space,
    /// What it holds.
    pub content: Content,
}

impl Shape {
    const fn one(name: &'static str, content: Content) -> Self {
        Self { name, min: 1, max: Some(1), space: Space::Inherit, content }
    }

    const fn times(mut self, min: u32, max: Option<u32>) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    const fn within(mut self, space: Space) -> Self {
        self.space = space;
        self
    }
}

const fn text(name: &'static str) -> Shape {
    Shape::one(name, Content::Text(None))
}

const fn text_to(name: &'static str, max: usize) -> Shape {
    Shape::one(name, Content::Text(Some(max)))
}

const fn integer(name: &'static str) -> Shape {
    Shape::one(name, Content::Integer)
}

const fn group(name: &'static str, children: &'static [Shape]) -> Shape {
    Shape::one(name, Content::Group(children))
}

const fn optional(shape: Shape) -> Shape {
    shape.times(0, Some(1))
}

const fn many(shape: Shape) -> Shape {
    shape.times(1, None)
}

const fn any_number(shape: Shape) -> Shape {
    shape.times(0, None)
}

const fn unqualified(shape: Shape) -> Shape {
    shape.within(Space::Without)
}

const KEY_VALUE: &[Shape] = &[text("Key"), text("Value")];

const PARTY: &[Shape] =
    &[integer("IdentifierType"), text("Identifier"), optional(text("ShortCode"))];

/// `RequestSOAPHeader` (spec/soap.md §2).
pub const HEADER: Shape = group(
    "RequestSOAPHeader",
    &[
        text("spId"),
        optional(text("spPassword")),
        optional(text("serviceId")),
        optional(text("timeStamp")),
    ],
)
.within(Space::Either(HEADERS));

/// `RequestMsg`, whose text is the request (spec/soap.md §1.2).
pub const REQUEST_MSG: Shape = text("RequestMsg").within(Space::In(REQUEST));
/// `ResponseMsg`, whose text is the response (spec/soap.md §1.2, §5.5).
pub const RESPONSE_MSG: Shape = text("ResponseMsg").within(Space::In(REQUEST));
/// `ResultMsg`, whose text is the result (spec/soap.md §1.2).
pub const RESULT_MSG: Shape = text("ResultMsg").within(Space::In(RESULT));

/// The request document (spec/soap.md §3.1).
pub const REQUEST_DOCUMENT: Shape = group(
    "request",
    &[
        group(
            "Transaction",
            &[
                text_to("CommandID", 64),
                optional(text("LanguageCode")),
                text_to("OriginatorConversationID", 128),
                optional(text("ConversationID")),
                optional(text_to("Remark", 255)),
                optional(text("EncryptedParameters")),
                optional(group("Parameters", &[many(group("Parameter", KEY_VALUE))])),
                optional(group("ReferenceData", &[many(group("ReferenceItem", KEY_VALUE))])),
                text("Timestamp"),
            ],
        ),
        group(
            "Identity",
            &[
                group(
                    "Caller",
                    &[
                        integer("CallerType"),
                        text_to("ThirdPartyID", 20),
                        optional(text("Password")),
                        optional(text("CheckSum")),
                        optional(text("ResultURL")),
                    ],
                ),
                group(
                    "Initiator",
                    &[
                        integer("IdentifierType"),
                        text("Identifier"),
                        text("SecurityCredential"),
                        optional(text("ShortCode")),
                    ],
                ),
                optional(group("PrimaryParty", PARTY)),
                optional(group("ReceiverParty", PARTY)),
                optional(group("AccessDevice", &[integer("IdentifierType"), text("Identifier")])),
            ],
        ),
        integer("KeyOwner"),
    ],
)
.within(Space::In(REQUEST));

/// The response document (spec/soap.md §4.1): the core does not keep to the order of its own
/// schema, so that only names and cardinality bind.
pub const RESPONSE_DOCUMENT: Shape = Shape::one(
    "response",
    Content::All(&[
        text("ResponseCode"),
        optional(text("ResponseDesc")),
        optional(text("ConversationID")),
        optional(text("OriginatorConversationID")),
        optional(integer("ServiceStatus")),
    ]),
)
.within(Space::In(RESPONSE));

/// The result document (spec/soap.md §5.1).
pub const RESULT_DOCUMENT: Shape = group(
    "result",
    &[
        optional(integer("ResultType")),
        text_to("ResultCode", 10),
        optional(text_to("ResultDesc", 1024)),
        optional(text("OriginatorConversationID")),
        optional(text("ConversationID")),
        optional(text("TransactionID")),
        optional(group("ResultParameters", &[any_number(group("ResultParameter", KEY_VALUE))])),
        optional(group("ReferenceData", &[many(group("ReferenceItem", KEY_VALUE))])),
    ],
)
.within(Space::In(RESULT));

/// `notifyQueueTimeout` (spec/soap.md §5.6).
pub const QUEUE_TIMEOUT: Shape = group(
    "notifyQueueTimeout",
    &[
        text("originatorConversationID"),
        text("originRequest"),
        optional(group(
            "extensionInfo",
            &[many(group(
                "item",
                &[text("Key").within(Space::In(RESULT)), text("Value").within(Space::In(RESULT))],
            ))],
        )),
    ],
)
.within(Space::In(TIMEOUT));

/// `notifyQueueTimeoutResponse` (spec/soap.md §5.6).
pub const QUEUE_TIMEOUT_RESPONSE: Shape = group(
    "notifyQueueTimeoutResponse",
    &[group(
        "result",
        &[
            text("ResultCode").within(Space::In(RESULT)),
            optional(text("ResultDesc")).within(Space::In(RESULT)),
        ],
    )],
)
.within(Space::In(TIMEOUT));

const KYC_INFO: Shape = any_number(group(
    "KYCInfo",
    &[unqualified(text_to("KYCName", 255)), unqualified(optional(text_to("KYCValue", 128)))],
))
.within(Space::Without);

/// `C2BPaymentValidationRequest` (spec/soap.md §7.1).
pub const C2B_VALIDATION: Shape = group(
    "C2BPaymentValidationRequest",
    &[
        unqualified(text("TransType")),
        unqualified(text("TransID")),
        unqualified(text("TransTime")),
        unqualified(text("TransAmount")),
        unqualified(text("BusinessShortCode")),
        unqualified(optional(text("BillRefNumber"))),
        unqualified(optional(text("InvoiceNumber"))),
        unqualified(text("MSISDN")),
        KYC_INFO,
    ],
)
.within(Space::In(C2B));

/// `C2BPaymentConfirmationRequest` (spec/soap.md §7.1).
pub const C2B_CONFIRMATION: Shape = group(
    "C2BPaymentConfirmationRequest",
    &[
        unqualified(text("TransType")),
        unqualified(text("TransID")),
        unqualified(text("TransTime")),
        unqualified(text("TransAmount")),
        unqualified(text("BusinessShortCode")),
        unqualified(optional(text("BillRefNumber"))),
        unqualified(optional(text("InvoiceNumber"))),
        unqualified(text("OrgAccountBalance")),
        unqualified(optional(text("ThirdPartyTransID"))),
        unqualified(text("MSISDN")),
        KYC_INFO,
    ],
)
.within(Space::In(C2B));

/// `C2BPaymentValidationResult` (spec/soap.md §7.2).
pub const C2B_VALIDATION_RESULT: Shape = group(
    "C2BPaymentValidationResult",
    &[
        unqualified(text_to("ResultCode", 20)),
        unqualified(optional(text_to("ResultDesc", 1024))),
        unqualified(optional(text("ThirdPartyTransID"))),
    ],
)
.within(Space::In(C2B));

/// `C2BPaymentConfirmationResult`, a text (spec/soap.md §7.2).
pub const C2B_CONFIRMATION_RESULT: Shape =
    text("C2BPaymentConfirmationResult").within(Space::In(C2B));

/// What is to be written into an element.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Text, not yet escaped.
    Text(&'a str),
    /// Children by name, in any order: the shape orders them.
    Group(Vec<(&'static str, Self)>),
}

/// Writes a document: `open` is its prefix (none: the default namespace) and namespace.
pub fn write_root(
    out: &mut String,
    open: (Option<&'static str>, &str),
    shape: &Shape,
    value: &Value<'_>,
) {
    let (prefix, namespace) = open;
    out.push('<');
    push_name(out, prefix, shape.name);
    out.push_str(" xmlns");
    if let Some(prefix) = prefix {
        out.push(':');
        out.push_str(prefix);
    }
    out.push_str("=\"");
    xml::push_attribute(out, namespace);
    out.push_str("\">");
    write_inside(out, prefix, shape, value);
    out.push_str("</");
    push_name(out, prefix, shape.name);
    out.push('>');
}

fn write_inside(out: &mut String, prefix: Option<&'static str>, shape: &Shape, value: &Value<'_>) {
    match (value, shape.content) {
        (Value::Text(text), _) => xml::push_text(out, text),
        (Value::Group(values), Content::Group(shapes) | Content::All(shapes)) => {
            debug_assert!(
                values.iter().all(|(name, _)| shapes.iter().any(|shape| shape.name == *name)),
                "a value of {} has no place in its shape",
                shape.name
            );
            for child in shapes {
                for (_, value) in values.iter().filter(|(name, _)| *name == child.name) {
                    out.push('<');
                    push_name(out, prefix, child.name);
                    out.push('>');
                    write_inside(out, prefix, child, value);
                    out.push_str("</");
                    push_name(out, prefix, child.name);
                    out.push('>');
                }
            }
        }
        (Value::Group(_), Content::Text(_) | Content::Integer) => {}
    }
}

fn push_name(out: &mut String, prefix: Option<&str>, name: &str) {
    if let Some(prefix) = prefix {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(name);
}

/// One thing that is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Fault {
    /// The element, as a path of names from the root.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// Compares a document with its shape, strictly: names, order, cardinality, lengths, namespaces.
///
/// Empty when all is right. Values are never quoted.
pub fn check(element: &Element<'_>, shape: &Shape) -> Vec<Fault> {
    let mut faults = Vec::new();
    if element.name == shape.name {
        check_element(element, shape, None, shape.name, &mut faults);
    } else {
        report(
            &mut faults,
            &xml::excerpt(&element.name),
            format!("the root must be {}", shape.name),
        );
    }
    faults
}

fn report(faults: &mut Vec<Fault>, path: &str, message: String) {
    if faults.len() < FAULTS_MAX {
        faults.push(Fault { path: path.to_owned(), message });
    }
}

fn check_element(
    element: &Element<'_>,
    shape: &Shape,
    parent: Option<&Element<'_>>,
    path: &str,
    faults: &mut Vec<Fault>,
) {
    let namespace = element.namespace.as_deref();
    let inherited = parent.and_then(|parent| parent.namespace.as_deref());
    let wanted: &[&str] = match shape.space {
        Space::Inherit => inherited.as_slice(),
        Space::In(ref one) => std::slice::from_ref(one),
        Space::Either(ref two) => two,
        Space::Without => &[],
    };
    let fits = match namespace {
        Some(namespace) => wanted.contains(&namespace),
        None => wanted.is_empty(),
    };
    if !fits {
        let wanted = wanted.first().copied().unwrap_or("none");
        report(faults, path, format!("its namespace must be {wanted}"));
    }
    match shape.content {
        Content::Text(max) => {
            check_leaf(element, path, faults);
            if let Some(max) = max.filter(|max| element.text.chars().count() > *max) {
                report(faults, path, format!("has more than {max} characters"));
            }
        }
        Content::Integer => {
            check_leaf(element, path, faults);
            if element.value().parse::<i64>().is_err() {
                report(faults, path, "must be a whole number".to_owned());
            }
        }
        Content::Group(shapes) => check_group(element, shapes, path, faults),
        Content::All(shapes) => check_all(element, shapes, path, faults),
    }
}

fn check_leaf(element: &Element<'_>, path: &str, faults: &mut Vec<Fault>) {
    if !element.children.is_empty() {
        report(faults, path, "must hold text, not elements".to_owned());
    }
}

fn check_all(element: &Element<'_>, shapes: &'static [Shape], path: &str, faults: &mut Vec<Fault>) {
    for shape in shapes {
        let below = format!("{path}/{}", shape.name);
        let mut count: u32 = 0;
        for child in element.children.iter().filter(|child| child.name == shape.name) {
            count = count.saturating_add(1);
            check_element(child, shape, Some(element), &below, faults);
        }
        check_count(shape, count, &below, faults);
    }
    for child in &element.children {
        if shapes.iter().all(|shape| shape.name != child.name) {
            let stranger = format!("{path}/{}", xml::excerpt(&child.name));
            report(faults, &stranger, "is not known here".to_owned());
        }
    }
}

fn check_count(shape: &Shape, count: u32, path: &str, faults: &mut Vec<Fault>) {
    if count < shape.min {
        report(faults, path, "is missing".to_owned());
    }
    if shape.max.is_some_and(|max| count > max) {
        report(faults, path, format!("stands {count} times"));
    }
}

fn check_group(
    element: &Element<'_>,
    shapes: &'static [Shape],
    path: &str,
    faults: &mut Vec<Fault>,
) {
    if !element.value().is_empty() {
        report(faults, path, "must hold elements, not text".to_owned());
    }
    let is_known = |child: &Element<'_>| shapes.iter().any(|shape| shape.name == child.name);
    let mut rest = element.children.iter().peekable();
    for shape in shapes {
        let below = format!("{path}/{}", shape.name);
        let mut count: u32 = 0;
        while let Some(child) = rest.next_if(|child| child.name == shape.name || !is_known(child)) {
            if child.name == shape.name {
                count = count.saturating_add(1);
                check_element(child, shape, Some(element), &below, faults);
            } else {
                let stranger = format!("{path}/{}", xml::excerpt(&child.name));
                report(faults, &stranger, "is not known here".to_owned());
            }
        }
        let elsewhere = || element.children.iter().any(|child| child.name == shape.name);
        if count == 0 && shape.min > 0 && elsewhere() {
            report(faults, &below, "stands in the wrong place".to_owned());
        } else {
            check_count(shape, count, &below, faults);
        }
    }
    if let Some(child) = rest.next() {
        let stranger = format!("{path}/{}", xml::excerpt(&child.name));
        let how = if is_known(child) { "stands in the wrong place" } else { "is not known here" };
        report(faults, &stranger, how.to_owned());
    }
}
