//! `ottla complete SHELL …`: what may stand where the cursor is. The scripts under `completions/` call it; people need not.
//!
//! Options come from the tools' own definitions, names of topics, groups and brokers from the cluster that the line names.
//! Always: standard output gets whole answers only, and within [`WITHIN`], or nothing; names that a shell would take for more
//! than a word are left out, for strangers choose them.

use std::io::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ottla_cli::{Context, Stop};

mod candidates;
mod line;
mod values;

pub(crate) mod scripts;

/// How long the thinking may take. With the process itself that is less than 200 ms.
const WITHIN: Duration = Duration::from_millis(150);

/// The exit status that asks the shell for names of files.
const FILES: u8 = 3;

/// One word that may stand there, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    word: String,
    about: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Words(Vec<Candidate>),
    Files,
}

/// `complete bash LINE CURRENT` has the line up to the cursor and what bash takes for the word there; `complete zsh WORD…`
/// and `complete fish WORD…` have the words, of which the last is the one at the cursor.
pub(crate) fn complete(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some((shell, given)) = words.split_first() else {
        return Ok(());
    };
    let is_bash = shell == "bash";
    let (words, behind) = match (is_bash, given) {
        (true, [line, current]) => {
            let words = line::words(line);
            let behind = line::before(words.last().map_or("", String::as_str), current);
            (words, behind)
        }
        (true, _) => return Ok(()),
        (false, words) => (words.to_vec(), 0),
    };
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(candidates::answer(&words)));
    match answer.recv_timeout(WITHIN) {
        Err(_) => Ok(()),
        Ok(Answer::Files) => Err(Stop::Status(FILES)),
        Ok(Answer::Words(found)) => {
            let text: String = found
                .iter()
                .filter(|found| is_plain(&found.word))
                .map(|found| shown(shell, found, behind))
                .collect();
            Ok(cx.out.write_all(text.as_bytes())?)
        }
    }
}

/// Whether every shell takes it for the word it is.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:=/@+%".contains(c);
    !word.is_empty() && word.chars().all(plain)
}

fn shown(shell: &str, found: &Candidate, behind: usize) -> String {
    let Candidate { word, about } = found;
    match shell {
        // It replaces only what stands behind its own separators.
        "bash" => format!("{}\n", word.get(behind..).unwrap_or_default()),
        "zsh" => format!("{}:{about}\n", word.replace(':', "\\:")),
        _ => format!("{word}\t{about}\n"),
    }
}
