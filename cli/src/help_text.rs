//! Help as clap writes it, but for what stands below the options: examples and exit statuses.
//!
//! Always: an example is one line, however narrow the terminal, so that it can be copied.

use clap::Command;
use clap::builder::Resettable;

/// The whole help of a command.
pub fn long(command: Command) -> String {
    rendered(command, |command| command.render_long_help().to_string())
}

/// What clap says where help was asked for. That of a command's own commands, which have no examples, is left as it is.
pub fn asked(error: &clap::Error, command: &Command) -> String {
    let text = error.to_string();
    let of_long = |command: &mut Command| command.render_long_help().to_string();
    let of_short = |command: &mut Command| command.render_help().to_string();
    if text == of_long(&mut command.clone()) {
        return rendered(command.clone(), of_long);
    }
    if text == of_short(&mut command.clone()) {
        return rendered(command.clone(), of_short);
    }
    text
}

/// clap would break the lines below the options for the width of the terminal, so that they are kept from it.
fn rendered(command: Command, render: impl Fn(&mut Command) -> String) -> String {
    let below = command.get_after_help().map(ToString::to_string);
    let help = render(&mut command.after_help(Resettable::Reset));
    match below {
        Some(below) => format!("{}\n\n{}\n", help.trim_end(), below.trim_end()),
        None => help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let example = format!(
            "Examples:\n  thing --list {}",
            "word ".repeat(60).trim_end()
        );
        Command::new("thing")
            .about("Does things")
            .after_help(example)
            .term_width(60)
    }

    /// It was broken after a hundred columns, so that it could not be copied.
    #[test]
    fn an_example_is_one_line_however_long_it_is() {
        let asked = |flag| {
            let error = command().try_get_matches_from(["thing", flag]).unwrap_err();
            asked(&error, &command())
        };
        for text in [long(command()), asked("--help"), asked("-h")] {
            assert!(text.starts_with("Does things\n\nUsage: thing"), "{text}");
            let last = text.lines().last().expect("a line");
            assert_eq!(last.split(' ').filter(|word| *word == "word").count(), 60);
            assert!(text.contains("Print help\n\nExamples:\n"), "{text}");
        }
    }
}
