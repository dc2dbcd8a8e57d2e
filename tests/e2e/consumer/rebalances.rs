//! Rebalances with every kind of assignor, and what listeners hear of them.

use std::sync::Arc;

use bytes::Bytes;

use ottla_client::consumer::{
    Assigned, Assignment, AssignorError, GroupMember, GroupProtocol, LastAssignment,
    PartitionAssignor, Topics,
};
use ottla_protocol::errors::ErrorCode;

use super::*;

const COOPERATIVE: (&str, &str) = (
    "partition.assignment.strategy",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
);

#[test]
fn a_cooperative_member_reads_on_and_lets_go_only_what_goes_to_another() {
    reads_on_and_lets_go_what_goes_to_another(COOPERATIVE);
}

#[test]
fn so_does_a_member_whose_coordinator_assigns() {
    reads_on_and_lets_go_what_goes_to_another(COORDINATED);
}

fn reads_on_and_lets_go_what_goes_to_another(protocol: (&'static str, &'static str)) {
    story(|broker| async move {
        let (topic, group) = (unique("cooperative"), unique("group"));
        broker.create(&topic, 4).await;
        broker.produce(&topic, 4, 0..1000).await;
        let given = [("group.id", &*group), protocol];
        let mut read = Vec::new();

        let (mut first, diary) = (broker.consumer(&given).await, Diary::default());
        first.set_rebalance_listener(Box::new(diary.clone()));
        first.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 1000).await;
        assert_eq!(diary.lines(), ["assigned [0, 1, 2, 3]"]);

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first, &mut second], &mut read, |both, _| {
            assert!(assigned(&*both[0]).len() >= 2, "what stays is never let go");
            both.iter().all(|consumer| assigned(consumer).len() == 2)
        })
        .await;
        broker.produce(&topic, 4, 1000..2000).await;
        poll_until(&mut [&mut first, &mut second], &mut read, |_, read| {
            read.len() >= 2000
        })
        .await;
        let expected = format!("revoked {:?}", assigned(&second));
        assert!(diary.lines().contains(&expected), "{:?}", diary.lines());

        second.close(PATIENCE).await;
        poll_until(&mut [&mut first], &mut read, |all, _| {
            assigned(all[0]) == [0, 1, 2, 3]
        })
        .await;
        first.close(PATIENCE).await;
        let lines = diary.lines();
        let revoked: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("revoked"))
            .collect();
        assert_eq!(revoked, [&*expected, "revoked [0, 1, 2, 3]"]);

        assert_eq!(read.len(), 2000, "nothing twice");
        read.sort_unstable();
        assert!(read.into_iter().eq(0..2000));
    });
}

#[test]
fn a_cooperative_member_lets_go_a_topic_that_it_no_longer_wants_and_keeps_the_other() {
    lets_go_what_it_no_longer_wants(COOPERATIVE);
}

#[test]
fn a_member_whose_coordinator_assigns_lets_go_what_it_no_longer_wants() {
    lets_go_what_it_no_longer_wants(COORDINATED);
}

fn lets_go_what_it_no_longer_wants(protocol: (&'static str, &'static str)) {
    story(|broker| async move {
        let (wanted, unwanted, group) = (unique("wanted"), unique("unwanted"), unique("group"));
        for topic in [&wanted, &unwanted] {
            broker.create(topic, 1).await;
            broker.produce(topic, 1, 0..10).await;
        }
        let (mut consumer, diary) = (
            broker.consumer(&[("group.id", &*group), protocol]).await,
            Topical::default(),
        );
        consumer.set_rebalance_listener(Box::new(diary.clone()));
        consumer.subscribe([&*wanted, &*unwanted]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 20).await;
        consumer.subscribe([&*wanted]).await.unwrap();
        poll_until(&mut [&mut consumer], &mut read, |_, _| {
            diary.lines().len() == 3
        })
        .await;
        assert_eq!(
            diary.lines(),
            [
                format!("assigned {:?}", [&unwanted, &wanted]),
                format!("revoked {:?}", [&unwanted]),
                "assigned []".to_owned(),
            ]
        );
        let at = partition(&unwanted, 0);
        let committed = consumer.committed(&[at]).await.unwrap();
        assert_eq!(committed[0].1.offset, 10, "committed before it was let go");
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn an_eager_listener_hears_of_every_rebalance() {
    story(|broker| async move {
        let (topic, group) = (unique("eager"), unique("group"));
        broker.create(&topic, 2).await;
        let strategy = ("partition.assignment.strategy", "sticky,roundrobin");
        let given = [("group.id", &*group), strategy];
        let (mut first, diary) = (broker.consumer(&given).await, Diary::default());
        first.set_rebalance_listener(Box::new(diary.clone()));
        first.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut first], &mut read, |all, _| {
            assigned(all[0]) == [0, 1]
        })
        .await;
        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first, &mut second], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 1)
        })
        .await;
        let kept = assigned(&first);
        assert_eq!(
            diary.lines(),
            [
                "assigned [0, 1]".to_owned(),
                "revoked [0, 1]".to_owned(),
                format!("assigned {kept:?}"),
            ]
        );
        second.close(PATIENCE).await;
        first.close(PATIENCE).await;
    });
}

#[test]
fn a_group_goes_by_an_assignor_that_all_members_know() {
    story(|broker| async move {
        let (topic, group) = (unique("several"), unique("group"));
        broker.create(&topic, 2).await;
        let consumer = async |strategy| {
            let strategy = ("partition.assignment.strategy", strategy);
            let mut consumer = broker.consumer(&[("group.id", &*group), strategy]).await;
            consumer.subscribe([&*topic]).await.unwrap();
            consumer
        };
        let mut first = consumer("range,sticky").await;
        let mut second = consumer("roundrobin,sticky").await;
        let mut read = Vec::new();
        poll_until(&mut [&mut first, &mut second], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 1)
        })
        .await;
        let described = broker
            .admin()
            .await
            .describe_groups(std::slice::from_ref(&group))
            .await
            .unwrap();
        assert_eq!(described[0].1.as_ref().unwrap().assignor, "sticky");

        let mut stranger = consumer("roundrobin").await;
        let refused = stranger.poll(PATIENCE).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::InconsistentGroupProtocol));
        stranger.close(PATIENCE).await;
        first.close(PATIENCE).await;
        second.close(PATIENCE).await;
    });
}

/// Gives everything to the member whose user data is the greatest.
#[derive(Debug)]
struct Highest {
    bid: u8,
    heard: Mutex<Vec<(Assigned, i32)>>,
}

impl Highest {
    fn of(bid: u8) -> Arc<Self> {
        Arc::new(Self {
            bid,
            heard: Mutex::default(),
        })
    }
}

impl PartitionAssignor for Highest {
    fn name(&self) -> &str {
        "highest-bid"
    }

    fn user_data(&self, _last: Option<&LastAssignment>) -> Option<Bytes> {
        Some(vec![self.bid].into())
    }

    fn assign(
        &self,
        topics: &Topics,
        members: &[GroupMember],
    ) -> Result<Assignment, AssignorError> {
        let highest = members.iter().max_by_key(|member| member.user_data.clone());
        let highest = highest.ok_or_else(|| AssignorError("nobody bids".to_owned()))?;
        let mut all = Assigned {
            user_data: Some(Bytes::from_static(b"yours")),
            ..Assigned::default()
        };
        for (topic, racks) in topics {
            let indexes = (0..).zip(racks).map(|(index, _)| index);
            all.partitions
                .extend(indexes.map(|index| partition(topic, index)));
        }
        Ok(Assignment::from([(highest.id.clone(), all)]))
    }

    fn on_assignment(&self, assigned: &Assigned, generation: i32) {
        self.heard
            .lock()
            .unwrap()
            .push((assigned.clone(), generation));
    }
}

#[test]
fn an_application_can_bring_its_own_assignor() {
    story(|broker| async move {
        let (topic, group) = (unique("own"), unique("group"));
        broker.create(&topic, 3).await;
        let consumer = async |assignor: Arc<Highest>| {
            let mut settings = broker.consumer_settings(&[("group.id", &*group)]);
            let protocol = settings.group.as_mut().map(|group| &mut group.protocol);
            if let Some(GroupProtocol::Classic(classic)) = protocol {
                classic.assignors = vec![assignor];
            }
            let cluster = broker.cluster(ClientKind::Consumer).await;
            let mut consumer = Consumer::start(cluster, settings);
            consumer.subscribe([&*topic]).await.unwrap();
            consumer
        };
        let (low, high) = (Highest::of(1), Highest::of(2));
        let mut first = consumer(low.clone()).await;
        let mut second = consumer(high.clone()).await;
        let mut read = Vec::new();
        poll_until(&mut [&mut first, &mut second], &mut read, |both, _| {
            assigned(&*both[0]).is_empty() && assigned(&*both[1]) == [0, 1, 2]
        })
        .await;
        let (last, _) = high.heard.lock().unwrap().last().cloned().unwrap();
        assert_eq!(last.user_data.as_deref(), Some(&b"yours"[..]));
        let (last, _) = low.heard.lock().unwrap().last().cloned().unwrap();
        assert_eq!(last, Assigned::default());
        second.close(PATIENCE).await;
        first.close(PATIENCE).await;
    });
}

/// Writes down topics instead of partitions.
#[derive(Clone, Default)]
struct Topical(Arc<Mutex<Vec<String>>>);

impl Topical {
    fn note(&self, what: &str, partitions: &[TopicPartition]) {
        let topics: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        self.0.lock().unwrap().push(format!("{what} {topics:?}"));
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl RebalanceListener for Topical {
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.note("assigned", partitions);
        Vec::new()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.note("revoked", partitions);
        Vec::new()
    }
}
