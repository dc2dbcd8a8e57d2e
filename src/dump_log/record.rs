//! The line of a record: of batches in today's format, of control batches, and of the two formats before.

use std::fmt::Write as _;

use bytes::Bytes;
use ottla_cli::{Context, Failure, Stop, java_text};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::messages::common::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord,
    VotersRecord,
};
use ottla_protocol::messages::{Message, json_text};
use ottla_protocol::records::batch::{Attributes, BatchHeader, MAGIC};
use ottla_protocol::records::control::{ControlType, EndTxnMarker};
use ottla_protocol::records::{Record, RecordError, Records};
use serde_json::{Value, json};

use super::Plan;
use super::log_file::{Batches, Found, codec, sequence};

const MAGIC_AT: usize = 16;

/// Shows the records of a batch, given as all of its bytes.
pub(super) fn write_all(
    header: &BatchHeader,
    batch: Bytes,
    plan: &Plan,
    cx: &mut Context,
    on_offset: &mut dyn FnMut(i64),
) -> Result<(), Stop> {
    each(header, batch, &mut |record| {
        on_offset(record.offset.0);
        write_record(header, record, plan, cx)
    })
}

/// Goes through the records of a batch. Those of a compressed batch are there only if all can be read.
pub(super) fn each(
    header: &BatchHeader,
    batch: Bytes,
    on_record: &mut dyn FnMut(&Record<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    if header.record_count == 0 {
        return Ok(());
    }
    let records = Records::open(&readable(batch), InflateLimits::LENIENT).map_err(refused)?;
    if codec(header.attributes)? != Compression::None {
        for record in records.iter() {
            record.map_err(refused)?;
        }
    }
    let mut iter = records.iter().peekable();
    while let Some(record) = iter.next() {
        let record = record.map_err(refused)?;
        // What follows the last record is wrong with the last record.
        if let Some(Err(error)) =
            iter.next_if(|next| matches!(next, Err(RecordError::BytesLeft(_))))
        {
            return Err(refused(error));
        }
        on_record(&record)?;
    }
    Ok(())
}

/// The largest timestamp of a batch's records; -1: it has none.
pub(super) fn max_timestamp(header: &BatchHeader, batch: Bytes) -> Result<i64, Stop> {
    let mut max = -1;
    if header.record_count != 0 {
        let records = Records::open(&readable(batch), InflateLimits::LENIENT).map_err(refused)?;
        for record in records.iter() {
            max = record.map_err(refused)?.timestamp.0.max(max);
        }
    }
    Ok(max)
}

/// A later format, which the reference reads as today's.
fn readable(batch: Bytes) -> Bytes {
    if batch.get(MAGIC_AT) == Some(&MAGIC.to_be_bytes()[0]) {
        return batch;
    }
    let mut bytes = batch.to_vec();
    if let Some(magic) = bytes.get_mut(MAGIC_AT) {
        *magic = MAGIC.to_be_bytes()[0];
    }
    bytes.into()
}

fn refused(error: RecordError) -> Stop {
    let sentence = match &error {
        RecordError::Count(count) => {
            format!("Found invalid record count {count} in magic v2 batch")
        }
        RecordError::BytesLeft(_) => {
            "Incorrect declared batch size, records still remaining in file".to_owned()
        }
        RecordError::MissingRecords { .. } => {
            "Incorrect declared batch size, premature EOF reached".to_owned()
        }
        RecordError::Malformed { .. } => "Found invalid record structure".to_owned(),
        RecordError::Compress(_) => "Failed to decompress record stream".to_owned(),
        _ => return Stop::failed(error.to_string()),
    };
    Failure::new(sentence).hint(error.to_string()).into()
}

/// -1 where there is nothing.
pub(super) fn size(part: Option<&[u8]>) -> i64 {
    part.map_or(-1, |part| part.len() as i64)
}

/// Whatever is added to no sequence stays none; below it the reference has none either.
pub(super) fn sequence_of(header: &BatchHeader, record: &Record<'_>) -> i32 {
    let delta = record.offset.0.wrapping_sub(header.base_offset.0);
    match header.base_sequence {
        ..0 => -1,
        base => sequence(base, delta as i32),
    }
}

fn write_record(
    header: &BatchHeader,
    record: &Record<'_>,
    plan: &Plan,
    cx: &mut Context,
) -> Result<(), Stop> {
    let mut line = String::with_capacity(LINE_BYTES_USUAL);
    let whole = put_record(&mut line, header, record, plan, cx);
    write_line(line, whole, cx)
}

/// Of a record that cannot be read to its end, what could be is shown.
fn write_line(mut line: String, whole: Result<(), Stop>, cx: &mut Context) -> Result<(), Stop> {
    if whole.is_ok() {
        line.push('\n');
    }
    cx.out.write_all(line.as_bytes())?;
    whole
}

fn put_record(
    line: &mut String,
    header: &BatchHeader,
    record: &Record<'_>,
    plan: &Plan,
    cx: &Context,
) -> Result<(), Stop> {
    if !plan.skips_record_metadata {
        put_metadata(line, header, record, plan, cx);
        if header.is_control() {
            put_control(line, record)?;
        }
    }
    match plan.shows_contents && !header.is_control() {
        true => put_contents(line, plan, record.offset.0, (record.key, record.value), cx),
        false => Ok(()),
    }
}

/// Enough for what is said of a record and a short value. Lines are put together here, and numbers by a crate that does nothing
/// else: formatting piece by piece into the stream was a third of what this tool did.
const LINE_BYTES_USUAL: usize = 512;

fn put_metadata(
    line: &mut String,
    header: &BatchHeader,
    record: &Record<'_>,
    plan: &Plan,
    cx: &Context,
) {
    put(line, "| offset: ", record.offset.0);
    line.push(' ');
    line.push_str(header.timestamp_type().name());
    put(line, ": ", record.timestamp.0);
    put(line, " keySize: ", size(record.key));
    put(line, " valueSize: ", size(record.value));
    put(line, " sequence: ", sequence_of(header, record));
    line.push_str(" headerKeys: [");
    for (i, header) in record.headers.enumerate() {
        if i > 0 {
            line.push(',');
        }
        line.push_str(&plan.shown(&java_text::lossy(header.key), cx));
    }
    line.push(']');
}

fn put(line: &mut String, title: &str, number: impl itoa::Integer) {
    line.push_str(title);
    line.push_str(itoa::Buffer::new().format(number));
}

fn put_contents(
    line: &mut String,
    plan: &Plan,
    offset: i64,
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    cx: &Context,
) -> Result<(), Stop> {
    let parsed = plan.parsing.parse(offset, key, value)?;
    let parts = [("key: ", parsed.key), ("payload: ", parsed.value)];
    for (title, part) in parts {
        let Some(part) = part else { continue };
        line.push_str(if line.is_empty() { "| " } else { " " });
        line.push_str(title);
        line.push_str(&plan.shown(&part, cx));
    }
    Ok(())
}

/// A control record as data: its type, and what it says.
pub(super) fn control(record: &Record<'_>) -> Result<(String, Value), Stop> {
    let failed = |error: &dyn std::fmt::Display| Stop::failed(error.to_string());
    let kind = ControlType::from_key(record.key.unwrap_or_default()).map_err(|e| failed(&e))?;
    let said = match kind {
        ControlType::Abort | ControlType::Commit => {
            let marker = EndTxnMarker::from_record(record).map_err(|e| failed(&e))?;
            json!({ "coordinatorEpoch": marker.map(|marker| marker.coordinator_epoch) })
        }
        ControlType::LeaderChange => message::<LeaderChangeMessage>(record)?,
        ControlType::SnapshotHeader => message::<SnapshotHeaderRecord>(record)?,
        ControlType::SnapshotFooter => message::<SnapshotFooterRecord>(record)?,
        ControlType::KRaftVersion => message::<KRaftVersionRecord>(record)?,
        ControlType::KRaftVoters => message::<VotersRecord>(record)?,
        ControlType::Unknown(_) => Value::Null,
    };
    let name = match kind {
        ControlType::Unknown(id) => format!("Unknown({id})"),
        known => format!("{known:?}"),
    };
    Ok((name, said))
}

fn put_control(line: &mut String, record: &Record<'_>) -> Result<(), Stop> {
    let failed = |error: &dyn std::fmt::Display| Stop::failed(error.to_string());
    let kind = ControlType::from_key(record.key.unwrap_or_default()).map_err(|e| failed(&e))?;
    // Writing to a string cannot fail.
    match kind {
        ControlType::Abort | ControlType::Commit => {
            let marker = EndTxnMarker::from_record(record).map_err(|e| failed(&e))?;
            let name = if kind == ControlType::Commit {
                "COMMIT"
            } else {
                "ABORT"
            };
            let epoch = marker.map_or(-1, |marker| marker.coordinator_epoch);
            write!(line, " endTxnMarker: {name} coordinatorEpoch: {epoch}").ok();
        }
        ControlType::LeaderChange => {
            let text = json_text(&message::<LeaderChangeMessage>(record)?);
            write!(line, " LeaderChange: {text}").ok();
        }
        ControlType::SnapshotHeader => {
            let text = json_text(&message::<SnapshotHeaderRecord>(record)?);
            write!(line, " SnapshotHeader {text}").ok();
        }
        ControlType::SnapshotFooter => {
            let text = json_text(&message::<SnapshotFooterRecord>(record)?);
            write!(line, " SnapshotFooter {text}").ok();
        }
        ControlType::KRaftVersion => {
            let text = json_text(&message::<KRaftVersionRecord>(record)?);
            write!(line, " KRaftVersion {text}").ok();
        }
        ControlType::KRaftVoters => {
            let text = json_text(&message::<VotersRecord>(record)?);
            write!(line, " KRaftVoters {text}").ok();
        }
        ControlType::Unknown(id) => {
            write!(line, " controlType: UNKNOWN({id})").ok();
        }
    }
    Ok(())
}

/// A control record's value, in the version that it begins with.
fn message<M: Message>(record: &Record<'_>) -> Result<Value, Stop> {
    let value = record.value.unwrap_or_default();
    let version = value.first_chunk().map_or(0, |v| i16::from_be_bytes(*v));
    let version = version.clamp(M::MIN_VERSION, M::MAX_VERSION);
    let message = M::from_bytes(Bytes::copy_from_slice(value), version)
        .map_err(|error| Stop::failed(error.to_string()))?;
    Ok(message.to_json(version))
}

/// A message of format 0 or 1, which is its own batch.
pub(super) struct Legacy {
    offset: i64,
    /// From the checksum on.
    body: Vec<u8>,
    magic: i8,
    pub(super) crc: u32,
    pub(super) attributes: Attributes,
    pub(super) timestamp: i64,
    size: u64,
}

impl Legacy {
    pub(super) fn read(batches: &mut Batches<'_>, batch: &Found) -> Result<Self, Stop> {
        let body = batches.whole(batch)?.split_off(12).to_vec();
        let attributes = body.get(5).copied().unwrap_or_default();
        let timestamp = match batch.magic {
            0 => Some(-1),
            _ => body
                .get(6..)
                .and_then(<[u8]>::first_chunk)
                .map(|bytes| i64::from_be_bytes(*bytes)),
        };
        Ok(Self {
            offset: batch.offset,
            magic: batch.magic,
            crc: body.first_chunk().map_or(0, |crc| u32::from_be_bytes(*crc)),
            attributes: Attributes(i16::from(attributes)),
            timestamp: timestamp.unwrap_or(-1),
            size: batch.size(),
            body,
        })
    }

    pub(super) fn timestamp_type(&self) -> &'static str {
        match self.magic {
            0 => "NoTimestampType",
            _ => self.attributes.timestamp_type().name(),
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.crc == crc32(self.body.get(4..).unwrap_or_default())
    }

    pub(super) fn write_batch(&self, position: u64, cx: &mut Context) -> Result<(), Stop> {
        write!(cx.out, "offset: {}", self.offset)?;
        if self.magic < 0 {
            return Err(Stop::failed(format!("Invalid magic value {}", self.magic)));
        }
        let codec = codec(self.attributes)?;
        Ok(writeln!(
            cx.out,
            " position: {position} {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
            self.timestamp_type(),
            self.timestamp,
            self.size,
            self.magic,
            self.crc,
            self.is_valid(),
        )?)
    }

    pub(super) fn write_record(&self, plan: &Plan, cx: &mut Context) -> Result<(), Stop> {
        if codec(self.attributes)? != Compression::None {
            return Err(Failure::new(format!(
                "The records of compressed messages of format {} are not shown.",
                self.magic
            ))
            .hint("Without --deep-iteration and --print-data-log the messages themselves are.")
            .into());
        }
        let mut rest = self
            .body
            .get(6 + 8 * self.magic as usize..)
            .unwrap_or_default();
        let mut part = || -> Option<(i32, Option<&[u8]>)> {
            let (len, behind) = rest.split_first_chunk()?;
            let len = i32::from_be_bytes(*len);
            let Ok(size) = usize::try_from(len) else {
                rest = behind;
                return Some((len, None));
            };
            let (bytes, behind) = behind.split_at_checked(size)?;
            rest = behind;
            Some((len, Some(bytes)))
        };
        let (Some((key_size, key)), Some((value_size, value))) = (part(), part()) else {
            return Err(Stop::failed("Found invalid record structure"));
        };
        let mut line = String::with_capacity(LINE_BYTES_USUAL);
        if !plan.skips_record_metadata {
            write!(
                line,
                "| offset: {} {}: {} keySize: {key_size} valueSize: {value_size} isValid: {} crc: {}",
                self.offset,
                self.timestamp_type(),
                self.timestamp,
                self.is_valid(),
                self.crc,
            )
            .ok();
        }
        let whole = match plan.shows_contents {
            true => put_contents(&mut line, plan, self.offset, (key, value), cx),
            false => Ok(()),
        };
        write_line(line, whole, cx)
    }
}

/// The checksum of the old formats (CRC-32 of IEEE 802.3), a bit at a time: they have become rare.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_old_formats_has_its_known_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
