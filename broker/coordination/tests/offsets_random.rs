//! Random runs about committed offsets, in groups of both protocols and of none: commits, transactions, deletions, expiry,
//! topics that go and come, clocks that jump, refused appends and crashes.
//!
//! Always: an offset changes by a commit, its own or its transaction's, and goes by a deletion or by expiry, never on its
//! own; an acknowledged commit is there after a crash; what counts and what is pending is what the log says; replaying
//! the log, or what compaction leaves of it, gives the live hard state; every request is answered once.

mod expected;

use std::collections::BTreeMap;
use std::io::Write as _;

use ottla_coordination::group::{
    Command, ConsumerHeartbeat, GroupMachine, GroupRecord, JoinGroup, MemberIds, Response,
    Settings, UnknownGroup,
};
use ottla_coordination::txn::EndTransaction;
use ottla_coordination::txn::coordinator::{Outcome, TransactionVersion};
use ottla_coordination::{Answer, Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
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
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};
use ottla_protocol::wire::Uuid;

use crate::support::{MemoryLog, Numbers, check_compacted, check_replay, consumer_heartbeat, load};
use expected::{Expected, expected};

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
    let (mut acknowledged, mut transactions, mut removed) = (0, 0, 0);
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.restart();
        acknowledged += world.acknowledged;
        transactions += world.transactions;
        removed += world.removed;
    }
    // Otherwise the promises were kept for want of occasion.
    let seen = format!(
        "{acknowledged} commits, {transactions} committed transactions, {removed} offsets removed in {runs} runs"
    );
    assert!(acknowledged > 20 * runs && removed > 10 * runs, "{seen}");
    assert!(transactions > 3 * runs, "{seen}");
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
    TransactionEnd,
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
    /// With what is promised by the answer.
    asked: BTreeMap<ReplyToken, Vec<(Place, i64)>>,
    heard: BTreeMap<ReplyToken, Answer<Response>>,
    members: BTreeMap<&'static str, Member>,
    topic_ids: BTreeMap<&'static str, u128>,
    /// What producers have sent since their last transaction's end.
    sent: BTreeMap<ProducerId, Vec<(Place, i64)>>,
    /// What was acknowledged, and not deleted since.
    floor: BTreeMap<Place, i64>,
    acknowledged: usize,
    /// Those that were committed with offsets in them.
    transactions: usize,
    removed: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let numbers = Numbers(seed);
        let mut settings = Settings {
            initial_rebalance_delay_ms: 0,
            offsets_retention_ms: RETENTION_MS,
            ..Settings::default()
        };
        settings.consumer.assignment_interval_ms = 0;
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
            sent: BTreeMap::new(),
            floor: BTreeMap::new(),
            acknowledged: 0,
            transactions: 0,
            removed: 0,
        }
    }

    fn step(&mut self) {
        let group = GROUPS[self.numbers.below(GROUPS.len())];
        let topic = TOPICS[self.numbers.below(TOPICS.len())];
        let before = self.offsets();
        let cause = match self.numbers.below(100) {
            0..22 => self.commit(group, topic),
            22..30 => self.send(group, topic),
            30..35 => self.end_transaction(),
            35..43 => self.join_classic(group),
            43..51 => self.join_consumer(group),
            51..57 => self.leave(group),
            57..62 => self.delete_offset(group, topic),
            62..65 => self.ask(
                Command::DeleteGroups {
                    group_ids: vec![group.into()],
                },
                Vec::new(),
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
        self.check_expected();
    }

    fn ask(&mut self, command: Command, promised: Vec<(Place, i64)>, cause: Cause) -> Cause {
        self.last_token += 1;
        let token = ReplyToken(self.last_token);
        self.asked.insert(token, promised);
        self.host.handle(self.now, token, command, &mut self.log);
        cause
    }

    /// Asks, and waits for the answer with what it needs: time, and the disk.
    fn ask_and_wait(&mut self, command: Command) -> Option<Response> {
        self.ask(command, Vec::new(), Cause::Nothing);
        let token = ReplyToken(self.last_token);
        self.now = self.now.plus(Millis(1));
        self.host.advance(self.now, &mut self.log);
        self.become_durable();
        self.take_answers();
        self.heard.remove(&token)?.ok()
    }

    /// A commit of the next value, and of what it is.
    fn next_commit(
        &mut self,
        group: &'static str,
        topic: &'static str,
    ) -> (OffsetCommitRequest, (Place, i64)) {
        self.last_value += 1;
        let partition = i32::try_from(self.numbers.below(2)).expect("few");
        let member = self.members.get(group).filter(|_| !self.numbers.one_in(5));
        let request = OffsetCommitRequest {
            group_id: group.into(),
            generation_id_or_member_epoch: member.map_or(-1, |member| member.epoch),
            member_id: member
                .map(|member| member.id.as_str().into())
                .unwrap_or_default(),
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
        (request, ((group, topic, partition), self.last_value))
    }

    fn commit(&mut self, group: &'static str, topic: &'static str) -> Cause {
        let (mut request, what) = self.next_commit(group, topic);
        if self.numbers.one_in(20) {
            request.retention_time_ms = 1_000;
        }
        let command = Command::OffsetCommit {
            request,
            unknown_group: UnknownGroup::NotFound,
        };
        self.ask(command, vec![what], Cause::Commit(group))
    }

    /// As a part of the transaction that one of the producers has open, or opens.
    fn send(&mut self, group: &'static str, topic: &'static str) -> Cause {
        let (request, what) = self.next_commit(group, topic);
        let producer_id = self.a_producer();
        let command = Command::TxnOffsetCommit {
            request,
            producer_id,
            producer_epoch: ProducerEpoch(0),
        };
        let end = self.log.end();
        let cause = self.ask(command, Vec::new(), Cause::Nothing);
        if self.log.end() > end {
            self.sent.entry(producer_id).or_default().push(what);
        }
        cause
    }

    fn end_transaction(&mut self) -> Cause {
        let end = EndTransaction {
            producer_id: self.a_producer(),
            producer_epoch: ProducerEpoch(0),
            outcome: if self.numbers.one_in(3) {
                Outcome::Abort
            } else {
                Outcome::Commit
            },
            coordinator_epoch: 0,
            transaction_version: TransactionVersion(2),
        };
        let sent = self.sent.get(&end.producer_id).cloned();
        let promised = sent.filter(|_| end.outcome == Outcome::Commit);
        let log_end = self.log.end();
        let cause = self.ask(
            Command::EndTransaction(end),
            promised.unwrap_or_default(),
            Cause::TransactionEnd,
        );
        if self.log.end() > log_end {
            self.sent.remove(&end.producer_id);
        }
        cause
    }

    fn a_producer(&mut self) -> ProducerId {
        ProducerId(i64::try_from(self.numbers.below(3)).expect("few"))
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
        if let Some(Response::ConsumerGroupHeartbeat(heard)) =
            self.ask_and_wait(consumer_heartbeat(request))
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
        self.ask(command, Vec::new(), Cause::Nothing)
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
        self.ask(
            Command::OffsetDelete(request),
            Vec::new(),
            Cause::Delete(group),
        )
    }

    /// And another of its name comes at once.
    fn delete_topic(&mut self, topic: &'static str) -> Cause {
        let id = self.topic_ids.get_mut(topic).expect("all are there");
        let topics = vec![(topic.to_owned(), Uuid::from(*id))];
        *id += 1;
        self.ask(
            Command::TopicsDeleted { topics },
            Vec::new(),
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

    /// What was not committed is gone, and so is all soft state.
    fn restart(&mut self) {
        check_replay(
            &self.settings,
            &self.log.records,
            self.host.machine().hard(),
        );
        check_compacted(
            &self.settings,
            &self.log.records,
            self.host.machine().hard(),
        );
        self.log.lose_uncommitted(self.committed_end);
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

    fn take_answers(&mut self) {
        for (token, answer) in self.host.take_answers() {
            let promised = self.asked.remove(&token).expect("asked once");
            let is_kept = match &answer {
                Ok(Response::OffsetCommit(response)) => {
                    let is_kept = response.topics[0].partitions[0].error_code == 0;
                    self.acknowledged += usize::from(is_kept);
                    is_kept
                }
                Ok(Response::TransactionEnded) => {
                    self.transactions += usize::from(!promised.is_empty());
                    true
                }
                _ => false,
            };
            let there = self.offsets();
            for (place, value) in promised.into_iter().filter(|_| is_kept) {
                // Deleted meanwhile, it need not be there any more.
                if there.get(&place).is_some_and(|(there, ..)| *there >= value) {
                    let floor = self.floor.entry(place).or_insert(value);
                    *floor = value.max(*floor);
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
        for (place, (value, ..)) in &after {
            let old = before.get(place).map(|(old, ..)| *old);
            if old != Some(*value) {
                assert!(
                    Some(*value) > old,
                    "{place:?} went back from {old:?} to {value}"
                );
                let is_explained = matches!(cause, Cause::Commit(group) if group == place.0)
                    || cause == Cause::TransactionEnd;
                assert!(is_explained, "{place:?} became {value} by {cause:?}");
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
                    self.now.0 - committed_at.0 >= RETENTION_MS
                        || expires_at.is_some_and(|end| self.now >= end)
                        || self.is_empty(place.0)
                }
                Cause::Commit(_) | Cause::TransactionEnd | Cause::Nothing => false,
            };
            assert!(is_explained, "{place:?} is gone by {cause:?}");
        }
    }

    /// Whether the group has no members, as the log tells, or as it is itself: the log may have refused to note that the
    /// last one is gone.
    fn is_empty(&mut self, group: &'static str) -> bool {
        let hard = self.host.machine().hard();
        let classic = hard.group(group);
        let consumer = hard.consumer_group(group);
        if classic.is_none_or(|group| group.members.is_empty())
            && consumer.is_none_or(|group| group.epochs().2.next().is_none())
        {
            return true;
        }
        let command = Command::DescribeGroups {
            group_ids: vec![group.into()],
            unknown_group: UnknownGroup::NotFound,
        };
        match self.ask_and_wait(command) {
            Some(Response::DescribeGroups(groups)) => {
                groups.iter().all(|group| group.group_state == "Empty")
            }
            other => panic!("{other:?}"),
        }
    }

    fn check_expected(&self) {
        let hard = self.host.machine().hard();
        for group in GROUPS {
            for topic in TOPICS {
                for partition in 0..2 {
                    let there = Expected {
                        committed: hard
                            .offset(group, topic, partition)
                            .map(|found| found.offset),
                        is_pending: hard.pending().has(group, topic, partition),
                    };
                    let expected = expected(&self.log.records, group, topic, partition);
                    assert_eq!(there, expected, "{group} {topic}-{partition}");
                }
            }
        }
    }
}
