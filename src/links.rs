//! `ottla install-links DIR`: the reference's script names as symbolic links to this binary.
//!
//! Links of ours are renewed; anything else of that name is left alone and said.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ottla_cli::{Context, Failure, Stop, Tool};

use crate::tools;

pub(crate) fn install(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let [directory] = words else {
        return Err(Failure::new("Usage: ottla install-links DIR")
            .hint("DIR should stand in PATH, before any other kafka-*.sh scripts.")
            .into());
    };
    let directory = Path::new(directory);
    let binary = std::env::current_exe()
        .map_err(|error| Failure::new(format!("Cannot tell where this binary is: {error}")))?;
    std::fs::create_dir_all(directory)
        .map_err(|error| cannot("make the directory", directory, &error))?;
    let mut failure = None;
    for tool in tools::all() {
        for name in names(tool) {
            let link = directory.join(name);
            match place(&binary, &link) {
                Ok(()) => writeln!(cx.out, "{} -> {}", link.display(), binary.display())?,
                Err(error) => failure = Some(cannot("make the link", &link, &error)),
            }
        }
    }
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// What links to a tool are called.
pub(crate) fn names(tool: &Tool) -> Vec<String> {
    let own = tool.own_link();
    match tool.link == own {
        // The reference has no such tool.
        true => vec![own],
        false => vec![tool.link.to_owned(), format!("{}.sh", tool.link), own],
    }
}

fn place(binary: &Path, link: &PathBuf) -> io::Result<()> {
    match std::fs::symlink_metadata(link) {
        Ok(present) if present.file_type().is_symlink() => std::fs::remove_file(link)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file of that name is there already",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    std::os::unix::fs::symlink(binary, link)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("Cannot {what} {}: {error}", path.display()))
}
