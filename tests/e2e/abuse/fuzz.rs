//! Requests made by generators: every API in every version with lengths that lie, and mutated ones of all.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ottla_protocol::apis::ApiKey;

use super::support::{Answer, MIB, assert_well, exchange, framed, peak_bytes, unhex, vectors};
use crate::server::Server;

/// Bodies that announce more than they have; behind each ten bytes are left.
const LYING: &[&[u8]] = &[
    // 2^31-1, -2, and -1 where a null may not be.
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0xff, 0xff, 0xff, 0xff],
    // As varints: the largest, one that overflows, one of eleven bytes, an overlong null.
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x7f],
    &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
    ],
    &[0x80, 0x80, 0x80, 0x80, 0x00],
    // A string of 32767 bytes, one of -2.
    &[0x7f, 0xff],
    &[0xff, 0xfe],
    &[],
];

/// Long enough that an answer which is due has come; waits of the request's own making are cut off.
const PATIENCE: Duration = Duration::from_millis(100);

/// An API, a version of it that has a schema, and whether its header is flexible.
fn every_version() -> impl Iterator<Item = (i16, i16, bool)> {
    let keys = (0..=i16::from(u8::MAX)).filter_map(ApiKey::from_key);
    keys.filter(|key| key.listeners().broker).flat_map(|key| {
        let (min, max) = key.versions().unwrap_or((0, -1));
        (min..=max).map(move |version| {
            let flexible = key.request_header_version(version) == 2;
            (key.key(), version, flexible)
        })
    })
}

#[test]
fn p06_every_api_in_every_version_survives_lengths_that_lie() {
    let server = Server::with(&["--override", "auto.create.topics.enable=false"], &[]);
    let mut sent = 0;
    for (key, version, flexible) in every_version() {
        for lie in LYING {
            let body = [lie, &[0; 10][..]].concat();
            send_off(server.address(), &framed(key, version, flexible, &body));
            sent += 1;
        }
    }
    assert!(sent > 1_000, "{sent} requests");
    // A hundred thousand tagged fields, and one twice.
    let mut tags = vec![0xa0, 0x8d, 0x06];
    (0..100_000u32).for_each(|_| tags.extend_from_slice(&[0x63, 0]));
    for tags in [&tags[..], &[2, 9, 1, 0, 9, 1, 0]] {
        let mut frame = framed(18, 4, false, tags);
        frame.extend_from_slice(&[2, b'a', 2, b'b', 0]);
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        assert_ne!(
            exchange(server.address(), &frame, PATIENCE * 50),
            Answer::Silence
        );
    }
    let peak = peak_bytes(&server);
    assert!(peak < 200 * MIB, "{peak} bytes at most");
    assert_well(&server);
}

#[test]
fn p08_mutated_requests_of_all_apis_harm_nobody() {
    let server = Server::with(
        &[
            "--override",
            "auto.create.topics.enable=false",
            "ottla.durability=memory",
            "ottla.partitions.max=100",
        ],
        &[],
    );
    let seeds = seeds();
    let apis: std::collections::BTreeSet<i16> = seeds
        .iter()
        .map(|seed| i16::from_be_bytes([seed[4], seed[5]]))
        .collect();
    assert!(apis.len() > 60, "{} APIs", apis.len());
    let mut mutator = Mutator {
        state: number("OTTLA_FUZZ_SEED", 1).max(1),
    };
    let end = Instant::now() + Duration::from_millis(number("OTTLA_FUZZ_MS", 2_000));
    let mut sent = 0;
    while Instant::now() < end {
        send_off(server.address(), &mutator.mutate(&seeds));
        sent += 1;
    }
    assert!(sent > 20, "{sent} requests");
    let peak = peak_bytes(&server);
    assert!(
        peak < 400 * MIB,
        "{peak} bytes at most after {sent} requests"
    );
    assert!(server.log().lines().count() < 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    assert_well(&server);
}

/// Sends a frame and everything that is needed to have it read to its end, without waiting for what it does.
fn send_off(address: &str, frame: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    // The broker may close before it has read everything.
    let _ = stream.write_all(frame);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut first = [0];
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = std::io::Read::read(&mut stream, &mut first);
}

/// Requests of the golden vectors as frames, in versions that brokers know; large ones left out for speed.
fn seeds() -> Vec<Vec<u8>> {
    let frame = |row: &Vec<String>| {
        let [key, _, kind, version, _, body] = &row[..] else {
            panic!("{row:?}");
        };
        let (key, version) = (key.parse().ok()?, version.parse().ok()?);
        let api = ApiKey::from_key(key)?;
        let flexible = api.request_header_version(version) == 2;
        (kind == "request" && api.supports(version) && body.len() < 4_000)
            .then(|| framed(key, version, flexible, &unhex(body)))
    };
    vectors("messages.tsv.gz")
        .iter()
        .filter_map(frame)
        .collect()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Where a frame's body begins: behind the length, key, version, correlation id and client id.
const BODY: usize = 14;

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

    /// A seed with a few changes in its body; the length in front is mostly that of the frame.
    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut frame = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let at = BODY + self.below(frame.len() - BODY);
            match self.below(5) {
                0 => frame.truncate(at),
                1 if at < frame.len() => frame[at] ^= 1 << self.below(8),
                2 if at < frame.len() => frame[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                3 => frame.insert(at, self.below(256) as u8),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = BODY + self.below(other.len() - BODY);
                    frame.truncate(at);
                    frame.extend_from_slice(&other[from..]);
                }
            }
        }
        if self.below(16) > 0 {
            let length = u32::try_from(frame.len() - 4).unwrap();
            frame[..4].copy_from_slice(&length.to_be_bytes());
        }
        frame
    }
}
