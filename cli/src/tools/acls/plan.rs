//! From options to what shall be done. Pure.
//!
//! Always: resources and their entries are sets, sorted.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::{
    AclEntry, AclOperation, AclPermission, AclResourceType, PatternType, ResourceFilter,
    ResourcePattern,
};

use super::thrown::Thrown;
use super::{Args, Ended, operations, refuse};
use crate::java_order;
use crate::jopt::{self, OptionError};
use crate::meant::meant;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    Add(Vec<(ResourcePattern, Vec<AclEntry>)>),
    /// Without entries, all of the resource.
    Remove(Vec<(ResourceFilter, Vec<AclEntry>)>),
    List {
        /// None: all.
        filters: Vec<ResourceFilter>,
        /// In the order in which the reference tells of them; none: all.
        principals: Vec<String>,
    },
}

impl Plan {
    /// The reference's name of the first thing it asks the cluster, for messages.
    pub(super) fn first_call(&self) -> &'static str {
        match self {
            Self::Add(_) | Self::List { .. } => "describeAcls",
            Self::Remove(_) => "deleteAcls",
        }
    }

    pub(super) fn removes_all(&self) -> bool {
        matches!(self, Self::Remove(resources) if resources.iter().any(|(_, entries)| entries.is_empty()))
    }
}

/// The name of the only resource of type cluster.
const CLUSTER: &str = "kafka-cluster";

pub(super) type Resources = BTreeMap<ResourceFilter, BTreeSet<AclEntry>>;

pub(super) fn plan(args: &Args) -> Result<Plan, Ended> {
    let pattern = pattern_type(args)?;
    if args.list {
        let principals = principals(&args.principal)?;
        let mut principals: Vec<(u32, String)> = principals.into_iter().collect();
        java_order::sort_by_hash(&mut principals, None, |(hash, _)| *hash);
        return Ok(Plan::List {
            filters: filters(args, pattern).into_iter().collect(),
            principals: principals.into_iter().map(|(_, name)| name).collect(),
        });
    }
    if args.add && !matches!(pattern, PatternType::Literal | PatternType::Prefixed) {
        return Ok(refuse(&format!(
            "A '--resource-pattern-type' value of '{}' is not valid when adding acls.",
            pattern.name()
        ))?);
    }
    let resources = resources(args, pattern)?;
    operations::check(&resources, &args.operation)?;
    let listed = resources
        .into_iter()
        .map(|(filter, entries)| (filter, Vec::from_iter(entries)));
    if args.remove {
        return Ok(Plan::Remove(listed.collect()));
    }
    let listed: Vec<(ResourcePattern, Vec<AclEntry>)> = listed
        .map(|(filter, entries)| (named(filter), entries))
        .collect();
    if listed.iter().any(|(_, entries)| entries.is_empty()) {
        return Ok(refuse(
            "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs.",
        )?);
    }
    Ok(Plan::Add(listed))
}

fn named(filter: ResourceFilter) -> ResourcePattern {
    ResourcePattern {
        kind: filter.kind,
        name: filter.name.unwrap_or_default(),
        pattern: filter.pattern,
    }
}

fn pattern_type(args: &Args) -> Result<PatternType, Thrown> {
    let Some(given) = jopt::one("resource-pattern-type", &args.resource_pattern_type)? else {
        return Ok(PatternType::Literal);
    };
    let mut known = PatternType::ALL.iter().copied();
    let found = known.find(|pattern| pattern.name().eq_ignore_ascii_case(given));
    found.ok_or_else(|| {
        let thrown = Thrown::from(OptionError::NotANumber {
            name: "resource-pattern-type".to_owned(),
            value: given.to_owned(),
            reason: "there are literal, prefixed, any and match",
        });
        let known = ["literal", "prefixed", "any", "match"];
        match meant(&given.to_lowercase(), known) {
            Some(meant) => thrown.hint(format!("Did you mean {meant}?")),
            None => thrown,
        }
    })
}

/// What the options name, as filters.
fn filters(args: &Args, pattern: PatternType) -> BTreeSet<ResourceFilter> {
    use AclResourceType::{DelegationToken, Group, Topic, TransactionalId, User};
    let trimmed = |kind, names: &[String]| -> Vec<ResourceFilter> {
        let filter = |name: &String| filter(kind, name.trim(), pattern);
        names.iter().map(filter).collect()
    };
    let mut filters: BTreeSet<ResourceFilter> = BTreeSet::new();
    filters.extend(trimmed(Topic, &args.topic));
    filters.extend(trimmed(Group, &args.group));
    filters.extend(trimmed(DelegationToken, &args.delegation_token));
    filters.extend(trimmed(User, &args.user_principal));
    // A transactional id may begin or end with spaces.
    let ids = args.transactional_id.iter();
    filters.extend(ids.map(|id| filter(TransactionalId, id, pattern)));
    if pattern == PatternType::Literal && (args.cluster || args.idempotent) {
        filters.insert(cluster());
    }
    filters
}

fn filter(kind: AclResourceType, name: &str, pattern: PatternType) -> ResourceFilter {
    ResourceFilter {
        kind,
        name: Some(name.to_owned()),
        pattern,
    }
}

fn cluster() -> ResourceFilter {
    filter(AclResourceType::Cluster, CLUSTER, PatternType::Literal)
}

/// What the options name, with the entries that they make.
fn resources(args: &Args, pattern: PatternType) -> Result<Resources, Ended> {
    use AclOperation::{Create, Describe, IdempotentWrite, Read, Write};
    let plain = !args.producer && !args.consumer;
    let given: Vec<AclOperation> = match args.operation.as_slice() {
        [] => vec![AclOperation::All],
        names => names.iter().map(|name| operations::named(name)).collect(),
    };
    let given = if plain {
        entries(args, &given)?
    } else {
        BTreeSet::new()
    };
    let filters = filters(args, pattern);
    if filters.is_empty() {
        return Ok(refuse(
            "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or \
             --delegation-token <Delegation Token ID>",
        )?);
    }
    let mut resources = Resources::new();
    if plain {
        resources.extend(filters.iter().map(|filter| (filter.clone(), given.clone())));
    }
    let mut grant = |kind, operations: &[AclOperation]| -> Result<(), Ended> {
        for filter in filters.iter().filter(|filter| filter.kind == kind) {
            let entries = entries(args, operations)?;
            resources.entry(filter.clone()).or_default().extend(entries);
        }
        Ok(())
    };
    if args.producer {
        grant(AclResourceType::Topic, &[Write, Describe, Create])?;
        grant(AclResourceType::TransactionalId, &[Write, Describe])?;
    }
    if args.consumer {
        grant(AclResourceType::Topic, &[Read, Describe])?;
        grant(AclResourceType::Group, &[Read])?;
    }
    if args.producer && args.idempotent {
        resources.insert(cluster(), entries(args, &[IdempotentWrite])?);
    }
    Ok(resources)
}

/// An entry for each principal, operation and host.
fn entries(args: &Args, operations: &[AclOperation]) -> Result<BTreeSet<AclEntry>, Thrown> {
    let allowed = principals(&args.allow_principal)?;
    let denied = principals(&args.deny_principal)?;
    let mut entries = BTreeSet::new();
    for (principals, hosts, permission) in [
        (allowed, hosts(&args.allow_host), AclPermission::Allow),
        (denied, hosts(&args.deny_host), AclPermission::Deny),
    ] {
        if !principals.is_empty() && operations.contains(&AclOperation::Any) {
            return Err(Thrown::argument("operation must not be ANY"));
        }
        for (_, principal) in &principals {
            for operation in operations {
                entries.extend(hosts.iter().map(|host| AclEntry {
                    principal: principal.clone(),
                    host: host.clone(),
                    operation: *operation,
                    permission,
                }));
            }
        }
    }
    Ok(entries)
}

fn hosts(given: &[String]) -> Vec<String> {
    match given {
        [] => vec!["*".to_owned()],
        hosts => hosts.iter().map(|host| host.trim().to_owned()).collect(),
    }
}

/// `Type:name`, with the hash that the reference has for it.
fn principals(given: &[String]) -> Result<BTreeSet<(u32, String)>, Thrown> {
    let parse = |given: &String| {
        let given = given.trim();
        let Some((kind, name)) = given.split_once(':') else {
            let thrown = Thrown::argument(format!(
                "expected a string in format principalType:principalName but got {given}"
            ));
            return Err(thrown.hint(format!("Did you mean {USER}:{given}?")));
        };
        let hash = java_order::hash(kind).wrapping_mul(31);
        Ok((hash.wrapping_add(java_order::hash(name)), given.to_owned()))
    };
    given.iter().map(parse).collect()
}

/// The type of all principals that brokers make by themselves.
const USER: &str = "User";

/// The principals that will never match, and what was probably meant instead. Classes of others may have other types.
pub(super) fn odd_principals(args: &Args) -> Vec<(&str, String)> {
    let given = [&args.allow_principal, &args.deny_principal, &args.principal];
    let odd = |given: &str| {
        let (kind, name) = given.split_once(':')?;
        let is_near = meant(&kind.to_lowercase(), ["user"]).is_some();
        (kind != USER && is_near).then(|| format!("{USER}:{name}"))
    };
    let principals = given.into_iter().flatten().map(|given| given.trim());
    principals
        .filter_map(|given| Some((given, odd(given)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::Stop;

    fn planned(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options");
        plan(&args).map_err(|ended| match ended {
            Ended::Stop(Stop::Usage(message)) => message,
            Ended::Stop(stop) => format!("{stop:?}"),
            Ended::Thrown(thrown) => format!("{thrown:?}"),
        })
    }

    /// `TOPIC:t WRITE,READ`, one for each resource.
    fn added(line: &str) -> Vec<String> {
        let Plan::Add(resources) = planned(line).expect("a plan") else {
            panic!("{line}")
        };
        let told = |(resource, entries): &(ResourcePattern, Vec<AclEntry>)| {
            let operations: Vec<&str> = entries.iter().map(|it| it.operation.name()).collect();
            format!(
                "{}:{} {}",
                resource.kind.name(),
                resource.name,
                operations.join(",")
            )
        };
        resources.iter().map(told).collect()
    }

    #[test]
    fn producers_and_consumers_get_what_they_need() {
        assert_eq!(
            added(
                "--add --allow-principal User:p --producer --idempotent --topic t --transactional-id x"
            ),
            [
                "TOPIC:t WRITE,CREATE,DESCRIBE",
                "CLUSTER:kafka-cluster IDEMPOTENT_WRITE",
                "TRANSACTIONAL_ID:x WRITE,DESCRIBE",
            ]
        );
        assert_eq!(
            added(
                "--add --allow-principal User:c --producer --consumer --topic t --group g --cluster"
            ),
            ["TOPIC:t READ,WRITE,CREATE,DESCRIBE", "GROUP:g READ"]
        );
    }

    #[test]
    fn entries_are_all_combinations_of_what_is_given() {
        let line = "--add --allow-principal User:a --allow-principal User:b --allow-host h1 --allow-host h2 \
                    --operation ClusterAction --operation CLUSTERACTION --deny-principal User:c --cluster";
        let Ok(Plan::Add(resources)) = planned(line) else {
            panic!("{line}")
        };
        let entries = &resources[0].1;
        assert_eq!(entries.len(), 2 * 2 + 1);
        assert!(
            entries
                .iter()
                .all(|entry| entry.operation == AclOperation::ClusterAction)
        );
        let denied = entries.last().expect("entries");
        assert_eq!(
            (&*denied.principal, &*denied.host, denied.permission),
            ("User:c", "*", AclPermission::Deny)
        );
    }

    #[test]
    fn what_is_removed_may_be_all_of_a_resource() {
        let all = planned("--remove --topic t --operation Read").expect("a plan");
        assert!(all.removes_all());
        let one = planned("--remove --topic t --operation Read --allow-principal User:a")
            .expect("a plan");
        assert!(!one.removes_all());
        let matching = planned("--remove --topic t --resource-pattern-type MaTcH").expect("a plan");
        let Plan::Remove(resources) = matching else {
            panic!()
        };
        assert_eq!(resources[0].0.pattern, PatternType::Match);
    }

    #[test]
    fn what_cannot_be_is_refused_in_the_references_words() {
        for (line, message) in [
            ("--add", "You must provide at least one resource"),
            (
                "--add --topic t",
                "You must specify one of: --allow-principal",
            ),
            (
                "--add --cluster --resource-pattern-type prefixed --allow-principal User:a",
                "You must provide at least one resource",
            ),
            (
                "--add --topic t --allow-principal User:a --resource-pattern-type any",
                "A '--resource-pattern-type' value of 'ANY' is not valid",
            ),
            (
                "--add --topic t --allow-principal User:a --operation Fly",
                "ResourceType TOPIC only supports operations [ALL, READ",
            ),
            (
                "--add --topic t --allow-principal User:a --operation Any",
                "Thrown { class: \"java.lang.IllegalArgumentException\", message: \"operation must not be ANY\"",
            ),
            (
                "--add --topic t --allow-principal alice",
                "Thrown { class: \"java.lang.IllegalArgumentException\", message: \"expected a string in format principalType:principalName but got alice\"",
            ),
            (
                "--list --resource-pattern-type nope",
                "Thrown { class: \"joptsimple.OptionArgumentConversionException\", message: \"Cannot parse argument 'nope' of option resource-pattern-type\"",
            ),
        ] {
            let told = planned(line).expect_err(line);
            assert!(told.starts_with(message), "{line}: {told}");
        }
    }

    #[test]
    fn principals_of_nearly_the_type_that_there_is_are_told() {
        let line = "--add --topic t --allow-principal user:a --allow-principal User:b --deny-principal Uer:c \
                    --deny-principal Robot:d";
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options");
        let odd = [
            ("user:a", "User:a".to_owned()),
            ("Uer:c", "User:c".to_owned()),
        ];
        assert_eq!(odd_principals(&args), odd);
    }
}
