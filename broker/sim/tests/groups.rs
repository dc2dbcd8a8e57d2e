//! Groups and offsets through power cuts, full disks and restarting clients.

use std::io::Write as _;

use ottla_sim::{Schedule, run};

const STEPS: usize = 600;

#[test]
fn what_groups_were_told_survives_power_cuts() {
    let seeds = match std::env::var("OTTLA_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..seeds_wanted()).collect(),
    };
    let runs = seeds.len();
    let (mut crashes, mut parts, mut commits, mut refused) = (0, 0, 0, 0);
    let (mut assignments, mut transactions) = (0, 0);
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let tally = run(Schedule { seed, steps: STEPS });
        crashes += tally.crashes;
        parts += tally.parts_told;
        commits += tally.commits_acknowledged;
        refused += tally.appends_refused;
        assignments += tally.assignments_told;
        transactions += tally.transactions_committed;
    }
    if runs > 1 {
        // Otherwise the promises were kept for want of occasion.
        let seen = format!(
            "{crashes} crashes, {parts} parts, {assignments} assignments, {commits} commits, {transactions} transactions, {refused} refused"
        );
        let is_busy = crashes > 5 * runs && parts > 10 * runs && commits > 20 * runs;
        assert!(assignments > 5 * runs && transactions > runs, "{seen}");
        assert!(is_busy && refused > runs / 2, "{seen}");
    }
}

/// `OTTLA_SEEDS=5000` for a long run.
fn seeds_wanted() -> u64 {
    let wanted = std::env::var("OTTLA_SEEDS");
    wanted.map_or(40, |wanted| wanted.parse().expect("a number"))
}

struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "again: OTTLA_SEED={} cargo test -p ottla-sim what_groups",
                self.0
            );
        }
    }
}
