//! Features of the cluster and their levels (KIP-584).

use std::time::Duration;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{UpdateFeaturesRequest, update_features::request::FeatureUpdateKey},
    types::BrokerId,
};

use crate::{
    cluster::Target,
    conn::PeerVersions,
    error::{ApiError, ClientError, wire_text},
};

use super::Admin;

/// A level that a feature is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    pub name: String,
    pub level: i16,
    pub way: UpgradeType,
}

/// Which way a feature's level may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    Upgrade,
    /// Not if that loses what is there.
    SafeDowngrade,
    UnsafeDowngrade,
}

impl UpgradeType {
    fn on_wire(self) -> i8 {
        match self {
            Self::Upgrade => 1,
            Self::SafeDowngrade => 2,
            Self::UnsafeDowngrade => 3,
        }
    }
}

impl Admin {
    /// Features of the cluster, as this node names them, or any.
    pub async fn describe_features(
        &self,
        node: Option<BrokerId>,
    ) -> Result<PeerVersions, ClientError> {
        let target = node.map_or(Target::Any, Target::Broker);
        let connection = self.cluster.connection_for(&target, &self.call()).await?;
        // The handshake's answer may be old by now; it is the newest this connection has.
        let timeout = self.timeout.max(Duration::from_millis(1));
        connection
            .ask_versions(timeout)
            .await
            .map_err(ClientError::from)
    }

    /// Changes the levels of features, or asks whether they could be; what became of each, in the order of the updates.
    pub async fn update_features(
        &self,
        updates: &[FeatureUpdate],
        validate_only: bool,
    ) -> Result<Vec<Result<(), ApiError>>, ClientError> {
        let update = |update: &FeatureUpdate| {
            Ok(FeatureUpdateKey {
                feature: wire_text("the feature's name", &update.name)?,
                max_version_level: update.level,
                allow_downgrade: false,
                upgrade_type: update.way.on_wire(),
                ..Default::default()
            })
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: self.broker_timeout_ms(),
            feature_updates: updates
                .iter()
                .map(update)
                .collect::<Result<_, ClientError>>()?,
            validate_only,
            ..Default::default()
        };
        // Version 0 knows neither the types of updates nor how to ask only.
        let call = self.call().versions(1..=i16::MAX);
        let response = self
            .cluster
            .call(
                &Target::Controller,
                &request,
                call,
                |response| match ErrorCode::from_code(response.error_code) {
                    ErrorCode::NotController => ErrorCode::NotController,
                    _ => ErrorCode::None,
                },
            )
            .await?;
        let all = ApiError::check(response.error_code, response.error_message.as_deref());
        let outcome = |update: &FeatureUpdate| {
            all.clone()?;
            let mut results = response.results.iter();
            match results.find(|result| *result.feature == *update.name) {
                Some(result) => ApiError::check(result.error_code, result.error_message.as_deref()),
                // From version 2 on there is one answer for all.
                None => Ok(()),
            }
        };
        Ok(updates.iter().map(outcome).collect())
    }
}
