//! ListPartitionReassignments (46): the partitions whose replicas are on their way to other brokers (KIP-455).

use ottla_coordination::controller::image::TopicImage;
use ottla_protocol::messages::list_partition_reassignments::response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use ottla_protocol::types::{BrokerId, PartitionIndex};

use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: ListPartitionReassignmentsRequest,
) -> Answer<ListPartitionReassignmentsResponse> {
    let image = context.broker.image.load();
    let topics = image.topics();
    let ongoing: Vec<OngoingTopicReassignment> = match &request.topics {
        None => topics.iter().map(|topic| of(topic, |_| true)).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| {
                let topic = topics.by_name(&asked.name)?;
                Some(of(topic, |index| {
                    asked.partition_indexes.contains(&index.0)
                }))
            })
            .collect(),
    };
    let topics = ongoing
        .into_iter()
        .filter(|topic| !topic.partitions.is_empty());
    Answer::now(ListPartitionReassignmentsResponse {
        topics: topics.collect(),
        ..Default::default()
    })
}

fn of(topic: &TopicImage, is_asked: impl Fn(PartitionIndex) -> bool) -> OngoingTopicReassignment {
    let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
    let partitions = topic.partitions().iter();
    let ongoing = partitions
        .filter(|(index, partition)| partition.is_reassigned() && is_asked(**index))
        .map(|(index, partition)| OngoingPartitionReassignment {
            partition_index: index.0,
            replicas: numbers(&partition.replicas),
            adding_replicas: numbers(&partition.adding_replicas),
            removing_replicas: numbers(&partition.removing_replicas),
            ..Default::default()
        });
    OngoingTopicReassignment {
        name: topic.name().into(),
        partitions: ongoing.collect(),
        ..Default::default()
    }
}
