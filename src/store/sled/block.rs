//! Blocks: many small records in one value.
//!
//! sled's cost, in time, memory and start-up, is by the number of its entries and hardly by their
//! size: it keeps at most sixteen to a page, and remembers every page. So records stand together,
//! in blocks of up to a few kilobytes. A block's key is not above the keys in it, and the next
//! block's key is above them all.
//!
//! `format:u8 crc32:u32 body`, where the body is `(key_len:varint key value_len:varint value)*`
//! with keys ascending; in the packed format, its length as a varint and then LZ4. The messages
//! and events of a block are so alike that packing them together leaves about a tenth.

use bytes::Bytes;

/// Entries as they are.
const PLAIN: u8 = 1;
/// Entries packed together.
const PACKED: u8 = 2;
/// Bytes before the body.
const HEADER_LEN: usize = 5;
/// Bits of a number that one byte of a varint carries.
const VARINT_BITS: u32 = 7;
/// The longest body that is unpacked: far above any that is packed.
const BODY_LEN_MAX: usize = 1 << 20;

/// A key and a value; both may share memory with their neighbours.
pub(super) type Entry = (Bytes, Bytes);

/// What is wrong with a block, in words.
pub(super) type Flaw = &'static str;

/// Reads a block: checks its format, its checksum and the order of its keys.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(block: &Bytes) -> Result<Vec<Entry>, Flaw> {
    let body = unpack(block)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(32);
    for entry in (Walk { rest: &body }) {
        let (key, value) = entry?;
        let key = body.slice_ref(key);
        if entries.last().is_some_and(|(before, _value)| *before >= key) {
            return Err("its keys are out of order");
        }
        entries.push((key, body.slice_ref(value)));
    }
    Ok(entries)
}

/// The body of a block whose format and checksum are right.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unpack(block: &Bytes) -> Result<Bytes, Flaw> {
    Ok(match open(block)? {
        Body::Plain(body) => block.slice_ref(body),
        Body::Unpacked(body) => Bytes::from(body),
    })
}

/// The value of `key` in a block.
///
/// # Errors
/// What is wrong with the block.
pub(super) fn find(block: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, Flaw> {
    let found = match open(block)? {
        Body::Plain(body) => find_in(body, key)?.map(<[u8]>::to_vec),
        Body::Unpacked(body) => find_in(&body, key)?.map(<[u8]>::to_vec),
    };
    Ok(found)
}

/// The value of `key` in a block's body.
///
/// # Errors
/// What is wrong with the body.
pub(super) fn find_in<'a>(body: &'a [u8], key: &[u8]) -> Result<Option<&'a [u8]>, Flaw> {
    for entry in (Walk { rest: body }) {
        let (known, value) = entry?;
        if known == key {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// A block's bytes; packed if that is wanted and makes it shorter.
pub(super) fn write(entries: &[Entry], is_packed: bool) -> Vec<u8> {
    let mut block = Vec::with_capacity(written_len(entries).saturating_add(HEADER_LEN));
    block.extend_from_slice(&[PLAIN, 0, 0, 0, 0]);
    for (key, value) in entries {
        write_len(&mut block, key.len());
        block.extend_from_slice(key);
        write_len(&mut block, value.len());
        block.extend_from_slice(value);
    }
    if is_packed {
        let (_header, body) = block.split_at_checked(HEADER_LEN).unwrap_or_default();
        let mut packed = vec![PACKED, 0, 0, 0, 0];
        write_len(&mut packed, body.len());
        packed.extend_from_slice(&lz4_flex::block::compress(body));
        if packed.len() < block.len() {
            block = packed;
        }
    }
    let (_header, body) = block.split_at_checked(HEADER_LEN).unwrap_or_default();
    let sum = crc32fast::hash(body).to_be_bytes();
    if let Some(place) = block.get_mut(1..HEADER_LEN) {
        place.copy_from_slice(&sum);
    }
    block
}

/// How long these entries are in a block, to within a few bytes.
pub(super) fn written_len(entries: &[Entry]) -> usize {
    entries.iter().map(entry_len).fold(0, usize::saturating_add)
}

/// How long one entry is in a block, to within a few bytes.
pub(super) fn entry_len((key, value): &Entry) -> usize {
    key.len().saturating_add(value.len()).saturating_add(3)
}

/// A block's entries, in a row.
enum Body<'a> {
    Plain(&'a [u8]),
    Unpacked(Vec<u8>),
}

/// The entries of a block whose format and checksum are right.
fn open(block: &[u8]) -> Result<Body<'_>, Flaw> {
    let ([format, sum @ ..], body) =
        block.split_first_chunk::<HEADER_LEN>().ok_or("it is too short")?;
    if u32::from_be_bytes(*sum) != crc32fast::hash(body) {
        return Err("its checksum is wrong");
    }
    match *format {
        PLAIN => Ok(Body::Plain(body)),
        PACKED => {
            let mut rest = body;
            let len = read_len(&mut rest).filter(|len| *len <= BODY_LEN_MAX);
            let len = len.ok_or("its length is wrong")?;
            let body = lz4_flex::block::decompress(rest, len);
            let body = body.map_err(|_error| "it cannot be unpacked")?;
            Ok(Body::Unpacked(body))
        }
        _ => Err("its format is unknown"),
    }
}

/// Walks over the entries of a body.
struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn part(&mut self) -> Option<&'a [u8]> {
        let len = read_len(&mut self.rest)?;
        let (part, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(part)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.part().and_then(|key| Some((key, self.part()?)));
        if entry.is_none() {
            self.rest = &[];
        }
        Some(entry.ok_or("it ends in the middle of an entry"))
    }
}

fn write_len(block: &mut Vec<u8>, len: usize) {
    let mut left = len;
    loop {
        let low = u8::try_from(left & 0x7F).unwrap_or(0);
        left = left.checked_shr(VARINT_BITS).unwrap_or(0);
        if left == 0 {
            block.push(low);
            return;
        }
        block.push(low | 0x80);
    }
}

fn read_len(rest: &mut &[u8]) -> Option<usize> {
    let mut len = 0_usize;
    let mut shift = 0_u32;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        len |= usize::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(len);
        }
        // Five bytes say more than any block holds.
        shift = shift.checked_add(VARINT_BITS).filter(|shift| *shift < 35)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &[(&str, usize)]) -> Vec<Entry> {
        list.iter()
            .map(|(key, len)| (Bytes::copy_from_slice(key.as_bytes()), vec![7; *len].into()))
            .collect()
    }

    #[test]
    fn a_block_reads_back_what_it_was_written_from() {
        for list in [vec![], vec![("a", 0)], vec![("a", 127), ("aa", 128), ("b", 20_000)]] {
            let entries = entries(&list);
            for is_packed in [false, true] {
                let block = Bytes::from(write(&entries, is_packed));
                assert_eq!(read(&block).as_ref(), Ok(&entries));
                for (key, value) in &entries {
                    assert_eq!(find(&block, key), Ok(Some(value.to_vec())));
                }
                assert_eq!(find(&block, b"nothing"), Ok(None));
            }
        }
        let alike = entries(&[("a", 5_000), ("b", 5_000)]);
        assert!(write(&alike, true).len() < 200);
    }

    #[test]
    fn any_single_changed_byte_is_noticed() {
        for is_packed in [false, true] {
            let block = write(&entries(&[("a", 3), ("b", 200)]), is_packed);
            for place in 0..block.len() {
                let mut damaged = block.clone();
                damaged[place] ^= 0x10;
                assert!(read(&Bytes::from(damaged.clone())).is_err(), "byte {place}");
                assert!(find(&damaged, b"a").is_err(), "byte {place}");
            }
            for len in 0..block.len() {
                assert!(find(&block[..len], b"b").is_err(), "cut to {len}");
            }
        }
    }

    #[test]
    fn keys_out_of_order_are_noticed() {
        let block = Bytes::from(write(&entries(&[("b", 1), ("a", 1)]), false));
        assert_eq!(read(&block), Err("its keys are out of order"));
    }
}
