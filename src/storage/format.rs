//! Making log directories: `meta.properties`, and `bootstrap.checkpoint` with the levels that the cluster begins with.
//!
//! Always: nothing is written before all directories have been looked at. The quorum is this node, whatever the options for
//! quorums of several nodes say; those that would need more than that are refused.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ottla_cli::java_order;
use ottla_cli::output::{Format, Output, Report, Rows};
use ottla_cli::{Context, Failure, Stop};
use ottla_log::RealDisk;
use ottla_log::disk::{make_folder, replace_file};
use ottla_log::meta_properties::{self, MetaProperties, MetaPropertiesError};
use ottla_protocol::compress::Compression;
use ottla_protocol::features::{
    FEATURES, Feature, KRAFT_VERSION, METADATA_VERSION, METADATA_VERSIONS, MetadataVersion,
    NEWEST_METADATA_VERSION,
};
use ottla_protocol::messages::metadata::{FeatureLevelRecord, MetadataRecord};
use ottla_protocol::messages::{
    Message as _, SnapshotFooterRecord, SnapshotHeaderRecord, encode_metadata_record,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::control::{ControlType, Place as At, control_batch};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use serde_json::{Value, json};

use super::Place;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The broker's configuration
    #[arg(long, short = 'c', value_name = "FILE")]
    config: String,
    /// The id of the cluster that the directories shall belong to
    #[arg(long, short = 't', value_name = "ID")]
    cluster_id: String,
    /// A SCRAM credential to begin with: not supported
    #[arg(long, short = 'S', value_name = "CREDENTIAL", action = clap::ArgAction::Append)]
    add_scram: Vec<String>,
    /// Leave directories alone that are formatted already
    #[arg(long, short = 'g')]
    ignore_formatted: bool,
    /// The release whose levels of features the cluster begins with; the newest if it is left out
    #[arg(long, short = 'r', value_name = "VERSION")]
    release_version: Option<String>,
    /// Another level for a feature, as transaction.version=1; may be repeated
    #[arg(long, short = 'f', value_name = "NAME=LEVEL", action = clap::ArgAction::Append)]
    feature: Vec<String>,
    /// A quorum of this node alone, which it is in any case
    #[arg(long, short = 's', conflicts_with_all = ["no_initial_controllers", "initial_controllers"])]
    standalone: bool,
    /// The node is told of the quorum later; here it is one in any case
    #[arg(long, short = 'N', conflicts_with = "initial_controllers")]
    no_initial_controllers: bool,
    /// The nodes of the quorum: not supported
    #[arg(long, short = 'I', value_name = "ID@HOST:PORT:DIRECTORY,...")]
    initial_controllers: Option<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args, cx: &mut Context) -> Result<(), Stop> {
    let place = Place::of(&args.config)?;
    refuse(&args, &place)?;
    let levels = levels(args.release_version.as_deref(), &args.feature)?;
    let fresh = fresh(&args, &place, cx)?;
    let checkpoint = checkpoint(&levels).map_err(|error| Failure::new(error.to_string()))?;
    let format = args.output.output;
    match format {
        Format::Data(_) => {}
        Format::Table if fresh.is_empty() => {
            writeln!(cx.out, "All of the log directories are already formatted.")?;
        }
        Format::Table => writeln!(cx.out, "Bootstrap metadata: {}", levels.shown())?,
    }
    for dir in &fresh {
        if format == Format::Table {
            let shown = dir.display();
            let what = match place.role_of(dir) {
                "metadata" if args.standalone => "dynamic metadata voter",
                role => role,
            };
            let version = levels.metadata_version.name;
            writeln!(
                cx.out,
                "Formatting {what} directory {shown} with {METADATA_VERSION} {version}."
            )?;
        }
        let meta = MetaProperties {
            cluster_id: args.cluster_id.clone(),
            node_id: place.node_id,
            directory_id: Some(ottla_server::random_id()),
        };
        write(dir, &checkpoint, &meta)?;
    }
    if let Format::Data(form) = format {
        let report = report(&args.cluster_id, &place, &levels, &fresh);
        cx.out.write_all(report.text(form).as_bytes())?;
    }
    Ok(())
}

/// docs/json/storage.md
fn report(cluster_id: &str, place: &Place, levels: &Levels, fresh: &[PathBuf]) -> Report {
    let features = levels
        .all()
        .map(|(name, level)| json!({ "name": name, "level": level }));
    let directories = place.dirs.iter().map(|dir| {
        json!({
            "path": dir.display().to_string(),
            "role": place.role_of(dir),
            "formatted": fresh.contains(dir),
        })
    });
    Report {
        value: json!({
            "version": super::REPORT_VERSION,
            "clusterId": cluster_id,
            "nodeId": place.node_id.0,
            "metadataVersion": levels.metadata_version.name,
            "features": features.collect::<Vec<Value>>(),
            "directories": directories.collect::<Vec<Value>>(),
        }),
        rows: Rows {
            within: &["directories"],
            columns: &[
                "path",
                "role",
                "formatted",
                "clusterId",
                "nodeId",
                "metadataVersion",
            ],
        },
    }
}

fn refuse(args: &Args, place: &Place) -> Result<(), Failure> {
    if place.node_id.0 < 0 {
        return Err(Failure::new(
            "You must specify a valid non-negative node ID.",
        ));
    }
    if place.has_voters && (args.standalone || args.initial_controllers.is_some()) {
        return Err(Failure::new(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. \
             If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
             controller.quorum.bootstrap.servers instead.",
        ));
    }
    if !args.add_scram.is_empty() {
        return Err(Failure::new("SCRAM credentials are not supported yet."));
    }
    if args.initial_controllers.is_some() {
        return Err(
            Failure::new("Quorums of several nodes are not supported yet.")
                .hint("--standalone, or nothing at all, makes a quorum of this node."),
        );
    }
    if place.lacks_voters && !args.standalone && !args.no_initial_controllers {
        return Err(Failure::new(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
             --standalone, --initial-controllers, or --no-initial-controllers.",
        ));
    }
    Ok(())
}

/// The directories to be made, in the reference's order. None of the others belongs to somebody else.
fn fresh(args: &Args, place: &Place, cx: &mut Context) -> Result<Vec<PathBuf>, Stop> {
    let mut fresh = Vec::new();
    let mut formatted = None;
    for dir in &place.dirs {
        let meta = match meta_properties::read(&*RealDisk::shared(), dir) {
            Ok(meta) => meta,
            Err(MetaPropertiesError::Malformed { .. } | MetaPropertiesError::Disk(_)) => {
                let shown = dir.display();
                let line = format!("I/O error trying to read log directory {shown}. Ignoring...");
                args.output.output.note(line, cx)?;
                continue;
            }
        };
        let Some(meta) = meta else {
            fresh.push(dir.clone());
            continue;
        };
        let (ours, theirs) = (place.node_id, meta.node_id);
        belongs(dir, "cluster.id", &args.cluster_id, &meta.cluster_id)?;
        belongs(dir, "node.id", &ours.to_string(), &theirs.to_string())?;
        formatted.get_or_insert(dir);
    }
    match formatted {
        Some(dir) if !args.ignore_formatted => Err(Stop::failed(format!(
            "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the others.",
            dir.display()
        ))),
        None if fresh.is_empty() => Err(Stop::failed("No available log directories to format.")),
        _ => {
            java_order::sort_by_hash(&mut fresh, None, |dir| {
                java_order::hash(&dir.to_string_lossy())
            });
            Ok(fresh)
        }
    }
}

fn belongs(dir: &Path, key: &str, expected: &str, read: &str) -> Result<(), Failure> {
    if expected == read {
        return Ok(());
    }
    let file = dir.join("meta.properties");
    Err(Failure::new(format!(
        "Invalid {key} in: {}. Expected {expected}, but read {read}",
        file.display()
    )))
}

fn write(dir: &Path, checkpoint: &[u8], meta: &MetaProperties) -> Result<(), Failure> {
    let disk = RealDisk::shared();
    make_folder(&*disk, dir)
        .and_then(|()| replace_file(&*disk, &dir.join("bootstrap.checkpoint"), checkpoint))
        .and_then(|()| meta_properties::write(&*disk, dir, meta))
        .map_err(|error| Failure::new(error.to_string()))
}

/// What the cluster begins with.
#[derive(Debug, PartialEq, Eq)]
struct Levels {
    metadata_version: MetadataVersion,
    /// Above 0, by name.
    others: BTreeMap<&'static str, i16>,
}

impl Levels {
    /// In the order in which they are finalised.
    fn all(&self) -> impl Iterator<Item = (&'static str, i16)> {
        let first = (METADATA_VERSION, self.metadata_version.level);
        let others = self.others.iter().map(|(name, level)| (*name, *level));
        std::iter::once(first).chain(others)
    }

    /// As the reference's records show themselves.
    fn shown(&self) -> String {
        let records = self.all().map(|(name, level)| {
            format!(
                "ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at version 0)"
            )
        });
        let records: Vec<String> = records.collect();
        format!(
            "BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)",
            records.join(", "),
            self.metadata_version.level
        )
    }
}

/// The levels of a release, and over them those that are asked for.
fn levels(release_name: Option<&str>, features: &[String]) -> Result<Levels, Failure> {
    let mut asked: BTreeMap<&str, i16> = BTreeMap::new();
    for text in features {
        let (name, level) = ottla_cli::tools::features::name_and_level(text)?;
        asked.insert(name, level);
    }
    let metadata_version = match (asked.remove(METADATA_VERSION), release_name) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(format!(
                "Use --release-version instead of --feature {METADATA_VERSION}=X to avoid ambiguity."
            )));
        }
        (Some(level), None) => of_level(level)?,
        (None, Some(name)) => of_release(name)?,
        (None, None) => NEWEST_METADATA_VERSION,
    };
    if let Some(name) = asked.keys().find(|name| Feature::named(name).is_none()) {
        let mut known: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        known.sort_unstable();
        return Err(Failure::new(format!(
            "Unsupported feature: {name}. Supported features are: {}",
            known.join(", ")
        )));
    }
    if asked.get(KRAFT_VERSION).is_some_and(|level| *level != 0) {
        return Err(Failure::new(format!(
            "Cannot set {KRAFT_VERSION} to {} unless controller.quorum.voters is empty and one of the flags --standalone, \
             --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try using one of \
             --standalone, --initial-controllers, or --no-initial-controllers and removing controller.quorum.voters.",
            asked[KRAFT_VERSION]
        )));
    }
    let mut others = BTreeMap::new();
    for feature in FEATURES
        .iter()
        .filter(|feature| feature.name != KRAFT_VERSION)
    {
        let asked = asked.get(feature.name).copied();
        let number = asked.unwrap_or_else(|| feature.level_with(metadata_version));
        let level = feature.level(number).ok_or_else(|| {
            Failure::new(format!(
                "No feature:{} with feature level {number}",
                feature.name
            ))
        })?;
        for (needed, least) in level
            .needs
            .iter()
            .filter(|(name, _)| *name == METADATA_VERSION)
        {
            if metadata_version.level < *least {
                return Err(Failure::new(format!(
                    "{} could not be set to {number} because it depends on {needed} level {least}",
                    feature.name
                )));
            }
        }
        if number > 0 {
            others.insert(feature.name, number);
        }
    }
    Ok(Levels {
        metadata_version,
        others,
    })
}

fn of_release(name: &str) -> Result<MetadataVersion, Failure> {
    let is_stable = |version: &&MetadataVersion| version.level <= NEWEST_METADATA_VERSION.level;
    MetadataVersion::named(name).ok_or_else(|| {
        let known = METADATA_VERSIONS.iter().filter(is_stable);
        let known: Vec<&str> = known.map(|version| version.name).collect();
        Failure::new(format!(
            "Unknown {METADATA_VERSION} '{name}'. Supported {METADATA_VERSION} are: {}",
            known.join(", ")
        ))
    })
}

fn of_level(level: i16) -> Result<MetadataVersion, Failure> {
    let version = MetadataVersion::of_level(level).ok_or_else(|| {
        let first = METADATA_VERSIONS.first().map_or(0, |first| first.level);
        let last = METADATA_VERSIONS.last().map_or(0, |last| last.level);
        Failure::new(format!(
            "No MetadataVersion with feature level {level}. Valid feature levels are from {first} to {last}."
        ))
    })?;
    match version.level > NEWEST_METADATA_VERSION.level {
        true => Err(Failure::new(format!(
            "{METADATA_VERSION} {} is not yet stable.",
            version.name
        ))),
        false => Ok(version),
    }
}

/// The levels as a snapshot: a header, the records, a footer.
fn checkpoint(levels: &Levels) -> Result<Vec<u8>, BuildError> {
    let at = |offset| At {
        base_offset: offset,
        leader_epoch: LeaderEpoch(0),
        timestamp: Millis(0),
    };
    let header = SnapshotHeaderRecord::default().to_bytes(0);
    let mut content = control_batch(at(Offset(0)), ControlType::SnapshotHeader, &header)?;
    let mut end = Offset(1);
    let mut builder = BatchBuilder::new(Compression::None)
        .base_offset(end)
        .leader_epoch(LeaderEpoch(0));
    for (name, level) in levels.all() {
        let record = MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: name.into(),
            feature_level: level,
            ..Default::default()
        });
        let value = encode_metadata_record(&record, 0);
        builder.append(Millis(0), None, Some(&value), &[])?;
        end = end.next();
    }
    content.extend(builder.build()?);
    let footer = SnapshotFooterRecord::default().to_bytes(0);
    content.extend(control_batch(
        at(end),
        ControlType::SnapshotFooter,
        &footer,
    )?);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(release: Option<&str>, features: &[&str]) -> Result<Vec<(&'static str, i16)>, String> {
        let features: Vec<String> = features.iter().map(|text| (*text).to_owned()).collect();
        let levels = levels(release, &features).map_err(|failure| failure.message)?;
        Ok(levels.all().collect())
    }

    #[test]
    fn a_release_brings_its_levels_and_others_may_be_asked_for() {
        assert_eq!(asked(Some("3.9"), &[]), Ok(vec![("metadata.version", 21)]));
        let levels = asked(None, &["transaction.version=1", "share.version=0"]).unwrap();
        assert_eq!(levels[0], ("metadata.version", 30));
        assert!(levels.contains(&("transaction.version", 1)));
        assert!(levels.iter().all(|(name, _)| *name != "share.version"));
    }

    #[test]
    fn levels_that_do_not_go_are_refused_in_the_references_words() {
        for (release, feature, reason) in [
            (
                Some("4.0"),
                "metadata.version=25",
                "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.",
            ),
            (
                None,
                "metadata.version=31",
                "metadata.version 4.4-IV0 is not yet stable.",
            ),
            (
                None,
                "metadata.version=1",
                "No MetadataVersion with feature level 1. Valid feature levels are from 7 to 31.",
            ),
            (
                None,
                "transaction.version=9",
                "No feature:transaction.version with feature level 9",
            ),
            (
                Some("3.9"),
                "eligible.leader.replicas.version=1",
                "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23",
            ),
        ] {
            assert_eq!(asked(release, &[feature]), Err(reason.to_owned()));
        }
        let old = asked(Some("3.2"), &[]).unwrap_err();
        assert!(
            old.starts_with(
                "Unknown metadata.version '3.2'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, "
            ),
            "{old}"
        );
        assert!(old.ends_with(", 4.3-IV0"), "{old}");
        let unknown = asked(None, &["colour.version=1"]).unwrap_err();
        assert!(
            unknown.starts_with(
                "Unsupported feature: colour.version. Supported features are: eligible.leader."
            ),
            "{unknown}"
        );
    }
}
