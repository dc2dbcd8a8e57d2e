//! What the APIs of groups share.

use super::Context;

pub(super) use super::asked::{error_of, reply, reply_all};

/// Whether the cluster and this broker's configuration have the consumer protocol (KIP-848).
pub(super) fn speaks_consumer_protocol(context: &Context<'_>) -> bool {
    let level = context
        .broker
        .image
        .load()
        .features()
        .get("group.version")
        .copied();
    let config = context.broker.config.load();
    let protocols = config
        .settings()
        .list("group.coordinator.rebalance.protocols");
    level >= Some(1) && protocols.iter().any(|protocol| protocol == "consumer")
}
