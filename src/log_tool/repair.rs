//! `ottla log repair DIR`: mends what `verify` finds, and keeps aside what it takes out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use ottla_cli::{Context, Stop};
use ottla_log::dir_lock::DirLock;
use ottla_log::repair::{plan, repair, repair_checkpoints};
use ottla_log::verify::{Finding, Kind, Severity};
use ottla_log::{LogConfig, RealDisk};
use ottla_protocol::types::Offset;
use serde_json::{Value, json};

use super::verify::{Checked, check, finding, in_use, thread_count, threads};
use super::{DAMAGED, refused};

pub(super) fn command() -> Command {
    Command::new("repair")
        .about("Mend what is damaged, and keep aside what has to be taken out")
        .long_about(
            "Mend what is damaged in a log directory or the folder of one partition; the broker must be stopped. Stretches \
             that hold no valid batch, torn ends and wrong files are moved to a folder aside, byte for byte, with a \
             report; empty batches stand in for offsets that are lost; indexes and snapshots are made anew. A repair that \
             was interrupted can be begun again. The exit status is 0 if nothing is (or is left) to be done, 1 if \
             something is, 2 if nothing could be looked at.",
        )
        .args([
            Arg::new("dir")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Show what would be done"),
            Arg::new("execute")
                .long("execute")
                .action(ArgAction::SetTrue)
                .help("Do it"),
            Arg::new("aside")
                .long("aside")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Where to keep what is taken out; ottla-repair-<time> beside the log directory by default"),
            Arg::new("deep")
                .long("deep")
                .action(ArgAction::SetTrue)
                .help("Take batches out, too, whose records cannot be read although their checksum is right"),
            threads(),
        ])
        .group(ArgGroup::new("mode").args(["dry-run", "execute"]).required(true))
}

pub(super) fn run(given: &ArgMatches, cx: &mut Context) -> Result<(), Stop> {
    let dir = given.get_one::<PathBuf>("dir").cloned().unwrap_or_default();
    let (deep, threads) = (given.get_flag("deep"), thread_count(given));
    let checked = check(&dir, deep, threads)?;
    // A directory whose lock is not there yet must not be taken by a broker meanwhile.
    let _lock = match (&checked.directory.root, checked.is_locked()) {
        (Some(root), false) if given.get_flag("execute") => {
            Some(DirLock::take(root).map_err(in_use)?)
        }
        _ => None,
    };
    let steps = steps(&checked);
    let own = checked
        .directory
        .findings
        .iter()
        .filter(|f| f.severity > Severity::Note);
    let (mendable, hopeless): (Vec<&Finding>, Vec<&Finding>) =
        own.partition(|finding| finding.kind == Kind::Checkpoint);
    for finding in &hopeless {
        let (file, message) = (&finding.file, &finding.message);
        cx.warn(format!(
            "{file}: {message}. Nothing here can mend that; a copy of the file is needed."
        ));
    }
    if steps.is_empty() && mendable.is_empty() {
        writeln!(cx.out, "Nothing to do.")?;
        return ended(hopeless.is_empty());
    }
    for (folder, step) in &steps {
        writeln!(cx.out, "{folder}/{step}")?;
    }
    for finding in &mendable {
        let (file, message) = (&finding.file, &finding.message);
        writeln!(
            cx.out,
            "{file}: move aside, the next start finds out anew ({message})"
        )?;
    }
    if given.get_flag("dry-run") {
        writeln!(cx.out, "Nothing was changed; --execute does it.")?;
        return ended(false);
    }
    let aside = match given.get_one::<PathBuf>("aside") {
        Some(aside) => aside.clone(),
        None => default_aside(checked.directory.root.as_deref().unwrap_or(&dir))?,
    };
    write_report(&aside, &checked, &steps)?;
    execute(&checked, &aside)?;
    writeln!(cx.out, "What was taken out is in {}.", aside.display())?;
    let reports = super::verify::check_partitions(&checked.directory.partitions, deep, threads);
    let left = reports.map_err(|error| refused(error.to_string()))?;
    let left = left.iter().flat_map(|report| &report.findings);
    let left: Vec<&Finding> = left
        .filter(|f| f.severity > Severity::Note && f.kind != Kind::Lost)
        .filter(|f| f.kind != Kind::Checkpoint)
        .collect();
    for finding in &left {
        cx.warn(format!("Left: {}: {}", finding.file, finding.message));
    }
    ended(left.is_empty() && hopeless.is_empty())
}

fn ended(is_sound: bool) -> Result<(), Stop> {
    match is_sound {
        true => Ok(()),
        false => Err(Stop::Status(DAMAGED)),
    }
}

/// Every step, with the folder it is in.
fn steps(checked: &Checked) -> Vec<(String, String)> {
    let folders = checked.directory.partitions.iter().zip(&checked.reports);
    let mut steps = Vec::new();
    for (folder, report) in folders {
        for step in plan(report) {
            steps.push((folder.name.clone(), step.to_string()));
        }
        for finding in &report.findings {
            if matches!(finding.kind, Kind::Lost | Kind::Checkpoint) {
                let step = format!("set to the log's end ({})", finding.message);
                steps.push((folder.name.clone(), format!("{}: {step}", finding.file)));
            }
        }
    }
    steps
}

/// Beside the log directory and not in it: the reference refuses to start over folders that it does not know.
fn default_aside(root: &Path) -> Result<PathBuf, Stop> {
    let root = std::path::absolute(root).map_err(|e| refused(e.to_string()))?;
    let parent = root
        .parent()
        .ok_or_else(|| refused("there is nothing beside /; name a folder with --aside"))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(parent.join(format!("ottla-repair-{}", now.as_secs())))
}

/// What is going to be done, before any of it is.
fn write_report(aside: &Path, checked: &Checked, steps: &[(String, String)]) -> Result<(), Stop> {
    let steps: Vec<Value> = steps
        .iter()
        .map(|(folder, step)| json!({ "folder": folder, "step": step }))
        .collect();
    let findings: Vec<Value> = checked
        .findings()
        .map(|(folder, found)| json!({ "folder": folder, "finding": finding(found) }))
        .collect();
    let report = json!({
        "version": 1,
        "directory": checked.dir.display().to_string(),
        "steps": steps,
        "findings": findings,
    });
    let path = aside.join("report.json");
    std::fs::create_dir_all(aside)
        .and_then(|()| std::fs::write(&path, format!("{report:#}\n")))
        .and_then(|()| std::fs::File::open(&path)?.sync_all())
        .map_err(|error| refused(format!("cannot write {}: {error}", path.display())))
}

fn execute(checked: &Checked, aside: &Path) -> Result<(), Stop> {
    let disk = RealDisk::shared();
    let config = Arc::new(LogConfig::default());
    let folders = checked.directory.partitions.iter().zip(&checked.reports);
    let mut ends: Vec<(String, Offset)> = Vec::new();
    for (folder, report) in folders {
        let kept = aside.join(&folder.name);
        repair(
            &disk,
            &folder.path,
            &folder.expected,
            report,
            &kept,
            &config,
        )
        .map_err(|error| Stop::failed(format!("{}: {error}", folder.name)))?;
        ends.push((folder.name.clone(), report.log_end));
    }
    if let Some(root) = &checked.directory.root {
        repair_checkpoints(&RealDisk, root, &ends, aside)
            .map_err(|e| Stop::failed(e.to_string()))?;
    }
    Ok(())
}
