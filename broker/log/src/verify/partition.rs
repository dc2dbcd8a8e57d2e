//! One partition's folder, segment by segment in one pass, with everything that lies beside them.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::{BatchHeader, Records};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch};
use ottla_protocol::wire::Uuid;

use super::epochs::{EpochCheck, WrongEpoch};
use super::finding::{Finding, Kind, Severity, Stretch};
use super::index::Check;
use super::producers::{Aborted, Producers};
use super::walk::{Met, Segment};
use super::{small, snapshot};
use crate::disk::{Context, Disk, DiskError, DiskFile, OpenMode, is_zeros, read_full};
use crate::errors::Fault;
use crate::index::{OffsetEntry, Place, TimeEntry};
use crate::names;
use crate::segment::Largest;
use crate::txn_index::{self, AbortedTxn};
use crate::txn_sums::{self, TxnSums};

/// More findings in one partition are counted and not kept.
const FINDINGS_MAX: usize = 10_000;
/// A batch is read as a whole where its records are looked at. None that a broker accepts comes near.
const BATCH_MAX: usize = 256 << 20;

/// What is known of a partition from outside of its folder.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The last stop was a clean one.
    pub is_clean: bool,
    pub recovery_point: Option<Offset>,
    pub log_start: Option<Offset>,
    pub high_watermark: Option<Offset>,
    /// The cleaner has been over it.
    pub is_cleaned: bool,
    /// By the metadata.
    pub topic_id: Option<Uuid>,
}

/// What a check of a partition's folder found.
#[derive(Clone, Debug, Default)]
pub struct PartitionReport {
    pub segments: usize,
    /// Of the segments' logs.
    pub bytes: u64,
    pub batches: u64,
    /// As the batches count them.
    pub records: u64,
    pub log_start: Offset,
    pub log_end: Offset,
    pub findings: Vec<Finding>,
    /// Findings that were too many to keep.
    pub more_findings: u64,
    /// In the order of the log; for repairs.
    pub mends: Vec<Mend>,
}

/// What has to become of a stretch for the log to be whole again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    pub segment: Offset,
    /// What goes. Of no bytes: a gap.
    pub stretch: Stretch,
    /// Nothing valid follows.
    pub is_tail: bool,
    /// What stands in for its offsets.
    pub pieces: Vec<Piece>,
    /// Abort markers that lay in it, and the epochs of their producers: without them the transactions would stay open.
    pub lost_aborts: Vec<(AbortedTxn, ProducerEpoch)>,
}

/// Offsets of one leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub from: Offset,
    /// Exclusive.
    pub to: Offset,
    pub epoch: LeaderEpoch,
}

/// Everything in one folder. `deep`: records are inflated and read, too.
pub fn verify(
    disk: &dyn Disk,
    dir: &Path,
    expected: &Expected,
    deep: bool,
) -> Result<PartitionReport, DiskError> {
    let names = files(disk, dir)?;
    let mut pass = Pass::new(disk, dir, expected, deep, &names);
    let bases: Vec<Offset> = bases(&names, names::LOG);
    if bases.is_empty() {
        return Ok(pass.report);
    }
    pass.report.log_start = bases[0].max(expected.log_start.unwrap_or(bases[0]));
    pass.report.segments = bases.len();
    pass.txn_sums()?;
    for (i, base) in bases.iter().enumerate() {
        let offset_end = bases.get(i + 1).copied();
        pass.segment(*base, offset_end)?;
    }
    pass.finish()?;
    small::check_names(&names, &bases, &mut |finding| pass.found(finding));
    small::check_partition_metadata(disk, dir, expected.topic_id, &mut |f| pass.found(f))?;
    let stretches = std::mem::take(&mut pass.stretches);
    small::check_damage(disk, dir, &stretches, &mut |finding| pass.found(finding))?;
    Ok(pass.report)
}

/// Names of the files in a folder, sorted.
pub(crate) fn files(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, DiskError> {
    let entries = disk.list(dir).during("list", dir)?;
    let files = entries.into_iter().filter(|e| !e.is_dir);
    let mut names: Vec<String> = files.map(|e| e.name).collect();
    names.sort();
    Ok(names)
}

/// The offsets in the names of files of a kind, rising.
pub(crate) fn bases(names: &[String], kind: &str) -> Vec<Offset> {
    names
        .iter()
        .filter_map(|name| names::parse_segment_file(name))
        .filter(|(_, suffix)| *suffix == kind)
        .map(|(base, _)| base)
        .collect()
}

struct Pass<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    expected: &'a Expected,
    deep: bool,
    report: PartitionReport,
    epochs: EpochCheck,
    producers: Producers,
    /// Snapshots that the walk has not come to yet.
    snapshots: BTreeSet<Offset>,
    /// Stretches without valid batches, for what depends on what was in them; by segment.
    stretches: Vec<(Offset, Stretch)>,
    /// Gaps, until it is known whether the log was ever compacted.
    gaps: Vec<Finding>,
    gap_mends: Vec<Mend>,
    looks_cleaned: bool,
    /// A batch stands in for something that a repair took out.
    was_mended: bool,
    /// What the transaction indexes come to, where that is told.
    txn_sums: Option<TxnSums>,
    next: Offset,
}

/// What belongs to one segment during the walk.
struct Beside {
    offsets: Check<OffsetEntry>,
    times: Check<TimeEntry>,
    aborted: Vec<AbortedTxn>,
    /// By the markers.
    markers: Vec<Aborted>,
    /// As the reference counts, which takes batches without records in.
    largest: Option<Largest>,
    largest_of_records: Option<Largest>,
}

impl<'a> Pass<'a> {
    fn new(
        disk: &'a dyn Disk,
        dir: &'a Path,
        expected: &'a Expected,
        deep: bool,
        names: &[String],
    ) -> Self {
        Self {
            disk,
            dir,
            expected,
            deep,
            report: PartitionReport::default(),
            epochs: EpochCheck::open(disk, dir),
            producers: Producers::default(),
            snapshots: bases(names, names::PRODUCER_SNAPSHOT).into_iter().collect(),
            stretches: Vec::new(),
            gaps: Vec::new(),
            gap_mends: Vec::new(),
            was_mended: false,
            txn_sums: None,
            looks_cleaned: expected.is_cleaned,
            next: Offset::ZERO,
        }
    }

    fn txn_sums(&mut self) -> Result<(), DiskError> {
        self.txn_sums = match txn_sums::read(self.disk, self.dir)? {
            Some(Err(reason)) => {
                let kind = Kind::TxnIndexCheckpoint;
                let file = names::TXN_SUMS;
                self.found(Finding::new(Severity::Derived, kind, file, reason));
                None
            }
            Some(Ok(sums)) => Some(sums),
            None => None,
        };
        Ok(())
    }

    fn found(&mut self, finding: Finding) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(finding);
        } else {
            self.report.more_findings += 1;
        }
    }

    fn segment(&mut self, base: Offset, next_base: Option<Offset>) -> Result<(), DiskError> {
        let (disk, dir) = (self.disk, self.dir);
        let place = Place { disk, dir, base };
        let path = place.path(names::LOG);
        let file = disk.open(&path, OpenMode::Read).during("open", &path)?;
        let size = file.len().during("measure", &path)?;
        self.report.bytes += size;
        let mut beside = Beside {
            offsets: Check::open(place)?,
            times: Check::open(place)?,
            aborted: self.aborted(place)?,
            markers: Vec::new(),
            largest: None,
            largest_of_records: None,
        };
        let segment = Segment {
            path: &path,
            base,
            file: file.as_ref(),
            size,
            offset_end: next_base.unwrap_or(Offset(i64::MAX)),
            is_last: next_base.is_none(),
        };
        let end = segment.walk(&mut |met| self.on_met(met, file.as_ref(), base, &mut beside))?;
        // Between the last batch and the next segment.
        if let Some(next_base) = next_base.filter(|next_base| *next_base > end) {
            self.on_gap(base, size, end, next_base);
        }
        self.next = next_base.unwrap_or(end);
        self.settle(beside, base, next_base.is_some());
        Ok(())
    }

    fn aborted(&mut self, place: Place<'_>) -> Result<Vec<AbortedTxn>, DiskError> {
        match txn_index::read(self.disk, self.dir, place.base) {
            Ok(aborted) => {
                if let Some(sums) = &self.txn_sums
                    && !sums.fits(place.base, &aborted)
                {
                    let reason = format!("it is not the index that {} tells of", names::TXN_SUMS);
                    self.derived(Kind::TxnIndex, place.base, names::TXN_INDEX, &reason);
                }
                Ok(aborted)
            }
            Err(e) if e.source.kind() == std::io::ErrorKind::InvalidData => {
                let reason = e.source.to_string();
                self.derived(Kind::TxnIndex, place.base, names::TXN_INDEX, &reason);
                Ok(Vec::new())
            }
            Err(e) => Err(e),
        }
    }

    fn derived(&mut self, kind: Kind, at: Offset, suffix: &str, message: &str) {
        let name = format!("{:020}.{suffix}", at.0);
        let finding = Finding::new(Severity::Derived, kind, name, message);
        self.found(finding.of_segment(at));
    }

    fn damage(&mut self, kind: Kind, segment: Offset, stretch: Stretch, message: String) {
        self.in_log(Severity::Damage, kind, segment, stretch, message);
    }

    fn in_log(
        &mut self,
        severity: Severity,
        kind: Kind,
        segment: Offset,
        stretch: Stretch,
        message: String,
    ) {
        let name = format!("{:020}.{}", segment.0, names::LOG);
        let finding = Finding::new(severity, kind, name, message);
        self.found(finding.of_segment(segment).at(stretch));
    }

    fn on_gap(&mut self, segment: Offset, position: u64, from: Offset, to: Offset) {
        let name = format!("{:020}.{}", segment.0, names::LOG);
        let last = to.0 - 1;
        let message =
            format!("no batch has offsets {from} to {last}, and the log was never compacted");
        let finding = Finding::new(Severity::Damage, Kind::Gap, name, message);
        let stretch = Stretch {
            position,
            bytes: 0,
            first_offset: from,
            next_offset: to,
        };
        if self.gaps.len() < FINDINGS_MAX {
            self.gaps.push(finding.of_segment(segment).at(stretch));
            if to.0 - 1 - segment.0 <= i64::from(i32::MAX) {
                let mend = self.mend(segment, stretch, false, Vec::new());
                self.gap_mends.push(mend);
            }
        }
    }

    fn on_met(
        &mut self,
        met: Met,
        file: &dyn DiskFile,
        segment: Offset,
        beside: &mut Beside,
    ) -> Result<(), DiskError> {
        match met {
            Met::Gap { position, from, to } => self.on_gap(segment, position, from, to),
            Met::Bad { stretch, reason } => {
                let last = stretch.next_offset.0 - 1;
                let first = stretch.first_offset;
                let message = format!("offsets {first} to {last} cannot be read: {reason}");
                self.damage(Kind::Stretch, segment, stretch, message);
                self.note_stretch(segment, stretch, false, beside);
            }
            Met::Tail { stretch, reason } => {
                self.on_tail(file, segment, stretch, reason)?;
                self.note_stretch(segment, stretch, true, beside);
            }
            Met::Batch {
                position,
                header,
                found_offset,
            } => self.on_batch(position, &header, found_offset, file, segment, beside)?,
        }
        Ok(())
    }

    /// Whether zeros at the end should have been batches is another check's to say, by what was flushed.
    fn on_tail(
        &mut self,
        file: &dyn DiskFile,
        segment: Offset,
        stretch: Stretch,
        reason: Fault,
    ) -> Result<(), DiskError> {
        let path = names::segment_file(self.dir, segment, names::LOG);
        let zeros = is_zeros(file, stretch.position).during("read", &path)?;
        let last = stretch.first_offset.0 - 1;
        let (severity, message) = match zeros {
            true => (
                Severity::Note,
                "zeros behind the last batch, which a kill leaves there".to_owned(),
            ),
            false => (
                Severity::Damage,
                format!("no valid batch follows offset {last}: {reason}"),
            ),
        };
        self.in_log(severity, Kind::Tail, segment, stretch, message);
        Ok(())
    }

    fn note_stretch(
        &mut self,
        segment: Offset,
        stretch: Stretch,
        is_tail: bool,
        beside: &mut Beside,
    ) {
        self.stretches.push((segment, stretch));
        let lost = |txn: &&AbortedTxn| {
            (stretch.first_offset..stretch.next_offset).contains(&txn.last_offset)
        };
        let mut lost_aborts = Vec::new();
        for txn in beside.aborted.iter().filter(lost) {
            if let Some(producer) = self.producers.entry(txn.producer_id) {
                lost_aborts.push((*txn, producer.epoch));
            }
            self.producers.on_lost_abort(txn);
            beside.markers.push(Aborted::Known(*txn));
        }
        if self.report.mends.len() < FINDINGS_MAX {
            let mend = self.mend(segment, stretch, is_tail, lost_aborts);
            self.report.mends.push(mend);
        }
    }

    fn mend(
        &self,
        segment: Offset,
        stretch: Stretch,
        is_tail: bool,
        lost_aborts: Vec<(AbortedTxn, ProducerEpoch)>,
    ) -> Mend {
        let pieces = self
            .epochs
            .pieces(stretch.first_offset, stretch.next_offset);
        Mend {
            segment,
            stretch,
            is_tail,
            pieces,
            lost_aborts,
        }
    }

    fn on_batch(
        &mut self,
        position: u64,
        header: &BatchHeader,
        found_offset: Offset,
        file: &dyn DiskFile,
        segment: Offset,
        beside: &mut Beside,
    ) -> Result<(), DiskError> {
        let stretch = Stretch {
            position,
            bytes: header.size_in_bytes() as u64,
            first_offset: header.base_offset,
            next_offset: header.next_offset(),
        };
        if found_offset != header.base_offset {
            let right = header.base_offset;
            let message = format!("the batch says offset {found_offset}, its neighbours {right}");
            self.damage(Kind::Offset { right }, segment, stretch, message);
        }
        if let Some(wrong) = self.epochs.on_batch(header, segment, stretch) {
            self.wrong_epoch(wrong);
        }
        self.report.batches += 1;
        self.report.records += u64::try_from(header.record_count).unwrap_or(0);
        let spans = i64::from(header.last_offset_delta) + 1;
        self.looks_cleaned |= i64::from(header.record_count) < spans && header.record_count > 0
            || header.delete_horizon().is_some();
        self.was_mended |= header.record_count == 0 && !header.has_producer_id();
        if header.max_timestamp > beside.largest.map_or(Millis(-1), |l| l.timestamp) {
            beside.largest = Some(Largest {
                timestamp: header.max_timestamp,
                offset: header.last_offset(),
            });
        }
        if let Some(of) = Largest::of(header)
            && beside
                .largest_of_records
                .is_none_or(|l| of.timestamp > l.timestamp)
        {
            beside.largest_of_records = Some(of);
        }
        beside.offsets.on_batch(position, header)?;
        let largest = [beside.largest, beside.largest_of_records];
        beside.times.on_batch(header, largest)?;
        self.snapshots_before(header.base_offset)?;
        if header.is_control() && header.has_producer_id() || self.deep {
            self.look_inside(stretch, header, file, segment, beside)?;
        }
        if !header.is_control() {
            self.producers.on_batch(header);
        }
        Ok(())
    }

    fn wrong_epoch(&mut self, wrong: WrongEpoch) {
        let (found, right) = (wrong.found, wrong.right);
        let message = format!("the batch says leader epoch {found}, what is around it {right}");
        self.damage(Kind::Epoch { right }, wrong.segment, wrong.stretch, message);
    }

    fn look_inside(
        &mut self,
        stretch: Stretch,
        header: &BatchHeader,
        file: &dyn DiskFile,
        segment: Offset,
        beside: &mut Beside,
    ) -> Result<(), DiskError> {
        let size = header.size_in_bytes();
        if size > BATCH_MAX {
            let message = format!("a batch of {size} bytes; its records are not read");
            self.damage(Kind::Content, segment, stretch, message);
            return Ok(());
        }
        let path = self.dir.join(format!("{:020}.{}", segment.0, names::LOG));
        let mut bytes = vec![0; size];
        let read = read_full(file, &mut bytes, stretch.position).during("read", &path)?;
        bytes.truncate(read);
        let bytes = Bytes::from(bytes);
        if self.deep
            && let Err(reason) = records(header, &bytes)
        {
            self.damage(Kind::Content, segment, stretch, reason);
            self.note_stretch(segment, stretch, false, beside);
            return Ok(());
        }
        if header.is_control() {
            match self.producers.on_marker(header, bytes) {
                Ok(aborted) => beside.markers.extend(aborted),
                Err(()) => {
                    let message = "a control batch that cannot be understood".to_owned();
                    self.damage(Kind::Content, segment, stretch, message);
                    self.note_stretch(segment, stretch, false, beside);
                }
            }
        }
        Ok(())
    }

    /// Snapshots that tell of the log up to an offset at most.
    fn snapshots_before(&mut self, offset: Offset) -> Result<(), DiskError> {
        while let Some(at) = self.snapshots.first().copied().filter(|at| *at <= offset) {
            self.snapshots.pop_first();
            let strict = self.stretches.is_empty() && !self.was_mended && !self.looks_cleaned;
            let (disk, dir) = (self.disk, self.dir);
            if let Err(reason) = snapshot::check(disk, dir, at, &mut self.producers, strict)? {
                self.derived(
                    Kind::ProducerSnapshot,
                    at,
                    names::PRODUCER_SNAPSHOT,
                    &reason,
                );
            }
        }
        Ok(())
    }

    /// What the walk over one segment says of the files beside it.
    fn settle(&mut self, mut beside: Beside, base: Offset, is_sealed: bool) {
        beside.offsets.at_end();
        let is_complete = is_sealed || self.expected.is_clean;
        beside.times.at_end(beside.largest_of_records, is_complete);
        let problems = [
            (
                Kind::OffsetIndex,
                names::OFFSET_INDEX,
                beside.offsets.problem,
            ),
            (Kind::TimeIndex, names::TIME_INDEX, beside.times.problem),
        ];
        for (kind, suffix, problem) in problems {
            if let Some(problem) = problem {
                self.derived(kind, base, suffix, &problem);
            }
        }
        let is_exact = !self.producers.too_many && !self.looks_cleaned;
        let from = self.report.log_start;
        let was_damaged = !self.stretches.is_empty() || self.was_mended;
        if is_exact
            && let Err(reason) =
                snapshot::compare_aborted(&beside.markers, &beside.aborted, from, was_damaged)
        {
            self.derived(Kind::TxnIndex, base, names::TXN_INDEX, &reason);
        }
    }

    fn finish(&mut self) -> Result<(), DiskError> {
        let end = self.next;
        self.report.log_end = end;
        self.snapshots_before(end)?;
        for at in std::mem::take(&mut self.snapshots) {
            let message = format!("it tells of offsets behind the log's end, {end}");
            self.derived(
                Kind::ProducerSnapshot,
                at,
                names::PRODUCER_SNAPSHOT,
                &message,
            );
        }
        if !self.looks_cleaned {
            for gap in std::mem::take(&mut self.gaps) {
                self.found(gap);
            }
            self.report.mends.append(&mut self.gap_mends);
            let place = |mend: &Mend| (mend.segment, mend.stretch.position, mend.stretch.bytes);
            self.report.mends.sort_by_key(place);
        }
        let epochs = std::mem::replace(&mut self.epochs, EpochCheck::none());
        let (wrong, problem) = epochs.at_end(end);
        if let Some(wrong) = wrong {
            self.wrong_epoch(wrong);
        }
        if let Some(problem) = problem {
            let finding = Finding::new(
                Severity::Derived,
                Kind::LeaderEpochs,
                names::LEADER_EPOCHS,
                problem,
            );
            self.found(finding);
        }
        if let Some(point) = self.expected.recovery_point.filter(|point| *point > end) {
            let message =
                format!("everything before offset {point} was flushed, and the log ends at {end}");
            let finding = Finding::new(
                Severity::Damage,
                Kind::Lost,
                names::RECOVERY_POINTS,
                message,
            );
            self.found(finding);
        }
        for (name, offset) in [
            (names::HIGH_WATERMARKS, self.expected.high_watermark),
            (names::LOG_STARTS, self.expected.log_start),
        ] {
            if let Some(offset) = offset.filter(|offset| *offset > end) {
                let message = format!("it says {offset}, and the log ends at {end}");
                self.found(Finding::new(
                    Severity::Derived,
                    Kind::Checkpoint,
                    name,
                    message,
                ));
            }
        }
        Ok(())
    }
}

/// Whether a batch's records are as many as it says, in order and within its offsets.
fn records(header: &BatchHeader, batch: &Bytes) -> Result<(), String> {
    let records = Records::open(batch, InflateLimits::LENIENT).map_err(|e| e.to_string())?;
    // The offset in the batch may be wrong; that is told elsewhere.
    let base = batch_base(batch);
    let last = base.plus(i64::from(header.last_offset_delta));
    let mut next = base;
    for record in records.iter() {
        let offset = record.map_err(|e| e.to_string())?.offset;
        if offset < next || offset > last {
            return Err(format!(
                "a record has offset {offset}, out of its order or its batch"
            ));
        }
        next = offset.next();
    }
    Ok(())
}

fn batch_base(batch: &[u8]) -> Offset {
    Offset(
        batch
            .first_chunk()
            .map_or(0, |base| i64::from_be_bytes(*base)),
    )
}
