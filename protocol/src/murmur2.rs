//! The hash by which Kafka's producers choose a partition for a key.
//!
//! Always: the same key and partition count give the same partition in every client of every language, which is why
//! this must never be replaced by a better hash.

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// 32-bit MurmurHash2 with Kafka's seed.
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    // The reference works in 32-bit lengths; a key above 2 GiB does not fit into any record.
    let mut h = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * index);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^= h >> 15;
    h as i32
}

/// Clears the sign, which is not the same as the absolute value.
#[must_use]
pub const fn to_positive(number: i32) -> i32 {
    number & i32::MAX
}

/// The partition of a key among `partitions`; 0 where there is none to choose from.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    if partitions <= 0 {
        return 0;
    }
    to_positive(murmur2(key)) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes_and_the_lowest_number_made_positive() {
        assert_eq!(murmur2(b""), 275_646_681);
        assert_eq!(murmur2(b"a"), -1_563_381_124);
        assert_eq!(to_positive(i32::MIN), 0);
        assert_eq!(partition_for_key(b"a", 1000), 524);
        assert_eq!(partition_for_key(b"a", 0), 0);
    }
}
