//! `ottla pipe`: a filter between topics of a broker.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Server, ottla, terminate};
use crate::wait;

/// A broker with topics `in`, `out` and `dlq`, and so many lines in `in`, `1` being the first.
fn server_with(lines: u32) -> Server {
    let at_once = ["--override", "group.initial.rebalance.delay.ms=0"];
    server_as(&at_once, lines)
}

fn server_as(options: &[&str], lines: u32) -> Server {
    let server = Server::with(options, &[]);
    for (topic, partitions) in [("in", 3), ("out", 3), ("dlq", 1)] {
        server.tool(&format!(
            "topics --create --topic {topic} --partitions {partitions}"
        ));
    }
    produce(&server, 1..=lines);
    server
}

fn produce(server: &Server, numbers: impl Iterator<Item = u32>) {
    let input: String = numbers
        .map(|number| format!("{number}:{number}\n"))
        .collect();
    let keyed = "--reader-property parse.key=true --reader-property key.separator=:";
    server.tool_with_input(&format!("console-producer --topic in {keyed}"), &input);
}

/// A pipe from `in` to `out`, with more options and a filter for the shell.
fn pipe(server: &Server, options: &str, filter: &str) -> Command {
    let mut command = ottla();
    let common = "pipe --from in --to out --group g --batch-time 10ms --bootstrap-server";
    command.args(common.split(' ')).arg(server.address());
    command.args(options.split(' ').filter(|word| !word.is_empty()));
    command.args(["--", "sh", "-c", filter]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(server: &Server, options: &str, filter: &str) -> (Output, Value) {
    let output = pipe(server, options, filter).output().expect("the binary");
    let statistics = serde_json::from_slice(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, statistics.unwrap_or_else(|_| panic!("{said}")))
}

/// All records of a topic, sorted.
fn read(server: &Server, topic: &str, options: &str) -> Vec<String> {
    let count = written(server, topic);
    if count == 0 {
        return Vec::new();
    }
    let consumer = "console-consumer --from-beginning --timeout-ms 30000";
    let text = server.tool(&format!(
        "{consumer} --max-messages {count} --topic {topic} {options}"
    ));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// How many records a topic has.
fn written(server: &Server, topic: &str) -> usize {
    let ends = server.tool(&format!("get-offsets --topic {topic}"));
    let end = |line: &str| line.rsplit(':').next()?.parse::<usize>().ok();
    ends.lines().filter_map(end).sum()
}

fn doubled(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    let mut lines: Vec<String> = numbers.map(|n| format!("{n}\t{}", 2 * n)).collect();
    lines.sort();
    lines
}

const DOUBLE: &str = "while read -r n; do echo $((2 * n)); done";
const WITH_KEYS: &str = "--formatter-property print.key=true";

#[test]
fn the_statistics_are_there_in_every_form() {
    let server = server_with(3);
    let output = pipe(&server, "--timeout 500ms --output csv", "cat")
        .output()
        .expect("the binary");
    let told = String::from_utf8(output.stdout).expect("text");
    let mut lines = told.lines();
    assert!(
        lines
            .next()
            .is_some_and(|head| head.starts_with("records,results,deadLetters,"))
    );
    assert!(
        lines.next().is_some_and(|row| row.starts_with("3,3,0,")),
        "{told}"
    );
}

#[test]
fn each_record_goes_through_the_filter_and_keeps_its_key_and_the_next_run_goes_on_from_there() {
    let server = server_with(1000);
    let (output, statistics) = run(&server, "--timeout 2s --workers 2", DOUBLE);
    assert!(output.status.success());
    assert_eq!(
        (&statistics["records"], &statistics["results"]),
        (&1000.into(), &1000.into())
    );
    assert_eq!(read(&server, "out", WITH_KEYS), doubled(1..=1000));
    produce(&server, 1001..=1010);
    let (_, statistics) = run(&server, "--timeout 2s", DOUBLE);
    assert_eq!(statistics["records"], 10);
    assert_eq!(read(&server, "out", WITH_KEYS), doubled(1..=1010));
}

/// A broker holds the first member of a group back for others, longer than the pipe would wait for records.
#[test]
fn the_time_without_records_begins_when_the_partitions_are_given_out() {
    let late = ["--override", "group.initial.rebalance.delay.ms=1500"];
    let server = server_as(&late, 10);
    let (output, statistics) = run(&server, "--timeout 1s", DOUBLE);
    assert!(output.status.success());
    assert_eq!(statistics["records"], 10);
}

const FAILS_AT_5: &str = "while read -r n; do [ $n = 5 ] && exit 3; echo $((2 * n)); done";

#[test]
fn a_record_that_the_filter_dies_of_goes_to_the_dead_letters_and_says_why() {
    let server = server_with(10);
    let options = "--timeout 2s --retries 1 --dead-letter dlq";
    let (output, statistics) = run(&server, options, FAILS_AT_5);
    assert!(output.status.success());
    assert_eq!(
        (&statistics["deadLetters"], &statistics["retries"]),
        (&1.into(), &1.into())
    );
    let others = (1..=10).filter(|n| *n != 5);
    assert_eq!(read(&server, "out", WITH_KEYS), doubled(others));
    let dead = read(&server, "dlq", "--formatter-property print.headers=true");
    assert_eq!(dead.len(), 1);
    for part in [
        "__connect.errors.topic:in",
        "__connect.errors.exception.message:the filter has ended (exit status: 3)",
        "__ottla.errors.attempts:2",
    ] {
        assert!(dead[0].contains(part), "{dead:?}");
    }
}

#[test]
fn without_a_place_for_dead_letters_the_pipe_ends_and_the_record_comes_again() {
    let server = server_with(10);
    let (output, _) = run(&server, "--timeout 2s --retries 0", FAILS_AT_5);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(
        said.contains("exit status: 3") && said.contains("--dead-letter"),
        "{said}"
    );
    let (output, statistics) = run(&server, "--timeout 2s", DOUBLE);
    assert!(
        output.status.success() && statistics["records"] != 0,
        "{statistics}"
    );
    assert_eq!(read(&server, "out", WITH_KEYS), doubled(1..=10));
}

#[test]
fn a_filter_of_json_may_answer_with_several_records_for_several_topics() {
    let server = server_with(2);
    let filter = r#"while read -r line; do
        echo '[{"value":{"n":1},"key":null},{"topic":"dlq","value":"other","headers":[{"key":"h","value":"x"}]}]'
    done"#;
    let (output, statistics) = run(&server, "--timeout 2s --format json", filter);
    assert!(output.status.success());
    assert_eq!(statistics["results"], 4);
    assert_eq!(read(&server, "out", WITH_KEYS), [r#"null	{"n":1}"#; 2]);
    let others = read(&server, "dlq", "--formatter-property print.headers=true");
    assert_eq!(others, ["h:x\tother"; 2]);
}

#[test]
fn told_to_end_a_pipe_finishes_its_batch_and_tells_what_it_has_done() {
    let server = server_with(100);
    let mut child = pipe(&server, "", DOUBLE).spawn().expect("the binary");
    wait::until("results", || written(&server, "out") > 0);
    terminate(&child);
    let statistics = told_by(&mut child);
    assert_eq!(child.wait().expect("a status").code(), Some(143));
    let done = written(&server, "out");
    assert_eq!(
        statistics["records"], done,
        "what is read is counted, and nothing else"
    );
    let left = run(&server, "--timeout 2s", DOUBLE).1;
    assert_eq!(left["records"], 100 - done);
    assert_eq!(read(&server, "out", WITH_KEYS), doubled(1..=100));
}

/// It waited for `max.block.ms`, a minute, and whoever stops containers kills them after ten seconds.
#[test]
fn told_to_end_while_no_broker_takes_its_results_a_pipe_leaves_the_batch_to_the_next() {
    let server = server_as(&["--override", "auto.create.topics.enable=false"], 10);
    server.tool("topics --delete --topic out --exact");
    for options in ["", "--exactly-once"] {
        let mut child = pipe(&server, options, DOUBLE).spawn().expect("the binary");
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut lines = said.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Topic out does not exist")));
        terminate(&child);
        let within = Instant::now() + Duration::from_secs(30);
        let statistics = told_by(&mut child);
        assert!(Instant::now() < within, "{options}");
        assert_eq!(child.wait().expect("a status").code(), Some(143));
        assert_eq!(statistics["records"], 0);
    }
    server.tool("topics --create --topic out --partitions 3");
    assert_eq!(run(&server, "--timeout 2s", DOUBLE).1["records"], 10);
    assert_eq!(read(&server, "out", WITH_KEYS), doubled(1..=10));
}

fn told_by(child: &mut Child) -> Value {
    let mut text = String::new();
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_to_string(&mut text).expect("text");
    serde_json::from_str(&text).expect("statistics")
}

/// How often pipe and broker are killed, and after how much progress each time.
const KILLS: usize = 3;
const PROGRESS: usize = 300;

#[test]
fn pipes_and_brokers_that_are_killed_leave_one_result_for_each_record() {
    let mut server = server_with(2000);
    let options = "--exactly-once --batch-records 50 --transactional-id only --timeout 5s \
                   --consumer-property max.poll.records=50 --consumer-property group.instance.id=only";
    let slow = "while read -r n; do [ $((n % 10)) = 0 ] && sleep 0.01; echo $((2 * n)); done";
    for kill in 1..=KILLS {
        let mut child = pipe(&server, options, slow).spawn().expect("the binary");
        wait::until("results", || written(&server, "out") >= kill * PROGRESS);
        // The broker first, so that the pipe can't tell it that it goes.
        server.kill();
        child.kill().expect("to be killed");
        child.wait().expect("a status");
        server.restart();
    }
    let (output, _) = run(&server, options, DOUBLE);
    assert!(output.status.success());
    // Behind all results of every partition.
    let ends = "a-0\na-1\na-2\na-3\na-4\na-5\na-6\na-7\na-8\na-9\n";
    server.tool_with_input("console-producer --topic out", ends);
    let consumer = "console-consumer --topic out --from-beginning --timeout-ms 5000";
    let text = server.tool(&format!(
        "{consumer} --isolation-level read_committed {WITH_KEYS}"
    ));
    let mut results: Vec<String> = text.lines().map(str::to_owned).collect();
    results.retain(|line| !line.contains("a-"));
    results.sort();
    assert_eq!(results, doubled(1..=2000));
}
