//! A broker that does what a script says, byte by byte: it answers late, wrongly, half, or not.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::process::{PATIENCE, eventually};
use crate::wire::Message;

/// What is done with a request, after it was read.
#[derive(Clone, Debug)]
pub enum Reply {
    /// HTTP status and body.
    Answer(u16, String),
    /// Accepted, as the core answers (spec/soap.md §4.1).
    Taken,
    /// Answered with this `ResponseCode`.
    Code(&'static str),
    /// Accepted, after so long.
    TakenAfter(Duration),
    /// Half of the answer, then the end of the connection.
    Half,
    /// The end of the connection.
    Close,
    /// Nothing, until the other side gives up.
    Silence,
}

/// How it replies to a request, given its body and how many of the same name came before.
pub type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// A broker that listens until the test ends.
#[derive(Clone)]
pub struct Broker {
    seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl Broker {
    pub fn start(port: u16, script: Box<Script>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        let broker = Self { seen: Arc::default() };
        let (this, script) = (broker.clone(), Arc::<Script>::from(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (this, script) = (this.clone(), Arc::clone(&script));
                thread::spawn(move || this.serve(stream, script.as_ref()));
            }
        });
        broker
    }

    /// How often a payout was sent, by its OriginatorConversationID.
    pub fn seen(&self, name: &str) -> usize {
        self.seen.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// Waits until a payout was sent.
    pub fn wait_for(&self, name: &str) {
        eventually("the broker gets it", || (self.seen(name) > 0).then_some(()));
    }

    fn serve(&self, mut stream: TcpStream, script: &Script) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Ok(request) = Message::read(&mut reader) else {
            return;
        };
        assert!(request.first_line.starts_with("POST /mminterface/request "));
        assert_eq!(request.header("content-type"), Some("text/xml;charset=UTF-8"));
        let name = element(&request.body, "OriginatorConversationID");
        let before = {
            let mut seen = self.seen.lock().unwrap();
            let times = seen.entry(name.clone()).or_default();
            *times += 1;
            *times - 1
        };
        let (status, body) = match script(&request.body, before) {
            Reply::Answer(status, body) => (status, body),
            Reply::Taken => (200, response("0", &name)),
            Reply::Code(code) => (200, response(code, &name)),
            Reply::TakenAfter(pause) => {
                thread::sleep(pause);
                (200, response("0", &name))
            }
            Reply::Half => {
                let answer = http(200, &response("0", &name));
                stream.write_all(&answer.as_bytes()[..answer.len() / 2]).ok();
                return;
            }
            Reply::Close => return,
            Reply::Silence => {
                // Ends when the gateway hangs up.
                Message::read(&mut reader).ok();
                return;
            }
        };
        // The gateway may have given up.
        stream.write_all(http(status, &body).as_bytes()).ok();
        stream.shutdown(Shutdown::Write).ok();
    }
}

fn http(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: text/xml; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// The text of an element that holds no other.
pub fn element(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inside = xml.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inside.map_or_else(String::new, |(text, _)| text.to_owned())
}

/// An answer of M-Pesa's (spec/soap.md §4.1).
pub fn response(code: &str, name: &str) -> String {
    envelope(
        "request",
        "ResponseMsg",
        &format!(
            "<response xmlns=\"http://api-v1.gen.mm.vodafone.com/mminterface/response\">\
             <ResponseCode>{code}</ResponseCode><ConversationID>AG_20240102_{}</ConversationID>\
             <ResponseDesc>from the script</ResponseDesc>\
             <OriginatorConversationID>{name}</OriginatorConversationID>\
             <ServiceStatus>0</ServiceStatus></response>",
            conversation(name)
        ),
    )
}

/// A result that says "paid" (spec/soap.md §5.1, §5.4).
pub fn paid(name: &str, receipt: &str, amount: &str) -> String {
    envelope(
        "result",
        "ResultMsg",
        &format!(
            "<result xmlns=\"http://api-v1.gen.mm.vodafone.com/mminterface/result\">\
             <ResultType>0</ResultType><ResultCode>0</ResultCode><ResultDesc>paid</ResultDesc>\
             <OriginatorConversationID>{name}</OriginatorConversationID>\
             <ConversationID>AG_20240102_{}</ConversationID>\
             <TransactionID>{receipt}</TransactionID><ResultParameters><ResultParameter>\
             <Key>TransactionReceipt</Key><Value>{receipt}</Value></ResultParameter>\
             <ResultParameter><Key>TransactionAmount</Key><Value>{amount}</Value>\
             </ResultParameter></ResultParameters></result>",
            conversation(name)
        ),
    )
}

fn conversation(name: &str) -> &str {
    name.rsplit('_').next().unwrap_or_default()
}

fn envelope(interface: &str, element: &str, inner: &str) -> String {
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:m=\"http://api-v1.gen.mm.vodafone.com/mminterface/{interface}\"><soapenv:Header/>\
         <soapenv:Body><m:{element}><![CDATA[<?xml version=\"1.0\" encoding=\"UTF-8\"?>{inner}]]>\
         </m:{element}></soapenv:Body></soapenv:Envelope>"
    )
}
