//! Project chores: `cargo xtask gen`.

mod codegen;

use std::path::Path;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["gen"] => codegen::run(&root, codegen::Mode::Write),
        ["gen", "--check"] => codegen::run(&root, codegen::Mode::Check),
        _ => bail!("usage: cargo xtask gen [--check]"),
    }
}
