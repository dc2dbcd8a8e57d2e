//! Writes records, answers and errands as lines of a script.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ottla_coordination::Answer;
use ottla_coordination::txn::coordinator::{
    Outcome, TopicPartition, TxnErrand, TxnRecord, TxnResponse,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_transactions::response::TransactionState as Described;
use ottla_protocol::types::ProducerId;

use super::START;

pub(super) fn record(record: &TxnRecord) -> String {
    let id = &record.transactional_id;
    let Some(transaction) = &record.transaction else {
        return format!("append {id} gone");
    };
    let (producer_id, epoch) = (transaction.producer_id, transaction.producer_epoch);
    let state = transaction.state.name();
    let mut line = format!("append {id} {state} {producer_id}/{epoch}");
    if !transaction.partitions.is_empty() {
        let _ = write!(line, " {}", partitions(&transaction.partitions));
    }
    let previous = transaction.previous_producer_id;
    if previous != producer_id {
        let _ = write!(line, " previous={previous}");
    }
    if transaction.next_producer_id != ProducerId::NONE {
        let _ = write!(line, " next={}", transaction.next_producer_id);
    }
    if transaction.timeout_ms != 60_000 {
        let _ = write!(line, " timeout={}", transaction.timeout_ms);
    }
    if let Some(start) = transaction.started_at {
        let _ = write!(line, " start={}", start.0 - START.0);
    }
    if transaction.client_version.0 != 0 {
        let _ = write!(line, " v{}", transaction.client_version.0);
    }
    if record.value_version == 0 {
        line.push_str(" (value 0)");
    }
    line
}

pub(super) fn errand(errand: &TxnErrand) -> String {
    match errand {
        TxnErrand::ProducerIds => "ask for producer ids".to_owned(),
        TxnErrand::WriteMarkers(markers) => {
            let producer = &markers.producer;
            let outcome = match markers.outcome {
                Outcome::Commit => "commit",
                Outcome::Abort => "abort",
            };
            format!(
                "write {outcome} markers {} {}/{} v{} coordinator={}: {}",
                producer.transactional_id,
                producer.producer_id,
                producer.producer_epoch,
                markers.transaction_version.0,
                markers.coordinator_epoch,
                partitions(&markers.partitions)
            )
        }
    }
}

pub(super) fn answer(asked: &str, answer: &Answer<TxnResponse>) -> String {
    let body = match answer {
        Err(error) => error.name().to_owned(),
        Ok(response) => body(response),
    };
    format!("{}: {body}", asked.trim_end())
}

fn body(response: &TxnResponse) -> String {
    match response {
        TxnResponse::InitProducerId(response) => with_producer(
            response.error_code,
            response.producer_id,
            response.producer_epoch,
        ),
        TxnResponse::EndTxn(response) => with_producer(
            response.error_code,
            response.producer_id,
            response.producer_epoch,
        ),
        TxnResponse::AddPartitionsToTxn(error) => outcome(error.code()),
        TxnResponse::VerifyPartitions(verdicts) => {
            let verdicts = verdicts.iter().map(|(partition, error)| {
                let (topic, index) = (&partition.topic, partition.partition);
                format!("{topic}-{index}={}", outcome(error.code()))
            });
            verdicts.collect::<Vec<_>>().join(" ")
        }
        TxnResponse::ListTransactions(response) if response.error_code != 0 => {
            outcome(response.error_code)
        }
        TxnResponse::ListTransactions(response) => {
            let listed = response.transaction_states.iter().map(|listed| {
                let (id, producer) = (&listed.transactional_id, listed.producer_id);
                format!("{id}[{producer} {}]", listed.transaction_state)
            });
            let unknown = response.unknown_state_filters.iter();
            let unknown = unknown.map(|name| format!("unknown:{name}"));
            listed.chain(unknown).collect::<Vec<_>>().join(" ")
        }
        TxnResponse::DescribeTransactions(described) => {
            let described = described.iter().map(describe);
            described.collect::<Vec<_>>().join(" ")
        }
        TxnResponse::Noted => "noted".to_owned(),
    }
}

fn with_producer(error: i16, id: i64, epoch: i16) -> String {
    if id == ProducerId::NONE.0 {
        return outcome(error);
    }
    format!("{} {id}/{epoch}", outcome(error))
}

fn describe(described: &Described) -> String {
    if described.error_code != 0 {
        return outcome(described.error_code);
    }
    let mut line = format!(
        "{} {}/{} timeout={} start={}",
        described.transaction_state,
        described.producer_id,
        described.producer_epoch,
        described.transaction_timeout_ms,
        match described.transaction_start_time_ms {
            -1 => -1,
            start => start - START.0,
        }
    );
    for topic in &described.topics {
        for partition in &topic.partitions {
            let _ = write!(line, " {}-{partition}", topic.topic);
        }
    }
    line
}

fn partitions(partitions: &BTreeSet<TopicPartition>) -> String {
    let names = partitions
        .iter()
        .map(|partition| format!("{}-{}", partition.topic, partition.partition));
    names.collect::<Vec<_>>().join(",")
}

fn outcome(code: i16) -> String {
    match ErrorCode::from_code(code) {
        ErrorCode::None => "ok".to_owned(),
        error => error.name().to_owned(),
    }
}
