//! Inquiries over the broker: balances, how a transaction stands, reversals, where C2B notices are
//! to go (spec/soap.md §3.3, §3.4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method, header};

use super::pace::{Pace, Places, Waits};
use super::soap::{Limits, REQUEST_PATH};
use super::transport::{Answer, Request, Unanswered, Web};
use crate::clock::Clock;
use crate::domain::id::ConversationId;
use crate::domain::inquiry::{self, AnswerFacts, Inquiry, Kind, Names, TransactionStatus};
use crate::domain::payout::{self, WhyNothingSent};
use crate::domain::tag::{Tag, Tagged};
use crate::domain::time::Timestamp;
use crate::engine::port::{
    Admission, Api, Call, Counter, Durable, Pending, PreparedCall, RawAnswer, Replied, Reply,
};
use crate::schema::Gatekeeper;
use crate::soap::operation::{self, Operation};
use crate::soap::register::{self, RegisterUrl};
use crate::soap::request::{Caller, Rendered};
use crate::soap::status_query::{AskFor, StatusQuery};
use crate::soap::{redact, response};

/// What ends the request's name in what is handed from `prepare` to `call`.
const NAME_END: u8 = b'\n';
/// The longest description of an unreadable answer that is kept in words.
const DESCRIPTION_LEN_MAX: usize = 200;

/// The counter at the SOAP broker.
#[derive(Clone, Debug)]
pub struct SoapCounter {
    web: Arc<dyn Web>,
    caller: Caller,
    /// Where M-Pesa calls: `https://…/cb/<token>`, without a slash at the end.
    callbacks: String,
    /// The organisation's name, as part of each request's own.
    organisation: String,
    begin: Arc<Pace>,
    first_byte: Arc<Pace>,
    places: Places,
    /// What each request is held against before it is sent, where the partner's schema is known.
    gatekeeper: Option<Arc<Gatekeeper>>,
}

impl SoapCounter {
    /// A counter over `web`, which goes to the broker.
    pub fn new(
        web: Arc<dyn Web>,
        caller: Caller,
        (callbacks, organisation): (String, String),
        limits: &Limits,
    ) -> Self {
        Self {
            web,
            caller,
            callbacks,
            organisation,
            begin: Arc::new(Pace::new(limits.max_per_second)),
            first_byte: Arc::new(Pace::new(limits.max_per_second)),
            places: Places::new(limits.max_in_flight),
            gatekeeper: None,
        }
    }

    /// The same counter; nothing goes out that this lets not pass.
    #[must_use]
    pub fn checked_by(self, gatekeeper: Option<Arc<Gatekeeper>>) -> Self {
        Self { gatekeeper, ..self }
    }

    /// From now on its pace goes by a clock that testers steer.
    pub fn go_by(&self, clock: &Arc<dyn Clock>) {
        self.begin.go_by(clock, Waits::ByTheClock);
        self.first_byte.go_by(clock, Waits::Really);
    }

    /// The same counter, at the same pace, for another caller who is called back elsewhere.
    #[must_use]
    pub fn renewed(&self, caller: Caller, callbacks: String) -> Self {
        Self { caller, callbacks, ..self.clone() }
    }

    /// Our operator, on behalf of the short code that an inquiry is about, called back at the end
    /// of `tag`.
    fn caller(&self, inquiry: &Inquiry, tag: Tag) -> Caller {
        Caller {
            shortcode: inquiry.details.shortcode.as_str().to_owned(),
            result_url: format!("{}/result/{tag}", self.callbacks),
            queue_timeout_url: format!("{}/timeout/{tag}", self.callbacks),
            ..self.caller.clone()
        }
    }

    /// The request's own name. What moves money has one for ever, so that M-Pesa refuses a second;
    /// what moves none has one for each time that it is asked.
    fn name(&self, inquiry: &Inquiry) -> String {
        let details = &inquiry.details;
        let attempt = inquiry.state.tries().attempts.saturating_add(1);
        let letters = details.id.to_string();
        let letters = letters.split('_').next_back().unwrap_or_default();
        let organisation: String =
            self.organisation.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let head = format!("{}_{organisation}", details.shortcode.as_str());
        if details.kind.moves_money() {
            format!("{head}_i_{letters}")
        } else {
            format!("{head}_i{attempt}_{letters}")
        }
    }

    fn inquiry(
        &self,
        inquiry: &Inquiry,
        now: Timestamp,
    ) -> Result<(Api, String, Rendered), String> {
        let details = &inquiry.details;
        let caller = &self.caller(inquiry, Tag::new(Tagged::Inquiry, details.id.bytes()));
        let name = self.name(inquiry);
        let operate = |kind, remarks| {
            let originator_conversation_id = &name;
            Operation { caller, originator_conversation_id, kind, remarks, at: now }.render()
        };
        let (api, rendered) = match &details.kind {
            Kind::Balance => (Api::Balance, operate(operation::Kind::Balance, "")),
            Kind::Reversal(what) => {
                let receipt = what.receipt.as_str();
                let kind = operation::Kind::Reversal { receipt, amount: what.amount };
                (Api::Reversal, operate(kind, &what.remarks))
            }
            Kind::BusinessPayment(what) => {
                let kind = operation::Kind::BusinessPayment {
                    command: what.command,
                    receiver: what.to.as_str(),
                    amount: what.amount,
                    account: &what.account,
                };
                (Api::BusinessPayment, operate(kind, &what.remarks))
            }
            Kind::TransactionStatus(of) => {
                let ask_for = match of {
                    TransactionStatus::Receipt(receipt) => AskFor::Receipt(receipt.as_str()),
                    TransactionStatus::Conversation(name) => {
                        AskFor::OriginatorConversationId(name.as_str())
                    }
                };
                let originator_conversation_id = &name;
                let query = StatusQuery { caller, originator_conversation_id, ask_for, at: now };
                (Api::Status, query.render())
            }
            Kind::RegisterUrls(what) => {
                let register = RegisterUrl {
                    caller,
                    originator_conversation_id: &name,
                    response_type: what.response_type,
                    validation_url: &format!("{}/c2b/validation", self.callbacks),
                    confirmation_url: &format!("{}/c2b/confirmation", self.callbacks),
                    at: now,
                };
                (Api::RegisterUrls, register.render())
            }
            Kind::SimulateC2b(_) => {
                return Err("the broker simulates no payments; Daraja's sandbox does".to_owned());
            }
            Kind::Tax(_) => {
                return Err("tax is paid over Daraja, not over the broker".to_owned());
            }
            Kind::QrCode(_) | Kind::RegisterPull(_) => {
                return Err("the broker has no such interface; Daraja has".to_owned());
            }
        };
        Ok((api, name, rendered))
    }

    fn question(
        &self,
        inquiry: &Inquiry,
        nth: u32,
        now: Timestamp,
    ) -> Result<(Api, String, Rendered), String> {
        let asked = inquiry::ask_by(inquiry).ok_or("M-Pesa gave it no name to ask by")?;
        let tag = Tag::new(Tagged::InquiryQuestion { nth }, inquiry.details.id.bytes());
        let caller = &self.caller(inquiry, tag);
        let letters = inquiry.details.id.to_string();
        let letters = letters.split('_').next_back().unwrap_or_default();
        let name = format!("{}_q{nth}_{letters}", caller.shortcode);
        let query = StatusQuery {
            caller,
            originator_conversation_id: &name,
            ask_for: AskFor::OriginatorConversationId(asked.as_str()),
            at: now,
        };
        let rendered = query.render();
        Ok((Api::Status, name, rendered))
    }

    async fn post(&self, api: Api, body: Vec<u8>) -> Result<Answer, Unanswered> {
        let path = if api == Api::RegisterUrls { register::PATH } else { REQUEST_PATH };
        let headers = vec![
            (header::CONTENT_TYPE, "text/xml;charset=UTF-8".to_owned()),
            (HeaderName::from_static("soapaction"), "\"\"".to_owned()),
        ];
        let request = Request { method: Method::POST, path: path.to_owned(), headers, body };
        self.web.send(request, &self.first_byte).await
    }

    /// What an answer says. Anything but a readable `ResponseMsg` with HTTP 200 is doubt.
    fn read(&self, answer: &Answer, name: &str) -> Replied {
        let doubt = |description: String| AnswerFacts {
            code: String::new(),
            description: description.chars().take(DESCRIPTION_LEN_MAX).collect(),
            names: Names::default(),
            picture: None,
        };
        let mut facts = match (answer.status, response::parse(&answer.body)) {
            (200, Ok(response)) => match response.originator_conversation_id {
                Some(other) if !other.is_empty() && other != name => {
                    doubt("the answer names another request".to_owned())
                }
                Some(_) | None => AnswerFacts {
                    code: response.facts.code,
                    description: response.facts.description,
                    names: Names {
                        conversation: response.facts.conversation,
                        originator: ConversationId::new(name),
                    },
                    picture: None,
                },
            },
            (200, Err(unreadable)) => doubt(format!("an answer that cannot be read: {unreadable}")),
            (status, _) => doubt(format!("HTTP status {status} instead of an answer")),
        };
        let credential = &self.caller.security_credential;
        let description = redact::redact_with(facts.description.as_bytes(), credential);
        facts.description = String::from_utf8_lossy(&description).into_owned();
        let body = redact::redact_with(&answer.body, credential);
        let raw = RawAnswer { http_status: answer.status, body };
        Replied { reply: Reply::Inquired(facts), answer: Some(raw) }
    }
}

impl Counter for SoapCounter {
    fn has(&self, rail: payout::Rail) -> bool {
        rail == payout::Rail::Soap
    }

    fn prepare(&self, call: Call<'_>, now: Timestamp) -> Result<PreparedCall, String> {
        let (api, name, rendered) = match call {
            Call::Inquiry(inquiry) => self.inquiry(inquiry, now)?,
            Call::InquiryQuestion(inquiry, nth) => self.question(inquiry, nth, now)?,
            Call::Prompt(_) | Call::PromptQuery(_) | Call::Pull { .. } => {
                return Err("this goes over Daraja only".to_owned());
            }
        };
        let gatekeeper = self.gatekeeper.as_ref();
        if let Some(why) = gatekeeper.and_then(|keeper| keeper.objection(&rendered.wire)) {
            return Err(format!("it is not to the schema in broker.wsdl_dir: {why}"));
        }
        let wire = [name.as_bytes(), &[NAME_END], &rendered.wire].concat();
        Ok(PreparedCall { api, wire, kept: rendered.redacted })
    }

    fn admit(&self, _api: Api) -> Pending<'_, Admission> {
        Box::pin(async {
            let place = self.places.take().await;
            self.begin.enter().await;
            place.map_or_else(Admission::free, Admission::guarded_by)
        })
    }

    fn call(
        &self,
        call: PreparedCall,
        place: Admission,
        _proof: Option<Durable>,
    ) -> Pending<'_, Replied> {
        Box::pin(async move {
            let nothing = |why| Replied { reply: Reply::NothingSent(why), answer: None };
            let mut parts = call.wire.splitn(2, |byte| *byte == NAME_END);
            let (Some(name), Some(body)) = (parts.next(), parts.next()) else {
                return nothing(WhyNothingSent::NotReady);
            };
            let name = String::from_utf8_lossy(name).into_owned();
            let posted = self.post(call.api, body.to_vec()).await;
            drop(place);
            match posted {
                Ok(answer) => self.read(&answer, &name),
                Err(Unanswered::NothingSent(why)) => nothing(why),
                Err(Unanswered::MayHaveBeenSent(why)) => {
                    Replied { reply: Reply::NoAnswer(why), answer: None }
                }
            }
        })
    }

    fn longest_call(&self) -> Duration {
        self.web.longest()
    }
}

/// Both counters as one: each call goes to where it belongs.
#[derive(Debug)]
pub struct Counters {
    /// The broker's, where it is set up.
    pub soap: Option<Arc<dyn Counter>>,
    /// Daraja's, where it is set up.
    pub daraja: Option<Arc<dyn Counter>>,
}

/// What marks a call of the broker's.
const TO_SOAP: u8 = b'S';
/// What marks a call of Daraja's.
const TO_DARAJA: u8 = b'D';

impl Counters {
    fn of(&self, mark: u8) -> Option<&Arc<dyn Counter>> {
        if mark == TO_SOAP { self.soap.as_ref() } else { self.daraja.as_ref() }
    }
}

/// Where a call belongs.
const fn mark(call: &Call<'_>) -> u8 {
    match call {
        Call::Inquiry(inquiry) | Call::InquiryQuestion(inquiry, _) => match inquiry.details.rail {
            payout::Rail::Soap => TO_SOAP,
            payout::Rail::Daraja => TO_DARAJA,
        },
        Call::Prompt(_) | Call::PromptQuery(_) | Call::Pull { .. } => TO_DARAJA,
    }
}

impl Counter for Counters {
    fn has(&self, rail: payout::Rail) -> bool {
        match rail {
            payout::Rail::Soap => self.soap.is_some(),
            payout::Rail::Daraja => self.daraja.is_some(),
        }
    }

    fn prepare(&self, call: Call<'_>, now: Timestamp) -> Result<PreparedCall, String> {
        let mark = mark(&call);
        let name = if mark == TO_SOAP { "soap" } else { "daraja" };
        let counter = self.of(mark).ok_or_else(|| format!("the rail {name} is not set up"))?;
        let mut prepared = counter.prepare(call, now)?;
        prepared.wire.insert(0, mark);
        Ok(prepared)
    }

    /// By Daraja's pace, where Daraja is set up; what goes to the broker waits for the broker's
    /// pace before its first byte as well.
    fn admit(&self, api: Api) -> Pending<'_, Admission> {
        match self.daraja.as_ref().or(self.soap.as_ref()) {
            Some(counter) => counter.admit(api),
            None => Box::pin(std::future::ready(Admission::free())),
        }
    }

    fn call(
        &self,
        mut call: PreparedCall,
        place: Admission,
        proof: Option<Durable>,
    ) -> Pending<'_, Replied> {
        let nothing =
            || Replied { reply: Reply::NothingSent(WhyNothingSent::NotReady), answer: None };
        if call.wire.is_empty() {
            return Box::pin(std::future::ready(nothing()));
        }
        let mark = call.wire.remove(0);
        match self.of(mark) {
            Some(counter) => counter.call(call, place, proof),
            None => Box::pin(std::future::ready(nothing())),
        }
    }

    fn longest_call(&self) -> Duration {
        let both = self.soap.iter().chain(&self.daraja);
        both.map(|counter| counter.longest_call()).max().unwrap_or_default()
    }
}
