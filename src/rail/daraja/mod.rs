//! The Daraja rail: M-Pesa over REST (spec/daraja.md §1).
//!
//! [`DarajaRail`] is both the way that payouts take and the counter at which everything else is
//! asked for. [`token`] has the one access token, `lane` the pace of each interface, `calls` what
//! the counter asks for.
//!
//! Each request names the addresses that M-Pesa is to call, and each address ends in a tag of its
//! own (`domain::tag`): what M-Pesa says finds its payout, payment or inquiry though the answer
//! with M-Pesa's names for it was lost.
//!
//! A request whose token M-Pesa refuses has not reached it: it goes once more, with a fresh token
//! (spec/daraja.md §4). Nothing else is ever sent twice here.
//!
//! **The first version of B2C** carries no name of ours. A payout whose answer is lost cannot be
//! asked about, and the same one sent again would be another to M-Pesa:
//! [`DarajaRail::names_payouts`] says so, and payouts that go this way must never be sent again
//! after a doubt (`payouts.on_not_found = "person"`).

mod calls;
mod lane;
pub mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};
use zeroize::Zeroizing;

use self::lane::Lanes;
use self::token::{FETCH_MAX, Tokens};
use super::link::Link;
use super::pace::{Pace, Places, Waits};
use super::transport::{Answer, Request, Site, Unanswered, Web, probe};
use crate::clock::Clock;
use crate::daraja::request::TransactionStatus;
use crate::daraja::request::{Addresses, B2c, Caller, NameKey, Rendered, StatusOf};
use crate::daraja::rules::{self, Fault, Place};
use crate::daraja::{Api, B2cVersion, answer, error, redact};
use crate::domain::id::Receipt;
use crate::domain::inquiry::PaidTo;
use crate::domain::payout::{AnswerFacts, AskBy, Payout, Question, State, WhyNothingSent};
use crate::domain::tag::Tag;
use crate::domain::time::Timestamp;
use crate::engine::port::{
    Admission, Durable, LinkState, Outcome, Pending, Prepared, Rail, RawAnswer, Sent,
};

/// What ends the path in what is handed from `prepare` to `send`.
const PATH_END: u8 = b'\n';
/// What `Remarks` say where nothing was written that M-Pesa takes: it wants some.
const REMARKS: &str = "Payout";
/// What `Remarks` say in a question.
const QUESTION: &str = "Status";

/// Who we are to Daraja, and how it is spoken to. `Debug` shows no secret.
#[derive(Clone)]
pub struct Settings {
    /// The app's consumer key.
    pub consumer_key: String,
    /// The app's consumer secret.
    pub consumer_secret: Zeroizing<String>,
    /// Who pays payouts, and by whose hand everything else is asked for: other inquiries name a
    /// short code of their own.
    pub payer: Caller,
    /// What prompts ask for.
    pub prompts: Prompts,
    /// Where M-Pesa calls: `https://…/cb/<token>`, without a slash at the end.
    pub callbacks: String,
    /// Which version of B2C payouts go by.
    pub b2c: B2cVersion,
    /// How the name of a request is called in questions.
    pub name_key: NameKey,
    /// What amounts may be asked for.
    pub amounts: rules::Limits,
    /// Which M-Pesa it is.
    pub place: Place,
    /// At most so many payouts under way at once, and at most so many other calls.
    pub max_in_flight: u32,
    /// At most so many calls to one interface in any window of one second.
    pub max_per_second: u32,
    /// At most one question about prompts in any window of this length.
    pub stk_query_every: Duration,
}

/// What prompts ask for (spec/daraja.md §1.2).
#[derive(Clone)]
pub struct Prompts {
    /// `BusinessShortCode`: whose passkey it is.
    pub shortcode: String,
    /// The passkey.
    pub passkey: Zeroizing<String>,
    /// To what kind of number.
    pub to: PaidTo,
    /// `PartyB`: the pay bill number, or the till.
    pub receiver: String,
}

impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompts")
            .field("shortcode", &self.shortcode)
            .field("to", &self.to)
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("payer", &self.payer)
            .field("prompts", &self.prompts)
            .field("b2c", &self.b2c)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// The way to Daraja.
#[derive(Debug)]
pub struct DarajaRail {
    web: Arc<dyn Web>,
    /// Where that leads to, if it is a place on a network.
    link: Option<Site>,
    settings: Settings,
    tokens: Tokens,
    lanes: Arc<Lanes>,
    /// Paces the beginning of payouts and of questions about them.
    begin: Arc<Pace>,
    /// For payouts, and questions about them.
    places: Places,
    /// For everything else: a payday must not keep prompts from going out.
    counter_places: Places,
}

/// What came back.
struct Told {
    api: Api,
    answer: Answer,
    /// The body, as it is kept.
    kept: Vec<u8>,
}

impl Told {
    fn raw(&self) -> RawAnswer {
        RawAnswer { http_status: self.answer.status, body: self.kept.clone() }
    }

    /// What `read` makes of the answer, in words that hold no secret: what it says is read from
    /// what came, its words from what is kept.
    fn read<T>(&self, read: impl Fn(u16, &[u8]) -> T, words: impl Fn(&mut T, T)) -> T {
        let mut meant = read(self.answer.status, &self.answer.body);
        words(&mut meant, read(self.answer.status, &self.kept));
        meant
    }

    fn answer(&self) -> answer::Answer {
        self.read(
            |status, body| answer::read(self.api, status, body),
            |meant, kept| meant.facts.description = kept.facts.description,
        )
    }
}

impl DarajaRail {
    /// A rail over `web`, which goes to Daraja.
    pub fn new(web: Arc<dyn Web>, settings: Settings) -> Self {
        let (key, secret) = (&settings.consumer_key, &settings.consumer_secret);
        Self {
            tokens: Tokens::new(Arc::clone(&web), key, secret),
            web,
            link: None,
            lanes: Arc::new(Lanes::new(settings.max_per_second, settings.stk_query_every)),
            begin: Arc::new(Pace::new(settings.max_per_second)),
            places: Places::new(settings.max_in_flight),
            counter_places: Places::new(settings.max_in_flight),
            settings,
        }
    }

    /// The same way, at the same pace, with other keys, passwords and addresses. It fetches an
    /// access token of its own.
    #[must_use]
    pub fn renewed(&self, settings: Settings) -> Self {
        let (key, secret) = (&settings.consumer_key, &settings.consumer_secret);
        Self {
            tokens: self.tokens.renewed(key, secret),
            web: Arc::clone(&self.web),
            lanes: Arc::clone(&self.lanes),
            begin: Arc::clone(&self.begin),
            places: self.places.clone(),
            counter_places: self.counter_places.clone(),
            link: self.link.clone(),
            settings,
        }
    }

    /// The same way, whose tokens live by `clock`, and whose pace goes by it where testers steer
    /// it.
    #[must_use]
    pub fn by(self, clock: &Arc<dyn Clock>) -> Self {
        if clock.steered().is_some() {
            self.begin.go_by(clock, Waits::ByTheClock);
            self.lanes.go_by(clock);
        }
        Self { tokens: self.tokens.by(Arc::clone(clock)), ..self }
    }

    /// The same way, which tells `link` how far each attempt came; it is tried by `probe`.
    #[must_use]
    pub fn watched(self, site: Site) -> Self {
        Self { link: Some(site), ..self }
    }

    /// Whether M-Pesa is told our name for a payout, so that the same one sent twice is known, and
    /// can be asked about. Where it is not, a payout in doubt must never be sent again.
    pub const fn names_payouts(&self) -> bool {
        matches!(self.settings.b2c, B2cVersion::V3)
    }

    /// The addresses that M-Pesa calls about what `tag` says: result and timeout.
    fn addresses(&self, tag: Tag) -> (String, String) {
        let base = &self.settings.callbacks;
        (format!("{base}/result/{tag}"), format!("{base}/timeout/{tag}"))
    }

    /// Sends a request to `api`, and once more with a fresh token if the first was refused.
    async fn ask(&self, api: Api, body: Vec<u8>) -> Result<Told, Unanswered> {
        let lane = self.lanes.of(api);
        let no_token = Unanswered::NothingSent(WhyNothingSent::NoToken);
        let mut token = self.tokens.get().await.map_err(|_told| no_token)?;
        let mut answer = self.once(api, &token, body.clone()).await?;
        let mut code = error::read(api, answer.status, &answer.body).code;
        if error::is_token_code(&code) && (!is_product(&code) || lane.may_hope_for_product()) {
            // It never reached M-Pesa (spec/daraja.md §4).
            self.tokens.spurn(&token);
            if let Ok(fresh) = self.tokens.get().await {
                token = fresh;
                answer = self.once(api, &token, body).await?;
                code = error::read(api, answer.status, &answer.body).code;
            }
        }
        if !error::is_token_code(&code) {
            self.tokens.was_taken();
        }
        if is_too_many(answer.status, &code) {
            lane.rest(answer.retry_after);
        } else {
            lane.goes();
        }
        let settings = &self.settings;
        let secrets = [
            settings.payer.security_credential.as_str(),
            token.secret(),
            settings.prompts.passkey.as_str(),
            settings.consumer_secret.as_str(),
        ];
        let kept = redact::redact_with(&answer.body, &secrets);
        Ok(Told { api, answer, kept })
    }

    async fn once(
        &self,
        api: Api,
        token: &crate::daraja::oauth::Token,
        body: Vec<u8>,
    ) -> Result<Answer, Unanswered> {
        let request = Request {
            method: Method::POST,
            path: api.path().to_owned(),
            headers: vec![
                (header::AUTHORIZATION, token.bearer()),
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::ACCEPT, "application/json".to_owned()),
            ],
            body,
        };
        self.web.send(request, &self.lanes.of(api).first_byte).await
    }

    /// The longest that [`Self::ask`] can take: each of two times, a wait for whoever fetches the
    /// token, a token, and the request.
    fn longest(&self) -> Duration {
        let once = FETCH_MAX.saturating_mul(2).saturating_add(self.web.longest());
        once.saturating_mul(2)
    }

    /// What may be sent: where to, and the body.
    fn ready(&self, api: Api, faults: Vec<Fault>, rendered: Rendered) -> Result<Ready, String> {
        if let Some(fault) = faults.first() {
            return Err(format!("{}: {}", fault.field, fault.broken));
        }
        let mut wire = api.path().as_bytes().to_vec();
        wire.push(PATH_END);
        wire.extend_from_slice(&rendered.wire);
        Ok(Ready { wire, kept: rendered.kept })
    }
}

/// A request that is ready: the path, the end of it, and the body; and what is kept of it.
struct Ready {
    wire: Vec<u8>,
    kept: Vec<u8>,
}

/// Where a request goes that [`DarajaRail::ready`] made, and its body.
fn opened(wire: &[u8]) -> Option<(Api, Vec<u8>)> {
    let ends = wire.iter().position(|byte| *byte == PATH_END)?;
    let (path, body) = wire.split_at_checked(ends)?;
    let api = Api::ALL.into_iter().find(|api| api.path().as_bytes() == path)?;
    Some((api, body.get(1..)?.to_vec()))
}

fn is_product(code: &str) -> bool {
    code == "http.401.no_product"
}

/// Whether an interface's limit was met (spec/daraja.md §3.2).
fn is_too_many(status: u16, code: &str) -> bool {
    status == 429 || matches!(code, "500.003.02:spike_arrest" | "500.003.03")
}

impl Rail for DarajaRail {
    fn prepare(&self, payout: &Payout, _now: Timestamp) -> Result<Prepared, String> {
        let details = &payout.details;
        let (result, queue_timeout) = self.addresses(Tag::payout(details.id));
        let request = B2c {
            version: self.settings.b2c,
            caller: &self.settings.payer,
            addresses: Addresses { result: &result, queue_timeout: &queue_timeout },
            originator_conversation_id: details.originator_conversation_id.as_str(),
            command: details.command,
            amount: details.amount,
            phone: details.phone,
            remarks: &rules::fit_remarks(&details.remarks, REMARKS),
            occasion: &rules::fit_occasion(&details.occasion),
        };
        let faults = request.check(&self.settings.amounts, self.settings.place);
        let Ready { wire, kept } = self.ready(request.api(), faults, request.render())?;
        Ok(Prepared { name: details.originator_conversation_id.clone(), wire, kept })
    }

    fn prepare_question(
        &self,
        payout: &Payout,
        question: Question,
        _now: Timestamp,
    ) -> Result<Prepared, String> {
        let details = &payout.details;
        let name = &details.originator_conversation_id;
        let key = self.settings.name_key;
        let of = match (question.by, told(payout)) {
            (AskBy::Receipt, Some(receipt)) => StatusOf::Receipt(receipt.as_str()),
            (AskBy::Receipt, None) => return Err("no receipt is known to ask by".to_owned()),
            (AskBy::Name, _) if self.names_payouts() => StatusOf::Name(name.as_str(), key),
            // M-Pesa has not been told ours; its own is known if its answer came.
            (AskBy::Name, _) => match payout.state.conversation() {
                Some(conversation) => StatusOf::Name(conversation.as_str(), key),
                None => return Err("M-Pesa gave this payout no name to ask by".to_owned()),
            },
        };
        let (result, queue_timeout) =
            self.addresses(Tag::payout_question(details.id, question.nth));
        let request = TransactionStatus {
            caller: &self.settings.payer,
            addresses: Addresses { result: &result, queue_timeout: &queue_timeout },
            of,
            remarks: QUESTION,
            occasion: "",
        };
        let faults = request.check(self.settings.place);
        let api = TransactionStatus::API;
        let Ready { wire, kept } = self.ready(api, faults, request.render())?;
        Ok(Prepared { name: name.of_question(question.nth), wire, kept })
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
            let nothing = |why| Sent { outcome: Outcome::NothingSent(why), answer: None };
            let Some((api, body)) = opened(&request.wire) else {
                return nothing(WhyNothingSent::NotReady);
            };
            let asked = self.ask(api, body).await;
            drop(place);
            match asked {
                Ok(told) => {
                    let facts = answered(api, &told, request.name.as_str());
                    Sent { outcome: Outcome::Answered(facts), answer: Some(told.raw()) }
                }
                Err(Unanswered::NothingSent(why)) => nothing(why),
                Err(Unanswered::MayHaveBeenSent(why)) => {
                    Sent { outcome: Outcome::NoAnswer(why), answer: None }
                }
            }
        })
    }

    fn longest_send(&self) -> Duration {
        self.longest()
    }

    fn link(&self) -> Option<LinkState> {
        self.link.as_ref()?.origin.link.as_deref().map(Link::state)
    }

    fn probe(&self) -> Pending<'_, ()> {
        Box::pin(async {
            if let Some(Site { origin, deadlines }) = &self.link {
                probe(origin, deadlines.connect).await;
            }
        })
    }

    fn trouble(&self) -> Option<String> {
        self.tokens.trouble()
    }
}

/// What the answer to a payout or a question says. One that names another payout is no answer.
fn answered(api: Api, told: &Told, name: &str) -> AnswerFacts {
    let answer = told.answer();
    match answer.originator {
        Some(other) if api == Api::B2c(B2cVersion::V3) && other != name => AnswerFacts {
            code: "unreadable".to_owned(),
            description: "the answer names another request".to_owned(),
            conversation: None,
        },
        Some(_) | None => answer.facts,
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
