//! What of a topic is read, and how it is shown, by options that the reference does not have.
//!
//! Always: where none of them is given, nothing of this is in effect. A range is looked up once, when the tool begins; it ends
//! where it was to end, and nobody waits for records that are not there yet. Ranges are read without a group.

mod args;
mod bounds;
mod filter;
mod ranges;
mod tail;
mod template;

pub(super) use args::{SelectArgs, Selection};
pub(super) use bounds::Place;
pub(super) use ranges::{Range, Ranges, Topics, Wanted, look_up};
pub(super) use tail::Latest;
pub(super) use template::Template;
