//! One life of the program: its parts put together as `app` does, without sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use mlango::daraja::request::{self, NameKey};
use mlango::daraja::rules::Place;
use mlango::domain::inquiry::PaidTo;
use mlango::domain::payout::Rail;
use mlango::engine::port::Rails;
use mlango::engine::{Engine, Parts, Settings};
use mlango::http::BodyLimits;
use mlango::http::api::Api;
use mlango::http::auth::Apps;
use mlango::http::callback::{self, Callbacks, Tokens};
use mlango::http::router;
use mlango::rail::daraja::{DarajaRail, Prompts, Settings as DarajaSettings};
use mlango::rail::soap::{Limits, SoapRail};
use mlango::rail::transport::Deadlines;
use mlango::sim;
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::Caller;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fate::{Fate, Trips};
use crate::net::{ANSWER, Again, CONNECT, Door, SimWeb, SimWire};
use crate::store::{Disk, Troubles};
use crate::till::{self, TILL};
use crate::world::{INITIATOR, ORGANISATION, PROVIDER, SHORTCODE, TOKEN, World};

const BODY: BodyLimits = BodyLimits { bytes: 64 * 1024, timeout: Duration::from_secs(5) };

/// The program, running.
pub struct Life {
    pub engine: Arc<Engine>,
    pub api: Router,
    pub disk: Arc<Disk>,
    pub fate: Fate,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What the engine is told.
fn settings(world: &World) -> Settings {
    Settings {
        organisation: ORGANISATION.to_owned(),
        shortcode: SHORTCODE.parse().expect("a short code"),
        rail: Rail::Soap,
        policy: world.policy.clone(),
        till: Default::default(),
        first_result_wait: Duration::from_secs(2),
        limits: Default::default(),
    }
}

/// What M-Pesa calls.
fn callbacks(engine: &Arc<Engine>) -> Router {
    callback::router(Callbacks {
        engine: Arc::clone(engine),
        tokens: Arc::new(Tokens::new(TOKEN, None)),
        client_names: Vec::new(),
        allow: vec![],
        public_url: "http://gw.example.org".to_owned(),
        limits: BODY,
    })
}

impl Life {
    /// Starts it; a store that cannot be read yet refuses the start, and it is tried again.
    /// `None` when it dies while it starts.
    pub async fn begin(
        world: &World,
        trips: Arc<Trips>,
        again: Again,
        troubles: Troubles,
    ) -> Option<Self> {
        let fate = Fate::new(trips);
        let dice = world.dice();
        let store = Arc::clone(&world.store);
        let disk = Arc::new(Disk::open(store, fate.clone(), dice, troubles));
        let net = Arc::clone(&world.net);
        let wire = SimWire { net, fate: fate.clone(), again };
        let web = SimWeb(SimWire { net: Arc::clone(&world.net), fate: fate.clone(), again });
        let daraja = Arc::new(DarajaRail::new(Arc::new(web), daraja(world)));
        let limits = Limits {
            deadlines: Deadlines { connect: CONNECT, send: ANSWER, answer: ANSWER },
            max_per_second: 5,
            max_in_flight: 4,
        };
        let rail = SoapRail::over(Arc::new(wire), caller(), limits);
        let parts = Parts {
            counter: Some(Arc::<DarajaRail>::clone(&daraja)),
            notifier: None,
            validators: None,
            store: Arc::<Disk>::clone(&disk),
            rails: Rails::only(Rail::Soap, Arc::new(rail)).with(Rail::Daraja, daraja),
            clock: Arc::clone(&world.clock),
            ids: Arc::clone(&world.ids),
        };
        let engine = Engine::new(parts, settings(world));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let begun = async {
            let apps = loop {
                match Apps::load(disk.as_ref()).await {
                    Ok(apps) => break Arc::new(apps),
                    Err(_unread) => sleep(Duration::from_secs(1)).await,
                }
            };
            while engine.start(&tasks, &stop).await.is_err() {
                if disk.has_failed() {
                    return None;
                }
                sleep(Duration::from_secs(1)).await;
            }
            Some(apps)
        };
        let apps = tokio::select! {
            biased;
            () = fate.ended() => None,
            apps = begun => apps,
        };
        let Some(apps) = apps else {
            fate.kill();
            stop.cancel();
            return None;
        };
        let api = router::router(Api {
            engine: Arc::clone(&engine),
            apps,
            limits: BODY,
            shutdown: stop.clone(),
            notes: Arc::default(),
        });
        let callbacks = callbacks(&engine);
        world.net.open(Some(Door { callbacks, fate: fate.clone() }));
        till::pulls(world, (&engine, &stop, &fate));
        world.net.note(|| "the program runs".to_owned());
        Some(Self { engine, api, disk, fate, stop, tasks })
    }

    /// Kills it: nothing it does has any effect any more. Its loops end, so that they cost nothing.
    pub fn kill(self, world: &World) {
        world.net.note(|| "the program is killed".to_owned());
        self.fate.kill();
        world.net.open(None);
        self.stop.cancel();
    }

    /// Stops it as an operator does.
    pub async fn drain(self, world: &World) {
        world.net.note(|| "the program is stopped".to_owned());
        self.stop.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.fate.ended() => {}
            () = self.tasks.wait() => {}
        }
        self.kill(world);
    }
}

/// How the gateway speaks to Daraja.
fn daraja(world: &World) -> DarajaSettings {
    let known = sim::DarajaSettings::default();
    DarajaSettings {
        consumer_key: known.consumer_key,
        consumer_secret: known.consumer_secret.into(),
        payer: request::Caller {
            shortcode: SHORTCODE.to_owned(),
            initiator: INITIATOR.to_owned(),
            security_credential: World::credential().to_owned(),
        },
        prompts: Prompts {
            shortcode: TILL.to_owned(),
            passkey: known.passkey.into(),
            to: PaidTo::PayBill,
            receiver: TILL.to_owned(),
        },
        callbacks: format!("http://gw.example.org/cb/{TOKEN}"),
        b2c: world.b2c,
        name_key: NameKey::Originator,
        amounts: Default::default(),
        place: Place::Sandbox,
        max_in_flight: 4,
        max_per_second: 5,
        stk_query_every: Duration::from_secs(12),
    }
}

fn caller() -> Caller {
    Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: PROVIDER.to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: SHORTCODE.to_owned(),
        initiator: INITIATOR.to_owned(),
        security_credential: World::credential().to_owned(),
        result_url: format!("http://gw.example.org/cb/{TOKEN}/b2c/result"),
        queue_timeout_url: format!("http://gw.example.org/cb/{TOKEN}/b2c/timeout"),
    }
}
