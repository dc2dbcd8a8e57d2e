//! What is said to a request for an API that Kafka's brokers have and this one does not speak.
//!
//! The response of the version that was asked for, empty but for UNSUPPORTED_VERSION: once where the response has a
//! place for an error of its own, else for each thing that the request named. What only nodes of a cluster send each
//! other in other forms ends the connection.

mod items;

use ottla_protocol::apis::ApiKey;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{self, Message};
use ottla_protocol::wire::{DecodeError, Reader, StrBytes};

use items::Refusable;

use super::Outcome;
use crate::net::Encoded;

const CODE: i16 = ErrorCode::UnsupportedVersion.code();
const MESSAGE: &str = "This broker does not speak the API.";

fn message() -> Option<StrBytes> {
    Some(StrBytes::from_static(MESSAGE))
}

macro_rules! refusals {
    (
        $call:expr, $body:expr;
        { $($api:ident => $response:ident,)* }
        { $($listing:ident => $request:ident,)* }
    ) => {
        match $call.key {
            $(ApiKey::$api => Ok($call.refuse(
                &messages::$response { error_code: CODE, ..Default::default() },
            )),)*
            $(ApiKey::$listing => $call.refuse_items::<messages::$request>($body),)*
            _ => Ok(Outcome::Close(format!("{}: {MESSAGE}", $call.key))),
        }
    };
}

/// What a refusal needs to know of the request.
pub(crate) struct Refusal {
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

impl Refusal {
    fn refuse<M: Message>(&self, response: &M) -> Outcome {
        let chunks = messages::encode_response(response, self.version, self.correlation_id);
        Outcome::Now(Encoded {
            chunks,
            files: Vec::new(),
        })
    }

    fn refuse_items<R: Refusable>(&self, mut body: Reader) -> Result<Outcome, DecodeError> {
        let request = R::decode(&mut body, self.version)?;
        Ok(self.refuse(&request.refusal()))
    }
}

pub(crate) fn answer(call: &Refusal, body: Reader) -> Result<Outcome, DecodeError> {
    if !call.key.supports(call.version) {
        return Ok(Outcome::Close(format!(
            "{} version {} is not supported",
            call.key, call.version
        )));
    }
    refusals! { call, body;
        {
        SaslHandshake => SaslHandshakeResponse,
        SaslAuthenticate => SaslAuthenticateResponse,
        CreateDelegationToken => CreateDelegationTokenResponse,
        RenewDelegationToken => RenewDelegationTokenResponse,
        ExpireDelegationToken => ExpireDelegationTokenResponse,
        DescribeDelegationToken => DescribeDelegationTokenResponse,
        DescribeClientQuotas => DescribeClientQuotasResponse,
        DescribeUserScramCredentials => DescribeUserScramCredentialsResponse,
        GetTelemetrySubscriptions => GetTelemetrySubscriptionsResponse,
        PushTelemetry => PushTelemetryResponse,
        ShareGroupHeartbeat => ShareGroupHeartbeatResponse,
        ShareFetch => ShareFetchResponse,
        ShareAcknowledge => ShareAcknowledgeResponse,
        StreamsGroupHeartbeat => StreamsGroupHeartbeatResponse,
        AlterShareGroupOffsets => AlterShareGroupOffsetsResponse,
        DeleteShareGroupOffsets => DeleteShareGroupOffsetsResponse,
        }
        // One by one.
        {
        AlterClientQuotas => AlterClientQuotasRequest,
        AlterUserScramCredentials => AlterUserScramCredentialsRequest,
        ShareGroupDescribe => ShareGroupDescribeRequest,
        StreamsGroupDescribe => StreamsGroupDescribeRequest,
        DescribeShareGroupOffsets => DescribeShareGroupOffsetsRequest,
        }
    }
}
