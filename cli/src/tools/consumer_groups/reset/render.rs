//! New offsets as a table, as rows of a file, as JSON, and what they mean. Pure.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::json::{self as shared, VERSION};
use super::super::members;
use super::super::render::{WIDTH, or_missing};
use super::explain::{Explained, Explanation, Retention, is_due};
use super::{GroupPlan, Move};
use crate::context::without_escapes;
use crate::output::{Report, Rows};
use crate::table::{line, visible, width};

pub(super) fn table(plans: &[GroupPlan]) -> String {
    let mut text = "\n".to_owned();
    if plans.is_empty() {
        return text;
    }
    let rows = || {
        plans
            .iter()
            .flat_map(|plan| plan.possible().iter().map(move |step| (&*plan.group, step)))
    };
    let group_width = width(WIDTH, plans.iter().map(|plan| &*plan.group));
    let topic_width = width(WIDTH, rows().map(|(_, step)| &*step.at.topic));
    let mut row = |group: &str, topic: &str, partition: &str, offset: &str| {
        let names = [(group, group_width), (topic, topic_width)];
        line(
            &mut text,
            names.into_iter().chain([(partition, 10), (offset, 0)]),
        );
    };
    row("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    for (group, step) in rows() {
        row(
            group,
            &step.at.topic,
            &step.at.partition.to_string(),
            &or_missing(step.to.as_ref().map(|to| to.offset)),
        );
    }
    text
}

/// The rows of a file for `--from-file`, without the group where there is just one.
pub(super) fn export(plans: &[GroupPlan], without_group: bool, to_terminal: bool) -> String {
    let mut text = String::new();
    for plan in plans {
        for Move { at, to, .. } in plan.possible() {
            // A file of new offsets cannot say that there shall be none.
            let Some(to) = to else { continue };
            if !without_group {
                write!(text, "{},", field(&plan.group)).expect("a string takes it");
            }
            let topic = field(&at.topic);
            writeln!(text, "{topic},{},{}", at.partition, to.offset).expect("a string takes it");
        }
    }
    text.push('\n');
    match to_terminal {
        true => without_escapes(&text).into_owned(),
        false => text,
    }
}

/// The table with what each move means, and below it what takes more words.
pub(super) fn explained(plans: &[GroupPlan], explained: &Explained) -> String {
    let now = Timestamp::now();
    let mut text = "\n".to_owned();
    let rows = || {
        let beside = plans.iter().zip(explained);
        beside.flat_map(|(plan, explained)| {
            let moves = plan.moves.iter().zip(explained);
            moves.map(move |(step, meaning)| (&*plan.group, step, meaning))
        })
    };
    let group_width = width(WIDTH, plans.iter().map(|plan| &*plan.group));
    let topic_width = width(WIDTH, rows().map(|(_, step, _)| &*step.at.topic));
    let mut row = |columns: [&str; 11]| {
        let widths = [
            group_width,
            topic_width,
            10,
            14,
            10,
            8,
            10,
            TIME,
            TIME,
            TIME,
            0,
        ];
        line(&mut text, columns.into_iter().zip(widths));
    };
    row([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "CURRENT-OFFSET",
        "NEW-OFFSET",
        "EFFECT",
        "RECORDS",
        "FIRST-WRITTEN",
        "LAST-WRITTEN",
        "KEPT-UNTIL",
        "NEW-LAG",
    ]);
    for (group, step, meaning) in rows() {
        row([
            group,
            &step.at.topic,
            &step.at.partition.to_string(),
            &or_missing(step.from.as_ref().map(|from| from.offset)),
            &or_missing(step.to.as_ref().map(|to| to.offset)),
            meaning.span.effect.name(),
            &meaning.span.records().to_string(),
            &or_missing(meaning.first_ms.and_then(time)),
            &or_missing(meaning.last_ms.and_then(time)),
            &kept_until(meaning.retention, now),
            &or_missing(meaning.span.lag),
        ]);
    }
    for (_, step, meaning) in rows().filter(|(_, _, meaning)| meaning.span.gone > 0) {
        let gone = meaning.span.gone;
        writeln!(
            text,
            "\n{}: {gone} more are gone from the log already.",
            step.at
        )
        .expect("a string takes it");
    }
    for group in plans.iter().filter_map(|plan| plan.in_use.as_ref()) {
        write!(text, "\nIn the way of {}:\n", visible(&group.id)).expect("a string takes it");
        text.push_str(&members::table(group, false));
    }
    text
}

/// The width of a time.
const TIME: usize = 24;

fn time(ms: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(ms).ok()?;
    Some(format!("{time:.3}"))
}

fn kept_until(retention: Retention, now: Timestamp) -> String {
    match retention {
        Retention::Unknown => or_missing(None::<String>),
        Retention::Keeps => "for ever".to_owned(),
        Retention::BySize => "now (size)".to_owned(),
        due if is_due(due, now) => "now".to_owned(),
        Retention::Until(ms) => or_missing(time(ms)),
    }
}

pub(super) fn report(
    plans: &[GroupPlan],
    explained: Option<&Explained>,
    executed: bool,
    undo: Option<&Path>,
) -> Report {
    let group = |(index, plan): (usize, &GroupPlan)| {
        let explained = explained.and_then(|explained| explained.get(index));
        let partition = |(index, step): (usize, &Move)| {
            let mut value = json!({
                "topic": step.at.topic,
                "partition": step.at.partition,
                "currentOffset": step.from.as_ref().map(|from| from.offset),
                "newOffset": step.to.as_ref().map(|to| to.offset),
            });
            if let Some(meaning) = explained.and_then(|explained| explained.get(index)) {
                value["explanation"] = explanation(meaning);
            }
            value
        };
        let partitions: Vec<Value> = plan.moves.iter().enumerate().map(partition).collect();
        json!({
            "group": plan.group,
            "inUse": plan.in_use.as_ref().map(shared::group),
            "partitions": partitions,
        })
    };
    let value = json!({
        "version": VERSION,
        "executed": executed,
        "undoFile": undo.map(|path| path.display().to_string()),
        "groups": plans.iter().enumerate().map(group).collect::<Vec<_>>(),
    });
    let rows = Rows {
        within: &["groups", "partitions"],
        columns: &[
            "group",
            "topic",
            "partition",
            "currentOffset",
            "newOffset",
            "executed",
            "inUse.state",
            "explanation.effect",
            "explanation.records",
            "explanation.goneRecords",
            "explanation.firstTimestampMs",
            "explanation.lastTimestampMs",
            "explanation.retention",
            "explanation.keptUntilMs",
            "explanation.newLag",
            "undoFile",
        ],
    };
    Report { value, rows }
}

fn explanation(meaning: &Explanation) -> Value {
    let (retention, until_ms) = match meaning.retention {
        Retention::Unknown => ("unknown", None),
        Retention::Keeps => ("keeps", None),
        Retention::BySize => ("size", None),
        Retention::Until(ms) => ("time", Some(ms)),
    };
    json!({
        "effect": meaning.span.effect.name(),
        "records": meaning.span.records(),
        "goneRecords": meaning.span.gone,
        "firstTimestampMs": meaning.first_ms,
        "lastTimestampMs": meaning.last_ms,
        "retention": retention,
        "keptUntilMs": until_ms,
        "newLag": meaning.span.lag,
    })
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
    use ottla_client::admin::{NewOffset, TopicPartition};

    use super::*;

    #[test]
    fn an_exported_name_is_quoted_where_it_has_to_be_and_where_it_is_long() {
        let plan = |group: &str, topic: &str| GroupPlan {
            group: group.to_owned(),
            moves: vec![Move {
                at: TopicPartition::new(topic, 0),
                from: None,
                to: Some(NewOffset::at(5)),
            }],
            in_use: None,
        };
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
            assert_eq!(export(&[plan(group, topic)], without_group, false), text);
        }
        assert_eq!(export(&[], true, false), "\n");
    }
}
