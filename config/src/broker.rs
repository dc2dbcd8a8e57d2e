//! Keys of the broker; those of TLS and SASL are in `broker_security`.

use std::sync::LazyLock;

use crate::broker_security;
use crate::def::Type::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
use crate::def::{Def, Table};
use crate::valid::Valid;

/// Every broker key.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::join("broker", &[OWN, broker_security::KEYS]));

pub fn lookup(key: &str) -> Option<&'static Def> {
    TABLE.lookup(key)
}

/// What tools set on a broker while they move replicas. Until then it is no part of the configuration.
#[rustfmt::skip]
pub(crate) const THROTTLES: &[Def] = &[
    Def::new("follower.replication.throttled.rate", Long).default("9223372036854775807").at_least(0).cluster_wide()
        .doc("How many bytes a second throttled replicas fetch at most."),
    Def::new("leader.replication.throttled.rate", Long).default("9223372036854775807").at_least(0).cluster_wide()
        .doc("How many bytes a second throttled replicas serve at most."),
    Def::new("replica.alter.log.dirs.io.max.bytes.per.second", Long).default("9223372036854775807").at_least(0).cluster_wide()
        .doc("How many bytes a second moves between log directories take at most."),
];

/// What a broker that is told nothing starts with where the reference demands an answer or assumes three nodes.
/// Files, environment and command line come over it.
pub const ONE_NODE: &[(&str, &str)] = &[
    ("node.id", "1"),
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("listeners", "PLAINTEXT://127.0.0.1:9092"),
    ("log.dirs", "./ottla-data"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];

#[rustfmt::skip]
const OWN: &[Def] = &[
    Def::new("add.partitions.to.txn.retry.backoff.max.ms", Int).default("100").at_least(0).high().effective()
        .doc("How long the broker at most tries to add a partition to a transaction by itself."),
    Def::new("add.partitions.to.txn.retry.backoff.ms", Int).default("20").at_least(1).high().effective()
        .doc("The wait between the broker's attempts to add a partition to a transaction."),
    Def::new("advertised.listeners", List).valid(Valid::Items { may_be_empty: false }).high().effective()
        .doc("The addresses that clients and other brokers are told to use, where they differ from `listeners`."),
    Def::new("alter.config.policy.class.name", Class).low()
        .doc("Class that may refuse changes of configuration."),
    Def::new("alter.log.dirs.replication.quota.window.num", Int).default("11").at_least(1).low()
        .doc("How many samples the quota for moves between log directories keeps."),
    Def::new("alter.log.dirs.replication.quota.window.size.seconds", Int).default("1").at_least(1).low()
        .doc("The time that one of these samples covers."),
    Def::new("authorizer.class.name", String).default("").valid(Valid::NonNull).low()
        .doc("Class that decides who may do what; empty allows everything."),
    Def::new("auto.create.topics.enable", Boolean).default("true").high().effective()
        .doc("Whether a topic is created when a client asks for one that does not exist."),
    Def::new("auto.leader.rebalance.enable", Boolean).default("true").high()
        .doc("Whether leadership goes back to preferred replicas by itself."),
    Def::new("background.threads", Int).default("10").at_least(1).high().cluster_wide()
        .doc("Threads for background work."),
    Def::new("broker.heartbeat.interval.ms", Int).default("2000")
        .doc("How often a broker sends heartbeats to the controller."),
    Def::new("broker.id", Int).default("-1").high().effective()
        .doc("The older name of `node.id`."),
    Def::new("broker.rack", String).effective()
        .doc("Where the broker stands; replicas are spread over racks."),
    Def::new("broker.session.timeout.ms", Int).default("9000")
        .doc("After this long without a heartbeat the controller takes a broker for dead."),
    Def::new("client.quota.callback.class", Class).low()
        .doc("Class that decides the quotas of clients."),
    Def::new("compression.gzip.level", Int).default("-1").valid(Valid::RangeOr { min: 1, max: 9, or: -1 }).cluster_wide().effective()
        .doc("Level for gzip when the broker compresses."),
    Def::new("compression.lz4.level", Int).default("9").between(1, 17).cluster_wide()
        .doc("Level for lz4 when the broker compresses."),
    Def::new("compression.type", String).default("producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]).high().cluster_wide().effective()
        .doc("How batches are stored; `producer` keeps them as they come."),
    Def::new("compression.zstd.level", Int).default("3").between(-131_072, 22).cluster_wide().effective()
        .doc("Level for zstd when the broker compresses."),
    Def::new("config.providers", List).default("").valid(Valid::Items { may_be_empty: true }).low().cluster_wide()
        .doc("Names of plug-ins that resolve variables in configuration values."),
    Def::new("connection.failed.authentication.delay.ms", Int).default("100").at_least(0).low()
        .doc("How long the closing of a connection is put off after a failed authentication."),
    Def::new("connections.max.idle.ms", Long).default("600000").effective()
        .doc("After this long without a request the broker closes a connection."),
    Def::new("connections.max.reauth.ms", Long).default("0")
        .doc("How long a SASL session may last before it must be authenticated again; 0 for no limit."),
    Def::new("controlled.shutdown.enable", Boolean).default("true")
        .doc("Whether a stopping broker hands over its leaderships first."),
    Def::new("controller.listener.names", List).required().valid(Valid::Items { may_be_empty: false }).high().effective()
        .doc("The names of the listeners that controllers use."),
    Def::new("controller.quorum.append.linger.ms", Int).default("25").at_least(0)
        .doc("How long the quorum's leader collects records before it flushes them."),
    Def::new("controller.quorum.auto.join.enable", Boolean).default("false").low()
        .doc("Whether a controller joins the quorum by itself."),
    Def::new("controller.quorum.bootstrap.servers", List).default("").valid(Valid::QuorumServers).high().effective()
        .doc("Addresses, as host:port, through which the quorum is found."),
    Def::new("controller.quorum.election.backoff.max.ms", Int).default("1000").at_least(0).high()
        .doc("The longest wait before another election after a failed one."),
    Def::new("controller.quorum.election.timeout.ms", Int).default("1000").at_least(0).high()
        .doc("How long to wait for an election to be decided."),
    Def::new("controller.quorum.fetch.max.bytes", Int).default("1048576").at_least(1).low()
        .doc("About how many bytes of the metadata log one fetch brings at most."),
    Def::new("controller.quorum.fetch.snapshot.max.bytes", Int).default("1048576").at_least(1).low()
        .doc("About how many bytes of a snapshot one request brings at most."),
    Def::new("controller.quorum.fetch.timeout.ms", Int).default("2000").at_least(0).high()
        .doc("After this long without a fetch a voter calls an election, and a leader steps down."),
    Def::new("controller.quorum.request.timeout.ms", Int).default("2000").at_least(0)
        .doc("How long the quorum waits for an answer."),
    Def::new("controller.quorum.retry.backoff.ms", Int).default("20").at_least(0).low()
        .doc("The wait before the quorum sends a failed request again."),
    Def::new("controller.quorum.voters", List).default("").valid(Valid::QuorumVoters).high().effective()
        .doc("The voters of a fixed quorum, as id@host:port."),
    Def::new("controller.quota.window.num", Int).default("11").at_least(1).low()
        .doc("How many samples the quota for topic changes keeps."),
    Def::new("controller.quota.window.size.seconds", Int).default("1").at_least(1).low()
        .doc("The time that one of these samples covers."),
    Def::new("controller.socket.timeout.ms", Int).default("30000")
        .doc("How long a request from a controller to a broker may take."),
    Def::new("cordoned.log.dirs", List).default("").valid(Valid::Items { may_be_empty: true }).per_broker()
        .doc("Log directories that get no new partitions, or `*`."),
    Def::new("create.topic.policy.class.name", Class).low()
        .doc("Class that may refuse new topics."),
    Def::new("default.replication.factor", Int).default("1").effective()
        .doc("How many replicas a topic gets when nobody says."),
    Def::new("delegation.token.expiry.check.interval.ms", Long).default("3600000").at_least(1).low()
        .doc("How often expired delegation tokens are removed."),
    Def::new("delegation.token.expiry.time.ms", Long).default("86400000").at_least(1)
        .doc("How long a delegation token is valid without renewal."),
    Def::new("delegation.token.max.lifetime.ms", Long).default("604800000").at_least(1)
        .doc("How long a delegation token may be renewed."),
    Def::new("delegation.token.secret.key", Password)
        .doc("The secret that delegation tokens are made and checked with."),
    Def::new("delete.records.purgatory.purge.interval.requests", Int).default("1")
        .doc("After how many finished waits the list of waiting record deletions is swept."),
    Def::new("delete.topic.enable", Boolean).default("true").high().effective()
        .doc("Whether topics may be deleted."),
    Def::new("early.start.listeners", List).valid(Valid::Items { may_be_empty: true }).high()
        .doc("Listeners that open before the authorizer is ready."),
    Def::new("fetch.max.bytes", Int).default("57671680").at_least(1024).effective()
        .doc("About how many bytes the broker puts into one fetch response at most."),
    Def::new("fetch.purgatory.purge.interval.requests", Int).default("1000")
        .doc("After how many finished waits the list of waiting fetches is swept."),
    Def::new("follower.fetch.last.tiered.offset.enable", Boolean).default("false").cluster_wide()
        .doc("Whether an empty follower begins after what lies in remote storage."),
    Def::new("group.consumer.assignment.interval.ms", Int).default("1000").at_least(0).cluster_wide()
        .doc("The least time between two assignments of a consumer group."),
    Def::new("group.consumer.assignors", List).default("uniform,range").valid(Valid::Items { may_be_empty: false })
        .doc("The assignors for consumer groups, the default first."),
    Def::new("group.consumer.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("How often a consumer group's members are to send heartbeats."),
    Def::new("group.consumer.max.assignment.interval.ms", Int).default("15000").at_least(0)
        .doc("The largest `consumer.assignment.interval.ms` that a group may have."),
    Def::new("group.consumer.max.heartbeat.interval.ms", Int).default("15000").at_least(1)
        .doc("The largest `consumer.heartbeat.interval.ms` that a group may have."),
    Def::new("group.consumer.max.session.timeout.ms", Int).default("60000").at_least(1)
        .doc("The largest `consumer.session.timeout.ms` that a group may have."),
    Def::new("group.consumer.max.size", Int).default("2147483647").at_least(1)
        .doc("How many members a consumer group of the newer protocol may have."),
    Def::new("group.consumer.migration.policy", String).default("bidirectional").valid(Valid::OneOfIgnoreCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]))
        .doc("Whether groups with members may change between the classic and the newer protocol."),
    Def::new("group.consumer.min.assignment.interval.ms", Int).default("0").at_least(0)
        .doc("The smallest `consumer.assignment.interval.ms` that a group may have."),
    Def::new("group.consumer.min.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("The smallest `consumer.heartbeat.interval.ms` that a group may have."),
    Def::new("group.consumer.min.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("The smallest `consumer.session.timeout.ms` that a group may have."),
    Def::new("group.consumer.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("After this long without a heartbeat a consumer group's member is taken for dead."),
    Def::new("group.coordinator.append.linger.ms", Int).default("-1").at_least(-1)
        .doc("How long the group coordinator collects records before it writes them; -1 adapts to the load."),
    Def::new("group.coordinator.background.threads", Int).default("2").at_least(1).high()
        .doc("Threads for the group coordinator's background work."),
    Def::new("group.coordinator.cached.buffer.max.bytes", Int).default("1048588").at_least(524_288).cluster_wide()
        .doc("The largest buffer that the group coordinator keeps for later use."),
    Def::new("group.coordinator.rebalance.protocols", List).default("classic,consumer,streams").valid(Valid::ItemsOf { values: &["consumer", "classic", "share", "streams"], may_be_empty: false })
        .doc("The group protocols that are switched on."),
    Def::new("group.coordinator.threads", Int).default("4").at_least(1).high()
        .doc("Threads of the group coordinator."),
    Def::new("group.initial.rebalance.delay.ms", Int).default("3000").effective()
        .doc("How long a new classic group waits for members before its first rebalance."),
    Def::new("group.max.session.timeout.ms", Int).default("1800000").effective()
        .doc("The longest session timeout that a member of a classic group may ask for."),
    Def::new("group.max.size", Int).default("2147483647").at_least(1).effective()
        .doc("How many members a classic group may have."),
    Def::new("group.min.session.timeout.ms", Int).default("6000").effective()
        .doc("The shortest session timeout that a member of a classic group may ask for."),
    Def::new("group.share.assignment.interval.ms", Int).default("1000").at_least(0).cluster_wide()
        .doc("The least time between two assignments of a share group."),
    Def::new("group.share.assignors", List).default("simple").valid(Valid::Items { may_be_empty: false })
        .doc("The assignor for share groups."),
    Def::new("group.share.delivery.count.limit", Int).default("5").between(2, 10)
        .doc("How often a record is delivered to a share group at most."),
    Def::new("group.share.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("How often a share group's members are to send heartbeats."),
    Def::new("group.share.max.assignment.interval.ms", Int).default("15000").at_least(0)
        .doc("The largest `share.assignment.interval.ms` that a group may have."),
    Def::new("group.share.max.delivery.count.limit", Int).default("10").between(5, 25)
        .doc("The largest `share.delivery.count.limit` that a group may have."),
    Def::new("group.share.max.heartbeat.interval.ms", Int).default("15000").at_least(1)
        .doc("The largest `share.heartbeat.interval.ms` that a group may have."),
    Def::new("group.share.max.partition.max.record.locks", Int).default("4000").between(2000, 10_000)
        .doc("The largest `share.partition.max.record.locks` that a group may have."),
    Def::new("group.share.max.record.lock.duration.ms", Int).default("60000").between(30_000, 3_600_000)
        .doc("The largest `share.record.lock.duration.ms` that a group may have."),
    Def::new("group.share.max.session.timeout.ms", Int).default("60000").at_least(1)
        .doc("The largest `share.session.timeout.ms` that a group may have."),
    Def::new("group.share.max.share.sessions", Int).default("2000").at_least(1)
        .doc("How many share sessions a broker keeps."),
    Def::new("group.share.max.size", Int).default("200").between(1, 1000)
        .doc("How many members a share group may have."),
    Def::new("group.share.min.assignment.interval.ms", Int).default("0").at_least(0)
        .doc("The smallest `share.assignment.interval.ms` that a group may have."),
    Def::new("group.share.min.delivery.count.limit", Int).default("2").between(2, 5)
        .doc("The smallest `share.delivery.count.limit` that a group may have."),
    Def::new("group.share.min.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("The smallest `share.heartbeat.interval.ms` that a group may have."),
    Def::new("group.share.min.partition.max.record.locks", Int).default("100").between(100, 2000)
        .doc("The smallest `share.partition.max.record.locks` that a group may have."),
    Def::new("group.share.min.record.lock.duration.ms", Int).default("15000").between(1000, 30_000)
        .doc("The smallest `share.record.lock.duration.ms` that a group may have."),
    Def::new("group.share.min.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("The smallest `share.session.timeout.ms` that a group may have."),
    Def::new("group.share.partition.max.record.locks", Int).default("2000").between(100, 10_000)
        .doc("How many records of a partition may be handed out to a share group at once."),
    Def::new("group.share.record.lock.duration.ms", Int).default("30000").between(1000, 3_600_000)
        .doc("How long a record stays with the member it was handed to."),
    Def::new("group.share.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("After this long without a heartbeat a share group's member is taken for dead."),
    Def::new("group.streams.assignment.interval.ms", Int).default("1000").at_least(0).cluster_wide()
        .doc("The least time between two assignments of a streams group."),
    Def::new("group.streams.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("How often a streams group's members are to send heartbeats."),
    Def::new("group.streams.initial.rebalance.delay.ms", Int).default("3000").at_least(0)
        .doc("How long a new streams group waits for members before its first assignment."),
    Def::new("group.streams.max.assignment.interval.ms", Int).default("15000").at_least(0)
        .doc("The largest `streams.assignment.interval.ms` that a group may have."),
    Def::new("group.streams.max.heartbeat.interval.ms", Int).default("15000").at_least(1)
        .doc("The largest `streams.heartbeat.interval.ms` that a group may have."),
    Def::new("group.streams.max.session.timeout.ms", Int).default("60000").at_least(1)
        .doc("The largest `streams.session.timeout.ms` that a group may have."),
    Def::new("group.streams.max.size", Int).default("2147483647").at_least(1)
        .doc("How many members a streams group may have."),
    Def::new("group.streams.max.standby.replicas", Int).default("2").at_least(0)
        .doc("The largest `streams.num.standby.replicas` that a group may have."),
    Def::new("group.streams.min.assignment.interval.ms", Int).default("0").at_least(0)
        .doc("The smallest `streams.assignment.interval.ms` that a group may have."),
    Def::new("group.streams.min.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("The smallest `streams.heartbeat.interval.ms` that a group may have."),
    Def::new("group.streams.min.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("The smallest `streams.session.timeout.ms` that a group may have."),
    Def::new("group.streams.num.standby.replicas", Int).default("0").at_least(0)
        .doc("How many standby copies each task of a streams group has."),
    Def::new("group.streams.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("After this long without a heartbeat a streams group's member is taken for dead."),
    Def::new("initial.broker.registration.timeout.ms", Int).default("60000")
        .doc("How long a starting broker tries to register with the controller."),
    Def::new("inter.broker.listener.name", String)
        .doc("The listener that brokers use among themselves."),
    Def::new("kafka.metrics.polling.interval.secs", Int).default("10").at_least(1).low()
        .doc("How often the older metrics reporters are called."),
    Def::new("kafka.metrics.reporters", List).default("").valid(Valid::Items { may_be_empty: true }).low()
        .doc("Classes of the older metrics reporters."),
    Def::new("leader.imbalance.check.interval.seconds", Long).default("300").at_least(1).high()
        .doc("How often the controller looks whether leaderships need to go back."),
    Def::new("listener.security.protocol.map", String).default("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT").low().per_broker().effective()
        .doc("Which security protocol each listener name stands for."),
    Def::new("listeners", List).default("PLAINTEXT://:9092").valid(Valid::Items { may_be_empty: false }).high().per_broker().effective()
        .doc("Where the broker listens, as name://host:port."),
    Def::new("log.cleaner.backoff.ms", Long).default("15000").at_least(0).cluster_wide().effective()
        .doc("How long the cleaner sleeps when there is nothing to compact."),
    Def::new("log.cleaner.dedupe.buffer.size", Long).default("134217728").cluster_wide().effective()
        .doc("Memory that all cleaner threads together use for their maps of keys."),
    Def::new("log.cleaner.delete.retention.ms", Long).default("86400000").at_least(0).cluster_wide().effective()
        .doc("How long compaction keeps the mark of a deleted key."),
    Def::new("log.cleaner.enable", Boolean).default("true").effective()
        .doc("Whether logs are compacted."),
    Def::new("log.cleaner.io.buffer.load.factor", Double).default("0.9").cluster_wide().effective()
        .doc("How full a cleaner's map of keys may get."),
    Def::new("log.cleaner.io.buffer.size", Int).default("524288").at_least(0).cluster_wide().effective()
        .doc("Memory that all cleaner threads together use for reading and writing."),
    Def::new("log.cleaner.io.max.bytes.per.second", Double).default("1.7976931348623157E308").cluster_wide().effective()
        .doc("How many bytes a second the cleaner reads and writes at most."),
    Def::new("log.cleaner.max.compaction.lag.ms", Long).default("9223372036854775807").at_least(1).cluster_wide().effective()
        .doc("After this long a record becomes compactable at the latest."),
    Def::new("log.cleaner.min.cleanable.ratio", Double).default("0.5").between(0, 1).cluster_wide().effective()
        .doc("The share of not yet compacted bytes from which a log is compacted."),
    Def::new("log.cleaner.min.compaction.lag.ms", Long).default("0").at_least(0).cluster_wide().effective()
        .doc("How long a record stays as it is before it may be compacted."),
    Def::new("log.cleaner.threads", Int).default("1").at_least(0).cluster_wide().effective()
        .doc("Threads that compact logs."),
    Def::new("log.cleanup.policy", List).default("delete").valid(Valid::ItemsOf { values: &["compact", "delete"], may_be_empty: true }).cluster_wide().effective()
        .doc("What happens to old segments: deleted, compacted to the last value of each key, both, or kept for ever if empty."),
    Def::new("log.dir", List).default("/tmp/kafka-logs").valid(Valid::Items { may_be_empty: false }).high().effective()
        .doc("Where data lies, if `log.dirs` does not say."),
    Def::new("log.dir.failure.timeout.ms", Long).default("30000").at_least(1).low()
        .doc("How long a broker may fail to tell the controller of a failed log directory before it stops."),
    Def::new("log.dirs", List).valid(Valid::Items { may_be_empty: false }).high().effective()
        .doc("The directories where data lies."),
    Def::new("log.flush.interval.messages", Long).default("9223372036854775807").at_least(1).high().cluster_wide().effective()
        .doc("After this many records a partition is flushed to disk."),
    Def::new("log.flush.interval.ms", Long).high().cluster_wide().effective()
        .doc("After this long a record is flushed to disk."),
    Def::new("log.flush.offset.checkpoint.interval.ms", Int).default("60000").at_least(0).high().effective()
        .doc("How often the point up to which logs are flushed is written down."),
    Def::new("log.flush.scheduler.interval.ms", Long).default("9223372036854775807").high()
        .doc("How often logs are looked at for whether they need a flush."),
    Def::new("log.flush.start.offset.checkpoint.interval.ms", Int).default("60000").at_least(0).high().effective()
        .doc("How often the start offsets of logs are written down."),
    Def::new("log.index.interval.bytes", Int).default("4096").at_least(0).cluster_wide().effective()
        .doc("After how many bytes of records the offset index gets an entry."),
    Def::new("log.index.size.max.bytes", Int).default("10485760").at_least(4).cluster_wide().effective()
        .doc("The largest size of a segment's offset index."),
    Def::new("log.local.retention.bytes", Long).default("-2").at_least(-2).cluster_wide()
        .doc("How large a partition may grow locally before tiered segments are removed; -2 for `log.retention.bytes`."),
    Def::new("log.local.retention.ms", Long).default("-2").at_least(-2).cluster_wide()
        .doc("How long tiered segments stay locally; -2 for `log.retention.ms`."),
    Def::new("log.message.timestamp.after.max.ms", Long).default("3600000").at_least(0).cluster_wide().effective()
        .doc("How far a record's timestamp may lie in the future."),
    Def::new("log.message.timestamp.before.max.ms", Long).default("9223372036854775807").at_least(0).cluster_wide().effective()
        .doc("How far a record's timestamp may lie in the past."),
    Def::new("log.message.timestamp.type", String).default("CreateTime").one_of(&["CreateTime", "LogAppendTime"]).cluster_wide().effective()
        .doc("Whether records keep the producer's timestamp or get the time of appending."),
    Def::new("log.preallocate", Boolean).default("false").cluster_wide().effective()
        .doc("Whether a new segment's file gets its full size at once."),
    Def::new("log.retention.bytes", Long).default("-1").high().cluster_wide().effective()
        .doc("How large a partition may grow before old segments are deleted; -1 for no limit."),
    Def::new("log.retention.check.interval.ms", Long).default("300000").at_least(1).effective()
        .doc("How often logs are looked at for segments to delete."),
    Def::new("log.retention.hours", Int).default("168").high().effective()
        .doc("How old records may get, in hours, where neither milliseconds nor minutes say."),
    Def::new("log.retention.minutes", Int).high().effective()
        .doc("How old records may get, in minutes, where milliseconds do not say."),
    Def::new("log.retention.ms", Long).high().cluster_wide().effective()
        .doc("How old records may get before their segments are deleted; -1 for no limit."),
    Def::new("log.roll.hours", Int).default("168").at_least(1).high().effective()
        .doc("After this many hours a new segment is begun, where milliseconds do not say."),
    Def::new("log.roll.jitter.hours", Int).default("0").at_least(0).high().effective()
        .doc("By how many hours that is varied at random, where milliseconds do not say."),
    Def::new("log.roll.jitter.ms", Long).high().cluster_wide().effective()
        .doc("By how much the time of a segment's roll is varied at random."),
    Def::new("log.roll.ms", Long).high().cluster_wide().effective()
        .doc("After this long a new segment is begun even if the old one is not full."),
    Def::new("log.segment.bytes", Int).default("1073741824").at_least(1_048_576).high().cluster_wide().effective()
        .doc("The largest size of a segment's file."),
    Def::new("log.segment.delete.delay.ms", Long).default("60000").at_least(0).high().cluster_wide().effective()
        .doc("How long a removed segment's files stay on disk."),
    Def::new("max.connection.creation.rate", Int).default("2147483647").at_least(0).cluster_wide()
        .doc("How many connections a second are accepted."),
    Def::new("max.connections", Int).default("2147483647").at_least(0).cluster_wide().effective()
        .doc("How many connections there may be at once."),
    Def::new("max.connections.per.ip", Int).default("2147483647").at_least(0).cluster_wide().effective()
        .doc("How many connections there may be from one address."),
    Def::new("max.connections.per.ip.overrides", String).default("").cluster_wide().effective()
        .doc("Other limits for single addresses, as host:number."),
    Def::new("max.incremental.fetch.session.cache.slots", Int).default("1000").at_least(0).effective()
        .doc("How many incremental fetch sessions are kept."),
    Def::new("max.request.partition.size.limit", Int).default("2000").at_least(1).effective()
        .doc("How many partitions a request that describes topics is answered for at once."),
    Def::new("message.max.bytes", Int).default("1048588").at_least(0).high().cluster_wide().effective()
        .doc("The largest record batch accepted, as compressed."),
    Def::new("metadata.log.dir", String).high().effective()
        .doc("Where the metadata log lies; the first log directory if not given."),
    Def::new("metadata.log.max.record.bytes.between.snapshots", Long).default("20971520").at_least(1).high().effective()
        .doc("After how many bytes of metadata records a snapshot is made."),
    Def::new("metadata.log.max.snapshot.interval.ms", Long).default("3600000").at_least(0).high()
        .doc("After how long a snapshot is made if there is anything new; 0 for never."),
    Def::new("metadata.log.segment.bytes", Int).default("1073741824").at_least(8_388_608).high().effective()
        .doc("The largest size of a metadata segment's file."),
    Def::new("metadata.log.segment.ms", Long).default("604800000").high().effective()
        .doc("After this long a new metadata segment is begun."),
    Def::new("metadata.max.idle.interval.ms", Int).default("500").at_least(0).low()
        .doc("How often the controller writes an empty record while nothing happens; 0 for never."),
    Def::new("metadata.max.retention.bytes", Long).default("104857600").high()
        .doc("How large metadata log and snapshots may grow before old ones are deleted."),
    Def::new("metadata.max.retention.ms", Long).default("604800000").high()
        .doc("How old metadata segments and snapshots may get before they are deleted."),
    Def::new("metric.reporters", List).default("org.apache.kafka.common.metrics.JmxReporter").valid(Valid::Items { may_be_empty: true }).low().cluster_wide()
        .doc("Classes that metrics are reported to."),
    Def::new("metrics.num.samples", Int).default("2").at_least(1).low()
        .doc("How many samples a metric is computed from."),
    Def::new("metrics.recording.level", String).default("INFO").low()
        .doc("The most detailed level at which metrics are recorded."),
    Def::new("metrics.sample.window.ms", Long).default("30000").at_least(1).low()
        .doc("The time that one sample of a metric covers."),
    Def::new("min.insync.replicas", Int).default("1").at_least(1).high().cluster_wide().effective()
        .doc("How many replicas must be in sync for a write with acks=all to be accepted."),
    Def::new("node.id", Int).required().at_least(0).high().effective()
        .doc("The number of this node, unlike any other in the cluster."),
    Def::new("num.io.threads", Int).default("8").at_least(1).high().cluster_wide()
        .doc("Threads that work on requests."),
    Def::new("num.network.threads", Int).default("3").at_least(1).high().cluster_wide()
        .doc("Threads that read requests and write responses."),
    Def::new("num.partitions", Int).default("1").at_least(1).effective()
        .doc("How many partitions a topic gets when nobody says."),
    Def::new("num.recovery.threads.per.data.dir", Int).default("2").at_least(1).high().cluster_wide().effective()
        .doc("Threads for each log directory that recover logs at the start and flush them at the end."),
    Def::new("num.replica.alter.log.dirs.threads", Int).high()
        .doc("Threads that move replicas between log directories."),
    Def::new("num.replica.fetchers", Int).default("1").at_least(1).high().cluster_wide()
        .doc("Threads that fetch from each other broker."),
    Def::new("offset.metadata.max.bytes", Int).default("4096").high().effective()
        .doc("The longest text that may go with a committed offset."),
    Def::new("offsets.commit.timeout.ms", Int).default("5000").at_least(1).high()
        .doc("How long a commit of offsets waits for the replicas."),
    Def::new("offsets.load.buffer.size", Int).default("5242880").at_least(1).high()
        .doc("How many bytes are read at once when a group's offsets are loaded."),
    Def::new("offsets.retention.check.interval.ms", Long).default("600000").at_least(1).high().effective()
        .doc("How often expired offsets are looked for."),
    Def::new("offsets.retention.minutes", Int).default("10080").at_least(1).high().effective()
        .doc("How long committed offsets outlive the last member of their group."),
    Def::new("offsets.topic.compression.codec", Int).default("0").high()
        .doc("How the offsets topic is compressed, by the codec's number."),
    Def::new("offsets.topic.num.partitions", Int).default("50").at_least(1).high().effective()
        .doc("How many partitions the offsets topic has; not to be changed later."),
    Def::new("offsets.topic.replication.factor", Short).default("3").at_least(1).high().effective()
        .doc("How many replicas the offsets topic has."),
    Def::new("offsets.topic.segment.bytes", Int).default("104857600").at_least(1).high().effective()
        .doc("The largest size of the offsets topic's segments."),
    Def::new("ottla.durability", String).default("disk").one_of(&["disk", "memory"]).high().cluster_wide().effective()
        .doc("What becomes of acknowledged records: `disk` has them flushed before the acknowledgement, `memory` leaves flushing to the operating system. A topic may say otherwise."),
    Def::new("ottla.partitions.max", Int).default("100000").at_least(1).effective()
        .doc("How many partitions topics may have in all; creating more is refused. The broker's own topics don't count."),
    Def::new("principal.builder.class", Class).default("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder").per_broker()
        .doc("Class that decides who an authenticated client is."),
    Def::new("process.roles", List).required().valid(Valid::ItemsOf { values: &["broker", "controller"], may_be_empty: false }).high().effective()
        .doc("What the node is: broker, controller, or both."),
    Def::new("producer.id.expiration.ms", Int).default("86400000").at_least(1).low().cluster_wide().effective()
        .doc("After this long without a write a producer's sequence is forgotten."),
    Def::new("producer.purgatory.purge.interval.requests", Int).default("1000")
        .doc("After how many finished waits the list of waiting produce requests is swept."),
    Def::new("queued.max.request.bytes", Long).default("-1").effective()
        .doc("How many bytes of requests may be in work before no more are read; -1 for no limit."),
    Def::new("queued.max.requests", Int).default("500").at_least(1).high()
        .doc("How many requests may be in work before no more are read."),
    Def::new("quota.window.num", Int).default("11").at_least(1).low()
        .doc("How many samples the quotas of clients keep."),
    Def::new("quota.window.size.seconds", Int).default("1").at_least(1).low()
        .doc("The time that one of these samples covers."),
    Def::new("remote.fetch.max.wait.ms", Int).default("500").at_least(1).cluster_wide()
        .doc("How long a fetch may wait for remote storage."),
    Def::new("remote.list.offsets.request.timeout.ms", Long).default("30000").at_least(1).cluster_wide()
        .doc("How long looking up offsets in remote storage may take."),
    Def::new("remote.log.index.file.cache.total.size.bytes", Long).default("1073741824").at_least(1).low().cluster_wide()
        .doc("How much disk the indexes fetched from remote storage may use."),
    Def::new("remote.log.manager.copier.thread.pool.size", Int).default("10").at_least(1).cluster_wide()
        .doc("Threads that copy segments to remote storage."),
    Def::new("remote.log.manager.copy.max.bytes.per.second", Long).default("9223372036854775807").at_least(1).cluster_wide()
        .doc("How many bytes a second are copied to remote storage at most."),
    Def::new("remote.log.manager.copy.quota.window.num", Int).default("11").at_least(1)
        .doc("How many samples that limit keeps."),
    Def::new("remote.log.manager.copy.quota.window.size.seconds", Int).default("1").at_least(1)
        .doc("The time that one of these samples covers."),
    Def::new("remote.log.manager.expiration.thread.pool.size", Int).default("10").at_least(1).cluster_wide()
        .doc("Threads that remove expired segments from remote storage."),
    Def::new("remote.log.manager.fetch.max.bytes.per.second", Long).default("9223372036854775807").at_least(1).cluster_wide()
        .doc("How many bytes a second are read from remote storage at most."),
    Def::new("remote.log.manager.fetch.quota.window.num", Int).default("11").at_least(1)
        .doc("How many samples that limit keeps."),
    Def::new("remote.log.manager.fetch.quota.window.size.seconds", Int).default("1").at_least(1)
        .doc("The time that one of these samples covers."),
    Def::new("remote.log.manager.follower.thread.pool.size", Int).default("2").at_least(1).cluster_wide()
        .doc("Threads that learn for followers how far remote storage is."),
    Def::new("remote.log.manager.task.interval.ms", Long).default("30000").at_least(1).low()
        .doc("How often copying to and cleaning of remote storage is run."),
    Def::new("remote.log.manager.thread.pool.size", Int).default("2").at_least(1)
        .doc("The older name of the size of the followers' thread pool."),
    Def::new("remote.log.metadata.custom.metadata.max.bytes", Int).default("128").at_least(0).low()
        .doc("How many bytes of its own a remote storage plug-in may add to a segment's metadata."),
    Def::new("remote.log.metadata.manager.class.name", String).default("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager").valid(Valid::NonEmpty)
        .doc("Class that keeps the metadata of remote segments."),
    Def::new("remote.log.metadata.manager.class.path", String)
        .doc("Where that class is found."),
    Def::new("remote.log.metadata.manager.impl.prefix", String).default("rlmm.config.").valid(Valid::NonEmpty)
        .doc("Prefix of the keys that are handed to it."),
    Def::new("remote.log.metadata.manager.listener.name", String).valid(Valid::NonEmpty)
        .doc("The listener that it connects to."),
    Def::new("remote.log.reader.max.pending.tasks", Int).default("100").at_least(1)
        .doc("How many reads from remote storage may wait before more are refused."),
    Def::new("remote.log.reader.threads", Int).default("10").at_least(1).cluster_wide()
        .doc("Threads that read from remote storage."),
    Def::new("remote.log.storage.manager.class.name", String).valid(Valid::NonEmpty)
        .doc("Class that stores segments remotely."),
    Def::new("remote.log.storage.manager.class.path", String)
        .doc("Where that class is found."),
    Def::new("remote.log.storage.manager.impl.prefix", String).default("rsm.config.").valid(Valid::NonEmpty)
        .doc("Prefix of the keys that are handed to it."),
    Def::new("remote.log.storage.system.enable", Boolean).default("false")
        .doc("Whether topics may use remote storage at all."),
    Def::new("replica.fetch.backoff.ms", Int).default("1000").at_least(0)
        .doc("How long a follower waits after a failed fetch."),
    Def::new("replica.fetch.max.bytes", Int).default("1048576").at_least(0)
        .doc("About how many bytes a follower fetches of one partition at once."),
    Def::new("replica.fetch.min.bytes", Int).default("1").high()
        .doc("How many bytes are collected before a follower is answered."),
    Def::new("replica.fetch.response.max.bytes", Int).default("10485760").at_least(0)
        .doc("About how many bytes a follower gets in one response."),
    Def::new("replica.fetch.wait.max.ms", Int).default("500").high()
        .doc("How long a follower's fetch may wait."),
    Def::new("replica.high.watermark.checkpoint.interval.ms", Long).default("5000").high()
        .doc("How often high watermarks are written down."),
    Def::new("replica.lag.time.max.ms", Long).default("30000").high()
        .doc("After this long without having caught up a follower is out of sync."),
    Def::new("replica.selector.class", String)
        .doc("Class that chooses the replica a consumer reads from."),
    Def::new("replica.socket.receive.buffer.bytes", Int).default("65536").high()
        .doc("Size of the receive buffer of followers' connections."),
    Def::new("replica.socket.timeout.ms", Int).default("30000").high()
        .doc("How long a follower's request may take."),
    Def::new("replication.quota.window.num", Int).default("11").at_least(1).low()
        .doc("How many samples the quotas of replication keep."),
    Def::new("replication.quota.window.size.seconds", Int).default("1").at_least(1).low()
        .doc("The time that one of these samples covers."),
    Def::new("request.timeout.ms", Int).default("30000").high()
        .doc("How long the broker's own requests may take."),
    Def::new("security.inter.broker.protocol", String).default("PLAINTEXT").one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
        .doc("The security protocol between brokers."),
    Def::new("security.providers", String).low()
        .doc("Classes that provide security algorithms."),
    Def::new("share.coordinator.append.linger.ms", Int).default("-1").at_least(-1)
        .doc("How long the share coordinator collects records before it writes them; -1 adapts to the load."),
    Def::new("share.coordinator.cached.buffer.max.bytes", Int).default("1048588").at_least(524_288).cluster_wide()
        .doc("The largest buffer that the share coordinator keeps for later use."),
    Def::new("share.coordinator.load.buffer.size", Int).default("5242880").at_least(1).high()
        .doc("How many bytes are read at once when share state is loaded."),
    Def::new("share.coordinator.snapshot.update.records.per.snapshot", Int).default("500").between(0, 500)
        .doc("How many updates the share coordinator writes between two snapshots."),
    Def::new("share.coordinator.state.topic.compression.codec", Int).default("0").high()
        .doc("How the share state topic is compressed, by the codec's number."),
    Def::new("share.coordinator.state.topic.min.isr", Short).default("2").at_least(1).high()
        .doc("`min.insync.replicas` of the share state topic."),
    Def::new("share.coordinator.state.topic.num.partitions", Int).default("50").at_least(1).high()
        .doc("How many partitions the share state topic has; not to be changed later."),
    Def::new("share.coordinator.state.topic.replication.factor", Short).default("3").at_least(1).high()
        .doc("How many replicas the share state topic has."),
    Def::new("share.coordinator.state.topic.segment.bytes", Int).default("104857600").at_least(1).high()
        .doc("The largest size of the share state topic's segments."),
    Def::new("share.coordinator.threads", Int).default("1").at_least(1)
        .doc("Threads of the share coordinator."),
    Def::new("share.coordinator.write.timeout.ms", Int).default("5000").at_least(1).high()
        .doc("How long the share coordinator waits for the replicas."),
    Def::new("share.fetch.purgatory.purge.interval.requests", Int).default("1000")
        .doc("After how many finished waits the list of waiting share fetches is swept."),
    Def::new("socket.connection.setup.timeout.max.ms", Long).default("30000")
        .doc("The longest time that setting up a connection may take after repeated failures."),
    Def::new("socket.connection.setup.timeout.ms", Long).default("10000")
        .doc("How long setting up a connection may take; it grows with every failure."),
    Def::new("socket.listen.backlog.size", Int).default("50").at_least(1)
        .doc("How many connections may wait to be accepted."),
    Def::new("socket.receive.buffer.bytes", Int).default("102400").high()
        .doc("Size of the receive buffer of connections; -1 leaves it to the operating system."),
    Def::new("socket.request.max.bytes", Int).default("104857600").at_least(1).high().effective()
        .doc("The largest request accepted."),
    Def::new("socket.send.buffer.bytes", Int).default("102400").high().effective()
        .doc("Size of the send buffer of connections; -1 leaves it to the operating system."),
    Def::new("telemetry.max.bytes", Int).default("1048576").at_least(1).low()
        .doc("The largest push of metrics accepted from a client."),
    Def::new("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int).default("10000").at_least(1).low().effective()
        .doc("How often transactions are looked for that have taken too long."),
    Def::new("transaction.max.timeout.ms", Int).default("900000").at_least(1).high().effective()
        .doc("The longest time that a producer may ask for its transactions."),
    Def::new("transaction.partition.verification.enable", Boolean).default("true").low().cluster_wide().effective()
        .doc("Whether a transactional write is checked against the coordinator first."),
    Def::new("transaction.remove.expired.transaction.cleanup.interval.ms", Int).default("3600000").at_least(1).low().effective()
        .doc("How often expired transactional ids are removed."),
    Def::new("transaction.state.log.load.buffer.size", Int).default("5242880").at_least(1).high()
        .doc("How many bytes are read at once when transactions are loaded."),
    Def::new("transaction.state.log.min.isr", Int).default("2").at_least(1).high().effective()
        .doc("`min.insync.replicas` of the transaction topic."),
    Def::new("transaction.state.log.num.partitions", Int).default("50").at_least(1).high().effective()
        .doc("How many partitions the transaction topic has; not to be changed later."),
    Def::new("transaction.state.log.replication.factor", Short).default("3").at_least(1).high().effective()
        .doc("How many replicas the transaction topic has."),
    Def::new("transaction.state.log.segment.bytes", Int).default("104857600").at_least(1).high().effective()
        .doc("The largest size of the transaction topic's segments."),
    Def::new("transaction.two.phase.commit.enable", Boolean).default("false").low().effective()
        .doc("Whether producers may take part in two-phase commits run from outside."),
    Def::new("transactional.id.expiration.ms", Int).default("604800000").at_least(1).high().effective()
        .doc("After this long without a transaction a transactional id is forgotten."),
    Def::new("unclean.leader.election.enable", Boolean).default("false").high().cluster_wide()
        .doc("Whether a replica that is not in sync may become leader, at the price of losing records."),
];
