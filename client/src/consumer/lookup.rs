//! Questions that run beside the consumer: offsets of the log, and fetches; each ends as an event.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::mpsc::UnboundedSender, task::JoinSet, time::timeout};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{FetchRequest, FetchResponse},
    types::BrokerId,
};

use crate::{
    admin::{
        Admin, CommittedOffset, Isolation, ListedOffset, OffsetSpec, Outcomes, TopicPartition,
    },
    cluster::{Cluster, Deadline, Lane},
    error::ClientError,
};

use super::{
    ConsumerError,
    fetches::Planned,
    group::{Identity, Notice},
    settings::OffsetReset,
};

/// What came of something that ran beside the consumer.
#[derive(Debug)]
pub(super) enum Event {
    Fetched {
        broker: BrokerId,
        outcome: Result<FetchResponse, ClientError>,
    },
    Listed {
        asked: Vec<(TopicPartition, OffsetReset)>,
        outcome: Result<Outcomes<TopicPartition, ListedOffset>, ClientError>,
    },
    Committed {
        asked: Vec<TopicPartition>,
        outcome: Result<Outcomes<TopicPartition, CommittedOffset>, ClientError>,
    },
    /// The metadata has been refreshed.
    Refreshed(Result<(), ClientError>),
    /// From the group's task.
    Group(Notice),
    /// A commit made as this identity was refused with an error that concerns the membership.
    CommitRefused(Identity, ErrorCode),
    /// The commit of what is let go has ended.
    LetGo(Result<(), ConsumerError>),
    AutoCommitted(Result<BTreeMap<TopicPartition, i64>, ConsumerError>),
}

/// Events are few: one per broker, lookup or refresh under way.
pub(super) type Events = UnboundedSender<Event>;

pub(super) fn fetch(cluster: Cluster, events: Events, planned: Planned) {
    tokio::spawn(async move {
        let broker = planned.broker;
        let outcome = fetch_from(&cluster, planned).await;
        let _ = events.send(Event::Fetched { broker, outcome });
    });
}

async fn fetch_from(cluster: &Cluster, planned: Planned) -> Result<FetchResponse, ClientError> {
    let request: FetchRequest = planned.request;
    let deadline = Deadline::after(cluster.settings().request_timeout);
    let connection = cluster
        .connection_to(planned.broker, Lane::Data, deadline)
        .await?;
    let within = cluster.settings().request_timeout;
    Ok(connection
        .send(&request, 4..=planned.version_max, within)
        .await?)
}

/// Time for a last word to get on its way; nothing depends on what is answered.
const FAREWELL_PATIENCE: Duration = Duration::from_millis(50);

/// Lets brokers forget what they keep for this consumer.
pub(super) async fn say_farewell(cluster: &Cluster, planned: Vec<Planned>) {
    let mut under_way = JoinSet::new();
    for planned in planned {
        let cluster = cluster.clone();
        under_way.spawn(async move { fetch_from(&cluster, planned).await.map(drop) });
    }
    let _ = timeout(FAREWELL_PATIENCE, under_way.join_all()).await;
}

pub(super) fn list(
    cluster: Cluster,
    events: Events,
    asked: Vec<(TopicPartition, OffsetReset)>,
    isolation: Isolation,
) {
    tokio::spawn(async move {
        let specs: Vec<(TopicPartition, OffsetSpec)> = asked
            .iter()
            .map(|(at, reset)| (at.clone(), spec(*reset)))
            .collect();
        let outcome = Admin::over(cluster).list_offsets(&specs, isolation).await;
        let _ = events.send(Event::Listed { asked, outcome });
    });
}

fn spec(reset: OffsetReset) -> OffsetSpec {
    match reset {
        OffsetReset::Earliest => OffsetSpec::Earliest,
        OffsetReset::Latest | OffsetReset::None => OffsetSpec::Latest,
        OffsetReset::ByDuration(ago) => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO);
            let then = now.saturating_sub(ago).as_millis();
            OffsetSpec::At(i64::try_from(then).unwrap_or(i64::MAX))
        }
    }
}

pub(super) fn committed(
    cluster: Cluster,
    events: Events,
    group: String,
    member: Option<Identity>,
    asked: Vec<TopicPartition>,
) {
    tokio::spawn(async move {
        let admin = Admin::over(cluster);
        let outcome = match member {
            Some(member) => {
                let epoch = member.generation_or_epoch();
                admin
                    .group_offsets_of_member(&group, &asked, member.member_id, epoch)
                    .await
            }
            None => admin.group_offsets(&group, Some(&asked), true).await,
        };
        let _ = events.send(Event::Committed { asked, outcome });
    });
}

/// Which topics a refresh is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Wanted,
    All,
}

pub(super) fn refresh(cluster: Cluster, events: Events, scope: Scope) {
    tokio::spawn(async move {
        let deadline = cluster.default_deadline();
        let outcome = match scope {
            Scope::Wanted => cluster.refresh(deadline).await,
            Scope::All => cluster.all_topics(deadline).await,
        };
        let _ = events.send(Event::Refreshed(outcome.map(drop)));
    });
}
