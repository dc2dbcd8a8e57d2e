//! Tests of whole machines: scripts for the rules, random runs for what no rule foresees.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read scripts and seeds; the machines do not"
)]

mod assignors;
mod consumer_random;
mod controller;
mod fetch_sessions;
mod group_random;
mod group_scripts;
mod holes;
mod hosting;
mod migration_random;
mod offsets_random;
mod producer_states;
mod scripts;
mod support;
mod txn_markers;
mod txn_random;
mod txn_scripts;
mod txn_verification;
