//! Groups: list, delete, remove members.

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        DeleteGroupsRequest, LeaveGroupRequest, ListGroupsRequest, ListGroupsResponse,
        api::leave_group::request::MemberIdentity,
    },
    types::BrokerId,
};

use crate::{
    cluster::Target,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, all_at_once, misdirected};

/// A group as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    pub id: String,
    /// `consumer` for consumers of the classic protocol, empty where only offsets are stored.
    pub protocol_type: String,
    /// None where the broker does not say (KIP-518).
    pub state: Option<String>,
    /// `Classic`, `Consumer`, …; none where the broker does not say (KIP-848).
    pub kind: Option<String>,
    pub coordinator: BrokerId,
}

/// Who is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberToRemove {
    /// A dynamic member.
    Member(String),
    /// A static member (KIP-345).
    Instance(String),
}

impl Admin {
    /// All groups of all brokers, sorted by id. Filters that are empty let everything through.
    ///
    /// A broker whose answer is missing is an error in the second list, as the others still have something to say.
    pub async fn list_groups(
        &self,
        states: &[String],
        types: &[String],
    ) -> Result<(Vec<GroupListing>, Vec<(BrokerId, ClientError)>), ClientError> {
        let metadata = self.cluster.refresh(self.deadline()).await?;
        let (mut listings, mut errors) = (Vec::new(), Vec::new());
        let brokers = metadata.brokers();
        let asking = brokers.map(|broker| self.list_groups_of(broker.id, states, types));
        for (broker, answer) in metadata.brokers().zip(all_at_once(asking).await) {
            match answer {
                Ok(found) => listings.extend(found),
                Err(error) => errors.push((broker.id, error)),
            }
        }
        listings.sort_by(|a: &GroupListing, b| a.id.cmp(&b.id));
        // A group that moves while we ask is listed by both coordinators.
        listings.dedup_by(|a, b| a.id == b.id);
        Ok((listings, errors))
    }

    /// The groups that a broker coordinates.
    pub async fn list_groups_of(
        &self,
        broker: BrokerId,
        states: &[String],
        types: &[String],
    ) -> Result<Vec<GroupListing>, ClientError> {
        let texts = |what, filter: &[String]| {
            filter
                .iter()
                .map(|text| wire_text(what, text))
                .collect::<Result<Vec<_>, _>>()
        };
        let request = ListGroupsRequest {
            states_filter: texts("the state", states)?,
            types_filter: texts("the type", types)?,
            ..Default::default()
        };
        let first_version = match (states.is_empty(), types.is_empty()) {
            (_, false) => 5,
            (false, true) => 4,
            (true, true) => 0,
        };
        let call = self.call().versions(first_version..=i16::MAX);
        let error_of = |response: &ListGroupsResponse| ErrorCode::from_code(response.error_code);
        let response = self
            .cluster
            .call(&Target::Broker(broker), &request, call, error_of)
            .await?;
        listed(&response, broker)
    }

    /// Deletes groups that have no members, with their offsets.
    pub async fn delete_groups(&self, ids: &[String]) -> Result<Outcomes<String>, ClientError> {
        let mut outcomes = Outcomes::new();
        for id in ids {
            let request = DeleteGroupsRequest {
                groups_names: vec![wire_text("the group id", id)?],
                ..Default::default()
            };
            let response = self
                .cluster
                .call(
                    &Target::Group(id.clone()),
                    &request,
                    self.call(),
                    |response| misdirected(response.results.iter().map(|result| result.error_code)),
                )
                .await?;
            let code = response
                .results
                .first()
                .map_or(ErrorCode::UnknownServerError.code(), |r| r.error_code);
            outcomes.push((id.clone(), ApiError::check(code, None)));
        }
        Ok(outcomes)
    }

    /// Makes members leave, so that a rebalance starts without waiting for their session to end.
    pub async fn remove_members(
        &self,
        group: &str,
        members: &[MemberToRemove],
        reason: &str,
    ) -> Result<Outcomes<String>, ClientError> {
        let reason = wire_text("the reason", reason)?;
        let mut identities = Vec::with_capacity(members.len());
        for member in members {
            let (member_id, group_instance_id) = match member {
                MemberToRemove::Member(id) => (wire_text("the member id", id)?, None),
                MemberToRemove::Instance(id) => {
                    (Default::default(), Some(wire_text("the instance id", id)?))
                }
            };
            let reason = Some(reason.clone());
            identities.push(MemberIdentity {
                member_id,
                group_instance_id,
                reason,
                ..Default::default()
            });
        }
        let request = LeaveGroupRequest {
            group_id: wire_text("the group id", group)?,
            members: identities,
            ..Default::default()
        };
        // Version 3 is the first with a list of members.
        let call = self.call().versions(3..=i16::MAX);
        let response = self
            .cluster
            .call(
                &Target::Group(group.to_owned()),
                &request,
                call,
                |response| ErrorCode::from_code(response.error_code),
            )
            .await?;
        ApiError::check(response.error_code, None)?;
        Ok(response
            .members
            .iter()
            .map(|member| {
                let id = member
                    .group_instance_id
                    .as_ref()
                    .unwrap_or(&member.member_id);
                (id.to_string(), ApiError::check(member.error_code, None))
            })
            .collect())
    }
}

fn listed(
    response: &ListGroupsResponse,
    coordinator: BrokerId,
) -> Result<Vec<GroupListing>, ClientError> {
    ApiError::check(response.error_code, None)?;
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(response
        .groups
        .iter()
        .map(|group| GroupListing {
            id: group.group_id.to_string(),
            protocol_type: group.protocol_type.to_string(),
            state: said(&group.group_state),
            kind: said(&group.group_type),
            coordinator,
        })
        .collect())
}
