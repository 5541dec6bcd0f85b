//! A directory with a configuration, and gateways that run on it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mlango::config::{Environment, Serve, Simulate, Source};
use mlango::domain::id::AppId;
use mlango::domain::payout::Status;
use mlango::domain::time::Timestamp;
use mlango::http::auth::PlainKey;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{App, AppKey, Commit, Counts, Scope, Store};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a gateway may take to start or stop, also under a profiler.
const PATIENCE: Duration = Duration::from_secs(120);
/// The name of this program's own binary, built with the same profile.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mlango");
/// A variable that says where stores are put, if not on the disk that the project is built on.
const DIR: &str = "MLANGO_BENCH_DIR";
/// A variable that holds a command under which the gateway runs, such as a profiler.
const UNDER: &str = "MLANGO_BENCH_UNDER";

/// Where stores are put.
pub fn disk() -> PathBuf {
    let chosen = std::env::var_os(DIR);
    chosen.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from)
}

/// `mlango`, as it is or under a profiler.
fn program() -> Command {
    let under = std::env::var(UNDER).unwrap_or_default();
    let mut words = under.split_whitespace();
    match words.next() {
        None => Command::new(PROGRAM),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(PROGRAM);
            command
        }
    }
}

/// Variables that are set over the configuration.
pub type Overrides = Vec<(String, String)>;

/// A directory of its own, on the disk that the project is built on, with a configuration.
pub struct Home {
    dir: TempDir,
    token: String,
}

impl Home {
    /// A fresh one.
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in(disk()).expect("a directory");
        let made = Command::new(PROGRAM)
            .args(["init", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("mlango init runs");
        assert!(made.success(), "mlango init");
        let mut home = Self { dir, token: String::new() };
        home.token = home.serve_config(&[]).callbacks.token.reveal().to_owned();
        home
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("mlango.toml")
    }

    /// The secret part of the callback paths.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where the store is.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What the gateway is told.
    pub fn serve_config(&self, overrides: &[(String, String)]) -> Serve {
        let environment = Environment::of(overrides.iter().cloned());
        let source = Source::open(Some(&self.config()), environment).expect("a configuration");
        source.serve().expect("a good configuration").config
    }

    /// What the simulator is told.
    pub fn simulate_config(&self) -> Simulate {
        let source = Source::open(Some(&self.config()), Environment::default());
        let loaded = source.expect("a configuration").simulate();
        loaded.expect("a good configuration").config
    }

    /// The store, opened here.
    pub fn open(&self) -> SledStore {
        let cache_bytes = self.serve_config(&[]).store.cache_bytes;
        SledStore::open(&self.data(), Options { cache_bytes }).expect("a store")
    }

    /// How many payouts stand where; nobody else may have the store open.
    pub async fn counts(&self) -> Counts {
        let store = self.open();
        let counts = store.counts();
        store.close().await;
        counts
    }

    /// How many bytes the store takes on the disk.
    pub fn disk_bytes(&self) -> u64 {
        bytes_below(&self.data())
    }
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("a directory");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let about = entry.metadata().expect("about a file");
            if about.is_dir() { bytes_below(&entry.path()) } else { about.len() }
        })
        .sum()
}

/// An application whose key is known.
pub struct KeyedApp {
    pub app: App,
    pub key: String,
}

impl KeyedApp {
    /// The `n`th: `n` below 256.
    pub fn new(n: u8, scopes: &[Scope], now: Timestamp) -> Self {
        let key = PlainKey::of(&[n; 32]);
        let mut id = [n; 16];
        id[..6].copy_from_slice(&now.millis().to_be_bytes()[2..]);
        let app = App {
            id: AppId::from_bytes(id),
            name: format!("bench {n}"),
            scopes: scopes.to_vec(),
            keys: vec![AppKey { hash: key.hash(), created_at: now, ends_at: None }],
            created_at: now,
            revoked_at: None,
        };
        Self { app, key: key.reveal().to_owned() }
    }

    /// Four finance systems that submit, and a fifth application that sees everything.
    pub fn five(now: Timestamp) -> Vec<Self> {
        let own = [Scope::PayoutsWrite, Scope::PayoutsRead];
        let all = [Scope::ReadAll];
        (1..=5).map(|n| Self::new(n, if n < 5 { &own } else { &all }, now)).collect()
    }

    pub async fn put_all(apps: &[Self], store: &dyn Store) {
        let apps = apps.iter().map(|it| it.app.clone()).collect();
        let commit = Commit { apps, ..Commit::default() };
        let _durable = store.commit(commit).await.expect("applications are kept");
    }
}

/// A gateway that runs.
pub struct Gateway {
    child: Child,
    pub api: SocketAddr,
    pub callbacks: SocketAddr,
    /// From the start of the process until it said that it serves.
    pub took: Duration,
    /// Where it sends.
    broker: Option<Silence>,
}

impl Gateway {
    /// Starts one whose broker takes one request and never answers it: everything but sending.
    pub async fn at_rest(home: &Home) -> Self {
        let broker = Silence::new().await;
        let overrides = vec![
            ("MLANGO__BROKER__URL".to_owned(), format!("http://{}", broker.address)),
            ("MLANGO__BROKER__TIMEOUT".to_owned(), "5m".to_owned()),
            ("MLANGO__BROKER__MAX_IN_FLIGHT".to_owned(), "1".to_owned()),
            ("MLANGO__BROKER__MAX_PER_SECOND".to_owned(), "1".to_owned()),
        ];
        let mut gateway = Self::start(home, overrides).await;
        gateway.broker = Some(broker);
        gateway
    }

    /// Starts one.
    pub async fn start(home: &Home, overrides: Overrides) -> Self {
        let mut overrides = overrides;
        let [api, callbacks] = free_ports();
        overrides.extend([
            ("MLANGO__API__LISTEN".to_owned(), api.to_string()),
            // What this machine does, and not what one caller may have of it.
            ("MLANGO__API__REQUESTS_PER_SECOND_PER_KEY".to_owned(), "0".to_owned()),
            ("MLANGO__API__REQUESTS_PER_SECOND_PER_PEER".to_owned(), "0".to_owned()),
            ("MLANGO__CALLBACKS__LISTEN".to_owned(), callbacks.to_string()),
            ("MLANGO__CALLBACKS__PUBLIC_URL".to_owned(), format!("http://{callbacks}")),
        ]);
        let log = home.dir.path().join("log");
        let file = File::create(&log).expect("a log");
        let begun = Instant::now();
        let child = program()
            .arg("--config")
            .arg(home.config())
            .arg("serve")
            .envs(overrides)
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("mlango serve runs");
        let mut gateway = Self { child, api, callbacks, took: Duration::ZERO, broker: None };
        while !says_it_serves(&log) {
            let ended = gateway.child.try_wait().expect("a process");
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("the gateway did not start: {said}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        gateway.took = begun.elapsed();
        gateway
    }

    /// Its memory now, in bytes: the operating system's figure (`VmRSS`).
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        number.expect("its memory") * 1024
    }

    /// The processor time that it and this process have used, in microseconds.
    pub fn times(&self) -> (u64, u64) {
        (time_of(&self.child.id().to_string()), time_of("self"))
    }

    /// Stops it in order.
    pub async fn stop(mut self) {
        let id = self.child.id();
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status();
        assert!(told.expect("kill runs").success(), "the gateway was there");
        // The one send that is under way ends now; the worker takes no other.
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(self.broker.take());
        let begun = Instant::now();
        while self.child.try_wait().expect("a process").is_none() {
            assert!(begun.elapsed() < PATIENCE, "the gateway stops");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Ended already, unless something went wrong.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn says_it_serves(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|said| said.contains("API on http://"))
}

/// Two ports that are free, and not the same: both are held before either is let go.
fn free_ports() -> [SocketAddr; 2] {
    [(); 2]
        .map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"))
        .map(|listener| listener.local_addr().expect("an address"))
}

/// The processor time of a process in microseconds. Linux counts it in hundredths of a second.
pub fn time_of(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process");
    let (_name, rest) = stat.rsplit_once(')').expect("a process has a name");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
    (ticks(11) + ticks(12)) * 10_000
}

/// A broker that takes connections and says nothing. Dropped, it hangs up.
struct Silence {
    address: SocketAddr,
    end: CancellationToken,
}

impl Silence {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let end = CancellationToken::new();
        let ended = end.clone();
        tokio::spawn(async move {
            let mut held: Vec<TcpStream> = Vec::new();
            loop {
                tokio::select! {
                    () = ended.cancelled() => return,
                    taken = listener.accept() => held.extend(taken.map(|(stream, _)| stream)),
                }
            }
        });
        Self { address, end }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// That the book says what it should.
pub fn expect_in_book(counts: &Counts, status: Status, count: u64) {
    assert_eq!(counts.of(status), count, "payouts that stand at {}", status.as_str());
}
