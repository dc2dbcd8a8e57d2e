//! CreateTopics (19).
//!
//! - v4: counts of -1 ask for the broker's defaults (KIP-464).
//! - v5: the response tells what was created, its configuration included (KIP-525).
//! - v6: THROTTLING_QUOTA_EXCEEDED is possible (KIP-599).
//! - v7: the response tells the topic's id (KIP-516).

use std::collections::{BTreeMap, HashMap};

use ottla_config::resolve::{BrokerConfig, Described};
use ottla_coordination::controller::{Command, NewTopic, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_topics::request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::create_topics::response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::data_dirs::{random_id, random_number};

pub(crate) fn handle(
    context: &Context<'_>,
    request: CreateTopicsRequest,
) -> Answer<CreateTopicsResponse> {
    let broker = context.broker.clone();
    let asked = request.topics.clone();
    let new_topic = |topic: CreatableTopic| NewTopic {
        topic,
        topic_id: random_id(),
    };
    let command = Command::CreateTopics {
        topics: request.topics.into_iter().map(new_topic).collect(),
        placement_start: random_number(),
        validate_only: request.validate_only,
    };
    Answer::later(async move {
        let topics = match broker.controller.ask(&broker, command).await {
            Ok(Response::CreateTopics(mut topics)) => {
                tell_configs(&mut topics, &asked, &broker.config.load());
                topics
            }
            other => refuse_all(&asked, other.err().unwrap_or(ErrorCode::UnknownServerError)),
        };
        CreateTopicsResponse {
            topics,
            ..Default::default()
        }
    })
}

/// Fills in the configurations that created topics have.
fn tell_configs(
    topics: &mut [CreatableTopicResult],
    asked: &[CreatableTopic],
    config: &BrokerConfig,
) {
    let asked: HashMap<&StrBytes, &CreatableTopic> =
        asked.iter().map(|topic| (&topic.name, topic)).collect();
    let describer = config.describe_topics(entry);
    for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
        let own = asked
            .get(&topic.name)
            .map(|asked| own_configs(asked))
            .unwrap_or_default();
        topic.configs = Some(describer.describe(&own));
    }
}

fn own_configs(asked: &CreatableTopic) -> BTreeMap<String, String> {
    let pair = |config: &CreatableTopicConfig| {
        Some((config.name.to_string(), config.value.as_ref()?.to_string()))
    };
    asked.configs.iter().filter_map(pair).collect()
}

fn entry(described: Described) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: described.key.into(),
        value: described.value.map(Into::into),
        read_only: described.read_only,
        config_source: described.source.wire_id(),
        is_sensitive: described.sensitive,
        ..Default::default()
    }
}

fn refuse_all(asked: &[CreatableTopic], error: ErrorCode) -> Vec<CreatableTopicResult> {
    let refused = asked.iter().map(|topic| CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error.code(),
        error_message: Some(error.text().into()),
        ..Default::default()
    });
    refused.collect()
}
