//! References that somebody is expected to pay, as the store in memory keeps them.

use std::collections::BTreeMap;

use crate::domain::payment::validation::{Expected, account_key};

/// Writes what is imported over what stands there, then counts what was paid.
pub(super) fn write(
    book: &mut BTreeMap<String, Expected>,
    expected: Vec<Expected>,
    paid_accounts: &[String],
) {
    for it in expected {
        let key = account_key(&it.reference);
        let it = it.over(book.get(&key));
        book.insert(key, it);
    }
    for key in paid_accounts.iter().map(|account| account_key(account)) {
        if let Some(it) = book.remove(&key) {
            book.insert(key, it.paid_again());
        }
    }
}
