//! Sets of ASCII characters, and the classes RE2 has names for, as far as ASCII goes.

use std::ops::{BitAnd, BitOr, Not, RangeInclusive};

/// A set of characters up to U+007F.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AsciiSet(u128);

impl AsciiSet {
    pub(super) const EMPTY: Self = Self(0);
    pub(super) const ALL: Self = Self(u128::MAX);

    /// Those of `characters` that are ASCII.
    pub(super) fn range(characters: RangeInclusive<u32>) -> Self {
        let (first, last) = characters.into_inner();
        (first..=last.min(0x7F)).fold(Self::EMPTY, |set, code| Self(set.0 | 1 << code))
    }

    pub(super) fn of(characters: &[u8]) -> Self {
        characters
            .iter()
            .filter(|character| character.is_ascii())
            .fold(Self::EMPTY, |set, character| Self(set.0 | 1 << character))
    }

    fn ranges(list: &[(u8, u8)]) -> Self {
        list.iter().fold(Self::EMPTY, |set, (first, last)| {
            set | Self::range(u32::from(*first)..=u32::from(*last))
        })
    }

    /// With each letter, its other case.
    pub(super) fn folded(self) -> Self {
        let letters = Self::range(0x41..=0x5A);
        let upper = (self & letters).0;
        let lower = (self & Self(letters.0 << 32)).0;
        Self(self.0 | upper << 32 | lower >> 32)
    }

    fn contains(self, character: u8) -> bool {
        self.0 >> character & 1 == 1
    }

    /// The members as runs of neighbours, in order.
    pub(super) fn runs(self) -> Vec<RangeInclusive<u8>> {
        let mut runs: Vec<RangeInclusive<u8>> = Vec::new();
        for character in (0..=0x7F).filter(|character| self.contains(*character)) {
            match runs.last_mut() {
                Some(run) if run.end() + 1 == character => *run = *run.start()..=character,
                _ => runs.push(character..=character),
            }
        }
        runs
    }
}

impl BitOr for AsciiSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for AsciiSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for AsciiSet {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// `\d`, `\s`, `\w`, by their letters; upper case turns them round.
pub(super) fn perl(letter: char) -> Option<AsciiSet> {
    let set = match letter.to_ascii_lowercase() {
        'd' => AsciiSet::ranges(&[(b'0', b'9')]),
        's' => AsciiSet::of(b"\t\n\x0C\r "),
        'w' => AsciiSet::ranges(&[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')]),
        _ => return None,
    };
    Some(match letter.is_ascii_uppercase() {
        true => !set,
        false => set,
    })
}

/// What stands between `[:` and `:]`.
pub(super) fn posix(name: &str, fold: bool) -> Option<AsciiSet> {
    let plain = name.strip_prefix('^');
    let set = posix_of(plain.unwrap_or(name))?;
    let set = if fold { set.folded() } else { set };
    Some(if plain.is_some() { !set } else { set })
}

fn posix_of(name: &str) -> Option<AsciiSet> {
    let test: fn(&u8) -> bool = match name {
        "alnum" => u8::is_ascii_alphanumeric,
        "alpha" => u8::is_ascii_alphabetic,
        "ascii" => u8::is_ascii,
        "blank" => |c| matches!(c, b' ' | b'\t'),
        "cntrl" => u8::is_ascii_control,
        "digit" => u8::is_ascii_digit,
        "graph" => u8::is_ascii_graphic,
        "lower" => u8::is_ascii_lowercase,
        "print" => |c| matches!(c, b' '..=b'~'),
        "punct" => u8::is_ascii_punctuation,
        "space" => |c| matches!(c, b'\t'..=b'\r' | b' '),
        "upper" => u8::is_ascii_uppercase,
        "word" => |c| c.is_ascii_alphanumeric() || *c == b'_',
        "xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    };
    let members: Vec<u8> = (0..=0x7F).filter(test).collect();
    Some(AsciiSet::of(&members))
}

/// `\p{name}` without the sign. The names are those of the reference's library, which is at Unicode 6.0.
pub(super) fn unicode(name: &str, fold: bool) -> Option<AsciiSet> {
    let upper = AsciiSet::range(0x41..=0x5A);
    let lower = AsciiSet::range(0x61..=0x7A);
    let set = match name {
        "Any" => AsciiSet::ALL,
        "L" | "Latin" => upper | lower,
        "Lu" if fold => upper | lower,
        "Lu" => upper,
        // Two letters have a third case beyond ASCII; the others are forgotten there.
        "Ll" if fold => lower | AsciiSet::of(b"KS"),
        "Ll" => lower,
        "N" | "Nd" => AsciiSet::range(0x30..=0x39),
        "Z" | "Zs" => AsciiSet::of(b" "),
        "C" | "Cc" => posix_of("cntrl")?,
        "Pd" => AsciiSet::of(b"-"),
        "Ps" => AsciiSet::of(b"([{"),
        "Pe" => AsciiSet::of(b")]}"),
        "Pc" => AsciiSet::of(b"_"),
        "Po" => AsciiSet::of(b"!\"#%&'*,./:;?@\\"),
        "Sm" => AsciiSet::of(b"+<=>|~"),
        "Sc" => AsciiSet::of(b"$"),
        "Sk" => AsciiSet::of(b"^`"),
        "S" => AsciiSet::of(b"+<=>|~$^`"),
        "P" => posix_of("punct")? & !AsciiSet::of(b"+<=>|~$^`"),
        "Common" => !(upper | lower),
        _ if WITHOUT_ASCII.contains(&name) => AsciiSet::EMPTY,
        _ => return None,
    };
    Some(set)
}

#[rustfmt::skip]
const WITHOUT_ASCII: [&str; 111] = [
    "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nl", "No", "Zl", "Zp", "Cf", "Co", "Cs", "So", "Pi", "Pf", "M",
    "Inherited", "Bamum", "Arabic", "Lisu", "Armenian", "Bengali", "Old_South_Arabian", "Bopomofo", "Cherokee",
    "Coptic", "Cyrillic", "Deseret", "Devanagari", "Ethiopic", "Georgian", "Gothic", "Greek", "Gujarati",
    "Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao", "Malayalam",
    "Mongolian", "Myanmar", "Ogham", "Old_Italic", "Oriya", "Runic", "Sinhala", "Syriac", "Tamil", "Telugu",
    "Thaana", "Thai", "Tibetan", "Canadian_Aboriginal", "Yi", "Tagalog", "Hanunoo", "Buhid", "Tagbanwa", "Braille",
    "Cypriot", "Limbu", "Linear_B", "Osmanya", "Shavian", "Tai_Le", "Ugaritic", "Buginese", "Glagolitic",
    "Kharoshthi", "Syloti_Nagri", "New_Tai_Lue", "Tifinagh", "Old_Persian", "Balinese", "Batak", "Brahmi", "Cham",
    "Egyptian_Hieroglyphs", "Javanese", "Kayah_Li", "Lepcha", "Mandaic", "Nko", "Old_Turkic", "Phags_Pa",
    "Phoenician", "Vai", "Cuneiform", "Unknown", "Carian", "Tai_Tham", "Lycian", "Lydian", "Ol_Chiki", "Rejang",
    "Saurashtra", "Sundanese", "Meetei_Mayek", "Imperial_Aramaic", "Avestan", "Kaithi", "Inscriptional_Pahlavi",
    "Inscriptional_Parthian", "Samaritan", "Tai_Viet",
];
