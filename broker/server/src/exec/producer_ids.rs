//! Ids for producers, out of blocks that the controller gives to this broker.
//!
//! Always: an id is given once, ever; a block is durable in the metadata log before its first id is given. What is left
//! of a block when the server ends is lost.

use std::sync::Arc;

use ottla_coordination::controller::{Command, ProducerIdBlock, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::ProducerId;
use parking_lot::Mutex;

use crate::broker::Broker;

#[derive(Default)]
pub(crate) struct ProducerIds {
    /// What is left of it.
    block: Mutex<ProducerIdBlock>,
    /// One request for a block at a time.
    asking: tokio::sync::Mutex<()>,
}

impl ProducerIds {
    /// The next id of the current block.
    pub(crate) fn at_hand(&self) -> Option<ProducerId> {
        self.take(1).map(|ids| ids.first)
    }

    /// The next id, of a new block if need be.
    pub(crate) async fn next(&self, broker: &Arc<Broker>) -> Result<ProducerId, ErrorCode> {
        Ok(self.some(broker, 1).await?.first)
    }

    /// At least one id and at most `count_max`, one after the other; of a new block if need be.
    pub(crate) async fn some(
        &self,
        broker: &Arc<Broker>,
        count_max: i32,
    ) -> Result<ProducerIdBlock, ErrorCode> {
        let _one = self.asking.lock().await;
        if let Some(ids) = self.take(count_max) {
            return Ok(ids);
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
        let mut block = match broker.controller.ask(broker, command).await? {
            Response::AllocateProducerIds(block) => block.map_err(|error| error.code)?,
            _ => return Err(ErrorCode::UnknownServerError),
        };
        let ids = split(&mut block, count_max).ok_or(ErrorCode::UnknownServerError)?;
        *self.block.lock() = block;
        Ok(ids)
    }

    fn take(&self, count_max: i32) -> Option<ProducerIdBlock> {
        split(&mut self.block.lock(), count_max)
    }
}

/// The first ids of a block, as many as are wanted or there are.
fn split(block: &mut ProducerIdBlock, count_max: i32) -> Option<ProducerIdBlock> {
    let first = block.first;
    let length = block.length.min(count_max);
    if length < 1 {
        return None;
    }
    block.first = ProducerId(first.0.saturating_add(i64::from(length)));
    block.length -= length;
    Some(ProducerIdBlock { first, length })
}
