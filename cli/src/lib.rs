//! The client tools: what `kafka-topics.sh` and its siblings do, as functions over a [`Context`].
//!
//! Sits on `client`; knows nothing of the broker. A tool is one file in `tools/` with three parts: `Args` (clap),
//! `plan` (pure: options to what shall be done) and `render` (pure: answers to text). Between the two it asks the
//! cluster. Always: standard output and exit status are the reference's; standard error says the same and more.

pub mod argparse;
pub mod connect;
mod consuming;
pub mod context;
mod contexts;
pub mod declare;
mod durations;
pub mod help_text;
mod jackson;
mod java_format;
pub mod java_order;
pub mod java_text;
pub mod jopt;
mod json_file;
pub mod live;
pub mod meant;
mod nearest;
pub mod options;
pub mod output;
mod producing;
pub mod progress;
mod rates;
pub mod record_json;
mod settling;
mod signals;
pub mod stop;
mod table;
mod terminal;
mod throttle;
pub mod tool;
pub mod tools;
pub mod topic_filter;
pub mod verb;

pub use context::Context;
pub use stop::{Failure, Stop};
pub use tool::{REFERENCE_VERSION, Tool, run};
