//! The file of new offsets: rows `topic,partition,offset`, or `group,topic,partition,offset`; or a file for
//! `--undo`. Pure, but for reading.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use ottla_client::admin::TopicPartition;
use ottla_protocol::errors::ErrorCode;

use super::super::ended::{Problem, Wrapped};
use super::undo::UndoFile;
use crate::connect;
use crate::stop::Failure;
use crate::topic_filter::why_no_topic_name;

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) group: String,
    pub(super) at: TopicPartition,
    pub(super) offset: i64,
}

/// Far more than the offsets of a cluster's partitions need.
pub(super) const BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(super) fn read(path: &Path, only_group: Option<&str>) -> Result<Vec<Row>, Problem> {
    let name = path.display();
    let cannot = |reason: String| Problem {
        sentence: format!("java.io.IOException: Unable to read file {name}"),
        failure: Failure::new(format!("Unable to read file {name}")).hint(reason),
        code: None,
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| cannot(error.to_string()))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(cannot(format!("It has more than {BYTES_MAX} bytes.")));
    }
    if text.trim_start().starts_with('{') {
        let file = UndoFile::parse(&text, path).map_err(|reason| cannot(format!("{reason}.")))?;
        let row = |(group, at, offset): (&str, &TopicPartition, i64)| Row {
            group: group.to_owned(),
            at: at.clone(),
            offset,
        };
        return Ok(file.rows().map(row).collect());
    }
    parse(&text, only_group).map_err(|problem| Problem {
        failure: problem.failure.hint(format!("The file is {name}.")),
        ..problem
    })
}

/// The rows; of two for the same partition the last one counts.
fn parse(text: &str, only_group: Option<&str>) -> Result<Vec<Row>, Problem> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        records.push(record.map_err(|error| Failure::new(error.to_string()))?);
    }
    // One group may be left out of all rows; the first tells.
    let without_group =
        only_group.filter(|_| records.first().is_some_and(|first| first.len() <= 3));
    let mut rows: Vec<Row> = Vec::with_capacity(records.len());
    let mut places = std::collections::HashMap::new();
    for record in &records {
        let row = match without_group {
            Some(group) => row(group, record, 0)?,
            None => row(record.get(0).unwrap_or_default(), record, 1)?,
        };
        let key = (row.group.clone(), row.at.clone());
        match places.get(&key).and_then(|place| rows.get_mut(*place)) {
            Some(earlier) => *earlier = row,
            None => {
                places.insert(key, rows.len());
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// A row whose topic stands in this column.
fn row(group: &str, record: &StringRecord, topic_at: usize) -> Result<Row, Problem> {
    let line = record.position().map_or(0, csv::Position::line);
    let field = |index| record.get(topic_at + index).unwrap_or_default();
    let topic = field(0);
    if let Some(reason) = why_no_topic_name(topic) {
        let at = TopicPartition::new(topic, field(1).parse().unwrap_or(0));
        let text =
            format!("Failed to fetch metadata for partition {at} due to invalid topic `{topic}`");
        let class = connect::class(ErrorCode::InvalidTopicException);
        return Err(Problem {
            sentence: Wrapped::Twice.sentence(&class, &text),
            failure: Failure::new(format!("Line {line} names no topic: {reason}")),
            code: None,
        });
    }
    let columns = if topic_at == 0 {
        "topic,partition,offset"
    } else {
        "group,topic,partition,offset"
    };
    let wrong = |what: String| Failure::new(format!("Line {line}: {what}; {columns} is needed"));
    if record.len() != topic_at + 3 {
        return Err(wrong(format!("it has {} columns", record.len())).into());
    }
    let number = |index, what| {
        let text = field(index);
        text.parse::<i64>()
            .map_err(|_| wrong(format!("the {what} '{text}' is no number")))
    };
    let partition = number(1, "partition")?;
    let partition = i32::try_from(partition)
        .map_err(|_| wrong(format!("there is no partition {partition}")))?;
    Ok(Row {
        group: group.to_owned(),
        at: TopicPartition::new(topic, partition),
        offset: number(2, "offset")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, only_group: Option<&str>) -> Vec<(String, String, i64)> {
        let rows = parse(text, only_group).expect("a good file");
        let plain = |row: Row| (row.group, row.at.to_string(), row.offset);
        rows.into_iter().map(plain).collect()
    }

    fn refusal(text: &str) -> Problem {
        parse(text, Some("g")).expect_err("a bad file")
    }

    #[test]
    fn the_only_group_may_be_left_out() {
        let expected = [
            ("g".to_owned(), "clicks-0".to_owned(), 4),
            ("g".to_owned(), "clicks-1".to_owned(), -1),
        ];
        assert_eq!(rows("clicks,0,4\nclicks, 1, -1\r\n\n", Some("g")), expected);
        assert_eq!(rows("g,clicks,0,4\ng,clicks,1,-1\n", Some("g")), expected);
        assert_eq!(rows("g,clicks,0,4\ng,clicks,1,-1", None), expected);
    }

    #[test]
    fn a_quoted_group_may_hold_a_comma_and_the_last_row_of_a_partition_counts() {
        let expected = [("a,b".to_owned(), "clicks-0".to_owned(), 5)];
        assert_eq!(
            rows("\"a,b\",clicks,0,4\n\"a,b\",clicks,0,5\n", None),
            expected
        );
    }

    #[test]
    fn a_row_that_is_no_row_is_refused_with_its_line() {
        assert_eq!(
            refusal("clicks;0;2\n").sentence,
            "java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.InvalidTopicException: Failed to \
             fetch metadata for partition clicks;0;2-0 due to invalid topic `clicks;0;2`"
        );
        for (text, part) in [
            ("clicks,0,4\nclicks,0\n", "Line 2: it has 2 columns"),
            ("clicks,x,4\n", "the partition 'x' is no number"),
            ("clicks,9999999999,4\n", "there is no partition 9999999999"),
            ("clicks,0,\n", "the offset '' is no number"),
        ] {
            let said = refusal(text).failure.message;
            assert!(said.contains(part), "{said}");
        }
    }
}
