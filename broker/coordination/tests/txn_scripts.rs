//! The rules of the transaction coordinator, a paragraph each, in `scripts/txn/*.txt`.
//!
//! A paragraph starts on a fresh machine with a thousand producer ids from 1000 on (from 2000 on after a restart, and so
//! on). What comes of a command are records on the log, answers and errands, in order. After every command a replay of
//! the log must give the live hard state.

mod command;
mod show;

use std::collections::BTreeMap;

use ottla_coordination::controller::ProducerIdBlock;
use ottla_coordination::txn::coordinator::{
    TxnCommand, TxnErrand, TxnMachine, TxnRecord, TxnSettings, WriteMarkers,
};
use ottla_coordination::{Host, Machine as _, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, ProducerId};

use crate::scripts;
use crate::support::{MemoryLog, load};
use command::Words;

pub(crate) const START: Millis = Millis(1_000_000);
const IDS_EACH_TIME: i32 = 1_000;

#[test]
fn every_transaction_script_runs_as_written() {
    scripts::check("tests/scripts/txn", |paragraph| {
        let mut stage = Stage::new();
        scripts::play(paragraph, |line| stage.run(line))
    });
}

struct Stage {
    now: Millis,
    settings: TxnSettings,
    coordinator_epoch: i32,
    log: MemoryLog<TxnRecord>,
    host: Host<TxnMachine>,
    /// Whether appended records are committed at once.
    commits: bool,
    committed_end: Offset,
    gives_ids: bool,
    next_token: u64,
    /// What to call the answer to a token; none: not shown.
    asked: BTreeMap<ReplyToken, Option<String>>,
    /// The last that was asked for each id, and the one before it.
    markers: BTreeMap<String, WriteMarkers>,
    late_markers: BTreeMap<String, WriteMarkers>,
    records_shown: usize,
}

impl Stage {
    fn new() -> Self {
        let settings = TxnSettings::default();
        let mut log = MemoryLog::default();
        let host = load(TxnMachine::new(settings.clone(), 0), START, &mut log);
        let mut stage = Self {
            now: START,
            settings,
            coordinator_epoch: 0,
            log,
            host,
            commits: true,
            committed_end: Offset(0),
            gives_ids: true,
            next_token: 0,
            asked: BTreeMap::new(),
            markers: BTreeMap::new(),
            late_markers: BTreeMap::new(),
            records_shown: 0,
        };
        stage.give_ids();
        stage
    }

    fn run(&mut self, line: &str) -> Vec<String> {
        let words = Words::parse(line);
        match words.verb() {
            "advance" => return self.advance(words.millis()),
            "restart" => return self.restart(),
            "crash" => return self.crash(),
            "settings" => {
                words.change(&mut self.settings);
                return self.restart();
            }
            "no-ids" => {
                self.gives_ids = false;
                return self.restart();
            }
            "stored" => {
                self.log.records.push(words.record());
                self.committed_end = self.log.end();
                self.records_shown = self.log.records.len();
                return self.restart();
            }
            "hold" => self.commits = false,
            "release" => self.commits = true,
            "refuse" => self.log.refuse_next = Some(words.error()),
            "change" => {
                words.change(&mut self.settings);
                self.ask(TxnCommand::SettingsChanged(self.settings.clone()), None);
            }
            verb @ ("markers" | "late-markers") => {
                let asked = if verb == "markers" {
                    &self.markers
                } else {
                    &self.late_markers
                };
                let markers = asked.get(words.word(0));
                let markers = markers.unwrap_or_else(|| panic!("no markers asked: {line}"));
                let command = TxnCommand::MarkersWritten(words.written(markers));
                self.ask(command, None);
            }
            verb => {
                let command = words.command();
                let command = command.unwrap_or_else(|| panic!("no command: {line}"));
                self.ask(command, Some(format!("{verb} {}", words.word(0))));
            }
        }
        self.effects()
    }

    fn ask(&mut self, command: TxnCommand, name: Option<String>) {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.asked.insert(token, name);
        self.host.handle(self.now, token, command, &mut self.log);
    }

    fn give_ids(&mut self) {
        if self.gives_ids {
            let block = ProducerIdBlock {
                first: ProducerId(i64::from(IDS_EACH_TIME * (self.coordinator_epoch + 1))),
                length: IDS_EACH_TIME,
            };
            self.ask(TxnCommand::ProducerIdsGiven(Ok(block)), None);
        }
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

    /// The next coordinator takes over; what was waiting is told so.
    fn restart(&mut self) -> Vec<String> {
        self.coordinator_epoch += 1;
        let machine = TxnMachine::new(self.settings.clone(), self.coordinator_epoch);
        let host = load(machine, self.now, &mut self.log);
        let old = std::mem::replace(&mut self.host, host);
        let answers = old.unload(ErrorCode::NotCoordinator);
        let answers = answers.into_iter().filter_map(|(token, answer)| {
            let asked = self.asked[&token].as_ref()?;
            Some(show::answer(asked, &answer))
        });
        let mut effects: Vec<String> = answers.collect();
        self.give_ids();
        effects.extend(self.effects());
        effects
    }

    /// As a restart, but what was not committed is lost.
    fn crash(&mut self) -> Vec<String> {
        let committed = usize::try_from(self.committed_end.0).expect("fits");
        self.log.records.truncate(committed);
        self.records_shown = self.log.records.len();
        self.restart()
    }

    fn effects(&mut self) -> Vec<String> {
        self.check_replay();
        let mut effects: Vec<String> = self.log.records[self.records_shown..]
            .iter()
            .map(show::record)
            .collect();
        self.records_shown = self.log.records.len();
        if self.commits {
            self.committed_end = self.log.end();
            self.host.committed(self.committed_end);
        }
        for (token, answer) in self.host.take_answers() {
            if let Some(asked) = &self.asked[&token] {
                effects.push(show::answer(asked, &answer));
            }
        }
        for errand in self.host.take_errands() {
            effects.push(show::errand(&errand));
            if let TxnErrand::WriteMarkers(markers) = errand {
                let id = markers.producer.transactional_id.clone();
                if let Some(before) = self.markers.insert(id.clone(), markers) {
                    self.late_markers.insert(id, before);
                }
            }
        }
        effects
    }

    fn check_replay(&self) {
        let mut replayed = TxnMachine::new(self.settings.clone(), 0);
        for (offset, record) in (0..).zip(&self.log.records) {
            // Through bytes, as a restart would read it.
            let (key, value) = record.encode();
            let read = TxnRecord::decode(Some(key), value)
                .expect("a record that was just written")
                .expect("a record of a known type");
            assert_eq!(read.transactional_id, record.transactional_id);
            assert_eq!(read.transaction, record.transaction);
            replayed.apply(Offset(offset), &read);
        }
        assert_eq!(replayed.hard(), self.host.machine().hard());
    }
}
