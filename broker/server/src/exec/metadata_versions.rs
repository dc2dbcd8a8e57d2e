//! Which version of each metadata record a finalised `metadata.version` stands for, as the reference writes them.
//!
//! Always: what an older node of that level reads, it understands; fields that came later are left out.

use bytes::Bytes;
use ottla_protocol::features::DIRECTORIES_FROM;
use ottla_protocol::messages::encode_metadata_record;
use ottla_protocol::messages::metadata::MetadataRecord;

/// 3.4-IV0: whether a broker comes from ZooKeeper.
const MIGRATION_FROM: i16 = 8;
/// 4.0-IV1: eligible leader replicas (KIP-966).
const ELIGIBLE_LEADERS_FROM: i16 = 23;
/// 4.3-IV0: directories that take no new partitions (KIP-1066).
const CORDONED_FROM: i16 = 30;

/// The value of a metadata record at a level of `metadata.version`.
pub(super) fn encode(record: &MetadataRecord, level: i16) -> Bytes {
    encode_metadata_record(record, version(record, level))
}

fn version(record: &MetadataRecord, level: i16) -> i16 {
    let steps: &[i16] = match record {
        MetadataRecord::RegisterBroker(_) => {
            &[i16::MIN, MIGRATION_FROM, DIRECTORIES_FROM, CORDONED_FROM]
        }
        MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => {
            &[DIRECTORIES_FROM, ELIGIBLE_LEADERS_FROM]
        }
        // The lowest version that has what the record says.
        MetadataRecord::BrokerRegistrationChange(change) => {
            return match (&change.log_dirs[..], change.in_controlled_shutdown) {
                ([], 0) => 0,
                ([], _) => 1,
                _ => 2,
            };
        }
        other => return other.max_version(),
    };
    let reached = steps.iter().filter(|from| level >= **from).count();
    i16::try_from(reached).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::metadata::{
        PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord,
    };

    use super::*;

    /// What `MetadataVersion` of Apache Kafka 4.3.1 answers for each level.
    #[test]
    fn versions_are_those_of_the_reference() {
        let broker = MetadataRecord::RegisterBroker(RegisterBrokerRecord::default());
        let partition = MetadataRecord::Partition(PartitionRecord::default());
        let change = MetadataRecord::PartitionChange(PartitionChangeRecord::default());
        for (level, of_broker, of_partition) in [
            (7, 1, 0),
            (8, 2, 0),
            (16, 2, 0),
            (17, 3, 1),
            (22, 3, 1),
            (23, 3, 2),
            (29, 3, 2),
            (30, 4, 2),
        ] {
            assert_eq!(version(&broker, level), of_broker, "level {level}");
            assert_eq!(version(&partition, level), of_partition, "level {level}");
            assert_eq!(version(&change, level), of_partition, "level {level}");
        }
    }
}
