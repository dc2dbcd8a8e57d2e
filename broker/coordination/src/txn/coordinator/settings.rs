//! What the shell reads from the broker's configuration for transactions.

use super::state::TransactionVersion;

/// Limits and delays of the transaction machine; each field names its broker key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnSettings {
    /// The cluster's finalized level of the feature `transaction.version`.
    pub transaction_version: TransactionVersion,
    /// `transaction.max.timeout.ms`
    pub timeout_max_ms: i32,
    /// `transactional.id.expiration.ms`
    pub id_expiration_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub timeout_check_interval_ms: i32,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiration_check_interval_ms: i32,
    /// `transaction.two.phase.commit.enable`
    pub two_phase_commit_enabled: bool,
    /// How long a marker that could not be written waits for the next attempt; no key in the reference, which tries
    /// again as fast as its sender goes round.
    pub marker_retry_ms: i32,
    /// With how many producer ids left the machine asks for more.
    pub producer_ids_low: i32,
}

impl Default for TxnSettings {
    fn default() -> Self {
        Self {
            transaction_version: TransactionVersion(2),
            timeout_max_ms: 900_000,
            id_expiration_ms: 7 * 24 * 60 * 60 * 1_000,
            timeout_check_interval_ms: 10_000,
            expiration_check_interval_ms: 3_600_000,
            two_phase_commit_enabled: false,
            marker_retry_ms: 100,
            producer_ids_low: 2,
        }
    }
}
