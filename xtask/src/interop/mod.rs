//! Ottla among others: other clients against our broker, our tools against Apache Kafka.
//!
//! Owns: the list of parts and of what each needs. A part that fails does not keep the others from running.
//! Always: what is missing is installed by script, from the ordinary package registries, into $HOME/.cache; where that
//! fails, the parts that need it are skipped with a line that cannot be overlooked, or fail, as the caller says.

mod apply;
mod cluster;
mod compaction;
mod conformance;
mod disk;
mod franz;
mod group_tools;
mod java;
mod kraft_version;
mod move_in;
pub(crate) mod peer;
mod process;
mod quorum;
mod tools;
mod transactions;
mod transactions_tool;
mod transcripts;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, root, run, script, stdout, target_dir};
pub(crate) use process::Broker;
pub(crate) use transactions::pipe;

/// What becomes of a part whose tools can't be had on this machine.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Missing {
    Skips,
    Fails,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Need {
    Kafka,
    Librdkafka,
    Jdk,
    Npm,
    Go,
    Shells,
}

/// Names a binary to judge instead of a fresh release build.
pub(crate) const BINARY: &str = "OTTLA_BIN";

const NEEDS: &[Need] = &[
    Need::Kafka,
    Need::Librdkafka,
    Need::Jdk,
    Need::Npm,
    Need::Go,
    Need::Shells,
];

/// Most of the time a part waits: for a broker to start, for a group to find together. What they print is mixed; each says its
/// name when it begins and when it ends.
const PARTS_AT_A_TIME: usize = 2;

struct Part {
    name: &'static str,
    needs: &'static [Need],
    /// False: it takes minutes, and what it covers is in CI by another part or by tests of the whole binary.
    in_ci: bool,
    run: fn() -> Result<()>,
}

/// The two longest first, so that neither is left over to run alone.
const PARTS: &[Part] = &[
    Part {
        name: "move-in: Kafka's data directory to ours and back, and ours again after a kill",
        needs: &[Need::Kafka, Need::Jdk],
        in_ci: true,
        run: move_in::there_and_back_twice,
    },
    Part {
        name: "dump-log of Kafka's tools and ours on the files of both brokers",
        needs: &[Need::Kafka],
        in_ci: true,
        run: disk::run_all,
    },
    Part {
        name: "librdkafka, aiokafka and kcat against our broker",
        needs: &[Need::Librdkafka],
        in_ci: true,
        run: conformance::run,
    },
    Part {
        name: "Kafka's tools and ours against our broker",
        needs: &[Need::Kafka],
        in_ci: true,
        run: tools::on_ours,
    },
    Part {
        name: "Kafka's tools and ours against Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: true,
        run: tools::on_kafka,
    },
    Part {
        name: "topics apply and export against Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: true,
        run: apply::on_kafka,
    },
    Part {
        name: "topics apply: more and fewer replicas on Kafka's cluster of three",
        needs: &[Need::Kafka],
        in_ci: true,
        run: apply::on_a_cluster,
    },
    Part {
        name: "transcripts: our tools against Kafka's cluster of three",
        needs: &[Need::Kafka],
        in_ci: true,
        run: transcripts::on_clusters,
    },
    Part {
        name: "quorum: Kafka's tool and ours add and remove controllers of Kafka's",
        needs: &[Need::Kafka],
        in_ci: true,
        run: quorum::a_controller_comes_and_goes,
    },
    Part {
        name: "quorum: Kafka starts on a directory that ours raised to kraft.version 1",
        needs: &[Need::Kafka],
        in_ci: true,
        run: kraft_version::raised_by_ours,
    },
    Part {
        name: "transcripts: access control lists of Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: true,
        run: transcripts::acls,
    },
    Part {
        name: "transcripts: quotas, credentials and loggers of Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: true,
        run: transcripts::configs,
    },
    Part {
        name: "groups: Kafka's tools and ours against our broker",
        needs: &[Need::Kafka],
        in_ci: false,
        run: group_tools::on_ours,
    },
    Part {
        name: "groups: Kafka's tools and ours against Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: false,
        run: group_tools::on_kafka,
    },
    Part {
        name: "transactions of our tools against our broker",
        needs: &[Need::Kafka],
        in_ci: true,
        run: transactions::on_ours,
    },
    Part {
        name: "transactions of our tools against Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: false,
        run: transactions::on_kafka,
    },
    Part {
        name: "transactions: Kafka's tool and ours against our broker",
        needs: &[Need::Kafka],
        in_ci: false,
        run: transactions_tool::on_ours,
    },
    Part {
        name: "transactions: Kafka's tool and ours against Kafka's broker",
        needs: &[Need::Kafka],
        in_ci: false,
        run: transactions_tool::on_kafka,
    },
    Part {
        name: "compaction: what Kafka's cleaner and ours leave of the same log",
        needs: &[Need::Kafka, Need::Jdk],
        in_ci: false,
        run: compaction::run_all,
    },
    Part {
        name: "Kafka's Java clients against our broker",
        needs: &[Need::Kafka, Need::Jdk],
        in_ci: true,
        run: java::on_ours,
    },
    Part {
        name: "transactions of Kafka's Java producer before KIP-890",
        needs: &[Need::Kafka, Need::Jdk],
        in_ci: false,
        run: java::on_ours_at_the_lowest_level,
    },
    Part {
        name: "franz-go against our broker",
        needs: &[Need::Go],
        in_ci: true,
        run: franz::on_ours,
    },
    Part {
        name: "move-in: the directory of a Kafka that was killed at once, its voters in its log",
        needs: &[Need::Kafka, Need::Jdk],
        in_ci: false,
        run: move_in::after_a_kill,
    },
    Part {
        name: "completion in zsh and fish",
        needs: &[Need::Shells],
        in_ci: true,
        run: completion,
    },
    Part {
        name: "200,000 lines of real input",
        needs: &[Need::Npm],
        in_ci: true,
        run: real_input,
    },
];

pub(crate) fn run_all(missing: Missing, only: Option<&str>) -> Result<()> {
    let chosen = || {
        PARTS
            .iter()
            // Nobody else insists on what is missing.
            .filter(|part| part.in_ci || missing != Missing::Fails)
            .filter(|part| only.is_none_or(|text| part.name.contains(text)))
    };
    if chosen().next().is_none() {
        bail!("no part has {:?} in its name", only.unwrap_or_default());
    }
    if std::env::var_os(BINARY).is_none() {
        run(cargo().args(["build", "--release"]))?;
    }
    let mut failures = Vec::new();
    let mut lacking = Vec::new();
    for need in NEEDS
        .iter()
        .filter(|need| chosen().any(|part| part.needs.contains(need)))
    {
        if let Err(error) = install(*need) {
            let line = format!("{need:?} can't be set up: {error:#}");
            eprintln!("{line}");
            lacking.push(*need);
            if missing == Missing::Fails {
                failures.push(line);
            }
        }
    }
    failures.extend(run_side_by_side(chosen().collect(), &lacking));
    if failures.is_empty() {
        return Ok(());
    }
    bail!("interop:\n{}", failures.join("\n"));
}

/// Each worker takes the next part as soon as it is done with one. Returns what has failed.
fn run_side_by_side(parts: Vec<&Part>, lacking: &[Need]) -> Vec<String> {
    let (left, failures) = (Mutex::new(parts.into_iter()), Mutex::new(Vec::new()));
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..PARTS_AT_A_TIME {
            scope.spawn(|| {
                while let Some(part) = take() {
                    if let Err(failure) = run_part(part, lacking) {
                        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                        failures.push(failure);
                    }
                }
            });
        }
    });
    failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

fn run_part(part: &Part, lacking: &[Need]) -> Result<(), String> {
    let name = part.name;
    if let Some(need) = part.needs.iter().find(|need| lacking.contains(need)) {
        eprintln!("!!!! SKIPPED, NOT TESTED: {name} (needs {need:?})");
        return Ok(());
    }
    eprintln!("== interop: {name}");
    let started = Instant::now();
    let outcome = (part.run)().map_err(|error| format!("{name}: {error:#}"));
    let word = outcome.as_ref().err().map_or("done", |_| "FAILED");
    eprintln!(
        "== interop: {name}: {word} after {} s",
        started.elapsed().as_secs()
    );
    if let Err(failure) = &outcome {
        eprintln!("{failure}");
    }
    outcome
}

fn install(need: Need) -> Result<()> {
    match need {
        Need::Kafka => {
            package("mvn", "maven")?;
            run(&mut script("tests/interop/peers/kafka/setup.sh"))
        }
        Need::Librdkafka => run(&mut script("tests/interop/conformance/setup")),
        Need::Go => package("go", "golang-go"),
        Need::Shells => run(&mut script("tests/interop/peers/shells/setup.sh")),
        Need::Jdk => package("javac", "default-jdk-headless"),
        Need::Npm => {
            package("npm", "npm")?;
            stdout(&mut script("tests/data/flights")).map(drop)
        }
    }
}

/// Makes sure of a program, from Debian's package of it where it is not there.
pub(crate) fn package(program: &str, package: &str) -> Result<()> {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()?;
    if found.status.success() {
        return Ok(());
    }
    run(Command::new("apt-get").args(["update", "-qq"]))
        .and_then(|()| {
            run(Command::new("apt-get").args([
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                package,
            ]))
        })
        .with_context(|| format!("{program} is needed (Debian package {package})"))
}

/// Our binary, as users get it.
pub(crate) fn ottla() -> PathBuf {
    match std::env::var_os(BINARY) {
        Some(path) => root().join(path),
        None => target_dir().join("release/ottla"),
    }
}

/// The end-to-end story of `tests/e2e/real_input.rs`, with the whole data set instead of the slice.
fn real_input() -> Result<()> {
    let file = stdout(&mut script("tests/data/flights"))?;
    let mut test = cargo();
    test.args(["test", "--test", "e2e", "real_input"]);
    run(test.env("OTTLA_REAL_INPUT", file.trim()))
}

/// What `tests/e2e/completions.rs` skips where there are no shells.
fn completion() -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--test", "e2e", "completions"]);
    run(test.env("OTTLA_NEEDS_SHELLS", "1"))
}
