//! What a check can find.

use ottla_protocol::types::{LeaderEpoch, Offset};

/// What is said of a file that should be there.
pub(super) const MISSING: &str = "the file is missing";

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing, and in order: left-over files, what a crash leaves and the next start cleans up.
    Note,
    /// A file that can be made anew from the log is not what it should be.
    Derived,
    /// Records, or what only this file knows.
    Damage,
}

impl Severity {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Derived => "derived",
            Self::Damage => "damage",
        }
    }
}

/// What was found; the report's names are in `name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No valid batch in a stretch that valid ones follow.
    Stretch,
    /// No valid batch up to the end of the log.
    Tail,
    /// A batch that is whole but for its base offset, which its neighbours tell.
    Offset {
        right: Offset,
    },
    /// A batch that is whole but for its leader epoch.
    Epoch {
        right: LeaderEpoch,
    },
    /// Offsets that no batch has, in a log that was never compacted.
    Gap,
    /// A checksum fits, and the records under it make no sense.
    Content,
    /// The log ends before what a checkpoint says was flushed.
    Lost,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    ProducerSnapshot,
    LeaderEpochs,
    PartitionMetadata,
    /// Our own note of damage does not fit what is there.
    DamageCheckpoint,
    /// Our own sums of transaction indexes cannot be read.
    TxnIndexCheckpoint,
    /// One of the checkpoint files of the directory.
    Checkpoint,
    MetaProperties,
    QuorumState,
    /// A snapshot of the metadata log.
    MetadataSnapshot,
    /// Of something that was interrupted, or waits for its removal.
    LeftOver,
}

impl Kind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stretch => "stretch",
            Self::Tail => "tail",
            Self::Offset { .. } => "offset",
            Self::Epoch { .. } => "epoch",
            Self::Gap => "gap",
            Self::Content => "content",
            Self::Lost => "lost",
            Self::OffsetIndex => "offset-index",
            Self::TimeIndex => "time-index",
            Self::TxnIndex => "txn-index",
            Self::ProducerSnapshot => "producer-snapshot",
            Self::LeaderEpochs => "leader-epochs",
            Self::PartitionMetadata => "partition-metadata",
            Self::DamageCheckpoint => "damage-checkpoint",
            Self::TxnIndexCheckpoint => "txn-index-checkpoint",
            Self::Checkpoint => "checkpoint",
            Self::MetaProperties => "meta-properties",
            Self::QuorumState => "quorum-state",
            Self::MetadataSnapshot => "metadata-snapshot",
            Self::LeftOver => "left-over",
        }
    }
}

/// A part of a file, and the offsets that are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub position: u64,
    pub bytes: u64,
    pub first_offset: Offset,
    /// The first offset behind it.
    pub next_offset: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub kind: Kind,
    /// Name of the file in its folder.
    pub file: String,
    /// Base offset of the segment, or offset of the snapshot, where it is about one.
    pub segment: Option<Offset>,
    pub stretch: Option<Stretch>,
    pub message: String,
}

impl Finding {
    pub(crate) fn new(
        severity: Severity,
        kind: Kind,
        file: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            kind,
            file: file.into(),
            segment: None,
            stretch: None,
            message: message.into(),
        }
    }

    /// The file is not there at all.
    pub(crate) fn is_missing(&self) -> bool {
        self.message == MISSING
    }

    pub(crate) fn of_segment(mut self, segment: Offset) -> Self {
        self.segment = Some(segment);
        self
    }

    pub(crate) fn at(mut self, stretch: Stretch) -> Self {
        self.stretch = Some(stretch);
        self
    }
}
