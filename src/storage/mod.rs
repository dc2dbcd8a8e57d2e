//! `kafka-storage`: what log directories are, and making them for a cluster id and levels of features of one's own choice.
//!
//! Nobody needs it before `ottla server`, which makes its directories itself. Always: a directory that belongs to a cluster or
//! a node keeps belonging to it. What levels there are is `features`' business.

mod format;
mod info;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand};
use ottla_cli::output::{Format, Output, Report};
use ottla_cli::tools::features;
use ottla_cli::{Context, Failure, Stop, Tool, argparse, options};
use ottla_config::resolve::BrokerConfig;
use ottla_protocol::features::{METADATA_VERSIONS, MetadataVersion, NEWEST_METADATA_VERSION};
use ottla_protocol::types::BrokerId;
use serde_json::json;

pub(crate) const TOOL: Tool = Tool {
    name: "storage",
    link: PROGRAM,
    about: "Show what log directories are, and format them",
    command: Args::command,
    run,
};

const PROGRAM: &str = "kafka-storage";

/// Of the results as data, docs/json/storage.md.
const REPORT_VERSION: u32 = 1;

/// Show what log directories are, and format them.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-storage",
    after_help = "\
Examples:
  ottla storage random-uuid
  ottla storage format --cluster-id b3R0bGEtcmVmLWNsdXN0ZQ --config server.properties
  ottla storage info --config server.properties --output json"
)]
struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Show what the log directories of a configuration are
    Info {
        /// The broker's configuration
        #[arg(long, short = 'c', value_name = "FILE")]
        config: String,
        #[command(flatten)]
        output: Output,
    },
    /// Make the log directories of a configuration
    Format(format::Args),
    /// Show the level of each feature that a release brings
    VersionMapping {
        /// A release as 4.0 or 4.0-IV3; the newest if it is left out
        #[arg(long, short = 'r', value_name = "VERSION")]
        release_version: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Show what levels of features need of other features
    FeatureDependencies {
        /// A feature and its level, as transaction.version=2; may be repeated
        #[arg(long, short = 'f', value_name = "NAME=LEVEL", required = true, action = clap::ArgAction::Append)]
        feature: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Make up an id for a cluster
    RandomUuid {
        #[command(flatten)]
        output: Output,
    },
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = match argparse::start(words, PROGRAM, cx) {
        // Help is no failure of this tool.
        Err(Stop::Status(_)) => return Ok(()),
        other => other?,
    };
    match args.action {
        Action::Info { config, output } => info::show(&Place::of(&config)?, output.output, cx),
        Action::Format(args) => format::run(args, cx),
        Action::VersionMapping {
            release_version,
            output,
        } => {
            if let Some(name) = &release_version {
                release(name)?;
            }
            let release = release_version.map(|name| vec!["--release-version".to_owned(), name]);
            ask_features("version-mapping", release.unwrap_or_default(), &output, cx)
        }
        Action::FeatureDependencies { feature, output } => {
            let options = feature.into_iter();
            let options = options.flat_map(|text| ["--feature".to_owned(), text]);
            ask_features("feature-dependencies", options.collect(), &output, cx)
        }
        Action::RandomUuid { output } => {
            let id = ottla_server::random_id();
            let text = match output.output {
                Format::Table => format!("{id}\n"),
                Format::Data(form) => {
                    let value = json!({ "version": REPORT_VERSION, "id": id.to_string() });
                    Report::of_one(value, &["id"]).text(form)
                }
            };
            Ok(cx.out.write_all(text.as_bytes())?)
        }
    }
}

/// `kafka-features` knows it, and says it in the same words.
fn ask_features(
    action: &str,
    options: Vec<String>,
    output: &Output,
    cx: &mut Context,
) -> Result<(), Stop> {
    let format = ["--output".to_owned(), output.output.name().to_owned()];
    let words = [action.to_owned()].into_iter().chain(options).chain(format);
    let words: Vec<String> = words.collect();
    (features::TOOL.run)(&words, cx)
}

fn release(name: &str) -> Result<MetadataVersion, Failure> {
    MetadataVersion::named(name).ok_or_else(|| {
        let first = METADATA_VERSIONS.first().map_or("", |first| first.name);
        let last = NEWEST_METADATA_VERSION.name;
        Failure::new(format!(
            "Unknown release version '{name}'. Supported versions are: {first} to {last}"
        ))
    })
}

/// What a configuration says about storage.
struct Place {
    node_id: BrokerId,
    /// In order; the metadata log's is among them.
    dirs: BTreeSet<PathBuf>,
    metadata_dir: PathBuf,
    /// Where it is a controller that names no voters.
    lacks_voters: bool,
    /// Voters are named, whatever it is.
    has_voters: bool,
}

impl Place {
    fn role_of(&self, dir: &Path) -> &'static str {
        match *dir == self.metadata_dir {
            true => "metadata",
            false => "data",
        }
    }

    fn of(file: &str) -> Result<Self, Failure> {
        let pairs = options::read_properties(file)?;
        let given = |key: &str| pairs.iter().any(|(known, _)| known == key);
        let names_controller = pairs
            .iter()
            .any(|(key, value)| key == "process.roles" && value.contains("controller"));
        let has_voters = given("controller.quorum.voters");
        let config = BrokerConfig::load(pairs.iter().cloned())
            .map_err(|error| Failure::new(format!("{file}: {error}")))?;
        let settings = config.settings();
        let paths = |key: &str| {
            let dirs = settings.list(key).iter();
            dirs.map(PathBuf::from).collect::<Vec<PathBuf>>()
        };
        let dirs = match paths("log.dirs") {
            none if none.is_empty() => paths("log.dir"),
            dirs => dirs,
        };
        let metadata_dir = match settings.opt_text("metadata.log.dir") {
            Some(dir) => PathBuf::from(dir),
            None => dirs.first().cloned().unwrap_or_default(),
        };
        let node_id = i32::try_from(settings.number("node.id"));
        Ok(Self {
            node_id: BrokerId(node_id.unwrap_or(-1)),
            dirs: dirs.into_iter().chain([metadata_dir.clone()]).collect(),
            metadata_dir,
            lacks_voters: names_controller && !has_voters,
            has_voters,
        })
    }
}
