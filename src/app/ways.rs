//! From the configuration to the ways out: rails, counter, text messages, and what the engine is
//! told.

use std::path::Path;
use std::sync::Arc;

use super::NotStarted;
use super::wsdl::gatekeeper;
use crate::clock::Clock;
use crate::config::Secret;
use crate::config::Serve;
use crate::config::section::{
    Ask, Broker, Callbacks, Daraja, DarajaApp, HeaderNamespace, Operator, PasswordCase,
};
use crate::credential::Certificate;
use crate::daraja::B2cVersion;
use crate::daraja::request::{self as rest, NameKey};
use crate::daraja::rules::{Limits as Amounts, Place};
use crate::domain::inquiry::{self, PaidTo};
use crate::domain::payout::{Policy, Rail as Way};
use crate::domain::time::Timestamp;
use crate::engine::port::{Counter, Notifier, Rail, Rails, Validator};
use crate::engine::{Route, Settings, TillSettings};
use crate::notify::ask::{AskRule, Asker, Otherwise};
use crate::notify::sms::{Sms, SmsSettings};
use crate::notify::traces::Collector;
use crate::rail::daraja::{self as daraja_rail, DarajaRail, Prompts};
use crate::rail::link::Link;
use crate::rail::renewable::Renewable;
use crate::rail::soap::{self as soap_rail, SoapRail};
use crate::rail::soap_counter::{Counters, SoapCounter};
use crate::rail::transport::{Deadlines, Origin, Site, Source};
use crate::soap::header::{HexCase, Namespace};
use crate::soap::request::Caller;
use crate::store::App;
use crate::tls::{Backend, Client, ClientSettings, NoTls, Trust};

/// The host of M-Pesa's production (spec/daraja.md §1); anything else is a sandbox.
const PRODUCTION: &str = "api.safaricom.co.ke";

/// The broker's, for payouts and for everything else.
pub(super) struct BrokerWays {
    rail: Arc<Renewable<SoapRail>>,
    counter: Arc<Renewable<SoapCounter>>,
}

/// The ways to M-Pesa and to phones, as they may be renewed while they are used.
pub(super) struct Ways {
    /// The broker's, for payouts and for everything else.
    pub soap: Option<BrokerWays>,
    /// Daraja's.
    pub daraja: Option<Arc<Renewable<DarajaRail>>>,
    /// To phones.
    pub sms: Option<Arc<Renewable<Sms>>>,
    /// To a collector of traces.
    pub traces: Option<Arc<Renewable<Collector>>>,
    /// How each is encrypted, by the section that says so.
    pub encryption: Vec<(&'static str, Client)>,
}

impl Ways {
    /// Builds what is set up. Nothing is sent.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn new(config: &Serve, clock: &Arc<dyn Clock>) -> Result<Self, NotStarted> {
        // One value serves for as long as the password does (spec/soap.md §6; spec/daraja.md §5).
        let credential = credential(config, clock.now())?;
        let encryption = Vec::new();
        let mut ways = Self { soap: None, daraja: None, sms: None, traces: None, encryption };
        if let Some(broker) = &config.broker {
            let origin = broker_origin(broker, clock)?;
            ways.encryption.extend(origin.tls.clone().map(|tls| ("broker", tls)));
            let soap = soap(config, broker, (origin, clock.now()), credential.clone())?;
            if clock.steered().is_some() {
                soap.rail.current().go_by(clock);
                soap.counter.current().go_by(clock);
            }
            ways.soap = Some(soap);
        }
        if let Some(daraja) = &config.daraja {
            let site = daraja_site(daraja, clock)?;
            ways.encryption.extend(site.origin.tls.clone().map(|tls| ("daraja", tls)));
            let rail = DarajaRail::new(
                Arc::new(site.clone()),
                daraja_settings(config, daraja, credential),
            );
            if !rail.names_payouts() {
                tracing::warn!(
                    "daraja.b2c_version is \"v1\": M-Pesa is not told our name for a payout, and \
                     one whose answer is lost cannot be asked about; prefer \"v3\""
                );
            }
            let rail = rail.watched(site).by(clock);
            ways.daraja = Some(Arc::new(Renewable::new(rail)));
        }
        ways.sms = sms(config)?.map(|sms| Arc::new(Renewable::new(sms)));
        ways.traces = traces(config)?.map(|collector| Arc::new(Renewable::new(collector)));
        Ok(ways)
    }

    /// For payouts.
    pub fn rails(&self) -> Rails {
        let mut rails = Rails::default();
        if let Some(BrokerWays { rail, .. }) = &self.soap {
            let rail: Arc<dyn Rail> = Arc::<Renewable<SoapRail>>::clone(rail);
            rails = rails.with(Way::Soap, rail);
        }
        if let Some(rail) = &self.daraja {
            let rail: Arc<dyn Rail> = Arc::<Renewable<DarajaRail>>::clone(rail);
            rails = rails.with(Way::Daraja, rail);
        }
        rails
    }

    /// For everything else, each thing the way that it names.
    pub fn counter(&self) -> Arc<dyn Counter> {
        let soap = self.soap.as_ref().map(|ways| {
            let counter: Arc<dyn Counter> = Arc::<Renewable<SoapCounter>>::clone(&ways.counter);
            counter
        });
        let daraja = self.daraja.as_ref().map(|rail| {
            let counter: Arc<dyn Counter> = Arc::<Renewable<DarajaRail>>::clone(rail);
            counter
        });
        Arc::new(Counters { soap, daraja })
    }

    /// To phones.
    pub fn notifier(&self) -> Option<Arc<dyn Notifier>> {
        let sms: Arc<dyn Notifier> = Arc::<Renewable<Sms>>::clone(self.sms.as_ref()?);
        Some(sms)
    }

    /// Takes passwords, keys and tokens from `config`, which was read again, and reads the files
    /// of certificates again. What is returned, when called, puts all of it in use.
    ///
    /// # Errors
    /// [`NotStarted`]: some of it will not do, and everything stays as it is.
    pub fn read_again<'a>(
        &'a self,
        config: &'a Serve,
        now: Timestamp,
    ) -> Result<impl FnOnce() + 'a, NotStarted> {
        let credential = credential(config, now)?;
        let texts = sms(config)?;
        let collector = traces(config)?;
        let clients = self
            .encryption
            .iter()
            .map(|(key, client)| client.read_again().map_err(|error| no_tls(key, error)));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        Ok(move || {
            clients.into_iter().for_each(|put_in_use| put_in_use());
            self.exchange(config, credential, (texts, collector));
        })
    }

    fn exchange(
        &self,
        config: &Serve,
        credential: String,
        (texts, collector): (Option<Sms>, Option<Collector>),
    ) {
        if let (Some(BrokerWays { rail, counter }), Some(broker)) = (&self.soap, &config.broker) {
            let operator = &config.organisation.operator;
            let caller = caller(operator, broker, &callbacks(config), credential.clone());
            rail.renew(rail.current().renewed(caller.clone()));
            counter.renew(counter.current().renewed(caller, callbacks(config)));
        }
        if let (Some(rail), Some(daraja)) = (&self.daraja, &config.daraja) {
            rail.renew(rail.current().renewed(daraja_settings(config, daraja, credential)));
        }
        if let (Some(sms), Some(texts)) = (&self.sms, texts) {
            sms.renew(texts);
        }
        if let (Some(traces), Some(collector)) = (&self.traces, collector) {
            traces.renew(collector);
        }
    }
}

fn no_tls(key: &'static str, error: NoTls) -> NotStarted {
    NotStarted::Tls { key, error: Box::new(error) }
}

fn credential(config: &Serve, now: Timestamp) -> Result<String, NotStarted> {
    let organisation = &config.organisation;
    let (certificate, path) = credential_certificate(config)?;
    if certificate.is_expired(now) {
        tracing::warn!(
            certificate = path,
            "the credential certificate has expired; M-Pesa does not mind, but ask for a newer one"
        );
    }
    certificate
        .encrypt(organisation.operator.initiator_password.reveal())
        .map_err(|error| NotStarted::Certificate { path, error })
}

/// M-Pesa's certificate for passwords, and its file.
pub(super) fn credential_certificate(config: &Serve) -> Result<(Certificate, String), NotStarted> {
    let path: &Path = &config.organisation.credential_certificate;
    let shown = path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|error| NotStarted::File { path: shown.clone(), error })?;
    let certificate = Certificate::from_bytes(&bytes)
        .map_err(|error| NotStarted::Certificate { path: shown.clone(), error })?;
    Ok((certificate, shown))
}

/// Where M-Pesa calls, without a slash at the end.
fn callbacks(config: &Serve) -> String {
    callbacks_at(&config.callbacks)
}

/// The same, of the section alone.
pub(super) fn callbacks_at(callbacks: &Callbacks) -> String {
    let base = callbacks.public_url.trim_end_matches('/');
    format!("{base}/cb/{}", callbacks.token.reveal())
}

/// The broker, and the way there.
pub(super) fn broker_origin(broker: &Broker, clock: &Arc<dyn Clock>) -> Result<Origin, NotStarted> {
    let (url, way) = (&broker.url, &broker.way);
    let tls = url.https.then(|| Client::new(broker_encryption(broker))).transpose();
    Ok(Origin {
        host: url.host.clone(),
        port: url.port,
        tls: tls.map_err(|error| no_tls("broker", error))?,
        source: Source { address: way.local_address, interface: way.interface.clone() },
        link: Some(Arc::new(Link::new("soap", Arc::clone(clock)))),
    })
}

/// How the way to the broker is encrypted, where it is.
pub(super) fn broker_encryption(broker: &Broker) -> ClientSettings {
    let way = &broker.way;
    ClientSettings {
        host: broker.url.host.clone(),
        server_name: way.server_name.clone(),
        // A partner's own authority counts alone: nobody else vouches for the broker.
        trust: way.ca.clone().map_or(Trust::Machine, Trust::Only),
        identity: way.identity.clone(),
        pins: way.pins.clone(),
        backend: if way.old { Backend::Old } else { Backend::Strong },
    }
}

/// Who we are to the broker.
pub(super) fn caller(
    operator: &Operator,
    broker: &Broker,
    callbacks: &str,
    credential: String,
) -> Caller {
    let (provider, link) = (&broker.provider, &broker.link);
    Caller {
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
    }
}

/// The rail to the broker, and the counter at it.
///
/// # Errors
/// [`NotStarted::Schema`].
fn soap(
    config: &Serve,
    broker: &Broker,
    (origin, now): (Origin, Timestamp),
    credential: String,
) -> Result<BrokerWays, NotStarted> {
    let link = &broker.link;
    let caller = caller(&config.organisation.operator, broker, &callbacks(config), credential);
    let limits = soap_rail::Limits {
        deadlines: Deadlines {
            connect: link.connect_timeout,
            send: link.send_timeout,
            answer: link.timeout,
        },
        max_per_second: link.max_per_second,
        max_in_flight: u32::try_from(link.max_in_flight).unwrap_or(u32::MAX),
    };
    let site = Site { origin: origin.clone(), deadlines: limits.deadlines };
    let names = (callbacks(config), config.organisation.name.clone());
    let keeper = broker.wsdl_dir.as_ref().map(|dir| gatekeeper(dir, &caller, now).map(Arc::new));
    let keeper = keeper.transpose().map_err(NotStarted::Schema)?;
    let counter = SoapCounter::new(Arc::new(site), caller.clone(), names, &limits);
    let counter = counter.checked_by(keeper.clone());
    let rail = SoapRail::new(origin, caller, limits).checked_by(keeper);
    let (rail, counter) = (Arc::new(Renewable::new(rail)), Arc::new(Renewable::new(counter)));
    Ok(BrokerWays { rail, counter })
}

/// Daraja, and the way there.
pub(super) fn daraja_site(daraja: &Daraja, clock: &Arc<dyn Clock>) -> Result<Site, NotStarted> {
    let url = &daraja.url;
    let key = if daraja.ca.is_some() { "daraja.ca" } else { "daraja.url" };
    let tls = url.https.then(|| Client::to(&url.host, daraja.ca.clone())).transpose();
    let tls = tls.map_err(|error| no_tls(key, error))?;
    let link = Some(Arc::new(Link::new("daraja", Arc::clone(clock))));
    Ok(Site {
        origin: Origin { tls, link, ..Origin::plain(url.host.clone(), url.port) },
        deadlines: Deadlines {
            connect: daraja.link.connect_timeout,
            send: daraja.link.send_timeout,
            answer: daraja.link.timeout,
        },
    })
}

/// Who we are to Daraja.
fn daraja_settings(config: &Serve, daraja: &Daraja, credential: String) -> daraja_rail::Settings {
    let operator = &config.organisation.operator;
    let payer = daraja.app.b2c_shortcode.as_ref().unwrap_or(&operator.shortcode);
    let (to, receiver) = match &daraja.app.till {
        Some(till) => (PaidTo::Till, till),
        None => (PaidTo::PayBill, &daraja.app.shortcode),
    };
    daraja_rail::Settings {
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
        place: if daraja.url.host == PRODUCTION { Place::Production } else { Place::Sandbox },
        max_in_flight: daraja.link.max_in_flight,
        max_per_second: daraja.link.max_per_second,
        stk_query_every: daraja.link.stk_query_every,
    }
}

/// The way to phones, if one is set up.
fn sms(config: &Serve) -> Result<Option<Sms>, NotStarted> {
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
    Sms::new(settings).map(Some).map_err(|error| NotStarted::SetUp("sms", Box::new(error)))
}

/// The way to a collector of traces, if one is set up.
fn traces(config: &Serve) -> Result<Option<Collector>, NotStarted> {
    let Some(telemetry) = &config.telemetry else {
        return Ok(None);
    };
    let headers = telemetry.headers.as_ref().map(Secret::reveal);
    let (url, ca) = (&telemetry.otlp_url, telemetry.ca.as_deref());
    Collector::new(url, headers, ca, &telemetry.service_name)
        .map(Some)
        .map_err(|error| NotStarted::SetUp("telemetry.otlp_url", Box::new(error)))
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
