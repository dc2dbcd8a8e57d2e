//! What the tools that consume have in common: from properties to settings, and waiting for a cluster.

use std::time::{Duration, Instant};

use ottla_client::ClientError;
use ottla_client::cluster::{Cluster, ClusterSettings};
use ottla_client::config::ClientKind;
use ottla_client::consumer::{Consumer, ConsumerSettings};

use crate::connect::{self, warn_of_unknown};
use crate::context::Context;
use crate::signals::Signals;
use crate::stop::Failure;

/// Between two attempts to find the cluster.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Longer than this a consumer does not wait for its last commit and its farewell.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// The same where a signal has asked for the end: of a broker that is gone nobody waits to hear.
const CLOSE_AT_SIGNAL_WITHIN: Duration = Duration::from_secs(3);

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

/// Commits and leaves the group as far as the broker answers. Returns how much of the time that it could take is left.
pub(crate) async fn close(consumer: Consumer, is_by_signal: bool) -> Duration {
    let within = match is_by_signal {
        true => CLOSE_AT_SIGNAL_WITHIN,
        false => CLOSE_WITHIN,
    };
    let begun = Instant::now();
    consumer.close(within).await;
    within.saturating_sub(begun.elapsed())
}

fn unusable(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
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
