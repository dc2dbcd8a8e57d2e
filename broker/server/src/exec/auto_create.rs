//! Topics that come into being because a client asked for them (`auto.create.topics.enable`), and those that the
//! broker needs for itself.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_config::resolve::Settings;
use ottla_coordination::controller::{Command, NewTopic, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_topics::request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::wire::StrBytes;

use crate::broker::Broker;
use crate::data_dirs::{random_id, random_number};

pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
pub(crate) const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// "As the broker's default says."
const DEFAULT: i32 = -1;

pub(crate) fn is_enabled(broker: &Broker) -> bool {
    broker
        .config
        .load()
        .settings()
        .boolean("auto.create.topics.enable")
}

/// How many partitions the topic of offsets has, or will have.
pub(crate) fn offsets_partitions(broker: &Broker) -> i32 {
    let image = broker.image.load();
    let count = match image.topics().by_name(OFFSETS_TOPIC) {
        Some(topic) => i64::try_from(topic.partitions().len()).unwrap_or(i64::MAX),
        None => broker
            .config
            .load()
            .settings()
            .number("offsets.topic.num.partitions"),
    };
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Creates topics, internal ones as they have to be and others with the broker's defaults; the errors of those that
/// could not be. A topic that somebody else created meanwhile is no error.
pub(crate) async fn create(
    broker: &Arc<Broker>,
    names: Vec<StrBytes>,
) -> HashMap<StrBytes, ErrorCode> {
    let config = broker.config.load_full();
    let new_topic = |name: &StrBytes| NewTopic {
        topic: creatable(name, config.settings()),
        topic_id: random_id(),
    };
    let command = Command::CreateTopics {
        topics: names.iter().map(new_topic).collect(),
        placement_start: random_number(),
        validate_only: false,
    };
    match broker.controller.ask(broker, command).await {
        Ok(Response::CreateTopics(results)) => results
            .into_iter()
            .filter_map(|result| {
                let error = ErrorCode::from_code(result.error_code);
                if matches!(error, ErrorCode::None | ErrorCode::TopicAlreadyExists) {
                    return None;
                }
                let reason = result.error_message.as_deref().unwrap_or_default();
                broker.log_limits.topic_not_created(&result.name, reason);
                Some((result.name, error))
            })
            .collect(),
        other => {
            let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
            names.into_iter().map(|name| (name, error)).collect()
        }
    }
}

fn creatable(name: &StrBytes, settings: &Settings) -> CreatableTopic {
    let number = |key: &str| i32::try_from(settings.number(key)).unwrap_or(i32::MAX);
    let short = |key: &str| i16::try_from(settings.number(key)).unwrap_or(i16::MAX);
    let (num_partitions, replication_factor, configs) = match name.as_str() {
        OFFSETS_TOPIC => (
            number("offsets.topic.num.partitions"),
            short("offsets.topic.replication.factor"),
            vec![
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "producer".to_owned()),
                (
                    "segment.bytes",
                    settings.number("offsets.topic.segment.bytes").to_string(),
                ),
            ],
        ),
        TRANSACTIONS_TOPIC => (
            number("transaction.state.log.num.partitions"),
            short("transaction.state.log.replication.factor"),
            vec![
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "uncompressed".to_owned()),
                (
                    "min.insync.replicas",
                    settings.number("transaction.state.log.min.isr").to_string(),
                ),
                (
                    "segment.bytes",
                    settings
                        .number("transaction.state.log.segment.bytes")
                        .to_string(),
                ),
                ("unclean.leader.election.enable", "false".to_owned()),
            ],
        ),
        _ => (DEFAULT, -1, Vec::new()),
    };
    let config = |(name, value): (&str, String)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
        ..Default::default()
    };
    CreatableTopic {
        name: name.clone(),
        num_partitions,
        replication_factor,
        configs: configs.into_iter().map(config).collect(),
        ..Default::default()
    }
}
