//! The little of Java's properties format that `meta.properties` and `partition.metadata` need: `key` and `value`
//! lines with one separator, comments, no escapes and no continuation lines.

/// Key and value pairs in order; None when a line is neither a comment nor a pair.
pub(crate) fn parse(bytes: &[u8], separator: char) -> Option<Vec<(&str, &str)>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut pairs = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line.split_once(separator)?;
        pairs.push((key.trim(), value.trim()));
    }
    Some(pairs)
}

pub(crate) fn get<'a>(pairs: &[(&'a str, &'a str)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
}
