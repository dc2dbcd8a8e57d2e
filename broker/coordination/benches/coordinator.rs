//! What groups cost their coordinator: rebalances, many groups at once, loading, memory, the assignors.
//!
//! Requests reach a hosted machine as the server hands them over, and its records are encoded into batches as the server
//! does it, into memory. Times are of the CPU. What is not in here is sockets, disk and the codec of requests. Each scenario runs in sizes that
//! differ by a factor, so that what grows faster than its size shows.
//!
//! `cargo bench -p ottla-coordination -- [part of a scenario's name]`

#![expect(clippy::print_stdout, reason = "a bench prints; the machines do not")]

#[path = "coordinator/assignors.rs"]
mod assignors;
#[path = "coordinator/bench.rs"]
mod bench;
#[path = "coordinator/classic.rs"]
mod classic;
#[path = "coordinator/consumer.rs"]
mod consumer;
#[path = "coordinator/many.rs"]
mod many;
#[path = "coordinator/memory.rs"]
mod memory;
#[path = "../tests/support.rs"]
#[allow(dead_code, clippy::disallowed_methods)]
mod support;

use std::process::Command;

use peak_alloc::PeakAlloc;

/// Counts what is allocated: exactly what a state holds, whatever was freed before.
#[global_allocator]
static HELD: PeakAlloc = PeakAlloc;

const SCENARIOS: [(&str, fn()); 6] = [
    ("assignors", assignors::run),
    ("rebalance, classic", classic::run),
    ("rebalance, consumer", consumer::run),
    ("many groups, classic", many::classic),
    ("many groups, consumer", many::consumer),
    ("memory of members", memory::run),
];

/// Each scenario in a process of its own, so that none finds the caches and the heap that another has left.
fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    if let [name] = wanted.as_slice()
        && let Some((_, run)) = SCENARIOS.iter().find(|(known, _)| known == name)
    {
        println!("{name}");
        run();
        return;
    }
    let itself = std::env::current_exe().expect("a path");
    for (name, _) in SCENARIOS {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let ended = Command::new(&itself).arg(name).status().expect("a process");
            assert!(ended.success(), "{name}");
        }
    }
}
