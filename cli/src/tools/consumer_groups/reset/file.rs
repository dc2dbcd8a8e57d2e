//! The file of new offsets: rows `topic,partition,offset`, or `group,topic,partition,offset`; or a file for
//! `--undo`. Pure, but for reading.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use csv::{ReaderBuilder, StringRecord};

use ottla_client::admin::TopicPartition;
use ottla_protocol::errors::ErrorCode;

use super::super::ended::{Problem, Wrapped};
use super::NewOffsets;
use super::undo::UndoFile;
use crate::connect;
use crate::stop::Failure;
use crate::topic_filter::why_no_topic_name;

/// Far more than the offsets of a cluster's partitions need.
pub(super) const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The offsets for a group, which rows need not name where it is the only one.
pub(super) fn read(path: &Path, group: &str, is_only: bool) -> Result<NewOffsets, Problem> {
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
        let rows = file.rows().filter(|row| row.0 == group);
        return Ok(rows.map(|(_, at, offset)| (at.clone(), offset)).collect());
    }
    parse(&text, group, is_only).map_err(|problem| Problem {
        failure: problem.failure.hint(format!("The file is {name}.")),
        ..problem
    })
}

/// Rows without a group, or with one: which it is, the first row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    NoGroup,
    WithGroup,
}

impl Form {
    fn of(first: &StringRecord, is_only: bool) -> Self {
        let fits = first.len() <= 3 && Self::NoGroup.numbers(first).is_ok();
        match is_only && fits {
            true => Self::NoGroup,
            false => Self::WithGroup,
        }
    }

    fn columns(self) -> &'static str {
        match self {
            Self::NoGroup => "topic,partition,offset",
            Self::WithGroup => "group,topic,partition,offset",
        }
    }

    fn topic_at(self) -> usize {
        match self {
            Self::NoGroup => 0,
            Self::WithGroup => 1,
        }
    }

    /// Partition and offset; a column that is missing is 0 until the row is looked at.
    fn numbers(self, record: &StringRecord) -> Result<(i32, i64), Problem> {
        let partition = self.number(record, 1, "int", "partition")?;
        Ok((partition, self.number(record, 2, "long", "offset")?))
    }

    fn number<T: FromStr + Default>(
        self,
        record: &StringRecord,
        behind_topic: usize,
        java_type: &str,
        name: &str,
    ) -> Result<T, Problem> {
        let at = self.topic_at() + behind_topic;
        let Some(text) = record.get(at) else {
            return Ok(T::default());
        };
        let digits = text.trim();
        if let Ok(number) = digits.parse() {
            return Ok(number);
        }
        let before = record
            .iter()
            .take(at)
            .map(|field| field.chars().count() + 1);
        let column = before.sum::<usize>() + 1;
        let line = line(record);
        let failure = format!(
            "Line {line}: the {name} '{digits}' is no number; {} is needed",
            self.columns()
        );
        Err(Problem {
            sentence: format!(
                "com.fasterxml.jackson.databind.exc.InvalidFormatException: Cannot deserialize value of type \
                 `{java_type}` from String \"{digits}\": not a valid `{java_type}` value\n at [Source: (StringReader); line: \
                 1, column: {column}] (through reference chain: \
                 org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecord{self:?}[\"{name}\"])"
            ),
            failure: Failure::new(failure),
            code: None,
        })
    }
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// The rows for the group; of two for the same partition the last one counts.
fn parse(text: &str, group: &str, is_only: bool) -> Result<NewOffsets, Problem> {
    if text.trim_end_matches('\n').split('\n').any(str::is_empty) {
        return Err(Problem {
            sentence: "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to \
                       end-of-input\n at [Source: (StringReader); line: UNKNOWN, column: UNKNOWN]"
                .to_owned(),
            failure: Failure::new("There is an empty line, or nothing at all"),
            code: None,
        });
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        records.push(record.map_err(|error| Failure::new(error.to_string()))?);
    }
    let form = match records.first() {
        Some(first) => Form::of(first, is_only),
        None => return Ok(NewOffsets::new()),
    };
    let mut rows = NewOffsets::with_capacity(records.len());
    let mut places = std::collections::HashMap::new();
    for record in &records {
        let (partition, offset) = form.numbers(record)?;
        if form == Form::WithGroup && record.get(0) != Some(group) {
            continue;
        }
        let row = (row(form, record, partition)?, offset);
        match places.get(&row.0).and_then(|place| rows.get_mut(*place)) {
            Some(earlier) => *earlier = row,
            None => {
                places.insert(row.0.clone(), rows.len());
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// The partition of a row for the group.
fn row(form: Form, record: &StringRecord, partition: i32) -> Result<TopicPartition, Problem> {
    let topic = record.get(form.topic_at()).unwrap_or_default();
    let at = TopicPartition::new(topic, partition);
    if let Some(reason) = why_no_topic_name(topic) {
        let text =
            format!("Failed to fetch metadata for partition {at} due to invalid topic `{topic}`");
        let class = connect::class(ErrorCode::InvalidTopicException);
        return Err(Problem {
            sentence: Wrapped::Twice.sentence(&class, &text),
            failure: Failure::new(format!("Line {} names no topic: {reason}", line(record))),
            code: None,
        });
    }
    if record.len() != form.topic_at() + 3 {
        let what = format!(
            "it has {} columns; {} is needed",
            record.len(),
            form.columns()
        );
        return Err(Failure::new(format!("Line {}: {what}", line(record))).into());
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, is_only: bool) -> Vec<(String, i64)> {
        let rows = parse(text, "g", is_only).expect("a good file");
        let plain = |(at, offset): (TopicPartition, i64)| (at.to_string(), offset);
        rows.into_iter().map(plain).collect()
    }

    fn refusal(text: &str) -> Problem {
        parse(text, "g", true).expect_err("a bad file")
    }

    #[test]
    fn the_only_group_may_be_left_out() {
        let expected = [("clicks-0".to_owned(), 4), ("clicks-1".to_owned(), -1)];
        assert_eq!(rows("clicks,0,4\nclicks, 1, -1\r\n\n", true), expected);
        assert_eq!(rows("g,clicks,0,4\ng,clicks,1,-1\n", true), expected);
        assert_eq!(rows("g,clicks,0,4\ng,clicks,1,-1", false), expected);
    }

    #[test]
    fn rows_of_other_groups_and_without_a_group_among_several_count_for_nothing() {
        assert_eq!(
            rows("h,clicks,0,4\n\"g\",clicks,0,5\ng,clicks,0,6\n", false),
            [("clicks-0".to_owned(), 6)]
        );
        assert_eq!(rows("clicks,0,4\n", false), []);
        assert_eq!(rows("clicks,x,4\n", true), []);
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
            (
                "clicks,0,4\nclicks,x,4\n",
                "Line 2: the partition 'x' is no number",
            ),
            (
                "clicks,0,4\nclicks,9999999999,4\n",
                "the partition '9999999999' is no number",
            ),
            ("g,clicks,0,\n", "the offset '' is no number"),
            (
                "topic,partition,offset\nclicks,0,4\n",
                "Line 1: the partition 'offset' is no number",
            ),
            ("", "nothing at all"),
            ("clicks,0,4\n\nclicks,1,4\n", "an empty line"),
        ] {
            let said = refusal(text).failure.message;
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_told_as_the_reference_tells_it() {
        assert_eq!(
            refusal("topic,partition,offset\n").sentence,
            "com.fasterxml.jackson.databind.exc.InvalidFormatException: Cannot deserialize value of type `int` from \
             String \"offset\": not a valid `int` value\n at [Source: (StringReader); line: 1, column: 17] (through \
             reference chain: org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecordWithGroup[\"partition\"])"
        );
    }
}
