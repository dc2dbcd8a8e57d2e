//! The rules of groups and offsets, a paragraph each, in `scripts/group_*.txt`.
//!
//! A paragraph starts on a fresh machine; what comes of a command are records on the log and answers, in order. After
//! each paragraph a replay of the log must give the live hard state.

mod command;
mod show;

use std::collections::{BTreeMap, BTreeSet};

use ottla_coordination::group::{
    BatchKind, ClusterUpdate, Command, GroupMachine, GroupRecord, Settings,
};
use ottla_coordination::{Host, Machine as _, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;

use crate::scripts;
use crate::support::{MemoryLog, load, topics as topics_of};
use command::Words;

const START: Millis = Millis(1_000_000);

#[test]
fn every_group_script_runs_as_written() {
    scripts::check("tests/scripts", play);
}

fn play(paragraph: &str) -> String {
    let mut stage = Stage::new();
    let played = scripts::play(paragraph, |line| stage.run(line));
    stage.check_replay();
    played
}

struct Stage {
    now: Millis,
    settings: Settings,
    log: MemoryLog<GroupRecord>,
    host: Host<GroupMachine>,
    /// Whether appended records are committed at once.
    commits: bool,
    next_token: u64,
    /// What to call the answer to a token.
    asked: BTreeMap<ReplyToken, String>,
    records_shown: usize,
    topics: BTreeMap<String, usize>,
}

impl Stage {
    fn new() -> Self {
        let settings = Settings::default();
        let mut log = MemoryLog::default();
        let host = load(GroupMachine::new(settings.clone()), START, &mut log);
        Self {
            now: START,
            settings,
            log,
            host,
            commits: true,
            next_token: 0,
            asked: BTreeMap::new(),
            records_shown: 0,
            topics: BTreeMap::new(),
        }
    }

    fn run(&mut self, line: &str) -> Vec<String> {
        let words = Words::parse(line);
        match words.verb() {
            "advance" => return self.advance(words.millis(0)),
            "restart" => return self.restart(),
            "settings" => {
                words.change(&mut self.settings);
                return self.restart();
            }
            "topics" => self.change_topics(words.topics()),
            "hold" => self.commits = false,
            "release" => self.commits = true,
            "refuse" => self.log.refuse_next = Some(words.error()),
            verb => {
                let command = words
                    .command()
                    .unwrap_or_else(|| panic!("no command: {line}"));
                self.next_token += 1;
                let token = ReplyToken(self.next_token);
                let who = words.asker();
                self.asked.insert(token, format!("{verb}{who}"));
                self.host.handle(self.now, token, command, &mut self.log);
            }
        }
        self.effects()
    }

    /// Time passes; timers fire when they are due, each at its own time.
    fn advance(&mut self, by: Millis) -> Vec<String> {
        let end = self.now.plus(by);
        let mut effects = Vec::new();
        while let Some(deadline) = self.host.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.host.advance(self.now, &mut self.log);
            let after = self.now.0 - START.0;
            let fired = self.effects();
            effects.extend(
                fired
                    .into_iter()
                    .map(|effect| format!("at {after}: {effect}")),
            );
        }
        self.now = end;
        effects
    }

    /// Soft state is gone; what was waiting is told so.
    fn restart(&mut self) -> Vec<String> {
        let host = load(
            GroupMachine::new(self.settings.clone()),
            self.now,
            &mut self.log,
        );
        let old = std::mem::replace(&mut self.host, host);
        self.tell_topics(BTreeSet::new(), true);
        let answers = old.unload(ErrorCode::NotCoordinator);
        answers
            .into_iter()
            .map(|(token, answer)| show::answer(&self.asked[&token], &answer))
            .collect()
    }

    fn change_topics(&mut self, topics: BTreeMap<String, usize>) {
        let is_other = |name: &&String| self.topics.get(*name) != topics.get(*name);
        let names = self.topics.keys().chain(topics.keys());
        let changed: BTreeSet<String> = names.filter(is_other).cloned().collect();
        let has_new = topics.keys().any(|name| !self.topics.contains_key(name));
        self.topics = topics;
        self.tell_topics(changed, has_new);
    }

    fn tell_topics(&mut self, changed: BTreeSet<String>, has_new_topics: bool) {
        self.next_token += 1;
        let list = self.topics.iter();
        let topics = list.map(|(name, count)| (name.as_str(), command::topic_id(name), *count));
        let update = ClusterUpdate {
            topics: topics_of(topics),
            changed: changed.into(),
            has_new_topics,
            settings: self.settings.consumer.clone(),
        };
        let token = ReplyToken(self.next_token);
        let command = Command::ClusterChanged(update);
        self.host.handle(self.now, token, command, &mut self.log);
        self.host.committed(self.log.end());
        let answers = self.host.take_answers();
        assert!(answers.iter().any(|(answered, _)| *answered == token));
    }

    fn effects(&mut self) -> Vec<String> {
        let mut effects: Vec<String> = self.log.records[self.records_shown..]
            .iter()
            .map(show::record)
            .collect();
        self.records_shown = self.log.records.len();
        if self.commits {
            self.host.committed(self.log.end());
        }
        for (token, answer) in self.host.take_answers() {
            effects.push(show::answer(&self.asked[&token], &answer));
        }
        effects
    }

    fn check_replay(&self) {
        let mut replayed = GroupMachine::new(self.settings.clone());
        for (offset, record) in (0..).zip(&self.log.records) {
            replayed.apply(
                ottla_protocol::types::Offset(offset),
                &through_bytes(record),
            );
        }
        assert_eq!(replayed.hard(), self.host.machine().hard());
    }
}

/// As a restart would read it.
fn through_bytes(record: &GroupRecord) -> GroupRecord {
    let kind = BatchKind::of(std::slice::from_ref(record));
    if let BatchKind::Marker(_) = kind {
        // Control batches are read by whoever reads the log.
        return record.clone();
    }
    let (key, value) = record.encode();
    let mut read = GroupRecord::decode(Some(key), value)
        .expect("a record that was just written")
        .expect("a record of a known type");
    if let BatchKind::Transactional {
        producer_id,
        producer_epoch,
    } = kind
    {
        read = read.in_transaction(producer_id, producer_epoch);
    }
    assert_eq!(&read, record);
    read
}
