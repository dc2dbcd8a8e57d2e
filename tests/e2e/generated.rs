//! Manual pages and completions are those of the options as they are. `UPDATE_GENERATED=1` writes them anew.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

use crate::server::ottla;

#[test]
fn manual_pages_and_completions_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = TempDir::new().expect("a directory");
    let status = ottla()
        .arg("--generate")
        .arg(folder.path())
        .status()
        .expect("the binary");
    assert!(status.success());
    let fresh = files(folder.path());
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        for (name, text) in &fresh {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
            std::fs::write(path, text).expect("a file in the project");
        }
    }
    let kept = ["man", "completions"].map(|name| files(&root.join(name)));
    let kept = kept.iter().zip(["man", "completions"]);
    let kept = kept.flat_map(|(files, top)| files.keys().map(move |name| format!("{top}/{name}")));
    let left_over: Vec<String> = kept.filter(|name| !fresh.contains_key(name)).collect();
    assert!(left_over.is_empty(), "nobody makes {left_over:#?}");
    let stale: Vec<&String> = fresh
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name)
        .collect();
    assert!(
        stale.is_empty(),
        "run `UPDATE_GENERATED=1 cargo test --test e2e generated` for {stale:#?}"
    );
}

/// Every file below, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .expect("below the folder")
                    .to_str()
                    .expect("a plain name");
                found.insert(
                    name.to_owned(),
                    std::fs::read_to_string(&path).expect("text"),
                );
            }
        }
    }
    found
}
