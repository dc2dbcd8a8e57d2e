//! What a group's member costs its coordinator in memory: the difference of two groups, so that what they have in common
//! does not count.

use ottla_coordination::group::Settings;

use crate::bench::Bench;
use crate::{classic, consumer};

/// Members of the two groups.
const SMALL: usize = 500;
const LARGE: usize = 2_000;
/// Partitions for each member.
const SHARE: usize = 2;

pub(crate) fn run() {
    report("classic", classic);
    report("consumer", consumer);
}

fn report(kind: &str, held: fn(usize) -> usize) {
    let (small, large) = (held(SMALL), held(LARGE));
    println!(
        "  {kind}: {} bytes a member, {SHARE} partitions each ({LARGE} members hold {} KiB, {SMALL} hold {})",
        (large - small) / (LARGE - SMALL),
        large >> 10,
        small >> 10
    );
}

/// What a group of so many holds once it is loaded, with the deadlines of its members.
fn classic(members: usize) -> usize {
    let mut bench = Bench::new(Settings {
        session_timeout_max_ms: i32::MAX,
        ..Settings::default()
    });
    classic::Group::new("g", SHARE * members).form(&mut bench, members);
    bench.reload().1
}

fn consumer(members: usize) -> usize {
    let mut bench = Bench::new(Settings::default());
    bench.set_topics(1, SHARE * members);
    consumer::Group::new("g", 1).form(&mut bench, members);
    bench.reload().1
}
