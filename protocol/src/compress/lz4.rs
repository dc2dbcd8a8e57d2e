//! One LZ4 frame with independent blocks; bytes after it are left alone, as the reference does.
//!
//! Frames with dependent blocks, legacy frames and frames for a dictionary are refused: a Java consumer could not
//! read them back.

use std::io::{self, Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::damaged;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const VERSION_BITS: u8 = 0b1100_0000;
const VERSION_1: u8 = 0b0100_0000;
const INDEPENDENT_BLOCKS: u8 = 0b0010_0000;

pub(super) fn encoder<W: Write>(out: W) -> FrameEncoder<W> {
    let info = FrameInfo::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent);
    FrameEncoder::with_frame_info(info, out)
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = encoder(out);
    encoder.write_all(input)?;
    encoder.finish()?;
    Ok(())
}

/// Tells whether the decoder came to the end of its input, which it does not tell itself: it takes a frame cut
/// between two blocks for a whole one.
struct Input<'a> {
    rest: &'a [u8],
    ran_out: bool,
}

impl Read for Input<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.rest.read(buf)?;
        self.ran_out |= n < buf.len();
        Ok(n)
    }
}

pub(super) struct Inflate<'a> {
    decoder: FrameDecoder<Input<'a>>,
    ended: bool,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(payload: &'a [u8]) -> io::Result<Self> {
        let flags = match payload {
            [a, b, c, d, flags, ..] if [*a, *b, *c, *d] == MAGIC => *flags,
            [_, _, _, _, _, ..] => return Err(damaged("no LZ4 frame")),
            _ => return Err(damaged("ends within the frame header")),
        };
        if flags & VERSION_BITS != VERSION_1 {
            return Err(damaged("unknown version of the frame format"));
        }
        if flags & INDEPENDENT_BLOCKS == 0 {
            return Err(damaged(
                "blocks that depend on each other are not supported",
            ));
        }
        let input = Input {
            rest: payload,
            ran_out: false,
        };
        Ok(Self {
            decoder: FrameDecoder::new(input),
            ended: false,
        })
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let n = self.decoder.read(buf)?;
        if n == 0 {
            if self.decoder.get_ref().ran_out {
                return Err(damaged("ends before its end mark"));
            }
            self.ended = true;
        }
        Ok(n)
    }
}
