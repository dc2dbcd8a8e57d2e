//! From one codec to another, a piece at a time: what the payload inflates to is never in memory as a whole.

use std::io::{self, Write};

use super::{CompressError, Compression, Inflater, gzip, lz4, snappy, zstd};

const PIECE_BYTES: usize = 32 << 10;

/// A buffer that takes so many bytes and no more.
struct Capped<'a> {
    out: &'a mut Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + bytes.len() > self.bytes_max {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Compression {
    /// Appends the compressed form of what `from` inflates to, which is `input_bytes` long. False: `out` would become
    /// longer than `bytes_max`; what it holds then is of no use.
    pub fn transcode(
        self,
        level: Option<i32>,
        from: &mut Inflater<'_>,
        input_bytes: u64,
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<bool, CompressError> {
        let level = self.clamped(level);
        let mut out = Capped {
            out,
            bytes_max,
            is_full: false,
        };
        let done = self.pump(level, from, input_bytes, &mut out);
        match done {
            Err(_) if out.is_full => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn pump(
        self,
        level: Option<i32>,
        from: &mut Inflater<'_>,
        input_bytes: u64,
        out: &mut Capped<'_>,
    ) -> Result<(), CompressError> {
        let failed = |source| CompressError::Encode {
            codec: self,
            source,
        };
        match self {
            Self::None => self.copy(from, out),
            Self::Gzip => {
                let mut encoder = gzip::encoder(level, out);
                self.copy(from, &mut encoder)?;
                encoder.finish().map(drop).map_err(failed)
            }
            Self::Snappy => {
                let mut encoder = snappy::Deflate::new(out).map_err(failed)?;
                self.copy(from, &mut encoder)?;
                encoder.finish().map_err(failed)
            }
            Self::Lz4 => {
                let mut encoder = lz4::encoder(out);
                self.copy(from, &mut encoder)?;
                encoder
                    .finish()
                    .map(drop)
                    .map_err(|error| failed(error.into()))
            }
            Self::Zstd => {
                let mut encoder = zstd::encoder(level, input_bytes, out).map_err(failed)?;
                self.copy(from, &mut encoder)?;
                encoder.finish().map(drop).map_err(failed)
            }
        }
    }

    fn copy(self, from: &mut Inflater<'_>, to: &mut impl Write) -> Result<(), CompressError> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let n = from.read(&mut piece)?;
            if n == 0 {
                return Ok(());
            }
            to.write_all(&piece[..n])
                .map_err(|source| CompressError::Encode {
                    codec: self,
                    source,
                })?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::InflateLimits;

    #[test]
    fn every_codec_becomes_every_other_one_as_long_as_there_is_room() {
        let text: Vec<u8> = (0..200_000_u32)
            .flat_map(|i| (i / 7).to_be_bytes())
            .collect();
        for from in Compression::ALL {
            let mut packed = Vec::new();
            from.compress(None, &text, &mut packed).unwrap();
            for to in Compression::ALL {
                let mut out = b"front".to_vec();
                let transcode = |out: &mut Vec<u8>, bytes_max| {
                    let mut inflater = from.inflater(&packed, InflateLimits::STRICT).unwrap();
                    to.transcode(None, &mut inflater, text.len() as u64, out, bytes_max)
                };
                assert!(transcode(&mut out, usize::MAX).unwrap(), "{from} to {to}");
                let back = to.inflate(&out[5..], InflateLimits::STRICT).unwrap();
                assert!(out.starts_with(b"front") && back == text, "{from} to {to}");
                let room = out.len() - 1;
                let mut out = b"front".to_vec();
                assert!(!transcode(&mut out, room).unwrap(), "{from} to {to}");
            }
        }
    }
}
