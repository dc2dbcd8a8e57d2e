//! What the hottest paths cost, an operation at a time: requests from the client's socket to its reply through a whole
//! broker, and the parts of the protocol that they lead over.
//!
//! Broker and client share one thread, so that nothing but the code decides how many instructions an operation takes;
//! what the client does of them, a write and a read of its socket, is always the same. Each path is gone over twice, once
//! twice as often: the difference is what an operation costs, and all that is done once falls out.
//!
//! `cargo bench` shows times; `cargo xtask bench-guard` has instructions counted and compares.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints; the broker does not"
)]

mod broker;
mod client;
mod fetching;
mod messages;
mod producing;
mod tools;

use std::hint::black_box;
use std::time::Instant;

use broker::Broker;

/// Gone over before anything is counted: buffers have their size then, and what is loaded once is loaded.
const WARM_UP: u32 = 20;

/// How often a path is gone over in all, `count` being the shorter of the two runs.
const fn rounds(count: u32) -> u32 {
    WARM_UP + 3 * count
}

fn main() {
    println!("# path\toperations\tnanoseconds");
    messages::run();
    let broker = Broker::start();
    producing::run(&broker);
    fetching::run(&broker);
    broker::run(&broker);
    tools::run();
}

/// Goes over a path, and says how long it took: a line for each of the two runs.
fn measure(path: &str, count: u32, mut go: impl FnMut(u32)) {
    go(WARM_UP);
    for count in [count, 2 * count] {
        let begun = Instant::now();
        counted_run(&mut go, count);
        println!("{path}\t{count}\t{}", begun.elapsed().as_nanos());
    }
}

/// The guard has callgrind count what is called in here, and knows it by its name.
#[inline(never)]
fn counted_run(go: &mut dyn FnMut(u32), count: u32) {
    go(black_box(count));
}
