//! In which order the linker lays out functions: those that run when a tool or a broker starts, then those of daily work.
//!
//! The system maps a binary's pages by the sixteen around each one that is touched. Functions of a start that lie among all others
//! bring in most of the binary; side by side they bring in themselves. Owns: `link/order.txt`, which `build.rs` gives to the linker.
//! Always: the names are those of a release build, whose hashes depend on the compiler, the profile and the versions in
//! `Cargo.lock`. Names that fit no longer do no harm but the memory that `check` measures.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::interop::{Broker, ottla, package};
use crate::shell::{cargo, resident_kib, root, run, stdout, target_dir};

const ORDER: &str = "link/order.txt";
const HEADER: &str = "\
# What runs at a start, then in daily work, for the linker to lay out side by side. Written by `cargo xtask link-order`.
";

/// A broker that serves nobody yet takes less than this, mostly 6 MiB; it takes more than 10 where the order fits no longer.
const IDLE_KIB_MAX: u64 = 9 << 10;

/// What tools do while their functions are written down, in this order; `BROKER` is the broker's address.
const WORK: &[&str] = &[
    "topics --list --bootstrap-server BROKER",
    "topics --create --topic orders --partitions 3 --bootstrap-server BROKER",
    "console-producer --topic orders --bootstrap-server BROKER",
    "console-consumer --topic orders --from-beginning --max-messages 1000 --group readers --bootstrap-server BROKER",
    "topics --describe --bootstrap-server BROKER",
    "consumer-groups --describe --group readers --bootstrap-server BROKER",
    "consumer-groups --reset-offsets --group readers --topic orders --to-earliest --execute --bootstrap-server BROKER",
    "get-offsets --topic orders --bootstrap-server BROKER",
    "configs --describe --topic orders --bootstrap-server BROKER",
    "producer-perf-test --topic orders --num-records 5000 --record-size 100 --throughput -1 --producer-props bootstrap.servers=BROKER",
    "producer-perf-test --topic orders --num-records 1000 --record-size 100 --throughput -1 --transactional-id writer \
     --transaction-duration-ms 100 --producer-props bootstrap.servers=BROKER",
    "consumer-perf-test --topic orders --num-records 5000 --bootstrap-server BROKER",
];

/// Writes the order anew.
pub(crate) fn update() -> Result<()> {
    package("valgrind", "valgrind")?;
    let binary = build()?;
    let folder = tempfile::tempdir()?;
    let traced = Traced {
        binary: &binary,
        folder: folder.path(),
    };
    stdout(&mut traced.command("0-version", &["version"]))?;
    let idle = traced.broker("1-start")?;
    idle.stop()?;
    let broker = traced.broker("3-broker")?;
    let input: String = (0..1000).map(|n| format!("{n}\n")).collect();
    let records = folder.path().join("records");
    fs::write(&records, input)?;
    for (n, line) in WORK.iter().enumerate() {
        let line = line.replace("BROKER", &broker.address);
        let words: Vec<&str> = line.split_whitespace().collect();
        // What the first tool runs, most do; what the others add comes behind the broker's.
        let name = if n == 0 {
            "2-list".to_owned()
        } else {
            format!("4-{n:02}")
        };
        let mut command = traced.command(&name, &words);
        stdout(command.stdin(fs::File::open(&records)?))?;
    }
    broker.stop()?;
    let order = order(&binary, folder.path())?;
    let count = order.lines().count();
    fs::write(root().join(ORDER), order)?;
    eprintln!("{ORDER} is written: {count} lines");
    Ok(())
}

/// The memory of a broker that serves nobody yet, of the release build that is there.
pub(crate) fn check() -> Result<()> {
    let broker = Broker::ours_bare(Command::new(ottla()))?;
    let kib = resident_kib(broker.pid())?;
    broker.stop()?;
    eprintln!("an idle broker takes {kib} KiB");
    ensure!(
        kib <= IDLE_KIB_MAX,
        "an idle broker takes {kib} KiB, more than {IDLE_KIB_MAX}: where {ORDER} does not fit the build any more, as after an \
         update of the compiler or of dependencies, `cargo xtask link-order` writes it anew"
    );
    Ok(())
}

/// The release build with the names of its functions.
fn build() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["rustc", "--release", "--package", "ottla", "--bin", "ottla"]);
    run(build.args(["--", "-C", "strip=none"]))?;
    Ok(target_dir().join("release/ottla"))
}

/// Runs the binary and writes down which functions ran, into files of a folder.
struct Traced<'a> {
    binary: &'a Path,
    folder: &'a Path,
}

impl Traced<'_> {
    fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new("valgrind");
        let file = self.folder.join(name).with_extension("ran");
        command
            .args([
                "--tool=callgrind",
                "--quiet",
                "--demangle=no",
                "--compress-strings=no",
            ])
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(self.binary)
            .args(words)
            // What resets leave for their undoing is nobody's here.
            .env("XDG_STATE_HOME", self.folder);
        command
    }

    fn broker(&self, name: &str) -> Result<Broker> {
        Broker::ours_bare(self.command(name, &[]))
    }
}

/// The names of our own functions that ran, each where it ran first.
fn order(binary: &Path, folder: &Path) -> Result<String> {
    let names = stdout(Command::new("nm").arg(binary))?;
    let ours: HashSet<&str> = names
        .lines()
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = files.collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ran"));
    files.sort();
    let mut order = HEADER.to_owned();
    let mut seen = HashSet::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        for name in text.lines().filter_map(|line| line.strip_prefix("fn=")) {
            let name = without_depth(name);
            if ours.contains(name) && seen.insert(name.to_owned()) {
                writeln!(order, "{name}")?;
            }
        }
    }
    ensure!(seen.len() > 1000, "only {} functions ran", seen.len());
    Ok(order)
}

/// Functions that call themselves are told apart by how deep they are: `name'2`.
fn without_depth(name: &str) -> &str {
    name.split('\'').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_calls_itself_is_one() {
        assert_eq!(
            without_depth("_ZN4core3fmt5write17h0E'2"),
            "_ZN4core3fmt5write17h0E"
        );
        assert_eq!(without_depth("main"), "main");
    }
}
