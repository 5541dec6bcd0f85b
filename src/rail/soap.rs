//! The SOAP rail: the broker's `/mminterface/request` (spec/soap.md §1.3, §3, §4).

use std::sync::Arc;
use std::time::Duration;

use super::link::Link;
use super::pace::{Pace, Places, Waits};
use super::transport::{Answer, Deadlines, Origin, Site, Tcp, Unanswered, Wire, probe};
use crate::clock::Clock;
use crate::domain::id::Receipt;
use crate::domain::payout::{AnswerFacts, AskBy, Payout, Question, State};
use crate::domain::time::Timestamp;
use crate::engine::port::{
    Admission, Durable, LinkState, Outcome, Pending, Prepared, Rail, RawAnswer, Sent,
};
use crate::schema::Gatekeeper;
use crate::soap::request::{Caller, PayoutRequest};
use crate::soap::status_query::{AskFor, StatusQuery};
use crate::soap::{redact, response};

/// The path of requests (spec/soap.md §1.4).
pub const REQUEST_PATH: &str = "/mminterface/request";
/// The longest description of an unreadable answer that is kept in words; the answer itself is
/// kept whole.
const DESCRIPTION_LEN_MAX: usize = 200;

/// What the rail keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long each part of a send may take.
    pub deadlines: Deadlines,
    /// At most so many sends in any window of one second.
    pub max_per_second: u32,
    /// At most so many sends at once.
    pub max_in_flight: u32,
}

/// The way to M-Pesa's SOAP broker.
#[derive(Clone, Debug)]
pub struct SoapRail {
    wire: Arc<dyn Wire>,
    /// Whom it leads to, where that is a place on a network.
    origin: Option<Origin>,
    /// The longest that a connection may take.
    connect_max: Duration,
    caller: Caller,
    /// Paces the beginning of sends, so that few payouts stand at `sending` without being sent.
    begin: Arc<Pace>,
    /// Paces the first byte: the limit that M-Pesa sees, kept exactly.
    first_byte: Arc<Pace>,
    places: Places,
    /// What each request is held against before it is sent, where the partner's schema is known.
    gatekeeper: Option<Arc<Gatekeeper>>,
}

impl SoapRail {
    /// A rail to the broker at `origin`, speaking as `caller`.
    pub fn new(origin: Origin, caller: Caller, limits: Limits) -> Self {
        let site = Site { origin: origin.clone(), deadlines: limits.deadlines };
        let tcp = Tcp { site, path: REQUEST_PATH.to_owned() };
        Self { origin: Some(origin), ..Self::over(Arc::new(tcp), caller, limits) }
    }

    /// A rail over a wire of another kind.
    pub fn over(wire: Arc<dyn Wire>, caller: Caller, limits: Limits) -> Self {
        Self {
            wire,
            origin: None,
            connect_max: limits.deadlines.connect,
            caller,
            begin: Arc::new(Pace::new(limits.max_per_second)),
            first_byte: Arc::new(Pace::new(limits.max_per_second)),
            places: Places::new(limits.max_in_flight),
            gatekeeper: None,
        }
    }

    /// The same way; nothing goes over it that this lets not pass.
    #[must_use]
    pub fn checked_by(self, gatekeeper: Option<Arc<Gatekeeper>>) -> Self {
        Self { gatekeeper, ..self }
    }

    /// From now on its pace goes by a clock that testers steer.
    pub fn go_by(&self, clock: &Arc<dyn Clock>) {
        self.begin.go_by(clock, Waits::ByTheClock);
        self.first_byte.go_by(clock, Waits::Really);
    }

    /// The same way, at the same pace, as another caller: with a new password, say.
    #[must_use]
    pub fn renewed(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }
}

impl Rail for SoapRail {
    fn prepare(&self, payout: &Payout, now: Timestamp) -> Result<Prepared, String> {
        let details = &payout.details;
        let request = PayoutRequest {
            caller: &self.caller,
            command: details.command,
            originator_conversation_id: details.originator_conversation_id.as_str(),
            amount: details.amount,
            phone: details.phone,
            remarks: &details.remarks,
            occasion: &details.occasion,
            at: now,
        };
        let rendered = request.render();
        Ok(Prepared {
            name: details.originator_conversation_id.clone(),
            wire: rendered.wire,
            kept: rendered.redacted,
        })
    }

    fn prepare_question(
        &self,
        payout: &Payout,
        question: Question,
        now: Timestamp,
    ) -> Result<Prepared, String> {
        let payment = &payout.details.originator_conversation_id;
        let name = payment.of_question(question.nth);
        let ask_for = match (question.by, told(payout)) {
            (AskBy::Name, _) => AskFor::OriginatorConversationId(payment.as_str()),
            (AskBy::Receipt, Some(receipt)) => AskFor::Receipt(receipt.as_str()),
            (AskBy::Receipt, None) => return Err("no receipt is known to ask by".to_owned()),
        };
        let query = StatusQuery {
            caller: &self.caller,
            originator_conversation_id: name.as_str(),
            ask_for,
            at: now,
        };
        let rendered = query.render();
        Ok(Prepared { name, wire: rendered.wire, kept: rendered.redacted })
    }

    fn admit(&self) -> Pending<'_, Admission> {
        Box::pin(async {
            let place = self.places.take().await;
            self.begin.enter().await;
            place.map_or_else(Admission::free, Admission::guarded_by)
        })
    }

    fn send(&self, request: Prepared, place: Admission, _proof: Durable) -> Pending<'_, Sent> {
        Box::pin(async move {
            let posted = self.wire.post(request.wire, &self.first_byte).await;
            drop(place);
            match posted {
                Ok(answer) => read(answer, request.name.as_str(), &self.caller.security_credential),
                Err(Unanswered::NothingSent(why)) => {
                    Sent { outcome: Outcome::NothingSent(why), answer: None }
                }
                Err(Unanswered::MayHaveBeenSent(why)) => {
                    Sent { outcome: Outcome::NoAnswer(why), answer: None }
                }
            }
        })
    }

    fn objection(&self, request: &Prepared) -> Option<String> {
        self.gatekeeper.as_ref()?.objection(&request.wire)
    }

    fn longest_send(&self) -> Duration {
        self.wire.longest()
    }

    fn link(&self) -> Option<LinkState> {
        self.origin.as_ref()?.link.as_deref().map(Link::state)
    }

    fn probe(&self) -> Pending<'_, ()> {
        Box::pin(async {
            if let Some(origin) = &self.origin {
                probe(origin, self.connect_max).await;
            }
        })
    }
}

/// The receipt that M-Pesa named for a payout in doubt.
const fn told(payout: &Payout) -> Option<&Receipt> {
    match &payout.state {
        State::Unknown { inquiry, .. } => inquiry.told.as_ref(),
        State::AwaitingApproval { .. }
        | State::Queued { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => None,
    }
}

/// What an answer says. Anything but a readable `ResponseMsg` with HTTP 200 is doubt: an empty code
/// stands in no table.
///
/// A broker's page may repeat our request, so the answer is kept and described without the secrets
/// that a request has. Which code it says is read before that.
fn read(answer: Answer, name: &str, credential: &str) -> Sent {
    let mut facts = match (answer.status, response::parse(&answer.body)) {
        (200, Ok(response)) => match response.originator_conversation_id {
            Some(other) if other != name => doubt("the answer names another request".to_owned()),
            Some(_) | None => response.facts,
        },
        (200, Err(unreadable)) => doubt(format!("an answer that cannot be read: {unreadable}")),
        (status, _) => doubt(format!("HTTP status {status} instead of an answer")),
    };
    let description = redact::redact_with(facts.description.as_bytes(), credential);
    facts.description = String::from_utf8_lossy(&description).into_owned();
    let body = redact::redact_with(&answer.body, credential);
    let raw = RawAnswer { http_status: answer.status, body };
    Sent { outcome: Outcome::Answered(facts), answer: Some(raw) }
}

fn doubt(description: String) -> AnswerFacts {
    let description = description.chars().take(DESCRIPTION_LEN_MAX).collect();
    AnswerFacts { code: String::new(), description, conversation: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::AnswerClass;
    use crate::soap::header::{HexCase, sp_password};

    fn class_of(status: u16, body: &[u8]) -> AnswerClass {
        let answer = Answer::new(status, body.to_vec());
        match read(answer, "600999_ExampleOrg_0001", "Q1JFREVOVElBTA==").outcome {
            Outcome::Answered(facts) => facts.class(),
            Outcome::NothingSent(_) | Outcome::NoAnswer(_) => panic!("it is an answer"),
        }
    }

    #[test]
    fn an_answer_that_repeats_our_request_is_kept_without_its_secrets() {
        let password = sp_password("100001", "Example-Secret-1", "20240102030405", HexCase::Upper);
        let credential = "Q1JFREVOVElBTA+/Q1JFREVOVElBTA==";
        let encoded = credential.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let url = "https://gw.example.org/cb/00ff00ff00ff00ff/b2c/result";
        let pages = [
            format!("<html>{credential} {password} {url}</html>"),
            format!("{{\"credential\":\"{credential}\",\"p\":\"{password}\",\"u\":\"{url}\"}}"),
            format!("SecurityCredential={encoded}&spPassword={password}&ResultURL={url}"),
            String::from_utf8(response::render(&response::Answer {
                code: "100000005",
                description: &format!("invalid: {credential} {password} {url}"),
                ..response::Answer::default()
            }))
            .expect("UTF-8"),
        ];
        for page in pages {
            let answer = Answer::new(200, page.clone().into_bytes());
            let sent = read(answer, "600999_ExampleOrg_0001", credential);
            let kept = sent.answer.expect("an answer").body;
            let Outcome::Answered(facts) = sent.outcome else { panic!("it is an answer") };
            let seen = format!("{} {facts:?}", String::from_utf8_lossy(&kept));
            for secret in ["Q1JFREVOVElBTA", password.trim_end_matches('='), "00ff00ff"] {
                assert!(!seen.contains(secret), "{secret} of {page} in {seen}");
            }
        }
    }

    #[test]
    fn only_a_readable_answer_with_status_200_counts() {
        let taken = response::render(&response::Answer {
            code: "0",
            description: "Accept the service request successfully.",
            conversation_id: Some("AG_20240102_00000000000000000001"),
            originator_conversation_id: Some("600999_ExampleOrg_0001"),
            service_status: Some("0"),
        });
        assert_eq!(class_of(200, &taken), AnswerClass::Taken);
        let foreign = String::from_utf8_lossy(&taken).replace("ExampleOrg_0001", "ExampleOrg_2");
        let table: [(u16, &[u8]); 7] = [
            (200, foreign.as_bytes()),
            (500, &taken),
            (202, &taken),
            (200, b""),
            (200, b"<html><body>Service unavailable</body></html>"),
            (200, &crate::soap::fault::fault("soapenv:Server", "busy")),
            (503, b"Request unsuccessful."),
        ];
        for (status, body) in table {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(class_of(status, body), AnswerClass::Doubt, "{status} {shown}");
        }
    }
}
