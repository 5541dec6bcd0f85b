//! The composition root: configuration → parts → tasks → drain. The only file that names every
//! layer.

mod audit;
pub mod check;
mod copies;
mod follow;
mod recover;
mod tests_book;
mod upkeep;
mod ways;
mod wsdl;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::copies::{Manifest, Progress, Restored, Scratch, restore};
use self::follow::Leader;
pub use self::upkeep::Again;
use self::upkeep::Upkeep;
use self::ways::Ways;

use crate::clock::{Clock, SystemClock};
use crate::config::section;
use crate::config::{Secret, Serve, StoreUrl};
use crate::credential::CredentialError;
use crate::domain::payout::{Rail, Status};
use crate::domain::time::Timestamp;
use crate::engine::audit::{Actor, PROGRAM};
use crate::engine::port::Ids;
use crate::engine::{Engine, Parts};
use crate::http::BodyLimits;
use crate::http::admin::{self, Admin, Alone, AppView, AppWithKey, GatewayHealth};
use crate::http::api::Api;
use crate::http::apps::{Desk, NotDone};
use crate::http::auth::Apps;
use crate::http::callback::{self, Callbacks, Tokens};
use crate::http::guard::Rules;
use crate::http::router;
use crate::http::server::{Limits, Router, Server};
use crate::http::throttle::Pace;
use crate::ids::{self, RandomIds, SeededIds};
use crate::notify::{NotSetUp, traces};
pub use crate::store::Verified;
use crate::store::memory::MemoryStore;
use crate::store::sled::{Options, SledStore};
use crate::store::{CommitError, Scope, Store, StoreError};
use crate::telemetry::{metric, trace};
use crate::tls::{Acceptor, NoTls};

/// How long requests that are under way may go on once the program is to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long results of what was sent last are waited for then.
const RESULTS_GRACE: Duration = Duration::from_secs(3);
/// How many events are read at once where all are.
const EVENTS_AT_ONCE: usize = 1_000;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why the gateway did not start. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The credential certificate will not do.
    #[error("organisation.credential_certificate, {path}: {error}")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        error: CredentialError,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// Connections cannot be encrypted.
    #[error("{key}: {error}")]
    Tls {
        /// Which setting is at fault.
        key: &'static str,
        /// Why.
        error: Box<NoTls>,
    },
    /// The simulator's clock, by which the gateway is to go, does not answer.
    #[error("test.clock: {0}")]
    TestClock(String),
    /// Something that is told or asked cannot be reached as it is set up.
    #[error("{0}: {1}")]
    SetUp(&'static str, Box<NotSetUp>),
    /// The partner's own schema is broken, or what is sent is not to it.
    #[error("broker.wsdl_dir, {0}")]
    Schema(String),
    /// A route names an application that there is not.
    #[error(
        "c2b.routes: there is no application \"{0}\"; `mlango apps create {0}` makes one, \
         `mlango apps list` shows those that there are"
    )]
    NoSuchApp(String),
    /// A port is in use, or an address is not this machine's.
    #[error("{0}: {1}")]
    Listen(&'static str, io::Error),
    /// The store cannot be opened or read.
    #[error("store.url: {0}")]
    Store(#[from] StoreError),
    /// The book is one of tests and this gateway is not, or the other way round.
    #[error("store.url: {0}")]
    OtherBook(&'static str),
    /// A new book cannot be marked as one of tests.
    #[error("store.url: it cannot be marked as a book of tests: {0}")]
    Unmarked(CommitError),
    /// What was read anew is of another mode or clock than what runs. Nothing is changed.
    #[error(
        "[test] is not as it was when this gateway started: a gateway that runs goes on by the \
         clock that it started with, and calls nothing but what belongs to that; restart it"
    )]
    OtherClock,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where callbacks listen.
    pub callbacks: SocketAddr,
    engine: Arc<Engine>,
    apps: Arc<Apps>,
    /// The engine's tasks: the worker, the timer, every send.
    work: TaskTracker,
    /// The listeners.
    doors: TaskTracker,
    /// Ends sending and the API.
    stop: CancellationToken,
    /// Ends the callbacks, which go on while results of what was sent may come.
    closing: CancellationToken,
    /// What tells a collector of traces, to the last step.
    telling: TaskTracker,
    told: CancellationToken,
    started_at: Timestamp,
}

impl Gateway {
    /// Opens the store, puts what was in flight in its right state, and serves. Files are read
    /// once.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub async fn start(config: &Serve) -> Result<Self, NotStarted> {
        Self::start_kept(config, None).await
    }

    /// The same; secrets and certificates are read by `again` when their files change.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub async fn start_kept(config: &Serve, again: Option<Again>) -> Result<Self, NotStarted> {
        // Everything that can fail is done before anything is sent: ports first, as they are
        // what most often is not as it should be.
        let api = Server::bind(config.api.listen)
            .map_err(|error| NotStarted::Listen("api.listen", error))?;
        let callbacks = Server::bind(config.callbacks.listen)
            .map_err(|error| NotStarted::Listen("callbacks.listen", error))?;
        let plain = config.callbacks.plain_listen.map(Server::bind).transpose();
        let plain = plain.map_err(|error| NotStarted::Listen("callbacks.plain_listen", error))?;
        let doors = doors(config)?;
        let (clock, leader) = clock(config, &api).await?;
        let started_at = clock.now();
        let ways = Ways::new(config, &clock)?;
        let validators = ways::validators(config)?;
        let store = open(&config.store).await?;
        let ids = ids(config, store.as_ref()).await?;
        let now = tests_book::Now { clock: clock.as_ref(), ids: ids.as_ref() };
        tests_book::keep_apart(config.test.is_some(), store.as_ref(), now).await?;
        let settings = ways::settings(config, &store.apps().await?)?;
        let apps = Arc::new(Apps::load(store.as_ref()).await?);
        let (rails, notifier) = (ways.rails(), ways.notifier());
        let counter = Some(ways.counter());
        let parts =
            Parts { counter, notifier, validators, store, rails, ids, clock: Arc::clone(&clock) };
        let engine = Engine::new(parts, settings);
        let (work, stop) = (TaskTracker::new(), CancellationToken::new());
        let office = office(&config.store, &engine, &apps)?;
        if let Some(telemetry) = &config.telemetry {
            trace::open(telemetry.sample_percent);
        }
        audit::started(&engine, config).await;
        let rescued = engine.start(&work, &stop).await?;
        tracing::info!(
            in_doubt = rescued.lapsed,
            awaited = rescued.awaited,
            queued = rescued.queued,
            "what was in flight is in its right state"
        );
        let gateway = Self {
            api: api.local_addr().map_err(|error| NotStarted::Listen("api.listen", error))?,
            callbacks: callbacks
                .local_addr()
                .map_err(|error| NotStarted::Listen("callbacks.listen", error))?,
            engine,
            apps,
            work,
            doors: TaskTracker::new(),
            stop,
            closing: CancellationToken::new(),
            telling: TaskTracker::new(),
            told: CancellationToken::new(),
            started_at,
        };
        let upkeep = Upkeep {
            ways,
            tokens: tokens(config),
            doors,
            engine: Arc::clone(&gateway.engine),
            clock,
            notes: Arc::default(),
        };
        // Whoever asks first is told already what ends.
        upkeep.look(config);
        gateway.serve(config, (api, callbacks, plain), office, &upkeep);
        gateway.keep_up(config, upkeep, again);
        if let Some(pull) = config.c2b.pull {
            let (engine, stop) = (Arc::clone(&gateway.engine), gateway.stop.clone());
            gateway.work.spawn(recover::run(engine, pull, stop));
        }
        gateway.follow(leader);
        metric::announce();
        Ok(gateway)
    }

    fn serve(
        &self,
        config: &Serve,
        (api, callbacks, plain): (Server, Server, Option<Server>),
        office: Option<(Server, Router)>,
        upkeep: &Upkeep,
    ) {
        let body =
            BodyLimits { bytes: config.api.max_body_bytes, timeout: config.api.body_timeout };
        let limits = Limits {
            connections: config.api.max_connections,
            header_timeout: config.api.header_timeout,
            stall_timeout: config.api.body_timeout,
            drain: DRAIN,
        };
        let api_router = router::guarded(
            Api {
                engine: Arc::clone(&self.engine),
                apps: Arc::clone(&self.apps),
                limits: body,
                notes: Arc::clone(&upkeep.notes),
                shutdown: self.stop.clone(),
            },
            rules(&config.api),
        );
        let callback_limits = Limits { connections: config.callbacks.max_connections, ..limits };
        let callback_router = |client_names| {
            callback::guarded(
                Callbacks {
                    engine: Arc::clone(&self.engine),
                    tokens: Arc::clone(&upkeep.tokens),
                    client_names,
                    allow: config.callbacks.allow.clone(),
                    public_url: config.callbacks.public_url.trim_end_matches('/').to_owned(),
                    limits: BodyLimits { bytes: config.callbacks.max_body_bytes, ..body },
                },
                Pace::per_minute(config.callbacks.wrong_calls),
            )
        };
        let refused = metric::CALLBACK_REFUSED.with(["network"]);
        let allow = &config.callbacks.allow;
        self.host(upkeep.encrypt(api, "api"), api_router, limits, &self.stop);
        let callbacks = callbacks.only_from(allow.clone(), refused.clone());
        let router = callback_router(config.callbacks.client_names.clone());
        self.host(upkeep.encrypt(callbacks, "callbacks"), router, callback_limits, &self.closing);
        if let Some(plain) = plain {
            let plain = plain.only_from(allow.clone(), refused);
            self.host(plain, callback_router(Vec::new()), callback_limits, &self.closing);
        }
        if let Some((server, router)) = office {
            self.host(server, router, Limits { connections: 16, ..limits }, &self.stop);
        }
    }

    /// What goes on beside the work.
    fn keep_up(&self, config: &Serve, upkeep: Upkeep, again: Option<Again>) {
        let every = config.broker.as_ref().map(|broker| broker.way.probe_every);
        if let Some(every) = every.filter(|every| !every.is_zero()) {
            let (engine, stop) = (Arc::clone(&self.engine), self.stop.clone());
            self.work.spawn(async move { engine.probe(Rail::Soap, every, stop).await });
        }
        if let Some(collector) = upkeep.ways.traces.clone() {
            let told = self.told.clone();
            self.telling.spawn(async move { traces::run(&collector, told).await });
        }
        self.work.spawn(upkeep.run(config.clone(), again, self.stop.clone()));
    }

    /// Goes by the clock of a simulator, if there is to be one.
    fn follow(&self, leader: Option<Leader>) {
        if let Some(leader) = leader {
            let (engine, stop) = (Arc::clone(&self.engine), self.stop.clone());
            self.work.spawn(follow::run(engine, leader, stop));
        }
    }

    fn host(&self, server: Server, router: Router, limits: Limits, stop: &CancellationToken) {
        let stop = stop.clone();
        self.doors.spawn(async move {
            let cut = server.serve(router, limits, stop).await;
            if cut > 0 {
                tracing::warn!(cut, "connections were cut because they did not end in time");
            }
        });
    }

    /// Makes an application with a key, and answers the key.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn create_app(&self, name: &str, scopes: &[Scope]) -> Result<String, NotDone> {
        let parts = (self.engine.store(), self.engine.clock(), self.engine.ids());
        let desk = desk(parts.0.as_ref(), parts.1.as_ref(), parts.2.as_ref(), &PROGRAM);
        let (app, key) = desk.create(name, scopes).await?;
        self.apps.put(&app);
        Ok(key.reveal().to_owned())
    }

    /// When it started.
    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// What it remembers with.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.engine.store()
    }

    /// Stops taking and sending, finishes what is under way and writes it down, and lets go of
    /// the store.
    pub async fn drain(self) {
        self.stop.cancel();
        self.work.close();
        self.work.wait().await;
        self.await_results().await;
        self.closing.cancel();
        self.doors.close();
        self.doors.wait().await;
        audit::stopped(&self.engine).await;
        self.engine.store().close().await;
        self.told.cancel();
        self.telling.close();
        self.telling.wait().await;
    }

    /// What was sent last may be answered by a result within moments, and a broker that finds the
    /// door closed may not come again (spec/soap.md §5.8): the door stays open a little longer.
    async fn await_results(&self) {
        let counts = || self.engine.store().counts();
        let all_settled = async {
            while counts().of(Status::Accepted) > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(RESULTS_GRACE, all_settled).await.is_err() {
            let awaited = counts().of(Status::Accepted);
            tracing::info!(awaited, "results have not come yet; they are awaited after the start");
        }
    }
}

/// Where identifiers come from: from chance, but for tests. Those of a seed follow from what is in
/// the book, too: a gateway that is started again makes none a second time.
async fn ids(config: &Serve, store: &dyn Store) -> Result<Arc<dyn Ids>, StoreError> {
    let Some(seed) = config.test.as_ref().and_then(|test| test.seed) else {
        return Ok(Arc::new(RandomIds::default()));
    };
    let mut known = 0;
    while let Some(last) = store.events(known, EVENTS_AT_ONCE).await?.last() {
        known = last.seq;
    }
    Ok(Arc::new(SeededIds::new(seed, known)))
}

/// What time goes by: the machine's clock, but for tests.
async fn clock(
    config: &Serve,
    api: &Server,
) -> Result<(Arc<dyn Clock>, Option<Leader>), NotStarted> {
    let Some(test) = &config.test else {
        return Ok((Arc::new(SystemClock), None));
    };
    let api = api.local_addr().map_err(|error| NotStarted::Listen("api.listen", error))?;
    let leader = Leader::new(&test.clock, api);
    let clock = leader.join().await.map_err(NotStarted::TestClock)?;
    Ok((Arc::new(clock), Some(leader)))
}

/// How often the API may be asked.
const fn rules(api: &section::Api) -> Rules {
    let section::ApiPace { per_key, per_peer, burst, wrong_keys } = api.pace;
    Rules {
        keys: Pace::per_second(per_key, burst),
        peers: Pace::per_second(per_peer, burst),
        wrong_keys: Pace::per_minute(wrong_keys),
        open_metrics: api.open_metrics,
    }
}

/// The listeners' encryption, by section.
fn doors(config: &Serve) -> Result<Vec<(&'static str, Acceptor)>, NotStarted> {
    let sections = [
        ("api", "api.tls_certificate", &config.api.tls),
        ("callbacks", "callbacks.tls_certificate", &config.callbacks.tls),
    ];
    let set =
        sections.into_iter().filter_map(|(section, key, tls)| Some((section, key, tls.as_ref()?)));
    set.map(|(section, key, tls)| {
        let acceptor = Acceptor::new(tls.clone());
        let no_tls = |error| NotStarted::Tls { key, error: Box::new(error) };
        Ok((section, acceptor.map_err(no_tls)?))
    })
    .collect()
}

fn tokens(config: &Serve) -> Arc<Tokens> {
    let previous = config.callbacks.previous_token.as_ref().map(Secret::reveal);
    Arc::new(Tokens::new(config.callbacks.token.reveal(), previous))
}

/// Opens the store.
async fn open(config: &section::Store) -> Result<Arc<dyn Store>, StoreError> {
    match &config.url {
        StoreUrl::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreUrl::Sled(dir) => {
            let dir = dir.clone();
            let options = Options { cache_bytes: config.cache_bytes };
            // Opening reads much of the disk: not on a thread that serves.
            let opened = tokio::task::spawn_blocking(move || SledStore::open(&dir, options)).await;
            match opened {
                Ok(store) => Ok(Arc::new(store?)),
                Err(error) => Err(StoreError::Failed(format!("opening it was cut off: {error}"))),
            }
        }
    }
}

/// The socket beside the store, for the shell. None for a store in memory.
fn office(
    config: &section::Store,
    engine: &Arc<Engine>,
    apps: &Arc<Apps>,
) -> Result<Option<(Server, Router)>, NotStarted> {
    let Some(path) = socket(&config.url) else {
        return Ok(None);
    };
    let server = Server::bind_file(&path)
        .map_err(|error| NotStarted::Listen("the socket beside the store", error))?;
    let admin = Admin::new(Arc::clone(engine), Arc::clone(apps), ids::random);
    Ok(Some((server, admin::router(admin))))
}

/// Where the socket of a gateway on this store is.
pub fn socket(url: &StoreUrl) -> Option<PathBuf> {
    match url {
        StoreUrl::Memory => None,
        StoreUrl::Sled(dir) => Some(admin::socket_beside(dir)),
    }
}

fn desk<'a>(
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    source: &'a dyn Ids,
    actor: &'a Actor,
) -> Desk<'a> {
    Desk { store, clock, ids: source, random: ids::random, actor }
}

/// The book without a gateway: for shell commands when none runs.
#[derive(Debug)]
pub struct Book {
    store: Arc<dyn Store>,
    ids: RandomIds,
    /// From where it is worked on, for the record.
    from: String,
    operator: Actor,
}

impl Book {
    /// Opens the store itself.
    ///
    /// # Errors
    /// It cannot be opened; such as when a gateway has it open.
    pub async fn open(config: &section::Store) -> Result<Self, StoreError> {
        let from = audit::here();
        let operator = Actor::new("the operator".to_owned(), from.clone());
        Ok(Self { store: open(config).await?, ids: RandomIds::default(), from, operator })
    }

    /// Makes an application.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn create_app(&self, name: &str, scopes: &[Scope]) -> Result<AppWithKey, NotDone> {
        let (app, key) = self.desk().create(name, scopes).await?;
        Ok(AppWithKey { app: AppView::from(&app), key: key.reveal().to_owned() })
    }

    /// What may be done to applications.
    pub fn desk(&self) -> Desk<'_> {
        desk(self.store.as_ref(), &SystemClock, &self.ids, &self.operator)
    }

    /// What may be done to rails and cases.
    pub fn alone(&self) -> Alone<'_> {
        let from = &self.from;
        Alone { store: self.store.as_ref(), clock: &SystemClock, ids: &self.ids, from }
    }

    /// What a gateway would say of the book, if one had it open.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn health(&self) -> Result<GatewayHealth, StoreError> {
        let apps = self.store.apps().await?;
        let apps = apps.into_iter().filter(|app| app.revoked_at.is_none());
        let registered = admin::registered_at(self.store.as_ref()).await?;
        Ok(GatewayHealth {
            apps: apps.map(|app| app.name).collect(),
            registered_at: registered.map(Timestamp::rfc3339),
            ..GatewayHealth::default()
        })
    }

    /// Reads everything and says what it found ([`Store::verify`]).
    ///
    /// # Errors
    /// Something could not be read at all.
    pub async fn verify(&self) -> Result<Verified, StoreError> {
        self.store.verify().await
    }

    /// Lets go of the store.
    pub async fn close(self) {
        self.store.close().await;
    }
}
