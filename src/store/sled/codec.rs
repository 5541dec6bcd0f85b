//! Records as bytes: a version, then what the version says.
//!
//! Checksums stand around the blocks that records live in. A version, once shipped, is read for
//! ever; what is written is always the newest. Versions 1 and 2 were never shipped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{self, Kind};
use crate::domain::id::{MessageId, PayoutId};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::chain::Head;
use crate::store::{
    Channel, Claim, Counts, Direction, FeedEvent, Kept, Life, Message, Remembered, StoreError,
    Stored,
};

/// The version that every record is written in.
pub(super) const VERSION: u8 = 4;
/// The longest body that is kept: far above what any listener takes in.
const BODY_LEN_MAX: usize = 16 << 20;

/// What is wrong with a record, in words.
pub(super) type Flaw = &'static str;

/// The numbers of the whole store, written with every group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// How many groups of writes there have been, ever.
    pub(super) groups: u64,
    /// Where the event chain ends.
    pub(super) head: Head,
    /// How many payouts stand where.
    pub(super) counts: Counts,
    /// How many records there are of each of [`Kind::COUNTED`].
    pub(super) kept: [u64; Kind::COUNTED.len()],
}

/// Any record that serde can write.
///
/// # Errors
/// In words, when it cannot be.
pub(super) fn write<T: Serialize>(record: &T) -> Result<Vec<u8>, String> {
    postcard::to_extend(record, vec![VERSION])
        .map_err(|error| format!("a record cannot be encoded: {error}"))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Flaw> {
    let (record, rest) = read_head(bytes)?;
    if rest.is_empty() { Ok(record) } else { Err("something stands behind the record") }
}

fn read_head<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), Flaw> {
    let body = versioned(bytes)?;
    postcard::take_from_bytes(body).map_err(|_error| "the record cannot be decoded")
}

fn versioned(bytes: &[u8]) -> Result<&[u8], Flaw> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some(_) => Err("its version is unknown"),
        None => Err("it is empty"),
    }
}

/// The numbers of the whole store, with a checksum of their own: they stand in no block.
///
/// # Errors
/// In words, when they cannot be written.
pub(super) fn write_meta(meta: &Meta) -> Result<Vec<u8>, String> {
    let mut bytes = write(meta)?;
    let sum = crc32fast::hash(&bytes).to_be_bytes();
    bytes.extend_from_slice(&sum);
    Ok(bytes)
}

/// Reads what [`write_meta`] wrote.
///
/// These numbers are the first thing that is read of a store: their version is the store's.
///
/// # Errors
/// `OtherVersion` when another version of the program wrote the store; `Damaged` when they cannot
/// be read.
pub(super) fn read_meta(bytes: &[u8]) -> Result<Meta, StoreError> {
    let damaged = |flaw| StoreError::Damaged(format!("the store's numbers: {flaw}"));
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("they are too short"))?;
    if crc32fast::hash(body) != u32::from_be_bytes(*sum) {
        return Err(damaged("their checksum is wrong"));
    }
    match body.first() {
        Some(version) if *version < VERSION => Err(StoreError::OtherVersion(format!(
            "it was written by an earlier, unreleased version of mlango (format {version}, and \
             this one reads {VERSION}); keep the directory and start with an empty one"
        ))),
        Some(version) if *version > VERSION => Err(StoreError::OtherVersion(format!(
            "it was written by a later version of mlango (format {version}, and this one reads \
             {VERSION}); use that one, or a later one still"
        ))),
        Some(_) | None => read(body).map_err(damaged),
    }
}

/// Something's own bytes; its version and last event are put before them by [`write_life`].
///
/// # Errors
/// In words, when it cannot be written.
pub(super) fn body_of(life: &Life) -> Result<Vec<u8>, String> {
    let bytes = match life {
        Life::Payout(payout) => postcard::to_allocvec(payout),
        Life::Payment(payment) => postcard::to_allocvec(payment),
        Life::Inquiry(inquiry) => postcard::to_allocvec(inquiry),
        Life::Text(text) => postcard::to_allocvec(text),
    };
    bytes.map_err(|error| format!("{} cannot be encoded: {error}", life.subject()))
}

/// The record of something with a life: `version:u8 (its version):u64 (its last event, or 0):u64
/// body`.
pub(super) fn write_life(version: u64, last_event: Option<u64>, body: &[u8]) -> Vec<u8> {
    // Events are numbered from 1, so that 0 is free to say "none".
    let last = last_event.unwrap_or(0).to_be_bytes();
    [&[VERSION], version.to_be_bytes().as_slice(), &last, body].concat()
}

/// The parts of such a record, its body not yet looked into.
///
/// # Errors
/// What is wrong with it.
pub(super) fn split_life(bytes: &[u8]) -> Result<(u64, Option<u64>, &[u8]), Flaw> {
    let (version, rest) = take_u64(versioned(bytes)?)?;
    let (last, body) = take_u64(rest)?;
    Ok((version, (last != 0).then_some(last), body))
}

/// Reads a payout's record.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_payout(bytes: &[u8]) -> Result<Stored, Flaw> {
    let Kept { value: payout, version, last_event } = read_kept(bytes)?;
    Ok(Stored { payout, version, last_event })
}

/// Reads the record of something with a life.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_kept<T: DeserializeOwned>(bytes: &[u8]) -> Result<Kept<T>, Flaw> {
    let (version, last_event, body) = split_life(bytes)?;
    let (value, rest) =
        postcard::take_from_bytes(body).map_err(|_error| "the record cannot be decoded")?;
    if !rest.is_empty() {
        return Err("something stands behind the record");
    }
    Ok(Kept { value, version, last_event })
}

/// Reads the record of something of the kind that `subject` is of.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_life(subject: Subject, bytes: &[u8]) -> Result<Kept<Life>, Flaw> {
    match subject {
        Subject::Payout(_) => Ok(read_kept(bytes)?.map(Life::Payout)),
        Subject::Payment(_) => Ok(read_kept(bytes)?.map(Life::Payment)),
        Subject::Inquiry(_) => Ok(read_kept(bytes)?.map(Life::Inquiry)),
        Subject::Text(_) => Ok(read_kept(bytes)?.map(Life::Text)),
    }
}

/// An event's record: `version:u8 linked:u8 previous:u64 hash:[u8; 32] event`.
///
/// `is_linked` says whether what it is about was there, so that its history leads here.
pub(super) fn write_event(
    is_linked: bool,
    previous: Option<u64>,
    hash: &[u8; 32],
    event: &[u8],
) -> Vec<u8> {
    let previous = previous.unwrap_or(0).to_be_bytes();
    [&[VERSION, u8::from(is_linked)], previous.as_slice(), hash, event].concat()
}

/// An event, and whether the history of what it is about leads to it.
#[derive(Debug)]
pub(super) struct ReadEvent {
    pub(super) is_linked: bool,
    pub(super) event: FeedEvent,
}

/// Reads an event's record.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_event(seq: u64, bytes: &[u8]) -> Result<ReadEvent, Flaw> {
    let (linked, rest) = versioned(bytes)?.split_first().ok_or("it is too short")?;
    let (previous, rest) = take_u64(rest)?;
    let (hash, rest) = rest.split_first_chunk::<32>().ok_or("it is too short")?;
    let (event, rest) =
        postcard::take_from_bytes(rest).map_err(|_error| "the event cannot be decoded")?;
    if !rest.is_empty() || *linked > 1 {
        return Err("it has an unknown form");
    }
    let event =
        FeedEvent { seq, event, previous: (previous != 0).then_some(previous), hash: *hash };
    Ok(ReadEvent { is_linked: *linked == 1, event })
}

/// A used key's record.
pub(super) fn write_claim(claim: &Claim) -> Vec<u8> {
    let made = claim.made;
    [&[VERSION], claim.fingerprint.as_slice(), &[made.letter()], &made.bytes()].concat()
}

/// Reads what [`write_claim`] wrote.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_claim(bytes: &[u8]) -> Result<Remembered, Flaw> {
    let (fingerprint, made) =
        versioned(bytes)?.split_first_chunk::<32>().ok_or("it is too short")?;
    let (letter, id) = made.split_first().ok_or("it is too short")?;
    let id = id.try_into().map_err(|_error| "it has no id")?;
    let made = Subject::from_key(*letter, id).ok_or("what it made is of no known kind")?;
    Ok(Remembered { fingerprint: *fingerprint, made })
}

/// The payout's id that is all of `bytes`.
///
/// # Errors
/// When it is none.
pub(super) fn read_id(bytes: &[u8]) -> Result<PayoutId, Flaw> {
    read_bytes(bytes).map(PayoutId::from_bytes)
}

/// The id, of whatever kind, that is all of `bytes`.
///
/// # Errors
/// When it is none.
pub(super) fn read_bytes(bytes: &[u8]) -> Result<[u8; keys::ID_LEN], Flaw> {
    bytes.try_into().map_err(|_error| "it is not an id")
}

/// What is kept of a message besides its id and its body.
#[derive(Serialize, Deserialize)]
struct MessageHead {
    at: Timestamp,
    direction: Direction,
    channel: Channel,
    peer: Option<String>,
    certificate: Option<String>,
    http_status: Option<u16>,
    about: Option<Subject>,
}

/// A message's record: what is known of it, and then its body as it was.
///
/// # Errors
/// In words, when it cannot be written.
pub(super) fn write_message(message: &Message) -> Result<Vec<u8>, String> {
    if message.body.len() > BODY_LEN_MAX {
        return Err(format!("the message {} is too long", message.id));
    }
    let head = MessageHead {
        at: message.at,
        direction: message.direction,
        channel: message.channel,
        peer: message.peer.clone(),
        certificate: message.certificate.clone(),
        http_status: message.http_status,
        about: message.about,
    };
    let mut bytes = write(&head)?;
    bytes.extend_from_slice(&message.body);
    Ok(bytes)
}

/// Reads a message's record.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_message(id: MessageId, bytes: &[u8]) -> Result<Message, Flaw> {
    let (head, body): (MessageHead, _) = read_head(bytes)?;
    Ok(Message {
        id,
        at: head.at,
        direction: head.direction,
        channel: head.channel,
        peer: head.peer,
        certificate: head.certificate,
        http_status: head.http_status,
        about: head.about,
        body: body.to_vec(),
    })
}

fn take_u64(bytes: &[u8]) -> Result<(u64, &[u8]), Flaw> {
    let (number, rest) = bytes.split_first_chunk::<8>().ok_or("it is too short")?;
    Ok((u64::from_be_bytes(*number), rest))
}
