//! A transactional producer one request at a time, in either protocol, for tests that choose every moment: nothing is retried, and
//! something can happen while a request is on its way.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::add_partitions_to_txn::request::AddPartitionsToTxnTopic;
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::txn_offset_commit::request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest,
    InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, Request, TxnOffsetCommitRequest,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use crate::requests::produce;
use crate::server::Server;
use crate::wait;
use crate::wire::Wire;

pub(crate) const GROUP: &str = "group";
const A_GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const TIMEOUT_MS: i32 = 60_000;

/// The protocol of transactions that a producer speaks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Protocol {
    /// Partitions are added first, and the epoch stays.
    Old,
    /// A produced batch adds its partition, and each end begins an epoch (KIP-890).
    New,
}

impl Protocol {
    fn pick<T>(self, old: T, new: T) -> T {
        match self {
            Protocol::Old => old,
            Protocol::New => new,
        }
    }
}

/// As whom a producer asks for an epoch.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Claim {
    /// As somebody who takes the place of whoever was there.
    Anew,
    /// As who it is, to go on after an error (KIP-360).
    Again,
}

/// What makes a transaction, in the order in which producers do it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Step {
    Init(Claim),
    /// Only in the old protocol.
    Add,
    /// A record to a partition.
    Send(i32),
    /// Only in the old protocol.
    AddOffsets,
    /// The number of the transaction is the offset that it commits.
    SendOffset,
    End {
        commits: bool,
    },
}

/// Writes a record to each partition of the topic and commits an offset of the first one.
pub(crate) struct Transactional {
    pub(crate) protocol: Protocol,
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) timeout_ms: i32,
    transactional_id: String,
    topic: String,
    partitions: Range<i32>,
    /// Of each partition, in this epoch.
    sequences: BTreeMap<i32, i32>,
}

/// Finds the coordinators, which makes the topics of their state.
pub(crate) fn find_coordinators(address: &str, transactional_id: &str) {
    for (key_type, key) in [(TRANSACTION, transactional_id), (A_GROUP, GROUP)] {
        let find = FindCoordinatorRequest {
            key_type,
            coordinator_keys: vec![key.into()],
            ..Default::default()
        };
        wait::until("there is a coordinator", || {
            let found = Wire::connect(address).unwrap().call(&find, 4).unwrap();
            found.coordinators[0].error_code == 0
        });
    }
}

impl Transactional {
    pub(crate) fn new(
        transactional_id: &str,
        topic: &str,
        partitions: Range<i32>,
        protocol: Protocol,
    ) -> Self {
        Transactional {
            protocol,
            id: -1,
            epoch: -1,
            timeout_ms: TIMEOUT_MS,
            transactional_id: transactional_id.to_owned(),
            topic: topic.to_owned(),
            partitions,
            sequences: BTreeMap::new(),
        }
    }

    /// From the first to the last.
    pub(crate) fn steps(&self, commits: bool) -> Vec<Step> {
        let is_old = self.protocol == Protocol::Old;
        let add = is_old.then_some(Step::Add);
        let add_offsets = is_old.then_some(Step::AddOffsets);
        let sends = self.partitions.clone().map(Step::Send);
        let ends = [Step::SendOffset, Step::End { commits }];
        let steps = add.into_iter().chain(sends).chain(add_offsets);
        steps.chain(ends).collect()
    }

    /// Takes a step of the transaction with this number. `asked` is called once the request is on its way; where the
    /// connection ends then, nothing is known of the outcome.
    pub(crate) fn take(
        &mut self,
        step: Step,
        number: i64,
        wire: &mut Wire,
        asked: impl FnOnce(),
    ) -> io::Result<ErrorCode> {
        match step {
            Step::Init(claim) => self.init(wire, claim, asked),
            Step::Add => self.add(wire, asked),
            Step::Send(partition) => self.send(wire, partition, number, asked),
            Step::AddOffsets => self.add_offsets(wire, asked),
            Step::SendOffset => self.send_offset(wire, number, asked),
            Step::End { commits } => self.end(wire, commits, asked),
        }
    }

    fn init(
        &mut self,
        wire: &mut Wire,
        claim: Claim,
        asked: impl FnOnce(),
    ) -> io::Result<ErrorCode> {
        let (producer_id, producer_epoch) = match claim {
            Claim::Anew => (-1, -1),
            Claim::Again => (self.id, self.epoch),
        };
        let request = InitProducerIdRequest {
            transactional_id: Some(self.transactional_id.as_str().into()),
            transaction_timeout_ms: self.timeout_ms,
            producer_id,
            producer_epoch,
            ..Default::default()
        };
        let given = ask(wire, &request, 5, asked)?;
        if given.error_code == 0 {
            self.is_now(given.producer_id, given.producer_epoch);
        }
        Ok(ErrorCode::from_code(given.error_code))
    }

    fn is_now(&mut self, id: i64, epoch: i16) {
        (self.id, self.epoch) = (id, epoch);
        self.sequences.clear();
    }

    fn add(&self, wire: &mut Wire, asked: impl FnOnce()) -> io::Result<ErrorCode> {
        let topic = AddPartitionsToTxnTopic {
            name: self.topic.as_str().into(),
            partitions: self.partitions.clone().collect(),
            ..Default::default()
        };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.transactional_id.as_str().into(),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        let response = ask(wire, &request, 3, asked)?;
        let topic = &response.results_by_topic_v3_and_below[0];
        let code = topic.results_by_partition[0].partition_error_code;
        Ok(ErrorCode::from_code(code))
    }

    fn send(
        &mut self,
        wire: &mut Wire,
        partition: i32,
        number: i64,
        asked: impl FnOnce(),
    ) -> io::Result<ErrorCode> {
        let sequence = self.sequences.entry(partition).or_default();
        let (id, epoch) = (ProducerId(self.id), ProducerEpoch(self.epoch));
        let mut batch = BatchBuilder::new(Compression::None)
            .producer(id, epoch, *sequence)
            .transactional(true);
        batch
            .append(
                Millis(1_700_000_000_000),
                None,
                Some(number.to_string().as_bytes()),
                &[],
            )
            .unwrap();
        let request = ProduceRequest {
            transactional_id: Some(self.transactional_id.as_str().into()),
            ..produce(&self.topic, partition, -1, batch.build().unwrap())
        };
        let response = ask(wire, &request, self.protocol.pick(11, 12), asked)?;
        let error = response.responses[0].partition_responses[0].error_code;
        *sequence += i32::from(error == 0);
        Ok(ErrorCode::from_code(error))
    }

    fn add_offsets(&self, wire: &mut Wire, asked: impl FnOnce()) -> io::Result<ErrorCode> {
        let request = AddOffsetsToTxnRequest {
            transactional_id: self.transactional_id.as_str().into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            group_id: GROUP.into(),
            ..Default::default()
        };
        let response = ask(wire, &request, 4, asked)?;
        Ok(ErrorCode::from_code(response.error_code))
    }

    fn send_offset(
        &self,
        wire: &mut Wire,
        offset: i64,
        asked: impl FnOnce(),
    ) -> io::Result<ErrorCode> {
        let partition = TxnOffsetCommitRequestPartition {
            partition_index: self.partitions.start,
            committed_offset: offset,
            ..Default::default()
        };
        let request = TxnOffsetCommitRequest {
            transactional_id: self.transactional_id.as_str().into(),
            group_id: GROUP.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            topics: vec![TxnOffsetCommitRequestTopic {
                name: self.topic.as_str().into(),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = ask(wire, &request, self.protocol.pick(4, 5), asked)?;
        let code = response.topics[0].partitions[0].error_code;
        Ok(ErrorCode::from_code(code))
    }

    fn end(
        &mut self,
        wire: &mut Wire,
        commits: bool,
        asked: impl FnOnce(),
    ) -> io::Result<ErrorCode> {
        let request = EndTxnRequest {
            transactional_id: self.transactional_id.as_str().into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: commits,
            ..Default::default()
        };
        let response = ask(wire, &request, self.protocol.pick(4, 5), asked)?;
        if response.error_code == 0 && self.protocol == Protocol::New {
            self.is_now(response.producer_id, response.producer_epoch);
        }
        Ok(ErrorCode::from_code(response.error_code))
    }
}

fn ask<R: Request>(
    wire: &mut Wire,
    request: &R,
    version: i16,
    asked: impl FnOnce(),
) -> io::Result<R::Response> {
    wire.send(request, version)?;
    asked();
    wire.receive::<R>(version)
}

/// The offset that the group has committed, once no transaction can change it any more.
pub(crate) fn committed_offset(address: &str, topic: &str) -> i64 {
    let group = OffsetFetchRequestGroup {
        group_id: GROUP.into(),
        topics: Some(vec![OffsetFetchRequestTopics {
            name: topic.into(),
            partition_indexes: vec![0],
            ..Default::default()
        }]),
        ..Default::default()
    };
    let request = OffsetFetchRequest {
        groups: vec![group],
        require_stable: true,
        ..Default::default()
    };
    wait::some("a stable offset", || {
        let response = Wire::connect(address).ok()?.call(&request, 9).ok()?;
        let group = &response.groups[0];
        let partition = group.topics.first().map(|topic| &topic.partitions[0])?;
        let is_there = group.error_code == 0 && partition.error_code == 0;
        is_there.then_some(partition.committed_offset)
    })
}

/// Each partition has a record of each of these transactions, and nothing else that was committed.
pub(crate) fn assert_committed(
    server: &Server,
    topic: &str,
    partitions: Range<i32>,
    numbers: &[i64],
) {
    let expected: Vec<String> = numbers.iter().map(i64::to_string).collect();
    for partition in partitions {
        let read = server.try_tool(
            &format!(
                "console-consumer --topic {topic} --partition {partition} --offset earliest \
                 --isolation-level read_committed --timeout-ms 1000"
            ),
            "",
        );
        let text = String::from_utf8(read.stdout).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
