//! What has left, counted where it is handed over.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::tls::BoxedStream;

/// What has left on a connection.
#[derive(Debug, Default)]
pub(super) struct Left {
    bytes: AtomicU64,
    /// Told once everything that was to be written has been.
    pub(super) whole: Notify,
}

impl Left {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

/// When a connection says that writing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fails {
    /// Only if it took nothing of what was to be written, as a plain socket does.
    BeforeTaking,
    /// Also if it took some, as rustls does: it encrypts, and writes what it has encrypted, in the
    /// same breath.
    Whenever,
    /// Also if it only says that it must wait, as OpenSSL does: it may have written a part of what
    /// it encrypted, and wants the same bytes again for the rest.
    EvenWhenWaiting,
}

/// A connection that counts what is handed to it.
pub(super) struct Counted {
    pub(super) stream: BoxedStream,
    pub(super) fails: Fails,
    /// Whether the other side may still turn our certificate away (`tls::Session::is_on_trial`): an
    /// alert about it is then a part of its handshake, and it has read nothing else. After that an
    /// alert could be about anything.
    pub(super) is_on_trial: bool,
    pub(super) left: Arc<Left>,
}

impl Counted {
    /// Counts what the connection took, of so many bytes; what it refused has not left.
    fn count(&self, taken: &Poll<io::Result<usize>>, offered: usize) {
        let bytes = match taken {
            Poll::Ready(Ok(bytes)) => *bytes,
            Poll::Ready(Err(_)) if self.fails != Fails::BeforeTaking => offered,
            Poll::Pending if self.fails == Fails::EvenWhenWaiting => offered,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.left.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(&taken, bytes.len());
        taken
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(&taken, slices.iter().map(|slice| slice.len()).sum());
        taken
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // HTTP asks for it once all that it holds is written.
        if matches!(flushed, Poll::Ready(Ok(()))) && self.left.bytes() > 0 {
            self.left.whole.notify_one();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some of what is written, and fails all the same, as TLS may.
    struct Failing;

    impl AsyncRead for Failing {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Failing {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_fails_inside_tls_may_have_left_and_what_a_socket_refuses_has_not() {
        use tokio::io::AsyncWriteExt as _;
        let table = [(Fails::Whenever, 12), (Fails::EvenWhenWaiting, 12), (Fails::BeforeTaking, 0)];
        for (fails, bytes) in table {
            let left = Arc::new(Left::default());
            let mut counted = Counted {
                stream: Box::new(Failing),
                fails,
                is_on_trial: false,
                left: Arc::clone(&left),
            };
            assert!(
                counted.write_all(b"<the request>".get(..12).unwrap_or_default()).await.is_err()
            );
            assert_eq!(left.bytes(), bytes, "{fails:?}");
        }
    }

    #[test]
    fn what_waits_may_have_left_in_part_where_the_library_does_not_say() {
        let table = [(Fails::EvenWhenWaiting, 12), (Fails::Whenever, 0), (Fails::BeforeTaking, 0)];
        for (fails, bytes) in table {
            let left = Arc::new(Left::default());
            let counted = Counted {
                stream: Box::new(Failing),
                fails,
                is_on_trial: false,
                left: Arc::clone(&left),
            };
            counted.count(&Poll::Pending, 12);
            assert_eq!(left.bytes(), bytes, "{fails:?}");
        }
    }
}
