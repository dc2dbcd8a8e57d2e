//! What transactional clients did and what readers saw, and whether the one can be the outcome of the other.
//!
//! Every record of a history has a name of its own, also where it was sent for the second time: a record that is seen is
//! of one transaction. A transaction took ranges of the input's partitions, sent records, and was to commit where the
//! input goes on, all together. Offsets that are committed without transactions are there as well. `check` is a function
//! of the history alone.

use std::collections::{BTreeMap, BTreeSet};

pub(super) type Topic = &'static str;
pub(super) type Partition = i32;

/// How a transaction ended, as far as its producer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Committed,
    Aborted,
    /// The broker or the producer was gone: either, but not a part of it.
    Unknown,
}

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) producer: String,
    /// Where it was sent and under which name, in the order of sending.
    pub(super) sent: Vec<(Partition, String)>,
    pub(super) inputs: Vec<Input>,
    pub(super) ended: Ended,
}

/// What a transaction took of a partition of the input, and what it committed with its records: `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Input {
    pub(super) topic: Topic,
    pub(super) partition: Partition,
    pub(super) start: i64,
    pub(super) end: i64,
}

/// What one reader of committed records saw of one partition, in its order.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) reader: String,
    pub(super) partition: Partition,
    pub(super) seen: Vec<(i64, String)>,
}

/// What somebody did who commits the offset of one partition without transactions: ever larger ones.
#[derive(Clone, Debug)]
pub(super) struct Committing {
    pub(super) group: String,
    pub(super) events: Vec<Commit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    Asked(i64),
    Acknowledged(i64),
    /// What the group's offset was, between what stands before and behind this; 0 where there was none.
    Found(i64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Of each producer in the order in which it made them.
    pub(super) transactions: Vec<Transaction>,
    /// While things went on; each from the partition's beginning.
    pub(super) readings: Vec<Reading>,
    /// By partition, when everything had come to rest.
    pub(super) at_end: BTreeMap<Partition, Vec<(i64, String)>>,
    /// By partition of the input, when everything had come to rest.
    pub(super) committed: BTreeMap<(Topic, Partition), i64>,
    pub(super) committing: Vec<Committing>,
}

/// What cannot be, in the words of whoever has to find out why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Anomaly {
    /// A record of a committed transaction is not there.
    LostWrite(String),
    /// A record of an aborted transaction was seen.
    AbortedRead(String),
    /// A record was seen that nobody sent.
    DanglingRead(String),
    /// Some records of a transaction are there and others are not.
    Torn(String),
    /// A record is there twice.
    Duplicate(String),
    /// A record stands before one that its producer sent earlier.
    Reordered { first: String, then: String },
    /// A reader saw something that is not there, or not at that offset, or left out what is.
    Misread { reader: String, offset: i64 },
    /// Input was committed whose output is not there.
    OffsetsWithoutOutput(Input),
    /// Output is there, and its input was not committed.
    OutputWithoutOffsets(Input),
    /// Input was worked on by two transactions that both took effect.
    WorkedTwice(Input, Input),
    /// An offset that was acknowledged is not the group's any more, and nobody can have committed what is.
    CommitLost {
        group: String,
        acknowledged: i64,
        found: i64,
    },
}

pub(super) fn check(history: &History) -> Vec<Anomaly> {
    let mut found = BTreeSet::new();
    check_visible(history, &mut found);
    check_order(history, &mut found);
    for reading in &history.readings {
        check_reading(history, reading, &mut found);
    }
    check_offsets(history, &mut found);
    for committing in &history.committing {
        check_commits(committing, &mut found);
    }
    found.into_iter().collect()
}

impl History {
    fn visible(&self) -> impl Iterator<Item = &str> {
        let all = self.at_end.values().flatten();
        all.map(|(_, name)| name.as_str())
    }
}

/// Whether a transaction took effect: one whose end nobody was told of did if any of it is there.
fn has_effect(transaction: &Transaction, visible: &BTreeSet<&str>) -> bool {
    match transaction.ended {
        Ended::Committed => true,
        Ended::Aborted => false,
        Ended::Unknown => transaction
            .sent
            .iter()
            .any(|(_, name)| visible.contains(name.as_str())),
    }
}

fn check_visible(history: &History, found: &mut BTreeSet<Anomaly>) {
    let mut visible = BTreeSet::new();
    for name in history.visible() {
        if !visible.insert(name) {
            found.insert(Anomaly::Duplicate(name.to_owned()));
        }
    }
    let mut known = BTreeMap::new();
    for transaction in &history.transactions {
        for (_, name) in &transaction.sent {
            known.insert(name.as_str(), transaction.ended);
            let is_there = visible.contains(name.as_str());
            match transaction.ended {
                Ended::Committed if !is_there => {
                    found.insert(Anomaly::LostWrite(name.clone()));
                }
                Ended::Unknown if !is_there && has_effect(transaction, &visible) => {
                    found.insert(Anomaly::Torn(name.clone()));
                }
                _ => {}
            }
        }
    }
    let read = history.readings.iter().flat_map(|reading| &reading.seen);
    for name in history.visible().chain(read.map(|(_, name)| name.as_str())) {
        match known.get(name) {
            None => found.insert(Anomaly::DanglingRead(name.to_owned())),
            Some(Ended::Aborted) => found.insert(Anomaly::AbortedRead(name.to_owned())),
            Some(Ended::Committed | Ended::Unknown) => continue,
        };
    }
}

fn check_order(history: &History, found: &mut BTreeSet<Anomaly>) {
    let mut places: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for (n, transaction) in history.transactions.iter().enumerate() {
        for (m, (_, name)) in transaction.sent.iter().enumerate() {
            // No transaction has a thousand records.
            places.insert(name, (&transaction.producer, n * 1000 + m));
        }
    }
    for seen in history.at_end.values() {
        let mut last: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (_, name) in seen {
            let Some((producer, place)) = places.get(name.as_str()) else {
                continue;
            };
            if let Some((before, earlier)) = last.insert(producer, (*place, name))
                && before > *place
            {
                found.insert(Anomaly::Reordered {
                    first: earlier.to_owned(),
                    then: name.clone(),
                });
            }
        }
    }
}

/// What was read while things went on is how it begins that which is there at the end.
fn check_reading(history: &History, reading: &Reading, found: &mut BTreeSet<Anomaly>) {
    let nothing = Vec::new();
    let there = history.at_end.get(&reading.partition).unwrap_or(&nothing);
    for (n, seen) in reading.seen.iter().enumerate() {
        if there.get(n) != Some(seen) {
            found.insert(Anomaly::Misread {
                reader: reading.reader.clone(),
                offset: seen.0,
            });
            return;
        }
    }
}

/// The input that took effect is each partition's, from its beginning to what is committed, without holes.
fn check_offsets(history: &History, found: &mut BTreeSet<Anomaly>) {
    let visible: BTreeSet<&str> = history.visible().collect();
    let mut worked: BTreeMap<(Topic, Partition), Vec<Input>> = BTreeMap::new();
    for transaction in &history.transactions {
        if has_effect(transaction, &visible) {
            for input in &transaction.inputs {
                let of_partition = worked.entry((input.topic, input.partition)).or_default();
                of_partition.push(*input);
            }
        }
    }
    for at in history.committed.keys() {
        worked.entry(*at).or_default();
    }
    for ((topic, partition), mut inputs) in worked {
        inputs.sort_by_key(|input| input.start);
        let committed = history.committed.get(&(topic, partition));
        let committed = committed.copied().unwrap_or(0);
        let hole = |start, end| {
            Anomaly::OffsetsWithoutOutput(Input {
                topic,
                partition,
                start,
                end,
            })
        };
        let mut end = 0;
        let mut last = None;
        for input in inputs {
            if let Some(before) = last.filter(|_| input.start < end) {
                found.insert(Anomaly::WorkedTwice(before, input));
            } else if input.start > end {
                found.insert(hole(end, input.start));
            }
            if input.end > committed {
                found.insert(Anomaly::OutputWithoutOffsets(input));
            }
            end = end.max(input.end);
            last = Some(input);
        }
        if end < committed {
            found.insert(hole(end, committed));
        }
    }
}

/// The group's offset is what was acknowledged last, or what was asked for and may take effect late.
fn check_commits(committing: &Committing, found: &mut BTreeSet<Anomaly>) {
    let (mut acknowledged, mut open) = (0, BTreeSet::new());
    for event in &committing.events {
        match *event {
            Commit::Asked(offset) => {
                open.insert(offset);
            }
            Commit::Found(offset) if offset != acknowledged && !open.contains(&offset) => {
                found.insert(Anomaly::CommitLost {
                    group: committing.group.clone(),
                    acknowledged,
                    found: offset,
                });
            }
            Commit::Acknowledged(offset) | Commit::Found(offset) => {
                open.remove(&offset);
                acknowledged = offset;
            }
        }
    }
}
