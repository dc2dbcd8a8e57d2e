//! How Rust files lie in the tree: each starts with a module header, is named by its parent, and can be read in
//! one sitting. Generated files answer for none of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::Tracked;

const LINES_MAX: usize = 900;

/// Long because they are one list each.
const TABLES: &[&str] = &[];

pub(super) fn check(files: &[Tracked]) -> Result<Vec<String>> {
    let sources: BTreeMap<&Path, &str> = files
        .iter()
        .filter(|file| is_written_source(&file.path))
        .map(|file| (file.path.as_path(), file.text.as_str()))
        .collect();
    let mut found = Vec::new();
    for (path, text) in &sources {
        let lines = text.lines().count();
        if lines > LINES_MAX && !TABLES.iter().any(|table| Path::new(table) == *path) {
            found.push(format!(
                "{}: {lines} lines; split it by noun",
                path.display()
            ));
        }
        // The header of a `tests` module's parent speaks for it too.
        if !has_header(text) && !path.ends_with("tests.rs") {
            found.push(format!("{}:1: no module header (`//!`)", path.display()));
        }
        if !is_listed(path, &sources) {
            found.push(format!("{}: no `mod` names this file", path.display()));
        }
    }
    Ok(found)
}

fn is_written_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
        && !path
            .components()
            .any(|part| part.as_os_str() == "generated")
}

fn has_header(text: &str) -> bool {
    text.lines()
        .find(|line| !line.is_empty() && !line.starts_with("#!["))
        .is_some_and(|line| line.starts_with("//!"))
}

/// Whether cargo finds the file by itself, or a module beside or above it has a `mod` line for it.
fn is_listed(path: &Path, sources: &BTreeMap<&Path, &str>) -> bool {
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let (module, home) = match stem {
        "main" | "lib" | "build" => return true,
        "mod" => {
            let name = folder
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            (name, folder.parent().unwrap_or(Path::new("")))
        }
        _ => (stem, folder),
    };
    if is_target(folder) && stem != "mod" {
        return true;
    }
    let declaration = format!("mod {module};");
    let declares = |text: &&str| {
        text.lines()
            .any(|line| line.trim_end().ends_with(&declaration))
    };
    let path_attribute = format!("#[path = \"{stem}.rs\"]");
    let beside = sources
        .iter()
        .filter(|(other, _)| other.parent() == Some(folder));
    if beside
        .map(|(_, text)| text)
        .any(|text| text.contains(&path_attribute))
    {
        return true;
    }
    let parents = sources.iter().filter(|(parent, _)| {
        let usual = ["main.rs", "lib.rs", "mod.rs"].map(|name| home.join(name));
        usual.iter().any(|usual| usual == *parent)
            || home.with_extension("rs") == **parent
            || (is_target(home) && parent.parent() == Some(home))
    });
    parents.map(|(_, text)| text).any(declares)
}

/// Folders whose files are each a program of its own.
fn is_target(folder: &Path) -> bool {
    let last = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    matches!(
        last,
        "bin" | "benches" | "examples" | "tests" | "fuzz_targets"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked(path: &str, text: &str) -> Tracked {
        Tracked {
            path: path.into(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let found = check(&[
            tracked("a/src/lib.rs", "//! A.\nmod listed;\npub mod folder;\n"),
            tracked("a/src/listed.rs", "//! L.\n"),
            tracked("a/src/folder/mod.rs", "//! F.\nmod leaf;\n"),
            tracked("a/src/folder/leaf.rs", "//! L.\n"),
            tracked("a/src/folder/forgotten.rs", "//! G.\n"),
            tracked("tests/e2e/main.rs", "//! T.\n"),
            tracked("a/tests/vectors.rs", "//! V.\nmod support;\n"),
            tracked("a/tests/support/mod.rs", "//! S.\n"),
            tracked("tests/e2e/lost.rs", "//! T.\n"),
        ])
        .unwrap();
        assert_eq!(
            found,
            [
                "a/src/folder/forgotten.rs: no `mod` names this file",
                "tests/e2e/lost.rs: no `mod` names this file",
            ]
        );
    }

    #[test]
    fn a_long_file_and_a_missing_header_are_found_but_not_in_generated_code() {
        let long = "//! Long.\n".repeat(LINES_MAX + 1);
        let found = check(&[
            tracked("src/main.rs", &long),
            tracked("src/lib.rs", "#![allow(x)]\n\nfn f() {}\n"),
            tracked("src/generated/all.rs", "fn f() {}"),
        ])
        .unwrap();
        assert_eq!(
            found,
            [
                "src/lib.rs:1: no module header (`//!`)",
                "src/main.rs: 901 lines; split it by noun"
            ]
        );
    }
}
