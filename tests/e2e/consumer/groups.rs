//! Groups that share and hand over.

use super::*;

#[test]
fn members_share_partitions_and_hand_them_over_without_losing_or_repeating_a_record() {
    story(|broker| async move {
        let (topic, group) = (unique("shared"), unique("group"));
        broker.create(&topic, 4).await;
        broker.produce(&topic, 4, 0..1000).await;
        let given = [("group.id", &*group)];
        let mut read = Vec::new();

        let mut first = broker.consumer(&given).await;
        first.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 1000).await;
        assert_eq!(assigned(&first), [0, 1, 2, 3]);

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first, &mut second], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 2)
        })
        .await;
        broker.produce(&topic, 4, 1000..2000).await;
        poll_until(&mut [&mut first, &mut second], &mut read, |_, read| {
            read.len() >= 2000
        })
        .await;

        first.close(PATIENCE).await;
        broker.produce(&topic, 4, 2000..2100).await;
        poll_until(&mut [&mut second], &mut read, |_, read| read.len() >= 2100).await;
        assert_eq!(assigned(&second), [0, 1, 2, 3]);
        second.close(PATIENCE).await;

        assert_eq!(read.len(), 2100, "nothing twice");
        read.sort_unstable();
        assert!(read.into_iter().eq(0..2100));
    });
}

#[test]
fn a_pattern_takes_in_topics_that_are_made_later() {
    story(|broker| async move {
        let (prefix, group) = (unique("pattern"), unique("group"));
        let topic = |n: i32| format!("{prefix}-{n}");
        broker.create(&topic(1), 1).await;
        broker.produce(&topic(1), 1, 0..10).await;
        let given = [("group.id", &*group), ("metadata.max.age.ms", "100")];
        let mut consumer = broker.consumer(&given).await;
        let begins = prefix.clone();
        consumer
            .subscribe_pattern(Arc::new(move |name| name.starts_with(&begins)))
            .unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;
        broker.create(&topic(2), 1).await;
        broker.produce(&topic(2), 1, 10..20).await;
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 20).await;
        let topics: BTreeSet<&str> = consumer.assignment().map(|at| at.topic.as_str()).collect();
        assert_eq!(topics.len(), 2);
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn a_group_takes_in_partitions_that_are_added() {
    story(|broker| async move {
        let (topic, group) = (unique("growing"), unique("group"));
        broker.create(&topic, 1).await;
        let given = [("group.id", &*group), ("metadata.max.age.ms", "100")];
        let mut consumer = broker.consumer(&given).await;
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;
        let more = ottla_client::admin::NewPartitions {
            topic: topic.clone(),
            total: 3,
            assignments: None,
        };
        let admin = broker.admin().await;
        admin.create_partitions(&[more], false).await.unwrap()[0]
            .1
            .clone()
            .unwrap();
        poll_until(&mut [&mut consumer], &mut read, |all, _| {
            assigned(all[0]) == [0, 1, 2]
        })
        .await;
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn a_topic_that_does_not_exist_yet_is_read_once_it_does() {
    story(|broker| async move {
        let (topic, group) = (unique("later"), unique("group"));
        let given = [("group.id", &*group), ("allow.auto.create.topics", "false")];
        let mut consumer = broker.consumer(&given).await;
        consumer.subscribe([&*topic]).await.unwrap();
        assert!(consumer.poll(A_WHILE).await.unwrap().is_empty());
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn who_does_not_poll_loses_its_partitions_and_can_come_back() {
    loses_its_partitions_without_polls(("group.protocol", "classic"));
}

#[test]
fn so_does_who_is_assigned_to_by_the_coordinator() {
    loses_its_partitions_without_polls(COORDINATED);
}

fn loses_its_partitions_without_polls(protocol: (&'static str, &'static str)) {
    story(|broker| async move {
        let (topic, group) = (unique("idle"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..20).await;
        let given = [
            ("group.id", &*group),
            ("max.poll.interval.ms", "300"),
            ("enable.auto.commit", "false"),
            protocol,
        ];
        let mut idle = broker.consumer(&given).await;
        let diary = Diary::default();
        idle.set_rebalance_listener(Box::new(diary.clone()));
        idle.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut idle], &mut read, |_, read| !read.is_empty()).await;

        // Its place is free once the coordinator has heard the farewell: another gets the partition.
        let mut other = broker.consumer(&[("group.id", &*group), protocol]).await;
        other.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut other], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;
        let committed = idle.commit_sync(None).await;
        assert!(
            matches!(committed, Err(ConsumerError::CommitFailed(_))),
            "{committed:?}"
        );
        other.close(PATIENCE).await;

        poll_until(&mut [&mut idle], &mut read, |all, _| {
            diary.lines().len() > 2 && assigned(all[0]) == [0]
        })
        .await;
        // A coordinator that has just assigned takes its time before it does so again.
        let mut lines = diary.lines();
        lines.retain(|line| line != "assigned []");
        assert_eq!(lines, ["assigned [0]", "lost [0]", "assigned [0]"]);
        idle.close(PATIENCE).await;
    });
}
