//! Something that listens and is not what it should be.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use mlango::tls::{Acceptor, ServerSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::broker::response;
use crate::certificates::file;
use crate::wire::Message;

/// What answers every request alike, in plain HTTP. It ends with the test program.
pub fn plain(date: &str) -> u16 {
    let answer = answer(date);
    let (port, listener) = bound();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || say(stream, &answer));
        }
    });
    port
}

/// A broker that answers each question with `code`, and anything else with 404; and the questions.
pub fn broker(code: &'static str) -> (u16, Receiver<String>) {
    let (port, listener) = bound();
    let (told, questions) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let Ok(request) = Message::read(&mut reader) else {
                continue;
            };
            let answer = if request.first_line.starts_with("POST /mminterface/request ") {
                told.send(request.body).ok();
                let body = response(code, "600999_ExampleOrg_check");
                let length = body.len();
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
            } else {
                answer("")
            };
            (&stream).write_all(answer.as_bytes()).ok();
        }
    });
    (port, questions)
}

/// A page that says yes to everything.
pub fn page() -> u16 {
    let (port, listener) = bound();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome");
        }
    });
    port
}

/// What reads a request and hangs up.
pub fn silent() -> u16 {
    let (port, listener) = bound();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            say(stream, "");
        }
    });
    port
}

/// What takes connections and says nothing.
pub fn mute() -> u16 {
    let (port, listener) = bound();
    thread::spawn(move || {
        let mut kept = Vec::new();
        kept.extend(listener.incoming().map_while(Result::ok));
    });
    port
}

/// What speaks TLS with one of the certificates, and asks for one of `ca.pem`'s if it is told to.
pub fn encrypted(name: &str, asks: bool) -> u16 {
    let settings = ServerSettings {
        certificate: file(&format!("{name}.pem")),
        key: file(&format!("{name}-key.pem")),
        client_ca: asks.then(|| file("ca.pem")),
    };
    let acceptor = Acceptor::new(settings).expect("certificates");
    let (port, listener) = bound();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _peer)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok((mut stream, _peer)) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut head = [0; 16 * 1024];
                    if stream.read(&mut head).await.is_ok_and(|length| length > 0) {
                        stream.write_all(answer("").as_bytes()).await.ok();
                    }
                    stream.shutdown().await.ok();
                });
            }
        });
    });
    port
}

fn bound() -> (u16, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    (listener.local_addr().expect("an address").port(), listener)
}

fn say(mut stream: TcpStream, answer: &str) {
    let mut head = [0; 16 * 1024];
    if stream.read(&mut head).is_ok_and(|length| length > 0) {
        stream.write_all(answer.as_bytes()).ok();
    }
}

fn answer(date: &str) -> String {
    let date = if date.is_empty() { String::new() } else { format!("Date: {date}\r\n") };
    format!("HTTP/1.1 404 Not Found\r\n{date}Content-Length: 0\r\nConnection: close\r\n\r\n")
}
