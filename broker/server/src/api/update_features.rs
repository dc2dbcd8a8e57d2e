//! UpdateFeatures (57): other levels for the cluster's features, all of them or none (KIP-584). The quorum's own comes
//! last, once the others are there.
//!
//! - v1: upgrade types instead of a yes or no to downgrades, and requests that only ask (KIP-778).
//! - v2: one error for all of them; the response lists no features any more (KIP-1022).

use ottla_coordination::controller::{ApiError, Command, FeatureUpdate, Response, UpgradeType};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::features::KRAFT_VERSION;
use ottla_protocol::messages::update_features::request::FeatureUpdateKey;
use ottla_protocol::messages::update_features::response::UpdatableFeatureResult;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::{Answer, Context};

/// First version with upgrade types.
const UPGRADE_TYPE_FROM: i16 = 1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: UpdateFeaturesRequest,
) -> Answer<UpdateFeaturesResponse> {
    let broker = context.broker.clone();
    let version = context.version;
    let updates = request.feature_updates.iter();
    let command = Command::UpdateFeatures {
        updates: updates.map(|update| wanted(update, version)).collect(),
        kraft_version: broker.controller.kraft_version(),
        validate_only: request.validate_only,
    };
    let quorums = request.feature_updates.iter();
    let mut quorums = quorums.filter(|update| update.feature.as_str() == KRAFT_VERSION);
    let kraft_version = quorums.next().map(|update| update.max_version_level);
    let kraft_version = kraft_version.filter(|_| !request.validate_only);
    Answer::later(async move {
        let mut outcome = match broker.controller.ask(&broker, command).await {
            Ok(Response::UpdateFeatures(outcome)) => outcome,
            other => Err(ApiError::from(
                other.err().unwrap_or(ErrorCode::UnknownServerError),
            )),
        };
        if let (Ok(()), Some(level)) = (&outcome, kraft_version) {
            let raised = tokio::task::spawn_blocking(move || {
                broker.controller.raise_kraft_version(&broker, level)
            });
            let raised = raised.await.unwrap_or(Err(ErrorCode::UnknownServerError));
            outcome = raised.map_err(ApiError::from);
        }
        match outcome {
            Ok(()) => UpdateFeaturesResponse {
                results: request.feature_updates.iter().map(updated).collect(),
                ..Default::default()
            },
            Err(error) => UpdateFeaturesResponse {
                error_code: error.code.code(),
                error_message: Some(message(&error).into()),
                ..Default::default()
            },
        }
    })
}

fn wanted(update: &FeatureUpdateKey, version: i16) -> FeatureUpdate {
    FeatureUpdate {
        name: update.feature.to_string(),
        level: update.max_version_level,
        upgrade_type: match version {
            UPGRADE_TYPE_FROM.. => UpgradeType::from_number(update.upgrade_type),
            _ if update.allow_downgrade => Some(UpgradeType::SafeDowngrade),
            _ => Some(UpgradeType::Upgrade),
        },
    }
}

fn updated(update: &FeatureUpdateKey) -> UpdatableFeatureResult {
    UpdatableFeatureResult {
        feature: update.feature.clone(),
        ..Default::default()
    }
}

fn message(error: &ApiError) -> String {
    let reason = error.message.as_deref().unwrap_or_default();
    match error.code {
        ErrorCode::InvalidUpdateVersion => format!(
            "The update failed for all features since the following feature had an error: {reason}"
        ),
        _ => reason.to_owned(),
    }
}
