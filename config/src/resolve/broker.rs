//! What holds for a broker: static texts (file, environment, command line) under what was changed at run time.

use std::collections::BTreeMap;

use crate::broker::{ONE_NODE, TABLE};
use crate::def::Def;
use crate::error::ConfigError;
use crate::resolve::settings::Settings;
use crate::topic;
use crate::value::Value;

/// Names with the prefix that mean something else than a configuration key, as in the official image.
const NOT_KEYS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_PORT",
    "KAFKA_HOME",
    "KAFKA_CLUSTER_ID",
];

/// The configuration key that an environment variable stands for: `KAFKA_X_Y` is `x.y`, `__` is `_`, `___` is `-`.
pub fn environment_key(name: &str) -> Option<String> {
    let rest = name
        .strip_prefix("KAFKA_")
        .filter(|rest| !rest.is_empty())?;
    if NOT_KEYS.contains(&name) {
        return None;
    }
    Some(
        rest.to_lowercase()
            .replace('_', ".")
            .replace("...", "-")
            .replace("..", "_"),
    )
}

/// The keys among environment variables.
pub fn from_environment(vars: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let keyed = |(name, value): (String, String)| Some((environment_key(&name)?, value));
    vars.into_iter().filter_map(keyed).collect()
}

/// Texts by key, as given.
pub type Texts = BTreeMap<String, String>;

/// The broker's configuration with all its layers. Keys that no table knows are kept: they may be somebody's.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    pub(crate) fixed: Texts,
    pub(crate) dynamic_defaults: Texts,
    pub(crate) dynamic: Texts,
    settings: Settings,
}

impl BrokerConfig {
    /// Lays the layers over each other, the weakest first: file, environment, command line.
    pub fn load(layers: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let given: Texts = layers.into_iter().collect();
        let mut fixed: Texts = ONE_NODE
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect();
        if given.contains_key("log.dir") {
            fixed.remove("log.dirs");
        }
        // The old name of node.id counts where only it is given.
        if let (Some(id), None) = (given.get("broker.id"), given.get("node.id")) {
            fixed.insert("node.id".to_owned(), id.clone());
        }
        fixed.extend(given);
        Self::assemble(fixed, Texts::new(), Texts::new())
    }

    /// The same broker after changes at run time: cluster-wide defaults and this broker's own.
    pub fn with_dynamic(
        &self,
        dynamic_defaults: Texts,
        dynamic: Texts,
    ) -> Result<Self, ConfigError> {
        Self::assemble(self.fixed.clone(), dynamic_defaults, dynamic)
    }

    fn assemble(
        fixed: Texts,
        dynamic_defaults: Texts,
        dynamic: Texts,
    ) -> Result<Self, ConfigError> {
        let layers = fixed.iter().chain(&dynamic_defaults).chain(&dynamic);
        let settings = Settings::resolve(&TABLE, layers)?;
        check_together(&settings)?;
        Ok(BrokerConfig {
            fixed,
            dynamic_defaults,
            dynamic,
            settings,
        })
    }

    /// Typed values of every broker key.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The texts from file, environment and command line.
    pub fn static_texts(&self) -> &Texts {
        &self.fixed
    }

    /// A key's value that this broker gives to topics or groups: that of the strongest synonym that has one.
    pub fn default_of(&self, def: &Def) -> Option<String> {
        let from_broker = def.synonyms.iter().find_map(|synonym| {
            let value = self.settings.get(synonym.key)?;
            Some(synonym.unit.convert(&value.to_text()))
        });
        from_broker.or_else(|| def.default_text().map(str::to_owned))
    }

    /// Typed values of every topic key for a topic with these texts of its own. Texts that are not acceptable any more
    /// (they were when they were set) count as not given.
    pub fn topic_settings(&self, overrides: &Texts) -> Settings {
        let acceptable = |def: &&'static Def| {
            overrides
                .get(def.key)
                .is_some_and(|text| def.parse(text).is_ok())
        };
        let own: Vec<&'static Def> = topic::TABLE.iter().filter(acceptable).collect();
        let inherited = topic::TABLE
            .iter()
            .filter(|def| !own.iter().any(|known| known.key == def.key));
        let inherited = inherited.filter_map(|def| {
            let text = self.default_of(def)?;
            // A broker's value can lie outside of what a topic may say; the topic's default stands in.
            def.parse(&text)
                .is_ok()
                .then_some((def.key.to_owned(), text))
        });
        let own = own
            .iter()
            .filter_map(|def| Some((def.key.to_owned(), overrides.get(def.key)?.clone())));
        match Settings::resolve(&topic::TABLE, inherited.chain(own)) {
            Ok(settings) => settings,
            Err(error) => unreachable!("every text was checked: {error}"),
        }
    }
}

/// Keys that are right one by one but not together.
fn check_together(settings: &Settings) -> Result<(), ConfigError> {
    for key in [
        "log.retention.ms",
        "log.retention.minutes",
        "log.retention.hours",
    ] {
        if settings.opt_number(key) == Some(0) {
            return Err(ConfigError::Conflict(format!(
                "{key} should be unlimited (-1) or equal to or greater than 1"
            )));
        }
    }
    let (min, max) = (
        "log.cleaner.min.compaction.lag.ms",
        "log.cleaner.max.compaction.lag.ms",
    );
    if settings.number(min) > settings.number(max) {
        return Err(ConfigError::Conflict(format!(
            "{min} must be less than or equal to {max}"
        )));
    }
    let (bytes, threads) = (
        settings.number("log.cleaner.dedupe.buffer.size"),
        settings.number("log.cleaner.threads"),
    );
    if bytes / threads.max(1) <= 1024 * 1024 {
        return Err(ConfigError::Conflict(
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned(),
        ));
    }
    not_less(
        settings,
        "group.max.session.timeout.ms",
        "group.min.session.timeout.ms",
    )?;
    check_consumer_groups(settings)?;
    let window = settings.number("queued.max.request.bytes");
    let request = settings.number("socket.request.max.bytes");
    if window > 0 && window < request {
        return Err(ConfigError::Conflict(
            "queued.max.request.bytes must be greater than or equal to socket.request.max.bytes"
                .to_owned(),
        ));
    }
    match settings.get("node.id") {
        Some(Value::Int(id)) if *id >= 0 => Ok(()),
        _ => Err(ConfigError::Missing {
            key: "node.id".to_owned(),
        }),
    }
}

/// The defaults of consumer groups are within the bounds that each group has, and a session outlasts a heartbeat.
fn check_consumer_groups(settings: &Settings) -> Result<(), ConfigError> {
    let heartbeat = "group.consumer.heartbeat.interval.ms";
    let session = "group.consumer.session.timeout.ms";
    within_bounds(
        settings,
        heartbeat,
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    )?;
    within_bounds(
        settings,
        session,
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    )?;
    if settings.number(heartbeat) >= settings.number(session) {
        return Err(ConfigError::Conflict(format!(
            "{heartbeat} must be less than {session}"
        )));
    }
    within_bounds(
        settings,
        "group.consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    )
}

fn within_bounds(settings: &Settings, key: &str, min: &str, max: &str) -> Result<(), ConfigError> {
    not_less(settings, max, min)?;
    not_less(settings, key, min)?;
    if settings.number(key) > settings.number(max) {
        return Err(ConfigError::Conflict(format!(
            "{key} must be less than or equal to {max}"
        )));
    }
    Ok(())
}

fn not_less(settings: &Settings, key: &str, than: &str) -> Result<(), ConfigError> {
    if settings.number(key) < settings.number(than) {
        return Err(ConfigError::Conflict(format!(
            "{key} must be greater than or equal to {than}"
        )));
    }
    Ok(())
}
