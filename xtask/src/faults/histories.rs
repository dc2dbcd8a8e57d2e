//! S-21: the histories of `tests/e2e/exactly_once`, for long, and with clients of other makes; and the same of a broker in which
//! a fault was planted, where the checks must find something.

use std::iter;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::clients::{compile, java, python};
use super::report::Report;
use super::stories::{self, Story};
use crate::interop::{BINARY, peer};
use crate::shell::{root, run, target_dir};

const STORY: &str = "exactly_once::killed";
/// Each tries another order of events.
const TRIES: usize = 5;

/// A round is a time that the broker is killed or stopped.
pub(super) fn are_sound(stage: &mut Stage) -> Result<Report> {
    let story = Story {
        name: STORY,
        rounds: "OTTLA_KILLS",
        figure: "committed,",
    };
    let clients = clients(stage.path())?;
    stories::tell(&story, stage, &[("OTTLA_HISTORY_CLIENTS", clients)])
}

/// A round is a time that the broker without fences is killed or stopped.
pub(super) fn show_a_planted_fault(stage: &mut Stage) -> Result<Report> {
    let folder = target_dir().join("planted");
    let clients = clients(stage.path())?;
    for tries in 1..=TRIES {
        let mut story = stories::command(STORY, &["--features", "planted-fault"]);
        let output = story
            // The one with the fault, and no other.
            .env_remove(BINARY)
            .env("OTTLA_HISTORY_CLIENTS", &clients)
            .env("CARGO_TARGET_DIR", &folder)
            .env("OTTLA_KILLS", stage.rounds.to_string())
            .env("OTTLA_SEED", stage.random.below(u64::MAX).to_string())
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(
            said.contains("running 1 test"),
            "nothing was tried:\n{said}"
        );
        let found = first_anomaly(&said);
        if let (false, Some(found)) = (output.status.success(), found) {
            return Ok(Report {
                rounds: stage.rounds,
                figure: format!("{found}, at attempt {tries}"),
                ..Report::default()
            });
        }
    }
    anyhow::bail!("nobody noticed in {TRIES} attempts that the fences were gone")
}

/// Builds clients of other makes; their commands, as the story wants them.
fn clients(directory: &Path) -> Result<String> {
    let jars = peer::jars()?;
    compile("HistoryWorker.java", &jars, directory)?;
    let class_path = std::env::join_paths([directory.to_owned(), jars.join("*")])?;
    let mut of_java = java(Path::new(&class_path));
    of_java.arg("HistoryWorker");

    let franz = directory.join("franz");
    let mut build = Command::new("go");
    build.current_dir(root().join("tests/interop/franz"));
    run(build.args(["build", "-o"]).arg(&franz).arg("./history"))?;

    let clients = [
        ("librdkafka", python("tests/faults/history_worker.py")?),
        ("java", of_java),
        ("franz", Command::new(franz)),
    ];
    let mut lines = String::new();
    for (name, command) in clients {
        lines.push_str(name);
        for word in iter::once(command.get_program()).chain(command.get_args()) {
            let word = word.to_str().context("a path that is not UTF-8")?;
            lines.push('\t');
            lines.push_str(word);
        }
        lines.push('\n');
    }
    Ok(lines)
}

/// As the assertion on an empty list of anomalies tells it.
fn first_anomaly(said: &str) -> Option<&str> {
    let mut lines = said.lines().map(str::trim_start);
    let found = lines.find_map(|line| line.strip_prefix("left: ["))?;
    let end = found.find(|c: char| !c.is_ascii_alphabetic())?;
    (end > 0).then(|| &found[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anomaly_is_told_from_any_other_failure() {
        let said = "assertion failed\n  left: [Torn(\"worker-1/3\")]\n right: []\n";
        assert_eq!(first_anomaly(said), Some("Torn"));
        assert_eq!(first_anomaly("  left: []\n"), None);
        assert_eq!(first_anomaly("still not so: a producer"), None);
    }
}
