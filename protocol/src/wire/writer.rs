//! Puts values on a frame: measured first, written once, record sets kept as chunks of their own.

use bytes::{BufMut, Bytes, BytesMut};

use super::{StrBytes, Uuid};

/// Record sets below this size are copied into the surrounding bytes: a chunk of its own costs more than the copy.
const INLINE_RECORDS_BYTES_MAX: usize = 1024;

/// Longest string the protocol allows, in bytes.
pub(super) const STRING_BYTES_MAX: usize = 32767;

/// A record set inside a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Records {
    /// The bytes themselves, a slice of the frame they came in.
    Bytes(Bytes),
    /// Bytes that the caller will put in: the encoder leaves a gap of `len` bytes named by `token`. Never decoded.
    External { len: usize, token: u64 },
}

impl Records {
    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::External { len, .. } => *len,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes at hand; none for a gap.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::External { .. } => Bytes::new(),
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// A piece of an encoded frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    Bytes(Bytes),
    /// Stands for `len` bytes that whoever made the `Records::External` supplies.
    External {
        len: usize,
        token: u64,
    },
}

impl Chunk {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::External { len, .. } => *len,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes an unsigned varint takes.
#[inline]
#[must_use]
pub const fn uvarint_size(value: u32) -> usize {
    ((38 - value.leading_zeros()) / 7 + (value == 0) as u32) as usize
}

/// Length of the compact form: the value plus one, as a varint.
fn compact(length: usize) -> u32 {
    u32::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(1))
        .expect("a frame is below 2 GiB")
}

/// The protocol's strings end at 32,767 bytes. What is longer (only an error text could be) is cut rather than refused:
/// by then there is nobody left to tell.
#[inline]
fn fit(text: &StrBytes) -> &[u8] {
    if text.len() <= STRING_BYTES_MAX {
        text.as_bytes()
    } else {
        &text.as_bytes()[..text.floor_char_boundary(STRING_BYTES_MAX)]
    }
}

/// Adds up what a value will take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizer {
    total: usize,
    /// The part of `total` that stays outside the writer's buffer.
    outside: usize,
}

impl Sizer {
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    #[inline]
    pub fn add(&mut self, bytes: usize) {
        self.total += bytes;
    }

    #[inline]
    pub fn string(&mut self, value: Option<&StrBytes>, flexible: bool) {
        let value = value.map(fit);
        let length = value.map_or(0, <[u8]>::len);
        self.total += length
            + if flexible {
                value.map_or(1, |_| uvarint_size(compact(length)))
            } else {
                2
            };
    }

    #[inline]
    pub fn long_length(&mut self, length: Option<usize>, flexible: bool) {
        self.total += if flexible {
            length.map_or(1, |length| uvarint_size(compact(length)))
        } else {
            4
        };
    }

    #[inline]
    pub fn bytes(&mut self, value: Option<&Bytes>, flexible: bool) {
        let length = value.map(Bytes::len);
        self.long_length(length, flexible);
        self.total += length.unwrap_or(0);
    }

    #[inline]
    pub fn records(&mut self, value: Option<&Records>, flexible: bool) {
        let length = value.map(Records::len);
        self.long_length(length, flexible);
        self.total += length.unwrap_or(0);
        self.outside += value
            .filter(|records| stays_outside(records))
            .map_or(0, Records::len);
    }

    /// A tagged field: its tag, the size of its value, and the value.
    pub fn tagged(&mut self, tag: u32, value: Self) {
        let size = u32::try_from(value.total).expect("a frame is below 2 GiB");
        self.total += uvarint_size(tag) + uvarint_size(size) + value.total;
        self.outside += value.outside;
    }
}

fn stays_outside(records: &Records) -> bool {
    match records {
        Records::Bytes(bytes) => bytes.len() >= INLINE_RECORDS_BYTES_MAX,
        Records::External { .. } => true,
    }
}

/// Collects an encoded frame.
#[derive(Debug, Default)]
pub struct Writer {
    chunks: Vec<Chunk>,
    buffer: BytesMut,
}

impl Writer {
    /// A writer with room for what the sizer measured.
    #[must_use]
    pub fn with_room(sizer: Sizer) -> Self {
        Self {
            chunks: Vec::new(),
            buffer: BytesMut::with_capacity(sizer.total - sizer.outside),
        }
    }

    /// The frame's pieces in order.
    #[must_use]
    pub fn into_chunks(mut self) -> Vec<Chunk> {
        self.cut();
        self.chunks
    }

    /// The frame in one piece.
    ///
    /// # Panics
    /// If it has a gap: whoever leaves gaps fills them.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.chunks.is_empty() {
            return self.buffer.freeze();
        }
        self.cut();
        let mut whole = BytesMut::with_capacity(self.chunks.iter().map(Chunk::len).sum());
        for chunk in &self.chunks {
            match chunk {
                Chunk::Bytes(bytes) => whole.extend_from_slice(bytes),
                Chunk::External { .. } => panic!("a frame with gaps can't become bytes"),
            }
        }
        whole.freeze()
    }

    fn cut(&mut self) {
        if !self.buffer.is_empty() {
            let bytes = self.buffer.split().freeze();
            self.chunks.push(Chunk::Bytes(bytes));
        }
    }

    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.buffer.put_u8(u8::from(value));
    }

    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
    }

    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.buffer.put_f64(value);
    }

    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    #[inline]
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8((value as u8) | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// A string, or null; cut to the protocol's bound.
    #[inline]
    pub fn string(&mut self, value: Option<&StrBytes>, flexible: bool) {
        match value.map(fit) {
            Some(text) => {
                if flexible {
                    self.uvarint(compact(text.len()));
                } else {
                    self.i16(i16::try_from(text.len()).expect("just cut to fit"));
                }
                self.raw(text);
            }
            None if flexible => self.uvarint(0),
            None => self.i16(-1),
        }
    }

    /// The length of bytes, records or an array, or null.
    #[inline]
    pub fn long_length(&mut self, length: Option<usize>, flexible: bool) {
        match length {
            Some(length) if flexible => self.uvarint(compact(length)),
            Some(length) => self.i32(i32::try_from(length).expect("a frame is below 2 GiB")),
            None if flexible => self.uvarint(0),
            None => self.i32(-1),
        }
    }

    #[inline]
    pub fn bytes(&mut self, value: Option<&Bytes>, flexible: bool) {
        self.long_length(value.map(Bytes::len), flexible);
        if let Some(bytes) = value {
            self.raw(bytes);
        }
    }

    /// A record set: large ones and gaps become chunks of their own and are never copied.
    pub fn records(&mut self, value: Option<&Records>, flexible: bool) {
        self.long_length(value.map(Records::len), flexible);
        let Some(records) = value else { return };
        if !stays_outside(records) {
            self.raw(&records.bytes());
            return;
        }
        self.cut();
        self.chunks.push(match records {
            Records::Bytes(bytes) => Chunk::Bytes(bytes.clone()),
            Records::External { len, token } => Chunk::External {
                len: *len,
                token: *token,
            },
        });
    }

    /// Opens a tagged field whose value takes `size` bytes.
    #[inline]
    pub fn tag(&mut self, tag: u32, size: usize) {
        self.uvarint(tag);
        self.uvarint(u32::try_from(size).expect("a frame is below 2 GiB"));
    }
}
