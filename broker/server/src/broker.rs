//! What all connections share.

use std::sync::Arc;

use crate::data_dirs::Identity;
use crate::exec::Storage;
use crate::log_limits::LogLimits;
use crate::settings::Settings;

pub(crate) struct Broker {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) storage: Arc<Storage>,
    pub(crate) log_limits: LogLimits,
}
