//! Runs by seed.

use crate::world::{Tally, World};

/// One run: the same for the same values, on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub seed: u64,
    /// Steps with faults, before the world heals.
    pub steps: usize,
}

/// Runs a world of groups through its faults and lets it heal. Panics where a promise is broken.
#[must_use]
pub fn run(schedule: Schedule) -> Tally {
    let mut world = World::new(schedule.seed);
    for _ in 0..schedule.steps {
        world.step();
    }
    world.heal()
}
