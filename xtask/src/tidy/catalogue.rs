//! The catalogue of faults in docs/reliability.md against the tests: what a row claims is there.
//!
//! Always: a file in a row names the row's id (`S-10`, or a test `s10_…`); a scenario in a row is in the list of
//! `cargo xtask faults` under that id, and every scenario of the list is in its row.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Tracked;
use crate::faults;

const PAGE: &str = "docs/reliability.md";

pub(super) fn check(files: &[Tracked]) -> Result<Vec<String>> {
    problems(files, &faults::ids_and_names())
}

struct Row<'a> {
    id: &'a str,
    files: Vec<&'a str>,
    scenarios: Vec<&'a str>,
}

fn problems(files: &[Tracked], scenarios: &[(&str, &str)]) -> Result<Vec<String>> {
    let page = files.iter().find(|file| file.path == Path::new(PAGE));
    let rows = rows(&page.context(PAGE)?.text)?;
    let mut found = Vec::new();
    for row in &rows {
        let id = row.id;
        if row.files.is_empty() && row.scenarios.is_empty() {
            found.push(format!("{PAGE}: {id} has no test"));
        }
        for name in &row.files {
            let file = files.iter().find(|file| file.path == Path::new(name));
            if !file.is_some_and(|file| names(&file.text, id)) {
                found.push(format!("{PAGE}: {name} does not name {id}"));
            }
        }
        for name in &row.scenarios {
            if !scenarios.contains(&(id, name)) {
                found.push(format!("{PAGE}: there is no scenario {name} of {id}"));
            }
        }
    }
    for (id, name) in scenarios {
        if !rows
            .iter()
            .any(|row| row.id == *id && row.scenarios.contains(name))
        {
            found.push(format!("{PAGE}: the scenario {name} is missing under {id}"));
        }
    }
    Ok(found)
}

fn names(text: &str, id: &str) -> bool {
    text.contains(id) || text.contains(&format!("fn {}_", id.to_lowercase().replace('-', "")))
}

/// Rows look like "| S-01 | what | `file`, `file` | `scenario` |".
fn rows(page: &str) -> Result<Vec<Row<'_>>> {
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| S-")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, _, files, scenarios] = cells[..] else {
            anyhow::bail!("{PAGE}: a row has not four cells: {line}");
        };
        rows.push(Row {
            id,
            files: quoted(files),
            scenarios: quoted(scenarios),
        });
    }
    ensure!(!rows.is_empty(), "{PAGE} has no rows");
    Ok(rows)
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_claim_what_is_not_there_are_found() {
        let tracked = |path: &str, text: &str| Tracked {
            path: path.into(),
            text: text.to_owned(),
        };
        let page = "\
| S-01 | kills | `a.rs`, `b.rs` | `kill` |
| S-02 | more kills | `a.rs` | `cut` |
| S-03 | nothing | | |
";
        let files = [
            tracked(PAGE, page),
            tracked("a.rs", "//! S-01"),
            tracked("b.rs", "fn s01_survives() {}"),
        ];
        let scenarios = [("S-01", "kill"), ("S-04", "cut")];
        assert_eq!(
            problems(&files, &scenarios).unwrap(),
            [
                "docs/reliability.md: a.rs does not name S-02",
                "docs/reliability.md: there is no scenario cut of S-02",
                "docs/reliability.md: S-03 has no test",
                "docs/reliability.md: the scenario cut is missing under S-04",
            ]
        );
    }
}
