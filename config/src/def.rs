//! The definition of one configuration key, and a table of them.
//!
//! A key is a `Def`: name, type, default, accepted values, importance, prose and where it may change at run time.
//! Tables hold each key once and are sorted by name. How a text becomes a value is in `value`, what may be written
//! for a key is in `valid`.

use std::collections::BTreeMap;
use std::fmt;

use crate::valid::{Bound, Valid};
use crate::value::Value;

/// The type of a key's value, with the names of Kafka's `ConfigDef`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Boolean,
    Int,
    Long,
    Short,
    Double,
    String,
    List,
    Password,
    Class,
}

impl Type {
    /// The name in tables and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Type::Boolean => "boolean",
            Type::Int => "int",
            Type::Long => "long",
            Type::Short => "short",
            Type::Double => "double",
            Type::String => "string",
            Type::List => "list",
            Type::Password => "password",
            Type::Class => "class",
        }
    }

    /// The `ConfigType` number of a DescribeConfigs response.
    pub fn wire_id(self) -> i8 {
        match self {
            Type::Boolean => 1,
            Type::String => 2,
            Type::Int => 3,
            Type::Short => 4,
            Type::Long => 5,
            Type::Double => 6,
            Type::List => 7,
            Type::Class => 8,
            Type::Password => 9,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// The key must be given.
    Required,
    /// The key has no value unless given.
    Null,
    Value(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

impl Importance {
    pub fn name(self) -> &'static str {
        match self {
            Importance::High => "high",
            Importance::Medium => "medium",
            Importance::Low => "low",
        }
    }
}

/// Whether and where a broker key may be changed while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

impl UpdateMode {
    pub fn name(self) -> &'static str {
        match self {
            UpdateMode::ReadOnly => "read-only",
            UpdateMode::PerBroker => "per-broker",
            UpdateMode::ClusterWide => "cluster-wide",
        }
    }
}

/// Whether Ottla acts on a key. Keys without effect are accepted, checked, described, and listed in docs/gaps.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Full,
    None,
}

/// How a broker key's number becomes that of the key that takes its default from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Same,
    MinutesToMillis,
    HoursToMillis,
}

impl Unit {
    /// Converts a text; one that is no number, or overflows, is given back as it is.
    pub fn convert(self, text: &str) -> String {
        let factor: i64 = match self {
            Unit::Same => return text.to_owned(),
            Unit::MinutesToMillis => 60_000,
            Unit::HoursToMillis => 3_600_000,
        };
        match text.trim().parse::<i64>() {
            // A negative number of hours means "for ever", as -1 does in milliseconds.
            Ok(number) if number < 0 => "-1".to_owned(),
            Ok(number) => number
                .checked_mul(factor)
                .map_or_else(|| text.to_owned(), |ms| ms.to_string()),
            Err(_) => text.to_owned(),
        }
    }
}

/// A broker key that gives another key its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub key: &'static str,
    pub unit: Unit,
}

pub const fn same(key: &'static str) -> Synonym {
    Synonym {
        key,
        unit: Unit::Same,
    }
}

pub const fn minutes(key: &'static str) -> Synonym {
    Synonym {
        key,
        unit: Unit::MinutesToMillis,
    }
}

pub const fn hours(key: &'static str) -> Synonym {
    Synonym {
        key,
        unit: Unit::HoursToMillis,
    }
}

/// One configuration key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Def {
    pub key: &'static str,
    pub ty: Type,
    pub default: DefaultValue,
    pub valid: Valid,
    pub importance: Importance,
    pub update: UpdateMode,
    /// The broker keys this key's default comes from, the strongest first.
    pub synonyms: &'static [Synonym],
    pub effect: Effect,
    pub doc: &'static str,
}

impl Def {
    /// A key without a value unless given, of medium importance; the methods below say what is different.
    pub const fn new(key: &'static str, ty: Type) -> Self {
        Def {
            key,
            ty,
            default: DefaultValue::Null,
            valid: Valid::Any,
            importance: Importance::Medium,
            update: UpdateMode::ReadOnly,
            synonyms: &[],
            effect: Effect::None,
            doc: "",
        }
    }

    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = DefaultValue::Value(text);
        self
    }

    pub const fn required(mut self) -> Self {
        self.default = DefaultValue::Required;
        self
    }

    pub const fn valid(mut self, valid: Valid) -> Self {
        self.valid = valid;
        self
    }

    pub const fn at_least(self, min: i64) -> Self {
        self.valid(Valid::Range {
            min: Bound::Whole(min),
            max: None,
        })
    }

    pub const fn between(self, min: i64, max: i64) -> Self {
        self.valid(Valid::Range {
            min: Bound::Whole(min),
            max: Some(Bound::Whole(max)),
        })
    }

    pub const fn between_real(self, min: f64, max: f64) -> Self {
        self.valid(Valid::Range {
            min: Bound::Real(min),
            max: Some(Bound::Real(max)),
        })
    }

    pub const fn one_of(self, values: &'static [&'static str]) -> Self {
        self.valid(Valid::OneOf(values))
    }

    pub const fn high(mut self) -> Self {
        self.importance = Importance::High;
        self
    }

    pub const fn low(mut self) -> Self {
        self.importance = Importance::Low;
        self
    }

    pub const fn per_broker(mut self) -> Self {
        self.update = UpdateMode::PerBroker;
        self
    }

    pub const fn cluster_wide(mut self) -> Self {
        self.update = UpdateMode::ClusterWide;
        self
    }

    pub const fn synonyms(mut self, synonyms: &'static [Synonym]) -> Self {
        self.synonyms = synonyms;
        self
    }

    /// Marks a key that Ottla acts on.
    pub const fn effective(mut self) -> Self {
        self.effect = Effect::Full;
        self
    }

    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// A sensitive value never leaves the process: not in answers, errors or logs.
    pub fn is_sensitive(&self) -> bool {
        self.ty == Type::Password
    }

    pub fn default_text(&self) -> Option<&'static str> {
        match self.default {
            DefaultValue::Value(text) => Some(text),
            DefaultValue::Required | DefaultValue::Null => None,
        }
    }
}

/// Keys of one kind (broker, topic, …), sorted by name.
#[derive(Debug)]
pub struct Table {
    /// What the keys configure, as error messages say it: "topic", "producer".
    pub kind: &'static str,
    defs: Vec<&'static Def>,
    defaults: BTreeMap<&'static str, Value>,
}

impl Table {
    /// Joins the parts; a key that two parts define, or a default that is none, is a mistake in the program.
    pub(crate) fn join(kind: &'static str, parts: &[&'static [Def]]) -> Self {
        let mut defs: Vec<&'static Def> = parts.iter().flat_map(|part| part.iter()).collect();
        defs.sort_by_key(|def| def.key);
        for pair in defs.windows(2) {
            assert!(
                pair[0].key != pair[1].key,
                "{kind} key {} is defined twice",
                pair[0].key
            );
        }
        let default_of = |def: &&'static Def| match def.parse(def.default_text()?) {
            Ok(value) => Some((def.key, value)),
            Err(error) => panic!("{kind} default: {error}"),
        };
        let defaults = defs.iter().filter_map(default_of).collect();
        Table {
            kind,
            defs,
            defaults,
        }
    }

    pub(crate) fn default_value(&self, def: &Def) -> Option<&Value> {
        self.defaults.get(def.key)
    }

    pub fn lookup(&self, key: &str) -> Option<&'static Def> {
        let index = self.defs.binary_search_by(|def| def.key.cmp(key)).ok()?;
        self.defs.get(index).copied()
    }

    /// All keys in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &'static Def> + '_ {
        self.defs.iter().copied()
    }

    /// The keys that are accepted but that Ottla does not act on.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static Def> + '_ {
        self.iter().filter(|def| def.effect == Effect::None)
    }
}
