//! Members with a lasting name.

use super::*;

#[test]
fn a_static_member_comes_back_to_its_partitions_and_fences_who_it_was() {
    story(|broker| async move {
        let (topic, group) = (unique("static"), unique("group"));
        broker.create(&topic, 2).await;
        let given = |instance: &'static str| {
            [
                ("group.id", group.clone()),
                ("group.instance.id", instance.to_owned()),
            ]
        };
        let mut members = BTreeMap::new();
        for instance in ["a", "b"] {
            let given = given(instance);
            let given: Vec<(&str, &str)> = given.iter().map(|(k, v)| (*k, &**v)).collect();
            let mut consumer = broker.consumer(&given).await;
            consumer.subscribe([&*topic]).await.unwrap();
            members.insert(instance, consumer);
        }
        let (mut a, mut b) = (members.remove("a").unwrap(), members.remove("b").unwrap());
        let mut read = Vec::new();
        poll_until(&mut [&mut a, &mut b], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 1)
        })
        .await;
        let before = assigned(&b);

        let again = given("b");
        let again: Vec<(&str, &str)> = again.iter().map(|(k, v)| (*k, &**v)).collect();
        let mut successor = broker.consumer(&again).await;
        successor.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut a, &mut successor], &mut read, |both, _| {
            assigned(both[1]) == before
        })
        .await;
        let deadline = Instant::now() + PATIENCE;
        let fenced = loop {
            assert!(Instant::now() < deadline);
            if let Err(error) = b.poll(A_WHILE).await {
                break error;
            }
        };
        assert_eq!(fenced, ConsumerError::Fenced("b".to_owned()));
        a.close(PATIENCE).await;
        successor.close(PATIENCE).await;
    });
}

#[test]
fn a_static_member_that_comes_back_in_time_costs_the_others_no_rebalance() {
    comes_back_in_time(("group.protocol", "classic"));
}

#[test]
fn nor_does_it_where_the_coordinator_assigns() {
    comes_back_in_time(COORDINATED);
}

fn comes_back_in_time(protocol: (&'static str, &'static str)) {
    story(|broker| async move {
        let (topic, group) = (unique("patient"), unique("group"));
        broker.create(&topic, 2).await;
        let consumer = async |instance| {
            let given = [
                ("group.id", &*group),
                ("group.instance.id", instance),
                protocol,
            ];
            let mut consumer = broker.consumer(&given).await;
            consumer.subscribe([&*topic]).await.unwrap();
            consumer
        };
        let (mut stays, diary) = (consumer("stays").await, Diary::default());
        stays.set_rebalance_listener(Box::new(diary.clone()));
        let mut leaves = consumer("leaves").await;
        let mut read = Vec::new();
        poll_until(&mut [&mut stays, &mut leaves], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 1)
        })
        .await;
        let (before, told) = (assigned(&leaves), diary.lines());
        leaves.close(PATIENCE).await;

        let mut back = consumer("leaves").await;
        poll_until(&mut [&mut stays, &mut back], &mut read, |both, _| {
            assigned(both[1]) == before
        })
        .await;
        assert_eq!(diary.lines(), told, "the other has noticed nothing");
        back.close(PATIENCE).await;
        stays.close(PATIENCE).await;
    });
}

#[test]
fn who_is_fenced_has_lost_its_partitions_and_commits_nothing() {
    story(|broker| async move {
        let (topic, group) = (unique("fenced"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let given = [("group.id", &*group), ("group.instance.id", "twin")];
        let (mut first, diary) = (broker.consumer(&given).await, Diary::default());
        first.set_rebalance_listener(Box::new(diary.clone()));
        first.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut first], &mut read, |_, read| !read.is_empty()).await;

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut second], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;
        let fenced = ConsumerError::Fenced("twin".to_owned());
        let committed = first.commit_sync(None).await;
        assert_eq!(committed, Err(fenced.clone()));
        let deadline = Instant::now() + PATIENCE;
        while first.poll(A_WHILE).await != Err(fenced.clone()) {
            assert!(Instant::now() < deadline);
        }
        assert_eq!(diary.lines(), ["assigned [0]", "lost [0]"]);
        assert!(assigned(&first).is_empty());
        assert_eq!(first.poll(A_WHILE).await, Err(fenced), "for good");
        first.close(PATIENCE).await;
        second.close(PATIENCE).await;
    });
}
