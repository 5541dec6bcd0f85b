//! What the counter asks for: prompts, questions about them, inquiries, payments that came in
//! lately (spec/daraja.md §1.2–§1.13).

use std::time::Duration;

use super::{DarajaRail, QUESTION, Ready, Told, opened};
use crate::daraja::request::{
    AccountBalance, Addresses, B2b, C2bRegister, C2bSimulate, Caller, PullQuery, PullRegister, Qr,
    Reversal, StatusOf, StkPush, StkQuery, Tax, TransactionStatus,
};
use crate::daraja::rules::{fit_occasion, fit_remarks};
use crate::daraja::{Api as Interface, answer, pull};
use crate::domain::inquiry::{self, Inquiry, Kind};
use crate::domain::payment::{Origin, Payment};
use crate::domain::payout::{Rail as RailName, WhyNothingSent};
use crate::domain::tag::{Tag, Tagged};
use crate::domain::time::Timestamp;
use crate::engine::port::{
    Admission, Api, Call, Counter, Durable, Pending, PreparedCall, Pulled, Replied, Reply,
};
use crate::rail::transport::Unanswered;

impl Counter for DarajaRail {
    fn has(&self, rail: RailName) -> bool {
        rail == RailName::Daraja
    }

    fn prepare(&self, call: Call<'_>, now: Timestamp) -> Result<PreparedCall, String> {
        let (api, ready) = match call {
            Call::Prompt(payment) => (Api::Prompt, self.prompt(payment, now)?),
            Call::PromptQuery(payment) => (Api::PromptQuery, self.prompt_query(payment, now)?),
            Call::Inquiry(inquiry) => self.inquiry(inquiry)?,
            Call::InquiryQuestion(inquiry, nth) => (Api::Status, self.question(inquiry, nth)?),
            Call::Pull { from, to, offset } => {
                let shortcode = &self.settings.prompts.shortcode;
                let query = PullQuery { shortcode, from, to, offset };
                (Api::Pull, self.ready(PullQuery::API, vec![], query.render())?)
            }
        };
        Ok(PreparedCall { api, wire: ready.wire, kept: ready.kept })
    }

    fn admit(&self, api: Api) -> Pending<'_, Admission> {
        Box::pin(async move {
            // An interface that rests must not hold the places of the others.
            self.lanes.of(interface(api)).begin.enter().await;
            let place = self.counter_places.take().await;
            place.map_or_else(Admission::free, Admission::guarded_by)
        })
    }

    fn call(
        &self,
        call: PreparedCall,
        place: Admission,
        _proof: Option<Durable>,
    ) -> Pending<'_, Replied> {
        Box::pin(async move {
            let nothing = |why| Replied { reply: Reply::NothingSent(why), answer: None };
            let Some((interface, body)) = opened(&call.wire) else {
                return nothing(WhyNothingSent::NotReady);
            };
            let asked = self.ask(interface, body).await;
            drop(place);
            match asked {
                Ok(told) => {
                    let reply = self.reply(call.api, &told);
                    Replied { reply, answer: Some(told.raw()) }
                }
                Err(Unanswered::NothingSent(why)) => nothing(why),
                Err(Unanswered::MayHaveBeenSent(why)) => {
                    Replied { reply: Reply::NoAnswer(why), answer: None }
                }
            }
        })
    }

    fn longest_call(&self) -> Duration {
        self.longest()
    }
}

/// The interface whose pace a call keeps; versions share one.
const fn interface(api: Api) -> Interface {
    match api {
        Api::Prompt => Interface::StkPush,
        Api::PromptQuery => Interface::StkQuery,
        Api::Balance => Interface::AccountBalance,
        Api::Status => Interface::TransactionStatus,
        Api::Reversal => Interface::Reversal,
        Api::RegisterUrls => Interface::C2bRegister(inquiry::C2bVersion::V2),
        Api::SimulateC2b => Interface::C2bSimulate(inquiry::C2bVersion::V2),
        Api::BusinessPayment => Interface::B2b,
        Api::Tax => Interface::Tax,
        Api::Pull => Interface::PullQuery,
        Api::QrCode => Interface::Qr,
        Api::RegisterPull => Interface::PullRegister,
    }
}

impl DarajaRail {
    fn reply(&self, api: Api, told: &Told) -> Reply {
        match api {
            Api::Prompt => Reply::Prompted(told.answer().of_prompt()),
            Api::PromptQuery => Reply::Queried(told.read(answer::read_stk_query, |meant, kept| {
                meant.description = kept.description;
            })),
            Api::Pull => Reply::Pulled(self.pulled(told)),
            Api::Balance
            | Api::Status
            | Api::Reversal
            | Api::RegisterUrls
            | Api::SimulateC2b
            | Api::BusinessPayment
            | Api::Tax
            | Api::QrCode
            | Api::RegisterPull => Reply::Inquired(told.answer().of_inquiry()),
        }
    }

    fn pulled(&self, told: &Told) -> Result<Pulled, String> {
        let shortcode = &self.settings.prompts.shortcode;
        match pull::read(told.answer.status, &told.answer.body, shortcode) {
            Ok(page) => {
                for why in &page.unreadable {
                    tracing::warn!(why, "a pulled payment cannot be read");
                }
                let rows = u32::try_from(page.rows).unwrap_or(u32::MAX);
                Ok(Pulled { notices: page.payments, rows })
            }
            Err(problem) => Err(format!("{}: {}", problem.code, problem.description)),
        }
    }

    fn prompt(&self, payment: &Payment, now: Timestamp) -> Result<Ready, String> {
        let details = &payment.details;
        let Origin::Stk { phone, description } = &details.origin else {
            return Err("it came in by itself; there is nobody to prompt".to_owned());
        };
        let tag = Tag::new(Tagged::Payment, details.id.bytes());
        let callback_url = format!("{}/stk/{tag}", self.settings.callbacks);
        let prompts = &self.settings.prompts;
        let push = StkPush {
            shortcode: &prompts.shortcode,
            passkey: &prompts.passkey,
            to: prompts.to,
            amount: details.amount,
            phone: *phone,
            receiver: &prompts.receiver,
            callback_url: &callback_url,
            reference: &details.reference,
            description,
            at: now,
        };
        let faults = push.check(&self.settings.amounts, self.settings.place);
        self.ready(StkPush::API, faults, push.render())
    }

    fn prompt_query(&self, payment: &Payment, now: Timestamp) -> Result<Ready, String> {
        let checkout = payment.checkout().ok_or("M-Pesa gave the prompt no name to ask by")?;
        let prompts = &self.settings.prompts;
        let (shortcode, passkey) = (prompts.shortcode.as_str(), prompts.passkey.as_str());
        let query = StkQuery { shortcode, passkey, checkout, at: now };
        self.ready(StkQuery::API, vec![], query.render())
    }

    /// Our operator, on behalf of the short code that an inquiry is about.
    fn caller(&self, inquiry: &Inquiry) -> Caller {
        let shortcode = inquiry.details.shortcode.as_str().to_owned();
        Caller { shortcode, ..self.settings.payer.clone() }
    }

    fn inquiry(&self, inquiry: &Inquiry) -> Result<(Api, Ready), String> {
        let details = &inquiry.details;
        if details.rail != RailName::Daraja {
            return Err("this is not asked over SOAP yet, only over Daraja".to_owned());
        }
        let caller = &self.caller(inquiry);
        let (result, queue_timeout) = self.addresses(Tag::new(Tagged::Inquiry, details.id.bytes()));
        let addresses = Addresses { result: &result, queue_timeout: &queue_timeout };
        let place = self.settings.place;
        Ok(match &details.kind {
            Kind::Balance => {
                let request = AccountBalance { caller, addresses, remarks: "Balance" };
                let faults = request.check(place);
                (Api::Balance, self.ready(AccountBalance::API, faults, request.render())?)
            }
            Kind::TransactionStatus(of) => {
                let of = match of {
                    inquiry::TransactionStatus::Receipt(receipt) => {
                        StatusOf::Receipt(receipt.as_str())
                    }
                    inquiry::TransactionStatus::Conversation(name) => {
                        StatusOf::Name(name.as_str(), self.settings.name_key)
                    }
                };
                (Api::Status, self.status(caller, addresses, of)?)
            }
            Kind::Reversal(what) => {
                let request = Reversal {
                    caller,
                    addresses,
                    receipt: what.receipt.as_str(),
                    amount: what.amount,
                    remarks: &fit_remarks(&what.remarks, "Reversal"),
                    occasion: &fit_occasion(&what.occasion),
                };
                let faults = request.check(place);
                (Api::Reversal, self.ready(Reversal::API, faults, request.render())?)
            }
            Kind::RegisterUrls(what) => (Api::RegisterUrls, self.register(caller, *what)?),
            Kind::SimulateC2b(what) => (Api::SimulateC2b, self.simulate(caller, what)?),
            Kind::BusinessPayment(what) => {
                (Api::BusinessPayment, self.business(caller, addresses, what)?)
            }
            Kind::Tax(what) => {
                let request = Tax {
                    caller,
                    addresses,
                    amount: what.amount,
                    prn: &what.prn,
                    remarks: &fit_remarks(&what.remarks, "Tax"),
                };
                let faults = request.check(&self.settings.amounts, place);
                (Api::Tax, self.ready(Tax::API, faults, request.render())?)
            }
            Kind::QrCode(what) => (Api::QrCode, self.qr_code(what)?),
            Kind::RegisterPull(what) => (Api::RegisterPull, self.register_pull(caller, *what)?),
        })
    }

    fn business(
        &self,
        caller: &Caller,
        addresses: Addresses<'_>,
        what: &inquiry::BusinessPayment,
    ) -> Result<Ready, String> {
        let request = B2b {
            caller,
            addresses,
            command: what.command,
            amount: what.amount,
            receiver: what.to.as_str(),
            account: &what.account,
            requester: what.requester,
            remarks: &fit_remarks(&what.remarks, "Payment"),
            occasion: &fit_occasion(&what.occasion),
        };
        let faults = request.check(&self.settings.amounts, self.settings.place);
        self.ready(B2b::API, faults, request.render())
    }

    fn register(&self, caller: &Caller, what: inquiry::RegisterUrls) -> Result<Ready, String> {
        let base = &self.settings.callbacks;
        let (confirmation, validation) =
            (format!("{base}/c2b/confirmation"), format!("{base}/c2b/validation"));
        let request = C2bRegister {
            version: what.version,
            shortcode: &caller.shortcode,
            response_type: what.response_type,
            confirmation_url: &confirmation,
            validation_url: &validation,
        };
        self.ready(request.api(), request.check(self.settings.place), request.render())
    }

    fn qr_code(&self, what: &inquiry::QrCode) -> Result<Ready, String> {
        let receiver = what.receiver.reveal();
        let request = Qr {
            merchant: &what.merchant,
            reference: &what.reference,
            amount: what.amount,
            kind: what.kind,
            receiver: &receiver,
            size: what.size,
        };
        self.ready(Qr::API, request.check(&self.settings.amounts), request.render())
    }

    /// What M-Pesa would tell at the callback's address is not established (spec/daraja.md §1.13):
    /// where confirmations come, whatever comes is kept.
    fn register_pull(&self, caller: &Caller, what: inquiry::RegisterPull) -> Result<Ready, String> {
        let callback_url = format!("{}/c2b/confirmation", self.settings.callbacks);
        let (shortcode, phone) = (caller.shortcode.as_str(), what.phone);
        let request = PullRegister { shortcode, phone, callback_url: &callback_url };
        let faults = request.check(self.settings.place);
        self.ready(PullRegister::API, faults, request.render())
    }

    fn simulate(&self, caller: &Caller, what: &inquiry::SimulateC2b) -> Result<Ready, String> {
        let request = C2bSimulate {
            version: what.version,
            shortcode: &caller.shortcode,
            to: what.to,
            amount: what.amount,
            phone: what.phone,
            account: what.account.as_deref().unwrap_or_default(),
        };
        self.ready(request.api(), request.check(&self.settings.amounts), request.render())
    }

    fn status(
        &self,
        caller: &Caller,
        addresses: Addresses<'_>,
        of: StatusOf<'_>,
    ) -> Result<Ready, String> {
        let request = TransactionStatus { caller, addresses, of, remarks: QUESTION, occasion: "" };
        let faults = request.check(self.settings.place);
        self.ready(TransactionStatus::API, faults, request.render())
    }

    /// What became of an inquiry that moves money: asked by the name that Daraja gave it, which is
    /// what the interface takes (spec/daraja.md §1.9).
    fn question(&self, inquiry: &Inquiry, nth: u32) -> Result<Ready, String> {
        let inquiry::State::Unknown { names, .. } = &inquiry.state else {
            return Err("it is not in doubt".to_owned());
        };
        let name = names.originator.as_ref().or(names.conversation.as_ref());
        let name = name.ok_or("M-Pesa gave it no name to ask by")?;
        let tag = Tag::new(Tagged::InquiryQuestion { nth }, inquiry.details.id.bytes());
        let (result, queue_timeout) = self.addresses(tag);
        let addresses = Addresses { result: &result, queue_timeout: &queue_timeout };
        let of = StatusOf::Name(name.as_str(), self.settings.name_key);
        self.status(&self.caller(inquiry), addresses, of)
    }
}
