//! The seam between the consumer and its membership, whichever protocol the group speaks: wishes and words go in
//! through the handle, notices come out as events.
//!
//! Not here: what a member says to its coordinator, and what the consumer does about its partitions.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    time::Instant,
};

use tokio::sync::{mpsc, oneshot};

use ottla_protocol::{errors::ErrorCode, wire::StrBytes};

use crate::{
    admin::TopicPartition,
    cluster::{Deadline, Metadata, lock},
    consumer::error::ConsumerError,
    error::ApiError,
};

/// Who the member is to the coordinator; commits carry it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) member_id: StrBytes,
    /// Shared by all clones: an epoch moves on while a membership lasts, and what waits to be sent is to carry the newest.
    generation_or_epoch: Arc<AtomicI32>,
}

impl Identity {
    pub(crate) fn new(member_id: StrBytes, generation_or_epoch: i32) -> Self {
        Self {
            member_id,
            generation_or_epoch: Arc::new(AtomicI32::new(generation_or_epoch)),
        }
    }

    /// As OffsetCommit calls it: of a classic group the generation, else the member's epoch.
    pub(crate) fn generation_or_epoch(&self) -> i32 {
        self.generation_or_epoch.load(Ordering::Acquire)
    }

    /// The coordinator has given the same member another epoch.
    pub(super) fn move_on(&self, epoch: i32) {
        self.generation_or_epoch.store(epoch, Ordering::Release);
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.member_id == other.member_id
            && self.generation_or_epoch() == other.generation_or_epoch()
    }
}

/// What the consumer is to know.
#[derive(Debug, PartialEq)]
pub(in crate::consumer) enum Notice {
    /// The group rebalances: let go what must be let go, and join again.
    Rebalance,
    /// The partitions belong to others already: drop them and join again.
    Lost(ApiError),
    /// From now on these are the member's, and no others: what it has beyond them is to be let go.
    Assigned {
        identity: Identity,
        partitions: Vec<TopicPartition>,
    },
    /// Something the application can mend; the membership goes on.
    Trouble(ConsumerError),
    /// The group can't be used.
    Failed(ConsumerError),
}

/// What the consumer wants to be a member with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::consumer) struct Wish {
    pub(in crate::consumer) topics: Vec<String>,
    /// A regular expression for further topics, which the coordinator evaluates; not in classic groups.
    pub(in crate::consumer) pattern: Option<String>,
    /// What it still reads, and keeps reading meanwhile.
    pub(in crate::consumer) owned: Vec<TopicPartition>,
}

/// A word from the consumer. Few: one per rebalance, or per refused commit.
#[derive(Debug)]
pub(super) enum Command {
    Join(Wish),
    /// The consumer has what it was told is assigned; of interest to the new protocol only.
    Reconciled,
    /// The coordinator has refused a commit with an error that concerns the membership.
    CommitRefused(Identity, ErrorCode),
    Leave(Deadline, oneshot::Sender<()>),
}

/// Topics whose number of partitions the leader went by; none for who does not lead.
pub(super) type Watched = Arc<Mutex<Option<BTreeMap<String, usize>>>>;

/// The consumer's handle on the task that is its membership. The task ends with it.
#[derive(Debug)]
pub(in crate::consumer) struct Member {
    commands: mpsc::UnboundedSender<Command>,
    last_poll: Arc<Mutex<Instant>>,
    watched: Watched,
}

/// The task's end of a handle.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) last_poll: Arc<Mutex<Instant>>,
    pub(super) watched: Watched,
}

impl Member {
    pub(super) fn new(now: Instant) -> (Self, Words) {
        let (sender, commands) = mpsc::unbounded_channel();
        let last_poll = Arc::new(Mutex::new(now));
        let watched = Watched::default();
        let words = Words {
            commands,
            last_poll: last_poll.clone(),
            watched: watched.clone(),
        };
        let member = Self {
            commands: sender,
            last_poll,
            watched,
        };
        (member, words)
    }

    /// What must be let go has been; join so.
    pub(in crate::consumer) fn join(&self, wish: Wish) {
        let _ = self.commands.send(Command::Join(wish));
    }

    /// The consumer has let go what is not assigned any more, and has taken the rest.
    pub(in crate::consumer) fn reconciled(&self) {
        let _ = self.commands.send(Command::Reconciled);
    }

    pub(in crate::consumer) fn polled(&self, now: Instant) {
        *lock(&self.last_poll) = now;
    }

    /// A commit that was made as this identity was refused so.
    pub(in crate::consumer) fn commit_refused(&self, identity: Identity, error: ErrorCode) {
        let _ = self.commands.send(Command::CommitRefused(identity, error));
    }

    /// Whether this member leads and topics have changed since it made the assignment.
    pub(in crate::consumer) fn is_outdated(&self, metadata: &Metadata) -> bool {
        let watched = lock(&self.watched);
        let mut watched = watched.iter().flatten();
        watched.any(|(topic, count)| partition_count(metadata, topic) != *count)
    }

    /// Says farewell, as far as the time allows.
    pub(in crate::consumer) async fn leave(self, deadline: Deadline) {
        let (done, left) = oneshot::channel();
        let _ = self.commands.send(Command::Leave(deadline, done));
        let _ = tokio::time::timeout(deadline.left(), left).await;
    }
}

/// Of a topic that exists; else none.
pub(super) fn partition_count(metadata: &Metadata, topic: &str) -> usize {
    let known = metadata.topic(topic).filter(|topic| topic.error.is_none());
    known.map_or(0, |topic| topic.partitions.len())
}
