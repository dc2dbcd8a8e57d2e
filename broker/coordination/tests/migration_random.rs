//! Random members of both protocols in one group, which so goes to and fro between being a consumer group and a classic
//! one, with deadlines, refused appends and crashes.
//!
//! Always: a partition has one owner, as the records tell; a member that is in the group's epoch or generation works on
//! nothing that the records do not give it; epochs and generations are one number, which only rises; replaying the log
//! gives the live hard state; every request is answered; and when all is quiet every partition is with somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use ottla_coordination::group::{
    ClusterUpdate, Command, GroupMachine, GroupRecord, Response, Settings,
};
use ottla_coordination::{Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Uuid;

use self::client::{Client, Next, assigned};
use crate::support::{MemoryLog, Numbers, check_replay, load, topics};

mod client;

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
        let client = Client::new(self.next_name, is_classic, instance);
        self.clients.push(client.clone());
        self.go_on(client);
    }

    /// As a rolling upgrade does it: one goes, and comes back with the other protocol, as itself where it is static.
    fn change_protocol(&mut self) {
        let Some(client) = self.numbers.pick(&self.clients).cloned() else {
            return;
        };
        if client.instance.is_none() {
            self.ask(client.name, client.leave());
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
            let is_full = client.epoch == 0 || self.numbers.one_in(2);
            self.ask(client.name, client.beat(is_full));
            return;
        }
        match client.next {
            Next::Join => {
                if !self.is_cooperative {
                    client.owned.clear();
                }
                client.told = client.owned.clone();
                self.replace(client.clone());
                let candidate_member_id = format!("c{}", self.next_token);
                self.ask(client.name, client.join(candidate_member_id));
            }
            Next::Sync => self.ask(client.name, client.sync()),
            Next::Beat => self.ask(client.name, client.heartbeat()),
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

    fn leave(&mut self) {
        if let Some(client) = self.numbers.pick(&self.clients).cloned() {
            // Some go without a word.
            if !self.numbers.one_in(3) {
                self.ask(client.name, client.leave());
            }
            self.clients.retain(|other| other.name != client.name);
        }
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
                Ok(Response::ConsumerGroupHeartbeat(response)) => {
                    if !self.clients[at].beaten(&response) {
                        self.clients.remove(at);
                    }
                }
                Ok(Response::JoinGroup(response)) => self.clients[at].joined(&response),
                Ok(Response::SyncGroup(response)) => self.clients[at].synced(&response),
                Ok(Response::Heartbeat(response)) => {
                    self.clients[at].after(response.error_code, Next::Beat);
                }
                Ok(_) | Err(_) => {}
            }
        }
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
