//! Ids for InitProducerId without a transactional id, out of blocks that the controller has made durable.
//!
//! Always: no id is given twice, not even across a crash: what is left of a block is lost with the process.

use ottla_protocol::types::ProducerId;

use crate::controller::ProducerIdBlock;

/// The ids that this broker may still give.
#[derive(Debug, Default)]
pub struct ProducerIds {
    current: Option<ProducerIdBlock>,
}

impl ProducerIds {
    /// The next id; none where the block is used up and the caller has to ask the controller for another.
    #[must_use]
    pub fn next_id(&mut self) -> Option<ProducerId> {
        let block = self.current.as_mut().filter(|block| block.length > 0)?;
        let id = block.first;
        block.first = ProducerId(id.0 + 1);
        block.length -= 1;
        Some(id)
    }

    /// How many there are before the caller has to ask.
    #[must_use]
    pub fn left(&self) -> i32 {
        self.current.as_ref().map_or(0, |block| block.length)
    }

    /// A block that the controller has committed. What is left of the one before it is not used any more.
    pub fn refill(&mut self, block: ProducerIdBlock) {
        self.current = Some(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_in_order_and_end_with_the_block() {
        let mut ids = ProducerIds::default();
        assert_eq!(ids.next_id(), None);
        ids.refill(ProducerIdBlock {
            first: ProducerId(2000),
            length: 2,
        });
        assert_eq!(ids.next_id(), Some(ProducerId(2000)));
        assert_eq!(ids.left(), 1);
        assert_eq!(ids.next_id(), Some(ProducerId(2001)));
        assert_eq!(ids.next_id(), None);
    }
}
