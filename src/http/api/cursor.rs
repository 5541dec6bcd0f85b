//! Where a page ended, in a form that callers give back and do not take apart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::id::{CaseId, InquiryId, PaymentId, PayoutId};

const EVENTS_UP: u8 = b'e';
const EVENTS_DOWN: u8 = b'E';

/// The end of a page of a payout's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventCursor {
    pub(super) descending: bool,
    pub(super) after: u64,
}

/// What is said of a text that is none of our cursors.
pub(super) const NOT_A_CURSOR: &str =
    "is not a cursor of this list; take next_cursor from the page before";

macro_rules! cursors {
    ($( $(#[$doc:meta])+ $name:ident($id:ident), $up:literal, $down:literal; )*) => { $(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct $name {
            pub(super) descending: bool,
            pub(super) after: $id,
        }

        impl $name {
            pub(super) fn write(self) -> String {
                write(if self.descending { $down } else { $up }, &self.after.bytes())
            }

            pub(super) fn read(text: &str) -> Option<Self> {
                let (mark, bytes) = read(text)?;
                let descending = match mark {
                    $up => false,
                    $down => true,
                    _ => return None,
                };
                Some(Self { descending, after: $id::from_bytes(bytes) })
            }
        }
    )* };
}

// What the first byte says: which list, and which way through it.
cursors! {
    /// The end of a page of payouts.
    PayoutCursor(PayoutId), b'p', b'P';
    /// The end of a page of payments.
    PaymentCursor(PaymentId), b'm', b'M';
    /// The end of a page of inquiries.
    InquiryCursor(InquiryId), b'i', b'I';
    /// The end of a page of cases.
    CaseCursor(CaseId), b'c', b'C';
}

impl EventCursor {
    pub(super) fn write(self) -> String {
        let mark = if self.descending { EVENTS_DOWN } else { EVENTS_UP };
        write(mark, &self.after.to_be_bytes())
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (mark, bytes) = read(text)?;
        let descending = match mark {
            EVENTS_UP => false,
            EVENTS_DOWN => true,
            _ => return None,
        };
        Some(Self { descending, after: u64::from_be_bytes(bytes) })
    }
}

fn write(mark: u8, place: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(place.len().saturating_add(1));
    bytes.push(mark);
    bytes.extend_from_slice(place);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read<const N: usize>(text: &str) -> Option<(u8, [u8; N])> {
    /// More than any cursor has.
    const LEN_MAX: usize = 64;
    if text.len() > LEN_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (mark, place) = bytes.split_first()?;
    Some((*mark, place.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_wrote_and_nothing_else_does() {
        let payouts = PayoutCursor { descending: true, after: PayoutId::from_bytes([7; 16]) };
        let events = EventCursor { descending: false, after: 9 };
        let cases = CaseCursor { descending: false, after: CaseId::from_bytes([7; 16]) };
        assert_eq!(CaseCursor::read(&cases.write()), Some(cases));
        assert_eq!(CaseCursor::read(&payouts.write()), None);
        assert_eq!(PayoutCursor::read(&cases.write()), None);
        assert_eq!(PayoutCursor::read(&payouts.write()), Some(payouts));
        assert_eq!(EventCursor::read(&events.write()), Some(events));
        assert_eq!(PayoutCursor::read(&events.write()), None);
        assert_eq!(EventCursor::read(&payouts.write()), None);
        for wrong in ["", "!", "UA", &"A".repeat(65)] {
            assert_eq!(PayoutCursor::read(wrong), None, "{wrong}");
        }
    }
}
