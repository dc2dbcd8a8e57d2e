//! `ottla log repair DIR`: mends what `verify` finds, and keeps aside what it takes out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use ottla_cli::output::{Format, Report, Rows};
use ottla_cli::{Context, Stop};
use ottla_log::dir_lock::DirLock;
use ottla_log::repair::{plan, repair, repair_checkpoints};
use ottla_log::verify::{Finding, Kind, Severity};
use ottla_log::{LogConfig, RealDisk};
use ottla_protocol::types::Offset;
use serde_json::{Value, json};

use super::verify::{Checked, check, finding, in_use, output, thread_count, threads};
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
                .value_parser(value_parser!(PathBuf))
                .help("A log directory, or the folder of one partition"),
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
            output(),
            threads(),
        ])
        .group(ArgGroup::new("mode").args(["dry-run", "execute"]).required(true))
}

pub(super) fn run(given: &ArgMatches, cx: &mut Context) -> Result<(), Stop> {
    let dir = given.get_one::<PathBuf>("dir").cloned().unwrap_or_default();
    let (deep, threads) = (given.get_flag("deep"), thread_count(given));
    let checked = check(&dir, deep, threads, cx)?;
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
    let format = given.get_one("output").copied().unwrap_or(Format::Table);
    let mut outcome = Outcome {
        directory: &dir,
        steps: &steps,
        mendable: &mendable,
        aside: None,
        left: hopeless,
    };
    let is_dry_run = given.get_flag("dry-run");
    if format == Format::Table {
        outcome.tell_steps(is_dry_run, cx)?;
    }
    if outcome.has_no_steps() || is_dry_run {
        outcome.end(format, cx)?;
        return match outcome.has_no_steps() {
            true => Ok(()),
            false => Err(Stop::Status(DAMAGED)),
        };
    }
    let aside = match given.get_one::<PathBuf>("aside") {
        Some(aside) => aside.clone(),
        None => default_aside(checked.directory.root.as_deref().unwrap_or(&dir))?,
    };
    write_report(&aside, &checked, &steps)?;
    execute(&checked, &aside)?;
    if format == Format::Table {
        writeln!(cx.out, "What was taken out is in {}.", aside.display())?;
    }
    let reports = super::verify::check_partitions(&checked.directory.partitions, deep, threads, cx);
    let left = reports.map_err(|error| refused(error.to_string()))?;
    let mut told_left = Vec::new();
    let left = left.iter().flat_map(|report| &report.findings);
    let left = left
        .filter(|f| f.severity > Severity::Note && f.kind != Kind::Lost)
        .filter(|f| f.kind != Kind::Checkpoint);
    for finding in left {
        let (file, message) = (&finding.file, &finding.message);
        told_left.push(format!("Left: {file}: {message}"));
        outcome.left.push(finding);
    }
    outcome.aside = Some(aside);
    for line in told_left {
        cx.warn(line);
    }
    outcome.end(format, cx)
}

/// What was found and done.
struct Outcome<'a> {
    directory: &'a Path,
    steps: &'a [(String, String)],
    mendable: &'a [&'a Finding],
    /// Where what was taken out is; none where nothing was done.
    aside: Option<PathBuf>,
    /// What is still wrong, and nothing here mends.
    left: Vec<&'a Finding>,
}

const MEND: &str = "move aside, the next start finds out anew";

impl Outcome<'_> {
    fn has_no_steps(&self) -> bool {
        self.steps.is_empty() && self.mendable.is_empty()
    }

    fn tell_steps(&self, is_dry_run: bool, cx: &mut Context) -> Result<(), Stop> {
        if self.has_no_steps() {
            return Ok(writeln!(cx.out, "Nothing to do.")?);
        }
        for (folder, step) in self.steps {
            writeln!(cx.out, "{folder}/{step}")?;
        }
        for finding in self.mendable {
            let (file, message) = (&finding.file, &finding.message);
            writeln!(cx.out, "{file}: {MEND} ({message})")?;
        }
        if is_dry_run {
            writeln!(cx.out, "Nothing was changed; --execute does it.")?;
        }
        Ok(())
    }

    /// The report where data are wanted; the status is that of what is left.
    fn end(&self, format: Format, cx: &mut Context) -> Result<(), Stop> {
        if let Format::Data(form) = format {
            cx.out.write_all(self.report().text(form).as_bytes())?;
        }
        match self.left.is_empty() {
            true => Ok(()),
            false => Err(Stop::Status(DAMAGED)),
        }
    }

    /// docs/json/log-verify.md
    fn report(&self) -> Report {
        let steps = self
            .steps
            .iter()
            .map(|(folder, step)| json!({ "folder": folder, "step": step }));
        let files = self
            .mendable
            .iter()
            .map(|finding| json!({ "folder": null, "step": format!("{}: {MEND}", finding.file) }));
        Report {
            value: json!({
                "version": 1,
                "directory": self.directory.display().to_string(),
                "executed": self.aside.is_some(),
                "aside": self.aside.as_ref().map(|aside| aside.display().to_string()),
                "steps": steps.chain(files).collect::<Vec<Value>>(),
                "left": self.left.iter().copied().map(finding).collect::<Vec<Value>>(),
            }),
            rows: Rows {
                within: &["steps"],
                columns: &["directory", "folder", "step", "executed", "aside"],
            },
        }
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
