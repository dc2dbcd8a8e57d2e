//! What is said to a request for an API that Kafka has and this broker does not speak.
//!
//! The response of the version that was asked for, empty but for UNSUPPORTED_VERSION, where it has a place for an
//! error of its own. The others can say nothing without naming what the request named: their connection ends.

use ottla_protocol::apis::ApiKey;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{self, Message};

use super::Outcome;
use crate::net::Encoded;

const MESSAGE: &str = "This broker does not speak the API.";

macro_rules! refusals {
    ($key:expr, $version:expr, $correlation:expr; $($api:ident => $response:ident,)*) => {
        match $key {
            $(ApiKey::$api => refuse(
                &messages::$response { error_code: ErrorCode::UnsupportedVersion.code(), ..Default::default() },
                $version,
                $correlation,
            ),)*
            _ => Outcome::Close(format!("{}: {MESSAGE}", $key)),
        }
    };
}

pub(crate) fn answer(key: ApiKey, version: i16, correlation_id: i32) -> Outcome {
    if !key.supports(version) {
        return Outcome::Close(format!("{key} version {version} is not supported"));
    }
    refusals! { key, version, correlation_id;
        SaslHandshake => SaslHandshakeResponse,
        SaslAuthenticate => SaslAuthenticateResponse,
        AddOffsetsToTxn => AddOffsetsToTxnResponse,
        EndTxn => EndTxnResponse,
        DescribeAcls => DescribeAclsResponse,
        CreateDelegationToken => CreateDelegationTokenResponse,
        RenewDelegationToken => RenewDelegationTokenResponse,
        ExpireDelegationToken => ExpireDelegationTokenResponse,
        DescribeDelegationToken => DescribeDelegationTokenResponse,
        ElectLeaders => ElectLeadersResponse,
        AlterPartitionReassignments => AlterPartitionReassignmentsResponse,
        ListPartitionReassignments => ListPartitionReassignmentsResponse,
        DescribeClientQuotas => DescribeClientQuotasResponse,
        DescribeUserScramCredentials => DescribeUserScramCredentialsResponse,
        Vote => VoteResponse,
        BeginQuorumEpoch => BeginQuorumEpochResponse,
        EndQuorumEpoch => EndQuorumEpochResponse,
        DescribeQuorum => DescribeQuorumResponse,
        AlterPartition => AlterPartitionResponse,
        UpdateFeatures => UpdateFeaturesResponse,
        Envelope => EnvelopeResponse,
        FetchSnapshot => FetchSnapshotResponse,
        BrokerRegistration => BrokerRegistrationResponse,
        BrokerHeartbeat => BrokerHeartbeatResponse,
        UnregisterBroker => UnregisterBrokerResponse,
        ListTransactions => ListTransactionsResponse,
        AllocateProducerIds => AllocateProducerIdsResponse,
        ConsumerGroupHeartbeat => ConsumerGroupHeartbeatResponse,
        ControllerRegistration => ControllerRegistrationResponse,
        GetTelemetrySubscriptions => GetTelemetrySubscriptionsResponse,
        PushTelemetry => PushTelemetryResponse,
        AssignReplicasToDirs => AssignReplicasToDirsResponse,
        ListConfigResources => ListConfigResourcesResponse,
        ShareGroupHeartbeat => ShareGroupHeartbeatResponse,
        ShareFetch => ShareFetchResponse,
        ShareAcknowledge => ShareAcknowledgeResponse,
        AddRaftVoter => AddRaftVoterResponse,
        RemoveRaftVoter => RemoveRaftVoterResponse,
        UpdateRaftVoter => UpdateRaftVoterResponse,
        StreamsGroupHeartbeat => StreamsGroupHeartbeatResponse,
        AlterShareGroupOffsets => AlterShareGroupOffsetsResponse,
        DeleteShareGroupOffsets => DeleteShareGroupOffsetsResponse,
    }
}

fn refuse<M: Message>(response: &M, version: i16, correlation_id: i32) -> Outcome {
    let chunks = messages::encode_response(response, version, correlation_id);
    Outcome::Now(Encoded {
        chunks,
        files: Vec::new(),
    })
}
