//! Project chores: gen, tidy, bench-guard, link-order, interop, faults, ci.
#![expect(clippy::print_stderr, reason = "a chore reports to whoever typed it")]

mod bench_guard;
mod ci;
mod codegen;
mod faults;
mod interop;
mod link_order;
mod ports;
mod shell;
mod tidy;

use std::process::ExitCode;

use bench_guard::Figures;
use codegen::Mode;
use faults::FaultOptions;
use interop::Missing;

const USAGE: &str = "\
cargo xtask gen [--check]  write the generated files, or say which are stale
cargo xtask tidy           check what must hold of the tree
cargo xtask bench-guard [--update]
                           instructions of the hot paths against bench/guard.tsv, or into it
cargo xtask link-order [--check]
                           which functions of the release build lie side by side, or whether they do
cargo xtask interop [PART] other clients against ours, ours against Apache Kafka; sets itself up
cargo xtask faults [SCENARIO...] [--seed N] [--rounds N] [--quick] [--list]
                           real processes, real clients, real faults; many need root, all need time
cargo xtask ci             everything that must hold before a change is taken in";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["gen"] => codegen::run(shell::root(), Mode::Write),
        ["gen", "--check"] => codegen::run(shell::root(), Mode::Check),
        ["tidy"] => tidy::run(),
        ["bench-guard"] => bench_guard::run(Figures::Compare),
        ["bench-guard", "--update"] => bench_guard::run(Figures::Update),
        ["link-order"] => link_order::update(),
        ["link-order", "--check"] => link_order::check(),
        ["interop"] => interop::run_all(Missing::Skips, None),
        ["interop", part] => interop::run_all(Missing::Skips, Some(part)),
        ["faults", ref words @ ..] => {
            FaultOptions::parse(words).and_then(|options| faults::run_all(&options))
        }
        ["ci"] => ci::run_all(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
