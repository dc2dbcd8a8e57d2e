//! Random runs about committed offsets, in groups of both protocols and of none: commits, deletions, expiry, topics that go
//! and come, transactions of another broker's log, clocks that jump, refused appends and crashes.
//!
//! Always: an offset changes by a commit and goes by a deletion or by expiry, never on its own; an acknowledged commit is
//! there after a crash; replaying the log, or what compaction leaves of it, gives the live hard state; every request is
//! answered once.

use std::collections::BTreeMap;
use std::io::Write as _;

use ottla_coordination::group::{
    Command, ConsumerHeartbeat, GroupMachine, GroupRecord, JoinGroup, MemberIds, Response,
    Settings, TransactionRecord, UnknownGroup,
};
use ottla_coordination::{Answer, Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::{OffsetCommitKey, OffsetCommitValue};
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete::request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest,
};
use ottla_protocol::types::{Millis, Offset, ProducerId};
use ottla_protocol::wire::Uuid;

use crate::support::{MemoryLog, Numbers, check_compacted, check_replay, load};

const GROUPS: [&str; 4] = ["a", "b", "c", "d"];
const TOPICS: [&str; 2] = ["t", "u"];
const STEPS: usize = 300;
const RETENTION_MS: i64 = 3_600_000;

/// Group, topic, partition.
type Place = (&'static str, &'static str, i32);

/// An offset with when it was committed, and its own end where it has one.
type Found = (i64, Millis, Option<Millis>);

#[test]
fn offsets_neither_go_back_nor_away_on_their_own() {
    let seeds = match std::env::var("OTTLA_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..crate::support::seeds_wanted(60)).collect(),
    };
    let runs = seeds.len();
    let (mut acknowledged, mut removed) = (0, 0);
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.restart();
        acknowledged += world.acknowledged;
        removed += world.removed;
    }
    // Otherwise the promises were kept for want of occasion.
    let seen = format!("{acknowledged} commits, {removed} offsets removed in {runs} runs");
    assert!(acknowledged > 20 * runs && removed > 10 * runs, "{seen}");
}

struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "again: OTTLA_SEED={} cargo test -p ottla-coordination offsets_neither",
                self.0
            );
        }
    }
}

/// What may have changed offsets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    Commit(&'static str),
    /// Of offsets, or of the whole group.
    Delete(&'static str),
    TopicGone(&'static str),
    Time,
    Nothing,
}

/// The one member that a group has, if it has one.
#[derive(Clone)]
struct Member {
    id: String,
    /// Or its generation.
    epoch: i32,
    is_classic: bool,
}

struct World {
    numbers: Numbers,
    now: Millis,
    settings: Settings,
    log: MemoryLog<GroupRecord>,
    host: Host<GroupMachine>,
    committed_end: Offset,
    last_token: u64,
    last_value: i64,
    asked: BTreeMap<ReplyToken, Option<(Place, i64)>>,
    heard: BTreeMap<ReplyToken, Answer<Response>>,
    members: BTreeMap<&'static str, Member>,
    topic_ids: BTreeMap<&'static str, u128>,
    has_transactions: bool,
    /// What was acknowledged, and not deleted since.
    floor: BTreeMap<Place, i64>,
    acknowledged: usize,
    removed: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let mut settings = Settings {
            initial_rebalance_delay_ms: 0,
            offsets_retention_ms: RETENTION_MS,
            ..Settings::default()
        };
        settings.consumer.assignment_interval_ms = 0;
        let has_transactions = numbers.one_in(3);
        let now = Millis(1_000_000_000);
        let mut log = MemoryLog::default();
        let host = load(GroupMachine::new(settings.clone()), now, &mut log);
        Self {
            numbers,
            now,
            settings,
            log,
            host,
            committed_end: Offset(0),
            last_token: 0,
            last_value: 0,
            asked: BTreeMap::new(),
            heard: BTreeMap::new(),
            members: BTreeMap::new(),
            topic_ids: TOPICS.iter().map(|topic| (*topic, 1)).collect(),
            has_transactions,
            floor: BTreeMap::new(),
            acknowledged: 0,
            removed: 0,
        }
    }

    fn step(&mut self) {
        let group = GROUPS[self.numbers.below(GROUPS.len())];
        let topic = TOPICS[self.numbers.below(TOPICS.len())];
        let before = self.offsets();
        let cause = match self.numbers.below(100) {
            0..35 => self.commit(group, topic),
            35..43 => self.join_classic(group),
            43..51 => self.join_consumer(group),
            51..57 => self.leave(group),
            57..62 => self.delete_offset(group, topic),
            62..65 => self.ask(
                Command::DeleteGroups {
                    group_ids: vec![group.into()],
                },
                None,
                Cause::Delete(group),
            ),
            65..68 => self.delete_topic(topic),
            68..80 => self.let_time_pass(),
            80 => {
                self.log.refuse_next = Some(ErrorCode::NotEnoughReplicas);
                Cause::Nothing
            }
            81..84 => {
                self.restart();
                return;
            }
            _ => {
                self.become_durable();
                Cause::Nothing
            }
        };
        self.take_answers();
        self.check_changes(&before, cause);
    }

    fn ask(&mut self, command: Command, commit: Option<(Place, i64)>, cause: Cause) -> Cause {
        self.last_token += 1;
        let token = ReplyToken(self.last_token);
        self.asked.insert(token, commit);
        self.host.handle(self.now, token, command, &mut self.log);
        cause
    }

    /// Asks, and waits for the answer with what it needs: time, and the disk.
    fn ask_and_wait(&mut self, command: Command) -> Option<Response> {
        self.ask(command, None, Cause::Nothing);
        let token = ReplyToken(self.last_token);
        self.now = self.now.plus(Millis(1));
        self.host.advance(self.now, &mut self.log);
        self.become_durable();
        self.take_answers();
        self.heard.remove(&token)?.ok()
    }

    fn commit(&mut self, group: &'static str, topic: &'static str) -> Cause {
        self.last_value += 1;
        let partition = i32::try_from(self.numbers.below(2)).expect("few");
        let member = self.members.get(group).filter(|_| !self.numbers.one_in(5));
        let request = OffsetCommitRequest {
            group_id: group.into(),
            generation_id_or_member_epoch: member.map_or(-1, |member| member.epoch),
            member_id: member
                .map(|member| member.id.as_str().into())
                .unwrap_or_default(),
            retention_time_ms: if self.numbers.one_in(20) { 1_000 } else { -1 },
            topics: vec![OffsetCommitRequestTopic {
                name: topic.into(),
                topic_id: Uuid::from(self.topic_ids[topic]),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: partition,
                    committed_offset: self.last_value,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let command = Command::OffsetCommit {
            request,
            unknown_group: UnknownGroup::NotFound,
        };
        let what = ((group, topic, partition), self.last_value);
        self.ask(command, Some(what), Cause::Commit(group))
    }

    fn new_id(&self) -> String {
        format!("m{}", self.last_token)
    }

    fn join_classic(&mut self, group: &'static str) -> Cause {
        let join = JoinGroup {
            request: JoinGroupRequest {
                group_id: group.into(),
                session_timeout_ms: 60_000,
                rebalance_timeout_ms: 5_000,
                protocol_type: "consumer".into(),
                protocols: vec![JoinGroupRequestProtocol {
                    name: "range".into(),
                    metadata: bytes::Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"),
                    ..Default::default()
                }],
                ..Default::default()
            },
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: self.new_id(),
            member_ids: MemberIds::Optional,
            can_skip_assignment: true,
        };
        let Some(Response::JoinGroup(joined)) = self.ask_and_wait(Command::JoinGroup(join)) else {
            return Cause::Time;
        };
        if joined.error_code != 0 {
            return Cause::Time;
        }
        let sync = SyncGroupRequest {
            group_id: group.into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                ..Default::default()
            }],
            ..Default::default()
        };
        self.ask_and_wait(Command::SyncGroup(sync));
        let member = Member {
            id: joined.member_id.to_string(),
            epoch: joined.generation_id,
            is_classic: true,
        };
        self.members.insert(group, member);
        Cause::Time
    }

    fn join_consumer(&mut self, group: &'static str) -> Cause {
        let id = self.new_id();
        let request = ConsumerGroupHeartbeatRequest {
            group_id: group.into(),
            member_id: id.as_str().into(),
            rebalance_timeout_ms: 5_000,
            subscribed_topic_names: Some(vec!["t".into()]),
            topic_partitions: Some(Vec::new()),
            ..Default::default()
        };
        let heartbeat = ConsumerHeartbeat {
            request,
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: None,
        };
        if let Some(Response::ConsumerGroupHeartbeat(heard)) =
            self.ask_and_wait(Command::ConsumerGroupHeartbeat(heartbeat))
            && heard.error_code == 0
        {
            let member = Member {
                id,
                epoch: heard.member_epoch,
                is_classic: false,
            };
            self.members.insert(group, member);
        }
        Cause::Time
    }

    fn leave(&mut self, group: &'static str) -> Cause {
        let Some(member) = self.members.remove(group) else {
            return Cause::Nothing;
        };
        let command = if member.is_classic {
            Command::LeaveGroup(LeaveGroupRequest {
                group_id: group.into(),
                members: vec![MemberIdentity {
                    member_id: member.id.as_str().into(),
                    ..Default::default()
                }],
                ..Default::default()
            })
        } else {
            Command::ConsumerGroupHeartbeat(ConsumerHeartbeat {
                request: ConsumerGroupHeartbeatRequest {
                    group_id: group.into(),
                    member_id: member.id.as_str().into(),
                    member_epoch: -1,
                    rebalance_timeout_ms: -1,
                    ..Default::default()
                },
                client_id: "c".to_owned(),
                client_host: "/127.0.0.1".to_owned(),
                candidate_member_id: None,
            })
        };
        self.ask(command, None, Cause::Nothing)
    }

    fn delete_offset(&mut self, group: &'static str, topic: &'static str) -> Cause {
        let partition_index = i32::try_from(self.numbers.below(2)).expect("few");
        let request = OffsetDeleteRequest {
            group_id: group.into(),
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: vec![OffsetDeleteRequestPartition {
                    partition_index,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        self.ask(Command::OffsetDelete(request), None, Cause::Delete(group))
    }

    /// And another of its name comes at once.
    fn delete_topic(&mut self, topic: &'static str) -> Cause {
        let id = self.topic_ids.get_mut(topic).expect("all are there");
        let topics = vec![(topic.to_owned(), Uuid::from(*id))];
        *id += 1;
        self.ask(
            Command::TopicsDeleted { topics },
            None,
            Cause::TopicGone(topic),
        )
    }

    fn let_time_pass(&mut self) -> Cause {
        let steps = [1, 1_000, 60_000, 700_000, 2 * RETENTION_MS];
        let step = Millis(steps[self.numbers.below(steps.len())]);
        if self.numbers.one_in(4) {
            // Somebody sets the clock: back, as far as it goes.
            let by = if self.numbers.one_in(2) {
                step
            } else {
                Millis(-step.0)
            };
            self.now = self.now.plus(by);
            self.host.clock_moved(by);
        } else {
            self.now = self.now.plus(step);
        }
        self.host.advance(self.now, &mut self.log);
        Cause::Time
    }

    fn become_durable(&mut self) {
        self.committed_end = self.log.end();
        self.host.committed(self.committed_end);
    }

    /// What was not committed is gone, and so is all soft state. In some runs the log comes from a broker that knows
    /// transactions.
    fn restart(&mut self) {
        check_replay(
            &self.settings,
            &self.log.records,
            self.host.machine().hard(),
        );
        if !self.has_transactions {
            check_compacted(
                &self.settings,
                &self.log.records,
                self.host.machine().hard(),
            );
        }
        self.log.lose_uncommitted(self.committed_end);
        if self.has_transactions {
            self.write_transactions();
        }
        self.committed_end = self.log.end();
        let machine = GroupMachine::new(self.settings.clone());
        let host = load(machine, self.now, &mut self.log);
        let old = std::mem::replace(&mut self.host, host);
        for (token, _) in old.unload(ErrorCode::NotCoordinator) {
            assert!(self.asked.remove(&token).is_some());
        }
        assert!(self.asked.is_empty(), "a request was never answered");
        let there = self.offsets();
        for (place, value) in &self.floor {
            let found = there.get(place).map(|(offset, ..)| *offset);
            assert!(
                found >= Some(*value),
                "{place:?}: {value} was acknowledged, {found:?} is there"
            );
        }
    }

    fn write_transactions(&mut self) {
        for _ in 0..self.numbers.below(4) {
            let producer_id = ProducerId(i64::try_from(self.numbers.below(3)).expect("few"));
            let record = if self.numbers.one_in(2) {
                TransactionRecord::End {
                    producer_id,
                    is_committed: self.numbers.one_in(2),
                }
            } else {
                self.last_value += 1;
                let topic = TOPICS[self.numbers.below(TOPICS.len())];
                TransactionRecord::Offset {
                    producer_id,
                    key: OffsetCommitKey {
                        group: GROUPS[self.numbers.below(GROUPS.len())].into(),
                        topic: topic.into(),
                        partition: 0,
                        ..Default::default()
                    },
                    value: OffsetCommitValue {
                        offset: self.last_value,
                        commit_timestamp: self.now.0,
                        expire_timestamp: -1,
                        topic_id: Uuid::from(self.topic_ids[topic]),
                        ..Default::default()
                    },
                }
            };
            self.log.records.push(GroupRecord::Transaction(record));
        }
    }

    fn take_answers(&mut self) {
        for (token, answer) in self.host.take_answers() {
            let commit = self.asked.remove(&token).expect("asked once");
            if let (Some((place, value)), Ok(Response::OffsetCommit(response))) = (commit, &answer)
                && response.topics[0].partitions[0].error_code == 0
            {
                self.acknowledged += 1;
                // Deleted meanwhile, it need not be there any more.
                if self
                    .offsets()
                    .get(&place)
                    .is_some_and(|(there, ..)| *there >= value)
                {
                    self.floor.insert(place, value);
                }
            }
            self.heard.insert(token, answer);
        }
    }

    fn offsets(&self) -> BTreeMap<Place, Found> {
        let hard = self.host.machine().hard();
        let mut offsets = BTreeMap::new();
        for group in GROUPS {
            for topic in TOPICS {
                for partition in 0..2 {
                    if let Some(found) = hard.offset(group, topic, partition) {
                        let place = (group, topic, partition);
                        let found = (found.offset, found.commit_time, found.expire_time);
                        offsets.insert(place, found);
                    }
                }
            }
        }
        offsets
    }

    fn check_changes(&mut self, before: &BTreeMap<Place, Found>, cause: Cause) {
        let after = self.offsets();
        let hard = self.host.machine().hard();
        for (place, (value, ..)) in &after {
            let old = before.get(place).map(|(old, ..)| *old);
            if old != Some(*value) {
                assert!(
                    Some(*value) > old,
                    "{place:?} went back from {old:?} to {value}"
                );
                assert_eq!(cause, Cause::Commit(place.0), "{place:?} became {value}");
            }
        }
        for (place, (_, committed_at, expires_at)) in before {
            if after.contains_key(place) {
                continue;
            }
            self.removed += 1;
            self.floor.remove(place);
            let is_explained = match cause {
                Cause::Delete(group) => group == place.0,
                Cause::TopicGone(topic) => topic == place.1,
                Cause::Time => {
                    // By when the group became empty, too; one that is gone was empty.
                    let is_empty = hard
                        .group(place.0)
                        .is_none_or(|group| group.members.is_empty())
                        && hard
                            .consumer_group(place.0)
                            .is_none_or(|group| group.epochs().2.next().is_none());
                    is_empty
                        || self.now.0 - committed_at.0 >= RETENTION_MS
                        || expires_at.is_some_and(|end| self.now >= end)
                }
                Cause::Commit(_) | Cause::Nothing => false,
            };
            assert!(is_explained, "{place:?} is gone by {cause:?}");
        }
    }
}
