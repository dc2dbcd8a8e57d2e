//! Which broker coordinates a group or a transactional id.

use ottla_protocol::{
    errors::ErrorCode,
    messages::{FindCoordinatorRequest, FindCoordinatorResponse},
};

use crate::error::{ApiError, ClientError, wire_text};

use super::{Broker, Call, Cluster, Deadline, Target, lock};

/// What the key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorKind {
    Group,
    Transaction,
}

impl CoordinatorKind {
    fn on_wire(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }
}

impl Cluster {
    /// The coordinator, looked up where it is not known.
    pub async fn coordinator(
        &self,
        kind: CoordinatorKind,
        key: &str,
        deadline: Deadline,
    ) -> Result<Broker, ClientError> {
        if let Some(known) = lock(&self.inner.coordinators).get(&(kind, key.to_owned())) {
            return Ok(known.clone());
        }
        let text = wire_text("the group or transactional id", key)?;
        let request = FindCoordinatorRequest {
            // Versions before 4 ask for one key, later ones for a list (KIP-699).
            key: text.clone(),
            coordinator_keys: vec![text],
            key_type: kind.on_wire(),
            ..Default::default()
        };
        // Boxed because looking a coordinator up is itself a call.
        let response =
            Box::pin(self.call(&Target::Any, &request, Call::until(deadline), error_of)).await?;
        let broker = broker_of(&response)?;
        lock(&self.inner.coordinators).insert((kind, key.to_owned()), broker.clone());
        Ok(broker)
    }

    /// Looks the coordinator up anew next time: it moved or can't be reached.
    pub fn forget_coordinator(&self, kind: CoordinatorKind, key: &str) {
        lock(&self.inner.coordinators).remove(&(kind, key.to_owned()));
    }
}

fn error_of(response: &FindCoordinatorResponse) -> ErrorCode {
    let listed = response
        .coordinators
        .first()
        .map(|coordinator| coordinator.error_code);
    ErrorCode::from_code(listed.unwrap_or(response.error_code))
}

fn broker_of(response: &FindCoordinatorResponse) -> Result<Broker, ClientError> {
    let broker = match response.coordinators.first() {
        Some(found) => {
            ApiError::check(found.error_code, found.error_message.as_deref())?;
            Broker::of_wire(found.node_id, &found.host, found.port, None)
        }
        None => {
            ApiError::check(response.error_code, response.error_message.as_deref())?;
            Broker::of_wire(response.node_id, &response.host, response.port, None)
        }
    };
    broker.ok_or_else(|| ApiError::of_code(ErrorCode::CoordinatorNotAvailable).into())
}
