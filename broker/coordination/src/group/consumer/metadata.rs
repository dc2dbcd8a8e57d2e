//! What groups have to know of the cluster: its topics, and what is configured.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ConsumerSettings;
use crate::effects::{Effects, ReplyToken};
use crate::group::GroupMachine;
use crate::group::commands::Response;
use crate::group::topics::Topics;
use ottla_protocol::types::Millis;

/// News of the cluster.
#[derive(Clone, Debug)]
pub struct ClusterUpdate {
    pub topics: Topics,
    /// Topics that are new, gone or have other partitions than before.
    pub changed: Arc<BTreeSet<String>>,
    /// Whether there are topics that expressions may have to be matched with.
    pub has_new_topics: bool,
    pub settings: ConsumerSettings,
}

impl GroupMachine {
    /// Groups that are subscribed to what has changed look at it with their next heartbeat.
    pub(in crate::group) fn cluster_changed(
        &mut self,
        token: ReplyToken,
        update: ClusterUpdate,
        out: &mut Effects<Self>,
    ) {
        self.topics = update.topics;
        self.settings.consumer = update.settings;
        if update.has_new_topics || self.soft.topics_version.is_none() {
            self.soft.topics_version = Some(self.metadata_version());
        }
        if !update.changed.is_empty() {
            for (group_id, group) in self.hard.consumer_groups() {
                let is_concerned = group
                    .topics
                    .keys()
                    .any(|name| update.changed.contains(name));
                if let Some(soft) = self.soft.consumers.get_mut(group_id)
                    && is_concerned
                {
                    soft.refresh_at = Millis(0);
                    soft.refresh_epoch = 0;
                }
            }
        }
        out.reply(token, Response::ClusterChanged);
    }

    /// The offset of the last record that the topics come from.
    pub(super) fn metadata_version(&self) -> i64 {
        self.topics.end().0 - 1
    }
}
