//! S-26: an offset whose commit was acknowledged is still committed after kill -9 and after a power cut.

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::mount::{Kind, Mount};
use super::report::Report;

const TOPIC: &str = "read";
const GROUP: &str = "reader";
const UPTIME_MAX_MS: u64 = 300;
const SETTINGS: &[&str] = &["offsets.topic.num.partitions=1"];

pub(super) fn survive_kills(stage: &mut Stage) -> Result<Report> {
    let broker = Broker::new(stage.path())?.with(SETTINGS);
    survive(stage, broker, |broker| broker.kill())
}

pub(super) fn survive_power_cuts(stage: &mut Stage) -> Result<Report> {
    let mut mount = Mount::new(Kind::Xfs, 512, stage.path())?;
    let broker = Broker::new(stage.path())?
        .with(SETTINGS)
        .data_in(mount.data());
    survive(stage, broker, |broker| {
        mount.cut_power()?;
        broker.kill()?;
        mount.revive()
    })
}

fn survive(
    stage: &mut Stage,
    mut broker: Broker,
    mut fault: impl FnMut(&mut Broker) -> Result<()>,
) -> Result<Report> {
    broker.start()?;
    broker.create_topic(TOPIC, 1, &[])?;
    let mut report = Report::default();
    for round in 0..stage.rounds {
        // A group for each round, so that a commit of this round cannot pass for one of the next.
        let name = format!("{GROUP}-{round}");
        let load = Load {
            topic: TOPIC,
            partitions: 1,
            rate: 500,
            settings: &[],
        };
        let mut committer = Producer::start(Make::Committer, &name, &broker, load, stage.path())?;
        committer.wait_for(1)?;
        std::thread::sleep(stage.random.up_to_ms(UPTIME_MAX_MS));
        committer.close();
        fault(&mut broker)?;
        let acks = committer.abandon()?;
        let promised = acks.acked.get(&0).and_then(|acks| acks.last());
        let (_, promised) = *promised.context("nothing was acknowledged")?;
        broker.start()?;
        let committed = committed(&broker, &name)?;
        report.rounds += 1;
        report.acked += acks.count;
        if committed.is_none_or(|committed| committed < promised) {
            report.lost += 1;
            eprintln!("  round {round}: {promised} was committed, now it is {committed:?}");
        }
    }
    ensure!(report.acked > 0, "nothing was acknowledged");
    report.figure = format!("{} commits", report.acked);
    broker.stop()?;
    Ok(report)
}

fn committed(broker: &Broker, group: &str) -> Result<Option<i64>> {
    let text = broker.tool(&format!("consumer-groups --describe --group {group}"))?;
    let row = text.lines().find(|line| line.starts_with(group));
    Ok(row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok()))
}
