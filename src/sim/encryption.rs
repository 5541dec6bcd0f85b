//! TLS on the simulator's side: doors that speak it, and what it shows where it calls
//! (spec/soap.md §1.5).

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use super::server;
use super::wire::Calls;
use crate::tls::{Acceptor, IdentityFiles, ServerSettings};

/// A further address that speaks TLS; everything is served there, too.
#[derive(Clone, Debug)]
pub struct Door {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What it speaks.
    pub tls: ServerSettings,
}

/// How the simulator encrypts; by default, not at all.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// Further addresses.
    pub doors: Vec<Door>,
    /// The authorities of whoever it calls over HTTPS; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// What it shows where it calls.
    pub identity: Option<IdentityFiles>,
}

impl Encryption {
    pub(super) async fn doors(&self) -> io::Result<Vec<(TcpListener, Option<Acceptor>)>> {
        let mut doors = Vec::new();
        for door in &self.doors {
            let acceptor = Acceptor::new(door.tls.clone()).map_err(io::Error::other)?;
            doors.push((server::bind(door.listen).await?, Some(acceptor)));
        }
        Ok(doors)
    }

    pub(super) fn calls(&self) -> Calls {
        Calls { ca: self.ca.clone(), identity: self.identity.clone() }
    }
}
