//! What the provider's codes mean (Africa's Talking, spec/daraja.md §11).

/// What an answer says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The provider took it.
    Sent,
    /// For certain not sent, and another try may help.
    TryLater,
    /// For certain not sent, and another try would not help.
    Refused,
    /// For certain not sent, nor will any other be until a person mends it: the key, the sender's
    /// name, the money on the account.
    Alarm,
    /// It may or may not have been sent.
    Doubt,
}

/// A row of [`CODES`]: a code and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// A recipient's `statusCode`; or `http.` and the status of an answer that names none.
    pub code: &'static str,
    /// What follows for the message.
    pub class: Class,
    /// The meaning in words, for people.
    pub says: &'static str,
}

const fn m(code: &'static str, class: Class, says: &'static str) -> Meaning {
    Meaning { code, class, says }
}

use Class::{Alarm, Doubt, Refused, Sent, TryLater};

/// The codes of the provider. One that stands nowhere is doubt.
pub const CODES: &[Meaning] = &[
    m("100", Sent, "processed"),
    m("101", Sent, "sent"),
    m("102", Sent, "queued at the provider"),
    m("401", Alarm, "held by the provider as a risk"),
    m("402", Alarm, "the sender's name is not registered"),
    m("403", Refused, "the phone number is invalid"),
    m("404", Refused, "this kind of number is not supported"),
    m("405", Alarm, "the account at the provider lacks money"),
    m("406", Refused, "the recipient takes no such messages"),
    m("407", TryLater, "the provider could not route it"),
    m("409", Refused, "the recipient does not want to be disturbed"),
    m("500", TryLater, "internal error at the provider"),
    m("501", TryLater, "error at the network's gateway"),
    m("502", Refused, "rejected by the network's gateway"),
    m("InvalidSenderId", Alarm, "the sender's name is not registered"),
    m("http.400", Refused, "the provider could not read the request"),
    m("http.401", Alarm, "the provider refused the key or the user name"),
    m("http.403", Alarm, "the provider does not let us in"),
    m("http.404", Alarm, "there is nothing at the provider's address"),
    m("http.429", TryLater, "too many messages at once"),
];

/// What the provider's `code` means for a message.
pub fn outcome(code: &str) -> Meaning {
    let unknown = m("", Doubt, "the provider's answer does not say whether it was sent");
    CODES.iter().find(|row| row.code == code).copied().unwrap_or(unknown)
}
