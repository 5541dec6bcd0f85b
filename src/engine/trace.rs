//! Steps of a payout as spans of its trace: what lasted how long, and what it came to.
//!
//! A step's beginning is read from the payout as it stood before: when it last moved, or when the
//! last question was put. So nothing need be remembered between the two, and what a run of the
//! program began is ended by the next.

use crate::domain::outcome::AnswerClass;
use crate::domain::payout::{Event, Payout, Question, State, Status};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::Life;
use crate::telemetry::trace::{self, Kind, Link, Span, SpanId, TraceId};

/// The span that is there from the beginning, and that all others are part of.
const ACCEPT: &str = "payout.accept";

/// Whether anybody wants to know.
pub(super) fn is_wanted(payout: &Payout) -> bool {
    trace::is_wanted(trace_of(payout))
}

/// The same of whatever else has a life.
pub(super) fn is_wanted_of(subject: Subject) -> bool {
    trace::is_wanted(TraceId(subject.bytes()))
}

fn trace_of(payout: &Payout) -> TraceId {
    TraceId(payout.details.id.bytes())
}

/// A payout was taken, for a request that its caller may trace as well.
pub(super) fn taken(payout: &Payout, link: Option<Link>, now: Timestamp) {
    let (from, to) = (payout.details.created_at, now);
    let span = span(payout, ACCEPT, 0, (from, to));
    trace::record(Span { parent: None, kind: Kind::Server, link, ..span });
}

/// An event is on the disk; `after` is as it left the payout, whether it moved it or not.
pub(super) fn step(before: &Payout, event: &Event, after: Option<&Payout>, now: Timestamp) {
    for span in spans(before, event, after, now) {
        trace::record(span);
    }
}

fn spans(before: &Payout, event: &Event, after: Option<&Payout>, now: Timestamp) -> Vec<Span> {
    let sent = after.and_then(|after| sent(before, event, after, now));
    let said = said(before, event, after, now);
    sent.into_iter().chain(said).collect()
}

/// A send that is over, by whatever ended it.
fn sent(before: &Payout, event: &Event, after: &Payout, now: Timestamp) -> Option<Span> {
    let State::Sending { tries, .. } = &before.state else {
        return None;
    };
    let attempt = tries.attempts;
    let mut span = span(after, "payout.send", attempt.into(), (before.updated_at, now));
    span.kind = Kind::Client;
    span.failed = if let Event::Answered { answer, .. } = event {
        answer.class() != AnswerClass::Taken
    } else {
        is_bad(after.status())
    };
    span.attributes.push(("mlango.attempt", attempt.to_string()));
    Some(with_event(span, event))
}

/// What else an event is worth a span for.
fn said(before: &Payout, event: &Event, after: Option<&Payout>, now: Timestamp) -> Option<Span> {
    let since = (before.updated_at, now);
    let payout = after.unwrap_or(before);
    let at = now.millis();
    let asked = |nth: u32| (question(before, nth).map_or(now, |it| it.at), now);
    let (name, kind, nth, times, failed) = match event {
        Event::InquiryReplied { nth, answer } => {
            let failed = answer.class() != AnswerClass::Taken;
            ("payout.inquiry", Kind::Client, i64::from(*nth), asked(*nth), failed)
        }
        Event::InquiryNotSent { nth, why: Some(_) } => {
            ("payout.inquiry", Kind::Client, i64::from(*nth), asked(*nth), true)
        }
        Event::InquiryAnswered(answer) => {
            let times = asked(answer.nth.unwrap_or(0));
            ("payout.inquiry.result", Kind::Consumer, at, times, answer.payment.is_none())
        }
        // What else changes nothing is in the payout's history, and in no trace.
        _ if after.is_none() => return None,
        Event::ResultArrived(_) => {
            ("payout.result", Kind::Consumer, at, since, is_bad(payout.status()))
        }
        Event::QueueTimedOut => ("payout.queue_timeout", Kind::Consumer, at, since, true),
        Event::ResultOverdue => ("payout.result_overdue", Kind::Internal, at, since, true),
        Event::CancelAsked => ("payout.cancel", Kind::Server, at, (now, now), false),
        Event::Ruled(_) => ("payout.ruling", Kind::Server, at, (now, now), false),
        Event::StatementShows(_) => ("payout.statement", Kind::Internal, at, (now, now), false),
        Event::Approved
        | Event::Rejected { .. }
        | Event::ApprovalExpired
        | Event::SendStarted { .. }
        | Event::Answered { .. }
        | Event::NothingSent { .. }
        | Event::NoAnswer { .. }
        | Event::LeaseLapsed { .. }
        | Event::AskWanted
        | Event::InquirySent
        | Event::InquiryNotSent { .. }
        | Event::Unfit { .. } => return None,
    };
    let span = Span { kind, failed, ..span(payout, name, nth, times) };
    Some(with_event(span, event))
}

/// A question that was put last, if it is this one.
fn question(payout: &Payout, nth: u32) -> Option<Question> {
    match &payout.state {
        State::Unknown { inquiry, .. } => inquiry.last.filter(|last| last.nth == nth),
        State::AwaitingApproval { .. }
        | State::Queued { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => None,
    }
}

/// Payments and inquiries that are taken: they begin their traces as payouts do.
pub(super) fn born(subjects: &[(Subject, Timestamp)], now: Timestamp) {
    for (subject, at) in subjects {
        let trace = TraceId(subject.bytes());
        let name = root_of(*subject);
        let span = Span {
            trace,
            id: SpanId::of(trace, name, 0),
            parent: None,
            name,
            kind: Kind::Server,
            from_ms: at.millis(),
            to_ms: now.millis(),
            attributes: vec![("mlango.subject", subject.to_string())],
            failed: false,
            link: None,
        };
        trace::record(span);
    }
}

/// A payment or an inquiry moved: how long it had stood before, under the name of where that led.
pub(super) fn moved(
    (before, after): (&Life, &Life),
    notice: &'static str,
    event: &'static str,
    now: Timestamp,
) {
    let subject = after.subject();
    let (Some(since), trace) = (since(before), TraceId(subject.bytes())) else {
        return;
    };
    let status = after.standing().as_str();
    trace::record(Span {
        trace,
        id: SpanId::of(trace, notice, now.millis()),
        parent: Some(SpanId::of(trace, root_of(subject), 0)),
        name: notice,
        kind: Kind::Internal,
        from_ms: since.millis(),
        to_ms: now.millis(),
        attributes: vec![
            ("mlango.subject", subject.to_string()),
            ("mlango.status", status.to_owned()),
            ("mlango.event", event.to_owned()),
        ],
        failed: matches!(status, "failed" | "unknown"),
        link: None,
    });
}

/// Since when it has stood where it stands; text messages have no trace.
pub(super) fn since(life: &Life) -> Option<Timestamp> {
    match life {
        Life::Payout(_) | Life::Text(_) => None,
        Life::Payment(payment) => Some(payment.updated_at),
        Life::Inquiry(inquiry) => Some(inquiry.updated_at),
    }
}

const fn root_of(subject: Subject) -> &'static str {
    match subject {
        Subject::Payout(_) => ACCEPT,
        Subject::Payment(_) => "payment.accept",
        Subject::Inquiry(_) => "inquiry.accept",
        Subject::Text(_) => "text.accept",
    }
}

const fn is_bad(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Unknown | Status::Queued)
}

fn with_event(mut span: Span, event: &Event) -> Span {
    span.attributes.push(("mlango.event", event.name().to_owned()));
    let code = if let Event::Answered { answer, .. } | Event::InquiryReplied { answer, .. } = event
    {
        Some(&answer.code)
    } else if let Event::ResultArrived(facts) = event {
        Some(&facts.code)
    } else if let Event::InquiryAnswered(answer) = event {
        Some(&answer.code)
    } else {
        None
    };
    span.attributes.extend(code.map(|code| ("mlango.code", code.clone())));
    span
}

fn span(payout: &Payout, name: &'static str, nth: i64, (from, to): (Timestamp, Timestamp)) -> Span {
    let trace = trace_of(payout);
    Span {
        trace,
        id: SpanId::of(trace, name, nth),
        parent: Some(SpanId::of(trace, ACCEPT, 0)),
        name,
        kind: Kind::Internal,
        from_ms: from.millis(),
        to_ms: to.millis(),
        attributes: vec![
            ("mlango.payout", payout.details.id.to_string()),
            ("mlango.rail", payout.details.rail.to_string()),
            ("mlango.status", payout.status().to_string()),
        ],
        failed: false,
        link: None,
    }
}
