//! What is known of a partition's open files without its lock: whether it is among those that have some, and whether
//! it was used since it was last asked to let go of them.

use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub(super) struct Residence {
    is_listed: AtomicBool,
    is_touched: AtomicBool,
}

impl Residence {
    /// The partition is used. True if it has to be put on the list of those that have files.
    pub(super) fn touch(&self) -> bool {
        if !self.is_touched.load(Ordering::Relaxed) {
            self.is_touched.store(true, Ordering::Relaxed);
        }
        !self.is_listed.load(Ordering::Relaxed) && !self.is_listed.swap(true, Ordering::AcqRel)
    }

    /// Whether it was used since the last time this was asked.
    pub(super) fn was_touched(&self) -> bool {
        self.is_touched.swap(false, Ordering::Relaxed)
    }

    /// It is taken off the list.
    pub(super) fn left(&self) {
        self.is_listed.store(false, Ordering::Release);
    }
}
