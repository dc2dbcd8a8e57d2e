//! Membership of a group: a pure core, a thin task around it, and the consumer's handle on both.

use crate::{cluster::Cluster, error::ClientError};

use super::{
    lookup::Events,
    settings::{GroupProtocol, GroupSettings},
};

mod consumer;
mod handle;
mod leader;
mod membership;
mod protocol;
mod task;

pub(crate) use handle::Identity;
pub(super) use handle::{Member, Notice, Wish};

/// Starts to be a member, as far as that can be without the consumer's first wish; notices come as events.
pub(super) fn start(
    cluster: Cluster,
    settings: GroupSettings,
    events: Events,
) -> Result<Member, ClientError> {
    match &settings.protocol {
        GroupProtocol::Classic(classic) => {
            let classic = classic.clone();
            task::start(cluster, settings, classic, events)
        }
        GroupProtocol::Consumer { remote_assignor } => {
            let remote_assignor = remote_assignor.clone();
            consumer::start(cluster, settings, remote_assignor.as_deref(), events)
        }
    }
}
