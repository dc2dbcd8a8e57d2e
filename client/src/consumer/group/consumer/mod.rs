//! Membership of a group whose coordinator assigns (`group.protocol=consumer`, KIP-848): a pure core and a thin task
//! around it.

mod membership;
mod reconciliation;
mod task;

pub(super) use task::start;
