//! Transactions that hang: open in a partition for longer than any transaction may take, with no coordinator that will
//! end them. Readers of committed records cannot get past them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ottla_client::admin::{
    Admin, PARTITIONS_PER_REQUEST, ProducerState, TopicPartition, TransactionDescription,
    TransactionFilter,
};
use ottla_protocol::types::BrokerId;

use super::{about, ask};
use crate::connect::{failed, refused};
use crate::java_order;
use crate::nearest;
use crate::stop::Failure;

/// How many partitions are asked for producers at once, as in the reference.
const BATCH: usize = 500;

/// What is searched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) broker: Option<BrokerId>,
    pub(super) topic: Option<String>,
    /// Of the topic.
    pub(super) partition: Option<i32>,
    pub(super) longer_than_ms: i64,
}

/// A transaction that is open in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) at: TopicPartition,
    pub(super) state: ProducerState,
}

impl Search {
    pub(super) fn first_call(&self) -> &'static str {
        match (&self.topic, self.partition, self.broker) {
            (Some(_), Some(_), Some(_)) => "describeProducers(api=DESCRIBE_PRODUCERS)",
            (Some(_), Some(_), None) => "describeProducers(api=METADATA)",
            (Some(_), None, _) => "listNodes",
            (None, ..) => "listTopics",
        }
    }

    /// What fails where the first call does.
    pub(super) fn failed(&self) -> String {
        match (&self.topic, self.partition) {
            (Some(_), Some(_)) => self.failed_to_describe(1),
            (Some(_), None) => "Failed to describe 1 topics".to_owned(),
            (None, _) => "Failed to list topics".to_owned(),
        }
    }

    fn failed_to_describe(&self, partitions: usize) -> String {
        let broker = match self.broker {
            Some(broker) => format!("Optional[{broker}]"),
            None => "Optional.empty".to_owned(),
        };
        format!("Failed to describe producers for {partitions} partitions on broker {broker}")
    }
}

pub(super) async fn find(admin: &Admin, search: &Search) -> Result<Vec<Open>, Failure> {
    let partitions = partitions(admin, search).await?;
    let mut candidates = Vec::new();
    for batch in partitions.chunks(BATCH) {
        let described = ask::all_producers(admin, batch, search.broker).await;
        let described =
            described.map_err(|failure| about(&search.failed_to_describe(batch.len()), failure))?;
        let now_ms = Timestamp::now().as_millisecond();
        candidates.extend(open_for_long(described, now_ms, search.longer_than_ms));
    }
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let producer_ids: BTreeSet<i64> = candidates.iter().map(producer_of).collect();
    let ids = transactional_ids(admin, &producer_ids).await?;
    let mut descriptions = BTreeMap::new();
    for (producer_id, id) in &ids {
        let described = ask::look_up(admin, id).await;
        let described = described.map_err(|failure| {
            about(
                &format!("Failed to describe {} transactions", ids.len()),
                failure,
            )
        })?;
        descriptions.extend(described.map(|described| (*producer_id, described)));
    }
    Ok(those_that_hang(candidates, &descriptions))
}

async fn partitions(admin: &Admin, search: &Search) -> Result<Vec<TopicPartition>, Failure> {
    let topics = match (&search.topic, search.partition) {
        (Some(topic), Some(partition)) => return Ok(vec![TopicPartition::new(topic, partition)]),
        (Some(topic), None) => vec![topic.clone()],
        (None, _) => {
            let listed = admin.list_topics().await.map_err(failed("listTopics"));
            let listed = listed.map_err(|failure| about("Failed to list topics", failure))?;
            listed.into_iter().map(|topic| topic.name).collect()
        }
    };
    let what = format!("Failed to describe {} topics", topics.len());
    let described = admin.describe_topics(&topics, PARTITIONS_PER_REQUEST).await;
    let described = described.map_err(failed("listNodes"));
    let mut partitions = Vec::new();
    for (name, topic) in described.map_err(|failure| about(&what, failure))? {
        let topic = match topic {
            Ok(topic) => topic,
            Err(error) => {
                let hint = nearest::topic(&name, admin).await;
                let failure = about(&what, refused(error));
                return Err(hint.into_iter().fold(failure, Failure::hint));
            }
        };
        let searched = topic.partitions.iter().filter(|partition| {
            search
                .broker
                .is_none_or(|broker| partition.replicas.contains(&broker))
        });
        partitions.extend(searched.map(|one| TopicPartition::new(&name, one.index)));
    }
    Ok(partitions)
}

/// In the reference's order.
fn open_for_long(
    mut described: Vec<(TopicPartition, Vec<ProducerState>)>,
    now_ms: i64,
    longer_than_ms: i64,
) -> Vec<Open> {
    let count = described.len();
    java_order::sort_by_hash(&mut described, Some(count), |(at, _)| {
        java_order::hash_of(at)
    });
    let mut open = Vec::new();
    for (at, states) in described {
        let long = states.into_iter().filter(|state| {
            let lasts_ms = now_ms.saturating_sub(state.last_timestamp_ms);
            state.open_since.is_some() && lasts_ms > longer_than_ms
        });
        let at = || at.clone();
        open.extend(long.map(|state| Open { at: at(), state }));
    }
    open
}

/// Whose transactions these producers write, as far as any coordinator knows.
async fn transactional_ids(
    admin: &Admin,
    producer_ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, String>, Failure> {
    let filter = TransactionFilter {
        producer_ids: producer_ids.iter().copied().collect(),
        ..Default::default()
    };
    let what = format!(
        "Failed to list transactions for {} producers",
        producer_ids.len()
    );
    let listed = ask::list(admin, &filter).await;
    let listed = listed.map_err(|failure| about(&what, failure))?.into_iter();
    let known = listed.filter(|(_, listing)| producer_ids.contains(&listing.producer_id));
    Ok(known
        .map(|(_, listing)| (listing.producer_id, listing.id))
        .collect())
}

/// What is in a transaction that a coordinator knows of will get its marker. Ordered by producer, as in the reference.
fn those_that_hang(
    candidates: Vec<Open>,
    descriptions: &BTreeMap<i64, TransactionDescription>,
) -> Vec<Open> {
    let will_end = |open: &Open| {
        let transaction = descriptions.get(&producer_of(open));
        transaction.is_some_and(|transaction| transaction.partitions.contains(&open.at))
    };
    let mut producers: Vec<i64> = Vec::new();
    for producer_id in candidates.iter().map(producer_of) {
        if !producers.contains(&producer_id) {
            producers.push(producer_id);
        }
    }
    java_order::sort_by_hash(&mut producers, None, |id| hash_of_long(*id));
    let mut hanging = Vec::new();
    for producer_id in producers {
        let own = candidates
            .iter()
            .filter(|open| producer_of(open) == producer_id);
        hanging.extend(own.filter(|open| !will_end(open)).cloned());
    }
    hanging
}

fn producer_of(open: &Open) -> i64 {
    open.state.producer_id
}

/// `Long.hashCode`.
fn hash_of_long(number: i64) -> u32 {
    let number = number.cast_unsigned();
    #[expect(clippy::cast_possible_truncation, reason = "as Java does it")]
    let hash = (number ^ (number >> 32)) as u32;
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(producer_id: i64, open_since: Option<i64>, last_timestamp_ms: i64) -> ProducerState {
        ProducerState {
            producer_id,
            producer_epoch: 0,
            last_sequence: 0,
            last_timestamp_ms,
            coordinator_epoch: None,
            open_since,
        }
    }

    fn open(producer_id: i64, partition: i32) -> Open {
        Open {
            at: TopicPartition::new("t", partition),
            state: state(producer_id, Some(5), 0),
        }
    }

    #[test]
    fn only_what_is_open_for_longer_than_it_may_is_a_candidate() {
        let at = TopicPartition::new("t", 0);
        let states = vec![
            state(1, None, 0),
            state(2, Some(5), 900),
            state(3, Some(7), 899),
        ];
        let found = open_for_long(vec![(at, states)], 1_000, 100);
        let ids: Vec<i64> = found.iter().map(producer_of).collect();
        assert_eq!(ids, [3]);
    }

    #[test]
    fn what_its_coordinator_will_end_does_not_hang() {
        let transaction = TransactionDescription {
            id: "known".to_owned(),
            coordinator: BrokerId(1),
            producer_id: 1,
            producer_epoch: 0,
            state: "Ongoing".to_owned(),
            timeout_ms: 1,
            started_at_ms: Some(0),
            partitions: vec![TopicPartition::new("t", 0)],
        };
        let candidates = vec![open(1, 0), open(1, 1), open(2, 0)];
        let hanging = those_that_hang(candidates, &BTreeMap::from([(1, transaction)]));
        assert_eq!(hanging, [open(1, 1), open(2, 0)]);
    }

    #[test]
    fn a_partition_hashes_as_in_java() {
        // new TopicPartition("tx", 0) and ("tx", 1): 31 * (31 + partition) + "tx".hashCode().
        let topic = u32::from(b't') * 31 + u32::from(b'x');
        assert_eq!(
            java_order::hash_of(&TopicPartition::new("tx", 0)),
            31 * 31 + topic
        );
        assert_eq!(
            java_order::hash_of(&TopicPartition::new("tx", 1)),
            31 * 32 + topic
        );
        assert_eq!(hash_of_long(1 << 32), 1);
    }
}
