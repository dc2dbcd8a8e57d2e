//! Makes the logs of a stopped server large without filling the disk: batches of 1 MiB of zeros, of which only the
//! first bytes are written. For measuring how a start depends on the size of the logs (`bench/recovery`).
//!
//! `cargo run --release -p ottla-log --example sparse_logs -- DATA_DIR TOPIC TOPIC_ID PARTITIONS BATCHES UNFLUSHED`:
//! each partition gets so many batches, of which the last ones are behind the recovery point.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use ottla_log::checkpoint::write_offsets;
use ottla_log::{Log, LogConfig, OpenInput, RealDisk, names, partition_metadata};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::types::{Millis, Offset, PartitionIndex};
use ottla_protocol::wire::Uuid;

const VALUE: usize = 1 << 20;
/// Behind these a batch is zeros to its end.
const WRITTEN: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, topic, id, partitions, batches, unflushed] = &args[..] else {
        return Err(
            "usage: sparse_logs DATA_DIR TOPIC TOPIC_ID PARTITIONS BATCHES UNFLUSHED".into(),
        );
    };
    let (partitions, batches): (i32, i64) = (partitions.parse()?, batches.parse()?);
    let flushed = Offset(batches - unflushed.parse::<i64>()?);
    let id = Uuid::parse(id).ok_or("not a topic id")?;
    let dir = Path::new(dir);
    let disk = RealDisk::shared();
    let (heads, size) = heads(batches)?;
    for partition in 0..partitions {
        let folder = dir.join(names::partition_dir(topic, PartitionIndex(partition)));
        disk.create_dir_all(&folder)?;
        partition_metadata::write(disk.as_ref(), &folder, id)?;
        write_log(&folder, &heads, size)?;
        // Once over the headers, for the indexes.
        let input = OpenInput {
            recovery_point: Offset(batches),
            log_start: Offset::ZERO,
            clean_shutdown: false,
        };
        let config = Arc::new(LogConfig::default());
        let (log, _) = Log::open(disk.clone(), &folder, config, input, Millis(0))?;
        assert_eq!(log.close()?, Offset(batches));
    }
    let entries = (0..partitions).map(|p| (topic.as_str(), PartitionIndex(p), flushed));
    write_offsets(disk.as_ref(), &dir.join(names::RECOVERY_POINTS), entries)?;
    Ok(())
}

/// The first bytes of each batch, and the size of one. Times rise, as they mostly do.
fn heads(batches: i64) -> Result<(Vec<Vec<u8>>, u64), BuildError> {
    let (mut heads, mut size) = (Vec::new(), 0);
    for i in 0..batches {
        let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset(i));
        builder.append(Millis(1 + i), None, Some(&vec![0; VALUE]), &[])?;
        let mut batch = builder.build()?;
        assert!(batch[WRITTEN..].iter().all(|byte| *byte == 0));
        // The leader epoch is not under the checksum.
        batch[12..16].fill(0);
        size = batch.len() as u64;
        batch.truncate(WRITTEN);
        heads.push(batch);
    }
    Ok((heads, size))
}

fn write_log(folder: &Path, heads: &[Vec<u8>], size: u64) -> std::io::Result<()> {
    let file = File::create(names::segment_file(folder, Offset::ZERO, names::LOG))?;
    file.set_len(heads.len() as u64 * size)?;
    for (i, head) in (0..).zip(heads) {
        file.write_all_at(head, i * size)?;
    }
    Ok(())
}
