//! The multicall binary: the name it was called by, or its first word, says which tool to be.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use ottla_cli::{Context, Tool, verb};

mod complete;
mod dump_log;
mod exit_status;
mod generate;
mod help;
mod links;
mod log_tool;
mod run;
mod server_start;
mod storage;
mod tools;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let name = Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut cx = Context::of_process(name.clone());
    let words: Vec<OsString> = words.collect();
    let read = words.iter().cloned().map(OsString::into_string);
    let words = match read.collect::<Result<Vec<String>, _>>() {
        Ok(words) => words,
        Err(word) => {
            let word = word.to_string_lossy();
            cx.warn(format!("An argument is not valid UTF-8: {word}"));
            let first = words.first().map(|word| word.to_string_lossy());
            let named = first.and_then(|first| tools::by_name(&first));
            return ExitCode::from(unreadable(tools::by_link(&name).or(named)));
        }
    };
    ExitCode::from(match tools::by_link(&name) {
        Some(tool) => ottla_cli::run(tool, &words, &mut cx),
        None => multicall(&words, &mut cx),
    })
}

/// The status of wrong usage: the drop-in tools have one for everything.
fn unreadable(tool: Option<&Tool>) -> u8 {
    match tool {
        Some(tool) if tool.name == run::TOOL.name => run::FAILED,
        Some(tool) if !tool.is_own() => 1,
        _ => verb::USAGE,
    }
}

/// `ottla TOOL …`, and the few words that are no tool.
fn multicall(words: &[String], cx: &mut Context) -> u8 {
    let (first, rest) = match words.split_first() {
        Some((first, rest)) => (first.as_str(), rest),
        None => ("help", words),
    };
    let outcome = match first {
        "help" | "--help" | "-h" => help::help(rest, cx),
        "version" | "--version" | "-V" => tools::version(cx),
        "complete" => complete::complete(rest, cx),
        "completion" => complete::scripts::print(rest, cx),
        "--generate" => generate::generate(rest, cx),
        run::broker::WORD => run::broker::serve(rest, cx),
        run::child::WORD => run::child::exec(rest, cx),
        server_start::daemon::WORD => server_start::daemon::serve(rest, cx),
        option if option.starts_with('-') => Err(tools::option_first(words)),
        name => {
            if let Some((verb, rest)) = rest.split_first()
                && let Some(tool) = tools::by_verb(name, verb)
            {
                return run_tool(tool, rest, cx);
            }
            return named(name, rest, cx);
        }
    };
    ottla_cli::tool::finish(outcome, cx)
}

fn named(name: &str, words: &[String], cx: &mut Context) -> u8 {
    match tools::by_name(name) {
        Some(tool) => run_tool(tool, words, cx),
        None => ottla_cli::tool::finish(Err(tools::unknown(name)), cx),
    }
}

fn run_tool(tool: &Tool, words: &[String], cx: &mut Context) -> u8 {
    cx.program = format!("ottla {}", tool.name);
    ottla_cli::run(tool, words, cx)
}
