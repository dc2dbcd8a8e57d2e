//! Takes values off a frame, with every length checked against what is left.

use std::fmt;

use bytes::Bytes;

use super::writer::STRING_BYTES_MAX;
use super::{Records, StrBytes, UnknownTags, Uuid};

/// What was wrong with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The value needs more bytes than are left.
    Truncated { needed: u64, left: usize },
    /// Null stood where the version does not allow it.
    Null,
    /// A varint went on for more than its type's bytes.
    VarintTooLong,
    /// A string above the protocol's 32,767 bytes.
    StringTooLong(i64),
    /// A tagged field of other versions of the message.
    TagOfOtherVersion(u32),
    /// The message has no such version.
    Version(i16),
}

/// A message that could not be decoded: where, which field, and why.
#[derive(Debug)]
pub struct DecodeError(Box<Detail>);

#[derive(Debug)]
struct Detail {
    offset: usize,
    field: &'static str,
    problem: Problem,
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(offset: usize, field: &'static str, problem: Problem) -> Self {
        Self(Box::new(Detail {
            offset,
            field,
            problem,
        }))
    }

    /// Bytes from the start of the frame.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    #[must_use]
    pub fn problem(&self) -> Problem {
        self.0.problem
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: ", self.0.field, self.0.offset)?;
        match self.0.problem {
            Problem::Truncated { needed, left } => {
                write!(f, "needs {needed} bytes, {left} are left")
            }
            Problem::Null => write!(f, "null is not allowed here"),
            Problem::VarintTooLong => write!(f, "varint is too long"),
            Problem::StringTooLong(length) => {
                write!(
                    f,
                    "string of {length} bytes, at most {STRING_BYTES_MAX} are allowed"
                )
            }
            Problem::TagOfOtherVersion(tag) => write!(f, "tag {tag} belongs to other versions"),
            Problem::Version(version) => write!(f, "version {version} does not exist"),
        }
    }
}

impl std::error::Error for DecodeError {}

type Result<T> = std::result::Result<T, DecodeError>;

/// A cursor over one frame. Byte strings, texts and record sets that it hands out are slices of the frame.
#[derive(Debug)]
pub struct Reader {
    frame: Bytes,
    position: usize,
}

macro_rules! fixed {
    ($name:ident, $type:ty) => {
        #[inline]
        pub fn $name(&mut self, field: &'static str) -> Result<$type> {
            const N: usize = size_of::<$type>();
            match self
                .frame
                .get(self.position..)
                .and_then(<[u8]>::first_chunk::<N>)
            {
                Some(bytes) => {
                    self.position += N;
                    Ok(<$type>::from_be_bytes(*bytes))
                }
                None => Err(self.truncated(field, N as u64)),
            }
        }
    };
}

impl Reader {
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        Self { frame, position: 0 }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.frame.len() - self.position
    }

    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// What has not been read yet, as a slice of the frame.
    #[must_use]
    pub fn rest(&self) -> Bytes {
        self.frame.slice(self.position..)
    }

    #[cold]
    fn truncated(&self, field: &'static str, needed: u64) -> DecodeError {
        DecodeError::new(
            self.position,
            field,
            Problem::Truncated {
                needed,
                left: self.left(),
            },
        )
    }

    #[cold]
    fn null(&self, field: &'static str) -> DecodeError {
        DecodeError::new(self.position, field, Problem::Null)
    }

    /// The error for a tag that only other versions of the struct know.
    #[cold]
    pub fn tag_of_other_version(&self, field: &'static str, tag: u32) -> DecodeError {
        DecodeError::new(self.position, field, Problem::TagOfOtherVersion(tag))
    }

    fixed!(i8, i8);
    fixed!(i16, i16);
    fixed!(u16, u16);
    fixed!(i32, i32);
    fixed!(u32, u32);
    fixed!(i64, i64);
    fixed!(f64, f64);

    /// Any byte but 0 is true, as in the reference.
    #[inline]
    pub fn bool(&mut self, field: &'static str) -> Result<bool> {
        Ok(self.i8(field)? != 0)
    }

    #[inline]
    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid> {
        match self
            .frame
            .get(self.position..)
            .and_then(<[u8]>::first_chunk::<16>)
        {
            Some(bytes) => {
                self.position += 16;
                Ok(Uuid(*bytes))
            }
            None => Err(self.truncated(field, 16)),
        }
    }

    /// Unsigned varint of at most five bytes; bits above the 32nd are dropped, as in the reference.
    #[inline]
    pub fn uvarint(&mut self, field: &'static str) -> Result<u32> {
        match self.frame.get(self.position) {
            Some(byte) if *byte < 0x80 => {
                self.position += 1;
                Ok(u32::from(*byte))
            }
            _ => self.long_uvarint(field),
        }
    }

    fn long_uvarint(&mut self, field: &'static str) -> Result<u32> {
        let mut value = 0u32;
        for index in 0..5u32 {
            let byte = self.i8(field)? as u8;
            value |= u32::from(byte & 0x7f).wrapping_shl(7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::new(
            self.position,
            field,
            Problem::VarintTooLong,
        ))
    }

    #[inline]
    fn take(&mut self, length: usize, field: &'static str) -> Result<Bytes> {
        if length > self.left() {
            return Err(self.truncated(field, length as u64));
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        let start = self.position;
        self.position += length;
        Ok(self.frame.slice(start..start + length))
    }

    /// Length of a string: compact or two bytes. Negative is null.
    #[inline]
    fn string_length(&mut self, flexible: bool, field: &'static str) -> Result<i64> {
        if flexible {
            return Ok(i64::from(self.uvarint(field)? as i32) - 1);
        }
        Ok(i64::from(self.i16(field)?))
    }

    /// Length of bytes, records or an array: compact or four bytes. Negative is null.
    #[inline]
    fn long_length(&mut self, flexible: bool, field: &'static str) -> Result<i64> {
        if flexible {
            return Ok(i64::from(self.uvarint(field)? as i32) - 1);
        }
        Ok(i64::from(self.i32(field)?))
    }

    #[inline]
    pub fn nullable_string(
        &mut self,
        flexible: bool,
        field: &'static str,
    ) -> Result<Option<StrBytes>> {
        let length = self.string_length(flexible, field)?;
        if length > STRING_BYTES_MAX as i64 {
            return Err(DecodeError::new(
                self.position,
                field,
                Problem::StringTooLong(length),
            ));
        }
        match usize::try_from(length) {
            Ok(length) => Ok(Some(StrBytes::from_wire(self.take(length, field)?))),
            Err(_) => Ok(None),
        }
    }

    #[inline]
    pub fn string(&mut self, flexible: bool, field: &'static str) -> Result<StrBytes> {
        self.nullable_string(flexible, field)?
            .ok_or_else(|| self.null(field))
    }

    #[inline]
    pub fn nullable_bytes(&mut self, flexible: bool, field: &'static str) -> Result<Option<Bytes>> {
        match usize::try_from(self.long_length(flexible, field)?) {
            Ok(length) => Ok(Some(self.take(length, field)?)),
            Err(_) => Ok(None),
        }
    }

    #[inline]
    pub fn bytes(&mut self, flexible: bool, field: &'static str) -> Result<Bytes> {
        self.nullable_bytes(flexible, field)?
            .ok_or_else(|| self.null(field))
    }

    #[inline]
    pub fn nullable_records(
        &mut self,
        flexible: bool,
        field: &'static str,
    ) -> Result<Option<Records>> {
        Ok(self.nullable_bytes(flexible, field)?.map(Records::Bytes))
    }

    #[inline]
    pub fn records(&mut self, flexible: bool, field: &'static str) -> Result<Records> {
        Ok(Records::Bytes(self.bytes(flexible, field)?))
    }

    /// An array: its count is checked against the bytes left (each element takes at least one), and memory is
    /// reserved for no more elements than those bytes could hold at their size in memory.
    #[inline]
    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        field: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Ok(count) = usize::try_from(self.long_length(flexible, field)?) else {
            return Ok(None);
        };
        if count > self.left() {
            return Err(self.truncated(field, count as u64));
        }
        let justified = self.left() / size_of::<T>().max(1) + 4;
        let mut elements = Vec::with_capacity(count.min(justified));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    #[inline]
    pub fn array<T>(
        &mut self,
        flexible: bool,
        field: &'static str,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.nullable_array(flexible, field, element)?
            .ok_or_else(|| self.null(field))
    }

    /// A struct behind a marker byte: negative is null.
    #[inline]
    pub fn nullable_struct<T>(
        &mut self,
        field: &'static str,
        decode: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.i8(field)? < 0 {
            return Ok(None);
        }
        decode(self).map(Some)
    }

    /// A tagged struct behind a marker varint: 0 is null.
    #[inline]
    pub fn nullable_tagged_struct<T>(
        &mut self,
        field: &'static str,
        decode: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.uvarint(field)? as i32 <= 0 {
            return Ok(None);
        }
        decode(self).map(Some)
    }

    /// How many tagged fields follow. A count with the sign bit set counts as none, as in the reference.
    #[inline]
    pub fn tag_count(&mut self, field: &'static str) -> Result<u32> {
        let count = self.uvarint(field)?;
        Ok(if count > i32::MAX as u32 { 0 } else { count })
    }

    /// Keeps a tagged field that nobody here knows.
    pub fn unknown_tag(
        &mut self,
        field: &'static str,
        tag: u32,
        size: u32,
        tags: &mut UnknownTags,
    ) -> Result<()> {
        let value = self.take(size as usize, field)?;
        tags.push(tag, value);
        Ok(())
    }

    /// Tagged fields of a struct that knows none itself.
    #[inline]
    pub fn unknown_tags(&mut self, field: &'static str, flexible: bool) -> Result<UnknownTags> {
        let mut tags = UnknownTags::default();
        if flexible {
            for _ in 0..self.tag_count(field)? {
                let tag = self.uvarint(field)?;
                let size = self.uvarint(field)?;
                self.unknown_tag(field, tag, size, &mut tags)?;
            }
        }
        Ok(tags)
    }
}
