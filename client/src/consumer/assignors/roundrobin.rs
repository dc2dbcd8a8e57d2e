//! All partitions of all topics in order, dealt to the members in turn; who does not subscribe to a topic is passed
//! over.

use crate::admin::TopicPartition;

use super::{ByMember, Member, Topics, in_order, nothing_yet};

pub(super) fn assign(topics: &Topics, members: &[Member]) -> ByMember {
    let mut assignment = nothing_yet(members);
    let members = in_order(members);
    let mut turn = 0;
    for (topic, partitions) in topics {
        if !members.iter().any(|member| member.subscribes(topic)) {
            continue;
        }
        for partition in 0..partitions.len() {
            let next = (0..members.len())
                .map(|step| (turn + step) % members.len())
                .find(|index| members.get(*index).is_some_and(|m| m.subscribes(topic)));
            let Some(index) = next else {
                break;
            };
            turn = (index + 1) % members.len();
            let list = members.get(index).and_then(|m| assignment.get_mut(&m.id));
            if let (Some(list), Ok(partition)) = (list, i32::try_from(partition)) {
                list.push(TopicPartition::new(topic, partition));
            }
        }
    }
    assignment
}
