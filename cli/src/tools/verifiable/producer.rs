//! Sends numbers, and tells of each what became of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use ottla_client::cluster::ClusterSettings;
use ottla_client::producer::{
    Delivery, ProduceError, Producer, ProducerSettings, Record, RecordMetadata,
};
use serde_json::{Value, json};

use crate::argparse::{self, number};
use crate::consuming::{self, NoCluster};
use crate::context::{self, Context};
use crate::options::set;
use crate::output::Output;
use crate::producing;
use crate::signals::Signals;
use crate::stop::Stop;
use crate::throttle::Throttle;
use crate::tool::Tool;

use super::{Connection, Events, event, show_help};

pub const TOOL: Tool = Tool {
    name: "verifiable-producer",
    link: "kafka-verifiable-producer",
    about: "Send numbers and tell of each as JSON, for tests",
    command: Args::command,
    run,
};

/// What the reference calls itself.
const PROGRAM: &str = "verifiable-producer";

/// Longer than this nothing is waited for at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(120);

/// Send numbers and tell of each as JSON, for tests.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-verifiable-producer",
    after_help = "\
Examples:
  ottla verifiable-producer --bootstrap-server localhost:9092 --topic numbers --max-messages 1000
  ottla verifiable-producer --bootstrap-server localhost:9092 --topic numbers --throughput 10 --repeating-keys 5 --value-prefix 1"
)]
struct Args {
    /// The topic to send to
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// End after so many records; -1: go on until it is ended
    #[arg(long, value_name = "COUNT", default_value = "-1", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    max_messages: i32,
    /// So many records a second at most; below 0: no limit
    #[arg(long, value_name = "RATE", default_value = "-1", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    throughput: i32,
    /// Who must have a record before it counts as sent: 0, 1, or -1 for all
    #[arg(long, value_name = "ACKS", default_value = "-1", allow_negative_numbers = true, value_parser = acks)]
    acks: i32,
    /// Old name of --command-config
    #[arg(long = "producer.config", value_name = "FILE")]
    producer_config: Option<String>,
    /// The time of the first record, in milliseconds since 1970, from which the others go on; -1: now
    #[arg(long, value_name = "MS", default_value = "-1", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
    message_create_time: i64,
    /// A number that goes before each value, with a dot
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    value_prefix: Option<i32>,
    /// Keys from 0 up to this number, and then again
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    repeating_keys: Option<i32>,
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
    "exception",
    "message",
    "sent",
    "acked",
    "target_throughput",
    "avg_throughput",
];

fn acks(text: &str) -> Result<i32, String> {
    let acks = number::<i32>("Integer")(text)?;
    match acks {
        -1..=1 => Ok(acks),
        _ => Err(format!("invalid choice: '{acks}' (choose from {{0,1,-1}})")),
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    if words.is_empty() {
        return show_help(Args::command(), cx);
    }
    let args: Args = argparse::start(words, PROGRAM, cx)?;
    let old = ("--producer.config", args.producer_config.as_ref());
    let format = args.output.output;
    let file = args.connection.properties(PROGRAM, old, format, cx)?;
    let mut properties = vec![
        (
            "bootstrap.servers".to_owned(),
            args.connection.bootstrap_server.clone(),
        ),
        ("acks".to_owned(), args.acks.to_string()),
        ("retries".to_owned(), "0".to_owned()),
    ];
    for (key, value) in file {
        set(&mut properties, &key, value);
    }
    let (mut cluster, settings) = producing::settings(&properties, cx)?;
    // It is sending that is not tried again; a topic that is only just made is looked up until it is there.
    cluster.retries = u32::MAX;
    let events = Events::new(format, COLUMNS, cx);
    let status = context::block_on(work(&args, (cluster, settings), events))??;
    match status {
        Some(status) => Err(Stop::Status(status)),
        None => Ok(()),
    }
}

/// Sends until it is over. Returns the status that a signal asks for.
async fn work(
    args: &Args,
    (cluster, settings): (ClusterSettings, ProducerSettings),
    mut events: Events<'_>,
) -> Result<Option<u8>, Stop> {
    let mut signals = Signals::listen()?;
    events.tell(&event("startup_complete", Value::Null))?;
    let started = Instant::now();
    let cluster = match consuming::connect(None, cluster, &mut signals, events.cx).await {
        Ok(cluster) => cluster,
        Err(NoCluster::Signal(status)) => {
            events.tell(&event("shutdown_complete", Value::Null))?;
            events.tell(&Counts::default().event(args, started))?;
            return Ok(Some(status));
        }
        Err(NoCluster::Unusable(failure)) => return Err(failure.into()),
        Err(NoCluster::TimedOut(_)) => return Ok(None),
    };
    let producer = Producer::start(cluster, settings);
    let mut sending = Sending {
        args,
        values: Values::new(args),
        under_way: VecDeque::new(),
        counts: Counts::default(),
        events,
    };
    let sent = sending.send_all(&producer, &mut signals, started).await;
    producer.close(CLOSE_WITHIN).await;
    sending.tell_rest().await?;
    let Sending {
        counts, mut events, ..
    } = sending;
    events.tell(&event("shutdown_complete", Value::Null))?;
    events.tell(&counts.event(args, started))?;
    sent
}

/// What is sent, one after the other.
struct Values {
    prefix: Option<i32>,
    keys: Option<i32>,
    next_key: i32,
}

/// A record's key and value.
struct Sent {
    key: Option<String>,
    value: String,
}

impl Values {
    fn new(args: &Args) -> Self {
        Self {
            prefix: args.value_prefix,
            keys: args.repeating_keys,
            next_key: 0,
        }
    }

    fn next(&mut self, index: u64) -> Sent {
        let key = self.keys.map(|end| {
            let key = self.next_key;
            self.next_key = self.next_key.wrapping_add(1);
            if self.next_key == end {
                self.next_key = 0;
            }
            key.to_string()
        });
        let value = match self.prefix {
            Some(prefix) => format!("{prefix}.{index}"),
            None => index.to_string(),
        };
        Sent { key, value }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    sent: u64,
    acked: u64,
}

impl Counts {
    fn event(&self, args: &Args, started: Instant) -> Value {
        let fields = json!({
            "sent": self.sent,
            "acked": self.acked,
            "target_throughput": args.throughput,
            "avg_throughput": self.acked as f64 / started.elapsed().as_secs_f64(),
        });
        event("tool_data", fields)
    }
}

struct Sending<'a> {
    args: &'a Args,
    values: Values,
    /// In the order of sending.
    under_way: VecDeque<(Delivery, Sent)>,
    counts: Counts,
    events: Events<'a>,
}

impl Sending<'_> {
    async fn send_all(
        &mut self,
        producer: &Producer,
        signals: &mut Signals,
        started: Instant,
    ) -> Result<Option<u8>, Stop> {
        let throttle = Throttle::new(f64::from(self.args.throughput), started);
        let end = u64::try_from(self.args.max_messages).unwrap_or(u64::MAX);
        for index in 0..end {
            tokio::select! {
                biased;
                status = signals.first() => return Ok(Some(status)),
                done = self.send(producer, index, started) => done?,
            }
            let Some(pause) = throttle.pause_after(index + 1) else {
                continue;
            };
            tokio::select! {
                biased;
                status = signals.first() => return Ok(Some(status)),
                Err(stop) = self.tell_for_ever() => return Err(stop),
                () = pause.over() => {}
            }
        }
        Ok(None)
    }

    async fn send(
        &mut self,
        producer: &Producer,
        index: u64,
        started: Instant,
    ) -> Result<(), Stop> {
        let sent = self.values.next(index);
        let timestamp = match self.args.message_create_time {
            -1 => None,
            first => {
                let since = i64::try_from(started.elapsed().as_millis()).unwrap_or(0);
                Some(first.saturating_add(since))
            }
        };
        let record = Record {
            topic: &self.args.topic,
            key: sent.key.as_deref().map(str::as_bytes),
            value: Some(sent.value.as_bytes()),
            timestamp,
            ..Default::default()
        };
        self.counts.sent += 1;
        let sending = producer.send(record);
        match producing::waiting_for(&[&self.args.topic], producer.cluster(), sending).await {
            Ok(delivery) => self.under_way.push_back((delivery, sent)),
            Err(error) => self.tell(&sent, Err(error))?,
        }
        while let Some(outcome) = self.under_way.front().and_then(|(first, _)| first.now()) {
            if let Some((_, sent)) = self.under_way.pop_front() {
                self.tell(&sent, outcome)?;
            }
        }
        Ok(())
    }

    /// Tells what becomes of what is under way; there is always more to wait for.
    async fn tell_for_ever(&mut self) -> Result<(), Stop> {
        self.tell_rest().await?;
        std::future::pending().await
    }

    async fn tell_rest(&mut self) -> Result<(), Stop> {
        // Given up in the middle, nothing is lost.
        while let Some((first, _)) = self.under_way.front_mut() {
            let outcome = first.await;
            if let Some((_, sent)) = self.under_way.pop_front() {
                self.tell(&sent, outcome)?;
            }
        }
        Ok(())
    }

    fn tell(
        &mut self,
        sent: &Sent,
        outcome: Result<RecordMetadata, ProduceError>,
    ) -> Result<(), Stop> {
        let event = match outcome {
            Ok(place) => {
                self.counts.acked += 1;
                succeeded(sent, &place)
            }
            Err(error) => failed(&self.args.topic, sent, &error),
        };
        self.events.tell(&event)
    }
}

fn succeeded(sent: &Sent, place: &RecordMetadata) -> Value {
    let fields = json!({
        "key": sent.key,
        "value": sent.value,
        // As the reference has it where nobody says.
        "offset": place.offset.unwrap_or(-1),
        "topic": &*place.topic,
        "partition": place.partition,
    });
    event("producer_send_success", fields)
}

fn failed(topic: &str, sent: &Sent, error: &ProduceError) -> Value {
    let fields = json!({
        "topic": topic,
        "key": sent.key,
        "value": sent.value,
        "exception": format!("class org.apache.kafka.common.errors.{}", exception(error)),
        "message": error.to_string(),
    });
    event("producer_send_error", fields)
}

/// The reference's name for it.
fn exception(error: &ProduceError) -> &'static str {
    match (error, error.code()) {
        (ProduceError::TooLarge { .. }, _) => "RecordTooLargeException",
        (ProduceError::Invalid(_), _) => "InvalidRecordException",
        (ProduceError::Aborted | ProduceError::NoTransaction, _) => "TransactionAbortedException",
        (ProduceError::Api(_), Some(code)) => code.exception(),
        (ProduceError::Client(_), Some(code)) if !code.is_retriable() => code.exception(),
        _ => "TimeoutException",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ottla_client::ApiError;
    use ottla_protocol::errors::ErrorCode;

    use super::*;

    fn args(line: &str) -> Args {
        let line = format!("x --bootstrap-server h:1 --topic t {line}");
        Args::try_parse_from(line.split_whitespace()).expect("good options")
    }

    fn without_time(event: Value) -> String {
        let Value::Object(mut fields) = event else {
            panic!("{event}")
        };
        assert_eq!(fields.keys().next().map(String::as_str), Some("timestamp"));
        fields.shift_remove("timestamp");
        Value::Object(fields).to_string()
    }

    #[test]
    fn keys_repeat_and_values_have_their_prefix() {
        let mut values = Values::new(&args("--repeating-keys 2 --value-prefix 7"));
        let sent: Vec<(Option<String>, String)> = (0..3)
            .map(|index| values.next(index))
            .map(|sent| (sent.key, sent.value))
            .collect();
        let pair = |key: &str, value: &str| (Some(key.to_owned()), value.to_owned());
        assert_eq!(sent, [pair("0", "7.0"), pair("1", "7.1"), pair("0", "7.2")]);
        let plain = Values::new(&args("")).next(5);
        assert_eq!((plain.key, plain.value.as_str()), (None, "5"));
    }

    #[test]
    fn events_have_the_references_fields_in_its_order() {
        let sent = Sent {
            key: None,
            value: "0".to_owned(),
        };
        let place = RecordMetadata {
            topic: Arc::from("t"),
            partition: 0,
            offset: Some(4),
            timestamp: 0,
        };
        assert_eq!(
            without_time(succeeded(&sent, &place)),
            r#"{"name":"producer_send_success","key":null,"value":"0","offset":4,"topic":"t","partition":0}"#
        );
        let error = ProduceError::Api(ApiError::of_code(ErrorCode::NotEnoughReplicas));
        let told = without_time(failed("t", &sent, &error));
        let expected = r#"{"name":"producer_send_error","topic":"t","key":null,"value":"0","exception":"class org.apache.kafka.common.errors.NotEnoughReplicasException","message":"#;
        assert!(told.starts_with(expected), "{told}");
        let late = ProduceError::BufferFull(Duration::from_secs(1));
        assert_eq!(exception(&late), "TimeoutException");
    }

    #[test]
    fn acks_are_one_of_three() {
        let mut cx = Context::of_process(PROGRAM);
        let line = "--bootstrap-server h:1 --topic t --acks 5";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let refused = argparse::start::<Args>(&words, PROGRAM, &mut cx);
        let Err(Stop::Usage(text)) = refused else {
            panic!("{refused:?}")
        };
        let expected = "verifiable-producer: error: argument --acks: invalid choice: '5' (choose from {0,1,-1})";
        assert_eq!(text, expected);
        assert_eq!(args("--acks -1").acks, -1);
    }
}
