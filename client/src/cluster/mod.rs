//! A cluster as its clients see it: found through bootstrap servers, or its controllers, described by metadata, asked
//! through the right node.
//!
//! Owns: connections, the metadata cache and its coalesced refresh, the coordinator cache, retrying by the error
//! table within a deadline. Not here: what is asked (`crate::admin`, `crate::producer`, `crate::consumer`).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{MetadataRequest, MetadataResponse, api::metadata::request::MetadataRequestTopic},
    types::BrokerId,
    wire::Uuid,
};

use crate::{
    conn::{ConnSettings, Connection, Endpoint, EndpointError, EndpointFault, known_versions},
    error::{ApiError, ClientError, wire_text},
};

mod advertised;
mod backoff;
mod call;
mod controllers;
mod coordinator;
mod metadata;
mod pool;
#[cfg(test)]
mod tests;

pub use advertised::OnMisadvertised;
pub use backoff::{Backoff, Deadline};
pub use call::{Call, Target};
pub use controllers::EndpointType;
pub use coordinator::CoordinatorKind;
pub(crate) use metadata::Scope;
pub(crate) use metadata::broker_ids;
pub use metadata::{Broker, Metadata, Partition, Topic};
pub use pool::Lane;

/// How a cluster is found and talked to.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    pub bootstrap: Vec<Endpoint>,
    /// What the nodes at `bootstrap` are to be.
    pub endpoint_type: EndpointType,
    pub conn: ConnSettings,
    /// Between attempts to connect to one broker.
    pub reconnect_backoff: Backoff,
    /// Between attempts of a request.
    pub retry_backoff: Backoff,
    /// How often a request is tried again at most, whatever the deadline. Looking a topic up counts for none.
    pub retries: u32,
    /// How long the cluster may take to come up when it is connected to; zero: each address is tried once.
    pub connect_within: Duration,
    /// How long a call goes on with a broker that can't be reached.
    pub unreachable_after: Duration,
    /// The same for a broker that the cluster names and that was never reached: its address is more likely wrong than it is to
    /// come up.
    pub misadvertised_after: Duration,
    /// Hears of brokers that the cluster names and that were never reached, each time that one was tried.
    pub on_misadvertised: Option<OnMisadvertised>,
    /// How long the first node that is found may take to describe the cluster.
    pub described_within: Duration,
    /// How long one attempt may take.
    pub request_timeout: Duration,
    /// How long a call may take where its caller says nothing else.
    pub api_timeout: Duration,
    pub metadata_max_age: Duration,
    /// Whether asking for a missing topic may create it, where the broker does that.
    pub allow_auto_create_topics: bool,
    /// Whether connecting asks for every topic at once, for whose first question is that anyway: `all_topics`, the first time
    /// it is called, then costs nothing.
    pub looks_at_all_topics: bool,
}

/// A handle; clones share everything.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: ClusterSettings,
    pool: pool::Pool,
    metadata: Mutex<Arc<Metadata>>,
    /// Who has described the cluster last.
    told_by: Mutex<Option<Endpoint>>,
    /// Topics that a refresh asks for.
    wanted: Mutex<BTreeSet<String>>,
    /// Held while a refresh is under way, so that those who come meanwhile share the next one.
    refreshing: tokio::sync::Mutex<()>,
    coordinators: Mutex<HashMap<(CoordinatorKind, String), Broker>>,
    /// What connecting has seen of all topics, until somebody asks for them.
    first_look: Mutex<Option<Arc<Metadata>>>,
}

impl Cluster {
    /// Finds the cluster: all bootstrap servers are tried at once, the first that works is asked who else there is.
    /// One round only, unless the settings give the cluster time to come up.
    pub async fn connect(settings: ClusterSettings) -> Result<Self, ClientError> {
        match settings.connect_within {
            Duration::ZERO => Self::connect_once(settings).await,
            time => Self::connect_by(settings, Deadline::after(time)).await,
        }
    }

    async fn connect_once(settings: ClusterSettings) -> Result<Self, ClientError> {
        let inner = Inner {
            pool: pool::Pool::new(settings.conn.clone(), settings.reconnect_backoff),
            metadata: Mutex::new(Arc::new(Metadata::empty(Instant::now()))),
            told_by: Mutex::default(),
            wanted: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            coordinators: Mutex::default(),
            first_look: Mutex::default(),
            settings,
        };
        let cluster = Self {
            inner: Arc::new(inner),
        };
        let connection = cluster.bootstrap().await?;
        let settings = cluster.settings();
        let within = settings.request_timeout.min(settings.described_within);
        let fault = match cluster
            .look_first(&connection, Deadline::after(within))
            .await
        {
            Ok(()) => return Ok(cluster),
            // A listener that wants SASL answers ApiVersions and then hangs up; a controller has no Metadata.
            Err(ClientError::Request(error)) => error.as_endpoint_fault(),
            Err(ClientError::TimedOut { .. }) => {
                EndpointFault::Silent(settings.endpoint_type.describing_api(), within)
            }
            Err(error) => return Err(error),
        };
        Err(EndpointError::new(connection.endpoint(), fault).into())
    }

    async fn look_first(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<(), ClientError> {
        let is_broker = self.settings().endpoint_type == EndpointType::Broker;
        if !(is_broker && self.settings().looks_at_all_topics) {
            return self.fetch_metadata(connection, deadline).await.map(drop);
        }
        let seen = self.fetch_all_topics(connection, deadline).await?;
        *lock(&self.inner.first_look) = Some(seen);
        Ok(())
    }

    /// As [`Self::connect`], for who is to outlive the brokers' absence: where the cluster may still come up, it is tried
    /// again until the deadline. What will not mend itself is told at once.
    pub async fn connect_by(
        settings: ClusterSettings,
        deadline: Deadline,
    ) -> Result<Self, ClientError> {
        let backoff = settings.reconnect_backoff;
        let mut failures = 0;
        loop {
            let error = match Self::connect_once(settings.clone()).await {
                Ok(cluster) => return Ok(cluster),
                Err(error) => error,
            };
            if !error.may_pass() && !matches!(error, ClientError::TimedOut { .. }) {
                return Err(error);
            }
            failures += 1;
            let wait = backoff.after(failures);
            if wait >= deadline.left() {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    pub fn settings(&self) -> &ClusterSettings {
        &self.inner.settings
    }

    /// What is known of the cluster right now.
    pub fn metadata(&self) -> Arc<Metadata> {
        lock(&self.inner.metadata).clone()
    }

    /// A deadline for a call whose caller named none.
    pub fn default_deadline(&self) -> Deadline {
        Deadline::after(self.settings().api_timeout)
    }

    /// Adds topics to those that refreshes ask for.
    pub fn want_topics<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ClientError> {
        for name in names {
            wire_text("the topic name", name)?;
            lock(&self.inner.wanted).insert(name.to_owned());
        }
        Ok(())
    }

    /// Stops asking for a topic.
    pub fn forget_topic(&self, name: &str) {
        lock(&self.inner.wanted).remove(name);
    }

    /// True once the snapshot is older than `metadata.max.age.ms`.
    pub fn metadata_is_stale(&self) -> bool {
        self.metadata().asked_at.elapsed() >= self.settings().metadata_max_age
    }

    /// A snapshot that was asked for no earlier than now. Calls made at the same time share one request.
    pub async fn refresh(&self, deadline: Deadline) -> Result<Arc<Metadata>, ClientError> {
        let since = Instant::now();
        let refreshing = async {
            let _guard = self.inner.refreshing.lock().await;
            let current = self.metadata();
            if current.asked_at >= since {
                return Ok(current);
            }
            let connection = self.any_connection(deadline).await?;
            self.fetch_metadata(&connection, deadline).await
        };
        within(deadline, "fetching metadata", refreshing).await
    }

    /// A topic that can be used, asked for until it can (it may just be created) or the deadline passes, whatever
    /// `retries` says: that is about what is sent.
    pub async fn topic(&self, name: &str, deadline: Deadline) -> Result<Arc<Topic>, ClientError> {
        if let Some(topic) = self
            .metadata()
            .topic(name)
            .filter(|topic| topic.error.is_none())
        {
            return Ok(topic.clone());
        }
        self.want_topics([name])?;
        let mut failures = 0;
        let mut last = None;
        loop {
            let error = match self.refresh(deadline).await {
                Ok(metadata) => match metadata.topic(name) {
                    Some(topic) if topic.error.is_none() && !topic.partitions.is_empty() => {
                        return Ok(topic.clone());
                    }
                    Some(topic) if topic.error.is_err() => ApiError::of_code(topic.error).into(),
                    _ => ApiError::of_code(ErrorCode::UnknownTopicOrPartition).into(),
                },
                Err(error) => error,
            };
            if !error.may_pass() {
                return Err(match last {
                    Some(last) => error.because_of(last),
                    None => error,
                });
            }
            failures += 1;
            let what = "finding the topic";
            self.pause_within(u32::MAX, failures, deadline, what, error.clone())
                .await?;
            last = Some(error);
        }
    }

    /// A connection to one of the cluster's brokers.
    pub async fn connection_to(
        &self,
        broker: BrokerId,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Connection, ClientError> {
        let known = self.metadata().broker(broker).cloned();
        let known = known.ok_or(ClientError::NoSuchBroker(broker))?;
        self.connection_at(&known.endpoint, lane, deadline).await
    }

    /// A connection to any broker: an open one, else a known one, else the bootstrap servers again.
    pub async fn any_connection(&self, deadline: Deadline) -> Result<Connection, ClientError> {
        self.any_connection_on(Lane::Control, deadline).await
    }

    async fn any_connection_on(
        &self,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Connection, ClientError> {
        if let Some(connection) = self.inner.pool.any_open(lane) {
            return Ok(connection);
        }
        let mut known: Vec<Broker> = self.metadata().brokers().cloned().collect();
        if !known.is_empty() {
            let start = rand::RngExt::random_range(&mut rand::rng(), 0..known.len());
            known.rotate_left(start);
        }
        for broker in known {
            match self.connection_at(&broker.endpoint, lane, deadline).await {
                Ok(connection) => return Ok(connection),
                Err(error @ ClientError::TimedOut { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        within(deadline, "finding a broker", self.bootstrap()).await
    }

    /// Closes all connections; requests under way end.
    pub async fn close(&self) {
        self.inner.pool.close().await;
    }

    async fn connection_at(
        &self,
        endpoint: &Endpoint,
        lane: Lane,
        deadline: Deadline,
    ) -> Result<Connection, ClientError> {
        let opening = async {
            let opened = self.inner.pool.connection(endpoint, lane).await;
            opened.map_err(|error| self.as_advertised(error).into())
        };
        within(deadline, "connecting", opening).await
    }

    /// Tries all bootstrap servers at once; the first that works wins, the others are dropped.
    async fn bootstrap(&self) -> Result<Connection, ClientError> {
        let mut attempts = JoinSet::new();
        for (index, endpoint) in self.settings().bootstrap.iter().cloned().enumerate() {
            let settings = self.inner.pool.settings().clone();
            attempts.spawn(async move { (index, Connection::open(&endpoint, &settings).await) });
        }
        let mut errors = Vec::new();
        while let Some(joined) = attempts.join_next().await {
            match joined {
                Ok((_, Ok(connection))) => {
                    self.inner.pool.adopt(connection.clone()).await;
                    return Ok(connection);
                }
                Ok((index, Err(error))) => errors.push((index, error)),
                Err(_) => {}
            }
        }
        errors.sort_by_key(|(index, _)| *index);
        Err(ClientError::Bootstrap(
            errors.into_iter().map(|(_, error)| error).collect(),
        ))
    }

    /// Asks for the wanted topics and merges the answer; controllers are asked for each other.
    async fn fetch_metadata(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<Arc<Metadata>, ClientError> {
        if self.settings().endpoint_type == EndpointType::Controller {
            return self.fetch_controllers(connection, deadline).await;
        }
        let asked_at = Instant::now();
        let names: Vec<String> = lock(&self.inner.wanted).iter().cloned().collect();
        let response = self
            .request_metadata(connection, Some(&names), deadline)
            .await?;
        Ok(self.merge(&response, Scope::SomeTopics, asked_at))
    }

    /// Asks for every topic there is. The cluster keeps them in its snapshot, but does not go on asking for all.
    pub async fn all_topics(&self, deadline: Deadline) -> Result<Arc<Metadata>, ClientError> {
        if let Some(seen) = self.take_first_look() {
            return Ok(seen);
        }
        let connection = self.any_connection(deadline).await?;
        self.fetch_all_topics(&connection, deadline).await
    }

    /// What connecting has seen of all topics, once.
    pub(crate) fn take_first_look(&self) -> Option<Arc<Metadata>> {
        lock(&self.inner.first_look).take()
    }

    async fn fetch_all_topics(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<Arc<Metadata>, ClientError> {
        let asked_at = Instant::now();
        let response = self.request_metadata(connection, None, deadline).await?;
        Ok(self.merge(&response, Scope::AllTopics, asked_at))
    }

    /// Asks for topics whose names are not known; ids that nobody knows are left out. The snapshot counts as no younger
    /// for it.
    pub(crate) async fn topics_by_id(
        &self,
        ids: &[Uuid],
        deadline: Deadline,
    ) -> Result<Arc<Metadata>, ClientError> {
        let asked_at = self.metadata().asked_at;
        let topic = |id: &Uuid| MetadataRequestTopic {
            topic_id: *id,
            name: None,
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: Some(ids.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let connection = self.any_connection(deadline).await?;
        // Version 12 is the first that answers for ids.
        let versions = 12..=*known_versions::<MetadataRequest>().end();
        let response = self.ask(&connection, &request, versions, deadline).await?;
        ApiError::check(response.error_code, None)?;
        Ok(self.merge(&response, Scope::SomeTopics, asked_at))
    }

    async fn request_metadata(
        &self,
        connection: &Connection,
        names: Option<&[String]>,
        deadline: Deadline,
    ) -> Result<MetadataResponse, ClientError> {
        let topic = |name: &String| MetadataRequestTopic {
            name: Some(name.into()),
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: names.map(|names| names.iter().map(topic).collect()),
            allow_auto_topic_creation: self.settings().allow_auto_create_topics,
            ..Default::default()
        };
        // Version 1 is the first that can ask for no topic at all.
        let versions = 1..=*known_versions::<MetadataRequest>().end();
        let response = self.ask(connection, &request, versions, deadline).await?;
        ApiError::check(response.error_code, None)?;
        self.note_told_by(connection);
        Ok(response)
    }

    fn merge(&self, response: &MetadataResponse, scope: Scope, asked_at: Instant) -> Arc<Metadata> {
        let mut current = lock(&self.inner.metadata);
        *current = Arc::new(current.merged(response, scope, asked_at));
        current.clone()
    }

    /// Takes in topics that a request other than for metadata has told of. Refreshes do not ask for them.
    pub(crate) fn learn(&self, topics: impl IntoIterator<Item = Topic>) {
        let mut current = lock(&self.inner.metadata);
        *current = Arc::new(current.and(topics));
    }

    /// Waits before the next attempt; where the deadline or the attempts are used up, the caller gets the reason.
    pub(crate) async fn pause(
        &self,
        failures: u32,
        deadline: Deadline,
        what: &'static str,
        last: ClientError,
    ) -> Result<(), ClientError> {
        self.pause_within(self.settings().retries, failures, deadline, what, last)
            .await
    }

    async fn pause_within(
        &self,
        retries: u32,
        failures: u32,
        deadline: Deadline,
        what: &'static str,
        last: ClientError,
    ) -> Result<(), ClientError> {
        let wait = self.settings().retry_backoff.after(failures);
        if wait >= deadline.left() {
            let timed_out = ClientError::TimedOut {
                what,
                after: deadline.allowed(),
                last: None,
            };
            return Err(timed_out.because_of(last));
        }
        if failures > retries {
            return Err(last);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// Bounds an attempt by the caller's deadline.
async fn within<T>(
    deadline: Deadline,
    what: &'static str,
    attempt: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let timed_out = ClientError::TimedOut {
        what,
        after: deadline.allowed(),
        last: None,
    };
    // Whoever allows no time gets no answer, however fast it would be.
    if deadline.has_passed() {
        return Err(timed_out);
    }
    let outcome = tokio::time::timeout(deadline.left(), attempt).await;
    outcome.unwrap_or(Err(timed_out))
}

/// A lock whose holders never leave it half-changed, so a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
