//! What the controller asks about configuration keys, answered from the tables of `ottla-config`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::def::{Table, Type};
use ottla_config::resolve::BrokerConfig;
use ottla_config::{ConfigError, broker, group, topic};
use ottla_coordination::controller::{
    ApiError, ConfigResourceType, ConfigRules, validate_topic_name,
};
use ottla_protocol::errors::ErrorCode;

/// The tables, and the configuration in force, which bounds what topics and groups may have.
#[derive(Debug)]
pub(crate) struct Rules {
    config: Arc<ArcSwap<BrokerConfig>>,
}

impl Rules {
    pub(crate) fn new(config: Arc<ArcSwap<BrokerConfig>>) -> Self {
        Self { config }
    }
}

/// The table of a resource's keys. Client metrics have none yet.
pub(crate) fn table_of(resource: ConfigResourceType) -> Option<&'static Table> {
    match resource {
        ConfigResourceType::Topic => Some(&topic::TABLE),
        ConfigResourceType::Broker => Some(&broker::TABLE),
        ConfigResourceType::Group => Some(&group::TABLE),
        ConfigResourceType::ClientMetrics => None,
    }
}

impl ConfigRules for Rules {
    fn is_list(&self, resource: ConfigResourceType, key: &str) -> bool {
        let def = table_of(resource).and_then(|table| table.lookup(key));
        def.is_some_and(|def| def.ty == Type::List)
    }

    fn default_value(&self, resource: ConfigResourceType, key: &str) -> Option<String> {
        let def = table_of(resource)?.lookup(key)?;
        def.default_text().map(str::to_owned)
    }

    fn validate(
        &self,
        resource: ConfigResourceType,
        name: &str,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let config = self.config.load();
        match resource {
            ConfigResourceType::Topic => {
                if name.is_empty() {
                    return Err(refuse("Default topic resources are not allowed."));
                }
                validate_topic_name(name)?;
                config.check_topic(configs).map_err(|error| invalid(&error))
            }
            ConfigResourceType::Group => {
                if name.is_empty() {
                    return Err(refuse("Default group resources are not allowed."));
                }
                config.check_group(configs).map_err(|error| invalid(&error))
            }
            ConfigResourceType::Broker => check_broker_name(name),
            ConfigResourceType::ClientMetrics => Err(refuse(
                "Client metrics subscriptions are not supported by this broker.",
            )),
        }
    }
}

fn check_broker_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Ok(());
    }
    match name.parse::<i32>() {
        Ok(0..) => Ok(()),
        Ok(_) => Err(refuse("Invalid negative broker ID.")),
        Err(_) => Err(refuse("Unable to parse broker name as a base 10 number.")),
    }
}

fn refuse(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

pub(crate) fn invalid(error: &ConfigError) -> ApiError {
    ApiError::new(ErrorCode::InvalidConfig, error.to_string())
}
