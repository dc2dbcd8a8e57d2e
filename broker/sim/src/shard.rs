//! One offsets partition: the group machine hosted on a real log, on a disk in memory.
//!
//! Does what the server's shell does, in the same order: encode the records of an append as one batch, answer after the
//! `fdatasync` that covers it, load by replay.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordination::group::{
    BatchKind, Command, GroupMachine, GroupRecord, Response, Settings, TransactionRecord,
};
use ottla_coordination::txn::{EndTransaction, TxnMarker};
use ottla_coordination::{Answer, Host, Loading, ReplyToken};
use ottla_log::disk::read_full;
use ottla_log::testing::MemoryDisk;
use ottla_log::{
    DiskError, Log, LogConfig, MinimumRead, Offsets, OpenInput, ReadError, ReadRequest, Timestamps,
};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::batch::NO_SEQUENCE;
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::{BatchBuilder, Records, batches_of, check_batch};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

pub(crate) const LOG_DIR: &str = "/data";
const FOLDER: &str = "/data/__consumer_offsets-0";
const READ_BYTES: usize = 64 << 10;

/// The partition while its broker is up.
#[derive(Debug)]
pub(crate) struct Shard {
    host: Host<GroupMachine>,
    log: OffsetsLog,
}

/// Encodes and appends.
#[derive(Debug)]
struct OffsetsLog {
    log: Log,
    epoch: LeaderEpoch,
}

impl ottla_coordination::Log<GroupRecord> for OffsetsLog {
    fn append(&mut self, now: Millis, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        let mut batch = encode(now, records).map_err(|_| ErrorCode::UnknownServerError)?;
        let offsets = Offsets::Assign {
            leader_epoch: self.epoch,
        };
        self.log
            .append(&mut batch, offsets, Timestamps::Create, now)
            .map(|appended| appended.base_offset)
            .map_err(|_| ErrorCode::KafkaStorageError)
    }
}

/// One batch of the records, of the kind that they are.
fn encode(now: Millis, records: &[GroupRecord]) -> Result<Vec<u8>, BuildError> {
    let mut builder = BatchBuilder::new(Compression::None);
    match BatchKind::of(records) {
        BatchKind::Plain => {}
        BatchKind::Transactional {
            producer_id,
            producer_epoch,
        } => {
            builder = builder
                .producer(producer_id, producer_epoch, 0)
                .transactional(true);
        }
        BatchKind::Marker(end) => {
            builder = builder
                .producer(end.producer_id, end.producer_epoch, NO_SEQUENCE)
                .transactional(true)
                .control(true);
        }
    }
    for record in records {
        let (key, value) = record.encode();
        builder.append(now, Some(&key), value.as_deref(), &[])?;
    }
    builder.build()
}

impl Shard {
    /// Starts the broker on what is on the disk: recovers the log and replays it.
    pub(crate) fn start(
        disk: &MemoryDisk,
        settings: Settings,
        recovery_point: Offset,
        epoch: LeaderEpoch,
        now: Millis,
    ) -> Self {
        let config = LogConfig {
            // Small, so that runs roll often.
            segment_bytes: 4 << 10,
            reserve_bytes: 0,
            ..LogConfig::default()
        };
        let input = OpenInput {
            recovery_point,
            log_start: Offset::ZERO,
            clean_shutdown: false,
        };
        let shared = Arc::new(disk.clone());
        let (mut log, report) = Log::open(shared, Path::new(FOLDER), Arc::new(config), input, now)
            .expect("a crashed log opens");
        assert!(
            report.lost.is_none(),
            "flushed records are gone: {report:?}"
        );
        // What was only in the page cache and survived is served from now on, so it has to be durable first.
        log.flush_now().expect("a disk with room");
        let mut loading = Loading::new(GroupMachine::new(settings));
        replay(&log, &mut loading);
        let end = log.end();
        let mut log = OffsetsLog { log, epoch };
        let host = loading.finish(now, end, end, &mut log);
        Self { host, log }
    }

    pub(crate) fn ask(&mut self, now: Millis, token: ReplyToken, command: Command) {
        self.host.handle(now, token, command, &mut self.log);
    }

    pub(crate) fn advance(&mut self, now: Millis) {
        self.host.advance(now, &mut self.log);
    }

    /// One `fdatasync`; answers that waited for it may leave.
    pub(crate) fn flush(&mut self) -> Result<(), DiskError> {
        self.log.log.flush_now()?;
        self.host.committed(self.log.log.flushed_end());
        Ok(())
    }

    pub(crate) fn take_answers(&mut self) -> Vec<(ReplyToken, Answer<Response>)> {
        self.host.take_answers()
    }

    /// What a checkpoint may say.
    pub(crate) fn flushed_end(&self) -> Offset {
        self.log.log.flushed_end()
    }

    pub(crate) fn machine(&self) -> &GroupMachine {
        self.host.machine()
    }

    /// The hard state must be what the log says, also while the broker runs.
    pub(crate) fn check_replay(&self, settings: Settings, now: Millis) {
        let mut loading = Loading::new(GroupMachine::new(settings));
        replay(&self.log.log, &mut loading);
        let end = self.log.log.end();
        let replayed = loading.finish(now, end, end, &mut Refuse);
        assert_eq!(replayed.machine().hard(), self.machine().hard());
    }
}

/// The log of a machine that only looks.
struct Refuse;

impl ottla_coordination::Log<GroupRecord> for Refuse {
    fn append(&mut self, _: Millis, _: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        Err(ErrorCode::KafkaStorageError)
    }
}

fn replay(log: &Log, loading: &mut Loading<GroupMachine>) {
    let mut next = log.start();
    while next < log.end() {
        let request = ReadRequest {
            from: next,
            max_bytes: READ_BYTES,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        let slice = match log.read(request) {
            Ok(Some(slice)) => slice,
            Ok(None) => break,
            // A power cut can leave a later batch and take an earlier one. Neither was flushed, so neither was promised;
            // the log cannot know that and keeps both, the damaged one out of reach.
            Err(ReadError::Corrupt(damage)) => {
                assert!(damage.next_offset > next);
                next = damage.next_offset;
                continue;
            }
            Err(error) => panic!("a recovered log is readable: {error}"),
        };
        let mut bytes = vec![0; slice.len];
        let read = read_full(&*slice.file, &mut bytes, slice.position).expect("the segment");
        assert_eq!(read, slice.len);
        next = load_batches(&Bytes::from(bytes), next, loading);
    }
}

/// Loads what is whole. Recovery looks at checksums from the recovery point on only, so damage that an earlier start
/// found, and kept, is found here again: by the checksum, or by what is no batch and ends the slice.
fn load_batches(bytes: &Bytes, from: Offset, loading: &mut Loading<GroupMachine>) -> Offset {
    let mut next = from;
    for batch in batches_of(bytes) {
        let Ok((header, batch)) = batch else { break };
        next = header.next_offset();
        if check_batch(&batch).is_err() {
            continue;
        }
        let records = Records::open(&batch, InflateLimits::LENIENT).expect("a whole batch");
        if header.is_control() {
            let record = records.iter().next().expect("a marker").expect("whole");
            let marker = TxnMarker::of_record(&header, &record).expect("a transaction's marker");
            let end = TransactionRecord::End(EndTransaction::of_marker(&marker));
            loading.load(record.offset, &GroupRecord::Transaction(end));
            continue;
        }
        for record in records.owned() {
            let record = record.expect("a whole record");
            let decoded = GroupRecord::decode(record.key, record.value).expect("a record of ours");
            if let Some(mut decoded) = decoded.filter(|_| record.offset >= from) {
                if header.is_transactional() {
                    decoded = decoded.in_transaction(header.producer_id, header.producer_epoch);
                }
                loading.load(record.offset, &decoded);
            }
        }
    }
    assert!(next > from, "no batch at {from}");
    next
}
