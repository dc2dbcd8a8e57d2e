//! Assignments the reference made, from the protocol crate's vectors.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::PathBuf,
};

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

fn bytes(text: &str) -> Bytes {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().map(|byte| u32::from(digit(*byte)));
        let value = bits
            .enumerate()
            .fold(0, |all, (i, six)| all | six << (18 - 6 * i));
        out.extend(&value.to_be_bytes()[1..four.len()]);
    }
    out.into()
}

fn members(input: &Value) -> Vec<Member> {
    let generation = |value: &Value| i32::try_from(value.as_i64().unwrap()).unwrap();
    let member = |member: &Value| Member {
        id: text(&member["id"]),
        instance_id: member["instanceId"].as_str().map(str::to_owned),
        rack: member["rack"].as_str().map(str::to_owned),
        topics: texts(&member["topics"]),
        owned: partitions(&member["owned"]),
        generation: Some(generation(&member["generation"])).filter(|known| *known >= 0),
        user_data: member["userData"].as_str().map(bytes),
    };
    let members = input["members"].as_array().unwrap();
    members.iter().map(member).collect()
}

fn partitions(list: &Value) -> Vec<TopicPartition> {
    let partition = |pair: &Value| {
        let index = i32::try_from(pair[1].as_i64().unwrap()).unwrap();
        TopicPartition::new(text(&pair[0]), index)
    };
    list.as_array().unwrap().iter().map(partition).collect()
}

type Sets = BTreeMap<String, BTreeSet<TopicPartition>>;

fn sets(shares: ByMember) -> Sets {
    let set = |(member, share): (String, Vec<TopicPartition>)| (member, BTreeSet::from_iter(share));
    shares.into_iter().map(set).collect()
}

/// The reference was given the members in just this order, which a leader is not.
fn assign_as_given(assignor: Assignor, topics: &Topics, members: &[Member]) -> Sets {
    sets(match assignor {
        Assignor::Range => range::assign(topics, members),
        Assignor::RoundRobin => roundrobin::assign(topics, members),
        Assignor::Sticky => sticky::assign(topics, members),
        Assignor::CooperativeSticky => sticky::assign_cooperatively(topics, members),
    })
}

fn assign_as_leader(assignor: Assignor, topics: &Topics, members: &[Member]) -> Sets {
    let assignment = assignor.assign(topics, members).unwrap().into_iter();
    let shares = assignment.map(|(member, assigned)| (member, assigned.partitions));
    sets(shares.collect())
}

/// Every partition has one owner at most, who subscribes to its topic; where nobody waits for another, just one.
fn check_shares(topics: &Topics, members: &[Member], shares: &Sets, is_complete: bool) {
    let mut given = BTreeSet::new();
    for member in members {
        for at in &shares[&member.id] {
            assert!(member.subscribes(&at.topic), "{} gets {at}", member.id);
            assert!(given.insert(at), "{at} twice");
        }
    }
    for (topic, racks) in topics {
        let is_wanted = members.iter().any(|member| member.subscribes(topic));
        let count = given.iter().filter(|at| at.topic == *topic).count();
        assert!(
            !is_complete || !is_wanted || count == racks.len(),
            "{topic}"
        );
    }
}

#[test]
fn vectors_of_the_clients_assignors_come_out_the_same() {
    let mut same = 0;
    for line in vectors().lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let ["client", name, case, order_matters, input, output] = columns.as_slice() else {
            continue;
        };
        let assignor = Assignor::of_name(name).unwrap();
        let input: Value = serde_json::from_str(input).unwrap();
        let output: Value = serde_json::from_str(output).unwrap();
        let expected = output.as_object().unwrap().iter();
        let expected: Sets = expected
            .map(|(member, list)| (member.clone(), BTreeSet::from_iter(partitions(list))))
            .collect();
        let (topics, members) = (topics(&input), members(&input));
        let shares = assign_as_given(assignor, &topics, &members);
        assert_eq!(shares, expected, "{name} {case}");
        same += 1;
        let shares = assign_as_leader(assignor, &topics, &members);
        match *order_matters {
            "false" => assert_eq!(shares, expected, "{name} {case} in the leader's order"),
            _ => check_shares(&topics, &members, &shares, !assignor.is_cooperative()),
        }
    }
    assert_eq!(same, 400);
}
