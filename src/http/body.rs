//! Request bodies: read whole, up to a length, within a time.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// How much of a body that is refused is read and thrown away, so that its sender can finish
/// sending and read why. Beyond that the connection is closed on it.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;
/// How long that may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// What a body may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The most bytes.
    pub bytes: usize,
    /// How long it may take to arrive.
    pub timeout: Duration,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRead {
    /// It is longer than may be.
    TooLarge,
    /// It took too long.
    TimedOut,
    /// Its sender went away, or sent something that is no body.
    Broken,
}

/// Reads a body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
) -> Result<Bytes, NotRead> {
    let mut body = body;
    let said =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > limits.bytes) {
        discard(body).await;
        return Err(NotRead::TooLarge);
    }
    let read = tokio::time::timeout(limits.timeout, collect(&mut body, limits.bytes)).await;
    let read = read.unwrap_or(Err(NotRead::TimedOut));
    if read == Err(NotRead::TooLarge) {
        discard(body).await;
    }
    read
}

async fn collect(body: &mut Body, most: usize) -> Result<Bytes, NotRead> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_error| NotRead::Broken)?.into_data() else {
            continue;
        };
        let so_far = first.len().saturating_add(rest.len());
        if so_far.saturating_add(data.len()) > most {
            return Err(NotRead::TooLarge);
        }
        // Most bodies come in one piece, which is then not copied.
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Lets the sender of a refused body finish.
pub(super) async fn discard(mut body: Body) {
    let mut left = DISCARD_BYTES_MAX;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whether it ended or not, it is refused.
    drop(tokio::time::timeout(DISCARD_TIMEOUT, all).await);
}
