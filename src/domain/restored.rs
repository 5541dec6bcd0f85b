//! What a restored back-up makes of what was not final when it was taken.
//!
//! A back-up does not know what happened after it. Whatever it holds as "not sent yet" may have
//! been sent since, and paid. That is just what a send is whose sender is gone, so that is what it
//! becomes: a send has begun, at the earliest when the back-up was taken, and its owner, who is
//! nobody, has lost it. At the next start such sends are put in doubt (law 2), M-Pesa is asked,
//! and nothing is sent again but on its word.
//!
//! Questions that the original asked after the back-up may still be answered. Theirs must not be
//! taken for answers to ours, so the numbers of questions go on far beyond any that it can have
//! used.
//!
//! What is held for approval stays held: to send it needs a person.

use std::time::Duration;

use super::id::RunId;
use super::inquiry::{self, Inquiry};
use super::payment::{self, Payment};
use super::payout::{self, Lease, Payout};
use super::text::{self, Text};
use super::time::Timestamp;

/// How far the numbers of questions jump: in doubt, a payout is asked about some twenty times in
/// all.
const QUESTIONS_LEAP: u32 = 1_000;

/// A back-up and its restoration.
#[derive(Clone, Copy, Debug)]
pub struct Restoration {
    /// When the back-up was taken: what it holds as not sent can have been sent from then on.
    pub taken_at: Timestamp,
    /// When it is restored: by then whoever sent from the original has stopped.
    pub at: Timestamp,
    /// An owner of leases that no run of the program has.
    pub nobody: RunId,
    /// How long a request that was sent may still arrive at M-Pesa.
    pub arrival_window: Duration,
}

impl Restoration {
    const fn lease(&self) -> Lease {
        Lease { owner: self.nobody, until: self.at }
    }

    /// When something can first have been sent that was to wait until `not_before`.
    fn sent_from(&self, not_before: Timestamp) -> Timestamp {
        self.taken_at.max(not_before).min(self.at)
    }

    /// Where a payout stands now; `None` where it stood.
    pub fn payout(&self, payout: &Payout) -> Option<payout::State> {
        use payout::State;
        let leap = |tries: &payout::Tries| payout::Tries {
            questions: tries.questions.saturating_add(QUESTIONS_LEAP),
            ..*tries
        };
        match &payout.state {
            State::Queued { not_before, tries } => {
                let tries = payout::Tries {
                    attempts: tries.attempts.saturating_add(1),
                    sent_at: tries.sent_at.or_else(|| Some(self.sent_from(*not_before))),
                    ..leap(tries)
                };
                Some(State::Sending { tries, lease: self.lease() })
            }
            State::Sending { tries, lease } => {
                Some(State::Sending { tries: leap(tries), lease: *lease })
            }
            State::Accepted { tries, conversation, overdue_at } => Some(State::Accepted {
                tries: leap(tries),
                conversation: conversation.clone(),
                overdue_at: *overdue_at,
            }),
            State::Unknown { .. } => {
                let mut state = payout.state.clone();
                if let State::Unknown { tries, arrives_until, .. } = &mut state {
                    *tries = leap(tries);
                    // The original may have learnt that M-Pesa had none, and sent it again.
                    *arrives_until = (*arrives_until).max(self.at.after(self.arrival_window));
                }
                Some(state)
            }
            State::AwaitingApproval { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => None,
        }
    }

    /// Where a payment stands now; `None` where it stood.
    pub fn payment(&self, payment: &Payment) -> Option<payment::State> {
        use payment::State;
        match &payment.state {
            State::Waiting { not_before, tries } => {
                let tries = payment::Tries {
                    attempts: tries.attempts.saturating_add(1),
                    sent_at: Some(self.sent_from(*not_before)),
                    ..*tries
                };
                Some(State::Sending { tries, lease: self.lease() })
            }
            State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Joined { .. } => None,
        }
    }

    /// Where an inquiry stands now; `None` where it stood.
    pub fn inquiry(&self, inquiry: &Inquiry) -> Option<inquiry::State> {
        use inquiry::State;
        let leap = |tries: &inquiry::Tries| inquiry::Tries {
            questions: tries.questions.saturating_add(QUESTIONS_LEAP),
            ..*tries
        };
        match &inquiry.state {
            State::Queued { tries, .. } => {
                let attempts = tries.attempts.saturating_add(1);
                let tries = inquiry::Tries { attempts, ..leap(tries) };
                Some(State::Sending { tries, lease: self.lease() })
            }
            State::Sending { tries, lease } => {
                Some(State::Sending { tries: leap(tries), lease: *lease })
            }
            State::Accepted { .. } | State::Unknown { .. } => {
                let mut state = inquiry.state.clone();
                if let State::Accepted { tries, .. } | State::Unknown { tries, .. } = &mut state {
                    *tries = leap(tries);
                }
                Some(state)
            }
            State::Succeeded { .. } | State::Failed { .. } => None,
        }
    }

    /// Where a text message stands now; `None` where it stood.
    pub fn text(&self, text: &Text) -> Option<text::State> {
        use text::State;
        match &text.state {
            State::Queued { tries, .. } => {
                let attempts = tries.attempts.saturating_add(1);
                let tries = text::Tries { attempts, ..*tries };
                Some(State::Sending { tries, lease: self.lease() })
            }
            State::Sending { .. }
            | State::Sent { .. }
            | State::Failed { .. }
            | State::Unknown { .. } => None,
        }
    }
}
