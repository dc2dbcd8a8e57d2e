//! What all connections share.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::{ConfigResourceType, MetadataImage};
use ottla_coordination::fetch_session::FetchSessions;
use parking_lot::Mutex;
use tracing::warn;

use crate::data_dirs::Identity;
use crate::exec::cleaner::CleanerSettings;
use crate::exec::controller::ControllerHost;
use crate::exec::deadlines::Deadlines;
use crate::exec::groups::Groups;
use crate::exec::moves::Moves;
use crate::exec::producer_ids::ProducerIds;
use crate::exec::transactions::Transactions;
use crate::exec::watch::Watch;
use crate::exec::{Storage, publish};
use crate::log_limits::LogLimits;
use crate::loggers::Loggers;
use crate::net::Peer;
use crate::settings::{Endpoint, Settings};

pub(crate) struct Broker {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    /// The configuration in force: static, and what was changed at run time.
    pub(crate) config: Arc<ArcSwap<BrokerConfig>>,
    /// What is committed of the metadata log.
    pub(crate) image: ArcSwap<MetadataImage>,
    pub(crate) storage: Arc<Storage>,
    pub(crate) controller: ControllerHost,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) fetch_sessions: Mutex<FetchSessions<Arc<Watch>>>,
    /// Of requests that are parked.
    pub(crate) deadlines: Arc<Deadlines>,
    pub(crate) log_limits: LogLimits,
    pub(crate) loggers: Loggers,
    pub(crate) moves: Moves,
}

impl Broker {
    /// Makes a newer image the current one, and what it says of brokers the configuration in force. Called by one
    /// thread at a time, in the order of the log.
    pub(crate) fn publish(&self, image: MetadataImage) {
        let old = self.image.load_full();
        let config = self.renewed_config(&old, &image);
        if let Some(config) = &config {
            self.config.store(config.clone());
        }
        let node_id = self.settings.node_id;
        publish::bring_up_to(&self.storage, node_id, &self.config.load(), &old, &image);
        if let Some(config) = config {
            publish::renew_all_settings(&self.storage, &config, &image);
            self.storage
                .cleaner
                .configure(&self.storage, self.cleaner_settings());
        }
        let image = Arc::new(image);
        self.image.store(image.clone());
        let config = self.config.load();
        self.groups.follow(&self.storage, &config, &old, &image);
        self.transactions
            .follow(&self.storage, &config, &old, &image);
    }

    /// As the configuration in force wants the log cleaner to be.
    pub(crate) fn cleaner_settings(&self) -> CleanerSettings {
        CleanerSettings::from_values(self.config.load().settings())
    }

    /// `producer.id.expiration.ms`
    pub(crate) fn producer_expiration(&self) -> Duration {
        let config = self.config.load();
        let ms = config.settings().number("producer.id.expiration.ms");
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// The configuration that holds with a newer image, if it is another one.
    fn renewed_config(
        &self,
        old: &MetadataImage,
        new: &MetadataImage,
    ) -> Option<Arc<BrokerConfig>> {
        let node_id = self.settings.node_id.to_string();
        let of = |image: &MetadataImage, name: &str| {
            image.configs().of(ConfigResourceType::Broker, name).clone()
        };
        let (defaults, own) = (of(new, ""), of(new, &node_id));
        if defaults == of(old, "") && own == of(old, &node_id) {
            return None;
        }
        match self.config.load().with_dynamic(defaults, own) {
            Ok(config) => Some(Arc::new(config)),
            Err(error) => {
                // It was checked when it was set; what is in the file may have changed since.
                warn!("the dynamic configuration of this broker has no effect: {error}");
                None
            }
        }
    }

    /// Where this node's controller is found, by listener: as configured, else where it listens.
    pub(crate) fn controller_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let advertised = &self.settings.advertised;
        let listeners = self.settings.controller_listeners.iter();
        listeners.map(|listener| {
            let mut advertised = advertised.iter();
            let found = advertised.find(|endpoint| endpoint.name == listener.name);
            found.unwrap_or(listener)
        })
    }

    /// Where a client finds this broker: as configured for the listener, else at the address that it came to.
    pub(crate) fn address_for(&self, peer: &Peer) -> (String, i32) {
        let advertised = self
            .settings
            .advertised
            .iter()
            .find(|endpoint| *endpoint.name == *peer.listener);
        match advertised {
            Some(endpoint) => (endpoint.host.clone(), i32::from(endpoint.port)),
            None => (
                peer.local.ip().to_canonical().to_string(),
                i32::from(peer.local.port()),
            ),
        }
    }
}
