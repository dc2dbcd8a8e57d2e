//! ApiVersions (18): what this broker speaks, or its controller.
//!
//! - v3: the client says its name and version; responses are flexible but for their header (KIP-511).
//! - v3: features, as tagged fields (KIP-584).
//! - v4: feature ranges may begin at 0 (KIP-1022); older responses leave those out.
//!
//! Features whose APIs are not spoken are left out, finalized or not: a client that finds them would try.

use ottla_coordination::controller::MetadataImage;
use ottla_protocol::apis::ApiKey;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api_versions::response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, encode_response};

use super::{APIS, Answer, Context, Outcome, is_asked_of};
use crate::exec::features::{self, KRAFT_VERSION};
use crate::net::Encoded;

/// First version in which the client introduces its software.
const SOFTWARE_NAME_FROM: i16 = 3;
/// First version whose readers can take a feature that begins at level 0.
const LEVEL_ZERO_FROM: i16 = 4;

pub(crate) fn handle(
    context: &Context<'_>,
    request: ApiVersionsRequest,
) -> Answer<ApiVersionsResponse> {
    if context.version >= SOFTWARE_NAME_FROM
        && !(is_plain(&request.client_software_name) && is_plain(&request.client_software_version))
    {
        return Answer::now(ApiVersionsResponse {
            error_code: ErrorCode::InvalidRequest.code(),
            ..Default::default()
        });
    }
    let image = context.broker.image.load();
    Answer::now(ApiVersionsResponse {
        api_keys: spoken(|key| is_asked_of(context.peer.role, key)),
        supported_features: supported_features(context, &image),
        finalized_features_epoch: image.end().0 - 1,
        finalized_features: finalized_features(context, &image),
        ..Default::default()
    })
}

/// The levels that this broker has registered with, and the one that only the quorum knows of.
fn supported_features(context: &Context<'_>, image: &MetadataImage) -> Vec<SupportedFeatureKey> {
    let registered = image.cluster().broker(context.broker.identity.node_id);
    let registered = registered.into_iter().flat_map(|broker| &broker.features);
    registered
        .map(|(name, min, max)| (name.as_str(), *min, *max))
        .chain([(KRAFT_VERSION.name, KRAFT_VERSION.min, KRAFT_VERSION.max)])
        .filter(|(_, min, _)| *min > 0 || context.version >= LEVEL_ZERO_FROM)
        .map(|(name, min_version, max_version)| SupportedFeatureKey {
            name: name.into(),
            min_version,
            max_version,
            ..Default::default()
        })
        .collect()
}

/// Those of the log's records, and the quorum's own where it is not 0.
fn finalized_features(context: &Context<'_>, image: &MetadataImage) -> Vec<FinalizedFeatureKey> {
    let finalized = image.features().iter();
    let offered = finalized.filter(|(name, _)| features::is_offered(name));
    let quorums = Some(context.broker.controller.kraft_version()).filter(|level| *level > 0);
    offered
        .map(|(name, level)| (name.as_str(), *level))
        .chain(quorums.map(|level| (KRAFT_VERSION.name, level)))
        .map(|(name, level)| FinalizedFeatureKey {
            name: name.into(),
            max_version_level: level,
            min_version_level: level,
            ..Default::default()
        })
        .collect()
}

/// The answer to a version from the future: version 0, which every client can read, with what would be understood.
pub(crate) fn oldest_refusal(correlation_id: i32) -> Outcome {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: spoken(|key| key == ApiKey::ApiVersions),
        ..Default::default()
    };
    Outcome::Now(Encoded {
        chunks: encode_response(&response, 0, correlation_id),
        files: Vec::new(),
    })
}

fn spoken(wanted: impl Fn(ApiKey) -> bool) -> Vec<ApiVersion> {
    let listed = APIS.iter().map(|api| api.key).filter(|key| wanted(*key));
    listed
        .filter_map(|key| {
            let (min_version, max_version) = key.advertised_versions()?;
            Some(ApiVersion {
                api_key: key.key(),
                min_version,
                max_version,
                ..Default::default()
            })
        })
        .collect()
}

/// Letters, digits, dots and dashes inside, as KIP-511 asks of names and versions.
fn is_plain(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn software_names_are_plain() {
        for good in ["librdkafka", "apache-kafka-java", "4.3.1", "v"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "-x", "x-", "a b", "a\n"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
