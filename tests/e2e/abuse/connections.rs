//! Connections that cost: too many, too slow, deaf, cut off.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use ottla_protocol::messages::{ApiVersionsRequest, MetadataRequest};

use super::support::{Answer, MIB, answer, assert_calm, assert_well, bytes_of, resident_bytes};
use crate::requests::{FETCH, PRODUCE, create_topic, fetch, produce};
use crate::server::Server;
use crate::wait;
use crate::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which one request was answered.
fn served(server: &Server) -> std::io::Result<Wire> {
    let mut wire = Wire::connect(server.address())?;
    wire.call(&ApiVersionsRequest::default(), 0)?;
    Ok(wire)
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        // A read with a limit of time is not begun again by itself when the process was stopped meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => is_closed(stream),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => true,
        Err(error) => panic!("not closed within {PATIENCE:?}: {error}"),
    }
}

#[test]
fn p04_a_request_that_never_becomes_whole_is_dropped_as_idle() {
    let server = Server::with(&["--override", "connections.max.idle.ms=500"], &[]);
    let request = bytes_of(&MetadataRequest::default(), 9);
    let mut slow: Vec<TcpStream> = (1..request.len())
        .map(|cut| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(&request[..cut]).unwrap();
            stream
        })
        .collect();
    for stream in &mut slow {
        assert!(is_closed(stream));
    }
    // On a busy machine half a second may pass between a connection and its request: who is late is idle, too.
    wait::until("somebody else to be answered", || served(&server).is_ok());
    assert_calm(&server);
}

#[test]
fn p04_a_request_byte_by_byte_is_answered_all_the_same() {
    let server = Server::start();
    let request = bytes_of(&MetadataRequest::default(), 9);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in request {
        stream.write_all(&[byte]).unwrap();
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_exact(&mut [0; 8]).unwrap();
}

#[test]
fn p05_caps_of_connections_are_exact_and_places_become_free() {
    for (setting, cap) in [("max.connections=20", 20), ("max.connections.per.ip=5", 5)] {
        let server = Server::with(&["--override", setting], &[]);
        let mut open: Vec<Wire> = Vec::new();
        // The connection that found out whether the broker was ready may still be there.
        wait::until("all places to be taken", || {
            open.extend(served(&server));
            open.len() == cap
        });
        for _ in 0..200 {
            assert!(served(&server).is_err(), "{setting}: one more");
        }
        // Those who are in stay in.
        for wire in &mut open {
            wire.call(&ApiVersionsRequest::default(), 0).unwrap();
        }
        assert!(
            server.log().lines().count() < 100,
            "{setting}: a flood of lines"
        );
        drop(open);
        wait::until("a place to be free", || served(&server).is_ok());
        assert_well(&server);
    }
}

#[test]
fn p17_requests_beyond_those_whose_answers_are_read_are_left_in_the_socket() {
    let server = Server::with(&["--override", "ottla.durability=memory"], &[]);
    create_topic(server.address(), "t", 1);
    let mut writer = Wire::connect(server.address()).unwrap();
    for _ in 0..10 {
        let batch = crate::abuse::batches::batch_of(&[&vec![b'v'; 900_000][..]]);
        let response = writer.call(&produce("t", 0, 1, batch), PRODUCE).unwrap();
        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    }
    let before = resident_bytes(&server);
    let request = bytes_of(&fetch("t", 0, 0), FETCH);
    let many = request.repeat(10_000);
    let deaf: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.set_nonblocking(true).unwrap();
            // As much as the sockets take; the rest would wait for ever.
            let mut sent = 0;
            while let Ok(more) = stream.write(&many[sent..]) {
                sent += more;
                if sent == many.len() {
                    break;
                }
            }
            stream
        })
        .collect();
    let response = writer.call(&fetch("t", 0, 0), FETCH).unwrap();
    assert_eq!(response.responses[0].partitions[0].error_code, 0);
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(
        grown < 64 * MIB,
        "{grown} bytes for {} connections",
        deaf.len()
    );
    assert_well(&server);
}

#[test]
fn p17_a_flood_without_acknowledgements_is_taken_in_and_memory_stays_bounded() {
    const FLOOD: i64 = 10_000;
    let server = Server::with(&["--override", "ottla.durability=memory"], &[]);
    create_topic(server.address(), "t", 1);
    let before = resident_bytes(&server);
    let batch = crate::abuse::batches::batch_of(&[b"x"]);
    let request = bytes_of(&produce("t", 0, 0, batch), PRODUCE);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(&request.repeat(FLOOD as usize)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut other = Wire::connect(server.address()).unwrap();
    wait::until("all of the flood to be on the log", || {
        let response = other.call(&fetch("t", 0, FLOOD - 1), FETCH).unwrap();
        response.responses[0].partitions[0].high_watermark == FLOOD
    });
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes more");
    assert_well(&server);
}

#[test]
fn a_client_that_disconnects_anywhere_in_a_request_leaves_nothing_half_done() {
    let server = Server::start();
    create_topic(server.address(), "t", 1);
    let batch = crate::abuse::batches::batch_of(&[b"half"]);
    let request = bytes_of(&produce("t", 0, -1, batch), PRODUCE);
    for cut in 0..request.len() {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&request[..cut]).unwrap();
    }
    assert!(matches!(
        answer(server.address(), &request),
        Answer::Reply(_)
    ));
    let mut client = Wire::connect(server.address()).unwrap();
    let response = client.call(&fetch("t", 0, 0), FETCH).unwrap();
    assert_eq!(response.responses[0].partitions[0].high_watermark, 1);
    assert_well(&server);
}
