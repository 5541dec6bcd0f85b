//! From the configuration to the ways out: rails, counter, text messages, and what the engine is
//! told.

use std::path::Path;
use std::sync::Arc;

use super::NotStarted;
use crate::config::Serve;
use crate::config::section::{Ask, Broker, Daraja, DarajaApp, HeaderNamespace, PasswordCase};
use crate::credential::Certificate;
use crate::daraja::B2cVersion;
use crate::daraja::request::{self as rest, NameKey};
use crate::daraja::rules::{Limits as Amounts, Place};
use crate::domain::inquiry::{self, PaidTo};
use crate::domain::payout::{Policy, Rail as Way};
use crate::domain::time::Timestamp;
use crate::engine::port::{Counter, Notifier, Rails, Validator};
use crate::engine::{Route, Settings, TillSettings};
use crate::notify::ask::{AskRule, Asker, Otherwise};
use crate::notify::sms::{Sms, SmsSettings};
use crate::rail::daraja::{self as daraja_rail, DarajaRail, Prompts};
use crate::rail::soap::{self as soap_rail, SoapRail};
use crate::rail::soap_counter::{Counters, SoapCounter};
use crate::rail::tls::Tls;
use crate::rail::transport::{Deadlines, Origin, Site};
use crate::soap::header::{HexCase, Namespace};
use crate::soap::request::Caller;
use crate::store::App;

/// The host of M-Pesa's production (spec/daraja.md §1); anything else is a sandbox.
const PRODUCTION: &str = "api.safaricom.co.ke";

/// The ways to M-Pesa.
pub(super) struct Ways {
    /// For payouts.
    pub rails: Rails,
    /// For everything else, each thing the way that it names.
    pub counter: Option<Arc<dyn Counter>>,
}

/// Builds the ways to M-Pesa that are set up. Nothing is sent.
///
/// # Errors
/// [`NotStarted`].
pub(super) fn ways(config: &Serve, now: Timestamp) -> Result<Ways, NotStarted> {
    // One value serves for as long as the password does (spec/soap.md §6; spec/daraja.md §5).
    let credential = credential(config, now)?;
    let mut ways = Ways { rails: Rails::default(), counter: None };
    let mut counters = Counters { soap: None, daraja: None };
    if let Some(broker) = &config.broker {
        let (rail, counter) = soap(config, broker, credential.clone());
        ways.rails = ways.rails.with(Way::Soap, Arc::new(rail));
        counters.soap = Some(Arc::new(counter));
    }
    if let Some(daraja) = &config.daraja {
        let rail = Arc::new(rest(config, daraja, credential)?);
        if !rail.names_payouts() {
            tracing::warn!(
                "daraja.b2c_version is \"v1\": M-Pesa is not told our name for a payout, and one \
                 whose answer is lost cannot be asked about; prefer \"v3\""
            );
        }
        ways.rails = ways.rails.with(Way::Daraja, Arc::<DarajaRail>::clone(&rail));
        counters.daraja = Some(rail);
    }
    ways.counter = Some(Arc::new(counters));
    Ok(ways)
}

fn credential(config: &Serve, now: Timestamp) -> Result<String, NotStarted> {
    let organisation = &config.organisation;
    let path: &Path = &organisation.credential_certificate;
    let shown = path.display().to_string();
    let wrong = |error| NotStarted::Certificate { path: shown.clone(), error };
    let bytes =
        std::fs::read(path).map_err(|error| NotStarted::File { path: shown.clone(), error })?;
    let certificate = Certificate::from_bytes(&bytes).map_err(wrong)?;
    if certificate.is_expired(now) {
        tracing::warn!(certificate = %path.display(),
            "the credential certificate has expired; M-Pesa does not mind, but ask for a newer one");
    }
    certificate.encrypt(organisation.operator.initiator_password.reveal()).map_err(wrong)
}

/// Where M-Pesa calls, without a slash at the end.
fn callbacks(config: &Serve) -> String {
    let base = config.callbacks.public_url.trim_end_matches('/');
    format!("{base}/cb/{}", config.callbacks.token.reveal())
}

/// The rail to the broker, and the counter at it.
fn soap(config: &Serve, broker: &Broker, credential: String) -> (SoapRail, SoapCounter) {
    let operator = &config.organisation.operator;
    let (provider, link) = (&broker.provider, &broker.link);
    let callbacks = callbacks(config);
    let caller = Caller {
        namespace: match link.header_namespace {
            HeaderNamespace::A => Namespace::A,
            HeaderNamespace::B => Namespace::B,
        },
        hex_case: match link.password_case {
            PasswordCase::Upper => HexCase::Upper,
            PasswordCase::Lower => HexCase::Lower,
        },
        sp_id: provider.sp_id.clone(),
        sp_password: provider.sp_password.reveal().to_owned(),
        service_id: provider.service_id.clone(),
        shortcode: operator.shortcode.as_str().to_owned(),
        initiator: operator.initiator.clone(),
        security_credential: credential,
        result_url: format!("{callbacks}/b2c/result"),
        queue_timeout_url: format!("{callbacks}/b2c/timeout"),
    };
    let limits = soap_rail::Limits {
        deadlines: Deadlines {
            connect: link.connect_timeout,
            send: link.send_timeout,
            answer: link.timeout,
        },
        max_per_second: link.max_per_second,
        max_in_flight: u32::try_from(link.max_in_flight).unwrap_or(u32::MAX),
    };
    let (host, port) = (broker.url.host(), broker.url.port());
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let origin = Origin { host: bare.to_owned(), port, tls: None };
    let site = Site { origin, deadlines: limits.deadlines };
    let names = (callbacks, config.organisation.name.clone());
    let counter = SoapCounter::new(Arc::new(site), caller.clone(), names, &limits);
    (SoapRail::new(host, port, caller, limits), counter)
}

fn rest(config: &Serve, daraja: &Daraja, credential: String) -> Result<DarajaRail, NotStarted> {
    let url = &daraja.url;
    let tls = if url.https {
        let key = if daraja.ca.is_some() { "daraja.ca" } else { "daraja.url" };
        let tls = Tls::to(&url.host, daraja.ca.as_deref());
        Some(tls.map_err(|error| NotStarted::Tls { key, error: Box::new(error) })?)
    } else {
        None
    };
    let site = Site {
        origin: Origin { host: url.host.clone(), port: url.port, tls },
        deadlines: Deadlines {
            connect: daraja.link.connect_timeout,
            send: daraja.link.send_timeout,
            answer: daraja.link.timeout,
        },
    };
    let operator = &config.organisation.operator;
    let payer = daraja.app.b2c_shortcode.as_ref().unwrap_or(&operator.shortcode);
    let (to, receiver) = match &daraja.app.till {
        Some(till) => (PaidTo::Till, till),
        None => (PaidTo::PayBill, &daraja.app.shortcode),
    };
    let settings = daraja_rail::Settings {
        consumer_key: daraja.app.consumer_key.reveal().to_owned(),
        consumer_secret: daraja.app.consumer_secret.reveal().to_owned().into(),
        payer: rest::Caller {
            shortcode: payer.as_str().to_owned(),
            initiator: operator.initiator.clone(),
            security_credential: credential,
        },
        prompts: Prompts {
            shortcode: daraja.app.shortcode.as_str().to_owned(),
            passkey: daraja.app.passkey.reveal().to_owned().into(),
            to,
            receiver: receiver.as_str().to_owned(),
        },
        callbacks: callbacks(config),
        b2c: if daraja.names_payouts { B2cVersion::V3 } else { B2cVersion::V1 },
        name_key: if daraja.by_originator { NameKey::Originator } else { NameKey::Original },
        amounts: Amounts {
            payments: config.stk.amounts,
            payouts: config.payouts.amounts,
            ..Amounts::default()
        },
        place: if url.host == PRODUCTION { Place::Production } else { Place::Sandbox },
        max_in_flight: daraja.link.max_in_flight,
        max_per_second: daraja.link.max_per_second,
        stk_query_every: daraja.link.stk_query_every,
    };
    Ok(DarajaRail::new(Arc::new(site), settings))
}

/// The way to phones, if one is set up.
///
/// # Errors
/// [`NotStarted`].
pub(super) fn notifier(config: &Serve) -> Result<Option<Arc<dyn Notifier>>, NotStarted> {
    let Some(sms) = &config.sms else {
        return Ok(None);
    };
    let settings = SmsSettings {
        url: sms.url.clone(),
        username: sms.account.username.clone(),
        api_key: sms.account.api_key.reveal().to_owned(),
        from: sms.account.from.clone(),
        timeout: sms.timeout,
        ca: sms.ca.clone(),
    };
    let sms = Sms::new(settings).map_err(|error| NotStarted::SetUp("sms", Box::new(error)))?;
    Ok(Some(Arc::new(sms)))
}

/// The applications that are asked whether a payment is to be taken.
///
/// # Errors
/// [`NotStarted`].
pub(super) fn validators(config: &Serve) -> Result<Option<Arc<dyn Validator>>, NotStarted> {
    let rules: Vec<AskRule> = config.c2b.ask.iter().flat_map(asked).collect();
    if rules.is_empty() {
        return Ok(None);
    }
    let asker = Asker::new(rules).map_err(|error| NotStarted::SetUp("c2b.ask", Box::new(error)))?;
    Ok(Some(Arc::new(asker)))
}

/// One rule for each form of account.
fn asked(ask: &Ask) -> impl Iterator<Item = AskRule> {
    let default = if ask.accept_by_default { Otherwise::Accept } else { Otherwise::Reject };
    ask.accounts.iter().cloned().map(move |accounts| AskRule {
        accounts,
        url: ask.url.clone(),
        deadline: ask.deadline,
        default,
    })
}

/// What the engine is told at its start; `apps` are those in the book.
///
/// # Errors
/// [`NotStarted::NoSuchApp`].
pub(super) fn settings(config: &Serve, apps: &[App]) -> Result<Settings, NotStarted> {
    Ok(Settings {
        organisation: config.organisation.name.clone(),
        shortcode: config.organisation.operator.shortcode.clone(),
        rail: config.payouts.rail,
        policy: Policy { unnamed: unnamed(config), ..config.payouts.policy.clone() },
        till: till(config, apps)?,
        first_result_wait: config.payouts.first_result_wait,
        limits: config.payouts.amounts,
    })
}

/// Rails whose requests do not carry our name.
fn unnamed(config: &Serve) -> Vec<Way> {
    let nameless = config.daraja.as_ref().is_some_and(|daraja| !daraja.names_payouts);
    nameless.then_some(Way::Daraja).into_iter().collect()
}

fn till(config: &Serve, apps: &[App]) -> Result<TillSettings, NotStarted> {
    let default = TillSettings::default();
    let (paid_to, shortcode, pulls) = match config.daraja.as_ref().map(|daraja| &daraja.app) {
        Some(DarajaApp { shortcode, till, .. }) => {
            let to = if till.is_some() { PaidTo::Till } else { PaidTo::PayBill };
            let paid = till.as_ref().unwrap_or(shortcode);
            (to, paid.as_str().to_owned(), shortcode.as_str().to_owned())
        }
        None => (default.paid_to, default.shortcode, default.pulls),
    };
    let mut routes = Vec::new();
    for route in &config.c2b.routes {
        let is_meant = |app: &&App| app.name == route.app && app.revoked_at.is_none();
        let app = apps.iter().find(is_meant);
        let app = app.ok_or_else(|| NotStarted::NoSuchApp(route.app.clone()))?.id;
        routes.extend(route.accounts.iter().cloned().map(|accounts| Route { accounts, app }));
    }
    Ok(TillSettings {
        shortcode,
        paid_to,
        pulls,
        policy: config.stk.policy.clone(),
        inquiries: inquiry::Policy::default(),
        amounts: config.stk.amounts,
        rules: config.c2b.rules.clone(),
        routes,
        templates: config.sms.as_ref().map(|sms| sms.templates.clone()).unwrap_or_default(),
        validation_timeout: config.c2b.validation_timeout,
    })
}
