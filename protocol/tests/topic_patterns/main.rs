//! Regular expressions of subscriptions against what RE2J, the reference's library, makes of the same ones.

use std::io::Read;

use flate2::read::GzDecoder;
use ottla_protocol::topic_pattern::TopicPattern;

fn table() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/topic_patterns/patterns.tsv.gz"
    );
    let packed = std::fs::read(path).unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn unhex(text: &str) -> String {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    let bytes = (0..text.len()).step_by(2).map(digit).collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn expressions_match_and_fail_as_they_do_there() {
    let table = table();
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut differences = Vec::new();
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let [pattern, error, matches] = columns[..] else {
            panic!("{line}");
        };
        let pattern = unhex(pattern);
        let ours = match TopicPattern::parse(&pattern) {
            Ok(parsed) => names
                .iter()
                .map(|name| if parsed.matches(name) { '1' } else { '0' })
                .collect(),
            Err(reason) => reason.to_string(),
        };
        let theirs = [error, matches].concat();
        if ours != theirs {
            differences.push(format!("{pattern:?}: {ours}, there {theirs}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
