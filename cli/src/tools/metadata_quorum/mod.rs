//! `kafka-metadata-quorum`: who votes on the metadata, how far each is, and other voters.

mod controller_file;
mod json;
mod render;

use std::io::Write;
use std::path::Path;

use clap::{ArgGroup, CommandFactory, Parser, Subcommand};
use jiff::Timestamp;
use ottla_client::ClientError;
use ottla_client::admin::{Admin, QuorumDescription};
use ottla_protocol::wire::Uuid;

use crate::argparse::{self, Servers, Uncalled, number};
use crate::connect::{self, Bootstrap, failed};
use crate::context::Context;
use crate::options;
use crate::output::{Format, Output};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

use controller_file::Controller;

pub const TOOL: Tool = Tool {
    name: "metadata-quorum",
    link: "kafka-metadata-quorum",
    about: "Describe the quorum of the metadata log, add and remove controllers",
    command: Args::command,
    run,
};

/// Describe the quorum of the metadata log, add and remove controllers.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-metadata-quorum",
    group(ArgGroup::new("servers").required(true).args(["bootstrap_server", "bootstrap_controller"])),
    after_help = "Examples:\n  \
        kafka-metadata-quorum --bootstrap-server localhost:9092 describe --status\n  \
        kafka-metadata-quorum --bootstrap-server localhost:9092 describe --replication --human-readable"
)]
pub struct Args {
    #[command(flatten)]
    servers: Servers,
    /// A file of client properties to connect with; for add-controller, the controller's own
    #[arg(long, value_name = "FILE")]
    command_config: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Show the quorum
    Describe {
        /// In short
        #[arg(long)]
        status: bool,
        /// Each node that has the metadata log, and how far it is
        #[arg(long)]
        replication: bool,
        /// Times as how long ago they were
        #[arg(long)]
        human_readable: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Add the controller whose properties --command-config names
    AddController {
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Remove a controller
    RemoveController {
        /// The controller
        #[arg(short = 'i', long, value_name = "ID", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        controller_id: i32,
        /// The id of the directory that has its metadata log
        #[arg(short = 'd', long, value_name = "ID")]
        controller_directory_id: String,
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// What is shown of the quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Status,
    Replication { human_readable: bool },
}

const DESCRIBE: &str = "describeMetadataQuorum";

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = match argparse::parse(words, cx) {
        Ok(args) => args,
        Err(Uncalled::Version) => return Err(Stop::Version),
        // Unlike its siblings the reference's takes that for a success.
        Err(Uncalled::Help(text)) => return Ok(write!(cx.out, "{text}")?),
        Err(Uncalled::Wrong(wrong)) => {
            return Err(wrong.said(|reason| format!("{}: error: {reason}", TOOL.link)));
        }
    };
    let text = match &args.action {
        Action::Describe {
            status,
            replication,
            human_readable,
            output,
        } => {
            let view = view(*status, *replication, *human_readable)?;
            let (cluster_id, quorum) = with_cluster(&args, DESCRIBE, cx, describe)?;
            let now_ms = Timestamp::now().as_millisecond();
            match (output.output, view) {
                (Format::Data(form), _) => {
                    json::described(cluster_id.as_deref(), &quorum).text(form)
                }
                (_, View::Status) => render::status(cluster_id.as_deref(), &quorum)?,
                (_, View::Replication { human_readable }) => {
                    render::replication(&quorum, human_readable.then_some(now_ms))?
                }
            }
        }
        Action::AddController { dry_run, output } => {
            let controller = controller(&args)?;
            if !dry_run {
                let call = "addRaftVoter";
                with_cluster(&args, call, cx, async |admin| {
                    let (id, directory) = (controller.id, controller.directory_id);
                    let added = admin
                        .add_raft_voter(id, directory, &controller.endpoints)
                        .await;
                    added.map_err(|error| refused(call, &error))
                })?;
            }
            match output.output {
                Format::Table if *dry_run => render::added("DRY RUN of adding", &controller),
                Format::Table => render::added("Added", &controller),
                Format::Data(form) => json::added(&controller, *dry_run).text(form),
            }
        }
        Action::RemoveController {
            controller_id,
            controller_directory_id,
            dry_run,
            output,
        } => {
            if *controller_id < 0 {
                return Err(Stop::failed(format!(
                    "Invalid negative --controller-id: {controller_id}"
                )));
            }
            let directory = directory(controller_directory_id)?;
            if !dry_run {
                let call = "removeRaftVoter";
                with_cluster(&args, call, cx, async |admin| {
                    let removed = admin.remove_raft_voter(*controller_id, directory).await;
                    removed.map_err(|error| refused(call, &error))
                })?;
            }
            let (id, done) = (
                *controller_id,
                if *dry_run {
                    "DRY RUN of removing "
                } else {
                    "Removed "
                },
            );
            match output.output {
                Format::Table => {
                    format!("{done} KRaft controller {id} with directory id {directory}\n")
                }
                Format::Data(form) => json::removed(id, directory, *dry_run).text(form),
            }
        }
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

fn view(status: bool, replication: bool, human_readable: bool) -> Result<View, Stop> {
    match (status, replication) {
        (true, true) => Err(Stop::failed(
            "Only one of --status or --replication should be specified with describe sub-command",
        )),
        (false, false) => Err(Stop::failed(
            "One of --status or --replication must be specified with describe sub-command",
        )),
        (true, false) if human_readable => Err(Stop::failed(
            "The option --human-readable is only supported along with --replication",
        )),
        (true, false) => Ok(View::Status),
        (false, true) => Ok(View::Replication { human_readable }),
    }
}

fn with_cluster<T>(
    args: &Args,
    call: &'static str,
    cx: &mut Context,
    ask: impl AsyncFnOnce(&Admin) -> Result<T, Failure>,
) -> Result<T, Stop> {
    let config: Vec<String> = args.command_config.iter().cloned().collect();
    let bootstrap = args.servers.bootstrap().unwrap_or(Bootstrap::Servers(""));
    connect::ask(&config, bootstrap, call, cx, ask)
}

async fn describe(admin: &Admin) -> Result<(Option<String>, QuorumDescription), Failure> {
    let cluster = admin
        .describe_cluster(false)
        .await
        .map_err(failed(DESCRIBE))?;
    let quorum = admin.describe_quorum().await.map_err(failed(DESCRIBE))?;
    Ok((cluster.id, quorum))
}

fn refused(call: &str, error: &ClientError) -> Failure {
    match error {
        ClientError::Api(error) => Failure::new(connect::exception(error)),
        other => connect::failure(call, other),
    }
}

/// The controller to add, which its own file of properties describes.
fn controller(args: &Args) -> Result<Controller, Failure> {
    let Some(path) = &args.command_config else {
        return Err(Failure::new(
            "You must supply the configuration file of the controller you are adding when using add-controller.",
        ));
    };
    if !Path::new(path).exists() {
        return Err(Failure::new(format!(
            "Properties file {path} does not exists!"
        )));
    }
    Controller::of_properties(&options::read_properties(path)?)
}

fn directory(text: &str) -> Result<Uuid, Failure> {
    Uuid::parse(text).ok_or_else(|| {
        Failure::new(format!(
            "Failed to parse --controller-directory-id: `{text}` is not an id"
        ))
        .hint("It is the directory.id in the meta.properties of the controller's metadata log.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_views_is_asked_for() {
        for (status, replication, human_readable, words) in [
            (
                true,
                true,
                false,
                "Only one of --status or --replication should be specified with describe sub-command",
            ),
            (
                false,
                false,
                true,
                "One of --status or --replication must be specified with describe sub-command",
            ),
            (
                true,
                false,
                true,
                "The option --human-readable is only supported along with --replication",
            ),
        ] {
            match view(status, replication, human_readable) {
                Err(Stop::Failed(failure)) => assert_eq!(failure.message, words),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(view(true, false, false).unwrap(), View::Status);
    }
}
