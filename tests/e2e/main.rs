//! End to end: the real binary, real sockets, real files. One program, because linking many is what takes long.
//!
//! Always: loopback only, port 0, a directory of its own for each test; no test sleeps for a fixed time, it waits for a
//! condition with a deadline.

mod front;
mod random;
mod requests;
mod server;
mod terminal;
mod transactional;
mod wait;
mod wire;

mod abuse;
mod apply;
mod bad_endpoints;
mod closed_output;
mod cluster_tools;
mod compaction;
mod completions;
mod console_transactions;
mod consumer;
mod consumer_groups;
mod consumer_perf_test;
mod contexts;
mod coordinator_states;
mod crash;
mod daemon;
mod data_output;
mod descriptors;
mod doctor;
mod dump_log;
mod e2e_latency;
mod exactly_once;
mod examples;
mod failed_sync;
mod features_tool;
mod gaps;
mod generated;
mod idempotence;
mod large_batches;
mod lifecycle;
mod log_tool;
mod loggers;
mod meant;
mod multicall;
mod on_a_terminal;
mod pipe;
mod producer_ids;
mod producer_perf_test;
mod reading_records;
mod real_input;
mod reassignment;
mod run;
mod signals;
mod storage;
mod tools;
mod top;
mod transactions;
mod transactions_tool;
mod transcripts;
mod verifiable;
mod writing_records;
mod zombies;
