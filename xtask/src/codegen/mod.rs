//! `cargo xtask gen`: `protocol/schema/` → `protocol/src/messages/generated/`.
//!
//! The output is concrete, unformatted by hand, run through rustfmt, and committed. In check mode nothing is written
//! and stale files are named.

mod rust;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use schema::Message;

/// What to do with the generated text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

/// Generates everything; in check mode fails when a committed file differs.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<()> {
    let out = root.join("protocol/src/messages/generated");
    let files = generate(&root.join("protocol/schema"))?;
    let stale = stale_files(&out, &files)?;
    if mode == Mode::Write {
        return write(&out, &files, &stale);
    }
    if !stale.is_empty() {
        bail!("stale generated files, run `cargo xtask gen`: {stale:?}");
    }
    Ok(())
}

fn write(out: &Path, files: &BTreeMap<PathBuf, String>, stale: &[PathBuf]) -> Result<()> {
    for path in stale {
        let target = out.join(path);
        match files.get(path) {
            Some(text) => {
                fs::create_dir_all(target.parent().context("a file has a folder")?)?;
                fs::write(&target, text).with_context(|| target.display().to_string())?;
            }
            None => fs::remove_file(&target)?,
        }
    }
    Ok(())
}

fn stale_files(out: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let mut stale: Vec<PathBuf> = files
        .iter()
        .filter(|(path, text)| fs::read_to_string(out.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path.clone())
        .collect();
    let present = if out.exists() {
        list(out, out)?
    } else {
        Vec::new()
    };
    stale.extend(present.into_iter().filter(|path| !files.contains_key(path)));
    Ok(stale)
}

fn list(dir: &Path, base: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(list(&path, base)?);
        } else {
            found.push(path.strip_prefix(base)?.to_path_buf());
        }
    }
    Ok(found)
}

fn generate(schema_dir: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut raw = BTreeMap::new();
    let mut messages = Vec::new();
    for folder in ["api", "common", "internal", "metadata"] {
        let mut modules = Vec::new();
        for path in sorted_files(&schema_dir.join(folder))? {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .context("file name")?;
            let module = stem
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim_start_matches('_')
                .to_owned();
            let text = fs::read_to_string(&path)?;
            let parsed = schema::parse(&text).with_context(|| path.display().to_string())?;
            let source = format!(
                "{folder}/{}",
                path.file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default()
            );
            raw.insert(
                PathBuf::from(format!("{folder}/{module}.rs")),
                rust::file(&source, &parsed)?,
            );
            messages.extend(
                parsed
                    .into_iter()
                    .map(|message| (folder, module.clone(), message)),
            );
            modules.push(module);
        }
        raw.insert(
            PathBuf::from(format!("{folder}/mod.rs")),
            rust::folder(folder, &modules, &messages),
        );
    }
    raw.insert(PathBuf::from("mod.rs"), rust::root(&messages));
    raw.into_iter()
        .map(|(path, text)| Ok((path, format_rust(&text)?)))
        .collect()
}

fn sorted_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .with_context(|| dir.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    Ok(files)
}

fn format_rust(text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=100"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt")?;
    child
        .stdin
        .take()
        .context("stdin")?
        .write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt refused generated code");
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A message with where it was found: folder and module.
type Placed = (&'static str, String, Message);
