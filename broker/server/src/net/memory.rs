//! The bound on memory that unanswered requests may take (`queued.max.request.bytes`).
//!
//! A connection leases what its read buffer grows to. The first few KiB are free, so that a small request costs
//! nothing here; they are bounded by the number of connections.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// What each connection has without asking.
const FREE_BYTES: usize = 16 * 1024;

/// Memory for requests, shared by all connections.
#[derive(Clone)]
pub(crate) struct MemoryPool {
    free: Arc<Semaphore>,
    bytes: usize,
}

impl MemoryPool {
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(bytes)),
            bytes,
        }
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease {
            pool: self.clone(),
            held: 0,
        }
    }
}

/// One connection's share; given back when it shrinks or goes.
pub(crate) struct Lease {
    pool: MemoryPool,
    held: usize,
}

impl Lease {
    /// Leaves nothing here, and hands on what was held.
    pub(crate) fn take(&mut self) -> Lease {
        let empty = self.pool.lease();
        std::mem::replace(self, empty)
    }

    /// As `grow_to`, if that needs no waiting.
    pub(crate) fn try_grow_to(&mut self, capacity: usize) -> bool {
        let target = capacity.saturating_sub(FREE_BYTES).min(self.pool.bytes);
        let missing = target.saturating_sub(self.held);
        let missing_permits = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(permit) = self.pool.free.try_acquire_many(missing_permits) else {
            return false;
        };
        permit.forget();
        self.held += missing_permits as usize;
        true
    }

    /// Waits until a buffer of `capacity` bytes is covered. More than the whole pool is never waited for: the largest
    /// frame must fit even where the pool was made smaller than it.
    pub(crate) async fn grow_to(&mut self, capacity: usize) {
        let target = capacity.saturating_sub(FREE_BYTES).min(self.pool.bytes);
        let missing = target.saturating_sub(self.held);
        if missing == 0 {
            return;
        }
        let missing_permits = u32::try_from(missing).unwrap_or(u32::MAX);
        if let Ok(permit) = self.pool.free.acquire_many(missing_permits).await {
            permit.forget();
            self.held += missing_permits as usize;
        }
    }

    /// Gives back all but what a buffer of `capacity` bytes needs.
    pub(crate) fn shrink_to(&mut self, capacity: usize) {
        let target = capacity.saturating_sub(FREE_BYTES);
        if self.held > target {
            self.pool.free.add_permits(self.held - target);
            self.held = target;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_waits_for_another_to_give_back() {
        let pool = MemoryPool::new(100_000);
        let mut first = pool.lease();
        first.grow_to(FREE_BYTES + 90_000).await;
        let mut second = pool.lease();
        second.grow_to(FREE_BYTES).await;
        let mut waiting = Box::pin(second.grow_to(FREE_BYTES + 20_000));
        assert!(futures_pending(&mut waiting).await);
        drop(first);
        waiting.await;
    }

    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
        })
        .await
    }

    #[tokio::test]
    async fn a_frame_larger_than_the_pool_still_gets_through() {
        let pool = MemoryPool::new(1000);
        pool.lease().grow_to(1 << 20).await;
    }
}
