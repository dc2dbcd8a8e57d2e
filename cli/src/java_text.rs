//! Bytes as text, as Java reads them: what is no UTF-8 becomes U+FFFD.

use std::borrow::Cow;

/// Like `String::from_utf8_lossy`, but the bytes of half a surrogate pair (`ED A0 80` to `ED BF BF`), or the first two of
/// them, are one U+FFFD and not one each.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    let mut half_pair = Half::None;
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            half_pair = Half::None;
            text.push_str(chunk.valid());
        }
        half_pair = match (half_pair, chunk.invalid()) {
            (Half::One, [0xa0..=0xbf]) => Half::Two,
            (Half::Two, [0x80..=0xbf]) => Half::None,
            (_, []) => Half::None,
            (_, invalid) => {
                text.push(char::REPLACEMENT_CHARACTER);
                match invalid {
                    [0xed] => Half::One,
                    _ => Half::None,
                }
            }
        };
    }
    Cow::Owned(text)
}

/// How many bytes of half a surrogate pair were just read.
#[derive(Clone, Copy)]
enum Half {
    None,
    One,
    Two,
}

#[cfg(test)]
mod tests {
    use super::lossy;

    #[test]
    fn half_a_surrogate_pair_is_replaced_as_a_whole() {
        let cases: [(&[u8], &str); 11] = [
            ("grün".as_bytes(), "grün"),
            (&[0xed, 0xa0, 0x80], "?"),
            (&[0xed, 0xbf, 0xbf, 0x80], "??"),
            (&[0xed, 0xa0], "?"),
            (&[0xed, 0xa0, 0x41], "?A"),
            (&[0xed, 0x41, 0xa0], "?A?"),
            (&[0xed, 0xed, 0xa0, 0x80], "??"),
            (&[0xed, 0xa0, 0xed, 0xa0, 0x80], "??"),
            (&[0xed, 0x9f, 0x41], "?A"),
            (&[0xe0, 0x80, 0x80], "???"),
            (&[0xf4, 0x90, 0x80, 0x80, 0xff], "?????"),
        ];
        for (bytes, expected) in cases {
            let read = lossy(bytes).replace(char::REPLACEMENT_CHARACTER, "?");
            assert_eq!(read, expected, "{bytes:x?}");
        }
    }
}
