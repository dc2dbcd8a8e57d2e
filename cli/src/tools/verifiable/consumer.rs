//! Reads a topic as a member of a group, and tells what it reads, commits and is assigned.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use ottla_client::admin::{NewOffset, TopicPartition};
use ottla_client::cluster::ClusterSettings;
use ottla_client::consumer::{
    Consumer, ConsumerError, ConsumerRecord, ConsumerSettings, RebalanceListener,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::argparse::{self, number};
use crate::connect::capitalized;
use crate::consuming::{self, NoCluster};
use crate::context::{self, Context};
use crate::nearest::LOOK_AFTER;
use crate::options::set;
use crate::output::Output;
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

use super::{Connection, Events, event, show_help};

pub const TOOL: Tool = Tool {
    name: "verifiable-consumer",
    link: "kafka-verifiable-consumer",
    about: "Read with a group and tell of it as JSON, for tests",
    command: Args::command,
    run,
};

/// What the reference calls itself.
const PROGRAM: &str = "verifiable-consumer";

/// Longer than this nothing is waited for at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// A poll that brings nothing is begun anew so often.
const POLL_WITHIN: Duration = Duration::from_secs(3600);

/// Read with a group and tell of it as JSON, for tests.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-verifiable-consumer",
    after_help = "\
Examples:
  ottla verifiable-consumer --bootstrap-server localhost:9092 --topic numbers --group-id readers --max-messages 1000
  ottla verifiable-consumer --bootstrap-server localhost:9092 --topic numbers --group-id readers --group-protocol consumer --verbose"
)]
struct Args {
    /// The topic to read
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// The protocol of the group: classic or consumer
    #[arg(long, value_name = "PROTOCOL", default_value = "classic")]
    group_protocol: String,
    /// The assignor that the coordinator is to use, with --group-protocol consumer
    #[arg(long, value_name = "NAME")]
    group_remote_assignor: Option<String>,
    /// The consumer group to be a member of
    #[arg(long, value_name = "GROUP")]
    group_id: String,
    /// The name of a static member
    #[arg(long, value_name = "ID")]
    group_instance_id: Option<String>,
    /// End after so many records; -1: go on until it is ended
    #[arg(long, value_name = "COUNT", default_value = "-1", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    max_messages: i32,
    /// After how long without a heartbeat the member is given up, with --group-protocol classic
    #[arg(long, value_name = "MS", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    session_timeout: Option<i32>,
    /// Tell of each record
    #[arg(long)]
    verbose: bool,
    /// Have the consumer commit by itself, and tell of no commit
    #[arg(long)]
    enable_autocommit: bool,
    /// Where to begin where nothing is committed: earliest, latest or none
    #[arg(long, value_name = "POLICY", default_value = "earliest")]
    reset_policy: String,
    /// The assignor of the group, with --group-protocol classic
    #[arg(
        long,
        value_name = "CLASS",
        default_value = "org.apache.kafka.clients.consumer.RangeAssignor"
    )]
    assignment_strategy: String,
    /// Old name of --command-config
    #[arg(long = "consumer.config", value_name = "FILE")]
    consumer_config: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// Of the forms that have columns.
const COLUMNS: &[&str] = &[
    "timestamp",
    "name",
    "topic",
    "partition",
    "offset",
    "key",
    "value",
    "count",
    "partitions",
    "offsets",
    "success",
    "error",
];

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    if words.is_empty() {
        return show_help(Args::command(), cx);
    }
    let args: Args = argparse::start(words, PROGRAM, cx)?;
    let old = ("--consumer.config", args.consumer_config.as_ref());
    let format = args.output.output;
    let mut properties = args.connection.properties(PROGRAM, old, format, cx)?;
    for (key, value) in own_properties(&args)? {
        set(&mut properties, key, value);
    }
    let settings = consuming::settings(&properties, cx)?;
    let events = Events::new(format, COLUMNS, cx);
    let status = context::block_on(work(&args, settings, events))??;
    match status {
        Some(status) => Err(Stop::Status(status)),
        None => Ok(()),
    }
}

/// What has an option.
fn own_properties(args: &Args) -> Result<Vec<(&'static str, String)>, Failure> {
    let protocol = args.group_protocol.to_lowercase();
    let mut properties = match protocol.as_str() {
        "consumer" => {
            let assignor = args.group_remote_assignor.clone();
            let assignor = assignor.map(|name| ("group.remote.assignor", name));
            assignor.into_iter().collect()
        }
        "classic" => vec![(
            "partition.assignment.strategy",
            args.assignment_strategy.clone(),
        )],
        other => {
            let text = format!("There is no group protocol '{other}'.");
            return Err(Failure::new(text).hint("--group-protocol takes classic or consumer."));
        }
    };
    properties.extend([
        ("group.protocol", protocol),
        ("group.id", args.group_id.clone()),
        (
            "bootstrap.servers",
            args.connection.bootstrap_server.clone(),
        ),
        ("enable.auto.commit", args.enable_autocommit.to_string()),
        ("auto.offset.reset", args.reset_policy.clone()),
    ]);
    let timeout = args.session_timeout.map(|ms| ms.to_string());
    properties.extend(timeout.map(|ms| ("session.timeout.ms", ms)));
    let instance = args.group_instance_id.clone();
    properties.extend(instance.map(|id| ("group.instance.id", id)));
    Ok(properties)
}

/// Reads until it is over. Returns the status that a signal asks for.
async fn work(
    args: &Args,
    (cluster, settings): (ClusterSettings, ConsumerSettings),
    mut events: Events<'_>,
) -> Result<Option<u8>, Stop> {
    let mut signals = Signals::listen()?;
    events.tell(&event("startup_complete", Value::Null))?;
    let cluster = match consuming::connect(None, cluster, &mut signals, events.cx).await {
        Ok(cluster) => cluster,
        Err(NoCluster::Signal(status)) => {
            events.tell(&event("shutdown_requested", Value::Null))?;
            events.tell(&event("shutdown_complete", Value::Null))?;
            return Ok(Some(status));
        }
        Err(NoCluster::Unusable(failure)) => return Err(failure.into()),
        Err(NoCluster::TimedOut(_)) => return Ok(None),
    };
    let rebalances = Arc::new(Rebalances::default());
    let mut consumer = Consumer::start(cluster, settings);
    consumer.set_rebalance_listener(Box::new(Listener(rebalances.clone())));
    let mut reading = Reading {
        args,
        consumer,
        rebalances,
        read: 0,
        events,
    };
    let end = reading.read(&mut signals).await?;
    let Reading {
        consumer,
        rebalances,
        mut events,
        ..
    } = reading;
    let status = match end {
        End::Enough => None,
        End::Failed(error) => {
            let line = format!("{}.", capitalized(error));
            events.cx.warn(line);
            None
        }
        End::Signal(status) => {
            events.tell(&event("shutdown_requested", Value::Null))?;
            Some(status)
        }
    };
    consumer.close(CLOSE_WITHIN).await;
    rebalances.tell(&mut events)?;
    events.tell(&event("shutdown_complete", Value::Null))?;
    if status.is_none() {
        // The reference asks for its shutdown when it is over, too.
        events.tell(&event("shutdown_requested", Value::Null))?;
    }
    Ok(status)
}

/// Why it is over.
enum End {
    Enough,
    Failed(ConsumerError),
    /// The exit status that a signal asks for.
    Signal(u8),
}

struct Reading<'a> {
    args: &'a Args,
    consumer: Consumer,
    rebalances: Arc<Rebalances>,
    read: u64,
    events: Events<'a>,
}

impl Reading<'_> {
    async fn read(&mut self, signals: &mut Signals) -> Result<End, Stop> {
        if let Err(error) = self.consumer.subscribe([&self.args.topic]).await {
            return Ok(End::Failed(error));
        }
        let started = Instant::now();
        let mut has_looked = false;
        while self.left() != Some(0) {
            let within = match has_looked {
                true => POLL_WITHIN,
                false => LOOK_AFTER.saturating_sub(started.elapsed()),
            };
            let polled = tokio::select! {
                biased;
                status = signals.first() => return Ok(End::Signal(status)),
                polled = self.consumer.poll(within) => polled,
                () = self.rebalances.news.notified() => Ok(Vec::new()),
            };
            self.rebalances.tell(&mut self.events)?;
            let records = match polled {
                Ok(records) if records.is_empty() => {
                    if !has_looked && started.elapsed() >= LOOK_AFTER {
                        has_looked = true;
                        let topic = self.args.topic.as_str();
                        consuming::tell_missing([topic], &self.consumer, self.events.cx).await;
                    }
                    continue;
                }
                Ok(records) => records,
                Err(error) => return Ok(End::Failed(error)),
            };
            has_looked = true;
            let offsets = self.tell_records(&records)?;
            if self.args.enable_autocommit {
                continue;
            }
            let outcome = self.commit(&offsets, signals).await;
            self.rebalances.tell(&mut self.events)?;
            match outcome {
                Ok(outcome) => self.events.tell(&committed(&offsets, outcome.err()))?,
                Err(end) => return Ok(end),
            }
        }
        Ok(End::Enough)
    }

    async fn commit(
        &mut self,
        offsets: &[(TopicPartition, i64)],
        signals: &mut Signals,
    ) -> Result<Result<(), ConsumerError>, End> {
        let new = |(at, offset): &(TopicPartition, i64)| (at.clone(), NewOffset::at(*offset));
        let new: Vec<(TopicPartition, NewOffset)> = offsets.iter().map(new).collect();
        tokio::select! {
            biased;
            status = signals.first() => Err(End::Signal(status)),
            outcome = self.consumer.commit_sync(Some(&new)) => Ok(outcome),
        }
    }

    /// So many records are still wanted; `None`: all that come.
    fn left(&self) -> Option<u64> {
        let wanted = u64::try_from(self.args.max_messages).ok()?;
        Some(wanted.saturating_sub(self.read))
    }

    /// Tells of as many as are wanted. Returns what is to be committed.
    fn tell_records(
        &mut self,
        records: &[ConsumerRecord],
    ) -> Result<Vec<(TopicPartition, i64)>, Stop> {
        let mut offsets = Vec::new();
        let mut summaries = Vec::new();
        for (at, of_partition) in by_partition(records) {
            let wanted = self.left().map_or(usize::MAX, |left| {
                usize::try_from(left).unwrap_or(usize::MAX)
            });
            let taken: Vec<&ConsumerRecord> = of_partition.into_iter().take(wanted).collect();
            let (Some(first), Some(last)) = (taken.first(), taken.last()) else {
                continue;
            };
            summaries.push(json!({
                "topic": at.topic,
                "partition": at.partition,
                "count": taken.len(),
                "minOffset": first.offset,
                "maxOffset": last.offset,
            }));
            offsets.push((at, last.offset.saturating_add(1)));
            self.read += taken.len() as u64;
            if self.args.verbose {
                for record in &taken {
                    self.events.tell(&record_data(record))?;
                }
            }
        }
        let fields = json!({ "count": records.len(), "partitions": summaries });
        self.events.tell(&event("records_consumed", fields))?;
        Ok(offsets)
    }
}

/// The records of each partition, in the order in which partitions come.
fn by_partition(records: &[ConsumerRecord]) -> Vec<(TopicPartition, Vec<&ConsumerRecord>)> {
    let mut found: Vec<(TopicPartition, Vec<&ConsumerRecord>)> = Vec::new();
    for record in records {
        let is_its = |(at, _): &&mut (TopicPartition, Vec<&ConsumerRecord>)| {
            at.partition == record.partition && at.topic == *record.topic
        };
        match found.iter_mut().rev().find(is_its) {
            Some((_, list)) => list.push(record),
            None => {
                let at = TopicPartition::new(&*record.topic, record.partition);
                found.push((at, vec![record]));
            }
        }
    }
    found
}

fn record_data(record: &ConsumerRecord) -> Value {
    let text = |bytes: &Option<bytes::Bytes>| {
        let bytes = bytes.as_ref();
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let fields = json!({
        "key": text(&record.key),
        "value": text(&record.value),
        "topic": &*record.topic,
        "partition": record.partition,
        "offset": record.offset,
    });
    event("record_data", fields)
}

fn committed(offsets: &[(TopicPartition, i64)], error: Option<ConsumerError>) -> Value {
    let offset = |(at, offset): &(TopicPartition, i64)| json!({ "topic": at.topic, "partition": at.partition, "offset": offset });
    let offsets: Vec<Value> = offsets.iter().map(offset).collect();
    let fields = match error {
        None => json!({ "offsets": offsets, "success": true }),
        Some(error) => json!({ "offsets": offsets, "error": error.to_string(), "success": false }),
    };
    event("offsets_committed", fields)
}

/// What rebalances have brought and nobody has told yet.
#[derive(Default)]
struct Rebalances {
    events: Mutex<Vec<Value>>,
    news: Notify,
}

impl Rebalances {
    fn add(&self, name: &str, partitions: &[TopicPartition]) {
        let partition =
            |at: &TopicPartition| json!({ "topic": at.topic, "partition": at.partition });
        let partitions: Vec<Value> = partitions.iter().map(partition).collect();
        let event = event(name, json!({ "partitions": partitions }));
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
        self.news.notify_one();
    }

    fn tell(&self, events: &mut Events<'_>) -> Result<(), Stop> {
        let mut untold = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = std::mem::take(&mut *untold);
        untold.iter().try_for_each(|event| events.tell(event))
    }
}

struct Listener(Arc<Rebalances>);

impl RebalanceListener for Listener {
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.0.add("partitions_assigned", partitions);
        Vec::new()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.0.add("partitions_revoked", partitions);
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::TimestampType;

    use super::*;

    fn record(partition: i32, offset: i64) -> ConsumerRecord {
        ConsumerRecord {
            topic: Arc::from("t"),
            partition,
            offset,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: None,
            value: Some(bytes::Bytes::from_static(b"v")),
            headers: Vec::new(),
        }
    }

    fn without_time(event: &Value) -> String {
        let text = event.to_string();
        let (_, rest) = text
            .split_once(r#","name""#)
            .expect("a name behind the time");
        format!(r#"{{"name"{rest}"#)
    }

    #[test]
    fn events_have_the_references_fields_in_its_order() {
        assert_eq!(
            without_time(&record_data(&record(1, 5))),
            r#"{"name":"record_data","key":null,"value":"v","topic":"t","partition":1,"offset":5}"#
        );
        let offsets = [(TopicPartition::new("t", 0), 2)];
        assert_eq!(
            without_time(&committed(&offsets, None)),
            r#"{"name":"offsets_committed","offsets":[{"topic":"t","partition":0,"offset":2}],"success":true}"#
        );
        let failed = committed(&[], Some(ConsumerError::NoGroup("this")));
        assert_eq!(
            without_time(&failed),
            r#"{"name":"offsets_committed","offsets":[],"error":"this needs group.id to be set","success":false}"#
        );
    }

    #[test]
    fn records_are_sorted_out_by_partition() {
        let records = [record(1, 5), record(1, 6), record(0, 9)];
        let found = by_partition(&records);
        let shown: Vec<(i32, usize)> = found
            .iter()
            .map(|(at, list)| (at.partition, list.len()))
            .collect();
        assert_eq!(shown, [(1, 2), (0, 1)]);
    }

    #[test]
    fn each_protocol_has_its_own_properties() {
        let keys = |line: &str| {
            let line = format!("x --bootstrap-server h:1 --topic t --group-id g {line}");
            let args = Args::try_parse_from(line.split_whitespace()).expect("good options");
            let properties = own_properties(&args)?;
            Ok::<_, Failure>(
                properties
                    .into_iter()
                    .map(|(key, _)| key)
                    .collect::<Vec<_>>(),
            )
        };
        let classic = keys("").expect("a protocol");
        assert!(classic.contains(&"partition.assignment.strategy"));
        assert!(!classic.contains(&"session.timeout.ms"));
        let new = "--group-protocol CONSUMER --group-remote-assignor range --group-instance-id i";
        let new = keys(new).expect("a protocol");
        assert!(new.contains(&"group.remote.assignor") && new.contains(&"group.instance.id"));
        assert!(!new.contains(&"partition.assignment.strategy"));
        assert!(keys("--group-protocol other").is_err());
    }
}
