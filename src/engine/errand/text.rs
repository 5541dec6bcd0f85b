//! Text messages: each sent once, or not at all.

use super::{Engine, Errand, NotApplied, moved};
use crate::domain::id::TextId;
use crate::domain::retry;
use crate::domain::subject::Subject;
use crate::domain::text::{Event, State, Text};
use crate::engine::port::TextOutcome;

impl Engine {
    /// Looks at a text message whose time may have come.
    pub(in crate::engine) async fn wake_text(&self, id: TextId) -> Result<(), NotApplied> {
        let Some(kept) = self.parts.store.text(id).await? else {
            return Ok(());
        };
        let (subject, now) = (Subject::Text(id), self.parts.clock.now());
        match &kept.value.state {
            State::Queued { not_before, .. } if retry::is_due(*not_before, now) => {
                self.offer_to(Errand::Texts, subject);
            }
            State::Sending { lease, .. } if lease.until <= now => {
                if lease.owner == self.run && self.errands.work_on(subject) {
                    self.timers.add(now.after(super::STORE_PAUSE), subject);
                } else {
                    let lapsed = Event::LeaseLapsed { lease: *lease };
                    self.apply_life::<Text>(id, &lapsed, &[]).await?;
                }
            }
            State::Queued { .. } | State::Sending { .. } => {
                if let Some(at) = kept.value.state.wakes_at() {
                    self.timers.add(at, subject);
                }
            }
            State::Sent { .. } | State::Failed { .. } | State::Unknown { .. } => {}
        }
        Ok(())
    }

    /// Sends a text message, if it is still to be sent.
    pub(super) async fn send_text(&self, id: TextId) -> Result<(), NotApplied> {
        let Some(notifier) = self.notifier() else {
            return Ok(());
        };
        let (lease, until) = self.lease_for(notifier.longest_send());
        let came = self.apply_life::<Text>(id, &Event::SendStarted { lease }, &[]).await;
        if came.is_err() {
            self.timers.add(until, id);
        }
        let Some((text, proof)) = moved(came?) else {
            return Ok(());
        };
        let attempt = text.state.tries().attempts;
        if text.status().is_final() {
            return Ok(());
        }
        let event = match self.on_the_wire(notifier.send(&text, proof)).await {
            TextOutcome::Answered(answer) => Event::Answered { attempt, answer },
            TextOutcome::NothingSent(why) => Event::NothingSent { attempt, why },
            TextOutcome::NoAnswer(why) => Event::NoAnswer { attempt, why },
        };
        self.write_reply::<Text>(id, &event, None).await
    }
}
