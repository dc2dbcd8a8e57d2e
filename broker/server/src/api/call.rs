//! From a frame to the entry of the list that answers it.
//!
//! What the list does not have is refused as the protocol allows: an API of Kafka's that is not spoken here gets
//! UNSUPPORTED_VERSION in its own response where that has a place for it, an ApiVersions request of the future gets
//! the oldest response (KIP-511), and for all else, what only nodes on the other side are asked among it, the connection
//! ends with a line in the log.

use std::cell::Cell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_protocol::apis::ApiKey;
use ottla_protocol::messages::{Message, RequestHeader};
use ottla_protocol::wire::{DecodeError, Reader, StrBytes};
use tracing::trace;

use super::unsupported::{self, Refusal as Unspoken};
use super::{Api, Context, Order, Outcome, api_versions, is_asked_of};
use crate::broker::Broker;
use crate::net::Peer;

/// A frame that is no request of Kafka's protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("request header: {0}")]
    Header(#[from] DecodeError),
    #[error("unknown API key {0}")]
    UnknownKey(i16),
}

/// A request whose header is decoded.
pub(crate) struct Call {
    key: ApiKey,
    api: Option<&'static Api>,
    version: i16,
    correlation_id: i32,
    client_id: Option<StrBytes>,
    frame: Bytes,
    body: Reader,
}

impl Call {
    pub(crate) fn decode(frame: BytesMut) -> Result<Self, Refusal> {
        let frame = frame.freeze();
        let mut peek = Reader::new(frame.clone());
        let (key, version) = (peek.i16("RequestApiKey")?, peek.i16("RequestApiVersion")?);
        drop(peek);
        let key = ApiKey::from_key(key).ok_or(Refusal::UnknownKey(key))?;
        let mut body = Reader::new(frame.clone());
        let header = RequestHeader::decode(&mut body, key.request_header_version(version))?;
        Ok(Self {
            key,
            api: Api::of(key),
            version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            frame,
            body,
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// The client id in memory of its own.
    pub(crate) fn detached_client_id(&self) -> StrBytes {
        self.client_id
            .as_ref()
            .map(StrBytes::detached)
            .unwrap_or_default()
    }

    /// How the request stands to earlier ones of its connection that are not answered yet.
    pub(crate) fn order(&self) -> Order {
        self.api.map_or(Order::InTurn, |api| api.order)
    }
}

/// Handles a request. Also returns the frame's memory where nothing refers to it any more.
pub(crate) fn answer(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    client_id: &StrBytes,
    call: Call,
) -> (Outcome, Option<BytesMut>) {
    let Call {
        key,
        api,
        version,
        correlation_id,
        client_id: sent_client_id,
        frame,
        body,
    } = call;
    drop(sent_client_id);
    trace!(api = %key, version, client = client_id.as_str(), remote = %peer.remote, "request");
    let context = Context {
        broker,
        peer,
        version,
        client_id,
        correlation_id,
        frame: Cell::new(frame),
        buffer: Cell::new(BytesMut::new()),
    };
    let role = peer.role;
    let handled = match api.filter(|api| is_asked_of(role, api.key)) {
        Some(api) if key.supports(version) => (api.handle)(&context, body),
        Some(_) if key == ApiKey::ApiVersions => Ok(api_versions::oldest_refusal(correlation_id)),
        Some(_) => Ok(Outcome::Close(format!(
            "{key} version {version} is not supported"
        ))),
        None if !is_asked_of(role, key) => Ok(Outcome::Close(format!("{key} is not for {role}s"))),
        None => unsupported::answer(
            &Unspoken {
                key,
                version,
                correlation_id,
            },
            body,
        ),
    };
    let outcome =
        handled.unwrap_or_else(|error| Outcome::Close(format!("{key} version {version}: {error}")));
    let buffer = context
        .frame
        .into_inner()
        .try_into_mut()
        .ok()
        .filter(|bytes| bytes.capacity() > 0);
    let buffer =
        buffer.or_else(|| Some(context.buffer.into_inner()).filter(|bytes| bytes.capacity() > 0));
    (outcome, buffer)
}
