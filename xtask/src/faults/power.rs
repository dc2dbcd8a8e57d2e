//! S-03, S-05: the power of a loop-mounted file system is cut at random moments under load, so that what was not synced
//! is gone. What had been acknowledged with acks=all *before the cut was issued* is there afterwards, and so are topics
//! that had been created; with `ottla.durability=memory` something must be missing, or the harness proves nothing.

use anyhow::{Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::mount::{Kind, Mount};
use super::report::{Report, spread};
use super::{Stage, check};

const TOPIC: &str = "cut";
const PARTITIONS: usize = 4;
const UPTIME_MAX_MS: u64 = 600;
const MEBIBYTES: u64 = 512;
/// Segments are rolled all the time.
const TOPIC_CONFIGS: &[&str] = &["segment.ms=100"];

const CLIENTS: &[(Make, &str)] = &[
    (Make::Ours, "compression.type=none"),
    (Make::Ours, "compression.type=zstd"),
    (Make::Librdkafka, "compression.type=lz4"),
];

pub(super) fn on_xfs(stage: &mut Stage) -> Result<Report> {
    survive(stage, Kind::Xfs)
}

pub(super) fn on_ext4(stage: &mut Stage) -> Result<Report> {
    survive(stage, Kind::Ext4)
}

fn survive(stage: &mut Stage, kind: Kind) -> Result<Report> {
    let mut place = Place::new(stage, kind, "disk")?;
    let mut restarts = Vec::new();
    let mut tally = check::Tally::default();
    for round in 0..stage.rounds {
        let name = format!("made-{round}");
        place.load_and_cut(stage, round, |broker| broker.create_topic(&name, 1, &[]))?;
        restarts.push(place.broker.start()?);
        let topics = place.broker.tool("topics --list")?;
        ensure!(
            topics.lines().any(|topic| topic == name),
            "round {round}: topic {name} was created and is gone"
        );
        tally = place.check()?;
        if tally.lost + tally.repeated > 0 {
            eprintln!("after cut {round}:");
            tally.explain();
            break;
        }
    }
    Ok(Report::of(
        stage.rounds,
        &tally,
        format!("{kind:?}, restart to serving {}", spread(&mut restarts)),
    ))
}

pub(super) fn is_noticed(stage: &mut Stage) -> Result<Report> {
    let mut place = Place::new(stage, Kind::Xfs, "memory")?;
    let (mut lost, mut acked, mut cuts) = (0, 0, 0);
    for round in 0..stage.rounds {
        place.load_and_cut(stage, round, |_| Ok(()))?;
        place.broker.start()?;
        let tally = place.check()?;
        cuts += usize::from(tally.lost > lost);
        (lost, acked) = (tally.lost, tally.acked);
    }
    ensure!(
        cuts > 0,
        "no record is missing after {} cuts without syncs: the cuts do not cut",
        stage.rounds
    );
    Ok(Report {
        rounds: stage.rounds,
        acked,
        figure: format!(
            "as it must be, {lost} lost in {cuts} of {} cuts",
            stage.rounds
        ),
        ..Default::default()
    })
}

/// A broker on a file system whose power can be cut, and all that it acknowledged so far.
struct Place {
    // Dropped first: a mount cannot go while the broker holds it.
    broker: Broker,
    mount: Mount,
    told: check::Told,
}

impl Place {
    fn new(stage: &Stage, kind: Kind, durability: &str) -> Result<Place> {
        let mount = Mount::new(kind, MEBIBYTES, stage.path())?;
        let durability = format!("ottla.durability={durability}");
        let mut broker = Broker::new(stage.path())?
            .data_in(mount.data())
            .with(&[&durability]);
        broker.start()?;
        broker.create_topic(TOPIC, PARTITIONS, TOPIC_CONFIGS)?;
        Ok(Place {
            broker,
            mount,
            told: check::Told::new(),
        })
    }

    /// Cuts the power at a random moment under load. `meanwhile` is done before, while the load runs.
    fn load_and_cut(
        &mut self,
        stage: &mut Stage,
        round: usize,
        meanwhile: impl FnOnce(&Broker) -> Result<()>,
    ) -> Result<()> {
        let mut producers = Vec::new();
        for (n, (make, codec)) in CLIENTS.iter().enumerate() {
            let promise = &["acks=all", "enable.idempotence=true", *codec];
            let load = Load {
                topic: TOPIC,
                partitions: PARTITIONS,
                rate: 1500,
                settings: &[promise, PATIENT].concat(),
            };
            let name = format!("{round}-{n}");
            producers.push(Producer::start(
                *make,
                &name,
                &self.broker,
                load,
                stage.path(),
            )?);
        }
        for producer in &mut producers {
            producer.wait_for(1)?;
        }
        meanwhile(&self.broker)?;
        std::thread::sleep(stage.random.up_to_ms(UPTIME_MAX_MS));
        producers.iter().for_each(Producer::close);
        self.mount.cut_power()?;
        self.broker.kill()?;
        for producer in producers {
            self.told.insert(producer.name.clone(), producer.abandon()?);
        }
        self.mount.revive()
    }

    fn check(&self) -> Result<check::Tally> {
        check::topic(&self.broker, TOPIC, PARTITIONS, &self.told)
    }
}
