//! Our own client's members of the group that shares out a topic: `process::Exchange` moves a few records a transaction. Now and
//! then one is gone in the middle of it, without a farewell, and another comes under the same name.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bytes::Bytes;
use ottla_client::config::ClientKind;
use ottla_client::consumer::{Consumer, ConsumerRecord, ConsumerSettings};
use ottla_client::process::{Delivered, Exchange, Output};

use super::history::{Ended, Input, Transaction};
use super::workers::{RECORDS_MAX, claim};
use super::{A_WHILE, FED, MOMENT_MAX_US, MOVERS, OUTPUT, PARTITIONS, PATIENCE, Shared};
use super::{cluster, eventually};
use crate::random::Random;

const INPUT_MAX: usize = 5;
const VANISHES_ONE_IN: u64 = 15;

pub(super) struct Mover {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
    pub(super) random: Random,
}

impl Mover {
    pub(super) async fn run(mut self) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        while !self.shared.done.load(SeqCst) {
            let mut exchange = self.exchange().await;
            let mut goes_on = true;
            while goes_on && !self.shared.done.load(SeqCst) {
                let batch = exchange.next(INPUT_MAX, A_WHILE, Duration::ZERO).await;
                let Ok(batch) = batch else { break };
                if batch.is_empty() {
                    continue;
                }
                let transaction = self.transaction(&batch, transactions.len());
                transactions.push(transaction);
                let transaction = transactions.last_mut().unwrap();
                goes_on = self.deliver(&mut exchange, &batch, transaction).await;
                if transaction.ended == Ended::Committed {
                    self.shared.moved.fetch_add(1, SeqCst);
                }
            }
            if goes_on {
                exchange.close(PATIENCE).await;
            }
        }
        transactions
    }

    fn transaction(&mut self, batch: &[ConsumerRecord], number: usize) -> Transaction {
        let mut inputs: Vec<Input> = Vec::new();
        for record in batch {
            let end = record.offset + 1;
            match inputs
                .iter_mut()
                .find(|it| it.partition == record.partition)
            {
                Some(input) => input.end = end,
                None => inputs.push(Input {
                    topic: FED,
                    partition: record.partition,
                    start: record.offset,
                    end,
                }),
            }
        }
        let mut sent = Vec::new();
        for n in 0..1 + self.random.below(RECORDS_MAX) {
            for partition in 0..PARTITIONS {
                sent.push((partition, format!("{}/{number}/{partition}/{n}", self.name)));
            }
        }
        Transaction {
            producer: self.name.clone(),
            sent,
            inputs,
            ended: Ended::Unknown,
        }
    }

    /// False: another has to take its place.
    async fn deliver(
        &mut self,
        exchange: &mut Exchange,
        batch: &[ConsumerRecord],
        transaction: &mut Transaction,
    ) -> bool {
        let outputs = transaction.sent.iter().map(|(partition, value)| Output {
            topic: OUTPUT.to_owned(),
            partition: Some(*partition),
            value: Some(Bytes::from(value.clone())),
            ..Output::default()
        });
        let outputs: Vec<Output> = outputs.collect();
        let delivering = exchange.deliver(batch, &outputs, false);
        let delivered = if self.random.below(VANISHES_ONE_IN) == 0 {
            let moment = Duration::from_micros(self.random.below(MOMENT_MAX_US));
            match tokio::time::timeout(moment, delivering).await {
                Ok(delivered) => delivered,
                Err(_) => return false,
            }
        } else {
            delivering.await
        };
        match delivered {
            Ok(Delivered::Done) => transaction.ended = Ended::Committed,
            Ok(Delivered::Again(_) | Delivered::Refused { .. }) => {
                transaction.ended = Ended::Aborted;
            }
            Err(_) => return false,
        }
        true
    }

    async fn exchange(&self) -> Exchange {
        let producer = claim(&self.shared.address, &self.name).await;
        let kind = ClientKind::Consumer;
        let keys = [
            ("bootstrap.servers", &*self.shared.address),
            ("group.id", MOVERS),
            ("partition.assignment.strategy", "range"),
            ("session.timeout.ms", "3000"),
            ("heartbeat.interval.ms", "500"),
            ("max.poll.records", "5"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
        ];
        let settings = ConsumerSettings::from_config(&kind.settings(keys).unwrap()).unwrap();
        let mut made = None;
        eventually("a broker to read from", async || {
            made = cluster(&self.shared.address, kind).await;
            made.is_some()
        })
        .await;
        let mut consumer = Consumer::start(made.unwrap(), settings);
        consumer.subscribe([FED]).await.unwrap();
        Exchange::exactly_once(consumer, producer).unwrap()
    }
}
