//! `kafka-transactions`: what transactions there are, what producers have open, and ending what hangs.

mod ask;
mod hanging;
mod json;
mod render;

use std::io::Write;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use jiff::Timestamp;
use ottla_client::admin::{AbortSpec, Admin, TopicPartition, TransactionFilter};
use ottla_protocol::types::BrokerId;

use crate::argparse::{self, number};
use crate::connect::{self, Unconnected};
use crate::context::{self, Context};
use crate::output::{Format, Output, Report};
use crate::stop::{Failure, Stop};
use crate::tool::{REFERENCE_VERSION, Tool};

use hanging::Search;

pub const TOOL: Tool = Tool {
    name: "transactions",
    link: "kafka-transactions",
    about: "List, describe and end transactions",
    command: Args::command,
    run,
};

/// List, describe and end transactions.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-transactions",
    version = REFERENCE_VERSION,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-transactions --bootstrap-server localhost:9092 list\n  \
        kafka-transactions --bootstrap-server localhost:9092 describe-producers --topic orders --partition 0 --output json\n  \
        kafka-transactions --bootstrap-server localhost:9092 find-hanging --broker-id 1"
)]
pub struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: String,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE")]
    command_config: Option<String>,
    /// Print the version of Kafka whose tool this stands in for
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: (),
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// List transactional ids and the states of their transactions
    List {
        /// Only transactions that have been going on for longer than so many milliseconds; below 0: all
        #[arg(long, value_name = "MS", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
        duration_filter: Option<i64>,
        /// Only ids that this regular expression matches as a whole; the broker reads it
        #[arg(long, value_name = "REGEX")]
        transactional_id_pattern: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one transactional id: its producer, and its transaction with the partitions that are in it
    Describe {
        #[arg(long, value_name = "ID")]
        transactional_id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Show the producers that a partition remembers, and where their open transactions begin
    DescribeProducers {
        /// Ask this broker's replica, not the leader
        #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        broker_id: Option<i32>,
        #[command(flatten)]
        partition: Partition,
        #[command(flatten)]
        output: Output,
    },
    /// Abort a hanging transaction in one partition, past its coordinator
    Abort {
        #[command(flatten)]
        partition: Partition,
        /// Where the transaction begins; brokers before 3.0 need the other three instead
        #[arg(long, value_name = "OFFSET", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
        start_offset: Option<i64>,
        #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
        producer_id: Option<i64>,
        #[arg(long, value_name = "EPOCH", allow_negative_numbers = true, value_parser = number::<i16>("Short"))]
        producer_epoch: Option<i16>,
        #[arg(long, value_name = "EPOCH", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        coordinator_epoch: Option<i32>,
        #[command(flatten)]
        output: Output,
    },
    /// Find transactions that are open in partitions and that no coordinator will end
    FindHanging {
        /// Search what this broker has
        #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        broker_id: Option<i32>,
        /// Leave out transactions that are younger than so many minutes
        #[arg(long, value_name = "MINUTES", default_value = "15", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        max_transaction_timeout: i32,
        /// Search this topic
        #[arg(long)]
        topic: Option<String>,
        /// Search only this partition of the topic
        #[arg(long, allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        partition: Option<i32>,
        #[command(flatten)]
        output: Output,
    },
    /// Abort the transaction of a transactional id, whose producer is fenced
    #[command(name = "forceTerminateTransaction")]
    ForceTerminateTransaction {
        #[arg(long = "transactionalId", value_name = "ID")]
        transactional_id: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Partition {
    #[arg(long)]
    topic: String,
    #[arg(long, allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    partition: i32,
}

/// What shall be done.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    List(TransactionFilter, Format),
    Describe(String, Format),
    DescribeProducers(TopicPartition, Option<BrokerId>, Format),
    AbortFrom(TopicPartition, i64, Format),
    Abort(AbortSpec, Format),
    FindHanging(Search, Format),
    Terminate(String, Format),
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = argparse::start(words, "kafka-transactions.sh", cx)?;
    let plan = plan(args.action)?;
    let overrides = [("bootstrap.servers", args.bootstrap_server.as_str())];
    let config: Vec<String> = args.command_config.into_iter().collect();
    let settings = connect::settings(&config, &overrides, cx).map_err(|stop| match stop {
        Stop::Failed(failure) => about("Failed to load admin client properties", failure).into(),
        other => other,
    })?;
    let text = context::block_on(async {
        let admin = match connect::admin(settings, plan.first_call()).await {
            Ok(admin) => admin,
            Err(Unconnected::NoAddress(failure)) => return Err(failure),
            Err(Unconnected::NoBroker(failure)) => return Err(about(&plan.failed(), failure)),
        };
        carry_out(&plan, &admin).await
    })??;
    Ok(cx.out.write_all(text.as_bytes())?)
}

/// The reference's checks, in its order.
fn plan(action: Action) -> Result<Plan, Stop> {
    Ok(match action {
        Action::List {
            duration_filter,
            transactional_id_pattern,
            output,
        } => {
            let filter = TransactionFilter {
                duration_ms: duration_filter,
                // None for the reference, too.
                id_pattern: transactional_id_pattern.filter(|pattern| !pattern.is_empty()),
                ..Default::default()
            };
            Plan::List(filter, output.output)
        }
        Action::Describe {
            transactional_id,
            output,
        } => Plan::Describe(transactional_id, output.output),
        Action::DescribeProducers {
            broker_id,
            partition,
            output,
        } => Plan::DescribeProducers(partition.named(), broker_id.map(BrokerId), output.output),
        Action::Abort {
            partition,
            start_offset: Some(offset),
            output,
            ..
        } => Plan::AbortFrom(partition.named(), offset, output.output),
        Action::Abort {
            partition,
            producer_id,
            producer_epoch,
            coordinator_epoch,
            output,
            ..
        } => {
            let missing = |text: &str| Stop::failed(text);
            let producer_id = producer_id.ok_or_else(|| {
                missing(
                    "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or \
                     with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
                )
            })?;
            let producer_epoch = producer_epoch
                .ok_or_else(|| missing("Missing required argument --producer-epoch"))?;
            let coordinator_epoch = coordinator_epoch
                .ok_or_else(|| missing("Missing required argument --coordinator-epoch"))?;
            let spec = AbortSpec {
                at: partition.named(),
                producer_id,
                producer_epoch,
                // -1 is what describe-producers shows before the first marker: 0 is above no coordinator's epoch.
                coordinator_epoch: coordinator_epoch.max(0),
            };
            Plan::Abort(spec, output.output)
        }
        Action::FindHanging {
            broker_id,
            max_transaction_timeout,
            topic,
            partition,
            output,
        } => {
            if topic.is_none() && broker_id.is_none() {
                return Err(Stop::failed(
                    "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
                ));
            }
            if topic.is_none() && partition.is_some() {
                return Err(Stop::failed(
                    "The --partition argument requires --topic to be provided",
                ));
            }
            let search = Search {
                broker: broker_id.map(BrokerId),
                topic,
                partition,
                longer_than_ms: i64::from(max_transaction_timeout) * 60_000,
            };
            Plan::FindHanging(search, output.output)
        }
        Action::ForceTerminateTransaction {
            transactional_id,
            output,
        } => Plan::Terminate(transactional_id, output.output),
    })
}

impl Partition {
    fn named(self) -> TopicPartition {
        TopicPartition::new(self.topic, self.partition)
    }
}

impl Plan {
    /// What the reference asks first, in its own name for it.
    fn first_call(&self) -> &'static str {
        match self {
            Self::List(..) => "listTransactions(api=METADATA)",
            Self::Describe(..) => "describeTransactions(api=FIND_COORDINATOR)",
            Self::DescribeProducers(_, Some(_), _) => "describeProducers(api=DESCRIBE_PRODUCERS)",
            Self::DescribeProducers(..) | Self::AbortFrom(..) => "describeProducers(api=METADATA)",
            Self::Abort(..) => "abortTransaction(api=METADATA)",
            Self::FindHanging(search, _) => search.first_call(),
            Self::Terminate(..) => "fenceProducer(api=FIND_COORDINATOR)",
        }
    }

    /// What has failed where that fails.
    fn failed(&self) -> String {
        match self {
            Self::List(..) => "Failed to list transactions".to_owned(),
            Self::Describe(id, _) => {
                format!("Failed to describe transaction state of transactional-id `{id}`")
            }
            Self::DescribeProducers(at, broker, _) => {
                let on = broker.map_or("leader".to_owned(), |broker| format!("broker {broker}"));
                format!("Failed to describe producers for partition {at} on {on}")
            }
            Self::AbortFrom(at, ..) => {
                format!("Failed to validate producer state for partition {at}")
            }
            Self::Abort(spec, _) => ask::failed_to_abort(spec),
            Self::FindHanging(search, _) => search.failed(),
            Self::Terminate(id, _) => format!("Failed to force terminate transactionalId `{id}`"),
        }
    }
}

/// What shall be shown.
async fn carry_out(plan: &Plan, admin: &Admin) -> Result<String, Failure> {
    let failed = |failure| about(&plan.failed(), failure);
    match plan {
        Plan::List(filter, format) => {
            let found = ask::list(admin, filter).await.map_err(failed)?;
            Ok(match format {
                Format::Table => render::listed(&found),
                Format::Data(form) => json::listed(&found).text(*form),
            })
        }
        Plan::Describe(id, format) => {
            let found = ask::describe(admin, id).await.map_err(failed)?;
            let now_ms = Timestamp::now().as_millisecond();
            Ok(match format {
                Format::Table => render::described(&found, now_ms),
                Format::Data(form) => json::described(&found, now_ms).text(*form),
            })
        }
        Plan::DescribeProducers(at, broker, format) => {
            let found = ask::producers(admin, at, *broker).await.map_err(failed)?;
            Ok(match format {
                Format::Table => render::producers(&found),
                Format::Data(form) => json::producers(at, &found).text(*form),
            })
        }
        Plan::AbortFrom(at, offset, format) => {
            let found = ask::producers(admin, at, None).await.map_err(failed)?;
            let spec = ask::open_from(&found, at, *offset)?;
            ask::abort(admin, &spec).await?;
            Ok(done(*format, || json::aborted(&spec, Some(*offset))))
        }
        Plan::Abort(spec, format) => {
            ask::abort(admin, spec).await?;
            Ok(done(*format, || json::aborted(spec, None)))
        }
        Plan::FindHanging(search, format) => {
            let found = hanging::find(admin, search).await?;
            let now_ms = Timestamp::now().as_millisecond();
            Ok(match format {
                Format::Table => render::hanging(&found, now_ms),
                Format::Data(form) => json::hanging(&found, now_ms).text(*form),
            })
        }
        Plan::Terminate(id, format) => {
            ask::terminate(admin, id).await.map_err(failed)?;
            Ok(done(*format, || json::terminated(id)))
        }
    }
}

/// Of what is done the reference says nothing.
fn done(format: Format, report: impl FnOnce() -> Report) -> String {
    match format {
        Format::Table => String::new(),
        Format::Data(form) => report().text(form),
    }
}

/// The failure with what has failed in front of it.
fn about(what: &str, failure: Failure) -> Failure {
    let reason = &failure.message;
    let stop = if reason.ends_with('.') { "" } else { "." };
    Failure {
        message: format!("{what}: {reason}{stop}"),
        ..failure
    }
}

#[cfg(test)]
mod tests;
