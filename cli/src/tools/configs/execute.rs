//! Carries a plan out and returns what there is to print.

use ottla_client::admin::{
    Admin, AlterOp, AlterResource, ConfigEntry, ConfigResource, DescribeDetail, Outcomes,
    QuotaEntityType, QuotaMatch, ResourceType,
};
use ottla_client::cluster::EndpointType;
use ottla_protocol::errors::ErrorCode;
use serde_json::Value;

use super::check::Entities;
use super::plan::{Kind, Plan};
use super::{json, quotas, render, scram};
use crate::connect::{self, failed, unkept};
use crate::java_order;
use crate::meant::meant;
use crate::nearest;
use crate::output::Format;
use crate::settling::until_altered;
use crate::stop::Failure;

const QUOTAS: &str = "quotas of users, clients or addresses";

const CREDENTIALS: &str = "SCRAM credentials of users";

/// What the reference prints before it asks anything.
pub(super) fn begin(plan: &Plan, format: Format, out: &mut String) {
    if let (Plan::Describe { kind, name, all }, Format::Table) = (plan, format)
        && let (Some(name), true) = (name, *all)
    {
        out.push_str(&render::head(*kind, name, *all));
    }
}

/// What there is to print goes to `out`, also where the plan fails half-way.
pub(super) async fn execute(
    plan: &Plan,
    entities: &Entities,
    format: Format,
    admin: &Admin,
    out: &mut String,
) -> Result<(), Failure> {
    match plan {
        Plan::Describe { kind, name, all } => {
            return match format {
                Format::Table => describe(*kind, name.as_deref(), *all, admin, out).await,
                Format::Data(form) => {
                    let found = described_entities(*kind, name.as_deref(), *all, admin).await?;
                    out.push_str(&json::described(found).text(form));
                    Ok(())
                }
            };
        }
        Plan::DescribeQuotas { components, users } => {
            return describe_quotas(components, users.as_deref(), format, admin, out).await;
        }
        Plan::Alter {
            kind,
            name,
            changes,
        } => alter(*kind, name, changes, admin).await?,
        Plan::AlterQuotas {
            components,
            entity,
            changes,
        } => {
            let present = admin.describe_client_quotas(components).await;
            let present = present.map_err(unkept("describeClientQuotas", QUOTAS))?;
            quotas::check_deleted(&present, changes)?;
            let altered = admin.alter_client_quotas(entity, changes).await;
            let altered = altered.map_err(unkept("alterClientQuotas", QUOTAS))?;
            altered.map_err(connect::refused)?;
        }
        Plan::AlterScram { user, changes } => {
            scram::check_passwords(changes)?;
            let altered = admin.alter_scram_credentials(user, changes).await;
            let altered = altered.map_err(unkept("alterUserScramCredentials", CREDENTIALS))?;
            altered.map_err(connect::refused)?;
        }
    }
    let [kind, name] = [&entities.types, &entities.names]
        .map(|words| words.first().map(String::as_str).unwrap_or_default());
    out.push_str(&match format {
        Format::Table => render::altered(kind, name),
        Format::Data(form) => json::altered(kind, name).text(form),
    });
    Ok(())
}

/// Quotas, and then the credentials of these users where they are wanted: of all, where none is named.
async fn describe_quotas(
    components: &[(QuotaEntityType, QuotaMatch)],
    users: Option<&[String]>,
    format: Format,
    admin: &Admin,
    out: &mut String,
) -> Result<(), Failure> {
    let found = admin.describe_client_quotas(components).await;
    let found = quotas::sorted(found.map_err(unkept("describeClientQuotas", QUOTAS))?);
    if format == Format::Table {
        out.push_str(&quotas::lines(&found));
    }
    let mut credentials = Outcomes::new();
    if let Some(users) = users {
        let users = Some(users).filter(|users| !users.is_empty());
        let found = admin.describe_scram_credentials(users).await;
        credentials = found.map_err(unkept("describeUserScramCredentials", CREDENTIALS))?;
    }
    out.push_str(&match format {
        Format::Table => scram::lines(&credentials),
        Format::Data(form) => json::quotas(&found, &credentials).text(form),
    });
    Ok(())
}

/// The same as data; an entity that is not there is none.
async fn described_entities(
    kind: Kind,
    name: Option<&str>,
    all: bool,
    admin: &Admin,
) -> Result<Vec<Value>, Failure> {
    let names = match name {
        Some(name) if !all && !exists(kind, name, admin).await? => return Ok(Vec::new()),
        Some(name) => vec![name.to_owned()],
        None => names_of(kind, admin).await?,
    };
    if is_of_broker(kind) {
        for name in &names {
            known_broker(name, "describeConfigs", admin)?;
        }
    }
    let mut found = Vec::new();
    for (resource, entries) in described(kind, &names, admin).await? {
        let entries = entries.map_err(connect::refused)?;
        let shown = render::shown(kind, &resource.name, all, &entries);
        found.push(json::entity(kind, &resource.name, &shown));
    }
    Ok(found)
}

async fn described(
    kind: Kind,
    names: &[String],
    admin: &Admin,
) -> Result<Outcomes<ConfigResource, Vec<ConfigEntry>>, Failure> {
    let resources: Vec<ConfigResource> = names.iter().map(|name| kind.resource(name)).collect();
    let detail = DescribeDetail {
        synonyms: true,
        documentation: false,
    };
    let described = admin.describe_configs(&resources, None, detail).await;
    described.map_err(failed("describeConfigs"))
}

async fn describe(
    kind: Kind,
    name: Option<&str>,
    all: bool,
    admin: &Admin,
    out: &mut String,
) -> Result<(), Failure> {
    let names = match name {
        Some(name) if !all && !exists(kind, name, admin).await? => {
            out.push_str(&render::missing(kind, name));
            return Ok(());
        }
        Some(name) => vec![name.to_owned()],
        None => names_of(kind, admin).await?,
    };
    if is_of_broker(kind) {
        for name in &names {
            if let Err(failure) = known_broker(name, "describeConfigs", admin) {
                out.push_str(&render::head(kind, name, all));
                return Err(failure);
            }
        }
    }
    let described = match described(kind, &names, admin).await {
        Ok(described) => described,
        Err(failure) => {
            let first = names.first().map(|name| render::head(kind, name, all));
            out.push_str(&first.unwrap_or_default());
            return Err(failure);
        }
    };
    for (resource, entries) in described {
        out.push_str(&render::head(kind, &resource.name, all));
        let entries = entries.map_err(connect::refused)?;
        out.push_str(&render::values(kind, &resource.name, all, &entries));
    }
    Ok(())
}

/// Whether there is such an entity. Asking for its configuration would not tell: a resource without configuration of
/// its own has the defaults.
async fn exists(kind: Kind, name: &str, admin: &Admin) -> Result<bool, Failure> {
    Ok(match kind.resource {
        ResourceType::Broker if name.is_empty() => true,
        ResourceType::Group => {
            let configured = names_of(kind, admin).await?;
            configured.iter().any(|present| present == name) || has_group(name, admin).await?
        }
        _ => names_of(kind, admin)
            .await?
            .iter()
            .any(|present| present == name),
    })
}

async fn has_group(name: &str, admin: &Admin) -> Result<bool, Failure> {
    let (groups, _) = admin
        .list_groups(&[], &[])
        .await
        .map_err(failed("listGroups"))?;
    Ok(groups.iter().any(|group| group.id == name))
}

/// All entities of the kind, in the order the reference shows them.
async fn names_of(kind: Kind, admin: &Admin) -> Result<Vec<String>, Failure> {
    match kind.resource {
        ResourceType::Topic => {
            let topics = admin.list_topics().await.map_err(failed("listTopics"))?;
            let mut names: Vec<String> = topics.into_iter().map(|topic| topic.name).collect();
            java_order::sort(&mut names, None, |name| name);
            Ok(names)
        }
        ResourceType::Broker | ResourceType::BrokerLogger => {
            let metadata = admin.cluster().metadata();
            let brokers = metadata.brokers().map(|broker| broker.id.0.to_string());
            Ok(brokers.chain([String::new()]).collect())
        }
        other => {
            let found = admin
                .list_config_resources(&[other])
                .await
                .map_err(failed("listConfigResources"))?;
            Ok(found.into_iter().map(|resource| resource.name).collect())
        }
    }
}

async fn alter(
    kind: Kind,
    name: &str,
    changes: &[(String, AlterOp)],
    admin: &Admin,
) -> Result<(), Failure> {
    let settings = admin.cluster().settings();
    let is_forwarded =
        settings.endpoint_type == EndpointType::Controller && kind.resource == ResourceType::Broker;
    if is_of_broker(kind) && !is_forwarded {
        known_broker(name, "incrementalAlterConfigs", admin)?;
    }
    let change = AlterResource {
        resource: kind.resource(name),
        changes: changes.to_vec(),
    };
    let altered = [change];
    let outcomes = admin
        .alter_configs(&altered, false)
        .await
        .map_err(failed("incrementalAlterConfigs"))?;
    for (_, outcome) in outcomes {
        let Err(error) = outcome else { continue };
        let is_unknown = error.code == ErrorCode::UnknownTopicOrPartition;
        let failure = with_meant_key(connect::refused(error), kind, changes);
        let hint = match is_unknown {
            true => nearest::topic(name, admin).await,
            false => None,
        };
        return Err(hint.into_iter().fold(failure, Failure::hint));
    }
    until_altered(&altered, admin).await;
    Ok(())
}

/// Who may be meant by what the plan has found not to be there, which is no failure.
pub(super) async fn meant_entity(plan: &Plan, printed: &str, admin: &Admin) -> Option<String> {
    let Plan::Describe { kind, name, .. } = plan else {
        return None;
    };
    let name = name.as_deref()?;
    if printed != render::missing(*kind, name) {
        return None;
    }
    match kind.resource {
        ResourceType::Topic => nearest::topic(name, admin).await,
        ResourceType::Group => nearest::group(name, admin).await,
        _ => None,
    }
}

/// Says which key may have been meant by one that is not known here.
fn with_meant_key(failure: Failure, kind: Kind, changes: &[(String, AlterOp)]) -> Failure {
    let table = match kind.resource {
        ResourceType::Topic => &ottla_config::topic::TABLE,
        ResourceType::Broker => &ottla_config::broker::TABLE,
        ResourceType::Group => &ottla_config::group::TABLE,
        _ => return failure,
    };
    let keys = changes.iter().map(|(key, _)| key.as_str());
    let mut unknown = keys.filter(|key| table.lookup(key).is_none());
    let known = || table.iter().map(|definition| definition.key);
    match unknown.find_map(|key| meant(key, known())) {
        Some(key) => failure.hint(format!("Did you mean {key}?")),
        None => failure,
    }
}

fn is_of_broker(kind: Kind) -> bool {
    matches!(
        kind.resource,
        ResourceType::Broker | ResourceType::BrokerLogger
    )
}

/// Only a broker itself knows and takes its configuration. The reference waits half a minute for it to appear.
fn known_broker(name: &str, call: &str, admin: &Admin) -> Result<(), Failure> {
    let metadata = admin.cluster().metadata();
    let ids: Vec<String> = metadata
        .brokers()
        .map(|broker| broker.id.0.to_string())
        .collect();
    if name.is_empty() || ids.iter().any(|id| id == name) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "Timed out waiting for a node assignment. Call: {call}"
    ))
    .hint(format!(
        "The cluster has no broker {name}, only {}.",
        ids.join(", ")
    )))
}
