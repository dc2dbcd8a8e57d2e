//! Quotas of users, clients and addresses: describe, change (KIP-546, KIP-612).

use ottla_protocol::{
    messages::{
        AlterClientQuotasRequest, DescribeClientQuotasRequest,
        api::{
            alter_client_quotas::request::{EntityData, EntryData, OpData},
            describe_client_quotas::{
                request::ComponentData,
                response::{EntityData as DescribedEntity, EntryData as DescribedEntry},
            },
        },
    },
    wire::StrBytes,
};

use crate::error::{ApiError, ClientError, wire_text};

use super::{Admin, left_out, misdirected};

/// What a quota belongs to, or one half of it: a user and a client id may have quotas together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaEntityType {
    User,
    ClientId,
    Ip,
}

impl QuotaEntityType {
    const ALL: [Self; 3] = [Self::User, Self::ClientId, Self::Ip];

    /// As the protocol names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ClientId => "client-id",
            Self::Ip => "ip",
        }
    }
}

/// Which entities of a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaMatch {
    /// The one of this name.
    Name(String),
    /// What holds for those without quotas of their own.
    Default,
    Any,
}

/// Type and name; no name is the default entity.
pub type QuotaEntity = Vec<(QuotaEntityType, Option<String>)>;

/// The quotas of an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Quotas {
    /// In the order of the types.
    pub entity: QuotaEntity,
    /// Key and value, in the broker's order.
    pub values: Vec<(String, f64)>,
}

impl Admin {
    /// The quotas of the entities that consist of just these types.
    pub async fn describe_client_quotas(
        &self,
        components: &[(QuotaEntityType, QuotaMatch)],
    ) -> Result<Vec<Quotas>, ClientError> {
        let request = DescribeClientQuotasRequest {
            components: components.iter().map(component).collect::<Result<_, _>>()?,
            strict: true,
            ..Default::default()
        };
        let response = self.ask_any(&request).await?;
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        let entries = response.entries.unwrap_or_default();
        Ok(entries.iter().map(described).collect())
    }

    /// Sets quotas of an entity, and takes away those without a value.
    pub async fn alter_client_quotas(
        &self,
        entity: &QuotaEntity,
        changes: &[(String, Option<f64>)],
    ) -> Result<Result<(), ApiError>, ClientError> {
        let entry = EntryData {
            entity: entity.iter().map(part).collect::<Result<_, _>>()?,
            ops: changes.iter().map(op).collect::<Result<_, _>>()?,
            ..Default::default()
        };
        let request = AlterClientQuotasRequest {
            entries: vec![entry],
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&self.anyone, &request, self.call(), |response| {
                misdirected(response.entries.iter().map(|entry| entry.error_code))
            })
            .await?;
        let Some(entry) = response.entries.first() else {
            return Ok(Err(left_out()));
        };
        Ok(ApiError::check(
            entry.error_code,
            entry.error_message.as_deref(),
        ))
    }
}

fn component((kind, which): &(QuotaEntityType, QuotaMatch)) -> Result<ComponentData, ClientError> {
    let (match_type, name) = match which {
        QuotaMatch::Name(name) => (0, Some(entity_name(name)?)),
        QuotaMatch::Default => (1, None),
        QuotaMatch::Any => (2, None),
    };
    Ok(ComponentData {
        entity_type: StrBytes::from_static(kind.name()),
        match_type,
        match_: name,
        ..Default::default()
    })
}

fn entity_name(name: &str) -> Result<StrBytes, ClientError> {
    wire_text("the entity's name", name)
}

fn part((kind, name): &(QuotaEntityType, Option<String>)) -> Result<EntityData, ClientError> {
    Ok(EntityData {
        entity_type: StrBytes::from_static(kind.name()),
        entity_name: name.as_deref().map(entity_name).transpose()?,
        ..Default::default()
    })
}

fn op((key, value): &(String, Option<f64>)) -> Result<OpData, ClientError> {
    Ok(OpData {
        key: wire_text("the quota's name", key)?,
        value: value.unwrap_or_default(),
        remove: value.is_none(),
        ..Default::default()
    })
}

fn described(entry: &DescribedEntry) -> Quotas {
    let named = |kind: QuotaEntityType| {
        let part = |part: &&DescribedEntity| *part.entity_type == *kind.name();
        let part = entry.entity.iter().find(part)?;
        Some((kind, part.entity_name.as_ref().map(StrBytes::to_string)))
    };
    let values = entry.values.iter();
    let values = values.map(|value| (value.key.to_string(), value.value));
    Quotas {
        entity: QuotaEntityType::ALL.into_iter().filter_map(named).collect(),
        values: values.collect(),
    }
}
