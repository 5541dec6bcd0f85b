//! How payments, inquiries and text messages are moved: what the domain says, put in this room's
//! words.

use crate::domain::id::{AppId, EventId, InquiryId, PaymentId, TextId};
use crate::domain::inquiry::{self, Inquiry};
use crate::domain::outcome::StkClass;
use crate::domain::payment::{self, Confirmation, Event, Holder, Payment, holder, would_adopt};
use crate::domain::payout::Rail;
use crate::domain::subject::Subject;
use crate::domain::text::{self, Occasion, Text, Values};
use crate::domain::time::Timestamp;
use crate::engine::lives::{Also, Decided, Follows, Lived};
use crate::engine::{Engine, NotApplied};
use crate::store::{
    Kept, Life, LifeWrite, NewEvent, PaymentQuery, Pending, Standing, Store, StoreError,
};

/// How many of a phone's or an account's latest payments are looked at.
pub(super) const LOOKED_AT_MAX: usize = 50;

impl Lived for Payment {
    type Id = PaymentId;
    type Event = Event;
    type Forbidden = payment::Forbidden;

    fn rail(&self) -> Rail {
        Rail::Daraja
    }

    fn into_life(self) -> Life {
        Life::Payment(self)
    }

    fn read(
        store: &dyn Store,
        id: PaymentId,
    ) -> Pending<'_, Result<Option<Kept<Self>>, StoreError>> {
        store.payment(id)
    }

    fn decide(&self, event: &Event, engine: &Engine, now: Timestamp) -> Decided<Self> {
        let policy = &engine.settings.till.policy;
        match payment::step(self, event, policy, now) {
            payment::Verdict::Moved { state, notice, effects } => {
                let updated_at = now.max(self.updated_at);
                let after = Self { details: self.details.clone(), state, updated_at };
                match payment::law::check(self, event, &after, &effects) {
                    Ok(()) => {
                        Decided::Moved { after, notice: notice.as_str(), follows: follows(effects) }
                    }
                    Err(broken) => Decided::Broken(broken.to_string()),
                }
            }
            payment::Verdict::Noted(why) => Decided::Noted(why),
            payment::Verdict::Contradicted(contradiction) => Decided::Contradicted(contradiction),
            payment::Verdict::Stale => Decided::Stale,
            payment::Verdict::Forbidden(why) => Decided::Forbidden(why),
        }
    }

    fn ready<'a>(
        &'a self,
        engine: &'a Engine,
        event: &'a Event,
    ) -> Pending<'a, Result<Event, StoreError>> {
        Box::pin(async move {
            let mut event = event.clone();
            let found = match &event {
                // Paid, and the item that holds the receipt is missing.
                Event::CallbackArrived { facts, .. }
                    if facts.receipt.is_none()
                        && self.receipt().is_none()
                        && facts.class() == StkClass::Paid =>
                {
                    engine.own_confirmation(self).await?
                }
                Event::CallbackArrived { facts, .. } => {
                    engine.holder_of(self, facts.receipt.as_ref()).await?
                }
                Event::Confirmed { told, .. } => {
                    engine.holder_of(self, Some(&told.receipt)).await?
                }
                Event::Ruled { ruling, .. } => {
                    engine.holder_of(self, ruling.receipt.as_ref()).await?
                }
                Event::QueryAnswered { .. } => engine.own_confirmation(self).await?,
                Event::SendStarted { .. }
                | Event::Answered { .. }
                | Event::NothingSent { .. }
                | Event::NoAnswer { .. }
                | Event::LeaseLapsed { .. }
                | Event::AskWanted
                | Event::QuerySent
                | Event::QueryNotSent { .. }
                | Event::Joined { .. } => return Ok(event),
            };
            if let Event::CallbackArrived { holder, .. }
            | Event::Confirmed { holder, .. }
            | Event::Ruled { holder, .. }
            | Event::QueryAnswered { holder, .. } = &mut event
            {
                *holder = found;
            }
            Ok(event)
        })
    }

    fn also<'a>(
        &'a self,
        engine: &'a Engine,
        follows: &'a Follows,
        now: Timestamp,
    ) -> Pending<'a, Result<Also, StoreError>> {
        Box::pin(async move {
            let mut also = Also::default();
            if let Some(from) = follows.joins {
                engine.join(from, self.details.id, &mut also, now).await?;
            }
            for occasion in &follows.texts {
                engine.tell_payer(self, *occasion, &mut also, now);
            }
            Ok(also)
        })
    }

    fn needs_quiet(event: &Event) -> bool {
        match event {
            Event::CallbackArrived { facts, .. } => {
                facts.receipt.is_none() && facts.class() == StkClass::Paid
            }
            Event::QueryAnswered { facts, .. } => facts.class() == StkClass::Paid,
            Event::SendStarted { .. }
            | Event::Answered { .. }
            | Event::NothingSent { .. }
            | Event::NoAnswer { .. }
            | Event::LeaseLapsed { .. }
            | Event::AskWanted
            | Event::QuerySent
            | Event::QueryNotSent { .. }
            | Event::Confirmed { .. }
            | Event::Joined { .. }
            | Event::Ruled { .. } => false,
        }
    }

    fn is_of_another(why: &payment::Forbidden) -> bool {
        *why == payment::Forbidden::NotItsConfirmation
    }

    fn name(event: &Event) -> &'static str {
        event.name()
    }

    fn says(event: &Event) -> (String, Option<String>) {
        let words = |says: &str, description: &str| {
            let description = if description.is_empty() { "no words" } else { description };
            format!("{says}: {description}")
        };
        match event {
            Event::Answered { answer, .. } => {
                (words("M-Pesa answered", &answer.description), Some(answer.code.clone()))
            }
            Event::CallbackArrived { facts, .. } => {
                (words("M-Pesa's callback", &facts.description), Some(facts.code.clone()))
            }
            Event::QueryAnswered { facts, .. } => {
                let code = facts.result.clone().unwrap_or_else(|| facts.code.clone());
                (words("M-Pesa, asked about it, says", &facts.description), Some(code))
            }
            Event::NothingSent { why, .. } => (format!("nothing was sent: {}", why.says()), None),
            Event::NoAnswer { why, .. } => {
                (format!("{}; the payer may have a prompt", why.says()), None)
            }
            Event::LeaseLapsed { .. } => {
                ("the program stopped while it was sending".to_owned(), None)
            }
            Event::Confirmed { .. } => ("M-Pesa confirmed the payment".to_owned(), None),
            Event::Ruled { ruling, .. } => {
                (format!("ruled by {}: {}", ruling.by, ruling.reason), None)
            }
            Event::QuerySent => ("M-Pesa is asked how the prompt ended".to_owned(), None),
            Event::Joined { to } => (format!("it is the same money as {to}"), None),
            Event::SendStarted { .. } | Event::AskWanted | Event::QueryNotSent { .. } => {
                (event.name().replace('_', " "), None)
            }
        }
    }
}

fn follows(effects: Vec<payment::Effect>) -> Follows {
    let mut follows = Follows::default();
    for effect in effects {
        match effect {
            payment::Effect::WakeAt(at) => follows.wake.push(at),
            payment::Effect::OpenCase(kind) => follows.cases.push(kind),
            payment::Effect::Join { from } => follows.joins = Some(from),
            payment::Effect::Text(occasion) => follows.texts.push(occasion),
            payment::Effect::StopRail { code } => follows.stop = Some(code),
            payment::Effect::SlowRail { code } => follows.slow = Some(code),
            // The prompter's and the asker's, who hold the proof.
            payment::Effect::Transmit { .. } | payment::Effect::Ask { .. } => {}
        }
    }
    follows
}

impl Lived for Inquiry {
    type Id = InquiryId;
    type Event = inquiry::Event;
    type Forbidden = inquiry::Forbidden;

    fn rail(&self) -> Rail {
        self.details.rail
    }

    fn into_life(self) -> Life {
        Life::Inquiry(self)
    }

    fn read(
        store: &dyn Store,
        id: InquiryId,
    ) -> Pending<'_, Result<Option<Kept<Self>>, StoreError>> {
        store.inquiry(id)
    }

    fn decide(&self, event: &inquiry::Event, engine: &Engine, now: Timestamp) -> Decided<Self> {
        let policy = &engine.settings.till.inquiries;
        match inquiry::step(self, event, policy, now) {
            inquiry::Verdict::Moved { state, notice, effects } => {
                let updated_at = now.max(self.updated_at);
                let after = Self { details: self.details.clone(), state, updated_at };
                if let Err(broken) = inquiry::law::check(self, event, &after, &effects) {
                    return Decided::Broken(broken.to_string());
                }
                let mut follows = Follows::default();
                for effect in effects {
                    match effect {
                        inquiry::Effect::WakeAt(at) => follows.wake.push(at),
                        inquiry::Effect::OpenCase(kind) => follows.cases.push(kind),
                        inquiry::Effect::StopRail { code } => follows.stop = Some(code),
                        inquiry::Effect::SlowRail { code } => follows.slow = Some(code),
                        inquiry::Effect::Transmit { .. } | inquiry::Effect::Ask { .. } => {}
                    }
                }
                Decided::Moved { after, notice: notice.as_str(), follows }
            }
            inquiry::Verdict::Noted(why) => Decided::Noted(why),
            inquiry::Verdict::Contradicted(contradiction) => Decided::Contradicted(contradiction),
            inquiry::Verdict::Stale => Decided::Stale,
            inquiry::Verdict::Forbidden(why) => Decided::Forbidden(why),
        }
    }

    fn name(event: &inquiry::Event) -> &'static str {
        event.name()
    }

    fn says(event: &inquiry::Event) -> (String, Option<String>) {
        let words = |says: &str, description: &str| {
            let description = if description.is_empty() { "no words" } else { description };
            format!("{says}: {description}")
        };
        match event {
            inquiry::Event::Answered { answer, .. }
            | inquiry::Event::QuestionReplied { answer, .. } => {
                (words("M-Pesa answered", &answer.description), Some(answer.code.clone()))
            }
            inquiry::Event::ResultArrived(facts) => {
                (words("M-Pesa's result", &facts.description), Some(facts.code.clone()))
            }
            inquiry::Event::QuestionAnswered(answer) => {
                let says = words("M-Pesa, asked about it, says", &answer.description);
                (says, Some(answer.code.clone()))
            }
            inquiry::Event::NothingSent { why, .. } => {
                (format!("nothing was sent: {}", why.says()), None)
            }
            inquiry::Event::NoAnswer { why, .. } => (why.says().to_owned(), None),
            inquiry::Event::Ruled(ruling) => {
                (format!("ruled by {}: {}", ruling.by, ruling.reason), None)
            }
            inquiry::Event::SendStarted { .. }
            | inquiry::Event::LeaseLapsed { .. }
            | inquiry::Event::ResultOverdue
            | inquiry::Event::QueueTimedOut
            | inquiry::Event::AskWanted
            | inquiry::Event::QuestionSent
            | inquiry::Event::QuestionNotSent { .. } => (event.name().replace('_', " "), None),
        }
    }
}

impl Lived for Text {
    type Id = TextId;
    type Event = text::Event;
    type Forbidden = text::Forbidden;

    fn rail(&self) -> Rail {
        // It goes by none; nothing of it stops or slows one.
        Rail::Daraja
    }

    fn into_life(self) -> Life {
        Life::Text(self)
    }

    fn read(store: &dyn Store, id: TextId) -> Pending<'_, Result<Option<Kept<Self>>, StoreError>> {
        store.text(id)
    }

    fn decide(&self, event: &text::Event, _engine: &Engine, now: Timestamp) -> Decided<Self> {
        match text::step(self, event, now) {
            text::Verdict::Moved { state, notice, effects } => {
                let updated_at = now.max(self.updated_at);
                let after = Self { details: self.details.clone(), state, updated_at };
                if let Err(broken) = text::law::check(self, event, &after) {
                    return Decided::Broken(broken.to_string());
                }
                let mut follows = Follows::default();
                for effect in effects {
                    match effect {
                        text::Effect::WakeAt(at) => follows.wake.push(at),
                        text::Effect::Alarm { code } => follows.alarm = Some(code),
                        text::Effect::Transmit { .. } => {}
                    }
                }
                Decided::Moved { after, notice: notice.as_str(), follows }
            }
            text::Verdict::Noted(why) => Decided::Noted(why),
            text::Verdict::Stale => Decided::Stale,
            text::Verdict::Forbidden(why) => Decided::Forbidden(why),
        }
    }

    fn name(event: &text::Event) -> &'static str {
        event.name()
    }

    fn says(event: &text::Event) -> (String, Option<String>) {
        match event {
            text::Event::Answered { answer, .. } => {
                (format!("the provider says: {}", answer.description), Some(answer.code.clone()))
            }
            text::Event::NothingSent { why, .. } => {
                (format!("nothing was sent: {}", why.says()), None)
            }
            text::Event::NoAnswer { why, .. } => (why.says().to_owned(), None),
            text::Event::SendStarted { .. } | text::Event::LeaseLapsed { .. } => {
                (event.name().replace('_', " "), None)
            }
        }
    }
}

impl Engine {
    /// Whose `receipt` is, for the purposes of `payment`.
    async fn holder_of(
        &self,
        payment: &Payment,
        receipt: Option<&crate::domain::id::Receipt>,
    ) -> Result<Holder, StoreError> {
        let Some(receipt) = receipt else {
            return Ok(Holder::Nobody);
        };
        let store = &self.parts.store;
        let found = match store.payment_by_receipt(receipt).await? {
            Some(id) => store.payment(id).await?,
            None => None,
        };
        Ok(holder(payment, receipt, found.as_ref().map(|kept| &kept.value)))
    }

    /// The C2B payment that is the money of a prompt of which M-Pesa says that it is paid.
    async fn own_confirmation(&self, payment: &Payment) -> Result<Holder, StoreError> {
        let now = self.parts.clock.now();
        let query = PaymentQuery {
            account: Some(payment.details.account.clone()),
            kind: Some(payment::Kind::C2b),
            descending: true,
            ..PaymentQuery::all(LOOKED_AT_MAX)
        };
        let page = self.parts.store.payments(&query).await?;
        let fits = |kept: &&Kept<Payment>| {
            Confirmation::of_payment(&kept.value)
                .is_some_and(|told| would_adopt(payment, &told, now))
        };
        let mut found = page.rows.iter().filter(fits);
        // The oldest that fits is the likeliest; the number of payments is right with any.
        let joining = found.next_back().and_then(|kept| payment::joining(payment, &kept.value));
        Ok(joining.map_or(Holder::Nobody, |joining| Holder::C2b(Box::new(joining))))
    }

    /// Joins to a prompt that is paid without a receipt the C2B payment that is its money, if that
    /// came into the book while it was decided that the prompt is paid. Both are on the disk: what
    /// fails here fails nobody.
    pub(in crate::engine) async fn join_if_it_crossed(&self, id: PaymentId) {
        if let Err(error) = self.join_what_crossed(id).await {
            tracing::error!(payment = %id, %error, "it could not be looked for whether a payment \
                that was confirmed is the same money");
        }
    }

    async fn join_what_crossed(&self, id: PaymentId) -> Result<(), NotApplied> {
        let Some(kept) = self.parts.store.payment(id).await? else {
            return Ok(());
        };
        let lacks_receipt =
            kept.value.status() == payment::Status::Succeeded && kept.value.receipt().is_none();
        if !lacks_receipt {
            return Ok(());
        }
        if let Holder::C2b(joining) = self.own_confirmation(&kept.value).await? {
            let event = Event::Confirmed { told: joining.told, holder: Holder::default() };
            self.apply_life::<Payment>(id, &event, &[]).await?;
        }
        Ok(())
    }

    /// The C2B payment `from` is joined to `to`: what is to be written for that.
    async fn join(
        &self,
        from: PaymentId,
        to: PaymentId,
        also: &mut Also,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(kept) = self.parts.store.payment(from).await? else {
            return Ok(());
        };
        let event = Event::Joined { to };
        if let Decided::Moved { after, notice, .. } = kept.value.decide(&event, self, now) {
            let life = Life::Payment(after);
            also.events.push(self.event_of(&life, notice, Payment::says(&event), (&[], now)));
            also.lives.push(LifeWrite { life, expected_version: kept.version });
        }
        Ok(())
    }

    /// A text message to the payer, if there is a template for the occasion and his phone is known.
    pub(super) fn tell_payer(
        &self,
        payment: &Payment,
        occasion: Occasion,
        also: &mut Also,
        now: Timestamp,
    ) {
        let paid = payment.state.paid();
        let values = Values {
            name: paid.and_then(|paid| paid.payer_name.as_ref()),
            amount: payment.details.amount,
            account: &payment.details.account,
            receipt: payment.receipt().map(crate::domain::id::Receipt::as_str),
            shortcode: &payment.details.shortcode,
            at: payment.paid_at().unwrap_or(now),
        };
        let subject = Subject::Payment(payment.details.id);
        if let Some(phone) = payment.phone() {
            let about = (subject, payment.details.app, phone);
            also.extend(self.text_to(about, occasion, &values, now));
        }
    }

    /// A text message, if there is a template for the occasion and a way to send it.
    pub(in crate::engine) fn text_to(
        &self,
        (subject, app, phone): (Subject, Option<AppId>, crate::domain::party::Msisdn),
        occasion: Occasion,
        values: &Values<'_>,
        now: Timestamp,
    ) -> Option<(LifeWrite, NewEvent)> {
        self.notifier()?;
        let template = self.settings.till.templates.get(&occasion)?;
        let text = Text::queued(text::Details {
            id: TextId::from_bytes(self.parts.ids.fresh(now)),
            subject,
            occasion,
            app,
            phone,
            body: template.render(values),
            created_at: now,
        });
        let event = NewEvent {
            id: EventId::from_bytes(self.parts.ids.fresh(now)),
            at: now,
            kind: text::Notice::Queued.as_str().to_owned(),
            app,
            about: Some(text.details.id.into()),
            status: Some(Standing::Text(text.status())),
            says: format!("a text message about {subject}: {occasion}"),
            code: None,
            messages: vec![],
        };
        Some((LifeWrite { life: Life::Text(text), expected_version: 0 }, event))
    }
}

impl Also {
    fn extend(&mut self, text: Option<(LifeWrite, NewEvent)>) {
        if let Some((write, event)) = text {
            if let Life::Text(text) = &write.life {
                self.texts.push(text.details.id);
            }
            self.lives.push(write);
            self.events.push(event);
        }
    }
}
