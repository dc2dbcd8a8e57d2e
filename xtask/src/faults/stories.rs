//! Stories of `tests/e2e` for long: the same program that `cargo test` runs for seconds, with more rounds and the binary that is
//! judged here.

use std::process::Command;

use anyhow::{Result, ensure};

use super::Stage;
use super::report::Report;
use crate::interop::ottla;
use crate::shell::{cargo, root};

/// A story, the variable that makes it longer, and how the line begins that says what it came to.
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) rounds: &'static str,
    pub(super) figure: &'static str,
}

const MONEY: Story = Story {
    name: "exactly_once::money::money_that_moves",
    rounds: "OTTLA_KILLS",
    figure: "committed,",
};

const PRODUCER_IDS: Story = Story {
    name: "producer_ids::many_producer_ids",
    rounds: "OTTLA_ROUNDS",
    figure: "bytes per id",
};

const COORDINATOR_STATES: Story = Story {
    name: "coordinator_states::killed_in_any_state",
    rounds: "OTTLA_KILLS",
    figure: "killed in",
};

const ZOMBIES: Story = Story {
    name: "zombies::of_all_producers",
    rounds: "OTTLA_ROUNDS",
    figure: "committed ",
};

/// A round is an id.
pub(super) fn of_producer_ids(stage: &mut Stage) -> Result<Report> {
    tell(&PRODUCER_IDS, stage, &[])
}

/// A round is a kill.
pub(super) fn of_coordinator_states(stage: &mut Stage) -> Result<Report> {
    tell(&COORDINATOR_STATES, stage, &[])
}

pub(super) fn of_zombies(stage: &mut Stage) -> Result<Report> {
    tell(&ZOMBIES, stage, &[])
}

/// A round is a kill.
pub(super) fn of_money(stage: &mut Stage) -> Result<Report> {
    tell(&MONEY, stage, &[])
}

pub(super) fn tell(
    story: &Story,
    stage: &mut Stage,
    environment: &[(&str, String)],
) -> Result<Report> {
    let output = command(story.name, &[])
        .env("OTTLA_BIN", ottla())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env(story.rounds, stage.rounds.to_string())
        .env("OTTLA_SEED", stage.random.below(u64::MAX).to_string())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let figure = said.lines().find(|line| line.starts_with(story.figure));
    ensure!(
        output.status.success() && figure.is_some(),
        "{} does not end well:\n{said}\n{}",
        story.name,
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(Report {
        rounds: stage.rounds,
        figure: figure.unwrap_or_default().to_owned(),
        ..Report::default()
    })
}

/// Runs what has this in its name, and shows what it says.
pub(super) fn command(story: &str, more: &[&str]) -> Command {
    let mut command = cargo();
    command.current_dir(root());
    command.args(["test", "--package", "ottla", "--test", "e2e"]);
    command.args(more).args(["--", story, "--nocapture"]);
    command
}
