//! The cases that both interfaces have.

use super::Interface;
use super::case::{Case, Evidence, Group, Money, Pace};
use crate::sim::script::{
    Act, Answer, Behaviour, Code, Garbage, Malformed, NO_FUNDS, Place, RECIPIENT_CANNOT, REFUSAL,
    Results, Then,
};

/// More questions than anybody asks while a case lasts.
const ALWAYS: usize = 500;
/// More tries than anybody makes of a request that is invalid.
pub(super) const TRIES: usize = 20;

/// Why an acknowledgement is no payment.
const ACK_IS_NOT_PAID: &str =
    "an answer that takes the request says nothing of money: only a result of 0 is a payment";
/// Why nothing is sent again on a guess.
const KEEP_THE_ID: &str = "without an answer nobody knows whether it was taken: keep the id, wait \
    for the result or ask; a new id is a second payment";
/// Why one asks.
const ASK: &str =
    "no result will come: only a status query by the payment's own id says what became of it";
/// Why a duplicate is acknowledged and no more.
const ONCE: &str = "the same result twice is one payment: acknowledge both, book one";
/// Why a code is kept as a text, and doubt is asked about.
const CODE_IN_DOUBT: &str =
    "a code that is in doubt or in no table is no failure: ask before it is called one";

/// Where both descriptions say the same: the section of each.
#[derive(Clone, Copy)]
struct Source(&'static str, &'static str);

impl Source {
    const fn of(self, interface: Interface) -> &'static str {
        match interface {
            Interface::Soap => self.0,
            Interface::Daraja => self.1,
            // Statuses of payouts, what each means, and which are final.
            Interface::Gateway => "docs/openapi: GET /v1/payouts/{id}",
        }
    }
}

const ACK: Source = Source("spec/soap.md §4.2, §10.1", "spec/daraja.md §1.6, §2.3");
const RESULT: Source = Source("spec/soap.md §5.2", "spec/daraja.md §3.3");
const REFUSED: Source = Source("spec/soap.md §4.2", "spec/daraja.md §3.2");
const LOST: Source = Source("spec/soap.md §10.3", "spec/daraja.md §8, §12");
const QUERY: Source = Source("spec/soap.md §3.3, §5.4", "spec/daraja.md §1.9, §2.3");
const MANY: Source = Source("spec/soap.md §5.8, §10.5", "spec/daraja.md §7, §8");
const EARLY: Source = Source("spec/soap.md §10.4", "spec/daraja.md §8");
const ODD: Source = Source("spec/soap.md §5.5, §9", "spec/daraja.md §12");

const GOOD: Behaviour = Behaviour::ORDINARY;

fn fail(code: &'static str) -> Behaviour {
    Behaviour { act: Act::Fail(Code::Borrowed(code)), ..GOOD }
}

fn refuse(code: &'static str) -> Behaviour {
    Behaviour { act: Act::Refuse(Code::Borrowed(code)), ..GOOD }
}

fn answer(answer: Answer) -> Behaviour {
    Behaviour { answer, ..GOOD }
}

fn result(result: Results) -> Behaviour {
    Behaviour { result, ..GOOD }
}

/// Nothing is done, and no answer comes.
pub(super) fn forgotten() -> Behaviour {
    Behaviour { act: Act::Forget, answer: Answer::Drop, ..GOOD }
}

/// Every case that both interfaces have.
pub(super) fn cases(interface: Interface, pace: Pace) -> Vec<Case> {
    let mut all = ordinary(interface);
    all.extend(failures(interface));
    all.extend(lost_answers(interface, pace));
    all.extend(untold(interface));
    all.extend(repeated(interface, pace));
    all.extend(contradictions(interface, pace));
    all.extend(questions(interface, pace));
    all
}

fn ordinary(interface: Interface) -> Vec<Case> {
    vec![
        Case::new("paid", Group::Ordinary, "taken, paid, one result")
            .because(ACK_IS_NOT_PAID, ACK.of(interface)),
    ]
}

/// Taken, and failed by a result; or refused at once.
fn failures(interface: Interface) -> Vec<Case> {
    let certain = [
        ("fails-no-funds", NO_FUNDS, "taken; the result says: insufficient funds (1)"),
        ("fails-below-minimum", "2", "taken; the result says: below the minimum (2)"),
        ("fails-above-maximum", "3", "taken; the result says: above the maximum (3)"),
        ("fails-daily-limit", "4", "taken; the result says: over the daily limit (4)"),
        ("fails-bad-receiver", "7", "taken; the result says: receiver invalid (7)"),
        ("fails-receiver-full", "8", "taken; the result says: receiver's balance is full (8)"),
        ("fails-not-registered", RECIPIENT_CANNOT, "taken; the result says: cannot take it (2040)"),
    ];
    let doubtful = [
        ("fails-internal", "17", "taken and not paid; the result says: internal error (17)"),
        ("fails-strange-code", "SFC_X9", "taken and not paid; the result's code is in no table"),
    ];
    let certain = certain.map(|(name, code, story)| {
        Case::new(name, Group::Failure, story)
            .because(ACK_IS_NOT_PAID, RESULT.of(interface))
            .first(fail(code))
            .ends(Money::NotPaid, Evidence::Told)
    });
    let doubtful = doubtful.map(|(name, code, story)| {
        Case::new(name, Group::Failure, story)
            .because(CODE_IN_DOUBT, RESULT.of(interface))
            .first(fail(code))
            .ends(Money::NotPaid, Evidence::Asked)
    });
    let refused = Case::new("refused", Group::Failure, "refused at once: a field is invalid")
        .because(
            "a refusal has no result: nothing follows, nothing was paid",
            REFUSED.of(interface),
        )
        .each(TRIES, &refuse(REFUSAL))
        .ends(Money::NotPaid, Evidence::Told);
    certain.into_iter().chain(doubtful).chain([refused]).collect()
}

/// The answer to the request is lost, and the result comes.
fn lost_answers(interface: Interface, pace: Pace) -> Vec<Case> {
    let paid = [
        ("answer-never", Answer::Never, "paid; the HTTP answer never comes; the result does"),
        ("answer-dropped", Answer::Drop, "paid; the connection drops; the result comes"),
        ("answer-late", Answer::After(pace.late), "paid; the answer comes late"),
        ("answer-page", Answer::Garbage(Garbage::Page), "paid; a web page comes as the answer"),
        (
            "answer-unavailable",
            Answer::Garbage(Garbage::Unavailable),
            "paid; the answer is a page with status 503",
        ),
        (
            "answer-fault",
            Answer::Garbage(Garbage::Fault),
            "paid; the answer is a fault, status 500",
        ),
        (
            "answer-internal-error",
            Answer::Instead(Code::Borrowed("100000004")),
            "paid; the answer says: internal error",
        ),
        (
            "answer-system-error",
            Answer::Instead(Code::Borrowed("17")),
            "paid; the answer says: system error of the core",
        ),
    ];
    let paid = paid.map(|(name, how, story)| {
        Case::new(name, Group::LostAnswer, story)
            .because(KEEP_THE_ID, LOST.of(interface))
            .first(answer(how))
    });
    let failed = Case::new(
        "answer-dropped-fails",
        Group::LostAnswer,
        "not paid, and the connection drops; the result says why (1)",
    )
    .because(KEEP_THE_ID, LOST.of(interface))
    .first(Behaviour { answer: Answer::Drop, ..fail(NO_FUNDS) })
    .ends(Money::NotPaid, Evidence::Told);
    paid.into_iter().chain([failed]).collect()
}

/// No result comes, so that one must ask.
fn untold(interface: Interface) -> Vec<Case> {
    let none = Results::Never;
    let table = [
        (
            "result-never",
            "paid; the answer comes, the result never does",
            result(none.clone()),
            true,
        ),
        (
            "result-never-fails",
            "taken and not paid; the result never comes",
            Behaviour { result: none.clone(), ..fail(RECIPIENT_CANNOT) },
            false,
        ),
        (
            "nothing-comes",
            "paid; neither answer nor result ever comes",
            Behaviour { result: none.clone(), ..answer(Answer::Never) },
            true,
        ),
        (
            "nothing-comes-dropped",
            "paid; the connection drops, and no result comes",
            Behaviour { result: none.clone(), ..answer(Answer::Drop) },
            true,
        ),
        (
            "nothing-comes-fails",
            "not paid; the connection drops, and no result comes",
            Behaviour { answer: Answer::Drop, result: none, ..fail(NO_FUNDS) },
            false,
        ),
    ];
    let asked = table.map(|(name, story, behaviour, paid)| {
        Case::new(name, Group::LostAnswer, story)
            .because(ASK, QUERY.of(interface))
            .first(behaviour)
            .ends(if paid { Money::Paid } else { Money::NotPaid }, Evidence::Asked)
    });
    let dropped = Case::new(
        "dropped-before",
        Group::LostAnswer,
        "the connection drops before M-Pesa takes the request",
    )
    .because(KEEP_THE_ID, LOST.of(interface))
    .first(forgotten())
    .ends(Money::Either, Evidence::Asked);
    let twice = Case::new(
        "dropped-before-twice",
        Group::LostAnswer,
        "twice the connection drops before M-Pesa takes the request",
    )
    .because(KEEP_THE_ID, LOST.of(interface))
    .each(2, &forgotten())
    .ends(Money::Either, Evidence::Asked);
    asked.into_iter().chain([dropped, twice]).collect()
}

/// Results twice, early and late.
fn repeated(interface: Interface, pace: Pace) -> Vec<Case> {
    let early = "the result may be there before the answer: write the id down before sending";
    let late = "a late result is a result: do not give up, and pay nothing again meanwhile";
    let again_after = pace.late;
    let cases = [
        ("result-twice", Group::Duplicate, "the result comes twice", ONCE, result(Results::Twice)),
        (
            "result-twice-late",
            Group::Duplicate,
            "the result comes again after a while",
            ONCE,
            Behaviour { again_after, ..result(Results::Twice) },
        ),
        (
            "answer-never-result-twice",
            Group::Duplicate,
            "paid; no answer comes, and the result comes twice",
            ONCE,
            Behaviour { result: Results::Twice, ..answer(Answer::Never) },
        ),
        (
            "result-first",
            Group::Duplicate,
            "the result comes before the answer",
            early,
            result(Results::BeforeAnswer),
        ),
        (
            "result-first-answer-dropped",
            Group::Duplicate,
            "the result comes before the answer, and the answer never",
            early,
            Behaviour { result: Results::BeforeAnswer, ..answer(Answer::Drop) },
        ),
        (
            "result-late",
            Group::Late,
            "paid; the result comes late",
            late,
            result(Results::Late(pace.late)),
        ),
        (
            "result-late-answer-never",
            Group::Late,
            "paid; no answer comes, and the result comes late",
            late,
            Behaviour { result: Results::Late(pace.late), ..answer(Answer::Never) },
        ),
    ];
    let paid = cases.map(|(name, group, story, why, behaviour)| {
        let source = if why == early { EARLY } else { told_again(group) };
        Case::new(name, group, story).because(why, source.of(interface)).first(behaviour)
    });
    paid.into_iter().chain(repeated_failures(interface, pace)).collect()
}

fn told_again(group: Group) -> Source {
    if group == Group::Late { LOST } else { MANY }
}

/// The same of payments that failed.
fn repeated_failures(interface: Interface, pace: Pace) -> [Case; 3] {
    let failures = [
        (
            "fails-twice",
            Group::Duplicate,
            "the result comes twice, and says: insufficient funds (1)",
            Results::Twice,
        ),
        (
            "fails-first",
            Group::Duplicate,
            "the result comes before the answer, and says: insufficient funds (1)",
            Results::BeforeAnswer,
        ),
        (
            "fails-late",
            Group::Late,
            "taken; the result comes late, and says: insufficient funds (1)",
            Results::Late(pace.late),
        ),
    ];
    failures.map(|(name, group, story, how)| {
        Case::new(name, group, story)
            .because(ACK_IS_NOT_PAID, told_again(group).of(interface))
            .first(Behaviour { result: how, ..fail(NO_FUNDS) })
            .ends(Money::NotPaid, Evidence::Told)
    })
}

/// Messages that contradict each other, or cannot be read.
fn contradictions(interface: Interface, pace: Pace) -> Vec<Case> {
    let stands = "the first word of M-Pesa's stands: show the contradiction to a person, and change \
        nothing";
    let unread = "what cannot be read is no result, neither of a payment nor of a failure";
    let not_last = "a result that says that another follows is not the last word";
    let other = |code: &'static str| Results::Contradicting(Code::Borrowed(code));
    let again_after = pace.late;
    let spoilt = [
        (
            "result-malformed-first",
            Malformed::NotXml,
            "a result that is no message at all comes, and then the good one",
        ),
        ("result-cut-first", Malformed::Cut, "half of the result comes, and then the good one"),
        (
            "result-without-code-first",
            Malformed::NoCode,
            "a result without a code comes, and then the good one",
        ),
    ];
    let spoilt = spoilt.map(|(name, how, story)| {
        Case::new(name, Group::Contradiction, story)
            .because(unread, ODD.of(interface))
            .first(result(Results::Malformed(how, Place::Before)))
    });
    let only = Case::new(
        "result-cut",
        Group::Contradiction,
        "half of the result comes, and never the whole",
    )
    .because(unread, ODD.of(interface))
    .first(result(Results::Malformed(Malformed::Cut, Place::Instead)))
    .ends(Money::Paid, Evidence::Asked);
    let paid = Case::new(
        "paid-then-denied",
        Group::Contradiction,
        "paid; the result says so, and a second one says: cannot take it (2040)",
    )
    .because(stands, MANY.of(interface))
    .first(Behaviour { again_after, ..result(other(RECIPIENT_CANNOT)) });
    let failed = Case::new(
        "denied-then-paid",
        Group::Contradiction,
        "not paid; the result says so (1), and a second one says: paid",
    )
    .because(stands, MANY.of(interface))
    .first(Behaviour { again_after, result: other("0"), ..fail(NO_FUNDS) })
    .ends(Money::NotPaid, Evidence::Told);
    let waiting = Case::new(
        "not-the-last-word",
        Group::Contradiction,
        "a result says that another follows (ResultType 1); the last says: paid",
    )
    .because(not_last, Source("spec/soap.md §5.1", "spec/daraja.md §2.3").of(interface))
    .first(Behaviour { again_after, ..result(Results::WaitingFirst) });
    let refuted = Case::new(
        "not-the-last-word-fails",
        Group::Contradiction,
        "a result says that another follows (ResultType 1); the last says: not paid (1)",
    )
    .because(not_last, Source("spec/soap.md §5.1", "spec/daraja.md §2.3").of(interface))
    .first(Behaviour { again_after, result: Results::WaitingFirst, ..fail(NO_FUNDS) })
    .ends(Money::NotPaid, Evidence::Told);
    spoilt.into_iter().chain([only, paid, failed, waiting, refuted]).collect()
}

/// The question what became of a payment goes wrong too.
fn questions(interface: Interface, pace: Pace) -> Vec<Case> {
    let two_levels = "a question that fails says nothing of the payment: ask again";
    let lost = Behaviour { answer: Answer::Drop, result: Results::Never, ..GOOD };
    let held = Act::Cache { wait: pace.late, then: Then::Deliver };
    let table = [
        (
            "question-fails-first",
            "paid, and nothing comes; the first question fails (17)",
            1,
            fail("17"),
        ),
        (
            "question-lost-first",
            "paid, and nothing comes; the first question is lost too",
            1,
            forgotten(),
        ),
        (
            "question-busy-first",
            "paid, and nothing comes; the first question is refused: too much",
            1,
            refuse("100000002"),
        ),
        (
            "question-late",
            "paid, and nothing comes; the answer to the question comes late",
            1,
            result(Results::Late(pace.late)),
        ),
        (
            "question-held",
            "paid, and nothing comes; the question is held for a while",
            1,
            Behaviour { act: held, ..GOOD },
        ),
        (
            "question-told-twice",
            "paid, and nothing comes; the question is answered twice",
            1,
            result(Results::Twice),
        ),
    ];
    let asked = table.map(|(name, story, times, question)| {
        Case::new(name, Group::Question, story)
            .because(two_levels, QUERY.of(interface))
            .first(lost.clone())
            .questions(times, &question)
            .ends(Money::Paid, Evidence::Asked)
    });
    let open =
        "what nobody knows is open: neither paid nor not paid, until M-Pesa or a person says";
    let never = Case::new(
        "nobody-knows",
        Group::Question,
        "paid; nothing comes, and no question is answered",
    )
    .because(open, QUERY.of(interface))
    .first(lost.clone())
    .questions(ALWAYS, &Behaviour { answer: Answer::Drop, ..forgotten() })
    .ends(Money::Paid, Evidence::Open);
    let not_paid = Case::new(
        "nobody-knows-fails",
        Group::Question,
        "not paid; nothing comes, and every question fails (17)",
    )
    .because(open, QUERY.of(interface))
    .first(Behaviour { act: Act::Fail(Code::Borrowed(NO_FUNDS)), ..lost })
    .questions(ALWAYS, &fail("17"))
    .ends(Money::NotPaid, Evidence::Open);
    asked.into_iter().chain([never, not_paid]).collect()
}
