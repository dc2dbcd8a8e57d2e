//! Words that must not be in the repository: paths of somebody's machine, names of package registries' servers
//! (the ordinary clients know theirs), and what marks unfinished code.
//!
//! Always: the words below are written in two halves, so that this file passes its own check.

use std::path::Path;

use anyhow::Result;

use super::Tracked;

/// Anywhere but in Cargo.lock, which cargo writes.
const EVERYWHERE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/ot", "tla"),
    concat!("registry.np", "mjs"),
    concat!("registry.yar", "npkg"),
    concat!("py", "pi.org"),
    concat!("pythonho", "sted"),
    concat!("repo1.ma", "ven"),
    concat!("repo.ma", "ven"),
    concat!("crates", ".io"),
    concat!("proxy.gol", "ang"),
    concat!("deb.deb", "ian"),
];

const IN_CODE: &[&str] = &[
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
    concat!("not yet imple", "mented"),
];

pub(super) fn check(files: &[Tracked]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files {
        if file.path == Path::new("Cargo.lock") {
            continue;
        }
        let code = file
            .path
            .extension()
            .is_some_and(|extension| extension == "rs");
        let words = EVERYWHERE.iter().chain(if code { IN_CODE } else { &[] });
        for word in words {
            for (number, _) in file
                .text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains(word))
            {
                found.push(format!("{}:{}: `{word}`", file.path.display(), number + 1));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_path_is_found_in_prose_and_an_unfinished_body_in_code() {
        let tracked = |path: &str, text: String| Tracked {
            path: path.into(),
            text,
        };
        let found = check(&[
            tracked("docs/a.md", format!("fine\nsee {}x", EVERYWHERE[0])),
            tracked("src/a.rs", format!("fn f() {{ {}) }}", IN_CODE[0])),
            tracked("notes.md", IN_CODE[0].to_owned()),
        ])
        .unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("docs/a.md:2: "));
        assert!(found[1].starts_with("src/a.rs:1: "));
    }
}
