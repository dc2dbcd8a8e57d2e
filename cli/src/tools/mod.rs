//! The list of client tools. One file each; a new tool is a file and a line here.

use crate::tool::Tool;

pub mod broker_api_versions;
pub mod configs;
pub mod get_offsets;
pub mod topics;

pub const TOOLS: &[Tool] = &[
    topics::TOOL,
    configs::TOOL,
    get_offsets::TOOL,
    broker_api_versions::TOOL,
];
