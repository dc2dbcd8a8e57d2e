//! S-29: too few file descriptors, too little memory. New connections are refused, old ones go on, nothing is lost, and
//! the broker is not killed for what strangers send.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::Report;
use super::{Stage, check};

const TOPIC: &str = "limited";
/// With their segments and indexes more files than there may be descriptors.
const PARTITIONS: usize = 200;
const DESCRIPTORS: &str = "--nofile=256:256";
const STRANGERS: usize = 400;
const MEMORY: u64 = 256 << 20;
/// What a stranger announces, which is allowed, and what it sends of it.
const ANNOUNCED: u32 = 100 << 20;
const SENT: usize = 16 << 20;

/// A round is a crowd of strangers that comes and goes.
pub(super) fn few_descriptors(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.under(&["prlimit", DESCRIPTORS]);
    let mut producers = begin(stage, &mut broker)?;
    for _ in 0..stage.rounds {
        let address = broker.address();
        let crowd: Vec<_> = (0..STRANGERS)
            .map_while(|_| TcpStream::connect(&address).ok())
            .collect();
        producers
            .iter_mut()
            .try_for_each(|producer| producer.wait_for(PARTITIONS))?;
        drop(crowd);
        producers
            .iter_mut()
            .try_for_each(|producer| producer.wait_for(PARTITIONS))?;
    }
    end(
        stage,
        broker,
        producers,
        format!("{PARTITIONS} partitions, {STRANGERS} connections on 256 descriptors"),
    )
}

/// A round is a crowd of strangers that send the beginnings of huge requests.
pub(super) fn little_memory(stage: &mut Stage) -> Result<Report> {
    let group = Cgroup::new()?;
    let join = format!(
        "echo $$ > {}/cgroup.procs && exec \"$@\"",
        group.0.display()
    );
    let mut broker = Broker::new(stage.path())?.under(&["sh", "-c", &join, "sh"]);
    let mut producers = begin(stage, &mut broker)?;
    for _ in 0..stage.rounds {
        let mut crowd = Vec::new();
        for _ in 0..64 {
            let mut stranger = TcpStream::connect(broker.address())?;
            stranger.set_write_timeout(Some(Duration::from_millis(50)))?;
            let bytes = vec![0; SENT];
            // A broker that stops reading, or hangs up, does right.
            let _ = stranger
                .write_all(&ANNOUNCED.to_be_bytes())
                .and_then(|()| stranger.write_all(&bytes));
            crowd.push(stranger);
            ensure!(
                broker.ended()?.is_none(),
                "the broker was killed: out of memory?"
            );
        }
        drop(crowd);
        producers
            .iter_mut()
            .try_for_each(|producer| producer.wait_for(PARTITIONS))?;
    }
    let most = group.most_used()?;
    end(
        stage,
        broker,
        producers,
        format!("at most {} MiB of {} in use", most >> 20, MEMORY >> 20),
    )
}

fn begin(stage: &Stage, broker: &mut Broker) -> Result<Vec<Producer>> {
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &[])?;
    let load = Load {
        topic: TOPIC,
        partitions: PARTITIONS,
        rate: 2000,
        settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
    };
    let mut producers = vec![
        Producer::start(Make::Ours, "ours", broker, load, stage.path())?,
        Producer::start(Make::Librdkafka, "librdkafka", broker, load, stage.path())?,
    ];
    producers
        .iter_mut()
        .try_for_each(|producer| producer.wait_for(PARTITIONS))?;
    Ok(producers)
}

fn end(
    stage: &Stage,
    mut broker: Broker,
    producers: Vec<Producer>,
    figure: String,
) -> Result<Report> {
    let mut told = check::Told::new();
    for producer in producers {
        let name = producer.name.clone();
        let acks = producer.finish()?;
        ensure!(
            acks.failures.is_empty(),
            "{name} was refused: {:?}",
            acks.failures[0]
        );
        told.insert(name, acks);
    }
    let tally = check::topic(&broker, TOPIC, PARTITIONS, &told)?;
    tally.explain();
    broker.stop()?;
    Ok(Report::of(stage.rounds, &tally, figure))
}

/// A control group of its own with a limit of memory; removed when dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Result<Cgroup> {
        let base = PathBuf::from("/sys/fs/cgroup");
        let is_old = base.join("memory").is_dir();
        let parent = if is_old { base.join("memory") } else { base };
        let folder = parent.join(format!("ottla-faults-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let group = Cgroup(folder);
        let limit = if is_old {
            "memory.limit_in_bytes"
        } else {
            "memory.max"
        };
        fs::write(group.0.join(limit), MEMORY.to_string())?;
        Ok(group)
    }

    fn most_used(&self) -> Result<u64> {
        let names = ["memory.max_usage_in_bytes", "memory.peak"];
        let text = names
            .iter()
            .find_map(|name| fs::read_to_string(self.0.join(name)).ok());
        Ok(text.context("no peak of memory")?.trim().parse()?)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
