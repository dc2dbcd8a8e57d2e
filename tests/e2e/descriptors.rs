//! S-29: a broker with few descriptors serves many partitions, keeps the connections that it has and refuses others.

use ottla_protocol::compress::Compression;
use ottla_protocol::messages::ProduceRequest;
use ottla_protocol::messages::produce::request::PartitionProduceData;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::Millis;
use ottla_protocol::wire::Records;

use crate::requests::{FETCH, PRODUCE, create_topic, fetch, produce};
use crate::server::Server;
use crate::wait;
use crate::wire::Wire;

const TOPIC: &str = "wide";
const PARTITIONS: i32 = 400;
const ROUNDS: i64 = 3;

fn one_record() -> Vec<u8> {
    let mut batch = BatchBuilder::new(Compression::None);
    batch
        .append(Millis(1_700_000_000_000), None, Some(b"x"), &[])
        .unwrap();
    batch.build().unwrap()
}

/// One request for every partition.
fn produce_to_all(acks: i16) -> ProduceRequest {
    let mut request = produce(TOPIC, 0, acks, one_record());
    let of_partition = |index| PartitionProduceData {
        index,
        records: Some(Records::Bytes(one_record().into())),
        ..Default::default()
    };
    request.topic_data[0].partition_data = (0..PARTITIONS).map(of_partition).collect();
    request
}

#[test]
fn s29_four_hundred_partitions_and_as_many_connections_on_256_descriptors() {
    let mut server = Server::with_descriptors(256);
    create_topic(server.address(), TOPIC, PARTITIONS);
    let mut wire = Wire::connect(server.address()).unwrap();
    for round in 0..ROUNDS {
        let acks = if round % 2 == 0 { -1 } else { 1 };
        let response = wire.call(&produce_to_all(acks), PRODUCE).unwrap();
        for partition in &response.responses[0].partition_responses {
            assert_eq!(partition.error_code, 0, "{round}: {partition:?}");
            assert_eq!(partition.base_offset, round);
        }
    }

    // As many connections as come, until they are refused.
    let mut open: Vec<Wire> = Vec::new();
    let refused = (0..PARTITIONS).find(|_| {
        let mut another = Wire::connect(server.address()).unwrap();
        let answered = another.call(&fetch(TOPIC, 0, 0), FETCH).is_ok();
        if answered {
            open.push(another);
        }
        !answered
    });
    assert!(refused.is_some(), "{} connections", open.len());
    assert!(open.len() > 100, "only {} connections", open.len());

    // The ones that are open read all there is.
    for index in 0..PARTITIONS {
        let reader = index as usize % open.len();
        read_to(&mut open[reader], index, ROUNDS);
    }
    let response = wire.call(&produce_to_all(-1), PRODUCE).unwrap();
    let partitions = &response.responses[0].partition_responses;
    assert!(partitions.iter().all(|p| p.error_code == 0));
    drop(open);

    server.kill();
    server.restart();
    let mut wire = Wire::connect(server.address()).unwrap();
    for index in 0..PARTITIONS {
        read_to(&mut wire, index, ROUNDS + 1);
    }
    let said = server.log();
    assert!(!said.contains("offline"), "{said}");
}

/// Reads a partition until its records are shown up to an offset.
fn read_to(wire: &mut Wire, index: i32, end: i64) {
    wait::some("the records to be shown", || {
        let response = wire.call(&fetch(TOPIC, index, 0), FETCH).unwrap();
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, 0, "{index}");
        (partition.high_watermark == end).then_some(())
    });
}
