//! Reads a script's command lines.
//!
//! `verb id words… key=value…`; a producer is `id/epoch`, a partition `topic-0`, `old` a client from before KIP-890.

use std::collections::{BTreeMap, BTreeSet};

use ottla_coordination::controller::ProducerIdBlock;
use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, EndTxn, InitProducerId, MarkerOutcome, MarkersWritten, Outcome,
    TopicPartition, Transaction, TransactionState, TransactionVersion, TxnCommand, TxnProducer,
    TxnRecord, TxnSettings, WriteMarkers,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ListTransactionsRequest;
use ottla_protocol::types::{Millis, PartitionIndex, ProducerEpoch, ProducerId};
use ottla_protocol::wire::StrBytes;

use super::START;

pub(super) struct Words<'a> {
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let (options, words): (Vec<&str>, Vec<&str>) =
            line.split_whitespace().partition(|word| word.contains('='));
        let options = options.iter().filter_map(|word| word.split_once('='));
        Self {
            words,
            options: options.collect(),
        }
    }

    pub(super) fn verb(&self) -> &'a str {
        self.words[0]
    }

    pub(super) fn word(&self, index: usize) -> &'a str {
        self.words.get(index + 1).copied().unwrap_or_default()
    }

    fn has(&self, word: &str) -> bool {
        self.words[1..].contains(&word)
    }

    fn number(&self, name: &str, default: i64) -> i64 {
        let text = self.options.get(name);
        text.map_or(default, |text| text.parse().expect("a number"))
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let items = self
            .options
            .get(name)
            .into_iter()
            .flat_map(|text| text.split(','));
        items.filter(|item| !item.is_empty())
    }

    pub(super) fn millis(&self) -> Millis {
        Millis(self.word(0).parse().expect("milliseconds"))
    }

    pub(super) fn error(&self) -> ErrorCode {
        let named = |code: &&ErrorCode| code.name() == self.word(0);
        *ErrorCode::ALL.iter().find(named).expect("an error's name")
    }

    pub(super) fn change(&self, settings: &mut TxnSettings) {
        for (name, value) in &self.options {
            let value: i32 = value.parse().expect("a number");
            match *name {
                "version" => {
                    let level = i16::try_from(value).expect("a level");
                    settings.transaction_version = TransactionVersion(level);
                }
                "max" => settings.timeout_max_ms = value,
                "expiration" => settings.id_expiration_ms = value,
                "expiration-check" => settings.expiration_check_interval_ms = value,
                "two-phase" => settings.two_phase_commit_enabled = value == 1,
                _ => panic!("no setting {name}"),
            }
        }
    }

    pub(super) fn command(&self) -> Option<TxnCommand> {
        Some(match self.verb() {
            "init" => TxnCommand::InitProducerId(InitProducerId {
                transactional_id: self.id(),
                timeout_ms: i32::try_from(self.number("timeout", 60_000)).expect("a timeout"),
                expected: self.options.get("had").map(|had| producer(had)),
                enable_two_phase_commit: self.has("two-phase"),
                keep_prepared: self.has("keep"),
            }),
            "add" => TxnCommand::AddPartitionsToTxn(AddPartitionsToTxn {
                producer: self.producer(),
                partitions: self.partitions(),
                client_version: self.version(),
            }),
            "offsets" => TxnCommand::AddPartitionsToTxn(AddPartitionsToTxn::offsets(
                self.producer(),
                PartitionIndex(self.word(2).parse().expect("a partition")),
            )),
            "verify" => TxnCommand::VerifyPartitions {
                producer: self.producer(),
                partitions: self.partitions(),
            },
            "commit" => self.end(Outcome::Commit),
            "abort" => self.end(Outcome::Abort),
            "list" => TxnCommand::ListTransactions(ListTransactionsRequest {
                state_filters: self.list("state").map(StrBytes::from).collect(),
                producer_id_filters: self
                    .list("producer")
                    .map(|id| id.parse().expect("an id"))
                    .collect(),
                duration_filter: self.number("longer", -1),
                transactional_id_pattern: self.options.get("like").map(|text| (*text).into()),
                ..Default::default()
            }),
            "describe" => TxnCommand::DescribeTransactions {
                transactional_ids: vec![self.id().into()],
            },
            "ids" if self.has("refused") => {
                TxnCommand::ProducerIdsGiven(Err(ErrorCode::RequestTimedOut))
            }
            "ids" => TxnCommand::ProducerIdsGiven(Ok(ProducerIdBlock {
                first: ProducerId(self.word(0).parse().expect("an id")),
                length: self.word(1).parse().expect("a length"),
            })),
            _ => return None,
        })
    }

    /// What became of markers: of each partition that is named, or of all of them.
    pub(super) fn written(&self, markers: &WriteMarkers) -> MarkersWritten {
        let outcomes = if self.options.is_empty() {
            let outcome = outcome(self.word(1));
            let all = markers.partitions.iter().cloned();
            all.map(|partition| (partition, outcome)).collect()
        } else {
            let told = self.options.iter();
            told.map(|(name, told)| (partition(name), outcome(told)))
                .collect()
        };
        MarkersWritten {
            producer: markers.producer.clone(),
            coordinator_epoch: markers.coordinator_epoch,
            outcomes,
        }
    }

    /// A record that is on the log when the coordinator takes over.
    pub(super) fn record(&self) -> TxnRecord {
        let (producer_id, producer_epoch) = producer(self.word(1));
        let state = TransactionState::ALL
            .into_iter()
            .find(|state| state.name() == self.word(2))
            .expect("a state");
        let transaction = Transaction {
            producer_id,
            previous_producer_id: producer_id,
            next_producer_id: ProducerId(self.number("next", -1)),
            producer_epoch,
            timeout_ms: 60_000,
            state,
            partitions: self.list("partitions").map(partition).collect(),
            started_at: (state != TransactionState::Empty).then_some(START),
            updated_at: START,
            client_version: self.version(),
        };
        TxnRecord {
            transactional_id: self.id(),
            transaction: Some(transaction),
            value_version: 1,
        }
    }

    fn end(&self, outcome: Outcome) -> TxnCommand {
        TxnCommand::EndTxn(EndTxn {
            producer: self.producer(),
            outcome,
            client_version: self.version(),
        })
    }

    fn id(&self) -> String {
        self.word(0).trim_matches('\'').to_owned()
    }

    fn producer(&self) -> TxnProducer {
        let (producer_id, producer_epoch) = producer(self.word(1));
        TxnProducer {
            transactional_id: self.id(),
            producer_id,
            producer_epoch,
        }
    }

    fn version(&self) -> TransactionVersion {
        TransactionVersion(if self.has("old") { 0 } else { 2 })
    }

    fn partitions(&self) -> BTreeSet<TopicPartition> {
        let words = self.words[3..].iter().filter(|word| word.contains('-'));
        words.map(|word| partition(word)).collect()
    }
}

fn producer(text: &str) -> (ProducerId, ProducerEpoch) {
    let (id, epoch) = text.split_once('/').expect("id/epoch");
    (
        ProducerId(id.parse().expect("an id")),
        ProducerEpoch(epoch.parse().expect("an epoch")),
    )
}

pub(super) fn partition(text: &str) -> TopicPartition {
    let (topic, partition) = text.rsplit_once('-').expect("topic-partition");
    TopicPartition {
        topic: topic.to_owned(),
        partition: PartitionIndex(partition.parse().expect("a partition")),
    }
}

fn outcome(text: &str) -> MarkerOutcome {
    match text {
        "done" => MarkerOutcome::Done,
        "retry" => MarkerOutcome::Retry,
        "fenced" => MarkerOutcome::Fenced,
        _ => panic!("no outcome {text}"),
    }
}
