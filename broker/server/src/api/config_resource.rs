//! What the APIs about configurations share: resources as clients name them, and the checks that come before the
//! controller's, of changes to this broker itself.

use std::collections::{BTreeMap, BTreeSet};

use ottla_config::ConfigError;
use ottla_config::broker::TABLE;
use ottla_config::resolve::alter::{self, Change, Operation};
use ottla_coordination::controller::{
    AlterConfigsResource, ApiError, Command, ConfigChange, ConfigOperation, ConfigResourceType,
    Response,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::StrBytes;

use crate::broker::Broker;
use crate::exec::config_rules::invalid;
use crate::loggers;

/// Loggers are a resource of clients only: their levels are not in the metadata log.
pub(super) const BROKER_LOGGER: i8 = 8;

pub(super) fn refuse(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

pub(super) fn parse_broker_id(name: &str) -> Result<BrokerId, ApiError> {
    let id = name.parse().map(BrokerId);
    id.map_err(|_| refuse(format!("Broker id must be an integer, but it is: {name}")))
}

/// Whether the changes add to what is set, or replace all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Incremental,
    Replacing,
}

/// One resource of a request before it is known to make sense.
pub(super) struct Asked {
    pub(super) resource_type: i8,
    pub(super) resource_name: StrBytes,
    /// Key, number of the operation, value.
    pub(super) changes: Vec<(StrBytes, i8, Option<StrBytes>)>,
}

/// Checks each resource, changes those that pass, or has the controller do it, and gives one verdict for each.
pub(super) async fn alter(
    broker: &std::sync::Arc<Broker>,
    asked: Vec<Asked>,
    style: Style,
    validate_only: bool,
) -> Vec<Result<(), ApiError>> {
    let mut verdicts = check_all(broker, &asked, style);
    let (mut open, mut resources) = (Vec::new(), Vec::new());
    let passed = asked.into_iter().zip(&mut verdicts);
    for (asked, verdict) in passed.filter(|(_, verdict)| verdict.is_ok()) {
        if asked.resource_type != BROKER_LOGGER {
            open.push(verdict);
            resources.push(resource(asked));
        } else if let (false, Ok(changes)) = (validate_only, changes(&asked)) {
            broker.loggers.change(&changes);
        }
    }
    if resources.is_empty() {
        return verdicts;
    }
    let command = match style {
        Style::Incremental => Command::IncrementalAlterConfigs {
            resources,
            validate_only,
        },
        Style::Replacing => Command::AlterConfigs {
            resources,
            validate_only,
        },
    };
    match broker.controller.ask(broker, command).await {
        Ok(Response::AlterConfigs(decided)) => {
            for (verdict, decided) in open.into_iter().zip(decided) {
                *verdict = decided;
            }
        }
        other => {
            let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
            open.into_iter()
                .for_each(|verdict| *verdict = Err(error.into()));
        }
    }
    verdicts
}

fn resource(asked: Asked) -> AlterConfigsResource {
    let change = |(name, operation, value)| ConfigChange {
        name,
        // Checked before.
        operation: ConfigOperation::from_number(operation).unwrap_or(ConfigOperation::Set),
        value,
    };
    AlterConfigsResource {
        resource_type: asked.resource_type,
        resource_name: asked.resource_name,
        changes: asked.changes.into_iter().map(change).collect(),
    }
}

fn check_all(broker: &Broker, asked: &[Asked], style: Style) -> Vec<Result<(), ApiError>> {
    let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    for resource in asked {
        let key = (resource.resource_type, resource.resource_name.as_str());
        *counts.entry(key).or_default() += 1;
    }
    let check = |resource: &Asked| {
        let key = (resource.resource_type, resource.resource_name.as_str());
        if counts.get(&key).is_some_and(|count| *count > 1) {
            return Err(refuse("Each resource must appear at most once.".to_owned()));
        }
        check(broker, resource, style)
    };
    asked.iter().map(check).collect()
}

/// The changes, of each key one, and each with what it needs.
fn changes(asked: &Asked) -> Result<Vec<Change>, ApiError> {
    let keys: BTreeSet<&str> = asked
        .changes
        .iter()
        .map(|(key, _, _)| key.as_str())
        .collect();
    if keys.len() < asked.changes.len() {
        return Err(refuse(ConfigError::DuplicateKeys.to_string()));
    }
    let mut changes = Vec::new();
    let mut without_value: Vec<&str> = Vec::new();
    for (key, operation, value) in &asked.changes {
        let operation = Operation::from_wire_id(*operation)
            .ok_or_else(|| refuse(format!("Unknown operations type {operation}")))?;
        if operation != Operation::Delete && value.is_none() {
            without_value.push(key);
        }
        changes.push(Change {
            key: key.to_string(),
            operation,
            value: value.as_ref().map(ToString::to_string),
        });
    }
    if !without_value.is_empty() {
        let keys = without_value.join(", ");
        return Err(refuse(ConfigError::NullValue { keys }.to_string()));
    }
    Ok(changes)
}

fn check(broker: &Broker, asked: &Asked, style: Style) -> Result<(), ApiError> {
    let changes = changes(asked)?;
    if asked.resource_type == BROKER_LOGGER && style == Style::Incremental {
        let name = asked.resource_name.as_str();
        let expected =
            |node_id| format!("Unexpected node id. Expected {node_id}, but received {name}");
        check_node(broker, name, expected)?;
        return changes.iter().try_for_each(loggers::check);
    }
    match ConfigResourceType::from_number(asked.resource_type) {
        Some(ConfigResourceType::Broker) => check_broker(broker, asked, &changes, style),
        Some(_) => Ok(()),
        None => Err(refuse(format!(
            "Unknown resource type {}",
            asked.resource_type
        ))),
    }
}

/// Whether the name is that of this node; where it is another's, `unexpected` tells it.
fn check_node(
    broker: &Broker,
    name: &str,
    unexpected: impl Fn(BrokerId) -> String,
) -> Result<(), ApiError> {
    let id: i32 = name
        .parse()
        .map_err(|_| refuse(format!("Node id must be an integer, but it is: {name}")))?;
    match broker.settings.node_id {
        node_id if node_id == BrokerId(id) => Ok(()),
        node_id => Err(refuse(unexpected(node_id))),
    }
}

/// Whether this broker, or all of them, could go on with the changes.
fn check_broker(
    broker: &Broker,
    asked: &Asked,
    changes: &[Change],
    style: Style,
) -> Result<(), ApiError> {
    let name = asked.resource_name.as_str();
    if !name.is_empty() {
        let expected =
            |node_id| format!("Unexpected broker id, expected {node_id}, but received {name}");
        check_node(broker, name, expected)?;
    }
    let image = broker.image.load();
    let nothing = BTreeMap::new();
    let current = match style {
        Style::Incremental => image.configs().of(ConfigResourceType::Broker, name),
        Style::Replacing => &nothing,
    };
    let texts = alter::apply(&TABLE, current, changes).map_err(|error| invalid(&error))?;
    let checked = broker.config.load().check_broker(&texts, name.is_empty());
    checked.map(drop).map_err(|error| refuse(error.to_string()))
}
