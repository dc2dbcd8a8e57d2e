//! Lines sent in transactions: readers with `read_committed` see all records of one, or none.
//!
//! Always: after an error nothing is left of the transaction it came in, and the tool ends with status 1. What was
//! committed before stays.

use ottla_client::cluster::Cluster;
use ottla_client::producer::{
    ErrorClass, ProducerSettings, Settled, Transaction, TransactionError, TransactionalProducer,
};

use crate::connect::capitalized;
use crate::context::Context;
use crate::stop::{Failure, Stop};

use super::{Input, Plan};

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
    cx: &mut Context,
) -> Result<(), Stop> {
    let close_within = settings.delivery_timeout;
    let mut producer = TransactionalProducer::init(cluster, settings)
        .await
        .map_err(failed)?;
    let sent = send_all(plan, &mut producer, cx).await;
    producer.close(close_within).await;
    sent
}

async fn send_all(
    plan: &Plan,
    producer: &mut TransactionalProducer,
    cx: &mut Context,
) -> Result<(), Stop> {
    let mut input = Input::of_stdin(cx);
    loop {
        let transaction = producer.begin().await.map_err(failed)?;
        let filled = fill(&transaction, plan, &mut input, cx).await?;
        match transaction.commit().await {
            Err(error) if error.class == ErrorClass::Retriable => see_through(producer).await?,
            outcome => outcome.map_err(failed)?,
        }
        if filled == Filled::InputEnded {
            return Ok(());
        }
    }
}

/// Puts lines into the transaction until it is to be committed.
async fn fill(
    transaction: &Transaction<'_>,
    plan: &Plan,
    input: &mut Input,
    cx: &mut Context,
) -> Result<Filled, Stop> {
    let mut records = 0;
    while plan.commit_every.is_none_or(|every| records < every) {
        let Some((line, number)) = input.next(cx).await? else {
            return Ok(Filled::InputEnded);
        };
        let parsed = plan.reader.parse(line, number)?;
        let sent = transaction.send(parsed.record(&plan.topic)).await;
        let delivery = sent.map_err(|error| not_sent(plan, &error.to_string()))?;
        if plan.sync {
            delivery
                .await
                .map_err(|error| not_sent(plan, &error.to_string()))?;
        }
        records += 1;
    }
    Ok(Filled::AsAsked)
}

/// A commit whose outcome was not told in time.
async fn see_through(producer: &mut TransactionalProducer) -> Result<(), Failure> {
    match producer.settle().await {
        Ok(Settled::Committed) => Ok(()),
        Ok(_) => Err(Failure::new("The last transaction was aborted.")),
        Err(error) => Err(failed(error).hint("Whether it was committed is not known.")),
    }
}

fn not_sent(plan: &Plan, error: &str) -> Failure {
    let topic = &plan.topic;
    Failure::new(format!(
        "A record was not delivered to topic {topic}, and its transaction was aborted: {error}."
    ))
}

fn failed(error: TransactionError) -> Failure {
    Failure::new(format!("{}.", capitalized(&error)))
}
