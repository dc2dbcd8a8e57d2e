//! What must not hurt: frames that no client sends. The names begin with their row in the catalogue of faults.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_share_group_offsets::request::DescribeShareGroupOffsetsRequestGroup;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeShareGroupOffsetsRequest, Message as _,
    MetadataRequest,
};
use ottla_protocol::wire::Reader;

use super::produce_fetch::{fetch, fetch_request, produce, produce_request};
use crate::testing::{TestServer, batch, eventually};

/// A frame with its length in front.
fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// A request with a version 1 header and these bytes as its body.
fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&key.to_be_bytes());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&7i32.to_be_bytes());
    bytes.extend_from_slice(&(-1i16).to_be_bytes());
    bytes.extend_from_slice(body);
    frame(&bytes)
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn p01_frame_lengths_that_no_request_has_close_the_connection() {
    let server = TestServer::start(&[]);
    let lengths: &[&[u8]] = &[
        &(-1i32).to_be_bytes(),
        &0i32.to_be_bytes(),
        &(100 * 1024 * 1024 + 1i32).to_be_bytes(),
        &i32::MAX.to_be_bytes(),
        b"GET / HTTP/1.1\r\n\r\n",
        &[
            0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
        ],
    ];
    for length in lengths {
        let mut client = server.connect();
        client.stream.write_all(length).unwrap();
        assert!(client.is_closed(), "{length:?}");
    }
    server.connect().call(&MetadataRequest::default(), 9);
}

#[test]
fn p02_announced_lengths_take_no_memory() {
    let server = TestServer::start(&[]);
    server.connect().call(&MetadataRequest::default(), 9);
    let before = resident_bytes();
    let connections: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream
                .write_all(&(100 * 1024 * 1024i32).to_be_bytes())
                .unwrap();
            stream.write_all(&[0]).unwrap();
            stream
        })
        .collect();
    // An answer to a later connection shows that the earlier ones were taken in.
    server.connect().call(&MetadataRequest::default(), 9);
    let grown = resident_bytes().saturating_sub(before);
    assert!(
        grown < 32 << 20,
        "{grown} bytes for {} connections",
        connections.len()
    );
}

/// S-29: with all memory for requests in the hands of strangers who wait for more, nobody got any again, not even after
/// they had gone.
#[test]
fn p03_strangers_who_share_all_memory_between_them_do_not_keep_it() {
    let server = TestServer::start(&[
        ("queued.max.request.bytes", "131072"),
        ("socket.request.max.bytes", "131072"),
    ]);
    server.add_topic("t", 1);
    let strangers: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&131_072i32.to_be_bytes()).unwrap();
            stream.write_all(&[0; 100_000]).unwrap();
            stream
        })
        .collect();
    // Those who wait are shown out; who got enough notices when its client goes.
    for mut stream in strangers {
        let patience = Some(Duration::from_millis(2500));
        stream.set_read_timeout(patience).unwrap();
        let _ = stream.read(&mut [0]);
    }
    let mut client = server.connect();
    produce(&mut client, "t", 1, batch(&[&"v".repeat(60_000)]));
    assert_eq!(fetch(&mut client, "t", 0).error_code, 0);
}

#[test]
fn p04_replies_that_nobody_reads_do_not_pile_up() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    for _ in 0..20 {
        produce(&mut client, "t", 1, batch(&[&"v".repeat(900_000)]));
    }
    let before = resident_bytes();
    let deaf: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            for _ in 0..20 {
                client.send(&fetch_request("t", 0, 0, 1), 12);
            }
            client
        })
        .collect();
    assert_eq!(fetch(&mut client, "t", 0).error_code, 0);
    let grown = resident_bytes().saturating_sub(before);
    assert!(
        grown < 40 << 20,
        "{grown} bytes for {} connections",
        deaf.len()
    );
}

#[test]
fn p06_lengths_inside_a_request_that_its_bytes_do_not_justify() {
    let server = TestServer::start(&[]);
    let bodies: &[(i16, i16, &[u8])] = &[
        // Metadata v1: an array of 2^31-1, of -2, and a string of 32767.
        (3, 1, &[0x7f, 0xff, 0xff, 0xff, 0, 1, b'x']),
        (3, 1, &[0, 0, 0, 1, 0x7f, 0xff, b'x']),
        // Produce v3: a topic with an array of partitions that is not there.
        (
            0,
            3,
            &[
                0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b't', 0x7f, 0xff, 0xff, 0xff,
            ],
        ),
        // Fetch v4, cut off.
        (1, 4, &[0xff, 0xff]),
        (18, 0, &[]),
    ];
    for (key, version, body) in bodies {
        let mut client = server.connect();
        client
            .stream
            .write_all(&request(*key, *version, body))
            .unwrap();
        if *key == 18 {
            assert!(client.receive_frame().is_some());
        } else {
            assert!(client.is_closed(), "API {key}");
        }
    }
    // Metadata v9 (flexible) with a compact length of more than five bytes, and with 2^32-1 elements.
    for body in [
        &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..],
        &[0, 0xff, 0xff, 0xff, 0xff, 0x07, 0],
    ] {
        let mut client = server.connect();
        client.stream.write_all(&request(3, 9, body)).unwrap();
        assert!(client.is_closed());
    }
}

#[test]
fn p07_unknown_keys_and_versions_are_never_met_with_silence() {
    let server = TestServer::start(&[]);
    // ApiVersions from the future gets version 0.
    let mut client = server.connect();
    client.stream.write_all(&request(18, 99, &[0])).unwrap();
    let mut reader = Reader::new(client.receive_frame().unwrap());
    assert_eq!(reader.i32("correlation id").unwrap(), 7);
    let response = ApiVersionsResponse::decode(&mut reader, 0).unwrap();
    assert_eq!(
        ErrorCode::from_code(response.error_code),
        ErrorCode::UnsupportedVersion
    );
    assert_eq!(response.api_keys.len(), 1, "what it would understand");
    client.call(&ApiVersionsRequest::default(), 0);
    // A key that Kafka has and we don't: its own response says so. DescribeClientQuotas v0.
    let mut client = server.connect();
    client.stream.write_all(&request(48, 0, &[0; 5])).unwrap();
    let mut reader = Reader::new(client.receive_frame().unwrap());
    assert_eq!(reader.i32("correlation id").unwrap(), 7);
    assert_eq!(reader.i32("throttle time").unwrap(), 0);
    assert_eq!(
        reader.i16("error code").unwrap(),
        ErrorCode::UnsupportedVersion.code()
    );
    // And where each thing that was named has an error of its own.
    let asked = DescribeShareGroupOffsetsRequest {
        groups: vec![DescribeShareGroupOffsetsRequestGroup {
            group_id: "g".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let refused = server.connect().call(&asked, 0).groups[0].clone();
    assert_eq!(refused.group_id, "g");
    assert_eq!(
        ErrorCode::from_code(refused.error_code),
        ErrorCode::UnsupportedVersion
    );
    // A key that nobody has, a version that does not exist, and an API of the past.
    for (key, version) in [(999, 0), (-1, 0), (0, 2), (3, 99), (4, 0)] {
        let mut client = server.connect();
        client
            .stream
            .write_all(&request(key, version, &[]))
            .unwrap();
        assert!(client.is_closed(), "{key} version {version}");
    }
}

#[test]
fn p17_a_flood_of_small_produce_requests_is_taken_in_without_reading_its_replies() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    let mut reading = client.stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reading.read_to_end(&mut bytes).map(|_| bytes.len())
    });
    for _ in 0..10_000 {
        client.send(&produce_request("t", 0, 1, batch(&["x"])), 9);
    }
    let mut other = server.connect();
    eventually("all are on the log", || {
        fetch(&mut other, "t", 9_999).high_watermark == 10_000
    });
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(reader.join().unwrap().unwrap() > 10_000 * 20);
}

#[test]
fn p18_names_that_could_leave_the_directory_are_refused() {
    let server = TestServer::start(&[("auto.create.topics.enable", "true")]);
    let mut client = server.connect();
    let long = "x".repeat(250);
    for name in [
        ".",
        "..",
        "a/b",
        "..\\x",
        "a\0b",
        "%2e",
        "ü",
        "",
        long.as_str(),
    ] {
        let request = MetadataRequest {
            topics: Some(vec![
                ottla_protocol::messages::api::metadata::request::MetadataRequestTopic {
                    name: Some(name.into()),
                    ..Default::default()
                },
            ]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        let code = client.call(&request, 9).topics[0].error_code;
        assert_eq!(
            ErrorCode::from_code(code),
            ErrorCode::InvalidTopicException,
            "{name:?}"
        );
        let code = produce(&mut client, name, 1, batch(&["x"])).error_code;
        assert_eq!(
            ErrorCode::from_code(code),
            ErrorCode::UnknownTopicOrPartition,
            "{name:?}"
        );
    }
    let data = server.dir.path().join("data");
    let outside = std::fs::read_dir(server.dir.path()).unwrap().count();
    assert_eq!(outside, 1, "only {} is there", data.display());
}

#[test]
fn a_client_that_disconnects_in_the_middle_harms_nobody() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    for cut in [1, 4, 5, 20, 60] {
        let mut client = server.connect();
        let chunks = ottla_protocol::messages::encode_request(
            &produce_request("t", 0, -1, batch(&["half"])),
            9,
            1,
            None,
        );
        let bytes: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| match chunk {
                ottla_protocol::wire::Chunk::Bytes(bytes) => bytes.to_vec(),
                ottla_protocol::wire::Chunk::External { .. } => Vec::new(),
            })
            .collect();
        client.stream.write_all(&bytes[..cut]).unwrap();
    }
    let mut client = server.connect();
    assert_eq!(
        produce(&mut client, "t", -1, batch(&["whole"])).base_offset,
        0
    );
}
