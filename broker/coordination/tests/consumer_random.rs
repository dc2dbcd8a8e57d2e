//! Random heartbeats, deadlines, changes of topics, refused appends and crashes against hosted consumer groups.
//!
//! Always: a partition has one owner at any time, as the records tell and as members believe; epochs of a group, of its
//! target assignment and of a member only rise; what a member is told is on the log; replaying the log gives the live
//! hard state; and when all is quiet every partition is with somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use ottla_coordination::group::{
    ClusterUpdate, Command, GroupMachine, GroupRecord, Response, Settings,
};
use ottla_coordination::{Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Uuid;

use crate::support::{
    MemoryLog, Numbers, check_compacted, check_replay, consumer_heartbeat, load, seeds_wanted,
    topics,
};

const GROUP: &str = "g";
const STEPS: usize = 300;
const TOPICS: [&str; 3] = ["a", "b", "c"];

type Partition = (Uuid, i32);

#[test]
fn random_runs_keep_the_promises_of_consumer_groups() {
    let seeds = match std::env::var("OTTLA_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..seeds_wanted(60)).collect(),
    };
    let runs = seeds.len();
    let mut moves = 0;
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.come_to_rest();
        moves += world.moves;
    }
    // Otherwise the promises were kept for want of occasion.
    assert!(moves > 20 * runs, "{moves} assignments in {runs} runs");
}

struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "again: OTTLA_SEED={} cargo test -p ottla-coordination consumer_groups",
                self.0
            );
        }
    }
}

/// A member as its client knows it.
#[derive(Clone, Debug, Default)]
struct Client {
    id: String,
    instance: Option<String>,
    epoch: i32,
    topics: BTreeSet<&'static str>,
    /// What it works on.
    owned: BTreeSet<Partition>,
    /// What it was told last; where it lacks something of what is owned, that is given up before long.
    told: BTreeSet<Partition>,
    /// A static member that has left for now.
    is_away: bool,
}

struct World {
    numbers: Numbers,
    now: Millis,
    settings: Settings,
    topics: BTreeMap<&'static str, usize>,
    log: MemoryLog<GroupRecord>,
    host: Host<GroupMachine>,
    committed_end: Offset,
    next_token: u64,
    next_id: u64,
    asked: BTreeMap<ReplyToken, String>,
    clients: Vec<Client>,
    epochs: (i32, i32),
    member_epochs: BTreeMap<String, i32>,
    moves: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let mut settings = Settings::default();
        settings.consumer.assignment_interval_ms = if numbers.one_in(3) { 1_000 } else { 0 };
        settings.consumer.size_max = 3 + numbers.below(4);
        let mut log = MemoryLog::default();
        let now = Millis(1_000);
        let host = load(GroupMachine::new(settings.clone()), now, &mut log);
        let mut world = Self {
            numbers,
            now,
            settings,
            topics: BTreeMap::from([("a", 3), ("b", 2)]),
            log,
            host,
            committed_end: Offset(0),
            next_token: 0,
            next_id: 0,
            asked: BTreeMap::new(),
            clients: Vec::new(),
            epochs: (0, 0),
            member_epochs: BTreeMap::new(),
            moves: 0,
        };
        world.tell_topics();
        world
    }

    fn step(&mut self) {
        match self.numbers.below(100) {
            0..8 => self.join(),
            8..62 => self.beat_as_one(false),
            62..66 => self.resubscribe(),
            66..70 => self.give_up_what_is_not_told(),
            70..73 => self.leave(),
            73..76 => self.change_topics(),
            76 => self.crash(),
            77 => self.log.refuse_next = Some(ErrorCode::NotEnoughReplicas),
            78..88 => self.let_time_pass(),
            _ => self.become_durable(),
        }
        self.check();
    }

    fn ask(&mut self, client_id: &str, command: Command) {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.asked.insert(token, client_id.to_owned());
        self.host.handle(self.now, token, command, &mut self.log);
        self.take_answers();
    }

    fn beat(&mut self, client: &Client, epoch: i32, is_full: bool) {
        let tells = is_full || epoch == 0;
        let owned = match epoch {
            0 => Some(Vec::new()),
            _ => is_full.then(|| listed(&client.owned)),
        };
        let names = || client.topics.iter().map(|name| (*name).into()).collect();
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: client.id.as_str().into(),
            member_epoch: epoch,
            instance_id: client.instance.as_deref().map(Into::into),
            rebalance_timeout_ms: if tells { 5_000 } else { -1 },
            subscribed_topic_names: tells.then(names),
            topic_partitions: owned,
            ..Default::default()
        };
        let id = client.id.clone();
        self.ask(&id, consumer_heartbeat(request));
    }

    fn join(&mut self) {
        let away = self.clients.iter().position(|client| client.is_away);
        let mut client = match away {
            Some(at) if self.numbers.one_in(2) => self.clients.remove(at),
            _ => Client::default(),
        };
        client.is_away = false;
        if client.id.is_empty() || self.numbers.one_in(2) {
            self.next_id += 1;
            client.id = format!("m{}", self.next_id);
        }
        if client.instance.is_none() && self.numbers.one_in(3) {
            client.instance = Some(format!("i{}", self.numbers.below(2)));
        }
        client.owned.clear();
        client.told.clear();
        client.topics = self.some_topics();
        self.clients.push(client.clone());
        self.beat(&client, 0, true);
    }

    fn some_topics(&mut self) -> BTreeSet<&'static str> {
        let chosen = TOPICS.iter().filter(|_| !self.numbers.one_in(3));
        chosen.copied().collect()
    }

    fn a_client(&mut self) -> Option<Client> {
        let here: Vec<Client> = self
            .clients
            .iter()
            .filter(|client| !client.is_away)
            .cloned()
            .collect();
        self.numbers.pick(&here).cloned()
    }

    fn beat_as_one(&mut self, always_full: bool) {
        if let Some(client) = self.a_client() {
            let is_full = always_full || self.numbers.one_in(2);
            self.beat(&client, client.epoch, is_full);
        }
    }

    fn resubscribe(&mut self) {
        if let Some(mut client) = self.a_client() {
            client.topics = self.some_topics();
            self.replace(client.clone());
            self.beat(&client, client.epoch, true);
        }
    }

    fn give_up_what_is_not_told(&mut self) {
        if let Some(mut client) = self.a_client() {
            client.owned = client.owned.intersection(&client.told).copied().collect();
            self.replace(client.clone());
            self.beat(&client, client.epoch, true);
        }
    }

    fn replace(&mut self, client: Client) {
        self.clients.retain(|other| other.id != client.id);
        self.clients.push(client);
    }

    fn leave(&mut self) {
        if let Some(mut client) = self.a_client() {
            let goes_for_now = client.instance.is_some() && self.numbers.one_in(2);
            self.beat(&client, if goes_for_now { -2 } else { -1 }, false);
            self.clients.retain(|other| other.id != client.id);
            if goes_for_now {
                client.is_away = true;
                client.owned.clear();
                self.clients.push(client);
            }
        }
    }

    fn change_topics(&mut self) {
        let name = TOPICS[self.numbers.below(TOPICS.len())];
        match self.topics.get(name).copied() {
            Some(_) if self.numbers.one_in(3) => {
                self.topics.remove(name);
            }
            Some(count) => {
                self.topics.insert(name, (count + 1).min(6));
            }
            None => {
                self.topics.insert(name, 2);
            }
        }
        self.tell_topics();
    }

    fn tell_topics(&mut self) {
        let list = self.topics.iter();
        let update = ClusterUpdate {
            topics: topics(list.map(|(name, count)| (*name, topic_id(name), *count))),
            changed: std::sync::Arc::new(TOPICS.iter().map(ToString::to_string).collect()),
            has_new_topics: true,
            settings: self.settings.consumer.clone(),
        };
        self.ask("", Command::ClusterChanged(update));
    }

    fn let_time_pass(&mut self) {
        let step = [1, 500, 2_000, 6_000, 20_000][self.numbers.below(5)];
        self.now = self.now.plus(Millis(step));
        self.host.advance(self.now, &mut self.log);
        self.take_answers();
    }

    fn become_durable(&mut self) {
        self.committed_end = self.log.end();
        self.host.committed(self.committed_end);
        self.take_answers();
    }

    /// What was not committed is gone, and so is all soft state. Members hear nothing of it.
    fn crash(&mut self) {
        self.check_replay();
        self.log.lose_uncommitted(self.committed_end);
        let host = load(
            GroupMachine::new(self.settings.clone()),
            self.now,
            &mut self.log,
        );
        drop(std::mem::replace(&mut self.host, host).unload(ErrorCode::NotCoordinator));
        self.asked.clear();
        // Epochs that were never told may come again.
        self.epochs = (0, 0);
        self.member_epochs.clear();
        self.tell_topics();
    }

    fn take_answers(&mut self) {
        for (token, answer) in self.host.take_answers() {
            let id = self.asked.remove(&token).expect("asked once");
            match answer {
                Ok(Response::ConsumerGroupHeartbeat(response)) => self.told(&id, &response),
                Ok(Response::ClusterChanged) | Err(_) => {}
                Ok(other) => panic!("{other:?} in answer to a heartbeat"),
            }
        }
    }

    /// A client does as it is told: it takes up what is new at once, and gives up the rest when it gets to it.
    fn told(&mut self, id: &str, response: &ConsumerGroupHeartbeatResponse) {
        let Some(at) = self.clients.iter().position(|client| client.id == id) else {
            return;
        };
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {}
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                let client = &mut self.clients[at];
                (client.epoch, client.owned, client.told) = (0, NOTHING, NOTHING);
                return;
            }
            _ => {
                self.clients.remove(at);
                return;
            }
        }
        let client = &mut self.clients[at];
        if client.is_away || response.member_epoch < 0 {
            return;
        }
        client.epoch = response.member_epoch;
        if let Some(assignment) = &response.assignment {
            self.moves += 1;
            let topics = assignment.topic_partitions.iter();
            client.told = topics
                .flat_map(|topic| {
                    topic
                        .partitions
                        .iter()
                        .map(|index| (topic.topic_id, *index))
                })
                .collect();
            client.owned.extend(client.told.iter().copied());
        }
    }

    fn check(&mut self) {
        let hard = self.host.machine().hard();
        let Some(group) = hard.consumer_group(GROUP) else {
            self.epochs = (0, 0);
            self.member_epochs.clear();
            return;
        };
        let mut owners: BTreeMap<Partition, &str> = BTreeMap::new();
        for (topic_id, index, member) in group.owners() {
            let other = owners.insert((topic_id, index), member);
            assert_eq!(other, None, "{topic_id}-{index} is {member}'s, too");
        }
        let (epoch, assignment_epoch, members) = group.epochs();
        assert!(epoch >= self.epochs.0 && assignment_epoch >= self.epochs.1);
        assert!(assignment_epoch <= epoch);
        self.epochs = (epoch, assignment_epoch);
        let mut member_epochs = BTreeMap::new();
        for (id, epoch) in members {
            let before = self.member_epochs.get(id).copied();
            // A static member that is away, or was, has left the row.
            assert!(
                epoch < 0 || before.is_none_or(|before| before <= epoch),
                "{id} from {before:?} to {epoch}"
            );
            member_epochs.insert(id.to_owned(), epoch);
        }
        self.member_epochs = member_epochs;
    }

    fn check_replay(&self) {
        let hard = self.host.machine().hard();
        check_replay(&self.settings, &self.log.records, hard);
        check_compacted(&self.settings, &self.log.records, hard);
    }

    /// Everybody does what is asked, until nothing changes: then each partition that anybody wants has one owner.
    fn come_to_rest(&mut self) {
        self.clients.retain(|client| !client.is_away);
        // Else a session's end may be refused, and begin anew.
        self.log.refuse_next = None;
        for _ in 0..40 {
            self.now = self.now.plus(Millis(2_000));
            self.host.advance(self.now, &mut self.log);
            self.become_durable();
            for mut client in self.clients.clone() {
                client.owned = client.owned.intersection(&client.told).copied().collect();
                self.replace(client.clone());
                self.beat(&client, client.epoch, true);
                self.become_durable();
                self.check();
            }
        }
        self.check_replay();
        let mut held: BTreeSet<Partition> = BTreeSet::new();
        for client in &self.clients {
            for partition in &client.owned {
                assert!(held.insert(*partition), "{partition:?} has two owners");
            }
        }
        let wanted = self.clients.iter().flat_map(|client| &client.topics);
        let wanted: BTreeSet<Partition> = wanted
            .filter_map(|name| Some((*name, *self.topics.get(name)?)))
            .flat_map(|(name, count)| (0..count).map(move |index| (name, index)))
            .map(|(name, index)| (topic_id(name), i32::try_from(index).expect("few")))
            .collect();
        assert_eq!(held, wanted);
    }
}

const NOTHING: BTreeSet<Partition> = BTreeSet::new();

fn topic_id(name: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes[0] = name.as_bytes()[0];
    Uuid(bytes)
}

fn listed(partitions: &BTreeSet<Partition>) -> Vec<TopicPartitions> {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for (topic_id, index) in partitions {
        topics.entry(*topic_id).or_default().push(*index);
    }
    let listed = topics
        .into_iter()
        .map(|(topic_id, partitions)| TopicPartitions {
            topic_id,
            partitions,
            ..Default::default()
        });
    listed.collect()
}
