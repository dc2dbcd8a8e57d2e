//! `ottla dump-log`, `kafka-dump-log.sh`: shows what is in the files of a data directory.
//!
//! Owns: the options, the order of the files, and the findings that are told at the end. One file here for each kind of
//! file there: `log_file` (segments and snapshots of the metadata log), `index_file`, `small_file`. Always: standard
//! output is the reference's, byte by byte, also for damaged files; nothing is written, not even an index that is
//! missing; memory is bounded by the largest batch. On a terminal control characters of keys and values are escaped,
//! since what strangers have produced must not drive it.

mod data;
mod decoders;
mod index_file;
mod java;
mod log_file;
mod record;
mod remote;
mod small_file;

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::{CommandFactory as _, Parser};
use ottla_cli::options::{self, Given, Standard, ToolArgs};
use ottla_cli::output::{Format, OutputOnce};
use ottla_cli::{Context, Stop, Tool, java_order, jopt};

use data::Data;
use decoders::{Decoder, Parsing};
use java::JavaFile;

pub(crate) const TOOL: Tool = Tool {
    name: "dump-log",
    link: "kafka-dump-log",
    about: "Show what is in log segments, indexes and snapshots",
    command: Args::command,
    run,
};

/// Show what is in log segments, indexes and snapshots.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-dump-log",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-dump-log --print-data-log --files ottla-data/orders-0/00000000000000000000.log\n  \
        kafka-dump-log --deep-iteration --output json --files ottla-data/orders-0/00000000000000000000.log\n  \
        kafka-dump-log --files ottla-data/orders-0/00000000000000000000.index,ottla-data/orders-0/00000000000000000000.timeindex"
)]
struct Args {
    /// The files, separated by commas: .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint
    #[arg(long, value_name = "FILE,FILE")]
    files: Vec<String>,
    /// Show keys and values too; implied by every decoder
    #[arg(long)]
    print_data_log: bool,
    /// Show every record; implied by --print-data-log
    #[arg(long)]
    deep_iteration: bool,
    /// Show of records only keys and values; control records have neither
    #[arg(long)]
    skip_record_metadata: bool,
    /// Compare an index with its log without showing the entries
    #[arg(long)]
    verify_index_only: bool,
    /// Look only at what decides at a start whether an index is built anew
    #[arg(long)]
    index_sanity_check: bool,
    /// Read so many bytes of a log at most
    #[arg(long, value_name = "BYTES")]
    max_bytes: Vec<String>,
    /// Size of the largest batch that an index may point at, 5242880 by default
    #[arg(long, value_name = "BYTES")]
    max_message_size: Vec<String>,
    /// How to show keys: StringDecoder, DefaultDecoder, IntegerDecoder or LongDecoder of org.apache.kafka.tools.api
    #[arg(long, value_name = "CLASS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    key_decoder_class: Vec<String>,
    /// How to show values, as with keys
    #[arg(long, value_name = "CLASS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    value_decoder_class: Vec<String>,
    /// The log is one of __consumer_offsets
    #[arg(long)]
    offsets_decoder: bool,
    /// The log is one of __transaction_state
    #[arg(long)]
    transaction_log_decoder: bool,
    /// The log is one of __share_group_state
    #[arg(long)]
    share_group_state_decoder: bool,
    /// The log or snapshot is one of __cluster_metadata
    #[arg(long)]
    cluster_metadata_decoder: bool,
    /// The log is one of __remote_log_metadata
    #[arg(long)]
    remote_log_metadata_decoder: bool,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to parse a log file and dump its contents to the console, useful for \
                                 debugging a seemingly corrupt log segment.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// What shall be done with a file, from the options.
struct Plan {
    shows_contents: bool,
    shows_records: bool,
    skips_record_metadata: bool,
    verifies_only: bool,
    sanity_only: bool,
    bytes_max: i32,
    message_bytes_max: i32,
    parsing: Parsing,
}

impl Plan {
    /// For a log. Like the reference, it looks at an option only when a file asks for it.
    fn of_logs(args: &Args) -> Result<Self, Stop> {
        let key = jopt::one("key-decoder-class", &args.key_decoder_class)?;
        let value = jopt::one("value-decoder-class", &args.value_decoder_class)?;
        let parsing = match () {
            () if args.offsets_decoder => Parsing::Offsets,
            () if args.transaction_log_decoder => Parsing::TransactionLog,
            () if args.cluster_metadata_decoder => Parsing::ClusterMetadata,
            () if args.remote_log_metadata_decoder => Parsing::RemoteLogMetadata,
            () if args.share_group_state_decoder => Parsing::ShareGroupState,
            () => Parsing::Plain {
                key: Decoder::of_class(key)?,
                value: Decoder::of_class(value)?,
            },
        };
        let is_plain = matches!(parsing, Parsing::Plain { .. });
        let shows_contents = args.print_data_log || !is_plain || key.is_some() || value.is_some();
        Ok(Self {
            shows_contents,
            shows_records: args.deep_iteration || shows_contents,
            bytes_max: jopt::number("max-bytes", &args.max_bytes)?.unwrap_or(i32::MAX),
            parsing,
            ..Self::of_any(args)
        })
    }

    /// For an index.
    fn of_indexes(args: &Args) -> Result<Self, Stop> {
        let message_bytes_max = jopt::number("max-message-size", &args.max_message_size)?;
        Ok(Self {
            message_bytes_max: message_bytes_max.unwrap_or(5 << 20),
            ..Self::of_any(args)
        })
    }

    fn of_any(args: &Args) -> Self {
        Self {
            shows_contents: false,
            shows_records: false,
            skips_record_metadata: args.skip_record_metadata,
            verifies_only: args.verify_index_only,
            sanity_only: args.index_sanity_check,
            bytes_max: i32::MAX,
            message_bytes_max: 0,
            parsing: Parsing::Plain {
                key: Decoder::String,
                value: Decoder::String,
            },
        }
    }
}

/// What does not fit together, told when all files are through.
#[derive(Default)]
struct Findings {
    /// By path: an index entry's offset, and the last offset of the batch it points at.
    mismatches: ByFile<BTreeMap<std::cmp::Reverse<i64>, i64>>,
    /// By path: an entry's timestamp, and the largest of its batch.
    times: ByFile<Vec<(i64, i64)>>,
    /// By path: an entry's timestamp, and that of the entry before.
    times_out_of_order: ByFile<Vec<(i64, i64)>>,
    /// By path: an entry's offset, and that of the batch found instead.
    offsets_not_found: ByFile<Vec<(i64, i64)>>,
    /// By path: an offset, and the one that follows it.
    gaps: ByFile<BTreeMap<i64, i64>>,
}

/// Findings by file, in the order in which the files came.
struct ByFile<T>(Vec<(String, T)>);

impl<T> Default for ByFile<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// More findings of a kind are not kept for a file: nobody reads them, and a file can hold a great many.
const FINDINGS_MAX: usize = 1_000_000;

impl<T: Default> ByFile<T> {
    fn of(&mut self, file: &JavaFile) -> &mut T {
        let path = file.absolute();
        let at = self.0.iter().position(|(known, _)| *known == path);
        let at = at.unwrap_or_else(|| {
            self.0.push((path, T::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// In the order in which the reference's map yields its keys.
    fn told(mut self) -> Vec<(String, T)> {
        // `computeIfAbsent` puts a key before those that share its bucket.
        self.0.reverse();
        java_order::sort(&mut self.0, None, |(path, _)| path);
        self.0
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    options::require(&[Given::values("files", &args.files)])?;
    let files = jopt::one("files", &args.files)?.unwrap_or_default();
    let mut findings = Findings::default();
    let mut files = java::split(files, ',').map(JavaFile::new);
    match args.output.format()? {
        Format::Table => {
            files.try_for_each(|file| dump(&file, &args, &mut findings, cx))?;
            tell(findings, cx);
            Ok(())
        }
        Format::Data(form) => {
            let mut data = Data::new(form, cx);
            files.try_for_each(|file| data.dump(&file, &args, &mut findings))?;
            data.findings(findings)
        }
    }
}

fn dump(
    file: &JavaFile,
    args: &Args,
    findings: &mut Findings,
    cx: &mut Context,
) -> Result<(), Stop> {
    writeln!(cx.out, "Dumping {file}")?;
    match file.suffix() {
        ".log" | ".checkpoint" => log_file::dump(file, &Plan::of_logs(args)?, findings, cx),
        ".index" => index_file::dump_offsets(file, &Plan::of_indexes(args)?, findings, cx),
        ".timeindex" => index_file::dump_times(file, &Plan::of_any(args), findings, cx),
        ".snapshot" => small_file::dump_producers(file, cx),
        ".txnindex" => small_file::dump_aborted(file, cx),
        _ => {
            cx.warn(format!("Ignoring unknown file {file}"));
            Ok(())
        }
    }
}

fn tell(findings: Findings, cx: &mut Context) {
    for (path, pairs) in findings.mismatches.told() {
        cx.warn(format!("Mismatches in :{path}"));
        for (index, log) in pairs {
            cx.warn(format!("  Index offset: {}, log offset: {log}", index.0));
        }
    }
    for (path, pairs) in findings.times.told() {
        cx.warn(format!("Found timestamp mismatch in :{path}"));
        for (index, log) in pairs {
            cx.warn(format!("  Index timestamp: {index}, log timestamp: {log}"));
        }
    }
    for (path, pairs) in findings.times_out_of_order.told() {
        cx.warn(format!("Found out of order timestamp in :{path}"));
        for (index, before) in pairs {
            cx.warn(format!(
                "  Index timestamp: {index}, Previously indexed timestamp: {before}"
            ));
        }
    }
    for (path, pairs) in findings.offsets_not_found.told() {
        cx.warn(format!(
            "The following indexed offsets are not found in :{path}"
        ));
        for (index, log) in pairs {
            cx.warn(format!("Indexed offset: {index}, found log offset: {log}"));
        }
    }
    for (path, pairs) in findings.gaps.told() {
        cx.warn(format!("Non-consecutive offsets in {path}"));
        for (first, second) in &pairs {
            cx.warn(format!("  {first} is followed by {second}"));
        }
        if pairs.len() >= FINDINGS_MAX {
            cx.warn(format!("  Only the first {FINDINGS_MAX} are told."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_sound() {
        Args::command().debug_assert();
    }
}
