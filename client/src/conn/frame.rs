//! Frames on a byte stream: a four byte size, then so many bytes.
//!
//! Always: nothing larger than the caller's bound is read or allocated, and a response is one slice of the receive
//! buffer, so that decoded strings and record sets need no copy. Not here: what a frame means.

use std::{collections::VecDeque, io, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::transport::{ReadHalf, WriteHalf};

/// Small answers share a buffer of this size; a larger frame gets one that fits.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Bytes of an unusable answer that are kept for the diagnosis.
const KEPT_BYTES: usize = 64;

/// Why no frame came.
#[derive(Debug)]
pub(super) enum FrameFault {
    /// The peer closed; the bytes are those of an unfinished frame.
    Closed {
        partial: Bytes,
    },
    /// The size is negative or over the bound; the bytes are the first of the answer, size included.
    Size {
        size: i32,
        first: Bytes,
    },
    Io(io::Error),
}

/// Reads frames. Cancelling `next` loses nothing: what was read stays in the buffer.
pub(super) struct FrameReader {
    reader: ReadHalf,
    buffer: BytesMut,
}

impl FrameReader {
    pub(super) fn new(reader: ReadHalf) -> Self {
        Self {
            reader,
            buffer: BytesMut::with_capacity(READ_BUFFER_BYTES),
        }
    }

    /// The next frame without its size.
    pub(super) async fn next(&mut self, size_max: usize) -> Result<Bytes, FrameFault> {
        self.fill(4).await?;
        let size = self
            .buffer
            .first_chunk()
            .map_or(-1, |bytes| i32::from_be_bytes(*bytes));
        let length = match usize::try_from(size) {
            Ok(length) if length <= size_max => length,
            _ => {
                return Err(FrameFault::Size {
                    size,
                    first: self.first_bytes(),
                });
            }
        };
        self.fill(4 + length).await?;
        self.buffer.advance(4);
        Ok(self.buffer.split_to(length).freeze())
    }

    /// What has been read and not yet been taken, shortened.
    pub(super) fn first_bytes(&self) -> Bytes {
        let kept = self.buffer.len().min(KEPT_BYTES);
        Bytes::copy_from_slice(self.buffer.get(..kept).unwrap_or_default())
    }

    async fn fill(&mut self, length: usize) -> Result<(), FrameFault> {
        while self.buffer.len() < length {
            let missing = length - self.buffer.len();
            if self.buffer.capacity() - self.buffer.len() < missing {
                self.buffer.reserve(missing.max(READ_BUFFER_BYTES));
            }
            match self.reader.read_buf(&mut self.buffer).await {
                Ok(0) => {
                    return Err(FrameFault::Closed {
                        partial: self.first_bytes(),
                    });
                }
                Ok(_) => {}
                Err(error) => return Err(FrameFault::Io(error)),
            }
        }
        Ok(())
    }
}

/// A request's pieces, written as if they were one run of bytes: record sets are never copied behind their header.
#[derive(Default)]
pub(super) struct ChunkQueue {
    chunks: VecDeque<Bytes>,
}

impl ChunkQueue {
    pub(super) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Writes everything. Several chunks go out in one system call where the stream can do that.
    pub(super) async fn write_to(&mut self, writer: &mut WriteHalf) -> io::Result<()> {
        writer.write_all_buf(self).await?;
        writer.flush().await
    }
}

impl Buf for ChunkQueue {
    fn remaining(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    fn has_remaining(&self) -> bool {
        !self.chunks.is_empty()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
            used += 1;
        }
        used
    }

    fn advance(&mut self, count: usize) {
        let mut left = count;
        while let Some(front) = self.chunks.front_mut() {
            if left < front.len() {
                front.advance(left);
                return;
            }
            left -= front.len();
            self.chunks.pop_front();
        }
        assert!(left == 0, "advanced past the end of the queue");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader_of(bytes: &'static [u8]) -> FrameReader {
        FrameReader::new(Box::new(bytes))
    }

    #[tokio::test]
    async fn frames_come_out_one_by_one() {
        let mut reader = reader_of(b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01z");
        assert_eq!(reader.next(10).await.unwrap(), "abc");
        assert_eq!(reader.next(10).await.unwrap(), "");
        assert_eq!(reader.next(10).await.unwrap(), "z");
        assert!(
            matches!(reader.next(10).await, Err(FrameFault::Closed { partial }) if partial.is_empty())
        );
    }

    #[tokio::test]
    async fn a_size_over_the_bound_or_below_zero_is_refused_before_anything_is_allocated() {
        for bytes in [
            b"\x7f\xff\xff\xffrest",
            b"\x80\0\0\0rest",
            b"\0\0\0\x0brest",
        ] {
            let fault = reader_of(bytes).next(10).await.unwrap_err();
            assert!(
                matches!(&fault, FrameFault::Size { first, .. } if first == &bytes[..]),
                "{fault:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_peer_that_closes_inside_a_frame_leaves_what_it_sent_for_the_diagnosis() {
        let fault = reader_of(b"\0\0\0\x09abc").next(10).await.unwrap_err();
        assert!(
            matches!(&fault, FrameFault::Closed { partial } if partial == &b"\0\0\0\x09abc"[..]),
            "{fault:?}"
        );
    }

    #[test]
    fn advancing_crosses_chunk_borders() {
        let mut queue = ChunkQueue::default();
        for chunk in ["ab", "", "cde", "f"] {
            queue.push(Bytes::from_static(chunk.as_bytes()));
        }
        assert_eq!(queue.remaining(), 6);
        queue.advance(3);
        assert_eq!(queue.chunk(), b"de");
        queue.advance(2);
        assert_eq!(queue.chunk(), b"f");
        queue.advance(1);
        assert!(!queue.has_remaining());
    }
}
