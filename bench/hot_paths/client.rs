//! A client that sends frames which were made before, and looks at no more of a reply than its length.

use std::net::SocketAddr;

use ottla_protocol::messages::{self, Message, Request, ResponseHeader};
use ottla_protocol::wire::{Chunk, Reader};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CORRELATION_ID: i32 = 7;

/// No reply is larger.
const REPLY_BYTES_MAX: usize = 4 << 20;

pub(crate) struct Client {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a listener");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            reply: vec![0; REPLY_BYTES_MAX],
        }
    }

    pub(crate) async fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).await.expect("a broker");
    }

    /// Waits for a reply; its length.
    pub(crate) async fn receive(&mut self) -> usize {
        let mut have = 0;
        loop {
            let read = self.stream.read(&mut self.reply[have..]).await;
            have += read.expect("a broker");
            if let Some(length) = self.reply[..have].first_chunk() {
                let length = 4 + u32::from_be_bytes(*length) as usize;
                assert!(have <= length && length <= REPLY_BYTES_MAX, "one reply");
                if have == length {
                    return length;
                }
            }
        }
    }

    pub(crate) async fn exchange(&mut self, frame: &[u8]) -> usize {
        self.send(frame).await;
        self.receive().await
    }

    /// Asks, and decodes the answer.
    pub(crate) async fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let length = self.exchange(&frame(request, version)).await;
        let mut reader = Reader::new(self.reply[4..length].to_vec().into());
        let header_version =
            messages::response_header_version(R::API_KEY, R::Response::is_flexible(version));
        ResponseHeader::decode(&mut reader, header_version).expect("a header");
        R::Response::decode(&mut reader, version).expect("a response")
    }
}

/// A whole request, length first.
pub(crate) fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let chunks = messages::encode_request(request, version, CORRELATION_ID, Some("bench"));
    let bytes = chunks.iter().map(|chunk| match chunk {
        Chunk::Bytes(bytes) => &bytes[..],
        Chunk::External { .. } => panic!("requests have no gaps"),
    });
    bytes.collect::<Vec<_>>().concat()
}
