//! `kafka-configs`: show and change the dynamic configuration of topics, brokers, broker loggers, groups and client
//! metrics, the quotas of users, clients and addresses, and the SCRAM credentials of users.

use std::io::Write;

use clap::{CommandFactory, Parser};

use crate::connect::{self, Bootstrap, Unconnected};
use crate::context::{self, Context};
use crate::jopt;
use crate::options::{self, Given, Standard, ToolArgs};
use crate::output::OutputOnce;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

mod check;
mod execute;
mod json;
mod plan;
mod quotas;
mod render;
mod scram;

pub const TOOL: Tool = Tool {
    name: "configs",
    link: "kafka-configs",
    about: "Show and change the configuration of topics, brokers and groups",
    command: Args::command,
    run,
};

/// Show and change the configuration of topics, brokers, groups and others.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-configs",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-configs --bootstrap-server localhost:9092 --describe --topic orders --all\n  \
        kafka-configs --bootstrap-server localhost:9092 --alter --topic orders --add-config retention.ms=86400000,cleanup.policy=[compact,delete]\n  \
        kafka-configs --bootstrap-server localhost:9092 --alter --topic orders --delete-config retention.ms\n  \
        kafka-configs --bootstrap-server localhost:9092 --describe --entity-type brokers --output csv"
)]
pub struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", help_heading = "Connection")]
    bootstrap_server: Vec<String>,
    /// The controllers to connect to instead
    #[arg(long, value_name = "SERVERS", help_heading = "Connection")]
    bootstrap_controller: Vec<String>,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    command_config: Vec<String>,

    /// Show the configuration of the entity, or of all entities of the type
    #[arg(long, help_heading = "Actions")]
    describe: bool,
    /// Change the configuration of the entity
    #[arg(long, help_heading = "Actions")]
    alter: bool,

    /// Describe: static and default values as well
    #[arg(long)]
    all: bool,
    /// Alter: set these keys; square brackets keep a value with commas together
    #[arg(long, value_name = "K=V,K=[V1,V2]")]
    add_config: Vec<String>,
    /// Alter: set the keys of this properties file
    #[arg(long, value_name = "FILE")]
    add_config_file: Vec<String>,
    /// Alter: remove these keys, so that their defaults hold again
    #[arg(long, value_name = "K,K")]
    delete_config: Vec<String>,
    /// Accepted and without effect: this tool asks nothing
    #[arg(long, hide = true)]
    force: bool,

    /// What the configuration belongs to: topics, brokers, broker-loggers, groups, client-metrics, users, clients or
    /// ips
    #[arg(long, value_name = "TYPE", help_heading = "Entity")]
    entity_type: Vec<String>,
    /// The name of the entity
    #[arg(long, value_name = "NAME", help_heading = "Entity")]
    entity_name: Vec<String>,
    /// The default entity of the type: what holds where an entity has no configuration of its own
    #[arg(long, help_heading = "Entity", action = clap::ArgAction::Count)]
    entity_default: u8,
    /// Short for --entity-type topics --entity-name NAME
    #[arg(long, value_name = "NAME", help_heading = "Entity")]
    topic: Vec<String>,
    /// Short for --entity-type clients --entity-name ID
    #[arg(long, value_name = "ID", help_heading = "Entity")]
    client: Vec<String>,
    /// Short for --entity-type users --entity-name PRINCIPAL
    #[arg(long, value_name = "PRINCIPAL", help_heading = "Entity")]
    user: Vec<String>,
    /// Short for --entity-type brokers --entity-name ID
    #[arg(long, value_name = "ID", help_heading = "Entity")]
    broker: Vec<String>,
    /// Short for --entity-type broker-loggers --entity-name ID
    #[arg(long, value_name = "ID", help_heading = "Entity")]
    broker_logger: Vec<String>,
    /// Short for --entity-type ips --entity-name ADDRESS
    #[arg(long, value_name = "ADDRESS", help_heading = "Entity")]
    ip: Vec<String>,
    /// Short for --entity-type client-metrics --entity-name NAME
    #[arg(long, value_name = "NAME", help_heading = "Entity")]
    client_metrics: Vec<String>,
    /// Short for --entity-type groups --entity-name ID
    #[arg(long, value_name = "ID", help_heading = "Entity")]
    group: Vec<String>,
    /// Short for --entity-type clients --entity-default
    #[arg(long, help_heading = "Entity")]
    client_defaults: bool,
    /// Short for --entity-type users --entity-default
    #[arg(long, help_heading = "Entity")]
    user_defaults: bool,
    /// Short for --entity-type brokers --entity-default
    #[arg(long, help_heading = "Entity")]
    broker_defaults: bool,
    /// Short for --entity-type ips --entity-default
    #[arg(long, help_heading = "Entity")]
    ip_defaults: bool,

    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,

    /// What --entity-name and --entity-default name, in their order; the default is empty.
    #[arg(skip)]
    entities: Vec<String>,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to manipulate and describe entity config for a topic, client, user, \
                                 broker, ip, client-metrics or group";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let mut args: Args = options::start(words)?;
    args.entities = entities(words)?;
    let format = args.output.format()?;
    let entities = check::check(&args)?;
    let plan = match plan::plan(&args, &entities) {
        Ok(plan) => plan,
        // A file that cannot be read counts as a failure of the command, not of its options.
        Err(failure) if !args.add_config_file.is_empty() => {
            return Err(explained(words, failure).into());
        }
        Err(failure) => return Err(failure.into()),
    };
    let bootstrap = Bootstrap::of_options(
        jopt::one("bootstrap-server", &args.bootstrap_server)?,
        jopt::one("bootstrap-controller", &args.bootstrap_controller)?,
    );
    let bootstrap = bootstrap.unwrap_or(Bootstrap::Servers("")).properties();
    let settings = connect::settings(&args.command_config, &bootstrap, cx)?;
    let mut text = String::new();
    let mut meant = None;
    let outcome = context::block_on(async {
        let admin = match connect::admin(settings, plan.first_call()).await {
            Err(Unconnected::NoBroker(failure)) => {
                execute::begin(&plan, format, &mut text);
                return Err(failure);
            }
            connected => connected?,
        };
        execute::execute(&plan, &entities, format, &admin, &mut text).await?;
        meant = execute::meant_entity(&plan, &text, &admin).await;
        Ok(())
    })?;
    cx.out.write_all(text.as_bytes())?;
    if let Some(hint) = meant {
        cx.warn(hint);
    }
    Ok(outcome.map_err(|failure| explained(words, failure))?)
}

/// Which name belongs to which type is a matter of their order.
fn entities(words: &[String]) -> Result<Vec<String>, Stop> {
    let given = jopt::in_order(&Args::command(), words, &["entity-name", "entity-default"])?;
    let name = |(_, name): (String, Option<String>)| name.unwrap_or_default();
    Ok(given.into_iter().map(name).collect())
}

/// The reference repeats the command line in front of what went wrong.
fn explained(words: &[String], failure: Failure) -> Failure {
    let line = format!(
        "Error while executing config command with args '{}'",
        words.join(" ")
    );
    Failure {
        message: format!("{line}\n{}", failure.message),
        ..failure
    }
}

/// The options for one kind of entity, as the checks walk them.
struct Short<'a> {
    option: &'static str,
    entity_type: &'static str,
    names: &'a [String],
    is_default: bool,
}

impl Args {
    fn shorts(&self) -> [Short<'_>; 12] {
        let named = |option, entity_type, names| Short {
            option,
            entity_type,
            names,
            is_default: false,
        };
        let default = |option, entity_type, is_default| Short {
            option,
            entity_type,
            names: &[],
            is_default,
        };
        [
            named("topic", plan::TOPICS, &self.topic),
            named("client", plan::CLIENTS, &self.client),
            named("user", plan::USERS, &self.user),
            named("broker", plan::BROKERS, &self.broker),
            named("broker-logger", plan::BROKER_LOGGERS, &self.broker_logger),
            named("ip", plan::IPS, &self.ip),
            named("client-metrics", plan::CLIENT_METRICS, &self.client_metrics),
            named("group", plan::GROUPS, &self.group),
            default("client-defaults", plan::CLIENTS, self.client_defaults),
            default("user-defaults", plan::USERS, self.user_defaults),
            default("broker-defaults", plan::BROKERS, self.broker_defaults),
            default("ip-defaults", plan::IPS, self.ip_defaults),
        ]
    }

    fn given(&self, name: &'static str) -> Given {
        Given(
            name,
            match name {
                "describe" => self.describe,
                "alter" => self.alter,
                "add-config" => !self.add_config.is_empty(),
                "delete-config" => !self.delete_config.is_empty(),
                _ => false,
            },
        )
    }
}

impl Short<'_> {
    fn is_given(&self) -> bool {
        self.is_default || !self.names.is_empty()
    }
}
