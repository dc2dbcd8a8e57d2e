//! From a text to a typed value, with the reference's messages where a text is none.
//!
//! Texts come from files, arguments and the network: every one of them gives a value or an error.

use std::fmt;

use crate::def::{Def, Type};
use crate::error::ConfigError;

#[derive(Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    Int(i32),
    Long(i64),
    Short(i16),
    Double(f64),
    String(String),
    List(Vec<String>),
    Password(String),
    Class(String),
}

impl Value {
    /// The value as configuration text, as DescribeConfigs shows it. A password is hidden.
    pub fn to_text(&self) -> String {
        match self {
            Value::Boolean(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Long(value) => value.to_string(),
            Value::Short(value) => value.to_string(),
            Value::Double(value) => double_text(*value),
            Value::String(text) | Value::Class(text) => text.clone(),
            Value::List(items) => items.join(","),
            Value::Password(_) => "[hidden]".to_owned(),
        }
    }

    /// Numbers of every width, for range checks and getters that do not care.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(i64::from(*value)),
            Value::Long(value) => Some(*value),
            Value::Short(value) => Some(i64::from(*value)),
            _ => None,
        }
    }
}

/// As error messages show a value: lists in brackets.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::List(items) => write!(f, "[{}]", items.join(", ")),
            other => f.write_str(&other.to_text()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Def {
    /// Parses a text and checks it against what the key accepts.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let value = parse_type(self.key, self.ty, text)?;
        self.valid.check(self.key, &value)?;
        Ok(value)
    }
}

fn parse_type(key: &str, ty: Type, text: &str) -> Result<Value, ConfigError> {
    let trimmed = trim(text);
    let not_a_number = |_| {
        ConfigError::invalid(
            key,
            text,
            format!("Not a number of type {}", ty.name().to_ascii_uppercase()),
        )
    };
    Ok(match ty {
        Type::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Boolean(true),
        Type::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Boolean(false),
        Type::Boolean => {
            return Err(ConfigError::invalid(
                key,
                text,
                "Expected value to be either true or false",
            ));
        }
        Type::Int => Value::Int(trimmed.parse().map_err(not_a_number)?),
        Type::Long => Value::Long(trimmed.parse().map_err(not_a_number)?),
        Type::Short => Value::Short(trimmed.parse().map_err(not_a_number)?),
        Type::Double => match parse_double(trimmed) {
            Some(value) => Value::Double(value),
            None => {
                return Err(ConfigError::invalid(
                    key,
                    text,
                    "Not a number of type DOUBLE",
                ));
            }
        },
        Type::String => Value::String(trimmed.to_owned()),
        Type::List => Value::List(split_list(trimmed)),
        Type::Password => Value::Password(trimmed.to_owned()),
        Type::Class => Value::Class(trimmed.to_owned()),
    })
}

/// Java's `trim`: everything up to and including the space, at both ends.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// Items between commas without the white space around them; an empty text is an empty list.
pub(crate) fn split_list(text: &str) -> Vec<String> {
    let text = trim(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

/// Java's `Double.parseDouble` but for hexadecimal numbers.
fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned == "NaN" || unsigned == "Infinity" {
        return text.parse().ok();
    }
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    // What is left must be written with digits: "inf", "nan" and "infinity" are words of Rust, not of Java.
    let numeric = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if numeric { digits.parse().ok() } else { None }
}

/// A number as Java writes it: a decimal point always, an exponent below a thousandth and from ten million.
pub(crate) fn double_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    let size = value.abs();
    if value.is_nan() || size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (value, text) in [
            (0.5, "0.5"),
            (10.0, "10.0"),
            (f64::MAX, "1.7976931348623157E308"),
            (1e7, "1.0E7"),
            (0.0001, "1.0E-4"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }

    #[test]
    fn words_that_only_rust_takes_for_numbers_are_refused() {
        for text in [
            "inf", "nan", "infinity", "INFINITY", "", "f", "1_000", "--1",
        ] {
            assert_eq!(parse_double(text), None, "{text}");
        }
        assert_eq!(parse_double("1.5f"), Some(1.5));
    }

    #[test]
    fn a_password_shows_itself_nowhere() {
        let secret = Value::Password("hunter2".to_owned());
        assert_eq!(
            format!("{secret} {secret:?} {}", secret.to_text()),
            "[hidden] [hidden] [hidden]"
        );
    }
}
