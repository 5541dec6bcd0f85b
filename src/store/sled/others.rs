//! Lists of payments, inquiries and text messages.

use super::codec;
use super::disk::Disk;
use super::keys::{self, Kind};
use super::lives;
use super::read::{Bounds, List};
use crate::domain::id::{AppId, InquiryId, PaymentId, TextId};
use crate::store::{
    InquiryPage, InquiryQuery, Kept, PaymentPage, PaymentQuery, StoreError, TextPage, TextQuery,
    Unique,
};

/// Chooses the index that says most: its kind, and the prefixes under which to look.
fn plan(query: &PaymentQuery, apps: &[AppId]) -> (Kind, Vec<Vec<u8>>) {
    let apps = match &query.app {
        Some(app) => std::slice::from_ref(app),
        None => apps,
    };
    // What is nobody's is everybody's to see.
    let owners = || std::iter::once(None).chain(apps.iter().copied().map(Some));
    let each = |prefix: &dyn Fn(Option<AppId>) -> Vec<u8>| owners().map(prefix).collect();
    let words = |asked: &Option<String>| asked.clone().filter(|it| !it.is_empty());
    if let Some(reference) = words(&query.reference) {
        (Kind::PaymentByReference, each(&|owner| lives::of_words(owner, &reference)))
    } else if let Some(account) = words(&query.account) {
        (Kind::PaymentByAccount, each(&|owner| lives::of_words(owner, &account)))
    } else if let Some(phone) = query.phone {
        (Kind::PaymentByPhone, each(&|owner| lives::of_payer(owner, phone)))
    } else if let Some(status) = query.status {
        (Kind::PaymentByStatus, each(&|owner| lives::of_payment_status(owner, status)))
    } else if query.app.is_some() {
        (Kind::PaymentByOwner, each(&lives::of_owner))
    } else {
        (Kind::Payment, vec![Vec::new()])
    }
}

/// One page of payments.
///
/// # Errors
/// `Damaged` when a record that it meets cannot be read.
pub(super) fn payments(
    disk: &Disk,
    query: &PaymentQuery,
    apps: &[AppId],
) -> Result<PaymentPage, StoreError> {
    let by_receipt = query.receipt.clone().map(Unique::Receipt);
    let by_checkout = query.checkout.clone().map(Unique::Checkout);
    if let Some(unique) = by_receipt.or(by_checkout) {
        return one(disk, query, &unique);
    }
    let (index, prefixes) = plan(query, apps);
    let list = List {
        record: Kind::Payment,
        index,
        prefixes,
        bounds: Bounds::beyond(query.after.map(PaymentId::bytes), query.descending),
        descending: query.descending,
        limit: query.limit,
        read: codec::read_kept,
        admits: &|kept: &Kept<_>| query.admits(&kept.value),
    };
    let (rows, next) = list.page(disk)?;
    Ok(PaymentPage { rows, next: next.map(PaymentId::from_bytes) })
}

/// The page of the one payment that has what only one may have.
fn one(disk: &Disk, query: &PaymentQuery, unique: &Unique) -> Result<PaymentPage, StoreError> {
    let Some(id) = owner(disk, unique)?.filter(|_id| query.limit > 0) else {
        return Ok(PaymentPage::default());
    };
    let beyond = query
        .after
        .map(PaymentId::bytes)
        .is_none_or(|after| if query.descending { id < after } else { id > after });
    let kept: Option<Kept<_>> = super::read::record_of(disk, Kind::Payment, id, codec::read_kept)?;
    let rows = kept.into_iter().filter(|kept| beyond && query.admits(&kept.value)).collect();
    Ok(PaymentPage { rows, next: None })
}

/// Who has what only one may have.
///
/// # Errors
/// `Damaged` when the entry cannot be read.
pub(super) fn owner(
    disk: &Disk,
    unique: &Unique,
) -> Result<Option<[u8; keys::ID_LEN]>, StoreError> {
    let (kind, key) = lives::unique(unique);
    let id = super::pages::find(disk, kind, &key)?.map(|id| codec::read_bytes(&id));
    id.transpose().map_err(|flaw| super::pages::damaged(kind, &key, flaw))
}

/// One page of inquiries.
///
/// # Errors
/// `Damaged` when a record that it meets cannot be read.
pub(super) fn inquiries(disk: &Disk, query: &InquiryQuery) -> Result<InquiryPage, StoreError> {
    let (index, prefix) = match (query.app, query.status) {
        (Some(app), _) => (Kind::InquiryByApp, keys::of_app(app)),
        (None, Some(status)) => (Kind::InquiryByStatus, lives::of_inquiry_status(status)),
        (None, None) => (Kind::Inquiry, Vec::new()),
    };
    let list = List {
        record: Kind::Inquiry,
        index,
        prefixes: vec![prefix],
        bounds: Bounds::beyond(query.after.map(InquiryId::bytes), query.descending),
        descending: query.descending,
        limit: query.limit,
        read: codec::read_kept,
        admits: &|kept: &Kept<_>| query.admits(&kept.value),
    };
    let (rows, next) = list.page(disk)?;
    Ok(InquiryPage { rows, next: next.map(InquiryId::from_bytes) })
}

/// One page of text messages.
///
/// # Errors
/// `Damaged` when a record that it meets cannot be read.
pub(super) fn texts(disk: &Disk, query: &TextQuery) -> Result<TextPage, StoreError> {
    let (index, prefix) = match query.status {
        Some(status) => (Kind::TextByStatus, lives::of_text_status(status)),
        None => (Kind::Text, Vec::new()),
    };
    let list = List {
        record: Kind::Text,
        index,
        prefixes: vec![prefix],
        bounds: Bounds::beyond(query.after.map(TextId::bytes), query.descending),
        descending: query.descending,
        limit: query.limit,
        read: codec::read_kept,
        admits: &|kept: &Kept<_>| query.admits(&kept.value),
    };
    let (rows, next) = list.page(disk)?;
    Ok(TextPage { rows, next: next.map(TextId::from_bytes) })
}
