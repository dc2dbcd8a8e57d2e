//! How records are shown: the reference's formatters by their class names.

mod columns;
mod internal_topics;

use thiserror::Error;

use ottla_client::consumer::ConsumerRecord;
use ottla_protocol::messages::coordinator::CoordinatorRecordError;

use super::deserializers::DeserializeError;
use super::select::Template;
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
    Template(Template),
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

/// Which of them a class is.
#[derive(Clone, Copy)]
enum Kind {
    Columns,
    Nothing,
    Internal(Internal),
}

/// In the reference's package. Its logging formatter writes a log record beside each line, below the level that is shown.
const CLASSES: [(&str, Kind); 8] = [
    ("DefaultMessageFormatter", Kind::Columns),
    ("LoggingMessageFormatter", Kind::Columns),
    ("NoOpMessageFormatter", Kind::Nothing),
    ("OffsetsMessageFormatter", Kind::Internal(Internal::Offsets)),
    (
        "GroupMetadataMessageFormatter",
        Kind::Internal(Internal::GroupMetadata),
    ),
    (
        "TransactionLogMessageFormatter",
        Kind::Internal(Internal::TransactionLog),
    ),
    (
        "ShareGroupMessageFormatter",
        Kind::Internal(Internal::ShareGroup),
    ),
    (
        "group.share.ShareGroupStateMessageFormatter",
        Kind::Internal(Internal::ShareGroupState),
    ),
];

fn kind(class: &str) -> Result<Kind, Stop> {
    let named = class.strip_prefix(PACKAGE).and_then(|name| {
        let mut known = CLASSES.iter();
        known.find(|(known, _)| *known == name)
    });
    named
        .map(|(_, kind)| *kind)
        .ok_or_else(|| no_formatter(class))
}

/// Names without their package are refused, as in the reference, and so are those that its formatters had before version 4.
fn no_formatter(class: &str) -> Stop {
    let last = |name: &str| name.rsplit(['.', '$']).next().map(str::to_owned);
    let meant = CLASSES.iter().find(|(name, _)| last(name) == last(class));
    let advice = match meant {
        Some((meant, _)) => format!("Did you mean {PACKAGE}{meant}?"),
        None => {
            let names: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
            format!("Built in are, in {PACKAGE}: {}.", names.join(", "))
        }
    };
    Stop::Usage(format!("{class}\nThere is no such formatter. {advice}"))
}

/// Whether there is a formatter of this name.
pub(super) fn check_class(class: &str) -> Result<(), Stop> {
    kind(class).map(drop)
}

impl Formatter {
    /// The formatter of this class. What is wrong with the properties, and no reason to stop, is added to `warnings`.
    pub(super) fn of_class(
        class: &str,
        properties: &[(String, String)],
        warnings: &mut Vec<String>,
    ) -> Result<Self, Stop> {
        Ok(match kind(class)? {
            Kind::Columns => Self::Columns(Columns::from_properties(properties, warnings)),
            Kind::Nothing => Self::Nothing,
            Kind::Internal(internal) => Self::Internal(internal),
        })
    }

    /// The user's own template, with the deserializers that the properties name.
    pub(super) fn of_template(
        template: Template,
        properties: &[(String, String)],
        warnings: &mut Vec<String>,
    ) -> Self {
        let columns = Columns::from_properties(properties, warnings);
        let (key, value) = columns.deserializers();
        Self::Template(template.with(key, value))
    }

    /// What stands before all records, of which there may be none.
    pub(super) fn head(&self) -> String {
        match self {
            Self::Template(template) => template.head(),
            Self::Columns(_) | Self::Nothing | Self::Internal(_) => String::new(),
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
            Self::Template(template) => Ok(template.write(record, out)?),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(class: &str) -> String {
        match check_class(class) {
            Err(Stop::Usage(text)) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_formatter_is_named_in_full_and_others_are_helped_to_the_name() {
        for (name, _) in CLASSES {
            assert!(check_class(&format!("{PACKAGE}{name}")).is_ok(), "{name}");
        }
        for (old, new) in [
            ("DefaultMessageFormatter", "DefaultMessageFormatter"),
            ("kafka.tools.NoOpMessageFormatter", "NoOpMessageFormatter"),
            (
                "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter",
                "OffsetsMessageFormatter",
            ),
            (
                "ShareGroupStateMessageFormatter",
                "group.share.ShareGroupStateMessageFormatter",
            ),
        ] {
            let advice = format!("Did you mean {PACKAGE}{new}?");
            let text = refused(old);
            assert!(
                text.starts_with(&format!("{old}\n")) && text.ends_with(&advice),
                "{text}"
            );
        }
        assert!(refused("no.such.Formatter").contains("Built in are"));
    }
}
