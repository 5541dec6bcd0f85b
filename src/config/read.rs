//! Reads every section and checks what no single key can.

mod till;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::Config;
use super::fault::{Fault, Place};
use super::key::Purpose;
use super::reader::Reader;
use super::section::{
    Api, Broker, Callbacks, HeaderNamespace, Link, Log, LogFormat, Operator, Organisation,
    PasswordCase, Payouts, Provider, Simulator, Store,
};
use super::value::filtered_word;
use crate::domain::limit::AmountLimits;
use crate::domain::money::Amount;
use crate::domain::payout::{NotFoundRule, Policy, Rail};

/// A token shorter than this (128 bits) is accepted with a warning.
const TOKEN_DIGITS_ADVISED: usize = 32;

/// Reads every section; `None` when something is wrong, which the reader then knows.
pub(super) fn config(r: &mut Reader) -> Option<Config> {
    let (api, store) = (api(r), store(r));
    let callbacks = callbacks(r, api.as_ref());
    let operator = operator(r);
    let organisation = organisation(r, operator.clone());
    let payouts = payouts(r);
    excuse(r, payouts.as_ref().map(|payouts| payouts.rail));
    let provider = provider(r);
    let broker = broker(r, provider.clone(), payouts.as_ref());
    let daraja_app = till::daraja_app(r);
    let daraja = till::daraja(r, daraja_app.clone(), callbacks.as_ref());
    let payouts = till::never_again(r, payouts, daraja.as_ref());
    let (stk, c2b) = (till::stk(r), till::c2b(r, daraja.as_ref()));
    let sms_account = till::sms_account(r);
    let sms = till::sms(r, sms_account.clone());
    let simulator = simulator(r);
    let credential_key = r.file("simulator.credential_key");
    let log = log(r);
    if let Some(path) = r.file_with_secrets().filter(|path| readable_by_all(path)) {
        let warning = Fault {
            place: Place::File(path.to_owned()),
            key: String::new(),
            what: "holds secrets and every user of this machine can read it; `chmod 600` it"
                .to_owned(),
        };
        r.warnings.push(warning);
    }
    Some(Config {
        api: api?,
        callbacks,
        store: store?,
        organisation,
        operator,
        payouts: payouts?,
        broker,
        provider,
        daraja,
        daraja_app,
        stk: stk?,
        c2b: c2b?,
        sms,
        sms_account,
        simulator: simulator?,
        credential_key,
        log: log?,
    })
}

/// The gateway does without a section of which nothing is set, unless payouts go that way. The
/// simulator does without what it has defaults for.
fn excuse(r: &mut Reader, rail: Option<Rail>) {
    let optional = [
        ("broker", rail == Some(Rail::Daraja)),
        ("daraja", rail != Some(Rail::Daraja)),
        ("sms", true),
    ];
    for (section, may_be_missing) in optional {
        if may_be_missing && !r.has(section) {
            r.excused.insert((Purpose::Serve, section));
        }
    }
    for section in ["daraja", "sms"] {
        if !r.has(section) {
            r.excused.insert((Purpose::Simulate, section));
        }
    }
}

fn api(r: &mut Reader) -> Option<Api> {
    let listen = r.listen("api.listen");
    let max_connections = r.count("api.max_connections");
    let max_body_bytes = r.size("api.max_body_bytes");
    let header_timeout = r.time("api.header_timeout");
    let body_timeout = r.time("api.body_timeout");
    if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        let what = "is open to other machines in plain HTTP, and API keys travel over it; \
                    keep it on loopback or behind a TLS proxy";
        r.warn("api.listen", what);
    }
    Some(Api {
        listen: listen?,
        max_connections: max_connections?,
        max_body_bytes: max_body_bytes?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
    })
}

fn callbacks(r: &mut Reader, api: Option<&Api>) -> Option<Callbacks> {
    let listen = r.listen("callbacks.listen");
    let public_url = r.public_url("callbacks.public_url");
    let token = r.secret("callbacks.token");
    let allow = r.networks("callbacks.allow");
    let max_connections = r.count("callbacks.max_connections");
    let max_body_bytes = r.size("callbacks.max_body_bytes");
    if let (Some(listen), Some(api)) = (listen, api) {
        check_listeners(r, listen, api.listen);
    }
    let open = listen.is_some_and(|listen| !listen.ip().is_loopback());
    let reached = public_url.as_deref().is_some_and(|url| !is_loopback(url));
    if (open || reached) && allow.as_ref().is_some_and(Vec::is_empty) {
        let how = if open {
            "callbacks.listen is open to other machines"
        } else {
            "callbacks.public_url is an address that other machines reach"
        };
        let what = format!(
            "is empty, and {how}: whoever learns the token may report results; name M-Pesa's \
             networks (or the proxy's)"
        );
        r.warn("callbacks.allow", what);
    }
    let digits = token.as_ref().map(|token| token.reveal().len());
    if digits.is_some_and(|digits| digits < TOKEN_DIGITS_ADVISED) {
        let what = "is shorter than 32 hexadecimal digits; `openssl rand -hex 24` makes a \
                    longer one";
        r.warn("callbacks.token", what);
    }
    if let Some(word) = public_url.as_deref().and_then(filtered_word) {
        let what = format!("has \"{word}\" in it, and M-Pesa's Daraja refuses such addresses");
        r.warn("callbacks.public_url", what);
    }
    Some(Callbacks {
        listen: listen?,
        public_url: public_url?,
        token: token?,
        allow: allow?,
        max_connections: max_connections?,
        max_body_bytes: max_body_bytes?,
    })
}

/// Whether a checked URL names this machine alone.
fn is_loopback(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Two listeners can't share a port, unless each has an address of its own.
fn check_listeners(r: &mut Reader, callbacks: SocketAddr, api: SocketAddr) {
    let same_port = callbacks.port() == api.port() && api.port() != 0;
    let (ours, its) = (callbacks.ip(), api.ip());
    if same_port && (ours == its || ours.is_unspecified() || its.is_unspecified()) {
        let what = format!("is {callbacks}, and api.listen is {api}: give each its own port");
        r.fault("callbacks.listen", what);
    }
}

fn store(r: &mut Reader) -> Option<Store> {
    let url = r.store_url("store.url");
    let cache_bytes = r.size("store.cache_bytes");
    Some(Store { url: url?, cache_bytes: cache_bytes? })
}

fn operator(r: &mut Reader) -> Option<Operator> {
    let shortcode = r.parsed("organisation.shortcode");
    let initiator = r.text("organisation.initiator");
    let initiator_password = r.secret("organisation.initiator_password");
    Some(Operator {
        shortcode: shortcode?,
        initiator: initiator?,
        initiator_password: initiator_password?,
    })
}

fn organisation(r: &mut Reader, operator: Option<Operator>) -> Option<Organisation> {
    let name = r.text("organisation.name");
    let credential_certificate = r.file("organisation.credential_certificate");
    Some(Organisation {
        name: name?,
        operator: operator?,
        credential_certificate: credential_certificate?,
    })
}

fn payouts(r: &mut Reader) -> Option<Payouts> {
    let rails = [("soap", Rail::Soap), ("daraja", Rail::Daraja)];
    let rail = r.word("payouts.rail", &rails);
    let result_overdue = r.time("payouts.result_overdue");
    let inquiry_intervals = r.times("payouts.inquiry_intervals");
    let rules = [
        ("resend", NotFoundRule::Resend),
        ("fail", NotFoundRule::Fail),
        ("person", NotFoundRule::Person),
    ];
    let on_not_found = r.word("payouts.on_not_found", &rules);
    let arrival_window = r.time("payouts.arrival_window");
    let cached_window = r.time("payouts.cached_window");
    let first_result_wait = r.time("payouts.first_result_wait");
    let least = whole_shillings(r, "payouts.amount_min");
    let most = whole_shillings(r, "payouts.amount_max");
    let approval_above = r.money("payouts.approval_above");
    if approval_above.is_some_and(|above| above != Amount::ZERO) {
        let what = "approval of payouts is not in this version; only \"0\" is";
        r.fault("payouts.approval_above", what);
    }
    let (least, most) = least.zip(most)?;
    if least > most {
        let what = format!("is {least}, more than payouts.amount_max, which is {most}");
        r.fault("payouts.amount_min", what);
    }
    Some(Payouts {
        rail: rail?,
        policy: Policy {
            result_overdue: result_overdue?,
            inquiry_intervals: inquiry_intervals?,
            arrival_window: arrival_window?,
            cached_window: cached_window?,
            on_not_found: on_not_found?,
            unnamed: Vec::new(),
        },
        first_result_wait: first_result_wait?,
        amounts: AmountLimits { least, most },
    })
}

fn whole_shillings(r: &mut Reader, name: &str) -> Option<Amount> {
    let amount = r.money(name)?;
    if amount == Amount::ZERO || !amount.is_whole_shillings() {
        let what = format!("found {amount}; expected whole shillings, at least 1");
        r.fault(name, what);
        return None;
    }
    Some(amount)
}

fn provider(r: &mut Reader) -> Option<Provider> {
    let sp_id = r.text("broker.sp_id");
    let sp_password = r.secret("broker.sp_password");
    let service_id = r.text("broker.service_id");
    Some(Provider { sp_id: sp_id?, sp_password: sp_password?, service_id: service_id? })
}

fn broker(r: &mut Reader, provider: Option<Provider>, payouts: Option<&Payouts>) -> Option<Broker> {
    let url = r.http_origin("broker.url");
    let link = link(r);
    let overdue = payouts.map(|payouts| payouts.policy.result_overdue);
    if let (Some(link), Some(overdue)) = (&link, overdue)
        && link.timeout >= overdue
    {
        let what = "is not shorter than payouts.result_overdue: results would count as overdue \
                    while answers are still awaited";
        r.warn("broker.timeout", what);
    }
    Some(Broker { url: url?, provider: provider?, link: link? })
}

fn link(r: &mut Reader) -> Option<Link> {
    let namespaces = [("a", HeaderNamespace::A), ("b", HeaderNamespace::B)];
    let cases = [("upper", PasswordCase::Upper), ("lower", PasswordCase::Lower)];
    let timeout = r.time("broker.timeout");
    let connect_timeout = r.time("broker.connect_timeout");
    let send_timeout = r.time("broker.send_timeout");
    let max_in_flight = r.count("broker.max_in_flight");
    let max_per_second = r.count("broker.max_per_second");
    let header_namespace = r.word("broker.header_namespace", &namespaces);
    let password_case = r.word("broker.password_case", &cases);
    Some(Link {
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        send_timeout: send_timeout?,
        max_in_flight: max_in_flight?,
        max_per_second: max_per_second?,
        header_namespace: header_namespace?,
        password_case: password_case?,
    })
}

fn simulator(r: &mut Reader) -> Option<Simulator> {
    let listen = r.listen("simulator.listen");
    let balance = r.money("simulator.balance");
    Some(Simulator { listen: listen?, balance: balance? })
}

fn log(r: &mut Reader) -> Option<Log> {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let level = r.log_level("log.level");
    let format = r.word("log.format", &formats);
    Some(Log { level: level?, format: format? })
}

#[cfg(unix)]
fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    /// The bit of the mode that lets everybody read.
    const OTHERS_READ: u32 = 0o004;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0)
}

#[cfg(not(unix))]
fn readable_by_all(_path: &Path) -> bool {
    false
}
