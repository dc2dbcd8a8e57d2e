//! Brokers that the cluster names and that were never reached: most often an advertised address that leads nowhere from here.
//!
//! Always: what has led somewhere once is none of these; a broker that restarts is waited for.

use std::{fmt, sync::Arc, time::Duration};

use crate::conn::{Connection, EndpointError};

use super::{Cluster, lock};

/// Who hears of such an address, each time that it was tried.
#[derive(Clone)]
pub struct OnMisadvertised(pub Arc<dyn Fn(&EndpointError) + Send + Sync>);

impl fmt::Debug for OnMisadvertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnMisadvertised")
    }
}

impl Cluster {
    pub(super) fn note_told_by(&self, connection: &Connection) {
        *lock(&self.inner.told_by) = Some(connection.endpoint().clone());
    }

    /// The error with who named the address, where that was the cluster alone and the address never led anywhere.
    pub(super) fn as_advertised(&self, mut error: EndpointError) -> EndpointError {
        if self.inner.pool.has_reached(&error.endpoint) {
            return error;
        }
        if !self.settings().bootstrap.contains(&error.endpoint) {
            error.advertised_by = lock(&self.inner.told_by).clone();
        }
        if let Some(OnMisadvertised(hears)) = &self.settings().on_misadvertised {
            hears(&error);
        }
        error
    }

    /// Whether an error that has lasted for so long is the end: the broker was never reached, and so will hardly be.
    pub(crate) fn is_given_up(&self, error: &EndpointError, lasted: Duration) -> bool {
        let after = self.settings().misadvertised_after;
        after < Duration::MAX && lasted >= after && !self.inner.pool.has_reached(&error.endpoint)
    }
}
