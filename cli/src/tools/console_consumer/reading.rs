//! Reading: from polls to bytes on standard output, until there is a reason to end.
//!
//! Always: what a poll has brought is written and flushed before the next one, because that one may commit it; what
//! was brought and not written is given back before the consumer closes.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_client::admin::TopicPartition;
use ottla_client::cluster::ClusterSettings;
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerRecord, ConsumerSettings};

use super::formatter::FormatError;
use super::plan::{Plan, Source, Start};
use super::select::{Latest, Range, Ranges, Wanted, look_up};
use crate::connect;
use crate::consuming::{self, NoCluster};
use crate::context::{Context, harmless};
use crate::nearest::LOOK_AFTER;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::stop::Failure;

/// Why it is over.
#[derive(Debug)]
pub(super) enum End {
    /// `--max-messages` are there.
    Enough,
    TimedOut(Duration),
    /// The cluster says no.
    Refused(ConsumerError),
    /// There is no cluster at this address, and there will not be.
    Unusable(Failure),
    Unformattable(FormatError),
    /// The exit status that a signal asks for.
    Signal(u8),
    Output(io::Error),
}

impl From<NoCluster> for End {
    fn from(none: NoCluster) -> Self {
        match none {
            NoCluster::TimedOut(after) => Self::TimedOut(after),
            NoCluster::Unusable(failure) => Self::Unusable(failure),
            NoCluster::Signal(status) => Self::Signal(status),
        }
    }
}

/// How often it is looked whether a range is at its end.
const LOOK_AT_ENDS_EVERY: Duration = Duration::from_millis(100);

/// So many times further back the last records are looked for, where there were too few.
const LOOKED_BACK_MORE: i64 = 8;

/// Bytes that go to standard output together.
const WRITE_BYTES: usize = 64 * 1024;

/// Reads until something ends it; also says how many records it was.
pub(super) async fn read(
    plan: &Plan,
    cluster: ClusterSettings,
    settings: ConsumerSettings,
    cx: &mut Context,
) -> (u64, End) {
    let mut count = 0;
    let mut end = match read_counting(plan, cluster, settings, cx, &mut count).await {
        Ok(end) | Err(end) => end,
    };
    // Also where it was a broker that did not come in time, which is no failure.
    if let (End::TimedOut(_), Err(failed)) = (&end, tell_head(plan, cx)) {
        end = failed;
    }
    (count, end)
}

async fn read_counting(
    plan: &Plan,
    cluster: ClusterSettings,
    settings: ConsumerSettings,
    cx: &mut Context,
    count: &mut u64,
) -> Result<End, End> {
    if plan.records_max == Some(0) {
        tell_head(plan, cx)?;
        return Ok(End::Enough);
    }
    let mut signals = Signals::listen().map_err(End::Output)?;
    let started = Instant::now();
    let cluster = match (&plan.source, plan.patience) {
        (Source::Ranges(..), None) => consuming::connect_or_fail(cluster, &mut signals).await?,
        _ => consuming::connect(plan.patience, cluster, &mut signals, cx).await?,
    };
    tell_head(plan, cx)?;
    let mut reading = Reading {
        plan,
        progress: Progress::of_records(plan.records_max, cx),
        consumer: Consumer::start(cluster, settings),
        signals,
        cx,
        count,
        buffer: Vec::with_capacity(2 * WRITE_BYTES),
        has_looked: false,
        ranges: None,
    };
    let end = match reading.read(started).await {
        Ok(end) | Err(end) => end,
    };
    consuming::close(reading.consumer, matches!(end, End::Signal(_))).await;
    Ok(end)
}

fn tell_head(plan: &Plan, cx: &mut Context) -> Result<(), End> {
    let head = plan.formatter.head();
    let told = cx.out.write_all(head.as_bytes());
    told.and_then(|()| cx.flush()).map_err(End::Output)
}

struct Reading<'a> {
    plan: &'a Plan,
    progress: Progress,
    consumer: Consumer,
    signals: Signals,
    cx: &'a mut Context,
    count: &'a mut u64,
    buffer: Vec<u8>,
    has_looked: bool,
    /// Where ranges are read.
    ranges: Option<Ranges>,
}

impl Reading<'_> {
    async fn read(&mut self, started: Instant) -> Result<End, End> {
        let Source::Ranges(topics, partition) = &self.plan.source else {
            self.begin().await.map_err(End::Refused)?;
            return Ok(self.go_on(started).await);
        };
        let selection = &self.plan.selection;
        let Some(bounds) = &selection.bounds else {
            return Ok(End::Enough);
        };
        let wanted = Wanted {
            topics,
            partition: *partition,
            key: selection.key.as_deref(),
            bounds,
        };
        let looked_up = tokio::select! {
            biased;
            status = self.signals.first() => return Err(End::Signal(status)),
            looked_up = look_up(&wanted, &self.consumer) => looked_up,
        };
        let ranges = looked_up.map_err(End::Unusable)?;
        match selection.tail {
            Some(count) => self.tail(count, ranges).await,
            None => {
                self.open(&ranges)?;
                Ok(self.go_on(started).await)
            }
        }
    }

    fn open(&mut self, ranges: &[Range]) -> Result<(), End> {
        let ranges = Ranges::begin(ranges, &mut self.consumer);
        self.ranges = Some(ranges.map_err(|error| self.refused(error))?);
        Ok(())
    }

    /// The last records, looked for ever further back: where records were compacted away, are of transactions, or are not
    /// wanted, there are fewer of them than offsets.
    async fn tail(&mut self, count: usize, ranges: Vec<Range>) -> Result<End, End> {
        let mut span = i64::try_from(count).unwrap_or(i64::MAX);
        loop {
            let back = |range: &Range| Range {
                start: range
                    .end
                    .map_or(range.start, |end| end.saturating_sub(span))
                    .max(range.beginning),
                ..range.clone()
            };
            let parts: Vec<Range> = ranges.iter().map(back).collect();
            self.open(&parts)?;
            let mut latest = Latest::new(count, parts.len());
            loop {
                let records = match self.next(Instant::now()).await {
                    Ok(records) => records,
                    Err(End::Enough) => break,
                    Err(end) => return Err(end),
                };
                for record in &records {
                    latest.see(record, self.plan.selection.filter.allows(record));
                }
            }
            if latest.is_complete(&parts) {
                self.show(&latest.into_records())?;
                return Ok(End::Enough);
            }
            span = span.saturating_mul(LOOKED_BACK_MORE);
        }
    }

    /// With options of our own, what fails is a failure.
    fn refused(&self, error: ConsumerError) -> End {
        match self.plan.source {
            Source::Ranges(..) => {
                End::Unusable(Failure::new(format!("{}.", connect::capitalized(&error))))
            }
            _ => End::Refused(error),
        }
    }

    async fn begin(&mut self) -> Result<(), ConsumerError> {
        match &self.plan.source {
            Source::Ranges(..) => Ok(()),
            Source::Partition(at, start) => {
                self.consumer.assign([at.clone()])?;
                match start {
                    Start::Earliest => self.consumer.seek_to_beginning(at),
                    Start::Latest => self.consumer.seek_to_end(at),
                    Start::At(offset) => self.consumer.seek(at, *offset),
                }
            }
            Source::Topic(topic) => self.consumer.subscribe([topic]).await,
            Source::Pattern(pattern) => {
                let pattern = pattern.clone();
                let fits = move |topic: &str| pattern.is_match(topic);
                self.consumer.subscribe_pattern(Arc::new(fits))
            }
        }
    }

    async fn go_on(&mut self, started: Instant) -> End {
        let mut waiting_since = started;
        loop {
            let records = match self.next(waiting_since).await {
                Ok(records) => records,
                Err(end) => return end,
            };
            if let Err(end) = self.show(&records) {
                return end;
            }
            waiting_since = Instant::now();
        }
    }

    /// The next records; never none.
    async fn next(&mut self, since: Instant) -> Result<Vec<ConsumerRecord>, End> {
        loop {
            if self.ranges.as_ref().is_some_and(Ranges::is_done) {
                return Err(End::Enough);
            }
            let left = match self.plan.patience {
                Some(patience) => patience.saturating_sub(since.elapsed()),
                None => Duration::MAX,
            };
            let within = match self.has_looked {
                true => left,
                false => left.min(LOOK_AFTER),
            };
            // The end of a range may be behind markers and gaps, of which nothing is handed out.
            let has_ends = self.ranges.as_ref().is_some_and(Ranges::has_ends);
            let within = if has_ends {
                within.min(LOOK_AT_ENDS_EVERY)
            } else {
                within
            };
            let polled = tokio::select! {
                biased;
                status = self.signals.first() => return Err(End::Signal(status)),
                polled = self.consumer.poll(within) => polled,
            };
            let mut polled = polled.map_err(|error| self.refused(error))?;
            if let Some(ranges) = &mut self.ranges {
                ranges.cut(&mut polled);
                let closed = ranges.close_read(&mut self.consumer);
                closed.map_err(|error| self.refused(error))?;
            }
            if !polled.is_empty() {
                return Ok(polled);
            }
            if has_ends && since.elapsed() < LOOK_AFTER.min(left) {
                continue;
            }
            self.look().await;
            if let Some(patience) = self.plan.patience
                && since.elapsed() >= patience
            {
                return Err(End::TimedOut(patience));
            }
        }
    }

    /// Says once if what is waited for does not exist.
    async fn look(&mut self) {
        if std::mem::replace(&mut self.has_looked, true) {
            return;
        }
        let metadata = self.consumer.cluster().metadata();
        match &self.plan.source {
            Source::Topic(topic) => {
                consuming::tell_missing([topic.as_str()], &self.consumer, self.cx).await;
            }
            Source::Pattern(pattern) => {
                consuming::tell_unmatched(pattern, &self.consumer, self.cx).await;
            }
            Source::Partition(at, _)
                if metadata.leader(&at.topic, at.partition.into()).is_none() =>
            {
                self.cx.warn(format!(
                    "Partition {at} does not exist, or has no leader (yet)."
                ));
            }
            _ => {}
        }
    }

    /// Writes records, as many as are wanted, and flushes.
    fn show(&mut self, records: &[ConsumerRecord]) -> Result<(), End> {
        let filter = &self.plan.selection.filter;
        let is_open = filter.is_open();
        let mut shown = 0;
        for (index, record) in records.iter().enumerate() {
            if self.plan.records_max == Some(*self.count) {
                break;
            }
            shown = index + 1;
            if !is_open && !filter.allows(record) {
                continue;
            }
            *self.count += 1;
            if let Err(error) = self.plan.formatter.write(record, &mut self.buffer) {
                if !self.plan.skips_errors {
                    self.put_back(records.get(index + 1..).unwrap_or_default());
                    self.write_out(records)?;
                    return Err(End::Unformattable(error));
                }
                self.write_out(records)?;
                self.cx.warn(format!("A record is skipped: {error}"));
            }
            if self.buffer.len() >= WRITE_BYTES {
                self.write_out(records)?;
            }
        }
        self.write_out(records)?;
        let flushed = self.cx.flush();
        flushed.map_err(|error| self.unwritten(records, error))?;
        self.progress.set(*self.count);
        if self.plan.records_max == Some(*self.count) {
            self.put_back(records.get(shown..).unwrap_or_default());
            return Err(End::Enough);
        }
        Ok(())
    }

    fn write_out(&mut self, records: &[ConsumerRecord]) -> Result<(), End> {
        let written = match self.cx.stdout_is_terminal {
            true => self.cx.out.write_all(&harmless(&self.buffer)),
            false => self.cx.out.write_all(&self.buffer),
        };
        self.buffer.clear();
        written.map_err(|error| self.unwritten(records, error))
    }

    /// How much of a poll's records has arrived nobody knows: all of them are given back.
    fn unwritten(&mut self, records: &[ConsumerRecord], error: io::Error) -> End {
        self.put_back(records);
        End::Output(error)
    }

    /// Moves the positions back before these records, so that closing does not commit them.
    fn put_back(&mut self, records: &[ConsumerRecord]) {
        let mut first: HashMap<(&str, i32), i64> = HashMap::new();
        for record in records {
            first
                .entry((&record.topic, record.partition))
                .or_insert(record.offset);
        }
        for ((topic, partition), offset) in first {
            // A partition that has gone to another member has its position there.
            let at = TopicPartition::new(topic, partition);
            self.consumer.seek(&at, offset).ok();
        }
    }
}
