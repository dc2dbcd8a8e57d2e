//! What time alone does: transactions that last too long are aborted, and ids that nobody uses are forgotten.

use ottla_protocol::types::Millis;

use super::records::TxnRecord;
use super::state::NO_EPOCH;
use super::{TxnMachine, TxnTimer};
use crate::effects::Effects;

/// So many bytes of transactional ids go in one batch of tombstones, and one id at least.
const TOMBSTONE_BATCH_BYTES: usize = 16 << 10;

impl TxnMachine {
    pub(super) fn check_timeouts_later(&mut self, now: Millis, out: &mut Effects<Self>) {
        if !std::mem::replace(&mut self.soft.checks_timeouts, true) {
            let interval = Millis(self.settings.timeout_check_interval_ms.into());
            out.arm(TxnTimer::CheckTimeouts, now.plus(interval));
        }
    }

    /// Aborts what has timed out; what can't be aborted now (no producer id at hand) is found again next time.
    pub(super) fn check_timeouts(&mut self, now: Millis, out: &mut Effects<Self>) {
        self.soft.checks_timeouts = false;
        if self.soft.ongoing.is_empty() {
            return;
        }
        let has_timed_out = |id: &&String| {
            let transaction = self.hard.get(id);
            transaction.is_some_and(|transaction| transaction.has_timed_out(now))
        };
        let timed_out: Vec<String> = self
            .soft
            .ongoing
            .iter()
            .filter(has_timed_out)
            .cloned()
            .collect();
        for id in timed_out {
            if let Ok(step) = self.fence(now, &id, out) {
                self.append_prepared(now, &id, step, Vec::new(), out);
            }
        }
        self.check_timeouts_later(now, out);
    }

    pub(super) fn expire_ids_later(&self, now: Millis, out: &mut Effects<Self>) {
        let interval = Millis(self.settings.expiration_check_interval_ms.into());
        out.arm(TxnTimer::ExpireIds, now.plus(interval));
    }

    pub(super) fn expire_ids(&mut self, now: Millis, out: &mut Effects<Self>) {
        let latest = now.plus(Millis(-i64::from(self.settings.id_expiration_ms)));
        let is_expired = self
            .hard
            .iter()
            .filter(|(_, transaction)| {
                transaction.state.is_at_rest() && transaction.updated_at <= latest
            })
            .map(|(id, _)| id.to_owned());
        let expired: Vec<String> = is_expired.collect();
        let version = self.settings.transaction_version;
        let mut batch = Vec::new();
        let mut bytes = 0;
        for id in expired {
            if bytes + id.len() > TOMBSTONE_BATCH_BYTES {
                out.append(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += id.len();
            self.soft.propose(&id, NO_EPOCH);
            batch.push(TxnRecord::new(&id, None, version));
        }
        out.append(batch);
        self.expire_ids_later(now, out);
    }
}
