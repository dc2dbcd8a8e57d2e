//! What is configured for transactions, as their machines want it.

use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::txn::coordinator::{TransactionVersion, TxnSettings};

use ottla_protocol::features::TRANSACTION_VERSION;

/// Of the broker, with the cluster's level of the feature.
pub(super) fn settings(config: &BrokerConfig, image: &MetadataImage) -> TxnSettings {
    let values = config.settings();
    let int = |key: &str| i32::try_from(values.number(key)).unwrap_or(i32::MAX);
    let level = image.features().get(TRANSACTION_VERSION).copied();
    TxnSettings {
        transaction_version: TransactionVersion(level.unwrap_or(0)),
        timeout_max_ms: int("transaction.max.timeout.ms"),
        id_expiration_ms: int("transactional.id.expiration.ms"),
        timeout_check_interval_ms: int(
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        ),
        expiration_check_interval_ms: int(
            "transaction.remove.expired.transaction.cleanup.interval.ms",
        ),
        two_phase_commit_enabled: values.boolean("transaction.two.phase.commit.enable"),
        ..TxnSettings::default()
    }
}
