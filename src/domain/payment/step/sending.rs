//! The events of a send: it starts, it is answered, it fails, it lapses.
//!
//! A prompt has no name of ours towards M-Pesa: the same request twice is two prompts, and can be
//! two debits (spec/daraja.md §0.3, §1.2). So it is sent again only when it is proven that nothing
//! was taken.

use super::{Moment, Verdict, contradiction, described};
use crate::domain::outcome::{self, AnswerClass, Blame};
use crate::domain::payment::effect::{Effect, Notice};
use crate::domain::payment::event::AnswerFacts;
use crate::domain::payment::state::{Doubt, Failure, State, Tries};
use crate::domain::payment::step::Forbidden;
use crate::domain::payout::{CaseKind, Lease, Stage, WhyNothingSent};
use crate::domain::retry;

/// How often a prompt may be put back because nothing was taken. With pauses that double from a
/// second, that is half a minute: whoever waits at the counter should rather see an error.
pub const PUT_BACK_MAX: u32 = 5;

impl Moment<'_> {
    pub(super) fn send_started(&self, lease: Lease) -> Verdict {
        match &self.payment.state {
            State::Waiting { .. } if self.is_too_late() => {
                self.fail(not_sent("it was too late to prompt the payer"), None, vec![])
            }
            State::Waiting { not_before, .. } if !retry::is_due(*not_before, self.now) => {
                Verdict::Forbidden(Forbidden::NotDue)
            }
            State::Waiting { tries, .. } => {
                let attempt = tries.attempts.saturating_add(1);
                let tries = Tries { attempts: attempt, sent_at: Some(self.now), ..*tries };
                Verdict::Moved {
                    state: State::Sending { tries, lease },
                    notice: Notice::Sending,
                    effects: vec![Effect::Transmit { attempt }, Effect::WakeAt(lease.until)],
                }
            }
            State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Joined { .. } => Verdict::Forbidden(Forbidden::NotWaiting),
        }
    }

    fn is_too_late(&self) -> bool {
        self.now.since(self.payment.details.created_at) >= self.policy.prompt_window
    }

    pub(super) fn answered(&self, attempt: u32, answer: &AnswerFacts) -> Verdict {
        let class = answer.class();
        // Whether the answer rules out that the payer was prompted.
        let refuses = matches!(class, AnswerClass::Refused | AnswerClass::TryLater);
        match &self.payment.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.answered_in_time(*tries, answer)
            }
            State::Waiting { .. } | State::Sending { .. } if refuses => {
                Verdict::Noted("an earlier send was refused, as was known")
            }
            // Whatever was thought of that send: the payer may have a prompt, and must not get
            // another.
            State::Waiting { .. } => {
                let case = Effect::OpenCase(CaseKind::Contradiction);
                let why = Doubt::Answer { code: answer.code.clone() };
                self.doubt(why, answer.prompt(), vec![case])
            }
            State::Sending { .. } => {
                self.contradicts("an earlier send was known to have taken nothing", answer)
            }
            State::Prompted { .. } if refuses => {
                self.contradicts("M-Pesa took the request before", answer)
            }
            State::Unknown { tries, prompt: None, why, .. }
                if tries.attempts == attempt && refuses && is_unheard(why) =>
            {
                self.fail(self.refused_with(answer), None, vec![])
            }
            State::Unknown { tries, .. } if tries.attempts == attempt && !refuses => self
                .learn(answer.prompt())
                .unwrap_or(Verdict::Noted("an answer after the doubt settles nothing")),
            State::Prompted { .. } | State::Unknown { .. } => {
                Verdict::Noted("an answer after the doubt settles nothing")
            }
            State::Succeeded { .. } if refuses => self.contradicts("it is paid", answer),
            State::Succeeded { .. } => Verdict::Noted("the answer came after the callback"),
            State::Failed { failure, .. }
                if failure.stage == Stage::Request && class == AnswerClass::Taken =>
            {
                self.contradicts("M-Pesa had not taken the request", answer)
            }
            State::Failed { .. } => Verdict::Noted("the answer came after the end"),
            State::Joined { .. } => Verdict::Noted("it was joined to another payment"),
        }
    }

    fn answered_in_time(&self, tries: Tries, answer: &AnswerFacts) -> Verdict {
        match (answer.class(), answer.prompt()) {
            (AnswerClass::Taken, Some(prompt)) => {
                let asking = self.first_question(Some(&prompt));
                let effects = asking.ask_at.map(Effect::WakeAt).into_iter().collect();
                Verdict::Moved {
                    state: State::Prompted { tries, prompt, asking },
                    notice: Notice::Prompted,
                    effects,
                }
            }
            // Taken without an id is as good as an answer that was not heard: M-Pesa cannot be
            // asked about it.
            (AnswerClass::Taken | AnswerClass::Cached | AnswerClass::Doubt, prompt) => {
                self.doubt(Doubt::Answer { code: answer.code.clone() }, prompt, vec![])
            }
            (AnswerClass::TryLater, _) => self.put_back(tries, self.refused_with(answer)),
            (AnswerClass::Refused, _) => self.fail(self.refused_with(answer), None, vec![]),
        }
    }

    pub(super) fn nothing_sent(&self, attempt: u32, why: WhyNothingSent) -> Verdict {
        match &self.payment.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.put_back(*tries, not_sent(why.kept_from_sending()))
            }
            State::Prompted { tries, .. } if tries.attempts == attempt => contradiction(
                CaseKind::Contradiction,
                "M-Pesa has the request, yet not one byte of it is known to have left",
            ),
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Joined { .. } => Verdict::Noted("a send of which nothing left had ended"),
        }
    }

    /// Nothing was taken: it may go again, a few times and not for long.
    fn put_back(&self, tries: Tries, failure: Failure) -> Verdict {
        let put_back = tries.put_back.saturating_add(1);
        let not_before = retry::resend_at(self.now, put_back);
        let waited = not_before.since(self.payment.details.created_at);
        if put_back > PUT_BACK_MAX || waited >= self.policy.prompt_window {
            return self.fail(failure, None, vec![]);
        }
        let tries = Tries { put_back, sent_at: None, ..tries };
        Verdict::Moved {
            state: State::Waiting { not_before, tries },
            notice: Notice::PutBack,
            effects: vec![Effect::WakeAt(not_before)],
        }
    }

    pub(super) fn no_answer(&self, attempt: u32) -> Verdict {
        match &self.payment.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.doubt(Doubt::NoAnswer, None, vec![])
            }
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Joined { .. } => Verdict::Noted("a send without an answer had ended"),
        }
    }

    pub(super) fn lease_lapsed(&self, lapsed: Lease) -> Verdict {
        match &self.payment.state {
            State::Sending { lease, .. } if *lease == lapsed => {
                self.doubt(Doubt::LeaseLapsed, None, vec![])
            }
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Joined { .. } => Verdict::Stale,
        }
    }

    /// What M-Pesa's refusal of a prompt makes of its payment.
    fn refused_with(&self, answer: &AnswerFacts) -> Failure {
        let meaning = outcome::answer(&answer.code);
        let pause = outcome::prompt_again_after(&answer.code);
        Failure {
            stage: Stage::Request,
            code: answer.code.clone(),
            description: described(&answer.description, meaning.says),
            retryable: pause.is_some() || meaning.blame.is_retryable(),
            retry_at: pause.map(|pause| self.now.after(pause)),
        }
    }

    fn contradicts(&self, known: &str, answer: &AnswerFacts) -> Verdict {
        let says = format!("{known}, and an answer with code {:?} came", answer.code);
        contradiction(CaseKind::Contradiction, says)
    }
}

fn not_sent(why: &str) -> Failure {
    Failure {
        stage: Stage::Request,
        code: "not_sent".to_owned(),
        description: format!("the payer was not prompted: {why}"),
        retryable: Blame::Capacity.is_retryable(),
        retry_at: None,
    }
}

/// Whether it is only not known what M-Pesa answered: it has said nothing of the prompt.
const fn is_unheard(why: &Doubt) -> bool {
    matches!(why, Doubt::NoAnswer | Doubt::LeaseLapsed)
}
