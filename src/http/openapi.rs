//! The API's own description: OpenAPI, made from the list of routes and the types they show.

mod forms;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    ArrayBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type,
};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, Header, HttpMethod, InfoBuilder, License, OpenApi, OpenApiBuilder, PathItem,
    Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};

use super::api::{self, Kind, bodies, view};
use super::problem::{Code, FieldFault, MEDIA_TYPE, ProblemBody};
use super::router::{Gives, Keyed, Method, Route, Takes, routes};
use crate::domain::payout::{CaseKind, Status};
use crate::domain::{inquiry, payment};
use crate::store::PAGE_LEN_MAX;

/// The two ways to give a key.
const KEY_SCHEMES: [&str; 2] = ["apiKey", "bearer"];

/// The description of everything in [`routes`].
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in routes() {
        let method = match route.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
        };
        paths = paths.path(route.path, PathItem::new(method, operation(route)));
    }
    let info = InfoBuilder::new()
        .title("Mlango")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(License::new("MIT OR Apache-2.0")));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components())).build()
}

const ABOUT: &str = "The M-Pesa gateway. An answer of 202 or 200 to a POST means: it is on disk. \
Each POST that moves money needs an Idempotency-Key; a payout is never made twice for one key. \
Amounts are Kenyan shillings as decimal strings, times are RFC 3339 in UTC. Errors are RFC 9457 \
problem details whose `code` is one of a closed list. Every answer has an X-Request-Id: yours, if \
you sent one of at most 64 letters, digits, dots, dashes and underscores.";

fn components() -> utoipa::openapi::Components {
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "X-API-Key",
        "A key made with `mlango apps create`.",
    )));
    let bearer = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The same key."))
            .build(),
    );
    let [key_name, bearer_name] = KEY_SCHEMES;
    let mut components = ComponentsBuilder::new()
        .schema_from::<view::Payout<'_>>()
        .schema_from::<view::Failure<'_>>()
        .schema_from::<view::PayoutPage<'_>>()
        .schema_from::<view::EventPage<'_>>()
        .schema_from::<view::PayoutEvent<'_>>()
        .schema_from::<view::EventData<'_>>()
        .schema_from::<view::FeedPage<'_>>()
        .schema_from::<api::Payment<'_>>()
        .schema_from::<api::PaymentFailure<'_>>()
        .schema_from::<api::PaymentDoubt>()
        .schema_from::<api::PaymentPage<'_>>()
        .schema_from::<api::Verification<'_>>()
        .schema_from::<api::Inquiry<'_>>()
        .schema_from::<api::InquiryDoubt>()
        .schema_from::<api::InquiryPage<'_>>()
        .schema_from::<api::ExpectedTaken>()
        .schema_from::<bodies::NewPush>()
        .schema_from::<bodies::NewClaim>()
        .schema_from::<bodies::NewBalanceInquiry>()
        .schema_from::<bodies::NewStatusInquiry>()
        .schema_from::<bodies::NewReversal>()
        .schema_from::<bodies::NewRegistration>()
        .schema_from::<bodies::NewSimulation>()
        .schema_from::<bodies::NewBusinessPayment>()
        .schema_from::<bodies::NewTaxPayment>()
        .schema_from::<bodies::NewQrCode>()
        .schema_from::<bodies::NewPullRegistration>()
        .schema_from::<bodies::NewExpectedReference>()
        .schema_from::<view::MessageLink>()
        .schema_from::<view::Message>()
        .schema_from::<view::NewPayout>()
        .schema_from::<view::Doubt>()
        .schema_from::<view::NewResolution>()
        .schema_from::<api::Case<'_>>()
        .schema_from::<api::CasePage<'_>>()
        .schema_from::<api::Closing<'_>>()
        .schema_from::<view::NewClosing>()
        .schema_from::<api::Rail>()
        .schema_from::<api::Rails>()
        .schema_from::<api::Refusal>()
        .schema_from::<api::Pause>()
        .schema_from::<api::Link>()
        .schema_from::<api::LinkFailure>()
        .schema_from::<api::OldestUnknown>()
        .schema_from::<view::NewPause>()
        .schema_from::<api::Readiness>()
        .schema_from::<ProblemBody<'_>>()
        .schema_from::<FieldFault>()
        .schema_from::<Code>()
        .security_scheme(key_name, key)
        .security_scheme(bearer_name, bearer)
        .build();
    for body in routes().filter_map(|route| body_of(route.takes)) {
        if let Some(schema) = components.schemas.get_mut(body) {
            forms::sharpen(body, schema);
        }
    }
    components
}

fn operation(route: &Route) -> OperationBuilder {
    let mut operation =
        OperationBuilder::new().operation_id(Some(route.name)).summary(Some(route.summary));
    let scopes: Vec<&str> = route.scopes().iter().map(|scope| scope.as_str()).collect();
    if !scopes.is_empty() {
        operation = operation.description(Some(format!("Scope: `{}`.", scopes.join("` or `"))));
    }
    for scope in scopes {
        for scheme in KEY_SCHEMES {
            operation = operation.security(SecurityRequirement::new(scheme, [scope]));
        }
    }
    for name in ["id", "rail"] {
        if !route.path.contains(&format!("{{{name}}}")) {
            continue;
        }
        let id = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(string()));
        operation = operation.parameter(id);
    }
    for parameter in route.parameters {
        let parameter = ParameterBuilder::new()
            .name(parameter.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(parameter.means))
            .schema(Some(value_of(parameter.kind)));
        operation = operation.parameter(parameter);
    }
    let keyed = route.takes.keyed();
    if keyed != Keyed::No {
        let must = keyed == Keyed::Must;
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(if must { Required::True } else { Required::False })
            .description(Some(
                "1 to 255 visible ASCII characters, another one for each request. The same key with \
                 the same body, byte for byte, is answered as the first time; with another body it \
                 is refused. A key is remembered for ever.",
            ))
            .schema(Some(patterned(forms::IDEMPOTENCY_KEY)));
        operation = operation.parameter(key);
    }
    if let Some(schema) = body_of(route.takes) {
        let one = Ref::from_schema_name(schema);
        let must = if may_be_empty(route.takes) { Required::False } else { Required::True };
        let mut body = RequestBodyBuilder::new().required(Some(must));
        let content = if route.takes == Takes::Expected {
            let text = ContentBuilder::new().schema(Some(string())).build();
            body = body.content("text/csv", text);
            ContentBuilder::new().schema(Some(ArrayBuilder::new().items(one)))
        } else {
            ContentBuilder::new().schema(Some(one))
        };
        let body = body.content("application/json", content.build());
        operation = operation.request_body(Some(body.build()));
    }
    let (status, gives) = route.gives;
    operation = operation.response(status.as_str(), good(route, gives));
    if gives == Gives::Readiness {
        let unready = StatusCode::SERVICE_UNAVAILABLE;
        operation = operation.response(unready.as_str(), good(route, gives));
    }
    for (status, codes) in problems(route) {
        operation = operation.response(status.to_string(), bad(&codes));
    }
    operation
}

/// The schema of what comes in a body.
const fn body_of(takes: Takes) -> Option<&'static str> {
    match takes {
        Takes::Nothing => None,
        Takes::Payout => Some("NewPayout"),
        Takes::Resolution => Some("NewResolution"),
        Takes::Pause => Some("NewPause"),
        Takes::Closing => Some("NewClosing"),
        Takes::Push => Some("NewPush"),
        Takes::Claim => Some("NewClaim"),
        Takes::Registration => Some("NewRegistration"),
        Takes::Simulation => Some("NewSimulation"),
        Takes::BalanceInquiry => Some("NewBalanceInquiry"),
        Takes::StatusInquiry => Some("NewStatusInquiry"),
        Takes::Reversal => Some("NewReversal"),
        Takes::BusinessPayment => Some("NewBusinessPayment"),
        Takes::TaxPayment => Some("NewTaxPayment"),
        Takes::QrCode => Some("NewQrCode"),
        Takes::PullRegistration => Some("NewPullRegistration"),
        Takes::Expected => Some("NewExpectedReference"),
    }
}

/// Whether a request without a body asks for nothing special.
const fn may_be_empty(takes: Takes) -> bool {
    matches!(takes, Takes::BalanceInquiry | Takes::Registration)
}

fn string() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn patterned(pattern: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
}

fn value_of(kind: Kind) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    match kind {
        Kind::Text(longest) => text.min_length(Some(1)).max_length(Some(longest)).into(),
        Kind::Phone => patterned(forms::PHONE),
        Kind::Id(prefixes) => patterned(&forms::id(prefixes)),
        Kind::Time => text.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into(),
        Kind::Limit => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1_u64))
            .maximum(Some(u64::try_from(PAGE_LEN_MAX).unwrap_or(u64::MAX)))
            .into(),
        Kind::Status => text.enum_values(Some(Status::ALL.map(Status::as_str))).into(),
        Kind::PaymentType => {
            text.enum_values(Some(payment::Kind::ALL.map(payment::Kind::as_str))).into()
        }
        Kind::PaymentStatus => {
            text.enum_values(Some(payment::Status::LISTED.map(payment::Status::as_str))).into()
        }
        Kind::InquiryStatus => {
            text.enum_values(Some(inquiry::Status::ALL.map(inquiry::Status::as_str))).into()
        }
        Kind::YesOrNo => text.enum_values(Some(["true", "false"])).into(),
        Kind::Sequence => {
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0_u64)).into()
        }
        Kind::OpenOrClosed => text.enum_values(Some(["open", "closed"])).into(),
        Kind::WhyCase => text.enum_values(Some(CaseKind::ALL.map(CaseKind::as_str))).into(),
        Kind::Order => text.enum_values(Some(["asc", "desc"])).into(),
    }
}

fn good(route: &Route, gives: Gives) -> Response {
    let object = |name| ("application/json", Ref::from_schema_name(name).into());
    let (media_type, schema) = match gives {
        Gives::Payout => object("Payout"),
        Gives::Payouts => object("PayoutPage"),
        Gives::Payment => object("Payment"),
        Gives::Payments => object("PaymentPage"),
        Gives::Verification => object("Verification"),
        Gives::Inquiry => object("Inquiry"),
        Gives::Inquiries => object("InquiryPage"),
        Gives::ExpectedTaken => object("Taken"),
        Gives::Feed => object("FeedPage"),
        Gives::Events => object("EventPage"),
        Gives::Message => object("Message"),
        Gives::Rail => object("Rail"),
        Gives::Rails => object("Rails"),
        Gives::Case => object("Case"),
        Gives::Cases => object("CasePage"),
        Gives::Readiness => object("Readiness"),
        Gives::Text => ("text/plain", string()),
        Gives::Description => {
            ("application/json", ObjectBuilder::new().schema_type(Type::Object).into())
        }
    };
    let mut response = ResponseBuilder::new()
        .description(route.summary)
        .content(media_type, ContentBuilder::new().schema(Some(schema)).build());
    if route.takes.keyed() != Keyed::No {
        for (name, means) in [
            ("Location", "Where it is."),
            (
                "Idempotency-Replayed",
                "`true` when an earlier request with this key made it; the answer is that \
                 request's.",
            ),
        ] {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let mut header = Header::new(text);
            header.description = Some(means.to_owned());
            response = response.header(name, header);
        }
        for next in routes().filter(|next| is_about(gives, next)) {
            let id = LinkBuilder::new().operation_id(next.name);
            response = response.link(next.name, id.parameter("id", "$response.body#/id").build());
        }
    }
    response.build()
}

/// Whether a route is about one thing of the kind that an answer holds.
fn is_about(gives: Gives, next: &Route) -> bool {
    let is_at = |home: &str| next.path.starts_with(home);
    (gives == Gives::Payout && is_at("/v1/payouts/{id}"))
        || (gives == Gives::Payment && is_at("/v1/payments/{id}"))
        || (gives == Gives::Payment && is_at("/v1/stk-pushes/{id}"))
        || (gives == Gives::Inquiry && is_at("/v1/inquiries/{id}"))
}

/// Everything that can go wrong on a route, by status.
pub fn problems(route: &Route) -> BTreeMap<u16, Vec<Code>> {
    let mut codes = route.problems.to_vec();
    codes.push(Code::TooManyRequests);
    if !route.scopes().is_empty() {
        codes.extend([Code::KeyMissing, Code::KeyInvalid, Code::ScopeMissing]);
        codes.extend([Code::InvalidQuery, Code::Internal, Code::StoreUnavailable]);
    }
    if route.takes != Takes::Nothing {
        codes.extend([Code::BodyTooLarge, Code::BodyTimeout, Code::UnsupportedMediaType]);
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    by_status
}

fn bad(codes: &[Code]) -> Response {
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.meaning().trim()))
        .collect();
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(lines.join(" "))
        .content(MEDIA_TYPE, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::domain::payout::Command;
    use crate::http::api::{
        BALANCE_FIELDS, BUSINESS_FIELDS, CLAIM_FIELDS, CLOSING_FIELDS, EXPECTED_FIELDS, FIELDS,
        PAUSE_FIELDS, PULL_FIELDS, PUSH_FIELDS, QR_FIELDS, REGISTER_FIELDS, RESOLUTION_FIELDS,
        REVERSAL_FIELDS, SIMULATE_FIELDS, STATUS_FIELDS, TAX_FIELDS,
    };

    fn words(list: &Value) -> BTreeSet<&str> {
        let words = list.as_array().into_iter().flatten();
        words.filter_map(Value::as_str).collect()
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        let document = serde_json::to_value(document()).expect("JSON");
        let new = &document["components"]["schemas"]["NewPayout"];
        let fields: BTreeSet<&str> = new["properties"]
            .as_object()
            .into_iter()
            .flat_map(|fields| fields.keys().map(String::as_str))
            .collect();
        assert_eq!(fields, FIELDS.into_iter().collect());
        assert_eq!(words(&new["required"]), ["amount", "phone"].into());
        assert_eq!(new["additionalProperties"], false);
        let commands = new["properties"]["command"].to_string();
        for command in Command::ALL {
            let word = format!("\"{}\"", command.as_str());
            assert!(commands.contains(&word), "{word} in {commands}");
        }
        let others: [(&str, &[&str]); 15] = [
            ("NewPush", &PUSH_FIELDS),
            ("NewClaim", &CLAIM_FIELDS),
            ("NewBalanceInquiry", &BALANCE_FIELDS),
            ("NewStatusInquiry", &STATUS_FIELDS),
            ("NewReversal", &REVERSAL_FIELDS),
            ("NewRegistration", &REGISTER_FIELDS),
            ("NewSimulation", &SIMULATE_FIELDS),
            ("NewBusinessPayment", &BUSINESS_FIELDS),
            ("NewTaxPayment", &TAX_FIELDS),
            ("NewQrCode", &QR_FIELDS),
            ("NewPullRegistration", &PULL_FIELDS),
            ("NewExpectedReference", &EXPECTED_FIELDS),
            ("NewPause", &PAUSE_FIELDS),
            ("NewClosing", &CLOSING_FIELDS),
            ("NewResolution", &RESOLUTION_FIELDS),
        ];
        for (name, read) in others {
            let described = &document["components"]["schemas"][name]["properties"];
            let fields: BTreeSet<&str> = described
                .as_object()
                .into_iter()
                .flat_map(|fields| fields.keys().map(String::as_str))
                .collect();
            assert_eq!(fields, read.iter().copied().collect(), "{name}");
            let closed = &document["components"]["schemas"][name]["additionalProperties"];
            assert_eq!(closed, false, "{name}");
        }
        let payout = &document["components"]["schemas"]["Payout"];
        let statuses = Status::ALL.map(Status::as_str).into_iter().collect();
        assert_eq!(words(&payout["properties"]["status"]["enum"]), statuses);
    }

    #[test]
    fn every_code_has_its_own_name_and_says_what_it_means() {
        let mut names = BTreeSet::new();
        for code in Code::ALL {
            assert!(names.insert(code.as_str()), "{code:?} shares its name");
            let written = serde_json::to_value(code).expect("JSON");
            assert_eq!(written, code.as_str());
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.meaning().trim().ends_with('.'), "{code:?}");
        }
    }
}
