//! What is shown of a cluster: a snapshot, what it adds up to, and how fast it changes since the ones before. Pure.
//!
//! Always: what is not known is none, and a sum is of what is known, or none where nothing is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ottla_client::admin::{MemberDescription, TopicPartition};

use super::snapshot::{BrokerSeen, DiskSeen, GroupSeen, PartitionSeen, Snapshot, TopicSeen};
use crate::rates::{GROUPS_WINDOW, History, Rates};

#[derive(Debug)]
pub(super) struct View {
    pub(super) time: Timestamp,
    pub(super) cluster_id: Option<String>,
    pub(super) brokers: Vec<BrokerView>,
    pub(super) topics: Vec<TopicView>,
    pub(super) groups: Vec<GroupView>,
}

#[derive(Debug, Clone)]
pub(super) struct BrokerView {
    pub(super) id: i32,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) rack: Option<String>,
    /// Why something is not known of it.
    pub(super) problem: Option<String>,
    /// Partitions that it leads, and those it has a replica of.
    pub(super) leaders: usize,
    pub(super) replicas: usize,
    pub(super) groups: usize,
    pub(super) disk: Option<DiskSeen>,
    /// Of the partitions that it leads.
    pub(super) traffic: Traffic,
}

/// What is written in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Traffic {
    pub(super) records: Option<f64>,
    pub(super) bytes: Option<f64>,
}

#[derive(Debug)]
pub(super) struct TopicView {
    pub(super) name: Arc<str>,
    pub(super) is_internal: bool,
    pub(super) partitions: Vec<PartitionView>,
    /// Of one replica of each partition.
    pub(super) size_bytes: Option<i64>,
    pub(super) traffic: Traffic,
}

#[derive(Debug)]
pub(super) struct PartitionView {
    pub(super) seen: PartitionSeen,
    pub(super) traffic: Traffic,
}

#[derive(Debug)]
pub(super) struct GroupView {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) coordinator: i32,
    /// None where the group is no consumers', or nobody answers for it.
    pub(super) members: Option<Vec<MemberView>>,
    pub(super) progress: Progress,
}

/// How far one is with the partitions that it reads.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) lag: Option<i64>,
    pub(super) rates: Option<Rates>,
    /// When the slowest partition is done; none where it never is.
    pub(super) catch_up: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct MemberView {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) host: String,
    pub(super) partitions: usize,
    pub(super) progress: Progress,
}

impl PartitionView {
    pub(super) fn is_under_replicated(&self) -> bool {
        self.seen.isr.len() < self.seen.replicas.len()
    }
}

impl TopicView {
    pub(super) fn under_replicated(&self) -> usize {
        let partitions = self.partitions.iter();
        partitions.filter(|at| at.is_under_replicated()).count()
    }

    pub(super) fn offline(&self) -> usize {
        let partitions = self.partitions.iter();
        partitions.filter(|at| at.seen.leader.is_none()).count()
    }
}

impl Traffic {
    fn and(self, other: Self) -> Self {
        Self {
            records: sum(self.records, other.records, |a, b| a + b),
            bytes: sum(self.bytes, other.bytes, |a, b| a + b),
        }
    }
}

/// Of what is known.
fn sum<T>(a: Option<T>, b: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}

/// What the looks before leave for the next one.
pub(super) struct Views {
    /// By topic and partition: the end, and the bytes. What retention deletes must not make records look deleted, so each
    /// has its own.
    ends: History<(Arc<str>, i32), 1>,
    sizes: History<(Arc<str>, i32), 1>,
    /// By group, topic and partition: what is committed, and the end.
    groups: History<(Arc<str>, Arc<str>, i32), 2>,
    /// Brokers that were there once.
    brokers: BTreeMap<i32, BrokerView>,
}

/// The partitions of a group, as far as it has committed anything.
type Lags<'a> = HashMap<(&'a str, i32), (i64, Option<Rates>)>;

impl Views {
    pub(super) fn new() -> Self {
        Self {
            // Between two looks.
            ends: History::over(Duration::ZERO),
            sizes: History::over(Duration::ZERO),
            groups: History::over(GROUPS_WINDOW),
            brokers: BTreeMap::new(),
        }
    }

    /// The view of a snapshot that was taken later than all before.
    pub(super) fn next(&mut self, snapshot: Snapshot) -> View {
        let now = snapshot.at;
        let mut ends: HashMap<(Arc<str>, i32), i64> = HashMap::new();
        for topic in &snapshot.topics {
            for partition in &topic.partitions {
                if let Some(end) = partition.end {
                    ends.insert((topic.name.clone(), partition.index), end);
                }
            }
        }
        let groups = snapshot.groups.into_iter();
        let groups: Vec<_> = groups.map(|group| self.group(group, now, &ends)).collect();
        let topics = snapshot.topics.into_iter();
        let topics: Vec<_> = topics.map(|topic| self.topic(topic, now)).collect();
        self.ends.forget_older_than(now);
        self.sizes.forget_older_than(now);
        self.groups.forget_older_than(now);
        View {
            time: snapshot.time,
            cluster_id: snapshot.cluster_id,
            brokers: self.brokers(snapshot.brokers, &topics, &groups),
            topics,
            groups,
        }
    }

    fn topic(&mut self, topic: TopicSeen, now: Duration) -> TopicView {
        let mut partition = |seen: PartitionSeen| {
            let key = || (topic.name.clone(), seen.index);
            let noted = |history: &mut History<_, 1>, count: Option<i64>| {
                history.note(key(), now, [count?]).map(|[rate]| rate)
            };
            let traffic = Traffic {
                records: noted(&mut self.ends, seen.end),
                bytes: noted(&mut self.sizes, seen.size_bytes),
            };
            PartitionView { seen, traffic }
        };
        let partitions: Vec<_> = topic.partitions.into_iter().map(&mut partition).collect();
        let sizes = partitions.iter().map(|at| at.seen.size_bytes);
        TopicView {
            size_bytes: sizes.fold(None, |a, b| sum(a, b, i64::saturating_add)),
            traffic: total(partitions.iter().map(|at| at.traffic)),
            name: topic.name,
            is_internal: topic.is_internal,
            partitions,
        }
    }

    fn group(
        &mut self,
        group: GroupSeen,
        now: Duration,
        ends: &HashMap<(Arc<str>, i32), i64>,
    ) -> GroupView {
        let id: Arc<str> = group.id.as_str().into();
        let mut lags = Lags::new();
        for (at, committed) in &group.committed {
            let TopicPartition { topic, partition } = at;
            let place: (Arc<str>, i32) = (topic.as_str().into(), *partition);
            // A topic that is gone leaves its offsets behind for a while.
            let Some(end) = ends.get(&place) else {
                continue;
            };
            let key = (id.clone(), place.0, place.1);
            let rates = self.groups.note(key, now, [*committed, *end]);
            let lag = end.saturating_sub(*committed).max(0);
            lags.insert((topic, *partition), (lag, rates.map(Rates::from)));
        }
        let description = group.description.as_ref();
        let member = |member: &MemberDescription| {
            let topics = member.assignment.iter();
            let assigned: Vec<(&str, i32)> = topics
                .flat_map(|of| {
                    of.partitions
                        .iter()
                        .map(|index| (of.topic.as_str(), *index))
                })
                .collect();
            MemberView {
                id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                host: member.host.clone(),
                partitions: assigned.len(),
                progress: progress(assigned.iter().filter_map(|at| lags.get(at).copied())),
            }
        };
        GroupView {
            members: description.map(|known| known.members.iter().map(member).collect()),
            progress: progress(lags.values().copied()),
            kind: description.map_or(group.kind, |known| known.kind.to_owned()),
            state: description.map_or(group.state, |known| known.state.clone()),
            id: group.id,
            coordinator: group.coordinator,
        }
    }

    /// Those that are there, and those that were.
    fn brokers(
        &mut self,
        seen: Vec<BrokerSeen>,
        topics: &[TopicView],
        groups: &[GroupView],
    ) -> Vec<BrokerView> {
        for view in self.brokers.values_mut() {
            *view = BrokerView {
                problem: Some("it is not in the cluster any more".to_owned()),
                disk: None,
                leaders: 0,
                replicas: 0,
                groups: 0,
                traffic: Traffic::default(),
                ..view.clone()
            };
        }
        for BrokerSeen {
            broker,
            problem,
            disk,
        } in seen
        {
            let id = broker.id.0;
            let view = BrokerView {
                id,
                host: broker.endpoint.host.clone(),
                port: broker.endpoint.port,
                rack: broker.rack,
                problem,
                leaders: 0,
                replicas: 0,
                groups: groups
                    .iter()
                    .filter(|group| group.coordinator == id)
                    .count(),
                disk,
                traffic: Traffic::default(),
            };
            self.brokers.insert(id, view);
        }
        for partition in topics.iter().flat_map(|topic| &topic.partitions) {
            let leader = partition.seen.leader;
            if let Some(view) = leader.and_then(|id| self.brokers.get_mut(&id)) {
                view.leaders += 1;
                view.traffic = view.traffic.and(partition.traffic);
            }
            for id in &partition.seen.replicas {
                if let Some(view) = self.brokers.get_mut(id) {
                    view.replicas += 1;
                }
            }
        }
        self.brokers.values().cloned().collect()
    }
}

fn total(traffic: impl Iterator<Item = Traffic>) -> Traffic {
    traffic.fold(Traffic::default(), Traffic::and)
}

fn progress(partitions: impl Iterator<Item = (i64, Option<Rates>)> + Clone) -> Progress {
    let lags = partitions.clone().map(|(lag, _)| lag);
    let rates = partitions.clone().filter_map(|(_, rates)| rates);
    let left = |(lag, rates): (i64, Option<Rates>)| match lag {
        ..=0 => Some(Duration::ZERO),
        lag => rates?.catch_up(lag),
    };
    let each: Option<Vec<Duration>> = partitions.map(left).collect();
    Progress {
        lag: lags.reduce(i64::saturating_add),
        rates: rates.reduce(Rates::and),
        catch_up: each.and_then(|each| each.into_iter().max()),
    }
}
