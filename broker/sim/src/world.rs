//! The world of one offsets partition: clients, a broker, its disk, and what was promised to whom.
//!
//! Promised: a commit that was acknowledged is there after any power cut; an assignment that was told is the one on the
//! log, and no other member ever has the same part in the same generation; an epoch that was told is known, and members
//! of the consumer protocol that are in work on different partitions; what a transaction has sent shows when it is
//! committed, and neither before nor otherwise; every request is answered once or its broker dies; once the faults stop, every member comes to own a part, and every partition has its consumer.

mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use ottla_coordination::group::{Response, Settings};
use ottla_coordination::{Answer, ReplyToken};
use ottla_log::disk::make_folder;
use ottla_log::testing::{Crash, MemoryDisk, Random};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::client::{Client, Next, SESSION_MS, commit};
use crate::consumer::{self, Consumer};
use crate::producer::{Producer, Stage};
use crate::shard::{LOG_DIR, Shard};

const GROUPS: [&str; 2] = ["g", "h"];
/// Commits without being a group of members.
const SOLO: &str = "solo";

/// How much of what is promised was put to the test.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub crashes: usize,
    pub parts_told: usize,
    pub commits_acknowledged: usize,
    pub appends_refused: usize,
    /// Assignments told to members of the consumer protocol.
    pub assignments_told: usize,
    /// Those that had sent offsets.
    pub transactions_committed: usize,
}

enum Asked {
    Member(usize),
    Consumer(usize),
    Cluster,
    Commit { group: &'static str, offset: i64 },
    Send(usize),
    End(usize),
}

pub(crate) struct World {
    random: Random,
    now: Millis,
    disk: MemoryDisk,
    shard: Shard,
    epoch: LeaderEpoch,
    recovery_point: Offset,
    clients: Vec<Client>,
    consumers: Vec<Consumer>,
    producers: Vec<Producer>,
    asked: BTreeMap<ReplyToken, Asked>,
    next_token: u64,
    next_offset: i64,
    acknowledged: BTreeMap<&'static str, i64>,
    /// Sent with transactions that were not committed, or not yet.
    hidden: BTreeSet<i64>,
    /// Group, generation and part: whose it is.
    owners: BTreeMap<(&'static str, i32, Bytes), String>,
    /// The newest assignment told to anyone, by group.
    told: BTreeMap<&'static str, (i32, String, Bytes)>,
    tally: Tally,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let disk = MemoryDisk::new();
        // As the server does before it opens any log.
        make_folder(&disk, Path::new(LOG_DIR)).expect("an empty disk");
        let now = Millis(1_000);
        let epoch = LeaderEpoch(0);
        let shard = Shard::start(&disk, settings(), Offset::ZERO, epoch, now);
        let mut clients = Vec::new();
        for group in GROUPS {
            for number in 0..1 + random.below(3) {
                let instance = random.one_in(3).then(|| format!("{group}-{number}"));
                clients.push(Client::new(group, instance));
            }
        }
        let consumers = 0..1 + random.below(3);
        let mut world = Self {
            random,
            now,
            disk,
            shard,
            epoch,
            recovery_point: Offset::ZERO,
            clients,
            consumers: consumers
                .map(|number| Consumer::new(format!("k{number}")))
                .collect(),
            producers: (0..3).map(Producer::new).collect(),
            asked: BTreeMap::new(),
            next_token: 0,
            next_offset: 0,
            acknowledged: BTreeMap::new(),
            hidden: BTreeSet::new(),
            owners: BTreeMap::new(),
            told: BTreeMap::new(),
            tally: Tally::default(),
        };
        world.tell_cluster();
        world
    }

    /// As each broker does before it serves groups.
    fn tell_cluster(&mut self) {
        let token = self.token(Asked::Cluster);
        self.shard
            .ask(self.now, token, consumer::cluster(settings().consumer));
    }

    pub(crate) fn step(&mut self) {
        match self.random.below(100) {
            0..30 => self.a_member_goes_on(),
            30..45 => self.a_consumer_goes_on(),
            45..54 => self.somebody_commits(),
            54..60 => self.a_producer_goes_on(),
            60..70 => self.time_passes(),
            70..94 => self.flush(),
            94 if self.random.one_in(2) => self.a_consumer_restarts(),
            94 => self.a_client_restarts(),
            95 => self.disk.set_capacity(Some(self.random.below(40_000))),
            96..98 => self.disk.set_capacity(None),
            _ => self.crash(),
        }
        self.take_answers();
    }

    /// Faults stop. Everyone gets a part in the end.
    pub(crate) fn heal(mut self) -> Tally {
        self.disk.set_capacity(None);
        for _ in 0..400 {
            for number in 0..self.clients.len() {
                self.go_on(number);
            }
            for number in 0..self.consumers.len() {
                self.beat(number);
            }
            for number in 0..self.producers.len() {
                self.end_transaction(number);
            }
            self.now = self.now.plus(Millis(100));
            self.shard.advance(self.now);
            self.flush();
            self.take_answers();
        }
        for client in &self.clients {
            assert_eq!(client.next, Next::Heartbeat, "{client:?} owns nothing");
        }
        consumer::check_at_rest(&self.consumers);
        let hard = self.shard.machine().hard();
        assert_eq!(hard.pending().producers().count(), 0, "all have ended");
        self.shard.check_replay(settings(), self.now);
        self.crash();
        self.tally
    }

    fn token(&mut self, asked: Asked) -> ReplyToken {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.asked.insert(token, asked);
        token
    }

    fn a_member_goes_on(&mut self) {
        let number = self.random.below(self.clients.len() as u64);
        self.go_on(usize::try_from(number).expect("few clients"));
    }

    fn go_on(&mut self, number: usize) {
        if self.clients[number].is_waiting {
            return;
        }
        let token = self.token(Asked::Member(number));
        let command = self.clients[number].command(format!("m{}", token.0));
        self.clients[number].is_waiting = true;
        self.shard.ask(self.now, token, command);
    }

    fn a_consumer_goes_on(&mut self) {
        let number = self.a_consumer();
        self.beat(number);
    }

    fn a_consumer(&mut self) -> usize {
        let number = self.random.below(self.consumers.len() as u64);
        usize::try_from(number).expect("few consumers")
    }

    fn beat(&mut self, number: usize) {
        if self.consumers[number].is_waiting {
            return;
        }
        let token = self.token(Asked::Consumer(number));
        let command = self.consumers[number].heartbeat();
        self.consumers[number].is_waiting = true;
        self.shard.ask(self.now, token, command);
    }

    /// The process is new, and so is its member id. The old member's time runs out.
    fn a_consumer_restarts(&mut self) {
        let number = self.a_consumer();
        self.asked
            .retain(|_, asked| !matches!(asked, Asked::Consumer(waiting) if *waiting == number));
        self.next_token += 1;
        self.consumers[number] = Consumer::new(format!("k{number}-{}", self.next_token));
    }

    fn somebody_commits(&mut self) {
        self.next_offset += 1;
        let offset = self.next_offset;
        if self.random.one_in(4) {
            let number = self.a_consumer();
            let command = self.consumers[number].commit(offset);
            let group = consumer::GROUP;
            let token = self.token(Asked::Commit { group, offset });
            self.shard.ask(self.now, token, command);
            return;
        }
        let number = self.random.below(self.clients.len() as u64 + 1);
        let client = usize::try_from(number)
            .ok()
            .and_then(|number| self.clients.get(number));
        let (group, command) = match client {
            Some(client) => (client.group, client.commit(offset)),
            None => (SOLO, commit(SOLO, "", -1, offset)),
        };
        let token = self.token(Asked::Commit { group, offset });
        self.shard.ask(self.now, token, command);
    }

    fn time_passes(&mut self) {
        let step = [1, 50, 500, 2_500][usize::try_from(self.random.below(4)).expect("below 4")];
        self.now = self.now.plus(Millis(step));
        self.shard.advance(self.now);
    }

    fn flush(&mut self) {
        if self.shard.flush().is_err() {
            // A failed flush is the end of the log directory, and so of this broker.
            self.restart(Crash::Process);
            return;
        }
        if self.random.one_in(4) {
            self.recovery_point = self.shard.flushed_end();
        }
    }

    /// The process is new and remembers nothing but its instance id.
    fn a_client_restarts(&mut self) {
        let number = self.random.below(self.clients.len() as u64);
        let number = usize::try_from(number).expect("few clients");
        let (group, instance) = {
            let client = &self.clients[number];
            (client.group, client.instance.clone())
        };
        self.clients[number] = Client::new(group, instance);
        self.asked
            .retain(|_, asked| !matches!(asked, Asked::Member(waiting) if *waiting == number));
    }

    fn crash(&mut self) {
        let how = match self.random.below(4) {
            0 => Crash::Process,
            1 => Crash::LoseAll,
            2 => Crash::Torn,
            _ => Crash::Scattered,
        };
        self.restart(how);
    }

    fn restart(&mut self, how: Crash) {
        self.tally.crashes += 1;
        self.disk.set_capacity(None);
        self.disk.crash(how, &mut self.random);
        self.epoch = LeaderEpoch(self.epoch.0 + 1);
        self.shard = Shard::start(
            &self.disk,
            settings(),
            self.recovery_point,
            self.epoch,
            self.now,
        );
        self.asked.clear();
        for client in &mut self.clients {
            if client.is_waiting {
                client.is_waiting = false;
                client.failed(ErrorCode::NotCoordinator);
            }
        }
        for consumer in &mut self.consumers {
            if std::mem::take(&mut consumer.is_waiting) {
                consumer.failed();
            }
        }
        for producer in &mut self.producers {
            producer.missed_answer();
        }
        self.tell_cluster();
        self.check_promises();
    }

    fn check_promises(&self) {
        let hard = self.shard.machine().hard();
        for producer in &self.producers {
            let is_sent = producer.stage == Stage::Open && !producer.sent.is_empty();
            assert!(!is_sent || hard.pending().has(SOLO, "t", 0), "{producer:?}");
        }
        consumer::check(hard.consumer_group(consumer::GROUP), &self.consumers);
        for (group, acknowledged) in &self.acknowledged {
            let offset = hard
                .offset(group, "t", 0)
                .map_or(-1, |committed| committed.offset);
            assert!(
                offset >= *acknowledged,
                "{group}: {acknowledged} was acknowledged, {offset} is there"
            );
        }
        for (group, (generation, member_id, part)) in &self.told {
            let stored = hard.group(group).expect("a group that was told its parts");
            assert!(stored.generation.0 >= *generation, "{group} went back");
            if stored.generation.0 == *generation {
                let member = stored.members.iter().find(|m| m.member_id == *member_id);
                // A static member may have come back under another id since.
                let kept = member.is_none_or(|member| member.assignment == *part);
                assert!(kept, "{group}: {member_id} was told {part:?}");
            }
        }
    }

    fn take_answers(&mut self) {
        for (token, answer) in self.shard.take_answers() {
            // A client that restarted meanwhile does not listen any more.
            match self.asked.remove(&token) {
                Some(Asked::Member(number)) => self.member_hears(number, answer),
                Some(Asked::Consumer(number)) => self.consumer_hears(number, answer),
                Some(Asked::Commit { group, offset }) => self.commit_hears(group, offset, &answer),
                Some(Asked::Send(number)) => self.producer_hears(number, &answer),
                Some(Asked::End(number)) => self.end_hears(number, &answer),
                Some(Asked::Cluster) | None => {}
            }
        }
        let hard = self.shard.machine().hard();
        consumer::check(hard.consumer_group(consumer::GROUP), &self.consumers);
        if let Some(found) = hard.offset(SOLO, "t", 0) {
            let is_hidden = self.hidden.contains(&found.offset);
            assert!(!is_hidden, "{} shows, and was not committed", found.offset);
        }
    }

    fn consumer_hears(&mut self, number: usize, answer: Answer<Response>) {
        let consumer = &mut self.consumers[number];
        consumer.is_waiting = false;
        match answer {
            Ok(Response::ConsumerGroupHeartbeat(response)) => {
                self.tally.assignments_told += usize::from(response.assignment.is_some());
                consumer.heard(&response);
            }
            Ok(other) => panic!("another answer: {other:?}"),
            Err(_) => {
                self.tally.appends_refused += 1;
                consumer.failed();
            }
        }
    }

    fn member_hears(&mut self, number: usize, answer: Answer<Response>) {
        let client = &mut self.clients[number];
        client.is_waiting = false;
        match answer {
            Ok(Response::JoinGroup(response)) => client.joined(&response),
            Ok(Response::Heartbeat(response)) => {
                client.heard(ErrorCode::from_code(response.error_code));
            }
            Ok(Response::SyncGroup(response)) => {
                let error = ErrorCode::from_code(response.error_code);
                client.heard(error);
                if error.is_none() {
                    self.part_told(number, response.assignment);
                }
            }
            Ok(other) => panic!("another answer: {other:?}"),
            Err(error) => {
                self.tally.appends_refused += 1;
                client.failed(error);
            }
        }
    }

    fn part_told(&mut self, number: usize, part: Bytes) {
        self.tally.parts_told += 1;
        let client = &self.clients[number];
        let told = (client.generation, client.member_id.clone(), part.clone());
        self.told.insert(client.group, told);
        if part.is_empty() {
            return;
        }
        let key = (client.group, client.generation, part);
        let owner = client.identity().to_owned();
        let holder = self.owners.entry(key).or_insert_with(|| owner.clone());
        assert_eq!(*holder, owner, "one part, one generation, two owners");
    }

    fn commit_hears(&mut self, group: &'static str, offset: i64, answer: &Answer<Response>) {
        match answer {
            Ok(Response::OffsetCommit(response)) => {
                if response.topics[0].partitions[0].error_code == 0 {
                    self.tally.commits_acknowledged += 1;
                    self.acknowledged(group, offset);
                }
            }
            Ok(other) => panic!("another answer: {other:?}"),
            Err(_) => self.tally.appends_refused += 1,
        }
    }

    fn acknowledged(&mut self, group: &'static str, offset: i64) {
        let highest = self.acknowledged.entry(group).or_insert(offset);
        *highest = (*highest).max(offset);
    }
}

fn settings() -> Settings {
    let mut settings = Settings {
        initial_rebalance_delay_ms: 200,
        ..Settings::default()
    };
    settings.consumer.session_timeout_ms = SESSION_MS;
    settings
}
