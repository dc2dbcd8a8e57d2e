//! `SubscribedTopicRegex`: the regular expressions of consumers, in RE2's language (KIP-848).
//!
//! Owns: which expressions are valid, in whose words they are refused, and which topic names they match as a whole.
//! Always: linear in the name's length; an expression has a bound on what it may cost. Topic names are ASCII, so all
//! beyond that is read and matches nothing.
//! Deliberately not here: who asks when.

mod ascii;
mod parser;

use regex::bytes::{Regex, RegexBuilder};
use thiserror::Error;

/// Bytes that a compiled expression may take; the reference has no such bound.
const SIZE_MAX: usize = 1 << 20;
/// How deep the translated expression may nest: several levels for each group of the original.
const NEST_MAX: u32 = 500;

/// An expression that names topics.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    regex: Regex,
}

/// What is wrong with an expression, in the words of the reference's library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PatternError(&'static str);

impl TopicPattern {
    /// Reads RE2 syntax with Perl's classes and flags, as `Pattern.compile` of RE2J.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let translated = parser::translate(pattern)?;
        let regex = RegexBuilder::new(&translated)
            .unicode(false)
            .size_limit(SIZE_MAX)
            .nest_limit(NEST_MAX)
            .build();
        regex
            .map(|regex| Self { regex })
            .map_err(|_| PatternError("expression too large"))
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pattern: &str) -> &'static str {
        TopicPattern::parse(pattern).unwrap_err().0
    }

    #[test]
    fn names_match_as_a_whole() {
        let pattern = TopicPattern::parse("orders|payments").unwrap();
        assert!(pattern.matches("orders") && pattern.matches("payments"));
        assert!(!pattern.matches("orders-1") && !pattern.matches("my-payments"));
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        assert_eq!(refusal("((a{1000}){1000}){1000}"), "expression too large");
        let deep = |levels: usize| format!("{}a{}", "(".repeat(levels), ")*".repeat(levels));
        assert_eq!(refusal(&deep(61)), "expression nests too deeply");
        assert!(TopicPattern::parse(&deep(60)).unwrap().matches("aaa"));
        assert_eq!(
            refusal(&format!("a{}", "(?i)*".repeat(5_000))),
            "expression too large"
        );
    }
}
