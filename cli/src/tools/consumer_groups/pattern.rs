//! Whether a text is a regular expression as brokers understand it. Pure.

use ottla_protocol::topic_pattern::TopicPattern;

pub(super) fn verdict(pattern: &str) -> String {
    match TopicPattern::parse(pattern) {
        Ok(_) => format!("The regular expression `{pattern}` is valid."),
        Err(reason) => format!("The regular expression `{pattern}` is invalid: {reason}."),
    }
}
#[test]
fn what_is_wrong_is_said_in_the_words_of_the_reference() {
    assert_eq!(verdict("a.*b"), "The regular expression `a.*b` is valid.");
    assert_eq!(
        verdict("(?=a)"),
        "The regular expression `(?=a)` is invalid: invalid or unsupported Perl syntax."
    );
}
