//! Features and their levels (KIP-584, KIP-1022): the first of a new log, and UpdateFeatures.
//!
//! Always: a request raises and lowers all that it names, or nothing; no level is finalised that this build cannot go on
//! with. Not here: the level that the quorum keeps in its own records; what is decided of it, the shell writes.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::features::{
    DIRECTORIES_FROM, ELIGIBLE_LEADER_REPLICAS, Feature, KRAFT_VERSION, METADATA_VERSION,
    MetadataVersion,
};
use ottla_protocol::messages::metadata::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionChangeRecord,
};

use super::Controller;
use super::commands::{ApiError, FeatureUpdate, Response, UpgradeType};
use super::configs::MIN_INSYNC_REPLICAS;
use super::directories::SAME_LEADER;
use super::image::PartitionImage;
use super::rules::ConfigResourceType;

impl Controller {
    /// Levels only rise here: it is for a log without any.
    pub(super) fn set_feature(&self, name: &str, level: i16) -> (Vec<MetadataRecord>, Response) {
        let current = self.level(name);
        if level < current {
            let error = needs_upgrade_type(name, level);
            return (Vec::new(), Response::SetFeature(Err(error)));
        }
        let records = (level != current).then(|| level_record(name, level));
        (records.into_iter().collect(), Response::SetFeature(Ok(())))
    }

    pub(super) fn update_features(
        &self,
        updates: &[FeatureUpdate],
        kraft_version: i16,
        validate_only: bool,
    ) -> (Vec<MetadataRecord>, Response) {
        match self.updated(updates, kraft_version) {
            Err(error) => (Vec::new(), Response::UpdateFeatures(Err(error))),
            Ok(_) if validate_only => (Vec::new(), Response::UpdateFeatures(Ok(()))),
            Ok(records) => (records, Response::UpdateFeatures(Ok(()))),
        }
    }

    fn updated(
        &self,
        updates: &[FeatureUpdate],
        kraft_version: i16,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        // What one feature needs of another may come with the same request.
        let mut proposed = self.image.features().clone();
        proposed.insert(KRAFT_VERSION.to_owned(), kraft_version);
        proposed.extend(
            updates
                .iter()
                .map(|update| (update.name.clone(), update.level)),
        );
        let mut records = Vec::new();
        for update in updates {
            let current = match &*update.name {
                KRAFT_VERSION => kraft_version,
                name => self.level(name),
            };
            let way = self.check_range_and_way(update, current)?;
            match &*update.name {
                METADATA_VERSION => {
                    check_metadata_version(current, update.level, way)?;
                    records.push(level_record(METADATA_VERSION, update.level));
                    if current < DIRECTORIES_FROM && update.level >= DIRECTORIES_FROM {
                        self.say_directories(&mut records);
                    }
                }
                KRAFT_VERSION => check_kraft_version(current, update.level)?,
                name => {
                    check_needs(name, update.level, &proposed)?;
                    if name == ELIGIBLE_LEADER_REPLICAS && update.level > 0 {
                        self.make_min_insync_replicas_the_clusters(&mut records);
                    }
                    records.push(level_record(name, update.level));
                }
            }
        }
        Ok(records)
    }

    fn level(&self, name: &str) -> i16 {
        self.image.features().get(name).copied().unwrap_or(0)
    }

    /// That the level is one of this build, and that the request allows the way to it.
    fn check_range_and_way(
        &self,
        update: &FeatureUpdate,
        current: i16,
    ) -> Result<UpgradeType, ApiError> {
        let (name, level) = (&*update.name, update.level);
        let Some(way) = update.upgrade_type else {
            let reason = "The controller does not support the given upgrade type.";
            return Err(invalid(name, level, reason));
        };
        if level < 0 {
            let reason = "A feature version cannot be less than 0.";
            return Err(invalid(name, level, reason));
        }
        let known = self.settings.features.iter();
        let (min, max) = known
            .clone()
            .find(|feature| feature.name == name)
            .map_or((0, 0), |feature| (feature.min, feature.max));
        if !(min..=max).contains(&level) {
            let range = match max {
                0 => "does not support this feature.".to_owned(),
                _ => format!("only supports versions {min}-{max}"),
            };
            let reason = format!("Local controller {} {range}", self.settings.node_id);
            return Err(invalid(name, level, &reason));
        }
        if level < current && way == UpgradeType::Upgrade {
            return Err(needs_upgrade_type(name, level));
        }
        if level > current && way != UpgradeType::Upgrade {
            let reason = "Can't downgrade to a newer version.";
            return Err(invalid(name, level, reason));
        }
        Ok(way)
    }

    /// With eligible leader replicas one value for all brokers is what counts (KIP-966).
    fn make_min_insync_replicas_the_clusters(&self, records: &mut Vec<MetadataRecord>) {
        let configs = self.image.configs();
        let of_broker = |name: &str| configs.of(ConfigResourceType::Broker, name);
        let mut set = |broker: &str, value: Option<String>| {
            records.push(MetadataRecord::Config(ConfigRecord {
                resource_type: ConfigResourceType::Broker.number(),
                resource_name: broker.into(),
                name: MIN_INSYNC_REPLICAS.into(),
                value: value.map(Into::into),
                ..Default::default()
            }));
        };
        if !of_broker("").contains_key(MIN_INSYNC_REPLICAS) {
            set("", Some(self.settings.min_insync_replicas.to_string()));
        }
        let brokers = configs.names(ConfigResourceType::Broker);
        for broker in brokers.filter(|broker| !broker.is_empty()) {
            if of_broker(broker).contains_key(MIN_INSYNC_REPLICAS) {
                set(broker, None);
            }
        }
    }

    /// What brokers have said of directories while the log had no place for it.
    fn say_directories(&self, records: &mut Vec<MetadataRecord>) {
        for broker in self.image.cluster().iter() {
            records.push(MetadataRecord::RegisterBroker(broker.to_record()));
        }
        for topic in self.image.topics().iter() {
            let said = |partition: &PartitionImage| !partition.directories.is_empty();
            for (index, partition) in topic.partitions().iter().filter(|(_, p)| said(p)) {
                records.push(MetadataRecord::PartitionChange(PartitionChangeRecord {
                    topic_id: topic.id(),
                    partition_id: index.0,
                    leader: SAME_LEADER,
                    directories: Some(partition.directories.clone()),
                    ..Default::default()
                }));
            }
        }
    }
}

fn level_record(name: &str, level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: name.into(),
        feature_level: level,
        ..Default::default()
    })
}

fn check_metadata_version(from: i16, to: i16, way: UpgradeType) -> Result<(), ApiError> {
    if !MetadataVersion::loses_records(from, to) {
        return Ok(());
    }
    let reason = match way {
        UpgradeType::UnsafeDowngrade => {
            "Unsafe metadata downgrade is not supported in this version."
        }
        _ => {
            "Refusing to perform the requested downgrade because it might delete metadata information."
        }
    };
    let message = format!("Unsupported metadata.version downgrade from {from} to {to}. {reason}");
    Err(ApiError::new(ErrorCode::InvalidUpdateVersion, message))
}

fn check_kraft_version(from: i16, to: i16) -> Result<(), ApiError> {
    if to >= from {
        return Ok(());
    }
    let reason = "Can't downgrade the version of this feature.";
    Err(invalid(KRAFT_VERSION, to, reason))
}

fn check_needs(name: &str, level: i16, proposed: &BTreeMap<String, i16>) -> Result<(), ApiError> {
    let Some(known) = Feature::named(name).and_then(|feature| feature.level(level)) else {
        let reason = format!("Feature {name} not found.");
        return Err(invalid(name, level, &reason));
    };
    let level_of = |feature: &str| proposed.get(feature).copied().unwrap_or(0);
    let mut needs = known.needs.iter();
    match needs.find(|(feature, least)| level_of(feature) < *least) {
        None => Ok(()),
        Some((feature, least)) => {
            let reason = format!(
                "{name} could not be set to {level} because it depends on {feature} level {least}"
            );
            Err(invalid(name, level, &reason))
        }
    }
}

fn needs_upgrade_type(name: &str, level: i16) -> ApiError {
    let reason = "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                  downgrade.";
    invalid(name, level, reason)
}

fn invalid(name: &str, level: i16, reason: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidUpdateVersion,
        format!("Invalid update version {level} for feature {name}. {reason}"),
    )
}
