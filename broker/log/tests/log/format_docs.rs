//! The examples drawn in `docs/format` are what the code reads: every row of their tables against the bytes, and the
//! bytes against the parser of that file.

use bytes::Bytes;
use ottla_log::txn_sums::TxnSums;
use ottla_log::{
    LeaderEpochs, checkpoint, clean_shutdown, damage, meta_properties, partition_metadata,
    producer_snapshot, txn_index,
};
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::messages::decode_metadata_record;
use ottla_protocol::records::batch::computed_crc;
use ottla_protocol::records::control::ControlType;
use ottla_protocol::records::{Records, batches_of};
use ottla_protocol::types::Offset;

/// A fenced block of a page, its kind, and the rows of the table that follows it.
struct Example {
    page: String,
    kind: String,
    bytes: Vec<u8>,
    rows: Vec<Vec<String>>,
}

fn pages() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format");
    let files = std::fs::read_dir(folder).expect("docs/format");
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a plain name");
        (name, std::fs::read_to_string(entry.path()).expect("a page"))
    };
    files.map(|entry| read(entry.expect("an entry"))).collect()
}

fn examples() -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for (page, text) in pages() {
        let mut lines = text.lines();
        let mut is_behind_example = false;
        while let Some(line) = lines.next() {
            let hexdump = line.strip_prefix("```hexdump ");
            let plain = line.strip_prefix("```text ");
            if let Some(kind) = hexdump.or(plain) {
                let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                let bytes = match hexdump {
                    Some(_) => content.iter().flat_map(|line| of_hexdump(line)).collect(),
                    None => format!("{}\n", content.join("\n")).into_bytes(),
                };
                found.push(Example {
                    page: page.clone(),
                    kind: kind.to_owned(),
                    bytes,
                    rows: Vec::new(),
                });
                is_behind_example = hexdump.is_some();
            } else if line.starts_with("| ") && is_behind_example {
                let cells = line.trim_matches('|').split(" | ");
                let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
                if cells[0].bytes().all(|b| b.is_ascii_digit()) {
                    found.last_mut().expect("an example").rows.push(cells);
                }
            } else if !line.is_empty() && !line.starts_with('|') {
                is_behind_example = false;
            }
        }
    }
    found
}

/// The bytes of a line like `00000010  02 5b 92 …  |.[.|`.
fn of_hexdump(line: &str) -> Vec<u8> {
    let digits = line.split('|').next().unwrap_or_default();
    let pairs = digits.split_ascii_whitespace().skip(1);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("two digits"))
        .collect()
}

/// What a field of a type says.
fn value(kind: &str, bytes: &[u8]) -> String {
    let signed = |bytes: &[u8]| {
        let fill = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
        let mut wide = [fill; 8];
        wide[8 - bytes.len()..].copy_from_slice(bytes);
        i64::from_be_bytes(wide)
    };
    let varint = |bytes: &[u8]| {
        let (last, rest) = bytes.split_last().expect("a varint has a byte");
        assert!(
            last & 0x80 == 0 && rest.iter().all(|b| b & 0x80 != 0),
            "one whole varint"
        );
        let low_first = bytes.iter().rev();
        low_first.fold(0u64, |value, b| value << 7 | u64::from(b & 0x7f))
    };
    match kind {
        "int8" | "int16" | "int32" | "int64" => signed(bytes).to_string(),
        "uint32" => u32::from_be_bytes(bytes.try_into().expect("four bytes")).to_string(),
        "uvarint" => varint(bytes).to_string(),
        "varint" => {
            let zigzag = varint(bytes);
            (((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64)).to_string()
        }
        "utf-8" => format!("`{}`", std::str::from_utf8(bytes).expect("text")),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn every_row_says_what_its_bytes_say() {
    let mut rows = 0;
    for example in examples() {
        for row in &example.rows {
            let [at, len, kind, field, here] = row.as_slice() else {
                panic!("{}: five columns are needed: {row:?}", example.page)
            };
            if kind.is_empty() {
                continue;
            }
            let (at, len): (usize, usize) = (at.parse().unwrap(), len.parse().unwrap());
            let bytes = &example.bytes[at..at + len];
            assert_eq!(
                &value(kind, bytes),
                here,
                "{}: {field} at {at}",
                example.page
            );
            if let Some(size) = kind.strip_prefix("uint").or(kind.strip_prefix("int")) {
                assert_eq!(
                    size.parse::<usize>().unwrap(),
                    8 * len,
                    "{}: {field}",
                    example.page
                );
            }
            rows += 1;
        }
    }
    assert!(rows > 100, "only {rows} rows were found");
}

#[test]
fn every_example_is_read_by_the_code() {
    let examples = examples();
    let kinds = [
        "segment",
        "segment metadata",
        "index 1000",
        "timeindex 1000",
        "txnindex",
        "snapshot",
        "offsets-checkpoint",
        "leader-epochs",
        "damage",
        "txn-sums",
        "meta-properties",
        "partition-metadata",
        "clean-shutdown",
        "quorum-state",
    ];
    for kind in kinds {
        assert!(
            examples.iter().any(|e| e.kind == kind),
            "no example of {kind}"
        );
    }
    for example in &examples {
        let (kind, bytes) = (example.kind.as_str(), example.bytes.as_slice());
        let read = match kind {
            "segment" => check_batches(bytes, false) == 1,
            "segment metadata" => check_batches(bytes, true) == 3,
            "index 1000" => check_index(bytes, 8, 0),
            "timeindex 1000" => check_index(bytes, 12, 8),
            "txnindex" => txn_index::parse(bytes).is_ok_and(|entries| entries.len() == 2),
            "snapshot" => producer_snapshot::parse(bytes).is_ok_and(|e| e[0].last_sequence == 14),
            "offsets-checkpoint" => checkpoint::parse_offsets(bytes).is_ok_and(|e| e.len() == 2),
            "leader-epochs" => {
                LeaderEpochs::parse(bytes).is_ok_and(|e| e.entries()[1].start == Offset(1042))
            }
            "damage" => damage::parse(bytes).is_ok_and(|d| d[0].next_offset == Offset(42)),
            "txn-sums" => TxnSums::parse(bytes).is_ok_and(|s| s.end == Offset(204)),
            "meta-properties" => {
                meta_properties::parse(bytes).is_ok_and(|m| m.directory_id.is_some())
            }
            "partition-metadata" => partition_metadata::parse(bytes).is_some(),
            "clean-shutdown" => clean_shutdown::parse(bytes) == Some(42),
            "quorum-state" => {
                let state: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                state["leaderEpoch"].is_i64() && state["data_version"].is_i64()
            }
            other => panic!("{}: unknown kind {other}", example.page),
        };
        assert!(read, "{}: {kind}", example.page);
    }
}

/// Batches with right checksums to the last byte; `is_metadata`: what they hold is metadata, or control records.
fn check_batches(bytes: &[u8], is_metadata: bool) -> usize {
    let bytes = Bytes::copy_from_slice(bytes);
    let (mut count, mut size) = (0, 0);
    for batch in batches_of(&bytes) {
        let (header, batch) = batch.unwrap();
        assert_eq!(computed_crc(&batch), header.crc);
        let records = Records::open(&batch, InflateLimits::STRICT).unwrap();
        for record in records.iter() {
            let record = record.unwrap();
            if header.is_control() {
                let kind = ControlType::from_key(record.key.unwrap()).unwrap();
                assert!(!matches!(kind, ControlType::Unknown(_)));
            } else if is_metadata {
                let value = Bytes::copy_from_slice(record.value.unwrap());
                assert_eq!(
                    decode_metadata_record(value).unwrap().0.name(),
                    "FeatureLevelRecord"
                );
            }
        }
        count += 1;
        size += batch.len();
    }
    assert_eq!(size, bytes.len());
    count
}

/// Whole entries with rising offsets.
fn check_index(bytes: &[u8], entry: usize, offset_at: usize) -> bool {
    let offset = |e: &[u8]| i32::from_be_bytes(e[offset_at..offset_at + 4].try_into().unwrap());
    let offsets: Vec<i32> = bytes.chunks_exact(entry).map(offset).collect();
    bytes.len().is_multiple_of(entry) && offsets.len() == 2 && offsets[0] < offsets[1]
}
