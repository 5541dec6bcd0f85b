//! Numbers that look like chance and are none: receipts, and the ids that M-Pesa makes.

/// Receipts have seven counting places of base 36 behind three that the seed fixes.
pub(super) const RECEIPT_SPACE: u64 = 78_364_164_096;
/// A factor that shares no divisor with 36, so that counting up visits every place once, and
/// small enough that its product with a count fits in 64 bits.
pub(super) const RECEIPT_STRIDE: u64 = 64_638_581;
const RECEIPT_LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const RECEIPT_FIRST_LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The part of a receipt that no two payments share.
pub(super) fn receipt_place(seed: u64, index: u64) -> u64 {
    index
        .wrapping_mul(RECEIPT_STRIDE)
        .wrapping_add(mix(seed).checked_rem(RECEIPT_SPACE).unwrap_or_default())
        .checked_rem(RECEIPT_SPACE)
        .unwrap_or_default()
}

/// Ten characters, as M-Pesa's receipts have, different for each payment.
pub(super) fn receipt(seed: u64, index: u64) -> String {
    let mut text = prefix(seed);
    let place = receipt_place(seed, index);
    let mut divisor = RECEIPT_SPACE / 36;
    for _ in 0..7 {
        text.push(letter(RECEIPT_LETTERS, place.checked_div(divisor).unwrap_or_default()));
        divisor = divisor.checked_div(36).unwrap_or_default().max(1);
    }
    text
}

/// What stands for a receipt where there is none: the first three characters and zeros
/// (spec/daraja.md §2.3).
pub(super) fn no_receipt(seed: u64) -> String {
    let mut text = prefix(seed);
    text.push_str("0000000");
    text
}

fn prefix(seed: u64) -> String {
    let base = mix(seed);
    let first = letter(RECEIPT_FIRST_LETTERS, base >> 40);
    let second = letter(RECEIPT_FIRST_LETTERS, base >> 48);
    let third = letter(RECEIPT_LETTERS, base >> 56);
    let mut text = String::with_capacity(10);
    text.extend([first, second, third]);
    text
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
