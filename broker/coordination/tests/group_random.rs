//! S-25: random requests, deadlines, refused appends and crashes against hosted groups.
//!
//! Always: within a generation a partition has one owner; generations rise while the coordinator stays; a sync tells
//! what the log holds; an acknowledged commit is still there after a crash; replaying the log gives the live hard
//! state; every request is answered exactly once (the host asserts that it is not twice).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use bytes::Bytes;
use ottla_coordination::group::{
    Command, GroupMachine, GroupRecord, JoinGroup, MemberIds, Response, Settings, UnknownGroup,
};
use ottla_coordination::{Answer, Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest,
    SyncGroupRequest,
};
use ottla_protocol::types::{Millis, Offset};

use crate::support::{MemoryLog, Numbers, check_compacted, check_replay, load, seeds_wanted};

const GROUPS: [&str; 2] = ["g", "h"];
const STEPS: usize = 400;

#[test]
fn random_runs_keep_the_groups_promises() {
    let seeds = match std::env::var("OTTLA_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..seeds_wanted(150)).collect(),
    };
    let runs = seeds.len();
    let mut parts_given = 0;
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        parts_given += world.parts_given;
        world.finish();
    }
    // Otherwise the promises were kept for want of occasion.
    assert!(
        parts_given > 20 * runs,
        "{parts_given} parts in {runs} runs"
    );
}

struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "again: OTTLA_SEED={} cargo test -p ottla-coordination random_runs",
                self.0
            );
        }
    }
}

/// What was asked, as far as its answer is checked.
#[derive(Clone)]
enum Asked {
    Join {
        group: usize,
        instance: Option<String>,
    },
    Sync {
        group: usize,
        generation: i32,
        member: String,
    },
    Heartbeat {
        group: usize,
        member: String,
    },
    Commit {
        group: usize,
        value: i64,
    },
    Other,
}

/// A member as its client knows it.
#[derive(Clone)]
struct Client {
    id: String,
    instance: Option<String>,
    generation: i32,
    /// Whom it has to assign to, if it leads.
    members: Vec<String>,
    next: Next,
}

#[derive(Clone, Copy)]
enum Next {
    Join,
    Sync,
    Heartbeat,
}

/// What a client does after a sync or a heartbeat; none: it starts over without an id.
fn after(code: i16) -> Option<Next> {
    match ErrorCode::from_code(code) {
        ErrorCode::None => Some(Next::Heartbeat),
        ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => Some(Next::Join),
        _ => None,
    }
}

struct World {
    numbers: Numbers,
    now: Millis,
    settings: Settings,
    log: MemoryLog<GroupRecord>,
    host: Host<GroupMachine>,
    committed_end: Offset,
    next_token: u64,
    next_value: i64,
    asked: BTreeMap<ReplyToken, Asked>,
    clients: [Vec<Client>; 2],
    generation_floor: [i32; 2],
    acknowledged: [i64; 2],
    /// Group, generation, part: who was told that it is theirs.
    owners: BTreeMap<(usize, i32, Bytes), String>,
    instances: BTreeMap<String, String>,
    parts_given: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let settings = Settings {
            group_size_max: 3 + numbers.below(4),
            initial_rebalance_delay_ms: if numbers.one_in(2) { 0 } else { 500 },
            ..Settings::default()
        };
        let mut log = MemoryLog::default();
        let now = Millis(1_000);
        let host = load(GroupMachine::new(settings.clone()), now, &mut log);
        Self {
            numbers,
            now,
            settings,
            log,
            host,
            committed_end: Offset(0),
            next_token: 0,
            next_value: 0,
            asked: BTreeMap::new(),
            clients: [Vec::new(), Vec::new()],
            generation_floor: [0; 2],
            acknowledged: [-1; 2],
            owners: BTreeMap::new(),
            instances: BTreeMap::new(),
            parts_given: 0,
        }
    }

    fn step(&mut self) {
        let group = self.numbers.below(GROUPS.len());
        match self.numbers.below(100) {
            0..50 => self.do_what_is_next(group),
            50..56 => self.join(group, None),
            56..60 => self.sync(group, None),
            60..64 => self.heartbeat(group, None),
            64 => self.leave(group),
            65..70 => self.commit(group),
            70..80 => self.let_time_pass(),
            80 => self.refuse_an_append(),
            81 => self.crash(),
            _ => self.become_durable(),
        }
        self.take_answers();
    }

    fn ask(&mut self, command: Command, asked: Asked) {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.asked.insert(token, asked);
        self.host.handle(self.now, token, command, &mut self.log);
    }

    fn a_client(&mut self, group: usize) -> Option<Client> {
        self.numbers.pick(&self.clients[group]).cloned()
    }

    /// One client goes on as a sensible client does.
    fn do_what_is_next(&mut self, group: usize) {
        let Some(client) = self.a_client(group) else {
            self.join(group, None);
            return;
        };
        match client.next {
            Next::Join => self.join(group, Some(client)),
            Next::Sync => self.sync(group, Some(client)),
            Next::Heartbeat => self.heartbeat(group, Some(client)),
        }
    }

    fn change(&mut self, group: usize, id: &str, next: Option<Next>) {
        match next {
            None => self.clients[group].retain(|client| client.id != id),
            Some(next) => {
                for client in &mut self.clients[group] {
                    if client.id == id {
                        client.next = next;
                    }
                }
            }
        }
    }

    fn join(&mut self, group: usize, client: Option<Client>) {
        let instance = match &client {
            Some(client) => client.instance.clone(),
            None if self.numbers.one_in(3) => Some(format!("i{}", self.numbers.below(2))),
            None => None,
        };
        let member_id = client.map(|client| client.id).unwrap_or_default();
        let protocols = ["range", "roundrobin"];
        let offered = if self.numbers.one_in(4) { 1 } else { 2 };
        let protocols = protocols[..offered]
            .iter()
            .map(|name| JoinGroupRequestProtocol {
                name: (*name).into(),
                metadata: Bytes::from_static(b"\0\0\0\0\0\0"),
                ..Default::default()
            });
        let candidate = format!("m{}", self.next_token);
        let join = JoinGroup {
            request: JoinGroupRequest {
                group_id: GROUPS[group].into(),
                session_timeout_ms: 6_000,
                rebalance_timeout_ms: 3_000,
                member_id: member_id.as_str().into(),
                group_instance_id: instance.as_deref().map(Into::into),
                protocol_type: "consumer".into(),
                protocols: protocols.collect(),
                ..Default::default()
            },
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: candidate,
            member_ids: if self.numbers.one_in(2) {
                MemberIds::Required
            } else {
                MemberIds::Optional
            },
            can_skip_assignment: self.numbers.one_in(2),
        };
        self.ask(Command::JoinGroup(join), Asked::Join { group, instance });
    }

    fn sync(&mut self, group: usize, client: Option<Client>) {
        let Some(client) = client.or_else(|| self.a_client(group)) else {
            return;
        };
        let assignments =
            client
                .members
                .iter()
                .enumerate()
                .map(|(part, member)| SyncGroupRequestAssignment {
                    member_id: member.as_str().into(),
                    assignment: Bytes::from(format!("part-{part}")),
                    ..Default::default()
                });
        let request = SyncGroupRequest {
            group_id: GROUPS[group].into(),
            generation_id: client.generation,
            member_id: client.id.as_str().into(),
            group_instance_id: client.instance.as_deref().map(Into::into),
            assignments: assignments.collect(),
            ..Default::default()
        };
        let asked = Asked::Sync {
            group,
            generation: client.generation,
            member: client.id,
        };
        self.ask(Command::SyncGroup(request), asked);
    }

    fn heartbeat(&mut self, group: usize, client: Option<Client>) {
        if let Some(client) = client.or_else(|| self.a_client(group)) {
            let request = HeartbeatRequest {
                group_id: GROUPS[group].into(),
                generation_id: client.generation,
                member_id: client.id.as_str().into(),
                ..Default::default()
            };
            let asked = Asked::Heartbeat {
                group,
                member: client.id,
            };
            self.ask(Command::Heartbeat(request), asked);
        }
    }

    fn leave(&mut self, group: usize) {
        if let Some(client) = self.a_client(group) {
            let member = MemberIdentity {
                member_id: client.id.as_str().into(),
                ..Default::default()
            };
            let request = LeaveGroupRequest {
                group_id: GROUPS[group].into(),
                members: vec![member],
                ..Default::default()
            };
            self.ask(Command::LeaveGroup(request), Asked::Other);
        }
    }

    fn commit(&mut self, group: usize) {
        let client = self.a_client(group);
        self.next_value += 1;
        let partition = OffsetCommitRequestPartition {
            committed_offset: self.next_value,
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: GROUPS[group].into(),
            generation_id_or_member_epoch: client.as_ref().map_or(-1, |client| client.generation),
            member_id: client
                .map(|client| client.id.as_str().into())
                .unwrap_or_default(),
            topics: vec![topic],
            ..Default::default()
        };
        let asked = Asked::Commit {
            group,
            value: self.next_value,
        };
        let unknown_group = UnknownGroup::NotFound;
        self.ask(
            Command::OffsetCommit {
                request,
                unknown_group,
            },
            asked,
        );
    }

    fn let_time_pass(&mut self) {
        let step = [1, 100, 500, 2_000][self.numbers.below(4)];
        self.now = self.now.plus(Millis(step));
        self.host.advance(self.now, &mut self.log);
    }

    fn refuse_an_append(&mut self) {
        self.log.refuse_next = Some(ErrorCode::NotEnoughReplicas);
    }

    fn become_durable(&mut self) {
        self.committed_end = self.log.end();
        self.host.committed(self.committed_end);
    }

    /// What was not committed is gone, and so is all soft state.
    fn crash(&mut self) {
        self.check_replay();
        self.log.lose_uncommitted(self.committed_end);
        let host = load(
            GroupMachine::new(self.settings.clone()),
            self.now,
            &mut self.log,
        );
        let old = std::mem::replace(&mut self.host, host);
        for (token, answer) in old.unload(ErrorCode::NotCoordinator) {
            assert!(self.asked.remove(&token).is_some());
            // Answers that were ready may say anything; nobody heard them.
            drop(answer);
        }
        assert!(self.asked.is_empty(), "a request was never answered");
        let hard = self.host.machine().hard();
        for (group, id) in GROUPS.iter().enumerate() {
            self.generation_floor[group] = hard.group(id).map_or(0, |group| group.generation.0);
            let offset = hard
                .offset(id, "t", 0)
                .map_or(-1, |committed| committed.offset);
            assert!(
                offset >= self.acknowledged[group],
                "commit {} of {id} was acknowledged, {offset} is there",
                self.acknowledged[group]
            );
        }
        // A generation that never was on the log may come again, with other owners.
        self.owners
            .retain(|(group, generation, _), _| *generation <= self.generation_floor[*group]);
    }

    fn take_answers(&mut self) {
        for (token, answer) in self.host.take_answers() {
            let asked = self
                .asked
                .remove(&token)
                .expect("asked and not answered yet");
            self.check(&asked, answer);
        }
    }

    fn check(&mut self, asked: &Asked, answer: Answer<Response>) {
        match (asked, answer) {
            (Asked::Join { group, instance }, Ok(Response::JoinGroup(response))) => {
                self.joined(*group, instance.clone(), &response);
            }
            (
                Asked::Sync {
                    group,
                    generation,
                    member,
                },
                Ok(Response::SyncGroup(response)),
            ) => {
                self.change(*group, member, after(response.error_code));
                if response.error_code == 0 {
                    self.owns(*group, *generation, member, response.assignment);
                }
            }
            (Asked::Heartbeat { group, member }, Ok(Response::Heartbeat(response))) => {
                self.change(*group, member, after(response.error_code));
            }
            (Asked::Commit { group, value }, Ok(Response::OffsetCommit(response)))
                if response.topics[0].partitions[0].error_code == 0 =>
            {
                self.acknowledged[*group] = self.acknowledged[*group].max(*value);
            }
            _ => {}
        }
    }

    fn joined(&mut self, group: usize, instance: Option<String>, response: &JoinGroupResponse) {
        let id = response.member_id.to_string();
        if response.error_code == ErrorCode::MemberIdRequired.code() {
            let client = Client {
                id,
                instance: None,
                generation: -1,
                members: Vec::new(),
                next: Next::Join,
            };
            self.clients[group].push(client);
        } else if response.error_code == 0 {
            let generation = response.generation_id;
            assert!(
                generation >= self.generation_floor[group],
                "generation {generation} after {}",
                self.generation_floor[group]
            );
            self.generation_floor[group] = generation;
            if let Some(instance) = &instance {
                self.instances.insert(id.clone(), instance.clone());
            }
            let members: Vec<String> = response
                .members
                .iter()
                .map(|member| member.member_id.to_string())
                .collect();
            let unique: BTreeSet<&String> = members.iter().collect();
            assert_eq!(unique.len(), members.len());
            self.clients[group].retain(|client| client.id != id);
            self.clients[group].push(Client {
                id,
                instance,
                generation,
                members,
                next: Next::Sync,
            });
        }
        // Clients that are long out only make refusals.
        if self.clients[group].len() > 8 {
            self.clients[group].remove(0);
        }
    }

    fn owns(&mut self, group: usize, generation: i32, member: &str, part: Bytes) {
        let is_on_the_log = self.log.records.iter().any(|record| match record {
            GroupRecord::GroupMetadata {
                key,
                value: Some(value),
            } => {
                key.group == GROUPS[group]
                    && value.generation == generation
                    && value
                        .members
                        .iter()
                        .any(|stored| stored.member_id == member && stored.assignment == part)
            }
            _ => false,
        });
        assert!(is_on_the_log, "{member} was told a part that is not stored");
        if part.is_empty() {
            return;
        }
        self.parts_given += 1;
        // A static member that came back has another id and is the same owner.
        let owner = self
            .instances
            .get(member)
            .cloned()
            .unwrap_or_else(|| member.to_owned());
        let key = (group, generation, part);
        let holder = self.owners.entry(key).or_insert_with(|| owner.clone());
        assert_eq!(*holder, owner, "one part, one generation, two owners");
    }

    fn check_replay(&self) {
        let hard = self.host.machine().hard();
        check_replay(&self.settings, &self.log.records, hard);
        check_compacted(&self.settings, &self.log.records, hard);
    }

    fn finish(mut self) {
        self.become_durable();
        self.take_answers();
        self.crash();
    }
}
