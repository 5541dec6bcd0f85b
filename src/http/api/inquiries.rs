//! What is asked of M-Pesa besides payouts and prompts: taken, polled, ruled on.

use axum::http::StatusCode;

use super::inquiry_view::{self as view, InquiryPage};
use super::keyed::{self, Once};
use super::{Answer, Ask, Caller, Problem, asks, feed, filters, json, list, ruling, who};
use crate::domain::id::InquiryId;
use crate::domain::inquiry::{Forbidden, Inquiry};
use crate::domain::payout::Ruling;
use crate::domain::subject::Subject;
use crate::engine::audit::Signed;
use crate::engine::{
    Engine, InquiryDraft, InquiryError, InquiryNotTaken, InquiryTaken, NotReversed, SubmitError,
};
use crate::http::problem::{Code, FieldFault};

/// Reads a body.
type Reads = fn(&[u8], &Engine) -> Result<InquiryDraft, Problem>;

/// `POST /v1/balance-inquiries`.
pub(in crate::http) async fn balance(caller: Caller, ask: Ask) -> Answer {
    let once = Once::maybe(&ask)?;
    take(caller, ask, once, asks::balance).await
}

/// `POST /v1/transaction-status-inquiries`.
pub(in crate::http) async fn status(caller: Caller, ask: Ask) -> Answer {
    let once = Once::maybe(&ask)?;
    take(caller, ask, once, asks::status).await
}

/// `POST /v1/c2b/register-urls`.
pub(in crate::http) async fn register(caller: Caller, ask: Ask) -> Answer {
    let once = Once::maybe(&ask)?;
    take(caller, ask, once, asks::register).await
}

/// `POST /v1/c2b/simulate`.
pub(in crate::http) async fn simulate(caller: Caller, ask: Ask) -> Answer {
    let once = Once::maybe(&ask)?;
    take(caller, ask, once, asks::simulate).await
}

/// `POST /v1/c2b/register-pull`.
pub(in crate::http) async fn register_pull(caller: Caller, ask: Ask) -> Answer {
    let once = Once::maybe(&ask)?;
    take(caller, ask, once, asks::register_pull).await
}

/// `POST /v1/qr-codes`.
pub(in crate::http) async fn qr_code(caller: Caller, ask: Ask) -> Answer {
    let once = Once::maybe(&ask)?;
    take(caller, ask, once, asks::qr_code).await
}

/// `POST /v1/business-payments`.
pub(in crate::http) async fn business(caller: Caller, ask: Ask) -> Answer {
    let once = Once::of(&ask)?;
    take(caller, ask, Some(once), asks::business).await
}

/// `POST /v1/tax-payments`.
pub(in crate::http) async fn tax(caller: Caller, ask: Ask) -> Answer {
    let once = Once::of(&ask)?;
    take(caller, ask, Some(once), asks::tax).await
}

/// `POST /v1/reversals`.
pub(in crate::http) async fn reverse(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let once = Once::of(&ask)?;
    let taken = match asks::reversal(&ask.body, &ask.api.engine) {
        Ok(draft) => {
            let key = (once.key.as_str(), once.fingerprint);
            ask.api.engine.reverse(caller.app, key, draft).await?
        }
        Err(faulty) => before(&ask, caller, Some(&once)).await?.ok_or(faulty)?,
    };
    answered(&taken)
}

async fn take(caller: Caller, ask: Ask, once: Option<Once>, read: Reads) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let engine = &ask.api.engine;
    let taken = match read(&ask.body, engine) {
        Ok(draft) => {
            let key = once.as_ref().map(|once| (once.key.as_str(), once.fingerprint));
            engine.take_inquiry(Some(caller.app), key, draft).await?
        }
        Err(faulty) => before(&ask, caller, once.as_ref()).await?.ok_or(faulty)?,
    };
    answered(&taken)
}

fn answered(taken: &InquiryTaken) -> Answer {
    let place = format!("/v1/inquiries/{}", taken.inquiry.details.id);
    keyed::taken(&view::Inquiry::from(&taken.inquiry), &place, taken.replayed)
}

/// The first answer to this key, if it was given.
async fn before(
    ask: &Ask,
    caller: Caller,
    once: Option<&Once>,
) -> Result<Option<InquiryTaken>, Problem> {
    let Some(once) = once else {
        return Ok(None);
    };
    let id = match once.made(ask, caller).await? {
        None => return Ok(None),
        Some(Subject::Inquiry(id)) => id,
        Some(_) => return Err(SubmitError::KeyReused.into()),
    };
    let kept = ask.api.engine.store().inquiry(id).await?.ok_or_else(Problem::no_such_inquiry)?;
    Ok(Some(InquiryTaken { inquiry: Inquiry::queued(kept.value.details), replayed: true }))
}

/// `GET /v1/inquiries/{id}`.
pub(in crate::http) async fn get(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let inquiry = seen(caller, &ask).await?;
    json(StatusCode::OK, &view::Inquiry::from(&inquiry))
}

/// `GET /v1/inquiries`.
pub(in crate::http) async fn list(caller: Caller, ask: Ask) -> Answer {
    let mut query = filters::inquiries(&ask.parts.uri)?;
    query.app = caller.sight();
    let page = ask.api.engine.store().inquiries(&query).await?;
    let view = InquiryPage {
        data: page.rows.iter().map(|kept| view::Inquiry::listed(&kept.value)).collect(),
        next_cursor: filters::next_inquiry(&query, page.next),
    };
    json(StatusCode::OK, &view)
}

/// `GET /v1/inquiries/{id}/events`.
pub(in crate::http) async fn events(caller: Caller, ask: Ask) -> Answer {
    let query = list::events(&ask.parts.uri)?;
    let inquiry = seen(caller, &ask).await?;
    feed::history(&ask, inquiry.details.id.into(), query).await
}

/// `POST /v1/inquiries/{id}/inquire`. It moves no money, so it needs no Idempotency-Key.
pub(in crate::http) async fn inquire(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = inquiry_id(&ask.id)?;
    let inquiry = ask.api.engine.ask_of_inquiry_now(Some(caller.app), id).await?;
    json(StatusCode::ACCEPTED, &view::Inquiry::from(&inquiry))
}

/// `POST /v1/inquiries/{id}/resolve`: any application's inquiry.
pub(in crate::http) async fn resolve(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = inquiry_id(&ask.id)?;
    let ruling::Resolution { receipt, reason } = ruling::resolution(&ask.body)?;
    let by = who(caller, &ask).await?;
    let from = Some(super::place(caller, &ask));
    let signed = Signed { ruling: Ruling { by, receipt, reason }, from };
    let inquiry = ask.api.engine.rule_on_inquiry(None, id, signed).await?;
    json(StatusCode::OK, &view::Inquiry::from(&inquiry))
}

fn inquiry_id(text: &str) -> Result<InquiryId, Problem> {
    text.parse().map_err(|_error| Problem::no_such_inquiry())
}

/// The inquiry that the path names, if the caller may see it. One that the gateway asks of itself
/// is for who sees everything.
async fn seen(caller: Caller, ask: &Ask) -> Result<Inquiry, Problem> {
    let id = inquiry_id(&ask.id)?;
    let kept = ask.api.engine.store().inquiry(id).await?;
    let sees = |inquiry: &Inquiry| match inquiry.details.app {
        Some(app) => caller.sees(app),
        None => caller.sight().is_none(),
    };
    kept.map(|kept| kept.value).filter(sees).ok_or_else(Problem::no_such_inquiry)
}

impl From<InquiryNotTaken> for Problem {
    fn from(error: InquiryNotTaken) -> Self {
        match error {
            InquiryNotTaken::KeyReused => SubmitError::KeyReused.into(),
            InquiryNotTaken::NotSetUp => Self::not_set_up(),
            InquiryNotTaken::Busy => Self::busy(),
            InquiryNotTaken::Unavailable(reason) => {
                tracing::error!(%reason, "an inquiry could not be kept");
                Self::store_failed()
            }
        }
    }
}

impl From<NotReversed> for Problem {
    fn from(error: NotReversed) -> Self {
        match error {
            NotReversed::NoSuchPayment => Self::new(
                Code::NoSuchPayment,
                "No payment that came in has this receipt, and only such can be reversed. Nothing \
                 was done.",
            ),
            NotReversed::MoreThanPaid(paid) => {
                let message = format!("must not be more than was paid, which is {paid}");
                Self::fields(vec![FieldFault::new("amount", message)])
            }
            NotReversed::ReversedBy(id, status) => Self::new(
                Code::AlreadyReversed,
                format!(
                    "The payment's reversal {id} stands at {status}, and a second one could give \
                     the money back twice. Nothing was done; GET /v1/inquiries/{id} shows it."
                ),
            ),
            NotReversed::NotTaken(error) => error.into(),
        }
    }
}

impl From<InquiryError> for Problem {
    fn from(error: InquiryError) -> Self {
        match error {
            InquiryError::NotFound => Self::no_such_inquiry(),
            InquiryError::Refused(why, status) => {
                let code = match why {
                    Forbidden::AskedJustNow => Code::AskedJustNow,
                    Forbidden::NoNameToAskBy => Code::TooOldToAsk,
                    Forbidden::NotQueued | Forbidden::NotDue | Forbidden::NotInDoubt => {
                        Code::NotInDoubt
                    }
                };
                Self::new(code, format!("It stands at {status}: {why}. Nothing was changed."))
            }
            InquiryError::Busy => Self::busy(),
            InquiryError::Unavailable(reason) => {
                tracing::error!(%reason, "what was asked of an inquiry could not be kept");
                Self::store_failed_on_an_act()
            }
        }
    }
}
