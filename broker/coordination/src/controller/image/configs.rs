//! Dynamic configurations of an image.

use std::collections::BTreeMap;

use ottla_protocol::messages::metadata::{ConfigRecord, MetadataRecord};

use crate::controller::ConfigResourceType;

type Resource = (i8, String);

/// What has been set, by resource and key. The cluster-wide defaults of brokers are the broker named "".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigsImage {
    by_resource: BTreeMap<Resource, BTreeMap<String, String>>,
}

impl ConfigsImage {
    /// What is set for the resource; empty where nothing is.
    #[must_use]
    pub fn of(&self, resource: ConfigResourceType, name: &str) -> &BTreeMap<String, String> {
        static NOTHING: BTreeMap<String, String> = BTreeMap::new();
        let resource = (resource.number(), name.to_owned());
        self.by_resource.get(&resource).unwrap_or(&NOTHING)
    }

    /// All names of a type that have something set.
    pub fn names(&self, resource: ConfigResourceType) -> impl Iterator<Item = &str> {
        self.by_resource
            .keys()
            .filter(move |(number, _)| *number == resource.number())
            .map(|(_, name)| name.as_str())
    }

    pub(super) fn set(&mut self, record: &ConfigRecord) {
        let resource = (record.resource_type, record.resource_name.to_string());
        let Some(value) = &record.value else {
            self.remove(&resource, &record.name);
            return;
        };
        let configs = self.by_resource.entry(resource).or_default();
        configs.insert(record.name.to_string(), value.to_string());
    }

    fn remove(&mut self, resource: &Resource, key: &str) {
        if let Some(configs) = self.by_resource.get_mut(resource) {
            configs.remove(key);
            if configs.is_empty() {
                self.by_resource.remove(resource);
            }
        }
    }

    pub(super) fn remove_topic(&mut self, name: &str) {
        let resource = (ConfigResourceType::Topic.number(), name.to_owned());
        self.by_resource.remove(&resource);
    }

    pub(super) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for ((resource_type, resource_name), configs) in &self.by_resource {
            for (name, value) in configs {
                records.push(MetadataRecord::Config(ConfigRecord {
                    resource_type: *resource_type,
                    resource_name: resource_name.into(),
                    name: name.into(),
                    value: Some(value.into()),
                    ..Default::default()
                }));
            }
        }
    }
}
