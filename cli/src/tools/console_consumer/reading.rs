//! Reading: from polls to bytes on standard output, until there is a reason to end.
//!
//! Always: what a poll has brought is written and flushed before the next one, because that one may commit it; what
//! was brought and not written is given back before the consumer closes.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, TopicPartition};
use ottla_client::cluster::{Cluster, ClusterSettings};
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerRecord, ConsumerSettings};

use super::formatter::FormatError;
use super::plan::{Plan, Source, Start};
use crate::consuming::{self, NoCluster};
use crate::context::Context;
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

/// Longer than this nothing is waited for when the consumer closes.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// Longer than this nothing is waited for when the group that the tool made is deleted.
const FORGET_WITHIN: Duration = Duration::from_secs(2);

/// After so long without a record it is worth a look whether there can be any.
const LOOK_AFTER: Duration = Duration::from_secs(2);

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
    let end = match read_counting(plan, cluster, settings, cx, &mut count).await {
        Ok(end) | Err(end) => end,
    };
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
        return Ok(End::Enough);
    }
    let mut signals = Signals::listen().map_err(End::Output)?;
    let started = Instant::now();
    let cluster = consuming::connect(plan.patience, cluster, &mut signals, cx).await?;
    let mut reading = Reading {
        plan,
        progress: Progress::of_records(plan.records_max, cx),
        consumer: Consumer::start(cluster, settings),
        signals,
        cx,
        count,
        buffer: Vec::with_capacity(2 * WRITE_BYTES),
        has_looked: false,
    };
    let begun = reading.begin().await.map_err(End::Refused);
    let end = match begun {
        Ok(()) => reading.go_on(started).await,
        Err(end) => end,
    };
    let cluster = reading.consumer.cluster().clone();
    reading.consumer.close(CLOSE_WITHIN).await;
    if let Some(group) = &plan.ephemeral_group {
        forget(group, cluster).await;
    }
    Ok(end)
}

/// The reference leaves the empty group to the coordinator, which lists it until it looks for expired offsets, ten minutes
/// later by default. A group that cannot be deleted goes that way: nobody asked for it, and nobody needs to know.
async fn forget(group: &str, cluster: Cluster) {
    let admin = Admin::over(cluster).with_timeout(FORGET_WITHIN);
    admin.delete_groups(&[group.to_owned()]).await.ok();
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
}

impl Reading<'_> {
    async fn begin(&mut self) -> Result<(), ConsumerError> {
        match &self.plan.source {
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
            let left = match self.plan.patience {
                Some(patience) => patience.saturating_sub(since.elapsed()),
                None => Duration::MAX,
            };
            let within = match self.has_looked {
                true => left,
                false => left.min(LOOK_AFTER),
            };
            let polled = tokio::select! {
                biased;
                status = self.signals.first() => return Err(End::Signal(status)),
                polled = self.consumer.poll(within) => polled.map_err(End::Refused)?,
            };
            if !polled.is_empty() {
                return Ok(polled);
            }
            self.look();
            if let Some(patience) = self.plan.patience
                && since.elapsed() >= patience
            {
                return Err(End::TimedOut(patience));
            }
        }
    }

    /// Says once if what is waited for does not exist.
    fn look(&mut self) {
        if std::mem::replace(&mut self.has_looked, true) {
            return;
        }
        let metadata = self.consumer.cluster().metadata();
        let exists = |topic: &str| {
            metadata
                .topic(topic)
                .is_some_and(|topic| topic.error.is_none())
        };
        match &self.plan.source {
            Source::Topic(topic) if !exists(topic) => {
                self.cx.warn(format!("Topic {topic} does not exist (yet)."));
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
        let left = self
            .plan
            .records_max
            .map_or(u64::MAX, |max| max - *self.count);
        let wanted = records
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        for (index, record) in records.iter().take(wanted).enumerate() {
            *self.count += 1;
            if let Err(error) = self.plan.formatter.write(record, &mut self.buffer) {
                if !self.plan.skips_errors {
                    self.put_back(records.get(index + 1..).unwrap_or_default());
                    self.write_out(records)?;
                    return Err(End::Unformattable(error));
                }
                self.write_out(records)?;
                let skipped = format!("A record is skipped: {error}");
                self.progress.aside(|| self.cx.warn(skipped));
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
            self.put_back(records.get(wanted..).unwrap_or_default());
            return Err(End::Enough);
        }
        Ok(())
    }

    fn write_out(&mut self, records: &[ConsumerRecord]) -> Result<(), End> {
        let written = self.cx.out.write_all(&self.buffer);
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
