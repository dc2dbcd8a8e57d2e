//! Each fuzz body for about a second on mutations of the golden vectors.
//!
//! A failure prints the input. `OTTLA_FUZZ_SEED` chooses other mutations, `OTTLA_FUZZ_MS` another duration.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ottla_protocol::testing::{
    choice_of_message, fuzz_control, fuzz_framing, fuzz_inflate, fuzz_message, fuzz_produce,
    fuzz_record_set,
};

use support::{table, unhex};

struct Mutator {
    state: u64,
}

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64: any sequence will do that can be had again.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) as usize % bound.max(1)
    }

    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                2 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                3 => bytes.insert(at, self.below(256) as u8),
                4 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
            }
        }
        bytes
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn hammer(seeds: &[Vec<u8>], body: fn(&[u8])) {
    let mut mutator = Mutator {
        state: number("OTTLA_FUZZ_SEED", 1).max(1),
    };
    let end = Instant::now() + Duration::from_millis(number("OTTLA_FUZZ_MS", 1000));
    let run = |bytes: &[u8]| {
        let outcome = catch_unwind(AssertUnwindSafe(|| body(bytes)));
        assert!(outcome.is_ok(), "the fuzz body panicked on {bytes:02x?}");
    };
    seeds.iter().for_each(|seed| run(seed));
    while Instant::now() < end {
        run(&mutator.mutate(seeds));
    }
}

/// The record sets of the golden vectors, large ones left out for speed.
fn record_sets() -> Vec<Vec<u8>> {
    let mut sets: Vec<_> = table("records.tsv.gz")
        .iter()
        .map(|row| unhex(&row[2]))
        .collect();
    sets.extend(
        table("hostile-records.tsv.gz")
            .iter()
            .map(|row| unhex(&row[4])),
    );
    sets.retain(|set| set.len() < 5000);
    sets
}

/// Their attributes, count and records, in the form that the bodies of payloads take.
fn payloads(prefix: fn(codec: u8, count: u8) -> Vec<u8>) -> Vec<Vec<u8>> {
    record_sets()
        .iter()
        .filter(|set| set.len() > 61)
        .map(|set| [prefix(set[22] & 7, set[60]), set[61..].to_vec()].concat())
        .collect()
}

#[test]
fn fuzz_body_of_record_sets_for_a_second() {
    hammer(&record_sets(), fuzz_record_set);
}

#[test]
fn fuzz_body_of_produced_batches_for_a_second() {
    hammer(
        &payloads(|codec, count| vec![codec, count << 1]),
        fuzz_produce,
    );
}

#[test]
fn fuzz_body_of_compressed_payloads_for_a_second() {
    hammer(&payloads(|codec, _| vec![codec]), fuzz_inflate);
}

#[test]
fn fuzz_body_of_control_records_for_a_second() {
    let mut seeds = vec![vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 7], vec![0, 0, 0, 0], vec![]];
    seeds.extend((0..8).map(|kind| vec![0, 0, 0, kind, 0, 0]));
    hammer(&seeds, fuzz_control);
}

#[test]
fn fuzz_body_of_messages_for_a_second() {
    let rows = [table("messages.tsv.gz"), table("internal.tsv.gz")].concat();
    let mut seeds: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let choice = choice_of_message(&row[1], row[3].parse().ok()?)?;
            Some([&choice[..], &unhex(&row[5])].concat())
        })
        .collect();
    assert!(seeds.len() > 3000, "{} messages", seeds.len());
    seeds.retain(|seed| seed.len() < 2000);
    hammer(&seeds, fuzz_message);
}

#[test]
fn fuzz_body_of_headers_and_metadata_frames_for_a_second() {
    let mut seeds: Vec<_> = table("headers.tsv")
        .iter()
        .map(|row| unhex(&row[5]))
        .collect();
    seeds.extend(
        table("internal.tsv.gz")
            .iter()
            .filter(|row| row[0] == "metadata")
            .map(|row| unhex(&row[6])),
    );
    hammer(&seeds, fuzz_framing);
}
