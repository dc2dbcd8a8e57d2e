//! The broker is killed at every step of a transaction, before and after it has answered. The producer asks again with what
//! it had; in the end all that was committed is there once and in order, nothing of what was aborted, and nothing is open.

use std::io;

use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::add_partitions_to_txn::request::AddPartitionsToTxnTopic;
use ottla_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ProduceRequest,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use crate::requests::{create_topic, produce};
use crate::server::Server;
use crate::wait::until;
use crate::wire::Wire;

const TOPIC: &str = "txn";
const PARTITIONS: [i32; 2] = [0, 1];
const ID: &str = "mover";
const TRANSACTION: i8 = 1;

/// The protocol of transactions that a producer speaks.
#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    /// Partitions are added first, and the epoch stays.
    Old,
    /// A produced batch adds its partition, and each end begins an epoch (KIP-890).
    New,
}

/// When the broker dies, as seen by the producer.
#[derive(Clone, Copy, PartialEq)]
enum Kill {
    Never,
    /// With the request on its way.
    Asked,
    Answered,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    Init,
    Add,
    Send(i32),
    End,
}

struct Producer {
    server: Server,
    protocol: Protocol,
    id: i64,
    epoch: i16,
    /// Of each partition, in this epoch.
    sequences: [i32; 2],
    kill_at: (Step, Kill),
}

#[test]
fn killed_at_every_step_of_a_transaction_the_broker_tears_none() {
    check(Protocol::Old);
}

#[test]
fn killed_at_every_step_of_a_transaction_with_an_epoch_of_its_own_the_broker_tears_none() {
    check(Protocol::New);
}

fn check(protocol: Protocol) {
    let server = Server::start();
    create_topic(server.address(), TOPIC, 2);
    let mut producer = Producer {
        server,
        protocol,
        id: -1,
        epoch: -1,
        sequences: [0; 2],
        kill_at: (Step::Init, Kill::Never),
    };
    let mut committed = Vec::new();
    let mut count = 0;
    let mut transaction = |producer: &mut Producer, commits: bool| {
        count += 1;
        producer.transaction(count, commits);
        if commits {
            committed.push(count.to_string());
        }
    };
    producer.init();
    for step in [
        Step::Init,
        Step::Add,
        Step::Send(0),
        Step::Send(1),
        Step::End,
    ] {
        for when in [Kill::Asked, Kill::Answered] {
            for commits in [true, false] {
                producer.kill_at = (step, when);
                if step == Step::Init {
                    producer.init();
                }
                transaction(&mut producer, commits);
                producer.kill_at = (step, Kill::Never);
                transaction(&mut producer, true);
            }
        }
    }
    let server = producer.server;
    for partition in PARTITIONS {
        let read = server.try_tool(
            &format!(
                "console-consumer --topic {TOPIC} --partition {partition} --offset earliest \
                 --isolation-level read_committed --timeout-ms 1000"
            ),
            "",
        );
        let text = String::from_utf8(read.stdout).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), committed);
    }
}

impl Producer {
    fn init(&mut self) {
        let find = FindCoordinatorRequest {
            key_type: TRANSACTION,
            coordinator_keys: vec![ID.into()],
            ..Default::default()
        };
        let mut wire = Wire::connect(self.server.address()).unwrap();
        let found = wire.call(&find, 4).unwrap();
        assert_eq!(found.coordinators[0].error_code, 0);
        self.step(Step::Init, |this, wire| {
            let request = InitProducerIdRequest {
                transactional_id: Some(ID.into()),
                transaction_timeout_ms: 60_000,
                ..Default::default()
            };
            wire.send(&request, 5)?;
            this.after_asking(Step::Init);
            let given = wire.receive::<InitProducerIdRequest>(5)?;
            (this.id, this.epoch) = (given.producer_id, given.producer_epoch);
            this.sequences = [0; 2];
            Ok(given.error_code)
        });
    }

    fn transaction(&mut self, value: i32, commits: bool) {
        if self.protocol == Protocol::Old {
            self.step(Step::Add, Self::add);
        }
        for partition in PARTITIONS {
            self.step(Step::Send(partition), |this, wire| {
                this.send(wire, partition, value)
            });
        }
        self.step(Step::End, |this, wire| this.end(wire, commits));
    }

    /// Takes a step again and again until the broker has taken it, on a new connection each time.
    fn step(&mut self, step: Step, mut take: impl FnMut(&mut Self, &mut Wire) -> io::Result<i16>) {
        until("the step is taken", || {
            let taken =
                Wire::connect(self.server.address()).and_then(|mut wire| take(self, &mut wire));
            match taken.map(ErrorCode::from_code) {
                Ok(ErrorCode::None) => true,
                Ok(
                    ErrorCode::ConcurrentTransactions
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotEnoughReplicas,
                ) => false,
                Ok(error) => panic!("{step:?}: {error:?}"),
                Err(_) => {
                    assert!(
                        self.kill_at.1 == Kill::Never,
                        "{step:?}: a kill ends connections"
                    );
                    false
                }
            }
        });
        if self.kill_at == (step, Kill::Answered) {
            self.kill();
        }
    }

    fn after_asking(&mut self, step: Step) {
        if self.kill_at == (step, Kill::Asked) {
            self.kill();
        }
    }

    fn kill(&mut self) {
        self.kill_at.1 = Kill::Never;
        self.server.kill();
        self.server.restart();
    }

    fn add(&mut self, wire: &mut Wire) -> io::Result<i16> {
        let topic = AddPartitionsToTxnTopic {
            name: TOPIC.into(),
            partitions: PARTITIONS.to_vec(),
            ..Default::default()
        };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: ID.into(),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        wire.send(&request, 3)?;
        self.after_asking(Step::Add);
        let response = wire.receive::<AddPartitionsToTxnRequest>(3)?;
        let topic = &response.results_by_topic_v3_and_below[0];
        Ok(topic.results_by_partition[0].partition_error_code)
    }

    fn send(&mut self, wire: &mut Wire, partition: i32, value: i32) -> io::Result<i16> {
        let version = match self.protocol {
            Protocol::Old => 11,
            Protocol::New => 12,
        };
        let place = usize::try_from(partition).unwrap();
        let (id, epoch) = (ProducerId(self.id), ProducerEpoch(self.epoch));
        let mut batch = BatchBuilder::new(Compression::None)
            .producer(id, epoch, self.sequences[place])
            .transactional(true);
        let value = value.to_string();
        batch
            .append(Millis(1_700_000_000_000), None, Some(value.as_bytes()), &[])
            .unwrap();
        let request = ProduceRequest {
            transactional_id: Some(ID.into()),
            ..produce(TOPIC, partition, -1, batch.build().unwrap())
        };
        wire.send(&request, version)?;
        self.after_asking(Step::Send(partition));
        let response = wire.receive::<ProduceRequest>(version)?;
        let error = response.responses[0].partition_responses[0].error_code;
        self.sequences[place] += i32::from(error == 0);
        Ok(error)
    }

    fn end(&mut self, wire: &mut Wire, commits: bool) -> io::Result<i16> {
        let version = match self.protocol {
            Protocol::Old => 4,
            Protocol::New => 5,
        };
        let request = EndTxnRequest {
            transactional_id: ID.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: commits,
            ..Default::default()
        };
        wire.send(&request, version)?;
        self.after_asking(Step::End);
        let response = wire.receive::<EndTxnRequest>(version)?;
        if response.error_code == 0 && self.protocol == Protocol::New {
            (self.id, self.epoch) = (response.producer_id, response.producer_epoch);
            self.sequences = [0; 2];
        }
        Ok(response.error_code)
    }
}
