//! The hostile vectors, sent to the broker: it must do what the reference does, or what the page of gaps says.

use std::time::Duration;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics::request::{CreatableTopic, CreatableTopicConfig};

use super::support::{Answer, answer, assert_well, exchange, unhex, vectors};
use crate::requests::produce;
use crate::server::Server;
use crate::wire::Wire;

/// A frame that is only begun is waited for, so silence is the right answer.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
fn p06_hostile_frames_end_as_the_reference_ends_them() {
    let server = Server::start();
    for row in vectors("hostile.tsv.gz") {
        let [kind, _, _, _, mutation, expected, _, frame] = &row[..] else {
            panic!("{row:?}");
        };
        if kind != "frame" {
            continue;
        }
        let frame = unhex(frame);
        let found = match expected.as_str() {
            "incomplete" => exchange(server.address(), &frame, SILENCE),
            _ => answer(server.address(), &frame),
        };
        let found = match found {
            Answer::Reply(_) => "accept",
            Answer::Closed => "reject",
            Answer::Silence => "incomplete",
        };
        assert_eq!(found, expected, "{mutation}");
    }
    assert_well(&server);
}

/// P-09 and P-11: batches that contradict themselves, wrong checksums, codecs that lie.
#[test]
fn p09_hostile_batches_get_the_errors_of_the_reference_or_better_ones() {
    let server = Server::with(&["--override", "ottla.durability=memory"], &[]);
    let rows = vectors("hostile-records.tsv.gz");
    create_topics(&server, &rows);
    let mut client = Wire::connect(server.address()).unwrap();
    let mut differences = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let [name, _, expected, _, batch] = &row[..] else {
            panic!("{row:?}");
        };
        let request = produce(&topic_name(at), 0, 1, unhex(batch).to_vec());
        let response = client.call(&request, 9).unwrap();
        let partition = &response.responses[0].partition_responses[0];
        let found = ErrorCode::from_code(partition.error_code);
        if found.name() != expected && !is_better(expected, found) {
            differences.push(format!("{name}: expected {expected}, got {}", found.name()));
        }
        assert_eq!(
            partition.base_offset == -1,
            found != ErrorCode::None,
            "{name}"
        );
    }
    assert_eq!(differences, [""; 0], "of {}", rows.len());
    assert_well(&server);
}

/// Where the reference trips over its own code, we say what is wrong; see the page of gaps.
fn is_better(expected: &str, found: ErrorCode) -> bool {
    expected == "UNKNOWN_SERVER_ERROR"
        && matches!(
            found,
            ErrorCode::InvalidRecord | ErrorCode::UnsupportedCompressionType
        )
}

fn topic_name(at: usize) -> String {
    format!("hostile-{at}")
}

/// One topic for each batch, with the configuration of its row.
fn create_topics(server: &Server, rows: &[Vec<String>]) {
    let topic = |(at, row): (usize, &Vec<String>)| {
        let configs: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&row[1]).unwrap();
        let config = |(name, value): (&String, &serde_json::Value)| CreatableTopicConfig {
            name: name.as_str().into(),
            value: value.as_str().map(Into::into),
            ..Default::default()
        };
        CreatableTopic {
            name: topic_name(at).into(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        }
    };
    let request = CreateTopicsRequest {
        topics: rows.iter().enumerate().map(topic).collect(),
        timeout_ms: 20_000,
        ..Default::default()
    };
    let mut client = Wire::connect(server.address()).unwrap();
    let response = client.call(&request, 7).unwrap();
    for topic in response.topics {
        assert_eq!(topic.error_code, 0, "{:?}", topic.error_message);
    }
}
