//! `ottla dump-log` on files that the reference wrote, whole and damaged, against what its own tool printed of them.

use std::path::{Path, PathBuf};

use crate::server::ottla;

/// A recorded run: the words, standard output, standard error (of runs that did not fail), exit status.
#[derive(Default)]
struct Run {
    words: String,
    stdout: String,
    stderr: String,
    status: i32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dump-log")
}

fn recorded() -> Vec<Run> {
    let text = std::fs::read_to_string(folder().join("recorded.txt")).expect("recorded.txt");
    let mut runs: Vec<Run> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(words) = line.strip_prefix("$ ") {
            runs.push(Run {
                words: words.to_owned(),
                ..Run::default()
            });
            continue;
        }
        let run = runs.last_mut().expect("a command first");
        match line.split_at_checked(3) {
            Some(("1| ", line)) => run.stdout += &format!("{line}\n"),
            Some(("2| ", line)) => run.stderr += &format!("{line}\n"),
            _ => {
                let status = line.strip_prefix("= ").expect("an exit status");
                run.status = status.parse().expect("a number");
            }
        }
    }
    runs
}

#[test]
fn files_of_the_reference_are_shown_as_it_shows_them() {
    let runs = recorded();
    assert!(runs.len() > 50, "only {} runs were recorded", runs.len());
    let mut differences = Vec::new();
    for run in &runs {
        let output = ottla()
            .current_dir(folder())
            .arg("dump-log")
            .args(run.words.split(' '))
            .output()
            .expect("the binary");
        let mut stdout = String::from_utf8(output.stdout).expect("text");
        if !stdout.is_empty() && !stdout.ends_with('\n') {
            stdout.push('\n');
        }
        let stderr = String::from_utf8(output.stderr).expect("text");
        let stderr = stderr.replace(&folder().display().to_string(), "<DIR>");
        let status = output.status.code();
        if status != Some(run.status) || stdout != run.stdout {
            differences.push(format!(
                "{}: status {status:?}\n{stdout}{stderr}",
                run.words
            ));
        } else if run.status == 0 && stderr != run.stderr {
            differences.push(format!("{}: said\n{stderr}", run.words));
        } else {
            assert!(
                run.status == 0 || !stderr.is_empty(),
                "{}: failed without a word",
                run.words
            );
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn an_index_that_is_missing_is_not_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let segment = folder().join("appendtime-0/00000000000000000000.log");
    std::fs::copy(segment, dir.path().join("00000000000000000000.log")).expect("a copy");
    for suffix in ["index", "timeindex", "txnindex"] {
        let name = format!("00000000000000000000.{suffix}");
        let output = ottla()
            .current_dir(dir.path())
            .args(["dump-log", "--files", &name])
            .output()
            .expect("the binary");
        // A transaction index is made when there is something to put in.
        let status = i32::from(suffix != "txnindex");
        assert_eq!(output.status.code(), Some(status), "{suffix}");
        assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1);
    }
}
