//! Faults by the seed: what the simulator does with a request when nobody says. Pure, but for the
//! count of how often each id was seen.
//!
//! A behaviour follows from the seed, the request's OriginatorConversationID, and how often that
//! was seen: not from the order in which requests come, nor from chance.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::book::{REQUESTS_MAX, mix};
use super::plan::{Plan, Plans};
use super::script::{
    Act, Answer, Behaviour, CANCELLED, Code, Garbage, Malformed, NO_ANSWER, NO_FUNDS, Place,
    RECIPIENT_CANNOT, REFUSAL, Results, Then, WRONG_PIN,
};
use crate::domain::party::Msisdn;

/// What a rate is out of.
pub const OUT_OF: u64 = 1_000;
/// The most behaviours that may be laid down beforehand; further ones are not kept.
pub const SCRIPTED_MAX: usize = 100_000;

/// The most ids that are counted; beyond, each counts as seen for the first time.
const SEEN_MAX: usize = REQUESTS_MAX;

/// Throttling, in the broker's words and in the core's (spec/soap.md §4.2).
const THROTTLES: [&str; 3] = ["100000002", "100000011", "26"];
/// Answers that leave it open what was done (spec/soap.md §4.2).
const DOUBTS: [&str; 2] = ["100000004", "17"];
/// What a payment fails with, and no money moves.
const FAILURES: [&str; 3] = [NO_FUNDS, RECIPIENT_CANNOT, "17"];
/// What an STK prompt ends in, and no money moves (spec/daraja.md §3.1).
const PROMPT_FAILURES: [&str; 4] = [NO_FUNDS, CANCELLED, NO_ANSWER, WRONG_PIN];
const GARBAGE: [Garbage; 3] = [Garbage::Page, Garbage::Unavailable, Garbage::Fault];
const MALFORMED: [Malformed; 3] = [Malformed::Cut, Malformed::NotXml, Malformed::NoCode];

/// Which faults come how often, and from which seed they follow.
///
/// Three things are drawn for each request, each by itself: what is done with the money, what
/// becomes of the answer, how the result is told. None of it is a lie about money, but for a
/// contradicting result, which comes only after the true one was acknowledged: who holds on to
/// evidence ends with a book that equals the ledger.
///
/// A request may arrive at the core as late as [`Self::cached`] after it was sent, and a question
/// may be answered as late as [`Self::cached`] plus [`Self::result_late`] after it was asked, from
/// what the core knew when the question reached it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chaos {
    /// What every choice follows from.
    pub seed: u64,
    /// How often what goes wrong with payments, out of [`OUT_OF`].
    pub payments: Rates,
    /// How often what goes wrong with questions, out of [`OUT_OF`].
    pub questions: Rates,
    /// How often a good token is refused, out of [`OUT_OF`] (spec/daraja.md §4).
    pub tokens: u16,
    /// The longest that an answer is late.
    pub answer_late: Duration,
    /// Over how long ordinary results are spread, so that they come out of order.
    pub result_spread: Duration,
    /// The longest that a late result, or the second of two, is late.
    pub result_late: Duration,
    /// The longest that the broker holds a request.
    pub cached: Duration,
}

/// How often each fault comes, out of [`OUT_OF`]. In each of the three groups the rest is
/// ordinary; where a group's sum is more, its last ones come less often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Nothing is done, and no answer comes.
    pub forget: u16,
    /// Refused for good.
    pub refuse: u16,
    /// Refused as too much.
    pub throttle: u16,
    /// Taken, and failed with a result code.
    pub fail: u16,
    /// Held by the broker, then carried out.
    pub cache_deliver: u16,
    /// Held by the broker, then given up.
    pub cache_give_up: u16,

    /// The answer comes late.
    pub answer_late: u16,
    /// The connection stays open and no answer comes.
    pub answer_never: u16,
    /// The connection drops after the request was acted on.
    pub answer_drop: u16,
    /// Something comes that is no answer.
    pub answer_garbage: u16,
    /// An answer comes that leaves it open what was done.
    pub answer_doubt: u16,

    /// The result comes before the answer.
    pub result_first: u16,
    /// The result comes twice.
    pub result_twice: u16,
    /// The result comes late.
    pub result_late: u16,
    /// The result never comes.
    pub result_never: u16,
    /// Something unreadable comes in place of the result.
    pub result_malformed: u16,
    /// Something unreadable comes before the result.
    pub malformed_first: u16,
    /// A second result says something else.
    pub contradict: u16,
    /// A result that is not the last word comes first.
    pub waiting_first: u16,
}

impl Chaos {
    /// No faults at all, and results in order as they are taken: a base to add to.
    pub const fn none(seed: u64) -> Self {
        let none = Rates {
            forget: 0,
            refuse: 0,
            throttle: 0,
            fail: 0,
            cache_deliver: 0,
            cache_give_up: 0,
            answer_late: 0,
            answer_never: 0,
            answer_drop: 0,
            answer_garbage: 0,
            answer_doubt: 0,
            result_first: 0,
            result_twice: 0,
            result_late: 0,
            result_never: 0,
            result_malformed: 0,
            malformed_first: 0,
            contradict: 0,
            waiting_first: 0,
        };
        Self {
            seed,
            payments: none,
            questions: none,
            tokens: 0,
            answer_late: Duration::from_secs(20),
            result_spread: Duration::from_secs(60),
            result_late: Duration::from_secs(30 * 60),
            cached: Duration::from_secs(10 * 60),
        }
    }

    /// Every fault at a high rate: about one payment in four goes as it should.
    pub const fn wild(seed: u64) -> Self {
        let payments = Rates {
            forget: 80,
            refuse: 20,
            throttle: 60,
            fail: 60,
            cache_deliver: 60,
            cache_give_up: 50,
            answer_late: 70,
            answer_never: 60,
            answer_drop: 80,
            answer_garbage: 50,
            answer_doubt: 50,
            result_first: 80,
            result_twice: 80,
            result_late: 70,
            result_never: 80,
            result_malformed: 40,
            malformed_first: 40,
            contradict: 40,
            waiting_first: 50,
        };
        let questions = Rates { refuse: 10, result_first: 30, contradict: 0, ..payments };
        Self { payments, questions, tokens: 40, ..Self::none(seed) }
    }

    /// What becomes of a payment whose id is seen for the `nth` time, from 0.
    pub fn payment(&self, originator_conversation_id: &str, nth: u32) -> Behaviour {
        self.behaviour(&self.payments, &FAILURES, self.dice(originator_conversation_id, nth))
    }

    /// What becomes of a question whose own id is seen for the `nth` time, from 0. When it fails,
    /// it is with 17.
    pub fn question(&self, originator_conversation_id: &str, nth: u32) -> Behaviour {
        let dice = self.dice(originator_conversation_id, nth);
        self.behaviour(&self.questions, &["17"], dice)
    }

    /// What becomes of an STK push whose name is seen for the `nth` time, from 0.
    pub fn prompt(&self, name: &str, nth: u32) -> Behaviour {
        self.behaviour(&self.payments, &PROMPT_FAILURES, self.dice(name, nth))
    }

    /// How a customer's payment is told whose receipt is seen for the `nth` time, from 0: it has
    /// moved, so that nothing else is left to chance.
    pub fn notice(&self, receipt: &str, nth: u32) -> Behaviour {
        let drawn = self.behaviour(&self.payments, &FAILURES, self.dice(receipt, nth));
        let contradicts = matches!(drawn.result, Results::Contradicting(_));
        let result = if contradicts { Results::Twice } else { drawn.result };
        Behaviour { act: Act::Pay, answer: Answer::Now, result, ..drawn }
    }

    fn dice(&self, id: &str, nth: u32) -> Dice {
        Dice(mix(self.seed).wrapping_add(hash(id)).wrapping_add(mix(u64::from(nth))))
    }

    fn behaviour(&self, rates: &Rates, failures: &[&'static str], mut dice: Dice) -> Behaviour {
        let act = self.act(rates, failures, &mut dice);
        let mut answer = self.answer(rates, &mut dice);
        let result = self.result(rates, &mut dice);
        if act == Act::Forget && matches!(answer, Answer::Now | Answer::After(_)) {
            answer = Answer::Drop;
        }
        let spread = dice.within(self.result_spread);
        // The answer waits for a result that comes first, and the caller does not wait for ever.
        let is_first = result == Results::BeforeAnswer;
        let result_delay = Some(if is_first { Duration::ZERO } else { spread });
        let again_after = dice.within(self.result_late);
        Behaviour { act, answer, result, result_delay, again_after }
    }

    fn act(&self, rates: &Rates, failures: &[&'static str], dice: &mut Dice) -> Act {
        let wait = dice.within(self.cached);
        let throttle = dice.one_of(&THROTTLES, "100000002");
        let failure = dice.one_of(failures, "17");
        let table = [
            (rates.forget, Act::Forget),
            (rates.refuse, Act::Refuse(Code::Borrowed(REFUSAL))),
            (rates.throttle, Act::Refuse(Code::Borrowed(throttle))),
            (rates.fail, Act::Fail(Code::Borrowed(failure))),
            (rates.cache_deliver, Act::Cache { wait, then: Then::Deliver }),
            (rates.cache_give_up, Act::Cache { wait, then: Then::GiveUp }),
        ];
        dice.draw(table, Act::Pay)
    }

    fn answer(&self, rates: &Rates, dice: &mut Dice) -> Answer {
        let late = dice.within(self.answer_late);
        let garbage = dice.one_of(&GARBAGE, Garbage::Page);
        let doubt = dice.one_of(&DOUBTS, "17");
        let table = [
            (rates.answer_late, Answer::After(late)),
            (rates.answer_never, Answer::Never),
            (rates.answer_drop, Answer::Drop),
            (rates.answer_garbage, Answer::Garbage(garbage)),
            (rates.answer_doubt, Answer::Instead(Code::Borrowed(doubt))),
        ];
        dice.draw(table, Answer::Now)
    }

    fn result(&self, rates: &Rates, dice: &mut Dice) -> Results {
        let late = dice.within(self.result_late);
        let how = dice.one_of(&MALFORMED, Malformed::NotXml);
        let table = [
            (rates.result_first, Results::BeforeAnswer),
            (rates.result_twice, Results::Twice),
            (rates.result_late, Results::Late(late)),
            (rates.result_never, Results::Never),
            (rates.result_malformed, Results::Malformed(how, Place::Instead)),
            (rates.malformed_first, Results::Malformed(how, Place::Before)),
            (rates.contradict, Results::Contradicting(Code::Borrowed(RECIPIENT_CANNOT))),
            (rates.waiting_first, Results::WaitingFirst),
        ];
        dice.draw(table, Results::Once)
    }
}

/// Numbers that follow from one number.
struct Dice(u64);

impl Dice {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(mix(self.0))
    }

    fn within(&mut self, most: Duration) -> Duration {
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        Duration::from_millis(self.next().checked_rem(millis).unwrap_or_default())
    }

    fn one_of<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        let count = u64::try_from(choices.len()).unwrap_or_default();
        let place = self.next().checked_rem(count).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| choices.get(place)).copied().unwrap_or(otherwise)
    }

    fn draw<T, const N: usize>(&mut self, table: [(u16, T); N], otherwise: T) -> T {
        let drawn = self.next().checked_rem(OUT_OF).unwrap_or_default();
        let mut sum = 0_u64;
        for (rate, choice) in table {
            sum = sum.saturating_add(u64::from(rate));
            if drawn < sum {
                return choice;
            }
        }
        otherwise
    }
}

/// A number from a text: the same in every run, which the standard hasher does not promise.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)))
}

/// What a rule of a scenario says, if one does.
pub(super) type Ruled<'a> = Option<&'a Behaviour>;

/// Chooses a behaviour for each request: what was laid down for it or for its phone, else what a
/// rule of a scenario says (`ruled`), else what its phone selects, else what the seed does.
#[derive(Debug)]
pub struct Chooser {
    chaos: Option<Chaos>,
    is_calm: AtomicBool,
    /// How often each id was seen, by its hash.
    seen: Mutex<HashMap<u64, u32>>,
    scripted: Mutex<BTreeMap<(Kind, String), VecDeque<Behaviour>>>,
    plans: Plans,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Payment,
    Question,
}

impl Chooser {
    /// One that chooses by the phone, and by `chaos` where there is any.
    pub fn new(chaos: Option<Chaos>) -> Self {
        Self {
            chaos,
            is_calm: AtomicBool::new(false),
            seen: Mutex::default(),
            scripted: Mutex::default(),
            plans: Plans::default(),
        }
    }

    /// From now on the seed chooses no faults. What was chosen before goes its way.
    pub fn calm(&self) {
        self.is_calm.store(true, Ordering::SeqCst);
    }

    /// Lays down what becomes of the next payment with this OriginatorConversationID that has
    /// nothing laid down yet.
    pub fn script_payment(&self, originator_conversation_id: &str, behaviour: Behaviour) {
        self.script(Kind::Payment, originator_conversation_id, behaviour);
    }

    /// Lays down what becomes of the next question about this id or receipt that has nothing laid
    /// down yet.
    pub fn script_question(&self, about: &str, behaviour: Behaviour) {
        self.script(Kind::Question, about, behaviour);
    }

    /// Lays down what becomes of everything about a phone, whatever it is called.
    pub fn plan(&self, phone: Msisdn, plan: Plan) {
        if !self.plans.lay_down(phone, plan) {
            tracing::warn!("plan not kept: too many are laid down");
        }
    }

    /// What the plan of a phone has for its next payment, which is called `id`.
    fn planned(&self, id: &str, phone: Option<Msisdn>) -> Option<Behaviour> {
        let (payment, questions) = self.plans.next(phone)?;
        for question in questions {
            self.script_question(id, question);
        }
        Some(payment)
    }

    fn script(&self, kind: Kind, name: &str, behaviour: Behaviour) {
        let mut scripted = lock(&self.scripted);
        if scripted.len() >= SCRIPTED_MAX {
            tracing::warn!("behaviour not kept: too many are laid down");
            return;
        }
        scripted.entry((kind, name.to_owned())).or_default().push_back(behaviour);
    }

    fn scripted(&self, kind: Kind, name: &str) -> Option<Behaviour> {
        let mut scripted = lock(&self.scripted);
        if scripted.is_empty() {
            return None;
        }
        let name = (kind, name.to_owned());
        let queue = scripted.get_mut(&name)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            scripted.remove(&name);
        }
        next
    }

    /// Whether anything is laid down for this id, as a payment or as what is asked about.
    pub(super) fn is_scripted(&self, name: &str) -> bool {
        let scripted = lock(&self.scripted);
        let has = |kind| scripted.contains_key(&(kind, name.to_owned()));
        !scripted.is_empty() && (has(Kind::Payment) || has(Kind::Question))
    }

    /// What becomes of a payment.
    pub(super) fn payment(&self, id: &str, phone: Option<Msisdn>, ruled: Ruled<'_>) -> Behaviour {
        let by_phone = phone.map_or(Behaviour::ORDINARY, Behaviour::of);
        let seen = self.see(id);
        let scripted = self
            .scripted(Kind::Payment, id)
            .or_else(|| self.planned(id, phone))
            .or_else(|| ruled.cloned());
        let by_seed =
            || seen.filter(|_| by_phone == Behaviour::ORDINARY).map(|(c, nth)| c.payment(id, nth));
        scripted.or_else(by_seed).unwrap_or(by_phone)
    }

    /// What becomes of an STK push.
    pub(super) fn prompt(&self, id: &str, phone: Msisdn, ruled: Ruled<'_>) -> Behaviour {
        let by_phone = Behaviour::of_prompt(phone);
        let seen = self.see(id);
        let scripted = self.scripted(Kind::Payment, id).or_else(|| ruled.cloned());
        let by_seed =
            || seen.filter(|_| by_phone == Behaviour::ORDINARY).map(|(c, nth)| c.prompt(id, nth));
        scripted.or_else(by_seed).unwrap_or(by_phone)
    }

    /// What becomes of a notice about a customer's payment: the rest is as it should be.
    pub(super) fn notice(&self, receipt: &str, ruled: Ruled<'_>) -> Behaviour {
        let by_seed = self.see(receipt).map(|(chaos, nth)| chaos.notice(receipt, nth));
        ruled.cloned().or(by_seed).unwrap_or(Behaviour::ORDINARY)
    }

    /// A number that follows from the seed, the id and how often that was seen; `None` without
    /// chaos. For what is no behaviour: the shape of a message, a token that is refused.
    pub(super) fn number(&self, id: &str) -> Option<u64> {
        self.see(id).map(|(chaos, nth)| chaos.dice(id, nth).next())
    }

    /// Whether the seed has a good token refused this time.
    pub(super) fn is_token_refused(&self, id: &str) -> bool {
        let rate = self.chaos.as_ref().map_or(0, |chaos| u64::from(chaos.tokens));
        let number = || self.number(id).and_then(|number| number.checked_rem(OUT_OF));
        rate > 0 && number().is_some_and(|drawn| drawn < rate)
    }

    /// What becomes of a question; phones do not select it.
    pub(super) fn question(&self, id: &str, about: &str, ruled: Ruled<'_>) -> Behaviour {
        let seen = self.see(id);
        self.scripted(Kind::Question, about)
            .or_else(|| ruled.cloned())
            .or_else(|| seen.map(|(chaos, nth)| chaos.question(id, nth)))
            .unwrap_or(Behaviour::ORDINARY)
    }

    /// What becomes of the answer to a request that was refused.
    pub(super) fn refusal(&self, id: Option<&str>) -> Answer {
        let by_seed = id.and_then(|id| self.see(id).map(|(chaos, nth)| chaos.payment(id, nth)));
        by_seed.map_or(Answer::Now, |behaviour| behaviour.answer)
    }

    /// The chaos, unless there is none or it is calm, and how often it has seen this id before.
    fn see(&self, id: &str) -> Option<(&Chaos, u32)> {
        let chaos = self.chaos.as_ref().filter(|_| !self.is_calm.load(Ordering::SeqCst))?;
        let mut seen = lock(&self.seen);
        if seen.len() >= SEEN_MAX {
            return Some((chaos, 0));
        }
        let count = seen.entry(hash(id)).or_default();
        let nth = *count;
        *count = count.saturating_add(1);
        Some((chaos, nth))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::outcome::{self, AnswerClass};

    fn wild(seed: u64) -> Vec<Behaviour> {
        let chaos = Chaos::wild(seed);
        (0..5_000).map(|number| chaos.payment(&format!("600999_Org_{number}"), 0)).collect()
    }

    /// The name of a value, without what it holds.
    fn name(value: &impl std::fmt::Debug) -> String {
        let text = format!("{value:?}");
        text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn one_seed_one_run_another_seed_another() {
        assert_eq!(wild(1), wild(1));
        assert_ne!(wild(1), wild(2));
        let chaos = Chaos::wild(1);
        let tries: Vec<_> = (0..20).map(|nth| name(&chaos.payment("a", nth).act)).collect();
        assert!(tries.iter().any(|act| *act != tries[0]), "a second try fares alike: {tries:?}");
    }

    #[test]
    fn every_fault_comes_about_as_often_as_its_rate_says() {
        let all = wild(7);
        let rates = Chaos::wild(7).payments;
        let share = |is: &dyn Fn(&Behaviour) -> bool| all.iter().filter(|b| is(b)).count() / 5;
        let throttles = |code: &str| outcome::answer(code).class == AnswerClass::TryLater;
        let cached =
            |b: &Behaviour, how: Then| matches!(b.act, Act::Cache { then, .. } if then == how);
        let spoilt =
            |b: &Behaviour, how: Place| matches!(b.result, Results::Malformed(_, at) if at == how);
        type Is<'a> = &'a dyn Fn(&Behaviour) -> bool;
        let table: [(&str, u16, Is<'_>); 17] = [
            ("forget", rates.forget, &|b| b.act == Act::Forget),
            ("refuse", rates.refuse, &|b| b.act == Act::Refuse(REFUSAL.into())),
            ("throttle", rates.throttle, &|b| matches!(&b.act, Act::Refuse(c) if throttles(c))),
            ("fail", rates.fail, &|b| matches!(b.act, Act::Fail(_))),
            ("cached", rates.cache_deliver, &|b| cached(b, Then::Deliver)),
            ("given up", rates.cache_give_up, &|b| cached(b, Then::GiveUp)),
            ("late", rates.answer_late, &|b| matches!(b.answer, Answer::After(_))),
            ("never", rates.answer_never, &|b| b.answer == Answer::Never),
            ("garbage", rates.answer_garbage, &|b| matches!(b.answer, Answer::Garbage(_))),
            ("doubt", rates.answer_doubt, &|b| matches!(b.answer, Answer::Instead(_))),
            ("first", rates.result_first, &|b| b.result == Results::BeforeAnswer),
            ("twice", rates.result_twice, &|b| b.result == Results::Twice),
            ("late result", rates.result_late, &|b| matches!(b.result, Results::Late(_))),
            ("no result", rates.result_never, &|b| b.result == Results::Never),
            ("malformed", rates.result_malformed, &|b| spoilt(b, Place::Instead)),
            ("malformed first", rates.malformed_first, &|b| spoilt(b, Place::Before)),
            ("contradict", rates.contradict, &|b| matches!(b.result, Results::Contradicting(_))),
        ];
        for (what, rate, is) in table {
            let (share, rate) = (share(is), usize::from(rate));
            assert!(share.abs_diff(rate) <= 15, "{what}: {share} and not {rate} of a thousand");
        }
    }

    #[test]
    fn no_choice_lies_about_money() {
        let chaos = Chaos::wild(3);
        for number in 0..5_000 {
            let id = format!("600999_Org_{number}");
            for behaviour in [chaos.payment(&id, 0), chaos.question(&id, 0)] {
                if let Answer::Instead(code) = &behaviour.answer {
                    assert_eq!(outcome::answer(code).class, AnswerClass::Doubt, "{code}");
                }
                if let Act::Refuse(code) | Act::Fail(code) = &behaviour.act {
                    assert!(!outcome::answer(code).blame.stops_the_rail(), "{code}");
                    assert!(!outcome::result(code).blame.stops_the_rail(), "{code}");
                }
                let forgotten = behaviour.act == Act::Forget;
                let answered = matches!(behaviour.answer, Answer::Now | Answer::After(_));
                assert!(!(forgotten && answered), "an answer to what was forgotten");
            }
            let question = chaos.question(&id, 0);
            assert!(!matches!(question.result, Results::Contradicting(_)));
        }
    }

    #[test]
    fn without_faults_and_once_calm_everything_is_carried_out() {
        let kinds = |chooser: &Chooser| -> BTreeSet<String> {
            (0..500)
                .flat_map(|number| {
                    let id = format!("id-{number}");
                    let paid = chooser.payment(&id, None, None);
                    let asked = chooser.question(&format!("q-{number}"), &id, None);
                    [paid, asked].map(|b| {
                        format!("{} {} {}", name(&b.act), name(&b.answer), name(&b.result))
                    })
                })
                .collect()
        };
        let ordinary = BTreeSet::from(["Pay Now Once".to_owned()]);
        assert_eq!(kinds(&Chooser::new(None)), ordinary);
        assert_eq!(kinds(&Chooser::new(Some(Chaos::none(1)))), ordinary);
        let chooser = Chooser::new(Some(Chaos::wild(1)));
        assert!(kinds(&chooser).len() > 50);
        chooser.calm();
        assert_eq!(kinds(&chooser), ordinary);
        assert_eq!(chooser.refusal(Some("id-1")), Answer::Now);
    }

    #[test]
    fn what_is_laid_down_goes_before_the_phone_and_the_phone_before_the_seed() {
        let chooser = Chooser::new(Some(Chaos::wild(1)));
        let phone: Msisdn = "254722000005".parse().expect("a phone");
        let forget = Behaviour { act: Act::Forget, ..Behaviour::ORDINARY };
        let fail = Behaviour { act: Act::Fail("1".into()), ..Behaviour::ORDINARY };
        let twice = Behaviour { result: Results::Twice, ..Behaviour::ORDINARY };
        assert_eq!(
            chooser.payment("b", Some(phone), Some(&twice)),
            twice,
            "a rule, then the phone"
        );
        chooser.script_payment("a", forget.clone());
        chooser.script_payment("a", fail.clone());
        assert!(chooser.is_scripted("a") && !chooser.is_scripted("b"));
        chooser.script_question("a", fail.clone());
        assert_eq!(chooser.payment("a", Some(phone), None), forget);
        assert_eq!(chooser.payment("a", Some(phone), None), fail);
        assert_eq!(chooser.payment("a", Some(phone), None), Behaviour::of(phone));
        assert_eq!(chooser.question("q", "a", None), fail);
        assert!(lock(&chooser.scripted).is_empty());
    }
}
