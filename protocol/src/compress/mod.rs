//! The four codecs of record batches behind one enum.
//!
//! Owns: codec ids and names, compressing a whole payload, inflating one as a stream with a bound.
//! Always: inflating holds one codec window or block at a time and stops at the bound, so that memory follows what was
//! produced and never what a header announces. What goes in and comes out is the records part of a batch, no header.
//! Not here: what the bytes mean, and which codec a topic wants.

mod gzip;
mod lz4;
mod snappy;
mod transcode;
mod zstd;

use std::fmt;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// How the records of a batch are packed; the numbers are the lowest three bits of its attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Compression {
    /// As they are.
    #[default]
    None = 0,
    /// RFC 1952; several members in a row are one stream.
    Gzip = 1,
    /// In the framing of snappy-java, or one bare block as other clients write it.
    Snappy = 2,
    /// The LZ4 frame format with independent blocks.
    Lz4 = 3,
    /// RFC 8878.
    Zstd = 4,
}

/// How far a payload may inflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Most bytes that may come out.
    pub bytes_max: u64,
    /// Largest window a zstd frame may ask for, as a power of two.
    pub zstd_window_log_max: u32,
}

impl InflateLimits {
    /// For batches of strangers: 256 MiB, and the 8 MiB of window that every zstd decoder has to offer. Levels up to 19
    /// stay within it.
    pub const STRICT: Self = Self {
        bytes_max: 256 << 20,
        zstd_window_log_max: 23,
    };
    /// For batches that a broker has accepted before: the reference accepts windows of 128 MiB.
    pub const LENIENT: Self = Self {
        bytes_max: 1 << 30,
        zstd_window_log_max: 27,
    };
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self::STRICT
    }
}

/// Why a payload could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// The bytes are not what the codec writes, or end early.
    #[error("the {codec} payload is damaged: {source}")]
    Damaged {
        /// Which codec.
        codec: Compression,
        /// What its decoder said.
        source: io::Error,
    },
    /// The bound was reached and there is more.
    #[error("the {codec} payload inflates to more than {bytes_max} bytes")]
    TooLarge {
        /// Which codec.
        codec: Compression,
        /// The bound.
        bytes_max: u64,
    },
    /// The codec's encoder failed, which only an absurdly long input can bring about.
    #[error("could not compress with {codec}: {source}")]
    Encode {
        /// Which codec.
        codec: Compression,
        /// What its encoder said.
        source: io::Error,
    },
}

impl Compression {
    /// Every codec in the order of ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec for an id from a batch's attributes.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The id in a batch's attributes.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The levels that Kafka's configuration accepts; `None` where the codec has none.
    #[must_use]
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(1..=9),
            Self::Lz4 => Some(1..=17),
            Self::Zstd => Some(-131_072..=22),
        }
    }

    /// Appends the compressed form of `input` to `out`. Levels outside of the codec's range are moved to its nearest
    /// end; LZ4 has one level only, since its library has no slower mode.
    pub fn compress(
        self,
        level: Option<i32>,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        let level = self.clamped(level);
        let done = match self {
            Self::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            Self::Gzip => gzip::compress(level, input, out),
            Self::Snappy => snappy::compress(input, out),
            Self::Lz4 => lz4::compress(input, out),
            Self::Zstd => zstd::compress(level, input, out),
        };
        done.map_err(|source| CompressError::Encode {
            codec: self,
            source,
        })
    }

    fn clamped(self, level: Option<i32>) -> Option<i32> {
        let in_range = |(level, levels): (i32, RangeInclusive<i32>)| {
            level.clamp(*levels.start(), *levels.end())
        };
        level.zip(self.levels()).map(in_range)
    }

    /// A stream of what `payload` inflates to.
    pub fn inflater(
        self,
        payload: &[u8],
        limits: InflateLimits,
    ) -> Result<Inflater<'_>, CompressError> {
        let stream = match self {
            Self::None => Stream::Plain(payload),
            Self::Gzip => Stream::Gzip(Box::new(gzip::Inflate::new(payload))),
            Self::Snappy => Stream::Snappy(snappy::Inflate::new(payload, limits.bytes_max)),
            Self::Lz4 => Stream::Lz4(Box::new(lz4::Inflate::new(payload).map_err(|source| {
                CompressError::Damaged {
                    codec: self,
                    source,
                }
            })?)),
            Self::Zstd => Stream::Zstd(
                zstd::Inflate::new(payload, limits.zstd_window_log_max).map_err(|source| {
                    CompressError::Damaged {
                        codec: self,
                        source,
                    }
                })?,
            ),
        };
        Ok(Inflater {
            codec: self,
            stream,
            produced: 0,
            bytes_max: limits.bytes_max,
        })
    }

    /// All that `payload` inflates to.
    pub fn inflate(self, payload: &[u8], limits: InflateLimits) -> Result<Vec<u8>, CompressError> {
        let mut out = Vec::new();
        self.inflate_into(payload, limits, &mut out)?;
        Ok(out)
    }

    /// As [`Self::inflate`], into a buffer whose content goes and whose memory is used again.
    pub fn inflate_into(
        self,
        payload: &[u8],
        limits: InflateLimits,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        let mut inflater = self.inflater(payload, limits)?;
        out.clear();
        loop {
            // Grows with what was produced; a bomb is cut at the bound, a header that lies costs nothing.
            let start = out.len();
            out.resize(start + (start / 2).clamp(4 << 10, 1 << 20), 0);
            let n = inflater.read(&mut out[start..])?;
            out.truncate(start + n);
            if n == 0 {
                return Ok(());
            }
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| UnknownCompression(name.chars().take(64).collect()))
    }
}

/// A name that is no codec's.
#[derive(Debug, thiserror::Error)]
#[error("unknown compression name: {0}")]
pub struct UnknownCompression(String);

/// What a payload inflates to, a piece at a time.
pub struct Inflater<'a> {
    codec: Compression,
    stream: Stream<'a>,
    produced: u64,
    bytes_max: u64,
}

enum Stream<'a> {
    Plain(&'a [u8]),
    Gzip(Box<gzip::Inflate<'a>>),
    Snappy(snappy::Inflate<'a>),
    Lz4(Box<lz4::Inflate<'a>>),
    Zstd(zstd::Inflate<'a>),
}

impl Inflater<'_> {
    /// Fills some of `buf`; 0 means the end of the stream, or that `buf` is empty.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, CompressError> {
        if buf.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.stream {
            Stream::Plain(rest) => rest.read(buf),
            Stream::Gzip(inflate) => inflate.read(buf),
            Stream::Snappy(inflate) => inflate.read(buf),
            Stream::Lz4(inflate) => inflate.read(buf),
            Stream::Zstd(inflate) => inflate.read(buf),
        };
        let n = match read {
            Ok(n) => n,
            Err(source) if source.kind() == io::ErrorKind::FileTooLarge => {
                return Err(self.too_large());
            }
            Err(source) => {
                return Err(CompressError::Damaged {
                    codec: self.codec,
                    source,
                });
            }
        };
        self.produced += n as u64;
        if self.produced > self.bytes_max {
            return Err(self.too_large());
        }
        Ok(n)
    }

    /// Bytes that came out so far.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.produced
    }

    fn too_large(&self) -> CompressError {
        CompressError::TooLarge {
            codec: self.codec,
            bytes_max: self.bytes_max,
        }
    }
}

fn damaged(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests;
