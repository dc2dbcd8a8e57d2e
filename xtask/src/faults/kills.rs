//! S-01, S-02: `kill -9` at random moments under four clients of three makes, again and again; also while the broker is
//! still starting. Everything acknowledged is there afterwards, at the offset that was acknowledged; what idempotent
//! producers sent is there once and in order.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::report::{Report, spread};
use super::{Stage, check};

const TOPIC: &str = "killed";
const PARTITIONS: usize = 4;
/// From killed to serving.
const RESTART_MAX: Duration = Duration::from_secs(2);
const UPTIME_MAX_MS: u64 = 700;
/// So many restarts are cut short by another kill.
const KILLED_IN_START_ONE_IN: u64 = 5;
const START_MAX_MS: u64 = 40;

const CLIENTS: &[(Make, &str, &str)] = &[
    (Make::Ours, "ours-plain", "compression.type=none"),
    (Make::Ours, "ours-zstd", "compression.type=zstd"),
    (Make::Librdkafka, "librdkafka", "compression.type=lz4"),
    (Make::Java, "java", "compression.type=gzip"),
];

/// A client that never gives up: what it sent comes to an end, however often the broker dies.
pub(super) const PATIENT: &[&str] = &[
    "delivery.timeout.ms=600000",
    "request.timeout.ms=5000",
    "linger.ms=5",
    "retry.backoff.ms=20",
    "reconnect.backoff.ms=20",
    "reconnect.backoff.max.ms=200",
];

pub(super) fn under_acks_all(stage: &mut Stage) -> Result<Report> {
    kill_again_and_again(stage, &["acks=all", "enable.idempotence=true"])
}

/// Without idempotence, which needs acks=all: what was sent again may be there again.
pub(super) fn under_acks_one(stage: &mut Stage) -> Result<Report> {
    let report = kill_again_and_again(stage, &["acks=1", "enable.idempotence=false"])?;
    Ok(Report {
        duplicated: 0,
        figure: format!("{}, {} sent twice", report.figure, report.duplicated),
        ..report
    })
}

fn kill_again_and_again(stage: &mut Stage, promise: &[&str]) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?;
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &[])?;
    let mut producers = Vec::new();
    for (make, name, codec) in CLIENTS {
        let settings = [promise, PATIENT, &[*codec]].concat();
        let load = Load {
            topic: TOPIC,
            partitions: PARTITIONS,
            rate: 2000,
            settings: &settings,
        };
        producers.push(Producer::start(*make, name, &broker, load, stage.path())?);
    }
    for producer in &mut producers {
        producer.wait_for(1)?;
    }
    let mut restarts = Vec::new();
    for _ in 0..stage.rounds {
        std::thread::sleep(stage.random.up_to_ms(UPTIME_MAX_MS));
        broker.kill()?;
        if stage.random.one_in(KILLED_IN_START_ONE_IN) {
            broker.spawn()?;
            std::thread::sleep(stage.random.up_to_ms(START_MAX_MS));
            broker.kill()?;
        }
        restarts.push(broker.start()?);
        let who = stage.random.below(CLIENTS.len() as u64) as usize;
        producers[who].wait_for(1)?;
    }
    let mut told = check::Told::new();
    for mut producer in producers {
        producer.wait_for(1)?;
        let name = producer.name.clone();
        let acks = producer.finish()?;
        ensure!(
            acks.failures.is_empty(),
            "{name} gave up: {:?}",
            acks.failures[0]
        );
        told.insert(name, acks);
    }
    let tally = check::topic(&broker, TOPIC, PARTITIONS, &told)?;
    broker.stop()?;
    if tally.lost > 0 || promise.contains(&"enable.idempotence=true") {
        tally.explain();
    }
    let worst = restarts.iter().max().copied().unwrap_or_default();
    ensure!(
        worst <= RESTART_MAX,
        "a restart took {worst:?}; {RESTART_MAX:?} are allowed"
    );
    let figure = format!("restart to serving {}", spread(&mut restarts));
    Ok(Report::of(stage.rounds, &tally, figure))
}
