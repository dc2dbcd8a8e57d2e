//! S-19: what a partition answers to an idempotent producer that sends again, leaves a gap, swaps batches, is older than itself or
//! has come to the last sequence of all: the same after a kill, a stop, and with snapshots that are gone or broken.

use std::fs;
use std::io;
use std::path::PathBuf;

use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use crate::requests::{PRODUCE, create_topic, produce};
use crate::server::Server;
use crate::wire::Wire;

const TOPIC: &str = "sequences";
const RECORDS: i32 = 3;
/// As many batches as a producer may have in flight.
const REMEMBERED: i64 = 5;

/// How the broker comes to the state in which it answers.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Before {
    Nothing,
    Kill,
    Stop,
    /// Stopped, and its snapshots are gone.
    Lost,
    /// Stopped, and each snapshot ends in the middle.
    Torn,
    /// Stopped, and bits of each snapshot have flipped.
    Rotten,
}

const ALL: [Before; 6] = [
    Before::Nothing,
    Before::Kill,
    Before::Stop,
    Before::Lost,
    Before::Torn,
    Before::Rotten,
];

/// A producer and the partition that is its own.
struct Producer {
    id: i64,
    epoch: i16,
    partition: i32,
}

/// What a batch was answered with: a code, and where it is.
type Answer = (ErrorCode, i64);

const GAP: Answer = (ErrorCode::OutOfOrderSequenceNumber, -1);
const FENCED: Answer = (ErrorCode::InvalidProducerEpoch, -1);

fn at(offset: i64) -> Answer {
    (ErrorCode::None, offset)
}

#[test]
fn batches_are_known_again_and_gaps_found_whatever_happened_to_the_broker_before() {
    let mut server = Server::start();
    create_topic(server.address(), TOPIC, i32::try_from(ALL.len()).unwrap());
    for (partition, before) in (0..).zip(ALL) {
        let mut wire = Wire::connect(server.address()).unwrap();
        let mut own = Producer::new(&mut wire, partition);
        let sequences = (0..).step_by(RECORDS as usize);
        for (n, sequence) in (0..8).zip(sequences.clone()) {
            let answer = own.send(&mut wire, sequence).unwrap();
            assert_eq!(answer, at(n * i64::from(RECORDS)));
        }
        happen(&mut server, before);
        let mut wire = Wire::connect(server.address()).unwrap();
        for (n, sequence) in (0..8).zip(sequences) {
            let expected = match n < 8 - REMEMBERED {
                true => GAP,
                false => at(n * i64::from(RECORDS)),
            };
            let answer = own.send(&mut wire, sequence).unwrap();
            assert_eq!(answer, expected, "{before:?}, batch {n} again");
        }
        // One that begins or ends within another is none that was sent.
        for sequence in [20, 23, 25, 27, i32::MAX] {
            let answer = own.send(&mut wire, sequence).unwrap();
            assert_eq!(answer, GAP, "{before:?}, sequence {sequence}");
        }
        // The second of two arrives first.
        assert_eq!(own.send(&mut wire, 27).unwrap(), GAP, "{before:?}");
        assert_eq!(own.send(&mut wire, 24).unwrap(), at(24), "{before:?}");
        assert_eq!(own.send(&mut wire, 27).unwrap(), at(27), "{before:?}");
        // A new epoch begins with 0, and nothing of the old one is taken any more.
        own.epoch += 1;
        assert_eq!(own.send(&mut wire, 30).unwrap(), GAP, "{before:?}");
        assert_eq!(own.send(&mut wire, 0).unwrap(), at(30), "{before:?}");
        own.epoch -= 1;
        for sequence in [27, 30] {
            let answer = own.send(&mut wire, sequence).unwrap();
            assert_eq!(answer, FENCED, "{before:?}, sequence {sequence}");
        }
        own.epoch += 1;
        assert_eq!(own.send(&mut wire, 0).unwrap(), at(30), "{before:?}");
    }
}

#[test]
fn after_the_last_sequence_of_all_comes_the_first_and_each_is_known_again() {
    let mut server = Server::start();
    create_topic(server.address(), TOPIC, i32::try_from(ALL.len()).unwrap());
    for (partition, before) in (0..).zip(ALL) {
        let mut wire = Wire::connect(server.address()).unwrap();
        let own = Producer::new(&mut wire, partition);
        // Nothing is known of the producer: it may begin anywhere. The second batch has the last sequence and the first.
        let sequences = [i32::MAX - 4, i32::MAX - 1, 1, 4];
        for (n, sequence) in (0..).zip(sequences) {
            let answer = own.send(&mut wire, sequence).unwrap();
            assert_eq!(answer, at(n * i64::from(RECORDS)));
        }
        happen(&mut server, before);
        let mut wire = Wire::connect(server.address()).unwrap();
        for (n, sequence) in (0..).zip(sequences) {
            let answer = own.send(&mut wire, sequence).unwrap();
            assert_eq!(answer, at(n * i64::from(RECORDS)), "{before:?}, batch {n}");
        }
        for sequence in [0, i32::MAX, 8] {
            assert_eq!(own.send(&mut wire, sequence).unwrap(), GAP, "{before:?}");
        }
        assert_eq!(own.send(&mut wire, 7).unwrap(), at(12), "{before:?}");
    }
}

#[test]
fn behind_a_gap_all_that_is_in_flight_is_refused_and_taken_in_order_when_it_comes_again() {
    let server = Server::start();
    create_topic(server.address(), TOPIC, 1);
    let mut wire = Wire::connect(server.address()).unwrap();
    let own = Producer::new(&mut wire, 0);
    assert_eq!(own.send(&mut wire, 0).unwrap(), at(0));
    let in_flight = |wire: &mut Wire, sequences: [i32; 5]| {
        for sequence in sequences {
            wire.send(&own.request(sequence), PRODUCE).unwrap();
        }
        sequences.map(|_| answer(&wire.receive::<ProduceRequest>(PRODUCE).unwrap()))
    };
    // The batch 3 got lost.
    let answers = in_flight(&mut wire, [6, 9, 12, 15, 18]);
    assert_eq!(answers, [GAP; 5]);
    let answers = in_flight(&mut wire, [3, 6, 9, 12, 15]);
    assert_eq!(answers, [at(3), at(6), at(9), at(12), at(15)]);
    // The answers got lost.
    let answers = in_flight(&mut wire, [3, 6, 9, 12, 15]);
    assert_eq!(answers, [at(3), at(6), at(9), at(12), at(15)]);
    let answers = in_flight(&mut wire, [6, 9, 12, 15, 18]);
    assert_eq!(answers, [at(6), at(9), at(12), at(15), at(18)]);
}

impl Producer {
    fn new(wire: &mut Wire, partition: i32) -> Producer {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        let given = wire.call(&request, 4).unwrap();
        assert_eq!((given.error_code, given.producer_epoch), (0, 0));
        Producer {
            id: given.producer_id,
            epoch: given.producer_epoch,
            partition,
        }
    }

    fn send(&self, wire: &mut Wire, sequence: i32) -> io::Result<Answer> {
        let response = wire.call(&self.request(sequence), PRODUCE)?;
        Ok(answer(&response))
    }

    fn request(&self, sequence: i32) -> ProduceRequest {
        let (id, epoch) = (ProducerId(self.id), ProducerEpoch(self.epoch));
        let mut batch = BatchBuilder::new(Compression::None).producer(id, epoch, sequence);
        for _ in 0..RECORDS {
            let added = batch.append(Millis(1_700_000_000_000), None, Some(b"value"), &[]);
            added.unwrap();
        }
        produce(TOPIC, self.partition, -1, batch.build().unwrap())
    }
}

fn answer(response: &ottla_protocol::messages::ProduceResponse) -> Answer {
    let partition = &response.responses[0].partition_responses[0];
    let error = ErrorCode::from_code(partition.error_code);
    (error, partition.base_offset)
}

fn happen(server: &mut Server, before: Before) {
    match before {
        Before::Nothing => return,
        Before::Kill => server.kill(),
        _ => {
            server.terminate();
            assert!(server.wait().success());
        }
    }
    let at_stop = snapshots(server);
    assert!(before == Before::Kill || !at_stop.is_empty(), "{before:?}");
    for path in at_stop {
        let mut bytes = fs::read(&path).unwrap();
        match before {
            Before::Lost => {
                fs::remove_file(&path).unwrap();
                continue;
            }
            Before::Torn => bytes.truncate(bytes.len() / 2),
            Before::Rotten => bytes.iter_mut().skip(10).for_each(|byte| *byte ^= 0x10),
            _ => {}
        }
        fs::write(path, bytes).unwrap();
    }
    server.restart();
}

/// Those that say something.
fn snapshots(server: &Server) -> Vec<PathBuf> {
    const EMPTY: u64 = 10;
    let partitions = fs::read_dir(server.data()).unwrap().map(Result::unwrap);
    let folders = partitions.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(TOPIC)
    });
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().map(Result::unwrap));
    let says_something = |entry: &fs::DirEntry| {
        let is_snapshot = entry.path().extension().is_some_and(|it| it == "snapshot");
        is_snapshot && entry.metadata().unwrap().len() > EMPTY
    };
    files
        .filter(says_something)
        .map(|entry| entry.path())
        .collect()
}
