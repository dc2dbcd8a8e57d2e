//! Reads RE2's language and writes the same in what the `regex` crate reads: sets of bytes, groups, repetitions.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::PatternError;
use super::ascii::{self, AsciiSet};

const BAD_ESCAPE: PatternError = PatternError("invalid escape sequence");
const BAD_PERL: PatternError = PatternError("invalid or unsupported Perl syntax");
const BAD_RANGE: PatternError = PatternError("invalid character class range");
const BAD_NAME: PatternError = PatternError("invalid named capture");
const SAME_NAME: PatternError = PatternError("duplicate capture group name");
const BAD_COUNT: PatternError = PatternError("invalid repeat count");
const TWICE_REPEATED: PatternError = PatternError("invalid nested repetition operator");
const NOTHING_REPEATED: PatternError = PatternError("missing argument to repetition operator");
const NO_BRACKET: PatternError = PatternError("missing closing ]");
const TOO_DEEP: PatternError = PatternError("expression nests too deeply");
const NO_PAREN: PatternError = PatternError("missing closing )");
const LONE_BACKSLASH: PatternError = PatternError("trailing backslash at end of expression");
/// The odd words are the library's for a `)` too many.
const LONE_PAREN: PatternError = PatternError("regexp/syntax: internal error");

const REPEAT_MAX: u32 = 1_000;
/// How many groups may be open at once; the reference has no such bound.
const GROUPS_MAX: usize = 60;
/// Letters beyond ASCII whose lower or upper case is in it: the long s, and the sign of Kelvin.
const FOLDED_TO_ASCII: [(u32, &[u8]); 2] = [(0x17F, b"sS"), (0x212A, b"kK")];

/// The expression, to be matched as a whole.
pub(super) fn translate(pattern: &str) -> Result<String, PatternError> {
    let mut parser = Parser {
        rest: pattern,
        flags: Flags::default(),
        names: BTreeSet::new(),
        groups: Vec::new(),
        current: Group::default(),
    };
    let mut repeated = false;
    while let Some(c) = parser.peek() {
        repeated = parser.piece(c, repeated)?;
    }
    if !parser.groups.is_empty() {
        return Err(NO_PAREN);
    }
    Ok(format!(r"\A{}\z", parser.current.close()))
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    fold: bool,
    dot_is_all: bool,
}

/// What was read of a group: closed alternatives, and the pieces of the one that is open.
#[derive(Debug, Default)]
struct Group {
    alternatives: String,
    pieces: Vec<String>,
    /// To go on with behind the group.
    flags: Flags,
}

impl Group {
    fn next_alternative(&mut self) {
        self.alternatives.extend(self.pieces.drain(..));
        self.alternatives.push('|');
    }

    fn close(mut self) -> String {
        self.alternatives.extend(self.pieces.drain(..));
        format!("(?:{})", self.alternatives)
    }
}

struct Parser<'a> {
    rest: &'a str,
    flags: Flags,
    names: BTreeSet<&'a str>,
    /// Those around the current one.
    groups: Vec<Group>,
    current: Group,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn next_if(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Reads up to `end` and over it.
    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (inside, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(inside)
    }

    /// One element; whether it was a repetition, as it may not be repeated again.
    fn piece(&mut self, c: char, repeated: bool) -> Result<bool, PatternError> {
        match c {
            '(' => self.open()?,
            ')' => self.close()?,
            '*' | '+' | '?' => {
                self.next();
                self.repeat(repeated, &c.to_string())?;
                return Ok(true);
            }
            '{' => {
                match self.counts()? {
                    Some(counts) => self.repeat(repeated, &counts)?,
                    None => {
                        self.next();
                        self.push_set(AsciiSet::of(b"{"));
                    }
                }
                // Even a brace that stands for itself must not be repeated by a brace there.
                return Ok(true);
            }
            '[' => {
                self.next();
                let set = self.class()?;
                self.push_set(set);
            }
            '\\' => self.escape()?,
            _ => {
                self.next();
                self.simple(c);
            }
        }
        Ok(false)
    }

    fn simple(&mut self, c: char) {
        match c {
            '|' => self.current.next_alternative(),
            // Names have one line, so it is all the same whether `m` is set.
            '^' => self.push(r"\A"),
            '$' => self.push(r"\z"),
            '.' if self.flags.dot_is_all => self.push_set(AsciiSet::ALL),
            '.' => self.push_set(!AsciiSet::of(b"\n")),
            _ => self.push_literal(u32::from(c)),
        }
    }

    fn push(&mut self, piece: &str) {
        self.current.pieces.push(piece.to_owned());
    }

    fn push_set(&mut self, set: AsciiSet) {
        let mut piece = String::from("[");
        for run in set.runs() {
            let (first, last) = run.into_inner();
            write!(piece, r"\x{first:02X}-\x{last:02X}").expect("strings take everything");
        }
        // The empty set has no other form.
        if set == AsciiSet::EMPTY {
            piece.push_str(r"^\x00-\xFF");
        }
        piece.push(']');
        self.current.pieces.push(piece);
    }

    fn push_literal(&mut self, code: u32) {
        let set = self.span(code, code);
        self.push_set(set);
    }

    fn repeat(&mut self, repeated: bool, operator: &str) -> Result<(), PatternError> {
        // Greedy or not is the same for whole matches.
        self.next_if("?");
        if repeated {
            return Err(TWICE_REPEATED);
        }
        let piece = self.current.pieces.pop().ok_or(NOTHING_REPEATED)?;
        self.current.pieces.push(format!("(?:{piece}){operator}"));
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`; a brace with anything else is an ordinary character.
    fn counts(&mut self) -> Result<Option<String>, PatternError> {
        let Some((inside, rest)) = self.rest[1..].split_once('}') else {
            return Ok(None);
        };
        let (least, most) = match inside.split_once(',') {
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
            None => (inside, Some(inside)),
        };
        let is_number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits && !text.is_empty() && (text == "0" || !text.starts_with('0'))
        };
        if !is_number(least) || !most.is_none_or(is_number) {
            return Ok(None);
        }
        self.rest = rest;
        // What does not fit is too large in any case.
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        let (least, most) = (number(least), most.map(number));
        if least > REPEAT_MAX || most.is_some_and(|most| most > REPEAT_MAX || most < least) {
            return Err(BAD_COUNT);
        }
        Ok(Some(match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        }))
    }

    fn open(&mut self) -> Result<(), PatternError> {
        if !self.rest.starts_with("(?") {
            self.next();
            return self.open_group();
        }
        if self.next_if("(?P<") || self.next_if("(?<") {
            let name = self.until(">").ok_or(BAD_NAME)?;
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(valid) {
                return Err(BAD_NAME);
            }
            if !self.names.insert(name) {
                return Err(SAME_NAME);
            }
            return self.open_group();
        }
        self.next_if("(?");
        self.set_flags()
    }

    fn open_group(&mut self) -> Result<(), PatternError> {
        if self.groups.len() == GROUPS_MAX {
            return Err(TOO_DEEP);
        }
        let group = Group {
            flags: self.flags,
            ..Group::default()
        };
        let around = std::mem::replace(&mut self.current, group);
        self.groups.push(around);
        Ok(())
    }

    /// `i)` for the rest of the group, `i:…)` for a group of its own.
    fn set_flags(&mut self) -> Result<(), PatternError> {
        let mut flags = self.flags;
        let (mut on, mut any) = (true, false);
        loop {
            match self.next().ok_or(BAD_PERL)? {
                'i' => flags.fold = on,
                's' => flags.dot_is_all = on,
                'm' | 'U' => {}
                '-' if on => {
                    (on, any) = (false, false);
                    continue;
                }
                end @ (':' | ')') if on || any => {
                    if end == ':' {
                        self.open_group()?;
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(BAD_PERL),
            }
            any = true;
        }
    }

    fn close(&mut self) -> Result<(), PatternError> {
        self.next();
        let around = self.groups.pop().ok_or(LONE_PAREN)?;
        let group = std::mem::replace(&mut self.current, around);
        self.flags = group.flags;
        self.push(&group.close());
        Ok(())
    }

    /// What a backslash begins outside of brackets.
    fn escape(&mut self) -> Result<(), PatternError> {
        for (escape, piece) in [
            (r"\A", r"\A"),
            (r"\z", r"\z"),
            (r"\b", r"\b"),
            (r"\B", r"\B"),
        ] {
            if self.next_if(escape) {
                self.push(piece);
                return Ok(());
            }
        }
        if self.next_if(r"\C") {
            return Err(BAD_ESCAPE);
        }
        if self.next_if(r"\Q") {
            let inside = match self.until(r"\E") {
                Some(inside) => inside,
                None => std::mem::take(&mut self.rest),
            };
            for c in inside.chars() {
                self.push_literal(u32::from(c));
            }
            return Ok(());
        }
        if let Some(set) = self.named_set()? {
            self.push_set(set);
            return Ok(());
        }
        let code = self.escaped()?;
        self.push_literal(code);
        Ok(())
    }

    /// `\d`, `\pL`, `\p{Greek}` and their like, in and out of brackets.
    fn named_set(&mut self) -> Result<Option<AsciiSet>, PatternError> {
        let before = self.rest;
        if !self.next_if("\\") {
            return Ok(None);
        }
        let letter = self.next();
        if let Some(letter @ ('p' | 'P')) = letter {
            return self.unicode_class(letter == 'P').map(Some);
        }
        let set = letter.and_then(ascii::perl);
        if set.is_none() {
            self.rest = before;
        }
        Ok(set)
    }

    fn unicode_class(&mut self, mut negated: bool) -> Result<AsciiSet, PatternError> {
        let mut name = if self.next_if("{") {
            self.until("}").ok_or(BAD_RANGE)?
        } else {
            let rest = self.rest;
            let letter = self.next().ok_or(BAD_RANGE)?;
            &rest[..letter.len_utf8()]
        };
        if let Some(rest) = name.strip_prefix('^') {
            (name, negated) = (rest, !negated);
        }
        let set = ascii::unicode(name, self.flags.fold).ok_or(BAD_RANGE)?;
        Ok(if negated { !set } else { set })
    }

    /// A character behind a backslash, in and out of brackets.
    fn escaped(&mut self) -> Result<u32, PatternError> {
        self.next_if("\\");
        let c = self.next().ok_or(LONE_BACKSLASH)?;
        match c {
            'a' => Ok(7),
            'f' => Ok(12),
            'n' => Ok(10),
            'r' => Ok(13),
            't' => Ok(9),
            'v' => Ok(11),
            'x' => self.hexadecimal(),
            // One digit alone would be a reference back, which RE2 has not.
            '1'..='7' if !self.rest.starts_with(|c| ('0'..='7').contains(&c)) => Err(BAD_ESCAPE),
            '0'..='7' => Ok(self.octal(c)),
            _ if c.is_ascii_alphanumeric() => Err(BAD_ESCAPE),
            _ => Ok(u32::from(c)),
        }
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            self.next();
            code = code * 8 + digit;
        }
        code
    }

    fn hexadecimal(&mut self) -> Result<u32, PatternError> {
        let digits = if self.next_if("{") {
            self.until("}").ok_or(BAD_ESCAPE)?
        } else {
            let (digits, rest) = self.rest.split_at_checked(2).ok_or(BAD_ESCAPE)?;
            self.rest = rest;
            digits
        };
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BAD_ESCAPE);
        }
        let code = u32::from_str_radix(digits, 16).ok();
        code.filter(|code| *code <= u32::from(char::MAX))
            .ok_or(BAD_ESCAPE)
    }

    /// What stands between brackets; the first one is read already.
    fn class(&mut self) -> Result<AsciiSet, PatternError> {
        let negated = self.next_if("^");
        let mut set = AsciiSet::EMPTY;
        let mut first = true;
        while first || !self.next_if("]") {
            first = false;
            set = set | self.class_item()?;
        }
        Ok(if negated { !set } else { set })
    }

    fn class_item(&mut self) -> Result<AsciiSet, PatternError> {
        if self.rest.starts_with("[:")
            && let Some((name, rest)) = self.rest[2..].split_once(":]")
        {
            self.rest = rest;
            return ascii::posix(name, self.flags.fold).ok_or(BAD_RANGE);
        }
        if let Some(set) = self.named_set()? {
            return Ok(set);
        }
        let low = self.class_character()?;
        let is_range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
        if !is_range {
            return Ok(self.span(low, low));
        }
        self.next();
        let high = self.class_character()?;
        if high < low {
            return Err(BAD_RANGE);
        }
        Ok(self.span(low, high))
    }

    fn class_character(&mut self) -> Result<u32, PatternError> {
        match self.peek().ok_or(NO_BRACKET)? {
            '\\' => self.escaped(),
            c => {
                self.next();
                Ok(u32::from(c))
            }
        }
    }

    /// The ASCII characters that those from `low` to `high` match.
    fn span(&self, low: u32, high: u32) -> AsciiSet {
        let set = AsciiSet::range(low..=high);
        if !self.flags.fold {
            return set;
        }
        FOLDED_TO_ASCII
            .iter()
            .filter(|(code, _)| (low..=high).contains(code))
            .fold(set.folded(), |set, (_, letters)| {
                set | AsciiSet::of(letters)
            })
    }
}
