//! Scenarios and random runs of the accumulator against a broker made of a few lines.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use ottla_protocol::{
    compress::Compression,
    errors::ErrorCode,
    records::{BATCH_OVERHEAD, BatchHeader, Records, check_batch},
    types::{BrokerId, ProducerEpoch, ProducerId},
};

use crate::error::ApiError;

use super::{
    BatchPlace, Delivery, Partitioner, ProduceError, Record,
    accumulator::{Accumulator, AccumulatorSettings, AppendError, Drained, News},
    batch::Identity,
    queue::SendRules,
    scope::TransactionProtocol,
};

const ANY_ROOM: fn(BrokerId) -> bool = |_| true;

fn settings() -> AccumulatorSettings {
    AccumulatorSettings {
        batch_bytes: 200,
        linger: Duration::from_millis(5),
        memory_bytes: 1000,
        request_bytes_max: 500,
        compression: (Compression::None, None),
        partitioner: Partitioner::default(),
        idempotent: true,
        rules: SendRules {
            in_flight_max: 5,
            retries: u32::MAX,
            delivery_timeout: Duration::from_secs(120),
            transactional: false,
        },
    }
}

/// Topic `t` with so many partitions, all led by broker 1.
fn accumulator(settings: AccumulatorSettings, partitions: usize) -> Accumulator {
    let mut accumulator = Accumulator::new(settings);
    accumulator.set_topic(&Arc::from("t"), &vec![Some(BrokerId(1)); partitions]);
    accumulator.set_identity(Identity {
        id: ProducerId(7),
        epoch: ProducerEpoch(0),
    });
    accumulator
}

fn to(partition: i32, value: &[u8]) -> Record<'_> {
    Record {
        topic: "t",
        partition: Some(partition),
        value: Some(value),
        ..Record::default()
    }
}

fn put(accumulator: &mut Accumulator, record: &Record<'_>, now: Instant) -> (Delivery, News) {
    let appended = accumulator
        .append(record, 0, || now)
        .expect("there is room");
    (appended.delivery, appended.news)
}

fn drain(accumulator: &mut Accumulator, now: Instant) -> Vec<Drained> {
    let work = accumulator.work(now, ANY_ROOM);
    work.requests
        .into_iter()
        .flat_map(|(_, batches)| batches)
        .collect()
}

const PLACE: BatchPlace = BatchPlace {
    base_offset: Some(0),
    append_time: None,
};

#[test]
fn a_batch_lingers_until_its_time_is_up() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 1);
    assert_eq!(put(&mut accumulator, &to(0, b"a"), now).1, News::Begun);
    assert_eq!(put(&mut accumulator, &to(0, b"b"), now).1, News::None);
    let work = accumulator.work(now, ANY_ROOM);
    assert!(work.requests.is_empty());
    assert_eq!(work.next_event, Some(now + Duration::from_millis(5)));
    let drained = drain(&mut accumulator, now + Duration::from_millis(5));
    assert_eq!(drained[0].batch.record_count, 2);
}

#[test]
fn a_full_batch_goes_at_once() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 1);
    put(&mut accumulator, &to(0, &[0; 100]), now);
    assert_eq!(put(&mut accumulator, &to(0, &[0; 100]), now).1, News::Full);
    assert_eq!(drain(&mut accumulator, now).len(), 1);
    assert!(
        drain(&mut accumulator, now).is_empty(),
        "the second one lingers"
    );
}

#[test]
fn a_flush_does_not_linger_and_names_every_unfinished_batch() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 2);
    put(&mut accumulator, &to(0, b"a"), now);
    assert_eq!(accumulator.flush().len(), 1);
    assert_eq!(drain(&mut accumulator, now).len(), 1);
    put(&mut accumulator, &to(1, b"b"), now);
    assert_eq!(accumulator.flush().len(), 2, "one under way, one waiting");
}

#[test]
fn memory_is_bounded_and_comes_back() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 1);
    for _ in 0..5 {
        put(&mut accumulator, &to(0, &[0; 100]), now);
    }
    assert_eq!(accumulator.memory_used(), 1000);
    assert_eq!(
        accumulator
            .append(&to(0, &[0; 100]), 0, || now)
            .unwrap_err(),
        AppendError::Full
    );
    // Somebody waits, so the last batch goes without lingering.
    let first = drain(&mut accumulator, now).remove(0);
    accumulator.delivered(&first, PLACE);
    assert_eq!(accumulator.memory_used(), 800);
    for _ in 0..4 {
        assert_eq!(drain(&mut accumulator, now).len(), 1);
    }
    put(&mut accumulator, &to(0, &[0; 100]), now);
}

#[test]
fn a_record_that_can_never_be_sent_is_refused_with_the_key_that_forbids_it() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 1);
    let error = accumulator
        .append(&to(0, &[0; 500]), 0, || now)
        .unwrap_err();
    assert!(matches!(
        error,
        AppendError::Refused(ProduceError::TooLarge {
            max: 500,
            key: "max.request.size",
            ..
        })
    ));
    assert_eq!(accumulator.memory_used(), 0);
}

#[test]
fn a_record_larger_than_a_batch_gets_one_of_its_own() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 1);
    put(&mut accumulator, &to(0, &[0; 300]), now);
    put(&mut accumulator, &to(0, b"small"), now);
    assert_eq!(drain(&mut accumulator, now)[0].batch.record_count, 1);
}

#[test]
fn a_partition_that_does_not_exist_is_refused() {
    let mut accumulator = accumulator(settings(), 2);
    for partition in [2, -1] {
        let error = accumulator
            .append(&to(partition, b""), 0, Instant::now)
            .unwrap_err();
        assert!(matches!(
            error,
            AppendError::Refused(ProduceError::NoSuchPartition { count: 2, .. })
        ));
    }
}

#[test]
fn an_unknown_topic_is_to_be_looked_up() {
    let mut accumulator = Accumulator::new(settings());
    assert_eq!(
        accumulator
            .append(&to(0, b""), 0, Instant::now)
            .unwrap_err(),
        AppendError::UnknownTopic
    );
}

#[test]
fn a_negative_timestamp_is_refused() {
    let mut accumulator = accumulator(settings(), 1);
    let error = accumulator
        .append(&to(0, b""), -2, Instant::now)
        .unwrap_err();
    assert!(
        matches!(error, AppendError::Refused(ProduceError::Invalid(_))),
        "{error:?}"
    );
}

#[test]
fn without_leader_room_or_identity_nothing_goes_and_the_sender_hears_why() {
    let now = Instant::now();
    let mut accumulator = Accumulator::new(settings());
    accumulator.set_topic(&Arc::from("t"), &[Some(BrokerId(1)), None]);
    put(&mut accumulator, &to(0, b"a"), now);
    put(&mut accumulator, &to(1, b"b"), now);
    accumulator.flush();
    let work = accumulator.work(now, ANY_ROOM);
    assert!(work.identity_missing && work.leader_missing && work.requests.is_empty());
    accumulator.set_identity(Identity {
        id: ProducerId(7),
        epoch: ProducerEpoch(0),
    });
    assert_eq!(accumulator.work(now, |_| false).wants, [BrokerId(1)]);
}

#[test]
fn what_waits_for_a_broker_fails_alone_or_with_its_transaction() {
    for transactional in [false, true] {
        let now = Instant::now();
        let rules = SendRules {
            transactional,
            ..settings().rules
        };
        let mut accumulator = accumulator(
            AccumulatorSettings {
                rules,
                ..settings()
            },
            2,
        );
        accumulator.set_topic(&Arc::from("t"), &[Some(BrokerId(1)), Some(BrokerId(2))]);
        if transactional {
            let identity = accumulator.identity().expect("it was given one");
            accumulator.begin_transaction(identity, TransactionProtocol::V2);
        }
        let (here, _) = put(&mut accumulator, &to(0, b"a"), now);
        let (there, _) = put(&mut accumulator, &to(1, b"b"), now);
        let failed = accumulator.fail_led_by(BrokerId(2), &ProduceError::Closed);
        assert_eq!(failed.len(), 1);
        assert_eq!(there.now(), Some(Err(ProduceError::Closed)));
        accumulator.expire(now);
        let others = transactional.then_some(Err(ProduceError::Closed));
        assert_eq!(here.now(), others);
    }
}

#[test]
fn a_request_stays_within_its_bound() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 4);
    for partition in 0..4 {
        put(&mut accumulator, &to(partition, &[0; 120]), now);
    }
    accumulator.flush();
    let work = accumulator.work(now, ANY_ROOM);
    let sizes: Vec<usize> = work.requests[0]
        .1
        .iter()
        .map(|drained| drained.batch.size())
        .collect();
    assert!(
        sizes.len() == 2 && sizes.iter().sum::<usize>() <= 500,
        "{sizes:?}"
    );
    assert_eq!(drain(&mut accumulator, now).len(), 2);
}

#[test]
fn records_without_a_key_stay_together_and_move_on_when_a_batch_is_full() {
    let now = Instant::now();
    let mut accumulator = accumulator(
        AccumulatorSettings {
            memory_bytes: 100_000,
            ..settings()
        },
        3,
    );
    let record = Record {
        topic: "t",
        value: Some(&[0; 40]),
        ..Record::default()
    };
    let partitions: Vec<i32> = (0..30)
        .map(|_| put(&mut accumulator, &record, now).0.partition())
        .collect();
    let moves = partitions
        .windows(2)
        .filter(|pair| pair[0] != pair[1])
        .count();
    assert!(
        (8..=15).contains(&moves),
        "about two records fit a batch: {partitions:?}"
    );
    let mut counts: HashMap<i32, usize> = HashMap::new();
    partitions
        .iter()
        .for_each(|partition| *counts.entry(*partition).or_default() += 1);
    assert_eq!(counts.len(), 3, "{partitions:?}");
}

/// Tells the accumulator that the broker finds a batch too large that it was sent.
fn too_large(
    accumulator: &mut Accumulator,
    mut drained: Drained,
    now: Instant,
) -> Option<ProduceError> {
    drained.batch.bytes().unwrap();
    let error = ProduceError::Api(ApiError::of_code(ErrorCode::MessageTooLarge));
    let failed = accumulator.refused(drained, error, false, now, |_| Duration::ZERO);
    failed.map(|(_, error)| error)
}

#[test]
fn a_batch_that_is_too_large_goes_in_halves_and_no_larger_ones_follow() {
    let now = Instant::now();
    let mut accumulator = accumulator(
        AccumulatorSettings {
            batch_bytes: 400,
            ..settings()
        },
        1,
    );
    let (last, _) = (0..8)
        .map(|_| put(&mut accumulator, &to(0, &[0; 20]), now))
        .last()
        .unwrap();
    accumulator.flush();
    let whole = drain(&mut accumulator, now).remove(0);
    assert_eq!(whole.batch.record_count, 8);
    let whole_bytes = whole.batch.size();
    let reserved = accumulator.memory_used();
    assert_eq!(too_large(&mut accumulator, whole, now), None);
    assert_eq!(accumulator.memory_used(), reserved);
    put(&mut accumulator, &to(0, &[0; 20]), now);
    let mut counts = Vec::new();
    while !accumulator.is_idle() {
        assert_eq!(accumulator.flush().len() + counts.len(), 5);
        let part = drain(&mut accumulator, now).remove(0);
        assert!(part.batch.size() <= whole_bytes / 2);
        let place = BatchPlace {
            base_offset: Some(10 * counts.len() as i64),
            append_time: None,
        };
        counts.push(part.batch.record_count);
        accumulator.delivered(&part, place);
    }
    assert_eq!(counts, [2, 2, 2, 2, 1]);
    assert_eq!(last.now().unwrap().unwrap().offset, Some(31));
    assert_eq!(accumulator.memory_used(), 0);
    for _ in 0..4 {
        put(&mut accumulator, &to(0, &[0; 20]), now);
    }
    assert_eq!(drain(&mut accumulator, now)[0].batch.record_count, 2);
}

#[test]
fn of_a_batch_that_is_too_large_only_the_record_that_is_too_large_fails() {
    let now = Instant::now();
    let mut accumulator = accumulator(
        AccumulatorSettings {
            batch_bytes: 500,
            ..settings()
        },
        1,
    );
    let deliveries = [20, 200, 20].map(|size| put(&mut accumulator, &to(0, &vec![0; size]), now).0);
    accumulator.flush();
    let mut written = 0;
    while !accumulator.is_idle() {
        let drained = drain(&mut accumulator, now).remove(0);
        let records = drained.batch.record_count;
        match drained.batch.size() > 200 {
            true => {
                let failed = too_large(&mut accumulator, drained, now);
                assert_eq!(failed.is_some(), records == 1);
            }
            false => {
                let base_offset = Some(written);
                written += i64::from(records);
                accumulator.delivered(
                    &drained,
                    BatchPlace {
                        base_offset,
                        append_time: None,
                    },
                );
            }
        }
    }
    let outcomes = deliveries.map(|delivery| delivery.now().unwrap());
    assert_eq!(outcomes[0].as_ref().unwrap().offset, Some(0));
    let error = outcomes[1].as_ref().unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
    assert_eq!(outcomes[2].as_ref().unwrap().offset, Some(1));
    assert_eq!(accumulator.memory_used(), 0);
}

#[test]
fn a_batch_that_is_too_large_is_not_split_once_its_time_is_up() {
    let now = Instant::now();
    let mut accumulator = accumulator(settings(), 1);
    let deliveries = [1, 2].map(|size| put(&mut accumulator, &to(0, &vec![0; size]), now).0);
    accumulator.flush();
    let whole = drain(&mut accumulator, now).remove(0);
    let later = now + Duration::from_secs(120);
    assert!(too_large(&mut accumulator, whole, later).is_some());
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.now().unwrap().is_err())
    );
    assert!(accumulator.is_idle());
}

#[test]
fn compressed_batches_hold_the_same_records() {
    let now = Instant::now();
    for codec in Compression::ALL {
        let mut accumulator = accumulator(
            AccumulatorSettings {
                compression: (codec, None),
                ..settings()
            },
            1,
        );
        put(&mut accumulator, &to(0, b"one"), now);
        put(&mut accumulator, &to(0, b"two"), now);
        accumulator.flush();
        let mut drained = drain(&mut accumulator, now);
        let bytes = drained[0].batch.bytes().unwrap();
        let header = check_batch(&bytes).unwrap();
        assert_eq!(header.compression().unwrap(), codec);
        assert_eq!(values(&bytes), [&b"one"[..], b"two"]);
    }
}

fn values(batch: &bytes::Bytes) -> Vec<Vec<u8>> {
    let records = Records::open(batch, ottla_protocol::compress::InflateLimits::STRICT).unwrap();
    records
        .iter()
        .map(|record| record.unwrap().value.unwrap_or_default().to_vec())
        .collect()
}

/// A partition's log on a broker that filters duplicates as Kafka's does: the next sequence, or one of the last five
/// batches again, or an error. Whatever sequence comes first is the first.
#[derive(Clone, Default)]
struct Log {
    batch_bytes_max: usize,
    values: Vec<Vec<u8>>,
    epoch: i16,
    next_sequence: Option<i32>,
    recent: Vec<(i16, i32, i64)>,
}

impl Log {
    fn produce(&mut self, batch: &bytes::Bytes) -> Result<BatchPlace, ErrorCode> {
        let header: BatchHeader = check_batch(batch).expect("whole batches only");
        let (epoch, sequence) = (header.producer_epoch.0, header.base_sequence);
        if let Some((.., offset)) = self
            .recent
            .iter()
            .find(|(e, s, _)| (*e, *s) == (epoch, sequence))
        {
            return Ok(BatchPlace {
                base_offset: Some(*offset),
                append_time: None,
            });
        }
        if batch.len() > self.batch_bytes_max {
            return Err(ErrorCode::MessageTooLarge);
        }
        let expected = match self.next_sequence {
            None => sequence,
            Some(_) if epoch > self.epoch => 0,
            Some(next) => next,
        };
        if epoch < self.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if expected != sequence {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        let offset = self.values.len() as i64;
        self.values.extend(values(batch));
        self.epoch = epoch;
        self.next_sequence = Some(sequence + header.record_count);
        self.recent.push((epoch, sequence, offset));
        if self.recent.len() > 5 {
            self.recent.remove(0);
        }
        Ok(BatchPlace {
            base_offset: Some(offset),
            append_time: None,
        })
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
enum Fortune {
    Fine,
    /// Written, but the answer is lost.
    AnswerLost,
    /// Lost before it is written.
    RequestLost,
    /// The broker refuses for now.
    NotNow,
}

fn fortune() -> impl Strategy<Value = Fortune> {
    prop_oneof![
        5 => Just(Fortune::Fine),
        1 => Just(Fortune::AnswerLost),
        1 => Just(Fortune::RequestLost),
        1 => Just(Fortune::NotNow),
    ]
}

proptest! {
    /// Whatever gets lost on the way, and however small the batches that the broker takes, an idempotent producer that may
    /// retry writes every record once and in order.
    #[test]
    fn every_record_is_written_once_and_in_order(
        sizes in prop::collection::vec((0..3i32, 0..150usize), 1..60),
        fortunes in prop::collection::vec(fortune(), 1..80),
        batch_bytes_max in prop_oneof![Just(usize::MAX), 240..400usize],
        codec in prop_oneof![Just(Compression::None), Just(Compression::Lz4)],
    ) {
        let mut now = Instant::now();
        let settings = AccumulatorSettings {
            memory_bytes: 1_000_000,
            batch_bytes: 450,
            compression: (codec, None),
            ..settings()
        };
        let mut accumulator = accumulator(settings, 3);
        let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 3];
        let mut deliveries = Vec::new();
        for (number, (partition, size)) in sizes.iter().enumerate() {
            let mut value = vec![0; size + 4];
            value[..4].copy_from_slice(&(number as u32).to_be_bytes());
            expected[*partition as usize].push(value.clone());
            deliveries.push((value.clone(), put(&mut accumulator, &to(*partition, &value), now).0));
        }
        accumulator.flush();
        let mut logs = vec![Log { batch_bytes_max, ..Log::default() }; 3];
        let mut fortunes = fortunes.into_iter().chain(std::iter::repeat(Fortune::Fine));
        while !accumulator.is_idle() {
            now += Duration::from_millis(10);
            // Several requests are under way at once; brokers see and answer them in order.
            let mut under_way = Vec::new();
            loop {
                let drained = drain(&mut accumulator, now);
                if drained.is_empty() { break }
                under_way.push(drained);
            }
            prop_assert!(!under_way.is_empty(), "it goes on");
            for request in under_way {
                let fortune = fortunes.next().unwrap_or(Fortune::Fine);
                for mut drained in request {
                    let bytes = drained.batch.bytes().unwrap();
                    let log = &mut logs[drained.partition as usize];
                    let outcome = match fortune {
                        Fortune::Fine => log.produce(&bytes),
                        Fortune::NotNow => Err(ErrorCode::NotEnoughReplicas),
                        Fortune::RequestLost => Err(ErrorCode::NetworkException),
                        Fortune::AnswerLost => log.produce(&bytes).and(Err(ErrorCode::NetworkException)),
                    };
                    match outcome {
                        Ok(place) => accumulator.delivered(&drained, place),
                        Err(code) => {
                            let error = ProduceError::Api(ApiError::of_code(code));
                            let failed = accumulator.refused(drained, error, code.is_retriable(), now, |_| Duration::ZERO);
                            prop_assert!(failed.is_none());
                        }
                    }
                }
            }
        }
        for (log, expected) in logs.iter().zip(&expected) {
            prop_assert_eq!(&log.values, expected);
        }
        for (value, delivery) in deliveries {
            let placed = delivery.now().expect("done").expect("delivered");
            let log = &logs[placed.partition as usize];
            prop_assert_eq!(&log.values[placed.offset.unwrap() as usize], &value);
        }
        prop_assert_eq!(accumulator.memory_used(), 0);
    }

    /// A batch never exceeds what was allowed, whatever is put in.
    #[test]
    fn batches_stay_within_their_bounds(sizes in prop::collection::vec(0..400usize, 1..40)) {
        let now = Instant::now();
        let mut accumulator = accumulator(AccumulatorSettings { memory_bytes: 1_000_000, ..settings() }, 1);
        for size in &sizes {
            put(&mut accumulator, &to(0, &vec![1; *size]), now);
        }
        accumulator.flush();
        let mut records = 0;
        while !accumulator.is_idle() {
            for mut drained in drain(&mut accumulator, now) {
                let bytes = drained.batch.bytes().unwrap();
                prop_assert!(bytes.len() <= 200 || drained.batch.record_count == 1);
                prop_assert!(bytes.len() > BATCH_OVERHEAD);
                records += drained.batch.record_count;
                accumulator.delivered(&drained, PLACE);
            }
        }
        prop_assert_eq!(records as usize, sizes.len());
    }
}
