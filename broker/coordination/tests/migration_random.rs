//! Random members of both protocols in one group, which so goes to and fro between being a consumer group and a classic
//! one, with deadlines, refused appends and crashes.
//!
//! Always: a partition has one owner, as the records tell; a member that is in the group's epoch or generation works on
//! nothing that the records do not give it; epochs and generations are one number, which only rises; replaying the log
//! gives the live hard state; every request is answered; and when all is quiet every partition is with somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_coordination::group::{
    ClusterUpdate, Command, ConsumerHeartbeat, GroupMachine, GroupRecord, JoinGroup, MemberIds,
    Response, Settings,
};
use ottla_coordination::{Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::common::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use ottla_protocol::messages::common::consumer_protocol_subscription::TopicPartition as OwnedTopic;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerProtocolAssignment,
    ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, Message, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::{Reader, Uuid};

use crate::support::{MemoryLog, Numbers, check_replay, load, topics};

const GROUP: &str = "g";
const TOPIC: &str = "t";
const TOPIC_ID: Uuid = Uuid([7; 16]);
const PARTITIONS: i32 = 6;
const STEPS: usize = 400;

#[test]
fn random_runs_keep_the_promises_of_groups_that_change_their_protocol() {
    let seeds = match std::env::var("OTTLA_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..60).collect(),
    };
    let runs = seeds.len();
    let (mut ups, mut downs) = (0, 0);
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.come_to_rest();
        ups += world.ups;
        downs += world.downs;
    }
    // Otherwise the promises were kept for want of occasion.
    assert!(
        ups > runs && downs > runs,
        "{ups} times up and {downs} times down in {runs} runs"
    );
}

struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "again: OTTLA_SEED={} cargo test -p ottla-coordination change_their_protocol",
                self.0
            );
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Join,
    Sync,
    Beat,
}

/// A member as its client knows it.
#[derive(Clone, Debug)]
struct Client {
    /// What the test calls it; its member id may change.
    name: u64,
    id: String,
    instance: Option<String>,
    is_classic: bool,
    /// Epoch or generation.
    epoch: i32,
    /// Of a member of the classic protocol.
    next: Next,
    /// Whom it has to assign to, with what each owns, if it leads.
    members: Vec<(String, BTreeSet<i32>)>,
    /// What it works on.
    owned: BTreeSet<i32>,
    /// What it was told last; where it lacks something of what is owned, that is given up before long.
    told: BTreeSet<i32>,
}

struct World {
    numbers: Numbers,
    now: Millis,
    settings: Settings,
    /// Whether members of the classic protocol keep what they own while they join.
    is_cooperative: bool,
    log: MemoryLog<GroupRecord>,
    host: Host<GroupMachine>,
    committed_end: Offset,
    next_token: u64,
    next_name: u64,
    asked: BTreeMap<ReplyToken, u64>,
    clients: Vec<Client>,
    /// Epoch of the consumer group or generation of the classic one.
    number: i32,
    is_consumers: bool,
    members: BTreeSet<String>,
    ups: usize,
    downs: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let mut settings = Settings {
            initial_rebalance_delay_ms: 0,
            ..Settings::default()
        };
        settings.consumer.assignment_interval_ms = if numbers.one_in(3) { 1_000 } else { 0 };
        settings.consumer.session_timeout_ms = 6_000;
        let mut log = MemoryLog::default();
        let now = Millis(1_000);
        let host = load(GroupMachine::new(settings.clone()), now, &mut log);
        let mut world = Self {
            is_cooperative: numbers.one_in(2),
            numbers,
            now,
            settings,
            log,
            host,
            committed_end: Offset(0),
            next_token: 0,
            next_name: 0,
            asked: BTreeMap::new(),
            clients: Vec::new(),
            number: 0,
            is_consumers: false,
            members: BTreeSet::new(),
            ups: 0,
            downs: 0,
        };
        world.tell_topics();
        world
    }

    fn step(&mut self) {
        match self.numbers.below(100) {
            0..7 => self.come(),
            7..66 => self.go_on_as_one(),
            66..71 => self.leave(),
            71..73 => self.change_protocol(),
            73 => self.crash(),
            74 => self.log.refuse_next = Some(ErrorCode::NotEnoughReplicas),
            75..85 => self.let_time_pass(),
            _ => self.become_durable(),
        }
        self.check();
    }

    fn ask(&mut self, name: u64, command: Command) {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.asked.insert(token, name);
        self.host.handle(self.now, token, command, &mut self.log);
        self.take_answers();
    }

    fn come(&mut self) {
        if self.clients.len() >= 5 {
            return;
        }
        let instance = self
            .numbers
            .one_in(3)
            .then(|| format!("i{}", self.numbers.below(2)));
        let is_classic = self.numbers.one_in(2);
        self.start(is_classic, instance);
    }

    fn start(&mut self, is_classic: bool, instance: Option<String>) {
        self.next_name += 1;
        let client = Client {
            name: self.next_name,
            // Those of the consumer protocol make their id themselves.
            id: if is_classic {
                String::new()
            } else {
                format!("m{}", self.next_name)
            },
            instance,
            is_classic,
            epoch: 0,
            next: Next::Join,
            members: Vec::new(),
            owned: BTreeSet::new(),
            told: BTreeSet::new(),
        };
        self.clients.push(client.clone());
        self.go_on(client);
    }

    /// As a rolling upgrade does it: one goes, and comes back with the other protocol, as itself where it is static.
    fn change_protocol(&mut self) {
        let Some(client) = self.numbers.pick(&self.clients).cloned() else {
            return;
        };
        if client.instance.is_none() {
            self.send_leave(&client);
        }
        self.clients.retain(|other| other.name != client.name);
        self.start(!client.is_classic, client.instance);
    }

    fn go_on_as_one(&mut self) {
        if let Some(client) = self.numbers.pick(&self.clients).cloned() {
            self.go_on_unless_waiting(client.name);
        }
    }

    fn go_on_unless_waiting(&mut self, name: u64) {
        let waits = self.asked.values().any(|asked| *asked == name);
        if let Some(at) = self.position(name).filter(|_| !waits) {
            self.go_on(self.clients[at].clone());
        }
    }

    /// A client does what comes next, as a sensible one does.
    fn go_on(&mut self, mut client: Client) {
        if !client.is_classic {
            if self.numbers.one_in(2) {
                client.owned = client.owned.intersection(&client.told).copied().collect();
            }
            self.replace(client.clone());
            self.beat(&client);
            return;
        }
        match client.next {
            Next::Join => {
                if !self.is_cooperative {
                    client.owned.clear();
                }
                client.told = client.owned.clone();
                self.replace(client.clone());
                self.join(&client);
            }
            Next::Sync => self.sync(&client),
            Next::Beat => {
                let request = HeartbeatRequest {
                    group_id: GROUP.into(),
                    generation_id: client.epoch,
                    member_id: client.id.as_str().into(),
                    group_instance_id: client.instance.as_deref().map(Into::into),
                    ..Default::default()
                };
                self.ask(client.name, Command::Heartbeat(request));
            }
        }
    }

    fn replace(&mut self, client: Client) {
        if let Some(at) = self.position(client.name) {
            self.clients[at] = client;
        }
    }

    fn position(&self, name: u64) -> Option<usize> {
        self.clients.iter().position(|client| client.name == name)
    }

    fn beat(&mut self, client: &Client) {
        let is_full = client.epoch == 0 || self.numbers.one_in(2);
        let owned = (!client.owned.is_empty()).then(|| TopicPartitions {
            topic_id: TOPIC_ID,
            partitions: client.owned.iter().copied().collect(),
            ..Default::default()
        });
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: client.id.as_str().into(),
            member_epoch: client.epoch,
            instance_id: client.instance.as_deref().map(Into::into),
            rebalance_timeout_ms: if is_full { 5_000 } else { -1 },
            subscribed_topic_names: is_full.then(|| vec![TOPIC.into()]),
            topic_partitions: is_full.then(|| owned.into_iter().collect()),
            ..Default::default()
        };
        let heartbeat = ConsumerHeartbeat {
            request,
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: None,
        };
        self.ask(client.name, Command::ConsumerGroupHeartbeat(heartbeat));
    }

    fn join(&mut self, client: &Client) {
        let owned = (!client.owned.is_empty()).then(|| OwnedTopic {
            topic: TOPIC.into(),
            partitions: client.owned.iter().copied().collect(),
            ..Default::default()
        });
        let subscription = ConsumerProtocolSubscription {
            topics: vec![TOPIC.into()],
            owned_partitions: owned.into_iter().collect(),
            generation_id: client.epoch,
            ..Default::default()
        };
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: versioned(&subscription),
            ..Default::default()
        };
        let join = JoinGroup {
            request: JoinGroupRequest {
                group_id: GROUP.into(),
                session_timeout_ms: 6_000,
                rebalance_timeout_ms: 3_000,
                member_id: client.id.as_str().into(),
                group_instance_id: client.instance.as_deref().map(Into::into),
                protocol_type: "consumer".into(),
                protocols: vec![protocol],
                ..Default::default()
            },
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: format!("c{}", self.next_token),
            member_ids: MemberIds::Required,
            can_skip_assignment: false,
        };
        self.ask(client.name, Command::JoinGroup(join));
    }

    fn sync(&mut self, client: &Client) {
        let parts = shared_out(&client.members);
        let assignments =
            parts
                .into_iter()
                .map(|(member_id, partitions)| SyncGroupRequestAssignment {
                    member_id: member_id.into(),
                    assignment: versioned(&ConsumerProtocolAssignment {
                        assigned_partitions: vec![AssignedTopic {
                            topic: TOPIC.into(),
                            partitions,
                            ..Default::default()
                        }],
                        ..Default::default()
                    }),
                    ..Default::default()
                });
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: client.epoch,
            member_id: client.id.as_str().into(),
            group_instance_id: client.instance.as_deref().map(Into::into),
            assignments: assignments.collect(),
            ..Default::default()
        };
        self.ask(client.name, Command::SyncGroup(request));
    }

    fn leave(&mut self) {
        if let Some(client) = self.numbers.pick(&self.clients).cloned() {
            // Some go without a word.
            if !self.numbers.one_in(3) {
                self.send_leave(&client);
            }
            self.clients.retain(|other| other.name != client.name);
        }
    }

    fn send_leave(&mut self, client: &Client) {
        if !client.is_classic {
            let left = Client {
                epoch: -1,
                ..client.clone()
            };
            self.beat(&left);
            return;
        }
        let member = MemberIdentity {
            member_id: client.id.as_str().into(),
            ..Default::default()
        };
        let request = LeaveGroupRequest {
            group_id: GROUP.into(),
            members: vec![member],
            ..Default::default()
        };
        self.ask(client.name, Command::LeaveGroup(request));
    }

    fn tell_topics(&mut self) {
        let update = ClusterUpdate {
            topics: topics([(TOPIC, TOPIC_ID, PARTITIONS as usize)]),
            changed: std::sync::Arc::new(BTreeSet::from([TOPIC.to_owned()])),
            has_new_topics: true,
            settings: self.settings.consumer.clone(),
        };
        self.ask(0, Command::ClusterChanged(update));
    }

    fn let_time_pass(&mut self) {
        let step = [1, 500, 1_000, 3_000][self.numbers.below(4)];
        self.now = self.now.plus(Millis(step));
        self.host.advance(self.now, &mut self.log);
        self.take_answers();
    }

    fn become_durable(&mut self) {
        self.committed_end = self.log.end();
        self.host.committed(self.committed_end);
        self.take_answers();
    }

    /// What was not committed is gone, and so is all soft state. Members that wait for an answer ask again.
    fn crash(&mut self) {
        self.check_replay();
        self.log.lose_uncommitted(self.committed_end);
        let host = load(
            GroupMachine::new(self.settings.clone()),
            self.now,
            &mut self.log,
        );
        let old = std::mem::replace(&mut self.host, host);
        for (token, _) in old.unload(ErrorCode::NotCoordinator) {
            assert!(self.asked.remove(&token).is_some());
        }
        assert!(self.asked.is_empty(), "a request was never answered");
        // Numbers that were never told may come again.
        self.members.clear();
        self.tell_topics();
    }

    fn take_answers(&mut self) {
        for (token, answer) in self.host.take_answers() {
            let name = self.asked.remove(&token).expect("asked once");
            let Some(at) = self.position(name) else {
                continue;
            };
            let code = match &answer {
                Ok(Response::JoinGroup(response)) => response.error_code,
                Ok(Response::SyncGroup(response)) => response.error_code,
                Ok(Response::Heartbeat(response)) => response.error_code,
                Ok(_) | Err(_) => 0,
            };
            if code == ErrorCode::FencedInstanceId.code() {
                // Another of the same name has its place.
                self.clients.remove(at);
                continue;
            }
            match answer {
                Ok(Response::ConsumerGroupHeartbeat(response)) => self.beaten(at, &response),
                Ok(Response::JoinGroup(response)) => self.joined(at, &response),
                Ok(Response::SyncGroup(response)) => self.synced(at, &response),
                Ok(Response::Heartbeat(response)) => {
                    self.clients[at].after(response.error_code, Next::Beat);
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn beaten(&mut self, at: usize, response: &ConsumerGroupHeartbeatResponse) {
        let client = &mut self.clients[at];
        if client.is_classic || response.member_epoch < 0 {
            return;
        }
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => client.epoch = response.member_epoch,
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                client.start_over();
                return;
            }
            // The group has become a classic one, or another has the place.
            _ => {
                self.clients.remove(at);
                return;
            }
        }
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            client.told = topics.flat_map(|topic| topic.partitions.clone()).collect();
            client.owned.extend(client.told.iter().copied());
        }
    }

    fn joined(&mut self, at: usize, response: &JoinGroupResponse) {
        let client = &mut self.clients[at];
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                client.id = response.member_id.to_string();
                return;
            }
            _ => {
                client.after(response.error_code, Next::Join);
                return;
            }
        }
        client.id = response.member_id.to_string();
        client.epoch = response.generation_id;
        client.next = Next::Sync;
        let members = response.members.iter().map(|member| {
            let mut reader = Reader::new(member.metadata.slice(2..));
            let version = ConsumerProtocolSubscription::MAX_VERSION;
            let subscription = ConsumerProtocolSubscription::decode(&mut reader, version);
            let owned = subscription.expect("a subscription").owned_partitions;
            let owned = owned.into_iter().flat_map(|topic| topic.partitions);
            (member.member_id.to_string(), owned.collect())
        });
        client.members = members.collect();
    }

    fn synced(&mut self, at: usize, response: &SyncGroupResponse) {
        let client = &mut self.clients[at];
        client.after(response.error_code, Next::Beat);
        if response.error_code != 0 {
            return;
        }
        let mut told = BTreeSet::new();
        if !response.assignment.is_empty() {
            let mut reader = Reader::new(response.assignment.slice(2..));
            let version = ConsumerProtocolAssignment::MAX_VERSION;
            let assignment = ConsumerProtocolAssignment::decode(&mut reader, version);
            let topics = assignment.expect("an assignment").assigned_partitions;
            told.extend(topics.into_iter().flat_map(|topic| topic.partitions));
        }
        // What was given up is to be shared out.
        if !client.owned.is_subset(&told) {
            client.next = Next::Join;
        }
        client.owned = told.clone();
        client.told = told;
    }

    fn check(&mut self) {
        let hard = self.host.machine().hard();
        let mut owners: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        let mut numbers: BTreeMap<String, i32> = BTreeMap::new();
        let mut number = 0;
        let mut is_consumers = false;
        if let Some(group) = hard.consumer_group(GROUP) {
            for (_, index, member) in group.owners() {
                owners.entry(member.to_owned()).or_default().insert(index);
            }
            let (epoch, _, members) = group.epochs();
            number = epoch;
            is_consumers = true;
            numbers.extend(members.map(|(id, epoch)| (id.to_owned(), epoch)));
        } else if let Some(group) = hard.group(GROUP) {
            number = group.generation.0;
            for member in &group.members {
                let id = member.member_id.clone();
                numbers.insert(id.clone(), number);
                owners.insert(id, assigned(&member.assignment));
            }
        }
        let mut held = BTreeSet::new();
        for partition in owners.values().flatten() {
            assert!(
                held.insert(*partition),
                "{partition} has two owners: {owners:?}"
            );
        }
        for client in &self.clients {
            // Who has joined works on with what it has until it has synced.
            let knows = !client.is_classic || client.next == Next::Beat;
            if knows && client.epoch > 0 && numbers.get(&client.id) == Some(&client.epoch) {
                let own = owners.get(&client.id).cloned().unwrap_or_default();
                assert!(client.owned.is_subset(&own), "{client:?} has only {own:?}");
            }
        }
        // A group that has lost all its members may begin anew.
        let goes_on = numbers.keys().any(|id| self.members.contains(id));
        if goes_on {
            assert!(number >= self.number, "{number} after {}", self.number);
            self.ups += usize::from(is_consumers && !self.is_consumers);
            self.downs += usize::from(!is_consumers && self.is_consumers);
        }
        self.number = number;
        self.is_consumers = is_consumers;
        self.members = numbers.into_keys().collect();
    }

    fn check_replay(&self) {
        let hard = self.host.machine().hard();
        check_replay(&self.settings, &self.log.records, hard);
    }

    /// Everybody does what is asked, until nothing changes: then each partition has one owner.
    fn come_to_rest(&mut self) {
        if self.clients.is_empty() {
            self.start(false, None);
        }
        for _ in 0..60 {
            self.now = self.now.plus(Millis(500));
            self.host.advance(self.now, &mut self.log);
            self.become_durable();
            for name in self
                .clients
                .iter()
                .map(|client| client.name)
                .collect::<Vec<_>>()
            {
                self.go_on_unless_waiting(name);
                self.become_durable();
                self.check();
            }
            if self.clients.is_empty() {
                self.start(true, None);
            }
        }
        self.check_replay();
        let mut held: BTreeSet<i32> = BTreeSet::new();
        for client in &self.clients {
            for partition in &client.owned {
                assert!(held.insert(*partition), "{partition} has two owners");
            }
        }
        assert_eq!(held, (0..PARTITIONS).collect(), "{:?}", self.clients);
    }
}

impl Client {
    fn start_over(&mut self) {
        self.epoch = 0;
        self.owned.clear();
        self.told.clear();
        self.next = Next::Join;
    }

    /// What a member of the classic protocol does after an answer.
    fn after(&mut self, code: i16, next: Next) {
        match ErrorCode::from_code(code) {
            ErrorCode::None => self.next = next,
            ErrorCode::RebalanceInProgress => self.next = Next::Join,
            ErrorCode::IllegalGeneration => self.start_over(),
            _ => {
                self.start_over();
                self.id.clear();
            }
        }
    }
}

/// As an assignor for cooperative members does it: what somebody owns is given to nobody else.
fn shared_out(members: &[(String, BTreeSet<i32>)]) -> Vec<(String, Vec<i32>)> {
    let mut parts: Vec<(String, Vec<i32>)> = members
        .iter()
        .map(|(id, _)| (id.clone(), Vec::new()))
        .collect();
    for (partition, at) in (0..PARTITIONS).zip((0..members.len()).cycle()) {
        let is_free = |other: usize| !members[other].1.contains(&partition);
        if (0..members.len()).all(|other| other == at || is_free(other)) {
            parts[at].1.push(partition);
        }
    }
    parts
}

fn assigned(assignment: &Bytes) -> BTreeSet<i32> {
    if assignment.is_empty() {
        return BTreeSet::new();
    }
    let mut reader = Reader::new(assignment.slice(2..));
    let version = ConsumerProtocolAssignment::MAX_VERSION;
    let assignment = ConsumerProtocolAssignment::decode(&mut reader, version);
    let topics = assignment.expect("an assignment").assigned_partitions;
    let partitions = topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.collect()
}

fn versioned<M: Message>(message: &M) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(M::MAX_VERSION);
    bytes.put(message.to_bytes(M::MAX_VERSION));
    bytes.freeze()
}
