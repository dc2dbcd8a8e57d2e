//! Bodies of the fuzz targets: any bytes at all as the content of each kind of file. None may panic, loop, or take
//! memory that its input does not justify; what is accepted must survive being written and read again.

use std::path::Path;
use std::sync::Arc;

use ottla_protocol::types::{Millis, Offset};

use super::MemoryDisk;
use crate::api::{MinimumRead, OpenInput, ReadRequest};
use crate::config::LogConfig;
use crate::disk::{Disk, OpenMode, SharedDisk, write_full};
use crate::errors::ReadError;
use crate::txn_sums::TxnSums;
use crate::{
    LeaderEpochs, Log, checkpoint, clean_shutdown, damage, meta_properties, names,
    partition_metadata, producer_snapshot, txn_index,
};

/// Every small file that is parsed as a whole.
pub fn small_files(data: &[u8]) {
    let _ = checkpoint::parse_offsets(data);
    let _ = clean_shutdown::parse(data);
    let _ = meta_properties::parse(data);
    let _ = partition_metadata::parse(data);
    if let Ok(epochs) = LeaderEpochs::parse(data) {
        assert_eq!(LeaderEpochs::parse(epochs.render().as_bytes()), Ok(epochs));
    }
    if let Ok(damaged) = damage::parse(data) {
        assert_eq!(
            damage::parse(damage::render(&damaged).as_bytes()),
            Ok(damaged)
        );
    }
    if let Ok(sums) = TxnSums::parse(data) {
        assert_eq!(TxnSums::parse(sums.render().as_bytes()), Ok(sums));
    }
    if let Ok(entries) = producer_snapshot::parse(data) {
        assert_eq!(producer_snapshot::render(&entries), data);
    }
    if let Ok(entries) = txn_index::parse(data) {
        let rendered: Vec<u8> = entries.into_iter().flat_map(txn_index::render).collect();
        assert_eq!(rendered, data[..rendered.len()]);
    }
}

/// A segment with all its companions, cut out of the input: opened after a crash and after a clean stop, read from end
/// to end, appended to nothing. The first bytes say how the rest is divided.
pub fn partition_folder(data: &[u8]) {
    let Some((control, rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let [clean, index_share, time_share, point] = *control;
    let part = |share: u8| rest.len() * usize::from(share) / 512;
    let (index, rest) = rest.split_at(part(index_share));
    let (times, log) = rest.split_at(part(time_share).min(rest.len()));
    let dir = Path::new("/p-0");
    let disk = Arc::new(MemoryDisk::new());
    let put = |name: &str, bytes: &[u8]| {
        let file = disk
            .open(&dir.join(name), OpenMode::Create)
            .expect("memory takes any file");
        write_full(file.as_ref(), bytes, 0).expect("memory takes any bytes");
    };
    disk.create_dir_all(dir)
        .expect("memory takes any directory");
    put("00000000000000000000.log", log);
    put("00000000000000000000.index", index);
    put("00000000000000000000.timeindex", times);
    put(names::LEADER_EPOCHS, index);
    put(names::DAMAGE, times);
    put(names::TXN_SUMS, index);
    put("00000000000000000000.txnindex", times);
    put("00000000000000000007.snapshot", index);
    let input = OpenInput {
        recovery_point: Offset(i64::from(point)),
        log_start: Offset::ZERO,
        clean_shutdown: clean % 2 == 0,
    };
    let config = Arc::new(LogConfig::default());
    let shared: SharedDisk = disk;
    let log_disk = shared.clone();
    let (log, _) =
        Log::open(shared, dir, config, input, Millis(0)).expect("damage is no error of the disk");
    read_through(&log);
    let _ = log.max_timestamp();
    let _ = log.aborted_txns(Offset::ZERO, log.end());
    for at in log.producer_snapshots() {
        let _ = producer_snapshot::read(log_disk.as_ref(), dir, *at);
    }
    log.scan_batches(Offset::ZERO, &mut |_| ())
        .expect("memory can be read");
    let _ = log.offset_for_timestamp(Millis(1), Offset::ZERO);
}

/// Reads a whole log; how many slices and how many damaged stretches there were.
pub fn read_through(log: &Log) -> (usize, usize) {
    let (mut slices, mut damaged) = (0, 0);
    let mut from = log.start();
    while from < log.end() {
        let request = ReadRequest {
            from,
            max_bytes: 1,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        let next = match log.read(request) {
            Ok(None) => break,
            Ok(Some(slice)) => {
                slices += 1;
                let mut bytes = vec![0; slice.len];
                crate::disk::read_full(slice.file.as_ref(), &mut bytes, slice.position)
                    .expect("memory can be read");
                let header = ottla_protocol::records::BatchHeader::read(&bytes)
                    .expect("a slice begins with a header");
                header.next_offset()
            }
            Err(ReadError::Corrupt(stretch)) => {
                damaged += 1;
                stretch.next_offset
            }
            Err(e) => panic!("{e}"),
        };
        assert!(next > from, "reading goes forward");
        from = next;
    }
    (slices, damaged)
}
