//! Which topics a pattern means. Where the reference takes "a topic", it takes a list of regular expressions separated
//! by commas, each of which has to match the whole name.

use regex::Regex;

use crate::stop::Failure;

/// The topics that belong to the cluster itself.
pub const INTERNAL_TOPICS: [&str; 3] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
];

pub fn is_internal(topic: &str) -> bool {
    INTERNAL_TOPICS.contains(&topic)
}

/// Why a text cannot be the name of a topic, in the reference's words; `None` where it can.
pub fn why_no_topic_name(name: &str) -> Option<String> {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => Some("the empty string is not allowed".to_owned()),
        "." | ".." => Some(format!("'{name}' is not allowed")),
        _ if name.chars().count() > NAME_CHARS_MAX => Some(format!(
            "the length of '{name}' is longer than the max allowed length {NAME_CHARS_MAX}"
        )),
        _ if !name.chars().all(usual) => Some(format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )),
        _ => None,
    }
}

const NAME_CHARS_MAX: usize = 249;

/// Longer patterns are nobody's work, and take long to compile.
const PATTERN_BYTES_MAX: usize = 4096;

#[derive(Debug, Clone)]
pub struct TopicFilter(Meant);

#[derive(Debug, Clone)]
enum Meant {
    Pattern(Regex),
    Names(Vec<String>),
}

impl TopicFilter {
    pub fn new(list: &str) -> Result<Self, Failure> {
        let quotes = ['"', '\''];
        let cleaned = list.trim().replace(',', "|").replace(' ', "");
        let cleaned = cleaned.trim_start_matches(quotes).trim_end_matches(quotes);
        Ok(Self(Meant::Pattern(whole_name(cleaned)?)))
    }

    /// `--exact`: names, between which commas stand as between patterns.
    pub fn exact(list: &str) -> Self {
        let names = list.split(',').map(|name| name.trim().to_owned());
        Self(Meant::Names(names.collect()))
    }

    pub fn allows(&self, topic: &str) -> bool {
        match &self.0 {
            Meant::Pattern(pattern) => pattern.is_match(topic),
            Meant::Names(names) => names.iter().any(|name| name == topic),
        }
    }
}

/// A regular expression that has to match the whole name of a topic.
pub fn whole_name(pattern: &str) -> Result<Regex, Failure> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let bytes = pattern.len();
        return Err(
            Failure::new("The pattern is an invalid regex.").hint(format!(
                "it is {bytes} bytes long, and {PATTERN_BYTES_MAX} are allowed"
            )),
        );
    }
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim();
        Failure::new(format!("{pattern} is an invalid regex."))
            .hint(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, topic: &str) -> bool {
        TopicFilter::new(list)
            .expect("a good pattern")
            .allows(topic)
    }

    #[test]
    fn a_pattern_matches_the_whole_name_and_commas_separate_patterns() {
        assert!(allows("clicks", "clicks"));
        assert!(!allows("click", "clicks"));
        assert!(allows("a, b.*", "b-17"));
        assert!(allows("\"a\"", "a"));
        assert!(allows("a.b", "a-b"));
        assert!(!allows("", "a"));
    }

    #[test]
    fn a_broken_pattern_is_refused() {
        let failure = TopicFilter::new("a(").expect_err("unbalanced");
        assert_eq!(failure.message, "a( is an invalid regex.");
        assert!(!failure.hints.is_empty());
    }
}
