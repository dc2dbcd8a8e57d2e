//! Who is it that does not answer Kafka's first request? Asked in the other languages that are common on a port.
//!
//! A TLS listener often just hangs up on plain text, and an HTTP server waits for the end of a line: neither says
//! what it is unless it is spoken to in its own way. Only used on an endpoint that has already failed to answer.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    ConnSettings, Endpoint, EndpointFault,
    frame::{FrameFault, FrameReader},
};

/// A TLS 1.2 ClientHello that offers three old suites and no extensions: every TLS server answers it, be it with
/// an alert.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x31\
    \x01\x00\x00\x2d\x03\x03\
    ottla asks whether this is TLS..\
    \x00\x00\x06\xc0\x2f\xc0\x30\x00\x9c\x01\x00";

const HTTP_GET: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// TLS or HTTP, where the endpoint turns out to be that.
pub(super) async fn probe(
    endpoint: &Endpoint,
    settings: &ConnSettings,
    within: Duration,
) -> Option<EndpointFault> {
    let ask = async |question, expected| {
        first_answer(endpoint, settings, within, question)
            .await
            .filter(|fault| *fault == expected)
    };
    let asking = async {
        tokio::select! {
            Some(fault) = ask(CLIENT_HELLO, EndpointFault::Tls) => Some(fault),
            Some(fault) = ask(HTTP_GET, EndpointFault::Http) => Some(fault),
            else => None,
        }
    };
    timeout(within, asking).await.ok().flatten()
}

/// What the first bytes of the answer look like.
async fn first_answer(
    endpoint: &Endpoint,
    settings: &ConnSettings,
    within: Duration,
    question: &[u8],
) -> Option<EndpointFault> {
    let halves = settings.transport.connect(endpoint, within);
    let mut halves = halves.await.ok()?;
    halves.writer.write_all(question).await.ok()?;
    // Read as if it were a frame: TLS and HTTP alike give a size beyond any bound.
    match FrameReader::new(halves.reader).next(0).await {
        Err(FrameFault::Size { first, .. }) => Some(EndpointFault::of_first_bytes(&first)),
        Err(FrameFault::Closed { partial }) => Some(EndpointFault::of_first_bytes(&partial)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_inside_the_hello_are_right() {
        let record = usize::from(u16::from_be_bytes([CLIENT_HELLO[3], CLIENT_HELLO[4]]));
        assert_eq!(record, CLIENT_HELLO.len() - 5);
        let handshake = usize::from(u16::from_be_bytes([CLIENT_HELLO[7], CLIENT_HELLO[8]]));
        assert_eq!(handshake, CLIENT_HELLO.len() - 9);
        // Version, random, session id, suites, compression methods.
        assert_eq!(handshake, 2 + 32 + 1 + 2 + 6 + 2);
    }
}
