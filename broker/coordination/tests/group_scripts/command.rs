//! Reads a script's command lines.
//!
//! `verb group words… key=value…`; partitions are `topic-0=offset`, assignments `member:what,member:what`.

mod members;
mod offsets;

use std::collections::BTreeMap;

use ottla_coordination::group::{Command, MigrationPolicy, Settings, UnknownGroup};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::HeartbeatRequest;
use ottla_protocol::types::Millis;
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
            "txn-commit" => self.txn_commit(),
            "end" => Command::EndTransaction(self.end()),
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
