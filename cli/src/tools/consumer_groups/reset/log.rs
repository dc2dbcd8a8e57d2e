//! Questions about logs: first offset, end, the first record of a time.

use ottla_client::admin::{Admin, Isolation, ListedOffset, OffsetSpec, TopicPartition};

use super::{NewOffsets, tell};
use crate::context::Context;
use crate::output::Format;

use super::super::ended::{Ended, Wrapped};

pub(super) async fn earliest(
    partitions: &[TopicPartition],
    admin: &Admin,
) -> Result<NewOffsets, Ended> {
    Ok(known(list(partitions, OffsetSpec::Earliest, admin).await?))
}

pub(super) async fn latest(
    partitions: &[TopicPartition],
    admin: &Admin,
) -> Result<NewOffsets, Ended> {
    Ok(known(list(partitions, OffsetSpec::Latest, admin).await?))
}

/// The first record from a time on; the end of the log where all are older.
pub(super) async fn at_time(
    time_ms: i64,
    partitions: &[TopicPartition],
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<NewOffsets, Ended> {
    let listed = list(partitions, OffsetSpec::At(time_ms), admin).await?;
    let mut none = Vec::new();
    for (at, found) in &listed {
        if found.offset.is_none() {
            let TopicPartition { topic, partition } = at;
            let empty = format!("Partition {partition} from topic {topic} is empty");
            let sentence = format!("Warn: {empty}. Falling back to latest known offset.");
            tell(sentence, format, cx)?;
            none.push(at.clone());
        }
    }
    let mut offsets = known(listed);
    offsets.extend(latest(&none, admin).await?);
    Ok(offsets)
}

/// Offsets as near to those asked for as the logs have them.
pub(super) async fn within(
    asked: NewOffsets,
    admin: &Admin,
    cx: &mut Context,
) -> Result<NewOffsets, Ended> {
    let partitions: Vec<TopicPartition> = asked.iter().map(|(at, _)| at.clone()).collect();
    let first = earliest(&partitions, admin).await?;
    let end = latest(&partitions, admin).await?;
    let mut offsets = Vec::with_capacity(asked.len());
    // Both answers are in the order of the question.
    for ((at, offset), ((_, first), (_, end))) in asked.into_iter().zip(first.into_iter().zip(end))
    {
        let bounds = Bounds { first, end };
        let (new, note) = bounds.nearest(offset);
        if let Some(note) = note {
            cx.warn(format!(
                "New offset ({offset}) is {note} offset for topic partition {at}. Value will be set to {new}"
            ));
        }
        offsets.push((at, new));
    }
    Ok(offsets)
}

struct Bounds {
    first: i64,
    end: i64,
}

impl Bounds {
    fn nearest(&self, offset: i64) -> (i64, Option<&'static str>) {
        if offset > self.end {
            (self.end, Some("higher than latest"))
        } else if offset < self.first {
            (self.first, Some("lower than earliest"))
        } else {
            (offset, None)
        }
    }
}

async fn list(
    partitions: &[TopicPartition],
    spec: OffsetSpec,
    admin: &Admin,
) -> Result<Vec<(TopicPartition, ListedOffset)>, Ended> {
    let wrapped = Wrapped::Twice;
    let asked: Vec<_> = partitions.iter().map(|at| (at.clone(), spec)).collect();
    let outcomes = admin
        .list_offsets(&asked, Isolation::ReadUncommitted)
        .await
        .map_err(wrapped.failed("listOffsets(api=METADATA)"))?;
    let mut listed = Vec::with_capacity(outcomes.len());
    for (at, outcome) in outcomes {
        let found = outcome.map_err(|error| {
            let mut problem = wrapped.refused()(error);
            problem.failure = problem.failure.hint(format!("The partition is {at}."));
            problem
        })?;
        listed.push((at, found));
    }
    Ok(listed)
}

fn known(listed: Vec<(TopicPartition, ListedOffset)>) -> NewOffsets {
    let offset = |(at, found): (TopicPartition, ListedOffset)| Some((at, found.offset?));
    listed.into_iter().filter_map(offset).collect()
}

#[test]
fn an_offset_outside_the_log_becomes_the_nearest_within() {
    let bounds = Bounds { first: 3, end: 9 };
    for (asked, nearest) in [(2, 3), (3, 3), (5, 5), (9, 9), (10, 9), (i64::MIN, 3)] {
        assert_eq!(bounds.nearest(asked).0, nearest, "{asked}");
    }
    // Nothing but the end is there.
    let empty = Bounds { first: 4, end: 4 };
    assert_eq!(empty.nearest(0), (4, Some("lower than earliest")));
    assert_eq!(empty.nearest(5), (4, Some("higher than latest")));
}
