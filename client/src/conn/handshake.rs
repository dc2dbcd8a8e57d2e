//! The first exchange on a connection: ApiVersions, before anything runs concurrently.
//!
//! Owns: version negotiation (KIP-511: a broker that does not know our version answers in version 0 and names its
//! own) and the diagnosis of peers that are no Kafka broker.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{ApiVersionsRequest, ApiVersionsResponse, Message, encode_request},
    wire::{Reader, StrBytes},
};

use super::{
    ConnSettings, Endpoint, EndpointError, EndpointFault, PeerVersions,
    frame::{ChunkQueue, FrameFault, FrameReader},
    probe::probe,
    request::{CLIENT_SOFTWARE_NAME, CLIENT_SOFTWARE_VERSION, own_bytes},
    transport::WriteHalf,
};

/// An ApiVersions response takes some hundred bytes; features may add to that.
const HANDSHAKE_BYTES_MAX: usize = 1024 * 1024;

/// A stream on which the handshake is done.
pub(super) struct Ready {
    pub(super) reader: FrameReader,
    pub(super) writer: WriteHalf,
}

/// Connects and shakes hands within the set-up timeout.
pub(super) async fn connect(
    endpoint: &Endpoint,
    settings: &ConnSettings,
) -> Result<(Ready, PeerVersions), EndpointError> {
    let allowed = settings.setup_timeout;
    let started = Instant::now();
    let fail = |fault| EndpointError::new(endpoint, fault);
    let halves = match settings.transport.connect(endpoint, allowed).await {
        Ok(halves) => halves,
        Err(fault) => return Err(fail(EndpointFault::of_connect(fault, allowed))),
    };
    let mut ready = Ready {
        reader: FrameReader::new(halves.reader),
        writer: halves.writer,
    };
    let left = || {
        allowed
            .saturating_sub(started.elapsed())
            .max(Duration::from_millis(1))
    };
    let negotiating = negotiate(&mut ready, &settings.client_id);
    let fault = match or_else_probe(negotiating, endpoint, settings, left()).await {
        Ok(versions) => return Ok((ready, versions)),
        Err(fault) => fault,
    };
    Err(fail(match fault {
        EndpointFault::Closed => probe(endpoint, settings, left()).await.unwrap_or(fault),
        // A few odd bytes and then silence: those bytes still tell who is there.
        EndpointFault::NoAnswer(_) => {
            match EndpointFault::of_first_bytes(&ready.reader.first_bytes()) {
                EndpointFault::Closed => fault,
                foreign => foreign,
            }
        }
        fault => fault,
    }))
}

/// Waits for the negotiation; after half of the time, the peer is asked in other languages as well. It may be a slow
/// broker, or a server that waits for something no Kafka client says.
async fn or_else_probe(
    negotiating: impl Future<Output = Result<PeerVersions, EndpointFault>>,
    endpoint: &Endpoint,
    settings: &ConnSettings,
    allowed: Duration,
) -> Result<PeerVersions, EndpointFault> {
    let half = allowed / 2;
    tokio::pin!(negotiating);
    if let Ok(outcome) = timeout(half, &mut negotiating).await {
        return outcome;
    }
    tokio::select! {
        outcome = &mut negotiating => outcome,
        Some(fault) = probe(endpoint, settings, half) => Err(fault),
        () = sleep(half) => Err(EndpointFault::NoAnswer(settings.setup_timeout)),
    }
}

async fn negotiate(ready: &mut Ready, client_id: &StrBytes) -> Result<PeerVersions, EndpointFault> {
    let newest = ApiVersionsRequest::MAX_VERSION;
    let response = match ask(ready, client_id, newest, 1).await? {
        Answer::Usable(response) => response,
        Answer::OtherVersion(theirs) => {
            let version = newest.min(theirs);
            match ask(ready, client_id, version, 2).await? {
                Answer::Usable(response) => response,
                Answer::OtherVersion(_) => {
                    return Err(EndpointFault::Dialect(
                        "it refuses every version of ApiVersions that this client speaks"
                            .to_owned(),
                    ));
                }
            }
        }
    };
    let code = ErrorCode::from_code(response.error_code);
    if code != ErrorCode::None {
        return Err(EndpointFault::Dialect(format!(
            "it answers ApiVersions with {code}"
        )));
    }
    Ok(PeerVersions::of_response(&response))
}

enum Answer {
    Usable(ApiVersionsResponse),
    /// UNSUPPORTED_VERSION, with the newest version the broker speaks.
    OtherVersion(i16),
}

async fn ask(
    ready: &mut Ready,
    client_id: &StrBytes,
    version: i16,
    id: i32,
) -> Result<Answer, EndpointFault> {
    let request = ApiVersionsRequest {
        client_software_name: CLIENT_SOFTWARE_NAME,
        client_software_version: CLIENT_SOFTWARE_VERSION,
        ..Default::default()
    };
    let mut frames = ChunkQueue::default();
    for chunk in encode_request(&request, version, id, Some(client_id)) {
        frames.push(own_bytes(chunk));
    }
    // A peer that closes at once may have said why before: what it sent is read even where writing fails.
    let written = frames.write_to(&mut ready.writer).await;
    let frame = match ready.reader.next(HANDSHAKE_BYTES_MAX).await {
        Ok(frame) => frame,
        Err(FrameFault::Closed { partial }) => return Err(EndpointFault::of_first_bytes(&partial)),
        Err(FrameFault::Size { first, .. }) => return Err(EndpointFault::of_first_bytes(&first)),
        Err(FrameFault::Io(error)) => {
            return Err(match error.kind() {
                std::io::ErrorKind::ConnectionReset => EndpointFault::Closed,
                _ => EndpointFault::Io(error.to_string()),
            });
        }
    };
    written.map_err(|error| EndpointFault::Io(error.to_string()))?;
    decode(frame, version, id)
}

fn decode(frame: Bytes, version: i16, id: i32) -> Result<Answer, EndpointFault> {
    let foreign = |frame: &Bytes| {
        EndpointFault::Foreign(
            frame
                .get(..frame.len().min(16))
                .unwrap_or_default()
                .to_vec(),
        )
    };
    let mut reader = Reader::new(frame.clone());
    let (Ok(correlation_id), Ok(code)) = (reader.i32("correlation id"), reader.i16("error code"))
    else {
        return Err(foreign(&frame));
    };
    if correlation_id != id {
        return Err(foreign(&frame));
    }
    let unsupported = ErrorCode::from_code(code) == ErrorCode::UnsupportedVersion;
    let version = if unsupported { 0 } else { version };
    let body = frame.slice(4..);
    match ApiVersionsResponse::from_bytes(body, version) {
        Ok(response) if unsupported => Ok(Answer::OtherVersion(newest_of(&response))),
        Ok(response) => Ok(Answer::Usable(response)),
        Err(_) => Err(foreign(&frame)),
    }
}

/// Brokers before 2.4 send an empty list with the error; 0 is what all of them speak.
fn newest_of(response: &ApiVersionsResponse) -> i16 {
    response
        .api_keys
        .iter()
        .find(|api| api.api_key == ApiVersionsRequest::API_KEY)
        .map_or(0, |api| api.max_version.max(0))
}
