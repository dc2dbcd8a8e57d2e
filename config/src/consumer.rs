//! The consumer's own keys; the rest is in `client`.

use std::sync::LazyLock;

use crate::client;
use crate::def::Type::{Boolean, Class, Int, List, Long, String};
use crate::def::{Def, Table};
use crate::valid::Valid;

/// Every consumer key.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| Table::join("consumer", &[OWN, client::KEYS]));

pub fn lookup(key: &str) -> Option<&'static Def> {
    TABLE.lookup(key)
}

#[rustfmt::skip]
const OWN: &[Def] = &[
    Def::new("allow.auto.create.topics", Boolean).default("true")
        .doc("Whether asking for an unknown topic may create it, if the broker allows that too."),
    Def::new("auto.commit.interval.ms", Int).default("5000").at_least(0).low()
        .doc("How often offsets are committed when that is done automatically."),
    Def::new("auto.offset.reset", String).default("latest").valid(Valid::OffsetReset { words: &["latest", "earliest", "none"], form: "PnDTnHnMn.nS." })
        .doc("Where to read when no offset is committed or it is out of range: earliest, latest, a time ago, or fail."),
    Def::new("bootstrap.servers", List).required().valid(Valid::Items { may_be_empty: false }).high()
        .doc("Addresses, as host:port, through which the cluster is found."),
    Def::new("check.crcs", Boolean).default("true").low()
        .doc("Whether checksums of received records are verified."),
    Def::new("client.id", String).default("").low()
        .doc("A name that the client gives with each request, shown in logs, metrics and quotas."),
    Def::new("client.rack", String).default("").low()
        .doc("Where the client stands, so that it can read from a near replica."),
    Def::new("connections.max.idle.ms", Long).default("540000")
        .doc("After this long without traffic a connection is closed."),
    Def::new("default.api.timeout.ms", Int).default("60000").at_least(0)
        .doc("How long an operation may take that names no time itself."),
    Def::new("enable.auto.commit", Boolean).default("true")
        .doc("Whether offsets are committed in the background."),
    Def::new("enable.metrics.push", Boolean).default("true").low()
        .doc("Whether the client sends its metrics to a cluster that asks for them."),
    Def::new("exclude.internal.topics", Boolean).default("true")
        .doc("Whether a pattern subscription leaves out internal topics."),
    Def::new("fetch.max.bytes", Int).default("52428800").at_least(0)
        .doc("About how many bytes one fetch brings at most; a first batch larger than that comes anyway."),
    Def::new("fetch.max.wait.ms", Int).default("500").at_least(0).low()
        .doc("How long the broker waits for `fetch.min.bytes` before it answers."),
    Def::new("fetch.min.bytes", Int).default("1").at_least(0).high()
        .doc("How many bytes the broker collects before it answers a fetch."),
    Def::new("group.id", String).high()
        .doc("The consumer group to belong to."),
    Def::new("group.instance.id", String).valid(Valid::NonEmpty)
        .doc("A name that keeps its partitions through a restart of the member."),
    Def::new("group.protocol", String).default("classic").valid(Valid::OneOfIgnoreCase(&["CONSUMER", "CLASSIC"])).high()
        .doc("The group protocol: classic, or the one in which the broker assigns."),
    Def::new("group.remote.assignor", String)
        .doc("The broker's assignor to use with the newer protocol."),
    Def::new("heartbeat.interval.ms", Int).default("3000").high()
        .doc("How often a member tells the coordinator that it is alive."),
    Def::new("interceptor.classes", List).default("").valid(Valid::Items { may_be_empty: true }).low()
        .doc("Classes that see, and may change, records after they are received."),
    Def::new("isolation.level", String).default("read_uncommitted").one_of(&["read_committed", "read_uncommitted"])
        .doc("Whether records of open and aborted transactions are seen."),
    Def::new("key.deserializer", Class).required().high()
        .doc("How bytes become keys."),
    Def::new("max.partition.fetch.bytes", Int).default("1048576").at_least(0).high()
        .doc("About how many bytes one fetch brings of one partition at most."),
    Def::new("max.poll.interval.ms", Int).default("300000").at_least(1)
        .doc("After this long without a poll a member loses its partitions."),
    Def::new("max.poll.records", Int).default("500").at_least(1)
        .doc("How many records one poll returns at most."),
    Def::new("partition.assignment.strategy", List).default("org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor").valid(Valid::Items { may_be_empty: true })
        .doc("The assignors a member offers, the preferred first."),
    Def::new("receive.buffer.bytes", Int).default("65536").at_least(-1)
        .doc("Size of the TCP receive buffer; -1 leaves it to the operating system."),
    Def::new("session.timeout.ms", Int).default("45000").high()
        .doc("After this long without a heartbeat a member is taken for dead."),
    Def::new("share.acknowledgement.mode", String).default("implicit").valid(Valid::Mode { words: ["implicit", "explicit"], ignore_case: false })
        .doc("Whether records of a share group are acknowledged by the next poll or one by one."),
    Def::new("share.acquire.mode", String).default("BATCH_OPTIMIZED").valid(Valid::Mode { words: ["batch_optimized", "record_limit"], ignore_case: true })
        .doc("Whether a share group hands out whole batches or no more than `max.poll.records`."),
    Def::new("value.deserializer", Class).required().high()
        .doc("How bytes become values."),
];
