//! `.kafka_cleanshutdown`: the mark that everything was flushed when the server stopped, with the broker epoch it
//! had (KIP-966). Present: logs open without scanning. It is taken away before anything is written.

use std::path::Path;

use crate::disk::{Context, Disk, DiskError, read_file_if_there, remove_if_there, replace_file};
use crate::names;

const SIZE_MAX: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// None: the mark is there and its content is not understood (older brokers left it empty).
    pub broker_epoch: Option<i64>,
}

/// None: the last stop was not a clean one.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<CleanShutdown>, DiskError> {
    let bytes = read_file_if_there(disk, &dir.join(names::CLEAN_SHUTDOWN), SIZE_MAX)?;
    Ok(bytes.map(|bytes| CleanShutdown {
        broker_epoch: parse(&bytes),
    }))
}

pub fn write(disk: &dyn Disk, dir: &Path, broker_epoch: i64) -> Result<(), DiskError> {
    let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
    replace_file(disk, &dir.join(names::CLEAN_SHUTDOWN), text.as_bytes())
}

/// Durable when it returns: from here on a crash is seen as one.
pub fn remove(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    remove_if_there(disk, &dir.join(names::CLEAN_SHUTDOWN))?;
    disk.sync_dir(dir).during("sync directory", dir)
}

#[must_use]
pub fn parse(bytes: &[u8]) -> Option<i64> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    value.get("brokerEpoch")?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_is_read_and_an_empty_mark_is_still_a_mark() {
        assert_eq!(parse(br#"{"version":0,"brokerEpoch":42}"#), Some(42));
        for odd in [&b""[..], b"{", b"{}", b"[]", br#"{"brokerEpoch":"x"}"#] {
            assert_eq!(parse(odd), None);
        }
    }
}
