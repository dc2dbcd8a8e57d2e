//! Requests as values: encoding, choosing the version, waiting, decoding the reply.

use std::{marker::PhantomData, time::Duration};

use bytes::Bytes;
use tokio::{sync::oneshot, time::timeout};

use ottla_protocol::{
    messages::{
        ApiVersionsRequest, Message, Request, ResponseHeader, encode_request,
        response_header_version,
    },
    wire::{Chunk, DecodeError, Reader, StrBytes},
};

use super::{
    Connection, Endpoint, EndpointFault, Fault, PeerVersions, Seconds, VersionRange, task::Expects,
};

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The connection broke; whether the broker saw the request is unknown.
    #[error("{api} to {endpoint} failed: {fault}")]
    Connection {
        api: &'static str,
        endpoint: Endpoint,
        fault: Fault,
    },
    #[error("{endpoint} did not answer {api} within {after}", after = Seconds(*after))]
    TimedOut {
        api: &'static str,
        endpoint: Endpoint,
        after: Duration,
    },
    /// Nothing was sent.
    #[error(
        "{endpoint} {}, and this client needs {}",
        spoken(api, theirs),
        versions(ours)
    )]
    Version {
        api: &'static str,
        endpoint: Endpoint,
        ours: VersionRange,
        theirs: Option<VersionRange>,
    },
    /// The reply was no such response.
    #[error("the answer of {endpoint} to {api} can't be read: {detail}")]
    Decode {
        api: &'static str,
        endpoint: Endpoint,
        detail: String,
    },
}

fn spoken(api: &str, theirs: &Option<VersionRange>) -> String {
    match theirs {
        Some(range) => format!("speaks {} of {api}", versions(range)),
        None => format!("does not speak {api}"),
    }
}

fn versions(range: &VersionRange) -> String {
    if range.start() == range.end() {
        return format!("version {}", range.start());
    }
    format!("versions {} to {}", range.start(), range.end())
}

impl RequestError {
    /// True where the same request may succeed on a new connection.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Connection { .. } | Self::TimedOut { .. })
    }

    /// The same as a fault of the endpoint: for the first request after the handshake.
    pub(crate) fn as_endpoint_fault(&self) -> EndpointFault {
        match self {
            Self::Version {
                api, theirs: None, ..
            } => EndpointFault::Lacks(api),
            Self::Connection {
                fault: Fault::Closed,
                ..
            } => EndpointFault::Closed,
            Self::TimedOut { api, after, .. } => EndpointFault::Silent(api, *after),
            other => EndpointFault::Io(other.to_string()),
        }
    }
}

/// All versions of an API that this build knows.
pub fn known_versions<R: Request>() -> VersionRange {
    R::MIN_VERSION..=R::MAX_VERSION
}

impl Connection {
    /// The newest version of the API that both sides speak, out of those the caller can use.
    pub fn pick_version<R: Request>(&self, usable: &VersionRange) -> Result<i16, RequestError> {
        let ours = *usable.start().max(&R::MIN_VERSION)..=*usable.end().min(&R::MAX_VERSION);
        self.versions()
            .pick(R::API_KEY, &ours)
            .ok_or_else(|| RequestError::Version {
                api: api_name::<R>(),
                endpoint: self.endpoint().clone(),
                ours,
                theirs: self.versions().range(R::API_KEY),
            })
    }

    /// Sends and waits.
    pub async fn send<R: Request>(
        &self,
        request: &R,
        usable: VersionRange,
        within: Duration,
    ) -> Result<R::Response, RequestError> {
        let version = self.pick_version::<R>(&usable)?;
        self.start(request, version)?.reply(within).await
    }

    /// Hands the request over to be written; requests go out in the order of these calls.
    pub fn start<R: Request>(&self, request: &R, version: i16) -> Result<Pending<R>, RequestError> {
        self.hand_over(request, version, Expects::Reply)
    }

    /// The same for a request that the broker does not answer (`acks=0`).
    pub fn start_unanswered<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> Result<Pending<R>, RequestError> {
        self.hand_over(request, version, Expects::Nothing)
    }

    /// Asks anew what the peer speaks; features may have changed since the handshake.
    pub async fn ask_versions(&self, within: Duration) -> Result<PeerVersions, RequestError> {
        let request = ApiVersionsRequest {
            client_software_name: CLIENT_SOFTWARE_NAME,
            client_software_version: CLIENT_SOFTWARE_VERSION,
            ..Default::default()
        };
        let response = self
            .send(&request, known_versions::<ApiVersionsRequest>(), within)
            .await?;
        Ok(PeerVersions::of_response(&response))
    }

    fn hand_over<R: Request>(
        &self,
        request: &R,
        version: i16,
        expects: Expects,
    ) -> Result<Pending<R>, RequestError> {
        let correlation_id = self.next_correlation_id();
        let client_id = Some(self.inner.client_id.as_str());
        let chunks = encode_request(request, version, correlation_id, client_id)
            .into_iter()
            .map(own_bytes)
            .collect();
        let receiver = self
            .enqueue(correlation_id, chunks, expects)
            .map_err(|fault| RequestError::Connection {
                api: api_name::<R>(),
                endpoint: self.endpoint().clone(),
                fault,
            })?;
        Ok(Pending {
            connection: self.clone(),
            receiver,
            version,
            request: PhantomData,
        })
    }
}

/// How this client names itself in ApiVersions (KIP-511).
pub(super) const CLIENT_SOFTWARE_NAME: StrBytes = StrBytes::from_static("ottla");
pub(super) const CLIENT_SOFTWARE_VERSION: StrBytes =
    StrBytes::from_static(env!("CARGO_PKG_VERSION"));

/// A client has all bytes of its requests at hand; only a broker leaves gaps for file ranges.
pub(super) fn own_bytes(chunk: Chunk) -> Bytes {
    match chunk {
        Chunk::Bytes(bytes) => bytes,
        Chunk::External { .. } => unreachable!("requests of a client have no gaps"),
    }
}

/// `MetadataRequest` is `Metadata` in messages for people.
fn api_name<R: Request>() -> &'static str {
    R::NAME.strip_suffix("Request").unwrap_or(R::NAME)
}

/// A request on its way. Dropping it gives up the reply and nothing else.
#[must_use = "a reply is only seen by whoever waits for it"]
pub struct Pending<R> {
    connection: Connection,
    receiver: oneshot::Receiver<Result<Bytes, Fault>>,
    version: i16,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> Pending<R> {
    /// The version the request went out in.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Waits for the reply. Where it does not come in time, the connection ends: replies come in order, so none
    /// behind it can come either.
    pub async fn reply(self, within: Duration) -> Result<R::Response, RequestError> {
        let (version, connection) = (self.version, self.connection.clone());
        let frame = self.frame(within).await?;
        decode_response::<R>(frame, version).map_err(|error| {
            let detail = error.to_string();
            connection.end(Fault::Protocol(detail.clone()));
            RequestError::Decode {
                api: api_name::<R>(),
                endpoint: connection.endpoint().clone(),
                detail,
            }
        })
    }

    /// Waits until a request without an answer is written.
    pub async fn written(self, within: Duration) -> Result<(), RequestError> {
        self.frame(within).await.map(drop)
    }

    async fn frame(self, within: Duration) -> Result<Bytes, RequestError> {
        let endpoint = self.connection.endpoint().clone();
        let fault = match timeout(within, self.receiver).await {
            Ok(Ok(Ok(frame))) => return Ok(frame),
            Ok(Ok(Err(fault))) => fault,
            // The task was torn down with its runtime.
            Ok(Err(_)) => self.connection.fault().unwrap_or(Fault::Ended),
            Err(_) => {
                self.connection.end(Fault::TimedOut);
                return Err(RequestError::TimedOut {
                    api: api_name::<R>(),
                    endpoint,
                    after: within,
                });
            }
        };
        Err(RequestError::Connection {
            api: api_name::<R>(),
            endpoint,
            fault,
        })
    }
}

/// Header and body of a response frame.
pub(super) fn decode_response<R: Request>(
    frame: Bytes,
    version: i16,
) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::new(frame);
    ResponseHeader::decode(
        &mut reader,
        response_header_version(R::API_KEY, R::is_flexible(version)),
    )?;
    R::Response::decode(&mut reader, version)
}
