//! What a client of another make writes on its standard output, a line for each step; what is ahead of it when it is killed, it
//! has told.
//!
//! - `move` takes input and sends output, in transactions: `begin PARTITION:START:END…` what it takes, `send PARTITION VALUE`
//!   before each record, `commit` before it asks for that, then `committed` or `aborted` as soon as it knows. A transaction
//!   that it never asked to commit can only be aborted; one whose end it does not tell may be either.
//! - `read` reads what is committed: `seen PARTITION OFFSET VALUE`.
//! - `commit` commits offsets without transactions: `asked OFFSET` before, `acknowledged OFFSET` after, and `found OFFSET` what
//!   the group's offset is when it looks.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::FED;
use super::history::{Commit, Ended, Input, Partition, Reading, Transaction};

pub(super) fn transactions(producer: &str, lines: &[String]) -> Vec<Transaction> {
    let mut transactions: Vec<Transaction> = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let last = transactions.last_mut();
        match (&words[..], last) {
            (["begin", ranges @ ..], _) => transactions.push(Transaction {
                producer: producer.to_owned(),
                sent: Vec::new(),
                inputs: ranges.iter().map(|range| input(range)).collect(),
                ended: Ended::Aborted,
            }),
            (["send", partition, value], Some(last)) => {
                last.sent.push((number(partition), (*value).to_owned()));
            }
            (["commit"], Some(last)) => last.ended = Ended::Unknown,
            (["committed"], Some(last)) => last.ended = Ended::Committed,
            (["aborted"], Some(last)) => last.ended = Ended::Aborted,
            _ => panic!("{producer} said {line:?}"),
        }
    }
    transactions
}

pub(super) fn readings(reader: &str, lines: &[String]) -> Vec<Reading> {
    let mut seen: BTreeMap<Partition, Vec<(i64, String)>> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["seen", partition, offset, value] = words[..] else {
            panic!("{reader} said {line:?}");
        };
        let of_partition = seen.entry(number(partition)).or_default();
        of_partition.push((number(offset), value.to_owned()));
    }
    let reading = |(partition, seen)| Reading {
        reader: reader.to_owned(),
        partition,
        seen,
    };
    seen.into_iter().map(reading).collect()
}

pub(super) fn commits(committer: &str, lines: &[String]) -> Vec<Commit> {
    let commit = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["asked", offset] => Commit::Asked(number(offset)),
            ["acknowledged", offset] => Commit::Acknowledged(number(offset)),
            ["found", offset] => Commit::Found(number::<i64>(offset).max(0)),
            _ => panic!("{committer} said {line:?}"),
        }
    };
    lines.iter().map(commit).collect()
}

fn input(range: &str) -> Input {
    let words: Vec<&str> = range.split(':').collect();
    let [partition, start, end] = words[..] else {
        panic!("{range} is no range");
    };
    Input {
        topic: FED,
        partition: number(partition),
        start: number(start),
        end: number(end),
    }
}

fn number<T: FromStr>(text: &str) -> T {
    let parsed = text.parse();
    parsed.unwrap_or_else(|_| panic!("{text} is no number"))
}

#[test]
fn a_transaction_ends_as_told_or_as_far_as_it_was_told() {
    let said = [
        "begin 1:5:7 2:0:3",
        "send 0 a/0/0",
        "commit",
        "committed",
        "begin 1:7:8",
        "send 1 a/1/1",
        "begin 1:7:9",
        "commit",
        "aborted",
        "begin 1:7:9",
        "commit",
    ];
    let told = transactions("a", &said.map(str::to_owned));
    let ends: Vec<Ended> = told.iter().map(|transaction| transaction.ended).collect();
    use Ended::{Aborted, Committed, Unknown};
    assert_eq!(ends, [Committed, Aborted, Aborted, Unknown]);
    assert_eq!(told[0].inputs, [input("1:5:7"), input("2:0:3")]);
    assert_eq!(told[0].sent, [(0, "a/0/0".to_owned())]);
}
