//! Ids for producers, out of blocks that the controller gives to this broker.
//!
//! Always: an id is given once, ever; a block is durable in the metadata log before its first id is given. What is left
//! of a block when the server ends is lost.

use std::ops::Range;
use std::sync::Arc;

use ottla_coordination::controller::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::ProducerId;
use parking_lot::Mutex;

use crate::broker::Broker;

#[derive(Default)]
pub(crate) struct ProducerIds {
    block: Mutex<Range<i64>>,
    /// One request for a block at a time.
    asking: tokio::sync::Mutex<()>,
}

impl ProducerIds {
    /// The next id of the current block.
    pub(crate) fn at_hand(&self) -> Option<ProducerId> {
        self.block.lock().next().map(ProducerId)
    }

    /// The next id, of a new block if need be.
    pub(crate) async fn next(&self, broker: &Arc<Broker>) -> Result<ProducerId, ErrorCode> {
        let _one = self.asking.lock().await;
        if let Some(id) = self.at_hand() {
            return Ok(id);
        }
        let broker_id = broker.settings.node_id;
        let epoch = broker
            .image
            .load()
            .cluster()
            .broker(broker_id)
            .map(|it| it.epoch);
        let command = Command::AllocateProducerIds {
            broker_id,
            broker_epoch: epoch.unwrap_or(-1),
        };
        let block = match broker.controller.ask(broker, command).await? {
            Response::AllocateProducerIds(block) => block.map_err(|error| error.code)?,
            _ => return Err(ErrorCode::UnknownServerError),
        };
        let first = block.first.0;
        *self.block.lock() = first + 1..first.saturating_add(i64::from(block.length));
        Ok(block.first)
    }
}
