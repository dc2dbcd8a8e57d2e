//! What the shell reads from the configuration for consumer groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::group::assignors::Assignor;

/// Settings of all consumer groups; each field names its broker key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// `group.consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.assignment.interval.ms`
    pub assignment_interval_ms: i32,
    /// `group.consumer.max.size`
    pub size_max: usize,
    /// `group.consumer.assignors`; the first serves groups whose members name none.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`
    pub migration_policy: MigrationPolicy,
    /// After this long regular expressions are resolved again; no public key, ten minutes in the reference.
    pub regex_refresh_interval_ms: i64,
    /// What groups say otherwise.
    pub overrides: Arc<BTreeMap<String, GroupOverrides>>,
}

/// What one group says otherwise; each field names its group key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupOverrides {
    /// `consumer.session.timeout.ms`
    pub session_timeout_ms: Option<i32>,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: Option<i32>,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval_ms: Option<i32>,
}

/// In which directions a group may change its protocol with members in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    Disabled,
    Upgrade,
    Downgrade,
    Bidirectional,
}

impl MigrationPolicy {
    #[must_use]
    pub fn allows_upgrade(self) -> bool {
        matches!(self, Self::Upgrade | Self::Bidirectional)
    }

    #[must_use]
    pub fn allows_downgrade(self) -> bool {
        matches!(self, Self::Downgrade | Self::Bidirectional)
    }
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            assignment_interval_ms: 1_000,
            size_max: i32::MAX as usize,
            assignors: Assignor::ALL.to_vec(),
            migration_policy: MigrationPolicy::Bidirectional,
            regex_refresh_interval_ms: 600_000,
            overrides: Arc::default(),
        }
    }
}

impl ConsumerSettings {
    pub(super) fn session_timeout_ms(&self, group_id: &str) -> i32 {
        self.of(group_id, |own| own.session_timeout_ms)
            .unwrap_or(self.session_timeout_ms)
    }

    pub(super) fn heartbeat_interval_ms(&self, group_id: &str) -> i32 {
        self.of(group_id, |own| own.heartbeat_interval_ms)
            .unwrap_or(self.heartbeat_interval_ms)
    }

    pub(super) fn assignment_interval_ms(&self, group_id: &str) -> i32 {
        self.of(group_id, |own| own.assignment_interval_ms)
            .unwrap_or(self.assignment_interval_ms)
    }

    fn of(&self, group_id: &str, value: fn(&GroupOverrides) -> Option<i32>) -> Option<i32> {
        self.overrides.get(group_id).and_then(value)
    }
}
