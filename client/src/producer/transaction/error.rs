//! What a failed transaction means to the application.

use ottla_protocol::errors::ErrorCode;

use crate::{
    error::{ApiError, ClientError},
    producer::ProduceError,
};

/// What can be done after an error: Kafka's classes (KIP-1050).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Time was up before the coordinator had answered. The same call, or [`settle`], can be tried again; whether the
    /// transaction was ended is known only then.
    ///
    /// [`settle`]: super::TransactionalProducer::settle
    Retriable,
    /// The transaction can't be committed and has been aborted; the next one may succeed.
    Abortable,
    /// This producer is done for, and another one, with the same transactional id, may go on: another has taken its place, or
    /// the coordinator has aborted a transaction that took longer than `transaction.timeout.ms`.
    ApplicationRecoverable,
    /// Nothing helps but another configuration, or other rights.
    InvalidConfiguration,
    /// The producer is done for.
    Fatal,
}

impl ErrorClass {
    /// For what coordinators answer.
    pub(super) fn of_coordinator(code: ErrorCode) -> Self {
        match code {
            code if code.is_retriable() => Self::Retriable,
            ErrorCode::TransactionAbortable
            | ErrorCode::UnknownProducerId
            | ErrorCode::OperationNotAttempted
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::FencedInstanceId
            | ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::StaleMemberEpoch
            | ErrorCode::RebalanceInProgress => Self::Abortable,
            code => Self::of_the_end(code),
        }
    }

    /// For what leaders answer: whatever it is, the transaction lacks a record.
    fn of_leader(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ClusterAuthorizationFailed
            | ErrorCode::TransactionalIdAuthorizationFailed
            | ErrorCode::ProducerFenced
            | ErrorCode::UnsupportedVersion
            | ErrorCode::InvalidProducerIdMapping => Self::of_the_end(code),
            _ => Self::Abortable,
        }
    }

    /// For what ends a producer.
    fn of_the_end(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ProducerFenced
            | ErrorCode::InvalidProducerEpoch
            | ErrorCode::InvalidProducerIdMapping => Self::ApplicationRecoverable,
            ErrorCode::TransactionalIdAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed
            | ErrorCode::InvalidTransactionTimeout
            | ErrorCode::UnsupportedVersion
            | ErrorCode::UnsupportedForMessageFormat => Self::InvalidConfiguration,
            _ => Self::Fatal,
        }
    }
}

/// Why a transaction, or its producer, has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{cause}", told(.class))]
pub struct TransactionError {
    pub class: ErrorClass,
    pub cause: ProduceError,
}

fn told(class: &ErrorClass) -> &'static str {
    match class {
        ErrorClass::Retriable => "the transaction's coordinator did not settle it in time: ",
        ErrorClass::Abortable => "the transaction was aborted: ",
        ErrorClass::ApplicationRecoverable => "the transactional producer has lost its place: ",
        ErrorClass::InvalidConfiguration | ErrorClass::Fatal => {
            "the transactional producer can't go on: "
        }
    }
}

impl TransactionError {
    /// The fate of a batch as that of its transaction.
    pub(in crate::producer) fn of_batch(cause: ProduceError) -> Self {
        let class = match cause.code() {
            Some(code) => ErrorClass::of_leader(code),
            None => ErrorClass::Abortable,
        };
        Self { class, cause }
    }

    /// A coordinator's refusal. `InvalidProducerEpoch` is how older ones say that the producer is fenced.
    pub(super) fn of_coordinator(code: ErrorCode) -> Self {
        let code = match code {
            ErrorCode::InvalidProducerEpoch => ErrorCode::ProducerFenced,
            code => code,
        };
        Self {
            class: ErrorClass::of_coordinator(code),
            cause: ApiError::of_code(code).into(),
        }
    }

    /// A coordinator that could not be asked.
    pub(super) fn of_client(error: ClientError) -> Self {
        let class = match &error {
            error if error.may_pass() => ErrorClass::Retriable,
            ClientError::TimedOut { .. } => ErrorClass::Retriable,
            ClientError::Api(error) => ErrorClass::of_coordinator(error.code),
            ClientError::Request(_) => ErrorClass::InvalidConfiguration,
            _ => ErrorClass::Fatal,
        };
        Self {
            class,
            cause: error.into(),
        }
    }

    /// In the middle of a transaction, what is not settled in time ends it.
    pub(super) fn or_abortable(self) -> Self {
        match self.class {
            ErrorClass::Retriable => self.into_abortable(),
            _ => self,
        }
    }

    /// An abort will tell whether the producer can go on.
    pub(super) fn into_abortable(self) -> Self {
        Self {
            class: ErrorClass::Abortable,
            ..self
        }
    }

    /// The broker's error code, where one is the cause.
    pub fn code(&self) -> Option<ErrorCode> {
        self.cause.code()
    }

    /// Whether the coordinator no longer knows the producer, as it has been idle for `transactional.id.expiration.ms`.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.code() == Some(ErrorCode::InvalidProducerIdMapping)
    }

    /// Whether the producer can still be used.
    pub fn leaves_producer_usable(&self) -> bool {
        matches!(self.class, ErrorClass::Retriable | ErrorClass::Abortable)
    }
}
