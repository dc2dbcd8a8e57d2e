//! Beginning a pass, and putting a cleaned segment in the place of those it was made from.
//!
//! ```text
//! 0  <base>.*.cleaned                                    synced, with their names
//! 1  <base>.*.cleaned → .swap, the log first             then the directory is synced: from here on the swap is finished,
//! 2  the old segments' files → .deleted, oldest first    then the directory is synced      whatever happens
//! 3  <base>.log.swap → <base>.log                        then the directory is synced: an index beside it is the new one
//! 4  the other <base>.*.swap → <base>.*                  the next flush syncs it; until then opening does this again
//! ```

use std::collections::BTreeMap;

use ottla_protocol::types::{Millis, Offset, ProducerId};

use super::cleanable::{Cleanable, CompactionConfig};
use super::errors::CleaningError;
use super::pass::{CleaningJob, LastOfProducer};
use super::sink::CleanedSegment;
use super::source::SourceSegment;
use crate::api::{DeleteReason, DeletedSegment};
use crate::disk::{Context, DiskError, remove_if_there};
use crate::errors::ReadError;
use crate::log::Log;
use crate::names;
use crate::segment::Segment;

impl Log {
    /// What a pass over everything below `cleanable.end` needs; nothing is touched yet. `producers` are those that are
    /// still known.
    pub fn start_cleaning(
        &self,
        cleanable: &Cleanable,
        config: CompactionConfig,
        producers: BTreeMap<ProducerId, LastOfProducer>,
        now: Millis,
    ) -> Result<CleaningJob, CleaningError> {
        let active = self.segments.len() - 1;
        let segments: Vec<SourceSegment> = self.segments[..active]
            .iter()
            .enumerate()
            .map(|(i, s)| self.source(i, s))
            .filter(|s| s.end <= cleanable.end)
            .collect();
        let end = segments.last().map_or(cleanable.first_dirty, |s| s.end);
        let first_dirty = cleanable.first_dirty;
        let mut first_dirty_position = 0;
        let first = segments.partition_point(|s| s.end <= first_dirty);
        if let Some(segment) = segments.get(first)
            && segment.base < first_dirty
        {
            first_dirty_position = match self.locate_in(first, first_dirty, None) {
                Ok(found) => found.map_or(segment.size, |f| f.position),
                Err(ReadError::Corrupt(damage)) => return Err(damage.into()),
                Err(ReadError::Disk(e)) => return Err(e.into()),
                Err(ReadError::OutOfRange { .. }) => 0,
            };
        }
        Ok(CleaningJob {
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            log_config: self.config.clone(),
            config,
            segments,
            first_dirty,
            end,
            first_dirty_position,
            producers,
            truncations: self.flush.truncations(),
            now,
        })
    }

    /// Puts a cleaned segment in the place of those it was made from, durably; readers that hold the old ones go on
    /// undisturbed. The caller removes those once their time has come.
    ///
    /// After an error the log is as it was, unless that is `HalfSwapped`. `LogChanged`: some of them have gone meanwhile, and
    /// the pass is to be given up.
    pub fn swap_in(
        &mut self,
        mut cleaned: CleanedSegment,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, CleaningError> {
        let Some(first) = self.position_of(&cleaned) else {
            return Err(CleaningError::LogChanged);
        };
        self.remove_strays(&cleaned)?;
        if let Err(e) = cleaned.rename(names::CLEANED, names::SWAP) {
            // In this order, so that a part of it never looks like the whole. What can't be removed now is before the next
            // swap.
            cleaned.pending = cleaned.remove_files(names::SWAP).is_ok();
            if cleaned.pending {
                self.sync_folder().map_err(CleaningError::HalfSwapped)?;
            }
            return Err(e.into());
        }
        cleaned.pending = false;
        self.sync_folder()
            .and_then(|()| self.take_place(&cleaned, first, now))
            .map_err(CleaningError::HalfSwapped)
    }

    /// Steps 2 to 4. No name longer than those that go is made once they have gone, so that a full disk has room for it.
    fn take_place(
        &mut self,
        cleaned: &CleanedSegment,
        first: usize,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        let count = cleaned.sources.len();
        let mut deleted = Vec::with_capacity(count);
        for (i, source) in cleaned.sources.iter().enumerate() {
            // The state of producers before the first of them is that before the new one, too.
            let suffixes = match i {
                0 => &names::SEGMENT_FILES[..],
                _ => &crate::truncate::SUFFIXES[..],
            };
            deleted.push(DeletedSegment {
                base_offset: source.base,
                end: source.end,
                bytes: source.size,
                reason: DeleteReason::Compacted,
                remove_at: now.plus(self.config.file_delete_delay_ms),
                files: self.mark_deleted(source.base, suffixes)?,
            });
        }
        self.sync_folder()?;
        cleaned.rename_into_place(names::LOG, &mut deleted)?;
        self.sync_folder()?;
        for suffix in cleaned.suffixes.iter().filter(|s| **s != names::LOG) {
            cleaned.rename_into_place(suffix, &mut deleted)?;
        }
        if cleaned.suffixes.contains(&names::TXN_INDEX) {
            self.txn_indexes.insert(cleaned.base());
            self.txn_sums.changed(cleaned.base());
        }
        self.flush.names_changed();
        self.hints.get_mut().forget_positions();
        let new = Segment::sealed(cleaned.base(), cleaned.size);
        self.segments.splice(first..first + count, [new]);
        self.check();
        self.write_txn_sums(self.end)?;
        Ok(deleted)
    }

    fn source(&self, i: usize, segment: &Segment) -> SourceSegment {
        SourceSegment {
            base: segment.base,
            size: segment.size,
            end: self.segment_end(i),
        }
    }

    /// Where the segments are that a cleaned one was made from. None: not all of them are as they were.
    fn position_of(&self, cleaned: &CleanedSegment) -> Option<usize> {
        let base = cleaned.base();
        let first = self.segments.binary_search_by_key(&base, |s| s.base).ok()?;
        let range = first..first + cleaned.sources.len();
        let unchanged = range.end < self.segments.len()
            && self.flush.truncations() == cleaned.truncations
            && range
                .zip(&cleaned.sources)
                .all(|(i, source)| self.source(i, &self.segments[i]) == *source);
        unchanged.then_some(first)
    }

    /// Removes what an earlier swap that failed in its first step could not, and then what a pass could not. A `.cleaned`
    /// file must not be there when a swap begins: it says that the swap of what follows it is not complete.
    fn remove_strays(&self, but: &CleanedSegment) -> Result<(), DiskError> {
        let ours: Vec<_> = but
            .suffixes
            .iter()
            .map(|suffix| but.path(suffix, names::CLEANED))
            .collect();
        let entries = self.disk.list(&self.dir).during("list", &self.dir)?;
        for ending in [names::SWAP, names::CLEANED] {
            let mut strays = entries
                .iter()
                .filter(|entry| entry.name.ends_with(ending))
                .map(|entry| self.dir.join(&entry.name))
                .filter(|path| ending == names::SWAP || !ours.contains(path))
                .peekable();
            if strays.peek().is_none() {
                continue;
            }
            for path in strays {
                remove_if_there(self.disk.as_ref(), &path)?;
            }
            self.sync_folder()?;
        }
        Ok(())
    }

    pub(crate) fn sync_folder(&self) -> Result<(), DiskError> {
        self.disk
            .sync_dir(&self.dir)
            .during("sync directory", &self.dir)
    }
}

impl CleanedSegment {
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut suffixes = self.suffixes.iter();
        suffixes.try_for_each(|suffix| self.rename_one(suffix, from, to))
    }

    fn rename_one(&self, suffix: &str, from: &str, to: &str) -> Result<(), DiskError> {
        let (from, to) = (self.path(suffix, from), self.path(suffix, to));
        self.disk.rename(&from, &to).during("rename", &from)
    }

    /// Where even a shorter name finds no room, what waits for its removal makes some.
    fn rename_into_place(
        &self,
        suffix: &str,
        deleted: &mut [DeletedSegment],
    ) -> Result<(), DiskError> {
        match self.rename_one(suffix, names::SWAP, "") {
            Err(e) if e.is_full() => {
                for path in deleted.iter_mut().flat_map(|old| old.files.drain(..)) {
                    remove_if_there(self.disk.as_ref(), &path)?;
                }
                self.rename_one(suffix, names::SWAP, "")
            }
            other => other,
        }
    }

    /// First offset that may be in it, and the one behind its last.
    #[must_use]
    pub fn range(&self) -> (Offset, Offset) {
        let last = self.sources[self.sources.len() - 1];
        (self.base(), last.end)
    }
}
