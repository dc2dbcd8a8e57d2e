//! New offsets as a table, and as rows of a file. Pure.

use std::fmt::Write;

use super::super::render::{WIDTH, line, width};
use super::NewOffsets;

pub(super) fn table(plans: &[(String, NewOffsets)]) -> String {
    let mut text = "\n".to_owned();
    if plans.is_empty() {
        return text;
    }
    let rows = || {
        plans
            .iter()
            .flat_map(|(group, offsets)| offsets.iter().map(move |row| (group, row)))
    };
    let group_width = width(WIDTH, plans.iter().map(|(group, _)| &**group));
    let topic_width = width(WIDTH, rows().map(|(_, (at, _))| &*at.topic));
    let mut row = |group: &str, topic: &str, partition: &str, offset: &str| {
        let names = [(group, group_width), (topic, topic_width)];
        line(
            &mut text,
            names.into_iter().chain([(partition, 10), (offset, 0)]),
        );
    };
    row("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    for (group, (at, offset)) in rows() {
        row(
            group,
            &at.topic,
            &at.partition.to_string(),
            &offset.to_string(),
        );
    }
    text
}

/// The rows of a file for `--from-file`, without the group where there is just one.
pub(super) fn export(plans: &[(String, NewOffsets)], without_group: bool) -> String {
    let mut text = String::new();
    for (group, offsets) in plans {
        for (at, offset) in offsets {
            if !without_group {
                write!(text, "{},", field(group)).expect("a string takes it");
            }
            let topic = field(&at.topic);
            writeln!(text, "{topic},{},{offset}", at.partition).expect("a string takes it");
        }
    }
    text.push('\n');
    text
}

/// Quoted where the reference's writer quotes: for what stands before `-` in ASCII, and where it does not look.
fn field(value: &str) -> String {
    const LOOKED_AT_MAX: usize = 24;
    let plain = value.encode_utf16().count() <= LOOKED_AT_MAX && value.chars().all(|c| c >= '-');
    match plain {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::TopicPartition;

    use super::*;

    #[test]
    fn an_exported_name_is_quoted_where_it_has_to_be_and_where_it_is_long() {
        let offsets = |topic: &str| vec![(TopicPartition::new(topic, 0), 5)];
        let long = "a-topic-with-a-rather-long-name";
        for (group, topic, without_group, text) in [
            ("g", "t", true, "t,0,5\n\n"),
            ("g", "t", false, "g,t,0,5\n\n"),
            ("a,\"b", "t", false, "\"a,\"\"b\",t,0,5\n\n"),
            (
                "g",
                long,
                true,
                "\"a-topic-with-a-rather-long-name\",0,5\n\n",
            ),
        ] {
            let plans = [(group.to_owned(), offsets(topic))];
            assert_eq!(export(&plans, without_group), text);
        }
        assert_eq!(export(&[], true), "\n");
    }
}
