//! What a broker wants to know of a record that it checks and does not read.
//!
//! Always: takes and refuses what [`Fields::read`] does, with its words. Most records are plain: no headers, and no number
//! of more than two bytes; those are gone through without taking them apart, since that is all the work there is a record.

use super::record::Fields;
use super::varint::{unzigzag, unzigzag_long};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) has_key: bool,
}

impl Outline {
    /// Reads the record that `input` starts with and moves past it; stays where it is not right.
    #[inline]
    pub(super) fn read(input: &mut &[u8]) -> Result<Self, &'static str> {
        match Self::plain(input) {
            Some((outline, _, rest)) => {
                *input = rest;
                Ok(outline)
            }
            None => Self::any(input),
        }
    }

    /// A plain record, where in it is what, and what follows it. `None`: it is another one, or not right.
    #[inline(always)]
    pub(super) fn plain(input: &[u8]) -> Option<(Self, Layout<'_>, &[u8])> {
        // What stands before the key takes no more than these bytes, and is read from a register.
        let mut head = Head::of(input)?;
        let bytes = head.bytes;
        let size = head.number()?;
        let end = head.read + length(size);
        // The attributes of a record mean nothing so far.
        head.skip_byte();
        let timestamp_delta = unzigzag_long(head.number()?);
        let offset_at = head.read;
        let offset_delta = unzigzag(head.number()? as u32);
        let key_at = head.read;
        let key = head.number()?;
        let value_at = head.read + length(key);
        let mut at = value_at;
        let value = number(input, &mut at)?;
        let value_bytes = at - value_at;
        at += length(value);
        let headers = *input.get(at)?;
        // What was read behind the head was nothing; what was read behind the record's end leads behind that.
        let is_whole = head.read <= Head::BYTES && headers == 0 && at + 1 == end;
        if !is_whole || is_negative(size) {
            return None;
        }
        let (record, rest) = input.split_at_checked(end)?;
        let outline = Self {
            timestamp_delta,
            offset_delta,
            has_key: !is_negative(key),
        };
        let layout = Layout {
            head: bytes,
            head_bytes: head.read,
            offset_at,
            key_at,
            value_at,
            value_bytes,
            record,
        };
        Some((outline, layout, rest))
    }

    #[inline(never)]
    pub(super) fn any(input: &mut &[u8]) -> Result<Self, &'static str> {
        let mut rest = *input;
        let fields = Fields::read(&mut rest)?;
        *input = rest;
        Ok(Self {
            timestamp_delta: fields.timestamp_delta,
            offset_delta: fields.offset_delta,
            has_key: fields.key.is_some(),
        })
    }
}

/// Where a plain record has what, counted from its first byte.
pub(super) struct Layout<'a> {
    pub(super) record: &'a [u8],
    /// Its first bytes, and how many of them stand before the key.
    pub(super) head: u64,
    pub(super) head_bytes: usize,
    pub(super) offset_at: usize,
    /// Of the key's length.
    pub(super) key_at: usize,
    /// Of the value's length, and how many bytes that takes: one or two.
    pub(super) value_at: usize,
    pub(super) value_bytes: usize,
}

/// The first bytes of a record, the next one lowest.
pub(super) struct Head {
    pub(super) bytes: u64,
    read: usize,
}

impl Head {
    pub(super) const BYTES: usize = 8;

    #[inline(always)]
    pub(super) fn of(input: &[u8]) -> Option<Self> {
        let bytes = u64::from_le_bytes(*input.first_chunk()?);
        Some(Self { bytes, read: 0 })
    }

    #[inline(always)]
    fn skip_byte(&mut self) {
        self.bytes >>= 8;
        self.read += 1;
    }

    /// A number of up to three bytes, as it is written: zigzag. Behind the last byte all are 0.
    #[inline(always)]
    fn number(&mut self) -> Option<u64> {
        let bytes = self.bytes;
        if bytes & 0x80 == 0 {
            self.skip_byte();
            return Some(bytes & 0x7f);
        }
        if bytes & 0x8000 == 0 {
            self.bytes >>= 16;
            self.read += 2;
            return Some(joined(bytes & 0x7f7f));
        }
        if bytes & 0x80_0000 != 0 {
            return None;
        }
        self.bytes >>= 24;
        self.read += 3;
        Some(joined(bytes & 0x7f_7f7f))
    }
}

/// The digits of up to three bytes.
#[inline(always)]
pub(super) const fn joined(digits: u64) -> u64 {
    digits & 0x7f | digits >> 1 & 0x3f80 | digits >> 2 & 0x1f_c000
}

/// The same as [`Head::number`] of two bytes, anywhere.
#[inline(always)]
fn number(input: &[u8], at: &mut usize) -> Option<u64> {
    let first = *input.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(u64::from(first));
    }
    let second = *input.get(*at + 1)?;
    if second >= 0x80 {
        return None;
    }
    *at += 2;
    Some(u64::from(first & 0x7f) | u64::from(second) << 7)
}

#[inline(always)]
const fn is_negative(zigzag: u64) -> bool {
    zigzag & 1 == 1
}

/// Bytes that follow a length; a negative one is null, and nothing follows.
#[inline(always)]
const fn length(zigzag: u64) -> usize {
    // All ones where the lowest bit is 0.
    ((zigzag >> 1) & (zigzag & 1).wrapping_sub(1)) as usize
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::varint::write_varlong;
    use super::*;

    /// A record of these parts; headers have no value.
    pub(in crate::records) fn record(
        time: i64,
        offset: i64,
        key: Option<&[u8]>,
        value: &[u8],
        headers: i64,
    ) -> Vec<u8> {
        let mut body = vec![0];
        write_varlong(time, &mut body);
        write_varlong(offset, &mut body);
        match key {
            None => write_varlong(-1, &mut body),
            Some(key) => {
                write_varlong(key.len() as i64, &mut body);
                body.extend(key);
            }
        }
        write_varlong(value.len() as i64, &mut body);
        body.extend(value);
        write_varlong(headers, &mut body);
        for _ in 0..headers {
            body.extend([2, b'h', 1]);
        }
        let mut all = Vec::new();
        write_varlong(body.len() as i64, &mut all);
        all.extend(body);
        all
    }

    fn both_say_the_same(bytes: &[u8]) {
        let (mut one, mut other) = (bytes, bytes);
        let fields = Fields::read(&mut other).map(|fields| Outline {
            timestamp_delta: fields.timestamp_delta,
            offset_delta: fields.offset_delta,
            has_key: fields.key.is_some(),
        });
        let outline = Outline::read(&mut one);
        assert_eq!(outline, fields, "{bytes:?}");
        if outline.is_ok() {
            assert_eq!(one.len(), other.len(), "{bytes:?}");
        }
    }

    pub(in crate::records) fn samples() -> Vec<Vec<u8>> {
        vec![
            record(0, 0, None, b"", 0),
            record(-1, 3, Some(b""), b"v", 0),
            record(63, 63, Some(b"key"), &[7; 63], 0),
            record(-8192, 8191, Some(&[1; 64]), &[7; 200], 0),
            record(8192, 70, None, &[7; 200], 0),
            record(1 << 40, 1 << 20, Some(b"k"), &[7; 9000], 0),
            record(5, 6, Some(b"k"), b"value", 2),
        ]
    }

    #[test]
    fn a_record_is_outlined_as_it_is_read() {
        for sample in samples() {
            both_say_the_same(&sample);
            let followed = [sample.as_slice(), b"and what follows"].concat();
            both_say_the_same(&followed);
        }
    }

    #[test]
    fn what_is_wrong_with_a_record_is_found_wherever_it_is() {
        for sample in samples().into_iter().filter(|sample| sample.len() < 300) {
            for end in 0..sample.len() {
                both_say_the_same(&sample[..end]);
            }
            for at in 0..sample.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = sample.clone();
                    changed[at] = byte;
                    both_say_the_same(&changed);
                    changed.extend([0; 300]);
                    both_say_the_same(&changed);
                }
            }
        }
    }
}
