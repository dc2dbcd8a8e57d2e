//! Whether a text is a regular expression in the dialect of brokers, RE2. Pure.
//!
//! Checks the syntax and builds nothing. The words for what is wrong are RE2's.

use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

pub(super) fn verdict(pattern: &str) -> String {
    match check(pattern) {
        Ok(()) => format!("The regular expression `{pattern}` is valid."),
        Err(reason) => format!("The regular expression `{pattern}` is invalid: {reason}."),
    }
}

type Checked = Result<(), &'static str>;

const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_PERL: &str = "invalid or unsupported Perl syntax";
const BAD_RANGE: &str = "invalid character class range";
const BAD_NAME: &str = "invalid named capture";

/// What may come before a repetition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Piece,
    Repetition,
}

fn check(pattern: &str) -> Checked {
    let mut checker = Checker {
        rest: pattern.chars().peekable(),
        open: 0,
        names: HashSet::new(),
        before: Before::Nothing,
    };
    while let Some(c) = checker.rest.next() {
        checker.piece(c)?;
    }
    match checker.open {
        0 => Ok(()),
        _ => Err("missing closing )"),
    }
}

struct Checker<'a> {
    rest: Peekable<Chars<'a>>,
    /// Groups that were not closed yet.
    open: usize,
    names: HashSet<String>,
    before: Before,
}

impl Checker<'_> {
    fn piece(&mut self, c: char) -> Checked {
        match c {
            '|' => self.before = Before::Nothing,
            '(' => self.open_group()?,
            ')' => {
                // The odd name is what the reference says.
                self.open = self
                    .open
                    .checked_sub(1)
                    .ok_or("regexp/syntax: internal error")?;
                self.before = Before::Piece;
            }
            '*' | '+' | '?' => self.repeat()?,
            '{' => match self.counts() {
                Some((least, most)) => {
                    if least > 1000 || most.is_some_and(|most| most > 1000 || most < least) {
                        return Err("invalid repeat count");
                    }
                    self.repeat()?;
                }
                None => self.before = Before::Piece,
            },
            '[' => self.class()?,
            '\\' => self.escape()?,
            _ => self.before = Before::Piece,
        }
        Ok(())
    }

    fn repeat(&mut self) -> Checked {
        match self.before {
            Before::Nothing => return Err("missing argument to repetition operator"),
            Before::Repetition => return Err("invalid nested repetition operator"),
            Before::Piece => self.before = Before::Repetition,
        }
        self.rest.next_if_eq(&'?');
        Ok(())
    }

    /// What stands between braces, where it is numbers; a brace with anything else is an ordinary character.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let ahead: String = self.rest.clone().take_while(|c| *c != '}').collect();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let closed = self.rest.clone().nth(ahead.chars().count()) == Some('}');
        let (least, most) = match ahead.split_once(',') {
            Some((least, most)) => (least, Some(most)),
            None => (&*ahead, Some(&*ahead)),
        };
        let most = most.filter(|most| !most.is_empty());
        if !closed || !is_number(least) || !most.is_none_or(is_number) {
            return None;
        }
        for _ in 0..=ahead.chars().count() {
            self.rest.next();
        }
        // What does not fit is too large in any case.
        let number = |text: &str| text.parse().unwrap_or(u32::MAX);
        Some((number(least), most.map(number)))
    }

    fn open_group(&mut self) -> Checked {
        self.open += 1;
        self.before = Before::Nothing;
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        let named = match self.rest.peek() {
            Some('<') => true,
            Some('P') => {
                self.rest.next();
                if self.rest.peek() != Some(&'<') {
                    return Err(BAD_PERL);
                }
                true
            }
            _ => false,
        };
        if named {
            self.rest.next();
            return self.name();
        }
        self.flags()
    }

    fn name(&mut self) -> Checked {
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                _ => return Err(BAD_NAME),
            }
        }
        match self.names.insert(name) {
            true => Ok(()),
            false => Err("duplicate capture group name"),
        }
    }

    /// `(?i)` for the rest of the group, `(?i:...)` for a group of its own.
    fn flags(&mut self) -> Checked {
        let (mut minus, mut flags_since) = (false, 0);
        loop {
            match self.rest.next() {
                Some('i' | 'm' | 's' | 'U') => flags_since += 1,
                Some('-') if !minus => (minus, flags_since) = (true, 0),
                Some(end @ (':' | ')')) if !minus || flags_since > 0 => {
                    if end == ')' {
                        self.open -= 1;
                    }
                    return Ok(());
                }
                _ => return Err(BAD_PERL),
            }
        }
    }

    fn escape(&mut self) -> Checked {
        self.before = Before::Piece;
        match self.rest.next() {
            None => Err("trailing backslash at end of expression"),
            // Up to \E, or to the end, everything stands for itself.
            Some('Q') => {
                while let Some(c) = self.rest.next() {
                    if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                        break;
                    }
                }
                Ok(())
            }
            Some('A' | 'b' | 'B' | 'z' | 'd' | 'D' | 's' | 'S' | 'w' | 'W') => Ok(()),
            Some(c @ ('p' | 'P')) => self.unicode_class(c),
            Some(c) => self.character(c),
        }
    }

    /// The character behind a backslash, as it may stand within brackets, too.
    fn character(&mut self, c: char) -> Checked {
        match c {
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => Ok(()),
            '0' => {
                for _ in 0..2 {
                    self.rest.next_if(|c| ('0'..='7').contains(c));
                }
                Ok(())
            }
            // A single digit would be a reference back, which RE2 has not.
            '1'..='7' => match self.rest.next_if(|c| ('0'..='7').contains(c)) {
                Some(_) => {
                    self.rest.next_if(|c| ('0'..='7').contains(c));
                    Ok(())
                }
                None => Err(BAD_ESCAPE),
            },
            'x' => self.hexadecimal(),
            _ if c.is_ascii_punctuation() => Ok(()),
            _ => Err(BAD_ESCAPE),
        }
    }

    fn hexadecimal(&mut self) -> Checked {
        let mut digits = String::new();
        match self.rest.next_if_eq(&'{') {
            Some(_) => loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some(c) => digits.push(c),
                    None => return Err(BAD_ESCAPE),
                }
            },
            None => digits.extend(self.rest.by_ref().take(2)),
        }
        match u32::from_str_radix(&digits, 16) {
            Ok(number) if number <= u32::from(char::MAX) => Ok(()),
            _ => Err(BAD_ESCAPE),
        }
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`.
    fn unicode_class(&mut self, p: char) -> Checked {
        let mut name = String::new();
        match self.rest.next() {
            Some('{') => loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some('^') if name.is_empty() => {}
                    Some(c) => name.push(c),
                    None => return Err(BAD_RANGE),
                }
            },
            Some(c) => name.push(c),
            None => return Err(BAD_RANGE),
        }
        let is_name = name == "Any" || name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match is_name && Regex::new(&format!("\\{p}{{{name}}}")).is_ok() {
            true => Ok(()),
            false => Err(BAD_RANGE),
        }
    }

    fn class(&mut self) -> Checked {
        self.before = Before::Piece;
        self.rest.next_if_eq(&'^');
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or("missing closing ]")?;
            if c == ']' && !first {
                return Ok(());
            }
            first = false;
            if c == '[' && self.rest.peek() == Some(&':') && self.posix_class()? {
                continue;
            }
            let is_class = c == '\\'
                && self
                    .rest
                    .next_if(|c| matches!(c, 'd' | 'D' | 's' | 'S' | 'w' | 'W'))
                    .is_some();
            if is_class {
                continue;
            }
            if c == '\\'
                && let Some(p) = self.rest.next_if(|c| matches!(c, 'p' | 'P'))
            {
                self.unicode_class(p)?;
                continue;
            }
            let low = self.class_character(c)?;
            let is_range = self.rest.peek() == Some(&'-')
                && self.rest.clone().nth(1).is_some_and(|after| after != ']');
            if is_range {
                self.rest.next();
                let c = self.rest.next().ok_or("missing closing ]")?;
                let high = self.class_character(c)?;
                if matches!((low, high), (Some(low), Some(high)) if high < low) {
                    return Err(BAD_RANGE);
                }
            }
        }
    }

    /// The character, where it stands for itself.
    fn class_character(&mut self, c: char) -> Result<Option<char>, &'static str> {
        if c != '\\' {
            return Ok(Some(c));
        }
        let c = self.rest.next().ok_or("missing closing ]")?;
        self.character(c)?;
        Ok(Some(c).filter(char::is_ascii_punctuation))
    }

    /// `[:alpha:]`; false where it is none at all.
    fn posix_class(&mut self) -> Result<bool, &'static str> {
        let ahead: String = self
            .rest
            .clone()
            .skip(1)
            .take_while(|c| *c != ':')
            .collect();
        let length = ahead.chars().count();
        if self.rest.clone().nth(length + 1) != Some(':')
            || self.rest.clone().nth(length + 2) != Some(']')
        {
            return Ok(false);
        }
        let name = ahead.strip_prefix('^').unwrap_or(&ahead);
        if !POSIX_CLASSES.contains(&name) {
            return Err(BAD_RANGE);
        }
        for _ in 0..length + 3 {
            self.rest.next();
        }
        Ok(true)
    }
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_re2_are_valid() {
        for pattern in [
            "a.*b",
            "[a&&b]",
            "a{1,1000}",
            r"\p{Greek}",
            r"\pN",
            "(?P<n>a)(?<m>b)",
            "(?P<1>a)",
            "(?i)a",
            "(?s-m:a)",
            "(?U)a",
            r"\Qa.b\E",
            r"\Q(a",
            "[[:alpha:]]",
            r"\d\w\s\b\B\A\z",
            r"\x{10FFFF}",
            "[]a]",
            "[^]a]",
            "(|a)",
            "()",
            "a{,2}",
            "{",
            "a{",
            "}",
            "]",
            "^*",
            "$",
            r"\07",
            r"\b{start}",
            "a??",
            "a{2}?",
            "[a-z--b]",
            "",
            "ä+",
            "[a-]",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_re2() {
        for (pattern, reason) in [
            ("(a", "missing closing )"),
            ("(?:a", "missing closing )"),
            ("a)", "regexp/syntax: internal error"),
            ("[a", "missing closing ]"),
            ("[]", "missing closing ]"),
            (r"[\]", "missing closing ]"),
            ("[z-a]", BAD_RANGE),
            ("[[:foo:]]", BAD_RANGE),
            (r"\p{Foo}", BAD_RANGE),
            (r"\pX", BAD_RANGE),
            (r"[a-\d]", BAD_ESCAPE),
            ("a**", "invalid nested repetition operator"),
            ("a*+", "invalid nested repetition operator"),
            ("a{1}{2}", "invalid nested repetition operator"),
            ("a{1001}", "invalid repeat count"),
            ("a{2,1}", "invalid repeat count"),
            ("*a", "missing argument to repetition operator"),
            ("a|*", "missing argument to repetition operator"),
            ("a\\", "trailing backslash at end of expression"),
            (r"\q", BAD_ESCAPE),
            (r"\Z", BAD_ESCAPE),
            (r"\C", BAD_ESCAPE),
            (r"\1", BAD_ESCAPE),
            (r"\u0041", BAD_ESCAPE),
            (r"\x{110000}", BAD_ESCAPE),
            ("(?P<n>a)(?P<n>b)", "duplicate capture group name"),
            ("(?P<n", BAD_NAME),
            ("(?<=a)", BAD_NAME),
            ("(?P=n)", BAD_PERL),
            ("(?=a)", BAD_PERL),
            ("(?x)a", BAD_PERL),
            ("(?i", BAD_PERL),
            ("(?", BAD_PERL),
        ] {
            assert_eq!(check(pattern), Err(reason), "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_pattern_or_is_none(pattern in r"([(\[\])*+?{}|^$a-c:,<>P0-9\\-]|\PC){0,16}") {
            let _ = verdict(&pattern);
        }
    }
}
