//! S-01, S-02, S-19: the broker is killed in the middle of acknowledged produce, or told to stop, again and again, sometimes
//! while it is still starting; segments are rolled meanwhile. What it acknowledged is there afterwards, at the offset that the acknowledgement named; what idempotent
//! producers sent again is there once. The moments are random: `OTTLA_SEED` repeats the choices, `OTTLA_KILLS` makes more.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_protocol::records::{BatchBuilder, batches_of};
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};
use ottla_protocol::wire::Records;

use crate::random::{Random, number};
use crate::requests::{FETCH, PRODUCE, create_topic, fetch, produce};
use crate::server::Server;
use crate::wait::until;
use crate::wire::Wire;

const TOPIC: &str = "crash";
const PARTITIONS: i32 = 4;
const KILLS: u64 = 10;
const BATCHES_BETWEEN_KILLS_MAX: u64 = 600;
/// Within a batch's way through the broker, and within a start.
const MOMENT_MAX_US: u64 = 5000;
const STOPPED_ONE_IN: u64 = 3;
const KILLED_IN_START_ONE_IN: u64 = 3;
/// The smallest segments, and values that fill one every 170 batches.
const SMALL_SEGMENTS: [&str; 2] = ["--override", "log.segment.bytes=1048576"];
/// Nothing waits for the disk, and three quarters of a segment have zeros written ahead of them.
const ZEROS_AHEAD: [&str; 4] = [
    "--override",
    "log.segment.bytes=4194304",
    "--override",
    "ottla.durability=memory",
];
const PADDING: usize = 2_000;
const RECORDS_PER_BATCH: i32 = 3;
const IN_FLIGHT_MAX: usize = 5;

/// What the producers and the story share.
struct Shared {
    address: Mutex<String>,
    acknowledged: AtomicUsize,
    done: AtomicBool,
}

#[test]
fn killed_or_stopped_in_the_middle_of_produce_the_broker_keeps_all_it_acknowledged_and_doubles_nothing()
 {
    tell_of_kills(&SMALL_SEGMENTS);
}

#[test]
fn killed_or_stopped_where_zeros_are_written_ahead_the_broker_keeps_all_it_acknowledged_and_doubles_nothing()
 {
    tell_of_kills(&ZEROS_AHEAD);
}

fn tell_of_kills(options: &[&str]) {
    let mut server = Server::with(options, &[]);
    create_topic(server.address(), TOPIC, PARTITIONS);
    let shared = Arc::new(Shared {
        address: Mutex::new(server.address().to_owned()),
        acknowledged: AtomicUsize::new(0),
        done: AtomicBool::new(false),
    });
    let producers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let shared = Arc::clone(&shared);
            // acks=1 and acks=all both promise to survive the death of the process.
            let acks = if partition % 2 == 0 { -1 } else { 1 };
            // Its id comes before the first kill may.
            let producer = Producer::new(&shared, partition, acks);
            thread::spawn(move || producer.run(&shared))
        })
        .collect();

    let wait_for = |batches: u64| {
        let goal = shared.acknowledged.load(SeqCst) + usize::try_from(batches).unwrap();
        until("more acknowledged batches", || {
            assert!(
                !producers.iter().any(JoinHandle::is_finished),
                "a producer gave up"
            );
            shared.acknowledged.load(SeqCst) >= goal
        });
    };
    let mut random = Random::from_environment();
    for _ in 0..number("OTTLA_KILLS").unwrap_or(KILLS) {
        wait_for(1 + random.below(BATCHES_BETWEEN_KILLS_MAX));
        random.pause_up_to_us(MOMENT_MAX_US);
        if random.below(STOPPED_ONE_IN) == 0 {
            server.terminate();
            assert!(server.wait().success());
        } else {
            server.kill();
        }
        if random.below(KILLED_IN_START_ONE_IN) == 0 {
            server.begin();
            random.pause_up_to_us(MOMENT_MAX_US);
            server.kill();
        }
        server.restart();
        server
            .address()
            .clone_into(&mut shared.address.lock().unwrap());
    }
    wait_for(BATCHES_BETWEEN_KILLS_MAX);
    shared.done.store(true, SeqCst);

    for (partition, producer) in (0..).zip(producers) {
        let sent = producer.join().unwrap();
        let read = read_all(&server, partition);
        let expected: Vec<String> = (0..sent.next_sequence)
            .map(|sequence| value(partition, sequence))
            .collect();
        let values: Vec<&String> = read.values().collect();
        assert!(
            values.iter().copied().eq(&expected),
            "partition {partition}: {}",
            first_difference(&expected, &values)
        );
        for (sequence, offset) in sent.acknowledged {
            assert_eq!(
                read.get(&offset),
                Some(&value(partition, sequence)),
                "partition {partition}, offset {offset}"
            );
        }
    }
}

/// An idempotent producer of one partition with several requests in flight, which sends again what was not
/// acknowledged, with the same sequences, for as long as it takes.
struct Producer {
    partition: i32,
    acks: i16,
    id: ProducerId,
    epoch: ProducerEpoch,
    next_sequence: i32,
    /// First sequences of batches without an acknowledgement, oldest first.
    waiting: VecDeque<i32>,
    /// First sequence and offset.
    acknowledged: Vec<(i32, i64)>,
}

impl Producer {
    fn new(shared: &Shared, partition: i32, acks: i16) -> Producer {
        let mut wire = Wire::connect(&shared.address.lock().unwrap()).unwrap();
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        let response = wire.call(&request, 4).unwrap();
        assert_eq!(response.error_code, 0);
        Producer {
            partition,
            acks,
            id: ProducerId(response.producer_id),
            epoch: ProducerEpoch(response.producer_epoch),
            next_sequence: 0,
            waiting: VecDeque::new(),
            acknowledged: Vec::new(),
        }
    }

    /// Produces until told to stop and nothing is in flight.
    fn run(mut self, shared: &Shared) -> Producer {
        while !(shared.done.load(SeqCst) && self.waiting.is_empty()) {
            // The connection ends with each kill; until the broker is back there is none to be had.
            let address = shared.address.lock().unwrap().clone();
            if let Ok(mut wire) = Wire::connect(&address) {
                let _ = self.use_connection(&mut wire, shared);
            }
        }
        self
    }

    fn use_connection(&mut self, wire: &mut Wire, shared: &Shared) -> io::Result<()> {
        for sequence in self.waiting.clone() {
            wire.send(&self.request(sequence), PRODUCE)?;
        }
        loop {
            while self.waiting.len() < IN_FLIGHT_MAX && !shared.done.load(SeqCst) {
                let sequence = self.next_sequence;
                self.next_sequence += RECORDS_PER_BATCH;
                self.waiting.push_back(sequence);
                wire.send(&self.request(sequence), PRODUCE)?;
            }
            let Some(&sequence) = self.waiting.front() else {
                return Ok(());
            };
            let response = wire.receive::<ProduceRequest>(PRODUCE)?;
            let answer = &response.responses[0].partition_responses[0];
            let error = ErrorCode::from_code(answer.error_code);
            assert_eq!(
                error,
                ErrorCode::None,
                "partition {}, sequence {sequence}",
                self.partition
            );
            self.acknowledged.push((sequence, answer.base_offset));
            self.waiting.pop_front();
            shared.acknowledged.fetch_add(1, SeqCst);
        }
    }

    fn request(&self, sequence: i32) -> ProduceRequest {
        let mut batch =
            BatchBuilder::new(Compression::None).producer(self.id, self.epoch, sequence);
        for n in sequence..sequence + RECORDS_PER_BATCH {
            batch
                .append(
                    Millis(1_700_000_000_000),
                    None,
                    Some(value(self.partition, n).as_bytes()),
                    &[],
                )
                .unwrap();
        }
        produce(TOPIC, self.partition, self.acks, batch.build().unwrap())
    }
}

fn value(partition: i32, sequence: i32) -> String {
    format!("{partition}-{sequence}-{:PADDING$}", "")
}

/// Values by offset, from the first to the end of the log.
fn read_all(server: &Server, partition: i32) -> BTreeMap<i64, String> {
    let ends = server.tool(&format!(
        "get-offsets --topic {TOPIC} --partitions {partition}"
    ));
    let end: i64 = ends.trim_end().rsplit(':').next().unwrap().parse().unwrap();
    let mut wire = Wire::connect(server.address()).unwrap();
    let mut values = BTreeMap::new();
    let mut offset = 0;
    while offset < end {
        let response = wire.call(&fetch(TOPIC, partition, offset), FETCH).unwrap();
        let answer = &response.responses[0].partitions[0];
        assert_eq!((response.error_code, answer.error_code), (0, 0));
        let Some(Records::Bytes(bytes)) = &answer.records else {
            panic!("no records at {offset} below the end of the log {end}");
        };
        for batch in batches_of(bytes) {
            let (header, bytes) = batch.unwrap();
            for record in
                &ottla_protocol::records::Records::open(&bytes, InflateLimits::default()).unwrap()
            {
                let record = record.unwrap();
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                assert!(
                    values.insert(record.offset.0, value).is_none(),
                    "offset {} twice",
                    record.offset.0
                );
            }
            offset = header.next_offset().0;
        }
    }
    values
}

fn first_difference(expected: &[String], found: &[&String]) -> String {
    let at = expected
        .iter()
        .zip(found)
        .position(|(expected, found)| expected != *found);
    format!(
        "{} expected, {} found, first difference at {at:?}: {:?}",
        expected.len(),
        found.len(),
        at.map(|at| (expected[at].trim(), found[at].trim()))
    )
}
