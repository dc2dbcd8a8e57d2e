//! Lines sent in transactions: readers with `read_committed` see all records of one, or none.
//!
//! Always: after an error nothing is left of the transaction it came in, and the tool ends with status 1. What was
//! committed before stays.

use ottla_client::cluster::Cluster;
use ottla_client::producer::{ProducerSettings, Transaction, TransactionalProducer};

use crate::context::Context;
use crate::producing::{committed, failed_transaction, not_in_transaction, waiting_for};
use crate::signals::Signals;
use crate::stop::Stop;

use super::{Input, Plan, line_bytes_max};

/// Whether there is more to come.
#[derive(PartialEq, Eq)]
enum Filled {
    AsAsked,
    InputEnded,
}

/// Sends all lines, in one transaction or, with `--commit-every`, in as many as it takes.
pub(super) async fn send_lines(
    plan: &Plan,
    cluster: Cluster,
    settings: ProducerSettings,
    signals: &mut Signals,
    cx: &mut Context,
) -> Result<(), Stop> {
    let close_within = settings.delivery_timeout;
    let input = Input::of(&plan.source, line_bytes_max(&settings), cx);
    let beginning = async {
        let begun = TransactionalProducer::init(cluster, settings).await;
        Ok(begun.map_err(failed_transaction)?)
    };
    let mut producer = signals.allow(beginning).await?;
    // The transaction that a signal interrupts is aborted.
    let sent = signals
        .allow(send_all(plan, input, &mut producer, cx))
        .await;
    producer.close(close_within).await;
    sent
}

async fn send_all(
    plan: &Plan,
    mut input: Input,
    producer: &mut TransactionalProducer,
    cx: &mut Context,
) -> Result<(), Stop> {
    let cluster = producer.cluster().clone();
    loop {
        let transaction = producer.begin().await.map_err(failed_transaction)?;
        let filled = fill(&transaction, &cluster, plan, &mut input, cx).await?;
        let outcome = transaction.commit().await;
        committed(outcome, producer).await?;
        if filled == Filled::InputEnded {
            return Ok(());
        }
    }
}

/// Puts lines into the transaction until it is to be committed.
async fn fill(
    transaction: &Transaction<'_>,
    cluster: &Cluster,
    plan: &Plan,
    input: &mut Input,
    cx: &mut Context,
) -> Result<Filled, Stop> {
    let mut records = 0;
    while plan.commit_every.is_none_or(|every| records < every) {
        let Some((line, number)) = input.next(cx).await? else {
            return Ok(Filled::InputEnded);
        };
        let parsed = plan.parse(line, number)?;
        let sending = transaction.send(plan.record(&parsed, None));
        let sent = waiting_for(&[&plan.topic], cluster, sending).await;
        let delivery = sent.map_err(|error| not_in_transaction(&plan.topic, &error.to_string()))?;
        if plan.sync {
            delivery
                .await
                .map_err(|error| not_in_transaction(&plan.topic, &error.to_string()))?;
        }
        records += 1;
    }
    Ok(Filled::AsAsked)
}
