//! Brokers and blocks of producer ids.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::messages::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, ProducerIdsRecord, RegisterBrokerRecord,
    UnregisterBrokerRecord,
};
use ottla_protocol::types::{BrokerId, ProducerId};

use super::Controller;
use super::commands::{ApiError, ProducerIdBlock, Response};
use super::directories::{can_be_led_by, led_by};
use super::image::BrokerImage;

/// "Not fenced any more" in a `BrokerRegistrationChangeRecord`.
const UNFENCED: i8 = -1;

impl Controller {
    /// A start of the broker replaces what an earlier start registered. It begins fenced.
    pub(super) fn register_broker(
        &self,
        request: &BrokerRegistrationRequest,
        broker_epoch: i64,
    ) -> (Vec<MetadataRecord>, Response) {
        let end_points = request.listeners.iter().map(|listener| BrokerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..Default::default()
        });
        let features = request.features.iter().map(|feature| BrokerFeature {
            name: feature.name.clone(),
            min_supported_version: feature.min_supported_version,
            max_supported_version: feature.max_supported_version,
            ..Default::default()
        });
        let mut log_dirs = request.log_dirs.clone();
        log_dirs.sort_unstable();
        let record = RegisterBrokerRecord {
            broker_id: request.broker_id,
            incarnation_id: request.incarnation_id,
            broker_epoch,
            end_points: end_points.collect(),
            features: features.collect(),
            rack: request.rack.clone(),
            fenced: true,
            log_dirs,
            ..Default::default()
        };
        (
            vec![MetadataRecord::RegisterBroker(record)],
            Response::RegisterBroker(Ok(broker_epoch)),
        )
    }

    pub(super) fn unfence_broker(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
    ) -> (Vec<MetadataRecord>, Response) {
        match self.registered(broker_id, broker_epoch) {
            Err(error) => (Vec::new(), Response::UnfenceBroker(Err(error))),
            Ok(broker) if !broker.fenced => (Vec::new(), Response::UnfenceBroker(Ok(()))),
            Ok(broker) => {
                let record = BrokerRegistrationChangeRecord {
                    broker_id: broker_id.0,
                    broker_epoch,
                    fenced: UNFENCED,
                    ..Default::default()
                };
                let mut records = vec![MetadataRecord::BrokerRegistrationChange(record)];
                records.extend(self.led_again_by(broker));
                records.extend(self.lost_to(broker));
                (records, Response::UnfenceBroker(Ok(())))
            }
        }
    }

    /// It leads nothing: what it led was taken from it when it was fenced.
    pub(super) fn unregister_broker(&self, id: BrokerId) -> (Vec<MetadataRecord>, Response) {
        let Some(broker) = self.image.cluster().broker(id) else {
            let error = ApiError::new(
                ErrorCode::BrokerIdNotRegistered,
                format!("Broker ID {id} is not currently registered"),
            );
            return (Vec::new(), Response::UnregisterBroker(Err(error)));
        };
        let record = UnregisterBrokerRecord {
            broker_id: id.0,
            broker_epoch: broker.epoch,
            ..Default::default()
        };
        (
            vec![MetadataRecord::UnregisterBroker(record)],
            Response::UnregisterBroker(Ok(())),
        )
    }

    /// Partitions without a leader go to the broker if it has all that was committed, and has it online. A broker that
    /// stops in an orderly way leaves them so.
    fn led_again_by(&self, broker: &BrokerImage) -> impl Iterator<Item = MetadataRecord> {
        let topics = self.image.topics().iter();
        let partitions = topics.flat_map(|topic| {
            let partitions = topic.partitions().iter();
            partitions.map(|(index, partition)| (topic.id(), *index, partition))
        });
        partitions.filter_map(move |(topic_id, index, partition)| {
            let directory = partition.directory(broker.id)?;
            if partition.leader.is_some()
                || !can_be_led_by(partition, broker.id)
                || !broker.has_online(directory)
            {
                return None;
            }
            let mut record = led_by(partition, broker.id);
            record.partition_id = index.0;
            record.topic_id = topic_id;
            Some(MetadataRecord::PartitionChange(record))
        })
    }

    pub(super) fn allocate_producer_ids(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
    ) -> (Vec<MetadataRecord>, Response) {
        match self.next_block(broker_id, broker_epoch) {
            Err(error) => (Vec::new(), Response::AllocateProducerIds(Err(error))),
            Ok(block) => {
                let record = ProducerIdsRecord {
                    broker_id: broker_id.0,
                    broker_epoch,
                    next_producer_id: block.first.0 + i64::from(block.length),
                    ..Default::default()
                };
                (
                    vec![MetadataRecord::ProducerIds(record)],
                    Response::AllocateProducerIds(Ok(block)),
                )
            }
        }
    }

    fn next_block(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
    ) -> Result<ProducerIdBlock, ApiError> {
        self.registered(broker_id, broker_epoch)?;
        let first = self.image.next_producer_id();
        let length = self.settings.producer_ids_per_block;
        if first > i64::MAX - i64::from(length) {
            return Err(ApiError::new(
                ErrorCode::UnknownServerError,
                format!(
                    "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type \
                     limit: {first}"
                ),
            ));
        }
        Ok(ProducerIdBlock {
            first: ProducerId(first),
            length,
        })
    }

    fn registered(&self, id: BrokerId, epoch: i64) -> Result<&BrokerImage, ApiError> {
        let broker = self
            .image
            .cluster()
            .broker(id)
            .ok_or(ErrorCode::BrokerIdNotRegistered)?;
        if broker.epoch != epoch {
            return Err(ErrorCode::StaleBrokerEpoch.into());
        }
        Ok(broker)
    }
}
