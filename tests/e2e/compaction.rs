//! S-17, S-27: the broker is killed in the middle of compaction, again and again, while readers read. Every reader finds
//! the last value of each key at the offset that its acknowledgement named, and in the end nothing else is there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::records::{BatchBuilder, batches_of};
use ottla_protocol::types::Millis;
use ottla_protocol::wire::Records;

use crate::requests::{FETCH, PRODUCE, fetch, produce};
use crate::server::Server;
use crate::wait::until;
use crate::wire::Wire;

const KEYS: i64 = 5;
const ROUNDS: i64 = 4;
/// So that each key is overwritten a hundred times.
const BATCHES_PER_ROUND: i64 = 125;

/// What was acknowledged, and what a reader is to find.
#[derive(Default)]
struct Model {
    last: BTreeMap<String, i64>,
    next: i64,
}

impl Model {
    fn write(&mut self, client: &mut Wire, begin: i64, batches: i64) {
        for _ in 0..batches {
            let offset = self.next;
            let key = format!("k{}", offset % KEYS);
            let mut batch = BatchBuilder::new(Compression::None);
            let value = offset.to_string();
            batch
                .append(
                    Millis(begin + 2 * offset),
                    Some(key.as_bytes()),
                    Some(value.as_bytes()),
                    &[],
                )
                .unwrap();
            let request = produce("t", 0, 1, batch.build().unwrap());
            let response = client.call(&request, PRODUCE).unwrap();
            let answer = &response.responses[0].partition_responses[0];
            assert_eq!((answer.error_code, answer.base_offset), (0, offset));
            self.last.insert(key, offset);
            self.next += 1;
        }
    }

    /// Reads from the start; the offset of each key's last record, and how many records there are.
    fn check(&self, client: &mut Wire) -> i64 {
        let (mut found, mut count, mut next) = (BTreeMap::new(), 0, 0);
        while next < self.next {
            let response = client.call(&fetch("t", 0, next), FETCH).unwrap();
            let answer = &response.responses[0].partitions[0];
            assert_eq!(
                (response.error_code, answer.error_code),
                (0, 0),
                "at {next}"
            );
            let Some(Records::Bytes(bytes)) = &answer.records else {
                panic!("nothing at {next} below {}", self.next);
            };
            for batch in batches_of(bytes) {
                let (header, bytes) = batch.unwrap();
                let opened =
                    ottla_protocol::records::Records::open(&bytes, InflateLimits::default());
                for record in &opened.unwrap() {
                    let record = record.unwrap();
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    // A batch may begin before the offset that was asked for.
                    if record.offset.0 >= next {
                        assert_eq!(text(record.value.unwrap()), record.offset.to_string());
                        found.insert(text(record.key.unwrap()), record.offset.0);
                        count += 1;
                    }
                }
                next = next.max(header.next_offset().0);
            }
        }
        assert_eq!(found, self.last);
        count
    }
}

fn connect(server: &Server) -> Wire {
    Wire::connect(server.address()).unwrap()
}

/// Whether a pass is writing or swapping a segment at the moment.
fn is_in_a_pass(server: &Server) -> bool {
    let Ok(entries) = std::fs::read_dir(server.data().join("t-0")) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name().into_string().unwrap_or_default();
        name.ends_with(".cleaned") || name.ends_with(".swap")
    })
}

fn cleaned_end(server: &Server) -> Option<i64> {
    let file = server.data().join("cleaner-offset-checkpoint");
    let text = std::fs::read_to_string(file).ok()?;
    let end = text.lines().find_map(|line| line.strip_prefix("t 0 "))?;
    end.parse().ok()
}

fn set_bytes_per_second(server: &Server, bytes: &str) {
    server.tool(&format!(
        "configs --alter --entity-type brokers --entity-default \
         --add-config log.cleaner.io.max.bytes.per.second={bytes}"
    ));
}

#[test]
fn killed_in_the_middle_of_compaction_the_last_value_of_each_key_is_there() {
    let mut server = Server::with(
        &[
            "--override",
            "log.cleaner.backoff.ms=1",
            "log.cleaner.threads=2",
        ],
        &[],
    );
    server.tool(
        "topics --create --topic t --partitions 1 --config cleanup.policy=compact --config segment.ms=1 \
         --config min.cleanable.dirty.ratio=0.01 --config file.delete.delay.ms=0",
    );
    // A few passes a second, each of them under way for most of the time.
    set_bytes_per_second(&server, "20000");
    let begin = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let begin = i64::try_from(begin).unwrap() - 3_600_000;
    let mut model = Model::default();
    for _ in 0..ROUNDS {
        model.write(&mut connect(&server), begin, BATCHES_PER_ROUND);
        until("a pass is under way", || is_in_a_pass(&server));
        server.kill();
        server.restart();
        model.check(&mut connect(&server));
    }
    set_bytes_per_second(&server, "1e12");
    // All readers are right, whatever is swapped under them.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = connect(&server);
                while !done.load(Relaxed) {
                    model.check(&mut client);
                }
            });
        }
        until("all but the active segment is clean", || {
            cleaned_end(&server) == Some(model.next - 1)
        });
        done.store(true, Relaxed);
    });
    // The last record of all lies in the active segment and stands for the one of its key before it, too.
    let count = model.check(&mut connect(&server));
    assert_eq!(count, KEYS + 1, "all that was overwritten is gone");
    assert!(
        !server.log().contains("cannot be compacted"),
        "{}",
        server.log()
    );
}
