//! Bytes as the text that Java makes of them: `Deserializer.deserialize(…).toString()` of the reference's classes.
//!
//! A null is deserialized too, as the bytes of the null literal: that is what the reference does, and why a
//! `LongDeserializer` fails on a tombstone.

use std::fmt;
use std::io::Write;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;

use super::charset::Charset;
use crate::java_format;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deserializer {
    /// Our own, as is `Hex`: any bytes as text.
    Base64,
    Boolean,
    /// Java prints the address of an array, which is of no use: these are the bytes themselves.
    ByteArray,
    ByteBuffer,
    Bytes,
    Double,
    Float,
    Hex,
    Integer,
    Long,
    Short,
    String(Charset),
    Uuid,
    Void,
}

/// Everything before the name of a class.
const PACKAGE: &str = "org.apache.kafka.common.serialization.";

const CLASSES: [(&str, Deserializer); 12] = [
    ("BooleanDeserializer", Deserializer::Boolean),
    ("ByteArrayDeserializer", Deserializer::ByteArray),
    ("ByteBufferDeserializer", Deserializer::ByteBuffer),
    ("BytesDeserializer", Deserializer::Bytes),
    ("DoubleDeserializer", Deserializer::Double),
    ("FloatDeserializer", Deserializer::Float),
    ("IntegerDeserializer", Deserializer::Integer),
    ("LongDeserializer", Deserializer::Long),
    ("ShortDeserializer", Deserializer::Short),
    ("StringDeserializer", Deserializer::String(Charset::Utf8)),
    ("UUIDDeserializer", Deserializer::Uuid),
    ("VoidDeserializer", Deserializer::Void),
];

/// Names of our own, in any case: those of the classes without `Deserializer`, and these.
const SHORT_NAMES: [(&str, Deserializer); 5] = [
    ("base64", Deserializer::Base64),
    ("bool", Deserializer::Boolean),
    ("hex", Deserializer::Hex),
    ("int", Deserializer::Integer),
    ("raw", Deserializer::ByteArray),
];

/// The messages are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum DeserializeError {
    #[error("Size of data received by {class} is not {size}")]
    Size { class: &'static str, size: usize },
    #[error("Unexpected byte received by BooleanDeserializer: {0}")]
    NoBoolean(i8),
    #[error("Error parsing data into UUID")]
    NoUuid,
    #[error("Data should be null for a VoidDeserializer.")]
    NotVoid,
}

impl Deserializer {
    /// The one of this name: of a class in full, or a short one of our own; `Err` says what to tell the user instead.
    /// `property` finds the properties that are the deserializer's own.
    pub(super) fn named<'a>(
        name: &str,
        is_key: bool,
        property: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Self, String> {
        let of_class = |class: &str| CLASSES.iter().find(|(known, _)| *known == class);
        let short = || {
            let of_class = CLASSES.iter().find(|(known, _)| {
                let short = known.strip_suffix("Deserializer").unwrap_or(known);
                short.eq_ignore_ascii_case(name)
            });
            let mut own = SHORT_NAMES.iter();
            of_class.or_else(|| own.find(|(known, _)| known.eq_ignore_ascii_case(name)))
        };
        let found = name.strip_prefix(PACKAGE).and_then(of_class).or_else(short);
        match found {
            Some((_, Self::String(_))) => {
                let of_part = match is_key {
                    true => "key.deserializer.encoding",
                    false => "value.deserializer.encoding",
                };
                let encoding = property(of_part).or_else(|| property("deserializer.encoding"));
                let encoding = encoding.unwrap_or("UTF-8");
                let charset = Charset::named(encoding).ok_or_else(|| {
                    format!("Unsupported encoding {encoding}; the bytes are shown as they are.")
                })?;
                Ok(Self::String(charset))
            }
            Some((_, found)) => Ok(*found),
            None => Err(unknown(name, of_class(name).is_some())),
        }
    }

    pub(super) fn write(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), DeserializeError> {
        match self {
            Self::ByteArray => out.extend_from_slice(bytes),
            Self::String(charset) => charset.write(bytes, out),
            Self::Base64 => put(out, format_args!("{}", Base64Display::new(bytes, &BASE64))),
            Self::Hex => bytes
                .iter()
                .for_each(|byte| put(out, format_args!("{byte:02x}"))),
            Self::Bytes => bytes.iter().for_each(|byte| put_escaped(*byte, out)),
            Self::ByteBuffer => {
                let length = bytes.len();
                put(
                    out,
                    format_args!("java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]"),
                );
            }
            Self::Short => {
                let number = i16::from_be_bytes(sized("ShortDeserializer", bytes)?);
                put(out, format_args!("{number}"));
            }
            Self::Integer => {
                let number = i32::from_be_bytes(sized("IntegerDeserializer", bytes)?);
                put(out, format_args!("{number}"));
            }
            Self::Long => {
                let number = i64::from_be_bytes(sized("LongDeserializer", bytes)?);
                put(out, format_args!("{number}"));
            }
            Self::Float => {
                let number = f32::from_be_bytes(sized("FloatDeserializer", bytes)?);
                out.extend_from_slice(java_format::float(number).as_bytes());
            }
            Self::Double => {
                let number = f64::from_be_bytes(sized("DoubleDeserializer", bytes)?);
                out.extend_from_slice(java_format::double(number).as_bytes());
            }
            Self::Boolean => match sized("BooleanDeserializer", bytes)? {
                [0] => out.extend_from_slice(b"false"),
                [1] => out.extend_from_slice(b"true"),
                [other] => return Err(DeserializeError::NoBoolean(other.cast_signed())),
            },
            Self::Uuid => {
                let uuid = str::from_utf8(bytes).ok().and_then(parse_uuid);
                let uuid = uuid.ok_or(DeserializeError::NoUuid)?;
                put(out, format_args!("{uuid}"));
            }
            Self::Void => return Err(DeserializeError::NotVoid),
        }
        Ok(())
    }
}

fn unknown(name: &str, lacks_package: bool) -> String {
    let advice = match lacks_package {
        true => format!("Did you mean {PACKAGE}{name}?"),
        false => {
            let names = CLASSES.iter().map(|(name, _)| *name);
            let names: Vec<&str> = names.collect();
            format!(
                "Built in are, in {PACKAGE}: {}. Short names will do: string, long, uuid, hex, base64 and the like.",
                names.join(", ")
            )
        }
    };
    format!("There is no deserializer {name}; the bytes are shown as they are. {advice}")
}

/// Formats into a vector, which takes everything.
pub(super) fn put(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text).ok();
}

fn sized<const SIZE: usize>(
    class: &'static str,
    bytes: &[u8],
) -> Result<[u8; SIZE], DeserializeError> {
    bytes
        .try_into()
        .map_err(|_| DeserializeError::Size { class, size: SIZE })
}

/// As `Bytes.toString` has it: printable ASCII but the backslash, the rest as `\xNN`.
fn put_escaped(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\\' | 0..b' ' | 0x7f.. => put(out, format_args!("\\x{byte:02X}")),
        printable => out.push(printable),
    }
}

struct JavaUuid([u64; 5]);

impl fmt::Display for JavaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e] = self.0;
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

/// As lenient as `UUID.fromString`: five groups of hexadecimal digits, of each of which the last ones count.
fn parse_uuid(text: &str) -> Option<JavaUuid> {
    const MASKS: [u64; 5] = [0xffff_ffff, 0xffff, 0xffff, 0xffff, 0xffff_ffff_ffff];
    if text.len() > 36 {
        return None;
    }
    let mut groups = text.split('-');
    let mut parts = [0; 5];
    for (part, mask) in parts.iter_mut().zip(MASKS) {
        let group = groups.next()?;
        if group.starts_with('+') {
            return None;
        }
        *part = i64::from_str_radix(group, 16).ok()?.cast_unsigned() & mask;
    }
    groups.next().is_none().then_some(JavaUuid(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(class: &str, bytes: &[u8]) -> String {
        let class = format!("{PACKAGE}{class}Deserializer");
        shown(
            Deserializer::named(&class, false, |_| None).expect("a built-in class"),
            bytes,
        )
    }

    fn shown(deserializer: Deserializer, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        match deserializer.write(bytes, &mut out) {
            Ok(()) => String::from_utf8(out).expect("text"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn numbers_are_big_endian_and_have_their_size() {
        assert_eq!(text("Long", b"12345678"), "3544952156018063160");
        assert_eq!(text("Integer", &(-7i32).to_be_bytes()), "-7");
        assert_eq!(text("Integer", b"null"), "1853189228");
        assert_eq!(text("Short", &[0x7f, 0xff]), "32767");
        assert_eq!(
            text("Long", b"v1"),
            "Size of data received by LongDeserializer is not 8"
        );
        assert_eq!(text("Boolean", &[1]), "true");
        assert_eq!(
            text("Boolean", &[0xff]),
            "Unexpected byte received by BooleanDeserializer: -1"
        );
    }

    #[test]
    fn floating_point_numbers_look_as_java_prints_them() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (1_234_567.5, "1234567.5"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.25e-10, "-1.25E-10"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text("Double", &number.to_be_bytes()), expected);
        }
        assert_eq!(text("Float", &0.1f32.to_be_bytes()), "0.1");
        assert_eq!(text("Float", &1e10f32.to_be_bytes()), "1.0E10");
    }

    #[test]
    fn text_bytes_and_uuids() {
        assert_eq!(text("String", b"a\xffb"), "a\u{fffd}b");
        assert_eq!(text("Bytes", b"a\\\x00\xe4~"), "a\\x5C\\x00\\xE4~");
        assert_eq!(
            text("ByteBuffer", b"abc"),
            "java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]"
        );
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        assert_eq!(text("UUID", uuid.as_bytes()), uuid);
        assert_eq!(
            text("UUID", b"1-2-3-4-5"),
            "00000001-0002-0003-0004-000000000005"
        );
        assert_eq!(text("UUID", b"1-2-3-4"), "Error parsing data into UUID");
        assert!(text("Void", b"").starts_with("Data should be null"));
    }

    #[test]
    fn a_class_needs_its_package_and_a_short_name_none() {
        let named = |name: &str| Deserializer::named(name, false, |_| None);
        let advice = named("LongDeserializer").expect_err("no package");
        assert!(advice.contains("org.apache.kafka.common.serialization.LongDeserializer"));
        assert!(named("no.Such").is_err());
        for (name, expected) in [
            ("long", Deserializer::Long),
            ("Integer", Deserializer::Integer),
            ("int", Deserializer::Integer),
            ("UUID", Deserializer::Uuid),
            ("bytearray", Deserializer::ByteArray),
            ("bytes", Deserializer::Bytes),
            ("String", Deserializer::String(Charset::Utf8)),
        ] {
            assert_eq!(named(name), Ok(expected), "{name}");
        }
        assert_eq!(shown(named("hex").expect("ours"), b"a\xff"), "61ff");
        assert_eq!(shown(named("Base64").expect("ours"), b"a\xff"), "Yf8=");
    }

    #[test]
    fn text_may_have_another_encoding() {
        let with = |is_key, key: &'static str, value| {
            let property = move |asked: &str| (asked == key).then_some(value);
            Deserializer::named("string", is_key, property)
        };
        let latin1 = Ok(Deserializer::String(Charset::Latin1));
        assert_eq!(with(false, "deserializer.encoding", "iso-8859-1"), latin1);
        assert_eq!(with(true, "key.deserializer.encoding", "latin1"), latin1);
        let utf8 = Ok(Deserializer::String(Charset::Utf8));
        assert_eq!(with(false, "key.deserializer.encoding", "latin1"), utf8);
        let refused = with(false, "deserializer.encoding", "nonsense").expect_err("no such");
        assert!(refused.starts_with("Unsupported encoding nonsense"));
    }
}
