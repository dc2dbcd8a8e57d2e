//! What was found at each hop, as a table and as JSON. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use crate::durations;
use crate::output::{Report, Rows};
use crate::table::visible;
use crate::terminal::Tone;

const JSON_VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// It works, and will not always.
    Warning,
    Failed,
    /// Not looked at, and why.
    Skipped,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The hops, in the order in which they are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    Name,
    Tcp,
    Protocol,
    ApiVersions,
    Authentication,
    Metadata,
    Controller,
    Advertised,
    Disk,
    Limits,
    RoundTrip,
}

impl Hop {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Protocol => "protocol",
            Self::ApiVersions => "api-versions",
            Self::Authentication => "authentication",
            Self::Metadata => "metadata",
            Self::Controller => "controller",
            Self::Advertised => "advertised",
            Self::Disk => "disk",
            Self::Limits => "limits",
            Self::RoundTrip => "round-trip",
        }
    }
}

/// How a line of the table looks where there are colours.
pub(super) fn tone(line: &str) -> Tone {
    match line.split([' ', '.', ':']).next().unwrap_or_default() {
        "ok" | "Healthy" => Tone::Good,
        "warning" => Tone::Odd,
        "failed" | "Not" => Tone::Bad,
        "skipped" => Tone::Faint,
        _ => Tone::Plain,
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) hop: Hop,
    /// The address or the broker that it is about.
    pub(super) at: String,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
    pub(super) took: Duration,
}

impl Finding {
    pub(super) fn new(
        hop: Hop,
        at: impl ToString,
        verdict: Verdict,
        found: impl Into<String>,
    ) -> Self {
        Self {
            hop,
            at: at.to_string(),
            verdict,
            found: found.into(),
            advice: None,
            took: Duration::ZERO,
        }
    }

    pub(super) fn ok(hop: Hop, at: impl ToString, found: impl Into<String>) -> Self {
        Self::new(hop, at, Verdict::Ok, found)
    }

    pub(super) fn failed(hop: Hop, at: impl ToString, found: impl Into<String>) -> Self {
        Self::new(hop, at, Verdict::Failed, found)
    }

    /// A sentence of the client's, whose last part is what to do.
    pub(super) fn of_sentence(hop: Hop, at: impl ToString, sentence: &str) -> Self {
        match sentence.rsplit_once(": ") {
            Some((found, advice)) => Self::failed(hop, at, found).advice(advice),
            None => Self::failed(hop, at, sentence),
        }
    }

    #[must_use]
    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    #[must_use]
    pub(super) fn took(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    pub(super) findings: Vec<Finding>,
    pub(super) cluster_id: Option<String>,
}

impl Diagnosis {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.verdict != Verdict::Failed)
    }

    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let width = |of: fn(&Finding) -> &str| {
            let widths = self
                .findings
                .iter()
                .map(|finding| of(finding).chars().count());
            widths.max().unwrap_or(0)
        };
        let hops = width(|finding| finding.hop.name());
        let places = width(|finding| &finding.at);
        for finding in &self.findings {
            let (verdict, hop) = (finding.verdict.name(), finding.hop.name());
            let (at, found) = (visible(&finding.at), visible(&finding.found));
            let took = match finding.took.is_zero() {
                true => String::new(),
                false => format!(" ({})", durations::fine(finding.took)),
            };
            text.push_str(&format!(
                "{verdict:<7} {hop:<hops$} {at:<places$} {found}{took}\n"
            ));
            if let Some(advice) = &finding.advice {
                text.push_str(&format!("        -> {}\n", visible(advice)));
            }
        }
        let failed = self
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Failed);
        let hops: Vec<String> = failed
            .map(|finding| format!("{} of {}", finding.hop.name(), visible(&finding.at)))
            .collect();
        text.push_str(&match hops.is_empty() {
            true => "Healthy.\n".to_owned(),
            false => format!("Not healthy: {}.\n", hops.join(", ")),
        });
        text
    }

    /// docs/json/doctor.md
    pub(super) fn data(&self) -> Report {
        let finding = |finding: &Finding| {
            json!({
                "hop": finding.hop.name(),
                "at": finding.at,
                "verdict": finding.verdict.name(),
                "found": finding.found,
                "advice": finding.advice,
                "tookMs": finding.took.as_secs_f64() * 1000.0,
            })
        };
        let findings: Vec<Value> = self.findings.iter().map(finding).collect();
        let value = json!({
            "version": JSON_VERSION,
            "healthy": self.is_healthy(),
            "clusterId": self.cluster_id,
            "findings": findings,
        });
        let rows = Rows {
            within: &["findings"],
            columns: &["verdict", "hop", "at", "found", "advice", "tookMs"],
        };
        Report { value, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_failed_and_what_to_do() {
        let mut report = Diagnosis::default();
        report.add(Finding::ok(Hop::Name, "h:1", "127.0.0.1").took(Duration::from_millis(3)));
        report.add(Finding::new(
            Hop::Limits,
            "h:1",
            Verdict::Skipped,
            "elsewhere",
        ));
        assert!(report.is_healthy());
        report.add(Finding::of_sentence(
            Hop::Tcp,
            "h:1",
            "nothing listens at h:1 (connection refused): start the broker",
        ));
        assert!(!report.is_healthy());
        assert_eq!(
            report.table(),
            "ok      name   h:1 127.0.0.1 (3ms)\n\
             skipped limits h:1 elsewhere\n\
             failed  tcp    h:1 nothing listens at h:1 (connection refused)\n        -> start the broker\n\
             Not healthy: tcp of h:1.\n"
        );
    }
}
