//! Reads every section and checks what no single key can.

mod broker;
mod doors;
mod side;
mod till;

use std::path::Path;

pub use self::doors::is_loopback;
use super::examine::Parts;
use super::fault::{Fault, Place};
use super::key::Purpose;
use super::reader::Reader;
use super::section::{Log, LogFile, LogFormat, Operator, Organisation, Payouts, Simulator, Store};
use crate::domain::limit::AmountLimits;
use crate::domain::money::Amount;
use crate::domain::payout::{NotFoundRule, Policy, Rail};

/// A token shorter than this (128 bits) is accepted with a warning.
const TOKEN_DIGITS_ADVISED: usize = 32;

/// Reads every section; one is `None` when something is wrong in it, which the reader then knows.
pub(super) fn parts(r: &mut Reader) -> Parts {
    let (api, store) = (doors::api(r), store(r));
    let callbacks = doors::callbacks(r, api.as_ref());
    let operator = operator(r);
    let organisation = organisation(r, operator.clone());
    let payouts = payouts(r);
    excuse(r, payouts.as_ref().map(|payouts| payouts.rail));
    let provider = broker::provider(r);
    let broker = broker::broker(r, provider.clone(), payouts.as_ref());
    let daraja_app = till::daraja_app(r);
    let daraja = till::daraja(r, daraja_app.clone(), callbacks.as_ref());
    let payouts = till::never_again(r, payouts, daraja.as_ref());
    let (stk, c2b) = (till::stk(r), till::c2b(r, daraja.as_ref()));
    let sms_account = till::sms_account(r);
    let sms = till::sms(r, sms_account.clone());
    let simulator = simulator(r);
    let credential_key = r.file("simulator.credential_key");
    let called = [
        ("broker.url", broker.as_ref().map(|broker| broker.url.to_string())),
        ("daraja.url", daraja.as_ref().map(|daraja| daraja.url.to_string())),
        ("sms.url", sms.as_ref().map(|sms| sms.url.clone())),
    ];
    let test = side::test(r, called);
    let log = log(r);
    let telemetry = side::telemetry(r);
    if let Some(path) = r.file_with_secrets().filter(|path| readable_by_all(path)) {
        let warning = Fault {
            place: Place::File(path.to_owned()),
            key: String::new(),
            what: "holds secrets and every user of this machine can read it; `chmod 600` it"
                .to_owned(),
        };
        r.warnings.push(warning);
    }
    Parts {
        api,
        callbacks,
        store,
        organisation,
        operator,
        payouts,
        broker,
        provider,
        daraja,
        daraja_app,
        stk,
        c2b,
        sms,
        sms_account,
        simulator,
        credential_key,
        test,
        log,
        telemetry,
    }
}

/// The gateway does without a section of which nothing is set, unless payouts go that way. The
/// simulator does without what it has defaults for.
fn excuse(r: &mut Reader, rail: Option<Rail>) {
    let optional = [
        ("broker", rail == Some(Rail::Daraja)),
        ("daraja", rail != Some(Rail::Daraja)),
        ("sms", true),
        ("test", true),
        ("telemetry", true),
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

fn store(r: &mut Reader) -> Option<Store> {
    let url = r.store_url("store.url");
    let cache_bytes = r.size("store.cache_bytes");
    Some(Store { url: url?, cache_bytes: cache_bytes? })
}

fn operator(r: &mut Reader) -> Option<Operator> {
    let shortcode = r.parsed("organisation.shortcode");
    let initiator = r.text("organisation.initiator");
    let initiator_password = r.secret("organisation.initiator_password");
    let set_on = r.day("organisation.initiator_password_set_on");
    let password_set_on = set_on.or_else(|| r.secret_changed_at("organisation.initiator_password"));
    Some(Operator {
        shortcode: shortcode?,
        initiator: initiator?,
        initiator_password: initiator_password?,
        password_set_on,
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

fn simulator(r: &mut Reader) -> Option<Simulator> {
    let listen = r.listen("simulator.listen");
    let balance = r.money("simulator.balance");
    let tls_listen = r.listen("simulator.tls_listen");
    let https_listen = r.listen("simulator.https_listen");
    let tls = doors::server(r, "simulator", true);
    for (name, address) in [("tls_listen", tls_listen), ("https_listen", https_listen)] {
        if address.is_some() && tls.is_none() {
            let what = "is set, but tls_certificate and tls_key are not";
            r.fault(&format!("simulator.{name}"), what);
        }
    }
    if tls_listen.is_some() && tls.as_ref().is_some_and(|tls| tls.client_ca.is_none()) {
        r.fault(
            "simulator.tls_listen",
            "is set, but client_ca is not: whose certificate is asked for?",
        );
    }
    Some(Simulator { listen: listen?, balance: balance?, tls_listen, https_listen, tls })
}

fn log(r: &mut Reader) -> Option<Log> {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let level = r.log_level("log.level");
    let format = r.word("log.format", &formats);
    let path = r.output("log.file");
    let (rotate_bytes, keep) = (r.size("log.rotate_bytes"), r.count("log.keep"));
    let (rotate_bytes, keep) = (rotate_bytes?, keep?);
    let file = path.map(|path| LogFile { path, rotate_bytes, keep });
    Some(Log { level: level?, format: format?, file })
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
