//! What a scenario found out, and the table of all of them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Scenario;
use super::check::Tally;

/// Counts of records, unless the scenario says otherwise in `figure`.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) rounds: usize,
    /// Acknowledged, and so promised.
    pub(super) acked: usize,
    /// Acknowledged and not there, or not where the acknowledgement said.
    pub(super) lost: usize,
    /// There more often than once, or out of order, where that was promised not to be.
    pub(super) duplicated: usize,
    /// What else was measured, in a few words.
    pub(super) figure: String,
}

impl Report {
    /// What a comparison of the acknowledged with what is there came to.
    pub(super) fn of(rounds: usize, tally: &Tally, figure: String) -> Report {
        Report {
            rounds,
            acked: tally.acked,
            lost: tally.lost,
            duplicated: tally.repeated,
            figure,
        }
    }

    pub(super) fn judged(self) -> Result<Report> {
        if self.lost > 0 || self.duplicated > 0 {
            bail!(
                "{} of {} acknowledged are lost, {} doubled or out of order ({})",
                self.lost,
                self.acked,
                self.duplicated,
                self.figure
            );
        }
        Ok(self)
    }
}

pub(super) struct Outcome {
    id: &'static str,
    name: &'static str,
    took: Duration,
    result: Result<Report>,
}

impl Outcome {
    pub(super) fn of(scenario: &Scenario, play: impl FnOnce() -> Result<Report>) -> Outcome {
        let started = Instant::now();
        let result = play();
        Outcome {
            id: scenario.id,
            name: scenario.name,
            took: started.elapsed(),
            result,
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.result.is_err()
    }

    pub(super) fn tell(&self) {
        match &self.result {
            Ok(report) => eprintln!("{}: {}", self.name, report.figure),
            Err(error) => eprintln!("!!!! {}/{} FAILED: {error:#}", self.id, self.name),
        }
    }
}

pub(super) fn table(outcomes: &[Outcome], seed: u64) {
    eprintln!(
        "\n{:<5} {:<16} {:>6} {:>9} {:>5} {:>10} {:>7}  figure (seed {seed})",
        "id", "scenario", "rounds", "acked", "lost", "duplicated", "seconds"
    );
    for outcome in outcomes {
        let seconds = outcome.took.as_secs();
        let (id, name) = (outcome.id, outcome.name);
        match &outcome.result {
            Ok(report) => eprintln!(
                "{id:<5} {name:<16} {:>6} {:>9} {:>5} {:>10} {seconds:>7}  {}",
                report.rounds, report.acked, report.lost, report.duplicated, report.figure
            ),
            Err(error) => {
                let text = format!("{error:#}");
                let line = text.lines().next().unwrap_or_default();
                eprintln!("{id:<5} {name:<16} FAILED {seconds:>41}  {line}");
            }
        }
    }
}

pub(super) fn list(scenarios: &[&Scenario]) {
    for scenario in scenarios {
        eprintln!(
            "{:<5} {:<16} {:>5} rounds, {:>2} min, needs {:?}: {}",
            scenario.id,
            scenario.name,
            scenario.rounds,
            scenario.minutes,
            scenario.needs,
            scenario.about
        );
    }
}

/// The middle and the worst of some durations, in milliseconds.
pub(super) fn spread(durations: &mut [Duration]) -> String {
    durations.sort_unstable();
    let ms = |duration: Option<&Duration>| duration.map_or(0, Duration::as_millis);
    format!(
        "p50 {} ms, worst {} ms",
        ms(durations.get(durations.len() / 2)),
        ms(durations.last())
    )
}
