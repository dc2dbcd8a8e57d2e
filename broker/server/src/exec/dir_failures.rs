//! What follows when one of several log directories is not there, or fails while the server runs: whoever waits for it
//! is answered, the controller takes the leadership of its partitions away, and the log says what is offline.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordination::controller::Command;
use ottla_protocol::wire::Uuid;
use tracing::{error, warn};

use crate::broker::Broker;

/// Sees to every failure until the server stops.
pub(crate) async fn watch(broker: Arc<Broker>) {
    loop {
        broker.storage.dirs.failure().await;
        let leaving = broker.clone();
        // Closing files may take a while on a disk that fails.
        let left = tokio::task::spawn_blocking(move || leave(&leaving)).await;
        let partitions = left.unwrap_or(0);
        warn!(
            partitions,
            "partitions are offline with their log directory"
        );
        let command = Command::KeepDirectories {
            broker_id: broker.settings.node_id,
            online: broker.storage.dirs.online_ids(),
        };
        if let Err(error) = broker.controller.ask(&broker, command).await {
            warn!("the controller was not told of the failed directory: {error:?}");
        }
    }
}

/// Takes all partitions of failed directories out of service; how many there are.
fn leave(broker: &Broker) -> usize {
    broker.groups.leave_failed_directories();
    broker.transactions.leave_failed_directories();
    let mut count = 0;
    for topic in broker.storage.topics.all() {
        for partition in topic.all() {
            if partition.dir().is_offline() {
                partition.leave_failed_directory();
                count += 1;
            }
        }
    }
    count
}

/// Says at the start which directories are missed, and by how many partitions.
pub(crate) fn report_missing(broker: &Broker) {
    let mut missed: BTreeMap<Uuid, usize> = BTreeMap::new();
    let image = broker.image.load();
    for topic in image.topics().iter() {
        for (index, partition) in topic.partitions() {
            let held = broker.storage.topics.partition(topic.name(), index.0);
            let directory = partition.directory(broker.settings.node_id);
            if let (Some(held), Some(directory)) = (held, directory)
                && held.dir().is_offline()
            {
                *missed.entry(directory).or_default() += 1;
            }
        }
    }
    for (directory, partitions) in missed {
        error!(
            %directory, partitions,
            "partitions are offline: no log directory with this directory.id is there. Bring it back and start again, \
             or delete their topics"
        );
    }
}
