//! What all connections share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::fetch_session::FetchSessions;
use parking_lot::Mutex;

use crate::data_dirs::Identity;
use crate::exec::{Storage, publish};
use crate::log_limits::LogLimits;
use crate::net::Peer;
use crate::settings::Settings;

pub(crate) struct Broker {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    /// The configuration in force: static, and what was changed at run time.
    pub(crate) config: ArcSwap<BrokerConfig>,
    /// What is committed of the metadata log.
    pub(crate) image: ArcSwap<MetadataImage>,
    pub(crate) storage: Arc<Storage>,
    pub(crate) fetch_sessions: Mutex<FetchSessions>,
    pub(crate) log_limits: LogLimits,
}

impl Broker {
    /// Makes a newer image the current one. Called by one thread at a time, in the order of the log.
    pub(crate) fn publish(&self, image: MetadataImage) {
        let old = self.image.load_full();
        publish::bring_up_to(&self.storage, &self.config.load(), &old, &image);
        self.image.store(Arc::new(image));
    }

    /// Makes a newer configuration the one in force, for topics too.
    pub(crate) fn set_config(&self, config: BrokerConfig) {
        let config = Arc::new(config);
        self.config.store(config.clone());
        publish::renew_all_settings(&self.storage, &config, &self.image.load());
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
