//! The producer's own keys; the rest is in `client`.

use std::sync::LazyLock;

use crate::client;
use crate::def::Type::{Boolean, Class, Int, List, Long, String};
use crate::def::{Def, Table};
use crate::valid::Valid;

/// Every producer key.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| Table::join("producer", &[OWN, client::KEYS]));

pub fn lookup(key: &str) -> Option<&'static Def> {
    TABLE.lookup(key)
}

#[rustfmt::skip]
const OWN: &[Def] = &[
    Def::new("acks", String).default("all").one_of(&["all", "-1", "0", "1"]).low()
        .doc("Who must have a record before it counts as sent: nobody (0), the leader (1), or all in-sync replicas (all, -1)."),
    Def::new("batch.size", Int).default("16384").at_least(0)
        .doc("Up to how many bytes of records for one partition are sent as one batch."),
    Def::new("bootstrap.servers", List).required().valid(Valid::Items { may_be_empty: false }).high()
        .doc("Addresses, as host:port, through which the cluster is found."),
    Def::new("buffer.memory", Long).default("33554432").at_least(0).high()
        .doc("How many bytes of records may wait to be sent before `send` blocks."),
    Def::new("client.id", String).default("")
        .doc("A name that the client gives with each request, shown in logs, metrics and quotas."),
    Def::new("compression.gzip.level", Int).default("-1").valid(Valid::RangeOr { min: 1, max: 9, or: -1 })
        .doc("Level for gzip."),
    Def::new("compression.lz4.level", Int).default("9").between(1, 17)
        .doc("Level for lz4."),
    Def::new("compression.type", String).default("none").one_of(&["none", "gzip", "snappy", "lz4", "zstd"]).high()
        .doc("How batches are compressed."),
    Def::new("compression.zstd.level", Int).default("3").between(-131_072, 22)
        .doc("Level for zstd."),
    Def::new("connections.max.idle.ms", Long).default("540000")
        .doc("After this long without traffic a connection is closed."),
    Def::new("delivery.timeout.ms", Int).default("120000").at_least(0)
        .doc("How long after `send` a record is either delivered or reported as failed, retries included."),
    Def::new("enable.idempotence", Boolean).default("true").low()
        .doc("Whether each record is written exactly once and in order, whatever is retried."),
    Def::new("enable.metrics.push", Boolean).default("true").low()
        .doc("Whether the client sends its metrics to a cluster that asks for them."),
    Def::new("interceptor.classes", List).default("").valid(Valid::Items { may_be_empty: true }).low()
        .doc("Classes that see, and may change, records before they are sent."),
    Def::new("key.serializer", Class).required().high()
        .doc("How keys become bytes."),
    Def::new("linger.ms", Long).default("5").at_least(0)
        .doc("How long a batch that is not full waits for more records."),
    Def::new("max.block.ms", Long).default("60000").at_least(0)
        .doc("How long `send` and its like may block for lack of metadata or buffer space."),
    Def::new("max.in.flight.requests.per.connection", Int).default("5").at_least(1).low()
        .doc("How many requests may be unanswered on one connection."),
    Def::new("max.request.size", Int).default("1048576").at_least(0)
        .doc("The largest request, and thereby the largest record, that is sent."),
    Def::new("metadata.max.idle.ms", Long).default("300000").at_least(5000).low()
        .doc("After this long without a send a topic's metadata is forgotten."),
    Def::new("partitioner.adaptive.partitioning.enable", Boolean).default("true").low()
        .doc("Whether records without a key go rather to brokers that answer fast."),
    Def::new("partitioner.availability.timeout.ms", Long).default("0").at_least(0).low()
        .doc("A broker that takes no request for this long gets no records without a key; 0 switches it off."),
    Def::new("partitioner.class", Class)
        .doc("The rule by which a record gets its partition."),
    Def::new("partitioner.ignore.keys", Boolean).default("false")
        .doc("Whether the partition is chosen as if records had no keys."),
    Def::new("receive.buffer.bytes", Int).default("32768").at_least(-1)
        .doc("Size of the TCP receive buffer; -1 leaves it to the operating system."),
    Def::new("retries", Int).default("2147483647").between(0, 2_147_483_647).high()
        .doc("How often a failed send is tried again; `delivery.timeout.ms` is the better limit."),
    Def::new("transaction.timeout.ms", Int).default("60000").low()
        .doc("How long a transaction may stay open before the coordinator aborts it."),
    Def::new("transaction.two.phase.commit.enable", Boolean).default("false").low()
        .doc("Whether transactions take part in a two-phase commit run from outside."),
    Def::new("transactional.id", String).valid(Valid::NonEmpty).low()
        .doc("The name under which transactions go on across restarts of the producer."),
    Def::new("value.serializer", Class).required().high()
        .doc("How values become bytes."),
];
