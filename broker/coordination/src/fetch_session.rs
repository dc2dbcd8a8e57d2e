//! Incremental fetch sessions (KIP-227): what a client has asked for and been told, so that neither is repeated.
//!
//! Owns: the cache of sessions, its bound and eviction, epochs, which partitions an incremental answer needs.
//! Always: at most `slots` sessions; a session's epoch rises with every request and 1 follows the highest; a session
//! names all its topics by id (Fetch 13 on) or all by name. A partition that gave records goes to the end of its
//! session's order, so that a small `max.bytes` starves nobody.
//! Not here: what a partition holds. The caller begins a fetch, reads, and finishes it with what it found.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;
use ottla_protocol::wire::{StrBytes, Uuid};

/// No session: the request is complete and leaves nothing behind.
pub const NO_SESSION: i32 = 0;
/// The epoch of a full request that may open a session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a full request that closes its session and opens none.
pub const FINAL_EPOCH: i32 = -1;

/// A topic as the request's version names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicRef {
    Name(StrBytes),
    Id(Uuid),
}

/// How a request names topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicNaming {
    Names,
    Ids,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionKey {
    pub topic: TopicRef,
    pub partition: i32,
}

impl PartitionKey {
    /// A copy outside the request's frame, which a session would keep alive.
    fn detached(&self) -> Self {
        Self {
            topic: match &self.topic {
                TopicRef::Name(name) => TopicRef::Name(name.detached()),
                TopicRef::Id(id) => TopicRef::Id(*id),
            },
            partition: self.partition,
        }
    }
}

/// What a client wants of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    pub key: PartitionKey,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub max_bytes: i32,
}

/// A Fetch, as far as its session is concerned.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    pub session_id: i32,
    pub session_epoch: i32,
    pub naming: TopicNaming,
    pub partitions: Vec<FetchPartition>,
    pub forgotten: Vec<PartitionKey>,
    /// Followers keep their sessions when consumers crowd the cache.
    pub is_follower: bool,
}

/// A fetch that has begun.
#[derive(Clone, Debug)]
pub struct FetchContext {
    kind: ContextKind,
    /// Everything to read, in the order in which to read it.
    pub partitions: Vec<FetchPartition>,
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

/// What was found of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionResult {
    pub has_records: bool,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub error: ErrorCode,
    /// There is a diverging epoch or a preferred read replica to tell.
    pub must_tell: bool,
}

/// How to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Not NONE: the answer has this error and no partitions.
    pub error: ErrorCode,
    pub session_id: i32,
    /// For each result, whether it goes into the answer.
    pub include: Vec<bool>,
}

/// The cache of sessions.
#[derive(Debug)]
pub struct FetchSessions {
    /// `max.incremental.fetch.session.cache.slots`
    slots: usize,
    /// How long a session is safe from others; two minutes in the reference.
    eviction_ms: i64,
    sessions: BTreeMap<i32, Session>,
    by_last_use: BTreeSet<(Millis, i32)>,
    evictable_by_all: BTreeSet<Worth>,
    evictable_by_followers: BTreeSet<Worth>,
}

/// What makes a session worth keeping: a follower's, then one with many partitions.
type Worth = (bool, usize, i32);

#[derive(Debug)]
struct Session {
    naming: TopicNaming,
    is_follower: bool,
    created: Millis,
    last_used: Millis,
    epoch: i32,
    worth: Worth,
    partitions: BTreeMap<PartitionKey, CachedPartition>,
    order: BTreeMap<u64, PartitionKey>,
    next_place: u64,
}

#[derive(Debug)]
struct CachedPartition {
    request: FetchPartition,
    place: u64,
    high_watermark: i64,
    log_start_offset: i64,
}

impl Session {
    fn add(&mut self, request: &FetchPartition) -> &mut CachedPartition {
        let (order, next_place) = (&mut self.order, &mut self.next_place);
        let cached = self
            .partitions
            .entry(request.key.detached())
            .or_insert_with_key(|key| {
                let place = *next_place;
                *next_place += 1;
                order.insert(place, key.clone());
                CachedPartition {
                    request: FetchPartition {
                        key: key.clone(),
                        ..request.clone()
                    },
                    place,
                    high_watermark: -1,
                    log_start_offset: -1,
                }
            });
        cached.request = FetchPartition {
            key: cached.request.key.clone(),
            ..request.clone()
        };
        cached
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(cached) = self.partitions.remove(key) {
            self.order.remove(&cached.place);
        }
    }

    fn move_to_end(&mut self, key: &PartitionKey) {
        if let Some(cached) = self.partitions.get_mut(key)
            && let Some(key) = self.order.remove(&cached.place)
        {
            cached.place = self.next_place;
            self.next_place += 1;
            self.order.insert(cached.place, key);
        }
    }

    fn in_order(&self) -> Vec<FetchPartition> {
        self.order
            .values()
            .filter_map(|key| Some(self.partitions.get(key)?.request.clone()))
            .collect()
    }
}

impl CachedPartition {
    /// Takes note of what the client is about to be told; says whether there is anything.
    fn note(&mut self, result: &PartitionResult) -> bool {
        let news = result.has_records
            || result.must_tell
            || result.error.is_err()
            || self.high_watermark != result.high_watermark
            || self.log_start_offset != result.log_start_offset;
        // After an error the partition is told again, whatever its high watermark.
        self.high_watermark = if result.error.is_err() {
            -1
        } else {
            result.high_watermark
        };
        self.log_start_offset = result.log_start_offset;
        news
    }
}

impl FetchSessions {
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

    /// Turns a request into the full list of what it asks for. An error is the whole answer's.
    pub fn begin(
        &mut self,
        now: Millis,
        request: SessionRequest,
    ) -> Result<FetchContext, ErrorCode> {
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
        })
    }

    fn begin_incremental(
        &mut self,
        now: Millis,
        request: &SessionRequest,
    ) -> Result<FetchContext, ErrorCode> {
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
            });
        }
        session.epoch = next_epoch(session.epoch);
        let context = FetchContext {
            kind: ContextKind::Incremental {
                session_id: id,
                session_epoch: session.epoch,
            },
            partitions: session.in_order(),
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
        context: &FetchContext,
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
        context: &FetchContext,
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
        let mut include = Vec::with_capacity(results.len());
        for (partition, result) in context.partitions.iter().zip(results) {
            let cached = session.partitions.get_mut(&partition.key);
            include.push(cached.is_none_or(|cached| cached.note(result)));
            if result.has_records {
                session.move_to_end(&partition.key);
            }
        }
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
        context: &FetchContext,
        results: &[PartitionResult],
    ) -> i32 {
        let id = self.free_id(candidate_id);
        let mut session = Session {
            naming,
            is_follower,
            created: now,
            last_used: now,
            epoch: next_epoch(INITIAL_EPOCH),
            worth: (is_follower, 0, id),
            partitions: BTreeMap::new(),
            order: BTreeMap::new(),
            next_place: 0,
        };
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
