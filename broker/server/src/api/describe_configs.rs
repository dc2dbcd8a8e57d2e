//! DescribeConfigs (32).
//!
//! - v1: synonyms, and where each value comes from (KIP-226).
//! - v3: types and documentation (KIP-569).

use std::cell::OnceCell;
use std::collections::HashSet;

use ottla_config::resolve::{BrokerConfig, Described, Source, TopicDescriber};
use ottla_coordination::controller::{
    ApiError, ConfigResourceType, MetadataImage, validate_topic_name,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_configs::request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs::response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::StrBytes;

use super::config_resource::{BROKER_LOGGER, parse_broker_id, refuse};
use super::{Answer, Context};
use crate::loggers::Loggers;

/// Which parts of an entry the client wants.
#[derive(Clone, Copy)]
struct Wanted {
    synonyms: bool,
    documentation: bool,
}

/// What is described, as it was when the request began.
struct View<'a> {
    node_id: BrokerId,
    config: &'a BrokerConfig,
    image: &'a MetadataImage,
    loggers: &'a Loggers,
    wanted: Wanted,
    /// For the first topic and those after it.
    topics: OnceCell<TopicDescriber<'a, DescribeConfigsResourceResult>>,
}

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeConfigsRequest,
) -> Answer<DescribeConfigsResponse> {
    let broker = context.broker;
    let (config, image) = (broker.config.load(), broker.image.load());
    let view = View {
        node_id: broker.settings.node_id,
        config: &config,
        image: &image,
        loggers: &broker.loggers,
        wanted: Wanted {
            synonyms: request.include_synonyms,
            documentation: request.include_documentation,
        },
        topics: OnceCell::new(),
    };
    // Each is described once: an answer must not grow by repeating one resource.
    let mut seen = HashSet::with_capacity(request.resources.len());
    let results = request
        .resources
        .iter()
        .filter(|resource| seen.insert((resource.resource_type, resource.resource_name.as_str())))
        .map(|resource| view.describe(resource));
    Answer::now(DescribeConfigsResponse {
        results: results.collect(),
        ..Default::default()
    })
}

impl View<'_> {
    fn describe(&self, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
        let (error, mut configs) = match self.entries(resource) {
            Ok(entries) => (None, entries),
            Err(error) => (Some(error), Vec::new()),
        };
        let keys = resource.configuration_keys.as_deref().unwrap_or_default();
        match keys {
            [] => configs.retain(|entry| !is_default_of_ours(entry)),
            keys => configs.retain(|entry| keys.contains(&entry.name)),
        }
        DescribeConfigsResult {
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.as_ref().and_then(ApiError::text),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs,
            ..Default::default()
        }
    }

    fn entries(
        &self,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
        let name = resource.resource_name.as_str();
        let described = match ConfigResourceType::from_number(resource.resource_type) {
            _ if resource.resource_type == BROKER_LOGGER => self.loggers(name)?,
            Some(ConfigResourceType::Topic) => return self.topic(name),
            Some(ConfigResourceType::Broker) if name.is_empty() => {
                self.config.describe_broker_defaults()
            }
            Some(ConfigResourceType::Broker) => {
                if parse_broker_id(name)? != self.node_id {
                    return Err(refuse(format!(
                        "Unexpected broker id, expected {} or empty string, but received {name}",
                        self.node_id
                    )));
                }
                self.config.describe_broker()
            }
            Some(ConfigResourceType::Group) if name.is_empty() => {
                return Err(refuse("Group name must not be empty".to_owned()));
            }
            Some(ConfigResourceType::Group) => {
                let own = self.image.configs().of(ConfigResourceType::Group, name);
                self.config.describe_group(own)
            }
            Some(ConfigResourceType::ClientMetrics) if name.is_empty() => {
                return Err(refuse(
                    "Client metrics subscription name must not be empty".to_owned(),
                ));
            }
            Some(ConfigResourceType::ClientMetrics) => Vec::new(),
            None => {
                return Err(refuse(format!(
                    "Unexpected resource type {} for resource {name}",
                    resource.resource_type
                )));
            }
        };
        let entries = described.into_iter();
        Ok(entries.map(|entry| result(entry, self.wanted)).collect())
    }

    fn topic(&self, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
        validate_topic_name(name)?;
        if self.image.topics().by_name(name).is_none() {
            return Err(ApiError {
                code: ErrorCode::UnknownTopicOrPartition,
                message: None,
            });
        }
        let topics = self.topics.get_or_init(|| {
            let wanted = self.wanted;
            self.config
                .describe_topics(move |entry| result(entry, wanted))
        });
        Ok(topics.describe(self.image.configs().of(ConfigResourceType::Topic, name)))
    }

    fn loggers(&self, name: &str) -> Result<Vec<Described>, ApiError> {
        if name.is_empty() {
            return Err(refuse("Broker id must not be empty".to_owned()));
        }
        if parse_broker_id(name)? != self.node_id {
            return Err(refuse(format!(
                "Unexpected broker id, expected {} but received {name}",
                self.node_id
            )));
        }
        let described = |(name, level): (&str, &str)| Described {
            key: name.to_owned(),
            value: Some(level.to_owned()),
            source: Source::BrokerLogger,
            sensitive: false,
            read_only: false,
            ty: None,
            synonyms: Vec::new(),
            doc: "",
        };
        Ok(self.loggers.levels().into_iter().map(described).collect())
    }
}

/// Where all keys are asked for, those that the reference does not have are told only where somebody has set them: whoever
/// compares whole configurations with those of Kafka's brokers finds what is there.
fn is_default_of_ours(entry: &DescribeConfigsResourceResult) -> bool {
    entry.config_source == Source::Default.wire_id() && entry.name.as_str().starts_with("ottla.")
}

fn result(entry: Described, wanted: Wanted) -> DescribeConfigsResourceResult {
    let synonyms = entry
        .synonyms
        .into_iter()
        .map(|synonym| DescribeConfigsSynonym {
            name: synonym.key.into(),
            value: synonym.value.map(Into::into),
            source: synonym.source.wire_id(),
            ..Default::default()
        });
    DescribeConfigsResourceResult {
        name: entry.key.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source.wire_id(),
        is_sensitive: entry.sensitive,
        synonyms: if wanted.synonyms {
            synonyms.collect()
        } else {
            Vec::new()
        },
        config_type: entry.ty.map_or(UNKNOWN_TYPE, |ty| ty.wire_id()),
        documentation: wanted
            .documentation
            .then(|| StrBytes::from_static(entry.doc)),
        ..Default::default()
    }
}

const UNKNOWN_TYPE: i8 = 0;
