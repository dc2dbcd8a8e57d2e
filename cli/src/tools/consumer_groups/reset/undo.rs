//! The file that a reset leaves, from which `--undo` takes it back: docs/json/consumer-groups.md has its form.
//!
//! Always: it is written before the first offset is, and on disk before the tool ends; it holds all groups of the run, and names the cluster, so that
//! it cannot be applied to another one. Where nobody said where it goes and it cannot be written, the reset goes on with a
//! warning: scripts that ran with the reference's tool have no place for it.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use ottla_client::admin::{CommittedOffset, NewOffset, TopicPartition};
use regex::Regex;
use serde_json::{Value, json};

use super::GroupPlan;
use super::file::BYTES_MAX;
use crate::stop::{Failure, Stop};

const VERSION: u64 = 1;

/// How many files are kept where nobody says where they go: years of careful work, or a night's script over all groups.
const FILES_MAX: usize = 1000;

/// What tells the file from others.
const KIND: &str = "offsets before a reset";

#[derive(Debug, PartialEq)]
pub(in super::super) struct UndoFile {
    pub(super) path: PathBuf,
    pub(super) cluster: Option<String>,
    groups: Vec<(String, Vec<Step>)>,
}

/// What a reset did to a partition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) at: TopicPartition,
    /// `None`: nothing was committed.
    pub(super) before: Option<NewOffset>,
    /// `None`: the committed offset was deleted.
    pub(super) after: Option<i64>,
}

impl UndoFile {
    pub(in super::super) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |reason: String| {
            Failure::new(format!("Unable to read file {}", path.display())).hint(reason)
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| cannot(format!("{error}.")))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(cannot(format!("It has more than {BYTES_MAX} bytes.")));
        }
        Self::parse(&text, path)
            .map_err(|reason| cannot(format!("It is no file that a reset has left: {reason}.")))
    }

    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file["kind"] != KIND {
            return Err(format!("\"kind\" is not \"{KIND}\""));
        }
        if file["version"] != VERSION {
            let version = &file["version"];
            return Err(format!("version {version} is not known, only {VERSION} is"));
        }
        let list = |value: &Value, what: &str| {
            let list = value.as_array().cloned();
            list.ok_or_else(|| format!("\"{what}\" is no list"))
        };
        let mut groups = Vec::new();
        for group in list(&file["groups"], "groups")? {
            let name = text_of(&group["group"], "group")?;
            let steps = list(&group["partitions"], "partitions")?;
            let steps: Result<_, String> = steps.iter().map(step).collect();
            groups.push((name, steps?));
        }
        Ok(Self {
            path: path.to_owned(),
            cluster: file["clusterId"].as_str().map(str::to_owned),
            groups,
        })
    }

    /// The groups of the file, or those of them that are wanted.
    pub(in super::super) fn groups(&self, wanted: &[String]) -> Result<Vec<String>, Stop> {
        let mut names = self.groups.iter().map(|(name, _)| name);
        match wanted
            .iter()
            .find(|wanted| !names.clone().any(|name| name == *wanted))
        {
            Some(stranger) => Err(Stop::failed(format!(
                "The file {} is not about group {stranger}",
                self.path.display()
            ))),
            None if wanted.is_empty() => Ok(names.by_ref().cloned().collect()),
            None => Ok(wanted.to_vec()),
        }
    }

    /// What was done to a group.
    pub(super) fn steps(&self, group: &str) -> &[Step] {
        let found = self.groups.iter().find(|(name, _)| name == group);
        found.map_or(&[], |(_, steps)| steps)
    }

    /// Rows as a file of new offsets has them; partitions without an offset before are left out.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &TopicPartition, i64)> {
        self.groups.iter().flat_map(|(name, steps)| {
            steps.iter().filter_map(move |step| {
                Some((name.as_str(), &step.at, step.before.as_ref()?.offset))
            })
        })
    }
}

fn text_of(value: &Value, what: &str) -> Result<String, String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("\"{what}\" is no text"))
}

fn step(value: &Value) -> Result<Step, String> {
    let number = |value: &Value, what: &str| {
        let number = value.as_i64();
        number.ok_or_else(|| format!("\"{what}\" is no whole number"))
    };
    let int = |value: &Value, what: &str| {
        let fits = i32::try_from(number(value, what)?);
        fits.map_err(|_| format!("\"{what}\" is too large"))
    };
    let before = match &value["before"] {
        Value::Null => None,
        before => Some(NewOffset {
            offset: number(&before["offset"], "offset")?,
            leader_epoch: match &before["leaderEpoch"] {
                Value::Null => None,
                epoch => Some(int(epoch, "leaderEpoch")?),
            },
            metadata: text_of(&before["metadata"], "metadata")?,
        }),
    };
    let after = match &value["after"] {
        Value::Null => None,
        after => Some(number(after, "after")?),
    };
    let topic = text_of(&value["topic"], "topic")?;
    let partition = int(&value["partition"], "partition")?;
    Ok(Step {
        at: TopicPartition::new(topic, partition),
        before,
        after,
    })
}

/// A file that is written, on its way to the disk.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    syncing: JoinHandle<io::Result<()>>,
}

impl Written {
    /// Waits until it is on disk.
    pub(super) fn synced(self) -> io::Result<()> {
        self.syncing
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the file was not synced")))
    }
}

/// Writes the file for what is about to be done. It is there for whoever looks from now on; a disk takes far longer than the
/// brokers, and is waited for beside them.
pub(super) fn write(
    plans: &[&GroupPlan],
    cluster: Option<&str>,
    folder: &Path,
    now: Timestamp,
) -> io::Result<Written> {
    fs::create_dir_all(folder)?;
    let (path, mut file) = create(folder, &stem(plans, now))?;
    // In one piece: formatted into the file, each brace would be a call of the system.
    let text = format!("{:#}\n", content(plans, cluster, now));
    file.write_all(text.as_bytes())?;
    let folder = File::open(folder)?;
    let syncing = thread::spawn(move || {
        file.sync_all()?;
        // The entry, too.
        folder.sync_all()
    });
    Ok(Written { path, syncing })
}

fn content(plans: &[&GroupPlan], cluster: Option<&str>, now: Timestamp) -> Value {
    let before = |committed: &CommittedOffset| {
        json!({
            "offset": committed.offset,
            "leaderEpoch": committed.leader_epoch,
            "metadata": committed.metadata,
        })
    };
    let group = |plan: &&GroupPlan| {
        let partition = |step: &super::Move| {
            json!({
                "topic": step.at.topic,
                "partition": step.at.partition,
                "before": step.from.as_ref().map(before),
                "after": step.to.as_ref().map(|to| to.offset),
            })
        };
        let partitions: Vec<Value> = plan.moves.iter().map(partition).collect();
        json!({ "group": plan.group, "partitions": partitions })
    };
    json!({
        "version": VERSION,
        "kind": KIND,
        "clusterId": cluster,
        "time": now.to_string(),
        "groups": plans.iter().map(group).collect::<Vec<_>>(),
    })
}

/// The time, and the group where it is one; names of groups may hold anything.
fn stem(plans: &[&GroupPlan], now: Timestamp) -> String {
    const CHARS_MAX: usize = 64;
    let time = now.strftime("%Y%m%dT%H%M%S%.3fZ");
    match plans {
        [plan] => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let chars = plan.group.chars().take(CHARS_MAX);
            let name: String = chars.map(|c| if plain(c) { c } else { '_' }).collect();
            format!("{time}-{name}")
        }
        plans => format!("{time}-{}-groups", plans.len()),
    }
}

/// A new file; one that was written in the same millisecond stays.
fn create(folder: &Path, stem: &str) -> io::Result<(PathBuf, File)> {
    const TRIES: u32 = 1000;
    let mut tries = 1..TRIES;
    loop {
        let number = tries.next();
        let name = match number {
            Some(1) => format!("{stem}.json"),
            Some(number) => format!("{stem}-{number}.json"),
            None => return Err(io::ErrorKind::AlreadyExists.into()),
        };
        let path = folder.join(name);
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return Ok((path, outcome?)),
        }
    }
}

/// Removes the oldest files beyond [`FILES_MAX`] from the place that nobody named. Files of other names stay, and so does what
/// cannot be removed: the next reset tries again.
pub(super) fn forget_oldest(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut ours: Vec<String> = names.filter(|name| NAME.is_match(name)).collect();
    // By time, as that is what they begin with.
    ours.sort_unstable();
    let many = ours.len().saturating_sub(FILES_MAX);
    for name in ours.iter().take(many) {
        fs::remove_file(folder.join(name)).ok();
    }
}

/// A name that [`write`] gives.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d{8}T\d{6}\.\d{3}Z-.+\.json$").expect("a pattern that stands here")
});

/// Where files go if nobody says: the place for what programs keep and people may look at (XDG).
pub(super) fn default_folder() -> Option<PathBuf> {
    let absolute = |key| {
        let path = PathBuf::from(env::var_os(key)?);
        path.is_absolute().then_some(path)
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("ottla").join("undo"))
}
