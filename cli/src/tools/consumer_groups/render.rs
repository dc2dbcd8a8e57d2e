//! Tables in the reference's layout. Pure.
//!
//! Columns are padded and joined by a space; some tables pad the last column, too, and some begin each line with the
//! end of the one before, which leaves an empty line at the top.

use std::time::Duration;

use ottla_client::admin::{
    CommittedOffset, GroupDescription, GroupListing, MemberDescription, TopicPartition,
    TopicPartitions,
};
use ottla_protocol::errors::ErrorCode;

use super::plan::{self, Listing};
use crate::connect;
use crate::durations;
use crate::table::{known_as, line, width};

/// A partition that a group reads or has read.
#[derive(Debug, Clone)]
pub(super) struct OffsetRow {
    pub(super) at: TopicPartition,
    pub(super) committed: Option<CommittedOffset>,
    pub(super) end: Option<i64>,
    /// When the first record was written that the group has not read: milliseconds since 1970.
    pub(super) unread_since_ms: Option<i64>,
    pub(super) owner: Owner,
}

impl OffsetRow {
    pub(super) fn lag(&self) -> Option<i64> {
        let committed = self.committed.as_ref()?;
        Some(self.end?.saturating_sub(committed.offset))
    }

    /// The lag as time: the age of the first record that was not read; nothing where all were.
    pub(super) fn time_lag(&self, now_ms: i64) -> Option<Duration> {
        if self.lag()? <= 0 {
            return Some(Duration::ZERO);
        }
        let age_ms = now_ms.saturating_sub(self.unread_since_ms?).max(0);
        Some(Duration::from_millis(age_ms.unsigned_abs()))
    }
}

/// Columns that the table of offsets does not always have.
#[derive(Debug, Clone, Copy)]
pub(super) struct OffsetColumns {
    pub(super) leader_epoch: bool,
    /// The lag as time, as of this moment: milliseconds since 1970.
    pub(super) time_lag_at: Option<i64>,
}

/// The member that reads a partition, as columns.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) id: String,
    pub(super) host: String,
    pub(super) client_id: String,
}

impl Owner {
    pub(super) fn of(member: &MemberDescription) -> Self {
        Self {
            id: member.id.clone(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
        }
    }

    pub(super) fn nobody() -> Self {
        let missing = || MISSING.to_owned();
        Self {
            id: missing(),
            host: missing(),
            client_id: missing(),
        }
    }
}

pub(super) const MISSING: &str = "-";

/// What the columns of most tables are at least as wide as.
pub(super) const WIDTH: usize = 15;

pub(super) fn or_missing(value: Option<impl ToString>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}

pub(super) fn list(groups: &[GroupListing], listing: &Listing) -> String {
    let group_width = width(WIDTH, groups.iter().map(|group| &*group.id)) + 10;
    let mut text = String::new();
    let mut row = |group: &str, kind: &str, state: &str| {
        let mut columns = vec![(group, group_width)];
        columns.extend(listing.with_type.then_some((kind, 20)));
        columns.extend(listing.with_state.then_some((state, 20)));
        line(&mut text, columns);
    };
    row("GROUP", "TYPE", "STATE");
    for group in groups {
        let kind = shown_as(&group.kind, &plan::TYPES);
        row(&group.id, kind, shown_as(&group.state, &plan::STATES));
    }
    text
}

/// A type or state as the reference writes it.
pub(super) fn shown_as(name: &Option<String>, known: &[&'static str]) -> &'static str {
    let name = name.as_deref().and_then(|name| known_as(name, known));
    name.unwrap_or("Unknown")
}

pub(super) fn offsets(group: &str, rows: &[OffsetRow], shown: OffsetColumns) -> String {
    let group_width = width(WIDTH, [group]);
    let topic_width = width(WIDTH, rows.iter().map(|row| &*row.at.topic));
    let id_width = width(WIDTH, rows.iter().map(|row| &*row.owner.id));
    let host_width = width(WIDTH, rows.iter().map(|row| &*row.owner.host));
    let mut text = "\n".to_owned();
    let mut row = |[
        group,
        topic,
        partition,
        epoch,
        offset,
        end,
        lag,
        time_lag,
        id,
        host,
        client_id,
    ]: [&str; 11]| {
        let mut columns = vec![(group, group_width), (topic, topic_width), (partition, 10)];
        columns.extend(shown.leader_epoch.then_some((epoch, WIDTH)));
        columns.extend([(offset, WIDTH), (end, WIDTH), (lag, WIDTH)]);
        columns.extend(shown.time_lag_at.map(|_| (time_lag, WIDTH)));
        columns.extend([(id, id_width), (host, host_width), (client_id, 0)]);
        line(&mut text, columns);
    };
    row([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "TIME-LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for offsets in rows {
        let committed = offsets.committed.as_ref();
        let time_lag = shown
            .time_lag_at
            .and_then(|now_ms| offsets.time_lag(now_ms));
        let OffsetRow { at, owner, .. } = offsets;
        row([
            group,
            &at.topic,
            &at.partition.to_string(),
            &or_missing(committed.and_then(|committed| committed.leader_epoch)),
            &or_missing(committed.map(|committed| committed.offset)),
            &or_missing(offsets.end),
            &or_missing(offsets.lag()),
            &or_missing(time_lag.map(durations::shown)),
            &owner.id,
            &owner.host,
            &owner.client_id,
        ]);
    }
    text
}

/// Partitions in the order of topic and number, each once.
pub(super) fn partitions_of(assignment: &[TopicPartitions]) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for TopicPartitions {
        topic,
        partitions: indexes,
    } in assignment
    {
        partitions.extend(
            indexes
                .iter()
                .map(|index| TopicPartition::new(&**topic, *index)),
        );
    }
    partitions.sort();
    partitions.dedup();
    partitions
}

pub(super) fn state(group: &GroupDescription, verbose: bool) -> String {
    let endpoint = &group.coordinator.endpoint;
    let coordinator = format!(
        "{}:{}  ({})",
        endpoint.host, endpoint.port, group.coordinator.id.0
    );
    let group_width = width(WIDTH, [&*group.id]);
    let coordinator_width = width(25, [&*coordinator]);
    let mut text = "\n".to_owned();
    let mut row = |[
        group,
        coordinator,
        assignor,
        state,
        epoch,
        target_epoch,
        members,
    ]: [&str; 7]| {
        let mut columns = vec![(group, group_width), (coordinator, coordinator_width)];
        columns.extend([(assignor, 20), (state, 20)]);
        columns.extend(verbose.then_some((epoch, WIDTH)));
        columns.extend(verbose.then_some((target_epoch, 25)));
        columns.push((members, 0));
        line(&mut text, columns);
    };
    row([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    let assignor = Some(&*group.assignor).filter(|name| !name.is_empty());
    row([
        &group.id,
        &coordinator,
        assignor.unwrap_or(MISSING),
        &group.state,
        &or_missing(group.epochs.map(|epochs| epochs.group)),
        &or_missing(group.epochs.map(|epochs| epochs.target_assignment)),
        &group.members.len().to_string(),
    ]);
    text
}

/// The table of deleted offsets; a topic that is not known has no partition.
pub(super) fn deletions(
    rows: &[(String, Option<i32>, Result<(), ottla_client::ApiError>)],
) -> String {
    let topic_width = width(WIDTH, rows.iter().map(|(topic, _, _)| &**topic));
    let mut text = "\n".to_owned();
    let mut row = |topic: &str, partition: &str, status: &str| {
        line(
            &mut text,
            [(topic, topic_width), (partition, 10), (status, WIDTH)],
        );
    };
    row("TOPIC", "PARTITION", "STATUS");
    for (topic, partition, outcome) in rows {
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(error) => format!("Error: {}", connect::exception(error)),
        };
        row(topic, &or_missing(*partition), &status);
    }
    text
}

/// What the reference says first when offsets are deleted.
pub(super) fn deletion_head(group: &str, error: Option<ErrorCode>) -> String {
    let reason = match error {
        None => return format!("Request succeeded for deleting offsets from group {group}.\n"),
        Some(
            code @ (ErrorCode::InvalidGroupId
            | ErrorCode::GroupIdNotFound
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::NonEmptyGroup),
        ) => code.text().to_owned(),
        Some(
            ErrorCode::GroupSubscribedToTopic
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::UnknownTopicOrPartition,
        ) => "Encountered some partition-level error, see the follow-up details.".to_owned(),
        Some(code) => format!("Encountered some unknown error: {}", code.name()),
    };
    format!("\nError: {reason}\n")
}
