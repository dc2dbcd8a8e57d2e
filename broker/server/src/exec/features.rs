//! The features of a cluster that this build knows (KIP-584), and which of their levels.
//!
//! Always: a level that a log has is raised and lowered by UpdateFeatures alone; a new log gets the levels of `FEATURES`,
//! or those that `kafka-storage format` left for it. Records are written in the versions that the log's `metadata.version` has
//! (`metadata_versions`). So whoever could read the directory before can read it afterwards.

use std::collections::BTreeMap;

use ottla_coordination::controller::FeatureRange;
use ottla_protocol::features::{self, METADATA_VERSION, TRANSACTION_VERSION};

/// A feature with the level that a new cluster gets, and the levels that this node can go on with.
pub(crate) struct SupportedFeature {
    pub(crate) name: &'static str,
    pub(crate) first_level: i16,
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// Whether clients can have what the feature is about. Of one that they cannot have they are told nothing, as from a
    /// broker that does not know it, whatever level the log keeps for it.
    pub(crate) is_offered: bool,
}

const fn feature(name: &'static str, first_level: i16, min: i16, max: i16) -> SupportedFeature {
    SupportedFeature {
        name,
        first_level,
        min,
        max,
        is_offered: true,
    }
}

/// Known, so that a directory of Apache Kafka's keeps its level and can go back, and nothing more.
const fn kept_only(name: &'static str, first_level: i16, min: i16, max: i16) -> SupportedFeature {
    SupportedFeature {
        is_offered: false,
        ..feature(name, first_level, min, max)
    }
}

/// In the order in which the reference finalises them.
pub(crate) const FEATURES: &[SupportedFeature] = &[
    // 7 is 3.3-IV3, 30 is 4.3-IV0.
    feature(METADATA_VERSION, 30, 7, 30),
    feature(features::ELIGIBLE_LEADER_REPLICAS, 1, 0, 1),
    feature("group.version", 1, 0, 1),
    kept_only("share.version", 1, 0, 1),
    kept_only("streams.version", 1, 0, 1),
    feature(TRANSACTION_VERSION, 2, 0, 2),
];

/// Whether clients are told of it.
pub(crate) fn is_offered(name: &str) -> bool {
    let known = FEATURES.iter().chain([&KRAFT_VERSION]);
    let mut offered = known.filter(|feature| feature.is_offered);
    offered.any(|feature| feature.name == name)
}

/// The version that the quorum itself keeps, in control records of its log.
pub(crate) const KRAFT_VERSION: SupportedFeature = feature(features::KRAFT_VERSION, 0, 0, 1);

/// All levels that a log may have, for the controller.
pub(crate) fn ranges() -> Vec<FeatureRange> {
    let known = FEATURES.iter().chain([&KRAFT_VERSION]);
    let range = |feature: &SupportedFeature| FeatureRange {
        name: feature.name,
        min: feature.min,
        max: feature.max,
    };
    known.map(range).collect()
}

/// Why a directory's levels are no good for this build, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnknownLevel {
    #[error(
        "it is at level {level} of {name}, and this version knows {min} to {max}. Nothing was changed. Use a version \
         that knows level {level}, or start the one that wrote the directory and lower the level with \
         kafka-features.sh downgrade --feature {name}={max}"
    )]
    TooHigh {
        name: String,
        level: i16,
        min: i16,
        max: i16,
    },
    #[error(
        "it is at level {level} of {name}, and this version knows {min} to {max}. Nothing was changed. Start the \
         version that wrote the directory and raise the level with kafka-features.sh upgrade --feature {name}={min}"
    )]
    TooLow {
        name: String,
        level: i16,
        min: i16,
        max: i16,
    },
    #[error(
        "it is at level {level} of {name}, a feature that this version does not know. Nothing was changed. Use a \
         version that knows it, or start the one that wrote the directory and take the feature out with \
         kafka-features.sh downgrade --feature {name}=0"
    )]
    Feature { name: String, level: i16 },
}

/// Whether this build can go on with a log of these levels.
pub(crate) fn check(levels: &BTreeMap<String, i16>) -> Result<(), UnknownLevel> {
    for (name, level) in levels {
        let known = FEATURES.iter().chain([&KRAFT_VERSION]);
        let Some(feature) = known.into_iter().find(|feature| feature.name == *name) else {
            return Err(UnknownLevel::Feature {
                name: name.clone(),
                level: *level,
            });
        };
        let (name, level, min, max) = (name.clone(), *level, feature.min, feature.max);
        if level > max {
            return Err(UnknownLevel::TooHigh {
                name,
                level,
                min,
                max,
            });
        }
        if level < min {
            return Err(UnknownLevel::TooLow {
                name,
                level,
                min,
                max,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of what there is knows them all.
    #[test]
    fn no_level_is_taken_that_nobody_has_described() {
        for range in ranges()
            .iter()
            .filter(|range| range.name != METADATA_VERSION)
        {
            let known = features::Feature::named(range.name).expect("a feature of Kafka's");
            assert!(known.level(range.min).is_some() && known.level(range.max).is_some());
        }
    }

    fn refusal(name: &str, level: i16) -> String {
        let levels = BTreeMap::from([(name.to_owned(), level)]);
        check(&levels).unwrap_err().to_string()
    }

    #[test]
    fn a_level_that_is_not_known_is_named_with_what_to_do() {
        let own: BTreeMap<_, _> = FEATURES
            .iter()
            .map(|feature| (feature.name.to_owned(), feature.max))
            .collect();
        assert_eq!(check(&own), Ok(()));
        let newer = refusal(METADATA_VERSION, 31);
        assert!(newer.contains("level 31 of metadata.version"), "{newer}");
        assert!(
            newer.contains("downgrade --feature metadata.version=30"),
            "{newer}"
        );
        let older = refusal(METADATA_VERSION, 4);
        assert!(
            older.contains("upgrade --feature metadata.version=7"),
            "{older}"
        );
        assert!(refusal("kraft.version", 2).contains("kraft.version"));
        assert!(refusal("colour.version", 1).contains("does not know"));
    }
}
