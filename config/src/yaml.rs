//! YAML with the keys of `.properties` files. Nested maps are joined with dots, lists with commas.

use serde_yaml::Value;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum YamlError {
    #[error(transparent)]
    Syntax(#[from] serde_yaml::Error),
    #[error("{path}: {problem}")]
    Shape { path: String, problem: &'static str },
}

/// The pairs in the order of the text. A key without a value is left out.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, YamlError> {
    let mut pairs = Vec::new();
    match serde_yaml::from_str::<Value>(text)? {
        Value::Null => {}
        root @ Value::Mapping(_) => flatten("", &root, &mut pairs)?,
        _ => return Err(shape("the file", "expected keys with values")),
    }
    Ok(pairs)
}

fn shape(path: &str, problem: &'static str) -> YamlError {
    YamlError::Shape {
        path: path.to_owned(),
        problem,
    }
}

fn flatten(path: &str, value: &Value, pairs: &mut Vec<(String, String)>) -> Result<(), YamlError> {
    match value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let key = scalar(key).ok_or_else(|| shape(path, "a key must be a word"))?;
                let path = if path.is_empty() {
                    key
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, pairs)?;
            }
        }
        Value::Sequence(items) => {
            let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
            let texts =
                texts.ok_or_else(|| shape(path, "a list may hold words and numbers only"))?;
            pairs.push((path.to_owned(), texts.join(",")));
        }
        Value::Null => {}
        other => {
            let text = scalar(other).ok_or_else(|| shape(path, "tags are not known here"))?;
            pairs.push((path.to_owned(), text));
        }
    }
    Ok(())
}

/// A word, a number or a truth value as text; none for what has parts.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).expect("well-formed")
    }

    #[test]
    fn dotted_keys_and_nested_maps_mean_the_same() {
        let flat = pairs("log.retention.hours: 24\nnode.id: 3\n");
        let nested = pairs("log:\n  retention: {hours: 24}\nnode:\n  id: 3\n");
        assert_eq!(flat, nested);
        assert_eq!(flat[0], ("log.retention.hours".to_owned(), "24".to_owned()));
    }

    #[test]
    fn scalars_become_texts_and_lists_comma_lists() {
        let all = pairs("a: true\nb: 0.5\nc: [x, 2]\nd: ~\ne: 'q'\nf: []\n");
        let texts: Vec<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["true", "0.5", "x,2", "q", ""]);
    }

    #[test]
    fn nothing_is_no_pairs() {
        assert_eq!(pairs(""), []);
        assert_eq!(pairs("# only a comment\n"), []);
    }

    #[test]
    fn other_shapes_are_refused_with_their_place() {
        for (text, message) in [
            ("- a\n- b\n", "the file: expected keys with values"),
            ("a: [[1]]\n", "a: a list may hold words and numbers only"),
            ("a: {b: !tag x}\n", "a.b: tags are not known here"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.to_string(), message);
        }
        assert!(matches!(parse("a: [\n"), Err(YamlError::Syntax(_))));
        assert!(matches!(parse("a: 1\na: 2\n"), Err(YamlError::Syntax(_))));
    }
}
