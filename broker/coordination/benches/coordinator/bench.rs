//! A hosted machine on a log in memory, a cluster of topics, and a stop watch.

use std::time::Duration;

use bytes::Bytes;
use ottla_coordination::group::{
    ClusterUpdate, Command, GroupMachine, GroupRecord, Response, Settings,
};
use ottla_coordination::{Host, Loading, Log, ReplyToken};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchBuilder, Records, batches_of};
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Uuid;

use crate::support;

/// The batches as they would go to disk.
#[derive(Default)]
struct Batches {
    batches: Vec<Vec<u8>>,
    end: i64,
    bytes: usize,
}

impl Log<GroupRecord> for Batches {
    fn append(&mut self, now: Millis, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        let base = Offset(self.end);
        let mut builder = BatchBuilder::new(Compression::None).base_offset(base);
        for record in records {
            let (key, value) = record.encode();
            builder
                .append(now, Some(&key), value.as_deref(), &[])
                .expect("fits");
        }
        let batch = builder.build().expect("a batch");
        self.end += i64::try_from(records.len()).expect("few");
        self.bytes += batch.len();
        self.batches.push(batch);
        Ok(base)
    }
}

/// A coordinator in service.
pub(crate) struct Bench {
    host: Host<GroupMachine>,
    log: Batches,
    pub(crate) now: Millis,
    settings: Settings,
    last_token: u64,
    pub(crate) commands: usize,
}

impl Bench {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut log = Batches::default();
        let now = Millis(1_700_000_000_000);
        let loading = Loading::new(GroupMachine::new(settings.clone()));
        let host = loading.finish(now, Offset(0), Offset(0), &mut log);
        Self {
            host,
            log,
            now,
            settings,
            last_token: 0,
            commands: 0,
        }
    }

    /// Asks, and returns what was answered meanwhile, to whomever.
    pub(crate) fn ask(&mut self, command: Command) -> Vec<(ReplyToken, Response)> {
        self.last_token += 1;
        self.commands += 1;
        let token = ReplyToken(self.last_token);
        self.host.handle(self.now, token, command, &mut self.log);
        self.answers()
    }

    /// Asks what is answered at once.
    pub(crate) fn ask_now(&mut self, command: Command) -> Response {
        let mut answers = self.ask(command);
        assert_eq!(answers.len(), 1);
        answers.pop().expect("one").1
    }

    pub(crate) fn pass(&mut self, by_ms: i64) -> Vec<(ReplyToken, Response)> {
        self.now = self.now.plus(Millis(by_ms));
        self.host.advance(self.now, &mut self.log);
        self.answers()
    }

    fn answers(&mut self) -> Vec<(ReplyToken, Response)> {
        self.host.committed(self.host.end());
        let answers = self.host.take_answers().into_iter();
        answers
            .map(|(token, answer)| (token, answer.expect("a log that takes everything")))
            .collect()
    }

    /// Tells the machine of the topics `t0`, `t1` …, with so many partitions each.
    pub(crate) fn set_topics(&mut self, count: usize, partitions: usize) {
        let names: Vec<String> = (0..count).map(topic_name).collect();
        let list = names.iter().enumerate();
        let topics = support::topics(
            list.map(|(number, name)| (name.as_str(), topic_id(number), partitions)),
        );
        let update = ClusterUpdate {
            topics,
            changed: std::sync::Arc::new(names.into_iter().collect()),
            has_new_topics: true,
            settings: self.settings.consumer.clone(),
        };
        self.ask_now(Command::ClusterChanged(update));
    }

    pub(crate) fn machine(&self) -> &GroupMachine {
        self.host.machine()
    }

    pub(crate) fn log_bytes(&self) -> usize {
        self.log.bytes
    }

    pub(crate) fn log_records(&self) -> i64 {
        self.log.end
    }

    /// Loads a second machine from the log: how long it took, and what it holds, in bytes.
    pub(crate) fn reload(&self) -> (Duration, usize) {
        let batches = &self.log.batches;
        let before = crate::HELD.current_usage();
        let (took, host) = timed(|| {
            let mut loading = Loading::new(GroupMachine::new(self.settings.clone()));
            for batch in batches {
                load(batch, &mut loading);
            }
            let end = self.host.end();
            loading.finish(self.now, end, end, &mut Batches::default())
        });
        let held = crate::HELD.current_usage().saturating_sub(before);
        assert_eq!(host.machine().hard(), self.machine().hard());
        (took, held)
    }
}

fn load(batch: &[u8], loading: &mut Loading<GroupMachine>) {
    let batch = Bytes::copy_from_slice(batch);
    for batch in batches_of(&batch) {
        let (_, batch) = batch.expect("a whole batch");
        let records = Records::open(&batch, InflateLimits::LENIENT).expect("records");
        for record in records.owned() {
            let record = record.expect("a record");
            let decoded = GroupRecord::decode(record.key, record.value);
            let decoded = decoded.expect("ours").expect("ours");
            loading.load(record.offset, &decoded);
        }
    }
}

pub(crate) fn topic_name(number: usize) -> String {
    format!("t{number}")
}

pub(crate) fn topic_id(number: usize) -> Uuid {
    let mut bytes = [7; 16];
    bytes[8..].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    Uuid(bytes)
}

/// Runs it and says how much CPU it took: the wall clock would show what else the machine does.
pub(crate) fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let before = cpu_time();
    let result = run();
    (cpu_time().saturating_sub(before), result)
}

/// What this thread has had of the processors, as Linux counts it. It counts when a thread gives way.
fn cpu_time() -> Duration {
    std::thread::yield_now();
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedstat
        .split(' ')
        .next()
        .and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("a Linux with /proc"))
}

/// How often a second, where `count` took so long.
pub(crate) fn per_second(count: usize, took: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let rate = count as f64 / took.as_secs_f64();
    format!("{rate:.0}/s")
}

pub(crate) fn ms(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1_000.0)
}
