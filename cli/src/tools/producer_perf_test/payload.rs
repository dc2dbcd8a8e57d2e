//! The values of the records.

use std::fs;
use std::ops::Range;

use regex::Regex;

use crate::stop::Failure;

/// Where values come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// So many random letters.
    Random(usize),
    File {
        path: String,
        delimiter: String,
    },
    Monotonic,
}

pub(super) struct Payloads {
    kind: Kind,
    random: SplitMix,
    buffer: Vec<u8>,
}

enum Kind {
    Random,
    /// A text and the places of the values in it; there is one at least.
    Chosen(String, Vec<Range<usize>>),
    Monotonic,
}

impl Payloads {
    /// Reads the file where there is one. `tell` gets what the reference says about that.
    pub(super) fn of(source: &Source, mut tell: impl FnMut(String)) -> Result<Self, Failure> {
        let mut buffer = Vec::new();
        let kind = match source {
            Source::Random(size) => {
                buffer.resize(*size, 0);
                Kind::Random
            }
            Source::Monotonic => Kind::Monotonic,
            Source::File { path, delimiter } => {
                let (text, places) = read(path, delimiter, &mut tell)?;
                if places.is_empty() {
                    return Err(Failure::new(
                        "No payload file, record size or payload-monotonic option provided.",
                    )
                    .hint(format!("There is no payload in {path}.")));
                }
                Kind::Chosen(text, places)
            }
        };
        Ok(Self {
            kind,
            random: SplitMix(0),
            buffer,
        })
    }

    /// The value of the record of this number.
    pub(super) fn next(&mut self, index: u64) -> &[u8] {
        match &self.kind {
            Kind::Random => {
                self.random.letters(&mut self.buffer);
                &self.buffer
            }
            Kind::Chosen(text, places) => {
                let place = places.get(self.random.below(places.len()));
                let value = place.and_then(|place| text.get(place.clone()));
                value.unwrap_or_default().as_bytes()
            }
            Kind::Monotonic => {
                self.buffer.clear();
                self.buffer.extend_from_slice(index.to_string().as_bytes());
                &self.buffer
            }
        }
    }
}

fn read(
    path: &str,
    delimiter: &str,
    tell: &mut impl FnMut(String),
) -> Result<(String, Vec<Range<usize>>), Failure> {
    let shown = std::env::current_dir().unwrap_or_default().join(path);
    tell(format!("Reading payloads from: {}", shown.display()));
    let absent =
        |hint: String| Failure::new("File does not exist or empty file provided.").hint(hint);
    let bytes = fs::read(path).map_err(|error| absent(format!("{path}: {error}.")))?;
    if bytes.is_empty() {
        return Err(absent(format!("{path} is empty.")));
    }
    let delimiter = Regex::new(delimiter)
        .map_err(|error| Failure::new(format!("--payload-delimiter: {error}")))?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let places = split(&text, &delimiter);
    tell(format!("Number of records read: {}", places.len()));
    Ok((text, places))
}

/// What stands between delimiters. One at the beginning and one at the end separate nothing.
fn split(text: &str, delimiter: &Regex) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut from = 0;
    for found in delimiter.find_iter(text) {
        if found.start() > 0 {
            places.push(from..found.start());
        }
        from = found.end();
    }
    if from < text.len() {
        places.push(from..text.len());
    }
    places
}

/// Random numbers as fast as they come (Steele, Lea and Flood, 2014). Two runs send the same values, as the reference's do.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let scaled = (u128::from(self.next()) * end as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Letters from A to Z.
    fn letters(&mut self, buffer: &mut [u8]) {
        for eight in buffer.chunks_mut(8) {
            let letters = eight_letters(self.next()).to_ne_bytes();
            eight.copy_from_slice(&letters[..eight.len()]);
        }
    }
}

/// Makes a letter of each byte, at once: one by one they were a quarter of what the tool takes.
fn eight_letters(random: u64) -> u64 {
    const EVERY_OTHER: u64 = 0x00ff_00ff_00ff_00ff;
    const FIRST: u64 = u64::from_ne_bytes([b'A'; 8]);
    // A byte times 26 is in two bytes, of which the upper one is the letter's number. Ten letters come by 1 in 256 more often than
    // the others, which nobody measures.
    let (even, odd) = (random & EVERY_OTHER, (random >> 8) & EVERY_OTHER);
    let numbers = ((even * 26) >> 8) & EVERY_OTHER | (odd * 26) & !EVERY_OTHER;
    numbers + FIRST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(text: &'a str, delimiter: &str) -> Vec<&'a str> {
        let delimiter = Regex::new(delimiter).unwrap();
        let places = split(text, &delimiter);
        places.into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn a_file_is_split_as_the_reference_splits_it() {
        assert_eq!(parts("a\nbc\n", "\n"), ["a", "bc"]);
        assert_eq!(parts("\na\n\nb", "\n"), ["a", "", "b"]);
        assert_eq!(parts("a--b-c", "-+"), ["a", "b", "c"]);
        assert_eq!(parts("ab", ""), ["a", "b"]);
        assert!(parts("\n", "\n").is_empty());
    }

    #[test]
    fn letters_are_of_all_kinds_and_as_many_as_asked_for() {
        let mut payloads = Payloads::of(&Source::Random(1000), |_| {}).unwrap();
        let first = payloads.next(0).to_vec();
        let second = payloads.next(1).to_vec();
        assert_eq!((first.len(), second.len()), (1000, 1000));
        assert_ne!(first, second);
        assert!(first.iter().all(u8::is_ascii_uppercase));
        assert!((b'A'..=b'Z').all(|letter| first.contains(&letter)));
    }

    #[test]
    fn eight_letters_are_those_of_their_bytes() {
        for random in [0, u64::MAX, 0x0123_4567_89ab_cdef, 0x9e37_79b9_7f4a_7c15] {
            let one_by_one = random
                .to_ne_bytes()
                .map(|byte| b'A' + ((u16::from(byte) * 26) >> 8) as u8);
            assert_eq!(eight_letters(random).to_ne_bytes(), one_by_one);
        }
    }

    #[test]
    fn every_payload_of_a_file_has_its_chance() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("ottla-payloads-{}", std::process::id()));
        fs::write(&file, "one,two,three\n").unwrap();
        let source = Source::File {
            path: file.to_str().unwrap().to_owned(),
            delimiter: ",".to_owned(),
        };
        let mut told = Vec::new();
        let payloads = Payloads::of(&source, |line| told.push(line));
        fs::remove_file(&file).unwrap();
        let mut payloads = payloads.unwrap();
        let mut seen: Vec<Vec<u8>> = (0..100)
            .map(|index| payloads.next(index).to_vec())
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, [&b"one"[..], b"three\n", b"two"]);
        assert_eq!(told[1], "Number of records read: 3");
    }

    #[test]
    fn no_file_and_no_payload_are_refused() {
        let source = Source::File {
            path: "/no/such/file".to_owned(),
            delimiter: "\\n".to_owned(),
        };
        let failure = Payloads::of(&source, |_| {}).map(drop).unwrap_err();
        assert_eq!(
            failure.message,
            "File does not exist or empty file provided."
        );
    }
}
