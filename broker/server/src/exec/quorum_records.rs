//! What the quorum says of itself in control records of the metadata log: its version and its voters (KIP-853).
//!
//! Always: kept as it was found, or as UpdateFeatures has raised it, and written again into every snapshot that takes the
//! log's place, so that the next node that opens the directory finds the quorum that it knew. Voters come with the version
//! that needs them, in one batch. Not here: other voters.

use bytes::Bytes;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::messages::voters_record::Voter;
use ottla_protocol::messages::{KRaftVersionRecord, Message, VotersRecord};
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::control::{ControlType, Place, control_batch, control_batch_of};
use ottla_protocol::records::{BatchHeader, RecordError, Records};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Reader;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QuorumRecords {
    version: Option<KRaftVersionRecord>,
    voters: Option<VotersRecord>,
}

impl QuorumRecords {
    /// A quorum that goes by the voters in its log, of which there is one.
    pub(crate) fn of_sole_voter(level: i16, voter: Voter) -> Self {
        let version = KRaftVersionRecord {
            k_raft_version: level,
            ..Default::default()
        };
        let voters = VotersRecord {
            voters: vec![voter],
            ..Default::default()
        };
        Self {
            version: Some(version),
            voters: Some(voters),
        }
    }

    /// All of it in one control batch.
    pub(crate) fn batch(&self, at: Place) -> Result<Vec<u8>, BuildError> {
        let records = self.encoded();
        let records: Vec<_> = records
            .iter()
            .map(|(kind, value)| (*kind, &**value))
            .collect();
        control_batch_of(at, &records)
    }

    fn encoded(&self) -> Vec<(ControlType, Bytes)> {
        let version = self.version.iter();
        let version = version.map(|record| (ControlType::KRaftVersion, record.to_bytes(0)));
        let voters = self.voters.iter();
        let voters = voters.map(|record| (ControlType::KRaftVoters, record.to_bytes(0)));
        version.chain(voters).collect()
    }

    /// Takes what a control batch of the log or of a snapshot says; other batches say nothing.
    pub(crate) fn take(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), RecordError> {
        if !header.is_control() {
            return Ok(());
        }
        for record in Records::open(batch, InflateLimits::LENIENT)?.owned() {
            let record = record?;
            let kind = ControlType::from_key(record.key.as_deref().unwrap_or_default());
            let mut value = Reader::new(record.value.unwrap_or_default());
            // One that cannot be read is of a kind that is not known here, and says nothing that is.
            match kind {
                Ok(ControlType::KRaftVersion) => {
                    self.version = KRaftVersionRecord::decode(&mut value, 0).ok();
                }
                Ok(ControlType::KRaftVoters) => {
                    self.voters = VotersRecord::decode(&mut value, 0).ok();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// `kraft.version`: 0 where nobody has said another.
    pub(crate) fn level(&self) -> i16 {
        self.version
            .as_ref()
            .map_or(0, |record| record.k_raft_version)
    }

    /// A voter other than this node, if the quorum has one.
    pub(crate) fn other_voter(&self, node_id: BrokerId) -> Option<BrokerId> {
        let voters = self.voters.iter().flat_map(|record| &record.voters);
        let mut ids = voters.map(|voter| BrokerId(voter.voter_id));
        ids.find(|id| *id != node_id)
    }

    /// The control batches that say it again, from `at` on.
    pub(crate) fn batches(&self, at: Place) -> Result<Vec<Vec<u8>>, BuildError> {
        let mut place = at;
        let mut batches = Vec::new();
        for (kind, value) in self.encoded() {
            batches.push(control_batch(place, kind, &value)?);
            place.base_offset = place.base_offset.next();
        }
        Ok(batches)
    }
}
