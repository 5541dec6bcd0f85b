//! What stands where of payments, inquiries and text messages; of payouts, `keys` says it.

use sha2::{Digest, Sha256};

use super::keys::{self, Kind, entry_of};
use crate::domain::id::AppId;
use crate::domain::inquiry::{self, Inquiry};
use crate::domain::party::Msisdn;
use crate::domain::payment::{self, Payment};
use crate::domain::subject::Subject;
use crate::domain::text::{self, Text};
use crate::store::{Life, Unique};

/// The owner of what is nobody's.
pub(super) const NOBODY: [u8; keys::ID_LEN] = [0; keys::ID_LEN];

/// Where the record of something stands.
pub(super) const fn kind_of(subject: Subject) -> Kind {
    match subject {
        Subject::Payout(_) => Kind::Payout,
        Subject::Payment(_) => Kind::Payment,
        Subject::Inquiry(_) => Kind::Inquiry,
        Subject::Text(_) => Kind::Text,
    }
}

/// What the entries of an owner's payments begin with.
pub(super) fn of_owner(owner: Option<AppId>) -> Vec<u8> {
    owner.map_or(NOBODY, AppId::bytes).to_vec()
}

/// What the entries of its payments that stand at `status` begin with.
pub(super) fn of_payment_status(owner: Option<AppId>, status: payment::Status) -> Vec<u8> {
    [of_owner(owner).as_slice(), &[status.letter()]].concat()
}

/// What the entries of its payments from `phone` begin with.
pub(super) fn of_payer(owner: Option<AppId>, phone: Msisdn) -> Vec<u8> {
    [of_owner(owner).as_slice(), &phone.number().to_be_bytes()].concat()
}

/// What the entries of its payments with this reference or account begin with.
pub(super) fn of_words(owner: Option<AppId>, words: &str) -> Vec<u8> {
    keys::of_reference(AppId::from_bytes(owner.map_or(NOBODY, AppId::bytes)), words)
}

/// What the entries of the inquiries that stand at `status` begin with.
pub(super) fn of_inquiry_status(status: inquiry::Status) -> Vec<u8> {
    vec![status.letter()]
}

/// What the entries of the text messages that stand at `status` begin with.
pub(super) fn of_text_status(status: text::Status) -> Vec<u8> {
    vec![status.letter()]
}

/// The index entries that something has for ever.
pub(super) fn fixed_entries(life: &Life) -> Vec<(Kind, Vec<u8>)> {
    match life {
        Life::Payout(payout) => keys::fixed_entries(payout),
        Life::Payment(payment) => of_payment(payment),
        Life::Inquiry(Inquiry { details, .. }) => {
            let of_app = |app| entry_of(keys::of_app(app), details.id.bytes());
            details.app.map(|app| (Kind::InquiryByApp, of_app(app))).into_iter().collect()
        }
        Life::Text(_) => Vec::new(),
    }
}

fn of_payment(payment: &Payment) -> Vec<(Kind, Vec<u8>)> {
    let details = &payment.details;
    let owner = details.app;
    let mut entries = vec![(Kind::PaymentByOwner, of_owner(owner))];
    if let Some(phone) = payment.phone() {
        entries.push((Kind::PaymentByPhone, of_payer(owner, phone)));
    }
    let words = [
        (Kind::PaymentByReference, &details.reference),
        (Kind::PaymentByAccount, &details.account),
    ];
    for (kind, words) in words.into_iter().filter(|(_kind, words)| !words.is_empty()) {
        entries.push((kind, of_words(owner, words)));
    }
    let id = details.id.bytes();
    entries.into_iter().map(|(kind, prefix)| (kind, entry_of(prefix, id))).collect()
}

/// The index entries that something has where it stands now.
pub(super) fn moving_entries(life: &Life) -> Vec<(Kind, Vec<u8>)> {
    let (kind, prefix) = match life {
        Life::Payout(payout) => return keys::moving_entries(payout),
        Life::Payment(payment) => {
            let prefix = of_payment_status(payment.details.app, payment.status());
            (Kind::PaymentByStatus, prefix)
        }
        Life::Inquiry(inquiry) => (Kind::InquiryByStatus, of_inquiry_status(inquiry.status())),
        Life::Text(Text { state, .. }) => (Kind::TextByStatus, of_text_status(state.status())),
    };
    vec![(kind, entry_of(prefix, life.subject().bytes()))]
}

/// Where what only one may have leads to who has it.
pub(super) fn unique(unique: &Unique) -> (Kind, Vec<u8>) {
    match unique {
        Unique::Receipt(receipt) => (Kind::ReceiptOf, receipt.as_str().as_bytes().to_vec()),
        Unique::Checkout(checkout) => (Kind::CheckoutOf, checkout.as_str().as_bytes().to_vec()),
        Unique::Text(subject, occasion, phone) => {
            let digest = Sha256::new()
                .chain_update([subject.letter(), occasion.letter()])
                .chain_update(subject.bytes())
                .chain_update(phone.number().to_be_bytes())
                .finalize();
            (Kind::TextOf, digest.iter().copied().take(keys::ID_LEN).collect())
        }
    }
}
