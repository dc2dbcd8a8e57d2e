//! Where offsets were met lately, so that consumers that follow the end don't search, and which sealed segments hold a
//! descriptor, so that a reader of old records doesn't use them all up.

use std::collections::VecDeque;

use ottla_protocol::types::Offset;

/// Readers at different places that are remembered.
const POSITIONS: usize = 8;
/// Sealed segments that stay open.
const SEALED_OPEN: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Hints {
    positions: VecDeque<Hint>,
    sealed: VecDeque<Offset>,
}

/// A batch that begins with `offset`, or at it would begin, at `position` of a segment.
#[derive(Clone, Copy, Debug)]
struct Hint {
    offset: Offset,
    segment: Offset,
    position: u64,
}

impl Hints {
    pub(crate) fn position(&self, segment: Offset, offset: Offset) -> Option<u64> {
        let hint = self
            .positions
            .iter()
            .find(|h| h.offset == offset && h.segment == segment);
        hint.map(|h| h.position)
    }

    pub(crate) fn remember(&mut self, segment: Offset, offset: Offset, position: u64) {
        if self.position(segment, offset).is_some() {
            return;
        }
        if self.positions.len() == POSITIONS {
            self.positions.pop_front();
        }
        self.positions.push_back(Hint {
            offset,
            segment,
            position,
        });
    }

    pub(crate) fn forget_positions(&mut self) {
        self.positions.clear();
    }

    pub(crate) fn forget_sealed(&mut self) {
        self.sealed.clear();
    }

    /// Notes that a sealed segment holds a descriptor; which other one should let go of its own.
    pub(crate) fn sealed_opened(&mut self, segment: Offset) -> Option<Offset> {
        if self.sealed.contains(&segment) {
            return None;
        }
        self.sealed.push_back(segment);
        if self.sealed.len() > SEALED_OPEN {
            self.sealed.pop_front()
        } else {
            None
        }
    }
}
