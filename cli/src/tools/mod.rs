//! The list of client tools. One file each; a new tool is a file and a line here.

use crate::tool::Tool;

pub mod acls;
pub mod broker_api_versions;
pub mod client_metrics;
pub mod cluster;
pub mod configs;
pub mod console_consumer;
pub mod console_producer;
pub mod consumer_groups;
pub mod consumer_perf_test;
pub mod context;
pub mod declared;
pub mod delete_records;
pub mod doctor;
pub mod e2e_latency;
pub mod features;
pub mod get_offsets;
pub mod groups;
pub mod leader_election;
pub mod log_dirs;
pub mod metadata_quorum;
pub mod pipe;
pub mod producer_perf_test;
pub mod reassign_partitions;
pub mod top;
pub mod topics;
pub mod transactions;
pub mod verifiable;

pub const TOOLS: &[Tool] = &[
    topics::TOOL,
    declared::apply::TOOL,
    declared::export::TOOL,
    configs::TOOL,
    acls::TOOL,
    client_metrics::TOOL,
    console_producer::TOOL,
    console_consumer::TOOL,
    consumer_groups::TOOL,
    groups::TOOL,
    get_offsets::TOOL,
    delete_records::TOOL,
    log_dirs::TOOL,
    leader_election::TOOL,
    reassign_partitions::TOOL,
    transactions::TOOL,
    broker_api_versions::TOOL,
    cluster::TOOL,
    features::TOOL,
    metadata_quorum::TOOL,
    producer_perf_test::TOOL,
    consumer_perf_test::TOOL,
    e2e_latency::TOOL,
    verifiable::producer::TOOL,
    verifiable::consumer::TOOL,
    pipe::TOOL,
    top::TOOL,
    context::TOOL,
    doctor::TOOL,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jopt;

    #[test]
    fn every_tool_is_listed_once_and_its_options_are_sound() {
        for (index, tool) in TOOLS.iter().enumerate() {
            (tool.command)().debug_assert();
            assert_eq!((tool.command)().get_name(), tool.link);
            assert!(
                TOOLS
                    .iter()
                    .skip(index + 1)
                    .all(|other| other.name != tool.name),
                "{}",
                tool.name
            );
        }
    }

    proptest! {
        /// Neither known nor unknown words, however they are put together, make a tool panic.
        #[test]
        fn any_command_line_is_parsed_or_refused(
            words in prop::collection::vec("(-{0,3}[a-z=,:-]{0,12}|--topic|--bootstrap-server|--describe|\\PC{0,8})", 0..8)
        ) {
            for tool in TOOLS {
                let _ = jopt::check(&(tool.command)(), &words);
            }
        }
    }
}
