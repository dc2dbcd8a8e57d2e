//! `log.cleaner.*` as plain values.

use std::time::Duration;

use ottla_config::resolve::Settings as Values;

/// The smallest map that a pass gets, however little of `log.cleaner.dedupe.buffer.size` falls to a thread.
const MAP_BYTES_MIN: usize = 1 << 20;
/// The smallest buffer; a batch that is larger is read all the same.
const IO_BUFFER_BYTES_MIN: usize = 4 << 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct CleanerSettings {
    /// None with `log.cleaner.enable=false`.
    pub(crate) threads: usize,
    /// For all threads together.
    pub(crate) dedupe_buffer_bytes: usize,
    pub(crate) load_factor: f64,
    /// For all threads together, reading and writing.
    pub(crate) io_buffers_bytes: usize,
    /// None: no limit.
    pub(crate) io_bytes_per_second: Option<f64>,
    pub(crate) backoff: Duration,
}

impl CleanerSettings {
    pub(crate) fn from_values(values: &Values) -> Self {
        let size = |key: &str| values.size(key).unwrap_or(0);
        let threads = if values.boolean("log.cleaner.enable") {
            size("log.cleaner.threads")
        } else {
            0
        };
        let rate = values.double("log.cleaner.io.max.bytes.per.second");
        Self {
            threads,
            dedupe_buffer_bytes: size("log.cleaner.dedupe.buffer.size"),
            load_factor: values.double("log.cleaner.io.buffer.load.factor"),
            io_buffers_bytes: size("log.cleaner.io.buffer.size"),
            io_bytes_per_second: (rate > 0.0 && rate < f64::MAX).then_some(rate),
            backoff: values
                .duration("log.cleaner.backoff.ms")
                .unwrap_or(Duration::ZERO),
        }
    }

    /// What one thread's map of keys may take.
    pub(super) fn map_bytes(&self) -> usize {
        (self.dedupe_buffer_bytes / self.threads.max(1)).max(MAP_BYTES_MIN)
    }

    /// One thread's buffer for reading, or for writing.
    pub(super) fn io_buffer_bytes(&self) -> usize {
        (self.io_buffers_bytes / self.threads.max(1) / 2).max(IO_BUFFER_BYTES_MIN)
    }
}
