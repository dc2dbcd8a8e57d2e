//! What is decided without a broker; the loops themselves run end to end, against ours and Apache Kafka.

use bytes::Bytes;

use ottla_protocol::records::{OwnedHeader, TimestampType};

use super::*;

fn record(offset: i64) -> ConsumerRecord {
    ConsumerRecord {
        topic: "orders".into(),
        partition: 2,
        offset,
        timestamp: 77,
        timestamp_type: TimestampType::CreateTime,
        leader_epoch: Some(4),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"v")),
        headers: vec![OwnedHeader {
            key: Bytes::from_static(b"trace"),
            value: None,
        }],
    }
}

fn quick(retries: u32, dead_letter: Option<&str>) -> ProcessSettings {
    ProcessSettings {
        retries,
        retry_backoff: Backoff {
            initial: Duration::from_millis(1),
            max: Duration::from_millis(1),
        },
        dead_letter: dead_letter.map(str::to_owned),
        ..ProcessSettings::default()
    }
}

#[tokio::test]
async fn a_record_is_tried_as_often_as_the_settings_say() {
    for (failing, expected, retries) in [(2, Ok(1), 2), (3, Ok(1), 3), (4, Err("no 4"), 3)] {
        let (mut done, mut calls) = (Processed::default(), 0);
        let mut work = async |_: &ConsumerRecord| {
            calls += 1;
            match calls <= failing {
                true => Err(format!("no {calls}")),
                false => Ok(vec![Output::to("t", "v")]),
            }
        };
        let settings = quick(3, None);
        let outcome = attempts(&record(0), &settings, &mut work, &mut done).await;
        let outcome = outcome.map(|outputs| outputs.len());
        assert_eq!(outcome, expected.map_err(str::to_owned));
        assert_eq!(done.retries, retries);
    }
}

#[test]
fn a_dead_letter_is_the_record_as_it_was_and_says_what_went_wrong() {
    let settings = quick(3, Some("orders.dlq"));
    let letter = dead_letter_of("pricing", &settings, &record(9), 4, "no price").unwrap();
    assert_eq!(letter.topic, "orders.dlq");
    assert_eq!(
        (letter.key.as_deref(), letter.value.as_deref()),
        (Some(&b"k"[..]), Some(&b"v"[..]))
    );
    assert_eq!(letter.timestamp, Some(77));
    let said: Vec<String> = letter
        .headers
        .iter()
        .filter(|header| header.key != "__ottla.errors.timestamp")
        .map(|header| {
            let value = header.value.as_deref().unwrap_or(b"null");
            format!("{}={}", header.key.escape_ascii(), value.escape_ascii())
        })
        .collect();
    let expected = [
        "trace=null",
        "__connect.errors.topic=orders",
        "__connect.errors.partition=2",
        "__connect.errors.offset=9",
        "__connect.errors.connector.name=pricing",
        "__connect.errors.exception.message=no price",
        "__ottla.errors.attempts=4",
    ];
    assert_eq!(said, expected);
}

#[test]
fn without_a_topic_for_it_a_record_that_fails_ends_the_loop() {
    let error = dead_letter_of("pricing", &quick(3, None), &record(9), 4, "no price").unwrap_err();
    let expected = "the record at offset 9 of partition orders-2 can't be processed: no price";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_refused_result_leads_back_to_its_record() {
    let mut results = Results::default();
    for count in [0, 2, 0, 1] {
        results.push(vec![Output::to("t", "v"); count]);
    }
    let records: Vec<usize> = (0..3).map(|index| results.of_output(index)).collect();
    assert_eq!(records, [1, 1, 3]);
    results.replace(1, Output::to("dlq", "v"));
    assert!(results.is_dead_letter(1) && !results.is_dead_letter(3));
    let topics: Vec<String> = results
        .outputs()
        .into_iter()
        .map(|output| output.topic)
        .collect();
    assert_eq!(topics, ["dlq", "t"]);
}
