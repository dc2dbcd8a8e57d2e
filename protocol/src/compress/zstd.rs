//! Zstandard: any number of frames in a row; anything else after them is damage.

use std::io::{self, Read, Write};

use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

/// What the reference takes where no level is configured.
const LEVEL: i32 = 3;

/// With the size known the frame asks for no larger window than it needs.
pub(super) fn encoder<W: Write>(
    level: Option<i32>,
    input_bytes: u64,
    out: W,
) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, level.unwrap_or(LEVEL))?;
    encoder.set_pledged_src_size(Some(input_bytes))?;
    Ok(encoder)
}

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = encoder(level, input.len() as u64, out)?;
    encoder.write_all(input)?;
    encoder.finish()?;
    Ok(())
}

pub(super) struct Inflate<'a> {
    decoder: Decoder<'static, &'a [u8]>,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(payload: &'a [u8], window_log_max: u32) -> io::Result<Self> {
        let mut decoder = Decoder::with_buffer(payload)?;
        decoder.window_log_max(window_log_max)?;
        Ok(Self { decoder })
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buf)
    }
}
