//! From what was written to what it means, with all that is wrong at once. Pure.

use std::time::Duration;

use serde_json::json;

use super::fault::{Faults, meant};
use super::reader::{self, Fields, Read, Reader};
use super::tree::{Node, What};
use super::words::{self, ACTS, ANSWERS, INTERFACES, MALFORMED, PROMPTS, RESULTS};
use super::{FLOATS_MAX, Float, Interface, RULES_MAX, Rule, Scenario, Then, When, reach};
use crate::domain::money::Amount;
use crate::sim::daraja::Api;
use crate::sim::daraja::faults::Fault;
use crate::sim::script::{Act, Answer, Behaviour, Code, Malformed, Place, Results};

/// How long the broker holds a request where that is not said.
const HOLD: Duration = Duration::from_secs(5);
/// The refusal of too much (spec/soap.md §4.2).
const THROTTLE: &str = "100000002";

/// Reads a scenario.
pub(super) fn scenario(node: &Node) -> Result<Scenario, Faults> {
    let mut reader = Reader::default();
    let read = whole(&mut reader, node);
    match read {
        Some(scenario) if reader.faults.is_empty() => Ok(scenario),
        Some(_) | None => Err(Faults(reader.faults)),
    }
}

fn whole(reader: &mut Reader, node: &Node) -> Option<Scenario> {
    let fields = reader.table(String::new(), node, words::SCENARIO)?;
    for needed in ["name", "says"] {
        if !fields.has(needed) {
            reader.fault(fields.line, needed.to_owned(), "is missing");
        }
    }
    let name = reader.one(&fields, "name", reader::name);
    let says = reader.one(&fields, "says", reader::text);
    let rules = rows(reader, &fields, ("rules", RULES_MAX), rule);
    let floats = rows(reader, &fields, ("float", FLOATS_MAX), float);
    Some(Scenario { name: name.unwrap_or_default(), says: says.unwrap_or_default(), rules, floats })
}

/// A list of tables.
fn rows<T>(
    reader: &mut Reader,
    fields: &Fields<'_>,
    (name, most): (&str, usize),
    read: impl Fn(&mut Reader, String, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = fields.get(name) else {
        return Vec::new();
    };
    let What::List(list) = &node.what else {
        let what = format!("found {}; expected tables, each under [[{name}]]", node.found());
        reader.says(fields, name, what);
        return Vec::new();
    };
    if list.len() > most {
        reader.says(fields, name, format!("has {} of them; {most} are the most", list.len()));
        return Vec::new();
    }
    let mut rows = Vec::new();
    for (nth, node) in (1_usize..).zip(list) {
        rows.extend(read(reader, format!("{name}[{nth}]"), node));
    }
    rows
}

fn float(reader: &mut Reader, at: String, node: &Node) -> Option<Float> {
    let fields = reader.table(at, node, words::FLOAT)?;
    if !fields.has("balance") {
        reader.fault(fields.line, fields.key("balance"), "is missing");
    }
    let begins = reader.one(&fields, "at", reader::time);
    let shortcode = reader.one(&fields, "shortcode", reader::parsed);
    let balance = reader.one(&fields, "balance", reader::amount)?;
    Some(Float { at: begins.unwrap_or_default(), balance, shortcode })
}

fn rule(reader: &mut Reader, at: String, node: &Node) -> Option<Rule> {
    let fields = reader.table(at.clone(), node, words::RULE)?;
    let name = reader.one(&fields, "name", reader::text).unwrap_or(at);
    let mut when = match fields.get("when") {
        Some(node) => when(reader, fields.key("when"), node)?,
        None => When::default(),
    };
    let Some(what) = fields.get("then") else {
        reader.fault(fields.line, fields.key("then"), "is missing: what is to happen?");
        return None;
    };
    let then = then(reader, fields.key("then"), what)?;
    narrow(reader, &fields, &mut when, &then);
    let part = |name: &str| fields.get(name).map_or_else(|| json!({}), Node::json);
    let written = json!({"when": part("when"), "then": part("then")});
    Some(Rule { name, when, then, written })
}

/// A rule is about those requests only that it can do something to; one that names none of them
/// is wrong.
fn narrow(reader: &mut Reader, fields: &Fields<'_>, when: &mut When, then: &Then) {
    let reach = reach::of(then);
    if let Some(only) = reach.interface {
        if when.interface.is_some_and(|interface| interface != only) {
            let what = "is never met over soap: what `then` says is a matter of Daraja's alone";
            reader.says(fields, "when", what);
        }
        when.interface = Some(only);
    }
    if reach.apis.is_empty() {
        return;
    }
    // What a query says is a matter of its own: `fail` has it say a code.
    let has = |api: &Api| reach.apis.contains(api) || *api == Api::StkQuery;
    if when.apis.is_empty() {
        when.apis = reach.apis.to_vec();
    } else if !when.apis.iter().any(has) {
        let able: Vec<&str> = reach.apis.iter().map(|api| api.name()).collect();
        let what = format!("is never met: what `then` says can befall only {}", able.join(", "));
        reader.says(fields, "when", what);
    }
}

fn when(reader: &mut Reader, at: String, node: &Node) -> Option<When> {
    let fields = reader.table(at, node, words::WHEN)?;
    let when = When {
        interface: reader.one(&fields, "interface", |node| reader::named(node, INTERFACES)),
        apis: reader.many(&fields, "api", api),
        phones: reader.many(&fields, "phone", reader::parsed),
        endings: reader.many(&fields, "phone_ends", reader::ending),
        amount: amount(reader, &fields),
        commands: reader.many(&fields, "command", reader::text),
        apps: reader.many(&fields, "app", reader::text),
        attempt: reader.one(&fields, "attempt", reader::count),
        nth: reader.one(&fields, "nth", reader::count),
        every: reader.one(&fields, "every", reader::count),
        times: reader.one(&fields, "times", reader::count),
        share: reader.one(&fields, "share", reader::share),
        from: reader.one(&fields, "from", reader::time).unwrap_or_default(),
        until: reader.one(&fields, "until", reader::time),
        cycle: reader.one(&fields, "cycle", reader::time),
    };
    window(reader, &fields, &when);
    Some(when)
}

fn window(reader: &mut Reader, fields: &Fields<'_>, when: &When) {
    if when.until.is_some_and(|until| until <= when.from) {
        reader.says(fields, "until", "does not come after `from`, so that nothing is between");
    }
    let Some(cycle) = when.cycle else {
        return;
    };
    if cycle.is_zero() {
        reader.says(fields, "cycle", "must be longer than nothing");
    } else if when.from >= cycle || when.until.is_some_and(|until| until > cycle) {
        reader.says(fields, "cycle", "is over before `from` or `until` comes");
    }
}

fn amount(reader: &mut Reader, fields: &Fields<'_>) -> Option<std::ops::RangeInclusive<Amount>> {
    let node = fields.get("amount")?;
    if !matches!(node.what, What::Table(_)) {
        let exact = reader.one(fields, "amount", reader::amount)?;
        return Some(exact..=exact);
    }
    let range = reader.table(fields.key("amount"), node, words::RANGE)?;
    let from = reader.one(&range, "from", reader::amount).unwrap_or(Amount::ZERO);
    let most = Amount::from_cents(u64::MAX);
    let to = reader.one(&range, "to", reader::amount).unwrap_or(most);
    if to < from {
        reader.says(&range, "to", "is less than `from`");
    }
    Some(from..=to)
}

fn api(node: &Node) -> Read<Api> {
    let table: Vec<(&str, Api)> = Api::ALL.into_iter().map(|api| (api.name(), api)).collect();
    reader::named(node, &table)
}

fn then(reader: &mut Reader, at: String, node: &Node) -> Option<Then> {
    let fields = reader.table(at, node, words::THEN)?;
    if fields.is_empty() {
        let what = "says nothing; write act = \"pay\" for what goes as it should";
        reader.fault(fields.line, fields.key("act"), what);
    }
    let act = act(reader, &fields);
    let behaviour = Behaviour {
        answer: answer(reader, &fields, &act),
        result: result(reader, &fields),
        result_delay: reader.one(&fields, "result_after", reader::time),
        again_after: reader.one(&fields, "again_after", reader::time).unwrap_or_default(),
        act,
    };
    harmony(reader, &fields, &behaviour);
    let faults = reader.many(&fields, "fault", fault);
    Some(Then { behaviour, faults })
}

fn act(reader: &mut Reader, fields: &Fields<'_>) -> Act {
    reader.only_one(fields, &["act", "refuse", "fail", "prompt"]);
    let hold_for = reader.one(fields, "hold_for", reader::time);
    let named = reader.one(fields, "act", |node| reader::named(node, ACTS));
    if fields.has("hold_for") && !matches!(named, Some(words::Act::Hold | words::Act::GiveUp)) {
        reader.says(fields, "hold_for", "needs act = \"hold\" or act = \"give_up\"");
    }
    let wait = hold_for.unwrap_or(HOLD);
    let refuse = reader.one(fields, "refuse", reader::code).map(Act::Refuse);
    let fail = reader.one(fields, "fail", reader::code).map(Act::Fail);
    let prompt = reader.one(fields, "prompt", |node| reader::named(node, PROMPTS));
    let prompt = prompt.map(|said| match said.code() {
        "0" => Act::Pay,
        code => Act::Fail(Code::Borrowed(code)),
    });
    let named = named.map(|act| match act {
        words::Act::Pay => Act::Pay,
        words::Act::Forget => Act::Forget,
        words::Act::Hold => Act::Cache { wait, then: crate::sim::script::Then::Deliver },
        words::Act::GiveUp => Act::Cache { wait, then: crate::sim::script::Then::GiveUp },
        words::Act::Throttle => Act::Refuse(Code::Borrowed(THROTTLE)),
    });
    refuse.or(fail).or(prompt).or(named).unwrap_or(Act::Pay)
}

fn answer(reader: &mut Reader, fields: &Fields<'_>, act: &Act) -> Answer {
    reader.only_one(fields, &["answer", "answer_after", "answer_code"]);
    let named = reader.one(fields, "answer", |node| reader::named(node, ANSWERS));
    let named = named.map(|answer| match answer {
        words::Answer::Now => Answer::Now,
        words::Answer::Never => Answer::Never,
        words::Answer::Drop => Answer::Drop,
        words::Answer::Garbage(garbage) => Answer::Garbage(garbage),
    });
    let after = reader.one(fields, "answer_after", reader::time).map(Answer::After);
    let code = reader.one(fields, "answer_code", reader::code).map(Answer::Instead);
    let answer = named.or(after).or(code);
    let is_forgotten = *act == Act::Forget;
    if is_forgotten && matches!(answer, Some(Answer::Now | Answer::After(_))) {
        let name = if fields.has("answer") { "answer" } else { "answer_after" };
        reader.says(fields, name, "what is forgotten has no answer; drop is what it meets");
    }
    answer.unwrap_or(if is_forgotten { Answer::Drop } else { Answer::Now })
}

fn result(reader: &mut Reader, fields: &Fields<'_>) -> Results {
    reader.only_one(fields, &["result", "contradict"]);
    let named = reader.one(fields, "result", |node| reader::named(node, RESULTS));
    let how = reader.one(fields, "malformed", |node| reader::named(node, MALFORMED));
    let is_spoilt = matches!(named, Some(words::Told::Malformed | words::Told::MalformedFirst));
    if fields.has("malformed") && !is_spoilt {
        reader.says(fields, "malformed", "needs result = \"malformed\" or \"malformed_first\"");
    }
    let how = how.unwrap_or(Malformed::NotXml);
    let contradict = reader.one(fields, "contradict", reader::code);
    contradict.map(Results::Contradicting).unwrap_or(match named {
        None | Some(words::Told::Once) => Results::Once,
        Some(words::Told::Twice) => Results::Twice,
        Some(words::Told::Never) => Results::Never,
        Some(words::Told::First) => Results::BeforeAnswer,
        Some(words::Told::Malformed) => Results::Malformed(how, Place::Instead),
        Some(words::Told::MalformedFirst) => Results::Malformed(how, Place::Before),
        Some(words::Told::WaitingFirst) => Results::WaitingFirst,
    })
}

/// What is said of results fits what is done, and to each other.
fn harmony(reader: &mut Reader, fields: &Fields<'_>, behaviour: &Behaviour) {
    let told = ["result", "contradict", "result_after", "again_after"];
    if matches!(behaviour.act, Act::Refuse(_) | Act::Forget) {
        for name in told.into_iter().filter(|name| fields.has(name)) {
            reader.says(fields, name, "no result follows what is refused or forgotten");
        }
        return;
    }
    if matches!(behaviour.result, Results::BeforeAnswer | Results::Never) {
        for name in ["result_after", "again_after"] {
            if fields.has(name) {
                reader.says(fields, name, "means nothing where the result is first, or never");
            }
        }
    }
    let is_single = matches!(
        behaviour.result,
        Results::Once | Results::Late(_) | Results::Malformed(_, Place::Instead)
    );
    if is_single && fields.has("again_after") {
        let what = "there is no second message; say result = \"twice\" or contradict";
        reader.says(fields, "again_after", what);
    }
}

fn fault(node: &Node) -> Read<Fault> {
    let What::Text(text) = &node.what else {
        return Err("the name of a fault".to_owned());
    };
    Fault::parse(text).map_err(|_long| {
        let near = meant(text, crate::sim::daraja::faults::names());
        format!("a fault that docs/scenarios.md lists{near}")
    })
}

/// Whether a rule is about this interface.
pub(super) fn is_over(when: &When, interface: Interface) -> bool {
    when.interface.is_none_or(|wanted| wanted == interface)
}
