//! The options of `kafka-reassign-partitions`, and which of them go together.

use clap::Parser;

use crate::options::{self, Given, Standard, ToolArgs};
use crate::output::OutputOnce;
use crate::stop::Stop;

/// Move replicas to other brokers and log directories.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-reassign-partitions",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        echo '{\"topics\": [{\"topic\": \"orders\"}]}' > topics.json\n  \
        kafka-reassign-partitions --bootstrap-server localhost:9092 --generate --topics-to-move-json-file topics.json --broker-list 1\n  \
        echo '{\"partitions\": [{\"topic\": \"orders\", \"partition\": 0, \"replicas\": [1]}]}' > plan.json\n  \
        kafka-reassign-partitions --bootstrap-server localhost:9092 --execute --reassignment-json-file plan.json\n  \
        kafka-reassign-partitions --bootstrap-server localhost:9092 --verify --reassignment-json-file plan.json"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", num_args = 0..=1, default_missing_value = "")]
    pub(super) bootstrap_server: Vec<String>,
    /// The controllers to connect to, for --cancel and --list
    #[arg(long, value_name = "CONTROLLERS", num_args = 0..=1, default_missing_value = "")]
    pub(super) bootstrap_controller: Vec<String>,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE")]
    pub(super) command_config: Vec<String>,
    /// Propose brokers for the partitions of topics, and do nothing
    #[arg(long)]
    pub(super) generate: bool,
    /// Begin what a plan asks for
    #[arg(long)]
    pub(super) execute: bool,
    /// Show how far a plan is, and take the throttles back when it is done
    #[arg(long)]
    pub(super) verify: bool,
    /// End what a plan has begun
    #[arg(long)]
    pub(super) cancel: bool,
    /// List what is under way
    #[arg(long)]
    pub(super) list: bool,
    /// The topics to propose brokers for: {"topics": [{"topic": "t"}], "version": 1}
    #[arg(long, value_name = "FILE")]
    pub(super) topics_to_move_json_file: Vec<String>,
    /// The brokers to propose, as 0,1,2
    #[arg(long, value_name = "IDS")]
    pub(super) broker_list: Vec<String>,
    /// Propose brokers without a look at their racks
    #[arg(long)]
    pub(super) disable_rack_aware: bool,
    /// The plan: {"partitions": [{"topic": "t", "partition": 0, "replicas": [1, 2], "log_dirs": ["any", "/data"]}],
    /// "version": 1}; log_dirs may be left out
    #[arg(long, value_name = "FILE")]
    pub(super) reassignment_json_file: Vec<String>,
    /// Move so many bytes a second between brokers at most [no limit]
    #[arg(long, value_name = "BYTES")]
    pub(super) throttle: Vec<String>,
    /// Move so many bytes a second between the log directories of a broker at most [no limit]
    #[arg(long, value_name = "BYTES")]
    pub(super) replica_alter_log_dirs_throttle: Vec<String>,
    /// How long to wait for moves between log directories to begin [10000]
    #[arg(long, value_name = "MS")]
    pub(super) timeout: Vec<String>,
    /// Begin also while others are under way, or change their throttle
    #[arg(long)]
    pub(super) additional: bool,
    /// Begin nothing that changes how many replicas a partition has
    #[arg(long)]
    pub(super) disallow_replication_factor_change: bool,
    /// Leave throttles as they are
    #[arg(long)]
    pub(super) preserve_throttles: bool,
    #[command(flatten)]
    pub(super) output: OutputOnce,

    #[command(flatten)]
    pub(super) standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to move topic partitions between replicas.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// One action, somewhere to connect to, what the action needs, and nothing that it does not take.
pub(super) fn check(args: &Args) -> Result<(), Stop> {
    let usage = |text: String| Err(Stop::Usage(text));
    let actions = [
        Given("generate", args.generate),
        Given("execute", args.execute),
        Given("verify", args.verify),
        Given("cancel", args.cancel),
        Given("list", args.list),
    ];
    let mut chosen = actions.iter().filter(|action| action.1);
    let (Some(action), None) = (chosen.next(), chosen.next()) else {
        let names = actions.map(|action| format!("--{}", action.0));
        let names = names.join(", ");
        return usage(format!("Command must include exactly one action: {names}"));
    };
    let servers = Given::values("bootstrap-server", &args.bootstrap_server);
    let controllers = Given::values("bootstrap-controller", &args.bootstrap_controller);
    match (servers.1, controllers.1) {
        (true, true) => usage(
            "Please don't specify both --bootstrap-server and --bootstrap-controller".to_owned(),
        )?,
        (false, false) => {
            usage("Please specify either --bootstrap-server or --bootstrap-controller".to_owned())?
        }
        _ => {}
    }
    let topics = Given::values("topics-to-move-json-file", &args.topics_to_move_json_file);
    let brokers = Given::values("broker-list", &args.broker_list);
    let plan = Given::values("reassignment-json-file", &args.reassignment_json_file);
    match action.0 {
        "generate" => options::require(&[topics, brokers])?,
        "list" => {}
        _ => options::require(&[plan])?,
    }
    let permitted: &[&str] = match action.0 {
        "generate" => &[
            "topics-to-move-json-file",
            "broker-list",
            "disable-rack-aware",
        ],
        "execute" => &[
            "reassignment-json-file",
            "additional",
            "throttle",
            "replica-alter-log-dirs-throttle",
            "timeout",
            "disallow-replication-factor-change",
        ],
        "verify" => &["reassignment-json-file", "preserve-throttles"],
        "cancel" => &[
            "reassignment-json-file",
            "preserve-throttles",
            "timeout",
            "bootstrap-controller",
        ],
        _ => &["bootstrap-controller"],
    };
    let given = [
        controllers,
        topics,
        brokers,
        Given("disable-rack-aware", args.disable_rack_aware),
        plan,
        Given::values("throttle", &args.throttle),
        Given::values(
            "replica-alter-log-dirs-throttle",
            &args.replica_alter_log_dirs_throttle,
        ),
        Given::values("timeout", &args.timeout),
        Given("additional", args.additional),
        Given(
            "disallow-replication-factor-change",
            args.disallow_replication_factor_change,
        ),
        Given("preserve-throttles", args.preserve_throttles),
    ];
    let mut given = given.iter().filter(|option| option.1);
    match given.find(|option| !permitted.contains(&option.0)) {
        None => Ok(()),
        Some(option) => usage(format!(
            "Option \"[{}]\" can't be used with action \"[{}]\"",
            option.0, action.0
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jopt;

    /// What the tool says to these options before it connects.
    fn said(words: &str) -> String {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).unwrap();
        match check(&args) {
            Ok(()) => String::new(),
            Err(Stop::Usage(text)) => text,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_action_takes_its_own_options_only() {
        for (words, expected) in [
            (
                "--list --verify",
                "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list",
            ),
            (
                "--list",
                "Please specify either --bootstrap-server or --bootstrap-controller",
            ),
            (
                "--verify --bootstrap-server b:1",
                "Missing required argument \"[reassignment-json-file]\"",
            ),
            (
                "--list --bootstrap-server b:1 --preserve-throttles",
                "Option \"[preserve-throttles]\" can't be used with action \"[list]\"",
            ),
            (
                "--verify --bootstrap-controller b:1 --reassignment-json-file f",
                "Option \"[bootstrap-controller]\" can't be used with action \"[verify]\"",
            ),
            (
                "--execute --bootstrap-server b:1 --reassignment-json-file f --additional --throttle 5 --timeout 3",
                "",
            ),
            (
                "--cancel --bootstrap-controller b:1 --reassignment-json-file f",
                "",
            ),
        ] {
            assert_eq!(said(words), expected, "{words}");
        }
    }
}
