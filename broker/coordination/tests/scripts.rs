//! Plays scripts: a rule in each paragraph.
//!
//! The `#` lines of a paragraph say the rule, its flush lines are commands, and the indented lines below a command are
//! what came of it. `UPDATE_SCRIPTS=1` writes them anew; the diff is the review.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Plays every script in a folder of this crate, paragraph by paragraph.
pub(crate) fn check(folder: &str, play: fn(&str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut scripts: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the scripts' folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    for path in scripts {
        let script = fs::read_to_string(&path).expect("a script");
        let played: Vec<String> = script.split("\n\n").map(play).collect();
        let played = format!("{}\n", played.join("\n\n").trim_end());
        if std::env::var_os("UPDATE_SCRIPTS").is_some() {
            fs::write(&path, played).expect("to write the script");
        } else {
            assert!(
                played == script,
                "{} came out differently:\n{}",
                path.display(),
                first_difference(&script, &played)
            );
        }
    }
}

/// Runs one paragraph and writes it down with what came of it.
pub(crate) fn play(paragraph: &str, mut run: impl FnMut(&str) -> Vec<String>) -> String {
    let mut out = String::new();
    for line in paragraph.lines() {
        if line.starts_with(' ') {
            continue;
        }
        let _ = writeln!(out, "{line}");
        if line.starts_with('#') {
            continue;
        }
        for effect in run(line) {
            let _ = writeln!(out, "  {}", effect.trim_end());
        }
    }
    out.trim_end().to_owned()
}

fn first_difference(expected: &str, actual: &str) -> String {
    let pairs = expected.lines().zip(actual.lines()).enumerate();
    for (number, (expected, actual)) in pairs {
        if expected != actual {
            return format!(
                "line {}\n  script: {expected}\n  run:    {actual}",
                number + 1
            );
        }
    }
    "one is longer than the other".to_owned()
}
