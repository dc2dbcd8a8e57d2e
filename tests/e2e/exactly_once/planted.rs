//! Histories that a broker with a fault would leave: the checker finds each of them, and nothing in a sound one.

use std::collections::BTreeMap;

use super::history::{
    Anomaly, Commit, Committing, Ended, History, Input, Reading, Transaction, check,
};

const IN: (&str, i32) = ("in", 0);

fn input(start: i64, end: i64) -> Input {
    Input {
        topic: IN.0,
        partition: IN.1,
        start,
        end,
    }
}

/// A transaction that sent a record named `NAME.P` to each partition P of two.
fn transaction(name: &str, input: Input, ended: Ended) -> Transaction {
    Transaction {
        producer: "p".to_owned(),
        sent: vec![(0, format!("{name}.0")), (1, format!("{name}.1"))],
        inputs: vec![input],
        ended,
    }
}

fn seen(partition: i32, names: &[&str]) -> Vec<(i64, String)> {
    let names = names.iter().map(|name| format!("{name}.{partition}"));
    (0..).map(|n| n * 2).zip(names).collect()
}

/// Of the second commit nothing is known until it turns out that it took effect, of the fourth nothing to the end.
fn sound_commits() -> Vec<Commit> {
    use Commit::{Acknowledged, Asked, Found};
    vec![
        Found(0),
        Asked(1),
        Acknowledged(1),
        Asked(2),
        Found(2),
        Asked(3),
        Acknowledged(3),
        Asked(4),
        Found(3),
    ]
}

/// Of four transactions the first and the third are committed, the second is aborted, of the fourth nothing is known and
/// nothing there.
fn sound() -> History {
    let names = ["a", "c"];
    History {
        transactions: vec![
            transaction("a", input(0, 3), Ended::Committed),
            transaction("b", input(3, 4), Ended::Aborted),
            transaction("c", input(3, 7), Ended::Committed),
            transaction("d", input(7, 9), Ended::Unknown),
        ],
        readings: vec![Reading {
            reader: "r".to_owned(),
            partition: 0,
            seen: seen(0, &["a"]),
        }],
        at_end: BTreeMap::from([(0, seen(0, &names)), (1, seen(1, &names))]),
        committed: BTreeMap::from([(IN, 7)]),
        committing: vec![Committing {
            group: "g".to_owned(),
            events: sound_commits(),
        }],
    }
}

/// What the checker says of the history that `plant` makes of a sound one.
fn planted(plant: impl FnOnce(&mut History)) -> Vec<Anomaly> {
    let mut history = sound();
    plant(&mut history);
    check(&history)
}

fn at_end(history: &mut History, partition: i32) -> &mut Vec<(i64, String)> {
    history.at_end.get_mut(&partition).unwrap()
}

#[test]
fn a_sound_history_is_found_sound_whatever_became_of_what_nobody_knows() {
    assert_eq!(check(&sound()), []);
    let took_effect = planted(|history| {
        for partition in [0, 1] {
            *at_end(history, partition) = seen(partition, &["a", "c", "d"]);
        }
        history.committed.insert(IN, 9);
    });
    assert_eq!(took_effect, []);
    assert_eq!(check(&History::default()), []);
}

#[test]
fn lost_writes_are_found() {
    let found = planted(|history| drop(at_end(history, 1).pop()));
    assert_eq!(found, [Anomaly::LostWrite("c.1".to_owned())]);
}

#[test]
fn aborted_and_dangling_reads_are_found() {
    let aborted = [Anomaly::AbortedRead("b.1".to_owned())];
    let found = planted(|history| *at_end(history, 1) = seen(1, &["a", "b", "c"]));
    assert_eq!(found, aborted);
    let found = planted(|history| at_end(history, 1).push((9, "x".to_owned())));
    assert_eq!(found, [Anomaly::DanglingRead("x".to_owned())]);
    // Seen by a reader that came too early, and gone at the end.
    let found = planted(|history| history.readings[0].seen = seen(0, &["a", "b"]));
    let misread = Anomaly::Misread {
        reader: "r".to_owned(),
        offset: 2,
    };
    assert_eq!(found, [Anomaly::AbortedRead("b.0".to_owned()), misread]);
}

#[test]
fn torn_transactions_are_found() {
    let found = planted(|history| {
        *at_end(history, 0) = seen(0, &["a", "c", "d"]);
        history.committed.insert(IN, 9);
    });
    assert_eq!(found, [Anomaly::Torn("d.1".to_owned())]);
}

#[test]
fn duplicates_are_found() {
    let found = planted(|history| at_end(history, 1).push((9, "c.1".to_owned())));
    assert_eq!(found, [Anomaly::Duplicate("c.1".to_owned())]);
}

#[test]
fn reordering_is_found() {
    let found = planted(|history| *at_end(history, 1) = seen(1, &["c", "a"]));
    let (first, then) = ("c.1".to_owned(), "a.1".to_owned());
    assert_eq!(found, [Anomaly::Reordered { first, then }]);
}

#[test]
fn a_reader_that_leaves_something_out_is_found() {
    let found = planted(|history| history.readings[0].seen = seen(0, &["a", "c"]).split_off(1));
    let (reader, offset) = ("r".to_owned(), 2);
    assert_eq!(found, [Anomaly::Misread { reader, offset }]);
}

#[test]
fn offsets_without_their_output_and_output_without_its_offsets_are_found() {
    let found = planted(|history| *history.committed.get_mut(&IN).unwrap() = 9);
    assert_eq!(found, [Anomaly::OffsetsWithoutOutput(input(7, 9))]);
    let found = planted(|history| *history.committed.get_mut(&IN).unwrap() = 3);
    assert_eq!(found, [Anomaly::OutputWithoutOffsets(input(3, 7))]);
    let found = planted(|history| history.transactions[2].inputs[0].start = 4);
    assert_eq!(found, [Anomaly::OffsetsWithoutOutput(input(3, 4))]);
}

#[test]
fn input_that_was_worked_on_twice_is_found() {
    let found = planted(|history| history.transactions[2].inputs[0].start = 2);
    assert_eq!(found, [Anomaly::WorkedTwice(input(0, 3), input(2, 7))]);
}

#[test]
fn of_a_transaction_over_several_inputs_each_counts() {
    let more = Input {
        partition: 1,
        ..input(0, 2)
    };
    let found = planted(|history| {
        history.transactions[2].inputs.push(more);
        history.committed.insert(("in", 1), 2);
    });
    assert_eq!(found, []);
    let found = planted(|history| history.transactions[2].inputs.push(more));
    assert_eq!(found, [Anomaly::OutputWithoutOffsets(more)]);
}

#[test]
fn a_commit_that_is_lost_or_comes_from_nowhere_is_found() {
    let found =
        |commit| planted(|history| history.committing[0].events.push(Commit::Found(commit)));
    let lost = |found| Anomaly::CommitLost {
        group: "g".to_owned(),
        acknowledged: 3,
        found,
    };
    for offset in [3, 4] {
        assert_eq!(found(offset), []);
    }
    for offset in [0, 1, 2, 5] {
        assert_eq!(found(offset), [lost(offset)]);
    }
}
