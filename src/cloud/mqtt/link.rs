//! A stream of bytes as packets. At rest it holds no buffer: most connections are at rest, and
//! there may be thousands of them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::codec::{PacketError, Strict};

/// A thread's buffer for reading: the most that one TLS record holds.
const CHUNK: usize = 16 * 1024;
/// What is read before it is handled, so that one client does not keep the others waiting.
const READ: usize = 64 * 1024;
/// Answers beyond it are written before more are made.
const FULL: usize = 32 * 1024;
/// A buffer for writing that is kept: acknowledgements fit.
const KEPT: usize = 256;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Packets in and out.
pub(super) struct Link<S> {
    stream: S,
    codec: Strict,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// How much of it has gone.
    written: usize,
    /// The other side sends no more, or the stream is broken.
    ended: bool,
}

impl<S> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        let (incoming, outgoing) = (BytesMut::new(), BytesMut::new());
        Self { stream, codec: Strict::new(), incoming, outgoing, written: 0, ended: false }
    }

    /// The next whole packet of what has arrived.
    pub(super) fn take(&mut self) -> Result<Option<Packet>, PacketError> {
        let packet = self.codec.decode(&mut self.incoming);
        if self.incoming.is_empty() {
            self.incoming = BytesMut::new();
        }
        packet
    }

    /// Whether nothing more will arrive.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Writes a packet with the next [`Link::flush`].
    pub(super) fn put(&mut self, packet: Packet) -> Result<(), PacketError> {
        self.codec.encode(packet, &mut self.outgoing)
    }

    /// Whether it is time for [`Link::flush`].
    pub(super) fn is_full(&self) -> bool {
        self.outgoing.len() >= FULL
    }
}

impl<S> Link<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Waits until something has arrived, be it the end, and takes in all that is there. Nothing
    /// is lost when it is given up.
    pub(super) async fn arrive(&mut self) -> Result<(), PacketError> {
        Ok(poll_fn(|cx| self.poll_arrive(cx)).await?)
    }

    fn poll_arrive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.incoming.len();
        BUFFER.with_borrow_mut(|buffer| {
            while self.incoming.len() - before < READ && !self.ended {
                let mut buffer = ReadBuf::new(buffer);
                match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) => {
                        self.ended = buffer.filled().is_empty();
                        self.incoming.extend_from_slice(buffer.filled());
                    }
                    Poll::Ready(Err(error)) => {
                        self.ended = true;
                        // Packets that came before are answered, even if nobody hears it.
                        if self.incoming.len() == before {
                            return Poll::Ready(Err(error));
                        }
                    }
                    Poll::Pending if self.incoming.len() == before => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Waits for the next packet; `None` is the end.
    pub(super) async fn next(&mut self) -> Result<Option<Packet>, PacketError> {
        loop {
            match self.take()? {
                Some(packet) => return Ok(Some(packet)),
                None if self.ended => return Ok(None),
                None => self.arrive().await?,
            }
        }
    }

    /// Writes all that has been put, in as few records as it fits in. May be given up and begun
    /// again.
    pub(super) async fn flush(&mut self) -> Result<(), PacketError> {
        while self.written < self.outgoing.len() {
            let count = self.stream.write(&self.outgoing[self.written..]).await?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.written += count;
        }
        self.stream.flush().await?;
        self.written = 0;
        self.outgoing.clear();
        if self.outgoing.capacity() > KEPT {
            self.outgoing = BytesMut::new();
        }
        Ok(())
    }

    /// Ends the stream politely.
    pub(super) async fn close(&mut self) -> Result<(), PacketError> {
        Ok(self.stream.shutdown().await?)
    }
}
