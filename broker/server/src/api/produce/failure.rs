//! Why a batch was not appended, as the producer is told.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::produce::response::BatchIndexAndErrorMessage;
use ottla_protocol::records::RecordError;

/// Why nothing of a partition was appended.
pub(super) struct Failure {
    pub(super) code: ErrorCode,
    pub(super) message: Option<String>,
    pub(super) records: Vec<BatchIndexAndErrorMessage>,
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
            records: Vec::new(),
        }
    }
}

impl Failure {
    pub(super) fn told(code: ErrorCode, message: String) -> Self {
        Self {
            message: Some(message),
            ..code.into()
        }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let records = match &error {
            RecordError::Rejected(rejected) => rejected
                .iter()
                .map(|record| BatchIndexAndErrorMessage {
                    batch_index: i32::try_from(record.index).unwrap_or(i32::MAX),
                    batch_index_error_message: Some(record.reason.to_string().into()),
                    ..Default::default()
                })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            code: error.code(),
            message: Some(error.to_string()),
            records,
        }
    }
}
