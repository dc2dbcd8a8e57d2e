//! The server's assignors alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordination::group::assignors::{
    Assignment, Assignor, GroupSpec, MemberSpec, SubscriptionType,
};
use ottla_coordination::group::topics::Topics;

use crate::bench::{ms, timed, topic_id, topic_name};
use crate::support;

pub(crate) fn run() {
    for (members, topics, partitions) in [
        (500, 10, 100),
        (500, 1_000, 1),
        (1_000, 10, 1_000),
        (1_000, 10_000, 1),
    ] {
        for (assignor, kind) in [
            (Assignor::Uniform, SubscriptionType::Homogeneous),
            (Assignor::Uniform, SubscriptionType::Heterogeneous),
            (Assignor::Range, SubscriptionType::Homogeneous),
        ] {
            let (first, again) = assign(assignor, kind, members, (topics, partitions));
            println!(
                "  {} {kind:?}, {members} members, {topics} topics of {partitions}: {first} from nothing, {again} with one more member",
                assignor.name(),
            );
        }
    }
}

fn assign(
    assignor: Assignor,
    kind: SubscriptionType,
    members: usize,
    (topic_count, partitions): (usize, usize),
) -> (String, String) {
    let names: Vec<String> = (0..topic_count).map(topic_name).collect();
    let topics: Topics = support::topics(
        (0..topic_count).map(|number| (names[number].as_str(), topic_id(number), partitions)),
    );
    let ids: Vec<String> = (0..=members)
        .map(|number| format!("member-{number:05}"))
        .collect();
    let all: Arc<BTreeSet<_>> = Arc::new((0..topic_count).map(topic_id).collect());
    // Every second member leaves one topic out.
    let most = Arc::new(
        (0..topic_count)
            .skip(1)
            .map(topic_id)
            .collect::<BTreeSet<_>>(),
    );
    let nothing = vec![Assignment::new(); members + 1];
    let spec = |count: usize, assigned: &[Assignment]| -> Vec<Assignment> {
        let member = |number: usize| MemberSpec {
            id: &ids[number],
            instance_id: None,
            topics: match kind {
                SubscriptionType::Heterogeneous if number % 2 == 1 => most.clone(),
                _ => all.clone(),
            },
            assigned: assigned.get(number).unwrap_or(&nothing[0]),
        };
        let group = GroupSpec {
            subscription_type: kind,
            members: (0..count).map(member).collect(),
        };
        assignor.assign(&group, &topics)
    };
    let (first, assigned) = timed(|| spec(members, &nothing));
    let (again, _) = timed(|| spec(members + 1, &assigned));
    (ms(first), ms(again))
}
