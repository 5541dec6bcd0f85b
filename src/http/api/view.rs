//! What the API shows: the shapes of contract, part 2, written straight from the values.

use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::domain::money::Amount;
use crate::domain::payout::{self, Metadata, State};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::soap::redact::redact;
use crate::store;

/// Writes a value as the string that it displays.
pub(super) fn shown<T: Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes a value as the string that it displays, or null.
pub(super) fn shown_or_null<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// A payout as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payout<'a> {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "po_01hn4y7z2c8e0vq3m5x7r9t1wb")]
    id: crate::domain::id::PayoutId,
    #[schema(inline)]
    status: Status,
    /// Kenyan shillings with two places.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "1500.00")]
    amount: Amount,
    #[schema(example = "KES")]
    currency: &'static str,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "254722000111")]
    phone: u64,
    #[schema(example = "BusinessPayment")]
    command: &'static str,
    reference: &'a str,
    remarks: &'a str,
    occasion: &'a str,
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: &'a Metadata,
    #[schema(example = "soap")]
    rail: &'static str,
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    batch_id: Option<crate::domain::id::BatchId>,
    /// Its one name towards M-Pesa.
    originator_conversation_id: &'a str,
    /// M-Pesa's name for it.
    #[schema(required)]
    conversation_id: Option<&'a str>,
    /// M-Pesa's receipt; set when `succeeded`.
    #[schema(required, example = "QK12ABCD34")]
    receipt: Option<&'a str>,
    /// Who got it, as M-Pesa names him.
    #[schema(required)]
    recipient_name: Option<&'a str>,
    /// What M-Pesa says the charge was.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    charge: Option<Amount>,
    /// Why it failed; set when `failed`.
    #[schema(required)]
    failure: Option<Failure<'a>>,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it became final.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    completed_at: Option<Timestamp>,
    /// What is in doubt; set when `unknown`.
    #[schema(required)]
    doubt: Option<Doubt>,
}

/// Where a payout stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Held for a checker.
    AwaitingApproval,
    /// On disk, nothing sent.
    Queued,
    /// A send has begun; written to disk before the first byte leaves.
    Sending,
    /// M-Pesa took the request; its result is awaited.
    Accepted,
    /// Money may or may not have moved.
    Unknown,
    /// Paid. Final.
    Succeeded,
    /// Not paid and never will be. Final.
    Failed,
    /// Stopped before anything was sent. Final.
    Cancelled,
}

impl From<payout::Status> for Status {
    fn from(status: payout::Status) -> Self {
        match status {
            payout::Status::AwaitingApproval => Self::AwaitingApproval,
            payout::Status::Queued => Self::Queued,
            payout::Status::Sending => Self::Sending,
            payout::Status::Accepted => Self::Accepted,
            payout::Status::Unknown => Self::Unknown,
            payout::Status::Succeeded => Self::Succeeded,
            payout::Status::Failed => Self::Failed,
            payout::Status::Cancelled => Self::Cancelled,
        }
    }
}

/// Why a payout or an inquiry failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failure<'a> {
    /// Which message said so: `request`, `result` or `inquiry`.
    #[schema(example = "result")]
    stage: &'static str,
    /// M-Pesa's code, verbatim.
    #[schema(example = "2001")]
    code: &'a str,
    description: &'a str,
    /// Whether a new payout with the same details makes sense.
    retryable: bool,
}

impl<'a> Failure<'a> {
    pub(super) const fn new(
        stage: &'static str,
        code: &'a str,
        description: &'a str,
        retryable: bool,
    ) -> Self {
        Self { stage, code, description, retryable }
    }
}

/// Why it is not known whether a payout was paid, and what is done about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Doubt {
    /// In words.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "bytes left and no answer came")]
    why: payout::Doubt,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When M-Pesa is asked next.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    next_inquiry_at: Timestamp,
    /// How often M-Pesa was asked, in this doubt.
    inquiries: u32,
}

impl<'a> From<&'a payout::Payout> for Payout<'a> {
    fn from(payout: &'a payout::Payout) -> Self {
        let details = &payout.details;
        let state = &payout.state;
        let (recipient_name, charge) = match state {
            State::Succeeded { recipient_name, charge, .. } => {
                (recipient_name.as_ref().map(|name| name.reveal()), *charge)
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => (None, None),
        };
        Self {
            id: details.id,
            status: payout.status().into(),
            amount: details.amount,
            currency: "KES",
            phone: details.phone.number(),
            command: details.command.as_str(),
            reference: &details.reference,
            remarks: &details.remarks,
            occasion: &details.occasion,
            metadata: &details.metadata,
            rail: details.rail.as_str(),
            batch_id: details.batch,
            originator_conversation_id: details.originator_conversation_id.as_str(),
            conversation_id: state.conversation().map(|name| name.as_str()),
            receipt: state.receipt().map(|receipt| receipt.as_str()),
            recipient_name,
            charge,
            failure: failure_of(state),
            created_at: details.created_at,
            updated_at: payout.updated_at,
            completed_at: state.completed_at(),
            doubt: doubt_of(state),
        }
    }
}

fn failure_of(state: &State) -> Option<Failure<'_>> {
    let State::Failed { failure, .. } = state else {
        return None;
    };
    Some(Failure {
        stage: failure.stage.as_str(),
        code: &failure.code,
        description: &failure.description,
        retryable: failure.retryable,
    })
}

fn doubt_of(state: &State) -> Option<Doubt> {
    let State::Unknown { why, since, inquiry, .. } = state else {
        return None;
    };
    Some(Doubt {
        why: why.clone(),
        since: *since,
        next_inquiry_at: inquiry.ask_at,
        inquiries: inquiry.asked,
    })
}

/// A page of payouts.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayoutPage<'a> {
    /// May hold fewer than asked for, and still have a next page.
    pub(super) data: Vec<Payout<'a>>,
    /// Where the next page begins: give it back as `cursor`. Null on the last page.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

/// A step in the life of a payout, a payment, an inquiry or a text message.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayoutEvent<'a> {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    id: crate::domain::id::EventId,
    /// Its place among all events of the gateway.
    seq: u64,
    #[serde(rename = "type")]
    #[schema(example = "payout.accepted")]
    kind: &'a str,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    data: EventData<'a>,
}

/// What an event says.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventData<'a> {
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    payout_id: Option<crate::domain::id::PayoutId>,
    /// Where it stands after it.
    #[schema(required, value_type = Option<String>)]
    status: Option<&'static str>,
    /// What happened, in words.
    says: &'a str,
    /// M-Pesa's code, if one was the cause.
    #[schema(required)]
    code: Option<&'a str>,
    /// The wire messages that belong to it.
    messages: Vec<MessageLink>,
    /// What it is about: the id of a payout, a payment, an inquiry or a text message.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    about: Option<Subject>,
}

/// Where a wire message can be read.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageLink {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    id: crate::domain::id::MessageId,
    #[schema(example = "/v1/messages/msg_01hn4y7z2c8e0vq3m5x7r9t1wb")]
    href: String,
}

impl From<&crate::domain::id::MessageId> for MessageLink {
    fn from(id: &crate::domain::id::MessageId) -> Self {
        Self { id: *id, href: format!("/v1/messages/{id}") }
    }
}

impl<'a> From<&'a store::FeedEvent> for PayoutEvent<'a> {
    fn from(feed: &'a store::FeedEvent) -> Self {
        let event = &feed.event;
        Self {
            id: event.id,
            seq: feed.seq,
            kind: &event.kind,
            created_at: event.at,
            data: EventData {
                payout_id: event.about.and_then(Subject::payout),
                status: event.status.map(store::Standing::as_str),
                says: &event.says,
                code: event.code.as_deref(),
                messages: event.messages.iter().map(MessageLink::from).collect(),
                about: event.about,
            },
        }
    }
}

/// A page of a payout's events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage<'a> {
    pub(super) data: Vec<PayoutEvent<'a>>,
    /// Where the next page begins: give it back as `cursor`. Null on the last page.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedPage<'a> {
    /// Oldest first. May hold fewer than asked for, and still have a next page.
    pub(super) data: Vec<PayoutEvent<'a>>,
    /// Where the next page begins: give it back as `after`. Null when there is no more now.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
    /// Where to go on, also later: everything up to here has been looked at.
    pub(super) next_after: u64,
}

/// A message as it was on the wire; our secrets in it, the callback token among them, are masked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    id: crate::domain::id::MessageId,
    /// What it belongs to: the id of a payout, a payment, an inquiry or a text message.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    about: Option<Subject>,
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    payout_id: Option<crate::domain::id::PayoutId>,
    /// `out` to M-Pesa, `in` from M-Pesa.
    #[schema(example = "in")]
    direction: &'static str,
    /// What it is: a request, an answer, M-Pesa's result, and so on; over either rail.
    /// `payout.result` and `payout.timeout` are also those that came to their addresses and are
    /// nobody's, or cannot be read.
    #[schema(schema_with = channel_schema)]
    channel: &'static str,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// From which address it came; null for what went out.
    #[schema(required, example = "196.201.214.127")]
    peer: Option<String>,
    /// Whose certificate the other side showed when it came; null without one.
    #[schema(required, example = "CN=broker.example.org, O=Example")]
    certificate: Option<String>,
    /// The HTTP status of an answer.
    #[schema(required)]
    http_status: Option<u16>,
    /// `utf-8`, or `base64` where its bytes are no UTF-8.
    #[schema(example = "utf-8")]
    encoding: &'static str,
    #[schema(value_type = String)]
    body: String,
}

impl From<&store::Message> for Message {
    fn from(message: &store::Message) -> Self {
        // On the disk it is as it came; whoever reads it here need not be who may report results.
        let (encoding, body) = String::from_utf8(redact(&message.body)).map_or_else(
            |bytes| ("base64", STANDARD.encode(bytes.as_bytes())),
            |text| ("utf-8", text),
        );
        Self {
            id: message.id,
            about: message.about,
            payout_id: message.about.and_then(Subject::payout),
            direction: message.direction.as_str(),
            channel: message.channel.as_str(),
            at: message.at,
            peer: message.peer.clone(),
            certificate: message.certificate.clone(),
            http_status: message.http_status,
            encoding,
            body,
        }
    }
}

/// A payout to be made.
//
// It describes what `submit` reads; a test in `openapi` holds the two together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayout {
    /// Whole shillings, by default from 10 to 250,000: a decimal string with at most two places
    /// (both zero), or an integer.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// A Kenyan mobile number: `0722…`, `0110…`, `722…`, `+254 722…`, `254722…`, with blanks or
    /// dashes.
    #[schema(example = "0722 000 111")]
    pub phone: String,
    /// One of M-Pesa's B2C commands.
    #[schema(inline, default = "BusinessPayment")]
    pub command: Option<Command>,
    /// Your own reference, on one line.
    #[schema(max_length = 64, example = "INV-2041")]
    pub reference: Option<String>,
    /// M-Pesa's `Remark`, on one line.
    #[schema(max_length = 255, example = "March commission")]
    pub remarks: Option<String>,
    /// M-Pesa's `Occasion`, on one line.
    #[schema(max_length = 255)]
    pub occasion: Option<String>,
    /// Your own notes: at most 20 names of at most 40 characters, with values of at most 500.
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
    /// Which way it goes; the configured one unless given.
    #[schema(example = "soap")]
    pub rail: Option<String>,
}

/// A person's ruling on a payout in doubt.
//
// It describes what `ruling` reads; a test in `openapi` holds the two together.
#[derive(Debug, ToSchema)]
pub struct NewResolution {
    /// Whether the recipient was paid: `paid`, or `not_paid` and never will be.
    pub outcome: String,
    /// M-Pesa's receipt of the payment: needed where it was paid, left out where it was not.
    #[schema(example = "QK12ABCD34")]
    pub receipt: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 500, example = "M-Pesa's statement shows it")]
    pub reason: String,
    /// What was looked at, and where it can be found again.
    #[schema(min_length = 1, max_length = 500, example = "statement of 2 January, row 17")]
    pub evidence: String,
}

/// Why a rail is paused, by `POST /v1/rails/{rail}/pause`.
//
// It describes what `ruling` reads; a test in `openapi` holds the two together.
#[derive(Debug, ToSchema)]
pub struct NewPause {
    /// For those who find it paused.
    #[schema(min_length = 1, max_length = 500, example = "M-Pesa's maintenance tonight")]
    pub reason: String,
}

/// How a case is closed, by `POST /v1/cases/{id}/close`.
//
// It describes what `ruling` reads; a test in `openapi` holds the two together.
#[derive(Debug, ToSchema)]
pub struct NewClosing {
    /// What was decided, in a few words.
    #[schema(min_length = 1, max_length = 200, example = "paid once; nothing to do")]
    pub ruling: String,
    /// Why, and what it rests on.
    #[schema(min_length = 1, max_length = 500, example = "the statement shows one debit")]
    pub reason: String,
}

/// A B2C command of M-Pesa's.
#[derive(Debug, Deserialize, ToSchema)]
pub enum Command {
    /// Registered and unregistered recipients.
    SalaryPayment,
    /// Registered recipients only.
    BusinessPayment,
    /// Registered and unregistered recipients, with another text message.
    PromotionPayment,
    /// As `SalaryPayment`, and the payer covers the withdrawal fee.
    SalaryPaymentWithWithdrawalChargePaid,
    /// As `BusinessPayment`, and the payer covers the withdrawal fee.
    BusinessPaymentWithWithdrawalChargePaid,
    /// For banks.
    TransferFromBankToCustomer,
}

/// What may be paid: whole shillings; how many, a configuration says.
pub(super) fn amount_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    amounts().into()
}

/// The same, where it may be left out.
pub(super) fn amount_or_null_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    amounts().item(ObjectBuilder::new().schema_type(Type::Null)).into()
}

fn amounts() -> utoipa::openapi::schema::OneOfBuilder {
    use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
    let whole = r"^0*[1-9][0-9]{0,11}(\.0{1,2})?$";
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(whole));
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1_u64));
    OneOfBuilder::new().item(text).item(number).examples([serde_json::json!("1500.00")])
}

/// Every kind of message, by its name.
fn channel_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let names = store::Channel::ALL.map(store::Channel::as_str);
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    word.examples([serde_json::json!("payout.result")]).into()
}
