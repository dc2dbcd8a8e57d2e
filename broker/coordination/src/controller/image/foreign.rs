//! Records about things that this build has no part in: ACLs, quotas, credentials, tokens, controllers.
//!
//! Owns: the newest record of each of them, so that a snapshot that takes the log's place loses nothing that another
//! node of the cluster wrote. Not here: what any of them means.

use std::collections::BTreeMap;

use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::messages::{decode_metadata_record, encode_metadata_record};
use ottla_protocol::wire::{StrBytes, Uuid};

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    AccessControlEntry(Uuid),
    ClientQuota(Vec<(String, Option<String>)>, String),
    UserScramCredential(String, i8),
    DelegationToken(String),
    Controller(i32),
    ZkMigration,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ForeignImage {
    records: BTreeMap<Subject, MetadataRecord>,
}

impl ForeignImage {
    pub(super) fn apply(&mut self, record: &MetadataRecord) {
        let Some((subject, is_removal)) = subject(record) else {
            return;
        };
        if is_removal {
            self.records.remove(&subject);
        } else if let Some(copy) = detached(record) {
            self.records.insert(subject, copy);
        }
    }

    pub(super) fn write(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.records.values().cloned());
    }
}

/// What a record is about, and whether it takes that away. None: of no kind that is kept here.
fn subject(record: &MetadataRecord) -> Option<(Subject, bool)> {
    let text = |text: &StrBytes| text.to_string();
    let subject = match record {
        MetadataRecord::AccessControlEntry(r) => (Subject::AccessControlEntry(r.id), false),
        MetadataRecord::RemoveAccessControlEntry(r) => (Subject::AccessControlEntry(r.id), true),
        MetadataRecord::ClientQuota(r) => {
            let entity = r.entity.iter();
            let entity = entity.map(|e| (text(&e.entity_type), e.entity_name.as_ref().map(text)));
            let subject = Subject::ClientQuota(entity.collect(), text(&r.key));
            (subject, r.remove)
        }
        MetadataRecord::UserScramCredential(r) => {
            let subject = Subject::UserScramCredential(text(&r.name), r.mechanism);
            (subject, false)
        }
        MetadataRecord::RemoveUserScramCredential(r) => {
            let subject = Subject::UserScramCredential(text(&r.name), r.mechanism);
            (subject, true)
        }
        MetadataRecord::DelegationToken(r) => (Subject::DelegationToken(text(&r.token_id)), false),
        MetadataRecord::RemoveDelegationToken(r) => {
            (Subject::DelegationToken(text(&r.token_id)), true)
        }
        MetadataRecord::RegisterController(r) => (Subject::Controller(r.controller_id), false),
        MetadataRecord::ZkMigrationState(_) => (Subject::ZkMigration, false),
        _ => return None,
    };
    Some(subject)
}

/// A copy that does not keep the buffer alive that the record was read from.
fn detached(record: &MetadataRecord) -> Option<MetadataRecord> {
    let bytes = encode_metadata_record(record, record.max_version());
    decode_metadata_record(bytes).ok().map(|(copy, _)| copy)
}
