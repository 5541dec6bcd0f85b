//! Both ends of a connection.

use std::path::PathBuf;
use std::time::Duration;

use mlango::tls::{
    Acceptor, Backend, BoxedStream, Client, ClientSettings, Facts, IdentityFiles, Refused,
    ServerSettings, Session, Trust,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::certificates::file;

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(30);

/// A certificate and its key, by their common name in the folder.
pub fn identity(name: &str) -> IdentityFiles {
    IdentityFiles::Pair {
        certificate: file(&format!("{name}.pem")),
        key: file(&format!("{name}-key.pem")),
    }
}

/// A listener that shows one of the certificates.
pub fn server(name: &str, client_ca: Option<&str>) -> ServerSettings {
    ServerSettings {
        certificate: file(&format!("{name}.pem")),
        key: file(&format!("{name}-key.pem")),
        client_ca: client_ca.map(file),
    }
}

/// Calls to 127.0.0.1, which trust one file only.
pub fn client(ca: &str) -> ClientSettings {
    ClientSettings::to("127.0.0.1", Trust::Only(file(ca)))
}

/// The same by the other library.
pub fn old(settings: ClientSettings) -> ClientSettings {
    ClientSettings { backend: Backend::Old, ..settings }
}

/// What the listener made of the one connection that it took.
pub type Taken = JoinHandle<Result<(Option<Facts>, Vec<u8>), Refused>>;

/// Takes one connection, reads what is said until the other side is done, and says "heard".
pub async fn take_one(settings: ServerSettings) -> (u16, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = Acceptor::new(settings).expect("it can be set up");
    let taken = tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.expect("a connection");
        let (mut stream, peer) = acceptor.accept(stream).await?;
        let mut said = vec![0; 5];
        let read = stream.read_exact(&mut said).await.map(|_length| said);
        let said = read.unwrap_or_default();
        let _gone = stream.write_all(b"heard").await;
        let _gone = stream.shutdown().await;
        Ok((peer, said))
    });
    (port, taken)
}

/// Calls, says "hello", and hears "heard".
pub async fn call(settings: ClientSettings, port: u16) -> Result<Session, Refused> {
    let client = Client::new(settings).expect("it can be set up");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let (mut stream, session) =
        timeout(LONG, client.shake_hands(stream)).await.expect("an end of it")?;
    talk(&mut stream).await.map_err(|error| Refused::of(&error))?;
    Ok(session)
}

async fn talk(stream: &mut BoxedStream) -> std::io::Result<()> {
    stream.write_all(b"hello").await?;
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"heard");
    Ok(())
}

/// A file of its own with other content.
pub fn written(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::TempDir::new().expect("a directory");
    let path = dir.path().join("file.pem");
    std::fs::write(&path, content).expect("written");
    (dir, path)
}
