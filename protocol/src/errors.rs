//! The list of error codes: what a reply can say went wrong.
//!
//! Owns: number, name, whether a client may try again, the reference's exception class and its default message.
//! Always: one entry per number from -1 upward without gaps, so that looking a number up is indexing.
//! Not here: which error a situation deserves; handlers and machines choose.

use std::fmt;

/// What a client may do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    Retriable,
    Fatal,
}

struct Entry {
    name: &'static str,
    retry: Retry,
    exception: &'static str,
    text: &'static str,
}

macro_rules! error_codes {
    ($($code:literal, $variant:ident, $name:literal, $retry:ident, $exception:literal, $text:literal;)*) => {
        /// A wire error. Numbers this build does not know become [`ErrorCode::UnknownServerError`], as in every client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(
                #[doc = $text]
                $variant = $code,
            )*
        }

        impl Default for ErrorCode {
            fn default() -> Self {
                Self::None
            }
        }

        const TABLE: &[Entry] = &[$(
            Entry { name: $name, retry: Retry::$retry, exception: $exception, text: $text },
        )*];

        impl ErrorCode {
            /// Every code in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

impl ErrorCode {
    /// The code for a number from the wire, where this build knows it.
    #[must_use]
    pub fn known(code: i16) -> Option<Self> {
        let index = usize::try_from(i32::from(code) + 1).ok()?;
        Self::ALL.get(index).copied()
    }

    /// The code for a number from the wire; an unknown number is an unknown server error.
    #[must_use]
    pub fn from_code(code: i16) -> Self {
        Self::known(code).unwrap_or(Self::UnknownServerError)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether this stands for success.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether this stands for a failure.
    #[must_use]
    pub const fn is_err(self) -> bool {
        !self.is_none()
    }

    /// Whether the same request may succeed later without a change.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        self.entry().retry == Retry::Retriable
    }

    /// The name in Kafka's protocol guide, such as `OFFSET_OUT_OF_RANGE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The reference's exception class without its package; tools print it. Empty for success.
    #[must_use]
    pub fn exception(self) -> &'static str {
        self.entry().exception
    }

    /// One sentence for a human; what the reference says when a reply carries no message of its own.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.entry().text
    }

    /// `Ok` for success, so that `?` can be used on a reply's code.
    pub fn ok(self) -> Result<(), Self> {
        if self.is_none() { Ok(()) } else { Err(self) }
    }

    fn entry(self) -> &'static Entry {
        // The table has one entry per variant in ascending order (see the test), hence the index is always inside.
        &TABLE[(self as i16 + 1) as usize]
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.text())
    }
}

impl std::error::Error for ErrorCode {}

impl From<ErrorCode> for i16 {
    fn from(code: ErrorCode) -> Self {
        code.code()
    }
}

error_codes! {
    -1, UnknownServerError, "UNKNOWN_SERVER_ERROR", Fatal, "UnknownServerException",
        "The server experienced an unexpected error when processing the request.";
    0, None, "NONE", Fatal, "",
        "No error.";
    1, OffsetOutOfRange, "OFFSET_OUT_OF_RANGE", Fatal, "OffsetOutOfRangeException",
        "The requested offset is not within the range of offsets maintained by the server.";
    2, CorruptMessage, "CORRUPT_MESSAGE", Retriable, "CorruptRecordException",
        "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt.";
    3, UnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION", Retriable, "UnknownTopicOrPartitionException",
        "This server does not host this topic-partition.";
    4, InvalidFetchSize, "INVALID_FETCH_SIZE", Fatal, "InvalidFetchSizeException",
        "The requested fetch size is invalid.";
    5, LeaderNotAvailable, "LEADER_NOT_AVAILABLE", Retriable, "LeaderNotAvailableException",
        "There is no leader for this topic-partition as we are in the middle of a leadership election.";
    6, NotLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER", Retriable, "NotLeaderOrFollowerException",
        "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.";
    7, RequestTimedOut, "REQUEST_TIMED_OUT", Retriable, "TimeoutException",
        "The request timed out.";
    8, BrokerNotAvailable, "BROKER_NOT_AVAILABLE", Fatal, "BrokerNotAvailableException",
        "The broker is not available.";
    9, ReplicaNotAvailable, "REPLICA_NOT_AVAILABLE", Retriable, "ReplicaNotAvailableException",
        "The replica is not available for the requested topic-partition. Produce/Fetch requests and other requests intended only for the leader or follower return NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition.";
    10, MessageTooLarge, "MESSAGE_TOO_LARGE", Fatal, "RecordTooLargeException",
        "The request included a message larger than the max message size the server will accept.";
    11, StaleControllerEpoch, "STALE_CONTROLLER_EPOCH", Fatal, "ControllerMovedException",
        "The controller moved to another broker.";
    12, OffsetMetadataTooLarge, "OFFSET_METADATA_TOO_LARGE", Fatal, "OffsetMetadataTooLarge",
        "The metadata field of the offset request was too large.";
    13, NetworkException, "NETWORK_EXCEPTION", Retriable, "NetworkException",
        "The server disconnected before a response was received.";
    14, CoordinatorLoadInProgress, "COORDINATOR_LOAD_IN_PROGRESS", Retriable, "CoordinatorLoadInProgressException",
        "The coordinator is loading and hence can't process requests.";
    15, CoordinatorNotAvailable, "COORDINATOR_NOT_AVAILABLE", Retriable, "CoordinatorNotAvailableException",
        "The coordinator is not available.";
    16, NotCoordinator, "NOT_COORDINATOR", Retriable, "NotCoordinatorException",
        "This is not the correct coordinator.";
    17, InvalidTopicException, "INVALID_TOPIC_EXCEPTION", Fatal, "InvalidTopicException",
        "The request attempted to perform an operation on an invalid topic.";
    18, RecordListTooLarge, "RECORD_LIST_TOO_LARGE", Fatal, "RecordBatchTooLargeException",
        "The request included message batch larger than the configured segment size on the server.";
    19, NotEnoughReplicas, "NOT_ENOUGH_REPLICAS", Retriable, "NotEnoughReplicasException",
        "Messages are rejected since there are fewer in-sync replicas than required.";
    20, NotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", Retriable, "NotEnoughReplicasAfterAppendException",
        "Messages are written to the log, but to fewer in-sync replicas than required.";
    21, InvalidRequiredAcks, "INVALID_REQUIRED_ACKS", Fatal, "InvalidRequiredAcksException",
        "Produce request specified an invalid value for required acks.";
    22, IllegalGeneration, "ILLEGAL_GENERATION", Fatal, "IllegalGenerationException",
        "Specified group generation id is not valid.";
    23, InconsistentGroupProtocol, "INCONSISTENT_GROUP_PROTOCOL", Fatal, "InconsistentGroupProtocolException",
        "The group member's supported protocols are incompatible with those of existing members or first group member tried to join with empty protocol type or empty protocol list.";
    24, InvalidGroupId, "INVALID_GROUP_ID", Fatal, "InvalidGroupIdException",
        "The group id is invalid.";
    25, UnknownMemberId, "UNKNOWN_MEMBER_ID", Fatal, "UnknownMemberIdException",
        "The coordinator is not aware of this member.";
    26, InvalidSessionTimeout, "INVALID_SESSION_TIMEOUT", Fatal, "InvalidSessionTimeoutException",
        "The session timeout is not within the range allowed by the broker (as configured by group.min.session.timeout.ms and group.max.session.timeout.ms).";
    27, RebalanceInProgress, "REBALANCE_IN_PROGRESS", Fatal, "RebalanceInProgressException",
        "The group is rebalancing, so a rejoin is needed.";
    28, InvalidCommitOffsetSize, "INVALID_COMMIT_OFFSET_SIZE", Fatal, "InvalidCommitOffsetSizeException",
        "The committing offset data size is not valid.";
    29, TopicAuthorizationFailed, "TOPIC_AUTHORIZATION_FAILED", Fatal, "TopicAuthorizationException",
        "Topic authorization failed.";
    30, GroupAuthorizationFailed, "GROUP_AUTHORIZATION_FAILED", Fatal, "GroupAuthorizationException",
        "Group authorization failed.";
    31, ClusterAuthorizationFailed, "CLUSTER_AUTHORIZATION_FAILED", Fatal, "ClusterAuthorizationException",
        "Cluster authorization failed.";
    32, InvalidTimestamp, "INVALID_TIMESTAMP", Fatal, "InvalidTimestampException",
        "The timestamp of the message is out of acceptable range.";
    33, UnsupportedSaslMechanism, "UNSUPPORTED_SASL_MECHANISM", Fatal, "UnsupportedSaslMechanismException",
        "The broker does not support the requested SASL mechanism.";
    34, IllegalSaslState, "ILLEGAL_SASL_STATE", Fatal, "IllegalSaslStateException",
        "Request is not valid given the current SASL state.";
    35, UnsupportedVersion, "UNSUPPORTED_VERSION", Fatal, "UnsupportedVersionException",
        "The version of API is not supported.";
    36, TopicAlreadyExists, "TOPIC_ALREADY_EXISTS", Fatal, "TopicExistsException",
        "Topic with this name already exists.";
    37, InvalidPartitions, "INVALID_PARTITIONS", Fatal, "InvalidPartitionsException",
        "Number of partitions is below 1.";
    38, InvalidReplicationFactor, "INVALID_REPLICATION_FACTOR", Fatal, "InvalidReplicationFactorException",
        "Replication factor is below 1 or larger than the number of available brokers.";
    39, InvalidReplicaAssignment, "INVALID_REPLICA_ASSIGNMENT", Fatal, "InvalidReplicaAssignmentException",
        "Replica assignment is invalid.";
    40, InvalidConfig, "INVALID_CONFIG", Fatal, "InvalidConfigurationException",
        "Configuration is invalid.";
    41, NotController, "NOT_CONTROLLER", Retriable, "NotControllerException",
        "This is not the correct controller for this cluster.";
    42, InvalidRequest, "INVALID_REQUEST", Fatal, "InvalidRequestException",
        "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.";
    43, UnsupportedForMessageFormat, "UNSUPPORTED_FOR_MESSAGE_FORMAT", Fatal, "UnsupportedForMessageFormatException",
        "The message format version on the broker does not support the request.";
    44, PolicyViolation, "POLICY_VIOLATION", Fatal, "PolicyViolationException",
        "Request parameters do not satisfy the configured policy.";
    45, OutOfOrderSequenceNumber, "OUT_OF_ORDER_SEQUENCE_NUMBER", Fatal, "OutOfOrderSequenceException",
        "The broker received an out of order sequence number.";
    46, DuplicateSequenceNumber, "DUPLICATE_SEQUENCE_NUMBER", Fatal, "DuplicateSequenceException",
        "The broker received a duplicate sequence number.";
    47, InvalidProducerEpoch, "INVALID_PRODUCER_EPOCH", Fatal, "InvalidProducerEpochException",
        "Producer attempted to produce with an old epoch.";
    48, InvalidTxnState, "INVALID_TXN_STATE", Fatal, "InvalidTxnStateException",
        "The producer attempted a transactional operation in an invalid state.";
    49, InvalidProducerIdMapping, "INVALID_PRODUCER_ID_MAPPING", Fatal, "InvalidPidMappingException",
        "The producer attempted to use a producer id which is not currently assigned to its transactional id.";
    50, InvalidTransactionTimeout, "INVALID_TRANSACTION_TIMEOUT", Fatal, "InvalidTxnTimeoutException",
        "The transaction timeout is larger than the maximum value allowed by the broker (as configured by transaction.max.timeout.ms).";
    51, ConcurrentTransactions, "CONCURRENT_TRANSACTIONS", Retriable, "ConcurrentTransactionsException",
        "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing.";
    52, TransactionCoordinatorFenced, "TRANSACTION_COORDINATOR_FENCED", Fatal, "TransactionCoordinatorFencedException",
        "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a given producer.";
    53, TransactionalIdAuthorizationFailed, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Fatal, "TransactionalIdAuthorizationException",
        "Transactional Id authorization failed.";
    54, SecurityDisabled, "SECURITY_DISABLED", Fatal, "SecurityDisabledException",
        "Security features are disabled.";
    55, OperationNotAttempted, "OPERATION_NOT_ATTEMPTED", Fatal, "OperationNotAttemptedException",
        "The broker did not attempt to execute this operation. This may happen for batched RPCs where some operations in the batch failed, causing the broker to respond without trying the rest.";
    56, KafkaStorageError, "KAFKA_STORAGE_ERROR", Retriable, "KafkaStorageException",
        "Disk error when trying to access log file on the disk.";
    57, LogDirNotFound, "LOG_DIR_NOT_FOUND", Fatal, "LogDirNotFoundException",
        "The user-specified log directory is not found in the broker config.";
    58, SaslAuthenticationFailed, "SASL_AUTHENTICATION_FAILED", Fatal, "SaslAuthenticationException",
        "SASL Authentication failed.";
    59, UnknownProducerId, "UNKNOWN_PRODUCER_ID", Fatal, "UnknownProducerIdException",
        "This exception is raised by the broker if it could not locate the producer metadata associated with the producerId in question. This could happen if, for instance, the producer's records were deleted because their retention time had elapsed. Once the last records of the producerId are removed, the producer's metadata is removed from the broker, and future appends by the producer will return this exception.";
    60, ReassignmentInProgress, "REASSIGNMENT_IN_PROGRESS", Fatal, "ReassignmentInProgressException",
        "A partition reassignment is in progress.";
    61, DelegationTokenAuthDisabled, "DELEGATION_TOKEN_AUTH_DISABLED", Fatal, "DelegationTokenDisabledException",
        "Delegation Token feature is not enabled.";
    62, DelegationTokenNotFound, "DELEGATION_TOKEN_NOT_FOUND", Fatal, "DelegationTokenNotFoundException",
        "Delegation Token is not found on server.";
    63, DelegationTokenOwnerMismatch, "DELEGATION_TOKEN_OWNER_MISMATCH", Fatal, "DelegationTokenOwnerMismatchException",
        "Specified Principal is not valid Owner/Renewer.";
    64, DelegationTokenRequestNotAllowed, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", Fatal, "UnsupportedByAuthenticationException",
        "Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on delegation token authenticated channels.";
    65, DelegationTokenAuthorizationFailed, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", Fatal, "DelegationTokenAuthorizationException",
        "Delegation Token authorization failed.";
    66, DelegationTokenExpired, "DELEGATION_TOKEN_EXPIRED", Fatal, "DelegationTokenExpiredException",
        "Delegation Token is expired.";
    67, InvalidPrincipalType, "INVALID_PRINCIPAL_TYPE", Fatal, "InvalidPrincipalTypeException",
        "Supplied principalType is not supported.";
    68, NonEmptyGroup, "NON_EMPTY_GROUP", Fatal, "GroupNotEmptyException",
        "The group is not empty.";
    69, GroupIdNotFound, "GROUP_ID_NOT_FOUND", Fatal, "GroupIdNotFoundException",
        "The group id does not exist.";
    70, FetchSessionIdNotFound, "FETCH_SESSION_ID_NOT_FOUND", Retriable, "FetchSessionIdNotFoundException",
        "The fetch session ID was not found.";
    71, InvalidFetchSessionEpoch, "INVALID_FETCH_SESSION_EPOCH", Retriable, "InvalidFetchSessionEpochException",
        "The fetch session epoch is invalid.";
    72, ListenerNotFound, "LISTENER_NOT_FOUND", Retriable, "ListenerNotFoundException",
        "There is no listener on the leader broker that matches the listener on which metadata request was processed.";
    73, TopicDeletionDisabled, "TOPIC_DELETION_DISABLED", Fatal, "TopicDeletionDisabledException",
        "Topic deletion is disabled.";
    74, FencedLeaderEpoch, "FENCED_LEADER_EPOCH", Retriable, "FencedLeaderEpochException",
        "The leader epoch in the request is older than the epoch on the broker.";
    75, UnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH", Retriable, "UnknownLeaderEpochException",
        "The leader epoch in the request is newer than the epoch on the broker.";
    76, UnsupportedCompressionType, "UNSUPPORTED_COMPRESSION_TYPE", Fatal, "UnsupportedCompressionTypeException",
        "The requesting client does not support the compression type of given partition.";
    77, StaleBrokerEpoch, "STALE_BROKER_EPOCH", Fatal, "StaleBrokerEpochException",
        "Broker epoch has changed.";
    78, OffsetNotAvailable, "OFFSET_NOT_AVAILABLE", Retriable, "OffsetNotAvailableException",
        "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to be monotonically increasing.";
    79, MemberIdRequired, "MEMBER_ID_REQUIRED", Fatal, "MemberIdRequiredException",
        "The group member needs to have a valid member id before actually entering a consumer group.";
    80, PreferredLeaderNotAvailable, "PREFERRED_LEADER_NOT_AVAILABLE", Retriable, "PreferredLeaderNotAvailableException",
        "The preferred leader was not available.";
    81, GroupMaxSizeReached, "GROUP_MAX_SIZE_REACHED", Fatal, "GroupMaxSizeReachedException",
        "The group has reached its maximum size.";
    82, FencedInstanceId, "FENCED_INSTANCE_ID", Fatal, "FencedInstanceIdException",
        "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id.";
    83, EligibleLeadersNotAvailable, "ELIGIBLE_LEADERS_NOT_AVAILABLE", Retriable, "EligibleLeadersNotAvailableException",
        "Eligible topic partition leaders are not available.";
    84, ElectionNotNeeded, "ELECTION_NOT_NEEDED", Retriable, "ElectionNotNeededException",
        "Leader election not needed for topic partition.";
    85, NoReassignmentInProgress, "NO_REASSIGNMENT_IN_PROGRESS", Fatal, "NoReassignmentInProgressException",
        "No partition reassignment is in progress.";
    86, GroupSubscribedToTopic, "GROUP_SUBSCRIBED_TO_TOPIC", Fatal, "GroupSubscribedToTopicException",
        "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.";
    87, InvalidRecord, "INVALID_RECORD", Fatal, "InvalidRecordException",
        "This record has failed the validation on broker and hence will be rejected.";
    88, UnstableOffsetCommit, "UNSTABLE_OFFSET_COMMIT", Retriable, "UnstableOffsetCommitException",
        "There are unstable offsets that need to be cleared.";
    89, ThrottlingQuotaExceeded, "THROTTLING_QUOTA_EXCEEDED", Retriable, "ThrottlingQuotaExceededException",
        "The throttling quota has been exceeded.";
    90, ProducerFenced, "PRODUCER_FENCED", Fatal, "ProducerFencedException",
        "There is a newer producer with the same transactionalId which fences the current one.";
    91, ResourceNotFound, "RESOURCE_NOT_FOUND", Fatal, "ResourceNotFoundException",
        "A request illegally referred to a resource that does not exist.";
    92, DuplicateResource, "DUPLICATE_RESOURCE", Fatal, "DuplicateResourceException",
        "A request illegally referred to the same resource twice.";
    93, UnacceptableCredential, "UNACCEPTABLE_CREDENTIAL", Fatal, "UnacceptableCredentialException",
        "Requested credential would not meet criteria for acceptability.";
    94, InconsistentVoterSet, "INCONSISTENT_VOTER_SET", Fatal, "InconsistentVoterSetException",
        "Indicates that the either the sender or recipient of a voter-only request is not one of the expected voters.";
    95, InvalidUpdateVersion, "INVALID_UPDATE_VERSION", Fatal, "InvalidUpdateVersionException",
        "The given update version was invalid.";
    96, FeatureUpdateFailed, "FEATURE_UPDATE_FAILED", Fatal, "FeatureUpdateFailedException",
        "Unable to update finalized features due to an unexpected server error.";
    97, PrincipalDeserializationFailure, "PRINCIPAL_DESERIALIZATION_FAILURE", Fatal, "PrincipalDeserializationException",
        "Request principal deserialization failed during forwarding. This indicates an internal error on the broker cluster security setup.";
    98, SnapshotNotFound, "SNAPSHOT_NOT_FOUND", Fatal, "SnapshotNotFoundException",
        "Requested snapshot was not found.";
    99, PositionOutOfRange, "POSITION_OUT_OF_RANGE", Fatal, "PositionOutOfRangeException",
        "Requested position is not greater than or equal to zero, and less than the size of the snapshot.";
    100, UnknownTopicId, "UNKNOWN_TOPIC_ID", Retriable, "UnknownTopicIdException",
        "This server does not host this topic ID.";
    101, DuplicateBrokerRegistration, "DUPLICATE_BROKER_REGISTRATION", Fatal, "DuplicateBrokerRegistrationException",
        "This broker ID is already in use.";
    102, BrokerIdNotRegistered, "BROKER_ID_NOT_REGISTERED", Fatal, "BrokerIdNotRegisteredException",
        "The given broker ID was not registered.";
    103, InconsistentTopicId, "INCONSISTENT_TOPIC_ID", Retriable, "InconsistentTopicIdException",
        "The log's topic ID did not match the topic ID in the request.";
    104, InconsistentClusterId, "INCONSISTENT_CLUSTER_ID", Fatal, "InconsistentClusterIdException",
        "The clusterId in the request does not match that found on the server.";
    105, TransactionalIdNotFound, "TRANSACTIONAL_ID_NOT_FOUND", Fatal, "TransactionalIdNotFoundException",
        "The transactionalId could not be found.";
    106, FetchSessionTopicIdError, "FETCH_SESSION_TOPIC_ID_ERROR", Retriable, "FetchSessionTopicIdException",
        "The fetch session encountered inconsistent topic ID usage.";
    107, IneligibleReplica, "INELIGIBLE_REPLICA", Fatal, "IneligibleReplicaException",
        "The new ISR contains at least one ineligible replica.";
    108, NewLeaderElected, "NEW_LEADER_ELECTED", Fatal, "NewLeaderElectedException",
        "The AlterPartition request successfully updated the partition state but the leader has changed.";
    109, OffsetMovedToTieredStorage, "OFFSET_MOVED_TO_TIERED_STORAGE", Fatal, "OffsetMovedToTieredStorageException",
        "The requested offset is moved to tiered storage.";
    110, FencedMemberEpoch, "FENCED_MEMBER_EPOCH", Fatal, "FencedMemberEpochException",
        "The member epoch is fenced by the group coordinator. The member must abandon all its partitions and rejoin.";
    111, UnreleasedInstanceId, "UNRELEASED_INSTANCE_ID", Fatal, "UnreleasedInstanceIdException",
        "The instance ID is still used by another member in the consumer group. That member must leave first.";
    112, UnsupportedAssignor, "UNSUPPORTED_ASSIGNOR", Fatal, "UnsupportedAssignorException",
        "The assignor or its version range is not supported by the consumer group.";
    113, StaleMemberEpoch, "STALE_MEMBER_EPOCH", Fatal, "StaleMemberEpochException",
        "The member epoch is stale. The member must retry after receiving its updated member epoch via the ConsumerGroupHeartbeat API.";
    114, MismatchedEndpointType, "MISMATCHED_ENDPOINT_TYPE", Fatal, "MismatchedEndpointTypeException",
        "The request was sent to an endpoint of the wrong type.";
    115, UnsupportedEndpointType, "UNSUPPORTED_ENDPOINT_TYPE", Fatal, "UnsupportedEndpointTypeException",
        "This endpoint type is not supported yet.";
    116, UnknownControllerId, "UNKNOWN_CONTROLLER_ID", Fatal, "UnknownControllerIdException",
        "This controller ID is not known.";
    117, UnknownSubscriptionId, "UNKNOWN_SUBSCRIPTION_ID", Fatal, "UnknownSubscriptionIdException",
        "Client sent a push telemetry request with an invalid or outdated subscription ID.";
    118, TelemetryTooLarge, "TELEMETRY_TOO_LARGE", Fatal, "TelemetryTooLargeException",
        "Client sent a push telemetry request larger than the maximum size the broker will accept.";
    119, InvalidRegistration, "INVALID_REGISTRATION", Fatal, "InvalidRegistrationException",
        "The controller has considered the broker registration to be invalid.";
    120, TransactionAbortable, "TRANSACTION_ABORTABLE", Fatal, "TransactionAbortableException",
        "The server encountered an error with the transaction. The client can abort the transaction to continue using this transactional ID.";
    121, InvalidRecordState, "INVALID_RECORD_STATE", Fatal, "InvalidRecordStateException",
        "The record state is invalid. The acknowledgement of delivery could not be completed.";
    122, ShareSessionNotFound, "SHARE_SESSION_NOT_FOUND", Retriable, "ShareSessionNotFoundException",
        "The share session was not found.";
    123, InvalidShareSessionEpoch, "INVALID_SHARE_SESSION_EPOCH", Retriable, "InvalidShareSessionEpochException",
        "The share session epoch is invalid.";
    124, FencedStateEpoch, "FENCED_STATE_EPOCH", Fatal, "FencedStateEpochException",
        "The share coordinator rejected the request because the share-group state epoch did not match.";
    125, InvalidVoterKey, "INVALID_VOTER_KEY", Fatal, "InvalidVoterKeyException",
        "The voter key doesn't match the receiving replica's key.";
    126, DuplicateVoter, "DUPLICATE_VOTER", Fatal, "DuplicateVoterException",
        "The voter is already part of the set of voters.";
    127, VoterNotFound, "VOTER_NOT_FOUND", Fatal, "VoterNotFoundException",
        "The voter is not part of the set of voters.";
    128, InvalidRegularExpression, "INVALID_REGULAR_EXPRESSION", Fatal, "InvalidRegularExpression",
        "The regular expression is not valid.";
    129, RebootstrapRequired, "REBOOTSTRAP_REQUIRED", Fatal, "RebootstrapRequiredException",
        "Client metadata is stale. The client should rebootstrap to obtain new metadata.";
    130, StreamsInvalidTopology, "STREAMS_INVALID_TOPOLOGY", Fatal, "StreamsInvalidTopologyException",
        "The supplied topology is invalid.";
    131, StreamsInvalidTopologyEpoch, "STREAMS_INVALID_TOPOLOGY_EPOCH", Fatal, "StreamsInvalidTopologyEpochException",
        "The supplied topology epoch is invalid.";
    132, StreamsTopologyFenced, "STREAMS_TOPOLOGY_FENCED", Fatal, "StreamsTopologyFencedException",
        "The supplied topology epoch is outdated.";
    133, ShareSessionLimitReached, "SHARE_SESSION_LIMIT_REACHED", Retriable, "ShareSessionLimitReachedException",
        "The limit of share sessions has been reached.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_own_entry() {
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(i32::from(code.code()) + 1).unwrap(), index);
            assert_eq!(ErrorCode::ALL.len(), TABLE.len());
            assert_eq!(ErrorCode::from_code(code.code()), *code);
        }
    }

    #[test]
    fn unknown_numbers_are_unknown_server_errors() {
        for code in [i16::MIN, -2, 134, i16::MAX] {
            assert_eq!(ErrorCode::known(code), None);
            assert_eq!(ErrorCode::from_code(code), ErrorCode::UnknownServerError);
        }
    }

    #[test]
    fn retriable_and_fatal_are_told_apart() {
        assert!(ErrorCode::NotLeaderOrFollower.is_retriable());
        assert!(!ErrorCode::MessageTooLarge.is_retriable());
        assert_eq!(ErrorCode::None.ok(), Ok(()));
        assert_eq!(
            ErrorCode::CorruptMessage.ok(),
            Err(ErrorCode::CorruptMessage)
        );
    }
}
