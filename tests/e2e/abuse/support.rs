//! Raw bytes to a broker, what comes back, and how the broker is afterwards.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use ottla_protocol::messages::{MetadataRequest, Request, encode_request};
use ottla_protocol::wire::Chunk;

use crate::server::Server;
use crate::wire::Wire;

/// A broker that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const MIB: u64 = 1 << 20;

/// How a broker took some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The first frame, without its length.
    Reply(Vec<u8>),
    Closed,
    Silence,
}

/// Sends bytes on a connection of their own. `patience` is how long silence is waited for.
pub(super) fn exchange(address: &str, bytes: &[u8], patience: Duration) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    // The broker may close before it has read everything.
    if stream.write_all(bytes).is_err() {
        return Answer::Closed;
    }
    match read_frame(&mut stream) {
        Ok(frame) => Answer::Reply(frame),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Answer::Silence,
        Err(_) => Answer::Closed,
    }
}

/// As `exchange`, where silence would be a fault.
pub(super) fn answer(address: &str, bytes: &[u8]) -> Answer {
    let answer = exchange(address, bytes, PATIENCE);
    assert_ne!(answer, Answer::Silence, "{} bytes", bytes.len());
    answer
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

/// A request as bytes, its length in front.
pub(super) fn bytes_of<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let chunks = encode_request(request, version, 7, Some("abuse"));
    chunks
        .iter()
        .flat_map(|chunk| match chunk {
            Chunk::Bytes(bytes) => bytes.to_vec(),
            Chunk::External { .. } => unreachable!("a request of a test has its bytes"),
        })
        .collect()
}

/// A frame of a body with a header of its own: version 2 where `flexible`, else 1.
pub(super) fn framed(key: i16, version: i16, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body.len() + 16);
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&7i32.to_be_bytes());
    frame.extend_from_slice(&(-1i16).to_be_bytes());
    if flexible {
        frame.push(0);
    }
    frame.extend_from_slice(body);
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    [&length[..], &frame[..]].concat()
}

/// Memory that the broker has of its own: what it maps of files is the kernel's.
pub(crate) fn resident_bytes(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    kib * 1024
}

/// Most memory that the broker had at any time since its start.
pub(super) fn peak_bytes(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    kib * 1024
}

/// The broker lives, answers somebody else, and has neither panicked nor filled its log.
pub(super) fn assert_well(server: &Server) {
    let mut other = Wire::connect(server.address()).unwrap();
    let metadata = other.call(&MetadataRequest::default(), 9).unwrap();
    assert_eq!(metadata.brokers.len(), 1);
    assert_calm(server);
}

/// The broker has neither panicked nor filled its log.
pub(super) fn assert_calm(server: &Server) {
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(
        log.lines().count() < 200,
        "{} lines of log",
        log.lines().count()
    );
}

/// Rows of one of the protocol's tables of vectors, cells split by tabs.
pub(super) fn vectors(name: &str) -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors");
    let file = File::open(folder.join(name)).unwrap();
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// Lower-case hexadecimal to bytes.
pub(super) fn unhex(text: &str) -> Bytes {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}
