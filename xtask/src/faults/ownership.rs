//! What members of a group tell, and what must hold of it.
//!
//! A member prints `own GENERATION PARTITION…` for everything that a rebalance gave it, `read GENERATION PARTITION FIRST
//! LAST` for records that it has dealt with, and `commit GENERATION PARTITION OFFSET` for a commit that was acknowledged.
//! Always: a commit of a generation reaches the coordinator while that generation lasts, so that generation and order in
//! the member's own output are the order of all commits of a partition; clocks are not needed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    Own {
        generation: i32,
        partitions: Vec<usize>,
    },
    Read {
        generation: i32,
        partition: usize,
        first: i64,
        last: i64,
    },
    Commit {
        generation: i32,
        partition: usize,
        offset: i64,
    },
}

impl Line {
    pub(super) fn parse(text: &str) -> Result<Line> {
        let mut words = text.split_whitespace();
        let verb = words.next();
        let numbers: Option<Vec<i64>> = words.map(|word| word.parse().ok()).collect();
        let numbers = numbers.with_context(|| format!("{text:?}"))?;
        Ok(match (verb, &numbers[..]) {
            (Some("own"), [generation, partitions @ ..]) => Line::Own {
                generation: i32::try_from(*generation)?,
                partitions: partitions
                    .iter()
                    .map(|partition| usize::try_from(*partition))
                    .collect::<Result<_, _>>()?,
            },
            (Some("read"), [generation, partition, first, last]) => Line::Read {
                generation: i32::try_from(*generation)?,
                partition: usize::try_from(*partition)?,
                first: *first,
                last: *last,
            },
            (Some("commit"), [generation, partition, offset]) => Line::Commit {
                generation: i32::try_from(*generation)?,
                partition: usize::try_from(*partition)?,
                offset: *offset,
            },
            _ => anyhow::bail!("{text:?}"),
        })
    }
}

/// What all members have told, by name.
#[derive(Debug, Default)]
pub(super) struct Told(pub(super) BTreeMap<String, Vec<Line>>);

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Findings {
    pub(super) generations: usize,
    pub(super) commits: usize,
    /// In words, a line each; none where all is well.
    pub(super) faults: Vec<String>,
    /// Acknowledged to the producer and not dealt with by any member.
    pub(super) unread: usize,
    /// Dealt with more than once, which the death of a member allows.
    pub(super) read_again: usize,
}

/// Commits of one partition, by the generation in which they were made.
type Commits = BTreeMap<(usize, i32), Vec<i64>>;

impl Told {
    /// `sent`: partition and offset of every record that the producer was promised.
    pub(super) fn judge(&self, sent: &[(usize, i64)]) -> Findings {
        let mut findings = Findings::default();
        self.owners(&mut findings);
        let commits = self.commits(&mut findings);
        self.starts(&commits, &mut findings);
        self.reads(sent, &mut findings);
        findings
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &Line)> {
        self.0
            .iter()
            .flat_map(|(name, lines)| lines.iter().map(|line| (name.as_str(), line)))
    }

    /// Within a generation a partition has one owner.
    fn owners(&self, findings: &mut Findings) {
        let mut owners: BTreeMap<(i32, usize), &str> = BTreeMap::new();
        for (name, line) in self.lines() {
            let Line::Own {
                generation,
                partitions,
            } = line
            else {
                continue;
            };
            for partition in partitions {
                let holder = owners.entry((*generation, *partition)).or_insert(name);
                if *holder != name {
                    findings.faults.push(format!(
                        "partition {partition} is {holder}'s and {name}'s in generation {generation}"
                    ));
                }
            }
        }
        let generations: BTreeSet<i32> = owners.keys().map(|(generation, _)| *generation).collect();
        findings.generations = generations.len();
    }

    /// What is committed never goes back, neither within a generation nor from one to the next.
    fn commits(&self, findings: &mut Findings) -> Commits {
        let mut commits = Commits::new();
        for (_, line) in self.lines() {
            if let Line::Commit {
                generation,
                partition,
                offset,
            } = line
            {
                findings.commits += 1;
                let of_generation = commits.entry((*partition, *generation)).or_default();
                of_generation.push(*offset);
            }
        }
        let mut highest: BTreeMap<usize, i64> = BTreeMap::new();
        for ((partition, generation), offsets) in &commits {
            for offset in offsets {
                let before = highest.entry(*partition).or_insert(*offset);
                if offset < before {
                    findings.faults.push(format!(
                        "partition {partition}: {offset} was committed in generation {generation}, after {before}"
                    ));
                }
                *before = (*before).max(*offset);
            }
        }
        commits
    }

    /// Who takes a partition over begins no earlier than where the generations before have committed.
    fn starts(&self, commits: &Commits, findings: &mut Findings) {
        let mut begun = BTreeSet::new();
        for (name, line) in self.lines() {
            let Line::Read {
                generation,
                partition,
                first,
                ..
            } = line
            else {
                continue;
            };
            if !begun.insert((*generation, *partition)) {
                continue;
            }
            let earlier = commits.range((*partition, i32::MIN)..(*partition, *generation));
            let committed = earlier.flat_map(|(_, offsets)| offsets).max();
            if let Some(committed) = committed.filter(|committed| first < committed) {
                findings.faults.push(format!(
                    "partition {partition}: {name} began generation {generation} at {first}, {committed} was committed"
                ));
            }
        }
    }

    fn reads(&self, sent: &[(usize, i64)], findings: &mut Findings) {
        let mut times: BTreeMap<(usize, i64), usize> = BTreeMap::new();
        for (_, line) in self.lines() {
            if let Line::Read {
                partition,
                first,
                last,
                ..
            } = line
            {
                for offset in *first..=*last {
                    *times.entry((*partition, offset)).or_default() += 1;
                }
            }
        }
        findings.unread = sent.iter().filter(|at| !times.contains_key(at)).count();
        findings.read_again = times.values().filter(|count| **count > 1).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&str, &str)]) -> Told {
        let mut told = Told::default();
        for (name, line) in lines {
            let line = Line::parse(line).unwrap();
            told.0.entry((*name).to_owned()).or_default().push(line);
        }
        told
    }

    #[test]
    fn a_group_that_hands_over_in_order_is_as_it_should_be() {
        let told = told(&[
            ("a", "own 1 0 1"),
            ("a", "read 1 0 0 9"),
            ("a", "commit 1 0 10"),
            ("a", "read 1 0 10 12"),
            ("a", "own 2 1"),
            ("b", "own 2 0"),
            ("b", "read 2 0 10 19"),
            ("b", "commit 2 0 20"),
        ]);
        let findings = told.judge(&[(0, 0), (0, 19)]);
        let expected = Findings {
            generations: 2,
            commits: 2,
            read_again: 3,
            ..Default::default()
        };
        assert_eq!(findings, expected);
    }

    #[test]
    fn what_nobody_has_read_is_counted() {
        let told = told(&[
            ("a", "own 1 0"),
            ("a", "read 1 0 0 3"),
            ("a", "read 1 0 5 6"),
        ]);
        assert_eq!(told.judge(&[(0, 3), (0, 4), (1, 0)]).unread, 2);
    }

    #[test]
    fn two_owners_of_one_generation_are_a_fault() {
        let told = told(&[("a", "own 1 0 1"), ("b", "own 1 1")]);
        let faults = told.judge(&[]).faults;
        assert_eq!(faults, ["partition 1 is a's and b's in generation 1"]);
    }

    #[test]
    fn commits_that_go_back_are_a_fault() {
        let told = told(&[
            ("a", "commit 3 0 7"),
            ("b", "commit 2 0 9"),
            ("b", "commit 2 0 8"),
        ]);
        assert_eq!(told.judge(&[]).faults.len(), 2);
    }

    #[test]
    fn beginning_before_what_was_committed_is_a_fault() {
        let told = told(&[
            ("a", "commit 1 0 10"),
            ("b", "read 2 0 9 12"),
            ("b", "read 2 0 5 6"),
        ]);
        assert_eq!(
            told.judge(&[]).faults.len(),
            1,
            "the first read tells where it began"
        );
    }
}
