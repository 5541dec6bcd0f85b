//! Processes: started, waited for, ended; and what they may not write to their log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that is bound to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Names and digits of people who receive money in these tests, who are all invented: the
/// simulator's names.
const NAMES: [&str; 16] = [
    "Amina",
    "Brian",
    "Chebet",
    "David",
    "Esther",
    "Faith",
    "George",
    "Halima",
    "Achieng",
    "Barasa",
    "Chepkoech",
    "Njoroge",
    "Kamau",
    "Mutua",
    "Otieno",
    "Wanjiru",
];
/// A SecurityCredential has 344 characters of base64; nothing else in a log has nearly so many.
const BASE64_RUN_MAX: usize = 100;

/// Waits until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it did not happen in time: {what}");
        sleep(LOOK_EVERY);
    }
}

/// A program that runs. Dropping it kills it. Once it ended, its log is searched.
pub struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    secrets: Vec<String>,
    ended: bool,
}

impl Process {
    /// Starts `command`; what it writes goes to files that begin with `files`. Its log must hold
    /// none of `secrets`.
    pub fn start(mut command: Command, files: &Path, secrets: Vec<String>) -> Self {
        let (out, err) = (files.with_extension("out"), files.with_extension("err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("a file"))
            .stderr(File::create(&err).expect("a file"))
            .spawn()
            .expect("a process");
        Self { child, out, err, secrets, ended: false }
    }

    /// The number by which the system knows it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output so far.
    pub fn out(&self) -> String {
        fs::read_to_string(&self.out).expect("what it wrote")
    }

    /// What it wrote to standard error so far.
    pub fn err(&self) -> String {
        fs::read_to_string(&self.err).expect("what it wrote")
    }

    /// Waits until `look` finds something, or fails at once if the program ends before.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        eventually(what, || {
            let ended = self.child.try_wait().expect("a status");
            let found = look(self);
            if let (None, Some(status)) = (&found, ended) {
                panic!("{what}: it ended before, with {status}:\n{}", self.err());
            }
            found
        })
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill").success(), "no {name} to {pid}");
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let status = eventually("the program ends", || self.child.try_wait().expect("a status"));
        self.search();
        status
    }

    fn search(&mut self) {
        self.ended = true;
        if !std::thread::panicking() {
            assert_clean(&self.err(), &self.secrets);
        }
    }

    /// SIGTERM, and its end, which must be orderly.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let status = self.end();
        assert_eq!(status.code(), Some(0), "{}", self.err());
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("a status");
        self.search();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

/// No secret, no credential, no whole phone number and no recipient's name is in a log.
pub fn assert_clean(log: &str, secrets: &[String]) {
    for line in log.lines() {
        let has = |what: &str| line.contains(what);
        assert!(!secrets.iter().any(|secret| has(secret)), "a secret: {line}");
        assert!(!has("mk_"), "an API key: {line}");
        assert!(!NAMES.iter().any(|name| has(name)), "a recipient's name: {line}");
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        let longest = line.split(|c| !is_base64(c)).map(str::len).max();
        assert!(longest < Some(BASE64_RUN_MAX), "a credential: {line}");
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words {
            assert!(!is_phone(word), "a phone number: {line}");
        }
    }
}

fn is_phone(word: &str) -> bool {
    let begins = |heads: [&str; 2]| heads.iter().any(|head| word.starts_with(head));
    word.bytes().all(|byte| byte.is_ascii_digit())
        && match word.len() {
            12 => begins(["2547", "2541"]),
            10 => begins(["07", "01"]),
            9 => begins(["72", "11"]),
            _ => false,
        }
}

#[test]
fn the_search_of_a_log_finds_what_must_not_be_there() {
    let secrets = ["Example-Secret-1".to_owned()];
    assert_clean(
        "2026-01-02T03:04:05.000006Z INFO phone=2547*****111 took=1704164645000",
        &secrets,
    );
    let credential = format!("credential={}==", "Ab1+".repeat(85));
    let lines = [
        "password=Example-Secret-1",
        "key mk_abc",
        "phone=254722000111",
        "phone 0722000111,",
        "paid to Amina",
        &credential,
    ];
    for line in lines {
        let search = std::panic::catch_unwind(|| assert_clean(line, &secrets));
        assert!(search.is_err(), "{line}");
    }
}
