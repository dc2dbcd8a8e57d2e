//! What is committed, when, and by whom.

use super::*;

#[test]
fn a_successor_goes_on_where_the_group_has_committed() {
    story(|broker| async move {
        let (topic, group) = (unique("committed"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..20).await;
        let given = [
            ("group.id", &*group),
            ("enable.auto.commit", "false"),
            ("max.poll.records", "5"),
        ];
        let at = partition(&topic, 0);

        let mut first = broker.consumer(&given).await;
        first.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 5).await;
        first.commit_sync(None).await.unwrap();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 10).await;
        let committed = first.committed(std::slice::from_ref(&at)).await.unwrap();
        assert_eq!(committed[0].1.offset, 5);
        first.close(PATIENCE).await;

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut second], &mut read, |_, read| !read.is_empty()).await;
        assert_eq!(
            read,
            [5, 6, 7, 8, 9],
            "what was read and not committed comes again"
        );
        second
            .commit_async(None)
            .await
            .unwrap()
            .done()
            .await
            .unwrap();
        let committed = second.committed(&[at]).await.unwrap();
        assert_eq!(committed[0].1.offset, 10);
        second.close(PATIENCE).await;
    });
}

/// Begins at 7 and ends at 9.
struct Chooser;

impl RebalanceListener for Chooser {
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        partitions.iter().map(|at| (at.clone(), 7)).collect()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        partitions.iter().map(|at| (at.clone(), 9)).collect()
    }
}

#[test]
fn a_listener_chooses_where_to_begin_and_what_is_committed_last() {
    story(|broker| async move {
        let (topic, group) = (unique("listened"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..20).await;
        let mut consumer = broker.consumer(&[("group.id", &*group)]).await;
        consumer.set_rebalance_listener(Box::new(Chooser));
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| !read.is_empty()).await;
        assert_eq!(read[0], 7);
        consumer.close(PATIENCE).await;
        let admin = broker.admin().await;
        let offsets = admin.group_offsets(&group, None, false).await.unwrap();
        assert_eq!(offsets[0].1.clone().unwrap().offset, 9);
    });
}

#[test]
fn callbacks_come_in_the_order_of_the_commits_and_before_a_later_one_returns() {
    story(|broker| async move {
        let (topic, group) = (unique("callbacks"), unique("group"));
        broker.create(&topic, 1).await;
        let mut consumer = broker.consumer(&[("group.id", &*group)]).await;
        let at = partition(&topic, 0);
        consumer.assign([at.clone()]).unwrap();
        let told: Arc<Mutex<Vec<i64>>> = Arc::default();
        for offset in 1..=50 {
            let told = told.clone();
            consumer
                .commit_async_then(
                    Some(&[(at.clone(), NewOffset::at(offset))]),
                    move |offsets, outcome| {
                        outcome.unwrap();
                        told.lock().unwrap().push(offsets[0].1.offset);
                    },
                )
                .await
                .unwrap();
        }
        consumer
            .commit_sync(Some(&[(at.clone(), NewOffset::at(51))]))
            .await
            .unwrap();
        assert!(told.lock().unwrap().iter().copied().eq(1..=50));
        let committed = consumer.committed(&[at]).await.unwrap();
        assert_eq!(committed[0].1.offset, 51);
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn closing_waits_for_commits_that_are_on_their_way() {
    story(|broker| async move {
        let (topic, group) = (unique("pending"), unique("group"));
        broker.create(&topic, 1).await;
        let given = [("group.id", &*group), ("enable.auto.commit", "false")];
        let mut consumer = broker.consumer(&given).await;
        let at = partition(&topic, 0);
        consumer.assign([at.clone()]).unwrap();
        let new = [(at, NewOffset::at(5))];
        let pending = consumer.commit_async(Some(&new)).await.unwrap();
        consumer.close(PATIENCE).await;
        let admin = broker.admin().await;
        let offsets = admin.group_offsets(&group, None, true).await.unwrap();
        assert_eq!(offsets[0].1.clone().unwrap().offset, 5);
        pending.done().await.unwrap();
    });
}

#[test]
fn between_two_generations_nothing_is_committed_and_afterwards_it_can_be() {
    story(|broker| async move {
        let (topic, group) = (unique("between"), unique("group"));
        broker.create(&topic, 2).await;
        broker.produce(&topic, 2, 0..10).await;
        let given = [
            ("group.id", &*group),
            ("enable.auto.commit", "false"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ];
        let mut consumer = broker.consumer(&given).await;
        consumer.subscribe([&*topic]).await.unwrap();
        let none = consumer.commit_sync(None).await;
        assert!(
            matches!(none, Err(ConsumerError::CommitFailed(_))),
            "no member yet: {none:?}"
        );
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;

        // What happens to the membership is looked at in polls only.
        let mut other = broker.consumer(&given).await;
        other.subscribe([&*topic]).await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        let refused = loop {
            assert!(Instant::now() < deadline);
            other.poll(Duration::ZERO).await.unwrap();
            consumer.poll(Duration::ZERO).await.unwrap();
            if let Err(error) = consumer.commit_sync(None).await {
                break error;
            }
        };
        assert_eq!(refused, ConsumerError::RebalanceInProgress);
        assert!(refused.may_pass());
        // Who has let a partition go joins once more, and is a member again once it has looked at the answer.
        loop {
            assert!(Instant::now() < deadline);
            poll_until(&mut [&mut consumer, &mut other], &mut read, |both, _| {
                both.iter().all(|consumer| assigned(consumer).len() == 1)
            })
            .await;
            match consumer.commit_sync(None).await {
                Err(ConsumerError::RebalanceInProgress) => consumer.poll(A_WHILE).await.unwrap(),
                outcome => break outcome.unwrap(),
            };
        }
        other.close(PATIENCE).await;
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn a_member_that_was_removed_hears_of_it_by_its_commit() {
    story(|broker| async move {
        let (topic, group) = (unique("removed"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let given = [
            ("group.id", &*group),
            ("enable.auto.commit", "false"),
            // Heartbeats will not tell before the test ends.
            ("heartbeat.interval.ms", "40000"),
        ];
        let (mut consumer, diary) = (broker.consumer(&given).await, Diary::default());
        consumer.set_rebalance_listener(Box::new(diary.clone()));
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| !read.is_empty()).await;

        let admin = broker.admin().await;
        let described = admin
            .describe_groups(std::slice::from_ref(&group))
            .await
            .unwrap();
        let member = described[0].1.as_ref().unwrap().members[0].id.clone();
        let removed = [MemberToRemove::Member(member)];
        admin
            .remove_members(&group, &removed, "test")
            .await
            .unwrap();
        let refused = consumer.commit_sync(None).await;
        assert!(
            matches!(refused, Err(ConsumerError::CommitFailed(_))),
            "{refused:?}"
        );
        poll_until(&mut [&mut consumer], &mut read, |_, _| {
            diary.lines().len() >= 3
        })
        .await;
        let expected = ["assigned [0]", "lost [0]", "assigned [0]"];
        assert_eq!(diary.lines()[..3], expected);
        consumer.close(PATIENCE).await;
    });
}
