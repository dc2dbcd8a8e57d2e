//! One connection's received bytes, cut into frames.
//!
//! Always: memory grows with the bytes that have arrived, never with the length that was announced; a frame length
//! outside `1..=frame_bytes_max` ends the connection before a byte of it is kept.
//! A frame owns its memory alone, so that a produce request can patch its batches in place. Where a read brought more
//! than one frame, the smaller of frame and remainder is copied: the work stays linear in the bytes received.

use bytes::{Buf, BytesMut};

/// The first capacity of a connection that has sent nothing yet, and the least: a thousand idle connections have two of it
/// each.
const CAPACITY_MIN: usize = 1024;

/// The most that is asked for ahead of the bytes, once a connection has shown that it sends frames of such size.
const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// What is read at once from a connection that sends smaller frames faster than they are handled.
const PIPELINE_BYTES: usize = 64 * 1024;

/// Room beyond one expected frame, so that the head of the next one comes along.
const SLACK_BYTES: usize = 512;

const LENGTH_BYTES: usize = 4;

/// A frame length that no request can have. Also what HTTP or TLS on this port looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {length} bytes announced, 1 to {max} are allowed")]
pub(crate) struct BadLength {
    length: i32,
    max: usize,
}

pub(crate) struct Inbox {
    received: BytesMut,
    /// A handled frame's buffer, empty, waiting to be used again.
    spare: BytesMut,
    frame_bytes_max: usize,
    /// Size of the last frame: what the next read makes room for.
    expected: usize,
    /// Room that the buffer had for the last read.
    room: usize,
    /// The last read brought more than a frame, or may have left some of the next one behind.
    is_pipelined: bool,
}

impl Inbox {
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        Self {
            received: BytesMut::new(),
            spare: BytesMut::new(),
            frame_bytes_max,
            expected: 0,
            room: 0,
            is_pipelined: false,
        }
    }

    /// Takes the first frame, without its length, if all of it is here.
    pub(crate) fn take_frame(&mut self) -> Result<Option<BytesMut>, BadLength> {
        let Some(length) = self.announced()? else {
            return Ok(None);
        };
        let end = LENGTH_BYTES + length;
        if self.received.len() < end {
            return Ok(None);
        }
        self.expected = end;
        let remainder = self.received.len() - end;
        let mut other = std::mem::take(&mut self.spare);
        let mut frame = if remainder <= length {
            other.extend_from_slice(&self.received[end..]);
            self.received.truncate(end);
            std::mem::replace(&mut self.received, other)
        } else {
            other.extend_from_slice(&self.received[..end]);
            self.received.advance(end);
            other
        };
        frame.advance(LENGTH_BYTES);
        Ok(Some(frame))
    }

    /// Takes a handled frame's memory back for the next one.
    pub(crate) fn recycle(&mut self, mut frame: BytesMut) {
        frame.clear();
        if frame.capacity() > self.spare.capacity() && frame.capacity() <= READ_AHEAD_BYTES_MAX * 2
        {
            self.spare = frame;
        }
    }

    /// How large the buffer should be for the next read: at most twice what has arrived, or one frame of the size
    /// that this connection has sent before, or several small ones where they come so fast.
    pub(crate) fn wanted_capacity(&self) -> usize {
        let have = self.received.len();
        let trusted = (have * 2).max(self.expected.min(READ_AHEAD_BYTES_MAX) + SLACK_BYTES);
        let trusted = trusted.max(CAPACITY_MIN);
        let wanted = match self.announced() {
            Ok(Some(length)) if LENGTH_BYTES + length > have => {
                trusted.min(LENGTH_BYTES + length + SLACK_BYTES)
            }
            _ => trusted,
        };
        match self.is_pipelined && self.expected <= PIPELINE_BYTES / 2 {
            true => wanted.max(PIPELINE_BYTES),
            false => wanted,
        }
    }

    /// Makes room for `wanted_capacity` and hands the buffer out to be read into.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        let wanted = self.wanted_capacity();
        let missing = wanted.saturating_sub(self.received.len()).max(1);
        if !self.received.try_reclaim(missing) && self.spare.try_reclaim(wanted) {
            self.spare.extend_from_slice(&self.received);
            std::mem::swap(&mut self.received, &mut self.spare);
            self.spare.clear();
        }
        self.received.reserve(missing);
        self.room = self.received.capacity() - self.received.len();
        &mut self.received
    }

    /// So many bytes were read into the buffer.
    pub(crate) fn took_in(&mut self, bytes: usize) {
        let first = match self.announced() {
            Ok(Some(length)) => LENGTH_BYTES + length,
            _ => return,
        };
        let have = self.received.len();
        // Of a frame that is not whole yet it is known how much is missing.
        self.is_pipelined = have > first || (have == first && bytes >= self.room);
    }

    /// How many bytes wait to be taken.
    pub(crate) fn received_bytes(&self) -> usize {
        self.received.len()
    }

    /// True in the middle of a frame.
    pub(crate) fn is_partial(&self) -> bool {
        !self.received.is_empty()
    }

    /// Lets go of memory that an idle connection has no use for.
    pub(crate) fn shrink(&mut self) {
        self.spare = BytesMut::new();
        self.expected = 0;
        self.is_pipelined = false;
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
    }

    /// Length of the first frame as its head says, checked.
    fn announced(&self) -> Result<Option<usize>, BadLength> {
        let Some(head) = self.received.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*head);
        match usize::try_from(length) {
            Ok(size) if size > 0 && size <= self.frame_bytes_max => Ok(Some(size)),
            _ => Err(BadLength {
                length,
                max: self.frame_bytes_max,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1024 * 1024;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let payloads = [
            vec![1u8; 10],
            vec![2; 5000],
            vec![3; 1],
            vec![4; 70_000],
            vec![5; 64],
        ];
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
        for step in [1, 3, 17, 4096, 1 << 20] {
            let mut inbox = Inbox::new(MAX);
            let mut seen = Vec::new();
            for piece in stream.chunks(step) {
                inbox.buffer().extend_from_slice(piece);
                while let Some(frame) = inbox.take_frame().unwrap() {
                    seen.push(frame.to_vec());
                    inbox.recycle(frame);
                }
            }
            assert_eq!(seen, payloads, "in steps of {step}");
            assert!(!inbox.is_partial());
        }
    }

    #[test]
    fn frames_that_come_fast_are_read_several_at_a_time_and_others_one_by_one() {
        let frame = frame(&[7; 16_000]);
        let stream = frame.repeat(40);
        let mut inbox = Inbox::new(MAX);
        let (mut rest, mut reads, mut frames) = (&stream[..], 0, 0);
        while !rest.is_empty() {
            let buffer = inbox.buffer();
            let n = rest.len().min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&rest[..n]);
            rest = &rest[n..];
            inbox.took_in(n);
            reads += 1;
            while let Some(taken) = inbox.take_frame().unwrap() {
                assert_eq!(taken, frame[LENGTH_BYTES..]);
                frames += 1;
                inbox.recycle(taken);
            }
        }
        assert_eq!(frames, 40);
        assert!(reads <= 15, "{reads} reads");

        inbox.buffer().extend_from_slice(&frame);
        inbox.took_in(frame.len());
        inbox.take_frame().unwrap().unwrap();
        assert!(inbox.wanted_capacity() <= frame.len() + SLACK_BYTES);
    }

    #[test]
    fn a_connection_that_sends_one_small_request_gets_no_large_buffer() {
        let mut inbox = Inbox::new(MAX);
        inbox.buffer().extend_from_slice(&frame(&[7; 40]));
        inbox.took_in(44);
        inbox.take_frame().unwrap().unwrap();
        assert!(inbox.wanted_capacity() <= CAPACITY_MIN);
    }

    /// As most connections begin. A thousand of them, idle afterwards, held 64 MiB.
    #[test]
    fn a_request_that_is_larger_than_the_one_before_it_is_one_request() {
        let mut inbox = Inbox::new(MAX);
        for size in [40, 300, 3000] {
            let frame = frame(&vec![7; size]);
            let mut rest = &frame[..];
            while !rest.is_empty() {
                let buffer = inbox.buffer();
                let room = buffer.capacity() - buffer.len();
                let (read, left) = rest.split_at(rest.len().min(room));
                buffer.extend_from_slice(read);
                inbox.took_in(read.len());
                rest = left;
                assert!(inbox.wanted_capacity() <= CAPACITY_MIN.max(2 * frame.len() + SLACK_BYTES));
            }
            let taken = inbox.take_frame().unwrap().unwrap();
            inbox.recycle(taken);
        }
    }

    #[test]
    fn announced_length_alone_reserves_nothing() {
        let mut inbox = Inbox::new(100 * MAX);
        inbox
            .buffer()
            .extend_from_slice(&(100 * MAX as u32 - 1).to_be_bytes());
        inbox.buffer().extend_from_slice(&[0]);
        assert!(inbox.wanted_capacity() <= CAPACITY_MIN);
        inbox.buffer().extend_from_slice(&vec![0; 100_000]);
        assert!(inbox.wanted_capacity() <= 2 * 100_005);
    }

    #[test]
    fn lengths_no_request_can_have_are_refused() {
        for head in [
            &(-1i32).to_be_bytes(),
            &0i32.to_be_bytes(),
            &i32::MAX.to_be_bytes(),
            b"GET ",
            &[0x16, 3, 1, 0],
        ] {
            let mut inbox = Inbox::new(100 * MAX);
            inbox.buffer().extend_from_slice(head);
            assert!(inbox.take_frame().is_err(), "{head:?}");
        }
    }
}
