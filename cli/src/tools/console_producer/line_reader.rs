//! From lines of text to records: the reference's `LineMessageReader`.
//!
//! A line is `HEADERS delimiter KEY separator VALUE`, each part only where its parse option is on; separators may be
//! longer than a character and split at their first occurrence, but the one between headers is a regular expression. Bytes stay as they are: unlike the reference, text
//! that is not UTF-8 is not changed.

use memchr::memmem;
use regex::bytes::Regex;

use ottla_protocol::records::Header;

use crate::stop::Failure;

/// The reader's properties.
#[derive(Debug)]
pub(super) struct LineReader {
    parse_key: bool,
    key_separator: Vec<u8>,
    parse_headers: bool,
    headers_delimiter: Vec<u8>,
    headers_separator: Vec<u8>,
    /// The same as a pattern.
    between_headers: Regex,
    headers_key_separator: Vec<u8>,
    null_marker: Option<Vec<u8>>,
    ignore_error: bool,
}

/// What a line says, borrowed from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<Header<'a>>,
}

impl LineReader {
    /// From `--reader-property` and the like, the last value of a key last.
    pub(super) fn from_properties(properties: &[(String, String)]) -> Result<Self, Failure> {
        let text = |key: &str| {
            properties
                .iter()
                .rev()
                .find(|(present, _)| present == key)
                .map(|(_, value)| value.as_str())
        };
        let yes =
            |key: &str| text(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let bytes = |key: &str, default: &str| text(key).unwrap_or(default).as_bytes().to_vec();
        let between_headers = text("headers.separator").unwrap_or(",");
        let between_headers = Regex::new(between_headers).map_err(|error| {
            let hint = "headers.separator is a regular expression; a backslash before a character takes its meaning.";
            Failure::new(error.to_string()).hint(hint)
        })?;
        let reader = Self {
            between_headers,
            parse_key: yes("parse.key"),
            key_separator: bytes("key.separator", "\t"),
            parse_headers: yes("parse.headers"),
            headers_delimiter: bytes("headers.delimiter", "\t"),
            headers_separator: bytes("headers.separator", ","),
            headers_key_separator: bytes("headers.key.separator", ":"),
            null_marker: text("null.marker").map(|marker| marker.as_bytes().to_vec()),
            ignore_error: yes("ignore.error"),
        };
        reader.check()?;
        Ok(reader)
    }

    /// Whether lines have keys of their own.
    pub(super) fn parses_keys(&self) -> bool {
        self.parse_key
    }

    /// Two separators that are the same could not be told apart.
    fn check(&self) -> Result<(), Failure> {
        let delimiter = ("headers.delimiter", Some(&self.headers_delimiter));
        let separator = ("headers.separator", Some(&self.headers_separator));
        let key_separator = ("headers.key.separator", Some(&self.headers_key_separator));
        let of_key = ("key.separator", Some(&self.key_separator));
        let marker = ("null.marker", self.null_marker.as_ref());
        for (one, other) in [
            (delimiter, separator),
            (delimiter, key_separator),
            (separator, key_separator),
            (marker, of_key),
            (marker, separator),
            (marker, delimiter),
            (marker, key_separator),
        ] {
            if one.1 == other.1 {
                let message = format!("{} and {} may not be equal", one.0, other.0);
                return Err(Failure::new(message));
            }
        }
        Ok(())
    }

    /// Takes a line apart; `number` is for the message where it cannot be.
    pub(super) fn parse<'a>(&self, line: &'a [u8], number: u64) -> Result<Parsed<'a>, Failure> {
        let mut rest = line;
        let mut headers = None;
        if self.parse_headers {
            headers = self
                .split_off(&mut rest, &self.headers_delimiter)?
                .map_or_else(
                    || self.unless_ignored(|| missing("headers delimiter", number, line)),
                    |found| Ok(Some(found)),
                )?;
        }
        let mut key = None;
        if self.parse_key {
            key = self
                .split_off(&mut rest, &self.key_separator)?
                .map_or_else(
                    || self.unless_ignored(|| missing("key separator", number, line)),
                    |found| Ok(Some(found)),
                )?;
        }
        Ok(Parsed {
            key: key.filter(|key| !self.is_null(key)),
            value: Some(rest).filter(|value| !self.is_null(value)),
            headers: match headers.filter(|headers| !self.is_null(headers)) {
                Some(headers) => self.split_headers(headers, number)?,
                None => Vec::new(),
            },
        })
    }

    /// What stands before the separator, taken off the front with it.
    fn split_off<'a>(
        &self,
        rest: &mut &'a [u8],
        separator: &[u8],
    ) -> Result<Option<&'a [u8]>, Failure> {
        let Some(at) = memmem::find(rest, separator) else {
            return Ok(None);
        };
        let (part, after) = rest.split_at(at);
        *rest = after.strip_prefix(separator).unwrap_or(after);
        Ok(Some(part))
    }

    fn unless_ignored<'a>(
        &self,
        failure: impl FnOnce() -> Failure,
    ) -> Result<Option<&'a [u8]>, Failure> {
        if self.ignore_error {
            Ok(None)
        } else {
            Err(failure())
        }
    }

    fn is_null(&self, part: &[u8]) -> bool {
        self.null_marker.as_deref() == Some(part)
    }

    fn split_headers<'a>(&self, text: &'a [u8], number: u64) -> Result<Vec<Header<'a>>, Failure> {
        let mut pairs = Vec::new();
        let mut start = 0;
        for found in self.between_headers.find_iter(text) {
            // As Java splits: an empty match before everything separates nothing.
            if found.end() > 0 {
                pairs.extend(text.get(start..found.start()));
                start = found.end();
            }
        }
        // Empty parts at the end are dropped, unless there was nothing to split.
        let was_split = !pairs.is_empty();
        pairs.extend(text.get(start..));
        while was_split && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs
            .into_iter()
            .map(|pair| self.header(pair, number))
            .collect()
    }

    fn header<'a>(&self, pair: &'a [u8], number: u64) -> Result<Header<'a>, Failure> {
        let mut value = pair;
        let Some(key) = self.split_off(&mut value, &self.headers_key_separator)? else {
            if self.ignore_error {
                return Ok(Header {
                    key: pair,
                    value: None,
                });
            }
            let pair = String::from_utf8_lossy(pair);
            return Err(Failure::new(format!(
                "No header key separator found in pair '{pair}' on line number {number}"
            )));
        };
        if self.is_null(key) {
            let marker = String::from_utf8_lossy(key);
            return Err(Failure::new(format!(
                "Header keys should not be equal to the null marker '{marker}' as they can't be null"
            )));
        }
        Ok(Header {
            key,
            value: Some(value).filter(|value| !self.is_null(value)),
        })
    }
}

fn missing(what: &str, number: u64, line: &[u8]) -> Failure {
    let line = String::from_utf8_lossy(line);
    Failure::new(format!("No {what} found on line number {number}: '{line}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_separated_by_a_pattern_as_java_splits() {
        let all = |separator, line| {
            let separator = ("headers.separator", separator);
            shown(
                &[
                    ("parse.headers", "true"),
                    ("ignore.error", "true"),
                    separator,
                ],
                line,
            )
        };
        assert_eq!(all("[;/]+", "a:1;b:2;/c:3/\tv"), "[a=1 b=2 c=3] null v");
        assert_eq!(all(".", "a:1.b:2\tv"), "[] null v");
        assert_eq!(all("|", "a:|\tv"), "[a=null = |=null] null v");
        assert_eq!(all("", "ab\tv"), "[a=null b=null] null v");
        assert_eq!(all(",", "\tv"), "[=null] null v");
        assert_eq!(all(",", ",a:1\tv"), "[=null a=1] null v");
        assert!(reader(&[("headers.separator", "(")]).is_err());
    }

    fn reader(properties: &[(&str, &str)]) -> Result<LineReader, String> {
        let owned: Vec<(String, String)> = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        LineReader::from_properties(&owned).map_err(|failure| failure.message)
    }

    fn shown(properties: &[(&str, &str)], line: &str) -> String {
        let text = |part: Option<&[u8]>| {
            part.map_or("null".to_owned(), |part| {
                String::from_utf8_lossy(part).into_owned()
            })
        };
        match reader(properties)
            .expect("good properties")
            .parse(line.as_bytes(), 7)
        {
            Err(failure) => failure.message,
            Ok(parsed) => {
                let headers: Vec<String> = parsed
                    .headers
                    .iter()
                    .map(|header| format!("{}={}", text(Some(header.key)), text(header.value)))
                    .collect();
                format!(
                    "[{}] {} {}",
                    headers.join(" "),
                    text(parsed.key),
                    text(parsed.value)
                )
            }
        }
    }

    #[test]
    fn a_line_without_options_is_the_value() {
        assert_eq!(shown(&[], "a\tb"), "[] null a\tb");
        assert_eq!(shown(&[], ""), "[] null ");
    }

    #[test]
    fn keys_and_headers_are_split_at_the_first_separator() {
        let key = ("parse.key", "TRUE ");
        assert_eq!(shown(&[key], "k\tv\tw"), "[] k v\tw");
        assert_eq!(
            shown(&[key, ("key.separator", "::")], "a:b::c::d"),
            "[] a:b c::d"
        );
        assert_eq!(
            shown(&[key], "nokey"),
            "No key separator found on line number 7: 'nokey'"
        );
        assert_eq!(
            shown(&[key, ("ignore.error", "true")], "nokey"),
            "[] null nokey"
        );
        let headers = ("parse.headers", "true");
        assert_eq!(
            shown(&[headers, key], "a:1,b:2,a:\tk\tv"),
            "[a=1 b=2 a=] k v"
        );
        assert_eq!(
            shown(&[headers], "a\tv"),
            "No header key separator found in pair 'a' on line number 7"
        );
        assert_eq!(
            shown(&[headers], "v"),
            "No headers delimiter found on line number 7: 'v'"
        );
        assert_eq!(
            shown(&[headers, ("ignore.error", "true")], "a\tv"),
            "[a=null] null v"
        );
    }

    #[test]
    fn the_null_marker_makes_nulls_but_not_of_header_keys() {
        let all = [
            ("parse.headers", "true"),
            ("parse.key", "true"),
            ("null.marker", "N"),
        ];
        assert_eq!(shown(&all, "N\tN\tN"), "[] null null");
        assert_eq!(shown(&all, "a:N\tk\tv"), "[a=null] k v");
        assert!(shown(&all, "N:1\tk\tv").starts_with("Header keys should not be equal"));
    }

    #[test]
    fn separators_that_cannot_be_told_apart_are_refused() {
        assert_eq!(
            reader(&[("headers.separator", ":")]).map(drop),
            Err("headers.separator and headers.key.separator may not be equal".to_owned())
        );
        assert_eq!(
            reader(&[("null.marker", "\t")]).map(drop),
            Err("null.marker and key.separator may not be equal".to_owned())
        );
    }
}
