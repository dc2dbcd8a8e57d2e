//! What a topic's configuration says about its logs, as plain values; the table of keys is not known here.

use ottla_protocol::types::Millis;

/// Names follow the topic keys (`segment.bytes` and so on). -1 means "no limit" where the key says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub segment_bytes: u64,
    /// After this long the active segment is sealed by the next append; on compacted topics at most
    /// `max.compaction.lag.ms`, so that every record leaves the active segment in time.
    pub segment_ms: Millis,
    /// By how much at most a segment is sealed earlier; see `Log::set_roll_jitter`.
    pub segment_jitter_ms: Millis,
    pub segment_index_bytes: u32,
    pub index_interval_bytes: u32,
    /// -1: keep for ever.
    pub retention_ms: Millis,
    /// -1: any size.
    pub retention_bytes: i64,
    pub file_delete_delay_ms: Millis,
    /// Upper bound of the blocks reserved beyond the active segment's end; 0 switches reserving off. What is reserved
    /// grows with the segment, so that thousands of small partitions don't fill the disk with nothing.
    pub reserve_bytes: u64,
    /// A new segment's file has the length `segment_bytes` from the beginning, and that of its batches once it is sealed
    /// or closed.
    pub preallocate: bool,
    /// `flush.messages`: how many records may be unflushed before the caller must flush.
    pub flush_messages: i64,
    /// `flush.ms`: how long a record may stay unflushed.
    pub flush_ms: Millis,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: Millis(7 * 24 * 3_600_000),
            segment_jitter_ms: Millis(0),
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Millis(7 * 24 * 3_600_000),
            retention_bytes: -1,
            file_delete_delay_ms: Millis(60_000),
            reserve_bytes: 4 << 20,
            preallocate: false,
            flush_messages: i64::MAX,
            flush_ms: Millis(i64::MAX),
        }
    }
}
