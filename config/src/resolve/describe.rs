//! What DescribeConfigs answers: each key's value, where it comes from, and every other place that has a say.

use crate::broker;
use crate::def::{Def, Synonym, Table, Type, UpdateMode};
use crate::group;
use crate::resolve::broker::{BrokerConfig, Texts};
use crate::topic;

/// Where a value comes from, with the numbers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    BrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

const SOURCES: [(Source, &str); 8] = [
    (Source::Topic, "DYNAMIC_TOPIC_CONFIG"),
    (Source::DynamicBroker, "DYNAMIC_BROKER_CONFIG"),
    (
        Source::DynamicDefaultBroker,
        "DYNAMIC_DEFAULT_BROKER_CONFIG",
    ),
    (Source::StaticBroker, "STATIC_BROKER_CONFIG"),
    (Source::Default, "DEFAULT_CONFIG"),
    (Source::BrokerLogger, "DYNAMIC_BROKER_LOGGER_CONFIG"),
    (Source::ClientMetrics, "DYNAMIC_CLIENT_METRICS_CONFIG"),
    (Source::Group, "DYNAMIC_GROUP_CONFIG"),
];

impl Source {
    /// The number in a response.
    pub fn wire_id(self) -> i8 {
        self as i8
    }

    pub fn from_wire_id(id: i8) -> Option<Self> {
        SOURCES
            .iter()
            .map(|(source, _)| *source)
            .find(|source| source.wire_id() == id)
    }

    /// The name that tools print.
    pub fn name(self) -> &'static str {
        SOURCES
            .iter()
            .find(|(source, _)| *source == self)
            .map_or("UNKNOWN", |(_, name)| name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSynonym {
    pub key: String,
    /// Nothing where the key is sensitive.
    pub value: Option<String>,
    pub source: Source,
}

/// One entry of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub key: String,
    /// Nothing where there is no value or the key is sensitive.
    pub value: Option<String>,
    pub source: Source,
    pub sensitive: bool,
    pub read_only: bool,
    /// Nothing where no table knows the key.
    pub ty: Option<Type>,
    /// The strongest first.
    pub synonyms: Vec<DescribedSynonym>,
    pub doc: &'static str,
}

impl BrokerConfig {
    /// All keys of a topic with these texts of its own. The order is the reference's, which `kafka-topics --describe`
    /// shows to users.
    pub fn describe_topic(&self, overrides: &Texts) -> Vec<Described> {
        let mut entries = self.describe_dependent(&topic::TABLE, overrides, Source::Topic);
        entries.sort_by_cached_key(|entry| hash_order(&entry.key));
        entries
    }

    /// The same of many topics.
    pub fn describe_topics<'a, T: Clone>(
        &'a self,
        form: impl Fn(Described) -> T + 'a,
    ) -> TopicDescriber<'a, T> {
        let inherited = self.describe_topic(&Texts::new());
        TopicDescriber {
            config: self,
            keys: inherited.iter().map(|entry| entry.key.clone()).collect(),
            inherited: inherited.into_iter().map(&form).collect(),
            form: Box::new(form),
        }
    }

    /// All keys of a group with these texts of its own, by name.
    pub fn describe_group(&self, overrides: &Texts) -> Vec<Described> {
        self.describe_dependent(&group::TABLE, overrides, Source::Group)
    }

    /// All keys of this broker by name, and the given ones that no table knows.
    pub fn describe_broker(&self) -> Vec<Described> {
        let given = [&self.fixed, &self.dynamic_defaults, &self.dynamic];
        let mut keys: Vec<&str> = broker::TABLE.iter().map(|def| def.key).collect();
        keys.extend(
            given
                .iter()
                .flat_map(|texts| texts.keys())
                .map(String::as_str),
        );
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
            .map(|key| self.describe_broker_key(key))
            .collect()
    }

    /// What was changed at run time for all brokers, by name.
    pub fn describe_broker_defaults(&self) -> Vec<Described> {
        let of_all = |mut entry: Described| {
            entry
                .synonyms
                .retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
            entry.value = entry
                .synonyms
                .first()
                .and_then(|synonym| synonym.value.clone());
            entry.source = Source::DynamicDefaultBroker;
            entry
        };
        self.dynamic_defaults
            .keys()
            .map(|key| of_all(self.describe_broker_key(key)))
            .collect()
    }

    fn describe_broker_key(&self, key: &str) -> Described {
        let def = broker_def(key);
        let synonyms = self.broker_synonyms(key);
        let sensitive = def.is_none_or(Def::is_sensitive);
        let from_layers = synonyms
            .iter()
            .find(|synonym| synonym.key == key)
            .and_then(|synonym| synonym.value.clone());
        Described {
            key: key.to_owned(),
            value: if sensitive {
                None
            } else {
                from_layers.map(|text| normal_text(def, text))
            },
            source: synonyms
                .first()
                .map_or(Source::Default, |synonym| synonym.source),
            sensitive,
            read_only: def.is_none_or(|def| def.update == UpdateMode::ReadOnly),
            ty: def.map(|def| def.ty),
            synonyms,
            doc: def.map_or("", |def| def.doc),
        }
    }

    fn describe_dependent(
        &self,
        table: &'static Table,
        overrides: &Texts,
        source: Source,
    ) -> Vec<Described> {
        let unknown = overrides.keys().filter(|key| table.lookup(key).is_none());
        let mut entries: Vec<Described> = table
            .iter()
            .map(|def| self.describe_inherited(def, overrides.get(def.key), source))
            .chain(unknown.map(|key| unknown_entry(key, source)))
            .collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    fn describe_inherited(
        &self,
        def: &'static Def,
        own: Option<&String>,
        source: Source,
    ) -> Described {
        let shown = |text: String| {
            if def.is_sensitive() {
                None
            } else {
                Some(normal_text(Some(def), text))
            }
        };
        let value = own
            .cloned()
            .or_else(|| self.default_of(def))
            .and_then(shown);
        let mut synonyms: Vec<DescribedSynonym> = Vec::new();
        if own.is_some() {
            synonyms.push(DescribedSynonym {
                key: def.key.to_owned(),
                value: value.clone(),
                source,
            });
        }
        if let Some(Synonym { key, .. }) = def.synonyms.first() {
            synonyms.extend(self.broker_synonyms(key));
        } else if source == Source::Group
            && let Some(text) = def.default_text()
        {
            // A group's key has a default also where no broker's key has it.
            synonyms.push(DescribedSynonym {
                key: def.key.to_owned(),
                value: shown(text.to_owned()),
                source: Source::Default,
            });
        }
        Described {
            key: def.key.to_owned(),
            value,
            source: synonyms
                .first()
                .map_or(Source::Default, |synonym| synonym.source),
            sensitive: def.is_sensitive(),
            read_only: false,
            ty: Some(def.ty),
            synonyms,
            doc: def.doc,
        }
    }

    /// Every layer that says something about a broker key or one of the names it also goes by. What comes before the
    /// first mention of the key itself is left out, as the reference does: a key without a default that only another
    /// unit's key is given for has no synonyms.
    fn broker_synonyms(&self, key: &str) -> Vec<DescribedSynonym> {
        let names = names_of(key);
        let sensitive = broker_def(key).is_none_or(Def::is_sensitive);
        let layers = [
            (Source::DynamicBroker, &self.dynamic),
            (Source::DynamicDefaultBroker, &self.dynamic_defaults),
            (Source::StaticBroker, &self.fixed),
        ];
        let said = |source: Source, name: &str, text: &str| DescribedSynonym {
            key: name.to_owned(),
            value: if sensitive {
                None
            } else {
                Some(text.to_owned())
            },
            source,
        };
        let mut found = Vec::new();
        for (source, texts) in layers {
            found.extend(
                names
                    .iter()
                    .filter_map(|name| Some(said(source, name, texts.get(*name)?))),
            );
        }
        let default = |name: &&str| {
            Some(said(
                Source::Default,
                name,
                broker::lookup(name)?.default_text()?,
            ))
        };
        found.extend(names.iter().filter_map(default));
        let first = found
            .iter()
            .position(|synonym| synonym.key == key)
            .unwrap_or(found.len());
        found.split_off(first)
    }
}

/// Describes topics one after the other, in whatever form their reader wants entries. What they do not say themselves is
/// resolved and formed once for all of them: most topics say little, and a request may ask for thousands.
pub struct TopicDescriber<'a, T> {
    config: &'a BrokerConfig,
    form: Box<dyn Fn(Described) -> T + 'a>,
    /// Of the entries below, in their order.
    keys: Vec<String>,
    inherited: Vec<T>,
}

impl<T: Clone> TopicDescriber<'_, T> {
    /// What [`BrokerConfig::describe_topic`] says of a topic with these texts of its own.
    pub fn describe(&self, overrides: &Texts) -> Vec<T> {
        let mut entries = self.inherited.clone();
        for (key, text) in overrides {
            let place = self.keys.iter().position(|known| known == key);
            let entry = place.and_then(|place| entries.get_mut(place));
            let (Some(entry), Some(def)) = (entry, topic::lookup(key)) else {
                // One that no table knows has a place of its own among the others.
                let all = self.config.describe_topic(overrides);
                return all.into_iter().map(&self.form).collect();
            };
            let own = self
                .config
                .describe_inherited(def, Some(text), Source::Topic);
            *entry = (self.form)(own);
        }
        entries
    }
}

/// The broker keys that mean the same in other units, the strongest first.
const FAMILIES: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &[
        "log.retention.ms",
        "log.retention.minutes",
        "log.retention.hours",
    ],
];

fn names_of(key: &str) -> Vec<&str> {
    if key == "log.flush.interval.ms" {
        return vec![key, "log.flush.scheduler.interval.ms"];
    }
    if let Some(family) = FAMILIES.iter().find(|family| family.contains(&key)) {
        return family.to_vec();
    }
    match listener_base(key) {
        Some(base) => vec![key, base],
        None => vec![key],
    }
}

/// The key that `listener.name.NAME.KEY` sets for one listener.
fn listener_base(key: &str) -> Option<&str> {
    let (_, base) = key.strip_prefix("listener.name.")?.split_once('.')?;
    // Some keys carry the mechanism before their name.
    const OF_A_MECHANISM: [&str; 5] = [
        "sasl.jaas.config",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.server.callback.handler.class",
        "connections.max.reauth.ms",
    ];
    OF_A_MECHANISM
        .into_iter()
        .find(|name| base.ends_with(name))
        .or(Some(base))
}

pub(crate) fn broker_def(key: &str) -> Option<&'static Def> {
    let throttle = || broker::THROTTLES.iter().find(|def| def.key == key);
    broker::lookup(key)
        .or_else(throttle)
        .or_else(|| broker::lookup(listener_base(key)?))
}

/// A key that no table knows could be a secret: its value is not shown.
fn unknown_entry(key: &str, source: Source) -> Described {
    Described {
        key: key.to_owned(),
        value: None,
        source,
        sensitive: true,
        read_only: false,
        ty: None,
        synonyms: vec![DescribedSynonym {
            key: key.to_owned(),
            value: None,
            source,
        }],
        doc: "",
    }
}

/// The text as its value would be written; one that is no value any more stays as it is.
fn normal_text(def: Option<&Def>, text: String) -> String {
    match def.map(|def| def.parse(&text)) {
        Some(Ok(value)) => value.to_text(),
        _ => text,
    }
}

/// The order of the reference's hash map of 64 buckets, in which it answers for a topic.
fn hash_order(key: &str) -> (i32, i32) {
    let hash = key.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    let mixed = hash ^ ((hash as u32) >> 16) as i32;
    (mixed & 63, mixed)
}
