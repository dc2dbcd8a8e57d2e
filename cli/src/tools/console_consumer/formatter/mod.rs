//! How records are shown: the reference's formatters by their class names.

mod columns;
mod internal_topics;

use thiserror::Error;

use ottla_client::consumer::ConsumerRecord;
use ottla_protocol::messages::coordinator::CoordinatorRecordError;

use super::deserializers::DeserializeError;
use crate::stop::Stop;
use columns::Columns;
use internal_topics::Internal;

/// What `--formatter` names where nothing is said.
pub(super) const DEFAULT_CLASS: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

const PACKAGE: &str = "org.apache.kafka.tools.consumer.";

#[derive(Debug)]
pub(super) enum Formatter {
    Columns(Columns),
    Nothing,
    Internal(Internal),
}

/// Why a record cannot be shown.
#[derive(Debug, Error)]
pub(super) enum FormatError {
    #[error(transparent)]
    Deserialize(#[from] DeserializeError),
    #[error("Could not read record at offset {offset} due to: {error}")]
    Decode {
        offset: i64,
        error: CoordinatorRecordError,
    },
}

impl Formatter {
    /// The formatter of this class. What is wrong with the properties, and no reason to stop, is added to `warnings`.
    pub(super) fn of_class(
        class: &str,
        properties: &[(String, String)],
        warnings: &mut Vec<String>,
    ) -> Result<Self, Stop> {
        let name = class.strip_prefix(PACKAGE);
        match name.and_then(|name| name.strip_suffix("MessageFormatter")) {
            // The reference's logging formatter writes a log record beside each line, below the level that is shown.
            Some("Default" | "Logging") => Ok(Self::Columns(Columns::from_properties(
                properties, warnings,
            ))),
            Some("NoOp") => Ok(Self::Nothing),
            Some("Offsets") => Ok(Self::Internal(Internal::Offsets)),
            Some("GroupMetadata") => Ok(Self::Internal(Internal::GroupMetadata)),
            Some("TransactionLog") => Ok(Self::Internal(Internal::TransactionLog)),
            _ => Err(Stop::Usage(format!(
                "{class}\nThere is no such formatter. Built in are, in {PACKAGE}: DefaultMessageFormatter, \
                 LoggingMessageFormatter, NoOpMessageFormatter, OffsetsMessageFormatter, \
                 GroupMetadataMessageFormatter, TransactionLogMessageFormatter."
            ))),
        }
    }

    /// Appends the record. Where it cannot be shown to its end, what comes before is there, as in the reference.
    pub(super) fn write(
        &self,
        record: &ConsumerRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        match self {
            Self::Columns(columns) => Ok(columns.write(record, out)?),
            Self::Nothing => Ok(()),
            Self::Internal(internal) => {
                internal
                    .write(record, out)
                    .map_err(|error| FormatError::Decode {
                        offset: record.offset,
                        error,
                    })
            }
        }
    }
}
