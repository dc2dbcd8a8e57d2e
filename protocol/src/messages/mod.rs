//! Every message as a plain struct with the fields of all its versions, and the rules of the two headers.
//!
//! The structs are generated from `protocol/schema/`. Fields that a version lacks are left out when it is encoded and
//! have their default when it is decoded; null where a version has no null becomes the empty value. Which version to
//! speak, and whether a value may be dropped, is the caller's decision.

pub mod coordinator;
mod framing;
mod generated;
mod json;

use bytes::Bytes;

use crate::wire::{DecodeError, Problem, Reader, Sizer, Writer};

pub use framing::{
    FramingError, decode_metadata_record, decode_request_header, encode_metadata_record,
    encode_request, encode_response, request_header_version, response_header_version,
};
pub use generated::{api, common, internal, metadata};
pub use json::to_text as json_text;

pub use api::*;
pub use common::*;

/// What all messages can do.
pub trait Message: Sized + Default {
    /// As the reference names it, e.g. `ProduceRequest`.
    const NAME: &'static str;
    /// Number of the API or of the record type; -1 where there is none.
    const API_KEY: i16;
    const MIN_VERSION: i16;
    const MAX_VERSION: i16;
    /// First version with compact lengths and tagged fields (KIP-482).
    const FLEXIBLE_FROM: Option<i16>;

    /// Reads the body. Bytes after its last field are left in the reader.
    fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Adds up what [`Self::encode`] will write.
    fn measure(&self, s: &mut Sizer, version: i16);

    fn encode(&self, w: &mut Writer, version: i16);

    /// The value as the reference's JSON converter writes it.
    fn to_json(&self, version: i16) -> serde_json::Value;

    /// Whether the version has compact lengths and tagged fields.
    #[must_use]
    fn is_flexible(version: i16) -> bool {
        Self::FLEXIBLE_FROM.is_some_and(|from| version >= from)
    }

    /// Bytes of the encoded body.
    #[must_use]
    fn size(&self, version: i16) -> usize {
        let mut sizer = Sizer::default();
        self.measure(&mut sizer, version);
        sizer.total()
    }

    /// The body alone, in one piece.
    #[must_use]
    fn to_bytes(&self, version: i16) -> Bytes {
        let mut sizer = Sizer::default();
        self.measure(&mut sizer, version);
        let mut writer = Writer::with_room(sizer);
        self.encode(&mut writer, version);
        writer.into_bytes()
    }

    /// Decodes a body that stands alone.
    fn from_bytes(bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
        Self::decode(&mut Reader::new(bytes), version)
    }

    #[doc(hidden)]
    fn check_version(version: i16) -> Result<(), DecodeError> {
        if (Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Ok(());
        }
        Err(DecodeError::new(0, Self::NAME, Problem::Version(version)))
    }
}

/// A request and the response that answers it.
pub trait Request: Message {
    type Response: Message;
}
