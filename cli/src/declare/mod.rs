//! What a cluster shall have, said in a file: `ottla topics apply` and `export`, `ottla server --apply`, `ottla run -f`.
//!
//! Owns the file's format (`file`), the plan that leads there (`plan`) and carrying it out (`execute`). Always: all of the file
//! and of the plan is checked before anything is changed, and when a plan was carried out the cluster shows it. Not here:
//! asking people, and exit statuses; tools do that.

use std::io::Read as _;
use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, TopicPartition};

use crate::progress::Progress;
use crate::stop::Failure;

mod execute;
mod export;
mod file;
mod loss;
mod plan;
mod present;
mod render;
mod replacement;
mod replicas;

pub use execute::{Refusal, steps};
pub use export::{Extent, export};
pub use file::{Declared, Topic};
pub use plan::{Plan, Rules};
pub use render::{named, report, text};

/// Larger files are none of this kind.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long the brokers of a cluster may take to learn of a change.
const SHOWN_MAX: Duration = Duration::from_secs(10);
const SHOWN_POLL: Duration = Duration::from_millis(20);

/// Reads files, `-` being standard input, as one.
pub fn read(files: &[String]) -> Result<Declared, Failure> {
    let mut declared = Declared::default();
    let mut complaints = Vec::new();
    for name in files {
        let text =
            text_of(name).map_err(|error| Failure::new(format!("Cannot read {name}: {error}.")))?;
        let shown = if name == "-" { "standard input" } else { name };
        complaints.extend(declared.add(shown, &text).err().unwrap_or_default());
    }
    match complaints.is_empty() {
        true => Ok(declared),
        false => Err(Failure::new(complaints.join("\n")).hint("Nothing was changed.")),
    }
}

fn text_of(name: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let source: Box<dyn std::io::Read> = match name {
        "-" => Box::new(std::io::stdin()),
        path => Box::new(std::fs::File::open(path)?),
    };
    source.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    match text.len() as u64 > FILE_BYTES_MAX {
        true => Err(std::io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        ))),
        false => Ok(text),
    }
}

/// What is to be done, judged by the cluster as well. Fails where the file is for another cluster.
pub async fn plan(admin: &Admin, declared: &Declared, rules: Rules) -> Result<Plan, Failure> {
    let mut plan = plan_unjudged(admin, declared, rules).await?;
    if plan.problems.is_empty() {
        for refusal in execute::validate(admin, &plan).await? {
            plan.problems.push(told(&refusal));
        }
    }
    Ok(plan)
}

async fn plan_unjudged(admin: &Admin, declared: &Declared, rules: Rules) -> Result<Plan, Failure> {
    let is_wanted = |topic: &ottla_client::admin::TopicListing| {
        let topics = declared.topics.iter();
        let mut groups = declared.groups.values();
        topics
            .into_iter()
            .any(|topics| topics.contains_key(&topic.name))
            || groups.any(|positions| positions.contains_key(&topic.name))
    };
    let groups = declared.groups.keys().map(String::as_str);
    let mut present = present::Present::gather(admin, is_wanted, groups).await?;
    if let Some(expected) = &declared.cluster_id
        && present.cluster_id.as_ref() != Some(expected)
    {
        let actual = present.cluster_id.as_deref().unwrap_or("unknown");
        return Err(Failure::new(format!(
            "The file is for the cluster {expected}, and this one's id is {actual}. Nothing was changed."
        ))
        .hint("A file without cluster_id is for every cluster."));
    }
    let partitions = plan::partitions_in_question(declared, &present);
    present.add_ranges(admin, &partitions).await?;
    Ok(plan::plan(declared, &present, rules))
}

/// What came of a plan.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    pub refusals: Vec<Refusal>,
    /// Partitions whose replicas were still on their way when the time was up: how long that takes is up to their data.
    pub moving: Vec<TopicPartition>,
}

/// Carries a plan out, and waits until the cluster shows it.
pub async fn carry_out(
    admin: &Admin,
    declared: &Declared,
    plan: &Plan,
    rules: Rules,
    progress: &Progress,
) -> Result<Carried, Failure> {
    let mut carried = Carried {
        refusals: execute::execute(admin, plan, progress).await?,
        moving: plan.moving.clone(),
    };
    // A broker that lags behind the controller must not make moves out of old news.
    let mut begun = plan.moves();
    let mut waits = waits();
    while carried.refusals.is_empty() && !plan.topics.is_empty() {
        let left = plan_unjudged(admin, declared, rules).await?;
        let is_done = left.topics.is_empty();
        carried.moving = left.moving.clone();
        // The controller has ended a move before each broker knows of its end.
        let behind = left.behind.iter().filter(|at| begun.contains_key(*at));
        carried.moving.extend(behind.cloned());
        if is_done && carried.moving.is_empty() {
            break;
        }
        let mut more = left.moves();
        more.retain(|at, _| !begun.contains_key(at));
        carried.refusals = execute::reassign(admin, &more).await?;
        begun.extend(more);
        if waits.wait().await {
            continue;
        }
        if is_done {
            break;
        }
        return Err(Failure::new(
            "Everything was accepted, but the cluster does not show all of it yet.",
        ));
    }
    Ok(carried)
}

/// For a cluster that is being started: makes what is missing and changes what differs, unless that loses data. Offsets
/// that groups have committed stay as they are.
pub async fn apply_at_start(admin: &Admin, declared: &Declared) -> Result<Plan, Failure> {
    let rules = Rules {
        prune: false,
        move_offsets: false,
    };
    let plan = plan(admin, declared, rules).await?;
    let mut problems = plan.problems.clone();
    problems.extend(
        plan.losses()
            .iter()
            .map(|loss| format!("{loss}; this loses data")),
    );
    if problems.is_empty() {
        let carried = carry_out(admin, declared, &plan, rules, &Progress::hidden()).await?;
        problems.extend(carried.refusals.iter().map(told));
    }
    match problems.is_empty() {
        true => Ok(plan),
        false => Err(Failure::new(problems.join("\n"))),
    }
}

/// A refusal in a line, with the key that may have been meant.
pub fn told(refusal: &Refusal) -> String {
    let text = refusal.error.text();
    let suggestion = match text.rsplit_once("Unknown topic config name: ") {
        Some((_, key)) => plan::maybe(
            key.trim(),
            ottla_config::topic::TABLE.iter().map(|def| def.key),
        ),
        None => String::new(),
    };
    format!("{} {}: {text}{suggestion}", refusal.kind, refusal.name)
}

/// Polls with an end.
struct Waits(Instant);

fn waits() -> Waits {
    Waits(Instant::now() + SHOWN_MAX)
}

impl Waits {
    /// False where it took too long.
    async fn wait(&mut self) -> bool {
        tokio::time::sleep(SHOWN_POLL).await;
        Instant::now() < self.0
    }
}
