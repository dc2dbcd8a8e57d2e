//! Brokers of an image.

use std::collections::BTreeMap;

use ottla_protocol::messages::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::messages::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord, UnregisterBrokerRecord,
};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;

/// Registered brokers by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterImage {
    brokers: BTreeMap<BrokerId, BrokerImage>,
}

/// One registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerImage {
    pub id: BrokerId,
    pub epoch: i64,
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    /// Name, lowest and highest level of each feature that the broker can do.
    pub features: Vec<(String, i16, i16)>,
    pub rack: Option<String>,
    /// A fenced broker leads nothing and is in no in-sync set.
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    pub log_dirs: Vec<Uuid>,
}

/// Where clients or brokers reach a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub security_protocol: i16,
}

impl ClusterImage {
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&BrokerImage> {
        self.brokers.get(&id)
    }

    /// All registered brokers by id.
    pub fn iter(&self) -> impl Iterator<Item = &BrokerImage> {
        self.brokers.values()
    }

    /// Whether the broker can lead and be in sync.
    #[must_use]
    pub fn is_active(&self, id: BrokerId) -> bool {
        self.broker(id)
            .is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    pub(super) fn register(&mut self, record: &RegisterBrokerRecord) {
        let broker = BrokerImage {
            id: BrokerId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            endpoints: record.end_points.iter().map(endpoint).collect(),
            features: record
                .features
                .iter()
                .map(|feature| {
                    (
                        feature.name.to_string(),
                        feature.min_supported_version,
                        feature.max_supported_version,
                    )
                })
                .collect(),
            rack: record.rack.as_ref().map(ToString::to_string),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
        };
        self.brokers.insert(broker.id, broker);
    }

    pub(super) fn unregister(&mut self, record: &UnregisterBrokerRecord) {
        self.brokers.remove(&BrokerId(record.broker_id));
    }

    pub(super) fn change(&mut self, record: &BrokerRegistrationChangeRecord) {
        let Some(broker) = self.brokers.get_mut(&BrokerId(record.broker_id)) else {
            return;
        };
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if record.in_controlled_shutdown != 0 {
            broker.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            broker.log_dirs.clone_from(&record.log_dirs);
        }
    }

    pub(super) fn set_fenced(&mut self, id: i32, fenced: bool) {
        if let Some(broker) = self.brokers.get_mut(&BrokerId(id)) {
            broker.fenced = fenced;
        }
    }

    pub(super) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for broker in self.brokers.values() {
            records.push(MetadataRecord::RegisterBroker(broker.to_record()));
        }
    }
}

impl BrokerImage {
    pub(in crate::controller) fn to_record(&self) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            broker_id: self.id.0,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self
                .endpoints
                .iter()
                .map(|endpoint| BrokerEndpoint {
                    name: endpoint.name.as_str().into(),
                    host: endpoint.host.as_str().into(),
                    port: endpoint.port,
                    security_protocol: endpoint.security_protocol,
                    ..Default::default()
                })
                .collect(),
            features: self
                .features
                .iter()
                .map(|(name, min, max)| BrokerFeature {
                    name: name.into(),
                    min_supported_version: *min,
                    max_supported_version: *max,
                    ..Default::default()
                })
                .collect(),
            rack: self.rack.as_deref().map(Into::into),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.log_dirs.clone(),
            ..Default::default()
        }
    }
}

fn endpoint(endpoint: &BrokerEndpoint) -> Endpoint {
    Endpoint {
        name: endpoint.name.to_string(),
        host: endpoint.host.to_string(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
    }
}
