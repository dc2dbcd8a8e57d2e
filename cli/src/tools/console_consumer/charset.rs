//! The character sets that a `StringDeserializer` can be told to read; text that is not in its set is replaced, as in Java.

use crate::java_text;

/// Those that every Java has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Latin1,
    Ascii,
    /// The highest byte first, unless a mark at the beginning says otherwise.
    Utf16,
    Utf16Be,
    Utf16Le,
}

/// In capitals, as names are compared.
const NAMES: [(&str, Charset); 12] = [
    ("UTF-8", Charset::Utf8),
    ("UTF8", Charset::Utf8),
    ("ISO-8859-1", Charset::Latin1),
    ("ISO8859_1", Charset::Latin1),
    ("LATIN1", Charset::Latin1),
    ("US-ASCII", Charset::Ascii),
    ("ASCII", Charset::Ascii),
    ("UTF-16", Charset::Utf16),
    ("UTF_16", Charset::Utf16),
    ("UTF16", Charset::Utf16),
    ("UTF-16BE", Charset::Utf16Be),
    ("UTF-16LE", Charset::Utf16Le),
];

impl Charset {
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut names = NAMES.iter();
        let (_, charset) = names.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(*charset)
    }

    pub(super) fn write(self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut put = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        match self {
            Self::Utf8 => out.extend_from_slice(java_text::lossy(bytes).as_bytes()),
            Self::Latin1 => bytes.iter().for_each(|byte| put(char::from(*byte))),
            Self::Ascii => bytes.iter().for_each(|byte| match byte.is_ascii() {
                true => put(char::from(*byte)),
                false => put(char::REPLACEMENT_CHARACTER),
            }),
            Self::Utf16 => match bytes {
                [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes).for_each(put),
                [0xfe, 0xff, text @ ..] | text => {
                    utf16(text, u16::from_be_bytes).for_each(put);
                }
            },
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes).for_each(put),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes).for_each(put),
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> impl Iterator<Item = char> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(move |pair| unit(*pair));
    let decoded = char::decode_utf16(units.collect::<Vec<_>>());
    let cut = (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER);
    decoded
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .chain(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        Charset::named(name)
            .expect("a known name")
            .write(bytes, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn each_set_reads_what_it_has_and_replaces_the_rest() {
        assert_eq!(read("utf-8", b"a\xc3\xbc\xff"), "aü\u{fffd}");
        assert_eq!(read("ISO-8859-1", b"a\xfc"), "aü");
        assert_eq!(read("us-ascii", b"a\xfc"), "a\u{fffd}");
        assert_eq!(read("UTF-16", b"\0a\0b"), "ab");
        assert_eq!(read("UTF-16", b"\xff\xfea\0b\0"), "ab");
        assert_eq!(read("UTF-16", b"\xfe\xff\0a"), "a");
        assert_eq!(read("UTF-16BE", b"\xd8\x3d\xde\0\0"), "😀\u{fffd}");
        assert_eq!(read("utf-16le", b"a\0\0\xd8"), "a\u{fffd}");
        assert_eq!(Charset::named("EBCDIC"), None);
    }
}
