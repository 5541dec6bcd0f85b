//! One payout and all that has to do with it: its record, the gateway's work on it, what is on the
//! way, and M-Pesa.

use mlango::domain::payout::{
    AskBy, Doubt, Effect, Event, Lease, NotFoundRule, Payout, Policy, State, Status, Verdict,
    WhyNoAnswer, WhyNothingSent, ask_by, law, step,
};
use mlango::domain::time::Timestamp;

use crate::canon;
use crate::facts::{self, Answer, NOW, ON_THE_WAY, Told, Word};

/// How a payout moves: the domain's own function, or one that is broken on purpose.
pub(crate) type Step = fn(&Payout, &Event, &Policy, Timestamp) -> Verdict;

/// What is modelled in a run.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) step: Step,
    pub(crate) policy: Policy,
    /// Whether the engine refuses a step that would break a law. Without it, the properties about
    /// money stand alone.
    pub(crate) guarded: bool,
    /// How many sends may begin.
    pub(crate) attempts: u32,
    pub(crate) mpesa: Mpesa,
    pub(crate) faults: Faults,
    pub(crate) gateway: Gateway,
}

/// What is assumed of M-Pesa and of the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mpesa {
    /// Whether it carries out an OriginatorConversationID once at most. If not, it carries out
    /// every request that arrives.
    pub(crate) knows_copies: bool,
    /// Whether the broker may hold a request as long as it likes to although the gateway has not
    /// heard its 100000000.
    pub(crate) holds_in_silence: bool,
    /// Whether the broker's word that it gave up on a request may still come when the next send of
    /// the same payout has begun.
    pub(crate) gives_up_late: bool,
    /// For how many ticks a request may be on its way.
    pub(crate) on_the_way: u8,
}

/// What may go wrong, besides what always may: lost requests, lost answers, lost results, results
/// and answers again and again, in any order and at any time, and refusals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// A commit is on the disk and the gateway is told that it failed.
    pub(crate) broken_commits: bool,
    /// An outcome is never written down, though the gateway goes on.
    pub(crate) lost_outcomes: bool,
    /// Answers that leave it open what was done.
    pub(crate) doubtful_answers: bool,
    /// Results that leave it open what was done.
    pub(crate) doubtful_results: bool,
    /// Messages with another amount, or about another payment.
    pub(crate) mix_ups: bool,
    /// Codes that say that a credential is wrong.
    pub(crate) credentials: bool,
    /// Questions that fail.
    pub(crate) failing_questions: bool,
    /// The broker holds requests.
    pub(crate) holding: bool,
    /// Requests of which not a byte leaves.
    pub(crate) dead_link: bool,
    /// Somebody cancels, or has M-Pesa asked early.
    pub(crate) people: bool,
    /// Fourteen or fifteen days pass at once.
    pub(crate) leaps: bool,
}

impl Mpesa {
    /// As it is documented: it carries out an OriginatorConversationID once at most.
    pub(crate) const DOCUMENTED: Self = Self {
        knows_copies: true,
        holds_in_silence: false,
        gives_up_late: false,
        on_the_way: ON_THE_WAY,
    };
    /// It carries out every request that arrives.
    pub(crate) const CRUEL: Self = Self { knows_copies: false, ..Self::DOCUMENTED };
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        broken_commits: false,
        lost_outcomes: false,
        doubtful_answers: false,
        doubtful_results: false,
        mix_ups: false,
        credentials: false,
        failing_questions: false,
        holding: false,
        dead_link: false,
        people: false,
        leaps: false,
    };
    pub(crate) const ALL: Self = Self {
        broken_commits: true,
        lost_outcomes: true,
        doubtful_answers: true,
        doubtful_results: true,
        mix_ups: true,
        credentials: true,
        failing_questions: true,
        holding: true,
        dead_link: true,
        people: true,
        leaps: true,
    };
}

/// How the gateway behaves around `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// As `engine` does.
    AsBuilt,
    /// It sends although it does not know that the beginning is on the disk.
    SendsUnwritten,
    /// After a crash it sends again what it finds in `sending`.
    ResumesSends,
}

/// One payout's part of the world. `Ord` is of no meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Local {
    /// What is on the disk.
    pub(crate) state: State,
    /// What this run does about a send; gone in a crash.
    pub(crate) send: Send,
    /// What this run does about a question; gone in a crash.
    pub(crate) ask: Ask,
    /// The requests on their way.
    pub(crate) requests: Vec<Request>,
    /// Whether the last question is on its way, also once more.
    pub(crate) question: bool,
    /// Whether the last question arrived.
    pub(crate) heard: bool,
    /// Whether "no such transaction" was said to the last question.
    pub(crate) absent: bool,
    /// What the broker holds, and for how many ticks at most.
    pub(crate) held: Vec<u8>,
    /// Whether the broker gave up on a request.
    pub(crate) gave_up: bool,
    /// What the core has taken.
    pub(crate) jobs: Vec<Job>,
    /// What went wrong on the way here.
    pub(crate) wrong: Option<Wrong>,
}

/// A send of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Send {
    Idle,
    /// Its beginning is on the disk.
    Begun(u32),
    /// Bytes have left, and the answer is awaited.
    OnTheWire(u32),
    /// What became of it is known and not yet written down.
    Over(u32, Outcome),
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Answered(Answer),
    NothingSent,
    NoAnswer,
}

/// A question of this run, the last one. That it waits for an answer is of no consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Idle,
    /// It is on the disk.
    Begun,
}

/// A request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    /// Whether the send that it is of still waits for its answer.
    pub(crate) awaited: bool,
    /// For how many more ticks it may arrive.
    pub(crate) ticks: u8,
}

/// What the core does with a request that it has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Job {
    InHand,
    Paid,
    NotPaid,
}

/// A property of a step that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wrong {
    /// A law of `domain::payout::law`.
    Law(&'static str),
    /// Something final changed.
    Final,
}

/// What leads from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// The beginning of a send is committed; whether the gateway learns so.
    Begin {
        told: bool,
    },
    Cancel,
    /// Bytes leave.
    Transmit,
    NothingLeaves,
    AnswerLost,
    /// The outcome of a send is committed; whether the gateway learns so.
    WriteOutcome {
        told: bool,
    },
    ForgetOutcome,
    /// A send of an earlier run goes on, as it must not.
    Resume,
    Lapse,
    Overdue,
    AskWanted,
    /// A question is committed; whether the gateway learns so.
    Ask {
        told: bool,
    },
    QuestionLeaves,
    QuestionDoesNotLeave,
    /// A request arrives: whether the core takes it, and the answer; none when that is lost.
    Arrive {
        taken: bool,
        answer: Option<Answer>,
    },
    /// The broker holds a request; whether its answer is lost.
    Hold {
        lost: bool,
    },
    PassOn,
    GiveUp,
    Pay,
    Decline,
    /// A question arrives, and M-Pesa looks the payment up.
    LookUp,
    /// A question arrives, and M-Pesa has forgotten the payment.
    Forgotten,
    /// A question is not taken.
    TurnedAway(TurnedAway),
    Hear(Word),
    Told(Told, u32),
}

/// Why M-Pesa has not got a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// Nothing left, or the broker gave up on it.
    NotSent,
    Busy,
    Credential,
}

/// What an edge asks of the rail's gate, and does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Nothing,
    /// It must be open.
    MustBeOpen,
    /// It must be shut.
    MustBeShut,
    /// It is shut, and that is not on the disk.
    Heed,
    /// It is shut, and that is on the disk.
    Stop,
}

/// A step of one payout.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) label: Label,
    pub(crate) gate: Gate,
    /// Whether it begins one send too many for the bound of the run.
    pub(crate) is_beyond: bool,
    pub(crate) to: Local,
}

impl Setting {
    /// The gateway as built, with the domain's own `step`.
    pub(crate) fn real(rule: NotFoundRule, attempts: u32, mpesa: Mpesa, faults: Faults) -> Self {
        let policy = facts::policy(rule);
        let gateway = Gateway::AsBuilt;
        Self { step, policy, guarded: true, attempts, mpesa, faults, gateway }
    }

    /// The same over a rail whose requests do not carry our name (Daraja's B2C v1).
    pub(crate) fn unnamed(attempts: u32, mpesa: Mpesa, faults: Faults) -> Self {
        let mut setting = Self::real(NotFoundRule::Resend, attempts, mpesa, faults);
        setting.policy.unnamed = vec![mlango::domain::payout::Rail::Soap];
        setting
    }

    /// What an event does to `local`: its record moved, or as it was. With it, whether the rail is
    /// stopped by it.
    pub(crate) fn apply(&self, local: &Local, event: &Event) -> (Local, bool) {
        let mut next = local.clone();
        let verdict = facts::with(local.state.clone(), |before, after| {
            let verdict = (self.step)(before, event, &self.policy, NOW);
            let Verdict::Moved { state, effects, .. } = verdict else {
                return None;
            };
            let mut wrong = None;
            if before.status().is_final() && state != before.state {
                wrong = Some(Wrong::Final);
            }
            after.state = state;
            if self.guarded
                && let Err(broken) = law::check(before, event, after, &effects)
            {
                wrong = Some(Wrong::Law(words(broken)));
            }
            let stops = effects.iter().any(|effect| matches!(effect, Effect::StopRail { .. }));
            Some((after.state.clone(), stops, wrong))
        });
        let Some((state, stops, wrong)) = verdict else {
            return (next, false);
        };
        next.wrong = wrong;
        next.state = canon::at(state, NOW);
        if !next.has_last_question() {
            next.overtake();
        }
        (next, stops)
    }
}

fn words(broken: law::Broken) -> &'static str {
    match broken {
        law::Broken::OneName => "one name",
        law::Broken::SendFromQueuedOnly => "send from queued only",
        law::Broken::RequeueOnProofOnly => "requeue on proof only",
        law::Broken::AttemptsNeverShrink => "attempts never shrink",
        law::Broken::FinalIsFinal => "final is final",
        law::Broken::SucceededOnEvidenceOnly => "succeeded on evidence only",
        law::Broken::FailedOnEvidenceOnly => "failed on evidence only",
        law::Broken::CancelledUnsentOnly => "cancelled unsent only",
        law::Broken::CredentialStopsTheRail => "credential stops the rail",
    }
}

impl Local {
    /// A payout that was just taken.
    pub(crate) fn new() -> Self {
        Self {
            state: canon::at(facts::taken(), NOW),
            send: Send::Idle,
            ask: Ask::Idle,
            requests: vec![],
            question: false,
            heard: false,
            absent: false,
            held: vec![],
            gave_up: false,
            jobs: vec![],
            wrong: None,
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.state.status()
    }

    /// By what M-Pesa can be asked about it.
    pub(crate) fn asks_by(&self, policy: &Policy) -> Option<AskBy> {
        facts::with(self.state.clone(), |payout, _copy| ask_by(payout, policy, NOW))
    }

    pub(crate) fn debits(&self) -> usize {
        self.jobs.iter().filter(|job| **job == Job::Paid).count()
    }

    /// Whether money may still move, without another send.
    pub(crate) fn may_still_pay(&self, mpesa: &Mpesa) -> bool {
        let is_new = self.jobs.is_empty() || !mpesa.knows_copies;
        let may_come = is_new && !(self.requests.is_empty() && self.held.is_empty());
        may_come || self.jobs.contains(&Job::InHand)
    }

    pub(crate) const fn has_last_question(&self) -> bool {
        match &self.state {
            State::Unknown { inquiry, .. } => inquiry.last.is_some(),
            _ => false,
        }
    }

    /// The last question is an earlier one from now on.
    pub(crate) fn overtake(&mut self) {
        self.absent = false;
        self.question = false;
        self.heard = false;
        self.ask = Ask::Idle;
    }

    /// The send no longer waits for its answer: nobody will read it. With `mpesa`'s promise that
    /// what it holds without our knowing does not stay with it for long.
    pub(crate) fn hang_up(&mut self, mpesa: &Mpesa) {
        for request in &mut self.requests {
            request.awaited = false;
        }
        self.requests.sort_unstable();
        let holds = matches!(self.send, Send::Over(_, Outcome::Answered(Answer::Cached)));
        let is_written = matches!(&self.state, State::Unknown { why: Doubt::Cached, .. });
        if holds && !is_written && !mpesa.holds_in_silence {
            for ticks in &mut self.held {
                *ticks = (*ticks).min(mpesa.on_the_way);
            }
            self.held.sort_unstable();
        }
    }

    /// The gateway stops at once and is started again. What it had not written down is lost.
    pub(crate) fn crash(&self, mpesa: &Mpesa) -> Self {
        let mut after = self.clone();
        after.hang_up(mpesa);
        after.send = Send::Idle;
        after.ask = Ask::Idle;
        if let State::Sending { lease, .. } = &mut after.state {
            lease.owner = facts::earlier_run();
        }
        after
    }

    /// Time passes: `ticks` of it for what is on its way; `now` is the new time.
    pub(crate) fn pass(&self, mpesa: &Mpesa, ticks: u8, now: Timestamp) -> Self {
        let mut after = self.clone();
        after.requests = after
            .requests
            .iter()
            .filter_map(|request| {
                let ticks = request.ticks.checked_sub(ticks)?;
                Some(Request { ticks, ..*request })
            })
            .collect();
        let held = after.held.len();
        after.held = after.held.iter().filter_map(|left| left.checked_sub(ticks)).collect();
        after.gave_up |= after.held.len() < held;
        // Every send has a deadline that is shorter than this, and ends with its lease.
        match self.send {
            Send::Begun(attempt) => after.send = Send::Over(attempt, Outcome::NothingSent),
            Send::OnTheWire(attempt) => {
                after.hang_up(mpesa);
                after.send = Send::Over(attempt, Outcome::NoAnswer);
            }
            Send::Idle | Send::Over(..) => {}
        }
        after.ask = Ask::Idle;
        // No question is on its way for a day.
        after.question &= ticks < u8::MAX;
        after.state = canon::at(after.state, now);
        after
    }

    /// Whether a question before the last one was put.
    pub(crate) const fn has_earlier_question(&self) -> bool {
        match &self.state {
            State::Queued { tries, .. }
            | State::Sending { tries, .. }
            | State::Accepted { tries, .. }
            | State::Unknown { tries, .. } => tries.questions > 0,
            // It no longer says so.
            State::Succeeded { .. } | State::Failed { .. } => true,
            State::AwaitingApproval { .. } | State::Cancelled { .. } => false,
        }
    }

    pub(crate) fn lease() -> Lease {
        Lease { owner: facts::this_run(), until: NOW.after(facts::TICK) }
    }
}

impl Outcome {
    pub(crate) fn event(self, attempt: u32) -> Event {
        match self {
            Self::Answered(answer) => Event::Answered { attempt, answer: answer.facts() },
            Self::NothingSent => Event::NothingSent { attempt, why: WhyNothingSent::Connect },
            Self::NoAnswer => Event::NoAnswer { attempt, why: WhyNoAnswer::Timeout },
        }
    }
}
