//! What the simulator does with a request that is in order. Pure.
//!
//! A [`Behaviour`] is a value that anything may choose. Here the last four digits of the phone
//! choose it (contract, part 4), in [`super::chaos`] a seed does; a scenario would choose it by
//! amount, command or share of traffic, and needs nothing more from the rest of the simulator.

use std::borrow::Cow;
use std::time::Duration;

use crate::domain::party::Msisdn;

/// A `ResponseCode` or `ResultCode`: always a text (spec/soap.md §5.2).
pub type Code = Cow<'static, str>;

/// The refusal that a phone ending in 0001 gets: "element invalid" (spec/soap.md §4.2).
///
/// It is certain, and neither a wrong credential nor a throttle, so it says something about this
/// one payout and nothing about the next.
pub const REFUSAL: &str = "1005";
/// What a phone ending in 0002 gets: the recipient cannot take it (spec/soap.md §5.2).
pub const RECIPIENT_CANNOT: &str = "2040";
/// What a phone ending in 0003 gets: insufficient funds (spec/soap.md §5.2).
pub const NO_FUNDS: &str = "1";

/// A prompt that its receiver can't take the money of (spec/daraja.md §3.1).
pub const RECEIVER_FULL: &str = "8";
/// A prompt that was cancelled (spec/daraja.md §3.1).
pub const CANCELLED: &str = "1032";
/// A prompt that nobody answered (spec/daraja.md §3.1).
pub const NO_ANSWER: &str = "1037";
/// A prompt that was answered with the wrong PIN (spec/daraja.md §3.1).
pub const WRONG_PIN: &str = "2001";

/// What the broker answers to a request that it holds: pending, not failed (spec/soap.md §4.2).
pub const CACHED: &str = "100000000";

/// What becomes of one request, from its acceptance to its result.
///
/// Requests are payments and questions alike: a question is carried out by looking the payment up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// What is done with the money.
    pub act: Act,
    /// What becomes of the HTTP answer.
    pub answer: Answer,
    /// How often the result is sent, and when.
    pub result: Results,
    /// How long the result waits; `None`: as the simulator is set.
    pub result_delay: Option<Duration>,
    /// How long the second message waits after the first is done with, where there are two.
    pub again_after: Duration,
}

/// What is done with the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Pay, if the payer has it; of a question: look the payment up.
    Pay,
    /// Accept, and say in the result that it failed with this `ResultCode`. No money moves.
    Fail(Code),
    /// Refuse at once with this `ResponseCode`: for good, or as a throttle. No result follows, and
    /// the OriginatorConversationID is not spent.
    Refuse(Code),
    /// Nothing: the request was read and then forgotten. No result follows.
    Forget,
    /// The broker holds the request, answers [`CACHED`], and so long afterwards goes on with it.
    /// The core knows nothing of it until then.
    Cache {
        /// How long.
        wait: Duration,
        /// How it goes on.
        then: Then,
    },
}

/// What the broker does with a request that it held (spec/soap.md §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It passes it on: money moves now, and the result follows.
    Deliver,
    /// It gives up and says so to the QueueTimeoutURL. Nothing is paid, and the
    /// OriginatorConversationID is not spent.
    GiveUp,
}

/// What becomes of the HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It comes.
    Now,
    /// It comes after so long.
    After(Duration),
    /// The connection stays open for as long as the simulator is set to hold it, then ends
    /// without an answer.
    Never,
    /// The connection ends at once, without an answer.
    Drop,
    /// Something comes that is no answer.
    Garbage(Garbage),
    /// An answer with this `ResponseCode` comes, whatever was done. Only a code that leaves it
    /// open tells no lie: 100000004 or 17 (spec/soap.md §4.2).
    Instead(Code),
}

/// Something that is no answer: none of it says what was done with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// A web page, status 200.
    Page,
    /// A web page, status 503.
    Unavailable,
    /// A SOAP Fault, status 500.
    Fault,
}

/// How often the result is sent, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Results {
    /// Once, after the delay.
    Once,
    /// Twice, the same each time.
    Twice,
    /// Not at all.
    Never,
    /// Once, and its delivery ends before the answer to the request begins.
    BeforeAnswer,
    /// Once, after so long.
    Late(Duration),
    /// Something that cannot be read.
    Malformed(Malformed, Place),
    /// The true one, and once that is acknowledged, another with this `ResultCode`. One that was
    /// not acknowledged is not contradicted: what nobody heard, no receiver could hold on to.
    Contradicting(Code),
    /// One with `ResultType` 1, which says that another follows, and then that one
    /// (spec/soap.md §5.1).
    WaitingFirst,
}

/// How a result is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends in the middle.
    Cut,
    /// It is not XML at all.
    NotXml,
    /// It has no `ResultCode`.
    NoCode,
}

/// Where a spoilt result stands to the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The good one never comes.
    Instead,
    /// The good one follows.
    Before,
}

impl Behaviour {
    /// An ordinary payment: answered, paid, one result.
    pub const ORDINARY: Self = Self {
        act: Act::Pay,
        answer: Answer::Now,
        result: Results::Once,
        result_delay: None,
        again_after: Duration::ZERO,
    };

    /// What the last four digits of `phone` select (contract, part 4).
    pub fn of(phone: Msisdn) -> Self {
        let ending = phone.number().checked_rem(10_000).unwrap_or_default();
        let ordinary = Self::ORDINARY;
        match ending {
            1 => Self { act: Act::Refuse(Code::Borrowed(REFUSAL)), ..ordinary },
            2 => Self { act: Act::Fail(Code::Borrowed(RECIPIENT_CANNOT)), ..ordinary },
            3 => Self { act: Act::Fail(Code::Borrowed(NO_FUNDS)), ..ordinary },
            4 => Self { answer: Answer::Never, ..ordinary },
            5 => Self { result: Results::Never, ..ordinary },
            6 => Self { result: Results::BeforeAnswer, ..ordinary },
            7 => Self { result: Results::Twice, ..ordinary },
            8 => Self { answer: Answer::Drop, result: Results::Never, ..ordinary },
            9 => Self { act: Act::Forget, answer: Answer::Drop, ..ordinary },
            _ => ordinary,
        }
    }

    /// What they select for an STK prompt that is sent there (contract, part 4): what they select
    /// for a payout, as far as a customer's payment can do that too, and two of its own.
    pub fn of_prompt(phone: Msisdn) -> Self {
        let fail = |code| Self { act: Act::Fail(Code::Borrowed(code)), ..Self::ORDINARY };
        match phone.number().checked_rem(10_000).unwrap_or_default() {
            2 => fail(RECEIVER_FULL),
            10 => fail(CANCELLED),
            11 => fail(NO_ANSWER),
            _ => Self::of(phone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::{self, AnswerClass, ResultClass};

    fn of(ending: &str) -> Behaviour {
        Behaviour::of(format!("25472200{ending}").parse().expect("a phone"))
    }

    #[test]
    fn each_phone_selects_what_the_contract_says() {
        use Act::{Fail, Forget, Pay, Refuse};
        use Answer::{Drop, Never as NoAnswer, Now};
        use Results::{BeforeAnswer, Never, Once, Twice};
        let table = [
            ("0001", Refuse("1005".into()), Now, Once),
            ("0002", Fail("2040".into()), Now, Once),
            ("0003", Fail("1".into()), Now, Once),
            ("0004", Pay, NoAnswer, Once),
            ("0005", Pay, Now, Never),
            ("0006", Pay, Now, BeforeAnswer),
            ("0007", Pay, Now, Twice),
            ("0008", Pay, Drop, Never),
            ("0009", Forget, Drop, Once),
            ("0000", Pay, Now, Once),
            ("0010", Pay, Now, Once),
            ("0111", Pay, Now, Once),
            ("1001", Pay, Now, Once),
        ];
        for (ending, act, answer, result) in table {
            let expected = Behaviour { act, answer, result, ..Behaviour::ORDINARY };
            assert_eq!(of(ending), expected, "{ending}");
        }
    }

    #[test]
    fn the_scripted_codes_are_certain_and_blame_no_credential() {
        let refusal = outcome::answer(REFUSAL);
        assert_eq!(refusal.class, AnswerClass::Refused);
        assert!(!refusal.blame.stops_the_rail());
        for code in [RECIPIENT_CANNOT, NO_FUNDS] {
            assert_eq!(outcome::result(code).class, ResultClass::NotPaid, "{code}");
        }
    }
}
