//! Ranges of partitions: looked up when the tool begins, and closed one by one when they are read.
//!
//! Always: a range lies within what the partition had when it was looked up; only where it has no end, reading goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use ottla_client::admin::{Admin, PARTITIONS_PER_REQUEST, TopicPartition};
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerRecord};
use ottla_protocol::murmur2::partition_for_key;

use crate::connect::capitalized;
use crate::nearest;
use crate::stop::Failure;

use super::bounds::{Bounds, Place};

/// Which topics are read.
#[derive(Debug)]
pub(in crate::tools::console_consumer) enum Topics {
    Named(String),
    Pattern(Regex),
}

/// A partition, from one offset up to and without another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tools::console_consumer) struct Range {
    pub(in crate::tools::console_consumer) at: TopicPartition,
    /// The partition's own first offset.
    pub(in crate::tools::console_consumer) beginning: i64,
    pub(in crate::tools::console_consumer) start: i64,
    /// None where reading goes on.
    pub(in crate::tools::console_consumer) end: Option<i64>,
}

/// What is asked for.
#[derive(Debug)]
pub(in crate::tools::console_consumer) struct Wanted<'a> {
    pub(in crate::tools::console_consumer) topics: &'a Topics,
    pub(in crate::tools::console_consumer) partition: Option<i32>,
    /// Only the partition that this key belongs to.
    pub(in crate::tools::console_consumer) key: Option<&'a [u8]>,
    pub(in crate::tools::console_consumer) bounds: &'a Bounds,
}

/// Finds the ranges of all partitions that are meant, also of those that have nothing to read.
pub(in crate::tools::console_consumer) async fn look_up(
    wanted: &Wanted<'_>,
    consumer: &Consumer,
) -> Result<Vec<Range>, Failure> {
    let partitions = partitions(wanted, consumer).await?;
    // A leader that cannot be reached is tried by one after the other: who fails first ends both.
    let (beginnings, ends) = tokio::try_join!(
        consumer.beginning_offsets(&partitions),
        consumer.end_offsets(&partitions),
    )
    .map_err(failed)?;
    let beginnings: BTreeMap<_, _> = beginnings.into_iter().collect();
    let ends: BTreeMap<_, _> = ends.into_iter().collect();
    let from = times(&wanted.bounds.from, consumer, &partitions).await?;
    let to = match &wanted.bounds.to {
        Some(to) => times(to, consumer, &partitions).await?,
        None => BTreeMap::new(),
    };
    let range = |at: TopicPartition| {
        let beginning = beginnings.get(&at).copied().unwrap_or(0);
        let own_end = ends.get(&at).copied().unwrap_or(beginning).max(beginning);
        let offset = |place: &Place, found: &BTreeMap<_, _>| {
            let offset = match place {
                Place::Beginning => beginning,
                Place::End => own_end,
                Place::At(_) => found.get(&at).copied().unwrap_or(own_end),
                Place::Offset(offset) => *offset,
                Place::Offsets(offsets) => offset_of(at.partition, offsets)?,
            };
            Some(offset.clamp(beginning, own_end))
        };
        let start = offset(&wanted.bounds.from, &from)?;
        let end = match &wanted.bounds.to {
            Some(place) => Some(offset(place, &to)?),
            None => None,
        };
        Some(Range {
            at: at.clone(),
            beginning,
            start,
            end,
        })
    };
    Ok(partitions.into_iter().filter_map(range).collect())
}

/// Where a place is a time: the offsets of the first records at or after it. Partitions without one are left out.
async fn times(
    place: &Place,
    consumer: &Consumer,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let Place::At(time) = place else {
        return Ok(BTreeMap::new());
    };
    let asked: Vec<_> = partitions.iter().map(|at| (at.clone(), *time)).collect();
    let found = consumer.offsets_for_times(&asked).await.map_err(failed)?;
    let offsets = found
        .into_iter()
        .filter_map(|(at, listed)| Some((at, listed?.offset?)));
    Ok(offsets.collect())
}

fn offset_of(partition: i32, offsets: &[(i32, i64)]) -> Option<i64> {
    let mut offsets = offsets.iter();
    let (_, offset) = offsets.find(|(index, _)| *index == partition)?;
    Some(*offset)
}

async fn partitions(
    wanted: &Wanted<'_>,
    consumer: &Consumer,
) -> Result<Vec<TopicPartition>, Failure> {
    let admin = Admin::over(consumer.cluster().clone());
    let names = match wanted.topics {
        Topics::Named(name) => vec![name.clone()],
        Topics::Pattern(pattern) => {
            let all = admin.list_topics().await.map_err(failed)?;
            let fitting = all
                .into_iter()
                .filter(|topic| pattern.is_match(&topic.name));
            fitting.map(|topic| topic.name).collect()
        }
    };
    if names.is_empty() {
        return Err(Failure::new("No topic has such a name."));
    }
    let described = admin.describe_topics(&names, PARTITIONS_PER_REQUEST).await;
    let mut partitions = Vec::new();
    let mut most = (0, String::new());
    for (name, outcome) in described.map_err(failed)? {
        let topic = match outcome {
            Ok(topic) => topic,
            Err(error) => {
                let failure = Failure::new(format!("Topic {name}: {error}."));
                let nearest = nearest::topic(&name, &admin).await;
                return Err(nearest.into_iter().fold(failure, Failure::hint));
            }
        };
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if count > most.0 {
            most = (count, name.clone());
        }
        let only = wanted.key.map(|key| partition_for_key(key, count));
        let only = wanted.partition.or(only);
        if only.is_some_and(|only| !(0..count).contains(&only)) {
            let text = format!("Topic {name} has {count} partitions, the first of them 0.");
            return Err(Failure::new(text));
        }
        let all = (0..count).filter(|index| only.is_none_or(|only| only == *index));
        partitions.extend(all.map(|index| TopicPartition::new(&*name, index)));
    }
    let (count, name) = most;
    match wanted.bounds.partitions().find(|index| *index >= count) {
        None => Ok(partitions),
        Some(missing) => Err(Failure::new(format!(
            "There is no partition {missing}: topic {name} has {count}, the first of them 0."
        ))),
    }
}

fn failed(error: impl ToString) -> Failure {
    Failure::new(format!("{}.", capitalized(error)))
}

/// The ranges that are still being read.
#[derive(Debug)]
pub(in crate::tools::console_consumer) struct Ranges {
    /// With their ends.
    open: BTreeMap<TopicPartition, Option<i64>>,
}

impl Ranges {
    /// Begins to read them; those in which nothing is are left out.
    pub(in crate::tools::console_consumer) fn begin(
        ranges: &[Range],
        consumer: &mut Consumer,
    ) -> Result<Self, ConsumerError> {
        let is_open = |range: &&Range| range.end.is_none_or(|end| range.start < end);
        let open: Vec<&Range> = ranges.iter().filter(is_open).collect();
        consumer.assign(open.iter().map(|range| range.at.clone()))?;
        for range in &open {
            consumer.seek(&range.at, range.start)?;
        }
        let open = open.into_iter().map(|range| (range.at.clone(), range.end));
        Ok(Self {
            open: open.collect(),
        })
    }

    /// Whether everything is read.
    pub(in crate::tools::console_consumer) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether some range has an end.
    pub(in crate::tools::console_consumer) fn has_ends(&self) -> bool {
        self.open.values().any(Option::is_some)
    }

    /// Takes out what lies behind the ends.
    pub(in crate::tools::console_consumer) fn cut(&self, records: &mut Vec<ConsumerRecord>) {
        if !self.has_ends() {
            return;
        }
        // Records of a partition come one after the other.
        let mut last: Option<(Arc<str>, i32, i64)> = None;
        records.retain(|record| {
            let end = match &last {
                Some((topic, partition, end))
                    if *partition == record.partition && *topic == record.topic =>
                {
                    *end
                }
                _ => {
                    let at = TopicPartition::new(&*record.topic, record.partition);
                    let end = self.open.get(&at).copied().flatten().unwrap_or(i64::MAX);
                    last = Some((record.topic.clone(), record.partition, end));
                    end
                }
            };
            record.offset < end
        });
    }

    /// Gives up the partitions that have reached their ends.
    pub(in crate::tools::console_consumer) fn close_read(
        &mut self,
        consumer: &mut Consumer,
    ) -> Result<(), ConsumerError> {
        let before = self.open.len();
        self.open.retain(|at, end| {
            let position = consumer.position(at).ok().flatten();
            end.zip(position)
                .is_none_or(|(end, position)| position < end)
        });
        if self.open.len() < before {
            consumer.assign(self.open.keys().cloned())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::TimestampType;

    use super::*;

    fn record(topic: &str, partition: i32, offset: i64) -> ConsumerRecord {
        ConsumerRecord {
            topic: topic.into(),
            partition,
            offset,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn records_behind_the_end_of_their_partition_are_taken_out() {
        let at = |partition| TopicPartition::new("t", partition);
        let ranges = Ranges {
            open: [(at(0), Some(2)), (at(1), None)].into_iter().collect(),
        };
        let mut records: Vec<_> = [(0, 1), (0, 2), (1, 7), (1, 8), (0, 0), (0, 5)]
            .map(|(partition, offset)| record("t", partition, offset))
            .into();
        ranges.cut(&mut records);
        let left: Vec<_> = records.iter().map(|r| (r.partition, r.offset)).collect();
        assert_eq!(left, [(0, 1), (1, 7), (1, 8), (0, 0)]);
    }
}
