//! A topic that is to have fewer partitions: it is deleted and made anew.
//!
//! Always: the cluster has said beforehand that it would make such a topic, so that none is deleted in vain. Where it then does
//! not, the refusal says that the old one is gone.

use ottla_client::admin::{Admin, NewTopic, PARTITIONS_PER_REQUEST};
use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::wire::Uuid;

use super::execute::Refusal;
use crate::connect::failed;
use crate::stop::Failure;

/// So much of a name leaves room for what makes it another one.
const NAME_CHARS: usize = 200;

/// Asks whether topics like these would be made. Their names are taken, so it is asked with others.
pub(super) async fn validate(admin: &Admin, topics: &[NewTopic]) -> Result<Vec<Refusal>, Failure> {
    let mut refusals = Vec::new();
    for topic in topics {
        let begin: String = topic.name.chars().take(NAME_CHARS).collect();
        let probe = NewTopic {
            name: format!("{begin}-{}", Uuid(rand::random())),
            ..topic.clone()
        };
        let outcomes = admin.create_topics(&[probe], true).await;
        for (_, outcome) in outcomes.map_err(failed("createTopics"))? {
            refusals.extend(outcome.err().map(|error| refusal(topic, error)));
        }
    }
    Ok(refusals)
}

/// Does it, and waits until the brokers show it: they take what groups have committed of the old one with them.
pub(super) async fn replace(admin: &Admin, topic: &NewTopic) -> Result<Option<Refusal>, Failure> {
    let names = [topic.name.clone()];
    let outcomes = admin.delete_topics(&names).await;
    for (_, outcome) in outcomes.map_err(failed("deleteTopics"))? {
        if let Err(error) = outcome {
            return Ok(Some(refusal(topic, error)));
        }
    }
    let created = create(admin, topic).await;
    let created = created.map_err(|error| failed("createTopics")(error).hint(gone(topic)))?;
    if let Err(error) = created {
        let message = format!("{} {}", error.text(), gone(topic));
        let error = ApiError {
            message: Some(message),
            ..error
        };
        return Ok(Some(refusal(topic, error)));
    }
    let mut waits = super::waits();
    while !is_shown(admin, topic)
        .await
        .map_err(failed("describeTopics"))?
        && waits.wait().await
    {}
    Ok(None)
}

/// A controller may still have the old one for a moment.
async fn create(admin: &Admin, topic: &NewTopic) -> Result<Result<(), ApiError>, ClientError> {
    let mut waits = super::waits();
    loop {
        let outcomes = admin
            .create_topics(std::slice::from_ref(topic), false)
            .await?;
        match outcomes.into_iter().find_map(|(_, outcome)| outcome.err()) {
            Some(error) if error.code == ErrorCode::TopicAlreadyExists && waits.wait().await => {}
            Some(error) => return Ok(Err(error)),
            None => return Ok(Ok(())),
        }
    }
}

async fn is_shown(admin: &Admin, topic: &NewTopic) -> Result<bool, ClientError> {
    let names = [topic.name.clone()];
    let found = admin
        .describe_topics(&names, PARTITIONS_PER_REQUEST)
        .await?;
    let count = |count: usize| i32::try_from(count).ok();
    Ok(found.iter().all(|(_, outcome)| {
        outcome
            .as_ref()
            .is_ok_and(|found| count(found.partitions.len()) == topic.partitions)
    }))
}

fn gone(topic: &NewTopic) -> String {
    format!(
        "The topic {} was deleted, and is not there any more; apply the file again to make it.",
        topic.name
    )
}

fn refusal(topic: &NewTopic, error: ApiError) -> Refusal {
    Refusal {
        kind: "topic",
        name: topic.name.clone(),
        error,
    }
}
