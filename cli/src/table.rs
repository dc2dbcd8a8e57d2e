//! Columns of text as the reference's tools lay them out: padded, and joined by a space.

use std::borrow::Cow;
use std::fmt::Write;

/// The width of a column that grows with its values.
pub(crate) fn width<'a>(least: usize, values: impl IntoIterator<Item = &'a str>) -> usize {
    let widths = values.into_iter().map(|value| value.chars().count());
    widths.max().unwrap_or(0).max(least)
}

/// A text that others chose, as one line that leaves the terminal alone.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// A line of columns and their widths; nothing stands behind the last column, not even its padding where it has no
/// width.
pub(crate) fn line<'a>(text: &mut String, columns: impl IntoIterator<Item = (&'a str, usize)>) {
    for (index, (value, width)) in columns.into_iter().enumerate() {
        let gap = if index == 0 { "" } else { " " };
        let value = visible(value);
        write!(text, "{gap}{value:width$}").expect("a string takes it");
    }
    text.push('\n');
}

/// The one of `known` that is meant, in any case.
pub(crate) fn known_as<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut known = known.iter().copied();
    known.find(|known| known.eq_ignore_ascii_case(name))
}

/// Columns as wide as their widest value, each with a tab behind it.
pub(crate) fn tabbed<const N: usize>(
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let heads = heads.map(str::to_owned);
    let rows: Vec<[String; N]> = [heads].into_iter().chain(rows).collect();
    let widths: [usize; N] =
        std::array::from_fn(|column| width(0, rows.iter().map(|row| row[column].as_str())));
    let mut text = String::new();
    for row in &rows {
        for (value, width) in row.iter().zip(widths) {
            write!(text, "{:width$}\t", visible(value)).expect("a string takes it");
        }
        text.push('\n');
    }
    text
}

/// Three digits and a unit of 1024.
pub(crate) fn size(bytes: f64) -> String {
    let mut left = bytes;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if left < 1000.0 {
            return match unit {
                "B" => format!("{left:.0}{unit}"),
                _ if left < 10.0 => format!("{left:.1}{unit}"),
                _ => format!("{left:.0}{unit}"),
            };
        }
        left /= 1024.0;
    }
    format!("{left:.0}PiB")
}
