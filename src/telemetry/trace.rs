//! Traces: what became of one payout or payment, as spans that a collector puts together.
//!
//! Nothing is remembered for them. The sixteen bytes of a payout's id are its trace's id, and a
//! span's id follows from what it is of: so a step belongs to the one trace of its payout in
//! whichever run of the program it is taken, hours and crashes later. Spans are recorded after
//! their step is on the disk, wait in a queue of bounded length, and hold nobody up.
//!
//! No phone, name, amount or reference is in them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::metric;

/// How many spans may wait for the collector; some MiB.
const WAITING_MAX: usize = 8_192;

static QUEUE: Queue = Queue::new();

/// From now on spans of so many traces in a hundred are recorded; of none before.
pub fn open(percent: u32) {
    metric::SPANS_EXPORTED.with([]).add(0);
    QUEUE.percent.store(percent, Ordering::Relaxed);
}

/// From now on none is recorded.
pub fn close() {
    QUEUE.percent.store(0, Ordering::Relaxed);
}

/// Whether spans of this trace are recorded.
pub fn is_wanted(trace: TraceId) -> bool {
    trace.is_among(QUEUE.percent.load(Ordering::Relaxed))
}

/// Records a span; it never waits.
pub fn record(span: Span) {
    if is_wanted(span.trace) && !QUEUE.put(span) {
        metric::SPANS_DROPPED.with(["queue"]).increment();
    }
}

/// The spans that have waited longest, at most so many.
pub fn take(most: usize) -> Vec<Span> {
    let mut waiting = QUEUE.waiting();
    let count = most.min(waiting.len());
    waiting.drain(..count).collect()
}

#[derive(Debug)]
struct Queue {
    percent: AtomicU32,
    waiting: Mutex<VecDeque<Span>>,
}

impl Queue {
    const fn new() -> Self {
        Self { percent: AtomicU32::new(0), waiting: Mutex::new(VecDeque::new()) }
    }

    fn put(&self, span: Span) -> bool {
        let mut waiting = self.waiting();
        let fits = waiting.len() < WAITING_MAX;
        if fits {
            waiting.push_back(span);
        }
        fits
    }

    /// A panic elsewhere leaves whole spans.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a trace: the bytes of the id of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// Whether it is one of so many in a hundred: the same answer whenever it is asked.
    fn is_among(self, percent: u32) -> bool {
        let SpanId(digest) = SpanId::of(self, "", 0);
        let number = u64::from_be_bytes(digest);
        number.checked_rem(100).is_some_and(|rest| rest < u64::from(percent))
    }
}

/// The name of a span within its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    /// That of the `nth` span of this kind: the same, whoever works it out.
    pub fn of(trace: TraceId, name: &str, nth: i64) -> Self {
        let hash = Sha256::new_with_prefix(trace.0).chain_update(name);
        let digest = hash.chain_update(nth.to_be_bytes()).finalize();
        let mut id = [0; 8];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

/// What somebody else's span is to this one: the request that a caller traces, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    trace: TraceId,
    span: SpanId,
}

impl Link {
    /// From the header `traceparent` (W3C Trace Context, level 1); `None` if it has no meaning.
    pub fn of(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let [version] = bytes::<1>(version)?;
        let _flags: [u8; 1] = bytes(flags)?;
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
        let is_set = trace != [0; 16] && span != [0; 8];
        is_set.then_some(Self { trace: TraceId(trace), span: SpanId(span) })
    }
}

/// Lower-case hexadecimal digits, exactly so many.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0_u8; N];
    if text.len() != N.checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit.checked_sub(b'0')?,
                b'a'..=b'f' => digit.checked_sub(b'a')?.checked_add(10)?,
                _ => return None,
            };
            *byte = byte.checked_mul(16)?.checked_add(value)?;
        }
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which side of a conversation a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neither.
    Internal,
    /// Somebody asked us.
    Server,
    /// We asked somebody.
    Client,
    /// Somebody told us what we had asked for before.
    Consumer,
}

impl Kind {
    /// `SpanKind` of OTLP.
    const fn number(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
            Self::Consumer => 5,
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is about.
    pub trace: TraceId,
    /// Its own name.
    pub id: SpanId,
    /// The span that it is part of; `None`: it is the first.
    pub parent: Option<SpanId>,
    /// What it is.
    pub name: &'static str,
    /// Which side.
    pub kind: Kind,
    /// When it began, in milliseconds since 1970.
    pub from_ms: i64,
    /// When it ended.
    pub to_ms: i64,
    /// What is known of it: no personal data.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it did not do what it was for.
    pub failed: bool,
    /// The span that it is linked to.
    pub link: Option<Link>,
}

impl Span {
    fn shown(&self) -> Value {
        let mut span = json!({
            "traceId": hex(&self.trace.0),
            "spanId": hex(&self.id.0),
            "name": self.name,
            "kind": self.kind.number(),
            "startTimeUnixNano": nanos(self.from_ms),
            "endTimeUnixNano": nanos(self.to_ms.max(self.from_ms)),
            "attributes": attributes(self.attributes.iter().map(|(key, value)| (*key, &**value))),
            "status": if self.failed { json!({ "code": 2 }) } else { json!({}) },
        });
        if let Some(more) = span.as_object_mut() {
            if let Some(parent) = self.parent {
                more.insert("parentSpanId".to_owned(), hex(&parent.0).into());
            }
            if let Some(Link { trace, span }) = &self.link {
                let link = json!([{ "traceId": hex(&trace.0), "spanId": hex(&span.0) }]);
                more.insert("links".to_owned(), link);
            }
        }
        span
    }
}

/// Numbers of 64 bits are texts in OTLP's JSON.
fn nanos(ms: i64) -> String {
    ms.max(0).saturating_mul(1_000_000).to_string()
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    pairs.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

/// The body of `POST /v1/traces` (OTLP 1, JSON) with these spans of a gateway of this name.
pub fn request(service: &str, spans: &[Span]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", service), ("service.version", version)];
    let spans: Value = spans.iter().map(Span::shown).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(resource.into_iter()) },
        "scopeSpans": [{ "scope": { "name": "mlango", "version": version }, "spans": spans }],
    }] })
    .to_string()
    .into_bytes()
}

/// How many spans a collector says that it did not take, in the answer to [`request`].
pub fn rejected(answer: &[u8]) -> u64 {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
        return 0;
    };
    let count = answer.pointer("/partialSuccess/rejectedSpans");
    let count = count.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok()));
    count.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(trace: u8) -> Span {
        let trace = TraceId([trace; 16]);
        Span {
            trace,
            id: SpanId::of(trace, "payout.send", 1),
            parent: Some(SpanId([3; 8])),
            name: "payout.send",
            kind: Kind::Client,
            from_ms: 1_700_000_000_123,
            to_ms: 1_700_000_000_456,
            attributes: vec![("mlango.rail", "soap".to_owned())],
            failed: true,
            link: Link::of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        }
    }

    #[test]
    fn a_request_is_as_otlp_writes_it() {
        let body: Value = serde_json::from_slice(&request("gw", &[span(0xab)])).expect("JSON");
        let version = env!("CARGO_PKG_VERSION");
        let expected = json!({ "resourceSpans": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "gw" } },
                { "key": "service.version", "value": { "stringValue": version } },
            ] },
            "scopeSpans": [{ "scope": { "name": "mlango", "version": version }, "spans": [{
                "traceId": "abababababababababababababababab",
                "spanId": hex(&SpanId::of(TraceId([0xab; 16]), "payout.send", 1).0),
                "parentSpanId": "0303030303030303",
                "name": "payout.send",
                "kind": 3,
                "startTimeUnixNano": "1700000000123000000",
                "endTimeUnixNano": "1700000000456000000",
                "attributes": [{ "key": "mlango.rail", "value": { "stringValue": "soap" } }],
                "links": [{
                    "traceId": "0af7651916cd43dd8448eb211c80319c",
                    "spanId": "b7ad6b7169203331",
                }],
                "status": { "code": 2 },
            }] }],
        }] });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_traceparent_is_read_or_has_no_meaning() {
        let table = [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01", false),
            ("", false),
        ];
        for (text, has_meaning) in table {
            assert_eq!(Link::of(text).is_some(), has_meaning, "{text}");
        }
    }

    #[test]
    fn ids_differ_by_what_they_are_of_and_never_by_chance() {
        let (one, other) = (TraceId([1; 16]), TraceId([2; 16]));
        assert_eq!(SpanId::of(one, "a", 1), SpanId::of(one, "a", 1));
        for different in [(one, "a", 2), (one, "b", 1), (other, "a", 1)] {
            let (trace, name, nth) = different;
            assert_ne!(SpanId::of(one, "a", 1), SpanId::of(trace, name, nth), "{name} {nth}");
        }
    }

    #[test]
    fn a_share_of_traces_is_about_that_share() {
        let trace = |nth: u64| {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&nth.to_be_bytes());
            TraceId(id)
        };
        let among = |percent| (0..10_000).filter(|nth| trace(*nth).is_among(percent)).count();
        assert_eq!((among(0), among(100)), (0, 10_000));
        assert!((800..1_200).contains(&among(10)), "{}", among(10));
    }

    #[test]
    fn what_no_longer_fits_is_left_out() {
        let queue = Queue::new();
        let taken = (0..WAITING_MAX + 5).filter(|_nth| queue.put(span(1))).count();
        assert_eq!(taken, WAITING_MAX);
    }

    #[test]
    fn a_collector_may_say_how_many_it_did_not_take() {
        let table: [(&str, u64); 5] = [
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":2}}"#, 2),
            (r#"{"partialSuccess":{}}"#, 0),
            ("{}", 0),
            ("", 0),
        ];
        for (answer, count) in table {
            assert_eq!(rejected(answer.as_bytes()), count, "{answer}");
        }
    }
}
