//! `mlango payouts export-scenario`: the life of a payout as a scenario that plays it again.
//!
//! What the gateway kept says when which request left, what was answered to it, and what M-Pesa
//! told later. What M-Pesa did with the money it does not say: that is concluded, and the file says
//! so. Phone and person stand in it by a stand-in.

mod heard;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use self::heard::{Answer, Heard, Kind, Told};
use super::super::client::Client;
use super::super::rails::word;
use super::super::show::{array, expect, text};
use super::super::{Failure, out};
use crate::domain::outcome;
use crate::sim::scenario::Scenario;

/// Who stands for whoever was paid: invented, and it selects nothing by itself.
const STAND_IN: &str = "254700000111";
/// The most events that one payout's history may have.
const EVENTS_MAX: usize = 5_000;

/// Writes the scenario of a payout, or of the payout that a case is about.
pub(super) async fn export(client: &Client, id: &str, to: Option<&Path>) -> Result<(), Failure> {
    let payout = payout_of(client, word(id)?).await?;
    let heard = history(client, &text(&payout, "id")).await?;
    let written = write(&payout, &heard);
    if let Err(faults) = Scenario::parse(&written) {
        return Err(Failure::Failed(format!("{id} makes no scenario: {faults}")));
    }
    match to {
        None => out::data(written.trim_end()),
        Some(path) => {
            std::fs::write(path, &written).map_err(|error| {
                Failure::Failed(format!("{} cannot be written: {error}", path.display()))
            })?;
            out::say(&format!("{} is written; its first lines say how to play it", path.display()));
        }
    }
    Ok(())
}

async fn payout_of(client: &Client, id: &str) -> Result<Value, Failure> {
    let id = if id.starts_with("case_") {
        let case = expect(client.get(&format!("/v1/cases/{id}"), &[]).await?, 200)?.body;
        let about = text(&case, "payout_id");
        if about.is_empty() {
            let why = format!("{id} is about no payout, so that there is no life of one to play");
            return Err(Failure::Failed(why));
        }
        about
    } else {
        id.to_owned()
    };
    Ok(expect(client.get(&format!("/v1/payouts/{id}"), &[]).await?, 200)?.body)
}

/// Every message of its life, in the order of its events.
async fn history(client: &Client, id: &str) -> Result<Vec<Heard>, Failure> {
    let (mut heard, mut cursor, mut events) = (Vec::new(), None::<String>, 0_usize);
    loop {
        let mut query = vec![("limit", "500".to_owned())];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get(&format!("/v1/payouts/{id}/events"), &query).await?;
        let page = expect(page, 200)?.body;
        for event in array(&page, "data") {
            events = events.saturating_add(1);
            let data = event.get("data").cloned().unwrap_or_default();
            for message in array(&data, "messages") {
                let message = client.get(&text(message, "href"), &[]).await?;
                heard.extend(Heard::read(&expect(message, 200)?.body));
            }
            heard.extend(Heard::of_event(event));
        }
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() || events >= EVENTS_MAX {
            return Ok(heard);
        }
    }
}

/// A send of the payout, and what came of it.
#[derive(Debug, Default)]
struct Attempt {
    at: i64,
    answer: Option<(i64, Answer)>,
    /// Time ran out, and the connection did not end.
    timed_out: bool,
}

/// A question about it.
#[derive(Debug, Default)]
struct Question {
    at: i64,
    answer: Option<Answer>,
    told: Option<(i64, Told)>,
}

#[derive(Debug, Default)]
struct Life {
    attempts: Vec<Attempt>,
    results: Vec<(i64, Told)>,
    given_up: Option<i64>,
    questions: Vec<Question>,
}

impl Life {
    fn of(heard: &[Heard]) -> Self {
        let mut life = Self::default();
        for Heard { at, kind } in heard {
            life.take(*at, kind);
        }
        life
    }

    fn take(&mut self, at: i64, kind: &Kind) {
        match kind {
            Kind::Sent => self.attempts.push(Attempt { at, ..Attempt::default() }),
            Kind::Answered(answer) => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.answer = Some((at, answer.clone()));
                }
            }
            Kind::TimedOut => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.timed_out = true;
                }
            }
            Kind::Told(told) => self.results.push((at, told.clone())),
            Kind::GivenUp => self.given_up = Some(at),
            Kind::Asked => self.questions.push(Question { at, ..Question::default() }),
            Kind::AskedAnswered(answer) => {
                if let Some(question) = self.questions.last_mut() {
                    question.answer = Some(answer.clone());
                }
            }
            Kind::AskedTold(told) => {
                let open = self.questions.iter_mut().find(|question| question.told.is_none());
                if let Some(question) = open {
                    question.told = Some((at, told.clone()));
                }
            }
        }
    }

    /// Whether M-Pesa's core took it at some time: it told a result, or knew of it when asked.
    fn is_taken(&self) -> bool {
        let asked = self.questions.iter().filter_map(|question| question.told.as_ref());
        !self.results.is_empty() || asked.clone().any(|(_, told)| told.knows_it)
    }

    /// The attempt that it took: the first that it said it took, else the first that was lost.
    fn doer(&self) -> Option<usize> {
        let accepted = |attempt: &Attempt| {
            let answer = attempt.answer.as_ref().map(|(_, answer)| answer);
            matches!(answer, Some(Answer::Code(code)) if code == "0")
        };
        let open = |attempt: &Attempt| match &attempt.answer {
            None | Some((_, Answer::Unreadable)) => true,
            Some((_, Answer::Code(code))) => !is_refusal(code),
        };
        let first = |is: &dyn Fn(&Attempt) -> bool| self.attempts.iter().position(is);
        first(&accepted).or_else(|| first(&open).filter(|_| self.is_taken()))
    }
}

/// Whether nothing was taken for certain.
fn is_refusal(code: &str) -> bool {
    use outcome::AnswerClass::{Refused, TryLater};
    matches!(outcome::answer(code).class, Refused | TryLater)
}

type Pairs = Vec<(&'static str, String)>;

fn quoted(text: &str) -> String {
    // Codes and times have no letters that TOML would have to escape.
    format!("\"{text}\"")
}

fn millis(from: i64, to: i64) -> Option<String> {
    let apart = u64::try_from(to.saturating_sub(from)).ok()?;
    let apart = Duration::from_millis(apart).min(crate::sim::scenario::TIME_MAX);
    Some(quoted(&format!("{}ms", apart.as_millis())))
}

/// What is to be done with the attempt that was taken, and with those that were not.
fn act(life: &Life, nth: usize, attempt: &Attempt) -> Pairs {
    let is_doer = life.doer() == Some(nth);
    let code = match &attempt.answer {
        Some((_, Answer::Code(code))) => Some(code.as_str()),
        Some((_, Answer::Unreadable)) | None => None,
    };
    if let Some(code) = code.filter(|code| is_refusal(code) && !is_doer) {
        return vec![("refuse", quoted(code))];
    }
    let mut pairs = Pairs::new();
    if is_doer {
        pairs.extend(taken(life, attempt, code));
    } else if code.is_some_and(outcome::is_duplicate) {
        // It was taken under this name before, and says so again by itself.
        return vec![("act", quoted("pay"))];
    } else if life.given_up.is_some() {
        pairs.push(("act", quoted("give_up")));
        let wait = life.given_up.and_then(|at| millis(attempt.at, at));
        pairs.extend(wait.map(|wait| ("hold_for", wait)));
    } else {
        pairs.push(("act", quoted("forget")));
    }
    pairs.extend(said(attempt, code, pairs.first()));
    pairs
}

/// What M-Pesa did with it, as far as its results tell.
fn taken(life: &Life, attempt: &Attempt, code: Option<&str>) -> Pairs {
    let is_held = code == Some("100000000");
    let finals: Vec<&(i64, Told)> = life.results.iter().filter(|(_, told)| !told.waiting).collect();
    let mut pairs = Pairs::new();
    let Some((first_at, first)) = finals.first() else {
        pairs.push(("result", quoted("never")));
        return pairs;
    };
    if first.code != "0" {
        pairs.push(("fail", quoted(&first.code)));
    } else if is_held {
        pairs.push(("act", quoted("hold")));
        pairs.extend(millis(attempt.at, *first_at).map(|wait| ("hold_for", wait)));
    }
    let is_first = attempt.answer.as_ref().is_some_and(|(at, _)| first_at < at);
    let second = finals.get(1);
    match second {
        Some((at, second)) => {
            pairs.push(match second.code == first.code {
                true => ("result", quoted("twice")),
                false => ("contradict", quoted(&second.code)),
            });
            pairs.extend(millis(*first_at, *at).map(|wait| ("again_after", wait)));
        }
        None if life.results.iter().any(|(_, told)| told.waiting) => {
            pairs.push(("result", quoted("waiting_first")));
        }
        None if is_first => pairs.push(("result", quoted("first"))),
        None => {}
    }
    let says_when = is_held || (is_first && second.is_none());
    if !says_when {
        pairs.extend(millis(attempt.at, *first_at).map(|wait| ("result_after", wait)));
    }
    pairs
}

/// What was answered, where that is not what is answered by itself.
fn said(attempt: &Attempt, code: Option<&str>, act: Option<&(&str, String)>) -> Option<Pair> {
    let act = act.filter(|(key, _)| *key == "act").map(|(_, value)| value.as_str());
    let is_held = matches!(act, Some("\"hold\"" | "\"give_up\""));
    match (code, &attempt.answer) {
        (Some("100000000"), _) if is_held => None,
        (Some("0"), _) if act != Some("\"forget\"") => None,
        (Some(code), _) => Some(("answer_code", quoted(code))),
        (None, Some(_unreadable)) => Some(("answer", quoted("page_503"))),
        (None, None) if attempt.timed_out => Some(("answer", quoted("never"))),
        (None, None) => Some(("answer", quoted("drop"))),
    }
}

type Pair = (&'static str, String);

/// What becomes of a question.
fn asked(life: &Life, question: &Question) -> Pairs {
    let mut pairs = Pairs::new();
    match &question.answer {
        None => pairs.push(("answer", quoted("drop"))),
        Some(Answer::Unreadable) => pairs.push(("answer", quoted("page_503"))),
        Some(Answer::Code(code)) if code != "0" && is_refusal(code) => {
            return vec![("refuse", quoted(code))];
        }
        Some(Answer::Code(_)) => {}
    }
    match &question.told {
        None => pairs.push(("result", quoted("never"))),
        Some((at, told)) => {
            // That nobody knows of it is said by itself, where nobody does.
            let by_itself = told.code == "0" || (!told.knows_it && !life.is_taken());
            if !by_itself {
                pairs.push(("fail", quoted(&told.code)));
            }
            pairs.extend(millis(question.at, *at).map(|wait| ("result_after", wait)));
        }
    }
    pairs
}

/// The file.
fn write(payout: &Value, heard: &[Heard]) -> String {
    let life = Life::of(heard);
    let (amount, rail) = (text(payout, "amount"), text(payout, "rail"));
    let command = text(payout, "command");
    let mut file = format!(
        "# The life of a payout of a gateway, as its messages told it. Whether money moved where no\n\
         # message said so is concluded from what came later. Who was paid is not in it: {STAND_IN}\n\
         # stands for that. To see it again, play it and submit, over {rail}:\n\
         #   {{\"amount\":\"{amount}\",\"phone\":\"{STAND_IN}\",\"command\":\"{command}\"}}\n\
         name = \"exported-payout\"\n\
         says = \"A payout of {amount} over {rail} that ended {}.\"\n",
        text(payout, "status").replace('_', " ")
    );
    let rule = |name: String, when: String, then: &Pairs| {
        let then: Vec<String> =
            then.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!(
            "\n[[rules]]\nname = \"{name}\"\nwhen = {{ interface = \"{rail}\", {when}, phone = \
             \"{STAND_IN}\" }}\nthen = {{ {} }}\n",
            then.join(", ")
        )
    };
    for (place, attempt) in life.attempts.iter().enumerate() {
        let nth = place.saturating_add(1);
        let when = format!("api = \"b2c\", attempt = {nth}, amount = \"{amount}\"");
        file.push_str(&rule(format!("send {nth}"), when, &act(&life, place, attempt)));
    }
    for (nth, question) in (1_usize..).zip(&life.questions) {
        let when = "api = \"status\", times = 1".to_owned();
        file.push_str(&rule(format!("question {nth}"), when, &asked(&life, question)));
    }
    file
}

#[cfg(test)]
mod tests;
