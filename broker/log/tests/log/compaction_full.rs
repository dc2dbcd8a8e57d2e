//! S-08: a disk that is full at any call of a clean. The pass is given up, the log is as it was, and a later pass does what
//! this one could not.

use std::sync::Arc;

use ottla_log::compaction::CleaningError;
use ottla_log::testing::{Call, Crash, FaultyDisk, Random};
use ottla_log::{LogConfig, SharedDisk};

use crate::cleaning::*;
use crate::compaction_crash::{assert_tidy, contents_of, history, last_values};
use crate::support::*;

const ENOSPC: i32 = 28;
const NOW: i64 = 1000;

/// Whether the disk stays full, or has room again at the next call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Full {
    Once,
    UntilHealed,
}

#[test]
fn s08_a_disk_that_is_full_at_any_call_of_a_clean_leaves_the_log_in_order() {
    let (memory, config) = history(400);
    // Some segments become one.
    let config = LogConfig {
        segment_bytes: 800,
        ..config
    };
    for full in [Full::Once, Full::UntilHealed] {
        let (mut given_up, mut done) = (0, 0);
        for n in 0.. {
            let told = format!("{full:?} at call {n}");
            let copy = memory.fork();
            let disk = FaultyDisk::new(Arc::new(copy.clone()));
            let shared: SharedDisk = disk.clone();
            let (mut log, _) = open(&shared, &config, UNKNOWN);
            log.flush_now().unwrap();
            let before = contents_of(&log);
            let calls = disk.calls();
            match full {
                Full::Once => disk.fail_once(Call::Any, n, ENOSPC),
                Full::UntilHealed => disk.fail_from(Call::Any, n, ENOSPC),
            }
            let outcome = try_clean(&mut log, None, NOW);
            let was_full = disk.calls() - calls > n;
            disk.heal();
            match outcome {
                Ok(_) if !was_full => break,
                Ok(_) => done += 1,
                Err(CleaningError::Disk(_)) => given_up += 1,
                Err(CleaningError::HalfSwapped(e)) => {
                    // A sync that fails is final, and so is a disk that has no room for a name that is there already.
                    let is_final = e.what == "sync directory" || full == Full::UntilHealed;
                    assert!(is_final, "{told}: {e}");
                    drop(log);
                    copy.crash(Crash::Process, &mut Random::new(n));
                    (log, _) = open(&shared, &config, UNKNOWN);
                }
                Err(e) => panic!("{told}: {e}"),
            }
            let after = contents_of(&log);
            assert_eq!(last_values(&after), last_values(&before), "{told}");
            append(&mut log, keyed(2000, &[("later", Some("1"))]));
            log.flush_now().unwrap();
            let cleaned = try_clean(&mut log, None, NOW).map(|cleaned| cleaned.deleted);
            let deleted = cleaned.unwrap_or_else(|e| panic!("{told}: {e}"));
            deleted
                .iter()
                .for_each(|old| old.remove(shared.as_ref()).unwrap());
            let flushed = log.flushed_end();
            let values = last_values(&contents_of(&log));
            drop(log);
            copy.crash(Crash::LoseAll, &mut Random::new(n));
            let (log, _) = open(&shared, &config, unclean(flushed));
            assert_eq!(last_values(&contents_of(&log)), values, "{told}");
            assert_eq!(values.get("later").map(String::as_str), Some("1"), "{told}");
            assert_tidy(&shared, &told);
        }
        assert!(given_up > 50, "{given_up} given up");
        assert!(
            done > 0 || full == Full::UntilHealed,
            "{done} done all the same"
        );
    }
}
