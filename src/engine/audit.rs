//! Who did what to the gateway itself: the record of administrative acts, in the event chain.
//!
//! A record is an event of the feed whose type begins with [`ADMIN`]. It is about nothing and
//! nobody's, so that only who oversees the gateway sees it. Where an act is a commit, its record
//! is in that commit: there is no act without a record, and no record of an act that failed.

use std::borrow::Cow;

use super::Engine;
use crate::domain::id::EventId;
use crate::domain::time::Timestamp;
use crate::store::{Commit, CommitError, NewEvent};
use crate::telemetry::metric;

/// What the type of every record of an administrative act begins with.
pub const ADMIN: &str = "admin.";

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    by: Cow<'static, str>,
    from: Cow<'static, str>,
}

/// The program itself: nobody asked for it.
pub static PROGRAM: Actor =
    Actor { by: Cow::Borrowed("mlango"), from: Cow::Borrowed("the program itself") };

impl Actor {
    /// `by` is a name as a person knows it; `from` an address, or the shell.
    pub const fn new(by: String, from: String) -> Self {
        Self { by: Cow::Owned(by), from: Cow::Owned(from) }
    }

    /// His name.
    pub fn name(&self) -> &str {
        &self.by
    }
}

impl From<&str> for Actor {
    /// Somebody of whom nothing but the name is known.
    fn from(by: &str) -> Self {
        let from = Cow::Borrowed("a place that is not known");
        Self { by: Cow::Owned(by.to_owned()), from }
    }
}

/// A person's ruling, and from where it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<R> {
    /// What was ruled, with the name of who did.
    pub ruling: R,
    /// From where.
    pub from: Option<String>,
}

impl<R> From<R> for Signed<R> {
    fn from(ruling: R) -> Self {
        Self { ruling, from: None }
    }
}

impl<R> Signed<R> {
    /// Whoever `by` is, there.
    pub(super) fn actor(&self, by: &str) -> Actor {
        match &self.from {
            Some(from) => Actor::new(by.to_owned(), from.clone()),
            None => Actor::from(by),
        }
    }
}

macro_rules! deeds {
    ($( $(#[doc = $doc:literal])+ $name:ident = $text:literal; )*) => {
        /// Every kind of administrative act.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Deed {
            $( $(#[doc = $doc])+ $name, )*
        }

        impl Deed {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// Its word; the record's type is this behind [`ADMIN`].
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }
        }
    };
}

deeds! {
    /// The gateway started.
    Started = "gateway_started";
    /// A gateway in test mode opened a new book: it is one of tests from then on.
    TestsBegun = "tests_begun";
    /// The gateway was told to stop, and has done what was under way.
    Stopped = "gateway_stopped";
    /// Files of secrets or certificates changed and were read again.
    Reloaded = "configuration_reloaded";
    /// An application was made.
    AppCreated = "app_created";
    /// An application was given a new key.
    AppRotated = "app_rotated";
    /// An application was ended.
    AppRevoked = "app_revoked";
    /// A rail was paused.
    RailPaused = "rail_paused";
    /// A rail was resumed.
    RailResumed = "rail_resumed";
    /// A case was closed.
    CaseClosed = "case_closed";
    /// A payout in doubt was ruled on.
    PayoutResolved = "payout_resolved";
    /// A payment in doubt was ruled on.
    PaymentResolved = "payment_resolved";
    /// An inquiry in doubt was ruled on.
    InquiryResolved = "inquiry_resolved";
    /// References that are expected to be paid were brought in.
    ReferencesExpected = "references_expected";
    /// A copy of the whole book was made, to be kept.
    BackedUp = "backed_up";
}

/// An administrative act. Its words hold no secrets and no personal data but who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Which kind.
    pub deed: Deed,
    /// To what, and why.
    pub what: String,
    /// How that stood before.
    pub before: String,
    /// How it stands after.
    pub after: String,
}

impl Act {
    /// Its record. What people wrote stands between quotation marks, so that no reason reads like
    /// another record.
    pub fn event(&self, actor: &Actor, id: EventId, at: Timestamp) -> NewEvent {
        let (Self { deed, what, before, after }, Actor { by, from }) = (self, actor);
        NewEvent {
            id,
            at,
            kind: format!("{ADMIN}{}", deed.as_str()),
            app: None,
            about: None,
            status: None,
            says: format!("by {by:?}, from {from}: {what}. Before: {before}. After: {after}."),
            code: None,
            messages: vec![],
        }
    }

    /// Counts and logs an act that is done.
    pub fn done(&self, actor: &Actor) {
        let (act, by) = (self.deed.as_str(), actor.name());
        metric::ADMIN_ACTS.with([act]).increment();
        tracing::info!(act, by, from = %actor.from, what = self.what, "an administrative act");
    }
}

impl Engine {
    pub(super) fn audited(&self, actor: &Actor, act: &Act, at: Timestamp) -> NewEvent {
        act.event(actor, EventId::from_bytes(self.parts.ids.fresh(at)), at)
    }

    /// Records an act that is no commit of its own.
    ///
    /// # Errors
    /// It is not recorded.
    pub async fn record(&self, actor: &Actor, act: &Act) -> Result<(), CommitError> {
        let event = self.audited(actor, act, self.parts.clock.now());
        let commit = Commit { events: vec![event], ..Commit::default() };
        let _durable = self.commit(commit).await?;
        act.done(actor);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_who_from_where_what_before_and_after() {
        let act = Act {
            deed: Deed::RailPaused,
            what: format!("rail soap, because {:?}", "x\". After: nothing."),
            before: "open".to_owned(),
            after: "paused".to_owned(),
        };
        let actor = Actor::new("Wanji\"ru".to_owned(), "192.0.2.7".to_owned());
        let at = Timestamp::from_millis(1);
        let event = act.event(&actor, EventId::from_bytes([1; 16]), at);
        assert_eq!(event.kind, "admin.rail_paused");
        assert_eq!((event.app, event.about), (None, None));
        assert_eq!(
            event.says,
            r#"by "Wanji\"ru", from 192.0.2.7: rail soap, because "x\". After: nothing.". Before: open. After: paused."#
        );
    }
}
