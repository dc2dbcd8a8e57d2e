//! `kafka-topics`: create, list, describe, alter and delete topics.
//!
//! Failures at run time go to standard output behind "Error while executing topic command : ", because that is where
//! the reference puts them; standard error repeats them with a hint.

use std::io::{self, Write};

use clap::{CommandFactory, Parser};

use crate::connect::{self, Unconnected};
use crate::context::{self, Context};
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

mod configs;
mod execute;
mod json;
mod plan;
mod render;
mod settle;

use plan::Plan;

pub const TOOL: Tool = Tool {
    name: "topics",
    link: "kafka-topics",
    about: "Create, list, describe, alter and delete topics",
    command: Args::command,
    run,
};

/// Create, list, describe, alter and delete topics.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-topics",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-topics --bootstrap-server localhost:9092 --create --topic clicks --partitions 3 --config retention.ms=86400000\n  \
        kafka-topics --bootstrap-server localhost:9092 --list\n  \
        kafka-topics --bootstrap-server localhost:9092 --describe --topic clicks --output yaml\n  \
        kafka-topics --bootstrap-server localhost:9092 --delete --topic clicks"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    /// List the topics
    #[arg(long, help_heading = "Actions")]
    list: bool,
    /// Create a topic
    #[arg(long, help_heading = "Actions")]
    create: bool,
    /// Delete topics
    #[arg(long, help_heading = "Actions")]
    delete: bool,
    /// Give topics more partitions (kafka-configs changes their configuration)
    #[arg(long, help_heading = "Actions")]
    alter: bool,
    /// Show partitions, leaders, replicas and configuration of topics
    #[arg(long, help_heading = "Actions")]
    describe: bool,

    /// The name of the topic to create; for the other actions a list of regular expressions separated by commas,
    /// each of which matches whole names
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Take the topic for a name, or names separated by commas, and not for patterns
    #[arg(long)]
    exact: bool,
    /// The id of the one topic to describe
    #[arg(long, value_name = "ID")]
    topic_id: Vec<String>,
    /// A configuration of the new topic; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// No longer does anything
    #[arg(long, value_name = "KEY", hide = true)]
    delete_config: Vec<String>,
    /// How many partitions the topic shall have; a new topic has the broker's default otherwise. More partitions
    /// change which partition a key belongs to
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    partitions: Vec<String>,
    /// How many replicas each partition of the new topic shall have; the broker's default otherwise
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    replication_factor: Vec<String>,
    /// The brokers of each partition: commas between partitions, colons between the replicas of one
    #[arg(long, value_name = "B:B,B:B,...")]
    replica_assignment: Vec<String>,
    /// Describe only partitions with fewer replicas in sync than they have
    #[arg(long)]
    under_replicated_partitions: bool,
    /// Describe only partitions without a leader that is alive
    #[arg(long)]
    unavailable_partitions: bool,
    /// Describe only partitions with fewer replicas in sync than min.insync.replicas asks for
    #[arg(long)]
    under_min_isr_partitions: bool,
    /// Describe only partitions with just as many replicas in sync as min.insync.replicas asks for
    #[arg(long)]
    at_min_isr_partitions: bool,
    /// Describe only topics with configuration of their own, without their partitions
    #[arg(long)]
    topics_with_overrides: bool,
    /// Alter, delete, describe: a topic that does not exist is no error
    #[arg(long)]
    if_exists: bool,
    /// Create: a topic that exists already is no error
    #[arg(long)]
    if_not_exists: bool,
    /// List, describe: leave the cluster's own topics out
    #[arg(long)]
    exclude_internal: bool,
    /// How many partitions the broker shall describe in one response
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    partition_size_limit_per_response: Vec<String>,

    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to create, delete, describe, or change a topic.";
    const INTRO_WITHOUT_OPTIONS: &'static str = "Create, delete, describe, or change a topic.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    let format = args.output.format()?;
    check(&args, format, cx)?;
    let bootstrap = args.connection.servers()?;
    let mut settings = connect::settings(
        &args.connection.command_config,
        &[("bootstrap.servers", bootstrap)],
        cx,
    )?;
    let plan = match plan::plan(&args) {
        Ok(plan) => plan,
        Err(failure) => return report(failure, format, cx),
    };
    if let Plan::Create(creation) = &plan {
        if creation.topic.contains(['.', '_']) {
            say(COLLISION_WARNING, format, cx)?;
        }
        if let Err(failure) = creation.check() {
            return report(failure, format, cx);
        }
    }
    settings.looks_at_all_topics = plan.looks_at_all_topics();
    let outcome = context::block_on(async {
        let admin = connect::admin(settings, plan.first_call()).await?;
        execute::execute(&plan, format, &admin, cx)
            .await
            .map_err(Ended::Stop)
    })?;
    match outcome {
        Ok(()) => Ok(()),
        Err(Ended::Unconnected(Unconnected::NoAddress(failure))) => Err(failure.into()),
        Err(
            Ended::Unconnected(Unconnected::NoBroker(failure)) | Ended::Stop(Stop::Failed(failure)),
        ) => report(failure, format, cx),
        Err(Ended::Stop(stop)) => Err(stop),
    }
}

const COLLISION_WARNING: &str = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore \
                                 ('_') could collide. To avoid issues it is best to use either, but not both.";

enum Ended {
    Unconnected(Unconnected),
    Stop(Stop),
}

impl From<Unconnected> for Ended {
    fn from(unconnected: Unconnected) -> Self {
        Self::Unconnected(unconnected)
    }
}

/// Says a failure where the reference says it, and once more, with what to do about it, where people look for it.
fn report(failure: Failure, format: Format, cx: &mut Context) -> Result<(), Stop> {
    if format == Format::Table {
        let reason = &failure.message;
        writeln!(cx.out, "Error while executing topic command : {reason}")?;
    }
    Err(failure.into())
}

/// What the reference says on standard output, where beside data nothing may be.
fn say(note: &str, format: Format, cx: &mut Context) -> io::Result<()> {
    match format {
        Format::Table => writeln!(cx.out, "{note}"),
        Format::Data(_) => {
            cx.warn(note);
            Ok(())
        }
    }
}

/// Whether the options go together, in the reference's order of checks.
fn check(args: &Args, format: Format, cx: &mut Context) -> Result<(), Stop> {
    let [create, list, alter, describe, delete] = args.actions();
    if args.actions().iter().filter(|action| action.1).count() != 1 {
        let all = "--list, --describe, --create, --alter or --delete";
        return Err(Stop::Usage(format!(
            "Command must include exactly one action: {all}"
        )));
    }
    if !args.delete_config.is_empty() {
        cx.warn(
            "--delete-config does nothing any more; kafka-configs --alter --delete-config does it.",
        );
    }
    if args.connection.bootstrap_server.is_empty() {
        let missing = Failure::new("--bootstrap-server must be specified");
        return Err(missing
            .hint("For a broker on this machine: --bootstrap-server localhost:9092")
            .into());
    }
    let topic = Given::values("topic", &args.topic);
    let partitions = Given::values("partitions", &args.partitions);
    if describe.1 && args.if_exists && !topic.1 && args.topic_id.is_empty() {
        return Err(Stop::Usage(
            "--topic or --topic-id is required to describe a topic".to_owned(),
        ));
    }
    if describe.1 && args.if_exists && topic.1 && !args.topic_id.is_empty() {
        let note = "Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID";
        say(note, format, cx)?;
    }
    if !list.1 && !describe.1 {
        options::require(&[topic])?;
    }
    if alter.1 {
        if !args.config.is_empty() {
            return Err(Stop::Usage(
                "Option combination \"[[config], [bootstrap-server]]\" can't be used with option \"[alter]\" \
                 (To alter topic configurations, the kafka-configs tool can be used.)"
                    .to_owned(),
            ));
        }
        options::require(&[partitions])?;
    }
    check_actions_of_options(args, [create, list, alter, describe, delete])
}

/// The options that belong to some actions only.
fn check_actions_of_options(
    args: &Args,
    [create, list, alter, describe, delete]: [Given; 5],
) -> Result<(), Stop> {
    let partitions = Given::values("partitions", &args.partitions);
    let replication_factor = Given::values("replication-factor", &args.replication_factor);
    let replica_assignment = Given::values("replica-assignment", &args.replica_assignment);
    options::forbid(
        Given::values("config", &args.config),
        &[describe, list, delete],
    )?;
    options::forbid(partitions, &[describe, list, delete])?;
    options::forbid(replication_factor, &[alter, describe, list, delete])?;
    options::forbid(replica_assignment, &[describe, list, delete])?;
    if create.1 {
        options::forbid(replica_assignment, &[partitions, replication_factor])?;
    }
    let overrides = Given("topics-with-overrides", args.topics_with_overrides);
    let filters = args.partition_filters();
    for filter in filters {
        options::forbid(filter, &[alter, create, list, delete, overrides])?;
    }
    options::forbid(overrides, &[alter, create, list, delete])?;
    options::forbid(overrides, &filters)?;
    options::forbid(Given("if-exists", args.if_exists), &[create, list])?;
    options::forbid(
        Given("if-not-exists", args.if_not_exists),
        &[alter, describe, list, delete],
    )?;
    options::forbid(
        Given("exclude-internal", args.exclude_internal),
        &[alter, create, delete],
    )
}

impl Args {
    fn actions(&self) -> [Given; 5] {
        [
            Given("create", self.create),
            Given("list", self.list),
            Given("alter", self.alter),
            Given("describe", self.describe),
            Given("delete", self.delete),
        ]
    }

    fn partition_filters(&self) -> [Given; 4] {
        [
            Given(
                "under-replicated-partitions",
                self.under_replicated_partitions,
            ),
            Given("under-min-isr-partitions", self.under_min_isr_partitions),
            Given("at-min-isr-partitions", self.at_min_isr_partitions),
            Given("unavailable-partitions", self.unavailable_partitions),
        ]
    }
}
