//! Money in: prompts, and what M-Pesa says of payments; looked at, verified, claimed, ruled on.

use axum::http::StatusCode;

use super::fields::{Fields, Need};
use super::filters::{self, Wanted};
use super::keyed::{self, Once};
use super::payment_view::{self as view, PaymentPage, Verification};
use super::{Answer, Ask, Caller, Problem, feed, json, list, ruling, who};
use crate::daraja::rules;
use crate::domain::id::PaymentId;
use crate::domain::limit::AmountLimits;
use crate::domain::payment::{Forbidden, Payment, State, Status};
use crate::domain::payout::Ruling;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::engine::audit::Signed;
use crate::engine::{ClaimError, PushDraft, PushError, Pushed, QueryError, SubmitError};
use crate::http::problem::Code;
use crate::store::{PaymentQuery, Store};

/// The fields of a prompt that a caller may give.
pub(in crate::http) const PUSH_FIELDS: [&str; 4] = ["amount", "phone", "reference", "description"];
/// The fields of a claim.
pub(in crate::http) const CLAIM_FIELDS: [&str; 1] = ["purpose"];
/// The longest purpose of a claim: an order's number, or a few words.
const PURPOSE_LEN_MAX: usize = 200;
/// How many payments that were joined to another one after another are followed: it is never
/// more than one.
const JOINS_MAX: usize = 8;
/// How many pages are looked through for the newest payment with a reference: the first has it,
/// unless a great many payments share it.
const PAGES_MAX: usize = 10;

/// Reads the body of `POST /v1/stk-pushes`.
fn read_push(body: &[u8], limits: AmountLimits) -> Result<PushDraft, Problem> {
    let mut fields = Fields::read(body, &PUSH_FIELDS)?;
    let amount = fields.money("amount", limits);
    let phone = fields.phone("phone");
    let reference = fields.ruled("reference", Need::Must, rules::account_reference);
    let description = fields.ruled("description", Need::May, rules::transaction_desc);
    let draft = amount.zip(phone).map(|(amount, phone)| PushDraft {
        amount,
        phone,
        reference,
        description,
    });
    fields.done(draft)
}

/// `POST /v1/stk-pushes`.
pub(in crate::http) async fn push(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let once = Once::of(&ask)?;
    let engine = &ask.api.engine;
    let pushed = match read_push(&ask.body, engine.till().amounts) {
        Ok(draft) => {
            let pushed = engine.push(caller.app, &once.key, once.fingerprint, draft).await;
            pushed.map_err(|error| not_pushed(error, engine.clock().now()))?
        }
        Err(faulty) => before(&ask, caller, &once).await?.ok_or(faulty)?,
    };
    let place = format!("/v1/payments/{}", pushed.payment.details.id);
    keyed::taken(&view::Payment::from(&pushed.payment), &place, pushed.replayed)
}

/// The first answer to this key, if it was given.
async fn before(ask: &Ask, caller: Caller, once: &Once) -> Result<Option<Pushed>, Problem> {
    let id = match once.made(ask, caller).await? {
        None => return Ok(None),
        Some(Subject::Payment(id)) => id,
        Some(_) => return Err(SubmitError::KeyReused.into()),
    };
    let kept = ask.api.engine.store().payment(id).await?.ok_or_else(Problem::no_such_payment)?;
    Ok(Some(Pushed { payment: Payment::waiting(kept.value.details), replayed: true }))
}

fn not_pushed(error: PushError, now: Timestamp) -> Problem {
    match error {
        PushError::KeyReused => SubmitError::KeyReused.into(),
        PushError::NotSetUp => Problem::not_set_up(),
        PushError::TooSoon(retry) => Problem::too_soon(retry, now),
        PushError::Busy => Problem::busy(),
        PushError::Unavailable(reason) => {
            tracing::error!(%reason, "a prompt could not be kept");
            Problem::store_failed()
        }
    }
}

/// `POST /v1/stk-pushes/{id}/query`. It moves no money, so it needs no Idempotency-Key.
pub(in crate::http) async fn query(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = payment_id(&ask.id)?;
    let payment = ask.api.engine.query_now(Some(caller.app), id).await?;
    json(StatusCode::ACCEPTED, &view::Payment::from(&payment))
}

/// `GET /v1/payments/{id}`.
pub(in crate::http) async fn get(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let payment = seen(caller, &ask).await?;
    json(StatusCode::OK, &view::Payment::from(&payment))
}

/// `GET /v1/payments`.
pub(in crate::http) async fn list(caller: Caller, ask: Ask) -> Answer {
    let mut query = filters::payments(&ask.parts.uri)?;
    query.app = caller.sight();
    let page = ask.api.engine.store().payments(&query).await?;
    let view = PaymentPage {
        data: page.rows.iter().map(|kept| (&kept.value).into()).collect(),
        next_cursor: filters::next_payment(&query, page.next),
    };
    json(StatusCode::OK, &view)
}

/// `GET /v1/payments/verify`.
pub(in crate::http) async fn verify(caller: Caller, ask: Ask) -> Answer {
    let wanted = filters::wanted(&ask.parts.uri)?;
    let store = ask.api.engine.store().as_ref();
    let found = match wanted {
        Wanted::Receipt(receipt) => match store.payment_by_receipt(&receipt).await? {
            Some(id) => counted(store, id).await?,
            None => None,
        },
        Wanted::Checkout(checkout) => match store.payment_by_checkout(&checkout).await? {
            Some(id) => counted(store, id).await?,
            None => None,
        },
        Wanted::Reference(reference) => {
            let all = PaymentQuery {
                app: caller.sight(),
                reference: Some(reference),
                descending: true,
                ..PaymentQuery::all(1)
            };
            let paid = PaymentQuery { status: Some(Status::Succeeded), ..all.clone() };
            match newest(store, paid).await? {
                Some(paid) => Some(paid),
                None => newest(store, all).await?,
            }
        }
    };
    let found = found.filter(|payment| caller.sees_payment_of(payment.details.app));
    let view = Verification {
        paid: found.as_ref().is_some_and(|payment| payment.status() == Status::Succeeded),
        payment: found.as_ref().map(view::Payment::from),
    };
    json(StatusCode::OK, &view)
}

async fn newest(store: &dyn Store, query: PaymentQuery) -> Result<Option<Payment>, Problem> {
    let mut query = query;
    for _ in 0..PAGES_MAX {
        let page = store.payments(&query).await?;
        if let Some(kept) = page.rows.into_iter().next() {
            return Ok(Some(kept.value));
        }
        if page.next.is_none() {
            break;
        }
        query.after = page.next;
    }
    Ok(None)
}

/// `POST /v1/payments/{id}/claim`. The same claim again is answered as the first was.
pub(in crate::http) async fn claim(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = payment_id(&ask.id)?;
    let mut fields = Fields::read(&ask.body, &CLAIM_FIELDS)?;
    let purpose = fields.needed("purpose", PURPOSE_LEN_MAX);
    let purpose = fields.done(Some(purpose))?;
    let sees_all = caller.sight().is_none();
    match ask.api.engine.claim_payment(caller.app, sees_all, id, &purpose).await {
        Ok(payment) => json(StatusCode::OK, &view::Payment::from(&payment)),
        Err(error) => Err(not_claimed(error, caller)),
    }
}

fn not_claimed(error: ClaimError, caller: Caller) -> Problem {
    match error {
        ClaimError::NotFound => Problem::no_such_payment(),
        ClaimError::Taken(claim) => Problem::claimed(&claim, caller.sees(claim.app)),
        ClaimError::NotPaid(status) => Problem::new(
            Code::PaymentNotPaid,
            format!("It stands at {status}: there is nothing to deliver for. Nothing was changed."),
        ),
        ClaimError::Busy => Problem::busy(),
        ClaimError::Unavailable(reason) => {
            tracing::error!(%reason, "a claim could not be kept");
            Problem::store_failed_on_an_act()
        }
    }
}

/// `GET /v1/payments/{id}/events`.
pub(in crate::http) async fn events(caller: Caller, ask: Ask) -> Answer {
    let query = list::events(&ask.parts.uri)?;
    let payment = seen(caller, &ask).await?;
    feed::history(&ask, payment.details.id.into(), query).await
}

/// `POST /v1/payments/{id}/resolve`: any application's payment.
pub(in crate::http) async fn resolve(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = payment_id(&ask.id)?;
    let ruling::Resolution { receipt, reason } = ruling::resolution(&ask.body)?;
    let by = who(caller, &ask).await?;
    let from = Some(super::place(caller, &ask));
    let signed = Signed { ruling: Ruling { by, receipt, reason }, from };
    let payment = ask.api.engine.rule_on_payment(None, id, signed).await?;
    json(StatusCode::OK, &view::Payment::from(&payment))
}

fn payment_id(text: &str) -> Result<PaymentId, Problem> {
    text.parse().map_err(|_error| Problem::no_such_payment())
}

/// The payment that the path names, or the one that it was joined to, if the caller may see it.
async fn seen(caller: Caller, ask: &Ask) -> Result<Payment, Problem> {
    let id = payment_id(&ask.id)?;
    let payment = counted(ask.api.engine.store().as_ref(), id).await?;
    payment
        .filter(|payment| caller.sees_payment_of(payment.details.app))
        .ok_or_else(Problem::no_such_payment)
}

/// The payment that counts: this one, or the one that it was joined to.
async fn counted(store: &dyn Store, id: PaymentId) -> Result<Option<Payment>, Problem> {
    let mut id = id;
    for _ in 0..JOINS_MAX {
        let Some(kept) = store.payment(id).await? else {
            return Ok(None);
        };
        let State::Joined { to, .. } = kept.value.state else {
            return Ok(Some(kept.value));
        };
        id = to;
    }
    Ok(None)
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NotFound => Self::no_such_payment(),
            QueryError::Refused(why) => {
                let (code, now) = match why {
                    Forbidden::AskedJustNow => {
                        (Code::AskedJustNow, "Look at the payment in a few seconds.")
                    }
                    Forbidden::NoNameToAskBy => (
                        Code::TooOldToAsk,
                        "Look it up in M-Pesa's statement, then rule on it with POST \
                         /v1/payments/{id}/resolve.",
                    ),
                    Forbidden::ReceiptOfAnother => {
                        (Code::ReceiptTaken, "Look again which payment the receipt is of.")
                    }
                    Forbidden::NotWaiting
                    | Forbidden::NotDue
                    | Forbidden::NothingToAsk
                    | Forbidden::NotInDoubt
                    | Forbidden::NotItsConfirmation
                    | Forbidden::NotToBeJoined => {
                        (Code::NotInDoubt, "GET /v1/payments/{id} shows where it stands.")
                    }
                };
                Self::new(code, format!("Not done: {why}. {now} Nothing was changed."))
            }
            QueryError::Busy => Self::busy(),
            QueryError::Unavailable(reason) => {
                tracing::error!(%reason, "what was asked of a payment could not be kept");
                Self::store_failed_on_an_act()
            }
        }
    }
}
