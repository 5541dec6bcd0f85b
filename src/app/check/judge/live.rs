//! What M-Pesa says to our credentials. They are shown to it only when somebody asks for that.

use crate::app::check::line::Line;
use crate::daraja::oauth::NoToken;
use crate::domain::outcome::{self, AnswerClass, Blame};

/// What M-Pesa's core answers when our number may not ask for the balance. It is behind the broker,
/// which has let us in by then (spec/soap.md §4.2).
const NOT_ASSIGNED: &str = "1003";

/// What came of showing credentials.
#[derive(Clone, Debug)]
pub(in crate::app::check) enum Shown<T> {
    /// Nobody asked for it.
    NotAsked,
    /// Something that comes before it fails.
    NotTried,
    /// They were shown.
    Answered(T),
}

/// What is said to a question for the balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum Said {
    /// `ResponseCode` and `ResponseDesc`.
    Code(String, String),
    /// No answer, or none that can be read.
    Nothing(String),
}

/// spId, spPassword and serviceId.
pub(in crate::app::check) fn provider(shown: &Shown<Said>) -> Line {
    const CHECK: &str = "broker.credentials";
    let (code, description) = match shown {
        Shown::NotAsked => {
            let why = "only with --live: it shows the SP's and the initiator's credentials to the \
                       broker, once, with a question for the balance";
            return Line::skipped(CHECK, why);
        }
        Shown::NotTried => return Line::skipped(CHECK, "not tried: something above fails"),
        Shown::Answered(Said::Nothing(why)) => {
            let advice = "see what the broker's address answers; nothing was asked a second time";
            return Line::fails(CHECK, format!("no answer to the question: {why}"), advice);
        }
        Shown::Answered(Said::Code(code, description)) => (code, description),
    };
    let meaning = outcome::answer(code);
    let seen = format!("M-Pesa answered {code} ({description}): {}", meaning.says);
    if matches!(meaning.class, AnswerClass::Taken) {
        let seen = format!(
            "M-Pesa took the question for the balance (code {code}): spId, spPassword and serviceId \
             are right. Whether the initiator's password is shows in a result, which is not awaited"
        );
        return Line::ok(CHECK, seen);
    }
    if code == NOT_ASSIGNED {
        let advice = "nothing, if you ask for no balances; else have AccountBalance assigned";
        let seen = format!("{seen}. It let spId, spPassword and serviceId pass");
        return Line::warning(CHECK, seen, advice);
    }
    match meaning.blame {
        Blame::Credential => Line::fails(
            CHECK,
            seen,
            "correct broker.sp_id and broker.sp_password (and the initiator's) before anything is \
             sent: after a few wrong tries M-Pesa locks the operator. It was tried once",
        ),
        Blame::Capacity | Blame::Platform => {
            Line::warning(CHECK, seen, "try again later: it says nothing about the credentials")
        }
        Blame::Nobody
        | Blame::Funds
        | Blame::Limit
        | Blame::Recipient
        | Blame::Request
        | Blame::Configuration
        | Blame::Unknown => {
            Line::fails(CHECK, seen, "ask M-Pesa's support, with this code and the time")
        }
    }
}

/// The consumer key and secret.
pub(in crate::app::check) fn token(shown: &Shown<Result<(), NoToken>>) -> Line {
    const CHECK: &str = "daraja.token";
    match shown {
        Shown::NotAsked => {
            let why = "only with --live: it shows consumer_key and consumer_secret to Daraja, and a \
                       new token may end the one that a running gateway uses";
            Line::skipped(CHECK, why)
        }
        Shown::NotTried => Line::skipped(CHECK, "not tried: something above fails"),
        Shown::Answered(Ok(())) => {
            Line::ok(CHECK, "Daraja gave a token: consumer_key and consumer_secret are right")
        }
        Shown::Answered(Err(why @ NoToken::Refused { .. })) => Line::fails(
            CHECK,
            why.to_string(),
            "correct daraja.consumer_key and daraja.consumer_secret; those of the sandbox are not \
             those of production",
        ),
        Shown::Answered(Err(why @ NoToken::Later { .. })) => {
            Line::warning(CHECK, why.to_string(), "try again in a while")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;

    #[test]
    fn what_the_broker_says_to_our_credentials_is_judged_by_its_code() {
        let code = |code: &str| Shown::Answered(Said::Code(code.to_owned(), "words".to_owned()));
        let table = [
            (Shown::NotAsked, Status::Skipped, "--live"),
            (Shown::NotTried, Status::Skipped, "above"),
            (code("0"), Status::Ok, "are right"),
            (code("00000000"), Status::Ok, "are right"),
            (code("100000007"), Status::Fails, "It was tried once"),
            (code("2001"), Status::Fails, "It was tried once"),
            (code("100000001"), Status::Warning, "try again later"),
            (code("100000008"), Status::Fails, "support"),
            (code("1003"), Status::Warning, "let spId, spPassword and serviceId pass"),
            (code("777"), Status::Fails, "777"),
            (Shown::Answered(Said::Nothing("a page".into())), Status::Fails, "a page"),
        ];
        for (shown, status, words) in table {
            assert_says(&format!("{shown:?}"), &provider(&shown), status, words);
        }
    }

    #[test]
    fn what_daraja_says_to_our_keys_is_judged() {
        let why = |refused: bool| {
            let (code, description) = ("400.008.01".to_owned(), "Invalid".to_owned());
            if refused {
                NoToken::Refused { code, description }
            } else {
                NoToken::Later { code, description }
            }
        };
        let table = [
            (Shown::NotAsked, Status::Skipped, "--live"),
            (Shown::NotTried, Status::Skipped, "above"),
            (Shown::Answered(Ok(())), Status::Ok, "gave a token"),
            (Shown::Answered(Err(why(true))), Status::Fails, "consumer_secret"),
            (Shown::Answered(Err(why(false))), Status::Warning, "in a while"),
        ];
        for (shown, status, words) in table {
            assert_says(&format!("{shown:?}"), &token(&shown), status, words);
        }
    }
}
