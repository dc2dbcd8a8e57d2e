//! What the tools that consume have in common: from properties to settings, and waiting for a cluster.

use std::time::{Duration, Instant};

use ottla_client::ClientError;
use ottla_client::admin::Admin;
use ottla_client::cluster::{Cluster, ClusterSettings};
use ottla_client::config::ClientKind;
use ottla_client::consumer::{Consumer, ConsumerSettings};
use ottla_protocol::errors::ErrorCode;
use regex::Regex;

use crate::connect::{self, warn_of_unknown};
use crate::context::Context;
use crate::nearest;
use crate::signals::Signals;
use crate::stop::Failure;

/// Between two attempts to find the cluster.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Longer than this a consumer does not wait for its last commit and its farewell.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// The same where a signal has asked for the end: of a broker that is gone nobody waits to hear.
const CLOSE_AT_SIGNAL_WITHIN: Duration = Duration::from_secs(3);

/// Who needs an answer before it can begin does not try longer than this to reach who has it.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(1);

/// Why there is no cluster.
#[derive(Debug)]
pub(crate) enum NoCluster {
    TimedOut(Duration),
    /// There is none at this address, and there will not be.
    Unusable(Failure),
    /// The exit status that a signal asks for.
    Signal(u8),
}

/// The settings of a consumer; what no client knows is told.
pub(crate) fn settings(
    properties: &[(String, String)],
    cx: &mut Context,
) -> Result<(ClusterSettings, ConsumerSettings), Failure> {
    let pairs = properties.iter().map(|(key, value)| (key, value));
    let settings = ClientKind::Consumer.settings(pairs).map_err(unusable)?;
    for key in settings.unknown() {
        warn_of_unknown(key, cx);
    }
    let cluster = connect::cluster_settings(ClientKind::Consumer, &settings, cx);
    let consumer = ConsumerSettings::from_config(&settings);
    Ok((cluster.map_err(unusable)?, consumer.map_err(unusable)?))
}

/// The same for who asks the partitions' leaders before it reads, and cannot begin without their answers.
pub(crate) fn settings_of_asking(
    properties: &[(String, String)],
    cx: &mut Context,
) -> Result<(ClusterSettings, ConsumerSettings), Failure> {
    let (mut cluster, consumer) = settings(properties, cx)?;
    cluster.unreachable_after = UNREACHABLE_AFTER.max(cx.timeout.unwrap_or_default());
    Ok((cluster, consumer))
}

/// Says which of these topics, of which no record came, there are not, and which may be meant.
pub(crate) async fn tell_missing<'a>(
    topics: impl IntoIterator<Item = &'a str>,
    consumer: &Consumer,
    cx: &mut Context,
) {
    let cluster = consumer.cluster();
    let metadata = cluster.metadata();
    let exists = |name: &str| {
        metadata.topic(name).is_some_and(|topic| {
            topic.error.is_none() || topic.error == ErrorCode::TopicAuthorizationFailed
        })
    };
    for topic in topics.into_iter().filter(|name| !exists(name)) {
        let admin = Admin::over(cluster.clone());
        for line in nearest::of_missing_topic(topic, &admin).await {
            cx.warn(line);
        }
    }
}

/// The same of a pattern, which no topic may fit.
pub(crate) async fn tell_unmatched(pattern: &Regex, consumer: &Consumer, cx: &mut Context) {
    let admin = Admin::over(consumer.cluster().clone());
    for line in nearest::of_unmatched(pattern, &admin).await {
        cx.warn(line);
    }
}

/// That this topic is kept from whoever asks, where it is.
pub(crate) fn denied(topic: &str, consumer: &Consumer) -> Option<Failure> {
    let metadata = consumer.cluster().metadata();
    let is_denied = metadata.topic(topic)?.error == ErrorCode::TopicAuthorizationFailed;
    is_denied.then(|| Failure::new(format!("Not authorized to access topics: [{topic}]")))
}

/// Commits and leaves the group as far as the broker answers.
pub(crate) async fn close(consumer: Consumer, is_by_signal: bool) {
    let within = match is_by_signal {
        true => CLOSE_AT_SIGNAL_WITHIN,
        false => CLOSE_WITHIN,
    };
    consumer.close(within).await;
}

fn unusable(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
}

/// For what the reference does not have: where there is no cluster, that is the end, unless `--timeout` gives it time.
pub(crate) async fn connect_or_fail(
    settings: ClusterSettings,
    signals: &mut Signals,
) -> Result<Cluster, NoCluster> {
    let found = tokio::select! {
        biased;
        status = signals.first() => return Err(NoCluster::Signal(status)),
        found = Cluster::connect(settings) => found,
    };
    found.map_err(|error| {
        NoCluster::Unusable(Failure::new(format!("{}.", connect::capitalized(&error))))
    })
}

/// Like the reference, it waits for a cluster to come up; unlike there, a person is told at once.
pub(crate) async fn connect(
    patience: Option<Duration>,
    settings: ClusterSettings,
    signals: &mut Signals,
    cx: &mut Context,
) -> Result<Cluster, NoCluster> {
    let started = Instant::now();
    let mut is_told = false;
    loop {
        let left = patience.map(|patience| (patience, patience.saturating_sub(started.elapsed())));
        let timed_out = async {
            match left {
                Some((patience, left)) => {
                    tokio::time::sleep(left).await;
                    patience
                }
                None => std::future::pending().await,
            }
        };
        let attempt = async {
            let failed = match Cluster::connect(settings.clone()).await {
                Ok(cluster) => return Ok(Some(cluster)),
                Err(error) => error,
            };
            if !failed.may_pass() && !matches!(failed, ClientError::TimedOut { .. }) {
                return Err(NoCluster::Unusable(Failure::new(connect::capitalized(
                    &failed,
                ))));
            }
            if !is_told {
                is_told = true;
                cx.warn(format!("{}; trying again.", connect::capitalized(&failed)));
            }
            tokio::time::sleep(CONNECT_AGAIN_AFTER).await;
            Ok(None)
        };
        tokio::select! {
            biased;
            status = signals.first() => return Err(NoCluster::Signal(status)),
            outcome = attempt => if let Some(cluster) = outcome? { return Ok(cluster) },
            patience = timed_out => return Err(NoCluster::TimedOut(patience)),
        }
    }
}
