//! A front before a broker: passes everything on in both directions, and changes some of the broker's answers on the way. What
//! takes a cluster of several brokers, a full disk or somebody's mistake to happen can happen so.
//!
//! Always: the broker advertises the front, so that whoever has met one meets no other.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ottla_protocol::messages::{
    Message, Request, ResponseHeader, encode_response, response_header_version,
};
use ottla_protocol::wire::{Chunk, Reader};

use crate::server::Server;

/// Makes another frame of one without its length, which answers a request in this version.
type Change = Box<dyn Fn(Bytes, i16) -> Vec<u8> + Send + Sync>;

/// What is to be changed, by the key of the API.
#[derive(Default)]
pub(crate) struct Front(HashMap<i16, Change>);

/// A broker behind its front.
pub(crate) struct Fronted {
    pub(crate) server: Server,
    address: String,
}

impl Fronted {
    /// Where clients meet the front.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Front {
    /// Has the answers to such requests changed.
    pub(crate) fn changing<R: Request>(
        mut self,
        change: impl Fn(&mut R::Response) + Send + Sync + 'static,
    ) -> Self {
        let change = move |frame: Bytes, version: i16| {
            let mut reader = Reader::new(frame);
            let header_version = response_header_version(R::API_KEY, R::is_flexible(version));
            let header = ResponseHeader::decode(&mut reader, header_version).expect("a header");
            let mut response = R::Response::decode(&mut reader, version).expect("a response");
            change(&mut response);
            let chunks = encode_response(&response, version, header.correlation_id);
            let bytes = chunks.into_iter().map(|chunk| match chunk {
                Chunk::Bytes(bytes) => bytes,
                Chunk::External { .. } => unreachable!("only brokers answer with files"),
            });
            bytes.collect::<Vec<Bytes>>().concat()
        };
        self.0.insert(R::API_KEY, Box::new(change));
        self
    }

    /// Starts a broker with such overrides, and stands before it.
    pub(crate) fn start(self, overrides: &[&str]) -> Fronted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let advertised = format!("advertised.listeners=PLAINTEXT://{address}");
        let all = overrides.iter().copied().chain([advertised.as_str()]);
        let options: Vec<&str> = all.flat_map(|pair| ["--override", pair]).collect();
        let server = Server::with(&options, &[]);
        let broker = server.address().to_owned();
        let changes = Arc::new(self.0);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A broker that has ended lets nobody in.
                if let Ok(broker) = TcpStream::connect(&broker) {
                    pass_on(client, broker, changes.clone());
                }
            }
        });
        Fronted { server, address }
    }
}

/// The requests under way on a connection: key and version, by the correlation id.
type Asked = Arc<Mutex<HashMap<[u8; 4], (i16, i16)>>>;

fn pass_on(client: TcpStream, broker: TcpStream, changes: Arc<HashMap<i16, Change>>) {
    let asked = Asked::default();
    let (there, back) = both(&client, &broker);
    let noted = asked.clone();
    carry(there, move |frame| {
        if let (Some(api), Some(id)) = (frame.first_chunk::<4>(), frame.get(4..8)) {
            let api = (
                i16::from_be_bytes([api[0], api[1]]),
                i16::from_be_bytes([api[2], api[3]]),
            );
            let id = id.try_into().expect("four bytes");
            noted.lock().expect("not poisoned").insert(id, api);
        }
        with_length(&frame)
    });
    carry(back, move |frame| {
        let id = frame.first_chunk::<4>();
        let api = id.and_then(|id| asked.lock().expect("not poisoned").remove(id));
        match api.and_then(|(key, version)| Some((changes.get(&key)?, version))) {
            Some((change, version)) => change(frame.into(), version),
            None => with_length(&frame),
        }
    });
}

/// The two directions, each as a pair of where frames come from and where they go.
fn both(
    client: &TcpStream,
    broker: &TcpStream,
) -> ((TcpStream, TcpStream), (TcpStream, TcpStream)) {
    let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
    for stream in [client, broker] {
        stream.set_nodelay(true).expect("a socket");
    }
    ((copy(client), copy(broker)), (copy(broker), copy(client)))
}

/// Carries frames until one side has ended, and then ends the other.
fn carry(
    (mut from, mut to): (TcpStream, TcpStream),
    mut through: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static,
) {
    std::thread::spawn(move || {
        while let Ok(frame) = next_frame(&mut from) {
            if to.write_all(&through(frame)).is_err() {
                break;
            }
        }
        for stream in [from, to] {
            stream.shutdown(Shutdown::Both).ok();
        }
    });
}

fn next_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

fn with_length(frame: &[u8]) -> Vec<u8> {
    let length = i32::try_from(frame.len()).expect("it came with a length");
    [&length.to_be_bytes(), frame].concat()
}
