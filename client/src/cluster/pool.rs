//! Connections to brokers, opened when first needed and kept.
//!
//! Always: at most one attempt per endpoint and lane at a time (others wait for its outcome), and after failures no
//! new attempt before the backoff is over. Not here: which broker to ask.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::time::sleep_until;

use crate::conn::{ConnSettings, Connection, Endpoint, EndpointError};

use super::{Backoff, lock};

/// Replies on one connection come in request order, so what may wait long gets a connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Metadata, lookups, administration.
    Control,
    /// Produce and Fetch.
    Data,
    /// Group membership: JoinGroup waits for a whole rebalance, heartbeats must not wait for a Fetch.
    Group,
}

#[derive(Debug)]
pub(super) struct Pool {
    settings: ConnSettings,
    backoff: Backoff,
    slots: Mutex<HashMap<(Endpoint, Lane), Arc<Slot>>>,
    /// Where a connection has once stood.
    reached: Mutex<HashSet<Endpoint>>,
}

#[derive(Debug, Default)]
struct Slot {
    state: tokio::sync::Mutex<SlotState>,
}

#[derive(Debug, Default)]
struct SlotState {
    connection: Option<Connection>,
    failures: u32,
    failed_at: Option<Instant>,
}

impl Pool {
    pub(super) fn new(settings: ConnSettings, backoff: Backoff) -> Self {
        Self {
            settings,
            backoff,
            slots: Mutex::default(),
            reached: Mutex::default(),
        }
    }

    /// The connection to this endpoint, opened where there is none that works. Waits out the backoff after failures;
    /// the caller bounds the waiting.
    pub(super) async fn connection(
        &self,
        endpoint: &Endpoint,
        lane: Lane,
    ) -> Result<Connection, EndpointError> {
        let slot = self.slot(endpoint, lane);
        let mut state = slot.state.lock().await;
        if let Some(connection) = state.working() {
            return Ok(connection);
        }
        if let Some(failed_at) = state.failed_at {
            sleep_until((failed_at + self.backoff.after(state.failures)).into()).await;
        }
        match Connection::open(endpoint, &self.settings).await {
            Ok(connection) => {
                self.note_reached(endpoint);
                *state = SlotState {
                    connection: Some(connection.clone()),
                    failures: 0,
                    failed_at: None,
                };
                Ok(connection)
            }
            Err(error) => {
                tracing::debug!(%error, "connecting failed");
                state.failures = state.failures.saturating_add(1);
                state.failed_at = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// Puts a connection in that was opened elsewhere (while bootstrapping).
    pub(super) async fn adopt(&self, connection: Connection) {
        self.note_reached(connection.endpoint());
        let slot = self.slot(connection.endpoint(), Lane::Control);
        slot.state.lock().await.connection = Some(connection);
    }

    fn note_reached(&self, endpoint: &Endpoint) {
        let mut reached = lock(&self.reached);
        if !reached.contains(endpoint) {
            reached.insert(endpoint.clone());
        }
    }

    /// Whether a connection to it has ever worked.
    pub(super) fn has_reached(&self, endpoint: &Endpoint) -> bool {
        lock(&self.reached).contains(endpoint)
    }

    /// A working connection that is already there, to any broker.
    pub(super) fn any_open(&self, lane: Lane) -> Option<Connection> {
        let slots: Vec<Arc<Slot>> = self
            .slots()
            .iter()
            .filter(|((_, of), _)| *of == lane)
            .map(|(_, slot)| slot.clone())
            .collect();
        slots
            .iter()
            .find_map(|slot| slot.state.try_lock().ok()?.working())
    }

    pub(super) fn settings(&self) -> &ConnSettings {
        &self.settings
    }

    /// Closes everything that is open.
    pub(super) async fn close(&self) {
        let slots: Vec<Arc<Slot>> = self.slots().drain().map(|(_, slot)| slot).collect();
        for slot in slots {
            if let Some(connection) = slot.state.lock().await.connection.take() {
                connection.close();
            }
        }
    }

    fn slot(&self, endpoint: &Endpoint, lane: Lane) -> Arc<Slot> {
        self.slots()
            .entry((endpoint.clone(), lane))
            .or_default()
            .clone()
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<(Endpoint, Lane), Arc<Slot>>> {
        lock(&self.slots)
    }
}

impl SlotState {
    fn working(&self) -> Option<Connection> {
        self.connection
            .clone()
            .filter(|connection| connection.fault().is_none())
    }
}
