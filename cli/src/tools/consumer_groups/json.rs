//! The results as JSON: docs/json/consumer-groups.md. Pure.
//!
//! Always: one object, or with --watch one a line, that tells its version. Fields may be added within a version; none
//! changes its meaning or goes.

use ottla_client::ApiError;
use ottla_client::admin::{
    GroupDescription, GroupListing, MemberDescription, Outcomes, TopicPartitions,
};
use serde_json::{Value, json};

use crate::output::{Report, Rows, json_error};

use super::describe::Seen;
use super::plan::{self, Description, View};
use super::render::{MISSING, OffsetRow, shown_as};
use crate::durations;

pub(super) const VERSION: u32 = 1;

pub(super) fn listed(groups: &[GroupListing]) -> Report {
    let group = |group: &GroupListing| {
        json!({
            "group": group.id,
            "type": shown_as(&group.kind, &plan::TYPES),
            "state": shown_as(&group.state, &plan::STATES),
            "protocolType": group.protocol_type,
            "coordinator": group.coordinator.0,
        })
    };
    Report {
        value: json!({ "version": VERSION, "groups": groups.iter().map(group).collect::<Vec<_>>() }),
        rows: Rows {
            within: &["groups"],
            columns: &["group", "type", "state", "protocolType", "coordinator"],
        },
    }
}

/// A row for each partition, also where --watch tells more of it.
pub(super) const OFFSETS: Rows = Rows {
    within: &["groups", "offsets"],
    columns: &[
        "group",
        "topic",
        "partition",
        "leaderEpoch",
        "currentOffset",
        "logEndOffset",
        "lag",
        "timeLagMs",
        "readPerSecond",
        "writtenPerSecond",
        "catchUpMs",
        "memberId",
        "host",
        "clientId",
        "timeMs",
    ],
};

const MEMBERS: Rows = Rows {
    within: &["groups", "members"],
    columns: &[
        "group",
        "id",
        "instanceId",
        "clientId",
        "host",
        "epoch",
        "upgraded",
        "assignment",
        "targetAssignment",
    ],
};

const STATES: Rows = Rows {
    within: &["groups"],
    columns: &[
        "group",
        "type",
        "state",
        "assignor",
        "coordinator.id",
        "coordinator.host",
        "coordinator.port",
        "groupEpoch",
        "targetAssignmentEpoch",
        "members",
    ],
};

pub(super) fn described(seen: &[Seen], description: &Description, now_ms: i64) -> Report {
    let group = |Seen { group: found, rows }: &Seen| {
        let mut value = group(found);
        if description.view == View::Offsets {
            let row = |row: &OffsetRow| offsets(row, description.time_lag.then_some(now_ms));
            value["offsets"] = rows.iter().map(row).collect();
        }
        value
    };
    Report {
        value: json!({ "version": VERSION, "groups": seen.iter().map(group).collect::<Vec<_>>() }),
        rows: match description.view {
            View::Offsets => OFFSETS,
            View::Members => MEMBERS,
            View::State => STATES,
        },
    }
}

/// A group and its members, without offsets.
pub(super) fn group(group: &GroupDescription) -> Value {
    let endpoint = &group.coordinator.endpoint;
    json!({
        "group": group.id,
        "type": group.kind,
        "state": group.state,
        "assignor": Some(&group.assignor).filter(|name| !name.is_empty()),
        "coordinator": {
            "id": group.coordinator.id.0,
            "host": endpoint.host,
            "port": endpoint.port,
        },
        "groupEpoch": group.epochs.map(|epochs| epochs.group),
        "targetAssignmentEpoch": group.epochs.map(|epochs| epochs.target_assignment),
        "members": group.members.iter().map(member).collect::<Vec<_>>(),
    })
}

pub(super) fn member(member: &MemberDescription) -> Value {
    let epochs = member.epochs.as_ref();
    json!({
        "id": member.id,
        "instanceId": member.instance_id,
        "clientId": member.client_id,
        "host": member.host,
        "epoch": epochs.map(|epochs| epochs.member),
        "upgraded": epochs.and_then(|epochs| epochs.is_upgraded),
        "assignment": assignment(&member.assignment),
        "targetAssignment": epochs.map(|epochs| assignment(&epochs.target_assignment)),
    })
}

fn assignment(assigned: &[TopicPartitions]) -> Value {
    let topic = |assigned: &TopicPartitions| json!({ "topic": assigned.topic, "partitions": assigned.partitions });
    assigned.iter().map(topic).collect()
}

/// A partition that a group reads or has read; the lag as time where a moment is given.
pub(super) fn offsets(row: &OffsetRow, now_ms: Option<i64>) -> Value {
    let committed = row.committed.as_ref();
    let owned = |text: &str| Some(text.to_owned()).filter(|text| text != MISSING);
    let mut value = json!({
        "topic": row.at.topic,
        "partition": row.at.partition,
        "leaderEpoch": committed.and_then(|committed| committed.leader_epoch),
        "currentOffset": committed.map(|committed| committed.offset),
        "logEndOffset": row.end,
        "lag": row.lag(),
        "memberId": owned(&row.owner.id),
        "host": owned(&row.owner.host),
        "clientId": owned(&row.owner.client_id),
    });
    if let Some(now_ms) = now_ms {
        let time_lag = row.time_lag(now_ms);
        value["timeLagMs"] = time_lag.map(durations::ms).into();
    }
    value
}

pub(super) fn deleted_groups(outcomes: &Outcomes<String>) -> Report {
    let group = |(group, outcome): &(String, Result<(), ApiError>)| {
        let error = outcome.as_ref().err().map(json_error);
        json!({ "group": group, "deleted": outcome.is_ok(), "error": error })
    };
    Report {
        value: json!({ "version": VERSION, "groups": outcomes.iter().map(group).collect::<Vec<_>>() }),
        rows: Rows {
            within: &["groups"],
            columns: &["group", "deleted", "error.code", "error.message"],
        },
    }
}

/// A topic that is not known has no partition.
pub(super) fn deleted_offsets(
    group: &str,
    rows: &[(String, Option<i32>, Result<(), ApiError>)],
) -> Report {
    let row = |(topic, partition, outcome): &(String, Option<i32>, Result<(), ApiError>)| {
        json!({
            "topic": topic,
            "partition": partition,
            "deleted": outcome.is_ok(),
            "error": outcome.as_ref().err().map(json_error),
        })
    };
    let partitions: Vec<Value> = rows.iter().map(row).collect();
    Report {
        value: json!({ "version": VERSION, "group": group, "partitions": partitions }),
        rows: Rows {
            within: &["partitions"],
            columns: &[
                "group",
                "topic",
                "partition",
                "deleted",
                "error.code",
                "error.message",
            ],
        },
    }
}
