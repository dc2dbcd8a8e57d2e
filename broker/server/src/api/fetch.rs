//! Fetch (1): reads batches as ranges of segment files, and waits for more where there is too little.
//!
//! - v4: isolation levels (KIP-98). v5: log start offsets.
//! - v7: incremental sessions (KIP-227). v9: the client's leader epoch (KIP-320). v11: racks (KIP-392).
//! - v12: flexible; diverging epochs (KIP-595). v13: topics by id (KIP-516).
//! - v15: replicas say who they are in a tagged field. v16: endpoints of new leaders (KIP-951).
//! - v17, v18: fields that only replicas send.
//!
//! A request that claims to come from a replica is served as any other: this cluster has one node, so the claim is
//! false, and it gets nothing that a consumer would not get (CVE-2018-1288).

mod read;

use std::sync::Arc;
use std::time::Duration;

use ottla_coordination::fetch_session::{
    FetchContext, FetchPartition, PartitionKey, SessionRequest, TopicNaming, TopicRef,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::fetch::request::FetchTopic;
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::types::Millis;
use ottla_protocol::wire::{StrBytes, Uuid};
use tokio::time::Instant;

use super::{Answer, Context, Reply};
use crate::broker::Broker;
use crate::clock;
use crate::exec::partition::Isolation;
use crate::exec::waits::FetchWait;
use crate::exec::watch::{Waiting, Watch};
use read::{Found, Source};

/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;
const READ_COMMITTED: i8 = 1;

/// A fetch that has begun: what to read, and when that is enough.
struct Fetch {
    broker: Arc<Broker>,
    session: FetchContext<Arc<Watch>>,
    sources: Vec<Source>,
    isolation: Isolation,
    bytes_min: usize,
    bytes_max: usize,
}

pub(crate) fn handle(context: &Context<'_>, request: FetchRequest) -> Answer<FetchResponse> {
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let fetch = match begin(context, request) {
        Ok(fetch) => fetch,
        Err(code) => {
            return Answer::now(FetchResponse {
                error_code: code.code(),
                ..Default::default()
            });
        }
    };
    let found = fetch.read();
    if max_wait.is_zero() || fetch.is_enough(&found) {
        return Answer::Now(fetch.finish(found));
    }
    Answer::later(fetch.wait(found, Instant::now() + max_wait))
}

fn begin(context: &Context<'_>, request: FetchRequest) -> Result<Fetch, ErrorCode> {
    let broker = context.broker;
    let naming = if context.version >= TOPIC_IDS_FROM {
        TopicNaming::Ids
    } else {
        TopicNaming::Names
    };
    let mut partitions = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let topic_ref = topic_ref(naming, &topic.topic, &topic.topic_id);
        partitions.extend(requested(topic, &topic_ref));
    }
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let topic_ref = topic_ref(naming, &topic.topic, &topic.topic_id);
        topic.partitions.iter().map(move |partition| PartitionKey {
            topic: topic_ref.clone(),
            partition: *partition,
        })
    });
    let asked = SessionRequest {
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        naming,
        partitions,
        forgotten: forgotten.collect(),
        is_follower: false,
    };
    let mut sessions = broker.fetch_sessions.lock();
    if let Some(watch) = sessions.watch(asked.session_id) {
        let changed = watch.take_changed();
        sessions.changed(asked.session_id, &changed);
    }
    let session = sessions.begin(clock::now(), asked)?;
    drop(sessions);
    let sources = sources(broker, &session.partitions);
    let bytes_max = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(broker.settings.fetch_bytes_max);
    Ok(Fetch {
        broker: broker.clone(),
        session,
        sources,
        isolation: if request.isolation_level == READ_COMMITTED {
            Isolation::ReadCommitted
        } else {
            Isolation::ReadUncommitted
        },
        bytes_min: usize::try_from(request.min_bytes)
            .unwrap_or(0)
            .min(bytes_max),
        bytes_max,
    })
}

fn sources(broker: &Broker, partitions: &[FetchPartition]) -> Vec<Source> {
    let keys = partitions.iter().map(|partition| &partition.key);
    keys.map(|key| Source::find(broker, key)).collect()
}

/// Names are copied out of the request's frame, which a waiting fetch would keep alive.
fn topic_ref(naming: TopicNaming, name: &StrBytes, id: &Uuid) -> TopicRef {
    match naming {
        TopicNaming::Names => TopicRef::Name(name.detached()),
        TopicNaming::Ids => TopicRef::Id(*id),
    }
}

fn requested<'a>(
    topic: &'a FetchTopic,
    topic_ref: &'a TopicRef,
) -> impl Iterator<Item = FetchPartition> + 'a {
    topic.partitions.iter().map(|partition| FetchPartition {
        key: PartitionKey {
            topic: topic_ref.clone(),
            partition: partition.partition,
        },
        current_leader_epoch: partition.current_leader_epoch,
        fetch_offset: partition.fetch_offset,
        last_fetched_epoch: partition.last_fetched_epoch,
        log_start_offset: partition.log_start_offset,
        max_bytes: partition.partition_max_bytes,
    })
}

impl Fetch {
    /// Reads every partition, within the bounds of the request.
    fn read(&self) -> Vec<Found> {
        let now = clock::now();
        let mut bytes_left = self.bytes_max;
        let mut has_records = false;
        let wanted = self.session.partitions.iter().zip(&self.sources);
        wanted
            .map(|(partition, source)| {
                let found = source.read(partition, self.isolation, bytes_left, has_records, now);
                bytes_left = bytes_left.saturating_sub(found.bytes());
                has_records |= found.bytes() > 0;
                found
            })
            .collect()
    }

    /// Enough bytes, or something that the client should hear at once.
    fn is_enough(&self, found: &[Found]) -> bool {
        let bytes: usize = found.iter().map(Found::bytes).sum();
        self.session.wants_nothing()
            || bytes >= self.bytes_min
            || found.iter().any(Found::is_urgent)
    }

    /// Waits for the partitions to grow. The append or flush that makes the answer large enough wakes it.
    async fn wait(mut self, mut found: Vec<Found>, deadline: Instant) -> Reply<FetchResponse> {
        loop {
            let is_over = match self.watch_all(&found) {
                None => false,
                Some(waiting) => {
                    let deadlines = &self.broker.deadlines;
                    let _deadline = deadlines.enter(deadline, waiting.wait().clone());
                    waiting.wait().ready().await
                }
            };
            let is_over = !self.look_again() || is_over;
            found = self.read();
            if is_over || self.is_enough(&found) {
                return self.finish(found);
            }
        }
    }

    /// Waits on every partition that was read; the others of a session are watched already. None: something has come
    /// since.
    fn watch_all(&self, found: &[Found]) -> Option<Waiting> {
        let bytes: usize = found.iter().map(Found::bytes).sum();
        let missing = i64::try_from(self.bytes_min.saturating_sub(bytes)).unwrap_or(i64::MAX);
        let waiting = self.session.watch.wait_with(FetchWait::new(missing))?;
        let now = clock::now();
        let is_watched = |(i, found)| self.watch(i, found, now);
        found.iter().enumerate().all(is_watched).then_some(waiting)
    }

    fn watch(&self, i: usize, found: &Found, now: Millis) -> bool {
        let wanted = &self.session.partitions[i];
        let place = self.session.places.get(i).copied();
        let place = place.filter(|_| found.is_at_end(wanted));
        self.sources[i].watch(&self.session.watch, place, wanted, found, now)
    }

    /// Takes in what has changed in the session. False: it does not wait for this fetch any more.
    fn look_again(&mut self) -> bool {
        if !self.session.is_incremental() {
            return true;
        }
        let mut sessions = self.broker.fetch_sessions.lock();
        let changed = self.session.watch.take_changed();
        let goes_on = sessions.look_again(&mut self.session, &changed);
        drop(sessions);
        self.sources = sources(&self.broker, &self.session.partitions);
        goes_on
    }

    /// Of a session, what was read to its end is not looked at again until it changes.
    fn finish(self, found: Vec<Found>) -> Reply<FetchResponse> {
        let now = clock::now();
        let results = found.iter().enumerate().map(|(i, found)| {
            let may_settle = self.session.is_incremental();
            let may_settle = may_settle && found.is_at_end(&self.session.partitions[i]);
            found.result(may_settle && self.watch(i, found, now))
        });
        let results: Vec<_> = results.collect();
        let finished =
            self.broker
                .fetch_sessions
                .lock()
                .finish(now, &self.session, &results, rand::random());
        if finished.error.is_err() {
            return FetchResponse {
                error_code: finished.error.code(),
                ..Default::default()
            }
            .into();
        }
        read::respond(&self.session.partitions, found, &finished, self.isolation)
    }
}
