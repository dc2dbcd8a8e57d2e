//! `ottla install-links DIR`: the reference's script names as symbolic links to this binary.
//!
//! Links of ours are renewed; anything else of that name, links to other programs too, is left alone and said.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use ottla_cli::output::{Format, Output, Report, Rows};
use ottla_cli::{Context, Failure, Stop, Tool, verb};
use serde_json::json;

use crate::tools;

pub(crate) const TOOL: Tool = Tool {
    name: "install-links",
    link: "ottla-install-links",
    about: "Make links named kafka-*.sh to this binary in a directory",
    command: Args::command,
    run: install,
};

/// Make links named kafka-*.sh to this binary in a directory.
///
/// The directory should stand in PATH before any other kafka-*.sh scripts. There is a link for each tool, with and without
/// .sh, and one of our own name, such as ottla-topics. Links that are there are renewed; other files are left alone and told.
#[derive(Debug, Parser)]
#[command(
    name = "ottla-install-links",
    disable_version_flag = true,
    after_help = "Examples:\n  ottla install-links bin"
)]
struct Args {
    /// Where the links go; it is made where it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    output: Output,
}

const JSON_VERSION: u32 = 1;

fn install(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some(args) = verb::parse::<Args>(words, verb::USAGE, cx)? else {
        return Ok(());
    };
    let directory = args.directory.as_path();
    let binary = std::env::current_exe()
        .map_err(|error| Failure::new(format!("Cannot tell where this binary is: {error}")))?;
    std::fs::create_dir_all(directory)
        .map_err(|error| cannot("make the directory", directory, &error))?;
    let mut made = Vec::new();
    let mut all_made = true;
    for tool in tools::all() {
        for name in names(tool) {
            let link = directory.join(name);
            match place(&binary, &link) {
                Ok(()) => made.push((link, tool)),
                Err(error) => {
                    all_made = false;
                    cx.warn(cannot("make the link", &link, &error).message);
                }
            }
        }
    }
    let text = match args.output.output {
        Format::Table => lines(&made, &binary),
        Format::Data(form) => report(&made, &binary).text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    match all_made {
        true => Ok(()),
        false => Err(Stop::Status(1)),
    }
}

fn lines(made: &[(PathBuf, &Tool)], binary: &Path) -> String {
    let line =
        |(link, _): &(PathBuf, &Tool)| format!("{} -> {}\n", link.display(), binary.display());
    made.iter().map(line).collect()
}

/// docs/json/install-links.md
fn report(made: &[(PathBuf, &Tool)], binary: &Path) -> Report {
    let link = |(link, tool): &(PathBuf, &Tool)| json!({ "link": link.display().to_string(), "tool": tool.name });
    let links: Vec<_> = made.iter().map(link).collect();
    Report {
        value: json!({
            "version": JSON_VERSION,
            "binary": binary.display().to_string(),
            "links": links,
        }),
        rows: Rows {
            within: &["links"],
            columns: &["link", "tool", "binary"],
        },
    }
}

/// What links to a tool are called.
pub(crate) fn names(tool: &Tool) -> Vec<String> {
    let own = tool.own_link();
    match tool.is_own() {
        true => vec![own],
        false => vec![tool.link.to_owned(), format!("{}.sh", tool.link), own],
    }
}

fn place(binary: &Path, link: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(link) {
        Ok(_) if is_ours(binary, link) => std::fs::remove_file(link)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something else of that name is there already",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    std::os::unix::fs::symlink(binary, link)
}

/// A link to a binary of this one's name, which may have stood elsewhere when the link was made.
fn is_ours(binary: &Path, link: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|target| target.file_name() == binary.file_name())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("Cannot {what} {}: {error}", path.display()))
}
