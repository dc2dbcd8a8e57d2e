//! S-06, S-08, S-09, S-16: a long scripted life of a log, with an error at every one of its calls to the disk, and a power
//! cut at every one of them. Nothing acknowledged is lost, nothing read was never written, nothing panics.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{AppendError, Log, LogConfig, Offsets, OpenInput, SharedDisk, Timestamps};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::support::*;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What was written, and what of it was promised.
#[derive(Clone, Default)]
struct Known {
    /// Every value that was ever given to an offset, the newest last.
    written: BTreeMap<i64, Vec<String>>,
    /// Below this everything from `start` on was flushed.
    flushed: i64,
    start: i64,
    /// As the checkpoint files would say.
    recovery_point: i64,
    count: u64,
}

impl Known {
    fn input(&self, clean_shutdown: bool) -> OpenInput {
        OpenInput {
            recovery_point: Offset(self.recovery_point),
            log_start: Offset(self.start),
            clean_shutdown,
        }
    }

    /// Everything that was promised is there, and everything that is there was written.
    fn verify(&self, log: &Log, told: &str) {
        assert!(log.end().0 >= self.flushed, "{told}: ends at {}", log.end());
        // A power cut may leave holes behind what was flushed, and nothing else does.
        let (found, damaged) = read_all(log, log.start().0);
        assert!(
            damaged == 0 || told.contains("Torn") || told.contains("Scattered"),
            "{told}"
        );
        let found: BTreeMap<i64, Vec<u8>> = found.into_iter().collect();
        for (offset, value) in &found {
            let attempts = self.written.get(offset);
            let was_written =
                attempts.is_some_and(|all| all.iter().any(|v| v.as_bytes() == &value[..]));
            assert!(was_written, "{told}: offset {offset}");
        }
        for (offset, values) in self.written.range(self.start..self.flushed) {
            let newest = values.last().map(String::as_bytes);
            let there = found.get(offset).map(|v| &v[..]);
            assert_eq!(there, newest, "{told}: offset {offset}");
        }
    }
}

/// A life on a disk: how it goes on after an error depends on what the error was.
struct Life {
    disk: SharedDisk,
    known: Known,
    config: LogConfig,
}

/// The process is to end: the directory is offline.
struct Dead;

impl Life {
    fn new(disk: SharedDisk) -> Self {
        let config = LogConfig {
            segment_bytes: 700,
            index_interval_bytes: 150,
            ..LogConfig::default()
        };
        Self {
            disk,
            known: Known::default(),
            config,
        }
    }

    fn open(&self, clean: bool) -> Result<Log, Dead> {
        let opened = Log::open(
            self.disk.clone(),
            dir(),
            Arc::new(self.config.clone()),
            self.known.input(clean),
            Millis(0),
        );
        opened.map(|(log, _)| log).map_err(|_| Dead)
    }

    fn append(&mut self, log: &mut Log, step: i64) -> Result<(), Dead> {
        self.known.count += 1;
        let value = format!("{:030}", self.known.count);
        let offset = log.end().0;
        let mut set = batch(1000 + step, &[value.as_bytes()]);
        self.known.written.entry(offset).or_default().push(value);
        let epoch = Offsets::Assign {
            leader_epoch: LeaderEpoch((step / 12) as i32),
        };
        match log.append(&mut set, epoch, Timestamps::Create, Millis(step)) {
            Ok(appended) => assert_eq!(appended.base_offset, Offset(offset)),
            // A full disk refuses and that is all.
            Err(AppendError::Disk(error)) if error.is_full() => {
                assert_eq!(log.end(), Offset(offset));
            }
            Err(_) => return Err(Dead),
        }
        Ok(())
    }

    fn flush(&mut self, log: &mut Log) -> Result<(), Dead> {
        // What could not be written is tried again; what could not be synced is the end.
        match log.start_flush() {
            Ok(None) => {}
            Ok(Some(ticket)) => {
                let flushed = ticket.run().map_err(|_| Dead)?;
                log.finish_flush(flushed);
            }
            Err(error) if error.is_full() => return Ok(()),
            Err(_) => return Err(Dead),
        }
        self.known.flushed = log.flushed_end().0;
        Ok(())
    }

    /// A full disk hinders housekeeping, and nothing else.
    fn unless_full<T>(result: Result<T, ottla_log::DiskError>) -> Result<Option<T>, Dead> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.is_full() => Ok(None),
            Err(_) => Err(Dead),
        }
    }

    fn step(&mut self, mut log: Log, step: i64) -> Result<Log, Dead> {
        match step % 13 {
            0 | 1 | 3 | 5 | 6 | 8 | 10 => self.append(&mut log, step)?,
            2 | 7 => self.flush(&mut log)?,
            4 => self.known.recovery_point = log.flushed_end().0,
            9 => {
                Self::unless_full(log.roll(Millis(step)))?;
            }
            11 if step % 2 == 0 => {
                let start = log.flushed_end().0 - 4;
                self.known.start = self.known.start.max(start);
                Self::unless_full(log.set_start(Offset(start)))?;
                let gone = Self::unless_full(log.apply_retention(log.flushed_end(), Millis(step)))?;
                for segment in gone.unwrap_or_default() {
                    Self::unless_full(segment.remove(self.disk.as_ref()))?;
                }
            }
            11 => {
                let to = log.end().0 - 2;
                self.known.flushed = self.known.flushed.min(to);
                self.known.recovery_point = self.known.recovery_point.min(to);
                match Self::unless_full(log.truncate_to(Offset(to), Millis(step)))? {
                    Some(gone) => {
                        for segment in gone {
                            Self::unless_full(segment.remove(self.disk.as_ref()))?;
                        }
                    }
                    // Half cut: to be opened again.
                    None => {
                        drop(log);
                        log = self.open(false)?;
                    }
                }
                self.known.start = self.known.start.min(log.start().0);
            }
            _ if step % 3 == 0 => {
                Self::unless_full(log.release_files())?;
            }
            _ => {
                self.flush(&mut log)?;
                let end = log.close().map_err(|_| Dead)?;
                self.known.flushed = end.0;
                self.known.recovery_point = end.0;
                log = self.open(true)?;
                assert_eq!(log.end(), end);
            }
        }
        Ok(log)
    }

    fn live(&mut self) -> Result<Log, Dead> {
        let mut log = self.open(false)?;
        for step in 0..80 {
            log = self.step(log, step)?;
        }
        self.flush(&mut log)?;
        Ok(log)
    }
}

fn faulty() -> (Arc<MemoryDisk>, Arc<FaultyDisk>) {
    let memory = memory();
    let faulty = FaultyDisk::new(memory.clone());
    (memory, faulty)
}

/// How many calls a life without errors makes.
fn calls_of_a_life() -> u64 {
    let (_, disk) = faulty();
    let mut life = Life::new(disk.clone());
    let log = life.live().ok().expect("nothing fails");
    life.known.verify(&log, "an undisturbed life");
    assert!(log.segment_count() > 1 && log.start() > Offset::ZERO);
    disk.calls()
}

/// S-06. The directory is offline after the first error; what comes next is a restart, after a power cut or not.
#[test]
fn an_error_at_any_call_of_a_logs_life_loses_nothing_that_was_acknowledged() {
    for n in 0..calls_of_a_life() {
        let (memory, disk) = faulty();
        disk.fail_from(Call::Any, n, EIO);
        let mut life = Life::new(disk.clone());
        // Where only derived data could not be written, life goes on.
        drop(life.live());
        disk.heal();
        let how = [
            Crash::Process,
            Crash::LoseAll,
            Crash::Torn,
            Crash::Scattered,
        ][(n % 4) as usize];
        memory.crash(how, &mut Random::new(n));
        reopened_and_sound(&mut life, &format!("{how:?} at call {n}"));
    }
}

fn reopened_and_sound(life: &mut Life, told: &str) {
    let mut log = life.open(false).ok().expect("the disk is well again");
    life.known.verify(&log, told);
    life.append(&mut log, 900).ok().expect("and takes appends");
    life.flush(&mut log).ok().expect("and flushes");
}

/// S-08. Nothing but what the call was for is refused, and the log goes on.
#[test]
fn a_disk_that_is_full_at_any_call_of_a_logs_life_refuses_and_loses_nothing() {
    for n in 0..calls_of_a_life() {
        let (_, disk) = faulty();
        disk.fail_once(Call::Any, n, ENOSPC);
        let mut life = Life::new(disk.clone());
        let told = format!("full at call {n}");
        let lived = life.live();
        disk.heal();
        match lived {
            Ok(log) => {
                life.known.verify(&log, &told);
                let end = log.close().unwrap();
                life.known.flushed = end.0;
                life.known.recovery_point = end.0;
                let log = life.open(true).ok().expect("a sound log");
                life.known.verify(&log, &told);
            }
            // A sync that fails is final, whatever its error; and so is an open.
            Err(Dead) => reopened_and_sound(&mut life, &told),
        }
    }
}

/// S-09.
#[test]
fn short_and_interrupted_reads_and_writes_change_nothing() {
    for seed in seeds(4) {
        let _print = PrintSeed {
            seed,
            test: "short_and_interrupted",
        };
        let (_, disk) = faulty();
        disk.be_choppy(Random::new(seed));
        let mut life = Life::new(disk.clone());
        let log = life.live().ok().expect("no error is an error");
        life.known.verify(&log, "choppy");
        drop(log);
        let log = life.open(false).ok().expect("a sound log");
        life.known.verify(&log, "choppy");
    }
    let (_, disk) = faulty();
    disk.be_choppy(Random::new(9));
    let disk: SharedDisk = disk;
    let (mut log, _) = open(&disk, &LogConfig::default(), UNKNOWN);
    for i in 0..1000 {
        append(&mut log, batch(i, &[numbered_value(i).as_bytes()]));
    }
    let (records, damaged) = read_all(&log, 0);
    assert_eq!((records.len(), damaged), (1000, 0));
    assert_numbered(&records);
}

/// The power goes again while the log is being recovered.
#[test]
fn a_crash_at_any_call_of_a_recovery_loses_nothing_more() {
    let (memory, disk) = faulty();
    let mut life = Life::new(disk.clone());
    let log = life.live().ok().expect("nothing fails");
    drop(log);
    // Something to cut, and something to rebuild.
    let mut log = life.open(false).ok().expect("a sound log");
    for step in 0..6 {
        life.append(&mut log, 900 + step).ok().expect("room");
    }
    drop(log);
    memory.crash(Crash::Torn, &mut Random::new(5));
    let mut n = 0;
    loop {
        let fork = Arc::new(memory.fork());
        let disk = FaultyDisk::new(fork.clone());
        disk.fail_from(Call::Any, n, EIO);
        let mut again = Life::new(disk.clone());
        again.known = life.known.clone();
        let opened = again.open(false).is_ok();
        disk.heal();
        let how = [
            Crash::Process,
            Crash::LoseAll,
            Crash::Torn,
            Crash::Scattered,
        ][(n % 4) as usize];
        fork.crash(how, &mut Random::new(n));
        reopened_and_sound(&mut again, &format!("{how:?} at call {n} of recovery"));
        if opened {
            break;
        }
        n += 1;
    }
    assert!(n > 10, "{n} calls");
}
