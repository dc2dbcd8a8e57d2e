//! Snappy in the framing of snappy-java (xerial), which Java and most clients use, or as one bare block.
//!
//! The framing: 8 bytes of magic, version and compatible version as int32, then blocks of int32 length and bytes.
//! A block announces its inflated size; more than the format can reach from its length is refused before allocating.

use std::io::{self, Write};

use super::damaged;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
const VERSION: u32 = 1;
/// Block size of snappy-java's own streams.
const BLOCK_BYTES: usize = 32 << 10;
/// The densest element copies 64 bytes and is 3 bytes long.
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = Deflate::new(out)?;
    encoder.write_all(input)?;
    encoder.finish()
}

/// Writes the framing; nothing is missing after `finish` only.
pub(super) struct Deflate<W> {
    out: W,
    encoder: snap::raw::Encoder,
    block: Vec<u8>,
    packed: Vec<u8>,
}

impl<W: Write> Deflate<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_be_bytes())?;
        out.write_all(&VERSION.to_be_bytes())?;
        Ok(Self {
            out,
            encoder: snap::raw::Encoder::new(),
            block: Vec::new(),
            packed: vec![0; snap::raw::max_compress_len(BLOCK_BYTES)],
        })
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.end_block()
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let n = self.encoder.compress(&self.block, &mut self.packed)?;
        self.block.clear();
        // A block of 32 KiB never becomes longer than an i32 can say.
        self.out.write_all(&(n as u32).to_be_bytes())?;
        self.out.write_all(&self.packed[..n])
    }
}

impl<W: Write> Write for Deflate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..n]);
        if self.block.len() == BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) struct Inflate<'a> {
    input: &'a [u8],
    form: Form,
    block: Vec<u8>,
    block_read: usize,
    bytes_max: u64,
}

enum Form {
    Unknown,
    Framed,
    /// The one block has been read.
    BareDone,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(payload: &'a [u8], bytes_max: u64) -> Self {
        Self {
            input: payload,
            form: Form::Unknown,
            block: Vec::new(),
            block_read: 0,
            bytes_max,
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.block_read == self.block.len() {
            let Some(packed) = self.next_block()? else {
                return Ok(0);
            };
            self.inflate_block(packed)?;
        }
        let rest = &self.block[self.block_read..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.block_read += n;
        Ok(n)
    }

    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if let Form::Unknown = self.form {
            if self.input.is_empty() {
                return Err(damaged("the stream is empty"));
            }
            if !self.skip_header()? {
                self.form = Form::BareDone;
                return Ok(Some(std::mem::take(&mut self.input)));
            }
            self.form = Form::Framed;
        }
        loop {
            // Fewer bytes than a length are no block; the reference ends the stream there.
            let Some((length, rest)) = self.input.split_first_chunk::<4>() else {
                return Ok(None);
            };
            // Two streams in a row: the second's header stands where a length would, and its first byte makes that
            // length negative.
            if length[..] == MAGIC[..4] && self.skip_header()? {
                continue;
            }
            let length = usize::try_from(i32::from_be_bytes(*length))
                .map_err(|_| damaged("negative block length"))?;
            let (packed, rest) = rest
                .split_at_checked(length)
                .ok_or_else(|| damaged("ends within a block"))?;
            self.input = rest;
            return Ok(Some(packed));
        }
    }

    /// Steps over the framing's header if there is one.
    fn skip_header(&mut self) -> io::Result<bool> {
        let Some((header, rest)) = self.input.split_at_checked(HEADER_BYTES) else {
            return Ok(false);
        };
        if !header.starts_with(&MAGIC) {
            return Ok(false);
        }
        let version = header[8..]
            .first_chunk()
            .map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if version < VERSION {
            return Err(damaged("unknown version of the framing"));
        }
        self.input = rest;
        Ok(true)
    }

    fn inflate_block(&mut self, packed: &[u8]) -> io::Result<()> {
        let length = snap::raw::decompress_len(packed)?;
        if length > packed.len().saturating_mul(EXPANSION_MAX) {
            return Err(damaged("a block announces more than it can hold"));
        }
        if length as u64 > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.block.clear();
        self.block.resize(length, 0);
        self.block_read = 0;
        let n = snap::raw::Decoder::new().decompress(packed, &mut self.block)?;
        self.block.truncate(n);
        Ok(())
    }
}
