//! `kafka-producer-perf-test`: how many records a second a topic takes, and how long each waits for its acknowledgement.
//!
//! Always: a record that was not delivered is told on standard error and counted nowhere, and leaves the status at 0, as in
//! the reference; a topic that cannot be looked up, or a transaction that fails, ends the tool with 1.

mod args;
mod payload;
mod recorder;
mod render;
mod stats;

use std::io::Write;
use std::pin::pin;
use std::sync::Arc;

use clap::CommandFactory;
use ottla_client::cluster::{Cluster, ClusterSettings};
use ottla_client::producer::{
    Delivery, ProduceError, Producer, ProducerSettings, Record, Transaction, TransactionalProducer,
};
use tokio::task::coop::consume_budget;

use crate::argparse;
use crate::context::{self, Context};
use crate::help_text;
use crate::output::{Format, Stream};
use crate::producing::{self, Troubles, committed, failed_transaction, not_in_transaction};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::throttle::Throttle;
use crate::tool::Tool;
use args::{Args, Plan};
use payload::Payloads;
use recorder::{Recorder, Report};

pub const TOOL: Tool = Tool {
    name: "producer-perf-test",
    link: PROGRAM,
    about: "Measure how fast a topic takes records",
    command: Args::command,
    run,
};

const PROGRAM: &str = "kafka-producer-perf-test";

/// Records between two looks at the bar.
const PROGRESS_EVERY: u64 = 256;

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    if words.is_empty() {
        let help = help_text::long(Args::command().bin_name(&cx.program));
        return Ok(write!(cx.out, "{help}")?);
    }
    let args: Args = argparse::start(words, PROGRAM, cx)?;
    let format = args.output.output;
    let mut notices = Vec::new();
    let plan = match args::plan(args, &mut notices) {
        Ok(plan) => plan,
        Err(stop) => {
            for line in notices {
                tell(format, line, cx)?;
            }
            return Err(stop);
        }
    };
    let mut told = Vec::new();
    let payloads = Payloads::of(&plan.source, |line| told.push(line));
    for line in told.iter().map(String::as_str).chain(notices) {
        tell(format, line, cx)?;
    }
    let payloads = payloads?;
    let (cluster, mut settings) = producing::settings(&plan.properties, cx)?;
    let recorder = Arc::new(Recorder::new(plan.records, plan.reporting_interval_ms));
    let troubles = Troubles::default();
    let (seen, failed) = (recorder.clone(), troubles.clone());
    settings.observer = Some(Arc::new(move |report| {
        failed.note(report);
        seen.answered(report);
    }));
    let clients = (cluster, settings);
    context::block_on(async {
        let mut signals = Signals::listen()?;
        let measuring = measure(&plan, payloads, recorder, troubles, clients, cx);
        signals.allow(measuring).await
    })?
}

/// What the reference says besides figures; beside JSON it goes to standard error.
fn tell(format: Format, line: &str, cx: &mut Context) -> Result<(), Stop> {
    match format {
        Format::Table => writeln!(cx.out, "{line}")?,
        Format::Data(_) => cx.warn(line),
    }
    Ok(())
}

async fn measure(
    plan: &Plan,
    payloads: Payloads,
    recorder: Arc<Recorder>,
    troubles: Troubles,
    (cluster, settings): (ClusterSettings, ProducerSettings),
    cx: &mut Context,
) -> Result<(), Stop> {
    let client_id = cluster.conn.client_id.clone();
    let close_within = settings.delivery_timeout;
    let cluster = Cluster::connect(cluster).await;
    let cluster = cluster.map_err(|error| Failure::new(format!("{error}.")))?;
    let progress = Progress::of_run(plan.records, cx);
    let run = |cx, recorder: Arc<Recorder>| Run {
        plan,
        payloads,
        throttle: Throttle::new(plan.throughput, recorder.started()),
        recorder,
        troubles,
        stream: Stream::of(plan.format, render::ROWS),
        progress,
        cx,
    };
    let mut run = match plan.transaction_duration_ms {
        Some(duration_ms) => {
            let producer = TransactionalProducer::init(cluster, settings).await;
            let mut producer = producer.map_err(failed_transaction)?;
            let mut run = run(cx, recorder);
            run.begin()?;
            let sent = run.send_in_transactions(&mut producer, duration_ms).await;
            run.meanwhile(producer.close(close_within)).await?;
            sent?;
            run
        }
        None => {
            let producer = Producer::start(cluster, settings);
            let mut run = run(cx, recorder);
            run.begin()?;
            let sent = run.send_all(&producer).await;
            run.meanwhile(producer.close(close_within)).await?;
            sent?;
            run
        }
    };
    run.show()?;
    run.progress.finish();
    run.show_totals(&client_id)
}

/// A run of the test.
struct Run<'a> {
    plan: &'a Plan,
    payloads: Payloads,
    throttle: Throttle,
    recorder: Arc<Recorder>,
    troubles: Troubles,
    /// Where it is told as data.
    stream: Option<Stream>,
    progress: Progress,
    cx: &'a mut Context,
}

impl Run<'_> {
    fn begin(&mut self) -> Result<(), Stop> {
        let warmup = self.plan.warmup_records;
        if warmup == 0 {
            return Ok(());
        }
        let line = format!(
            "Warmup first {warmup} records. Steady state results will print after the complete test summary."
        );
        tell(self.plan.format, &line, self.cx)
    }

    async fn send_all(&mut self, producer: &Producer) -> Result<(), Stop> {
        let (plan, cluster) = (self.plan, producer.cluster());
        for index in 0..plan.records {
            let at_once = |record: &Record<'_>| producer.try_send(record);
            let later = async |record: Record<'_>| {
                producing::waiting_for(&[&plan.topic], cluster, producer.send(record)).await
            };
            self.send(index, at_once, later).await?;
        }
        Ok(())
    }

    async fn send_in_transactions(
        &mut self,
        producer: &mut TransactionalProducer,
        duration_ms: u64,
    ) -> Result<(), Stop> {
        let mut index = 0;
        while index < self.plan.records {
            let transaction = producer.begin().await.map_err(failed_transaction)?;
            index = self.fill(&transaction, index, duration_ms).await?;
            let outcome = self.meanwhile(transaction.commit()).await?;
            committed(outcome, producer).await?;
        }
        Ok(())
    }

    /// Sends records until it is time to commit. Returns the number of the next one.
    async fn fill(
        &mut self,
        transaction: &Transaction<'_>,
        first: u64,
        duration_ms: u64,
    ) -> Result<u64, Stop> {
        let began_ms = self.recorder.now_ms();
        for index in first..self.plan.records {
            let at_ms = self
                .send(
                    index,
                    |_| None,
                    async |record| transaction.send(record).await,
                )
                .await?;
            if at_ms.saturating_sub(began_ms) >= duration_ms {
                return Ok(index + 1);
            }
        }
        Ok(self.plan.records)
    }

    /// Sends the record of this number, later where it can't be at once, and waits until the next one may come. Returns when it
    /// was sent.
    async fn send(
        &mut self,
        index: u64,
        at_once: impl FnOnce(&Record<'_>) -> Option<Result<Delivery, ProduceError>>,
        later: impl AsyncFnOnce(Record<'_>) -> Result<Delivery, ProduceError>,
    ) -> Result<u64, Stop> {
        if index > 0 && index == self.plan.warmup_records {
            let records = self.plan.records - index;
            self.recorder.begin_steady_state(records);
        }
        let value = self.payloads.next(index);
        let bytes = value.len();
        if index.is_multiple_of(PROGRESS_EVERY) {
            self.progress.set(index);
        }
        let at_ms = self.recorder.now_ms();
        let record = Record {
            topic: &self.plan.topic,
            value: Some(value),
            // One look at the clock does for both.
            timestamp: Some(self.recorder.timestamp_at(at_ms)),
            ..Default::default()
        };
        let outcome = match at_once(&record) {
            Some(outcome) => outcome,
            None => later(record).await,
        };
        match outcome {
            Ok(delivery) => {
                if self.recorder.sent(delivery.partition(), at_ms, bytes) {
                    self.show()?;
                }
            }
            Err(error) => self.refused(&error)?,
        }
        // Where the producer takes each at once, others still have their turn: the sender, and a signal.
        consume_budget().await;
        if let Some(pause) = self.throttle.pause_after(index + 1) {
            // Where it waits anyway, looking is free; else a slow run would stand at nothing.
            self.progress.set(index + 1);
            self.meanwhile(pause.over()).await?;
        }
        Ok(at_ms)
    }

    /// The producer did not take a record. Where the topic cannot be found, the next one fares no better, and takes a minute
    /// to say so.
    fn refused(&mut self, error: &ProduceError) -> Result<(), Stop> {
        let topic = &self.plan.topic;
        let text = error.to_string();
        if self.plan.transaction_duration_ms.is_some() {
            return Err(not_in_transaction(topic, &text).into());
        }
        if let ProduceError::Client(_) = error {
            let text = format!("A record was not sent to topic {topic}: {text}.");
            return Err(Stop::failed(text));
        }
        self.recorder.refused();
        self.troubles.add(1, text);
        Ok(())
    }

    /// Waits, and shows what there is to show meanwhile.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let recorder = self.recorder.clone();
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = recorder.news.notified() => self.show()?,
            }
        }
    }

    fn show(&mut self) -> Result<(), Stop> {
        let reports = self.recorder.take_reports();
        let Self {
            stream,
            troubles,
            cx,
            plan,
            ..
        } = self;
        cx.aside(|cx| show(&reports, stream, troubles, &plan.topic, cx))
    }

    fn show_totals(&mut self, client_id: &str) -> Result<(), Stop> {
        let (all, steady) = self.recorder.totals();
        let counts = self.recorder.counts();
        for (total, is_steady) in [(Some(&all), false), (steady.as_ref(), true)] {
            let Some(total) = total else { continue };
            match &mut self.stream {
                None => writeln!(self.cx.out, "{}", render::total(total, is_steady))?,
                Some(stream) => {
                    let value = render::json_total(total, &counts, is_steady);
                    stream.tell(value, self.cx)?;
                }
            }
        }
        if self.plan.print_metrics && self.plan.format == Format::Table {
            let metrics = render::metrics(&counts, &all.sum, client_id);
            self.cx.out.write_all(metrics.as_bytes())?;
        }
        Ok(())
    }
}

fn show(
    reports: &[Report],
    stream: &mut Option<Stream>,
    troubles: &Troubles,
    topic: &str,
    cx: &mut Context,
) -> Result<(), Stop> {
    for report in reports {
        match stream {
            None => writeln!(cx.out, "{}", render::report(report))?,
            Some(stream) => {
                if let Some(value) = render::json_report(report) {
                    stream.tell(value, cx)?;
                }
            }
        }
    }
    cx.flush()?;
    troubles.tell(topic, cx);
    Ok(())
}
