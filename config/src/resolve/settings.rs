//! Given texts of one table, checked and with defaults laid under them: what a client library is configured with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::def::{Def, DefaultValue, Table};
use crate::error::ConfigError;
use crate::value::Value;

/// Typed values of every key of a table.
///
/// Getters panic for a key that the table does not have, or has with another type: that is a mistake in the program,
/// never in what a user wrote.
#[derive(Clone, Debug)]
pub struct Settings {
    table: &'static Table,
    given: BTreeMap<&'static str, Value>,
    unknown: Vec<String>,
}

impl Settings {
    /// Checks what is given; where a key comes twice the later text holds. Unknown keys are kept aside for a warning.
    pub fn resolve<K: AsRef<str>, V: AsRef<str>>(
        table: &'static Table,
        given: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let mut texts: BTreeMap<&'static str, V> = BTreeMap::new();
        let mut unknown: Vec<String> = Vec::new();
        for (key, text) in given {
            match table.lookup(key.as_ref()) {
                Some(def) => {
                    texts.insert(def.key, text);
                }
                None => unknown.push(key.as_ref().to_owned()),
            }
        }
        unknown.sort();
        unknown.dedup();
        let mut values = BTreeMap::new();
        for (key, text) in &texts {
            if let Some(def) = table.lookup(key) {
                values.insert(def.key, def.parse(text.as_ref())?);
            }
        }
        Ok(Settings {
            table,
            given: values,
            unknown,
        })
    }

    /// Keys that the table does not know, sorted: worth a warning, never an error.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Refuses when a required key is missing.
    pub fn require(&self, key: &str) -> Result<&Value, ConfigError> {
        self.get(key).ok_or_else(|| ConfigError::Missing {
            key: key.to_owned(),
        })
    }

    pub fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// The given value or the default; `None` where there is neither.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let def = self.def(key);
        self.given
            .get(def.key)
            .or_else(|| self.table.default_value(def))
    }

    pub fn boolean(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Value::Boolean(value)) => *value,
            other => wrong_getter(key, "boolean", other),
        }
    }

    /// A whole number of any width.
    pub fn number(&self, key: &str) -> i64 {
        self.opt_number(key)
            .unwrap_or_else(|| wrong_getter(key, "number", self.get(key)))
    }

    pub fn opt_number(&self, key: &str) -> Option<i64> {
        self.get(key).map(|value| {
            value
                .as_i64()
                .unwrap_or_else(|| wrong_getter(key, "number", Some(value)))
        })
    }

    /// A whole number that is a size or a count; a negative one, which stands for "the system's default" or "no
    /// limit", is `None`.
    pub fn size(&self, key: &str) -> Option<usize> {
        usize::try_from(self.number(key)).ok()
    }

    /// A number of milliseconds; `None` where there is no value or a negative one, which means "for ever".
    pub fn duration(&self, key: &str) -> Option<Duration> {
        self.opt_number(key)
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis)
    }

    pub fn double(&self, key: &str) -> f64 {
        match self.get(key) {
            Some(Value::Double(value)) => *value,
            other => wrong_getter(key, "double", other),
        }
    }

    /// A string, password or class name.
    pub fn text(&self, key: &str) -> &str {
        self.opt_text(key)
            .unwrap_or_else(|| wrong_getter(key, "text", self.get(key)))
    }

    pub fn opt_text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::String(text) | Value::Password(text) | Value::Class(text) => Some(text),
            other => wrong_getter(key, "text", Some(other)),
        }
    }

    /// The items of a list; none where there is no value.
    pub fn list(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(Value::List(items)) => items,
            None => &[],
            other => wrong_getter(key, "list", other),
        }
    }

    fn def(&self, key: &str) -> &'static Def {
        match self.table.lookup(key) {
            Some(def) => def,
            None => panic!("{} has no key {key}", self.table.kind),
        }
    }
}

fn wrong_getter(key: &str, asked: &str, found: Option<&Value>) -> ! {
    panic!("{key} was asked for as {asked} but is {found:?}")
}

impl Table {
    /// Refuses when a required key is missing among these.
    pub fn check_required<'a>(&self, given: impl Fn(&str) -> bool + 'a) -> Result<(), ConfigError> {
        match self
            .iter()
            .find(|def| def.default == DefaultValue::Required && !given(def.key))
        {
            Some(def) => Err(ConfigError::Missing {
                key: def.key.to_owned(),
            }),
            None => Ok(()),
        }
    }
}
