//! The same files as data, for `--output`: an object for each batch, record, entry and finding, as they come.
//!
//! Here nothing has to be the reference's; docs/json/dump-log.md says what there is. Memory is bounded as for the text.

use ottla_cli::output::{Form, Rows, Stream};
use ottla_cli::{Context, Stop, record_json};
use ottla_protocol::records::Record;
use ottla_protocol::records::batch::BatchHeader;
use serde_json::{Map, Value, json};

use super::decoders::{Decoder, Parsing};
use super::java::JavaFile;
use super::log_file::{self, Batches, Found, codec, last_offset, note_gap, sequence};
use super::record::{self, Legacy};
use super::{Args, Findings, Plan, index_file, small_file};

const VERSION: u32 = 1;

const ROWS: Rows = Rows {
    within: &[],
    columns: &[
        "file",
        "kind",
        "offset",
        "lastOffset",
        "position",
        "size",
        "records",
        "timestamp",
        "timestampType",
        "producerId",
        "producerEpoch",
        "sequence",
        "leaderEpoch",
        "transactional",
        "control",
        "compression",
        "valid",
        "key",
        "value",
        "headers",
        "finding",
        "found",
    ],
};

pub(super) struct Data<'a> {
    stream: Stream,
    cx: &'a mut Context,
}

impl<'a> Data<'a> {
    pub(super) fn new(form: Form, cx: &'a mut Context) -> Self {
        let stream = Stream::new(form, ROWS);
        Self { stream, cx }
    }

    pub(super) fn dump(
        &mut self,
        file: &JavaFile,
        args: &Args,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        match file.suffix() {
            ".log" | ".checkpoint" => self.log(file, &Plan::of_logs(args)?, findings),
            ".index" => {
                let plan = Plan::of_indexes(args)?;
                self.check(|cx| index_file::dump_offsets(file, &plan, findings, cx))?;
                index_file::each_offset(file, &mut |position, offset| {
                    let entry = json!({ "offset": offset, "position": position });
                    self.tell(file, "index", entry)
                })
            }
            ".timeindex" => {
                let plan = Plan::of_any(args);
                self.check(|cx| index_file::dump_times(file, &plan, findings, cx))?;
                index_file::each_time(file, &mut |timestamp, offset| {
                    let entry = json!({ "offset": offset, "timestamp": timestamp });
                    self.tell(file, "timeIndex", entry)
                })
            }
            ".snapshot" => {
                let damage =
                    small_file::each_producer(file, &mut |entry| self.producer(file, entry))?;
                match damage {
                    Some(reason) => self.tell(
                        file,
                        "finding",
                        json!({ "finding": "damage", "found": reason }),
                    ),
                    None => Ok(()),
                }
            }
            ".txnindex" if std::fs::metadata(file.path()).is_err() => Ok(()),
            ".txnindex" => {
                // Says what it does not know before anything is told.
                self.check(|cx| small_file::dump_aborted(file, cx))?;
                self.aborted(file)
            }
            _ => {
                self.cx.warn(format!("Ignoring unknown file {file}"));
                Ok(())
            }
        }
    }

    fn aborted(&mut self, file: &JavaFile) -> Result<(), Stop> {
        small_file::each_aborted(file, &mut |_, mut entry| {
            let entry = json!({
                "producerId": entry.long(),
                "offset": entry.long(),
                "lastOffset": entry.long(),
                "lastStableOffset": entry.long(),
            });
            self.tell(file, "abortedTransaction", entry)
        })
    }

    /// What the text form finds out, without its text.
    fn check(&mut self, dump: impl FnOnce(&mut Context) -> Result<(), Stop>) -> Result<(), Stop> {
        let out = std::mem::replace(&mut self.cx.out, Box::new(std::io::sink()));
        let checked = dump(self.cx);
        self.cx.out = out;
        checked
    }

    fn tell(&mut self, file: &JavaFile, kind: &str, facts: Value) -> Result<(), Stop> {
        let mut told = Map::new();
        told.insert("version".to_owned(), VERSION.into());
        told.insert("file".to_owned(), file.to_string().into());
        told.insert("kind".to_owned(), kind.into());
        if let Value::Object(facts) = facts {
            told.extend(facts);
        }
        let text = self.stream.next(told.into());
        Ok(self.cx.out.write_all(text.as_bytes())?)
    }

    fn log(&mut self, file: &JavaFile, plan: &Plan, findings: &mut Findings) -> Result<(), Stop> {
        let (handle, end) = log_file::open(file, plan)?;
        let mut batches = Batches::new(handle.as_ref(), file, 0, end);
        let progress = log_file::progress(end, self.cx);
        let mut last_offset = -1;
        while let Some(batch) = batches.next()? {
            progress.set(batch.position);
            if let ..=1 = batch.magic {
                let legacy = Legacy::read(&mut batches, &batch)?;
                self.tell(file, "batch", of_legacy(&batch, &legacy)?)?;
                continue;
            }
            let header = batches.header(&batch)?;
            let valid = batches.crc_is_right(&batch, &header)?;
            self.tell(file, "batch", of_batch(&batch, &header, valid)?)?;
            if plan.shows_records {
                let bytes = batches.whole(&batch)?;
                record::each(&header, bytes, &mut |record| {
                    note_gap(file, &mut last_offset, record.offset.0, findings);
                    self.tell(file, "record", of_record(&header, record, plan)?)
                })?;
            }
        }
        let trailing = end - batches.position;
        if trailing > 0 && plan.bytes_max == i32::MAX {
            let finding = json!({ "finding": "trailingBytes", "position": batches.position, "found": trailing });
            self.tell(file, "finding", finding)?;
        }
        Ok(())
    }

    fn producer(&mut self, file: &JavaFile, mut entry: small_file::Fields<'_>) -> Result<(), Stop> {
        let (id, epoch) = (entry.long(), entry.short());
        let (last_sequence, last_offset) = (entry.int(), entry.long());
        let (offset_delta, timestamp) = (entry.int(), entry.long());
        let (coordinator_epoch, first_offset) = (entry.int(), entry.long());
        let some = |number: i64| (number >= 0).then_some(number);
        let entry = json!({
            "producerId": id,
            "producerEpoch": epoch,
            "coordinatorEpoch": coordinator_epoch,
            "currentTransactionFirstOffset": some(first_offset),
            "sequence": last_sequence,
            "lastOffset": some(last_offset),
            "offsetDelta": offset_delta,
            "timestamp": timestamp,
        });
        self.tell(file, "producer", entry)
    }

    /// What does not fit together, in the order of the text form; the last that is told.
    pub(super) fn findings(&mut self, findings: Findings) -> Result<(), Stop> {
        let mismatches = findings.mismatches.told().into_iter();
        let mismatches = mismatches.map(|(path, pairs)| {
            let pairs = pairs.into_iter().map(|(index, log)| (index.0, log));
            (path, pairs.collect::<Vec<_>>())
        });
        let gaps = findings.gaps.told().into_iter();
        let gaps = gaps.map(|(path, pairs)| (path, pairs.into_iter().collect::<Vec<_>>()));
        let all = [
            ("offset", "offsetMismatch", mismatches.collect()),
            ("timestamp", "timestampMismatch", findings.times.told()),
            (
                "timestamp",
                "timestampOutOfOrder",
                findings.times_out_of_order.told(),
            ),
            (
                "offset",
                "offsetNotFound",
                findings.offsets_not_found.told(),
            ),
            ("offset", "gap", gaps.collect()),
        ];
        for (field, finding, files) in all {
            for (path, pairs) in files {
                let file = JavaFile::new(&path);
                for (entry, found) in pairs {
                    let facts = json!({ "finding": finding, field: entry, "found": found });
                    self.tell(&file, "finding", facts)?;
                }
            }
        }
        // Nothing may have been told.
        let head = self.stream.head();
        Ok(self.cx.out.write_all(head.as_bytes())?)
    }
}

fn of_batch(batch: &Found, header: &BatchHeader, is_valid: bool) -> Result<Value, Stop> {
    Ok(json!({
        "offset": header.base_offset.0,
        "lastOffset": last_offset(header),
        "position": batch.position,
        "size": batch.size(),
        "records": header.record_count,
        "timestamp": header.max_timestamp.0,
        "timestampType": header.timestamp_type().name(),
        "producerId": header.producer_id.0,
        "producerEpoch": header.producer_epoch.0,
        "sequence": header.base_sequence,
        "lastSequence": sequence(header.base_sequence, header.last_offset_delta),
        "leaderEpoch": header.partition_leader_epoch.0,
        "transactional": header.is_transactional(),
        "control": header.is_control(),
        "deleteHorizonMs": header.delete_horizon().map(|time| time.0),
        "magic": batch.magic,
        "compression": codec(header.attributes)?.to_string(),
        "crc": header.crc,
        "valid": is_valid,
    }))
}

fn of_legacy(batch: &Found, legacy: &Legacy) -> Result<Value, Stop> {
    Ok(json!({
        "offset": batch.offset,
        "lastOffset": batch.offset,
        "position": batch.position,
        "size": batch.size(),
        "timestamp": legacy.timestamp,
        "timestampType": legacy.timestamp_type(),
        "magic": batch.magic,
        "compression": codec(legacy.attributes)?.to_string(),
        "crc": legacy.crc,
        "valid": legacy.is_valid(),
    }))
}

fn of_record(header: &BatchHeader, record: &Record<'_>, plan: &Plan) -> Result<Value, Stop> {
    let mut told = Map::new();
    told.insert("offset".to_owned(), record.offset.0.into());
    if !plan.skips_record_metadata {
        let keys = record.headers;
        let keys = keys.map(|header| String::from_utf8_lossy(header.key).into_owned());
        let facts = json!({
            "timestamp": record.timestamp.0,
            "timestampType": header.timestamp_type().name(),
            "keySize": record::size(record.key),
            "valueSize": record::size(record.value),
            "sequence": record::sequence_of(header, record),
            "headers": keys.collect::<Vec<String>>(),
        });
        told.extend(facts.as_object().cloned().unwrap_or_default());
    }
    if header.is_control() {
        let (kind, said) = record::control(record)?;
        told.insert("control".to_owned(), kind.into());
        told.insert("value".to_owned(), said);
    } else if plan.shows_contents {
        contents(plan, record, &mut told)?;
    }
    Ok(told.into())
}

fn contents(plan: &Plan, record: &Record<'_>, told: &mut Map<String, Value>) -> Result<(), Stop> {
    if let Parsing::Plain { key, value } = plan.parsing {
        plain(key, "key", record.key, told)?;
        return plain(value, "value", record.value, told);
    }
    let parsed = plan
        .parsing
        .parse(record.offset.0, record.key, record.value)?;
    for (name, text) in [("key", parsed.key), ("value", parsed.value)] {
        // What the decoders could not read is a sentence.
        let value = text.map(|text| {
            serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
        });
        told.insert(name.to_owned(), value.unwrap_or_default());
    }
    Ok(())
}

fn plain(
    decoder: Decoder,
    name: &str,
    bytes: Option<&[u8]>,
    told: &mut Map<String, Value>,
) -> Result<(), Stop> {
    match (decoder, bytes) {
        (Decoder::Integer | Decoder::Long, Some(bytes)) => {
            let text = decoder.decode(bytes)?;
            told.insert(
                name.to_owned(),
                text.parse::<i64>().unwrap_or_default().into(),
            );
        }
        _ => record_json::put(told, name, bytes),
    }
    Ok(())
}
