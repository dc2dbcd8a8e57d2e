//! DescribeConfigs (32).
//!
//! - v1: synonyms, and where each value comes from (KIP-226).
//! - v3: types and documentation (KIP-569).

use std::collections::HashSet;

use ottla_config::resolve::{BrokerConfig, Described, Source};
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
}

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeConfigsRequest,
) -> Answer<DescribeConfigsResponse> {
    let broker = context.broker;
    let (config, image) = (broker.config.load(), broker.image.load());
    let source = View {
        node_id: broker.settings.node_id,
        config: &config,
        image: &image,
        loggers: &broker.loggers,
    };
    let wanted = Wanted {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
    };
    // Each is described once: an answer must not grow by repeating one resource.
    let mut seen = HashSet::with_capacity(request.resources.len());
    let results = request
        .resources
        .iter()
        .filter(|resource| seen.insert((resource.resource_type, resource.resource_name.as_str())))
        .map(|resource| source.describe(resource, wanted));
    Answer::now(DescribeConfigsResponse {
        results: results.collect(),
        ..Default::default()
    })
}

impl View<'_> {
    fn describe(
        &self,
        resource: &DescribeConfigsResource,
        wanted: Wanted,
    ) -> DescribeConfigsResult {
        let (error, entries) = match self.entries(resource) {
            Ok(entries) => (None, entries),
            Err(error) => (Some(error), Vec::new()),
        };
        let keys = resource.configuration_keys.as_deref().unwrap_or_default();
        let is_asked =
            |entry: &Described| keys.is_empty() || keys.iter().any(|key| key.as_str() == entry.key);
        let configs = entries
            .into_iter()
            .filter(is_asked)
            .map(|entry| result(entry, wanted));
        DescribeConfigsResult {
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.as_ref().and_then(ApiError::text),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs: configs.collect(),
            ..Default::default()
        }
    }

    fn entries(&self, resource: &DescribeConfigsResource) -> Result<Vec<Described>, ApiError> {
        let name = resource.resource_name.as_str();
        if resource.resource_type == BROKER_LOGGER {
            return self.loggers(name);
        }
        let resource_type = ConfigResourceType::from_number(resource.resource_type);
        let own = |resource_type| self.image.configs().of(resource_type, name);
        match resource_type {
            Some(ConfigResourceType::Topic) => {
                validate_topic_name(name)?;
                if self.image.topics().by_name(name).is_none() {
                    return Err(ApiError {
                        code: ErrorCode::UnknownTopicOrPartition,
                        message: None,
                    });
                }
                Ok(self.config.describe_topic(own(ConfigResourceType::Topic)))
            }
            Some(ConfigResourceType::Broker) if name.is_empty() => {
                Ok(self.config.describe_broker_defaults())
            }
            Some(ConfigResourceType::Broker) => {
                if parse_broker_id(name)? != self.node_id {
                    return Err(refuse(format!(
                        "Unexpected broker id, expected {} or empty string, but received {name}",
                        self.node_id
                    )));
                }
                Ok(self.config.describe_broker())
            }
            Some(ConfigResourceType::Group) if name.is_empty() => {
                Err(refuse("Group name must not be empty".to_owned()))
            }
            Some(ConfigResourceType::Group) => {
                Ok(self.config.describe_group(own(ConfigResourceType::Group)))
            }
            Some(ConfigResourceType::ClientMetrics) if name.is_empty() => Err(refuse(
                "Client metrics subscription name must not be empty".to_owned(),
            )),
            Some(ConfigResourceType::ClientMetrics) => Ok(Vec::new()),
            None => Err(refuse(format!(
                "Unexpected resource type {} for resource {name}",
                resource.resource_type
            ))),
        }
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
        documentation: wanted.documentation.then(|| entry.doc.into()),
        ..Default::default()
    }
}

const UNKNOWN_TYPE: i8 = 0;
