//! Bodies of requests, replies and internal records, and what stands around them.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::for_every_message;
use crate::messages::{
    Message, RequestHeader, ResponseHeader, decode_metadata_record, encode_metadata_record,
};

type Body = fn(i16, &[u8]);

/// Every message with its oldest and newest version, in the order of the schema.
static BODIES: LazyLock<Vec<(i16, i16, Body)>> = LazyLock::new(|| {
    let mut bodies: Vec<(i16, i16, Body)> = Vec::new();
    macro_rules! add {
        ($kind:ident, $message:ty) => {
            bodies.push((
                <$message>::MIN_VERSION,
                <$message>::MAX_VERSION,
                round_trip::<$message>,
            ));
        };
    }
    for_every_message!(add);
    bodies
});

/// Two bytes that choose the message, one that chooses its version, then the body. What can be decoded is encoded,
/// decoded and encoded again to the same bytes.
pub fn fuzz_message(data: &[u8]) {
    let [high, low, version, body @ ..] = data else {
        return;
    };
    let index = usize::from(u16::from_be_bytes([*high, *low])) % BODIES.len();
    let (min, max, run) = BODIES[index];
    run(min + i16::from(*version) % (max - min + 1), body);
}

/// Headers of requests and replies in all versions, and records of the metadata log.
pub fn fuzz_framing(data: &[u8]) {
    for version in RequestHeader::MIN_VERSION..=RequestHeader::MAX_VERSION {
        round_trip::<RequestHeader>(version, data);
    }
    for version in ResponseHeader::MIN_VERSION..=ResponseHeader::MAX_VERSION {
        round_trip::<ResponseHeader>(version, data);
    }
    if let Ok((record, version)) = decode_metadata_record(Bytes::copy_from_slice(data)) {
        let encoded = encode_metadata_record(&record, version);
        let (again, again_version) =
            decode_metadata_record(encoded.clone()).expect("it was just encoded");
        assert_eq!(again_version, version);
        assert_eq!(encode_metadata_record(&again, version), encoded);
    }
}

fn round_trip<M: Message>(version: i16, body: &[u8]) {
    let Ok(message) = M::from_bytes(Bytes::copy_from_slice(body), version) else {
        return;
    };
    let encoded = message.to_bytes(version);
    assert_eq!(
        encoded.len(),
        message.size(version),
        "{} v{version}",
        M::NAME
    );
    let again = M::from_bytes(encoded.clone(), version)
        .unwrap_or_else(|error| panic!("{} v{version}: {error}", M::NAME));
    assert_eq!(again.to_bytes(version), encoded, "{} v{version}", M::NAME);
    let _ = message.to_json(version);
}

/// The bytes by which [`fuzz_message`] is told to take this message and version.
#[must_use]
pub fn choice_of_message(name: &str, version: i16) -> Option<[u8; 3]> {
    let mut names: Vec<(&str, i16)> = Vec::new();
    macro_rules! add {
        ($kind:ident, $message:ty) => {
            names.push((<$message>::NAME, <$message>::MIN_VERSION));
        };
    }
    for_every_message!(add);
    let index = names.iter().position(|(known, _)| *known == name)?;
    let [high, low] = u16::try_from(index).ok()?.to_be_bytes();
    Some([high, low, u8::try_from(version - names[index].1).ok()?])
}
