//! S-31: SIGTERM with a thousand partitions under load ends the broker within two seconds; the next start reads no logs.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::{Report, spread};
use super::{Stage, check};

const TOPIC: &str = "many";
const PARTITIONS: usize = 1000;
const STOP_MAX: Duration = Duration::from_secs(2);
/// All that a start may read, whatever was written before.
const READ_MAX: u64 = 16 << 20;

pub(super) fn are_quick_and_clean(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?;
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &[])?;
    let (mut stops, mut starts) = (Vec::new(), Vec::new());
    let (mut told, mut read_most) = (check::Told::new(), 0);
    for round in 0..stage.rounds {
        let load = Load {
            topic: TOPIC,
            partitions: PARTITIONS,
            rate: 8000,
            settings: &[
                &["acks=all", "enable.idempotence=true", "batch.size=65536"],
                PATIENT,
            ]
            .concat(),
        };
        let mut producers = Vec::new();
        for n in 0..2 {
            let name = format!("{round}-{n}");
            producers.push(Producer::start(
                Make::Ours,
                &name,
                &broker,
                load,
                stage.path(),
            )?);
        }
        for producer in &mut producers {
            producer.wait_for(2 * PARTITIONS)?;
        }
        std::thread::sleep(stage.random.up_to_ms(300));
        stops.push(broker.stop()?);
        for producer in producers {
            told.insert(producer.name.clone(), producer.abandon()?);
        }
        starts.push(broker.start()?);
        // A look at each partition opens its log.
        broker.tool(&format!("get-offsets --topic {TOPIC}"))?;
        let read = bytes_read(&broker)?;
        ensure!(
            read <= READ_MAX,
            "{read} bytes were read after a clean stop"
        );
        read_most = read_most.max(read);
    }
    let tally = check::topic(&broker, TOPIC, PARTITIONS, &told)?;
    tally.explain();
    let worst = stops.iter().max().copied().unwrap_or_default();
    ensure!(
        worst <= STOP_MAX,
        "a stop took {worst:?}; {STOP_MAX:?} are allowed"
    );
    Ok(Report::of(
        stage.rounds,
        &tally,
        format!(
            "stop {}; start {}; {} KiB read",
            spread(&mut stops),
            spread(&mut starts),
            read_most >> 10
        ),
    ))
}

fn bytes_read(broker: &Broker) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{}/io", broker.pid()?))?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(line.context("no rchar")?.trim().parse()?)
}
