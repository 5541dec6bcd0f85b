//! Payouts put straight into a store, as the gateway would have left them: with their idempotency
//! keys, their events and their wire messages.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::{Clock, SystemClock};
use mlango::domain::id::{
    AppId, ConversationId, EventId, MessageId, OriginatorConversationId, PayoutId, Receipt,
};
use mlango::domain::money::Amount;
use mlango::domain::party::{Msisdn, PersonName};
use mlango::domain::payout::{
    Command, Details, Metadata, Notice, Payout, Rail, Settled, State, Tries,
};
use mlango::domain::time::Timestamp;
use mlango::engine::port::Ids;
use mlango::ids::RandomIds;
use mlango::store::{Channel, Claim, Commit, Direction, Message, NewEvent, PayoutWrite, Store};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::home::KeyedApp;
use super::wire::{Facts, Messages};

/// How many payouts one commit holds.
const PER_COMMIT: u64 = 128;
/// How many commits are under way: enough to keep the writer busy.
const UNDER_WAY: usize = 4;
/// Results are not overdue before the bench is over.
const OVERDUE: Duration = Duration::from_secs(24 * 3_600);
const TRIED_ONCE: Tries = Tries { attempts: 1, ..Tries::NONE };

/// Where payouts are left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Their results are awaited.
    Accepted,
    /// They are paid.
    Succeeded,
}

/// A payout that was put there.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: PayoutId,
    pub reference: String,
    pub facts: Facts,
}

/// Puts payouts into stores.
pub struct Filler {
    ids: RandomIds,
    messages: Messages,
    apps: Vec<AppId>,
    made: u64,
}

impl Filler {
    /// For payouts of these applications, by turns; the last one, which only reads, has none.
    pub fn new(apps: &[KeyedApp]) -> Self {
        let submitting = apps.iter().take(apps.len() - 1);
        Self {
            ids: RandomIds::default(),
            messages: Messages::new(SystemClock.now()),
            apps: submitting.map(|it| it.app.id).collect(),
            made: 0,
        }
    }

    /// The `n`th application whose payouts there are.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Puts `count` there, and remembers one in `keep` of them.
    pub async fn fill(
        &mut self,
        store: &Arc<dyn Store>,
        count: u64,
        ends: Ends,
        keep: u64,
    ) -> Vec<Known> {
        let places = Arc::new(Semaphore::new(UNDER_WAY));
        let mut commits = JoinSet::new();
        let mut known = Vec::new();
        let mut left = count;
        while left > 0 {
            let some = left.min(PER_COMMIT);
            left -= some;
            let mut commit = Commit::default();
            for _ in 0..some {
                let one = self.add(&mut commit, ends);
                if self.made.is_multiple_of(keep) {
                    known.push(one);
                }
            }
            let place = Arc::clone(&places).acquire_owned().await.expect("a place");
            let store = Arc::clone(store);
            commits.spawn(async move {
                let _durable = store.commit(commit).await.expect("payouts are kept");
                drop(place);
            });
        }
        while let Some(done) = commits.join_next().await {
            done.expect("a commit ends");
        }
        known
    }

    fn add(&mut self, commit: &mut Commit, ends: Ends) -> Known {
        let n = self.made;
        self.made += 1;
        let now = SystemClock.now();
        let details = self.details(n, now);
        let id = details.id;
        let known = Known {
            id,
            reference: details.reference.clone(),
            facts: Facts {
                name: details.originator_conversation_id.as_str().to_owned(),
                conversation: format!("AG_20260105_{n:020x}"),
                receipt: format!("TA{n:08}"),
                phone: details.phone.number(),
                amount: details.amount.to_string(),
            },
        };
        let mut fingerprint = [0; 32];
        fingerprint[..16].copy_from_slice(&id.bytes());
        commit.claims.push(Claim {
            app: details.app,
            key: format!("fill-{n:012}"),
            fingerprint,
            made: id.into(),
        });
        let history = self.history(&known, ends, now);
        for (notice, says, message) in history {
            let of = message.as_ref().map(|message| message.id);
            commit.events.push(NewEvent {
                id: EventId::from_bytes(self.ids.fresh(now)),
                at: now,
                kind: notice.as_str().to_owned(),
                app: Some(details.app),
                about: Some(id.into()),
                status: None,
                says: says.to_owned(),
                code: message.as_ref().map(|_| "0".to_owned()),
                messages: of.into_iter().collect(),
            });
            commit.messages.extend(message);
        }
        let payout = Payout { state: state(&known.facts, ends, now), details, updated_at: now };
        commit.payouts.push(PayoutWrite { payout, expected_version: 0 });
        known
    }

    fn details(&self, n: u64, now: Timestamp) -> Details {
        let id = PayoutId::from_bytes(self.ids.fresh(now));
        Details {
            id,
            app: self.apps[n as usize % self.apps.len()],
            amount: Amount::from_shillings(100 + n % 5_000),
            phone: Msisdn::from_number(254_720_000_000 + n.wrapping_mul(7_919) % 1_000_000 * 10)
                .expect("a phone"),
            command: Command::BusinessPayment,
            // Ten payouts of one application have each.
            reference: format!("INV-{}-{}", n % 4, n / 40),
            remarks: "March commission".to_owned(),
            occasion: String::new(),
            metadata: Metadata::from([("branch".to_owned(), "Nakuru".to_owned())]),
            rail: Rail::Soap,
            batch: None,
            originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
            created_at: id.made_at(),
        }
    }

    fn history(
        &self,
        known: &Known,
        ends: Ends,
        now: Timestamp,
    ) -> Vec<(Notice, &'static str, Option<Message>)> {
        let message = |direction, channel, body| {
            Some(Message {
                id: MessageId::from_bytes(self.ids.fresh(now)),
                at: now,
                direction,
                channel,
                peer: (channel == Channel::Result).then(|| "192.0.2.49".to_owned()),
                certificate: None,
                http_status: (channel == Channel::Answer).then_some(200),
                about: Some(known.id.into()),
                body,
            })
        };
        let facts = &known.facts;
        let request = self.messages.request.fill(facts);
        let answer = self.messages.answer.fill(facts);
        let (out, into) = (Direction::Out, Direction::In);
        let mut history = vec![
            (Notice::Queued, "taken, on the disk, nothing sent", None),
            (Notice::Sending, "send 1 begins", message(out, Channel::Request, request)),
            (
                Notice::Accepted,
                "M-Pesa answered: Accept the service request successfully.",
                message(into, Channel::Answer, answer),
            ),
        ];
        if ends == Ends::Succeeded {
            let result = self.messages.result.fill(facts);
            history.push((
                Notice::Succeeded,
                "M-Pesa's result: The service request is processed successfully.",
                message(into, Channel::Result, result),
            ));
        }
        history
    }
}

fn state(facts: &Facts, ends: Ends, now: Timestamp) -> State {
    let conversation = ConversationId::new(&facts.conversation);
    match ends {
        Ends::Accepted => {
            State::Accepted { tries: TRIED_ONCE, conversation, overdue_at: now.after(OVERDUE) }
        }
        Ends::Succeeded => State::Succeeded {
            receipt: Receipt::new(&facts.receipt).expect("a receipt"),
            settled: Settled {
                conversation,
                completed_at: now,
                mpesa_completed_at: Some(now),
                attempts: 1,
            },
            recipient_name: PersonName::new("Wanjiru Otieno"),
            charge: None,
        },
    }
}
