//! What a broker tells of a topic that was created, deleted or given partitions, once it knows of that.

use ottla_client::ApiError;
use ottla_client::admin::{Admin, PARTITIONS_PER_REQUEST, TopicDescription};
use ottla_protocol::errors::ErrorCode;

use crate::settling::until_known;

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
    until_known(admin, async |admin| {
        let found = admin.describe_topics(topics, PARTITIONS_PER_REQUEST).await;
        found.map_or(true, |found| {
            found.iter().all(|(_, topic)| is_settled(topic))
        })
    })
    .await;
}
