//! What is configured for groups, as their machines want it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_config::resolve::{BrokerConfig, Settings as Values};
use ottla_coordination::controller::{ConfigResourceType, MetadataImage};
use ottla_coordination::group::assignors::Assignor;
use ottla_coordination::group::{ConsumerSettings, GroupOverrides, MigrationPolicy, Settings};

pub(super) fn settings(config: &BrokerConfig) -> Settings {
    let values = config.settings();
    Settings {
        session_timeout_min_ms: i32_of(values, "group.min.session.timeout.ms"),
        session_timeout_max_ms: i32_of(values, "group.max.session.timeout.ms"),
        group_size_max: usize_of(values, "group.max.size"),
        initial_rebalance_delay_ms: i32_of(values, "group.initial.rebalance.delay.ms"),
        offset_metadata_bytes_max: usize_of(values, "offset.metadata.max.bytes"),
        offsets_retention_ms: values
            .number("offsets.retention.minutes")
            .saturating_mul(60_000),
        offsets_retention_check_interval_ms: values.number("offsets.retention.check.interval.ms"),
        ..Settings::default()
    }
}

/// Of the broker, and of each group that says something else.
pub(super) fn consumer_settings(config: &BrokerConfig, image: &MetadataImage) -> ConsumerSettings {
    let values = config.settings();
    let configured = values.list("group.consumer.assignors").iter();
    let overrides_of = |name: &str| {
        let own = image.configs().of(ConfigResourceType::Group, name);
        (name.to_owned(), overrides(values, own))
    };
    let groups = image.configs().names(ConfigResourceType::Group);
    ConsumerSettings {
        session_timeout_ms: i32_of(values, "group.consumer.session.timeout.ms"),
        heartbeat_interval_ms: i32_of(values, "group.consumer.heartbeat.interval.ms"),
        assignment_interval_ms: i32_of(values, "group.consumer.assignment.interval.ms"),
        size_max: usize_of(values, "group.consumer.max.size"),
        assignors: configured.filter_map(|name| assignor(name)).collect(),
        migration_policy: migration_policy(values.text("group.consumer.migration.policy")),
        overrides: Arc::new(groups.map(overrides_of).collect()),
        ..ConsumerSettings::default()
    }
}

/// An assignor by its name, or by the class that it is in the reference.
pub(crate) fn assignor(configured: &str) -> Option<Assignor> {
    match configured {
        "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Some(Assignor::Uniform),
        "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Some(Assignor::Range),
        name => Assignor::of_name(name),
    }
}

fn migration_policy(text: &str) -> MigrationPolicy {
    match text.to_ascii_lowercase().as_str() {
        "disabled" => MigrationPolicy::Disabled,
        "upgrade" => MigrationPolicy::Upgrade,
        "downgrade" => MigrationPolicy::Downgrade,
        _ => MigrationPolicy::Bidirectional,
    }
}

/// What was within the broker's bounds when it was set need not be any more: the bound holds then.
fn overrides(values: &Values, own: &BTreeMap<String, String>) -> GroupOverrides {
    let number = |key: &str, min: &str, max: &str| {
        let number: i32 = own.get(key)?.trim().parse().ok()?;
        Some(number.min(i32_of(values, max)).max(i32_of(values, min)))
    };
    GroupOverrides {
        session_timeout_ms: number(
            "consumer.session.timeout.ms",
            "group.consumer.min.session.timeout.ms",
            "group.consumer.max.session.timeout.ms",
        ),
        heartbeat_interval_ms: number(
            "consumer.heartbeat.interval.ms",
            "group.consumer.min.heartbeat.interval.ms",
            "group.consumer.max.heartbeat.interval.ms",
        ),
        assignment_interval_ms: number(
            "consumer.assignment.interval.ms",
            "group.consumer.min.assignment.interval.ms",
            "group.consumer.max.assignment.interval.ms",
        ),
    }
}

fn i32_of(values: &Values, key: &str) -> i32 {
    i32::try_from(values.number(key)).unwrap_or(i32::MAX)
}

fn usize_of(values: &Values, key: &str) -> usize {
    values.size(key).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_a_group_says_is_brought_within_the_brokers_bounds() {
        let broker = texts(&[
            ("group.consumer.max.session.timeout.ms", "50000"),
            ("group.consumer.min.heartbeat.interval.ms", "5000"),
        ]);
        let config = BrokerConfig::load(broker).expect("a configuration");
        let own = texts(&[
            ("consumer.session.timeout.ms", "55000"),
            ("consumer.heartbeat.interval.ms", "4000"),
            ("consumer.assignment.interval.ms", "2000"),
        ]);
        let overrides = overrides(config.settings(), &own);
        assert_eq!(overrides.session_timeout_ms, Some(50_000));
        assert_eq!(overrides.heartbeat_interval_ms, Some(5_000));
        assert_eq!(overrides.assignment_interval_ms, Some(2_000));
    }
}
