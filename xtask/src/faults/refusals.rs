//! S-32: a directory in use, of another cluster, of a newer version, or that cannot be written is refused with a word about
//! which and why, with a status other than 0, and without a change to anything in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::broker::Broker;
use super::report::Report;
use crate::shell::stdout;

const REFUSED_WITHIN: Duration = Duration::from_secs(10);
const META: &str = "meta.properties";

pub(super) fn leave_all_as_it_was(stage: &mut Stage) -> Result<Report> {
    let mut broker = settled(stage.path())?;
    let mut second = Broker::new(stage.path())?
        .data_in(broker.data().to_owned())
        .apart("second")?;
    refuses(&mut second, &["data"])?;
    broker.tool("topics --describe --topic settled")?;
    broker.stop()?;

    let meta = broker.data().join(META);
    let good = fs::read_to_string(&meta)?;
    fs::write(&meta, good.replace("version=1", "version=2"))?;
    refuses(&mut broker, &["version"])?;
    fs::write(&meta, &good)?;

    let other = stage.path().join("other");
    fs::create_dir(&other)?;
    let mut stranger = settled(&other)?;
    stranger.stop()?;
    // The option takes a list as the key log.dirs does.
    let dirs = format!("{},{}", broker.data().display(), stranger.data().display());
    let mut both = Broker::new(stage.path())?
        .data_in(dirs.into())
        .apart("both")?;
    let before = [tree(broker.data())?, tree(stranger.data())?];
    refuses(&mut both, &["cluster"])?;
    ensure!(
        before == [tree(broker.data())?, tree(stranger.data())?],
        "the refusal changed something"
    );

    broker.start()?;
    broker.tool("topics --describe --topic settled")?;
    broker.stop()?;
    Ok(Report {
        rounds: 3,
        figure: "in use, newer version, two clusters".to_owned(),
        ..Default::default()
    })
}

pub(super) fn read_only(stage: &mut Stage) -> Result<Report> {
    let mut broker = settled(stage.path())?;
    broker.stop()?;
    let data = broker.data().display().to_string();
    // Permissions do not keep root out; a read-only mount does.
    stdout(Command::new("mount").args(["--bind", &data, &data]))?;
    let refused = stdout(Command::new("mount").args(["-o", "remount,bind,ro", &data]))
        .and_then(|_| refuses(&mut broker, &["data"]));
    stdout(Command::new("umount").arg(&data))?;
    refused?;
    broker.start()?;
    broker.tool("topics --describe --topic settled")?;
    broker.stop()?;
    Ok(Report {
        rounds: 1,
        figure: "a read-only mount".to_owned(),
        ..Default::default()
    })
}

/// A broker that has a topic.
fn settled(directory: &Path) -> Result<Broker> {
    let mut broker = Broker::new(directory)?;
    broker.start()?;
    broker.create_topic("settled", 1, &[])?;
    Ok(broker)
}

fn refuses(broker: &mut Broker, words: &[&str]) -> Result<()> {
    let has_one = broker.data().is_dir();
    let before = if has_one {
        tree(broker.data())?
    } else {
        BTreeMap::new()
    };
    let said_before = broker.log().len();
    broker.spawn()?;
    let status = broker.wait(REFUSED_WITHIN)?;
    let said = broker.log().split_off(said_before);
    ensure!(
        status.code().is_some_and(|code| code != 0),
        "ended with {status}: {said}"
    );
    ensure!(!said.contains("panicked"), "{said}");
    for word in words {
        ensure!(said.contains(word), "no word about {word}: {said}");
    }
    ensure!(
        !has_one || before == tree(broker.data())?,
        "the refusal changed what is on disk: {said}"
    );
    Ok(())
}

type Tree = BTreeMap<PathBuf, (Vec<u8>, i64, i64)>;

/// Bytes and time of change of every file. The lock file may be touched.
fn tree(folder: &Path) -> Result<Tree> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(tree(&path)?);
        } else if !path.ends_with(".lock") {
            let info = fs::metadata(&path)?;
            files.insert(
                path.clone(),
                (fs::read(&path)?, info.mtime(), info.mtime_nsec()),
            );
        }
    }
    Ok(files)
}
