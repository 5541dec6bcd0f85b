//! What went over the wire about one case: found by its phone, and by the ids that it was asked
//! for under. Pure.

use std::sync::Arc;

use super::case::Task;
use crate::domain::outcome::{self, AnswerClass};
use crate::domain::time::Timestamp;
use crate::sim::exchange::{Direction, Exchange};

/// How many lines of one case a report shows.
const LINES_MAX: usize = 40;
/// What the callers of both interfaces call their payment.
const ID: &str = "OriginatorConversationID";

/// What went over the wire about a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// The ids that it was asked for under, in order.
    pub ids: Vec<String>,
    /// Whether a further id came before anybody asked what became of the one before.
    pub is_renamed_unasked: bool,
    /// Messages of M-Pesa's that could be read, and were never acknowledged with 2xx.
    pub unacknowledged: u32,
    /// One line for each exchange.
    pub lines: Vec<String>,
}

/// What an exchange is to a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Request,
    Question,
    Message,
}

/// Finds what went over the wire about a case among `all`.
pub fn of(task: &Task, all: &[Arc<Exchange>]) -> Wire {
    let phone = task.phone.reveal();
    let mut wire = Wire::default();
    // Whether a try may have been taken, for all that its sender was told; and whether he asked.
    let (mut in_doubt, mut asked_since) = (false, false);
    let mut began = None;
    let mut letters: Vec<(&[u8], bool)> = Vec::new();
    for exchange in all {
        let Some(part) = part(exchange, &phone, &wire.ids) else {
            continue;
        };
        match part {
            Part::Request => {
                let id = id_of(exchange);
                if !wire.ids.contains(&id) {
                    wire.is_renamed_unasked |= in_doubt && !asked_since;
                    asked_since = false;
                    wire.ids.push(id);
                }
                in_doubt |= !is_refused(exchange);
            }
            Part::Question => asked_since = true,
            Part::Message => note(&mut letters, exchange),
        }
        let from = *began.get_or_insert(exchange.at);
        if wire.lines.len() < LINES_MAX {
            wire.lines.push(line(exchange, part, from));
        }
    }
    let unacknowledged = letters.iter().filter(|(_, taken)| !taken).count();
    wire.unacknowledged = u32::try_from(unacknowledged).unwrap_or(u32::MAX);
    wire
}

fn part(exchange: &Exchange, phone: &str, ids: &[String]) -> Option<Part> {
    let holds = |text: &str| contains(&exchange.request, text.as_bytes());
    match exchange.direction {
        Direction::In if holds(phone) => Some(Part::Request),
        Direction::In => ids.iter().any(|id| holds(id)).then_some(Part::Question),
        Direction::Out => {
            let about = exchange.originator_conversation_id.as_ref();
            let is_named = about.is_some_and(|about| ids.contains(about));
            (is_named || ids.iter().any(|id| holds(id))).then_some(Part::Message)
        }
    }
}

/// A message counts once, however often it was tried; one that cannot be read may be refused.
fn note<'a>(letters: &mut Vec<(&'a [u8], bool)>, exchange: &'a Exchange) {
    let body = exchange.request.as_slice();
    let is_whole = body.trim_ascii_end().ends_with(b">") || body.trim_ascii_end().ends_with(b"}");
    if !is_whole || code(body, "ResultCode").is_none() {
        return;
    }
    let is_taken = matches!(exchange.status, Some(200..=299));
    match letters.iter_mut().find(|(known, _)| *known == body) {
        Some((_, taken)) => *taken |= is_taken,
        None => letters.push((body, is_taken)),
    }
}

/// Whether the answer says for certain that the request was not taken.
fn is_refused(exchange: &Exchange) -> bool {
    let code = said(exchange).map(|(_, code)| outcome::answer(&code).class);
    matches!(code, Some(AnswerClass::Refused | AnswerClass::TryLater))
}

/// The code of an answer, and what it stands under.
fn said(exchange: &Exchange) -> Option<(&'static str, String)> {
    let named = |name| code(&exchange.response, name).map(|code| (name, code));
    ["ResponseCode", "errorCode"].into_iter().find_map(named)
}

/// What a request is called: by the caller, else by Daraja in its answer.
fn id_of(exchange: &Exchange) -> String {
    let by_json = || {
        let is_json = exchange.request.trim_ascii_start().starts_with(b"{");
        let bodies = [&exchange.request, &exchange.response];
        bodies.into_iter().filter(|_| is_json).find_map(|body| code(body, ID))
    };
    let seq = || format!("unnamed-{}", exchange.seq);
    by_json().or_else(|| exchange.originator_conversation_id.clone()).unwrap_or_else(seq)
}

/// The value after a name, in XML or JSON.
fn code(body: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once(name)?;
    let is_mark = |c: char| matches!(c, '"' | '>' | ':' | ' ');
    let value = rest.trim_start_matches(is_mark);
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let value = value.split(ends).next().unwrap_or_default();
    (!value.is_empty()).then(|| value.to_owned())
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && body.windows(part.len()).any(|window| window == part)
}

fn line(exchange: &Exchange, part: Part, from: Timestamp) -> String {
    let since = exchange.at.since(from);
    let at = format!("+{}.{:03}s", since.as_secs(), since.subsec_millis());
    let status = exchange.status.map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    match part {
        Part::Request | Part::Question => {
            let what = if part == Part::Request {
                format!("request {}", id_of(exchange))
            } else {
                "question".to_owned()
            };
            let said =
                said(exchange).map_or_else(String::new, |(name, code)| format!(", {name} {code}"));
            format!("{at} {what} -> {status}{said}")
        }
        Part::Message => {
            let said = code(&exchange.request, "ResultCode");
            let said = said
                .map_or_else(|| "without a code".to_owned(), |code| format!("ResultCode {code}"));
            format!("{at} message, {said} -> {status}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::case::{Case, Group, tasks};

    struct Line(Direction, Option<u16>, &'static str, &'static str, Option<&'static str>);

    fn exchanges(lines: &[Line]) -> Vec<Arc<Exchange>> {
        let exchange = |(Line(direction, status, request, response, about), seq): (&Line, u64)| {
            Arc::new(Exchange {
                seq,
                at: Timestamp::EPOCH
                    .after(std::time::Duration::from_millis(seq.saturating_mul(10))),
                direction: *direction,
                path: "/x".to_owned(),
                status: *status,
                request: request.as_bytes().to_vec(),
                response: response.as_bytes().to_vec(),
                originator_conversation_id: about.map(str::to_owned),
                moved: None,
            })
        };
        lines.iter().zip(1..).map(exchange).collect()
    }

    fn task() -> Task {
        tasks(vec![Case::new("x", Group::Ordinary, "x")], "T").remove(0)
    }

    const PAY_A: &str = "<Id>a</Id><Identifier>254709001001</Identifier>";
    const PAY_B: &str = "<Id>b</Id><Identifier>254709001001</Identifier>";
    const TAKEN: &str = "<ResponseCode>0</ResponseCode>";
    const RESULT: &str = "<ResultCode>0</ResultCode><OriginatorConversationID>a-1</x>";

    #[test]
    fn a_new_id_is_seen_unless_somebody_asked_about_the_old_one() {
        use Direction::In;
        let first = || Line(In, None, PAY_A, "", Some("a-1"));
        let second = || Line(In, Some(200), PAY_B, TAKEN, Some("b-1"));
        let question = || Line(In, Some(200), "<Value>a-1</Value>", TAKEN, Some("q-1"));
        let other =
            || Line(In, Some(200), "<Identifier>254709001002</Identifier>", "", Some("c-1"));
        let refused = || Line(In, Some(500), PAY_A, r#""errorCode":"401.002.01""#, Some("a-1"));
        let table = [
            (vec![refused(), second()], false),
            (vec![refused(), first(), second()], true),
            (vec![first(), second()], true),
            (vec![first(), other(), second()], true),
            (vec![first(), question(), second()], false),
            (vec![first(), first()], false),
        ];
        for (number, (lines, expected)) in table.iter().enumerate() {
            let wire = of(&task(), &exchanges(lines));
            assert_eq!(wire.is_renamed_unasked, *expected, "{number}");
        }
    }

    #[test]
    fn a_message_counts_as_taken_if_one_try_was() {
        use Direction::{In, Out};
        let sent = || Line(In, Some(200), PAY_A, TAKEN, Some("a-1"));
        let told = |status| Line(Out, status, RESULT, "", Some("a-1"));
        let spoilt = |text| Line(Out, Some(400), text, "", Some("a-1"));
        let table = [
            (vec![sent(), told(Some(200))], 0),
            (vec![sent(), told(None), told(Some(500)), told(Some(202))], 0),
            (vec![sent(), told(None), told(Some(500))], 1),
            (vec![sent(), spoilt("<Res"), spoilt("no xml at all"), spoilt("<a>b</a>")], 0),
        ];
        for (number, (lines, expected)) in table.iter().enumerate() {
            assert_eq!(of(&task(), &exchanges(lines)).unacknowledged, *expected, "{number}");
        }
    }

    #[test]
    fn lines_say_what_went_over_the_wire_and_no_more() {
        use Direction::{In, Out};
        let json = r#"{"OriginatorConversationID": "a-1", "PartyB": 254709001001}"#;
        let lines = [
            Line(In, Some(500), json, r#"{"errorCode":"500.003.02"}"#, Some("/cb/secret")),
            Line(In, Some(200), r#"{"Original":"a-1"}"#, r#"{"ResponseCode":"0"}"#, None),
            Line(
                Out,
                Some(200),
                r#"{"Result":{"ResultCode":0,"Id":"a-1"}}"#,
                "",
                Some("/cb/secret"),
            ),
            Line(Out, None, r#"{"Result":"a-1"}"#, "", None),
        ];
        let wire = of(&task(), &exchanges(&lines));
        assert_eq!(
            wire.lines,
            [
                "+0.000s request a-1 -> 500, errorCode 500.003.02",
                "+0.010s question -> 200, ResponseCode 0",
                "+0.020s message, ResultCode 0 -> 200",
                "+0.030s message, without a code -> no answer",
            ]
        );
        assert_eq!(wire.ids, ["a-1"]);
    }
}
