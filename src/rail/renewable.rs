//! A way to M-Pesa that can be exchanged for another while it is used: with a new password or key.
//!
//! What is under way ends with what it began with; what begins next takes the new one.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::domain::payout::{self, Payout, Question};
use crate::domain::text::Text;
use crate::domain::time::Timestamp;
use crate::engine::port::{
    Admission, Api, Call, Counter, Durable, LinkState, Notifier, Pending, Prepared, PreparedCall,
    Rail, Replied, Sent, TextOutcome,
};

/// A way that can be exchanged.
#[derive(Debug)]
pub struct Renewable<W>(RwLock<Arc<W>>);

impl<W> Renewable<W> {
    /// This one, until [`Self::renew`].
    pub fn new(way: W) -> Self {
        Self(RwLock::new(Arc::new(way)))
    }

    /// The one that is taken now.
    pub fn current(&self) -> Arc<W> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this one is taken.
    pub fn renew(&self, way: W) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(way);
    }
}

impl<R: Rail> Rail for Renewable<R> {
    fn prepare(&self, payout: &Payout, now: Timestamp) -> Result<Prepared, String> {
        self.current().prepare(payout, now)
    }

    fn prepare_question(
        &self,
        payout: &Payout,
        question: Question,
        now: Timestamp,
    ) -> Result<Prepared, String> {
        self.current().prepare_question(payout, question, now)
    }

    fn objection(&self, request: &Prepared) -> Option<String> {
        self.current().objection(request)
    }

    fn admit(&self) -> Pending<'_, Admission> {
        let rail = self.current();
        Box::pin(async move { rail.admit().await })
    }

    fn send(&self, request: Prepared, place: Admission, proof: Durable) -> Pending<'_, Sent> {
        let rail = self.current();
        Box::pin(async move { rail.send(request, place, proof).await })
    }

    fn longest_send(&self) -> Duration {
        self.current().longest_send()
    }

    fn trouble(&self) -> Option<String> {
        self.current().trouble()
    }

    fn link(&self) -> Option<LinkState> {
        self.current().link()
    }

    fn probe(&self) -> Pending<'_, ()> {
        let rail = self.current();
        Box::pin(async move { rail.probe().await })
    }
}

impl<C: Counter> Counter for Renewable<C> {
    fn has(&self, rail: payout::Rail) -> bool {
        self.current().has(rail)
    }

    fn prepare(&self, call: Call<'_>, now: Timestamp) -> Result<PreparedCall, String> {
        self.current().prepare(call, now)
    }

    fn admit(&self, api: Api) -> Pending<'_, Admission> {
        let counter = self.current();
        Box::pin(async move { counter.admit(api).await })
    }

    fn call(
        &self,
        call: PreparedCall,
        place: Admission,
        proof: Option<Durable>,
    ) -> Pending<'_, Replied> {
        let counter = self.current();
        Box::pin(async move { counter.call(call, place, proof).await })
    }

    fn longest_call(&self) -> Duration {
        self.current().longest_call()
    }
}

impl<N: Notifier> Notifier for Renewable<N> {
    fn send<'a>(&'a self, text: &'a Text, proof: Durable) -> Pending<'a, TextOutcome> {
        let notifier = self.current();
        Box::pin(async move { notifier.send(text, proof).await })
    }

    fn longest_send(&self) -> Duration {
        self.current().longest_send()
    }
}
