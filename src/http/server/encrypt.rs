//! A connection's first moments, where a listener speaks TLS.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::info;

use super::Encryption;
use crate::telemetry::metric;
use crate::tls::{BoxedStream, Facts, Refused};

/// The first byte of everything that TLS begins with: a record of the handshake.
const HANDSHAKE: u8 = 22;
/// What is answered to somebody who speaks plain HTTP.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Connection: close\r\nContent-Length: 53\r\n\r\nThis port speaks HTTPS: begin the address https://.\r\n";

impl Encryption {
    /// Agrees on keys with a peer. One who may not come in, or speaks no TLS, is told so as far as
    /// his protocol can say it, and dropped.
    pub(super) async fn open(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        patience: Duration,
    ) -> Option<(BoxedStream, Option<Facts>)> {
        let opened = timeout(patience, self.shake_hands(stream)).await;
        match opened.unwrap_or(Err(Refused::TooSlow)) {
            Ok(opened) => Some(opened),
            Err(refused) => {
                metric::TLS_REFUSED.with([self.listener, refused.as_str()]).increment();
                info!(listener = self.listener, %peer, why = %refused, "a peer was turned away");
                None
            }
        }
    }

    async fn shake_hands(
        &self,
        mut stream: TcpStream,
    ) -> Result<(BoxedStream, Option<Facts>), Refused> {
        let mut first = [0; 1];
        match stream.peek(&mut first).await {
            Ok(0) => return Err(Refused::Closed),
            Ok(_) if first == [HANDSHAKE] => {}
            Ok(_) => {
                // If he takes it no more, he knows.
                let _taken = stream.write_all(PLAIN).await;
                let _ended = stream.shutdown().await;
                return Err(Refused::NotTls);
            }
            Err(error) => return Err(Refused::of(&error)),
        }
        self.acceptor.accept(stream).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_answer_says_its_own_length() {
        let text = String::from_utf8(PLAIN.to_vec()).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
