//! Reads a script's command lines.
//!
//! `verb group words… key=value…`; partitions are `topic-0=offset`, assignments `member:what,member:what`.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_coordination::group::{
    Command, ConsumerHeartbeat, GroupRecord, JoinGroup, MemberIds, MigrationPolicy, Settings,
    TransactionRecord, UnknownGroup,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::common::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use ottla_protocol::messages::common::consumer_protocol_subscription::TopicPartition as OwnedTopic;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::internal::{OffsetCommitKey, OffsetCommitValue};
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete::request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, Message, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest,
};
use ottla_protocol::types::{Millis, ProducerId};
use ottla_protocol::wire::{StrBytes, Uuid};

pub(super) struct Words<'a> {
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let (options, words): (Vec<&str>, Vec<&str>) =
            line.split_whitespace().partition(|word| word.contains('='));
        let options = options.iter().filter_map(|word| word.split_once('='));
        Self {
            words,
            options: options.collect(),
        }
    }

    pub(super) fn verb(&self) -> &'a str {
        self.words[0]
    }

    fn word(&self, index: usize) -> &'a str {
        self.words.get(index + 1).copied().unwrap_or_default()
    }

    fn has(&self, word: &str) -> bool {
        self.words[1..].contains(&word)
    }

    fn option(&self, name: &str) -> Option<&'a str> {
        self.options.get(name).copied()
    }

    fn number(&self, name: &str, default: i32) -> i32 {
        self.option(name)
            .map_or(default, |text| text.parse().expect("a number"))
    }

    pub(super) fn millis(&self, index: usize) -> Millis {
        Millis(self.word(index).parse().expect("milliseconds"))
    }

    pub(super) fn error(&self) -> ErrorCode {
        let named = |code: &&ErrorCode| code.name() == self.word(0);
        *ErrorCode::ALL.iter().find(named).expect("an error's name")
    }

    /// Who asks, for the answer's line.
    pub(super) fn asker(&self) -> String {
        let who = self.option("member").or(self.option("as"));
        who.map(|who| format!(" {who}")).unwrap_or_default()
    }

    pub(super) fn change(&self, settings: &mut Settings) {
        for (name, value) in &self.options {
            if *name == "policy" {
                settings.consumer.migration_policy = policy(value);
                continue;
            }
            let value: i32 = value.parse().expect("a number");
            match *name {
                "size" => settings.group_size_max = value as usize,
                "delay" => settings.initial_rebalance_delay_ms = value,
                "metadata" => settings.offset_metadata_bytes_max = value as usize,
                "retention" => settings.offsets_retention_ms = value.into(),
                "check" => settings.offsets_retention_check_interval_ms = value.into(),
                "consumers" => settings.consumer.size_max = value as usize,
                "interval" => settings.consumer.assignment_interval_ms = value,
                _ => panic!("no setting {name}"),
            }
        }
    }

    pub(super) fn command(&self) -> Option<Command> {
        Some(match self.verb() {
            "join" => Command::JoinGroup(self.join()),
            "sync" => Command::SyncGroup(self.sync()),
            "heartbeat" => Command::Heartbeat(HeartbeatRequest {
                group_id: self.group(),
                generation_id: self.number("gen", -1),
                member_id: self.member(),
                group_instance_id: self.instance(),
                ..Default::default()
            }),
            "leave" => Command::LeaveGroup(self.leave()),
            "describe" => Command::DescribeGroups {
                group_ids: vec![self.group()],
                unknown_group: self.unknown_group(),
            },
            "list" => Command::ListGroups {
                states_filter: self.list("state"),
                types_filter: self.list("type"),
            },
            "delete" => Command::DeleteGroups {
                group_ids: self.words[1..].iter().map(|id| (*id).into()).collect(),
            },
            "commit" => Command::OffsetCommit {
                request: self.commit(),
                unknown_group: self.unknown_group(),
            },
            "fetch" => Command::OffsetFetch {
                group: self.fetch(),
                require_stable: self.has("stable"),
            },
            "offset-delete" => Command::OffsetDelete(self.offset_delete()),
            "beat" => Command::ConsumerGroupHeartbeat(self.beat()),
            "describe-consumers" => Command::ConsumerGroupDescribe {
                group_ids: vec![self.group()],
            },
            "topics-deleted" => Command::TopicsDeleted {
                topics: vec![(self.word(0).to_owned(), self.topic_id())],
            },
            _ => return None,
        })
    }

    /// What transactions have left on the log: `sent GROUP t-0=5 producer=1`, `ended committed producer=1`.
    pub(super) fn records(&self) -> Vec<GroupRecord> {
        let producer_id = ProducerId(self.number("producer", 0).into());
        if self.verb() == "ended" {
            let end = TransactionRecord::End {
                producer_id,
                is_committed: self.has("committed"),
            };
            return vec![GroupRecord::Transaction(end)];
        }
        let commit = self.commit();
        let records = commit.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| {
                GroupRecord::Transaction(TransactionRecord::Offset {
                    producer_id,
                    key: OffsetCommitKey {
                        group: commit.group_id.clone(),
                        topic: topic.name.clone(),
                        partition: partition.partition_index,
                        ..Default::default()
                    },
                    value: OffsetCommitValue {
                        offset: partition.committed_offset,
                        topic_id: topic.topic_id,
                        ..Default::default()
                    },
                })
            })
        });
        records.collect()
    }

    fn group(&self) -> StrBytes {
        match self.word(0) {
            "''" => StrBytes::new(),
            group => group.into(),
        }
    }

    fn member(&self) -> StrBytes {
        self.option("member").unwrap_or_default().into()
    }

    fn instance(&self) -> Option<StrBytes> {
        self.option("instance").map(Into::into)
    }

    /// Of all topics that the line names; none where it does not tell.
    fn topic_id(&self) -> Uuid {
        Uuid::from(self.number("id", 0).unsigned_abs() as u128)
    }

    fn list(&self, name: &str) -> Vec<StrBytes> {
        let items = self
            .option(name)
            .into_iter()
            .flat_map(|text| text.split(','))
            .filter(|item| !item.is_empty());
        items.map(Into::into).collect()
    }

    fn unknown_group(&self) -> UnknownGroup {
        if self.has("legacy") {
            UnknownGroup::Legacy
        } else {
            UnknownGroup::NotFound
        }
    }

    /// The cluster's topics: names with partition counts.
    pub(super) fn topics(&self) -> BTreeMap<String, usize> {
        let topics = self.options.iter();
        topics
            .map(|(name, count)| ((*name).to_owned(), count.parse().expect("a number")))
            .collect()
    }

    fn beat(&self) -> ConsumerHeartbeat {
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

    fn join(&self) -> JoinGroup {
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

    fn sync(&self) -> SyncGroupRequest {
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

    fn leave(&self) -> LeaveGroupRequest {
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

    fn commit(&self) -> OffsetCommitRequest {
        let committed = self.options.iter().filter_map(|(name, value)| {
            let (topic, index) = name.rsplit_once('-')?;
            Some((
                topic,
                index.parse::<i32>().ok()?,
                value.parse::<i64>().ok()?,
            ))
        });
        let topics = committed.map(|(topic, index, offset)| OffsetCommitRequestTopic {
            name: topic.into(),
            topic_id: self.topic_id(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: index,
                committed_offset: offset,
                committed_leader_epoch: self.number("epoch", -1),
                committed_metadata: self.option("meta").map(Into::into),
                ..Default::default()
            }],
            ..Default::default()
        });
        OffsetCommitRequest {
            group_id: self.group(),
            generation_id_or_member_epoch: self.number("gen", -1),
            member_id: self.member(),
            group_instance_id: self.instance(),
            retention_time_ms: self.number("retention", -1).into(),
            topics: topics.collect(),
            ..Default::default()
        }
    }

    fn fetch(&self) -> OffsetFetchRequestGroup {
        let topics = (!self.has("all")).then(|| {
            let asked = self.words[2..].iter().filter(|word| word.contains('-'));
            asked
                .map(|word| partition(word))
                .map(|(topic, index)| OffsetFetchRequestTopics {
                    name: topic.into(),
                    topic_id: self.topic_id(),
                    partition_indexes: vec![index],
                    ..Default::default()
                })
                .collect()
        });
        OffsetFetchRequestGroup {
            group_id: self.group(),
            member_id: self.option("member").map(Into::into),
            member_epoch: self.number("gen", -1),
            topics,
            ..Default::default()
        }
    }

    fn offset_delete(&self) -> OffsetDeleteRequest {
        let topics = self.words[2..].iter().map(|word| {
            let (topic, index) = partition(word);
            OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: vec![OffsetDeleteRequestPartition {
                    partition_index: index,
                    ..Default::default()
                }],
                ..Default::default()
            }
        });
        OffsetDeleteRequest {
            group_id: self.group(),
            topics: topics.collect(),
            ..Default::default()
        }
    }
}

/// Every topic of a script has an id that tells its name.
pub(super) fn topic_id(name: &str) -> Uuid {
    let mut bytes = [0; 16];
    for (byte, letter) in bytes.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    Uuid(bytes)
}

pub(super) fn topic_name(id: Uuid) -> String {
    let name = String::from_utf8_lossy(&id.0).into_owned();
    name.trim_end_matches('\0').to_owned()
}

fn partition(word: &str) -> (String, i32) {
    let (topic, index) = word.rsplit_once('-').expect("topic-partition");
    (topic.to_owned(), index.parse().expect("a partition"))
}

fn policy(name: &str) -> MigrationPolicy {
    match name {
        "disabled" => MigrationPolicy::Disabled,
        "upgrade" => MigrationPolicy::Upgrade,
        "downgrade" => MigrationPolicy::Downgrade,
        "bidirectional" => MigrationPolicy::Bidirectional,
        _ => panic!("no policy {name}"),
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
