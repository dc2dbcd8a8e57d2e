//! A classic group: members join, the leader assigns, and one more member makes them do it again.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_coordination::ReplyToken;
use ottla_coordination::group::{Command, JoinGroup, MemberIds, Response, Settings};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest,
};

use crate::bench::{Bench, ms, timed};

const REBALANCE_MS: i32 = 300_000;

pub(crate) fn run() {
    for (members, partitions) in [(50, 100), (500, 1_000), (2_000, 4_000)] {
        let mut bench = Bench::new(Settings {
            session_timeout_max_ms: i32::MAX,
            ..Settings::default()
        });
        let mut group = Group::new("g", partitions);
        let (first, ()) = timed(|| group.form(&mut bench, members));
        let (again, ()) = timed(|| group.take_in_one_more(&mut bench));
        let (beats, ()) = timed(|| group.beat_all(&mut bench));
        println!(
            "  {members} members, {partitions} partitions: {} to form, {} to take in one more, {} for a heartbeat of each",
            ms(first),
            ms(again),
            ms(beats),
        );
    }
}

/// A group as its clients know it.
pub(crate) struct Group {
    id: String,
    partitions: usize,
    pub(crate) members: Vec<String>,
    pub(crate) generation: i32,
    next_id: usize,
}

impl Group {
    pub(crate) fn new(id: &str, partitions: usize) -> Self {
        Self {
            id: id.to_owned(),
            partitions,
            members: Vec::new(),
            generation: -1,
            next_id: 0,
        }
    }

    /// Everybody joins within the initial delay; each is told its id first, as since version 4.
    pub(crate) fn form(&mut self, bench: &mut Bench, count: usize) {
        let ids: Vec<String> = (0..count).map(|_| self.get_id(bench)).collect();
        for id in &ids {
            let answers = bench.ask(Command::JoinGroup(self.join(id)));
            assert!(answers.is_empty(), "the delay is on");
        }
        // The delay goes on while members come.
        let mut joined = bench.pass(3_000);
        if joined.is_empty() {
            joined = bench.pass(3_000);
        }
        self.sync(bench, joined, count);
    }

    /// One more comes; the others hear of it with their heartbeats and join again.
    fn take_in_one_more(&mut self, bench: &mut Bench) {
        let id = self.get_id(bench);
        assert!(bench.ask(Command::JoinGroup(self.join(&id))).is_empty());
        let mut joined = Vec::new();
        for id in self.members.clone() {
            let response = bench.ask_now(self.heartbeat(&id));
            assert!(
                matches!(response, Response::Heartbeat(heard) if heard.error_code == ErrorCode::RebalanceInProgress.code())
            );
            joined = bench.ask(Command::JoinGroup(self.join(&id)));
        }
        let count = self.members.len() + 1;
        self.sync(bench, joined, count);
    }

    pub(crate) fn beat_all(&self, bench: &mut Bench) {
        for id in &self.members {
            let response = bench.ask_now(self.heartbeat(id));
            assert!(matches!(response, Response::Heartbeat(heard) if heard.error_code == 0));
        }
    }

    fn get_id(&mut self, bench: &mut Bench) -> String {
        self.next_id += 1;
        match bench.ask_now(Command::JoinGroup(self.join(""))) {
            Response::JoinGroup(response) => {
                assert_eq!(response.error_code, ErrorCode::MemberIdRequired.code());
                response.member_id.to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    fn join(&self, member_id: &str) -> JoinGroup {
        let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x02t0\xff\xff\xff\xff");
        let protocols = ["range", "cooperative-sticky"].map(|name| JoinGroupRequestProtocol {
            name: name.into(),
            metadata: metadata.clone(),
            ..Default::default()
        });
        JoinGroup {
            request: JoinGroupRequest {
                group_id: self.id.as_str().into(),
                // The bench lets time pass for other groups.
                session_timeout_ms: i32::MAX,
                rebalance_timeout_ms: REBALANCE_MS,
                member_id: member_id.into(),
                protocol_type: "consumer".into(),
                protocols: protocols.into(),
                ..Default::default()
            },
            client_id: "consumer".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: format!(
                "consumer-{:08}-2f1c6a3e-5b7d-4c8e-9f0a-1b2c3d4e5f60",
                self.next_id
            ),
            member_ids: MemberIds::Required,
            can_skip_assignment: true,
        }
    }

    pub(crate) fn heartbeat(&self, member_id: &str) -> Command {
        Command::Heartbeat(HeartbeatRequest {
            group_id: self.id.as_str().into(),
            generation_id: self.generation,
            member_id: member_id.into(),
            ..Default::default()
        })
    }

    /// All followers ask first, then the leader brings the assignment.
    fn sync(&mut self, bench: &mut Bench, joined: Vec<(ReplyToken, Response)>, count: usize) {
        let joined: BTreeMap<ReplyToken, Response> = joined.into_iter().collect();
        let responses: Vec<JoinGroupResponse> = joined
            .into_values()
            .map(|response| match response {
                Response::JoinGroup(response) => response,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(responses.len(), count);
        self.generation = responses[0].generation_id;
        self.members = responses.iter().map(|r| r.member_id.to_string()).collect();
        let leader = responses
            .iter()
            .find(|response| !response.members.is_empty());
        let leader = leader.expect("somebody leads").member_id.to_string();
        for id in self.members.iter().filter(|id| **id != leader) {
            let answers = bench.ask(self.sync_request(id, Vec::new()));
            assert!(answers.is_empty(), "the leader has not spoken");
        }
        let answers = bench.ask(self.sync_request(&leader, self.assignments()));
        assert_eq!(answers.len(), count);
    }

    fn sync_request(&self, id: &str, assignments: Vec<SyncGroupRequestAssignment>) -> Command {
        Command::SyncGroup(SyncGroupRequest {
            group_id: self.id.as_str().into(),
            generation_id: self.generation,
            member_id: id.into(),
            assignments,
            ..Default::default()
        })
    }

    /// As `range` shares one topic out.
    fn assignments(&self) -> Vec<SyncGroupRequestAssignment> {
        let count = self.members.len();
        let part = |number: usize| {
            let partitions =
                number * self.partitions / count..(number + 1) * self.partitions / count;
            let mut bytes = BytesMut::new();
            bytes.put_slice(b"\0\0\0\0\0\x01\0\x02t0");
            bytes.put_i32(i32::try_from(partitions.len()).expect("few"));
            for partition in partitions {
                bytes.put_i32(i32::try_from(partition).expect("few"));
            }
            bytes.put_i32(-1);
            bytes.freeze()
        };
        let members = self.members.iter().enumerate();
        members
            .map(|(number, id)| SyncGroupRequestAssignment {
                member_id: id.as_str().into(),
                assignment: part(number),
                ..Default::default()
            })
            .collect()
    }
}
