//! Where partitions are read.

use super::*;

#[test]
fn positions_can_be_sought_by_offset_edge_and_time() {
    story(|broker| async move {
        let topic = unique("sought");
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..100).await;
        let at = partition(&topic, 0);
        let mut consumer = broker.consumer(&[]).await;
        consumer.assign([at.clone()]).unwrap();
        let first = async |consumer: &mut Consumer| {
            let mut read = Vec::new();
            poll_until(&mut [consumer], &mut read, |_, read| !read.is_empty()).await;
            read[0]
        };
        assert_eq!(first(&mut consumer).await, 0);
        assert_eq!(consumer.position(&at).unwrap(), Some(100));
        assert_eq!(consumer.lag(&at).unwrap().records, 0);
        consumer.seek(&at, 42).unwrap();
        assert_eq!(first(&mut consumer).await, 42);
        consumer.seek_to_beginning(&at).unwrap();
        assert_eq!(first(&mut consumer).await, 0);
        consumer.seek_to_end(&at).unwrap();
        assert!(consumer.poll(A_WHILE).await.unwrap().is_empty());
        broker.produce(&topic, 1, 100..101).await;
        assert_eq!(first(&mut consumer).await, 100);

        let found = consumer
            .offsets_for_times(&[(at.clone(), 77)])
            .await
            .unwrap();
        assert_eq!(found[0].1.unwrap().offset, Some(77));
        let none = consumer
            .offsets_for_times(&[(at.clone(), 1000)])
            .await
            .unwrap();
        assert_eq!(none[0].1, None);
        let partitions = [at.clone()];
        assert_eq!(
            consumer.beginning_offsets(&partitions).await.unwrap()[0].1,
            0
        );
        assert_eq!(consumer.end_offsets(&partitions).await.unwrap()[0].1, 101);

        consumer.seek(&at, 5000).unwrap();
        assert_eq!(
            first(&mut consumer).await,
            0,
            "auto.offset.reset is earliest"
        );
        let stranger = partition(&topic, 7);
        let refused = consumer.seek(&stranger, 0);
        assert_eq!(refused, Err(ConsumerError::NotAssigned(stranger)));
    });
}

#[test]
fn without_a_rule_where_to_begin_the_application_is_told() {
    story(|broker| async move {
        let (topic, group) = (unique("unruled"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let given = [("auto.offset.reset", "none"), ("group.id", &*group)];
        let mut consumer = broker.consumer(&given).await;
        let at = partition(&topic, 0);
        consumer.assign([at.clone()]).unwrap();
        let outcome = consumer.poll(PATIENCE).await;
        assert_eq!(outcome, Err(ConsumerError::NoOffset(at.clone())));
        consumer.seek(&at, 5000).unwrap();
        let outcome = consumer.poll(PATIENCE).await;
        assert!(
            matches!(outcome, Err(ConsumerError::OutOfRange { offset: 5000, .. })),
            "{outcome:?}"
        );
        consumer.seek(&at, 3).unwrap();
        assert_eq!(consumer.poll(PATIENCE).await.unwrap()[0].offset, 3);
    });
}

#[test]
fn a_paused_partition_rests_until_it_is_resumed() {
    story(|broker| async move {
        let topic = unique("paused");
        broker.create(&topic, 2).await;
        broker.produce(&topic, 2, 0..100).await;
        let mut consumer = broker.consumer(&[("max.poll.records", "10")]).await;
        let resting = partition(&topic, 0);
        consumer
            .assign([resting.clone(), partition(&topic, 1)])
            .unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| !read.is_empty()).await;
        consumer.pause(&resting).unwrap();
        let odd = |read: &[i32]| read.iter().filter(|number| *number % 2 == 1).count();
        let even_before = read.len() - odd(&read);
        poll_until(&mut [&mut consumer], &mut read, |_, read| odd(read) == 50).await;
        assert_eq!(read.len() - odd(&read), even_before);
        consumer.resume(&resting).unwrap();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() >= 100).await;
        read.sort_unstable();
        assert!(read.into_iter().eq(0..100));
    });
}
