//! Answers: what the code of a synchronous answer means, over SOAP and over Daraja.
//!
//! Over Daraja one `errorCode` carries several meanings, which its text tells apart: such a code
//! stands here with a word behind a colon, which `daraja::error` puts there. An answer without a
//! code of its own stands here by its HTTP status, as in `http.429.spike_arrest`.

use super::AnswerClass::{self, Cached, Doubt, Refused, Taken, TryLater};
use super::{Blame, Meaning};

const fn a(
    code: &'static str,
    class: AnswerClass,
    blame: Blame,
    says: &'static str,
) -> Meaning<AnswerClass> {
    Meaning { code, class, blame, says }
}

/// Answers: `ResponseCode` (spec/soap.md §4.2), then what Daraja adds (spec/daraja.md §3.2, §4).
/// All zeros stand for themselves, whatever their number.
pub const ANSWERS: &[Meaning<AnswerClass>] = &[
    a("0", Taken, Blame::Nobody, "accepted for processing; no result yet"),
    a("100000000", Cached, Blame::Nobody, "the broker holds the request and will pass it on"),
    a("100000001", TryLater, Blame::Capacity, "the broker is overloaded"),
    a("100000002", TryLater, Blame::Capacity, "the broker throttles"),
    a("100000003", TryLater, Blame::Capacity, "the broker's licence limit is exceeded"),
    a("100000004", Doubt, Blame::Platform, "internal error of the broker"),
    a("100000005", Refused, Blame::Request, "invalid input value"),
    a("100000006", Refused, Blame::Configuration, "the SP is suspended at the broker"),
    a("100000007", Refused, Blame::Credential, "the broker refused spId, spPassword or address"),
    a("100000008", Refused, Blame::Configuration, "the service is not active at the broker"),
    a("100000009", Refused, Blame::Configuration, "the API is not active at the broker"),
    a("100000010", Refused, Blame::Configuration, "insufficient permissions at the broker"),
    a("100000011", TryLater, Blame::Capacity, "the partner's request rate is exceeded"),
    a("100000012", Refused, Blame::Configuration, "the SP's account at the broker lacks balance"),
    a("100000013", Refused, Blame::Configuration, "the broker has no route"),
    a("100000014", Refused, Blame::Request, "a mandatory parameter is missing"),
    a("15", Doubt, Blame::Nobody, "this OriginatorConversationID was sent before"),
    a("17", Doubt, Blame::Platform, "internal error of the core"),
    a("23", Refused, Blame::Request, "the structure of the message is invalid"),
    a("24", Refused, Blame::Request, "a mandatory parameter is missing"),
    a("25", Refused, Blame::Request, "the format of a parameter is invalid"),
    a("26", TryLater, Blame::Capacity, "the core is busy and rejected the request"),
    a("30", Refused, Blame::Request, "the request could not be converted"),
    a("1001", Refused, Blame::Configuration, "caller information invalid, or address not allowed"),
    a("1002", Refused, Blame::Request, "the CommandID does not exist"),
    a("1003", Refused, Blame::Configuration, "the CommandID is not assigned to this caller"),
    a("1004", Refused, Blame::Request, "KeyOwner invalid"),
    a("1005", Refused, Blame::Request, "an element is invalid"),
    // Codes of results (spec/soap.md §5.2), which no source shows in an answer: what was done with
    // the request is open, and law 7 must hold all the same.
    a("2001", Doubt, Blame::Credential, "initiator information invalid, expired or locked"),
    a("8006", Doubt, Blame::Credential, "the security credential is locked"),
    // Daraja's own (spec/daraja.md §3.2): what is wrong with the request.
    a("400.002.02", Refused, Blame::Request, "a field of the request is invalid"),
    a("400.002.02:checkout", TryLater, Blame::Nobody, "the prompt is not known yet"),
    a("400.002.02:threat", Refused, Blame::Configuration, "an address of ours looks like a threat"),
    a("400.002.05", Refused, Blame::Request, "the request cannot be read"),
    a("400.003.02", Refused, Blame::Request, "bad request"),
    a("400.001", Refused, Blame::Configuration, "the short code has no transactions to pull"),
    a("400.008.01", Refused, Blame::Configuration, "a token was not asked for as it should be"),
    a("400.008.02", Refused, Blame::Configuration, "a token was not asked for as it should be"),
    // The token: the request never reached M-Pesa (spec/daraja.md §4).
    a("400.003.01", TryLater, Blame::Configuration, "the access token was refused"),
    a("401.001", TryLater, Blame::Configuration, "the access token was refused"),
    a("401.002.01", TryLater, Blame::Configuration, "the access token was refused"),
    a("401.003.01", TryLater, Blame::Configuration, "the access token was refused"),
    a("404.001.03", TryLater, Blame::Configuration, "the access token was refused"),
    a("http.401.token", TryLater, Blame::Configuration, "the access token was refused"),
    a("http.401.no_product", Refused, Blame::Configuration, "the app has not got this product"),
    // No token could be had, so that nothing was asked (spec/daraja.md §1.1).
    a("oauth.refused", TryLater, Blame::Configuration, "consumer key or secret was refused"),
    a("oauth.unanswered", TryLater, Blame::Platform, "no access token could be had"),
    // What is not set up.
    a("404.001.01", Refused, Blame::Configuration, "there is nothing at this address"),
    a("404.002.01", Refused, Blame::Configuration, "there is nothing at this address"),
    a("404.003.01", Refused, Blame::Configuration, "there is nothing at this address"),
    a("404.001.04", Refused, Blame::Configuration, "the call has no proper authentication header"),
    a("http.404.no_proxy", Refused, Blame::Configuration, "there is nothing at this address"),
    a("405.001", Refused, Blame::Configuration, "the method is not allowed"),
    a("403.002.1001", Refused, Blame::Configuration, "this short code may not pay this way"),
    a("500.001.1001:merchant", Refused, Blame::Configuration, "the short code does not exist"),
    a("500.001.1001:credentials", Refused, Blame::Configuration, "short code or passkey is wrong"),
    a("500.003.1001:registered", Refused, Blame::Configuration, "its addresses are registered"),
    a("500.003.1001:elsewhere", Refused, Blame::Configuration, "it is registered at the broker"),
    a("soap_fault:409", Refused, Blame::Configuration, "its addresses are registered"),
    // Whose turn it is not.
    a("500.001.1001:locked", Refused, Blame::Limit, "another prompt is open on this phone"),
    a("500.003.02:spike_arrest", TryLater, Blame::Capacity, "too many calls at once"),
    a("500.003.02:busy", TryLater, Blame::Capacity, "M-Pesa is busy"),
    a("500.003.03", TryLater, Blame::Capacity, "the app's quota is used up"),
    a("http.429", TryLater, Blame::Capacity, "too many calls"),
    a("http.429.spike_arrest", TryLater, Blame::Capacity, "too many calls at once"),
    a("http.429.quota", TryLater, Blame::Capacity, "the app's quota is used up"),
    a("00.002.1001", TryLater, Blame::Platform, "the service is under maintenance"),
    a("http.403.firewall", TryLater, Blame::Configuration, "M-Pesa's firewall shut us out"),
    // What leaves open whether the request was taken. A firewall's 503 may also mean that what is
    // behind it was reached and did not answer.
    a("http.503.firewall", Doubt, Blame::Platform, "M-Pesa's firewall answered in its place"),
    a("500.003.02", Doubt, Blame::Capacity, "M-Pesa is busy, or so it seems"),
    a(
        "500.002.1001:duplicate",
        Doubt,
        Blame::Nobody,
        "its OriginatorConversationID was sent before",
    ),
    a("500.002.1001:internal", Doubt, Blame::Platform, "internal error at M-Pesa"),
    a("500.002.1001", Doubt, Blame::Platform, "internal error at M-Pesa"),
    a("500.001.1001", Doubt, Blame::Platform, "internal error at M-Pesa"),
    a("500.001.1001:processing", Doubt, Blame::Nobody, "the prompt is still open"),
    a("500.001.1001:no_transaction", Doubt, Blame::Nobody, "M-Pesa knows no such prompt, it says"),
    a("500.003.1001", Doubt, Blame::Platform, "internal error at M-Pesa"),
    a("soap_fault", Doubt, Blame::Platform, "a SOAP Fault in place of an answer"),
    a("http.500", Doubt, Blame::Platform, "no answer, only HTTP status 500"),
    a("http.502", Doubt, Blame::Platform, "no answer, only HTTP status 502"),
    a("http.503", Doubt, Blame::Platform, "no answer, only HTTP status 503"),
    a("http.504", Doubt, Blame::Platform, "no answer, only HTTP status 504"),
    a("empty", Doubt, Blame::Platform, "an answer without a word"),
    a("unreadable", Doubt, Blame::Platform, "an answer that cannot be read"),
    // Pull has codes of its own (spec/daraja.md §1.13); `1001` alone is SOAP's.
    a("pull.1000", Taken, Blame::Nobody, "registered for pulling"),
    a("pull.1001", Taken, Blame::Nobody, "was registered for pulling before"),
];
