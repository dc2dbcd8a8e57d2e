//! Producing in transactions, and consuming and producing together.

use tokio::sync::oneshot;

use ottla_client::cluster::Backoff;
use ottla_client::process::{Exchange, Output, ProcessSettings, Processed};
use ottla_client::producer::{ErrorClass, Transaction, TransactionError, TransactionalProducer};

use super::*;

const COMMITTED: (&str, &str) = ("isolation.level", "read_committed");

async fn transactional(
    broker: &Broker,
    id: &str,
    given: &[(&str, &str)],
) -> Result<TransactionalProducer, TransactionError> {
    let kind = ClientKind::Producer;
    let mut keys = vec![
        ("bootstrap.servers", &*broker.address),
        ("transactional.id", id),
    ];
    keys.extend(given);
    let settings = kind.settings(keys).unwrap();
    let settings = ProducerSettings::from_config(&settings).unwrap();
    TransactionalProducer::init(broker.cluster(kind).await, settings).await
}

async fn send(transaction: &Transaction<'_>, topic: &str, numbers: std::ops::Range<i32>) {
    for number in numbers {
        let value = number.to_string();
        let record = Record {
            topic,
            value: Some(value.as_bytes()),
            ..Record::default()
        };
        transaction.send(record).await.unwrap();
    }
}

/// What a reader of committed records gets until this holds.
async fn read_until(
    broker: &Broker,
    topic: &str,
    partitions: i32,
    holds: impl Fn(&[i32]) -> bool,
) -> Vec<i32> {
    let mut consumer = broker.consumer(&[COMMITTED]).await;
    let all = (0..partitions).map(|p| partition(topic, p));
    consumer.assign(all).unwrap();
    let mut read = Vec::new();
    poll_until(&mut [&mut consumer], &mut read, |_, read| holds(read)).await;
    consumer.close(PATIENCE).await;
    read
}

/// The same until a partition's last number is read.
async fn read_up_to(broker: &Broker, topic: &str, last: i32) -> Vec<i32> {
    read_until(broker, topic, 1, |read| read.contains(&last)).await
}

#[test]
fn a_transaction_is_read_whole_or_not_at_all() {
    story(async |broker| {
        let topic = unique("whole");
        broker.create(&topic, 1).await;
        let mut producer = transactional(&broker, &topic, &[]).await.unwrap();
        for (numbers, is_kept) in [(0..10, true), (10..20, false), (20..30, true)] {
            let transaction = producer.begin().await.unwrap();
            send(&transaction, &topic, numbers).await;
            match is_kept {
                true => transaction.commit().await.unwrap(),
                // On disk, and yet not to be read.
                false => {
                    transaction.flush().await;
                    transaction.abort().await.unwrap();
                }
            }
        }
        let dropped = producer.begin().await.unwrap();
        send(&dropped, &topic, 30..40).await;
        dropped.flush().await;
        drop(dropped);
        let transaction = producer.begin().await.unwrap();
        send(&transaction, &topic, 40..41).await;
        transaction.commit().await.unwrap();
        producer.close(PATIENCE).await;
        let expected: Vec<i32> = (0..10).chain(20..30).chain([40]).collect();
        assert_eq!(read_up_to(&broker, &topic, 40).await, expected);
    });
}

#[test]
fn the_next_producer_of_an_id_ends_what_the_last_one_has_left_open() {
    story(async |broker| {
        let topic = unique("fenced");
        broker.create(&topic, 1).await;
        let mut first = transactional(&broker, &topic, &[]).await.unwrap();
        let left_open = first.begin().await.unwrap();
        send(&left_open, &topic, 0..10).await;
        left_open.flush().await;

        let mut second = transactional(&broker, &topic, &[]).await.unwrap();
        let error = left_open.commit().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::ApplicationRecoverable, "{error}");
        assert_eq!(first.begin().await.unwrap_err(), error);
        let transaction = second.begin().await.unwrap();
        send(&transaction, &topic, 10..20).await;
        transaction.commit().await.unwrap();
        let expected: Vec<i32> = (10..20).collect();
        assert_eq!(read_up_to(&broker, &topic, 19).await, expected);
    });
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_readers_go_on() {
    story(async |broker| {
        let topic = unique("slow");
        broker.create(&topic, 1).await;
        let quick = [("transaction.timeout.ms", "1000")];
        let mut slow = transactional(&broker, &topic, &quick).await.unwrap();
        let transaction = slow.begin().await.unwrap();
        send(&transaction, &topic, 0..10).await;
        transaction.flush().await;
        broker.produce(&topic, 1, 10..11).await;
        assert_eq!(read_up_to(&broker, &topic, 10).await, [10]);
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Abortable, "{error}");
        let next = slow.begin().await.unwrap();
        send(&next, &topic, 20..30).await;
        next.commit().await.unwrap();
        let expected: Vec<i32> = [10].into_iter().chain(20..30).collect();
        assert_eq!(read_up_to(&broker, &topic, 22).await, expected);
    });
}

#[test]
fn offsets_of_a_transaction_count_when_it_is_committed() {
    story(async |broker| {
        let (topic, group) = (unique("offsets"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let mut consumer = broker.consumer(&[("group.id", &group)]).await;
        consumer.subscribe([topic.clone()]).await.unwrap();
        let mut read = Vec::new();
        let has_all = |_: &[&mut Consumer], read: &[i32]| read.len() == 10;
        poll_until(&mut [&mut consumer], &mut read, has_all).await;

        let mut producer = transactional(&broker, &topic, &[]).await.unwrap();
        let at = partition(&topic, 0);
        let membership = consumer.group_metadata().unwrap();
        for (offset, is_kept, expected) in
            [(4, false, None), (7, true, Some(7)), (9, false, Some(7))]
        {
            let transaction = producer.begin().await.unwrap();
            let offsets = [(at.clone(), NewOffset::at(offset))];
            transaction
                .send_offsets(&membership, &offsets)
                .await
                .unwrap();
            match is_kept {
                true => transaction.commit().await.unwrap(),
                false => transaction.abort().await.unwrap(),
            }
            let committed = consumer.committed(std::slice::from_ref(&at)).await.unwrap();
            let committed = committed.first().map(|(_, committed)| committed.offset);
            assert_eq!(committed, expected);
        }
        let stale = ottla_client::consumer::GroupMetadata {
            generation_id: membership.generation_id + 1,
            ..membership
        };
        let transaction = producer.begin().await.unwrap();
        let offsets = [(at, NewOffset::at(10))];
        let error = transaction
            .send_offsets(&stale, &offsets)
            .await
            .unwrap_err();
        assert_eq!(error.class, ErrorClass::Abortable, "{error}");
        assert_eq!(
            transaction.commit().await.unwrap_err().class,
            ErrorClass::Abortable
        );
        producer.begin().await.unwrap().commit().await.unwrap();
    });
}

#[test]
fn a_loop_that_is_ended_in_the_middle_of_a_batch_goes_on_from_there() {
    story(async |broker| {
        let (from, to) = (unique("from"), unique("to"));
        broker.create(&from, 2).await;
        broker.create(&to, 1).await;
        broker.produce(&from, 2, 0..100).await;
        let keys = [
            ("group.id", &*from),
            ("enable.auto.commit", "false"),
            ("max.poll.records", "1"),
        ];
        let consumer = broker.consumer(&keys).await;
        let producer = transactional(&broker, &from, &[("linger.ms", "0")]).await;
        let mut exchange = Exchange::exactly_once(consumer, producer.unwrap()).unwrap();
        exchange.consumer().subscribe([from.clone()]).await.unwrap();
        // A batch is never full within the time that the loop has.
        let settings = ProcessSettings {
            batch_linger: 3 * A_WHILE,
            ..ProcessSettings::default()
        };
        let mut records = 0;
        let started = Instant::now();
        while records < 100 {
            assert!(started.elapsed() < PATIENCE, "{records} records");
            let end = tokio::time::sleep(A_WHILE);
            let work = async |record: &ottla_client::consumer::ConsumerRecord| {
                let value = record.value.clone().unwrap_or_default();
                Ok::<_, String>(vec![Output::to(&*to, value)])
            };
            records += exchange
                .process(&settings, end, work)
                .await
                .unwrap()
                .records;
        }
        exchange.close(PATIENCE).await;
        let mut results = read_until(&broker, &to, 1, |read| read.len() >= 100).await;
        results.sort_unstable();
        assert_eq!(results, (0..100).collect::<Vec<_>>());
    });
}

const RECORDS: i32 = 400;
const POISON: i32 = 13;

/// A member that doubles numbers, until it is told to end.
async fn double(
    broker: &Broker,
    [from, to, dead]: [&str; 3],
    name: &str,
    protocol: (&str, &str),
    mut until: oneshot::Receiver<()>,
) -> Processed {
    let keys = [
        ("group.id", from),
        ("enable.auto.commit", "false"),
        ("max.poll.records", "10"),
        COMMITTED,
        protocol,
    ];
    let consumer = broker.consumer(&keys).await;
    let producer = transactional(broker, name, &[("linger.ms", "0")])
        .await
        .unwrap();
    let mut exchange = Exchange::exactly_once(consumer, producer).unwrap();
    exchange.consumer().subscribe([from]).await.unwrap();
    let settings = ProcessSettings {
        batch_records: 10,
        retries: 1,
        retry_backoff: Backoff {
            initial: A_WHILE,
            max: A_WHILE,
        },
        dead_letter: Some(dead.to_owned()),
        ..ProcessSettings::default()
    };
    let work = async |record: &ottla_client::consumer::ConsumerRecord| {
        let number = std::str::from_utf8(record.value.as_deref().unwrap_or_default());
        match number.unwrap().parse::<i32>() {
            Ok(POISON) => Err("unlucky"),
            Ok(number) => Ok(vec![Output::to(to, (2 * number).to_string())]),
            Err(_) => Err("no number"),
        }
    };
    let until = async { (&mut until).await.unwrap_or_default() };
    let done = exchange.process(&settings, until, work).await.unwrap();
    exchange.close(PATIENCE).await;
    done
}

#[test]
fn members_that_come_and_go_process_each_record_once() {
    for protocol in [
        ("partition.assignment.strategy", "range"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        COORDINATED,
    ] {
        story(async |broker| {
            let names = ["from", "to", "dead"].map(unique);
            let [from, to, dead] = &names;
            for topic in &names {
                broker.create(topic, 4).await;
            }
            broker.produce(from, 4, 0..RECORDS / 2).await;
            let member = |name: &'static str| {
                let (stop, until) = oneshot::channel();
                let topics = [&**from, to, dead];
                let id = format!("{name}-{from}");
                let broker = &broker;
                (stop, async move {
                    double(broker, topics, &id, protocol, until).await
                })
            };
            let ((stop_first, first), (stop_second, second)) = (member("first"), member("second"));
            let (stop_third, third) = member("third");
            let told = async {
                broker.produce(from, 4, RECORDS / 2..RECORDS - 4).await;
                let _ = stop_first.send(());
                broker.produce(from, 4, RECORDS - 4..RECORDS).await;
                let results = RECORDS as usize - 1;
                let all_are_there = |read: &[i32]| read.len() >= results;
                read_until(&broker, to, 4, all_are_there).await;
                let _ = (stop_second.send(()), stop_third.send(()));
            };
            let (one, two, three, ()) = tokio::join!(first, second, third, told);
            let all = [one, two, three].map(|done| done.records);
            assert_eq!(all.iter().sum::<u64>(), RECORDS as u64, "{all:?}");

            // What were a result too many would lie before these.
            let ends = 2 * RECORDS..2 * RECORDS + 4;
            broker.produce(to, 4, ends.clone()).await;
            let is_read = |read: &[i32]| ends.clone().all(|last| read.contains(&last));
            let mut results = read_until(&broker, to, 4, is_read).await;
            results.retain(|result| !ends.contains(result));
            results.sort_unstable();
            let expected = (0..RECORDS).filter(|number| *number != POISON);
            let expected: Vec<i32> = expected.map(|number| 2 * number).collect();
            assert_eq!(results, expected);
            let letters = read_until(&broker, dead, 4, |read| !read.is_empty()).await;
            assert_eq!(letters, [POISON]);
        });
    }
}
