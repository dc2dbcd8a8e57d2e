//! What log directories are.

use std::fmt::Write as _;
use std::path::Path;

use ottla_cli::output::{Format, Report, Rows};
use ottla_cli::{Context, Stop};
use ottla_log::RealDisk;
use ottla_log::meta_properties::{self, MetaProperties};
use serde_json::json;

use super::Place;

/// What was found.
#[derive(Default)]
struct Found {
    dirs: Vec<String>,
    /// Of the first directory that has some.
    meta: Option<MetaProperties>,
    problems: Vec<String>,
}

/// Shows it; any problem makes the status 1.
pub(super) fn show(place: &Place, format: Format, cx: &mut Context) -> Result<(), Stop> {
    let mut found = Found::default();
    for dir in &place.dirs {
        found.look(dir);
    }
    let text = match format {
        Format::Table => found.text(),
        Format::Data(form) => found.report().text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    match found.problems.is_empty() {
        true => Ok(()),
        false => Err(Stop::Status(1)),
    }
}

impl Found {
    fn look(&mut self, dir: &Path) {
        let shown = dir.display();
        if !dir.is_dir() {
            let what = match dir.exists() {
                true => "is not a directory",
                false => "does not exist",
            };
            return self.problems.push(format!("{shown} {what}"));
        }
        self.dirs.push(shown.to_string());
        let meta = match meta_properties::read(&*RealDisk::shared(), dir) {
            Ok(Some(meta)) => meta,
            Ok(None) => return self.problems.push(format!("{shown} is not formatted.")),
            Err(error) => {
                let file = dir.join("meta.properties");
                let text = format!("Error loading {}: {error}", file.display());
                return self.problems.push(text);
            }
        };
        let what = match &self.meta {
            None => return self.meta = Some(meta),
            Some(first) if first.cluster_id != meta.cluster_id => "cluster IDs",
            Some(first) if first.node_id != meta.node_id => "node IDs",
            Some(_) => return,
        };
        let text = format!("Mismatched {what} between storage directories.");
        self.problems.push(text);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        section(
            &mut text,
            "Found log directory:",
            "Found log directories:",
            &self.dirs,
        );
        if let Some(meta) = &self.meta {
            let id = meta.directory_id;
            let id = id.map_or(String::new(), |id| format!("directory.id={id}, "));
            let MetaProperties {
                cluster_id,
                node_id,
                ..
            } = meta;
            let pairs = format!("cluster.id={cluster_id}, {id}node.id={node_id}, version=1");
            let _ = writeln!(text, "Found metadata: {{{pairs}}}\n");
        }
        section(
            &mut text,
            "Found problem:",
            "Found problems:",
            &self.problems,
        );
        text
    }

    /// docs/json/storage.md
    fn report(&self) -> Report {
        let meta = self.meta.as_ref();
        let value = json!({
            "version": 1,
            "directories": self.dirs,
            "clusterId": meta.map(|meta| &meta.cluster_id),
            "nodeId": meta.map(|meta| meta.node_id.0),
            "directoryId": meta.and_then(|meta| meta.directory_id).map(|id| id.to_string()),
            "problems": self.problems,
        });
        let rows = Rows {
            within: &[],
            columns: &[
                "clusterId",
                "nodeId",
                "directoryId",
                "directories",
                "problems",
            ],
        };
        Report { value, rows }
    }
}

/// A head, a line for each, and an empty one; nothing where there is nothing.
fn section(text: &mut String, one: &str, several: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let head = if lines.len() == 1 { one } else { several };
    let _ = writeln!(text, "{head}");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    text.push('\n');
}
