//! `ottla topics apply` and `ottla topics export`: topics and group offsets as a file says them. The reference has no
//! such verbs, and the links with its names do not have these.

pub mod apply;
pub mod export;
