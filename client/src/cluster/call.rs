//! One request to the right broker, tried again while that makes sense.

use std::time::{Duration, Instant};

use ottla_protocol::{errors::ErrorCode, messages::Request, types::BrokerId};

use crate::{
    conn::{Connection, VersionRange, known_versions},
    error::{ApiError, ClientError},
};

use super::{Cluster, CoordinatorKind, Deadline, EndpointType, Lane, within};

/// Who is to answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Whoever is at hand; the active controller where controllers are talked to.
    Any,
    Broker(BrokerId),
    Controller,
    /// The coordinator of this group.
    Group(String),
    /// The coordinator of this transactional id.
    Transaction(String),
}

/// How a request is to be made.
#[derive(Clone, Debug)]
pub struct Call {
    pub deadline: Deadline,
    /// Versions in which the request can say what the caller means; all by default.
    pub versions: Option<VersionRange>,
    pub lane: Lane,
    /// Tries again until the deadline, whatever `retries` says.
    is_persistent: bool,
}

impl Call {
    pub fn until(deadline: Deadline) -> Self {
        Self {
            deadline,
            versions: None,
            lane: Lane::Control,
            is_persistent: false,
        }
    }

    /// As often as it takes: for what has no other way to go on, as within transactions.
    pub fn persistently(self) -> Self {
        Self {
            is_persistent: true,
            ..self
        }
    }

    /// Only these versions.
    pub fn versions(self, versions: VersionRange) -> Self {
        Self {
            versions: Some(versions),
            ..self
        }
    }

    pub fn lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }
}

impl Cluster {
    /// Sends the request to its target and returns the response.
    ///
    /// `error_of` finds the error that stands for the response as a whole. A retriable one makes the cluster look
    /// the target up anew and try again; when time is up, the last response is returned, so that the caller can
    /// report each resource's own error.
    pub async fn call<R: Request>(
        &self,
        target: &Target,
        request: &R,
        call: Call,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response, ClientError> {
        let mut failures = 0;
        let mut last: Option<(ClientError, Option<R::Response>)> = None;
        let begun = Instant::now();
        loop {
            let (error, response) = match self.attempt(target, request, &call).await {
                Ok(response) => match error_of(&response) {
                    code if code.is_retriable() => (ApiError::of_code(code).into(), Some(response)),
                    _ => return Ok(response),
                },
                // Time was up in the middle of this attempt; what went wrong before says more.
                Err(timed_out @ ClientError::TimedOut { .. }) => {
                    return match last {
                        Some((_, Some(response))) => Ok(response),
                        Some((error, None)) => Err(timed_out.because_of(error)),
                        None => Err(timed_out),
                    };
                }
                Err(error) if self.is_hopeless(&error, begun.elapsed(), failures) => {
                    return Err(error);
                }
                Err(error) if error.may_pass() => (error, None),
                Err(error) => return Err(error),
            };
            failures += 1;
            tracing::debug!(request = R::NAME, ?target, %error, "trying again");
            if let Err(error) = self.looked_in_vain(target, &error, failures, &call).await {
                return response.ok_or(error);
            }
            last = Some((error, response));
        }
    }

    /// Whether the next attempt would come too late for a caller who is to know soon that a broker can't be reached.
    fn is_hopeless(&self, error: &ClientError, elapsed: Duration, failures: u32) -> bool {
        let lasts = elapsed + self.settings().retry_backoff.after(failures + 1);
        let is_late = lasts >= self.settings().unreachable_after;
        match error {
            ClientError::Endpoint(error) => is_late || self.is_given_up(error, lasts),
            ClientError::Bootstrap(_) | ClientError::NoSuchBroker(_) => is_late,
            _ => false,
        }
    }

    /// After an attempt that has failed: the target is looked up anew where it may have moved, and a while passes.
    pub(crate) async fn looked_in_vain(
        &self,
        target: &Target,
        error: &ClientError,
        failures: u32,
        call: &Call,
    ) -> Result<(), ClientError> {
        self.forget(target, error, call.deadline).await;
        let retries = match call.is_persistent {
            true => u32::MAX,
            false => self.settings().retries,
        };
        self.pause_within(
            retries,
            failures,
            call.deadline,
            "the request",
            error.clone(),
        )
        .await
    }

    /// The same with one attempt, for what must not be said again later. After an error the target is looked up anew
    /// by whoever asks next.
    pub async fn call_once<R: Request>(
        &self,
        target: &Target,
        request: &R,
        call: Call,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response, ClientError> {
        let outcome = self.attempt(target, request, &call).await;
        let error = match &outcome {
            Ok(response) => match error_of(response) {
                code if code.is_retriable() => ApiError::of_code(code).into(),
                _ => return outcome,
            },
            Err(error) => error.clone(),
        };
        self.forget(target, &error, call.deadline).await;
        outcome
    }

    async fn attempt<R: Request>(
        &self,
        target: &Target,
        request: &R,
        call: &Call,
    ) -> Result<R::Response, ClientError> {
        let connection = self.connection_for(target, call).await?;
        let versions = call.versions.clone().unwrap_or_else(known_versions::<R>);
        self.ask(&connection, request, versions, call.deadline)
            .await
    }

    /// Sends on a connection. Where the caller's time ends before the request's, the connection stays: it may just
    /// be the caller who is in a hurry.
    pub(super) async fn ask<R: Request>(
        &self,
        connection: &Connection,
        request: &R,
        versions: VersionRange,
        deadline: Deadline,
    ) -> Result<R::Response, ClientError> {
        self.settings().endpoint_type.check::<R>()?;
        let asking = async {
            let timeout = self.settings().request_timeout;
            Ok(connection.send(request, versions, timeout).await?)
        };
        within(deadline, "the request", asking).await
    }

    /// A connection to whoever the target is right now.
    pub async fn connection_for(
        &self,
        target: &Target,
        call: &Call,
    ) -> Result<Connection, ClientError> {
        let deadline = call.deadline;
        match target {
            Target::Any if self.settings().endpoint_type == EndpointType::Broker => {
                self.any_connection_on(call.lane, deadline).await
            }
            Target::Broker(id) => self.connection_to(*id, call.lane, deadline).await,
            Target::Any | Target::Controller => match self.metadata().controller {
                Some(id) => self.connection_to(id, call.lane, deadline).await,
                None => self.any_connection(deadline).await,
            },
            Target::Group(id) => {
                self.coordinator_connection(CoordinatorKind::Group, id, call)
                    .await
            }
            Target::Transaction(id) => {
                self.coordinator_connection(CoordinatorKind::Transaction, id, call)
                    .await
            }
        }
    }

    async fn coordinator_connection(
        &self,
        kind: CoordinatorKind,
        key: &str,
        call: &Call,
    ) -> Result<Connection, ClientError> {
        let coordinator = self.coordinator(kind, key, call.deadline).await?;
        self.connection_at(&coordinator.endpoint, call.lane, call.deadline)
            .await
    }

    /// Drops what may have been wrong about the target.
    async fn forget(&self, target: &Target, error: &ClientError, deadline: Deadline) {
        let is_at_home = matches!(
            error.code(),
            Some(ErrorCode::CoordinatorLoadInProgress | ErrorCode::ConcurrentTransactions)
        );
        match target {
            // It has answered, and is to be asked again.
            Target::Group(_) | Target::Transaction(_) if is_at_home => {}
            Target::Group(id) => self.forget_coordinator(CoordinatorKind::Group, id),
            Target::Transaction(id) => self.forget_coordinator(CoordinatorKind::Transaction, id),
            Target::Any | Target::Broker(_) | Target::Controller => {
                let moved = matches!(
                    error.code(),
                    Some(ErrorCode::NotController | ErrorCode::NotLeaderOrFollower)
                );
                let unreachable = matches!(
                    error,
                    ClientError::Endpoint(_) | ClientError::NoSuchBroker(_)
                );
                if moved || unreachable {
                    // Where this fails, the next attempt says why.
                    let _ = self.refresh(deadline).await;
                }
            }
        }
    }
}
