//! Over a real socket: one port for everything, and JSON on the wire.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::SystemClock;
use mlango::sim::{DarajaSettings, Settings, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{STK, passkey, settings, stk, with};

const PATIENCE: Duration = Duration::from_secs(20);

/// Reads one message: head and body.
async fn read(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4 * 1024];
    loop {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time").unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
            });
            if length.is_some_and(|length| length.is_ok_and(|length| body.len() >= length)) {
                return (head.to_owned(), body.to_owned());
            }
        }
        assert!(read > 0, "the connection ended: {text}");
    }
}

async fn exchange(addr: std::net::SocketAddr, request: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let (head, body) = read(&mut stream).await;
    (head, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_over_tcp() {
    let daraja =
        DarajaSettings { prompt_delay: Duration::from_millis(10), ..DarajaSettings::default() };
    let keys = format!("{}:{}", daraja.consumer_key, daraja.consumer_secret);
    let settings = Settings { daraja, ..settings() };
    let sim = Simulator::start(settings, Arc::new(SystemClock)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cb/5f0c/stk/2ab9", listener.local_addr().unwrap());
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(keys);
    let (_, token) = exchange(
        sim.addr,
        &format!(
            "GET /oauth/v1/generate?grant_type=client_credentials HTTP/1.1\r\nHost: sim\r\n\
             Authorization: Basic {basic}\r\n\r\n"
        ),
    )
    .await;
    let token = token["access_token"].as_str().expect("a token").to_owned();
    let body = with(&stk("0126"), &json!({"CallBackURL": url, "Password": passkey("174379")}));
    let body = body.to_string();
    let (head, came) = exchange(
        sim.addr,
        &format!(
            "POST {STK} HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
    .await;
    assert!(head.to_ascii_lowercase().contains("content-type: application/json;charset=utf-8"));
    assert_eq!(came["ResponseCode"], "0");
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("in time").unwrap();
    let (head, told) = read(&mut stream).await;
    assert!(head.starts_with("POST /cb/5f0c/stk/2ab9 HTTP/1.1"), "{head}");
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("content-type: application/json;charset=utf-8"), "{head}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["Body"]["stkCallback"]["CheckoutRequestID"], came["CheckoutRequestID"]);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let (_, shown) = exchange(sim.addr, "GET /sim/exchanges HTTP/1.1\r\nHost: sim\r\n\r\n").await;
    let shown = shown.to_string();
    assert!(!shown.contains(&passkey("174379")), "no password is shown");
    assert!(!shown.contains(&token), "no token is shown");
    timeout(PATIENCE, sim.shutdown()).await.expect("it stops");
}
