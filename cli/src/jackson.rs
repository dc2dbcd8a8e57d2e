//! What Jackson, with which the reference reads JSON, says of a text that is none.
//!
//! Always: only words that were seen are repeated; of other faults nothing is said here. Not here: reading values, which
//! serde_json does; a text comes here when that has refused it.

/// Where a fault or a bracket is, counted from 1.
#[derive(Debug, Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn shown(self) -> String {
        format!(
            "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]",
            self.line, self.column
        )
    }
}

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// The first fault of a text that is no JSON, in two lines.
pub(crate) fn fault(text: &str) -> Option<String> {
    let mut scan = Scan {
        rest: text,
        place: Place { line: 1, column: 1 },
        open: Vec::new(),
    };
    let (message, place) = scan.value().err()??;
    Some(format!("{message}\n at {}", place.shown()))
}

/// What ends a scan: a fault, or one whose words are not known.
type End = Option<(String, Place)>;

struct Scan<'a> {
    rest: &'a str,
    place: Place,
    /// The brackets around.
    open: Vec<(Kind, Place)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Object,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Array => "Array",
            Self::Object => "Object",
        }
    }

    const fn closes_with(self) -> char {
        match self {
            Self::Array => ']',
            Self::Object => '}',
        }
    }
}

/// No text of a tool has more brackets within each other; serde_json gives up earlier.
const DEPTH_MAX: usize = 128;

impl Scan<'_> {
    fn value(&mut self) -> Result<(), End> {
        let Some(c) = self.peek() else {
            return Err(self.ended_between());
        };
        match c {
            '{' => self.container(Kind::Object),
            '[' => self.container(Kind::Array),
            '"' => self.string(": was expecting closing quote for a string value"),
            '0'..='9' => self.number(),
            ']' | '}' if self.open.is_empty() => {
                let name = if c == ']' { "Array" } else { "Object" };
                self.fails(format!(
                    "Unexpected close marker '{c}': no open {name} to close"
                ))
            }
            '-' | '+' | '.' | ']' | '}' | ',' => Err(None),
            c if is_of_word(c) => self.word(),
            c => self.unexpected(c, &format!("expected a valid value {VALUES}")),
        }
    }

    fn container(&mut self, kind: Kind) -> Result<(), End> {
        if self.open.len() == DEPTH_MAX {
            return Err(None);
        }
        self.open.push((kind, self.place));
        self.step();
        let mut is_first = true;
        loop {
            let Some(c) = self.peek() else {
                let (name, begun) = (kind.name(), self.begun());
                let sentence = "Unexpected end-of-input: expected close marker for";
                return self.fails(format!("{sentence} {name} (start marker at {begun})"));
            };
            if c == kind.closes_with() {
                self.step();
                self.open.pop();
                return Ok(());
            }
            if matches!(c, ']' | '}') {
                let (expected, name, begun) = (kind.closes_with(), kind.name(), self.begun());
                return self.fails(format!(
                    "Unexpected close marker '{c}': expected '{expected}' (for {name} starting at {begun})"
                ));
            }
            if !is_first {
                if c != ',' {
                    let what = format!("was expecting comma to separate {} entries", kind.name());
                    return self.unexpected(c, &what);
                }
                self.step();
            }
            is_first = false;
            if kind == Kind::Object {
                self.name()?;
            }
            self.value()?;
        }
    }

    fn name(&mut self) -> Result<(), End> {
        match self.peek() {
            None => return Err(self.ended_between()),
            Some('"') => self.string(" in field name")?,
            Some(c) => return self.unexpected(c, "was expecting double-quote to start field name"),
        }
        match self.peek() {
            None => Err(self.ended_between()),
            Some(':') => {
                self.step();
                Ok(())
            }
            Some(c) => self.unexpected(c, "was expecting a colon to separate field name and value"),
        }
    }

    fn string(&mut self, where_it_ends: &str) -> Result<(), End> {
        self.step();
        loop {
            match self.step() {
                None => return self.fails(format!("Unexpected end-of-input{where_it_ends}")),
                Some('"') => return Ok(()),
                Some('\\')
                    if matches!(
                        self.step(),
                        Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')
                    ) => {}
                Some(c) if c == '\\' || c.is_control() => return Err(None),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Result<(), End> {
        let is_zero = self.step() == Some('0');
        while self.next().is_some_and(|c| c.is_ascii_digit()) {
            if is_zero {
                return Err(None);
            }
            self.step();
        }
        match self.next() {
            Some('.' | 'e' | 'E') => Err(None),
            Some(c) if self.open.is_empty() && !c.is_ascii_whitespace() => {
                self.unexpected(c, "Expected space separating root-level values")
            }
            _ => Ok(()),
        }
    }

    fn word(&mut self) -> Result<(), End> {
        let place = self.place;
        let mut word = String::new();
        while let Some(c) = self.next().filter(|c| is_of_word(*c)) {
            word.push(c);
            self.step();
        }
        match word.as_str() {
            "null" | "true" | "false" => Ok(()),
            "NaN" | "Infinity" => Err(None),
            word => Err(Some((
                format!("Unrecognized token '{word}': was expecting {VALUES}"),
                place,
            ))),
        }
    }

    fn unexpected(&self, c: char, what: &str) -> Result<(), End> {
        let code = u32::from(c);
        if c.is_control() {
            return Err(None);
        }
        self.fails(format!(
            "Unexpected character ('{c}' (code {code})): {what}"
        ))
    }

    fn ended_between(&self) -> End {
        let (kind, _) = self.open.last()?;
        let name = kind.name();
        let message = format!("Unexpected end-of-input within/between {name} entries");
        Some((message, self.place))
    }

    fn fails(&self, message: String) -> Result<(), End> {
        Err(Some((message, self.place)))
    }

    fn begun(&self) -> String {
        let begun = self.open.last().map(|(_, place)| place.shown());
        begun.unwrap_or_default()
    }

    fn next(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The next one that is no blank.
    fn peek(&mut self) -> Option<char> {
        while self
            .next()
            .is_some_and(|c| matches!(c, ' ' | '\t' | '\n' | '\r'))
        {
            self.step();
        }
        self.next()
    }

    fn step(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        if c == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(c)
    }
}

/// A part of an identifier of Java, as far as these have one here.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the reference printed of each.
    #[test]
    fn faults_are_told_in_the_words_of_the_references_parser() {
        let expecting =
            "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        let valid = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        let source = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
        let unclosed = |name: &str| {
            format!(
                "Unexpected end-of-input: expected close marker for {name} (start marker at {source}; line: 1, column: 1])"
            )
        };
        let cases = [
            ("hello world", format!("Unrecognized token 'hello': {expecting}"), (1, 1)),
            ("  \n hello-x", format!("Unrecognized token 'hello': {expecting}"), (2, 2)),
            ("nullx", format!("Unrecognized token 'nullx': {expecting}"), (1, 1)),
            ("[hello]", format!("Unrecognized token 'hello': {expecting}"), (1, 2)),
            ("{\"version\":x1}", format!("Unrecognized token 'x1': {expecting}"), (1, 12)),
            ("tru", format!("Unrecognized token 'tru': {expecting}"), (1, 1)),
            ("{\"a\":tru}", format!("Unrecognized token 'tru': {expecting}"), (1, 6)),
            ("'a'", format!("Unexpected character (''' (code 39)): {valid}"), (1, 1)),
            ("1abc", "Unexpected character ('a' (code 97)): Expected space separating root-level values".to_owned(), (1, 2)),
            ("{hello}", "Unexpected character ('h' (code 104)): was expecting double-quote to start field name".to_owned(), (1, 2)),
            ("{\"version\":1,}", "Unexpected character ('}' (code 125)): was expecting double-quote to start field name".to_owned(), (1, 14)),
            ("{\"version\" 1}", "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value".to_owned(), (1, 12)),
            ("{", unclosed("Object"), (1, 2)),
            ("{\"version\":1", unclosed("Object"), (1, 13)),
            ("[1,2", unclosed("Array"), (1, 5)),
            ("{\"version\":1,", "Unexpected end-of-input within/between Object entries".to_owned(), (1, 14)),
            ("\"abc", "Unexpected end-of-input: was expecting closing quote for a string value".to_owned(), (1, 5)),
            ("{\"a\":\"b", "Unexpected end-of-input: was expecting closing quote for a string value".to_owned(), (1, 8)),
            ("}", "Unexpected close marker '}': no open Object to close".to_owned(), (1, 1)),
        ];
        for (text, message, (line, column)) in cases {
            let expected = format!("{message}\n at {source}; line: {line}, column: {column}]");
            assert_eq!(fault(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn of_other_faults_and_of_none_nothing_is_said() {
        for text in [
            "",
            " ",
            "{}",
            "[1, \"a\", null]",
            "-x",
            "\"\u{1}\"",
            "1.x",
            "[,]",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
        assert_eq!(fault(&"[".repeat(100_000)), None);
    }
}
