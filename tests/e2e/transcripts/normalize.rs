//! Takes out of an output what differs from run to run, the way the recorder does.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Text of this run and what stands for it in transcripts, tried in order.
pub(super) type Placeholders = [(String, String)];

struct Rule {
    pattern: Regex,
    /// Builds what stands instead; the groups are what the pattern needs around it.
    instead: fn(&Captures<'_>) -> String,
}

fn group<'a>(found: &Captures<'a>, index: usize) -> &'a str {
    found.get(index).map_or("", |group| group.as_str())
}

/// Placeholders are as wide as what they stand for, so that tables stay aligned.
fn padded(name: &str, width: usize) -> String {
    format!(
        "<{name}{}>",
        "_".repeat(width.saturating_sub(name.len() + 2))
    )
}

/// Before the placeholders of this run.
static ADDRESSES: LazyLock<[Rule; 2]> = LazyLock::new(|| {
    [
        rule(r"127\.0\.0\.1:\d{5}(  \(\d)", |found| {
            format!("<COORDINATOR__>{}", group(found, 1))
        }),
        rule(r"(127\.0\.0\.1 )\d{5}\b", |found| {
            format!("{}<PRT>", group(found, 1))
        }),
    ]
});

/// After them.
static REST: LazyLock<[Rule; 7]> = LazyLock::new(|| {
    [
        rule(
            r#"(TopicId: |topicId=|TopicId=|"topicId":")([A-Za-z0-9_-]{22})"#,
            |found| format!("{}{}", group(found, 1), padded("TOPIC_ID", 22)),
        ),
        rule(
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            |_| padded("UUID", 36),
        ),
        rule(r"\b1[789]\d{11}\b", |_| padded("EPOCH_MS", 13)),
        rule(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}", |_| {
            "<DATETIME>".to_owned()
        }),
        rule(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}(Z|[+-]\d\d:?\d\d)?",
            |_| "<ISO_TIME>".to_owned(),
        ),
        rule(r"console-consumer-(\d+)", |found| {
            format!("console-consumer-{}", padded("N", group(found, 1).len()))
        }),
        rule(r"(?m)(^|[^\w<-])[A-Za-z0-9_-]{22}( +/127)", |found| {
            format!(
                "{}{}{}",
                group(found, 1),
                padded("MEMBER_ID", 22),
                group(found, 2)
            )
        }),
    ]
});

fn rule(pattern: &str, instead: fn(&Captures<'_>) -> String) -> Rule {
    Rule {
        pattern: Regex::new(pattern).expect("a good pattern"),
        instead,
    }
}

pub(super) fn normalize(text: &str, placeholders: &Placeholders) -> String {
    let apply = |text: String, rules: &[Rule]| {
        rules.iter().fold(text, |text, rule| {
            rule.pattern.replace_all(&text, rule.instead).into_owned()
        })
    };
    let text = apply(text.to_owned(), &*ADDRESSES);
    let text = placeholders
        .iter()
        .fold(text, |text, (literal, name)| text.replace(literal, name));
    apply(text, &*REST)
}

#[test]
fn what_differs_between_runs_becomes_a_placeholder_of_the_same_width() {
    let placeholders = [("127.0.0.1:40123".to_owned(), "<BS>".to_owned())];
    for (text, expected) in [
        ("at 127.0.0.1:40123", "at <BS>"),
        (
            "TopicId: AAAAAAAAAAAAAAAAAAAAAQ\t",
            "TopicId: <TOPIC_ID____________>\t",
        ),
        ("CreateTime:1767225600000", "CreateTime:<EPOCH_MS___>"),
        ("console-consumer-12345", "console-consumer-<N__>"),
        ("127.0.0.1:40123  (1)", "<COORDINATOR__>  (1)"),
    ] {
        assert_eq!(normalize(text, &placeholders), expected);
    }
}
