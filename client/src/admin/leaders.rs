//! Elections of leaders of partitions.

use ottla_protocol::messages::{
    ElectLeadersRequest, ElectLeadersResponse, api::elect_leaders::request::TopicPartitions,
};

use crate::{
    cluster::Target,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, grouped, misdirected};

/// Which replica is to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any that is alive where no replica in sync is: records may be lost.
    Unclean,
}

impl ElectionType {
    fn on_wire(self) -> i8 {
        match self {
            Self::Preferred => 0,
            Self::Unclean => 1,
        }
    }
}

impl Admin {
    /// Elects leaders of these partitions, or of all that need it; of the latter only those are in the outcome for
    /// which something was tried. ELECTION_NOT_NEEDED where the leader is already the right one.
    pub async fn elect_leaders(
        &self,
        kind: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Outcomes<TopicPartition>, ClientError> {
        let request = ElectLeadersRequest {
            election_type: kind.on_wire(),
            topic_partitions: partitions.map(named).transpose()?,
            timeout_ms: self.broker_timeout_ms(),
            ..Default::default()
        };
        // Version 0 knows preferred leaders only.
        let call = match kind {
            ElectionType::Preferred => self.call(),
            ElectionType::Unclean => self.call().versions(1..=i16::MAX),
        };
        let response = self
            .cluster
            .call(&Target::Controller, &request, call, |response| {
                let results = response.replica_election_results.iter();
                let partitions = results.flat_map(|topic| &topic.partition_result);
                misdirected(partitions.map(|partition| partition.error_code))
            })
            .await?;
        ApiError::check(response.error_code, None)?;
        Ok(outcomes(&response))
    }
}

fn named(partitions: &[TopicPartition]) -> Result<Vec<TopicPartitions>, ClientError> {
    let pairs = partitions
        .iter()
        .map(|at| (at.topic.as_str(), at.partition));
    let topic = |(topic, partitions)| {
        Ok(TopicPartitions {
            topic: wire_text("the topic name", topic)?,
            partitions,
            ..Default::default()
        })
    };
    grouped(pairs).into_iter().map(topic).collect()
}

fn outcomes(response: &ElectLeadersResponse) -> Outcomes<TopicPartition> {
    let mut outcomes = Outcomes::new();
    for topic in &response.replica_election_results {
        for partition in &topic.partition_result {
            let at = TopicPartition::new(&*topic.topic, partition.partition_id);
            let message = partition.error_message.as_deref();
            outcomes.push((at, ApiError::check(partition.error_code, message)));
        }
    }
    outcomes
}
