//! Membership of a classic group: a pure core, a thin task around it, and the consumer's handle on both.

mod membership;
mod protocol;
mod task;

pub(crate) use membership::Identity;
pub(super) use membership::Notice;
pub(super) use task::{Member, start};
