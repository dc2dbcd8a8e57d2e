//! The options, and what several of them make together.

use clap::Parser;

use crate::options::{Connection, Given, Standard, ToolArgs};
use crate::output::OutputOnce;

/// `--state` without a value; an empty one is a value. No word of a command line is like this.
pub(super) const NO_STATE: &str = "\0";

/// List and describe consumer groups, reset and delete their offsets.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-consumer-groups",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-consumer-groups --bootstrap-server localhost:9092 --list\n  \
        kafka-consumer-groups --bootstrap-server localhost:9092 --describe --group readers --output csv\n  \
        kafka-consumer-groups --bootstrap-server localhost:9092 --describe --all-groups --watch=5s\n  \
        kafka-consumer-groups --bootstrap-server localhost:9092 --reset-offsets --group readers --topic orders --to-earliest --explain\n  \
        kafka-consumer-groups --bootstrap-server localhost:9092 --reset-offsets --group readers --topic orders --shift-by -10 --execute"
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// How long each question to the cluster may take; 30000 by default. With --wait-lag, how long to wait in all, as
    /// milliseconds or with a unit: 60s, 5m
    #[arg(
        long,
        value_name = "MS",
        help_heading = "Connection",
        allow_hyphen_values = true
    )]
    pub(super) timeout: Vec<String>,

    /// List the groups
    #[arg(long, help_heading = "Actions")]
    pub(super) list: bool,
    /// Show offsets, members or the state of groups
    #[arg(long, help_heading = "Actions")]
    pub(super) describe: bool,
    /// Delete groups without members, with their offsets
    #[arg(long, help_heading = "Actions")]
    pub(super) delete: bool,
    /// Move the offsets of groups without members; only shows what would happen without --execute
    #[arg(long, help_heading = "Actions")]
    pub(super) reset_offsets: bool,
    /// Delete the offsets that a group has for topics
    #[arg(long, help_heading = "Actions")]
    pub(super) delete_offsets: bool,
    /// Wait until no partition of the groups lags by more than so many records, then show the offsets; the exit status is 3
    /// where that takes longer than --timeout
    #[arg(
        long,
        value_name = "RECORDS",
        help_heading = "Actions",
        allow_hyphen_values = true
    )]
    pub(super) wait_lag: Vec<String>,
    /// Say whether a text is a regular expression as brokers understand it
    #[arg(
        long,
        value_name = "REGEX",
        help_heading = "Actions",
        allow_hyphen_values = true
    )]
    pub(super) validate_regex: Vec<String>,

    /// The group to act on; may be repeated
    #[arg(long, value_name = "GROUP", help_heading = "Scope")]
    pub(super) group: Vec<String>,
    /// Act on every group
    #[arg(long, help_heading = "Scope")]
    pub(super) all_groups: bool,
    /// The topic to reset or delete offsets of, or to wait for, or some of its partitions; may be repeated
    #[arg(long, value_name = "TOPIC[:P,P]", help_heading = "Scope")]
    pub(super) topic: Vec<String>,
    /// Reset the offsets of every topic that the group has offsets for
    #[arg(long, help_heading = "Scope")]
    pub(super) all_topics: bool,

    /// List: show the state, or only groups in these states; describe: show the state of the group
    #[arg(long, value_name = "STATE,STATE", num_args = 0..=1, require_equals = true, default_missing_value = NO_STATE, help_heading = "Details")]
    pub(super) state: Vec<String>,
    /// List: show the type, or only groups of these types (classic, consumer)
    #[arg(long, value_name = "TYPE,TYPE", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Details")]
    pub(super) r#type: Vec<String>,
    /// Describe: show the members
    #[arg(long, help_heading = "Details")]
    pub(super) members: bool,
    /// Describe: show the offsets; that is the default
    #[arg(long, help_heading = "Details")]
    pub(super) offsets: bool,
    /// Describe: show more columns
    #[arg(long, help_heading = "Details")]
    pub(super) verbose: bool,
    /// Describe: show how long ago the first record was written that a partition's lag begins with
    #[arg(long, help_heading = "Details")]
    pub(super) time_lag: bool,
    /// Describe: show offsets again and again, every 2 seconds or as said (5s), with rates and the time to catch up, until
    /// Ctrl-C
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Details")]
    pub(super) watch: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputOnce,

    /// To the first offset of the log
    #[arg(long, help_heading = "Reset")]
    pub(super) to_earliest: bool,
    /// To the end of the log
    #[arg(long, help_heading = "Reset")]
    pub(super) to_latest: bool,
    /// To the committed offset, or to the end where there is none
    #[arg(long, help_heading = "Reset")]
    pub(super) to_current: bool,
    /// To this offset, or the nearest that the log has
    #[arg(
        long,
        value_name = "OFFSET",
        help_heading = "Reset",
        allow_hyphen_values = true
    )]
    pub(super) to_offset: Vec<String>,
    /// So many offsets forward, or back where it is negative
    #[arg(
        long,
        value_name = "COUNT",
        help_heading = "Reset",
        allow_hyphen_values = true
    )]
    pub(super) shift_by: Vec<String>,
    /// To the first record of the last P1DT2H3M4S
    #[arg(
        long,
        value_name = "DURATION",
        help_heading = "Reset",
        allow_hyphen_values = true
    )]
    pub(super) by_duration: Vec<String>,
    /// To the first record from 2030-12-31T23:59:59.999 on; UTC where no zone (+01:00) follows
    #[arg(long, value_name = "TIME", help_heading = "Reset")]
    pub(super) to_datetime: Vec<String>,
    /// To what the rows of a file say: topic,partition,offset, and the group first where there are several
    #[arg(long, value_name = "CSV", help_heading = "Reset")]
    pub(super) from_file: Vec<String>,
    /// Back to what the offsets were before a reset, as the file says that it left
    #[arg(long, value_name = "FILE", help_heading = "Reset")]
    pub(super) undo: Vec<String>,
    /// Show what a reset means: records replayed or skipped, when they were written, whether retention takes them first, and
    /// who is in the way
    #[arg(long, help_heading = "Reset")]
    pub(super) explain: bool,
    /// Only show what would happen
    #[arg(long, help_heading = "Reset")]
    pub(super) dry_run: bool,
    /// Do it, and leave a file for --undo
    #[arg(long, help_heading = "Reset")]
    pub(super) execute: bool,
    /// Where --execute leaves its file for --undo [$XDG_STATE_HOME/ottla/undo, else ~/.local/state/ottla/undo]
    #[arg(long, value_name = "DIR", help_heading = "Reset")]
    pub(super) undo_dir: Vec<String>,
    /// Show the new offsets as rows for --from-file
    #[arg(long, help_heading = "Reset")]
    pub(super) export: bool,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to list all consumer groups, describe a consumer group, delete consumer \
                                 group info, or reset consumer group offsets.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

impl Args {
    pub(super) fn actions(&self) -> [Given; 6] {
        [
            Given("list", self.list),
            Given("describe", self.describes()),
            Given("delete", self.delete),
            Given("reset-offsets", self.resets()),
            Given("delete-offsets", self.delete_offsets),
            Given::values("validate-regex", &self.validate_regex),
        ]
    }

    /// Whether it says anything that the reference does not know. Then no script is written for the reference's ways of
    /// telling failures, and the exit status tells them.
    pub(super) fn is_ours(&self) -> bool {
        let given = [&self.wait_lag, &self.watch, &self.undo, &self.undo_dir];
        self.explain
            || self.time_lag
            || self.output.given().1
            || given.iter().any(|values| !values.is_empty())
    }

    /// Waiting is asking again and again how things are.
    pub(super) fn describes(&self) -> bool {
        self.describe || !self.wait_lag.is_empty()
    }

    pub(super) fn resets(&self) -> bool {
        self.reset_offsets || !self.undo.is_empty()
    }

    pub(super) fn reset_targets(&self) -> [Given; 8] {
        [
            Given::values("to-offset", &self.to_offset),
            Given::values("to-datetime", &self.to_datetime),
            Given::values("by-duration", &self.by_duration),
            Given("to-earliest", self.to_earliest),
            Given("to-latest", self.to_latest),
            Given("to-current", self.to_current),
            Given::values("shift-by", &self.shift_by),
            Given::values("from-file", &self.from_file),
        ]
    }
}
