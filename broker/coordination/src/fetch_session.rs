//! Incremental fetch sessions (KIP-227): what a client has asked for and been told, so that neither is repeated.
//!
//! Owns: the cache of sessions, its bound and eviction, epochs, which partitions an incremental fetch has to look at and
//! which its answer needs.
//! Always: at most `slots` sessions; a session's epoch rises with every request and 1 follows the highest; a session
//! names all its topics by id (Fetch 13 on) or all by name. A partition that gave records goes to the end of its
//! session's order, so that a small `max.bytes` starves nobody. A partition that the caller found settled is not looked
//! at again until the client asks otherwise or the caller says that it has changed.
//! Not here: what a partition holds, and how its changes are heard of. The caller begins a fetch, reads, and finishes it
//! with what it found; each session keeps a watch for it (`W`), whatever that is.

mod exchange;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;

pub use exchange::{
    FetchPartition, Finished, PartitionKey, PartitionResult, SessionRequest, TopicNaming, TopicRef,
};
use session::{Session, Worth};

/// No session: the request is complete and leaves nothing behind.
pub const NO_SESSION: i32 = 0;
/// The epoch of a full request that may open a session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a full request that closes its session and opens none.
pub const FINAL_EPOCH: i32 = -1;

/// A fetch that has begun.
#[derive(Clone, Debug)]
pub struct FetchContext<W = ()> {
    kind: ContextKind,
    /// What to read, in the order in which to read it. Of a session, only what may have changed.
    pub partitions: Vec<FetchPartition>,
    /// Where each of them stands in its session, for [`FetchSessions::changed`]. Empty outside one.
    pub places: Vec<u64>,
    /// The session's, and of a session that may be opened.
    pub watch: W,
}

impl<W> FetchContext<W> {
    /// The request wants nothing at all, which is not the same as a session of which nothing has changed.
    #[must_use]
    pub fn wants_nothing(&self) -> bool {
        self.partitions.is_empty() && !self.is_incremental()
    }

    #[must_use]
    pub fn is_incremental(&self) -> bool {
        matches!(self.kind, ContextKind::Incremental { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContextKind {
    Sessionless,
    Full {
        naming: TopicNaming,
        is_follower: bool,
    },
    Incremental {
        session_id: i32,
        session_epoch: i32,
    },
}

/// The cache of sessions.
#[derive(Debug)]
pub struct FetchSessions<W = ()> {
    /// `max.incremental.fetch.session.cache.slots`
    slots: usize,
    /// How long a session is safe from others; two minutes in the reference.
    eviction_ms: i64,
    sessions: BTreeMap<i32, Session<W>>,
    by_last_use: BTreeSet<(Millis, i32)>,
    evictable_by_all: BTreeSet<Worth>,
    evictable_by_followers: BTreeSet<Worth>,
}

impl<W: Clone + Default> FetchSessions<W> {
    #[must_use]
    pub fn new(slots: usize, eviction_ms: i64) -> Self {
        Self {
            slots,
            eviction_ms,
            sessions: BTreeMap::new(),
            by_last_use: BTreeSet::new(),
            evictable_by_all: BTreeSet::new(),
            evictable_by_followers: BTreeSet::new(),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The watch of a session.
    #[must_use]
    pub fn watch(&self, session_id: i32) -> Option<&W> {
        self.sessions.get(&session_id).map(|session| &session.watch)
    }

    /// What stands at these places of a session has to be looked at.
    pub fn changed(&mut self, session_id: i32, places: &[u64]) {
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.changed(places);
        }
    }

    /// Brings what a fetch has to look at up to what has changed since it began. False: its session is gone or has gone
    /// on to the next fetch, and waiting is of no use.
    pub fn look_again(&mut self, context: &mut FetchContext<W>, changed: &[u64]) -> bool {
        let ContextKind::Incremental {
            session_id,
            session_epoch,
        } = context.kind
        else {
            return true;
        };
        let Some(session) = self.sessions.get_mut(&session_id) else {
            return false;
        };
        session.changed(changed);
        if session.epoch != session_epoch {
            return false;
        }
        (context.partitions, context.places) = session.due();
        true
    }

    /// Turns a request into the list of what there is to look at. An error is the whole answer's.
    pub fn begin(
        &mut self,
        now: Millis,
        request: SessionRequest,
    ) -> Result<FetchContext<W>, ErrorCode> {
        if !matches!(request.session_epoch, INITIAL_EPOCH | FINAL_EPOCH) {
            return self.begin_incremental(now, &request);
        }
        self.remove(request.session_id);
        let kind = if request.session_epoch == FINAL_EPOCH {
            ContextKind::Sessionless
        } else {
            ContextKind::Full {
                naming: request.naming,
                is_follower: request.is_follower,
            }
        };
        Ok(FetchContext {
            kind,
            partitions: request.partitions,
            places: Vec::new(),
            watch: W::default(),
        })
    }

    fn begin_incremental(
        &mut self,
        now: Millis,
        request: &SessionRequest,
    ) -> Result<FetchContext<W>, ErrorCode> {
        let id = request.session_id;
        let session = self
            .sessions
            .get_mut(&id)
            .ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.naming != request.naming {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for partition in &request.partitions {
            session.add(partition);
        }
        for key in &request.forgotten {
            session.forget(key);
        }
        if session.partitions.is_empty() {
            self.remove(id);
            return Ok(FetchContext {
                kind: ContextKind::Sessionless,
                partitions: Vec::new(),
                places: Vec::new(),
                watch: W::default(),
            });
        }
        session.epoch = next_epoch(session.epoch);
        let (partitions, places) = session.due();
        let context = FetchContext {
            kind: ContextKind::Incremental {
                session_id: id,
                session_epoch: session.epoch,
            },
            partitions,
            places,
            watch: session.watch.clone(),
        };
        self.touch(id, now);
        Ok(context)
    }

    /// Decides what the answer tells, given a result for each of the context's partitions in their order.
    /// `candidate_id` is a random number, for a session that may be opened.
    #[must_use]
    pub fn finish(
        &mut self,
        now: Millis,
        context: &FetchContext<W>,
        results: &[PartitionResult],
        candidate_id: i32,
    ) -> Finished {
        assert_eq!(context.partitions.len(), results.len(), "one result each");
        match context.kind {
            ContextKind::Sessionless => everything(NO_SESSION, results),
            ContextKind::Full {
                naming,
                is_follower,
            } => {
                let worth = (is_follower, results.len(), 0);
                let id = if self.make_room(now, worth) {
                    self.open(now, naming, is_follower, candidate_id, context, results)
                } else {
                    NO_SESSION
                };
                everything(id, results)
            }
            ContextKind::Incremental {
                session_id,
                session_epoch,
            } => self.finish_incremental(session_id, session_epoch, context, results),
        }
    }

    fn finish_incremental(
        &mut self,
        session_id: i32,
        session_epoch: i32,
        context: &FetchContext<W>,
        results: &[PartitionResult],
    ) -> Finished {
        let Some(session) = self.sessions.get_mut(&session_id) else {
            // Evicted meanwhile. What was read is told; the next request learns that the session is gone.
            return everything(session_id, results);
        };
        if session.epoch != session_epoch {
            return Finished {
                error: ErrorCode::InvalidFetchSessionEpoch,
                session_id,
                include: vec![false; results.len()],
            };
        }
        let found = context.partitions.iter().zip(results);
        let include = found
            .map(|(partition, result)| session.note(&partition.key, result))
            .collect();
        Finished {
            error: ErrorCode::None,
            session_id,
            include,
        }
    }

    fn open(
        &mut self,
        now: Millis,
        naming: TopicNaming,
        is_follower: bool,
        candidate_id: i32,
        context: &FetchContext<W>,
        results: &[PartitionResult],
    ) -> i32 {
        let id = self.free_id(candidate_id);
        let watch = context.watch.clone();
        let mut session = Session::new(id, naming, is_follower, now, watch);
        for (partition, result) in context.partitions.iter().zip(results) {
            session.add(partition).note(result);
        }
        self.sessions.insert(id, session);
        self.touch(id, now);
        id
    }

    fn free_id(&self, candidate: i32) -> i32 {
        let mut id = candidate & i32::MAX;
        while id == NO_SESSION || self.sessions.contains_key(&id) {
            id = id.wrapping_add(1) & i32::MAX;
        }
        id
    }

    /// Whether a session of this worth finds a slot: a free one, a stale one's, or that of one worth less.
    fn make_room(&mut self, now: Millis, worth: Worth) -> bool {
        if self.sessions.len() < self.slots {
            return true;
        }
        let stale = self
            .by_last_use
            .first()
            .filter(|(last_used, _)| now.0 - last_used.0 > self.eviction_ms)
            .map(|(_, id)| *id);
        let evictable = if worth.0 {
            &self.evictable_by_followers
        } else {
            &self.evictable_by_all
        };
        let worth_less = evictable
            .first()
            .filter(|least| worth >= **least)
            .map(|(.., id)| *id);
        match stale.or(worth_less) {
            Some(id) => {
                self.remove(id);
                true
            }
            None => false,
        }
    }

    fn touch(&mut self, id: i32, now: Millis) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        self.by_last_use.remove(&(session.last_used, id));
        self.evictable_by_all.remove(&session.worth);
        self.evictable_by_followers.remove(&session.worth);
        session.last_used = now;
        session.worth = (session.is_follower, session.partitions.len(), id);
        self.by_last_use.insert((now, id));
        let has_had_its_time = now.0 - session.created.0 > self.eviction_ms;
        if !session.is_follower || has_had_its_time {
            self.evictable_by_followers.insert(session.worth);
        }
        if has_had_its_time {
            self.evictable_by_all.insert(session.worth);
        }
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.by_last_use.remove(&(session.last_used, id));
            self.evictable_by_all.remove(&session.worth);
            self.evictable_by_followers.remove(&session.worth);
        }
    }
}

fn everything(session_id: i32, results: &[PartitionResult]) -> Finished {
    Finished {
        error: ErrorCode::None,
        session_id,
        include: vec![true; results.len()],
    }
}

fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        i32::MAX => 1,
        epoch => epoch + 1,
    }
}
