//! The rails: whether they send, and if not why; stopped and started by hand.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::{shown, shown_or_null};
use super::{Answer, Ask, Caller, Problem, actor, json, list, ruling};
use crate::clock::Clock;
use crate::domain::id::PayoutId;
use crate::domain::money::Amount;
use crate::domain::payout;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, NotDone, RailState, RailView, port};
use crate::http::problem::Code;
use crate::store::{CredentialStop, Health, PayoutQuery, Store, StoreError};

/// A rail: a way to M-Pesa.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rail {
    #[schema(example = "soap")]
    rail: &'static str,
    /// Whether payouts are sent now.
    sends: bool,
    /// Why not, in sentences; null while it sends.
    #[schema(required)]
    why: Option<String>,
    /// M-Pesa refused our credentials: nothing is sent until somebody resumes the rail.
    #[schema(required)]
    refused: Option<Refusal>,
    /// Somebody paused it: no payout is sent until somebody resumes it.
    #[schema(required)]
    paused: Option<Pause>,
    /// M-Pesa was too busy or could not be reached: nothing is sent before then.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    slowed_until: Option<Timestamp>,
    /// One message at a time is sent, until a result shows that M-Pesa takes our credentials and
    /// keeps up.
    trial: bool,
    /// Messages that await their answer.
    in_flight: u64,
    /// Payouts that wait to be sent.
    queued: u64,
    /// Payouts whose results are awaited.
    accepted: u64,
    /// Payouts that may or may not have been paid.
    unknown: u64,
    /// Their sum, in Kenyan shillings with two places.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "1500.00")]
    in_doubt: Amount,
    /// The payout in status unknown that was taken first.
    #[schema(required)]
    oldest_unknown: Option<OldestUnknown>,
    /// Seconds within which half of the payouts became conclusive, since the start.
    #[schema(required, example = "1.500")]
    conclusive_p50_s: Option<String>,
    /// Seconds within which 99 of a hundred payouts became conclusive, since the start.
    #[schema(required, example = "12.000")]
    conclusive_p99_s: Option<String>,
    /// Cases that wait for a person.
    open_cases: u64,
    /// How far the way to M-Pesa goes; null where that is not measured.
    #[schema(required)]
    link: Option<Link>,
}

/// The way to M-Pesa, as the last attempts showed it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// Whether the last attempt led to a connection, encryption included; null before the first.
    #[schema(required)]
    up: Option<bool>,
    /// Since when it is so.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    since: Option<Timestamp>,
    /// When M-Pesa last answered anything.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    answered_at: Option<Timestamp>,
    /// How the last connection was encrypted; null: not at all.
    #[schema(required, example = "TLSv1.3 TLS13_AES_256_GCM_SHA384")]
    protocol: Option<String>,
    /// Whose certificate M-Pesa showed.
    #[schema(required)]
    peer: Option<String>,
    /// What is weak about the encryption, in sentences.
    weak: Vec<String>,
    /// What last went wrong, and when.
    #[schema(required)]
    failure: Option<LinkFailure>,
}

/// What went wrong on the way to M-Pesa.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkFailure {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How far it came: `resolve`, `local`, `connect`, `tls` or `answer`.
    #[schema(example = "connect")]
    stage: &'static str,
    /// What happened, in words.
    what: String,
}

impl From<port::LinkState> for Link {
    fn from(state: port::LinkState) -> Self {
        let port::LinkState { up, since, answered_at, protocol, peer, weak, failure, .. } = state;
        let failure = failure.map(|port::LinkFailure { at, stage, what }| LinkFailure {
            at,
            stage: stage.as_str(),
            what,
        });
        Self { up, since, answered_at, protocol, peer, weak, failure }
    }
}

/// M-Pesa's refusal of our credentials.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// M-Pesa's code, verbatim.
    #[schema(example = "2001")]
    code: String,
}

/// A pause by hand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pause {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The application, or the operator at the gateway's shell.
    by: String,
    reason: String,
}

/// The oldest payout in doubt.
#[derive(Debug, Serialize, ToSchema)]
pub struct OldestUnknown {
    /// Null where the caller may not see that payout.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    id: Option<PayoutId>,
    /// Since when it is in doubt.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Every rail.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rails {
    data: Vec<Rail>,
    /// Always null: there are few.
    #[schema(required)]
    next_cursor: Option<String>,
    /// What the clock says that the gateway goes by, where testers steer it: such a gateway is not
    /// for real money. Null as it should be.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    test_clock: Option<Timestamp>,
}

impl Rails {
    const fn of(data: Vec<Rail>) -> Self {
        Self { data, next_cursor: None, test_clock: None }
    }

    fn by(self, clock: &dyn Clock) -> Self {
        let test_clock = clock.steered().map(|clock| clock.reading().now);
        Self { test_clock, ..self }
    }
}

impl Rail {
    /// As `view` says it at `now`, with its oldest payout's id where that may be `shown`.
    pub(in crate::http) fn of(
        view: RailView,
        health: &Health,
        now: Timestamp,
        may_see: bool,
    ) -> Self {
        let why = why(&view.state, view.trouble, health, now);
        let RailState { refused, paused, slowed_until, busy, proven, ended: _ } = view.state;
        let seconds = |time: Duration| format!("{}.{:03}", time.as_secs(), time.subsec_millis());
        Self {
            rail: view.rail.as_str(),
            sends: why.is_none(),
            why,
            refused: refused.map(|CredentialStop { at, code }| Refusal { at, code }),
            paused: paused.map(|pause| Pause { at: pause.at, by: pause.by, reason: pause.reason }),
            slowed_until: slowed_until.filter(|until| *until > now),
            trial: !proven || busy > 0,
            in_flight: view.in_flight,
            queued: view.queued,
            accepted: view.accepted,
            unknown: view.unknown,
            in_doubt: view.in_doubt,
            oldest_unknown: view
                .oldest_unknown
                .map(|(id, since)| OldestUnknown { id: may_see.then_some(id), since }),
            conclusive_p50_s: view.conclusive.map(|(half, _)| seconds(half)),
            conclusive_p99_s: view.conclusive.map(|(_, most)| seconds(most)),
            open_cases: view.open_cases,
            link: view.link.map(Link::from),
        }
    }

    /// As the record says it, where no gateway runs on the store.
    pub(in crate::http) fn of_record(view: RailView, now: Timestamp) -> Self {
        let known = Self::of(view, &Health::Ready, now, true);
        let at_rest = "No gateway runs on this store, so nothing is sent.";
        let why = match &known.why {
            Some(why) => format!("{at_rest} At the next start: {why}"),
            None => at_rest.to_owned(),
        };
        Self { sends: false, why: Some(why), trial: false, ..known }
    }
}

/// Why no payout is sent now, in sentences; `None` where they are sent.
fn why(
    state: &RailState,
    trouble: Option<String>,
    health: &Health,
    now: Timestamp,
) -> Option<String> {
    let mut why = Vec::new();
    match health {
        Health::Ready => {}
        Health::Failed(_) | Health::Closed => why.push(
            "The store takes nothing more: nothing is sent until the gateway is restarted."
                .to_owned(),
        ),
    }
    if state.ended.is_some() {
        let bug = "A part of the gateway ended through a bug of its own: nothing is sent until \
                   the gateway is restarted.";
        why.push(bug.to_owned());
    }
    if let Some(CredentialStop { at, code }) = &state.refused {
        why.push(format!(
            "M-Pesa refused our credentials with code {code} at {at}: nothing is sent. Correct \
             them, which the gateway reads again by itself, then resume the rail."
        ));
    }
    if let Some(pause) = &state.paused {
        why.push(format!(
            "Paused by {} at {} ({}): payouts wait until the rail is resumed; M-Pesa is still \
             asked about those in doubt.",
            pause.by, pause.at, pause.reason
        ));
    }
    why.extend(trouble);
    if let Some(until) = state.slowed_until.filter(|until| *until > now) {
        why.push(format!(
            "M-Pesa was too busy or could not be reached: nothing is sent before {until}."
        ));
    }
    (!why.is_empty()).then(|| why.join(" "))
}

/// `GET /v1/rails`.
pub(in crate::http) async fn list(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let mut rails = Vec::new();
    for view in ask.api.engine.rail_views().await? {
        rails.push(seen(caller, &ask, view).await?);
    }
    json(StatusCode::OK, &Rails::of(rails).by(ask.api.engine.clock().as_ref()))
}

/// `POST /v1/rails/{rail}/pause`.
pub(in crate::http) async fn pause(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let rail = rail_of(&ask.id)?;
    let reason = ruling::pause(&ask.body)?;
    let by = actor(caller, &ask).await?;
    ask.api.engine.pause_rail(rail, by, &reason).await.map_err(not_paused)?;
    json(StatusCode::OK, &seen(caller, &ask, view(&ask.api.engine, rail).await?).await?)
}

/// `POST /v1/rails/{rail}/resume`.
pub(in crate::http) async fn resume(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let rail = rail_of(&ask.id)?;
    let by = actor(caller, &ask).await?;
    ask.api.engine.resume_rail(rail, by).await.map_err(not_resumed)?;
    json(StatusCode::OK, &seen(caller, &ask, view(&ask.api.engine, rail).await?).await?)
}

/// The rail, as much of it as the caller may see.
async fn seen(caller: Caller, ask: &Ask, view: RailView) -> Result<Rail, Problem> {
    let engine = &ask.api.engine;
    let may_see = match view.oldest_unknown {
        Some((id, _since)) => {
            let stored = engine.store().payout(id).await?;
            stored.is_some_and(|stored| caller.oversees() || caller.sees(stored.payout.details.app))
        }
        None => false,
    };
    Ok(Rail::of(view, &engine.store().health(), engine.clock().now(), may_see))
}

/// The rail as the engine shows it.
async fn view(engine: &Engine, rail: payout::Rail) -> Result<RailView, Problem> {
    engine.rail_view(rail).await?.ok_or_else(no_such_rail)
}

/// A rail, for who sees everything.
pub(in crate::http) async fn whole(engine: &Engine, rail: payout::Rail) -> Result<Rail, Problem> {
    let view = view(engine, rail).await?;
    Ok(Rail::of(view, &engine.store().health(), engine.clock().now(), true))
}

/// Every rail, for who sees everything.
pub(in crate::http) async fn all_whole(engine: &Engine) -> Result<Rails, StoreError> {
    let (health, now) = (engine.store().health(), engine.clock().now());
    let views = engine.rail_views().await?;
    let data = views.into_iter().map(|view| Rail::of(view, &health, now, true)).collect();
    Ok(Rails::of(data).by(engine.clock().as_ref()))
}

/// Every rail, from the record alone.
pub(in crate::http) async fn all_recorded(
    store: &dyn Store,
    now: Timestamp,
) -> Result<Rails, StoreError> {
    let mut rails = Vec::new();
    for rail in payout::Rail::ALL {
        rails.push(recorded(store, rail, now).await?);
    }
    Ok(Rails::of(rails))
}

/// A rail, from the record alone.
pub(in crate::http) async fn recorded(
    store: &dyn Store,
    rail: payout::Rail,
    now: Timestamp,
) -> Result<Rail, StoreError> {
    let record = store.rails().await?.into_iter().find(|record| record.rail == rail);
    let (refused, paused) =
        record.map_or((None, None), |record| (record.credential, record.paused));
    let counts = store.counts();
    let (status, only) = (Some(payout::Status::Unknown), Some(rail));
    let query = PayoutQuery { status, rail: only, ..PayoutQuery::all(1) };
    let oldest = store.payouts(&query).await?.rows.into_iter().next();
    let oldest_unknown = oldest.and_then(|stored| match stored.payout.state {
        payout::State::Unknown { since, .. } => Some((stored.payout.details.id, since)),
        payout::State::AwaitingApproval { .. }
        | payout::State::Queued { .. }
        | payout::State::Sending { .. }
        | payout::State::Accepted { .. }
        | payout::State::Succeeded { .. }
        | payout::State::Failed { .. }
        | payout::State::Cancelled { .. } => None,
    });
    let view = RailView {
        rail,
        state: RailState { refused, paused, ..RailState::default() },
        trouble: None,
        in_flight: 0,
        queued: counts.on(rail, payout::Status::Queued),
        accepted: counts.on(rail, payout::Status::Accepted),
        unknown: counts.on(rail, payout::Status::Unknown),
        in_doubt: counts.in_doubt_on(rail),
        oldest_unknown,
        conclusive: None,
        open_cases: counts.open_cases(),
        link: None,
    };
    Ok(Rail::of_record(view, now))
}

/// The rail that a path names.
pub(in crate::http) fn rail_of(text: &str) -> Result<payout::Rail, Problem> {
    text.parse().map_err(|_error| no_such_rail())
}

fn no_such_rail() -> Problem {
    let says = "No rail has this name, or it is not set up. GET /v1/rails lists them.";
    Problem::new(Code::NoSuchRail, says)
}

/// Why a rail is not paused for good: it is paused now.
pub(in crate::http) fn not_paused(error: NotDone) -> Problem {
    match error {
        NotDone::Busy => Problem::new(
            Code::Busy,
            "The rail is paused now, but that is not on the disk: a restart would lift it. Too \
             many requests wait for the disk; pause it again in a second.",
        ),
        NotDone::Unavailable(reason) => {
            tracing::error!(%reason, "a pause could not be kept");
            Problem::new(
                Code::StoreUnavailable,
                "The rail is paused now, but the store failed, so that a restart may lift it. \
                 Nothing is sent until the gateway is restarted; pause it again then.",
            )
        }
        NotDone::NoSuchPayout
        | NotDone::NoSuchRail(_)
        | NotDone::Refused(..)
        | NotDone::ReceiptTaken(_) => error.into(),
    }
}

/// Why a rail is not resumed.
pub(in crate::http) fn not_resumed(error: NotDone) -> Problem {
    match error {
        NotDone::Unavailable(reason) => {
            tracing::error!(%reason, "a rail could not be resumed");
            Problem::new(
                Code::StoreUnavailable,
                "The store failed, and the rail stays stopped. Restart the gateway, then resume \
                 it again.",
            )
        }
        NotDone::Busy
        | NotDone::NoSuchPayout
        | NotDone::NoSuchRail(_)
        | NotDone::Refused(..)
        | NotDone::ReceiptTaken(_) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    fn rail(state: RailState, health: &Health) -> Rail {
        troubled(state, None, health)
    }

    fn troubled(state: RailState, trouble: Option<String>, health: &Health) -> Rail {
        let view = RailView {
            rail: payout::Rail::Soap,
            state,
            trouble,
            in_flight: 1,
            queued: 2,
            accepted: 3,
            unknown: 1,
            in_doubt: Amount::ZERO,
            oldest_unknown: Some((PayoutId::from_bytes([1; 16]), NOW)),
            conclusive: Some((Duration::from_millis(1_500), Duration::from_secs(12))),
            open_cases: 1,
            link: None,
        };
        Rail::of(view, health, NOW, false)
    }

    #[test]
    fn whatever_keeps_a_rail_from_sending_is_said() {
        let open = RailState { proven: true, ..RailState::default() };
        let sends = rail(open.clone(), &Health::Ready);
        assert!(sends.sends && sends.why.is_none() && !sends.trial);
        assert_eq!(sends.conclusive_p50_s.as_deref(), Some("1.500"));
        assert_eq!(sends.conclusive_p99_s.as_deref(), Some("12.000"));
        assert!(sends.oldest_unknown.is_some_and(|oldest| oldest.id.is_none()));
        let later = NOW.after(Duration::from_secs(1));
        let pause = store::Pause { at: NOW, by: "erp".to_owned(), reason: "audit".to_owned() };
        let stop = CredentialStop { at: NOW, code: "2001".to_owned() };
        let table = [
            (RailState { paused: Some(pause), ..open.clone() }, Health::Ready, "Paused by erp"),
            (RailState { refused: Some(stop), ..open.clone() }, Health::Ready, "code 2001"),
            (
                RailState { slowed_until: Some(later), ..open.clone() },
                Health::Ready,
                "before 2024-01-02T03:04:06.000Z",
            ),
            (RailState { ended: Some("the worker"), ..open.clone() }, Health::Ready, "a bug"),
            (open.clone(), Health::Closed, "The store"),
        ];
        for (state, health, words) in table {
            let stopped = rail(state, &health);
            assert!(!stopped.sends, "{words}");
            assert!(stopped.why.is_some_and(|why| why.contains(words)), "{words}");
        }
        let keys = "M-Pesa refuses daraja.consumer_key.".to_owned();
        let stopped = troubled(open.clone(), Some(keys.clone()), &Health::Ready);
        assert_eq!((stopped.sends, stopped.why), (false, Some(keys)));
        let over = RailState { slowed_until: Some(NOW), busy: 1, ..open };
        let over = rail(over, &Health::Ready);
        assert!(over.sends && over.slowed_until.is_none() && over.trial);
    }
}
