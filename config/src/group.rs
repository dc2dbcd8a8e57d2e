//! Keys of a group. Where a group does not say, the broker key named as synonym does.

use std::sync::LazyLock;

use crate::def::Type::{Boolean, Int, String};
use crate::def::{Def, Table, same};
use crate::valid::Valid;

/// Every group key.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| Table::join("group", &[OWN]));

pub fn lookup(key: &str) -> Option<&'static Def> {
    TABLE.lookup(key)
}

#[rustfmt::skip]
const OWN: &[Def] = &[
    Def::new("consumer.assignment.interval.ms", Int).default("1000").at_least(0)
        .synonyms(&[same("group.consumer.assignment.interval.ms")])
        .doc("The least time between two assignments of a consumer group."),
    Def::new("consumer.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .synonyms(&[same("group.consumer.heartbeat.interval.ms")])
        .doc("How often a consumer group's members are to send heartbeats."),
    Def::new("consumer.session.timeout.ms", Int).default("45000").at_least(1)
        .synonyms(&[same("group.consumer.session.timeout.ms")])
        .doc("After this long without a heartbeat a consumer group's member is taken for dead."),
    Def::new("share.assignment.interval.ms", Int).default("1000").at_least(0)
        .synonyms(&[same("group.share.assignment.interval.ms")])
        .doc("The least time between two assignments of a share group."),
    Def::new("share.auto.offset.reset", String).default("latest").valid(Valid::OffsetReset { words: &["latest", "earliest"], form: "PnDTnHnMn.nS" })
        .doc("Where a share group begins to read a partition: earliest, latest, or a time ago."),
    Def::new("share.delivery.count.limit", Int).default("5").at_least(2)
        .synonyms(&[same("group.share.delivery.count.limit")])
        .doc("How often a record is delivered to a share group at most."),
    Def::new("share.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .synonyms(&[same("group.share.heartbeat.interval.ms")])
        .doc("How often a share group's members are to send heartbeats."),
    Def::new("share.isolation.level", String).default("read_uncommitted").one_of(&["read_committed", "read_uncommitted"])
        .doc("Whether a share group sees records of aborted transactions."),
    Def::new("share.partition.max.record.locks", Int).default("2000").at_least(100)
        .synonyms(&[same("group.share.partition.max.record.locks")])
        .doc("How many records of a partition may be handed out to a share group at once."),
    Def::new("share.record.lock.duration.ms", Int).default("30000").at_least(1000)
        .synonyms(&[same("group.share.record.lock.duration.ms")])
        .doc("How long a record stays with the member it was handed to."),
    Def::new("share.renew.acknowledge.enable", Boolean).default("true")
        .doc("Whether members of a share group may ask for more time for a record."),
    Def::new("share.session.timeout.ms", Int).default("45000").at_least(1)
        .synonyms(&[same("group.share.session.timeout.ms")])
        .doc("After this long without a heartbeat a share group's member is taken for dead."),
    Def::new("streams.assignment.interval.ms", Int).default("1000").at_least(0)
        .synonyms(&[same("group.streams.assignment.interval.ms")])
        .doc("The least time between two assignments of a streams group."),
    Def::new("streams.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .synonyms(&[same("group.streams.heartbeat.interval.ms")])
        .doc("How often a streams group's members are to send heartbeats."),
    Def::new("streams.initial.rebalance.delay.ms", Int).default("3000").at_least(0)
        .synonyms(&[same("group.streams.initial.rebalance.delay.ms")])
        .doc("How long a new streams group waits for members before its first assignment."),
    Def::new("streams.num.standby.replicas", Int).default("0").at_least(0)
        .synonyms(&[same("group.streams.num.standby.replicas")])
        .doc("How many standby copies each task of a streams group has."),
    Def::new("streams.session.timeout.ms", Int).default("45000").at_least(1)
        .synonyms(&[same("group.streams.session.timeout.ms")])
        .doc("After this long without a heartbeat a streams group's member is taken for dead."),
];
