//! The broker's assignors against assignments that the reference made, and against what each assignment promises.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::read::GzDecoder;
use ottla_coordination::group::assignors::{
    Assignment, Assignor, GroupSpec, MemberSpec, SubscriptionType,
};
use ottla_coordination::group::topics::Topics;
use ottla_protocol::wire::Uuid;
use serde_json::Value;

use crate::support::{self, Numbers};

fn vectors() -> String {
    let folder = std::env::var_os("OTTLA_VECTORS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../protocol/tests/vectors"
            ))
        },
        PathBuf::from,
    );
    let packed = std::fs::read(folder.join("assignors.tsv.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn id(value: &str) -> Uuid {
    Uuid::parse(value).unwrap()
}

fn topics(input: &Value) -> Topics {
    let topics = input["topics"].as_array().unwrap().iter();
    support::topics(topics.map(|topic| {
        let name = topic["id"].as_str().unwrap();
        let count = topic["partitions"].as_u64().unwrap();
        (name, id(name), usize::try_from(count).unwrap())
    }))
}

fn assignment(value: &Value) -> Assignment {
    let partitions = |list: &Value| -> BTreeSet<i32> {
        let numbers = list.as_array().unwrap().iter();
        numbers
            .map(|number| i32::try_from(number.as_i64().unwrap()).unwrap())
            .collect()
    };
    let topics = value.as_object().unwrap().iter();
    topics
        .map(|(topic, list)| (id(topic), partitions(list)))
        .collect()
}

fn subscription(member: &Value) -> Arc<BTreeSet<Uuid>> {
    let topics = member["topics"].as_array().unwrap().iter();
    Arc::new(topics.map(|topic| id(topic.as_str().unwrap())).collect())
}

#[test]
fn vectors_of_the_brokers_assignors_come_out_the_same() {
    let mut checked = 0;
    for line in vectors().lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let ["server", assignor, case, _, input, output] = columns.as_slice() else {
            continue;
        };
        // `simple` is of share groups.
        let Some(assignor) = Assignor::of_name(assignor) else {
            continue;
        };
        let input: Value = serde_json::from_str(input).unwrap();
        let output: Value = serde_json::from_str(output).unwrap();
        let members = input["members"].as_array().unwrap();
        let assigned: Vec<Assignment> = members.iter().map(|m| assignment(&m["current"])).collect();
        let group = GroupSpec {
            subscription_type: match input["subscriptionType"].as_str().unwrap() {
                "HOMOGENEOUS" => SubscriptionType::Homogeneous,
                _ => SubscriptionType::Heterogeneous,
            },
            members: members
                .iter()
                .zip(&assigned)
                .map(|(member, assigned)| MemberSpec {
                    id: member["id"].as_str().unwrap(),
                    instance_id: member["instanceId"].as_str(),
                    topics: subscription(member),
                    assigned,
                })
                .collect(),
        };
        let ours = assignor.assign(&group, &topics(&input));
        for (member, ours) in group.members.iter().zip(&ours) {
            let expected = assignment(&output[member.id]);
            assert_eq!(*ours, expected, "{assignor:?} {case} {}", member.id);
        }
        checked += 1;
    }
    assert_eq!(checked, 240);
}

/// A group whose members come, go and change their minds.
struct Group {
    ids: Vec<Uuid>,
    topics: Topics,
    counts: Vec<usize>,
    members: Vec<(String, Arc<BTreeSet<Uuid>>, Assignment)>,
}

impl Group {
    fn new(counts: Vec<usize>) -> Self {
        let ids: Vec<Uuid> = (1..=counts.len() as u128).map(Uuid::from).collect();
        let names: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let list = names.iter().zip(&ids).zip(&counts);
        let topics = support::topics(list.map(|((name, id), count)| (name.as_str(), *id, *count)));
        Self {
            ids,
            topics,
            counts,
            members: Vec::new(),
        }
    }

    fn assign(&mut self, assignor: Assignor) {
        let mut subscriptions = self.members.iter().map(|(_, topics, _)| topics);
        let first = subscriptions.next();
        let group = GroupSpec {
            subscription_type: if subscriptions.all(|topics| Some(topics) == first) {
                SubscriptionType::Homogeneous
            } else {
                SubscriptionType::Heterogeneous
            },
            members: self
                .members
                .iter()
                .map(|(id, topics, assigned)| MemberSpec {
                    id,
                    instance_id: None,
                    topics: Arc::clone(topics),
                    assigned,
                })
                .collect(),
        };
        let assignments = assignor.assign(&group, &self.topics);
        assert_eq!(assignments.len(), self.members.len());
        for (member, assignment) in self.members.iter_mut().zip(assignments) {
            member.2 = assignment;
        }
    }

    fn load(&self, member: usize) -> usize {
        self.members[member].2.values().map(BTreeSet::len).sum()
    }

    fn check_each_partition_has_one_subscribed_owner(&self) {
        for (id, count) in self.ids.iter().zip(&self.counts) {
            let mut owned = BTreeSet::new();
            for (_, topics, assignment) in &self.members {
                for partition in assignment.get(id).into_iter().flatten() {
                    assert!(topics.contains(id), "assigned what it does not want");
                    assert!(owned.insert(*partition), "two owners");
                }
            }
            let wanted = self
                .members
                .iter()
                .any(|(_, topics, _)| topics.contains(id));
            assert_eq!(owned.len(), if wanted { *count } else { 0 });
        }
    }
}

fn random_topics(numbers: &mut Numbers, ids: &[Uuid]) -> Arc<BTreeSet<Uuid>> {
    Arc::new(ids.iter().copied().filter(|_| !numbers.one_in(3)).collect())
}

#[test]
fn members_come_and_go_and_each_partition_has_one_owner_throughout() {
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let topic_count = 1 + numbers.below(6);
        let mut group = Group::new((0..topic_count).map(|_| numbers.below(30)).collect());
        let everything: Arc<BTreeSet<Uuid>> = Arc::new(group.ids.iter().copied().collect());
        let alike = numbers.one_in(2);
        let assignor = *numbers.pick(&Assignor::ALL).unwrap();
        for round in 0..12 {
            if group.members.is_empty() || !numbers.one_in(3) {
                let topics = match alike {
                    true => Arc::clone(&everything),
                    false => random_topics(&mut numbers, &group.ids),
                };
                group
                    .members
                    .push((format!("{seed}-{round}"), topics, Assignment::new()));
            } else {
                group.members.remove(numbers.below(group.members.len()));
            }
            let before = group.members.clone();
            group.assign(assignor);
            group.check_each_partition_has_one_subscribed_owner();
            if alike && assignor == Assignor::Uniform {
                check_fair_and_sticky(&group, &before);
            }
            let settled = group.members.clone();
            group.assign(assignor);
            assert_eq!(
                group.members, settled,
                "nothing happened and partitions moved"
            );
        }
    }
}

/// Loads differ by one at most, and a member that kept less than it had is at its share.
fn check_fair_and_sticky(group: &Group, before: &[(String, Arc<BTreeSet<Uuid>>, Assignment)]) {
    let loads: Vec<usize> = (0..group.members.len())
        .map(|member| group.load(member))
        .collect();
    let (least, most) = (loads.iter().min(), loads.iter().max());
    assert!(
        least
            .zip(most)
            .is_none_or(|(least, most)| most - least <= 1)
    );
    for (member, (_, _, assigned)) in before.iter().enumerate() {
        let now = &group.members[member].2;
        let lost = assigned
            .iter()
            .any(|(id, partitions)| !partitions.is_subset(now.get(id).unwrap_or(&BTreeSet::new())));
        if lost {
            let had: usize = assigned.values().map(BTreeSet::len).sum();
            assert!(had > loads[member], "swapped partitions for nothing");
        }
    }
}

#[test]
fn a_thousand_members_share_ten_thousand_partitions() {
    for assignor in Assignor::ALL {
        for alike in [true, false] {
            let mut group = Group::new(vec![100; 100]);
            let everything: Arc<BTreeSet<Uuid>> = Arc::new(group.ids.iter().copied().collect());
            let mut numbers = Numbers(1);
            for member in 0..1_000 {
                let topics = match alike {
                    true => Arc::clone(&everything),
                    false => random_topics(&mut numbers, &group.ids),
                };
                group
                    .members
                    .push((format!("{member:04}"), topics, Assignment::new()));
            }
            group.assign(assignor);
            group.check_each_partition_has_one_subscribed_owner();
            group.members.truncate(900);
            group.assign(assignor);
            group.check_each_partition_has_one_subscribed_owner();
        }
    }
}
