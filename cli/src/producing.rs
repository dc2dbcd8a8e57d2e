//! What the tools that produce have in common: from properties to settings, what was not delivered, and commits whose outcome
//! comes late.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use ottla_client::admin::Admin;
use ottla_client::cluster::{Cluster, ClusterSettings};
use ottla_client::config::ClientKind;
use ottla_client::producer::{
    BatchReport, ErrorClass, ProducerSettings, Settled, TransactionError, TransactionalProducer,
};

use crate::connect::{self, capitalized, warn_of_unknown};
use crate::context::{self, Context};
use crate::nearest;
use crate::stop::Failure;

/// The settings of a producer; what no client knows is told.
pub(crate) fn settings(
    properties: &[(String, String)],
    cx: &mut Context,
) -> Result<(ClusterSettings, ProducerSettings), Failure> {
    let pairs = properties.iter().map(|(key, value)| (key, value));
    let settings = ClientKind::Producer.settings(pairs).map_err(unusable)?;
    for key in settings.unknown() {
        warn_of_unknown(key, cx);
    }
    let cluster = connect::cluster_settings(ClientKind::Producer, &settings, cx);
    let producer = ProducerSettings::from_config(&settings);
    Ok((cluster.map_err(unusable)?, producer.map_err(unusable)?))
}

fn unusable(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
}

/// What a commit has come to, also where its outcome was not told in time.
pub(crate) async fn committed(
    outcome: Result<(), TransactionError>,
    producer: &mut TransactionalProducer,
) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.class == ErrorClass::Retriable => match producer.settle().await {
            Ok(Settled::Committed) => Ok(()),
            Ok(_) => Err(Failure::new("The last transaction was aborted.")),
            Err(error) => {
                Err(failed_transaction(error).hint("Whether it was committed is not known."))
            }
        },
        outcome => outcome.map_err(failed_transaction),
    }
}

pub(crate) fn failed_transaction(error: TransactionError) -> Failure {
    Failure::new(format!("{}.", capitalized(&error)))
}

/// A record that a transaction did not take, which is the end of that.
pub(crate) fn not_in_transaction(topic: &str, error: &str) -> Failure {
    Failure::new(format!(
        "A record was not delivered to topic {topic}, and its transaction was aborted: {error}."
    ))
}

/// `sending`, which waits for its topics as long as `max.block.ms` says: they may be about to be made. Meanwhile standard error has
/// that there is none, and which one may be meant.
pub(crate) async fn waiting_for<T>(
    topics: &[&str],
    cluster: &Cluster,
    sending: impl Future<Output = T>,
) -> T {
    let mut sending = pin!(sending);
    // Nearly all are taken at once.
    let at_once = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
    if let Poll::Ready(sent) = at_once {
        return sent;
    }
    tokio::select! {
        biased;
        sent = &mut sending => return sent,
        // In a box: it is some kilobytes, and this future may be moved for each of a million records.
        () = Box::pin(tell_of_missing(topics, cluster)) => {}
    }
    sending.await
}

/// Says which of the topics there are not, once that has taken long enough to be no matter of a topic just made.
async fn tell_of_missing(topics: &[&str], cluster: &Cluster) {
    tokio::time::sleep(nearest::LOOK_AFTER).await;
    let admin = Admin::over(cluster.clone());
    for topic in topics.iter().take(nearest::NAMES_MAX) {
        for line in nearest::of_missing_topic(topic, &admin).await {
            context::say_beside(&line);
        }
    }
}

/// Records that were not delivered, by reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<Undelivered>>);

#[derive(Debug, Default)]
struct Undelivered {
    /// Since they were told last.
    untold: u64,
    reasons: BTreeSet<String>,
    all: u64,
}

/// So many different reasons are told; a broker cannot fill the screen.
const REASONS_MAX: usize = 10;

impl Troubles {
    pub(crate) fn note(&self, report: &BatchReport<'_>) {
        if let Err(error) = report.outcome {
            self.add(
                u64::try_from(report.records).unwrap_or(0),
                error.to_string(),
            );
        }
    }

    pub(crate) fn add(&self, records: u64, reason: String) {
        let mut all = self.lock();
        all.untold += records;
        all.all += records;
        if all.reasons.len() < REASONS_MAX {
            all.reasons.insert(reason);
        }
    }

    /// All of them, told or not.
    pub(crate) fn count(&self) -> u64 {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Undelivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what has come together since the last time.
    pub(crate) fn tell(&self, topic: &str, cx: &mut Context) {
        let (records, reasons) = {
            let mut all = self.lock();
            let reasons = std::mem::take(&mut all.reasons);
            (std::mem::take(&mut all.untold), reasons)
        };
        if records == 0 {
            return;
        }
        let unit = if records == 1 {
            "record was"
        } else {
            "records were"
        };
        for reason in reasons {
            cx.warn(format!(
                "{records} {unit} not delivered to topic {topic}: {reason}."
            ));
        }
    }
}
