//! One pass over a log, without the log: first the keys of the dirty part go into the map, then all segments up to the
//! map's end are rewritten, a group at a time.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::records::BatchHeader;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use super::cleanable::CompactionConfig;
use super::errors::CleaningError;
use super::filter::{Filter, Looked, Outcome, Scratch};
use super::groups::{GroupLimits, Measured, group};
use super::indexing::Indexing;
use super::offset_map::OffsetMap;
use super::sink::{CleanedSegment, Sink};
use super::source::{Source, SourceSegment};
use super::transactions::Transactions;
use crate::config::LogConfig;
use crate::disk::{Context, DiskError, SharedDisk};
use crate::index::Place;
use crate::log::SEGMENT_BYTES_MAX;
use crate::{names, txn_index};

/// Told of every piece of work before it is done. It may block, which is how a limit of bytes per second is kept.
pub trait Pace {
    /// So many bytes are about to be read or written. False: the pass is to end.
    fn go_on(&mut self, bytes: u64) -> bool;
}

impl<F: FnMut(u64) -> bool> Pace for F {
    fn go_on(&mut self, bytes: u64) -> bool {
        self(bytes)
    }
}

/// What a producer that is still known wrote last. The batch stays, if only as an empty one, since after a restart it is
/// where the producer's sequence and epoch are known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastOfProducer {
    /// Last offset of its last batch of records; none: it has only written markers.
    pub last_data_offset: Option<Offset>,
    pub epoch: ProducerEpoch,
}

/// What a pass has done so far. A batch that goes unread counts with its bytes only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleaningStats {
    pub map_bytes_read: u64,
    pub map_records_read: u64,
    pub bytes_read: u64,
    pub records_read: u64,
    pub bytes_written: u64,
    pub records_written: u64,
    /// Records of the old segments that had no key and were dropped.
    pub records_without_key: u64,
}

/// Everything a pass needs of a log.
#[derive(Debug)]
pub struct CleaningJob {
    pub(super) disk: SharedDisk,
    pub(super) dir: PathBuf,
    pub(super) log_config: Arc<LogConfig>,
    pub(super) config: CompactionConfig,
    /// All below `end`.
    pub(super) segments: Vec<SourceSegment>,
    pub(super) first_dirty: Offset,
    /// Where the uncleanable part begins, which is where a segment does.
    pub(super) end: Offset,
    /// The batch that holds `first_dirty`: where in its segment it begins.
    pub(super) first_dirty_position: u64,
    pub(super) producers: BTreeMap<ProducerId, LastOfProducer>,
    pub(super) truncations: u64,
    pub(super) now: Millis,
}

/// A pass whose map is complete.
#[derive(Debug)]
pub struct CleaningPass<'m> {
    job: CleaningJob,
    map: &'m OffsetMap,
    indexed_end: Offset,
    groups: VecDeque<Vec<SourceSegment>>,
    transactions: Transactions,
    stats: CleaningStats,
    /// Segments that have a transaction index.
    indexed_txns: Vec<Offset>,
    buffer: Vec<u8>,
    scratch: Scratch,
}

impl CleaningJob {
    /// Puts the keys of the dirty part into the map, as far as it takes them, and plans the groups.
    pub fn index<'m>(
        self,
        map: &'m mut OffsetMap,
        pace: &mut dyn Pace,
    ) -> Result<CleaningPass<'m>, CleaningError> {
        // No key comes without an offset of its own.
        map.reset(u64::try_from(self.end.since(self.first_dirty)).unwrap_or(0));
        let mut indexing = Indexing::new(self.first_dirty);
        let indexed_txns = self.segments_with_txn_index()?;
        let mut buffer = Vec::new();
        for segment in self.segments.iter().filter(|s| s.end > self.first_dirty) {
            let from = segment.base.max(self.first_dirty);
            let txns = self.aborted(&indexed_txns, from, segment.end)?;
            indexing.transactions.know(txns, from);
            if !indexing.segment(&self, *segment, map, &mut buffer, pace)? {
                break;
            }
        }
        let indexed_end = indexing.end();
        let groups = self.plan(indexed_end)?;
        Ok(CleaningPass {
            map,
            indexed_end,
            groups,
            transactions: Transactions::default(),
            stats: indexing.stats,
            indexed_txns,
            buffer,
            scratch: Scratch::default(),
            job: self,
        })
    }

    pub(super) fn place(&self, base: Offset) -> Place<'_> {
        Place {
            disk: self.disk.as_ref(),
            dir: &self.dir,
            base,
        }
    }

    pub(super) fn buffer_bytes(&self) -> usize {
        self.config.io_buffer_bytes
    }

    fn plan(&self, indexed_end: Offset) -> Result<VecDeque<Vec<SourceSegment>>, DiskError> {
        let mut measured = Vec::new();
        for segment in self.segments.iter().filter(|s| s.base < indexed_end) {
            let place = self.place(segment.base);
            let len = |suffix| {
                self.disk
                    .info(&place.path(suffix))
                    .map_or(0, |info| info.len)
            };
            measured.push(Measured {
                segment: *segment,
                offset_index_bytes: len(names::OFFSET_INDEX),
                time_index_bytes: len(names::TIME_INDEX),
            });
        }
        let limits = GroupLimits {
            segment_bytes: self.log_config.segment_bytes.min(SEGMENT_BYTES_MAX),
            index_bytes: u64::from(self.log_config.segment_index_bytes),
        };
        Ok(group(measured, limits))
    }

    /// Bases of the segments that have a transaction index. One that appears later concerns nothing that is stable now.
    fn segments_with_txn_index(&self) -> Result<Vec<Offset>, DiskError> {
        let mut bases: Vec<Offset> = self
            .disk
            .list(&self.dir)
            .during("list", &self.dir)?
            .iter()
            .filter_map(|entry| names::parse_segment_file(&entry.name))
            .filter(|(_, suffix)| *suffix == names::TXN_INDEX)
            .map(|(base, _)| base)
            .collect();
        bases.sort_unstable();
        Ok(bases)
    }

    /// The aborted transactions that have records from `from` to `end`, wherever their markers are.
    fn aborted(
        &self,
        indexed: &[Offset],
        from: Offset,
        end: Offset,
    ) -> Result<Vec<txn_index::AbortedTxn>, CleaningError> {
        let first = self.segments.partition_point(|s| s.end <= from);
        let first = self.segments.get(first).map_or(self.end, |s| s.base);
        let mut found = Vec::new();
        for base in indexed.iter().filter(|base| **base >= first) {
            let entries = match txn_index::read(self.disk.as_ref(), &self.dir, *base) {
                Ok(entries) => entries,
                Err(e) if e.source.kind() == std::io::ErrorKind::InvalidData => {
                    return Err(CleaningError::TxnIndex(e));
                }
                Err(e) => return Err(e.into()),
            };
            let (some, go_on) = txn_index::overlapping(&entries, from, end);
            found.extend(some);
            if !go_on {
                break;
            }
        }
        Ok(found)
    }
}

impl CleaningPass<'_> {
    /// Everything below is clean once all of the pass has taken its place: the next checkpoint.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.indexed_end
    }

    #[must_use]
    pub fn stats(&self) -> CleaningStats {
        self.stats
    }

    /// How full the map has become, from 0 to 1.
    #[must_use]
    pub fn map_utilization(&self) -> f64 {
        self.map.utilization()
    }

    /// Rewrites the next group of segments. What it returns has to take its place (`Log::swap_in`) before the next is
    /// asked for: the older of two records of a key must not outlive the newer. None: the pass is complete.
    pub fn next_segment(
        &mut self,
        pace: &mut dyn Pace,
    ) -> Result<Option<CleanedSegment>, CleaningError> {
        let Some(sources) = self.groups.pop_front() else {
            return Ok(None);
        };
        let job = &self.job;
        let (from, end) = (sources[0].base, sources[sources.len() - 1].end);
        let txns = job.aborted(&self.indexed_txns, from, end)?;
        self.transactions.know(txns, from);
        let cleaned =
            CleanedSegment::new(job.disk.clone(), &job.dir, sources.clone(), job.truncations);
        let interval = job.log_config.index_interval_bytes;
        let mut sink = Sink::create(cleaned, interval, job.buffer_bytes())?;
        let mut modified = Millis(0);
        for segment in sources {
            self.clean_into(&mut sink, segment, pace)?;
            let path = self.job.place(segment.base).path(names::LOG);
            modified = match self.job.disk.info(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(CleaningError::LogChanged);
                }
                other => other.during("look at", &path)?.modified,
            };
        }
        Ok(Some(sink.finish(modified)?))
    }

    fn clean_into(
        &mut self,
        sink: &mut Sink,
        segment: SourceSegment,
        pace: &mut dyn Pace,
    ) -> Result<(), CleaningError> {
        let job = &self.job;
        let filter = Filter {
            map: self.map,
            indexed_end: self.indexed_end,
            end: job.end,
            producers: &job.producers,
            delete_retention_ms: job.config.delete_retention_ms,
            now: job.now,
        };
        let place = job.place(segment.base);
        let file = segment.open(place)?;
        let bytes = job.buffer_bytes();
        let buffer = &mut self.buffer;
        let mut source = Source::new(file.as_ref(), place, segment, 0, buffer, bytes);
        while let Some(header) = source.advance()? {
            let size = header.size_in_bytes() as u64;
            go_on(pace, size)?;
            self.stats.bytes_read += size;
            let batch = Looked {
                header: &header,
                bytes: source.bytes(),
                segment: segment.base,
                is_last: segment.end == job.end && source.is_last(),
            };
            let (outcome, entry) = filter.apply(
                batch,
                &mut self.transactions,
                &mut self.scratch,
                &mut self.stats,
            )?;
            if let Some(txn) = entry {
                sink.aborted(txn);
            }
            let anew;
            let (header, stays) = match outcome {
                Outcome::Gone => continue,
                Outcome::AsItWas => (header, batch.bytes),
                Outcome::Anew(bytes) => {
                    anew = bytes;
                    let read = BatchHeader::read(&anew).map_err(|e| batch.unreadable(e))?;
                    (read, &anew[..])
                }
            };
            go_on(pace, stays.len() as u64)?;
            self.stats.bytes_written += stays.len() as u64;
            sink.append(&header, stays)?;
        }
        Ok(())
    }
}

pub(super) fn go_on(pace: &mut dyn Pace, bytes: u64) -> Result<(), CleaningError> {
    if pace.go_on(bytes) {
        Ok(())
    } else {
        Err(CleaningError::Stopped)
    }
}
