//! Project chores: gen, tidy, ci, interop.
fn main() {}
