//! The consumer in a group whose coordinator assigns, against a coordinator that does as the test says.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{ConsumerGroupHeartbeatRequest, OffsetCommitRequest, OffsetFetchRequest},
};

use crate::{admin::NewOffset, cluster::lock, config::ClientKind, testing::Incoming};

use super::*;

mod fake;

use fake::Group;

const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until the condition holds.
async fn until(consumer: &mut Consumer, mut holds: impl FnMut(&Consumer) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(consumer) {
        assert!(Instant::now() < deadline, "in vain: {consumer:?}");
        let polled = consumer.poll(Duration::from_millis(5)).await;
        assert!(polled.unwrap().is_empty());
    }
}

fn reads(consumer: &Consumer, partitions: &[i32]) -> bool {
    let wanted = partitions.iter().map(|p| TopicPartition::new("t", *p));
    consumer.assignment().cloned().eq(wanted)
        && consumer
            .assignment()
            .all(|at| consumer.position(at) == Ok(Some(7)))
}

/// Writes down what it hears.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Listener {
    fn hears(&self, what: &str, partitions: &[TopicPartition]) {
        let numbers: Vec<String> = partitions
            .iter()
            .map(|at| at.partition.to_string())
            .collect();
        lock(&self.0).push(format!("{what} {}", numbers.join(",")));
    }

    fn heard(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

impl RebalanceListener for Listener {
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.hears("assigned", partitions);
        Vec::new()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.hears("revoked", partitions);
        Vec::new()
    }

    fn on_lost(&mut self, partitions: &[TopicPartition]) {
        self.hears("lost", partitions);
    }
}

/// A subscribed consumer with partitions 0 and 1 and their positions.
async fn member(group: &Group) -> (Consumer, Listener) {
    let mut consumer = group.consumer();
    let listener = Listener::default();
    consumer.set_rebalance_listener(Box::new(listener.clone()));
    group.assigns(1, &[0, 1]);
    consumer.subscribe(["t"]).await.unwrap();
    until(&mut consumer, |consumer| reads(consumer, &[0, 1])).await;
    (consumer, listener)
}

#[tokio::test]
async fn what_is_given_up_is_committed_before_that_is_acknowledged_and_the_rest_is_read_on() {
    let group = Group::new().await;
    let (mut consumer, listener) = member(&group).await;
    group.assigns(2, &[1]);
    until(&mut consumer, |_| {
        group.acknowledged().ends_with(&[vec![1]])
    })
    .await;
    assert!(reads(&consumer, &[1]), "{consumer:?}");
    group.assigns(3, &[1, 2]);
    until(&mut consumer, |consumer| reads(consumer, &[1, 2])).await;
    until(&mut consumer, |_| group.acknowledged().len() == 4).await;
    assert_eq!(
        group.acknowledged(),
        [vec![], vec![0, 1], vec![1], vec![1, 2]]
    );
    assert_eq!(
        listener.heard(),
        ["assigned 0,1", "revoked 0", "assigned ", "assigned 2"]
    );
    let seen = lock(&group.seen).clone();
    let committed_at = seen.iter().position(|r| r.is::<OffsetCommitRequest>());
    let acknowledged_at = seen.iter().rposition(|r| {
        r.is::<ConsumerGroupHeartbeatRequest>()
            && r.body::<ConsumerGroupHeartbeatRequest>()
                .topic_partitions
                .is_some_and(|topics| topics.len() == 1 && topics[0].partitions == [1])
    });
    assert!(committed_at.unwrap() < acknowledged_at.unwrap());
}

#[tokio::test]
async fn before_it_takes_an_assignment_over_a_member_commits_all_that_it_has_read() {
    let group = Group::new().await;
    let (mut consumer, _) = member(&group).await;
    group.assigns(2, &[0, 1, 2]);
    until(&mut consumer, |consumer| reads(consumer, &[0, 1, 2])).await;
    assert_eq!(group.committed(), [[0, 1]]);
    group.assigns(3, &[2]);
    // What is given up is not read any more long before that.
    until(&mut consumer, |_| {
        group.acknowledged().ends_with(&[vec![2]])
    })
    .await;
    assert!(reads(&consumer, &[2]), "{consumer:?}");
    assert_eq!(group.committed(), [vec![0, 1], vec![0, 1, 2]]);
}

#[tokio::test]
async fn a_group_whose_coordinator_moves_goes_on_there() {
    let group = Group::new().await;
    let (mut consumer, listener) = member(&group).await;
    lock(&group.script).has_moved = true;
    consumer.commit_sync(None).await.unwrap();
    let heartbeats = || -> Vec<ConsumerGroupHeartbeatRequest> {
        let seen = lock(&group.seen_there);
        let heartbeats = seen
            .iter()
            .filter(|r| r.is::<ConsumerGroupHeartbeatRequest>());
        heartbeats.map(Incoming::body).collect()
    };
    until(&mut consumer, |_| heartbeats().len() >= 2).await;
    assert!(heartbeats().iter().all(|said| said.member_epoch == 1));
    let seen = lock(&group.seen_there).clone();
    let commits = seen.iter().filter(|r| r.is::<OffsetCommitRequest>());
    assert_eq!(commits.count(), 1);
    assert_eq!(listener.heard(), ["assigned 0,1"], "and nothing else");
}

#[tokio::test]
async fn closing_commits_and_says_farewell() {
    let group = Group::new().await;
    let (consumer, listener) = member(&group).await;
    consumer.close(PATIENCE).await;
    assert_eq!(group.epochs_of_commits(), [1]);
    assert_eq!(group.heartbeats().last().unwrap().member_epoch, -1);
    assert_eq!(listener.heard(), ["assigned 0,1", "revoked 0,1"]);
}

#[tokio::test]
async fn a_commit_that_an_epoch_overtook_is_sent_again_with_the_new_one() {
    let group = Group::new().await;
    let (mut consumer, _) = member(&group).await;
    lock(&group.script).stale_before = 2;
    let committing = tokio::spawn(async move { consumer.commit_sync(None).await });
    let deadline = Instant::now() + PATIENCE;
    while group.commits().is_empty() {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    lock(&group.script).epoch = 2;
    committing.await.unwrap().unwrap();
    let commits = group.epochs_of_commits();
    assert_eq!((commits.first(), commits.last()), (Some(&1), Some(&2)));
}

#[tokio::test]
async fn a_commit_whose_epoch_stays_stale_fails_when_time_is_up() {
    let group = Group::new().await;
    let (mut consumer, _) = member(&group).await;
    lock(&group.script).stale_before = 2;
    let offsets = [(TopicPartition::new("t", 0), NewOffset::at(8))];
    let outcome = consumer.commit_async(Some(&offsets)).await.unwrap();
    let error = outcome.done().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::StaleMemberEpoch));
    assert!(matches!(error, ConsumerError::CommitFailed(_)), "{error}");
}

#[tokio::test]
async fn committed_offsets_are_asked_for_in_the_members_epoch_and_again_where_it_was_stale() {
    let group = Group::new().await;
    lock(&group.script).stale_before = 2;
    group.assigns(1, &[0]);
    let mut consumer = group.consumer();
    consumer.subscribe(["t"]).await.unwrap();
    let is_asked = |group: &Group| {
        let seen = lock(&group.seen);
        seen.iter().any(|r| r.is::<OffsetFetchRequest>())
    };
    until(&mut consumer, |_| is_asked(&group)).await;
    lock(&group.script).epoch = 2;
    until(&mut consumer, |consumer| reads(consumer, &[0])).await;
    let seen = lock(&group.seen).clone();
    let mut asked = seen.iter().filter(|r| r.is::<OffsetFetchRequest>());
    let first = asked.next().unwrap().body::<OffsetFetchRequest>();
    assert_eq!(first.groups[0].member_epoch, 1);
    assert_eq!(
        first.groups[0].member_id.as_ref(),
        Some(&group.heartbeats()[0].member_id)
    );
}

#[tokio::test]
async fn a_fenced_member_has_lost_its_partitions_and_joins_anew() {
    let group = Group::new().await;
    let (mut consumer, listener) = member(&group).await;
    group.assigns(5, &[3]);
    lock(&group.script)
        .refusals
        .push_back(ErrorCode::FencedMemberEpoch);
    until(&mut consumer, |consumer| reads(consumer, &[3])).await;
    assert_eq!(listener.heard(), ["assigned 0,1", "lost 0,1", "assigned 3"]);
    assert_eq!(group.commits().len(), 0, "it may not commit any more");
    let joins = group.heartbeats();
    let joins = joins.iter().filter(|heartbeat| heartbeat.member_epoch == 0);
    assert_eq!(joins.count(), 2);
}

#[tokio::test]
async fn topics_that_only_the_coordinator_knows_to_fit_are_looked_up_by_their_ids() {
    let group = Group::new().await;
    lock(&group.script).is_hidden = true;
    group.assigns(1, &[2]);
    let mut consumer = group.consumer();
    consumer.subscribe_regex("t.*").unwrap();
    until(&mut consumer, |consumer| {
        consumer.assignment().eq([&TopicPartition::new("t", 2)])
    })
    .await;
    let first = &group.heartbeats()[0];
    assert_eq!(first.subscribed_topic_regex.as_deref(), Some("t.*"));
    assert_eq!(first.subscribed_topic_names, Some(vec![]));
}

#[tokio::test]
async fn another_subscription_is_told_without_giving_anything_up() {
    let group = Group::new().await;
    let (mut consumer, listener) = member(&group).await;
    consumer.subscribe(["t", "u"]).await.unwrap();
    let told = |group: &Group| {
        let heartbeats = group.heartbeats();
        let names = heartbeats
            .into_iter()
            .filter_map(|h| h.subscribed_topic_names);
        names.last().is_some_and(|names| names == ["t", "u"])
    };
    until(&mut consumer, |_| told(&group)).await;
    assert!(reads(&consumer, &[0, 1]));
    assert_eq!(listener.heard(), ["assigned 0,1"]);
}

#[tokio::test]
async fn what_the_coordinator_refuses_for_good_every_poll_says() {
    let group = Group::new().await;
    let refusals = [ErrorCode::UnreleasedInstanceId, ErrorCode::InvalidRequest];
    lock(&group.script).refusals.extend(refusals);
    let mut consumer = group.consumer();
    consumer.subscribe(["t"]).await.unwrap();
    for _ in 0..2 {
        let error = consumer.poll(PATIENCE).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::UnreleasedInstanceId));
    }
    assert_eq!(group.heartbeats().len(), 1);
}

#[tokio::test]
async fn a_classic_group_evaluates_no_regular_expressions() {
    let group = Group::new().await;
    let settings = ClientKind::Consumer.settings([("group.id", "g")]).unwrap();
    let settings = ConsumerSettings::from_config(&settings).unwrap();
    let mut consumer = Consumer::start(group.cluster.clone(), settings);
    let error = consumer.subscribe_regex("t.*").unwrap_err().to_string();
    assert!(error.contains("group.protocol=consumer"), "{error}");
}
