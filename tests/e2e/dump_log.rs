//! `ottla dump-log` on files that the reference wrote, whole and damaged, against what its own tool printed of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::server::{Server, ottla};

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

/// There are as many batches and records as lines of them.
#[test]
fn the_same_files_as_data_have_all_batches_records_and_entries() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json/dump-log.md");
    let page = std::fs::read_to_string(page).expect("dump-log.md");
    let told: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    for run in &recorded() {
        let words = &run.words;
        let output = |form: &str| {
            let words = words.split(' ').chain(["--output", form]);
            let mut command = ottla();
            command.current_dir(folder()).arg("dump-log").args(words);
            command.output().expect("the binary")
        };
        let json = output("json");
        // Of messages of old formats there are no records as data that could be broken.
        let is_fine = json.status.code() == Some(run.status) || words.contains("damaged-magic");
        assert!(is_fine, "{words}: {:?}", json.status);
        let text = String::from_utf8(json.stdout).expect("text");
        let objects: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object"))
            .collect();
        for object in &objects {
            assert_eq!(object["version"], 1, "{words}");
            let fields = object.as_object().expect("an object").keys();
            let untold: Vec<&String> = fields
                .filter(|name| !told.contains(name.as_str()))
                .collect();
            assert!(
                untold.is_empty(),
                "{words}: dump-log.md does not tell of {untold:?}"
            );
        }
        let csv = output("csv");
        // Columns are told also where the files hold nothing.
        let has_head = !objects.is_empty() || csv.status.success();
        let csv = String::from_utf8(csv.stdout).expect("text");
        let heads = csv
            .lines()
            .filter(|line| line.starts_with("file,kind,offset,"));
        assert_eq!(heads.count(), usize::from(has_head), "{words}");
        if run.status != 0 {
            continue;
        }
        let lines = |start: &str| {
            let lines = run.stdout.lines().filter(|line| line.starts_with(start));
            lines.count()
        };
        let of_kind = |kind: &str| {
            objects
                .iter()
                .filter(|object| object["kind"] == kind)
                .count()
        };
        let batches = objects
            .iter()
            .filter(|object| object.get("crc").is_some() && object.get("records").is_some());
        assert_eq!(batches.count(), lines("baseOffset: "), "{words}");
        // Without them a record that has neither key nor value is an empty line of the text.
        if !words.contains("--skip-record-metadata") {
            assert_eq!(of_kind("record"), lines("| "), "{words}");
        }
        assert_eq!(of_kind("producer"), lines("producerId: "), "{words}");
        assert_eq!(of_kind("abortedTransaction"), lines("version: "), "{words}");
    }
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

#[test]
fn a_segment_that_zeros_were_written_ahead_of_ends_with_its_last_batch() {
    let mut server = Server::with(&["--override", "ottla.durability=memory"], &[]);
    server.tool("topics --create --topic hot");
    let line = format!("{}\n", "x".repeat(999));
    let producer = "console-producer --topic hot --command-property batch.size=16384";
    server.tool_with_input(producer, &line.repeat(3000));
    let partition = server.data().join("hot-0");
    let segment = partition.join("00000000000000000000.log");
    let length = || std::fs::metadata(&segment).expect("a segment").len();
    let dump = || {
        let output = ottla()
            .args(["dump-log", "--files"])
            .arg(&segment)
            .output()
            .expect("the binary");
        let text = String::from_utf8(output.stdout).expect("text");
        let last = text.lines().last().expect("a batch").to_owned();
        assert!(last.contains("lastOffset: 2999 "), "{last}");
        assert!(output.status.success());
        text
    };
    let live = dump();
    let with_zeros = length();
    assert_eq!(
        with_zeros % (128 * 1024),
        0,
        "zeros up to the next multiple"
    );

    server.kill();
    let verified = ottla().args(["log", "verify"]).arg(&partition).output();
    let verified = verified.expect("the binary");
    let told = String::from_utf8(verified.stdout).expect("text");
    assert!(told.contains("zeros behind the last batch"), "{told}");
    assert!(!told.contains("damage"), "{told}");

    server.restart();
    server.terminate();
    assert!(server.wait().success());
    assert!(length() < with_zeros, "zeros are gone");
    assert_eq!(dump(), live);
}
