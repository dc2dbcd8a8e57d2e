//! An address that stays while the broker behind it moves to another port, and a way on which requests and answers get lost.
//!
//! Always: what passes is whole frames, in order. A loss ends its connection, as with TCP nothing is missing in between.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use ottla_protocol::apis::ApiKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::{Broker, overrides};
use crate::server::Server;

const LENGTH_BYTES: usize = 4;
const API_KEY: usize = LENGTH_BYTES;
const CORRELATION_ID_ASKED: usize = API_KEY + 4;
const CORRELATION_ID_ANSWERED: usize = LENGTH_BYTES;
const FRAME_MAX: usize = 100 << 20;

/// What does not arrive of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The broker never sees the request.
    Request,
    /// The request takes effect, and nobody hears of it.
    Answer,
    /// Likewise, though the answer begins.
    HalfTheAnswer,
}

/// What waits to be lost, and where the way leads.
#[derive(Default)]
struct Way {
    leads_to: Mutex<String>,
    losses: Mutex<Vec<(ApiKey, Lost)>>,
    lost: AtomicUsize,
}

pub(crate) struct Door {
    port: u16,
    way: Arc<Way>,
}

impl Door {
    pub(crate) async fn open() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way: Arc<Way> = Arc::default();
        let door = Door {
            port,
            way: way.clone(),
        };
        tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                tokio::spawn(pass(outside, way.clone()));
            }
        });
        door
    }

    pub(crate) fn leads_to(&self, address: &str) {
        address.clone_into(&mut self.way.leads_to.lock().unwrap());
    }

    /// The next request to this API, whoever sends it, fares so.
    pub(crate) fn lose(&self, api: ApiKey, lost: Lost) {
        self.way.losses.lock().unwrap().push((api, lost));
    }

    /// How many requests and answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.way.lost.load(SeqCst)
    }

    /// One of ours behind it.
    pub(crate) fn broker(&self) -> Broker {
        self.broker_with(&[])
    }

    /// Further settings, of the form `key=value`.
    pub(crate) fn broker_with(&self, settings: &[&str]) -> Broker {
        let advertised = format!("advertised.listeners=PLAINTEXT://127.0.0.1:{}", self.port);
        let mut options = overrides();
        options.extend(["--override", &advertised]);
        for setting in settings {
            options.extend(["--override", setting]);
        }
        let server = Server::with(&options, &[]);
        self.leads_to(server.address());
        Broker {
            address: format!("127.0.0.1:{}", self.port),
            ours: Some(server),
        }
    }
}

impl Way {
    fn loss(&self, api_key: i16) -> Option<Lost> {
        let mut losses = self.losses.lock().unwrap();
        let is_it = |(api, _): &(ApiKey, Lost)| *api as i16 == api_key;
        let at = losses.iter().position(is_it)?;
        self.lost.fetch_add(1, SeqCst);
        Some(losses.remove(at).1)
    }
}

/// One connection. It ends on both sides when it does on one.
async fn pass(outside: TcpStream, way: Arc<Way>) {
    let to = way.leads_to.lock().unwrap().clone();
    let Ok(inside) = TcpStream::connect(to).await else {
        return;
    };
    let (from_client, to_client) = outside.into_split();
    let (from_broker, to_broker) = inside.into_split();
    let doomed = Mutex::new(Vec::new());
    tokio::select! {
        _ = pass_requests(from_client, to_broker, &way, &doomed) => {}
        _ = pass_answers(from_broker, to_client, &doomed) => {}
    }
}

/// None: the connection is over.
async fn pass_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: &Way,
    doomed: &Mutex<Vec<(i32, Lost)>>,
) -> Option<()> {
    loop {
        let request = frame(&mut from).await?;
        let api_key = i16::from_be_bytes(request.get(API_KEY..)?.first_chunk().copied()?);
        match way.loss(api_key) {
            Some(Lost::Request) => return None,
            Some(lost) => {
                let id = number(&request, CORRELATION_ID_ASKED)?;
                doomed.lock().unwrap().push((id, lost));
            }
            None => {}
        }
        to.write_all(&request).await.ok()?;
    }
}

/// None: the connection is over.
async fn pass_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    doomed: &Mutex<Vec<(i32, Lost)>>,
) -> Option<()> {
    loop {
        let answer = frame(&mut from).await?;
        let id = number(&answer, CORRELATION_ID_ANSWERED)?;
        let is_it = |(doomed, _): &&(i32, Lost)| *doomed == id;
        let lost = doomed.lock().unwrap().iter().find(is_it).copied();
        match lost {
            None => to.write_all(&answer).await.ok()?,
            Some((_, Lost::HalfTheAnswer)) => {
                to.write_all(&answer[..answer.len() / 2]).await.ok()?;
                return None;
            }
            Some(_) => return None,
        }
    }
}

/// The next one with its length.
async fn frame(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut length = [0; LENGTH_BYTES];
    from.read_exact(&mut length).await.ok()?;
    let bytes = usize::try_from(i32::from_be_bytes(length)).ok()?;
    if bytes > FRAME_MAX {
        // A client that was cut off tries other protocols, to say what it may have come upon.
        return None;
    }
    let mut frame = vec![0; LENGTH_BYTES + bytes];
    frame[..LENGTH_BYTES].copy_from_slice(&length);
    from.read_exact(&mut frame[LENGTH_BYTES..]).await.ok()?;
    Some(frame)
}

fn number(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..)?.first_chunk().copied()?))
}
