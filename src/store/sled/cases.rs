//! Cases: found, listed, and checked before they are opened or closed.

use std::collections::BTreeMap;

use super::codec;
use super::disk::Disk;
use super::keys::{self, Kind};
use super::pages::{self, Near, Pages, damaged};
use super::read::Bounds;
use crate::domain::id::CaseId;
use crate::store::{
    Case, CaseClosing, CasePage, CaseQuery, CommitError, PAGE_LEN_MAX, PAGE_SCAN_MAX, StoreError,
};

/// One case.
///
/// # Errors
/// `Damaged` when its record cannot be read.
pub(super) fn case(disk: &Disk, id: CaseId) -> Result<Option<Case>, StoreError> {
    let key = id.bytes();
    let record = match pages::find(disk, Kind::Case, &key) {
        // A long record's pieces may have been replaced while they were read: look again, once.
        Err(StoreError::Damaged(_)) => pages::find(disk, Kind::Case, &key)?,
        found => found?,
    };
    record
        .map(|record| codec::read(&record))
        .transpose()
        .map_err(|flaw| damaged(Kind::Case, &key, flaw))
}

/// Chooses the index that says most: its kind, and the prefix under which to look.
fn plan(query: &CaseQuery) -> (Kind, Vec<u8>) {
    match (query.about, query.app, query.open) {
        (Some(about), _, _) => (Kind::CaseByPayout, keys::of_subject(about)),
        (None, Some(app), Some(true)) => (Kind::OpenCaseByApp, keys::of_app(app)),
        (None, Some(app), Some(false) | None) => (Kind::CaseByApp, keys::of_app(app)),
        (None, None, Some(true)) => (Kind::OpenCase, Vec::new()),
        (None, None, Some(false) | None) => (Kind::Case, Vec::new()),
    }
}

/// One page of cases.
///
/// # Errors
/// `Damaged` when a record that it meets cannot be read.
pub(super) fn page(disk: &Disk, query: &CaseQuery) -> Result<CasePage, StoreError> {
    let limit = query.limit.min(PAGE_LEN_MAX);
    let mut page = CasePage::default();
    if limit == 0 {
        return Ok(page);
    }
    let (kind, prefix) = plan(query);
    let bounds = Bounds::beyond(query.after.map(CaseId::bytes), query.descending);
    let mut cursor = bounds.under(disk, kind, &prefix, query.descending);
    let mut near = Near::new(disk, Kind::Case);
    for scanned in 1..=PAGE_SCAN_MAX {
        let Some((key, value)) = cursor.next()? else {
            return Ok(page);
        };
        let id = keys::case_in(&key).ok_or_else(|| damaged(kind, &key, "it has no id"))?;
        if let Some(found) = case_at(&mut near, disk, kind, (id, &value))?
            && query.admits(&found)
        {
            if page.rows.len() == limit {
                page.next = page.rows.last().map(|row| row.id);
                return Ok(page);
            }
            page.rows.push(found);
        }
        if scanned == PAGE_SCAN_MAX {
            page.next = Some(id);
        }
    }
    Ok(page)
}

/// The case of an entry: of its own record, or of the index entry that leads to it.
fn case_at(
    near: &mut Near<'_>,
    disk: &Disk,
    kind: Kind,
    (id, value): (CaseId, &[u8]),
) -> Result<Option<Case>, StoreError> {
    let key = id.bytes();
    let record = if kind == Kind::Case {
        pages::unfold(kind, &key, value, |piece| disk.get(piece)).map(Some)
    } else {
        near.find(&key)
    };
    match record {
        Ok(record) => record
            .map(|record| codec::read(&record))
            .transpose()
            .map_err(|flaw| damaged(Kind::Case, &key, flaw)),
        // Its pieces may have been replaced since its block was read: look again.
        Err(_) => case(disk, id),
    }
}

/// Why cases cannot be written as they are asked for.
pub(super) enum Bar {
    /// The commit is refused.
    Refused(CommitError),
    /// The store cannot be read.
    Failed(StoreError),
}

impl From<StoreError> for Bar {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// That new cases are new, and that those which are to be closed are open; gives these as they
/// will stand.
///
/// # Errors
/// [`Bar`]; nothing was written.
pub(super) fn check(
    pages: &mut Pages<'_>,
    cases: &[&Case],
    closings: Vec<CaseClosing>,
) -> Result<Vec<Case>, Bar> {
    let mut own: BTreeMap<CaseId, &Case> = BTreeMap::new();
    for case in cases {
        let before = own.insert(case.id, case);
        if before.is_some() || pages.find(Kind::Case, &case.id.bytes())?.is_some() {
            return Err(Bar::Refused(CommitError::case_exists(case.id)));
        }
    }
    let mut closed: BTreeMap<CaseId, Case> = BTreeMap::new();
    for CaseClosing { case: id, closing } in closings {
        if closed.contains_key(&id) {
            return Err(Bar::Refused(CommitError::CaseClosed(id)));
        }
        let found = match own.get(&id) {
            Some(case) => Some((*case).clone()),
            None => stored(pages, id)?,
        };
        let mut case = found.ok_or(Bar::Refused(CommitError::NoSuchCase(id)))?;
        if case.closed.is_some() {
            return Err(Bar::Refused(CommitError::CaseClosed(id)));
        }
        case.closed = Some(closing);
        closed.insert(id, case);
    }
    Ok(closed.into_values().collect())
}

fn stored(pages: &mut Pages<'_>, id: CaseId) -> Result<Option<Case>, StoreError> {
    let key = id.bytes();
    let record = pages.find(Kind::Case, &key)?;
    record
        .map(|record| codec::read(&record))
        .transpose()
        .map_err(|flaw| damaged(Kind::Case, &key, flaw))
}
