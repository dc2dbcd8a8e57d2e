//! The lines, as the reference prints them. Pure.

use std::fmt::Write;

use ottla_client::conn::PeerVersions;
use ottla_protocol::features::{METADATA_VERSION, MetadataVersion};

use super::Verdict;
use super::facts::{Dependencies, Mapping};
use super::plan::Verb;
use crate::table::visible;

const TAKES: &str = "a string takes it";

pub(super) fn described(found: &PeerVersions) -> String {
    let mut text = String::new();
    let mut supported: Vec<_> = found.supported_features.iter().collect();
    supported.sort_by(|a, b| a.name.cmp(&b.name));
    let epoch = match found.finalized_features_epoch {
        -1 => "-".to_owned(),
        epoch => epoch.to_string(),
    };
    for feature in supported {
        let name = visible(&feature.name);
        let shown = |level| shown(&feature.name, level);
        writeln!(
            text,
            "Feature: {name:40}  SupportedMinVersion: {:15}  SupportedMaxVersion: {:15}  FinalizedVersionLevel: {:15}  \
             Epoch: {epoch}",
            shown(feature.min),
            shown(feature.max),
            shown(level_in_force(found, &feature.name)),
        )
        .expect(TAKES);
    }
    text
}

/// 0 where none is.
pub(super) fn level_in_force(found: &PeerVersions, feature: &str) -> i16 {
    let mut finalized = found.finalized_features.iter();
    let finalized = finalized.find(|finalized| finalized.name == feature);
    finalized.map_or(0, |finalized| finalized.max)
}

/// Those of `metadata.version` by name.
fn shown(feature: &str, level: i16) -> String {
    match MetadataVersion::of_level(level) {
        _ if feature != METADATA_VERSION => level.to_string(),
        Some(version) => version.name.to_owned(),
        None => format!("UNKNOWN {level}"),
    }
}

pub(super) fn updated(verb: Verb, verdicts: &[Verdict<'_>], dry_run: bool) -> String {
    let mut text = String::new();
    let op = verb.name();
    for (update, verdict) in verdicts {
        let (name, level) = (visible(&update.name), update.level);
        let to = match verb {
            Verb::Disable { .. } => String::new(),
            _ => format!(" to {level}"),
        };
        match verdict {
            Ok(()) => {
                let is = if dry_run { "can be" } else { "was" };
                writeln!(text, "{name} {is} {op}d{to}.")
            }
            Err(error) => {
                let not = if dry_run { "Can not" } else { "Could not" };
                writeln!(text, "{not} {op} {name}{to}. {}", visible(error.text()))
            }
        }
        .expect(TAKES);
    }
    text
}

pub(super) fn mapping(mapping: &Mapping) -> String {
    let level = mapping.metadata_version.level;
    let mut text = format!(
        "{METADATA_VERSION}={level} ({})\n",
        visible(&mapping.release)
    );
    for (feature, level) in &mapping.levels {
        writeln!(text, "{feature}={level}").expect(TAKES);
    }
    text
}

pub(super) fn dependencies(known: &[Dependencies]) -> String {
    let mut text = String::new();
    for Dependencies {
        feature,
        level,
        needs,
    } in known
    {
        let what = with_release(feature, *level);
        if needs.is_empty() {
            writeln!(text, "{what} has no dependencies.").expect(TAKES);
            continue;
        }
        writeln!(text, "{what} requires:").expect(TAKES);
        for (feature, level) in *needs {
            writeln!(text, "    {}", with_release(feature, *level)).expect(TAKES);
        }
    }
    text
}

fn with_release(feature: &str, level: i16) -> String {
    match MetadataVersion::of_level(level).filter(|_| feature == METADATA_VERSION) {
        Some(version) => format!("{feature}={level} ({})", version.name),
        None => format!("{feature}={level}"),
    }
}
