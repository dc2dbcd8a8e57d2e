//! ACLs as text, in the reference's layout, and as data: docs/json/acls.md. Pure.

use ottla_client::admin::{AclBinding, AclEntry, ResourceFilter, ResourcePattern};
use serde_json::{Value, json};

use crate::output::{Report, Rows};

const VERSION: u32 = 1;

fn resource(resource: &ResourcePattern) -> String {
    let ResourcePattern {
        kind,
        name,
        pattern,
    } = resource;
    let (kind, pattern) = (kind.name(), pattern.name());
    format!("ResourcePattern(resourceType={kind}, name={name}, patternType={pattern})")
}

fn entry(entry: &AclEntry) -> String {
    format!(
        "(principal={}, host={}, operation={}, permissionType={})",
        entry.principal,
        entry.host,
        entry.operation.name(),
        entry.permission.name()
    )
}

/// A line for each entry, without a newline behind the last one.
fn lines<'a>(entries: impl Iterator<Item = &'a AclEntry>) -> String {
    let lines: Vec<String> = entries.map(|it| format!("\t{}", entry(it))).collect();
    lines.join("\n")
}

pub(super) fn existing(acls: &[AclBinding]) -> String {
    let line = |acl: &AclBinding| {
        let (resource, entry) = (resource(&acl.resource), entry(&acl.entry));
        format!("Acl (pattern={resource}, entry={entry}) already exists.\n")
    };
    acls.iter().map(line).collect()
}

/// ACLs of one resource.
pub(super) fn adding(acls: &[AclBinding]) -> String {
    let Some(first) = acls.first() else {
        return String::new();
    };
    let lines = lines(acls.iter().map(|acl| &acl.entry));
    // The spaces are the reference's.
    format!(
        "Adding ACLs for resource `{}`: \n {lines}\n\n",
        resource(&first.resource)
    )
}

/// Sorted ACLs, resource by resource.
pub(super) fn current(acls: &[AclBinding]) -> String {
    let blocks = acls.chunk_by(|a, b| a.resource == b.resource);
    let block = |acls: &[AclBinding]| {
        let lines = lines(acls.iter().map(|acl| &acl.entry));
        let head = acls.first().map(|acl| resource(&acl.resource));
        format!(
            "Current ACLs for resource `{}`:\n{lines}\n\n",
            head.unwrap_or_default()
        )
    };
    blocks.map(block).collect()
}

pub(super) fn question(filter: &ResourceFilter, entries: &[AclEntry]) -> String {
    let filter = resource(&ResourcePattern {
        kind: filter.kind,
        name: filter.name.clone().unwrap_or_else(|| "null".to_owned()),
        pattern: filter.pattern,
    });
    if entries.is_empty() {
        return format!(
            "Are you sure you want to delete all ACLs for resource filter `{filter}`? (y/n)"
        );
    }
    let lines = lines(entries.iter());
    format!(
        "Are you sure you want to remove ACLs: \n {lines}\n from resource filter `{filter}`? (y/n)"
    )
}

/// The parts of an ACL, in the order in which they are sorted.
const COLUMNS: &[&str] = &[
    "resourceType",
    "resource",
    "patternType",
    "principal",
    "host",
    "operation",
    "permission",
];

pub(super) fn listed(acls: &[AclBinding]) -> Report {
    Report {
        value: json!({ "version": VERSION, "acls": as_json(acls) }),
        rows: Rows {
            within: &["acls"],
            columns: COLUMNS,
        },
    }
}

pub(super) fn added(added: &[AclBinding], existing: &[AclBinding]) -> Report {
    Report {
        value: json!({
            "version": VERSION,
            "added": as_json(added),
            "existing": as_json(existing),
        }),
        rows: Rows {
            within: &["added|existing"],
            columns: COLUMNS,
        },
    }
}

pub(super) fn removed(removed: &[AclBinding]) -> Report {
    Report {
        value: json!({ "version": VERSION, "removed": as_json(removed) }),
        rows: Rows {
            within: &["removed"],
            columns: COLUMNS,
        },
    }
}

fn as_json(acls: &[AclBinding]) -> Vec<Value> {
    let acl = |acl: &AclBinding| {
        json!({
            "resourceType": acl.resource.kind.name(),
            "resource": acl.resource.name,
            "patternType": acl.resource.pattern.name(),
            "principal": acl.entry.principal,
            "host": acl.entry.host,
            "operation": acl.entry.operation.name(),
            "permission": acl.entry.permission.name(),
        })
    };
    acls.iter().map(acl).collect()
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::{AclOperation, AclPermission, AclResourceType, PatternType};

    use super::*;
    use crate::output::Form;

    fn acl(name: &str, principal: &str) -> AclBinding {
        AclBinding {
            resource: ResourcePattern {
                kind: AclResourceType::Topic,
                name: name.to_owned(),
                pattern: PatternType::Literal,
            },
            entry: AclEntry {
                principal: principal.to_owned(),
                host: "*".to_owned(),
                operation: AclOperation::Read,
                permission: AclPermission::Allow,
            },
        }
    }

    #[test]
    fn resources_have_a_block_each() {
        let acls = [acl("a", "User:x"), acl("a", "User:y"), acl("b", "User:x")];
        assert_eq!(
            current(&acls),
            "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=a, patternType=LITERAL)`:\n\
             \t(principal=User:x, host=*, operation=READ, permissionType=ALLOW)\n\
             \t(principal=User:y, host=*, operation=READ, permissionType=ALLOW)\n\n\
             Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=b, patternType=LITERAL)`:\n\
             \t(principal=User:x, host=*, operation=READ, permissionType=ALLOW)\n\n"
        );
        assert_eq!(current(&[]), "");
    }

    #[test]
    fn data_tells_every_part_of_an_acl() {
        let report = listed(&[acl("a", "User:x")]);
        assert_eq!(
            report.text(Form::Json),
            "{\"version\":1,\"acls\":[{\"resourceType\":\"TOPIC\",\"resource\":\"a\",\"patternType\":\"LITERAL\",\
             \"principal\":\"User:x\",\"host\":\"*\",\"operation\":\"READ\",\"permission\":\"ALLOW\"}]}\n"
        );
        assert_eq!(
            report.text(Form::Csv),
            "resourceType,resource,patternType,principal,host,operation,permission\n\
             TOPIC,a,LITERAL,User:x,*,READ,ALLOW\n"
        );
    }
}
