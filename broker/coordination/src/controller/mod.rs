//! The metadata of the cluster: the machine behind `__cluster_metadata-0`.
//!
//! Owns: topics, partitions and their placement, dynamic configurations, brokers, features, blocks of producer ids.
//! Always: [`image::MetadataImage`] is the hard state; a topic name and a topic id name the same topic or none; the
//! records are the reference's, in the order in which its controller writes them.
//! Not here: which configuration keys exist (see [`ConfigRules`]), the quorum, publishing the image.

mod broker;
mod commands;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod directories;
mod elections;
mod features;
pub mod image;
mod names;
mod placement;
mod reassign;
mod rules;
mod settings;

use std::convert::Infallible;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::types::{Millis, Offset};

use crate::effects::{Effects, ReplyToken};
use crate::machine::Machine;

pub use commands::{
    AlterConfigsResource, ApiError, Command, ConfigChange, ConfigOperation, DirectoryAssignment,
    ElectionType, FeatureRange, FeatureUpdate, NewTopic, ProducerIdBlock, Response, UpgradeType,
};
pub use directories::{LOST_DIRECTORY, MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY};
pub use image::MetadataImage;
pub use names::{is_internal_topic, validate_topic_name};
pub use rules::{ConfigResourceType, ConfigRules};
pub use settings::Settings;

/// The active controller.
#[derive(Debug)]
pub struct Controller {
    settings: Settings,
    rules: Box<dyn ConfigRules>,
    image: MetadataImage,
}

/// The controller of a quorum of one has no timers yet: nobody's heartbeat can be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {}

impl Controller {
    #[must_use]
    pub fn new(settings: Settings, rules: Box<dyn ConfigRules>) -> Self {
        Self::with_image(settings, rules, MetadataImage::default())
    }

    /// Starts from a snapshot's image; the log's later records follow through `apply`.
    #[must_use]
    pub fn with_image(
        settings: Settings,
        rules: Box<dyn ConfigRules>,
        image: MetadataImage,
    ) -> Self {
        Self {
            settings,
            rules,
            image,
        }
    }

    /// The state after the last applied record; cheap to clone.
    #[must_use]
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }
}

impl Controller {
    fn decide(&self, command: Command) -> (Vec<MetadataRecord>, Response) {
        match command {
            Command::CreateTopics {
                topics,
                placement_start,
                validate_only,
            } => self.create_topics(&topics, placement_start, validate_only),
            Command::DeleteTopics { topics } => self.delete_topics(&topics),
            Command::CreatePartitions {
                topics,
                placement_start,
                validate_only,
            } => self.create_partitions(&topics, placement_start, validate_only),
            Command::AlterReassignments { topics } => {
                (Vec::new(), self.alter_reassignments(&topics))
            }
            Command::ElectLeaders { kind, partitions } => {
                self.elect_leaders(kind, partitions.as_deref())
            }
            Command::IncrementalAlterConfigs {
                resources,
                validate_only,
            } => self.incremental_alter_configs(&resources, validate_only),
            Command::AlterConfigs {
                resources,
                validate_only,
            } => self.alter_configs(&resources, validate_only),
            Command::RegisterBroker {
                request,
                broker_epoch,
            } => self.register_broker(&request, broker_epoch),
            Command::UnfenceBroker {
                broker_id,
                broker_epoch,
            } => self.unfence_broker(broker_id, broker_epoch),
            Command::UnregisterBroker { broker_id } => self.unregister_broker(broker_id),
            Command::AssignDirectories {
                broker_id,
                assignments,
            } => self.assign_directories(broker_id, &assignments),
            Command::KeepDirectories { broker_id, online } => {
                self.keep_directories(broker_id, &online)
            }
            Command::SetFeature { name, level } => self.set_feature(&name, level),
            Command::UpdateFeatures {
                updates,
                kraft_version,
                validate_only,
            } => self.update_features(&updates, kraft_version, validate_only),
            Command::AllocateProducerIds {
                broker_id,
                broker_epoch,
            } => self.allocate_producer_ids(broker_id, broker_epoch),
        }
    }
}

impl Machine for Controller {
    type Command = Command;
    type Record = MetadataRecord;
    type Response = Response;
    type Timer = Timer;
    type Errand = Infallible;

    fn handle(&mut self, _: Millis, token: ReplyToken, command: Command, out: &mut Effects<Self>) {
        let (records, response) = self.decide(command);
        out.append_then(records, vec![(token, response)]);
    }

    fn on_timer(&mut self, _: Millis, timer: Timer, _: &mut Effects<Self>) {
        match timer {}
    }

    fn apply(&mut self, offset: Offset, record: &MetadataRecord) {
        self.image.apply(offset, record);
    }

    fn on_loaded(&mut self, _: Millis, _: &mut Effects<Self>) {}

    fn on_append_failed(
        &mut self,
        _: Millis,
        _: &[MetadataRecord],
        _: ErrorCode,
        _: &mut Effects<Self>,
    ) {
    }

    fn client_error(error: ErrorCode) -> ErrorCode {
        match error {
            ErrorCode::NotLeaderOrFollower => ErrorCode::NotController,
            other => other,
        }
    }
}
