//! Operations: their names, and to which resources they can be done. Pure.

use ottla_client::admin::{AclOperation, AclResourceType};

use super::plan::Resources;
use super::{Ended, refuse};
use crate::meant::meant;

/// The operation of a name such as `ClusterAction`, in any case; others are refused with those of their resource.
pub(super) fn named(given: &str) -> AclOperation {
    let given = given.trim();
    let mut known = AclOperation::ALL.iter().copied();
    let found = known.find(|operation| letters(operation.name()).eq_ignore_ascii_case(given));
    found.unwrap_or(AclOperation::Unknown(0))
}

fn letters(name: &str) -> String {
    name.replace('_', "")
}

/// Whether they can be done to their resources. `given` is how they were written.
pub(super) fn check(resources: &Resources, given: &[String]) -> Result<(), Ended> {
    for (filter, entries) in resources {
        let supported = supported(filter.kind);
        if entries
            .iter()
            .any(|entry| !supported.contains(&entry.operation))
        {
            let names: Vec<&str> = supported.iter().map(|operation| operation.name()).collect();
            let mut message = format!(
                "ResourceType {} only supports operations [{}]",
                filter.kind.name(),
                names.join(", ")
            );
            if let Some(meant) = given.iter().find_map(|given| nearest(given, supported)) {
                message.push_str(&format!("\nDid you mean {meant}?"));
            }
            return Ok(refuse(&message)?);
        }
    }
    Ok(())
}

/// Of a name that is none, the nearest that is one, as the help writes it.
fn nearest(given: &str, supported: &[AclOperation]) -> Option<String> {
    let given = given.trim();
    if !matches!(named(given), AclOperation::Unknown(_)) {
        return None;
    }
    let known: Vec<(String, String)> = supported
        .iter()
        .map(|operation| operation.name())
        .map(|name| (letters(name).to_lowercase(), words(name)))
        .collect();
    let written = letters(given).to_lowercase();
    let nearest = meant(&written, known.iter().map(|(letters, _)| letters.as_str()))?;
    let found = known.iter().find(|(letters, _)| letters == nearest);
    found.map(|(_, words)| words.clone())
}

/// `DESCRIBE_CONFIGS` as `DescribeConfigs`.
fn words(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{first}{}", rest.to_lowercase())
    };
    name.split('_').map(word).collect()
}

/// What can be done to such a resource.
fn supported(kind: AclResourceType) -> &'static [AclOperation] {
    use AclOperation::*;
    match kind {
        AclResourceType::Topic => &[
            All,
            Read,
            Write,
            Create,
            Delete,
            Alter,
            Describe,
            DescribeConfigs,
            AlterConfigs,
        ],
        AclResourceType::Group => &[All, Read, Delete, Describe, DescribeConfigs, AlterConfigs],
        AclResourceType::Cluster => &[
            All,
            Create,
            Alter,
            Describe,
            ClusterAction,
            DescribeConfigs,
            AlterConfigs,
            IdempotentWrite,
        ],
        AclResourceType::TransactionalId => &[All, Write, Describe, TwoPhaseCommit],
        AclResourceType::DelegationToken => &[All, Describe],
        AclResourceType::User => &[All, CreateTokens, DescribeTokens],
        AclResourceType::Any | AclResourceType::Unknown(_) => &[All],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_answered_with_the_nearest_that_the_resource_knows() {
        let topic = supported(AclResourceType::Topic);
        for (given, meant) in [
            ("Raed", Some("Read")),
            ("describe_configs", Some("DescribeConfigs")),
            ("AlterConfig", Some("AlterConfigs")),
            ("Fly", None),
            // There is one, and not for topics.
            ("ClusterAction", None),
        ] {
            assert_eq!(nearest(given, topic).as_deref(), meant, "{given}");
        }
    }
}
