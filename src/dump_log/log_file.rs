//! Segments, and snapshots of the metadata log: a line for each batch and, where it is asked for, one for each record.
//!
//! Batches are taken as the reference takes them: by their length alone, with little doubt, so that damaged files show
//! as much as there.

use std::io::Write as _;

use bytes::Bytes;
use ottla_cli::progress::Progress;
use ottla_cli::{Context, Failure, Stop};
use ottla_log::disk::{DiskFile, SharedFile, is_zeros, read_full};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::batch::{
    Attributes, BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, MAGIC, NO_SEQUENCE,
};

use super::java::{JavaFile, parse_long};
use super::record::{self, Legacy};
use super::{Findings, Plan};

/// As far as the magic byte; a file that has no more left than that is through.
const HEADER_UP_TO_MAGIC: u64 = 17;
/// No message of any format is shorter.
const LENGTH_MIN: i32 = 14;
const FIRST_MAGIC_WITH_BATCHES: i8 = 2;
const CRC_COVERS_FROM: usize = 21;
/// A batch whose records are to be shown is held in memory. None that a broker accepts comes near.
const BATCH_MAX: usize = 256 << 20;
const WINDOW: usize = 256 << 10;

pub(super) fn dump(
    file: &JavaFile,
    plan: &Plan,
    findings: &mut Findings,
    cx: &mut Context,
) -> Result<(), Stop> {
    announce(file, cx)?;
    let (handle, end) = open(file, plan)?;
    let mut batches = Batches::new(handle.as_ref(), file, 0, end);
    let progress = progress(end, cx);
    let mut last_offset = -1;
    while let Some(batch) = batches.next()? {
        progress.set(batch.position);
        if batch.magic < FIRST_MAGIC_WITH_BATCHES {
            let legacy = Legacy::read(&mut batches, &batch)?;
            legacy.write_batch(batch.position, cx)?;
            if plan.shows_records {
                note_gap(file, &mut last_offset, batch.offset, findings);
                legacy.write_record(plan, cx)?;
            }
            continue;
        }
        let header = batches.header(&batch)?;
        write_batch(&mut batches, &batch, &header, cx)?;
        if plan.shows_records {
            let bytes = batches.whole(&batch)?;
            record::write_all(&header, bytes, plan, cx, &mut |offset| {
                note_gap(file, &mut last_offset, offset, findings);
            })?;
        }
    }
    let trailing = end - batches.position;
    if trailing > 0 && plan.bytes_max == i32::MAX {
        let name = file.name();
        writeln!(
            cx.out,
            "Found {trailing} invalid bytes at the end of {name}"
        )?;
    }
    Ok(())
}

/// The file, and how much of it is to be looked at.
pub(super) fn open(file: &JavaFile, plan: &Plan) -> Result<(SharedFile, u64), Stop> {
    let (handle, len) = file.open_log()?;
    let Ok(bytes_max) = u64::try_from(plan.bytes_max) else {
        return Err(Stop::failed(format!("Invalid size: {}", plan.bytes_max)));
    };
    Ok((handle, len.min(bytes_max)))
}

/// Where what is shown does not pass before the same eyes.
pub(super) fn progress(end: u64, cx: &Context) -> Progress {
    Progress::of_bytes(Some(end).filter(|_| !cx.stdout_is_terminal), cx)
}

/// What the name says about the file.
fn announce(file: &JavaFile, cx: &mut Context) -> Result<(), Stop> {
    let name = file.name();
    if name.ends_with(".log") {
        let start = file.base_offset()?;
        writeln!(cx.out, "Log starting offset: {start}")?;
    } else if name == "bootstrap.checkpoint" {
        writeln!(cx.out, "KRaft bootstrap snapshot")?;
    } else {
        let part = |from: usize, to: usize| {
            name.get(from..to).ok_or_else(|| {
                Stop::from(
                    Failure::new(format!("{file}: the name is not that of a snapshot")).hint(
                        "It has an offset and an epoch: 00000000000000000042-0000000001.checkpoint.",
                    ),
                )
            })
        };
        let (offset, epoch) = (parse_long(part(0, 20)?)?, parse_long(part(21, 31)?)?);
        writeln!(cx.out, "Snapshot end offset: {offset}, epoch: {epoch}")?;
    }
    Ok(())
}

pub(super) fn note_gap(file: &JavaFile, last: &mut i64, offset: i64, findings: &mut Findings) {
    if offset != last.wrapping_add(1) {
        let gaps = findings.gaps.of(file);
        if gaps.len() < super::FINDINGS_MAX {
            gaps.insert(*last, offset);
        }
    }
    *last = offset;
}

fn write_batch(
    batches: &mut Batches<'_>,
    batch: &Found,
    header: &BatchHeader,
    cx: &mut Context,
) -> Result<(), Stop> {
    let horizon = match header.delete_horizon() {
        Some(time) => format!("OptionalLong[{time}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    write!(
        cx.out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon}",
        header.base_offset,
        last_offset(header),
        header.record_count,
        header.base_sequence,
        sequence(header.base_sequence, header.last_offset_delta),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
    )?;
    let codec = codec(header.attributes)?;
    writeln!(
        cx.out,
        " position: {} {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        batch.position,
        header.timestamp_type().name(),
        header.max_timestamp,
        batch.size(),
        batch.magic,
        header.crc,
        batches.crc_is_right(batch, header)?,
    )?;
    Ok(())
}

pub(super) fn codec(attributes: Attributes) -> Result<Compression, Stop> {
    let id = attributes.compression_id();
    Compression::from_id(id)
        .ok_or_else(|| Stop::failed(format!("Unknown compression type id: {id}")))
}

/// Damaged headers may hold any numbers; these wrap as there.
pub(super) fn last_offset(header: &BatchHeader) -> i64 {
    let delta = i64::from(header.last_offset_delta);
    header.base_offset.0.wrapping_add(delta)
}

/// The sequence so many records after the first of a batch.
pub(super) fn sequence(base: i32, delta: i32) -> i32 {
    if base == NO_SEQUENCE {
        return NO_SEQUENCE;
    }
    if base > i32::MAX.wrapping_sub(delta) {
        return delta
            .wrapping_sub(i32::MAX.wrapping_sub(base))
            .wrapping_sub(1);
    }
    base.wrapping_add(delta)
}

/// A batch as the walk meets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) offset: i64,
    length: i32,
    pub(super) magic: i8,
}

impl Found {
    pub(super) fn size(&self) -> u64 {
        LOG_OVERHEAD as u64 + u64::from(self.length.unsigned_abs())
    }
}

/// The batches of a stretch of a file.
pub(super) struct Batches<'a> {
    file: &'a dyn DiskFile,
    name: &'a JavaFile,
    /// Of the next batch.
    pub(super) position: u64,
    end: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> Batches<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, name: &'a JavaFile, start: u64, end: u64) -> Self {
        Self {
            file,
            name,
            position: start,
            end,
            window: Vec::new(),
            window_start: 0,
        }
    }

    /// Goes on elsewhere.
    pub(super) fn seek(&mut self, position: u64, end: u64) {
        self.position = position;
        self.end = end;
    }

    /// `None`: the end, or what is left is no whole batch.
    pub(super) fn next(&mut self) -> Result<Option<Found>, Stop> {
        let position = self.position;
        if position + HEADER_UP_TO_MAGIC >= self.end {
            return Ok(None);
        }
        let header = self.bytes(position, HEADER_UP_TO_MAGIC as usize)?;
        let Some(header) = header.first_chunk::<{ HEADER_UP_TO_MAGIC as usize }>() else {
            return Ok(None);
        };
        let [
            o0,
            o1,
            o2,
            o3,
            o4,
            o5,
            o6,
            o7,
            l0,
            l1,
            l2,
            l3,
            _,
            _,
            _,
            _,
            magic,
        ] = *header;
        let found = Found {
            position,
            offset: i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
            length: i32::from_be_bytes([l0, l1, l2, l3]),
            magic: i8::from_be_bytes([magic]),
        };
        if found.length == 0 && self.is_written_ahead()? {
            self.position = self.end;
            return Ok(None);
        }
        if found.length < LENGTH_MIN {
            return Err(Stop::failed(format!(
                "Found record size {} smaller than minimum record overhead ({LENGTH_MIN}) in file {}.",
                found.length, self.name
            )));
        }
        if position + found.size() > self.end {
            return Ok(None);
        }
        self.position += found.size();
        Ok(Some(found))
    }

    /// Whether nothing follows but zeros, in front of which a broker is about to append.
    fn is_written_ahead(&self) -> Result<bool, Stop> {
        let is_zeros = is_zeros(self.file, self.position);
        is_zeros.map_err(|error| self.name.failed(&error))
    }

    /// The header's numbers, whatever they are. A batch that claims to be shorter than its header runs into what
    /// follows it.
    pub(super) fn header(&mut self, batch: &Found) -> Result<BatchHeader, Stop> {
        let mut bytes = self.exactly(batch.position, BATCH_OVERHEAD, "record batch header")?;
        let sound = ((BATCH_OVERHEAD - LOG_OVERHEAD) as i32).max(batch.length);
        bytes[8..LOG_OVERHEAD].copy_from_slice(&sound.to_be_bytes());
        bytes[HEADER_UP_TO_MAGIC as usize - 1] = MAGIC.to_be_bytes()[0];
        let header = BatchHeader::read(&bytes).map_err(|e| Stop::failed(e.to_string()))?;
        Ok(header)
    }

    /// All bytes of a batch.
    pub(super) fn whole(&mut self, batch: &Found) -> Result<Bytes, Stop> {
        let size = usize::try_from(batch.size()).unwrap_or(usize::MAX);
        if size > BATCH_MAX {
            return Err(Stop::failed(format!(
                "The batch at position {} is {size} bytes long; records of batches above {BATCH_MAX} are not shown.",
                batch.position
            )));
        }
        Ok(self
            .exactly(batch.position, size, "full record batch")?
            .into())
    }

    pub(super) fn exactly(
        &mut self,
        position: u64,
        len: usize,
        what: &str,
    ) -> Result<Vec<u8>, Stop> {
        let bytes = if len <= WINDOW {
            self.bytes(position, len)?.to_vec()
        } else {
            let mut bytes = vec![0; len];
            let read = read_full(self.file, &mut bytes, position);
            let read = read.map_err(|error| self.name.failed(&error))?;
            bytes.truncate(read);
            bytes
        };
        if bytes.len() < len {
            return Err(Stop::failed(format!(
                "Failed to read `{what}` from {}. Expected to read {len} bytes, but reached end of file after reading {} \
                 bytes. Started read from position {position}.",
                self.name,
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    pub(super) fn crc_is_right(
        &mut self,
        batch: &Found,
        header: &BatchHeader,
    ) -> Result<bool, Stop> {
        if batch.size() < BATCH_OVERHEAD as u64 {
            return Ok(false);
        }
        let end = batch.position + batch.size();
        let mut at = batch.position + CRC_COVERS_FROM as u64;
        let mut crc = 0;
        while at < end {
            let len = usize::try_from(end - at).map_or(WINDOW, |left| left.min(WINDOW));
            let bytes = self.bytes(at, len)?;
            if bytes.is_empty() {
                return Ok(false);
            }
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len() as u64;
        }
        Ok(crc == header.crc)
    }

    /// Up to `len` bytes, at most a window's; fewer only at the end of the file.
    fn bytes(&mut self, position: u64, len: usize) -> Result<&[u8], Stop> {
        let inside = position
            .checked_sub(self.window_start)
            .and_then(|from| usize::try_from(from).ok())
            .filter(|from| from + len <= self.window.len());
        let from = match inside {
            Some(from) => from,
            None => {
                self.window.resize(WINDOW, 0);
                let read = read_full(self.file, &mut self.window, position);
                let read = read.map_err(|error| self.name.failed(&error))?;
                self.window.truncate(read);
                self.window_start = position;
                0
            }
        };
        let end = self.window.len().min(from + len);
        Ok(&self.window[from..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_as_in_the_reference_also_where_they_make_no_sense() {
        assert_eq!(sequence(-1, 5), -1);
        assert_eq!(sequence(3, 5), 8);
        assert_eq!(sequence(i32::MAX, 1), 0);
        assert_eq!(sequence(i32::MAX - 1, 3), 1);
        assert_eq!(sequence(-7, 2), -5);
        assert_eq!(sequence(5, -1), -2_147_483_644);
    }
}
