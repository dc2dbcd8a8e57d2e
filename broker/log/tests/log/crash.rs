//! Random histories with power cuts, compared with a model: what was flushed is never lost, what is read was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_log::testing::{Crash, MemoryDisk, Random};
use ottla_log::{
    Log, LogConfig, Offsets, OpenInput, SharedDisk, Timestamps, Truncation, ZeroAhead,
};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::support::*;

/// One record as the model knows it.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    value: Vec<u8>,
    timestamp: i64,
    epoch: i32,
}

struct Story {
    seed: u64,
    random: Random,
    memory: Arc<MemoryDisk>,
    disk: SharedDisk,
    config: LogConfig,
    records: BTreeMap<i64, Known>,
    epoch: i32,
    written: u64,
    /// What the checkpoint files say.
    recovery_point: Offset,
    log_start: Offset,
    /// A power cut has left damage in the middle, for good.
    holes: bool,
}

impl Story {
    fn new(seed: u64) -> (Self, Log) {
        let mut random = Random::new(seed);
        let memory = memory();
        let disk: SharedDisk = memory.clone();
        let config = LogConfig {
            segment_bytes: 400 + random.below(3000),
            index_interval_bytes: 1 + random.below(500) as u32,
            zero_ahead: random.one_in(2).then(|| ZeroAhead {
                from_bytes: random.below(1000),
                bytes: 1 + random.below(2000),
            }),
            ..LogConfig::default()
        };
        let (log, _) = open(&disk, &config, UNKNOWN);
        let story = Self {
            seed,
            random,
            memory,
            disk,
            config,
            records: BTreeMap::new(),
            epoch: 0,
            written: 0,
            recovery_point: Offset::ZERO,
            log_start: Offset::ZERO,
            holes: false,
        };
        (story, log)
    }

    fn append(&mut self, log: &mut Log) {
        let mut set = Vec::new();
        let mut offset = log.end().0;
        if self.random.one_in(10) {
            self.epoch += 1;
        }
        for _ in 0..=self.random.below(3) {
            let timestamp = 1000 + self.random.below(5000) as i64;
            let values: Vec<Vec<u8>> = (0..=self.random.below(4))
                .map(|_| {
                    self.written += 1;
                    let pad = self.random.below(100) as usize;
                    format!("{}{}", self.written, "~".repeat(pad)).into_bytes()
                })
                .collect();
            let borrowed: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            set.extend(batch(timestamp, &borrowed));
            for (i, value) in values.into_iter().enumerate() {
                let known = Known {
                    value,
                    timestamp: timestamp + i as i64,
                    epoch: self.epoch,
                };
                self.records.insert(offset, known);
                offset += 1;
            }
        }
        let epoch = Offsets::Assign {
            leader_epoch: LeaderEpoch(self.epoch),
        };
        if set.len() as u64 <= self.config.segment_bytes {
            log.append(&mut set, epoch, Timestamps::Create, Millis(0))
                .unwrap();
        }
        self.records.split_off(&log.end().0);
    }

    fn input(&self, clean_shutdown: bool) -> OpenInput {
        OpenInput {
            recovery_point: self.recovery_point,
            log_start: self.log_start,
            clean_shutdown,
        }
    }

    /// Cuts the power or kills the process, opens again, and holds the log against the model.
    fn crash(&mut self, log: Log) -> Log {
        let how = [
            Crash::Process,
            Crash::LoseAll,
            Crash::Torn,
            Crash::Scattered,
        ][self.random.below(4) as usize];
        let (flushed, end) = (log.flushed_end(), log.end());
        drop(log);
        self.memory.crash(how, &mut self.random);
        let (log, report) = open(&self.disk, &self.config, self.input(false));
        let told = format!("seed {} after {how:?}: {report:?}", self.seed);
        assert!(
            log.end() >= flushed,
            "flushed up to {flushed}, ends at {}: {told}",
            log.end()
        );
        assert!(log.end() <= end, "{told}");
        if how == Crash::Process {
            assert_eq!(log.end(), end, "{told}");
            let only_zeros = self.config.zero_ahead.is_some();
            let is_fine = |cut: &Truncation| only_zeros && cut.is_quiet();
            assert!(report.truncated.as_ref().is_none_or(is_fine), "{told}");
            assert!(report.corrupt.is_empty() || self.holes, "{told}");
        }
        assert!(report.lost.is_none(), "{told}");
        self.records.split_off(&log.end().0);
        let (found, damaged) = self.read(&log);
        let found: BTreeMap<i64, Vec<u8>> = found.into_iter().collect();
        for (offset, value) in &found {
            assert_eq!(
                Some(value),
                self.records.get(offset).map(|k| &k.value),
                "{told}"
            );
        }
        // What an earlier crash scattered is not in the model any more.
        for offset in self
            .records
            .range(log.start().0..flushed.0.max(log.start().0))
            .map(|(o, _)| o)
        {
            assert!(
                found.contains_key(offset),
                "offset {offset} is gone: {told}"
            );
        }
        self.holes |= damaged > 0;
        self.records
            .retain(|o, _| found.contains_key(o) || *o < log.start().0);
        log
    }

    /// Where an earlier crash has taken what the log ended with, the end stays, and the next record is behind it.
    fn read(&self, log: &Log) -> (Vec<(i64, Vec<u8>)>, usize) {
        match self.holes {
            false => read_all(log, log.start().0),
            true => {
                let (records, damaged, _) = read_what_is_there(log, log.start().0);
                (records, damaged)
            }
        }
    }

    fn reopen(&mut self, log: Log) -> Log {
        self.log_start = log.start();
        self.recovery_point = log.close().unwrap();
        let (log, report) = open(&self.disk, &self.config, self.input(true));
        assert!(
            report.is_quiet() || self.holes,
            "seed {}: {report:?}",
            self.seed
        );
        assert_eq!(log.end(), self.recovery_point);
        assert_eq!(log.flushed_end(), log.end());
        log
    }

    /// Times and epochs agree with the model; the log reads the same from any offset.
    fn verify(&mut self, log: &Log) {
        let told = format!("seed {}", self.seed);
        let (found, damaged) = self.read(log);
        let visible: Vec<_> = self.records.range(log.start().0..).collect();
        let expected: Vec<_> = visible
            .iter()
            .map(|(o, k)| (**o, k.value.clone()))
            .collect();
        assert_eq!(found, expected, "{told}");
        for _ in 0..5 {
            let timestamp = 900 + self.random.below(5300) as i64;
            let first = visible
                .iter()
                .find(|(_, k)| k.timestamp >= timestamp)
                .map(|(o, _)| **o);
            let answer = log
                .offset_for_timestamp(Millis(timestamp), Offset::ZERO)
                .unwrap();
            assert_eq!(answer.map(|a| a.offset.0), first, "{told} time {timestamp}");
        }
        let newest = visible.iter().map(|(_, k)| k.timestamp).max();
        let answer = log.max_timestamp().unwrap();
        assert_eq!(answer.map(|a| a.timestamp.0), newest, "{told}");
        if !self.holes && damaged == 0 {
            for (offset, known) in &visible {
                let epoch = log.epochs().at(Offset(**offset)).map(|e| e.0);
                assert_eq!(epoch, Some(known.epoch), "{told} offset {offset}");
            }
        }
    }

    fn step(&mut self, mut log: Log) -> Log {
        match self.random.below(40) {
            0..18 => self.append(&mut log),
            18..26 => log.flush_now().unwrap(),
            26..29 => self.recovery_point = log.flushed_end(),
            29 => {
                let span = log.end().since(log.start()) as u64;
                let start = log.start().plus(self.random.below(1 + span) as i64);
                log.set_start(start).unwrap();
                self.log_start = start;
            }
            30 => {
                for segment in log.apply_retention(log.end(), Millis(0)).unwrap() {
                    segment.remove(self.disk.as_ref()).unwrap();
                }
            }
            31 => {
                let span = log.end().since(log.start()) as u64;
                let to = log.start().plus(self.random.below(1 + span) as i64);
                for segment in log.truncate_to(to, Millis(0)).unwrap() {
                    segment.remove(self.disk.as_ref()).unwrap();
                }
                self.records.split_off(&log.end().0);
                self.recovery_point = self.recovery_point.min(log.end());
                self.log_start = self.log_start.min(log.start());
            }
            32 => {
                log.roll(Millis(0)).unwrap();
            }
            33 => log = self.reopen(log),
            34..36 => self.verify(&log),
            36 => log.release_files().unwrap(),
            _ => log = self.crash(log),
        }
        log
    }
}

fn run(seed: u64, steps: usize) {
    let _print = PrintSeed {
        seed,
        test: "nothing_flushed",
    };
    let (mut story, mut log) = Story::new(seed);
    for _ in 0..steps {
        log = story.step(log);
    }
    story.verify(&log);
}

#[test]
fn nothing_flushed_is_lost_and_nothing_read_is_invented() {
    for seed in seeds(30) {
        run(seed, 120);
    }
}

/// Seeds that failed once.
#[test]
fn found_seeds_stay_good() {
    for seed in [38, 40, 42, 60, 64, 201, 203, 246, 382, 1137] {
        run(seed, 120);
    }
}
