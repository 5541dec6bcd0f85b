//! How a customer's system is asked for a payment.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::certify::case::Task;
use crate::cli::{Failure, out};

/// How long a system may take to take a payment; one that answers only when M-Pesa did, as well.
const TAKE_TIMEOUT: Duration = Duration::from_secs(90);
/// How often one that is not there yet is looked for, and a program that runs is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How much of what a system said is repeated.
const SAID_MAX: usize = 120;

/// Where payments are asked for.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Posted there, one by one.
    Http(Url),
    /// A program, once for each.
    Exec(String),
    /// A file, for a person.
    Manual(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let filled = |rest: &str| Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty());
        if let Some(program) = text.strip_prefix("exec:").and_then(filled) {
            return Ok(Self::Exec(program));
        }
        if let Some(path) = text.strip_prefix("manual:").and_then(filled) {
            return Ok(Self::Manual(path.into()));
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.filter(Url::has_host).map(Self::Http).ok_or_else(|| {
            "must be http://HOST:PORT/PATH, 'exec:PROGRAM ARGS' or manual:FILE.csv".to_owned()
        })
    }
}

/// A payment as the system is asked for it.
fn payment(task: &Task) -> Value {
    json!({
        "case": task.case.name,
        "reference": task.reference,
        "phone": task.phone.reveal(),
        "amount": task.amount.to_string(),
        "command": "BusinessPayment",
    })
}

impl Target {
    /// Waits until the system is there.
    pub(super) async fn wait_for(&self, limit: Duration) -> Result<(), Failure> {
        let Self::Http(url) = self else {
            return Ok(());
        };
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
        let place = (host.trim_matches(['[', ']']).to_owned(), port.unwrap_or(80));
        let until = Instant::now().checked_add(limit);
        loop {
            let error = match timeout(limit, TcpStream::connect(place.clone())).await {
                Ok(Ok(_stream)) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "no answer".to_owned(),
            };
            if until.is_none_or(|until| Instant::now() >= until) {
                return Err(Failure::Failed(format!(
                    "nobody is there at {}:{} after {limit:?} ({error}); no payment was asked for. \
                     Start the system first, or give it longer with --wait",
                    place.0, place.1
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks for one payment; why it was not taken, if it was not.
    pub(super) async fn ask(&self, http: &reqwest::Client, task: &Task) -> Result<(), String> {
        match self {
            Self::Http(url) => post(http, url.clone(), &payment(task)).await,
            Self::Exec(program) => exec(program, &payment(task)).await,
            Self::Manual(_) => Ok(()),
        }
    }

    /// Where a person sends them: writes them all down, and waits until he has.
    pub(super) async fn hand_over(&self, tasks: &[Task]) -> Result<(), Failure> {
        let Self::Manual(path) = self else {
            return Ok(());
        };
        let mut text = "reference,phone,amount,command,case\n".to_owned();
        for task in tasks {
            let (phone, case) = (task.phone.reveal(), task.case.name);
            let line = [&task.reference, &phone, &task.amount.to_string(), "BusinessPayment", case];
            text.push_str(&(line.join(",") + "\n"));
        }
        super::write(path, &text)?;
        let count = out::count(tasks.len(), "payment");
        out::say(&format!("{count} in {}", path.display()));
        self.enter("press Enter when your system has been given all of them").await
    }

    /// Waits for a person, where there is one.
    pub(super) async fn enter(&self, what: &str) -> Result<(), Failure> {
        if !matches!(self, Self::Manual(_)) {
            return Ok(());
        }
        out::say(what);
        // In a thread of its own, so that whoever would rather stop is heard meanwhile.
        let read = || std::io::stdin().read_line(&mut String::new());
        match tokio::task::spawn_blocking(read).await.map_err(Failure::failed)? {
            Ok(0) => {
                let why = "manual: nobody is there to press Enter (standard input has ended)";
                Err(Failure::Failed(why.to_owned()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::failed(error)),
        }
    }
}

async fn post(http: &reqwest::Client, url: Url, payment: &Value) -> Result<(), String> {
    let sent = http.post(url).timeout(TAKE_TIMEOUT).json(payment).send().await;
    let mut answer = sent.map_err(|error| why(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    // What it says is for a person; that much of it comes in the first piece.
    let said = answer.chunk().await.ok().flatten().unwrap_or_default();
    let said: String = String::from_utf8_lossy(&said).chars().take(SAID_MAX).collect();
    Err(format!("status {}: {}", status.as_u16(), said.replace(char::is_control, " ").trim()))
}

fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        format!("no answer in {TAKE_TIMEOUT:?}")
    } else if error.is_connect() {
        "nobody answers there".to_owned()
    } else {
        "the connection ended without an answer".to_owned()
    }
}

async fn exec(program: &str, payment: &Value) -> Result<(), String> {
    let mut child = Command::new("sh")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    // A payment is far shorter than what a pipe holds, so that this never waits. Whether a program
    // that reads nothing took the payment, its exit code says.
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{payment}").ok();
    }
    let Ok(ended) = timeout(TAKE_TIMEOUT, ended(&mut child)).await else {
        child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
        return Err(format!("still running after {TAKE_TIMEOUT:?}, and was ended"));
    };
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}

async fn ended(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_or_refused() {
        let good = [
            ("http://127.0.0.1:9000/pay", "Http"),
            ("https://pay.example.org/x?y=1", "Http"),
            ("exec:python3 pay.py --soap", "Exec"),
            ("manual:list.csv", "Manual"),
        ];
        for (text, kind) in good {
            let target: Target = text.parse().expect(text);
            assert!(format!("{target:?}").starts_with(kind), "{text}");
        }
        for text in ["", "exec:", "exec: ", "manual:", "pay.py", "ftp://x/", "127.0.0.1:9000"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
