//! Groups whose coordinator assigns (KIP-848). Stories that such a group shares with a classic one are told where that one's
//! are.

use ottla_protocol::errors::ErrorCode;

use super::*;

#[test]
fn a_regular_expression_is_evaluated_by_the_coordinator() {
    story(|broker| async move {
        let (prefix, group) = (unique("regex"), unique("group"));
        let topic = |name: &str| format!("{prefix}-{name}");
        for (name, numbers) in [("a1", 0..10), ("a2", 10..20), ("b1", 20..30)] {
            broker.create(&topic(name), 1).await;
            broker.produce(&topic(name), 1, numbers).await;
        }
        let mut consumer = broker.consumer(&[("group.id", &*group), COORDINATED]).await;
        consumer.subscribe_regex(topic("a[0-9]+")).unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 20).await;
        let topics: BTreeSet<&str> = consumer.assignment().map(|at| &*at.topic).collect();
        assert_eq!(topics, BTreeSet::from([&*topic("a1"), &*topic("a2")]));

        consumer.subscribe([topic("b1")]).await.unwrap();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 30).await;
        assert_eq!(consumer.assignment().count(), 1);
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn who_subscribes_to_what_is_no_expression_is_told_so() {
    story(|broker| async move {
        let group = unique("group");
        let mut consumer = broker.consumer(&[("group.id", &*group), COORDINATED]).await;
        consumer.subscribe_regex("a(").unwrap();
        let refused = consumer.poll(PATIENCE).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::InvalidRegularExpression));
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn who_comes_with_the_name_of_a_static_member_that_lives_is_refused() {
    story(|broker| async move {
        let (topic, group) = (unique("twins"), unique("group"));
        broker.create(&topic, 1).await;
        let given = [
            ("group.id", &*group),
            ("group.instance.id", "twin"),
            COORDINATED,
        ];
        let mut first = broker.consumer(&given).await;
        first.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut first], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        let refused = second.poll(PATIENCE).await.unwrap_err();
        assert_eq!(refused, ConsumerError::Unreleased("twin".to_owned()));
        second.close(PATIENCE).await;
        broker.produce(&topic, 1, 0..10).await;
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 10).await;
        first.close(PATIENCE).await;
    });
}

#[test]
fn closing_commits_and_leaves_at_once() {
    story(|broker| async move {
        let (topic, group) = (unique("leaving"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let mut consumer = broker.consumer(&[("group.id", &*group), COORDINATED]).await;
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;
        consumer.close(PATIENCE).await;
        let admin = broker.admin().await;
        let groups = std::slice::from_ref(&group);
        let described = admin.describe_groups(groups).await.unwrap();
        assert!(described[0].1.as_ref().unwrap().members.is_empty());
        let offsets = admin.group_offsets(&group, None, false).await.unwrap();
        assert_eq!(offsets[0].1.clone().unwrap().offset, 10);
    });
}
