//! A use of each tool, and what it says and how long it takes where it goes wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::ottla;
use crate::wait;

/// What every tool promises.
const WITHIN: Duration = Duration::from_secs(2);

/// A machine that is busy may be late; one that is late three times in a row is not what is late.
const ATTEMPTS: usize = 3;

/// A use of each tool that asks a cluster. `ADDRESS` stands for the address, `FILE` for a file of offsets, `TOPICS` for one of
/// topics, `PLAN` for one of replicas.
pub(super) const CALLS: &[(&str, Then)] = &[
    ("topics --list --bootstrap-server ADDRESS", Then::Ends),
    (
        "configs --describe --entity-type brokers --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "console-producer --topic t --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "console-consumer --topic t --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    (
        "console-consumer --topic t --tail 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "consumer-groups --list --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("groups --list --bootstrap-server ADDRESS", Then::Ends),
    ("get-offsets --bootstrap-server ADDRESS", Then::Ends),
    (
        "delete-records --offset-json-file FILE --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("log-dirs --describe --bootstrap-server ADDRESS", Then::Ends),
    ("transactions --bootstrap-server ADDRESS list", Then::Ends),
    ("broker-api-versions --bootstrap-server ADDRESS", Then::Ends),
    ("cluster cluster-id --bootstrap-server ADDRESS", Then::Ends),
    ("features --bootstrap-server ADDRESS describe", Then::Ends),
    (
        "metadata-quorum --bootstrap-server ADDRESS describe --status",
        Then::Ends,
    ),
    (
        "producer-perf-test --topic t --num-records 1 --throughput -1 --record-size 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "consumer-perf-test --topic t --num-records 1 --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    (
        "e2e-latency --topic t --num-records 1 --producer-acks 1 --record-size 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "verifiable-producer --topic t --max-messages 1 --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    (
        "verifiable-consumer --topic t --group-id g --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    ("doctor --bootstrap-server ADDRESS", Then::Ends),
    (
        "top --output json --count 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "leader-election --all-topic-partitions --election-type preferred --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "reassign-partitions --list --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "reassign-partitions --execute --reassignment-json-file PLAN --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("acls --list --bootstrap-server ADDRESS", Then::Ends),
    (
        "client-metrics --list --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "topics apply -f TOPICS --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("topics export --bootstrap-server ADDRESS", Then::Ends),
    (
        "pipe --from t --to u --group g --bootstrap-server ADDRESS -- cat",
        Then::Ends,
    ),
];

/// What a tool does where there is no broker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Ends,
    /// It may go on, as the reference does, having said what is wrong.
    Waits,
}

/// What tools read, beside what brokers tell them.
pub(super) struct Files(TempDir);

impl Files {
    const ALL: [(&str, &str); 3] = [
        (
            "FILE",
            r#"{"partitions":[{"topic":"t","partition":0,"offset":0}],"version":1}"#,
        ),
        ("TOPICS", "topics: {u: {partitions: 1}}\n"),
        (
            "PLAN",
            r#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}"#,
        ),
    ];

    pub(super) fn write() -> Self {
        let folder = TempDir::new().expect("a directory");
        for (name, text) in Self::ALL {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self(folder)
    }

    /// The words of a call.
    pub(super) fn words(&self, line: &str, address: &str) -> String {
        let mut line = line.replace("ADDRESS", address);
        for (name, _) in Self::ALL {
            let path = self.0.path().join(name);
            line = line.replace(
                &format!(" {name} "),
                &format!(" {} ", path.to_str().expect("a plain path")),
            );
        }
        line
    }
}

/// What came of a tool, which was in time.
pub(super) fn promptly(line: &str, then: Then, causes: &[&str]) -> Heard {
    let mut runs = (0..ATTEMPTS).map(|_| run(line, then, causes));
    let found = runs.find(|heard| heard.took < WITHIN);
    found.unwrap_or_else(|| panic!("{line}\ntook longer than {WITHIN:?}, {ATTEMPTS} times"))
}

pub(crate) struct Heard {
    line: String,
    /// Until it said one of the causes, and until it ended where it does.
    pub(super) took: Duration,
    said: String,
}

impl Heard {
    fn names(&self, causes: &[&str]) -> bool {
        causes.iter().any(|cause| self.said.contains(cause))
    }

    pub(crate) fn must_name(&self, causes: &[&str]) {
        let Self { line, said, .. } = self;
        assert!(self.names(causes), "{line}\nnone of {causes:?} in:\n{said}");
    }
}

pub(crate) fn run(line: &str, then: Then, causes: &[&str]) -> Heard {
    let begun = Instant::now();
    let mut child = ottla()
        .args(line.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // Something to produce; a tool may have ended before it reads that.
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"x\n").ok();
    drop(input);
    let said = Arc::new(Mutex::new(String::new()));
    listen(child.stdout.take().expect("piped"), said.clone());
    listen(child.stderr.take().expect("piped"), said.clone());
    let so_far = |said: &str| causes.iter().any(|cause| said.contains(cause));
    wait::until(line, || {
        let has_ended = child.try_wait().expect("a child").is_some();
        has_ended || (then == Then::Waits && so_far(&said.lock().expect("not poisoned")))
    });
    let took = begun.elapsed();
    child.kill().ok();
    child.wait().expect("a status");
    // The pipe ends with the child: nothing is on its way any more.
    wait::until("the words of the child", || Arc::strong_count(&said) == 1);
    let said = said.lock().expect("not poisoned").clone();
    Heard {
        line: line.to_owned(),
        took,
        said,
    }
}

/// Hears what the child says, as it comes, until it has ended.
fn listen(stream: impl Read + Send + 'static, said: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("not poisoned");
            said.push_str(&line);
            said.push('\n');
        }
    });
}
