//! Batches onto the log: checked against the state of their producers, written, and shown or flushed as is asked.
//!
//! Always: the state of the producers knows what is on the log, under one lock with it.

use std::fmt::Debug;
use std::sync::Arc;

use ottla_coordination::txn::{Origin, ProducerBatch, Verdict};
use ottla_log::errors::AppendError;
use ottla_log::{Appended, Offsets, Timestamps};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset};
use tracing::{error, warn};

use super::Partition;
use super::replica::Replica;
use crate::exec::topic::Durability;
use crate::exec::waits::AckWait;

/// Which acknowledgement the producer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    None,
    Leader,
    All,
}

/// How a batch is to be appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Append {
    pub(crate) acks: Acks,
    /// `message.timestamp.type=LogAppendTime`
    pub(crate) log_append_time: bool,
    /// Set for a batch of an idempotent producer.
    pub(crate) producer: Option<ProducerBatch>,
    pub(crate) origin: Origin,
}

/// Where a batch is on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) base_offset: Offset,
    pub(crate) log_append_time: Option<Millis>,
    pub(crate) log_start: Offset,
}

impl Partition {
    /// Appends one validated batch; offset and epoch are written into it in place. What an acknowledgement has to wait
    /// for is counted on `wait`.
    pub(crate) fn append(
        self: &Arc<Self>,
        batch: &mut [u8],
        how: Append,
        wait: &mut Option<Arc<AckWait>>,
        now: Millis,
    ) -> Result<Placed, ErrorCode> {
        let settings = self.settings();
        self.check_room(now)?;
        let mut replica = self.open(now)?;
        if let Some(producer) = &how.producer {
            let states = replica
                .producers(&*self.dir().disk)
                .map_err(|error| self.disk_failed(&error))?;
            let verdict = states.check(producer, how.origin);
            if verdict == Err(ErrorCode::InvalidTxnState) {
                self.tell_of_refusal(producer, how.origin, &states.told_of(producer.producer_id));
            }
            if let Verdict::Duplicate(first) = verdict? {
                let placed = Placed {
                    base_offset: first.base_offset,
                    // Whatever the topic's timestamp type: the reference tells it of duplicates only.
                    log_append_time: Some(first.timestamp),
                    log_start: replica.log.start(),
                };
                self.after_append(&mut replica, settings.durability, how.acks, wait, now);
                return Ok(placed);
            }
        }
        let replica = &mut *replica;
        let appended = self.write_batch(replica, batch, how.log_append_time, now)?;
        if let (Some(producer), Some(states)) = (&how.producer, &mut replica.producers) {
            states.apply(producer, appended.base_offset);
        }
        self.show_appended(replica, batch.len(), how.acks, wait, now);
        Ok(Placed {
            base_offset: appended.base_offset,
            log_append_time: appended.log_append_time,
            log_start: replica.log.start(),
        })
    }

    /// A disk that was full a moment ago takes no records.
    pub(super) fn check_room(&self, now: Millis) -> Result<(), ErrorCode> {
        if self.dir.load().reserve.is_full(now) {
            return Err(ErrorCode::KafkaStorageError);
        }
        Ok(())
    }

    /// Puts a batch on the log, and the state of the producers before it beside it where it begins a segment.
    pub(super) fn write_batch(
        &self,
        replica: &mut Replica,
        batch: &mut [u8],
        log_append_time: bool,
        now: Millis,
    ) -> Result<Appended, ErrorCode> {
        let offsets = Offsets::Assign {
            leader_epoch: self.leader_epoch(),
        };
        let timestamps = if log_append_time {
            Timestamps::LogAppend
        } else {
            Timestamps::Create
        };
        let appended = replica
            .log
            .append(batch, offsets, timestamps, now)
            .map_err(|error| self.append_failed(&error))?;
        if let Some(at) = appended.rolled {
            replica
                .rolled(&*self.dir().disk, at)
                .map_err(|error| self.disk_failed(&error))?;
            replica.draw_roll_jitter();
            self.next_cleaning.reset();
        }
        self.next_look.reset();
        Ok(appended)
    }

    /// What was appended is there for readers, or will be once it is flushed.
    pub(super) fn show_appended(
        self: &Arc<Self>,
        replica: &mut Replica,
        bytes: usize,
        acks: Acks,
        wait: &mut Option<Arc<AckWait>>,
        now: Millis,
    ) {
        let durability = self.settings().durability;
        replica.appended_bytes += bytes as u64;
        if durability == Durability::Memory {
            let (end, bytes) = (replica.log.end(), replica.appended_bytes);
            replica.show(end, bytes);
        }
        self.after_append(replica, durability, acks, wait, now);
    }

    /// The answer has a code only: why a batch is of no transaction here, nobody but the broker knows.
    fn tell_of_refusal(&self, batch: &ProducerBatch, shown: Origin, known: &impl Debug) {
        warn!(
            topic = %self.topic.name, partition = %self.index, ?batch, ?shown, ?known,
            "a batch is not part of an open transaction: refused"
        );
    }

    fn append_failed(&self, error: &AppendError) -> ErrorCode {
        match error {
            AppendError::Disk(error) => self.disk_failed(error),
            AppendError::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            AppendError::Malformed(_) | AppendError::OutOfOrder { .. } => {
                error!(topic = %self.topic.name, partition = %self.index, "append refused by the log: {error}");
                ErrorCode::UnknownServerError
            }
        }
    }
}
