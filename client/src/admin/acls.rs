//! Access control lists: describe, create, delete (KIP-140, KIP-290).
//!
//! An ACL is a pattern of resources and an entry for them. A filter is the same with gaps: what is `None`, `Any` or
//! [`PatternType::Match`] lets more than one ACL through.

use ottla_protocol::{
    messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
        api::{
            create_acls::request::AclCreation,
            delete_acls::{request::DeleteAclsFilter, response::DeleteAclsMatchingAcl},
            describe_acls::response::{AclDescription, DescribeAclsResource},
        },
    },
    wire::StrBytes,
};

use crate::error::{ApiError, ClientError, wire_text};

use super::{Admin, left_out};

/// Enums that are a number on the wire and a word in texts. What this build does not know keeps its number.
macro_rules! enums {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $number:literal $text:literal,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub enum $name {
                $($(#[$of])* $variant,)*
                Unknown(i8),
            }

            impl $name {
                /// All that are known.
                pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

                fn on_wire(self) -> i8 {
                    match self {
                        $(Self::$variant => $number,)*
                        Self::Unknown(number) => number,
                    }
                }

                fn of_wire(number: i8) -> Self {
                    match number {
                        $($number => Self::$variant,)*
                        other => Self::Unknown(other),
                    }
                }

                /// As the reference's tools print it.
                pub fn name(self) -> &'static str {
                    match self {
                        $(Self::$variant => $text,)*
                        Self::Unknown(_) => "UNKNOWN",
                    }
                }
            }
        )*
    };
}

enums! {
    /// What an ACL protects.
    AclResourceType {
        Any = 1 "ANY",
        Topic = 2 "TOPIC",
        Group = 3 "GROUP",
        Cluster = 4 "CLUSTER",
        TransactionalId = 5 "TRANSACTIONAL_ID",
        DelegationToken = 6 "DELEGATION_TOKEN",
        User = 7 "USER",
    }

    /// Which names a pattern means. ACLs have `Literal` or `Prefixed`, filters any of them.
    PatternType {
        Any = 1 "ANY",
        /// What affects the named resource: its own ACLs, those of its prefixes, and those of `*`.
        Match = 2 "MATCH",
        /// This name, or with `*` all names.
        Literal = 3 "LITERAL",
        Prefixed = 4 "PREFIXED",
    }

    /// What is allowed or denied.
    AclOperation {
        Any = 1 "ANY",
        All = 2 "ALL",
        Read = 3 "READ",
        Write = 4 "WRITE",
        Create = 5 "CREATE",
        Delete = 6 "DELETE",
        Alter = 7 "ALTER",
        Describe = 8 "DESCRIBE",
        ClusterAction = 9 "CLUSTER_ACTION",
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        AlterConfigs = 11 "ALTER_CONFIGS",
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        CreateTokens = 13 "CREATE_TOKENS",
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }

    AclPermission {
        Any = 1 "ANY",
        Deny = 2 "DENY",
        Allow = 3 "ALLOW",
    }
}

/// Resources of a type by their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourcePattern {
    pub kind: AclResourceType,
    pub name: String,
    pub pattern: PatternType,
}

/// Who may, or may not, do what, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclEntry {
    /// `User:alice`; `User:*` is everybody.
    pub principal: String,
    /// An address, or `*` for all of them.
    pub host: String,
    pub operation: AclOperation,
    pub permission: AclPermission,
}

/// An access control list of one entry, which is how they come and go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclBinding {
    pub resource: ResourcePattern,
    pub entry: AclEntry,
}

/// Lets patterns through; without a name those of all names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceFilter {
    pub kind: AclResourceType,
    pub name: Option<String>,
    pub pattern: PatternType,
}

/// Lets ACLs through; without an entry those of all entries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclFilter {
    pub resource: ResourceFilter,
    pub entry: Option<AclEntry>,
}

impl ResourceFilter {
    pub const ANY: Self = Self {
        kind: AclResourceType::Any,
        name: None,
        pattern: PatternType::Any,
    };
}

impl From<ResourcePattern> for ResourceFilter {
    fn from(resource: ResourcePattern) -> Self {
        Self {
            kind: resource.kind,
            name: Some(resource.name),
            pattern: resource.pattern,
        }
    }
}

/// The fields of a filter as both requests that have one take them.
struct FilterFields {
    name: Option<StrBytes>,
    principal: Option<StrBytes>,
    host: Option<StrBytes>,
    operation: i8,
    permission: i8,
}

impl AclFilter {
    fn fields(&self) -> Result<FilterFields, ClientError> {
        let name = self.resource.name.as_deref();
        let name = name.map(|name| wire_text("the resource's name", name));
        let name = name.transpose()?;
        Ok(match &self.entry {
            None => FilterFields {
                name,
                principal: None,
                host: None,
                operation: AclOperation::Any.on_wire(),
                permission: AclPermission::Any.on_wire(),
            },
            Some(entry) => FilterFields {
                name,
                principal: Some(wire_text("the principal", &entry.principal)?),
                host: Some(wire_text("the host", &entry.host)?),
                operation: entry.operation.on_wire(),
                permission: entry.permission.on_wire(),
            },
        })
    }
}

impl Admin {
    /// The ACLs that the filter lets through, sorted.
    pub async fn describe_acls(&self, filter: &AclFilter) -> Result<Vec<AclBinding>, ClientError> {
        let fields = filter.fields()?;
        let request = DescribeAclsRequest {
            resource_type_filter: filter.resource.kind.on_wire(),
            resource_name_filter: fields.name,
            pattern_type_filter: filter.resource.pattern.on_wire(),
            principal_filter: fields.principal,
            host_filter: fields.host,
            operation: fields.operation,
            permission_type: fields.permission,
            ..Default::default()
        };
        let response = self.ask_any(&request).await?;
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        let mut found: Vec<AclBinding> = response.resources.iter().flat_map(described).collect();
        found.sort();
        Ok(found)
    }

    /// What became of each, in the order of the ACLs.
    pub async fn create_acls(
        &self,
        acls: &[AclBinding],
    ) -> Result<Vec<Result<(), ApiError>>, ClientError> {
        let request = CreateAclsRequest {
            creations: acls.iter().map(creation).collect::<Result<_, _>>()?,
            ..Default::default()
        };
        let response = self.ask_any(&request).await?;
        let mut results = response.results.iter();
        let outcome = |_| match results.next() {
            Some(result) => ApiError::check(result.error_code, result.error_message.as_deref()),
            None => Err(left_out()),
        };
        Ok(acls.iter().map(outcome).collect())
    }

    /// Deletes what the filters let through; for each of them what was deleted, in their order.
    pub async fn delete_acls(
        &self,
        filters: &[AclFilter],
    ) -> Result<Vec<Result<Vec<AclBinding>, ApiError>>, ClientError> {
        let request = DeleteAclsRequest {
            filters: filters.iter().map(deletion).collect::<Result<_, _>>()?,
            ..Default::default()
        };
        let response = self.ask_any(&request).await?;
        let mut results = response.filter_results.iter();
        let outcome = |_| {
            let result = results.next().ok_or_else(left_out)?;
            ApiError::check(result.error_code, result.error_message.as_deref())?;
            result.matching_acls.iter().map(deleted).collect()
        };
        Ok(filters.iter().map(outcome).collect())
    }
}

fn described(resource: &DescribeAclsResource) -> impl Iterator<Item = AclBinding> {
    let pattern = ResourcePattern {
        kind: AclResourceType::of_wire(resource.resource_type),
        name: resource.resource_name.to_string(),
        pattern: PatternType::of_wire(resource.pattern_type),
    };
    let binding = move |acl: &AclDescription| AclBinding {
        resource: pattern.clone(),
        entry: AclEntry {
            principal: acl.principal.to_string(),
            host: acl.host.to_string(),
            operation: AclOperation::of_wire(acl.operation),
            permission: AclPermission::of_wire(acl.permission_type),
        },
    };
    resource.acls.iter().map(binding)
}

fn creation(acl: &AclBinding) -> Result<AclCreation, ClientError> {
    let AclBinding { resource, entry } = acl;
    Ok(AclCreation {
        resource_type: resource.kind.on_wire(),
        resource_name: wire_text("the resource's name", &resource.name)?,
        resource_pattern_type: resource.pattern.on_wire(),
        principal: wire_text("the principal", &entry.principal)?,
        host: wire_text("the host", &entry.host)?,
        operation: entry.operation.on_wire(),
        permission_type: entry.permission.on_wire(),
        ..Default::default()
    })
}

fn deletion(filter: &AclFilter) -> Result<DeleteAclsFilter, ClientError> {
    let fields = filter.fields()?;
    Ok(DeleteAclsFilter {
        resource_type_filter: filter.resource.kind.on_wire(),
        resource_name_filter: fields.name,
        pattern_type_filter: filter.resource.pattern.on_wire(),
        principal_filter: fields.principal,
        host_filter: fields.host,
        operation: fields.operation,
        permission_type: fields.permission,
        ..Default::default()
    })
}

fn deleted(acl: &DeleteAclsMatchingAcl) -> Result<AclBinding, ApiError> {
    ApiError::check(acl.error_code, acl.error_message.as_deref())?;
    Ok(AclBinding {
        resource: ResourcePattern {
            kind: AclResourceType::of_wire(acl.resource_type),
            name: acl.resource_name.to_string(),
            pattern: PatternType::of_wire(acl.pattern_type),
        },
        entry: AclEntry {
            principal: acl.principal.to_string(),
            host: acl.host.to_string(),
            operation: AclOperation::of_wire(acl.operation),
            permission: AclPermission::of_wire(acl.permission_type),
        },
    })
}
