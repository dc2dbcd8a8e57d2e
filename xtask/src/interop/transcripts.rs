//! The transcripts of Kafka's tools that need more of a server than ours offers: replayed with our tools on the
//! reference's own servers. `tests/e2e/transcripts` replays the others on ours.
//!
//! Always: the recorder itself replays them, with the servers, properties and number of nodes that it recorded with.

use anyhow::{Context, Result};

use super::ottla;
use crate::shell::{run, script};

/// On three nodes.
pub(super) fn on_clusters() -> Result<()> {
    replay("topics-cluster,leader-election,reassign", None)
}

/// With an authorizer, and without.
pub(super) fn acls() -> Result<()> {
    replay("acls,acls-disabled,denied", None)
}

/// Those of the suite that ask for more than our server has.
pub(super) fn configs() -> Result<()> {
    let cases = "user-quota,ip-quota,scram,client-metrics,broker-logger,group-config";
    replay("configs", Some(cases))?;
    replay("configs-entities", None)
}

/// Our tools print what the reference's printed in each case of the suites, or `allowed.tsv` has the reason. In cases that
/// are named, nothing is allowed to differ.
fn replay(suites: &str, cases: Option<&str>) -> Result<()> {
    let ottla = ottla();
    let ottla = ottla.to_str().context("a binary at a plain path")?;
    let mut recorder = script("tests/transcripts/record.py");
    recorder.args(["--check", "--scripts", "--suite", suites]);
    if let Some(cases) = cases {
        recorder.args(["--case", cases]);
    }
    run(recorder.args(["--tool", &format!("{ottla} {{short}}")]))
}
