//! A connection that speaks the protocol and nothing else, for tests that must choose every byte and every moment:
//! no metadata, no retries, no batching. Requests may be pipelined; replies are taken in the order of the requests.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::messages::{
    Message, Request, ResponseHeader, encode_request, response_header_version,
};
use ottla_protocol::wire::{Chunk, Reader};

/// Longer than any test waits for one reply; a broker that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    pub(crate) fn connect(address: &str) -> io::Result<Wire> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Wire {
            stream,
            correlation_id: 0,
        })
    }

    pub(crate) fn call<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> io::Result<R::Response> {
        self.send(request, version)?;
        self.receive::<R>(version)
    }

    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> io::Result<()> {
        self.correlation_id += 1;
        for chunk in encode_request(request, version, self.correlation_id, Some("e2e")) {
            match chunk {
                Chunk::Bytes(bytes) => self.stream.write_all(&bytes)?,
                Chunk::External { .. } => unreachable!("a request of a test has its bytes"),
            }
        }
        Ok(())
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame =
            vec![0; usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?];
        self.stream.read_exact(&mut frame)?;
        let mut reader = Reader::new(Bytes::from(frame));
        let header_version = response_header_version(R::API_KEY, R::is_flexible(version));
        ResponseHeader::decode(&mut reader, header_version).map_err(io::Error::other)?;
        R::Response::decode(&mut reader, version).map_err(io::Error::other)
    }
}
