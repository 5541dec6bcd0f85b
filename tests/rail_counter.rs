//! Inquiries over the broker, and each call to where it belongs.
#![expect(clippy::expect_used, reason = "a test that panics has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlango::domain::id::{InquiryId, Receipt};
use mlango::domain::inquiry::{
    C2bVersion, Details, Inquiry, Kind, RegisterUrls, ResponseType, Reversal,
};
use mlango::domain::money::Amount;
use mlango::domain::payout::{Rail, WhyNoAnswer};
use mlango::domain::time::Timestamp;
use mlango::engine::port::{Api, Call, Counter, Pending, Reply};
use mlango::rail::pace::Pace;
use mlango::rail::soap::Limits;
use mlango::rail::soap_counter::{Counters, SoapCounter};
use mlango::rail::transport::{Answer, Deadlines, Request, Unanswered, Web};
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::Caller;
use mlango::soap::response;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
const CREDENTIAL: &str = "Q1JFREVOVElBTC1DUkVERU5USUFM";

/// A broker that answers each request with the next of these, and remembers what it was sent.
#[derive(Debug, Default)]
struct Broker {
    answers: Mutex<Vec<Result<Answer, Unanswered>>>,
    seen: Mutex<Vec<(String, String)>>,
}

impl Web for Broker {
    fn send<'a>(
        &'a self,
        request: Request,
        _pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        let body = String::from_utf8(request.body).expect("UTF-8");
        self.seen.lock().expect("seen").push((request.path, body));
        let next = self.answers.lock().expect("answers").remove(0);
        Box::pin(std::future::ready(next))
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(5)
    }
}

fn counter(broker: &Arc<Broker>) -> SoapCounter {
    let caller = Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "600999".to_owned(),
        initiator: "apiop".to_owned(),
        security_credential: CREDENTIAL.to_owned(),
        result_url: "https://gw.example.org/none".to_owned(),
        queue_timeout_url: "https://gw.example.org/none".to_owned(),
    };
    let second = Duration::from_secs(1);
    let deadlines = Deadlines { connect: second, send: second, answer: second };
    let limits = Limits { deadlines, max_per_second: 100, max_in_flight: 4 };
    let names = ("https://gw.example.org/cb/00ff00ff".to_owned(), "Example Org".to_owned());
    SoapCounter::new(Arc::<Broker>::clone(broker), caller, names, &limits)
}

fn inquiry(kind: Kind, rail: Rail) -> Inquiry {
    Inquiry::queued(Details {
        id: InquiryId::from_bytes([7; 16]),
        app: None,
        kind,
        rail,
        shortcode: "600111".parse().expect("a short code"),
        created_at: NOW,
    })
}

fn reversal() -> Kind {
    Kind::Reversal(Reversal {
        receipt: Receipt::new("UJ34AA00ZZ").expect("a receipt"),
        amount: Amount::from_shillings(25),
        payment: None,
        payout: None,
        remarks: "sent twice".to_owned(),
        occasion: String::new(),
    })
}

async fn ask(counter: &dyn Counter, inquiry: &Inquiry) -> Reply {
    let call = counter.prepare(Call::Inquiry(inquiry), NOW).expect("it can be built");
    let kept = String::from_utf8(call.kept.clone()).expect("UTF-8");
    assert!(!kept.contains(CREDENTIAL) && !kept.contains("00ff00ff"), "{kept}");
    let place = counter.admit(call.api).await;
    counter.call(call, place, None).await.reply
}

#[tokio::test]
async fn each_inquiry_goes_to_its_path_with_an_address_that_names_it() {
    let broker = Arc::new(Broker::default());
    let counter = counter(&broker);
    let urls = RegisterUrls { response_type: ResponseType::Cancelled, version: C2bVersion::V2 };
    let table = [
        (Kind::Balance, "/mminterface/request", "AccountBalance"),
        (reversal(), "/mminterface/request", "TransactionReversal"),
        (Kind::RegisterUrls(urls), "/mminterface/registerURL", "RegisterURL"),
    ];
    for (kind, path, command) in table {
        let taken = response::render(&response::Answer { code: "0", ..Default::default() });
        broker.answers.lock().expect("answers").push(Ok(Answer::new(200, taken)));
        let told = ask(&counter, &inquiry(kind.clone(), Rail::Soap)).await;
        let Reply::Inquired(facts) = told else { panic!("{told:?}") };
        assert_eq!(facts.code, "0");
        assert!(facts.names.originator.is_some(), "our own name is known without its echo");
        let (to, body) = broker.seen.lock().expect("seen").pop().expect("a request");
        assert_eq!(to, path);
        assert!(body.contains(&format!("<CommandID>{command}</CommandID>")), "{body}");
        assert!(body.contains("600111"), "the short code that it is about: {body}");
        if command != "RegisterURL" {
            let tag = "30707070707070707070707070707070707";
            let tag = tag.get(..33).expect("a tag");
            assert!(body.contains(&format!("/result/{tag}</ResultURL>")), "{body}");
        }
    }
}

#[tokio::test]
async fn what_moves_money_has_one_name_and_what_does_not_a_new_one_each_time() {
    let broker = Arc::new(Broker::default());
    let counter = counter(&broker);
    let mut names = vec![];
    for (kind, attempts) in
        [(reversal(), 0), (reversal(), 1), (Kind::Balance, 0), (Kind::Balance, 1)]
    {
        let mut asked = inquiry(kind, Rail::Soap);
        if let mlango::domain::inquiry::State::Queued { tries, .. } = &mut asked.state {
            tries.attempts = attempts;
        }
        let call = counter.prepare(Call::Inquiry(&asked), NOW).expect("it can be built");
        let name = call.wire.split(|byte| *byte == b'\n').next().expect("a name").to_vec();
        names.push(String::from_utf8(name).expect("UTF-8"));
    }
    assert_eq!(names.first(), names.get(1), "M-Pesa must know the second reversal for the first");
    assert_ne!(names.get(2), names.get(3));
}

#[tokio::test]
async fn whatever_is_not_an_answer_is_doubt_and_silence_is_silence() {
    let broker = Arc::new(Broker::default());
    let counter = counter(&broker);
    let other = response::render(&response::Answer {
        code: "0",
        originator_conversation_id: Some("600999_Another_1"),
        ..Default::default()
    });
    let taken = response::render(&response::Answer { code: "0", ..Default::default() });
    for answer in [
        Answer::new(200, other),
        Answer::new(500, taken),
        Answer::new(200, b"<html>busy</html>".to_vec()),
        Answer::new(200, vec![]),
    ] {
        broker.answers.lock().expect("answers").push(Ok(answer));
        let told = ask(&counter, &inquiry(reversal(), Rail::Soap)).await;
        assert!(matches!(&told, Reply::Inquired(facts) if facts.code.is_empty()), "{told:?}");
    }
    let silence = Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout);
    broker.answers.lock().expect("answers").push(Err(silence));
    let told = ask(&counter, &inquiry(reversal(), Rail::Soap)).await;
    assert_eq!(told, Reply::NoAnswer(WhyNoAnswer::Timeout));
}

#[tokio::test]
async fn each_call_goes_to_the_rail_that_it_names_and_to_no_other() {
    let broker = Arc::new(Broker::default());
    let soap: Arc<dyn Counter> = Arc::new(counter(&broker));
    let both = Counters { soap: Some(soap), daraja: None };
    let taken = response::render(&response::Answer { code: "0", ..Default::default() });
    broker.answers.lock().expect("answers").push(Ok(Answer::new(200, taken)));
    let told = ask(&both, &inquiry(Kind::Balance, Rail::Soap)).await;
    assert!(matches!(&told, Reply::Inquired(facts) if facts.code == "0"), "{told:?}");
    let refused = both.prepare(Call::Inquiry(&inquiry(Kind::Balance, Rail::Daraja)), NOW);
    assert!(refused.is_err_and(|why| why.contains("daraja is not set up")));
    let (from, to) = (NOW, NOW);
    let refused = both.prepare(Call::Pull { from, to, offset: 0 }, NOW);
    assert!(refused.is_err());
    assert_eq!(both.longest_call(), Duration::from_secs(5));
    assert_eq!(Api::Balance.as_str(), "balance");
}
