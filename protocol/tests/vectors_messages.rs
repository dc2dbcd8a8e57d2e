//! Every golden message decodes to its JSON meaning and encodes back to the same bytes; every hostile one ends as
//! the reference ends it.

mod support;

use std::collections::HashMap;

use bytes::Bytes;
use ottla_protocol::for_every_message;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::messages::{Message, decode_metadata_record, encode_metadata_record};
use ottla_protocol::wire::{DecodeError, Reader};
use serde_json::Value;
use support::{table, unhex};

/// What a decoded message looked like: its JSON, its bytes when encoded again, its measured size.
struct Seen {
    json: Value,
    encoded: Bytes,
    size: usize,
    left: usize,
}

type Probe = fn(Bytes, i16) -> Result<Seen, DecodeError>;

fn probe<M: Message>(bytes: Bytes, version: i16) -> Result<Seen, DecodeError> {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version)?;
    Ok(Seen {
        json: message.to_json(version),
        encoded: message.to_bytes(version),
        size: message.size(version),
        left: reader.left(),
    })
}

fn probes() -> HashMap<&'static str, Probe> {
    let mut probes: HashMap<&'static str, Probe> = HashMap::new();
    macro_rules! add {
        ($kind:ident, $message:ty) => {
            assert!(
                probes.insert(<$message>::NAME, probe::<$message>).is_none(),
                "{}",
                <$message>::NAME
            );
        };
    }
    for_every_message!(add);
    probes
}

fn check(name: &str, version: i16, json: &str, hex: &str, probes: &HashMap<&'static str, Probe>) {
    let bytes = Bytes::from(unhex(hex));
    let probe = probes
        .get(name)
        .unwrap_or_else(|| panic!("no message {name}"));
    let seen = probe(bytes.clone(), version)
        .unwrap_or_else(|error| panic!("{name} v{version}: {error}\n{hex}"));
    let expected: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(seen.json, expected, "{name} v{version} {hex}");
    assert_eq!(seen.encoded, bytes, "{name} v{version} {json}");
    assert_eq!(seen.size, bytes.len(), "size of {name} v{version}");
    assert_eq!(seen.left, 0, "{name} v{version}");
}

#[test]
fn vectors_messages_mean_what_the_reference_means_and_encode_to_the_same_bytes() {
    let probes = probes();
    for row in table("messages.tsv.gz") {
        check(
            &row[1],
            row[3].parse().expect("version"),
            &row[4],
            &row[5],
            &probes,
        );
    }
}

#[test]
fn vectors_headers_mean_what_the_reference_means_and_encode_to_the_same_bytes() {
    let probes = probes();
    for row in table("headers.tsv") {
        check(
            &row[1],
            row[3].parse().expect("version"),
            &row[4],
            &row[5],
            &probes,
        );
    }
}

#[test]
fn vectors_records_of_internal_topics_mean_what_the_reference_means() {
    let probes = probes();
    for row in table("internal.tsv.gz") {
        check(
            &row[1],
            row[3].parse().expect("version"),
            &row[4],
            &row[5],
            &probes,
        );
    }
}

#[test]
fn vectors_metadata_records_keep_their_frame() {
    let probes = probes();
    for row in table("internal.tsv.gz")
        .iter()
        .filter(|row| row[2] == "metadata" && !row[6].is_empty())
    {
        let framed = Bytes::from(unhex(&row[6]));
        // Remote log records share the frame but have numbers of their own.
        if row[1].starts_with("Remote") && row[1] != "RemoveTopicRecord" {
            assert!(probes.contains_key(row[1].as_str()));
            continue;
        }
        let (record, version): (MetadataRecord, i16) =
            decode_metadata_record(framed.clone()).expect("a metadata record");
        assert_eq!(record.name(), row[1]);
        assert_eq!(version.to_string(), row[3]);
        assert_eq!(encode_metadata_record(&record, version), framed);
    }
}

#[test]
fn vectors_hostile_messages_end_as_in_the_reference() {
    let probes = probes();
    for row in table("hostile.tsv.gz")
        .iter()
        .filter(|row| row[0] != "frame")
    {
        let (kind, name, version, mutation) =
            (&row[0], &row[2], row[3].parse().expect("version"), &row[4]);
        let probe = probes
            .get(name.as_str())
            .unwrap_or_else(|| panic!("no message {name}"));
        let seen = probe(Bytes::from(unhex(&row[7])), version);
        match (row[5].as_str(), seen) {
            ("reject", Ok(seen)) => panic!(
                "{kind} {name} v{version} {mutation}: accepted as {}",
                seen.json
            ),
            ("accept", Err(error)) => panic!("{kind} {name} v{version} {mutation}: {error}"),
            ("accept", Ok(seen)) if row[6].len() < 1200 => {
                let (left, json) = left_and_json(&row[6]);
                assert_eq!(seen.left, left, "{kind} {name} v{version} {mutation}");
                // How many U+FFFD stand for a bad sequence differs between Java and Rust; both are free to refuse it.
                let expected: Value = serde_json::from_str(json).expect("JSON");
                assert_eq!(
                    without_replacements(&seen.json),
                    without_replacements(&expected),
                    "{kind} {name} v{version} {mutation}"
                );
            }
            _ => {}
        }
    }
}

/// Takes `(N bytes left unread) ` off the front.
fn left_and_json(reference: &str) -> (usize, &str) {
    match reference
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(" bytes left unread) "))
    {
        Some((left, json)) => (left.parse().expect("a number"), json),
        None => (0, reference),
    }
}

fn without_replacements(json: &Value) -> String {
    json.to_string().replace('\u{fffd}', "")
}

#[test]
fn vectors_varints_read_as_in_the_reference() {
    for row in table("varints.tsv")
        .iter()
        .filter(|row| row[0].ends_with("unsigned_varint"))
    {
        let read = Reader::new(Bytes::from(unhex(&row[2]))).uvarint("test");
        match row[1].as_str() {
            "reject" => assert!(read.is_err(), "{row:?}"),
            value => assert_eq!(read.expect("a varint").to_string(), value, "{row:?}"),
        }
    }
}
