//! A loop that consumes, processes and produces, each record exactly once, or at least once.
//!
//! `exchange` puts results and offsets together. Always: a record whose processing fails is tried again with growing
//! pauses, and then goes to the dead-letter topic in place of its results, or ends the loop. Not here: more than one record at a
//! time (an [`Exchange`] alone gives whole batches), state besides the offsets.

use std::{fmt, future::Future, pin::pin, time::Duration};

use crate::{cluster::Backoff, consumer::ConsumerRecord};

mod error;
mod exchange;
mod output;
#[cfg(test)]
mod tests;

pub use error::ProcessError;
pub use exchange::{Delivered, Exchange};
pub use output::Output;

/// How a loop deals with records that fail.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// Records of a transaction, about.
    pub batch_records: usize,
    /// How long a transaction waits for more records.
    pub batch_linger: Duration,
    /// How often a record is tried again.
    pub retries: u32,
    /// Between two attempts. All of a batch's pauses together must stay below `max.poll.interval.ms`.
    pub retry_backoff: Backoff,
    /// Where records go whose processing has failed to the end. Without it the loop ends there.
    pub dead_letter: Option<String>,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            batch_records: 500,
            batch_linger: Duration::ZERO,
            retries: 3,
            retry_backoff: Backoff {
                initial: Duration::from_millis(100),
                max: Duration::from_secs(10),
            },
            dead_letter: None,
        }
    }
}

/// What a loop has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processed {
    /// Records whose offsets are committed.
    pub records: u64,
    pub results: u64,
    pub dead_letters: u64,
    /// Attempts at a record after its first.
    pub retries: u64,
    pub batches: u64,
    /// Batches that were not committed and came again.
    pub replays: u64,
}

/// A batch on its way through: what each record has become.
#[derive(Debug, Default)]
pub struct Results {
    /// By record of the batch.
    of_records: Vec<OfRecord>,
}

#[derive(Debug)]
struct OfRecord {
    outputs: Vec<Output>,
    is_dead_letter: bool,
}

impl Exchange {
    /// Processes records until `until` is ready and the batch under way is done.
    ///
    /// Exactly once: the results of a record, and that it was processed, are committed together.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use ottla_client::{cluster::Cluster, config::{ClientKind, Patience}};
    /// # use ottla_client::{consumer::{Consumer, ConsumerSettings}, producer::TransactionalProducer};
    /// # use ottla_client::process::{Exchange, Output, ProcessSettings};
    /// # async fn example(producer: TransactionalProducer) -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = [
    ///     ("bootstrap.servers", "localhost:9092"),
    ///     ("group.id", "pricing"),
    ///     ("auto.offset.reset", "earliest"),
    ///     ("enable.auto.commit", "false"),
    ///     ("isolation.level", "read_committed"),
    /// ];
    /// let settings = ClientKind::Consumer.settings(keys)?;
    /// let cluster = ClientKind::Consumer.cluster_settings(&settings, Patience::Configured)?;
    /// let cluster = Cluster::connect(cluster).await?;
    /// let consumer = Consumer::start(cluster, ConsumerSettings::from_config(&settings)?);
    /// let mut exchange = Exchange::exactly_once(consumer, producer)?;
    /// exchange.consumer().subscribe(["orders"]).await?;
    /// let settings = ProcessSettings {
    ///     dead_letter: Some("orders.dlq".to_owned()),
    ///     ..ProcessSettings::default()
    /// };
    /// let stopped = std::future::pending();
    /// let done = exchange.process(&settings, stopped, async |order| {
    ///     let text = std::str::from_utf8(order.value.as_deref().unwrap_or_default())?;
    ///     Ok::<_, std::str::Utf8Error>(vec![Output::to("priced", format!("{text}: 9.99"))])
    /// });
    /// println!("{:?}", done.await?);
    /// exchange.close(Duration::from_secs(10)).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// At least once, with less to do for the brokers: after a crash results may come twice.
    ///
    /// ```no_run
    /// # use ottla_client::{consumer::{Consumer, ConsumerRecord}, producer::Producer};
    /// # use ottla_client::process::{Exchange, Output, ProcessError, ProcessSettings};
    /// # fn results_of(_: &ConsumerRecord) -> Vec<Output> { Vec::new() }
    /// # async fn example(consumer: Consumer, producer: Producer) -> Result<(), ProcessError> {
    /// let mut exchange = Exchange::at_least_once(consumer, producer)?;
    /// exchange.consumer().subscribe(["orders"]).await?;
    /// let stopped = std::future::pending();
    /// exchange
    ///     .process(&ProcessSettings::default(), stopped, async |order| {
    ///         Ok::<_, String>(results_of(order))
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn process<E: fmt::Display>(
        &mut self,
        settings: &ProcessSettings,
        until: impl Future<Output = ()>,
        mut work: impl AsyncFnMut(&ConsumerRecord) -> Result<Vec<Output>, E>,
    ) -> Result<Processed, ProcessError> {
        let mut done = Processed::default();
        let mut until = pin!(until);
        loop {
            let (count, linger) = (settings.batch_records, settings.batch_linger);
            let batch = tokio::select! {
                biased;
                () = &mut until => return Ok(done),
                batch = self.next(count, LONGEST_WAIT, linger) => batch?,
            };
            if batch.is_empty() {
                continue;
            }
            let mut results = Results::default();
            for record in &batch {
                match attempts(record, settings, &mut work, &mut done).await {
                    Ok(outputs) => results.push(outputs),
                    Err(reason) => {
                        let attempts = settings.retries.saturating_add(1);
                        results.push_failed(self, settings, record, attempts, &reason)?;
                    }
                }
            }
            self.finish(settings, &batch, results, &mut done).await?;
        }
    }

    /// Commits a batch with its results. A result that no broker takes makes its record a dead letter. Returns whether it is
    /// done; if not, its records come again.
    pub async fn finish(
        &mut self,
        settings: &ProcessSettings,
        batch: &[ConsumerRecord],
        mut results: Results,
        done: &mut Processed,
    ) -> Result<bool, ProcessError> {
        let mut is_slow = false;
        loop {
            let outputs = results.outputs();
            match self.deliver(batch, &outputs, is_slow).await? {
                Delivered::Done => {
                    let dead_letters = results.dead_letters();
                    done.records += batch.len() as u64;
                    done.dead_letters += dead_letters;
                    done.results += outputs.len() as u64 - dead_letters;
                    done.batches += 1;
                    return Ok(true);
                }
                Delivered::Again(error) => {
                    tracing::warn!(%error, records = batch.len(), "a batch comes again");
                    done.replays += 1;
                    return Ok(false);
                }
                // Those that went with it may be innocent.
                Delivered::Refused { .. } if !is_slow => is_slow = true,
                Delivered::Refused { index, error } => {
                    let of = results.of_output(index);
                    let (Some(record), false) = (batch.get(of), results.is_dead_letter(of)) else {
                        return Err(error.into());
                    };
                    let reason = error.to_string();
                    let instead = dead_letter_of(self.group(), settings, record, 1, &reason)?;
                    results.replace(of, instead);
                }
            }
        }
    }
}

/// How long one wait for records takes at most; what matters is only that it ends.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Tries as often as the settings say.
async fn attempts<E: fmt::Display>(
    record: &ConsumerRecord,
    settings: &ProcessSettings,
    work: &mut impl AsyncFnMut(&ConsumerRecord) -> Result<Vec<Output>, E>,
    done: &mut Processed,
) -> Result<Vec<Output>, String> {
    let mut failures = 0;
    loop {
        let error = match work(record).await {
            Ok(outputs) => return Ok(outputs),
            Err(error) => error,
        };
        tracing::debug!(topic = %record.topic, record.partition, record.offset, %error, "processing failed");
        if failures == settings.retries {
            return Err(error.to_string());
        }
        failures += 1;
        done.retries += 1;
        tokio::time::sleep(settings.retry_backoff.after(failures)).await;
    }
}

fn dead_letter_of(
    group: &str,
    settings: &ProcessSettings,
    record: &ConsumerRecord,
    attempts: u32,
    reason: &str,
) -> Result<Output, ProcessError> {
    match &settings.dead_letter {
        Some(topic) => {
            tracing::warn!(topic = %record.topic, record.partition, record.offset, reason, "a dead letter");
            Ok(output::dead_letter(topic, record, group, attempts, reason))
        }
        None => Err(ProcessError::Poison {
            partition: crate::admin::TopicPartition::new(&*record.topic, record.partition),
            offset: record.offset,
            reason: reason.to_owned(),
        }),
    }
}

impl Results {
    /// What the next record of the batch has become.
    pub fn push(&mut self, outputs: Vec<Output>) {
        self.of_records.push(OfRecord {
            outputs,
            is_dead_letter: false,
        });
    }

    /// The next record of the batch has failed to the end.
    pub fn push_failed(
        &mut self,
        exchange: &Exchange,
        settings: &ProcessSettings,
        record: &ConsumerRecord,
        attempts: u32,
        reason: &str,
    ) -> Result<(), ProcessError> {
        let letter = dead_letter_of(exchange.group(), settings, record, attempts, reason)?;
        self.of_records.push(OfRecord {
            outputs: vec![letter],
            is_dead_letter: true,
        });
        Ok(())
    }

    /// All that is to be produced, in the order of the records.
    fn outputs(&self) -> Vec<Output> {
        let all = self.of_records.iter().flat_map(|of| &of.outputs);
        all.cloned().collect()
    }

    fn dead_letters(&self) -> u64 {
        let dead = self.of_records.iter().filter(|of| of.is_dead_letter);
        dead.count() as u64
    }

    /// The record of the batch that an output came from.
    fn of_output(&self, index: usize) -> usize {
        let mut before = 0;
        let ends = self.of_records.iter().map(|of| {
            before += of.outputs.len();
            before
        });
        ends.take_while(|end| *end <= index).count()
    }

    fn is_dead_letter(&self, of: usize) -> bool {
        self.of_records.get(of).is_some_and(|of| of.is_dead_letter)
    }

    fn replace(&mut self, of: usize, letter: Output) {
        if let Some(of) = self.of_records.get_mut(of) {
            *of = OfRecord {
                outputs: vec![letter],
                is_dead_letter: true,
            };
        }
    }
}
