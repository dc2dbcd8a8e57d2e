//! A real data set goes in through the console producer and comes back through the console consumer: nothing is lost,
//! doubled or out of order within a partition, and a group can be sent back to any place in it.
//!
//! The slice in `tests/data` by default; `OTTLA_REAL_INPUT` names another file of one JSON object a line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ottla_protocol::murmur2;

use crate::server::Server;

const TOPIC: &str = "flights";
const GROUP: &str = "readers";
const PARTITIONS: i32 = 3;

/// Lines by partition, in order, each as key, tab, value.
type Partitions = BTreeMap<i32, Vec<String>>;

#[test]
fn every_line_of_a_real_file_goes_through_the_console_tools_and_a_group_rereads_what_it_is_sent_back_to()
 {
    let lines = keyed_lines();
    let expected = by_partition(&lines);
    let server = Server::start();
    server.tool(&format!(
        "topics --create --topic {TOPIC} --partitions {PARTITIONS}"
    ));

    let input = lines
        .iter()
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    server.tool_with_input(
        &format!("console-producer --topic {TOPIC} --reader-property parse.key=true"),
        &input,
    );

    // From the beginning, as a new group.
    assert_same(&read(&server, lines.len(), "--from-beginning"), &expected);
    assert_eq!(described(&server), positions(&expected, |end| end));

    // 1,000 back in each partition, or to its start.
    let back = |end: usize| end.saturating_sub(1000);
    reset(&server, "--shift-by -1000");
    assert_eq!(described(&server), positions(&expected, back));
    let tail: Partitions = expected
        .iter()
        .map(|(&p, lines)| (p, lines[back(lines.len())..].to_vec()))
        .collect();
    assert_same(&read(&server, count(&tail), ""), &tail);
    assert_eq!(described(&server), positions(&expected, |end| end));

    reset(&server, "--to-earliest");
    assert_eq!(described(&server), positions(&expected, |_| 0));
    assert_same(&read(&server, lines.len(), ""), &expected);
    assert_eq!(described(&server), positions(&expected, |end| end));
}

/// The flight's distance is its key, so that flights of one distance stay in order.
fn keyed_lines() -> Vec<String> {
    let file = std::env::var_os("OTTLA_REAL_INPUT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flights-2000.jsonl"),
        PathBuf::from,
    );
    let text = fs::read_to_string(&file).unwrap();
    let keyed = |line: &str| {
        let flight: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{}\t{line}", flight["distance"])
    };
    text.lines().map(keyed).collect()
}

fn by_partition(lines: &[String]) -> Partitions {
    let mut partitions: Partitions = (0..PARTITIONS).map(|p| (p, Vec::new())).collect();
    for line in lines {
        let (key, _) = line.split_once('\t').unwrap();
        let partition = murmur2::partition_for_key(key.as_bytes(), PARTITIONS);
        partitions.get_mut(&partition).unwrap().push(line.clone());
    }
    partitions
}

/// Reads `count` lines as a member of the group. The tool prints `Partition:0`, tab, key, tab, value.
fn read(server: &Server, count: usize, more: &str) -> Partitions {
    let output = server.tool(&format!(
        "console-consumer --topic {TOPIC} --group {GROUP} --max-messages {count} --timeout-ms 60000 \
         --formatter-property print.partition=true --formatter-property print.key=true {more}"
    ));
    let mut partitions: Partitions = (0..PARTITIONS).map(|p| (p, Vec::new())).collect();
    for line in output.lines() {
        let (partition, line) = line
            .strip_prefix("Partition:")
            .and_then(|rest| rest.split_once('\t'))
            .unwrap();
        partitions
            .get_mut(&partition.parse().unwrap())
            .unwrap()
            .push(line.to_owned());
    }
    partitions
}

fn reset(server: &Server, how: &str) {
    server.tool(&format!(
        "consumer-groups --reset-offsets --group {GROUP} --topic {TOPIC} {how} --execute"
    ));
}

/// Current offset, log end and lag of each partition, as the group is described.
fn described(server: &Server) -> Vec<[i64; 4]> {
    let output = server.tool(&format!("consumer-groups --describe --group {GROUP}"));
    let mut rows: Vec<[i64; 4]> = output
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let [GROUP, TOPIC, numbers @ ..] = &cells[..] else {
                return None;
            };
            Some([0, 1, 2, 3].map(|at| numbers[at].parse().unwrap()))
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// What `described` must be when the group's offset is `at(log end)` in each partition.
fn positions(expected: &Partitions, at: impl Fn(usize) -> usize) -> Vec<[i64; 4]> {
    let row = |(&partition, lines): (&i32, &Vec<String>)| {
        let (end, current) = (lines.len() as i64, at(lines.len()) as i64);
        [i64::from(partition), current, end, end - current]
    };
    expected.iter().map(row).collect()
}

fn count(partitions: &Partitions) -> usize {
    partitions.values().map(Vec::len).sum()
}

/// As `assert_eq`, with one line of difference instead of all lines.
fn assert_same(found: &Partitions, expected: &Partitions) {
    for (partition, expected) in expected {
        let found = &found[partition];
        let first = expected
            .iter()
            .zip(found)
            .position(|(expected, found)| expected != found);
        assert_eq!(
            first.map(|at| (&found[at], &expected[at])),
            None,
            "partition {partition}, line {first:?}"
        );
        assert_eq!(
            found.len(),
            expected.len(),
            "lines of partition {partition}"
        );
    }
}
