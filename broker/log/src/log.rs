//! One partition's log on one disk: an ordered run of segments, the last of which is active.
//!
//! Always: start ≤ flushed_end ≤ end, and segment n's end is segment n+1's base.
//! Owns: appending and rolling here; opening (`recovery`), reading (`read`, `times`), flushing (`flush`), truncation
//! (`truncate`) and retention (`retention`) in their files.
//! Not here: high watermark, leadership, locks, clocks. The caller has `&mut Log` and passes `now`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use parking_lot::Mutex;

use crate::api::{Appended, Offsets, Timestamps};
use crate::config::LogConfig;
use crate::disk::{
    Context, DiskError, DiskFile, OpenMode, SharedDisk, remove_if_there, write_full,
};
use crate::epochs::LeaderEpochs;
use crate::errors::AppendError;
use crate::flush::FlushState;
pub use crate::flush::{FlushTicket, Flushed};
use crate::hints::Hints;
use crate::index::{Entry, OffsetEntry, PENDING_MAX, Place, SparseIndex, TimeEntry};
use crate::names;
use crate::record_set::{Survey, headers, patch, survey};
use crate::segment::{Known, Segment};
use crate::txn_sums::KeptSums;

/// A segment's positions and lengths are 31 bit numbers on disk.
pub(crate) const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;
/// New index entries are not written more often than this, except in whole blocks: who looks at the files of a log that is
/// open finds them complete but for the last moments.
const INDEX_WRITTEN_EVERY: Millis = Millis(5000);
/// Of pages that nobody ever writes to, so that they take no memory.
static ZEROS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; 256 << 10]);
/// Blocks are not reserved for a segment before it is this large.
const RESERVE_FROM: u64 = 64 << 10;

#[derive(Debug)]
pub struct Log {
    pub(crate) disk: SharedDisk,
    pub(crate) dir: PathBuf,
    pub(crate) config: Arc<LogConfig>,
    /// Never empty, bases rise; the last is active.
    pub(crate) segments: Vec<Segment>,
    pub(crate) active: Active,
    pub(crate) start: Offset,
    pub(crate) end: Offset,
    pub(crate) flush: FlushState,
    pub(crate) epochs: LeaderEpochs,
    /// Producer snapshots that were in the folder when it was opened.
    pub(crate) snapshots: Vec<Offset>,
    /// Segments that have a transaction index: few logs have any.
    pub(crate) txn_indexes: BTreeSet<Offset>,
    /// No aborted transaction has its marker here or behind; there may be none before it either.
    pub(crate) aborted_end: Offset,
    pub(crate) txn_sums: KeptSums,
    pub(crate) hints: Mutex<Hints>,
}

/// What only the active segment has.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) since_entry: u64,
    /// End of the blocks that were reserved ahead.
    pub(crate) reserved_end: u64,
    /// Up to here zeros were written ahead. `reserved_end` is not before it.
    pub(crate) zeroed_end: u64,
    /// Length that the file was given ahead.
    pub(crate) preallocated_end: u64,
    /// When the segment was begun or opened; its age where its records have no timestamps.
    pub(crate) created: Millis,
    /// By how much earlier than `segment.ms` the segment is sealed, so that segments begun together don't all roll
    /// together.
    pub(crate) roll_jitter: Millis,
    /// Largest timestamp of the first append: what the segment's age is counted from.
    pub(crate) first_timestamp: Known<Millis>,
    /// A failed append left bytes behind the end that could not be cut yet.
    pub(crate) needs_trim: bool,
    /// A roll to here failed half way: its files would hide what is appended next.
    pub(crate) failed_roll: Option<Offset>,
    /// The index files are not, or not durably, what they will have to be once the segment is sealed.
    pub(crate) index_dirty: bool,
    /// When entries were last written while the segment grows.
    pub(crate) index_written: Option<Millis>,
}

impl Active {
    pub(crate) const fn new(created: Millis) -> Self {
        Self {
            since_entry: 0,
            reserved_end: 0,
            zeroed_end: 0,
            preallocated_end: 0,
            created,
            roll_jitter: Millis(0),
            first_timestamp: Known::Known(None),
            needs_trim: false,
            failed_roll: None,
            index_dirty: false,
            index_written: None,
        }
    }

    /// The file ends with its last batch, and no blocks are reserved behind it.
    pub(crate) const fn nothing_ahead(&mut self) {
        self.reserved_end = 0;
        self.zeroed_end = 0;
        self.preallocated_end = 0;
    }
}

impl Log {
    #[must_use]
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    /// Draws the active segment's jitter from a random number, as the configuration allows. The caller does so for each
    /// segment that becomes active: the log has no randomness of its own.
    pub fn set_roll_jitter(&mut self, random: u32) {
        let most = self.config.segment_jitter_ms.min(self.config.segment_ms);
        self.active.roll_jitter = Millis(i64::from(random).checked_rem(most.0).unwrap_or(0));
    }

    #[must_use]
    pub fn disk(&self) -> &SharedDisk {
        &self.disk
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// First offset that can be read.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// Everything below survives a power cut; what goes into the recovery-point checkpoint.
    #[must_use]
    pub fn flushed_end(&self) -> Offset {
        self.flush.end
    }

    /// Offset of the next record.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Bytes of all segments, without indexes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.size).sum()
    }

    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    #[must_use]
    pub fn active_base(&self) -> Offset {
        self.active_segment().base
    }

    #[must_use]
    pub fn epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Offsets of the producer snapshots that were in the folder when the log was opened, rising.
    #[must_use]
    pub fn producer_snapshots(&self) -> &[Offset] {
        &self.snapshots
    }

    /// A leader begins an epoch here although it has written nothing in it yet.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        if self.epochs.assign(epoch, self.end) {
            self.flush.epochs_changed();
        }
    }

    /// Appends one or more whole batches that the caller has validated, with one write. Offsets, epoch and append time
    /// are put into `record_set` in place. After an error the log is as it was.
    pub fn append(
        &mut self,
        record_set: &mut [u8],
        offsets: Offsets,
        timestamps: Timestamps,
        now: Millis,
    ) -> Result<Appended, AppendError> {
        let bytes = record_set.len() as u64;
        let segment_bytes = self.config.segment_bytes.min(SEGMENT_BYTES_MAX);
        if bytes > segment_bytes {
            return Err(AppendError::LargerThanSegment {
                bytes,
                segment_bytes,
            });
        }
        let mut survey = survey(record_set, offsets, self.end)?;
        if timestamps == Timestamps::LogAppend {
            survey.max_timestamp = now;
        }
        self.trim_left_overs()?;
        let roll = self.should_roll(bytes, &survey, now)?;
        if roll {
            self.roll_to(survey.first_offset, now)?;
        }
        patch(record_set, offsets, timestamps, self.end, now);
        self.write(record_set)?;
        self.take_note(record_set, survey.max_timestamp);
        self.write_index_entries(now);
        self.flush.appended(now);
        self.check();
        Ok(Appended {
            base_offset: survey.first_offset,
            last_offset: survey.last_offset,
            log_append_time: (timestamps == Timestamps::LogAppend).then_some(now),
            rolled: roll.then_some(survey.first_offset),
        })
    }

    /// Begins a new segment at the end; false when the active one is empty.
    pub fn roll(&mut self, now: Millis) -> Result<bool, DiskError> {
        if self.active_segment().size == 0 {
            return Ok(false);
        }
        self.trim_left_overs()?;
        self.roll_to(self.end, now)?;
        self.check();
        Ok(true)
    }

    pub(crate) fn active_segment(&self) -> &Segment {
        self.segments
            .last()
            .expect("a log always has an active segment")
    }

    pub(crate) fn active_segment_mut(&mut self) -> &mut Segment {
        self.segments
            .last_mut()
            .expect("a log always has an active segment")
    }

    pub(crate) fn place(&self, base: Offset) -> Place<'_> {
        Place {
            disk: self.disk.as_ref(),
            dir: &self.dir,
            base,
        }
    }

    /// Exclusive end of a segment's offsets.
    pub(crate) fn segment_end(&self, i: usize) -> Offset {
        self.segments.get(i + 1).map_or(self.end, |next| next.base)
    }

    /// The segment that an offset belongs to.
    pub(crate) fn segment_of(&self, offset: Offset) -> usize {
        self.segments
            .partition_point(|s| s.base <= offset)
            .saturating_sub(1)
    }

    /// The module header's promises, in release builds too: going on with wrong offsets is worse than stopping.
    pub(crate) fn check(&self) {
        assert!(
            self.start <= self.flush.end,
            "start {} > flushed {}",
            self.start,
            self.flush.end
        );
        assert!(
            self.flush.end <= self.end,
            "flushed {} > end {}",
            self.flush.end,
            self.end
        );
        assert!(
            self.active_segment().base <= self.end,
            "the active segment begins behind the end"
        );
        if let [.., before, active] = &self.segments[..] {
            assert!(
                before.base < active.base,
                "segments {} and {} overlap",
                before.base,
                active.base
            );
        }
    }

    /// Takes away what a failed append left behind the end, and a failed roll in the folder, so that nothing can take it
    /// for a part of the log.
    pub(crate) fn trim_left_overs(&mut self) -> Result<(), DiskError> {
        if let Some(base) = self.active.failed_roll {
            remove_files(&self.disk, &self.dir, base)?;
            self.active.failed_roll = None;
        }
        if !self.active.needs_trim {
            return Ok(());
        }
        let segment = self.active_segment();
        let place = self.place(segment.base);
        let path = place.path(names::LOG);
        segment
            .file(place)?
            .set_len(segment.size)
            .during("cut", &path)?;
        self.active.needs_trim = false;
        Ok(())
    }

    fn should_roll(&mut self, bytes: u64, survey: &Survey, now: Millis) -> Result<bool, DiskError> {
        let config = &self.config;
        let segment = self.active_segment();
        if survey.last_offset.since(segment.base) > i64::from(i32::MAX) {
            return Ok(true);
        }
        if segment.size == 0 {
            return Ok(false);
        }
        let index_bytes = config.segment_index_bytes as usize;
        let index_full = segment.offsets.entries() >= index_bytes / OffsetEntry::SIZE
            || segment.times.entries() + 1 >= index_bytes / TimeEntry::SIZE;
        if segment.size + bytes > config.segment_bytes.min(SEGMENT_BYTES_MAX) || index_full {
            return Ok(true);
        }
        let roll_ms = config.segment_ms.0 - self.active.roll_jitter.0;
        let waited = match self.first_timestamp()? {
            Some(first) if survey.max_timestamp.0 >= 0 => {
                survey.max_timestamp.0.saturating_sub(first.0)
            }
            _ => now.0.saturating_sub(self.active.created.0),
        };
        Ok(waited > roll_ms)
    }

    /// Largest timestamp of the active segment's first batch.
    fn first_timestamp(&mut self) -> Result<Option<Millis>, DiskError> {
        if let Known::Known(known) = self.active.first_timestamp {
            return Ok(known);
        }
        let segment = self.active_segment();
        let place = self.place(segment.base);
        let mut header = [0; BATCH_OVERHEAD];
        let file = segment.file(place)?;
        let read = crate::disk::read_full(file.as_ref(), &mut header, 0)
            .during("read", &place.path(names::LOG))?;
        let first = BatchHeader::read(&header[..read])
            .ok()
            .map(|h| h.max_timestamp);
        let first = first.filter(|t| t.0 >= 0);
        self.active.first_timestamp = Known::Known(first);
        Ok(first)
    }

    /// Seals the active segment and begins one at `base`. Whatever fails, the active segment stays usable.
    pub(crate) fn roll_to(&mut self, base: Offset, now: Millis) -> Result<(), DiskError> {
        assert!(
            base > self.active_segment().base,
            "a roll begins behind the active segment's base"
        );
        self.settle_active()?;
        if self.flush.end == self.end {
            // No flush will come by this segment again, and recovery will not look it over.
            self.sync_active_index()?;
        }
        self.active.failed_roll = Some(base);
        self.create_active(base)?;
        let sealed = self.active_segment_mut();
        sealed.offsets = SparseIndex::sealed();
        sealed.times = SparseIndex::sealed();
        let sealed_base = sealed.base;
        if let Some(evicted) = self.hints.get_mut().sealed_opened(sealed_base) {
            self.release_segment(evicted);
        }
        self.segments.push(Segment::active(base));
        self.active = self.new_active(now);
        self.flush.names_changed();
        self.end = self.end.max(base);
        Ok(())
    }

    /// The files of a segment to append to.
    pub(crate) fn create_active(&self, base: Offset) -> Result<(), DiskError> {
        create_files(&self.disk, &self.dir, base)?;
        if self.config.preallocate {
            let path = names::segment_file(&self.dir, base, names::LOG);
            let file = self.disk.open(&path, OpenMode::ReadWrite);
            let file = file.during("open", &path)?;
            file.set_len(self.preallocated_bytes())
                .during("preallocate", &path)?;
        }
        Ok(())
    }

    /// What is known of a segment that `create_active` has made.
    pub(crate) fn new_active(&self, now: Millis) -> Active {
        let mut active = Active::new(now);
        if self.config.preallocate {
            // Not reserved, but to be cut off all the same.
            active.preallocated_end = self.preallocated_bytes();
        }
        active
    }

    fn preallocated_bytes(&self) -> u64 {
        self.config.segment_bytes.min(SEGMENT_BYTES_MAX)
    }

    /// Writes the active segment's indexes and gives back reserved blocks.
    pub(crate) fn settle_active(&mut self) -> Result<(), DiskError> {
        let Self {
            disk,
            dir,
            segments,
            active,
            ..
        } = self;
        let segment = segments
            .last_mut()
            .expect("a log always has an active segment");
        let place = Place {
            disk: disk.as_ref(),
            dir,
            base: segment.base,
        };
        segment.push_time_entry();
        segment.offsets.write(place)?;
        segment.times.write(place)?;
        if active.reserved_end.max(active.preallocated_end) > segment.size {
            segment
                .file(place)?
                .set_len(segment.size)
                .during("trim", &place.path(names::LOG))?;
        }
        active.nothing_ahead();
        Ok(())
    }

    /// Makes what `settle_active` wrote durable.
    pub(crate) fn sync_active_index(&mut self) -> Result<(), DiskError> {
        if self.active.index_dirty {
            self.place(self.active_segment().base).sync_indexes()?;
            self.active.index_dirty = false;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let segment = self.active_segment();
        let place = self.place(segment.base);
        let (position, end) = (segment.size, segment.size + bytes.len() as u64);
        let file = segment.file(place)?;
        if end > self.active.reserved_end && self.config.reserve_bytes > 0 && end >= RESERVE_FROM {
            let room = self.config.segment_bytes.saturating_sub(end);
            let ahead = self.config.reserve_bytes.min(end).min(room);
            // A disk that is nearly full or can't reserve is no reason to refuse the append itself.
            let reserved = file.reserve(position, end + ahead - position);
            self.active.reserved_end = if reserved.is_ok() { end + ahead } else { end };
        }
        self.write_zeros_ahead(file.as_ref(), position, end);
        self.active.index_dirty = true;
        let Err(e) = write_full(file.as_ref(), bytes, position) else {
            return Ok(());
        };
        self.active.needs_trim = file.set_len(position).is_err();
        self.active.nothing_ahead();
        Err(e).during(
            "append to",
            &self.place(self.active_segment().base).path(names::LOG),
        )
    }

    /// Before an append from `position` to `end`. See [`ZeroAhead`].
    fn write_zeros_ahead(&mut self, file: &dyn DiskFile, position: u64, end: u64) {
        let Some(ahead) = self.config.zero_ahead else {
            return;
        };
        let left = self.active.zeroed_end.saturating_sub(end);
        let is_long = end - position >= ahead.bytes;
        // A few zeros could be the beginning of a batch, and recovery would tell of one that was torn.
        let few = LOG_OVERHEAD as u64;
        if position < ahead.from_bytes || left >= few || (left == 0 && is_long) {
            return;
        }
        let from = position.max(self.active.zeroed_end);
        let to = (end + few).next_multiple_of(ahead.bytes);
        let mut at = from;
        while at < to {
            let block = (to - at).min(ZEROS.len() as u64);
            // No reason to refuse the append, which may fit where these don't.
            let zeros = ZEROS.get(..usize::try_from(block).unwrap_or(0));
            if write_full(file, zeros.unwrap_or_default(), at).is_err() {
                break;
            }
            at += block;
        }
        self.active.zeroed_end = to;
        // To be cut off like reserved blocks.
        self.active.reserved_end = self.active.reserved_end.max(to);
    }

    /// The batches are in the file: index them, move the end, note epochs.
    fn take_note(&mut self, record_set: &[u8], max_timestamp: Millis) {
        let interval = self.config.index_interval_bytes;
        let segment = self
            .segments
            .last_mut()
            .expect("a log always has an active segment");
        if segment.size == 0 && max_timestamp.0 >= 0 {
            self.active.first_timestamp = Known::Known(Some(max_timestamp));
        }
        for header in headers(record_set) {
            segment.index_batch(
                segment.size,
                &header,
                &mut self.active.since_entry,
                interval,
            );
            segment.size += header.size_in_bytes() as u64;
            let epoch = header.partition_leader_epoch;
            if self.epochs.latest() != Some(epoch) && self.epochs.assign(epoch, header.base_offset)
            {
                self.flush.epochs_changed();
            }
            self.end = header.next_offset();
        }
    }

    fn write_index_entries(&mut self, now: Millis) {
        let segment = self
            .segments
            .last_mut()
            .expect("a log always has an active segment");
        let pending = segment.offsets.pending();
        let is_old = |written: Millis| now.0.saturating_sub(written.0) >= INDEX_WRITTEN_EVERY.0;
        let is_due = pending > 0 && self.active.index_written.is_none_or(is_old);
        if !is_due && pending < PENDING_MAX {
            return;
        }
        self.active.index_written = Some(now);
        let place = Place {
            disk: self.disk.as_ref(),
            dir: &self.dir,
            base: segment.base,
        };
        // Derived data: what can't be written now stays in memory and is written with the next block.
        let _ = segment
            .offsets
            .write(place)
            .and_then(|()| segment.times.write(place));
    }

    pub(crate) fn release_segment(&self, base: Offset) {
        if let Ok(i) = self.segments.binary_search_by_key(&base, |s| s.base) {
            self.segments[i].release();
        }
    }

    /// Lets go of file descriptors and of what can be had again from disk. Cheap to call on an idle log; does nothing
    /// to one that still has something to flush.
    pub fn release_files(&mut self) -> Result<(), DiskError> {
        if self.flush.end < self.end || !self.segments.iter().any(Segment::is_open) {
            return Ok(());
        }
        let preallocated_end = std::mem::take(&mut self.active.preallocated_end);
        if self.active_segment().size < preallocated_end {
            // The blocks go with the next roll or close; the length stays until then.
            self.active.reserved_end = 0;
        }
        self.settle_active()?;
        self.active.preallocated_end = preallocated_end;
        self.segments.iter().for_each(Segment::release);
        *self.hints.get_mut() = Hints::default();
        Ok(())
    }

    /// Closes all files and nothing else; what comes next opens them again.
    ///
    /// # Panics
    /// If something is not flushed: whether it was written back well is told to the descriptors that wrote it.
    pub fn close_files(&mut self) {
        assert!(
            self.flush.end == self.end,
            "files of a log that is not flushed"
        );
        self.segments.iter().for_each(Segment::release);
        self.hints.get_mut().forget_sealed();
    }

    /// How many descriptors the log holds.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.segments.iter().filter(|s| s.is_open()).count()
    }
}

pub(crate) fn create_files(disk: &SharedDisk, dir: &Path, base: Offset) -> Result<(), DiskError> {
    for suffix in [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX] {
        let path = names::segment_file(dir, base, suffix);
        let file = disk.open(&path, OpenMode::Create).during("create", &path)?;
        // A roll that failed half way, or a crash, may have left one.
        if !file.is_empty().during("measure", &path)? {
            file.set_len(0).during("empty", &path)?;
        }
    }
    Ok(())
}

/// Takes back what `create_files` made.
fn remove_files(disk: &SharedDisk, dir: &Path, base: Offset) -> Result<(), DiskError> {
    for suffix in [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX] {
        remove_if_there(disk.as_ref(), &names::segment_file(dir, base, suffix))?;
    }
    disk.sync_dir(dir).during("sync directory", dir)
}
