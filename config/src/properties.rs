//! `.properties` files as `java.util.Properties` reads them. Any text gives a list of pairs; nothing is an error but
//! a broken `\u` escape, which the reference refuses too.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: malformed \\u escape, four hexadecimal digits must follow")]
pub struct PropertiesError {
    /// Counted from 1; a continued line has the number of its first part.
    pub line: usize,
}

/// The pairs in the order of the text. A key given twice is there twice: the last one is meant.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, PropertiesError> {
    let mut pairs = Vec::new();
    for line in logical_lines(text) {
        let (key, value) = split_pair(&line.text);
        let error = PropertiesError { line: line.number };
        pairs.push((
            unescape(key).ok_or(error.clone())?,
            unescape(value).ok_or(error)?,
        ));
    }
    Ok(pairs)
}

struct Line {
    number: usize,
    text: String,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Lines without comments and blank ones, continued lines joined, white space at the start taken away.
fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut pending: Option<Line> = None;
    for (index, raw) in natural_lines(text).enumerate() {
        let trimmed = raw.trim_start_matches(is_blank);
        if pending.is_none() && (trimmed.is_empty() || trimmed.starts_with(['#', '!'])) {
            continue;
        }
        let mut line = pending.take().unwrap_or(Line {
            number: index + 1,
            text: String::new(),
        });
        let backslashes = trimmed.bytes().rev().take_while(|b| *b == b'\\').count();
        let continues = backslashes % 2 == 1;
        line.text.push_str(if continues {
            &trimmed[..trimmed.len() - 1]
        } else {
            trimmed
        });
        if continues {
            pending = Some(line);
        } else {
            lines.push(line);
        }
    }
    lines.extend(pending);
    lines.retain(|line| !line.text.is_empty());
    lines
}

/// Lines end at a line feed, a carriage return, or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// The key ends at the first `=`, `:` or white space that is not escaped; one `=` or `:` belongs to the separator.
fn split_pair(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (is_blank(*c) || matches!(c, '=' | ':'));
            escaped = !escaped && *c == '\\';
            ends
        })
        .map_or(line.len(), |(index, _)| index);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(is_blank))
}

/// Resolves escapes; `None` for a `\u` without four hexadecimal digits.
fn unescape(text: &str) -> Option<String> {
    // Escapes are UTF-16 units, and two of them can make up one character.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0u16; 2];
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => {
                    units.push(hex_unit(&mut chars)?);
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(literal.encode_utf16(&mut buffer));
    }
    Some(String::from_utf16_lossy(&units))
}

fn hex_unit(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0u16;
    for _ in 0..4 {
        let digit = chars.next()?.to_digit(16)?;
        unit = unit << 4 | u16::try_from(digit).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).expect("well-formed")
    }

    fn one(text: &str) -> (String, String) {
        let mut all = pairs(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn equals_colon_and_white_space_separate() {
        for text in [
            "k=v",
            "k:v",
            "k v",
            "k\tv",
            "  k = v",
            "k : v",
            "k   v",
            "k\x0c=\x0cv",
        ] {
            assert_eq!(one(text), pair("k", "v"), "{text:?}");
        }
    }

    #[test]
    fn only_the_first_separator_counts() {
        assert_eq!(one("a==b"), pair("a", "=b"));
        assert_eq!(one("a = : b"), pair("a", ": b"));
        assert_eq!(one("url=http://h:1/?x=y"), pair("url", "http://h:1/?x=y"));
        assert_eq!(one("=v"), pair("", "v"));
        assert_eq!(one("alone"), pair("alone", ""));
    }

    #[test]
    fn white_space_at_the_end_of_a_value_stays() {
        assert_eq!(one("k = v \t"), pair("k", "v \t"));
    }

    #[test]
    fn comments_and_blank_lines_are_nothing() {
        assert_eq!(
            pairs("# a=b\n  ! c=d\n\n   \t\r\nx=1\r# y=2\rz=3"),
            [pair("x", "1"), pair("z", "3")]
        );
    }

    #[test]
    fn a_backslash_at_the_end_joins_the_next_line() {
        assert_eq!(one("k = a,\\\n     b,\\\r\n  c"), pair("k", "a,b,c"));
        assert_eq!(one("k=a\\\n# no comment"), pair("k", "a# no comment"));
        assert_eq!(one("k=a\\"), pair("k", "a"));
        assert_eq!(one("k=a\\\n"), pair("k", "a"));
        assert_eq!(pairs("k=a\\\\\nl=b"), [pair("k", "a\\"), pair("l", "b")]);
    }

    #[test]
    fn escapes_are_resolved_in_keys_and_values() {
        assert_eq!(
            one(r"a\ b\=c\:d=\tx\ny\qz\\"),
            pair("a b=c:d", "\tx\nyqz\\")
        );
        assert_eq!(one(r"k=\u00e4\u20AC"), pair("k", "ä€"));
        assert_eq!(one(r"k=\ud83d\ude00"), pair("k", "😀"));
        assert_eq!(one(r"k=\ud83d"), pair("k", "\u{fffd}"));
    }

    #[test]
    fn a_broken_unicode_escape_is_refused_with_its_line() {
        for text in [r"k=\u12", r"k=\u12g4", r"\u=v", "k=\\u+123"] {
            assert_eq!(
                parse(&format!("a=b\n{text}\n")),
                Err(PropertiesError { line: 2 }),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_key_given_twice_is_there_twice() {
        assert_eq!(pairs("k=1\nk=2"), [pair("k", "1"), pair("k", "2")]);
    }
}
