//! What the peer speaks, from its ApiVersions response, and the version to use for a request.

use std::collections::BTreeMap;

use ottla_protocol::messages::ApiVersionsResponse;

use super::VersionRange;

/// A feature the peer could be switched to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    pub name: String,
    pub min: i16,
    pub max: i16,
}

/// A feature level in force in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalizedFeature {
    pub name: String,
    pub min: i16,
    pub max: i16,
}

/// The peer's answer to ApiVersions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerVersions {
    ranges: BTreeMap<i16, (i16, i16)>,
    pub supported_features: Vec<SupportedFeature>,
    pub finalized_features: Vec<FinalizedFeature>,
    /// -1 where the peer did not say.
    pub finalized_features_epoch: i64,
}

impl PeerVersions {
    pub(super) fn of_response(response: &ApiVersionsResponse) -> Self {
        Self {
            ranges: response
                .api_keys
                .iter()
                .map(|api| (api.api_key, (api.min_version, api.max_version)))
                .collect(),
            supported_features: response
                .supported_features
                .iter()
                .map(|f| SupportedFeature {
                    name: f.name.to_string(),
                    min: f.min_version,
                    max: f.max_version,
                })
                .collect(),
            finalized_features: response
                .finalized_features
                .iter()
                .map(|f| FinalizedFeature {
                    name: f.name.to_string(),
                    min: f.min_version_level,
                    max: f.max_version_level,
                })
                .collect(),
            finalized_features_epoch: response.finalized_features_epoch,
        }
    }

    /// The peer's range for an API, if it speaks it at all.
    pub fn range(&self, api_key: i16) -> Option<VersionRange> {
        self.ranges.get(&api_key).map(|(min, max)| *min..=*max)
    }

    /// Every API the peer named, by key.
    pub fn iter(&self) -> impl Iterator<Item = (i16, VersionRange)> + '_ {
        self.ranges
            .iter()
            .map(|(key, (min, max))| (*key, *min..=*max))
    }

    /// The newest version both sides speak.
    pub fn pick(&self, api_key: i16, ours: &VersionRange) -> Option<i16> {
        let (min, max) = self.ranges.get(&api_key)?;
        let version = *ours.end().min(max);
        (version >= *ours.start().max(min)).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(min: i16, max: i16) -> PeerVersions {
        PeerVersions {
            ranges: BTreeMap::from([(3, (min, max))]),
            ..PeerVersions::default()
        }
    }

    #[test]
    fn the_newest_common_version_is_used() {
        assert_eq!(peer(0, 13).pick(3, &(0..=12)), Some(12));
        assert_eq!(peer(0, 9).pick(3, &(4..=12)), Some(9));
        assert_eq!(peer(4, 4).pick(3, &(4..=4)), Some(4));
    }

    #[test]
    fn without_a_common_version_there_is_none() {
        assert_eq!(peer(0, 3).pick(3, &(4..=12)), None);
        assert_eq!(peer(13, 14).pick(3, &(4..=12)), None);
        assert_eq!(
            peer(5, 4).pick(3, &(0..=12)),
            None,
            "a nonsensical range of the peer"
        );
        assert_eq!(
            peer(0, 13).pick(4, &(0..=12)),
            None,
            "an API the peer does not have"
        );
    }
}
