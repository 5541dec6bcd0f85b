//! What testers put in the way of single requests (spec/daraja.md §12).
//!
//! A [`Rule`] names an API, the how-many-th request it begins with, counted from when it was laid
//! down, for how many it lasts, and a fault. `contains` narrows it to requests in whose body a text
//! stands: a phone, a reference. Several may meet in one request.
//!
//! `POST /sim/faults {"api":"stk","nth":1,"times":1,"contains":"…","fault":"…"}`, where `api` is
//! one of [`Api::name`] or `*`, and `fault` one of:
//!
//! - nothing is done, and this is answered: `http_500_before`, `http_502_before`,
//!   `http_503_before`, `http_504_before`; too much: `429` (Apigee's), `spike`, `busy`, `quota`,
//!   `maintenance`; `waf`, `waf_503` (the firewall's page); `apigee` (no such product for this
//!   app); `soap_fault` (written as JSON); `empty` (400); `system_before`
//!   (`500.002.1001 System internal error.`); `internal_before` (`500.001.1001`); `forbidden`
//!   (`403.002.1001`); `locked` (`Unable to lock subscriber`);
//! - it is done, and this is answered all the same: `http_500_after`, `http_502_after`,
//!   `http_503_after`, `http_504_after`, `429_after`, `empty_after`, `page_after`,
//!   `not_json_after`, `system_after`, `internal_after`;
//! - no answer, after a while or at once: `hang_before`, `hang_after`, `drop_before`,
//!   `drop_after`;
//! - the token is refused, and no good any more: `token_400_003_01`, `token_401_002_01`,
//!   `token_404_001_03`, `token_401_001`, `token_401_003_01`; `token_refused`: as each API spells
//!   it;
//! - of `oauth`: `expires_in_number`, `token_life:SECONDS`;
//! - what the result is: `rule_17`, `fail:CODE`; or that it is given up in the queue, which is
//!   said to the address for timeouts: `timeout_notice`, `timeout_notice_thin`;
//! - how the result is told: `no_callback`, `duplicate_callback`, `callback_first`,
//!   `late_callback:MS`, `malformed_callback`, `cut_callback`, `contradicting_callback`,
//!   `waiting_first`;
//! - how it is written: `shuffle`, `result_object`, `code_as_string`, `no_parameters`,
//!   `no_balance_value`, `no_phone`, `masked_phone`;
//! - something else than is true: `wrong_amount`, `wrong_id`;
//! - of `stk_query`: `processing` (4999), `processing_500`, `processing_200`, `unknown_id`,
//!   `400_checkout`, `fail:CODE`;
//! - of `c2b_register`: `already_registered`, `duplicate_notification`;
//! - of `c2b`, how a customer's payment is told: `no_confirmation`, `masked_short`, and the ways
//!   in which a result is told.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::refusal::Refusal;
use super::token::Spelling;
use super::{Api, said};
use crate::sim::Sim;
use crate::sim::reply::{HTML, PAGE, Reply};
use crate::sim::script::{Act, Answer, Behaviour, Code, Malformed, Place, Results, Then};

/// How many rules may wait.
const RULES_MAX: usize = 1_000;
/// The longest text that a rule may look for.
const CONTAINS_MAX: usize = 200;
/// The longest that a fault may last.
const LATE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What the firewall says (spec/daraja.md §1).
pub(in crate::sim) const FIREWALL: &str = "<html><head><META NAME=\"ROBOTS\" CONTENT=\"NOINDEX, NOFOLLOW\"></head>\
<body>Request unsuccessful. Incapsula incident ID: 0-0000000000000000</body></html>";

/// What goes wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// `500.003.1001 Internal Server Error`.
    Internal500,
    /// A page, 502.
    BadGateway502,
    /// A page, 503.
    Unavailable503,
    /// A page, 504.
    GatewayTimeout504,
    /// Apigee: too many requests.
    Spike429,
    /// The same in an envelope.
    Spike500,
    /// "System is busy."
    Busy500,
    /// Quota.
    Quota500,
    /// Under maintenance.
    Maintenance,
    /// The firewall's page, 403.
    Firewall403,
    /// The same, 503.
    Firewall503,
    /// Apigee: no such product.
    NoProduct401,
    /// A SOAP fault as JSON.
    SoapFault,
    /// Nothing, 400.
    Empty400,
    /// Nothing, 200.
    Empty200,
    /// A page, 200.
    Page200,
    /// A text that is no JSON, 200.
    NotJson200,
    /// `500.002.1001 System internal error.`
    System500,
    /// `500.001.1001 Internal Server Error`.
    Server500,
    /// `403.002.1001`.
    Forbidden403,
    /// The subscriber is locked.
    Locked,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and this is answered.
    Before(Wrong),
    /// It is done, and this is answered.
    After(Wrong),
    /// Nothing is done, and no answer comes.
    HangBefore,
    /// It is done, and no answer comes.
    HangAfter,
    /// Nothing is done, and the connection drops.
    DropBefore,
    /// It is done, and the connection drops.
    DropAfter,
    /// The token is refused.
    TokenRefused(Spelling),
    /// `expires_in` is a number.
    ExpiresInNumber,
    /// The token is good for so long only.
    TokenLife(Duration),
    /// Taken, and this is the result.
    Fail(String),
    /// Given up in the queue; thin: what is said then is no echo.
    TimeoutNotice {
        /// Whether a short Result stands for the echo of the request.
        thin: bool,
    },
    /// How the result is told.
    Told(Results),
    /// Parameters in another order.
    Shuffle,
    /// Objects where lists should be, and the other way round.
    ResultObject,
    /// A result's code of the other type.
    CodeAsString,
    /// Nothing but the code: no parameters of a result, no items of a prompt's callback.
    NoParameters,
    /// `Balance` without a value.
    NoBalanceValue,
    /// No phone.
    NoPhone,
    /// A masked phone.
    MaskedPhone,
    /// Another amount than the one that moved.
    WrongAmount,
    /// Another id than the one that was given.
    WrongId,
    /// An STK query: 4999.
    Processing,
    /// An STK query: the envelope, with this status.
    ProcessingEnvelope(u16),
    /// An STK query: no such id.
    UnknownId,
    /// An STK query: too early.
    EarlyCheckout,
    /// A registration: there is one.
    AlreadyRegistered,
    /// A registration: there is one at the old broker.
    DuplicateNotification,
    /// The confirmation is never sent.
    NoConfirmation,
    /// The phone is masked as the register page shows it.
    MaskedShort,
}

/// Every fault without a parameter, by its name.
const NAMED: &[(&str, Fault)] = &[
    ("http_500_before", Fault::Before(Wrong::Internal500)),
    ("http_502_before", Fault::Before(Wrong::BadGateway502)),
    ("http_503_before", Fault::Before(Wrong::Unavailable503)),
    ("http_504_before", Fault::Before(Wrong::GatewayTimeout504)),
    ("http_500_after", Fault::After(Wrong::Internal500)),
    ("http_502_after", Fault::After(Wrong::BadGateway502)),
    ("http_503_after", Fault::After(Wrong::Unavailable503)),
    ("http_504_after", Fault::After(Wrong::GatewayTimeout504)),
    ("429", Fault::Before(Wrong::Spike429)),
    ("429_after", Fault::After(Wrong::Spike429)),
    ("spike", Fault::Before(Wrong::Spike500)),
    ("busy", Fault::Before(Wrong::Busy500)),
    ("quota", Fault::Before(Wrong::Quota500)),
    ("maintenance", Fault::Before(Wrong::Maintenance)),
    ("waf", Fault::Before(Wrong::Firewall403)),
    ("waf_503", Fault::Before(Wrong::Firewall503)),
    ("apigee", Fault::Before(Wrong::NoProduct401)),
    ("soap_fault", Fault::Before(Wrong::SoapFault)),
    ("empty", Fault::Before(Wrong::Empty400)),
    ("empty_after", Fault::After(Wrong::Empty200)),
    ("page_after", Fault::After(Wrong::Page200)),
    ("not_json_after", Fault::After(Wrong::NotJson200)),
    ("system_before", Fault::Before(Wrong::System500)),
    ("system_after", Fault::After(Wrong::System500)),
    ("internal_before", Fault::Before(Wrong::Server500)),
    ("internal_after", Fault::After(Wrong::Server500)),
    ("forbidden", Fault::Before(Wrong::Forbidden403)),
    ("locked", Fault::Before(Wrong::Locked)),
    ("hang_before", Fault::HangBefore),
    ("hang_after", Fault::HangAfter),
    ("drop_before", Fault::DropBefore),
    ("drop_after", Fault::DropAfter),
    ("token_400_003_01", Fault::TokenRefused(Spelling::BadRequest)),
    ("token_401_002_01", Fault::TokenRefused(Spelling::Echo)),
    ("token_404_001_03", Fault::TokenRefused(Spelling::NotFound)),
    ("token_401_001", Fault::TokenRefused(Spelling::Pull)),
    ("token_401_003_01", Fault::TokenRefused(Spelling::Variant)),
    ("token_refused", Fault::TokenRefused(Spelling::Usual)),
    ("expires_in_number", Fault::ExpiresInNumber),
    ("timeout_notice", Fault::TimeoutNotice { thin: false }),
    ("timeout_notice_thin", Fault::TimeoutNotice { thin: true }),
    ("no_callback", Fault::Told(Results::Never)),
    ("duplicate_callback", Fault::Told(Results::Twice)),
    ("callback_first", Fault::Told(Results::BeforeAnswer)),
    ("malformed_callback", Fault::Told(Results::Malformed(Malformed::NotXml, Place::Before))),
    ("cut_callback", Fault::Told(Results::Malformed(Malformed::Cut, Place::Instead))),
    ("contradicting_callback", Fault::Told(Results::Contradicting(Code::Borrowed("1032")))),
    ("waiting_first", Fault::Told(Results::WaitingFirst)),
    ("shuffle", Fault::Shuffle),
    ("result_object", Fault::ResultObject),
    ("code_as_string", Fault::CodeAsString),
    ("no_parameters", Fault::NoParameters),
    ("no_balance_value", Fault::NoBalanceValue),
    ("no_phone", Fault::NoPhone),
    ("masked_phone", Fault::MaskedPhone),
    ("wrong_amount", Fault::WrongAmount),
    ("wrong_id", Fault::WrongId),
    ("processing", Fault::Processing),
    ("processing_500", Fault::ProcessingEnvelope(500)),
    ("processing_200", Fault::ProcessingEnvelope(200)),
    ("unknown_id", Fault::UnknownId),
    ("400_checkout", Fault::EarlyCheckout),
    ("already_registered", Fault::AlreadyRegistered),
    ("duplicate_notification", Fault::DuplicateNotification),
    ("no_confirmation", Fault::NoConfirmation),
    ("masked_short", Fault::MaskedShort),
];

impl Fault {
    /// By its name.
    ///
    /// # Errors
    /// There is no such fault; the text names those that there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, fault)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(fault.clone());
        }
        let number = |text: &str| text.parse::<u64>().map_err(|_error| unknown(name));
        match name.split_once(':') {
            _ if name == "rule_17" => Ok(Self::Fail("17".to_owned())),
            Some(("fail", code)) if !code.is_empty() && code.len() <= 10 => {
                Ok(Self::Fail(code.to_owned()))
            }
            Some(("late_callback", millis)) => {
                let late = Duration::from_millis(number(millis)?).min(LATE_MAX);
                Ok(Self::Told(Results::Late(late)))
            }
            Some(("token_life", seconds)) => {
                Ok(Self::TokenLife(Duration::from_secs(number(seconds)?).min(LATE_MAX)))
            }
            Some(_) | None => Err(unknown(name)),
        }
    }
}

/// Every fault that there is, as it is named; what follows a colon is to be filled in.
pub(in crate::sim) fn names() -> impl Iterator<Item = &'static str> {
    let filled_in = ["rule_17", "fail:CODE", "late_callback:MS", "token_life:SECONDS"];
    NAMED.iter().map(|(name, _)| *name).chain(filled_in)
}

fn unknown(name: &str) -> String {
    let known: Vec<&str> = names().collect();
    format!("there is no fault \"{name}\"; there are {}", known.join(", "))
}

/// A fault that is laid down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of what: one of [`Api::name`], or `*`.
    pub api: String,
    /// With which request it begins, from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// For how many it lasts.
    #[serde(default = "one")]
    pub times: u32,
    /// What must stand in the body.
    #[serde(default)]
    pub contains: Option<String>,
    /// The fault's name.
    pub fault: String,
}

const fn one() -> u32 {
    1
}

impl Rule {
    /// A fault of the next request.
    pub fn next(api: Api, fault: &str) -> Self {
        let api = api.name().to_owned();
        Self { api, nth: 1, times: 1, contains: None, fault: fault.to_owned() }
    }
}

#[derive(Debug)]
struct Waiting {
    api: Option<Api>,
    rule: Rule,
    fault: Fault,
    seen: u32,
}

/// The faults that wait.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Vec<Waiting>,
}

impl Faults {
    /// Lays one down.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, rule: Rule) -> Result<(), String> {
        let api = Api::ALL.into_iter().find(|api| api.name() == rule.api);
        if api.is_none() && rule.api != "*" {
            let known = Api::ALL.map(Api::name).join(", ");
            return Err(format!("there is no api \"{}\"; there are {known}, and *", rule.api));
        }
        if rule.nth == 0 || rule.times == 0 {
            return Err("nth and times begin with 1".to_owned());
        }
        if rule.contains.as_ref().is_some_and(|text| text.len() > CONTAINS_MAX) {
            return Err(format!("contains has more than {CONTAINS_MAX} bytes"));
        }
        let fault = Fault::parse(&rule.fault)?;
        if self.waiting.len() >= RULES_MAX {
            return Err(format!("{RULES_MAX} faults wait already"));
        }
        self.waiting.push(Waiting { api, rule, fault, seen: 0 });
        Ok(())
    }

    /// The rules that wait, with how many requests each has seen.
    pub fn list(&self) -> impl Iterator<Item = (&Rule, u32)> {
        self.waiting.iter().map(|waiting| (&waiting.rule, waiting.seen))
    }

    /// Takes all of them away.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Those that meet in this request.
    pub(in crate::sim) fn draw(&mut self, api: Api, body: &[u8]) -> Vec<Fault> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(body);
        let mut drawn = Vec::new();
        for waiting in &mut self.waiting {
            let is_it = waiting.api.is_none_or(|wanted| wanted == api)
                && waiting.rule.contains.as_ref().is_none_or(|part| text.contains(part));
            if is_it {
                waiting.seen = waiting.seen.saturating_add(1);
                if waiting.seen >= waiting.rule.nth {
                    drawn.push(waiting.fault.clone());
                }
            }
        }
        self.waiting.retain(|waiting| {
            let last = waiting.rule.nth.saturating_add(waiting.rule.times).saturating_sub(1);
            waiting.seen < last
        });
        drawn
    }
}

/// The first that has nothing done at all.
pub(in crate::sim) fn before(faults: &[Fault]) -> Option<Fault> {
    let is_before = |fault: &&Fault| {
        matches!(
            fault,
            Fault::Before(_) | Fault::HangBefore | Fault::DropBefore | Fault::TokenRefused(_)
        )
    };
    faults.iter().find(is_before).cloned()
}

/// What is answered in place of anything being done, by a fault of [`before`].
pub(in crate::sim) fn word(sim: &Sim, fault: Fault) -> Reply {
    let silent = |answer| Reply { answer, ..wrong(sim, Wrong::Empty200) };
    if let Fault::Before(what) | Fault::After(what) = fault {
        wrong(sim, what)
    } else if matches!(fault, Fault::DropBefore | Fault::DropAfter) {
        silent(Answer::Drop)
    } else {
        silent(Answer::Never)
    }
}

/// The first that has it done and answers something else.
pub(in crate::sim) fn is_after(faults: &[Fault]) -> Option<&Fault> {
    let is_after =
        |fault: &&Fault| matches!(fault, Fault::After(_) | Fault::HangAfter | Fault::DropAfter);
    faults.iter().find(is_after)
}

/// `good`, or what comes in its place although it was done.
pub(in crate::sim) fn after(sim: &Sim, faults: &[Fault], good: Reply) -> Reply {
    match is_after(faults) {
        Some(fault) => Reply { after_result: good.after_result, ..word(sim, fault.clone()) },
        None => good,
    }
}

/// A behaviour as the faults change it.
pub(in crate::sim) fn change(faults: &[Fault], behaviour: &mut Behaviour) {
    for fault in faults {
        if let Fault::Fail(code) = fault {
            behaviour.act = Act::Fail(Code::Owned(code.clone()));
        } else if let Fault::TimeoutNotice { .. } = fault {
            behaviour.act = Act::Cache { wait: Duration::ZERO, then: Then::GiveUp };
        } else if let Fault::Told(results) = fault {
            behaviour.result = results.clone();
        }
    }
}

/// An answer that is none.
pub(super) fn wrong(sim: &Sim, what: Wrong) -> Reply {
    let envelope = |status, code, says: &str| Refusal::new(status, code, says).reply(sim);
    match what {
        Wrong::Internal500 => envelope(500, "500.003.1001", "Internal Server Error"),
        Wrong::BadGateway502 => plain(502, PAGE),
        Wrong::Unavailable503 => plain(503, PAGE),
        Wrong::GatewayTimeout504 => plain(504, PAGE),
        Wrong::Spike429 => spike(),
        Wrong::Spike500 => envelope(500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
        Wrong::Busy500 => {
            let says = "System is busy. Please try again in few minutes.";
            envelope(500, "500.003.02", says)
        }
        Wrong::Quota500 => envelope(500, "500.003.03", "Error Occurred: Quota Violation"),
        Wrong::Maintenance => envelope(503, "00.002.1001", "Service is under maintenance"),
        Wrong::Firewall403 => plain(403, FIREWALL.as_bytes()),
        Wrong::Firewall503 => plain(503, FIREWALL.as_bytes()),
        Wrong::NoProduct401 => no_product(),
        Wrong::SoapFault => soap_fault(),
        Wrong::Empty400 => plain(400, b""),
        Wrong::Empty200 => plain(200, b""),
        Wrong::Page200 => plain(200, PAGE),
        Wrong::NotJson200 => plain(200, b"OK"),
        Wrong::System500 => envelope(500, "500.002.1001", "System internal error."),
        Wrong::Server500 => envelope(500, "500.001.1001", "Internal Server Error"),
        Wrong::Forbidden403 => {
            let says = "You are not authorized to initiate this transaction";
            envelope(403, "403.002.1001", says)
        }
        Wrong::Locked => locked().reply(sim),
    }
}

/// The phone has a prompt already (spec/daraja.md §3.2).
pub(super) fn locked() -> Refusal {
    let says = "Unable to lock subscriber, a transaction is already in process for the current \
                subscriber";
    Refusal::new(500, "500.001.1001", says)
}

/// Apigee's fault when there are too many requests (spec/daraja.md §1).
pub(super) fn spike() -> Reply {
    let says = "Spike arrest violation. Allowed rate : MessageRate{messagesPerPeriod=5, \
                periodInMicroseconds=60000000, maxBurstMessageCount=1.0}";
    apigee(429, says, "policies.ratelimit.SpikeArrestViolation")
}

fn no_product() -> Reply {
    let says = "Invalid API call as no apiproduct match found";
    apigee(401, says, "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound")
}

fn apigee(status: u16, says: &str, code: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    said(status, &json!({"fault": {"faultstring": says, "detail": {"errorcode": code}}}))
}

fn soap_fault() -> Reply {
    let fault = json!({
        "faultcode": "soapenv:Server",
        "faultstring": "Backend failure: HTTP response with ResponseCode 409 is treated as error",
    });
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    said(status, &json!({"Envelope": {"Body": {"Fault": fault}}}))
}

fn plain(status: u16, text: &[u8]) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Reply {
        answer: Answer::Now,
        status,
        content_type: if text.starts_with(b"<") { HTML } else { "text/plain" },
        message: text.to_vec(),
        after_result: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_no_other() {
        for (name, fault) in NAMED {
            assert_eq!(Fault::parse(name).as_ref(), Ok(fault));
        }
        assert_eq!(Fault::parse("rule_17"), Ok(Fault::Fail("17".to_owned())));
        let late = Duration::from_millis(250);
        assert_eq!(Fault::parse("late_callback:250"), Ok(Fault::Told(Results::Late(late))));
        for wrong in ["", "fail:", "late_callback:soon", "http_418", "fail:12345678901"] {
            let says = Fault::parse(wrong).expect_err(wrong);
            assert!(says.contains("http_500_before"), "{says}");
        }
    }

    #[test]
    fn a_rule_counts_its_own_requests_and_ends() {
        let mut faults = Faults::default();
        let rule = |api: &str, nth, times, contains: Option<&str>| Rule {
            api: api.to_owned(),
            nth,
            times,
            contains: contains.map(str::to_owned),
            fault: "429".to_owned(),
        };
        faults.add(rule("stk", 2, 2, Some("INV-1"))).expect("a rule");
        let mut met = |api, body: &str| faults.draw(api, body.as_bytes()).len();
        // Api, body; how many faults it meets.
        let table = [
            (Api::Stk, "INV-1", 0),
            (Api::Stk, "INV-2", 0),
            (Api::B2c, "INV-1", 0),
            (Api::Stk, "INV-1", 1),
            (Api::Stk, "INV-1", 1),
            (Api::Stk, "INV-1", 0),
        ];
        for (number, (api, body, expected)) in table.into_iter().enumerate() {
            assert_eq!(met(api, body), expected, "{number}");
        }
        assert_eq!(faults.list().count(), 0);
        for wrong in [rule("stkx", 1, 1, None), rule("stk", 0, 1, None), rule("*", 1, 0, None)] {
            assert!(faults.add(wrong).is_err());
        }
        let one = Rule::next(Api::Pull, "429");
        for _ in 0..RULES_MAX {
            faults.add(one.clone()).expect("room");
        }
        assert!(faults.add(one).is_err(), "no more room");
    }
}
