//! An open partition's replica behind its lock, and what is done once the lock is free.
//!
//! Always: who is woken by what was done under the lock is woken without it, and so does not find it taken. It would come back
//! for it at once, from another thread.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::{MappedMutexGuard, MutexGuard};

use super::replica::Replica;
use super::{Partition, State};
use crate::exec::waits::Due;

/// What was put off until the lock is free.
#[derive(Default)]
pub(super) struct Afterwards {
    /// For one of the flusher's threads.
    pub(super) flush: Option<Arc<Partition>>,
    pub(super) due: Due,
}

impl Afterwards {
    fn is_nothing(&self) -> bool {
        self.flush.is_none() && self.due.is_empty()
    }

    fn run(self) {
        if let Some(partition) = self.flush {
            let storage = partition.storage.clone();
            storage.flusher.submit(partition);
        }
        self.due.release();
    }
}

/// The lock; `None` only while it is given back.
pub(crate) struct Opened<'a>(Option<MappedMutexGuard<'a, Replica>>);

const HELD: &str = "the lock is held until it is dropped";

/// None: the partition is not open.
pub(super) fn opened(state: MutexGuard<'_, State>) -> Option<Opened<'_>> {
    let replica = MutexGuard::try_map(state, |state| match state {
        State::Open(replica) => Some(&mut **replica),
        State::Closed(_) | State::Deleted => None,
    });
    Some(Opened(Some(replica.ok()?)))
}

impl Deref for Opened<'_> {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        self.0.as_deref().expect(HELD)
    }
}

impl DerefMut for Opened<'_> {
    fn deref_mut(&mut self) -> &mut Replica {
        self.0.as_deref_mut().expect(HELD)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if let Some(mut replica) = self.0.take()
            && !replica.afterwards.is_nothing()
        {
            let afterwards = std::mem::take(&mut replica.afterwards);
            drop(replica);
            afterwards.run();
        }
    }
}
