//! A broker played by `openssl s_server`: it reads requests and answers each with the same.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::certificates::file;

/// A process that is ended with the test.
pub struct Broker {
    /// Where it listens.
    pub port: u16,
    child: Child,
    /// Each request's bytes, once it is whole.
    pub requests: Receiver<String>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Starts one that shows the certificate `name` and wants one of `ca.pem`, with further arguments,
/// and answers whatever it is asked with `body` in HTTP.
pub fn broker(name: &str, more: &[&str], body: &str) -> Broker {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let accept = format!("127.0.0.1:{port}");
    let mut command = Command::new("openssl");
    command.args([
        "s_server",
        "-quiet",
        "-accept",
        &accept,
        "-Verify",
        "2",
        "-verify_return_error",
    ]);
    command.arg("-cert").arg(file(&format!("{name}.pem")));
    command.arg("-key").arg(file(&format!("{name}-key.pem")));
    command.arg("-CAfile").arg(file("ca.pem")).args(more);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().expect("the openssl program");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (heard, requests) = channel();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        while let Some(request) = one_request(&mut stdout) {
            if stdin.write_all(answer.as_bytes()).and_then(|()| stdin.flush()).is_err() {
                return;
            }
            if heard.send(request).is_err() {
                return;
            }
        }
    });
    wait_for(port);
    Broker { port, child, requests }
}

impl Broker {
    /// The next request, whole.
    pub fn request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(60)).expect("a request")
    }
}

/// Head and body of one request.
fn one_request(stdout: &mut impl std::io::BufRead) -> Option<String> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stdout.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        let ends = line == "\r\n";
        head.push_str(&line);
        if ends {
            break;
        }
    }
    let mut body = vec![0; length];
    stdout.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

/// It listens when somebody can connect; such a connection that says nothing does it no harm.
fn wait_for(port: u16) {
    /// Half a minute in all.
    const TRIES: u32 = 3_000;
    let pause = Duration::from_millis(10);
    let listens = (0..TRIES).any(|_try| {
        std::thread::park_timeout(pause);
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(listens, "openssl s_server does not listen");
}
