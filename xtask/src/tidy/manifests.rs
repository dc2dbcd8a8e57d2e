//! Which crate may depend on which: the table in ARCHITECTURE.md, held against what cargo says the manifests say; and
//! a line in the ledger of dependencies for each crate of others.
//!
//! Always: every crate of the workspace except xtask has a row, so that a new crate cannot be forgotten.
//! The table is the only list: its second column names the crates of ours that may be used (dev-dependencies too),
//! its third the crates of others that must never be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Tracked;
use crate::shell;

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "Who may depend on whom";
const LEDGER: &str = "docs/decisions/dependencies.md";

#[derive(Debug, PartialEq)]
struct Rule {
    ours: Vec<String>,
    never: Vec<String>,
}

struct Manifest {
    name: String,
    dependencies: Vec<String>,
}

pub(super) fn check(files: &[Tracked]) -> Result<Vec<String>> {
    let rules = parse_table(text_of(files, PAGE)?)?;
    let manifests = manifests()?;
    let mut found = violations(&rules, &manifests);
    found.extend(unexplained(text_of(files, LEDGER)?, &manifests));
    Ok(found)
}

fn text_of<'a>(files: &'a [Tracked], path: &str) -> Result<&'a str> {
    let file = files.iter().find(|file| file.path == Path::new(path));
    Ok(&file.with_context(|| format!("{path} is missing"))?.text)
}

/// Rows of the ledger look like "| `crate` | job | why |".
fn unexplained(ledger: &str, manifests: &[Manifest]) -> BTreeSet<String> {
    let theirs = manifests.iter().flat_map(|manifest| &manifest.dependencies);
    theirs
        .filter(|name| !manifests.iter().any(|ours| ours.name == **name))
        .filter(|name| {
            !ledger
                .lines()
                .any(|line| line.starts_with(&format!("| `{name}` |")))
        })
        .map(|name| format!("{LEDGER}: no line for {name}"))
        .collect()
}

fn violations(rules: &BTreeMap<String, Rule>, manifests: &[Manifest]) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in manifests {
        let Some(rule) = rules.get(&manifest.name) else {
            found.push(format!(
                "{PAGE}: the table has no row for {}",
                manifest.name
            ));
            continue;
        };
        for dependency in &manifest.dependencies {
            let ours = manifests.iter().any(|other| other.name == *dependency);
            if (ours && !rule.ours.contains(dependency)) || rule.never.contains(dependency) {
                found.push(format!(
                    "{} must not depend on {dependency}: see the table in {PAGE}",
                    manifest.name
                ));
            }
        }
    }
    found
}

/// Rows look like "| `a`, `b` | `c`, `d` | `e` |"; words that are not in backticks are prose.
fn parse_table(page: &str) -> Result<BTreeMap<String, Rule>> {
    let mut rules = BTreeMap::new();
    let section = page
        .lines()
        .skip_while(|line| !(line.starts_with('#') && line.ends_with(HEADING)))
        .skip(1)
        .take_while(|line| !line.starts_with('#'));
    for line in section.filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        ensure!(
            cells.len() == 3,
            "{PAGE}: a row of the table has not three cells: {line}"
        );
        for name in quoted(cells[0]) {
            let rule = Rule {
                ours: quoted(cells[1]),
                never: quoted(cells[2]),
            };
            rules.insert(name, rule);
        }
    }
    ensure!(!rules.is_empty(), "{PAGE} has no table under \"{HEADING}\"");
    Ok(rules)
}

fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn manifests() -> Result<Vec<Manifest>> {
    let mut cargo = shell::cargo();
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&shell::stdout(&mut cargo)?)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata without packages")?;
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    Ok(packages
        .iter()
        .map(|package| Manifest {
            name: name(package),
            dependencies: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(name)
                .collect(),
        })
        .filter(|manifest| manifest.name != env!("CARGO_PKG_NAME"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
## 3. Who may depend on whom

| crate | may use | never |
|---|---|---|
| `wire` | nothing | `tokio` |
| `log`, `quorum` | `wire` | `tokio`, an async runtime |

## 4. Something else
| `ghost` | | |
";

    fn manifest(name: &str, dependencies: &[&str]) -> Manifest {
        let dependencies = dependencies.iter().map(|name| (*name).to_owned()).collect();
        Manifest {
            name: name.to_owned(),
            dependencies,
        }
    }

    #[test]
    fn a_row_speaks_for_each_crate_in_its_first_cell() {
        let rules = parse_table(TABLE).unwrap();
        assert_eq!(rules.keys().collect::<Vec<_>>(), ["log", "quorum", "wire"]);
        assert_eq!(rules["log"].ours, ["wire"]);
        assert_eq!(rules["quorum"].never, ["tokio"]);
    }

    #[test]
    fn a_dependency_without_a_line_in_the_ledger_is_found() {
        let found = unexplained(
            "| `bytes` | slices | shared |\nand `rand` in prose",
            &[
                manifest("log", &["wire", "bytes", "rand"]),
                manifest("wire", &["rand"]),
            ],
        );
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [format!("{LEDGER}: no line for rand")]
        );
    }

    #[test]
    fn edges_that_the_table_does_not_have_are_found() {
        let rules = parse_table(TABLE).unwrap();
        let found = violations(
            &rules,
            &[
                manifest("wire", &["bytes", "log"]),
                manifest("log", &["wire", "bytes"]),
                manifest("quorum", &["tokio"]),
                manifest("stranger", &[]),
            ],
        );
        assert_eq!(
            found,
            [
                "wire must not depend on log: see the table in ARCHITECTURE.md",
                "quorum must not depend on tokio: see the table in ARCHITECTURE.md",
                "ARCHITECTURE.md: the table has no row for stranger",
            ]
        );
    }
}
