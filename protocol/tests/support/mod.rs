//! Reads the tables of golden vectors: the folder named by `OTTLA_VECTORS`, else the project's own copy.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;

/// The rows of a table without its head line, cells split by tabs.
pub(crate) fn table(name: &str) -> Vec<Vec<String>> {
    let folder = std::env::var_os("OTTLA_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
        PathBuf::from,
    );
    let path = folder.join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    if name.ends_with(".gz") {
        MultiGzDecoder::new(file)
            .read_to_string(&mut text)
            .expect("gzip");
    } else {
        { file }.read_to_string(&mut text).expect("text");
    }
    let rows: Vec<Vec<String>> = text
        .lines()
        .skip(1)
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect();
    assert!(!rows.is_empty(), "{name} has no rows");
    rows
}

/// Lower-case hexadecimal to bytes.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd number of hex digits");
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex digits"))
        .collect()
}
