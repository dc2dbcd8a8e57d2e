//! Loading machines by replay, in the background.

use std::sync::Arc;

use ottla_coordination::Loading;
use ottla_coordination::group::{GroupMachine, GroupRecord, Settings};
use ottla_log::{MinimumRead, ReadRequest};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Offset;
use tracing::{error, info, warn};

use super::alarm::Alarm;
use super::cluster::Cluster;
use super::decided::Decided;
use super::shard::Shard;
use crate::clock;
use crate::exec::partition::Partition;
use crate::exec::replay::{READ_BYTES, ReplayError, each_batch};

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("the log cannot be read: {}", .0.text())]
    Log(ErrorCode),
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// Puts all of them in service: at once those that were never written, the others when they are loaded.
pub(super) fn load_all(
    shards: Vec<Arc<Shard>>,
    settings: &Settings,
    alarm: &Arc<Alarm>,
    cluster: &Arc<Cluster>,
) {
    let (untouched, written): (Vec<_>, Vec<_>) = shards
        .into_iter()
        .partition(|shard| shard.partition().was_never_used());
    for shard in untouched {
        let loading = Loading::new(GroupMachine::new(settings.clone()));
        let host = loading.finish(clock::now(), Offset::ZERO, Offset::ZERO, &mut shard.log());
        shard.serve(host, alarm, cluster);
    }
    if written.is_empty() {
        return;
    }
    let (settings, alarm, cluster) = (settings.clone(), alarm.clone(), cluster.clone());
    tokio::task::spawn_blocking(move || {
        let count = written.len();
        for shard in written {
            load(&shard, &settings, &alarm, &cluster);
        }
        info!(partitions = count, "groups loaded");
    });
}

fn load(shard: &Arc<Shard>, settings: &Settings, alarm: &Arc<Alarm>, cluster: &Cluster) {
    let mut loading = Loading::new(GroupMachine::new(settings.clone()));
    match replay(shard.partition(), &mut loading) {
        Ok((end, committed_end)) => {
            let host = loading.finish(clock::now(), end, committed_end, &mut shard.log());
            shard.serve(host, alarm, cluster);
        }
        Err(failure) => {
            let partition = shard.partition();
            error!(partition = %partition.index, "groups and offsets cannot be loaded: {failure}");
            shard.give_up(ErrorCode::NotCoordinator);
        }
    }
}

/// Hands every record that counts to the machine; where the log ends, and up to where it is committed.
fn replay(
    partition: &Arc<Partition>,
    loading: &mut Loading<GroupMachine>,
) -> Result<(Offset, Offset), LoadError> {
    let bounds = partition.bounds(clock::now()).map_err(LoadError::Log)?;
    let mut next = bounds.log_start;
    let mut decided = Decided::default();
    while next < bounds.log_end {
        let request = ReadRequest {
            from: next,
            max_bytes: READ_BYTES,
            upper_end: bounds.log_end,
            minimum: MinimumRead::OneBatch,
        };
        let read = partition.with_log(clock::now(), |log, _| log.read(request));
        let Some(slice) = read.map_err(LoadError::Log)? else {
            break;
        };
        next = each_batch(&slice, next, |header, batch| {
            decided.take(header, batch, next, &mut |record| {
                match GroupRecord::decode(record.key, record.value) {
                    Ok(Some(decoded)) => loading.load(record.offset, &decoded),
                    // Of a kind that this broker has no part in.
                    Ok(None) => {}
                    // Some client wrote it: no reason to lose all other groups.
                    Err(reason) => warn!(
                        partition = %partition.index, offset = %record.offset,
                        "record of the offsets topic passed over: {reason}"
                    ),
                }
            })
        })?;
    }
    if decided.open_transactions() > 0 {
        warn!(
            partition = %partition.index, transactions = decided.open_transactions(),
            "offsets that open transactions sent do not count"
        );
    }
    Ok((bounds.log_end, bounds.high_watermark))
}
