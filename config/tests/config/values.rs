//! Texts are taken and refused as the reference takes and refuses them, with its messages.

use crate::tables;

#[test]
fn the_references_verdicts_on_texts_are_ours() {
    let recorded = include_str!("../data/values.tsv");
    let mut differing = Vec::new();
    for line in recorded.lines().skip(1) {
        let [table, key, text, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (_, table, _) = tables::all()
            .into_iter()
            .find(|(name, ..)| *name == table)
            .unwrap();
        let found = match table.lookup(key).unwrap().parse(text) {
            Ok(value) => format!("ok {}", value.to_text()),
            Err(error) => error.to_string(),
        };
        if found != expected {
            differing.push(format!(
                "{key} {text:?}\n  theirs: {expected}\n  ours:   {found}"
            ));
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}
