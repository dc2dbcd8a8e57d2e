//! Producer snapshots and indexes of aborted transactions.

use std::io::Write as _;

use ottla_cli::{Context, Stop};
use ottla_log::disk::read_full;
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use super::java::JavaFile;
use super::log_file::sequence;

const ABORTED_ENTRY: usize = 34;
const ABORTED_VERSION: i16 = 0;

const SNAPSHOT_VERSION: i16 = 1;
const SNAPSHOT_HEADER: usize = 10;
const SNAPSHOT_COVERED_FROM: usize = 6;
const PRODUCER_ENTRY: usize = 46;
const SNAPSHOT_MAX: u64 = 1 << 30;

/// Numbers off the front of an entry, which is as long as the caller says.
pub(super) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *field
    }

    pub(super) fn short(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    pub(super) fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    pub(super) fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }
}

/// `.txnindex`. A file that is not there has no entries.
pub(super) fn dump_aborted(file: &JavaFile, cx: &mut Context) -> Result<(), Stop> {
    file.base_offset()?;
    if std::fs::metadata(file.path()).is_err() {
        return Ok(());
    }
    // The reference reads all before it shows any.
    each_aborted(file, &mut |version, _| match version {
        ..=ABORTED_VERSION => Ok(()),
        _ => Err(Stop::failed(format!(
            "Unexpected aborted transaction version {version} in transaction index {}, current version is {ABORTED_VERSION}",
            file.absolute()
        ))),
    })?;
    each_aborted(file, &mut |version, mut entry| {
        Ok(writeln!(
            cx.out,
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            entry.long(),
            entry.long(),
            entry.long(),
            entry.long(),
        )?)
    })
}

pub(super) fn each_aborted(
    file: &JavaFile,
    on_entry: &mut dyn FnMut(i16, Fields<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (handle, _) = file.open()?;
    let mut block = [0; ABORTED_ENTRY * 512];
    let mut position = 0;
    loop {
        let read = read_full(handle.as_ref(), &mut block, position);
        let read = read.map_err(|error| file.failed(&error))?;
        for entry in block[..read].chunks_exact(ABORTED_ENTRY) {
            let mut fields = Fields(entry);
            // The reference looks at the version's first byte alone.
            let [version, _] = fields.take();
            on_entry(i16::from(version as i8), fields)?;
        }
        if read < block.len() {
            return Ok(());
        }
        position += read as u64;
    }
}

/// `.snapshot`. One that is damaged is said on standard error, and is no failure.
pub(super) fn dump_producers(file: &JavaFile, cx: &mut Context) -> Result<(), Stop> {
    let damage = each_producer(file, &mut |entry| write_producer(entry, cx))?;
    if let Some(reason) = damage {
        cx.warn(reason);
    }
    Ok(())
}

/// Returns what is wrong with the file, where something is: then it has no entries.
pub(super) fn each_producer(
    file: &JavaFile,
    on_entry: &mut dyn FnMut(Fields<'_>) -> Result<(), Stop>,
) -> Result<Option<String>, Stop> {
    let bytes = ottla_log::disk::read_file(&ottla_log::RealDisk, file.path(), SNAPSHOT_MAX)
        .map_err(|error| Stop::failed(error.to_string()))?;
    let entries = match entries(&bytes) {
        Ok(entries) => entries,
        Err(reason) => return Ok(Some(reason)),
    };
    for entry in entries.chunks_exact(PRODUCER_ENTRY) {
        on_entry(Fields(entry))?;
    }
    Ok(None)
}

/// The entries, if the file is whole. What follows them is covered by the checksum and otherwise left alone.
fn entries(bytes: &[u8]) -> Result<&[u8], String> {
    let invalid = |reason: String| format!("Snapshot failed schema validation: {reason}");
    let Some((header, rest)) = bytes.split_at_checked(SNAPSHOT_HEADER) else {
        return Err(invalid(format!("{} bytes are too few", bytes.len())));
    };
    let mut fields = Fields(header);
    let (version, crc, count) = (fields.short(), fields.int() as u32, fields.int());
    if version != SNAPSHOT_VERSION {
        return Err(invalid(format!(
            "Snapshot contained an unknown file version {version}"
        )));
    }
    let len = usize::try_from(count).map(|count| count.saturating_mul(PRODUCER_ENTRY));
    let Some(entries) = len.ok().and_then(|len| rest.get(..len)) else {
        return Err(invalid(format!(
            "Tried to allocate a collection of size {count}, but there are only {} bytes remaining.",
            rest.len()
        )));
    };
    let computed = crc32c::crc32c(&bytes[SNAPSHOT_COVERED_FROM..]);
    if crc != computed {
        return Err(format!(
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: {crc}. Computed crc: {computed}"
        ));
    }
    Ok(entries)
}

fn write_producer(mut entry: Fields<'_>, cx: &mut Context) -> Result<(), Stop> {
    let (id, epoch) = (ProducerId(entry.long()), ProducerEpoch(entry.short()));
    let (last_sequence, last_offset) = (entry.int(), entry.long());
    let (offset_delta, timestamp) = (entry.int(), entry.long());
    let (coordinator_epoch, first_offset) = (entry.int(), entry.long());
    let open = if first_offset >= 0 {
        format!("OptionalLong[{first_offset}]")
    } else {
        "OptionalLong.empty".to_owned()
    };
    write!(
        cx.out,
        "producerId: {id} producerEpoch: {epoch} coordinatorEpoch: {coordinator_epoch} currentTxnFirstOffset: {open} \
         lastTimestamp: {timestamp}"
    )?;
    if last_offset >= 0 {
        write!(
            cx.out,
            " firstSequence: {} lastSequence: {last_sequence} lastOffset: {last_offset} offsetDelta: {offset_delta} \
             timestamp: {timestamp}",
            first_sequence(last_sequence, offset_delta),
        )?;
    }
    Ok(writeln!(cx.out)?)
}

/// The sequence so many records before the last of a batch.
fn first_sequence(last: i32, delta: i32) -> i32 {
    if last < delta {
        return i32::MAX
            .wrapping_sub(delta.wrapping_sub(last))
            .wrapping_add(1);
    }
    debug_assert!(last < 0 || delta < 0 || sequence(last - delta, delta) == last);
    last.wrapping_sub(delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sequence_of_a_batch_may_lie_before_the_wrap() {
        assert_eq!(first_sequence(9, 3), 6);
        assert_eq!(first_sequence(0, 1), i32::MAX);
        assert_eq!(first_sequence(2, 5), i32::MAX - 2);
    }
}
