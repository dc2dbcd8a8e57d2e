//! A log in memory for the hosts under test, and a generator of numbers from a seed.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::state::{Hard, StoredGroup};
use ottla_coordination::group::topics::Topics;
use ottla_coordination::group::{
    Command, ConsumerHeartbeat, GroupMachine, GroupRecord, Settings, TransactionRecord,
};
use ottla_coordination::txn::coordinator::Outcome;
use ottla_coordination::{Host, Loading, Log, Machine};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ConsumerGroupHeartbeatRequest;
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionRecord, TopicRecord};
use ottla_protocol::types::{Millis, Offset, ProducerId};
use ottla_protocol::wire::Uuid;

/// Keeps what was appended; refuses the next append when told to.
#[derive(Debug)]
pub(crate) struct MemoryLog<R> {
    pub(crate) records: Vec<R>,
    pub(crate) refuse_next: Option<ErrorCode>,
}

impl<R> Default for MemoryLog<R> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            refuse_next: None,
        }
    }
}

impl<R> MemoryLog<R> {
    pub(crate) fn end(&self) -> Offset {
        Offset(i64::try_from(self.records.len()).expect("a short log"))
    }

    /// What a power cut leaves: what is committed.
    pub(crate) fn lose_uncommitted(&mut self, committed_end: Offset) {
        let committed = usize::try_from(committed_end.0).expect("fits");
        self.records.truncate(committed);
        self.refuse_next = None;
    }
}

impl<R: Clone> Log<R> for MemoryLog<R> {
    fn append(&mut self, _: Millis, records: &[R]) -> Result<Offset, ErrorCode> {
        if let Some(error) = self.refuse_next.take() {
            return Err(error);
        }
        let base = self.end();
        self.records.extend_from_slice(records);
        Ok(base)
    }
}

/// Replays a log, all of it committed, and puts the machine in service.
pub(crate) fn load<M: Machine>(machine: M, now: Millis, log: &mut MemoryLog<M::Record>) -> Host<M> {
    let mut loading = Loading::new(machine);
    for (offset, record) in (0..).zip(&log.records) {
        loading.load(Offset(offset), record);
    }
    let end = log.end();
    loading.finish(now, end, end, log)
}

/// SplitMix64: the same numbers for the same seed, everywhere.
#[derive(Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("fits")
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            return None;
        }
        items.get(self.below(items.len()))
    }
}

/// A cluster with these topics: name, id, number of partitions.
pub(crate) fn topics<'a>(list: impl IntoIterator<Item = (&'a str, Uuid, usize)>) -> Topics {
    let mut image = MetadataImage::default();
    for (name, topic_id, count) in list {
        let topic = TopicRecord {
            name: name.into(),
            topic_id,
            ..Default::default()
        };
        image.apply(image.end(), &MetadataRecord::Topic(topic));
        for index in 0..count {
            let partition = PartitionRecord {
                topic_id,
                partition_id: i32::try_from(index).expect("not so many partitions"),
                ..Default::default()
            };
            image.apply(image.end(), &MetadataRecord::Partition(partition));
        }
    }
    Topics::new(image)
}

/// How many seeds a random run takes: `OTTLA_SEEDS=5000` for a long one.
pub(crate) fn seeds_wanted(usually: u64) -> u64 {
    let wanted = std::env::var("OTTLA_SEEDS");
    wanted.map_or(usually, |wanted| wanted.parse().expect("a number"))
}

/// Replaying the log must give the hard state.
pub(crate) fn check_replay(settings: &Settings, log: &[GroupRecord], hard: &Hard) {
    let records = (0..).map(Offset).zip(log.iter().cloned());
    assert_eq!(replayed(settings, records).hard(), hard);
}

/// And so must what compaction leaves of it. A group that only had offsets is no more when it has none left, where it
/// would have lived on until the next look for such groups.
pub(crate) fn check_compacted(settings: &Settings, log: &[GroupRecord], hard: &Hard) {
    let machine = replayed(settings, compacted(log));
    let groups = |hard: &Hard| -> Vec<(String, StoredGroup)> {
        let is_there = |(id, group): &(&str, &StoredGroup)| {
            **group != StoredGroup::default() || hard.offsets(id).is_some()
        };
        let there = hard.groups().filter(is_there);
        there
            .map(|(id, group)| (id.to_owned(), group.clone()))
            .collect()
    };
    assert_eq!(groups(machine.hard()), groups(hard), "after compaction");
    assert!(
        machine.hard().consumer_groups().eq(hard.consumer_groups()),
        "after compaction"
    );
    assert!(
        machine.hard().all_offsets().eq(hard.all_offsets()),
        "after compaction"
    );
}

/// The last record of each key, and of tombstones nothing; what aborted transactions have sent is gone. From where the
/// first open transaction begins, all is as it was. Markers stay.
fn compacted(log: &[GroupRecord]) -> BTreeMap<Offset, GroupRecord> {
    let outcome = |at: usize| match &log[at] {
        GroupRecord::Transaction(TransactionRecord::Offset { producer_id, .. }) => {
            end_after(log, at, *producer_id)
        }
        _ => Some(Outcome::Commit),
    };
    let stable = (0..log.len()).find(|at| outcome(*at).is_none());
    let (clean, rest) = log.split_at(stable.unwrap_or(log.len()));
    let mut last: BTreeMap<Bytes, (usize, &GroupRecord)> = BTreeMap::new();
    let mut left = BTreeMap::new();
    for (at, record) in clean.iter().enumerate() {
        if let GroupRecord::Transaction(TransactionRecord::End(_)) = record {
            left.insert(at, record);
        } else if outcome(at) == Some(Outcome::Commit) {
            let (key, value) = record.encode();
            match value {
                Some(_) => last.insert(key, (at, record)),
                None => last.remove(&key),
            };
        }
    }
    left.extend(last.into_values());
    left.extend((clean.len()..).zip(rest));
    let offset = |at| Offset(i64::try_from(at).expect("a short log"));
    left.into_iter()
        .map(|(at, record)| (offset(at), record.clone()))
        .collect()
}

/// How the producer's transaction ended that the record at this place is of; none while it is open.
pub(crate) fn end_after(log: &[GroupRecord], at: usize, producer: ProducerId) -> Option<Outcome> {
    log[at..].iter().find_map(|record| match record {
        GroupRecord::Transaction(TransactionRecord::End(end)) if end.producer_id == producer => {
            Some(end.outcome)
        }
        _ => None,
    })
}

fn replayed(
    settings: &Settings,
    records: impl IntoIterator<Item = (Offset, GroupRecord)>,
) -> GroupMachine {
    let mut machine = GroupMachine::new(settings.clone());
    for (offset, record) in records {
        machine.apply(offset, &record);
    }
    machine
}

/// A heartbeat of the consumer protocol, as from a client of these tests.
pub(crate) fn consumer_heartbeat(request: ConsumerGroupHeartbeatRequest) -> Command {
    Command::ConsumerGroupHeartbeat(ConsumerHeartbeat {
        request,
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        candidate_member_id: None,
    })
}
