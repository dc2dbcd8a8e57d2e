//! What a broker makes sure of before a producer's batch gets into a log.
//!
//! Always: refuses exactly what the reference refuses, with its error code, and looks in the same order where two
//! things are wrong. Stricter than the reference in one point: the length of a record is compared with its fields also
//! in compressed batches, since consumers do so and could never get past such a batch. Memory: one buffer and the
//! codec's window, never the inflated batch.
//! Not here: sequences and epochs of producers (the log knows them), authorisation, changing a byte.

use super::batch::{BatchHeader, NO_TIMESTAMP, TimestampType, computed_crc};
use super::batches::batches;
use super::error::{RecordError, RejectReason, RejectedRecord};
use super::iter::{Iter, split};
use super::record::record_timestamp;
use super::run::Run;
use super::stream::Outlines;
use crate::compress::{Compression, InflateLimits};
use crate::types::{Millis, ProducerEpoch};

/// A reply lists so many rejected records at most, however many there are.
const REJECTED_MAX: usize = 1000;

/// What the request and the topic's configuration allow.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The time.
    pub now: Millis,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max: Millis,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max: Millis,
    /// `max.message.bytes`.
    pub batch_bytes_max: usize,
    /// Whether `cleanup.policy` contains `compact`.
    pub compacted: bool,
    /// Whether the request carries a transactional id.
    pub transactional: bool,
    /// Whether the request's version allows zstd, from 7 on (KIP-110).
    pub zstd_allowed: bool,
    /// How far a batch may inflate.
    pub inflate: InflateLimits,
}

impl Default for Rules {
    /// A topic's defaults at the beginning of time.
    fn default() -> Self {
        Self {
            now: Millis(0),
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max: Millis(i64::MAX),
            timestamp_after_max: Millis(3_600_000),
            batch_bytes_max: 1_048_588,
            compacted: false,
            transactional: false,
            zstd_allowed: true,
            inflate: InflateLimits::STRICT,
        }
    }
}

/// A batch found fit for the log.
#[derive(Clone, Copy, Debug)]
pub struct Validated {
    /// Its header as the producer wrote it.
    pub header: BatchHeader,
    /// The batch's size, from the start of the record set; what may follow is less than a batch and ignored.
    pub size_in_bytes: usize,
    /// The latest timestamp: the records', or now where the topic says LogAppendTime. Before the batch is stored,
    /// [`super::batch::patch_max_timestamp`] writes it (with the topic's timestamp type) over what the producer claims.
    pub max_timestamp: Millis,
}

/// Length, format and CRC of one whole batch: what followers, recovery and consumers check. `batch` may be longer.
pub fn check_batch(batch: &[u8]) -> Result<BatchHeader, RecordError> {
    let (header, _) = split(batch)?;
    let computed = computed_crc(&batch[..header.size_in_bytes()]);
    if computed != header.crc {
        return Err(RecordError::Crc {
            stored: header.crc,
            computed,
        });
    }
    Ok(header)
}

/// Everything that is looked at in the record set of one partition of a Produce request.
pub fn validate_produce(records: &[u8], rules: &Rules) -> Result<Validated, RecordError> {
    let header = only_batch(records)?;
    if header.is_transactional() && !rules.transactional {
        return Err(RecordError::NotTransactional);
    }
    if header.attributes.compression_id() == Compression::Zstd.id() && !rules.zstd_allowed {
        return Err(RecordError::ZstdTooNew);
    }
    if header.base_offset.0 != 0 {
        return Err(RecordError::BaseOffset(header.base_offset.0));
    }
    let size = header.size_in_bytes();
    if size > rules.batch_bytes_max {
        return Err(RecordError::TooLarge {
            size,
            max: rules.batch_bytes_max,
        });
    }
    check_batch(records)?;
    let compression = header.compression()?;
    validate_header(&header)?;

    let mut checks = Checks::new(&header, rules);
    let (_, packed) = split(records)?;
    if compression == Compression::None {
        walk(&header, packed, &mut checks)?;
    } else {
        walk_compressed(&header, compression, packed, &mut checks)?;
    }
    let max_timestamp = checks.finish()?;
    if header.has_producer_id() && header.producer_epoch < ProducerEpoch(-1) {
        return Err(RecordError::ProducerEpoch(header.producer_epoch.0));
    }
    Ok(Validated {
        header,
        size_in_bytes: size,
        max_timestamp,
    })
}

fn only_batch(records: &[u8]) -> Result<BatchHeader, RecordError> {
    let mut all = batches(records);
    let first = all.next().ok_or(RecordError::NoBatch)??;
    match all.next() {
        None => Ok(first.header),
        Some(Ok(_) | Err(RecordError::OldMagic(_))) => Err(RecordError::SeveralBatches),
        Some(Err(error)) => Err(error),
    }
}

fn validate_header(header: &BatchHeader) -> Result<(), RecordError> {
    let BatchHeader {
        last_offset_delta,
        record_count: count,
        base_sequence,
        ..
    } = *header;
    if last_offset_delta < 0 {
        return Err(RecordError::OffsetRange(last_offset_delta));
    }
    if count <= 0 {
        return Err(RecordError::Count(count));
    }
    if i64::from(last_offset_delta) + 1 != i64::from(count) {
        return Err(RecordError::CountMismatch {
            last_offset_delta,
            count,
        });
    }
    if header.is_control() {
        return Err(RecordError::Control);
    }
    if header.has_producer_id() && base_sequence < 0 {
        return Err(RecordError::Sequence(base_sequence));
    }
    Ok(())
}

fn walk(header: &BatchHeader, payload: &[u8], checks: &mut Checks<'_>) -> Result<(), RecordError> {
    // Offset deltas are not looked at here: the reference lets any pass.
    let mut records = Iter::new(*header, payload);
    loop {
        let before = records.clone();
        let run = records.next_run();
        if !checks.run(&run) {
            records = before;
            for _ in 0..run.count {
                checks.next(&mut records)?;
            }
        }
        if !checks.next(&mut records)? {
            return Ok(());
        }
    }
}

fn walk_compressed(
    header: &BatchHeader,
    compression: Compression,
    packed: &[u8],
    checks: &mut Checks<'_>,
) -> Result<(), RecordError> {
    let count = header.record_count;
    let total = count.cast_unsigned();
    let mut outlines = Outlines::new(compression.inflater(packed, checks.rules.inflate)?);
    let mut consecutive = true;
    while checks.seen < total {
        let first = checks.seen;
        let (run, before) = outlines.next_run(total - first, first);
        consecutive &= run.is_consecutive;
        let mut singly = 1;
        if !checks.run(&run) {
            outlines.rewind(&before);
            singly += run.count;
        }
        for _ in 0..singly.min(total - checks.seen) {
            let outline = outlines.next()?.ok_or(RecordError::MissingRecords {
                found: checks.seen,
                count,
            })?;
            consecutive &= outline.offset_delta.cast_unsigned() == checks.seen;
            checks.record(outline.timestamp_delta, outline.has_key);
        }
    }
    if !outlines.at_end()? {
        return Err(RecordError::BytesLeft(count));
    }
    if !consecutive && checks.rejected.is_empty() {
        return Err(RecordError::OffsetDeltas);
    }
    Ok(())
}

/// The rules that a topic has for records, and what the walk has found.
struct Checks<'a> {
    header: &'a BatchHeader,
    rules: &'a Rules,
    earliest: i64,
    latest: i64,
    max_timestamp: Millis,
    seen: u32,
    rejected: Vec<RejectedRecord>,
}

impl<'a> Checks<'a> {
    fn new(header: &'a BatchHeader, rules: &'a Rules) -> Self {
        Self {
            header,
            rules,
            earliest: rules.now.0.saturating_sub(rules.timestamp_before_max.0),
            latest: rules.now.0.saturating_add(rules.timestamp_after_max.0),
            max_timestamp: NO_TIMESTAMP,
            seen: 0,
            rejected: Vec::new(),
        }
    }

    /// Takes the whole run, unless a record in it may have to be rejected.
    fn run(&mut self, run: &Run) -> bool {
        let time = |delta| self.header.base_timestamp.0.checked_add(delta);
        let (Some(first), Some(last)) =
            (time(run.timestamp_delta_min), time(run.timestamp_delta_max))
        else {
            return false;
        };
        let fits = match self.rules.timestamp_type {
            TimestampType::CreateTime => self.earliest <= first && last <= self.latest,
            TimestampType::LogAppendTime => true,
        };
        let is_taken = self.header.timestamp_type() == TimestampType::CreateTime
            && fits
            && (run.all_have_keys || !self.rules.compacted);
        if is_taken {
            self.max_timestamp = self.max_timestamp.max(Millis(last));
            self.seen += run.count;
        }
        is_taken
    }

    /// The next record; false where there is none.
    fn next(&mut self, records: &mut Iter<'_>) -> Result<bool, RecordError> {
        let outline = records.next_outline()?;
        if let Some(outline) = &outline {
            self.record(outline.timestamp_delta, outline.has_key);
        }
        Ok(outline.is_some())
    }

    fn record(&mut self, timestamp_delta: i64, has_key: bool) {
        let timestamp = record_timestamp(self.header, timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        if let Some(reason) = self.objection(timestamp, has_key) {
            self.reject(reason);
        }
        self.seen += 1;
    }

    #[cold]
    fn reject(&mut self, reason: RejectReason) {
        if self.rejected.len() < REJECTED_MAX {
            self.rejected.push(RejectedRecord {
                index: self.seen,
                reason,
            });
        }
    }

    fn objection(&self, timestamp: Millis, has_key: bool) -> Option<RejectReason> {
        if self.rules.compacted && !has_key {
            return Some(RejectReason::NoKey);
        }
        if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            let (earliest, latest) = (self.earliest, self.latest);
            let fits = (earliest..=latest).contains(&timestamp.0);
            return (!fits).then_some(RejectReason::Timestamp {
                timestamp: timestamp.0,
                earliest,
                latest,
            });
        }
        (self.header.timestamp_type() == TimestampType::LogAppendTime)
            .then_some(RejectReason::TimestampType)
    }

    fn finish(self) -> Result<Millis, RecordError> {
        if !self.rejected.is_empty() {
            return Err(RecordError::Rejected(self.rejected));
        }
        Ok(match self.rules.timestamp_type {
            TimestampType::CreateTime => self.max_timestamp,
            TimestampType::LogAppendTime => self.rules.now,
        })
    }
}
