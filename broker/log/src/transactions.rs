//! What a log knows of transactions: the batches of their producers, and the index of those that were aborted.
//!
//! Always: only segments whose markers ended an aborted transaction have an index, so a log without transactions pays
//! nothing here. Not here: which transactions are aborted or open; the state of producers tells, and the caller keeps
//! it.

use ottla_protocol::records::batch::BatchHeader;
use ottla_protocol::types::Offset;

use crate::api::FileSlice;
use crate::disk::{Context, DiskError, read_file_if_there, read_full};
use crate::errors::ReadError;
use crate::log::Log;
use crate::names;
use crate::scan::{HEADER_WINDOW, Window};
use crate::txn_index::{self, AbortedTxn};

/// Control batches are a hundred bytes; a longer one is none that anybody can understand.
const CONTROL_BYTES_MAX: usize = 64 << 10;
/// 34 bytes for each aborted transaction of a segment.
const INDEX_BYTES_MAX: u64 = 1 << 30;

impl Log {
    /// Calls back with the header of every batch of a producer that ends at or after `from` and begins before `to`, in
    /// order, and with all of it where it is a control batch that is not damaged.
    pub fn scan_producers(
        &self,
        from: Offset,
        to: Offset,
        on_batch: &mut dyn FnMut(&BatchHeader, Option<&[u8]>),
    ) -> Result<(), DiskError> {
        let from = from.max(self.start);
        if from >= to.min(self.end) {
            return Ok(());
        }
        let mut failed = None;
        for i in self.segment_of(from)..self.segments.len() {
            if self.segments[i].base >= to || failed.is_some() {
                break;
            }
            self.walk_segment(i, from, &mut |located| {
                let header = &located.header;
                if header.base_offset >= to {
                    return false;
                }
                if header.last_offset() < from || !header.has_producer_id() {
                    return true;
                }
                if !header.is_control() {
                    on_batch(header, None);
                    return true;
                }
                match self.control_batch(i, located.position, header) {
                    Ok(batch) => on_batch(header, batch.as_deref()),
                    Err(error) => failed = Some(error),
                }
                failed.is_none()
            })?;
        }
        failed.map_or(Ok(()), Err)
    }

    fn control_batch(
        &self,
        i: usize,
        position: u64,
        header: &BatchHeader,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let size = header.size_in_bytes();
        if size > CONTROL_BYTES_MAX {
            return Ok(None);
        }
        let place = self.place(self.segments[i].base);
        let mut bytes = vec![0; size];
        let file = self.segments[i].file(place)?;
        let read =
            read_full(file.as_ref(), &mut bytes, position).map_err(|e| place.read_failed(e))?;
        let is_sound = read == size && ottla_protocol::records::check_batch(&bytes).is_ok();
        Ok(is_sound.then_some(bytes))
    }

    /// Exclusive end of the batches that lie whole in a slice that `read` gave.
    pub fn end_of_slice(&self, slice: &FileSlice) -> Result<Offset, DiskError> {
        let i = self.segment_of(slice.base_offset);
        let slice_end = slice.position + slice.len as u64;
        let segment = &self.segments[i];
        let place = self.place(segment.base);
        // The last batch may begin far before the slice's end, but not before the index entry below it.
        let floor = segment
            .offsets
            .floor(place, |entry| u64::from(entry.position) < slice_end)?;
        let mut window = Window::new(slice.file.as_ref(), HEADER_WINDOW);
        let bounds = segment.bounds(self.segment_end(i));
        let floor = floor.filter(|entry| u64::from(entry.position) > slice.position);
        let first = match floor {
            Some(entry) => segment.batch_of_entry(place, entry, bounds, &mut window)?,
            None => None,
        };
        let (position, next) = match (floor, first) {
            (Some(entry), Some(first)) => (u64::from(entry.position), first.base_offset),
            _ => (slice.position, slice.base_offset),
        };
        let mut end = None;
        self.walk_from(i, position, next, &mut |located| {
            let is_in = located.position < slice_end;
            if is_in {
                end = Some(located.header.next_offset());
            }
            is_in
        })?;
        Ok(end.unwrap_or(self.end))
    }

    /// Whether any transaction was aborted that the log still has something of.
    #[must_use]
    pub fn has_aborted(&self) -> bool {
        !self.txn_indexes.is_empty() || !self.txn_sums.is_empty()
    }

    /// Whether an aborted transaction may have its marker at or behind `from`. Whoever reads at the end of a log learns
    /// here, without a look at any index, that there is none to be told of.
    #[must_use]
    pub fn may_have_aborted(&self, from: Offset) -> bool {
        from < self.aborted_end
    }

    /// The aborted transactions that a reader of the batches from `from` to `end` has to know, by their markers.
    pub fn aborted_txns(&self, from: Offset, end: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        let mut found = Vec::new();
        let first = self.segments[self.segment_of(from)].base;
        for segment in self.txn_indexes.range(first..) {
            let (overlapping, go_on) =
                txn_index::lookup(self.disk.as_ref(), &self.dir, *segment, from, end)?;
            found.extend(overlapping);
            if !go_on {
                break;
            }
        }
        Ok(found)
    }

    /// Base and exclusive end of each segment, rising.
    pub fn segment_ranges(&self) -> impl DoubleEndedIterator<Item = (Offset, Offset)> + '_ {
        (0..self.segments.len()).map(|i| (self.segments[i].base, self.segment_end(i)))
    }

    /// A segment's index of aborted transactions, empty where it has none. None: what is there, or is not, is not the
    /// index that the log had.
    pub fn txn_index(&self, segment: Offset) -> Result<Option<Vec<AbortedTxn>>, DiskError> {
        let path = names::segment_file(&self.dir, segment, names::TXN_INDEX);
        let bytes = match self.txn_indexes.contains(&segment) {
            true => read_file_if_there(self.disk.as_ref(), &path, INDEX_BYTES_MAX),
            false => Ok(None),
        };
        let bytes = match bytes {
            Err(e) if e.source.kind() == std::io::ErrorKind::InvalidData => return Ok(None),
            other => other?.unwrap_or_default(),
        };
        let end = self.segment_end(self.segment_of(segment));
        let entries = txn_index::parse_sane(&bytes, segment, end);
        Ok(entries.filter(|entries| self.txn_sums.fits(segment, entries)))
    }

    /// Notes an aborted transaction whose marker was just appended, in the index of the marker's segment. Durable with
    /// the flush that makes the marker durable: the log must not be flushed between the two.
    ///
    /// # Panics
    /// If the marker is flushed already, or not on the log.
    pub fn add_aborted(&mut self, txn: AbortedTxn) -> Result<(), DiskError> {
        let marker = txn.last_offset;
        assert!(
            (self.flush.end..self.end).contains(&marker),
            "the marker at {marker} is not between {} and {}",
            self.flush.end,
            self.end
        );
        let segment = self.segments[self.segment_of(marker)].base;
        self.aborted_end = self.aborted_end.max(marker.next());
        txn_index::append(self.disk.as_ref(), &self.dir, segment, txn)?;
        if self.txn_indexes.insert(segment) {
            self.flush.names_changed();
        }
        self.flush.aborted(marker);
        Ok(())
    }

    /// Forgets the aborted transactions of a segment whose markers do not lie before `end`.
    pub(crate) fn truncate_txn_index(
        &mut self,
        segment: Offset,
        end: Offset,
    ) -> Result<(), DiskError> {
        txn_index::truncate(self.disk.as_ref(), &self.dir, segment, end)?;
        self.txn_sums.changed(segment);
        self.txn_sums.truncated(end);
        Ok(())
    }

    /// Gives a segment another index of aborted transactions, durably.
    pub fn replace_txn_index(
        &mut self,
        segment: Offset,
        entries: &[AbortedTxn],
    ) -> Result<(), DiskError> {
        if let Some(last) = entries.last() {
            self.aborted_end = self.aborted_end.max(last.last_offset.next());
        }
        txn_index::replace(self.disk.as_ref(), &self.dir, segment, entries)?;
        self.txn_sums.changed(segment);
        if entries.is_empty() {
            self.txn_indexes.remove(&segment);
            let dir = &self.dir;
            return self.disk.sync_dir(dir).during("sync directory", dir);
        }
        self.txn_indexes.insert(segment);
        Ok(())
    }
}
