//! `ottla pipe`: any filter as a stream processor between topics. The reference has no such tool.
//!
//! Always: a record's results and its offset are committed together (with `--exactly-once`), or its results first; what the
//! filter has not answered comes again, to this pipe or to another of the group. Records are read no faster than they are answered.
//! Ends with 0 where no record came for `--timeout`, with 128 and its number by a signal, else with 1.

mod args;
mod filter;
mod format;
mod workers;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use clap::CommandFactory;
use serde_json::json;

use ottla_client::cluster::Cluster;
use ottla_client::config::ClientKind;
use ottla_client::consumer::{Consumer, ConsumerSettings};
use ottla_client::process::{Exchange, ProcessSettings, Processed, Results};
use ottla_client::producer::{Producer, ProducerSettings, TransactionalProducer};

use crate::connect::{self, capitalized, warn_of_unknown};
use crate::consuming;
use crate::context::{self, Context};
use crate::options;
use crate::output::{Format, Report, json_text};
use crate::producing;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use args::{Args, Plan};
use workers::Workers;

pub const TOOL: Tool = Tool {
    name: "pipe",
    link: "ottla-pipe",
    about: "Run a filter between topics, exactly once",
    command: Args::command,
    run,
};

/// How long the end may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How long, once there is a signal, the brokers may take for the results of the batch under way. It comes again otherwise.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How often a pipe without records looks up.
const LOOKS_UP_EVERY: Duration = Duration::from_secs(1);

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let mut halves = words.splitn(2, |word| word == "--");
    let (words, command) = (
        halves.next().unwrap_or_default(),
        halves.next().unwrap_or_default(),
    );
    let args: Args = options::start_own(words)?;
    let plan = args::plan(&args, command, rand::random());
    let plan = plan.map_err(options::of_command_line)?;
    let clients = Clients::from(&plan, cx)?;
    context::block_on_beside(pipe(&plan, clients, cx))?
}

/// What both clients go by.
struct Clients {
    consumer: (ottla_client::cluster::ClusterSettings, ConsumerSettings),
    producer: (ottla_client::cluster::ClusterSettings, ProducerSettings),
}

impl Clients {
    fn from(plan: &Plan, cx: &mut Context) -> Result<Self, Failure> {
        let mut settings_of = |kind: ClientKind, properties: &[(String, String)]| {
            let pairs = properties.iter().map(|(key, value)| (key, value));
            let settings = kind.settings(pairs).map_err(failed)?;
            for key in settings.unknown() {
                warn_of_unknown(key, cx);
            }
            let cluster = connect::cluster_settings(kind, &settings, cx);
            Ok::<_, Failure>((settings, cluster.map_err(failed)?))
        };
        let (consumer, consumer_cluster) = settings_of(ClientKind::Consumer, &plan.consumer)?;
        let (producer, mut producer_cluster) = settings_of(ClientKind::Producer, &plan.producer)?;
        let consumer = ConsumerSettings::from_config(&consumer).map_err(failed)?;
        let producer = ProducerSettings::from_config(&producer).map_err(failed)?;
        // A batch that was not written comes again, for as long as it takes.
        producer_cluster.on_misadvertised = Some(connect::tells_once());
        Ok(Self {
            consumer: (consumer_cluster, consumer),
            producer: (producer_cluster, producer),
        })
    }

    async fn connect(self, plan: &Plan) -> Result<Exchange, Failure> {
        let (cluster, settings) = self.consumer;
        let cluster = Cluster::connect(cluster).await.map_err(failed)?;
        let consumer = Consumer::start(cluster, settings);
        let (cluster, settings) = self.producer;
        let cluster = Cluster::connect(cluster).await.map_err(failed)?;
        let exchange = match plan.is_exactly_once {
            true => {
                let producer = TransactionalProducer::init(cluster, settings);
                Exchange::exactly_once(consumer, producer.await.map_err(failed)?)
            }
            false => Exchange::at_least_once(consumer, Producer::start(cluster, settings)),
        };
        let mut exchange = exchange.map_err(failed)?;
        let subscribed = exchange.consumer().subscribe(plan.topics.clone()).await;
        subscribed.map_err(failed)?;
        Ok(exchange)
    }
}

fn failed(error: impl ToString) -> Failure {
    Failure::new(format!("{}.", capitalized(error)))
}

async fn pipe(plan: &Plan, clients: Clients, cx: &mut Context) -> Result<(), Stop> {
    let mut signals = Signals::listen()?;
    let mut workers = Workers::start(plan.work.clone(), plan.workers).map_err(failed)?;
    let mut exchange = tokio::select! {
        biased;
        status = signals.first() => return Err(Stop::Status(status)),
        exchange = clients.connect(plan) => exchange?,
    };
    let started = Instant::now();
    let mut done = Processed::default();
    let outcome = pass_on(
        plan,
        &mut exchange,
        &mut workers,
        &mut signals,
        &mut done,
        cx,
    )
    .await;
    done.retries = workers.retries;
    exchange.close(CLOSE_WITHIN).await;
    let text = told(&done, workers.restarts(), started.elapsed(), plan.output);
    cx.out.write_all(text.as_bytes())?;
    workers.close().await;
    outcome
}

/// Batch after batch, until there is a reason to end. A batch that has begun is finished first.
async fn pass_on(
    plan: &Plan,
    exchange: &mut Exchange,
    workers: &mut Workers,
    signals: &mut Signals,
    done: &mut Processed,
    cx: &mut Context,
) -> Result<(), Stop> {
    let progress = Progress::of_stream(cx);
    let settings = ProcessSettings {
        batch_records: plan.batch_records,
        batch_linger: plan.batch_time,
        retries: plan.work.retries,
        dead_letter: plan.dead_letter.clone(),
        ..ProcessSettings::default()
    };
    // Nothing can come before the group has given its partitions out, which may take longer than the time to wait.
    let mut idle_since = None;
    let mut has_looked = false;
    let cluster = exchange.consumer().cluster().clone();
    loop {
        if idle_since.is_none() && exchange.consumer().group_metadata().is_some() {
            idle_since = Some(Instant::now());
        }
        let idle = plan.timeout.zip(idle_since);
        let idle = idle.map(|(timeout, since)| timeout.saturating_sub(since.elapsed()));
        if idle.is_some_and(|left| left.is_zero()) {
            return Ok(());
        }
        let within = idle.unwrap_or(LOOKS_UP_EVERY).min(LOOKS_UP_EVERY);
        let batch = tokio::select! {
            biased;
            status = signals.first() => return Err(Stop::Status(status)),
            batch = exchange.next(plan.batch_records, within, plan.batch_time) => batch,
        };
        let batch = batch.map_err(failed)?;
        if batch.is_empty() {
            if done.records == 0 && !std::mem::replace(&mut has_looked, true) {
                let topics = plan.topics.iter().map(String::as_str);
                consuming::tell_missing(topics, exchange.consumer(), cx).await;
            }
            continue;
        }
        let mut results = Results::default();
        let mut topics = BTreeSet::new();
        let outcomes = workers.work(&batch).await.map_err(failed)?;
        for (record, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Ok(outputs) => {
                    for output in &outputs {
                        // One topic or few, and thousands of results.
                        if !topics.contains(&output.topic) {
                            topics.insert(output.topic.clone());
                        }
                    }
                    results.push(outputs);
                }
                Err(given_up) => {
                    topics.extend(plan.dead_letter.clone());
                    let (attempts, reason) = (given_up.attempts, &given_up.reason);
                    let pushed = results.push_failed(exchange, &settings, record, attempts, reason);
                    pushed.map_err(|error| without_dead_letter(&error))?;
                }
            }
        }
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let finishing = exchange.finish(&settings, &batch, results, done);
        let ended = async {
            let status = signals.first().await;
            tokio::time::sleep(FINISH_WITHIN).await;
            status
        };
        tokio::select! {
            biased;
            finished = producing::waiting_for(&topics, &cluster, finishing) => finished.map_err(failed)?,
            status = ended => return Err(Stop::Status(status)),
        };
        progress.tell(
            done.records,
            &format!(
                "{} results, {} dead letters",
                done.results, done.dead_letters
            ),
        );
        idle_since = Some(Instant::now());
    }
}

fn without_dead_letter(error: &impl ToString) -> Failure {
    failed(error.to_string()).hint("--dead-letter TOPIC puts such records aside and goes on.")
}

/// The statistics; docs/json/pipe.md has the form. There is no other layout than data: a line of JSON unless another is wanted.
fn told(done: &Processed, restarts: u64, took: Duration, format: Format) -> String {
    let seconds = took.as_secs_f64();
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    let value = json!({
        "version": 1,
        "records": done.records,
        "results": done.results,
        "deadLetters": done.dead_letters,
        "retries": done.retries,
        "batches": done.batches,
        "replays": done.replays,
        "filterRestarts": restarts,
        "seconds": rounded(seconds),
        "recordsPerSecond": rounded(done.records as f64 / seconds.max(0.001)),
    });
    match format {
        Format::Table => json_text(&value),
        Format::Data(form) => Report::of_one(value, COLUMNS).text(form),
    }
}

const COLUMNS: &[&str] = &[
    "records",
    "results",
    "deadLetters",
    "retries",
    "batches",
    "replays",
    "filterRestarts",
    "seconds",
    "recordsPerSecond",
];
