//! The features of a cluster (KIP-584, KIP-1022) as Kafka 4.3.1 knows them: what their levels are called, what a level
//! needs, and with which release it comes.
//!
//! Always: levels of a feature ascend without gaps. Not here: which of them a broker supports, and what they change.

/// The feature whose levels are the formats of the metadata log, named by releases.
pub const METADATA_VERSION: &str = "metadata.version";
/// The feature that the quorum keeps in control records of its log.
pub const KRAFT_VERSION: &str = "kraft.version";
/// Eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";
pub const TRANSACTION_VERSION: &str = "transaction.version";

/// The level of `metadata.version` from which on the log says which directory has what (KIP-858).
pub const DIRECTORIES_FROM: i16 = 17;

/// A level of `metadata.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataVersion {
    pub level: i16,
    pub name: &'static str,
    /// Whether the metadata log can hold what it could not hold one level below.
    pub changes_records: bool,
}

const fn same(level: i16, name: &'static str) -> MetadataVersion {
    MetadataVersion {
        level,
        name,
        changes_records: false,
    }
}

const fn new_records(level: i16, name: &'static str) -> MetadataVersion {
    MetadataVersion {
        changes_records: true,
        ..same(level, name)
    }
}

/// All of them, ascending. What is above the newest of production is no release's yet.
pub const METADATA_VERSIONS: &[MetadataVersion] = &[
    new_records(7, "3.3-IV3"),
    new_records(8, "3.4-IV0"),
    same(9, "3.5-IV0"),
    same(10, "3.5-IV1"),
    new_records(11, "3.5-IV2"),
    same(12, "3.6-IV0"),
    new_records(13, "3.6-IV1"),
    new_records(14, "3.6-IV2"),
    new_records(15, "3.7-IV0"),
    same(16, "3.7-IV1"),
    new_records(17, "3.7-IV2"),
    same(18, "3.7-IV3"),
    same(19, "3.7-IV4"),
    same(20, "3.8-IV0"),
    same(21, "3.9-IV0"),
    same(22, "4.0-IV0"),
    new_records(23, "4.0-IV1"),
    same(24, "4.0-IV2"),
    same(25, "4.0-IV3"),
    same(26, "4.1-IV0"),
    same(27, "4.1-IV1"),
    same(28, "4.2-IV0"),
    same(29, "4.2-IV1"),
    NEWEST_METADATA_VERSION,
    same(31, "4.4-IV0"),
];

/// The newest of production.
pub const NEWEST_METADATA_VERSION: MetadataVersion = new_records(30, "4.3-IV0");

impl MetadataVersion {
    #[must_use]
    pub fn of_level(level: i16) -> Option<Self> {
        METADATA_VERSIONS
            .iter()
            .find(|version| version.level == level)
            .copied()
    }

    /// What a release is called that has it: `4.0` of `4.0-IV3`.
    #[must_use]
    pub fn release(&self) -> &'static str {
        self.name
            .split_once('-')
            .map_or(self.name, |(release, _)| release)
    }

    /// Of production, by its own name or by a release's, which stands for its last one. What follows a second dot says
    /// nothing: 4.0.1 is 4.0.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let mut dots = text.trim_end_matches('.').match_indices('.');
        let name = match dots.nth(1) {
            Some((end, _)) => text.get(..end)?,
            None => text,
        };
        let mut production = METADATA_VERSIONS
            .iter()
            .filter(|version| version.level <= NEWEST_METADATA_VERSION.level);
        production
            .rfind(|version| version.name == name || version.release() == name)
            .copied()
    }

    /// Whether the way down to a lower level loses what the log may hold.
    #[must_use]
    pub fn loses_records(from: i16, to: i16) -> bool {
        METADATA_VERSIONS
            .iter()
            .any(|version| version.changes_records && version.level > to && version.level <= from)
    }
}

/// Any other feature.
#[derive(Debug)]
pub struct Feature {
    pub name: &'static str,
    pub levels: &'static [Level],
}

/// A level of a feature.
#[derive(Debug, PartialEq, Eq)]
pub struct Level {
    pub level: i16,
    /// The level of `metadata.version` from which on new clusters get it.
    pub from: i16,
    /// The features that it needs, and their levels.
    pub needs: &'static [(&'static str, i16)],
}

const fn level(level: i16, from: i16) -> Level {
    Level {
        level,
        from,
        needs: &[],
    }
}

const OFF: Level = level(0, 7);

/// In the reference's order.
pub const FEATURES: &[Feature] = &[
    Feature {
        name: KRAFT_VERSION,
        levels: &[OFF, level(1, 21)],
    },
    Feature {
        name: TRANSACTION_VERSION,
        levels: &[OFF, level(1, 24), level(2, 24)],
    },
    Feature {
        name: "group.version",
        levels: &[OFF, level(1, 22)],
    },
    Feature {
        name: ELIGIBLE_LEADER_REPLICAS,
        levels: &[
            OFF,
            Level {
                needs: &[(METADATA_VERSION, 23)],
                ..level(1, 26)
            },
        ],
    },
    Feature {
        name: "share.version",
        levels: &[OFF, level(1, 28)],
    },
    Feature {
        name: "streams.version",
        levels: &[OFF, level(1, 29)],
    },
];

impl Feature {
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    #[must_use]
    pub fn level(&self, number: i16) -> Option<&'static Level> {
        self.levels.iter().find(|level| level.level == number)
    }

    /// The level that a new cluster of this `metadata.version` gets.
    #[must_use]
    pub fn level_with(&self, metadata_version: MetadataVersion) -> i16 {
        let mut reached = self.levels.iter().rev();
        let reached = reached.find(|level| level.from <= metadata_version.level);
        reached.map_or(0, |level| level.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `MetadataVersion.fromVersionString` of Apache Kafka 4.3.1 answers.
    #[test]
    fn a_release_stands_for_its_last_metadata_version() {
        for (text, level) in [
            ("4.3", Some(30)),
            ("4.3-IV0", Some(30)),
            ("4.0.1", Some(25)),
            ("3.3", Some(7)),
            ("3.7-IV1", Some(16)),
            ("4.3.1-IV0", Some(30)),
            ("4.3.", None),
            ("4.4-IV0", None),
            ("4.4", None),
            ("3.2", None),
            ("3.7-IV9", None),
            ("4", None),
            ("", None),
        ] {
            let found = MetadataVersion::named(text).map(|version| version.level);
            assert_eq!(found, level, "{text}");
        }
    }

    /// What `Feature.defaultLevel` of Apache Kafka 4.3.1 answers.
    #[test]
    fn a_release_brings_its_features() {
        for (level, expected) in [
            (7, [0, 0, 0, 0, 0, 0]),
            (21, [1, 0, 0, 0, 0, 0]),
            (22, [1, 0, 1, 0, 0, 0]),
            (23, [1, 0, 1, 0, 0, 0]),
            (24, [1, 2, 1, 0, 0, 0]),
            (26, [1, 2, 1, 1, 0, 0]),
            (28, [1, 2, 1, 1, 1, 0]),
            (29, [1, 2, 1, 1, 1, 1]),
            (31, [1, 2, 1, 1, 1, 1]),
        ] {
            let version = MetadataVersion::of_level(level).unwrap();
            let levels: Vec<i16> = FEATURES
                .iter()
                .map(|feature| feature.level_with(version))
                .collect();
            assert_eq!(levels, expected, "level {level}");
        }
    }

    #[test]
    fn the_way_down_loses_what_came_with_a_level() {
        assert!(!MetadataVersion::loses_records(29, 23));
        assert!(MetadataVersion::loses_records(30, 29));
        assert!(MetadataVersion::loses_records(23, 22));
        assert!(!MetadataVersion::loses_records(16, 15));
    }
}
