//! What stands around a body: request and response headers on the wire, frame version, type and version in the
//! metadata log.

use bytes::Bytes;
use thiserror::Error;

use super::metadata::MetadataRecord;
use super::{ApiVersionsResponse, Message, Request, RequestHeader, ResponseHeader};
use crate::wire::{Chunk, DecodeError, Reader, Sizer, Writer};

/// Frame version of all records in the metadata log.
const METADATA_FRAME_VERSION: u32 = 1;

/// A metadata record whose frame could not be read.
#[derive(Debug, Error)]
pub enum FramingError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("metadata frame version {0} is unknown")]
    FrameVersion(u32),
    #[error("metadata record type {0} is unknown")]
    RecordType(u32),
}

/// Header version of a request: 2 from its first flexible version on (KIP-482).
#[must_use]
pub fn request_header_version(is_flexible: bool) -> i16 {
    if is_flexible { 2 } else { 1 }
}

/// Header version of a response. ApiVersions keeps 0 for ever: the client does not know yet what the broker
/// speaks (KIP-511).
#[must_use]
pub fn response_header_version(api_key: i16, is_flexible: bool) -> i16 {
    i16::from(is_flexible && api_key != ApiVersionsResponse::API_KEY)
}

/// Reads the request header; the reader then stands at the body. `is_flexible` tells, for key and version, whether
/// the API's version is flexible.
pub fn decode_request_header(
    r: &mut Reader,
    is_flexible: impl FnOnce(i16, i16) -> bool,
) -> Result<RequestHeader, DecodeError> {
    let mut peek = Reader::new(r.rest());
    let (key, version) = (peek.i16("RequestApiKey")?, peek.i16("RequestApiVersion")?);
    RequestHeader::decode(r, request_header_version(is_flexible(key, version)))
}

/// A whole request frame, length first.
#[must_use]
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Vec<Chunk> {
    let header = RequestHeader {
        request_api_key: R::API_KEY,
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(Into::into),
        ..Default::default()
    };
    encode_frame(
        &header,
        request_header_version(R::is_flexible(version)),
        request,
        version,
    )
}

/// A whole response frame, length first; record sets stay chunks of their own.
#[must_use]
pub fn encode_response<M: Message>(response: &M, version: i16, correlation_id: i32) -> Vec<Chunk> {
    let header = ResponseHeader {
        correlation_id,
        ..Default::default()
    };
    let header_version = response_header_version(M::API_KEY, M::is_flexible(version));
    encode_frame(&header, header_version, response, version)
}

fn encode_frame<H: Message, M: Message>(
    header: &H,
    header_version: i16,
    body: &M,
    version: i16,
) -> Vec<Chunk> {
    let mut sizer = Sizer::default();
    header.measure(&mut sizer, header_version);
    body.measure(&mut sizer, version);
    let length = i32::try_from(sizer.total()).expect("a frame is below 2 GiB");
    sizer.add(4);
    let mut writer = Writer::with_room(sizer);
    writer.i32(length);
    header.encode(&mut writer, header_version);
    body.encode(&mut writer, version);
    writer.into_chunks()
}

/// The value of a record in the metadata log.
#[must_use]
pub fn encode_metadata_record(record: &MetadataRecord, version: i16) -> Bytes {
    let mut sizer = Sizer::default();
    sizer.add(9);
    record.measure(&mut sizer, version);
    let mut writer = Writer::with_room(sizer);
    writer.uvarint(METADATA_FRAME_VERSION);
    writer.uvarint(u32::try_from(record.api_key()).expect("record types are not negative"));
    writer.uvarint(u32::try_from(version).expect("versions are not negative"));
    record.encode(&mut writer, version);
    writer.into_bytes()
}

/// Reads the value of a record in the metadata log, with its version.
pub fn decode_metadata_record(value: Bytes) -> Result<(MetadataRecord, i16), FramingError> {
    let mut r = Reader::new(value);
    let frame = r.uvarint("FrameVersion")?;
    if frame != METADATA_FRAME_VERSION {
        return Err(FramingError::FrameVersion(frame));
    }
    let kind = r.uvarint("RecordType")?;
    let version = i16::try_from(r.uvarint("RecordVersion")?).unwrap_or(i16::MAX);
    let record = i16::try_from(kind)
        .ok()
        .map(|key| MetadataRecord::decode(key, &mut r, version))
        .transpose()?
        .flatten();
    Ok((record.ok_or(FramingError::RecordType(kind))?, version))
}
