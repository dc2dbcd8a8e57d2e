//! Waits, after a change, until the brokers know of it.
//!
//! Kafka's controller answers as soon as a change is decided, and brokers hear of it a little later. The reference's tools take
//! longer than that to start, so scripts rely on the next command to see what the one before has done, whichever broker
//! that asks. Always: the change is made already, so nothing here fails, and nobody waits for longer than a second.

mod configs;

use std::time::Duration;

use ottla_client::admin::Admin;
use ottla_client::cluster::EndpointType;
use tokio::time::{sleep, timeout};

pub(crate) use configs::until_altered;

const WITHIN: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Asks each broker until its answer is that a change is known, or that there is no asking.
pub(crate) async fn until_known(admin: &Admin, mut is_known: impl AsyncFnMut(&Admin) -> bool) {
    let known = async {
        for admin in of_each_broker(admin) {
            while !is_known(&admin).await {
                sleep(ASK_EVERY).await;
            }
        }
    };
    // Whoever comes too early then is told so by the next command.
    timeout(WITHIN, known).await.unwrap_or_default();
}

fn of_each_broker(admin: &Admin) -> Vec<Admin> {
    let cluster = admin.cluster();
    let metadata = cluster.metadata();
    let brokers = metadata.brokers().map(|broker| admin.asking(broker.id));
    match brokers.collect::<Vec<_>>() {
        several
            if several.len() > 1 && cluster.settings().endpoint_type == EndpointType::Broker =>
        {
            several
        }
        // The active controller has made the change itself.
        _ => vec![admin.clone()],
    }
}
