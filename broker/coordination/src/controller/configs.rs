//! IncrementalAlterConfigs and AlterConfigs.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::features::ELIGIBLE_LEADER_REPLICAS;
use ottla_protocol::messages::metadata::{ConfigRecord, MetadataRecord};
use ottla_protocol::types::BrokerId;

use super::Controller;
use super::commands::{AlterConfigsResource, ApiError, ConfigChange, ConfigOperation, Response};
use super::rules::ConfigResourceType;

/// A value travels in a record with a two-byte length.
const VALUE_BYTES_MAX: usize = 32_767;
pub(super) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What a resource's configuration becomes: a value for each key to set, none for each to remove.
type Altered = BTreeMap<String, Option<String>>;

impl Controller {
    pub(super) fn incremental_alter_configs(
        &self,
        resources: &[AlterConfigsResource],
        validate_only: bool,
    ) -> (Vec<MetadataRecord>, Response) {
        self.alter_each(resources, validate_only, |resource_type, resource| {
            self.incremental_changes(resource_type, resource)
        })
    }

    pub(super) fn alter_configs(
        &self,
        resources: &[AlterConfigsResource],
        validate_only: bool,
    ) -> (Vec<MetadataRecord>, Response) {
        self.alter_each(resources, validate_only, |resource_type, resource| {
            self.replacing_changes(resource_type, resource)
        })
    }

    fn alter_each(
        &self,
        resources: &[AlterConfigsResource],
        validate_only: bool,
        changes: impl Fn(ConfigResourceType, &AlterConfigsResource) -> Result<Altered, ApiError>,
    ) -> (Vec<MetadataRecord>, Response) {
        let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
        for resource in resources {
            let key = (resource.resource_type, resource.resource_name.as_str());
            *counts.entry(key).or_default() += 1;
        }
        let mut records = Vec::new();
        let verdicts = resources.iter().map(|resource| {
            let key = (resource.resource_type, resource.resource_name.as_str());
            if counts.get(&key).is_some_and(|count| *count > 1) {
                return Err(ApiError::new(
                    ErrorCode::InvalidRequest,
                    "Each resource must appear at most once.",
                ));
            }
            let resource_type = ConfigResourceType::from_number(resource.resource_type)
                .ok_or_else(|| {
                    ApiError::new(
                        ErrorCode::InvalidRequest,
                        format!("Unknown resource type {}", resource.resource_type),
                    )
                })?;
            check_changes(&resource.changes)?;
            let altered = changes(resource_type, resource)?;
            self.check(resource_type, resource, &altered)?;
            self.write_changes(resource_type, resource, altered, &mut records);
            Ok(())
        });
        let verdicts = verdicts.collect();
        if validate_only {
            records.clear();
        }
        (records, Response::AlterConfigs(verdicts))
    }

    fn incremental_changes(
        &self,
        resource_type: ConfigResourceType,
        resource: &AlterConfigsResource,
    ) -> Result<Altered, ApiError> {
        let current = self
            .image
            .configs()
            .of(resource_type, &resource.resource_name);
        let mut altered = Altered::new();
        for change in &resource.changes {
            let key = change.name.to_string();
            let given = change.value.as_deref().unwrap_or_default();
            let value = match change.operation {
                ConfigOperation::Delete => None,
                ConfigOperation::Set => Some(given.to_owned()),
                operation => Some(self.changed_list(
                    resource_type,
                    &key,
                    current.get(&key).map(String::as_str),
                    operation,
                    given,
                )?),
            };
            altered.insert(key, value);
        }
        Ok(altered)
    }

    fn changed_list(
        &self,
        resource_type: ConfigResourceType,
        key: &str,
        current: Option<&str>,
        operation: ConfigOperation,
        value: &str,
    ) -> Result<String, ApiError> {
        let verb = if operation == ConfigOperation::Append {
            "APPEND"
        } else {
            "SUBTRACT"
        };
        if !self.rules.is_list(resource_type, key) {
            return Err(ApiError::new(
                ErrorCode::InvalidConfig,
                format!("Can't {verb} to key {key} because its type is not LIST."),
            ));
        }
        let default = self.rules.default_value(resource_type, key);
        let in_force = current.or(default.as_deref()).unwrap_or_default();
        let mut items: Vec<&str> = in_force
            .split(',')
            .filter(|item| !item.is_empty())
            .collect();
        for item in value.split(',') {
            let place = items.iter().position(|held| *held == item);
            match (operation, place) {
                (ConfigOperation::Append, None) => items.push(item),
                (ConfigOperation::Subtract, Some(place)) => {
                    items.remove(place);
                }
                _ => {}
            }
        }
        Ok(items.join(","))
    }

    /// Sets what is given and removes everything else.
    fn replacing_changes(
        &self,
        resource_type: ConfigResourceType,
        resource: &AlterConfigsResource,
    ) -> Result<Altered, ApiError> {
        let current = self
            .image
            .configs()
            .of(resource_type, &resource.resource_name);
        let mut altered: Altered = current.keys().map(|key| (key.clone(), None)).collect();
        for change in &resource.changes {
            let value = change.value.as_ref().map(ToString::to_string);
            altered.insert(change.name.to_string(), value);
        }
        Ok(altered)
    }

    fn check(
        &self,
        resource_type: ConfigResourceType,
        resource: &AlterConfigsResource,
        altered: &Altered,
    ) -> Result<(), ApiError> {
        let name = resource.resource_name.as_str();
        let too_long = |value: &Option<String>| {
            value
                .as_ref()
                .is_some_and(|value| value.len() > VALUE_BYTES_MAX)
        };
        if altered.values().any(too_long) {
            return Err(ApiError::new(
                ErrorCode::InvalidConfig,
                "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
            ));
        }
        self.check_min_insync_replicas(resource_type, name, altered)?;
        let mut all = self.image.configs().of(resource_type, name).clone();
        for (key, value) in altered {
            match value {
                Some(value) => {
                    all.insert(key.clone(), value.clone());
                }
                None => {
                    all.remove(key);
                }
            }
        }
        self.rules.validate(resource_type, name, &all)?;
        self.check_existence(resource_type, name)
    }

    /// Where eligible leader replicas are on, one cluster-wide value is what they reckon with (KIP-966).
    fn check_min_insync_replicas(
        &self,
        resource_type: ConfigResourceType,
        name: &str,
        altered: &Altered,
    ) -> Result<(), ApiError> {
        let elr_is_on = self
            .image
            .features()
            .get(ELIGIBLE_LEADER_REPLICAS)
            .is_some_and(|level| *level > 0);
        if !elr_is_on || resource_type != ConfigResourceType::Broker {
            return Ok(());
        }
        match altered.get(MIN_INSYNC_REPLICAS) {
            Some(_) if !name.is_empty() => Err(ApiError::new(
                ErrorCode::InvalidConfig,
                "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
            )),
            Some(None) => Err(ApiError::new(
                ErrorCode::InvalidConfig,
                "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
            )),
            _ => Ok(()),
        }
    }

    fn check_existence(
        &self,
        resource_type: ConfigResourceType,
        name: &str,
    ) -> Result<(), ApiError> {
        match resource_type {
            ConfigResourceType::Topic if self.image.topics().by_name(name).is_none() => {
                Err(ApiError::new(
                    ErrorCode::UnknownTopicOrPartition,
                    format!("The topic '{name}' does not exist."),
                ))
            }
            // The broker without a name stands for all of them.
            ConfigResourceType::Broker if !name.is_empty() => self.check_broker_exists(name),
            _ => Ok(()),
        }
    }

    fn check_broker_exists(&self, name: &str) -> Result<(), ApiError> {
        let id: i32 = name.parse().map_err(|_| {
            ApiError::new(
                ErrorCode::InvalidRequest,
                format!("Invalid broker name {name}"),
            )
        })?;
        if self.image.cluster().broker(BrokerId(id)).is_none() {
            return Err(ApiError::new(
                ErrorCode::BrokerIdNotRegistered,
                format!("No node with id {id} found."),
            ));
        }
        Ok(())
    }

    fn write_changes(
        &self,
        resource_type: ConfigResourceType,
        resource: &AlterConfigsResource,
        altered: Altered,
        records: &mut Vec<MetadataRecord>,
    ) {
        let current = self
            .image
            .configs()
            .of(resource_type, &resource.resource_name);
        for (key, value) in altered {
            // A broker reloads files that a value names even where the value stays: it gets its record always.
            if resource_type != ConfigResourceType::Broker && current.get(&key) == value.as_ref() {
                continue;
            }
            records.push(MetadataRecord::Config(ConfigRecord {
                resource_type: resource_type.number(),
                resource_name: resource.resource_name.clone(),
                name: key.into(),
                value: value.map(Into::into),
                ..Default::default()
            }));
        }
    }
}

/// Each key once, and with a value unless it is to go.
fn check_changes(changes: &[ConfigChange]) -> Result<(), ApiError> {
    let keys: BTreeSet<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    if keys.len() != changes.len() {
        return Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "Error due to duplicate config keys",
        ));
    }
    let without_value: Vec<&str> = changes
        .iter()
        .filter(|change| change.operation != ConfigOperation::Delete && change.value.is_none())
        .map(|change| change.name.as_str())
        .collect();
    if without_value.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidRequest,
        format!(
            "Null value not supported for : {}",
            without_value.join(", ")
        ),
    ))
}
