//! The order in which the reference walks topics and partitions: that of its hash tables.
//!
//! Any order gives a fair assignment; with this one a group gets the same partitions here as there. What lies in one
//! bucket is in the order it came in there, and by id here.

use std::collections::BTreeSet;

use ottla_protocol::wire::Uuid;

const BUCKETS_MIN: usize = 16;

pub(super) fn topics_in_order<'a>(ids: impl ExactSizeIterator<Item = &'a Uuid>) -> Vec<Uuid> {
    in_order(ids.copied(), |id| {
        let words = id.0.chunks_exact(4);
        words.fold(0, |hash, word| {
            hash ^ word
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte))
        })
    })
}

pub(super) fn partitions_in_order(partitions: &BTreeSet<i32>) -> Vec<i32> {
    in_order(partitions.iter().copied(), |partition| {
        partition.cast_unsigned()
    })
}

fn in_order<T: Copy + Ord>(
    items: impl ExactSizeIterator<Item = T>,
    hash: impl Fn(T) -> u32,
) -> Vec<T> {
    let buckets = (items.len() * 4 / 3 + 1)
        .max(BUCKETS_MIN)
        .next_power_of_two();
    let mut items: Vec<T> = items.collect();
    items.sort_by_key(|item| {
        let hash = hash(*item);
        ((hash ^ hash >> 16) as usize & (buckets - 1), *item)
    });
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_beyond_the_table_come_where_they_wrap_around_to() {
        let few = partitions_in_order(&BTreeSet::from([3, 17, 32]));
        assert_eq!(few, [32, 17, 3]);
        let many: Vec<i32> = (0..40).collect();
        assert_eq!(partitions_in_order(&many.iter().copied().collect()), many);
    }
}
