//! A peer that does as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a peer does with each connection.
#[derive(Clone)]
pub enum Does {
    /// Answers with a status and a body, once the request is there.
    Answers(u16, Vec<u8>),
    /// Answers so after a while.
    AnswersAfter(Duration, u16, Vec<u8>),
    /// Reads the request and ends the connection.
    HangsUp,
    /// Reads the request and says nothing.
    KeepsSilent,
}

/// A peer, and what it was sent.
pub struct Peer {
    pub addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub async fn that(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                tokio::spawn(serve(stream, does.clone(), Arc::clone(&log)));
            }
        });
        Self { addr, requests }
    }

    /// The requests so far, whole.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

/// An address where nobody listens.
pub async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

async fn serve(mut stream: TcpStream, does: Does, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4_096];
    while !is_whole(&request) {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&piece[..read]),
        }
    }
    log.lock().expect("log").push(String::from_utf8_lossy(&request).into_owned());
    let (status, body) = match does {
        Does::Answers(status, body) => (status, body),
        Does::AnswersAfter(pause, status, body) => {
            tokio::time::sleep(pause).await;
            (status, body)
        }
        Does::HangsUp => return,
        Does::KeepsSilent => return tokio::time::sleep(Duration::from_secs(60)).await,
    };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
    // It may be gone by now.
    let _gone = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    length.is_none_or(|length| body.len() >= length.expect("a length"))
}
