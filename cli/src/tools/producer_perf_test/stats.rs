//! What was acknowledged and how long that took, counted as the reference counts. Pure: times are milliseconds since the start.

/// So many latencies at least are kept where there are more; the others are passed over evenly.
const KEPT_LATENCIES: u64 = 500_000;

pub(super) struct Stats {
    all: Sum,
    window: Sum,
    window_started_ms: u64,
    reporting_interval_ms: u64,
    /// Of so many records one latency is kept.
    sampling: u64,
    /// So many records from now the next one is.
    until_kept: u64,
    kept: Vec<u32>,
    kept_max: usize,
}

/// Records and their latencies in a span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) started_ms: u64,
    pub(super) elapsed_ms: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) latency_ms: u64,
    pub(super) latency_ms_max: u32,
}

/// All of it, with the 50th, 95th, 99th and 99.9th percentile.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) sum: Sum,
    pub(super) percentiles_ms: [u32; 4],
}

impl Sum {
    fn since(started_ms: u64) -> Self {
        Self {
            started_ms,
            ..Default::default()
        }
    }

    fn until(self, now_ms: u64) -> Self {
        Self {
            elapsed_ms: now_ms.saturating_sub(self.started_ms),
            ..self
        }
    }

    fn add(&mut self, bytes: u64, latency_ms: u32) {
        self.records += 1;
        self.bytes += bytes;
        self.latency_ms += u64::from(latency_ms);
        self.latency_ms_max = self.latency_ms_max.max(latency_ms);
    }

    pub(super) fn records_per_second(&self) -> f64 {
        self.records as f64 / self.seconds()
    }

    /// A few records take no millisecond here, which no run of the reference does: a rate is a number all the same.
    pub(super) fn seconds(&self) -> f64 {
        let least_ms = u64::from(self.records > 0);
        self.elapsed_ms.max(least_ms) as f64 / 1000.0
    }

    /// MiB; the reference calls them MB.
    pub(super) fn mb_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds() / (1024.0 * 1024.0)
    }

    pub(super) fn latency_ms_avg(&self) -> f64 {
        self.latency_ms as f64 / self.records as f64
    }
}

impl Stats {
    /// For so many records at most.
    pub(super) fn new(records: u64, reporting_interval_ms: u64, now_ms: u64) -> Self {
        let sampling = (records / records.clamp(1, KEPT_LATENCIES)).max(1);
        Self {
            all: Sum::since(now_ms),
            window: Sum::since(now_ms),
            window_started_ms: now_ms,
            reporting_interval_ms,
            sampling,
            until_kept: 0,
            kept: Vec::new(),
            kept_max: usize::try_from(records / sampling).unwrap_or(0) + 1,
        }
    }

    /// A record was acknowledged. Returns what came since the last report where it is time for one.
    pub(super) fn record(&mut self, bytes: u64, latency_ms: u32, now_ms: u64) -> Option<Sum> {
        self.all.add(bytes, latency_ms);
        self.window.add(bytes, latency_ms);
        match self.until_kept {
            0 => {
                if self.kept.len() < self.kept_max {
                    self.kept.push(latency_ms);
                }
                self.until_kept = self.sampling - 1;
            }
            _ => self.until_kept -= 1,
        }
        if now_ms.saturating_sub(self.window_started_ms) < self.reporting_interval_ms {
            return None;
        }
        self.window_started_ms = now_ms;
        let window = std::mem::replace(&mut self.window, Sum::since(now_ms));
        Some(window.until(now_ms))
    }

    /// Whether the report that has just been made was the first.
    pub(super) fn is_first(&self, report: &Sum) -> bool {
        report.records == self.all.records
    }

    pub(super) fn total(&self, now_ms: u64) -> Total {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            let index = (share * sorted.len() as f64) as usize;
            sorted.get(index).copied().unwrap_or(0)
        };
        Total {
            sum: self.all.until(now_ms),
            percentiles_ms: [0.5, 0.95, 0.99, 0.999].map(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_with_the_first_record_after_the_interval() {
        let mut stats = Stats::new(10, 1000, 0);
        assert_eq!(stats.record(100, 5, 400), None);
        assert_eq!(stats.record(100, 7, 999), None);
        let report = stats.record(100, 30, 2000).unwrap();
        assert!(stats.is_first(&report));
        assert_eq!(
            (
                report.records,
                report.bytes,
                report.latency_ms_max,
                report.elapsed_ms
            ),
            (3, 300, 30, 2000)
        );
        assert_eq!(report.records_per_second(), 1.5);
        assert_eq!(report.latency_ms_avg(), 14.0);
        assert_eq!(stats.record(100, 1, 2001), None, "the next one begins anew");
        let report = stats.record(100, 3, 3000).unwrap();
        assert!(!stats.is_first(&report));
        assert_eq!((report.records, report.latency_ms_max), (2, 3));
    }

    #[test]
    fn percentiles_are_of_what_was_kept() {
        let mut stats = Stats::new(1000, 10_000, 0);
        for latency_ms in (0..1000).rev() {
            stats.record(1, latency_ms, 10);
        }
        let total = stats.total(500);
        assert_eq!(total.percentiles_ms, [500, 950, 990, 999]);
        assert_eq!((total.sum.records, total.sum.elapsed_ms), (1000, 500));
    }

    #[test]
    fn records_that_took_no_millisecond_have_a_rate() {
        let mut stats = Stats::new(10, 10_000, 0);
        for _ in 0..10 {
            stats.record(100, 0, 0);
        }
        assert_eq!(stats.total(0).sum.records_per_second(), 10_000.0);
    }

    #[test]
    fn of_many_records_some_latencies_are_kept_and_of_none_all_are_0() {
        let mut stats = Stats::new(2_000_000, 10_000, 0);
        for latency_ms in [1, 9, 9, 9, 2, 9, 9, 9, 3] {
            stats.record(1, latency_ms, 10);
        }
        assert_eq!(stats.kept, [1, 2, 3]);
        let nothing = Stats::new(1, 10_000, 0).total(10);
        assert_eq!(nothing.percentiles_ms, [0; 4]);
        assert!(nothing.sum.latency_ms_avg().is_nan());
    }
}
