//! A group of the consumer protocol: members join, and heartbeats bring everybody to the target assignment.

use std::collections::BTreeMap;

use ottla_coordination::group::{Command, ConsumerHeartbeat, Response, Settings};
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_protocol::wire::Uuid;

use crate::bench::{Bench, ms, per_second, timed, topic_name};

const HEARTBEAT_MS: i64 = 5_000;

pub(crate) fn run() {
    for (members, partitions) in [(50, 100), (500, 1_000), (2_000, 4_000), (100, 10_000)] {
        for interval_ms in [1_000, 0] {
            run_one(members, partitions, interval_ms);
        }
    }
}

fn run_one(members: usize, partitions: usize, assignment_interval_ms: i32) {
    let mut settings = Settings::default();
    settings.consumer.assignment_interval_ms = assignment_interval_ms;
    let mut bench = Bench::new(settings);
    bench.set_topics(10, partitions / 10);
    let mut group = Group::new("g", 10);
    let (first, rounds) = timed(|| group.form(&mut bench, members));
    let records = bench.log_records();
    let (again, rounds_again) = timed(|| group.form(&mut bench, 1));
    println!(
        "  {members} members, {partitions} partitions, assignment interval {assignment_interval_ms} ms: {} to form ({rounds} \
         rounds of heartbeats, {records} records, {} KiB), {} to take in one more ({rounds_again} rounds)",
        ms(first),
        bench.log_bytes() >> 10,
        ms(again),
    );
    let (took, ()) = timed(|| group.beat_all(&mut bench));
    println!("    heartbeats at rest: {}", per_second(members + 1, took));
}

pub(crate) struct Group {
    id: String,
    topics: usize,
    members: Vec<Member>,
}

struct Member {
    id: String,
    epoch: i32,
    owned: BTreeMap<Uuid, Vec<i32>>,
    /// What it owns has changed and the coordinator has not been told.
    must_tell: bool,
}

impl Group {
    pub(crate) fn new(id: &str, topics: usize) -> Self {
        Self {
            id: id.to_owned(),
            topics,
            members: Vec::new(),
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, i32)> {
        self.members
            .iter()
            .map(|member| (member.id.as_str(), member.epoch))
    }

    /// So many join, then everybody sends heartbeats until all have what they are to have; how many rounds it took.
    pub(crate) fn form(&mut self, bench: &mut Bench, count: usize) -> usize {
        for number in self.members.len()..self.members.len() + count {
            let mut member = Member {
                id: format!("{number:08}-5b7d-4c8e-9f0a-1b2c3d4e5f60"),
                epoch: 0,
                owned: BTreeMap::new(),
                must_tell: false,
            };
            let heard = beat(bench, join(&self.id, &member.id, self.topics));
            member.hears(&heard);
            self.members.push(member);
        }
        let mut rounds = 0;
        while !self.is_stable(bench) {
            rounds += 1;
            assert!(rounds < 100, "the group does not come to rest");
            bench.pass(HEARTBEAT_MS);
            for member in &mut self.members {
                let heard = beat(bench, member.heartbeat(&self.id));
                member.hears(&heard);
            }
        }
        rounds
    }

    /// Everybody tells what it owns and is in the epoch of the group.
    fn is_stable(&self, bench: &Bench) -> bool {
        let group = bench.machine().hard().consumer_group(&self.id);
        let (epoch, assignment_epoch, members) = group.expect("formed").epochs();
        let mut members = members;
        epoch == assignment_epoch
            && members.all(|(_, member_epoch)| member_epoch == epoch)
            && self.members.iter().all(|member| !member.must_tell)
    }

    pub(crate) fn beat_all(&mut self, bench: &mut Bench) {
        for member in &mut self.members {
            let heard = beat(bench, member.heartbeat(&self.id));
            member.hears(&heard);
        }
    }
}

impl Member {
    fn heartbeat(&mut self, group_id: &str) -> ConsumerGroupHeartbeatRequest {
        let tells = std::mem::take(&mut self.must_tell);
        let listed = || {
            let topics = self
                .owned
                .iter()
                .map(|(topic_id, partitions)| TopicPartitions {
                    topic_id: *topic_id,
                    partitions: partitions.clone(),
                    ..Default::default()
                });
            topics.collect()
        };
        ConsumerGroupHeartbeatRequest {
            group_id: group_id.into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: -1,
            topic_partitions: tells.then(listed),
            ..Default::default()
        }
    }

    fn hears(&mut self, heard: &ConsumerGroupHeartbeatResponse) {
        self.epoch = heard.member_epoch;
        if let Some(assignment) = &heard.assignment {
            self.must_tell = true;
            let topics = assignment.topic_partitions.iter();
            self.owned = topics
                .map(|topic| (topic.topic_id, topic.partitions.clone()))
                .collect();
        }
    }
}

fn join(group_id: &str, member_id: &str, topics: usize) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: group_id.into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: 300_000,
        subscribed_topic_names: Some(
            (0..topics)
                .map(|number| topic_name(number).into())
                .collect(),
        ),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn beat(
    bench: &mut Bench,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let heartbeat = ConsumerHeartbeat {
        request,
        client_id: "consumer".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        candidate_member_id: None,
    };
    match bench.ask_now(Command::ConsumerGroupHeartbeat(heartbeat)) {
        Response::ConsumerGroupHeartbeat(response) => {
            assert_eq!(response.error_code, 0, "{response:?}");
            response
        }
        other => panic!("{other:?}"),
    }
}
