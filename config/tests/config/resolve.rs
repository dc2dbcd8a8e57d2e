//! What holds and where it comes from, as the recorded sessions of `kafka-configs` show it.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_config::resolve::alter::{Change, Operation, apply};
use ottla_config::resolve::{
    BrokerConfig, Described, Settings, Source, environment_key, from_environment,
};
use ottla_config::{consumer, producer, topic};

type Texts = BTreeMap<String, String>;

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect()
}

fn broker(pairs: &[(&str, &str)]) -> BrokerConfig {
    BrokerConfig::load(texts(pairs)).unwrap()
}

/// A line as `kafka-configs --describe` prints it.
fn line(entry: &Described) -> String {
    let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonym = |s: &ottla_config::resolve::DescribedSynonym| {
        format!("{}:{}={}", s.source.name(), s.key, show(&s.value))
    };
    let synonyms: Vec<String> = entry.synonyms.iter().map(synonym).collect();
    let (key, value, sensitive) = (&entry.key, show(&entry.value), entry.sensitive);
    format!(
        "{key}={value} sensitive={sensitive} synonyms={{{}}}",
        synonyms.join(", ")
    )
}

fn line_of(entries: &[Described], key: &str) -> String {
    line(entries.iter().find(|entry| entry.key == key).unwrap())
}

fn set(key: &str, value: &str) -> Change {
    Change {
        key: key.to_owned(),
        operation: Operation::Set,
        value: Some(value.to_owned()),
    }
}

fn change(operation: Operation, key: &str, value: &str) -> Change {
    Change {
        key: key.to_owned(),
        operation,
        value: Some(value.to_owned()),
    }
}

fn refused(result: Result<(), ottla_config::ConfigError>) -> String {
    result.unwrap_err().to_string()
}

// Clients.

#[test]
fn a_client_gets_what_is_given_over_defaults_and_hears_of_unknown_keys() {
    let given = [
        ("retries", "3"),
        ("linger.ms", " 20 "),
        ("no.such", "1"),
        ("retries", "4"),
    ];
    let settings = Settings::resolve(&producer::TABLE, given).unwrap();
    assert_eq!(settings.number("retries"), 4);
    assert_eq!(
        settings.duration("linger.ms"),
        Some(Duration::from_millis(20))
    );
    assert_eq!(settings.text("acks"), "all");
    assert!(settings.boolean("enable.idempotence"));
    assert_eq!(settings.unknown(), ["no.such"]);
    assert!(settings.is_given("retries") && !settings.is_given("acks"));
    assert_eq!(settings.size("receive.buffer.bytes"), Some(32768));
    assert_eq!(
        settings
            .require("bootstrap.servers")
            .unwrap_err()
            .to_string(),
        "Missing required configuration \"bootstrap.servers\" which has no default value."
    );
}

#[test]
fn a_client_hears_which_key_is_wrong() {
    let wrong = |key, text| {
        Settings::resolve(&consumer::TABLE, [(key, text)])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        wrong("max.poll.records", "abc"),
        "Invalid value abc for configuration max.poll.records: Not a number of type INT"
    );
    assert_eq!(
        wrong("max.poll.records", "0"),
        "Invalid value 0 for configuration max.poll.records: Value must be at least 1"
    );
}

#[test]
fn a_negative_time_is_for_ever_and_a_negative_size_the_systems_choice() {
    let settings = Settings::resolve(&consumer::TABLE, [("receive.buffer.bytes", "-1")]).unwrap();
    assert_eq!(settings.size("receive.buffer.bytes"), None);
    assert_eq!(settings.opt_text("group.id"), None);
    assert_eq!(settings.list("bootstrap.servers"), [] as [String; 0]);
}

// The broker's layers.

#[test]
fn environment_names_are_read_as_the_official_image_reads_them() {
    for (name, key) in [
        ("KAFKA_NODE_ID", Some("node.id")),
        (
            "KAFKA_LISTENER_NAME_SASL__SSL_X",
            Some("listener.name.sasl_ssl.x"),
        ),
        ("KAFKA_A___B", Some("a-b")),
        ("KAFKA_OTTLA_DURABILITY", Some("ottla.durability")),
        ("KAFKA_HEAP_OPTS", None),
        ("KAFKA_", None),
        ("OTHER_NODE_ID", None),
    ] {
        assert_eq!(environment_key(name).as_deref(), key, "{name}");
    }
    let vars = [
        ("KAFKA_LOG_DIRS".to_owned(), "/d".to_owned()),
        ("PATH".to_owned(), "/bin".to_owned()),
    ];
    assert_eq!(
        from_environment(vars),
        [("log.dirs".to_owned(), "/d".to_owned())]
    );
}

#[test]
fn later_layers_cover_earlier_ones_and_all_cover_the_one_node_defaults() {
    let layers = [
        ("node.id", "3"),
        ("num.partitions", "2"),
        ("num.partitions", "5"),
    ];
    let config =
        BrokerConfig::load(layers.map(|(key, text)| (key.to_owned(), text.to_owned()))).unwrap();
    assert_eq!(config.settings().number("node.id"), 3);
    assert_eq!(config.settings().number("num.partitions"), 5);
    assert_eq!(
        config.settings().number("offsets.topic.replication.factor"),
        1
    );
    assert_eq!(config.settings().text("ottla.durability"), "disk");
    assert_eq!(
        broker(&[("broker.id", "7")]).settings().number("node.id"),
        7
    );
}

#[test]
fn log_dir_alone_is_where_data_lies() {
    assert_eq!(
        broker(&[("log.dir", "/d")]).settings().list("log.dirs"),
        [] as [String; 0]
    );
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    for (given, message) in [
        (
            &[("log.retention.hours", "0")][..],
            "log.retention.hours should be unlimited (-1) or equal to or greater than 1",
        ),
        (
            &[
                ("log.cleaner.min.compaction.lag.ms", "9"),
                ("log.cleaner.max.compaction.lag.ms", "8"),
            ],
            "log.cleaner.min.compaction.lag.ms must be less than or equal to log.cleaner.max.compaction.lag.ms",
        ),
        (
            &[("num.partitions", "0")],
            "Invalid value 0 for configuration num.partitions: Value must be at least 1",
        ),
        (
            &[("queued.max.request.bytes", "10")],
            "queued.max.request.bytes must be greater than or equal to socket.request.max.bytes",
        ),
    ] {
        assert_eq!(
            BrokerConfig::load(texts(given)).unwrap_err().to_string(),
            message
        );
    }
}

#[test]
fn a_topic_inherits_the_strongest_of_the_brokers_names() {
    let inherited = |given: &[(&str, &str)]| {
        broker(given)
            .topic_settings(&Texts::new())
            .number("retention.ms")
    };
    assert_eq!(inherited(&[]), 604_800_000);
    assert_eq!(inherited(&[("log.retention.hours", "2")]), 7_200_000);
    assert_eq!(
        inherited(&[("log.retention.hours", "2"), ("log.retention.minutes", "1")]),
        60_000
    );
    assert_eq!(
        inherited(&[("log.retention.ms", "5"), ("log.retention.minutes", "1")]),
        5
    );
    assert_eq!(inherited(&[("log.retention.hours", "-1")]), -1);
    let durability = broker(&[("ottla.durability", "memory")]);
    assert_eq!(
        durability
            .topic_settings(&Texts::new())
            .text("ottla.durability"),
        "memory"
    );
    assert_eq!(
        durability
            .topic_settings(&texts(&[("ottla.durability", "disk")]))
            .text("ottla.durability"),
        "disk"
    );
}

#[test]
fn a_topics_text_that_no_longer_parses_counts_as_not_given() {
    let settings =
        broker(&[]).topic_settings(&texts(&[("retention.ms", "abc"), ("segment.ms", "7")]));
    assert_eq!(settings.number("retention.ms"), 604_800_000);
    assert_eq!(settings.number("segment.ms"), 7);
}

// Describing.

#[test]
fn all_configs_of_a_topic_are_shown_as_recorded() {
    let recorded = include_str!("../data/describe-topic-all.txt");
    let config = broker(&[])
        .with_dynamic(texts(&[("min.insync.replicas", "1")]), Texts::new())
        .unwrap();
    let mut entries = config.describe_topic(&texts(&[
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "1000"),
    ]));
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let lines: Vec<String> = entries
        .iter()
        .filter(|entry| entry.key != "ottla.durability")
        .map(line)
        .collect();
    assert_eq!(lines, recorded.lines().collect::<Vec<_>>());
}

#[test]
fn a_topics_configs_come_in_the_order_that_kafka_topics_shows() {
    let config = broker(&[])
        .with_dynamic(texts(&[("min.insync.replicas", "1")]), Texts::new())
        .unwrap();
    let own = texts(&[
        ("retention.ms", "60000"),
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("compression.type", "producer"),
    ]);
    let described = config.describe_topic(&own);
    let shown: Vec<&str> = described
        .iter()
        .filter(|e| e.source != Source::Default)
        .map(|entry| entry.key.as_str())
        .collect();
    assert_eq!(
        shown,
        [
            "compression.type",
            "min.insync.replicas",
            "cleanup.policy",
            "segment.bytes",
            "retention.ms"
        ]
    );
}

/// What topics do not say themselves is resolved once for all of them; nobody is to see that.
#[test]
fn topics_described_together_are_described_like_each_alone() {
    let plain = broker(&[("log.retention.hours", "5")]);
    let changed = plain
        .with_dynamic(texts(&[("log.segment.bytes", "2000000")]), Texts::new())
        .unwrap();
    for config in [plain, changed] {
        let together = config.describe_topics(|entry| entry);
        for own in [
            texts(&[]),
            texts(&[("retention.ms", "1000")]),
            texts(&[("cleanup.policy", "compact"), ("segment.bytes", "3000000")]),
            texts(&[("retention.ms", "no number")]),
            texts(&[("a.key.of.nobody", "secret"), ("retention.ms", "1000")]),
        ] {
            assert_eq!(together.describe(&own), config.describe_topic(&own));
        }
    }
}

#[test]
fn all_configs_of_a_broker_show_every_layer() {
    let config = broker(&[("listeners", "PLAINTEXT://127.0.0.1:9")])
        .with_dynamic(texts(&[("message.max.bytes", "2000000")]), Texts::new())
        .unwrap();
    let entries = config.describe_broker();
    for expected in [
        "listeners=PLAINTEXT://127.0.0.1:9 sensitive=false synonyms={STATIC_BROKER_CONFIG:listeners=PLAINTEXT://127.0.0.1:9, DEFAULT_CONFIG:listeners=PLAINTEXT://:9092}",
        "log.retention.hours=168 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.hours=168}",
        "message.max.bytes=2000000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=2000000, DEFAULT_CONFIG:message.max.bytes=1048588}",
        "num.partitions=1 sensitive=false synonyms={DEFAULT_CONFIG:num.partitions=1}",
        "log.retention.ms=null sensitive=false synonyms={}",
    ] {
        let (key, _) = expected.split_once('=').unwrap();
        assert_eq!(line_of(&entries, key), expected);
    }
    let read_only = |key: &str| {
        entries
            .iter()
            .find(|entry| entry.key == key)
            .unwrap()
            .read_only
    };
    assert!(read_only("node.id") && !read_only("message.max.bytes"));
}

#[test]
fn cluster_wide_defaults_show_themselves_alone() {
    let defaults = texts(&[
        ("message.max.bytes", "2000000"),
        ("min.insync.replicas", "1"),
    ]);
    let config = broker(&[]).with_dynamic(defaults, Texts::new()).unwrap();
    let lines: Vec<String> = config.describe_broker_defaults().iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "message.max.bytes=2000000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=2000000}",
            "min.insync.replicas=1 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1}",
        ]
    );
}

#[test]
fn secrets_and_unknown_keys_keep_their_values_to_themselves() {
    let config = broker(&[
        ("ssl.key.password", "hunter2"),
        ("listener.name.tls.ssl.keystore.password", "hunter2"),
        ("my.plugin.key", "hunter2"),
    ]);
    let entries = config.describe_broker();
    for key in [
        "ssl.key.password",
        "listener.name.tls.ssl.keystore.password",
        "my.plugin.key",
    ] {
        assert!(
            line_of(&entries, key).starts_with(&format!("{key}=null sensitive=true")),
            "{key}"
        );
    }
    assert!(!format!("{entries:?} {:?}", config.settings()).contains("hunter2"));
}

#[test]
fn a_groups_configs_name_the_broker_key_behind_them() {
    let entries = broker(&[]).describe_group(&texts(&[("consumer.session.timeout.ms", "50000")]));
    assert_eq!(
        line_of(&entries, "consumer.session.timeout.ms"),
        "consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000, DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}"
    );
}

// Altering.

#[test]
fn operations_combine_with_what_is_there_or_with_the_default() {
    let current = texts(&[("retention.ms", "5")]);
    let changed = |change: Change| apply(&topic::TABLE, &current, &[change]).unwrap();
    assert_eq!(
        changed(set("retention.ms", "6")),
        texts(&[("retention.ms", "6")])
    );
    let delete = |key: &str| Change {
        key: key.to_owned(),
        operation: Operation::Delete,
        value: None,
    };
    assert_eq!(changed(delete("retention.ms")), texts(&[]));
    assert_eq!(changed(delete("no.such")), current);
    let policy = |change: Change| changed(change)["cleanup.policy"].clone();
    assert_eq!(
        policy(change(
            Operation::Append,
            "cleanup.policy",
            "compact,delete"
        )),
        "delete,compact"
    );
    assert_eq!(
        policy(change(Operation::Subtract, "cleanup.policy", "delete")),
        ""
    );
}

#[test]
fn senseless_operations_are_refused() {
    let refuse = |changes: &[Change]| {
        apply(&topic::TABLE, &Texts::new(), changes)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse(&[change(Operation::Append, "retention.ms", "5")]),
        "Can't APPEND to key retention.ms because its type is not LIST."
    );
    let null = Change {
        key: "retention.ms".to_owned(),
        operation: Operation::Set,
        value: None,
    };
    assert_eq!(
        refuse(&[null]),
        "Null value not supported for : retention.ms"
    );
    assert_eq!(
        refuse(&[set("a", "1"), set("a", "2")]),
        "Error due to duplicate config keys"
    );
}

#[test]
fn a_topics_texts_are_refused_with_the_references_words() {
    let config = broker(&[]);
    for (given, message) in [
        (
            &[("no.such", "1")][..],
            "Unknown topic config name: no.such",
        ),
        (&[("", "5")], "Unknown topic config name: "),
        (
            &[("retention.ms", "abc")],
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        (
            &[("retention.ms", "-5")],
            "Invalid value -5 for configuration retention.ms: Value must be at least -1",
        ),
        (
            &[("cleanup.policy", "nope")],
            "Invalid value nope for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            &[
                ("min.compaction.lag.ms", "9"),
                ("max.compaction.lag.ms", "8"),
            ],
            "conflict topic config setting min.compaction.lag.ms (9) > max.compaction.lag.ms (8)",
        ),
        (
            &[("remote.storage.enable", "true")],
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
        (
            &[("ottla.durability", "paper")],
            "Invalid value paper for configuration ottla.durability: String must be one of: disk, memory",
        ),
    ] {
        assert_eq!(refused(config.check_topic(&texts(given))), message);
    }
    assert_eq!(
        config.check_topic(&texts(&[
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "1000")
        ])),
        Ok(())
    );
}

#[test]
fn the_defaults_of_consumer_groups_are_within_the_bounds() {
    for (given, message) in [
        (
            &[("group.consumer.session.timeout.ms", "5000")][..],
            "group.consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            &[("group.consumer.heartbeat.interval.ms", "16000")],
            "group.consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
        ),
        (
            &[("group.consumer.max.session.timeout.ms", "1000")],
            "group.consumer.max.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            &[
                ("group.consumer.min.session.timeout.ms", "1000"),
                ("group.consumer.session.timeout.ms", "5000"),
            ],
            "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms",
        ),
        (
            &[("group.consumer.assignment.interval.ms", "20000")],
            "group.consumer.assignment.interval.ms must be less than or equal to group.consumer.max.assignment.interval.ms",
        ),
    ] {
        let refused = BrokerConfig::load(texts(given)).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}

#[test]
fn a_groups_texts_stay_within_the_brokers_bounds() {
    let config = broker(&[]);
    for (given, message) in [
        (
            &[("consumer.session.timeout.ms", "1")][..],
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            &[("streams.num.standby.replicas", "3")],
            "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
        ),
        (&[("no.such", "1")], "Unknown group config name: no.such"),
    ] {
        assert_eq!(refused(config.check_group(&texts(given))), message);
    }
    assert_eq!(
        config.check_group(&texts(&[("consumer.session.timeout.ms", "50000")])),
        Ok(())
    );
    let close = broker(&[("group.consumer.min.session.timeout.ms", "1")]);
    assert_eq!(
        refused(close.check_group(&texts(&[("consumer.session.timeout.ms", "5000")]))),
        "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms"
    );
}

#[test]
fn a_running_broker_changes_only_what_may_change() {
    let config = broker(&[]);
    let refuse = |key, text, all| {
        config
            .check_broker(&texts(&[(key, text)]), all)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse("broker.id", "7", false),
        "Cannot update these configs dynamically: [broker.id]"
    );
    assert_eq!(
        refuse("num.partitions", "7", false),
        "Cannot update these configs dynamically: [num.partitions]"
    );
    assert_eq!(
        refuse("log.cleaner.threads", "x", false),
        "Invalid value x for configuration log.cleaner.threads: Not a number of type INT"
    );
    assert_eq!(
        refuse("listener.security.protocol.map", "A:SSL", true),
        "Cannot update these configs at default cluster level, broker id must be specified: [listener.security.protocol.map]"
    );
    for (text, reason) in [
        ("0", "Log cleaner threads should be at least 1"),
        (
            "3",
            "Log cleaner threads cannot be increased to more than double the current value 1",
        ),
    ] {
        let refused = refuse("log.cleaner.threads", text, true);
        assert!(refused.ends_with(reason), "{refused}");
    }
    let many = broker(&[("log.cleaner.threads", "9")]);
    let fewer = |threads| many.check_broker(&texts(&[("log.cleaner.threads", threads)]), true);
    assert!(fewer("3").is_err() && fewer("4").is_ok());
    assert_eq!(
        refuse("log.cleaner.dedupe.buffer.size", "1048576", true),
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."
    );
    let changed = config
        .check_broker(&texts(&[("log.cleaner.threads", "2")]), false)
        .unwrap();
    assert_eq!(
        line_of(&changed.describe_broker(), "log.cleaner.threads"),
        "log.cleaner.threads=2 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.cleaner.threads=2, DEFAULT_CONFIG:log.cleaner.threads=1}"
    );
}
