//! What the controller can be asked, and what it answers.

use std::fmt;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::alter_partition_reassignments::request::ReassignableTopic;
use ottla_protocol::messages::alter_partition_reassignments::response::ReassignableTopicResponse;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions::response::CreatePartitionsTopicResult;
use ottla_protocol::messages::create_topics::request::CreatableTopic;
use ottla_protocol::messages::create_topics::response::CreatableTopicResult;
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::messages::delete_topics::response::DeletableTopicResult;
use ottla_protocol::messages::elect_leaders::request::TopicPartitions;
use ottla_protocol::messages::elect_leaders::response::ReplicaElectionResult;
use ottla_protocol::types::{BrokerId, PartitionIndex, ProducerId};
use ottla_protocol::wire::{StrBytes, Uuid};

/// An error code with the words that the client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: Option<String>,
}

impl ApiError {
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
        }
    }

    /// The message for a reply.
    #[must_use]
    pub fn text(&self) -> Option<StrBytes> {
        self.message.as_deref().map(StrBytes::from)
    }
}

/// The code with its own words.
impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.text())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code.name()),
            None => f.write_str(self.code.name()),
        }
    }
}

/// A request to the controller.
#[derive(Clone, Debug)]
pub enum Command {
    /// `placement_start` is a random number: where the placement of replicas begins.
    CreateTopics {
        topics: Vec<NewTopic>,
        placement_start: u32,
        validate_only: bool,
    },
    /// By name where there is one, else by id.
    DeleteTopics { topics: Vec<DeleteTopicState> },
    CreatePartitions {
        topics: Vec<CreatePartitionsTopic>,
        placement_start: u32,
        validate_only: bool,
    },
    /// Other brokers for partitions, or an end to what was begun (AlterPartitionReassignments).
    AlterReassignments { topics: Vec<ReassignableTopic> },
    /// Other leaders for these partitions, or for all that need one.
    ElectLeaders {
        kind: ElectionType,
        partitions: Option<Vec<TopicPartitions>>,
    },
    /// IncrementalAlterConfigs: each resource changes what its changes name.
    IncrementalAlterConfigs {
        resources: Vec<AlterConfigsResource>,
        validate_only: bool,
    },
    /// AlterConfigs: each resource ends up with what its changes set, and nothing else.
    AlterConfigs {
        resources: Vec<AlterConfigsResource>,
        validate_only: bool,
    },
    /// A broker has started. Its epoch is the offset that the record will get: the log's end.
    RegisterBroker {
        request: BrokerRegistrationRequest,
        broker_epoch: i64,
    },
    /// The broker has caught up and may lead.
    UnfenceBroker {
        broker_id: BrokerId,
        broker_epoch: i64,
    },
    /// The broker is gone for good.
    UnregisterBroker { broker_id: BrokerId },
    /// The broker has put replicas into directories, or found them there (AssignReplicasToDirs).
    AssignDirectories {
        broker_id: BrokerId,
        assignments: Vec<DirectoryAssignment>,
    },
    /// The broker has these directories left; others failed since it registered.
    KeepDirectories {
        broker_id: BrokerId,
        online: Vec<Uuid>,
    },
    /// Finalises a feature's level, such as `metadata.version` when the log is new.
    SetFeature { name: String, level: i16 },
    /// Other levels for features: all of them, or none.
    UpdateFeatures {
        updates: Vec<FeatureUpdate>,
        /// The level of the feature that the quorum keeps, and not the records.
        kraft_version: i16,
        validate_only: bool,
    },
    /// The next block of ids for InitProducerId.
    AllocateProducerIds {
        broker_id: BrokerId,
        broker_epoch: i64,
    },
}

/// A topic to create, and an id never given before in case it is.
#[derive(Clone, Debug)]
pub struct NewTopic {
    pub topic: CreatableTopic,
    pub topic_id: Uuid,
}

/// A level that a feature is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    pub name: String,
    pub level: i16,
    /// None where the request has a number that nobody knows.
    pub upgrade_type: Option<UpgradeType>,
}

/// Which replica is to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first one, if it has all that was committed.
    Preferred,
    /// Where there is no leader, any that is there.
    Unclean,
}

impl ElectionType {
    #[must_use]
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Preferred),
            1 => Some(Self::Unclean),
            _ => None,
        }
    }
}

/// Which way a feature's level may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    Upgrade,
    /// Not if that loses what is there.
    SafeDowngrade,
    UnsafeDowngrade,
}

impl UpgradeType {
    #[must_use]
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            1 => Some(Self::Upgrade),
            2 => Some(Self::SafeDowngrade),
            3 => Some(Self::UnsafeDowngrade),
            _ => None,
        }
    }
}

/// A feature and the levels that this build can go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureRange {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// Where a broker's replica of a partition lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryAssignment {
    pub topic_id: Uuid,
    pub partition: PartitionIndex,
    pub directory: Uuid,
}

/// Changes of one resource's configuration.
#[derive(Clone, Debug)]
pub struct AlterConfigsResource {
    /// The number on the wire; not every number can be altered.
    pub resource_type: i8,
    pub resource_name: StrBytes,
    pub changes: Vec<ConfigChange>,
}

/// One key's change.
#[derive(Clone, Debug)]
pub struct ConfigChange {
    pub name: StrBytes,
    pub operation: ConfigOperation,
    pub value: Option<StrBytes>,
}

/// What to do with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl ConfigOperation {
    #[must_use]
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// Producer ids that belong to one broker from now on, and to nobody else ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub first: ProducerId,
    pub length: i32,
}

/// The answer to the command of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// In the order of the request. `configs` is the shell's to fill in.
    CreateTopics(Vec<CreatableTopicResult>),
    DeleteTopics(Vec<DeletableTopicResult>),
    CreatePartitions(Vec<CreatePartitionsTopicResult>),
    /// In the order of the request.
    AlterReassignments(Vec<ReassignableTopicResponse>),
    /// In the order of the request, or of the topics' names.
    ElectLeaders(Vec<ReplicaElectionResult>),
    /// One verdict a resource, in the order of the request.
    AlterConfigs(Vec<Result<(), ApiError>>),
    /// The broker's epoch.
    RegisterBroker(Result<i64, ApiError>),
    UnfenceBroker(Result<(), ApiError>),
    UnregisterBroker(Result<(), ApiError>),
    AssignDirectories(Result<(), ApiError>),
    KeepDirectories(Result<(), ApiError>),
    SetFeature(Result<(), ApiError>),
    UpdateFeatures(Result<(), ApiError>),
    AllocateProducerIds(Result<ProducerIdBlock, ApiError>),
}
