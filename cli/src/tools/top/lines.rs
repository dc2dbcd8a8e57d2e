//! A view as lines for whoever keeps them: a head once, then a line for each row and look. Pure.

use super::table::{Row, Subject};
use crate::table::{line, width};

/// Wide enough for the lines of most looks to stand below each other.
const NAME_WIDTH: usize = 30;

pub(super) fn of(time: &str, subject: &Subject, rows: &[Row], with_head: bool) -> String {
    let heads: Vec<&str> = std::iter::once("TIME")
        .chain(subject.columns().iter().copied())
        .collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let cells = row.cells.iter().map(|cell| cell.shown());
            std::iter::once(time.to_owned()).chain(cells).collect()
        })
        .collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(index, head)| {
            let least = match index {
                1 => NAME_WIDTH,
                _ => head.len().max(8),
            };
            // What stands last needs no padding.
            match index + 1 == heads.len() {
                true => 0,
                false => width(
                    least,
                    rows.iter()
                        .filter_map(|row| row.get(index))
                        .map(String::as_str),
                ),
            }
        })
        .collect();
    let mut text = String::new();
    if with_head {
        line(&mut text, heads.iter().copied().zip(widths.iter().copied()));
    }
    for row in &rows {
        line(
            &mut text,
            row.iter().map(String::as_str).zip(widths.iter().copied()),
        );
    }
    text
}
