//! The results as JSON: docs/json/features.md. Pure.

use ottla_client::conn::PeerVersions;
use ottla_protocol::features::{METADATA_VERSION, MetadataVersion};
use serde_json::{Value, json};

use super::Verdict;
use super::facts::{Dependencies, Mapping};
use super::render::level_in_force;
use crate::output::{Report, Rows, json_error};

const VERSION: u32 = 1;

pub(super) fn described(found: &PeerVersions) -> Report {
    let epoch = Some(found.finalized_features_epoch).filter(|epoch| *epoch >= 0);
    let mut supported: Vec<_> = found.supported_features.iter().collect();
    supported.sort_by(|a, b| a.name.cmp(&b.name));
    let feature = |feature: &&ottla_client::conn::SupportedFeature| {
        let level = level_in_force(found, &feature.name);
        json!({
            "feature": feature.name,
            "supportedMin": feature.min,
            "supportedMax": feature.max,
            "level": level,
            "release": release(&feature.name, level),
        })
    };
    let features: Vec<Value> = supported.iter().map(feature).collect();
    report(
        json!({ "version": VERSION, "epoch": epoch, "features": features }),
        &[
            "feature",
            "supportedMin",
            "supportedMax",
            "level",
            "release",
            "epoch",
        ],
    )
}

pub(super) fn updated(verdicts: &[Verdict<'_>], dry_run: bool) -> Report {
    let feature = |(update, verdict): &Verdict<'_>| {
        let error = verdict.as_ref().err();
        json!({
            "feature": update.name,
            "level": update.level,
            "error": error.map(json_error),
        })
    };
    let features: Vec<Value> = verdicts.iter().map(feature).collect();
    report(
        json!({ "version": VERSION, "dryRun": dry_run, "features": features }),
        &["feature", "level", "dryRun", "error.code", "error.message"],
    )
}

pub(super) fn mapping(mapping: &Mapping) -> Report {
    let metadata = (METADATA_VERSION, mapping.metadata_version.level);
    let levels = [metadata].into_iter().chain(mapping.levels.iter().copied());
    let features: Vec<Value> = levels.map(level).collect();
    let release = mapping.metadata_version.name;
    report(
        json!({ "version": VERSION, "release": release, "features": features }),
        &["release", "feature", "level"],
    )
}

pub(super) fn dependencies(known: &[Dependencies]) -> Report {
    let feature = |known: &Dependencies| {
        let needs: Vec<Value> = known.needs.iter().copied().map(level).collect();
        json!({ "feature": known.feature, "level": known.level, "requires": needs })
    };
    let features: Vec<Value> = known.iter().map(feature).collect();
    report(
        json!({ "version": VERSION, "features": features }),
        &["feature", "level", "requires"],
    )
}

fn report(value: Value, columns: &'static [&'static str]) -> Report {
    let within = &["features"];
    let rows = Rows { within, columns };
    Report { value, rows }
}

fn level((feature, level): (&str, i16)) -> Value {
    json!({ "feature": feature, "level": level })
}

/// What a level of `metadata.version` is called.
fn release(feature: &str, level: i16) -> Option<&'static str> {
    let version = MetadataVersion::of_level(level).filter(|_| feature == METADATA_VERSION);
    version.map(|version| version.name)
}
