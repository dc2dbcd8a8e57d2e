//! What is asked of brokers, and their errors in the reference's words.

use ottla_client::admin::{
    AbortSpec, Admin, ProducerState, TopicPartition, TransactionDescription, TransactionFilter,
    TransactionListing,
};
use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;

use super::about;
use crate::connect::{self, failed, refused};
use crate::nearest;
use crate::stop::Failure;

/// A transactional id with its coordinator.
pub(super) type Listed = (BrokerId, TransactionListing);

pub(super) async fn list(
    admin: &Admin,
    filter: &TransactionFilter,
) -> Result<Vec<Listed>, Failure> {
    let answers = admin.list_transactions(filter).await;
    let mut found = Vec::new();
    for (broker, answer) in answers.map_err(failed("listTransactions(api=METADATA)"))? {
        let listings = answer.map_err(|error| match error {
            ClientError::Api(error) => {
                let text = format!(
                    "ListTransactions request sent to broker {broker} failed with an unexpected exception"
                );
                Failure::new(text).hint(error.to_string())
            }
            error => connect::failure("listTransactions(api=LIST_TRANSACTIONS)", &error),
        })?;
        found.extend(listings.into_iter().map(|listing| (broker, listing)));
    }
    Ok(found)
}

/// None where the coordinator does not know the id.
pub(super) async fn look_up(
    admin: &Admin,
    id: &str,
) -> Result<Option<TransactionDescription>, Failure> {
    let asked = [id.to_owned()];
    let answers = admin.describe_transactions(&asked).await;
    let answers = answers.map_err(failed("describeTransactions(api=FIND_COORDINATOR)"))?;
    match answers.into_iter().next() {
        Some((_, Ok(found))) => Ok(Some(found)),
        None => Ok(None),
        Some((_, Err(error))) if error.code == ErrorCode::TransactionalIdNotFound => Ok(None),
        Some((_, Err(error))) => Err(Failure::new(format!(
            "DescribeTransactions request for transactionalId `{id}` failed due to unexpected error"
        ))
        .hint(error.to_string())),
    }
}

pub(super) async fn describe(admin: &Admin, id: &str) -> Result<TransactionDescription, Failure> {
    let found = look_up(admin, id).await?;
    found.ok_or_else(|| {
        Failure::new(format!(
            "DescribeTransactions request for transactionalId `{id}` failed because the ID could not be found"
        ))
    })
}

pub(super) async fn producers(
    admin: &Admin,
    at: &TopicPartition,
    broker: Option<BrokerId>,
) -> Result<Vec<ProducerState>, Failure> {
    let all = all_producers(admin, std::slice::from_ref(at), broker).await?;
    Ok(all.into_iter().flat_map(|(_, states)| states).collect())
}

/// Of each partition. The first that fails fails all.
pub(super) async fn all_producers(
    admin: &Admin,
    partitions: &[TopicPartition],
    broker: Option<BrokerId>,
) -> Result<Vec<(TopicPartition, Vec<ProducerState>)>, Failure> {
    let call = match broker {
        Some(_) => "describeProducers(api=DESCRIBE_PRODUCERS)",
        None => "describeProducers(api=METADATA)",
    };
    let answers = admin.describe_producers(partitions, broker).await;
    let answers = answers.map_err(failed(call))?;
    let is_unknown = |error: &ApiError| error.code == ErrorCode::UnknownTopicOrPartition;
    let unknown = answers
        .iter()
        .filter(|row| row.1.as_ref().is_err_and(is_unknown));
    let names = unknown.map(|(at, _)| at.topic.as_str());
    let hints = nearest::topics(names, admin).await;
    let all: Result<Vec<_>, Failure> = answers
        .into_iter()
        .map(|(at, answer)| match (answer, broker) {
            (Ok(states), _) => Ok((at, states)),
            (Err(error), Some(broker)) if error.code == ErrorCode::NotLeaderOrFollower => {
                Err(Failure::new(format!(
                    "Failed to describe active producers for partition {at} on brokerId {broker}"
                )))
            }
            (Err(error), _) => Err(refused(error)),
        })
        .collect();
    all.map_err(|failure| hints.into_iter().fold(failure, Failure::hint))
}

/// The transaction that begins at this offset.
pub(super) fn open_from(
    producers: &[ProducerState],
    at: &TopicPartition,
    offset: i64,
) -> Result<AbortSpec, Failure> {
    let mut open = producers.iter();
    let found = open.find(|state| state.open_since == Some(offset));
    let state = found.ok_or_else(|| {
        Failure::new(format!(
            "Could not find any open transactions starting at offset {offset} on partition {at}"
        ))
    })?;
    Ok(AbortSpec {
        at: at.clone(),
        producer_id: state.producer_id,
        // The protocol has it in 32 bits here, and in 16 everywhere else.
        producer_epoch: i16::try_from(state.producer_epoch).unwrap_or(i16::MAX),
        coordinator_epoch: state.coordinator_epoch.unwrap_or(0),
    })
}

/// As the reference shows what is to be aborted.
fn shown(spec: &AbortSpec) -> String {
    format!(
        "AbortTransactionSpec(topicPartition={}, producerId={}, producerEpoch={}, coordinatorEpoch={})",
        spec.at, spec.producer_id, spec.producer_epoch, spec.coordinator_epoch
    )
}

pub(super) fn failed_to_abort(spec: &AbortSpec) -> String {
    format!("Failed to abort transaction {}", shown(spec))
}

pub(super) async fn abort(admin: &Admin, spec: &AbortSpec) -> Result<(), Failure> {
    let asked = admin.abort_transaction(spec).await;
    let answer = asked.map_err(failed("abortTransaction(api=METADATA)"));
    let outcome = answer.and_then(|answer| answer.map_err(|error| not_aborted(spec, error)));
    outcome.map_err(|failure| about(&failed_to_abort(spec), failure))
}

fn not_aborted(spec: &AbortSpec, error: ApiError) -> Failure {
    let request = format!("WriteTxnMarkers request with {} failed", shown(spec));
    let text = match error.code {
        ErrorCode::UnknownTopicOrPartition => return refused(error),
        ErrorCode::InvalidProducerEpoch => format!("{request} due an invalid producer epoch"),
        ErrorCode::TransactionCoordinatorFenced => format!(
            "{request} since the provided coordinator epoch {} has been fenced by the active coordinator",
            spec.coordinator_epoch
        ),
        _ => format!("{request} due to unexpected error: {}", error.text()),
    };
    Failure::new(text)
}

pub(super) async fn terminate(admin: &Admin, id: &str) -> Result<(), Failure> {
    let answer = admin.fence_producers(id).await;
    let answer = answer.map_err(failed("fenceProducer(api=FIND_COORDINATOR)"))?;
    answer.map_err(|error| {
        let text = format!(
            "InitProducerId request for transactionalId `{id}` failed due to unexpected error"
        );
        Failure::new(text).hint(error.to_string())
    })
}
