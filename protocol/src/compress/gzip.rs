//! Gzip: any number of members in a row; bytes after the last one that start no member are left alone, as Java does.

use std::io::{self, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

const MEMBER_START: [u8; 2] = [0x1f, 0x8b];

pub(super) fn encoder<W: Write>(level: Option<i32>, out: W) -> GzEncoder<W> {
    let level = level.map_or_else(flate2::Compression::default, |level| {
        flate2::Compression::new(level.unsigned_abs())
    });
    GzEncoder::new(out, level)
}

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = encoder(level, out);
    encoder.write_all(input)?;
    encoder.finish()?;
    Ok(())
}

pub(super) struct Inflate<'a> {
    /// `None` once the last member has ended.
    member: Option<GzDecoder<&'a [u8]>>,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self {
            member: Some(GzDecoder::new(payload)),
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            let n = member.read(buf)?;
            if n > 0 {
                return Ok(n);
            }
            let rest: &'a [u8] = member.get_ref();
            self.member = rest
                .starts_with(&MEMBER_START)
                .then(|| GzDecoder::new(rest));
        }
    }
}
