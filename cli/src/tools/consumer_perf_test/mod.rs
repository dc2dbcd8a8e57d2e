//! `kafka-consumer-perf-test`: how fast records of topics are read.
//!
//! Always: too few records leave the status at 0, with a line on standard output, as in the reference; a signal ends with 128
//! and its number. Whole polls are read, so that there may be some records more than were asked for.

mod args;
mod figures;

use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::CommandFactory;
use jiff::Timestamp;
use ottla_client::admin::TopicPartition;
use ottla_client::cluster::ClusterSettings;
use ottla_client::consumer::{Consumer, ConsumerRecord, ConsumerSettings, RebalanceListener};

use crate::connect::capitalized;
use crate::consuming::{self, NoCluster};
use crate::context::{self, Context};
use crate::nearest::LOOK_AFTER;
use crate::options;
use crate::output::{Format, Stream};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use args::{Args, Plan, Source};
use figures::{Count, Span};

pub const TOOL: Tool = Tool {
    name: "consumer-perf-test",
    link: "kafka-consumer-perf-test",
    about: "Measure how fast records of topics are read",
    command: Args::command,
    run,
};

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    args::check(&args, cx)?;
    if let Some(header) = args::header(&args, args::format(&args)?) {
        writeln!(cx.out, "{header}")?;
        cx.flush()?;
    }
    let plan = args::plan(&args)?;
    let settings = consuming::settings(&plan.properties, cx)?;
    let client_id = settings.0.conn.client_id.clone();
    let joins = Joins::begin();
    let started_ms = now_ms();
    let mut stream = Stream::of(plan.format, figures::ROWS);
    let outcome = context::block_on(measure(&plan, settings, &joins, &mut stream, cx))?;
    let read = outcome?;
    let span = Span {
        from_ms: started_ms,
        to_ms: read.ended_ms,
        rebalance_ms: joins.total_ms(),
        read: read.count,
    };
    match &mut stream {
        Some(stream) => stream.tell(figures::json("total", &span), cx)?,
        None if plan.details_every_ms.is_none() => {
            writeln!(cx.out, "{}", figures::total(&span, &plan.dates))?;
        }
        None => {}
    }
    if plan.print_metrics && plan.format == Format::Table {
        write!(cx.out, "{}", figures::metrics(&span, &client_id))?;
    }
    Ok(())
}

struct Read {
    count: Count,
    ended_ms: i64,
}

async fn measure(
    plan: &Plan,
    (cluster, settings): (ClusterSettings, ConsumerSettings),
    joins: &Arc<Joins>,
    stream: &mut Option<Stream>,
    cx: &mut Context,
) -> Result<Read, Stop> {
    let mut signals = Signals::listen()?;
    let found = consuming::connect(Some(plan.timeout), cluster, &mut signals, cx).await;
    let cluster = match found {
        Ok(cluster) => cluster,
        Err(NoCluster::TimedOut(_)) => return ended(plan, Count::default(), cx),
        Err(NoCluster::Unusable(failure)) => return Err(failure.into()),
        Err(NoCluster::Signal(status)) => return Err(Stop::Status(status)),
    };
    let mut consumer = Consumer::start(cluster, settings);
    consumer.set_rebalance_listener(Box::new(Listener(joins.clone())));
    let outcome = match subscribe(&mut consumer, &plan.source).await {
        Ok(()) => read(plan, &mut consumer, joins, stream, &mut signals, cx).await,
        Err(failure) => Err(failure.into()),
    };
    let outcome = outcome.and_then(|count| ended(plan, count, cx));
    consuming::close(consumer, matches!(outcome, Err(Stop::Status(_)))).await;
    outcome
}

async fn subscribe(consumer: &mut Consumer, source: &Source) -> Result<(), Failure> {
    let subscribed = match source {
        Source::Topic(topic) => consumer.subscribe([topic]).await,
        Source::Pattern(pattern) => {
            let pattern = pattern.clone();
            consumer.subscribe_pattern(Arc::new(move |topic: &str| pattern.is_match(topic)))
        }
    };
    subscribed.map_err(|error| Failure::new(format!("{}.", capitalized(error))))
}

/// Says if what is waited for does not exist.
async fn look(source: &Source, consumer: &Consumer, cx: &mut Context) -> Result<(), Failure> {
    match source {
        Source::Topic(topic) => {
            if let Some(failure) = consuming::denied(topic, consumer) {
                return Err(failure);
            }
            consuming::tell_missing([topic.as_str()], consumer, cx).await;
        }
        Source::Pattern(pattern) => consuming::tell_unmatched(pattern, consumer, cx).await,
    }
    Ok(())
}

/// Reads until there is enough, or nothing comes any more.
async fn read(
    plan: &Plan,
    consumer: &mut Consumer,
    joins: &Joins,
    stream: &mut Option<Stream>,
    signals: &mut Signals,
    cx: &mut Context,
) -> Result<Count, Stop> {
    let progress = Progress::of_run(plan.records.unsigned_abs(), cx);
    let mut all = Count::default();
    let mut reported = (all, now_ms());
    let mut waiting_since = Instant::now();
    let mut has_looked = false;
    while all.records < plan.records && waiting_since.elapsed() <= plan.timeout {
        let left = plan.timeout.saturating_sub(waiting_since.elapsed());
        let left = if has_looked {
            left
        } else {
            left.min(LOOK_AFTER)
        };
        let polled = tokio::select! {
            biased;
            status = signals.first() => return Err(Stop::Status(status)),
            polled = consumer.poll(left) => polled,
        };
        let records = polled.map_err(|error| Stop::failed(format!("{}.", capitalized(error))))?;
        if records.is_empty() {
            if !std::mem::replace(&mut has_looked, true) {
                look(&plan.source, consumer, cx).await?;
            }
            continue;
        }
        has_looked = true;
        waiting_since = Instant::now();
        progress.set(all.records.unsigned_abs());
        let now_ms = now_ms();
        for record in &records {
            all.records += 1;
            all.bytes += size(record);
            let (before, at_ms) = reported;
            if plan
                .details_every_ms
                .is_some_and(|every_ms| now_ms - at_ms >= every_ms)
            {
                let span = Span {
                    from_ms: at_ms,
                    to_ms: now_ms,
                    rebalance_ms: joins.take_round_ms(),
                    read: Count {
                        records: all.records - before.records,
                        bytes: all.bytes - before.bytes,
                    },
                };
                reported = (all, now_ms);
                cx.aside(|cx| report(plan, &span, &all, stream, cx))?;
            }
        }
    }
    Ok(all)
}

fn report(
    plan: &Plan,
    span: &Span,
    all: &Count,
    stream: &mut Option<Stream>,
    cx: &mut Context,
) -> Result<(), Stop> {
    match stream {
        None => writeln!(cx.out, "{}", figures::interval(span, all, &plan.dates))?,
        Some(stream) => stream.tell(figures::json("interval", span), cx)?,
    }
    Ok(cx.flush()?)
}

fn size(record: &ConsumerRecord) -> u64 {
    let parts = [&record.key, &record.value];
    let sizes = parts.map(|part| part.as_ref().map_or(0, |bytes| bytes.len() as u64));
    sizes.iter().sum()
}

/// Says so where it was not enough.
fn ended(plan: &Plan, count: Count, cx: &mut Context) -> Result<Read, Stop> {
    let ended_ms = now_ms();
    if count.records < plan.records {
        let line = format!(
            "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. \
             You can use the --timeout option to increase the timeout.",
            plan.timeout.as_millis()
        );
        match plan.format {
            Format::Table => writeln!(cx.out, "{line}")?,
            Format::Data(_) => cx.warn(line),
        }
    }
    Ok(Read { count, ended_ms })
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// How long the group has needed to share the partitions out.
struct Joins {
    since: Mutex<Instant>,
    all_ms: AtomicI64,
    /// Since the last report.
    round_ms: AtomicI64,
}

impl Joins {
    fn begin() -> Arc<Self> {
        Arc::new(Self {
            since: Mutex::new(Instant::now()),
            all_ms: AtomicI64::new(0),
            round_ms: AtomicI64::new(0),
        })
    }

    fn total_ms(&self) -> i64 {
        self.all_ms.load(Ordering::Relaxed)
    }

    fn take_round_ms(&self) -> i64 {
        self.round_ms.swap(0, Ordering::Relaxed)
    }
}

/// What the consumer tells of rebalances.
struct Listener(Arc<Joins>);

impl RebalanceListener for Listener {
    fn on_assigned(&mut self, _: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        let since = *self.0.since.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.0.all_ms.fetch_add(ms, Ordering::Relaxed);
        self.0.round_ms.fetch_add(ms, Ordering::Relaxed);
        Vec::new()
    }

    fn on_revoked(&mut self, _: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        *self.0.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Vec::new()
    }
}
