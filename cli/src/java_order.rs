//! The order in which `java.util.HashMap` yields its keys.
//!
//! Some of the reference's tools print a map as it comes. The order looks random but is a function of the keys, and
//! recorded outputs have it: following it keeps our outputs equal byte for byte.

use ottla_client::admin::TopicPartition;

/// Sorts as a map yields that was made for `expected` entries (`None`: made without a number) and filled in the order
/// given. Keys that share a bucket stay in that order.
pub fn sort<T>(entries: &mut [T], expected: Option<usize>, key: impl Fn(&T) -> &str) {
    sort_by_hash(entries, expected, |entry| hash(key(entry)));
}

/// The same for keys that are no texts.
pub fn sort_by_hash<T>(entries: &mut [T], expected: Option<usize>, hash: impl Fn(&T) -> u32) {
    let buckets = buckets(expected, entries.len());
    entries.sort_by_cached_key(|entry| bucket(hash(entry), buckets));
}

/// Some entries of a map, which has so many in `whole` and was made without a number: in the order in which it yields them.
pub fn picked<T>(entries: &[T], whole: usize, key: impl Fn(&T) -> &str) -> Vec<&T> {
    let buckets = buckets(None, whole);
    let mut picked: Vec<&T> = entries.iter().collect();
    picked.sort_by_cached_key(|entry| bucket(hash(key(entry)), buckets));
    picked
}

fn buckets(expected: Option<usize>, entries: usize) -> usize {
    let mut buckets = expected.map_or(16, |count| count.max(1).next_power_of_two());
    // A map doubles when it is more than three quarters full.
    while entries * 4 > buckets * 3 {
        buckets *= 2;
    }
    buckets
}

fn bucket(hash: u32, buckets: usize) -> usize {
    spread(hash) as usize & (buckets - 1)
}

/// What a map is made for that begins as a copy of one with so many entries.
pub fn copy_of(entries: usize) -> Option<usize> {
    Some(entries.saturating_mul(4) / 3 + 1)
}

/// `String.hashCode`.
pub fn hash(text: &str) -> u32 {
    let add = |hash: u32, unit: u32| hash.wrapping_mul(31).wrapping_add(unit);
    if text.is_ascii() {
        return text.bytes().map(u32::from).fold(0, add);
    }
    text.encode_utf16().map(u32::from).fold(0, add)
}

/// `TopicPartition.hashCode`.
pub fn hash_of(at: &TopicPartition) -> u32 {
    let own = 31_u32.wrapping_add(at.partition.cast_unsigned());
    own.wrapping_mul(31).wrapping_add(hash(&at.topic))
}

fn spread(hash: u32) -> u32 {
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_in_the_order_the_reference_was_seen_to_print() {
        let mut topics = [
            "__my_own",
            "basic",
            "defaults",
            "fresh",
            "manual",
            "my.topic",
            "my_other",
            "with-config",
        ];
        sort(&mut topics, Some(8), |topic| topic);
        let seen = [
            "defaults",
            "__my_own",
            "my.topic",
            "with-config",
            "basic",
            "fresh",
            "manual",
            "my_other",
        ];
        assert_eq!(topics, seen);
    }

    #[test]
    fn what_is_picked_of_a_map_comes_in_the_order_of_the_whole() {
        let keys: Vec<String> = (0..40).map(|number| format!("key.{number}")).collect();
        let is_meant = |key: &String| key.ends_with('7');
        let mut whole: Vec<&String> = keys.iter().collect();
        sort(&mut whole, None, |key| key);
        whole.retain(|key| is_meant(key));
        let few: Vec<String> = keys.iter().filter(|key| is_meant(key)).cloned().collect();
        assert_eq!(picked(&few, keys.len(), |key| key), whole);
    }

    #[test]
    fn the_hash_is_that_of_java() {
        assert_eq!(hash(""), 0);
        assert_eq!(hash("hello"), 99_162_322);
        assert_eq!(
            hash("retention.ms") as i32,
            "retention.ms".bytes().fold(0i32, |h, b| {
                h.wrapping_mul(31).wrapping_add(i32::from(b))
            })
        );
    }
}
