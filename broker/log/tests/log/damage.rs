//! S-10 to S-14: torn, zeroed and rotten tails, rot in the middle, derived files that are gone or wrong.

use std::path::Path;
use std::sync::Arc;

use ottla_log::testing::{MemoryDisk, Random};
use ottla_log::{Fault, LogConfig, MinimumRead, ReadError, ReadRequest, SharedDisk, names};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::support::*;

/// S-10. Whether the tail was flushed or not: a file that ends too early ends with its last whole batch.
#[test]
fn a_tail_torn_at_any_byte_of_the_last_two_batches_is_cut_to_whole_batches() {
    let config = LogConfig::default();
    let (memory, _, end) = numbered(&config, 10);
    let path = segment_path(0, names::LOG);
    let mut whole = 0;
    memory.with_bytes(&path, |b| whole = b.len()).unwrap();
    let one = whole / 10;
    for recovery_point in [Offset(5), end] {
        for len in whole - 2 * one..whole {
            let disk: SharedDisk = Arc::new(memory.fork());
            let file = disk
                .open(&path, ottla_log::disk::OpenMode::ReadWrite)
                .unwrap();
            file.set_len(len as u64).unwrap();
            let (log, report) = open(&disk, &config, unclean(recovery_point));
            let batches = len / one;
            assert_eq!(log.end(), Offset(batches as i64), "cut to {len}");
            assert_numbered(&read_all(&log, 0).0);
            match report.truncated {
                None => assert_eq!(len % one, 0),
                Some(cut) => assert_eq!(
                    (cut.bytes, cut.position, cut.batches),
                    ((len % one) as u64, (batches * one) as u64, 1)
                ),
            }
            assert_eq!(report.lost.is_some(), recovery_point == end);
        }
    }
}

/// S-11.
#[test]
fn zeros_and_garbage_behind_the_end_are_cut_off() {
    let config = dense();
    let (memory, _, end) = numbered(&config, 25);
    let mut random = Random::new(11);
    let active = {
        let disk: SharedDisk = memory.clone();
        open(&disk, &config, clean(end)).0.active_base().0
    };
    for round in 0..100 {
        let len = 12 + random.below(if round % 10 == 0 { 1 << 20 } else { 9000 }) as usize;
        let tail = if round % 2 == 0 {
            vec![0; len]
        } else {
            random.bytes(len)
        };
        let fork = Arc::new(memory.fork());
        fork.with_bytes(&segment_path(active, names::LOG), |b| {
            b.extend_from_slice(&tail)
        })
        .unwrap();
        let disk: SharedDisk = fork;
        let input = [clean(end), unclean(end), unclean(Offset::ZERO)][round % 3];
        let (mut log, report) = open(&disk, &config, input);
        assert_eq!(log.end(), end, "round {round}");
        // Zeros are what allocating ahead leaves: nothing to worry about.
        assert_eq!(report.is_quiet(), round % 2 == 0, "round {round}");
        let cut = report.truncated.unwrap();
        assert_eq!((cut.bytes, cut.offset), (len as u64, end));
        assert_eq!(cut.reason == Fault::Unwritten, round % 2 == 0);
        append(&mut log, batch(1, &[numbered_value(25).as_bytes()]));
        let (records, damaged) = read_all(&log, 0);
        assert_eq!((records.len(), damaged), (26, 0));
        assert_numbered(&records);
    }
}

/// S-12.
#[test]
fn a_bit_flipped_in_the_last_unflushed_batch_cuts_that_batch() {
    let config = LogConfig::default();
    let (memory, _, _) = numbered(&config, 10);
    let path = segment_path(0, names::LOG);
    let mut len = 0;
    memory.with_bytes(&path, |b| len = b.len()).unwrap();
    let one = len / 10;
    for bit in (0..one * 8).step_by(7) {
        let fork = Arc::new(memory.fork());
        fork.with_bytes(&path, |b| b[len - one + bit / 8] ^= 1 << (bit % 8))
            .unwrap();
        let disk: SharedDisk = fork;
        let (log, report) = open(&disk, &config, unclean(Offset(9)));
        // The leader epoch is not covered by the checksum.
        if log.end() != Offset(9) {
            let uncovered = (12..16).contains(&(bit / 8));
            assert!(uncovered, "bit {bit}: {report:?}");
        }
        let (records, _) = read_all(&log, 0);
        assert!(records.len() >= 9);
        assert_numbered(&records[..9]);
    }
}

/// S-13: what follows a rotten batch is never lost, and the batch itself is an error.
#[test]
fn rot_in_the_middle_is_kept_reported_and_an_error_to_readers() {
    let config = dense();
    let (memory, _, end) = numbered(&config, 60);
    let mut random = Random::new(13);
    let mut bases = Vec::new();
    {
        let disk: SharedDisk = memory.clone();
        let (log, _) = open(&disk, &config, clean(end));
        log.scan_batches(Offset(0), &mut |h| bases.push(h.base_offset.0))
            .unwrap();
    }
    for round in 0..500 {
        let victim = random.below(59) as i64;
        let fork = Arc::new(memory.fork());
        let disk: SharedDisk = fork.clone();
        let (segment, position) = {
            let (log, _) = open(&disk, &config, clean(end));
            let slice = log.read(everything(&log, victim)).unwrap().unwrap();
            let mut base = 0;
            let dir: Vec<_> = disk.list(dir()).unwrap();
            for entry in &dir {
                if let Some((b, names::LOG)) = names::parse_segment_file(&entry.name)
                    && b.0 <= victim
                {
                    base = base.max(b.0);
                }
            }
            (base, slice.position as usize)
        };
        // Anything from the length on, but not the leader epoch, which no checksum covers.
        let at = [8 + random.below(4), 16 + random.below(80)][random.below(2) as usize] as usize;
        fork.with_bytes(&segment_path(segment, names::LOG), |b| {
            b[position + at] ^= 1 << random.below(8)
        })
        .unwrap();
        let (log, report) = open(&disk, &config, unclean(Offset::ZERO));
        let told = format!("round {round}: batch {victim} byte {at}: {report:?}");
        assert_eq!(log.end(), end, "{told}");
        assert_eq!(report.corrupt.len(), 1, "{told}");
        assert_eq!(report.corrupt[0].first_offset, Offset(victim), "{told}");
        let (records, damaged) = read_all(&log, 0);
        assert_eq!(damaged, 1, "{told}");
        assert_numbered(&records);
        let expected: Vec<_> = (0..60).filter(|o| *o != victim).collect();
        assert_eq!(offsets(&records), expected, "{told}");
        let refused = log.read(everything(&log, victim));
        assert!(matches!(refused, Err(ReadError::Corrupt(_))), "{told}");
        // A reader that comes from before is stopped in front of it, not led through it.
        if victim > 0 {
            let slice = log.read(everything(&log, victim - 1)).unwrap().unwrap();
            assert_eq!(
                offsets(&records_in(&bytes_of(&slice))),
                [victim - 1],
                "{told}"
            );
        }
        // And so it stays: a clean start scans nothing and must not hand the batch out again.
        log.close().unwrap();
        let (log, report) = open(&disk, &config, clean(end));
        assert_eq!(report.corrupt[0].first_offset, Offset(victim), "{told}");
        assert_eq!(offsets(&read_all(&log, 0).0), expected, "{told}");
        let refused = log.read(everything(&log, victim));
        assert!(matches!(refused, Err(ReadError::Corrupt(_))), "{told}");
    }
}

/// The content of batch 4 of 10; the header is as it was.
fn with_a_rotten_batch(config: &LogConfig) -> (Arc<MemoryDisk>, SharedDisk, Offset) {
    let (memory, disk, end) = numbered(config, 10);
    flip_in_batch_4(&memory);
    let (log, report) = open(&disk, config, unclean(Offset::ZERO));
    assert_eq!(report.corrupt[0].reason, Fault::BadCrc);
    log.close().unwrap();
    (memory, disk, end)
}

fn flip_in_batch_4(memory: &MemoryDisk) {
    memory
        .with_bytes(&segment_path(0, names::LOG), |b| {
            let one = b.len() / 10;
            b[5 * one - 2] ^= 1;
        })
        .unwrap();
}

/// S-13. Whatever happens to the log next, the rotten batch is not handed out.
#[test]
fn damage_is_not_forgotten_by_restarts_rolls_and_new_indexes() {
    let config = LogConfig {
        index_interval_bytes: 200,
        ..LogConfig::default()
    };
    let (_, disk, end) = with_a_rotten_batch(&config);
    let mut end = end;
    for round in 0..4 {
        if round == 2 {
            for suffix in [names::OFFSET_INDEX, names::TIME_INDEX] {
                disk.remove_file(&segment_path(0, suffix)).unwrap();
            }
        }
        let input = if round == 3 { unclean(end) } else { clean(end) };
        let (mut log, report) = open(&disk, &config, input);
        assert_eq!(report.corrupt.len(), 1, "round {round}: {report:?}");
        let refused = log.read(everything(&log, 4));
        assert!(matches!(refused, Err(ReadError::Corrupt(_))), "{round}");
        let (records, damaged) = read_all(&log, 0);
        assert_eq!((records.len(), damaged), (9 + round, 1));
        if round == 1 {
            log.roll(Millis(0)).unwrap();
        }
        append(&mut log, batch(2000, &[b"more"]));
        end = log.close().unwrap();
    }
}

#[test]
fn a_batch_that_was_mended_or_cut_away_is_served_again() {
    let config = LogConfig::default();
    let (memory, disk, end) = with_a_rotten_batch(&config);
    flip_in_batch_4(&memory);
    let (log, report) = open(&disk, &config, clean(end));
    assert!(report.is_quiet(), "{report:?}");
    assert_eq!(read_all(&log, 0).1, 0);
    assert!(disk.info(&dir().join(names::DAMAGE)).is_err());

    let (_, disk, end) = with_a_rotten_batch(&config);
    let (mut log, _) = open(&disk, &config, clean(end));
    log.truncate_to(Offset(3), Millis(0)).unwrap();
    for i in 3..8 {
        append(&mut log, batch(1000 + i, &[b"a longer or a shorter one"]));
    }
    let end = log.close().unwrap();
    let (log, report) = open(&disk, &config, clean(end));
    assert!(report.is_quiet(), "{report:?}");
    assert_eq!((read_all(&log, 0).0.len(), read_all(&log, 0).1), (8, 0));
}

/// A segment of which nothing can be read any more was flushed once, so it stays and its offsets stay taken.
#[test]
fn a_last_segment_that_rotted_whole_is_kept() {
    let config = LogConfig::default();
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    append(&mut log, batch(1, &[b"a"]));
    log.roll(Millis(0)).unwrap();
    append(&mut log, batch(2, &[b"b"]));
    let end = log.close().unwrap();
    memory
        .with_bytes(&segment_path(1, names::LOG), |b| b[16] = 9)
        .unwrap();
    for input in [clean(end), unclean(end)] {
        let (log, report) = open(&disk, &config, input);
        assert_eq!((log.end(), report.corrupt.len()), (end, 1), "{report:?}");
        assert_eq!(offsets(&read_all(&log, 0).0), [0]);
        log.close().unwrap();
    }
}

/// The header of a batch that was flushed long ago: nobody scans it, a reader runs into it.
#[test]
fn a_rotten_header_that_no_scan_saw_is_met_by_the_reader_and_passed_by_others() {
    let config = LogConfig {
        index_interval_bytes: 1 << 20,
        ..LogConfig::default()
    };
    let (memory, disk, end) = numbered(&config, 10);
    let path = segment_path(0, names::LOG);
    memory
        .with_bytes(&path, |b| {
            let one = b.len() / 10;
            b[4 * one + 8..4 * one + 12].fill(0xff);
        })
        .unwrap();
    let (log, report) = open(&disk, &config, clean(end));
    assert_eq!(
        report.corrupt.len(),
        1,
        "a clean mark is not believed over the file: {report:?}"
    );
    assert_eq!(log.end(), end);
    let request = ReadRequest {
        from: Offset(4),
        max_bytes: 1000,
        upper_end: end,
        minimum: MinimumRead::OneBatch,
    };
    let Err(ReadError::Corrupt(stretch)) = log.read(request) else {
        panic!("offset 4 is rotten")
    };
    assert_eq!(
        (stretch.next_offset, stretch.reason),
        (Offset(5), Fault::BadLength)
    );
    assert_eq!(offsets(&read_all(&log, 5).0), [5, 6, 7, 8, 9]);
}

/// The last batch was flushed, its header is unreadable and nothing follows: the end stays where it was promised.
#[test]
fn a_flushed_tail_that_rotted_is_kept_and_its_offsets_are_not_given_out_again() {
    let config = LogConfig::default();
    let (memory, disk, end) = numbered(&config, 10);
    memory
        .with_bytes(&segment_path(0, names::LOG), |b| {
            let one = b.len() / 10;
            b[9 * one + 16] = 77;
        })
        .unwrap();
    let (mut log, report) = open(&disk, &config, unclean(end));
    assert_eq!((log.end(), report.truncated), (end, None));
    assert_eq!(report.corrupt[0].reason, Fault::BadMagic);
    assert_eq!(
        append(&mut log, batch(1, &[b"next"])).base_offset,
        Offset(10)
    );
    let (records, damaged) = read_all(&log, 0);
    assert_eq!(
        (offsets(&records), damaged),
        (vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 10], 1)
    );
}

enum Wrong {
    Missing,
    Empty,
    Half,
    Garbage,
    Stale,
}

const WRONGS: [Wrong; 5] = [
    Wrong::Missing,
    Wrong::Empty,
    Wrong::Half,
    Wrong::Garbage,
    Wrong::Stale,
];

/// S-14: derived files are derived.
#[test]
fn the_log_answers_the_same_whatever_became_of_its_derived_files() {
    let config = LogConfig {
        index_interval_bytes: 200,
        segment_bytes: 4000,
        ..LogConfig::default()
    };
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    let mut stale = None;
    for i in 0..100 {
        let mut set = batch(1000 + i * 10, &[numbered_value(i).as_bytes()]);
        let epoch = ottla_log::Offsets::Assign {
            leader_epoch: LeaderEpoch((i / 30) as i32),
        };
        log.append(&mut set, epoch, ottla_log::Timestamps::Create, Millis(0))
            .unwrap();
        if i == 50 {
            log.flush_now().unwrap();
            log.release_files().unwrap();
            stale = Some(memory.fork());
        }
    }
    let end = log.close().unwrap();
    let stale = stale.unwrap();
    let files: Vec<_> = disk
        .list(dir())
        .unwrap()
        .into_iter()
        .map(|e| dir().join(e.name))
        .filter(|p| p.extension().is_none_or(|e| e != names::LOG))
        .collect();
    assert!(files.len() > 6, "{files:?}");
    let mut random = Random::new(14);
    for (i, first) in files.iter().enumerate() {
        for (j, wrong) in WRONGS.iter().enumerate() {
            for input in [
                clean(end),
                unclean(end),
                unclean(Offset(70)),
                unclean(Offset::ZERO),
            ] {
                let fork = Arc::new(memory.fork());
                spoil(&fork, &stale, first, wrong, &mut random);
                // In pairs, too.
                if random.one_in(2) {
                    let second = &files[random.below(files.len() as u64) as usize];
                    spoil(&fork, &stale, second, &WRONGS[(i + j) % 5], &mut random);
                }
                let disk: SharedDisk = fork;
                let (mut log, _) = open(&disk, &config, input);
                answers_as_ever(&log);
                log.apply_retention(Offset::ZERO, Millis(0)).unwrap();
                answers_as_ever(&log);
                let end = log.close().unwrap();
                answers_as_ever(&open(&disk, &config, clean(end)).0);
            }
        }
    }
}

fn spoil(disk: &MemoryDisk, stale: &MemoryDisk, path: &Path, wrong: &Wrong, random: &mut Random) {
    use ottla_log::Disk;
    let mut old = Vec::new();
    let _ = stale.with_bytes(path, |b| old.clone_from(b));
    if matches!(wrong, Wrong::Missing) {
        let _ = disk.remove_file(path);
        return;
    }
    let _ = disk.with_bytes(path, |b| match wrong {
        Wrong::Missing | Wrong::Empty => b.clear(),
        Wrong::Half => b.truncate(b.len() / 2),
        Wrong::Garbage => *b = random.bytes(b.len().max(24)),
        Wrong::Stale => *b = old,
    });
}

fn answers_as_ever(log: &ottla_log::Log) {
    let (records, damaged) = read_all(log, 0);
    assert_eq!((records.len(), damaged, log.end()), (100, 0, Offset(100)));
    assert_numbered(&records);
    for i in (0..100).step_by(9) {
        let found = log
            .offset_for_timestamp(Millis(1000 + i * 10 - 5), Offset::ZERO)
            .unwrap();
        assert_eq!(found.map(|f| f.offset), Some(Offset(i)));
        let slice = log.read(everything(log, i)).unwrap().unwrap();
        assert_eq!(slice.base_offset, Offset(i));
    }
    assert_eq!(log.max_timestamp().unwrap().unwrap().offset, Offset(99));
    for (epoch, end) in [(0, 30), (1, 60), (2, 90), (3, 100)] {
        let found = log.epochs().end_of(LeaderEpoch(epoch), log.end()).unwrap();
        assert_eq!(found.end, Offset(end), "epoch {epoch}");
    }
}
