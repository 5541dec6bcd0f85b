//! Numbers that look like chance and are none: receipts, and the ids that M-Pesa makes.

use crate::domain::time::Timestamp;

/// Receipts have seven counting places of base 36 behind three that the seed fixes.
pub(super) const RECEIPT_SPACE: u64 = 78_364_164_096;
/// A factor that shares no divisor with 36, so that counting up visits every place once, and
/// small enough that its product with a count fits in 64 bits.
pub(super) const RECEIPT_STRIDE: u64 = 64_638_581;
const RECEIPT_LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const RECEIPT_YEARS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// The year whose letter is `N` (spec/daraja.md §9).
const YEAR_OF_N: u64 = 2019;
/// A receipt's number holds how many there were before it, and above that the three characters of
/// its day.
const DAY_SHIFT: u32 = 40;
/// As many as there are before the counting part.
const DAY_LEN: u32 = 3;

/// The number of a receipt that is made at `at`, after `index` others.
pub(super) fn receipt_number(at: Timestamp, index: u64) -> u64 {
    let day = day_letters(at).bytes().fold(0, |day: u64, byte| (day << 8) | u64::from(byte));
    (day << DAY_SHIFT) | counted(index)
}

/// How many receipts there were before this one.
const fn counted(number: u64) -> u64 {
    number & ((1 << DAY_SHIFT) - 1)
}

/// The part of a receipt that no two payments share.
pub(super) fn receipt_place(seed: u64, number: u64) -> u64 {
    counted(number)
        .wrapping_mul(RECEIPT_STRIDE)
        .wrapping_add(mix(seed).checked_rem(RECEIPT_SPACE).unwrap_or_default())
        .checked_rem(RECEIPT_SPACE)
        .unwrap_or_default()
}

/// Ten characters, as M-Pesa's receipts have, different for each payment: year, month and day in
/// East Africa, and seven that say nothing.
pub(super) fn receipt(seed: u64, number: u64) -> String {
    let mut text = String::with_capacity(10);
    for place in (0..DAY_LEN).rev() {
        let byte = (number >> DAY_SHIFT) >> place.saturating_mul(8);
        text.push(char::from(u8::try_from(byte & 0xff).unwrap_or(b'0')));
    }
    let place = receipt_place(seed, number);
    let mut divisor = RECEIPT_SPACE / 36;
    for _ in 0..7 {
        text.push(letter(RECEIPT_LETTERS, place.checked_div(divisor).unwrap_or_default()));
        divisor = divisor.checked_div(36).unwrap_or_default().max(1);
    }
    text
}

/// What stands for a receipt where there is none: the first three characters and zeros
/// (spec/daraja.md §2.3).
pub(in crate::sim) fn no_receipt(at: Timestamp) -> String {
    format!("{}0000000", day_letters(at))
}

/// Year, month and day in East Africa, a character each (spec/daraja.md §9): the third of October
/// 2026 is `UJ3`.
fn day_letters(at: Timestamp) -> String {
    let digits = at.east_africa_digits();
    let part = |range| digits.get(range).and_then(|part: &str| part.parse().ok()).unwrap_or(0_u64);
    let (year, month, day) = (part(0..4), part(4..6), part(6..8));
    // A multiple of 26 more, so that years before the first are letters, too.
    let year = year.saturating_add(26 * 100 + 13).saturating_sub(YEAR_OF_N);
    let month = month.saturating_sub(1);
    let letters =
        [(RECEIPT_YEARS.as_slice(), year), (RECEIPT_YEARS, month), (RECEIPT_LETTERS, day)];
    letters.into_iter().map(|(letters, number)| letter(letters, number)).collect()
}

/// An id as Daraja makes them: 4-4-4-12 hexadecimal digits and a counter (spec/daraja.md §9).
pub(in crate::sim) fn daraja_id(seed: u64, number: u64) -> String {
    let spread = mix(mix(seed ^ 0xda7a_7a1d).wrapping_add(number));
    let more = mix(spread);
    format!(
        "{:04x}-{:04x}-{:04x}-{:012x}{number}",
        (spread >> 48) & 0xffff,
        (spread >> 32) & 0xffff,
        (spread >> 16) & 0xffff,
        more & 0xffff_ffff_ffff,
    )
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn letter(letters: &[u8], number: u64) -> char {
    let place =
        number.checked_rem(count(letters.len())).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| letters.get(place)).map_or('0', |byte| char::from(*byte))
}

/// Spreads a number over 64 bits, one to one: what the simulator has in place of chance, so that
/// two runs with one seed behave alike.
pub(in crate::sim) const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_begins_with_its_day_in_east_africa() {
        let table = [
            ("2019-01-01T12:00:00Z", "NA1"),
            ("2024-01-02T03:04:05Z", "SA2"),
            ("2026-10-03T12:00:00Z", "UJ3"),
            ("2026-11-30T20:59:59Z", "UKU"),
            ("2026-11-30T21:00:00Z", "UL1"),
            ("2026-12-31T20:59:59Z", "ULV"),
            ("2026-12-31T21:00:00Z", "VA1"),
        ];
        for (at, day) in table {
            let at = Timestamp::parse_rfc3339(at).expect(at);
            let receipt = receipt(7, receipt_number(at, 12));
            assert_eq!(receipt.get(..3), Some(day), "{receipt}");
            assert_eq!(receipt.len(), 10);
            assert_eq!(no_receipt(at), format!("{day}0000000"));
        }
    }
}
