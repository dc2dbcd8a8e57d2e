//! A view as data: docs/json/top.md. Pure.
//!
//! Always: one object that tells its version. Fields may be added within a version; none changes its meaning or goes.

use serde_json::{Map, Value, json};

use super::table::{Subject, has};
use super::view::{
    BrokerView, GroupView, MemberView, PartitionView, Progress, TopicView, Traffic, View,
};
use crate::durations;
use crate::output::Rows;
use crate::rates::Rates;

const VERSION: u32 = 1;

/// What the forms with rows and columns have of a view.
pub(super) fn rows(subject: &Subject) -> Rows {
    match subject {
        Subject::Topics | Subject::Partitions(_) => Rows {
            within: &["topics"],
            columns: &[
                "timeMs",
                "topic",
                "internal",
                "sizeBytes",
                "underReplicated",
                "offline",
                "recordsPerSecond",
                "bytesPerSecond",
            ],
        },
        Subject::Groups | Subject::Members(_) => Rows {
            within: &["groups"],
            columns: &[
                "timeMs",
                "group",
                "type",
                "state",
                "coordinator",
                "lag",
                "readPerSecond",
                "writtenPerSecond",
                "catchUpMs",
            ],
        },
        Subject::Brokers => Rows {
            within: &["brokers"],
            columns: &[
                "timeMs",
                "broker",
                "host",
                "port",
                "rack",
                "leaders",
                "replicas",
                "groups",
                "sizeBytes",
                "usableBytes",
                "totalBytes",
                "recordsPerSecond",
                "bytesPerSecond",
                "problem",
            ],
        },
    }
}

/// Of all the brokers, and the topics and groups that have the filter in their names.
pub(super) fn of(view: &View, filter: &str) -> Value {
    let topics = view.topics.iter().filter(|topic| has(&topic.name, filter));
    let groups = view.groups.iter().filter(|group| has(&group.id, filter));
    json!({
        "version": VERSION,
        "timeMs": view.time.as_millisecond(),
        "clusterId": view.cluster_id,
        "brokers": view.brokers.iter().map(broker).collect::<Vec<_>>(),
        "topics": topics.map(topic).collect::<Vec<_>>(),
        "groups": groups.map(group).collect::<Vec<_>>(),
    })
}

fn broker(broker: &BrokerView) -> Value {
    let disk = broker.disk;
    let value = json!({
        "broker": broker.id,
        "host": broker.host,
        "port": broker.port,
        "rack": broker.rack,
        "problem": broker.problem,
        "leaders": broker.leaders,
        "replicas": broker.replicas,
        "groups": broker.groups,
        "sizeBytes": disk.map(|disk| disk.used_bytes),
        "usableBytes": disk.and_then(|disk| disk.usable_bytes),
        "totalBytes": disk.and_then(|disk| disk.total_bytes),
    });
    with(value, traffic(broker.traffic))
}

fn topic(topic: &TopicView) -> Value {
    let value = json!({
        "topic": &*topic.name,
        "internal": topic.is_internal,
        "sizeBytes": topic.size_bytes,
        "underReplicated": topic.under_replicated(),
        "offline": topic.offline(),
    });
    let mut value = with(value, traffic(topic.traffic));
    value["partitions"] = topic.partitions.iter().map(partition).collect();
    value
}

fn partition(partition: &PartitionView) -> Value {
    let seen = &partition.seen;
    let value = json!({
        "partition": seen.index,
        "leader": seen.leader,
        "replicas": seen.replicas,
        "isr": seen.isr,
        "logEndOffset": seen.end,
        "sizeBytes": seen.size_bytes,
    });
    with(value, traffic(partition.traffic))
}

fn group(group: &GroupView) -> Value {
    let value = json!({
        "group": group.id,
        "type": group.kind,
        "state": group.state,
        "coordinator": group.coordinator,
    });
    let mut value = with(value, progress(group.progress));
    let members = group.members.as_ref();
    value["members"] = members
        .map(|members| members.iter().map(member).collect::<Vec<_>>())
        .into();
    value
}

fn member(member: &MemberView) -> Value {
    let value = json!({
        "id": member.id,
        "instanceId": member.instance_id,
        "clientId": member.client_id,
        "host": member.host,
        "partitions": member.partitions,
    });
    with(value, progress(member.progress))
}

fn traffic(Traffic { records, bytes }: Traffic) -> Value {
    json!({ "recordsPerSecond": records, "bytesPerSecond": bytes })
}

fn progress(progress: Progress) -> Value {
    let rate = |of: fn(Rates) -> f64| progress.rates.map(of);
    json!({
        "lag": progress.lag,
        "readPerSecond": rate(|rates| rates.read),
        "writtenPerSecond": rate(|rates| rates.written),
        "catchUpMs": progress.catch_up.map(durations::ms),
    })
}

/// The fields of both.
fn with(value: Value, more: Value) -> Value {
    let fields = |value| match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields(value).into_iter().chain(fields(more)).collect()
}
