//! `kafka-acls`: show, add and remove access control lists.
//!
//! The reference prints sets as they come, in an order that changes from run to run; here everything is sorted.
//! Failures at run time go to standard output, with the exception's name below, because that is where scripts look for
//! them.

use std::io::Write as _;

use clap::{CommandFactory, Parser};

use crate::connect::{self, Bootstrap, Unconnected};
use crate::context::{self, Context};
use crate::jopt;
use crate::options::{self, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce};
use crate::stop::Stop;
use crate::tool::Tool;

mod execute;
mod operations;
mod plan;
mod render;
mod thrown;

use thrown::Thrown;

pub const TOOL: Tool = Tool {
    name: "acls",
    link: "kafka-acls",
    about: "Show, add and remove access control lists",
    command: Args::command,
    run,
};

/// Show, add and remove access control lists.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-acls",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-acls --bootstrap-server localhost:9092 --add --allow-principal User:alice --operation Read --topic orders\n  \
        kafka-acls --bootstrap-server localhost:9092 --add --allow-principal User:shop --producer --topic orders\n  \
        kafka-acls --bootstrap-server localhost:9092 --add --allow-principal User:mail --consumer --topic orders --group mailers\n  \
        kafka-acls --bootstrap-server localhost:9092 --list --topic orders --resource-pattern-type match\n  \
        kafka-acls --bootstrap-server localhost:9092 --remove --allow-principal User:alice --operation Read --topic orders --force"
)]
pub struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", help_heading = "Connection")]
    bootstrap_server: Vec<String>,
    /// The controllers to connect to instead
    #[arg(long, value_name = "SERVERS", help_heading = "Connection")]
    bootstrap_controller: Vec<String>,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE", help_heading = "Connection",
          num_args = 0..=1, require_equals = true, default_missing_value = "")]
    command_config: Vec<String>,

    /// Show the ACLs of the resources that are named, or all
    #[arg(long, help_heading = "Actions")]
    list: bool,
    /// Add an ACL for each principal, operation, host and resource
    #[arg(long, help_heading = "Actions")]
    add: bool,
    /// Remove these ACLs, or all of the resources where no principal is named
    #[arg(long, help_heading = "Actions")]
    remove: bool,

    /// A topic, or * for all; may be repeated, as all resources may
    #[arg(long, value_name = "NAME", help_heading = "Resources")]
    topic: Vec<String>,
    /// A group, or * for all
    #[arg(long, value_name = "ID", help_heading = "Resources")]
    group: Vec<String>,
    /// The cluster
    #[arg(long, help_heading = "Resources")]
    cluster: bool,
    /// A transactional id, or * for all
    #[arg(long, value_name = "ID", help_heading = "Resources")]
    transactional_id: Vec<String>,
    /// A delegation token, or * for all
    #[arg(long, value_name = "ID", help_heading = "Resources")]
    delegation_token: Vec<String>,
    /// A user, for whom tokens are made and described
    #[arg(long, value_name = "NAME", help_heading = "Resources")]
    user_principal: Vec<String>,
    /// What the names of resources are: literal, prefixed, and to list and remove also any (either of them) and match
    /// (all that affects the resource) [literal]
    #[arg(long, value_name = "TYPE", help_heading = "Resources")]
    resource_pattern_type: Vec<String>,

    /// Who is allowed, as User:NAME, or User:* for everybody; may be repeated
    #[arg(long, value_name = "PRINCIPAL", help_heading = "Entries")]
    allow_principal: Vec<String>,
    /// Who is denied, which outweighs what is allowed; may be repeated
    #[arg(long, value_name = "PRINCIPAL", help_heading = "Entries")]
    deny_principal: Vec<String>,
    /// From where --allow-principal is allowed; may be repeated [*]
    #[arg(long, value_name = "HOST", help_heading = "Entries")]
    allow_host: Vec<String>,
    /// From where --deny-principal is denied; may be repeated [*]
    #[arg(long, value_name = "HOST", help_heading = "Entries")]
    deny_host: Vec<String>,
    /// Read, Write, Create, Delete, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite,
    /// CreateTokens, DescribeTokens, TwoPhaseCommit or All; may be repeated [All]
    #[arg(long, value_name = "OPERATION", help_heading = "Entries")]
    operation: Vec<String>,
    /// What producers need: Write, Describe and Create on the topics, Write and Describe on the transactional ids
    #[arg(long, help_heading = "Entries")]
    producer: bool,
    /// With --producer: IdempotentWrite on the cluster, which brokers before 2.8 want
    #[arg(long, help_heading = "Entries")]
    idempotent: bool,
    /// What consumers need: Read and Describe on the topics, Read on the groups
    #[arg(long, help_heading = "Entries")]
    consumer: bool,

    /// List: only the entries of this principal; may be repeated
    #[arg(long, value_name = "PRINCIPAL",
          num_args = 0..=1, require_equals = true, default_missing_value = "")]
    principal: Vec<String>,
    /// Remove: do not ask
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to manage acls on kafka.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let mut args: Args = options::start(words)?;
    check(&args)?;
    let format = args.output.format()?;
    // Their values are optional, and nothing is the same as no file and nobody.
    let given = args.command_config.len();
    args.command_config.retain(|path| !path.is_empty());
    if format == Format::Table && args.command_config.len() < given {
        writeln!(
            cx.out,
            "Did not load any properties since the property file is not specified"
        )?;
    }
    args.principal.retain(|principal| !principal.is_empty());
    match told(&args, format, cx) {
        Err(Ended::Thrown(thrown)) => thrown.report(format, cx),
        Err(Ended::Stop(stop)) => Err(stop),
        Ok(()) => Ok(()),
    }
}

/// Whether it ends as a command line that cannot be, or as a failure at run time.
enum Ended {
    Stop(Stop),
    Thrown(Thrown),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Stop(error.into())
    }
}

impl From<Thrown> for Ended {
    fn from(thrown: Thrown) -> Self {
        Self::Thrown(thrown)
    }
}

impl From<jopt::OptionError> for Ended {
    fn from(error: jopt::OptionError) -> Self {
        Self::Thrown(error.into())
    }
}

fn told(args: &Args, format: Format, cx: &mut Context) -> Result<(), Ended> {
    let bootstrap = Bootstrap::of_options(
        jopt::one("bootstrap-server", &args.bootstrap_server)?,
        jopt::one("bootstrap-controller", &args.bootstrap_controller)?,
    );
    let bootstrap = bootstrap.unwrap_or(Bootstrap::Servers("")).properties();
    let settings = match connect::settings(&args.command_config, &bootstrap, cx) {
        Err(Stop::Failed(failure)) => return Err(Thrown::settings(failure, args).into()),
        other => other?,
    };
    let plan = plan::plan(args)?;
    for (given, meant) in plan::odd_principals(args) {
        cx.warn(format!(
            "Brokers name their clients User:NAME, unless a class of yours does it: {given} may match nobody. Did you mean \
             {meant}?"
        ));
    }
    if plan.removes_all() && !args.operation.is_empty() {
        cx.warn(
            "--operation says nothing without a principal: all ACLs of the resource are meant.",
        );
    }
    context::block_on(async {
        let admin = match connect::admin(settings, plan.first_call()).await {
            Ok(admin) => admin,
            Err(Unconnected::NoAddress(failure)) => return Err(Thrown::unusable(failure).into()),
            Err(Unconnected::NoBroker(failure)) => return Err(Thrown::timeout(failure).into()),
        };
        let mut run = execute::Run {
            admin: &admin,
            format,
            force: args.force,
            cx,
        };
        run.execute(&plan).await
    })?
}

/// Whether the options go together, in the reference's order of checks.
fn check(args: &Args) -> Result<(), Stop> {
    let server = !args.bootstrap_server.is_empty();
    let controller = !args.bootstrap_controller.is_empty();
    if server && controller {
        return refuse(
            "Only one of --bootstrap-server or --bootstrap-controller must be specified",
        );
    }
    if !server && !controller {
        return refuse("One of --bootstrap-server or --bootstrap-controller must be specified");
    }
    let actions = [args.add, args.remove, args.list];
    if actions.iter().filter(|action| **action).count() != 1 {
        return refuse("Command must include exactly one action: --list, --add, --remove. ");
    }
    let given = Given::values;
    let [list, producer, consumer] = [
        Given("list", args.list),
        Given("producer", args.producer),
        Given("consumer", args.consumer),
    ];
    let (allow_host, deny_host) = (
        given("allow-host", &args.allow_host),
        given("deny-host", &args.deny_host),
    );
    let (allow, deny) = (
        given("allow-principal", &args.allow_principal),
        given("deny-principal", &args.deny_principal),
    );
    options::forbid(
        list,
        &[producer, consumer, allow_host, allow, deny_host, deny],
    )?;
    let operation = given("operation", &args.operation);
    options::forbid(producer, &[operation, deny, deny_host])?;
    options::forbid(consumer, &[operation, deny, deny_host])?;
    if !args.principal.is_empty() && !args.list {
        return refuse("The --principal option is only available if --list is set");
    }
    if args.producer && args.topic.is_empty() {
        return refuse("With --producer you must specify a --topic");
    }
    if args.idempotent && !args.producer {
        return refuse("The --idempotent option is only available if --producer is set");
    }
    let more = !args.producer && (args.cluster || !args.transactional_id.is_empty());
    if args.consumer && (args.topic.is_empty() || args.group.is_empty() || more) {
        return refuse(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option \
             should be specified.",
        );
    }
    Ok(())
}

fn refuse<T>(message: &str) -> Result<T, Stop> {
    Err(Stop::Usage(message.to_owned()))
}
