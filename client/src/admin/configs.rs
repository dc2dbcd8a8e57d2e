//! Configurations of topics, brokers, loggers, groups and clients: describe, change.

use ottla_protocol::{
    messages::{
        DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
        api::{
            describe_configs::{
                request::DescribeConfigsResource,
                response::{DescribeConfigsResourceResult, DescribeConfigsResult},
            },
            incremental_alter_configs::request::{AlterConfigsResource, AlterableConfig},
        },
    },
    types::BrokerId,
    wire::StrBytes,
};

use crate::{
    cluster::{EndpointType, Target},
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, all_at_once, divided, grouped, in_order, misdirected, no_error};

/// What a configuration belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    Topic,
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
    /// One that this build does not know.
    Other(i8),
}

impl ResourceType {
    fn on_wire(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
            Self::Other(number) => number,
        }
    }

    fn of_wire(number: i8) -> Self {
        match number {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            other => Self::Other(other),
        }
    }
}

/// A topic, a broker (the empty name: all brokers), …
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigResource {
    pub kind: ResourceType,
    pub name: String,
}

impl ConfigResource {
    pub fn new(kind: ResourceType, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// Where values come from that are set for this resource itself; a logger's have no such source.
    pub fn own_source(&self) -> Option<ConfigSource> {
        match self.kind {
            ResourceType::Topic => Some(ConfigSource::DynamicTopic),
            // Without a name: what holds for all brokers.
            ResourceType::Broker if self.name.is_empty() => {
                Some(ConfigSource::DynamicDefaultBroker)
            }
            ResourceType::Broker => Some(ConfigSource::DynamicBroker),
            ResourceType::ClientMetrics => Some(ConfigSource::DynamicClientMetrics),
            ResourceType::Group => Some(ConfigSource::DynamicGroup),
            ResourceType::BrokerLogger | ResourceType::Other(_) => None,
        }
    }

    /// Only the broker itself knows its own configuration; everything else any broker can answer.
    fn target(&self) -> Target {
        let own = matches!(self.kind, ResourceType::Broker | ResourceType::BrokerLogger);
        match self.name.parse() {
            Ok(id) if own => Target::Broker(BrokerId(id)),
            _ => Target::Any,
        }
    }
}

/// How much describing is to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescribeDetail {
    /// Where else a value could come from.
    pub synonyms: bool,
    pub documentation: bool,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    Unknown,
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    DynamicBrokerLogger,
    DynamicClientMetrics,
    DynamicGroup,
}

impl ConfigSource {
    fn of_wire(number: i8) -> Self {
        match number {
            1 => Self::DynamicTopic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::DynamicBrokerLogger,
            7 => Self::DynamicClientMetrics,
            8 => Self::DynamicGroup,
            _ => Self::Unknown,
        }
    }

    /// As the reference's tools print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::DynamicClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::DynamicGroup => "DYNAMIC_GROUP_CONFIG",
        }
    }
}

/// The type of a value, as the broker declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    Unknown,
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl ConfigType {
    fn of_wire(number: i8) -> Self {
        match number {
            1 => Self::Boolean,
            2 => Self::String,
            3 => Self::Int,
            4 => Self::Short,
            5 => Self::Long,
            6 => Self::Double,
            7 => Self::List,
            8 => Self::Class,
            9 => Self::Password,
            _ => Self::Unknown,
        }
    }
}

/// One key of a resource. Its texts are slices of the broker's answer: one has tens of thousands of keys where it is about
/// a thousand topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: StrBytes,
    /// None for sensitive values and for keys without one.
    pub value: Option<StrBytes>,
    pub source: ConfigSource,
    pub is_read_only: bool,
    pub is_sensitive: bool,
    pub synonyms: Vec<ConfigSynonym>,
    pub kind: ConfigType,
    pub documentation: Option<StrBytes>,
}

/// What is looked at of a key before anything is made of it.
#[derive(Clone, Copy, Debug)]
pub struct ConfigLook<'a> {
    pub name: &'a StrBytes,
    pub value: Option<&'a StrBytes>,
    pub source: ConfigSource,
}

/// The keys of a resource as they stand in the broker's answer.
#[derive(Debug)]
pub struct ConfigEntries(Vec<DescribeConfigsResourceResult>);

impl ConfigEntries {
    pub fn looks(&self) -> impl ExactSizeIterator<Item = ConfigLook<'_>> {
        self.0.iter().map(|config| ConfigLook {
            name: &config.name,
            value: config.value.as_ref(),
            source: ConfigSource::of_wire(config.config_source),
        })
    }

    fn whole(self) -> Vec<ConfigEntry> {
        self.0.into_iter().map(entry).collect()
    }
}

/// Another place that has a value for the key, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    pub name: StrBytes,
    pub value: Option<StrBytes>,
    pub source: ConfigSource,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterOp {
    Set(String),
    /// Back to the default.
    Delete,
    /// Adds to a list.
    Append(String),
    /// Takes from a list.
    Subtract(String),
}

impl AlterOp {
    fn on_wire(&self) -> (i8, Option<&str>) {
        match self {
            Self::Set(value) => (0, Some(value)),
            Self::Delete => (1, None),
            Self::Append(value) => (2, Some(value)),
            Self::Subtract(value) => (3, Some(value)),
        }
    }
}

/// Changes of one resource: all or none of them are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterResource {
    pub resource: ConfigResource,
    pub changes: Vec<(String, AlterOp)>,
}

/// The broker forms the next answer while one is read, and none is of megabytes.
const RESOURCES_PER_REQUEST: usize = 100;

impl Admin {
    /// All keys of the resources, or those named.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        keys: Option<&[String]>,
        detail: DescribeDetail,
    ) -> Result<Outcomes<ConfigResource, Vec<ConfigEntry>>, ClientError> {
        self.describe_configs_as(resources, keys, detail, ConfigEntries::whole)
            .await
    }

    /// The same, with each resource's keys made into something else as soon as they are there: who needs few of them makes
    /// nothing of the others and keeps no more than the answer to one request.
    pub async fn describe_configs_as<T>(
        &self,
        resources: &[ConfigResource],
        keys: Option<&[String]>,
        detail: DescribeDetail,
        form: impl Fn(ConfigEntries) -> T,
    ) -> Result<Outcomes<ConfigResource, T>, ClientError> {
        let keys = keys.map(|keys| {
            keys.iter()
                .map(|key| wire_text("the config's name", key))
                .collect::<Result<Vec<_>, _>>()
        });
        let keys = keys.transpose()?;
        let targets = resources.iter().map(|resource| {
            let target = match resource.target() {
                Target::Any => self.anyone.clone(),
                own => own,
            };
            (target, resource)
        });
        let mut questions = Vec::new();
        for (target, group) in grouped(targets) {
            for (lane, half) in divided(group) {
                for part in half.chunks(RESOURCES_PER_REQUEST) {
                    let request = DescribeConfigsRequest {
                        resources: describable(part, keys.as_deref())?,
                        include_synonyms: detail.synonyms,
                        include_documentation: detail.documentation,
                        ..Default::default()
                    };
                    questions.push((target.clone(), lane, request));
                }
            }
        }
        let asking = questions.iter().map(async |(target, lane, request)| {
            let call = self.call().lane(*lane);
            let response = self.cluster.call(target, request, call, no_error).await?;
            let results = response.results.into_iter();
            Ok::<_, ClientError>(
                results
                    .map(|result| described(result, &form))
                    .collect::<Vec<_>>(),
            )
        });
        let mut answers = Outcomes::new();
        for answer in all_at_once(asking).await {
            answers.extend(answer?);
        }
        Ok(in_order(resources.iter().cloned(), answers))
    }

    /// Changes single keys and leaves the others as they are (KIP-339).
    pub async fn alter_configs(
        &self,
        changes: &[AlterResource],
        validate_only: bool,
    ) -> Result<Outcomes<ConfigResource>, ClientError> {
        let mut answers = Outcomes::new();
        let at_controllers = self.cluster.settings().endpoint_type == EndpointType::Controller;
        // Controllers change brokers' configurations themselves.
        let target = |resource: &ConfigResource| match resource.kind {
            ResourceType::Broker if at_controllers => Target::Any,
            _ => resource.target(),
        };
        for (target, group) in grouped(
            changes
                .iter()
                .map(|change| (target(&change.resource), change)),
        ) {
            let request = IncrementalAlterConfigsRequest {
                resources: group.into_iter().map(altered).collect::<Result<_, _>>()?,
                validate_only,
                ..Default::default()
            };
            let response = self
                .cluster
                .call(&target, &request, self.call(), |response| {
                    misdirected(
                        response
                            .responses
                            .iter()
                            .map(|resource| resource.error_code),
                    )
                })
                .await?;
            answers.extend(response.responses.iter().map(|answer| {
                let kind = ResourceType::of_wire(answer.resource_type);
                let outcome = ApiError::check(answer.error_code, answer.error_message.as_deref());
                (ConfigResource::new(kind, &*answer.resource_name), outcome)
            }));
        }
        Ok(in_order(
            changes.iter().map(|change| change.resource.clone()),
            answers,
        ))
    }

    /// Resources of these types that have a configuration of their own (KIP-1142); no type means all.
    pub async fn list_config_resources(
        &self,
        kinds: &[ResourceType],
    ) -> Result<Vec<ConfigResource>, ClientError> {
        let request = ListConfigResourcesRequest {
            resource_types: kinds.iter().map(|kind| kind.on_wire()).collect(),
            ..Default::default()
        };
        // Version 0 lists client metrics only, whatever is asked.
        let only_metrics = kinds == [ResourceType::ClientMetrics];
        let call = self.call().versions(if only_metrics {
            0..=i16::MAX
        } else {
            1..=i16::MAX
        });
        let response = self
            .cluster
            .call(&self.anyone, &request, call, no_error)
            .await?;
        ApiError::check(response.error_code, None)?;
        Ok(response
            .config_resources
            .iter()
            .map(|found| {
                ConfigResource::new(
                    ResourceType::of_wire(found.resource_type),
                    &*found.resource_name,
                )
            })
            .collect())
    }
}

fn describable(
    resources: &[&ConfigResource],
    keys: Option<&[StrBytes]>,
) -> Result<Vec<DescribeConfigsResource>, ClientError> {
    let describable = |resource: &&ConfigResource| {
        Ok(DescribeConfigsResource {
            resource_type: resource.kind.on_wire(),
            resource_name: wire_text("the resource's name", &resource.name)?,
            configuration_keys: keys.map(<[StrBytes]>::to_vec),
            ..Default::default()
        })
    };
    resources.iter().map(describable).collect()
}

fn described<T>(
    result: DescribeConfigsResult,
    form: impl Fn(ConfigEntries) -> T,
) -> (ConfigResource, Result<T, ApiError>) {
    let resource = ConfigResource::new(
        ResourceType::of_wire(result.resource_type),
        &*result.resource_name,
    );
    let outcome = ApiError::check(result.error_code, result.error_message.as_deref());
    (
        resource,
        outcome.map(|()| form(ConfigEntries(result.configs))),
    )
}

fn entry(config: DescribeConfigsResourceResult) -> ConfigEntry {
    let synonyms = config.synonyms.into_iter().map(|synonym| ConfigSynonym {
        name: synonym.name,
        value: synonym.value,
        source: ConfigSource::of_wire(synonym.source),
    });
    ConfigEntry {
        name: config.name,
        value: config.value,
        source: ConfigSource::of_wire(config.config_source),
        is_read_only: config.read_only,
        is_sensitive: config.is_sensitive,
        synonyms: synonyms.collect(),
        kind: ConfigType::of_wire(config.config_type),
        documentation: config.documentation,
    }
}

fn altered(change: &AlterResource) -> Result<AlterConfigsResource, ClientError> {
    let mut configs = Vec::with_capacity(change.changes.len());
    for (name, op) in &change.changes {
        let (config_operation, value) = op.on_wire();
        configs.push(AlterableConfig {
            name: wire_text("the config's name", name)?,
            config_operation,
            value: value
                .map(|value| wire_text("the config's value", value))
                .transpose()?,
            ..Default::default()
        });
    }
    Ok(AlterConfigsResource {
        resource_type: change.resource.kind.on_wire(),
        resource_name: wire_text("the resource's name", &change.resource.name)?,
        configs,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::DescribeConfigsResponse;

    use crate::testing::{cluster_of_one, count, quick_cluster};

    use super::*;

    #[tokio::test]
    async fn many_topics_are_described_in_two_halves_and_parts_of_these() {
        let (endpoint, seen) = cluster_of_one(|request| {
            let asked = request.body::<DescribeConfigsRequest>().resources;
            let result = |resource: DescribeConfigsResource| DescribeConfigsResult {
                resource_type: resource.resource_type,
                configs: vec![DescribeConfigsResourceResult {
                    name: resource.resource_name.clone(),
                    ..Default::default()
                }],
                resource_name: resource.resource_name,
                ..Default::default()
            };
            request.answer(&DescribeConfigsResponse {
                results: asked.into_iter().map(result).collect(),
                ..Default::default()
            })
        })
        .await;
        let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
        let names = (0..301).map(|number| format!("topic-{number}"));
        let topics: Vec<ConfigResource> = names
            .map(|name| ConfigResource::new(ResourceType::Topic, name))
            .collect();
        let detail = DescribeDetail::default();
        let described = admin.describe_configs(&topics, None, detail).await.unwrap();
        assert_eq!(described.len(), 301);
        for (asked, (resource, outcome)) in topics.iter().zip(described) {
            assert_eq!(resource, *asked);
            assert_eq!(outcome.unwrap()[0].name, asked.name.as_str());
        }
        assert_eq!(count::<DescribeConfigsRequest>(&seen), 4);
    }
}
