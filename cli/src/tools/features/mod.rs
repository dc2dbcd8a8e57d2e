//! `kafka-features`: the features of a cluster, other levels for them, and what levels mean.

mod facts;
mod json;
mod plan;
mod render;

use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};
use ottla_client::ApiError;
use ottla_client::admin::FeatureUpdate;
use ottla_client::cluster::ClusterSettings;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;

use crate::argparse::{self, Servers, Uncalled, number};
use crate::connect::{self, Unconnected, failed};
use crate::context::{self, Context};
use crate::output::{Format, Output};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

pub use facts::name_and_level;
use plan::{Change, Release, Verb};

pub const TOOL: Tool = Tool {
    name: "features",
    link: "kafka-features",
    about: "Describe, upgrade and downgrade the features of a cluster",
    command: Args::command,
    run,
};

/// Describe, upgrade and downgrade the features of a cluster.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-features",
    after_help = "Examples:\n  \
        kafka-features --bootstrap-server localhost:9092 describe\n  \
        kafka-features --bootstrap-server localhost:9092 downgrade --feature transaction.version=0 --dry-run\n  \
        kafka-features version-mapping --release-version 4.0"
)]
pub struct Args {
    #[command(flatten)]
    servers: Servers,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE")]
    command_config: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Show the features that are supported, and their levels
    Describe {
        /// Ask this node, not any
        #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        node_id: Option<i32>,
        #[command(flatten)]
        output: Output,
    },
    /// Raise the levels of features
    Upgrade {
        #[command(flatten)]
        levels: Levels,
        #[command(flatten)]
        how: How,
    },
    /// Lower the levels of features
    Downgrade {
        #[command(flatten)]
        levels: Levels,
        /// Also where that destroys metadata for good
        #[arg(long = "unsafe")]
        is_unsafe: bool,
        #[command(flatten)]
        how: How,
    },
    /// Lower features to level 0
    Disable {
        /// A feature; may be repeated
        #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
        feature: Vec<String>,
        /// Also where that destroys metadata for good
        #[arg(long = "unsafe")]
        is_unsafe: bool,
        #[command(flatten)]
        how: How,
    },
    /// Show the level of each feature that a release brings
    VersionMapping {
        /// A release as 4.0 or 4.0-IV3; the newest if it is left out
        #[arg(long, value_name = "VERSION")]
        release_version: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show what levels of features need of other features
    FeatureDependencies {
        /// A feature and its level, as transaction.version=2; may be repeated
        #[arg(long, value_name = "NAME=LEVEL", required = true, action = clap::ArgAction::Append)]
        feature: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Levels {
    /// A metadata.version as 4.0-IV3 (deprecated)
    #[arg(long, value_name = "VERSION")]
    metadata: Option<String>,
    /// All features, as this release brings them
    #[arg(long, value_name = "VERSION")]
    release_version: Option<String>,
    /// A feature and its level, as transaction.version=2; may be repeated
    #[arg(long, value_name = "NAME=LEVEL", action = clap::ArgAction::Append)]
    feature: Vec<String>,
}

#[derive(Debug, Clone, clap::Args)]
struct How {
    /// Ask whether it could be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// A level, and the broker's verdict on it.
type Verdict<'a> = (&'a FeatureUpdate, &'a Result<(), ApiError>);

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = match argparse::parse(words, cx) {
        Ok(args) => args,
        Err(Uncalled::Version) => return Err(Stop::Version),
        Err(Uncalled::Help(text)) => return Ok(write!(cx.out, "{text}")?),
        Err(Uncalled::Wrong(wrong)) => return Err(wrong.said(command_line_error)),
    };
    let (change, how) = match &args.action {
        Action::VersionMapping {
            release_version,
            output,
        } => return show_mapping(release_version.as_deref(), output.output, cx),
        Action::FeatureDependencies { feature, output } => {
            return show_dependencies(feature, output.output, cx);
        }
        Action::Describe { node_id, output } => {
            return describe(&args, node_id.map(BrokerId), output.output, cx);
        }
        Action::Upgrade { levels, how } => (plan(Verb::Upgrade, levels, cx)?, how),
        Action::Downgrade {
            levels,
            is_unsafe,
            how,
        } => {
            let verb = Verb::Downgrade {
                is_unsafe: *is_unsafe,
            };
            (plan(verb, levels, cx)?, how)
        }
        Action::Disable {
            feature,
            is_unsafe,
            how,
        } => (plan::disable(feature, *is_unsafe)?, how),
    };
    update(&args, &change, how, cx)
}

fn command_line_error(reason: &str) -> String {
    format!("Command line error: {reason}. Type --help for help.")
}

fn plan(verb: Verb, levels: &Levels, cx: &mut Context) -> Result<Change, Stop> {
    let release = match (&levels.release_version, &levels.metadata) {
        (Some(release), _) => Some(Release::All(release)),
        (None, Some(metadata)) => {
            let notice = " `metadata` flag is deprecated and may be removed in a future release.";
            writeln!(cx.out, "{notice}")?;
            Some(Release::Metadata(metadata))
        }
        (None, None) => None,
    };
    if levels.release_version.is_some() && (levels.metadata.is_some() || !levels.feature.is_empty())
    {
        return Err(Stop::failed(
            "Can not specify `release-version` with other feature flags.",
        ));
    }
    Ok(plan::change(verb, release, &levels.feature)?)
}

fn settings(args: &Args, cx: &mut Context) -> Result<ClusterSettings, Stop> {
    let none = "You must specify either --bootstrap-controller or --bootstrap-server.";
    let bootstrap = args
        .servers
        .bootstrap()
        .ok_or_else(|| Stop::Usage(command_line_error(none)))?;
    let config: Vec<String> = args.command_config.iter().cloned().collect();
    connect::settings(&config, &bootstrap.properties(), cx)
}

fn describe(
    args: &Args,
    node: Option<BrokerId>,
    format: Format,
    cx: &mut Context,
) -> Result<(), Stop> {
    let call = "describeFeatures";
    let settings = settings(args, cx)?;
    let found = context::block_on(async {
        let admin = connect::admin(settings, call).await?;
        admin.describe_features(node).await.map_err(failed(call))
    })??;
    let text = match format {
        Format::Table => render::described(&found),
        Format::Data(form) => json::described(&found).text(form),
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

fn update(args: &Args, change: &Change, how: &How, cx: &mut Context) -> Result<(), Stop> {
    let call = "updateFeatures";
    let settings = settings(args, cx)?;
    let asked = context::block_on(async {
        let admin = match connect::admin(settings, call).await {
            Err(Unconnected::NoBroker(failure)) => return Ok(Err(failure)),
            connected => connected.map_err(Failure::from)?,
        };
        let asked = admin.update_features(&change.updates, how.dry_run).await;
        Ok::<_, Failure>(asked.map_err(failed(call)))
    })??;
    // A call that fails as a whole is told of each feature, as the reference does.
    let (verdicts, hints) = match asked {
        Ok(verdicts) => (verdicts, Vec::new()),
        Err(Failure { message, hints, .. }) => {
            let unanswered = ApiError {
                code: ErrorCode::RequestTimedOut,
                message: Some(message),
            };
            (vec![Err(unanswered); change.updates.len()], hints)
        }
    };
    let mut verdicts: Vec<Verdict<'_>> = change.updates.iter().zip(&verdicts).collect();
    verdicts.sort_by_key(|(update, _)| &*update.name);
    let text = match how.output.output {
        Format::Table => render::updated(change.verb, &verdicts, how.dry_run),
        Format::Data(form) => json::updated(&verdicts, how.dry_run).text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    match verdicts
        .iter()
        .filter(|(_, verdict)| verdict.is_err())
        .count()
    {
        0 => Ok(()),
        failures => {
            let asked = verdicts.len();
            let message = format!("{failures} out of {asked} operation(s) failed.");
            let failure = Failure::new(message);
            let failure = Failure { hints, ..failure };
            let refused = verdicts.iter().filter(|(_, verdict)| verdict.is_err());
            let failure = refused.fold(failure, |failure, (update, _)| {
                facts::with_nearest_feature(failure, &update.name)
            });
            Err(failure.into())
        }
    }
}

fn show_mapping(release: Option<&str>, format: Format, cx: &mut Context) -> Result<(), Stop> {
    let mapping = facts::mapping(release)?;
    let text = match format {
        Format::Table => render::mapping(&mapping),
        Format::Data(form) => json::mapping(&mapping).text(form),
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

/// What is known of the features before the first that is not is shown.
fn show_dependencies(features: &[String], format: Format, cx: &mut Context) -> Result<(), Stop> {
    let (known, failure) = facts::dependencies(features);
    let text = match format {
        Format::Table => render::dependencies(&known),
        Format::Data(form) => json::dependencies(&known).text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}
