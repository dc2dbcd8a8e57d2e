//! UpdateFeatures: all or nothing, which way and how far, and in which words it is refused.

use ottla_coordination::controller::{
    Command, ConfigOperation, ConfigResourceType, Controller, FeatureRange, FeatureUpdate,
    Response, Settings, UpgradeType,
};
use ottla_coordination::{Host, Loading};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::types::{BrokerId, Millis, Offset};

use super::{Cluster, TestRules, resource, topic};

const METADATA: &str = "metadata.version";
const TRANSACTION: &str = "transaction.version";
const ELR: &str = "eligible.leader.replicas.version";
const KRAFT: &str = "kraft.version";

/// A cluster at these levels, which knows the newest ones too.
fn cluster_at(levels: &[(&str, i16)]) -> Cluster {
    let mut cluster = Cluster::of(&[]);
    let range = |name, min, max| FeatureRange { name, min, max };
    let settings = Settings {
        features: vec![
            range(METADATA, 7, 30),
            range(TRANSACTION, 0, 2),
            range(ELR, 0, 1),
            range(KRAFT, 0, 1),
        ],
        node_id: BrokerId(4),
        min_insync_replicas: 2,
        ..Settings::default()
    };
    let controller = Controller::new(settings, Box::new(TestRules));
    let host: Host<Controller> =
        Loading::new(controller).finish(Millis(0), Offset(0), Offset(0), &mut cluster.log);
    cluster.host = host;
    for (name, level) in levels {
        let name = (*name).to_owned();
        let level = *level;
        cluster.ask(Command::SetFeature { name, level });
    }
    cluster.start_broker(1);
    cluster
}

impl Cluster {
    fn update(
        &mut self,
        upgrade_type: Option<UpgradeType>,
        levels: &[(&str, i16)],
    ) -> Result<(), String> {
        let update = |(name, level): &(&str, i16)| FeatureUpdate {
            name: (*name).to_owned(),
            level: *level,
            upgrade_type,
        };
        let command = Command::UpdateFeatures {
            updates: levels.iter().map(update).collect(),
            kraft_version: 0,
            validate_only: false,
        };
        match self.ask(command) {
            Response::UpdateFeatures(outcome) => outcome.map_err(|error| {
                assert_eq!(error.code, ErrorCode::InvalidUpdateVersion);
                error.message.expect("words")
            }),
            other => panic!("{other:?}"),
        }
    }

    fn upgrade(&mut self, levels: &[(&str, i16)]) -> Result<(), String> {
        self.update(Some(UpgradeType::Upgrade), levels)
    }

    fn downgrade(&mut self, levels: &[(&str, i16)]) -> Result<(), String> {
        self.update(Some(UpgradeType::SafeDowngrade), levels)
    }

    fn level(&self, name: &str) -> i16 {
        let image = self.host.machine().image();
        image.features().get(name).copied().unwrap_or(0)
    }
}

#[test]
fn levels_go_up_and_down_as_the_request_says() {
    let mut cluster = cluster_at(&[(METADATA, 30), (TRANSACTION, 2)]);
    assert_eq!(cluster.downgrade(&[(TRANSACTION, 0)]), Ok(()));
    assert_eq!(cluster.level(TRANSACTION), 0);
    assert_eq!(cluster.upgrade(&[(TRANSACTION, 1)]), Ok(()));
    assert_eq!(cluster.upgrade(&[(TRANSACTION, 2), (KRAFT, 0)]), Ok(()));
    assert_eq!(cluster.level(TRANSACTION), 2);
    cluster.check_replay();
}

#[test]
fn the_quorums_level_rises_without_a_record_here() {
    let mut cluster = cluster_at(&[(METADATA, 30)]);
    let end = cluster.log.end();
    assert_eq!(cluster.upgrade(&[(KRAFT, 1)]), Ok(()));
    // The shell writes it where the quorum keeps its own.
    assert_eq!((cluster.log.end(), cluster.level(KRAFT)), (end, 0));
    let update = |way| FeatureUpdate {
        name: KRAFT.to_owned(),
        level: 0,
        upgrade_type: Some(way),
    };
    let command = Command::UpdateFeatures {
        updates: vec![update(UpgradeType::SafeDowngrade)],
        kraft_version: 1,
        validate_only: false,
    };
    let Response::UpdateFeatures(Err(refused)) = cluster.ask(command) else {
        panic!("a level of the quorum that falls")
    };
    assert_eq!(
        refused.text().expect("words").as_str(),
        "Invalid update version 0 for feature kraft.version. Can't downgrade the version of this feature."
    );
}

#[test]
fn what_cannot_be_is_refused_in_the_references_words() {
    use UpgradeType::{SafeDowngrade, UnsafeDowngrade, Upgrade};
    let mut cluster = cluster_at(&[(METADATA, 30), (TRANSACTION, 2)]);
    for (way, name, level, words) in [
        (
            Some(Upgrade),
            TRANSACTION,
            1,
            "Invalid update version 1 for feature transaction.version. Can't downgrade the version of this feature without \
             setting the upgrade type to either safe or unsafe downgrade.",
        ),
        (
            Some(SafeDowngrade),
            TRANSACTION,
            3,
            "Invalid update version 3 for feature transaction.version. Local controller 4 only supports versions 0-2",
        ),
        (
            Some(SafeDowngrade),
            ELR,
            1,
            "Invalid update version 1 for feature eligible.leader.replicas.version. Can't downgrade to a newer version.",
        ),
        (
            Some(Upgrade),
            TRANSACTION,
            -1,
            "Invalid update version -1 for feature transaction.version. A feature version cannot be less than 0.",
        ),
        (
            None,
            TRANSACTION,
            2,
            "Invalid update version 2 for feature transaction.version. The controller does not support the given upgrade type.",
        ),
        (
            Some(Upgrade),
            "colour.version",
            1,
            "Invalid update version 1 for feature colour.version. Local controller 4 does not support this feature.",
        ),
        (
            Some(SafeDowngrade),
            "colour.version",
            0,
            "Invalid update version 0 for feature colour.version. Feature colour.version not found.",
        ),
        (
            Some(Upgrade),
            METADATA,
            999,
            "Invalid update version 999 for feature metadata.version. Local controller 4 only supports versions 7-30",
        ),
        (
            Some(SafeDowngrade),
            METADATA,
            29,
            "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade because it might \
             delete metadata information.",
        ),
        (
            Some(UnsafeDowngrade),
            METADATA,
            7,
            "Unsupported metadata.version downgrade from 30 to 7. Unsafe metadata downgrade is not supported in this version.",
        ),
    ] {
        assert_eq!(cluster.update(way, &[(name, level)]), Err(words.to_owned()));
    }
}

#[test]
fn one_feature_that_is_refused_holds_back_all() {
    let mut cluster = cluster_at(&[(METADATA, 30), (TRANSACTION, 2)]);
    let refused = cluster.downgrade(&[(TRANSACTION, 0), ("colour.version", 0)]);
    assert!(refused.unwrap_err().contains("colour.version not found"));
    assert_eq!(cluster.level(TRANSACTION), 2);
}

#[test]
fn to_ask_only_changes_nothing() {
    let mut cluster = cluster_at(&[(METADATA, 30), (TRANSACTION, 2)]);
    let end = cluster.log.end();
    let command = Command::UpdateFeatures {
        updates: vec![FeatureUpdate {
            name: TRANSACTION.to_owned(),
            level: 0,
            upgrade_type: Some(UpgradeType::SafeDowngrade),
        }],
        kraft_version: 0,
        validate_only: true,
    };
    assert_eq!(cluster.ask(command), Response::UpdateFeatures(Ok(())));
    assert_eq!(cluster.log.end(), end);
}

#[test]
fn what_a_feature_needs_of_another_may_come_with_it() {
    let mut cluster = cluster_at(&[(METADATA, 22)]);
    assert_eq!(
        cluster.upgrade(&[(ELR, 1)]).unwrap_err(),
        "Invalid update version 1 for feature eligible.leader.replicas.version. eligible.leader.replicas.version could not be \
         set to 1 because it depends on metadata.version level 23"
    );
    assert_eq!(cluster.upgrade(&[(ELR, 1), (METADATA, 23)]), Ok(()));
    assert_eq!(cluster.level(ELR), 1);
}

#[test]
fn min_insync_replicas_becomes_the_clusters_with_eligible_leader_replicas() {
    let mut cluster = cluster_at(&[(METADATA, 30)]);
    let own = super::AlterConfigsResource {
        resource_type: ConfigResourceType::Broker.number(),
        ..resource("1", ConfigOperation::Set, "min.insync.replicas", Some("1"))
    };
    cluster.ask(Command::IncrementalAlterConfigs {
        resources: vec![own],
        validate_only: false,
    });
    assert_eq!(cluster.upgrade(&[(ELR, 1)]), Ok(()));
    let image = cluster.host.machine().image();
    let of = |name| image.configs().of(ConfigResourceType::Broker, name);
    assert_eq!(
        of("").get("min.insync.replicas").map(String::as_str),
        Some("2")
    );
    assert!(of("1").is_empty());
}

#[test]
fn directories_are_said_again_when_the_log_gets_a_place_for_them() {
    let mut cluster = cluster_at(&[(METADATA, 15)]);
    cluster.create_one(topic("t", 2, 1));
    let before = cluster.log.records.len();
    assert_eq!(cluster.upgrade(&[(METADATA, 16)]), Ok(()));
    assert_eq!(cluster.log.records.len(), before + 1, "nothing to say yet");
    assert_eq!(cluster.upgrade(&[(METADATA, 17)]), Ok(()));
    let said = cluster.log.records.get(before + 1..).unwrap_or_default();
    assert!(
        matches!(
            said,
            [
                MetadataRecord::FeatureLevel(_),
                MetadataRecord::RegisterBroker(_),
                MetadataRecord::PartitionChange(_),
                MetadataRecord::PartitionChange(_),
            ]
        ),
        "{said:?}"
    );
    cluster.check_replay();
}
