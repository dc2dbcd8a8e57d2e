//! Command lines of members: they join, sync, leave, and send the heartbeats of the consumer protocol.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_coordination::group::{ConsumerHeartbeat, JoinGroup, MemberIds};
use ottla_protocol::messages::common::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use ottla_protocol::messages::common::consumer_protocol_subscription::TopicPartition as OwnedTopic;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
    JoinGroupRequest, LeaveGroupRequest, Message, SyncGroupRequest,
};
use ottla_protocol::wire::StrBytes;

use super::{Words, partition, topic_id};

impl Words<'_> {
    pub(super) fn beat(&self) -> ConsumerHeartbeat {
        let names = |name: &str| self.option(name).map(|_| self.list(name));
        let owned = self.option("owned").map(|_| {
            let topics = by_topic(self.list("owned").iter().map(|word| partition(word)))
                .into_iter()
                .map(|(topic, partitions)| TopicPartitions {
                    topic_id: topic_id(&topic),
                    partitions,
                    ..Default::default()
                });
            topics.collect()
        });
        let epoch = self.number("epoch", 0);
        ConsumerHeartbeat {
            request: ConsumerGroupHeartbeatRequest {
                group_id: self.group(),
                member_id: self.member(),
                member_epoch: epoch,
                instance_id: self.instance(),
                rack_id: self.option("rack").map(Into::into),
                rebalance_timeout_ms: self
                    .number("rebalance", if epoch == 0 { 60_000 } else { -1 }),
                subscribed_topic_names: names("topics"),
                subscribed_topic_regex: self.option("regex").map(Into::into),
                server_assignor: self.option("assignor").map(Into::into),
                topic_partitions: owned.or((epoch == 0).then(Vec::new)),
                ..Default::default()
            },
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: self.option("as").map(str::to_owned),
        }
    }

    pub(super) fn join(&self) -> JoinGroup {
        let protocol_type = self.option("type").unwrap_or("consumer");
        let protocols = self.option("protocols").unwrap_or("range:t");
        let protocols = protocols
            .split(',')
            .filter(|protocol| !protocol.is_empty())
            .map(|protocol| {
                let (name, topics) = protocol.split_once(':').unwrap_or((protocol, "t"));
                JoinGroupRequestProtocol {
                    name: name.into(),
                    metadata: if protocol_type == "consumer" {
                        subscription(topics, self.option("rack"), &self.list("owned"))
                    } else {
                        Bytes::copy_from_slice(topics.as_bytes())
                    },
                    ..Default::default()
                }
            });
        JoinGroup {
            request: JoinGroupRequest {
                group_id: self.group(),
                session_timeout_ms: self.number("session", 10_000),
                rebalance_timeout_ms: self.number("rebalance", 60_000),
                member_id: self.member(),
                group_instance_id: self.instance(),
                protocol_type: protocol_type.into(),
                protocols: protocols.collect(),
                ..Default::default()
            },
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: self.option("as").unwrap_or("nobody").to_owned(),
            member_ids: if self.has("optional") {
                MemberIds::Optional
            } else {
                MemberIds::Required
            },
            can_skip_assignment: !self.has("noskip"),
        }
    }

    pub(super) fn sync(&self) -> SyncGroupRequest {
        let parts = self
            .option("assign")
            .into_iter()
            .flat_map(|text| text.split(','));
        let assignments = parts.map(|part| {
            let (member, assignment) = part.split_once(':').expect("member:assignment");
            SyncGroupRequestAssignment {
                member_id: member.into(),
                assignment: assigned(assignment),
                ..Default::default()
            }
        });
        SyncGroupRequest {
            group_id: self.group(),
            generation_id: self.number("gen", -1),
            member_id: self.member(),
            group_instance_id: self.instance(),
            protocol_type: self.option("type").map(Into::into),
            protocol_name: self.option("protocol").map(Into::into),
            assignments: assignments.collect(),
            ..Default::default()
        }
    }

    pub(super) fn leave(&self) -> LeaveGroupRequest {
        let members = self.words[2..].iter().map(|who| {
            // `member`, `member/instance` or `/instance`.
            let (member, instance) = match who.split_once('/') {
                Some((member, instance)) => (member, Some(instance.into())),
                None => (*who, None),
            };
            MemberIdentity {
                member_id: member.into(),
                group_instance_id: instance,
                ..Default::default()
            }
        });
        LeaveGroupRequest {
            group_id: self.group(),
            members: members.collect(),
            ..Default::default()
        }
    }
}

/// What a consumer says of itself: it wants these topics, joined by plus signs, and owns these partitions. `broken`
/// makes no sense.
fn subscription(topics: &str, rack: Option<&str>, owned: &[StrBytes]) -> Bytes {
    if topics == "broken" {
        return Bytes::from_static(&[0]);
    }
    let owned = by_topic(owned.iter().map(|word| partition(word)));
    let owned = owned.into_iter().map(|(topic, partitions)| OwnedTopic {
        topic: topic.as_str().into(),
        partitions,
        ..Default::default()
    });
    versioned(&ConsumerProtocolSubscription {
        topics: topics.split('+').map(Into::into).collect(),
        owned_partitions: owned.collect(),
        rack_id: rack.map(Into::into),
        ..Default::default()
    })
}

/// An assignment: `@` begins partitions, joined by plus signs, `!` such with data of the leader's own; all else is
/// just bytes.
fn assigned(text: &str) -> Bytes {
    let (text, user_data) = match (text.strip_prefix('@'), text.strip_prefix('!')) {
        (Some(text), _) => (text, None),
        (_, Some(text)) => (text, Some(Bytes::from_static(b"own"))),
        (None, None) => return Bytes::copy_from_slice(text.as_bytes()),
    };
    let words = text.split('+').filter(|word| !word.is_empty());
    let topics = by_topic(words.map(partition)).into_iter();
    let topics = topics.map(|(topic, partitions)| AssignedTopic {
        topic: topic.as_str().into(),
        partitions,
        ..Default::default()
    });
    versioned(&ConsumerProtocolAssignment {
        assigned_partitions: topics.collect(),
        user_data,
        ..Default::default()
    })
}

fn by_topic(partitions: impl Iterator<Item = (String, i32)>) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(index);
    }
    topics
}

fn versioned<M: Message>(message: &M) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(M::MAX_VERSION);
    bytes.put(message.to_bytes(M::MAX_VERSION));
    bytes.freeze()
}
