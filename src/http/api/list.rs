//! Query parameters of lists: each known by name, every fault named.

use std::fmt::Display;

use axum::extract::Query;
use axum::http::Uri;

use super::cases;
use super::cursor::{CaseCursor, EventCursor, NOT_A_CURSOR, PayoutCursor};
use super::{FieldFault, Problem};
use crate::domain::id::{CaseId, PayoutId, Receipt};
use crate::domain::limit::REFERENCE_LEN_MAX;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::{CaseQuery, PAGE_LEN_MAX, PayoutQuery};

/// Rows of a page when nothing else is asked for.
const LIMIT_DEFAULT: usize = 50;
/// The most parameters that are looked at: more than there are, each given twice.
const PARAMETERS_MAX: usize = 32;

/// A query parameter, for reading it and for the API's description.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Parameter {
    pub(in crate::http) name: &'static str,
    pub(in crate::http) means: &'static str,
    pub(in crate::http) kind: Kind,
}

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Kind {
    /// Of 1 to so many characters.
    Text(usize),
    Phone,
    /// An id that begins with one of these.
    Id(&'static [&'static str]),
    Time,
    Limit,
    Status,
    PaymentType,
    PaymentStatus,
    InquiryStatus,
    YesOrNo,
    Sequence,
    OpenOrClosed,
    WhyCase,
    Order,
}

pub(super) const fn parameter(name: &'static str, kind: Kind, means: &'static str) -> Parameter {
    Parameter { name, means, kind }
}

pub(super) const LIMIT: Parameter =
    parameter("limit", Kind::Limit, "Rows of a page: 1 to 500, by default 50.");
pub(super) const CURSOR: Parameter =
    parameter("cursor", Kind::Text(64), "Where the last page ended: its next_cursor.");

/// The parameters of `GET /v1/payouts`.
pub(in crate::http) const LIST_PARAMETERS: &[Parameter] = &[
    parameter("status", Kind::Status, "Only those that stand there."),
    parameter(
        "reference",
        Kind::Text(REFERENCE_LEN_MAX),
        "Only those with exactly this reference.",
    ),
    parameter("phone", Kind::Phone, "Only those to this phone, in any usual form."),
    parameter("receipt", Kind::Text(64), "Only the one with this M-Pesa receipt."),
    parameter("batch_id", Kind::Id(&["bat_"]), "Only those of this batch."),
    parameter("created_from", Kind::Time, "Only those taken at or after this time (RFC 3339)."),
    parameter("created_to", Kind::Time, "Only those taken before this time (RFC 3339)."),
    LIMIT,
    CURSOR,
    parameter("order", Kind::Order, "asc: oldest first; desc, the default: newest first."),
];

/// The parameters of `GET /v1/payouts/{id}/events`.
pub(in crate::http) const EVENT_PARAMETERS: &[Parameter] = &[
    LIMIT,
    CURSOR,
    parameter("order", Kind::Order, "asc, the default: oldest first; desc: newest first."),
];

/// The parameters of `GET /v1/cases`.
pub(in crate::http) const CASE_PARAMETERS: &[Parameter] = &[
    parameter(
        "status",
        Kind::OpenOrClosed,
        "Only those that are open, or only those that are not.",
    ),
    parameter("kind", Kind::WhyCase, "Only those of this kind."),
    parameter("payout", Kind::Id(&["po_"]), "Only those about this payout."),
    parameter(
        "about",
        Kind::Id(&["po_", "pay_", "inq_", "sms_"]),
        "Only those about this payout, payment or inquiry.",
    ),
    LIMIT,
    CURSOR,
    parameter("order", Kind::Order, "asc: oldest first; desc, the default: newest first."),
];

/// Reads the query of `GET /v1/payouts`. Whose payouts it lists is for the caller to set.
///
/// # Errors
/// Parameters are unknown, given twice or faulty: all of them are named.
pub(super) fn payouts(uri: &Uri) -> Result<PayoutQuery, Problem> {
    let mut given = Given::read(uri, LIST_PARAMETERS)?;
    let cursor = given.read_as("cursor", |text| PayoutCursor::read(text).ok_or(NOT_A_CURSOR));
    let query = PayoutQuery {
        app: None,
        status: given.parse("status"),
        reference: given.read_as("reference", |text| {
            let fits = text.chars().count() <= REFERENCE_LEN_MAX;
            fits.then(|| text.to_owned()).ok_or("is longer than any reference")
        }),
        phone: given.parse("phone"),
        receipt: given
            .read_as("receipt", |text| Receipt::new(text).ok_or("is not an M-Pesa receipt")),
        rail: None,
        batch: given.parse("batch_id"),
        created_from: given.time("created_from"),
        created_to: given.time("created_to"),
        after: cursor.map(|cursor| cursor.after),
        descending: given.descending(true, cursor.map(|cursor| cursor.descending)),
        limit: given.limit(),
    };
    given.done(query)
}

/// Which events of a payout to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventQuery {
    pub(super) after: Option<u64>,
    pub(super) descending: bool,
    pub(super) limit: usize,
}

/// Reads the query of `GET /v1/payouts/{id}/events`.
///
/// # Errors
/// As [`payouts`].
pub(super) fn events(uri: &Uri) -> Result<EventQuery, Problem> {
    let mut given = Given::read(uri, EVENT_PARAMETERS)?;
    let cursor = given.read_as("cursor", |text| EventCursor::read(text).ok_or(NOT_A_CURSOR));
    let query = EventQuery {
        after: cursor.map(|cursor| cursor.after),
        descending: given.descending(false, cursor.map(|cursor| cursor.descending)),
        limit: given.limit(),
    };
    given.done(query)
}

/// The parameters of `GET /v1/events`.
pub(in crate::http) const FEED_PARAMETERS: &[Parameter] = &[
    parameter(
        "after",
        Kind::Sequence,
        "Only what happened after this: the seq of an event, or the last page's next_cursor or \
         next_after. 0, the default: from the beginning.",
    ),
    LIMIT,
];

/// Which part of the feed to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FeedQuery {
    pub(super) after: u64,
    pub(super) limit: usize,
}

/// Reads the query of `GET /v1/events`.
///
/// # Errors
/// As [`payouts`].
pub(super) fn feed(uri: &Uri) -> Result<FeedQuery, Problem> {
    let mut given = Given::read(uri, FEED_PARAMETERS)?;
    let after = given.read_as("after", |text| {
        text.parse::<u64>().map_err(|_error| "must be the seq of an event, a whole number")
    });
    let query = FeedQuery { after: after.unwrap_or_default(), limit: given.limit() };
    given.done(query)
}

/// Reads the query of `GET /v1/cases`. Whose cases it lists is for the caller to set.
///
/// # Errors
/// As [`payouts`].
pub(super) fn cases(uri: &Uri) -> Result<CaseQuery, Problem> {
    let mut given = Given::read(uri, CASE_PARAMETERS)?;
    let cursor = given.read_as("cursor", |text| CaseCursor::read(text).ok_or(NOT_A_CURSOR));
    let payout = given.parse("payout").map(Subject::Payout);
    let query = CaseQuery {
        open: given.read_as("status", |text| match text {
            "open" => Ok(true),
            "closed" => Ok(false),
            _ => Err("must be open or closed"),
        }),
        kind: given.read_as("kind", cases::kind),
        about: given.parse("about").or(payout),
        app: None,
        after: cursor.map(|cursor| cursor.after),
        descending: given.descending(true, cursor.map(|cursor| cursor.descending)),
        limit: given.limit(),
    };
    given.done(query)
}

/// The next page's cursor for cases.
pub(super) fn next_case(query: &CaseQuery, after: Option<CaseId>) -> Option<String> {
    let descending = query.descending;
    after.map(|after| CaseCursor { descending, after }.write())
}

/// Checks that a request that takes no parameters has none.
///
/// # Errors
/// It has some.
pub(super) fn nothing(uri: &Uri) -> Result<(), Problem> {
    if uri.query().is_none_or(str::is_empty) {
        return Ok(());
    }
    Given::read(uri, &[])?.done(())
}

/// The next page's cursor for payouts.
pub(super) fn next(query: &PayoutQuery, after: Option<PayoutId>) -> Option<String> {
    let descending = query.descending;
    after.map(|after| PayoutCursor { descending, after }.write())
}

pub(super) struct Given {
    pairs: Vec<(String, String)>,
    pub(super) faults: Vec<FieldFault>,
}

impl Given {
    pub(super) fn read(uri: &Uri, known: &[Parameter]) -> Result<Self, Problem> {
        let Ok(Query(mut pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            let fault = FieldFault::new("query", "cannot be read: it is not URL-encoded");
            return Err(Problem::query(vec![fault]));
        };
        pairs.truncate(PARAMETERS_MAX);
        let mut faults = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &pairs {
            let mut fault = |message: String| {
                let name: String = name.chars().take(40).collect();
                faults.push(FieldFault::new(name, message));
            };
            if !known.iter().any(|known| known.name == name) {
                fault(unknown(known));
            } else if seen.contains(&name.as_str()) {
                fault("is given more than once".to_owned());
            } else if value.is_empty() {
                fault("is empty; leave it out to leave it open".to_owned());
            }
            seen.push(name);
        }
        Ok(Self { pairs, faults })
    }

    /// The value of a parameter that was given and is not at fault already.
    fn value(&self, name: &str) -> Option<&str> {
        if self.faults.iter().any(|fault| fault.field == name) {
            return None;
        }
        let (_, value) = self.pairs.iter().find(|(given, _)| given == name)?;
        Some(value)
    }

    pub(super) fn read_as<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match read(self.value(name)?) {
            Ok(value) => Some(value),
            Err(message) => {
                let message = message.to_string();
                self.faults.push(FieldFault::new(name, message));
                None
            }
        }
    }

    pub(super) fn parse<T>(&mut self, name: &'static str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: Display,
    {
        self.read_as(name, str::parse)
    }

    pub(super) fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        self.read_as(name, |text| {
            Timestamp::parse_rfc3339(text).map_err(
                |_error| "must be an RFC 3339 time such as 2024-01-02T03:04:05Z (write + as %2B)",
            )
        })
    }

    pub(super) fn limit(&mut self) -> usize {
        let read = self.read_as("limit", |text| match text.parse::<usize>() {
            Ok(limit) if (1..=PAGE_LEN_MAX).contains(&limit) => Ok(limit),
            _ => Err(format!("must be a whole number from 1 to {PAGE_LEN_MAX}")),
        });
        read.unwrap_or(LIMIT_DEFAULT)
    }

    /// Which way: as asked, else as the cursor goes on, else `default`.
    pub(super) fn descending(&mut self, default: bool, of_cursor: Option<bool>) -> bool {
        let asked = self.read_as("order", |text| match text {
            "asc" => Ok(false),
            "desc" => Ok(true),
            _ => Err("must be asc or desc"),
        });
        match (asked, of_cursor) {
            (Some(asked), Some(of_cursor)) if asked != of_cursor => {
                let message = "comes from a page in the other order";
                self.faults.push(FieldFault::new("cursor", message));
                asked
            }
            (asked, of_cursor) => asked.or(of_cursor).unwrap_or(default),
        }
    }

    pub(super) fn done<T>(self, value: T) -> Result<T, Problem> {
        if self.faults.is_empty() { Ok(value) } else { Err(Problem::query(self.faults)) }
    }
}

fn unknown(known: &[Parameter]) -> String {
    if known.is_empty() {
        return "is unknown here; this takes no parameters".to_owned();
    }
    let names: Vec<&str> = known.iter().map(|known| known.name).collect();
    format!("is unknown here; the parameters are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payout::Status;

    fn read(query: &str) -> Result<PayoutQuery, Problem> {
        payouts(&format!("/v1/payouts?{query}").parse().unwrap_or_default())
    }

    #[test]
    fn every_filter_is_read() {
        let query = read(
            "status=unknown&reference=INV-1&phone=0722%20000%20111&receipt=QK12&\
             created_from=2024-01-02T03:04:05Z&created_to=2024-01-03T06:04:05%2B03:00&\
             limit=500&order=asc",
        )
        .expect("a good query");
        assert_eq!(query.status, Some(Status::Unknown));
        assert_eq!(query.reference.as_deref(), Some("INV-1"));
        assert_eq!(query.phone.map(|phone| phone.reveal()).as_deref(), Some("254722000111"));
        assert_eq!(
            query.created_to.map(Timestamp::rfc3339).as_deref(),
            Some("2024-01-03T03:04:05.000Z")
        );
        assert_eq!((query.limit, query.descending), (500, false));
        let bare = read("").expect("no filter");
        assert_eq!((bare.limit, bare.descending), (50, true));
    }

    #[test]
    fn every_bad_parameter_is_named_in_one_answer() {
        let problem = read(
            "status=paid&phone=12&receipt=%00&batch_id=po_1&created_from=yesterday&limit=501&\
             order=up&cursor=x&colour=red&reference=&limit=1",
        )
        .expect_err("all bad");
        let mut named: Vec<&str> = problem.errors.iter().map(|e| e.field.as_str()).collect();
        named.sort_unstable();
        assert_eq!(
            named,
            [
                "batch_id",
                "colour",
                "created_from",
                "cursor",
                "limit",
                "order",
                "phone",
                "receipt",
                "reference",
                "status"
            ]
        );
    }

    #[test]
    fn a_cursor_keeps_its_order_and_refuses_the_other() {
        let cursor =
            PayoutCursor { descending: false, after: PayoutId::from_bytes([1; 16]) }.write();
        let query = read(&format!("cursor={cursor}")).expect("its own order");
        assert!(!query.descending);
        assert!(read(&format!("cursor={cursor}&order=desc")).is_err());
    }
}
