//! Real processes, real clients, real faults: `cargo xtask faults [SCENARIO…] [--seed N] [--rounds N] [--quick] [--list]`.
//!
//! Owns: the list of scenarios (ids are those of docs/reliability.md), and the table at the end. A scenario that fails,
//! or whose needs can't be met on this machine, fails the run and does not keep the others from running.
//! Always: every random choice comes from the seed, which is printed; what a failed scenario left on disk is kept.
//! Not here: faults that need neither root nor minutes. Those are in `cargo test`.

mod broker;
mod check;
mod clients;
mod clock_steps;
mod commits;
mod connect;
mod full_disk;
mod histories;
mod inject;
mod isolation;
mod kills;
mod limits;
mod members;
mod mount;
mod needs;
mod options;
mod ownership;
mod pipes;
mod power;
mod races;
mod random;
mod refusals;
mod report;
mod short_writes;
mod steps;
mod stops;
mod stories;
mod streams;
mod sync_errors;
mod zombies;

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::shell::{cargo, run, target_dir};
use needs::Need;
use options::Options;
use random::Random;
use report::{Outcome, Report};

pub(crate) use options::Options as FaultOptions;

/// One way of breaking things, and what must hold all the same.
struct Scenario {
    /// The row of the catalogue in docs/reliability.md.
    id: &'static str,
    /// Tells the scenarios of one row apart; `S-01` on the command line means all of them, `S-01/kill` this one.
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    /// Of a run that nobody shortened.
    rounds: usize,
    /// Roughly what that takes.
    minutes: usize,
    /// Of the short form in `cargo xtask ci`. None where it needs root or cannot be had in seconds.
    quick_rounds: Option<usize>,
    run: fn(&mut Stage) -> Result<Report>,
}

/// In the order in which they run. A new scenario is a function and an entry.
const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "S-01",
        name: "kill-all",
        about: "kill -9 at random moments under four idempotent clients with acks=all",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 200,
        minutes: 6,
        quick_rounds: None,
        run: kills::under_acks_all,
    },
    Scenario {
        id: "S-02",
        name: "kill-one",
        about: "kill -9 at random moments under four clients with acks=1",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 100,
        minutes: 3,
        quick_rounds: None,
        run: kills::under_acks_one,
    },
    Scenario {
        id: "S-03",
        name: "power-xfs",
        about: "power cut at random moments, acks=all, XFS",
        needs: &[Need::Librdkafka, Need::Mounts],
        rounds: 50,
        minutes: 3,
        quick_rounds: None,
        run: power::on_xfs,
    },
    Scenario {
        id: "S-03",
        name: "power-ext4",
        about: "power cut at random moments, acks=all, ext4",
        needs: &[Need::Librdkafka, Need::Mounts],
        rounds: 50,
        minutes: 3,
        quick_rounds: None,
        run: power::on_ext4,
    },
    Scenario {
        id: "S-05",
        name: "power-control",
        about: "power cut with ottla.durability=memory: losses must show",
        needs: &[Need::Librdkafka, Need::Mounts],
        rounds: 10,
        minutes: 1,
        quick_rounds: None,
        run: power::is_noticed,
    },
    Scenario {
        id: "S-06",
        name: "sync-error",
        about: "a sync fails once, and what it covered is gone",
        needs: &[],
        rounds: 100,
        minutes: 2,
        quick_rounds: Some(5),
        run: sync_errors::fail_once,
    },
    Scenario {
        id: "S-08",
        name: "full-disk",
        about: "a disk that fills up and is freed again",
        needs: &[Need::Mounts],
        rounds: 20,
        minutes: 1,
        quick_rounds: None,
        run: full_disk::come_and_go,
    },
    Scenario {
        id: "S-09",
        name: "short-writes",
        about: "writes that take half, or are interrupted",
        needs: &[],
        rounds: 1000,
        minutes: 1,
        quick_rounds: Some(200),
        run: short_writes::survive,
    },
    Scenario {
        id: "S-16",
        name: "steps",
        about: "death before each step of a broker's life that changes files (0 rounds: all of them)",
        needs: &[],
        rounds: 0,
        minutes: 8,
        quick_rounds: Some(20),
        run: steps::kill_at_each,
    },
    Scenario {
        id: "S-20",
        name: "producer-ids",
        about: "many producer ids on one partition, and all of them expire (a round is an id)",
        needs: &[],
        rounds: 100_000,
        minutes: 2,
        quick_rounds: None,
        run: stories::of_producer_ids,
    },
    Scenario {
        id: "S-21",
        name: "states",
        about: "kill -9 of the coordinator in each state of a transaction over four partitions and an offset",
        needs: &[],
        rounds: 200,
        minutes: 4,
        quick_rounds: None,
        run: stories::of_coordinator_states,
    },
    Scenario {
        id: "S-21",
        name: "histories",
        about: "transactions of several makes, kill -9 and SIGSTOP of the broker and of clients (a round is one of these)",
        needs: &[Need::Librdkafka, Need::Java, Need::Go],
        rounds: 300,
        minutes: 15,
        quick_rounds: Some(3),
        run: histories::are_sound,
    },
    Scenario {
        id: "S-21",
        name: "histories-control",
        about: "likewise in a build without fences: the histories must show it",
        needs: &[Need::Librdkafka, Need::Java, Need::Go],
        rounds: 10,
        minutes: 3,
        quick_rounds: None,
        run: histories::show_a_planted_fault,
    },
    Scenario {
        id: "S-21",
        name: "streams",
        about: "Kafka Streams counts exactly once while it and the broker are killed (a round is a fault)",
        needs: &[Need::Librdkafka, Need::Streams],
        rounds: 60,
        minutes: 5,
        quick_rounds: Some(6),
        run: streams::count_exactly_once,
    },
    Scenario {
        id: "S-21",
        name: "connect",
        about: "Kafka Connect copies lines exactly once while its worker and the broker are killed",
        needs: &[Need::Streams],
        rounds: 20,
        minutes: 4,
        quick_rounds: None,
        run: connect::copy_lines_once,
    },
    Scenario {
        id: "S-21",
        name: "pipe",
        about: "three pipes hand records on exactly once while they and the broker are killed, stopped and ended (a round is a fault)",
        needs: &[],
        rounds: 100,
        minutes: 3,
        quick_rounds: Some(5),
        run: pipes::hand_on_once,
    },
    Scenario {
        id: "S-23",
        name: "zombies",
        about: "producers of one transactional id take each other's place in the middle of whatever they do",
        needs: &[],
        rounds: 500,
        minutes: 1,
        quick_rounds: None,
        run: stories::of_zombies,
    },
    Scenario {
        id: "S-23",
        name: "zombies-clients",
        about: "likewise librdkafka and Kafka's own client, against each other",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 500,
        minutes: 3,
        quick_rounds: Some(10),
        run: zombies::of_other_clients,
    },
    Scenario {
        id: "S-24",
        name: "money",
        about: "transfers between accounts, readers that add up, kill -9 every 3 to 8 s (a round is one of these)",
        needs: &[],
        rounds: 110,
        minutes: 11,
        quick_rounds: None,
        run: stories::of_money,
    },
    Scenario {
        id: "S-25",
        name: "members",
        about: "members of three makes join, leave and are killed (a round is a second)",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 120,
        minutes: 3,
        quick_rounds: Some(15),
        run: members::come_and_go,
    },
    Scenario {
        id: "S-25",
        name: "members-kill",
        about: "likewise, and kill -9 of the broker in the middle of rebalances",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 120,
        minutes: 3,
        quick_rounds: Some(15),
        run: members::survive_kills,
    },
    Scenario {
        id: "S-25",
        name: "members-consumer",
        about: "likewise in the consumer protocol, while the broker is well",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 120,
        minutes: 3,
        quick_rounds: None,
        run: members::come_and_go_by_consumer_protocol,
    },
    Scenario {
        id: "S-25",
        name: "members-consumer-kill",
        about: "likewise, and kill -9 of the broker in the middle of reconciliations",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 120,
        minutes: 3,
        quick_rounds: Some(15),
        run: members::survive_kills_by_consumer_protocol,
    },
    Scenario {
        id: "S-25",
        name: "members-protocols",
        about: "members of three makes and both protocols, between which the group goes to and fro",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 120,
        minutes: 3,
        quick_rounds: Some(15),
        run: members::change_protocols,
    },
    Scenario {
        id: "S-25",
        name: "members-protocols-kill",
        about: "likewise, and kill -9 of the broker in the middle of it",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 120,
        minutes: 3,
        quick_rounds: None,
        run: members::change_protocols_and_survive_kills,
    },
    Scenario {
        id: "S-26",
        name: "commits-kill",
        about: "kill -9 under a group that commits",
        needs: &[Need::Librdkafka],
        rounds: 100,
        minutes: 1,
        quick_rounds: None,
        run: commits::survive_kills,
    },
    Scenario {
        id: "S-26",
        name: "commits-power",
        about: "power cut under a group that commits",
        needs: &[Need::Librdkafka, Need::Mounts],
        rounds: 100,
        minutes: 3,
        quick_rounds: None,
        run: commits::survive_power_cuts,
    },
    Scenario {
        id: "S-27",
        name: "races",
        about: "readers of what retention and compaction take away (a round is a second)",
        needs: &[Need::Librdkafka],
        rounds: 600,
        minutes: 11,
        quick_rounds: None,
        run: races::with_readers,
    },
    Scenario {
        id: "S-28",
        name: "clock",
        about: "the wall clock is moved by hours and days under a producer and a group",
        needs: &[Need::Faketime],
        rounds: 50,
        minutes: 1,
        quick_rounds: None,
        run: clock_steps::survive,
    },
    Scenario {
        id: "S-29",
        name: "descriptors",
        about: "more partitions and connections than file descriptors",
        needs: &[Need::Librdkafka],
        rounds: 5,
        minutes: 1,
        quick_rounds: None,
        run: limits::few_descriptors,
    },
    Scenario {
        id: "S-29",
        name: "memory",
        about: "256 MiB and strangers with huge requests",
        needs: &[Need::Librdkafka, Need::Cgroups],
        rounds: 3,
        minutes: 1,
        quick_rounds: None,
        run: limits::little_memory,
    },
    Scenario {
        id: "S-30",
        name: "isolation",
        about: "64 topics side by side, records tagged, all codecs (a round is 1000 records in each, at least)",
        needs: &[Need::Librdkafka, Need::Java],
        rounds: 20,
        minutes: 4,
        quick_rounds: None,
        run: isolation::holds,
    },
    Scenario {
        id: "S-31",
        name: "stop",
        about: "SIGTERM with 1000 partitions under load",
        needs: &[],
        rounds: 5,
        minutes: 2,
        quick_rounds: None,
        run: stops::are_quick_and_clean,
    },
    Scenario {
        id: "S-32",
        name: "refusals",
        about: "directories in use, of two clusters, of a newer version",
        needs: &[],
        rounds: 1,
        minutes: 1,
        quick_rounds: Some(1),
        run: refusals::leave_all_as_it_was,
    },
    Scenario {
        id: "S-32",
        name: "read-only",
        about: "a directory that cannot be written",
        needs: &[Need::Mounts],
        rounds: 1,
        minutes: 1,
        quick_rounds: None,
        run: refusals::read_only,
    },
];

/// What a scenario is given: its number of rounds, its random choices, and a directory of its own.
struct Stage {
    rounds: usize,
    random: Random,
    directory: TempDir,
}

impl Stage {
    fn path(&self) -> &Path {
        self.directory.path()
    }
}

pub(crate) fn run_all(options: &Options) -> Result<()> {
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| options.picks(scenario))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no scenario is called so; --list shows them"
    );
    if options.list {
        report::list(&chosen);
        return Ok(());
    }
    build()?;
    eprintln!("seed {}", options.seed);
    let mut outcomes = Vec::new();
    for scenario in chosen {
        eprintln!("== {}/{}: {}", scenario.id, scenario.name, scenario.about);
        let outcome = Outcome::of(scenario, || play(scenario, options));
        outcome.tell();
        outcomes.push(outcome);
    }
    report::table(&outcomes, options.seed);
    let failed = outcomes.iter().filter(|outcome| outcome.failed()).count();
    if failed > 0 {
        bail!("{failed} of {} scenarios failed", outcomes.len());
    }
    Ok(())
}

/// What docs/reliability.md must know of.
pub(crate) fn ids_and_names() -> Vec<(&'static str, &'static str)> {
    let pair = |scenario: &Scenario| (scenario.id, scenario.name);
    SCENARIOS.iter().map(pair).collect()
}

/// Our programs that write down what they were told.
const EXAMPLES: [&str; 2] = ["acked_producer", "group_member"];

/// The broker as users get it, and our programs. Who names a broker wants that one judged, now, and takes the programs that
/// there are.
fn build() -> Result<()> {
    let is_there = |name: &&str| clients::our_program(name).exists();
    let mut build = cargo();
    build.args(["build", "--release", "--package", "ottla-client"]);
    if std::env::var_os(crate::interop::BINARY).is_none() {
        // One call: what both need is built once.
        build.args(["--package", "ottla", "--bin", "ottla"]);
    } else if EXAMPLES.iter().all(is_there) {
        return Ok(());
    }
    run(build.args(EXAMPLES.iter().flat_map(|name| ["--example", name])))
}

fn play(scenario: &Scenario, options: &Options) -> Result<Report> {
    for need in scenario.needs {
        need.install()
            .with_context(|| format!("NOT TESTED: {need:?} can't be set up"))?;
    }
    // Not in memory: syncs must cost what they cost.
    let below = target_dir().join("faults");
    std::fs::create_dir_all(&below)?;
    let mut stage = Stage {
        rounds: options.rounds(scenario),
        random: Random::new(options.seed, scenario.name),
        directory: tempfile::Builder::new()
            .prefix(OsStr::new(scenario.name))
            .tempdir_in(&below)?,
    };
    let report = (scenario.run)(&mut stage).and_then(Report::judged);
    if report.is_err() {
        eprintln!("what it left: {}", stage.directory.keep().display());
    }
    report
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_ids_are_of_the_catalogue() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for scenario in SCENARIOS {
            let number = scenario.id.strip_prefix("S-").map(str::parse::<u32>);
            assert!(matches!(number, Some(Ok(_))), "{}", scenario.id);
        }
    }
}
