//! Random histories of puts, deletes and transactions, with cleans and crashes in between, against a model that keeps
//! everything: the log always leads to the last values, offsets never change, no tombstone goes before its time, and
//! nothing that was deleted or aborted comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_log::compaction::{CleaningError, CompactionConfig, LastOfProducer, OffsetMap};
use ottla_log::testing::{Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::txn_index::AbortedTxn;
use ottla_log::{Log, LogConfig, OpenInput, SharedDisk};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use crate::cleaning::*;
use crate::support::*;

const KEYS: u64 = 12;
pub(crate) const DELETE_RETENTION_MS: i64 = 50;

/// One record as the model knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: i64,
    /// The transaction it belongs to.
    pub(crate) txn: Option<usize>,
    /// When a pass first came by it; a tombstone stays for some time after that.
    pub(crate) first_cleaned: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Open,
    Committed,
    Aborted,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Txn {
    pub(crate) producer: i64,
    pub(crate) first: i64,
    pub(crate) fate: Fate,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LastBatch {
    pub(crate) last_offset: i64,
    pub(crate) last_sequence: i32,
}

pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) random: Random,
    pub(crate) memory: Arc<MemoryDisk>,
    pub(crate) shared: SharedDisk,
    pub(crate) dying: Arc<FaultyDisk>,
    pub(crate) config: LogConfig,
    pub(crate) map: OffsetMap,
    pub(crate) now: i64,
    pub(crate) written: u64,
    pub(crate) records: BTreeMap<i64, Known>,
    pub(crate) txns: Vec<Txn>,
    /// By producer, in the order of the log.
    pub(crate) batches: BTreeMap<i64, Vec<LastBatch>>,
    pub(crate) checkpoint: Offset,
    pub(crate) recovery_point: Offset,
}

impl Story {
    fn new(seed: u64) -> (Self, Log) {
        let mut random = Random::new(seed);
        let memory = memory();
        let shared: SharedDisk = memory.clone();
        let dying = FaultyDisk::new(shared.clone());
        let disk: SharedDisk = dying.clone();
        let config = LogConfig {
            segment_bytes: 300 + random.below(2000),
            index_interval_bytes: 1 + random.below(300) as u32,
            ..LogConfig::default()
        };
        let slots = 4 + random.below(20) as usize;
        let (log, _) = open(&disk, &config, UNKNOWN);
        let story = Self {
            seed,
            random,
            memory,
            shared,
            dying,
            config,
            map: OffsetMap::new(slots * 24, 0.9, [5; 16]),
            now: 1000,
            written: 0,
            records: BTreeMap::new(),
            txns: Vec::new(),
            batches: BTreeMap::new(),
            checkpoint: Offset::ZERO,
            recovery_point: Offset::ZERO,
        };
        (story, log)
    }

    pub(crate) fn told(&self) -> String {
        format!("seed {} at {}", self.seed, self.now)
    }

    /// Producer 0 is none; 1 and 2 are idempotent; 3 and 4 are transactional.
    fn append(&mut self, log: &mut Log) {
        let producer = self.random.below(5) as i64;
        let transactional = producer >= 3;
        let base = log.end().0;
        let codec = Compression::ALL[self.random.below(5) as usize];
        let mut builder = BatchBuilder::new(codec).transactional(transactional);
        let sequence = self.next_sequence(producer);
        if producer > 0 {
            builder.set_producer(ProducerId(producer), ProducerEpoch(0), sequence);
        }
        let txn = transactional.then(|| self.open_txn(producer, base));
        let count = 1 + self.random.below(4) as i64;
        for i in 0..count {
            self.written += 1;
            let key = format!("key {}", self.random.below(KEYS));
            let value = (!self.random.one_in(4)).then(|| {
                let pad = "~".repeat(self.random.below(60) as usize);
                format!("{}{pad}", self.written)
            });
            let timestamp = self.now + i;
            builder
                .append(
                    Millis(timestamp),
                    Some(key.as_bytes()),
                    value.as_deref().map(str::as_bytes),
                    &[],
                )
                .unwrap();
            let known = Known {
                key,
                value,
                timestamp,
                txn,
                first_cleaned: None,
            };
            self.records.insert(base + i, known);
        }
        append(log, builder.build().unwrap());
        if producer > 0 {
            self.batches.entry(producer).or_default().push(LastBatch {
                last_offset: base + count - 1,
                last_sequence: sequence + count as i32 - 1,
            });
        }
    }

    fn next_sequence(&self, producer: i64) -> i32 {
        let batches = self.batches.get(&producer);
        batches
            .and_then(|b| b.last())
            .map_or(0, |b| b.last_sequence + 1)
    }

    fn open_txn(&mut self, producer: i64, first: i64) -> usize {
        let open = self
            .txns
            .iter()
            .position(|t| t.producer == producer && t.fate == Fate::Open);
        open.unwrap_or_else(|| {
            self.txns.push(Txn {
                producer,
                first,
                fate: Fate::Open,
            });
            self.txns.len() - 1
        })
    }

    /// Ends a transaction, durably.
    fn end_txn(&mut self, log: &mut Log) {
        let open: Vec<usize> = (0..self.txns.len())
            .filter(|i| self.txns[*i].fate == Fate::Open)
            .collect();
        if open.is_empty() {
            return;
        }
        let i = open[self.random.below(open.len() as u64) as usize];
        let committed = self.random.one_in(2);
        let Txn {
            producer, first, ..
        } = self.txns[i];
        let stable = self.stable_end(log);
        let appended = append(log, marker(producer, committed, self.now));
        self.txns[i].fate = if committed {
            Fate::Committed
        } else {
            Fate::Aborted
        };
        if !committed {
            let txn = AbortedTxn {
                producer_id: ProducerId(producer),
                first_offset: Offset(first),
                last_offset: appended.last_offset,
                last_stable_offset: stable,
            };
            log.add_aborted(txn).unwrap();
        }
        log.flush_now().unwrap();
    }

    fn stable_end(&self, log: &Log) -> Offset {
        let open = self.txns.iter().filter(|t| t.fate == Fate::Open);
        let first_open = open.map(|t| Offset(t.first)).min();
        first_open.unwrap_or(log.end()).min(log.flushed_end())
    }

    fn producers(&self) -> Producers {
        let last = |batches: &Vec<LastBatch>| batches.last().copied();
        let known = self
            .batches
            .iter()
            .filter_map(|(id, b)| Some((*id, last(b)?)));
        let entry = |(id, batch): (i64, LastBatch)| {
            let last = LastOfProducer {
                last_data_offset: Some(Offset(batch.last_offset)),
                epoch: ProducerEpoch(0),
            };
            (ProducerId(id), last)
        };
        known.map(entry).collect()
    }

    /// A pass, which may be cut short by a crash or a map that is full.
    fn clean(&mut self, mut log: Log) -> Log {
        let config = CompactionConfig {
            delete_retention_ms: Millis(DELETE_RETENTION_MS),
            io_buffer_bytes: 100 + self.random.below(1000) as usize,
            ..KEEP_LONG
        };
        let stable = self.stable_end(&log);
        let cleanable = log
            .cleanable(Some(self.checkpoint), stable, &config, Millis(self.now))
            .unwrap();
        for known in self
            .records
            .range_mut(..cleanable.end.0)
            .map(|(_, known)| known)
        {
            known.first_cleaned.get_or_insert(self.now);
        }
        if self.random.one_in(3) {
            self.dying.cut_off_after(self.random.below(80));
        }
        let now = Millis(self.now);
        let producers = self.producers();
        let mut run = || -> Result<Offset, CleaningError> {
            let job = log.start_cleaning(&cleanable, config, producers.clone(), now)?;
            let mut pass = job.index(&mut self.map, &mut |_| true)?;
            while let Some(cleaned) = pass.next_segment(&mut |_| true)? {
                for segment in log.swap_in(cleaned, now)? {
                    segment.remove(log.disk().as_ref())?;
                }
            }
            Ok(pass.end())
        };
        match run() {
            Ok(end) => {
                assert!(end >= self.checkpoint);
                self.checkpoint = end;
                self.assert_clean(&log, end);
            }
            Err(e) => assert!(self.dying.is_cut_off(), "{e}: {}", self.told()),
        }
        if self.dying.is_cut_off() {
            return self.crash(log);
        }
        // What is left of the countdown must not hit the next step.
        self.dying.cut_off_after(u64::MAX);
        log
    }

    fn input(&self, clean_shutdown: bool) -> OpenInput {
        OpenInput {
            recovery_point: self.recovery_point,
            log_start: Offset::ZERO,
            clean_shutdown,
        }
    }

    fn reopen(&mut self, clean_shutdown: bool) -> Log {
        self.dying = FaultyDisk::new(self.shared.clone());
        let disk: SharedDisk = self.dying.clone();
        let (log, report) = open(&disk, &self.config, self.input(clean_shutdown));
        assert!(
            report.corrupt.is_empty() && report.lost.is_none(),
            "{report:?}: {}",
            self.told()
        );
        log
    }

    fn crash(&mut self, log: Log) -> Log {
        // Damage in the middle of what was not flushed is the business of other tests: such a log is not cleaned.
        let kinds: &[Crash] = match log.flushed_end() {
            flushed if flushed == log.end() => &[
                Crash::Process,
                Crash::LoseAll,
                Crash::Torn,
                Crash::Scattered,
            ],
            flushed if flushed >= log.active_base() => {
                &[Crash::Process, Crash::LoseAll, Crash::Torn]
            }
            _ => &[Crash::Process, Crash::LoseAll],
        };
        let how = kinds[self.random.below(kinds.len() as u64) as usize];
        let flushed = log.flushed_end();
        drop(log);
        self.memory.crash(how, &mut self.random);
        let log = self.reopen(false);
        assert!(log.end() >= flushed, "{how:?}: {}", self.told());
        let end = log.end().0;
        self.records.split_off(&end);
        for batches in self.batches.values_mut() {
            let before = batches.len();
            batches.retain(|b| b.last_offset < end);
            if batches.len() < before {
                // A pass may have relied on what is lost, and taken the batch before it. In a broker the snapshot of
                // the producers' state has it.
                batches.clear();
            }
        }
        for txn in &mut self.txns {
            if txn.fate == Fate::Open && txn.first >= end {
                // As if it had never been.
                txn.fate = Fate::Committed;
            }
        }
        log
    }

    fn step(&mut self, mut log: Log) -> Log {
        self.now += self.random.below(10) as i64;
        match self.random.below(40) {
            0..18 => self.append(&mut log),
            18..24 => self.end_txn(&mut log),
            24..28 => log.flush_now().unwrap(),
            28 => self.recovery_point = log.flushed_end(),
            29 => {
                log.roll(Millis(self.now)).unwrap();
            }
            30..36 => log = self.clean(log),
            36 => {
                self.recovery_point = log.close().unwrap();
                log = self.reopen(true);
            }
            37 => log = self.crash(log),
            38 => log.release_files().unwrap(),
            _ => self.now += DELETE_RETENTION_MS,
        }
        self.verify(&log);
        log
    }
}

fn run(seed: u64, steps: usize) {
    let (mut story, mut log) = Story::new(seed);
    for _ in 0..steps {
        log = story.step(log);
    }
}

#[test]
fn a_compacted_log_always_leads_to_the_last_values() {
    let seeds = std::env::var("OTTLA_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    for seed in 0..seeds.unwrap_or(8) {
        run(seed, 120);
    }
}
