//! What a release brings and what a level needs: known without asking anybody. Pure.

use ottla_protocol::features::{
    FEATURES, Feature, METADATA_VERSION, METADATA_VERSIONS, MetadataVersion,
    NEWEST_METADATA_VERSION,
};

use crate::meant::meant;
use crate::stop::Failure;

/// The features of a release.
pub(super) struct Mapping {
    /// As it was asked for.
    pub(super) release: String,
    pub(super) metadata_version: MetadataVersion,
    pub(super) levels: Vec<(&'static str, i16)>,
}

/// A level and what it needs.
pub(super) struct Dependencies {
    pub(super) feature: String,
    pub(super) level: i16,
    pub(super) needs: &'static [(&'static str, i16)],
}

pub(super) fn metadata_version(name: &str) -> Result<MetadataVersion, Failure> {
    MetadataVersion::named(name).ok_or_else(|| {
        let known: Vec<&str> = METADATA_VERSIONS.iter().map(|known| known.name).collect();
        let failure = Failure::new(format!(
            "Unknown metadata.version '{name}'. Supported metadata.version are: {}",
            known.join(", ")
        ));
        with_nearest(failure, name, known)
    })
}

/// With the feature that has nearly this name, where there is one.
pub(super) fn with_nearest_feature(failure: Failure, name: &str) -> Failure {
    let known = FEATURES.iter().map(|feature| feature.name);
    with_nearest(failure, name, known.chain([METADATA_VERSION]))
}

fn with_nearest(
    failure: Failure,
    name: &str,
    known: impl IntoIterator<Item = &'static str>,
) -> Failure {
    match meant(name, known) {
        Some(meant) if meant != name => failure.hint(format!("Did you mean {meant}?")),
        _ => failure,
    }
}

/// Of this release, or of the newest.
pub(super) fn mapping(release: Option<&str>) -> Result<Mapping, Failure> {
    let release = release.unwrap_or(NEWEST_METADATA_VERSION.name);
    let metadata_version = metadata_version(release)?;
    let levels = FEATURES.iter();
    let levels = levels.map(|feature| (feature.name, feature.level_with(metadata_version)));
    Ok(Mapping {
        release: release.to_owned(),
        metadata_version,
        levels: levels.collect(),
    })
}

/// Of each `NAME=LEVEL` up to the first that there is not.
pub(super) fn dependencies(features: &[String]) -> (Vec<Dependencies>, Option<Failure>) {
    let mut known = Vec::new();
    for text in features {
        match dependencies_of(text) {
            Ok(found) => known.push(found),
            Err(failure) => return (known, Some(failure)),
        }
    }
    (known, None)
}

fn dependencies_of(text: &str) -> Result<Dependencies, Failure> {
    let (name, level) = name_and_level(text)?;
    let needs: &[_] = if name == METADATA_VERSION {
        let unknown = || Failure::new(format!("Unknown metadata.version {level}"));
        MetadataVersion::of_level(level).ok_or_else(unknown)?;
        &[]
    } else {
        let unknown = || {
            let failure = Failure::new(format!("Unknown feature: {name}"));
            with_nearest_feature(failure, name)
        };
        let feature = Feature::named(name).ok_or_else(unknown)?;
        let none = || Failure::new(format!("No feature:{name} with feature level {level}"));
        feature.level(level).ok_or_else(none)?.needs
    };
    Ok(Dependencies {
        feature: name.to_owned(),
        level,
        needs,
    })
}

pub fn name_and_level(text: &str) -> Result<(&str, i16), Failure> {
    let cannot = |reason: &str| {
        Failure::new(format!(
            "Can't parse feature=level string {text}: {reason}."
        ))
    };
    let (name, level) = text
        .split_once('=')
        .ok_or_else(|| cannot("equals sign not found"))?;
    let level = level.trim();
    let number = level
        .parse()
        .map_err(|_| cannot(&format!("unable to parse {level} as a short")))?;
    Ok((name.trim(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told_up_to_the_first_that_is_not() {
        for (last, words) in [
            ("metadata.version=99", "Unknown metadata.version 99"),
            ("colour.version=1", "Unknown feature: colour.version"),
            (
                "transaction.version=9",
                "No feature:transaction.version with feature level 9",
            ),
        ] {
            let asked = [
                "eligible.leader.replicas.version=1".to_owned(),
                last.to_owned(),
            ];
            let (known, failure) = dependencies(&asked);
            assert_eq!(known.len(), 1);
            assert_eq!(known[0].needs, [(METADATA_VERSION, 23)]);
            assert_eq!(
                failure.map(|failure| failure.message),
                Some(words.to_owned())
            );
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
        let hints = |failure: Option<Failure>| failure.map(|failure| failure.hints);
        let (_, failure) = dependencies(&["transactions.version=2".to_owned()]);
        let meant = vec!["Did you mean transaction.version?".to_owned()];
        assert_eq!(hints(failure), Some(meant));
        let unknown = metadata_version("4.0-IV33").err();
        assert_eq!(
            hints(unknown),
            Some(vec!["Did you mean 4.0-IV3?".to_owned()])
        );
        let (_, failure) = dependencies(&["colour=2".to_owned()]);
        assert_eq!(hints(failure), Some(Vec::new()));
    }
}
