//! The controller: what it refuses and in which words, the records it writes, and that they add up to its image.

mod configs;
mod directories;
mod elections;
mod features;
mod reassign;
mod topics;

use std::collections::BTreeMap;

use ottla_coordination::controller::{
    AlterConfigsResource, ApiError, Command, ConfigChange, ConfigOperation, ConfigResourceType,
    ConfigRules, Controller, MetadataImage, NewTopic, Response, Settings,
};
use ottla_coordination::{Host, Loading, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics::request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::messages::{
    BrokerRegistrationRequest, broker_registration, decode_metadata_record, encode_metadata_record,
};
use ottla_protocol::types::{BrokerId, Millis, Offset};
use ottla_protocol::wire::Uuid;

use crate::support::MemoryLog;

/// Knows one list and one value that is wrong.
#[derive(Debug)]
struct TestRules;

impl ConfigRules for TestRules {
    fn is_list(&self, _: ConfigResourceType, key: &str) -> bool {
        key == "cleanup.policy"
    }

    fn default_value(&self, _: ConfigResourceType, key: &str) -> Option<String> {
        (key == "cleanup.policy").then(|| "delete".to_owned())
    }

    fn validate(
        &self,
        _: ConfigResourceType,
        _: &str,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        match configs.iter().find(|(_, value)| *value == "wrong") {
            Some((key, _)) => Err(ApiError::new(
                ErrorCode::InvalidConfig,
                format!("Invalid value wrong for configuration {key}"),
            )),
            None => Ok(()),
        }
    }
}

struct Cluster {
    log: MemoryLog<MetadataRecord>,
    host: Host<Controller>,
    next_token: u64,
    next_id: u8,
}

impl Cluster {
    /// A cluster of these brokers, all active.
    fn of(brokers: &[i32]) -> Self {
        let mut log = MemoryLog::default();
        let controller = Controller::new(Settings::default(), Box::new(TestRules));
        let host = Loading::new(controller).finish(Millis(0), Offset(0), Offset(0), &mut log);
        let mut cluster = Self {
            log,
            host,
            next_token: 0,
            next_id: 0,
        };
        for id in brokers {
            cluster.start_broker(*id);
        }
        cluster
    }

    fn start_broker(&mut self, id: i32) {
        let listener = broker_registration::request::Listener {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            ..Default::default()
        };
        let broker_epoch = self.log.end().0;
        let request = BrokerRegistrationRequest {
            broker_id: id,
            listeners: vec![listener],
            log_dirs: vec![Uuid([9; 16])],
            ..Default::default()
        };
        let registered = self.ask(Command::RegisterBroker {
            request,
            broker_epoch,
        });
        assert_eq!(registered, Response::RegisterBroker(Ok(broker_epoch)));
        let unfenced = self.ask(Command::UnfenceBroker {
            broker_id: BrokerId(id),
            broker_epoch,
        });
        assert_eq!(unfenced, Response::UnfenceBroker(Ok(())));
    }

    /// The controller of a log with these records, as after a restart.
    fn reload(&mut self, records: Vec<MetadataRecord>) {
        let controller = Controller::new(Settings::default(), Box::new(TestRules));
        let mut loading = Loading::new(controller);
        for (offset, record) in (0..).zip(&records) {
            loading.load(Offset(offset), record);
        }
        self.log.records = records;
        let end = self.log.end();
        self.host = loading.finish(Millis(0), end, end, &mut self.log);
    }

    fn ask(&mut self, command: Command) -> Response {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.host.handle(Millis(0), token, command, &mut self.log);
        self.host.committed(self.log.end());
        let mut answers = self.host.take_answers();
        let (answered, answer) = answers.pop().expect("an answer");
        assert_eq!((answered, answers.len()), (token, 0));
        answer.expect("the log refuses nothing")
    }

    fn image(&self) -> &MetadataImage {
        self.host.machine().image()
    }

    fn new_id(&mut self) -> Uuid {
        self.next_id += 1;
        Uuid([self.next_id; 16])
    }

    /// Creates topics and tells for each its error and words, none for success.
    fn create(&mut self, topics: Vec<CreatableTopic>) -> Vec<(String, ErrorCode, String)> {
        let topics = topics.into_iter().map(|topic| NewTopic {
            topic,
            topic_id: self.new_id(),
        });
        let response = {
            let topics: Vec<NewTopic> = topics.collect();
            self.ask(Command::CreateTopics {
                topics,
                placement_start: 0,
                validate_only: false,
            })
        };
        let Response::CreateTopics(results) = response else {
            panic!("another answer: {response:?}");
        };
        let results = results.into_iter().map(|result| {
            let message = result.error_message.as_deref().unwrap_or_default();
            let error = ErrorCode::from_code(result.error_code);
            (result.name.to_string(), error, message.to_owned())
        });
        results.collect()
    }

    fn create_one(&mut self, topic: CreatableTopic) -> (ErrorCode, String) {
        let (_, error, message) = self.create(vec![topic]).remove(0);
        (error, message)
    }

    fn add_partitions(&mut self, topic: CreatePartitionsTopic) -> (ErrorCode, String) {
        let response = self.ask(Command::CreatePartitions {
            topics: vec![topic],
            placement_start: 0,
            validate_only: false,
        });
        let Response::CreatePartitions(results) = response else {
            panic!("another answer: {response:?}");
        };
        let message = results[0].error_message.as_deref().unwrap_or_default();
        (
            ErrorCode::from_code(results[0].error_code),
            message.to_owned(),
        )
    }

    fn alter(
        &mut self,
        topic: &str,
        operation: ConfigOperation,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), ApiError> {
        let response = self.ask(Command::IncrementalAlterConfigs {
            resources: vec![resource(topic, operation, key, value)],
            validate_only: false,
        });
        let Response::AlterConfigs(mut verdicts) = response else {
            panic!("another answer: {response:?}");
        };
        verdicts.remove(0)
    }

    fn configs(&self, topic: &str) -> Vec<(String, String)> {
        let configs = self.image().configs().of(ConfigResourceType::Topic, topic);
        configs.clone().into_iter().collect()
    }

    /// Replaying the log, through bytes, gives the live image; replaying a snapshot of it does too.
    fn check_replay(&self) {
        let mut replayed = MetadataImage::default();
        for (offset, record) in (0..).zip(&self.log.records) {
            let bytes = encode_metadata_record(record, record.max_version());
            let (read, _) = decode_metadata_record(bytes).expect("a record that was just written");
            replayed.apply(Offset(offset), &read);
        }
        assert_eq!(&replayed, self.image());
        let mut restored = MetadataImage::default();
        for record in self.image().records() {
            restored.apply(Offset(0), &record);
        }
        assert_eq!(restored.records(), self.image().records());
        assert_eq!(restored.topics(), self.image().topics());
        assert_eq!(restored.configs(), self.image().configs());
        assert_eq!(restored.cluster(), self.image().cluster());
        assert_eq!(restored.next_producer_id(), self.image().next_producer_id());
    }
}

fn topic(name: &str, partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor,
        ..Default::default()
    }
}

fn assigned(name: &str, partitions: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = partitions
        .iter()
        .map(|(index, brokers)| CreatableReplicaAssignment {
            partition_index: *index,
            broker_ids: brokers.to_vec(),
            ..Default::default()
        });
    CreatableTopic {
        assignments: assignments.collect(),
        ..topic(name, -1, -1)
    }
}

fn with_config(topic: CreatableTopic, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig {
        name: key.into(),
        value: value.map(Into::into),
        ..Default::default()
    };
    CreatableTopic {
        configs: vec![config],
        ..topic
    }
}

fn resource(
    topic: &str,
    operation: ConfigOperation,
    key: &str,
    value: Option<&str>,
) -> AlterConfigsResource {
    AlterConfigsResource {
        resource_type: ConfigResourceType::Topic.number(),
        resource_name: topic.into(),
        changes: vec![ConfigChange {
            name: key.into(),
            operation,
            value: value.map(Into::into),
        }],
    }
}

fn ok() -> (ErrorCode, String) {
    (ErrorCode::None, String::new())
}

fn refused(error: ErrorCode, message: &str) -> (ErrorCode, String) {
    (error, message.to_owned())
}
