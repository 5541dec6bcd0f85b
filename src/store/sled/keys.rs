//! What stands under which key.
//!
//! Every kind of record has a letter; a record's key begins with it. Numbers are big-endian and
//! ids begin with their time, so that records sort by age within their kind. A letter or a form,
//! once shipped, never changes its meaning.

use sha2::{Digest, Sha256};

use crate::domain::id::{AppId, BatchId, CaseId, ConversationId, PayoutId, Receipt};
use crate::domain::party::Msisdn;
use crate::domain::payment::validation::account_key;
use crate::domain::payout::{Payout, Rail, Status};
use crate::domain::subject::Subject;
use crate::store::Case;

/// Where the numbers of the whole store stand: [`super::codec::Meta`].
pub(super) const META: &[u8] = b"!meta";
/// What the pieces of records begin with that are too long for a block.
pub(super) const PIECE: u8 = b'z';
/// Bytes of an id.
pub(super) const ID_LEN: usize = 16;
/// References up to this many bytes stand in the index as they are, longer ones as a digest.
const PLAIN_REFERENCE_LEN_MAX: usize = 64;
/// No UTF-8 text holds this byte, so it ends or replaces one without ambiguity.
const NO_TEXT: u8 = 0xFF;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `id` → application.
    App,
    /// `id` → case.
    Case,
    /// `seq` → event.
    Event,
    /// SHA-256 of `app` and the key, cut to 16 bytes → fingerprint and payout.
    Claim,
    /// `id` → wire message.
    Message,
    /// `id` → payout.
    Payout,
    /// `name` → what keeps the rail from sending.
    Rail,
    /// `conversation` → payout's id.
    Conversation,
    /// `app id`.
    ByApp,
    /// `app batch id`.
    ByBatch,
    /// `app phone id`.
    ByPhone,
    /// `receipt 0xFF id`.
    ByReceipt,
    /// `app reference 0xFF id`.
    ByReference,
    /// `app status id`.
    ByStatus,
    /// `app id of a case`.
    CaseByApp,
    /// `id of what it is about, id of a case`.
    CaseByPayout,
    /// `id of an open case`.
    OpenCase,
    /// `app id of an open case`.
    OpenCaseByApp,
    /// `account` → the reference that is expected to be paid.
    Expected,
    /// `id` → payment.
    Payment,
    /// `id` → inquiry.
    Inquiry,
    /// `id` → text message.
    Text,
    /// `receipt` → the payment that has it.
    ReceiptOf,
    /// `checkout id` → the payment whose prompt it is.
    CheckoutOf,
    /// Digest of subject, occasion and phone → the text message.
    TextOf,
    /// `owner id of a payment`; the owner is an application, or zeros for nobody.
    PaymentByOwner,
    /// `owner status id of a payment`.
    PaymentByStatus,
    /// `owner phone id of a payment`.
    PaymentByPhone,
    /// `owner reference 0xFF id of a payment`.
    PaymentByReference,
    /// `owner account 0xFF id of a payment`.
    PaymentByAccount,
    /// `app id of an inquiry`.
    InquiryByApp,
    /// `status id of an inquiry`.
    InquiryByStatus,
    /// `status id of a text message`.
    TextByStatus,
}

impl Kind {
    /// Every kind whose keys end with the id of a payout or a case and whose values are empty.
    pub(super) const INDEXES: [Self; 18] = [
        Self::ByApp,
        Self::ByBatch,
        Self::ByPhone,
        Self::ByReceipt,
        Self::ByReference,
        Self::ByStatus,
        Self::CaseByApp,
        Self::CaseByPayout,
        Self::OpenCase,
        Self::OpenCaseByApp,
        Self::PaymentByOwner,
        Self::PaymentByStatus,
        Self::PaymentByPhone,
        Self::PaymentByReference,
        Self::PaymentByAccount,
        Self::InquiryByApp,
        Self::InquiryByStatus,
        Self::TextByStatus,
    ];

    /// Every kind whose keys are had by one subject only, and lead to it.
    pub(super) const UNIQUES: [Self; 3] = [Self::ReceiptOf, Self::CheckoutOf, Self::TextOf];

    /// Every kind of which nothing but its own number says how many there should be.
    pub(super) const COUNTED: [Self; 7] = [
        Self::App,
        Self::Case,
        Self::Claim,
        Self::Conversation,
        Self::Message,
        Self::Rail,
        Self::Expected,
    ];

    /// What its keys begin with.
    pub(super) const fn letter(self) -> u8 {
        match self {
            Self::App => b'a',
            Self::Case => b'c',
            Self::Event => b'e',
            Self::Claim => b'k',
            Self::Message => b'm',
            Self::Payout => b'p',
            Self::Rail => b'r',
            Self::Conversation => b'v',
            Self::ByApp => b'A',
            Self::ByBatch => b'B',
            Self::ByPhone => b'F',
            Self::ByReceipt => b'R',
            Self::ByReference => b'N',
            Self::ByStatus => b'S',
            Self::CaseByApp => b'C',
            Self::CaseByPayout => b'P',
            Self::OpenCase => b'O',
            Self::OpenCaseByApp => b'W',
            Self::Expected => b'g',
            Self::Payment => b'i',
            Self::Inquiry => b'q',
            Self::Text => b't',
            Self::ReceiptOf => b'y',
            Self::CheckoutOf => b'w',
            Self::TextOf => b'x',
            Self::PaymentByOwner => b'D',
            Self::PaymentByStatus => b'E',
            Self::PaymentByPhone => b'G',
            Self::PaymentByReference => b'H',
            Self::PaymentByAccount => b'I',
            Self::InquiryByApp => b'J',
            Self::InquiryByStatus => b'K',
            Self::TextByStatus => b'T',
        }
    }

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::App => "application",
            Self::Case => "case",
            Self::Event => "event",
            Self::Claim => "idempotency key",
            Self::Message => "message",
            Self::Payout => "payout",
            Self::Rail => "rail",
            Self::Conversation => "conversation",
            Self::ByApp => "index by application",
            Self::ByBatch => "index by batch",
            Self::ByPhone => "index by phone",
            Self::ByReceipt => "index by receipt",
            Self::ByReference => "index by reference",
            Self::ByStatus => "index by status",
            Self::CaseByApp => "index of cases by application",
            Self::CaseByPayout => "index of cases by subject",
            Self::OpenCase => "index of open cases",
            Self::OpenCaseByApp => "index of open cases by application",
            Self::Expected => "expected reference",
            Self::Payment => "payment",
            Self::Inquiry => "inquiry",
            Self::Text => "text message",
            Self::ReceiptOf => "payment of a receipt",
            Self::CheckoutOf => "payment of a checkout id",
            Self::TextOf => "text message of an occasion",
            Self::PaymentByOwner => "index of payments by owner",
            Self::PaymentByStatus => "index of payments by status",
            Self::PaymentByPhone => "index of payments by phone",
            Self::PaymentByReference => "index of payments by reference",
            Self::PaymentByAccount => "index of payments by account",
            Self::InquiryByApp => "index of inquiries by application",
            Self::InquiryByStatus => "index of inquiries by status",
            Self::TextByStatus => "index of text messages by status",
        }
    }

    /// How long the entries of one block may grow together, in bytes.
    ///
    /// What arrives in order shares large blocks, which are packed; what is scattered is written
    /// one by one, and a small block makes each write small.
    pub(super) const fn block_len_max(self) -> usize {
        match self {
            Self::Message => 24_576,
            Self::App
            | Self::Case
            | Self::Event
            | Self::Payout
            | Self::Rail
            | Self::Payment
            | Self::Inquiry
            | Self::Text => 8_192,
            Self::PaymentByOwner
            | Self::PaymentByStatus
            | Self::InquiryByApp
            | Self::InquiryByStatus
            | Self::TextByStatus
            | Self::ByApp
            | Self::ByBatch
            | Self::ByStatus
            | Self::CaseByApp
            | Self::OpenCase
            | Self::OpenCaseByApp => 1_536,
            Self::Claim
            | Self::CaseByPayout
            | Self::Conversation
            | Self::ByPhone
            | Self::ByReceipt
            | Self::ByReference
            | Self::Expected
            | Self::ReceiptOf
            | Self::CheckoutOf
            | Self::TextOf
            | Self::PaymentByPhone
            | Self::PaymentByReference
            | Self::PaymentByAccount => 384,
        }
    }

    /// Whether its blocks are packed: those that hold more than numbers and digests.
    pub(super) const fn is_packed(self) -> bool {
        match self {
            Self::App
            | Self::Case
            | Self::Event
            | Self::Message
            | Self::Payout
            | Self::Rail
            | Self::Payment
            | Self::Inquiry
            | Self::Text => true,
            Self::Claim
            | Self::Conversation
            | Self::ByApp
            | Self::ByBatch
            | Self::ByPhone
            | Self::ByReceipt
            | Self::ByReference
            | Self::ByStatus
            | Self::CaseByApp
            | Self::CaseByPayout
            | Self::OpenCase
            | Self::OpenCaseByApp
            | Self::Expected
            | Self::ReceiptOf
            | Self::CheckoutOf
            | Self::TextOf
            | Self::PaymentByOwner
            | Self::PaymentByStatus
            | Self::PaymentByPhone
            | Self::PaymentByReference
            | Self::PaymentByAccount
            | Self::InquiryByApp
            | Self::InquiryByStatus
            | Self::TextByStatus => false,
        }
    }

    /// Whether what is written together mostly belongs together.
    pub(super) const fn is_in_order(self) -> bool {
        match self {
            Self::App
            | Self::Case
            | Self::Event
            | Self::Message
            | Self::Payout
            | Self::Rail
            | Self::ByApp
            | Self::ByBatch
            | Self::ByStatus
            | Self::ByReceipt
            | Self::CaseByApp
            | Self::OpenCase
            | Self::OpenCaseByApp
            | Self::Payment
            | Self::Inquiry
            | Self::Text
            // M-Pesa counts receipts up within a day.
            | Self::ReceiptOf
            | Self::PaymentByOwner
            | Self::PaymentByStatus
            | Self::InquiryByApp
            | Self::InquiryByStatus
            | Self::TextByStatus => true,
            Self::Claim
            | Self::CaseByPayout
            | Self::Conversation
            | Self::ByPhone
            | Self::ByReference
            | Self::Expected
            | Self::CheckoutOf
            | Self::TextOf
            | Self::PaymentByPhone
            | Self::PaymentByReference
            | Self::PaymentByAccount => false,
        }
    }
}

/// Where a used idempotency key stands. The key itself is nowhere.
pub(super) fn claim(app: AppId, key: &str) -> Vec<u8> {
    let digest = Sha256::new().chain_update(app.bytes()).chain_update(key.as_bytes()).finalize();
    digest.iter().copied().take(ID_LEN).collect()
}

/// Where a reference stands that is expected to be paid.
pub(super) fn expected(account: &str) -> Vec<u8> {
    let key = account_key(account);
    if key.len() > PLAIN_REFERENCE_LEN_MAX {
        let digest = Sha256::digest(key.as_bytes());
        [&[NO_TEXT], digest.as_slice()].concat()
    } else {
        key.into_bytes()
    }
}

/// Where a conversation stands.
pub(super) fn conversation(conversation: &ConversationId) -> Vec<u8> {
    conversation.as_str().as_bytes().to_vec()
}

/// What the entries of an application's payouts begin with.
pub(super) fn of_app(app: AppId) -> Vec<u8> {
    app.bytes().to_vec()
}

/// What the entries of its payouts that stand at `status` begin with.
pub(super) fn of_status(app: AppId, status: Status) -> Vec<u8> {
    [&app.bytes()[..], &[status.letter()]].concat()
}

/// What the entries of its payouts to `phone` begin with.
pub(super) fn of_phone(app: AppId, phone: Msisdn) -> Vec<u8> {
    [app.bytes().as_slice(), &phone.number().to_be_bytes()].concat()
}

/// What the entries of its payouts with `reference` begin with.
pub(super) fn of_reference(app: AppId, reference: &str) -> Vec<u8> {
    let app = app.bytes();
    if reference.len() > PLAIN_REFERENCE_LEN_MAX {
        let digest = Sha256::digest(reference.as_bytes());
        [app.as_slice(), &[NO_TEXT], digest.as_slice()].concat()
    } else {
        [app.as_slice(), reference.as_bytes(), &[NO_TEXT]].concat()
    }
}

/// What the entries of its payouts of `batch` begin with.
pub(super) fn of_batch(app: AppId, batch: BatchId) -> Vec<u8> {
    [app.bytes(), batch.bytes()].concat()
}

/// What the entries of payouts with `receipt` begin with.
pub(super) fn of_receipt(receipt: &Receipt) -> Vec<u8> {
    [receipt.as_str().as_bytes(), &[NO_TEXT]].concat()
}

/// Where what is known of a rail stands.
pub(super) fn rail(rail: Rail) -> Vec<u8> {
    rail.as_str().as_bytes().to_vec()
}

/// What the entries of the cases about something begin with.
pub(super) fn of_subject(subject: Subject) -> Vec<u8> {
    subject.bytes().to_vec()
}

/// An index entry of a payout.
pub(super) fn entry(prefix: Vec<u8>, id: PayoutId) -> Vec<u8> {
    entry_of(prefix, id.bytes())
}

pub(super) fn entry_of(mut prefix: Vec<u8>, id: [u8; ID_LEN]) -> Vec<u8> {
    prefix.extend_from_slice(&id);
    prefix
}

/// The index entries that a case has for ever.
pub(super) fn fixed_case_entries(case: &Case) -> Vec<(Kind, Vec<u8>)> {
    let app = case.app.map(|app| (Kind::CaseByApp, of_app(app)));
    let about = case.about.map(|about| (Kind::CaseByPayout, of_subject(about)));
    let entries = app.into_iter().chain(about);
    entries.map(|(kind, prefix)| (kind, entry_of(prefix, case.id.bytes()))).collect()
}

/// The index entries that a case has while it is open.
pub(super) fn open_case_entries(case: &Case) -> Vec<(Kind, Vec<u8>)> {
    let app = case.app.map(|app| (Kind::OpenCaseByApp, of_app(app)));
    let entries = app.into_iter().chain([(Kind::OpenCase, Vec::new())]);
    entries.map(|(kind, prefix)| (kind, entry_of(prefix, case.id.bytes()))).collect()
}

/// The index entries that a payout has for ever.
pub(super) fn fixed_entries(payout: &Payout) -> Vec<(Kind, Vec<u8>)> {
    let details = &payout.details;
    let mut entries = vec![
        (Kind::ByApp, of_app(details.app)),
        (Kind::ByPhone, of_phone(details.app, details.phone)),
    ];
    if !details.reference.is_empty() {
        let prefix = of_reference(details.app, &details.reference);
        entries.push((Kind::ByReference, prefix));
    }
    if let Some(batch) = details.batch {
        entries.push((Kind::ByBatch, of_batch(details.app, batch)));
    }
    entries.into_iter().map(|(kind, prefix)| (kind, entry(prefix, details.id))).collect()
}

/// The index entries that a payout has where it stands now.
pub(super) fn moving_entries(payout: &Payout) -> Vec<(Kind, Vec<u8>)> {
    let details = &payout.details;
    let status = of_status(details.app, payout.status());
    let receipt = payout.state.receipt().map(of_receipt);
    std::iter::once((Kind::ByStatus, status))
        .chain(receipt.map(|receipt| (Kind::ByReceipt, receipt)))
        .map(|(kind, prefix)| (kind, entry(prefix, details.id)))
        .collect()
}

/// The payout that an index entry ends with.
pub(super) fn payout_in(entry: &[u8]) -> Option<PayoutId> {
    entry.last_chunk().copied().map(PayoutId::from_bytes)
}

/// The case that an index entry ends with.
pub(super) fn case_in(entry: &[u8]) -> Option<CaseId> {
    entry.last_chunk().copied().map(CaseId::from_bytes)
}
