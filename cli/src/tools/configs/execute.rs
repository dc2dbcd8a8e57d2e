//! Carries a plan out and returns what there is to print.

use ottla_client::admin::{
    Admin, AlterOp, AlterResource, ConfigEntry, ConfigResource, DescribeDetail, ResourceType,
};

use super::plan::{Kind, Plan};
use super::render;
use crate::connect::{self, failed};
use crate::java_order;
use crate::stop::Failure;

pub(super) async fn execute(plan: &Plan, admin: &Admin) -> Result<String, Failure> {
    match plan {
        Plan::Describe { kind, name, all } => describe(*kind, name.as_deref(), *all, admin).await,
        Plan::Alter {
            kind,
            name,
            changes,
        } => alter(*kind, name, changes, admin).await,
    }
}

async fn describe(
    kind: Kind,
    name: Option<&str>,
    all: bool,
    admin: &Admin,
) -> Result<String, Failure> {
    let names = match name {
        Some(name) if !all && !exists(kind, name, admin).await? => {
            return Ok(render::missing(kind, name));
        }
        Some(name) => vec![name.to_owned()],
        None => names_of(kind, admin).await?,
    };
    let resources: Vec<ConfigResource> = names.iter().map(|name| kind.resource(name)).collect();
    let detail = DescribeDetail {
        synonyms: true,
        documentation: false,
    };
    let described = admin
        .describe_configs(&resources, None, detail)
        .await
        .map_err(failed("describeConfigs"))?;
    let mut text = String::new();
    for (resource, entries) in described {
        let entries: Vec<ConfigEntry> = entries.map_err(connect::refused)?;
        text.push_str(&render::block(kind, &resource.name, all, &entries));
    }
    Ok(text)
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
) -> Result<String, Failure> {
    if matches!(
        kind.resource,
        ResourceType::Broker | ResourceType::BrokerLogger
    ) {
        // Only the broker itself takes its configuration. The reference waits half a minute for one to appear.
        let brokers = names_of(kind, admin).await?;
        if !brokers.iter().any(|id| id == name) {
            let all = brokers
                .iter()
                .filter(|id| !id.is_empty())
                .map(String::as_str)
                .collect::<Vec<_>>();
            return Err(Failure::new(format!(
                "Timed out waiting for a node assignment. Call: incrementalAlterConfigs\n\
                 The cluster has no broker {name}, only {}.",
                all.join(", ")
            )));
        }
    }
    let change = AlterResource {
        resource: kind.resource(name),
        changes: changes.to_vec(),
    };
    let outcomes = admin
        .alter_configs(&[change], false)
        .await
        .map_err(failed("incrementalAlterConfigs"))?;
    for (_, outcome) in outcomes {
        outcome.map_err(connect::refused)?;
    }
    Ok(render::altered(kind, name))
}
