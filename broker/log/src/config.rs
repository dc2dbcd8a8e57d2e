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
    /// Zeros are written in front of small appends, so that these find their pages in memory.
    pub zero_ahead: Option<ZeroAhead>,
    /// A new segment's file has the length `segment_bytes` from the beginning, and that of its batches once it is sealed
    /// or closed.
    pub preallocate: bool,
    /// `flush.messages`: how many records may be unflushed before the caller must flush.
    pub flush_messages: i64,
    /// `flush.ms`: how long a record may stay unflushed.
    pub flush_ms: Millis,
}

/// How zeros are written ahead. The system takes a page at a time for a write that begins and ends within pages, and a large
/// folio for a long aligned one; what is then appended is no more than copied, and `sendfile` finds a folio at once.
///
/// For topics whose acknowledgements wait for no disk. After a power cut zeros may stand where a batch was acknowledged and
/// not flushed, also before one that reached the disk, as they may without this: the system writes pages in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroAhead {
    /// Segments are at least this large: of many small partitions none takes more than it has.
    pub from_bytes: u64,
    /// Up to the next multiple of this. Appends as long as that are written as they are.
    pub bytes: u64,
}

impl ZeroAhead {
    /// What was measured best for appends of 1 to 64 KiB (docs/performance/hot-path.md).
    pub const MEASURED: Self = Self {
        from_bytes: 1 << 20,
        bytes: 128 << 10,
    };
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
            zero_ahead: None,
            preallocate: false,
            flush_messages: i64::MAX,
            flush_ms: Millis(i64::MAX),
        }
    }
}
