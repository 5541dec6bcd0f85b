//! `mlango certify`: the example clients, the gateway itself, and what may go wrong.

mod bad;
mod clients;
mod gateway;
mod mistakes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::house::{BINARY, free_port};

/// How long a whole run may take: most of it is waiting for what is late.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program of the examples. Dropping it ends it.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A directory for one run, and the port of the client.
struct Run {
    dir: TempDir,
    port: u16,
}

/// What a run came to.
struct Done {
    code: i32,
    report: Value,
    err: String,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/certify")
}

impl Run {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), port: free_port() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a client that waits for the connection file.
    fn client(&self, script: &Path, args: &[&str], key: Option<&str>) -> Client {
        let log = fs::File::create(self.path("client.log")).expect("a file");
        let child = Command::new("python3")
            .arg(script)
            .args(["--listen", &self.port.to_string(), "--connection"])
            .arg(self.path("connection.json"))
            .args(args)
            .env("PYTHONPATH", examples())
            .envs(key.map(|key| ("MLANGO_API_KEY", key)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn();
        Client(child.expect("python3 runs the examples"))
    }

    /// Certifies the client, and waits until that is done.
    fn certify(&self, interface: &str, args: &[&str]) -> Done {
        let mut command = Command::new(BINARY);
        command.current_dir(self.dir.path());
        self.certify_by(command, interface, args)
    }

    /// The same, by a command that is begun already.
    fn certify_by(&self, mut command: Command, interface: &str, args: &[&str]) -> Done {
        let at = format!("http://127.0.0.1:{}", self.port);
        let (pay, books) = (format!("{at}/pay"), format!("{at}/books"));
        command.args(["--json", "certify", "--interface", interface, "--target", &pay]);
        command.args(["--books", &books, "--parallel", "16", "--connection"]);
        command.arg(self.path("connection.json")).args(args);
        self.finish(command, "")
    }

    /// Runs a command to its end.
    fn finish(&self, command: Command, input: &str) -> Done {
        let child = self.begin(command, input);
        self.end(child)
    }

    /// Starts a command.
    fn begin(&self, mut command: Command, input: &str) -> Client {
        let given = self.path("in");
        fs::write(&given, input).expect("a file");
        let child = command
            .stdin(fs::File::open(given).expect("a file"))
            .stdout(fs::File::create(self.path("out")).expect("a file"))
            .stderr(fs::File::create(self.path("err")).expect("a file"))
            .spawn();
        Client(child.expect("a process"))
    }

    /// Waits for its end.
    fn end(&self, mut child: Client) -> Done {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.0.try_wait().expect("a status") {
                break status;
            }
            assert!(Instant::now() < until, "certify does not end");
            sleep(Duration::from_millis(20));
        };
        let text = fs::read_to_string(self.path("out")).expect("UTF-8");
        let err = fs::read_to_string(self.path("err")).expect("UTF-8");
        assert!(!err.contains("panicked"), "{err}");
        let report = serde_json::from_str(&text).unwrap_or(Value::Null);
        Done { code: status.code().expect("an exit code"), report, err }
    }
}

impl Done {
    /// The cases that ended so.
    fn cases(&self, verdict: &str) -> Vec<&str> {
        let all = self.report["cases"].as_array().expect(&self.err);
        let ours = all.iter().filter(|case| case["verdict"] == verdict);
        ours.map(|case| case["case"].as_str().expect("a name")).collect()
    }

    /// What is wrong with a case, in the words of the report.
    fn flaws(&self, name: &str) -> Vec<&str> {
        let all = self.report["cases"].as_array().expect(&self.err);
        let case = all.iter().find(|case| case["case"] == name).expect(name);
        let findings = case["findings"].as_array().expect("findings");
        findings.iter().map(|finding| finding["flaw"].as_str().expect("a flaw")).collect()
    }

    /// Everything passed.
    #[track_caller]
    fn passed(&self, least: usize) {
        let failed: Vec<&Value> = self.report["cases"]
            .as_array()
            .expect(&self.err)
            .iter()
            .filter(|case| case["verdict"] != "passed")
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert_eq!(self.code, 0, "{}", self.err);
        assert!(self.cases("passed").len() >= least, "{}", self.err);
    }

    /// Exactly these failed.
    #[track_caller]
    fn failed_exactly(&self, expected: &str) {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(self.cases("failed"), expected, "{}", self.err);
        assert_eq!(self.code, 1, "{}", self.err);
    }
}
