//! From records that are sent and batches that are answered to latencies.
//!
//! A partition's records are answered in the order in which they were sent, so that when each was sent is all there is to
//! remember: nothing waits for its record. Those that were sent in the same millisecond and have the same size are counted
//! together. Called by the sender and by whoever sends; neither waits for long.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use ottla_client::producer::BatchReport;
use tokio::sync::Notify;

use super::stats::{Stats, Sum, Total};

pub(super) struct Recorder {
    /// Runs from the first look at it on, and when that was.
    clock: OnceLock<(Instant, Timestamp)>,
    inner: Mutex<Inner>,
    /// There are reports to be shown, or failures.
    pub(super) news: Notify,
}

/// What there is to tell meanwhile.
#[derive(Debug, PartialEq)]
pub(super) enum Report {
    Window(Sum),
    /// The first one without those that warm up.
    SteadyState,
}

/// What the producer has done.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) failed: u64,
    pub(super) batches: u64,
    pub(super) bytes: u64,
    pub(super) size_max: u64,
    pub(super) batch_age_ms: u64,
}

struct Inner {
    lanes: BTreeMap<i32, Lane>,
    stats: Stats,
    steady: Option<Stats>,
    reports: Vec<Report>,
    counts: Counts,
    reporting_interval_ms: u64,
}

/// One partition.
#[derive(Default)]
struct Lane {
    sent: VecDeque<Run>,
    /// Records whose batch was answered before whoever sent them came to say so.
    early: VecDeque<(u64, Answer)>,
}

/// Records that were sent one after the other.
struct Run {
    record: Sent,
    count: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sent {
    at_ms: u64,
    bytes: u64,
    is_steady: bool,
}

#[derive(Clone, Copy)]
struct Answer {
    at_ms: u64,
    is_delivered: bool,
}

impl Recorder {
    pub(super) fn new(records: u64, reporting_interval_ms: u64) -> Self {
        let inner = Inner {
            lanes: BTreeMap::new(),
            stats: Stats::new(records, reporting_interval_ms, 0),
            steady: None,
            reports: Vec::new(),
            counts: Counts::default(),
            reporting_interval_ms,
        };
        Self {
            clock: OnceLock::new(),
            inner: Mutex::new(inner),
            news: Notify::new(),
        }
    }

    pub(super) fn started(&self) -> Instant {
        self.clock().0
    }

    fn clock(&self) -> &(Instant, Timestamp) {
        self.clock
            .get_or_init(|| (Instant::now(), Timestamp::now()))
    }

    /// For a record that is sent at this time: milliseconds since 1970.
    pub(super) fn timestamp_at(&self, at_ms: u64) -> i64 {
        let since = i64::try_from(at_ms).unwrap_or(i64::MAX);
        self.clock().1.as_millisecond().saturating_add(since)
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started().elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Those that warm up have been sent; so many come.
    pub(super) fn begin_steady_state(&self, records: u64) {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        inner.steady = Some(Stats::new(records, inner.reporting_interval_ms, now_ms));
    }

    /// A record was sent. Tells whether there is something to show.
    pub(super) fn sent(&self, partition: i32, at_ms: u64, bytes: usize) -> bool {
        let mut inner = self.lock();
        let record = Sent {
            at_ms,
            bytes: bytes as u64,
            is_steady: inner.steady.is_some(),
        };
        inner.sent(partition, record);
        !inner.reports.is_empty()
    }

    /// The producer did not take a record.
    pub(super) fn refused(&self) {
        self.lock().counts.failed += 1;
    }

    /// A batch was answered, or given up.
    pub(super) fn answered(&self, report: &BatchReport<'_>) {
        let answer = Answer {
            at_ms: self.now_ms(),
            is_delivered: report.outcome.is_ok(),
        };
        let records = u64::try_from(report.records).unwrap_or(0);
        let mut inner = self.lock();
        inner.counts.batches += 1;
        inner.counts.batch_age_ms += u64::try_from(report.age.as_millis()).unwrap_or(0);
        inner.answered(report.partition, records, answer);
        let has_news = !inner.reports.is_empty() || !answer.is_delivered;
        drop(inner);
        if has_news {
            self.news.notify_one();
        }
    }

    pub(super) fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.lock().reports)
    }

    /// All records, and those of the steady state where there is one.
    pub(super) fn totals(&self) -> (Total, Option<Total>) {
        let now_ms = self.now_ms();
        let inner = self.lock();
        let steady = inner.steady.as_ref();
        (
            inner.stats.total(now_ms),
            steady.map(|steady| steady.total(now_ms)),
        )
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn sent(&mut self, partition: i32, record: Sent) {
        let lane = self.lanes.entry(partition).or_default();
        if let Some((left, answer)) = lane.early.front_mut() {
            let answer = *answer;
            *left -= 1;
            if *left == 0 {
                lane.early.pop_front();
            }
            return self.count(record, 1, answer);
        }
        match lane.sent.back_mut() {
            Some(run) if run.record == record => run.count += 1,
            _ => lane.sent.push_back(Run { record, count: 1 }),
        }
    }

    fn answered(&mut self, partition: i32, mut records: u64, answer: Answer) {
        while records > 0 {
            let lane = self.lanes.entry(partition).or_default();
            let Some(run) = lane.sent.front_mut() else {
                lane.early.push_back((records, answer));
                return;
            };
            let (record, count) = (run.record, run.count.min(records));
            run.count -= count;
            if run.count == 0 {
                lane.sent.pop_front();
            }
            records -= count;
            self.count(record, count, answer);
        }
    }

    fn count(&mut self, record: Sent, count: u64, answer: Answer) {
        if !answer.is_delivered {
            self.counts.failed += count;
            return;
        }
        self.counts.delivered += count;
        self.counts.bytes += count * record.bytes;
        self.counts.size_max = self.counts.size_max.max(record.bytes);
        let latency_ms = answer.at_ms.saturating_sub(record.at_ms);
        let latency_ms = u32::try_from(latency_ms).unwrap_or(u32::MAX);
        for _ in 0..count {
            let window = self.stats.record(record.bytes, latency_ms, answer.at_ms);
            // In the steady state its own reports take the place of the others.
            if self.steady.is_none() {
                self.reports.extend(window.map(Report::Window));
            }
            let Some(steady) = self.steady.as_mut().filter(|_| record.is_steady) else {
                continue;
            };
            if let Some(window) = steady.record(record.bytes, latency_ms, answer.at_ms) {
                let is_first = steady.is_first(&window);
                self.reports.extend(is_first.then_some(Report::SteadyState));
                self.reports.push(Report::Window(window));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ottla_client::producer::{BatchPlace, ProduceError};

    use super::*;

    fn answer(recorder: &Recorder, partition: i32, records: i32, delivered: bool) {
        let place = BatchPlace {
            base_offset: Some(0),
            append_time: None,
        };
        recorder.answered(&BatchReport {
            topic: "t",
            partition,
            records,
            bytes: 100,
            age: Duration::ZERO,
            outcome: if delivered {
                Ok(place)
            } else {
                Err(&ProduceError::Closed)
            },
        });
    }

    #[test]
    fn each_record_is_counted_once_with_its_size_also_where_the_answer_is_first() {
        let recorder = Recorder::new(100, 60_000);
        recorder.sent(0, 0, 10);
        recorder.sent(0, 0, 10);
        recorder.sent(1, 0, 1000);
        answer(&recorder, 0, 3, true);
        recorder.sent(0, 0, 7);
        recorder.sent(0, 0, 100);
        let (total, steady) = recorder.totals();
        assert_eq!((total.sum.records, total.sum.bytes), (3, 27));
        assert!(steady.is_none());
        answer(&recorder, 0, 1, true);
        answer(&recorder, 1, 1, true);
        assert_eq!(recorder.totals().0.sum.bytes, 1127);
    }

    #[test]
    fn what_was_not_delivered_is_not_counted_as_sent() {
        let recorder = Recorder::new(100, 60_000);
        for _ in 0..4 {
            recorder.sent(0, 0, 10);
        }
        answer(&recorder, 0, 3, false);
        answer(&recorder, 0, 1, true);
        assert_eq!(recorder.totals().0.sum.records, 1);
        let counts = recorder.counts();
        assert_eq!((counts.delivered, counts.failed, counts.batches), (1, 3, 2));
    }

    #[test]
    fn in_the_steady_state_only_that_is_reported() {
        let recorder = Recorder::new(4, 0);
        recorder.sent(0, 0, 10);
        answer(&recorder, 0, 1, true);
        assert!(matches!(
            recorder.take_reports().as_slice(),
            [Report::Window(_)]
        ));
        recorder.sent(0, 0, 10);
        recorder.begin_steady_state(2);
        assert!(!recorder.sent(0, 0, 10));
        answer(&recorder, 0, 1, true);
        assert_eq!(recorder.take_reports(), [], "it was sent before");
        answer(&recorder, 0, 1, true);
        let reports = recorder.take_reports();
        assert!(
            matches!(reports.as_slice(), [Report::SteadyState, Report::Window(_)]),
            "{reports:?}"
        );
        let (all, steady) = recorder.totals();
        assert_eq!((all.sum.records, steady.unwrap().sum.records), (3, 1));
    }
}
