//! One LZ4 frame with independent blocks; bytes after it are left alone, as the reference does.
//!
//! Frames with dependent blocks, legacy frames and frames for a dictionary are refused: a Java consumer could not
//! read them back. The frame is read here and its blocks by `lz4_flex`, whose own reader of frames copies each block twice
//! more and allocates for every frame.

use std::hash::Hasher;
use std::io::{self, Write};

use lz4_flex::block::decompress_into;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use super::damaged;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const VERSION_BITS: u8 = 0b1100_0000;
const VERSION_1: u8 = 0b0100_0000;
const INDEPENDENT_BLOCKS: u8 = 0b0010_0000;
const BLOCK_CHECKSUMS: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const RESERVED_FLAG: u8 = 0b0000_0010;
const DICTIONARY: u8 = 0b0000_0001;
const BLOCK_SIZE_BITS: u8 = 0b0111_0000;

/// In the length of a block: its bytes are the content as it is.
const NOT_PACKED: u32 = 1 << 31;
/// The longest run that one more byte can stand for.
const EXPANSION_MAX: usize = 255;

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

/// Walks the blocks of a frame. A block goes straight into the reader's buffer where that has room for the largest one that
/// the frame may hold; else through one of our own, of the size that the block's bytes can reach and no more.
pub(super) struct Inflate<'a> {
    rest: &'a [u8],
    block_bytes_max: usize,
    has_block_checksums: bool,
    content_size: Option<u64>,
    content_checksum: Option<XxHash32>,
    produced: u64,
    block: Vec<u8>,
    block_read: usize,
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
        if flags & DICTIONARY != 0 {
            return Err(damaged("frames for a dictionary are not supported"));
        }
        let size_bytes = if flags & CONTENT_SIZE == 0 { 0 } else { 8 };
        // Flags, block size, content size and a byte of their checksum.
        let descriptor = payload.get(MAGIC.len()..MAGIC.len() + 3 + size_bytes);
        let descriptor = descriptor.ok_or_else(|| damaged("ends within the frame header"))?;
        let (described, checksum) = descriptor.split_at(2 + size_bytes);
        if checksum != [(checksum_of(described) >> 8) as u8] {
            return Err(damaged("the checksum of the frame header is wrong"));
        }
        let block_size = described[1];
        if flags & RESERVED_FLAG != 0 || block_size & !BLOCK_SIZE_BITS != 0 {
            return Err(damaged("reserved bits of the frame header are set"));
        }
        let block_bytes_max = match block_size >> 4 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(damaged("unknown block size")),
        };
        let content_size = described[2..].first_chunk();
        Ok(Self {
            rest: &payload[MAGIC.len() + descriptor.len()..],
            block_bytes_max,
            has_block_checksums: flags & BLOCK_CHECKSUMS != 0,
            content_size: content_size.map(|bytes| u64::from_le_bytes(*bytes)),
            content_checksum: (flags & CONTENT_CHECKSUM != 0).then(|| XxHash32::with_seed(0)),
            produced: 0,
            block: Vec::new(),
            block_read: 0,
            ended: false,
        })
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.block_read == self.block.len() {
            let Some((packed, is_packed)) = self.next_block()? else {
                return Ok(0);
            };
            if is_packed && buf.len() >= self.block_bytes_max {
                let n = inflate_block(packed, &mut buf[..self.block_bytes_max])?;
                self.came_out(&buf[..n]);
                if n == 0 {
                    continue;
                }
                return Ok(n);
            }
            let mut block = std::mem::take(&mut self.block);
            if is_packed {
                block.resize(self.reach(packed), 0);
                let n = inflate_block(packed, &mut block)?;
                block.truncate(n);
            } else {
                block.clear();
                block.extend_from_slice(packed);
            }
            self.came_out(&block);
            self.block = block;
            self.block_read = 0;
        }
        let rest = &self.block[self.block_read..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.block_read += n;
        Ok(n)
    }

    /// How much a block can hold at most: a byte of it stands for no more than 255.
    fn reach(&self, packed: &[u8]) -> usize {
        packed
            .len()
            .saturating_mul(EXPANSION_MAX)
            .min(self.block_bytes_max)
    }

    /// The bytes of the next block, and whether they are packed. None: the frame has ended.
    fn next_block(&mut self) -> io::Result<Option<(&'a [u8], bool)>> {
        if self.ended {
            return Ok(None);
        }
        let head = self.number("ends before its end mark")?;
        let is_packed = head & NOT_PACKED == 0;
        let length = (head & !NOT_PACKED) as usize;
        if length == 0 {
            self.end()?;
            return Ok(None);
        }
        if length > self.block_bytes_max {
            return Err(damaged("a block is longer than the frame allows"));
        }
        let (block, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| damaged("ends within a block"))?;
        self.rest = rest;
        if self.has_block_checksums && self.number("ends within a block")? != checksum_of(block) {
            return Err(damaged("the checksum of a block is wrong"));
        }
        Ok(Some((block, is_packed)))
    }

    /// The end mark was read: what follows it says whether all came out.
    fn end(&mut self) -> io::Result<()> {
        self.ended = true;
        if self.content_size.is_some_and(|size| size != self.produced) {
            return Err(damaged("the content is not as long as the frame says"));
        }
        if let Some(hasher) = self.content_checksum.take()
            && u64::from(self.number("ends before its checksum")?) != hasher.finish()
        {
            return Err(damaged("the checksum of the content is wrong"));
        }
        Ok(())
    }

    fn came_out(&mut self, bytes: &[u8]) {
        self.produced += bytes.len() as u64;
        if let Some(hasher) = &mut self.content_checksum {
            hasher.write(bytes);
        }
    }

    fn number(&mut self, or_else: &'static str) -> io::Result<u32> {
        let (number, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| damaged(or_else))?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*number))
    }
}

fn inflate_block(packed: &[u8], into: &mut [u8]) -> io::Result<usize> {
    decompress_into(packed, into).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn checksum_of(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}
