//! Waits, after a change, until the brokers know of it.
//!
//! Kafka's controller answers as soon as a change is decided, and brokers hear of it a little later. The reference's tools take
//! longer than that to start, so scripts rely on the next command to see what the one before has done. Always: the change
//! is made already, so nothing here fails, and nobody waits for longer than a second.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use ottla_client::ApiError;
use ottla_client::admin::{Admin, PARTITIONS_PER_REQUEST, TopicDescription};
use ottla_protocol::errors::ErrorCode;

const WITHIN: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_millis(5);

pub(super) async fn until_created(topic: &str, admin: &Admin) {
    until(&[topic.to_owned()], |found| !is_unknown(found), admin).await;
}

pub(super) async fn until_deleted(topics: &[String], admin: &Admin) {
    until(topics, |found| found.is_err(), admin).await;
}

pub(super) async fn until_grown(topics: &[String], partitions: usize, admin: &Admin) {
    let is_grown = |found: &Found| match found {
        Ok(topic) => topic.partitions.len() >= partitions,
        Err(_) => !is_unknown(found),
    };
    until(topics, is_grown, admin).await;
}

type Found = Result<TopicDescription, ApiError>;

fn is_unknown(found: &Found) -> bool {
    matches!(found, Err(error) if error.code == ErrorCode::UnknownTopicOrPartition)
}

async fn until(topics: &[String], is_settled: impl Fn(&Found) -> bool, admin: &Admin) {
    let settled = async {
        while let Ok(found) = admin.describe_topics(topics, PARTITIONS_PER_REQUEST).await
            && !found.iter().all(|(_, topic)| is_settled(topic))
        {
            sleep(ASK_EVERY).await;
        }
    };
    // Whoever comes too early then is told so by the next command.
    timeout(WITHIN, settled).await.unwrap_or_default();
}
