//! Assignments the reference made, from the protocol crate's vectors.

use std::{collections::BTreeSet, io::Read, path::PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::*;

fn vectors() -> String {
    let folder = std::env::var_os("OTTLA_VECTORS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../protocol/tests/vectors"
            ))
        },
        PathBuf::from,
    );
    let packed = std::fs::read(folder.join("assignors.tsv.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn topics(input: &Value) -> Topics {
    let mut topics = Topics::new();
    for topic in input["topics"].as_array().unwrap() {
        let count = usize::try_from(topic["partitions"].as_u64().unwrap()).unwrap();
        let racks = match topic["racks"].as_array() {
            Some(racks) => racks.iter().map(texts).collect(),
            None => vec![BTreeSet::new(); count],
        };
        topics.insert(text(&topic["name"]), racks);
    }
    topics
}

fn members(input: &Value) -> Vec<Member> {
    let member = |member: &Value| Member {
        id: text(&member["id"]),
        instance_id: member["instanceId"].as_str().map(str::to_owned),
        rack: member["rack"].as_str().map(str::to_owned),
        topics: texts(&member["topics"]),
        ..Member::default()
    };
    input["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(member)
        .collect()
}

fn partitions(list: &Value) -> BTreeSet<TopicPartition> {
    let partition = |pair: &Value| {
        let index = i32::try_from(pair[1].as_i64().unwrap()).unwrap();
        TopicPartition::new(text(&pair[0]), index)
    };
    list.as_array().unwrap().iter().map(partition).collect()
}

#[test]
fn vectors_of_the_clients_assignors_come_out_the_same() {
    let mut checked = 0;
    for line in vectors().lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let ["client", assignor, case, "false", input, output] = columns.as_slice() else {
            continue;
        };
        let Some(assignor) = Assignor::of_name(assignor) else {
            continue;
        };
        let input: Value = serde_json::from_str(input).unwrap();
        let output: Value = serde_json::from_str(output).unwrap();
        let assignment = assignor.assign(&topics(&input), &members(&input)).unwrap();
        let expected = output.as_object().unwrap();
        assert_eq!(assignment.len(), expected.len(), "{assignor:?} {case}");
        for (member, list) in expected {
            let ours: BTreeSet<TopicPartition> =
                assignment[member].partitions.iter().cloned().collect();
            assert_eq!(ours, partitions(list), "{assignor:?} {case} {member}");
        }
        checked += 1;
    }
    assert!(checked > 0, "no vectors of ours");
}
