//! The order in which the reference's hash tables give their entries, where its answer hangs on it.
//!
//! That order is an accident, but a lasting one, and any member may be the leader: one that went another way would
//! move partitions whenever the leader changes between clients. Not here: tables that grow because many entries share
//! a bucket, which needs eight of them.

/// Java's hash of a text: over UTF-16 units, wrapping around.
pub(super) fn hash_of(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

/// Java's hash of a partition of a topic with this hash.
pub(super) fn hash_of_partition(topic: i32, index: usize) -> i32 {
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    31i32
        .wrapping_add(index)
        .wrapping_mul(31)
        .wrapping_add(topic)
}

/// Buckets of a table that was filled with so many entries.
pub(super) fn capacity(entries: usize) -> u32 {
    let mut capacity: u32 = 16;
    while entries > capacity as usize / 4 * 3 && capacity < 1 << 30 {
        capacity *= 2;
    }
    capacity
}

/// Where in a table of this capacity.
pub(super) fn bucket(hash: i32, capacity: u32) -> u32 {
    let hash = hash.cast_unsigned();
    (hash ^ (hash >> 16)) & (capacity - 1)
}

/// Indices of the keys, put in in this order, as the table gives them.
pub(super) fn hash_order<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let hashes: Vec<i32> = keys.map(hash_of).collect();
    let capacity = capacity(hashes.len());
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    // Those that share a bucket stay in the order in which they came.
    order.sort_by_key(|index| bucket(hashes[*index], capacity));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(hash_of(""), 0);
        assert_eq!(hash_of("t1"), 3645);
        assert_eq!(hash_of("polygenelubricants"), i32::MIN);
        assert_eq!(hash_of_partition(hash_of("t1"), 0), 4606);
    }

    #[test]
    fn tables_double_when_three_quarters_are_full() {
        let sizes = [
            (0, 16),
            (12, 16),
            (13, 32),
            (24, 32),
            (25, 64),
            (1000, 2048),
        ];
        for (entries, expected) in sizes {
            assert_eq!(capacity(entries), expected, "{entries}");
        }
    }

    #[test]
    fn entries_come_by_bucket() {
        // Of one letter the bucket is its code modulo 16; "q" and "a" share theirs.
        let order = hash_order(["q", "b", "a", "p"].into_iter());
        assert_eq!(order, [3, 0, 2, 1]);
    }
}
