//! From what a check found to what is to be done about it. Pure: what a dry run shows is what is done.

use std::collections::BTreeSet;
use std::fmt;

use ottla_protocol::types::{LeaderEpoch, Offset};

use crate::names;
use crate::verify::{Kind, Mend, PartitionReport, Severity};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Right what no checksum covers.
    SetOffset {
        segment: Offset,
        position: u64,
        right: Offset,
    },
    SetEpoch {
        segment: Offset,
        position: u64,
        right: LeaderEpoch,
    },
    /// Take a stretch out, and put empty batches in its place.
    Mend(Mend),
    /// Move a file away; what can be made anew is.
    SetAside { file: String, why: String },
    /// Make the indexes, leader epochs, transaction indexes and producer snapshots that are missing anew.
    Rebuild,
}

/// What to do about a partition. Empty: nothing is wrong.
#[must_use]
pub fn plan(report: &PartitionReport) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut aside: BTreeSet<(String, String)> = BTreeSet::new();
    let mut left_over = Vec::new();
    let mut missing = false;
    for finding in &report.findings {
        let (segment, stretch) = (finding.segment, finding.stretch);
        match (finding.kind, segment, stretch) {
            (Kind::Offset { right }, Some(segment), Some(stretch)) => steps.push(Step::SetOffset {
                segment,
                position: stretch.position,
                right,
            }),
            (Kind::Epoch { right }, Some(segment), Some(stretch)) => steps.push(Step::SetEpoch {
                segment,
                position: stretch.position,
                right,
            }),
            (
                Kind::OffsetIndex
                | Kind::TimeIndex
                | Kind::TxnIndex
                | Kind::ProducerSnapshot
                | Kind::LeaderEpochs
                | Kind::DamageCheckpoint
                | Kind::TxnIndexCheckpoint,
                ..,
            ) => {
                if finding.is_missing() {
                    missing = true;
                } else {
                    aside.insert((finding.file.clone(), finding.message.clone()));
                }
            }
            (Kind::PartitionMetadata, ..) if finding.severity == Severity::Damage => {
                aside.insert((finding.file.clone(), finding.message.clone()));
            }
            (Kind::LeftOver, ..) => left_over.push((finding.file.clone(), finding.message.clone())),
            _ => {}
        }
    }
    for mend in &report.mends {
        steps.push(Step::Mend(mend.clone()));
        // Positions behind it change.
        for suffix in [names::OFFSET_INDEX, names::TIME_INDEX] {
            let file = format!("{:020}.{suffix}", mend.segment.0);
            if !aside.iter().any(|(known, _)| *known == file) {
                aside.insert((file, "positions change".to_owned()));
            }
        }
    }
    if steps.is_empty() && aside.is_empty() && !missing {
        return steps;
    }
    // Opening would remove them.
    aside.extend(left_over);
    steps.extend(
        aside
            .into_iter()
            .map(|(file, why)| Step::SetAside { file, why }),
    );
    steps.push(Step::Rebuild);
    steps
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = |segment: &Offset| format!("{:020}.{}", segment.0, names::LOG);
        match self {
            Self::SetOffset {
                segment,
                position,
                right,
            } => {
                let log = log(segment);
                write!(f, "{log}: set the base offset of the batch at {position} to {right}")
            }
            Self::SetEpoch {
                segment,
                position,
                right,
            } => {
                let log = log(segment);
                write!(f, "{log}: set the leader epoch of the batch at {position} to {right}")
            }
            Self::Mend(mend) => {
                let (log, stretch) = (log(&mend.segment), mend.stretch);
                let (position, bytes) = (stretch.position, stretch.bytes);
                let (first, last) = (stretch.first_offset, stretch.next_offset.0 - 1);
                if mend.is_tail {
                    return write!(f, "{log}: move the {bytes} bytes at {position}, the end, aside");
                }
                if bytes == 0 {
                    return write!(f, "{log}: put an empty batch for offsets {first} to {last} at {position}");
                }
                write!(f, "{log}: move the {bytes} bytes at {position} aside")?;
                if first <= Offset(last) {
                    write!(f, ", put an empty batch for offsets {first} to {last} in their place")?;
                }
                for (txn, _) in &mend.lost_aborts {
                    let (id, at) = (txn.producer_id, txn.last_offset);
                    write!(f, ", and the abort marker of producer {id} at offset {at}")?;
                }
                Ok(())
            }
            Self::SetAside { file, why } => write!(f, "{file}: move aside ({why})"),
            Self::Rebuild => {
                f.write_str("*: make what is missing of indexes, leader epochs, transaction indexes and snapshots anew")
            }
        }
    }
}
