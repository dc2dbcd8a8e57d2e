//! What is wrong with an endpoint, told apart so that one sentence can name the cause and the repair.
//!
//! Owns: the typed faults of connecting and of the handshake, and the recognition of foreign protocols from their
//! first bytes. Not here: faults of a connection that already worked (`super::ConnectionError`).

use std::{fmt, io, time::Duration};

use super::{Endpoint, transport::ConnectFault};

/// A broker could not be talked to, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    pub endpoint: Endpoint,
    pub fault: EndpointFault,
    /// The node that named this address, where it was no user, and the address has never led anywhere.
    pub advertised_by: Option<Endpoint>,
}

/// The ways in which an endpoint is not a Kafka broker we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointFault {
    /// Nothing listens there.
    Refused,
    /// The host name does not resolve.
    NameNotFound(String),
    /// The host name was not resolved in time: whether it exists is not known.
    NameTimeout(Duration),
    /// No route, or the network refuses.
    Unreachable(String),
    /// The TCP connection did not come about in time.
    ConnectTimeout(Duration),
    /// The connection stands but the first request stays unanswered.
    NoAnswer(Duration),
    /// It shook hands and left the first request behind that without an answer.
    Silent(&'static str, Duration),
    /// The first answer is a TLS record.
    Tls,
    /// The first answer is HTTP.
    Http,
    /// The first answer is something else.
    Foreign(Vec<u8>),
    /// The peer closed instead of answering.
    Closed,
    /// It is a node of a cluster, but not of the side that is looked for: it has no such API.
    Lacks(&'static str),
    /// It speaks Kafka, but a dialect without the versions we need.
    Dialect(String),
    /// Any other fault of the socket.
    Io(String),
}

impl EndpointError {
    pub(crate) fn new(endpoint: &Endpoint, fault: EndpointFault) -> Self {
        Self {
            endpoint: endpoint.clone(),
            fault,
            advertised_by: None,
        }
    }

    /// True where trying again may help although nobody changes anything at the client.
    pub fn may_pass(&self) -> bool {
        match self.fault {
            EndpointFault::Refused
            | EndpointFault::Unreachable(_)
            | EndpointFault::NameTimeout(_)
            | EndpointFault::ConnectTimeout(_)
            | EndpointFault::NoAnswer(_)
            | EndpointFault::Silent(..)
            | EndpointFault::Closed
            | EndpointFault::Io(_) => true,
            EndpointFault::NameNotFound(_)
            | EndpointFault::Tls
            | EndpointFault::Http
            | EndpointFault::Foreign(_)
            | EndpointFault::Lacks(_)
            | EndpointFault::Dialect(_) => false,
        }
    }
}

impl EndpointFault {
    /// `allowed` is the time that there was.
    pub(crate) fn of_connect(fault: ConnectFault, allowed: Duration) -> Self {
        match fault {
            ConnectFault::NameNotFound(error) => Self::NameNotFound(error.to_string()),
            ConnectFault::NameTimeout => Self::NameTimeout(allowed),
            ConnectFault::ConnectTimeout => Self::ConnectTimeout(allowed),
            ConnectFault::Connect(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Self::Refused,
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    Self::Unreachable(error.to_string())
                }
                _ => Self::Io(error.to_string()),
            },
        }
    }

    /// Recognises who answered, from bytes that make no sense as a Kafka response.
    pub(crate) fn of_first_bytes(bytes: &[u8]) -> Self {
        let shown = bytes
            .get(..bytes.len().min(FOREIGN_BYTES_SHOWN))
            .unwrap_or_default();
        match bytes {
            // An alert (0x15) or handshake (0x16) record of SSL 3 to TLS 1.3.
            [0x15 | 0x16, 0x03, ..] => Self::Tls,
            [b'H', b'T', b'T', b'P', ..] => Self::Http,
            [] => Self::Closed,
            _ => Self::Foreign(shown.to_vec()),
        }
    }
}

const FOREIGN_BYTES_SHOWN: usize = 16;

/// What is wrong, without what to do: within the sentence about an advertised address.
struct Brief<'a>(&'a EndpointFault);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            EndpointFault::Refused => f.write_str("connection refused"),
            EndpointFault::NameNotFound(detail) => write!(f, "the name is not known: {detail}"),
            EndpointFault::Unreachable(detail)
            | EndpointFault::Dialect(detail)
            | EndpointFault::Io(detail) => f.write_str(detail),
            EndpointFault::NameTimeout(after) => {
                write!(f, "its name was not resolved within {}", Seconds(*after))
            }
            EndpointFault::ConnectTimeout(after) => {
                write!(f, "no connection within {}", Seconds(*after))
            }
            EndpointFault::NoAnswer(after) | EndpointFault::Silent(_, after) => {
                write!(f, "no answer within {}", Seconds(*after))
            }
            EndpointFault::Tls => f.write_str("it speaks TLS"),
            EndpointFault::Http => f.write_str("it is an HTTP server"),
            EndpointFault::Foreign(_) => f.write_str("it does not speak Kafka's protocol"),
            EndpointFault::Closed => f.write_str("it closed the connection"),
            EndpointFault::Lacks(api) => write!(f, "it does not speak {api}"),
        }
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.endpoint;
        if let Some(by) = &self.advertised_by {
            return write!(
                f,
                "{by} advertises {at}, which cannot be reached from here ({}): set advertised.listeners of that broker to an \
                 address that clients can reach, or start it",
                Brief(&self.fault)
            );
        }
        match &self.fault {
            EndpointFault::Refused => {
                write!(
                    f,
                    "nothing listens at {at} (connection refused): start the broker or correct the address"
                )
            }
            EndpointFault::NameNotFound(detail) => {
                write!(
                    f,
                    "the host name of {at} is not known ({detail}): correct the name or the DNS entry"
                )
            }
            EndpointFault::NameTimeout(after) => write!(
                f,
                "the host name of {at} was not resolved within {}: the name server does not answer; check the DNS settings, or \
                 give the broker's IP address",
                Seconds(*after)
            ),
            EndpointFault::Unreachable(detail) => {
                write!(
                    f,
                    "{at} can't be reached ({detail}): check the network, VPN or firewall"
                )
            }
            EndpointFault::ConnectTimeout(after) => write!(
                f,
                "{at} did not take a connection within {}: check the address and any firewall in between",
                Seconds(*after)
            ),
            EndpointFault::NoAnswer(after) => write!(
                f,
                "{at} took the connection but sent no answer within {}: check that this port is a Kafka listener",
                Seconds(*after)
            ),
            EndpointFault::Silent(api, after) => write!(
                f,
                "{at} speaks Kafka's protocol but did not answer {api} within {}: it may be starting or overloaded, as its log tells; \
                 give it more time, or use another broker",
                Seconds(*after)
            ),
            EndpointFault::Tls => {
                write!(
                    f,
                    "{at} speaks TLS and this client spoke plain text: use the broker's PLAINTEXT listener"
                )
            }
            EndpointFault::Http => {
                write!(
                    f,
                    "{at} is an HTTP server, not a Kafka broker: use the port of the Kafka listener"
                )
            }
            EndpointFault::Foreign(bytes) => write!(
                f,
                "{at} answered with bytes that are not Kafka's protocol (\"{}\"): check that this port is a Kafka listener",
                bytes.escape_ascii()
            ),
            EndpointFault::Closed => write!(
                f,
                "{at} closed the connection instead of answering: check that this port is a PLAINTEXT Kafka listener"
            ),
            EndpointFault::Lacks("Metadata") => write!(
                f,
                "{at} is a Kafka node that serves no clients here: use a broker's listener, not a controller's"
            ),
            EndpointFault::Lacks(api) => {
                write!(
                    f,
                    "{at} is no controller that this client can talk to: it does not speak {api}"
                )
            }
            EndpointFault::Dialect(detail) => write!(f, "{at} can't be used: {detail}"),
            EndpointFault::Io(detail) => write!(f, "the connection to {at} failed: {detail}"),
        }
    }
}

impl std::error::Error for EndpointError {}

/// A duration as people say it.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms >= 1000 && ms.is_multiple_of(100) {
            write!(f, "{} s", ms as f64 / 1000.0)
        } else {
            write!(f, "{ms} ms")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_protocols_are_recognised_from_their_first_bytes() {
        let cases: [(&[u8], EndpointFault); 6] = [
            (&[0x15, 3, 3, 0, 2, 2, 70], EndpointFault::Tls),
            (&[0x16, 3, 1, 0, 9], EndpointFault::Tls),
            (b"HTTP/1.1 400 Bad Request\r\n", EndpointFault::Http),
            (
                b"SSH-2.0-OpenSSH_9.6\r\n",
                EndpointFault::Foreign(b"SSH-2.0-OpenSSH_".to_vec()),
            ),
            (
                &[0x80, 0, 0, 0],
                EndpointFault::Foreign(vec![0x80, 0, 0, 0]),
            ),
            (&[], EndpointFault::Closed),
        ];
        for (bytes, expected) in cases {
            assert_eq!(EndpointFault::of_first_bytes(bytes), expected);
        }
    }

    #[test]
    fn terminal_escapes_of_a_hostile_peer_are_not_printed() {
        let fault = EndpointFault::of_first_bytes(b"\x1b[2J\x07evil");
        let text = EndpointError::new(&Endpoint::new("h", 1), fault).to_string();
        assert!(
            !text.contains('\x1b') && text.contains("\\x1b[2J"),
            "{text}"
        );
    }

    #[test]
    fn an_address_that_the_cluster_advertises_is_told_with_who_says_so_and_the_setting() {
        let mut error = EndpointError::new(&Endpoint::new("kafka", 9092), EndpointFault::Refused);
        error.advertised_by = Some(Endpoint::new("127.0.0.1", 9093));
        let text = error.to_string();
        let beginning = "127.0.0.1:9093 advertises kafka:9092, which cannot be reached from here (connection refused): set advertised.listeners";
        assert!(text.starts_with(beginning), "{text}");
    }

    #[test]
    fn durations_read_naturally() {
        assert_eq!(Seconds(Duration::from_millis(2000)).to_string(), "2 s");
        assert_eq!(Seconds(Duration::from_millis(1500)).to_string(), "1.5 s");
        assert_eq!(Seconds(Duration::from_millis(250)).to_string(), "250 ms");
    }
}
