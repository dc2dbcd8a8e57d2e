//! What a client may do, as bit fields of operations. Without an authorizer everybody may do everything.

/// Bits of the operations that exist for topics: read, write, create, delete, alter, describe, describe and alter
/// configs.
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// Bits of the operations that exist for the cluster: create, alter, describe, cluster action, describe and alter
/// configs, idempotent write.
const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
/// Bits of the operations that exist for groups: read, delete, describe, describe and alter configs.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;
/// "Not asked for."
const UNASKED: i32 = i32::MIN;

pub(crate) fn topic_operations(asked: bool) -> i32 {
    if asked { TOPIC_OPERATIONS } else { UNASKED }
}

pub(crate) fn cluster_operations(asked: bool) -> i32 {
    if asked { CLUSTER_OPERATIONS } else { UNASKED }
}

pub(crate) fn group_operations(asked: bool) -> i32 {
    if asked { GROUP_OPERATIONS } else { UNASKED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_operations_numbers() {
        let bits = |numbers: &[u32]| numbers.iter().map(|number| 1 << number).sum::<i32>();
        assert_eq!(TOPIC_OPERATIONS, bits(&[3, 4, 5, 6, 7, 8, 10, 11]));
        assert_eq!(GROUP_OPERATIONS, bits(&[3, 6, 8, 10, 11]));
        assert_eq!(CLUSTER_OPERATIONS, bits(&[5, 7, 8, 9, 10, 11, 12]));
    }
}
