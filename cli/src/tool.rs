//! A tool as the multicall binary sees it, and the frame every tool runs in.

use std::io::{self, Write};

use clap::Command;

use crate::context::Context;
use crate::contexts;
use crate::help_text;
use crate::stop::{Failure, Stop};
use crate::verb;

/// The release whose tools these stand in for; their `--version` prints it, because scripts compare it.
pub const REFERENCE_VERSION: &str = "4.3.1";

#[derive(Clone, Copy)]
pub struct Tool {
    /// The word after `ottla`; two words for a verb of our own below a tool of the reference's, whose links do not have it.
    pub name: &'static str,
    /// The reference's name for it, without `.sh`: what a link to the binary is called.
    pub link: &'static str,
    /// One line for the list of tools.
    pub about: &'static str,
    /// The tool's own options.
    pub command: fn() -> Command,
    pub run: fn(&[String], &mut Context) -> Result<(), Stop>,
}

impl Tool {
    /// Whether a program of this name, with or without `.sh`, is this tool.
    pub fn answers_to(&self, program: &str) -> bool {
        let program = program.strip_suffix(".sh").unwrap_or(program);
        program == self.link || program == self.own_link()
    }

    /// The name of a link that is ours, and not the reference's.
    pub fn own_link(&self) -> String {
        format!("ottla-{}", self.name.replace(' ', "-"))
    }

    /// Whether the reference has no such tool. Its usage is ours, too: help is on standard output and no failure, and what is
    /// wrong with the options has a status of its own.
    pub fn is_own(&self) -> bool {
        self.link == self.own_link()
    }

    /// The options, with those that all tools share: for help, manual and completion.
    pub fn described(&self) -> Command {
        contexts::with_shared((self.command)())
    }
}

/// Runs a tool to its exit status. Everything it wrote is flushed; a reader that went away is no error.
pub fn run(tool: &Tool, words: &[String], cx: &mut Context) -> u8 {
    let outcome = contexts::prepare(tool, words, cx).and_then(|words| (tool.run)(&words, cx));
    let help = |cx: &Context| help_text::long(tool.described().bin_name(&cx.program));
    match outcome {
        Err(Stop::Version) => {
            let written = writeln!(cx.out, "{REFERENCE_VERSION}");
            finish(written.map_err(Stop::from), cx)
        }
        Err(Stop::Help(_)) if tool.is_own() => {
            let help = help(cx);
            let written = write!(cx.out, "{help}");
            finish(written.map_err(Stop::from), cx)
        }
        Err(Stop::Help(intro)) => {
            let help = help(cx);
            cx.warn(format!("{intro}\n\n{help}"));
            finish(Err(Stop::Status(1)), cx)
        }
        Err(Stop::Usage(message)) if tool.is_own() => {
            let failure = wrong_usage(message, cx).status(verb::USAGE);
            failed(cx, &failure)
        }
        result => finish(result, cx),
    }
}

/// From the outcome of a run to its exit status.
pub fn finish(result: Result<(), Stop>, cx: &mut Context) -> u8 {
    match result.and_then(|()| Ok(cx.flush()?)) {
        Ok(()) => 0,
        Err(stop) => status_of(stop, cx),
    }
}

fn status_of(stop: Stop, cx: &mut Context) -> u8 {
    match stop {
        Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Stop::Output(error) => {
            writeln!(cx.err, "Cannot write to standard output: {error}").ok();
            1
        }
        Stop::Status(status) => finished(cx, status),
        // Where these two end without a tool, there is nothing more to say.
        Stop::Version => finished(cx, 0),
        Stop::Help(_) => finished(cx, 1),
        Stop::Usage(message) => {
            let failure = wrong_usage(message, cx);
            failed(cx, &failure)
        }
        Stop::Failed(failure) => failed(cx, &failure),
    }
}

fn wrong_usage(message: String, cx: &Context) -> Failure {
    let program = &cx.program;
    Failure::new(message).hint(format!("`{program} --help` explains the options."))
}

fn failed(cx: &mut Context, failure: &Failure) -> u8 {
    cx.fail(&failure.message);
    for hint in &failure.hints {
        cx.warn(hint);
    }
    finished(cx, failure.status)
}

fn finished(cx: &mut Context, status: u8) -> u8 {
    match cx.flush() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(_) => status.max(1),
        Ok(()) => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(run: fn(&[String], &mut Context) -> Result<(), Stop>) -> Tool {
        Tool {
            link: "ottla-thing",
            ..tool(run)
        }
    }

    fn tool(run: fn(&[String], &mut Context) -> Result<(), Stop>) -> Tool {
        let command = || Command::new("kafka-thing").about("Does a thing.");
        Tool {
            name: "thing",
            link: "kafka-thing",
            about: "does a thing",
            command,
            run,
        }
    }

    struct Gone(io::ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn context(out: impl Write + 'static) -> Context {
        let mut cx = Context::of_process("kafka-thing");
        cx.out = Box::new(out);
        cx.err = Box::new(io::sink());
        cx
    }

    #[test]
    fn a_tool_answers_to_all_its_links() {
        let tool = tool(|_, _| Ok(()));
        for name in ["kafka-thing", "kafka-thing.sh", "ottla-thing"] {
            assert!(tool.answers_to(name), "{name}");
        }
        for name in [
            "thing",
            "kafka-things",
            "kafka-thing.bash",
            "ottla",
            "ottla-kafka-thing",
        ] {
            assert!(!tool.answers_to(name), "{name}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_success_but_a_full_disk_is_not() {
        let say = tool(|_, cx| Ok(writeln!(cx.out, "word")?));
        assert_eq!(
            run(&say, &[], &mut context(Gone(io::ErrorKind::BrokenPipe))),
            0
        );
        assert_eq!(
            run(&say, &[], &mut context(Gone(io::ErrorKind::StorageFull))),
            1
        );
    }

    #[test]
    fn failures_usage_and_help_end_with_status_one_and_the_version_with_zero() {
        let status = |run: fn(&[String], &mut Context) -> Result<(), Stop>| {
            super::run(&tool(run), &[], &mut context(io::sink()))
        };
        assert_eq!(status(|_, _| Err(Stop::Version)), 0);
        assert_eq!(status(|_, _| Err(Stop::Help("Does a thing."))), 1);
        assert_eq!(status(|_, _| Err(Stop::Usage("Missing".to_owned()))), 1);
        assert_eq!(status(|_, _| Err(Stop::failed("no"))), 1);
        assert_eq!(status(|_, _| Err(Failure::new("no").status(0).into())), 0);
        assert_eq!(status(|_, _| Err(Stop::Status(143))), 143);
    }

    #[test]
    fn what_the_reference_does_not_have_ends_with_two_for_wrong_usage_and_helps_with_success() {
        let status = |run: fn(&[String], &mut Context) -> Result<(), Stop>| {
            super::run(&own(run), &[], &mut context(io::sink()))
        };
        assert_eq!(status(|_, _| Err(Stop::Usage("Missing".to_owned()))), 2);
        assert_eq!(status(|_, _| Err(Stop::Help("Does a thing."))), 0);
        assert_eq!(status(|_, _| Err(Stop::failed("no"))), 1);
    }
}
