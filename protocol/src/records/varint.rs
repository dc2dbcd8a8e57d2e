//! Zigzag varints of record bodies, over slices. A varint has at most 5 bytes, a varlong 10; overlong forms within that
//! are read, and bits beyond the type are dropped, as the reference does.

/// Why a number could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VarintError {
    End,
    TooLong,
}

impl VarintError {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::End => "it ends within a number",
            Self::TooLong => "a varint is too long",
        }
    }
}

/// Most numbers of a record have one byte or two.
#[inline]
pub(super) fn read_varint(input: &mut &[u8]) -> Result<i32, VarintError> {
    match short(input) {
        Some(value) => Ok(unzigzag(value)),
        None => read_varint_slow(input),
    }
}

#[inline]
pub(super) fn read_varlong(input: &mut &[u8]) -> Result<i64, VarintError> {
    match short(input) {
        Some(value) => Ok(unzigzag_long(u64::from(value))),
        None => read_varlong_slow(input),
    }
}

#[inline]
fn short(input: &mut &[u8]) -> Option<u32> {
    let (value, rest) = match input {
        [first, rest @ ..] if *first < 0x80 => (u32::from(*first), rest),
        [first, second, rest @ ..] if *second < 0x80 => {
            (u32::from(*first & 0x7f) | u32::from(*second) << 7, rest)
        }
        _ => return None,
    };
    *input = rest;
    Some(value)
}

#[cold]
fn read_varint_slow(input: &mut &[u8]) -> Result<i32, VarintError> {
    let mut value = 0_u32;
    for (index, byte) in input.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *input = &input[index + 1..];
            return Ok(unzigzag(value));
        }
    }
    Err(if input.len() < 5 {
        VarintError::End
    } else {
        VarintError::TooLong
    })
}

#[cold]
fn read_varlong_slow(input: &mut &[u8]) -> Result<i64, VarintError> {
    let mut value = 0_u64;
    for (index, byte) in input.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *input = &input[index + 1..];
            return Ok(unzigzag_long(value));
        }
    }
    Err(if input.len() < 10 {
        VarintError::End
    } else {
        VarintError::TooLong
    })
}

pub(super) const fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

pub(super) const fn unzigzag_long(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(super) fn write_varint(value: i32, out: &mut Vec<u8>) {
    write_varlong(i64::from(value), out);
}

pub(super) fn write_varlong(value: i64, out: &mut Vec<u8>) {
    let mut rest = zigzag_long(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that `value` takes. An int and the long of the same value take the same.
pub(super) const fn varint_size(value: i64) -> usize {
    let bits = 64 - zigzag_long(value).leading_zeros() as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

const fn zigzag_long(value: i64) -> u64 {
    (value << 1) as u64 ^ (value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_and_take_the_size_computed() {
        let mut numbers = vec![
            0,
            1,
            -1,
            i64::MAX,
            i64::MIN,
            i64::from(i32::MAX),
            i64::from(i32::MIN),
        ];
        numbers.extend((0..63).flat_map(|shift| {
            [
                (1 << shift) - 1,
                1 << shift,
                -(1 << shift),
                -(1 << shift) - 1,
            ]
        }));
        for number in numbers {
            let mut bytes = Vec::new();
            write_varlong(number, &mut bytes);
            assert_eq!(bytes.len(), varint_size(number), "{number}");
            assert_eq!(read_varlong(&mut bytes.as_slice()), Ok(number));
            if let Ok(int) = i32::try_from(number) {
                let mut rest = bytes.as_slice();
                assert_eq!(read_varint(&mut rest), Ok(int));
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn overlong_forms_are_read_up_to_a_point() {
        assert_eq!(read_varint(&mut &[0x80, 0x80, 0x80, 0x80, 0x00][..]), Ok(0));
        assert_eq!(read_varint(&mut &[0x80; 5][..]), Err(VarintError::TooLong));
        assert_eq!(read_varint(&mut &[0x80; 4][..]), Err(VarintError::End));
        assert_eq!(
            read_varlong(&mut &[0x80; 10][..]),
            Err(VarintError::TooLong)
        );
        assert_eq!(read_varlong(&mut &[0xff; 9][..]), Err(VarintError::End));
    }

    /// The golden vectors, whose other forms the wire module reads.
    #[test]
    fn vectors_varints_of_records() {
        let folder = std::env::var_os("OTTLA_VECTORS").map_or_else(
            || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
            std::path::PathBuf::from,
        );
        let text = std::fs::read_to_string(folder.join("varints.tsv")).expect("the table");
        let mut seen = 0;
        for line in text.lines().skip(1) {
            let mut cells = line.split('\t');
            let mut cell = || cells.next().expect("three cells");
            let (form, value, hex) = (cell(), cell(), cell());
            let bytes: Vec<u8> = (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
                .collect();
            let mut input = bytes.as_slice();
            let read = match form {
                "varint" | "read_varint" => read_varint(&mut input).map(i64::from),
                "varlong" | "read_varlong" => read_varlong(&mut input),
                _ => continue,
            };
            seen += 1;
            assert_eq!(read.ok(), value.parse().ok(), "{line}");
            if !form.starts_with("read") {
                let mut written = Vec::new();
                write_varlong(read.expect("read above"), &mut written);
                assert_eq!(written, bytes, "{line}");
            }
        }
        assert!(seen > 100, "{seen} numbers");
    }
}
