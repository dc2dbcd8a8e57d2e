//! Groups, members and producers without number.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, InitProducerIdRequest, JoinGroupRequest,
    JoinGroupResponse, OffsetCommitRequest,
};

use super::support::{MIB, assert_well, resident_bytes};
use crate::requests::create_topic;
use crate::server::Server;
use crate::wire::Wire;

const JOIN: i16 = 7;
const COMMIT: i16 = 8;

/// A broker whose coordinator is at work.
pub(super) fn server(options: &[&str]) -> Server {
    let mut words = vec![
        "--override",
        "ottla.durability=memory",
        "offsets.topic.num.partitions=3",
        "group.initial.rebalance.delay.ms=60000",
    ];
    words.extend_from_slice(options);
    let server = Server::with(&words, &[]);
    let mut client = Wire::connect(server.address()).unwrap();
    let request = FindCoordinatorRequest {
        key: "g".into(),
        ..Default::default()
    };
    crate::wait::until("a coordinator", || {
        let found = client.call(&request, 3).unwrap();
        found.error_code == 0 && commit(&mut client, "ready", "t", "") != ErrorCode::NotCoordinator
    });
    server
}

fn join(client: &mut Wire, group: &str, member: &str, metadata: usize) -> JoinGroupResponse {
    client
        .call(&join_request(group, member, metadata), JOIN)
        .unwrap()
}

fn join_request(group: &str, member: &str, metadata: usize) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: vec![0; metadata].into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn commit(client: &mut Wire, group: &str, topic: &str, metadata: &str) -> ErrorCode {
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 1,
                committed_leader_epoch: -1,
                committed_metadata: Some(metadata.into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = client.call(&request, COMMIT).unwrap();
    ErrorCode::from_code(response.topics[0].partitions[0].error_code)
}

#[test]
fn p15_the_metadata_of_a_committed_offset_has_a_limit_to_the_byte() {
    let server = server(&[]);
    create_topic(server.address(), "t", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    assert_eq!(
        commit(&mut client, "g", "t", &"m".repeat(4_096)),
        ErrorCode::None
    );
    for bytes in [4_097, 32_767] {
        let found = commit(&mut client, "g", "t", &"m".repeat(bytes));
        assert_eq!(found, ErrorCode::OffsetMetadataTooLarge, "{bytes} bytes");
    }
    assert_well(&server);
}

#[test]
fn p15_ten_thousand_ids_given_out_meet_the_size_of_the_group() {
    let server = server(&["group.max.size=1500"]);
    let mut client = Wire::connect(server.address()).unwrap();
    let before = resident_bytes(&server);
    let mut refused = 0;
    for _ in 0..3_000 {
        match ErrorCode::from_code(join(&mut client, "g", "", 100).error_code) {
            ErrorCode::MemberIdRequired => {}
            ErrorCode::GroupMaxSizeReached => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 1_500);
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes more");
    assert_well(&server);
}

#[test]
fn p15_members_with_much_to_say_are_refused_before_they_fill_the_memory() {
    let server = server(&[]);
    let before = resident_bytes(&server);
    let mut asking = Wire::connect(server.address()).unwrap();
    let describe = DescribeGroupsRequest {
        groups: vec!["g".into()],
        ..Default::default()
    };
    let mut waiting = Vec::new();
    for at in 1..=80 {
        let mut client = Wire::connect(server.address()).unwrap();
        let given = join(&mut client, "g", "", 0);
        assert_eq!(
            ErrorCode::from_code(given.error_code),
            ErrorCode::MemberIdRequired
        );
        let request = join_request("g", &given.member_id, MIB as usize);
        client.send(&request, JOIN).unwrap();
        // Those who are taken in wait for the group; the others hear at once.
        if at < 64 {
            crate::wait::until("the member to be in", || {
                asking.call(&describe, 5).unwrap().groups[0].members.len() == at
            });
            waiting.push(client);
        } else {
            let response = client.receive::<JoinGroupRequest>(JOIN).unwrap();
            let code = ErrorCode::from_code(response.error_code);
            assert_eq!(code, ErrorCode::GroupMaxSizeReached);
        }
    }
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 256 * MIB, "{grown} bytes more");
    assert_well(&server);
}

#[test]
fn p15_group_ids_by_the_thousand_take_little() {
    let server = server(&[]);
    let mut client = Wire::connect(server.address()).unwrap();
    let before = resident_bytes(&server);
    for at in 0..2_000 {
        let response = join(&mut client, &format!("group-{at}"), "", 100);
        let code = ErrorCode::from_code(response.error_code);
        assert_eq!(code, ErrorCode::MemberIdRequired);
    }
    // One described a hundred thousand times is described once.
    let request = DescribeGroupsRequest {
        groups: vec!["group-1".into(); 100_000],
        ..Default::default()
    };
    assert_eq!(client.call(&request, 5).unwrap().groups.len(), 1);
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes more");
    assert_well(&server);
}

#[test]
fn p20_producer_ids_are_given_by_the_thousand_and_never_twice() {
    let mut server = Server::start();
    let mut given = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let mut client = Wire::connect(server.address()).unwrap();
        let before = resident_bytes(&server);
        let request = InitProducerIdRequest {
            producer_id: -1,
            producer_epoch: -1,
            transactional_id: None,
            ..Default::default()
        };
        for _ in 0..3_000 {
            let response = client.call(&request, 4).unwrap();
            assert_eq!(response.error_code, 0);
            assert!(
                given.insert(response.producer_id),
                "{}",
                response.producer_id
            );
        }
        let transactional = InitProducerIdRequest {
            transactional_id: Some("\u{1b}[31m\n".into()),
            transaction_timeout_ms: i32::MAX,
            ..request
        };
        for _ in 0..1_000 {
            assert_ne!(client.call(&transactional, 4).unwrap().error_code, 0);
        }
        let grown = resident_bytes(&server).saturating_sub(before);
        assert!(grown < 64 * MIB, "{grown} bytes more");
        assert_well(&server);
        server.kill();
        server.restart();
    }
    assert_eq!(given.len(), 6_000);
}
