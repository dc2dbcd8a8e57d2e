//! S-20: many producer ids on one partition. Each takes no more than a kibibyte of memory, all are there after a kill, and all are
//! forgotten when `producer.id.expiration.ms` says so, which makes room for as many others.
//!
//! `OTTLA_ROUNDS` makes it so many ids.
#![allow(clippy::print_stderr)]

use std::time::{SystemTime, UNIX_EPOCH};

use ottla_protocol::compress::Compression;
use ottla_protocol::messages::describe_producers::request::TopicRequest;
use ottla_protocol::messages::{DescribeProducersRequest, ProduceRequest};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use crate::abuse::resident_bytes;
use crate::random::number;
use crate::requests::{PRODUCE, create_topic, produce};
use crate::server::Server;
use crate::wait::until;
use crate::wire::Wire;

const TOPIC: &str = "many";
const IDS: u64 = 5_000;
/// As many as are remembered of each.
const BATCHES: i32 = 5;
const IN_FLIGHT: usize = 200;
const BYTES_PER_ID: u64 = 1024;
/// What else the broker takes in the meantime, for buffers and the log.
const OTHER_BYTES: u64 = 8 << 20;
const LOOK_OFTEN: [&str; 2] = ["--override", "log.retention.check.interval.ms=100"];

#[test]
fn many_producer_ids_take_little_memory_and_are_forgotten_in_time() {
    let ids = i64::try_from(number("OTTLA_ROUNDS").unwrap_or(IDS)).unwrap();
    let mut server = Server::with(&LOOK_OFTEN, &[]);
    create_topic(server.address(), TOPIC, 1);
    // What any load costs.
    let offset = send_all(&server, 1_000..1_100, 0);
    let at_first = resident_bytes(&server);
    send_all(&server, 1_100..1_100 + ids, offset);
    let more = resident_bytes(&server).saturating_sub(at_first);
    let allowed = u64::try_from(ids).unwrap() * BYTES_PER_ID + OTHER_BYTES;
    assert!(more <= allowed, "{ids} ids take {more} bytes");

    let all = usize::try_from(ids + 100).unwrap();
    assert_eq!(known(&server), all);
    server.kill();
    server.restart();
    assert_eq!(known(&server), all);
    let offset = offset + ids * i64::from(BATCHES);
    let mut wire = Wire::connect(server.address()).unwrap();
    let mut send = |sequence| {
        let id = 1_100;
        wire.send(&request(id, sequence), PRODUCE).unwrap();
        receive(&mut wire)
    };
    assert_eq!(send(BATCHES - 1), (0, 100 * i64::from(BATCHES) + 4));

    expire_after(&server, 1);
    until("all are forgotten", || known(&server) == 0);
    expire_after(&server, 86_400_000);
    // Nothing is known any more: neither that it is there already, nor that something is missing.
    assert_eq!(send(BATCHES - 1), (0, offset));
    until("the producer is known", || known(&server) == 1);
    assert_eq!(send(BATCHES - 1), (0, offset));
    let in_between = resident_bytes(&server);
    send_all(&server, 2_000_000..2_000_000 + ids, offset + 1);
    let at_last = resident_bytes(&server);
    assert_eq!(known(&server), all - 99);
    assert!(
        at_last <= at_first + allowed + OTHER_BYTES,
        "{at_last} bytes, {at_first} at first: what was forgotten has not been given back"
    );
    eprintln!(
        "bytes per id: {}; resident MiB at first {}, with {ids} ids {}, restarted and without any {}, with others {}",
        more / u64::try_from(ids).unwrap(),
        at_first >> 20,
        (at_first + more) >> 20,
        in_between >> 20,
        at_last >> 20
    );
}

/// All batches of each id; the first one is to be at `offset`, the others behind it. Where the next one will be.
fn send_all(server: &Server, ids: std::ops::Range<i64>, mut offset: i64) -> i64 {
    let mut wire = Wire::connect(server.address()).unwrap();
    let mut waiting = 0;
    let mut received = |wire: &mut Wire| {
        assert_eq!(receive(wire), (0, offset));
        offset += 1;
    };
    for id in ids {
        for sequence in 0..BATCHES {
            if waiting == IN_FLIGHT {
                received(&mut wire);
                waiting -= 1;
            }
            wire.send(&request(id, sequence), PRODUCE).unwrap();
            waiting += 1;
        }
    }
    for _ in 0..waiting {
        received(&mut wire);
    }
    offset
}

fn request(id: i64, sequence: i32) -> ProduceRequest {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Millis(i64::try_from(now.as_millis()).unwrap());
    let (id, epoch) = (ProducerId(id), ProducerEpoch(0));
    let mut batch = BatchBuilder::new(Compression::None).producer(id, epoch, sequence);
    batch.append(now, None, Some(b"value"), &[]).unwrap();
    produce(TOPIC, 0, 1, batch.build().unwrap())
}

/// A code and an offset.
fn receive(wire: &mut Wire) -> (i16, i64) {
    let response = wire.receive::<ProduceRequest>(PRODUCE).unwrap();
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

/// Producers that the partition knows.
fn known(server: &Server) -> usize {
    let topic = TopicRequest {
        name: TOPIC.into(),
        partition_indexes: vec![0],
        ..Default::default()
    };
    let request = DescribeProducersRequest {
        topics: vec![topic],
        ..Default::default()
    };
    let mut wire = Wire::connect(server.address()).unwrap();
    let response = wire.call(&request, 0).unwrap();
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.active_producers.len()
}

fn expire_after(server: &Server, ms: i64) {
    server.tool(&format!(
        "configs --alter --entity-type brokers --entity-default --add-config producer.id.expiration.ms={ms}"
    ));
}
