//! Plain records that follow each other, gone past together: what a broker wants to know of them can be said of all at once.
//!
//! Always: a run ends before the first record that is not plain or not right, which is then looked at by itself.

use super::outline::{Head, Layout, Outline, joined};

/// What plain records that follow each other say together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u32,
    /// With `count` 0 the least is above the greatest.
    pub(super) timestamp_delta_min: i64,
    pub(super) timestamp_delta_max: i64,
    /// Offset deltas go up by one, from the one that was asked for.
    pub(super) is_consecutive: bool,
    pub(super) all_have_keys: bool,
}

impl Run {
    /// Goes past the plain records that `input` starts with, `count_max` at most.
    pub(super) fn read(input: &mut &[u8], count_max: u32, offset_delta: u32) -> Self {
        let mut run = Self {
            count: 0,
            timestamp_delta_min: i64::MAX,
            timestamp_delta_max: i64::MIN,
            is_consecutive: true,
            all_have_keys: true,
        };
        while run.count < count_max
            && let Some((outline, layout, rest)) = Outline::plain(input)
        {
            let time = outline.timestamp_delta;
            run.timestamp_delta_min = run.timestamp_delta_min.min(time);
            run.timestamp_delta_max = run.timestamp_delta_max.max(time);
            run.all_have_keys &= outline.has_key;
            let expected = offset_delta.wrapping_add(run.count);
            run.is_consecutive &= outline.offset_delta.cast_unsigned() == expected;
            run.count += 1;
            *input = rest;
            // Most that are not alike differ in size, so that no more need be looked at.
            if run.count < count_max && rest.first_chunk::<2>() == layout.record.first_chunk() {
                let same = layout.same();
                run.pass(input, count_max, offset_delta, &same);
            }
        }
        run
    }

    /// Goes past the records that differ from the one before in nothing but offset, key and value: those of programs that
    /// write records of one size and of one time are mostly such.
    #[inline(always)]
    fn pass(&mut self, input: &mut &[u8], count_max: u32, first: u32, same: &Same) {
        while let Some((offset_delta, rest)) = same.past(input) {
            self.is_consecutive &= offset_delta == u64::from(first.wrapping_add(self.count)) << 1;
            self.count += 1;
            *input = rest;
            if self.count == count_max {
                return;
            }
        }
    }
}

impl Layout<'_> {
    #[inline(always)]
    fn same(&self) -> Same {
        let offset = below(self.key_at) & !below(self.offset_at);
        let offset_digits = offset & DIGITS;
        let value_mask = below(self.value_bytes) as u16;
        Same {
            head: self.head,
            head_mask: below(self.head_bytes) & !offset_digits,
            offset_digits,
            offset_at_bits: 8 * self.offset_at,
            value_at: self.value_at,
            value: value_length(self.record, self.value_at).unwrap_or_default() & value_mask,
            value_mask,
            size: self.record.len(),
        }
    }
}

/// What a record has to have to be like the one before it.
struct Same {
    head: u64,
    /// All bits before the key but those that tell the offset; those that say how many bytes that takes are in it.
    head_mask: u64,
    offset_digits: u64,
    offset_at_bits: usize,
    value_at: usize,
    value: u16,
    value_mask: u16,
    size: usize,
}

impl Same {
    /// The offset delta, as it is written, of the record that `input` starts with, and what follows that.
    #[inline(always)]
    fn past<'a>(&self, input: &'a [u8]) -> Option<(u64, &'a [u8])> {
        let head = Head::of(input)?.bytes;
        let (record, rest) = input.split_at_checked(self.size)?;
        let value = value_length(record, self.value_at)?;
        let is_same = (head ^ self.head) & self.head_mask == 0
            && value & self.value_mask == self.value
            && record.last() == Some(&0);
        let digits = (head & self.offset_digits) >> self.offset_at_bits;
        is_same.then(|| (joined(digits), rest))
    }
}

/// The bits of a number's bytes that are its own.
const DIGITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// A mask of so many bytes, at most those of a head.
#[inline(always)]
const fn below(bytes: usize) -> u64 {
    match bytes < Head::BYTES {
        true => (1 << (8 * bytes)) - 1,
        false => u64::MAX,
    }
}

/// The two bytes that a value's length may take. Behind a value there is at least the number of headers.
#[inline(always)]
fn value_length(record: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*record.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::super::outline::tests::{record, samples};
    use super::*;

    /// What each record says by itself, up to the first that is wrong.
    fn one_by_one(mut input: &[u8]) -> Vec<Outline> {
        std::iter::from_fn(|| Outline::any(&mut input).ok()).collect()
    }

    fn runs_say_what_records_say(bytes: &[u8]) {
        let expected = one_by_one(bytes);
        let mut rest = bytes;
        let mut seen = 0;
        loop {
            let first = u32::try_from(seen).unwrap();
            let run = Run::read(&mut rest, 1000, first);
            let passed = &expected[seen..seen + run.count as usize];
            seen += passed.len();
            let times = || passed.iter().map(|record| record.timestamp_delta);
            let offsets = passed
                .iter()
                .map(|record| record.offset_delta.cast_unsigned());
            let together = Run {
                count: run.count,
                timestamp_delta_min: times().min().unwrap_or(i64::MAX),
                timestamp_delta_max: times().max().unwrap_or(i64::MIN),
                is_consecutive: offsets.eq(first..first + run.count),
                all_have_keys: passed.iter().all(|record| record.has_key),
            };
            assert_eq!(run, together, "{bytes:?}");
            let next = Outline::read(&mut rest);
            assert_eq!(next.as_ref().ok(), expected.get(seen), "{bytes:?}");
            seen += 1;
            if next.is_err() {
                return;
            }
        }
    }

    #[test]
    fn a_run_says_what_its_records_say() {
        let key = Some(b"key".as_slice());
        let alike = (0..300).map(|offset| record(0, offset, None, &[7; 100], 0));
        let others = (0..300).map(|offset| match offset % 70 {
            0 => record(offset, offset, key, b"v", 0),
            1 => record(1, offset, None, &[7; 100], 1),
            2 => record(-3, 7, None, &[0; 100], 0),
            _ => record(-3, offset, Some(&[0; 9]), &[0; 60], 0),
        });
        let late = (8100..8300).map(|offset| record(2, offset, key, &[7; 64], 0));
        for records in [
            alike.collect::<Vec<_>>(),
            others.collect(),
            late.collect(),
            samples(),
        ] {
            runs_say_what_records_say(&records.concat());
        }
        assert_eq!(Run::read(&mut [].as_slice(), 5, 0).count, 0);
        let three = [0, 1, 2].map(|offset| record(0, offset, None, b"value", 0));
        assert_eq!(Run::read(&mut three.concat().as_slice(), 2, 0).count, 2);
    }

    #[test]
    fn a_record_that_differs_anywhere_from_the_ones_before_it_is_read_anew() {
        let alike = [3, 4, 5, 6].map(|offset| record(1, offset, Some(b"k"), &[0; 70], 0));
        let alike = alike.concat();
        for at in 0..alike.len() {
            for byte in 0..=u8::MAX {
                let mut changed = alike.clone();
                changed[at] = byte;
                runs_say_what_records_say(&changed);
            }
            runs_say_what_records_say(&alike[..at]);
        }
    }
}
