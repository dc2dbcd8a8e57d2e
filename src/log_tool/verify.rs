//! `ottla log verify DIR…`: looks at everything and writes nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use comfy_table::{Table, presets::NOTHING};
use ottla_cli::output::{Format, Report, Rows};
use ottla_cli::progress::Progress;
use ottla_cli::{Context, Failure, Stop};
use ottla_log::dir_lock::{DirLock, LockError};
use ottla_log::verify::{self, Directory, Finding, PartitionFolder, PartitionReport, Severity};
use ottla_log::{DiskError, RealDisk};
use serde_json::{Value, json};

use super::{DAMAGED, refused};

/// Version of the machine-readable report, `docs/json/log-verify.md`.
const REPORT_VERSION: u32 = 1;

pub(super) fn command() -> Command {
    Command::new("verify")
        .about("Check every checksum, offset, epoch and index, without writing anything")
        .long_about(
            "Check every checksum, offset, epoch and index, without writing anything. DIR is a log directory or the folder \
             of one partition; the broker must be stopped. The exit status is 0 if all is sound, 1 if damage was found, 2 \
             if nothing could be checked.",
        )
        .args([
            Arg::new("dir")
                .value_name("DIR")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help("A log directory, or the folder of one partition; several are looked at in turn"),
            Arg::new("deep")
                .long("deep")
                .action(ArgAction::SetTrue)
                .help("Inflate batches and read their records, too: finds what a writer did wrong, costs processor time"),
            output(),
            threads(),
        ])
}

pub(super) fn output() -> Arg {
    Arg::new("output")
        .long("output")
        .value_name("FORMAT")
        .value_parser(value_parser!(Format))
        .default_value("table")
        .help("How the report looks: table, wide, json, yaml, csv or tsv")
}

pub(super) fn threads() -> Arg {
    Arg::new("threads")
        .long("threads")
        .value_name("N")
        .value_parser(value_parser!(u16).range(1..=256))
        .help("Partitions that are looked at side by side; as many as there are processors by default")
}

/// One directory that was looked at.
pub(super) struct Checked {
    pub(super) dir: PathBuf,
    pub(super) directory: Directory,
    /// Beside `directory.partitions`.
    pub(super) reports: Vec<PartitionReport>,
    /// Held until the report is out of date.
    lock: Option<DirLock>,
}

pub(super) fn run(given: &ArgMatches, cx: &mut Context) -> Result<(), Stop> {
    let dirs = given.get_many::<PathBuf>("dir").into_iter().flatten();
    let (deep, threads) = (given.get_flag("deep"), thread_count(given));
    let begun = Instant::now();
    let mut all = Vec::new();
    for dir in dirs {
        all.push(check(dir, deep, threads, cx)?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    match given.get_one("output") {
        Some(Format::Data(form)) => {
            let text = report(&all, deep, seconds).text(*form);
            cx.out.write_all(text.as_bytes())?;
        }
        _ => render(&all, seconds, cx)?,
    }
    match all.iter().any(Checked::is_damaged) {
        true => Err(Stop::Status(DAMAGED)),
        false => Ok(()),
    }
}

pub(super) fn thread_count(given: &ArgMatches) -> usize {
    given.get_one::<u16>("threads").map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |n| usize::from(*n),
    )
}

pub(super) fn check(dir: &Path, deep: bool, threads: usize, cx: &Context) -> Result<Checked, Stop> {
    let failed = |error: DiskError| refused(error.to_string());
    let directory = verify::survey(&RealDisk, dir).map_err(failed)?;
    let lock = match &directory.root {
        Some(root) => DirLock::take_if_there(root).map_err(in_use)?,
        None => None,
    };
    let is_known = lock.is_some() || verify::is_log_directory(&RealDisk, dir);
    if directory.partitions.is_empty() && directory.root.as_deref() == Some(dir) && !is_known {
        return Err(refused(format!(
            "{} is neither a log directory nor the folder of a partition",
            dir.display()
        )));
    }
    let reports = check_partitions(&directory.partitions, deep, threads, cx).map_err(failed)?;
    Ok(Checked {
        dir: dir.to_owned(),
        directory,
        reports,
        lock,
    })
}

pub(super) fn in_use(error: LockError) -> Stop {
    let failure = Failure::new(error.to_string()).status(super::REFUSED);
    match error {
        LockError::Held(_) => {
            failure.hint("Stop the broker first: what it is writing cannot be told from damage.")
        }
        LockError::Io { .. } => failure,
    }
    .into()
}

/// The partitions, each by one thread, the reports in their order.
pub(super) fn check_partitions(
    folders: &[PartitionFolder],
    deep: bool,
    threads: usize,
    cx: &Context,
) -> Result<Vec<PartitionReport>, DiskError> {
    let progress = &Progress::of_parts(folders.len(), cx);
    let next = AtomicUsize::new(0);
    let results = Arc::new(Mutex::new(Vec::with_capacity(folders.len())));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(folders.len()) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(folder) = folders.get(i) else {
                        return;
                    };
                    let report = verify::verify(&RealDisk, &folder.path, &folder.expected, deep);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((i, report));
                    progress.add_one();
                }
            });
        }
    });
    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(i, _)| *i);
    results.drain(..).map(|(_, report)| report).collect()
}

impl Checked {
    /// Every finding, with the partition it is about.
    pub(super) fn findings(&self) -> impl Iterator<Item = (Option<&str>, &Finding)> {
        let own = self
            .directory
            .findings
            .iter()
            .map(|finding| (None, finding));
        let folders = self.directory.partitions.iter().zip(&self.reports);
        own.chain(folders.flat_map(|(folder, report)| {
            let name = folder.name.as_str();
            report
                .findings
                .iter()
                .map(move |finding| (Some(name), finding))
        }))
    }

    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    fn is_damaged(&self) -> bool {
        self.findings()
            .any(|(_, finding)| finding.severity > Severity::Note)
    }

    fn bytes(&self) -> u64 {
        self.reports.iter().map(|report| report.bytes).sum()
    }
}

fn rate(all: &[Checked], seconds: f64) -> (u64, f64) {
    let bytes: u64 = all.iter().map(Checked::bytes).sum();
    (bytes, bytes as f64 / 1e6 / seconds.max(1e-6))
}

fn render(all: &[Checked], seconds: f64, cx: &mut Context) -> Result<(), Stop> {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["SEVERITY", "KIND", "PLACE", "WHAT"]);
    let mut count = 0;
    for checked in all {
        for (partition, finding) in checked.findings() {
            let mut place = checked.dir.display().to_string();
            // The folder of a partition was named itself.
            let is_dir = checked.directory.root.as_deref() == Some(&checked.dir);
            for part in [partition.filter(|_| is_dir), Some(&finding.file)]
                .into_iter()
                .flatten()
            {
                place = format!("{place}/{part}");
            }
            if let Some(stretch) = finding.stretch {
                place = format!("{place}:{}+{}", stretch.position, stretch.bytes);
            }
            let (severity, kind) = (finding.severity.name(), finding.kind.name());
            table.add_row([severity, kind, &place, &finding.message]);
            count += 1;
        }
    }
    if count > 0 {
        for line in table.lines() {
            writeln!(cx.out, "{}", line.trim())?;
        }
        writeln!(cx.out)?;
    }
    let reports = || all.iter().flat_map(|checked| &checked.reports);
    let more: u64 = reports().map(|report| report.more_findings).sum();
    if more > 0 {
        writeln!(cx.out, "{more} more findings are not shown.")?;
    }
    let (bytes, rate) = rate(all, seconds);
    let batches: u64 = reports().map(|report| report.batches).sum();
    let records: u64 = reports().map(|report| report.records).sum();
    let partitions: usize = all.iter().map(|checked| checked.reports.len()).sum();
    let verdict = if all.iter().any(Checked::is_damaged) {
        "Damage was found"
    } else {
        "Sound"
    };
    writeln!(
        cx.out,
        "{verdict}: {partitions} partitions, {batches} batches, {records} records, {bytes} bytes in {seconds:.2} s ({rate:.0} MB/s)"
    )?;
    Ok(())
}

/// docs/json/log-verify.md
fn report(all: &[Checked], deep: bool, seconds: f64) -> Report {
    let (bytes, rate) = rate(all, seconds);
    let value = json!({
        "version": REPORT_VERSION,
        "sound": !all.iter().any(Checked::is_damaged),
        "deep": deep,
        "bytes": bytes,
        "seconds": seconds,
        "megabytesPerSecond": rate,
        "directories": all.iter().map(directory).collect::<Vec<_>>(),
    });
    let rows = Rows {
        // What is found in a directory itself has no folder.
        within: &["directories", "findings|partitions", "findings"],
        columns: &[
            "path",
            "folder",
            "segments",
            "batches",
            "records",
            "logStartOffset",
            "logEndOffset",
            "severity",
            "kind",
            "file",
            "message",
            "position",
            "firstOffset",
            "nextOffset",
        ],
    };
    Report { value, rows }
}

fn directory(checked: &Checked) -> Value {
    let folders = checked.directory.partitions.iter().zip(&checked.reports);
    let partitions: Vec<Value> = folders
        .map(|(folder, report)| {
            json!({
                "folder": folder.name,
                "segments": report.segments,
                "bytes": report.bytes,
                "batches": report.batches,
                "records": report.records,
                "logStartOffset": report.log_start.0,
                "logEndOffset": report.log_end.0,
                "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
                "moreFindings": report.more_findings,
            })
        })
        .collect();
    json!({
        "path": checked.dir.display().to_string(),
        "findings": checked.directory.findings.iter().map(finding).collect::<Vec<_>>(),
        "partitions": partitions,
    })
}

pub(super) fn finding(finding: &Finding) -> Value {
    let mut json = json!({
        "severity": finding.severity.name(),
        "kind": finding.kind.name(),
        "file": finding.file,
        "message": finding.message,
    });
    if let Some(stretch) = finding.stretch {
        json["position"] = stretch.position.into();
        json["bytes"] = stretch.bytes.into();
        json["firstOffset"] = stretch.first_offset.0.into();
        json["nextOffset"] = stretch.next_offset.0.into();
    }
    json
}
