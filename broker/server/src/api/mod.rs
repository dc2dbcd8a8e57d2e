//! Every API this broker speaks: the one list, and the way from a frame to a reply.
//!
//! Adding an API is a file here and a line in `APIS`; ApiVersions follows from the list. A handler takes a decoded
//! request and returns an `Answer`; versions end in it. Deliberately not here: sockets (`net`) and decisions that
//! outlive a request (`exec`, `ottla_coordination`).

mod access;
mod acls;
mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod asked;
mod call;
mod config_resource;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod group;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod raft_voters;
mod sync_group;
mod transaction;
mod txn_offset_commit;
mod unregister_broker;
mod unsupported;
mod update_features;
mod write_txn_markers;

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_log::FileSlice;
use ottla_protocol::apis::ApiKey;
use ottla_protocol::messages::{self, Message, Request};
use ottla_protocol::wire::{DecodeError, Reader, StrBytes};

pub(crate) use call::{Call, answer};

use crate::broker::Broker;
use crate::net::{Encoded, Peer, Role};

/// Whether requests may be taken in before earlier ones of the connection are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Begins when all earlier requests of the connection are answered.
    InTurn,
    /// Does its work in order, and at once unless it is held; only its reply may wait while the next of its kind begins.
    Pipelined,
}

/// An API as this broker speaks it.
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) order: Order,
    handle: fn(&Context<'_>, Reader) -> Result<Outcome, DecodeError>,
}

macro_rules! api {
    ($key:ident, $request:ident, $order:ident, $handler:path) => {
        Api {
            key: ApiKey::$key,
            order: Order::$order,
            handle: |context, reader| run::<messages::$request>(context, reader, $handler),
        }
    };
}

/// The list, in the order of the keys.
pub(crate) static APIS: &[Api] = &[
    api!(Produce, ProduceRequest, Pipelined, produce::handle),
    api!(Fetch, FetchRequest, InTurn, fetch::handle),
    api!(
        ListOffsets,
        ListOffsetsRequest,
        InTurn,
        list_offsets::handle
    ),
    api!(Metadata, MetadataRequest, InTurn, metadata::handle),
    api!(
        OffsetCommit,
        OffsetCommitRequest,
        InTurn,
        offset_commit::handle
    ),
    api!(
        OffsetFetch,
        OffsetFetchRequest,
        InTurn,
        offset_fetch::handle
    ),
    api!(
        FindCoordinator,
        FindCoordinatorRequest,
        InTurn,
        find_coordinator::handle
    ),
    api!(JoinGroup, JoinGroupRequest, InTurn, join_group::handle),
    api!(Heartbeat, HeartbeatRequest, InTurn, heartbeat::handle),
    api!(LeaveGroup, LeaveGroupRequest, InTurn, leave_group::handle),
    api!(SyncGroup, SyncGroupRequest, InTurn, sync_group::handle),
    api!(
        DescribeGroups,
        DescribeGroupsRequest,
        InTurn,
        describe_groups::handle
    ),
    api!(ListGroups, ListGroupsRequest, InTurn, list_groups::handle),
    api!(
        ApiVersions,
        ApiVersionsRequest,
        InTurn,
        api_versions::handle
    ),
    api!(
        CreateTopics,
        CreateTopicsRequest,
        InTurn,
        create_topics::handle
    ),
    api!(
        DeleteTopics,
        DeleteTopicsRequest,
        InTurn,
        delete_topics::handle
    ),
    api!(
        DeleteRecords,
        DeleteRecordsRequest,
        InTurn,
        delete_records::handle
    ),
    api!(
        InitProducerId,
        InitProducerIdRequest,
        InTurn,
        init_producer_id::handle
    ),
    api!(
        OffsetForLeaderEpoch,
        OffsetForLeaderEpochRequest,
        InTurn,
        offset_for_leader_epoch::handle
    ),
    api!(
        AddPartitionsToTxn,
        AddPartitionsToTxnRequest,
        InTurn,
        add_partitions_to_txn::handle
    ),
    api!(
        AddOffsetsToTxn,
        AddOffsetsToTxnRequest,
        InTurn,
        add_offsets_to_txn::handle
    ),
    api!(EndTxn, EndTxnRequest, InTurn, end_txn::handle),
    api!(
        WriteTxnMarkers,
        WriteTxnMarkersRequest,
        InTurn,
        write_txn_markers::handle
    ),
    api!(
        TxnOffsetCommit,
        TxnOffsetCommitRequest,
        InTurn,
        txn_offset_commit::handle
    ),
    api!(DescribeAcls, DescribeAclsRequest, InTurn, acls::describe),
    api!(CreateAcls, CreateAclsRequest, InTurn, acls::create),
    api!(DeleteAcls, DeleteAclsRequest, InTurn, acls::delete),
    api!(
        DescribeConfigs,
        DescribeConfigsRequest,
        InTurn,
        describe_configs::handle
    ),
    api!(
        AlterConfigs,
        AlterConfigsRequest,
        InTurn,
        alter_configs::handle
    ),
    api!(
        AlterReplicaLogDirs,
        AlterReplicaLogDirsRequest,
        InTurn,
        alter_replica_log_dirs::handle
    ),
    api!(
        DescribeLogDirs,
        DescribeLogDirsRequest,
        InTurn,
        describe_log_dirs::handle
    ),
    api!(
        CreatePartitions,
        CreatePartitionsRequest,
        InTurn,
        create_partitions::handle
    ),
    api!(
        DeleteGroups,
        DeleteGroupsRequest,
        InTurn,
        delete_groups::handle
    ),
    api!(
        ElectLeaders,
        ElectLeadersRequest,
        InTurn,
        elect_leaders::handle
    ),
    api!(
        IncrementalAlterConfigs,
        IncrementalAlterConfigsRequest,
        InTurn,
        incremental_alter_configs::handle
    ),
    api!(
        AlterPartitionReassignments,
        AlterPartitionReassignmentsRequest,
        InTurn,
        alter_partition_reassignments::handle
    ),
    api!(
        ListPartitionReassignments,
        ListPartitionReassignmentsRequest,
        InTurn,
        list_partition_reassignments::handle
    ),
    api!(
        OffsetDelete,
        OffsetDeleteRequest,
        InTurn,
        offset_delete::handle
    ),
    api!(
        DescribeQuorum,
        DescribeQuorumRequest,
        InTurn,
        describe_quorum::handle
    ),
    api!(
        UpdateFeatures,
        UpdateFeaturesRequest,
        InTurn,
        update_features::handle
    ),
    api!(
        DescribeCluster,
        DescribeClusterRequest,
        InTurn,
        describe_cluster::handle
    ),
    api!(
        DescribeProducers,
        DescribeProducersRequest,
        InTurn,
        describe_producers::handle
    ),
    api!(
        UnregisterBroker,
        UnregisterBrokerRequest,
        InTurn,
        unregister_broker::handle
    ),
    api!(
        DescribeTransactions,
        DescribeTransactionsRequest,
        InTurn,
        describe_transactions::handle
    ),
    api!(
        ListTransactions,
        ListTransactionsRequest,
        InTurn,
        list_transactions::handle
    ),
    api!(
        ConsumerGroupHeartbeat,
        ConsumerGroupHeartbeatRequest,
        InTurn,
        consumer_group_heartbeat::handle
    ),
    api!(
        ConsumerGroupDescribe,
        ConsumerGroupDescribeRequest,
        InTurn,
        consumer_group_describe::handle
    ),
    api!(
        ListConfigResources,
        ListConfigResourcesRequest,
        InTurn,
        list_config_resources::handle
    ),
    api!(
        DescribeTopicPartitions,
        DescribeTopicPartitionsRequest,
        InTurn,
        describe_topic_partitions::handle
    ),
    api!(AddRaftVoter, AddRaftVoterRequest, InTurn, raft_voters::add),
    api!(
        RemoveRaftVoter,
        RemoveRaftVoterRequest,
        InTurn,
        raft_voters::remove
    ),
];

impl Api {
    pub(crate) fn of(key: ApiKey) -> Option<&'static Self> {
        APIS.iter().find(|api| api.key == key)
    }
}

/// Whether clients ask nodes in that role. Controllers have a Fetch for other nodes, of which there are none.
pub(crate) fn is_asked_of(role: Role, key: ApiKey) -> bool {
    match role {
        Role::Broker => key.listeners().broker,
        Role::Controller => key.listeners().controller && key != ApiKey::Fetch,
    }
}

/// What a handler knows beside the request itself.
pub(crate) struct Context<'a> {
    pub(crate) broker: &'a Arc<Broker>,
    pub(crate) peer: &'a Arc<Peer>,
    pub(crate) version: i16,
    /// Empty where the client gave none.
    pub(crate) client_id: &'a StrBytes,
    correlation_id: i32,
    frame: Cell<Bytes>,
    buffer: Cell<BytesMut>,
}

impl Context<'_> {
    /// Takes the frame that the request came in. Once all slices of it are dropped its bytes can be changed in place.
    pub(crate) fn take_frame(&self) -> Bytes {
        self.frame.take()
    }

    /// Gives the frame's memory back to the connection for the next one.
    pub(crate) fn give_back(&self, buffer: BytesMut) {
        self.buffer.set(buffer);
    }
}

/// A response, and the file ranges that fill the gaps of its `Records::External` in order.
#[derive(Debug, Default)]
pub(crate) struct Reply<R> {
    pub(crate) body: R,
    pub(crate) files: Vec<FileSlice>,
}

impl<R> From<R> for Reply<R> {
    fn from(body: R) -> Self {
        Self {
            body,
            files: Vec::new(),
        }
    }
}

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a handler returns.
pub(crate) enum Answer<R> {
    Now(Reply<R>),
    /// The reply needs something to happen first.
    Later(Boxed<Reply<R>>),
    /// What is done waits for something, and with it everything else that the connection asks for.
    Held(Boxed<Answer<R>>),
    /// The client wants no reply.
    Nothing,
    /// The client can be told in no other way.
    Close(String),
}

impl<R> Answer<R> {
    pub(crate) fn now(body: R) -> Self {
        Self::Now(body.into())
    }

    pub(crate) fn later<T: Into<Reply<R>>>(
        reply: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        Self::Later(Box::pin(async move { reply.await.into() }))
    }
}

impl<R> From<R> for Answer<R> {
    fn from(body: R) -> Self {
        Self::now(body)
    }
}

/// A reply that is not due yet.
pub(crate) type Parked = Boxed<Encoded>;

/// An `Answer` with its response encoded.
pub(crate) enum Outcome {
    Now(Encoded),
    Later(Parked),
    Held(Boxed<Outcome>),
    Nothing,
    Close(String),
}

/// Decodes, handles, encodes: what all entries of the list share.
fn run<R: Request>(
    context: &Context<'_>,
    mut reader: Reader,
    handler: impl Fn(&Context<'_>, R) -> Answer<R::Response>,
) -> Result<Outcome, DecodeError>
where
    R::Response: Send + 'static,
{
    let request = R::decode(&mut reader, context.version)?;
    drop(reader);
    let answer = handler(context, request);
    Ok(outcome(answer, context.version, context.correlation_id))
}

fn outcome<M: Message + Send + 'static>(
    answer: Answer<M>,
    version: i16,
    correlation_id: i32,
) -> Outcome {
    match answer {
        Answer::Now(reply) => Outcome::Now(encode(reply, version, correlation_id)),
        Answer::Later(reply) => Outcome::Later(Box::pin(async move {
            encode(reply.await, version, correlation_id)
        })),
        Answer::Held(answer) => Outcome::Held(Box::pin(async move {
            outcome(answer.await, version, correlation_id)
        })),
        Answer::Nothing => Outcome::Nothing,
        Answer::Close(why) => Outcome::Close(why),
    }
}

fn encode<M: Message>(reply: Reply<M>, version: i16, correlation_id: i32) -> Encoded {
    Encoded {
        chunks: messages::encode_response(&reply.body, version, correlation_id),
        files: reply.files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_keys_and_within_what_the_reference_advertises() {
        for pair in APIS.windows(2) {
            assert!(
                pair[0].key < pair[1].key,
                "{} before {}",
                pair[0].key,
                pair[1].key
            );
        }
        for api in APIS {
            assert!(api.key.advertised_versions().is_some(), "{}", api.key);
        }
    }
}
