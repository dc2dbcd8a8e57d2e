//! The list of API keys: name, versions, header versions, who answers.
//!
//! Owns: one entry per key that Kafka has ever given out, retired ones included.
//! Always: keys are 0, 1, 2 … without gaps, so that looking a number up is indexing.
//! Not here: which versions this broker speaks today; the server's list of handlers says that and never exceeds
//! what stands here as advertised.

use std::fmt;

/// An inclusive range of versions.
pub type VersionRange = (i16, i16);

/// Which kinds of node answer an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Brokers answer it.
    pub broker: bool,
    /// Controllers answer it.
    pub controller: bool,
}

const NONE: Listeners = Listeners {
    broker: false,
    controller: false,
};
const BROKER: Listeners = Listeners {
    broker: true,
    controller: false,
};
const CONTROLLER: Listeners = Listeners {
    broker: false,
    controller: true,
};
const BOTH: Listeners = Listeners {
    broker: true,
    controller: true,
};

struct Entry {
    name: &'static str,
    advertised: Option<VersionRange>,
    known: Option<VersionRange>,
    unstable_max: i16,
    flexible_request: Option<i16>,
    flexible_response: Option<i16>,
    listeners: Listeners,
    cluster_action: bool,
}

macro_rules! api_keys {
    ($($key:literal, $variant:ident, $advertised:expr, $known:expr, $unstable:expr, $request:expr, $response:expr,
        $listeners:ident, $cluster:literal;)*) => {
        /// An API of Kafka's protocol, named as the protocol guide names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        #[allow(missing_docs)]
        pub enum ApiKey {
            $($variant = $key,)*
        }

        const TABLE: &[Entry] = &[$(Entry {
            name: stringify!($variant),
            advertised: $advertised,
            known: $known,
            unstable_max: $unstable,
            flexible_request: $request,
            flexible_response: $response,
            listeners: $listeners,
            cluster_action: $cluster,
        },)*];

        impl ApiKey {
            /// Every key in ascending order, retired ones included.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

impl ApiKey {
    /// The API for a number from the wire.
    #[must_use]
    pub fn from_key(key: i16) -> Option<Self> {
        Self::ALL.get(usize::try_from(key).ok()?).copied()
    }

    /// The number on the wire.
    #[must_use]
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// The name, such as `Produce`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What a broker of the reference advertises in ApiVersions; `None` where it does not list the API. Produce starts
    /// at 0 there, although 0 to 2 are refused, because librdkafka looks for them (KAFKA-18659).
    #[must_use]
    pub fn advertised_versions(self) -> Option<VersionRange> {
        self.entry().advertised
    }

    /// The stable versions that exist and can be encoded and decoded; `None` for retired APIs.
    #[must_use]
    pub fn versions(self) -> Option<VersionRange> {
        self.entry().known
    }

    /// The newest version with a schema, be it released or not; -1 for retired APIs.
    #[must_use]
    pub fn unstable_version_max(self) -> i16 {
        self.entry().unstable_max
    }

    /// Whether requests and replies of this API exist no more.
    #[must_use]
    pub fn is_retired(self) -> bool {
        self.versions().is_none()
    }

    /// Whether the version exists in its stable form.
    #[must_use]
    pub fn supports(self, version: i16) -> bool {
        self.versions()
            .is_some_and(|(min, max)| (min..=max).contains(&version))
    }

    /// The first version whose request carries the flexible header.
    #[must_use]
    pub fn flexible_from(self) -> Option<i16> {
        self.entry().flexible_request
    }

    /// Header version of a request: 2 with tagged fields, else 1.
    #[must_use]
    pub fn request_header_version(self, version: i16) -> i16 {
        if self
            .entry()
            .flexible_request
            .is_some_and(|from| version >= from)
        {
            2
        } else {
            1
        }
    }

    /// Header version of a reply: 1 with tagged fields, else 0. ApiVersions always has 0, since a client reads the
    /// reply before it knows which versions the node speaks (KIP-511).
    #[must_use]
    pub fn response_header_version(self, version: i16) -> i16 {
        if self
            .entry()
            .flexible_response
            .is_some_and(|from| version >= from)
        {
            1
        } else {
            0
        }
    }

    /// Which kinds of node answer it.
    #[must_use]
    pub fn listeners(self) -> Listeners {
        self.entry().listeners
    }

    /// Whether only other nodes of the cluster may call it.
    #[must_use]
    pub fn is_cluster_action(self) -> bool {
        self.entry().cluster_action
    }

    fn entry(self) -> &'static Entry {
        // The table has one entry per variant in ascending order (see the test), hence the index is always inside.
        &TABLE[self as i16 as usize]
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<ApiKey> for i16 {
    fn from(api: ApiKey) -> Self {
        api.key()
    }
}

// Key, name, advertised by a broker, known versions, newest schema, flexible request from, flexible reply from,
// answered by, between nodes only.
api_keys! {
    0, Produce, Some((0, 13)), Some((3, 13)), 13, Some(9), Some(9), BROKER, false;
    1, Fetch, Some((4, 18)), Some((4, 18)), 18, Some(12), Some(12), BOTH, false;
    2, ListOffsets, Some((1, 11)), Some((1, 11)), 11, Some(6), Some(6), BROKER, false;
    3, Metadata, Some((0, 13)), Some((0, 13)), 13, Some(9), Some(9), BROKER, false;
    4, LeaderAndIsr, None, None, -1, None, None, NONE, true;
    5, StopReplica, None, None, -1, None, None, NONE, true;
    6, UpdateMetadata, None, None, -1, None, None, NONE, true;
    7, ControlledShutdown, None, None, -1, None, None, NONE, true;
    8, OffsetCommit, Some((2, 10)), Some((2, 10)), 10, Some(8), Some(8), BROKER, false;
    9, OffsetFetch, Some((1, 10)), Some((1, 10)), 10, Some(6), Some(6), BROKER, false;
    10, FindCoordinator, Some((0, 6)), Some((0, 6)), 6, Some(3), Some(3), BROKER, false;
    11, JoinGroup, Some((0, 9)), Some((0, 9)), 9, Some(6), Some(6), BROKER, false;
    12, Heartbeat, Some((0, 4)), Some((0, 4)), 4, Some(4), Some(4), BROKER, false;
    13, LeaveGroup, Some((0, 5)), Some((0, 5)), 5, Some(4), Some(4), BROKER, false;
    14, SyncGroup, Some((0, 5)), Some((0, 5)), 5, Some(4), Some(4), BROKER, false;
    15, DescribeGroups, Some((0, 6)), Some((0, 6)), 6, Some(5), Some(5), BROKER, false;
    16, ListGroups, Some((0, 5)), Some((0, 5)), 5, Some(3), Some(3), BROKER, false;
    17, SaslHandshake, Some((0, 1)), Some((0, 1)), 1, None, None, BOTH, false;
    18, ApiVersions, Some((0, 4)), Some((0, 4)), 4, Some(3), None, BOTH, false;
    19, CreateTopics, Some((2, 7)), Some((2, 7)), 7, Some(5), Some(5), BOTH, false;
    20, DeleteTopics, Some((1, 6)), Some((1, 6)), 6, Some(4), Some(4), BOTH, false;
    21, DeleteRecords, Some((0, 2)), Some((0, 2)), 2, Some(2), Some(2), BROKER, false;
    22, InitProducerId, Some((0, 5)), Some((0, 5)), 6, Some(2), Some(2), BROKER, false;
    23, OffsetForLeaderEpoch, Some((2, 4)), Some((2, 4)), 4, Some(4), Some(4), BROKER, false;
    24, AddPartitionsToTxn, Some((0, 5)), Some((0, 5)), 5, Some(3), Some(3), BROKER, false;
    25, AddOffsetsToTxn, Some((0, 4)), Some((0, 4)), 4, Some(3), Some(3), BROKER, false;
    26, EndTxn, Some((0, 5)), Some((0, 5)), 5, Some(3), Some(3), BROKER, false;
    27, WriteTxnMarkers, Some((1, 2)), Some((1, 2)), 2, Some(1), Some(1), BROKER, true;
    28, TxnOffsetCommit, Some((0, 5)), Some((0, 5)), 5, Some(3), Some(3), BROKER, false;
    29, DescribeAcls, Some((1, 3)), Some((1, 3)), 3, Some(2), Some(2), BOTH, false;
    30, CreateAcls, Some((1, 3)), Some((1, 3)), 3, Some(2), Some(2), BOTH, false;
    31, DeleteAcls, Some((1, 3)), Some((1, 3)), 3, Some(2), Some(2), BOTH, false;
    32, DescribeConfigs, Some((1, 4)), Some((1, 4)), 4, Some(4), Some(4), BOTH, false;
    33, AlterConfigs, Some((0, 2)), Some((0, 2)), 2, Some(2), Some(2), BOTH, false;
    34, AlterReplicaLogDirs, Some((1, 2)), Some((1, 2)), 2, Some(2), Some(2), BROKER, false;
    35, DescribeLogDirs, Some((1, 5)), Some((1, 5)), 5, Some(2), Some(2), BROKER, false;
    36, SaslAuthenticate, Some((0, 2)), Some((0, 2)), 2, Some(2), Some(2), BOTH, false;
    37, CreatePartitions, Some((0, 3)), Some((0, 3)), 3, Some(2), Some(2), BOTH, false;
    38, CreateDelegationToken, Some((1, 3)), Some((1, 3)), 3, Some(2), Some(2), BOTH, false;
    39, RenewDelegationToken, Some((1, 2)), Some((1, 2)), 2, Some(2), Some(2), BOTH, false;
    40, ExpireDelegationToken, Some((1, 2)), Some((1, 2)), 2, Some(2), Some(2), BOTH, false;
    41, DescribeDelegationToken, Some((1, 3)), Some((1, 3)), 3, Some(2), Some(2), BOTH, false;
    42, DeleteGroups, Some((0, 2)), Some((0, 2)), 2, Some(2), Some(2), BROKER, false;
    43, ElectLeaders, Some((0, 2)), Some((0, 2)), 2, Some(2), Some(2), BOTH, false;
    44, IncrementalAlterConfigs, Some((0, 1)), Some((0, 1)), 1, Some(1), Some(1), BOTH, false;
    45, AlterPartitionReassignments, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BOTH, false;
    46, ListPartitionReassignments, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BOTH, false;
    47, OffsetDelete, Some((0, 0)), Some((0, 0)), 0, None, None, BROKER, false;
    48, DescribeClientQuotas, Some((0, 1)), Some((0, 1)), 1, Some(1), Some(1), BROKER, false;
    49, AlterClientQuotas, Some((0, 1)), Some((0, 1)), 1, Some(1), Some(1), BOTH, false;
    50, DescribeUserScramCredentials, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BOTH, false;
    51, AlterUserScramCredentials, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BOTH, false;
    52, Vote, None, Some((0, 2)), 2, Some(0), Some(0), CONTROLLER, true;
    53, BeginQuorumEpoch, None, Some((0, 1)), 1, Some(1), Some(1), CONTROLLER, true;
    54, EndQuorumEpoch, None, Some((0, 1)), 1, Some(1), Some(1), CONTROLLER, true;
    55, DescribeQuorum, Some((0, 2)), Some((0, 2)), 2, Some(0), Some(0), BOTH, true;
    56, AlterPartition, None, Some((2, 3)), 3, Some(2), Some(2), CONTROLLER, true;
    57, UpdateFeatures, Some((0, 2)), Some((0, 2)), 2, Some(0), Some(0), BOTH, true;
    58, Envelope, None, Some((0, 0)), 0, Some(0), Some(0), CONTROLLER, true;
    59, FetchSnapshot, None, Some((0, 1)), 1, Some(0), Some(0), CONTROLLER, false;
    60, DescribeCluster, Some((0, 2)), Some((0, 2)), 2, Some(0), Some(0), BOTH, false;
    61, DescribeProducers, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    62, BrokerRegistration, None, Some((0, 4)), 4, Some(0), Some(0), CONTROLLER, true;
    63, BrokerHeartbeat, None, Some((0, 2)), 2, Some(0), Some(0), CONTROLLER, true;
    64, UnregisterBroker, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BOTH, false;
    65, DescribeTransactions, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    66, ListTransactions, Some((0, 2)), Some((0, 2)), 2, Some(0), Some(0), BROKER, false;
    67, AllocateProducerIds, None, Some((0, 0)), 0, Some(0), Some(0), CONTROLLER, true;
    68, ConsumerGroupHeartbeat, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BROKER, false;
    69, ConsumerGroupDescribe, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BROKER, false;
    70, ControllerRegistration, None, Some((0, 0)), 0, Some(0), Some(0), CONTROLLER, false;
    71, GetTelemetrySubscriptions, None, Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    72, PushTelemetry, None, Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    73, AssignReplicasToDirs, None, Some((0, 0)), 0, Some(0), Some(0), CONTROLLER, false;
    74, ListConfigResources, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BROKER, false;
    75, DescribeTopicPartitions, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    76, ShareGroupHeartbeat, Some((1, 1)), Some((1, 1)), 1, Some(1), Some(1), BROKER, false;
    77, ShareGroupDescribe, Some((1, 1)), Some((1, 1)), 1, Some(1), Some(1), BROKER, false;
    78, ShareFetch, Some((1, 2)), Some((1, 2)), 2, Some(1), Some(1), BROKER, false;
    79, ShareAcknowledge, Some((1, 2)), Some((1, 2)), 2, Some(1), Some(1), BROKER, false;
    80, AddRaftVoter, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BOTH, false;
    81, RemoveRaftVoter, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BOTH, false;
    82, UpdateRaftVoter, None, Some((0, 0)), 0, Some(0), Some(0), CONTROLLER, false;
    83, InitializeShareGroupState, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, true;
    84, ReadShareGroupState, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, true;
    85, WriteShareGroupState, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BROKER, true;
    86, DeleteShareGroupState, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, true;
    87, ReadShareGroupStateSummary, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BROKER, true;
    88, StreamsGroupHeartbeat, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    89, StreamsGroupDescribe, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    90, DescribeShareGroupOffsets, Some((0, 1)), Some((0, 1)), 1, Some(0), Some(0), BROKER, false;
    91, AlterShareGroupOffsets, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
    92, DeleteShareGroupOffsets, Some((0, 0)), Some((0, 0)), 0, Some(0), Some(0), BROKER, false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_finds_its_own_entry() {
        assert_eq!(ApiKey::ALL.len(), 93);
        for (index, api) in ApiKey::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(api.key()).unwrap(), index);
            assert_eq!(api.name(), format!("{api:?}"));
            assert_eq!(ApiKey::from_key(api.key()), Some(*api));
        }
        assert_eq!(ApiKey::from_key(-1), None);
        assert_eq!(ApiKey::from_key(93), None);
    }

    #[test]
    fn retired_apis_have_no_versions_and_are_never_advertised() {
        let retired: Vec<_> = ApiKey::ALL.iter().filter(|api| api.is_retired()).collect();
        assert_eq!(retired.len(), 4);
        assert!(
            retired
                .iter()
                .all(|api| api.advertised_versions().is_none())
        );
    }

    #[test]
    fn advertised_versions_can_be_decoded_except_the_ones_kept_for_librdkafka() {
        for api in ApiKey::ALL {
            let Some((min, max)) = api.advertised_versions() else {
                continue;
            };
            let (known_min, known_max) = api.versions().expect("an advertised API is live");
            assert_eq!(max, known_max, "{api}");
            assert!(min == known_min || *api == ApiKey::Produce, "{api}");
        }
    }

    #[test]
    fn header_versions_follow_the_flexible_versions() {
        assert_eq!(ApiKey::Produce.request_header_version(8), 1);
        assert_eq!(ApiKey::Produce.request_header_version(9), 2);
        assert_eq!(ApiKey::Produce.response_header_version(9), 1);
        assert_eq!(ApiKey::ApiVersions.request_header_version(3), 2);
        assert_eq!(ApiKey::ApiVersions.response_header_version(4), 0);
        assert_eq!(ApiKey::SaslHandshake.request_header_version(1), 1);
    }
}
