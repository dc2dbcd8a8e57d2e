//! The list of client tools. One file each; a new tool is a file and a line here.

use crate::tool::Tool;

pub mod configs;
pub mod topics;

pub const TOOLS: &[Tool] = &[topics::TOOL, configs::TOOL];
