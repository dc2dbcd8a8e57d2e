//! What a node tells the controller when it starts: on an empty log the first records of a cluster, then each time who
//! it is, where it listens, and that it is ready.
//!
//! The first records are those that the reference's `kafka-storage format` leads to, so that its tools and nodes find
//! in the log what they expect.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use ottla_coordination::controller::{
    AlterConfigsResource, Command, ConfigChange, ConfigOperation, ConfigResourceType, Response,
};
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::broker_registration::request::{Feature, Listener};
use ottla_protocol::types::BrokerId;

use super::bootstrap;
use super::features::FEATURES;
use crate::broker::Broker;
use crate::data_dirs::random_id;
use ottla_protocol::features::METADATA_VERSION;

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const PLAINTEXT: i16 = 0;

/// Brings the node into the cluster of itself. Afterwards the image is published and everything of it durable.
pub(crate) fn register(broker: &Broker, listeners: &[(String, SocketAddr)]) -> anyhow::Result<()> {
    let controller = &broker.controller;
    let mut answers = Vec::new();
    if !controller.has_feature(METADATA_VERSION) {
        for command in first_commands(broker)? {
            answers.push(controller.submit(command).0);
        }
    }
    let broker_epoch = controller.log_end().context("the metadata log is closed")?;
    let broker_id = broker.settings.node_id;
    let request = registration(broker, listeners);
    for command in [
        Command::RegisterBroker {
            request,
            broker_epoch,
        },
        Command::UnfenceBroker {
            broker_id,
            broker_epoch,
        },
    ] {
        answers.push(controller.submit(command).0);
    }
    controller.flush(broker);
    for mut answer in answers {
        let response = answer.try_recv().context("the metadata log failed")?;
        check(response.context("the metadata log failed")?)?;
    }
    Ok(())
}

fn check(response: Response) -> anyhow::Result<()> {
    let verdict = match response {
        Response::SetFeature(verdict) | Response::UnfenceBroker(verdict) => verdict,
        Response::RegisterBroker(epoch) => epoch.map(drop),
        Response::AlterConfigs(verdicts) => verdicts.into_iter().collect(),
        other => bail!("the controller answered {other:?}"),
    };
    verdict.map_err(|error| anyhow::anyhow!("the controller refused to start: {error}"))
}

fn first_commands(broker: &Broker) -> anyhow::Result<Vec<Command>> {
    let dir = broker.storage.dirs.metadata_dir();
    let mut levels = bootstrap::levels(&*dir.disk, &dir.path)?;
    if levels.is_empty() {
        let own = FEATURES.iter();
        levels = own
            .map(|feature| (feature.name.to_owned(), feature.first_level))
            .collect();
    }
    let features = levels
        .into_iter()
        .map(|(name, level)| Command::SetFeature { name, level });
    // With eligible leader replicas one value for all brokers is what counts, so it begins as what is configured.
    let min_insync = broker.config.load().settings().number(MIN_INSYNC_REPLICAS);
    let change = ConfigChange {
        name: MIN_INSYNC_REPLICAS.into(),
        operation: ConfigOperation::Set,
        value: Some(min_insync.to_string().into()),
    };
    let defaults = AlterConfigsResource {
        resource_type: ConfigResourceType::Broker.number(),
        resource_name: "".into(),
        changes: vec![change],
    };
    let configs = Command::IncrementalAlterConfigs {
        resources: vec![defaults],
        validate_only: false,
    };
    Ok(features.chain([configs]).collect())
}

fn registration(broker: &Broker, bound: &[(String, SocketAddr)]) -> BrokerRegistrationRequest {
    let listener = |name: &str, host: String, port: u16| Listener {
        name: name.into(),
        host: host.into(),
        port,
        security_protocol: PLAINTEXT,
        ..Default::default()
    };
    let advertised = &broker.settings.advertised;
    let listeners = bound.iter().map(|(name, address)| {
        match advertised.iter().find(|endpoint| endpoint.name == *name) {
            Some(endpoint) => listener(name, endpoint.host.clone(), endpoint.port),
            None => listener(
                name,
                address.ip().to_canonical().to_string(),
                address.port(),
            ),
        }
    });
    let offered = FEATURES.iter().filter(|feature| feature.is_offered);
    let features = offered.map(|feature| Feature {
        name: feature.name.into(),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
        ..Default::default()
    });
    let BrokerId(broker_id) = broker.settings.node_id;
    BrokerRegistrationRequest {
        broker_id,
        cluster_id: broker.identity.cluster_id.as_str().into(),
        incarnation_id: random_id(),
        listeners: listeners.collect(),
        features: features.collect(),
        rack: broker.settings.rack.as_deref().map(Into::into),
        log_dirs: broker.storage.dirs.online_ids(),
        ..Default::default()
    }
}
