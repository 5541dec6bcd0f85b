//! The callback of a prompt, and a question asked by hand.

use crate::domain::id::{AppId, CheckoutRequestId, MessageId, PaymentId};
use crate::domain::payment::{Event, Forbidden, Payment, StkFacts};
use crate::domain::payout::{CaseKind, Ruling};
use crate::engine::audit::{Act, Actor, Deed, Signed};
use crate::engine::desk::ruled;
use crate::engine::errand::Errand;
use crate::engine::lives::Came;
use crate::engine::{Engine, Hearing, Incoming, NotApplied, NotKept};
use crate::store::{Direction, Message};

/// What was read in a callback.
#[derive(Debug)]
pub enum StkHeard {
    /// What it says.
    Facts {
        /// The payment that the end of the path names, if there is one.
        payment: Option<PaymentId>,
        /// What it says.
        facts: StkFacts,
    },
    /// It cannot be read; the words say why, without quoting it.
    Unreadable(String),
}

/// Why M-Pesa was not asked about a payment, or a ruling not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is none with this id that the caller may see.
    #[error("no such payment")]
    NotFound,
    /// It may not be done now.
    #[error("{0}")]
    Refused(Forbidden),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

impl From<NotApplied> for QueryError {
    fn from(error: NotApplied) -> Self {
        match error {
            NotApplied::NoSuchPayout => Self::NotFound,
            NotApplied::Busy => Self::Busy,
            NotApplied::Store(why) => Self::Unavailable(why),
        }
    }
}

impl Engine {
    /// Keeps the callback of a prompt and applies what it says. When this returns, it is on the
    /// disk.
    ///
    /// # Errors
    /// [`NotKept`]: nothing was stored, or nobody knows; do not acknowledge.
    pub async fn hear_stk(&self, incoming: Incoming, heard: StkHeard) -> Result<Hearing, NotKept> {
        let mut message = self.came_in(incoming);
        let (tagged, facts) = match heard {
            StkHeard::Unreadable(why) => {
                return self.keep(message, CaseKind::Malformed, why, Hearing::Malformed).await;
            }
            StkHeard::Facts { payment, facts } => (payment, facts),
        };
        let named = match &facts.checkout {
            Some(checkout) => self.by_checkout(checkout).await?,
            None => None,
        };
        let id = match (tagged, named) {
            (Some(tagged), Some(named)) if tagged != named => {
                let why = "its address and its checkout id name two payments".to_owned();
                return self.keep(message, CaseKind::Mismatch, why, Hearing::Contradicted).await;
            }
            (tagged, named) => tagged.or(named),
        };
        let Some(id) = id else {
            let why = "no prompt of ours has the id that it names".to_owned();
            return self.keep(message, CaseKind::Unmatched, why, Hearing::Unmatched).await;
        };
        message.about = Some(id.into());
        let lacks_receipt = facts.receipt.is_none();
        let event = Event::CallbackArrived { facts, holder: Default::default() };
        match self.apply_life::<Payment>(id, &event, std::slice::from_ref(&message)).await {
            Ok(Came::Moved { .. }) => {
                if lacks_receipt {
                    self.join_if_it_crossed(id).await;
                }
                Ok(Hearing::Applied)
            }
            Ok(Came::Noted | Came::Stale | Came::Forbidden(_)) => Ok(Hearing::Noted),
            Ok(Came::Contradicted) => Ok(Hearing::Contradicted),
            Err(NotApplied::NoSuchPayout) => {
                message.about = None;
                let why = "no prompt of ours has the id that its address names".to_owned();
                self.keep(message, CaseKind::Unmatched, why, Hearing::Unmatched).await
            }
            Err(error @ (NotApplied::Busy | NotApplied::Store(_))) => {
                Err(NotKept(error.to_string()))
            }
        }
    }

    async fn by_checkout(&self, id: &CheckoutRequestId) -> Result<Option<PaymentId>, NotKept> {
        let found = self.parts.store.payment_by_checkout(id).await;
        found.map_err(|error| NotKept(error.to_string()))
    }

    /// A message as it came, before it is known what it is about.
    pub(in crate::engine) fn came_in(&self, incoming: Incoming) -> Message {
        let at = self.parts.clock.now();
        Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(at)),
            at,
            direction: Direction::In,
            channel: incoming.channel,
            peer: incoming.peer,
            certificate: incoming.certificate,
            http_status: None,
            about: None,
            body: incoming.body,
        }
    }

    /// Has M-Pesa asked how a prompt ended, now.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn query_now(
        &self,
        sees: Option<AppId>,
        id: PaymentId,
    ) -> Result<Payment, QueryError> {
        let payment = self.on_payment(sees, id, &Event::AskWanted, None).await?;
        self.offer_to(Errand::Queries, id.into());
        Ok(payment)
    }

    /// A named person's ruling on a payment in doubt.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn rule_on_payment(
        &self,
        sees: Option<AppId>,
        id: PaymentId,
        ruling: impl Into<Signed<Ruling>>,
    ) -> Result<Payment, QueryError> {
        let signed = ruling.into();
        let actor = signed.actor(&signed.ruling.by);
        let ruling = signed.ruling;
        let act = Act {
            deed: Deed::PaymentResolved,
            what: format!("payment {id} ruled on, because {:?}", ruling.reason),
            before: "unknown".to_owned(),
            after: ruled(ruling.receipt.is_some()).to_owned(),
        };
        let event = Event::Ruled { ruling, holder: Default::default() };
        self.on_payment(sees, id, &event, Some((&actor, &act))).await
    }

    async fn on_payment(
        &self,
        sees: Option<AppId>,
        id: PaymentId,
        event: &Event,
        by: Option<(&Actor, &Act)>,
    ) -> Result<Payment, QueryError> {
        let found = self.parts.store.payment(id).await;
        let found = found.map_err(|error| QueryError::Unavailable(error.to_string()))?;
        let before = found
            .map(|kept| kept.value)
            .filter(|payment| sees.is_none_or(|app| payment.details.app.is_none_or(|it| it == app)))
            .ok_or(QueryError::NotFound)?;
        match self.apply_life_by::<Payment>(id, event, &[], by).await? {
            Came::Moved { life, .. } => Ok(*life),
            Came::Noted | Came::Contradicted | Came::Stale => Ok(before),
            Came::Forbidden(why) => Err(QueryError::Refused(why)),
        }
    }
}
