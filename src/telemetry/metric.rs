//! Every metric, with its name, labels and meaning.
//!
//! Hot paths keep the handle that [`Metric::with`] gives: counting is then one atomic addition.
//! A label's values come from a closed set (a status, an outcome, a route's pattern), never from
//! a peer. Seconds are measured, shillings are whole.

pub use super::registry::{Counter, Gauge, Histogram, Metric, render};

/// Payouts taken on.
pub const PAYOUTS_SUBMITTED: Metric<Counter, 0> = Metric::new(
    "mlango_payouts_submitted_total",
    [],
    "Payouts that were accepted from finance systems and are on disk.",
);

/// Payouts now, by status.
pub const PAYOUTS: Metric<Gauge, 1> =
    Metric::new("mlango_payouts", ["status"], "Payouts that are not final, by status.");

/// Sends, by what became of them.
pub const SENDS: Metric<Counter, 1> =
    Metric::new("mlango_sends_total", ["outcome"], "Requests to M-Pesa, by what became of them.");

/// Results, by what they said.
pub const RESULTS: Metric<Counter, 1> = Metric::new(
    "mlango_results_total",
    ["outcome"],
    "Results from M-Pesa that are on disk, by what they meant.",
);

/// Messages of M-Pesa's, by kind.
pub const CALLBACKS: Metric<Counter, 2> = Metric::new(
    "mlango_callbacks_total",
    ["kind", "outcome"],
    "Messages from M-Pesa that were answered, by kind and by what they meant.",
);

/// HTTP requests answered.
pub const HTTP_REQUESTS: Metric<Counter, 3> = Metric::new(
    "mlango_http_requests_total",
    ["listener", "route", "status"],
    "HTTP requests answered, by listener, route and status code.",
);

/// How long HTTP requests took.
pub const HTTP_REQUEST_SECONDS: Metric<Histogram, 2> = Metric::new(
    "mlango_http_request_seconds",
    ["listener", "route"],
    "Time from an HTTP request's head to its answer, in seconds.",
);

/// How long commits took.
pub const STORE_COMMIT_SECONDS: Metric<Histogram, 0> = Metric::new(
    "mlango_store_commit_seconds",
    [],
    "Time from handing a commit to the store until it is on disk, in seconds.",
);

/// Commits that wait.
pub const STORE_QUEUE_DEPTH: Metric<Gauge, 0> =
    Metric::new("mlango_store_queue_depth", [], "Commits that wait for the store's writer.");

/// Cases opened for a person.
pub const CASES: Metric<Counter, 1> =
    Metric::new("mlango_cases_total", ["kind"], "Cases that were opened for a person to decide.");

/// Requests that await their answer.
pub const RAIL_IN_FLIGHT: Metric<Gauge, 1> =
    Metric::new("mlango_rail_in_flight", ["rail"], "Requests to M-Pesa that await their answer.");

/// Whether the store can't be written to any more.
pub const STORE_FAILED: Metric<Gauge, 0> = Metric::new(
    "mlango_store_failed",
    [],
    "1 once a write to the store failed: nothing is taken, sent or acknowledged until a restart.",
);

/// Whether a rail has stopped sending.
pub const RAIL_STOPPED: Metric<Gauge, 1> = Metric::new(
    "mlango_rail_stopped",
    ["rail"],
    "1 while the rail sends nothing, because its credentials were refused or a person paused it.",
);

/// Whether M-Pesa can be reached.
pub const LINK_UP: Metric<Gauge, 1> = Metric::new(
    "mlango_link_up",
    ["rail"],
    "1 while the last attempt to connect to M-Pesa led to a connection, encryption included.",
);

/// When M-Pesa last answered.
pub const LINK_LAST_ANSWER: Metric<Gauge, 1> = Metric::new(
    "mlango_link_last_answer_timestamp_seconds",
    ["rail"],
    "When M-Pesa last answered anything, in seconds since 1970.",
);

/// Attempts to reach M-Pesa that failed.
pub const LINK_FAILURES: Metric<Counter, 2> = Metric::new(
    "mlango_link_failures_total",
    ["rail", "stage"],
    "Attempts to reach M-Pesa that failed, by how far they came: resolve, local, connect, tls or \
     answer.",
);

/// Peers turned away because of TLS.
pub const TLS_REFUSED: Metric<Counter, 2> = Metric::new(
    "mlango_tls_refused_total",
    ["listener", "why"],
    "Connections to a listener that were ended during the TLS handshake, by reason.",
);

/// When certificates end.
pub const CERTIFICATE_DAYS: Metric<Gauge, 1> = Metric::new(
    "mlango_certificate_days_left",
    ["certificate"],
    "Whole days until a certificate of the configuration expires; 0 once it has.",
);

/// When the initiator's password ends.
pub const PASSWORD_DAYS: Metric<Gauge, 0> = Metric::new(
    "mlango_initiator_password_days_left",
    [],
    "Whole days of the ninety that M-Pesa takes the initiator's password for; 0 once they are over.",
);

/// Reading the configuration again.
pub const RELOADS: Metric<Counter, 1> = Metric::new(
    "mlango_reloads_total",
    ["outcome"],
    "Times that changed files of secrets or certificates were read again: done or refused.",
);

/// Access tokens asked for.
pub const TOKENS: Metric<Counter, 1> = Metric::new(
    "mlango_daraja_tokens_total",
    ["outcome"],
    "Access tokens that were asked of Daraja, by what became of it: fetched, refused or unanswered.",
);

/// Tokens that Daraja no longer took.
pub const TOKENS_SPURNED: Metric<Counter, 0> = Metric::new(
    "mlango_daraja_tokens_spurned_total",
    [],
    "Access tokens that Daraja no longer took before their time was over.",
);

/// Calls to Daraja that were too many.
pub const TOO_MANY: Metric<Counter, 1> = Metric::new(
    "mlango_daraja_too_many_total",
    ["api"],
    "Calls to Daraja that were turned away because they were too many, by interface.",
);

/// Requests that came too often.
pub const HTTP_LIMITED: Metric<Counter, 2> = Metric::new(
    "mlango_http_limited_total",
    ["listener", "limit"],
    "Requests that were turned away because they came too often, by limit: peer, key, wrong_key or \
     wrong_call.",
);

/// Keys that opened nothing.
pub const WRONG_KEYS: Metric<Counter, 0> = Metric::new(
    "mlango_wrong_keys_total",
    [],
    "Requests to the API with a key that is unknown, revoked or past its end.",
);

/// Calls to the callback listener that were turned away.
pub const CALLBACK_REFUSED: Metric<Counter, 1> = Metric::new(
    "mlango_callback_refused_total",
    ["why"],
    "Calls to the callback listener that were turned away, by reason.",
);

/// What people did to the gateway.
pub const ADMIN_ACTS: Metric<Counter, 1> = Metric::new(
    "mlango_admin_acts_total",
    ["act"],
    "Administrative acts that were done and recorded in the event chain, by kind.",
);

/// Money that may or may not have moved.
pub const SHILLINGS_IN_DOUBT: Metric<Gauge, 0> = Metric::new(
    "mlango_shillings_in_doubt",
    [],
    "Shillings of payouts in status unknown: they may or may not have been paid.",
);

/// How long the oldest doubt is.
pub const OLDEST_UNKNOWN_SECONDS: Metric<Gauge, 0> = Metric::new(
    "mlango_oldest_unknown_seconds",
    [],
    "Seconds for which the payout in status unknown that was taken first is in doubt; 0 without one.",
);

/// How long payouts take until they are conclusive.
pub const CONCLUSIVE_SECONDS: Metric<Histogram, 0> = Metric::new(
    "mlango_payout_conclusive_seconds",
    [],
    "Time from taking a payout to a conclusive status, in seconds.",
);

/// Questions about payouts in doubt.
pub const INQUIRIES: Metric<Counter, 1> = Metric::new(
    "mlango_inquiries_total",
    ["outcome"],
    "Questions to M-Pesa about payouts in doubt: what became of each question, and what its \
     result said.",
);

/// Requests that were not sent because they are not to the partner's schema.
pub const NOT_TO_SCHEMA: Metric<Counter, 1> = Metric::new(
    "mlango_requests_not_to_schema_total",
    ["request"],
    "Requests to the broker that were not sent, because they are not to the schema in \
     broker.wsdl_dir: payouts, which failed, and questions about payouts in doubt.",
);

/// Messages that contradict what is known.
pub const CONTRADICTIONS: Metric<Counter, 0> = Metric::new(
    "mlango_contradictions_total",
    [],
    "Messages that contradicted what was known of a payout; each opened a case.",
);

/// Cases that wait.
pub const OPEN_CASES: Metric<Gauge, 0> =
    Metric::new("mlango_open_cases", [], "Cases that wait for a person to decide.");

/// How old the last back-up is.
pub const BACKUP_AGE_SECONDS: Metric<Gauge, 0> = Metric::new(
    "mlango_backup_age_seconds",
    [],
    "Seconds since the last back-up that was made whole was begun; not there before the first.",
);

/// Lines of the log that were lost.
pub const LOG_LINES_DROPPED: Metric<Counter, 0> = Metric::new(
    "mlango_log_lines_dropped_total",
    [],
    "Lines that log.file did not take in time or at all: a full disk, or one that hangs.",
);

/// Spans of traces that were lost.
pub const SPANS_DROPPED: Metric<Counter, 1> = Metric::new(
    "mlango_spans_dropped_total",
    ["why"],
    "Spans of traces that never reached the collector: too many waited, it refused them, or it \
     did not answer.",
);

/// Spans of traces that arrived.
pub const SPANS_EXPORTED: Metric<Counter, 0> =
    Metric::new("mlango_spans_exported_total", [], "Spans of traces that the collector took.");

/// Whether the gateway goes by a test clock.
pub const TEST_CLOCK: Metric<Gauge, 0> = Metric::new(
    "mlango_test_clock",
    [],
    "Always 1; there only where the gateway goes by a clock that testers steer.",
);

/// What is running.
pub const BUILD_INFO: Metric<Gauge, 1> =
    Metric::new("mlango_build_info", ["version"], "Always 1; the label says which version runs.");

/// Says in the metrics which version runs.
pub fn announce() {
    BUILD_INFO.with([env!("CARGO_PKG_VERSION")]).set(1);
    // Shown as nothing lost before the first is.
    LOG_LINES_DROPPED.with([]).add(0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        announce();
        SENDS.with(["accepted"]).add(2);
        SENDS.with(["accepted"]).increment();
        STORE_COMMIT_SECONDS.with([]).record(Duration::from_micros(1_500));
        let text = render();
        assert!(text.contains("mlango_sends_total{outcome=\"accepted\"} 3\n"));
        assert!(text.contains("mlango_store_commit_seconds_sum 0.0015\n"));
        assert!(text.contains("mlango_build_info{version=\""));
        assert!(text.contains(
            "# HELP mlango_sends_total Requests to M-Pesa, by what became of them.\n\
             # TYPE mlango_sends_total counter\n"
        ));
    }
}
