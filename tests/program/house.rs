//! A directory with a configuration of its own, ports of its own, and what runs on them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::api::{Api, get};
use crate::process::{Process, assert_clean, eventually};

pub const BINARY: &str = env!("CARGO_BIN_EXE_mlango");

/// Where ports are looked for: below those that the system gives to clients, so that none of our
/// own connections can take one that was found free.
const PORTS_FROM: u16 = 20_000;
const PORTS: u16 = 12_000;

/// A port that nobody listens on, and that no other test of this process is given.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs of these tests on one machine begin at different places.
    let first = u16::try_from(std::process::id() % 997).unwrap() * 12;
    loop {
        let port = PORTS_FROM + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Its output, as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).expect(&self.out)
    }

    /// What it wrote to standard output; it must have ended well.
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out
    }

    /// It must have ended with `code`, and its message hold each of `words`.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no \"{word}\" in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

/// An installation: `mlango init`, on ports of its own.
pub struct House {
    dir: TempDir,
    variables: BTreeMap<String, String>,
    pub api: u16,
    pub callbacks: u16,
    pub broker: u16,
    started: Cell<u32>,
    secrets: RefCell<Vec<String>>,
}

impl House {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (api, callbacks, broker) = (free_port(), free_port(), free_port());
        let local = |port: u16| format!("127.0.0.1:{port}");
        let variables = [
            ("API__LISTEN", local(api)),
            ("CALLBACKS__LISTEN", local(callbacks)),
            ("CALLBACKS__PUBLIC_URL", format!("http://127.0.0.1:{callbacks}")),
            ("BROKER__URL", format!("http://127.0.0.1:{broker}")),
            ("BROKER__MAX_PER_SECOND", "500".to_owned()),
            ("SIMULATOR__LISTEN", local(broker)),
            ("LOG__LEVEL", "debug".to_owned()),
        ];
        let house = Self {
            dir,
            variables: BTreeMap::new(),
            api,
            callbacks,
            broker,
            started: Cell::new(0),
            secrets: RefCell::default(),
        };
        let house =
            variables.into_iter().fold(house, |house, (key, value)| house.with(key, &value));
        let done = house.run(&["init", "--dir", "."]);
        assert_eq!(done.code, 0, "{}", done.err);
        let secrets = ["token", "initiator_password", "sp_password"].map(|key| house.written(key));
        house.secrets.borrow_mut().extend(secrets);
        house
    }

    /// With the configuration's `SECTION__KEY` set to `value`, by a variable.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.set(key, value);
        self
    }

    /// Sets the configuration's `SECTION__KEY`, for what is started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.variables.insert(format!("MLANGO__{key}"), value.to_owned());
    }

    /// Sets the configuration's `SECTION__KEY` by no variable any more.
    pub fn unset(&mut self, key: &str) {
        self.variables.remove(&format!("MLANGO__{key}"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// The value of a text that `init` wrote.
    pub fn written(&self, key: &str) -> String {
        let text = fs::read_to_string(self.path("mlango.toml")).expect("a configuration");
        let head = format!("{key} = \"");
        let line = text.lines().find_map(|line| line.strip_prefix(&head));
        line.and_then(|rest| rest.strip_suffix('"')).expect(key).to_owned()
    }

    /// The binary, in this directory, with nothing of the machine's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.dir.path()).env_clear().envs(&self.variables);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, &[], "")
    }

    /// Runs a command to its end, with variables and a standard input of its own.
    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)], input: &str) -> Done {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        self.finish(command, input)
    }

    /// Runs any command to its end.
    pub fn finish(&self, mut command: Command, input: &str) -> Done {
        let files = self.files("run");
        let (out, err) = (files.with_extension("out"), files.with_extension("err"));
        let input = self.write(&format!("{}.in", self.started.get()), input);
        let mut child = command
            .stdin(Stdio::from(fs::File::open(input).unwrap()))
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&err).unwrap())
            .spawn()
            .expect("a process");
        let status = eventually("the command ends", || child.try_wait().expect("a status"));
        let read = |path: &Path| fs::read_to_string(path).expect("UTF-8");
        let code = status.code().expect("an exit code, not a signal");
        Done { code, out: read(&out), err: read(&err) }
    }

    fn files(&self, name: &str) -> PathBuf {
        self.started.set(self.started.get() + 1);
        self.path(&format!("{}-{name}", self.started.get()))
    }

    /// Starts something that stays.
    pub fn start(&self, args: &[&str]) -> Process {
        let files = self.files(args[0]);
        Process::start(self.command(args), &files, self.secrets.borrow().clone())
    }

    /// A gateway that answers.
    pub fn serve(&self) -> Process {
        let mut gateway = self.start(&["serve"]);
        gateway.until("the gateway answers", |_| self.answers(self.api));
        gateway
    }

    /// A simulator that answers.
    pub fn simulate(&self) -> Process {
        let mut simulator = self.start(&["simulate"]);
        simulator.until("the simulator answers", |_| self.answers(self.broker));
        simulator
    }

    pub fn answers(&self, port: u16) -> Option<()> {
        let answer = get(port, "/healthz", &[]).ok()?;
        (answer.status == 200).then_some(())
    }

    /// A new application's key, and a client of the API with it.
    pub fn client(&self, name: &str, scopes: &[&str]) -> Api {
        let mut args = vec!["apps", "create", name];
        args.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
        let done = self.run(&args);
        assert_eq!(done.code, 0, "{}", done.err);
        assert_clean(&done.err, &[]);
        Api { port: self.api, key: done.out.trim().to_owned() }
    }

    /// What the simulator says was really paid.
    pub fn ledger(&self) -> Vec<Value> {
        self.pages("/sim/ledger")
    }

    /// What went over the simulator's wire.
    pub fn exchanges(&self) -> Vec<Value> {
        self.pages("/sim/exchanges")
    }

    fn pages(&self, path: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = get(self.broker, &format!("{path}?limit=1000&after={after}"), &[]);
            let page = page.expect("the simulator answers").json();
            all.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return all,
            }
        }
    }
}
