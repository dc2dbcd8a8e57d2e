//! The batches of one append: what they say before, and what is written into their headers.

use ottla_protocol::records::batch::{BatchHeader, patch_append_time, patch_base_offset_and_epoch};
use ottla_protocol::types::{Millis, Offset};

use crate::api::{Offsets, Timestamps};
use crate::errors::AppendError;

/// What an append needs to know of a record set before it changes anything.
pub(crate) struct Survey {
    /// -1: none of the batches has one.
    pub(crate) max_timestamp: Millis,
    pub(crate) first_offset: Offset,
    pub(crate) last_offset: Offset,
}

/// The headers of a record set that `survey` has approved.
pub(crate) fn headers(record_set: &[u8]) -> impl Iterator<Item = BatchHeader> + '_ {
    let mut rest = record_set;
    std::iter::from_fn(move || {
        let header = BatchHeader::read(rest).ok()?;
        rest = rest.get(header.size_in_bytes()..)?;
        Some(header)
    })
}

pub(crate) fn survey(
    record_set: &[u8],
    offsets: Offsets,
    end: Offset,
) -> Result<Survey, AppendError> {
    let mut survey = Survey {
        max_timestamp: Millis(-1),
        first_offset: end,
        last_offset: end,
    };
    let mut next = end;
    let mut size = 0;
    for header in headers(record_set) {
        if header.last_offset_delta < 0 {
            return Err(AppendError::Malformed("negative last offset delta"));
        }
        let base = match offsets {
            Offsets::Assign { .. } => next,
            Offsets::Keep if header.base_offset < next => {
                return Err(AppendError::OutOfOrder {
                    offset: header.base_offset,
                    end: next,
                });
            }
            Offsets::Keep => header.base_offset,
        };
        if size == 0 {
            survey.first_offset = base;
        }
        survey.last_offset = base.plus(i64::from(header.last_offset_delta));
        survey.max_timestamp = survey.max_timestamp.max(header.max_timestamp);
        next = survey.last_offset.next();
        size += header.size_in_bytes();
    }
    if size == 0 || size != record_set.len() {
        return Err(AppendError::Malformed("bytes that are no whole batch"));
    }
    if survey.last_offset.since(survey.first_offset) > i64::from(i32::MAX) {
        return Err(AppendError::Malformed(
            "more offsets than a segment can hold",
        ));
    }
    Ok(survey)
}

/// Puts offsets, epoch and append time into the headers.
pub(crate) fn patch(
    record_set: &mut [u8],
    offsets: Offsets,
    timestamps: Timestamps,
    end: Offset,
    now: Millis,
) {
    let mut next = end;
    let mut rest = record_set;
    while let Ok(header) = BatchHeader::read(rest) {
        let (batch, behind) = rest.split_at_mut(header.size_in_bytes());
        if let Offsets::Assign { leader_epoch } = offsets {
            patch_base_offset_and_epoch(batch, next, leader_epoch);
            next = next.plus(i64::from(header.last_offset_delta)).next();
        }
        if timestamps == Timestamps::LogAppend {
            patch_append_time(batch, now);
        }
        rest = behind;
    }
}
